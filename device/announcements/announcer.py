"""How a fault is told aloud: a chime for its family, and a sentence for its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from device.assistant.parts import Parts
from device.config import Config
from device.faults import Faults
from device.ports import Speaker
from device.signals import DEVICE, SIGNALS, newest


class Telling:
    """Tells the newest fault in force. Used from the event loop's thread only."""

    def __init__(self, parts: Parts, faults: Faults, speaker: Callable[[], Speaker]) -> None:
        """`speaker` gives the loudspeaker in use."""
        self._parts = parts
        self._faults = faults
        self._speaker = speaker

    @property
    def _kind(self) -> str | None:
        return newest(self._faults.kinds)

    def alarm(self, config: Config) -> None:
        """Play chime and sentence, as far as they are wanted."""
        kind = self._kind
        if config.audio.chimes:
            self._speaker().chime((SIGNALS[kind] if kind else DEVICE).chime)
        if config.audio.announcements and kind is not None:
            sentence = self._parts.sentence(config, kind)
            if sentence is not None:
                self._speaker().announce(sentence)

    def hush(self) -> None:
        """Break off the sentence: somebody wants to talk."""
        self._speaker().hush()

    async def prepare(self, config: Config) -> None:
        """Have the sentences made that are missing; takes seconds, in a thread."""
        if config.audio.announcements:
            await asyncio.to_thread(self._parts.make_sentences, config)
