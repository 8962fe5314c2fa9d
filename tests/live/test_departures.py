"""What leaves is told as it is handed over; by a whole speaker in tests/e2e/test_capture_e2e.py."""

from __future__ import annotations

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
