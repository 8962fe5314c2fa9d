"""A picture shows a light pattern as text: time runs to the right, a line for each LED. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from device.lights.patterns import MOTIONS, Pattern
from device.lights.render import render

SHADES = " ·░▒▓█"
NAME_COLUMNS = 18


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A pattern, and what is measured while it is shown."""

    pattern: Pattern
    streaming: bool = False
    pictures: bool = False
    direction: float | None = None
    amount: float = 0.0

    @property
    def name(self) -> str:
        """What it is called."""
        return " ".join([self.pattern.value, *(word for word, on in self._more() if on)])

    @property
    def means(self) -> str:
        """What it tells its owner."""
        if self.streaming:
            return "white sparks: what the microphone hears is going out now"
        if self.pictures:
            return "two white sparks: pictures are going out now, too"
        if self.direction is not None:
            return "it listens, and points at who speaks (arrays that know the direction)"
        return MOTIONS[self.pattern].means

    def _more(self) -> Iterable[tuple[str, bool]]:
        yield "+ streaming", self.streaming
        yield "+ pictures", self.pictures
        yield "+ direction", self.direction is not None


def exhibits(count: int) -> list[Exhibit]:
    """Return all that ``count`` LEDs can say, in the order in which an owner meets it."""
    shown = []
    for pattern in Pattern:
        shown.append(Exhibit(pattern, amount=0.6))
        if pattern is Pattern.LISTENING:
            shown += [Exhibit(pattern, direction=0.25)] if count >= 6 else []
            shown.append(Exhibit(pattern, streaming=True))
            shown.append(Exhibit(pattern, pictures=True))
    return shown


def picture(
    count: int, shown: Iterable[Exhibit] | None = None, *, span_s: float = 4.0, columns: int = 64
) -> str:
    """Return exhibits (all, if not given) over ``span_s`` seconds as text."""
    chosen = exhibits(count) if shown is None else shown
    return "\n".join(line for one in chosen for line in _strip(one, count, span_s, columns))


def _strip(one: Exhibit, count: int, span_s: float, columns: int) -> list[str]:
    frames = [
        render(
            one.pattern,
            # Not at an edge: flashes begin and end at multiples of what a column usually is.
            span_s / columns * (i + 0.3),
            count,
            streaming=one.streaming,
            pictures=one.pictures,
            direction=one.direction,
            amount=one.amount,
        )
        for i in range(columns)
    ]
    first, _, second = one.name.partition(" ")
    names = [one.name] if count == 1 else [first, second, *[""] * count]
    width = max(NAME_COLUMNS, len(names[0]) + 1)
    return [
        f"{names[led]:<{width}}|"
        + "".join(SHADES[math.ceil(max(frame[led]) / 255 * (len(SHADES) - 1))] for frame in frames)
        + "|"
        for led in range(count)
    ]
