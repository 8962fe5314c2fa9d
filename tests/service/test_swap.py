"""A storm is noticed by how often pages must be read from disk."""

from __future__ import annotations

import logging

import pytest

from device.service.swap import CALM_S, STORM_FAULTS_PER_S, SwapStorm, own_faults


class Machine:
    """Its clock, and how often a page had to be read from disk."""

    def __init__(self) -> None:
        self.now = 0.0
        self.faults = 0
        self.storm = SwapStorm(lambda: self.faults, lambda: self.now)

    def after(self, seconds: float, faults_per_s: float) -> bool:
        self.now += seconds
        self.faults += round(seconds * faults_per_s)
        return self.storm.lasts()


def test_many_faults_are_a_storm_and_a_minute_without_is_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A few, as after a start or a file that is read, are none; each storm is told once."""
    caplog.set_level(logging.WARNING)
    machine = Machine()
    assert not machine.after(5, STORM_FAULTS_PER_S)
    assert machine.after(5, STORM_FAULTS_PER_S + 1)
    assert machine.after(5, STORM_FAULTS_PER_S + 1)
    assert machine.after(CALM_S, 0)
    assert not machine.after(1, 0)
    assert len(caplog.records) == 1
    assert machine.after(5, 10_000)


def test_a_short_look_is_no_storm() -> None:
    """A handful of faults in an instant is a high rate only on paper."""
    assert not Machine().after(0.01, STORM_FAULTS_PER_S * 90)


def test_the_kernel_counts() -> None:
    """Of this process, since it began."""
    assert own_faults() >= 0
    assert not SwapStorm().lasts()
