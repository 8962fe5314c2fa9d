"""`step` decides the whole conversation: what happens, in which state, leads to what. Pure.

`step` takes the conversation as it is and one event, and returns the conversation as it is then and
the effects that the hub must carry out, in order. No I/O, no clock, no random number: the same
events always give the same conversation.

Stale news is dropped by number: a timeout names the timer it belongs to, news of a session names
that session, news of a reply names its turn.

Two things follow from how the Live API works. The server decides when the user has finished;
`THINKING` is our own guess, for the person's eyes and for our patience with a silent server, so a
reply may also begin in `LISTENING`. And only `Drained` ends `SPEAKING`: the model is done
generating, and the server done with the turn, long before the user has heard it.
"""

from __future__ import annotations

from dataclasses import replace

from device.conversation.moves import (
    Step,
    ask,
    close_session,
    hang_up,
    hold,
    hush,
    hush_to,
    rest_becomes,
    talk,
    to,
    to_rest,
)
from device.conversation.states import (
    AWAITING_SERVER,
    CALLING,
    HOLDING,
    PLAYING,
    RESTING,
    UPLINK_OPEN,
    Alarm,
    Ask,
    Away,
    BargedIn,
    BeginHeld,
    CatchUp,
    Chime,
    Closed,
    CloseMicrophone,
    CloseSession,
    Conversation,
    Drained,
    EndTurn,
    Event,
    Expired,
    Failed,
    FellSilent,
    GoOn,
    Hold,
    Interrupted,
    MicrophoneBack,
    MicrophoneLost,
    Mute,
    NoAnswer,
    Opened,
    OpenMicrophone,
    PauseReply,
    Release,
    ReplyStarted,
    SendText,
    Sounding,
    SpeechBegan,
    SpeechEnded,
    Starved,
    State,
    Stop,
    TalkedOver,
    Tap,
    Timeout,
    Timer,
    TurnEnded,
    Unmute,
    Wake,
)


