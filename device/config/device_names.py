"""`flaw` tells what is no part of a sound device's name, such as an address that moves.

A device is known by a part of the name that PortAudio lists, since indexes, card numbers and what
is made of them are others after the next start. Such an address is also no part of any of those
names, but for the ``(hw:1,0)`` at their end, which is the part that moves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from device.config.yaml import shortened

HIGHEST_CARD: Final = 31
"""ALSA has 32 cards at most as kernels are built, so a higher number may be one of a model."""
HOW: Final = "write auto or a part of the name that parley devices shows"

_PLUGINS = (
    "hw|plughw|default|sysdefault|front|rear|side|center_lfe|surround[0-9]+|iec958|spdif|hdmi|modem"
    "|dmix|dsnoop|dshare|plug|softvol|usbstream|bluealsa|pulse|pipewire|jack|oss|null|file|tee"
)
"""What stands before the colon of an address (alsa.conf, and the plugins of alsa-lib)."""

_KINDS = (
    (r"\((?:plug)?hw:[^)]*\)", "has a card's number in it, which changes"),
    (r"\bCARD=|\bDEV=", "is an address of ALSA's"),
    (rf"(?:{_PLUGINS}):\S+", "is an address of ALSA's"),
    (r"[a-z]\w*:[0-9]+(?:,[0-9]+)*\Z", "is an address of ALSA's"),
    (r"/|~/", "is a file's path"),
    (r"(?:alsa|bluez)_(?:input|output|card|source|sink)\.", "is what a sound server calls it"),
    (r"(?:[0-9a-f]{2}[:_-]){5}[0-9a-f]{2}\Z", "is a Bluetooth address"),
    (r"[0-9a-f]{4}:[0-9a-f]{4}\Z", "is a USB id"),
    (r"usb-[0-9a-f]{4}:[0-9a-f]{2}:|usb[0-9]*[-:][0-9]+[-.:0-9]*\Z", "is a place on USB"),
)
_NUMBER = re.compile(
    r"(?:(?:sound ?)?card|device|dev|index|input|output|hw|nr|no)?[\s#=._-]*([0-9]+)"
    r"(?:\s*[,.:]\s*[0-9]+)?",
    re.IGNORECASE,
)
_CARD = (
    r"hw:(?:CARD=)?(\w+)",
    r"CARD=(\w+)",
    r"/dev/snd/(?:pcm|control|midi|hw)C([0-9]+)",
    r"\A[a-z]\w*:([0-9]+)",
)


@dataclass(frozen=True, slots=True)
class KnownCard:
    """A sound card that is here now."""

    number: int
    id: str
    """ALSA's, such as ``Device``."""
    name: str
    """What PortAudio begins its name with."""
    usb_id: str = ""
    """Vendor and product, such as ``0b0e:0412``."""


def flaw(wanted: str | float, cards: tuple[KnownCard, ...] = ()) -> str | None:
    """Return why this is no part of a name, and what to write; None where it can be one.

    ``cards``: those that are here now, one of which may be meant.
    """
    what = _address(wanted)
    if what is None:
        return None
    text = str(wanted).strip()
    before, mark, _ = text.partition(" (hw:")
    if mark and before.strip():
        return f"{shortened(wanted)} {what}: write {_whole(before)}"
    card = _meant(text, cards)
    if card is None:
        return f"{shortened(wanted)} {what}: {HOW}"
    return f"{shortened(wanted)} {what}: write {_whole(card.name)}, as card {card.number} is called"


def _whole(name: str) -> str:
    """Quote a name to be written: not one of its letters may be left out, or nothing has it.

    Of one that is too long for a line its beginning does.
    """
    return repr(name.strip()[:80].strip())


def _address(wanted: str | float) -> str | None:
    if not isinstance(wanted, str):
        return "is a number, and card numbers change"
    text = wanted.strip()
    number = _NUMBER.fullmatch(text)
    if number is not None and int(number[1]) <= HIGHEST_CARD:
        return "is a card's number, which changes"
    for place, (pattern, what) in enumerate(_KINDS):
        look = re.search if place < 2 else re.match
        if look(pattern, text, re.IGNORECASE):
            return what
    return None


def _meant(text: str, cards: tuple[KnownCard, ...]) -> KnownCard | None:
    """Return the card that an address leads to now."""
    number = _NUMBER.fullmatch(text)
    found = [number[1]] if number else []
    found += [each[1] for pattern in _CARD if (each := re.search(pattern, text, re.IGNORECASE))]
    spoken = re.sub(r"[\W_]+", " ", text).casefold()
    for card in cards:
        if any(said == str(card.number) or said.casefold() == card.id.casefold() for said in found):
            return card
        if text.casefold() == card.usb_id:
            return card
        if not found and re.sub(r"[\W_]+", " ", card.name).casefold() in spoken:
            return card
    return None
