"""The simulated room does to sound what its facts say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.simulator.acoustics import ROOMS, Acoustics, at_level, distorted, speech_level
from device.simulator.filters import DelayLine
from device.simulator.impulse import echo_response, voice_response
from device.simulator.room import FULL_SCALE, RATE_HZ, Room
from tests.rig.acoustics import level_db, measured_lag, measured_rt60_ms
from tests.rig.speech import espeak, noise, silence

Samples = NDArray[np.int16]
Floats = NDArray[np.float64]

SILENT_DBFS = -200.0
PLAIN = Acoustics("plain", 100, 6.0, -6, 0.0, SILENT_DBFS, 0)
BUSY = Acoustics("busy", 60, 4.0, -3, 0.3, -40, 3000)
VOICES = ("en-gb", "en-us+f3", "en-gb-x-rp", "de", "en-us+f2")
TEXT = (
    "The quick brown fox jumps over the lazy dog while seven wizards write to the jury. "
    "Please remind me to buy milk, bread and a box of large envelopes on the way home."
)


def speech(voice: str, level_dbfs: float = -20.0) -> Samples:
    spoken = at_level(espeak(TEXT, voice) / FULL_SCALE, level_dbfs)
    return np.clip(np.rint(spoken * FULL_SCALE), -32_768, 32_767).astype(np.int16)


def tone(hz: float, amplitude: float, seconds: float) -> Samples:
    wave = np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    return np.rint(wave * amplitude * FULL_SCALE).astype(np.int16)


def busy_room() -> Room:
    room = Room(BUSY)
    room.say(espeak("hey jarvis"), 700, -25)
    room.add(tone(440, 0.2, 0.2), 300, 0.5)
    return room


PLAYED = noise(1.0, 3000.0)
BUSY_WHOLE = busy_room().hear(PLAYED)


# --- the stream -----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 100), st.integers(0, 6000)), max_size=40))
def test_how_the_stream_is_cut_changes_nothing(sizes: list[int]) -> None:
    """Not even with a clock that drifts, noise, a voice and music."""
    room = busy_room()
    places = np.minimum(np.cumsum([0, *sizes]), len(PLAYED)).tolist()
    blocks = [PLAYED[a:b] for a, b in zip(places, [*places[1:], len(PLAYED)], strict=True)]
    assert np.array_equal(np.concatenate([room.hear(block) for block in blocks]), BUSY_WHOLE)
    assert room.position == len(PLAYED)


def test_cut_into_the_smallest_pieces() -> None:
    """Also where the loudspeaker runs dry between two of them."""
    room = busy_room()
    pieces = [room.hear(PLAYED[at : at + 16]) for at in range(0, len(PLAYED), 16)]
    assert np.array_equal(np.concatenate(pieces), BUSY_WHOLE)
    assert room.dry == 1


def test_the_same_seed_is_the_same_room() -> None:
    """And another one is another room with the same facts."""
    assert np.array_equal(busy_room().hear(PLAYED), BUSY_WHOLE)
    other = Room(replace(BUSY, seed=2)).hear(PLAYED)
    assert not np.array_equal(other, Room(BUSY).hear(PLAYED))


def test_a_click_is_heard_as_the_impulse_response() -> None:
    """The property is what the stream does, the delay included."""
    room = Room(PLAIN)
    click = silence(0.2)
    click[0] = 32_767
    want = room.impulse_response
    heard = room.hear(click)[: len(want)] / FULL_SCALE
    assert want.dtype == np.float32
    assert np.max(np.abs(heard - want[: len(heard)])) < 1e-4


def test_what_is_too_loud_is_clipped() -> None:
    """As a converter does; it never wraps around."""
    room = Room(replace(PLAIN, echo_gain_db=20))
    heard = room.hear(tone(1000, 0.5, 0.2))
    assert (heard.max(), heard.min()) == (32_767, -32_768)
    assert np.max(np.abs(np.diff(heard.astype(int)))) < 65_000


def test_a_room_of_another_rate() -> None:
    """The level and the delay are the same in another rate."""
    room = Room(PLAIN, 24_000)
    played = np.repeat(PLAYED, 2)[: 24_000 * 2]
    assert measured_lag(played, room.hear(played)) == pytest.approx(144, abs=1)


# --- its facts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("name", sorted(set(ROOMS) - {"rattling"}))
def test_the_echo_of_speech_has_its_level(name: str, voice: str) -> None:
    """Within 1 dB, whoever speaks."""
    room = Room(replace(ROOMS[name], noise_dbfs=SILENT_DBFS))
    played = speech(voice)
    assert level_db(room.hear(played)) - level_db(played) == pytest.approx(
        ROOMS[name].echo_gain_db, abs=1.0
    )


def test_hard_distortion_keeps_the_level_too() -> None:
    """Within 1.5 dB: how much is clipped depends on the voice."""
    for voice in VOICES:
        played = speech(voice)
        heard = Room(replace(ROOMS["rattling"], noise_dbfs=SILENT_DBFS)).hear(played)
        assert level_db(heard) - level_db(played) == pytest.approx(0.0, abs=1.5)


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_the_sound_dies_away_in_its_time(name: str) -> None:
    """Schroeder's integral of the response falls by 60 dB in rt60, within 20 %."""
    room = ROOMS[name]
    measured_ms = measured_rt60_ms(echo_response(room, RATE_HZ), room.rt60_ms)
    assert measured_ms == pytest.approx(room.rt60_ms, rel=0.2)


