"""The room between the sound server's two sinks lets the microphone hear the loudspeaker."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from device.simulator.acoustics import ROOMS, at_level, speech_level
from device.simulator.room import FULL_SCALE, RATE_HZ
from tests.rig.acoustics import Echo, level_db, measured_lag
from tests.rig.sound import SoundServer, wait_until
from tests.rig.speech import espeak, noise, silence

Samples = NDArray[np.int16]

QUIET = replace(ROOMS["medium"], noise_dbfs=-90.0, drift_ppm=0.0)
LONGEST_DELAY_MS = 150
CLICKS = 8
TRIES = 3
"""On a machine that does other things as well."""


@pytest.fixture
def sound() -> Iterator[SoundServer]:
    with SoundServer() as server:
        yield server


def play(sound: SoundServer, samples: Samples) -> None:
    """Play through the loudspeaker, 16 kHz mono; returns when all of it was taken."""
    command = ["pacat", "--playback", "--device=speaker", "--rate=16000", "--channels=1"]
    subprocess.run(
        [*command, "--format=s16le", "--raw", "--latency-msec=40"],
        input=samples.astype("<i2").tobytes(),
        env={**os.environ, **sound.environment},
        check=True,
        timeout=60,
    )


def heard_by_both(sound: SoundServer, samples: Samples) -> tuple[Samples, Samples, float]:
    """What loudspeaker and microphone took (16 kHz), and how much later the second began, in ms."""
    with sound.recorder("speaker") as far, sound.recorder("mic") as near:
        play(sound, np.concatenate([silence(1.0), samples, silence(0.2)]))
        end = near.samples().shape[0] + RATE_HZ
        wait_until(lambda: near.samples().shape[0] > end, "the last of the echo", 10)
    played = soxr.resample(far.samples()[:, 0], far.rate_hz, RATE_HZ)
    return played, near.samples()[:, 0], (near.start_time - far.start_time) * 1000


def starts(samples: Samples) -> list[int]:
    """Where it becomes loud after half a second of silence."""
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 1500)
    after_silence = np.diff(loud, prepend=-RATE_HZ) > RATE_HZ // 2
    found: list[int] = loud[after_silence].tolist()
    return found


def measure_delay(sound: SoundServer) -> tuple[set[int], float, int]:
    """The lags of all clicks in samples, the delay in ms, and how often something ran dry."""
    burst = np.concatenate([noise(0.05, 6000.0), silence(0.95)])
    with Echo(sound, QUIET) as echo:
        played, heard, apart_ms = heard_by_both(sound, np.tile(burst, CLICKS))
        underruns = echo.underruns
    lags = [
        measured_lag(played[at - 50 : at + 850], heard[at - 4000 : at + 7000]) - 3950
        for at in starts(played)
    ]
    assert len(lags) == CLICKS
    return set(lags), lags[0] / 16 + apart_ms, underruns


def test_the_echo_comes_after_a_constant_delay(sound: SoundServer) -> None:
    """Below 150 ms in all, and to the sample the same for as long as nothing ran dry."""
    for _ in range(TRIES):
        lags, delay_ms, underruns = measure_delay(sound)
        assert len(lags) <= 1 + underruns
        if not underruns:
            break
    else:
        pytest.skip(f"the machine is too busy: something ran dry in each of {TRIES} tries")
    assert QUIET.delay_ms < delay_ms < LONGEST_DELAY_MS


def test_speech_is_heard_at_the_rooms_level(sound: SoundServer) -> None:
    """What the loudspeaker says comes back 10 dB weaker."""
    said = at_level(espeak("good morning, this is the loudspeaker speaking") / FULL_SCALE, -20)
    with Echo(sound, QUIET):
        played, heard, _ = heard_by_both(sound, (said * FULL_SCALE).astype(np.int16))
    gain_db = level_db(heard) - level_db(played)
    lengths_db = 10 * np.log10(len(heard) / len(played))
    assert gain_db + lengths_db == pytest.approx(QUIET.echo_gain_db, abs=1.5)


def test_a_person_is_heard_at_the_level_asked_for(sound: SoundServer) -> None:
    """With the room's own noise around it."""
    with Echo(sound, "small") as echo, sound.recorder("mic") as near:
        wait_until(lambda: near.samples().shape[0] > RATE_HZ, "a second of noise", 10)
        before = near.samples()[: RATE_HZ // 2, 0]
        sound.speak(echo.voice(espeak("hey jarvis").tobytes(), -30))
        heard = near.samples()[:, 0]
    assert level_db(before) == pytest.approx(ROOMS["small"].noise_dbfs, abs=1.5)
    assert 20 * np.log10(speech_level(heard / FULL_SCALE)) == pytest.approx(-30, abs=1.0)


def test_a_room_that_cannot_be_is_noticed(sound: SoundServer) -> None:
    """At once, not after the time to wait."""
    with pytest.raises(AssertionError, match="ended at its start"):
        Echo(sound, replace(QUIET, delay_ms=0.0)).__enter__()
