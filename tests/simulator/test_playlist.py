"""What a simulated card plays, sample for sample and without a clock."""

from __future__ import annotations

import numpy as np
import pytest

from device.simulator.playlist import RAMP_SAMPLES, Happened, Playlist

MS = 24


def pcm(samples: int, value: int = 1000) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def taken(playlist: Playlist, samples: int) -> tuple[list[int], list[Happened]]:
    piece, happened = playlist.take(samples)
    return piece.tolist(), happened


def test_a_turn_is_played_and_drained() -> None:
    """First sample and end are told once, and silence follows."""
    playlist = Playlist()
    assert playlist.add(pcm(15 * MS), 1)
    playlist.end(1)
    assert playlist.take(10 * MS)[1] == [Happened("first", 1, 0)]
    samples, happened = taken(playlist, 10 * MS)
    assert samples == [1000] * 5 * MS + [0] * 5 * MS
    assert happened == [Happened("drained", 1, 15)]
    assert taken(playlist, 2) == ([0, 0], [])


def test_a_turn_may_be_drained_without_a_sound() -> None:
    """An empty reply ends too."""
    playlist = Playlist()
    playlist.end(4)
    assert taken(playlist, 1) == ([0], [Happened("drained", 4, 0)])


def test_half_a_sample_waits_for_its_other_half() -> None:
    """Chunks may be cut anywhere."""
    playlist = Playlist()
    whole = pcm(2, 258)
    playlist.add(whole[:3], 1)
    assert taken(playlist, 1)[0] == [258]
    playlist.add(whole[3:], 1)
    assert taken(playlist, 1)[0] == [258]


def test_running_dry_in_a_turn_is_told_once_each_time() -> None:
    """And not before its first sample."""
    playlist = Playlist()
    playlist.add(b"", 1)
    assert taken(playlist, 4) == ([0] * 4, [])
    playlist.add(pcm(2), 1)
    assert taken(playlist, 2)[1] == [Happened("first", 1, 0)]
    assert taken(playlist, 2)[1] == [Happened("starved", 1, 0)]
    assert taken(playlist, 2)[1] == []
    playlist.add(pcm(2), 1)
    assert taken(playlist, 3)[1] == [Happened("starved", 1, 0)]


def test_the_next_turn_follows_the_last_one_without_a_gap() -> None:
    """Also when the last one was never ended."""
    playlist = Playlist()
    playlist.add(pcm(3, 1), 1)
    playlist.add(pcm(3, 2), 2)
    samples, happened = taken(playlist, 5)
    assert samples == [1, 1, 1, 2, 2]
    assert [(each.what, each.turn) for each in happened] == [
        ("first", 1),
        ("drained", 1),
        ("first", 2),
    ]


def test_what_comes_too_late_is_dropped() -> None:
    """Of an older turn, of one that has ended, is drained, or was cleared."""
    playlist = Playlist()
    playlist.add(pcm(1), 2)
    assert not playlist.add(pcm(1), 1)
    playlist.end(2)
    assert not playlist.add(pcm(1), 2)
    playlist.take(9)
    assert not playlist.add(pcm(1), 2)
    playlist.add(pcm(1), 3)
    playlist.clear()
    assert not playlist.add(pcm(1), 3)
    playlist.end(3)
    assert taken(playlist, 1) == ([0], [])
    assert playlist.add(pcm(1), 4)


def test_clearing_fades_out_within_5_ms() -> None:
    """It returns what was taken, and tells of no end."""
    playlist = Playlist()
    playlist.add(pcm(100 * MS), 1)
    playlist.take(30 * MS)
    assert playlist.clear() == 30
    samples, happened = playlist.take(10 * MS)
    assert happened == []
    assert samples[0] == 1000
    assert np.all(np.diff(samples[:RAMP_SAMPLES]) <= 0)
    assert np.max(np.abs(np.diff(samples))) < 20
    assert not samples[RAMP_SAMPLES:].any()


