"""The event stream: exact names and fields, and readers that cannot keep up."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from device.errors import DeviceTrouble
from device.events import (
    SUBSCRIBER_CHARACTERS,
    SUBSCRIBER_EVENTS,
    EventBus,
    EventName,
    PublicEvent,
    public,
    reply,
    session,
)
from device.news import (
    Ask,
    AudioDropped,
    AudioRepeated,
    BargedIn,
    ButtonEdge,
    ContextFailed,
    Debt,
    Detection,
    DuplexDecided,
    Failure,
    FailureKind,
    FellSilent,
    FirstSound,
    GenerationComplete,
    GoAway,
    HabitsChanged,
    HandleChanged,
    Hold,
    Interrupted,
    Leaving,
    MicrophoneDelivers,
    MicrophoneLost,
    MicrophoneOpened,
    ModelReplaced,
    Mute,
    MuteSwitched,
    MuteToggled,
    NearMiss,
    News,
    PartLost,
    PersonasChanged,
    PictureSent,
    PlaybackDrained,
    PlaybackStarved,
    Plugged,
    Pressed,
    Reconnecting,
    RecordsTrouble,
    Release,
    ReplyAudio,
    SessionAged,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SettingRefused,
    SettingsChanged,
    SpeakerLost,
    SpeakerOpened,
    SpeechChanged,
    SpeechJudged,
    SpendingLimit,
    Stalled,
    StillWaiting,
    Stop,
    StopWord,
    TalkedOver,
    Tap,
    TimedOut,
    TimerNews,
    ToolNews,
    Transcript,
    TurnComplete,
    Unheard,
    Unmute,
    UplinkChanged,
    Usage,
    VolumeStepped,
    WakeClip,
)

FAILURE = Failure(FailureKind.QUOTA, "the quota is used up", retryable=True)

# Every news beside the event it becomes, without its time; None is nobody's business.
CONTRACT: list[tuple[News, dict[str, object] | None]] = [
    (
        Detection("hey_jarvis", 0.98765, 48_000, 7.5),
        {"event": "wake", "word": "hey_jarvis", "score": 0.988},
    ),
    (
        Detection("alexa", 0.98765, 48_000, 7.5, "puck"),
        {"event": "wake", "word": "alexa", "score": 0.988, "persona": "puck"},
    ),
    (SpeechChanged(True, 5, 7.5), {"event": "activity", "what": "started"}),
    (SpeechChanged(False, 5, 7.5), {"event": "activity", "what": "ended"}),
    (FirstSound(3, 7.5), {"event": "reply", "what": "first_sound", "turn": 3, "played_ms": 0}),
    (
        PlaybackDrained(3, 1200, 7.5),
        {"event": "reply", "what": "drained", "turn": 3, "played_ms": 1200},
    ),
    (PlaybackStarved(3, 7.5), None),
    (
        SessionOpened(1, 812.3456, "m", False, 7.5),
        {
            "event": "session",
            "what": "opened",
            "reason": None,
            "latency_ms": 812.3,
            "model": "m",
        },
    ),
    (
        SessionOpened(1, 90.0, "m", True, 7.5),
        {
            "event": "session",
            "what": "resumed",
            "reason": None,
            "latency_ms": 90.0,
            "model": "m",
        },
    ),
    (
        SessionClosed(1, "idle", 7.5),
        {
            "event": "session",
            "what": "closed",
            "reason": "idle",
            "latency_ms": None,
            "model": None,
        },
    ),
    (
        SessionFailed(1, FAILURE, "m", 7.5),
        {
            "event": "session",
            "what": "failed",
            "reason": "the quota is used up",
            "latency_ms": None,
            "model": "m",
        },
    ),
    (
        Reconnecting(1, FAILURE, 7.5),
        {
            "event": "session",
            "what": "opening",
            "reason": "the quota is used up",
            "latency_ms": None,
            "model": None,
        },
    ),
    (HandleChanged(1, "H", "m", 7.5), None),
    (ModelReplaced(1, "old", "new", 7.5), None),
    (
        Stalled(1, "nudged", "no answer", 7.5),
        {"event": "stall", "what": "nudged", "reason": "no answer"},
    ),
    (AudioRepeated(1, 50, 7.5), {"event": "repeated", "frames": 50, "bytes": 32_000}),
    (AudioDropped(1, 2, 7.5), {"event": "dropped", "frames": 2, "bytes": 1_280}),
    (
        SettingRefused(1, "live.voice", "m", "Request contains an invalid argument.", 7.5),
        {
            "event": "setting_refused",
            "setting": "live.voice",
            "model": "m",
            "reason": "Request contains an invalid argument.",
        },
    ),
    (
        ContextFailed(1, "lost", 4_000, 300, 7.5),
        {"event": "context", "what": "lost", "before_tokens": 4_000, "now_tokens": 300},
    ),
    (Unheard(1, 3, "empty", False, 7.5), None),
    (GoAway(1, 4.5, 7.5), {"event": "go_away", "time_left_s": 4.5}),
    (
        UplinkChanged(1, True, 0, 0, 7.5),
        {"event": "uplink", "what": "started", "frames": 0, "bytes": 0},
    ),
    (
        UplinkChanged(1, False, 50, 32_000, 7.5),
        {"event": "uplink", "what": "stopped", "frames": 50, "bytes": 32_000},
    ),
    (ReplyAudio(1, 3, b"\0\0", 7.5), None),
    (Interrupted(1, 3, 7.5), None),
    (GenerationComplete(1, 3, 7.5), None),
    (TurnComplete(1, 3, 7.5), None),
    (
        Transcript(1, 3, "user", "hello", True, 7.5),
        {"event": "transcript", "who": "user", "text": "hello", "final": True},
    ),
    (
        ToolNews(1, "called", "light_on", 7.5),
        {"event": "tool", "what": "called", "name": "light_on"},
    ),
    (
        PictureSent(1, "asked", 61_234, 768, 432, 7.5),
        {"event": "picture", "bytes": 61_234, "reason": "asked", "width": 768, "height": 432},
    ),
    (
        Usage(1, 3, {"total": 40}, 7.5, 2, 0.25, "EUR"),
        {
            "event": "usage",
            "turn": 3,
            "total": 40,
            "searches": 2,
            "cost": 0.25,
            "currency": "EUR",
        },
    ),
    (
        Usage(1, 3, {"total": 40}, 7.5),
        {"event": "usage", "turn": 3, "total": 40, "searches": 0},
    ),
    (
        TimerNews("ringing", 3, "pasta", "2026-12-01T07:00:00+01:00", "reminder", "drain it", 7.5),
        {
            "event": "timer",
            "what": "ringing",
            "id": 3,
            "name": "pasta",
            "due": "2026-12-01T07:00:00+01:00",
            "kind": "reminder",
        },
    ),
    (ButtonEdge(True, 7.5), None),
    (Pressed("tap", 7.5), {"event": "button", "gesture": "tap"}),
    (MuteSwitched(True, 7.5), None),
    (PartLost("lights", "gone", 7.5), None),
    (RecordsTrouble("the disk is full", 7.5), None),
    (SpendingLimit(True, 7.5), None),
    (SpeechJudged(0.5, 0, 512, 7.5), None),
    (StopWord(48_000, 7.5), None),
    (NearMiss("hey_jarvis", 0.31, 7.5), None),
    (WakeClip("w", 0.3, 0.5, False, False, b"", 0, False, True, {}, 7.5), None),
    (MicrophoneOpened(7.5), None),
    (MicrophoneDelivers(7.5), None),
    (MicrophoneLost(DeviceTrouble.LOST, "gone", 7.5), None),
    (SpeakerOpened(7.5), None),
    (SpeakerLost("gone", 7.5), None),
    (TalkedOver(7.2, 7.5), {"event": "barge_in", "what": "began"}),
    (BargedIn(320, 7.5), {"event": "barge_in", "what": "confirmed"}),
    (FellSilent(7.5), {"event": "barge_in", "what": "dismissed"}),
    (DuplexDecided("full", "25 dB of the echo are cancelled", 7.5), None),
    (Plugged(7.5), None),
    (Tap(), None),
    (Hold(), None),
    (Release(heard=True), None),
    (Ask("why?"), None),
    (Stop(), None),
    (Mute(), None),
    (Unmute(), None),
    (MuteToggled(), None),
    (VolumeStepped(10), None),
    (TimedOut(3, Debt.NONE), None),
    (Leaving(mutes=True), None),
    (StillWaiting(3), None),
    (HabitsChanged("always", True), None),
    (SessionAged(1), None),
    (SettingsChanged(), None),
    (PersonasChanged("puck", frozenset({"puck"})), None),
]

MAP = Path(__file__).parents[1] / "device" / "README.md"


@pytest.mark.parametrize(("news", "expected"), CONTRACT, ids=lambda case: type(case).__name__)
def test_news_become_events_with_exactly_these_fields(
    news: News, expected: dict[str, object] | None
) -> None:
    """People script against these names; the time is that of the news."""
    event = public(news)
    if expected is None:
        assert event is None
    else:
        assert event is not None
        assert json.loads(json.dumps(event.as_record())) == {"time": 7.5, **expected}


@pytest.mark.parametrize(
    "news",
    [
        SessionOpened(7, 812.3456, "m", False, 7.5),
        Reconnecting(7, FAILURE, 7.5),
        SessionClosed(7, "idle", 7.5),
        SessionFailed(7, FAILURE, "m", 7.5),
    ],
    ids=lambda news: type(news).__name__,
)
def test_a_session_is_told_with_its_persona(news: News) -> None:
    """Whoever talks by then: it is known by the session's number."""
    event = public(news, {7: "puck"}.__getitem__)
    assert event is not None
    assert event.fields["persona"] == "puck"


