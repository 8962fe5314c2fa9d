"""`Latency` measures how long sound takes through this speaker, along the whole way. Pure.

It is told what happens as it happens, each in the CLOCK_MONOTONIC seconds of the moment itself,
and finds what belongs together: a question and its answer, a barge-in and the
silence that follows it. Where one half never comes, nothing is recorded.

Of an answer the speaker's own share is the way up of the frame that held the end of the question
and the way down of the first chunk of the reply; what lies between them is the server's, its
patience with a pause among it.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from enum import StrEnum

from device.news import (
    Detection,
    FirstSound,
    Interrupted,
    News,
    PlaybackDrained,
    Pressed,
    ReplyAudio,
    SpeechChanged,
    TalkedOver,
)

KEPT = 256
"""So many of each kind make the figures; of frames that is the last five seconds."""

ANSWER_WITHIN_S = 30.0
"""What comes later than this is no answer to the words before it."""

NEAR_S = 0.06
"""The next frame after an end of speech holds it if it is so near: 20 ms and the jitter of a card
that hands over its sound in periods."""


class Kind(StrEnum):
    """What is timed."""

    ANSWER = "answer"
    """End of the user's speech to first sound of the reply, less the server's own time."""
    ANSWER_TOTAL = "answer_total"
    """The same with the server's time: what the person waits."""
    MICROPHONE_TO_WIRE = "microphone_to_wire"
    """A frame handed over by the card to the same frame taken by the socket."""
    WIRE_TO_SPEAKER = "wire_to_speaker"
    """First chunk of a turn arrived to its first sample heard."""
    BARGE_IN_TO_SILENCE = "barge_in_to_silence"
    """Barge-in, wake word or button to the last of the reply heard."""
    WAKE_TO_LIGHT = "wake_to_light"
    """End of the wake word's hop to the light that says so."""


LIT = frozenset({"connecting", "listening"})
"""The light patterns that answer a wake word."""


