"""The speech of the simulator says what is said, by which voice, and how it was made.

``python -m device.simulator.voices`` makes all of it again with espeak-ng (Debian package
``espeak-ng``) over the files in ``speech/``. Do that after a change of :data:`RECORDINGS`, and
listen: the tests only ask that a file is there, is as long as speech, and wakes or does not wake.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import wave
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from device.errors import ScriptError
from device.frames import MICROPHONE_RATE_HZ, REPLY_RATE_HZ, SAMPLE_BYTES
from device.simulator.turns import Audio, Hiss, Pause, Piece, Tone

SPEECH = Path(__file__).with_name("speech")
TONE_HZ = 440.0
TONE_LEVEL = 0.2
PEAK = 0.5
"""Of full scale, in every recording."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One sentence or two, as espeak-ng says them."""

    name: str
    """Of the file in ``speech/``, without ``.wav``."""
    text: str
    voice: str
    """As espeak-ng's ``-v`` takes it."""
    words_per_minute: int
    rate_hz: int


def _question(name: str, text: str) -> Recording:
    return Recording(name, text, "en-gb+f3", 145, MICROPHONE_RATE_HZ)


def _answer(name: str, text: str) -> Recording:
    return Recording(name, text, "en-us+f2", 165, REPLY_RATE_HZ)


RECORDINGS = (
    _question("wake", "hey jarvis"),
    _question("ask_weather", "hey jarvis, what's the weather in Berlin?"),
    _question("ask_tomorrow", "and what about tomorrow?"),
    _question("barge_in", "stop, that's enough!"),
    _question("ask_timer", "and set a timer for eight seconds."),
    _question("ask_look", "and what is this, right in front of you?"),
    _question("stop", "stop!"),
    _question(
        "chatter", "I left my keys on the kitchen table. Did you put them somewhere else again?"
    ),
    _answer(
        "answer_weather",
        "It's eighteen degrees in Berlin, and the sun is out. You won't need a jacket today.",
    ),
    _answer(
        "answer_tomorrow",
        "Tomorrow begins with a little rain. It clears up by noon, so take your walk after lunch.",
    ),
    _answer("answer_timer", "Eight seconds, starting now."),
    _answer("answer_look", "A picture has come. I only see its size."),
    _answer("answer_stop", "Alright, I'll be quiet. Just call me when you need me again."),
)
"""Questions at 16 kHz as a microphone hears them, answers at 24 kHz as the Live API sends them."""


def load(name: str) -> tuple[bytes, int]:
    """Return (s16le mono PCM, rate in Hz) of a shipped recording or of a WAV file by its path.

    Raises ScriptError when there is none, or it is not 16-bit mono.
    """
    path = Path(name) if name.endswith(".wav") else SPEECH / f"{name}.wav"
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise ScriptError(f"{path} is not 16-bit mono; convert it")
            return file.readframes(file.getnframes()), file.getframerate()
    except FileNotFoundError:
        known = ", ".join(sorted(each.stem for each in SPEECH.glob("*.wav")))
        raise ScriptError(
            f"no recording {name!r}; give a path ending in .wav or: {known}"
        ) from None
    except (wave.Error, EOFError) as error:
        raise ScriptError(f"{path} is not a WAV file: {error}") from error


def tone(
    duration_ms: int,
    rate_hz: int = REPLY_RATE_HZ,
    *,
    hz: float = TONE_HZ,
    level: float = TONE_LEVEL,
) -> bytes:
    """Return a tone, s16le mono, that begins and ends without a click; ``level`` of full scale."""
    count = rate_hz * duration_ms // 1000
    time_s = np.arange(count) / rate_hz
    ramp = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.01)
    wave_form = level * ramp * np.sin(2 * np.pi * hz * time_s)
    return (wave_form * 32_767).astype("<i2").tobytes()


def hiss(duration_ms: int, peak_dbfs: float, rate_hz: int = REPLY_RATE_HZ) -> bytes:
    """Return white noise, s16le mono, the same each time."""
    peak = 32_768 * 10 ** (peak_dbfs / 20)
    noise = np.random.default_rng(1).uniform(-peak, peak, rate_hz * duration_ms // 1000)
    return np.clip(np.round(noise), -32_768, 32_767).astype("<i2").tobytes()


@lru_cache(maxsize=32)
def reply_pcm(audio: Audio) -> bytes:
    """Return what a turn's ``audio`` stands for, as s16le mono 24 kHz. Raises ScriptError."""
    match audio:
        case None:
            return b""
        case tuple():
            return b"".join(_piece_pcm(piece) for piece in audio)
        case _:
            return _piece_pcm(audio)


def _piece_pcm(piece: Piece) -> bytes:
    match piece:
        case int():
            return tone(piece)
        case bytes():
            return piece
        case Pause(ms):
            return bytes(REPLY_RATE_HZ * ms // 1000 * SAMPLE_BYTES)
        case Hiss(ms, dbfs):
            return hiss(ms, dbfs)
        case Tone(ms, hz, dbfs):
            return tone(ms, hz=hz, level=10 ** (dbfs / 20))
        case str():
            pcm, rate_hz = load(piece)
            if rate_hz != REPLY_RATE_HZ:
                raise ScriptError(f"{piece!r} has {rate_hz} Hz; a reply needs {REPLY_RATE_HZ}")
            return pcm


def heard_pcm(segment: str | int | bytes) -> bytes:
    """Return what a microphone hears, as s16le mono 16 kHz.

    Silence of so many ms, a recording by its name or path, or PCM as it is. Raises ScriptError.
    """
    if isinstance(segment, int):
        return bytes(MICROPHONE_RATE_HZ * segment // 1000 * SAMPLE_BYTES)
    if isinstance(segment, bytes):
        return segment
    pcm, rate_hz = load(segment)
    return pcm if rate_hz == MICROPHONE_RATE_HZ else _resample(pcm, rate_hz, MICROPHONE_RATE_HZ)


def write_wav(path: Path, pcm: bytes, rate_hz: int) -> None:
    """Write s16le mono PCM as a WAV file. Raises OSError."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(rate_hz)
        file.writeframes(pcm)


def make(recording: Recording) -> bytes:
    """Return a recording as espeak-ng speaks it now: s16le mono at its rate.

    Raises FileNotFoundError without espeak-ng, CalledProcessError when it refuses the voice.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise FileNotFoundError("espeak-ng is not installed; install the package espeak-ng")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "spoken.wav"
        voice = ["-v", recording.voice, "-s", str(recording.words_per_minute)]
        subprocess.run([program, *voice, "-w", str(path), recording.text], check=True)  # noqa: S603 - texts of ours
        pcm, rate_hz = load(str(path))
    samples = np.frombuffer(_resample(pcm, rate_hz, recording.rate_hz), "<i2").astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 30)
    samples = samples[loud[0] : loud[-1] + 1]
    scaled: bytes = (samples * (PEAK * 32_767 / np.max(np.abs(samples)))).astype("<i2").tobytes()
    return scaled


def _resample(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    import soxr  # noqa: PLC0415 - what ships has the right rate already

    samples = soxr.resample(np.frombuffer(pcm, "<i2"), from_hz, to_hz)
    made: bytes = samples.astype("<i2").tobytes()
    return made


def main() -> None:
    """Make every recording again and write it over the shipped one."""
    for recording in RECORDINGS:
        pcm = make(recording)
        write_wav(SPEECH / f"{recording.name}.wav", pcm, recording.rate_hz)
        seconds = len(pcm) / SAMPLE_BYTES / recording.rate_hz
        sys.stdout.write(f"{recording.name}: {seconds:.1f} s, {len(pcm) / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
