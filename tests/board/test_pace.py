"""Frames for the LEDs wait longer while reads stall, and are as fast as ever when they do not."""

from __future__ import annotations

import logging
import math

import pytest

from device.board.pace import FIRST_S, FORGOTTEN_S, MOST_S, SLOW_S, Pace
from device.board.usb_control import XVF3800_ARRAY, connect
from device.board.xvf3800 import Xvf3800
from device.errors import BoardError
from tests.rig.usb_device import Bus, Xvf3800Board


class Clock:
    """Stands until it is told to go on."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def between_s(pace: Pace) -> float:
    """How long the next frame waits when one was just sent."""
    pace.wrote()
    return pace.wait_s()


def test_nothing_waits_while_reads_are_answered(pace: Pace) -> None:
    """However many frames there are."""
    for _ in range(1000):
        pace.answered(SLOW_S / 2)
        assert between_s(pace) == 0.0
    assert pace.stalls == 0


def test_each_read_that_stalls_doubles_the_wait(
    pace: Pace, caplog: pytest.LogCaptureFixture
) -> None:
    """Up to a limit; told once."""
    waits = []
    with caplog.at_level(logging.INFO):
        for slow in (True, False, True, False, True):
            if slow:
                pace.answered(SLOW_S)
            else:
                pace.stalled()
            waits.append(between_s(pace))
    assert waits == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, MOST_S, MOST_S]
    assert pace.stalls == 5
    assert len(caplog.messages) == 1


def test_each_prompt_read_halves_it(pace: Pace) -> None:
    """So it is over soon after the last that stalled."""
    for _ in range(5):
        pace.stalled()
    waits = []
    while between_s(pace):
        pace.answered(0.001)
        waits.append(between_s(pace))
    assert waits == [MOST_S / 2, MOST_S / 4, MOST_S / 8, 0.0]


def test_a_frame_waits_for_the_rest_only(pace: Pace, clock: Clock) -> None:
    """The time since the last one counts."""
    pace.stalled()
    pace.wrote()
    clock.now_s += FIRST_S / 2
    assert pace.wait_s() == pytest.approx(FIRST_S / 2)
    clock.now_s += FIRST_S
    assert pace.wait_s() == 0.0
    assert Pace(clock).wait_s() == 0.0


def test_where_nobody_reads_it_is_forgotten(pace: Pace, clock: Clock) -> None:
    """An array that points at nobody is asked nothing."""
    pace.stalled()
    clock.now_s += FORGOTTEN_S
    assert between_s(pace) == FIRST_S
    clock.now_s += 1.0
    assert between_s(pace) == 0.0
    assert math.isfinite(pace.wait_s())


@pytest.mark.parametrize(
    ("trouble", "stalls"),
    [("timeout", 1), ("stall", 1), ("io", 1), ("gone", 0), ("denied", 0)],
)
def test_what_a_read_fails_by_counts(trouble: str, stalls: int) -> None:
    """What is not there does not stall; a write that fails is no read."""
    board, pace = Xvf3800Board(), Pace()
    array = Xvf3800(connect(XVF3800_ARRAY, lambda: Bus(board), pace))
    board.broken = trouble
    with pytest.raises(BoardError):
        array.version()
    assert pace.stalls == stalls
    with pytest.raises(BoardError):
        array.reboot()
    assert pace.stalls == stalls


def test_a_chip_that_is_asked_in_vain_for_long_stalls() -> None:
    """Though each of its answers comes at once; three tries are no long time."""
    board, pace = Xvf3800Board(), Pace()
    control = connect(XVF3800_ARRAY, lambda: Bus(board), pace)
    board.busy = 1000
    assert not Xvf3800(control, lambda _: None, tries=3).direction((2, 1, 0)).speech
    assert pace.stalls == 0
    with pytest.raises(BoardError, match="too busy"):
        Xvf3800(control, lambda _: None).version()
    assert pace.stalls == 1
