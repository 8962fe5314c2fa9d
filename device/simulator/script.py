"""(pure) A script says what the stand-in does: turns it answers with, events that happen.

A :class:`Script` is data. Its **turns** are one conversation: each waits for its trigger and then
answers. A fresh session begins with the first turn; a session resumed on a handle goes on with the
turn that was next when that handle was issued. Its **events** are everything else, good or bad:
*at* a point of a connection, *after* so many seconds, *do* one action.

======================== ==========================================================================
point                    reached
======================== ==========================================================================
``upgrade``              the HTTP request of a connection came in (before the WebSocket)
``opened``               the WebSocket is open
``setup``                the client's setup came in; it is not answered yet
``ready``                ``setupComplete`` was sent
``audio``                microphone audio comes in; ``after_s`` counts audio of this connection
``reply``                a reply begins; ``after_s`` counts the reply's audio sent
``turn``                 ``turnComplete`` was sent
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
from device.simulator.script_fields import build

Trigger = Literal["speech", "text", "audio", "open"]
Point = Literal["upgrade", "opened", "setup", "ready", "audio", "reply", "turn", "go_away"]

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


Action = (
    Reject | Close | Drop | GoAway | Silence | Deaf | Send | Resumable | Forget | Poison | Interrupt
)


@dataclass(frozen=True, slots=True)
class Event:
    """One action at one point."""

    at: Point
    do: Action
    after_s: float = 0.0
    """Seconds after the point: of the clock, but of audio at ``audio`` and ``reply``."""
    turn: int = 0
    """Only in the turn with this number (from 1, counted in its conversation); 0: in every one.

    Only for ``reply`` and ``turn``; the other points do not belong to a turn.
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
        if self.turn and self.at not in ("reply", "turn"):
            raise ScriptError(f"event at {self.at}: it has no turn; leave turn={self.turn} out")

    def concerns(self, point: Point, connection: int, turn: int) -> bool:
        """Whether this event belongs to a point of this connection in this turn."""
        return (
            self.at == point
            and (not self.connections or connection in self.connections)
            and (not self.turn or turn == self.turn)
        )


# --- turns ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model asks for before it answers."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    blocking: bool = True
    """Whether the reply waits for the answer."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user says and what the model answers.

    Without ``audio`` the reply is empty: ``turnComplete`` with no sound. With ``answers=False``
    nothing follows the input transcription: the model took it as not meant for it.
    """

    trigger: tuple[Trigger, ...] = ("speech", "text")
    """What starts it: speech then silence (or ``activityEnd``), a text, ``audio_ms`` of any audio
    since the last turn, or nothing at all (``open``)."""
    heard: str = ""
    """The input transcription; when a text started the turn, that text takes its place."""
    says: str = ""
    """The output transcription."""
    audio: str | int | bytes | None = 1000
    """The reply: name of a shipped WAV or path of one (24 kHz), ms of a tone, or 24 kHz PCM."""
    audio_ms: int = 1000
    """For the trigger ``audio``."""
    delay_s: float = 0.0
    """From the trigger to the first audio."""
    chunk_ms: tuple[int, ...] = (100,)
    """Lengths of the audio chunks, again from the first after the last."""
    pace: Literal["burst", "realtime"] | float = 4.0
    """How many times faster than real time the audio is sent."""
    plays_out: bool = True
    """Whether ``turnComplete`` waits until the audio would have been played, as the real one."""
    interruptible: bool = True
    answers: bool = True
    thought: str = ""
    """A thought part, which must be neither shown nor spoken."""
    calls: tuple[ToolCall, ...] = ()
    search: str = ""
    """A query the model searched the web for: sends grounding metadata."""
    usage: Mapping[str, Any] | None = None
    """The ``usageMetadata`` at the end of the turn; None: counted at 25 tokens a second."""

    def __post_init__(self) -> None:
        if not self.chunk_ms or min(self.chunk_ms) <= 0:
            raise ScriptError(f"turn: chunk_ms is {list(self.chunk_ms)}; give lengths above 0")
        if self.speed <= 0:
            raise ScriptError(f"turn: pace is {self.pace}; give burst, realtime or a factor")
        if not self.trigger:
            raise ScriptError("turn: trigger is empty; give speech, text, audio or open")

    @property
    def speed(self) -> float:
        """How many times faster than real time; infinite for ``burst``."""
        if isinstance(self.pace, str):
            return math.inf if self.pace == "burst" else 1.0
        return float(self.pace)


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

    def __post_init__(self) -> None:
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
        if number > len(self.turns) and not (self.loop and self.turns):
            return None
        return self.turns[(number - 1) % len(self.turns)]


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
