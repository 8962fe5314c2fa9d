"""Which board a machine has, told from recorded states of machines with every board."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from device.audio.devices import Device
from device.board.detection import Finding, detect
from device.board.evidence import BootConfig, Card, Evidence
from device.board.kernel import read_evidence
from device.board.profiles import NONE, PROFILES
from device.errors import BoardError
from tests.rig.machine import STATES, machine

HAT = "seeed2micvoicec: 1f000a4000.i2s-tlv320aic3x-hifi tlv320aic3x-hifi-0 (hw:2,0)"
WEBCAM = "HD Pro Webcam C920: USB Audio (hw:1,0)"
USB_ARRAY = "ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)"
XVF3800 = "reSpeaker XVF3800 4-Mic Array: USB Audio (hw:2,0)"


def found(
    tmp_path: Path, state: str, setting: str = "auto", microphone: str | None = None
) -> Finding:
    """What is found with the microphone that PortAudio lists under this name."""
    listed = None if microphone is None else Device(microphone, 0, 2, 0, 16_000, "ALSA")
    return detect(read_evidence(machine(state, tmp_path)), setting, listed)


@pytest.mark.parametrize(
    ("state", "board", "why"),
    [
        ("2mic-hat-v1", "2mic-hat-v1", "its codec is '1f000a4000.i2s-wm8960-hifi"),
        ("2mic-hat-v1-legacy", "2mic-hat-v1", "its codec is 'bcm2835-i2s-wm8960-hifi"),
        ("2mic-hat-v1-kernels-overlay", "2mic-hat-v1", "card 1 is called 'wm8960-soundcard'"),
        ("2mic-hat-v1-by-address", "2mic-hat-v1", "codec wm8960 is at I²C address 0x1a"),
        ("2mic-hat-v2", "2mic-hat-v2", "its codec is '1f000a4000.i2s-tlv320aic3x-hifi"),
        ("2mic-hat-v2-by-address", "2mic-hat-v2", "tlv320aic3104 is at I²C address 0x18"),
        ("2mic-hat-v2-by-overlay", "2mic-hat-v2", "config.txt says dtoverlay=respeaker-2mic-v2_0"),
        ("2mic-hat-v2-by-wikis-overlay", "2mic-hat-v2", "says dtoverlay=respeaker-2mic-v2_0-over"),
        ("2mic-hat-v1-or-v2", "2mic-hat", "card 1 is called 'seeed-2mic-voicecard'"),
        ("4mic-hat", "4mic-hat", "card 1 is called 'seeed-4mic-voicecard'; its codec is"),
        ("6mic-circular", "6mic-circular", "card 1 is called 'seeed-8mic-voicecard'"),
        ("4mic-linear", "6mic-circular", "card 1 is called 'seeed-8mic-voicecard'"),
        ("usb-array", "usb-array", "its USB id is 2886:0018; card 1 is called 'ReSpeaker 4"),
        ("usb-array-1-channel", "usb-array", "its USB id is 2886:0018"),
        ("lite", "lite", "its USB id is 2886:0019; card 2 is called 'ReSpeaker Lite'"),
        ("xvf3800", "xvf3800", "its USB id is 2886:001a; card 4 is called 'reSpeaker XVF3800"),
        ("xvf3800-6-channels", "xvf3800", "its USB id is 2886:001a"),
        ("xvf3800-48-khz", "xvf3800", "its USB id is 2886:001a"),
        ("xvf3800-another-name", "xvf3800", "its USB id is 2886:001a"),
        ("flex", "flex", "its USB id is 2886:001c; card 1 is called 'reSpeaker Flex XVF3800 C16"),
        ("two-arrays", "xvf3800", "its USB id is 2886:001a; card 2"),
        ("webcam-and-xvf3800", "xvf3800", "its USB id is 2886:001a; card 3"),
        ("hat-and-webcam", "2mic-hat-v2", "card 2 is called 'seeed2micvoicec'"),
        ("two-of-a-kind-one-without-card", "usb-array", "card 1"),
        ("hdmi-and-webcam", "none", "no ReSpeaker's sound card is here"),
        ("unknown-usb-card", "none", "no ReSpeaker's sound card is here"),
        ("other-hat-with-the-codec-of-v2", "none", "no ReSpeaker's sound card is here"),
        ("usb-array-without-card", "none", "no ReSpeaker's sound card is here"),
        ("nothing-on-a-pc", "none", "no ReSpeaker's sound card is here"),
    ],
)
def test_each_board_is_known_by_what_the_machine_shows(
    tmp_path: Path, state: str, board: str, why: str
) -> None:
    """Without a line of YAML, and before its microphone is open."""
    finding = found(tmp_path, state)
    assert finding.board.name == board
    assert why in finding.why
    assert (finding.card is None) is (board == "none")


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("4mic-linear", "Linear Array Kit looks the same to the Pi; .* set 'board: 4mic-linear'"),
        ("2mic-hat-v1-or-v2", "'board: 2mic-hat-v1' or 'board: 2mic-hat-v2' says"),
        ("2mic-hat-v2-spi-off", "SPI, which is off: run 'sudo raspi-config nonint do_spi 0'"),
        ("2mic-hat-v2-not-rebooted", "SPI, which is on in config.txt but not in force: reboot"),
        ("usb-array-without-card", "2886:0018 .* at USB 1-1.3 is .* no sound card: .*modprobe"),
        ("two-of-a-kind-one-without-card", "at USB 1-1.4 is .*but no sound card"),
        (
            "lite-without-card",
            "2886:0019 ReSpeaker Lite .*flash its USB firmware.*next to the jack",
        ),
        ("xvf3800-without-card", "2886:001a .*flash its USB firmware .*XIAO come with I²S"),
        (
            "flex-without-card",
            "2886:001c .* is the reSpeaker Flex, but no sound card: .* the Flex .*near RST",
        ),
        (
            "flex-in-safe-mode",
            "2886:801c .*Safe Mode at USB 1-1.3 is in safe mode .*: plug it out .*-d 2886:801c -R",
        ),
        (
            "2mic-hat-v2-wikis-overlay-without-card",
            "config.txt says dtoverlay=respeaker-2mic-v2_0-overlay, but there is no such card",
        ),
        ("usb-6-plus-1", "2886:0007 .*the USB 6\\+1 array has no profile"),
        ("xiao-instead-of-the-microphones", "303a:1001 .* looks like the XIAO of a ReSpeaker"),
        ("nothing-on-a-pi", "HAT v1 needs dtoverlay=respeaker-2mic-v1_0, v2 dtoverlay=.*v2_0"),
        ("respeaker-without-profile", "card 4 'reSpeaker Nova' is a ReSpeaker that has no profile"),
        ("nothing-on-a-pc", "no ReSpeaker is on USB either: .*lsusb"),
        ("hat-with-the-wrong-overlay", "no such card, though the kernel knows its wm8960 at 0x1a"),
        ("ac108-driver-missing", "dtoverlay=seeed-8mic-voicecard, but .*was it built for this"),
        ("hat-with-eeprom-without-overlay", "calls itself 'Seeed Studio ReSpeaker 2-Mics Pi HAT'"),
    ],
)
def test_what_is_missing_is_told_with_its_cure(tmp_path: Path, state: str, advice: str) -> None:
    """A board that is there but cannot be heard, lit or told apart is no riddle."""
    finding = found(tmp_path, state)
    assert any(re.search(advice, line) for line in finding.advice), finding.advice


@pytest.mark.parametrize(
    "state",
    [
        *("2mic-hat-v1", "2mic-hat-v1-legacy", "2mic-hat-v1-kernels-overlay", "2mic-hat-v2"),
        *("4mic-hat", "usb-array", "usb-array-1-channel", "lite", "xvf3800", "flex"),
        *("two-arrays", "webcam-and-xvf3800", "xvf3800-another-name", "hat-and-webcam"),
    ],
)
def test_where_all_is_well_nothing_is_advised(tmp_path: Path, state: str) -> None:
    """An advice that is always there is read by nobody."""
    assert found(tmp_path, state).advice == ()


@pytest.mark.parametrize(
    ("state", "microphone", "board", "why"),
    [
        ("two-arrays", USB_ARRAY, "usb-array", "it is the microphone"),
        ("two-arrays", XVF3800, "xvf3800", "it is the microphone"),
        # The number is that of another card by now: the name decides.
        ("two-arrays", USB_ARRAY.replace("hw:1", "hw:2"), "usb-array", "the microphone's name"),
        ("nothing-on-a-pi", XVF3800, "xvf3800", "the microphone's name says so"),
        ("2mic-hat-v2", HAT, "2mic-hat-v2", "it is the micro"),
        ("2mic-hat-v1-by-address", "seeed-2mic-voicecard: - (hw:1,0)", "2mic-hat-v1", "0x1a"),
        ("2mic-hat-v2-by-address", "plug:seeed-2mic-voicecard", "2mic-hat-v2", "0x18"),
        (
            "xvf3800-another-name",
            "USB Audio Device: USB Audio (hw:1,0)",
            "xvf3800",
            "it is the microphone; its USB id is 2886:001a",
        ),
        ("hdmi-and-webcam", WEBCAM, "none", "the microphone is no ReSpeaker, and no"),
        ("hdmi-and-webcam", "default", "none", "the microphone is no ReSpeaker, and no"),
    ],
)
def test_the_board_of_the_microphone_goes_first(
    tmp_path: Path, state: str, microphone: str, board: str, why: str
) -> None:
    """Whatever else is plugged in."""
    finding = found(tmp_path, state, microphone=microphone)
    assert finding.board.name == board
    assert why in finding.why


@pytest.mark.parametrize("microphone", [WEBCAM, "default", HAT.replace("seeed2", "other")])
def test_a_board_that_is_not_the_microphone_is_a_face_only(tmp_path: Path, microphone: str) -> None:
    """Its LEDs and button work, and nothing of its channels is believed of the webcam."""
    board = found(tmp_path, "hat-and-webcam", microphone=microphone).board
    assert (board.name, board.led_count, board.button_pin) == ("2mic-hat-v2", 3, 17)
    assert (board.channel_maps, board.rates_hz, board.echo_cancellation) == ((), (), False)


@pytest.mark.parametrize("microphone", [None, WEBCAM, XVF3800])
@pytest.mark.parametrize("state", STATES)
def test_what_the_yaml_says_wins_in_every_state(
    tmp_path: Path, state: str, microphone: str | None
) -> None:
    """Also against the microphone's own name."""
    finding = found(tmp_path, state, "usb-array", microphone)
    assert finding.board.name == "usb-array"
    assert finding.board.channel_maps
    assert finding.why == "board: usb-array in the configuration"


