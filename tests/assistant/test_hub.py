"""The hub, made of fakes: what goes up, what is heard, what is told, and how it ends."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from device import faults
from device import news as n
from device.assistant import countdown, sessions
from device.assistant.countdown import FIRST_WORDS_S
from device.assistant.uplink import SAME_BREATH_S
from device.board.gestures import HOLD_S
from device.board.profiles import profile_named
from device.config import Config, parse
from device.echo.canceller import EchoCanceller, Heard
from device.echo.path import EchoFigures
from device.errors import AudioDeviceError, BoardError, CredentialError, DeviceTrouble
from device.frames import FRAME_SAMPLES, SILENT_FRAME, Frame
from device.lights.render import WHITE
from device.live.session import LiveSession
from device.news import (
    ButtonEdge,
    Failure,
    FailureKind,
    HandleChanged,
    Interrupted,
    ModelReplaced,
    PartLost,
    PlaybackDrained,
    PlaybackStarved,
    Pressed,
    Reconnecting,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SpeechChanged,
    TurnComplete,
    UplinkChanged,
)
from device.ports import Played
from device.signals import SIGNALS
from tests.rig.fakes import MODEL, PATIENCE_S, FakeMicrophone, FakeSession, Hub, lost, until

FRAMES_A_SECOND = 50
FIRST_WORDS_FRAMES = round(FIRST_WORDS_S * FRAMES_A_SECOND)
PRE_ROLL_FRAMES = 75
"""wake.pre_roll_s is 1.5 s."""

NETWORK = Failure(FailureKind.NETWORK, "no network: check the router", retryable=True)
BILLING = Failure(FailureKind.BILLING, "no money: see the bill", retryable=False)


def pcm(frames: list[Frame]) -> list[bytes]:
    return [frame.pcm for frame in frames]


def failed(session: FakeSession, failure: Failure = NETWORK) -> None:
    session.end(SessionFailed(session.number, failure, MODEL, 1.0))


def heard(hub: Hub, turn: int, played_ms: int = 900) -> None:
    hub.assistant.post(PlaybackDrained(turn, played_ms, 9.0))


def tap(hub: Hub) -> None:
    hub.assistant.post(Pressed("tap", 1.0))


def test_the_pretended_session_has_the_real_ones_face() -> None:
    """What the hub calls here is there, and takes the same."""
    for name in ("send_frame", "end_audio", "send_text", "user_speaks", "close", "run", "dismiss"):
        real, pretended = getattr(LiveSession, name), getattr(FakeSession, name)
        assert inspect.signature(real) == inspect.signature(pretended)
    assert {"counters", "model", "owes", "understood"} <= set(dir(LiveSession))


# --- what goes up --------------------------------------------------------------------------------


async def test_the_pre_roll_goes_up_first_and_then_every_frame_once() -> None:
    """From 1.5 s before the end of the wake word on, also what came while it was found out."""
    hub = Hub()
    async with hub.running(), asyncio.timeout(PATIENCE_S):
        before = await hub.hear(120)
        late = await hub.hear(4)
        hub.detector.hear(before[-1].end_sample)
        after = await hub.hear(10)
        hub.session.opened()
        after += await hub.hear(10)
    assert hub.session.frames == pcm(before[-PRE_ROLL_FRAMES:] + late + after)


async def test_quiet_frames_go_up_like_all_others_and_count_for_what_is_awaited() -> None:
    """At rest they take a short way, which leaves none out; in a talk they count the silence."""
    hub = Hub()
    async with hub.running(), asyncio.timeout(PATIENCE_S):
        before = await hub.hear(PRE_ROLL_FRAMES, quiet=True)
        hub.detector.hear(before[-1].end_sample)
        await until(lambda: hub.sessions)
        hub.session.opened()
        after = await hub.hear(FIRST_WORDS_FRAMES - 1, quiet=True)
        assert hub.state == "listening"
        assert hub.session.frames == pcm(before + after)
        await hub.hear(1, quiet=True)
        await until(lambda: hub.state == "idle")


async def test_nothing_goes_up_before_a_wake_word_and_nothing_after_the_talk() -> None:
    """Whatever is said."""
    hub = Hub("conversation: {follow_up_s: 1}")
    async with hub.running():
        await hub.hear(200)
        assert hub.sessions == []
        session = await hub.wake()
        await hub.hear(FIRST_WORDS_FRAMES)
        await until(lambda: hub.state == "idle")
        sent = len(session.frames)
        await hub.hear(200)
    assert session.sent[-1] == "end"
    assert len(session.frames) == sent == PRE_ROLL_FRAMES + FIRST_WORDS_FRAMES


async def test_a_second_wake_over_a_kept_session_repeats_nothing() -> None:
    """Its pre-roll begins where the uplink ended, or later; in order, nothing twice."""
    hub = Hub()
    async with hub.running():
        first = await hub.hear(100)
        session = await hub.wake()
        first += await hub.hear(5)
        hub.assistant.post(n.Stop())
        unsent = await hub.hear(20)
        await hub.wake()
        second = await hub.hear(5)
        hub.assistant.post(n.Stop())
        await hub.hear(200)
        later = await hub.hear(100)
        await hub.wake()
    assert len(hub.sessions) == 1
    assert session.sent == [
        *pcm(first[-PRE_ROLL_FRAMES - 5 :]),
        "end",
        *pcm(unsent + second),
        "end",
        *pcm(later[-PRE_ROLL_FRAMES:]),
    ]


async def test_a_wake_word_told_while_its_frame_is_fed_sends_that_frame_once() -> None:
    """A detector without a thread of its own is as good."""
    hub = Hub()
    async with hub.running():
        before = await hub.hear(10)
        hub.detector.instantly = True
        after = await hub.hear(5)
    assert hub.session.frames[-15:] == pcm(before + after)


async def test_a_press_sends_from_half_a_second_before() -> None:
    """People begin to speak while the finger is still on its way."""
    hub = Hub()
    async with hub.running():
        before = await hub.hear(100)
        tap(hub)
        after = await hub.hear(3)
    assert hub.session.frames == pcm(before[-FRAMES_A_SECOND // 2 :] + after)


class FakeEcho:
    """Hears our own voice in every frame, and somebody over it in every second one."""

    def __init__(self) -> None:
        self.figures = EchoFigures(None, None, None, None, None, None, 40.0, learned=True)
        self.blind = False
        self.doubted = True

    def hear(self, frame: Frame, _: list[Played], *, attentive: bool = False) -> Heard:
        cleaned = replace(frame, pcm=frame.pcm[::-1])
        near = frame.first_sample // FRAME_SAMPLES % 2 == 0
        return Heard(cleaned, frame.pcm, near=near, bright=near)


async def test_the_detector_and_the_server_are_given_what_is_left_of_our_own_voice() -> None:
    """The detector is told besides what of ours was in it, and whether somebody talks over it."""
    hub = Hub("audio: {duplex: full}")
    async with hub.running():
        hub.assistant.echo.echo = cast("EchoCanceller", FakeEcho())
        known = len(hub.detector.fed)
        before = await hub.hear(10)
        session = await hub.wake()
        after = await hub.hear(10)
    delivered = [*before, *after]
    assert [fed.pcm for fed in hub.detector.fed[known:]] == [f.pcm[::-1] for f in delivered]
    assert hub.detector.far_ends[known:] == pcm(delivered)
    over = [f.first_sample // FRAME_SAMPLES % 2 == 0 for f in delivered]
    assert hub.detector.talked_over[known:] == over
    assert session.frames[-20:] == [f.pcm[::-1] for f in delivered]


async def test_half_duplex_sends_silence_while_a_reply_is_audible() -> None:
    """The cadence goes on; a wake word opens the microphone again from the next frame on."""
    hub = Hub("audio: {duplex: half}")
    async with hub.running():
        await hub.hear(100)
        session = await hub.speaking()
        hub.speaker.audible = True
        before = len(session.frames)
        unsent = await hub.hear(50)
        assert session.frames[before:] == [SILENT_FRAME] * 50
        hub.detector.hear(unsent[-3].end_sample)
        hub.speaker.audible = False
        delivered = await hub.hear(3)
        # The detection comes after the word: what followed it in one breath was not lost.
        same_breath = unsent[-3 - round(SAME_BREATH_S * FRAMES_A_SECOND) + 1 :]
        assert session.frames[before + 50 :] == pcm([*same_breath, *delivered])


async def test_full_duplex_touches_nothing() -> None:
    """What goes up is the microphone, bit for bit, also during a reply."""
    hub = Hub("audio: {duplex: full, echo_cancellation: off}")
    async with hub.running():
        await hub.hear(100)
        session = await hub.speaking()
        hub.speaker.audible = True
        hub.speaker.level = 0.3
        before = len(session.frames)
        delivered = await hub.hear(60)
        assert session.frames[before:] == pcm(delivered)


async def test_a_typed_question_sends_words_and_no_sound() -> None:
    """Nobody said the wake word."""
    hub = Hub()
    async with hub.running():
        await hub.hear(10)
        hub.assistant.post(n.Ask("why?"))
        hub.session.opened()
        await hub.hear(10)
        tracked = [hub.detector.tracking]
        hub.session.say(1)
        await hub.hear(10)
        tracked.append(hub.detector.tracking)
        heard(hub, 1)
        assert tracked == [False, True]
        assert hub.session.sent == [">why?"]
        assert hub.path == ["idle", "connecting", "thinking", "speaking", "idle"]
        assert hub.detector.tracking is False


async def test_speech_is_followed_only_during_a_talk() -> None:
    """And session and owner know whether someone is in mid-sentence, until the talk is over."""
    hub = Hub()
    async with hub.running():
        assert hub.detector.tracking is False
        session = await hub.wake()
        tracked = [hub.detector.tracking]
        hub.detector.speech(speaking=True)
        assert session.user_speaking
        hub.assistant.post(n.Stop())
        tracked.append(hub.detector.tracking)
        assert [*tracked, session.user_speaking] == [True, False, False]
        # The detector's own news of the end, which was on its way, tells nothing more.
        hub.detector.speech(speaking=False)
        assert [event.fields["what"] for event in hub.told("activity")] == ["started", "ended"]


async def test_the_follow_up_window_does_not_run_while_someone_speaks() -> None:
    """It counts frames without speech."""
    hub = Hub("conversation: {follow_up_s: 1}")
    async with hub.running():
        await hub.speaking()
        heard(hub, 1)
        await hub.hear(40)
        hub.detector.speech(speaking=True)
        await hub.hear(100)
        assert hub.state == "listening"
        hub.detector.speech(speaking=False)
        assert hub.state == "thinking"


# --- what is heard -------------------------------------------------------------------------------


async def test_a_reply_is_played_turn_by_turn() -> None:
    """Chunks as they come, then the end of the turn; only its drain ends the speaking."""
    hub = Hub()
    async with hub.running():
        session = await hub.speaking(turn=1)
        session.say(1, b"\2\0")
        session.post(TurnComplete(1, 1, 1.0))
        assert hub.speaker.played == [(1, b"\1\0"), (1, b"\2\0")]
        assert hub.speaker.ended == [1]
        assert hub.state == "speaking"
        heard(hub, 1)
        assert hub.state == "listening"
        session.say(2)
        assert hub.speaker.played[-1] == (2, b"\1\0")


@pytest.mark.parametrize("how", ["stop", "tap", "wake word", "interrupted"])
async def test_what_is_left_of_a_cut_reply_never_reaches_the_loudspeaker(how: str) -> None:
    """It is silenced at once, told once, and its late chunks go nowhere."""
    hub = Hub("conversation: {resume_reply: false}")
    async with hub.running():
        session = await hub.speaking(turn=1)
        match how:
            case "stop":
                hub.assistant.post(n.Stop())
            case "tap":
                tap(hub)
            case "wake word":
                hub.detector.hear(hub.detector.fed[-1].end_sample)
            case "interrupted":
                session.post(Interrupted(1, 1, 1.0))
        assert hub.speaker.cleared == 1
        session.say(1, b"\3\0")
        session.post(TurnComplete(1, 1, 1.0))
        heard(hub, 1)
        assert hub.speaker.played == [(1, b"\1\0")]
        (cut,) = hub.told("reply", what="interrupted")
        assert cut.fields == {"what": "interrupted", "turn": 1, "played_ms": 340}
        assert len(hub.told("reply", what="started")) == 1


async def test_a_reply_that_nobody_waits_for_is_neither_played_nor_told() -> None:
    """The talk was over before it began; the next one is heard again."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        hub.assistant.post(n.Stop())
        session.say(1)
        session.say(1)
        assert hub.told("reply") == []
        await hub.wake()
        session.say(1)
        session.say(2)
        assert hub.speaker.played == [(2, b"\1\0")]
        assert [event.fields["turn"] for event in hub.told("reply", what="started")] == [2]


