"""What a limit of money that is reached makes of a talk, step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from device import news as n
from device.conversation import effects as e
from device.conversation.machine import step
from device.conversation.moves import Step
from device.conversation.reasons import LIMIT
from device.conversation.states import CALLING, RESTING, Conversation, State

REACHED = n.SpendingLimit(True, 1.0)
CLEARED = n.SpendingLimit(False, 1.0)
WORD = n.Detection("hey", 0.9, 1, 1.0, "")
BEGAN, ENDED = n.SpeechChanged(True, 1, 1.0), n.SpeechChanged(False, 1, 1.0)


def at(state: State, **more: object) -> Conversation:
    """A conversation over session 1 that has played turn 3, where the limit is reached."""
    c = Conversation(state, State.IDLE, 1, 1, turn=3, cut=2, clock=5, spent=True)
    return replace(c, **more)  # type: ignore[arg-type]


def live(c: Conversation, *news: n.News) -> tuple[Conversation, list[e.Effect]]:
    """Take each step; returns where that leads, and all effects."""
    effects: list[e.Effect] = []
    for each in news:
        c, more = step(c, each)
        effects += more
    return c, effects


def kinds(effects: tuple[e.Effect, ...] | list[e.Effect]) -> list[str]:
    return [type(each).__name__ for each in effects]


def is_told(done: Step | tuple[Conversation, list[e.Effect]]) -> bool:
    """Whether the talk is over, its session with it, and the person knows why."""
    after, effects = done
    names = kinds(effects)
    told = "MeetLimit" in names and names.index("MeetLimit") < names.index("Alarm")
    return told and after.state is State.FAULT and after.session == 0


@pytest.mark.parametrize("news", [WORD, n.Tap(), n.Hold(), n.Ask("x"), n.Ask("x", persona="puck")])
@pytest.mark.parametrize("state", [State.IDLE, State.FAULT])
def test_who_calls_at_rest_is_told_and_nothing_is_opened(state: State, news: n.News) -> None:
    """By word, button and command; the light and the sentence say why."""
    after, effects = step(at(state, session=0), news)
    assert is_told((after, list(effects)))
    assert "OpenSession" not in kinds(effects)
    assert "StartUplink" not in kinds(effects)
    assert after.sessions == 1


def test_a_typed_question_is_refused_while_muted_too() -> None:
    """And the speaker is muted as before, once that was told."""
    c = at(State.MUTED, session=0, rest=State.MUTED)
    after, effects = step(c, n.Ask("x"))
    assert is_told((after, list(effects)))
    assert step(after, n.TimedOut(after.clock, n.Debt.NONE))[0].state is State.MUTED


@pytest.mark.parametrize("news", [n.Tap(), n.Hold()])
def test_a_muted_or_deaf_speaker_says_what_it_says_ever(news: n.News) -> None:
    """That it does not listen is what there is to know."""
    for rest in (State.MUTED, State.STARTING):
        c = at(rest, session=0, rest=rest)
        assert step(c, news)[1] == step(replace(c, spent=False), news)[1]


@pytest.mark.parametrize("news", [WORD, n.Hold(), n.Tap(), n.StopWord(1, 1.0), n.Stop()])
def test_what_rings_is_stopped_and_that_is_all(news: n.News) -> None:
    """Nobody who wants to silence an alarm is told of money."""
    after, effects = step(at(State.IDLE, session=0, ringing=frozenset({7})), news)
    assert kinds(effects) == ["StopRinging"]
    assert after.state is State.IDLE


@pytest.mark.parametrize("news", [WORD, n.Hold(), n.Tap()])
@pytest.mark.parametrize("state", [State.SPEAKING, State.PAUSED, State.THINKING])
def test_what_rings_in_a_talk_is_stopped_as_ever(state: State, news: n.News) -> None:
    """Whatever becomes of the talk; a tap while nothing can be heard means nothing else."""
    c = at(state, ringing=frozenset({7}), addressed=True)
    after, effects = step(c, news)
    assert kinds(effects).count("StopRinging") == 1
    if state is State.THINKING:
        assert (after.state, after.session) == (state, 1)
    else:
        assert after.session == 0


def test_the_kept_session_is_closed_when_the_limit_is_reached_at_rest() -> None:
    """Nothing of it is told aloud: nobody is there."""
    after, effects = step(at(State.IDLE, spent=False), REACHED)
    assert effects == (e.CloseSession(1, LIMIT),)
    assert (after.state, after.session) == (State.IDLE, 0)


@pytest.mark.parametrize("speaking", [State.SPEAKING, State.ONE_SHOT_SPEAKING])
def test_a_talk_ends_after_its_answer(speaking: State) -> None:
    """The answer is heard to its end first."""
    c, effects = live(at(speaking, spent=False), REACHED, n.TurnComplete(1, 3, 1.0))
    assert c.state is speaking
    assert "ClearPlayback" not in kinds(effects)
    after, effects = live(c, n.PlaybackDrained(3, 900, 1.0))
    assert is_told((after, effects))
    assert "ClearPlayback" not in kinds(effects)
    assert [each.reason for each in effects if isinstance(each, e.Entered)] == [LIMIT]


@pytest.mark.parametrize(
    "waiting", [State.THINKING, State.ONE_SHOT_THINKING, *sorted(CALLING, key=str)]
)
def test_what_was_asked_before_is_answered(waiting: State) -> None:
    """Also over a session that is not open yet."""
    c, _ = step(at(waiting, spent=False, addressed=True), REACHED)
    assert c.state is waiting
    if waiting in CALLING:
        c, _ = step(c, n.SessionOpened(1, 1.0, "m", False, 1.0))
        assert c.session == 1
    c, effects = step(c, n.ReplyAudio(1, 4, b"44", 1.0))
    assert "Play" in kinds(effects)
    assert is_told(live(c, n.PlaybackDrained(4, 900, 1.0)))


def test_a_cough_costs_nobody_the_answer_to_a_follow_up_question() -> None:
    """It was asked without a wake word, and before the limit was reached."""
    asked, _ = live(at(State.LISTENING, spent=False), BEGAN, ENDED)
    c, _ = live(asked, REACHED, BEGAN)
    assert (c.state, c.session) == (State.LISTENING, 1)
    c, effects = live(c, n.ReplyAudio(1, 4, b"44", 1.0))
    assert "Play" in kinds(effects)
    assert is_told(live(c, n.PlaybackDrained(4, 900, 1.0)))


def test_who_has_been_answered_is_not_listened_to_any_more() -> None:
    """What they say next would be another question."""
    answered, _ = live(at(State.SPEAKING, spent=False), n.PlaybackDrained(3, 900, 1.0))
    assert answered.state is State.LISTENING
    assert is_told(live(answered, REACHED))
    talking, _ = live(answered, BEGAN)
    assert is_told(live(talking, REACHED))


@pytest.mark.parametrize(
    "news", [n.ToolNews(1, "called", "f", 1.0), n.TurnComplete(1, 3, 1.0, more=True)]
)
def test_calls_and_what_was_promised_are_waited_for(news: n.News) -> None:
    """The model's answer to a call is the rest of the answer."""
    c, _ = live(at(State.SPEAKING), news, n.PlaybackDrained(3, 900, 1.0))
    assert (c.state, c.session) == (State.THINKING, 1)
    if isinstance(news, n.ToolNews):
        c, _ = live(c, n.TurnComplete(1, 3, 1.0, more=True), n.ToolNews(1, "answered", "f", 1.0))
        assert (c.state, c.session) == (State.THINKING, 1)
    c, _ = live(c, n.ReplyAudio(1, 4, b"44", 1.0), n.TurnComplete(1, 4, 1.0))
    assert is_told(live(c, n.PlaybackDrained(4, 900, 1.0)))


