"""`Context` notices by the bills that the server has forgotten the talk, or never will. Pure.

Live API: a resume may be accepted although the talk so far is gone, and compression may be accepted
while the context goes on growing. Both show in the prompt's tokens, of which each turn's bill holds
the whole context.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ENOUGH_TOKENS = 500
"""A smaller context holds no more than the instruction and a few words."""
LOST_SHARE = 0.5
"""Of its tokens, that are left of a context after a resume; with less the talk is gone."""
RUNAWAY = 2.0
"""Times the trigger of compression: a context that large was never compressed."""


class Trouble(StrEnum):
    """What is wrong with the server's memory of the talk."""

    LOST = "lost"
    GROWING = "growing"


@dataclass(frozen=True, slots=True)
class Found:
    """What was noticed, in tokens of the prompt."""

    trouble: Trouble
    before: int
    """What there was before the resume; or the trigger of compression."""
    now: int


class Context:
    """Follows one session's bills. ``trigger_tokens``: from when on compression should cut."""

    def __init__(self, trigger_tokens: int) -> None:
        self._trigger = trigger_tokens
        self._before = 0
        self._resumed = False
        self._told = False

    def opened(self, *, resumed: bool) -> None:
        """Take note that a connection stands; a fresh one begins with an empty context."""
        self._resumed = resumed
        if not resumed:
            self._before = 0
            self._told = False

    def billed(self, prompt_tokens: int) -> Found | None:
        """Take the prompt's tokens of a turn; returns what is wrong, once a session."""
        before, self._before = self._before, prompt_tokens
        resumed, self._resumed = self._resumed, False
        if self._told:
            return None
        # What compression cuts is no loss, but it does not begin below its trigger.
        comparable = ENOUGH_TOKENS <= before < self._trigger
        if resumed and comparable and prompt_tokens < LOST_SHARE * before:
            self._told = True
            return Found(Trouble.LOST, before, prompt_tokens)
        if prompt_tokens > RUNAWAY * self._trigger:
            self._told = True
            return Found(Trouble.GROWING, self._trigger, prompt_tokens)
        return None
