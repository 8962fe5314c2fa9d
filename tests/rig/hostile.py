"""What a broken or malicious program might send to the control socket."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

COMMANDS = [
    *("ask", "config", "mute", "reload", "status", "stop", "tools", "unmute", "volume", "explode"),
]
FIELDS = [
    "command",
    "percent",
    "text",
    "call",
    "arguments",
    "event",
    "error",
    "__class__",
    "\x00",
    "",
]

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([*COMMANDS, "../../etc/passwd", "%s%n", "\x1b[2J", "a" * 5_000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)

REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "command": st.sampled_from(COMMANDS) | VALUES,
        **{name: VALUES for name in FIELDS if name != "command"},
    },
)

LINES: st.SearchStrategy[bytes] = st.one_of(
    REQUESTS.map(lambda request: json.dumps(request).encode()),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=300),
    st.tuples(REQUESTS, st.binary(min_size=1, max_size=4), st.integers(0, 60)).map(
        lambda parts: cut(json.dumps(parts[0]).encode(), parts[1], parts[2])
    ),
    st.sampled_from(
        [
            b"[" * 60_000,
            b'{"a":' * 12_000,
            b'{"command": "' + b"x" * 70_000,
            b"\x00" * 65_536,
            b"\xff" * 1_000,
            b'{"command": "volume", "percent": ' + b"9" * 4_000 + b"}",
            b'{"command": "volume", "percent": 1e999}',
            b'{"command": "volume", "percent": NaN}',
            b'{"command": "ask", "text": "' + b"x" * 5_000 + b'"}',
            b'{"command": "ask", "text": "\\ud800"}',
            b'{"command": "ask", "text": " \\n"}',
            b'{"command": "status", "command": 7}',
            b"GET / HTTP/1.1\r\nHost: x\r\n\r",
            b"\x16\x03\x01\x02\x00\x01\x00",
        ]
    ),
)


def cut(line: bytes, noise: bytes, place: int) -> bytes:
    """A request with something foreign in it."""
    return line[:place] + noise + line[place:]


def is_a_question(line: bytes) -> bool:
    """Whether this would make the speaker talk: its answer takes as long as it takes."""
    try:
        request = json.loads(line.split(b"\n")[0])
        return request["command"] == "ask" and bool(request["text"].strip())
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return False


def answer(path: Path, line: bytes, timeout: float = 10) -> list[dict[str, Any]]:
    """Send a line and read what comes until the speaker closes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(timeout)
        with contextlib.suppress(ConnectionError):  # it has heard enough
            client.sendall(line + b"\n")
        return [json.loads(told) for told in lines(client)]


def lines(client: socket.socket) -> list[bytes]:
    """All that comes; a connection that is cut off has said what it said."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while more := client.recv(65_536):
            received += more
    return received.splitlines()
