"""Content of server messages as news."""

from __future__ import annotations

import itertools
import logging
import warnings
from typing import Any

import pytest
from google.genai import types

from device.live.downlink import TURN_CHARACTERS, Downlink
from device.live.repeat import Unanswered
from device.live.stalls import Stalls
from device.news import (
    GenerationComplete,
    Interrupted,
    News,
    ReplyAudio,
    Transcript,
    TurnComplete,
    Usage,
)


class Heard:
    def __init__(self) -> None:
        self.news: list[News] = []
        self.stalls = Stalls(15.0)
        self.unanswered = Unanswered(10.0)
        self.down = Downlink(1, itertools.count(1), self.news.append, self.stalls, self.unanswered)

    def take(self, **content: Any) -> list[News]:
        """Take one message and return only what it brought."""
        before = len(self.news)
        self.down.take(types.LiveServerContent.model_validate(content))
        return self.news[before:]


def audio(pcm: bytes = b"ab", **part: Any) -> dict[str, Any]:
    blob = {"data": pcm, "mime_type": "audio/pcm;rate=24000"}
    return {"parts": [{"inline_data": blob, **part}]}


def kinds(news: list[News]) -> list[str]:
    return [type(each).__name__ for each in news]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_turns_are_numbered_by_their_first_output(heard: Heard) -> None:
    """A number is taken when a turn begins and is never used twice."""
    heard.take(model_turn=audio())
    heard.take(model_turn=audio(), turn_complete=True)
    heard.take(model_turn=audio())
    assert [n.turn for n in heard.news if isinstance(n, ReplyAudio)] == [1, 1, 2]
    assert [n.turn for n in heard.news if isinstance(n, TurnComplete)] == [1]
    assert heard.down.busy


def test_every_part_of_one_message_is_handled(heard: Heard) -> None:
    """Live API: one event may hold audio, transcripts and the turn's end at once."""
    parts = audio(b"ab")["parts"] + audio(b"cd")["parts"]
    news = heard.take(
        input_transcription={"text": "hi"},
        model_turn={"parts": parts},
        output_transcription={"text": "hello"},
        generation_complete=True,
        turn_complete=True,
    )
    assert [n.pcm for n in news if isinstance(n, ReplyAudio)] == [b"ab", b"cd"]
    assert kinds(news)[-3:] == ["GenerationComplete", "Transcript", "TurnComplete"]


def test_thoughts_are_not_spoken_but_open_the_turn(heard: Heard) -> None:
    """A thinking model is busy, and what it thinks stays unheard."""
    assert heard.take(model_turn=audio(thought=True)) == []
    assert heard.take(model_turn={"parts": [{"text": "hm", "thought": True}]}) == []
    assert heard.down.busy


def test_parts_that_are_no_sound_are_skipped(heard: Heard) -> None:
    """Text, empty blobs and pictures are not played."""
    picture = {"inline_data": {"data": b"x", "mime_type": "image/png"}}
    empty = {"inline_data": {"data": b"", "mime_type": "audio/pcm"}}
    assert heard.take(model_turn={"parts": [{"text": "x"}, empty, picture]}) == []
    assert heard.take(model_turn={"parts": None}) == []
    bare = heard.take(model_turn={"parts": [{"inline_data": {"data": b"ab"}}]})
    assert kinds(bare) == ["ReplyAudio"]


def test_leftovers_of_an_interrupted_turn_keep_its_number(heard: Heard) -> None:
    """What arrives between interrupted and turnComplete must not look like a new turn."""
    heard.take(model_turn=audio())
    heard.take(interrupted=True)
    heard.take(model_turn=audio())
    heard.take(turn_complete=True)
    heard.take(model_turn=audio())
    assert [n.turn for n in heard.news if isinstance(n, ReplyAudio)] == [1, 1, 2]
    assert [n.turn for n in heard.news if isinstance(n, Interrupted)] == [1]
    assert not any(isinstance(n, GenerationComplete) for n in heard.news)


def test_interruption_counts_as_a_question(heard: Heard) -> None:
    """Who interrupts will be answered, so it is not quiet then."""
    heard.take(interrupted=True)
    assert heard.down.asked_at is not None
    heard.take(turn_complete=True)
    assert heard.down.asked_at is not None
    heard.take(model_turn=audio())
    assert heard.down.asked_at is None


