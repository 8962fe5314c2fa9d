"""The short sounds of our own."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from device.audio.chimes import ALARM_EVERY_S, ALARM_RISES_S, CHIMES, alarm_gain, render
from tests.rig.sound import espeak
from tests.rig.sound_fixtures import SpeechProbability

LONGEST_S = {"wake": 0.2, "end": 0.2, "error": 0.35}
ERRORS = [name for name in CHIMES if name.startswith("error")]
RATES_HZ = [16_000, 24_000, 44_100, 48_000]
Floats = npt.NDArray[np.float32]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("name", CHIMES)
def test_it_is_short_quiet_and_soft_at_both_ends(name: str, rate_hz: int) -> None:
    """No click, no clipping, no offset: it may be heard often and late at night."""
    sound = render(name, rate_hz)
    assert len(sound) / rate_hz <= LONGEST_S.get(name, 0.7)
    assert np.max(np.abs(sound)) == pytest.approx(0.2, abs=0.001)
    assert abs(np.mean(sound)) < 0.001
    assert np.abs(sound[0]) < 0.001
    assert np.abs(sound[-1]) < 0.002
    assert np.max(np.abs(sound[: rate_hz // 1000])) < 0.02


@pytest.mark.parametrize("name", CHIMES)
def test_it_sounds_the_same_at_every_rate(name: str) -> None:
    """The pitch is in hertz, not in samples."""
    centroids = [_centroid_hz(render(name, rate_hz), rate_hz) for rate_hz in RATES_HZ]
    assert max(centroids) - min(centroids) < 20


def test_they_are_told_apart_by_the_way_they_move() -> None:
    """Up: I listen. Down: it is over. One note and no other: it did not work."""

    def movement(name: str) -> float:
        sound = render(name, 16_000)
        half = len(sound) // 2
        return _centroid_hz(sound[half:], 16_000) / _centroid_hz(sound[:half], 16_000)

    assert len(render("shutter", 16_000)) / 16_000 < 0.12, "clicks, not notes"
    assert movement("wake") > 1.2
    assert movement("end") < 0.8
    for name in ERRORS:
        assert movement(name) == pytest.approx(1, abs=0.05)


def test_an_alarm_leaves_room_for_a_word_between_two_of_it() -> None:
    """More than half of the time is silence, and it climbs as no other does."""
    alarm = render("alarm", 16_000)
    assert len(alarm) / 16_000 < ALARM_EVERY_S / 2
    pitches_hz = [note.pitch_hz for note in CHIMES["alarm"]]
    assert pitches_hz == sorted(pitches_hz)
    assert len(pitches_hz) == 4


def test_an_alarm_rises_to_its_full_loudness_and_stays_there() -> None:
    """Softer than the other chimes at first, louder in the end, by the same step each second."""
    gains = [alarm_gain(second) for second in (0, *range(1, 41))]
    steps = [later / earlier for earlier, later in itertools.pairwise(gains)]
    assert gains[0] == pytest.approx(0.178, abs=0.01)
    assert steps[: int(ALARM_RISES_S)] == pytest.approx([steps[0]] * int(ALARM_RISES_S))
    assert steps[0] > 1.1
    assert gains[int(ALARM_RISES_S) :] == pytest.approx([1.41] * 21, abs=0.01)
    assert alarm_gain(-1.0) == gains[0]


@pytest.mark.parametrize("gain", [0.25, 2.0])
def test_a_gain_changes_nothing_but_the_loudness(gain: float) -> None:
    """Nothing is clipped at the loudest."""
    sound = render("alarm", 16_000, gain)
    assert np.max(np.abs(sound)) == pytest.approx(0.2 * gain, abs=0.001)
    assert sound == pytest.approx(render("alarm", 16_000) * gain, abs=1e-6)


def test_what_did_not_work_is_told_by_how_often_and_how_long_it_sounds() -> None:
    """Nobody has to know a pitch: notes with silence between can be counted."""

    def notes_ms(name: str) -> list[int]:
        windows = render(name, 16_000)
        windows = windows[: len(windows) // 160 * 160].reshape(-1, 160)
        sounding = np.max(np.abs(windows), axis=1) > 0.002
        return [10 * len(list(run)) for on, run in itertools.groupby(sounding) if on]

    rhythms = {
        name: ["long" if length_ms >= 300 else "short" for length_ms in notes_ms(name)]
        for name in ERRORS
    }
    assert rhythms == {
        "error": ["short"] * 2,
        "error_network": ["short"] * 3,
        "error_account": ["long", "short"],
        "error_service": ["long"],
    }


def test_no_two_errors_have_the_same_pitch() -> None:
    """Two semitones apart at least, and none so low that it passes for a voice."""
    pitches_hz = sorted(CHIMES[name][0].pitch_hz for name in ERRORS)
    assert all(higher / lower > 1.12 for lower, higher in itertools.pairwise(pitches_hz))
    assert all(note.pitch_hz > 850 for notes in CHIMES.values() for note in notes)


def _centroid_hz(sound: Floats, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    return float(np.sum(np.fft.rfftfreq(len(sound), 1 / rate_hz) * spectrum) / np.sum(spectrum))


@pytest.mark.parametrize("name", CHIMES)
@pytest.mark.parametrize("level", [4.0, 1.0, 0.3, 0.1, 0.03])
def test_it_is_never_taken_for_speech(
    name: str, level: float, speech_probability: SpeechProbability
) -> None:
    """Heard by the microphone, loud or from afar, it starts no turn of the user."""
    quiet = np.zeros(8000, np.float32)
    hiss = np.random.default_rng(2).normal(0, 0.0005, 8000).astype(np.float32)
    for around in (quiet, hiss):
        sound = np.concatenate([around, render(name, 16_000) * np.float32(level), around])
        assert speech_probability(sound) < 0.5


def test_speech_is_taken_for_speech(speech_probability: SpeechProbability) -> None:
    """The judge of the test above is not deaf."""
    spoken = _floats(espeak("hello there, how are you"))
    assert speech_probability(spoken) > 0.8


def _floats(pcm: bytes) -> Floats:
    floats: Floats = (np.frombuffer(pcm, "<i2") / 32_768).astype(np.float32)
    return floats
