"""States, events and effects are the words of the conversation machine. Pure.

What follows from a state alone is a table here (`UPLINK_OPEN`, `TRACK_SPEECH`, `PATTERNS`,
`TIMERS`); effects are only for the edges between states.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class State(Enum):
    """Where the conversation stands; `label` is the name users see.

    The ``ASKED_*`` states wait for the answer to a question that was typed, or spoken while the
    button was held: nothing the microphone hears is sent, because nobody asks us to listen.
    """

    STARTING = auto()
    IDLE = auto()
    CONNECTING = auto()
    CONNECTING_HEARD = auto()
    """As CONNECTING, and the user has already finished the sentence."""
    LISTENING = auto()
    THINKING = auto()
    SPEAKING = auto()
    HOLDING_CONNECTING = auto()
    """As HOLDING, and the session is not open yet."""
    HOLDING = auto()
    """The button is held to talk: the user has finished when it is released, not before."""
    CUT_OFF = auto()
    """The connection broke in the middle of a reply; what had arrived is played."""
    ASKED_CONNECTING = auto()
    ASKED_THINKING = auto()
    ASKED_SPEAKING = auto()
    MUTED = auto()
    FAULT = auto()

    @property
    def label(self) -> str:
        """The public name: one of the states of the event stream."""
        return _LABELS.get(self, self.name.lower())


_LABELS = {
    State.CONNECTING_HEARD: "connecting",
    State.HOLDING_CONNECTING: "connecting",
    State.HOLDING: "listening",
    State.CUT_OFF: "speaking",
    State.ASKED_CONNECTING: "connecting",
    State.ASKED_THINKING: "thinking",
    State.ASKED_SPEAKING: "speaking",
}

HOLDING = frozenset({State.HOLDING_CONNECTING, State.HOLDING})
"""Where the end of the user's turn is that of the gesture."""

CALLING = frozenset({State.CONNECTING, State.CONNECTING_HEARD, State.ASKED_CONNECTING})
"""Where a session is being opened, and no button is held."""

UPLINK_OPEN = HOLDING | {
    *(State.CONNECTING, State.CONNECTING_HEARD),
    *(State.LISTENING, State.THINKING, State.SPEAKING),
}
"""Where microphone audio goes to the session (which holds it until it is open)."""

RESTING = frozenset({State.STARTING, State.IDLE, State.MUTED, State.FAULT})
"""No conversation is going on; a session may still be kept open."""

PLAYING = frozenset({State.SPEAKING, State.ASKED_SPEAKING, State.CUT_OFF})
"""A reply is in the loudspeaker's buffer or on its way there."""

TRACK_SPEECH = UPLINK_OPEN | PLAYING
"""Where it matters whether the user is speaking: to the server, or to interrupt a reply."""

AT_THE_PRESS = PLAYING | {State.IDLE, State.FAULT}
"""Where a tap counts when the finger comes, not when it leaves: what it does there is right for
whatever the press becomes."""

AWAITING_SERVER = frozenset(
    {State.THINKING, State.ASKED_THINKING, State.SPEAKING, State.ASKED_SPEAKING}
)
"""Where a timer that runs out means that the server owes us something."""

PATTERNS = {state: state.label for state in State} | {State.STARTING: "connecting"}
"""The light pattern of each state."""


class Timer(StrEnum):
    """What a timer waits for; the hub knows how long from the configuration."""

    FIRST_WORDS = "first_words"
    """The user to begin, after the wake word or a press; counted as FOLLOW_UP is."""
    FOLLOW_UP = "follow_up"
    """The user to begin; counted in audio without speech, not by the clock."""
    MAX_LISTEN = "max_listen"
    """The user to finish."""
    REPLY = "reply"
    """The server to answer."""
    STALL = "stall"
    """The sound of a reply that has begun, or the rest of one that has stopped coming."""
    KEEP = "keep"
    """The next wake word, with the session kept open."""
    FAULT_SHOWN = "fault_shown"
    """The person to have seen that something failed."""


TIMERS = {
    State.IDLE: Timer.KEEP,
    State.MUTED: Timer.KEEP,
    State.STARTING: Timer.KEEP,
    State.LISTENING: Timer.FOLLOW_UP,
    State.THINKING: Timer.REPLY,
    State.ASKED_THINKING: Timer.REPLY,
    State.FAULT: Timer.FAULT_SHOWN,
}
"""The timer that entering a state starts (KEEP only where there is a session to keep)."""


# --- events --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wake:
    """A wake word was detected; `end_sample` is the microphone's sample just after it."""

    end_sample: int


@dataclass(frozen=True, slots=True)
class Tap:
    """The button was tapped."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The button is held to talk."""


@dataclass(frozen=True, slots=True)
class Release:
    """The button that was held is let go; whether anybody was heard meanwhile."""

    heard: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """The owner typed a question."""

    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The owner said stop from outside (command line)."""


@dataclass(frozen=True, slots=True)
class Mute:
    """Close the microphone."""


@dataclass(frozen=True, slots=True)
class Unmute:
    """Open the microphone again."""


@dataclass(frozen=True, slots=True)
class MicrophoneLost:
    """The microphone delivers no more (or never did); somebody is trying to get it back."""


@dataclass(frozen=True, slots=True)
class MicrophoneBack:
    """The microphone delivers."""


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The user began to speak."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The user stopped speaking."""


@dataclass(frozen=True, slots=True)
class TalkedOver:
    """Somebody is heard over the reply; whether they interrupt it is not clear yet."""


@dataclass(frozen=True, slots=True)
class BargedIn:
    """They speak on: the user interrupts. `first_sample` is where they were first heard."""

    first_sample: int


