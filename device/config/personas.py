"""`as_persona` says which settings are in force in the talk of a persona.

A persona is known by its name; the empty name is nobody's in particular: `live` and `tools` as they
are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from device.config.keys import Config, Persona, Tools

_OF_LIVE = (
    *("voice", "language", "system_instruction", "model", "thinking_level", "google_search"),
)
"""The keys of a persona that stand in for those of `live`."""

_OFF: Mapping[str, Any] = {"camera": "off"}
"""What switches a source of functions off, where that is not false."""


def as_persona(config: Config, name: str) -> Config:
    """Return the settings that are in force while this persona talks.

    One that there is not (any more) may call no function, and is otherwise nobody in particular.
    """
    if not name:
        return config
    persona = config.personas.get(name, Persona())
    own = {key: value for key in _OF_LIVE if (value := getattr(persona, key)) is not None}
    live = config.live.model_copy(update=own)
    return config.model_copy(update={"live": live, "tools": _tools_of(config, name)})


def may_use(config: Config, name: str, source: str) -> bool:
    """Tell whether this persona may use functions of a source, where it is on."""
    if not name:
        return True
    persona = config.personas.get(name)
    return persona is not None and (persona.tools is None or source in persona.tools)


def key_for(config: Config, name: str, key: str) -> str:
    """Return where this persona has what a key of `live` says: at its own, if that is written."""
    persona, (room, _, own) = config.personas.get(name), key.partition(".")
    its = room == "live" and own in _OF_LIVE and getattr(persona, own, None) is not None
    return f"personas.{name}.{own}" if its else key


def model_key(config: Config, name: str) -> str:
    """Return the key that names the model of this persona."""
    return key_for(config, name, "live.model")


def sources() -> tuple[str, ...]:
    """Return what functions of the speaker itself can come from: keys of `tools`."""
    return tuple(name for name in Tools.model_fields if name != "mcp")


def personas_in_use(config: Config) -> Iterator[str]:
    """Yield whoever can talk: nobody in particular where a word has no persona, then by name."""
    if any(word.persona is None for word in config.wake.words):
        yield ""
    yield from config.personas


def _tools_of(config: Config, name: str) -> Tools:
    """Return what is left on of the functions' sources; none is switched on by being allowed."""
    off = {
        source: _OFF.get(source, False) for source in sources() if not may_use(config, name, source)
    }
    mcp = tuple(server for server in config.tools.mcp if may_use(config, name, server.name))
    return config.tools.model_copy(update={**off, "mcp": mcp})
