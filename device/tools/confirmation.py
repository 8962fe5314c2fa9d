"""`Confirmations` lets a call through only after the person who talks has said yes to it.

A model asks aloud, and calls again. That it says it was told yes is not enough: what a tool returns
may have put that into its mouth. So the speaker itself listens to what is said after the question.
What it cannot know is in which words the model asks; so there is one question at a time, and a yes
is good for that one call. Used from one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from device.tools.consent import consent

VALID_S = 60.0
"""How long after the question a yes counts for it."""
TRANSCRIPT_S = 2.0
"""How long a call waits for the words of its yes. Live API: the transcript of what was said comes
independently of everything else, also after a call that follows from it."""
SETTLED_S = 0.5
"""How long no more words come before those that came are judged: after "yes" may come "but wait".
Live API: pieces of one sentence come within a few tenths of a second (the stand-in's: at once)."""


@dataclass(eq=False, slots=True)
class _Question:
    key: str
    asked_at: float
    aloud: bool = False
    """Whether anything was said by us since the call was refused: the question, that is."""
    said: str = ""
    """What the person has said since."""
    typed: bool = False
    """Whether they typed it, which comes in one piece."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each piece of what is said."""


class Confirmations:
    """The open question of a talk, if there is one."""

    def __init__(
        self,
        language: Callable[[], str | None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
        patience_s: float = TRANSCRIPT_S,
    ) -> None:
        """`language` tells what is spoken, a tag of BCP 47; None: that is not known."""
        self._language = language
        self._now = now
        self._patience_s = patience_s
        self._question: _Question | None = None

    def aloud(self) -> None:
        """Take note that a reply sounds: what the person says from now on answers it."""
        if self._question is not None:
            self._question.aloud = True

    def said(self, text: str) -> None:
        """Take a piece of what the person says.

        Before the question sounds it is no answer: the request's own words may come as late.
        """
        if self._question is not None and self._question.aloud:
            self._answer(self._question, text)

    def typed(self, text: str) -> None:
        """Take what the person types, which comes when it is sent."""
        if self._question is not None:
            self._question.said, self._question.typed = "", True
            self._answer(self._question, text)

    def forget(self) -> None:
        """Forget the question: the talk is over."""
        self._question = None

    async def missing(self, name: str, arguments: Mapping[str, Any]) -> str | None:
        """Return what is to be done before this call may be, in words for the model; None: nothing.

        It may wait two seconds for the words of a yes that was just said, and half a second for
        more of them. A yes is used up by it.
        """
        key = f"{name} {json.dumps(arguments, sort_keys=True, default=str)}"
        question = self._question
        if question is None or question.key != key or self._now() - question.asked_at > VALID_S:
            self._question = _Question(key, self._now())
            return (
                f"{name} was NOT done: the owner wants to be asked first. Ask the user aloud, in "
                "one short question that names what will happen, about this one thing only, and "
                "wait. Only when they say yes, call it again with exactly these arguments."
            )
        try:
            async with asyncio.timeout(self._patience_s):
                await question.heard.wait()
        except TimeoutError:
            return (
                f"{name} was NOT done: nobody has answered yet. Ask the user aloud, and wait for "
                "their answer before you call it again."
            )
        await self._said_all(question)
        if self._question is not question:
            return f"{name} was NOT done: something else was asked about since. Ask about it again."
        answer = consent(question.said, self._language())
        if answer is None:
            self._question = _Question(key, self._now())
            return (
                f"{name} was NOT done: what the user said is no clear yes. Ask them to say yes or "
                "no, and wait for their answer before you call it again."
            )
        self._question = None
        if answer:
            return None
        return f"{name} was NOT done: the user said no. Do not call it again unless asked to."

    async def _said_all(self, question: _Question) -> None:
        """Wait until no more words come: what was said is what counts, not how it begins."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                while not question.typed:
                    question.more.clear()
                    async with asyncio.timeout(SETTLED_S):
                        await question.more.wait()

    def _answer(self, question: _Question, text: str) -> None:
        question.said += text
        question.more.set()
        if question.said.strip():
            question.heard.set()