@dataclass(frozen=True, slots=True)
class FellSilent:
    """It was a cough, a noise, a word or less."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is set up."""

    session: int


@dataclass(frozen=True, slots=True)
class Away:
    """The connection of the session is lost and being tried for; what is heard is held."""

    session: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over, and nothing is wrong."""

    session: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The session could not open or could not go on."""

    session: int


@dataclass(frozen=True, slots=True)
class Expired:
    """The session should not go on: it is as old as the owner allows, or its settings changed."""

    session: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The first chunk of a turn arrived, or the first after the loudspeaker had starved."""

    session: int
    turn: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The server stopped the turn because the user spoke."""

    session: int
    turn: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The server is done with the turn."""

    session: int
    turn: int


@dataclass(frozen=True, slots=True)
class Sounding:
    """The user begins to hear the turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class Drained:
    """The user has heard all of the turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class Starved:
    """The loudspeaker ran dry in the middle of the turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The timer with this number ran out, and that is a fault of the server."""

    clock: int


@dataclass(frozen=True, slots=True)
class Timeout:
    """The timer with this number ran out."""

    clock: int


Event = (
    Wake
    | Tap
    | Hold
    | Release
    | Ask
    | Stop
    | Mute
    | Unmute
    | MicrophoneLost
    | MicrophoneBack
    | SpeechBegan
    | SpeechEnded
    | TalkedOver
    | BargedIn
    | FellSilent
    | Opened
    | Away
    | Closed
    | Failed
    | Expired
    | ReplyStarted
    | Interrupted
    | TurnEnded
    | Sounding
    | Drained
    | Starved
    | NoAnswer
    | Timeout
)


REASONS: dict[type[Event], str] = {
    Wake: "wake word",
    Tap: "button",
    Hold: "button held",
    Release: "button released",
    Ask: "typed question",
    Stop: "stop",
    Mute: "mute",
    Unmute: "unmute",
    MicrophoneLost: "microphone lost",
    MicrophoneBack: "microphone delivers",
    SpeechBegan: "speech began",
    SpeechEnded: "speech ended",
    TalkedOver: "talked over",
    BargedIn: "interrupted by speech",
    FellSilent: "nobody spoke on",
    Opened: "session opened",
    Away: "connection lost",
    Closed: "session closed",
    Failed: "session failed",
    Expired: "session expired",
    ReplyStarted: "reply started",
    Interrupted: "interrupted by speech",
    TurnEnded: "turn complete",
    Sounding: "reply sounds",
    Drained: "reply heard",
    Starved: "reply stalled",
    NoAnswer: "no answer came",
    Timeout: "nothing more came",
}
"""Why a state changed, for the `state` event."""


# --- effects -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Start a session with this number."""

    session: int


@dataclass(frozen=True, slots=True)
class CloseSession:
    """End the session in good order."""

    session: int
    reason: str


@dataclass(frozen=True, slots=True)
class StartUplink:
    """Send the microphone from now on, beginning with the pre-roll.

    `end_sample` is where the wake word ended; None for the button: the pre-roll counts from now.
    """

    end_sample: int | None


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Send what the user said from shortly before `end_sample` on.

    That is where a wake word over a reply ended, or where somebody was first heard over it. The
    uplink was open all the time, but may have carried silence in place of the microphone.
    """

    end_sample: int


@dataclass(frozen=True, slots=True)
class StopUplink:
    """Send no more microphone audio and tell the server that the stream pauses."""


@dataclass(frozen=True, slots=True)
class BeginHeld:
    """What is said from the press on is one turn, which only `EndHeld` or `StopUplink` ends."""


@dataclass(frozen=True, slots=True)
class EndHeld:
    """Send no more microphone audio; what was said is to be answered at once."""


@dataclass(frozen=True, slots=True)
class SendText:
    """Send a typed question into the session."""

    text: str


@dataclass(frozen=True, slots=True)
class EndTurn:
    """Nothing more of this turn will come: report when it has been heard."""

    turn: int


@dataclass(frozen=True, slots=True)
class ClearPlayback:
    """Silence the reply at once and throw the rest away."""

    turn: int


@dataclass(frozen=True, slots=True)
class PauseReply:
    """Silence the reply at once, and keep its place."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Let a paused reply go on where it was."""


@dataclass(frozen=True, slots=True)
class Chime:
    """Play a chime."""

    name: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Tell the person what is wrong: chime and sentence of the fault in force."""


@dataclass(frozen=True, slots=True)
class OpenMicrophone:
    """The microphone may be opened again."""


@dataclass(frozen=True, slots=True)
class CloseMicrophone:
    """Close the microphone device."""


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Post Timeout(clock) when this has lasted; a timer with an older clock is void."""

    timer: Timer
    clock: int


Effect = (
    OpenSession
    | CloseSession
    | StartUplink
    | CatchUp
    | StopUplink
    | BeginHeld
    | EndHeld
    | SendText
    | EndTurn
    | ClearPlayback
    | PauseReply
    | GoOn
    | Chime
    | Alarm
    | OpenMicrophone
    | CloseMicrophone
    | StartTimer
)


# --- what is remembered --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything the machine remembers."""

    state: State = State.STARTING
    rest: State = State.STARTING
    """The state to return to when no conversation is going on."""
    session: int = 0
    """Number of the session; 0 when there is none. At rest it is open, waiting to be used again."""
    sessions: int = 0
    """How many there have been: the last number given."""
    turn: int = 0
    """The newest turn that began to play."""
    cut: int = 0
    """Turns up to this number must not play (any more)."""
    clock: int = 0
    """Number of the timer that is running, or was last."""
