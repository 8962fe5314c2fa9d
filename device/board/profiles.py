"""Profiles hold what is known of each microphone board. Pure.

Boards are data: one frozen `Profile` each and no code. A board is told by its sound card's name.
Sources: Seeed's wiki, driver and firmware sources; the pins of the AC108 kits are those of
seeed-voicecard's overlays.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum

from device.board.levels import (
    AIC3104_LEVELS,
    FLEX_LEVELS,
    WM8960_LEVELS,
    XVF3800_LEVELS,
    MixerLevel,
)
from device.errors import BoardError

SEEED = 0x2886
"""Seeed's vendor id on USB: that of all ReSpeaker arrays."""

SAFE_MODE = 0x8000
"""In an array's product id: it runs what takes new firmware, and is no sound card."""


class LedDriver(StrEnum):
    """How the LEDs of a board are set."""

    NONE = "none"
    APA102 = "apa102"
    """Over SPI from the Pi's header."""
    XVF3000 = "xvf3000"
    """USB vendor requests to the array."""
    XVF3800 = "xvf3800"
    """USB vendor requests to the array."""


class Role(StrEnum):
    """What one input channel carries."""

    ASR = "processed for speech recognition"
    CONFERENCE = "processed for calls"
    RAW = "raw microphone"
    REFERENCE = "what is played (loopback)"
    EMPTY = "empty"


BEST_ROLES = (Role.ASR, Role.CONFERENCE, Role.RAW)
"""What to listen to, best first; the others hold no voice of a person."""

PROCESSED = frozenset({Role.ASR, Role.CONFERENCE})
"""What a board's own chip has taken the noise out of."""

ChannelMap = tuple[Role, ...]
"""The role of each input channel, from channel 0 on."""


class MuteSwitch(StrEnum):
    """The board's own switch that silences its microphones."""

    NONE = "none"
    HIDDEN = "hidden"
    """The board mutes itself, and no host can read that."""
    READABLE = "readable"
    """The board mutes itself, and the host can read it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Our facts about one board. Pins are BCM numbers; None where the board has no such thing."""

    name: str
    """What ``board:`` in the YAML takes."""
    label: str
    """What its maker calls it, for people."""

    # --- how it is told ---
    name_parts: tuple[str, ...] = ()
    """Parts of a sound device's name (lower case) that mean this board, the surest first."""
    usb_product: int | None = None
    """Its USB product id with Seeed's vendor id 2886, or one of them; None: no USB."""
    codecs: tuple[str, ...] = ()
    """Parts of the kernel's names for its sound chip, which tell boards of one card name apart."""
    i2c_addresses: tuple[int, ...] = ()
    """Of its sound chips, all of which are there."""
    overlays: tuple[str, ...] = ()
    """``dtoverlay=`` names in config.txt that make it a sound card, the one to advise first."""
    one_of: tuple[str, ...] = ()
    """The boards that this one stands for while it is not known which it is."""
    looks_like: str = ""
    """A board that nothing can tell from this one but its owner."""
    hot_plug: bool = False
    """Whether it may be plugged in and out while the Pi runs; Seeed says that it damages a HAT."""

    # --- its sound ---
    channel_maps: tuple[ChannelMap, ...] = ()
    """What its input channels carry, one map for each channel count that a firmware has; the
    factory's first."""
    rates_hz: tuple[int, ...] = ()
    """Sample rates that the card itself takes, the one to record at first; () where that is not
    known."""
    sample_formats: tuple[str, ...] = ()
    """ALSA's names of the formats that the card itself takes; () where that is not known."""
    output_channels: int | None = None
    """How many channels must be filled for it to sound: 0 where the board has no output, None
    where it does not matter."""
    capture_first: bool = False
    """Whether capture must be running before playback starts, or the channels are scrambled."""
    echo_cancellation: bool = False
    """Whether the board removes from the microphone what is played through its own output."""
    mixer: tuple[MixerLevel, ...] = ()
    """Levels that the card needs whenever it comes."""
    ceiling_dbfs: float = -1.0
    """The loudest peak that is played, in dB of full scale; a small loudspeaker driven harder
    distorts, which no echo canceller can undo."""

    # --- its lights and buttons ---
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
    mute_switch: MuteSwitch = MuteSwitch.NONE
    finds_direction: bool = False
    """Whether it tells where a voice comes from."""
    ring_zero_deg: int = 0
    """Where on its ring of LEDs the direction of 0 is: from the first LED, in their order."""

    # --- what an owner should know ---
    caution: str = ""
    """What keeps the board from working well, and is no fault of the owner."""
    hints: tuple[str, ...] = ()
    """What cures known troubles of it."""

    def made_by(self, overlay: str) -> bool:
        """Tell whether an overlay, as config.txt names it, makes it a sound card.

        The firmware of the Pi takes a file's name too, and Seeed's wiki has owners copy their file
        under the name that it was built as: ``respeaker-2mic-v2_0-overlay``.
        """
        return overlay.removesuffix(".dtbo").removesuffix("-overlay") in self.overlays

    @property
    def channel(self) -> int:
        """The input channel to listen to with the factory's firmware, counted from 0."""
        return _best(self.channel_maps[0]) if self.channel_maps else 0

    def channel_map(self, channels: int) -> ChannelMap | None:
        """Return what each of so many input channels carries; None for a count we do not know."""
        for known in self.channel_maps:
            if len(known) == channels:
                return known
        return None

    def channel_of(self, channels: int) -> int:
        """Return the one to listen to of a device's ``channels``, counted from 0.

        A sound server claims more than any board has: then it is the factory firmware's.
        """
        known = self.channel_map(channels)
        if known is not None:
            return _best(known)
        return self.channel if self.channel < channels else 0

    def gates(self, channels: int) -> bool:
        """Tell whether a quiet room may be exact zeros on each of a device's ``channels``.

        One raw microphone among them never is: the last bit of its converter is noise.
        """
        known = self.channel_map(channels) or next(iter(self.channel_maps), ())
        return Role.RAW not in known and not PROCESSED.isdisjoint(known)


