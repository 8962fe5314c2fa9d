"""A whole room for the real daemon: a sound server, a stand-in Live server and speech to say."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from device.audio.chimes import alarm_gain, render
from device.simulator.certificate import Certificate
from device.simulator.script import Script
from tests.rig.daemon import Daemon, NothingHappenedError
from tests.rig.server import ServerThread
from tests.rig.sound import Recorder, SoundServer, espeak

CONFIG: dict[str, Any] = {
    "audio": {"echo_cancellation": "off", "duplex": "full", "volume": 100, "chimes": False},
    "conversation": {"follow_up_s": 3.0, "session_keep_s": 60, "reply_timeout_s": 10},
}

CALLS = 3
CALL_AGAIN_S = 10.0
"""Whoever is not heard by then calls once more: a machine may have stood still."""
CALL_OVER_S = 4.0
"""The same over a reply, which will be over."""

NOISE = 3
"""Peak of the noise under all speech: no stretch of it repeats, so nothing can hide in silence."""


@functools.cache
def spoken(text: str, *, before_ms: int = 300, after_ms: int = 1200) -> bytes:
    """A sentence as the microphone hears it: s16le mono 16 kHz, with a little noise all along."""
    voice = np.frombuffer(espeak(text), "<i2").astype(np.int32)
    samples = np.pad(voice, (16 * before_ms, 16 * after_ms))
    noise = np.random.default_rng(len(text)).integers(-NOISE, NOISE + 1, len(samples))
    return bytes(np.clip(samples + noise, -32768, 32767).astype("<i2").tobytes())


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


class Room:
    """Everything around one running speaker."""

    def __init__(self, sound: SoundServer, server: ServerThread, daemon: Daemon) -> None:
        self.sound = sound
        self.server = server
        self.daemon = daemon

    def say(self, text: str, **pauses: int) -> bytes:
        """Speak into the microphone; returns what was fed when all of it was taken."""
        pcm = spoken(text, **pauses)
        self.sound.speak(pcm)
        return pcm

    def wake_and_ask(
        self,
        text: str = "hey jarvis, what is the weather in Berlin",
        *,
        patience_s: float = CALL_AGAIN_S,
        **pauses: int,
    ) -> bytes:
        """Say what begins with a wake word, again when it is not heard, at most `CALLS` times.

        A person would, too. It fails where none of them is heard. ``patience_s``: until the next.
        Returns what was fed last.
        """
        after = self.daemon.here
        for _ in range(CALLS - 1):
            pcm = self.say(text, **pauses)
            with suppress(NothingHappenedError):
                self.daemon.event("wake", after=after, timeout=patience_s)
                return pcm
        pcm = self.say(text, **pauses)
        self.daemon.event("wake", after=after)
        return pcm


@contextmanager
def open_room(
    script: Script | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    key: str | None = "test-key",
    wait_ready: bool = True,
    daemon: type[Daemon] = Daemon,
    certificate: Certificate | None = None,
) -> Iterator[Room]:
    """Start it all, the speaker last; end it all."""
    with ExitStack() as stack:
        sound = stack.enter_context(SoundServer())
        server = stack.enter_context(ServerThread(script, certificate=certificate))
        settings = merged(merged(CONFIG, {"live": {"endpoint": server.url}}), config or {})
        environment = {**sound.environment, "SSL_CERT_FILE": str(server.certificate)}
        speaker = daemon(settings, environment, key=key, wait_ready=wait_ready)
        yield Room(sound, server, stack.enter_context(speaker))


def loud(recorder: Recorder, since: float = 0.0, threshold: int = 300) -> list[tuple[float, float]]:
    """When the loudspeaker was audible: 10 ms blocks above a peak, joined over gaps of 60 ms."""
    block = recorder.rate_hz // 100
    samples = recorder.samples()[:, 0].astype(np.int32)
    samples = samples[: len(samples) // block * block].reshape(-1, block)
    stretches: list[tuple[float, float]] = []
    for index in np.flatnonzero(np.abs(samples).max(axis=1) > threshold).tolist():
        begin, end = recorder.time_of(index * block), recorder.time_of((index + 1) * block)
        if end < since:
            continue
        if stretches and begin - stretches[-1][1] < 0.06:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((begin, end))
    return stretches


def alarms(recorder: Recorder, *, likeness: float = 0.9, above_hz: float = 0.0) -> list[float]:
    """When an alarm began in what the card was given: the notes themselves are looked for.

    ``likeness``: correlation with them; less where a card that ran dry may have cut them in two.
    ``above_hz``: nothing lower is listened to, such as a reply that is a tone.
    """
    alarm = render("alarm", recorder.rate_hz, alarm_gain(0.0)).astype(np.float64)
    return _places(recorder, alarm, likeness, above_hz)


def shutters(recorder: Recorder) -> list[float]:
    """When the shutter clicked in what the card was given; a reply that is a tone is lower."""
    clicks = render("shutter", recorder.rate_hz).astype(np.float64)
    return _places(recorder, clicks, 0.8, 1500.0)


def _places(
    recorder: Recorder, alarm: npt.NDArray[np.float64], likeness: float, above_hz: float
) -> list[float]:
    samples = recorder.samples()[:, 0].astype(np.float64)
    if len(samples) <= len(alarm):
        return []
    size = 1 << (len(samples) + len(alarm)).bit_length()
    spectrum = np.fft.rfft(samples, size)
    spectrum[: round(above_hz * size / recorder.rate_hz)] = 0.0
    samples = np.fft.irfft(spectrum, size)[: len(samples)]
    spectrum *= np.conj(np.fft.rfft(alarm, size))
    like = np.fft.irfft(spectrum, size)[: len(samples) - len(alarm)]
    energy = np.cumsum(np.concatenate(([0.0], samples**2)))
    power = energy[len(alarm) : len(alarm) + len(like)] - energy[: len(like)]
    like /= np.sqrt(np.maximum(power, 1.0)) * np.linalg.norm(alarm)
    found: list[float] = []
    while (place := int(np.argmax(like))) and like[place] > likeness:
        found.append(recorder.time_of(place))
        near = recorder.rate_hz // 2
        like[max(0, place - near) : place + near] = 0.0
    return sorted(found)


PIECE_S = 0.5


def similarity(recorder: Recorder, pcm: bytes, rate_hz: int) -> float:
    """How much of PCM is in what was recorded: the median correlation of its half seconds.

    Each piece is looked for by itself, so a card that ran dry on a busy machine costs one piece.
    """
    want = soxr.resample(np.frombuffer(pcm, "<i2").astype(np.float32), rate_hz, recorder.rate_hz)
    have = recorder.samples()[:, 0].astype(np.float32)
    pieces = np.array_split(want, round(len(want) / recorder.rate_hz / PIECE_S))
    return float(np.median([_best_match(have, piece) for piece in pieces]))


def _best_match(have: npt.NDArray[np.float32], want: npt.NDArray[np.float32]) -> float:
    size = 1 << (len(have) + len(want)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(have, size) * np.conj(np.fft.rfft(want, size)), size)
    place = int(np.argmax(cross[: len(have)]))
    found = have[place : place + len(want)]
    norm = float(np.linalg.norm(found) * np.linalg.norm(want))
    return float(cross[place]) / norm if norm else 0.0
