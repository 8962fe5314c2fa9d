"""Events are what `parley watch --json` shows, and the bus hands them to whoever listens.

The names and fields are a contract with people who script against them; `public` is the one place
where news becomes such an event. Everything here runs on the event loop's thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from device.frames import FRAME_BYTES
from device.news import (
    AudioDropped,
    AudioRepeated,
    BargedIn,
    ContextFailed,
    Detection,
    FellSilent,
    FirstSound,
    GoAway,
    Interrupted,
    News,
    PictureSent,
    PlaybackDrained,
    Pressed,
    Reconnecting,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SettingRefused,
    SpeechChanged,
    Stalled,
    TalkedOver,
    TimerNews,
    ToolNews,
    Transcript,
    UplinkChanged,
    Usage,
)


class EventName(StrEnum):
    """Every kind of public event; the fields of each are in the table of `device/README.md`."""

    STATE = "state"
    WAKE = "wake"
    SESSION = "session"
    GO_AWAY = "go_away"
    ACTIVITY = "activity"
    REPLY = "reply"
    TRANSCRIPT = "transcript"
    TOOL = "tool"
    BUTTON = "button"
    UPLINK = "uplink"
    PICTURE = "picture"
    FAULT = "fault"
    USAGE = "usage"
    SPENDING = "spending"
    TIMER = "timer"
    MCP_SERVER = "mcp_server"
    BARGE_IN = "barge_in"
    UNHEARD = "unheard"
    STALL = "stall"
    CONTEXT = "context"
    SETTING_REFUSED = "setting_refused"
    REPEATED = "repeated"
    DROPPED = "dropped"
    LOST = "lost"
    """This reader was too slow, and lost ``events`` of them."""


SUBSCRIBER_EVENTS = 1000
"""How many events a slow reader may be behind before it loses the oldest."""
SUBSCRIBER_CHARACTERS = 500_000
"""How much text may be in them: a thousand events hold some 50,000, unless a server wants more."""


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """One line of `parley watch --json`."""

    event: EventName
    time: float
    """CLOCK_MONOTONIC seconds at which it happened, not when it was written."""
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def characters(self) -> int:
        """How much text is in it."""
        return sum(len(value) for value in self.fields.values() if isinstance(value, str))

    def as_record(self) -> dict[str, Any]:
        """The JSON object that stands for the event."""
        return {"time": round(self.time, 6), "event": self.event.value, **self.fields}


def _nobodys(_session: int) -> str:
    return ""


def public(news: News, whose: Callable[[int], str] = _nobodys) -> PublicEvent | None:
    """Return the public event that a part's news stands for; None for what is nobody's business.

    `whose` tells the persona of a session by its number; empty: nobody's in particular.
    """
    match news:
        case Detection(word, score, _, at, persona):
            fields = {"word": word, "score": round(score, 3), **_of(persona)}
            return PublicEvent(EventName.WAKE, at, fields)
        case SpeechChanged(speaking, _, at):
            return PublicEvent(EventName.ACTIVITY, at, {"what": "started" if speaking else "ended"})
        case Pressed(gesture, at):
            return PublicEvent(EventName.BUTTON, at, {"gesture": gesture})
        case UplinkChanged(_, flowing, frames, size, at):
            what = "started" if flowing else "stopped"
            return PublicEvent(
                EventName.UPLINK, at, {"what": what, "frames": frames, "bytes": size}
            )
        case PictureSent(_, reason, size, width, height, at):
            shape = {"width": width, "height": height}
            return PublicEvent(EventName.PICTURE, at, {"bytes": size, "reason": reason, **shape})
        case GoAway(_, left, at):
            return PublicEvent(EventName.GO_AWAY, at, {"time_left_s": left})
        case ToolNews(_, what, name, at):
            return PublicEvent(EventName.TOOL, at, {"what": what, "name": name})
        case Transcript(_, _, who, text, final, at):
            return PublicEvent(EventName.TRANSCRIPT, at, {"who": who, "text": text, "final": final})
        case Usage(_, turn, tokens, at, searches, cost, currency):
            fields = {"turn": turn, **tokens, "searches": searches}
            priced = {} if cost is None else {"cost": cost, "currency": currency}
            return PublicEvent(EventName.USAGE, at, {**fields, **priced})
        case FirstSound(turn, at):
            return reply("first_sound", turn, 0, at)
        case PlaybackDrained(turn, played_ms, at):
            return reply("drained", turn, played_ms, at)
        case TimerNews(what, number, name, due, kind, _, at):
            fields = {"what": what, "id": number, "name": name, "due": due, "kind": kind}
            return PublicEvent(EventName.TIMER, at, fields)
        case TalkedOver() | BargedIn() | FellSilent():
            return _barge_in(news)
        case _:
            return _session_event(news, whose)


def _barge_in(news: TalkedOver | BargedIn | FellSilent) -> PublicEvent:
    what = {TalkedOver: "began", BargedIn: "confirmed", FellSilent: "dismissed"}[type(news)]
    return PublicEvent(EventName.BARGE_IN, news.time, {"what": what})


def _session_event(news: News, whose: Callable[[int], str]) -> PublicEvent | None:
    match news:
        case SessionOpened(number, latency_ms, model, resumed, at):
            what, took_ms = "resumed" if resumed else "opened", round(latency_ms, 1)
            return session(what, at, latency_ms=took_ms, model=model, persona=whose(number))
        case Reconnecting(number, failure, at):
            return session("opening", at, reason=failure.message, persona=whose(number))
        case SessionClosed(number, reason, at):
            return session("closed", at, reason=reason, persona=whose(number))
        case SessionFailed(number, failure, model, at):
            about = failure.message
            return session("failed", at, reason=about, model=model, persona=whose(number))
        case Stalled(_, what, reason, at):
            return PublicEvent(EventName.STALL, at, {"what": what, "reason": reason})
        case SettingRefused(_, setting, model, reason, at):
            fields = {"setting": setting, "model": model, "reason": reason}
            return PublicEvent(EventName.SETTING_REFUSED, at, fields)
        case ContextFailed(_, what, before, now, at):
            sizes = {"before_tokens": before, "now_tokens": now}
            return PublicEvent(EventName.CONTEXT, at, {"what": what, **sizes})
        case AudioRepeated(_, frames, at):
            return _audio(EventName.REPEATED, frames, at)
        case AudioDropped(_, frames, at):
            return _audio(EventName.DROPPED, frames, at)
        case Interrupted():
            # Told as `reply interrupted` when the sound is really cut, and only then.
            return None
        case _:
            return None


def _audio(event: EventName, frames: int, at: float) -> PublicEvent:
    return PublicEvent(event, at, {"frames": frames, "bytes": frames * FRAME_BYTES})


def session(
    what: str,
    at: float,
    *,
    reason: str | None = None,
    latency_ms: float | None = None,
    model: str | None = None,
    persona: str = "",
) -> PublicEvent:
    """A `session` event; every field is always there, but for the persona that nobody has."""
    fields = {"what": what, "reason": reason, "latency_ms": latency_ms, "model": model}
    return PublicEvent(EventName.SESSION, at, {**fields, **_of(persona)})


def _of(persona: str) -> dict[str, str]:
    """Return the field that tells who talks; none where it is nobody in particular."""
    return {"persona": persona} if persona else {}


def reply(what: str, turn: int, played_ms: int, at: float) -> PublicEvent:
    """A `reply` event; `played_ms` is how much of the turn the card has taken."""
    return PublicEvent(EventName.REPLY, at, {"what": what, "turn": turn, "played_ms": played_ms})


def unheard(why: str, what: str, at: float) -> PublicEvent:
    """Return an `unheard` event: why a turn was no answer, and what is done about it."""
    return PublicEvent(EventName.UNHEARD, at, {"why": why, "what": what})


class Subscription:
    """One reader's queue of events: bounded, loses the oldest, and says how many it lost."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called whenever there is something new to take."""
        self._wake = wake
        self._events: deque[PublicEvent] = deque()
        self._characters = 0
        self.lost = 0

    def put(self, event: PublicEvent) -> None:
        """Append an event; the oldest go when the reader is too far behind."""
        self._events.append(event)
        self._characters += event.characters
        while len(self._events) > SUBSCRIBER_EVENTS or self._characters > SUBSCRIBER_CHARACTERS:
            self.take()
            self.lost += 1
        self._wake()

    def take(self) -> PublicEvent | None:
        """The oldest event not yet taken, or None."""
        if not self._events:
            return None
        event = self._events.popleft()
        self._characters -= event.characters
        return event


class EventBus:
    """Hands every public event to whoever listens at that moment."""

    def __init__(self, observe: Callable[[PublicEvent], None]) -> None:
        """`observe` sees every event, before the subscribers do."""
        self._observe = observe
        self._subscribers: list[Subscription] = []

    def publish(self, event: PublicEvent) -> None:
        """Give the event to every subscriber."""
        self._observe(event)
        for subscriber in self._subscribers:
            subscriber.put(event)

    @contextmanager
    def subscribe(self, wake: Callable[[], None]) -> Iterator[Subscription]:
        """Receive every event from now until the end of the `with` block."""
        subscription = Subscription(wake)
        self._subscribers.append(subscription)
        try:
            yield subscription
        finally:
            self._subscribers.remove(subscription)
