"""`parley devices`: what there is, what would be taken, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from device.__main__ import main
from device.audio.devices import Device
from device.build.boards import Boards
from device.cli.devices import report
from device.config import Config, parse
from device.errors import AudioDeviceError, DeviceTrouble
from tests.rig.machine import machine

ARRAY = Device("seeed-2mic-voicecard: - [x] (hw:1,0)", 1, 2, 2, 48_000, "ALSA")
HEADPHONES = Device("bcm2835 Headphones: - (hw:0,0)", 0, 0, 8, 44_100, "ALSA")


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no cell is broken."""
    monkeypatch.setenv("COLUMNS", "250")


def nothing(tmp_path: Path) -> Boards:
    """A machine that shows no board."""
    return Boards(tmp_path)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_what_would_be_taken_is_said_with_the_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One line a device; its name is shown as it is, brackets and all."""
    assert report([HEADPHONES, ARRAY], Config(), nothing(tmp_path), as_json=False) == 0
    head, other, taken, *_ = lines(capsys)
    assert head == "device in out rate board taken as why"
    assert taken.startswith(
        "seeed-2mic-voicecard: - [x] (hw:1,0) 2 2 48000 Hz 2mic-hat microphone and loudspeaker"
    )
    assert other.startswith("bcm2835 Headphones: - (hw:0,0) 0 8 44100 Hz none - no input; not the")


def test_scripts_get_json_without_indices(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An index means another device after the next replug."""
    assert report([ARRAY], Config(), nothing(tmp_path), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    (record,) = told["devices"]
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
    assert told["board"]["name"] == "2mic-hat"
    assert told["board"]["why"] == "the microphone's name says so"
    assert told["board"]["card"] is None


@pytest.mark.parametrize(
    ("found", "config"),
    [
        ([], ""),
        ([HEADPHONES], ""),
        ([ARRAY], "audio: {output: {device: bluetooth}}"),
    ],
)
def test_without_a_microphone_or_a_loudspeaker_it_is_a_failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, found: list[Device], config: str
) -> None:
    """Exit code 1, for scripts."""
    assert report(found, parse(config, "x"), nothing(tmp_path), as_json=False) == 1
    assert capsys.readouterr().out


