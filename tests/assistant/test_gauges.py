"""What has passed since the last look, whatever the clocks do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device.assistant.gauges import Gauges
from device.records.figures import Figures


class Machine:
    """Shows what it is told to show."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 100.0
        self.size = 140_000_000
        self.degrees: float | None = 51.26
        self.counters = {"hops": 7, "vetoed": 2}
        self.gauges = Gauges(
            lambda: self.size,
            lambda: self.degrees,
            lambda: self.counters,
            lambda: self.seconds,
            lambda: self.cpu,
        )

    def passed(self) -> dict[str, int]:
        figures = Figures()
        self.gauges.passed(figures)
        return dict(figures.numbers)


def test_time_is_counted_from_the_beginning_on_and_once() -> None:
    """Ours, the processor's, and vetoes."""
    machine = Machine()
    machine.seconds, machine.cpu = 112.5, 100.25
    assert machine.passed() == {"ran_ms": 12_500, "cpu_ms": 250, "vetoes": 2}
    assert machine.passed() == {"ran_ms": 0, "cpu_ms": 0, "vetoes": 0}


def test_another_detector_begins_anew() -> None:
    """After a reload; and one that has no own voice to hear has no vetoes."""
    machine = Machine()
    machine.passed()
    machine.counters = {"vetoed": 1}
    assert machine.passed()["vetoes"] == 1
    machine.counters = {"hops": 1}
    assert machine.passed()["vetoes"] == 0


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=20))
def test_clocks_that_jump_never_make_a_negative_time(readings: list[tuple[float, float]]) -> None:
    """Not even those that should not."""
    machine = Machine()
    for machine.seconds, machine.cpu in readings:
        assert min(machine.passed().values()) >= 0


def test_of_size_and_temperature_the_highest_counts() -> None:
    """Where there is no sensor, none is told."""
    machine, figures = Machine(), Figures()
    machine.gauges.look(figures)
    machine.size, machine.degrees = 150_000_000, 48.0
    machine.gauges.look(figures)
    assert figures.peaks == {"memory_bytes": 150_000_000, "hottest_c": 51.3}
    machine.size, machine.degrees = 0, None
    nothing = Figures()
    machine.gauges.look(nothing)
    assert nothing.peaks == {}
