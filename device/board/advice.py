"""The advice tells an owner what to do about the board that was found, or was not. Pure.

Tested in tests/doctor/test_board.py.
"""

from __future__ import annotations

from device.board.evidence import Card, Evidence, UsbDevice
from device.board.profiles import (
    NONE,
    PROFILES,
    SEEED,
    LedDriver,
    Profile,
    in_safe_mode,
    profile_for,
    profile_named,
)

SPI_ON = "sudo raspi-config nonint do_spi 0"
I2C_ON = "sudo raspi-config nonint do_i2c 0"

_HAT_V1, _HAT_V2 = profile_named("2mic-hat-v1"), profile_named("2mic-hat-v2")
_OVERLAYS = (
    f"the 2-Mics HAT v1 needs dtoverlay={_HAT_V1.overlays[0]}, v2 dtoverlay={_HAT_V2.overlays[0]}"
    " (github.com/Seeed-Studio/seeed-linux-dtoverlays) in /boot/firmware/config.txt and a reboot;"
    f" 'i2cdetect -y 1' shows 1a for v1, 18 for v2 (where I²C is off: '{I2C_ON}', reboot)"
)
_USB_FIRMWARE = (
    "flash its USB firmware through the USB-C socket next to the jack, on the Flex the one of the"
    " large board near RST (Seeed's wiki: 'Flash firmware'); boards sold with a XIAO come with"
    " I²S firmware, with which they are no sound card"
)
_OUT_OF_SAFE_MODE = (
    "plug it out and in again without touching its buttons (mute, on the Flex BOOT, held down while"
    " it gets power leads there); if it comes back in safe mode, its firmware is gone: flash it"
    " ('dfu-util -l' finds it, 'sudo dfu-util -d {:04x}:{:04x} -R -e -a 1 -D FILE' writes the USB"
    " firmware of that very board, and never -a 0; Seeed's wiki: 'Flash firmware')"
)
_NO_AC108_DRIVER = (6, 18)
"""The kernel from which none was found; one for 6.12 was, in 2026."""
_ONE_WIRE_PIN = 4
"""Where 1-Wire is unless it is told otherwise."""
_ESPRESSIF = 0x303A
_USB_6_PLUS_1 = (SEEED, 0x0007)


def about_board(board: Profile, evidence: Evidence, *, told: bool) -> list[str]:
    """Say what keeps a board from being all it can be. ``told``: the owner said which it is."""
    advice = []
    if board.one_of and not told:
        choices = " or ".join(f"'board: {name}'" for name in board.one_of)
        advice.append(
            f"nothing tells which of two it is, and nothing depends on it; {choices} says"
        )
    if board.looks_like and not told:
        other = profile_named(board.looks_like)
        advice.append(
            f"the {other.label} looks the same to the Pi; if it is that, set 'board: {other.name}'"
        )
    if board.led_driver is LedDriver.APA102 and evidence.is_pi and not evidence.spi_nodes:
        advice.append(_about_spi(evidence))
    overlays = evidence.boot.overlays if evidence.boot else ()
    if _ONE_WIRE_PIN in board.taken_pins and "w1-gpio" in overlays:
        advice.append(
            f"1-Wire takes GPIO{_ONE_WIRE_PIN}, which its sound needs: take dtoverlay=w1-gpio out"
            " of config.txt and reboot"
        )
    return advice


def _about_spi(evidence: Evidence) -> str:
    if evidence.boot is not None and evidence.boot.spi:
        return "its LEDs need SPI, which is on in config.txt but not in force: reboot"
    return f"its LEDs need SPI, which is off: run '{SPI_ON}' and reboot"


def about_unknown(evidence: Evidence) -> list[str]:
    """Name the cards of ReSpeakers that are newer than we are."""
    return [
        f"card {card.number} '{card.name}' is a ReSpeaker that has no profile yet: it works as a"
        " plain sound card; set audio.input.channel to its processed channel, and"
        " audio.echo_cancellation to hardware if it cancels echo itself"
        for card in evidence.cards
        if "respeaker" in card.name.lower() and profile_for(card.name) is NONE
    ]


def about_missing(evidence: Evidence) -> list[str]:
    """Say what to do where no board has a sound card."""
    cure = "an array shows in 'lsusb' as 2886:…; if it does not, try another cable or socket"
    advice = [f"no ReSpeaker is on USB either: {cure}"]
    if evidence.is_pi and not _board_overlays(evidence):
        advice.append(f"a HAT is a sound card only with its overlay: {_OVERLAYS}")
    return advice


