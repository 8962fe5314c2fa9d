"""What the model is told when it calls a function.

This speaker declares no function of its own, yet a call may come (from a resumed talk, or because a
model invents one), and every call must be answered: one that is not stops the talk for ever. An
answer says what to do instead, because an empty one is called again and again.
Live API: the result belongs under ``output`` or ``error``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back for one call."""

    call_id: str
    name: str
    response: Mapping[str, str]
    """Small: it enters the context and is billed again with every turn."""

    @property
    def failed(self) -> bool:
        """Whether the function could not be run."""
        return "error" in self.response


def not_available(call_id: str, name: str) -> Answer:
    """Return the answer to a call of a function that this speaker does not have."""
    error = (
        f"the function {name} is not available on this speaker; do not call it again, "
        "tell the user or answer without it"
    )
    return Answer(call_id, name, {"error": error})
