"""How late the machine is, on a clock and in a /proc that tests make."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.rig.lateness import LATENESS, TICK_S, HoldUp, Lateness


@dataclass
class Machine:
    """A machine whose clocks and files are set by hand."""

    proc: Path
    now: float = 100.0
    computed: float = 3.0
    ticks: list[int] = field(default_factory=lambda: [10, 0, 5, 900, 1, 0, 1, 0])

    def __post_init__(self) -> None:
        (self.proc / "pressure").mkdir()
        self.tell(waited_us=5_000_000)

    def tell(self, waited_us: int) -> None:
        """Write what the kernel would."""
        pressure = (
            f"some avg10=1.00 avg60=1.00 avg300=1.00 total={waited_us}\nfull avg10=0 total=0\n"
        )
        (self.proc / "pressure" / "cpu").write_text(pressure)
        ticks = " ".join(map(str, self.ticks))
        (self.proc / "stat").write_text(f"cpu  {ticks} 7 0\ncpu0 {ticks} 7 0\n")

    def lateness(self) -> Lateness:
        return Lateness(self.proc, lambda: self.now, lambda: self.computed)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def tick(machine: Machine, lateness: Lateness, late_s: float, computed_s: float = 0.0) -> None:
    lateness.fall_asleep()
    machine.now += TICK_S + late_s
    machine.computed += computed_s
    lateness.wake_up()


def test_the_latest_tick_counts_without_what_we_computed(machine: Machine) -> None:
    """A test that computes for half a second is no machine that stands still."""
    lateness = machine.lateness()
    tick(machine, lateness, 0.03)
    tick(machine, lateness, 0.5, computed_s=0.48)
    held = lateness.so_far()
    assert held.worst_s == pytest.approx(0.03)
    assert not held.matters
    tick(machine, lateness, 0.25)
    tick(machine, lateness, 0.0)
    assert lateness.so_far().worst_s == pytest.approx(0.25)
    assert lateness.matters()


def test_what_the_kernel_tells_counts_from_the_beginning_on(machine: Machine) -> None:
    """Tasks that waited, and cores that the host kept."""
    lateness = machine.lateness()
    machine.now += 10
    machine.tell(waited_us=7_000_000)
    held = lateness.so_far()
    assert held.waited == pytest.approx(0.2)
    assert held.stolen == 0.0
    assert not held.matters
    machine.tell(waited_us=8_000_000)
    assert lateness.so_far().waited == pytest.approx(0.3)
    assert lateness.matters()
    machine.tell(waited_us=5_000_000)
    machine.ticks[3] += 90
    machine.ticks[7] += 10
    machine.tell(waited_us=5_000_000)
    assert lateness.so_far().stolen == pytest.approx(0.1)
    assert lateness.matters()


def test_a_test_is_not_blamed_for_what_was_before_it(machine: Machine) -> None:
    """Nor for a tick that began before."""
    lateness = machine.lateness()
    lateness.fall_asleep()
    machine.now += 3
    machine.tell(waited_us=9_000_000)
    lateness.begin()
    machine.now += 0.01
    lateness.wake_up()
    assert lateness.so_far() == HoldUp(0.0, 0.0, 0.0)


@pytest.mark.parametrize("text", ["", "some avg10=0.00\n", "some total=many\n"])
def test_a_kernel_that_tells_nothing_holds_nobody_up(machine: Machine, text: str) -> None:
    """One without PSI, or with files of another form."""
    (machine.proc / "pressure" / "cpu").write_text(text)
    (machine.proc / "stat").write_text(text)
    assert machine.lateness().so_far() == HoldUp(0.0, 0.0, 0.0)
    (machine.proc / "pressure" / "cpu").unlink()
    (machine.proc / "stat").unlink()
    assert machine.lateness().so_far() == HoldUp(0.0, 0.0, 0.0)


def test_it_is_said_in_a_line() -> None:
    """For the summary of a run."""
    assert str(HoldUp(0.25, 0.3, 0.01)) == (
        "the machine was held up: late by 250 ms at worst, tasks waited for a core in 30% of the"
        " time, 1% of the cores was stolen"
    )
    assert str(HoldUp(0.01, 0.0, 0.0)).startswith("the machine was not held up: late by 10 ms")


def test_this_test_is_watched() -> None:
    """As each one that needs real time."""
    held = LATENESS.so_far()
    assert held.worst_s < 60
    assert 0 <= held.waited <= 1