def test_every_kind_of_news_has_its_place_in_the_contract() -> None:
    """A new kind must be decided on: public or not."""
    kinds = {kind for union in get_args(News) for kind in (get_args(union) or [union])}
    assert {type(news) for news, _ in CONTRACT} == kinds


def test_our_own_events_have_the_same_fields() -> None:
    """What the hub tells by itself looks like what the parts tell."""
    assert session("opening", 1.0, model="m").as_record() == {
        "time": 1.0,
        "event": "session",
        "what": "opening",
        "reason": None,
        "latency_ms": None,
        "model": "m",
    }
    assert session("opening", 1.0, model="m", persona="puck").fields["persona"] == "puck"
    assert reply("interrupted", 2, 340, 1.23456789).as_record() == {
        "time": 1.234568,
        "event": "reply",
        "what": "interrupted",
        "turn": 2,
        "played_ms": 340,
    }


def numbered(count: int, start: int = 0) -> list[PublicEvent]:
    return [PublicEvent(EventName.BUTTON, float(number)) for number in range(start, start + count)]


def test_subscribers_get_every_event_in_order_until_they_leave() -> None:
    """The observer sees an event first; who has left gets no more."""
    seen: list[str] = []
    bus = EventBus(lambda event: seen.append(f"observed {event.time:g}"))
    first, second, third = numbered(3)
    with bus.subscribe(lambda: seen.append("woken")) as subscription:
        bus.publish(first)
        with bus.subscribe(lambda: None) as late:
            bus.publish(second)
        bus.publish(third)
        assert [subscription.take() for _ in range(4)] == [first, second, third, None]
        assert [late.take(), late.take()] == [second, None]
    bus.publish(first)
    assert subscription.take() is None
    assert seen[:2] == ["observed 0", "woken"]
    assert seen.count("woken") == 3


