"""The instruments of the network rig do what they say: wire, names, strangers."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from device.simulator.certificate import make_certificate
from device.simulator.script import Script, Turn
from tests.rig.network import DEVICE, NAME, HomeNetwork, needs_root, open_home
from tests.rig.strangers import (
    CaptivePortal,
    NamedLoop,
    NameMode,
    NameServer,
    Port,
    Proxy,
    read_head,
    refusing_port,
    unanswered_port,
)

SHORT = Turn(heard="weather", says="It is sunny.", audio=700)
WAIT_S = 10.0
A_WHILE_S = 0.6
"""Several first retransmissions long (tcp(7): the first after 0.2 s)."""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[HomeNetwork]:
    with HomeNetwork() as network:
        yield network


@contextmanager
def connection(home: HomeNetwork) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection: the speaker's end, and the server's."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((home.outside, 0)))
        address = listener.getsockname()
        speaker = stack.enter_context(home.call(lambda: socket.create_connection(address, WAIT_S)))
        server = stack.enter_context(listener.accept()[0])
        server.settimeout(WAIT_S)
        yield speaker, server


def unacknowledged_bytes(sender: socket.socket) -> int:
    """TIOCOUTQ: what the other end's system has not confirmed."""
    (waiting,) = struct.unpack("i", fcntl.ioctl(sender, termios.TIOCOUTQ, bytes(4)))
    return int(waiting)


def hears_nothing(end: socket.socket) -> bool:
    """Whether for a while there is neither data, nor an end (FIN), nor an error (RST)."""
    end.settimeout(A_WHILE_S)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(WAIT_S)
    return False


def received(end: socket.socket, length: int) -> bytes:
    """Wait for so many bytes."""
    data = b""
    while len(data) < length:
        piece = end.recv(length - len(data))
        assert piece, "the connection ended"
        data += piece
    return data


def resolved(home: HomeNetwork, name: str) -> str:
    """What a process inside gets for a name: an address, or the name of the error."""
    program = (
        "import socket, sys\n"
        "try: print(socket.getaddrinfo(sys.argv[1], 443, type=socket.SOCK_STREAM)[0][4][0])\n"
        "except socket.gaierror as error:\n"
        "    print({getattr(socket, n): n for n in dir(socket) if n[:4] == 'EAI_'}[error.errno])"
    )
    return home.run(sys.executable, "-I", "-c", program, name).strip()


# --- the wire ------------------------------------------------------------------------------------


@needs_root
def test_packets_of_a_cut_network_vanish_and_the_connection_goes_on_later(
    home: HomeNetwork,
) -> None:
    """Neither end hears anything; what was sent meanwhile arrives on the same connection."""
    with connection(home) as (speaker, server):
        speaker.sendall(b"before")
        assert received(server, 6) == b"before"
        home.cut()
        speaker.sendall(b"up")
        server.sendall(b"down")
        assert hears_nothing(server)
        assert hears_nothing(speaker)
        assert unacknowledged_bytes(speaker) == 2
        assert unacknowledged_bytes(server) == 4
        home.restore()
        assert received(server, 2) == b"up"
        assert received(speaker, 4) == b"down"


@needs_root
def test_the_speaker_cannot_know_of_a_cut(home: HomeNetwork) -> None:
    """Carrier, address and route stay, a new connection is neither refused nor unreachable."""
    with socket.create_server((home.outside, 0)) as listener:
        address = listener.getsockname()
        before = home.run("cat", "/proc/net/route", f"/sys/class/net/{DEVICE}/carrier")
        home.cut()
        assert home.run("cat", "/proc/net/route", f"/sys/class/net/{DEVICE}/carrier") == before
        assert before.endswith("\n1\n")
        with pytest.raises(TimeoutError):
            home.call(lambda: socket.create_connection(address, A_WHILE_S))
        home.restore()
        home.call(lambda: socket.create_connection(address, WAIT_S)).close()


@needs_root
def test_the_speaker_knows_that_it_is_unplugged(home: HomeNetwork) -> None:
    """No carrier, no address, no route, an error at once; a connection survives that too."""
    with connection(home) as (speaker, server):
        address = server.getsockname()
        home.unplug()
        assert home.run("cat", f"/sys/class/net/{DEVICE}/carrier") == "0\n"
        assert len(home.run("cat", "/proc/net/route").splitlines()) == 1
        assert home.inside not in home.run("ip", "addr")
        with pytest.raises(OSError, match="Network is unreachable"):
            home.call(lambda: socket.create_connection(address, WAIT_S))
        speaker.sendall(b"up")
        assert hears_nothing(server)
        assert hears_nothing(speaker)
        home.restore()
        assert received(server, 2) == b"up"


