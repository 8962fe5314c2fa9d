"""`load` checks the configuration against the boards and the wake words that there are.

`parley config check`, `parley run` and a reload read it through the same function, so what one of
them takes the others take too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from device import config
from device.board import profiles
from device.board.evidence import UsbId
from device.board.kernel import read_evidence
from device.camera.nodes import cameras
from device.config import Config
from device.config.device_names import KnownCard, flaw
from device.config.live_names import unknown_voice
from device.config.yaml import KeyPath, shortened
from device.errors import BoardError, WakeModelError
from device.live.models import misspelt, profile, unknown
from device.wake import catalogue

ROOT = Path("/")
"""Where the kernel tells which cards there are."""


def load(path: Path | None) -> Config:
    """Read a configuration file as device.config does, for parts that there are.

    Raises ConfigError with every mistake. The owner's own networks are loaded, to be sure.
    """
    return config.load(path, missing_parts)


def load_elsewhere(path: Path | None) -> Config:
    """Read one that is not for this machine's own devices and wake words. Raises ConfigError."""
    return config.load(path, _misspelt_models)


def parse(text: str, path: str) -> Config:
    """Check the text of a configuration likewise; `path` names it. Raises ConfigError."""
    return config.parse(text, path, missing_parts)


def warnings(settings: Config) -> list[str]:
    """Return what is no mistake, yet may not work, or not for ever: models and voices.

    And a camera that is not there now. What the owner did not choose is ours to change, and is not
    warned of.
    """
    found = [*_unknown_voices(settings)]
    chosen: dict[str, Sequence[str]] = {
        "live.model": [settings.live.model],
        "live.fallback_models": settings.live.fallback_models,
        **{
            f"personas.{name}.model": [persona.model]
            for name, persona in settings.personas.items()
            if persona.model is not None
        },
    }
    ours = {Config().live.model, *Config().live.fallback_models}
    elsewhere = settings.live.endpoint is not None
    found += [
        f"{key}: {warning}"
        for key, models in chosen.items()
        for model in models
        if model not in ours
        and (warning := profile(model).warning or ("" if elsewhere else unknown(model)))
    ]
    return [*found, *_of_the_camera(settings)]


def _unknown_voices(settings: Config) -> Iterator[str]:
    of_personas = {f"personas.{name}.voice": each.voice for name, each in settings.personas.items()}
    for key, voice in {"live.voice": settings.live.voice, **of_personas}.items():
        if warning := unknown_voice(voice):
            yield f"{key}: {warning}"


def _of_the_camera(settings: Config) -> Iterator[str]:
    source = settings.camera.source
    if settings.tools.camera == "off":
        if settings.camera.stream != "off":
            yield "camera.stream: nothing is sent while tools.camera is off: on_request there"
    elif source.startswith("/dev/") and not Path(source).exists():
        found = ", ".join(each.path for each in cameras()) or "none"
        yield f"camera.source: {source} is not plugged in; cameras on USB now: {found}"


def missing_parts(data: object) -> Iterator[tuple[KeyPath, str]]:
    """Name each device, board and wake word of the file, as read, that cannot be used, and why."""
    if not isinstance(data, dict):
        return
    yield from _addresses(data.get("audio"))
    yield from _misspelt_models(data)
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


def _addresses(audio: object) -> Iterator[tuple[KeyPath, str]]:
    """Name what is no part of a device's name, with the name of the card that it leads to now."""
    for direction in ("input", "output"):
        section = audio.get(direction) if isinstance(audio, dict) else None
        wanted = section.get("device") if isinstance(section, dict) else None
        if not isinstance(wanted, str | int | float) or isinstance(wanted, bool):
            continue
        if flaw(wanted) and (told := flaw(wanted, _cards())):
            yield ("audio", direction, "device"), told


def _misspelt_models(data: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Name each model, wherever one is asked for, that is one of the table in another spelling."""
    if isinstance(data, dict):
        for key, value in data.items():
            if (*path, key) != ("wake",):  # its words are called models, too
                yield from _misspelt_models(value, (*path, key))
    elif isinstance(data, tuple):
        for place, value in enumerate(data):
            yield from _misspelt_models(value, (*path, place))
    elif (
        isinstance(data, str)
        and {"model", "fallback_models"} & set(path[-2:])
        and (meant := misspelt(data))
    ):
        yield path, f"{shortened(data)} is not a model's name: did you mean {meant}?"


def _cards() -> tuple[KnownCard, ...]:
    return tuple(
        KnownCard(card.number, card.id, card.name, _hex(card.usb_id))
        for card in read_evidence(ROOT).cards
    )


def _hex(usb_id: UsbId | None) -> str:
    return "" if usb_id is None else "{:04x}:{:04x}".format(*usb_id)


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
    from device.wake.own_network import load_word  # noqa: PLC0415 - heavy, and seldom needed

    load_word(model)
