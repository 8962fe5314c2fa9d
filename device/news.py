"""News is what happens to a speaker, each kind as a frozen value.

Every part that speaks up by itself is given a ``post`` function when it starts. ``post`` takes one
of the news below and must be called on the event loop's thread; a part with a thread of its own
uses ``threads.tell(loop, post, news)``. Times are CLOCK_MONOTONIC seconds of the moment the
thing happened.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Literal

from device.errors import DeviceTrouble


@dataclass(frozen=True, slots=True)
class Detection:
    """A wake word was heard."""

    word: str
    score: float
    """0..1, of the hop that decided."""
    end_sample: int
    """Place in the microphone's stream (``Frame.first_sample``) just after that hop."""
    time: float
    persona: str = ""
    """Who answers to the word; empty: nobody in particular."""


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


@dataclass(frozen=True, slots=True)
class StopWord:
    """Somebody said "stop", without a wake word; only listened for while something rings."""

    end_sample: int
    """Place in the microphone's stream just after the hop that decided."""
    time: float


WakeNews = Detection | SpeechChanged | SpeechJudged | StopWord


@dataclass(frozen=True, slots=True)
class MicrophoneOpened:
    """The microphone's device is open; nothing was delivered yet."""

    time: float


@dataclass(frozen=True, slots=True)
class MicrophoneDelivers:
    """The first frame came since the microphone was opened."""

    time: float


@dataclass(frozen=True, slots=True)
class MicrophoneLost:
    """The microphone cannot be used; it is tried again by whoever keeps it open."""

    trouble: DeviceTrouble
    message: str
    time: float


@dataclass(frozen=True, slots=True)
class TalkedOver:
    """Somebody is heard over the reply; whether they interrupt it is not clear yet."""

    heard_at: float
    """When the frame was recorded in which they were first heard, CLOCK_MONOTONIC."""
    time: float


@dataclass(frozen=True, slots=True)
class BargedIn:
    """They speak on: the user interrupts the reply."""

    first_sample: int
    """The microphone's sample at which they were first heard."""
    time: float


@dataclass(frozen=True, slots=True)
class FellSilent:
    """It was a cough, a noise, a word or less: nobody interrupts."""

    time: float


@dataclass(frozen=True, slots=True)
class DuplexDecided:
    """It was measured whether the microphone can be listened to while a reply plays."""

    mode: Literal["full", "half"]
    why: str
    time: float


MicrophoneNews = (
    MicrophoneOpened
    | MicrophoneDelivers
    | MicrophoneLost
    | TalkedOver
    | BargedIn
    | FellSilent
    | DuplexDecided
)


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


@dataclass(frozen=True, slots=True)
class SpeakerOpened:
    """The loudspeaker's device is open."""

    time: float


@dataclass(frozen=True, slots=True)
class SpeakerLost:
    """The loudspeaker cannot be used; it is tried again by whoever keeps it open."""

    message: str
    time: float


PlaybackNews = FirstSound | PlaybackDrained | PlaybackStarved
SpeakerNews = PlaybackNews | SpeakerOpened | SpeakerLost


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
    TOKEN = "token"  # noqa: S105 - a kind, not one
    """The token server gives no ephemeral token, or the server does not take it."""
    QUOTA = "quota"
    BILLING = "billing"
    MODEL = "model"
    SETTINGS = "settings"
    """The server refuses what the configuration asks of it."""
    SERVER = "server"
    TIMEOUT = "timeout"
    """No answer came, or none that could be heard."""


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


@dataclass(frozen=True, slots=True)
class Plugged:
    """A sound card or an array on USB was plugged in."""

    time: float


BoardNews = ButtonEdge | Pressed | MuteSwitched | PartLost | Plugged


@dataclass(frozen=True, slots=True)
class TimerNews:
    """Something happened to a timer, an alarm or a reminder.

    What rings does until `stopped`; one that rings on after a restart is told as ringing again.
    """

    what: Literal["set", "changed", "cancelled", "ringing", "stopped", "missed"]
    id: int
    """1..999; not used again before all the others were."""
    name: str
    """As a person has named it; may be empty."""
    due: str | None
    """When it is or was due, ISO 8601 with offset; None while the time of day is not known."""
    kind: Literal["timer", "alarm", "reminder"]
    text: str
    """What a reminder says when it rings; else empty."""
    time: float


# --- what a person asks for, by button or command ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tap:
    """The button asks to talk, to be silent or to end the talk, as the state has it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The button is held to talk."""


@dataclass(frozen=True, slots=True)
class Release:
    """The button that was held is let go."""

    heard: bool
    """Whether anybody was heard meanwhile."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A picture that the owner gives with a question: a JPEG, bounded in bytes and pixels."""

    jpeg: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Ask:
    """The owner typed a question."""

    text: str
    picture: Enclosed | None = None
    """What it is about."""
    persona: str | None = None
    """Who is asked; empty: nobody in particular; None: whoever talks, or else would be tapped."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The owner said stop, by command or by a button that is mapped to it."""


@dataclass(frozen=True, slots=True)
class Mute:
    """The microphone is to be closed."""


@dataclass(frozen=True, slots=True)
class Unmute:
    """The microphone is to be opened again."""


@dataclass(frozen=True, slots=True)
class MuteToggled:
    """The button mutes, or unmutes."""


@dataclass(frozen=True, slots=True)
class VolumeStepped:
    """The button makes it louder or softer."""

    by_percent: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """The model was asked to end the talk, or to mute the microphone: after what it says of it."""

    mutes: bool


Wish = Leaving | Tap | Hold | Release | Ask | Stop | Mute | Unmute | MuteToggled | VolumeStepped


# --- time and settings ---------------------------------------------------------------------------


class Debt(Enum):
    """What the session owes the user when a timer runs out."""

    NONE = auto()
    OWED = auto()
    """An answer to what was said, of which the server has told nothing."""
    UNDERSTOOD = auto()
    """An answer to what the server has told that it understood."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The timer with this number ran out."""

    clock: int
    debt: Debt


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """A second has passed since an answer was asked for again, and this timer is still in force."""

    clock: int


@dataclass(frozen=True, slots=True)
class HabitsChanged:
    """The owner wants the conversation to go like this from now on."""

    follow_up: Literal["always", "questions", "never"]
    """After which answers it listens on."""
    resume_reply: bool
    """Whether an answer that a wake word paused goes on when nobody says anything."""


@dataclass(frozen=True, slots=True)
class SessionAged:
    """The session is as old as the owner allows."""

    session: int


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """What a session is set up with has changed: the one there is has the old settings."""


@dataclass(frozen=True, slots=True)
class PersonasChanged:
    """These personas can be talked to from now on, beside nobody in particular."""

    first: str
    """Who answers where neither a word nor a name says who; empty: nobody in particular."""
    known: frozenset[str]


Moment = TimedOut | StillWaiting | HabitsChanged | SessionAged | SettingsChanged | PersonasChanged
News = WakeNews | MicrophoneNews | SpeakerNews | SessionNews | BoardNews | TimerNews | Wish | Moment
Post = Callable[[News], None]