async def test_a_reply_of_a_session_that_is_being_closed_is_neither_played_nor_told() -> None:
    """Its last chunks may come while it ends."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        await hub.assistant.mute.mute()
        session.say(1)
        session.say(1)
        assert hub.speaker.played == []
        assert hub.told("reply") == []


async def test_what_comes_of_a_reply_after_it_was_over_is_not_played() -> None:
    """The loudspeaker was pulled out in its middle: it does not break into the user's turn."""
    hub = Hub()
    async with hub.running():
        session = await hub.speaking(turn=1)
        heard(hub, 1)
        session.say(1, b"\2\0")
        assert hub.speaker.played == [(1, b"\1\0")]
        assert hub.state == "listening"


async def test_a_reply_that_starved_goes_on_when_more_comes() -> None:
    """The patience with it ends there; it is not told as a new one."""
    hub = Hub()
    async with hub.running():
        session = await hub.speaking(turn=1)
        clock = hub.assistant.talk.now.clock
        hub.assistant.post(PlaybackStarved(1, 1.0))
        assert hub.assistant.talk.now.clock > clock
        session.say(1, b"\2\0")
        assert hub.assistant.talk.now.clock > clock + 1
        assert hub.speaker.played == [(1, b"\1\0"), (1, b"\2\0")]
        assert len(hub.told("reply", what="started")) == 1