def test_no_device_at_all_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Instead of an empty table; for scripts it is an empty list."""
    boards = Boards(machine("nothing-on-a-pi", tmp_path))
    assert report([], Config(), boards, as_json=False) == 1
    told = lines(capsys)
    assert told[0] == "no sound device found"
    assert "because no ReSpeaker's sound card is here" in told
    assert any("no ReSpeaker is on USB either: an array shows in 'lsusb'" in line for line in told)
    assert any("needs dtoverlay=respeaker-2mic-v1_0" in line for line in told)
    assert report([], Config(), boards, as_json=True, trouble="portaudio is away") == 1
    record = json.loads(capsys.readouterr().out)
    assert record["devices"] == record["board"]["channels"] == []
    assert record["board"]["advice"][0] == "portaudio is away"


def card(name: str, inputs: int, outputs: int, rate_hz: int = 16_000) -> Device:
    return Device(name, 0, inputs, outputs, rate_hz, "ALSA")


USB_ARRAY = "ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)"
XVF3800 = "reSpeaker XVF3800 4-Mic Array: USB Audio (hw:4,0)"
HAT_V2 = "seeed2micvoicec: 1f000a4000.i2s-tlv320aic3x-hifi tlv320aic3x-hifi-0 (hw:2,0)"


@pytest.mark.parametrize(
    ("state", "device", "said"),
    [
        (
            "2mic-hat-v2",
            card(HAT_V2, 2, 2, 44_100),
            [
                "board 2mic-hat-v2: ReSpeaker 2-Mics Pi HAT v2.0",
                "card 2 (seeed2micvoicec) 48000/16000 Hz, S16_LE/S24_LE/S32_LE",
                "channel 0: raw microphone <- listened to",
                "lights 3 APA102 on spidev0.1",
                "button GPIO17",
                "echo cancelled in software",
            ],
        ),
        (
            "4mic-hat",
            card("seeed-4mic-voicecard: - (hw:1,0)", 4, 0),
            [
                "lights 12 APA102 on spidev0.1, current from GPIO5",
                "button none",
                "caution its driver is not part of the kernel",
                "to do the board has no output: connect a loudspeaker to another sound card",
            ],
        ),
        (
            "6mic-circular",
            card("seeed-8mic-voicecard: - (hw:1,0)", 8, 8, 48_000),
            [
                "card 1 (seeed8micvoicec) 48000 Hz, S32_LE",
                "channel 0: raw microphone <- listened to",
                "channel 7: what is played (loopback)",
                "button GPIO26",
                "to do the ReSpeaker 4-Mic Linear Array Kit looks the same to the Pi",
            ],
        ),
        (
            "usb-array",
            card(USB_ARRAY, 6, 2),
            [
                "card 1 (ArrayUAC10) playback: 2 channels, 16000 Hz, S16_LE; capture: 6 channels",
                "channel 0: processed for speech recognition <- listened to",
                "channel 4: raw microphone",
                "channel 5: what is played (loopback)",
                "lights 12 on a ring, set over USB (xvf3000)",
                "echo cancelled by the board, which hears what is played through its own output",
            ],
        ),
        (
            "usb-array-1-channel",
            card(USB_ARRAY, 1, 2),
            ["channel 0: processed for speech recognition <- listened to"],
        ),
        (
            "lite",
            card("ReSpeaker Lite: USB Audio (hw:2,0)", 2, 2),
            [
                "lights none that Parley can set",
                "button none; the board's own mute button works by itself",
            ],
        ),
        (
            "xvf3800-6-channels",
            card(XVF3800, 6, 2),
            [
                "channel 0: processed for calls",
                "channel 1: processed for speech recognition <- listened to",
                "channel 5: raw microphone",
                "button none; the board's own mute button can be read",
                "mixer PCM,0 100%; PCM,1 100%; numid=8 on; numid=10 60",
            ],
        ),
        (
            "two-arrays",
            card(USB_ARRAY, 6, 2),
            [
                "board usb-array: ReSpeaker USB Mic Array v2.0 or v3.0",
                "because it is the microphone; its USB id is 2886:0018",
                "also here xvf3800: its USB id is 2886:001a; card 2 is called",
            ],
        ),
        (
            "unknown-usb-card",
            card("USB PnP Sound Device: USB Audio (hw:1,0)", 1, 2, 44_100),
            ["board none: plain sound card", "channel 0: not known <- listened to"],
        ),
        (
            "hdmi-and-webcam",
            card("default", 32, 32, 44_100),
            ["board none: plain sound card", "channel 0: not known <- listened to"],
        ),
    ],
)
def test_the_board_is_shown_with_all_that_is_made_of_it(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    state: str,
    device: Device,
    said: list[str],
) -> None:
    """What an owner would otherwise look up: why, which channel, lights, button, echo, mixer."""
    if state == "two-arrays":
        # The other one is taken only because the owner asks for it.
        config = parse("audio: {input: {device: 4 Mic Array}}", "x")
    else:
        config = Config()
    report([device], config, Boards(machine(state, tmp_path)), as_json=False)
    told = lines(capsys)
    for beginning in said:
        assert any(line.startswith(beginning) for line in told), (beginning, told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("audio: {echo_cancellation: off}", "echo not cancelled: audio.echo_cancellation is off"),
        ("audio: {echo_cancellation: software}", "echo cancelled in software: audio.echo_canc"),
        ("audio: {input: {channel: 3}}", "channel 3: raw microphone <- listened to"),
        ("audio: {input: {channel: 6}}", "to do no channel 6: the device has 6, counted from 0"),
        ("lights: {driver: gpio}", "lights one on GPIO17, GPIO27, GPIO22"),
        ("lights: {driver: terminal}", "lights drawn in the terminal"),
        ("lights: {driver: apa102, count: 8}", "lights 8 APA102 on spidev0.1"),
        ("button: {pin: 22}", "button GPIO22"),
        ("button: {pin: none}", "button none"),
        ("board: xvf3800", "because board: xvf3800 in the configuration"),
    ],
)
def test_what_the_owner_corrected_is_shown_as_it_is_in_force(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str
) -> None:
    """The same keys, on a USB array."""
    boards = Boards(machine("usb-array", tmp_path))
    report([card(USB_ARRAY, 6, 2)], parse(text, "x"), boards, as_json=False)
    told = lines(capsys)
    assert any(line.startswith(said) for line in told), told


def test_a_card_that_is_in_use_is_not_looked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """While the speaker runs PortAudio shows its card to nobody else: the kernel still does."""
    boards = Boards(machine("xvf3800", tmp_path))
    report([card(XVF3800, 0, 0), card("default", 32, 32)], Config(), boards, as_json=True)
    told = json.loads(capsys.readouterr().out)["board"]
    assert told["name"] == "xvf3800"
    assert told["channels"][1] == {
        "channel": 1,
        "role": "processed for speech recognition",
        "chosen": True,
    }
    assert "card 4 'reSpeaker XVF3800 4-Mic Array' is not among" in told["advice"][0]
    assert "another program has it open, which may be the speaker" in told["advice"][0]
    assert told["others"] == []


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("proc/asound/card4/pcm0c/sub0/status", "owner_pid   : 7\n", "'process 7' has it open"),
        ("dev/snd/pcmC4D0c", "", "run 'sudo usermod -aG audio kitchen', and log in again"),
    ],
)
def test_why_a_card_does_not_show_is_told(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    text: str,
    said: str,
) -> None:
    """It is taken, or forbidden: PortAudio says neither."""
    root = machine("xvf3800", tmp_path)
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(text)
    monkeypatch.setattr("os.access", lambda node, _mode: "snd" not in str(node))
    monkeypatch.setattr("getpass.getuser", lambda: "kitchen")
    report([], Config(), Boards(root), as_json=True)
    assert said in json.loads(capsys.readouterr().out)["board"]["advice"][0]


def test_the_command_reads_the_machine_it_runs_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the sound system does not start: then the board is told without it."""

    def away() -> list[Device]:
        raise AudioDeviceError(DeviceTrouble.MISSING, "portaudio does not start: no library")

    monkeypatch.setattr("device.cli.devices.list_devices", away)
    path = tmp_path / "config.yaml"
    path.write_text("board: lite\n")
    assert main(["devices", "--json", "--config", str(path)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["board"]["name"] == "lite"
    assert told["board"]["advice"][0] == "portaudio does not start: no library"


def test_a_board_that_there_is_not_is_a_mistake_of_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As `parley config check` says."""
    (tmp_path / "config.yaml").write_text("board: nonsense\n")
    assert main(["devices", "--config", str(tmp_path / "config.yaml")]) == 78
    assert "nonsense" in capsys.readouterr().err