@needs_root
def test_homes_beside_each_other_do_not_meet(home: HomeNetwork) -> None:
    """Each has its own addresses, and one is cut without the other."""
    with HomeNetwork() as other, connection(home) as (speaker, server):
        assert {home.inside, home.outside}.isdisjoint({other.inside, other.outside})
        other.cut()
        speaker.sendall(b"up")
        assert received(server, 2) == b"up"


@needs_root
def test_what_a_killed_run_left_is_removed() -> None:
    """Namespace, device and settings of a process that could not clean up, and who lived there."""
    program = (
        "import subprocess; from tests.rig.network import HomeNetwork\n"
        "home = HomeNetwork().__enter__(); home.unplug()\n"
        "print(home.name, home.outside, flush=True)\n"
        "resident = 'echo moved in; exec tail -f /dev/null'\n"
        "subprocess.run([*home.command_prefix(), 'sh', '-c', resident])"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        name, address = killed.stdout.readline().split()
        # Who is still on the way in would not be found there.
        assert killed.stdout.readline() == "moved in\n"
        killed.kill()
        killed.wait(WAIT_S)
        assert Path("/run/netns", name).exists()
        with HomeNetwork():
            # Who was left holds the other end of this pipe.
            assert killed.stdout.read() == ""
    assert not Path("/run/netns", name).exists()
    assert not Path("/etc/netns", name).exists()
    told = subprocess.run(["ip", "addr"], capture_output=True, text=True, check=True).stdout
    assert address not in told


# --- names ---------------------------------------------------------------------------------------


@needs_root
def test_names_are_the_homes_own(home: HomeNetwork) -> None:
    """The server's name and localhost, and what is set; the machine's hosts are not known."""
    assert resolved(home, NAME) == home.outside
    assert resolved(home, "localhost") == "127.0.0.1"
    home.set_names({"other.home.test": home.inside})
    assert resolved(home, "other.home.test") == home.inside
    # Nobody is there to be asked.
    assert resolved(home, NAME) == "EAI_AGAIN"
    home.set_names({NAME: home.outside})


@needs_root
@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (NameMode.SERVFAIL, "EAI_AGAIN"),
        (NameMode.NXDOMAIN, "EAI_NONAME"),
        (NameMode.SILENT, "EAI_AGAIN"),
    ],
)
def test_names_fail_in_the_way_chosen(home: HomeNetwork, mode: NameMode, told: str) -> None:
    """A name server that can, and then cannot, and can again."""
    name = "dns.home.test"
    with NameServer(home.outside, {name: home.outside}) as names:
        assert resolved(home, name) == home.outside
        assert resolved(home, "unknown.home.test") == "EAI_NONAME"
        names.mode = mode
        assert resolved(home, name) == told
        assert names.questions[-1] == name
        names.mode = NameMode.ANSWERS
        assert resolved(home, name) == home.outside


# --- IPv6 that leads nowhere ---------------------------------------------------------------------


def addresses(home: HomeNetwork, name: str) -> list[str]:
    """What a process inside gets for a name, in the order in which it is to be tried."""
    program = (
        "import socket, sys\n"
        "for found in socket.getaddrinfo(sys.argv[1], 443, type=socket.SOCK_STREAM):\n"
        "    print(found[4][0])"
    )
    return home.run(sys.executable, "-I", "-c", program, name).split()


@needs_root
def test_announced_ipv6_comes_first_and_leads_nowhere(home: HomeNetwork) -> None:
    """The speaker has an address and a route of it; what it sends there vanishes."""
    assert addresses(home, NAME) == [home.outside]
    home.announce_ipv6()
    assert addresses(home, NAME) == [home.nowhere, home.outside]
    for again in range(2):
        assert "default via" in home.run("ip", "-6", "route")
        with pytest.raises(TimeoutError):
            home.call(lambda: socket.create_connection((home.nowhere, 443), A_WHILE_S))
        with socket.create_server((home.outside, 0)) as listener:
            home.call(lambda: socket.create_connection(listener.getsockname(), WAIT_S)).close()
        if not again:
            home.unplug()
            assert home.run("ip", "-6", "route", "show", "default") == ""
            home.restore()


@needs_root
def test_a_name_server_may_have_ipv6_addresses_too(home: HomeNetwork) -> None:
    """Beside the other, alone, or not for this name."""
    home.announce_ipv6()
    names = {"both.home.test": home.outside, "four.home.test": home.outside}
    ipv6 = {"both.home.test": home.nowhere, "six.home.test": home.nowhere}
    with NameServer(home.outside, names, ipv6=ipv6):
        assert addresses(home, "both.home.test") == [home.nowhere, home.outside]
        assert addresses(home, "four.home.test") == [home.outside]
        assert addresses(home, "six.home.test") == [home.nowhere]