async def test_who_talks_over_a_reply_pauses_it_until_it_is_known_what_they_want() -> None:
    """How soon it falls silent counts from the frame in which they were heard."""
    hub = Hub()
    async with hub.running():
        session = await hub.speaking()
        heard_at = time.monotonic() - 0.25
        hub.assistant.post(n.TalkedOver(heard_at, time.monotonic()))
        assert hub.speaker.paused == [True]
        hub.assistant.post(n.FellSilent(time.monotonic()))
        assert hub.speaker.paused == [True, False]
        assert (hub.state, hub.speaker.cleared) == ("speaking", 0)
        assert not session.user_speaking
        silence = hub.assistant.latency.figures()["barge_in_to_silence"]
        assert silence["count"] == 1
        assert silence["p50"] is not None
        assert silence["p50"] >= 250
    told = [event.fields for event in hub.told("barge_in")]
    assert told == [{"what": "began"}, {"what": "dismissed"}]


async def test_who_speaks_on_over_a_reply_is_heard_from_where_they_began() -> None:
    """The reply is over; the session learns that they speak, and gets what was held back."""
    hub = Hub("audio: {duplex: half}")
    async with hub.running():
        session = await hub.speaking()
        hub.speaker.audible = True
        before = len(session.frames)
        unsent = await hub.hear(50)
        hub.assistant.post(n.TalkedOver(1.0, 1.0))
        hub.assistant.post(n.BargedIn(unsent[-10].end_sample, 1.0))
        assert hub.state == "listening"
        assert session.user_speaking
        same_breath = round(SAME_BREATH_S * FRAMES_A_SECOND)
        assert session.frames[before + 50 :] == pcm(unsent[-9 - same_breath :])
    assert [event.fields["what"] for event in hub.told("barge_in")] == ["began", "confirmed"]
    assert len(hub.told("reply", what="interrupted")) == 1


async def test_words_over_a_reply_interrupt_it_and_noise_does_not() -> None:
    """What the detector says of the speech in it decides."""
    hub = Hub("audio: {duplex: full}")
    async with hub.running():
        hub.assistant.echo.echo = cast("EchoCanceller", FakeEcho())
        await hub.speaking()
        heard_over = await hub.hear(22)
        assert (hub.speaker.paused, hub.speaker.cleared) == ([True], 0)
        for frame in heard_over:
            hub.assistant.post(n.SpeechJudged(0.9, frame.first_sample, frame.end_sample, 1.0))
        assert (hub.speaker.cleared, hub.state) == (1, "listening")


async def test_what_is_said_while_the_button_is_held_is_one_turn() -> None:
    """From the press to the release, whoever speaks in between and whoever pauses."""
    hub = Hub()
    async with hub.running():
        hub.assistant.post(ButtonEdge(True, time.monotonic() - HOLD_S))
        await until(lambda: hub.told("button", gesture="hold"))
        hub.session.opened()
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        said = await hub.hear(3)
        hub.assistant.post(ButtonEdge(False, time.monotonic()))
        await until(lambda: hub.state == "thinking")
        await hub.hear(3)
    words = [item for item in hub.session.sent if isinstance(item, str)]
    assert words == ["press", "hold", "heard", "release"]
    assert hub.session.sent[-4:] == [*pcm(said), "release"]


async def test_chimes_are_played_once_or_not_at_all() -> None:
    """One for waking, one for the end; none where the owner wants none."""
    for config, chimes in [("", ["wake", "end"]), ("audio: {chimes: off}", [])]:
        hub = Hub(config)
        async with hub.running():
            await hub.wake()
            hub.assistant.post(n.Stop())
            assert hub.speaker.chimes == chimes


# --- what nobody could hear -----------------------------------------------------------------------


def unheard(session: FakeSession, turn: int, why: Any = "empty") -> None:
    session.post(n.Unheard(session.number, turn, why, False, 1.0))


async def test_what_nobody_could_hear_is_asked_again_and_at_last_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each step is an event; the light thinks, and no sound says that it is over."""
    monkeypatch.setattr(countdown, "PATIENCE_S", 0.01)
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        unheard(session, 1)
        assert hub.state == "thinking"
        await until(lambda: hub.speaker.chimes == ["wake", "thinking"])
        unheard(session, 2, "rejected")
        assert session.sent[-2:] == ["ask again", "ask afresh"]
        assert session.forgets
        unheard(session, 3, "silent")
        assert hub.state == "fault"
        assert [(e.fields["why"], e.fields["what"]) for e in hub.told("unheard")] == [
            ("empty", "asked_again"),
            ("rejected", "fresh_session"),
            ("silent", "told"),
        ]
        counted = {"empty": 1, "rejected": 1, "silent": 1}
        assert hub.assistant.session_faults.unheard == counted
        (fault,) = hub.told("fault")
        assert fault.fields["kind"] == "timeout"
        assert "cannot be heard (silent)" in fault.fields["message"]
        assert hub.speaker.chimes == ["wake", "thinking", "error_service"]
        await until(lambda: session.closed_with is not None)
        assert session.gave_up


async def test_a_reply_that_is_a_dead_line_is_silenced_and_asked_for_again() -> None:
    """Its rest is not played when it comes."""
    hub = Hub()
    async with hub.running():
        session = await hub.speaking(turn=1)
        unheard(session, 1, "silent")
        assert hub.speaker.cleared == 1
        assert hub.state == "thinking"
        session.say(1)
        session.say(2)
        assert hub.speaker.played == [(1, b"\1\0"), (2, b"\1\0")]


async def test_a_reply_goes_on_after_a_wake_word_that_nobody_said() -> None:
    """It pauses for it, and nothing of it is lost."""
    hub = Hub("conversation: {follow_up_s: 1}")
    async with hub.running():
        session = await hub.speaking(turn=1)
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        assert (hub.state, hub.speaker.paused, hub.speaker.cleared) == ("listening", [True], 0)
        session.say(1, b"\2\0")
        await hub.hear(FIRST_WORDS_FRAMES)
        assert (hub.state, hub.speaker.paused) == ("speaking", [True, False])
        assert hub.speaker.played == [(1, b"\1\0"), (1, b"\2\0")]
        heard(hub, 1)
        assert hub.state == "listening"


async def test_it_listens_on_as_the_owner_wants() -> None:
    """From the start, and after a reload of the setting."""
    hub = Hub("conversation: {follow_up: never}")
    async with hub.running():
        await hub.speaking(turn=1)
        heard(hub, 1)
        assert hub.state == "idle"
        hub.assistant.settings.replace(parse("conversation: {follow_up: always}", "test.yaml"))
        hub.assistant.tell_habits()
        session = await hub.wake()
        session.say(2)
        heard(hub, 2)
        assert hub.state == "listening"


async def test_a_microphone_that_goes_away_after_the_last_word_loses_no_answer() -> None:
    """What was said is answered all the same."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        hub.microphone.fail(lost())
        await until(lambda: session.sent[-1] == "finish")
        assert session.dismissed == 0
        session.say(1)
        assert hub.state == "speaking"


