"""When speech began and when it ended."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from device.wake.endpointing import Edge, Endpointing

WINDOW = 512
RATE_HZ = 16_000
YES, PERHAPS, NO = 0.9, 0.4, 0.1


def edges(
    endpointing: Endpointing, probabilities: Iterable[float], first: int = 0
) -> list[tuple[int, Edge]]:
    """Every edge, with the number of the window that made it certain."""
    found = []
    for number, probability in enumerate(probabilities, first):
        edge = endpointing.judge(probability, number * WINDOW, (number + 1) * WINDOW)
        if edge:
            found.append((number, edge))
    return found


@pytest.fixture
def endpointing() -> Endpointing:
    return Endpointing(silence_ms=700, rate_hz=RATE_HZ)


def test_speech_begins_after_120_ms_and_is_dated_back(endpointing: Endpointing) -> None:
    """Four windows of 32 ms make it certain; it began with the first of them."""
    assert edges(endpointing, [NO] * 10 + [YES] * 10) == [(13, Edge(True, 10 * WINDOW))]


def test_a_click_is_no_speech(endpointing: Endpointing) -> None:
    """Three windows are too short, however often they come."""
    assert edges(endpointing, ([YES] * 3 + [NO]) * 20) == []


def test_speech_ends_after_the_silence_and_is_dated_back(endpointing: Endpointing) -> None:
    """700 ms are 22 windows; speech ended where they began."""
    found = edges(endpointing, [YES] * 10 + [NO] * 30)
    assert found[1:] == [(31, Edge(False, 10 * WINDOW))]


def test_a_pause_for_breath_is_no_end(endpointing: Endpointing) -> None:
    """Silence that is too short is forgotten when speech goes on."""
    assert len(edges(endpointing, ([YES] * 10 + [NO] * 21) * 4)) == 1


def test_silence_ms_decides_how_long_a_pause_may_be() -> None:
    """A shorter silence ends speech sooner."""
    found = edges(Endpointing(silence_ms=320, rate_hz=RATE_HZ), [YES] * 10 + [NO] * 30)
    assert found[1] == (19, Edge(False, 10 * WINDOW))


def test_a_probability_between_the_thresholds_changes_nothing(endpointing: Endpointing) -> None:
    """Neither does it begin speech, nor end it."""
    assert edges(endpointing, [PERHAPS] * 50) == []
    assert len(edges(endpointing, [YES] * 4 + [PERHAPS] * 60, first=50)) == 1
    assert edges(endpointing, [NO] * 21 + [PERHAPS], first=114) == [
        (135, Edge(False, 114 * WINDOW))
    ]


def test_a_cut_ends_what_was_being_said(endpointing: Endpointing) -> None:
    """A gap in the stream ends speech where the stream broke off, once."""
    edges(endpointing, [YES] * 10)
    assert endpointing.cut(10 * WINDOW) == Edge(False, 10 * WINDOW)
    assert endpointing.cut(10 * WINDOW) is None


def test_after_a_cut_speech_needs_its_full_length_again(endpointing: Endpointing) -> None:
    """What was half certain before a gap is not joined to what follows."""
    assert edges(endpointing, [YES] * 3) == []
    assert endpointing.cut(3 * WINDOW) is None
    assert edges(endpointing, [YES] * 4, first=3) == [(6, Edge(True, 3 * WINDOW))]
