"""A sound card behind PortAudio 19.6, in virtual time: it tells its progress once in a period."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from device.audio import portaudio
from device.audio.devices import Device, Direction, Layout
from device.errors import AudioDeviceError, DeviceTrouble

CARD = Device("card (hw:1,0)", 0, 1, 1, 48_000, "ALSA")
CALL_S = 0.0002


class Clock:
    """Stands for the module ``time``; whoever sleeps is woken ``late_s`` after what it asked."""

    def __init__(self, late_s: float) -> None:
        self._now = 0.0
        self.naps = 0
        self._late_s = late_s

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.naps += 1
        self._now += seconds + self._late_s

    def work(self) -> None:
        self._now += CALL_S


class PeriodCard:
    """A card with two periods of buffer, and the PortAudio that has no other device.

    Nothing happens before ``go`` is set; after ``seconds`` the card is gone. ``xruns`` counts what
    really happened in the card; ``most_samples`` and ``least_samples`` are how full it was.
    """

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        period_samples: int | None = None,
        *,
        silent: bool = False,
    ) -> None:
        """`silent`: whether it records nothing but zeros."""
        self.go = threading.Event()
        self.xruns = 0
        self.most_samples = 0
        self.least_samples = 1 << 30
        self._clock = clock
        self._seconds = seconds
        self._forced_period_samples = period_samples
        self._silent = silent
        self._ours = 0
        self._base = 0
        self._started_at: float | None = None

    def install(self, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
        """Make it what ``modules`` play to or hear, in its time."""

        @contextmanager
        def running() -> Iterator[PeriodCard]:
            yield self

        monkeypatch.setattr(portaudio, "running", running)
        for module in modules:
            monkeypatch.setattr(f"{module}.time", self._clock)

    def devices(self) -> list[Device]:
        return [CARD]

    @contextmanager
    def stream(
        self, _device: Device, direction: Direction, layouts: Sequence[Layout], period_ms: int
    ) -> Iterator[tuple[PeriodCard, Layout]]:
        self._layout = layouts[0]
        asked_samples = self._layout.rate_hz * period_ms // 1000
        self._period_samples = self._forced_period_samples or asked_samples
        self.buffer_samples = 2 * self._period_samples
        self._started_at = self._clock.monotonic() if direction == "input" else None
        yield self, self._layout

    def _passed(self) -> int:
        """How many samples the card has played or recorded, as nobody but itself knows."""
        if self._started_at is None:
            return self._base
        return self._base + int((self._clock.monotonic() - self._started_at) * self._layout.rate_hz)

    def _told(self) -> int:
        """The same as of the end of its last period."""
        passed = self._passed() - self._base
        return self._base + passed // self._period_samples * self._period_samples

    def _look(self) -> None:
        assert self.go.wait(10)
        self._clock.work()
        if self._clock.monotonic() > self._seconds:
            raise AudioDeviceError(DeviceTrouble.LOST, "unplugged")

    def get_write_available(self) -> int:
        self._look()
        if self._started_at is not None and self._passed() >= self._ours:
            self.xruns += 1
            self._base, self._started_at = self._ours, None
        return self.buffer_samples - (self._ours - self._told())

    def write(self, data: bytes) -> None:
        self._clock.work()
        if self._started_at is not None:
            self.least_samples = min(self.least_samples, self._ours - self._passed())
        self._ours += len(data) // self._layout.sample_bytes // self._layout.channels
        assert self._ours - self._told() <= self.buffer_samples, "PortAudio would wait here"
        if self._started_at is None and self._ours - self._base >= self._period_samples:
            self._started_at = self._clock.monotonic()

    def get_read_available(self) -> int:
        self._look()
        if self._told() - self._ours >= self.buffer_samples:
            self.xruns += 1
            self._base, self._started_at = self._ours, self._clock.monotonic()
        self.most_samples = max(self.most_samples, self._passed() - self._ours)
        return self._told() - self._ours

    def read(self, samples: int, *, exception_on_overflow: bool) -> bytes:
        assert not exception_on_overflow
        self._clock.work()
        self._ours += samples
        block = bytes(samples * self._layout.channels * self._layout.sample_bytes)
        # No two blocks of a microphone are alike.
        return block if self._silent else self._ours.to_bytes(8, "little") + block[8:]
