"""Health: READY, STATUS and the watchdog's food are earned by hearing."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from device.errors import OutgrownError
from device.service.health import (
    LARGEST_BYTES,
    LEAST_BYTES,
    LONGEST_INTERVAL_S,
    Health,
    ceiling_bytes,
    resident_bytes,
)
from device.service.swap import PATIENCE_USEC, SwapStorm
from tests.rig.fakes import until


class Body:
    """What health watches, and what it says of it."""

    def __init__(self, watchdog_usec: str | None = None) -> None:
        self.frames = 0
        self.hops = 0
        self.excused = False
        self.told: list[str] = []
        self.health = Health(
            self.told.append,
            self,
            lambda: 0,
            watchdog_usec=watchdog_usec,
        )

    @property
    def counts(self) -> tuple[int, int]:
        return self.frames, self.hops

    def live(self, frames: int, hops: int) -> bool:
        self.frames += frames
        self.hops += hops
        return self.health.check()


def test_the_watchdog_is_fed_only_when_frames_and_inferences_advance() -> None:
    """Each alone is not hearing."""
    body = Body()
    assert body.live(50, 12)
    assert not body.live(50, 0)
    assert not body.live(0, 12)
    assert not body.live(0, 0)
    assert body.live(50, 12)
    assert body.told == ["WATCHDOG=1", "WATCHDOG=1"]


def test_a_known_silence_is_excused() -> None:
    """Muted or without a microphone, which is told elsewhere, it is not restarted."""
    body = Body()
    body.excused = True
    assert body.live(0, 0)
    assert body.told == ["WATCHDOG=1"]


def test_a_part_that_was_replaced_counts_from_zero() -> None:
    """After a reload the new microphone's few frames are signs of life too."""
    body = Body()
    assert body.live(5000, 1250)
    body.frames, body.hops = 40, 10
    assert body.health.check()


def test_ready_is_told_once() -> None:
    """From the first frame on; a microphone that comes back is nothing new."""
    body = Body()
    ready = [body.health.ready]
    body.health.hears()
    body.health.hears()
    assert [*ready, body.health.ready] == [False, True]
    assert body.told == ["READY=1"]


def test_a_status_is_one_line_whatever_is_in_it() -> None:
    """What a hostile server answers must not be an assignment of its own to systemd."""
    body = Body()
    body.health.status("fault; the server said: no\r\nWATCHDOG=trigger\x0bMAINPID=1")
    assert body.told == ["STATUS=fault; the server said: no WATCHDOG=trigger MAINPID=1"]


def test_a_status_is_told_when_it_changes_and_not_after_the_end_began() -> None:
    """What the parts still do while they are closed is no status."""
    body = Body()
    for text in ("idle", "idle", "listening"):
        body.health.status(text)
    body.health.stops()
    body.health.status("idle")
    assert body.told == ["STATUS=idle", "STATUS=listening", "STOPPING=1\nSTATUS=stopping"]


@pytest.mark.parametrize(
    ("watchdog_usec", "interval_s"),
    [(None, LONGEST_INTERVAL_S), ("4000000", 2.0), ("30000000", LONGEST_INTERVAL_S)],
)
def test_the_interval_is_at_most_half_of_the_watchdogs(
    watchdog_usec: str | None, interval_s: float
) -> None:
    """sd_watchdog_enabled(3) recommends half; more often is safer."""
    assert Body(watchdog_usec).health.interval_s == interval_s


async def run_until(body: Body, condition: Callable[[], object]) -> None:
    task = asyncio.create_task(body.health.run())
    await until(condition)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_it_feeds_by_itself() -> None:
    """Again and again, as long as there are signs of life."""
    body = Body("2000")
    body.health.hears()
    body.excused = True
    await run_until(body, lambda: body.told.count("WATCHDOG=1") == 3)
    assert not any("EXTEND" in message for message in body.told)


async def test_whoever_has_something_to_do_now_and_then_is_called_along() -> None:
    """At each look, and nobody else wakes up for it."""
    body, beats = Body("2000"), []
    task = asyncio.create_task(body.health.run(lambda: beats.append(1)))
    await until(lambda: len(beats) == 3)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_start_without_a_microphone_asks_for_more_time() -> None:
    """The missing microphone is a told fault, so systemd need not give up on the start."""
    body = Body("2000")
    body.excused = True
    await run_until(body, lambda: "EXTEND_TIMEOUT_USEC=4000" in body.told)
    assert "READY=1" not in body.told