# --- mute ----------------------------------------------------------------------------------------


async def test_muted_the_microphone_is_closed_and_the_session_over() -> None:
    """When `mute` returns; nothing goes up any more."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        await hub.hear(5)
        await hub.assistant.mute.mute()
        assert not hub.microphone.is_open
        await until(lambda: hub.told("session", what="closed", reason="muted"))
        assert hub.state == "muted"
        assert hub.assistant.sessions.session is None
        sent = len(session.sent)
        await hub.assistant.mute.unmute()
        await hub.hear(5)
        assert len(session.sent) == sent
        assert hub.path[-3:] == ["muted", "starting", "idle"]


async def test_what_was_heard_before_it_was_muted_goes_up_to_nobody() -> None:
    """Although a wake word sends what came right before it."""
    hub = Hub()
    async with hub.running():
        await hub.hear(100)
        await hub.assistant.mute.mute()
        await hub.assistant.mute.unmute()
        delivered = await hub.hear(5)
        session = await hub.wake()
    assert session.frames == pcm(delivered)


# --- faults --------------------------------------------------------------------------------------


async def test_a_missing_key_is_told_at_once_and_at_every_try() -> None:
    """As a fault that only the owner can mend; with a key the next wake word works."""
    hub = Hub()
    hub.no_session = CredentialError("no API key: write it to /etc/parley/…")
    async with hub.running():
        await hub.hear(10)
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        await until(lambda: hub.state == "fault")
        (fault,) = hub.told("fault")
        about = {"kind": "key", "message": str(hub.no_session), "fatal": True}
        assert fault.fields == {**about, "cleared": False}
        (told,) = hub.told("session", what="failed")
        assert told.fields["reason"] == str(hub.no_session)
        (opening,) = hub.told("session", what="opening")
        assert opening.time <= told.time
        assert hub.speaker.chimes == ["wake", "error_account"]
        assert hub.assistant.sessions.session is None
        hub.no_session = None
        await hub.wake()
        assert hub.state == "listening"
        assert [event.fields["cleared"] for event in hub.told("fault")] == [False, True]


async def test_the_key_that_is_missing_from_the_start_is_a_fault_from_the_start() -> None:
    """`parley status` tells it before anyone has spoken."""
    hub = Hub(missing_key="no API key")
    async with hub.running():
        (fault,) = hub.assistant.faults.active
        assert (fault.kind, fault.message, fault.fatal) == ("key", "no API key", True)


@pytest.mark.parametrize(("failure", "fatal"), [(NETWORK, False), (BILLING, True)])
async def test_a_session_that_fails_is_a_fault_until_one_opens(
    failure: Failure, fatal: bool
) -> None:
    """Told with its kind, and whether trying again can help; shown, and then at rest again."""
    hub = Hub()
    async with hub.running():
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        failed(hub.session, failure)
        await until(lambda: hub.state == "fault")
        about = {"kind": failure.kind.value, "message": failure.message, "fatal": fatal}
        assert hub.told("fault")[0].fields == {**about, "cleared": False}
        assert hub.speaker.chimes == ["wake", SIGNALS[failure.kind].chime]
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        assert len(hub.sessions) == 2
        hub.session.opened()
        assert hub.told("fault")[-1].fields == {**about, "cleared": True}


async def test_a_failure_is_told_anew_each_time_and_only_the_newest_is_in_force() -> None:
    """Who asks in vain a second time is told so a second time."""
    hub = Hub()
    async with hub.running():
        for failure in (NETWORK, NETWORK, BILLING):
            hub.detector.hear(hub.detector.fed[-1].end_sample)
            failed(hub.session, failure)
            await until(lambda: hub.state == "fault")
        told = [(e.fields["kind"], e.fields["cleared"]) for e in hub.told("fault")]
        assert told == [
            ("network", False),
            ("network", False),
            ("network", True),
            ("billing", False),
        ]


@pytest.mark.parametrize("in_reply", [False, True])
async def test_a_server_that_stops_answering_is_a_fault_and_its_session_is_let_go(
    in_reply: bool,
) -> None:
    """Before a reply, or before a reply that was announced can be heard."""
    hub = Hub("conversation: {reply_timeout_s: 2}")
    async with hub.running():
        session = await hub.wake()
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        assert hub.state == "thinking"
        if in_reply:
            session.say(1)
        await until(lambda: hub.state == "fault")
        (fault,) = hub.told("fault")
        assert fault.fields["kind"] == "timeout"
        assert hub.told("stall", what="apologised")
        assert hub.assistant.session_faults.apologies == 1
        assert hub.speaker.chimes[-1] == "error_service"
        await until(lambda: session.closed_with == "no answer came")
        await hub.wake()
        assert len(hub.sessions) == 2


async def test_a_server_that_owes_nothing_is_not_blamed_for_it() -> None:
    """A model chose not to answer, or there were no words: the light goes calm."""
    hub = Hub("conversation: {reply_timeout_s: 2}")
    async with hub.running():
        session = await hub.wake()
        session.owes = False
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        await until(lambda: hub.state == "idle")
        assert hub.told("fault") == []
        assert session.closed_with is None


async def test_a_connection_that_is_tried_for_is_a_fault_until_it_is_back() -> None:
    """The lights say that nobody listens at the other end; what is said is held meanwhile."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        session.post(Reconnecting(session.number, NETWORK, 1.0))
        assert hub.state == "connecting"
        assert hub.told("session", what="opening", reason=NETWORK.message)
        assert [event.fields["cleared"] for event in hub.told("fault", kind="network")] == [False]
        frames = await hub.hear(3)
        assert session.frames[-3:] == pcm(frames)
        session.opened(resumed=True)
        assert hub.state == "listening"
        assert [event.fields["cleared"] for event in hub.told("fault")] == [False, True]
        assert hub.speaker.chimes == ["wake"]
        assert hub.speaker.announced == []


async def test_a_kept_session_that_is_tried_for_is_no_fault() -> None:
    """Nobody waits for it."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        hub.assistant.post(n.Stop())
        session.post(Reconnecting(session.number, NETWORK, 1.0))
        assert hub.state == "idle"
        assert hub.told("fault") == []


async def test_a_failure_is_spoken_until_somebody_wants_to_talk() -> None:
    """Chime, then the sentence in the conversation's language; the wake word ends it."""
    hub = Hub("live: {language: de-DE}")
    async with hub.running():
        assert "sentences de-DE" in hub.made
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        failed(hub.session)
        await until(lambda: hub.state == "fault")
        assert hub.speaker.announced == [b"de-DE: network"]
        before = hub.speaker.hushed
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        assert hub.state == "connecting"
        assert hub.speaker.hushed == before + 1


