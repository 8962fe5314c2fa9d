"""The words in which boards are described, and what a board's description holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
class MixerLevel:
    """One level of the card's own mixer that must be set, or the board is silent.

    ``amixer -c CARD sset CONTROL VALUE``; or ``cset``, where ``control`` begins with ``numid=``.
    """

    control: str
    """A simple control with its index (``PCM,1``), or an element (``numid=8``)."""
    value: str
    """As amixer takes it: ``100%``, ``on,on``."""
    input_channels: int | None = None
    """Only on firmware with so many input channels; None: on any."""

    @property
    def arguments(self) -> tuple[str, str, str]:
        """What ``amixer`` is given after ``-c CARD``."""
        verb = "cset" if self.control.startswith("numid=") else "sset"
        return verb, self.control, self.value


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
    """Its USB product id with Seeed's vendor id 2886; None: no USB, or an id that varies."""
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
    """Levels to be set whenever the card comes."""
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

    # --- what an owner should know ---
    caution: str = ""
    """What keeps the board from working well, and is no fault of the owner."""
    hints: tuple[str, ...] = ()
    """What cures known troubles of it."""

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
        """Whether a quiet room may be exact zeros on each of a device's ``channels``.

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
