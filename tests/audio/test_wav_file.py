"""WAV files as recorders and telephones write them, and what else is given that name."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.audio.wav_file import LEAST_DBFS, LONGEST_S, read
from device.errors import RecordingError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
TONE_HZ = 440.0


def tone(seconds: float, rate_hz: int, level: float = 0.5) -> NDArray[np.float64]:
    return level * np.sin(2 * np.pi * TONE_HZ * np.arange(round(seconds * rate_hz)) / rate_hz)


def coded(samples: NDArray[np.float64], tag: int, bits: int) -> bytes:
    if tag == FLOAT:
        return samples.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.rint(samples * 127 + 128).astype("u1").tobytes()
    whole = np.rint(samples * (2.0 ** (bits - 1) - 1)).astype("<i4")
    if bits == 24:
        return whole.astype("<i4").view("u1").reshape(-1, 4)[:, :3].tobytes()
    return whole.astype(f"<i{bits // 8}").tobytes()


def wav(
    data: bytes,
    *,
    tag: int = PCM,
    bits: int = 16,
    channels: int = 1,
    rate_hz: int = 16_000,
    size: int | None = None,
    before: bytes = b"",
    extended: bool = False,
) -> bytes:
    frame = channels * bits // 8
    about = struct.pack("<HHIIHH", EXTENSIBLE if extended else tag, channels, rate_hz,
                        rate_hz * frame, frame, bits)  # fmt: skip
    if extended:
        about += struct.pack("<HHIH", 22, bits, 0, tag) + bytes(14)
    chunks = struct.pack("<4sI", b"fmt ", len(about)) + about + before
    chunks += struct.pack("<4sI", b"data", len(data) if size is None else size) + data
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


def written(folder: Path, content: bytes) -> Path:
    path = folder / "me.wav"
    path.write_bytes(content)
    return path


def trouble(path: Path, channel: int = 0) -> str:
    with pytest.raises(RecordingError) as caught:
        read(path, channel)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize(
    ("tag", "bits"), [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)]
)
def test_any_rate_and_format_sounds_the_same(
    tmp_path: Path, tag: int, bits: int, rate_hz: int, extended: bool
) -> None:
    """The tone that was recorded, at 16 kHz."""
    data = coded(tone(0.5, rate_hz), tag, bits)
    content = wav(data, tag=tag, bits=bits, rate_hz=rate_hz, extended=extended)
    sound = read(written(tmp_path, content))
    assert (sound.rate_hz, sound.channels, sound.channel) == (rate_hz, 1, 0)
    assert sound.seconds == pytest.approx(0.5)
    assert sound.peak_dbfs == pytest.approx(-6.0, abs=0.2)
    heard = np.frombuffer(sound.pcm, "<i2") / 2.0**15
    assert heard.size == pytest.approx(8_000, abs=2)
    wanted = tone(0.5, 16_000)[: heard.size]
    # Where it begins and ends a resampler hears the silence around it.
    assert np.abs(heard[800:7_200] - wanted[800:7_200]).max() < 0.02


def test_at_16_khz_and_16_bits_it_is_bit_for_bit_what_was_recorded(tmp_path: Path) -> None:
    """So what a speaker has recorded scores as it did."""
    data = np.random.default_rng(1).integers(-(2**15), 2**15, 3_200, np.int16).tobytes()
    assert read(written(tmp_path, wav(data))).pcm == data


def test_each_channel_can_be_had(tmp_path: Path) -> None:
    """An array has six, and they differ."""
    both = np.stack([tone(0.2, 16_000, 0.5), np.zeros(3_200)], axis=1)
    path = written(tmp_path, wav(coded(both.reshape(-1), PCM, 16), channels=2))
    assert read(path, 0).peak_dbfs == pytest.approx(-6.0, abs=0.1)
    silent = read(path, 1)
    assert (silent.channel, silent.channels, silent.peak_dbfs) == (1, 2, LEAST_DBFS)
    assert not any(silent.pcm)
    assert trouble(path, 2) == "it has no channel 2: it has 2, counted from 0"
    assert trouble(path, -1).startswith("it has no channel -1")


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 100_000])
def test_what_was_recorded_through_a_pipe_or_cut_off_is_heard_as_far_as_it_goes(
    tmp_path: Path, size: int
) -> None:
    """Its header does not know how long it became."""
    path = written(tmp_path, wav(coded(tone(0.2, 16_000), PCM, 16), size=size))
    assert read(path).seconds == pytest.approx(0.2)


def test_what_else_is_in_it_is_passed_over(tmp_path: Path) -> None:
    """A title, of odd length too."""
    before = (
        struct.pack("<4sI", b"LIST", 5) + b"title\0" + struct.pack("<4sI", b"fact", 4) + b"1234"
    )
    path = written(tmp_path, wav(coded(tone(0.2, 16_000), PCM, 16), before=before))
    assert read(path).seconds == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"ID3\x04" + bytes(100), "an MP3, no WAV file: convert it: ffmpeg -i me.wav "),
        (b"OggS" + bytes(100), "an Ogg file"),
        (b"fLaC" + bytes(100), "a FLAC file"),
        (bytes(4) + b"ftypM4A " + bytes(100), "an MPEG-4 file"),
        (b"RF64" + bytes(100), "a WAV file of more than 4 GB"),
        (b"hello, this is a text", "no WAV file; if it is a sound, convert it: ffmpeg"),
        (wav(b"")[:12], "there is no format in it"),
        (wav(b"")[:30], "its header is cut off"),
        (wav(b"")[:36], "there is no sound in it, perhaps it was cut off"),
        (wav(b""), "there is no sound in it"),
        (wav(b"12", tag=0x55), "coded as MP3: convert it"),
        (wav(b"12", tag=0x77), "coded as format 0x0077 with 16 bits: convert it"),
        (wav(b"12", bits=12), "coded as format 0x0001 with 12 bits: convert it"),
        (wav(b"12", rate_hz=7), "1 channels at 7 Hz cannot be"),
        (wav(b"12", channels=0), "0 channels at 16000 Hz cannot be"),
        (
            wav(np.array([np.nan], "<f4").tobytes(), tag=FLOAT, bits=32),
            "there are samples in it that are no numbers",
        ),
    ],
)
def test_what_cannot_be_heard_is_told_with_what_to_do(
    tmp_path: Path, content: bytes, said: str
) -> None:
    """By its name where it has one."""
    assert trouble(written(tmp_path, content)).startswith(said)


def test_a_file_that_is_not_there_and_a_folder_are_told(tmp_path: Path) -> None:
    """As anywhere."""
    assert trouble(tmp_path / "none.wav") == "cannot be read: No such file or directory"
    os.mkfifo(tmp_path / "pipe.wav")
    assert trouble(tmp_path / "pipe.wav") == "a pipe: record into a file first"
    assert trouble(tmp_path).startswith("a folder")


def test_nothing_of_a_recording_that_is_too_long_is_read(tmp_path: Path) -> None:
    """A whole night is no wake word."""
    path = written(tmp_path, wav(b"12"))
    seconds = 2 * LONGEST_S
    with path.open("r+b") as file:
        file.seek(40)
        file.write(struct.pack("<I", round(seconds) * 32_000))
        file.truncate(round(seconds) * 32_000 + 44)
    assert trouble(path) == "20 minutes long, and at most 10 are heard: cut it"
