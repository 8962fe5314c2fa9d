"""A session beside a server that refuses a part of its setup, or cannot keep a talk in mind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device.live.refusals import Field
from device.live.resumption import Past
from device.live.setup import GOES_ON
from device.news import (
    ContextFailed,
    FailureKind,
    ReplyAudio,
    SessionOpened,
    SettingRefused,
    TurnComplete,
    Unheard,
)
from device.simulator.refusals import ACCESS_DENIED, FREE_TIER, QUOTA, Refusal
from device.simulator.script import Close, Event, LoseContext, Script, Turn
from tests.live.talk import Talk, Vad, talking
from tests.rig.no_answers import EMPTY

QUESTION = "what is it?"
GOOD = Turn(says="It is this.", audio=300, pace="burst", plays_out=False)


async def answered(talk: Talk, count: int = 1) -> None:
    """Ask in writing, and wait until so many turns are over."""
    talk.session.send_text(QUESTION)
    await talk.ear.until(TurnComplete, count)


def setups(talk: Talk) -> list[str]:
    return [json.dumps(record.setup) for record in talk.server.connections]


# --- a part of the setup is refused --------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "refused", "settings"),
    [
        (Field.THINKING, "thinking", {}),
        (Field.COMPRESSION, "compression", {}),
        (Field.RESUMPTION, "resumption", {}),
        (Field.INPUT_TRANSCRIPTION, "input_transcription", {}),
        (Field.OUTPUT_TRANSCRIPTION, "output_transcription", {}),
        (Field.TURN_COVERAGE, "turn_coverage", {}),
        (Field.VOICE, "voice", {"voice": "Kore"}),
        (Field.LANGUAGE, "language", {"language": "de-DE"}),
        (Field.VAD, "activity_detection", {"vad": Vad(end="low", silence_ms=800)}),
    ],
)
async def test_a_refused_field_costs_no_answer_and_is_found(
    tmp_path: Path, field: Field, refused: str, settings: dict[str, Any]
) -> None:
    """At once without all that can be left out; then one field more in each session."""
    past = Past()
    script = Script(turns=(GOOD,), refusals=(Refusal(field=refused),))  # type: ignore[arg-type]
    told: list[SettingRefused] = []
    for _ in Field:
        async with talking(tmp_path, script, past=past, **settings) as talk:
            await answered(talk)
            await talk.close()
            told += talk.ear.all(SettingRefused)
            assert talk.server.attempts <= 2, "a question costs two setups at most"
    (news,) = told
    assert news.setting == field.value
    assert "invalid argument" in news.reason
    async with talking(tmp_path, script, past=past, **settings) as talk:
        await answered(talk)
        assert talk.server.attempts == 1
        sent = set(talk.server.connections[-1].fields)
        assert {"thinking", "compression", "resumption", "turn_coverage"} - {refused} <= sent
        assert refused not in sent


async def test_what_was_learned_outlives_the_process_but_not_the_key(tmp_path: Path) -> None:
    """It is in what is written down of the talk."""
    past = Past()
    script = Script(turns=(GOOD,), refusals=(Refusal(field="voice"),))
    while not past.refusals.known("gemini-3.1-flash-live-preview", 0.0):
        async with talking(tmp_path, script, past=past, voice="Kore") as talk:
            await answered(talk)
    again = Past()
    again.restore(json.loads(json.dumps(past.as_record())))
    again.forget_talk()
    async with talking(tmp_path, script, past=again, voice="Kore") as talk:
        await answered(talk)
        assert talk.server.attempts == 1
    again.refusals.renew("another version", "a key")
    async with talking(tmp_path, script, past=again, voice="Kore") as talk:
        await answered(talk)
        assert talk.server.attempts == 2


async def test_what_is_corrected_is_sent_again(tmp_path: Path) -> None:
    """The refused value is what was learned of, not the field for good."""
    past = Past()
    script = Script(turns=(GOOD,), refusals=(Refusal(field="voice"),))
    while not past.refusals.known("gemini-3.1-flash-live-preview", 0.0):
        async with talking(tmp_path, script, past=past, voice="Korre") as talk:
            await answered(talk)
    async with talking(tmp_path, Script(turns=(GOOD,)), past=past, voice="Kore") as talk:
        await answered(talk)
        assert "voice" in talk.server.connections[-1].fields


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(code=1011, reason=QUOTA, field="search"),
        Refusal(code=1008, reason=FREE_TIER, field="search"),
    ],
)
async def test_search_that_needs_a_paid_key_is_left_out_for_a_day(
    tmp_path: Path, refusal: Refusal
) -> None:
    """The question is answered without it, and that is told once."""
    past = Past()
    script = Script(turns=(GOOD,), refusals=(refusal,))
    for session in range(2):
        async with talking(tmp_path, script, past=past, google_search=True) as talk:
            await answered(talk)
            await talk.close()
            told = [(news.setting, news.reason) for news in talk.ear.all(SettingRefused)]
            assert told == ([] if session else [("live.google_search", "search needs a paid key")])
            assert talk.server.attempts == 2 - session


async def test_a_quota_that_has_nothing_to_do_with_search_is_told_as_ever(tmp_path: Path) -> None:
    """After one try without it."""
    past = Past()
    script = Script(refusals=(Refusal(code=1011, reason=QUOTA),))
    async with talking(tmp_path, script, past=past, google_search=True) as talk:
        assert (await talk.failed()).failure.kind is FailureKind.QUOTA
        assert talk.server.attempts == 2
        assert talk.ear.all(SettingRefused) == []
        assert past.refusals.known(talk.session.model, 0.0) == []


async def test_a_setup_that_is_refused_without_any_of_it_too_is_told_as_ever(
    tmp_path: Path,
) -> None:
    """Two tries, and what the server said."""
    async with talking(tmp_path, Script(refusals=(Refusal(),))) as talk:
        assert (await talk.failed()).failure.kind is FailureKind.SETTINGS
        assert talk.server.attempts == 2
        assert talk.ear.all(SettingRefused) == []


async def test_a_project_that_one_model_refuses_is_answered_by_the_next(tmp_path: Path) -> None:
    """It is the key's project that is refused, for this model only."""
    refusal = Refusal(code=1008, reason=ACCESS_DENIED, models=("gemini-3.1-flash-live-preview",))
    script = Script(turns=(GOOD,), refusals=(refusal,))
    async with talking(tmp_path, script, fallback_models=("gemini-3.8-live",)) as talk:
        await answered(talk)
        assert talk.session.model == "gemini-3.8-live"