def test_answer_is_not_swallowed_by_an_interrupted_turn_that_never_completes(heard: Heard) -> None:
    """Leftovers keep the old number; what follows the user's words is the next turn."""
    heard.take(model_turn=audio())
    heard.take(interrupted=True)
    heard.take(model_turn=audio())
    heard.take(input_transcription={"text": "no, stop"})
    heard.take(interrupted=True)
    heard.take(output_transcription={"text": "Once upon"})
    news = heard.take(model_turn=audio())
    assert [(type(n), getattr(n, "text", None), getattr(n, "turn", None)) for n in news] == [
        (Transcript, "Once upon", 1),
        (TurnComplete, None, 1),
        (Transcript, "no, stop", 2),
        (ReplyAudio, None, 2),
    ]
    heard.take(model_turn=audio(), turn_complete=True)
    assert [n.turn for n in heard.news if isinstance(n, ReplyAudio)] == [1, 1, 2, 2]
    assert [n.turn for n in heard.news if isinstance(n, TurnComplete)] == [1, 2]
    assert [n.turn for n in heard.news if isinstance(n, Interrupted)] == [1, 1]


def test_text_of_ours_ends_an_interrupted_turn_too(heard: Heard) -> None:
    """What was typed before the interruption says nothing, what was typed after it does."""
    heard.take(model_turn=audio())
    heard.down.asked()
    heard.take(interrupted=True)
    assert heard.down.begin_turn() == 1
    heard.down.asked()
    assert heard.down.begin_turn() == 2
    assert [n.turn for n in heard.news if isinstance(n, TurnComplete)] == [1]


def test_turn_without_any_output_is_ended_too(heard: Heard) -> None:
    """A bare turnComplete takes a number of its own, so that who waits for it goes on."""
    news = heard.take(turn_complete=True, turn_complete_reason="RESPONSE_REJECTED")
    (ended,) = news
    assert isinstance(ended, TurnComplete)
    assert (ended.session, ended.turn) == (1, 1)
    assert not heard.down.busy


def test_late_generation_complete_opens_nothing(heard: Heard) -> None:
    """Outside a turn it says nothing to anyone."""
    assert heard.take(generation_complete=True) == []
    assert not heard.down.busy


def test_words_of_the_user_belong_to_the_turn_that_answers_them(heard: Heard) -> None:
    """Fragments come as they are; the whole follows when the model begins."""
    heard.take(input_transcription={"text": "what's "})
    heard.take(input_transcription={"text": "up "})
    assert heard.down.asked_at is not None
    heard.take(model_turn=audio())
    said = [n for n in heard.news if isinstance(n, Transcript)]
    assert [(n.text, n.final, n.turn) for n in said] == [
        ("what's ", False, 1),
        ("up ", False, 1),
        ("what's up", True, 1),
    ]
    assert [n.turn for n in heard.news if isinstance(n, ReplyAudio)] == [1]


def test_finished_concludes_once(heard: Heard) -> None:
    """The server's own mark ends the text; the turn's end does not repeat it."""
    heard.take(input_transcription={"text": "hello", "finished": True})
    heard.take(input_transcription={"finished": True})
    heard.take(model_turn=audio(), turn_complete=True)
    finals = [n for n in heard.news if isinstance(n, Transcript) and n.final]
    assert [(n.who, n.text) for n in finals] == [("user", "hello")]


def test_transcript_that_comes_late_is_concluded_with_the_turn(heard: Heard) -> None:
    """Live API: no order is guaranteed; each word is in exactly one final."""
    heard.take(model_turn=audio())
    heard.take(input_transcription={"text": "late words"})
    assert heard.down.asked_at is None
    heard.take(turn_complete=True)
    finals = [n for n in heard.news if isinstance(n, Transcript) and n.final]
    assert [(n.text, n.turn) for n in finals] == [("late words", 1)]


def test_words_after_an_interruption_belong_to_the_next_turn(heard: Heard) -> None:
    """The end of the interrupted turn does not cut the user's sentence in two."""
    heard.take(model_turn=audio())
    heard.take(output_transcription={"text": "Once upon"})
    heard.take(interrupted=True)
    heard.take(input_transcription={"text": "no, "})
    heard.take(turn_complete=True)
    heard.take(input_transcription={"text": "stop"})
    heard.take(model_turn=audio())
    finals = [n for n in heard.news if isinstance(n, Transcript) and n.final]
    assert [(n.who, n.text, n.turn) for n in finals] == [
        ("model", "Once upon", 1),
        ("user", "no, stop", 2),
    ]


