"""A storm is noticed, and remembered by whoever is killed in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from device.service import swap
from device.service.swap import (
    CALM_S,
    FILE,
    PAUSE_S,
    STORM_FAULTS_PER_S,
    SwapStorm,
    all_faults,
    boot_id,
    calm,
    own_faults,
)


class Machine:
    """Its clock, and how often a page had to be read from disk."""

    def __init__(self, folder: Path | None = None, boot: str = "this-boot") -> None:
        self.now = 0.0
        self.faults = 0
        self.storm = SwapStorm(folder, lambda: self.faults, lambda: self.now, boot)

    async def after(self, seconds: float, faults_per_s: float) -> bool:
        self.now += seconds
        self.faults += round(seconds * faults_per_s)
        return await self.storm.lasts()


def notes(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_many_faults_are_a_storm_and_a_minute_without_is_its_end() -> None:
    """A few, as after a start or a file that is read, are none."""
    machine = Machine()
    assert not await machine.after(5, STORM_FAULTS_PER_S)
    assert await machine.after(5, STORM_FAULTS_PER_S + 1)
    assert await machine.after(CALM_S, 0)
    assert not await machine.after(1, 0)
    assert await machine.after(5, 10_000)


async def test_a_short_look_is_no_storm() -> None:
    """A handful of faults in an instant is a high rate only on paper."""
    assert not await Machine().after(0.01, STORM_FAULTS_PER_S * 90)


async def test_who_is_killed_in_a_storm_is_remembered_until_it_is_over(tmp_path: Path) -> None:
    """By the next start of this boot; after a power cut everything is different."""
    machine = Machine(tmp_path)
    assert not machine.storm.ended_the_last_run()
    await machine.after(5, 1_000)
    assert Machine(tmp_path).storm.ended_the_last_run()
    assert not Machine(tmp_path, "next-boot").storm.ended_the_last_run()
    await machine.after(CALM_S + 1, 0)
    assert not Machine(tmp_path).storm.ended_the_last_run()
    assert notes(tmp_path) == []


async def test_who_ends_in_good_order_leaves_nothing_behind(tmp_path: Path) -> None:
    """Of earlier starts of the machine neither."""
    (tmp_path / f"{FILE}long-ago").touch()
    machine = Machine(tmp_path)
    await machine.after(5, 1_000)
    machine.storm.forget()
    assert notes(tmp_path) == []
    machine.storm.forget()


async def test_a_folder_that_cannot_be_written_costs_the_note_only(tmp_path: Path) -> None:
    """The speaker goes on."""
    (tmp_path / "file").touch()
    machine = Machine(tmp_path / "file")
    assert await machine.after(5, 1_000)
    assert not machine.storm.ended_the_last_run()
    machine.storm.forget()


async def waited(monkeypatch: pytest.MonkeyPatch, *faults_per_s: float) -> tuple[float, list[str]]:
    """How long a start waits on a machine with so many faults, the last for ever."""
    now, faults, told = 0.0, 0.0, list[str]()
    rates = list(faults_per_s)

    async def sleep(seconds: float) -> None:
        nonlocal now, faults
        now += seconds
        faults += seconds * (rates.pop(0) if len(rates) > 1 else rates[0])

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await calm(told.append, lambda: round(faults), lambda: now)
    return now, told


async def test_a_start_waits_until_the_machine_is_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """And tells systemd so, which waits with it."""
    waited_s, told = await waited(monkeypatch, 5_000, 5_000, 20)
    assert waited_s == 3 * swap.LOOK_S
    assert told == ["STATUS=waits until the machine has memory\nEXTEND_TIMEOUT_USEC=180000000"]


async def test_a_start_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A speaker in a storm is better than none."""
    waited_s, _ = await waited(monkeypatch, 5_000)
    assert waited_s == PAUSE_S


def test_the_kernel_counts(tmp_path: Path) -> None:
    """Own faults and all; where it does not tell, there is no storm and no boot."""
    assert own_faults() >= 0
    (tmp_path / "vmstat").write_text("pgfault 99\npgmajfault 7\n")
    assert all_faults(tmp_path / "vmstat") == 7
    for text in ("pgfault 1\n", "pgmajfault many\n", "odd\n"):
        (tmp_path / "vmstat").write_text(text)
        assert all_faults(tmp_path / "vmstat") == 0
    assert all_faults(tmp_path / "none") == 0
    assert boot_id(tmp_path / "none") == ""
    (tmp_path / "id").write_text("x-y\n")
    assert boot_id(tmp_path / "id") == "x-y"
