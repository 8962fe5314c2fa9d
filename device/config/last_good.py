"""`LastGood` keeps the settings in force for a start at which the file has a mistake.

One small file in the state directory: the settings that differ from the built-in ones, each on a
line of its own. It is written from accepted settings, never copied from the owner's file, so what
is refused there (an API key above all) is not in it, comments included. A speaker that is restarted
by a crash, a power cut or an upgrade while the owner is in the middle of an edit goes on with it.

The first line says whose settings they are and carries a checksum of the rest: a memory card may
give back something else than was written, and a part of the settings is not what was in force.
"""

from __future__ import annotations

import logging
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from device.config import MAX_BYTES, Config, changes
from device.config.view import flow
from device.config.yaml import read
from device.errors import ConfigError, DamagedFileError, Mistake
from device.state.store import DurableFile, reason

log = logging.getLogger(__name__)

FILE: Final = "last_good.yaml"
_WHAT: Final = "the last good configuration"

Parse = Callable[[str, str], Config]
"""Checks the text of a configuration, named by its path; raises ConfigError."""


class LastGood:
    """One file; without a folder nothing is kept. Blocks on the card: call it in a thread."""

    def __init__(self, folder: Path | None, of: Path, parse: Parse) -> None:
        """`of` is the owner's file; settings of another one are not used."""
        # The group may read it: `parley config` is for whoever may use the speaker.
        self._file = DurableFile(folder, FILE, mode=0o640, max_bytes=MAX_BYTES)
        self.path = self._file.path
        self._of = of.absolute()
        self._parse = parse

    @property
    def exists(self) -> bool:
        """Whether there are settings of this file."""
        return self._read() is not None

    def recall(self) -> Config | None:
        """Return the settings; None where there are none that can be used, with the reason logged.

        A setting that this version does not take, such as a key that is gone, is left out, and the
        journal says which.
        """
        text = self._read()
        while text is not None:
            try:
                return self._parse(text, str(self.path))
            except ConfigError as error:
                fewer = _without(text, error.mistakes)
                told = "is left out" if fewer is not None else "cannot be used"
                for line in error.lines():
                    log.warning("%s %s: %s", _WHAT, told, line)
                text = fewer
        return None

    def keep(self, config: Config) -> None:
        """Write the settings down, whole or not at all; a card that is full is only told."""
        body = changes(config)
        text = f"{self._heading(body)}\n{body}"
        # A card wears out by writing, and most starts change nothing.
        if self._kept() == text:
            return
        try:
            self._file.write(text.encode())
        except OSError as error:
            log.warning("%s cannot be written (%s): a mistake in %s would keep the speaker from "
                        "its next start", self.path, reason(error), self._of)  # fmt: skip

    def _heading(self, body: str) -> str:
        return f"# {_checksum(body)} was in force last, of {str(self._of)!r}"

    def _read(self) -> str | None:
        """Return the settings of this file as they were written, None where there are none."""
        text = self._kept()
        if text is None:
            return None
        heading, _, body = text.partition("\n")
        if heading == self._heading(body):
            return text
        log.warning("%s %s is not used: it is not of %s", _WHAT, self.path, self._of)
        return None

    def _kept(self) -> str | None:
        """Return what was written, of whichever file; None for anything else, which is told."""
        try:
            text = self._file.read_text()
            _, _, body = (text or "").partition("\n")
            if text is None or text.startswith(f"# {_checksum(body)} "):
                return text
            raise self._file.damaged("its checksum is wrong")
        except DamagedFileError as error:
            log.warning("%s %s is not used: it is damaged (%s)", _WHAT, self.path, reason(error))
        except OSError as error:
            log.warning("%s %s cannot be read: %s", _WHAT, self.path, reason(error))
        return None


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def _without(text: str, mistakes: list[Mistake]) -> str | None:
    """Leave out the settings that are wrong; None where none of them can be found.

    Of a list only the items that are: a house has other servers, and a speaker other words.
    """
    lines = text.split("\n")
    wrong: dict[int, list[str]] = {}
    for mistake in mistakes:
        wrong.setdefault(mistake.line, []).append(mistake.where)
    kept: list[str] = []
    depth = None
    for number, line in enumerate(lines, start=1):
        indent = len(line) - len(line.lstrip())
        if depth is not None and line.strip() and indent > depth:
            continue  # below a section that is left out
        depth = None
        if number not in wrong:
            kept.append(line)
        elif rest := _other_items(line, wrong[number]):
            kept.append(rest)
        else:
            depth = indent
    return "\n".join(kept) if kept != lines else None


def _other_items(line: str, wrong: Iterable[str]) -> str:
    """Return the line of a list without the items that are wrong; empty where nothing is left."""
    name, _, _ = line.partition(":")
    found = [re.search(rf"(?:^|\.){re.escape(name.strip())}\[(\d+)\]", where) for where in wrong]
    document = read(line)
    section = document.data if document.readable else None
    items = section.get(name.strip()) if isinstance(section, dict) else None
    if not isinstance(items, tuple) or not all(found):
        return ""
    out = {int(each[1]) for each in found if each is not None}
    left = tuple(item for place, item in enumerate(items) if place not in out)
    return f"{name}: {flow(left)}" if 0 < len(left) < len(items) else ""
