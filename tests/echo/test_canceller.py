"""Our own voice is taken out of the microphone's in simulated rooms, with bad clocks."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from device.audio.chimes import render
from device.echo.canceller import RINGING_FRAMES, EchoCanceller
from device.frames import FRAME_BYTES, MICROPHONE_RATE_HZ, SILENT_FRAME, Frame
from device.simulator.acoustics import ROOMS
from tests.rig.echo_bench import (
    AHEAD_SAMPLES,
    ANSWER,
    EARLY_MS,
    Bench,
    Samples,
    cleaned,
    level_db,
    microphone,
    ours,
    quiet,
)
from tests.rig.speech import espeak, noise

NOISE_S = 2.0
"""Of silence at first: the room's noise is learned."""
SECOND_FRAMES = 50
AHEAD_FRAMES = AHEAD_SAMPLES // 320


@cache
def listened(room: str, rate_hz: int = 48_000) -> Bench:
    """A room after half a minute of our own voice; only to be looked at."""
    bench = Bench(room, rate_hz=rate_hz)
    bench.play(quiet(NOISE_S))
    bench.play(ours(30))
    return bench


def taken_out_db(bench: Bench, first: int, last: int | None = None) -> float:
    """How much quieter frames came out than they went in."""
    return level_db(microphone(bench.frames[first:last])) - level_db(
        cleaned(bench.heard[first:last])
    )


# --- how well -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("room", ["small", "medium"])
def test_after_twenty_seconds_our_voice_is_a_hundredth_of_what_it_was(
    room: str, rate_hz: int
) -> None:
    """20 dB and more, whatever the loudspeaker's rate and though its clock drifts."""
    bench = listened(room, rate_hz)
    assert taken_out_db(bench, -10 * SECOND_FRAMES) >= 20


@pytest.mark.parametrize("room", ["small", "medium", "large"])
def test_the_figures_tell_what_the_room_is_like(room: str) -> None:
    """Delay, drift, noise, and how loud our echo is: what `parley status` shows."""
    figures = listened(room).echo.figures
    facts = ROOMS[room]
    assert figures.delay_ms == pytest.approx(EARLY_MS + facts.delay_ms, abs=3)
    assert figures.drift_ppm == pytest.approx(facts.drift_ppm, abs=3)
    assert figures.noise_dbfs == pytest.approx(facts.noise_dbfs, abs=4)
    assert figures.return_loss_db == pytest.approx(-facts.echo_gain_db, abs=2)
    assert figures.erle_db is not None
    assert figures.erle_db > 15
    assert figures.residue_db is not None
    assert figures.residue_db < 10
    assert figures.learned


def test_the_way_is_found_within_seconds() -> None:
    """Two searches that agree; from then on the filter learns."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    began = len(bench.heard)
    bench.play(ours(4))
    assert bench.echo.figures.delay_ms is not None
    changed = [
        number
        for number, (frame, heard) in enumerate(zip(bench.frames, bench.heard, strict=True))
        if frame is not heard.frame
    ]
    assert changed[0] - began < 1.5 * SECOND_FRAMES
    assert taken_out_db(bench, -SECOND_FRAMES) > 10


CHIME = (render("wake", MICROPHONE_RATE_HZ) * 32_767).astype(np.int16)
ELSEWHERE_SAMPLES = 1500


def with_another_speaker(bench: Bench, played: Samples) -> None:
    """Play something that another speaker in the room plays too, louder and 94 ms later."""
    bench.room.add(played, bench.position + AHEAD_SAMPLES + ELSEWHERE_SAMPLES, 3.0)
    bench.play(played)


def test_a_chime_alone_teaches_no_way() -> None:
    """It is too short to tell one place from another; the reply after it does at once."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    for _ in range(2):
        with_another_speaker(bench, CHIME)
        bench.play(quiet(1.0))
        assert bench.echo.figures.delay_ms is None
    bench.play(ours(1.5))
    assert bench.echo.figures.delay_ms == pytest.approx(EARLY_MS + ROOMS["small"].delay_ms, abs=3)


