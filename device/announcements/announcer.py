"""The announcer tells aloud what is wrong, or was missed: a chime, and a sentence for its kind.

Tested in tests/assistant/test_hub.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from device.config import Config, as_persona, personas_in_use
from device.faults import Faults
from device.ports import Speaker
from device.signals import DEVICE, SIGNALS, newest

Sentence = Callable[[Config, str], bytes | None]
"""Gives what is said of a kind of fault, s16le mono 24 kHz; None where it has no words."""


class Output(Protocol):
    """Whatever has the loudspeaker."""

    @property
    def speaker(self) -> Speaker:
        """The loudspeaker in use."""
        ...


class Announcer:
    """Tells the newest fault in force. Used from the event loop's thread only."""

    def __init__(
        self,
        sentence: Sentence,
        make_sentences: Callable[[Config], None],
        faults: Faults,
        output: Output,
    ) -> None:
        """`make_sentences` makes those that are missing."""
        self._sentence = sentence
        self._make_sentences = make_sentences
        self._faults = faults
        self._output = output

    @property
    def _kind(self) -> str | None:
        return newest(self._faults.kinds)

    def alarm(self, config: Config) -> None:
        """Play chime and sentence, as far as they are wanted."""
        kind = self._kind
        if config.audio.chimes:
            self._output.speaker.chime((SIGNALS[kind] if kind else DEVICE).chime)
        if config.audio.announcements and kind is not None:
            sentence = self._sentence(config, kind)
            if sentence is not None:
                self._output.speaker.announce(sentence)

    def tell(self, config: Config, kind: str, more: bytes = b"") -> None:
        """Say the sentence of a kind, and ``more`` (s16le mono 24 kHz) after it; and a chime."""
        self._output.speaker.chime("missed")
        sentence = self._sentence(config, kind) if config.audio.announcements else None
        if sentence is not None:
            self._output.speaker.announce(sentence + more)

    def hush(self) -> None:
        """Break off the sentence: somebody wants to talk."""
        self._output.speaker.hush()

    async def prepare(self, config: Config) -> None:
        """Have the sentences made that are missing, in every language of a persona.

        Takes seconds, in a thread.
        """
        if config.audio.announcements:
            await asyncio.to_thread(self._prepare, config)

    def _prepare(self, config: Config) -> None:
        each = (as_persona(config, name) for name in personas_in_use(config))
        for its in {one.live.language: one for one in each}.values():
            self._make_sentences(its)
