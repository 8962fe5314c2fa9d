"""`Bound` ends a message of a server that would take too much memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_BYTES = 4 * 2**20
"""Of one message. The longest that is of use has some kB (`results.LONGEST_RESULT`); a tool that
returns 2 MB should be cut with a note, not end its server."""
MOST_VALUES = 200_000
"""Of one message: commas and brackets, so no JSON in it has more values. An empty list takes 56
bytes of memory and two of JSON, so the length alone bounds little."""


class TooLongError(ValueError):
    """A message is beyond the bounds; says which."""


_EVENT_ENDS = (b"\n\n", b"\r\r", b"\n\r\n")
"""An empty line, with which an event of a stream ends; the last is part of CRLF CRLF, too. HTML
Living Standard, 9.2.5: a line ends with CRLF, LF or CR."""
_LONGEST_END = 3


@dataclass
class Bound:
    """Counts what came of one message; a stream of ``events`` (SSE) has one after the other.

    What ends a message and what came before it in the same chunk is not counted.
    """

    events: bool = False
    longest_bytes: int = LONGEST_BYTES
    length: int = 0
    values: int = 0
    _before: bytes = field(default=b"", repr=False)
    """The end of the chunk before: an empty line may come in pieces."""

    def feed(self, chunk: bytes) -> None:
        """Count a chunk. Raises TooLongError."""
        if self.events:
            seen = self._before + chunk
            self._before = seen[-_LONGEST_END:]
            ends = [seen.rfind(end) + len(end) for end in _EVENT_ENDS if end in seen]
            if ends:
                self.length = self.values = 0
                chunk = seen[max(ends) :]
        self.length += len(chunk)
        self.values += chunk.count(b",") + chunk.count(b"[") + chunk.count(b"{")
        if self.length > self.longest_bytes:
            raise TooLongError(f"a message of more than {self.longest_bytes / 2**20:.1f} MB")
        if self.values > MOST_VALUES:
            raise TooLongError(f"a message of more than {MOST_VALUES} values")
