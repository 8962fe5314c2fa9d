"""`Tally` counts what the public events tell of a speaker: statistics are what `watch` shows.

A talk lasts from the first state that is none of rest to the next one that is. One that a wake word
began is a false start where the server was reached, and nobody said a word: what was sent begins
before the wake word, so the server may have understood that one, and answered it. Where it has
understood nothing at all and was heard all the same, it has told nobody what was said to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from device.conversation.reasons import REASONS
from device.events import EventName, PublicEvent
from device.news import BargedIn, Detection, Interrupted
from device.records.figures import Figures
from device.records.prices import MICRO

AT_REST: Final = frozenset({"starting", "idle", "muted", "fault"})
"""The states of the event stream in which no talk goes on."""
WAKE_WORD: Final = REASONS[Detection]
"""The reason of a state that a wake word led to."""
SPOKEN_OVER: Final = frozenset({WAKE_WORD, REASONS[BargedIn], REASONS[Interrupted]})
"""The reasons for which an answer falls silent since somebody speaks: whether the server has heard
that, our own ears, or the wake word's networks."""
LATE_TURNS: Final = 32
"""So many turns may begin before the last is told of one."""
_WORD: Final = re.compile(r"[^\W_]+")
"""Of what was said, and of a network's name: ``hey_jarvis`` has two."""
MOST_TOKENS: Final = 10**9
MOST_MONEY: Final = 10**6
"""Of one turn: what is more is no count."""


class Tally:
    """Counts events as they come. Used from one thread only; never fails."""

    def __init__(self) -> None:
        self.figures = Figures()
        """What was counted since `take` was called last."""
        self._began: float | None = None
        """When the talk began that goes on."""
        self._woken = self._called = self._understood = self._heard = self._failed = False
        """Of that talk: how it began, and what has come of it. Called is who said the wake word, as
        the server has understood it, understood who said anything else."""
        self._names: set[str] = set()
        """The parts of the wake words that have led to the talk."""
        self._played: tuple[int, int] = (0, 0)
        """The newest turn that was heard, and for how many ms so far."""
        self._billed: dict[int, dict[str, int]] = {}
        """What was counted so far of each of the last turns that have cost something."""
        self._counts: Mapping[EventName, Callable[[PublicEvent], None]] = {
            EventName.STATE: self._state,
            EventName.WAKE: self._wake,
            EventName.SESSION: self._session,
            EventName.REPLY: self._reply,
            EventName.TRANSCRIPT: self._transcript,
            EventName.UNHEARD: self._unheard,
            EventName.REPEATED: self._repeated,
            EventName.DROPPED: self._dropped,
            EventName.FAULT: self._fault,
            EventName.USAGE: self._usage,
        }

    @property
    def talks(self) -> bool:
        """Whether a talk goes on."""
        return self._began is not None

    def take(self) -> Figures:
        """Return what was counted since the last time."""
        taken, self.figures = self.figures, Figures()
        return taken

    def count(self, event: PublicEvent) -> None:
        """Take an event."""
        counts = self._counts.get(event.event)
        if counts is not None:
            counts(event)

    # --- talks -----------------------------------------------------------------------------------

    def _state(self, event: PublicEvent) -> None:
        rests = event.fields["to"] in AT_REST
        if event.fields["from"] == "speaking" and event.fields["reason"] in SPOKEN_OVER:
            self.figures.numbers["barge_ins"] += 1
        if self._began is None and not rests:
            self._began = event.time
            self._woken = event.fields["reason"] == WAKE_WORD
            self._called = self._understood = self._heard = self._failed = False
            self.figures.numbers["talks"] += 1
        elif self._began is not None and rests:
            # A monotonic clock does not go back, but events of two threads may cross.
            self.figures.numbers["talk_ms"] += max(0, round(1000 * (event.time - self._began)))
            self._began = None
            answered = self._heard and not self._called
            if self._woken and not (self._understood or answered or self._failed):
                self.figures.numbers["false_starts"] += 1

    def _wake(self, event: PublicEvent) -> None:
        names = self._names if self.talks else set()
        self._names = names | _words(event.fields["word"])
        self.figures.numbers["wakes"] += 1
        self.figures.name("words", event.fields["word"])

    def _session(self, event: PublicEvent) -> None:
        match event.fields:
            case {"what": "opened" | "resumed", "latency_ms": float() | int() as latency_ms}:
                self.figures.timed["connection"].add(latency_ms)
            case {"what": "failed"}:
                self._failed = True

    def _transcript(self, event: PublicEvent) -> None:
        if event.fields["who"] == "user" and (said := _words(event.fields["text"])):
            self._called = True
            self._understood = self._understood or not said <= self._names

    # --- answers ---------------------------------------------------------------------------------

    def _reply(self, event: PublicEvent) -> None:
        if event.fields["what"] == "first_sound":
            self._heard = True
            self.figures.numbers["answers"] += 1
        turn, played_ms = event.fields["turn"], event.fields["played_ms"]
        before_ms = self._played[1] if turn == self._played[0] else 0
        if played_ms > before_ms:
            self.figures.numbers["down_ms"] += played_ms - before_ms
            self._played = (turn, played_ms)

    def _unheard(self, _event: PublicEvent) -> None:
        self.figures.numbers["unheard"] += 1

    # --- what goes wrong, and what it costs -------------------------------------------------------

    def _repeated(self, event: PublicEvent) -> None:
        self.figures.numbers["repeated_frames"] += event.fields["frames"]

    def _dropped(self, event: PublicEvent) -> None:
        self.figures.numbers["dropped_frames"] += event.fields["frames"]

    def _fault(self, event: PublicEvent) -> None:
        if not event.fields["cleared"]:
            self.figures.name("faults", event.fields["kind"])

    def _usage(self, event: PublicEvent) -> None:
        """Count the largest that was told of each side of a turn.

        Live API: a turn may be told of more than once, also after the next one.
        """
        fields = event.fields
        known = self._billed.setdefault(fields["turn"], {})
        while len(self._billed) > LATE_TURNS:
            del self._billed[next(iter(self._billed))]
        sides = {
            "prompt_tokens": _tokens(fields, "prompt", "tool_use"),
            "response_tokens": _tokens(fields, "response", "thoughts"),
            "tokens": _tokens(fields, "total"),
        }
        for name, tokens in sides.items():
            self.figures.numbers[name] += _more(known, name, tokens)
        cost = fields.get("cost")
        if isinstance(cost, int | float) and math.isfinite(cost) and 0 < cost <= MOST_MONEY:
            currency = str(fields.get("currency") or "")
            micro = _more(known, f"cost {currency}", round(cost * MICRO))
            if micro:
                self.figures.name("costs", currency, micro)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _tokens(fields: Mapping[str, Any], *names: str) -> int:
    found = (fields.get(name) for name in names)
    return sum(n for n in found if isinstance(n, int) and 0 <= n <= MOST_TOKENS)


def _more(known: dict[str, int], name: str, count: int) -> int:
    """Return by how much this is more than what is known, and know it from now on."""
    before = known.get(name, 0)
    known[name] = max(before, count)
    return known[name] - before
