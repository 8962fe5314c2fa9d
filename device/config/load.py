"""`load` reads one YAML file and returns one tree of settings, or raises every mistake at once.

Attributes mirror the file: ``config.live.model``, ``config.wake.words[0].threshold``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from device.config import mistakes
from device.config.across import across_keys
from device.config.characters import odd_characters
from device.config.keys import Config
from device.config.yaml import Document, KeyPath, dotted, read, spot_at
from device.errors import ConfigError, Mistake

DEFAULT_PATH: Final = Path("/etc/parley/config.yaml")
MAX_BYTES: Final = 65_536
"""Many times the shipped file; a larger one is not a configuration."""

Further = Callable[[object], Iterable[tuple[KeyPath, str]]]
"""What else to check, given the file as read: the value to blame, and what is wrong with it."""


def _nothing(_data: object) -> Iterable[tuple[KeyPath, str]]:
    return ()


def load(path: Path | None, further: Further = _nothing) -> Config:
    """Read a configuration file; ``None`` is DEFAULT_PATH, or all defaults where that is missing.

    ``further`` finds mistakes that need more than the file; they are told together with the rest,
    instead of what else may be wrong with the same value.
    Raises ConfigError with every mistake; it names the file even where it cannot be read at all.
    """
    file = path or DEFAULT_PATH
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        if path is None and isinstance(error, FileNotFoundError):
            return Config()
        reason = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise ConfigError(str(file), [Mistake("", reason, 0, 0)]) from None
    if len(raw) > MAX_BYTES:
        raise _too_large(str(file))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line, column = spot_at(before, len(before))
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8 text"
        raise ConfigError(str(file), [Mistake("", message, line, column)]) from None
    return parse(text, str(file), further)


def parse(text: str, path: str, further: Further = _nothing) -> Config:
    """Check the text of a configuration; ``path`` only names it in the errors.

    ``further`` is what ``load`` takes. Raises ConfigError with every mistake, in the order of the
    text.
    """
    if len(text) > MAX_BYTES:
        raise _too_large(path)
    text = text.removeprefix("\ufeff")
    document = read(text)
    found = [*document.mistakes, *mistakes.secrets(text, document)]
    config = None
    if document.readable:
        config, more = _check(document, further)
        found += more
    # Whatever else is wrong there: it is not what it looks like.
    odd = odd_characters(text, document)
    blamed = {dotted(path) for path in odd}
    found = [mistake for mistake in found if mistake.where not in blamed]
    found += odd.values()
    if found or config is None:
        raise ConfigError(path, mistakes.in_order(found))
    return config


def schema() -> dict[str, Any]:
    """Describe the file as JSON Schema, with descriptions, units, ranges and defaults."""
    described = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def _check(document: Document, further: Further) -> tuple[Config | None, list[Mistake]]:
    """Check each key for itself, against the others and against the world outside."""
    config, found = None, mistakes.at_their_places(across_keys(document.data), document)
    try:
        config = Config.model_validate(document.data)
    except ValidationError as error:
        found += mistakes.explain(error, Config, document)
    # One mistake for a value: who knows the world outside can say better what to write.
    more = mistakes.at_their_places(further(document.data), document)
    told = {mistake.where for mistake in more}
    return config, more + [mistake for mistake in found if mistake.where not in told]


def _too_large(path: str) -> ConfigError:
    message = f"is larger than {MAX_BYTES} bytes: this is not a configuration"
    return ConfigError(path, [Mistake("", message, 1, 1)])
