"""`Sessions` opens and closes the session of the conversation, and keeps what resumes the talks.

There is at most one at a time, known by its number; the conversation says when it begins and ends,
and whose it is: each persona has its own settings, functions and talk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from device.assistant.settings import Settings
from device.config import DEFAULT_PERSONA, Config, as_persona, key_for, model_key
from device.errors import CredentialError
from device.live.departures import Sent
from device.live.resumption import Past
from device.live.talks import Talks
from device.news import (
    Debt,
    Failure,
    FailureKind,
    News,
    Post,
    SessionAged,
    SessionFailed,
    SettingRefused,
)
from device.ports import Functions, Session
from device.state.talk import TalkMemory

GOODBYE_S = 1.5
"""How long the end of the process may wait for the session to close in good order."""

FunctionsOf = Callable[[str], Functions]
"""Gives what a persona can call."""

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
        self._talks = talks_so_far(keepsake)
        self.keep_talks()
        self._persona = ""
        """Whose the session is, or the newest was."""
        self._whose: dict[int, str] = {}
        """The persona of each session that has not told its end yet, by its number."""
        self._session: Session | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._age: asyncio.TimerHandle | None = None
        self._number = 0
        self._sent_frames = 0
        """Of sessions that are over."""
        self._functions: FunctionsOf | None = None
        self._began = time.monotonic()

    def start(self, tasks: asyncio.TaskGroup, functions: FunctionsOf) -> None:
        """Run sessions as tasks of `tasks` from now on; `functions` are what a persona can call."""
        self._tasks = tasks
        self._functions = functions

    @property
    def session(self) -> Session | None:
        """The session of the conversation, or the one that is kept."""
        return self._session

    @property
    def persona(self) -> str:
        """Whose the session is, or the newest was; empty: nobody's in particular."""
        return self._persona

    def whose(self, number: int) -> str:
        """Return the persona of a session by its number, for as long as it has not ended."""
        return self._whose.get(number, "")

    @property
    def _past(self) -> Past:
        return self._talks.of(self._persona)

    @property
    def age_s(self) -> float:
        """How long ago the newest session was begun."""
        return time.monotonic() - self._began

    @property
    def resumable_s(self) -> float | None:
        """How many seconds ago the newest talk ended that its next wake word continues; or None."""
        return self.resumable.get(self._persona) if self._session is None else None

    @property
    def resumable(self) -> dict[str, float]:
        """How many seconds ago each talk ended that can be continued, by its persona."""
        now, within_s = time.time(), self._settings.now.conversation.resume_within_s
        ages = {}
        for persona in self._talks.personas:
            past = self._talks.of(persona)
            age_s = max(now - past.at, 0.0)
            goes_on = self._session is not None and persona == self._persona
            if past.handle is not None and not goes_on and age_s < within_s:
                ages[persona] = age_s
        return ages

    @property
    def debt(self) -> Debt:
        """What the session owes the user now."""
        if self._session is None or not self._session.owes:
            return Debt.NONE
        return Debt.UNDERSTOOD if self._session.understood else Debt.OWED

    def open(self, number: int, persona: str) -> str:
        """Begin a session of a persona; without a key it fails once the present step is done.

        Returns the model that is asked for first.
        """
        assert self._tasks is not None  # noqa: S101 - nobody asks before `start`
        assert self._functions is not None  # noqa: S101 - the same
        config = as_persona(self._settings.now, persona)
        self._persona = self._whose[number] = persona
        self._number, self._began = number, time.monotonic()
        self.limit_age()
        self._past.expire(time.time(), config.conversation.resume_within_s)
        try:
            self._session = self._make(
                config,
                number,
                self._past,
                partial(self._tell, persona),
                self._on_sent,
                self._functions(persona),
            )
        except CredentialError as error:
            lent = config.live.token_url is not None
            kind = FailureKind.TOKEN if lent else FailureKind.KEY
            failure = Failure(kind, str(error), retryable=False)
            news = SessionFailed(number, failure, config.live.model, time.monotonic())
            asyncio.get_running_loop().call_soon(self._post, news)
            return config.live.model
        self._tasks.create_task(self._session.run(), name=f"session {number}")
        return self._session.model

    def _tell(self, persona: str, news: News) -> None:
        """Post news of a session of this persona; a setting is named where it is written."""
        config = self._settings.now
        match news:
            case SettingRefused(setting=setting):
                news = replace(news, setting=key_for(config, persona, setting))
            case SessionFailed(failure=Failure(message=why)) if "live.model" in why:
                key = model_key(config, persona)
                if key != model_key(config, ""):
                    told = replace(news.failure, message=f"{why}; for {persona} that is {key}")
                    news = replace(news, failure=told)
        self._post(news)

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
            self._session.forget_pictures()
            self._tasks.create_task(self._session.close(reason), name="closing")
            self._is_over(self._session)

    def ask_again(self, *, fresh: bool, forget: bool) -> None:
        """Put the question to the server again that no turn has answered."""
        if self._session is not None:
            self._session.ask_again(fresh=fresh, forget=forget)

    def remember(self) -> None:
        """Keep what resumes the talk, as it is now, beyond the process."""
        self._keepsake.save(self._talks.as_record())

    def keep_talks(self) -> None:
        """Forget the talks of personas that there are no more."""
        self._talks.keep_only(self._settings.now.personas)

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
        self._whose.pop(number, None)
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
        config = as_persona(self._settings.now, self._persona)
        return {
            "persona": self._persona or None,
            "model": live.model if live else None,
            "open_s": round(self.age_s, 1) if live else None,
            "refused_settings": [
                key_for(self._settings.now, self._persona, setting)
                for setting in self._past.refusals.known(
                    live.model if live else config.live.model, time.time()
                )
            ],
            "resumable_s": None if resumable_s is None else round(resumable_s, 1),
            "resumable_by_persona": {
                persona or DEFAULT_PERSONA: round(age_s, 1)
                for persona, age_s in self.resumable.items()
            },
            **(dict(live.counters) if live else {}),
        }


def talks_so_far(keepsake: TalkMemory) -> Talks:
    """Return the talks of an earlier process; what makes no sense is a new one, and is told."""
    talks, record = Talks(), keepsake.load()
    if record is not None:
        try:
            talks.restore(record)
        except ValueError as why:
            keepsake.reject(why)
    return talks