@pytest.mark.parametrize(
    ("state", "setting", "advice"),
    [
        ("xvf3800", "lite", ["board says 'lite', but what is here looks like 'xvf3800'"]),
        ("4mic-linear", "4mic-linear", []),
        ("6mic-circular", "6mic-circular", []),
        ("2mic-hat-v2", "2mic-hat", []),
        ("2mic-hat-v1-or-v2", "2mic-hat-v1", []),
        ("two-arrays", "usb-array", []),
        ("xvf3800", "none", []),
        ("hdmi-and-webcam", "none", []),
    ],
)
def test_a_board_that_does_not_fit_what_is_here_is_told(
    tmp_path: Path, state: str, setting: str, advice: list[str]
) -> None:
    """It may be a line of YAML from the board before."""
    finding = found(tmp_path, state, setting)
    assert [line for line in finding.advice if "board says" in line] == advice


def test_a_board_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """With the nearest name."""
    with pytest.raises(BoardError, match=r"did you mean 'xvf3800'\?"):
        found(tmp_path, "xvf3800", "xvf380")


def test_an_overlay_of_one_s_own_may_call_the_card_anything() -> None:
    """The codec of the 2-Mics HAT v1 still tells it; a HAT with an EEPROM that works is no news."""
    card = Card(1, "kitchen", "simple-card", "kitchen", "bcm2835-i2s-wm8960-hifi wm8960-hifi-0")
    finding = detect(Evidence(cards=(card,), hat="Seeed ReSpeaker HAT"))
    assert finding.board.name == "2mic-hat-v1"
    assert finding.advice == ()


