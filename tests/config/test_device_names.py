"""What is a part of a sound device's name, and what is an address that moves."""

from __future__ import annotations

import pytest

from device.config.device_names import HOW, KnownCard, flaw

CARDS = (
    KnownCard(0, "Headphones", "bcm2835 Headphones"),
    KnownCard(1, "USB", "Jabra SPEAK 510 USB", "0b0e:0422"),
    KnownCard(2, "Device", "USB Audio Device", "0d8c:0014"),
)

JABRA = "write 'Jabra SPEAK 510 USB', as card 1 is called"
DEVICE = "write 'USB Audio Device', as card 2 is called"


@pytest.mark.parametrize(
    ("wanted", "what", "advice"),
    [
        ("hw:1,0", "is an address of ALSA's", JABRA),
        ("hw:1", "is an address of ALSA's", JABRA),
        ("HW:2,0", "is an address of ALSA's", DEVICE),
        ("plughw:CARD=Device,DEV=0", "is an address of ALSA's", DEVICE),
        ("plughw:Device", "is an address of ALSA's", DEVICE),
        ("default:CARD=Device", "is an address of ALSA's", DEVICE),
        ("sysdefault:CARD=2", "is an address of ALSA's", DEVICE),
        ("front:CARD=USB,DEV=0", "is an address of ALSA's", JABRA),
        ("surround51:CARD=USB", "is an address of ALSA's", JABRA),
        ("dsnoop:1", "is an address of ALSA's", JABRA),
        ("mine:1,0", "is an address of ALSA's", JABRA),
        ("CARD=USB", "is an address of ALSA's", JABRA),
        ("hw:7,0", "is an address of ALSA's", HOW),
        ("plug:default", "is an address of ALSA's", HOW),
        ("bluealsa:DEV=00:11:22:33:44:55,PROFILE=a2dp", "is an address of ALSA's", HOW),
        ("1", "is a card's number, which changes", JABRA),
        (" 1 ", "is a card's number, which changes", JABRA),
        ("1,0", "is a card's number, which changes", JABRA),
        ("card 1", "is a card's number, which changes", JABRA),
        ("Card1", "is a card's number, which changes", JABRA),
        ("#2", "is a card's number, which changes", DEVICE),
        ("device 9", "is a card's number, which changes", HOW),
        ("/dev/snd/pcmC1D0c", "is a file's path", JABRA),
        ("/dev/snd/by-id/usb-0b0e_Jabra_SPEAK_510_USB-00", "is a file's path", JABRA),
        ("/dev/dsp", "is a file's path", HOW),
        (
            "alsa_input.usb-0b0e_Jabra_SPEAK_510_USB_A-00.mono",
            "is what a sound server calls",
            JABRA,
        ),
        ("alsa_output.platform-fef00700.hdmi.stereo", "is what a sound server calls it", HOW),
        ("bluez_output.00_11_22_33_44_55.1", "is what a sound server calls it", HOW),
        ("00:11:22:33:44:55", "is a Bluetooth address", HOW),
        ("0b0e:0422", "is a USB id", JABRA),
        ("usb-0000:01:00.0-1.2", "is a place on USB", HOW),
        ("usb:001:004", "is a place on USB", HOW),
        ("USB Audio (hw:1,0)", "has a card's number in it, which changes", "write 'USB Audio'"),
        ("(hw:1,0)", "has a card's number in it, which changes", JABRA),
        (1, "is a number, and card numbers change", JABRA),
        (9, "is a number, and card numbers change", HOW),
        (1.5, "is a number, and card numbers change", JABRA),
    ],
)
def test_an_address_is_refused_with_what_to_write(
    wanted: str | float, what: str, advice: str
) -> None:
    """The name of the card that it leads to now, where there is one."""
    told = flaw(wanted, CARDS)
    assert told is not None
    assert what in told
    assert told.endswith(f": {advice}")
    without = flaw(wanted)
    assert without is not None
    assert without.endswith((HOW, "write 'USB Audio'"))


@pytest.mark.parametrize(
    "wanted",
    [
        *("auto", "default", "sysdefault", "pulse", "pipewire", "Jabra", "SPEAK 510", "510"),
        *("USB Audio", "usb", "Jabra SPEAK 510 USB: USB Audio", "C920", "hdmi", "vc4-hdmi-0"),
        *("seeed-2mic-voicecard", "4 Mic", "card", "ReSpeaker 4 Mic Array (UAC1.0)", "alsa_mine"),
        *("USB 2.0 Camera", "front of house", "Yeti: Stereo", "bcm2835 Headphones", "hw"),
    ],
)
def test_a_part_of_a_name_is_fine(wanted: str) -> None:
    """Numbers of models too, and plugins by the name that PortAudio lists."""
    assert flaw(wanted, CARDS) is None


def test_what_to_write_is_told_as_a_whole() -> None:
    """Where letters are left out of it, no device has that in its name."""
    name = "seeed-2mic-voicecard: bcm2835-i2s-wm8960-hifi wm8960-hifi-0"
    told = flaw(f"{name} (hw:1,0)")
    assert told is not None
    assert told.endswith(f": write '{name}'")
    card = KnownCard(3, "Array", "ReSpeaker 4 Mic Array (UAC1.0) of the living room")
    assert f"write '{card.name}', as card 3" in (flaw("hw:3", (card,)) or "")
