"""Facts about boards, and how a board is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from device.board.levels import XVF3800_LEVELS
from device.board.profiles import (
    NONE,
    PROFILES,
    LedDriver,
    Role,
    choose,
    in_safe_mode,
    known_name_parts,
    names,
    profile_for,
    profile_named,
)
from device.errors import BoardError


@pytest.mark.parametrize(
    ("device_name", "board"),
    [
        ("seeed-2mic-voicecard: - (hw:1,0)", "2mic-hat"),
        ("seeed-2mic-voicecard: bcm2835-i2s-wm8960-hifi wm8960-hifi-0 (hw:3,0)", "2mic-hat-v1"),
        (
            "seeed2micvoicec: 1f000a4000.i2s-tlv320aic3x-hifi tlv320aic3x-hifi-0 (hw:2,0)",
            "2mic-hat-v2",
        ),
        ("wm8960-soundcard: bcm2835-i2s-wm8960-hifi wm8960-hifi-0 (hw:0,0)", "2mic-hat-v1"),
        ("seeed-4mic-voicecard: - (hw:1,0)", "4mic-hat"),
        ("seeed4micvoicec", "4mic-hat"),
        ("seeed-8mic-voicecard: - (plughw:1,0)", "6mic-circular"),
        ("ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)", "usb-array"),
        ("alsa_input.usb-SEEED_ReSpeaker_4_Mic_Array__UAC1.0_-00.analog", "usb-array"),
        ("ReSpeaker Lite: USB Audio (hw:2,0)", "lite"),
        ("reSpeaker XVF3800 4-Mic Array: USB Audio (hw:2,0)", "xvf3800"),
        ("reSpeaker XVF3800 Flex: USB Audio (hw:2,0)", "flex"),
        ("USB PnP Sound Device: Audio (hw:1,0)", "none"),
        ("default", "none"),
        ("reSpeaker Something New: USB Audio (hw:1,0)", "none"),
    ],
)
def test_a_board_is_told_by_its_sound_device(device_name: str, board: str) -> None:
    """The names are those PortAudio, ALSA and PulseAudio are known to give."""
    assert profile_for(device_name).name == board


@pytest.mark.parametrize(
    ("board", "channel", "cancels", "leds", "driver", "power", "button"),
    [
        ("2mic-hat", 0, False, 3, LedDriver.APA102, None, 17),
        ("2mic-hat-v1", 0, False, 3, LedDriver.APA102, None, 17),
        ("2mic-hat-v2", 0, False, 3, LedDriver.APA102, None, 17),
        ("4mic-hat", 0, False, 12, LedDriver.APA102, 5, None),
        ("4mic-linear", 0, False, 0, LedDriver.NONE, None, 26),
        ("6mic-circular", 0, False, 12, LedDriver.APA102, 5, 26),
        ("usb-array", 0, True, 12, LedDriver.XVF3000, None, None),
        ("lite", 0, True, 0, LedDriver.NONE, None, None),
        ("xvf3800", 1, True, 12, LedDriver.XVF3800, None, None),
        ("flex", 1, True, 0, LedDriver.NONE, None, None),
        ("none", 0, False, 0, LedDriver.NONE, None, None),
    ],
)
def test_the_facts_of_each_board(  # noqa: PLR0917
    board: str,
    channel: int,
    cancels: bool,
    leds: int,
    driver: LedDriver,
    power: int | None,
    button: int | None,
) -> None:
    """One wrong pin mutes a speaker or lights nothing, so the table is written down twice."""
    profile = profile_named(board)
    assert (profile.channel, profile.echo_cancellation) == (channel, cancels)
    assert (profile.led_count, profile.led_driver) == (leds, driver)
    assert (profile.led_power_pin, profile.button_pin) == (power, button)
    assert (profile.spi_port, profile.spi_device) == (0, 1)


def test_no_board_uses_a_pin_its_own_sound_needs() -> None:
    """GPIO17 is the button of one board and the amplifier's switch of another."""
    for profile in PROFILES:
        assert not {profile.led_power_pin, profile.button_pin} & set(profile.taken_pins)
    assert 17 in profile_named("6mic-circular").taken_pins
    assert 17 in profile_named("4mic-linear").taken_pins