def step(c: Conversation, event: Event) -> Step:  # noqa: C901, PLR0911, PLR0912, PLR0915 - the specification, in one match
    """What `event` makes of the conversation, and what to do about it, in order."""
    if _is_stale(c, event):
        return c, ()
    match c.state, event:
        # Talking: the wake word and the button. What the user says to a muted or deaf speaker
        # cannot be heard, so the button only says so.
        case ((State.IDLE | State.FAULT), Wake() | Tap()) if c.rest is State.IDLE:
            return talk(c, event)
        case State.MUTED, Tap():
            return c, (Chime("error"),)
        case ((State.IDLE | State.FAULT | State.STARTING), Tap()):
            return c, (Alarm(),)
        case State.ASKED_CONNECTING, Wake() | Tap() if c.rest is State.IDLE:
            return to(c, State.CONNECTING, Chime("wake"), trigger=event)
        case ((State.ASKED_THINKING | State.THINKING), Wake()) if c.rest is State.IDLE:
            return to(c, State.LISTENING, Chime("wake"), trigger=event, timer=Timer.FIRST_WORDS)
        case State.SPEAKING, Wake(end_sample):
            effects = (Chime("wake"), CatchUp(end_sample))
            return hush_to(c, State.LISTENING, *effects, timer=Timer.FIRST_WORDS)
        case ((State.SPEAKING | State.ASKED_SPEAKING), Wake() | Tap()) if c.rest is State.IDLE:
            timer = Timer.FIRST_WORDS
            return hush_to(c, State.LISTENING, Chime("wake"), trigger=event, timer=timer)
        case State.CUT_OFF, Wake() | Tap() if c.rest is State.IDLE:
            return talk(replace(c, cut=c.turn), event, *hush(c))
        case state, Tap() | Stop() if state in CALLING:
            return hang_up(c, "dismissed", Chime("end"))
        case ((State.LISTENING | State.THINKING), Tap() | Stop()):
            return to_rest(c, Chime("end"))
        case state, Tap() | Stop() if state in PLAYING or state is State.ASKED_THINKING:
            return hush_to(c, c.rest)
        case State.FAULT, Stop():
            return to_rest(c)

        # The button held to talk: from the press to its release is one turn, pauses and all.
        case ((State.IDLE | State.FAULT), Hold()) if c.rest is State.IDLE:
            return hold(c)
        case ((State.LISTENING | State.THINKING | State.ASKED_THINKING), Hold()) if (
            c.rest is State.IDLE
        ):
            return to(c, State.HOLDING, BeginHeld())
        case state, Hold() if state in CALLING and c.rest is State.IDLE:
            return to(c, State.HOLDING_CONNECTING, BeginHeld())
        case state, Hold() if state in PLAYING and c.rest is State.IDLE:
            return hold(replace(c, cut=c.turn), *hush(c))
        case State.HOLDING_CONNECTING, Release(heard=False):
            return hang_up(c, "nothing was said", Chime("end"))
        case State.HOLDING, Release(heard=False):
            return to_rest(c, Chime("end"))
        case State.HOLDING_CONNECTING, Release():
            return to(c, State.ASKED_CONNECTING)
        case State.HOLDING, Release():
            return to(c, State.ASKED_THINKING)
        case State.MUTED, Release():
            return c, (Chime("error"),)
        case ((State.FAULT | State.STARTING), Release()) if c.rest is not State.IDLE:
            return c, (Alarm(),)
        case state, Stop() if state in HOLDING:
            return hang_up(c, "dismissed", Chime("end"))

        # The user's speech, as far as we can tell.
        case State.CONNECTING_HEARD, SpeechBegan():
            return to(c, State.CONNECTING)
        case State.CONNECTING, SpeechEnded():
            return to(c, State.CONNECTING_HEARD)
        case ((State.LISTENING | State.THINKING), SpeechBegan()):
            return to(c, State.LISTENING, timer=Timer.MAX_LISTEN)
        case State.LISTENING, SpeechEnded():
            return to(c, State.THINKING)

        case state, TalkedOver() if state in PLAYING:
            return c, (PauseReply(),)
        case state, FellSilent() if state in PLAYING:
            return c, (GoOn(),)
        case State.SPEAKING, BargedIn(first_sample):
            return hush_to(c, State.LISTENING, CatchUp(first_sample), timer=Timer.MAX_LISTEN)
        case state, BargedIn() if state in PLAYING:
            # It stops when told; but nobody has asked us to listen.
            return hush_to(c, c.rest)

        # The session.
        case State.CONNECTING, Opened():
            return to(c, State.LISTENING, timer=Timer.FIRST_WORDS)
        case State.CONNECTING_HEARD, Opened():
            return to(c, State.THINKING)
        case State.HOLDING_CONNECTING, Opened():
            return to(c, State.HOLDING)
        case State.ASKED_CONNECTING, Opened():
            return to(c, State.ASKED_THINKING)
        case State.LISTENING, Away():
            return to(c, State.CONNECTING)
        case State.THINKING, Away():
            return to(c, State.CONNECTING_HEARD)
        case State.HOLDING, Away():
            return to(c, State.HOLDING_CONNECTING)
        case State.ASKED_THINKING, Away():
            return to(c, State.ASKED_CONNECTING)
        case state, Closed() | Failed() if state in RESTING:
            return replace(c, session=0), ()
        case ((State.SPEAKING | State.ASKED_SPEAKING), Closed()):
            return to(replace(c, session=0), State.ASKED_SPEAKING, EndTurn(c.turn))
        case ((State.SPEAKING | State.ASKED_SPEAKING), Failed()):
            return to(replace(c, session=0), State.CUT_OFF, EndTurn(c.turn))
        case _, Closed():
            return to_rest(replace(c, session=0), Chime("end"))
        case _, Failed():
            return to(replace(c, session=0), State.FAULT, Alarm())
        case state, Expired(reason=reason) if state in RESTING:
            return close_session(c, reason)
        case state, Expired(reason=reason) if state not in PLAYING:
            return hang_up(c, reason, Chime("end"))

        # The reply.
        case ((State.LISTENING | State.THINKING), ReplyStarted(turn=turn)):
            return to(replace(c, turn=turn), State.SPEAKING, timer=Timer.STALL)
        case State.ASKED_THINKING, ReplyStarted(turn=turn):
            return to(replace(c, turn=turn), State.ASKED_SPEAKING, timer=Timer.STALL)
        case ((State.SPEAKING | State.ASKED_SPEAKING), ReplyStarted(turn=turn)):
            return to(replace(c, turn=turn), c.state)
        case _, ReplyStarted(turn=turn):
            return replace(c, cut=turn), ()
        case State.SPEAKING, Interrupted(turn=turn):
            return hush_to(replace(c, turn=turn), State.LISTENING, timer=Timer.MAX_LISTEN)
        case State.ASKED_SPEAKING, Interrupted(turn=turn):
            return hush_to(replace(c, turn=turn), State.ASKED_THINKING)
        case _, Interrupted(turn=turn):
            return replace(c, cut=turn), ()
        case state, TurnEnded(turn=turn) if state in PLAYING and turn == c.turn:
            return c, (EndTurn(turn),)
        case State.THINKING, TurnEnded(turn=turn) if turn > c.turn:
            return to(c, State.LISTENING)
        case State.ASKED_THINKING, TurnEnded(turn=turn) if turn > c.turn:
            return to_rest(c)
        case ((State.SPEAKING | State.ASKED_SPEAKING), Sounding()):
            return to(c, c.state)
        case State.SPEAKING, Drained():
            return to(c, State.LISTENING)
        case State.ASKED_SPEAKING, Drained():
            return to_rest(c)
        case State.CUT_OFF, Drained():
            return to(c, State.FAULT, Alarm())
        case ((State.SPEAKING | State.ASKED_SPEAKING), Starved()):
            return to(c, c.state, timer=Timer.STALL)

        # Time.
        case State.FAULT, Timeout() if c.rest is not State.FAULT:
            return to_rest(c)
        case state, Timeout() if state in RESTING:
            return close_session(c, "idle")
        case ((State.LISTENING | State.THINKING), Timeout()):
            return to_rest(c, Chime("end"))
        case State.ASKED_THINKING, Timeout():
            return to_rest(c)
        case state, Timeout() if state in PLAYING:
            return hush_to(c, c.rest)
        case (_, NoAnswer()):
            close = CloseSession(c.session, "no answer came")
            silent = replace(c, session=0, cut=c.turn)
            return to(silent, State.FAULT, *hush(c), Alarm(), close)

        # A typed question.
        case ((State.LISTENING | State.THINKING), Ask(text)):
            return to(c, State.THINKING, SendText(text))
        case State.SPEAKING, Ask(text):
            return hush_to(c, State.THINKING, SendText(text))
        case state, Ask(text) if state in CALLING | HOLDING:
            return c, (SendText(text),)
        case _, Ask():
            return ask(c, event)

        # The microphone. A question that was asked in full is still answered without it.
        case _, Mute() if c.rest is not State.MUTED:
            muted = replace(c, rest=State.MUTED, cut=c.turn)
            return hang_up(muted, "muted", *hush(c), CloseMicrophone())
        case _, Unmute() if c.rest is State.MUTED:
            return rest_becomes(c, State.STARTING, OpenMicrophone())
        case _, MicrophoneLost() if c.rest in {State.MUTED, State.FAULT}:
            return c, ()
        case State.THINKING, MicrophoneLost():
            return to(replace(c, rest=State.FAULT), State.ASKED_THINKING)
        case State.SPEAKING, MicrophoneLost():
            # Nobody can tell any more whether somebody talks over it.
            return to(replace(c, rest=State.FAULT), State.ASKED_SPEAKING, GoOn())
        case state, MicrophoneLost() if state in UPLINK_OPEN:
            return hang_up(replace(c, rest=State.FAULT), "microphone lost", Alarm())
        case state, MicrophoneLost() if state in PLAYING:
            return rest_becomes(c, State.FAULT, GoOn())
        case _, MicrophoneLost():
            return rest_becomes(c, State.FAULT)
        case _, MicrophoneBack() if c.rest in {State.STARTING, State.FAULT}:
            return rest_becomes(c, State.IDLE)
    return c, ()


def _is_stale(c: Conversation, event: Event) -> bool:
    """Whether the news is of a session, a turn or a timer that no longer matters."""
    match event:
        case Opened(session) | Away(session) | Closed(session) | Failed(session):
            return session != c.session
        case Expired(session=session):
            return session != c.session
        case ReplyStarted(session, turn) | Interrupted(session, turn) | TurnEnded(session, turn):
            return session != c.session or turn <= c.cut
        case Drained(turn) | Starved(turn) | Sounding(turn):
            return turn != c.turn
        case NoAnswer(clock):
            return clock != c.clock or c.state not in AWAITING_SERVER or not c.session
        case Timeout(clock):
            return clock != c.clock
        case _:
            return False
