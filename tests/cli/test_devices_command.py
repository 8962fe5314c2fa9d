"""`parley devices`: what there is, what would be taken, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from device.audio.devices import Device
from device.cli.devices import report
from device.config import Audio, parse

ARRAY = Device("seeed-2mic-voicecard: - [x] (hw:1,0)", 1, 2, 2, 48_000, "ALSA")
HEADPHONES = Device("bcm2835 Headphones: - (hw:0,0)", 0, 0, 8, 44_100, "ALSA")


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no cell is broken."""
    monkeypatch.setenv("COLUMNS", "250")


def audio(text: str = "") -> Audio:
    return parse(text, str(Path("test.yaml"))).audio


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_what_would_be_taken_is_said_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a device; its name is shown as it is, brackets and all."""
    assert report([HEADPHONES, ARRAY], audio(), as_json=False) == 0
    head, other, taken = lines(capsys)
    assert head == "device in out rate board taken as why"
    assert taken.startswith(
        "seeed-2mic-voicecard: - [x] (hw:1,0) 2 2 48000 Hz 2mic-hat microphone and loudspeaker"
    )
    assert other.startswith("bcm2835 Headphones: - (hw:0,0) 0 8 44100 Hz none - no input; not the")


def test_scripts_get_json_without_indices(capsys: pytest.CaptureFixture[str]) -> None:
    """An index means another device after the next replug."""
    assert report([ARRAY], audio(), as_json=True) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record.pop("why")
    assert record == {
        "name": ARRAY.name,
        "input_channels": 2,
        "output_channels": 2,
        "default_rate_hz": 48_000,
        "host_api": "ALSA",
        "default_input": False,
        "default_output": False,
        "board": "2mic-hat",
        "microphone": True,
        "speaker": True,
    }


@pytest.mark.parametrize(
    ("found", "config"),
    [
        ([], ""),
        ([HEADPHONES], ""),
        ([ARRAY], "audio: {output: {device: bluetooth}}"),
    ],
)
def test_without_a_microphone_or_a_loudspeaker_it_is_a_failure(
    capsys: pytest.CaptureFixture[str], found: list[Device], config: str
) -> None:
    """Exit code 1, for scripts."""
    assert report(found, audio(config), as_json=False) == 1
    assert capsys.readouterr().out


def test_no_device_at_all_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Instead of an empty table; for scripts it is an empty list."""
    assert report([], audio(), as_json=False) == 1
    assert lines(capsys) == ["no sound device found"]
    assert report([], audio(), as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == []
