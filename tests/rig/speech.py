"""Spoken test clips, synthesised by espeak-ng."""

from __future__ import annotations

import functools
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

RATE_HZ = 16_000


@functools.cache
def espeak(text: str, voice: str = "en-gb", wpm: int = 150) -> NDArray[np.int16]:
    """``text`` as int16 at 16 kHz, mono; the same array (read only) for the same arguments."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(wpm), "-w", str(path), text]
        subprocess.run(command, check=True, timeout=60)
        with wave.open(str(path)) as file:
            rate_hz = file.getframerate()
            spoken = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    resampled = np.asarray(soxr.resample(spoken, rate_hz, RATE_HZ), np.int16)
    resampled.flags.writeable = False
    return resampled


def silence(seconds: float) -> NDArray[np.int16]:
    """Digital silence."""
    return np.zeros(round(seconds * RATE_HZ), np.int16)


def noise(seconds: float, level: float = 1000.0, seed: int = 1) -> NDArray[np.int16]:
    """White noise of that standard deviation, in int16 steps."""
    samples = np.random.default_rng(seed).normal(0.0, level, round(seconds * RATE_HZ))
    return np.clip(samples, -32768, 32767).astype(np.int16)


def chatter() -> NDArray[np.int16]:
    """Six minutes of talk in which no wake word is said."""
    voices = ("en-gb", "en-us+f3", "en-gb-x-rp", "de")
    texts = [
        "The quick brown fox jumps over the lazy dog while seven wizards write to the jury.",
        "Please remind me to buy milk, bread, eggs and a box of large envelopes on the way home.",
        "Yesterday the harvest festival drew a crowd, and the jazz band played until midnight.",
        "Hey there Travis, have you heard that the service is late again because of the traffic?",
        "One two three four five six seven eight nine ten eleven twelve thirteen fourteen.",
        "I would like to hear some quiet music, and then the news, but not the weather, thank you.",
        "She said that the garden needs water, and that nobody had been there for a whole week.",
        "Hello, good morning. Is there any coffee left, or should I go and get some more of it?",
    ]
    spoken = [espeak(text, voice, wpm) for voice in voices for wpm in (140, 175) for text in texts]
    return np.concatenate(spoken)
