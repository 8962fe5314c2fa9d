"""Whether the user is heard while a reply plays, decided by what is measured of our echo."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.echo.duplex import (
    DISTRUSTED,
    DOUBTFUL_EVIDENCE_DB,
    ENOUGH_ERLE_DB,
    LITTLE_LEFT_DB,
    MUCH_LEFT_DB,
    NOTHING_LEFT_DB,
    POOR_ERLE_DB,
    Canceller,
    Duplex,
    DuplexFigures,
    Mode,
    Setting,
)
from device.echo.path import EchoFigures

CANCELLERS: tuple[Canceller, ...] = get_args(Canceller)
NOTHING_KNOWN = EchoFigures(None, None, None, None, None, None, 40.0, learned=False)
LIVELY = EchoFigures(6.0, 25.0, 10.0, -60.0, 86.0, 0.0, 40.0, learned=True)
"""A canceller that does what it can."""


def echo(erle_db: float, residue_db: float, needed_db: float = 40.0) -> EchoFigures:
    return replace(LIVELY, erle_db=erle_db, residue_db=residue_db, needed_db=needed_db)


def decided(duplex: Duplex, *measured: EchoFigures) -> list[Mode]:
    """The mode after each of these."""
    modes = []
    for figures in measured:
        duplex.judge(figures)
        modes.append(duplex.mode)
    return modes


@pytest.mark.parametrize("canceller", CANCELLERS)
@pytest.mark.parametrize("setting", ["full", "half"])
def test_what_the_owner_has_set_stays_so(setting: Mode, canceller: Canceller) -> None:
    """Whatever is measured."""
    duplex = Duplex(setting, canceller)
    for figures in (echo(0, 40), echo(40, 0), echo(0, 40, MUCH_LEFT_DB), NOTHING_KNOWN):
        duplex.judge(figures)
        assert duplex.mode == setting
        assert duplex.figures.why == "set so in the configuration"


@pytest.mark.parametrize(
    ("canceller", "mode"), [("none", "half"), ("software", "half"), ("hardware", "full")]
)
def test_at_first_only_a_board_that_cancels_is_trusted(canceller: Canceller, mode: Mode) -> None:
    """And nothing changes before anything is known."""
    duplex = Duplex("auto", canceller)
    for figures in (
        NOTHING_KNOWN,
        replace(LIVELY, residue_db=None),
        replace(LIVELY, erle_db=None),
        replace(NOTHING_KNOWN, needed_db=DOUBTFUL_EVIDENCE_DB),
    ):
        duplex.judge(figures)
        assert duplex.mode == mode


@pytest.mark.parametrize(
    ("erle_db", "residue_db"), [(ENOUGH_ERLE_DB, 40.0), (0.1, LITTLE_LEFT_DB), (-5.0, 3.0)]
)
def test_a_canceller_that_is_good_enough_lets_the_user_be_heard(
    erle_db: float, residue_db: float
) -> None:
    """It takes enough of the echo out, or leaves next to nothing of it."""
    duplex = Duplex("auto", "software")
    duplex.judge(echo(erle_db, residue_db))
    assert duplex.mode == "full"


@pytest.mark.parametrize(
    ("erle_db", "residue_db"), [(ENOUGH_ERLE_DB - 0.1, 40.0), (0.0, 8.0), (11.0, 8.1)]
)
def test_one_that_is_not_good_enough_does_not(erle_db: float, residue_db: float) -> None:
    """A rattling loudspeaker, or a canceller that has not learned yet."""
    duplex = Duplex("auto", "software")
    duplex.judge(echo(erle_db, residue_db))
    assert duplex.mode == "half"


def test_once_it_was_good_enough_it_must_become_poor() -> None:
    """In between it stays as it is: nobody wants a speaker that changes its mind all the time."""
    duplex = Duplex("auto", "software")
    in_between = (echo(POOR_ERLE_DB, 40.0), echo(0.0, MUCH_LEFT_DB))
    assert decided(duplex, LIVELY, *in_between) == ["full"] * 3
    poor = echo(POOR_ERLE_DB - 0.1, MUCH_LEFT_DB + 1.4)
    assert decided(duplex, poor, *in_between[1:]) == ["half"] * 2
    assert duplex.figures.why == (
        "only 9 dB of the echo are cancelled, which leaves 13 dB of our own sound over the noise"
    )


@pytest.mark.parametrize("canceller", ["none", "hardware"])
def test_without_a_canceller_of_ours_what_is_heard_decides(canceller: Canceller) -> None:
    """A headset needs none; a board that cancels does not, where it is not played through it."""
    duplex = Duplex("auto", canceller)
    assert decided(duplex, echo(0, NOTHING_LEFT_DB), echo(0, MUCH_LEFT_DB)) == ["full"] * 2
    much, less = echo(0, MUCH_LEFT_DB + 0.1), echo(0, NOTHING_LEFT_DB + 0.1)
    assert decided(duplex, much, less) == ["half"] * 2
    assert "the microphone hears the loudspeaker: 12 dB" in duplex.figures.why


@pytest.mark.parametrize("canceller", CANCELLERS)
def test_who_takes_its_own_echo_for_a_person_again_and_again_is_better_off_without(
    canceller: Canceller,
) -> None:
    """However good the figures are; it gets another chance when some time has passed."""
    duplex = Duplex("auto", canceller)
    assert decided(duplex, echo(30, 0), echo(30, 0, DOUBTFUL_EVIDENCE_DB)) == ["full", "half"]
    assert "took its own echo for a person" in duplex.figures.why
    assert decided(duplex, echo(30, 0, DOUBTFUL_EVIDENCE_DB - 0.1)) == ["full"]


@pytest.mark.parametrize(
    ("setting", "canceller", "gates"),
    [
        ("half", "none", True),
        ("half", "software", True),
        ("half", "hardware", True),
        ("full", "none", False),
        ("full", "software", True),
        ("full", "hardware", False),
    ],
)
def test_what_keeps_our_voice_from_the_server(
    setting: Setting, canceller: Canceller, gates: bool
) -> None:
    """Half duplex, and a canceller that leaves something; with none of ours nothing is touched."""
    assert Duplex(setting, canceller).gates is gates


def test_why_it_was_decided_is_kept_until_it_is_decided_otherwise() -> None:
    """The reason belongs to the change, with the figures of then."""
    duplex = Duplex("auto", "software")
    assert "not known yet" in duplex.figures.why
    duplex.judge(echo(17, 9))
    duplex.judge(echo(30, 5))
    assert duplex.figures.why == "17 dB of the echo are cancelled"
    duplex.judge(echo(0, 0))
    assert duplex.figures.why == "17 dB of the echo are cancelled"


def test_what_was_decided_in_an_earlier_process_holds_until_it_is_measured_anew() -> None:
    """The room is the same after a restart."""
    duplex = Duplex("auto", "software")
    duplex.recall("full", "20 dB of the echo are cancelled")
    assert duplex.figures == DuplexFigures("full", "20 dB of the echo are cancelled", "software")
    before = duplex.measured
    assert decided(duplex, echo(0, 40)) == ["half"]
    assert (before, duplex.measured) == (False, True)
    duplex.recall("full", "20 dB of the echo are cancelled")
    assert decided(duplex, NOTHING_KNOWN) == ["half"]


def test_what_the_owner_has_set_is_not_recalled_over() -> None:
    """Nor does it count as measured."""
    duplex = Duplex("half", "software")
    duplex.recall("full", "it was so")
    assert decided(duplex, LIVELY) == ["half"]
    assert not duplex.measured


@pytest.mark.parametrize("canceller", CANCELLERS)
def test_the_figures_tell_who_cancels(canceller: Canceller) -> None:
    """For `parley status`."""
    assert Duplex("auto", canceller).figures.canceller == canceller


@given(
    canceller=st.sampled_from(CANCELLERS),
    measured=st.lists(st.tuples(st.floats(-10, 50), st.floats(-10, 60), st.floats(25, 90))),
)
def test_the_same_figures_twice_change_nothing(
    canceller: Canceller, measured: list[tuple[float, float, float]]
) -> None:
    """It does not matter how often it is asked."""
    duplex = Duplex("auto", canceller)
    for figures in measured:
        duplex.judge(echo(*figures))
        before = duplex.figures
        duplex.judge(echo(*figures))
        assert duplex.figures == before


def test_who_talks_into_every_reply_is_not_listened_to_for_a_while() -> None:
    """A television: half duplex for some replies, whatever is measured, and then as measured."""
    duplex = Duplex("auto", "software")
    assert decided(duplex, LIVELY) == ["full"]
    before = duplex.trusted
    duplex.distrust()
    assert (before, duplex.trusted) == (True, False)
    assert duplex.figures.mode == "half"
    assert "television" in duplex.figures.why
    assert decided(duplex, *[LIVELY] * DISTRUSTED) == ["half"] * DISTRUSTED
    assert decided(duplex, LIVELY) == ["full"]


def test_what_the_owner_has_set_is_trusted() -> None:
    """And who is half already cannot be more so."""
    duplex = Duplex("full", "software")
    duplex.distrust()
    assert duplex.mode == "full"
    duplex = Duplex("auto", "software")
    duplex.distrust()
    assert duplex.trusted
