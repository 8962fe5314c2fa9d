"""What is known of each microphone board, and how a board is told by its sound card's name.

Boards are data: one frozen `Profile` each and no code; `device.board.traits` says what its fields
mean. Sources: Seeed's wiki, driver and firmware sources; the pins of the AC108 kits are those of
seeed-voicecard's overlays.
"""

from __future__ import annotations

import difflib

from device.board.traits import (
    ChannelMap,
    LedDriver,
    MixerLevel,
    MuteSwitch,
    Profile,
    Role,
)
from device.errors import BoardError

__all__ = [
    "NONE",
    "PROFILES",
    "ChannelMap",
    "LedDriver",
    "MixerLevel",
    "MuteSwitch",
    "Profile",
    "Role",
    "choose",
    "known_name_parts",
    "names",
    "profile_for",
    "profile_named",
    "with_codec",
]


_I2C_AND_I2S = (2, 3, 18, 19, 20, 21)
_VOICECARD = (*_I2C_AND_I2S, 4, 17, 22)
"""GPCLK0 on 4, the amplifier's switch on 17, the headphone detector on 22."""

_RAW_2: ChannelMap = (Role.RAW,) * 2
_TWO_BEAMS: ChannelMap = (Role.CONFERENCE, Role.ASR)
_CODEC_RATES_HZ = (48_000, 16_000)
"""The Pi's I²S gives both directions one rate (kernel: `symmetric_rate` of bcm2835-i2s and of the
codecs). At 16 kHz replies would sound like a telephone, so the microphone runs at 48 as well."""
_CODEC_FORMATS = ("S16_LE", "S24_LE", "S32_LE")

_AC108_CAUTION = (
    "its driver is not part of the kernel (github.com/HinTak/seeed-voicecard keeps one per kernel,"
    " and may not build on yours): it works if the card is there. The order of its channels may"
    " change between recordings, and of each sample about 12 bits are of use"
)
_HAT_HINT = "a HAT is damaged by plugging it while the Pi has power"
_NO_HOST_BUTTON = "its mute button works by itself: the speaker cannot see it"

_XVF3800_MIXER = (
    MixerLevel("PCM,0", "100%"),
    MixerLevel("PCM,1", "100%"),
    # What the six-channel firmware records is off and at zero on some hosts.
    MixerLevel("numid=8", "on,on,on,on,on,on", input_channels=6),
    MixerLevel("numid=10", "60,60,60,60,60,60", input_channels=6),
)

NONE = Profile("none", "plain sound card", hot_plug=True)