def test_a_kernel_for_which_no_driver_is_known_is_told(tmp_path: Path) -> None:
    """Building one again would be in vain."""
    root = machine("ac108-driver-missing", tmp_path)
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/osrelease").write_text("6.18.34+rpt-rpi-2712\n")
    (advice,) = detect(read_evidence(root)).advice
    assert advice.endswith("for kernels from 6.18 on no driver is known")


def test_one_wire_on_the_pin_of_a_kit_s_clock_is_told() -> None:
    """It would silence the sound of that board, and of no other."""
    boot = BootConfig(("w1-gpio",))
    kit = Card(1, "seeed8micvoicec", "seeed-8mic-voic", "seeed-8mic-voicecard")
    hat = Card(1, "seeed2micvoicec", "seeed2micvoicec", "seeed2micvoicec")
    kits, hats = (detect(Evidence(cards=(card,), boot=boot)).advice for card in (kit, hat))
    assert any("1-Wire takes GPIO4" in line for line in kits)
    assert not any("1-Wire" in line for line in hats)


def test_of_two_arrays_both_are_named(tmp_path: Path) -> None:
    """The one that is taken first."""
    finding = found(tmp_path, "two-arrays")
    assert [one.profile.name for one in finding.candidates] == ["xvf3800", "usb-array"]


def test_every_board_that_can_be_told_has_a_recorded_state(
    tmp_path: Path, picture: Callable[[str], None]
) -> None:
    """A new profile needs a machine to be found on."""
    picture("\nrecorded machine                 board          why, and what to do")
    told = set()
    for state in STATES:
        finding = found(tmp_path / state, state)
        told.add(finding.board.name)
        picture(f"{state:<32} {finding.board.name:<14} {finding.why}")
        for advice in finding.advice:
            picture(f"{'':<47} -> {advice}")
    assert told == {profile.name for profile in PROFILES} - {"4mic-linear"}
    assert NONE.name in told
