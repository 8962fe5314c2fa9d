"""Every call is answered once; what comes again is not done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from google.genai import types

from device.live.calls import ID_CHARACTERS, KEPT, NAME_CHARACTERS, RUNNING, Calls, not_available
from device.live.messages import Answer
from device.live.models import profile
from device.live.uplink import HELD_WORDS, Uplink
from device.news import News, ToolNews
from device.ports import PICTURE, Declaration
from tests.rig.fakes import until
from tests.rig.jpeg_headers import picture

PATIENCE_S = 10.0


class Lamp:
    """A function that is done when the test says so; ``done`` is what was called."""

    def __init__(self, *, slow: bool = False) -> None:
        self.declared: Sequence[Declaration] = [Declaration("lamp", "a lamp", {}, slow)]
        self.abilities = ["switch the lamp"]
        self.facts = ""
        self.done: list[Mapping[str, Any]] = []
        self.undone: list[Mapping[str, Any]] = []
        self.go = asyncio.Event()
        self.given_up = 0

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.done.append(arguments)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return {"output": {"count": len(self.done)}}

    def undo(self, name: str, answer: Mapping[str, Any]) -> None:
        self.undone.append(answer)


class Rig:
    """The calls of a session, and the queue that their answers are in."""

    def __init__(self, lamp: Lamp | None = None, model: str = "gemini-3.8-live") -> None:
        self.news: list[News] = []
        self.uplink = Uplink()
        self.calls = Calls(1, self.news.append, self.uplink, lamp)
        self.calls.opened(profile(model))

    def call(self, id_: str | None = "1", name: str = "lamp", **arguments: Any) -> None:
        self.calls.take(types.FunctionCall(id=id_, name=name, args=arguments))

    async def answer(self) -> Answer:
        """Wait for the next answer, and have it go up."""
        async with asyncio.timeout(PATIENCE_S):
            message = await self.uplink.next()
        assert isinstance(message, Answer)
        self.uplink.sent(message)
        self.calls.answered(message)
        return message

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(each.what, each.name) for each in self.news if isinstance(each, ToolNews)]


async def settled() -> None:
    """Let tasks that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_an_error_says_what_to_do_instead() -> None:
    """Live API: an empty answer is called again; an error that names a way out is not."""
    answer = not_available("lamp")
    assert "lamp is not available" in answer["error"]
    assert "do not call it again" in answer["error"]
    assert Answer("7", "lamp", answer).failed
    assert not Answer("7", "lamp", {"output": "on"}).failed


async def test_a_call_is_answered_when_it_is_done() -> None:
    """Until then the server waits, and a rotation with it."""
    lamp = Lamp()
    rig = Rig(lamp)
    rig.call(on=True)
    waits = [rig.calls.open]
    await settled()
    assert rig.uplink.head is None
    lamp.go.set()
    answer = await rig.answer()
    assert (answer.call_id, answer.name, answer.response) == ("1", "lamp", {"output": {"count": 1}})
    await settled()
    assert [*waits, rig.calls.open] == [True, False]
    assert rig.told == [("called", "lamp"), ("answered", "lamp")]


async def test_several_calls_in_a_message_are_answered_each_by_its_id() -> None:
    """Also when they are the same: two lamps may be switched."""
    lamp = Lamp()
    rig = Rig(lamp)
    lamp.go.set()
    for number in "abc":
        rig.call(number, on=True)
    assert {(await rig.answer()).call_id for _ in "abc"} == {"a", "b", "c"}
    assert len(lamp.done) == 3


async def test_without_functions_every_call_is_told_that_there_are_none() -> None:
    """A resumed talk may call what an older setup had declared."""
    rig = Rig()
    rig.call("1", "radio")
    assert "radio is not available" in (await rig.answer()).response["error"]
    assert rig.told == [("called", "radio"), ("failed", "radio")]


async def test_a_call_without_an_id_is_answered_by_its_name() -> None:
    """Live API: an id may be missing."""
    rig = Rig()
    rig.call(None)
    assert (await rig.answer()).call_id == ""