@pytest.mark.parametrize(
    ("config", "chimes", "announced"),
    [
        ("audio: {announcements: off}", ["wake", "error_network"], []),
        ("audio: {chimes: off}", [], [b"None: network"]),
    ],
)
async def test_what_is_not_wanted_is_not_heard(
    config: str, chimes: list[str], announced: list[bytes]
) -> None:
    """Chimes and sentences are switched by themselves."""
    hub = Hub(config)
    async with hub.running():
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        failed(hub.session)
        await until(lambda: hub.state == "fault")
        assert (hub.speaker.chimes, hub.speaker.announced) == (chimes, announced)


async def test_a_deaf_speaker_says_so_when_it_is_asked() -> None:
    """The button is the only way to ask it."""
    hub = Hub()
    async with hub.running():
        hub.microphone.opening = [lost()] * 100
        hub.microphone.fail(lost())
        await until(lambda: hub.state == "fault")
        tap(hub)
        assert hub.speaker.announced == [b"None: microphone"]
        assert hub.speaker.chimes == ["error"]


async def test_another_model_that_answers_is_told_in_writing_until_it_is_configured() -> None:
    """Once, however many sessions follow; it does answer, so nothing is said aloud."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        session.post(ModelReplaced(session.number, "gone", MODEL, 1.0))
        session.opened()
        (fault,) = hub.told("fault")
        assert fault.fields["kind"] == "model_replaced"
        assert "gone" in fault.fields["message"]
        assert MODEL in fault.fields["message"]
        assert hub.speaker.announced == []
        session.post(SessionOpened(session.number, 1.0, Config().live.model, False, 1.0))
        assert [event.fields["cleared"] for event in hub.told("fault")] == [False, True]


async def test_what_is_missing_on_the_device_is_told_from_the_start_and_over_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No network and no time of day are seen without sending anything."""
    monkeypatch.setattr(faults, "LOOK_AGAIN_S", 0.01)
    hub = Hub()
    hub.hindrance = Failure(FailureKind.CLOCK, "it is 1970", retryable=True)
    async with hub.running():
        assert [event.fields["kind"] for event in hub.told("fault")] == ["clock"]
        hub.hindrance = Failure(FailureKind.OFFLINE, "no network", retryable=True)
        await until(lambda: hub.told("fault", kind="offline"))
        hub.hindrance = None
        await until(lambda: not hub.assistant.faults.active)
        told = [(e.fields["kind"], e.fields["cleared"]) for e in hub.told("fault")]
        assert told == [("clock", False), ("clock", True), ("offline", False), ("offline", True)]
        assert hub.speaker.announced == []


async def test_the_talk_so_far_is_kept_beyond_the_process(tmp_path: Path) -> None:
    """Each handle is written down as it comes, and the next speaker begins with the newest."""
    hub = Hub(state=tmp_path)
    async with hub.running():
        session = await hub.wake()
        hub.past.keep("H", MODEL, "host", time.time())
        session.post(HandleChanged(session.number, "H", MODEL, 1.0))
        await until((tmp_path / "talk.json").exists)
    again = Hub(state=tmp_path)
    async with again.running():
        await again.wake()
        assert again.past.handle == "H"


async def test_a_session_that_never_stood_does_not_renew_the_talk() -> None:
    """Nor does a clock in 1970 make it an old one."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        hub.past.keep("H", MODEL, "host", 1_000.0)
        session.counters = {"connections": 0}
        failed(session)
        await until(lambda: hub.assistant.sessions.session is None)
        assert hub.past.at == 1_000.0


async def test_a_typed_question_that_is_stopped_is_not_asked_again() -> None:
    """Nobody waits for its answer any more."""
    hub = Hub()
    async with hub.running():
        hub.assistant.post(n.Ask("and now?"))
        hub.session.opened()
        hub.assistant.post(n.Stop())
        assert hub.state == "idle"
        assert hub.session.dismissed == 1


async def test_a_talk_is_not_continued_when_the_owner_does_not_want_it(tmp_path: Path) -> None:
    """Every wake word begins anew."""
    hub = Hub("conversation: {resume_within_s: 0}", state=tmp_path)
    async with hub.running():
        session = await hub.wake()
        hub.past.keep("H", MODEL, "host", time.time())
        session.end(SessionClosed(1, "idle", 1.0))
        await until(lambda: hub.assistant.sessions.session is None)
        await hub.wake()
        assert hub.past.handle is None


async def test_a_session_that_never_answered_is_not_resumed() -> None:
    """What it would be resumed on is as deaf; what was said is still told."""
    hub = Hub("conversation: {reply_timeout_s: 2}")
    async with hub.running():
        await hub.wake()
        hub.past.keep("H", MODEL, "host", time.time())
        hub.past.said("user", "hello?")
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        await until(lambda: hub.state == "fault")
        assert hub.past.handle is None
        assert hub.session.gave_up
        assert "hello?" in hub.past.summary


async def test_the_session_learns_how_long_somebody_spoke() -> None:
    """Counted in the microphone's samples, not by the clock."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        hub.assistant.post(SpeechChanged(True, 16_000, 1.0))
        hub.assistant.post(SpeechChanged(False, 40_000, 1.1))
        assert (session.user_speaking, session.spoke_s) == (False, 1.5)


async def test_our_own_echo_is_no_word_of_the_user() -> None:
    """Half duplex sends silence over a reply: nobody can be asked to answer it."""
    hub = Hub("audio: {duplex: half}")
    async with hub.running():
        session = await hub.speaking()
        hub.speaker.audible = True
        await hub.hear(1)
        hub.detector.speech(speaking=True)
        assert not session.user_speaking
        hub.speaker.audible = False
        await hub.hear(50)
        hub.detector.speech(speaking=True)
        assert session.user_speaking


async def test_who_says_the_wake_word_over_a_reply_is_no_echo() -> None:
    """Also where half duplex had silenced the first words of it."""
    hub = Hub("audio: {duplex: half}")
    async with hub.running():
        session = await hub.speaking()
        hub.speaker.audible = True
        await hub.hear(1)
        hub.detector.speech(speaking=True)
        before = session.user_speaking
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        assert [before, session.user_speaking] == [False, True]


async def test_what_is_said_into_the_answer_to_a_typed_question_is_not_the_servers() -> None:
    """It may silence it, but nothing of it goes up, so that nothing can be owed for it."""
    hub = Hub()
    async with hub.running():
        await hub.hear(10)
        hub.assistant.post(n.Ask("why?"))
        hub.session.opened()
        hub.session.say(1)
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        hub.detector.speech(speaking=True)
        assert (hub.session.user_speaking, hub.session.spoke_s) == (False, 0.0)
        tap(hub)
        assert hub.state == "listening"
        assert hub.session.user_speaking, "they are listened to from here on"


