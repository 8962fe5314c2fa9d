"""Effects are what the conversation asks of the hub on its way between states. Pure.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from device.conversation.states import State, Timer
from device.news import Enclosed, Failure


@dataclass(frozen=True, slots=True)
class Entered:
    """The conversation has gone to another state; the effects that follow belong to that."""

    before: State
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class MeetFailure:
    """Somebody has met this failure: it is a fault from now on."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class MeetLimit:
    """Somebody has met the limit of money: it is told anew."""


@dataclass(frozen=True, slots=True)
class Apologise:
    """The server owed an answer and none came: a fault, and its session is not resumed."""


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Put the question to the server again that a turn was no answer to."""

    why: str
    fresh: bool
    """Over a fresh session, without a handle; else over the connection there is."""
    forget: bool
    """Whether the fresh session is told nothing of the talk so far."""


@dataclass(frozen=True, slots=True)
class GiveUpAsking:
    """Tell the person that the server's answers cannot be heard, and resume its session no more."""

    why: str


@dataclass(frozen=True, slots=True)
class WaitASecond:
    """Post StillWaiting with this clock in a second."""

    clock: int


@dataclass(frozen=True, slots=True)
class BeginReply:
    """The first chunk of a turn arrived that will be played."""

    turn: int
    time: float


@dataclass(frozen=True, slots=True)
class Play:
    """Append a chunk of this turn to what is played."""

    turn: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Start a session with this number."""

    session: int
    persona: str
    """Whose it is; empty: nobody's in particular."""


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
class EndUplink:
    """Send no more microphone audio: it is gone; what was said is to be answered all the same."""


@dataclass(frozen=True, slots=True)
class AcceptSilence:
    """Let the session wait for no answer any more: none was meant to come."""


@dataclass(frozen=True, slots=True)
class BeginHeld:
    """What is said from the press on is one turn, which only `EndHeld` or `StopUplink` ends."""


@dataclass(frozen=True, slots=True)
class EndHeld:
    """Send no more microphone audio; what was said is to be answered at once."""


@dataclass(frozen=True, slots=True)
class SendText:
    """Send a typed question into the session, and the picture that it is about."""

    text: str
    picture: Enclosed | None = None


@dataclass(frozen=True, slots=True)
class EndTurn:
    """Nothing more of this turn will come: report when it has been heard."""

    turn: int


@dataclass(frozen=True, slots=True)
class ClearPlayback:
    """Silence the reply at once and throw the rest away."""

    turn: int
    broken_off: bool = False
    """Whether `BreakOff` has silenced it, and told so."""


@dataclass(frozen=True, slots=True)
class BreakOff:
    """Silence the reply at once as an interrupted one, and keep its place."""

    turn: int


@dataclass(frozen=True, slots=True)
class TakeUp:
    """Go on with the reply where `BreakOff` silenced it."""

    turn: int


@dataclass(frozen=True, slots=True)
class PauseReply:
    """Silence the reply at once, and keep its place: somebody may be interrupting it."""


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
class StopRinging:
    """Let nothing ring any more that rings now."""


@dataclass(frozen=True, slots=True)
class OpenMicrophone:
    """The microphone may be opened again."""


@dataclass(frozen=True, slots=True)
class CloseMicrophone:
    """Close the microphone device."""


@dataclass(frozen=True, slots=True)
class MuteMicrophone:
    """Mute as the owner does: it stays so until it is unmuted."""


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Post TimedOut with this clock when it has lasted; a timer with an older clock is void."""

    timer: Timer
    clock: int


Effect = (
    Entered
    | MeetFailure
    | MeetLimit
    | Apologise
    | AskAgain
    | GiveUpAsking
    | WaitASecond
    | BeginReply
    | Play
    | OpenSession
    | CloseSession
    | StartUplink
    | CatchUp
    | StopUplink
    | EndUplink
    | AcceptSilence
    | BeginHeld
    | EndHeld
    | SendText
    | EndTurn
    | ClearPlayback
    | BreakOff
    | TakeUp
    | PauseReply
    | GoOn
    | Chime
    | Alarm
    | StopRinging
    | OpenMicrophone
    | CloseMicrophone
    | MuteMicrophone
    | StartTimer
)

TOLD_BEFORE = (MeetFailure, MeetLimit, Apologise, GiveUpAsking, BeginReply)
"""Effects that are told before the state that follows from them."""
