"""Servers that a speaker may meet where its own should be: sign-in pages, proxies, dead ports, DNS.

Each listens at an address given, works in threads, and is a context manager; leaving it ends its
connections. Nothing waits longer than ``PATIENCE_S``.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

from device.simulator.certificate import Certificate

PATIENCE_S = 30.0
HEAD_BYTES = 65_536


class Port:
    """A TCP port that takes connections and reads what comes, but never says a word."""

    scheme = "https"

    def __init__(self, host: str, *, port: int = 0) -> None:
        self.host = host
        self.port = port
        self.attempts = 0
        """TCP connections taken, whatever became of them."""
        self._changed = threading.Condition()
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """How to reach it by its address, without a trailing slash."""
        return f"{self.scheme}://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.host, self.port))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Linux: this wakes who waits in accept() or recv().
        hang_up(self._listener)
        self._threads[0].join(PATIENCE_S)
        for client in self._clients:
            hang_up(client)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()

    def wait_for_attempts(self, number: int, timeout: float = PATIENCE_S) -> None:
        """Block until so many connections were taken. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.attempts >= number, timeout):
                raise TimeoutError(f"{self.attempts} of {number} connections within {timeout:g} s")

    def answer(self, client: socket.socket) -> None:
        """Talk to a client; the connection ends with the return, or an OSError."""
        while client.recv(65_536):
            pass

    def _start(self, function: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(PATIENCE_S)
            self._clients.append(client)
            self._start(self._serve, client)
            with self._changed:
                self.attempts += 1
                self._changed.notify_all()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self.answer(client)


def hang_up(connection: socket.socket) -> None:
    """Shut a socket down, if it is not yet."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def read_head(connection: socket.socket) -> str:
    """Read the head of an HTTP message; empty when the other end hung up before its end."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES:
        piece = connection.recv(4096)
        if not piece:
            return ""
        head += piece
    return head.decode("latin-1")


@contextmanager
def refusing_port(host: str) -> Iterator[int]:
    """Yield a port that refuses connections and that nobody else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind((host, 0))
        yield bound.getsockname()[1]


@contextmanager
def unanswered_port(host: str, port: int = 0) -> Iterator[int]:
    """Yield a port at which nobody ever answers: connecting to it neither succeeds nor fails.

    Linux: whoever asks for a connection that a full queue has no room for is not answered. So it
    works on loopback too, such as at ``::1`` beside a server at the same port of ``127.0.0.1``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, port), family=family, backlog=0) as listener,
        socket.socket(family) as whole_queue,
    ):
        address = listener.getsockname()
        whole_queue.connect(address)
        yield address[1]


class NamedLoop(asyncio.SelectorEventLoop):
    """An event loop that knows names of ours, each with its addresses in their order."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._names = dict(names)

    async def getaddrinfo(  # type: ignore[override] # ours has fewer forms
        self, host: str, port: int, **options: Any
    ) -> list[Any]:
        """Resolve a name; those that are not ours as ever."""
        found: list[Any] = []
        for address in self._names.get(host, (host,)):
            found += await super().getaddrinfo(address, port, **options)
        return found


class CaptivePortal(Port):
    """A network that wants to be signed in: it answers in the place of any server, over TLS.

    Whatever is asked is answered with a 302 to ``sign_in``. The certificate decides what a client
    sees of that: one it trusts for the name it wanted, or one that ends in a TLS error.
    """

    def __init__(
        self,
        host: str,
        certificate: Certificate,
        *,
        port: int = 0,
        sign_in: str = "http://portal.home.test/sign-in",
    ) -> None:
        super().__init__(host, port=port)
        self._context = certificate.server_context()
        self._sign_in = sign_in
        self.requests: list[str] = []
        """The first line of every request."""

    def answer(self, client: socket.socket) -> None:
        with self._context.wrap_socket(client.dup(), server_side=True) as secure:
            head = read_head(secure)
            self.requests.append(head.partition("\r\n")[0])
            page = f"HTTP/1.1 302 Found\r\nLocation: {self._sign_in}\r\nContent-Length: 0\r\n"
            secure.sendall(f"{page}Connection: close\r\n\r\n".encode())
            with contextlib.suppress(ssl.SSLError):
                secure.unwrap()


class Proxy(Port):
    """An HTTP proxy for CONNECT; with another status than 200 it refuses what is asked of it.

    ``hosts`` are the names it knows beside those of this machine. ``status`` may be changed.
    """

    scheme = "http"

    def __init__(
        self, host: str, *, port: int = 0, status: int = 200, hosts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(host, port=port)
        self.status = status
        self._hosts = dict(hosts or {})
        self.targets: list[str] = []
        """What CONNECT asked for, ``host:port``."""

    def answer(self, client: socket.socket) -> None:
        head = read_head(client)
        method, target, *_ = head.split(" ")
        assert method == "CONNECT"
        self.targets.append(target)
        if self.status != 200:
            demand = 'Proxy-Authenticate: Basic realm="home"\r\n' if self.status == 407 else ""
            client.sendall(
                f"HTTP/1.1 {self.status} No\r\n{demand}Content-Length: 0\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            return
        host, _, port = target.rpartition(":")
        address = (self._hosts.get(host, host), int(port))
        with socket.create_connection(address, PATIENCE_S) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _join(client, server)


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either end hangs up."""
    ends = {one: other, other: one}
    while True:
        for end in select.select(list(ends), [], [])[0]:
            piece = end.recv(65_536)
            if not piece:
                return
            ends[end].sendall(piece)


