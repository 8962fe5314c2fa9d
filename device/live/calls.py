"""The functions that the model calls: taken, answered, cancelled, and told as news."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Literal

from device.live.tools import Answer, not_available
from device.live.uplink import (
    Uplink,
)
from device.ports import Post, ToolNews

if TYPE_CHECKING:
    from google.genai import types

_log = logging.getLogger(__name__)


class Calls:
    """Every call is answered once, unless it is cancelled before. Event loop's thread only."""

    def __init__(self, session: int, post: Post, uplink: Uplink) -> None:
        self._session = session
        self._post = post
        self._uplink = uplink

    def take(self, call: types.FunctionCall) -> None:
        """Answer a call."""
        name = call.name or "(unnamed)"
        self._tell("called", name)
        if call.id is None:
            _log.warning("the server called %s without an id: no answer is possible", name)
            self._tell("failed", name)
        else:
            self._uplink.append_answer(not_available(call.id, name))

    def cancel(self, call_id: str) -> None:
        """Take the answer back, if it has not gone up yet."""
        answer = self._uplink.withdraw(call_id)
        if answer is not None:
            self._tell("cancelled", answer.name)

    def cancel_all(self) -> None:
        """The connection ends, and with it every call."""
        for answer in self._uplink.withdraw_all():
            self._tell("cancelled", answer.name)

    def answered(self, answer: Answer) -> None:
        """The answer has gone up."""
        self._tell("failed" if answer.failed else "answered", answer.name)

    def _tell(self, what: Literal["called", "answered", "cancelled", "failed"], name: str) -> None:
        self._post(ToolNews(self._session, what, name, time.monotonic()))