@pytest.mark.parametrize("understood", [False, True])
async def test_what_is_said_after_a_reply_is_owed_an_answer_only_if_it_was_understood(
    understood: bool,
) -> None:
    """A television in the follow-up window must not end in an apology."""
    hub = Hub("conversation: {reply_timeout_s: 2}")
    async with hub.running():
        session = await hub.speaking()
        heard(hub, 1)
        assert hub.state == "listening"
        session.understood = understood
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        await until(lambda: hub.state in {"idle", "fault"})
        assert hub.state == ("fault" if understood else "idle")
        # The session is closed by a task of its own.
        await until(lambda: (session.closed_with == "no answer came") == understood)
        assert understood or session.closed_with is None


async def test_an_exception_in_a_callback_ends_it_all() -> None:
    """Asyncio would log it and go on with half a step taken."""
    hub = Hub()

    def broken(name: str, gain: float = 1.0) -> None:
        raise ZeroDivisionError(name)

    async def live() -> None:
        async with hub.running():
            hub.speaker.chime = broken  # type: ignore[method-assign]
            loop = asyncio.get_running_loop()
            loop.call_soon(hub.detector.hear, hub.detector.fed[-1].end_sample)
            await until(lambda: hub.lights.dark)

    with pytest.raises(ExceptionGroup) as caught:
        await live()
    assert caught.group_contains(ZeroDivisionError)


async def test_changed_settings_of_the_session_count_from_the_next_talk_on() -> None:
    """The talk that is going on keeps its session; at rest the session gives way."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        hub.assistant.post(n.SettingsChanged())
        assert session.closed_with is None
        hub.assistant.post(n.Stop())
        await until(lambda: session.closed_with == "settings changed")
        await hub.wake()
        assert len(hub.sessions) == 2


async def test_a_kept_session_that_breaks_at_rest_is_no_fault() -> None:
    """Nobody talks: the next wake word opens another."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        hub.assistant.post(n.Stop())
        failed(session)
        await until(lambda: hub.assistant.sessions.session is None)
        assert hub.told("fault") == []
        assert hub.state == "idle"
        await hub.wake()
        assert len(hub.sessions) == 2


@pytest.mark.parametrize("fails", [False, True])
async def test_a_session_that_is_over_is_asked_for_nothing_more(fails: bool) -> None:
    """It is forgotten before the conversation decides what comes next."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        over = SessionFailed(1, NETWORK, MODEL, 1.0) if fails else SessionClosed(1, "", 1.0)
        hub.assistant.post(over)
        assert hub.assistant.sessions.session is None
        assert hub.state == ("fault" if fails else "idle")
        assert "end" not in session.sent
        assert session.dismissed == 0


async def test_news_of_an_older_session_does_not_touch_the_new_one() -> None:
    """A session may still be ending while the next one talks."""
    hub = Hub()
    async with hub.running():
        first = await hub.wake()
        first.end(SessionClosed(1, "idle", 1.0))
        await until(lambda: hub.assistant.sessions.session is None)
        second = await hub.wake()
        first.post(SessionFailed(1, NETWORK, MODEL, 1.0))
        assert hub.assistant.sessions.session is not None
        assert second is not first
        assert hub.told("fault") == []
        assert hub.state in {"connecting", "listening"}


async def test_a_lost_microphone_is_a_fault_until_it_delivers() -> None:
    """Opening alone is not hearing."""
    hub = Hub()
    async with hub.running():
        hub.microphone.fail(lost("it was pulled out"))
        await until(lambda: hub.state == "fault")
        await until(lambda: not hub.microphone.is_open)
        await until(lambda: hub.microphone.is_open)
        assert hub.state == "fault"
        assert [event.fields["cleared"] for event in hub.told("fault")] == [False]
        await hub.hear(1)
        assert [event.fields["cleared"] for event in hub.told("fault")] == [False, True]
        assert hub.path[-2:] == ["fault", "idle"]


async def test_a_kept_session_runs_out_although_the_microphone_is_being_tried() -> None:
    """Each failed try must not begin its time anew."""
    hub = Hub("conversation: {session_keep_s: 0.3}")
    async with hub.running():
        session = await hub.wake()
        hub.assistant.post(n.Stop())
        clock = hub.assistant.talk.now.clock
        hub.microphone.fail(lost())
        await until(lambda: hub.state == "fault")
        for _ in range(3):
            hub.assistant.post(n.MicrophoneLost(DeviceTrouble.LOST, "it was pulled out", 1.0))
        assert hub.assistant.talk.now.clock == clock + 1
        assert len(hub.told("fault")) == 1
        await until(lambda: session.closed_with == "idle")


async def test_a_lost_loudspeaker_is_a_fault_and_shows_in_the_status() -> None:
    """The status line of systemd tells it although the state stays the same."""
    hub = Hub()
    async with hub.running():
        hub.speaker.lose(lost("no output device"))
        await until(lambda: hub.told("fault", kind="speaker", cleared=False))
        assert hub.notified[-1].startswith("STATUS=idle; no output device; hears")
        await until(lambda: hub.told("fault", kind="speaker", cleared=True))
        assert hub.notified[-1].endswith("hears with microphone A for hey_test")
        assert hub.state == "idle"


async def test_lights_and_button_that_fail_are_told_and_the_rest_works() -> None:
    """The speaker goes on in the dark; they are claimed again with the microphone's return."""
    hub = Hub()
    hub.lights.opening = [BoardError("spi is off")]
    hub.button = lambda _config, _profile: refuse()
    async with hub.running():
        told = [(event.fields["kind"], event.fields["message"]) for event in hub.told("fault")]
        # Tried again when the microphone delivered, which the lights survived.
        assert told == [
            ("lights", "spi is off"),
            ("button", "GPIO17 is taken"),
            ("lights", "spi is off"),
        ]
        assert hub.told("fault")[-1].fields["cleared"] is True
        assert [fault.kind for fault in hub.assistant.faults.active] == ["button"]
        await hub.wake()
        hub.lights.broken = BoardError("it was pulled out")
        await until(lambda: hub.assistant.faults.in_force("lights"))
        hub.lights.broken = None
        hub.button = lambda _config, _profile: None
        await hub.assistant.mute.mute()
        await hub.assistant.mute.unmute()
        await hub.hear(1)
        assert hub.assistant.faults.active == []


def refuse() -> None:
    raise BoardError("GPIO17 is taken")


async def test_the_board_is_told_by_the_microphone_that_is_open() -> None:
    """Its lights are claimed then, once, and what it knows of echo counts."""
    hub = Hub()
    hub.boards = {"microphone A": profile_named("flex")}
    async with hub.running():
        assert hub.assistant.panel.profile.name == "flex"
        assert hub.assistant.echo.duplex.figures.mode == "full"
        assert hub.made.count("lights") == 2
        await hub.hear(1)
        await hub.assistant.mute.mute()
        await hub.assistant.mute.unmute()
        await hub.hear(1)
        assert hub.made.count("lights") == 2


