"""A changed configuration, taken section by section while the speaker runs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from device import vocabulary as v
from device.assistant import Assistant
from device.config import Config, differences
from device.errors import ConfigError

log = logging.getLogger(__name__)


class Reloader:
    """Reads the file again and replaces only the parts whose settings changed."""

    def __init__(self, assistant: Assistant, load: Callable[[], Config]) -> None:
        """`load` reads the configuration; raises ConfigError."""
        self._assistant = assistant
        self._load = load

    async def reload(self) -> set[str]:
        """Put the changed file into force; returns the dotted keys that changed.

        Raises ConfigError, with every mistake, or WakeModelError; then nothing has changed and the
        mistake is a fault until a file is accepted.
        """
        hub = self._assistant
        try:
            config = self._load()
            changed = differences(hub.config, config)
            detector = await hub.parts.detector(config) if _any(changed, "wake.") else None
        except ConfigError as error:
            hub.faults.begin("config", "; ".join(error.lines()))
            raise
        hub.faults.clear("config")
        hub.config = config
        if detector is not None:
            await hub.ears.replace_detector(detector)
        for prefixes, apply in self._sections():
            if _any(changed, *prefixes):
                await apply()
        log.info("configuration reloaded: %s", ", ".join(sorted(changed)) or "nothing changed")
        return changed

    def _sections(self) -> list[tuple[tuple[str, ...], Callable[[], Awaitable[None]]]]:
        """Which keys need which part replaced; all others are read where they are used."""
        return [
            (("audio.input.", "board"), self._microphone),
            (("audio.output.",), self._speaker),
            (("audio.volume",), self._volume),
            (("audio.duplex", "audio.echo_cancellation", "board"), self._duplex),
            (("lights.", "button.", "board"), self._panel),
            (("live.",), self._session),
        ]

    async def _microphone(self) -> None:
        hub = self._assistant
        await hub.ears.replace_microphone(hub.parts.microphone(hub.config))

    async def _speaker(self) -> None:
        hub = self._assistant
        await hub.mouth.replace(hub.parts.speaker(hub.config))
        hub.set_volume(hub.volume)

    async def _volume(self) -> None:
        self._assistant.set_volume(self._assistant.config.audio.volume)

    async def _duplex(self) -> None:
        self._assistant.choose_duplex()

    async def _panel(self) -> None:
        self._assistant.choose_board()

    async def _session(self) -> None:
        # A talk that is going on keeps its settings; a session that is only kept gives way.
        hub = self._assistant
        if hub.talk.session and hub.talk.state in v.RESTING:
            hub.command(v.Expired(hub.talk.session, "settings changed"))


def _any(changed: set[str], *prefixes: str) -> bool:
    return any(key.startswith(prefixes) for key in changed)
