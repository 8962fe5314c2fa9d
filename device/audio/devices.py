"""`choose` picks the sound device to use out of those there are, and says why. Pure.

Pure. A device is never known by its index or card number, both of which move between boots and
replugs, but by a part of its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import MICROPHONE_RATE_HZ
from device.ports import OpenDevice, SoundDevice

Direction = Literal["input", "output"]

RESPEAKER_NAMES = (
    "respeaker xvf3800",
    "xvf3800",
    "respeaker 4 mic array",
    "arrayuac10",
    "respeaker lite",
    "seeed-8mic",
    "seeed8mic",
    "seeed-4mic",
    "seeed4mic",
    "seeed-2mic",
    "seeed2mic",
    "wm8960",
    "respeaker",
)
"""Parts of the names under which the ReSpeaker boards appear, in the order of preference."""

PARTS: dict[Direction, str] = {"input": "microphone", "output": "loudspeaker"}

HARDWARE_MARKS = ("(hw:", "(plughw:")
"""PortAudio names a card's own device so; plugins and servers appear by bare name."""

_CARD = re.compile(r"\((?:plug)?hw:(\d+),\d+\)$")


def name_of_card(number: int, name: str, codec: str) -> str:
    """Return how PortAudio lists the first device of a card, by what the kernel says of it."""
    return f"{name}: {codec} (hw:{number},0)"


SCREEN_MARKS = ("hdmi", "displayport")
"""Parts of the names of cards that end in a screen: vc4-hdmi-0 on a Raspberry Pi."""

SOUND_SERVERS = ("pulse", "pipewire", "jack")
"""ALSA plugins by which a sound server is reached."""

CAMERA_MARKS = ("webcam", "camera")
"""Parts of the names of cameras: their microphones are seldom meant where there are others."""

_USB = re.compile(r": USB Audio( #\d+)? \(|^USB Audio.*: - \(")
"""How PortAudio lists cards on USB: the kernel calls all that they record and play "USB Audio"
(snd-usb-audio, stream.c), and PortAudio leaves out what the card's own name begins with."""


@dataclass(frozen=True, slots=True)
class Device:
    """One sound device as PortAudio lists it."""

    name: str
    index: int
    """Only good for opening it now; another enumeration may number differently."""
    input_channels: int
    output_channels: int
    default_rate_hz: int
    """PortAudio's idea: 44100 for whatever takes that, else the rate the card has."""
    host_api: str
    default_input: bool = False
    default_output: bool = False

    @property
    def is_hardware(self) -> bool:
        """Whether it is a card itself, which takes only its own rates and channel counts."""
        return any(mark in self.name for mark in HARDWARE_MARKS)

    @property
    def on_usb(self) -> bool:
        """Whether it is a card that somebody has plugged in, not one that the computer has."""
        return self.is_hardware and _USB.search(self.name) is not None

    @property
    def card(self) -> int | None:
        """ALSA's number of its card, which PortAudio tells in the name only; None without."""
        found = _CARD.search(self.name)
        return int(found[1]) if found else None

    def opened(self, layout: Layout, channel: int | None = None) -> OpenDevice:
        """Return its facts when it was opened so; ``channel``: the one that is listened to."""
        return OpenDevice(self.name, self.card, channel, layout.channels, layout.rate_hz)

    def channels(self, direction: Direction) -> int:
        """Return how many channels it has that way; 0 when it cannot be used so."""
        return self.input_channels if direction == "input" else self.output_channels

    def is_default(self, direction: Direction) -> bool:
        """Tell whether the system takes it when nobody asks for another."""
        return self.default_input if direction == "input" else self.default_output


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What is known of a card beyond what PortAudio tells; by default nothing."""

    channel: int | None = None
    """The input channel to listen to, where nobody asks for another."""
    rates_hz: tuple[int, ...] = ()
    """Rates that it takes, the one to record at first."""
    output_channels: int | None = None
    """How many channels must be filled for anything to be heard."""
    capture_first: bool = False
    """It must record before it is played to, or its channels change places."""
    gates: bool = False
    """It takes noise out itself, so that a quiet room may be nothing but zeros for long."""
    mutes: bool = False
    """It has a mute button of its own, which makes zeros of everything."""
    respeaker: bool = False
    """It is a ReSpeaker, whatever it calls itself."""


Facts = Callable[[Device], CardFacts]
"""Tells what is known of a card. Any thread."""


def no_facts(_device: Device) -> CardFacts:
    """Know nothing."""
    return CardFacts()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which device is asked for, and who knows more of it."""

    name: str
    """``auto``, or a part of the device's name."""
    facts: Facts = no_facts
    microphone: str = "auto"
    """Of a loudspeaker: which microphone is asked for, whose own card speaks under ``auto``."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The device taken and the reason, for people."""

    device: Device
    why: str
    fallback: bool = False
    """Under ``auto``: taken for want of a ReSpeaker."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Parley makes of one device, for ``parley devices``."""

    device: Device
    microphone: bool
    """It would be the microphone."""
    loudspeaker: bool
    """It would be the loudspeaker."""
    why: str


