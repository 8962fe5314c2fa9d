"""What the quiet gate saves the wake word networks, and that it loses them no hit.

Run with ``-m benchmark -s``. Each call is scored twice from the same sound: by a `Hearing` that
looks at every hop, and by one that is told which are quiet, as the microphone does at rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from device.audio.capture_thread import QUIET_HOPS_AT_ONCE
from device.audio.quiet import QuietGate
from device.frames import FRAME_SAMPLES, HOP_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.news import Detection
from device.simulator.acoustics import at_level
from device.wake.worker import Hearing, Word
from tests.rig.overhearing import music, spoken, whole
from tests.rig.speech import chatter

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

Samples = npt.NDArray[np.int16]

VOICES = ("en-gb", "en-us", "en-us+f3", "en-gb+f5", "en-gb-x-rp", "en-gb-scotland", "en-us+m3")
SPEEDS_WPM = (130, 150, 175)
LEVELS_DBFS = (-22.0, -38.0, -56.0)
AROUND = ("nothing", "white", "fan", "fridge", "street", "rain", "music next door")
SNRS_DB = (20, 10, 3)
BEFORE_S, AFTER_S = 12.0, 2.0


def seconds(length: float) -> int:
    return round(length * MICROPHONE_RATE_HZ)


def shaped(samples: int, seed: int, slope: float) -> npt.NDArray[np.float64]:
    hz = np.fft.rfftfreq(samples, 1 / MICROPHONE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    return np.fft.irfft(spectrum / (hz + 20) ** slope, samples)


def around(kind: str, samples: int, seed: int) -> npt.NDArray[np.float64]:
    """What a room sounds like, without a level of its own."""
    random = np.random.default_rng(seed)
    time_s = np.arange(samples) / MICROPHONE_RATE_HZ
    match kind:
        case "fan":
            sound = shaped(samples, seed, 1.0)
        case "fridge":
            hum = sum(np.sin(2 * np.pi * 50 * n * time_s) / n**2 for n in range(1, 8))
            sound = hum + 0.05 * shaped(samples, seed, 0.5)
        case "street":
            passing = 1 + np.sin(2 * np.pi * time_s / 7 + seed) ** 4 * 3
            sound = shaped(samples, seed, 0.7) * passing
        case "rain":
            drops = (random.random(samples) < 0.002) * random.standard_normal(samples)
            sound = drops + 0.01 * random.standard_normal(samples)
        case "music next door":
            # Walls let the lower half through.
            heard = np.fft.rfft(np.resize(music(16.0), samples).astype(np.float64))
            heard[np.fft.rfftfreq(samples, 1 / MICROPHONE_RATE_HZ) > 600] *= 0.05
            sound = np.fft.irfft(heard, samples)
        case _:
            sound = random.standard_normal(samples)
    return np.asarray(sound, np.float64)


def room(call: Samples, level_dbfs: float, kind: str, snr_db: float, seed: int) -> Samples:
    """Twelve seconds of the room, and then the call in it."""
    samples = seconds(BEFORE_S) + len(call) + seconds(AFTER_S)
    samples += -samples % HOP_SAMPLES
    noise_dbfs = -85.0 if kind == "nothing" else level_dbfs - snr_db
    sound = at_level(around(kind, samples, seed), noise_dbfs)
    said = at_level(call / 32768, level_dbfs)
    sound[seconds(BEFORE_S) :][: len(said)] += said
    return whole(sound)


def frames(sound: Samples, *, gated: bool) -> Iterator[Frame]:
    """As the microphone gives them: a hop at a time, or two while it is quiet."""
    gate = QuietGate()
    begin, quiet = 0, False
    while begin < len(sound):
        end = begin + HOP_SAMPLES * (QUIET_HOPS_AT_ONCE if quiet else 1)
        heard = sound[begin:end]
        quiet = gated and gate.hear(heard[: len(heard) // HOP_SAMPLES * HOP_SAMPLES])
        for first in range(begin, begin + len(heard), FRAME_SAMPLES):
            pcm = sound[first : first + FRAME_SAMPLES].tobytes()
            yield Frame(pcm, first, 0.0, quiet=quiet)
        begin = end


class Ear:
    """Networks that are loaded once and hear one sound after another."""

    def __init__(self, *, gated: bool) -> None:
        self._gated = gated
        self.hearing = Hearing([Word("hey_jarvis", 0.5)], 1, 2.0, 700)
        self._position = 0

    def detections(self, sound: Samples) -> list[tuple[float, int]]:
        """Score and place of each wake."""
        offset = self._position
        news = itertools.chain.from_iterable(
            self.hearing.hear(
                replace(frame, first_sample=offset + frame.first_sample), track_speech=False
            )
            for frame in frames(sound, gated=self._gated)
        )
        found = [
            (each.score, each.end_sample - offset) for each in news if isinstance(each, Detection)
        ]
        # A gap of a minute, on the grid of the hops: each sound is a stream of its own.
        self._position += len(sound) + 60 * MICROPHONE_RATE_HZ
        return found


def test_no_hit_is_lost_none_comes_later_and_none_has_another_score() -> None:
    """Of each kind of noise: hits with all hops and with the gate, and what the gate leaves out."""
    open_ear, gated_ear = Ear(gated=False), Ear(gated=True)
    trials = found = same = 0
    print(f"\n{'around':18}{'SNR dB':>8}{'calls':>8}{'hits':>8}{'gated':>8}{'left out':>10}")
    for kind, snr_db in itertools.product(AROUND, SNRS_DB):
        if kind == "nothing" and snr_db != SNRS_DB[0]:
            continue
        hits = with_gate = calls = 0
        hops_before, quiet_before = gated_ear.hearing.hops, gated_ear.hearing.quiet_hops
        for number, (voice, wpm, level_dbfs) in enumerate(
            itertools.product(VOICES, SPEEDS_WPM, LEVELS_DBFS)
        ):
            sound = room(spoken("hey jarvis", voice, wpm), level_dbfs, kind, snr_db, number)
            expected, got = open_ear.detections(sound), gated_ear.detections(sound)
            calls += 1
            hits += bool(expected)
            with_gate += bool(got)
            same += expected == got
        quiet = gated_ear.hearing.quiet_hops - quiet_before
        looked = gated_ear.hearing.hops - hops_before
        trials, found = trials + calls, found + hits
        shown = f"{snr_db if kind != 'nothing' else '-':>8}{calls:8}{hits:8}{with_gate:8}"
        print(f"{kind:18}{shown}{100 * quiet / (quiet + looked):9.0f}%")
        assert with_gate == hits
    print(f"{trials} calls, {found} hits; the same wakes to the bit and the hop in {same}")


def test_what_it_leaves_out_of_talk() -> None:
    """People who talk with pauses of a breath: nearly every hop has to be looked at."""
    talk = chatter()
    gate = QuietGate()
    hops = talk[: len(talk) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    print(
        f"\n{100 * np.mean([gate.hear(hop) for hop in hops]):.0f} % of the hops of talk are quiet"
    )