def test_new_turn_of_speech_concludes_the_old_one(heard: Heard) -> None:
    """Words for the turn under way and words after its interruption are two texts."""
    heard.take(model_turn=audio())
    heard.take(input_transcription={"text": "one"})
    heard.take(interrupted=True)
    heard.take(input_transcription={"text": "two"})
    finals = [n for n in heard.news if isinstance(n, Transcript) and n.final]
    assert [(n.text, n.turn) for n in finals] == [("one", 1)]


def test_model_transcript_before_its_audio_has_the_same_number(heard: Heard) -> None:
    """Whichever comes first, text and sound of a turn agree."""
    heard.take(output_transcription={"text": "Sunny."})
    assert not heard.down.busy
    heard.take(model_turn=audio(), turn_complete=True)
    said = [n for n in heard.news if isinstance(n, Transcript)]
    assert [(n.who, n.turn, n.final) for n in said] == [("model", 1, False), ("model", 1, True)]


def test_largest_count_until_the_turns_end_is_the_bill(heard: Heard) -> None:
    """Live API: the messages are not to be summed."""
    heard.down.bill(types.UsageMetadata(prompt_token_count=1))
    heard.down.bill(types.UsageMetadata(prompt_token_count=5))
    heard.take(model_turn=audio(), turn_complete=True)
    heard.take(model_turn=audio(), turn_complete=True)
    bills = [n for n in heard.news if isinstance(n, Usage)]
    assert [(n.turn, n.tokens["prompt"]) for n in bills] == [(1, 5)]


def bills(heard: Heard) -> list[tuple[int, int]]:
    return [(n.turn, n.tokens["prompt"]) for n in heard.news if isinstance(n, Usage)]


def count(heard: Heard, prompt: int, **content: Any) -> None:
    """Take a message with a count, as `Traffic` does."""
    heard.down.bill(types.UsageMetadata(prompt_token_count=prompt))
    if content:
        heard.take(**content)
    heard.down.settle_bill()


def test_bill_that_comes_late_is_the_last_turns(heard: Heard) -> None:
    """It is posted at once, and never for a turn that it does not belong to."""
    heard.take(model_turn=audio(), turn_complete=True)
    heard.down.settle_bill()
    assert bills(heard) == []
    count(heard, 5)
    assert bills(heard) == [(1, 5)]
    count(heard, 3)
    count(heard, 5)
    assert bills(heard) == [(1, 5)]
    heard.take(model_turn=audio())
    count(heard, 7)
    assert bills(heard) == [(1, 5)]
    heard.take(turn_complete=True)
    assert bills(heard) == [(1, 5), (2, 7)]
    count(heard, 9)
    assert bills(heard) == [(1, 5), (2, 7), (2, 9)]


def test_count_before_the_first_turn_of_a_connection_is_of_the_turn_to_come(heard: Heard) -> None:
    """It is told with that turn's end, and not before."""
    count(heard, 4)
    assert bills(heard) == []
    heard.take(model_turn=audio())
    count(heard, 6, turn_complete=True)
    assert bills(heard) == [(1, 6)]
    heard.down.give_up()
    count(heard, 8)
    assert bills(heard) == [(1, 6)]
    heard.take(model_turn=audio(), turn_complete=True)
    assert bills(heard) == [(1, 6), (2, 8)]


def test_count_of_a_turn_that_never_came_is_paid_for_all_the_same(heard: Heard) -> None:
    """The connection went, or nothing answered; what comes then is counted by itself."""
    count(heard, 4)
    heard.down.give_up()
    assert bills(heard) == [(1, 4)]
    count(heard, 5)
    heard.down.nothing_came()
    assert bills(heard) == [(1, 4), (2, 5)]
    count(heard, 6, model_turn=audio(), turn_complete=True)
    assert bills(heard) == [(1, 4), (2, 5), (3, 6)]
    assert [n.turn for n in heard.news if isinstance(n, ReplyAudio)] == [3]


def test_count_of_a_turn_that_is_cut_off_is_told_with_its_end(heard: Heard) -> None:
    """And a new connection goes on with the next number and with nothing counted."""
    count(heard, 900, model_turn=audio())
    heard.down.give_up()
    assert bills(heard) == [(1, 900)]
    heard.take(model_turn=audio(), turn_complete=True)
    count(heard, 50)
    assert bills(heard) == [(1, 900), (2, 50)]


