"""What a tally comes to is what somebody counts who reads the events one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.assistant.tally import LATE_TURNS, Tally
from device.events import EventName, PublicEvent, reply, session, unheard
from device.records.figures import OTHERS, Figures

STATES = ("starting", "idle", "connecting", "listening", "thinking", "speaking", "muted", "fault")
REST = {"starting", "idle", "muted", "fault"}


def event(name: EventName, at: float = 1.0, **fields: Any) -> PublicEvent:
    return PublicEvent(name, at, fields)


def state(before: str, after: str, at: float = 1.0, reason: str = "") -> PublicEvent:
    return PublicEvent(EventName.STATE, at, {"from": before, "to": after, "reason": reason})


def said(text: str, who: str = "user") -> PublicEvent:
    return event(EventName.TRANSCRIPT, who=who, text=text, final=False)


def fault(kind: str, *, cleared: bool = False) -> PublicEvent:
    return event(EventName.FAULT, kind=kind, message="", fatal=False, cleared=cleared)


def usage(turn: int, **counts: Any) -> PublicEvent:
    return event(EventName.USAGE, turn=turn, **counts)


def counted(*events: PublicEvent) -> Figures:
    tally = Tally()
    for each in events:
        tally.count(each)
    return tally.take()


times = st.floats(0, 1e6)
whole = st.integers(0, 10**6)
some_events = st.lists(
    st.one_of(
        st.builds(
            state,
            st.sampled_from(STATES),
            st.sampled_from(STATES),
            times,
            st.sampled_from(["wake word", "interrupted by speech", "button", ""]),
        ),
        st.builds(lambda word: event(EventName.WAKE, word=word, score=0.5), st.sampled_from("abc")),
        st.builds(
            lambda what, ms, at: session(what, at, latency_ms=ms),
            st.sampled_from(["opened", "resumed", "closed", "failed", "opening"]),
            st.one_of(st.none(), st.floats(0, 1e5)),
            times,
        ),
        st.builds(
            reply,
            st.sampled_from(["started", "first_sound", "drained", "interrupted", "resumed"]),
            st.integers(1, 5),
            whole,
            times,
        ),
        st.builds(said, st.sampled_from(["", " ", "hello"]), st.sampled_from(["user", "model"])),
        st.builds(unheard, st.just("silent"), st.just("told"), times),
        st.builds(
            lambda what: event(EventName.BARGE_IN, what=what),
            st.sampled_from(["began", "confirmed", "dismissed"]),
        ),
        st.builds(lambda n: event(EventName.REPEATED, frames=n, bytes=640 * n), whole),
        st.builds(lambda n: event(EventName.DROPPED, frames=n, bytes=640 * n), whole),
        st.builds(
            lambda kind, over: fault(kind, cleared=over),
            st.sampled_from(["network", "quota"]),
            st.booleans(),
        ),
        st.builds(lambda turn, n: usage(turn, prompt=n, total=n), st.integers(1, 3), whole),
        st.just(event(EventName.LOST, events=3)),
        st.just(event(EventName.GO_AWAY, time_left_s=3.0)),
    ),
    max_size=60,
)


def of(events: list[PublicEvent], name: EventName, **fields: Any) -> list[PublicEvent]:
    return [
        each
        for each in events
        if each.event is name and all(each.fields.get(k) == v for k, v in fields.items())
    ]


@given(some_events)
def test_sums_are_those_of_a_naive_count(events: list[PublicEvent]) -> None:
    """Over any sequence of events, and no time is ever negative."""
    found = counted(*events)
    numbers = found.numbers
    assert numbers["wakes"] == len(of(events, EventName.WAKE))
    for word in "abc":
        assert found.named["words"][word] == len(of(events, EventName.WAKE, word=word))
    for kind in ("network", "quota"):
        told = of(events, EventName.FAULT, kind=kind, cleared=False)
        assert found.named["faults"][kind] == len(told)
    assert numbers["answers"] == len(of(events, EventName.REPLY, what="first_sound"))
    assert numbers["unheard"] == len(of(events, EventName.UNHEARD))
    silenced = [
        each
        for reason in ("wake word", "interrupted by speech")
        for each in of(events, EventName.STATE, **{"from": "speaking", "reason": reason})
    ]
    assert numbers["barge_ins"] == len(silenced)
    for name in (EventName.REPEATED, EventName.DROPPED):
        frames = sum(each.fields["frames"] for each in of(events, name))
        assert numbers[f"{name.value}_frames"] == frames
    timed = [
        each
        for what in ("opened", "resumed")
        for each in of(events, EventName.SESSION, what=what)
        if each.fields["latency_ms"] is not None
    ]
    assert found.timed["connection"].count == len(timed)
    rests = [True, *(each.fields["to"] in REST for each in of(events, EventName.STATE))]
    talks = sum(before and not after for before, after in pairwise(rests))
    assert numbers["talks"] == talks
    assert 0 <= numbers["false_starts"] <= talks
    assert all(count >= 0 for count in numbers.values())


@given(some_events, st.integers(0, 60))
def test_what_is_taken_on_the_way_adds_up(events: list[PublicEvent], place: int) -> None:
    """An hour that ends in the middle of a talk changes no sum."""
    tally = Tally()
    parts = Figures()
    for number, each in enumerate(events):
        if number == place:
            parts.merge(tally.take())
        tally.count(each)
    parts.merge(tally.take())
    assert parts.as_dict() == counted(*events).as_dict()


TALK = (state("idle", "connecting", 10.0, "wake word"), session("opened", 11.0, latency_ms=400))

HEARD = reply("first_sound", 1, 0, 12.0)


def test_a_talk_lasts_until_it_rests() -> None:
    """Its states on the way are one talk."""
    found = counted(
        *TALK,
        state("connecting", "listening", 11.0),
        state("listening", "speaking", 13.0),
        state("speaking", "idle", 17.25),
        state("idle", "muted", 18.0),
    )
    assert (found.numbers["talks"], found.numbers["talk_ms"]) == (1, 7_250)


@pytest.mark.parametrize(
    ("between", "false"),
    [
        ((), True),
        ((said(" "),), True),
        ((said("hello", "model"),), True),
        ((said("hello"),), False),
        ((HEARD,), False),
        ((session("failed", 12.0),), False),
        ((said("Hey, "), said("JARVIS."), said("Hey, JARVIS.")), True),
        ((said("Hey Jarvis?"), HEARD), True),
        ((said("Hey Jarvis?"), HEARD, said("the weather")), False),
        ((said("Alexa!"),), False),
        ((event(EventName.WAKE, word="alexa", score=0.7), said("Alexa!"), said("jarvis")), True),
    ],
)
def test_a_false_start_is_one_in_which_nobody_said_a_word(
    between: tuple[PublicEvent, ...], false: bool
) -> None:
    """But the wake word; and it is no fault of the connection's."""
    woke = event(EventName.WAKE, word="hey_jarvis", score=0.6)
    found = counted(woke, *TALK, *between, state("listening", "idle", 20.0))
    assert found.numbers["false_starts"] == false


