"""Where a message of a server ends in an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.mcp.bounds import LONGEST_BYTES, MOST_VALUES, Bound, TooLongError


def test_a_message_may_be_as_long_as_its_bound() -> None:
    """One byte more is too long, whatever pieces it comes in."""
    bound = Bound()
    bound.feed(b"x" * (LONGEST_BYTES - 1))
    bound.feed(b"x")
    with pytest.raises(TooLongError, match=r"more than 4\.0 MB"):
        bound.feed(b"x")


def test_many_values_are_too_long_however_short() -> None:
    """A list of empty lists takes thirty times the memory of its text."""
    with pytest.raises(TooLongError, match=f"more than {MOST_VALUES} values"):
        Bound().feed(b"[]," * MOST_VALUES)


def test_each_message_of_a_stream_is_counted_by_itself() -> None:
    """A stream of news may go on for months."""
    bound = Bound(events=True)
    for _ in range(6):
        bound.feed(b"x" * 2**20 + b"\n\n")
    bound = Bound(events=True)
    bound.feed(b"x" * LONGEST_BYTES)
    with pytest.raises(TooLongError):
        bound.feed(b"x")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_an_event_ends_with_an_empty_line_however_lines_end(end: bytes, size: int) -> None:
    """Whole or in pieces: sse-starlette ends lines with CRLF, and a stream goes on for months."""
    bound = Bound(events=True, longest_bytes=100)
    stream = (b"data: [1,2,3]" + b"x" * 60 + end) * 6
    for first in range(0, len(stream), size):
        bound.feed(stream[first : first + size][-70:])
    assert bound.length <= 100
    assert bound.values == 0


def test_lines_of_one_event_are_one_message() -> None:
    """However they end."""
    for end in (b"\n", b"\r\n"):
        bound = Bound(events=True, longest_bytes=100)
        for _ in range(100 // len(b"x" + end)):
            bound.feed(b"x" + end)
        with pytest.raises(TooLongError):
            bound.feed(b"xx" + end)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\n\n", b"[", b"xx", b""])))
def test_what_counts_does_not_depend_on_the_pieces(pieces: list[bytes]) -> None:
    """It is what came since the last empty line."""
    whole, parts = Bound(events=True), Bound(events=True)
    whole.feed(b"".join(pieces))
    for each in pieces:
        parts.feed(each)
    assert (parts.length, parts.values) == (whole.length, whole.values)
