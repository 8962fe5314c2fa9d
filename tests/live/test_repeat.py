"""What is kept of a sentence until it is answered."""

from __future__ import annotations

import pytest

from device.frames import FRAME_MS
from device.live.messages import Picture, Text
from device.live.repeat import LEAD_S, MOST_WORDS, Unanswered

LEAD = round(LEAD_S * 1000 / FRAME_MS)


def frames(*numbers: int) -> list[bytes]:
    return [number.to_bytes(2, "little") for number in numbers]


def test_nothing_is_repeated_while_nobody_speaks() -> None:
    """Silence that went up is not worth sending twice."""
    said = Unanswered(10.0)
    said.sent_audio(frames(1, 2, 3))
    assert not said.pending
    assert said.take() == []


def test_sentence_is_repeated_with_what_came_right_before_it() -> None:
    """Speech is noticed late, and the wake word was in the same breath."""
    said = Unanswered(10.0)
    said.sent_audio(frames(*range(300)))
    said.speaking(speaking=True)
    said.sent_audio(frames(300, 301))
    assert said.pending
    assert said.take() == frames(*range(300 - LEAD, 302))


def test_sentence_is_kept_until_it_is_answered() -> None:
    """Its end does not mean that the server still knows it."""
    said = Unanswered(10.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1, 2))
    said.speaking(speaking=False)
    said.sent_audio(frames(3))
    waiting = [said.pending]
    said.answered()
    assert [*waiting, said.pending] == [True, False]
    assert said.take() == []


def test_sentence_that_has_begun_over_an_answer_is_not_answered_by_it() -> None:
    """The model's next word is not the answer to what the user is just saying."""
    said = Unanswered(10.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1))
    said.answered()
    assert said.take() == frames(1)


def test_answer_that_comes_before_we_find_the_end_of_speech_answers_it() -> None:
    """The server's ear is another one."""
    said = Unanswered(10.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1))
    said.answered()
    said.speaking(speaking=False)
    assert said.take() == []


def test_answer_that_the_sentence_interrupts_does_not_answer_it() -> None:
    """The server thought that the user had finished, and was wrong."""
    said = Unanswered(10.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1))
    said.answered()
    said.interrupted()
    said.speaking(speaking=True)
    said.speaking(speaking=False)
    assert said.take() == frames(1)


def test_end_of_a_turn_settles_what_was_said_in_it_but_not_what_is_being_said() -> None:
    """Who begins to speak over the last word has not been answered by it."""
    said = Unanswered(10.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1))
    said.settled()
    said.speaking(speaking=False)
    assert said.take() == frames(1)
    said.sent_audio(frames(2))
    said.settled()
    assert said.take() == []


def test_no_more_is_repeated_than_is_allowed_and_that_is_the_newest() -> None:
    """The bound is a setting; the end of a sentence says more than its beginning."""
    said = Unanswered(0.1)
    said.speaking(speaking=True)
    said.sent_text("before")
    said.sent_audio(frames(*range(9)))
    assert said.take() == frames(4, 5, 6, 7, 8)


@pytest.mark.parametrize("noticed", ["before", "after"])
def test_what_turns_out_to_be_no_answer_leaves_its_question_unanswered(noticed: str) -> None:
    """Though it had begun like one; what went up meanwhile comes after it."""
    said = Unanswered(1.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1, 2))
    if noticed == "after":
        said.answered()
    said.speaking(speaking=False)
    if noticed == "before":
        said.answered()
    said.sent_audio(frames(3))
    assert not said.pending
    said.take_back()
    assert said.take() == frames(1, 2, 3)
    said.answered()
    said.take_back()
    assert said.take() == []


@pytest.mark.parametrize("over", ["settled", "speaks", "types", "clear"])
def test_only_the_turn_under_way_can_turn_out_to_be_no_answer(over: str) -> None:
    """What was answered to the end, or is asked since, is not asked again."""
    said = Unanswered(1.0)
    said.sent_text("what now?")
    said.answered()
    match over:
        case "settled":
            said.settled()
        case "speaks":
            said.speaking(speaking=True)
        case "types":
            said.sent_text("and then?")
        case _:
            said.clear()
    said.take_back()
    assert "what now?" not in said.take()


def test_typed_words_keep_their_place() -> None:
    """They are as unanswered as spoken ones."""
    said = Unanswered(1.0)
    said.sent_audio(frames(1))
    said.sent_text("what now?")
    said.sent_audio(frames(2))
    assert said.take() == [*frames(1), "what now?", *frames(2)]


def test_what_is_taken_is_kept_again_only_when_it_goes_up_again() -> None:
    """Two connections that break one after the other do not double it."""
    said = Unanswered(1.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1, 2))
    assert said.take() == frames(1, 2)
    assert said.take() == []
    assert said.pending
    said.sent_audio(frames(1))
    assert said.take() == frames(1)


def test_zero_repeats_nothing() -> None:
    """The owner may not want anything to be sent twice."""
    said = Unanswered(0.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1, 2))
    said.sent_text("hello")
    assert said.take() == []


def test_nobody_waits_any_more() -> None:
    """A conversation that is over leaves nothing to be said again."""
    said = Unanswered(1.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1))
    said.clear()
    assert not said.pending
    assert said.take() == []


def test_words_with_a_picture_are_kept_whole() -> None:
    """Alone they would ask about nothing."""
    said = Unanswered(10.0)
    words = Text("what is this?", again=True, picture=Picture(b"", 3, 2, "typed"))
    said.sent_text(words)
    assert said.pending
    assert said.take() == [words]


def test_words_are_kept_up_to_a_bound_and_those_are_the_newest() -> None:
    """A picture may belong to each, and a model that answers none must not fill the memory."""
    said = Unanswered(10.0)
    said.speaking(speaking=True)
    said.sent_audio(frames(1))
    asked = [
        Text(f"{number}", again=True, picture=Picture(b"", 3, 2, "typed"))
        for number in range(MOST_WORDS + 3)
    ]
    for words in asked:
        said.sent_text(words)
    assert said.take() == [*frames(1), *asked[3:]]
