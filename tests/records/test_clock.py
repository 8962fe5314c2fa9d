"""The clock of the records goes on where another one stopped, and believes whoever sets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.records.clock import BEHIND_S, RecordClock, time_is_known

RELEASED = 1_700_000_000.0
NEWEST = 1_800_000_000.0


class Machine:
    """A computer whose clocks are turned by hand."""

    def __init__(self, wall_s: float, *, known: bool = False) -> None:
        self.wall_s = wall_s
        self.up_s = 50.0
        self.known = known
        self.clock = RecordClock(RELEASED, self.wall, lambda: self.up_s, lambda: self.known)

    def wall(self) -> float:
        return self.wall_s

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.up_s += seconds


def test_a_machine_that_begins_in_1970_comes_after_what_is_on_record() -> None:
    """Until somebody knows the time."""
    machine = Machine(60.0)
    machine.clock.is_behind(NEWEST)
    machine.passes(5.0)
    assert machine.clock.now() == NEWEST + 5.0
    machine.wall_s = NEWEST + 1_000.0
    assert machine.clock.now() == NEWEST + 1_000.0


def test_without_a_record_it_begins_with_the_release() -> None:
    """And never goes back when it hears that there is none."""
    machine = Machine(60.0)
    machine.passes(30.0)
    assert machine.clock.now() == RELEASED + 30.0
    machine.clock.is_behind(0.0)
    assert machine.clock.now() == RELEASED + 30.0


def test_a_machine_that_is_an_hour_behind_comes_after_what_is_on_record() -> None:
    """As one that was switched off without being shut down; an hour later it goes by the wall."""
    machine = Machine(NEWEST - 3_600.0)
    machine.clock.is_behind(NEWEST)
    machine.passes(10.0)
    assert machine.clock.now() == NEWEST + 10.0
    machine.passes(5.0)
    assert machine.clock.now() == NEWEST + 15.0


def test_a_time_that_is_known_is_believed_also_where_it_is_earlier() -> None:
    """A time server says that the record is a little ahead."""
    machine = Machine(NEWEST - 3_600.0, known=True)
    machine.clock.is_behind(NEWEST)
    assert machine.clock.now() == NEWEST - 3_600.0


def test_a_time_that_somebody_has_set_meanwhile_is_believed() -> None:
    """Whether a time server or a person."""
    machine = Machine(NEWEST - 3_600.0)
    machine.clock.is_behind(NEWEST)
    assert machine.clock.now() == NEWEST
    machine.wall_s -= 60.0
    assert machine.clock.now() == NEWEST - 3_660.0


def test_a_record_of_the_far_future_leads_nobody_there() -> None:
    """A time server was wrong by years."""
    machine = Machine(NEWEST - BEHIND_S - 1.0)
    machine.clock.is_behind(NEWEST)
    assert machine.clock.now() == NEWEST - BEHIND_S - 1.0


def test_a_time_server_that_was_heard_leaves_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none is, the time is taken as known when the machine has been up for ten minutes."""
    witness = tmp_path / "synchronized"
    up_s = [599.0]
    monkeypatch.setattr("device.records.clock.time.clock_gettime", lambda _: up_s[0])
    assert not time_is_known(witness)
    up_s[0] = 600.0
    assert time_is_known(witness)
    up_s[0] = 1.0
    witness.touch()
    assert time_is_known(witness)
