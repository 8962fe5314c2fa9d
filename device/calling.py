"""The session of the conversation: opened and closed as the machine says, known by its number."""

from __future__ import annotations

import asyncio
import itertools
import time

from device.config import Config
from device.errors import CredentialError
from device.live.session import LiveSession
from device.parts import Parts
from device.ports import Failure, FailureKind, Post, SessionFailed

GOODBYE_S = 1.5
"""How long the end of the process may wait for the session to close in good order."""


class Calling:
    """At most one session at a time. Used from the event loop's thread only."""

    def __init__(self, parts: Parts, post: Post) -> None:
        self.session: LiveSession | None = None
        self._parts = parts
        self._post = post
        self._turns = itertools.count(1)
        self._began = time.monotonic()

    @property
    def age_s(self) -> float:
        """How long ago the newest session was begun."""
        return time.monotonic() - self._began

    def open(self, config: Config, number: int, tasks: asyncio.TaskGroup) -> None:
        """Begin a session; without a key it fails as soon as the present step is done."""
        self._began = time.monotonic()
        try:
            self.session = self._parts.session(config, number, self._turns, self._post)
        except CredentialError as error:
            failure = Failure(FailureKind.KEY, str(error), retryable=False)
            news = SessionFailed(number, failure, config.live.model, time.monotonic())
            asyncio.get_running_loop().call_soon(self._post, news)
            return
        tasks.create_task(self.session.run(), name=f"session {number}")

    def close(self, reason: str, tasks: asyncio.TaskGroup) -> None:
        """Let the session end in good order; it is nobody's any more."""
        if self.session is not None:
            tasks.create_task(self.session.close(reason), name="closing")
            self.session = None

    def forget(self, number: int) -> None:
        """The session with this number is over."""
        if self.session is not None and self.session.number == number:
            self.session = None

    async def goodbye(self) -> None:
        """At the end of the process: wait for the session to close, but not for long."""
        if self.session is not None:
            closing = asyncio.create_task(self.session.close("shutting down"))
            await asyncio.wait([closing], timeout=GOODBYE_S)