@pytest.mark.parametrize("given", [0, 100])
def test_clearing_before_the_first_sample_is_silent_at_once(given: int) -> None:
    """There is nothing to fade out."""
    playlist = Playlist()
    if given:
        playlist.add(pcm(given), 1)
    assert playlist.clear() == 0
    assert taken(playlist, 2) == ([0, 0], [])


def test_at_the_end_of_the_card_all_turns_are_drained_as_far_as_they_came() -> None:
    """And nothing sounds afterwards."""
    playlist = Playlist()
    playlist.add(pcm(50 * MS), 1)
    playlist.take(20 * MS)
    playlist.add(pcm(1), 2)
    assert playlist.finish() == [Happened("drained", 1, 20), Happened("drained", 2, 0)]
    assert taken(playlist, 2) == ([0, 0], [])


def test_a_pause_fades_out_and_goes_on_where_it_began() -> None:
    """What faded out fades in again, and then comes the rest."""
    playlist = Playlist()
    playlist.add(np.arange(1000, 1000 + 100 * MS).astype("<i2").tobytes(), 1)
    playlist.end(1)
    before, _ = taken(playlist, 30 * MS)
    playlist.pause()
    playlist.pause()
    silence, happened = taken(playlist, 20 * MS)
    assert happened == []
    assert silence[0] == 1000 + 30 * MS
    assert np.max(np.abs(np.diff(silence))) < 50
    assert not any(silence[RAMP_SAMPLES:])
    playlist.go_on()
    playlist.go_on()
    after, happened = taken(playlist, 70 * MS)
    assert happened == [Happened("drained", 1, 100)]
    assert np.max(np.abs(np.diff(after))) < 50
    assert after[0] == 0
    assert before == list(range(1000, 1000 + 30 * MS))
    assert after[RAMP_SAMPLES:] == list(range(1000 + 30 * MS + RAMP_SAMPLES, 1000 + 100 * MS))


def test_nothing_is_told_in_a_pause() -> None:
    """Not that it ran dry, not its end, not the next one's beginning; all of it comes later."""
    playlist = Playlist()
    playlist.add(pcm(2), 1)
    taken(playlist, 2)
    playlist.pause()
    assert taken(playlist, 2)[1] == []
    playlist.end(1)
    playlist.add(pcm(3), 2)
    playlist.end(2)
    assert taken(playlist, 2) == ([0, 0], [])
    playlist.go_on()
    samples, happened = taken(playlist, 4)
    assert samples == [1000, 1000, 1000, 0]
    assert [(each.what, each.turn) for each in happened] == [
        ("drained", 1),
        ("first", 2),
        ("drained", 2),
    ]


def test_a_pause_that_ends_at_once_and_comes_again_fades_once() -> None:
    """What has not begun to fade in has nothing to fade out."""
    playlist = Playlist()
    playlist.add(pcm(100 * MS), 1)
    taken(playlist, 30 * MS)
    playlist.pause()
    playlist.go_on()
    playlist.pause()
    samples, _ = taken(playlist, 20 * MS)
    assert samples[0] == 1000
    assert not any(samples[RAMP_SAMPLES:])
    playlist.go_on()
    taken(playlist, RAMP_SAMPLES // 2)
    playlist.pause()
    samples, _ = taken(playlist, 20 * MS)
    assert 400 < samples[0] < 600
    assert np.max(np.abs(np.diff(samples))) < 20


def test_clearing_ends_a_pause_in_silence() -> None:
    """And the next turn plays from its first sample, without a fade."""
    playlist = Playlist()
    playlist.add(pcm(100 * MS), 1)
    taken(playlist, 30 * MS)
    playlist.pause()
    taken(playlist, 20 * MS)
    assert playlist.clear() == 30
    playlist.add(pcm(3, 7), 2)
    assert taken(playlist, 3)[0] == [7, 7, 7]


def test_a_pause_before_the_first_sample_is_silent_at_once() -> None:
    """The turn begins, at its full loudness, when it goes on."""
    playlist = Playlist()
    playlist.pause()
    playlist.add(pcm(3), 1)
    assert taken(playlist, 2) == ([0, 0], [])
    playlist.go_on()
    assert taken(playlist, 3) == ([1000] * 3, [Happened("first", 1, 0)])
