"""Settings are the configuration in force; a reload replaces them as a whole."""

from __future__ import annotations

from device.config import Config


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
