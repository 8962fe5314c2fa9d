"""What is read of a machine's files, and what is made of those that are missing or odd."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.board.evidence import (
    BootConfig,
    Card,
    I2cDevice,
    Stream,
    UsbDevice,
    boot_config_in,
    cards_in,
    codecs_in,
    kernel_in,
    streams_in,
    usb_id_in,
)
from device.board.kernel import plugged, read_evidence
from tests.rig.machine import machine

PI_5 = "Raspberry Pi 5 Model B Rev 1.0"


def test_all_of_a_usb_array_is_read(tmp_path: Path) -> None:
    """Card, channels, rates, and its place on USB."""
    seen = read_evidence(machine("usb-array", tmp_path))
    assert seen.cards[1] == Card(
        1,
        "ArrayUAC10",
        "USB-Audio",
        "ReSpeaker 4 Mic Array (UAC1.0)",
        "USB Audio",
        (0x2886, 0x0018),
        (
            Stream("playback", 2, (16_000,), ("S16_LE",)),
            Stream("capture", 6, (16_000,), ("S16_LE",)),
        ),
    )
    assert seen.cards[1].capture_channels == 6
    assert seen.cards[0].capture_channels is None
    array = UsbDevice("1-1.3", (0x2886, 0x0018), "ReSpeaker 4 Mic Array (UAC1.0)")
    assert array in seen.usb
    assert str(array) == "2886:0018 ReSpeaker 4 Mic Array (UAC1.0)"
    assert seen.is_pi
    assert seen.boot == BootConfig(("vc4-kms-v3d",))


def test_all_of_a_hat_is_read(tmp_path: Path) -> None:
    """Codec, address, overlay, and whether SPI is there."""
    seen = read_evidence(machine("2mic-hat-v2", tmp_path))
    assert seen.cards[1].codec == "1f000a4000.i2s-tlv320aic3x-hifi tlv320aic3x-hifi-0"
    assert seen.cards[1].usb_id is None
    assert seen.i2c == (I2cDevice(1, 0x18, "tlv320aic3104"),)
    assert seen.boot == BootConfig(
        ("vc4-kms-v3d", "nospi10", "respeaker-2mic-v2_0"), spi=True, i2c=True
    )
    assert seen.model == PI_5
    assert seen.spi_nodes == ("spidev0.0", "spidev0.1")


def test_a_machine_without_any_of_it_is_no_error(tmp_path: Path) -> None:
    """A container, or a PC."""
    seen = read_evidence(tmp_path / "nothing")
    assert (seen.cards, seen.usb, seen.i2c, seen.boot, seen.model) == ((), (), (), None, "")
    assert not seen.is_pi
    # What this very machine has does not matter: it can be read.
    read_evidence()


def test_a_file_that_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    """The rest still counts; so does a folder in a file's place, and bytes that are no text."""
    machine("usb-array", tmp_path)
    (tmp_path / "proc/asound/card1/usbid").unlink()
    (tmp_path / "proc/asound/card1/usbid").mkdir()
    (tmp_path / "sys/bus/usb/devices/1-1.3:1.0").mkdir()
    (tmp_path / "sys/bus/usb/devices/1-1.3/product").write_bytes(b"\xff\xfe")
    seen = read_evidence(tmp_path)
    assert seen.cards[1].usb_id is None
    assert seen.usb[1].name == "\ufffd\ufffd"


