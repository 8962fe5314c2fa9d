"""`step` decides the whole conversation: what happens, in which state, leads to what. Pure.

It takes the conversation as it is and one piece of news, and returns the conversation as it is then
and the effects that the hub must carry out, in order. The same news always gives the same
conversation. The way of a talk::

                      wake word, tap                opened                 end of speech
    STARTING ──▶ IDLE ──────────────▶ CONNECTING ──────────▶ LISTENING ◀────────────────▶ THINKING
     microphone   ▲                       ▲   connection lost    │ ▲                          │
     delivers     │                       └──────────────────────┤ │ reply heard, barge-in    │
                  │  nothing said, tap, stop                     │ └─────── SPEAKING ◀────────┘
                  └──────────────────────────────────────────────┘           first chunk

    HOLDING     is LISTENING while the button is held: its release ends the turn
    ONE_SHOT_*  are CONNECTING, THINKING and SPEAKING for one complete question, and rest then
    PAUSED      is LISTENING after a wake word over a reply, which goes on in silence
    CUT_OFF     is SPEAKING what had arrived when the session failed; FAULT follows
    MUTED, FAULT, STARTING   rest without a microphone, and return to IDLE when it delivers

Stale news is dropped by number: a timeout names the timer it belongs to, news of a session names
that session, news of a reply names its turn.

Two things follow from how the Live API works. The server decides when the user has finished;
`THINKING` is our own guess, for the person's eyes and for our patience with a silent server, so a
reply may also begin in `LISTENING`. And only `PlaybackDrained` ends `SPEAKING`: the model is done
generating, and the server done with the turn, long before the user has heard it.
"""

from __future__ import annotations

from dataclasses import replace

from device.conversation.effects import (
    TOLD_BEFORE,
    AcceptSilence,
    Alarm,
    Apologise,
    BreakOff,
    CatchUp,
    Chime,
    CloseMicrophone,
    CloseSession,
    Effect,
    EndTurn,
    Entered,
    GoOn,
    MeetFailure,
    OpenMicrophone,
    PauseReply,
    Play,
    SendText,
    TakeUp,
    WaitASecond,
)
from device.conversation.hold_to_talk import held
from device.conversation.limit import at_the_limit, refused, spent_out
from device.conversation.moves import (
    Step,
    ask,
    close_session,
    first_of,
    hand_over,
    hang_up,
    hush,
    hush_to,
    leave,
    rest_becomes,
    talk,
    to,
    to_rest,
    unpause,
)
from device.conversation.notes import is_stale, noted
from device.conversation.personas import calls_another
from device.conversation.reasons import LIMIT, NO_ANSWER, is_unanswered, reason
from device.conversation.ringing import over_ringing
from device.conversation.states import (
    AWAITING_SERVER,
    BUFFERED,
    CALLING,
    HOLDING,
    PLAYING,
    RESTING,
    UPLINK_OPEN,
    Conversation,
    State,
    Timer,
)
from device.conversation.unheard import unheard
from device.frames import MICROPHONE_RATE_HZ
from device.news import (
    Ask,
    BargedIn,
    Detection,
    FellSilent,
    FirstSound,
    GenerationComplete,
    Hold,
    Interrupted,
    MicrophoneDelivers,
    MicrophoneLost,
    Mute,
    News,
    PersonasChanged,
    PlaybackDrained,
    PlaybackStarved,
    Reconnecting,
    Release,
    ReplyAudio,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SpeechChanged,
    StillWaiting,
    Stop,
    TalkedOver,
    Tap,
    TimedOut,
    ToolNews,
    TurnComplete,
    Unheard,
    Unmute,
)

WORDS_SAMPLES = 400 * MICROPHONE_RATE_HZ // 1000
"""Speech that goes on for longer after a wake word was said to us."""

WAITING_OR_HEARING = frozenset(
    {
        *(State.LISTENING, State.THINKING, State.SPEAKING),
        *(State.ONE_SHOT_THINKING, State.ONE_SHOT_SPEAKING),
    }
)
"""Where a turn that nobody could hear is the user's business."""

EXPIRED = "session expired"
ANOTHER = "another persona was called"


