"""A home for one speaker, with a network that can fail the way it does in a kitchen.

Theory of operation. The speaker runs in a network namespace of its own, joined by a pair of virtual
Ethernet devices to the outside, where the test and its servers are. `HomeNetwork.cut` lets packets
vanish: both ends are told to send to a hardware address that nobody has, so link, address and route
stay and no error ever comes back. `HomeNetwork.unplug` takes the carrier, and then address and
routes, as the system does when Wi-Fi is lost. Files, so also the sockets of PulseAudio, systemd and
``parley``, are the same inside and outside; ``hosts``, ``resolv.conf`` and ``nsswitch.conf`` are
the home's own. Each home has a number, and a lock that dies with its process: so homes of tests
beside each other differ in names and addresses, and what a killed run left is found and removed.

Needs root and iproute2; where the kernel allows no namespaces, entering a home skips the test.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pytest

from device.simulator.certificate import Certificate, make_certificate
from device.simulator.script import Script
from tests.rig.daemon import Daemon
from tests.rig.real_time import require_real_time
from tests.rig.room import CONFIG, Room, merged
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer

T = TypeVar("T")

NAME = "live.home.test"
"""The name of the Live server outside."""
DEVICE = "home0"
"""The speaker's network device."""

# RFC 2544: addresses for measurements between networks; no home and no server has them.
FIRST_ADDRESS = ip_address("198.18.0.0")
NOBODY = "02:00:00:00:00:99"
PREFIX = "parley-rig-"
LOCKS = Path("/run", "parley-rig")
NAMESPACES = Path("/run", "netns")
COMMAND_S = 20
CLONE_NEWNET = 0x4000_0000
"""<linux/sched.h>"""


def _missing() -> str:
    if os.geteuid() != 0:
        return "needs root: only root may make network namespaces"
    return "" if shutil.which("ip") else "needs the command ip (package iproute2)"


needs_root = pytest.mark.skipif(bool(_missing()), reason=_missing() or "-")
"""For tests that make a home."""


