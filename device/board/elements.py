"""Elements are the single values of a sound card's mixer, as ``amixer contents`` lists them. Pure.

alsamixer and ``amixer scontrols`` show them combined into controls: ``Line`` is ``Line Playback
Volume`` together with ``Line Playback Switch``. `find` takes either name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

_HEAD = re.compile(r"numid=(\d+),iface=(\w+),name='(.*)'(?:,index=(\d+))?(?:,device=.*)?")
_KIND = re.compile(r"  ; type=(\w+),access=(.)(.).*?,values=(\d+)(?:,min=(-?\d+),max=(-?\d+))?.*")
_ITEM = re.compile(r"  ; Item #\d+ '(.*)'")
_VALUES = re.compile(r"  : values=(.*)")
_SCALE = re.compile(r"  \| dBscale-min=(-?[\d.]+)dB,step=([\d.]+)dB,.*")
_MINMAX = re.compile(r"  \| dBminmax(?:mute)?-min=(-?[\d.]+)dB,max=(-?[\d.]+)dB")

_WAYS = (" Playback", "", " Capture")
"""What stands between a control's name and what it is, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Element:
    """One value of the mixer, of one or more channels."""

    number: int
    """amixer's ``numid``: good until the driver or its version changes."""
    name: str
    index: int
    """Tells elements of one name apart."""
    kind: str
    """``BOOLEAN``, ``INTEGER``, ``ENUMERATED``; what else there is cannot be set here."""
    values: tuple[str, ...]
    """Of each channel: ``on`` and ``off``, whole numbers, or the words of the items."""
    lowest: int = 0
    highest: int = 0
    items: tuple[str, ...] = ()
    """What an enumerated one takes."""
    scale: tuple[float, float] | None = None
    """dB at the lowest value, and dB of a step; None where it has none, or not an even one."""
    writable: bool = True

    @property
    def shown(self) -> str:
        """Return its values for people: one where all channels have the same."""
        return self.values[0] if len(set(self.values)) == 1 else ",".join(self.values)

    @property
    def at_zero(self) -> bool:
        """Whether every channel is at its lowest value."""
        lowest = "off" if self.kind == "BOOLEAN" else str(self.lowest)
        return set(self.values) == {lowest}

    def __str__(self) -> str:
        """Return its name, with its index where that tells anything."""
        return f"{self.name},{self.index}" if self.index else self.name

    def wanted(self, setting: str) -> tuple[str, ...]:
        """Return the values that a setting means, as `values` has them.

        ``setting``: what amixer takes, for all channels or one after the other: ``on``, ``64``,
        ``80%``, ``-10dB``, an item. Raises ValueError, in words for the owner, for what it is not.
        """
        if not self.writable:
            raise ValueError("cannot be set")
        given = [self._value(part.strip()) for part in setting.split(",")]
        if len(given) not in {1, len(self.values)}:
            raise ValueError(
                f"has {len(self.values)} channels, and {len(given)} values are given: write one"
                f" for all, or {len(self.values)}"
            )
        return tuple(given * len(self.values) if len(given) == 1 else given)

    def written(self, values: Sequence[str]) -> str:
        """Return values as ``amixer cset`` takes them: items by their place."""
        if self.kind == "ENUMERATED":
            return ",".join(str(self.items.index(value)) for value in values)
        return ",".join(values)

    def _value(self, text: str) -> str:
        if self.kind == "BOOLEAN":
            if text.lower() in {"on", "off"}:
                return text.lower()
            raise ValueError(f"takes on or off, not '{text}'")
        if self.kind == "ENUMERATED":
            for item in self.items:
                if item.lower() == text.lower():
                    return item
            raise ValueError(f"takes {' or '.join(self.items)}, not '{text}'")
        return str(self._whole(text))

    def _whole(self, text: str) -> int:
        """Return a value of an integer: a number, a share of its range, or decibels."""
        span = self.highest - self.lowest
        if match := re.fullmatch(r"(\d{1,3})%", text):
            share = round(int(match[1]) * span / 100)
            # As amixer does it: a little is never nothing.
            value = self.lowest + (share or min(int(match[1]), 1))
        elif match := re.fullmatch(r"([-+]?\d+(?:\.\d+)?)dB", text, re.IGNORECASE):
            if self.scale is None:
                raise ValueError(f"has no even scale in dB: write {self._takes}")
            at_lowest_db, step_db = self.scale
            value = self.lowest + round((float(match[1]) - at_lowest_db) / step_db)
        elif re.fullmatch(r"-?\d+", text):
            value = int(text)
        else:
            raise ValueError(f"takes {self._takes}, not '{text}'")
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"takes {self._takes}, not '{text}'")
        return value

    @property
    def _takes(self) -> str:
        return f"{self.lowest}..{self.highest} or 0%..100%"