def choose(
    devices: Sequence[Device],
    wanted: str,
    direction: Direction,
    facts: Facts = no_facts,
    microphone: str = "auto",
) -> Choice:
    """Pick the device for one direction: ``wanted`` is ``auto`` or a part of its name.

    ``facts`` tell of a ReSpeaker that calls itself otherwise. ``microphone``: what is asked for as
    one, since under ``auto`` the card that hears speaks as well, where it can.

    Case does not count. Of several that fit, one of just that name goes first, then a card itself,
    then the order of the list. Raises AudioDeviceError (MISSING).
    """
    usable = [device for device in devices if device.channels(direction) > 0]
    if wanted != "auto":
        found = _named(usable, wanted)
    elif direction == "input":
        found = _microphone(usable, facts)
    else:
        found = _loudspeaker(usable, choose_or_none(devices, microphone, "input", facts), facts)
    if found is None:
        raise AudioDeviceError(DeviceTrouble.MISSING, _nothing_fits(usable, wanted, direction))
    return found


def choose_or_none(
    devices: Sequence[Device],
    wanted: str,
    direction: Direction,
    facts: Facts = no_facts,
    microphone: str = "auto",
) -> Choice | None:
    """Pick as `choose` does; None where nothing fits."""
    try:
        return choose(devices, wanted, direction, facts, microphone)
    except AudioDeviceError:
        return None


def _named(usable: Iterable[Device], wanted: str) -> Choice | None:
    part = wanted.casefold()
    fitting = [device for device in usable if part in device.name.casefold()]
    fitting.sort(key=lambda device: (device.name.casefold() != part, not device.is_hardware))
    return Choice(fitting[0], f"its name contains '{wanted}'") if fitting else None


def _microphone(usable: Sequence[Device], facts: Facts) -> Choice | None:
    """A ReSpeaker, else what was plugged in, unless a sound server decides; a camera's last."""
    if respeaker := _respeaker(usable, facts):
        return respeaker
    plugged = [] if _has_server(usable) else [device for device in usable if device.on_usb]
    plugged.sort(key=_is_a_camera)
    if plugged:
        which = "the only microphone" if len(plugged) == 1 else "the first microphone"
        return Choice(plugged[0], f"no ReSpeaker here; {which} on USB", fallback=True)
    return _usual(usable, "input")


def _loudspeaker(
    usable: Sequence[Device], microphone: Choice | None, facts: Facts
) -> Choice | None:
    """The card that hears, else a ReSpeaker, else what was plugged in; a screen's last.

    One card for both keeps one clock, so that the echo can be cancelled, and a speakerphone cancels
    it itself.
    """
    if (own := _card_of(usable, microphone)) is not None:
        why = "it is the microphone's own card"
        return _respeaker([own], facts) or Choice(own, why, fallback=True)
    if respeaker := _respeaker(usable, facts):
        return respeaker
    cards = [device for device in usable if device.is_hardware and not is_a_screen(device)]
    plugged = [] if _has_server(usable) else [device for device in cards if device.on_usb]
    if plugged:
        which = "the only loudspeaker" if len(plugged) == 1 else "the first loudspeaker"
        return Choice(plugged[0], f"no ReSpeaker here; {which} on USB", fallback=True)
    if cards and _is_a_screen_by_default(usable):
        why = "no ReSpeaker here; the first loudspeaker that is no screen's"
        return Choice(cards[0], why, fallback=True)
    return _usual(usable, "output")


