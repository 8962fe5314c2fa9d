"""States are where the conversation can stand, and what follows from each of them. Pure.

What follows from a state alone is a table here (`UPLINK_OPEN`, `TRACK_SPEECH`, `PATTERNS`,
`TIMERS`); what only follows from going from one to another is an effect.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Literal


class State(Enum):
    """Where the conversation stands; `label` is the name users see.

    The ``ONE_SHOT_*`` states answer one question that is complete (it was typed, or spoken while
    the button was held, or the microphone was lost after it) and rest then: nothing the microphone
    hears is sent, because nobody asks us to listen.
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
    PAUSED = auto()
    """As LISTENING after a wake word over a reply, which goes on if nobody says anything."""
    CUT_OFF = auto()
    """The connection broke in the middle of a reply; what had arrived is played."""
    ONE_SHOT_CONNECTING = auto()
    ONE_SHOT_THINKING = auto()
    ONE_SHOT_SPEAKING = auto()
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
    State.PAUSED: "listening",
    State.CUT_OFF: "speaking",
    State.ONE_SHOT_CONNECTING: "connecting",
    State.ONE_SHOT_THINKING: "thinking",
    State.ONE_SHOT_SPEAKING: "speaking",
}

HOLDING = frozenset({State.HOLDING_CONNECTING, State.HOLDING})
"""Where the end of the user's turn is that of the gesture."""

CALLING = frozenset({State.CONNECTING, State.CONNECTING_HEARD, State.ONE_SHOT_CONNECTING})
"""Where a session is being opened, and no button is held."""

UPLINK_OPEN = HOLDING | {
    *(State.CONNECTING, State.CONNECTING_HEARD),
    *(State.LISTENING, State.THINKING, State.SPEAKING, State.PAUSED),
}
"""Where microphone audio goes to the session (which holds it until it is open)."""

RESTING = frozenset({State.STARTING, State.IDLE, State.MUTED, State.FAULT})
"""No conversation is going on; a session may still be kept open."""

PLAYING = frozenset({State.SPEAKING, State.ONE_SHOT_SPEAKING, State.CUT_OFF})
"""A reply is in the loudspeaker's buffer or on its way there."""

BUFFERED = PLAYING | {State.PAUSED}
"""A reply is kept in the loudspeaker's buffer, perhaps paused."""

TRACK_SPEECH = UPLINK_OPEN | PLAYING
"""Where it matters whether the user is speaking: to the server, or to interrupt a reply."""

AT_THE_PRESS = PLAYING | {State.IDLE, State.FAULT}
"""Where a tap counts when the finger comes, not when it leaves: what it does there is right for
whatever the press becomes."""

AWAITING_SERVER = frozenset(
    {State.THINKING, State.ONE_SHOT_THINKING, State.SPEAKING, State.ONE_SHOT_SPEAKING}
)
"""Where a timer that runs out means that the server owes us something."""

AFTER_THE_WAKE_WORD = CALLING | {State.LISTENING, State.THINKING}
"""Where what is said belongs to the wake word before it."""

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
    State.PAUSED: Timer.FIRST_WORDS,
    State.THINKING: Timer.REPLY,
    State.ONE_SHOT_THINKING: Timer.REPLY,
    State.FAULT: Timer.FAULT_SHOWN,
}
"""The timer that entering a state starts (KEEP only where there is a session to keep)."""


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
    broken: int = 0
    """The turn that the server broke off while it was paused: no more of it will come."""
    woken_sample: int = 0
    """The microphone's sample just after the wake word that paused a reply."""
    attempts: int = 0
    """How often the present question was asked again."""
    calls: int = 0
    """How many functions that the model has called are not answered."""
    promised: bool = False
    """Whether more of the answer comes in another turn."""
    leaving: Literal["", "end", "mute"] = ""
    """What follows when what the model says now has been heard."""
    question: bool = False
    """Whether what the model said last ended with a question."""
    follow_up: Literal["always", "questions", "never"] = "always"
    resume_reply: bool = True
    ringing: frozenset[int] = frozenset()
    """The timers and alarms that ring."""
    rang: bool = False
    """Whether the wake word that began this question has stopped something that rang."""
    starved: bool = False
    """Whether the loudspeaker ran dry in the middle of this turn: its next chunk ends a stall."""
    addressed: bool = False
    """Whether the user has woken, pressed or typed since the last reply was heard."""
    aged: bool = False
    """Whether the session is as old as the owner allows: it ends where nobody is interrupted."""
    outdated: bool = False
    """Whether the session has settings that are no longer those in force: it ends at rest."""
    asked: bool = False
    """Whether the user has said something since the last reply was heard."""
    spent: bool = False
    """Whether a limit of money is reached: what is owed is still given, and nothing more."""
    persona: str = ""
    """Whose the session is, or the newest was; empty: nobody's in particular."""
    first: str = ""
    """Whom the button and a typed question mean where nobody talks."""

    @property
    def owed(self) -> bool:
        """Whether the user waits for an answer, or for the rest of one."""
        return self.addressed or self.asked or self.promised or self.calls > 0

    @property
    def listens_for_stop(self) -> bool:
        """Whether a "stop" without the wake word is meant for us."""
        return bool(self.ringing) or (self.rang and self.state in AFTER_THE_WAKE_WORD)
