"""A packet capture of a client's connections to the stand-in server, opened with its TLS secrets.

Theory of operation. A packet socket (packet(7)) takes every frame of the loopback interface to the
server's port. What a client sent on each TCP connection is put together by its sequence numbers,
TLS 1.3 is opened with the secrets that OpenSSL logs for the server (RFC 8446, the key log format of
NSS), and in it the WebSocket (RFC 6455, with permessage-deflate of RFC 7692 where it was agreed on)
is read to JSON. Nothing of the product is used for it: it is a reading of its own of what went over
the wire.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from device.simulator.certificate import Certificate

ALL_PROTOCOLS = 0x0003
"""ETH_P_ALL of <linux/if_ether.h>."""
OUTGOING = 4
"""PACKET_OUTGOING: on loopback each frame is seen twice, going out and coming in."""
BUFFER_BYTES = 64 << 20
RECEIVE_BUFFER_FORCE = 33
"""SO_RCVBUFFORCE: beyond the system's limit, as root may."""
PACKET, STATISTICS = 263, 6
"""SOL_PACKET and PACKET_STATISTICS."""
SUITES: dict[int, tuple[Any, hashes.HashAlgorithm, int]] = {
    0x1301: (AESGCM, hashes.SHA256(), 16),
    0x1302: (AESGCM, hashes.SHA384(), 32),
    0x1303: (ChaCha20Poly1305, hashes.SHA256(), 32),
}
HANDSHAKE, APPLICATION = 22, 23


@dataclass(frozen=True, slots=True)
class KeyLogged(Certificate):
    """A certificate whose server logs the secrets of its connections."""

    log: Path = field(default=Path())

    def server_context(self) -> ssl.SSLContext:
        """As any, with the log."""
        context = Certificate.server_context(self)
        context.keylog_filename = str(self.log)
        return context


@dataclass(slots=True)
class Stream:
    """What one side of a TCP connection sent."""

    pieces: dict[int, bytes] = field(default_factory=dict)
    """By sequence number, from the first byte on."""
    first: int | None = None

    def add(self, sequence: int, content: bytes, *, opens: bool) -> None:
        """Take a segment; what was sent again is the same."""
        if opens:
            self.first = (sequence + 1) % 2**32
        elif content and self.first is not None:
            place = (sequence - self.first) % 2**32
            if len(content) > len(self.pieces.get(place, b"")):
                self.pieces[place] = content

    @property
    def content(self) -> bytes:
        """All of it, up to the first hole."""
        joined = bytearray()
        for place in sorted(self.pieces):
            if place > len(joined):
                break
            joined += self.pieces[place][len(joined) - place :]
        return bytes(joined)


@dataclass(slots=True)
class Conversation:
    """One TCP connection."""

    client: Stream = field(default_factory=Stream)
    server: Stream = field(default_factory=Stream)


class Capture:
    """Takes what goes to a port and comes from it, from entering the context to leaving it."""

    def __init__(self, port: int) -> None:
        """Raises PermissionError where packets may not be seen."""
        self._port = port
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCE, BUFFER_BYTES)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._take, name="capture")
        self._ends = threading.Event()
        self._found: dict[tuple[bytes, int], Conversation] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ends.set()
        self._thread.join(30)
        self._socket.close()

    def conversations(self) -> list[Conversation]:
        """Return the connections so far, the oldest first; none of their packets was missed."""
        with self._lock:
            statistics = self._socket.getsockopt(PACKET, STATISTICS, 8)
            assert struct.unpack("II", statistics)[1] == 0, "packets were missed"
            return list(self._found.values())

    def _take(self) -> None:
        while not self._ends.is_set():
            with contextlib.suppress(TimeoutError):
                frame, address = self._socket.recvfrom(1 << 17)
                if address[2] == OUTGOING:
                    with self._lock:
                        self._add(frame[14:])

    def _add(self, packet: bytes) -> None:
        if packet[:1] and packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_TCP:
            header = (packet[0] & 15) * 4
            segment = packet[header : struct.unpack(">H", packet[2:4])[0] or None]
            ends = packet[12:16], packet[16:20]
        elif packet[:1] and packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_TCP:
            segment, ends = packet[40:], (packet[8:24], packet[24:40])
        else:
            return
        source, target, sequence = struct.unpack(">HHI", segment[:8])
        if self._port not in {source, target}:
            return
        content = segment[(segment[12] >> 4) * 4 :]
        to_server = target == self._port
        key = (ends[0], source) if to_server else (ends[1], target)
        found = self._found.setdefault(key, Conversation())
        opens = bool(segment[13] & 2)
        (found.client if to_server else found.server).add(sequence, content, opens=opens)


