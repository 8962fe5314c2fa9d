"""(pure) A turn of a script holds what the user says and what the model makes of it.

A :class:`Turn` is data. Besides good answers it can be every turn that people met and that was no
answer: one without a sound, of text alone, rejected, of noise below hearing, or nothing at all.
Its field ``first`` says what comes in its place the first times its question is asked::

    Turn(says="It is sunny.", audio="answer_weather", first=(Turn(audio=None, ends="turn"),))

is a question that is answered with an empty turn at first, and properly when it is asked again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from device.errors import ScriptError

Trigger = Literal["speech", "text", "audio", "open"]
Order = Literal["by_turn", "together", "text_first", "text_last", "text_around", "paced"]
Ends = Literal["both", "turn", "generation", "none"]
Told = Literal["late", "never", "repeated", "chunks"]


# --- the sound of a reply ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pause:
    """Digital silence."""

    ms: int


@dataclass(frozen=True, slots=True)
class Hiss:
    """White noise, as a dead line has it."""

    ms: int
    dbfs: float = -70.0
    """Peak."""


@dataclass(frozen=True, slots=True)
class Tone:
    """One steady tone; the transcription stands still meanwhile."""

    ms: int
    hz: float = 1000.0
    dbfs: float = -6.0
    """Peak."""


Piece = str | int | bytes | Pause | Hiss | Tone
"""The name of a shipped WAV or path of one (24 kHz), ms of a soft tone, 24 kHz PCM, or noise."""
Audio = str | int | bytes | None | tuple[Piece, ...]


# --- turns ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model asks for before it answers.

    Live API: 2.5 and 3.1 answer in the same turn, when the call is answered. 3.8 ends its turn
    after the call (``generationComplete``, ``turnComplete``) and says the answer in a new one.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    blocking: bool | None = None
    """Whether the call blocks the model; None: as it was declared, else as the model does it."""
    id: str | None = None
    """None: the server gives one; empty: the call comes without an id."""


@dataclass(frozen=True, slots=True)
class Filler:
    """Something said before the function calls and the answer, such as "one moment".

    Extended thinking ends each with ``turnComplete`` and ``interactionStatus: IN_PROGRESS``; for
    the other models it is the beginning of their turn.
    """

    says: str = ""
    audio: Audio = 500
    pause_s: float = 0.0
    """Silence after it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user says and what the model answers.

    Without ``audio`` the reply is empty: its ends with no sound. With ``answers=False`` nothing
    follows the input transcription: the model took it as not meant for it; with
    ``transcribed=False`` too, there is no event at all.
    """

    trigger: tuple[Trigger, ...] = ("speech", "text")
    """What starts it: speech then silence (or ``activityEnd``), a text, ``audio_ms`` of any audio
    since the last turn, or nothing at all (``open``)."""
    heard: str = ""
    """The input transcription; when a text started the turn, that text takes its place."""
    says: str = ""
    """The output transcription; ``{picture}`` in it is the size of the newest picture shown."""
    audio: Audio = 1000
    """The reply: name of a shipped WAV or path of one (24 kHz), ms of a tone, 24 kHz PCM, or
    several pieces one after the other."""
    audio_ms: int = 1000
    """For the trigger ``audio``."""
    delay_s: float = 0.0
    """From the trigger to the first audio of the answer."""
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
    """All in one message."""
    searches: tuple[str, ...] = ()
    """Queries put to Google: grounding metadata names them with each piece of the answer, and once
    more with all of it. Only where the setup has ``googleSearch``."""
    usage: Told | None = None
    """How the tokens are told. None: as the model does it, 3.8 with ``turnComplete``, earlier ones
    also with some of the sound, and at the end with ``turnComplete`` or right before it. ``late``:
    the turn's count comes after ``turnComplete``, in a message of its own. ``never``.
    ``repeated``: it comes alone, with ``turnComplete``, and alone again. ``chunks``: small counts
    also with some of the sound, whatever the model."""
    counts: Mapping[str, Any] | None = None
    """The ``usageMetadata`` of the turn, and of each turn that 3.8 makes of it; None: counted from
    what went over the wire."""

    text: str = ""
    """A text part, where sound should be."""
    fillers: tuple[Filler, ...] = ()
    transcribed: bool = True
    """Whether the input transcription comes, where the setup asks for it."""
    heard_at: Literal["before", "around", "after"] = "before"
    """Where the input transcription stands: before the reply's sound, half of it after the first
    chunk, or all of it after the last."""
    order: Order = "by_turn"
    """Where the output transcription stands: in one event with the audio, before, after, half of it
    after the first chunk, or spread over the sound up to its first Tone. ``by_turn``: in another
    place from turn to turn."""
    repeats: Literal["none", "fragments", "whole"] = "none"
    """Whether transcriptions are sent twice: each fragment, or the whole after it was whole."""
    ends: Ends = "both"
    """Which of ``generationComplete`` and ``turnComplete`` come."""
    reason: str = ""
    """The ``turnCompleteReason``: any string, known or not."""
    status: str | None = None
    """The ``interactionStatus`` at the end; None: IDLE from extended thinking, else none; empty:
    none from anybody."""
    interruption_completes: bool = True
    """Whether ``turnComplete`` follows ``interrupted`` when the user interrupts this reply."""
    adds_tokens: int = 0
    """So much text the context grows by with this turn, beside all that goes over the wire: what a
    search has found, or a talk that was longer."""

    first: tuple[Turn, ...] = ()
    """What comes in its place the first times its question is asked, one a time; the question
    counts as open until then. Their triggers do not matter."""
    first_over: Literal["session", "all"] = "session"
    """Whether the times are counted in each session anew, or over all sessions."""
    times: int = 1
    """In ``first``: for how many times in a row this one stands."""
    sessions: tuple[int, ...] = ()
    """In ``first``: only in the sessions with these numbers (from 1, in the order they were begun;
    a resumed session keeps its number); empty: in all."""

    def __post_init__(self) -> None:
        if not self.chunk_ms or min(self.chunk_ms) <= 0:
            raise ScriptError(f"turn: chunk_ms is {list(self.chunk_ms)}; give lengths above 0")
        if self.speed <= 0:
            raise ScriptError(f"turn: pace is {self.pace}; give burst, realtime or a factor")
        if not self.trigger:
            raise ScriptError("turn: trigger is empty; give speech, text, audio or open")
        if self.times < 1:
            raise ScriptError(f"turn: times is {self.times}; give 1 or more")
        if any(turn.first for turn in self.first):
            raise ScriptError("turn: a turn in first has a first of its own; put all in one list")

    @property
    def speed(self) -> float:
        """How many times faster than real time; infinite for ``burst``."""
        if isinstance(self.pace, str):
            return math.inf if self.pace == "burst" else 1.0
        return float(self.pace)

    @property
    def generation_ends(self) -> bool:
        """Whether ``generationComplete`` comes."""
        return self.ends in ("both", "generation")

    @property
    def turn_ends(self) -> bool:
        """Whether ``turnComplete`` comes."""
        return self.ends in ("both", "turn")

    @property
    def sounds(self) -> list[Audio]:
        """Everything that may be heard of this turn."""
        own = [self.audio, *(filler.audio for filler in self.fillers)]
        return [*own, *(audio for turn in self.first for audio in turn.sounds)]

    def attempt(self, time: int, session: int) -> Turn:
        """Return what comes when its question is asked for this time (from 1) in a session.

        It is this turn itself when nothing is to come in its place any more.
        """
        for turn in self.first:
            if not turn.sessions or session in turn.sessions:
                if time <= turn.times:
                    return turn
                time -= turn.times
        return self
