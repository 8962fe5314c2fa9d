"""What the session tells: events for the conversation, and the reply's way to the loudspeaker."""

from __future__ import annotations

from collections.abc import Callable

from device import ports as p
from device.assistant.output import Mouth
from device.assistant.session_faults import Troubles
from device.assistant.sessions import Calling
from device.config import Config
from device.conversation import states as v
from device.conversation.machine import step
from device.conversation.states import PLAYING, RESTING, Conversation, Event
from device.events import EventBus, reply


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

    def take(self, news: p.News) -> None:
        """Take news of a session; other news is none of its business."""
        match news:
            case p.SessionOpened(session=number, model=model):
                self._troubles.connected(model, self._config().live.model)
                self._happen(v.Opened(number))
            case p.Reconnecting(session=number, failure=failure):
                self._failed(number, failure)
                self._happen(v.Away(number))
            case p.HandleChanged():
                self._calling.remember()
            case p.ModelReplaced(gone=gone, successor=successor):
                self._troubles.replaced(gone, successor)
            case p.SessionClosed(session=number):
                self._calling.forget(number)
                self._happen(v.Closed(number))
            case p.SessionFailed(session=number, failure=failure):
                self._calling.forget(number)
                self._failed(number, failure)
                self._happen(v.Failed(number))
            case p.ReplyAudio():
                self._chunk(news)
            case p.Interrupted(number, turn):
                self._happen(v.Interrupted(number, turn))
            case p.TurnComplete(number, turn):
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

    def _failed(self, number: int, failure: p.Failure) -> None:
        # A kept session that breaks while nobody talks is no fault: the next wake opens another.
        talk = self._talk()
        if number == talk.session and talk.state not in RESTING:
            self._troubles.failed(failure)

    def _chunk(self, chunk: p.ReplyAudio) -> None:
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