class Latency:
    """The durations of one process. Returns at once everywhere; used from one thread only."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._durations_s = {kind: deque[float](maxlen=KEPT) for kind in Kind}
        self._counts = dict.fromkeys(Kind, 0)
        self._ended_at: float | None = None
        """Of speech that no reply has followed yet."""
        self._turn: int | None = None
        self._over = True
        """Whether the newest turn has been heard or silenced."""
        self._follows = False
        """Whether the newest turn came while the one before was still to be heard."""
        self._arrived_at = 0.0
        self._heard_at: float | None = None
        """Of the newest turn, while it is not known whose answer it is."""
        self._queue_s = 0.0
        self._decided_at: float | None = None
        self._woken_at: float | None = None

    def note(self, news: News) -> None:
        """Take from the parts' news what begins or ends a duration; before it has any effect."""
        match news:
            case ReplyAudio(turn=turn):
                self.arrived(turn, news.time)
            case FirstSound(turn=turn):
                self.sounded(turn, news.time, news.time + news.queue_s)
            case PlaybackDrained(turn=turn):
                self.drained(turn)
            case SpeechChanged(speaking=speaking):
                self.speech(speaking, news.time)
            case Detection():
                self.woken(news.time)
            case Pressed() | Interrupted():
                self.decided(news.time)
            case TalkedOver(heard_at=heard_at):
                self.decided(heard_at)

    # --- up and down ------------------------------------------------------------------------------

    def sent(self, captured: Iterable[float], sent_at: float) -> None:
        """Frames that nobody held back were recorded then, and taken by the socket then."""
        for captured_at in captured:
            self._frames.append((captured_at, sent_at))
            self._counts[Kind.MICROPHONE_TO_WIRE] += 1

    def speech(self, speaking: bool, at: float) -> None:
        """The user began or stopped speaking; the end may be noticed after the reply began."""
        self._ended_at = None if speaking else at
        self._answer()

    def arrived(self, turn: int, at: float) -> None:
        """A chunk of a reply came; only the first of its turn counts."""
        if turn != self._turn:
            self._turn, self._arrived_at, self._heard_at = turn, at, None
            self._follows, self._over = not self._over, False
            # What was decided before concerns another reply, or none.
            self._decided_at = self._woken_at = None

    def sounded(self, turn: int, given_at: float, heard_at: float | None = None) -> None:
        """The card was given the first sample of a turn, which is heard when its queue is out.

        Without ``heard_at`` the card is taken for one that has no queue.
        """
        if turn != self._turn:
            return
        self._heard_at = given_at if heard_at is None else heard_at
        self._queue_s = self._heard_at - given_at
        if not self._follows:
            self._record(Kind.WIRE_TO_SPEAKER, self._heard_at - self._arrived_at)
        self._answer()

    def drained(self, turn: int) -> None:
        """All of a turn was heard."""
        self._over = self._over or turn == self._turn

    def _answer(self) -> None:
        """Join the end of a question and the sound of its answer, once both are known."""
        ended_at, heard_at = self._ended_at, self._heard_at
        if ended_at is None or heard_at is None or ended_at > self._arrived_at:
            return
        self._ended_at = self._heard_at = None
        if heard_at - ended_at > ANSWER_WITHIN_S:
            return
        self._record(Kind.ANSWER_TOTAL, heard_at - ended_at)
        sent_at = self._sent_at(ended_at)
        if sent_at is not None:
            self._record(Kind.ANSWER, sent_at - ended_at + heard_at - self._arrived_at)

    def _sent_at(self, moment: float) -> float | None:
        """When the frame that holds a moment went up; None when it was held or is too old."""
        for captured_at, sent_at in self._frames:
            if captured_at >= moment:
                return sent_at if captured_at - moment < NEAR_S else None
        return None

    # --- barge-in and wake word -------------------------------------------------------------------

    def decided(self, at: float) -> None:
        """A barge-in, the wake word or the button asks for silence, if anything plays."""
        self._decided_at = at

    def silenced(self, at: float) -> None:
        """The reply was cleared or paused; what the card has already been given is still heard."""
        self._over = True
        if self._decided_at is not None:
            self._record(Kind.BARGE_IN_TO_SILENCE, at + self._queue_s - self._decided_at)
            self._decided_at = None

    def woken(self, at: float) -> None:
        """A wake word was heard; at the end of the hop that decided."""
        self._woken_at = at
        self.decided(at)

    def shown(self, pattern: str, at: float) -> None:
        """The lights were given a pattern."""
        if self._woken_at is not None and pattern in LIT:
            self._record(Kind.WAKE_TO_LIGHT, at - self._woken_at)
        self._woken_at = None

    # --- figures ----------------------------------------------------------------------------------

    def figures(self) -> dict[str, dict[str, float | None]]:
        """For each kind ``p50``, ``p95`` and ``max`` of the last ones, in ms (None without any).

        ``count`` is how many there have been since the process began.
        """
        up = [sent_at - captured_at for captured_at, sent_at in self._frames]
        durations_s = {**self._durations_s, Kind.MICROPHONE_TO_WIRE: up}
        return {
            kind.value: {**_figures_ms(durations_s[kind]), "count": self._counts[kind]}
            for kind in Kind
        }

    def newest_ms(self, kind: Kind) -> tuple[int, float | None]:
        """Return how many there have been, and the last of them; of all kinds but a frame's."""
        durations_s = self._durations_s[kind]
        return self._counts[kind], 1000 * durations_s[-1] if durations_s else None

    def _record(self, kind: Kind, seconds: float) -> None:
        self._durations_s[kind].append(seconds)
        self._counts[kind] += 1


def _figures_ms(durations_s: Sequence[float]) -> dict[str, float | None]:
    if not durations_s:
        return dict.fromkeys(("p50", "p95", "max"))
    ranked = sorted(durations_s)
    p95 = ranked[math.ceil(0.95 * len(ranked)) - 1]
    figures_s = {"p50": statistics.median(ranked), "p95": p95, "max": ranked[-1]}
    return {name: round(seconds * 1000, 1) for name, seconds in figures_s.items()}