def _best(roles: ChannelMap) -> int:
    return min(
        range(len(roles)),
        key=lambda place: (
            BEST_ROLES.index(roles[place]) if roles[place] in BEST_ROLES else len(BEST_ROLES)
        ),
    )


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

NONE = Profile("none", "plain sound card", hot_plug=True)

PROFILES: tuple[Profile, ...] = (
    # Its product id depends on the firmware: 001c is that of the circular array at 16 kHz with two
    # channels ("reSpeaker Flex XVF3800 C16K2Ch"), as one owner reports; those of the linear one and
    # of six channels are not known. Another's has the XVF3800's id and name, and counts as that.
    Profile(
        "flex",
        "reSpeaker Flex",
        name_parts=("xvf3800 flex", "respeaker flex"),
        usb_product=0x001C,
        hot_plug=True,
        channel_maps=(_TWO_BEAMS, (*_TWO_BEAMS, *(Role.RAW,) * 4)),
        rates_hz=(16_000, 48_000),
        echo_cancellation=True,
        mixer=FLEX_LEVELS,
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
        mixer=XVF3800_LEVELS,
        led_driver=LedDriver.XVF3800,
        led_count=12,
        mute_switch=MuteSwitch.READABLE,
        finds_direction=True,
        # Between LEDs 4 and 6: Seeed's drawing (doc/doa.jpg) has 0 at the side of the USB socket,
        # between two LEDs; the one project that maps directions to LEDs has it at LED 5. Likely to
        # 15 degrees, and not tried on an array: lights.rotation_deg turns it further.
        ring_zero_deg=150,
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
        mixer=WM8960_LEVELS,
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
        mixer=AIC3104_LEVELS,
        led_driver=LedDriver.APA102,
        led_count=3,
        button_pin=17,
        taken_pins=_I2C_AND_I2S,
        hints=(_HAT_HINT, "where it hisses, 'mixer: {PGA: 40%}' in the configuration is less"),
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


def in_safe_mode(usb_id: tuple[int, int], product: str) -> bool:
    """Tell whether a USB device is an array in safe mode, where it waits for new firmware.

    ``product``: what it calls itself. Seeed's microcontrollers have ids with the same bit, so one
    that has a name must have a ReSpeaker's.
    """
    vendor, number = usb_id
    if vendor != SEEED or not number & SAFE_MODE:
        return False
    known = {profile.usb_product for profile in PROFILES}
    named = product.lower()
    return "respeaker" in named if named else number ^ SAFE_MODE in known


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
