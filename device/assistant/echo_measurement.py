"""`EchoMeasurement` measures the way from loudspeaker to microphone by saying something.

Done by itself at the first start with a new pair of devices, and when the owner asks for it. What
is said is a sentence of our own: speech is what the canceller must learn to take out, and it tells
the person what is going on. The wake word or the button breaks it off.
"""

from __future__ import annotations

import asyncio
import contextlib

from device.assistant.echo import EchoControl
from device.assistant.input import Input
from device.assistant.parts import Parts
from device.assistant.settings import Settings
from device.assistant.talk import Talk
from device.config import Config
from device.conversation.states import State
from device.errors import MeasuringError
from device.news import DuplexDecided
from device.state.echo import Measured, Way

CALM_S = 5.0
"""At rest for this long before it speaks up by itself: the owner may want to talk first."""
BEGINS_WITHIN_S = 3.0
LASTS_AT_MOST_S = 30.0
TRIES = 10
SENTENCE = "hello"

HINDRANCES = {
    State.STARTING: "the microphone does not deliver yet; see: parley status",
    State.MUTED: "the microphone is muted; see: parley unmute",
    State.FAULT: "something is wrong; see: parley status",
}
"""Why it cannot be measured in a state, where its name does not say it."""


class EchoMeasurement:
    """Used from the event loop's thread only."""

    def __init__(
        self, parts: Parts, echo: EchoControl, source: Input, talk: Talk, settings: Settings
    ) -> None:
        """`source` has the microphone, `echo` knows the loudspeaker."""
        self._parts = parts
        self._echo = echo
        self._input = source
        self._talk = talk
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()

    @property
    def _way(self) -> Way | None:
        """None while one of the two was never open: nothing can be known of it."""
        speaker, microphone = self._echo.speaker.device, self._input.microphone.device
        if speaker is None or microphone is None:
            return None
        return Way(speaker, microphone, self._echo.canceller)

    @property
    def _known(self) -> Measured | None:
        way = self._way
        return None if way is None else self._parts.echo_memory.recall(way)

    def recall(self) -> None:
        """Begin with what is known of the devices, which are (perhaps other ones and) open."""
        known = self._known
        if known is not None:
            self._echo.duplex.recall(known.mode, known.why)

    def remember(self, news: DuplexDecided) -> None:
        """Keep what was decided by measurement beyond the process."""
        way = self._way
        if way is not None:
            self._parts.echo_memory.keep(way, news.mode, news.why)

    async def measure(self) -> None:
        """Say the sentence, and return when it has been heard; `EchoControl` has the figures then.

        Raises MeasuringError when that is not possible now, or was broken off.
        """
        self._only_at_rest()
        config = self._settings.now
        sentence = self._parts.sentence(config, SENTENCE)
        if sentence is None:
            raise MeasuringError(_speechless(config))
        try:
            async with self._one_at_a_time:
                await self._say(sentence)
        except TimeoutError:
            self._only_at_rest("it was broken off")
            raise MeasuringError(
                "nothing was played; see: parley status, and parley volume"
            ) from None
        self._only_at_rest("it was broken off")

    def _only_at_rest(self, otherwise: str = "it cannot be measured now") -> None:
        state = self._talk.state
        if state is not State.IDLE:
            why = HINDRANCES.get(state, f"the speaker is {state.label}")
            raise MeasuringError(f"{otherwise}: {why}")

    async def _say(self, sentence: bytes) -> None:
        """Raises TimeoutError when it is not heard to begin, or not to end."""
        async with asyncio.timeout(LASTS_AT_MOST_S):
            # What still rings is not our sentence.
            await self._echo.quiet.wait()
        self._only_at_rest()
        self._echo.echo.measure_anew()
        self._echo.speaker.announce(sentence)
        try:
            async with asyncio.timeout(BEGINS_WITHIN_S):
                await self._echo.sounding.wait()
            async with asyncio.timeout(LASTS_AT_MOST_S):
                await self._echo.quiet.wait()
        finally:
            # Nobody waits for it any more. In another state something else may be said by now.
            if self._talk.state is State.IDLE:
                self._echo.speaker.hush()

    async def at_first_start(self) -> None:
        """Measure once, when nothing is known of these devices and nobody wants anything else."""
        for _ in range(TRIES):
            await self._echo.quiet.wait()
            await asyncio.sleep(CALM_S)
            settings = self._settings.now
            if settings.audio.duplex != "auto" or not settings.audio.announcements:
                return
            if self._echo.canceller == "hardware" or self._echo.duplex.measured:
                return
            if self._known is not None:
                return
            if self._talk.state is State.IDLE and self._echo.quiet.is_set():
                with contextlib.suppress(MeasuringError):
                    await self.measure()
                    return


def _speechless(config: Config) -> str:
    if not config.audio.announcements:
        return "there is nothing to say: audio.announcements is off"
    return "there is nothing to say yet: try again in a minute; it takes espeak-ng"
