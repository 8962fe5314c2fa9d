"""(pure) Which events of a script are due on one connection."""

from __future__ import annotations

from collections.abc import Sequence

from device.simulator.script import Event, Point

ROUNDING_S = 1e-6
"""Seconds of audio are a sum of many: less than a sample may be missing."""


class Cues:
    """The script's events as one connection meets them."""

    def __init__(self, events: Sequence[Event], connection: int) -> None:
        self._events = events
        self._connection = connection
        self._armed: dict[Point, list[Event]] = {}

    def at(self, point: Point, turn: int = 0) -> list[Event]:
        """Return the events at a point, in the script's order."""
        return [event for event in self._events if event.concerns(point, self._connection, turn)]

    def arm(self, point: Point, turn: int = 0) -> None:
        """Begin to count audio for a point."""
        self._armed[point] = self.at(point, turn)

    def due(self, point: Point, seconds: float) -> list[Event]:
        """Return what is due after so many seconds of audio, each event once."""
        armed = self._armed.get(point, [])
        due = [event for event in armed if event.after_s <= seconds + ROUNDING_S]
        self._armed[point] = [event for event in armed if event not in due]
        return due