class NameMode(StrEnum):
    """What a name server makes of questions."""

    ANSWERS = "answers"
    """The names it knows; the others are NXDOMAIN."""
    SERVFAIL = "servfail"
    """As a router does that has no internet."""
    NXDOMAIN = "nxdomain"
    SILENT = "silent"


class NameServer:
    """A DNS server over UDP for names with an IPv4 address (RFC 1035). ``mode`` may be changed.

    ``ipv6`` are the names that have an IPv6 address too (RFC 3596).
    """

    def __init__(
        self,
        host: str,
        names: Mapping[str, str] | None = None,
        *,
        ipv6: Mapping[str, str] | None = None,
        mode: NameMode = NameMode.ANSWERS,
        port: int = 53,
    ) -> None:
        self.mode = mode
        self._address = (host, port)
        self._names = dict(names or {})
        self._ipv6 = dict(ipv6 or {})
        self.questions: list[str] = []
        """The names that were asked for."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(self._address)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An empty datagram is no question: it ends the thread.
        self._socket.sendto(b"", self._address)
        self._thread.join(PATIENCE_S)
        self._socket.close()

    def wait_for_question(self, name: str, timeout: float = PATIENCE_S) -> None:
        """Block until a name was asked for. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: name in self.questions, timeout):
                raise TimeoutError(f"only {self.questions} were asked within {timeout:g} s")

    def _serve(self) -> None:
        while True:
            message, client = self._socket.recvfrom(4096)
            if not message:
                return
            answer = self._answer(message)
            if answer is not None:
                self._socket.sendto(answer, client)

    def _answer(self, message: bytes) -> bytes | None:
        name, end = _name_in(message)
        with self._changed:
            self.questions.append(name)
            self._changed.notify_all()
        question = message[12 : end + 4]
        by_type = {b"\0\1": self._names, b"\0\x1c": self._ipv6}
        address = by_type.get(question[-4:-2], {}).get(name)
        match self.mode:
            case NameMode.SILENT:
                return None
            case NameMode.SERVFAIL:
                return _response(message, question, code=2)
            case NameMode.ANSWERS if name in (*self._names, *self._ipv6):
                return _response(message, question, address=address)
            case _:
                return _response(message, question, code=3)


def _name_in(message: bytes) -> tuple[str, int]:
    """Return the name in the question and where it ends."""
    labels = []
    place = 12
    while length := message[place]:
        labels.append(message[place + 1 : place + 1 + length].decode("ascii").lower())
        place += 1 + length
    return ".".join(labels), place + 1


def _response(
    message: bytes, question: bytes, *, code: int = 0, address: str | None = None
) -> bytes:
    # A response, recursion desired and available; one question, one answer or none.
    header = message[:2] + (0x8180 | code).to_bytes(2, "big") + b"\0\1"
    counts = (0 if address is None else 1).to_bytes(2, "big") + bytes(4)
    if address is None:
        return header + counts + question
    # The name and the type are those of the question; IN, to be kept for no time.
    packed = ip_address(address).packed
    record = b"\xc0\x0c" + question[-4:-2] + b"\0\1" + bytes(4) + len(packed).to_bytes(2, "big")
    return header + counts + question + record + packed
