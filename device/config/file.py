"""`ConfigFile` knows what is wrong with a running speaker's file and what is in force."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from device.config import Config
from device.config.last_good import LastGood
from device.errors import ConfigError, Mistake

log = logging.getLogger(__name__)


class InForce(StrEnum):
    """Where the settings in force come from."""

    FILE = "file"
    DEFAULTS = "defaults"
    """There is no file."""
    LAST_GOOD = "last good"
    """The file had a mistake when it was read last."""


class ConfigFile:
    """Read at the start and at each reload. Used from the event loop's thread only."""

    def __init__(self, path: Path, load: Callable[[], Config], last_good: LastGood) -> None:
        """`load` reads the file; raises ConfigError."""
        self.path = path.absolute()
        self.in_force = InForce.FILE
        self.mistakes: list[str] = []
        """What is wrong with the file, as it was read last."""
        self._load = load
        self._last_good = last_good

    def first(self) -> Config:
        """Return the settings to start with: the file's, or with a mistake in it the last good.

        Raises ConfigError, with every mistake, where there are no last good ones.
        """
        try:
            config = self.read()
        except ConfigError as error:
            recalled = self._last_good.recall()
            if recalled is None:
                raise
            self.refused(error.lines())
            log.warning("the last good configuration is in force instead of %s", self.path)
            return recalled
        self._note_accepted()
        return config

    def read(self) -> Config:
        """Read the file; whether it can be put into force is for the caller to find out.

        Raises ConfigError. May be called in any thread.
        """
        if self._is_missing() and self._last_good.exists:
            # All defaults would be another speaker; and to move the file away is a mistake easily
            # made in the middle of an edit.
            gone = "is gone: bring it back, or make an empty file for the built-in settings"
            raise ConfigError(str(self.path), [Mistake("", gone, 0, 0)])
        return self._load()

    def refused(self, mistakes: list[str]) -> None:
        """Note that the file is not in force."""
        self.mistakes = mistakes
        self.in_force = InForce.LAST_GOOD

    async def accepted(self, config: Config) -> None:
        """Note that the file is in force, and keep its settings for a worse day."""
        self._note_accepted()
        if self.in_force is InForce.FILE:
            await asyncio.to_thread(self._last_good.keep, config)

    def _note_accepted(self) -> None:
        self.mistakes = []
        self.in_force = InForce.DEFAULTS if self._is_missing() else InForce.FILE

    def _is_missing(self) -> bool:
        try:
            self.path.stat()
        except FileNotFoundError:
            return True
        except OSError:
            pass  # it is there, or whoever reads it will say what is wrong
        return False

    def as_dict(self) -> dict[str, Any]:
        """For `status`: which file, what of it is in force, and its mistakes."""
        return {
            "file": str(self.path),
            "in_force": str(self.in_force),
            "mistakes": list(self.mistakes),
        }