async def test_a_start_without_a_microphone_is_over_in_the_end_and_never_said_to_hear() -> None:
    """Systemd waits no longer, the watchdog is fed; READY is told once, also when it hears."""
    body = Body("2000")
    body.excused = True
    body.health.missing_s = 0.01
    await run_until(body, lambda: body.told[-3:] == ["WATCHDOG=1"] * 3)
    assert body.told.count("READY=1") == 1
    heard = [body.health.ready]
    assert not any("EXTEND" in told for told in body.told[body.told.index("READY=1") :])
    body.health.hears()
    assert [*heard, body.health.ready] == [False, True]
    assert body.told.count("READY=1") == 1


async def test_who_went_deaf_after_such_a_start_is_fed_no_more() -> None:
    """A microphone came, and then nothing: it is restarted like any other."""
    body = Body("2000")
    body.excused = True
    body.health.missing_s = 0.0
    await run_until(body, lambda: "READY=1" in body.told)
    body.excused = False
    assert body.live(50, 12)
    assert not body.live(0, 0)


class Deaf(Body):
    """Hears nothing, and counts how often that is looked at."""

    checks = 0

    @property
    def counts(self) -> tuple[int, int]:
        self.checks += 1
        return 0, 0


async def test_a_start_that_hangs_is_given_no_more_time() -> None:
    """Nothing is told to be wrong and nothing is heard: let systemd restart it."""
    body = Deaf("2000")
    await run_until(body, lambda: body.checks >= 3)
    assert body.told == []


async def test_a_process_that_grows_without_end_is_ended() -> None:
    """With figures; up to the limit nothing happens."""
    most = ceiling_bytes()
    sizes = iter([most, most + 2**20])
    health = Health(
        lambda _message: None,
        Body(),
        lambda: next(sizes),
        watchdog_usec="2000",
    )
    with pytest.raises(
        OutgrownError, match=f"to {(most >> 20) + 1} MB, more than {most >> 20} MB: it ends"
    ):
        await health.run()
    assert next(sizes, None) is None


def test_its_size_is_what_the_kernel_says(tmp_path: Path) -> None:
    """The second field of statm, in pages."""
    (tmp_path / "statm").write_text("200000 3 2 1 0 9 0\n")
    assert resident_bytes(tmp_path / "statm") == 3 * os.sysconf("SC_PAGE_SIZE")
    assert 10 * 2**20 < resident_bytes() < 10 * LARGEST_BYTES


@pytest.mark.parametrize(
    ("total_mb", "ceiling_mb"),
    [(8000, 350), (1900, 350), (906, 350), (512, 281), (426, 234), (256, 220)],
)
def test_how_much_is_too_much_follows_the_machine(
    tmp_path: Path, total_mb: int, ceiling_mb: int
) -> None:
    """Less than makes the smallest board swap, and never less than a healthy speaker takes."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal:      {total_mb * 1024} kB\nMemFree:       100 kB\n")
    assert ceiling_bytes(meminfo) >> 20 == ceiling_mb


def test_where_the_machine_does_not_tell_its_size_the_bound_is_the_usual_one(
    tmp_path: Path,
) -> None:
    """A kernel that hides it, or writes it otherwise."""
    assert ceiling_bytes(tmp_path / "none") == LARGEST_BYTES
    (tmp_path / "odd").write_text("MemTotal: plenty\n")
    assert ceiling_bytes(tmp_path / "odd") == LARGEST_BYTES
    assert LEAST_BYTES <= ceiling_bytes() <= LARGEST_BYTES


@pytest.mark.parametrize(
    ("watchdog_usec", "told"),
    [("2000", [f"WATCHDOG_USEC={PATIENCE_USEC}", "WATCHDOG_USEC=2000"]), (None, [])],
)
async def test_in_a_swap_storm_the_watchdog_waits_longer_until_it_is_over(
    watchdog_usec: str | None, told: list[str]
) -> None:
    """Told once at each end; without a watchdog there is nothing to tell."""
    body = Body(watchdog_usec)
    now, faults, looks = 0.0, 0, 0

    def resident() -> int:
        nonlocal now, faults, looks
        looks += 1
        now += 5.0
        # A storm in the second and the third of its looks, and calm from then on.
        faults += 5_000 if looks in {2, 3} else 10
        return 0

    class Alive:
        """Hears all the time."""

        excused = False

        @property
        def counts(self) -> tuple[int, int]:
            return looks, looks

    body.health = Health(
        body.told.append,
        Alive(),
        resident,
        watchdog_usec=watchdog_usec,
        storm=SwapStorm(lambda: faults, lambda: now),
    )
    body.health.interval_s = 0.0
    await run_until(body, lambda: looks > 3 + 60 / 5 + 2)
    assert [message for message in body.told if "WATCHDOG_USEC" in message] == told
