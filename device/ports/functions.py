"""Functions are what a model can call, whoever carries them out.

Tested in tests/test_ports.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Declaration:
    """A function that a model can call."""

    name: str
    """Letters, digits and ``_``, at most 64."""
    purpose: str
    """What it does and when to call it, for the model; billed with every turn."""
    parameters: Mapping[str, Any]
    """JSON Schema of an object."""
    slow: bool = False
    """Whether the model should talk on meanwhile, where it can."""
    shows: bool = False
    """Whether a picture comes with its answer; it is declared only to models that take one then."""
    ability: str = ""
    """What of `Functions.abilities` it is for."""


PICTURE = "picture"
"""What a picture stands under beside a function's answer. It is no part of what is answered."""


class Functions(Protocol):
    """What a model can do with the speaker."""

    @property
    def declared(self) -> Sequence[Declaration]:
        """Every function that can be called now."""
        ...

    @property
    def abilities(self) -> Sequence[str]:
        """The same as verbs, for the model's instruction: "set timers or alarms"."""
        ...

    @property
    def facts(self) -> str:
        """What the model is told beside it, of the house say; text from elsewhere, bounded."""
        ...

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a function does, and return what goes back to the model.

        It is a short object, under ``output``, or under ``error`` with what to do instead; beside
        it, under `PICTURE`, a `Picture` that the model is to see with it. Never raises; takes no
        longer than the function's own deadline.
        """
        ...

    def undo(self, name: str, answer: Mapping[str, Any]) -> None:
        """Take back what was answered so, where that can be; returns at once."""
        ...
