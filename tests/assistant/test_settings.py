"""The configuration in force is one, and is replaced as a whole."""

from __future__ import annotations

from device.assistant.settings import Settings, TalkSettings
from device.assistant.talk import Talk
from device.config import Config, parse
from device.news import Ask


def test_whoever_asks_has_the_settings_in_force() -> None:
    """Before and after a reload."""
    settings = Settings(Config())
    assert settings.now.audio.volume == 60
    louder = parse("audio: {volume: 90}", "test.yaml")
    settings.replace(louder)
    assert settings.now is louder


def test_whoever_talks_has_settings_of_its_own() -> None:
    """Those of nobody in particular are the configuration's."""
    config = parse("live: {voice: Kore}\npersonas: {puck: {voice: Puck}}", "test.yaml")
    settings, talk = Settings(config), Talk()
    spoken = TalkSettings(settings, talk)
    assert spoken.now is config
    talk.step(Ask("why?", persona="puck"))
    assert spoken.now.live.voice == "Puck"
    settings.replace(parse("personas: {puck: {voice: Zephyr}}", "test.yaml"))
    assert spoken.now.live.voice == "Zephyr"