# --- the server's memory -------------------------------------------------------------------------


async def test_a_resume_that_has_lost_the_talk_goes_on_over_a_fresh_session_that_is_told_of_it(
    tmp_path: Path,
) -> None:
    """Each resumed setup says that the talk goes on; a fresh one says how it went."""
    long = Turn(says="It is this.", audio=300, pace="burst", plays_out=False, adds_tokens=4_000)
    script = Script(
        turns=(long, GOOD, GOOD), events=(Event("setup", LoseContext(), connections=(2,)),)
    )
    async with talking(tmp_path, script) as talk:
        await answered(talk)
        await answered(talk, 2)
        await talk.handle()
        await talk.server.drop()
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        await answered(talk, 3)
        found = await talk.ear.until(ContextFailed)
        assert found.what == "lost"
        assert found.now < found.before / 2
        assert not (await talk.ear.until(SessionOpened, 3)).resumed
        first, resumed, fresh = setups(talk)
        assert GOES_ON not in first
        assert GOES_ON in resumed
        assert "User: what is it?" in fresh
        await answered(talk, 4)
        assert talk.server.attempts == 3


async def test_a_count_in_mid_turn_hides_no_lost_talk(tmp_path: Path) -> None:
    """Live API: small counts come beside the sound, before the one that tells of the context."""
    long = Turn(says="It is this.", audio=300, pace="burst", plays_out=False, adds_tokens=4_000)
    counts = replace(GOOD, order="text_first")
    script = Script(
        turns=(long, GOOD, counts), events=(Event("setup", LoseContext(), connections=(2,)),)
    )
    async with talking(tmp_path, script) as talk:
        await answered(talk)
        await answered(talk, 2)
        await talk.handle()
        await talk.server.drop()
        assert (await talk.ear.until(SessionOpened, 2)).resumed
        await answered(talk, 3)
        assert (await talk.ear.until(ContextFailed)).what == "lost"


