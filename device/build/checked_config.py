"""`load` checks the configuration against the boards and the wake words that there are.

`parley config check`, `parley run` and a reload read it through the same function, so what one of
them takes the others take too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from device import config
from device.board import profiles
from device.config import Config
from device.config.yaml import KeyPath
from device.errors import BoardError, WakeModelError
from device.live.models import profile
from device.wake import catalogue


def load(path: Path | None) -> Config:
    """Read a configuration file as device.config does, for parts that there are.

    Raises ConfigError with every mistake. The owner's own networks are loaded, to be sure.
    """
    return config.load(path, missing_parts)


def parse(text: str, path: str) -> Config:
    """Check the text of a configuration likewise; `path` names it. Raises ConfigError."""
    return config.parse(text, path, missing_parts)


def warnings(settings: Config) -> list[str]:
    """Return what is no mistake, yet will not work for ever: models that another one replaces.

    What the owner did not choose is ours to change, and is not warned of.
    """
    chosen = {
        "live.model": [settings.live.model],
        "live.fallback_models": settings.live.fallback_models,
    }
    ours = {Config().live.model, *Config().live.fallback_models}
    return [
        f"{key}: {warning}"
        for key, models in chosen.items()
        for model in models
        if model not in ours and (warning := profile(model).warning)
    ]


def missing_parts(data: object) -> Iterator[tuple[KeyPath, str]]:
    """Name each board and wake word of the file, as read, that cannot be used, and why."""
    if not isinstance(data, dict):
        return
    if isinstance(board := data.get("board"), str):
        try:
            profiles.choose(board, None)
        except BoardError as error:
            yield ("board",), str(error)
    names: dict[str, str] = {}
    for place, model in _models(data.get("wake")):
        path: KeyPath = ("wake", "words", place, "model")
        if trouble := _trouble(model):
            yield path, trouble
            continue
        name = catalogue.word_name(model)
        if names.setdefault(name, model) != model:
            yield path, f"{model}: {names[name]} has the same name, {name}: rename one of the files"


def _models(wake: object) -> Iterator[tuple[int, str]]:
    words = wake.get("words") if isinstance(wake, dict) else None
    for place, word in enumerate(words if isinstance(words, tuple) else ()):
        model = word.get("model") if isinstance(word, dict) else None
        if isinstance(model, str):
            yield place, model


def _trouble(model: str) -> str:
    """Why no wake word is heard with this network; empty when all is well."""
    try:
        if model not in catalogue.bundled_words():
            catalogue.locate(model)  # at once, where there is nothing to load
            _load(model)
    except WakeModelError as error:
        return " ".join(str(error).split())
    return ""


def _load(model: str) -> None:
    from device.wake.networks import Classifier  # noqa: PLC0415 - heavy, and seldom needed

    try:
        Classifier(model)
    except WakeModelError:
        raise
    except Exception as error:  # whatever onnxruntime raises for a network that does not run
        raise WakeModelError(f"{model}: does not run: {error}; {catalogue.choices()}") from error