async def test_two_calls_without_an_id_are_two() -> None:
    """The one that takes longer is answered too, though the other's answer has gone up before."""
    lamp = Lamp()
    rig = Rig(lamp)
    rig.call(None, number=1)
    await settled()
    lamp.go.set()
    await settled()
    lamp.go.clear()
    rig.call(None, number=2)
    await settled()
    first = await rig.answer()
    assert rig.calls.open
    lamp.go.set()
    second = await rig.answer()
    assert [first.call_id, second.call_id] == ["", ""]
    assert rig.told.count(("answered", "lamp")) == 2


async def test_a_name_only_shows_and_is_short() -> None:
    """It is told to the owner, and goes back with the answer."""
    rig = Rig()
    rig.call("1", "lamp\x1b[2J\n" + "x" * 1_000)
    ((what, name),) = rig.told
    assert (what, len(name)) == ("called", NAME_CHARACTERS)
    assert name.startswith("lamp�[2J xxx")
    assert (await rig.answer()).name == name


async def test_a_call_whose_id_is_too_long_to_be_kept_cannot_be_answered() -> None:
    """A hundred answers may wait, each with its id."""
    rig = Rig()
    rig.call("i" * (ID_CHARACTERS + 1))
    await settled()
    assert rig.told == [("called", "lamp"), ("failed", "lamp")]
    assert rig.uplink.head is None
    rig.call("i" * ID_CHARACTERS)
    assert await rig.answer()


async def test_more_calls_than_can_run_are_told_to_wait() -> None:
    """A server that calls for ever fills no memory."""
    lamp = Lamp()
    rig = Rig(lamp)
    for number in range(RUNNING + 1):
        rig.call(str(number), number=number)
    answer = await rig.answer()
    assert "too much" in answer.response["error"]
    assert len(lamp.done) == RUNNING


async def test_an_answer_that_finds_no_room_keeps_nobody_waiting() -> None:
    """A server that calls and calls, and reads nothing, is told no more than can wait."""
    rig = Rig()
    for number in range(HELD_WORDS + 1):
        rig.call(str(number))
    await settled()
    assert rig.told.count(("failed", "lamp")) == 1
    for _ in range(HELD_WORDS):
        await rig.answer()
    assert not rig.calls.open


@pytest.mark.parametrize(
    ("model", "slow", "scheduling"),
    [
        ("gemini-3.8-live", True, "WHEN_IDLE"),
        ("gemini-3.8-live", False, None),
        ("gemini-3.8-live-extended-thinking", True, None),
        ("gemini-3.1-flash-live-preview", True, None),
    ],
)
async def test_only_where_the_model_talks_on_it_is_told_when_to_speak_of_it(
    model: str, slow: bool, scheduling: str | None
) -> None:
    """Extended thinking and blocking models take no such word."""
    lamp = Lamp(slow=slow)
    lamp.go.set()
    rig = Rig(lamp, model)
    rig.call()
    assert (await rig.answer()).scheduling == scheduling


# --- cancelled, lost, repeated -------------------------------------------------------------------


async def test_a_call_that_is_cancelled_is_given_up_and_not_answered() -> None:
    """The server does not wait for it any more."""
    lamp = Lamp()
    rig = Rig(lamp)
    rig.call()
    await settled()
    rig.calls.cancel("1")
    rig.calls.cancel("unknown")
    await settled()
    assert (lamp.given_up, rig.uplink.head, rig.calls.open) == (1, None, False)
    assert rig.told == [("called", "lamp"), ("cancelled", "lamp")]


async def test_what_was_done_already_is_taken_back_when_it_is_cancelled() -> None:
    """Where that can be; its answer does not go up."""
    lamp = Lamp()
    rig = Rig(lamp)
    lamp.go.set()
    rig.call()
    await settled()
    assert rig.uplink.unanswered
    rig.calls.cancel("1")
    assert lamp.undone == [{"output": {"count": 1}}]
    assert not rig.uplink.unanswered


