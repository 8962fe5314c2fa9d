"""`read` gives one channel of a WAV file as the microphone would deliver it: 16 kHz, s16le, mono.

Python's own `wave` refuses what many recorders write: floats, and the extensible header that
everything with more than two channels or 16 bits has. So the file is read here: any rate, integers
of 8, 16, 24 or 32 bits, floats of 32 or 64.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from device.audio.resample import Resampler
from device.errors import RecordingError
from device.frames import MICROPHONE_RATE_HZ

LONGEST_S = 600.0
LEAST_RATE_HZ, MOST_RATE_HZ = 4_000, 384_000
MOST_CHANNELS = 64
LEAST_DBFS = -120.0

# WAV: format tags of mmreg.h; the extensible one repeats one of the others in its sub-format.
_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_FORMATS: Mapping[tuple[int, int], tuple[str, float, float]] = MappingProxyType(
    {
        (_PCM, 8): ("u1", 128.0, 128.0),
        (_PCM, 16): ("<i2", 0.0, 2.0**15),
        (_PCM, 32): ("<i4", 0.0, 2.0**31),
        (_FLOAT, 32): ("<f4", 0.0, 1.0),
        (_FLOAT, 64): ("<f8", 0.0, 1.0),
    }
)
"""How a sample is stored, which value is silence, and how large full scale is."""
_CODED = {0x0002: "ADPCM", 0x0006: "A-law", 0x0007: "mu-law", 0x0011: "ADPCM", 0x0055: "MP3"}

CONVERT = "convert it: ffmpeg -i {} -ar 16000 -ac 1 -c:a pcm_s16le new.wav"
KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"ID3", "an MP3"),
    (0, b"\xff\xfb", "an MP3"),
    (0, b"OggS", "an Ogg file (Opus or Vorbis)"),
    (0, b"fLaC", "a FLAC file"),
    (4, b"ftyp", "an MPEG-4 file (AAC)"),
    (0, b"FORM", "an AIFF file"),
    (0, b"RF64", "a WAV file of more than 4 GB"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
)


@dataclass(frozen=True, slots=True)
class WavSound:
    """What was recorded, as a microphone would have delivered it."""

    pcm: bytes
    """s16le mono, 16 kHz."""
    seconds: float
    rate_hz: int
    """Of the file."""
    channels: int
    channel: int
    """Which of them it is, from 0."""
    peak_dbfs: float
    """Of that channel; at least -120."""


def read(path: Path, channel: int = 0) -> WavSound:
    """Read a channel, from 0, of a WAV file. Any thread; takes a moment for each minute.

    Raises RecordingError, which names the file, what is wrong with it and what to do.
    """
    try:
        if path.is_fifo():
            # Nobody may ever write into it, and what is read cannot be read again.
            raise RecordingError(f"{path}: a pipe: record into a file first")
        with path.open("rb") as file:
            return _sound(path, file, channel)
    except IsADirectoryError:
        raise RecordingError(f"{path}: a folder: name the .wav files in it") from None
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class _Layout:
    tag: int
    bits: int
    channels: int
    rate_hz: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


def _sound(path: Path, file: BinaryIO, channel: int) -> WavSound:
    beginning = file.read(12)
    _check_kind(path, beginning)
    layout, data_bytes = _found(path, file)
    if not 0 <= channel < layout.channels:
        raise RecordingError(
            f"{path}: it has no channel {channel}: it has {layout.channels}, counted from 0"
        )
    seconds = data_bytes // layout.frame_bytes / layout.rate_hz
    if seconds > LONGEST_S:
        raise RecordingError(
            f"{path}: {seconds / 60:.0f} minutes long, and at most {LONGEST_S / 60:.0f} are heard: "
            "cut it"
        )
    samples = _channel(file.read(data_bytes // layout.frame_bytes * layout.frame_bytes), layout)
    one = samples[:, channel]
    if not one.size:
        raise RecordingError(f"{path}: there is no sound in it: record it again")
    if not np.isfinite(one).all():
        raise RecordingError(
            f"{path}: there are samples in it that are no numbers: record it again"
        )
    peak = float(np.abs(one).max())
    whole = np.clip(np.rint(one * 2.0**15), -(2**15), 2**15 - 1).astype("<i2").tobytes()
    resampler = Resampler(layout.rate_hz, MICROPHONE_RATE_HZ)
    return WavSound(
        pcm=resampler.process(whole) + resampler.finish(),
        seconds=one.size / layout.rate_hz,
        rate_hz=layout.rate_hz,
        channels=layout.channels,
        channel=channel,
        peak_dbfs=max(LEAST_DBFS, 20 * math.log10(peak)) if peak else LEAST_DBFS,
    )


def _check_kind(path: Path, beginning: bytes) -> None:
    if not beginning:
        raise RecordingError(f"{path}: it is empty: record it again")
    for place, sign, what in KINDS:
        if beginning[place:].startswith(sign):
            raise RecordingError(f"{path}: {what}, no WAV file: {CONVERT.format(path.name)}")
    if beginning[:4] != b"RIFF" or beginning[8:12] != b"WAVE":
        raise RecordingError(f"{path}: no WAV file; if it is a sound, {CONVERT.format(path.name)}")


def _found(path: Path, file: BinaryIO) -> tuple[_Layout, int]:
    """The layout of the samples and how many bytes of them there are; the file stands before them.

    A recorder that wrote into a pipe could not say how many there would be: then all that is there.
    """
    layout: _Layout | None = None
    end = os.fstat(file.fileno()).st_size
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        left = end - file.tell()
        if name == b"data" and layout is not None:
            return layout, left if size in {0, 0xFFFFFFFF} else min(size, left)
        if name == b"fmt ":
            layout = _layout(path, file.read(min(size, 64)))
            file.seek(max(0, size - 64), os.SEEK_CUR)
        else:
            file.seek(size, os.SEEK_CUR)
        file.seek(size % 2, os.SEEK_CUR)
    what = "no sound" if layout is not None else "no format"
    raise RecordingError(f"{path}: there is {what} in it, perhaps it was cut off: record it again")


def _layout(path: Path, chunk: bytes) -> _Layout:
    if len(chunk) < 16:
        raise RecordingError(f"{path}: its header is cut off: record it again")
    tag, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack("<H", chunk[24:26])
    if (tag, bits) not in _FORMATS and (tag, bits) != (_PCM, 24):
        coding = _CODED.get(tag, f"format {tag:#06x} with {bits} bits")
        raise RecordingError(f"{path}: coded as {coding}: {CONVERT.format(path.name)}")
    if not 0 < channels <= MOST_CHANNELS or not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
        raise RecordingError(
            f"{path}: {channels} channels at {rate_hz} Hz cannot be: record it again"
        )
    return _Layout(tag, bits, channels, rate_hz)


def _channel(data: bytes, layout: _Layout) -> NDArray[Any]:
    """The samples as floats of full scale 1, (frames, channels)."""
    if layout.bits == 24:
        three = np.frombuffer(data, np.uint8).reshape(-1, 3)
        padded = np.zeros((len(three), 4), np.uint8)
        padded[:, 1:] = three
        values = padded.view("<i4").reshape(-1) / 2.0**31
    else:
        dtype, silence, scale = _FORMATS[layout.tag, layout.bits]
        values = (np.frombuffer(data, dtype).astype(np.float64) - silence) / scale
    return values.reshape(-1, layout.channels)
