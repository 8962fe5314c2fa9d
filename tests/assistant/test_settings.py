"""The configuration in force is one, and is replaced as a whole."""

from __future__ import annotations

from device.assistant.settings import Settings
from device.config import Config, parse


def test_whoever_asks_has_the_settings_in_force() -> None:
    """Before and after a reload."""
    settings = Settings(Config())
    assert settings.now.audio.volume == 60
    louder = parse("audio: {volume: 90}", "test.yaml")
    settings.replace(louder)
    assert settings.now is louder
