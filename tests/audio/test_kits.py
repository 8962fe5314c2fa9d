"""Cards as the boards have them, below PortAudio's calls: formats, channels and who goes first."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from device.audio import portaudio
from device.audio.devices import CardFacts, Device, Direction, Layout
from device.audio.loudspeaker import Loudspeaker
from device.audio.microphone import PortAudioMicrophone
from device.audio.playback_thread import PortAudioCard
from device.errors import AudioDeviceError, DeviceTrouble

Recording = npt.NDArray[np.int32]
BLOCK = 960


class Kit:
    """A card of one rate and one channel count, as PortAudio gives it to us.

    ``sound``: what it records, samples by channels, in its own format of ``sample_bytes``. A
    program that asks for 32 of its 16 bit gets them with zeros below, as PortAudio makes them.
    """

    def __init__(
        self, name: str, rate_hz: int, sound: Recording, sample_bytes: int, outputs: int = 0
    ) -> None:
        channels = sound.shape[1]
        self.device = Device(name, 0, channels, outputs, rate_hz, "ALSA")
        self.log: list[str] = []
        self.asked: list[Layout] = []
        self.written: list[bytes] = []
        self.wrote = threading.Event()
        self.go = threading.Event()
        self._rate_hz = rate_hz
        self._sound = sound
        self._sample_bytes = sample_bytes
        self._outputs = outputs

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        @contextmanager
        def running() -> Iterator[Kit]:
            yield self

        monkeypatch.setattr(portaudio, "running", running)

    def devices(self) -> list[Device]:
        return [self.device]

    @contextmanager
    def stream(
        self, _device: Device, direction: Direction, layouts: Sequence[Layout], _period_ms: int
    ) -> Iterator[tuple[Any, Layout]]:
        layout = next(layout for layout in layouts if self._takes(layout, direction))
        self.asked.append(layout)
        self.log.append(f"{direction} opens")
        each = layout.channels * layout.sample_bytes
        side = (
            _Recording(self._as(layout), each, self.go) if direction == "input" else _Playing(self)
        )
        try:
            yield side, layout
        finally:
            self.log.append(f"{direction} closes")

    def _takes(self, layout: Layout, direction: Direction) -> bool:
        return layout.rate_hz == self._rate_hz and layout.channels == (
            self._sound.shape[1] if direction == "input" else self._outputs
        )

    def _as(self, layout: Layout) -> bytes:
        shift = 8 * (layout.sample_bytes - self._sample_bytes)
        assert shift >= 0, "PortAudio would add dither here"
        return (self._sound << shift).astype(f"<i{layout.sample_bytes}").tobytes()


@dataclass
class _Recording:
    sound: bytes
    frame_bytes: int
    go: threading.Event

    def get_read_available(self) -> int:
        assert self.go.wait(10)
        return BLOCK

    def read(self, samples: int, *, exception_on_overflow: bool) -> bytes:
        if not self.sound:
            raise AudioDeviceError(DeviceTrouble.LOST, "unplugged")
        taken = samples * self.frame_bytes
        data, self.sound = self.sound[:taken], self.sound[taken:]
        return data


class _Playing:
    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._free = BLOCK

    def get_write_available(self) -> int:
        return self._free

    def write(self, data: bytes) -> None:
        self._free = 0
        self._kit.written.append(data)
        self._kit.wrote.set()


def recorded(channels: int, samples: int, bits: int) -> Recording:
    limit = 1 << (bits - 1)
    rng = np.random.default_rng(channels)
    return rng.integers(-limit, limit, (samples, channels), dtype=np.int64).astype(np.int32)


async def heard(kit: Kit, monkeypatch: pytest.MonkeyPatch, facts: CardFacts) -> npt.NDArray[Any]:
    """What the microphone gives until the card has no more."""
    kit.install(monkeypatch)
    microphone = PortAudioMicrophone(facts=lambda _device: facts)
    await microphone.open()
    kit.go.set()
    frames = []
    with contextlib.suppress(AudioDeviceError):
        while True:
            frames.append((await microphone.read()).pcm)
    await microphone.close()
    return np.frombuffer(b"".join(frames), "<i2")


@pytest.mark.parametrize(
    ("name", "channels", "bytes_each", "chosen"),
    [
        ("seeed2micvoicec: wm8960 (hw:1,0)", 2, 2, 0),
        ("seeed2micvoicec: wm8960 (hw:1,0)", 2, 4, 0),
        ("seeed-4mic-voicecard: - (hw:1,0)", 4, 4, 0),
        ("ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)", 6, 2, 0),
        ("ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)", 1, 2, 0),
        ("ReSpeaker Lite: USB Audio (hw:2,0)", 2, 2, 0),
        ("reSpeaker XVF3800 4-Mic Array: USB Audio (hw:2,0)", 2, 2, 1),
        ("reSpeaker XVF3800 4-Mic Array: USB Audio (hw:2,0)", 6, 4, 1),
    ],
)
async def test_a_16_khz_card_s_channel_arrives_bit_for_bit(
    monkeypatch: pytest.MonkeyPatch, name: str, channels: int, bytes_each: int, chosen: int
) -> None:
    """Of a 32 bit card its upper half; nothing is resampled, dithered or mixed."""
    sound = recorded(channels, 8 * 320, 8 * bytes_each)
    kit = Kit(name, 16_000, sound, bytes_each)
    taken = await heard(kit, monkeypatch, CardFacts(chosen, (16_000,)))
    assert kit.asked == [Layout(16_000, channels, 4)]
    expected = sound[:, chosen] >> (8 * bytes_each - 16)
    assert np.array_equal(taken, expected)


async def test_eight_channels_of_32_bit_at_48_khz_become_one_at_16_khz(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The AC108 kits; the loopback beside it is not heard."""
    time_s = np.arange(48_000) / 48_000
    spoken = 9000 * np.sin(2 * np.pi * (300 + 500 * time_s) * time_s)
    sound = np.zeros((48_000, 8), np.int32)
    sound[:, 0] = spoken.astype(np.int32) << 16
    sound[:, 6:] = (9000 * np.sin(2 * np.pi * 3100 * time_s)).astype(np.int32)[:, None] << 16
    kit = Kit("seeed-8mic-voicecard: - (hw:1,0)", 48_000, sound, 4)
    taken = (await heard(kit, monkeypatch, CardFacts(0, (48_000,)))).astype(float)
    assert kit.asked == [Layout(48_000, 8, 4)]
    expected = soxr.resample(spoken, 48_000, 16_000)[: len(taken)]
    assert len(taken) > 15_000
    assert np.corrcoef(taken, expected)[0, 1] > 0.99


