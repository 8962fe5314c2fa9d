"""The stage holds what all connections share, and decides what comes of a question.

Tested in tests/simulator/test_replies.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from device.simulator.record import Question
from device.simulator.refusals import Refusals
from device.simulator.resumption import Conversation, Memory
from device.simulator.script import Script
from device.simulator.tokens import Mint
from device.simulator.turns import Trigger, Turn


@dataclass(frozen=True, slots=True)
class Reply:
    """A turn that is being answered."""

    turn: Turn
    number: int
    """The turn's in its conversation, from 1."""
    heard: str
    """The question, as it is transcribed."""
    advances: bool
    """Whether the conversation goes on to the next turn after it."""


@dataclass(slots=True)
class Stage:
    """The script of a server and what happened of it, over all connections."""

    script: Script
    changed: Callable[[], None]
    """Called after every change of a record."""
    memory: Memory = field(default_factory=Memory)
    refusals: Refusals = field(init=False)
    mint: Mint = field(init=False)
    """The ephemeral tokens that were made."""

    def __post_init__(self) -> None:
        self.refusals = Refusals(self.script.refusals)
        self.mint = Mint(self.script.tokens)

    def take(
        self, conversation: Conversation, trigger: Trigger, question: Question | None
    ) -> Reply | None:
        """Take a question as that of the next turn, and count it; None where it starts none.

        ``question`` is None for a turn that nobody has to ask for.
        """
        number = conversation.turns_done + 1
        place = self.script.place(number)
        if place is None or trigger not in self.script.turns[place].trigger:
            return None
        turn = self.script.turns[place]
        conversation.asked[number] += 1
        self.memory.asked[place] += 1
        in_session, over_all = conversation.asked[number], self.memory.asked[place]
        time = over_all if turn.first_over == "all" else in_session
        comes = turn.attempt(time, conversation.number)
        text = ""
        if question is not None:
            text, question.turn, question.time = question.text, number, in_session
        heard = text or comes.heard or turn.heard
        return Reply(comes, number, heard, advances=comes is turn)
