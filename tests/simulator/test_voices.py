"""The recordings that ship with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from device.errors import ScriptError
from device.simulator import voices


@pytest.mark.parametrize("recording", voices.RECORDINGS, ids=lambda recording: recording.name)
def test_every_recording_is_there(recording: voices.Recording) -> None:
    """At its rate, with sound in it, about as long as its words take."""
    pcm, rate_hz = voices.load(recording.name)
    assert rate_hz == recording.rate_hz
    seconds = len(pcm) / 2 / rate_hz
    assert 0.5 < seconds / (len(recording.text.split()) * 60 / recording.words_per_minute) < 1.6
    assert 0.45 < np.max(np.abs(np.frombuffer(pcm, "<i2") / 32_768)) < 0.55


def test_no_other_files_ship_and_all_are_small() -> None:
    """What is not in the list cannot be made again."""
    files = sorted(voices.SPEECH.iterdir())
    assert [file.stem for file in files] == sorted(each.name for each in voices.RECORDINGS)
    assert sum(file.stat().st_size for file in files) < 1_500_000


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_a_recording_can_be_made_again() -> None:
    """With espeak-ng, in the rate asked for; versions of it differ in detail."""
    recording = voices.RECORDINGS[0]
    made, shipped = voices.make(recording), voices.load(recording.name)[0]
    assert len(made) == pytest.approx(len(shipped), rel=0.2)


def test_without_espeak_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making needs it, playing does not."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="install the package espeak-ng"):
        voices.make(voices.RECORDINGS[0])


def test_all_are_written_by_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file for each line of the list."""
    monkeypatch.setattr(voices, "SPEECH", tmp_path)
    monkeypatch.setattr(voices, "make", lambda recording: voices.tone(500, recording.rate_hz))
    voices.main()
    assert "ask_weather: 0.5 s, 16 kB" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == len(voices.RECORDINGS)
    assert voices.load("wake") == (voices.tone(500, 16_000), 16_000)


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    """With the names there are, or what is wrong with the file."""
    with pytest.raises(ScriptError, match=r"no recording 'nobody'; .* answer_stop, answer_tim"):
        voices.load("nobody")
    stereo, text = tmp_path / "stereo.wav", tmp_path / "text.wav"
    text.write_text("no sound")
    with pytest.raises(ScriptError, match=r"text\.wav is not a WAV file"):
        voices.load(str(text))
    voices.write_wav(stereo, bytes(8), 16_000)
    data = bytearray(stereo.read_bytes())
    data[22] = 2
    stereo.write_bytes(data)
    with pytest.raises(ScriptError, match=r"stereo\.wav is not 16-bit mono"):
        voices.load(str(stereo))


def test_a_reply_needs_24_khz_and_a_microphone_takes_any_rate() -> None:
    """The reply is sent as it stands; what is heard is resampled."""
    with pytest.raises(ScriptError, match="'wake' has 16000 Hz; a reply needs 24000"):
        voices.reply_pcm("wake")
    assert voices.reply_pcm(None) == b""
    assert voices.reply_pcm(b"ab") == voices.heard_pcm(b"ab") == b"ab"
    assert len(voices.reply_pcm(500)) == 24_000
    assert voices.heard_pcm(500) == bytes(16_000)
    assert voices.heard_pcm("wake") == voices.load("wake")[0]
    answer = voices.load("answer_stop")[0]
    assert len(voices.heard_pcm("answer_stop")) == pytest.approx(len(answer) * 2 / 3, abs=4)


def test_a_tone_begins_and_ends_without_a_click() -> None:
    """And is as loud as speech in between."""
    samples = np.frombuffer(voices.tone(300), "<i2").astype(int)
    assert np.max(np.abs(samples[:3])) < 100 > np.max(np.abs(samples[-3:]))
    assert np.max(np.abs(samples)) > 6000