FIRST = CardFacts(0, (48_000,), 8, capture_first=True)


async def test_a_kit_records_before_it_plays_on_all_its_channels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when the loudspeaker was asked for first, and when the microphone is opened again."""
    sound = np.zeros((480_000, 8), np.int32)
    kit = Kit("seeed-8mic-voicecard: - (hw:1,0)", 48_000, sound, 4, outputs=8)
    kit.install(monkeypatch)
    monkeypatch.setattr(_Recording, "get_read_available", lambda _side: 0)
    speaker = Loudspeaker(PortAudioCard(facts=lambda _device: FIRST))
    microphone = PortAudioMicrophone(facts=lambda _device: FIRST)
    opening = asyncio.create_task(speaker.open(lambda _news: None))
    await microphone.open()
    await opening
    assert kit.log == ["input opens", "output opens"]
    assert kit.asked == [Layout(48_000, 8, 4), Layout(48_000, 8, 2)]
    assert await asyncio.to_thread(kit.wrote.wait, 10)
    assert len(kit.written[0]) % (8 * 2) == 0

    kit.wrote.clear()
    await microphone.close()
    await microphone.open()
    assert await asyncio.to_thread(kit.wrote.wait, 10)
    assert kit.log[2:] == ["input closes", "output closes", "input opens", "output opens"]
    await speaker.close()
    await microphone.close()