def test_count_beside_the_first_sound_after_a_forgotten_end_is_the_new_turns(heard: Heard) -> None:
    """The message that begins a turn is no late count of the turn that it ends."""
    count(heard, 5, model_turn=audio())
    heard.take(generation_complete=True)
    count(heard, 70, model_turn=audio())
    assert bills(heard) == [(1, 5)]
    heard.take(turn_complete=True)
    assert bills(heard) == [(1, 5), (2, 70)]


def test_messages_that_hold_nothing_bill_nothing(heard: Heard) -> None:
    """Live API: many come in a row that are `{}`."""
    empty = types.LiveServerMessage.model_validate({"usageMetadata": {}})
    assert empty.usage_metadata is not None
    for turn in range(2):
        heard.down.bill(empty.usage_metadata)
        heard.down.settle_bill()
        heard.down.settle_bill()
        assert bills(heard) == []
        if turn == 0:
            heard.take(model_turn=audio(), turn_complete=True)


def test_count_of_an_interrupted_turn_is_its_own(heard: Heard) -> None:
    """It comes between ``interrupted`` and ``turnComplete``, or after that."""
    heard.take(model_turn=audio())
    count(heard, 5, interrupted=True)
    count(heard, 6)
    assert bills(heard) == []
    heard.take(turn_complete=True)
    assert bills(heard) == [(1, 6)]


def test_context_is_what_a_turns_bill_says_it_is(heard: Heard) -> None:
    """Once for each bill; a count in the middle of a turn says nothing of it yet."""
    assert heard.down.new_context() is None
    count(heard, 500, model_turn=audio())
    assert heard.down.new_context() is None
    heard.take(turn_complete=True)
    heard.down.settle_bill()
    assert heard.down.new_context() == 500
    assert heard.down.new_context() is None
    heard.down.bill(types.UsageMetadata(response_token_count=3))
    heard.take(model_turn=audio(), turn_complete=True)
    heard.down.settle_bill()
    assert heard.down.new_context() is None


def test_searches_are_told_with_the_turn_that_rests_on_them(heard: Heard) -> None:
    """Once each, however often their grounding comes; also where it comes late."""
    grounding = {"web_search_queries": ["rain in Berlin"]}
    heard.take(model_turn=audio(), grounding_metadata=grounding)
    heard.down.settle_bill()
    heard.take(grounding_metadata=grounding, turn_complete=True)
    heard.down.settle_bill()
    late = {"web_search_queries": ["rain in Berlin", "snow in Berlin"]}
    heard.take(grounding_metadata=late)
    heard.down.settle_bill()
    told = [(n.turn, n.searches) for n in heard.news if isinstance(n, Usage)]
    assert told == [(1, 1), (1, 2)]


def test_sound_tells_pieces_from_a_whole_count(heard: Heard) -> None:
    """Two seconds in ten messages of five tokens each; the next turn is measured by its own."""
    for _ in range(10):
        heard.down.bill(types.UsageMetadata(prompt_token_count=500, response_token_count=5))
        heard.take(model_turn=audio(bytes(9_600)))
        heard.down.settle_bill()
    heard.take(turn_complete=True)
    for _ in range(2):
        heard.down.bill(types.UsageMetadata(prompt_token_count=600, response_token_count=5))
        heard.take(model_turn=audio(bytes(9_600)))
        heard.down.settle_bill()
    heard.take(turn_complete=True)
    told = [dict(n.tokens) for n in heard.news if isinstance(n, Usage)]
    assert told == [
        {"prompt": 500, "response": 50, "total": 550},
        {"prompt": 600, "response": 5, "total": 605},
    ]


@pytest.mark.parametrize("end", ["give_up", "nothing_came"])
def test_sound_of_another_turn_tells_nothing_of_one_that_never_came(heard: Heard, end: str) -> None:
    """Its counts are as they came, though the turn before was long."""
    heard.take(model_turn=audio(bytes(96_000)), turn_complete=True)
    heard.down.give_up()
    for _ in range(2):
        heard.down.bill(types.UsageMetadata(prompt_token_count=600, response_token_count=5))
        heard.down.settle_bill()
    getattr(heard.down, end)()
    told = [(n.turn, dict(n.tokens)) for n in heard.news if isinstance(n, Usage)]
    assert told == [(2, {"prompt": 600, "response": 5, "total": 605})]