def elements_in(text: str) -> tuple[Element, ...]:
    """Read what ``amixer contents`` prints: the elements of the mixer that can be set."""
    found: list[Element] = []
    for block in re.split(r"(?m)^(?=numid=)", text):
        element = _element(block.splitlines())
        if element is not None:
            found.append(element)
    return tuple(found)


def _element(lines: Sequence[str]) -> Element | None:
    head = _HEAD.fullmatch(lines[0]) if lines else None
    kind = next((match for line in lines if (match := _KIND.fullmatch(line))), None)
    told = next((match for line in lines if (match := _VALUES.fullmatch(line))), None)
    if head is None or kind is None or told is None or head[2] != "MIXER":
        return None
    items = tuple(match[1] for line in lines if (match := _ITEM.fullmatch(line)))
    values = tuple(told[1].split(","))
    if items:
        values = tuple(
            items[int(place)] if place.isdecimal() and int(place) < len(items) else place
            for place in values
        )
    lowest, highest = int(kind[5] or 0), int(kind[6] or 0)
    return Element(
        int(head[1]),
        head[3],
        int(head[4] or 0),
        kind[1],
        values,
        lowest,
        highest,
        items,
        _scale(lines, highest - lowest),
        writable=kind[3] == "w",
    )


def _scale(lines: Sequence[str], span: int) -> tuple[float, float] | None:
    for line in lines:
        if (match := _SCALE.fullmatch(line)) and float(match[2]):
            return float(match[1]), float(match[2])
        if (match := _MINMAX.fullmatch(line)) and span and match[1] != match[2]:
            return float(match[1]), (float(match[2]) - float(match[1])) / span
    return None


def find(elements: Sequence[Element], control: str, setting: str = "") -> Element | None:
    """Return the element that a name means; None where there is none.

    ``control``: an element's name, or that of a control as alsamixer shows it, either with
    ``,INDEX`` where there are several; or ``numid=NUMBER``. ``setting``: what it is to be, which
    tells a control's switch from its volume.
    """
    if match := re.fullmatch(r"numid=(\d+)", control):
        return next((one for one in elements if one.number == int(match[1])), None)
    match = re.fullmatch(r"(.*?)(?:,(\d+))?", control)
    name, index = (match[1], int(match[2] or 0)) if match else (control, 0)
    known = {(one.name.lower(), one.index): one for one in elements}
    switch = setting.partition(",")[0].strip().lower() in {"on", "off"}
    kinds = (" Switch", " Volume", "") if switch else (" Volume", "", " Switch")
    names = [control, name, *(f"{name}{way}{kind}" for kind, way in product(kinds, _WAYS))]
    for place, one in enumerate(names):
        found = known.get((one.lower(), 0 if place == 0 else index))
        if found is not None:
            return found
    return None


def nearest(elements: Sequence[Element], control: str) -> str:
    """Return the name of the element that was perhaps meant; empty where none is like it."""
    names = {str(one).lower(): str(one) for one in elements}
    close = difflib.get_close_matches(control.lower(), names, n=1)
    return names[close[0]] if close else ""
