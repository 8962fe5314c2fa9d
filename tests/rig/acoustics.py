"""A simulated room between the two null sinks: the microphone hears what the loudspeaker plays.

Theory of operation: a child process (``python -m tests.rig.acoustics ROOM``) records the monitor of
the sink ``speaker``, passes it through a :class:`device.simulator.room.Room` and plays the result
into the sink ``mic``, where the sound server mixes it with whoever speaks there. It plays exactly
as many samples as it recorded, after :data:`AHEAD_MS` of silence that carry it over the moments in
which the machine is busy. So its delay is one number for as long as nothing runs dry; each time
something does it is counted, and the echo is later from then on.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from device.simulator.acoustics import ROOMS, Acoustics
from device.simulator.room import FULL_SCALE, RATE_HZ, Room
from tests.rig.sound import SoundServer, run_in_real_time, wait_until

ROOT = Path(__file__).parents[2]
START_S = 15.0
BLOCK_BYTES = 320
LATENCY_MS = 10
AHEAD_MS = 90
SETTLE_S = 0.3
"""Thrown away at first: what the sound server had ready when recording began comes in a lump."""
FORMAT = ("--format=s16le", "--raw", f"--rate={RATE_HZ}", "--channels=1")


class Echo:
    """The room around a sound server, from entering the context to leaving it."""

    def __init__(self, sound: SoundServer, room: str | Acoustics) -> None:
        self.acoustics = ROOMS[room] if isinstance(room, str) else room
        self._environment = {**os.environ, **sound.environment}
        self._lines: list[str] = []

    @property
    def underruns(self) -> int:
        """How often the microphone's side ran dry; the echo's delay has grown each time."""
        return self._lines.count("underrun")

    def voice(self, pcm: bytes, level_dbfs: float) -> bytes:
        """Return speech (s16le mono 16 kHz) as a person says it in this room.

        It has ``level_dbfs`` at the microphone and the room's reverberation; feed it with
        :meth:`SoundServer.speak`.
        """
        said = Room(self.acoustics).voice(np.frombuffer(pcm, "<i2"), level_dbfs)
        whole: bytes = np.clip(np.rint(said * FULL_SCALE), -32_768, 32_767).astype("<i2").tobytes()
        return whole

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.acoustics", json.dumps(asdict(self.acoustics))],
            env=self._environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        try:
            wait_until(self._runs, "the room to sound", START_S)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _runs(self) -> bool:
        assert self._process.poll() is None, "the room's process ended at its start"
        return "running" in self._lines

    def _collect(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            self._lines.extend(line.strip() for line in self._process.stdout)

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join()


def level_db(samples: NDArray[np.int16]) -> float:
    """Return the RMS in dBFS."""
    return float(10 * np.log10(np.mean((samples / FULL_SCALE) ** 2)))


def measured_lag(played: NDArray[np.int16], heard: NDArray[np.int16]) -> int:
    """Return by how many samples it is heard later, from the peak of the cross correlation."""
    size = 1 << (len(played) + len(heard)).bit_length()
    cross = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    lag = int(np.argmax(np.abs(np.fft.irfft(cross, size))))
    return lag - size if lag > size // 2 else lag


def measured_rt60_ms(response: NDArray[np.float64], about_ms: float) -> float:
    """Return the reverberation time in the middle of the band, by Schroeder's integral.

    Measured is the fall from -5 to -25 dB of what comes after the early part (a third of
    ``about_ms``, 30 ms at most), in a band around 1 kHz.
    """
    size = 1 << (len(response) + RATE_HZ // 4).bit_length()
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE_HZ), 1.0) / 1000)
    band = np.fft.irfft(np.fft.rfft(response, size) * np.exp(-2 * octaves**2), size)
    tail = band[int(min(0.03, about_ms / 3000) * RATE_HZ) : len(response)]
    left = np.cumsum(tail[::-1] ** 2)[::-1]
    left_db = 10 * np.log10(left / left[0])
    first, last = int(np.argmax(left_db < -5)), int(np.argmax(left_db < -25))
    slope = np.polyfit(np.arange(first, last) / RATE_HZ, left_db[first:last], 1)[0]
    return float(-60_000 / slope)


def tell(line: str) -> None:
    print(line, flush=True)


def tell_underruns(messages: IO[str]) -> None:
    """Pass on what the player says: it names an underrun when it is over."""
    for line in messages:
        if "underrun" in line:
            tell("underrun")


def run(acoustics: Acoustics) -> None:
    """Be the room until the process is ended."""
    room = Room(acoustics)
    # The first blocks of a stream find everything warm.
    Room(acoustics).hear(np.zeros(RATE_HZ, np.int16))
    run_in_real_time(0)
    with contextlib.ExitStack() as stack:
        out = start_recorder(stack)
        let_settle(out)
        into = start_player(stack)
        # What was recorded while the player connected would make the echo later by chance.
        throw_away(out)
        pass_on(room, out, into)


def start_recorder(stack: contextlib.ExitStack) -> int:
    """Record what the loudspeaker plays; returns where to read it from."""
    recorder = stack.enter_context(
        subprocess.Popen(
            ["parec", "--device=speaker.monitor", *FORMAT, f"--latency-msec={LATENCY_MS}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
    )
    stack.callback(recorder.terminate)
    assert recorder.stdout is not None
    return recorder.stdout.fileno()


def let_settle(out: int) -> None:
    settled = time.monotonic() + SETTLE_S
    while time.monotonic() < settled:
        os.read(out, 65_536)


def throw_away(out: int) -> None:
    while select.select([out], [], [], 0)[0]:
        os.read(out, 65_536)


def start_player(stack: contextlib.ExitStack) -> int:
    """Begin to play silence into the microphone; returns where to write what follows it."""
    latency = (f"--latency-msec={AHEAD_MS}", f"--process-time-msec={LATENCY_MS // 2}")
    player = stack.enter_context(
        subprocess.Popen(
            ["pacat", "--playback", "--device=mic", "--verbose", *FORMAT, *latency],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    assert player.stdin is not None
    assert player.stderr is not None
    telling = threading.Thread(target=tell_underruns, args=(player.stderr,), daemon=True)

    def end() -> None:
        player.terminate()
        if telling.ident is not None:
            telling.join()

    stack.callback(end)
    into = player.stdin.fileno()
    os.write(into, bytes(2 * RATE_HZ * AHEAD_MS // 1000))
    for line in player.stderr:
        if "Stream started" in line:
            break
    telling.start()
    return into


def pass_on(room: Room, out: int, into: int) -> None:
    """Let the room hear what comes out of one pipe and write it into the other."""
    left = b""
    told = False
    while block := os.read(out, BLOCK_BYTES):
        left += block
        whole = len(left) // 2 * 2
        played, left = left[:whole], left[whole:]
        os.write(into, room.hear(np.frombuffer(played, "<i2")).astype("<i2").tobytes())
        if not told:
            tell("running")
            told = True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    run(Acoustics(**json.loads(sys.argv[1])))