def test_a_way_that_is_doubted_is_looked_at_again_soon() -> None:
    """Two searches that say otherwise are a third of a second apart, not two seconds."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    with_another_speaker(bench, ours(1.5))
    wrong = bench.echo.figures.delay_ms
    right = EARLY_MS + ROOMS["small"].delay_ms
    assert wrong is not None
    assert wrong > right + 50
    bench.play(quiet(1.0))
    for tenth in range(15):
        bench.play(ours(30)[16_000 + 1600 * tenth :][:1600])
        if bench.echo.figures.delay_ms == pytest.approx(right, abs=3):
            break
    else:
        pytest.fail("the way was not found again within a second and a half")


def test_what_of_ours_arrives_comes_with_the_frame() -> None:
    """For who listens for a wake word under it: as long as a frame, shortly before its echo."""
    bench = listened("small")
    last = bench.heard[-10 * SECOND_FRAMES :]
    assert all(each.far_end is not None and len(each.far_end) == FRAME_BYTES for each in last)
    far = np.frombuffer(b"".join(each.far_end or b"" for each in last), "<i2").astype(float)
    near = microphone(bench.frames[-10 * SECOND_FRAMES :]).astype(float)
    cross = np.fft.irfft(np.fft.rfft(near) * np.conj(np.fft.rfft(far)))
    assert 60 < int(np.argmax(np.abs(cross))) < 130


@pytest.mark.parametrize("hz", [440.0, 2_300.0])
def test_a_reply_that_gets_stuck_on_a_tone_unlearns_nothing(hz: float) -> None:
    """One frequency says little of a room; a second later our voice is taken out as before."""
    bench = Bench("medium", rate_hz=48_000)
    bench.play(ours(20))
    before = taken_out_db(bench, -5 * SECOND_FRAMES)
    moments = np.arange(6 * MICROPHONE_RATE_HZ) / MICROPHONE_RATE_HZ
    bench.play(np.round(16_384 * np.sin(2 * np.pi * hz * moments)).astype(np.int16))
    began = len(bench.heard) + AHEAD_FRAMES
    bench.play(ours(8))
    later = began + SECOND_FRAMES
    assert taken_out_db(bench, later) > before - 4
    assert not any(each.near for each in bench.heard[later:])


def test_a_person_comes_through() -> None:
    """What comes out while they speak over us is them."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    bench.play(ours(15))
    said = espeak(ANSWER, "en-us+m3")[: 2 * MICROPHONE_RATE_HZ]
    theirs = bench.room.say(said, bench.position, -20)[: 2 * MICROPHONE_RATE_HZ]
    heard = bench.play(ours(30)[-2 * MICROPHONE_RATE_HZ :])
    left = cleaned(heard) / 32_768 - theirs
    assert np.sum(theirs**2) > 10 * np.sum(left**2)
    assert any(each.near for each in heard)


# --- bit for bit ----------------------------------------------------------------------------------


def test_while_nothing_of_ours_plays_frames_stay_the_same_objects() -> None:
    """Bit for bit what the microphone delivered, before a reply and 600 ms after it."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    bench.play(ours(5))
    after = len(bench.heard) + AHEAD_FRAMES + RINGING_FRAMES + 10
    bench.play(quiet(3))
    for frames in (slice(0, int(NOISE_S * SECOND_FRAMES)), slice(after, None)):
        for frame, heard in zip(bench.frames[frames], bench.heard[frames], strict=True):
            assert heard.frame is frame
            assert heard.far_end is None
            assert not heard.near


def test_measured_anew_nothing_is_learned_anew() -> None:
    """The figures begin from nothing, the filter goes on where it was."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    bench.play(ours(8))
    bench.echo.measure_anew()
    assert bench.echo.figures.erle_db is None
    assert bench.echo.figures.learned
    bench.play(ours(12)[-4 * MICROPHONE_RATE_HZ :])
    assert taken_out_db(bench, -4 * SECOND_FRAMES) > 15
    assert bench.echo.figures.erle_db == pytest.approx(
        taken_out_db(bench, -2 * SECOND_FRAMES), abs=5
    )


