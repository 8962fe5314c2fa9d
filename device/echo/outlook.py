"""`outlook` says what can be expected of a place where so much of our own voice comes back. Pure.

The loudspeaker's way to the microphone is measured in every place, in figures that say little to
its owner. What they mean was measured in synthetic rooms, with machines' voices and the whole of
what hears: how many wake words are heard, how often our own voice or a short "mm-hm" stops a reply.
So the room that is most like a place stands for it; that is an estimate, and is told as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNHEARD_DB = 45.0
"""From this loss on nothing of our own voice is in the way: the headset of the synthetic rooms has
50 dB, and nothing to cancel."""
UNLIKE_DB = 12.0
"""Farther than this from every room in the two figures, none of them stands for a place."""
POOR_OF_10 = 6
"""From fewer wake words over our own voice on something is advised."""
POOR_PAUSES = 2.0
"""From so many pauses a minute on as well."""
ADVICE = (
    "a lower volume, or more distance between loudspeaker and microphone, makes it better; a tap "
    "on the button ends a reply in any place"
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was measured in one synthetic room."""

    like: str
    """The room, in words that go on after "like"."""
    return_loss_db: float
    """How much quieter than what is played the echo is at the microphone."""
    erle_db: float
    """How much of it the canceller takes out, in the second minute."""
    wake_of_10: int
    """Wake words heard over a reply, of 10, by who is as loud there as the echo."""
    wake_far_of_10: int
    """The same by who is 10 dB quieter: from across the room."""
    pauses_per_minute: float
    """How often our own voice alone pauses a reply, in full duplex."""
    hums_of_8: int
    """How many short "mm-hm" of 8 end a reply."""


ROOMS = (
    Outlook("a loudspeaker and a microphone in one box", 0.0, 22.7, 8, 6, 2.6, 4),
    Outlook("a small furnished room", 6.0, 30.8, 9, 8, 1.0, 0),
    Outlook("a living room", 10.0, 26.8, 7, 7, 0.4, 0),
    Outlook("a large, bare room", 14.0, 18.3, 3, 4, 0.0, 0),
    Outlook("a loudspeaker that rattles, played too loud", 0.2, 5.8, 4, 0, 0.0, 0),
)
"""Those of `device.simulator.acoustics` that hear their own voice, measured with what is in
tests/benchmarks: 24 calls of "hey jarvis" by voices of espeak-ng for each figure, over replies that
pause as the product does (83 and 58 %, 88 and 83, 67 and 71, 29 and 38, 42 and 0); the first five
minutes of replies, with one in three that says the word; 8 hums of 0.3 to 0.4 s at -24 dBFS. In the
last room it is half duplex, where nothing pauses a reply.
"""


def outlook(echo: Mapping[str, Any], duplex: Mapping[str, Any]) -> Outlook | None:
    """Return what stands for a place; None: nothing was measured, or no room is like it.

    ``echo`` and ``duplex``: the figures of `EchoFigures` and `DuplexFigures`, as `parley status`
    has them. Of a board that cancels itself, and of a speaker that cancels nothing, nothing is
    known; where our own voice is not heard there is nothing to tell.
    """
    loss_db, erle_db = echo.get("return_loss_db"), echo.get("erle_db")
    if duplex.get("canceller") != "software" or loss_db is None or erle_db is None:
        return None
    if loss_db >= UNHEARD_DB:
        return None

    def distance_db(room: Outlook) -> float:
        return math.hypot(room.return_loss_db - loss_db, room.erle_db - erle_db)

    nearest = min(ROOMS, key=distance_db)
    return nearest if distance_db(nearest) <= UNLIKE_DB else None


def is_poor(room: Outlook, mode: str) -> bool:
    """Tell whether something is worth doing about a place, in this duplex."""
    pauses = mode == "full" and room.pauses_per_minute >= POOR_PAUSES
    return room.wake_far_of_10 < POOR_OF_10 or pauses


def sentence(room: Outlook, mode: str) -> str:
    """Return what can be expected in a place that is like this room, in this duplex."""
    near = f"about {room.wake_of_10} are heard of who is as loud as its echo"
    far = f"{room.wake_far_of_10} of who is 10 dB quieter"
    parts = [f"like {room.like}: of 10 wake words over its own voice {near}, {far}"]
    if mode == "full":
        pauses = f"about {room.pauses_per_minute:.1f} times a minute"
        parts += [
            f"its own voice pauses a reply {pauses if room.pauses_per_minute else 'never'}",
            f"a short 'mm-hm' ends {room.hums_of_8} of 8 replies",
        ]
    else:
        parts.append("only the wake word and the button end a reply (half duplex)")
    return f"{'; '.join(parts)} (measured in a synthetic room)"