def test_rt60_holds_for_other_seeds() -> None:
    """In the mean over eight rooms within 7 %."""
    rooms = [replace(ROOMS["medium"], seed=seed) for seed in range(8)]
    measured = [measured_rt60_ms(echo_response(room, RATE_HZ), 300) for room in rooms]
    assert np.mean(measured) == pytest.approx(300, rel=0.07)


def test_highs_die_sooner_than_lows() -> None:
    """As air and curtains make them."""
    tail = voice_response(ROOMS["large"], RATE_HZ)[RATE_HZ // 20 :]
    early, late = tail[: RATE_HZ // 10], tail[RATE_HZ // 4 : RATE_HZ // 4 + RATE_HZ // 10]

    def highs(part: Floats) -> float:
        power = np.abs(np.fft.rfft(part)) ** 2
        return float(power[len(power) // 2 :].sum() / power.sum())

    assert highs(late) < 0.3 * highs(early)


@pytest.mark.parametrize("delay_ms", [3.0, 6.0, 21.25, 180.0])
def test_the_direct_sound_comes_after_the_delay(delay_ms: float) -> None:
    """To the sample."""
    heard = Room(replace(PLAIN, delay_ms=delay_ms)).hear(PLAYED)
    assert measured_lag(PLAYED, heard) == pytest.approx(delay_ms * 16, abs=1)


@pytest.mark.parametrize("drift_ppm", [50.0, -50.0])
def test_the_clocks_drift_apart(drift_ppm: float) -> None:
    """By 48 samples in a minute at 50 ppm."""
    played = noise(61.0, 3000.0)
    heard = Room(replace(PLAIN, delay_ms=20, drift_ppm=drift_ppm)).hear(played)
    second = slice(60 * RATE_HZ - 1000, 61 * RATE_HZ - 1000)
    first = slice(0, RATE_HZ // 8)
    assert measured_lag(played[first], heard[first]) == pytest.approx(320, abs=1)
    assert measured_lag(played[second], heard[second]) == pytest.approx(
        320 - 48 * np.sign(drift_ppm), abs=1.5
    )


def test_drift_is_exact_to_the_end() -> None:
    """A minute at 3000 ppm is as far as an hour at 50: each sample is where it belongs."""
    line = DelayLine(100.25, -3000)
    count = 60 * RATE_HZ
    omega = 2 * np.pi * 1000 / RATE_HZ
    worst = 0.0
    for begin in range(0, count, 4000):
        places = np.arange(begin, begin + 4000)
        line.write(np.sin(omega * places))
        want = np.sin(omega * (places * (1 - 3000e-6) - 100.25))
        heard = line.read(4000)
        worst = max(worst, float(np.max(np.abs(heard - want)[200 if begin == 0 else 0 :])))
    assert worst < 1e-4
    assert line.dry == 0


def test_a_faster_loudspeaker_runs_dry() -> None:
    """Then its last 10 ms are heard again, and the echo is later by as much."""
    room = Room(replace(PLAIN, delay_ms=5.0, drift_ppm=1000))
    played = noise(3.0, 3000.0)
    heard = room.hear(played)
    assert room.dry == 1
    late = slice(2 * RATE_HZ + 3200, None)
    middle = 2.6 * RATE_HZ
    lag = measured_lag(played[late], heard[late])
    assert lag == pytest.approx(80 + 160 - middle / 1000, abs=8)


@pytest.mark.parametrize("level_dbfs", [-60.0, -40.0])
def test_the_noise_has_its_level(level_dbfs: float) -> None:
    """And falls with the frequency, and never repeats."""
    heard = Room(replace(PLAIN, noise_dbfs=level_dbfs)).hear(silence(20.0))
    assert level_db(heard) == pytest.approx(level_dbfs, abs=0.5)
    power = np.abs(np.fft.rfft(heard.astype(float))) ** 2
    assert power[20 * 200 : 20 * 400].mean() > 5 * power[20 * 4000 : 20 * 6000].mean()
    half = len(heard) // 2
    assert abs(np.corrcoef(heard[:half], heard[half:])[0, 1]) < 0.1


def test_without_distortion_it_is_linear() -> None:
    """The echo of a sum is the sum of the echoes, but for rounding."""
    one, other = noise(0.5, 2000.0), noise(0.5, 2000.0, seed=2)
    apart = Room(PLAIN).hear(one).astype(int) + Room(PLAIN).hear(other)
    assert np.max(np.abs(Room(PLAIN).hear(one + other) - apart)) <= 2


def test_distortion_adds_harmonics() -> None:
    """Odd and even ones, and the more the harder it is driven."""

    def harmonics(distortion: float) -> Floats:
        heard = Room(replace(PLAIN, distortion=distortion)).hear(tone(800, 0.3, 1.5))
        spectrum = np.abs(np.fft.rfft(heard[RATE_HZ // 2 :].astype(np.float64)))
        relative: Floats = spectrum[[800, 1600, 2400]] / spectrum[800]
        return relative

    none, mild, hard = harmonics(0.0), harmonics(0.1), harmonics(1.0)
    assert none[1] < 1e-3
    assert none[2] < 1e-3
    assert hard[1] > mild[1] > 0.002
    assert hard[2] > mild[2] > 0.002


@pytest.mark.parametrize(("distortion", "below_db"), [(0.05, 34), (0.1, 23), (0.3, 13), (1, 6)])
def test_distortion_is_as_deep_as_promised(distortion: float, below_db: float) -> None:
    """What no linear canceller can take away of speech at -20 dBFS, within 3 dB."""
    for voice in VOICES:
        clean = speech(voice) / FULL_SCALE
        driven = distorted(clean, distortion)
        rest = driven - clean * np.dot(clean, driven) / np.dot(clean, clean)
        depth_db = 10 * np.log10(np.var(driven) / np.var(rest))
        assert depth_db == pytest.approx(below_db, abs=3.0)


def test_a_headset_has_no_echo() -> None:
    """At least none that is louder than the room."""
    heard = Room(ROOMS["headset"]).hear(speech("en-gb"))
    assert level_db(heard) < -68


@pytest.mark.parametrize("delay_ms", [0.0, 2.9])
def test_a_delay_that_is_too_short_is_refused(delay_ms: float) -> None:
    """With the least that can be had."""
    with pytest.raises(ValueError, match=r"delay_ms .* is too short; 3 or more"):
        Room(replace(PLAIN, delay_ms=delay_ms))


# --- who else is in it ----------------------------------------------------------------------------


@pytest.mark.parametrize("reverberant", [True, False])
def test_a_voice_has_its_level_and_its_place(reverberant: bool) -> None:
    """The RMS of what is voiced, at the microphone; nothing sounds before its place."""
    room = Room(PLAIN)
    part = room.say(espeak(TEXT), 5000, -30, reverberant=reverberant)
    heard = room.hear(silence(len(part) / RATE_HZ + 1))
    assert not heard[:5000].any()
    assert 20 * np.log10(speech_level(heard / FULL_SCALE)) == pytest.approx(-30, abs=0.3)
    assert np.max(np.abs(heard[5000 : 5000 + len(part)] / FULL_SCALE - part)) < 1e-4
    assert not heard[5000 + len(part) :].any()


def test_a_voice_in_a_larger_room_lasts_longer() -> None:
    """Its reverberation is the room's."""
    said = {name: Room(ROOMS[name]).voice(espeak("hey jarvis"), -30) for name in ("small", "large")}
    assert len(said["large"]) > len(said["small"]) + RATE_HZ // 4


def test_voices_may_overlap() -> None:
    """Their sum is heard, over the echo."""
    both, one, other = Room(PLAIN), Room(PLAIN), Room(PLAIN)
    first, second = espeak("hey jarvis"), espeak("what time is it", "en-us+f3")
    for room in (both, one):
        room.say(first, 0, -30)
    for room in (both, other):
        room.say(second, 6000, -33)
    played = tone(300, 0.1, 2.0)
    echo = Room(PLAIN).hear(played).astype(int)
    want = one.hear(played).astype(int) + other.hear(played) - echo
    assert np.max(np.abs(both.hear(played) - want)) <= 2


def test_silence_said_stays_silent() -> None:
    """There is nothing to bring to a level."""
    room = Room(PLAIN)
    room.say(silence(0.5), 0, -20)
    room.say(silence(0.0), 0, -20, reverberant=False)
    assert not room.hear(silence(0.6)).any()


def test_what_is_past_cannot_be_said() -> None:
    """It names the place that comes next."""
    room = Room(PLAIN)
    room.hear(silence(0.1))
    with pytest.raises(ValueError, match="sample 1599 is past; the next one is 1600"):
        room.add(tone(440, 0.1, 0.1), 1599)
    room.say(espeak("hey jarvis"), 1600, -30)
    assert room.hear(silence(0.5)).any()
