"""The ring of frames from before the trigger."""

from __future__ import annotations

from device.audio.pre_roll import PreRoll
from device.frames import FRAME_SAMPLES, SILENT_FRAME, Frame


def frame(number: int) -> Frame:
    return Frame(SILENT_FRAME, number * FRAME_SAMPLES, number * 0.02)


def filled(seconds: float, numbers: list[int]) -> PreRoll:
    ring = PreRoll(seconds)
    for number in numbers:
        ring.append(frame(number))
    return ring


def test_it_holds_the_last_seconds_only() -> None:
    """A speaker idles for months: the oldest frames go."""
    ring = filled(0.1, list(range(20)))
    assert len(ring) == 5
    assert ring.since(0) == [frame(number) for number in range(15, 20)]


def test_it_gives_every_frame_that_ends_after_the_sample() -> None:
    """A frame the sample lies in is given whole; one that ends just there is not."""
    ring = filled(1, [0, 1, 2, 3])
    assert ring.since(2 * FRAME_SAMPLES) == [frame(2), frame(3)]
    assert ring.since(2 * FRAME_SAMPLES + 1) == [frame(2), frame(3)]
    assert ring.since(2 * FRAME_SAMPLES - 1) == [frame(1), frame(2), frame(3)]
    assert ring.since(4 * FRAME_SAMPLES) == []


def test_only_what_follows_the_last_gap_is_given() -> None:
    """What was said before the microphone was muted does not go up after it."""
    ring = filled(1, [0, 1, 2, 10, 11])
    assert ring.since(0) == [frame(10), frame(11)]


def test_it_forgets_when_told() -> None:
    """Muting throws away what was heard."""
    ring = filled(1, [0, 1])
    ring.clear()
    assert ring.since(0) == []
    assert len(ring) == 0
