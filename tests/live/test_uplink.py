"""The queue of what goes up."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from device.live.calls import not_available
from device.live.messages import (
    ActivityEnd,
    ActivityStart,
    Answer,
    Audio,
    AudioEnd,
    Message,
    Nudge,
    Picture,
    Text,
)
from device.live.uplink import (
    HELD_FRAMES,
    HELD_WORDS,
    Uplink,
)


def frame(number: int) -> bytes:
    return number.to_bytes(2, "little") * 320


async def drained(uplink: Uplink) -> list[Message]:
    messages = []
    while uplink.held or not await idle(uplink):
        message = await uplink.next()
        uplink.sent(message)
        messages.append(message)
    return messages


async def idle(uplink: Uplink) -> bool:
    try:
        async with asyncio.timeout(0):
            await uplink.emptied()
    except TimeoutError:
        return False
    return True


async def test_single_frame_is_one_message() -> None:
    """In the steady state every 20 ms go up by themselves."""
    uplink = Uplink()
    uplink.append_frame(frame(1))
    assert await uplink.next() == Audio((frame(1),))


async def test_backlog_goes_up_in_order_in_messages_of_at_most_100_ms() -> None:
    """What was held before the session opened is sent in few messages, and whole."""
    uplink = Uplink()
    for number in range(12):
        uplink.append_frame(frame(number))
    messages = [message for message in await drained(uplink) if isinstance(message, Audio)]
    assert [len(message.frames) for message in messages] == [5, 5, 2]
    assert b"".join(message.pcm for message in messages) == b"".join(map(frame, range(12)))
    assert uplink.held_max == 12


async def test_words_keep_their_place_between_the_frames() -> None:
    """Ends and texts are not overtaken by audio, nor audio by them."""
    uplink = Uplink()
    uplink.append_frame(frame(1))
    uplink.append_end()
    uplink.append_text("hello")
    uplink.append_frame(frame(2))
    uplink.append_frame(frame(3))
    assert await drained(uplink) == [
        Audio((frame(1),)),
        AudioEnd(),
        Text("hello"),
        Audio((frame(2), frame(3))),
    ]


async def test_message_stays_until_it_was_sent() -> None:
    """A connection that dies in between leaves the message to the next one."""
    uplink = Uplink()
    uplink.append_frame(frame(1))
    first = await uplink.next()
    uplink.append_frame(frame(2))
    assert await uplink.next() == Audio((frame(1), frame(2)))
    uplink.sent(first)
    assert await uplink.next() == Audio((frame(2),))


async def test_answer_overtakes_what_waits() -> None:
    """The model waits for an answer, so it does not stand behind held audio."""
    uplink = Uplink()
    uplink.append_frame(frame(1))
    uplink.append_answer(Answer("1", "f", not_available("f")))
    assert uplink.unanswered
    assert isinstance(await uplink.next(), Answer)
    assert isinstance((await drained(uplink))[-1], Audio)
    assert not uplink.unanswered


async def test_cancelled_answer_is_withdrawn() -> None:
    """What was cancelled is not answered, and what was sent cannot be withdrawn."""
    uplink = Uplink()
    answer = Answer("1", "f", not_available("f"))
    uplink.append_answer(answer)
    assert uplink.withdraw("2") is None
    assert uplink.withdraw("1") == answer
    assert await idle(uplink)
    uplink.sent(answer)  # it was on its way when it was withdrawn
    uplink.append_answer(answer)
    uplink.append_frame(frame(1))
    assert uplink.withdraw_all() == [answer]
    assert await uplink.next() == Audio((frame(1),))


async def test_second_end_in_a_row_says_nothing_new() -> None:
    """Two ends without audio between them are one."""
    uplink = Uplink()
    uplink.append_end()
    uplink.append_end()
    assert await drained(uplink) == [AudioEnd()]


async def test_after_a_minute_the_newest_frames_are_dropped_and_counted() -> None:
    """What was said first is kept whole."""
    uplink = Uplink()
    for number in range(HELD_FRAMES + 3):
        uplink.append_frame(frame(number % 1000))
    assert (uplink.held, uplink.held_max, uplink.dropped) == (HELD_FRAMES, HELD_FRAMES, 3)
    sent = b"".join(m.pcm for m in await drained(uplink) if isinstance(m, Audio))
    assert sent == b"".join(frame(number % 1000) for number in range(HELD_FRAMES))


async def test_words_and_answers_are_bounded_too() -> None:
    """Nothing that waits can grow without end."""
    uplink = Uplink()
    for number in range(HELD_WORDS + 2):
        uplink.append_text(str(number))
        uplink.append_answer(Answer(str(number), "f", not_available("f")))
    assert uplink.dropped == 4
    assert len(await drained(uplink)) == 2 * HELD_WORDS


async def test_next_waits_for_what_comes() -> None:
    """The writer sleeps while nothing waits; cancelling it loses nothing."""
    uplink = Uplink()
    waiting = asyncio.create_task(uplink.next())
    await asyncio.sleep(0)
    waiting.cancel()
    waiting = asyncio.create_task(uplink.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    uplink.append_text("now")
    assert await asyncio.wait_for(waiting, 5) == Text("now")


async def test_frame_longer_than_a_message_goes_alone() -> None:
    """An odd frame is not held up for ever."""
    uplink = Uplink()
    uplink.append_frame(bytes(5000))
    uplink.append_frame(frame(1))
    assert [len(m.frames) for m in await drained(uplink) if isinstance(m, Audio)] == [1, 1]


async def test_what_was_sent_in_vain_goes_first_and_keeps_its_order() -> None:
    """Then what waited; words that went up before are known as such."""
    uplink = Uplink()
    uplink.append_frame(frame(5))
    uplink.append_text("later")
    uplink.put_back([])
    uplink.put_back([frame(1), "sooner", frame(2)])
    assert uplink.held == uplink.held_max == 3
    assert await drained(uplink) == [
        Audio((frame(1),)),
        Text("sooner", again=True),
        Audio((frame(2), frame(5))),
        Text("later"),
    ]


async def test_nudge_overtakes_what_waits_and_dies_with_its_connection() -> None:
    """A new connection needs none; answers are taken back by name."""
    uplink = Uplink()
    uplink.append_frame(frame(1))
    uplink.append_nudge("go on")
    assert await uplink.next() == Nudge("go on")
    assert not uplink.unanswered
    uplink.append_answer(Answer("a", "f", not_available("f")))
    assert [answer.call_id for answer in uplink.withdraw_all()] == ["a"]
    assert await uplink.next() == Audio((frame(1),))
    uplink.append_nudge("go on")
    uplink.sent(await uplink.next())
    assert await uplink.next() == Audio((frame(1),))


async def test_losses_are_told_once() -> None:
    """Whoever asks again hears only of new ones."""
    uplink = Uplink()
    for number in range(HELD_FRAMES + 3):
        uplink.append_frame(frame(number))
    assert uplink.new_losses() == 3
    assert uplink.new_losses() == 0
    assert uplink.dropped == 3


async def taken(uplink: Uplink) -> list[float]:
    """Send all that waits; when its frames were recorded, as far as that counts."""
    captured = []
    while uplink.held:
        captured += uplink.sent(await uplink.next())
    return captured


async def test_frames_are_timed_that_a_connection_could_take_at_once() -> None:
    """What waited for a connection, or goes up again, is late by intent."""
    uplink = Uplink()
    uplink.append_frame(frame(1), 1.0)
    uplink.carried(True)
    uplink.append_frame(frame(2), 2.0)
    uplink.append_frame(frame(3))
    uplink.append_text("hello")
    uplink.append_frame(frame(4), 4.0)
    assert await taken(uplink) == [2.0, 4.0]
    uplink.append_frame(frame(5), 5.0)
    uplink.append_frame(frame(6), 6.0)
    uplink.carried(False)
    uplink.append_frame(frame(7), 7.0)
    uplink.carried(True)
    uplink.put_back([frame(4), "hello"])
    uplink.append_frame(frame(8), 8.0)
    assert await taken(uplink) == [8.0]


async def test_a_frame_without_room_is_not_timed() -> None:
    """The times of the others stay with their frames."""
    uplink = Uplink()
    uplink.carried(True)
    for number in range(HELD_FRAMES + 1):
        uplink.append_frame(frame(number), float(number))
    assert await taken(uplink) == [float(number) for number in range(HELD_FRAMES)]


# --- turns that a button begins and ends ----------------------------------------------------------


def waiting(uplink: Uplink) -> list[object]:
    """Everything that can go up, in order: frames one by one."""
    found: list[object] = []
    while (message := uplink.head) is not None:
        found += message.frames if isinstance(message, Audio) else [message]
        uplink.sent(message)
    return found


def test_what_follows_a_press_waits_until_it_is_known_what_it_was() -> None:
    """What came before it does not."""
    uplink = Uplink()
    uplink.append_frame(b"a")
    uplink.press()
    uplink.press()
    uplink.append_frame(b"b")
    assert waiting(uplink) == [b"a"]
    uplink.let_go()
    assert waiting(uplink) == [b"b"]


def test_a_turn_begins_where_the_button_went_down() -> None:
    """And ends where it was let go; nothing of it is told before there is a sound in it."""
    uplink = Uplink()
    uplink.press()
    uplink.hold()
    assert uplink.head is None
    uplink.hold()
    uplink.press()
    uplink.append_frame(b"a")
    uplink.append_activity_end()
    assert waiting(uplink) == [ActivityStart(), b"a", ActivityEnd()]


def test_a_turn_without_a_sound_is_none() -> None:
    """Live API: it ends the connection (1007)."""
    uplink = Uplink()
    uplink.press()
    uplink.hold()
    uplink.append_activity_end()
    assert waiting(uplink) == []


def test_what_was_said_in_silence_is_forgotten() -> None:
    """Only what was heard since the press, and not what was typed; and it makes room."""
    uplink = Uplink()
    uplink.append_frame(b"a")
    uplink.press()
    uplink.append_frame(b"b")
    uplink.append_text("x")
    uplink.append_frame(b"c")
    uplink.forget_undecided()
    uplink.forget_undecided()
    assert uplink.held == 1
    assert waiting(uplink) == [b"a", Text("x")]


def test_what_is_said_again_joins_the_turn_that_waits() -> None:
    """Begun or not."""
    for begin in (True, False):
        uplink = Uplink()
        uplink.press()
        uplink.append_frame(b"b")
        if begin:
            uplink.hold()
        uplink.put_back([b"a"])
        uplink.hold()
        assert waiting(uplink) == [ActivityStart(), b"a", b"b"]


def test_a_whole_turn_that_is_said_again_comes_before_the_next_one() -> None:
    """Two turns stay two."""
    uplink = Uplink()
    uplink.press()
    uplink.append_frame(b"b")
    uplink.hold()
    uplink.put_back([ActivityStart(), b"a", ActivityEnd()])
    told = [ActivityStart(), b"a", ActivityEnd(), ActivityStart(), b"b"]
    assert waiting(uplink) == told


def test_a_turn_of_which_only_the_end_is_left_is_none() -> None:
    """Where nothing is ever said again."""
    uplink = Uplink()
    uplink.append_activity_end()
    uplink.put_back([ActivityStart()])
    assert waiting(uplink) == []


async def test_only_answers_go_up_while_the_rest_is_held_back() -> None:
    """Some models end the connection otherwise; nothing is lost."""
    uplink = Uplink()
    uplink.append_frame(b"\1" * 640)
    uplink.hold_back(True)
    assert uplink.head is None
    waiting = asyncio.ensure_future(uplink.next())
    await asyncio.sleep(0)
    uplink.append_text("hello")
    answer = Answer("1", "f", {})
    uplink.append_answer(answer)
    assert await waiting == answer
    uplink.sent(answer)
    waiting = asyncio.ensure_future(uplink.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    uplink.hold_back(False)
    assert await waiting == Audio((b"\1" * 640,))


# --- frames in pairs -----------------------------------------------------------------------------


async def test_a_frame_may_wait_for_the_next_where_nobody_is_in_a_hurry() -> None:
    """Both go up in one message, in order."""
    uplink = Uplink(lambda: True)
    uplink.append_frame(b"1")
    waiting = asyncio.create_task(uplink.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    uplink.append_frame(b"2")
    assert await waiting == Audio((b"1", b"2"))
    uplink.sent(Audio((b"1", b"2")))
    assert uplink.held == 0


async def test_a_frame_waits_for_nothing_that_does_not_come() -> None:
    """The microphone may pause for good: what was heard before goes up all the same."""
    uplink = Uplink(lambda: True)
    uplink.append_frame(b"1")
    assert await uplink.next() == Audio((b"1",))


@pytest.mark.parametrize("word", ["end", "text", "answer", "nudge"])
async def test_whatever_follows_a_frame_ends_its_waiting(word: str) -> None:
    """An answer goes before it, all else after it."""
    uplink = Uplink(lambda: True)
    uplink.append_frame(b"1")
    waiting = asyncio.create_task(uplink.next())
    await asyncio.sleep(0)
    expected: Message = Audio((b"1",))
    match word:
        case "end":
            uplink.append_end()
        case "text":
            uplink.append_text("hi")
        case "answer":
            expected = Answer("c", "f", {})
            uplink.append_answer(expected)
        case "nudge":
            expected = Nudge("go on")
            uplink.append_nudge("go on")
    assert await waiting == expected


async def test_a_frame_that_may_no_longer_go_up_is_not_the_next() -> None:
    """Told while it waits for its second: it stays in the queue, and goes later."""
    uplink = Uplink(lambda: True)
    uplink.append_frame(b"1")
    waiting = asyncio.create_task(uplink.next())
    await asyncio.sleep(0)
    uplink.hold_back(True)
    uplink.append_frame(b"2")
    await asyncio.sleep(0)
    assert not waiting.done()
    uplink.hold_back(False)
    assert await waiting == Audio((b"1", b"2"))


async def test_a_frame_that_was_forgotten_while_it_waited_is_not_the_next() -> None:
    """Nothing is returned that the queue does not hold."""
    uplink = Uplink(lambda: True)
    uplink.press()
    uplink.append_frame(b"1")
    uplink.let_go()
    waiting = asyncio.create_task(uplink.next())
    await asyncio.sleep(0)
    uplink.press()
    uplink.append_frame(b"2")
    uplink.forget_undecided()
    assert await waiting == Audio((b"1",))


async def test_waiting_for_the_second_may_be_cancelled() -> None:
    """A connection gives way: the frame goes up over the next one, once."""
    uplink = Uplink(lambda: True)
    uplink.append_frame(b"1")
    waiting = asyncio.create_task(uplink.next())
    await asyncio.sleep(0)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    uplink.append_frame(b"2")
    assert await uplink.next() == Audio((b"1", b"2"))


async def test_whoever_is_in_a_hurry_waits_for_no_second() -> None:
    """A sentence goes up frame by frame."""
    uplink = Uplink(lambda: False)
    uplink.append_frame(b"1")
    async with asyncio.timeout(10):
        assert await uplink.next() == Audio((b"1",))


# --- pictures ------------------------------------------------------------------------------------

SEEN = [Picture(b"\xff\xd8" + bytes([n]), 640, 480, "stream") for n in range(3)]


async def test_a_picture_of_a_stream_waits_until_nothing_else_does() -> None:
    """Sound, words and answers go first, whenever they come."""
    uplink = Uplink()
    uplink.show(SEEN[0])
    uplink.append_frame(frame(1))
    uplink.append_text("what is this?")
    assert uplink.append_answer(Answer("1", "look", {}))
    kinds = []
    for _ in range(4):
        message = await uplink.next()
        uplink.sent(message)
        kinds.append(type(message))
    assert kinds == [Answer, Audio, Text, Picture]
    assert uplink.head is None


async def test_the_newest_picture_takes_the_place_of_the_one_that_waits() -> None:
    """Also of one that is on its way, which is not sent twice."""
    uplink = Uplink()
    uplink.show(SEEN[0])
    uplink.show(SEEN[1])
    on_its_way = await uplink.next()
    assert on_its_way is SEEN[1]
    uplink.show(SEEN[2])
    uplink.sent(on_its_way)
    assert await uplink.next() is SEEN[2]
    uplink.sent(SEEN[2])
    assert uplink.head is None


async def test_nobody_waits_for_a_picture_of_a_stream() -> None:
    """A session that closes leaves it behind; the end of the audio does, too."""
    uplink = Uplink()
    uplink.show(SEEN[0])
    assert await idle(uplink)
    uplink.append_end()
    uplink.sent(await uplink.next())
    assert uplink.head is None


async def test_no_picture_goes_up_while_a_model_takes_answers_only() -> None:
    """It would end the connection; it goes when that is over."""
    uplink = Uplink()
    uplink.hold_back(True)
    uplink.show(SEEN[0])
    assert uplink.head is None
    uplink.hold_back(False)
    assert await uplink.next() is SEEN[0]


async def test_words_with_a_picture_are_put_back_whole() -> None:
    """As words that went up before."""
    uplink = Uplink()
    given = Picture(b"\xff\xd8", 3, 2, "typed")
    uplink.append_text("what is this?", given)
    message = await uplink.next()
    assert message == Text("what is this?", picture=given)
    uplink.sent(message)
    uplink.put_back([frame(1), Text("what is this?", again=True, picture=given), "and this?"])
    assert await drained(uplink) == [
        Audio((frame(1),)),
        Text("what is this?", again=True, picture=given),
        Text("and this?", again=True),
    ]
