"""The table of sentences: whole, and the right one for a language."""

from __future__ import annotations

import re

import pytest

from device.announcements.sentences import Sentence, languages, sentence, sentences
from device.news import FailureKind
from device.signals import SPENDING, SPENDING_NEAR
from device.wake.catalogue import bundled_words

KINDS = {*FailureKind, SPENDING, SPENDING_NEAR, "microphone", "missed", "hello"}
ALLOW = "parley spending allow"


@pytest.mark.parametrize("language", languages())
def test_every_language_says_every_kind(language: str) -> None:
    """Each of them once, in its own words, and nothing that nobody asks for."""
    said = list(sentences(language))
    assert {each.kind for each in said} == KINDS
    assert len({each.text for each in said}) == len(said) == len(KINDS)
    assert {each.language for each in said} == {language}


@pytest.mark.parametrize("language", languages())
def test_every_text_is_one_or_two_short_sentences(language: str) -> None:
    """For the ear: no digits, no symbols, nothing that a voice spells out."""
    for each in sentences(language):
        if each.kind == "hello":
            # Ten seconds of speech, for the echo canceller to learn the room by.
            assert 130 <= len(each.text) <= 190, each.text
            continue
        assert 20 <= len(each.text) <= 80, each.text
        assert 1 <= len(re.findall(r"[.!?](?= |$)", each.text)) <= 2, each.text
        assert each.text.endswith("."), each.text
        assert each.text[0].isupper(), each.text
        assert re.fullmatch(r"[^\W\d_]+(?:[-'., ]+[^\W\d_]+)*\.", each.text), each.text


@pytest.mark.parametrize("language", languages())
def test_no_text_says_a_wake_word(language: str) -> None:
    """The speaker would wake itself."""
    words = {part for word in bundled_words() for part in word.split("_")}
    for each in sentences(language):
        assert not words & set(each.text.lower().split()), each.text


@pytest.mark.parametrize("language", languages())
def test_the_command_is_named_where_it_helps_and_only_there(language: str) -> None:
    """It raises the speaker's own limit; nothing on the device raises a cap on the account."""
    named = {each.kind for each in sentences(language) if ALLOW in each.text}
    assert named == {SPENDING}


@pytest.mark.parametrize(
    ("tag", "language", "voice"),
    [
        ("de", "de", "de"),
        ("de-AT", "de", "de"),
        ("DE_ch", "de", "de"),
        ("pt", "pt", "pt"),
        ("pt-BR", "pt", "pt-br"),
        ("es-419", "es", "es-419"),
        ("es-Latn-MX", "es", "es-419"),
        ("en-GB", "en", "en-gb"),
        ("en-US", "en", "en-us"),
        ("no", "nb", "nb"),
        ("nn-NO", "nb", "nb"),
        ("ja-JP", "en", "en-us"),
        ("xx-GB", "en", "en-gb"),
        ("", "en", "en-us"),
        (None, "en", "en-us"),
    ],
)
def test_a_language_tag_finds_its_text_and_voice(
    tag: str | None, language: str, voice: str
) -> None:
    """By its first part; the region may have a voice of its own; English is for all others."""
    found = sentence("key", tag)
    assert found is not None
    assert (found.language, found.voice) == (language, voice)


def test_what_nothing_is_said_of_is_none() -> None:
    """A lost loudspeaker needs no words."""
    assert sentence("speaker", "de") is None


def test_a_sentence_holds_what_a_voice_needs() -> None:
    """One example, word for word."""
    assert sentence("timeout", "en") == Sentence(
        "timeout", "en", "en-us", "Sorry, I got no answer. Please ask me again."
    )
