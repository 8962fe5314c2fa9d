"""Hours on record, whatever restarts, clocks and disks do meanwhile."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import news as n
from device.assistant import statistics as module
from device.assistant.gauges import Gauges
from device.assistant.statistics import CHANGED_S, SAMPLE_S, Statistics
from device.errors import RecordsError
from device.events import EventName, PublicEvent, reply
from device.news import News
from device.records.clock import RecordClock
from device.records.figures import STATISTICS
from device.records.rows import Row
from device.records.statistics import HOUR_S, key_of
from device.records.store import SOON_S, Records
from device.records.tables import TABLES
from device.records.writer import Place
from device.service.latency import Latency
from tests.assistant.test_tally import TALK, event, fault, said, state
from tests.records.test_books import write
from tests.rig.fakes import Hub, until

HOUR = 1_796_115_600.0
"""2026-12-01 10:00 in Berlin."""
OVER = state("listening", "idle", 20.0)


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "local_zone", lambda: ZoneInfo("Europe/Berlin"))


class Paper:
    """Takes the place of the file for Prometheus."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.wanted: Path | None = Path("/run/parley/parley.prom")
        self.is_closed = False

    def kinds(self) -> tuple[str, ...]:
        return ("network",)

    def follow(self) -> None:
        """Nothing is left anywhere."""

    def write(self, text: str) -> None:
        self.texts.append(text)

    async def closed(self) -> None:
        self.is_closed = True


