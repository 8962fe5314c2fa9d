"""A sound card below PortAudio's calls: it is listed under any name, records noise, takes all."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from device.audio import portaudio
from device.audio.devices import Device, Direction, Layout

CAPACITY_SAMPLES = 960


class ListedCard:
    """The only device of its PortAudio, which opens as it is first asked to."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make it what this process's sound goes to."""

        @contextmanager
        def running() -> Iterator[ListedCard]:
            yield self

        monkeypatch.setattr(portaudio, "running", running)

    def devices(self) -> list[Device]:
        return [self.device]

    @contextmanager
    def stream(
        self, _device: Device, _direction: Direction, layouts: Sequence[Layout], _period_ms: int
    ) -> Iterator[tuple[_Stream, Layout]]:
        yield _Stream(layouts[0]), layouts[0]


class _Stream:
    """Takes and gives samples at the pace of its rate."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._noise = random.Random(1)

    def get_read_available(self) -> int:
        return CAPACITY_SAMPLES

    def read(self, samples: int, *, exception_on_overflow: bool) -> bytes:
        time.sleep(samples / self._layout.rate_hz)
        return self._noise.randbytes(samples * self._layout.channels * self._layout.sample_bytes)

    def get_write_available(self) -> int:
        return CAPACITY_SAMPLES

    def write(self, data: bytes) -> None:
        samples = len(data) // self._layout.channels // self._layout.sample_bytes
        time.sleep(samples / self._layout.rate_hz)
