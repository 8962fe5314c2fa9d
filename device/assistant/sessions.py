"""`Sessions` keeps the session of the conversation and passes on what it tells.

A session is opened and closed as the machine says, and known by its number. Its news become events
of the conversation; the reply's chunks go to the loudspeaker as far as the conversation lets them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from device import news as n
from device.assistant.output import Mouth
from device.assistant.parts import Parts
from device.config import Config
from device.conversation import states as v
from device.conversation.machine import step
from device.conversation.states import HOLDING, PLAYING, RESTING, Conversation, Event
from device.errors import CredentialError
from device.events import EventBus, reply
from device.faults import Troubles
from device.live.session import LiveSession
from device.news import Failure, FailureKind, Post, SessionFailed


class Answering:
    """Used from the event loop's thread only."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything that news of a session concerns
        self,
        bus: EventBus,
        calling: Calling,
        troubles: Troubles,
        mouth: Mouth,
        config: Callable[[], Config],
        talk: Callable[[], Conversation],
        happen: Callable[[Event], None],
    ) -> None:
        """`talk` is how the conversation stands, `happen` gives it an event."""
        self._bus = bus
        self._calling = calling
        self._troubles = troubles
        self._mouth = mouth
        self._config = config
        self._talk = talk
        self._happen = happen
        self._starved = False

    def take(self, news: n.News) -> None:
        """Take news of a session; other news is none of its business."""
        match news:
            case n.SessionOpened(session=number, model=model):
                self._troubles.connected(model, self._config().live.model)
                self._happen(v.Opened(number))
            case n.Reconnecting(session=number, failure=failure):
                self._failed(number, failure)
                self._happen(v.Away(number))
            case n.HandleChanged():
                self._calling.remember()
            case n.ModelReplaced(gone=gone, successor=successor):
                self._troubles.replaced(gone, successor)
            case n.SessionClosed(session=number):
                self._calling.forget(number)
                self._happen(v.Closed(number))
            case n.SessionFailed(session=number, failure=failure):
                self._calling.forget(number)
                self._failed(number, failure)
                self._happen(v.Failed(number))
            case n.ReplyAudio():
                self._chunk(news)
            case n.Interrupted(number, turn):
                self._happen(v.Interrupted(number, turn))
            case n.TurnComplete(number, turn):
                self._happen(v.TurnEnded(number, turn))

    def starved(self, turn: int) -> None:
        """The loudspeaker ran dry within a turn: its next chunk is told like its first."""
        self._starved = True
        self._happen(v.Starved(turn))

    def timed_out(self, clock: int, *, addressed: bool) -> None:
        """A timer of the conversation has run out, perhaps the patience with a silent server.

        `addressed`: whether the user has woken, pressed or typed since the last reply was heard.
        """
        talk, live = self._talk(), self._calling.session
        awaited = clock == talk.clock and talk.state in v.AWAITING_SERVER
        # What was said after a reply may have been meant for somebody else, or a television: only
        # what the server has understood of it must be answered.
        meant = talk.state in PLAYING or addressed
        if awaited and live is not None and live.owes and (meant or live.understood):
            self._troubles.unanswered()
            # What the session would be resumed on is as deaf.
            self._calling.give_up_handle()
            self._happen(v.NoAnswer(clock))
        else:
            self._happen(v.Timeout(clock))

    def _failed(self, number: int, failure: n.Failure) -> None:
        # A kept session that breaks while nobody talks is no fault: the next wake opens another.
        talk = self._talk()
        if number == talk.session and talk.state not in RESTING:
            self._troubles.failed(failure)

    def _chunk(self, chunk: n.ReplyAudio) -> None:
        """Tell the conversation of a turn's first chunk, and play what it lets play."""
        talk = self._talk()
        if chunk.turn > talk.cut and (chunk.turn != talk.turn or self._starved):
            started = v.ReplyStarted(chunk.session, chunk.turn)
            if chunk.turn != talk.turn and step(talk, started)[0].turn == chunk.turn:
                self._bus.publish(reply("started", chunk.turn, 0, chunk.time))
            self._starved = False
            self._happen(started)
            talk = self._talk()
        if chunk.turn == talk.turn > talk.cut and talk.state in PLAYING:
            self._mouth.speaker.play(chunk.pcm, chunk.turn)