def test_a_slow_reader_loses_the_oldest_and_is_told_how_many() -> None:
    """Its queue is bounded; what is newest is kept."""
    bus = EventBus(lambda _event: None)
    with bus.subscribe(lambda: None) as subscription:
        for event in numbered(SUBSCRIBER_EVENTS):
            bus.publish(event)
        assert subscription.lost == 0
        for event in numbered(3, SUBSCRIBER_EVENTS):
            bus.publish(event)
        oldest = subscription.take()
    assert subscription.lost == 3
    assert oldest is not None
    assert oldest.time == 3.0


def test_a_slow_reader_is_kept_no_more_text_for_than_a_bound() -> None:
    """A server that sends long texts does not fill the memory with them."""
    bus = EventBus(lambda _event: None)
    text = "x" * (SUBSCRIBER_CHARACTERS // 4)
    with bus.subscribe(lambda: None) as subscription:
        for number in range(10):
            bus.publish(
                PublicEvent(EventName.TRANSCRIPT, float(number), {"text": text, "final": True})
            )
        oldest = subscription.take()
        assert oldest is not None
        assert (oldest.time, subscription.lost) == (6.0, 6)
        while subscription.take() is not None:
            pass
        for event in numbered(SUBSCRIBER_EVENTS):
            bus.publish(event)
        assert subscription.lost == 6


def test_the_map_has_every_event() -> None:
    """Scripts are written after its table."""
    table = MAP.read_text().partition("## Events\n")[2].partition("\n## ")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    told = re.findall(r"`(\w+)`", " ".join(first_cells))
    assert sorted(told) == sorted(EventName)
