"""A yes is told from a no, in many languages, and everything else is neither."""

from __future__ import annotations

import tomllib

import pytest

from device.announcements import sentences
from device.tools.consent import FILE, LONGEST_WORDS, consent

APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"


@pytest.mark.parametrize(
    "said",
    [
        *("Yes.", "Yeah, go ahead", "ok", "Okay, do it", "Sure thing", "Yes, unlock the door"),
        *("Do it", "Go ahead, please", "Please do", "Of course!"),
        *("Ja!", "ja bitte", "Ja, gerne", "Mach das", "Klar", "Oui, vas-y", f"D{APOSTROPHE}accord"),
        *(
            "Sí, por favor",
            "Por supuesto",
            "Sim",
            "Tak, proszę",
            "Kyllä",
            "Evet",
            "Да, давай",
            "Так",
        ),
    ],
)
def test_a_yes_is_heard(said: str) -> None:
    """However it is written, and whatever the language is."""
    assert consent(said) is True


@pytest.mark.parametrize(
    "said",
    [
        *("No!", "nope", "don't", f"Don{APOSTROPHE}t", "Nein, lass das", "non", "nie", "Нет"),
        *("not now", "That is wrong", "Warte"),
    ],
)
def test_a_no_is_heard(said: str) -> None:
    """Wherever it stands."""
    assert consent(said) is False


@pytest.mark.parametrize(
    "said",
    [
        *("", "  ", "what?", "the kitchen", "yesterday", "noon", "I know", "Jana", "42"),
        *("no, wait, yes", "yes, no", "ja nein", "Yes?", "Are you sure?", "Is that okay?"),
        *("Wer ist da?", "Wer ist da", "Da ist jemand", "Ist das sicher", "was genau"),
        *("ich hätte gerne Musik", "I have a SIM card", "você pode repetir", "Cosa si apre"),
        *("Si me dices por qué", "este ano", "ovi ja ikkuna", "Ja wiem", "так кто там"),
        *("Okay, can you unlock the front door", "Sure, shall I unlock the front door"),
        "yes " * (LONGEST_WORDS + 1),
    ],
)
def test_what_is_neither_or_both_is_no_yes(said: str) -> None:
    """A question, a filler, a word that is a yes in another language, the request itself."""
    assert consent(said) is None


@pytest.mark.parametrize(
    ("said", "language"),
    [("Ja, öffne sie", "de-DE"), ("Tak, otwórz", "pl"), ("Da, deschide", "ro-RO"), ("Ano", "cs")],
)
def test_where_the_language_is_known_its_own_words_begin_a_yes(said: str, language: str) -> None:
    """In another they may be a filler."""
    assert consent(said, language) is True
    assert len(said.split()) == 1 or consent(said, "en-US") is None


def test_every_language_that_the_speaker_talks_by_itself_has_its_words() -> None:
    """And no word is a yes in one and a no in another: whoever says it was not understood."""
    languages = tomllib.loads(FILE.read_text("utf-8"))
    assert set(languages) == set(sentences.languages())
    yes = {word for each in languages.values() for word in [*each["yes"], *each["alone"]]}
    no = {word for each in languages.values() for word in each["no"]}
    assert not yes & no
    for language, words in languages.items():
        for word in [*words["yes"], *words["alone"]]:
            assert consent(word, language) is True, word
        for word in words["no"]:
            assert consent(word, language) is False, word