def test_a_model_that_has_nothing_to_add_ends_it_too() -> None:
    """The talk does not hang where more was promised and nothing came."""
    c, _ = live(
        at(State.SPEAKING), n.TurnComplete(1, 3, 1.0, more=True), n.PlaybackDrained(3, 9, 1.0)
    )
    assert c.state is State.THINKING
    assert is_told(live(c, n.TurnComplete(1, 4, 1.0)))


@pytest.mark.parametrize("news", [WORD, n.Hold(), n.BargedIn(1, 1.0), n.Interrupted(1, 3, 1.0)])
def test_who_interrupts_the_last_answer_is_not_given_another(news: n.News) -> None:
    """Else a talk would go on for ever, an interruption at a time."""
    after, effects = live(at(State.SPEAKING), news)
    assert "ClearPlayback" in kinds(effects)
    assert is_told((after, effects))
    assert after.cut == 3


def test_a_tap_silences_the_last_answer_and_ends_the_talk() -> None:
    """It stops when told; nothing more is said."""
    after, effects = live(at(State.SPEAKING), n.Tap())
    assert (after.state, after.session) == (State.IDLE, 0)
    assert "ClearPlayback" in kinds(effects)
    assert "Alarm" not in kinds(effects)


@pytest.mark.parametrize("state", [State.THINKING, State.ONE_SHOT_THINKING, State.CONNECTING])
def test_calling_again_takes_nobody_the_answer_that_is_owed(state: State) -> None:
    """The wake word would begin another question."""
    c = at(state, addressed=True, promised=True)
    assert step(c, WORD) == (c, ())


