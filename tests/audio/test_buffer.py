"""What the loudspeaker has still to play."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from device.audio.buffer import CAPACITY_S, CAPACITY_SAMPLES, Block, PlaybackBuffer, gain
from device.audio.turns import Mark, What

RATE_HZ = 48_000
BLOCK = 480
FADE = 240


def pcm(*samples: int) -> bytes:
    return np.array(samples, "<i2").tobytes()


def steady(samples: int, value: int = 8000) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def sine(samples: int) -> npt.NDArray[np.int16]:
    time_s = np.arange(samples) / RATE_HZ
    wave: npt.NDArray[np.int16] = (12_000 * np.sin(2 * np.pi * 500 * time_s)).astype("<i2")
    return wave


def loud() -> PlaybackBuffer:
    return PlaybackBuffer(RATE_HZ, 100, 600)


def heard(blocks: list[Block]) -> npt.NDArray[np.int16]:
    silence = np.zeros(BLOCK, np.int16)
    return np.concatenate([silence if b.samples is None else b.samples for b in blocks])


def take(buffer: PlaybackBuffer, blocks: int) -> list[Block]:
    return [buffer.take(BLOCK) for _ in range(blocks)]


def marks(blocks: list[Block]) -> list[tuple[What, int, int]]:
    return [(m.what, m.turn, m.played_samples) for block in blocks for m in block.marks]


def largest_step(samples: npt.NDArray[np.int16]) -> int:
    return int(np.max(np.abs(np.diff(samples.astype(int)))))


def test_nothing_to_play_is_silence_that_costs_nothing() -> None:
    """An idle speaker writes silence all day."""
    buffer = loud()
    assert buffer.idle
    assert buffer.take(BLOCK) == Block(None, 0.0, ())


def test_chunks_of_any_size_play_without_a_seam() -> None:
    """Block borders and chunk borders have nothing to do with each other."""
    wave = sine(4800)
    buffer = loud()
    for start in range(0, 4800, 700):
        assert buffer.append(wave[start : start + 700].tobytes(), 1) == 0
    assert np.array_equal(heard(take(buffer, 10)), wave)


def test_a_turn_is_marked_at_its_first_and_last_sample() -> None:
    """The news of the loudspeaker are made of these."""
    buffer = loud()
    buffer.append(steady(700), 4)
    buffer.end(4)
    blocks = take(buffer, 3)
    assert blocks[0].marks == (Mark(What.FIRST, 4, BLOCK),)
    assert blocks[1].marks == (Mark(What.LAST, 4, 700),)
    assert blocks[2].marks == ()
    assert buffer.idle
    assert buffer.played_ms(4) == 700 * 1000 // RATE_HZ
    assert buffer.played_ms(5) == 0


def test_a_turn_without_a_sound_is_over_at_once() -> None:
    """The model may answer with a tool call alone."""
    buffer = loud()
    buffer.end(2)
    assert marks(take(buffer, 1)) == [(What.LAST, 2, 0)]
    assert buffer.idle


def test_a_turn_of_which_nothing_came_yet_is_not_starved() -> None:
    """A first chunk may all be held back by the resampler."""
    buffer = loud()
    buffer.append(b"", 2)
    assert marks(take(buffer, 3)) == []
    buffer.append(steady(BLOCK), 2)
    assert marks(take(buffer, 1)) == [(What.FIRST, 2, BLOCK)]


def test_the_next_turn_follows_without_a_gap_and_ends_the_one_before() -> None:
    """Turns play in their order, even if nobody ended the first."""
    buffer = loud()
    buffer.append(steady(500, 1000), 1)
    buffer.append(steady(460, 2000), 2)
    blocks = take(buffer, 2)
    assert np.array_equal(heard(blocks), np.repeat([1000, 2000], [500, 460]))
    assert marks(blocks) == [
        (What.FIRST, 1, 480),
        (What.LAST, 1, 500),
        (What.FIRST, 2, 460),
    ]


def test_a_starved_turn_is_told_once_and_goes_on_without_a_click() -> None:
    """The voice sinks instead of breaking off, and comes back as softly."""
    buffer = loud()
    buffer.append(steady(BLOCK), 1)
    blocks = take(buffer, 4)
    assert marks(blocks) == [(What.FIRST, 1, BLOCK), (What.STARVED, 1, BLOCK)]
    buffer.append(steady(8 * BLOCK), 1)
    blocks += take(buffer, 9)
    assert marks(blocks[4:]) == [(What.STARVED, 1, 9 * BLOCK)]
    sound = heard(blocks)
    assert largest_step(sound) < 8000 / FADE + 2
    assert np.max(sound[-2 * BLOCK :]) == 8000


def test_a_starved_turn_may_end() -> None:
    """Its last chunk came before the news that it was the last."""
    buffer = loud()
    buffer.append(steady(BLOCK), 1)
    take(buffer, 2)
    buffer.end(1)
    assert marks(take(buffer, 1)) == [(What.LAST, 1, BLOCK)]


def test_a_turn_that_breaks_off_loud_sinks_softly() -> None:
    """A reply cut by the server ends in the middle of a vowel."""
    buffer = loud()
    buffer.append(steady(300), 1)
    buffer.end(1)
    sound = heard(take(buffer, 3))
    assert np.array_equal(sound[:300], np.full(300, 8000))
    assert largest_step(sound) < 8000 / FADE + 2
    assert not sound[300 + FADE :].any()


def test_clear_is_silent_after_5_ms_without_a_click() -> None:
    """What is left fades out over its own next samples."""
    wave = sine(48_000)
    buffer = loud()
    buffer.append(wave.tobytes(), 1)
    take(buffer, 3)
    buffer.clear()
    sound = heard(take(buffer, 3))
    assert not sound[FADE:].any()
    assert sound[:FADE].any()
    before_and_after = np.concatenate([wave[: 3 * BLOCK], sound])
    assert largest_step(before_and_after) <= largest_step(wave) + 12_000 / FADE
    assert buffer.idle
    assert buffer.played_ms(1) == (3 * BLOCK + FADE) * 1000 // RATE_HZ


def test_clear_with_little_or_nothing_left_does_not_click_either() -> None:
    """The last sample the card got was loud."""
    for left in (0, 1, 100):
        buffer = loud()
        buffer.append(steady(BLOCK + left), 1)
        first = take(buffer, 1)
        buffer.clear()
        sound = heard(first + take(buffer, 2))
        assert largest_step(sound) <= max(8000 / max(1, min(left, FADE)), 8000 / FADE) + 2, left
        assert not sound[-BLOCK:].any()


def test_clear_throws_all_waiting_turns_away_and_marks_none_of_them() -> None:
    """Nobody is told that a cleared turn was heard."""
    buffer = loud()
    buffer.append(steady(5 * BLOCK), 1)
    buffer.append(steady(5 * BLOCK), 2)
    buffer.end(2)
    take(buffer, 1)
    buffer.clear()
    assert marks(take(buffer, 3)) == []


def test_clear_of_nothing_is_harmless() -> None:
    """A stop may come at any time."""
    buffer = loud()
    buffer.clear()
    assert buffer.take(BLOCK).samples is None


def test_a_new_turn_may_follow_a_clear_at_once() -> None:
    """The fade of the old one lies over the beginning of the new."""
    buffer = loud()
    buffer.append(steady(5000), 1)
    take(buffer, 1)
    buffer.clear()
    buffer.append(steady(BLOCK, 100), 2)
    (block,) = take(buffer, 1)
    assert block.marks == (Mark(What.FIRST, 2, BLOCK),)
    assert block.samples is not None
    assert np.all(block.samples[:FADE] >= 100)
    assert np.all(block.samples[FADE:] == 100)


def test_a_chime_lies_over_whatever_plays_and_survives_a_clear() -> None:
    """It is added, sample by sample, and goes on over the blocks."""
    buffer = loud()
    chime = np.linspace(0, 0.25, 1000, dtype=np.float32)
    buffer.append(steady(3 * BLOCK, 1000), 1)
    buffer.chime(chime)
    first = take(buffer, 1)
    buffer.clear()
    sound = heard(first + take(buffer, 2))
    assert np.allclose(sound[:BLOCK], 1000 + chime[:BLOCK] * 32768, atol=1)
    assert np.allclose(sound[BLOCK + FADE : 1000], chime[BLOCK + FADE :] * 32768, atol=1)
    assert not sound[1000:].any()


def test_a_chime_alone_is_no_turn() -> None:
    """Nothing is reported of it, but it can be heard and has a level."""
    buffer = loud()
    buffer.chime(np.full(BLOCK, 0.5, np.float32))
    assert not buffer.idle
    (block,) = take(buffer, 1)
    assert block.marks == ()
    assert block.level == pytest.approx(0.5, abs=0.001)
    assert buffer.idle


@pytest.mark.parametrize(("volume", "least", "as_at"), [(0, 50, 50), (20, 50, 50), (80, 50, 80)])
def test_a_chime_that_must_be_heard_is_no_softer_than_told(
    volume: int, least: int, as_at: int
) -> None:
    """However far the volume is turned down; where it is louder, it is as loud as the rest."""
    buffer = PlaybackBuffer(RATE_HZ, volume, 600)
    buffer.chime(np.full(BLOCK, 0.5, np.float32), least)
    (block,) = take(buffer, 1)
    assert block.level == pytest.approx(0.5 * gain(as_at), abs=0.001)
    assert buffer.idle


def said(samples: int, value: int = 4000) -> bytes:
    """Of a sentence: not the value of a reply."""
    return np.full(samples, value, "<i2").tobytes()


GAP = RATE_HZ * 150 // 1000


def test_a_sentence_alone_begins_at_once_and_is_no_turn() -> None:
    """It plays bit for bit, has a level, and nothing is reported of it."""
    wave = sine(4801)
    buffer = loud()
    buffer.announce(wave.tobytes())
    assert not buffer.idle
    blocks = take(buffer, 11)
    assert np.array_equal(heard(blocks)[:4801], wave)
    assert not heard(blocks)[4801:].any()
    assert marks(blocks) == []
    assert blocks[5].level == pytest.approx(12_000 / 32_768 / np.sqrt(2), rel=0.05)
    assert buffer.idle


@pytest.mark.parametrize("chime_samples", [BLOCK // 2, BLOCK, 1000])
def test_a_sentence_follows_the_chimes_after_a_pause(chime_samples: int) -> None:
    """First that something is wrong, then what; the longest chime counts, as far as it is left."""
    buffer = loud()
    buffer.chime(np.full(100, 0.125, np.float32))
    buffer.chime(np.full(chime_samples + BLOCK, 0.125, np.float32))
    take(buffer, 1)
    buffer.announce(said(700))
    sound = heard(take(buffer, 20))
    begin = chime_samples + GAP
    assert np.all(sound[:chime_samples] == 4096)
    assert not sound[chime_samples:begin].any()
    assert np.all(sound[begin : begin + 700] == 4000)
    assert not sound[begin + 700 :].any()
    assert buffer.idle


def test_the_pause_before_a_sentence_is_silence_with_something_to_come() -> None:
    """Whoever waits for the end of all that plays waits for the sentence too."""
    buffer = loud()
    buffer.chime(np.full(BLOCK, 0.125, np.float32))
    buffer.announce(said(10))
    take(buffer, 1)
    assert buffer.take(BLOCK) == Block(None, 0.0, ())
    assert not buffer.idle


def test_a_later_chime_lies_over_the_sentence() -> None:
    """The wake word's chime does not wait until the speaker has finished."""
    buffer = loud()
    buffer.announce(said(2 * BLOCK))
    take(buffer, 1)
    buffer.chime(np.full(BLOCK, 0.125, np.float32))
    assert np.all(heard(take(buffer, 1)) == 4000 + 4096)