def test_thinking_in_the_background_is_not_quiet(heard: Heard) -> None:
    """Live API: extended thinking ends by interactionStatus, not by turnComplete."""
    heard.take(model_turn=audio(), turn_complete=True, interaction_status="IN_PROGRESS")
    assert heard.down.busy
    heard.take(turn_complete=True, interaction_status="IDLE")
    assert not heard.down.busy


def test_giving_up_ends_the_turn_and_all_texts(heard: Heard) -> None:
    """When the connection ends, nobody is left waiting for the rest."""
    heard.take(model_turn=audio(), output_transcription={"text": "Once"})
    heard.take(interrupted=True, input_transcription={"text": "hey"})
    heard.take(input_transcription={"text": " you"})
    before = len(heard.news)
    heard.down.give_up()
    assert kinds(heard.news[before:]) == ["Transcript", "TurnComplete", "Transcript"]
    assert not heard.down.busy
    heard.down.give_up()
    assert kinds(heard.news[before:]) == ["Transcript", "TurnComplete", "Transcript"]


def test_words_over_a_reply_that_is_cut_off_are_not_done_with(heard: Heard) -> None:
    """The connection took them with it before the server could say that it was interrupted."""
    heard.take(model_turn=audio())
    heard.unanswered.speaking(speaking=True)
    heard.unanswered.sent_audio([b"no"])
    heard.unanswered.speaking(speaking=False)
    heard.down.give_up()
    assert heard.unanswered.take() == [b"no"]


def test_only_the_users_transcript_tells_that_the_user_was_understood(heard: Heard) -> None:
    """What the model said may come late, over a cough."""
    heard.take(output_transcription={"text": "sunny"})
    before = heard.stalls.heard
    heard.take(input_transcription={"text": "hi"})
    assert [before, heard.stalls.heard] == [False, True]


def test_thoughts_and_calls_are_no_answer_yet(heard: Heard) -> None:
    """A search may take long, and its connection with it: the question is still unanswered."""
    heard.unanswered.sent_text("what is new?")
    heard.take(model_turn={"parts": [{"text": "I search", "thought": True}]})
    assert heard.unanswered.pending
    heard.take(model_turn=audio())
    assert not heard.unanswered.pending


def texts(news: list[News]) -> list[tuple[str, bool]]:
    return [(each.text, each.final) for each in news if isinstance(each, Transcript)]


def test_what_is_told_of_a_transcript_only_shows(heard: Heard) -> None:
    """Both sides, the pieces and the whole: no command for a terminal, no line of its own."""
    heard.take(input_transcription={"text": "a\x1b[2J\n"})
    heard.take(output_transcription={"text": "b\x07\u202e\x9bc", "finished": True})
    heard.take(input_transcription={"text": "\u2028", "finished": True})
    assert texts(heard.news) == [
        ("a�[2J ", False),
        ("b���c", False),
        ("b���c", True),
        (" ", False),
        ("a�[2J", True),
    ]


def test_a_turns_transcript_has_an_end(heard: Heard) -> None:
    """What comes beyond is cut off and counted; the next turn's is whole again."""
    heard.take(model_turn=audio())
    heard.take(output_transcription={"text": "x" * (TURN_CHARACTERS - 1)})
    cut = heard.take(output_transcription={"text": "yyy"})
    none = heard.take(output_transcription={"text": "z" * 2 * TURN_CHARACTERS})
    assert (texts(cut), texts(none)) == ([("y", False)], [])
    assert heard.down.cut_characters == 2 + 2 * TURN_CHARACTERS
    ended = heard.take(turn_complete=True)
    ((whole, final),) = texts(ended)
    assert (len(whole), final) == (TURN_CHARACTERS, True)
    heard.take(model_turn=audio())
    assert texts(heard.take(output_transcription={"text": "again"})) == [("again", False)]


def test_a_reason_in_the_servers_own_words_is_told_harmlessly(
    heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK takes any word for a reason."""
    caplog.set_level(logging.INFO, "device.live.downlink")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = types.LiveServerContent(turn_complete_reason="odd\x1b[2J" + "x" * 99)  # type: ignore[arg-type]
    heard.down.take(content.model_copy(update={"turn_complete": True}))
    (message,) = caplog.messages
    assert message.startswith("the server ended the turn: odd�[2Jxxx")
    assert len(message) < 100
