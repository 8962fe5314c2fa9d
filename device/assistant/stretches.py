"""`Stretches` keeps account of the microphone sound that leaves: when, how much, and why.

A stretch is over one connection and has one reason. Sound that goes on over another connection, or
for another reason (a follow-up after the wake word's answer), is another stretch. It is noted
before its first frame leaves, and again as it grows, so that a process that is killed hides
at most `UNNOTED_FRAMES` of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from device.conversation.states import BUFFERED, UPLINK_OPEN, Conversation, State
from device.live.departures import SoundEnds, SoundLeaves, SoundLeft
from device.news import (
    BargedIn,
    Detection,
    Hold,
    Interrupted,
    News,
    PlaybackDrained,
    Tap,
)

UNNOTED_FRAMES = 100
"""So many frames (2 s of sound) may have left at most since a stretch was noted last."""

Cause = Literal["wake_word", "tap", "hold", "follow_up", "barge_in", "other"]


@dataclass(frozen=True, slots=True)
class Why:
    """What the sound goes up for."""

    cause: Cause
    word: str | None = None
    score: float | None = None
    over_reply: bool = False
    """Whether it silenced an answer."""
    rang: bool = False
    """Whether it silenced a timer or an alarm."""


UNKNOWN = Why("other")


@dataclass(frozen=True, slots=True)
class Line:
    """The connection it leaves over, and in whose talk."""

    model: str
    host: str
    session: int
    connection: int
    persona: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """One of them, as far as it has come."""

    key: str
    began: float
    """Unix seconds."""
    ended: float
    why: Why
    line: Line
    frames: int = 0
    bytes: int = 0
    again: int = 0
    """Frames that had left before."""
    words: bool = False
    """Whether anybody was heard to speak in it."""
    over: bool = False


def why(before: Conversation, after: Conversation, news: News) -> Why | None:
    """Return for what the microphone goes up from this step on; None: as before, or it does not.

    A step that the conversation did not take (its timer's number says so) changes nothing.
    """
    if after.state not in UPLINK_OPEN or after.clock == before.clock:
        return None
    over_reply = before.state in BUFFERED
    rang = bool(before.ringing) or after.rang
    match news:
        case Detection(word=word, score=score):
            return Why("wake_word", word, round(score, 3), over_reply, rang)
        case Tap():
            return Why("tap", over_reply=over_reply, rang=rang)
        case Hold():
            return Why("hold", over_reply=over_reply, rang=rang)
        case BargedIn() | Interrupted() if over_reply:
            return Why("barge_in", over_reply=True)
        case PlaybackDrained() if after.state is State.LISTENING:
            return Why("follow_up")
        case _ if before.state not in UPLINK_OPEN:
            return UNKNOWN
    return None


class Stretches:
    """Those of one process. Used from the event loop's thread only."""

    def __init__(
        self,
        now: Callable[[], float],
        fresh_key: Callable[[], str],
        note: Callable[[Stretch], None],
    ) -> None:
        """`now` tells Unix seconds; `note` keeps a stretch, in place of the one of its key."""
        self._now = now
        self._fresh_key = fresh_key
        self._note = note
        self._why = UNKNOWN
        self._next: Why | None = None
        """For what the sound goes up behind the pause that has not left yet."""
        self._open: Stretch | None = None
        self._sounding = False
        """Whether a connection has sound and no pause behind it yet."""
        self._spoken = False
        """Whether somebody speaks in what has not left yet."""
        self._unnoted = 0
        self._last: Stretch | None = None
        """The newest, open or not: what the server has understood may be told late."""

    @property
    def growing(self) -> frozenset[str]:
        """The keys of those that are open."""
        return frozenset({self._open.key} if self._open is not None else ())

    def goes_up_for(self, why: Why, *, anew: bool) -> None:
        """Take note why the microphone goes up from now on.

        ``anew``: it did not before. What is left of the stretch before, where a slow network has
        not taken it yet, leaves for its own reason, until the pause behind it has left.
        """
        self._spoken = False
        if anew and self._sounding:
            self._next = why
            return
        self._why, self._next = why, None
        if self._open is not None:
            self._end(self._open)

    def understood(self, session: int) -> None:
        """Take note that the server heard words in what this session has sent last."""
        found = self._last
        if found is not None and found.line.session == session and not found.words:
            self._keep(replace(found, words=True))

    def spoken(self) -> None:
        """Take note that somebody speaks in what goes up, or waits to."""
        if self._open is None:
            self._spoken = True
        elif not self._open.words:
            self._keep(replace(self._open, words=True))

    def leaves(self, departure: SoundLeaves | SoundLeft | SoundEnds, line: Line) -> None:
        """Take note of sound that leaves over this line."""
        match departure:
            case SoundLeaves():
                self._sounding = True
                self._begin(line)
            case SoundLeft(frames=frames, bytes=size, again=again):
                # Where the reason has changed meanwhile it is the first of another stretch.
                stretch = self._open or self._begin(line)
                self._open = self._last = replace(
                    stretch,
                    ended=max(self._now(), stretch.began),
                    frames=stretch.frames + frames,
                    bytes=stretch.bytes + size,
                    again=stretch.again + again,
                )
                self._unnoted += frames
                if stretch.frames == 0 or self._unnoted >= UNNOTED_FRAMES:
                    self.settle()
            case SoundEnds():
                self._sounding = False
                if self._open is not None:
                    self._end(self._open)
                if self._next is not None:
                    self._why, self._next = self._next, None

    def settle(self) -> None:
        """Note the one that is open as it is now."""
        if self._open is not None:
            self._keep(self._open)

    def _begin(self, line: Line) -> Stretch:
        if self._open is not None:
            self._end(self._open)
        now = self._now()
        begun = Stretch(self._fresh_key(), now, now, self._why, line, words=self._spoken)
        self._spoken = False
        self._open = begun
        self._keep(begun)
        return begun

    def _end(self, stretch: Stretch) -> Stretch:
        self._open = None
        return self._keep(replace(stretch, ended=max(self._now(), stretch.began), over=True))

    def _keep(self, stretch: Stretch) -> Stretch:
        self._last = stretch
        if self._open is not None and self._open.key == stretch.key:
            self._open = stretch
            self._unnoted = 0
        self._note(stretch)
        return stretch
