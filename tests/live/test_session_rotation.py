"""One conversation over many connections: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from device.live.traffic import UNNOTICED_S
from device.news import GoAway as GoAwayNews
from device.news import (
    ReplyAudio,
    SessionOpened,
    Transcript,
    TurnComplete,
    UplinkChanged,
    Usage,
)
from device.simulator.record import ConnectionRecord
from device.simulator.script import Deaf, Event, GoAway, Resumable, Script, Send, Turn
from tests.live.talk import PATIENCE_S, Talk, talking

SHORT = Turn(says="Yes.", audio=400, pace="realtime", plays_out=False)
LONG = Turn(says="Once upon a time", audio=30_000, pace="realtime")


async def keep_talking(talk: Talk) -> None:
    """Deliver frames as a microphone does, without end."""
    while True:
        talk.speak(1)
        await asyncio.sleep(0.02)


async def both(talk: Talk) -> tuple[ConnectionRecord, ConnectionRecord]:
    return await talk.record(1), await talk.record(2, closed=False)


async def test_go_away_in_a_quiet_moment_loses_no_sample(tmp_path: Path) -> None:
    """The old connection is closed first, the new one resumes, and the audio is whole."""
    async with talking(tmp_path) as talk:
        handle = await talk.handle()
        speaking = asyncio.create_task(keep_talking(talk))
        await talk.heard()
        for count in (2, 3, 4):
            await talk.server.go_away(20.0)
            assert (await talk.ear.until(SessionOpened, count)).resumed
            await talk.handle()
        speaking.cancel()
        talk.speak(3)
        await talk.heard()
        first, second = await both(talk)
        assert second.handle == handle
        assert (first.closed_by, first.close_code) == ("client", 1000)
        assert first.closed_at is not None
        assert first.closed_at <= second.opened_at
        assert talk.server.audio == bytes(talk.said)
        await talk.close()
        assert [news.time_left_s for news in talk.ear.all(GoAwayNews)] == [20.0] * 3
        assert [change.flowing for change in talk.ear.all(UplinkChanged)] == [True, False]
        counters = talk.session.counters
        assert (counters["connections"], counters["rotations"]) == (4, 3)
        assert (counters["recoveries"], counters["repeated"]) == (0, 0)
        assert counters["bytes_sent"] == len(talk.said)


async def test_gap_that_lasts_is_told(tmp_path: Path) -> None:
    """Nothing goes up until the new connection stands: not told at once, but after a second."""
    async with talking(tmp_path, Script(setup_delay_s=UNNOTICED_S + 0.3)) as talk:
        await talk.handle()
        speaking = asyncio.create_task(keep_talking(talk))
        await talk.heard()
        await talk.server.go_away(20.0)
        dry = await talk.ear.until(UplinkChanged, 2)
        assert not dry.flowing
        assert len(talk.ear.all(SessionOpened)) == 1
        await talk.ear.until(UplinkChanged, 3)
        speaking.cancel()
        await talk.heard()
        assert talk.server.audio == bytes(talk.said)
        assert [change.flowing for change in talk.ear.all(UplinkChanged)] == [True, False, True]
        assert dry.bytes < len(talk.said)


async def test_go_away_waits_for_the_end_of_a_reply_and_for_its_handle(tmp_path: Path) -> None:
    """With enough notice the reply is heard to its end before the connection changes."""
    script = Script(turns=(SHORT,), events=(Event("reply", GoAway(20.0), after_s=0.1),))
    async with talking(tmp_path, script) as talk:
        await talk.handle()
        talk.session.send_text("really?")
        opened = await talk.ear.until(SessionOpened, 2)
        assert opened.resumed
        ended = talk.ear.all(TurnComplete)
        assert len(ended) == 1
        assert talk.ear.news.index(ended[0]) < talk.ear.news.index(opened)
        assert sum(len(chunk.pcm) for chunk in talk.ear.all(ReplyAudio)) == 24_000 * 2 * 2 // 5
        first, second = await both(talk)
        assert second.handle == first.handles_sent[-1]
        assert len(first.handles_sent) == 2


async def test_go_away_that_cannot_wait_ends_the_reply(tmp_path: Path) -> None:
    """Forced in mid-reply, the turn ends here, since the rest of it will never come."""
    script = Script(
        turns=(LONG,), events=(Event("reply", GoAway(2.0), after_s=0.1, connections=(1,)),)
    )
    async with talking(tmp_path, script) as talk:
        handle = await talk.handle()
        talk.session.send_text("tell me a story")
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        assert [turn.turn for turn in talk.ear.all(TurnComplete)] == [1]
        finals = [text for text in talk.ear.all(Transcript) if text.final and text.who == "model"]
        assert finals[-1].turn == 1
        first, second = await both(talk)
        assert second.handle == handle
        assert first.close_code == 1000
        talk.session.send_text("go on")
        await talk.ear.until(ReplyAudio, len(talk.ear.all(ReplyAudio)) + 1)
        assert talk.ear.all(ReplyAudio)[-1].turn == 2


async def test_counts_are_of_their_turns_over_every_connection(tmp_path: Path) -> None:
    """One that comes late before a rotation, one that comes early after it; numbers go on."""

    def bills() -> list[tuple[int, int]]:
        return [(bill.turn, bill.tokens["prompt"]) for bill in talk.ear.all(Usage)]

    turn = Turn(says="Yes.", audio=100, plays_out=False, counts={"promptTokenCount": 300})
    async with talking(tmp_path, Script(turns=(turn,))) as talk:
        await talk.handle()
        talk.session.send_text("really?")
        await talk.ear.until(Usage)
        await talk.server.do(Send({"usageMetadata": {"promptTokenCount": 310}}))
        await talk.ear.until(Usage, 2)
        await talk.handle()
        await talk.server.go_away(20.0)
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        await talk.server.do(Send({"usageMetadata": {"promptTokenCount": 350}}))
        talk.session.send_text("go on")
        await talk.ear.until(Usage, 3)
        assert bills() == [(1, 300), (1, 310), (2, 350)]
        assert [ended.turn for ended in talk.ear.all(TurnComplete)] == [1, 2]


async def test_go_away_without_notice_changes_at_once(tmp_path: Path) -> None:
    """A server that leaves no time is left at once."""
    script = Script(events=(Event("ready", Send({"goAway": {}}), connections=(9,)),))
    async with talking(tmp_path, script) as talk:
        await talk.handle()
        await talk.server.do(GoAway(0.0, closes=False))
        assert (await talk.ear.until(SessionOpened, 2)).resumed


async def test_old_connection_is_left_by_our_own_clock(tmp_path: Path) -> None:
    """Live API: some connections are never announced an end."""
    async with talking(tmp_path, rotate_after_s=0.3) as talk:
        for count in (2, 3):
            assert (await talk.ear.until(SessionOpened, count)).resumed
        assert not talk.ear.all(GoAwayNews)


async def test_sentence_of_the_user_is_not_cut_by_a_rotation(tmp_path: Path) -> None:
    """While the user speaks, and until the answer, only the deadline forces a new connection."""
    async with talking(tmp_path) as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        await talk.server.go_away(30.0)
        await talk.ear.until(GoAwayNews)
        content = {"serverContent": {"outputTranscription": {"text": "later mark"}}}
        await talk.server.do(Send(content))
        await talk.ear.when(lambda: any(t.text == "later mark" for t in talk.ear.all(Transcript)))
        assert talk.session.counters["rotations"] == 0
        talk.session.user_speaks(speaking=False)
        later = {"serverContent": {"outputTranscription": {"text": "and more"}}}
        await talk.server.do(Send(later))
        await talk.ear.until(Transcript, 3)
        assert talk.session.counters["rotations"] == 0, "the server has not noticed the end yet"
        await talk.server.say(SHORT)
        await talk.ear.until(SessionOpened, 2)
        assert talk.session.counters["repeated_frames"] == 0


async def test_question_is_answered_before_a_rotation(tmp_path: Path) -> None:
    """A question that was sent is not lost with the connection it was asked on."""
    slow = Turn(says="Yes.", audio=100, delay_s=0.7, plays_out=False)
    async with talking(tmp_path, Script(turns=(slow,))) as talk:
        await talk.handle()
        talk.session.send_text("really?")
        record = await talk.record(closed=False)
        await talk.server.wait_for(lambda _: record.texts, PATIENCE_S)
        await talk.server.go_away(20.0)
        opened = await talk.ear.until(SessionOpened, 2)
        assert talk.ear.news.index(talk.ear.all(TurnComplete)[0]) < talk.ear.news.index(opened)


async def test_session_that_cannot_be_resumed_now_waits_for_the_deadline(tmp_path: Path) -> None:
    """Resuming on the older handle would lose what happened since."""
    async with talking(tmp_path) as talk:
        handle = await talk.handle()
        await talk.server.do(Resumable(now=False))
        await talk.server.go_away(2.0)
        announced = await talk.ear.until(GoAwayNews)
        opened = await talk.ear.until(SessionOpened, 2)
        assert opened.time - announced.time >= 0.4
        assert (await talk.record(2, closed=False)).handle == handle


@pytest.mark.parametrize("resumption", [True, False])
async def test_without_resumption_the_next_connection_is_fresh(
    tmp_path: Path, resumption: bool
) -> None:
    """The talk goes on either way; only with a handle it remembers."""
    async with talking(tmp_path, resumption=resumption) as talk:
        await talk.ear.until(SessionOpened)
        if resumption:
            await talk.handle()
        talk.speak(2)
        await talk.heard()
        await talk.server.go_away(20.0)
        assert (await talk.ear.until(SessionOpened, 2)).resumed is resumption
        talk.speak(2)
        await talk.heard()
        assert talk.server.audio == bytes(talk.said)


async def test_stalled_connection_gives_way_too(tmp_path: Path) -> None:
    """A message that the network does not take goes up again on the next connection, counted."""
    script = Script(
        events=(
            Event("ready", Deaf(3.0), connections=(1,)),
            Event("ready", GoAway(1.5, closes=False), after_s=1.5, connections=(1,)),
        )
    )
    async with talking(tmp_path, script) as talk:
        await talk.handle()
        big = bytes(640 * 200)
        while not talk.session.counters["held"] > 100:
            talk.session.send_frame(big)
            await asyncio.sleep(0)
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        await talk.server.wait_for(
            lambda server: len(server.connections[-1].audio) >= len(big), PATIENCE_S
        )
        await talk.close()
        assert talk.session.counters["repeated"] == 1
