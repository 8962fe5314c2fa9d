"""A sentence that loses its connection is said again; a silent server is helped along."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from device.live.repeat import LEAD_S
from device.live.resumption import Past
from device.live.uplink import (
    HELD_FRAMES,
)
from device.news import (
    AudioDropped,
    AudioRepeated,
    FailureKind,
    HandleChanged,
    ModelReplaced,
    Reconnecting,
    ReplyAudio,
    SessionOpened,
    Stalled,
    Transcript,
    TurnComplete,
    Unheard,
)
from device.simulator.record import ConnectionRecord
from device.simulator.script import (
    Close,
    Drop,
    Event,
    Forget,
    GoAway,
    Interrupt,
    Poison,
    Reject,
    Resumable,
    Script,
    Silence,
    Turn,
)
from tests.live.talk import PATIENCE_S, Talk, frame, talking

pytestmark = pytest.mark.usefixtures("sooner")

LEAD_FRAMES = round(LEAD_S * 50)
OVERLOADED = "The service is currently unavailable."
QUOTA = "You exceeded your current quota, please check your plan and billing details."


def asked(**about: object) -> Turn:
    """A turn that half a second of any audio starts."""
    return Turn(trigger=("audio", "text"), audio_ms=500, heard="what is it?", **about)  # type: ignore[arg-type]


SOON = asked(says="It is this.", audio=300, plays_out=False)
LATE = asked(says="It is this.", audio=300, plays_out=False, delay_s=1.0)
NEVER = asked(answers=False)
LONG = asked(says="Once upon a time", audio=30_000, pace="realtime")


async def connection(talk: Talk, number: int) -> ConnectionRecord:
    return await talk.record(number, closed=False)


async def heard(talk: Talk, number: int, frames: int) -> bytes:
    """Wait until a connection has that much audio, and return it."""
    await talk.server.wait_for(
        lambda server: (
            len(server.connections) >= number
            and len(server.connections[number - 1].audio) >= frames * 640
        ),
        PATIENCE_S,
    )
    return bytes(talk.server.connections[number - 1].audio)


# --- what the user says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending", [GoAway(1.0), Drop(), Close(1011, "Internal error encountered.")]
)
async def test_sentence_that_is_cut_goes_up_again_and_nothing_twice_beside_it(
    tmp_path: Path, ending: GoAway | Drop | Close
) -> None:
    """The new connection gets the sentence from its beginning, then what was held, in order."""
    async with talking(tmp_path, Script(turns=(LONG,))) as talk:
        await talk.handle()
        talk.speak(10)
        talk.session.user_speaks(speaking=True)
        talk.speak(14)
        await talk.heard()
        await talk.server.do(Resumable(now=False))
        await talk.server.do(ending)
        opened = await talk.ear.until(SessionOpened, 2)
        assert opened.resumed
        talk.speak(6)
        await heard(talk, 2, 30)
        first, second = await connection(talk, 1), await connection(talk, 2)
        assert bytes(first.audio) == bytes(talk.said[: 24 * 640])
        assert bytes(second.audio) == bytes(talk.said)
        assert [news.frames for news in talk.ear.all(AudioRepeated)] == [24]
        counters = talk.session.counters
        assert counters["repeated_frames"] == 24
        assert counters["frames_sent"] == 24 + 30
        assert counters["dropped"] == 0


async def test_only_the_sentence_is_said_again(tmp_path: Path) -> None:
    """Of the silence before it just so much as may hold its beginning."""
    async with talking(tmp_path, Script(turns=(NEVER,))) as talk:
        await talk.handle()
        talk.speak(LEAD_FRAMES + 50)
        await talk.heard()
        talk.session.user_speaks(speaking=True)
        talk.speak(3)
        await talk.heard()
        await talk.server.drop()
        again = await heard(talk, 2, LEAD_FRAMES + 3)
        assert again == bytes(talk.said[50 * 640 :])


async def test_how_much_is_said_again_is_a_setting(tmp_path: Path) -> None:
    """With 0 a cut sentence goes on where it was cut."""
    async with talking(tmp_path, Script(turns=(NEVER,)), repeat_s=0.0) as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        talk.speak(5)
        await talk.heard()
        await talk.server.drop()
        await talk.ear.until(SessionOpened, 2)
        talk.speak(5)
        await talk.heard()
        assert talk.server.audio == bytes(talk.said)
        assert talk.ear.all(AudioRepeated) == []


@pytest.mark.parametrize("typed", [False, True])
async def test_question_that_was_lost_before_its_answer_is_asked_again(
    tmp_path: Path, typed: bool
) -> None:
    """The handle is from before the question: without being told again the server knows nothing."""
    async with talking(tmp_path, Script(turns=(LATE,))) as talk:
        await talk.handle()
        if typed:
            talk.session.send_text("what is it?")
        else:
            talk.session.user_speaks(speaking=True)
            talk.speak(30)
            talk.session.user_speaks(speaking=False)
        await talk.ear.when(lambda: any(text.who == "user" for text in talk.ear.all(Transcript)))
        await talk.server.drop()
        await talk.ear.until(ReplyAudio)
        assert len(talk.server.connections) == 2
        if typed:
            assert [record.texts for record in talk.server.connections] == [["what is it?"]] * 2


async def test_question_that_is_being_answered_is_not_asked_again(tmp_path: Path) -> None:
    """The rest of the answer is lost; a second one would be worse."""
    async with talking(tmp_path, Script(turns=(LONG,))) as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        talk.speak(30)
        talk.session.user_speaks(speaking=False)
        await talk.ear.until(ReplyAudio)
        await talk.server.drop()
        await talk.ear.until(SessionOpened, 2)
        assert len(talk.ear.all(TurnComplete)) == 1
        talk.session.send_text("go on")
        record = await connection(talk, 2)
        await talk.server.wait_for(lambda _: record.texts, PATIENCE_S)
        assert bytes(record.audio) == b""
        assert talk.ear.all(AudioRepeated) == []


async def test_first_sentence_survives_a_cut_before_there_is_a_handle(tmp_path: Path) -> None:
    """The talk begins anew, with the same words."""
    script = Script(turns=(LATE,), events=(Event("setup", Resumable(now=False), connections=(1,)),))
    async with talking(tmp_path, script) as talk:
        talk.session.user_speaks(speaking=True)
        talk.speak(30)
        await talk.ear.until(Transcript)
        await talk.server.drop()
        assert not (await talk.ear.until(SessionOpened, 2)).resumed
        await talk.ear.until(ReplyAudio)


async def test_conversation_that_is_over_is_not_repeated(tmp_path: Path) -> None:
    """After the end of the audio nobody waits for an answer."""
    async with talking(tmp_path, Script(turns=(NEVER,))) as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        talk.speak(5)
        talk.session.user_speaks(speaking=False)
        talk.session.end_audio()
        await talk.heard()
        record = await connection(talk, 1)
        await talk.server.wait_for(lambda _: record.audio_stream_ends, PATIENCE_S)
        await talk.server.drop()
        await talk.ear.until(SessionOpened, 2)
        await talk.close()
        assert talk.server.audio == bytes(talk.said)


async def test_what_found_no_room_is_counted_and_told(tmp_path: Path) -> None:
    """A minute is held; the rest is lost, and nobody pretends otherwise."""
    async with talking(tmp_path, Script(turns=(NEVER,))) as talk:
        await talk.handle()
        await talk.server.kill_listener()
        await talk.server.drop()
        await talk.ear.until(Reconnecting)
        talk.speak(HELD_FRAMES + 25)
        await talk.server.listen()
        dropped = await talk.ear.until(AudioDropped)
        assert dropped.frames == 25
        assert talk.session.counters["dropped"] == 25
        await heard(talk, 2, HELD_FRAMES)
        assert talk.server.audio == bytes(talk.said[: HELD_FRAMES * 640])


# --- how the connection ends ---------------------------------------------------------------------


async def test_server_that_falls_silent_after_go_away_is_left_by_our_own_clock(
    tmp_path: Path,
) -> None:
    """Live API: it may send nothing more at all, not even the close."""
    async with talking(tmp_path) as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        await talk.server.do(GoAway(2.0, closes=False))
        await talk.server.do(Silence())
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        assert talk.server.connections[0].close_code == 1000


async def test_connection_that_is_cut_at_58_minutes_is_resumed(tmp_path: Path) -> None:
    """Live API: 1011 with a deadline in its reason, and no goAway before it."""
    ending = Close(1011, "Deadline expired before operation could complete.")
    async with talking(tmp_path) as talk:
        await talk.handle()
        await talk.server.do(ending)
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        assert talk.ear.all(Reconnecting) == []


async def test_server_that_was_away_for_seconds_costs_seconds(tmp_path: Path) -> None:
    """Each further try is told, and the first that works goes on with the same talk."""
    refused = Event("upgrade", Reject(503), connections=(2, 3))
    async with talking(tmp_path, Script(events=(refused,))) as talk:
        await talk.handle()
        await talk.server.drop()
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        tries = talk.ear.all(Reconnecting)
        assert [each.failure.kind for each in tries] == [FailureKind.SERVER] * 2
        assert talk.session.counters["recoveries"] == 3


async def test_first_connect_is_tried_again_while_the_words_wait(tmp_path: Path) -> None:
    """A server that is overloaded for a second is not worth a fault."""
    busy = Event("setup", Close(1011, OVERLOADED), connections=(1, 2))
    async with talking(tmp_path, Script(turns=(NEVER,), events=(busy,)), start=False) as talk:
        talk.speak(20)
        talk.start()
        await talk.ear.until(SessionOpened)
        await talk.heard()
        assert talk.server.audio == bytes(talk.said)
        assert talk.server.attempts == 3


@pytest.mark.parametrize("begun", [False, True])
async def test_quota_is_tried_once_and_told(tmp_path: Path, begun: bool) -> None:
    """It does not come back in a minute; nobody hammers at it."""
    point, connections = ("ready", (2,)) if begun else ("setup", (1,))
    event = Event(point, Close(1011, QUOTA), connections=connections)  # type: ignore[arg-type]
    async with talking(tmp_path, Script(events=(event,))) as talk:
        if begun:
            await talk.handle()
            await talk.server.drop()
        assert (await talk.failed()).failure.kind is FailureKind.QUOTA
        assert talk.server.attempts == 1 + begun


# --- what is remembered --------------------------------------------------------------------------


async def test_talk_that_cannot_be_resumed_is_told_what_was_said(tmp_path: Path) -> None:
    """A fresh session has the end of the talk in its instruction, a resumed one does not."""
    async with talking(tmp_path, Script(turns=(SOON,))) as talk:
        await talk.handle()
        talk.session.send_text("what is it?")
        await talk.ear.until(TurnComplete)
        handle = await talk.handle()
        await talk.server.drop()
        await talk.ear.until(SessionOpened, 2)
        assert talk.session.handle == handle or await talk.handle()
        await talk.server.do(Forget())
        await talk.server.drop()
        opened = await talk.ear.until(SessionOpened, 3)
        assert not opened.resumed
        instructions = [
            str(record.setup["systemInstruction"]) if record.setup else ""
            for record in talk.server.connections
        ]
        told = "User: what is it?"
        assert [told in text for text in instructions] == [False, False, False, True]
        assert "It is this." in instructions[-1]
        assert "Be brief." in instructions[-1]


async def test_every_handle_is_news_worth_keeping(tmp_path: Path) -> None:
    """The talk so far always has the newest, and none that was refused."""
    past = Past()
    async with talking(tmp_path, Script(turns=(SOON,)), past=past) as talk:
        handle = await talk.handle()
        assert past.handle == handle
        assert past.model == "gemini-3.1-flash-live-preview"
        await talk.ear.until(HandleChanged)
        await talk.server.do(Forget())
        await talk.server.drop()
        await talk.ear.until(SessionOpened, 2)
        assert past.handle != handle


async def test_model_that_is_gone_is_told_once_and_not_asked_for_again(tmp_path: Path) -> None:
    """The next session begins with the one that answered."""
    past = Past()
    script = Script(models=("gemini-3.8-live",))
    models = ("gemini-9", "gemini-3.8-live")
    async with talking(tmp_path, script, past=past, fallback_models=models) as talk:
        opened = await talk.ear.until(SessionOpened)
        assert opened.model == "gemini-3.8-live"
        (news,) = talk.ear.all(ModelReplaced)
        assert (news.gone, news.successor) == ("gemini-3.1-flash-live-preview", "gemini-3.8-live")
        await talk.close()
        models_asked = [record.model for record in talk.server.connections]
    assert models_asked[-1] == "gemini-3.8-live"
    (server,) = {key.split("@")[1] for key in past.gone}
    assert past.models(["gemini-3.1-flash-live-preview", *models], server, time.time()) == [
        "gemini-3.8-live"
    ]


async def test_handle_of_another_model_or_server_is_not_sent(tmp_path: Path) -> None:
    """It would only be refused."""
    past = Past()
    past.keep("H", "gemini-3.8-live", "somewhere", 0.0)
    async with talking(tmp_path, past=past) as talk:
        assert not (await talk.ear.until(SessionOpened)).resumed
        assert [record.handle for record in talk.server.connections] == [""]


# --- a server that keeps silent ------------------------------------------------------------------


async def test_silence_after_the_users_words_is_nudged_and_then_resumed(tmp_path: Path) -> None:
    """The end of the stream first; then another connection, with the same words."""
    script = Script(turns=(SOON,), events=(Event("audio", Silence(), connections=(1,)),))
    async with talking(tmp_path, script, patience_s=3.0) as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        talk.speak(40)
        await talk.heard()
        talk.session.user_speaks(speaking=False, lasted_s=0.8)
        await talk.ear.until(ReplyAudio)
        assert [news.what for news in talk.ear.all(Stalled)] == ["nudged", "resumed"]
        assert len(talk.server.connections[0].audio_stream_ends) == 1
        assert (talk.session.counters["nudges"], talk.session.counters["stalls"]) == (1, 1)
        assert talk.ear.all(AudioRepeated)


async def test_nudge_can_be_enough(tmp_path: Path) -> None:
    """The end of the stream makes a server look at what it has heard."""
    loud = b"\x00\x40\x00\xc0" * 160
    turn = Turn(heard="what?", says="This.", audio=200, plays_out=False)
    async with talking(tmp_path, Script(turns=(turn,), silence_ms=60_000), patience_s=3.0) as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        for _ in range(40):
            talk.session.send_frame(loud)
        talk.session.user_speaks(speaking=False, lasted_s=0.8)
        await talk.ear.until(ReplyAudio)
        assert [news.what for news in talk.ear.all(Stalled)] == ["nudged"]
        assert len(talk.server.connections) == 1


async def test_poisoned_handle_is_left_for_a_fresh_session_with_a_summary(tmp_path: Path) -> None:
    """It hears but never answers: the same words, and what was said before, go to a new session."""
    async with talking(tmp_path, Script(turns=(SOON,)), patience_s=3.0) as talk:
        await talk.handle()
        talk.session.send_text("what is it?")
        await talk.ear.until(TurnComplete)
        await talk.handle()
        await talk.server.do(Poison())
        await talk.server.drop()
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        talk.session.send_text("and now?")
        assert not (await talk.ear.until(SessionOpened, 3)).resumed
        await talk.ear.until(TurnComplete, 2)
        assert [news.why for news in talk.ear.all(Unheard)] == ["nothing"]
        assert [news.what for news in talk.ear.all(Stalled)] == ["restarted"]
        fresh = await connection(talk, 3)
        assert fresh.handle == ""
        assert "User: what is it?" in str(fresh.setup)
        assert fresh.texts == ["and now?"]


async def test_reply_that_stops_in_its_middle_is_ended_here(tmp_path: Path) -> None:
    """No sound inside a turn: nudged, then resumed; what had come is all there is."""
    script = Script(turns=(LONG,), events=(Event("reply", Silence(), after_s=0.3),))
    async with talking(tmp_path, script, patience_s=1.5) as talk:
        await talk.handle()
        talk.session.send_text("tell me a story")
        await talk.ear.until(SessionOpened, 2)
        assert [(news.what, "reply" in news.reason) for news in talk.ear.all(Stalled)] == [
            ("nudged", True),
            ("resumed", True),
        ]
        assert len(talk.ear.all(TurnComplete)) == 1
        await connection(talk, 2)
        said = [text.text for text in talk.ear.all(Transcript) if text.who == "user"]
        assert "Please go on." not in said


async def test_phantom_interruption_is_followed_by_something(tmp_path: Path) -> None:
    """Live API: ``interrupted`` out of nothing, then silence for ever."""
    async with talking(tmp_path, Script(turns=(LONG,), loop=False), patience_s=1.5) as talk:
        await talk.handle()
        talk.session.send_text("tell me a story")
        await talk.ear.until(ReplyAudio)
        await talk.server.do(Interrupt(complete=False))
        await talk.ear.until(Stalled, 2)
        reasons = {news.reason for news in talk.ear.all(Stalled)}
        assert reasons == {"nothing after the reply was interrupted"}
        assert (await talk.ear.until(SessionOpened, 2)).resumed


async def test_model_that_chooses_not_to_answer_is_left_alone(tmp_path: Path) -> None:
    """3.8 heard, and decided that it was not meant: no nudge, no new connection."""
    script = Script(turns=(NEVER, SOON))
    async with talking(tmp_path, script, patience_s=0.6, model="gemini-3.8-live") as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        talk.speak(30)
        talk.session.user_speaks(speaking=False)
        await talk.ear.until(Transcript)
        assert not talk.session.owes
        await talk.heard()
        talk.session.send_text("and this?")
        await talk.ear.until(ReplyAudio)
        assert talk.ear.all(Stalled) == []
        assert len(talk.server.connections) == 1


def test_frames_of_these_tests_are_told_apart() -> None:
    """Else a repeated one would pass for a new one."""
    assert len({frame(number) for number in range(100)}) == 100
