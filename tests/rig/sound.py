"""A private PulseAudio with null sinks: a microphone to speak into and a loudspeaker to record.

The microphone is the monitor of the sink ``mic``, so whatever is played into that sink is heard by
the speaker under test, sample for sample. Needs ``pulseaudio``, ``pactl``, ``pacat``, ``parec`` and
for ``espeak()``, ``espeak-ng``; runs as root too and wants neither D-Bus nor a desktop session.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from tests.rig.real_time import require_real_time

Samples = npt.NDArray[np.int16]

REAL_TIME_PRIORITY = 10

READY_S = 30.0
POLL_S = 0.02

ALSA_CONF = """\
pcm.!default { type pulse  hint { show on description "pulse" } }
ctl.!default { type pulse }
"""


ALSA_ORDER = (
    *("front-left", "front-right", "rear-left", "rear-right"),
    *("front-center", "lfe", "side-left", "side-right"),
)
"""The places of a card's channels as ALSA, and with it PortAudio, counts them."""


@dataclass(frozen=True)
class Sink:
    """Format of one null sink; always s16le."""

    rate_hz: int
    channels: int

    @property
    def channel_map(self) -> str:
        return "mono" if self.channels == 1 else ",".join(ALSA_ORDER[: self.channels])


class SoundServer:
    """A PulseAudio of our own; use it as a context manager.

    ``environment`` is what a child process needs to hear and be heard; ``apply()`` puts the same
    into this process, for code that opens sound devices here.
    """

    def __init__(
        self,
        *,
        microphone: Sink = Sink(16_000, 1),
        speaker: Sink = Sink(48_000, 2),
    ) -> None:
        self.microphone = microphone
        self.speaker = speaker
        self._folder = Path(tempfile.mkdtemp(prefix="sound-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a child process; merge them over ``os.environ``."""
        return {
            "PULSE_SERVER": f"unix:{self._folder}/native",
            "PULSE_SOURCE": "mic.monitor",
            "PULSE_SINK": "speaker",
            "PULSE_COOKIE": f"{self._folder}/cookie",
            "ALSA_CONFIG_PATH": f"{self._folder}/alsa.conf",
            "JACK_NO_START_SERVER": "1",
            "HOME": str(self._folder),
        }

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make this process use the server until the test is over."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def __enter__(self) -> Self:
        require_real_time("a sound server")
        (self._folder / "alsa.conf").write_text(ALSA_CONF)
        (self._folder / "server.pa").write_text(self._script())
        self.restart()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _script(self) -> str:
        def null_sink(name: str, sink: Sink) -> str:
            return (
                f"load-module module-null-sink sink_name={name} rate={sink.rate_hz} "
                f"channels={sink.channels} channel_map={sink.channel_map} "
                "format=s16le norewinds=1"
            )

        protocol = "module-native-protocol-unix"
        return "\n".join(
            [
                ".fail",
                f"load-module {protocol} auth-anonymous=1 socket={self._folder}/native",
                null_sink("mic", self.microphone),
                null_sink("speaker", self.speaker),
                "set-default-sink speaker",
                "set-default-source mic.monitor",
                "",
            ]
        )

    # --- the server -------------------------------------------------------------------------------

    def restart(self) -> None:
        """Start the server (after ``kill()``: again, under the same address)."""
        self.kill()
        (self._folder / "native").unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                *("pulseaudio", "-n", "-F", str(self._folder / "server.pa"), "--daemonize=no"),
                *("--exit-idle-time=-1", "--use-pid-file=no", "--disallow-exit"),
                "--log-level=error",
                # A server that is killed while it holds a semaphore in shared memory leaves
                # libpulse waiting for it for ever.
                "--disable-shm=yes",
            ],
            env={**os.environ, "HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._has_started, "the sound server to answer", READY_S)
        # Not before: it sets its own at its start. The sinks' threads have one of their own.
        run_in_real_time(self._process.pid)

    def _has_started(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the sound server died at its start"
        return self.answers()

    def answers(self) -> bool:
        """Whether a client gets an answer, at once or after a while."""
        return (
            subprocess.run(
                ["pactl", "info"],
                env=self._client_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=READY_S,
            ).returncode
            == 0
        )

    def kill(self) -> None:
        """End the server at once, as a crash would. Harmless when it is not running."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def freeze(self, frozen: bool) -> None:
        """Stop the server's process in its tracks, or let it go on: a hung sound system."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def suspend_microphone(self, suspended: bool) -> None:
        """Make the microphone deliver nothing, without any error, or let it go on."""
        self._pactl("suspend-sink", "mic", "1" if suspended else "0")

    def suspend_speaker(self, suspended: bool) -> None:
        """Make the loudspeaker take nothing, without any error, or let it go on."""
        self._pactl("suspend-sink", "speaker", "1" if suspended else "0")

    def recording_streams(self) -> int:
        """How many streams record from the microphone now."""
        return len(self._pactl("list", "short", "source-outputs").splitlines())

    def unload_microphone(self) -> None:
        """Take the microphone's sink and source away."""
        for line in self._pactl("list", "short", "modules").splitlines():
            index, _, rest = line.partition("\t")
            if "sink_name=mic " in rest:
                self._pactl("unload-module", index)

    def _pactl(self, *arguments: str) -> str:
        return subprocess.run(
            ["pactl", *arguments],
            env=self._client_environment(),
            check=True,
            capture_output=True,
            text=True,
            timeout=READY_S,
        ).stdout

    def _client_environment(self) -> Mapping[str, str]:
        return {**os.environ, **self.environment}

    # --- what it hears and says -------------------------------------------------------------------

    def start_speaking(self, pcm: bytes) -> subprocess.Popen[bytes]:
        """Begin to feed s16le mono 16 kHz into the microphone; the process ends when it is over."""
        clip = tempfile.TemporaryFile()  # noqa: SIM115 - the child keeps it open
        clip.write(pcm)
        clip.seek(0)
        return self._feed(clip, "--rate=16000", "--channels=1")

    def _feed(self, clip: io.BufferedIOBase | io.IOBase, *layout: str) -> subprocess.Popen[bytes]:
        with clip:
            return subprocess.Popen(
                ["pacat", "--playback", "--device=mic", *layout, "--format=s16le", "--raw"],
                env=self._client_environment(),
                stdin=clip.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def speak(self, pcm: bytes) -> None:
        """Feed s16le mono 16 kHz into the microphone; returns when all of it was taken."""
        seconds = len(pcm) / 32_000
        assert self.start_speaking(pcm).wait(timeout=seconds + 30) == 0

    def speak_raw(self, samples: Samples) -> None:
        """Feed samples in the microphone's own rate and channels, shape (n, channels)."""
        clip = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _feed
        clip.write(samples.astype("<i2").tobytes())
        clip.seek(0)
        sink = self.microphone
        layout = (f"--channels={sink.channels}", f"--channel-map={sink.channel_map}")
        feeding = self._feed(clip, f"--rate={sink.rate_hz}", *layout)
        assert feeding.wait(timeout=len(samples) / sink.rate_hz + 30) == 0

    def recorder(self, name: Literal["speaker", "mic"] = "speaker") -> Recorder:
        """Record what a sink takes, from entering the context to leaving it."""
        sink = self.speaker if name == "speaker" else self.microphone
        return Recorder(self._client_environment(), name, sink)


def run_in_real_time(pid: int) -> None:
    """Let a process and what it starts be held up by nobody, as a card and a room are not.

    ``pid`` 0: the calling thread. Nothing where real time may not be had.
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(REAL_TIME_PRIORITY))


class Recorder:
    """What a sink took, in memory."""

    def __init__(self, environment: Mapping[str, str], name: str, sink: Sink) -> None:
        self._environment = environment
        self._name = name
        self.rate_hz = sink.rate_hz
        self.channels = sink.channels
        self._lock = threading.Lock()
        self._blocks: list[bytes] = []
        self._bytes = 0
        self._start_time = float("inf")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [
                *("parec", f"--device={self._name}.monitor", "--format=s16le", "--raw"),
                *(f"--rate={self.rate_hz}", f"--channels={self.channels}", "--latency-msec=10"),
            ],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        wait_until(lambda: self._bytes > 0, "the recorder to deliver", READY_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._thread.join(READY_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        out = self._process.stdout.fileno()
        frame_bytes = 2 * self.channels
        while block := os.read(out, 65_536):
            now = time.monotonic()
            with self._lock:
                self._blocks.append(block)
                self._bytes += len(block)
                began = now - self._bytes / frame_bytes / self.rate_hz
                self._start_time = min(self._start_time, began)

    @property
    def start_time(self) -> float:
        """CLOCK_MONOTONIC of sample 0, by the block that came with the least delay."""
        with self._lock:
            return self._start_time

    def samples(self) -> Samples:
        """Everything so far: int16, shape (n, channels)."""
        with self._lock:
            whole = b"".join(self._blocks)
        frame_bytes = 2 * self.channels
        whole = whole[: len(whole) // frame_bytes * frame_bytes]
        return np.frombuffer(whole, "<i2").reshape(-1, self.channels)

    def time_of(self, sample: int) -> float:
        """CLOCK_MONOTONIC at which the sink took a sample."""
        return self.start_time + sample / self.rate_hz


def espeak(text: str, voice: str = "en-gb", wpm: int = 150, rate_hz: int = 16_000) -> bytes:
    """Speak a text: s16le mono at ``rate_hz``."""
    spoken = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(wpm), "--stdout", text],
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    with wave.open(io.BytesIO(spoken)) as clip:
        own_rate_hz = clip.getframerate()
        pcm = np.frombuffer(clip.readframes(clip.getnframes()), "<i2")
    resampled = soxr.resample(pcm.astype(np.float32), own_rate_hz, rate_hz)
    pcm16: bytes = np.clip(np.rint(resampled), -32768, 32767).astype("<i2").tobytes()
    return pcm16


def wait_until(condition: Callable[[], bool], what: str, timeout: float = READY_S) -> None:
    """Poll until ``condition`` holds; fails, naming ``what``, after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}"
        time.sleep(POLL_S)