def test_without_a_canceller_no_frame_is_ever_changed() -> None:
    """It only watches: how loud our echo is, and whether somebody talks over it."""
    bench = Bench("headset", cancels=False)
    assert not bench.echo.cancels
    bench.play(quiet(NOISE_S))
    bench.play(ours(8))
    assert all(heard.frame is frame for frame, heard in zip(bench.frames, bench.heard, strict=True))
    figures = bench.echo.figures
    assert figures.erle_db == pytest.approx(0)
    assert figures.residue_db == pytest.approx(0, abs=3)
    bench.room.say(espeak(ANSWER, "en-us+m3"), bench.position, -26)
    assert any(each.near for each in bench.play(ours(3)))


def test_without_a_canceller_the_echo_is_measured_as_it_is() -> None:
    """So that `auto` knows that the microphone hears the loudspeaker."""
    bench = Bench("small", cancels=False)
    bench.play(quiet(NOISE_S))
    bench.play(ours(8))
    figures = bench.echo.figures
    assert figures.erle_db == pytest.approx(0)
    assert figures.residue_db is not None
    assert figures.residue_db > 20
    assert figures.return_loss_db == pytest.approx(6, abs=2)


def test_it_says_whether_it_cancels() -> None:
    """By how it was made."""
    assert EchoCanceller(cancels=True).cancels
    assert not EchoCanceller(cancels=False).cancels


def test_where_the_filter_comes_and_goes_there_is_no_click() -> None:
    """What it takes out begins and ends softly: a person who speaks there hears of nothing."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    bench.play(ours(8))
    bench.play(quiet(2))
    before = len(bench.heard)
    tone = 3000 * np.sin(2 * np.pi * 300 * np.arange(4 * MICROPHONE_RATE_HZ) / MICROPHONE_RATE_HZ)
    bench.room.add(np.rint(tone).astype(np.int16), bench.position)
    bench.play(ours(1))
    bench.play(quiet(2))
    came = [
        heard.frame is not frame
        for frame, heard in zip(bench.frames[before:], bench.heard[before:], strict=True)
    ]
    edges = [number for number in range(1, len(came)) if came[number] != came[number - 1]]
    assert len(edges) == 2
    took = microphone(bench.frames[before:]).astype(float) - cleaned(bench.heard[before:])
    for edge in edges:
        at = edge * 320
        steps = np.abs(np.diff(took[at - 5 : at + 5]))
        assert np.max(steps) < 150


# --- what goes wrong ------------------------------------------------------------------------------


def test_after_a_gap_of_the_microphone_it_finds_the_way_again() -> None:
    """It was muted, or the machine was too busy; within seconds it is as good as before."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    bench.play(ours(10))
    bench.miss(1.0, counted=True)
    delays = []
    for seconds in (0.02, 10):
        bench.play(ours(seconds))
        delays.append(bench.echo.figures.delay_ms)
    assert delays == [None, pytest.approx(EARLY_MS + 6, abs=3)]
    assert taken_out_db(bench, -2 * SECOND_FRAMES) > 15


