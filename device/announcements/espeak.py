"""`speak` turns a text into sound with espeak-ng, a robot's voice that needs no network.

Tested in tests/announcements/test_clips.py.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import wave

from device.audio.resample import Resampler
from device.errors import VoiceError
from device.frames import REPLY_RATE_HZ

WORDS_PER_MINUTE = 170
AMPLITUDE = 60
"""Of espeak-ng's 200. It clips some languages at its default of 100."""
NO_SOUND_SERVER = "unix:/dev/null"
"""Of PulseAudio. Without it espeak-ng looks for one although it only writes a file: it might start
one, wait for one that hangs, or ask one on another machine."""
TIMEOUT_S = 10.0
"""For one sentence; a small Raspberry Pi takes a tenth of a second."""


def find() -> str | None:
    """The program's path; None when it is not installed."""
    return shutil.which("espeak-ng")


def speak(program: str, voice: str, text: str) -> bytes:
    """Speak a text: s16le mono 24 kHz, as loud as it comes. Blocks. Raises VoiceError."""
    command = [program, "-v", voice, "-s", str(WORDS_PER_MINUTE), "-a", str(AMPLITUDE)]
    utf8_in_wav_out = ["-b", "1", "--stdin", "--stdout"]
    try:
        done = subprocess.run(  # noqa: S603 - the voice is of our table, the text is no argument
            [*command, *utf8_in_wav_out],
            input=text.encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, "PULSE_SERVER": NO_SOUND_SERVER},
        )
    except subprocess.TimeoutExpired:
        raise VoiceError(f"{program} has not finished within {TIMEOUT_S:g} s") from None
    except OSError as error:
        raise VoiceError(f"{program} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise VoiceError(f"{program} cannot speak with the voice '{voice}': {told}")
    return _at_reply_rate(done.stdout, program)


def _at_reply_rate(wav: bytes, program: str) -> bytes:
    try:
        with wave.open(io.BytesIO(wav)) as file:
            # A stream's length is unknown when its header is written: take what there is.
            pcm, rate_hz = file.readframes(file.getnframes()), file.getframerate()
            layout = (file.getnchannels(), file.getsampwidth())
    except (wave.Error, EOFError) as error:
        raise VoiceError(f"{program} gave no WAV: {error}") from error
    if layout != (1, 2):
        raise VoiceError(f"{program} gave {layout[0]} channels of {layout[1]} bytes, not 1 of 2")
    resampler = Resampler(rate_hz, REPLY_RATE_HZ)
    return resampler.process(pcm) + resampler.finish()
