"""What is known of each microphone board, and how a board is told by its sound card's name.

Boards are data: one frozen `Profile` each and no code. Sources: Seeed's wiki and driver sources;
the pins of the AC108 kits are those of seeed-voicecard's overlays.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum

from device.errors import BoardError


class LedDriver(StrEnum):
    """How the LEDs of a board are set."""

    NONE = "none"
    APA102 = "apa102"
    """Over SPI from the Pi's header."""
    XVF3000 = "xvf3000"
    """USB vendor requests to the array."""
    XVF3800 = "xvf3800"
    """USB vendor requests to the array."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Our facts about one board. Pins are BCM numbers; None where the board has no such thing."""

    name: str
    """What ``board:`` in the YAML takes."""
    label: str
    """What its maker calls it, for people."""
    name_parts: tuple[str, ...] = ()
    """Parts of a sound device's name (lower case) that mean this board, the surest first."""
    channel: int = 0
    """The input channel to listen to, counted from 0: the most processed one."""
    echo_cancellation: bool = False
    """Whether the board removes from the microphone what is played through its own output."""
    led_driver: LedDriver = LedDriver.NONE
    led_count: int = 0
    spi_port: int = 0
    spi_device: int = 1
    led_power_pin: int | None = None
    """Must be high for the LEDs to have current."""
    button_pin: int | None = None
    """Active low, to be pulled up."""
    taken_pins: tuple[int, ...] = ()
    """Pins the board's sound needs: claimed as plain GPIO, they silence it."""
    ceiling_dbfs: float = -1.0
    """The loudest peak that is played, in dB of full scale; a small loudspeaker driven harder
    distorts, which no echo canceller can undo."""


_I2C_AND_I2S = (2, 3, 18, 19, 20, 21)
_VOICECARD = (*_I2C_AND_I2S, 4, 17, 22)
"""GPCLK0 on 4, the amplifier's switch on 17, the headphone detector on 22."""

NONE = Profile("none", "plain sound card")

PROFILES: tuple[Profile, ...] = (
    Profile(
        "flex",
        "reSpeaker Flex",
        ("xvf3800 flex", "respeaker flex"),
        channel=1,
        echo_cancellation=True,
    ),
    Profile(
        "xvf3800",
        "reSpeaker XVF3800 USB 4-Mic Array",
        ("respeaker xvf3800", "xvf3800"),
        channel=1,
        echo_cancellation=True,
        led_driver=LedDriver.XVF3800,
        led_count=12,
    ),
    Profile(
        "usb-array",
        "ReSpeaker USB Mic Array v2.0 or v3.0",
        ("respeaker 4 mic array", "arrayuac10"),
        echo_cancellation=True,
        led_driver=LedDriver.XVF3000,
        led_count=12,
    ),
    Profile("lite", "ReSpeaker Lite", ("respeaker lite",), echo_cancellation=True),
    # The linear kit's card has the same name. Taken for circular it works as well: same channel,
    # same button, and nothing is connected where the circular kit has its LEDs.
    Profile(
        "6mic-circular",
        "ReSpeaker 6-Mic Circular Array Kit",
        ("seeed-8mic", "seeed8mic"),
        led_driver=LedDriver.APA102,
        led_count=12,
        led_power_pin=5,
        button_pin=26,
        taken_pins=_VOICECARD,
    ),
    Profile(
        "4mic-linear",
        "ReSpeaker 4-Mic Linear Array Kit",
        button_pin=26,
        taken_pins=_VOICECARD,
    ),
    Profile(
        "4mic-hat",
        "ReSpeaker 4-Mics Pi HAT",
        ("seeed-4mic", "seeed4mic"),
        led_driver=LedDriver.APA102,
        led_count=12,
        led_power_pin=5,
        taken_pins=_I2C_AND_I2S,
    ),
    # v1 (WM8960) and v2 (TLV320AIC3104) differ in the codec only; `wm8960` is what the kernel's own
    # overlay calls v1.
    Profile(
        "2mic-hat",
        "ReSpeaker 2-Mics Pi HAT v1 or v2",
        ("seeed-2mic", "seeed2mic", "wm8960"),
        led_driver=LedDriver.APA102,
        led_count=3,
        button_pin=17,
        taken_pins=_I2C_AND_I2S,
    ),
    NONE,
)
"""Every board, in the order in which names are tried: a part of one may hold a part of a later."""


def names() -> tuple[str, ...]:
    """Return what ``board:`` takes besides ``auto``, in alphabetical order."""
    return tuple(sorted(profile.name for profile in PROFILES))


def profile_named(name: str) -> Profile:
    """Return the profile called ``name``; BoardError with the nearest name when there is none."""
    for profile in PROFILES:
        if profile.name == name:
            return profile
    near = difflib.get_close_matches(name.lower(), names(), n=1)
    guess = f", did you mean '{near[0]}'?" if near else ";"
    raise BoardError(f"no board is called '{name}'{guess} known: auto, {', '.join(names())}")


def profile_for(device_name: str) -> Profile:
    """Return the profile whose board delivers the sound device of this name, else ``NONE``.

    ``device_name``: as PortAudio, ALSA or PulseAudio give it (the latter joins words by ``_``).
    """
    plain = device_name.lower().replace("_", " ")
    for profile in PROFILES:
        if any(part in plain for part in profile.name_parts):
            return profile
    return NONE


def choose(setting: str, device_name: str | None) -> Profile:
    """Return the profile for ``board: setting``, ``auto`` or a name.

    ``device_name``: of the microphone that is open, None while there is none. Raises BoardError.
    """
    if setting != "auto":
        return profile_named(setting)
    return NONE if device_name is None else profile_for(device_name)


def known_name_parts() -> tuple[str, ...]:
    """Return the parts of names by which ``auto`` prefers one microphone to another, best first."""
    return (*(part for profile in PROFILES for part in profile.name_parts), "respeaker")
