"""Which cards hear and speak, on machines as they were recorded, and where that is a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from device.audio.devices import Device
from device.doctor import sound_cards as checks
from device.doctor.result import Result, Verdict
from device.doctor.sound_cards import sound_cards
from device.errors import AudioDeviceError, DeviceTrouble
from device.ports import OpenDevice
from tests.rig.scene import machine, only

CARDS = """\
 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [C920           ]: USB-Audio - HD Pro Webcam C920
                      HD Pro Webcam C920 at usb-0000:01:00.0-1.1, high speed
 2 [S330           ]: USB-Audio - Anker PowerConf S330
                      ANKER Anker PowerConf S330 at usb-0000:01:00.0-1.2, full speed
"""
HEARS = "{} at usb-0000:01:00.0-1.1 : USB Audio\n\nCapture:\n  Interface 2\n    Channels: 1\n"
JACK = Device("bcm2835 Headphones: - (hw:0,0)", 0, 0, 8, 44_100, "ALSA")
WEBCAM = Device("HD Pro Webcam C920: USB Audio (hw:1,0)", 1, 2, 0, 48_000, "ALSA")
ANKER = Device("Anker PowerConf S330: USB Audio (hw:2,0)", 2, 1, 2, 48_000, "ALSA")
SCREEN = Device("vc4-hdmi-0: MAI PCM i2s-hifi-0 (hw:0,0)", 0, 0, 2, 44_100, "ALSA")
ARRAY = Device("ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:3,0)", 3, 6, 2, 16_000, "ALSA")
DEFAULT = Device("default", 4, 0, 128, 44_100, "ALSA", default_output=True)
PULSE = Device("pulse", 5, 32, 32, 44_100, "ALSA", default_input=True, default_output=True)


def looked(
    monkeypatch: pytest.MonkeyPatch, root: Path, found: Sequence[Device], config: str = ""
) -> Result:
    """What is said where no speaker runs."""
    monkeypatch.setattr(checks, "list_devices", lambda: list(found))
    files = {
        "proc/asound/cards": CARDS,
        "proc/asound/card1/usbid": "046d:082d",
        "proc/asound/card1/stream0": HEARS.format("HD Pro Webcam C920"),
        "proc/asound/card2/usbid": "291a:3302",
        "proc/asound/card2/stream0": HEARS.format("Anker PowerConf S330"),
    }
    return only(sound_cards(machine(root, config=config, files=files)))


def test_a_speakerphone_hears_and_speaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is a guess where it is asked for by name."""
    told = looked(
        monkeypatch, tmp_path, [JACK, WEBCAM, ANKER, DEFAULT], "audio: {input: {device: anker}}"
    )
    assert (told.verdict, told.figure) == (Verdict.FINE, f"'{ANKER.name}' hears and speaks")
    assert told.figures == {
        "guesses": [],
        "microphone": ANKER.name,
        "loudspeaker": ANKER.name,
    }


def test_several_that_could_hear_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The kernel numbers them anew at each start."""
    told = looked(monkeypatch, tmp_path, [JACK, WEBCAM, ANKER, DEFAULT])
    assert told.verdict is Verdict.HINT
    assert told.advice == (
        "'HD Pro Webcam C920' could hear too, and which comes first may change with the next "
        "start: write a part of its name as audio.input.device; see: parley devices"
    )


def test_a_microphone_whose_card_cannot_speak_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With what speaks instead and why, until its owner says that it is right."""
    webcam = "audio: {input: {device: webcam}}"
    told = looked(monkeypatch, tmp_path, [JACK, WEBCAM, DEFAULT], webcam)
    assert told.verdict is Verdict.HINT
    assert told.figure == (
        f"'{WEBCAM.name}' hears, 'default' speaks (no ReSpeaker here; the system's default output)"
    )
    assert told.advice == (
        "the microphone's card has no loudspeaker; if you hear nothing from this one: write a part "
        "of its name as audio.output.device; see: parley devices"
    )
    both = "audio: {input: {device: webcam}, output: {device: headphones}}"
    assert looked(monkeypatch, tmp_path, [JACK, WEBCAM], both).verdict is Verdict.FINE


def test_a_screen_that_speaks_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without one connected nothing is heard."""
    webcam = "audio: {input: {device: webcam}}"
    told = looked(monkeypatch, tmp_path, [SCREEN, WEBCAM], webcam)
    assert told.verdict is Verdict.HINT
    assert "a screen's, and nothing is heard where none is connected" in told.advice


def test_a_respeaker_and_a_sound_server_are_no_guesses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The one goes first whatever else there is, the other decides by itself."""
    for found in ([JACK, WEBCAM, ARRAY, DEFAULT], [JACK, WEBCAM, PULSE]):
        told = looked(monkeypatch, tmp_path, found)
        assert (told.verdict, told.advice) == (Verdict.FINE, "")


def test_a_running_speaker_is_asked(tmp_path: Path) -> None:
    """What it has open is not listed to anybody else."""
    status = {
        "microphone_device": asdict(OpenDevice(WEBCAM.name, 1, 0, 2, 16_000)),
        "speaker_device": asdict(OpenDevice(JACK.name, 0, None, 8, 48_000)),
    }
    told = only(sound_cards(machine(tmp_path, status=status, alive=True)))
    assert told.figure == f"'{WEBCAM.name}' hears, '{JACK.name}' speaks"
    assert told.verdict is Verdict.HINT
    never = only(sound_cards(machine(tmp_path, status={"state": "fault"}, alive=True)))
    assert (never.verdict, never.advice) == (Verdict.SKIPPED, "parley devices")


def test_what_cannot_be_looked_at_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No device, no sound system, a speaker that may not be asked, a board that is none."""
    assert looked(monkeypatch, tmp_path, []).verdict is Verdict.SKIPPED

    def fails() -> list[Device]:
        raise AudioDeviceError(DeviceTrouble.MISSING, "portaudio does not start: no")

    monkeypatch.setattr(checks, "list_devices", fails)
    failed = only(sound_cards(machine(tmp_path)))
    assert (failed.verdict, failed.figure) == (Verdict.SKIPPED, "portaudio does not start: no")
    silent = machine(tmp_path, alive=True, silence="no answer")
    assert only(sound_cards(silent)).advice == "no answer"
    noted = machine(tmp_path, notes={"sound": "not tried"})
    assert only(sound_cards(noted)).figure == "not tried"
    told = looked(monkeypatch, tmp_path, [WEBCAM, JACK], "board: no-such-board")
    assert (told.verdict, told.figure[:28]) == (Verdict.SKIPPED, "no board is called 'no-such-")