def test_a_button_held_while_an_answer_is_owed_says_that_it_is_not_listened_to() -> None:
    """The answer comes all the same."""
    c = at(State.THINKING, addressed=True)
    assert step(c, n.Hold()) == (c, (e.Chime("error"),))


def test_who_was_called_before_may_still_ask_by_button() -> None:
    """One question is owed an answer: how it is asked does not matter."""
    c, _ = live(at(State.LISTENING, addressed=True), n.Hold())
    assert c.state is State.HOLDING
    c, _ = live(c, n.Release(heard=True))
    assert c.state is State.ONE_SHOT_THINKING


@pytest.mark.parametrize("state", [State.THINKING, State.SPEAKING, State.ONE_SHOT_SPEAKING])
def test_a_typed_question_in_a_talk_is_refused_and_the_talk_goes_on(state: State) -> None:
    """Whoever typed it is told by the command."""
    c = at(state, addressed=True)
    assert step(c, n.Ask("x")) == (c, (e.MeetLimit(),))


def test_a_tap_gives_up_a_question_on_its_way() -> None:
    """As it would without a limit, but for the talk that would begin."""
    after, effects = step(at(State.ONE_SHOT_CONNECTING), n.Tap())
    assert (after.state, after.session) == (State.IDLE, 0)
    assert "CloseSession" in kinds(effects)


def test_what_nobody_could_hear_is_asked_again_once() -> None:
    """Each time is paid for."""
    c, effects = step(at(State.THINKING, addressed=True), n.Unheard(1, 4, "empty", False, 1.0))
    assert "AskAgain" in kinds(effects)
    c, effects = step(c, n.Unheard(1, 5, "empty", False, 1.0))
    assert "AskAgain" not in kinds(effects)
    assert "GiveUpAsking" in kinds(effects)


def test_what_the_model_was_asked_to_do_after_its_words_is_done() -> None:
    """It mutes, and the session is closed at rest."""
    after, effects = live(at(State.SPEAKING, leaving="mute"), n.PlaybackDrained(3, 900, 1.0))
    assert "MuteMicrophone" in kinds(effects)
    assert after.session == 0
    assert after.state in RESTING


def test_a_connection_that_is_replaced_carries_the_answer_that_is_owed() -> None:
    """A lost connection, and one that goes away, make no new question."""
    lost = n.Reconnecting(1, n.Failure(n.FailureKind.NETWORK, "gone", retryable=True), 1.0)
    c, effects = live(
        at(State.THINKING, addressed=True), lost, n.SessionOpened(1, 1.0, "m", True, 1.0)
    )
    assert c.state is State.THINKING
    assert "OpenSession" not in kinds(effects)


def test_a_limit_that_is_raised_in_mid_talk_lets_it_go_on() -> None:
    """As if there had been none."""
    c, _ = live(at(State.SPEAKING, spent=False), REACHED, CLEARED, n.PlaybackDrained(3, 900, 1.0))
    assert (c.state, c.session) == (State.LISTENING, 1)


def test_after_the_limit_is_raised_a_wake_word_opens_a_session() -> None:
    """Just one."""
    _, effects = live(at(State.IDLE, session=0), CLEARED, WORD)
    assert kinds(effects).count("OpenSession") == 1