@pytest.mark.parametrize("happy_eyeballs_delay", [None, 0.1])
def test_a_name_of_two_addresses_needs_happy_eyeballs(happy_eyeballs_delay: float | None) -> None:
    """At ::1 nobody answers, at 127.0.0.1 somebody does: RFC 8305 tries both."""

    async def connect(port: int) -> str:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(A_WHILE_S if happy_eyeballs_delay is None else WAIT_S):
            transport, _ = await loop.create_connection(
                asyncio.Protocol, NAME, port, happy_eyeballs_delay=happy_eyeballs_delay
            )
        peer: str = transport.get_extra_info("peername")[0]
        transport.abort()
        return peer

    with (
        Port("127.0.0.1") as server,
        unanswered_port("::1", server.port) as port,
        asyncio.Runner(loop_factory=lambda: NamedLoop({NAME: ("::1", "127.0.0.1")})) as runner,
    ):
        assert port == server.port
        if happy_eyeballs_delay is None:
            with pytest.raises(TimeoutError):
                runner.run(connect(port))
        else:
            assert runner.run(connect(port)) == "127.0.0.1"


# --- strangers -----------------------------------------------------------------------------------


def get(
    home: HomeNetwork, port: int, trusting: ssl.SSLContext, *, name: str = NAME
) -> tuple[str, str]:
    """Ask for a page over TLS; returns the status line and where it leads."""
    address = (home.outside, port)
    with (
        home.call(lambda: socket.create_connection(address, WAIT_S)) as plain,
        trusting.wrap_socket(plain, server_hostname=name) as secure,
    ):
        secure.sendall(f"GET /live HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        status, *headers = read_head(secure).splitlines()
    return status, next((h for h in headers if h.lower().startswith("location")), "")


@needs_root
def test_a_captive_portal_leads_away_or_is_not_trusted(home: HomeNetwork, tmp_path: Path) -> None:
    """Trusted: whatever is asked, it is a 302. Not trusted: TLS says so, in its words."""
    trusting = home.certificate.client_context()
    with CaptivePortal(home.outside, home.certificate) as portal:
        status, leads = get(home, portal.port, trusting)
        assert status == "HTTP/1.1 302 Found"
        assert leads == "Location: http://portal.home.test/sign-in"
        assert portal.requests == ["GET /live HTTP/1.1"]
    strange = make_certificate(tmp_path, names=("portal.home.test",))
    with CaptivePortal(home.outside, strange) as portal:
        with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
            get(home, portal.port, trusting)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            get(home, portal.port, strange.client_context())
        assert portal.requests == []
        portal.wait_for_attempts(2)


@needs_root
def test_a_proxy_carries_on_or_refuses(home: HomeNetwork) -> None:
    """CONNECT to a name that only the proxy knows; the other answers are what they are."""
    with (
        socket.create_server((home.outside, 0)) as listener,
        Proxy(home.outside, hosts={NAME: home.outside}) as proxy,
    ):
        port = listener.getsockname()[1]

        def ask() -> tuple[socket.socket, str]:
            address = (proxy.host, proxy.port)
            client = home.call(lambda: socket.create_connection(address, WAIT_S))
            client.sendall(f"CONNECT {NAME}:{port} HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
            return client, read_head(client)

        client, told = ask()
        with client, listener.accept()[0] as server:
            assert told.startswith("HTTP/1.1 200 ")
            client.sendall(b"up")
            assert received(server, 2) == b"up"
            server.sendall(b"down")
            assert received(client, 4) == b"down"
        for status, header in ((407, "Proxy-Authenticate: Basic"), (502, "Content-Length: 0")):
            proxy.status = status
            client, told = ask()
            client.close()
            assert told.startswith(f"HTTP/1.1 {status} ")
            assert header in told
        assert proxy.targets == [f"{NAME}:{port}"] * 3


@needs_root
def test_ports_refuse_or_never_speak(home: HomeNetwork) -> None:
    """One is closed; the other takes all and says nothing, until it goes."""
    with refusing_port(home.outside) as port, pytest.raises(ConnectionRefusedError):
        home.call(lambda: socket.create_connection((home.outside, port), WAIT_S))
    with Port(home.outside) as silent:
        address = (silent.host, silent.port)
        client = home.call(lambda: socket.create_connection(address, WAIT_S))
        client.sendall(b"hello")
        assert hears_nothing(client)
        assert unacknowledged_bytes(client) == 0
    with client:
        assert client.recv(1) == b""


# --- the speaker ---------------------------------------------------------------------------------


@needs_root
def test_the_speaker_talks_from_inside_and_its_sockets_are_reached() -> None:
    """Sound, control and notices are files and come through; all else goes over the wire."""
    with open_home(Script(turns=(SHORT,))) as home:
        home.wake_and_ask()
        home.daemon.event("reply", what="drained")
        (record,) = home.server.connections
        assert record.audio
        assert home.daemon.seen("fault") == []
        assert home.daemon.cli("status").returncode == 0
