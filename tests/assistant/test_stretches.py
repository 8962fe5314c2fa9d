"""Stretches of sound add up to what left, whatever happens."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import news as n
from device.assistant.stretches import UNNOTED_FRAMES, Line, Stretch, Stretches, Why, why
from device.conversation.machine import step
from device.conversation.states import Conversation, State
from device.live.departures import SoundEnds, SoundLeaves, SoundLeft

WOKEN = Why("wake_word", "hey_jarvis", 0.9)
HEARD = Why("wake_word", "hey_jarvis", 0.877)
LINE = Line("m", "host", 1, 1, "")


IDLE = Conversation(State.IDLE, State.IDLE)
SPEAKING = Conversation(State.SPEAKING, State.IDLE, session=1, sessions=1, turn=1)
LISTENING = replace(SPEAKING, state=State.LISTENING)
DETECTED = n.Detection("hey_jarvis", 0.87654, 16_000, 1.0)


@pytest.mark.parametrize(
    ("before", "news", "reason"),
    [
        (IDLE, DETECTED, Why("wake_word", "hey_jarvis", 0.877)),
        (IDLE, n.Tap(), Why("tap")),
        (IDLE, n.Hold(), Why("hold")),
        (replace(IDLE, ringing=frozenset({1})), DETECTED, replace(HEARD, rang=True)),
        (SPEAKING, DETECTED, replace(HEARD, over_reply=True)),
        (replace(SPEAKING, resume_reply=False), DETECTED, replace(HEARD, over_reply=True)),
        (SPEAKING, n.Tap(), Why("tap", over_reply=True)),
        (SPEAKING, n.Hold(), Why("hold", over_reply=True)),
        (SPEAKING, n.BargedIn(8_000, 1.0), Why("barge_in", over_reply=True)),
        (SPEAKING, n.Interrupted(1, 1, 1.0), Why("barge_in", over_reply=True)),
        (SPEAKING, n.PlaybackDrained(1, 900, 1.0), Why("follow_up")),
        (replace(SPEAKING, follow_up="never"), n.PlaybackDrained(1, 900, 1.0), None),
        (LISTENING, n.Hold(), Why("hold")),
        (LISTENING, DETECTED, None),
        (LISTENING, n.SpeechChanged(True, 0, 1.0), None),
        (LISTENING, n.Ask("how are you"), None),
        (IDLE, n.Ask("how are you"), None),
        (IDLE, n.Interrupted(1, 1, 1.0), None),
    ],
)
def test_the_microphone_goes_up_for_what_the_conversation_took_it_for(
    before: Conversation, news: n.News, reason: Why | None
) -> None:
    """A step that does not open it, or that was not taken, gives no reason."""
    after, _ = step(before, news)
    assert why(before, after, news) == reason


class Book:
    """What was noted, by key."""

    def __init__(self) -> None:
        self.kept: dict[str, Stretch] = {}
        self.notes = 0
        numbers = count(1)
        clock = count(100)
        self.stretches = Stretches(
            lambda: float(next(clock)), lambda: f"k{next(numbers)}", self._note
        )

    def _note(self, stretch: Stretch) -> None:
        self.kept[stretch.key] = stretch
        self.notes += 1

    def send(self, frames: int = 1, again: int = 0, line: Line = LINE) -> None:
        where = (line.session, line.connection)
        self.stretches.leaves(SoundLeft(*where, frames, 640 * frames, again, (), 1.0), line)

    def begin(self, line: Line = LINE) -> None:
        self.stretches.leaves(SoundLeaves(line.session, line.connection, 1.0), line)

    def end(self, line: Line = LINE) -> None:
        self.stretches.leaves(SoundEnds(line.session, line.connection, 1.0), line)


def test_a_stretch_is_on_record_before_its_first_frame_and_as_it_grows() -> None:
    """A process that is killed hides two seconds of it at most."""
    book = Book()
    book.stretches.goes_up_for(WOKEN, anew=True)
    book.begin()
    (stretch,) = book.kept.values()
    assert (stretch.frames, stretch.why, stretch.over) == (0, WOKEN, False)
    for sent in range(1, 500):
        book.send()
        (stretch,) = book.kept.values()
        assert 0 <= sent - stretch.frames < UNNOTED_FRAMES
    assert book.notes < 10
    book.end()
    (stretch,) = book.kept.values()
    assert (stretch.frames, stretch.bytes, stretch.over) == (499, 499 * 640, True)
    assert stretch.ended > stretch.began


def test_another_reason_is_another_stretch() -> None:
    """A follow-up after the answer is asked for by nobody's wake word."""
    book = Book()
    book.stretches.goes_up_for(WOKEN, anew=True)
    book.begin()
    book.send(5)
    book.stretches.goes_up_for(Why("follow_up"), anew=False)
    book.send(7)
    book.end()
    assert [(each.why.cause, each.frames) for each in book.kept.values()] == [
        ("wake_word", 5),
        ("follow_up", 7),
    ]


def test_what_a_slow_network_has_not_taken_yet_leaves_for_its_own_reason() -> None:
    """Up to the pause behind it."""
    book = Book()
    book.stretches.goes_up_for(WOKEN, anew=True)
    book.begin()
    book.send(5)
    book.stretches.goes_up_for(Why("tap"), anew=True)
    book.send(3)
    book.end()
    book.begin()
    book.send(2)
    book.end()
    assert [(each.why.cause, each.frames) for each in book.kept.values()] == [
        ("wake_word", 8),
        ("tap", 2),
    ]


def test_words_are_those_of_the_stretch_in_which_they_were_heard() -> None:
    """By us or by the server, which may tell late; of another session it tells nothing."""
    book = Book()
    book.begin()
    book.send()
    book.stretches.spoken()
    book.end()
    book.begin()
    book.send()
    book.end()
    book.stretches.understood(7)
    assert [each.words for each in book.kept.values()] == [True, False]
    book.stretches.understood(1)
    assert [each.words for each in book.kept.values()] == [True, True]


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 60), st.integers(0, 60)),
        st.tuples(st.just("begin"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("end"), st.just(0), st.just(0)),
        st.tuples(st.just("why"), st.booleans(), st.just(0)),
        st.tuples(st.just("spoken"), st.just(0), st.just(0)),
        st.tuples(st.just("settle"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(happenings)
def test_they_add_up_to_what_left(happened: list[tuple[str, int, int]]) -> None:
    """To the frame and the byte, by connection, whatever the order."""
    book, line = Book(), LINE
    sent: dict[int, int] = {}
    repeated = 0
    for what, one, other in happened:
        match what:
            case "send":
                again = min(one, other)
                book.send(one, again, line)
                sent[line.connection] = sent.get(line.connection, 0) + one
                repeated += again
            case "begin":
                line = Line("m", "host", 1, one, "")
                book.begin(line)
            case "end":
                book.end(line)
            case "why":
                book.stretches.goes_up_for(WOKEN, anew=bool(one))
            case "spoken":
                book.stretches.spoken()
            case _:
                book.stretches.settle()
    book.stretches.settle()
    found: dict[int, int] = {}
    for each in book.kept.values():
        if each.frames:
            found[each.line.connection] = found.get(each.line.connection, 0) + each.frames
        assert each.bytes == 640 * each.frames
        assert each.ended >= each.began
    assert found == sent
    assert sum(each.again for each in book.kept.values()) == repeated
