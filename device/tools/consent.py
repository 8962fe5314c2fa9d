"""`consent` tells a yes from a no in what somebody has said, in the languages of `consent.toml`.

A yes opens doors. So it is short, begins with a word that means nothing else, and is no question;
whatever is not clearly one is none, and whoever asked asks again.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

FILE = Path(__file__).with_name("consent.toml")
LONGEST_WORDS = 8
"""Of a yes and what follows it; who says more says something else."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_QUESTION = ("?", "\N{FULLWIDTH QUESTION MARK}", "\N{INVERTED QUESTION MARK}")

Words = tuple[str, ...]


def consent(text: str, language: str | None = None) -> bool | None:
    """Return True for a yes, False for a no, None for what is neither or both.

    ``text``: what was said, in words. ``language``: what is spoken, a tag of BCP 47, if known.
    """
    said = _words(text)
    lists = _lists()
    own = (language or "").partition("-")[0].lower()
    if any(_holds(said, phrase) for phrase in lists["no"]):
        affirms = any(_holds(said, phrase) for phrase in (*lists["yes"], *lists["alone"]))
        return None if affirms else False
    if not said or len(said) > LONGEST_WORDS or any(mark in text for mark in _QUESTION):
        return None
    begins = (*lists["yes"], *_of(own, "alone"))
    affirms = any(said[: len(phrase)] == phrase for phrase in begins)
    return True if affirms or _is_made_of(said, lists) else None


def _is_made_of(said: Words, lists: Mapping[str, Sequence[Words]]) -> bool:
    """Whether nothing but words of a yes was said, and one of them at least."""
    affirmed = False
    while said:
        for kind in ("yes", "alone", "please"):
            phrase = next((each for each in lists[kind] if said[: len(each)] == each), None)
            if phrase is not None:
                said = said[len(phrase) :]
                affirmed = affirmed or kind != "please"
                break
        else:
            return False
    return affirmed


def _holds(said: Words, phrase: Words) -> bool:
    return any(said[at : at + len(phrase)] == phrase for at in range(len(said)))


def _words(text: str) -> Words:
    return tuple(_WORD.findall(text.casefold().replace(_APOSTROPHE, "'").replace("-", " ")))


@functools.cache
def _file() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads(FILE.read_text("utf-8"))


@functools.cache
def _lists() -> Mapping[str, Sequence[Words]]:
    """Return the phrases of all languages by kind, the longest first."""
    return {
        kind: _phrases(phrase for each in _file().values() for phrase in each[kind])
        for kind in ("yes", "alone", "please", "no")
    }


def _of(language: str, kind: str) -> Sequence[Words]:
    return _phrases(_file().get(language, {}).get(kind, ()))


def _phrases(phrases: Iterable[str]) -> Sequence[Words]:
    return sorted({_words(phrase) for phrase in phrases}, key=len, reverse=True)