class HomeNetwork:
    """The namespace and the wire to it; use it as a context manager.

    With ``names`` (host names and their addresses) the home knows its own; without, it knows `NAME`
    as the address outside. Who is not in there is asked of a DNS server at ``outside``, once, for a
    second: nobody, until a test starts one. Inside, ``outside`` is the only address there is.
    """

    def __init__(self, *, names: Mapping[str, str] | None = None) -> None:
        self._names = names
        self._hosts: dict[str, tuple[str, ...]] = {}
        self._has_ipv6 = False

    def __enter__(self) -> Self:
        require_real_time("a network")
        self._lock, number = _take_number()
        self.name = f"{PREFIX}{number}"
        """Of the namespace."""
        self._device = f"rig{number}"
        self.outside = str(FIRST_ADDRESS + 4 * number + 1)
        """The address of the test's servers; also the speaker's router."""
        self.inside = str(FIRST_ADDRESS + 4 * number + 2)
        """The speaker's address."""
        # RFC 3849: addresses for documentation.
        self.nowhere = str(ip_address(f"2001:db8:0:{number:x}::1"))
        """Where IPv6 leads once it is announced: to nobody."""
        self._inside_ipv6 = f"2001:db8:0:{number:x}::2"
        self._mac = f"02:00:5e:{number >> 8:02x}:{number & 0xFF:02x}"
        try:
            _remove(number)
            self._make_certificate(_folder(number))
            self._write_settings()
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _remove(int(self.name.removeprefix(PREFIX)))
        self._lock.close()

    def _make_certificate(self, folder: Path) -> None:
        self.certificate = make_certificate(folder, names=(NAME, self.outside))
        """For `NAME` and ``outside``."""
        self.trusted = folder / "trusted.pem"
        """What the speaker trusts, for SSL_CERT_FILE."""
        self.trusted.write_bytes(self.certificate.certificate.read_bytes())

    def _write_settings(self) -> None:
        # ip-netns(8): what is in this folder stands in the place of the files in /etc.
        self._settings = Path("/etc/netns", self.name)
        self._settings.mkdir(parents=True)
        self.set_names({NAME: self.outside} if self._names is None else self._names)
        servers = f"nameserver {self.outside}\noptions timeout:1 attempts:1\n"
        (self._settings / "resolv.conf").write_text(servers)
        # Without it, libnss-resolve would ask the machine's own resolver, over a file.
        (self._settings / "nsswitch.conf").write_text("hosts: files dns\n")

    def _build(self) -> None:
        host, home = f"{self._mac}:01", f"{self._mac}:02"
        try:
            _ip(f"netns add {self.name}")
            _ip(
                f"link add {self._device} address {host} type veth"
                f" peer name {DEVICE} address {home} netns {self.name}"
            )
        except subprocess.CalledProcessError as refused:
            pytest.skip(f"no network namespaces here: {refused.stderr.splitlines()[0]}")
        _ip(
            f"addr add {self.outside}/30 dev {self._device}",
            # While the wire is down: not out of the machine by its default route.
            f"route add blackhole {self._network} metric 4096",
        )
        self._inside("link set lo up", f"link set {DEVICE} up")
        self.restore()

    @property
    def _network(self) -> str:
        return f"{ip_address(self.outside) - 1}/30"

    # --- the wire --------------------------------------------------------------------------------

    def cut(self) -> None:
        """Let packets vanish both ways without a word, as with Wi-Fi out of range.

        Link, address and routes stay; the names in ``hosts`` are still known.
        """
        dead = f"lladdr {NOBODY} nud permanent dev"
        _ip(f"neigh replace {self.inside} {dead} {self._device}")
        self._inside(f"neigh replace {self.outside} {dead} {DEVICE}")

    def unplug(self) -> None:
        """Take the carrier, then the address and with it all routes: the speaker knows of it."""
        _ip(f"link set {self._device} down")
        self._inside(f"addr flush dev {DEVICE}")
        # IPv6 routes outlive their address.
        _ip(f"route flush dev {DEVICE}", options=("-n", self.name, "-6"))

    def restore(self) -> None:
        """Undo `cut` and `unplug`: connections that are still there go on."""
        _ip(
            f"link set {self._device} up",
            f"neigh replace {self.inside} lladdr {self._mac}:02 nud reachable dev {self._device}",
        )
        self._inside(
            f"addr replace {self.inside}/30 dev {DEVICE}",
            f"route replace default via {self.outside} dev {DEVICE}",
            f"neigh replace {self.outside} lladdr {self._mac}:01 nud reachable dev {DEVICE}",
        )
        if self._has_ipv6:
            self._give_ipv6()

    def announce_ipv6(self) -> None:
        """Announce IPv6 that leads nowhere, as a router does whose provider has none.

        The speaker gets an address and a default route, and every name it knows has `nowhere`
        beside its own address: what is sent there vanishes without a word.
        """
        self._has_ipv6 = True
        self._give_ipv6()
        self.set_names({name: (self.nowhere, *known) for name, known in self._hosts.items()})

    def _give_ipv6(self) -> None:
        self._inside(
            f"addr replace {self._inside_ipv6}/64 dev {DEVICE} nodad",
            f"neigh replace {self.nowhere} lladdr {NOBODY} nud permanent dev {DEVICE}",
            f"route replace ::/0 via {self.nowhere} dev {DEVICE}",
        )

    def _inside(self, *commands: str) -> None:
        _ip(*commands, options=("-n", self.name))

    # --- names and certificates ------------------------------------------------------------------

    def set_names(self, names: Mapping[str, str | Sequence[str]]) -> None:
        """Know these names with their address or addresses, and no others without DNS."""
        self._hosts = {
            name: (known,) if isinstance(known, str) else tuple(known)
            for name, known in names.items()
        }
        lines = [f"{address} {name}\n" for name, known in self._hosts.items() for address in known]
        # In place: processes inside have the file mounted.
        (self._settings / "hosts").write_text("".join(["127.0.0.1 localhost\n", *lines]))

    def trust(self, certificate: Certificate) -> None:
        """Let processes that start from now on trust this one too."""
        with self.trusted.open("ab") as file:
            file.write(certificate.certificate.read_bytes())

    # --- what happens inside ---------------------------------------------------------------------

    def command_prefix(self) -> list[str]:
        """Return what stands before a command that is to run inside; its process id is kept."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *command: str, timeout: float = COMMAND_S) -> str:
        """Run a command inside and return what it printed. Raises CalledProcessError."""
        return subprocess.run(
            [*self.command_prefix(), *command],
            check=True,
            capture_output=True,
            text=True,
            timeout=timeout,
        ).stdout

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in a thread that is inside, and return its result.

        The sockets it makes stay inside, whoever uses them later. Only the network is the home's:
        names are resolved as outside.
        """

        def enter() -> None:
            with (NAMESPACES / self.name).open() as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")

        with ThreadPoolExecutor(1, initializer=enter) as inside:
            return inside.submit(function).result()