def test_a_press_without_a_word_is_no_false_start() -> None:
    """Somebody was there."""
    found = counted(state("idle", "listening", 1.0, "button"), state("listening", "idle", 9.0))
    assert found.numbers["false_starts"] == 0
    assert found.numbers["talks"] == 1


def test_the_word_of_an_earlier_talk_is_a_word_like_others() -> None:
    """Somebody who says it now has said something."""
    over = state("listening", "idle", 20.0)
    woke = [event(EventName.WAKE, word=word, score=0.6) for word in ("alexa", "hey_jarvis")]
    found = counted(woke[0], *TALK, over, woke[1], *TALK, said("Alexa"), over)
    assert found.numbers["false_starts"] == 1


def test_a_false_start_does_not_make_one_of_the_next_talk() -> None:
    """Nor does what was said in one count for the next."""
    over = state("listening", "idle", 20.0)
    found = counted(*TALK, said("hello"), over, *TALK, over, *TALK, said("hello"), over)
    assert found.numbers["false_starts"] == 1


def test_a_reply_that_was_paused_is_heard_once() -> None:
    """What it has played so far grows; only what is new counts."""
    found = counted(
        reply("interrupted", 1, 900, 1.0),
        reply("resumed", 1, 900, 2.0),
        reply("drained", 1, 2_000, 3.0),
        reply("drained", 2, 500, 4.0),
    )
    assert found.numbers["down_ms"] == 2_500


def test_a_turn_that_is_told_of_twice_costs_once() -> None:
    """The largest count of each side is what it took."""
    found = counted(
        usage(1, prompt=100, response=10, thoughts=5, total=115, cost=0.01, currency="EUR"),
        usage(1, prompt=100, response=30, thoughts=5, total=135, cost=0.03, currency="EUR"),
        usage(2, prompt=200, tool_use=50, total=250, cost=0.5, currency="USD"),
    )
    assert found.numbers["prompt_tokens"] == 350
    assert found.numbers["response_tokens"] == 35
    assert found.numbers["tokens"] == 385
    assert found.as_dict()["cost"] == {"EUR": 0.03, "USD": 0.5}


def test_a_turn_that_is_told_of_late_costs_what_it_grew_by() -> None:
    """After the next ones, and after a smaller count; one of long ago is another's number."""
    tally = Tally()
    found = []
    for turn, total in ((1, 100), (2, 50), (1, 130), (1, 90), (1, 130), (2, 50)):
        tally.count(usage(turn, total=total))
        found.append(tally.take().numbers["tokens"])
    assert found == [100, 50, 30, 0, 0, 0]
    for turn in range(3, 3 + 2 * LATE_TURNS):
        tally.count(usage(turn, total=1))
    assert tally.take().numbers["tokens"] == 2 * LATE_TURNS
    assert len(tally._billed) == LATE_TURNS


@pytest.mark.parametrize("cost", [None, -1.0, float("nan"), float("inf"), "much", 0])
def test_what_is_no_cost_counts_as_none(cost: object) -> None:
    """The tokens do."""
    found = counted(usage(1, total=5, cost=cost))
    assert found.numbers["tokens"] == 5
    assert found.named["costs"] == {}


def test_words_without_end_are_others() -> None:
    """The count of wakes is right all the same."""
    found = counted(*(event(EventName.WAKE, word=f"w{n}", score=1.0) for n in range(50)))
    assert found.numbers["wakes"] == 50
    assert found.named["words"][OTHERS] == 18
