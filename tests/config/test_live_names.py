"""Names of voices and languages, near misses of them, and those that are unknown."""

from __future__ import annotations

import difflib
from itertools import combinations

import pytest

from device.config.live_names import SAME, VOICES, language, unknown_voice, voice


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("kore", "Kore"), ("KORE", "Kore"), (" Kore", "Kore"), ("Kore ", "Kore")),
        *(("Koree", "Kore"), ("zephir", "Zephyr"), ("sada_chbia", "Sadachbia"), ("Puk", "Puck")),
    ],
)
def test_a_slip_of_a_voice_is_refused(name: str, meant: str) -> None:
    """The server would not say that it has none of that name."""
    with pytest.raises(ValueError, match=f"is not a voice: did you mean {meant}") as caught:
        voice(name)
    assert repr(name) in str(caught.value)


def test_every_voice_is_taken_and_so_is_one_that_may_be_new() -> None:
    """A model's page may add some; it is told that nobody here knows it."""
    assert [voice(name) for name in VOICES] == list(VOICES)
    assert len(set(VOICES)) == 30
    assert (voice("Aether"), voice("on"), voice("x" * 500)) == ("Aether", "on", "x" * 500)
    assert unknown_voice(None) is unknown_voice("Kore") is None
    told = unknown_voice("Aether")
    assert told is not None
    assert told.startswith("'Aether' is not among the voices that this version knows")
    near = unknown_voice("Kora")
    assert near is not None
    assert "did you mean Kore? known are Achernar, " in near


def test_no_voice_is_a_slip_of_another() -> None:
    """By a wide margin."""
    pairs = combinations([name.casefold() for name in VOICES], 2)
    nearest = max(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)
    assert nearest < SAME - 0.05


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("de_DE", "is not a language tag: did you mean de-DE?"),
        ("de_DE.UTF-8", "is not a language tag: did you mean de-DE?"),
        ("de DE", "is not a language tag: did you mean de-DE?"),
        (" de-DE", "is not a language tag: did you mean de-DE?"),
        ("Deutsch", "is not a language tag: did you mean de-DE?"),
        ("English (US)", "is not a language tag: did you mean en-US?"),
        ("jp", "has no language of ISO 639 first: did you mean ja-JP?"),
        ("xx-DE", "has no language of ISO 639 first: write e.g. de-DE or en"),
        ("de_!", "is not a language tag: write e.g. de-DE or en"),
        ("klingon", "is not a language tag: write e.g. de-DE or en"),
    ],
)
def test_what_is_no_language_is_refused_with_the_one_that_is_meant(tag: str, said: str) -> None:
    """As computers, countries and people write it."""
    with pytest.raises(ValueError, match=r"did you mean|write e\.g\.") as caught:
        language(tag)
    assert str(caught.value) == f"{tag!r} {said}"


@pytest.mark.parametrize("tag", ["de", "DE-de", "no", "zh-Hans-CN", "yue-HK", "fil-PH"])
def test_a_language_is_taken_as_it_is_written(tag: str) -> None:
    """Case does not count in BCP 47, and of three letters there are thousands."""
    assert language(tag) == tag
