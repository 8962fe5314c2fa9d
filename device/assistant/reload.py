"""`Reloader` takes a changed configuration, section by section, while the speaker runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from device.assistant.hub import Assistant
from device.config import Config, as_persona, differences
from device.config.file import ConfigFile
from device.errors import ConfigError, WakeModelError
from device.news import SettingsChanged
from device.ports import WakeDetector

log = logging.getLogger(__name__)


_CLAIMED = (
    *("lights.driver", "lights.pins", "lights.count", "lights.spi", "lights.power_pin"),
    *("lights.rotation_deg", "lights.mirrored"),
    *("button.pin", "board"),
)
"""What only takes effect when lights and button are claimed anew."""


def _heard(config: Config) -> object:
    """Return what the networks are loaded with; for a second after that no wake word is heard."""
    words = [word.model_copy(update={"persona": None}) for word in config.wake.words]
    return words, config.wake.patience, config.wake.refractory_s


def _set_up(config: Config, persona: str) -> object:
    """Return what a talk of this persona is set up with, as far as it can be the persona's own."""
    its = as_persona(config, persona)
    return its.live, its.tools


class Reloader:
    """Reads the file again and replaces only the parts whose settings changed."""

    def __init__(self, assistant: Assistant, file: ConfigFile) -> None:
        self._assistant = assistant
        self._file = file
        self._one_at_a_time = asyncio.Lock()

    async def reload(self) -> set[str]:
        """Put the changed file into force; returns the dotted keys that changed.

        Raises ConfigError, with every mistake, or WakeModelError; then nothing has changed and the
        mistake is a fault until a file is accepted.
        """
        hub = self._assistant
        async with self._one_at_a_time:
            try:
                config = await asyncio.to_thread(self._file.read)
                changed = differences(hub.settings.now, config)
                heard_anew = _heard(hub.settings.now) != _heard(config)
                detector = await hub.parts.detector(config) if heard_anew else None
            except (ConfigError, WakeModelError) as error:
                wrong = error.lines() if isinstance(error, ConfigError) else [str(error)]
                self._file.refused(wrong)
                hub.faults.begin("config", "; ".join(wrong))
                raise
            hub.faults.clear("config")
            # Nothing is awaited from here on: half a configuration is never in force.
            self._apply(config, changed, detector)
            await self._file.accepted(config)
        log.info("configuration reloaded: %s", ", ".join(sorted(changed)) or "nothing changed")
        return changed

    def _apply(self, config: Config, changed: set[str], detector: WakeDetector | None) -> None:
        hub, before = self._assistant, self._assistant.settings.now
        hub.settings.replace(config)
        if detector is not None:
            hub.wake_word.replace(detector)
        for prefixes, replace in self._sections():
            if _any(changed, *prefixes):
                replace()
        whose = hub.talk.now.persona
        if "personas" in changed and _set_up(before, whose) != _set_up(config, whose):
            self._session()

    def _sections(self) -> list[tuple[tuple[str, ...], Callable[[], None]]]:
        """Which keys need which part replaced; all others are read where they are used."""
        return [
            (("audio.input.", "board"), self._microphone),
            # Where no loudspeaker is asked for, the microphone's card speaks.
            (("audio.output.", "audio.input.device"), self._speaker),
            (("audio.volume",), self._volume),
            (("mixer",), self._assistant.set_levels),
            (_CLAIMED, self._board),
            (("lights.", "personas"), self._lights),
            # After the board, which may cancel echo, and with each device, between which it is.
            (
                (
                    "audio.duplex",
                    "audio.echo_cancellation",
                    "audio.input.",
                    "audio.output.",
                    "board",
                ),
                self._echo,
            ),
            (("wake.keep",), self._wake_clips),
            (("tools.mcp",), self._assistant.house.replace),
            (("tools.camera", "camera.source", "camera.rotate"), self._assistant.pictures.replace),
            (("live.", "tools.", "camera.stream", "place"), self._session),
            (("live.token_url",), self._assistant.tell_missing_key),
            (("spending.",), self._assistant.spending.changed),
            (("records.prometheus",), self._assistant.statistics.export),
            (("conversation.max_session_s",), self._assistant.sessions.limit_age),
            (("conversation.follow_up", "conversation.resume_reply"), self._assistant.tell_habits),
            (("personas", "wake.words"), self._assistant.tell_personas),
            (
                ("live.language", "audio.announcements", "personas", "wake.words"),
                self._assistant.prepare_sentences,
            ),
        ]

    def _board(self) -> None:
        hub = self._assistant
        hub.choose_board(hub.board)

    def _lights(self) -> None:
        self._assistant.panel.adjust(self._assistant.settings.now)

    def _microphone(self) -> None:
        hub = self._assistant
        hub.input.replace(hub.parts.microphone(hub.settings.now))
        hub.uplink.forget()

    def _speaker(self) -> None:
        # Nobody has turned it: its volume is not shown.
        hub = self._assistant
        hub.output.replace(hub.parts.speaker(hub.settings.now))

    def _echo(self) -> None:
        hub = self._assistant
        # Not the panel's: whether the board hears what is played depends on the loudspeaker, too.
        board = hub.parts.profile(hub.settings.now, hub.input.microphone.device)
        hub.echo.choose(hub.settings.now, board)
        hub.measurement.recall()

    def _volume(self) -> None:
        self._assistant.set_volume(self._assistant.settings.now.audio.volume)

    def _wake_clips(self) -> None:
        self._assistant.wake_word.keep_clips()
        self._assistant.wake_clips.tell()

    def _session(self) -> None:
        # A talk that is going on keeps its settings; the next one has the new ones.
        self._assistant.post(SettingsChanged())


def _any(changed: set[str], *prefixes: str) -> bool:
    return any(key.startswith(prefixes) for key in changed)
