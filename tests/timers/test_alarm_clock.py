"""The alarm clock of a speaker: what it tells, what it keeps, when it wakes up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from device.errors import TimerError
from device.news import TimerNews
from device.timers.alarm_clock import AlarmClock
from device.timers.memory import FILE, TimerMemory
from device.timers.schedule import Look
from tests.timers.jumping import BERLIN, JumpingClocks, at


class Speaker:
    """One alarm clock, its clocks, and what it has told."""

    def __init__(self, folder: Path | None, clocks: JumpingClocks | None = None) -> None:
        self.told: list[TimerNews] = []
        self.clocks = clocks or JumpingClocks()
        self.zone: tzinfo = BERLIN
        self.ring_s = 300.0
        self.alarm_clock = AlarmClock(
            self.clocks,
            TimerMemory(folder),
            zone=lambda: self.zone,
            ring_s=lambda: self.ring_s,
            post=self.told.append,
        )

    def heard(self) -> list[str]:
        told = [f"{news.what} {news.id}" for news in self.told]
        self.told.clear()
        return told

    def next_due(self) -> str | None:
        due = self.alarm_clock.next_due
        return due.isoformat() if due is not None else None

    async def go_on(self, seconds: float) -> list[str]:
        """Let time pass, and whoever is woken by it do what they do."""
        self.clocks.go_on(seconds)
        for _ in range(5):
            await asyncio.sleep(0)
        return self.heard()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.alarm_clock.run())
        await asyncio.sleep(0)
        yield
        await self.alarm_clock.kept()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_what_is_next_is_told_to_the_nearest_second() -> None:
    """As every other answer tells it."""
    speaker = Speaker(None)
    speaker.clocks.go_on(0.75)
    await speaker.alarm_clock.set_timer(60)
    (news,) = speaker.told
    assert speaker.next_due() == news.due == "2026-12-01T12:01:01+01:00"


async def test_it_tells_what_is_set_what_rings_and_what_stops(tmp_path: Path) -> None:
    """With all that there is to know of it."""
    speaker = Speaker(tmp_path)
    async with speaker.running():
        entry = await speaker.alarm_clock.set_alarm("12:10", name="bins", text="take them out")
        assert speaker.next_due() == "2026-12-01T12:10:00+01:00"
        (news,) = speaker.told
        assert (news.what, news.id, news.name) == ("set", entry.id, "bins")
        assert (news.kind, news.text) == ("reminder", "take them out")
        assert news.due == "2026-12-01T12:10:00+01:00"
        speaker.told.clear()
        assert await speaker.go_on(599) == []
        assert await speaker.go_on(1) == ["ringing 1"]
        assert [each.name for each in speaker.alarm_clock.ringing] == ["bins"]
        assert speaker.next_due() is None
        assert await speaker.go_on(299) == []
        assert await speaker.go_on(1) == ["stopped 1"]
        assert speaker.alarm_clock.ringing == []
    assert speaker.clocks.closed


async def test_everything_can_be_asked_for(tmp_path: Path) -> None:
    """Set, list, change, snooze, stop, cancel; each is told."""
    speaker = Speaker(tmp_path)
    clock = speaker.alarm_clock
    async with speaker.running():
        await clock.set_alarm("07:00", weekdays=["wed"])
        await clock.set_timer(600, "tea")
        await clock.set_alarm("07:00", date="2026-12-24")
        assert [entry.id for entry in clock.entries] == [2, 1, 3]
        assert speaker.heard() == ["set 1", "set 2", "set 3"]
        assert (await clock.change("tea", add_s=-300)).left_s(clock.now) == 300
        assert (await clock.change(1, time="08:00")).due_s(clock.now) == at("2026-12-02 08:00")
        assert speaker.heard() == ["changed 2", "changed 1"]
        assert await speaker.go_on(300) == ["ringing 2"]
        (snoozed,) = await clock.snooze(for_s=60)
        assert snoozed.left_s(clock.now) == 60
        assert speaker.heard() == ["stopped 2", "changed 2"]
        assert await speaker.go_on(60) == ["ringing 2"]
        assert [entry.name for entry in await clock.stop()] == ["tea"]
        assert await clock.stop() == ()
        assert speaker.heard() == ["stopped 2"]
        assert (await clock.cancel(1)).id == 1
        assert [entry.id for entry in await clock.cancel_all()] == [3]
        assert speaker.heard() == ["cancelled 1", "cancelled 3"]
        with pytest.raises(TimerError, match="none is set"):
            await clock.cancel("tea")
    assert speaker.clocks.look == Look(None, None)


async def test_what_was_done_is_on_the_disk_when_the_call_returns(tmp_path: Path) -> None:
    """Whoever comes next finds it, however this one ended."""
    speaker = Speaker(tmp_path)
    entry = await speaker.alarm_clock.set_timer(600, "tea")
    assert speaker.alarm_clock.is_kept
    assert TimerMemory(tmp_path).load().entries == (entry,)
    await speaker.alarm_clock.cancel("tea")
    assert TimerMemory(tmp_path).load().entries == ()


async def test_a_refused_wish_changes_nothing(tmp_path: Path) -> None:
    """Nothing is told, nothing written."""
    speaker = Speaker(tmp_path)
    with pytest.raises(TimerError):
        await speaker.alarm_clock.set_timer(0)
    assert speaker.heard() == []
    assert not (tmp_path / FILE).exists()


async def test_a_disk_that_takes_nothing_costs_no_timer(tmp_path: Path) -> None:
    """It rings; that a restart would lose it can be told."""
    (tmp_path / "state").write_text("a file where the folder should be")
    speaker = Speaker(tmp_path / "state")
    async with speaker.running():
        await speaker.alarm_clock.set_timer(60)
        assert not speaker.alarm_clock.is_kept
        assert await speaker.go_on(60) == ["set 1", "ringing 1"]


async def test_what_rings_over_a_restart_is_told_again_once(tmp_path: Path) -> None:
    """And rings for the rest of its time; what was stopped does not."""
    first = Speaker(tmp_path)
    async with first.running():
        await first.alarm_clock.set_timer(60)
        await first.alarm_clock.set_timer(60)
        assert await first.go_on(60) == ["set 1", "set 2", "ringing 1", "ringing 2"]
        await first.alarm_clock.stop(2)
    first.clocks.go_on(100)
    second = Speaker(tmp_path, first.clocks)
    assert [entry.id for entry in second.alarm_clock.ringing] == [1]
    async with second.running():
        assert second.heard() == ["ringing 1"]
        assert await second.go_on(199) == []
        assert await second.go_on(1) == ["stopped 1"]


async def test_what_was_due_while_it_was_off_rings_late(tmp_path: Path) -> None:
    """And is told as missed."""
    first = Speaker(tmp_path)
    await first.alarm_clock.set_timer(60)
    first.clocks.go_on(600)
    second = Speaker(tmp_path, first.clocks)
    async with second.running():
        assert second.heard() == ["missed 1", "ringing 1"]


async def test_it_waits_for_the_time_of_day_after_a_power_cut(tmp_path: Path) -> None:
    """And looks for it again and again, until it is known."""
    first = Speaker(tmp_path)
    await first.alarm_clock.set_timer(600)
    first.clocks.reboot(at("2026-11-30 08:00"))
    second = Speaker(tmp_path, first.clocks)
    async with second.running():
        assert await second.go_on(10) == []
        assert second.next_due() is None
        assert second.clocks.until_due() == 2.0
        entry = await second.alarm_clock.set_alarm("12:30")
        assert entry.due_s(second.alarm_clock.now) is None
        assert [news.due for news in second.told] == [None]
        second.told.clear()
        second.clocks.synchronise(at("2026-12-01 12:10:01"))
        second.alarm_clock.look()
        assert second.heard() == ["ringing 1"]
        assert second.next_due() == "2026-12-01T12:30:00+01:00"


async def test_another_zone_is_in_force_when_somebody_looks(tmp_path: Path) -> None:
    """As is another time to ring for."""
    speaker = Speaker(tmp_path)
    async with speaker.running():
        await speaker.alarm_clock.set_alarm("12:30")
        speaker.zone = moscow = ZoneInfo("Europe/Moscow")
        speaker.ring_s = 10.0
        speaker.alarm_clock.look()
        assert speaker.heard() == ["set 1", "missed 1"]
        assert moscow is speaker.alarm_clock.now.zone


async def test_the_journal_tells_no_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They were said to the speaker."""
    caplog.set_level("INFO")
    speaker = Speaker(tmp_path)
    await speaker.alarm_clock.set_alarm("12:30", name="secret", text="a secret")
    assert caplog.messages == ["reminder 1: set, due 2026-12-01T12:30:00+01:00"]