class Speaker:
    """Statistics of a speaker whose clocks are turned by hand."""

    def __init__(self, folder: Path | None, wall: float = HOUR + 600) -> None:
        self.wall = wall
        self.steady = 1_000.0
        self.posted: list[News] = []
        self.vetoed = 0
        self.paper = Paper()
        clock = RecordClock(0.0, lambda: self.wall, lambda: self.steady, lambda: True)
        runtime = folder / "run" if folder is not None else None
        if runtime is not None:
            runtime.mkdir(exist_ok=True)
        place = Place(folder, runtime)
        self.records = Records(place, TABLES, self.posted.append, lambda: 3_650, clock)
        gauges = Gauges(
            lambda: 140_000_000,
            lambda: 51.0,
            lambda: {"vetoed": self.vetoed},
            lambda: self.steady,
            lambda: self.steady / 100,
        )
        self.latency = Latency()
        self.statistics = Statistics(
            self.records,
            self.latency,
            gauges,
            self.paper,  # type: ignore[arg-type]  # what is asked of it
            lambda: self.steady,
        )

    def happens(self, *events: PublicEvent) -> None:
        for each in events:
            self.statistics.happens(each)

    def passes(self, seconds: float) -> None:
        """Let time pass, with a look every five seconds or so at its end."""
        self.wall += seconds
        self.steady += seconds
        self.statistics.beat()

    async def sums(self, days: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = (await self.statistics.report(days))["sums"]
        return found

    async def rows(self) -> list[tuple[str, float, int | None]]:
        """Key, hour and talks of each row."""

        def found(database: sqlite3.Connection) -> list[tuple[str, float, int | None]]:
            query = f"SELECT key, at, talks FROM {STATISTICS.name} ORDER BY at, key"
            return database.execute(query).fetchall()

        return await self.records.ask(found)


@asynccontextmanager
async def running(folder: Path | None, wall: float = HOUR + 600) -> AsyncIterator[Speaker]:
    """A speaker that knows what is on record; it says goodbye at the end."""
    made = Speaker(folder, wall)
    async with asyncio.TaskGroup() as tasks:
        made.records.start(tasks)
        made.statistics.start(tasks)
        await until(lambda: made.statistics._newest < float("inf"))
        yield made
        await made.statistics.kept()
        await made.records.kept()


@pytest.fixture
async def speaker(tmp_path: Path) -> AsyncIterator[Speaker]:
    async with running(tmp_path) as made:
        yield made


async def test_a_talk_is_on_record_when_it_ends(speaker: Speaker) -> None:
    """In the row of its hour, which grows with the next one."""
    for talks in (1, 2):
        speaker.happens(*TALK, said("hello"))
        noted = speaker.records.counters["noted"]
        speaker.happens(OVER)
        assert speaker.records.counters["noted"] == noted + 1
        assert await speaker.rows() == [(key_of(HOUR), HOUR, talks)]


async def test_nothing_is_noted_of_each_event(speaker: Speaker) -> None:
    """A talk is one row, however much happens in it."""
    before = speaker.records.counters["noted"]
    speaker.happens(*TALK, *(reply("first_sound", turn, 0, 1.0) for turn in range(100)))
    speaker.statistics.sent(50)
    assert speaker.records.counters["noted"] == before
    speaker.happens(OVER)
    assert speaker.records.counters["noted"] == before + 1


async def test_a_talk_is_written_with_whatever_else_it_left(speaker: Speaker) -> None:
    """Soon, and not an hour later."""
    await until(lambda: speaker.records._due == math.inf)
    speaker.happens(*TALK)
    assert speaker.records._due == math.inf
    speaker.happens(OVER)
    assert speaker.records._due <= asyncio.get_running_loop().time() + SOON_S


async def test_hours_follow_each_other(speaker: Speaker) -> None:
    """What happens counts for the hour in which it happens."""
    speaker.happens(*TALK, OVER)
    speaker.passes(HOUR_S)
    speaker.happens(*TALK, OVER, *TALK, OVER)
    speaker.passes(2 * HOUR_S)
    speaker.happens(*TALK, OVER)
    talks = [(at, talks) for _, at, talks in await speaker.rows()]
    assert talks == [(HOUR, 1), (HOUR + HOUR_S, 2), (HOUR + 3 * HOUR_S, 1)]
    assert (await speaker.sums())["talks"] == 4


async def test_an_hour_that_is_over_is_noted_without_a_talk(speaker: Speaker) -> None:
    """By whoever is awake anyway."""
    speaker.happens(fault("network"))
    speaker.passes(HOUR_S)
    assert [at for _, at, _ in await speaker.rows()] == [HOUR]
    found = await speaker.sums()
    assert found["faults"] == {"network": 1}
    assert found["ran_s"] == HOUR_S


async def test_a_restart_in_the_middle_of_an_hour_goes_on_with_its_row(tmp_path: Path) -> None:
    """So do its sums, its percentiles and its peaks."""
    for restarts in (1, 2, 3):
        async with running(tmp_path, HOUR + 600 * restarts) as speaker:
            speaker.happens(*TALK, OVER)
            assert await speaker.rows() == [(key_of(HOUR), HOUR, restarts)]
            found = await speaker.sums()
            assert found["starts"] == restarts
            assert found["connection_ms"]["count"] == restarts


def test_a_process_that_was_killed_goes_on_with_what_it_had_noted(tmp_path: Path) -> None:
    """Though the disk had nothing of it yet."""
    write(tmp_path, [], [Row(STATISTICS, key_of(HOUR), HOUR, {"talks": 1, "starts": 1})])

    async def after() -> None:
        async with running(tmp_path, HOUR + 900) as speaker:
            speaker.happens(*TALK, OVER)
            assert await speaker.rows() == [(key_of(HOUR), HOUR, 2)]

    asyncio.run(after())


async def test_what_is_noted_before_it_knows_is_a_row_beside(tmp_path: Path) -> None:
    """A disk that answers late costs nothing of what is on it."""
    async with running(tmp_path) as before:
        before.happens(*TALK, OVER)
    late = Speaker(tmp_path, HOUR + 900)
    late.happens(*TALK, OVER)
    async with asyncio.TaskGroup() as tasks:
        late.records.start(tasks)
        late.statistics.start(tasks)
        await until(lambda: late.statistics._newest < float("inf"))
        late.happens(*TALK, OVER)
        assert sorted(talks or 0 for _, _, talks in await late.rows()) == [1, 2]
        assert (await late.sums())["talks"] == 3
        await late.records.kept()


async def test_records_that_cannot_be_read_cost_no_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hour has a row of its own then."""

    async def fails(*_: object) -> None:
        raise RecordsError("the disk is gone")

    speaker = Speaker(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        speaker.records.start(tasks)
        with monkeypatch.context() as patch:
            patch.setattr(Records, "ask", fails)
            await speaker.statistics._recall()
        speaker.happens(*TALK, OVER)
        ((key, at, talks),) = await speaker.rows()
        assert (at, talks) == (HOUR, 1)
        assert key != key_of(HOUR)
        await speaker.records.kept()


async def test_a_clock_that_is_set_back_overwrites_no_hour(speaker: Speaker) -> None:
    """It makes a row beside, which counts as well."""
    speaker.happens(*TALK, OVER)
    speaker.passes(3 * HOUR_S)
    speaker.happens(*TALK, OVER)
    speaker.wall -= 3 * HOUR_S
    speaker.happens(*TALK, OVER, *TALK, OVER)
    rows = await speaker.rows()
    assert sorted((at, talks) for _, at, talks in rows) == [
        (HOUR, 1),
        (HOUR, 2),
        (HOUR + 3 * HOUR_S, 1),
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["talk", "wake", "rest", "near", "sent", "restart"]),
            st.floats(-3 * HOUR_S, 3 * HOUR_S),
            st.floats(0, 2 * HOUR_S),
        ),
        max_size=25,
    )
)
def test_whatever_the_clocks_do_nothing_is_lost_or_counted_twice(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, float, float]]
) -> None:
    """Sums over any sequence, with restarts and jumps between; no duration is negative."""
    folder = tmp_path_factory.mktemp("books")

    async def live() -> None:
        left = list(story)
        wall, ran_s, starts = HOUR, 0.0, 0
        while left or not starts:
            starts += 1
            async with running(folder, wall) as speaker:
                began = speaker.steady
                while left:
                    what, jump_s, pass_s = left.pop(0)
                    if what == "restart":
                        break
                    speaker.wall += jump_s
                    speaker.passes(pass_s)
                    match what:
                        case "talk":
                            speaker.happens(*TALK, OVER)
                        case "wake":
                            speaker.happens(event(EventName.WAKE, word="w", score=1.0))
                        case "near":
                            speaker.statistics.near_miss()
                        case "sent":
                            speaker.statistics.sent(7)
                speaker.statistics._note()
                ran_s += speaker.steady - began
                wall = speaker.wall
                sums, total = await everything(speaker)
        names = [what for what, _, _ in story]
        assert total["talks"] == names.count("talk")
        assert total["wakes"] == names.count("wake")
        assert total["near_misses"] == names.count("near")
        assert total["up_frames"] == 7 * names.count("sent")
        assert total["starts"] == starts
        assert total["ran_ms"] == pytest.approx(1000 * ran_s, abs=starts * len(story) + 2)
        assert all(low >= 0 for low in sums)

    asyncio.run(live())


async def everything(speaker: Speaker) -> tuple[list[int], dict[str, int]]:
    """The least of each number, and its sum over all rows there are."""
    names = ("talks", "wakes", "near_misses", "up_frames", "starts", "ran_ms", "talk_ms", "cpu_ms")

    def found(database: sqlite3.Connection) -> tuple[list[int], dict[str, int]]:
        least = ", ".join(f"coalesce(min({name}), 0)" for name in names)
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
        lows = database.execute(f"SELECT {least} FROM {STATISTICS.name}").fetchone()
        values = database.execute(f"SELECT {sums} FROM {STATISTICS.name}").fetchone()
        return list(lows), dict(zip(names, values, strict=True))

    return await speaker.records.ask(found)


async def test_an_answer_is_timed_once(speaker: Speaker) -> None:
    """When its first sound or the end of the question is known, whichever comes last."""

    def news(*told: News) -> None:
        for each in told:
            speaker.latency.note(each)

    news(n.SpeechChanged(False, 0, 10.0), n.ReplyAudio(1, 1, b"", 10.5), n.FirstSound(1, 11.0))
    speaker.happens(reply("first_sound", 1, 0, 11.0), event(EventName.ACTIVITY, what="started"))
    assert (await speaker.sums())["answer_ms"]["count"] == 1
    news(n.PlaybackDrained(1, 500, 12.0), n.ReplyAudio(1, 2, b"", 20.5), n.FirstSound(2, 21.0))
    speaker.happens(reply("first_sound", 2, 0, 21.0))
    news(n.SpeechChanged(False, 0, 18.0))
    speaker.happens(event(EventName.ACTIVITY, what="ended"))
    found = (await speaker.sums())["answer_ms"]
    assert found["count"] == 2
    assert found["p95"] == pytest.approx(3_000, rel=0.025)
    assert found["p50"] == pytest.approx(1_000, rel=0.025)


async def test_what_the_machine_gives_is_looked_at_every_ten_minutes(speaker: Speaker) -> None:
    """And no more often, however often somebody is awake."""
    speaker.passes(5)
    assert speaker.statistics._now.peaks == {"memory_bytes": 140_000_000, "hottest_c": 51.0}
    looked = speaker.statistics._now
    for _ in range(100):
        speaker.passes((SAMPLE_S - 5) / 100)
    assert speaker.statistics._now is looked
    speaker.passes(5)
    assert speaker.statistics._now is not looked
    speaker.vetoed = 3
    found = await speaker.sums()
    assert (found["memory_bytes"], found["hottest_c"]) == (140_000_000, 51.0)
    assert found["cpu_percent"] == 1.0
    assert found["vetoes"] == 3


async def test_prometheus_is_told_after_a_talk_and_seldom_at_rest(speaker: Speaker) -> None:
    """Sooner where something has happened, and what is told of faults is what is in force."""
    texts = speaker.paper.texts
    speaker.passes(5)
    assert len(texts) == 1
    speaker.happens(*TALK, OVER)
    assert len(texts) == 2
    assert "parley_talks_total 1\n" in texts[-1]
    assert 'parley_fault{kind="network"} 1\n' in texts[-1]
    assert "parley_resident_memory_bytes 140000000\n" in texts[-1]
    for _ in range(10):
        speaker.happens(fault("network"))
        speaker.passes(5)
    assert len(texts) == 2
    speaker.passes(CHANGED_S)
    assert len(texts) == 3
    assert 'parley_faults_total{kind="network"} 10\n' in texts[-1]
    speaker.passes(SAMPLE_S)
    assert len(texts) == 4


async def test_what_prometheus_is_told_only_grows(speaker: Speaker) -> None:
    """Over the hours of a process, which begins at nothing."""
    for talks in range(1, 5):
        speaker.happens(*TALK, OVER)
        assert f"parley_talks_total {talks}\n" in speaker.paper.texts[-1]
        speaker.passes(HOUR_S)


async def test_where_no_file_is_wanted_none_is_made(speaker: Speaker) -> None:
    """Nothing is put into words that nobody reads."""
    speaker.paper.wanted = None
    speaker.passes(5)
    speaker.happens(*TALK, OVER)
    assert speaker.paper.texts == []


async def test_at_the_goodbye_all_is_noted(tmp_path: Path) -> None:
    """Also what goes on, and the file is closed."""
    async with running(tmp_path) as speaker:
        speaker.happens(*TALK)
    assert speaker.paper.is_closed
    async with running(tmp_path) as after:
        assert (await after.sums())["talks"] == 1


async def test_a_speaker_without_a_disk_counts_too() -> None:
    """For as long as it lives."""
    async with running(None) as speaker:
        speaker.happens(*TALK, OVER)
        assert (await speaker.sums())["talks"] == 1


async def test_a_row_is_small(speaker: Speaker) -> None:
    """Some 400 bytes of an hour with ten talks."""
    for number in range(10):
        speaker.happens(*TALK, said("hello"), reply("drained", number + 1, 4_000, 1.0), OVER)
    row = Row(STATISTICS, key_of(HOUR), HOUR, speaker.statistics._hour.figures.values())
    assert sum(len(str(value)) for value in row.values.values()) < 400


# --- in the whole speaker -------------------------------------------------------------------------


async def the_sums(hub: Hub) -> dict[str, Any]:
    found: dict[str, Any] = (await hub.assistant.statistics.report(1))["sums"]
    return found


async def test_the_whole_speaker_counts_what_it_tells() -> None:
    """Wakes, sessions, near misses and what has left."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        session.post(n.SessionOpened(session.number, 312.0, "m", False, 2.0))
        hub.assistant.post(n.NearMiss("hey_test", 0.4, 2.5))
        found = await the_sums(hub)
        hub.assistant.post(n.Stop())
        await until(lambda: hub.state == "idle")
        ended = await the_sums(hub)
    assert (found["talks"], found["wakes"], found["near_misses"]) == (1, 1, 1)
    assert found["words"] == {"hey_test": 1}
    assert found["connection_ms"]["count"] >= 1
    assert ended["talks"] == 1
    assert ended["talk_s"] > 0
