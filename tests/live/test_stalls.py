"""What the server owes, and what is done when it does not come."""

from __future__ import annotations

import pytest

from device.live.stalls import POISONED_S, Stalls, Step, Wait

PATIENCE_S = 15.0


def opened(*, resumed: bool = False, choosy: bool = False) -> Stalls:
    stalls = Stalls(PATIENCE_S)
    stalls.opened(0.0, resumed=resumed, choosy=choosy)
    return stalls


def spoken(stalls: Stalls, until: float = 100.0, lasted_s: float = 2.0) -> Stalls:
    stalls.speech_began()
    stalls.speech_ended(until, lasted_s)
    return stalls


def test_nothing_is_owed_to_who_says_nothing() -> None:
    """An idle session has no deadline."""
    stalls = opened()
    assert stalls.due() is None
    assert not stalls.owes


def test_silence_after_the_users_words_is_nudged_then_left_then_nothing_more() -> None:
    """Each third of the patience has its step; the last is for who talks with the user."""
    stalls = spoken(opened())
    assert stalls.due() == 105.0
    assert stalls.step() == (Step.NUDGE, Wait.ANSWER)
    assert stalls.due() == 110.0
    assert stalls.step() == (Step.RESUME, Wait.ANSWER)
    assert stalls.due() is None
    assert stalls.owes


def test_typed_question_is_owed_an_answer_too() -> None:
    """After half of the patience the question itself is put again, then sooner."""
    stalls = opened()
    stalls.asked(100.0)
    assert stalls.due() == 107.5
    assert stalls.owes
    assert stalls.step() == (Step.ASK_AGAIN, Wait.ANSWER)
    stalls.asked_again(107.5)
    assert stalls.due() == 112.5
    assert stalls.step() == (Step.ASK_AGAIN, Wait.ANSWER)


def test_what_was_said_while_the_button_was_held_is_put_again_too() -> None:
    """Also to a model that may choose its silence, and has heard it; speech after it is speech."""
    stalls = opened(choosy=True)
    stalls.speech_began()
    stalls.held()
    stalls.speech_ended(100.0, 1.0)
    stalls.understood(100.5)
    assert stalls.due() == 108.0
    assert stalls.step() == (Step.ASK_AGAIN, Wait.ANSWER)
    spoken(stalls, 110.0)
    assert stalls.due() == 115.0
    assert stalls.step() == (Step.NUDGE, Wait.ANSWER)


def test_while_the_user_speaks_nothing_is_owed() -> None:
    """The deadline begins with the end of the last sentence."""
    stalls = spoken(opened())
    stalls.speech_began()
    stalls.speech_began()
    assert stalls.due() is None
    stalls.speech_ended(103.0, 1.0)
    assert stalls.due() == 108.0


def test_end_of_speech_that_never_began_says_nothing() -> None:
    """The hub says so whenever it stops tracking speech."""
    stalls = opened()
    stalls.speech_ended(1.0, 5.0)
    assert stalls.due() is None


def test_sound_too_short_for_a_word_is_only_nudged() -> None:
    """A cough that the server does not comment on is nobody's fault."""
    stalls = spoken(opened(), 100.0, 0.2)
    assert stalls.due() == 105.0
    assert stalls.step()[0] is Step.NUDGE
    assert stalls.due() is None
    assert not stalls.owes


def test_short_word_that_the_server_understood_is_owed_an_answer() -> None:
    """A transcript proves that it was a word."""
    stalls = spoken(opened(), 100.0, 0.2)
    stalls.understood(101.0)
    assert stalls.owes
    assert stalls.due() == 106.0


def test_short_sound_after_an_unanswered_question_does_not_excuse_the_server() -> None:
    """Who clears the throat still waits for the answer."""
    stalls = spoken(spoken(opened()), 101.2, 0.2)
    assert stalls.owes


def test_transcript_gives_the_server_more_time_for_the_step_that_is_next() -> None:
    """It is alive; the model may still think."""
    stalls = spoken(opened())
    stalls.step()
    stalls.understood(109.0)
    assert stalls.due() == 114.0


def test_answer_ends_the_wait_and_begins_that_for_its_rest() -> None:
    """Sound that stops in the middle of a turn is a stall as well."""
    stalls = spoken(opened())
    stalls.turn_began(101.0)
    stalls.replied(102.0)
    assert stalls.due() == 107.0
    assert stalls.step() == (Step.NUDGE, Wait.SOUND)
    assert stalls.step() == (Step.RESUME, Wait.SOUND)


@pytest.mark.parametrize("ending", [Stalls.generated, lambda s: s.turn_ended(103.0)])
def test_whole_turn_owes_nothing(ending: object) -> None:
    """Live API: turnComplete comes as late as the sound would be played."""
    stalls = spoken(opened())
    stalls.turn_began(101.0)
    assert callable(ending)
    ending(stalls)
    assert stalls.due() is None
    assert not stalls.owes


def test_after_an_interruption_something_must_come() -> None:
    """Live API: a phantom ``interrupted`` may be the last that is ever heard."""
    stalls = opened()
    stalls.turn_began(100.0)
    stalls.interrupted(101.0)
    stalls.replied(101.2)
    stalls.turn_ended(102.0)
    assert stalls.due() == 107.0
    assert stalls.step() == (Step.NUDGE, Wait.AFTER_INTERRUPTED)
    assert stalls.owes
    stalls.turn_began(108.0)
    stalls.generated()
    assert stalls.due() is None