async def test_a_context_that_is_never_compressed_is_left_for_a_fresh_one(tmp_path: Path) -> None:
    """Beyond twice the trigger each turn would be billed with all of it."""
    grows = Turn(says="It is this.", audio=300, pace="burst", plays_out=False, adds_tokens=30_000)
    async with talking(tmp_path, Script(turns=(grows,), compresses=False)) as talk:
        for count in range(1, 4):
            await answered(talk, count)
        found = await talk.ear.until(ContextFailed)
        assert (found.what, found.before) == ("growing", 25_600)
        assert found.now > 2 * 25_600
        assert not (await talk.ear.until(SessionOpened, 2)).resumed
        assert "It is this." in setups(talk)[-1]


async def test_a_context_that_is_compressed_as_agreed_is_no_news(tmp_path: Path) -> None:
    """It is cut in half now and then, also right after a resume."""
    grows = Turn(says="It is this.", audio=300, pace="burst", plays_out=False, adds_tokens=9_000)
    async with talking(tmp_path, Script(turns=(grows,))) as talk:
        for count in range(1, 7):
            await answered(talk, count)
            if count % 2:
                await talk.handle()
                await talk.server.drop()
                await talk.ear.until(SessionOpened, 2 + count // 2)
        assert talk.ear.all(ContextFailed) == []


# --- asked again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("forget", [False, True])
async def test_it_is_asked_again_here_or_of_a_fresh_session(
    tmp_path: Path, *, forget: bool
) -> None:
    """That knows what was said, or nothing of it."""
    later = replace(GOOD, first=(EMPTY, EMPTY), first_over="all")
    async with talking(tmp_path, Script(turns=(GOOD, later), fresh="next")) as talk:
        await answered(talk)
        talk.session.send_text("and now?")
        await talk.ear.until(Unheard)
        talk.session.ask_again(fresh=False, forget=False)
        await talk.ear.until(Unheard, 2)
        talk.session.ask_again(fresh=True, forget=forget)
        await talk.ear.until(TurnComplete, 4)
        assert len(talk.ear.all(SessionOpened)) == 2
        assert [question.text for question in talk.server.questions] == [
            QUESTION,
            *["and now?"] * 3,
        ]
        assert ("It is this." in setups(talk)[-1]) is not forget
        assert [news.why for news in talk.ear.all(Unheard)] == ["empty", "empty"]


async def test_a_model_that_needs_silence_after_the_words_gets_it(tmp_path: Path) -> None:
    """Where the microphone is gone right after them, the end of the stream tells it nothing."""
    heard = Turn(heard=QUESTION, says="It is this.", audio=300, plays_out=False)
    script = Script(turns=(heard,), takes_stream_end=False, silence_ms=400)
    async with talking(tmp_path, script, model="gemini-3.8-live") as talk:
        talk.session.user_speaks(True)
        for _ in range(40):
            talk.session.send_frame(b"\x00\x20" * 320)
        talk.session.user_speaks(False, 0.8)
        talk.session.finish_audio()
        await talk.ear.until(TurnComplete)
        assert talk.ear.all(ReplyAudio)


async def test_the_answer_after_an_interruption_without_an_end_is_heard_whole(
    tmp_path: Path,
) -> None:
    """Also where its sound comes before its words are: our own end of speech begins it."""
    story = Turn(audio=20_000, pace="realtime", interruption_completes=False)
    answer = Turn(heard=QUESTION, says="It is this.", audio=1_000, pace="burst", heard_at="around")
    async with talking(tmp_path, Script(turns=(story, answer), silence_ms=200)) as talk:
        talk.session.send_text("a story")
        first = await talk.ear.until(ReplyAudio)
        talk.session.user_speaks(True)
        for _ in range(40):
            talk.session.send_frame(b"\x00\x20" * 320)
        talk.session.user_speaks(False, 0.8)
        for _ in range(20):
            talk.session.send_frame(bytes(640))
        await talk.ear.until(TurnComplete, 2)
        sound: dict[int, int] = {}
        for chunk in talk.ear.all(ReplyAudio):
            sound[chunk.turn] = sound.get(chunk.turn, 0) + len(chunk.pcm)
        (second,) = [turn for turn in sound if turn != first.turn]
        assert sound[second] == 48_000


async def test_a_refusal_that_comes_later_is_not_about_the_setup(tmp_path: Path) -> None:
    """What is said right after the setup was confirmed is told as ever."""
    close = Event("ready", Close(1007, "Request contains an invalid argument."))
    async with talking(tmp_path, Script(events=(close,)), lost_after_s=0.0) as talk:
        assert (await talk.failed()).failure.kind is FailureKind.SERVER
        assert talk.ear.all(SettingRefused) == []
