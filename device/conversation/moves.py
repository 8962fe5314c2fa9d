"""Moves are what the matches of the conversation's machine are made of. Pure.

Each takes the conversation as it is and returns it as it is then, with the effects in order.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from dataclasses import replace

from device.conversation.effects import (
    BeginHeld,
    BeginReply,
    Chime,
    ClearPlayback,
    CloseSession,
    Effect,
    EndHeld,
    EndUplink,
    MuteMicrophone,
    OpenSession,
    Play,
    SendText,
    StartTimer,
    StartUplink,
    StopUplink,
    TakeUp,
)
from device.conversation.personas import wanted
from device.conversation.states import (
    BUFFERED,
    HOLDING,
    RESTING,
    TIMERS,
    UPLINK_OPEN,
    Conversation,
    State,
    Timer,
)
from device.news import Ask, Detection, Hold, News, ReplyAudio

Step = tuple[Conversation, tuple[Effect, ...]]


def to(
    c: Conversation,
    state: State,
    *effects: Effect,
    trigger: News | None = None,
    timer: Timer | None = None,
) -> Step:
    """Enter `state`: the uplink follows from the state, and its timer replaces the running one."""
    after = replace(c, state=state, clock=c.clock + 1)
    if c.state in UPLINK_OPEN and state not in UPLINK_OPEN:
        effects = (_end_of_uplink(c.state, state), *effects)
    elif c.state not in UPLINK_OPEN and state in UPLINK_OPEN:
        heard = trigger.end_sample if isinstance(trigger, Detection) else None
        effects = (*effects, StartUplink(heard))
    timer = timer or TIMERS.get(state)
    if timer is None or (timer is Timer.KEEP and not after.session):
        return after, effects
    return after, (*effects, StartTimer(timer, after.clock))


def _end_of_uplink(before: State, after: State) -> Effect:
    """Tell the end of a turn that is to be answered from that of one that nobody wants."""
    if after not in {State.ONE_SHOT_CONNECTING, State.ONE_SHOT_THINKING}:
        return StopUplink()
    return EndHeld() if before in HOLDING else EndUplink()


def first_of(chunk: ReplyAudio) -> tuple[Effect, ...]:
    """Begin to play a turn."""
    return BeginReply(chunk.turn, chunk.time), Play(chunk.turn, chunk.pcm)


def unpause(c: Conversation) -> tuple[Effect, ...]:
    """Go on with the reply, if it is paused."""
    return (TakeUp(c.turn),) if c.state is State.PAUSED else ()


def hush(c: Conversation) -> tuple[Effect, ...]:
    """Silence the reply, if one is playing or paused."""
    broken_off = c.state is State.PAUSED
    return (ClearPlayback(c.turn, broken_off),) if c.state in BUFFERED else ()


def hush_to(
    c: Conversation,
    state: State,
    *effects: Effect,
    trigger: News | None = None,
    timer: Timer | None = None,
) -> Step:
    """Silence the reply for good and enter `state`."""
    silence = hush(c)
    return to(replace(c, cut=c.turn), state, *silence, *effects, trigger=trigger, timer=timer)


def to_rest(c: Conversation, *effects: Effect) -> Step:
    """End the conversation; its session is kept for a while."""
    # At rest in FAULT the microphone is gone: nothing runs out there but the session that is kept.
    timer = Timer.KEEP if c.rest is State.FAULT else None
    return to(c, c.rest, *effects, timer=timer)


def rest_becomes(c: Conversation, rest: State, *effects: Effect) -> Step:
    """Follow the microphone that came, went or was muted: at once at rest, else after the talk."""
    c = replace(c, rest=rest)
    return to_rest(c, *effects) if c.state in RESTING else (c, effects)


def hang_up(c: Conversation, reason: str, *effects: Effect) -> Step:
    """End the conversation, and its session with it once what is queued has gone up."""
    close = (CloseSession(c.session, reason),) if c.session else ()
    return to_rest(replace(c, session=0), *effects, *close)


def close_session(c: Conversation, reason: str) -> Step:
    """Let the session go that is kept at rest."""
    close = (CloseSession(c.session, reason),) if c.session else ()
    return replace(c, session=0), close


def leave(c: Conversation) -> Step:
    """Do what the model was asked to do after its last words."""
    mutes = (MuteMicrophone(),) if c.leaving == "mute" else ()
    return to_rest(replace(c, leaving=""), Chime("end"), *mutes)


def hand_over(c: Conversation, reason: str, *effects: Effect) -> Step:
    """Leave the talk of a persona, whatever it says, and its session with it."""
    if c.state in RESTING:
        return close_session(c, reason)
    return hang_up(replace(c, cut=c.turn), reason, *hush(c), *effects)


def talk(c: Conversation, trigger: News, *before: Effect) -> Step:
    """Listen after a wake word or the button, over the kept session or a new one."""
    if c.session:
        timer = Timer.FIRST_WORDS
        return to(c, State.LISTENING, *before, Chime("wake"), trigger=trigger, timer=timer)
    c, effects = new_session(c, wanted(c, trigger))
    return to(c, State.CONNECTING, *before, *effects, Chime("wake"), trigger=trigger)


def hold(c: Conversation, *before: Effect) -> Step:
    """Listen until the button is released, where nobody listened before."""
    if c.session:
        return to(c, State.HOLDING, *before, BeginHeld(), Chime("wake"))
    c, effects = new_session(c, wanted(c, Hold()))
    return to(c, State.HOLDING_CONNECTING, *before, *effects, BeginHeld(), Chime("wake"))


def ask(c: Conversation, question: Ask) -> Step:
    """Answer a typed question where nobody is talking to us, without listening."""
    if c.session:
        return hush_to(c, State.ONE_SHOT_THINKING, SendText(question.text, question.picture))
    silence = hush(c)
    c, effects = new_session(replace(c, cut=c.turn), wanted(c, question))
    asked = SendText(question.text, question.picture)
    return to(c, State.ONE_SHOT_CONNECTING, *silence, *effects, asked)


def new_session(c: Conversation, persona: str) -> Step:
    """Open a session of this persona under the next number."""
    number = c.sessions + 1
    fresh = replace(c, session=number, sessions=number, persona=persona)
    fresh = replace(fresh, aged=False, outdated=False, calls=0)
    return fresh, (OpenSession(number, persona),)
