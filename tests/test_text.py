"""Text from elsewhere shows and does nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.text import REPLACEMENT, printable, printable_lines, printable_record

BIDIRECTIONAL = {
    *("\u061c", "\u200e", "\u200f"),
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}
"""Unicode: all that have the property Bidi_Control."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüß Gott, 東京 и 😀!", "Grüß Gott, 東京 и 😀!"),
        ("می‌خواهم", "می‌خواهم"),
        ("👩‍🚀", "👩‍🚀"),
        ("\x1b]0;owned\x07", "�]0;owned�"),
        ("\x9b2J", "�2J"),
        ("one\n  99.000  state  to=muted", "one   99.000  state  to=muted"),
        ("a\r\nb\tc\u2028d\u3000e\u00a0f\x85g", "a  b c d e f g"),
        ("live\u202eevil\u2066", "live�evil�"),
        ("\u200fאבג\u200e", "אבג"),
        ("soft\u00adhyphen\ufeff", "softhyphen"),
        ("half \ud800", "half �"),
        ("\U000e0041tag \ue000own", "�tag �own"),
        ("", ""),
    ],
)
def test_what_commands_is_replaced_and_what_shows_stays(text: str, shown: str) -> None:
    """Control sequences, forged lines and hidden directions go; every language's spelling stays."""
    assert printable(text) == shown


@given(st.text())
def test_whatever_comes_in_is_one_line_that_only_shows(text: str) -> None:
    """No control, no override, no surrogate, whatever is joined; and a second time changes none."""
    shown = printable(text)
    for character in shown:
        category = unicodedata.category(character)
        assert category not in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} or character == REPLACEMENT
        assert character not in BIDIRECTIONAL
        assert category != "Cf" or character in "\u200c\u200d"
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown
    shown.encode()


def test_it_is_cut_where_it_is_too_long() -> None:
    """With a sign that something is missing; text of just that length is whole."""
    assert printable("abcdef", 6) == "abcdef"
    assert printable("abcdefg", 6) == "abcde…"
    assert printable("abcde\x1bg", 6) == "abcde…"


def test_lines_stay_lines() -> None:
    """A message of our own may have several; nothing else in it moves."""
    assert printable_lines("one\ntwo\x1b[2J\r\n") == "one\ntwo�[2J \n"


def test_every_text_of_a_record_is_cleaned() -> None:
    """However deep, keys too; what is no text stays as it is."""
    record = {"a\x1b": ["b\x07", {"c": "d\n"}, 1, None, True, 1.5]}
    assert printable_record(record) == {"a�": ["b�", {"c": "d "}, 1, None, True, 1.5]}
    assert printable_record({"\n": "a\n\x1b"}, printable_lines) == {" ": "a\n�"}
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(RecursionError):
        printable_record(deep)