def test_a_sentence_waits_for_a_reply_and_does_not_stop_one() -> None:
    """Two voices at once are none: it begins when the reply is over, cleared or starved."""
    buffer = loud()
    buffer.append(steady(BLOCK + 100), 1)
    buffer.chime(np.full(10, 0.0, np.float32))
    buffer.announce(said(2 * BLOCK))
    sound = heard(take(buffer, 1 + GAP // BLOCK + 4))
    assert np.all(sound[: BLOCK + 100] == 8000)
    assert np.count_nonzero(sound[2 * BLOCK :] == 4000) == 2 * BLOCK

    buffer.append(steady(20 * BLOCK), 2)
    buffer.announce(said(2 * BLOCK))
    assert np.all(heard(take(buffer, 3)) == 8000)
    buffer.clear()
    assert np.all(heard(take(buffer, 2))[FADE:] == 4000)
    assert buffer.idle


def test_clear_leaves_the_sentence_alone() -> None:
    """The reply is thrown away because something is wrong: that is to be said."""
    buffer = loud()
    buffer.announce(said(3 * BLOCK))
    take(buffer, 1)
    buffer.append(steady(BLOCK), 1)
    buffer.clear()
    assert np.all(heard(take(buffer, 2))[FADE:] == 4000)


def test_hush_fades_the_sentence_and_leaves_the_rest_alone() -> None:
    """Silent after 5 ms, without a click; a chime and a turn go on."""
    buffer = loud()
    buffer.announce(said(5 * BLOCK))
    first = take(buffer, 1)
    buffer.hush()
    buffer.hush()
    sound = heard(first + take(buffer, 2))
    assert largest_step(sound) < 4000 / FADE + 2
    assert sound[BLOCK : BLOCK + FADE - 1].all()
    assert not sound[BLOCK + FADE :].any()
    assert buffer.idle

    buffer.append(steady(4 * BLOCK, 1000), 1)
    buffer.chime(np.full(2 * BLOCK, 0.125, np.float32))
    buffer.announce(said(5 * BLOCK))
    first = take(buffer, 1)
    buffer.hush()
    sound = heard(first + take(buffer, 3))
    assert np.all(sound[: 2 * BLOCK] == 5096)
    assert np.all(sound[2 * BLOCK :] == 1000)


def test_hush_before_the_sentence_has_begun_unsays_it() -> None:
    """Not even the fade of it is heard."""
    buffer = loud()
    buffer.chime(np.full(BLOCK, 0.125, np.float32))
    buffer.announce(said(5 * BLOCK))
    take(buffer, 2)
    buffer.hush()
    assert buffer.idle
    assert not heard(take(buffer, 30)).any()


def test_hush_of_nothing_is_harmless() -> None:
    """Nobody has to know whether something is being said; the next sentence is not touched."""
    buffer = loud()
    buffer.hush()
    assert buffer.idle
    buffer.announce(said(BLOCK))
    take(buffer, 2)
    buffer.hush()
    assert buffer.idle
    buffer.announce(b"")
    assert buffer.idle


def test_hush_in_the_last_samples_of_a_sentence_fades_over_what_is_left() -> None:
    """There may be less than 5 ms of it."""
    buffer = loud()
    buffer.announce(said(BLOCK + 100))
    take(buffer, 1)
    buffer.hush()
    sound = heard(take(buffer, 1))
    assert largest_step(sound) <= 4000 / 100 + 2
    assert not sound[100:].any()


def test_a_new_sentence_takes_the_place_of_the_old_one() -> None:
    """The old one fades, then a pause, then the new one from its beginning."""
    buffer = loud()
    buffer.announce(said(50 * BLOCK))
    take(buffer, 2)
    buffer.announce(said(BLOCK, 6000))
    sound = heard(take(buffer, 20))
    assert not sound[FADE : FADE + GAP].any()
    assert np.all(sound[FADE + GAP : FADE + GAP + BLOCK] == 6000)
    assert not sound[FADE + GAP + BLOCK :].any()


def test_the_volume_applies_to_a_sentence() -> None:
    """Night is night."""
    buffer = PlaybackBuffer(RATE_HZ, 50, 600)
    buffer.announce(said(BLOCK))
    assert np.all(heard(take(buffer, 1)) == 500)


def test_too_much_at_once_is_limited_and_does_not_wrap() -> None:
    """A chime over a loud reply must not turn it inside out, nor leave it turned down."""
    buffer = loud()
    buffer.append(steady(BLOCK, 30_000), 1)
    buffer.chime(np.full(BLOCK, 0.5, np.float32))
    assert np.all(heard(take(buffer, 1)) == int(32_768 * 10 ** (-1 / 20)))
    take(buffer, 2)
    buffer.append(steady(BLOCK, 29_000), 2)
    assert np.all(heard(take(buffer, 1)) == 29_000)


@pytest.mark.parametrize(("ceiling_dbfs", "loudest"), [(0.0, 32_767), (-6.0, 16_422)])
def test_no_sample_is_above_the_ceiling_after_volume(ceiling_dbfs: float, loudest: int) -> None:
    """What is turned down anyway is not limited too."""
    buffer = PlaybackBuffer(RATE_HZ, 100, 600, ceiling_dbfs)
    buffer.append(steady(BLOCK, -32_768), 1)
    (block,) = take(buffer, 1)
    assert np.all(heard([block]) == -loudest)
    assert block.level == pytest.approx(loudest / 32_768)
    buffer.set_volume(50)
    take(buffer, 2)
    buffer.append(steady(BLOCK, -32_768), 2)
    assert np.all(heard(take(buffer, 1)) == -4096)


def test_a_change_of_volume_during_a_pause_is_there_when_it_goes_on() -> None:
    """The pause is silence, too."""
    buffer = loud()
    buffer.append(steady(4 * BLOCK), 1)
    take(buffer, 1)
    buffer.pause()
    take(buffer, 2)
    buffer.set_volume(50)
    assert buffer.take(BLOCK) == Block(None, 0.0, ())
    assert not buffer.idle
    buffer.go_on()
    assert np.all(heard(take(buffer, 1))[FADE:] == 1000)


def test_the_volume_is_a_cube_from_silence_to_unity() -> None:
    """Felt loudness; 0 is really silent and 100 changes nothing."""
    assert gain(0) == 0
    assert gain(100) == 1
    assert 20 * np.log10(gain(50)) == pytest.approx(-18.06, abs=0.01)
    assert all(gain(percent) < gain(percent + 1) for percent in range(100))


def test_a_change_of_volume_takes_one_block_and_does_not_click() -> None:
    """The steps of a turned knob cannot be heard."""
    buffer = loud()
    buffer.append(steady(4 * BLOCK), 1)
    buffer.end(1)
    blocks = take(buffer, 1)
    buffer.set_volume(50)
    blocks += take(buffer, 2)
    sound = heard(blocks)
    assert np.all(sound[:BLOCK] == 8000)
    assert np.all(sound[2 * BLOCK :] == 1000)
    assert largest_step(sound) < 7000 / BLOCK + 2


def test_a_change_of_volume_in_silence_is_there_at_once() -> None:
    """The next reply begins at the new volume, not on the way to it."""
    buffer = PlaybackBuffer(RATE_HZ, 100, 600)
    buffer.set_volume(50)
    buffer.take(BLOCK)
    buffer.append(steady(BLOCK), 1)
    assert np.all(heard(take(buffer, 1)) == 1000)


def test_volume_0_is_digital_silence() -> None:
    """Not even a dither."""
    buffer = PlaybackBuffer(RATE_HZ, 0, 600)
    buffer.append(sine(BLOCK).tobytes(), 1)
    (block,) = take(buffer, 1)
    assert not heard([block]).any()
    assert block.level == 0


def test_the_level_is_the_rms_after_volume() -> None:
    """Echo handling judges by what really goes out."""
    buffer = PlaybackBuffer(RATE_HZ, 50, 600)
    buffer.append(steady(BLOCK, 16_384), 1)
    (block,) = take(buffer, 1)
    assert block.level == pytest.approx(0.5 / 8, rel=0.01)


def test_however_long_a_reply_is_it_takes_bounded_memory() -> None:
    """Ten minutes where the card is slow, less where it is fast."""
    minute = bytes(2 * 60 * 48_000)
    fast = PlaybackBuffer(48_000, 100, CAPACITY_S)
    dropped = sum(fast.append(minute, 1) for _ in range(10))
    assert dropped == 10 * 60 * 48_000 - CAPACITY_SAMPLES
    slow = PlaybackBuffer(16_000, 100, CAPACITY_S)
    assert sum(slow.append(minute[: 2 * 60 * 16_000], 1) for _ in range(10)) == 0


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    """A runaway reply ends at the bound; what was there before plays on."""
    buffer = PlaybackBuffer(RATE_HZ, 100, 0.01)
    assert buffer.append(steady(400, 1), 1) == 0
    assert buffer.append(steady(200, 2), 1) == 120
    assert buffer.append(steady(10, 3), 1) == 10
    assert np.array_equal(heard(take(buffer, 1)), np.repeat([1, 2], [400, 80]))
    assert buffer.append(steady(10, 3), 1) == 0


# --- what rings ----------------------------------------------------------------------------------


def flat(samples: int, value: float = 0.5) -> npt.NDArray[np.float32]:
    return np.full(samples, value, np.float32)


def level(buffer: PlaybackBuffer, blocks: int = 1) -> int:
    """Loudest sample of the last of so many blocks."""
    samples = take(buffer, blocks)[-1].samples
    return 0 if samples is None else int(np.max(np.abs(samples)))


@pytest.mark.parametrize("volume", [0, 60, 100])
def test_what_rings_has_a_volume_of_its_own(volume: int) -> None:
    """Also at a speaker that is turned down altogether."""
    buffer = PlaybackBuffer(RATE_HZ, volume, 600)
    buffer.ring(flat(4 * BLOCK), 50)
    assert level(buffer, 2) == pytest.approx(0.5 * 32_768 * gain(50), abs=2)
    take(buffer, 3)
    assert buffer.idle


def test_a_reply_is_ducked_while_something_rings_and_loses_nothing() -> None:
    """Also between two alarms; then it is as loud as before, without a click."""
    buffer = loud()
    wave = sine(200 * BLOCK)
    buffer.append(wave.tobytes(), 1)
    take(buffer, 2)
    buffer.ring(flat(BLOCK, 0.0), 100)
    blocks = take(buffer, 50)
    ducked = heard(blocks)[BLOCK:]
    assert ducked == pytest.approx(0.25 * wave[3 * BLOCK : 52 * BLOCK], abs=1)
    buffer.stop_ringing()
    blocks += take(buffer, 50)
    assert np.array_equal(heard(blocks)[51 * BLOCK :], wave[53 * BLOCK : 102 * BLOCK])
    assert largest_step(heard(blocks)) <= largest_step(wave)


def test_a_ducked_reply_that_is_cleared_fades_from_where_it_is() -> None:
    """Its end is no louder than it was."""
    buffer = loud()
    buffer.append(steady(100 * BLOCK), 1)
    buffer.ring(flat(BLOCK, 0.0), 100)
    take(buffer, 3)
    buffer.clear()
    assert level(buffer) <= 2000


def test_what_rings_breaks_off_with_a_fade_and_the_rest_goes_on() -> None:
    """Within 5 ms; a reply, a chime and a sentence are not touched."""
    buffer = loud()
    buffer.ring(flat(100 * BLOCK), 100)
    before = take(buffer, 2)
    buffer.chime(flat(10 * BLOCK, 0.01))
    buffer.stop_ringing()
    after = take(buffer, 3)
    sound = heard([*before, *after])[BLOCK:]
    assert largest_step(sound) < 0.51 * 32_768 / FADE + 400
    assert level(buffer) == pytest.approx(0.01 * 32_768, abs=1)
    buffer.stop_ringing()
    take(buffer, 8)
    assert buffer.idle


def test_the_next_alarm_takes_the_place_of_one_that_still_rings() -> None:
    """Two are never louder than one."""
    buffer = loud()
    buffer.ring(flat(100 * BLOCK), 100)
    take(buffer, 2)
    buffer.ring(flat(100 * BLOCK), 100)
    assert max(level(buffer) for _ in range(40)) <= 0.5 * 32_768 + 1
