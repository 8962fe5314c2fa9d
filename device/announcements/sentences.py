"""``sentences.toml`` holds what the speaker says when something is wrong; this reads it. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

ENGLISH = "en"
"""Spoken where the table does not have a language."""

OTHER_NAMES = MappingProxyType({"no": "nb", "nn": "nb"})
"""Languages whose speakers understand one of the table's as their own."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing to say."""

    kind: str
    """A value of `device.news.FailureKind`, ``spending``, ``spending_near``, ``microphone``,
    ``missed``, or ``hello``."""
    language: str
    """That of the text: a primary subtag."""
    voice: str
    """As espeak-ng's ``-v`` takes it."""
    text: str


def sentence(kind: str, language: str | None) -> Sentence | None:
    """Return what is said of a trouble, in a language or else in English; None: nothing is."""
    return next((each for each in sentences(language) if each.kind == kind), None)


def sentences(language: str | None) -> Iterator[Sentence]:
    """All that is said in a language (BCP-47), or in English where the table does not have it."""
    spoken, by = _spoken_by(language)
    for kind, text in _table()[spoken].texts.items():
        yield Sentence(kind, spoken, by, text)


def voice(language: str | None) -> str:
    """Return who speaks a language (BCP-47), or English where the table does not have it."""
    return _spoken_by(language)[1]


def _spoken_by(language: str | None) -> tuple[str, str]:
    """Return the language of the table that comes nearest, and its voice."""
    subtags = re.split("[-_]", language or "")
    primary = OTHER_NAMES.get(subtags[0].lower(), subtags[0].lower())
    spoken = primary if primary in _table() else ENGLISH
    entry = _table()[spoken]
    regional = [entry.voices[tag] for tag in map(str.upper, subtags[1:]) if tag in entry.voices]
    return spoken, (*regional, entry.voice)[0]


def languages() -> list[str]:
    """The primary subtags of the languages there are."""
    return list(_table())


@dataclass(frozen=True, slots=True)
class _Language:
    voice: str
    voices: Mapping[str, str]
    """Of regions that have one of their own."""
    texts: Mapping[str, str]


@cache
def _table() -> Mapping[str, _Language]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return {
        name: _Language(table.pop("voice"), table.pop("regions", {}), table)
        for name, table in tables.items()
    }
