"""Turns that the button begins and ends; the stand-in refuses what is against the protocol."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from device.news import (
    AudioRepeated,
    ReplyAudio,
    SessionOpened,
    TurnComplete,
    Unheard,
    UplinkChanged,
)
from device.simulator.record import ConnectionRecord
from device.simulator.script import Drop, Event, Resumable, Script, Turn
from tests.live.talk import PATIENCE_S, Talk, frame, talking
from tests.rig.no_answers import NOTHING

ANSWER = Turn(heard="what is the time", says="Noon.", audio=300, pace="burst", plays_out=False)
FRAME = 640


async def newest(talk: Talk, number: int) -> ConnectionRecord:
    return await talk.record(number, closed=False)


def manual(record: ConnectionRecord) -> bool:
    assert record.setup is not None
    realtime = record.setup["realtimeInputConfig"]
    return bool(realtime.get("automaticActivityDetection", {}).get("disabled"))


def held(record: ConnectionRecord) -> list[bytes]:
    """What was said in each of its turns."""
    audio, turns = bytes(record.audio), []
    for (start, first), (end, last) in zip(
        record.activities[::2], record.activities[1::2], strict=True
    ):
        assert (start, end) == ("start", "end")
        turns.append(audio[first:last])
    return turns


async def answered(talk: Talk, turns: int = 1) -> None:
    await talk.ear.until(TurnComplete, turns)


async def test_a_turn_that_is_held_is_bracketed_and_answered_without_a_pause(
    tmp_path: Path,
) -> None:
    """From the press on and to the release, over a connection that is told when somebody speaks."""
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        holding = talk.session.push_to_talk
        holding.press()
        talk.speak(20)
        holding.hold()
        holding.heard()
        talk.speak(10)
        holding.release()
        await answered(talk)
        record = await newest(talk, 1)
        assert manual(record)
        assert held(record) == [bytes(talk.said)]
        assert len(record.audio) == 30 * FRAME
        assert [change.flowing for change in talk.ear.all(UplinkChanged)] == [True, False]
        assert len(talk.ear.all(ReplyAudio)) > 0
        assert talk.session.counters["connections"] == 1
        await talk.close()
        assert record.audio_stream_ends == []


async def test_an_open_session_goes_on_over_a_connection_of_the_other_kind_and_back(
    tmp_path: Path,
) -> None:
    """Each sample once, in the connection that its turn needs; the talk is one."""
    async with talking(tmp_path, Script(turns=(ANSWER, ANSWER))) as talk:
        await talk.handle()
        talk.speak(10)
        await talk.heard()
        talk.session.end_audio()
        holding = talk.session.push_to_talk
        holding.press()
        talk.speak(10)
        await asyncio.sleep(0)
        assert len(talk.server.audio) == 10 * FRAME
        holding.hold()
        holding.heard()
        talk.speak(5)
        holding.release()
        await answered(talk)
        await talk.handle()
        holding.press()
        talk.speak(5)
        holding.let_go()
        talk.speak(5)
        await talk.heard()
        first, second, third = [await newest(talk, n) for n in (1, 2, 3)]
        assert [manual(each) for each in (first, second, third)] == [False, True, False]
        assert second.conversation == third.conversation == first.conversation
        assert held(second) == [bytes(talk.said[10 * FRAME : 25 * FRAME])]
        assert talk.server.audio == bytes(talk.said)
        assert [news.resumed for news in talk.ear.all(SessionOpened)] == [False, True, True]
        await talk.close()


async def test_a_press_that_is_no_hold_only_delays_what_it_says(tmp_path: Path) -> None:
    """Over the connection there is."""
    async with talking(tmp_path) as talk:
        await talk.handle()
        talk.session.push_to_talk.press()
        talk.session.push_to_talk.press()
        talk.speak(10)
        talk.session.push_to_talk.let_go()
        talk.session.push_to_talk.let_go()
        talk.speak(5)
        await talk.heard()
        assert talk.server.audio == bytes(talk.said)
        assert talk.session.counters["connections"] == 1
        await talk.close()


async def test_two_turns_that_are_held_share_a_connection(tmp_path: Path) -> None:
    """No second change is needed."""
    async with talking(tmp_path, Script(turns=(ANSWER, ANSWER))) as talk:
        for number in (1, 2):
            talk.session.push_to_talk.press()
            talk.session.push_to_talk.hold()
            talk.session.push_to_talk.heard()
            talk.speak(10)
            talk.session.push_to_talk.release()
            await answered(talk, number)
        record = await newest(talk, 1)
        assert held(record) == [bytes(talk.said[: 10 * FRAME]), bytes(talk.said[10 * FRAME :])]
        assert talk.session.counters["connections"] == 1
        await talk.close()


async def test_released_before_it_is_open_it_is_answered_all_the_same(tmp_path: Path) -> None:
    """Words and end wait together."""
    async with talking(tmp_path, Script(turns=(ANSWER,), setup_delay_s=0.2)) as talk:
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(10)
        talk.session.push_to_talk.release()
        assert talk.ear.all(SessionOpened) == []
        await answered(talk)
        assert held(await newest(talk, 1)) == [bytes(talk.said)]
        await talk.close()


async def test_what_was_being_said_when_the_button_went_down_belongs_to_the_turn(
    tmp_path: Path,
) -> None:
    """Half a second of it; the connection that heard it is left before it could answer."""
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        await talk.handle()
        talk.speak(100)
        await talk.heard()
        talk.session.push_to_talk.press()
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(5)
        talk.session.push_to_talk.release()
        await answered(talk)
        assert held(await newest(talk, 2)) == [bytes(talk.said[75 * FRAME :])]
        assert talk.ear.all(AudioRepeated)[0].frames == 25
        await talk.close()


async def test_a_connection_lost_in_the_middle_of_a_turn_loses_nothing_of_it(
    tmp_path: Path,
) -> None:
    """The whole turn goes up again over the next one, as a turn."""
    script = Script(
        turns=(ANSWER,), events=(Event("audio", Drop(), after_s=0.2, connections=(1,)),)
    )
    async with talking(tmp_path, script) as talk:
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(10)
        await talk.ear.until(SessionOpened, 2)
        talk.speak(10)
        talk.session.push_to_talk.release()
        await answered(talk)
        second = await newest(talk, 2)
        assert manual(second)
        assert held(second) == [bytes(talk.said)]
        await talk.close()


async def test_go_away_in_the_middle_of_a_turn_waits_for_its_end_if_it_can(tmp_path: Path) -> None:
    """Nobody is cut short, and nothing is said twice."""
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(10)
        await talk.heard()
        await talk.server.go_away(20.0)
        talk.speak(10)
        await talk.heard()
        assert talk.session.counters["connections"] == 1
        talk.session.push_to_talk.release()
        await answered(talk)
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        first = await newest(talk, 1)
        assert held(first) == [bytes(talk.said)]
        await talk.close()


async def test_go_away_that_cannot_wait_takes_the_turn_along(tmp_path: Path) -> None:
    """To a connection of the same kind, from its beginning."""
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(10)
        await talk.heard()
        await talk.server.go_away(1.6)
        await talk.ear.until(SessionOpened, 2)
        talk.speak(10)
        talk.session.push_to_talk.release()
        await answered(talk)
        second = await newest(talk, 2)
        assert manual(second)
        assert held(second) == [bytes(talk.said)]
        await talk.close()


async def test_a_turn_whose_answer_got_lost_is_said_again_as_a_turn(tmp_path: Path) -> None:
    """With its end."""
    script = Script(
        turns=(ANSWER,), events=(Event("reply", Drop(), after_s=0.0, connections=(2,)),)
    )
    async with talking(tmp_path, script) as talk:
        await talk.handle()
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(10)
        talk.session.push_to_talk.release()
        await talk.ear.until(ReplyAudio)
        second, third = [await newest(talk, n) for n in (2, 3)]
        assert held(second) == held(third) == [bytes(talk.said)]
        await talk.close()


async def test_without_repeats_a_turn_goes_on_where_it_is(tmp_path: Path) -> None:
    """Its beginning is lost, and the owner wants it so; it is still one turn."""
    script = Script(
        turns=(ANSWER,), events=(Event("audio", Drop(), after_s=0.2, connections=(1,)),)
    )
    async with talking(tmp_path, script, repeat_s=0.0) as talk:
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(10)
        await talk.ear.until(SessionOpened, 2)
        talk.speak(10)
        talk.session.push_to_talk.release()
        await answered(talk)
        assert held(await newest(talk, 2)) == [bytes(talk.said[10 * FRAME :])]
        await talk.close()


async def test_what_nothing_answers_is_put_again_as_the_turn_that_it_was(tmp_path: Path) -> None:
    """The end of the stream, which helps elsewhere, is an error here, and words are no question."""
    script = Script(turns=(replace(ANSWER, first=(NOTHING,)),))
    async with talking(tmp_path, script, patience_s=0.9) as talk:
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(10)
        talk.session.push_to_talk.release()
        assert talk.session.owes
        assert (await talk.ear.until(Unheard)).why == "nothing"
        talk.session.ask_again(fresh=False, forget=False)
        await answered(talk)
        record = await newest(talk, 1)
        assert [kind for kind, _ in record.activities] == ["start", "end", "start", "end"]
        assert record.texts == []
        assert record.refused is None
        await talk.close()


async def test_without_a_handle_the_other_connection_is_told_what_was_said(tmp_path: Path) -> None:
    """The conversation is not resumable yet."""
    script = Script(turns=(ANSWER, ANSWER), events=(Event("ready", Resumable(False)),))
    async with talking(tmp_path, script, resumption=False) as talk:
        talk.session.send_text("what is the time")
        await answered(talk)
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(10)
        talk.session.push_to_talk.release()
        await answered(talk, 2)
        second = await newest(talk, 2)
        assert second.setup is not None
        assert "Noon." in str(second.setup["systemInstruction"])
        assert held(second) == [bytes(talk.said)]
        await talk.close()


async def test_nothing_goes_up_before_somebody_is_heard(tmp_path: Path) -> None:
    """The connection for it is made meanwhile; what was said from the press on is not lost."""
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        await talk.handle()
        talk.session.push_to_talk.heard()
        talk.session.push_to_talk.press()
        talk.speak(10)
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.let_go()
        talk.speak(10)
        await talk.ear.until(SessionOpened, 2)
        talk.session.send_text("mark")
        second = await newest(talk, 2)
        assert manual(second)
        assert second.audio == b""
        talk.session.push_to_talk.heard()
        await talk.heard()
        talk.session.push_to_talk.heard()
        talk.session.push_to_talk.release()
        await answered(talk)
        assert held(await newest(talk, 2)) == [bytes(talk.said)]
        await talk.close()


async def test_a_hold_in_silence_sends_nothing_and_leaves_the_session_as_it_was(
    tmp_path: Path,
) -> None:
    """Not even afterwards."""
    async with talking(tmp_path, Script(turns=(ANSWER, ANSWER))) as talk:
        holding = talk.session.push_to_talk
        await talk.handle()
        holding.press()
        talk.speak(10)
        holding.hold()
        talk.speak(10)
        talk.session.end_audio()
        unsaid = len(talk.said)
        holding.press()
        talk.speak(10)
        holding.let_go()
        await talk.server.wait_for(lambda server: len(server.audio) >= 10 * FRAME, PATIENCE_S)
        assert talk.server.audio == bytes(talk.said[unsaid:])
        assert all(each.activities == [] for each in talk.server.connections)
        assert talk.session.counters["held"] == 0
        await talk.close()


async def test_a_turn_without_a_sound_is_never_told(tmp_path: Path) -> None:
    """It would end the connection (1007)."""
    async with talking(tmp_path) as talk:
        await talk.handle()
        talk.session.push_to_talk.press()
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.session.push_to_talk.release()
        talk.speak(3)
        await talk.heard()
        assert all(each.activities == [] for each in talk.server.connections)
        await talk.close()


@pytest.mark.parametrize("seconds", [0.05, 0.3])
async def test_hang_up_in_the_middle_of_a_turn_is_in_good_order(
    tmp_path: Path, seconds: float
) -> None:
    """Nothing was said: the session is closed with its turn open, and the server does not mind."""
    async with talking(tmp_path) as talk:
        talk.session.push_to_talk.hold()
        talk.session.push_to_talk.heard()
        talk.speak(round(seconds * 50))
        await talk.heard()
        talk.session.end_audio()
        await talk.close()
        record = await talk.record(1)
        assert (record.closed_by, record.close_code) == ("client", 1000)
        assert record.audio_stream_ends == []


def test_frames_here_are_too_quiet_to_be_speech() -> None:
    """So what answers is the end of the turn and no pause."""
    assert max(frame(n)[0] for n in range(100)) < 100
    assert PATIENCE_S > 1
