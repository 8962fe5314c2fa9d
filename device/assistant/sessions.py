"""`Sessions` opens and closes the session of the conversation, and keeps what resumes the talk.

There is at most one at a time, known by its number; the conversation says when it begins and ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from device.assistant.settings import Settings
from device.config import Config
from device.errors import CredentialError
from device.frames import FRAME_MS
from device.live.resumption import Past
from device.live.traffic import Sent
from device.news import Debt, Failure, FailureKind, Post, SessionAged, SessionFailed
from device.ports import Functions, Session
from device.state.talk import TalkMemory

GOODBYE_S = 1.5
"""How long the end of the process may wait for the session to close in good order."""

MakeSession = Callable[[Config, int, Past, Post, Sent, Functions], Session]
"""Makes a session by its number and the talk so far; raises CredentialError."""


class Sessions:
    """Used from the event loop's thread only."""

    def __init__(
        self,
        make: MakeSession,
        keepsake: TalkMemory,
        settings: Settings,
        post: Post,
        on_sent: Sent,
    ) -> None:
        """`keepsake` keeps the talk so far beyond the process; `on_sent` is for each session."""
        self._on_sent = on_sent
        self._make = make
        self._keepsake = keepsake
        self._settings = settings
        self._post = post
        self._past = talk_so_far(keepsake)
        self._session: Session | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._age: asyncio.TimerHandle | None = None
        self._number = 0
        self._sent_frames = 0
        """Of sessions that are over."""
        self._functions: Functions | None = None
        self._began = time.monotonic()

    def start(self, tasks: asyncio.TaskGroup, functions: Functions) -> None:
        """Run sessions as tasks of `tasks` from now on; the model can call these functions."""
        self._tasks = tasks
        self._functions = functions

    @property
    def sent_s(self) -> float:
        """How many seconds of the microphone went up since the process began."""
        live = self._session.counters.get("frames_sent", 0) if self._session is not None else 0
        return (self._sent_frames + live) * FRAME_MS / 1000

    @property
    def session(self) -> Session | None:
        """The session of the conversation, or the one that is kept."""
        return self._session

    @property
    def age_s(self) -> float:
        """How long ago the newest session was begun."""
        return time.monotonic() - self._began

    @property
    def resumable_s(self) -> float | None:
        """How many seconds ago the talk ended that the next wake word continues; None without."""
        if self._past.handle is None or self._session is not None:
            return None
        age_s = max(time.time() - self._past.at, 0.0)
        return age_s if age_s < self._settings.now.conversation.resume_within_s else None

    @property
    def debt(self) -> Debt:
        """What the session owes the user now."""
        if self._session is None or not self._session.owes:
            return Debt.NONE
        return Debt.UNDERSTOOD if self._session.understood else Debt.OWED

    def open(self, number: int) -> str:
        """Begin a session; without a key it fails as soon as the present step is done.

        Returns the model that is asked for first.
        """
        assert self._tasks is not None  # noqa: S101 - nobody asks before `start`
        assert self._functions is not None  # noqa: S101 - the same
        config = self._settings.now
        self._number, self._began = number, time.monotonic()
        self.limit_age()
        self._past.expire(time.time(), config.conversation.resume_within_s)
        try:
            self._session = self._make(
                config, number, self._past, self._post, self._on_sent, self._functions
            )
        except CredentialError as error:
            failure = Failure(FailureKind.KEY, str(error), retryable=False)
            news = SessionFailed(number, failure, config.live.model, time.monotonic())
            asyncio.get_running_loop().call_soon(self._post, news)
            return config.live.model
        self._tasks.create_task(self._session.run(), name=f"session {number}")
        return self._session.model

    def limit_age(self) -> None:
        """Post SessionAged when the session has lasted for ``max_session_s``, as it is set now."""
        if self._age is not None:
            self._age.cancel()
        left_s = self._settings.now.conversation.max_session_s - self.age_s
        loop = asyncio.get_running_loop()
        self._age = loop.call_later(left_s, self._post, SessionAged(self._number))

    def close(self, reason: str) -> None:
        """Let the session end in good order; it is nobody's any more."""
        if self._session is not None and self._tasks is not None:
            self._tasks.create_task(self._session.close(reason), name="closing")
            self._is_over(self._session)

    def ask_again(self, *, fresh: bool, forget: bool) -> None:
        """Put the question to the server again that no turn has answered."""
        if self._session is not None:
            self._session.ask_again(fresh=fresh, forget=forget)

    def remember(self) -> None:
        """Keep what resumes the talk, as it is now, beyond the process."""
        self._keepsake.save(self._past.as_record())

    def give_up_handle(self) -> None:
        """Resume the talk no more: the next session is told of it in words."""
        if self._session is not None:
            self._session.give_up_handle()
        self._past.drop_handle()
        self.remember()

    def forget(self, number: int) -> None:
        """Note that this session is over; if it stood, the talk can be resumed from now on.

        Of one that was closed by us the newest handle's time counts, which is about the same.
        """
        if self._session is None or self._session.number != number:
            return
        if self._past.handle is not None and self._session.counters.get("connections"):
            # Live API: a handle lives for two hours from the end of its last session.
            self._past.at = time.time()
        self.remember()
        self._is_over(self._session)

    def _is_over(self, session: Session) -> None:
        self._sent_frames += session.counters.get("frames_sent", 0)
        self._session = None

    async def goodbye(self) -> None:
        """Wait at the end of the process for the session to close, but not for long."""
        if self._age is not None:
            self._age.cancel()
        if self._session is not None:
            closing = asyncio.create_task(self._session.close("shutting down"))
            await asyncio.wait([closing], timeout=GOODBYE_S)
        await self._keepsake.saved()

    def as_dict(self) -> dict[str, Any]:
        """Return model, age and counters of the session for `status`."""
        live = self._session
        resumable_s = self.resumable_s
        return {
            "model": live.model if live else None,
            "open_s": round(self.age_s, 1) if live else None,
            "refused_settings": self._past.refusals.known(
                live.model if live else self._settings.now.live.model, time.time()
            ),
            "resumable_s": None if resumable_s is None else round(resumable_s, 1),
            **(dict(live.counters) if live else {}),
        }


def talk_so_far(keepsake: TalkMemory) -> Past:
    """Return the talk of an earlier process; one that makes no sense is a new one, and is told."""
    past, record = Past(), keepsake.load()
    if record is not None:
        try:
            past.restore(record)
        except ValueError as why:
            keepsake.reject(why)
    return past