def about_what_is_no_card(evidence: Evidence) -> list[str]:
    """Say of each board that shows itself, but not as a sound card, what makes it one."""
    cards = [card.usb_id for card in evidence.cards]
    advice = []
    for device in evidence.usb:
        if device.id in cards:
            cards.remove(device.id)
        elif told := _about_usb(device, evidence):
            advice.append(told)
    return [*advice, *_about_overlays(evidence), *_about_hat(evidence)]


def _about_usb(device: UsbDevice, evidence: Evidence) -> str:
    where = f"{device} at USB {device.place}"
    if in_safe_mode(device.id, device.name):
        return f"{where} is in safe mode and no sound card: {_OUT_OF_SAFE_MODE.format(*device.id)}"
    if device.id == _USB_6_PLUS_1:
        return f"{where}: the USB 6+1 array has no profile, and shows no sound card"
    for profile in PROFILES:
        if profile.usb_product is not None and device.id == (SEEED, profile.usb_product):
            cure = "run 'sudo modprobe snd-usb-audio', plug it out and in, and see dmesg"
            if profile.name in {"lite", "xvf3800", "flex"}:
                cure = _USB_FIRMWARE
            return f"{where} is the {profile.label}, but no sound card: {cure}"
    if device.id[0] == SEEED and "respeaker" in device.name.lower():
        return f"{where} calls itself a ReSpeaker, but is no sound card: {_USB_FIRMWARE}"
    if _is_xiao(device) and not any(
        card.usb_id and card.usb_id[0] == SEEED for card in evidence.cards
    ):
        return (
            f"{where} looks like the XIAO of a ReSpeaker Lite, XVF3800 or Flex, not like its"
            f" microphones: {_USB_FIRMWARE}"
        )
    return ""


def _is_xiao(device: UsbDevice) -> bool:
    named = "xiao" in device.name.lower()
    return named or (device.id[0] == _ESPRESSIF and "jtag" in device.name.lower())


def _board_overlays(evidence: Evidence) -> list[tuple[str, list[Profile]]]:
    """Return the overlays of boards in config.txt, each with the boards that it is of."""
    overlays = evidence.boot.overlays if evidence.boot else ()
    known = [(name, [one for one in PROFILES if one.made_by(name)]) for name in overlays]
    return [(name, boards) for name, boards in known if boards]


def _about_overlays(evidence: Evidence) -> list[str]:
    """An overlay whose board has no card: it was not rebooted, is another board's, or broken."""
    advice = []
    for overlay, boards in _board_overlays(evidence):
        if any(_is_of(card, board) for card in evidence.cards for board in boards):
            continue
        codecs = [
            f"{device.name} at {device.address:#04x}"
            for device in evidence.i2c
            if any(codec in device.name.lower() for board in boards for codec in board.codecs)
        ]
        known = f", though the kernel knows its {' and '.join(codecs)}" if codecs else ""
        if boards[0].caution:
            cure = "its driver is not loaded: was it built for this kernel? see dmesg"
            if evidence.kernel >= _NO_AC108_DRIVER:
                cure = "for kernels from {}.{} on no driver is known".format(*_NO_AC108_DRIVER)
        else:
            cure = f"after a reboot it may be the other board's: {_OVERLAYS}; see dmesg"
        advice.append(
            f"config.txt says dtoverlay={overlay}, but there is no such card{known}: {cure}"
        )
    return advice


def _is_of(card: Card, board: Profile) -> bool:
    """Whether a card may be a board's: by its name, its codec, or a name that boards share."""
    shared = [one for one in PROFILES if board.name in {one.name, one.looks_like, *one.one_of}]
    text = f"{card.name} {card.id} {card.codec}".lower()
    return any(part in text for one in shared for part in one.name_parts)


def _about_hat(evidence: Evidence) -> list[str]:
    """A HAT that says what it is, without any overlay for it."""
    says = evidence.hat.lower()
    if not ("respeaker" in says or "seeed" in says) or _board_overlays(evidence):
        return []
    if any(
        _is_of(card, board) for card in evidence.cards for board in PROFILES if board is not NONE
    ):
        return []
    return [f"the HAT calls itself '{evidence.hat}', but its overlay is not loaded: {_OVERLAYS}"]
