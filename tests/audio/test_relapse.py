"""Relapses: a device that is lost soon after each opening has one lasting fault."""

from __future__ import annotations

import pytest

from device.audio.relapse import PATIENCE_S, PROVEN_S, ROUNDS, SHORT_S, Relapses
from device.errors import AudioDeviceError, CardsChangedError, DeviceTrouble
from tests.rig.fakes import lost


class Array:
    """One whose stream lasts as long as it is told, each time."""

    def __init__(self) -> None:
        self.relapses = Relapses()
        self.now_s = 0.0

    def lives(self, seconds: float, error: AudioDeviceError | None = None) -> AudioDeviceError:
        self.relapses.works(self.now_s)
        self.now_s += seconds
        return self.relapses.lost(error or lost("input device 'A' is gone"), self.now_s)

    def ill(self) -> AudioDeviceError:
        for _ in range(ROUNDS - 1):
            self.lives(5.0)
        return self.lives(5.0)


def test_three_short_lives_in_a_row_are_one_lasting_fault() -> None:
    """It names what was lost, how soon, and the likely causes; from then on it says no more."""
    array = Array()
    assert [str(array.lives(5.0)) for _ in range(ROUNDS - 1)] == ["input device 'A' is gone"] * 2
    doubted = [array.relapses.doubted]
    told = array.lives(5.2)
    assert [*doubted, array.relapses.doubted] == [False, True]
    assert told.trouble is DeviceTrouble.RELAPSING
    assert str(told).startswith(
        "input device 'A' is gone; it was lost like that 3 times in a row, about 5 s after it had "
        "begun to work: likely causes: its cable, a USB port"
    )
    assert array.lives(8.0) is told
    assert array.relapses.lost(AudioDeviceError(DeviceTrouble.MISSING, "none"), 0.0) is told


def test_a_long_life_ends_the_row_and_a_loss_in_an_hour_is_no_relapse() -> None:
    """As when somebody unplugs it now and then."""
    array = Array()
    array.lives(5.0)
    array.lives(5.0)
    array.lives(SHORT_S)
    array.lives(5.0)
    array.lives(5.0)
    assert not array.relapses.doubted
    assert array.relapses.pause_s() is None


def test_a_device_that_never_worked_has_no_relapse() -> None:
    """Nothing is plugged in, or another program has it: that is told as it is."""
    relapses = Relapses()
    missing = AudioDeviceError(DeviceTrouble.MISSING, "no input device")
    assert [relapses.lost(missing, float(at)) for at in range(10)] == [missing] * 10


def test_a_better_card_that_comes_is_no_loss() -> None:
    """The choice is made anew each time a card comes or goes, as at a start."""
    array = Array()
    for _ in range(2 * ROUNDS):
        array.lives(1.0, CardsChangedError(DeviceTrouble.LOST, "another sound card came"))
    assert not array.relapses.doubted


def test_a_dead_one_is_told_as_such_for_that_has_a_cure() -> None:
    """Also in between."""
    array = Array()
    array.ill()
    dead = AudioDeviceError(DeviceTrouble.DEAD, "nothing but zeros")
    assert array.lives(10.0, dead) is dead
    assert array.relapses.doubted


def test_the_patience_grows_and_is_forgotten_when_it_has_proven_itself() -> None:
    """Minutes; then it is a device like any other."""
    array = Array()
    array.ill()
    pauses = [array.relapses.pause_s() for _ in range(5)]
    assert pauses == [*PATIENCE_S, PATIENCE_S[-1], PATIENCE_S[-1]]
    array.relapses.proven()
    assert not array.relapses.doubted
    assert array.relapses.pause_s() is None
    assert str(array.lives(5.0)) == "input device 'A' is gone"
    assert PROVEN_S > SHORT_S


@pytest.mark.parametrize("lasted_s", [0.0, 0.4])
def test_one_that_is_gone_at_once_is_gone_after_a_second(lasted_s: float) -> None:
    """As a person says it."""
    array = Array()
    for _ in range(ROUNDS - 1):
        array.lives(lasted_s)
    assert "about 1 s after" in str(array.lives(lasted_s))