def test_words_that_interrupted_are_owed_an_answer() -> None:
    """The wait for what follows becomes the wait for the answer."""
    stalls = opened()
    stalls.turn_began(100.0)
    stalls.speech_began()
    stalls.interrupted(101.0)
    assert stalls.due() is None
    stalls.speech_ended(103.0, 2.0)
    assert stalls.step() == (Step.NUDGE, Wait.ANSWER)


def test_generation_that_ends_twice_and_turns_out_of_order_are_harmless() -> None:
    """The server's messages come as they come."""
    stalls = spoken(opened())
    stalls.generated()
    stalls.turn_ended(101.0)
    assert stalls.due() == 105.0


def test_resumed_session_that_hears_and_does_not_answer_is_poisoned() -> None:
    """Live API: its handle must go; sooner than patience would say."""
    stalls = spoken(opened(resumed=True))
    stalls.understood(100.5)
    stalls.step()
    assert stalls.due() == 100.5 + POISONED_S
    assert stalls.step() == (Step.FRESH, Wait.ANSWER)


def test_resumed_session_that_has_answered_once_is_not_poisoned() -> None:
    """Later it stalls like any other."""
    stalls = opened(resumed=True)
    stalls.turn_began(50.0)
    stalls.generated()
    spoken(stalls).understood(100.5)
    stalls.step()
    assert stalls.due() == 110.5
    assert stalls.step()[0] is Step.RESUME


def test_what_was_owed_is_asked_of_the_next_connection() -> None:
    """It gets time for its own answer; and no connection is left twice for one question."""
    stalls = spoken(opened())
    stalls.step()
    stalls.opened(112.0, resumed=True, choosy=False)
    assert stalls.due() == 117.0
    assert stalls.step()[0] is Step.NUDGE
    assert stalls.step()[0] is Step.RESUME
    stalls.opened(118.0, resumed=True, choosy=False)
    assert stalls.due() is None
    assert stalls.owes


def test_end_of_the_connection_settles_all_but_the_users_question() -> None:
    """Nobody can bring the rest of a turn that was cut off."""
    stalls = opened()
    stalls.turn_began(100.0)
    stalls.cut_off(sounded=True)
    assert stalls.due() is None
    spoken(stalls).cut_off(sounded=True)
    assert stalls.due() == 105.0
    stalls.turn_began(104.0)
    stalls.cut_off(sounded=False)
    assert stalls.step() == (Step.NUDGE, Wait.ANSWER)


def test_nobody_waits_any_more() -> None:
    """A conversation that is over is owed nothing."""
    stalls = spoken(opened())
    stalls.speech_began()
    stalls.dismissed()
    stalls.speech_ended(102.0, 1.0)
    stalls.replied(103.0)
    stalls.interrupted(104.0)
    assert stalls.due() is None
    assert not stalls.owes
    assert spoken(stalls, 110.0).due() == 115.0


def test_transcript_may_come_before_we_find_the_end_of_speech() -> None:
    """The server's ear is another one; what it understood counts for this sentence."""
    stalls = opened(resumed=True)
    stalls.speech_began()
    stalls.understood(99.9)
    stalls.speech_ended(100.0, 0.2)
    assert stalls.owes
    stalls.step()
    assert stalls.due() == 100.0 + POISONED_S
    assert stalls.step()[0] is Step.FRESH


def test_answer_may_come_before_we_find_the_end_of_speech() -> None:
    """Then nothing is owed, although the whole answer had come before that."""
    stalls = opened()
    stalls.speech_began()
    stalls.turn_began(99.5)
    stalls.generated()
    stalls.speech_ended(100.0, 2.0)
    assert stalls.due() is None
    stalls.speech_began()
    stalls.speech_ended(110.0, 2.0)
    assert stalls.due() == 115.0


def test_answer_that_was_interrupted_by_the_rest_of_the_sentence_is_owed_again() -> None:
    """The server thought that the user had finished, and was wrong."""
    stalls = opened()
    stalls.speech_began()
    stalls.turn_began(99.5)
    stalls.interrupted(99.8)
    stalls.speech_ended(101.0, 3.0)
    assert stalls.due() == 106.0


def test_words_that_come_out_of_the_blue_are_no_debt() -> None:
    """A late transcript of what is long settled changes nothing."""
    stalls = opened()
    stalls.understood(1.0)
    assert stalls.due() is None


def test_model_that_heard_and_chose_not_to_answer_is_left_alone() -> None:
    """Live API: 3.8 decides by itself whether it was meant."""
    stalls = spoken(opened(choosy=True))
    stalls.understood(101.0)
    assert stalls.due() is None
    assert not stalls.owes


def test_choosy_model_that_gives_no_sign_is_a_dead_connection() -> None:
    """What it chose not to answer it would have heard at least; a cough counts for nothing."""
    stalls = spoken(opened(choosy=True))
    assert stalls.step()[0] is Step.NUDGE
    assert (stalls.owes, stalls.due()) == (True, 110.0)
    stalls.understood(106.0)
    assert (stalls.owes, stalls.due()) == (False, None)
    assert not spoken(opened(choosy=True), 122.0, 0.2).owes


def test_choosy_model_owes_the_rest_of_what_it_began() -> None:
    """It chose to answer."""
    stalls = spoken(opened(choosy=True))
    stalls.turn_began(101.0)
    assert stalls.owes
