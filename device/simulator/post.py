"""(pure) A POST becomes a request that the library of WebSockets reads, and its body.

That library answers what comes to a server of WebSockets, but reads no request with a body.

Tested in tests/simulator/test_tokens.py.
"""

from __future__ import annotations

import re

LONGEST_BYTES = 65_536
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*(?=\r\n)")


class Post:
    """One request, as it comes in."""

    def __init__(self) -> None:
        self._raw = b""
        self.body = b""
        """All that came behind the headers, once it is whole."""

    @staticmethod
    def begins(data: bytes) -> bool:
        """Tell whether the first bytes of a connection are those of a POST."""
        return data.startswith(b"POST ")

    def feed(self, data: bytes) -> bytes | None:
        """Take more; return the request without its body as soon as it is whole."""
        self._raw += data
        head, end, body = self._raw.partition(_END)
        length = _LENGTH.search(head + b"\r\n")
        if not end or len(self._raw) > LONGEST_BYTES:
            return self._raw if len(self._raw) > LONGEST_BYTES else None
        if length is not None and len(body) < int(length[1]):
            return None
        self.body = body
        return _LENGTH.sub(b"", head + b"\r\n").removesuffix(b"\r\n") + _END