def test_who_records_and_who_may_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PortAudio hides a card that is taken or forbidden: the kernel says which it is."""
    machine("usb-array", tmp_path)
    status = tmp_path / "proc/asound/card1/pcm0c/sub0/status"
    status.parent.mkdir(parents=True)
    status.write_text("closed\n")
    assert read_evidence(tmp_path).cards[1].recorder == ""
    status.write_text("state: RUNNING\nowner_pid   : 1234\ntrigger_time: 1.0\n")
    assert read_evidence(tmp_path).cards[1].recorder == "process 1234"
    (tmp_path / "proc/1234").mkdir()
    (tmp_path / "proc/1234/comm").write_text("parley\n")
    assert read_evidence(tmp_path).cards[1].recorder == "parley"
    (tmp_path / "dev/snd").mkdir(parents=True)
    (tmp_path / "dev/snd/pcmC1D0c").touch()
    monkeypatch.setattr("os.access", lambda path, _mode: "pcmC1" not in str(path))
    assert [card.allowed for card in read_evidence(tmp_path).cards] == [True, False]


@pytest.mark.parametrize(
    ("text", "version"), [("6.12.47+rpt-rpi-2712", (6, 12)), ("6.18.34", (6, 18)), ("", (0, 0))]
)
def test_the_kernel_is_read(text: str, version: tuple[int, int]) -> None:
    """Drivers outside of it depend on that."""
    assert kernel_in(text) == version


def test_an_older_system_keeps_its_config_elsewhere(tmp_path: Path) -> None:
    """Debian 11 had it in /boot."""
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/config.txt").write_text("dtparam=spi=on\n")
    assert read_evidence(tmp_path).boot == BootConfig(spi=True)


@pytest.mark.parametrize(
    ("text", "switched"),
    [
        ("dtparam=spi=on,i2c_arm=on", BootConfig(spi=True, i2c=True)),
        ("dtparam=spi", BootConfig(spi=True)),
        ("dtparam=i2c=on", BootConfig(i2c=True)),
        ("#dtparam=spi=on", BootConfig()),
        ("dtparam=spi=on\ndtparam=spi=off", BootConfig()),
        ("device_tree_param=spi=true # for the LEDs", BootConfig(spi=True)),
        ("dtoverlay=dwc2,dr_mode=host", BootConfig(("dwc2",))),
        ("dtoverlay=", BootConfig()),
        ("[pi4]\ndtparam=spi=on", BootConfig()),
        ("[pi5]\ndtparam=spi=on", BootConfig(spi=True)),
        ("[pi4]\n[all]\ndtparam=spi=on", BootConfig(spi=True)),
        ("[none]\ndtparam=spi=on", BootConfig()),
        ("[EDID=VSC-TD2220]\ndtoverlay=a", BootConfig()),
        ("device_tree_overlay=a:b=c", BootConfig(("a",))),
    ],
)
def test_config_txt_is_read_as_the_firmware_reads_it(text: str, switched: BootConfig) -> None:
    """On a Pi 5; the last word counts."""
    assert boot_config_in(text, PI_5) == switched


def test_odd_lines_are_passed_over() -> None:
    """Kernels change their texts."""
    assert cards_in("--- no soundcards ---\n") == []
    assert codecs_in("nothing: at all\n02-00: a : b\n02-01: c : d\n") == {2: "a"}
    assert usb_id_in("2886") is None
    assert streams_in("") == ()
    assert streams_in("Capture:\n  Altset 1\n    Channels: many\n") == ()


def test_every_alternate_setting_of_a_card_is_a_stream() -> None:
    """A webcam may have several; what it does not say is left open."""
    text = """
Playback:
  Interface 1
    Altset 1
    Channels: 2
Capture:
  Interface 2
    Altset 1
    Format: S16_LE
    Channels: 1
    Rates: 16000, 24000
    Altset 2
    Format: S24_3LE
    Channels: 2
    Rates: 8000 - 48000 (continuous)
"""
    streams = streams_in(text)
    assert [str(stream) for stream in streams] == [
        "2 channels",
        "1 channel, 16000/24000 Hz, S16_LE",
        "2 channels, 8000/48000 Hz, S24_3LE",
    ]
    assert [stream.direction for stream in streams] == ["playback", "capture", "capture"]


CARDS = """ 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [Array          ]: USB-Audio - reSpeaker XVF3800 4-Mic Array
                      Seeed Studio reSpeaker XVF3800 4-Mic Array at usb-0000:01:00.0-1.2, high
"""


def plug(root: Path, place: str, vendor: str, product: str, number: int) -> Path:
    device = root / "sys/bus/usb/devices" / place
    device.mkdir(parents=True, exist_ok=True)
    for name, text in (("idVendor", vendor), ("idProduct", product), ("devnum", str(number))):
        (device / name).write_text(f"{text}\n")
    return device


def test_cards_and_arrays_are_named(tmp_path: Path) -> None:
    """A keyboard is nobody's business here; an interface has no ids of its own."""
    (tmp_path / "proc/asound").mkdir(parents=True)
    (tmp_path / "proc/asound/cards").write_text(CARDS)
    plug(tmp_path, "1-1.2", "2886", "001a", 5)
    plug(tmp_path, "1-1.3", "046d", "c31c", 6)
    (tmp_path / "sys/bus/usb/devices/1-1.2:1.0").mkdir()
    there = plugged(tmp_path)
    assert {name for name in there if "001a" in name or "c31c" in name} == {"1-1.2 001a 5"}
    assert len(there) == 5


def test_an_array_that_was_put_back_has_another_name(tmp_path: Path) -> None:
    """Though nothing else about it has changed."""
    plug(tmp_path, "1-1.2", "2886", "0018", 5)
    before = plugged(tmp_path)
    plug(tmp_path, "1-1.2", "2886", "0018", 6)
    assert before.isdisjoint(plugged(tmp_path))


def test_a_machine_without_sound_or_usb_has_nothing(tmp_path: Path) -> None:
    """As a container; an array that goes in this moment is none any more."""
    assert plugged(tmp_path) == frozenset()
    (plug(tmp_path, "1-1.2", "2886", "0018", 5) / "idVendor").unlink()
    assert plugged(tmp_path) == frozenset()
