"""A whole Debian with systemd as PID 1, in a container, that is thrown away afterwards.

The system is made once by debootstrap and kept; each machine is an overlay over it. It shares the
host's network, so a server on loopback is the same one inside and outside, and the host's wall
clock. Needs root, the packages `systemd-container` and `debootstrap`, overlayfs, cgroup2 and time
namespaces; installs the packages itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.appliance.bounds import Bounds

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "parley-appliance"
"""Kept from run to run: the bare systems, and what apt, pip and uv download."""

MIRROR = "http://deb.debian.org/debian"
# What a fresh Raspberry Pi OS Lite has, less Python and compilers: the installer must bring them
# itself. PulseAudio stands in for the sound card, which no container has.
PACKAGES = "systemd,systemd-sysv,dbus,udev,sudo,ca-certificates,pulseaudio,pulseaudio-utils"
BOOTS_S = 120.0
LOOK_S = 0.2

SHARED = Path("/srv")
"""Folders shared by machine and host are made here: neither systemd nor a unit's sandbox puts
something of its own over it."""

DOWNLOADS = Path("/srv/downloads")

Completed = subprocess.CompletedProcess[str]


class Machine:
    """A booted machine, from entering the context to leaving it."""

    def __init__(self, suite: str, bounds: Bounds | None = None) -> None:
        """`suite` is a release of Debian: bookworm or trixie; `bounds` make it a small machine."""
        self.suite = suite
        self._bounds = bounds
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._mounts: list[Path] = []
        self._held: list[str] = []
        """Words before a command that keep it within the bounds."""
        self._init = 0

    def __enter__(self) -> Self:
        self.shared = Path(tempfile.mkdtemp(dir=SHARED, prefix="parley-rig-"))
        self.shared.chmod(0o755)
        self._layers = Path(tempfile.mkdtemp(prefix="parley-machine-"))
        try:
            install_tools(systemd_nspawn="systemd-container")
            self.root = lay_over(make_base(self.suite), self._layers)
            self._mounts.append(self.root)
            for unit in ("apt-daily.timer", "apt-daily-upgrade.timer"):
                (self.root / "etc/systemd/system" / unit).symlink_to("/dev/null")
            self._boot()
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
        if self._nspawn is not None:
            self._nspawn.terminate()
            try:
                self._nspawn.wait(30)
            except subprocess.TimeoutExpired:
                if self._init:
                    os.kill(self._init, signal.SIGKILL)
                self._nspawn.kill()
                self._nspawn.wait()
        for mount in reversed(self._mounts):
            unmount(mount)
        if self._bounds is not None:
            self._bounds.leave()
        shutil.rmtree(self._layers)
        shutil.rmtree(self.shared)

    def _boot(self) -> None:
        for name in ("apt-" + self.suite, "downloads"):
            (CACHE / name).mkdir(exist_ok=True)
        if self._bounds is not None:
            self._held = self._bounds.enter(self.shared / "meminfo")
        host_up_s = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        self._nspawn = subprocess.Popen(
            [
                *self._held,
                # Its CLOCK_BOOTTIME begins with it, as that of a machine of metal does.
                *("unshare", "--time", f"--boottime=-{host_up_s}"),
                *("systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}"),
                *("--register=no", "--keep-unit", "--console=pipe", "--resolv-conf=off"),
                # BPF is what DeviceAllow= and IPAddressDeny= are made of.
                "--capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON",
                *("--system-call-filter=bpf",),
                f"--bind={self.shared}",
                f"--bind={CACHE / 'downloads'}:{DOWNLOADS}",
                f"--bind={CACHE / ('apt-' + self.suite)}:/var/cache/apt/archives",
            ],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.until(self._has_init, "PID 1", BOOTS_S)
        self.until(self._is_up, "systemd to be up", BOOTS_S)
        if self._held:
            self.run("mount", "--bind", self.shared / "meminfo", "/proc/meminfo")

    def cut_the_power(self) -> None:
        """Everything ends at once, and boots again."""
        assert self._nspawn is not None
        os.kill(self._init, signal.SIGKILL)
        self._nspawn.wait(30)
        self._boot()

    def _has_init(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, "systemd-nspawn ended at once"
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
            except (OSError, ValueError):
                continue
            if fields["PPid"] == str(self._nspawn.pid) and fields["NSpid"].split()[-1] == "1":
                self._init = int(status.parent.name)
                return True
        return False

    def _is_up(self) -> bool:
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in {"running", "degraded"}

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float) -> Any:
        """Look again and again until `condition()` is true; returns what it returned."""
        deadline = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
            time.sleep(LOOK_S)
        return found

    # --- inside --------------------------------------------------------------------------------

    def command(self, *words: str | Path, **environment: str) -> list[str]:
        """The words that run a command inside as root, from outside."""
        variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "UV_CACHE_DIR": f"{DOWNLOADS}/uv-{self.suite}",
            "PIP_CACHE_DIR": f"{DOWNLOADS}/pip",
            **environment,
        }
        enter = [*self._held, "nsenter", f"--target={self._init}", "--all", "env", "-i", "-C", "/"]
        return [*enter, *(f"{k}={v}" for k, v in variables.items()), *map(str, words)]

    def run(
        self, *words: str | Path, check: bool = True, timeout_s: float = 60, **environment: str
    ) -> Completed:
        """Run a command inside as root; with `check`, it must succeed."""
        done = subprocess.run(
            self.command(*words, **environment),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
        said = f"{words} exited with {done.returncode}\n{done.stdout}{done.stderr}"
        assert not check or done.returncode == 0, said
        return done

    def shell(self, script: str, *, check: bool = True, timeout_s: float = 60) -> str:
        """Run a shell script inside; returns what it printed."""
        return self.run("sh", "-euc", script, check=check, timeout_s=timeout_s).stdout

    def path(self, inside: str) -> Path:
        """The place of a file inside, as seen from outside, whatever is mounted there."""
        return Path(f"/proc/{self._init}/root{inside}")

    def write(self, inside: str, text: str) -> None:
        """Write a file inside, with the folders it needs."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def show(self, unit: str) -> Mapping[str, str]:
        """What `systemctl show` tells of a unit."""
        lines = self.run("systemctl", "show", unit).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def journal(self, *options: str) -> str:
        return self.run("journalctl", "--no-pager", "--output=cat", *options).stdout


