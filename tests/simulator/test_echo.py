"""The simulated microphone hears the simulated card through a room."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from device.audio.loudspeaker import Loudspeaker
from device.frames import Frame
from device.ports import OpenDevice
from device.simulator.acoustics import Acoustics
from device.simulator.echo import EchoedMicrophone, to_microphone_rate
from device.simulator.microphone import WavMicrophone
from device.simulator.room import RATE_HZ, Room
from device.simulator.sound_card import SimulatedCard
from tests.rig.acoustics import measured_lag
from tests.rig.speech import noise, silence

Samples = NDArray[np.int16]

PLAIN = Acoustics("plain", 100, 6.0, -6, 0.0, -200.0, 0)


def at_24_khz(hz: float, seconds: float) -> Samples:
    wave = np.sin(2 * np.pi * hz * np.arange(round(seconds * 24_000)) / 24_000)
    samples: Samples = np.rint(10_000 * wave).astype(np.int16)
    return samples


def test_the_loudspeakers_rate_becomes_the_microphones() -> None:
    """Any piece of it, silence around it, and nothing above the microphone's band."""
    played = at_24_khz(1000, 1.0)
    whole = to_microphone_rate(played, -100, 16_200)
    want = 10_000 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    assert not whole[:80].any()
    assert not whole[-80:].any()
    assert np.max(np.abs(whole[200:-200] - want[100:-100])) < 100
    assert np.array_equal(to_microphone_rate(played, 7001, 320), whole[7101:7421])
    assert np.max(np.abs(to_microphone_rate(at_24_khz(10_000, 1.0), 100, 8000))) < 100


async def test_a_simulated_microphone_hears_the_loudspeaker() -> None:
    """Through the room, together with what is said to it, and not while it is closed."""
    card = SimulatedCard(speed=8.0)
    speaker = Loudspeaker(card, 100)
    inner = WavMicrophone([silence(0.1).tobytes()], speed=8.0)
    # So long a way that a busy machine may be late by 200 ms of real time.
    microphone = EchoedMicrophone(inner, card, Room(PLAIN), latency_ms=1600)
    await microphone.open()
    before = [await microphone.read() for _ in range(5)]
    await speaker.open(lambda _news: None)
    pcm = np.repeat(noise(0.5, 3000.0), 2)[:12_000]
    speaker.play(pcm.tobytes(), 1)
    speaker.end_turn(1)
    during = [await microphone.read() for _ in range(200)]
    await microphone.close()
    await asyncio.sleep(0.4)  # three seconds of the microphone's time in which it is closed
    await microphone.open()
    after = await microphone.read()
    await microphone.close()
    await speaker.close()
    assert not any(np.frombuffer(frame.pcm, "<i2").any() for frame in before)
    heard = joined(during)
    played = to_microphone_rate(card.heard, 0, len(heard))
    echo = Room(replace(PLAIN, delay_ms=1600)).hear(played)
    lag = measured_lag(echo, heard)
    opened_s = (card.time_of(0) - during[0].captured_at) * 8.0
    assert lag == pytest.approx(opened_s * RATE_HZ + 320 + 6 * 16, abs=2)
    shifted = np.roll(heard, -lag)[: len(echo)].astype(float)
    assert np.corrcoef(echo, shifted)[0, 1] > 0.99
    assert after.first_sample > during[-1].end_sample
    assert microphone.counters["frames"] == 206
    name = "simulated microphone (WAV) in a simulated room"
    assert microphone.description == name
    assert microphone.device == OpenDevice(name, None, 0, 1, 16_000)


async def test_a_loop_that_is_held_up_leaves_no_hole_in_the_echo() -> None:
    """Whichever task is woken first, the card has played by then what the microphone hears."""
    card = SimulatedCard()
    speaker = Loudspeaker(card, 100)
    microphone = EchoedMicrophone(WavMicrophone(), card, Room(PLAIN), latency_ms=60)
    await microphone.open()
    await speaker.open(lambda _news: None)
    pcm = np.repeat(noise(1.5, 3000.0), 2)[:36_000]
    speaker.play(pcm.tobytes(), 1)
    speaker.end_turn(1)
    heard = []
    for number in range(90):
        heard.append(await microphone.read())
        if number % 15 == 5:
            hold_up(0.25)
    await microphone.close()
    await speaker.close()
    whole = joined(heard)
    echo = Room(replace(PLAIN, delay_ms=60)).hear(to_microphone_rate(card.heard, 0, len(whole)))
    lag = measured_lag(echo, whole)
    assert np.corrcoef(echo[: len(whole) - lag], whole[lag:])[0, 1] > 0.99


def hold_up(seconds: float) -> None:
    """Keep the event loop from everything else."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def joined(frames: list[Frame]) -> Samples:
    return np.frombuffer(b"".join(frame.pcm for frame in frames), "<i2").astype(np.int16)
