"""A session opens, ends, sends, and brings what the model says.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from device.news.failure import Failure


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection is lost and could not be had back at once; what is said is held meanwhile.

    Posted before each further try; SessionOpened follows, or SessionFailed.
    """

    session: int
    failure: Failure
    time: float


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Setup was confirmed: what is held goes up now. ``resumed``: on a handle."""

    session: int
    latency_ms: float
    model: str
    resumed: bool
    time: float
    host: str = ""
    """The server that was reached."""
    connection: int = 1
    """Counts the connections of the session, from 1."""


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The session ended as asked (by us, or by the server with nothing wrong)."""

    session: int
    reason: str
    time: float


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """The session could not be opened or could not go on; it is over."""

    session: int
    failure: Failure
    model: str
    time: float


@dataclass(frozen=True, slots=True)
class HandleChanged:
    """What resumes the talk has changed; it is worth keeping beyond the process."""

    session: int
    handle: str | None
    """None: nothing does."""
    model: str
    time: float


@dataclass(frozen=True, slots=True)
class ModelReplaced:
    """The server does not have the configured model: one of the fallback models answers."""

    session: int
    gone: str
    successor: str
    time: float


@dataclass(frozen=True, slots=True)
class Stalled:
    """The server owed an answer and kept silent; ``what`` was done about it."""

    session: int
    what: Literal["nudged", "resumed", "restarted"]
    """Restarted: over a fresh session, since a resumed one heard and never answered."""
    reason: str
    time: float


@dataclass(frozen=True, slots=True)
class SettingRefused:
    """The server refuses one setting for this model, and the talk goes on without it."""

    session: int
    setting: str
    model: str
    reason: str
    time: float


@dataclass(frozen=True, slots=True)
class ContextFailed:
    """The server has forgotten the talk after a resume, or never compresses it.

    The talk goes on over a fresh session that is told of it in words.
    """

    session: int
    what: Literal["lost", "growing"]
    before: int
    """Tokens of the context before the resume; or the trigger of compression."""
    now: int
    """Tokens of the context."""
    time: float


@dataclass(frozen=True, slots=True)
class AudioRepeated:
    """What the user had said and nobody has answered goes up again, over a new connection."""

    session: int
    frames: int
    time: float


@dataclass(frozen=True, slots=True)
class AudioDropped:
    """Microphone audio found no room while the connection was away: it is lost."""

    session: int
    frames: int
    time: float


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server will end this connection."""

    session: int
    time_left_s: float
    time: float


@dataclass(frozen=True, slots=True)
class UplinkChanged:
    """Microphone audio began (or ceased) to be really sent."""

    session: int
    flowing: bool
    frames: int
    """Sent so far in this session."""
    bytes: int
    """Of PCM, sent so far in this session."""
    time: float


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """A chunk of the model's speech: s16le mono 24 kHz, any length."""

    session: int
    turn: int
    """Counts the model's turns over all sessions of the process; never used twice."""
    pcm: bytes
    time: float


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The server stopped this turn because the user spoke: what is left of it must not play."""

    session: int
    turn: int
    time: float


@dataclass(frozen=True, slots=True)
class GenerationComplete:
    """The model has produced all of this turn; the user has not heard it yet."""

    session: int
    turn: int
    time: float


@dataclass(frozen=True, slots=True)
class TurnComplete:
    """The server is done with this turn; the next chunk belongs to the next number."""

    session: int
    turn: int
    time: float
    more: bool = False
    """Whether more of the answer comes in another turn: the model works on, or has called a
    function."""
    cut_off: bool = False
    """Whether the connection's end has ended it, and not the server."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """A turn of the model was no answer to what was said or typed: nobody could hear it."""

    session: int
    turn: int
    why: Literal["empty", "text_only", "rejected", "silent", "nothing"]
    """No sound; a text instead of sound; rejected by the server; sound at the level of a dead line
    or one stationary tone; no turn at all."""
    chosen: bool
    """Whether the model may have chosen not to answer what it heard."""
    time: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. A fragment as it comes, or (``final``) the whole text of that side's turn."""

    session: int
    turn: int
    who: Literal["user", "model"]
    text: str
    final: bool
    time: float


@dataclass(frozen=True, slots=True)
class ToolNews:
    """A function the model asked for."""

    session: int
    what: Literal["called", "answered", "cancelled", "failed"]
    name: str
    time: float


@dataclass(frozen=True, slots=True)
class PictureSent:
    """A picture has left the device."""

    session: int
    reason: Literal["asked", "stream", "typed"]
    """The model asked for it, one a second goes up, or the owner gave it with a question."""
    bytes: int
    """Of JPEG."""
    width: int
    height: int
    time: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of the turn just ended, as the server counts them; once more where they grow later."""

    session: int
    turn: int
    tokens: Mapping[str, int]
    """Keys as ``prompt``, ``prompt_audio``, ``prompt_text``, ``response``, ``response_audio``,
    ``thoughts``, ``tool_use``, ``cached``, ``total``; only those the server named."""
    time: float
    searches: int = 0
    """How many different queries were put to Google Search."""
    cost: float | None = None
    """What all of that comes to, an estimate in ``currency``; None: nobody has reckoned yet."""
    currency: str = ""


SessionNews = (
    Reconnecting
    | SessionOpened
    | SessionClosed
    | SessionFailed
    | HandleChanged
    | ModelReplaced
    | Stalled
    | ContextFailed
    | SettingRefused
    | AudioRepeated
    | AudioDropped
    | GoAway
    | UplinkChanged
    | ReplyAudio
    | Interrupted
    | GenerationComplete
    | TurnComplete
    | Unheard
    | Transcript
    | ToolNews
    | PictureSent
    | Usage
)