def test_names_are_unique_and_fit_the_configuration() -> None:
    """What `board:` takes is a short lower-case name, and `auto` is no board."""
    assert len(set(names())) == len(PROFILES) == len(names())
    assert "auto" not in names()
    assert all(name == name.lower() and " " not in name for name in names())


def test_a_mistyped_board_is_told_with_the_nearest_name() -> None:
    """An owner should not have to look names up."""
    with pytest.raises(BoardError, match=r"'2-mic-hat', did you mean '2mic-hat'\?.*6mic-circular"):
        profile_named("2-mic-hat")
    with pytest.raises(BoardError, match=r"no board is called 'kitchen'; known: auto, 2mic-hat"):
        profile_named("kitchen")


def test_a_named_board_outranks_what_was_found() -> None:
    """`board:` decides; `auto` goes by the microphone, and knows nothing without one."""
    array = "ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)"
    assert choose("4mic-linear", array).name == "4mic-linear"
    assert choose("auto", array).name == "usb-array"
    assert choose("auto", None) is NONE


def test_every_way_to_know_a_board_makes_its_microphone_preferred() -> None:
    """An array whose exact model is unknown is still better than the webcam."""
    parts = known_name_parts()
    assert parts[-1] == "respeaker"
    assert all(part in parts for profile in PROFILES for part in profile.name_parts)
    assert parts.index("xvf3800 flex") < parts.index("xvf3800")


ASR, CALL, RAW, LOOP, NOTHING = (
    Role.ASR,
    Role.CONFERENCE,
    Role.RAW,
    Role.REFERENCE,
    Role.EMPTY,
)


@pytest.mark.parametrize(
    ("board", "roles", "chosen"),
    [
        ("2mic-hat-v1", [RAW, RAW], 0),
        ("2mic-hat-v2", [RAW, RAW], 0),
        ("4mic-hat", [RAW] * 4, 0),
        ("4mic-linear", [RAW, RAW, RAW, RAW, NOTHING, NOTHING, LOOP, LOOP], 0),
        ("6mic-circular", [RAW, RAW, RAW, RAW, RAW, RAW, LOOP, LOOP], 0),
        ("usb-array", [ASR, RAW, RAW, RAW, RAW, LOOP], 0),
        ("usb-array", [ASR], 0),
        ("lite", [ASR, ASR], 0),
        ("xvf3800", [CALL, ASR], 1),
        ("xvf3800", [CALL, ASR, RAW, RAW, RAW, RAW], 1),
        ("flex", [CALL, ASR], 1),
        ("flex", [CALL, ASR, RAW, RAW, RAW, RAW], 1),
    ],
)
def test_each_channel_of_each_firmware_has_its_role(
    board: str, roles: list[Role], chosen: int
) -> None:
    """A wrong one is a speaker that hears its own voice, or nothing."""
    profile = profile_named(board)
    assert profile.channel_map(len(roles)) == tuple(roles)
    assert profile.channel_of(len(roles)) == chosen


@pytest.mark.parametrize(
    ("board", "channels", "chosen"),
    [("xvf3800", 1, 0), ("xvf3800", 32, 1), ("usb-array", 2, 0), ("none", 2, 0)],
)
def test_a_channel_count_that_is_not_known_gets_the_best_guess(
    board: str, channels: int, chosen: int
) -> None:
    """A server claims 32 channels; a mono device has but one."""
    profile = profile_named(board)
    assert profile.channel_map(channels) is None
    assert profile.channel_of(channels) == chosen