def _card_of(usable: Sequence[Device], microphone: Choice | None) -> Device | None:
    """Return the loudspeaker on the microphone's card; None where that has none, or is no card."""
    number = microphone.device.card if microphone is not None else None
    same = [device for device in usable if number is not None and device.card == number]
    return same[0] if same else None


def _respeaker(usable: Sequence[Device], facts: Facts) -> Choice | None:
    cards = [device for device in usable if device.is_hardware]
    for part in RESPEAKER_NAMES:
        for device in cards:
            if part in device.name.casefold():
                return Choice(device, f"a ReSpeaker by its name ('{part}')")
    for device in cards:
        if facts(device).respeaker:
            return Choice(device, "a ReSpeaker by its USB id or codec")
    return None


def _usual(usable: Sequence[Device], direction: Direction) -> Choice | None:
    """Return what the system takes by itself, which a sound server or ALSA's settings decide."""
    for device in usable:
        if device.is_default(direction):
            why = f"no ReSpeaker here; the system's default {direction}"
            return Choice(device, why, fallback=True)
    if usable:
        why = f"neither a ReSpeaker nor a default; the first {direction}"
        return Choice(usable[0], why, fallback=True)
    return None


def _has_server(usable: Iterable[Device]) -> bool:
    """Whether a sound server is reached: it knows which of its cards is in use."""
    return any(device.name.casefold() in SOUND_SERVERS for device in usable)


def _is_a_camera(device: Device) -> bool:
    return any(mark in device.name.casefold() for mark in CAMERA_MARKS)


def is_a_screen(device: SoundDevice) -> bool:
    """Tell whether its sound comes out of a screen, on HDMI or DisplayPort."""
    return any(mark in device.name.casefold() for mark in SCREEN_MARKS)


def _is_a_screen_by_default(usable: Sequence[Device]) -> bool:
    """Whether the system's default loudspeaker is on HDMI.

    On a Raspberry Pi 5 or Zero 2 W that is card 0, and with it ALSA's own default, whether a screen
    is connected or not (without one it cannot be opened: github.com/raspberrypi/linux, issue 6015).
    A sound server knows better which of its cards is in use.
    """
    first_card = [device for device in usable if "hw:0," in device.name]
    of_alsa = bool(first_card) and all(map(is_a_screen, first_card))
    of_alsa = of_alsa and not _has_server(usable)
    defaults = [device for device in usable if device.is_default("output")]
    return any(
        is_a_screen(device) or (of_alsa and not device.is_hardware) for device in defaults
    ) or (not defaults and of_alsa)


def _nothing_fits(usable: Sequence[Device], wanted: str, direction: Direction) -> str:
    if not usable:
        asked = "" if wanted == "auto" else f" (asked for '{wanted}')"
        return f"no {direction} device found{asked}: is it plugged in, and not taken by another?"
    found = ", ".join(f"'{device.name}'" for device in usable)
    return f"no {direction} device contains '{wanted}'; found: {found}"


def explain(
    devices: Sequence[Device], wanted_input: str, wanted_output: str, facts: Facts = no_facts
) -> list[Verdict]:
    """Say of every device whether Parley would take it and why, in the order of the list."""
    chosen: dict[Direction, Choice | None] = {
        "input": choose_or_none(devices, wanted_input, "input", facts),
        "output": choose_or_none(devices, wanted_output, "output", facts, wanted_input),
    }
    return [_verdict(device, chosen) for device in devices]


