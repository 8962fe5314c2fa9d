"""(pure) The stand-in remembers conversations and the handles they are resumed by."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from device.simulator.pictures import Shape
from device.simulator.schema import RefusedError
from device.simulator.usage import Context


def _nobody() -> bool:
    return False


@dataclass(slots=True)
class Conversation:
    """What the model remembers, over many connections."""

    number: int
    """From 1, in the order the conversations were begun."""
    turns_done: int = 0
    context: Context = field(default_factory=Context)
    """All that was told so far; every turn's prompt holds it all."""
    shown: Shape | None = None
    """The newest picture."""
    asked: Counter[int] = field(default_factory=Counter)
    """How often the question of each turn was asked."""
    poisoned: bool = False
    """Hears but never answers."""
    in_use: Callable[[], bool] = _nobody
    """Whether a connection of this conversation is still open."""


@dataclass(slots=True)
class _Handle:
    conversation: Conversation
    turns_done: int
    """When it was issued: what happened since is lost to who resumes on it."""
    context: Context
    """The same."""
    poisoned: bool


class Memory:
    """Every conversation since the server began."""

    def __init__(self) -> None:
        self._handles: dict[str, _Handle] = {}
        self._begun = 0
        self._turns_done = 0
        self.asked: Counter[int] = Counter()
        """How often the question at each place of the script was asked, over all conversations."""

    def begin(self, *, at_next_turn: bool = False) -> Conversation:
        """Begin a conversation that remembers nothing.

        ``at_next_turn``: the script goes on where the conversation before it was.
        """
        self._begun += 1
        return Conversation(self._begun, self._turns_done if at_next_turn else 0)

    def advance(self, conversation: Conversation) -> None:
        """Count one more turn as done."""
        conversation.turns_done += 1
        self._turns_done = conversation.turns_done

    def issue(self, conversation: Conversation) -> str:
        """Return a new handle for this moment of a conversation."""
        handle = secrets.token_urlsafe(24)
        self._handles[handle] = _Handle(
            conversation,
            conversation.turns_done,
            replace(conversation.context),
            conversation.poisoned,
        )
        return handle

    def recall(self, handle: str) -> Conversation:
        """Return the conversation of a handle, as it was when the handle was issued.

        Raises RefusedError for a handle that is unknown (1008), or whose conversation still has an
        open connection (1011).
        """
        known = self._handles.get(handle)
        if known is None:
            raise RefusedError(1008, "Requested entity was not found.")
        if known.conversation.in_use():
            raise RefusedError(1011, "Internal error encountered.")
        known.conversation.turns_done = known.turns_done
        known.conversation.context = replace(known.context)
        known.conversation.poisoned = known.poisoned
        return known.conversation

    def forget(self) -> None:
        """Forget every handle issued so far."""
        self._handles.clear()

    def poison(self) -> None:
        """Spoil every handle issued so far."""
        for handle in self._handles.values():
            handle.poisoned = True