# --- plugged out and in -------------------------------------------------------------------------


async def test_an_array_that_was_pulled_out_gets_its_lights_and_levels_back() -> None:
    """They were on the same plug, though they may not have noticed."""
    hub = Hub()
    hub.boards = {"microphone A": profile_named("xvf3800")}
    async with hub.running():
        await until(lambda: hub.refitted == ["levels of xvf3800 by microphone A"])
        assert hub.made.count("lights") == 2
        hub.microphone.fail(lost())
        await until(lambda: hub.state == "fault")
        hub.microphone.deliver(1)
        await until(lambda: hub.state == "idle")
        await until(lambda: len(hub.refitted) == 2)
        assert hub.made.count("lights") == 3


async def _seen(hub: Hub) -> None:
    """Wait until what is plugged in now was looked at and would have been told."""
    looks = hub.looks
    await until(lambda: hub.looks > looks + 3)


async def test_an_array_put_back_while_it_is_muted_shows_so_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No microphone is opened that would tell, and a still light does not notice either."""
    monkeypatch.setattr("device.board.arrivals.LOOK_S", 0.01)
    hub = Hub()
    hub.boards = {"microphone A": profile_named("xvf3800")}
    hub.plugged = frozenset({"1-1 001a 5"})
    async with hub.running():
        await until(lambda: hub.made.count("lights") == 2)
        await hub.assistant.mute.mute()
        hub.plugged = frozenset()
        await _seen(hub)
        assert hub.made.count("lights") == 2
        hub.plugged = frozenset({"1-1 001a 6"})
        await until(lambda: hub.made.count("lights") == 3)
        assert hub.state == "muted"


async def test_a_hat_keeps_its_lights_when_something_else_is_plugged_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless they are broken: then whatever came may be the cure."""
    monkeypatch.setattr("device.board.arrivals.LOOK_S", 0.01)
    hub = Hub()
    hub.boards = {"microphone A": profile_named("2mic-hat")}
    async with hub.running():
        await until(lambda: hub.made.count("lights") == 2)
        await _seen(hub)
        hub.plugged = frozenset({"a loudspeaker"})
        await _seen(hub)
        assert hub.made.count("lights") == 2
        hub.assistant.post(PartLost("lights", "broken", 1.0))
        hub.plugged = frozenset({"a loudspeaker", "a cure"})
        await until(lambda: hub.made.count("lights") == 3)


async def test_a_microphone_that_is_plugged_in_is_opened_without_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long its next try would have been away; so is the loudspeaker."""
    monkeypatch.setattr("device.board.arrivals.LOOK_S", 0.01)
    monkeypatch.setattr("device.audio.keep_open.FIRST_DELAY_S", 3600.0)
    hub = Hub()
    hub.microphone.opening = [lost()]
    hub.speaker.opening = [lost()]
    async with hub.running(hearing=False):
        await until(lambda: hub.state == "fault" and hub.assistant.faults.in_force("speaker"))
        await _seen(hub)
        hub.plugged = frozenset({"card 1"})
        hub.microphone.deliver(1)
        await until(lambda: hub.state == "idle")
        await until(lambda: hub.speaker.is_open)


async def test_the_levels_are_set_before_anything_is_heard() -> None:
    """A firmware may record nothing before: no frame of it would ever come."""
    hub = Hub()
    hub.boards = {"microphone A": profile_named("xvf3800")}
    async with hub.running(hearing=False):
        await until(lambda: hub.refitted == ["levels of xvf3800 by microphone A"])
        assert hub.microphone.counters["frames"] == 0


async def test_a_hat_that_was_busy_keeps_its_lights() -> None:
    """Nobody pulls it out."""
    hub = Hub()
    hub.boards = {"microphone A": profile_named("2mic-hat")}
    async with hub.running():
        hub.microphone.fail(lost())
        await until(lambda: hub.state == "fault")
        hub.microphone.deliver(1)
        await until(lambda: hub.state == "idle")
        assert hub.made.count("lights") == 2


async def test_levels_that_cannot_be_set_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each time the array comes it is tried; the journal is not filled."""
    hub = Hub()
    hub.no_levels = ["amixer cannot set PCM,1 of card 2: no such control"]
    async with hub.running():
        await until(lambda: "PCM,1" in caplog.text)
        await hub.assistant.mute.mute()
        await hub.assistant.mute.unmute()
        await hub.hear(1)
        await until(lambda: len(hub.refitted) == 2)
    assert caplog.text.count("PCM,1") == 1


async def test_a_dead_array_is_a_fault_and_is_cured_where_it_can_be() -> None:
    """One that is only gone is not."""
    hub = Hub()
    hub.boards = {"microphone A": profile_named("xvf3800")}
    async with hub.running():
        await until(lambda: len(hub.refitted) == 1)
        hub.microphone.fail(lost())
        await until(lambda: hub.state == "fault")
        hub.microphone.deliver(1)
        await until(lambda: hub.state == "idle")
        await until(lambda: len(hub.refitted) == 2)
        assert "xvf3800 restarted" not in hub.refitted
        hub.microphone.fail(AudioDeviceError(DeviceTrouble.DEAD, "it delivers zeros"))
        await until(lambda: hub.state == "fault")
        await until(lambda: hub.refitted[-1] == "xvf3800 restarted")
        assert hub.told("fault")[-1].fields["message"] == "it delivers zeros"


# --- time ----------------------------------------------------------------------------------------


async def test_a_session_that_is_too_old_is_ended_but_not_in_a_reply() -> None:
    """What is being said is said to its end."""
    hub = Hub("conversation: {max_session_s: 1}")
    async with hub.running():
        session = await hub.speaking(turn=1)
        await until(lambda: hub.assistant.talk.now.aged)
        hub.detector.speech(speaking=True)
        assert session.closed_with is None
        heard(hub, 1)
        await until(lambda: session.closed_with == "max_session_s reached")
        assert hub.state == "idle"
        assert session.sent[-1] == "end"
        await hub.wake()
        assert len(hub.sessions) == 2


async def test_a_session_that_is_too_old_gives_way_although_nothing_happens() -> None:
    """At rest nobody speaks and nothing comes."""
    hub = Hub("conversation: {max_session_s: 1}")
    async with hub.running():
        session = await hub.wake()
        hub.assistant.post(n.Stop())
        assert (hub.state, session.closed_with) == ("idle", None)
        await until(lambda: session.closed_with == "max_session_s reached")


# --- what is told --------------------------------------------------------------------------------


