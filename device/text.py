"""`printable` makes text from elsewhere fit to be shown to a person. Pure.

A server, a device's name or another process may put control characters into a text: ESC and BEL
command a terminal, a line break forges the next line of a list, a bidirectional override shows
other words than are there, and half a surrogate pair cannot be written at all. So text is cleaned
once, where it enters, and whoever shows it later need not ask where it came from.

Sources: ECMA-48 (C0, C1, escape sequences); Unicode Standard Annex 9 (bidirectional controls).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

REPLACEMENT = "\ufffd"
"""Stands for each character that commands instead of being shown."""

_JOINERS = "\u200c\u200d"
"""Without width, but part of the spelling of Persian and of many Indian words, and of emoji."""

_WITHOUT_LOSS = "\u00ad\u061c\u200b\u200e\u200f\u2060\ufeff"
"""Shown as nothing: soft hyphen, zero width spaces, the marks that only hint at a direction."""


def printable(text: str, longest: int | None = None) -> str:
    """Return text that only shows, on one line, in at most ``longest`` characters.

    Every kind of white space becomes a space, one for one, so that pieces can still be joined; what
    commands becomes U+FFFD.
    """
    if longest is not None and len(text) > longest:
        text = text[: longest - 1] + "…"
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if character.isspace():
        return " "
    return "" if character in _WITHOUT_LOSS else REPLACEMENT


def printable_lines(text: str) -> str:
    """Return text that only shows, with its line breaks (LF) and nothing else that moves."""
    return "\n".join(map(printable, text.split("\n")))


def printable_record(record: Any, clean: Callable[[str], str] = printable) -> Any:
    """Return what JSON holds, with every text in it as ``clean`` makes it, and every key printable.

    Raises RecursionError where it is nested too deeply.
    """
    match record:
        case str():
            return clean(record)
        case dict():
            return {printable(key): printable_record(each, clean) for key, each in record.items()}
        case list():
            return [printable_record(each, clean) for each in record]
        case _:
            return record
