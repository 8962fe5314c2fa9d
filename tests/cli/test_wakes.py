"""``parley wakes test``: the owner's recordings by the real networks."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from device.__main__ import main
from device.simulator.voices import SPEECH
from device.wake.catalogue import bundled_network
from tests.wake import broken

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("wake: {words: [{model: hey_jarvis, threshold: 0.4}, {model: alexa}]}\n")
    return path


@pytest.fixture
def telephone(tmp_path: Path) -> Path:
    """The word in the second channel of a stereo file at 48 kHz."""
    path = tmp_path / "telephone.wav"
    with wave.open(str(SPEECH / "wake.wav"), "rb") as file:
        said = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    tripled = np.repeat(said, 3)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(np.stack([np.zeros_like(tripled), tripled], axis=1).tobytes())
    return path


def test_each_file_has_each_words_best_score_when_and_whether_it_wakes(
    config: Path, capsys: Capture
) -> None:
    """And in how many of all it would have woken."""
    files = [str(SPEECH / f"{name}.wav") for name in ("wake", "chatter")]
    assert main(["wakes", "test", *files, "--config", str(config)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    wake, jarvis, alexa, talk, *no_words, first, second = printed.out.splitlines()
    assert wake.startswith(f"{files[0]}: 0.9 s at 16000 Hz, peak ")
    assert jarvis.split() == [
        "hey_jarvis", jarvis.split()[1], "at", "0.9", "s", "threshold", "0.40", "wakes", "it",
    ]  # fmt: skip
    assert alexa.endswith("threshold 0.50   does not wake it")
    assert talk.startswith(f"{files[1]}: ")
    assert all(line.endswith("does not wake it") for line in no_words)
    assert first == "hey_jarvis: wakes it in 1 of 2 recordings"
    assert second == "alexa: wakes it in 0 of 2 recordings"


def test_scripts_get_the_figures(config: Path, telephone: Path, capsys: Capture) -> None:
    """Of any channel at any rate."""
    words = ["wakes", "test", str(telephone), "--json", "--config", str(config)]
    assert main([*words, "--channel", "1"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["words"]["hey_jarvis"] == {"threshold": 0.4, "networks": 2}
    [file] = record["files"]
    score = file["words"]["hey_jarvis"]
    assert (file["rate_hz"], file["channels"], file["channel"]) == (48_000, 2, 1)
    assert score["wakes"] is True
    assert 0.4 <= score["score"] <= 1.0
    assert 0.5 < score["at_s"] <= 1.0
    assert main(words) == 0
    [silent] = json.loads(capsys.readouterr().out)["files"]
    assert silent["peak_dbfs"] == -120.0
    assert silent["words"]["hey_jarvis"]["wakes"] is False


def test_a_quiet_or_a_short_recording_is_told_as_such(
    config: Path, telephone: Path, tmp_path: Path, capsys: Capture
) -> None:
    """It is the recording that is wrong, not the network."""
    short = tmp_path / "short.wav"
    with wave.open(str(short), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\xff\x7f\x00\x80" * 1_000)
    assert main(["wakes", "test", str(telephone), str(short), "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "channel 0 of 2, peak -120 dBFS (hardly anything is in it: come nearer" in out
    assert "0.1 s at 16000 Hz, peak 0 dBFS (too short for a wake word) (too loud: it is cut" in out


def test_what_cannot_be_heard_is_told_and_the_rest_is_heard(
    config: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Exit code 1; in the figures too."""
    junk = tmp_path / "junk.wav"
    junk.write_bytes(b"ID3")
    words = ["wakes", "test", str(junk), str(SPEECH / "wake.wav"), "--config", str(config)]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"parley: {junk}: an MP3, no WAV file: convert it: ffmpeg ")
    assert "wakes it" in printed.out
    assert main([*words, "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)["files"]
    assert first["error"].startswith(f"{junk}: an MP3")
    assert second["error"] is None


def test_another_word_can_be_tried_before_it_is_configured(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A bundled one by name, an owner's by its path from here; a broken one is told."""
    monkeypatch.chdir(tmp_path)
    Path("computer.onnx").write_bytes(bundled_network("hey_jarvis").read_bytes())
    words = ["wakes", "test", str(SPEECH / "wake.wav"), "--config", str(config), "--word"]
    assert main([*words, "computer.onnx", "--word", "hey_mycroft", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["words"] == {
        "computer": {"threshold": 0.5, "networks": 1},
        "hey_mycroft": {"threshold": 0.5, "networks": 2},
    }
    assert record["files"][0]["words"]["computer"]["wakes"] is True
    broken.written(Path("computer.onnx"), broken.with_operation("Sigmoid", "Identity"))
    assert main([*words, "computer.onnx"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"parley: {tmp_path}/computer.onnx: its scores are no probabilities")
    assert main([*words, "hey_jervis"]) == 1
    assert "did you mean 'hey_jarvis'?" in capsys.readouterr().err