@pytest.mark.parametrize("lost", ["running", "done", "answered"])
async def test_the_same_call_over_the_next_connection_is_not_done_twice(lost: str) -> None:
    """Whether its answer had gone up or not; each repeat counts once."""
    lamp = Lamp()
    rig = Rig(lamp)
    rig.call("1", on=True)
    await settled()
    if lost != "running":
        lamp.go.set()
        await settled()
    if lost == "answered":
        await rig.answer()
    rig.calls.cut_off()
    assert not rig.uplink.unanswered
    rig.call("2", on=True)
    lamp.go.set()
    answer = await rig.answer()
    assert (answer.call_id, answer.response) == ("2", {"output": {"count": 1}})
    assert len(lamp.done) == 1
    rig.call("3", on=True)
    assert (await rig.answer()).response == {"output": {"count": 2}}


async def test_another_call_over_the_next_connection_is_another() -> None:
    """Other arguments, or a question of its own."""
    lamp = Lamp()
    lamp.go.set()
    rig = Rig(lamp)
    rig.call("1", on=True)
    await rig.answer()
    rig.calls.cut_off()
    rig.call("2", on=False)
    await rig.answer()
    rig.calls.cut_off()
    rig.calls.asked()
    rig.call("3", on=True)
    await rig.answer()
    assert len(lamp.done) == 3


async def test_a_question_that_is_asked_again_does_not_do_it_again() -> None:
    """Over the same connection: the answer could not be heard, but it was done."""
    lamp = Lamp()
    lamp.go.set()
    rig = Rig(lamp)
    rig.call("1", on=True)
    await rig.answer()
    rig.calls.asked_again()
    rig.call("2", on=True)
    await rig.answer()
    assert len(lamp.done) == 1


async def test_the_end_of_the_session_gives_up_what_runs() -> None:
    """No task is left."""
    lamp = Lamp()
    rig = Rig(lamp)
    rig.call()
    await settled()
    rig.calls.close()
    await settled()
    assert lamp.given_up == 1
    assert not rig.calls.open


async def test_calls_without_end_are_not_kept_without_end() -> None:
    """A picture may belong to each; the newest are still not run twice."""
    lamp = Lamp()
    lamp.go.set()
    rig = Rig(lamp)
    for number in range(2 * KEPT):
        rig.call(str(number), number=number)
        await rig.answer()
    assert len(rig.calls._asked) == KEPT
    rig.calls.cut_off()
    rig.call("again", number=2 * KEPT - 1)
    await rig.answer()
    assert len(lamp.done) == 2 * KEPT


class Eye(Lamp):
    """It gives a picture with what it answers."""

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**await super().run(name, arguments), PICTURE: picture()}


@pytest.mark.parametrize("taken", ["before", "after"])
async def test_no_picture_goes_up_after_the_talk_that_it_was_for(taken: str) -> None:
    """On a slow line it would wait until nobody talks any more, and go up all the same."""
    eye = Eye()
    rig = Rig(eye)
    rig.call()
    if taken == "before":
        eye.go.set()
        await until(lambda: rig.uplink.unanswered)
    rig.calls.forget_pictures()
    eye.go.set()
    answer = await rig.answer()
    assert answer.picture is None
    assert "is over" in answer.response["error"]
    assert rig.told == [("called", "lamp"), ("failed", "lamp")]


async def test_a_picture_on_its_way_is_told_as_it_is() -> None:
    """It cannot be called back, and its call is answered once."""
    eye = Eye()
    eye.go.set()
    rig = Rig(eye)
    rig.call()
    async with asyncio.timeout(PATIENCE_S):
        message = await rig.uplink.next()
    rig.calls.forget_pictures()
    assert isinstance(message, Answer)
    rig.uplink.sent(message)
    rig.calls.answered(message)
    assert message.picture is not None
    assert not rig.uplink.unanswered
    assert not rig.calls.open


async def test_what_was_seen_in_a_talk_is_not_shown_again_after_it() -> None:
    """A server that calls again over another connection finds nobody who talks to it."""
    eye = Eye()
    eye.go.set()
    rig = Rig(eye)
    rig.call("1")
    assert (await rig.answer()).picture is not None
    rig.calls.forget_pictures()
    rig.calls.cut_off()
    rig.call("2")
    answer = await rig.answer()
    assert (answer.call_id, answer.picture) == ("2", None)
