"""`odd_characters` finds characters that look like others, or like nothing at all.

A no-break space out of a web page, a quote that a text processor has turned, or a mark without
width belongs to no key and to no name, and nobody sees it. In texts of the owner's own, such as
the instruction, and in comments, they may be what they are.

Tested in tests/config/test_characters.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from device.config.yaml import Document, KeyPath, Spot, dotted, spot_at
from device.errors import Mistake

FREE_TEXTS = {"system_instruction", "place", "command"}
"""Keys below which any character may be meant."""

_NAMES = {
    "\ufeff": "a byte order mark",
    "\xad": "a soft hyphen",
    "\u3164": "a Hangul filler",
}
_INSTEAD = (
    ("\u201c\u201d\u201e\u201f\xab\xbb\u2033\uff02", 'a plain " or nothing'),
    ("\u2018\u2019\u201a\u201b\u2032\uff07", "a plain ' or nothing"),
    ("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "a plain -"),
    ("\uff1a", "a plain :"),
    ("\uff0c", "a plain ,"),
    ("\uff03", "a plain #"),
)
"""Quotes, dashes and signs as text processors and other keyboards write them."""
_QUOTES = "".join(characters for characters, _ in _INSTEAD[:2])
_LOOK_ALIKES = {each: instead for characters, instead in _INSTEAD for each in characters}


def odd_characters(text: str, document: Document) -> dict[KeyPath, Mistake]:
    """Find them in keys and in values; each by the path that is to blame, the first of it only.

    ``text`` is what ``document`` was read from. Where that is no YAML, the line that is to blame is
    looked through, comments left out.
    """
    if not document.readable:
        return dict(_in_line(text, document))
    places = _line_starts(text)
    found: dict[KeyPath, Mistake] = {}
    for path, value in _texts(document.data, ()):
        free = not FREE_TEXTS.isdisjoint(path)
        character = "" if free else _odd_in(value, may_look_alike=_names_a_thing(path, value))
        if character:
            found[path] = _mistake(path, character, text, places, document.values[path])
    for path, spot in document.keys.items():
        if character := _odd_in(str(path[-1])):
            found[path] = _mistake(path, character, text, places, spot)
    return found


def named(character: str) -> str:
    """Name a character with its number, as Unicode has it: ``a no-break space (U+00A0)``."""
    name = unicodedata.name(character, "a character without a name").lower()
    article = "an" if name[0] in "aeiou" else "a"
    told = _NAMES.get(character, name if name.startswith("a ") else f"{article} {name}")
    return f"{told} (U+{ord(character):04X})"


def _names_a_thing(path: KeyPath, value: str) -> bool:
    """Whether it is what something is called: a file, or a device whose maker has named it so.

    A quote that stands around a name is none of the name's.
    """
    if value.startswith("/"):
        return True
    return path[:1] == ("audio",) and path[-1] == "device" and not _is_quoted(value)


def _is_quoted(value: str) -> bool:
    ends = (value[:1], value[-1:])
    return any(each and each in _QUOTES for each in ends)


def _odd_in(text: str, *, may_look_alike: bool = False) -> str:
    """Return the first that nobody sees, or that looks like another; empty where there is none."""
    for character in text:
        if _is_unseen(character) or (character in _LOOK_ALIKES and not may_look_alike):
            return character
    return ""


def _is_unseen(character: str) -> bool:
    if character in " \n" or character.isascii():
        return False
    return unicodedata.category(character) in {"Cf", "Zs", "Zl", "Zp"} or character in _NAMES


def _what_to_do(character: str) -> str:
    if instead := _LOOK_ALIKES.get(character):
        return f"{character}: write {instead}"
    if unicodedata.category(character) == "Zs":
        return "which looks like a space: write a space, or nothing"
    return "which nobody sees: delete it"


def _message(character: str) -> str:
    mark = " " if character in _LOOK_ALIKES else ", "
    return f"has {named(character)}{mark}{_what_to_do(character)}"


def _mistake(path: KeyPath, character: str, text: str, places: list[int], spot: Spot) -> Mistake:
    """Blame the path, at the character's own place where it was not written as an escape."""
    begins = places[spot.line - 1] + spot.column - 1
    at = text.find(character, begins)
    found = spot if at < 0 else spot_at(text, at)
    return Mistake(dotted(_seen(path)), _message(character), *found)


def _seen(path: KeyPath) -> KeyPath:
    """Return the path as its owner sees it."""
    return tuple(_without_unseen(part) if isinstance(part, str) else part for part in path)


def _without_unseen(key: str) -> str:
    return "".join(each for each in key if not _is_unseen(each)).strip() or key


def _in_line(text: str, document: Document) -> Iterator[tuple[KeyPath, Mistake]]:
    lines = {mistake.line for mistake in document.mistakes}
    for number, (begins, ends) in enumerate(_lines(text), start=1):
        line = re.sub(r"(^|\s)#.*", "", text[begins:ends])
        if number in lines and (character := _odd_in(line)):
            column = line.index(character) + 1
            yield (number,), Mistake("", f"this line {_message(character)}", number, column)


def _texts(data: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every value that is text."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, (*path, key))
    elif isinstance(data, tuple):
        for place, value in enumerate(data):
            yield from _texts(value, (*path, place))


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Where each line begins and ends, as YAML counts lines."""
    starts = _line_starts(text)
    yield from zip(starts, [*starts[1:], len(text)], strict=True)


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\r\n|[\r\n\x85\u2028\u2029]", text))]