# --- TLS 1.3 --------------------------------------------------------------------------------------


def secrets_of(log: Path) -> dict[tuple[str, bytes], bytes]:
    """Return the secrets of a key log, by label and client random."""
    lines = [line.split() for line in log.read_text().splitlines() if not line.startswith("#")]
    return {(label, bytes.fromhex(at)): bytes.fromhex(secret) for label, at, secret in lines}


def records_of(stream: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield type, header and content of each whole TLS record."""
    at = 0
    while at + 5 <= len(stream):
        size = struct.unpack(">H", stream[at + 3 : at + 5])[0]
        if at + 5 + size > len(stream):
            return
        yield stream[at], stream[at : at + 5], stream[at + 5 : at + 5 + size]
        at += 5 + size


class Opener:
    """Opens the records of one side and one secret."""

    def __init__(self, suite: int, secret: bytes) -> None:
        cipher, algorithm, size = SUITES[suite]
        self._aead = cipher(_expand(algorithm, secret, b"key", size))
        self._nonce = int.from_bytes(_expand(algorithm, secret, b"iv", 12))
        self._number = 0

    def open(self, header: bytes, content: bytes) -> tuple[int, bytes]:
        """Return the inner type and what was in it."""
        nonce = (self._nonce ^ self._number).to_bytes(12)
        inner = self._aead.decrypt(nonce, content, header).rstrip(b"\0")
        self._number += 1
        return inner[-1], inner[:-1]


def _expand(algorithm: hashes.HashAlgorithm, secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label of RFC 8446, 7.1, without a context."""
    name = b"tls13 " + label
    info = struct.pack(">HB", size, len(name)) + name + b"\0"
    return HKDFExpand(algorithm, size, info).derive(secret)


def sent_by_client(
    conversation: Conversation, secrets: dict[tuple[str, bytes], bytes]
) -> tuple[bytes, bytes]:
    """Return what the client and the server said inside of TLS; nothing where it never stood."""
    hello = next(
        (c for kind, _, c in records_of(conversation.client.content) if kind == HANDSHAKE), b""
    )
    answer = next(
        (c for kind, _, c in records_of(conversation.server.content) if kind == HANDSHAKE), b""
    )
    if len(hello) < 38 or len(answer) < 41:
        return b"", b""
    random = hello[6:38]
    suite = struct.unpack(">H", answer[39 + answer[38] : 41 + answer[38]])[0]
    sides = []
    for stream, side in ((conversation.client, "CLIENT"), (conversation.server, "SERVER")):
        sides.append(_open(stream.content, suite, random, side, secrets))
    return sides[0], sides[1]


def _hello(stream: Stream) -> bytes:
    found = (content for kind, _, content in records_of(stream.content) if kind == HANDSHAKE)
    return next(found, b"")


def _open(
    stream: bytes, suite: int, random: bytes, side: str, secrets: dict[tuple[str, bytes], bytes]
) -> bytes:
    shaking = secrets.get((f"{side}_HANDSHAKE_TRAFFIC_SECRET", random))
    talking = secrets.get((f"{side}_TRAFFIC_SECRET_0", random))
    if shaking is None or talking is None:
        return b""
    opener, finished, said = Opener(suite, shaking), False, bytearray()
    for kind, header, content in records_of(stream):
        if kind != APPLICATION:
            continue
        inner, opened = opener.open(header, content)
        if inner == APPLICATION:
            said += opened
        elif inner == HANDSHAKE and not finished and _holds_finished(opened):
            opener, finished = Opener(suite, talking), True
    return bytes(said)


def _holds_finished(content: bytes) -> bool:
    at = 0
    while at + 4 <= len(content):
        if content[at] == 20:
            return True
        at += 4 + int.from_bytes(content[at + 1 : at + 4])
    return False


# --- WebSocket ------------------------------------------------------------------------------------


def messages_of(client: bytes, server: bytes) -> list[dict[str, Any]]:
    """Return the JSON messages that a client sent over a WebSocket, those that came whole."""
    _, _, frames = client.partition(b"\r\n\r\n")
    answer, _, _ = server.partition(b"\r\n\r\n")
    deflated = b"permessage-deflate" in answer.lower()
    inflate = zlib.decompressobj(-15)
    keeps = b"client_no_context_takeover" not in answer.lower()
    found, text, compressed = [], bytearray(), False
    for opcode, final, reserved, payload in _frames(frames):
        if opcode >= 8:
            continue
        if opcode:
            text, compressed = bytearray(), bool(deflated and reserved & 4)
        text += payload
        if not final:
            continue
        content = bytes(text)
        if compressed:
            content = inflate.decompress(content + b"\0\0\xff\xff")
            inflate = inflate if keeps else zlib.decompressobj(-15)
        found.append(json.loads(content))
    return found


def _frames(stream: bytes) -> Iterator[tuple[int, bool, int, bytes]]:
    at = 0
    while at + 2 <= len(stream):
        first, second = stream[at], stream[at + 1]
        size, at = second & 127, at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(stream[at : at + width]), at + width
        mask = stream[at : at + 4]
        payload = stream[at + 4 : at + 4 + size]
        if not second & 128 or len(payload) < size or len(mask) < 4:
            return
        at += 4 + size
        key = int.from_bytes((mask * (size // 4 + 1))[:size])
        plain = (int.from_bytes(payload) ^ key).to_bytes(size)
        yield first & 15, bool(first & 128), first >> 4 & 7, plain


@dataclass(slots=True)
class Sent:
    """What one connection had of sound, pictures and texts."""

    sound: bytearray = field(default_factory=bytearray)
    pauses: list[int] = field(default_factory=list)
    """How many bytes of sound had come before each end of a stretch of it."""
    pictures: list[bytes] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)
    """Every other kind of message, by its name in the API reference."""

    @property
    def nothing(self) -> bool:
        """Whether nothing of the room or its people was in it."""
        return not (self.sound or self.pictures or self.texts)


def sent_in(messages: list[dict[str, Any]]) -> Sent:
    """Add up what left in them."""
    sent = Sent()
    for message in messages:
        for name, content in _named(message).items():
            match name:
                case "realtimeInput":
                    for kind, each in _named(content).items():
                        _add_input(sent, kind, each)
                case "clientContent":
                    for turn in content.get("turns", ()):
                        sent.texts += [part["text"] for part in turn["parts"]]
                case _:
                    sent.others.add(name)
    return sent


def _add_input(sent: Sent, kind: str, content: Any) -> None:
    match kind:
        case "audio":
            sent.sound += _bytes(content["data"])
        case "video":
            sent.pictures.append(_bytes(content["data"]))
        case "text":
            sent.texts.append(content)
        case "audioStreamEnd" | "activityEnd":
            sent.pauses.append(len(sent.sound))
        case _:
            sent.others.add(kind)


def _named(content: dict[str, Any]) -> dict[str, Any]:
    """Live API: either spelling of a name is taken; here all are in camelCase."""
    return {re.sub("_([a-z])", lambda found: found[1].upper(), k): v for k, v in content.items()}


def _bytes(text: str) -> bytes:
    """Base64 of either alphabet (RFC 4648)."""
    return base64.b64decode(text.replace("-", "+").replace("_", "/"))