async def test_what_was_stopped_can_be_snoozed_for_five_minutes(tmp_path: Path) -> None:
    """By its number or its name; what was taken away, or ran out by itself, cannot."""
    speaker = Speaker(tmp_path)
    clock = speaker.alarm_clock
    async with speaker.running():
        await clock.set_timer(60, "tea")
        await speaker.go_on(60)
        clock.silence()
        assert speaker.heard() == ["stopped 1"]
        assert [each.name for each in clock.stopped] == ["tea"]
        again = await clock.change("tea", add_s=540)
        assert (again.id, again.left_s(clock.now)) == (1, 540)
        assert speaker.heard() == ["changed 1"]
        assert clock.stopped == []
        assert await speaker.go_on(540) == ["ringing 1"]
        await clock.stop()
        await speaker.go_on(299)
        with pytest.raises(TimerError, match="is a timer, which has no time of day"):
            await clock.change(1, time="07:00")
        await speaker.go_on(1)
        assert clock.stopped == []
        with pytest.raises(TimerError, match="none is set"):
            await clock.change("tea", add_s=540)
        await clock.set_timer(60, "eggs")
        await speaker.go_on(60)
        await clock.cancel("eggs")
        assert clock.stopped == []
        await clock.set_timer(60, "rice")
        await speaker.go_on(360)
        assert clock.stopped == []


