"""Each level of a card is right, somebody's, or to be set; and what suffers is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from device.board.elements import Element
from device.board.levels import MixerLevel, Path
from device.board.profiles import NONE
from device.board.standing import CardMixer, Standing, compare, in_words

VOLUME = Element(1, "PCM Playback Volume", 0, "INTEGER", ("80", "80"), 0, 127)
SWITCH = Element(2, "Capture Switch", 0, "BOOLEAN", ("off", "off"))
CHOICE = Element(3, "Left Mux", 0, "ENUMERATED", ("B",), items=("A", "B"))
METER = Element(4, "Meter", 0, "INTEGER", ("1",), 0, 3, writable=False)


def board(*levels: MixerLevel) -> CardMixer:
    return compare((VOLUME, SWITCH, CHOICE, METER), replace(NONE, name="made", mixer=levels), 2, {})


@pytest.mark.parametrize(
    ("unset", "value", "right", "somebodys", "to_set"),
    [
        (("80",), "80", True, False, False),
        (("80",), "127", False, False, True),
        (("10", "80"), "127", False, False, True),
        (("10",), "127", False, True, False),
        # What another driver's range does not hold says nothing of this one.
        (("900",), "127", False, True, False),
        ((), "127", False, False, True),
    ],
)
def test_whose_a_level_is(
    unset: tuple[str, ...],
    value: str,
    right: bool,
    somebodys: bool,
    to_set: bool,
) -> None:
    """Nobody's where a driver or the system has left it; the board's where that is not known."""
    found = board(MixerLevel("PCM Playback Volume", value, unset))
    (one,) = found.standings
    assert (one.right, one.somebodys) == (right, somebodys)
    assert found.to_set() == ([one] if to_set else [])
    # What does not silence is left to whoever has set it, whatever is asked.
    assert found.to_set(insist=True) == found.to_set()


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (MixerLevel("Capture Switch", "on", path=Path.MICROPHONES), "the microphones are deaf"),
        (MixerLevel("Capture Switch", "on", path=Path.JACK), "the headphone jack is mute"),
        (MixerLevel("Capture Switch", "on"), "both outputs are mute"),
        (MixerLevel("PCM", "127"), "both outputs are quiet"),
        (MixerLevel("PCM", "127", path=Path.MICROPHONES), "the microphones hear little"),
        (MixerLevel("PCM", "7", path=Path.MICROPHONES), "the microphones are overdriven"),
        (MixerLevel("PCM", "7", path=Path.CONNECTOR), "the loudspeaker's connector is too loud"),
        (MixerLevel("Left Mux", "A", path=Path.JACK), "the headphone jack is too loud"),
    ],
)
def test_what_suffers_is_said(level: MixerLevel, said: str) -> None:
    """In words that a person knows from hearing it."""
    (one,) = board(level).standings
    assert one.what == said


@pytest.mark.parametrize(("can_silence", "said"), [(True, "mute"), (False, "quiet")])
def test_the_lowest_volume_is_silence_on_some_levels(can_silence: bool, said: str) -> None:
    """On others it is 0 dB."""
    level = MixerLevel("PCM", "9", silent_at_zero=can_silence)
    one = Standing(replace(VOLUME, values=("0", "0")), ("9", "9"), level)
    assert one.what == f"both outputs are {said}"
    assert one.silences is can_silence


def test_causes_are_told_together() -> None:
    """Each once, with what is and should be."""
    left = Standing(SWITCH, ("on", "off"), MixerLevel("", "", path=Path.MICROPHONES))
    quiet = Standing(VOLUME, ("127", "127"), MixerLevel("", ""))
    owners = Standing(CHOICE, ("A",), None)
    assert in_words([left, quiet, left, owners]) == (
        "the microphones are deaf: Capture Switch is off and should be on,off, Capture Switch is"
        " off and should be on,off; both outputs are quiet: PCM Playback Volume is 80 and should be"
        " 127; it is not as mixer: says: Left Mux is B and should be A"
    )
    assert not owners.silences
    assert not owners.somebodys


def test_what_cannot_be_set_is_told() -> None:
    """A meter, and a value that its element does not take."""
    found = board(MixerLevel("Meter", "2"), MixerLevel("PCM", "999"), MixerLevel("Bass", "1"))
    assert found.mistakes == (
        "Meter cannot be set",
        "PCM Playback Volume takes 0..127 or 0%..100%, not '999'",
    )
    assert (found.standings, found.missing) == ((), ("Bass",))