PROFILES: tuple[Profile, ...] = (
    # Its product id depends on the firmware.
    Profile(
        "flex",
        "reSpeaker Flex",
        name_parts=("xvf3800 flex", "respeaker flex"),
        hot_plug=True,
        channel_maps=(_TWO_BEAMS, (*_TWO_BEAMS, *(Role.RAW,) * 4)),
        rates_hz=(16_000, 48_000),
        echo_cancellation=True,
        finds_direction=True,
    ),
    Profile(
        "xvf3800",
        "reSpeaker XVF3800 USB 4-Mic Array",
        name_parts=("respeaker xvf3800", "xvf3800"),
        usb_product=0x001A,
        hot_plug=True,
        channel_maps=(_TWO_BEAMS, (*_TWO_BEAMS, *(Role.RAW,) * 4)),
        rates_hz=(16_000, 48_000),
        sample_formats=("S16_LE",),
        echo_cancellation=True,
        mixer=_XVF3800_MIXER,
        led_driver=LedDriver.XVF3800,
        led_count=12,
        mute_switch=MuteSwitch.READABLE,
        finds_direction=True,
    ),
    Profile(
        "usb-array",
        "ReSpeaker USB Mic Array v2.0 or v3.0",
        name_parts=("respeaker 4 mic array", "arrayuac10"),
        usb_product=0x0018,
        hot_plug=True,
        channel_maps=((Role.ASR, *(Role.RAW,) * 4, Role.REFERENCE), (Role.ASR,)),
        rates_hz=(16_000,),
        sample_formats=("S16_LE",),
        echo_cancellation=True,
        led_driver=LedDriver.XVF3000,
        led_count=12,
        finds_direction=True,
    ),
    # Both channels have been seen carrying the same.
    Profile(
        "lite",
        "ReSpeaker Lite",
        name_parts=("respeaker lite",),
        usb_product=0x0019,
        hot_plug=True,
        channel_maps=((Role.ASR, Role.ASR),),
        rates_hz=(16_000,),
        echo_cancellation=True,
        mute_switch=MuteSwitch.HIDDEN,
        hints=(f"no host can set its LED, and {_NO_HOST_BUTTON}",),
    ),
    # The linear kit's card has the same name. Taken for circular it works as well: same channel,
    # same button, and nothing is connected where the circular kit has its LEDs.
    Profile(
        "6mic-circular",
        "ReSpeaker 6-Mic Circular Array Kit",
        name_parts=("seeed-8mic", "seeed8mic"),
        codecs=("ac10x", "ac108", "ac101"),
        i2c_addresses=(0x1A, 0x35, 0x3B),
        overlays=("seeed-8mic-voicecard",),
        looks_like="4mic-linear",
        channel_maps=((*(Role.RAW,) * 6, Role.REFERENCE, Role.REFERENCE),),
        rates_hz=(48_000,),
        sample_formats=("S32_LE",),
        output_channels=8,
        capture_first=True,
        led_driver=LedDriver.APA102,
        led_count=12,
        led_power_pin=5,
        button_pin=26,
        taken_pins=_VOICECARD,
        caution=_AC108_CAUTION,
        hints=(_HAT_HINT,),
    ),
    Profile(
        "4mic-linear",
        "ReSpeaker 4-Mic Linear Array Kit",
        codecs=("ac10x", "ac108", "ac101"),
        i2c_addresses=(0x1A, 0x35, 0x3B),
        overlays=("seeed-8mic-voicecard",),
        channel_maps=((*(Role.RAW,) * 4, Role.EMPTY, Role.EMPTY, Role.REFERENCE, Role.REFERENCE),),
        rates_hz=(48_000,),
        sample_formats=("S32_LE",),
        output_channels=8,
        capture_first=True,
        button_pin=26,
        taken_pins=_VOICECARD,
        caution=_AC108_CAUTION,
        hints=(_HAT_HINT,),
    ),
    Profile(
        "4mic-hat",
        "ReSpeaker 4-Mics Pi HAT",
        name_parts=("seeed-4mic", "seeed4mic"),
        codecs=("ac10x", "ac108"),
        i2c_addresses=(0x3B,),
        overlays=("seeed-4mic-voicecard",),
        channel_maps=((Role.RAW,) * 4,),
        rates_hz=(16_000, 48_000),
        sample_formats=("S32_LE",),
        output_channels=0,
        led_driver=LedDriver.APA102,
        led_count=12,
        led_power_pin=5,
        taken_pins=_I2C_AND_I2S,
        caution=_AC108_CAUTION,
        hints=(_HAT_HINT, "it has no output: replies need another sound card"),
    ),
    # v1 and v2 differ in the codec only, and their cards may have the same name.
    Profile(
        "2mic-hat",
        "ReSpeaker 2-Mics Pi HAT v1 or v2",
        name_parts=("seeed-2mic", "seeed2mic"),
        one_of=("2mic-hat-v1", "2mic-hat-v2"),
        channel_maps=(_RAW_2,),
        rates_hz=_CODEC_RATES_HZ,
        sample_formats=_CODEC_FORMATS,
        led_driver=LedDriver.APA102,
        led_count=3,
        button_pin=17,
        taken_pins=_I2C_AND_I2S,
        hints=(_HAT_HINT,),
    ),
    # `wm8960-soundcard` is what the kernel's own overlay calls the codec of v1.
    Profile(
        "2mic-hat-v1",
        "ReSpeaker 2-Mics Pi HAT v1",
        name_parts=("wm8960",),
        codecs=("wm8960",),
        i2c_addresses=(0x1A,),
        overlays=("respeaker-2mic-v1_0", "seeed-2mic-voicecard", "wm8960-soundcard"),
        channel_maps=(_RAW_2,),
        rates_hz=_CODEC_RATES_HZ,
        sample_formats=_CODEC_FORMATS,
        led_driver=LedDriver.APA102,
        led_count=3,
        button_pin=17,
        taken_pins=_I2C_AND_I2S,
        hints=(
            _HAT_HINT,
            "'No MCLK configured' in dmesg means another overlay than respeaker-2mic-v1_0",
        ),
    ),
    Profile(
        "2mic-hat-v2",
        "ReSpeaker 2-Mics Pi HAT v2.0",
        codecs=("tlv320aic3",),
        i2c_addresses=(0x18,),
        overlays=("respeaker-2mic-v2_0",),
        channel_maps=(_RAW_2,),
        rates_hz=_CODEC_RATES_HZ,
        sample_formats=_CODEC_FORMATS,
        led_driver=LedDriver.APA102,
        led_count=3,
        button_pin=17,
        taken_pins=_I2C_AND_I2S,
        hints=(_HAT_HINT, "where it hisses, a PGA level of about 30 % in alsamixer is enough"),
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
            return with_codec(profile, plain)
    return NONE


def with_codec(profile: Profile, text: str) -> Profile:
    """Return the one of the boards a profile stands for whose codec ``text`` (lower case) names.

    The profile itself when it is one board only, or the text names none.
    """
    for one in map(profile_named, profile.one_of):
        if any(codec in text for codec in one.codecs):
            return one
    return profile


def choose(setting: str, device_name: str | None) -> Profile:
    """Return the profile for ``board: setting``, ``auto`` or a name, by the microphone alone.

    ``device_name``: of the microphone that is open, None while there is none. Raises BoardError.
    """
    if setting != "auto":
        return profile_named(setting)
    return NONE if device_name is None else profile_for(device_name)


def known_name_parts() -> tuple[str, ...]:
    """Return the parts of names by which ``auto`` prefers one microphone to another, best first."""
    return (*(part for profile in PROFILES for part in profile.name_parts), "respeaker")
