"""News is what the parts of a speaker report, each as a frozen value with the moment it happened.

Every part that speaks up by itself is given a ``post`` function when it starts. ``post`` takes one
of the news below and must be called on the event loop's thread; a part with a thread of its own
uses ``loop.call_soon_threadsafe(post, news)``. Times are CLOCK_MONOTONIC seconds of the moment the
thing happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True)
class Detection:
    """A wake word was heard."""

    word: str
    score: float
    """0..1, of the hop that decided."""
    end_sample: int
    """Place in the microphone's stream (``Frame.first_sample``) just after that hop."""
    time: float


@dataclass(frozen=True, slots=True)
class SpeechChanged:
    """The user began or stopped speaking (endpointing; counts audio, not the clock)."""

    speaking: bool
    end_sample: int
    time: float


@dataclass(frozen=True, slots=True)
class SpeechJudged:
    """How likely a stretch of the microphone holds speech; told of each while speech is tracked."""

    probability: float
    """0..1."""
    first_sample: int
    end_sample: int
    time: float


WakeNews = Detection | SpeechChanged | SpeechJudged


@dataclass(frozen=True, slots=True)
class FirstSound:
    """The card took the first sample of a turn."""

    turn: int
    time: float
    queue_s: float = 0.0
    """What was on its way to the card before it: so much later it is heard."""


@dataclass(frozen=True, slots=True)
class PlaybackDrained:
    """A turn was ended and the card has taken (and, by its latency, played) all of it."""

    turn: int
    played_ms: int
    time: float


@dataclass(frozen=True, slots=True)
class PlaybackStarved:
    """The buffer ran empty in the middle of a turn that has not ended."""

    turn: int
    time: float


SpeakerNews = FirstSound | PlaybackDrained | PlaybackStarved


class FailureKind(StrEnum):
    """Why a session could not open or go on; each is told to the person in its own way."""

    OFFLINE = "offline"
    """This device has no network at all."""
    CLOCK = "clock"
    """This device's clock is so wrong that no certificate could be judged."""
    DNS = "dns"
    NETWORK = "network"
    """The server cannot be reached, or the connection to it was lost."""
    PORTAL = "portal"
    """Something that wants a sign-in answered in the server's place."""
    PROXY = "proxy"
    TLS = "tls"
    KEY = "key"
    QUOTA = "quota"
    BILLING = "billing"
    MODEL = "model"
    SETTINGS = "settings"
    """The server refuses what the configuration asks of it."""
    SERVER = "server"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Failure:
    """A told end of a session."""

    kind: FailureKind
    message: str
    """For the owner: names the thing and says what to do; never holds the key."""
    retryable: bool
    """Whether trying again without changing anything can help."""


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
class Usage:
    """Tokens of the turn just ended, as the server counts them."""

    session: int
    turn: int
    tokens: Mapping[str, int]
    """Keys as ``prompt``, ``prompt_audio``, ``prompt_text``, ``response``, ``response_audio``,
    ``thoughts``, ``tool_use``, ``cached``, ``total``; only those the server named."""
    time: float


SessionNews = (
    Reconnecting
    | SessionOpened
    | SessionClosed
    | SessionFailed
    | HandleChanged
    | ModelReplaced
    | Stalled
    | AudioRepeated
    | AudioDropped
    | GoAway
    | UplinkChanged
    | ReplyAudio
    | Interrupted
    | GenerationComplete
    | TurnComplete
    | Transcript
    | ToolNews
    | Usage
)


@dataclass(frozen=True, slots=True)
class ButtonEdge:
    """The button went down or up."""

    down: bool
    time: float


@dataclass(frozen=True, slots=True)
class Pressed:
    """A gesture on the button, by its name in `device.board.gestures`."""

    gesture: str
    time: float


@dataclass(frozen=True, slots=True)
class MuteSwitched:
    """The microphone's own mute switch is on, or off."""

    on: bool
    time: float


@dataclass(frozen=True, slots=True)
class PartLost:
    """A part of the board stopped working; the speaker goes on without it."""

    part: Literal["lights", "button"]
    message: str
    time: float


BoardNews = ButtonEdge | Pressed | MuteSwitched | PartLost


News = WakeNews | SpeakerNews | SessionNews | BoardNews


Post = Callable[[News], None]