def _take_number() -> tuple[TextIOWrapper, int]:
    """Return the first number that no living process has, locked until the file is closed."""
    LOCKS.mkdir(exist_ok=True)
    for path in NAMESPACES.glob(f"{PREFIX}*"):
        number = int(path.name.removeprefix(PREFIX))
        left = _locked(number)
        if left is not None:
            with left:
                _remove(number)
    for number in count():
        lock = _locked(number)
        if lock is not None:
            return lock, number
    raise AssertionError


def _locked(number: int) -> TextIOWrapper | None:
    lock = (LOCKS / str(number)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _folder(number: int) -> Path:
    return LOCKS / f"{number}.files"


def _remove(number: int) -> None:
    """Remove what there is of a home, whole or in parts, with whoever still lives in it."""
    name = f"{PREFIX}{number}"
    network = f"{FIRST_ADDRESS + 4 * number}/30"
    with contextlib.suppress(subprocess.CalledProcessError):
        for process in _ip(f"netns pids {name}").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
    for command in (f"link del rig{number}", f"route del blackhole {network}", f"netns del {name}"):
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip(command)
    for folder in (Path("/etc/netns", name), _folder(number)):
        shutil.rmtree(folder, ignore_errors=True)


def _ip(*commands: str, options: tuple[str, ...] = ()) -> str:
    """Run commands of ip(8) in one go; stops at the first that fails."""
    return subprocess.run(
        ["ip", *options, "-batch", "-"],
        input="\n".join(commands),
        check=True,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
    ).stdout


# --- a speaker in it -----------------------------------------------------------------------------


class HomeDaemon(Daemon):
    """The daemon inside a home. All its ``parley`` commands run in there too, as over SSH."""

    network: HomeNetwork

    def _parley(self, *arguments: str) -> list[str]:
        return [*self.network.command_prefix(), *super()._parley(*arguments)]


class Home(Room):
    """Everything around one running speaker, and the network between."""

    def __init__(
        self, sound: SoundServer, server: ServerThread, daemon: Daemon, network: HomeNetwork
    ) -> None:
        super().__init__(sound, server, daemon)
        self.network = network


@contextmanager
def open_home(
    script: Script | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    network: HomeNetwork | None = None,
    environment: Mapping[str, str] | None = None,
    key: str | None = "test-key",
    wait_ready: bool = True,
) -> Iterator[Home]:
    """Start it all, the speaker last; end it all.

    The speaker knows its server as `NAME`; ``config`` may name another. A ``network`` is one that
    was entered before, perhaps to start strangers there or to unplug it, and that stays.
    """
    with ExitStack() as stack:
        sound = stack.enter_context(SoundServer())
        home = network or stack.enter_context(HomeNetwork())
        server = stack.enter_context(
            ServerThread(script, certificate=home.certificate, host=home.outside)
        )
        endpoint = server.url.replace(home.outside, NAME)
        settings = merged(merged(CONFIG, {"live": {"endpoint": endpoint}}), config or {})
        trust = {"SSL_CERT_FILE": str(home.trusted)}
        variables = {**sound.environment, **trust, **(environment or {})}
        daemon = HomeDaemon(settings, variables, key=key, wait_ready=wait_ready)
        daemon.network = home
        yield Home(sound, server, stack.enter_context(daemon), home)