async def test_a_repeated_alarm_that_was_stopped_is_snoozed_and_goes_on_repeating(
    tmp_path: Path,
) -> None:
    """For today only."""
    speaker = Speaker(tmp_path)
    clock = speaker.alarm_clock
    async with speaker.running():
        await clock.set_alarm("12:10", weekdays=["tue", "wed"])
        await speaker.go_on(600)
        clock.silence()
        with pytest.raises(TimerError, match="nothing would remain"):
            await clock.change(1, add_s=0)
        await clock.change(1, add_s=600)
        assert speaker.next_due() == "2026-12-01T12:20:00+01:00"
        assert await speaker.go_on(600) == ["stopped 1", "changed 1", "ringing 1"]
        await clock.stop()
        assert speaker.next_due() == "2026-12-02T12:10:00+01:00"


async def test_silence_and_taking_back_are_at_once_and_kept(tmp_path: Path) -> None:
    """Nothing is awaited; what is gone is gone already."""
    speaker = Speaker(tmp_path)
    clock = speaker.alarm_clock
    async with speaker.running():
        clock.silence()
        clock.take_back(7)
        assert speaker.heard() == []
        entry = await clock.set_timer(60)
        clock.take_back(entry.id)
        assert speaker.heard() == ["set 1", "cancelled 1"]
        clock.take_back(entry.id)
        assert speaker.heard() == []
        assert await clock.kept()
        assert TimerMemory(tmp_path).load().entries == ()