def test_samples_that_were_lost_unnoticed_are_noticed_by_the_stamps() -> None:
    """A card or a sound server that drops some; the filter begins anew and learns it again."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    bench.play(ours(12))
    bench.miss(0.1, counted=False)
    bench.play(ours(15))
    assert bench.echo.figures.delay_ms == pytest.approx(EARLY_MS + 6, abs=3)
    assert taken_out_db(bench, -3 * SECOND_FRAMES) > 15


def the_next_reply_costs_a_moment(bench: Bench) -> None:
    """Nobody is heard in it, nothing is learned anew, and after a second it is taken out."""
    reply = len(bench.heard)
    first = bench.play(ours(1))
    assert not any(each.near for each in first)
    assert bench.echo.figures.learned
    assert not bench.echo.blind
    bench.play(ours(9))
    assert taken_out_db(bench, reply + SECOND_FRAMES) > 18
    assert not any(each.near for each in bench.heard[reply:])


@pytest.mark.parametrize("before_s", [0.02, 0.5, 3.0])
def test_a_card_that_ran_dry_in_silence_costs_a_moment_of_the_next_reply(before_s: float) -> None:
    """All is heard later from then on: nobody is taken for a person, and nothing learned anew."""
    bench = Bench("medium")
    bench.play(quiet(NOISE_S))
    bench.play(ours(20))
    bench.play(quiet(2))
    bench.card.run_dry(0.042)
    bench.play(quiet(before_s))
    the_next_reply_costs_a_moment(bench)


@pytest.mark.parametrize("late_ms", [1, 6, 12])
def test_a_stream_that_was_stopped_at_rest_costs_a_moment_of_the_next_reply(late_ms: int) -> None:
    """It starts some ms from where the clock tells: nothing is learned anew, nobody is heard."""
    bench = Bench("medium")
    bench.play(quiet(NOISE_S))
    bench.play(ours(20))
    bench.play(quiet(1))
    bench.card.stop()
    bench.play(quiet(30))
    bench.card.start(late_ms / 1000)
    the_next_reply_costs_a_moment(bench)


def test_a_card_that_runs_dry_in_a_reply_is_noticed_before_it_is_heard() -> None:
    """A person is known again within a second."""
    bench = Bench("medium")
    bench.play(quiet(NOISE_S))
    bench.play(ours(20))
    bench.card.run_dry(0.042)
    after = bench.play(ours(1.2))
    assert sum(each.near for each in after) < 0.2 * SECOND_FRAMES
    assert bench.echo.figures.learned
    assert not bench.echo.blind
    said = espeak(ANSWER, "en-us+m3")[: 2 * MICROPHONE_RATE_HZ]
    bench.room.say(said, bench.position, -20)
    assert any(each.near for each in bench.play(ours(0.5)))


@pytest.mark.parametrize("room", ["small", "medium", "large"])
def test_a_machine_that_was_held_up_hears_nobody(room: str) -> None:
    """What came meanwhile is heard before anything is told of the card, and misleads the filter."""
    bench = Bench(room)
    bench.play(quiet(NOISE_S))
    bench.play(ours(20))
    bench.card.run_dry(0.15)
    held_up = bench.play(ours(0.15), told=False)
    after = bench.play(ours(5))
    assert not any(each.near for each in held_up + after)
    assert taken_out_db(bench, -2 * SECOND_FRAMES) > 12


@pytest.mark.parametrize("room", ["enclosure", "small", "medium", "large"])
@pytest.mark.parametrize("dry_s", [0.005, 0.01])
def test_a_jump_that_no_time_stamp_tells_of_is_heard(room: str, dry_s: float) -> None:
    """A few milliseconds are their jitter: nobody is heard for as long as an interruption takes."""
    bench = Bench(room)
    bench.play(quiet(NOISE_S))
    bench.play(ours(20))
    assert bench.echo.figures.delay_ms is not None
    bench.card.run_dry(dry_s)
    interrupted = 0
    for frame in np.split(ours(28)[20 * MICROPHONE_RATE_HZ :], 8 * SECOND_FRAMES):
        heard = bench.play(frame)[0]
        interrupted += heard.near and bench.echo.figures.learned
    assert interrupted < 0.3 * SECOND_FRAMES
    assert taken_out_db(bench, -2 * SECOND_FRAMES) > 12


def test_a_place_that_is_not_found_again_is_unknown_and_learned_anew() -> None:
    """The loudspeaker was turned down when the card ran dry: nobody is told from us for seconds."""
    bench = Bench("medium")
    bench.play(quiet(NOISE_S))
    bench.play(ours(20))
    bench.card.run_dry(0.042)
    bench.play(ours(5, -75.0))
    assert bench.echo.figures.delay_ms is None
    assert not bench.echo.blind
    bench.play(ours(12))
    assert bench.echo.figures.learned
    assert taken_out_db(bench, -3 * SECOND_FRAMES) > 15


def test_what_is_on_its_way_when_a_card_runs_dry_is_nobody_for_long() -> None:
    """Also where nothing follows it: the reply has paused for whom it took it for."""
    bench = Bench("medium")
    bench.play(quiet(NOISE_S))
    bench.play(ours(20))
    bench.card.run_dry(0.15)
    bench.play(ours(0.06))
    after = bench.play(quiet(1), attentive=True)
    assert sum(each.near for each in after) < 0.1 * SECOND_FRAMES


def test_a_loudspeaker_that_was_opened_anew_is_found_again() -> None:
    """It counts from 0, and may be another one with another delay."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    bench.play(ours(10))
    bench.card.reopen()
    bench.card.early_ms = EARLY_MS - 60
    bench.play(ours(0.1))
    assert bench.echo.figures.delay_ms is None
    assert not bench.echo.figures.learned
    bench.play(ours(12))
    assert bench.echo.figures.delay_ms == pytest.approx(EARLY_MS - 60 + 6, abs=3)
    assert taken_out_db(bench, -3 * SECOND_FRAMES) > 15