def install_tools(**packages: str) -> None:
    """Install the Debian packages (values) whose tools (keys, with _ for -) are not here."""
    missing = [
        package for tool, package in packages.items() if not shutil.which(tool.replace("_", "-"))
    ]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", *missing]) if missing else ():
        command = ["apt-get", "-q", *words, "--no-install-recommends"]
        subprocess.run(command, check=True, timeout=600, env=environment, stdout=subprocess.DEVNULL)


def make_base(suite: str, *options: str, packages: str = PACKAGES, name: str = "") -> Path:
    """Make the bare system of a suite, unless it is there; returns where it is."""
    base = CACHE / (name or suite)
    if (base / ".ready").exists():
        return base
    CACHE.mkdir(parents=True, exist_ok=True)
    install_tools(debootstrap="debootstrap")
    shutil.rmtree(base, ignore_errors=True)
    words = ["debootstrap", "--variant=minbase", f"--include={packages}", *options]
    subprocess.run(
        [*words, suite, base, MIRROR], check=True, timeout=3600, stdout=subprocess.DEVNULL
    )
    (base / ".ready").touch()
    return base


def lay_over(base: Path, layers: Path) -> Path:
    """Mount a system to be written on over a bare one; returns where its root is."""
    for name in ("root", "up", "work"):
        (layers / name).mkdir()
    root = layers / "root"
    options = f"lowerdir={base},upperdir={layers}/up,workdir={layers}/work"
    subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, root], check=True, timeout=30
    )
    # Names and certificates are those of this machine.
    for file in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
        (root / file).unlink(missing_ok=True)
        shutil.copyfile(f"/{file}", root / file)
    (root / "etc/hostname").write_text("kitchen\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost kitchen\n::1 localhost\n")
    return root


def unmount(mount: Path) -> None:
    """Unmount at once, or as soon as nobody is in it."""
    if subprocess.run(["umount", mount], check=False, capture_output=True).returncode:
        subprocess.run(["umount", "--lazy", mount], check=True)
