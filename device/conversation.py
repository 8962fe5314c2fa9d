"""The conversation as one pure function: what happens, in which state, leads to what.

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

from device.vocabulary import (
    AWAITING_SERVER,
    PLAYING,
    RESTING,
    TIMERS,
    UPLINK_OPEN,
    Alarm,
    Ask,
    Away,
    BargedIn,
    CatchUp,
    Chime,
    ClearPlayback,
    Closed,
    CloseMicrophone,
    CloseSession,
    Conversation,
    Drained,
    Effect,
    EndTurn,
    Event,
    Expired,
    Failed,
    FellSilent,
    GoOn,
    Interrupted,
    MicrophoneBack,
    MicrophoneLost,
    Mute,
    NoAnswer,
    Opened,
    OpenMicrophone,
    OpenSession,
    PauseReply,
    ReplyStarted,
    SendText,
    Sounding,
    SpeechBegan,
    SpeechEnded,
    StartTimer,
    StartUplink,
    Starved,
    State,
    Stop,
    StopUplink,
    TalkedOver,
    Tap,
    Timeout,
    Timer,
    TurnEnded,
    Unmute,
    Wake,
)

Step = tuple[Conversation, tuple[Effect, ...]]


def step(c: Conversation, event: Event) -> Step:  # noqa: C901, PLR0911, PLR0912, PLR0915 - the specification, in one match
    """What `event` makes of the conversation, and what to do about it, in order."""
    if _is_stale(c, event):
        return c, ()
    match c.state, event:
        # Talking: the wake word and the button. What the user says to a muted or deaf speaker
        # cannot be heard, so the button only says so.
        case ((State.IDLE | State.FAULT), Wake() | Tap()) if c.rest is State.IDLE:
            return _talk(c, event)
        case State.MUTED, Tap():
            return c, (Chime("error"),)
        case ((State.IDLE | State.FAULT | State.STARTING), Tap()):
            return c, (Alarm(),)
        case State.ASKED_CONNECTING, Wake() | Tap() if c.rest is State.IDLE:
            return _to(c, State.CONNECTING, Chime("wake"), trigger=event)
        case ((State.ASKED_THINKING | State.THINKING), Wake()) if c.rest is State.IDLE:
            return _to(c, State.LISTENING, Chime("wake"), trigger=event, timer=Timer.FIRST_WORDS)
        case State.SPEAKING, Wake(end_sample):
            effects = (Chime("wake"), CatchUp(end_sample))
            return _hush_to(c, State.LISTENING, *effects, timer=Timer.FIRST_WORDS)
        case ((State.SPEAKING | State.ASKED_SPEAKING), Wake() | Tap()) if c.rest is State.IDLE:
            timer = Timer.FIRST_WORDS
            return _hush_to(c, State.LISTENING, Chime("wake"), trigger=event, timer=timer)
        case State.CUT_OFF, Wake() | Tap() if c.rest is State.IDLE:
            return _talk(replace(c, cut=c.turn), event, *_hush(c))
        case ((State.CONNECTING | State.CONNECTING_HEARD | State.ASKED_CONNECTING), Tap() | Stop()):
            return _hang_up(c, "dismissed", Chime("end"))
        case ((State.LISTENING | State.THINKING), Tap() | Stop()):
            return _to_rest(c, Chime("end"))
        case state, Tap() | Stop() if state in PLAYING or state is State.ASKED_THINKING:
            return _hush_to(c, c.rest)
        case State.FAULT, Stop():
            return _to_rest(c)

        # The user's speech, as far as we can tell.
        case State.CONNECTING_HEARD, SpeechBegan():
            return _to(c, State.CONNECTING)
        case State.CONNECTING, SpeechEnded():
            return _to(c, State.CONNECTING_HEARD)
        case ((State.LISTENING | State.THINKING), SpeechBegan()):
            return _to(c, State.LISTENING, timer=Timer.MAX_LISTEN)
        case State.LISTENING, SpeechEnded():
            return _to(c, State.THINKING)

        case State.SPEAKING, TalkedOver():
            return c, (PauseReply(),)
        case State.SPEAKING, BargedIn(first_sample):
            return _hush_to(c, State.LISTENING, CatchUp(first_sample), timer=Timer.MAX_LISTEN)
        case state, FellSilent() | BargedIn() if state in PLAYING:
            return c, (GoOn(),)

        # The session.
        case State.CONNECTING, Opened():
            return _to(c, State.LISTENING, timer=Timer.FIRST_WORDS)
        case State.CONNECTING_HEARD, Opened():
            return _to(c, State.THINKING)
        case State.ASKED_CONNECTING, Opened():
            return _to(c, State.ASKED_THINKING)
        case State.LISTENING, Away():
            return _to(c, State.CONNECTING)
        case State.THINKING, Away():
            return _to(c, State.CONNECTING_HEARD)
        case State.ASKED_THINKING, Away():
            return _to(c, State.ASKED_CONNECTING)
        case state, Closed() | Failed() if state in RESTING:
            return replace(c, session=0), ()
        case ((State.SPEAKING | State.ASKED_SPEAKING), Closed()):
            return _to(replace(c, session=0), State.ASKED_SPEAKING, EndTurn(c.turn))
        case ((State.SPEAKING | State.ASKED_SPEAKING), Failed()):
            return _to(replace(c, session=0), State.CUT_OFF, EndTurn(c.turn))
        case _, Closed():
            return _to_rest(replace(c, session=0), Chime("end"))
        case _, Failed():
            return _to(replace(c, session=0), State.FAULT, Alarm())
        case state, Expired(reason=reason) if state in RESTING:
            return _close_session(c, reason)
        case state, Expired(reason=reason) if state not in PLAYING:
            return _hang_up(c, reason, Chime("end"))

        # The reply.
        case ((State.LISTENING | State.THINKING), ReplyStarted(turn=turn)):
            return _to(replace(c, turn=turn), State.SPEAKING, timer=Timer.STALL)
        case State.ASKED_THINKING, ReplyStarted(turn=turn):
            return _to(replace(c, turn=turn), State.ASKED_SPEAKING, timer=Timer.STALL)
        case ((State.SPEAKING | State.ASKED_SPEAKING), ReplyStarted(turn=turn)):
            return _to(replace(c, turn=turn), c.state)
        case _, ReplyStarted(turn=turn):
            return replace(c, cut=turn), ()
        case State.SPEAKING, Interrupted(turn=turn):
            return _hush_to(replace(c, turn=turn), State.LISTENING, timer=Timer.MAX_LISTEN)
        case State.ASKED_SPEAKING, Interrupted(turn=turn):
            return _hush_to(replace(c, turn=turn), State.ASKED_THINKING)
        case _, Interrupted(turn=turn):
            return replace(c, cut=turn), ()
        case state, TurnEnded(turn=turn) if state in PLAYING and turn == c.turn:
            return c, (EndTurn(turn),)
        case State.THINKING, TurnEnded(turn=turn) if turn > c.turn:
            return _to(c, State.LISTENING)
        case State.ASKED_THINKING, TurnEnded(turn=turn) if turn > c.turn:
            return _to_rest(c)
        case ((State.SPEAKING | State.ASKED_SPEAKING), Sounding()):
            return _to(c, c.state)
        case State.SPEAKING, Drained():
            return _to(c, State.LISTENING)
        case State.ASKED_SPEAKING, Drained():
            return _to_rest(c)
        case State.CUT_OFF, Drained():
            return _to(c, State.FAULT, Alarm())
        case ((State.SPEAKING | State.ASKED_SPEAKING), Starved()):
            return _to(c, c.state, timer=Timer.STALL)

        # Time.
        case State.FAULT, Timeout() if c.rest is not State.FAULT:
            return _to_rest(c)
        case state, Timeout() if state in RESTING:
            return _close_session(c, "idle")
        case ((State.LISTENING | State.THINKING), Timeout()):
            return _to_rest(c, Chime("end"))
        case State.ASKED_THINKING, Timeout():
            return _to_rest(c)
        case state, Timeout() if state in PLAYING:
            return _hush_to(c, c.rest)
        case (_, NoAnswer()):
            close = CloseSession(c.session, "no answer came")
            silent = replace(c, session=0, cut=c.turn)
            return _to(silent, State.FAULT, *_hush(c), Alarm(), close)

        # A typed question.
        case ((State.LISTENING | State.THINKING), Ask(text)):
            return _to(c, State.THINKING, SendText(text))
        case State.SPEAKING, Ask(text):
            return _hush_to(c, State.THINKING, SendText(text))
        case ((State.CONNECTING | State.CONNECTING_HEARD), Ask(text)):
            return c, (SendText(text),)
        case _, Ask():
            return _ask(c, event)

        # The microphone. A question that was asked in full is still answered without it.
        case _, Mute() if c.rest is not State.MUTED:
            muted = replace(c, rest=State.MUTED, cut=c.turn)
            return _hang_up(muted, "muted", *_hush(c), CloseMicrophone())
        case _, Unmute() if c.rest is State.MUTED:
            return _rest_becomes(c, State.STARTING, OpenMicrophone())
        case _, MicrophoneLost() if c.rest in {State.MUTED, State.FAULT}:
            return c, ()
        case State.THINKING, MicrophoneLost():
            return _to(replace(c, rest=State.FAULT), State.ASKED_THINKING)
        case State.SPEAKING, MicrophoneLost():
            # Nobody can tell any more whether somebody talks over it.
            return _to(replace(c, rest=State.FAULT), State.ASKED_SPEAKING, GoOn())
        case state, MicrophoneLost() if state in UPLINK_OPEN:
            return _hang_up(replace(c, rest=State.FAULT), "microphone lost", Alarm())
        case state, MicrophoneLost() if state in PLAYING:
            return _rest_becomes(c, State.FAULT, GoOn())
        case _, MicrophoneLost():
            return _rest_becomes(c, State.FAULT)
        case _, MicrophoneBack() if c.rest in {State.STARTING, State.FAULT}:
            return _rest_becomes(c, State.IDLE)
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


def _to(
    c: Conversation,
    state: State,
    *effects: Effect,
    trigger: Event | None = None,
    timer: Timer | None = None,
) -> Step:
    """Enter `state`: the uplink follows from the state, and its timer replaces the running one."""
    after = replace(c, state=state, clock=c.clock + 1)
    if c.state in UPLINK_OPEN and state not in UPLINK_OPEN:
        effects = (StopUplink(), *effects)
    elif c.state not in UPLINK_OPEN and state in UPLINK_OPEN:
        heard = trigger.end_sample if isinstance(trigger, Wake) else None
        effects = (*effects, StartUplink(heard))
    timer = timer or TIMERS.get(state)
    if timer is None or (timer is Timer.KEEP and not after.session):
        return after, effects
    return after, (*effects, StartTimer(timer, after.clock))


def _hush(c: Conversation) -> tuple[Effect, ...]:
    """Silence the reply, if one is playing."""
    return (ClearPlayback(c.turn),) if c.state in PLAYING else ()


def _hush_to(
    c: Conversation,
    state: State,
    *effects: Effect,
    trigger: Event | None = None,
    timer: Timer | None = None,
) -> Step:
    """Silence the reply for good and enter `state`."""
    hush = _hush(c)
    return _to(replace(c, cut=c.turn), state, *hush, *effects, trigger=trigger, timer=timer)


def _to_rest(c: Conversation, *effects: Effect) -> Step:
    """The conversation is over; its session is kept for a while."""
    # At rest in FAULT the microphone is gone: nothing runs out there but the session that is kept.
    timer = Timer.KEEP if c.rest is State.FAULT else None
    return _to(c, c.rest, *effects, timer=timer)


def _rest_becomes(c: Conversation, rest: State, *effects: Effect) -> Step:
    """The microphone came, went or was muted: a resting conversation follows, a talk goes on."""
    c = replace(c, rest=rest)
    return _to_rest(c, *effects) if c.state in RESTING else (c, effects)


def _hang_up(c: Conversation, reason: str, *effects: Effect) -> Step:
    """The conversation is over, and its session with it once what is queued has gone up."""
    close = (CloseSession(c.session, reason),) if c.session else ()
    return _to_rest(replace(c, session=0), *effects, *close)


def _close_session(c: Conversation, reason: str) -> Step:
    """At rest: let the kept session go."""
    close = (CloseSession(c.session, reason),) if c.session else ()
    return replace(c, session=0), close


def _talk(c: Conversation, trigger: Event, *before: Effect) -> Step:
    """Wake word or button at rest: listen, over the kept session or a new one."""
    if c.session:
        timer = Timer.FIRST_WORDS
        return _to(c, State.LISTENING, *before, Chime("wake"), trigger=trigger, timer=timer)
    c, effects = _new_session(c)
    return _to(c, State.CONNECTING, *before, *effects, Chime("wake"), trigger=trigger)


def _ask(c: Conversation, event: Ask) -> Step:
    """A typed question where nobody is talking to us: answer it, without listening."""
    if c.state is State.ASKED_CONNECTING:
        return c, (SendText(event.text),)
    if c.session:
        return _hush_to(c, State.ASKED_THINKING, SendText(event.text))
    hush = _hush(c)
    c, effects = _new_session(replace(c, cut=c.turn))
    return _to(c, State.ASKED_CONNECTING, *hush, *effects, SendText(event.text))


def _new_session(c: Conversation) -> Step:
    """Open a session under the next number."""
    number = c.sessions + 1
    return replace(c, session=number, sessions=number), (OpenSession(number),)
