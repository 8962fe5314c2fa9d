"""(pure) A script says what the stand-in does: turns it answers with, events that happen.

A :class:`Script` is data. Its **turns** are one conversation: each waits for its trigger and then
answers. A fresh session begins with the first turn, or where the sessions before it ended
(``fresh: next``); a session resumed on a handle goes on with the turn that was next when that
handle was issued. Its **refusals** are closes over what a setup holds. Its **events** are
everything else, good or bad: *at* a point of a connection, *after* so many seconds, *do* one
action.

======================== ==========================================================================
point                    reached
======================== ==========================================================================
``upgrade``              the HTTP request of a connection came in (before the WebSocket)
``opened``               the WebSocket is open
``setup``                the client's setup came in; it is not answered yet
``ready``                ``setupComplete`` was sent
``audio``                microphone audio comes in; ``after_s`` counts audio of this connection
``call``                 ``toolCall`` was sent
``answer``               the last open call of a turn was answered
``reply``                a reply begins; ``after_s`` counts the reply's audio sent
``turn``                 ``turnComplete`` was sent; of a turn with calls the one after the answer
``go_away``              ``goAway`` was sent
======================== ==========================================================================

So "never answers setup" is ``Event("setup", Silence())``, "dies in the middle of the second answer"
is ``Event("reply", Drop(), after_s=1.0, turn=2)``, and "not resumable in the first ten seconds" is
``Event("ready", Resumable(False))`` with ``Event("ready", Resumable(True), after_s=10)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from device.errors import ScriptError
from device.simulator.refusals import Refusal
from device.simulator.script_fields import build
from device.simulator.tokens import TokenRules
from device.simulator.turns import Filler, Hiss, Pause, Tone, ToolCall, Turn

__all__ = [
    "Action",
    "CancelCalls",
    "Close",
    "Cues",
    "Deaf",
    "Drop",
    "Event",
    "Filler",
    "Forget",
    "GoAway",
    "Hiss",
    "Interrupt",
    "LoseContext",
    "Pause",
    "Point",
    "Poison",
    "Refusal",
    "Reject",
    "Resumable",
    "Script",
    "Send",
    "Silence",
    "TellUsage",
    "TokenRules",
    "Tone",
    "ToolCall",
    "Turn",
]

Point = Literal[
    "upgrade",
    "opened",
    "setup",
    "ready",
    "audio",
    "call",
    "answer",
    "reply",
    "turn",
    "go_away",
]

KNOWN_MODELS = (
    "gemini-3.1-flash-live-preview",
    "gemini-3.8-live",
    "gemini-3.8-live-extended-thinking",
    "gemini-2.5-flash-native-audio-latest",
    "gemini-2.5-flash-native-audio-preview-12-2025",
)
"""Live API: the voice models that answered in November 2026."""


# --- actions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reject:
    """Answer the HTTP request with a status instead of a WebSocket; only at ``upgrade``."""

    status: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket; the reason is cut to 123 bytes (RFC 6455)."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """Cut the TCP connection without a close frame (clients see code 1006)."""


@dataclass(frozen=True, slots=True)
class GoAway:
    """Announce the end of the connection."""

    time_left_s: float = 10.0
    closes: bool = True
    """Whether a client that is still there after that time is closed with 1008."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Send nothing for a while, then all that was held back; without a time: never again."""

    for_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Deaf:
    """Stop reading from the socket for a while: a slow reader, or one that hangs."""

    for_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Send:
    """Send this as it stands: an object as JSON, text or bytes literally (need not be JSON)."""

    message: Mapping[str, Any] | str | bytes
    padding_bytes: int = 0
    """So many spaces are added, which JSON allows: a way to a message of any size."""


@dataclass(frozen=True, slots=True)
class Resumable:
    """Whether the session can be resumed from now on; told by a resumption update."""

    now: bool


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget every handle issued so far: resuming on one is refused with 1008."""


@dataclass(frozen=True, slots=True)
class Poison:
    """Spoil every handle issued so far: a session resumed on one hears but never answers."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Send ``interrupted`` though nobody spoke, and give the running reply up."""

    complete: bool = True
    """Whether ``turnComplete`` follows, as it should."""


@dataclass(frozen=True, slots=True)
class LoseContext:
    """Forget what was said, and keep the handles: the next prompt is as small as a first one."""


@dataclass(frozen=True, slots=True)
class TellUsage:
    """Send a ``usageMetadata`` in a message of its own: at ``ready``, one before the first turn."""

    counts: Mapping[str, Any] | None = None
    """None: what a turn that begins now would read."""


@dataclass(frozen=True, slots=True)
class CancelCalls:
    """Cancel every open function call; a reply that waited for one comes without it."""


Action = (
    Reject
    | Close
    | Drop
    | GoAway
    | Silence
    | Deaf
    | Send
    | Resumable
    | Forget
    | Poison
    | Interrupt
    | LoseContext
    | TellUsage
    | CancelCalls
)
TURN_POINTS: tuple[Point, ...] = ("call", "answer", "reply", "turn")
"""The points that belong to a turn."""