def _verdict(device: Device, chosen: dict[Direction, Choice | None]) -> Verdict:
    reasons = []
    taken: dict[Direction, bool] = {"input": False, "output": False}
    for direction, part in PARTS.items():
        choice = chosen[direction]
        if device.channels(direction) == 0:
            reasons.append(f"no {direction}")
        elif choice is not None and choice.device == device:
            taken[direction] = True
            reasons.append(f"{part}: {choice.why}")
        elif choice is not None:
            reasons.append(f"not the {part}: '{choice.device.name}' goes first")
        else:
            reasons.append(f"not the {part}: its name does not contain what was asked for")
    return Verdict(device, taken["input"], taken["output"], "; ".join(reasons))


def choose_channel(setting: int | Literal["auto"], board_channel: int | None, channels: int) -> int:
    """Pick one of a device's ``channels`` (counted from 0).

    ``auto`` is the board's best channel where that is known and there, else the first. Raises
    AudioDeviceError (REFUSED) when the device has no such channel.
    """
    if setting == "auto":
        return board_channel if board_channel is not None and board_channel < channels else 0
    if setting >= channels:
        raise AudioDeviceError(
            DeviceTrouble.REFUSED,
            f"no channel {setting}: the device has {channels}, counted from 0; "
            "set audio.input.channel to one of them or to auto",
        )
    return setting


@dataclass(frozen=True, slots=True)
class Layout:
    """What is asked of a device when it is opened."""

    rate_hz: int
    channels: int
    sample_bytes: int
    """2 or 4, signed."""

    def __str__(self) -> str:
        return f"{self.rate_hz} hz, {self.channels} channels, {8 * self.sample_bytes} bit"


FLEXIBLE_RATE_HZ = 44_100
"""What PortAudio reports for every device that takes it: it says nothing about the card's own."""


MOST_CHANNELS = 8
"""Of any ReSpeaker: the 6-Mic Circular kit's, loopback included."""


def input_layouts(device: Device, channel: int, rates_hz: Sequence[int] = ()) -> list[Layout]:
    """Give what to ask a microphone for, best first: 16 kHz, then what the card itself has.

    ``rates_hz``: those that the card is known to take, which go before others, in their order.

    A card is asked for all its channels, and for 32 bit first: PortAudio widens 16 bit to that by
    zeros, so their upper half is what the card recorded, whereas it adds dither where it narrows.
    A plugin or server claims any number of channels and mixes what the source has down to what it
    is asked for, so it is asked for as many as any array has: then each channel of the source comes
    through untouched, and a mono source in each of them.
    """
    own = device.input_channels if device.is_hardware else max(MOST_CHANNELS, channel + 1)
    fewer = [] if device.is_hardware else [max(2, channel + 1)]
    counts = [min(count, device.input_channels) for count in (own, *fewer)]
    counts = _unique([*counts, *([1] if channel == 0 else [])])
    rates = _unique([*rates_hz, MICROPHONE_RATE_HZ, device.default_rate_hz, 48_000, 44_100])
    sizes = (4, 2) if device.is_hardware else (2, 4)
    return [Layout(rate, count, size) for count in counts for rate in rates for size in sizes]


def output_layouts(device: Device, filled_channels: int | None = None) -> list[Layout]:
    """Give what to ask a loudspeaker for, best first: the card's own rate; mono where it can be.

    ``filled_channels``: how many channels of the card must be filled for it to sound.

    Where PortAudio only knows that the device is flexible, 48 kHz goes first: it is what sound
    servers, dmix and codecs run at, and twice the rate of the replies.
    """
    flexible = device.default_rate_hz == FLEXIBLE_RATE_HZ
    rates = _unique([48_000 if flexible else device.default_rate_hz, 48_000, 44_100, 16_000])
    all_filled = device.is_hardware and 0 < (filled_channels or 0) <= device.output_channels
    first = [filled_channels] if all_filled and filled_channels is not None else []
    counts = _unique([*first, 1, device.output_channels if device.is_hardware else 2])
    return [Layout(rate, count, 2) for rate in rates for count in counts]


def _unique(numbers: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(numbers))