async def test_a_conversation_is_told_in_order_with_the_fields_of_the_contract() -> None:
    """Names and fields are scripted against."""
    hub = Hub()
    async with hub.running():
        await hub.hear(100)
        session = await hub.wake()
        session.post(UplinkChanged(1, True, 75, 48_000, 1.0))
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        session.say(1)
        session.post(TurnComplete(1, 1, 1.0))
        heard(hub, 1)
        tap(hub)
    told = [event.as_record() for event in hub.events]
    assert all(isinstance(record.pop("time"), float) for record in told)

    def state(before: str, to: str, reason: str) -> dict[str, object]:
        return {"event": "state", "from": before, "to": to, "reason": reason}

    def about_session(what: str, **fields: object) -> dict[str, object]:
        empty = dict.fromkeys(("reason", "latency_ms", "model"))
        return {"event": "session", "what": what, **empty, **fields}

    def about_reply(what: str, played_ms: int) -> dict[str, object]:
        return {"event": "reply", "what": what, "turn": 1, "played_ms": played_ms}

    model = MODEL
    assert told == [
        state("starting", "idle", "microphone delivers"),
        {"event": "wake", "word": "hey_test", "score": 0.877},
        state("idle", "connecting", "wake word"),
        about_session("opening", model=model),
        about_session("opened", latency_ms=812.3, model=MODEL),
        state("connecting", "listening", "session opened"),
        {"event": "uplink", "what": "started", "frames": 75, "bytes": 48_000},
        {"event": "activity", "what": "started"},
        {"event": "activity", "what": "ended"},
        state("listening", "thinking", "speech ended"),
        about_reply("started", 0),
        state("thinking", "speaking", "reply started"),
        about_reply("drained", 900),
        state("speaking", "listening", "reply heard"),
        {"event": "button", "gesture": "tap"},
        state("listening", "idle", "button"),
        about_session("closed", reason="shutting down"),
    ]


async def test_inner_states_are_told_under_their_public_names() -> None:
    """Going from one to another of the same name is no event."""
    hub = Hub()
    async with hub.running():
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        hub.session.opened()
        hub.session.say(1)
        hub.session.end(SessionClosed(1, "the server closed it", 1.0))
        await until(lambda: hub.assistant.sessions.session is None)
        heard(hub, 1)
        assert hub.path == ["idle", "connecting", "thinking", "speaking", "idle"]


async def test_the_light_of_streaming_follows_bytes_and_not_intent() -> None:
    """It is lit by what the session says it sent."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        await hub.hear(5)
        seen = len(hub.lights.shown)
        await until(lambda: len(hub.lights.shown) > seen + 3)
        assert not any(WHITE in picture for picture in hub.lights.shown)
        session.post(UplinkChanged(1, True, 1, 640, 1.0))
        await until(lambda: WHITE in hub.lights.shown[-1])
        session.post(UplinkChanged(1, False, 1, 640, 1.0))
        hub.assistant.post(n.Stop())
        await until(lambda: WHITE not in hub.lights.shown[-1])


async def test_ready_comes_when_a_wake_word_would_be_heard() -> None:
    """Not with the microphone's opening, nor with its first frame: the networks warm up."""
    hub = Hub()
    hub.detector.hears = False
    async with hub.running(hearing=False):
        await until(lambda: hub.microphone.is_open)
        assert hub.notified[-1].startswith("STATUS=starting; hears nothing")
        await hub.hear(1)
        assert "READY=1" not in hub.notified
        hub.detector.hears = True
        await hub.hear(2)
        assert hub.notified.count("READY=1") == 1


async def test_it_rests_while_only_a_wake_word_is_awaited() -> None:
    """Microphone and loudspeaker take it easy then; not in a talk, nor while something rings."""
    hub = Hub()
    async with hub.running():
        await hub.hear(1)
        assert (hub.microphone.rests, hub.speaker.rests) == (True, True)
        await hub.wake()
        assert (hub.microphone.rests, hub.speaker.rests) == (False, False)
        hub.assistant.post(n.Stop())
        await until(lambda: hub.state == "idle")
        assert (hub.microphone.rests, hub.speaker.rests) == (True, True)


async def test_what_is_said_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is asked in writing."""
    hub = Hub()
    with caplog.at_level(logging.DEBUG):
        async with hub.running():
            hub.assistant.post(n.Ask("my secret disease"))
            hub.session.opened()
    assert caplog.records
    assert "secret" not in repr([record.__dict__ for record in caplog.records])


# --- the end -------------------------------------------------------------------------------------


async def test_at_the_end_the_session_is_closed_before_anything_else() -> None:
    """In good order: it is told, not cut off; then the microphone; the lights go dark last."""
    hub = Hub()
    async with hub.running():
        await hub.wake()
        await hub.hear(5)
        hub.log.clear()
    assert hub.log == [
        "session 1 told to close",
        "session 1 over",
        "microphone A closed",
        "lights off",
    ]
    assert not hub.speaker.is_open
    assert hub.session.closed_with == "shutting down"
    assert hub.notified[-1] == "STOPPING=1\nSTATUS=stopping"


class Stubborn(FakeSession):
    """A session that does not close."""

    async def close(self, reason: str) -> None:
        self.log.append("asked")
        await asyncio.Event().wait()


async def test_a_session_that_does_not_close_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is cut off then."""
    monkeypatch.setattr(sessions, "GOODBYE_S", 0.05)
    hub = Hub(session=Stubborn)
    async with hub.running():
        await hub.wake()
    assert hub.log[-4:] == ["asked", "session 1 cancelled", "microphone A closed", "lights off"]


async def test_a_part_that_fails_unexpectedly_ends_it_all_in_the_dark() -> None:
    """The error is raised, not swallowed; everything is closed first."""
    hub = Hub()

    async def live() -> None:
        async with hub.running():
            await hub.wake()
            hub.detector.fail(ZeroDivisionError("a bug"))
            await until(lambda: hub.lights.dark)

    with pytest.raises(ExceptionGroup) as caught:
        await live()
    assert caught.group_contains(ZeroDivisionError, match="a bug")
    assert hub.lights.dark
    assert not hub.microphone.is_open
    assert not hub.speaker.is_open


async def test_nothing_happens_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer outlives it, not even that of a session which had to be cut off."""
    monkeypatch.setattr(sessions, "GOODBYE_S", 0.01)
    hub = Hub("conversation: {session_keep_s: 0.2}", session=Stubborn)
    async with hub.running():
        await hub.wake()
        hub.assistant.post(n.Stop())
    talk = hub.assistant.talk.now
    assert talk.session == 1
    await asyncio.sleep(0.25)
    assert hub.assistant.talk.now == talk


async def test_another_microphone_is_not_asked_for_what_the_old_one_sent() -> None:
    """A stream that begins anew at 0 is sent from its beginning."""
    hub = Hub()
    async with hub.running():
        await hub.hear(100)
        await hub.wake()
        await hub.hear(5)
        hub.assistant.post(n.Stop())
        hub.microphone = FakeMicrophone("microphone B")
        hub.assistant.input.replace(hub.microphone)
        delivered = await hub.hear(10)
        await hub.wake()
    assert hub.session.sent[-11:] == ["end", *pcm(delivered)]