@dataclass(frozen=True, slots=True)
class Event:
    """One action at one point."""

    at: Point
    do: Action
    after_s: float = 0.0
    """Seconds after the point: of the clock, but of audio at ``audio`` and ``reply``."""
    turn: int = 0
    """Only in the turn with this number (from 1, counted in its conversation); 0: in every one.

    Only for ``call``, ``answer``, ``reply`` and ``turn``; the others do not belong to a turn.
    """
    connections: tuple[int, ...] = ()
    """Only on the connections with these numbers (from 1, in order of arrival); empty: on all."""

    def __post_init__(self) -> None:
        if self.after_s < 0 or not math.isfinite(self.after_s):
            raise ScriptError(f"event at {self.at}: after_s is {self.after_s}; give 0 or more")
        if isinstance(self.do, Reject) and self.at != "upgrade":
            raise ScriptError(f"event at {self.at}: only a request at upgrade can be rejected")
        if self.at == "upgrade" and not isinstance(self.do, Reject | Drop | Silence):
            name = type(self.do).__name__
            raise ScriptError(f"event at upgrade: {name} needs a WebSocket; put it at opened")
        if self.at == "opened" and isinstance(self.do, TellUsage):
            raise ScriptError("event at opened: nothing is counted before setup; put it there")
        if self.turn and self.at not in TURN_POINTS:
            raise ScriptError(f"event at {self.at}: it has no turn; leave turn={self.turn} out")

    def concerns(self, point: Point, connection: int, turn: int) -> bool:
        """Tell whether this event belongs to a point of this connection in this turn."""
        return (
            self.at == point
            and (not self.connections or connection in self.connections)
            and (not self.turn or turn == self.turn)
        )


# --- the whole -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Script:
    """Everything the stand-in server does. The default answers every question with a tone."""

    turns: tuple[Turn, ...] = (Turn(),)
    events: tuple[Event, ...] = ()
    loop: bool = True
    """Whether the turns begin again after the last; otherwise the rest is silence."""
    api_keys: tuple[str, ...] | None = None
    """The keys that are valid; None: any that is not empty."""
    models: tuple[str, ...] = KNOWN_MODELS
    api_versions: tuple[str, ...] = ("v1beta",)
    setup_delay_s: float = 0.0
    silence_ms: int = 600
    """Silence after speech that ends the user's turn, counted in audio received."""
    speech_dbfs: float = -45.0
    """RMS level above which audio counts as speech."""
    fresh: Literal["first", "next"] = "first"
    """Which turn a fresh session begins with: the first, or the one after the last that was done in
    any session."""
    refusals: tuple[Refusal, ...] = ()
    """The first that is met closes the connection."""
    takes_stream_end: bool = True
    """Whether ``audioStreamEnd`` ends the user's speech; otherwise only silence after it does."""
    compresses: bool = True
    """Whether a context over the setup's trigger is cut to its target, as was agreed."""
    empty_every: int = 0
    """Of so many messages the last is ``{}``; 0: none is."""
    tokens: TokenRules = field(default_factory=TokenRules)
    """How ephemeral tokens are taken, where that is disputed."""
    empty_row: int = 1
    """How many ``{}`` come in a row."""

    def __post_init__(self) -> None:
        if self.empty_every == 1 or self.empty_every < 0 or self.empty_row < 1:
            raise ScriptError(
                f"script: empty_every is {self.empty_every} and empty_row {self.empty_row}; give 0 "
                "or at least 2, and at least 1"
            )
        if any(turn.times != 1 or turn.sessions for turn in self.turns):
            raise ScriptError("script: a turn has times or sessions; they count only in a first")
        if self.loop and self.turns and all("open" in turn.trigger for turn in self.turns):
            raise ScriptError("script: every turn starts by itself and loop is on: it never ends")

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Script:
        """Build a script from what YAML or JSON holds; keys are the fields' names.

        An action is its name in snake case with its fields: ``do: {go_away: {time_left_s: 5}}``;
        one without fields is its name alone: ``do: drop``. Raises ScriptError, which names the
        place and what could stand there.
        """
        return build(cls, mapping, "script")

    def turn(self, number: int) -> Turn | None:
        """Return the turn with this number in its conversation (from 1), None after the last."""
        place = self.place(number)
        return None if place is None else self.turns[place]

    def place(self, number: int) -> int | None:
        """Return where in the script the turn with this number stands, None after the last."""
        if number > len(self.turns) and not (self.loop and self.turns):
            return None
        return (number - 1) % len(self.turns)


ROUNDING_S = 1e-6
"""Seconds of audio are a sum of many: less than a sample may be missing."""


class Cues:
    """The script's events as one connection meets them."""

    def __init__(self, events: Sequence[Event], connection: int) -> None:
        self._events = events
        self._connection = connection
        self._armed: dict[Point, list[Event]] = {}

    def at(self, point: Point, turn: int = 0) -> list[Event]:
        """Return the events at a point, in the script's order."""
        return [event for event in self._events if event.concerns(point, self._connection, turn)]

    def arm(self, point: Point, turn: int = 0) -> None:
        """Begin to count audio for a point."""
        self._armed[point] = self.at(point, turn)

    def due(self, point: Point, seconds: float) -> list[Event]:
        """Return what is due after so many seconds of audio, each event once."""
        armed = self._armed.get(point, [])
        due = [event for event in armed if event.after_s <= seconds + ROUNDING_S]
        self._armed[point] = [event for event in armed if event not in due]
        return due
