"""Calls of functions by the model are run, answered, cancelled, and told as news.

Every call is answered, exactly once and by its id: one that is not wedges the talk, and no button
or stop of ours releases it. What cannot be done is answered with what to do instead, because an
empty answer is called again and again.

A lost connection, or a question that is asked again, makes the model call again what it has called
already. Such a call (the same name, the same arguments) gets the first one's answer, and nothing is
done twice. What the server cancels is taken back, where that can be.
Live API: the result belongs under ``output`` or ``error``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from device.live.messages import Answer, of_camera
from device.live.models import Calls as Kind
from device.live.models import ModelProfile
from device.live.uplink import Uplink
from device.news import Post, ToolNews
from device.ports import PICTURE, Functions
from device.text import printable

if TYPE_CHECKING:
    from google.genai import types

_log = logging.getLogger(__name__)

NAME_CHARACTERS = 64
"""Live API: the longest name that a function can be declared with."""
ID_CHARACTERS = 256
"""Of a call that can be answered: an id goes back as it came. Live API: theirs have about 40."""
RUNNING = 20
"""How many calls may run at a time; a server that asks for more is told to wait."""

KEPT = 100
"""How many calls are remembered since the user said something, so that none is run twice: a picture
of 0.1 MB may belong to each."""

_CANNOT_SEE = (
    "there is a picture, but you cannot be shown one during a call: say that you cannot look, and "
    "do not call it again"
)
_OVER = {"error": "the talk that this picture was for is over: do nothing"}
_BUSY = "too much is going on at once: wait for the other answers, then call again"


@dataclass(eq=False, slots=True)
class _Call:
    """One call. ``id``: empty where it came without one; such a call is answered by its name."""

    id: str
    name: str
    key: str
    work: asyncio.Task[Mapping[str, Any]]
    """What is being done for it, or was for the one before."""
    current: bool = True
    """Whether its connection still waits for the answer."""
    over: bool = False
    """Whether the talk was over since: no picture of it goes up any more."""
    may_repeat: bool = False
    """Whether the next call that is the same is this one again."""


class Calls:
    """The calls of one session. Event loop's thread only."""

    def __init__(
        self, session: int, post: Post, uplink: Uplink, functions: Functions | None = None
    ) -> None:
        self._session = session
        self._post = post
        self._uplink = uplink
        self._functions = functions
        self._model = ModelProfile("")
        self._asked: list[_Call] = []
        """Every call since the user said or typed something new."""
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        """Whether the server waits for the answer to a call."""
        return any(call.current for call in self._asked)

    def opened(self, model: ModelProfile) -> None:
        """Take note of the model that calls from now on."""
        self._model = model

    def take(self, call: types.FunctionCall) -> None:
        """Run a call, and answer it when that is done; returns at once."""
        name = printable(call.name or "", NAME_CHARACTERS) or "(unnamed)"
        self._tell("called", name)
        if len(call.id or "") > ID_CHARACTERS:
            _log.warning("the server called %s without a usable id: no answer is possible", name)
            self._tell("failed", name)
            return
        arguments = call.args or {}
        key = f"{name} {json.dumps(arguments, sort_keys=True, default=str)}"
        before = next((each for each in self._asked if each.may_repeat and each.key == key), None)
        if before is not None:
            before.may_repeat = False
            work = before.work
        else:
            work = asyncio.ensure_future(self._run(call.name or "", arguments))
        over = before is not None and before.over
        taken = _Call(call.id or "", name, key, work, over=over)
        self._asked.append(taken)
        if len(self._asked) > KEPT:
            oldest = next((each for each in self._asked if not each.current), None)
            self._asked = [each for each in self._asked if each is not oldest]
        answering = asyncio.ensure_future(self._answer(taken))
        self._waiting.add(answering)
        answering.add_done_callback(self._waiting.discard)
        self._hold_back()

    def cancel(self, call_id: str) -> None:
        """Give up a call, take its answer back if it has not gone up yet, undo what was done."""
        call = next((each for each in self._asked if each.current and each.id == call_id), None)
        if call is None:
            return
        call.current = False
        self._asked.remove(call)
        self._hold_back()
        self._uplink.withdraw(call_id)
        self._tell("cancelled", call.name)
        if not call.work.done():
            call.work.cancel()
        elif self._functions is not None and not call.work.cancelled():
            self._functions.undo(call.name, call.work.result())

    def cut_off(self) -> None:
        """The connection ends, and with it every call; what is being done for them goes on."""
        self._uplink.withdraw_all()
        for call in self._asked:
            if call.current:
                call.current = False
                self._tell("cancelled", call.name)
        self._hold_back()
        self.asked_again()

    def asked_again(self) -> None:
        """What the user asked goes up again: the same calls will come again."""
        for call in self._asked:
            call.may_repeat = True

    def asked(self) -> None:
        """The user says or types something new: what was called before is over with."""
        self._asked = [call for call in self._asked if call.current]

    def forget_pictures(self) -> None:
        """The talk is over, though not the session: no picture for it goes up from now on."""
        for call in self._asked:
            call.over = True
        self._uplink.forget_pictures(_OVER)

    def close(self) -> None:
        """The session is over: give up what still runs."""
        for waiting in self._waiting:
            waiting.cancel()
        for call in self._asked:
            call.current = False
            call.work.cancel()

    def answered(self, answer: Answer) -> None:
        """The answer has gone up."""
        named = (answer.call_id, answer.name)
        # Without ids two calls of one function look alike: each answer is one call's.
        for call in self._asked:
            if call.current and (call.id, call.name) == named:
                call.current = False
                break
        self._hold_back()
        self._tell("failed" if answer.failed else "answered", answer.name)

    async def _run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._functions is None:
            return not_available(name)
        if sum(not call.work.done() for call in self._asked) > RUNNING:
            return {"error": _BUSY}
        return await self._functions.run(name, arguments)

    async def _answer(self, call: _Call) -> None:
        try:
            response = await asyncio.shield(call.work)
        except asyncio.CancelledError:
            if not call.work.cancelled():
                raise
            return
        if call.current and not self._uplink.append_answer(self._made(call, response)):
            # Else the talk would wait for ever for an answer that never goes up.
            call.current = False
            self._hold_back()
            self._tell("failed", call.name)

    def _hold_back(self) -> None:
        """Let sound and words wait for the answers, where the model cannot take them before."""
        self._uplink.hold_back(self.open and not self._model.takes_sound_during_calls)

    def _made(self, call: _Call, response: Mapping[str, Any]) -> Answer:
        picture = response.get(PICTURE)
        if picture is not None:
            response = {key: value for key, value in response.items() if key != PICTURE}
            if call.over:
                return Answer(call.id, call.name, _OVER)
            if not self._model.sees_during_calls:
                return Answer(call.id, call.name, {"error": _CANNOT_SEE})
        # Live API: guides put `scheduling` inside the response, the reference beside it.
        talks_on = self._model.calls is not Kind.BLOCKING and self._model.takes_scheduling
        slow = self._functions is not None and any(
            each.slow and each.name == call.name for each in self._functions.declared
        )
        scheduling = "WHEN_IDLE" if talks_on and slow else None
        seen = of_camera(picture, "asked") if picture is not None else None
        return Answer(call.id, call.name, response, scheduling, seen)

    def _tell(self, what: Literal["called", "answered", "cancelled", "failed"], name: str) -> None:
        self._post(ToolNews(self._session, what, name, time.monotonic()))


def not_available(name: str) -> Mapping[str, str]:
    """Return the answer to a call of a function that this speaker does not have."""
    shown = printable(name, NAME_CHARACTERS) or "(unnamed)"
    return {
        "error": f"the function {shown} is not available on this speaker; do not call it again, "
        "tell the user or answer without it"
    }
