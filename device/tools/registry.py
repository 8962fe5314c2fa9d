"""`Registry` declares the functions that a model can call, and runs them within their time.

Whatever a model calls, and with what, it gets a short answer: what was done, or what is wrong with
the call and what to do instead. Nothing is raised at it.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from device.errors import ParleyError
from device.ports import PICTURE, Declaration, Picture
from device.text import printable

log = logging.getLogger(__name__)

DEADLINE_S = 5.0
"""How long a function may take that waits for nothing outside of this device."""
MISTAKES = 3
"""How many mistakes of one call are named."""
SHOWN_CHARACTERS = 60
"""Of a value that is named with its mistake."""


class Arguments(BaseModel):
    """What a function is called with; its schema is what the model is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def given(self) -> Mapping[str, Any]:
        """The arguments that the model has given, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class NoArguments(Arguments):
    """A function that needs none."""


Output = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Enclosing:
    """What a function puts out, and the picture that the model is to see with it."""

    output: Output
    picture: Picture


@dataclass(frozen=True, slots=True)
class Function:
    """One function. ``do`` gets its arguments, and raises ParleyError with words for the model."""

    name: str
    purpose: str
    """What it does and when to call it, for the model; billed with every turn."""
    ability: str
    """The same as a verb: what the model is told it can do."""
    arguments: type[Arguments] | Mapping[str, Any]
    """What checks them; or their JSON Schema, where whoever does it checks them itself."""
    do: Callable[[Any], Awaitable[Output | Enclosing]]
    deadline_s: float = DEADLINE_S
    slow: bool = False
    """Whether it usually takes longer than a second."""
    undo: Callable[[Output], None] | None = None
    """Takes back what was put out so; None: it cannot be taken back, or need not be."""
    shows: bool = False
    """Whether a picture comes with what it puts out."""


class Registry:
    """A :class:`device.ports.Functions` of these functions. Used from one event loop."""

    def __init__(self, functions: Sequence[Function]) -> None:
        self._functions = {function.name: function for function in functions}

    def __contains__(self, name: str) -> bool:
        """Whether it has a function of that name."""
        return name in self._functions

    @property
    def declared(self) -> Sequence[Declaration]:
        """Every function, as it is declared in a setup."""
        return [
            Declaration(
                each.name,
                each.purpose,
                schema(each.arguments),
                each.slow,
                each.shows,
                each.ability,
            )
            for each in self._functions.values()
        ]

    @property
    def facts(self) -> str:
        """Nothing: functions of this speaker need no more words than their own."""
        return ""

    @property
    def abilities(self) -> Sequence[str]:
        """What can be done with them, each once."""
        return list(dict.fromkeys(each.ability for each in self._functions.values()))

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Output:
        """Do what a function does; returns what goes back, under ``output`` or ``error``."""
        function = self._functions.get(name)
        if function is None:
            there = ", ".join(self._functions) or "none"
            return _error(f"there is no function {_shown(name)} here; there are: {there}")
        given: Any = arguments
        if isinstance(function.arguments, type):
            try:
                given = function.arguments.model_validate(dict(arguments))
            except ValidationError as error:
                return _error(f"{name} was not called right: {_mistakes(error)}; call it again so")
        try:
            async with asyncio.timeout(function.deadline_s):
                return _answer(await function.do(given))
        except TimeoutError:
            late = f"{name} took longer than {function.deadline_s:g} s and was given up"
            return _error(f"{late}; tell the user, and do not call it again by yourself")
        except ParleyError as error:
            return _error(str(error))
        except Exception:  # a call without an answer wedges the talk: there is always one
            log.exception("%s failed inside the speaker", printable(name, SHOWN_CHARACTERS))
            return _error(f"{name} failed inside this speaker; tell the user")

    def undo(self, name: str, answer: Output) -> None:
        """Take back what was answered so, where that can be."""
        function = self._functions.get(name)
        if function is not None and function.undo is not None and "output" in answer:
            function.undo(answer["output"])


def schema(arguments: type[Arguments] | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON Schema of a function's arguments, without what says nothing to a model."""
    return _schema_of(arguments) if isinstance(arguments, type) else arguments


@functools.cache
def _schema_of(arguments: type[Arguments]) -> Mapping[str, Any]:
    told: Mapping[str, Any] = _without(arguments.model_json_schema(), {"title", "default"})
    return {key: value for key, value in told.items() if key in {"type", "properties", "required"}}


def _without(value: Any, keys: set[str]) -> Any:
    """Leave keys out at every depth; an argument of that name stays."""
    if isinstance(value, list):
        return [_without(each, keys) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: (
            {name: _without(each, keys) for name, each in inner.items()}
            if key == "properties"
            else _without(inner, keys)
        )
        for key, inner in value.items()
        if key not in keys
    }


def _mistakes(error: ValidationError) -> str:
    """Name the first mistakes: which argument, what is wrong, and what was given."""
    told = []
    for mistake in error.errors()[:MISTAKES]:
        place = ".".join(map(str, mistake["loc"])) or "the arguments"
        told.append(f"{place}: {mistake['msg'].lower()} (it was {_shown(mistake['input'])})")
    return "; ".join(told)


def _shown(value: object) -> str:
    return printable(json.dumps(value, default=str), SHOWN_CHARACTERS)


def _answer(done: Output | Enclosing) -> Output:
    if isinstance(done, Enclosing):
        return {"output": done.output, PICTURE: done.picture}
    return {"output": done}


def _error(what: str) -> Output:
    return {"error": what}
