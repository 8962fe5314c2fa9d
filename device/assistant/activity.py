"""What is known of the user's speech: whether they speak now, and whether it was meant for us."""

from __future__ import annotations

import time

from device.events import EventBus, PublicEvent
from device.frames import MICROPHONE_RATE_HZ


class Spoken:
    """Used from the event loop's thread only."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self.speaking = False
        self.addressed = False
        """Whether the user has woken, pressed or typed since the last reply was heard."""
        self._edge_sample = 0
        """The microphone's sample at which speech began or ended last."""

    def changed(self, speaking: bool, edge_sample: int) -> float:
        """Speech began or ended at a sample of the microphone; how many seconds after the last."""
        lasted_s = (edge_sample - self._edge_sample) / MICROPHONE_RATE_HZ
        self.speaking, self._edge_sample = speaking, edge_sample
        return lasted_s

    def forget(self) -> None:
        """Nobody listens for speech any more, or somebody just began to.

        Whoever was told that speech began is told that it ended, as far as anybody follows it.
        """
        if self.speaking:
            self._bus.publish(PublicEvent("activity", time.monotonic(), {"what": "ended"}))
        self.speaking = False
