"""The board's facts on their way to the parts, with the owner's corrections."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from device.audio.devices import CardFacts, Device
from device.board.profiles import LedDriver
from device.build.boards import Boards
from device.config import parse
from tests.rig.machine import machine

ARRAY = Device("ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)", 0, 6, 2, 16_000, "ALSA")
ONE_CHANNEL = Device(ARRAY.name, 0, 1, 2, 16_000, "ALSA")
XVF3800 = Device("reSpeaker XVF3800 4-Mic Array: USB Audio (hw:4,0)", 0, 6, 2, 16_000, "ALSA")
KIT = Device("seeed-8mic-voicecard: - (hw:1,0)", 0, 8, 8, 48_000, "ALSA")
RENAMED = Device("USB Audio Device: USB Audio (hw:1,0)", 0, 2, 2, 16_000, "ALSA")
WEBCAM = Device("HD Pro Webcam C920: USB Audio (hw:1,0)", 0, 2, 0, 48_000, "ALSA")


@pytest.mark.parametrize(
    ("state", "device", "facts"),
    [
        ("usb-array", ARRAY, CardFacts(0, (16_000,), respeaker=True)),
        ("usb-array-1-channel", ONE_CHANNEL, CardFacts(0, (16_000,), gates=True, respeaker=True)),
        ("xvf3800-6-channels", XVF3800, CardFacts(1, (16_000, 48_000), mutes=True, respeaker=True)),
        ("6mic-circular", KIT, CardFacts(0, (48_000,), capture_first=True, respeaker=True)),
        (
            "xvf3800-another-name",
            RENAMED,
            CardFacts(1, (16_000, 48_000), gates=True, mutes=True, respeaker=True),
        ),
        ("hat-and-webcam", WEBCAM, CardFacts()),
        ("hdmi-and-webcam", WEBCAM, CardFacts()),
    ],
)
def test_a_microphone_is_opened_as_its_board_wants_it(
    tmp_path: Path, state: str, device: Device, facts: CardFacts
) -> None:
    """Without a line of YAML; a webcam is no HAT because there is one as well.

    Zeros are a quiet room only where no channel is a raw microphone.
    """
    boards = Boards(machine(state, tmp_path))
    assert boards.input_facts(parse("", "x"))(device) == facts


def test_a_loudspeaker_is_opened_as_its_own_card_wants_it(tmp_path: Path) -> None:
    """The kit's card is filled; another one is not, though the board is called the kit."""
    boards = Boards(machine("6mic-circular", tmp_path))
    headphones = Device("bcm2835 Headphones: - (hw:0,0)", 0, 0, 8, 44_100, "ALSA")
    facts = boards.output_facts(parse("board: 6mic-circular", "x"))
    assert facts(KIT) == CardFacts(output_channels=8, capture_first=True, respeaker=True)
    assert facts(headphones) == CardFacts()


def test_the_owner_corrects_every_fact(tmp_path: Path) -> None:
    """Each by its own key; `auto` leaves the board's."""
    boards = Boards(machine("4mic-hat", tmp_path))
    text = """
lights: {count: 24, spi: spidev1.0, power_pin: 6}
audio: {input: {rate_hz: 32000}, output: {channels: 4}}
"""
    board = boards.profile(parse(text, "x"), None)
    assert (board.name, board.led_count) == ("4mic-hat", 24)
    assert (board.spi_port, board.spi_device, board.led_power_pin) == (1, 0, 6)
    assert (board.rates_hz, board.output_channels) == ((32_000,), 4)
    none = boards.profile(parse("lights: {power_pin: none}", "x"), None)
    assert (none.led_power_pin, none.led_count) == (None, 12)


@pytest.mark.parametrize(("text", "count"), [("", 3), (", count: 8", 8)])
def test_a_chain_of_one_s_own_on_any_board(tmp_path: Path, text: str, count: int) -> None:
    """`lights.driver: apa102` beside a USB microphone; three LEDs unless said otherwise."""
    boards = Boards(machine("unknown-usb-card", tmp_path))
    board = boards.profile(parse(f"lights: {{driver: apa102{text}}}", "x"), None)
    assert (board.name, board.led_driver, board.led_count) == ("none", LedDriver.APA102, count)


def test_the_journal_tells_the_board_and_its_caution_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And again only when it is another one."""
    caplog.set_level(logging.INFO)
    boards = Boards(machine("6mic-circular", tmp_path))
    config = parse("", "x")
    for microphone in (None, None, KIT, KIT):
        assert boards.profile(config, microphone).name == "6mic-circular"
    found, caution = (record.getMessage() for record in caplog.records)
    assert found == (
        "board 6mic-circular (ReSpeaker 6-Mic Circular Array Kit): card 1 is called"
        " 'seeed-8mic-voicecard'; its codec is 'bcm2835-i2s-ac10x-codec0 ac10x-codec0-0'"
    )
    assert "driver is not part of the kernel" in caution
    boards.profile(parse("board: 4mic-linear", "x"), KIT)
    boards.profile(config, KIT)
    assert len(caplog.records) == 5


@pytest.mark.parametrize(
    ("loudspeaker", "cancels"),
    [("auto", True), ("ArrayUAC", True), ("4 mic array", True), ("headphones", False)],
)
def test_a_board_cancels_only_what_is_played_through_itself(
    tmp_path: Path, loudspeaker: str, cancels: bool
) -> None:
    """Another card is no business of its chip; a name of no card may be anything."""
    boards = Boards(machine("usb-array", tmp_path))
    config = parse(f"audio: {{output: {{device: '{loudspeaker}'}}}}", "x")
    assert boards.profile(config, ARRAY).echo_cancellation is cancels