GOODBYE_S = 1.5
"""How long the end of the process may wait for the session to close in good order."""


class Calling:
    """At most one session at a time. Used from the event loop's thread only."""

    def __init__(self, parts: Parts, post: Post, aged: Callable[[], None]) -> None:
        """`aged` is called when a session has lasted for ``max_session_s``."""
        self.session: LiveSession | None = None
        self.outdated = 0
        """Number of the session whose settings are no longer those in force; 0: none."""
        self._parts = parts
        self._post = post
        self._past = parts.keepsake.load()
        self._aged = aged
        self._age: asyncio.TimerHandle | None = None
        self._began = time.monotonic()

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Run sessions as tasks of `tasks` from now on."""
        self._tasks = tasks

    @property
    def age_s(self) -> float:
        """How long ago the newest session was begun."""
        return time.monotonic() - self._began

    def why_end(self, config: Config, talk: Conversation) -> str | None:
        """Why the conversation's session should not go on where the user notices it least."""
        if not talk.session or talk.state in PLAYING | HOLDING:
            return None
        if self.age_s >= config.conversation.max_session_s:
            return "max_session_s reached"
        if talk.session == self.outdated and talk.state in RESTING:
            return "settings changed"
        return None

    def resumable_s(self, config: Config) -> float | None:
        """How many seconds ago the talk ended that the next wake word continues; None without."""
        if self._past.handle is None or self.session is not None:
            return None
        age_s = max(time.time() - self._past.at, 0.0)
        return age_s if age_s < config.conversation.resume_within_s else None

    def open(self, config: Config, number: int) -> str:
        """Begin a session; without a key it fails as soon as the present step is done.

        Returns the model that is asked for first.
        """
        self._began = time.monotonic()
        loop = asyncio.get_running_loop()
        if self._age is not None:
            self._age.cancel()
        self._age = loop.call_later(config.conversation.max_session_s, self._aged)
        self._past.expire(time.time(), config.conversation.resume_within_s)
        try:
            self.session = self._parts.session(config, number, self._past, self._post)
        except CredentialError as error:
            failure = Failure(FailureKind.KEY, str(error), retryable=False)
            model = config.live.model
            loop.call_soon(
                lambda: self._post(SessionFailed(number, failure, model, time.monotonic()))
            )
            return model
        self._tasks.create_task(self.session.run(), name=f"session {number}")
        return self.session.model

    def close(self, reason: str) -> None:
        """Let the session end in good order; it is nobody's any more."""
        if self.session is not None:
            self._tasks.create_task(self.session.close(reason), name="closing")
            self.session = None

    def remember(self) -> None:
        """Keep what resumes the talk, as it is now, beyond the process."""
        self._parts.keepsake.save(self._past)

    def give_up_handle(self) -> None:
        """The talk is not worth being resumed: the next session is told of it in words."""
        if self.session is not None:
            self.session.give_up_handle()
        self._past.drop_handle()
        self.remember()

    def forget(self, number: int) -> None:
        """The session with this number is over; if it stood, the talk can be resumed from now on.

        Of one that was closed by us the newest handle's time counts, which is about the same.
        """
        if self.session is None or self.session.number != number:
            return
        if self._past.handle is not None and self.session.counters.get("connections"):
            # Live API: a handle lives for two hours from the end of its last session.
            self._past.at = time.time()
            self.remember()
        self.session = None

    async def goodbye(self) -> None:
        """At the end of the process: wait for the session to close, but not for long."""
        if self.session is not None:
            closing = asyncio.create_task(self.session.close("shutting down"))
            await asyncio.wait([closing], timeout=GOODBYE_S)
        await self._parts.keepsake.saved()
