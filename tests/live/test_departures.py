"""What leaves is told as it is handed over; by a whole speaker in tests/e2e/test_capture_e2e.py."""

from __future__ import annotations

from itertools import count

from hypothesis import example, given
from hypothesis import strategies as st

from device.live.departures import (
    Departure,
    Departures,
    PictureLeaves,
    SoundEnds,
    SoundLeaves,
    SoundLeft,
    TextLeaves,
)
from device.live.messages import ActivityEnd, Audio, AudioEnd, Nudge, Picture, Text
from device.live.repeat import Unanswered
from device.live.uplink import Uplink

JPEG = b"\xff\xd8\xff\xd9"


def kinds(told: list[Departure]) -> list[str]:
    return [type(each).__name__ for each in told]


def test_sound_is_told_before_its_first_frame_leaves_and_until_its_pause() -> None:
    """Each message with how much of it had left before; a pause without sound is none."""
    told: list[Departure] = []
    departures = Departures(7, told.append)
    departures.opened()
    message = Audio((bytes(640), bytes(640)))
    departures.left(AudioEnd(), [], 0)
    assert told == []
    departures.leaving(message)
    departures.left(message, [1.0, 2.0], 1)
    departures.leaving(message)
    departures.left(message, [], 0)
    departures.left(AudioEnd(), [], 0)
    assert kinds(told) == ["SoundLeaves", "SoundLeft", "SoundLeft", "SoundEnds"]
    first = told[1]
    assert isinstance(first, SoundLeft)
    assert (first.session, first.connection, first.frames, first.bytes) == (7, 1, 2, 1280)
    assert (first.again, first.captured) == (1, (1.0, 2.0))


def test_another_connection_has_sound_of_its_own() -> None:
    """It is counted, and the sound on the one before is over."""
    told: list[Departure] = []
    departures = Departures(7, told.append)
    departures.opened()
    departures.leaving(Audio((bytes(640),)))
    departures.paused()
    departures.paused()
    departures.opened()
    departures.leaving(Audio((bytes(640),)))
    departures.left(ActivityEnd(), [], 0)
    assert kinds(told) == ["SoundLeaves", "SoundEnds", "SoundLeaves", "SoundEnds"]
    where = [each.connection for each in told if isinstance(each, SoundLeaves | SoundEnds)]
    assert where == [1, 1, 2, 2]


def test_a_picture_and_a_text_are_told_before_and_after_with_one_number() -> None:
    """By their size; what is in them is told nobody."""
    told: list[Departure] = []
    departures = Departures(7, told.append)
    departures.opened()
    picture = Picture(JPEG, 4, 3, "asked")
    for message in (picture, Text("how are you"), Nudge("go on")):
        departures.leaving(message)
        departures.left(message, [], 0)
    pictures = [each for each in told if isinstance(each, PictureLeaves)]
    texts = [each for each in told if isinstance(each, TextLeaves)]
    assert [(each.number, each.left, each.bytes) for each in pictures] == [
        (1, False, 4),
        (1, True, 4),
    ]
    assert [(each.number, each.characters, each.ours) for each in texts[::2]] == [
        (2, 11, False),
        (3, 5, True),
    ]
    assert "how are you" not in repr(told)


doings = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["hand over", "hang", "break", "again"]), st.just(0)),
        st.tuples(st.just("pause"), st.just(0)),
    ),
    max_size=50,
)


SAID = ("record", 3), ("hand over", 0)


@example([*SAID, ("break", 0), ("hand over", 0), *SAID])
@given(doings)
async def test_each_frame_that_left_before_is_counted_when_it_leaves_again(
    done: list[tuple[str, int]],
) -> None:
    """Over the same connection or another, also where it is not known whether it left at first."""
    uplink, unanswered = Uplink(), Unanswered(10.0)
    unanswered.speaking(True)
    left: set[bytes] = set()
    numbers = count(1)
    for what, frames in done:
        message = uplink.head
        match what:
            case "record":
                for _ in range(frames):
                    uplink.append_frame(next(numbers).to_bytes(4) * 160)
            case "hand over" if message is not None:
                if isinstance(message, Audio):
                    expected = sum(each in left for each in message.frames)
                    assert uplink.again(message) == expected
                    left.update(message.frames)
                    unanswered.sent_audio(list(message.frames))
                else:
                    assert uplink.again(message) == 0
                uplink.sent(await uplink.next())
            case "hang" if isinstance(message, Audio):
                left.update(message.frames)
                uplink.may_have_left(message)
            case "break" | "again":
                uplink.carried(what == "again")
                uplink.put_back(unanswered.take())
            case "pause":
                uplink.append_end()