@pytest.mark.parametrize(
    ("board", "rates_hz", "formats", "output_channels", "capture_first"),
    [
        ("2mic-hat-v1", (48_000, 16_000), ("S16_LE", "S24_LE", "S32_LE"), None, False),
        ("2mic-hat-v2", (48_000, 16_000), ("S16_LE", "S24_LE", "S32_LE"), None, False),
        ("4mic-hat", (16_000, 48_000), ("S32_LE",), 0, False),
        ("4mic-linear", (48_000,), ("S32_LE",), 8, True),
        ("6mic-circular", (48_000,), ("S32_LE",), 8, True),
        ("usb-array", (16_000,), ("S16_LE",), None, False),
        ("lite", (16_000,), (), None, False),
        ("xvf3800", (16_000, 48_000), ("S16_LE",), None, False),
        ("flex", (16_000, 48_000), (), None, False),
        ("none", (), (), None, False),
    ],
)
def test_how_each_board_s_card_is_opened(
    board: str,
    rates_hz: tuple[int, ...],
    formats: tuple[str, ...],
    output_channels: int | None,
    capture_first: bool,
) -> None:
    """Rates and formats are those that `hw:` takes."""
    profile = profile_named(board)
    assert (profile.rates_hz, profile.sample_formats) == (rates_hz, formats)
    assert (profile.output_channels, profile.capture_first) == (output_channels, capture_first)


def test_which_boards_need_their_mixer_set() -> None:
    """The others have no control (Lite, USB array), or it is not known what theirs need."""
    with_levels = {profile.name for profile in PROFILES if profile.mixer}
    assert with_levels == {"xvf3800", "flex", "2mic-hat-v1", "2mic-hat-v2"}
    needs = {
        count: [(level.control, level.value) for level in XVF3800_LEVELS if level.is_for(count)]
        for count in (2, 6)
    }
    assert needs[2] == [("PCM,0", "100%"), ("PCM,1", "100%")]
    assert needs[6] == [*needs[2], ("numid=8", "on"), ("numid=10", "60")]


def test_the_boards_whose_driver_is_not_in_the_kernel_say_so() -> None:
    """Nobody should buy one for this."""
    cautious = {profile.name for profile in PROFILES if profile.caution}
    assert cautious == {"4mic-hat", "4mic-linear", "6mic-circular"}
    for name in cautious:
        caution = profile_named(name).caution
        assert all(part in caution for part in ("driver", "order of its channels", "12 bits"))


def test_what_may_be_plugged_while_the_pi_runs_is_on_usb() -> None:
    """A HAT is damaged by it, and is known by its overlay."""
    for profile in PROFILES:
        assert not (profile.hot_plug and (profile.overlays or profile.i2c_addresses))


def test_the_configuration_file_names_every_board() -> None:
    """Its owner should not have to look elsewhere."""
    text = (Path(__file__).parents[2] / "config" / "parley.yaml").read_text()
    comment = text[: text.index("\nboard: ")].rpartition("\n\n")[2]
    words = set(re.findall(r"[a-z0-9-]+", comment))
    assert set(names()) <= words


@pytest.mark.parametrize(
    ("usb_id", "product", "so"),
    [
        ((0x2886, 0x801C), "reSpeaker XVF3800 Safe Mode", True),
        ((0x2886, 0x801A), "", True),
        ((0x2886, 0x8123), "reSpeaker Nova Safe Mode", True),
        ((0x2886, 0x8018), "XIAO SomethingNew", False),
        ((0x2886, 0x8045), "XIAO nRF52840", False),
        ((0x2886, 0x8045), "", False),
        ((0x2886, 0x001C), "reSpeaker Flex XVF3800 C16K2Ch", False),
        ((0x1234, 0x801C), "reSpeaker XVF3800 Safe Mode", False),
    ],
)
def test_safe_mode_is_told_from_microcontrollers(
    usb_id: tuple[int, int],
    product: str,
    so: bool,
) -> None:
    """Their maker is the same, and so is the bit in their ids."""
    assert in_safe_mode(usb_id, product) is so


@pytest.mark.parametrize(
    ("overlay", "so"),
    [
        ("respeaker-2mic-v2_0", True),
        ("respeaker-2mic-v2_0-overlay", True),
        ("respeaker-2mic-v2_0-overlay.dtbo", True),
        ("respeaker-2mic-v1_0-overlay", False),
        ("overlay", False),
    ],
)
def test_an_overlay_is_known_by_the_name_of_its_file_too(overlay: str, so: bool) -> None:
    """As Seeed's wiki has it written."""
    assert profile_named("2mic-hat-v2").made_by(overlay) is so