def step(c: Conversation, news: News) -> Step:
    """Return what `news` makes of the conversation, and what to do about it, in order."""
    if (no := refused(c, news)) is not None:
        after, effects = no
        return _over(after, _told(c, after, effects, LIMIT))
    remembered = noted(c, news)
    if is_stale(c, news):
        return remembered, ()
    over = hand_over(remembered, ANOTHER) if calls_another(remembered, news) else (remembered, ())
    talking, about, silence = over_ringing(over[0], news)
    after, effects = (talking, ()) if about is None else _decide(talking, about)
    effects = (*over[1], *silence, *effects)
    if isinstance(news, Reconnecting | SessionFailed) and c.state not in RESTING:
        # A kept session that breaks while nobody talks is no fault: the next wake opens another.
        effects = (MeetFailure(news.failure), *effects)
    effects = _told(c, after, effects, reason(remembered, news))
    return _over(after, effects)


def _over(c: Conversation, effects: tuple[Effect, ...]) -> Step:
    """End what should not go on from here."""
    for end, why in ((_expire, EXPIRED), (at_the_limit, LIMIT)):
        before, (c, more) = c, end(c)
        effects = (*effects, *_told(before, c, more, why))
    return c, effects


def _decide(c: Conversation, news: News) -> Step:  # noqa: C901, PLR0911, PLR0912, PLR0915 - the specification, in one match
    match c.state, news:
        # Talking: the wake word and the button. What the user says to a muted or deaf speaker
        # cannot be heard, so the button only says so.
        case ((State.IDLE | State.FAULT), Detection() | Tap()) if c.rest is State.IDLE:
            return talk(c, news)
        case State.MUTED, Tap():
            return c, (Chime("error"),)
        case ((State.IDLE | State.FAULT | State.STARTING), Tap()):
            return c, (Alarm(),)
        case State.ONE_SHOT_CONNECTING, Detection() | Tap() if c.rest is State.IDLE:
            return to(c, State.CONNECTING, Chime("wake"), trigger=news)
        case ((State.ONE_SHOT_THINKING | State.THINKING), Detection()) if c.rest is State.IDLE:
            return to(c, State.LISTENING, Chime("wake"), trigger=news, timer=Timer.FIRST_WORDS)
        case State.SPEAKING, Detection(end_sample=end_sample) if c.resume_reply:
            # Nobody may have said it: the answer goes on unless somebody speaks.
            woken = replace(c, woken_sample=end_sample)
            return to(woken, State.PAUSED, BreakOff(c.turn), Chime("wake"), CatchUp(end_sample))
        case State.PAUSED, Detection(end_sample=end_sample):
            return to(replace(c, woken_sample=end_sample), State.PAUSED, Chime("wake"))
        case State.SPEAKING, Detection(end_sample=end_sample):
            catch_up = CatchUp(end_sample)
            timer = Timer.FIRST_WORDS
            return hush_to(c, State.LISTENING, Chime("wake"), catch_up, timer=timer)
        case state, Detection() | Tap() if (
            state in PLAYING and c.rest is State.IDLE and not c.session
        ):
            return talk(replace(c, cut=c.turn), news, *hush(c))
        case state, Detection() | Tap() if state in PLAYING and c.rest is State.IDLE:
            timer = Timer.FIRST_WORDS
            return hush_to(c, State.LISTENING, Chime("wake"), trigger=news, timer=timer)
        case state, Tap() | Stop() if state in CALLING:
            return hang_up(c, "dismissed", Chime("end"))
        case ((State.LISTENING | State.THINKING), Tap() | Stop()):
            return to_rest(c, Chime("end"))
        case State.PAUSED, Tap() | Stop():
            return hush_to(c, c.rest, Chime("end"))
        case state, Tap() | Stop() if state in PLAYING or state is State.ONE_SHOT_THINKING:
            return hush_to(c, c.rest)
        case State.FAULT, Stop():
            return to_rest(c)

        # The button held to talk: from the press to its release is one turn, pauses and all.
        case _, Hold() | Release():
            return held(c, news)
        case state, Stop() if state in HOLDING:
            return hang_up(c, "dismissed", Chime("end"))

        # The user's speech, as far as we can tell.
        case State.CONNECTING_HEARD, SpeechChanged(speaking=True):
            return to(c, State.CONNECTING)
        case State.CONNECTING, SpeechChanged(speaking=False):
            return to(c, State.CONNECTING_HEARD)
        case ((State.LISTENING | State.THINKING), SpeechChanged(speaking=True)):
            return to(c, State.LISTENING, timer=Timer.MAX_LISTEN)
        case State.LISTENING, SpeechChanged(speaking=False):
            return to(c, State.THINKING)
        case State.PAUSED, SpeechChanged(speaking=True):
            return hush_to(c, State.LISTENING, timer=Timer.MAX_LISTEN)
        case State.PAUSED, SpeechChanged(end_sample=end) if end > c.woken_sample + WORDS_SAMPLES:
            return hush_to(c, State.THINKING)
        case State.PAUSED, SpeechChanged():
            # It was the wake word, which nobody need answer.
            return c, (AcceptSilence(),)

        case state, TalkedOver() if state in PLAYING:
            return c, (PauseReply(),)
        case state, FellSilent() if state in PLAYING:
            return c, (GoOn(),)
        case State.SPEAKING, BargedIn(first_sample=first_sample):
            return hush_to(c, State.LISTENING, CatchUp(first_sample), timer=Timer.MAX_LISTEN)
        case state, BargedIn() if state in PLAYING:
            # It stops when told; but nobody has asked us to listen.
            return hush_to(c, c.rest)

        # The session.
        case _, PersonasChanged(known=known) if c.session and c.persona not in {"", *known}:
            return hand_over(c, "the persona is gone", Chime("end"))
        case State.CONNECTING, SessionOpened():
            return to(c, State.LISTENING, timer=Timer.FIRST_WORDS)
        case State.CONNECTING_HEARD, SessionOpened():
            return to(c, State.THINKING)
        case State.HOLDING_CONNECTING, SessionOpened():
            return to(c, State.HOLDING)
        case State.ONE_SHOT_CONNECTING, SessionOpened():
            return to(c, State.ONE_SHOT_THINKING)
        case State.LISTENING, Reconnecting():
            return to(c, State.CONNECTING)
        case State.THINKING, Reconnecting():
            return to(c, State.CONNECTING_HEARD)
        case State.HOLDING, Reconnecting():
            return to(c, State.HOLDING_CONNECTING)
        case State.ONE_SHOT_THINKING, Reconnecting():
            return to(c, State.ONE_SHOT_CONNECTING)
        case state, SessionClosed() | SessionFailed() if state in RESTING:
            return replace(c, session=0), ()
        case ((State.SPEAKING | State.ONE_SHOT_SPEAKING | State.PAUSED), SessionClosed()):
            over = replace(c, session=0)
            return to(over, State.ONE_SHOT_SPEAKING, EndTurn(c.turn), *unpause(c))
        case ((State.SPEAKING | State.ONE_SHOT_SPEAKING | State.PAUSED), SessionFailed()):
            return to(replace(c, session=0), State.CUT_OFF, EndTurn(c.turn), *unpause(c))
        case _, SessionClosed():
            return to_rest(replace(c, session=0), Chime("end"))
        case _, SessionFailed():
            return to(replace(c, session=0), State.FAULT, Alarm())

        # The reply. Chunks of a turn follow its first; what nobody waits for is not played.
        case ((State.LISTENING | State.THINKING), ReplyAudio(turn=turn)) if turn != c.turn:
            began = replace(c, turn=turn)
            return to(began, State.SPEAKING, *first_of(news), timer=Timer.STALL)
        case State.ONE_SHOT_THINKING, ReplyAudio(turn=turn) if turn != c.turn:
            began = replace(c, turn=turn)
            return to(began, State.ONE_SHOT_SPEAKING, *first_of(news), timer=Timer.STALL)
        case State.PAUSED, ReplyAudio(turn=turn) if turn != c.turn:
            effects = (*hush(c), *first_of(news))
            return to(
                replace(c, turn=turn, cut=c.turn), State.SPEAKING, *effects, timer=Timer.STALL
            )
        case State.PAUSED, ReplyAudio(turn=turn, pcm=pcm):
            return c, (Play(turn, pcm),)
        case ((State.SPEAKING | State.ONE_SHOT_SPEAKING), ReplyAudio(turn=turn)) if turn != c.turn:
            return to(replace(c, turn=turn, starved=False), c.state, *first_of(news))
        case ((State.SPEAKING | State.ONE_SHOT_SPEAKING), ReplyAudio(turn=turn, pcm=pcm)):
            if c.starved:
                return to(replace(c, starved=False), c.state, Play(turn, pcm))
            return c, (Play(turn, pcm),)
        case _, ReplyAudio(turn=turn) if turn != c.turn:
            return replace(c, cut=turn), ()
        case State.SPEAKING, Interrupted(turn=turn):
            return hush_to(replace(c, turn=turn), State.LISTENING, timer=Timer.MAX_LISTEN)
        case State.ONE_SHOT_SPEAKING, Interrupted(turn=turn):
            return hush_to(replace(c, turn=turn), State.ONE_SHOT_THINKING)
        case State.PAUSED, Interrupted(turn=turn) if turn == c.turn:
            # By the wake word, most likely; what had arrived before may still be wanted.
            return replace(c, broken=turn), (EndTurn(turn),)
        case _, Interrupted(turn=turn):
            return replace(c, cut=turn), ()
        case state, TurnComplete(turn=turn) | GenerationComplete(turn=turn) if (
            state in BUFFERED and turn == c.turn
        ):
            return c, (EndTurn(turn),)
        case state, Unheard() if state in WAITING_OR_HEARING:
            return unheard(c, news)
        case ((State.THINKING | State.ONE_SHOT_THINKING), TurnComplete(turn=turn, more=True)) if (
            turn > c.turn
        ):
            return to(c, c.state)
        case State.THINKING, TurnComplete(turn=turn) if turn > c.turn:
            return to(c, State.LISTENING)
        case State.ONE_SHOT_THINKING, TurnComplete(turn=turn) if turn > c.turn:
            return to_rest(c)
        case ((State.SPEAKING | State.ONE_SHOT_SPEAKING), FirstSound()):
            return to(c, c.state)
        case ((State.SPEAKING | State.ONE_SHOT_SPEAKING), PlaybackDrained()) if c.leaving:
            return leave(c)
        case ((State.SPEAKING | State.ONE_SHOT_SPEAKING), PlaybackDrained()) if (
            c.spent and not c.owed
        ):
            return spent_out(c)
        case State.SPEAKING, PlaybackDrained() if c.promised or c.calls:
            return to(c, State.THINKING)
        case State.ONE_SHOT_SPEAKING, PlaybackDrained() if c.promised or c.calls:
            return to(c, State.ONE_SHOT_THINKING)
        case State.SPEAKING, PlaybackDrained() if not _listens_on(c):
            return to_rest(c)
        case State.SPEAKING, PlaybackDrained():
            return to(c, State.LISTENING)
        case State.ONE_SHOT_SPEAKING, PlaybackDrained():
            return to_rest(c)
        case State.CUT_OFF, PlaybackDrained():
            return to(c, State.FAULT, Alarm())
        case ((State.SPEAKING | State.ONE_SHOT_SPEAKING), PlaybackStarved()):
            return to(replace(c, starved=True), c.state, timer=Timer.STALL)

        # Functions. While one runs nobody is to blame for a silence; it has a deadline of its own.
        case State.LISTENING, ToolNews(what="called"):
            after, effects = to(c, State.THINKING)
            return after, (*effects, WaitASecond(after.clock))
        case ((State.THINKING | State.ONE_SHOT_THINKING), ToolNews(what="called")):
            return c, (WaitASecond(c.clock),)
        case ((State.THINKING | State.ONE_SHOT_THINKING), ToolNews()):
            return to(c, c.state)
        case state, TimedOut() if c.calls and state in AWAITING_SERVER:
            return to(c, c.state, timer=None if state not in PLAYING else Timer.STALL)

        # Time.
        case _, TimedOut() if is_unanswered(c, news):
            close = CloseSession(c.session, NO_ANSWER)
            silent = replace(c, session=0, cut=c.turn)
            return to(silent, State.FAULT, Apologise(), *hush(c), Alarm(), close)
        case State.PAUSED, TimedOut():
            return to(c, State.SPEAKING, TakeUp(c.turn), AcceptSilence())
        case ((State.THINKING | State.ONE_SHOT_THINKING), StillWaiting(clock)) if clock == c.clock:
            return c, (Chime("thinking"),)
        case State.FAULT, TimedOut() if c.rest is not State.FAULT:
            return to_rest(c)
        case state, TimedOut() if state in RESTING:
            return close_session(c, "idle")
        case ((State.LISTENING | State.THINKING), TimedOut()):
            return to_rest(c, Chime("end"))
        case State.ONE_SHOT_THINKING, TimedOut():
            return to_rest(c)
        case state, TimedOut() if state in PLAYING:
            return hush_to(c, c.rest)

        # A typed question.
        case ((State.LISTENING | State.THINKING), Ask(text, picture)):
            return to(c, State.THINKING, SendText(text, picture))
        case ((State.SPEAKING | State.PAUSED), Ask(text, picture)):
            return hush_to(c, State.THINKING, SendText(text, picture))
        case state, Ask(text, picture) if state in CALLING | HOLDING:
            return c, (SendText(text, picture),)
        case _, Ask():
            return ask(c, news)

        # The microphone. A question that was asked in full is still answered without it.
        case _, Mute() if c.rest is not State.MUTED:
            muted = replace(c, rest=State.MUTED, cut=c.turn)
            return hang_up(muted, "muted", *hush(c), CloseMicrophone())
        case _, Unmute() if c.rest is State.MUTED:
            return rest_becomes(c, State.STARTING, OpenMicrophone())
        case _, MicrophoneLost() if c.rest in {State.MUTED, State.FAULT}:
            return c, ()
        case State.THINKING, MicrophoneLost():
            return to(replace(c, rest=State.FAULT), State.ONE_SHOT_THINKING)
        case ((State.SPEAKING | State.PAUSED), MicrophoneLost()):
            # Nobody can tell any more whether somebody talks over it.
            going_on = unpause(c) or (GoOn(),)
            return to(replace(c, rest=State.FAULT), State.ONE_SHOT_SPEAKING, *going_on)
        case state, MicrophoneLost() if state in UPLINK_OPEN:
            return hang_up(replace(c, rest=State.FAULT), "microphone lost", Alarm())
        case state, MicrophoneLost() if state in PLAYING:
            return rest_becomes(c, State.FAULT, GoOn())
        case _, MicrophoneLost():
            return rest_becomes(c, State.FAULT)
        case _, MicrophoneDelivers() if c.rest in {State.STARTING, State.FAULT}:
            return rest_becomes(c, State.IDLE)
    return c, ()


def _listens_on(c: Conversation) -> bool:
    """Tell whether the user may go on talking after this reply without the wake word."""
    return c.follow_up == "always" or (c.follow_up == "questions" and c.question)


def _told(
    before: Conversation, after: Conversation, effects: tuple[Effect, ...], reason: str
) -> tuple[Effect, ...]:
    """Put the change of state among the effects: before those that belong to the new one."""
    if after.state is before.state:
        return effects
    first = tuple(effect for effect in effects if isinstance(effect, TOLD_BEFORE))
    then = tuple(effect for effect in effects if not isinstance(effect, TOLD_BEFORE))
    return (*first, Entered(before.state, after.state, reason), *then)


def _expire(c: Conversation) -> Step:
    """End a session that should not go on, where the user notices it least."""
    if not c.session or c.state in BUFFERED | HOLDING:
        return c, ()
    if c.aged:
        reason = "max_session_s reached"
        return close_session(c, reason) if c.state in RESTING else hang_up(c, reason, Chime("end"))
    if c.outdated and c.state in RESTING:
        return close_session(c, "settings changed")
    return c, ()
