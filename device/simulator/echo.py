"""`EchoedMicrophone` hears a simulated loudspeaker through a room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ, REPLY_RATE_HZ, Frame
from device.ports import OpenDevice
from device.simulator.microphone import WavMicrophone
from device.simulator.room import Room
from device.simulator.sound_card import SimulatedCard

Samples = NDArray[np.int16]

LONGEST_GAP = 2 * MICROPHONE_RATE_HZ
"""Of what was played while the microphone was closed nothing older can still be heard."""
REACH = 24
"""Samples of the loudspeaker on each side that make one of the microphone."""


class EchoedMicrophone:
    """A :class:`device.ports.Microphone`: what another one hears, and what a card plays.

    The echo comes ``latency_ms`` and the room's delay after the card took a sample. Everything that
    was played is looked through for each frame, so it is for minutes, not for days.
    """

    def __init__(
        self, microphone: WavMicrophone, card: SimulatedCard, room: Room, *, latency_ms: int = 60
    ) -> None:
        self._microphone = microphone
        self._card = card
        self._room = room
        self._latency_ms = latency_ms
        self._heard_to = 0
        self.taps = microphone.taps

    @property
    def device(self) -> OpenDevice | None:
        """The microphone inside, under the name of this one."""
        inside = self._microphone.device
        return None if inside is None else replace(inside, name=self.description)

    @property
    def description(self) -> str:
        """What it is, for status and messages."""
        return f"{self._microphone.description} in a simulated room"

    @property
    def counters(self) -> Mapping[str, int]:
        """Those of the microphone inside."""
        return self._microphone.counters

    def rest(self, on: bool) -> None:
        """Pass it on."""
        self._microphone.rest(on)

    async def open(self) -> None:
        """Begin to hear, as :class:`device.ports.Microphone` says."""
        await self._microphone.open()

    async def read(self) -> Frame:
        """Wait for the next frame, as :class:`device.ports.Microphone` says."""
        frame = await self._microphone.read()
        # A loop that was held up may wake this task before the card's: the echo would have a hole.
        self._card.catch_up()
        missed = min(frame.end_sample - self._heard_to, LONGEST_GAP)
        self._heard_to = frame.end_sample
        echo = self._room.hear(self._played(missed, frame.captured_at))[-FRAME_SAMPLES:]
        mixed = np.frombuffer(frame.pcm, "<i2").astype(np.int32) + echo
        return replace(frame, pcm=np.clip(mixed, -32_768, 32_767).astype("<i2").tobytes())

    async def close(self) -> None:
        """Stop hearing; harmless when closed."""
        await self._microphone.close()

    def _played(self, count: int, until: float) -> Samples:
        """Return the last samples that were heard until then, at the microphone's rate."""
        began = self._card.time_of(0)
        second = self._card.time_of(REPLY_RATE_HZ) - began
        if not second:
            return np.zeros(count, np.int16)
        end_s = (until - began) / second - self._latency_ms / 1000
        end = round(end_s * MICROPHONE_RATE_HZ)
        return to_microphone_rate(self._card.heard, end - count, count)


def to_microphone_rate(played: Samples, begin: int, count: int) -> Samples:
    """Return samples of what was played (24 kHz) from a place on, counted at 16 kHz.

    There is silence before its first sample and after its last one.
    """
    whole, half = np.divmod(3 * np.arange(begin, begin + count), 2)
    first = int(whole[0]) - REACH
    last = int(whole[-1]) + REACH + 1
    inside = played[max(0, first) : max(0, last)]
    around = np.zeros(last - first)
    around[max(0, -first) : max(0, -first) + len(inside)] = inside
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * REACH + 1)[whole - whole[0]]
    resampled = np.einsum("st,st->s", windows, _KERNELS[half])
    rounded: Samples = np.clip(np.rint(resampled), -32_768, 32_767).astype(np.int16)
    return rounded


def _kernels() -> NDArray[np.float64]:
    """Low pass at 7.5 kHz around a sample of the loudspeaker, and half a sample after it."""
    distance = np.arange(-REACH, REACH + 1)[None, :] - np.array([[0.0], [0.5]])
    kernels = np.sinc(distance * 0.625) * np.cos(np.pi * distance / (2 * REACH + 2)) ** 2
    normalised: NDArray[np.float64] = kernels / kernels.sum(axis=1, keepdims=True)
    return normalised


_KERNELS = _kernels()
