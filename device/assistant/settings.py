"""Settings are the configuration in force; a reload replaces them as a whole."""

from __future__ import annotations

from device.assistant.talk import Talk
from device.config import Config, as_persona


class Settings:
    """Whoever reads `now` where it needs it has the settings in force. Event loop's thread only."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def now(self) -> Config:
        """The configuration in force."""
        return self._config

    def replace(self, config: Config) -> None:
        """Put another configuration into force."""
        self._config = config


class TalkSettings:
    """The same for what is said: whoever talks has its own. Event loop's thread only."""

    def __init__(self, settings: Settings, talk: Talk) -> None:
        self._settings = settings
        self._talk = talk

    @property
    def now(self) -> Config:
        """The configuration in force for the persona that talks, or did last."""
        return as_persona(self._settings.now, self._talk.now.persona)