def test_a_microphone_without_any_sound_changes_nothing() -> None:
    """A muted channel: nothing is found, nobody is heard, nothing is taken out."""
    echo = EchoCanceller(cancels=True)
    bench = Bench("small")
    for number, at in enumerate(range(0, 5 * MICROPHONE_RATE_HZ, 320)):
        _, blocks = bench.card.give(ours(5)[at : at + 320])
        frame = Frame(SILENT_FRAME, at, 100.0 + (number + 1) / 50)
        heard = echo.hear(frame, blocks)
        assert heard.frame is frame
        assert not heard.near
    assert echo.figures.delay_ms is None


def test_before_anything_was_played_it_only_listens() -> None:
    """Nothing is known of the echo then, but of the noise."""
    bench = Bench("small")
    bench.play(quiet(3))
    figures = bench.echo.figures
    assert figures.noise_dbfs == pytest.approx(-62, abs=4)
    assert figures.erle_db is None
    assert figures.delay_ms is None
    assert not figures.learned


# --- attention ------------------------------------------------------------------------------------


@pytest.mark.parametrize("attentive", [False, True])
def test_attentive_it_tells_of_a_person_in_silence_too(attentive: bool) -> None:
    """A reply that paused for somebody must go on hearing them."""
    bench = Bench("small")
    bench.play(quiet(NOISE_S))
    bench.play(ours(5))
    bench.play(quiet(2))
    bench.room.say(espeak(ANSWER, "en-us+m3"), bench.position, -26)
    heard = bench.play(quiet(2), attentive=attentive)
    assert any(each.near for each in heard) is attentive
    assert microphone(bench.frames[-100:]) == pytest.approx(cleaned(heard))


def test_what_was_nobody_makes_it_more_careful() -> None:
    """The figures tell by how much."""
    bench = Bench("small")
    before = bench.echo.figures.needed_db
    bench.echo.was_nobody()
    assert bench.echo.figures.needed_db > before


def test_noise_in_the_room_is_nobody() -> None:
    """Also over our own voice."""
    bench = Bench("small")
    bench.room.add(noise(20, 60.0), 0)
    bench.play(quiet(4))
    assert not any(each.near for each in bench.play(ours(12))[4 * SECOND_FRAMES :])


def test_a_noise_that_began_in_a_long_rest_is_known_when_something_sounds() -> None:
    """What is quiet is learned from when it is asked for; speech moves it as little as ever."""
    echo = EchoCanceller(cancels=True)
    random = np.random.default_rng(3)

    def room(seconds: float, steps: float, begin: int, *, quiet: bool = True) -> int:
        for first in range(begin, begin + round(seconds * MICROPHONE_RATE_HZ), 320):
            pcm = np.rint(random.normal(0, steps, 320)).astype("<i2").tobytes()
            echo.hear(Frame(pcm, first, first / MICROPHONE_RATE_HZ, quiet), ())
        return begin + round(seconds * MICROPHONE_RATE_HZ)

    end = room(60.0, 20.0, 0)
    before = echo.figures.noise_dbfs
    assert before is not None
    end = room(5.0, 200.0, end)
    after = echo.figures.noise_dbfs
    assert after is not None
    assert after - before == pytest.approx(20.0, abs=2.0)
    room(5.0, 2_000.0, end, quiet=False)
    talked = echo.figures.noise_dbfs
    assert talked is not None
    assert talked - after < 1.5
