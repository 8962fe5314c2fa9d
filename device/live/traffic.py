"""`Traffic` is what one session sends and hears, whichever connection carries it.

Two tasks use it while a connection is open: one runs `Traffic.read`, which drains the socket
whatever else happens and turns messages into news, and one runs `Traffic.write`, which takes
messages from the uplink queue. Neither waits for the other. What stays the same from connection to
connection is here: the queue, the turn numbers, the newest handle, the counts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from device.live.calls import Calls
from device.live.context import Context
from device.live.departures import Departures, Sent
from device.live.downlink import NUDGE, Downlink
from device.live.link import Link, LinkError
from device.live.messages import (
    ActivityEnd,
    Answer,
    Audio,
    AudioEnd,
    Message,
    Picture,
    Text,
)
from device.live.models import ModelProfile
from device.live.pace import Pace
from device.live.push_to_talk import PushToTalk
from device.live.reconnect import Recovery
from device.live.repeat import Unanswered
from device.live.rotation import Moment, Rotation, seconds
from device.live.sound import Sound
from device.live.stalls import Stalls, Step
from device.live.uplink import (
    Uplink,
)
from device.news import (
    AudioDropped,
    AudioRepeated,
    ContextFailed,
    GoAway,
    HandleChanged,
    PictureSent,
    Post,
    Stalled,
    UplinkChanged,
)
from device.ports import Functions

if TYPE_CHECKING:
    from google.genai import types

_log = logging.getLogger(__name__)

_LAST_MESSAGE_S = 0.5
"""How long a connection that gives way may take for the message it is at."""

UNNOTICED_S = 1.0
"""How long nothing may go up between two connections before it is told that nothing does."""

_COUNTED = (
    "frames_sent",
    "bytes_sent",
    "pictures_sent",
    "pictures_skipped",
    "attempts",
    "connections",
    "rotations",
    "recoveries",
    "repeated",
    "repeated_frames",
    "nudges",
    "stalls",
    "odd_messages",
    "tool_calls",
)


@dataclass(frozen=True, slots=True)
class Care:
    """How a session cares for the talk."""

    resumes: bool
    """Whether it goes on over several connections."""
    patience_s: float
    """How long the user is kept waiting for an answer."""
    trigger_tokens: int
    """From how many tokens of context on the server should compress it."""
    repeat_s: float
    """How much of an unanswered sentence is said again over a new connection; 0: nothing."""
    functions: Functions | None = None
    """What the model can do with the speaker."""


class Traffic:
    """The two directions of a session. Used from the event loop's thread only."""

    def __init__(
        self,
        session: int,
        turns: Iterator[int],
        post: Post,
        recovery: Recovery,
        care: Care,
        on_sent: Sent,
    ) -> None:
        self._departures = Departures(session, on_sent)
        self._session = session
        self._post = post
        self._recovery = recovery
        self._stalls = Stalls(care.patience_s)
        self._unanswered = Unanswered(care.repeat_s)
        self._downlink = Downlink(session, turns, post, self._stalls, self._unanswered)
        self._pace = Pace()
        self._flowing = False
        self._leave = False
        """Whether the connection is to be left at once for a fresh one."""
        self._gap: asyncio.TimerHandle | None = None
        """Between two connections: when it is long enough to be told."""
        self._writing = asyncio.Lock()
        # Whoever speaks, or waits for an answer, is kept waiting no longer than needs be.
        self.uplink = Uplink(lambda: not self._unanswered.pending)
        self._calls = Calls(session, post, self.uplink, care.functions)
        self._moment = Moment(
            recovery, self._downlink, self._calls, self._unanswered, resumes=care.resumes
        )
        self._context = Context(care.trigger_tokens)
        self.counts: Counter[str] = Counter()
        self.stirred = asyncio.Event()
        """Set when something has come in that may change what to do next."""
        self.push_to_talk = PushToTalk(
            self.uplink, self._unanswered, self._stalls, self._moment, self.stirred
        )

    @property
    def counters(self) -> dict[str, int]:
        """Every count, those of the queue among them."""
        uplink = self.uplink
        held = {"held": uplink.held, "held_max": uplink.held_max, "dropped": uplink.dropped}
        cut = {"cut_characters": self._downlink.cut_characters}
        return dict.fromkeys(_COUNTED, 0) | self.counts | held | cut

    @property
    def owes(self) -> bool:
        """Whether it is the server's fault if nothing more comes."""
        return self._stalls.owes

    @property
    def understood(self) -> bool:
        """Whether the server has told what it understood of the user's last words."""
        return self._stalls.heard

    def user_speaks(self, speaking: bool, lasted_s: float) -> None:
        """The user began to speak, or stopped after so many seconds."""
        self._moment.speaking = speaking
        self._unanswered.speaking(speaking)
        if speaking:
            self._calls.asked()
            self._stalls.speech_began()
        else:
            self._stalls.speech_ended(time.monotonic(), lasted_s)
            self._downlink.spoke()
        self.stirred.set()

    def dismissed(self) -> None:
        """The user is no longer listened to: nothing is owed, and nothing need be said again."""
        self._stalls.dismissed()
        self._unanswered.clear()
        self.stirred.set()

    def forget_pictures(self) -> None:
        """The talk is over: no picture that was taken for it goes up any more."""
        self._calls.forget_pictures()

    def opened(
        self, rotation: Rotation, model: ModelProfile, *, resumed: bool, manual: bool
    ) -> None:
        """A new connection begins, with its plan to give way to the next.

        ``manual``: it is told when the user speaks.
        """
        now = time.monotonic()
        self._end_gap()
        self._leave = False
        self.push_to_talk.opened(manual=manual)
        self.uplink.carried(True)
        self._departures.opened()
        self._pace.opened()
        self._moment.opened(rotation)
        self._stalls.opened(now, resumed=resumed, choosy=model.may_stay_silent)
        self._downlink.same_turn = model.answers_in_same_turn
        self._calls.opened(model)
        self._context.opened(resumed=resumed)
        self._repeat(now)
        lost = self.uplink.new_losses()
        if lost:
            self._post(AudioDropped(self._session, lost, now))

    def _repeat(self, now: float) -> None:
        """Say again what the old connection took with it. Only before anything else is written."""
        said = self._unanswered.take()
        self.uplink.put_back(self.push_to_talk.again(said))
        frames = sum(isinstance(item, bytes) for item in said)
        if said:
            self._calls.asked_again()
        if frames:
            self.counts["repeated_frames"] += frames
            self._post(AudioRepeated(self._session, frames, now))

    def ask_again(self, *, fresh: bool) -> None:
        """Put the question again that no turn has answered.

        ``fresh``: over the next connection, which is made at once without a handle.
        """
        now = time.monotonic()
        self._unanswered.take_back()
        if fresh:
            self._begin_anew(now)
            self._leave = True
        else:
            self._repeat(now)
        self._stalls.asked_again(now)
        self.stirred.set()

    def gives_way(self) -> bool:
        """Tell whether the connection should give way now, or nudge a silent server."""
        now = time.monotonic()
        if self._leave or self.push_to_talk.unsuited or self._moment.due() <= now:
            self.counts["rotations"] += 1
            _log.debug("session %d goes on over a new connection", self._session)
            return True
        stalled_at = self._stalls.due()
        return stalled_at is not None and stalled_at <= now and self._help(now)

    def due(self) -> float:
        """Return when to ask `gives_way` again, if no news comes before."""
        rotate_at, stalled_at = self._moment.due(), self._stalls.due()
        return rotate_at if stalled_at is None else min(rotate_at, stalled_at)

    def _help(self, now: float) -> bool:
        """Take the next step with a server that keeps silent; return whether it is to leave it."""
        step, wait = self._stalls.step()
        if step is Step.ASK_AGAIN:
            self._downlink.nothing_came()
            return False
        what: dict[Step, Literal["nudged", "resumed", "restarted"]] = {
            Step.NUDGE: "nudged",
            Step.RESUME: "resumed",
            Step.FRESH: "restarted",
        }
        self.counts["nudges" if step is Step.NUDGE else "stalls"] += 1
        self._post(Stalled(self._session, what[step], wait.value, now))
        if step is Step.NUDGE:
            self._nudge()
        elif step is Step.FRESH:
            self._begin_anew(now)
        return step is not Step.NUDGE

    def _nudge(self) -> None:
        # Live API: the end of the stream makes it look at once at what it has heard; and unlike
        # words it does not break off a turn that is only slow, such as one that searches the web.
        if self._flowing:
            self.uplink.append_end()
        else:
            self.uplink.append_nudge(NUDGE)

    def cut_off(self) -> None:
        """The connection ends: end what it can no longer bring, so that nobody waits for it."""
        self.uplink.carried(False)
        self._departures.paused()
        self._calls.cut_off()
        self._downlink.give_up()
        self._gap = asyncio.get_running_loop().call_later(UNNOTICED_S, self.dry)

    def close(self) -> None:
        """The session is over."""
        self._calls.close()
        self.dry()

    def dry(self) -> None:
        """No audio goes up any more, for good or until the link is back."""
        self._end_gap()
        self._flow(flowing=False)

    def _end_gap(self) -> None:
        if self._gap is not None:
            self._gap.cancel()
            self._gap = None

    # --- up --------------------------------------------------------------------------------------

    async def write(self, link: Link) -> None:
        """Send what waits and what comes. Raises LinkError when the connection is lost."""
        while True:
            message = await self.uplink.next()
            if not self.push_to_talk.suits(message):
                # Cancelled when the connection gives way.
                await asyncio.Event().wait()
            async with self._writing:
                if isinstance(message, Picture):
                    self._pace.sends(time.monotonic(), link.unacknowledged())
                await self._send_enclosed(link, message)
                # Live API: the end of a stream that never began is not worth a message.
                ends_nothing = not self._flowing or self.push_to_talk.manual
                if not (isinstance(message, AudioEnd) and ends_nothing):
                    await self._hand_over(link, message)
                again = self.uplink.again(message)
                captured = self.uplink.sent(message)
            self._departures.left(message, captured, again)
            if self._pace.waits:
                self._pace.look(time.monotonic(), link.unacknowledged())
            self._sent(message)

    async def _hand_over(self, link: Link, message: Message) -> None:
        """Give a message to the connection; raises LinkError when that is lost."""
        takes = link.takes
        self._departures.leaving(message)
        try:
            await link.send(message)
        except (LinkError, asyncio.CancelledError):
            if takes and isinstance(message, Audio):
                # It may have left, and goes up again all the same.
                self._departures.left(message, [], self.uplink.again(message))
                self.uplink.may_have_left(message)
            raise

    def show(self, picture: Picture) -> None:
        """Let a picture of a stream go up, if sound is not late because of the one before."""
        if self._pace.allows(time.monotonic()):
            self.uplink.show(picture)
        else:
            self.counts["pictures_skipped"] += 1

    async def _send_enclosed(self, link: Link, message: Message) -> None:
        """Send the picture that belongs to a message, before it.

        Live API: sound, pictures and text are streams of their own, whose order beside each other
        is not promised; the server has it earlier than what speaks of it, and no more can be done.
        """
        if isinstance(message, Text | Answer) and message.picture is not None:
            self._departures.leaving(message.picture)
            await link.send(message.picture)
            self._departures.left(message.picture, [], 0)
            self._sent_picture(message.picture)

    def _sent_picture(self, picture: Picture) -> None:
        self.counts["pictures_sent"] += 1
        size, shape = len(picture.jpeg), (picture.width, picture.height)
        self._post(PictureSent(self._session, picture.reason, size, *shape, time.monotonic()))

    async def stop_writing(self, writer: asyncio.Task[None]) -> None:
        """Cancel the task of `write` between two messages, so that none goes up twice."""
        try:
            async with asyncio.timeout(_LAST_MESSAGE_S), self._writing:
                writer.cancel()
        except TimeoutError:
            # The network takes nothing: this message, most likely unsent, goes up again.
            self.counts["repeated"] += 1

    def _sent(self, message: Message) -> None:
        self.push_to_talk.sent(message)
        match message:
            case Audio(frames=frames):
                self.counts["frames_sent"] += len(frames)
                self.counts["bytes_sent"] += sum(map(len, frames))
                self._unanswered.sent_audio(list(frames))
                self._flow(flowing=True)
            case AudioEnd():
                self._flow(flowing=False)
            case ActivityEnd():
                self._downlink.asked()
                self._flow(flowing=False)
            case Picture():
                self._sent_picture(message)
            case Text(text=text, again=again):
                self._downlink.asked()
                if not again:
                    self._calls.asked()
                    self._stalls.asked(time.monotonic())
                whole = message.picture is not None
                self._unanswered.sent_text(replace(message, again=True) if whole else text)
                self.stirred.set()
            case Answer():
                self._calls.answered(message)
                if not self._calls.open:
                    self._stalls.call_answered(time.monotonic())
                self.stirred.set()

    def _flow(self, *, flowing: bool) -> None:
        if flowing is self._flowing:
            return
        self._flowing = flowing
        frames, sent_bytes = self.counts["frames_sent"], self.counts["bytes_sent"]
        self._post(UplinkChanged(self._session, flowing, frames, sent_bytes, time.monotonic()))

    # --- down ------------------------------------------------------------------------------------

    async def read(self, link: Link) -> None:
        """Take what the server says. Raises LinkError when the connection is lost."""
        while True:
            # A server that never pauses must not keep the microphone waiting.
            await asyncio.sleep(0)
            message = await link.receive()
            if message is None:
                self.counts["odd_messages"] += 1
            else:
                self._take(message)
                self.stirred.set()

    def _take(self, message: types.LiveServerMessage | Sound) -> None:
        """Handle all that one message holds; there may be several things in it."""
        if isinstance(message, Sound):
            self._downlink.sound(message)
            return
        if message.session_resumption_update is not None:
            self._take_handle(message.session_resumption_update)
        if message.go_away is not None:
            self._take_go_away(message.go_away)
        if message.usage_metadata is not None:
            self._downlink.bill(message.usage_metadata)
        if message.server_content is not None:
            self._downlink.take(message.server_content)
        if message.tool_call is not None:
            for call in message.tool_call.function_calls or ():
                self._downlink.called()
                self.counts["tool_calls"] += 1
                self._calls.take(call)
        if message.tool_call_cancellation is not None:
            for call_id in message.tool_call_cancellation.ids or ():
                self._calls.cancel(call_id)
            if not self._calls.open:
                self._stalls.calls_cancelled()
        # Only now it is known whether the message itself began or ended the turn it bills.
        self._downlink.settle_bill()
        prompt_tokens = self._downlink.new_context()
        if prompt_tokens is not None:
            self._watch_context(prompt_tokens)

    def _watch_context(self, prompt_tokens: int) -> None:
        """Go on over a fresh session, with the talk in words, where the server's memory fails."""
        found = self._context.billed(prompt_tokens)
        if found is None:
            return
        now = time.monotonic()
        self._post(ContextFailed(self._session, found.trouble.value, found.before, found.now, now))
        if self._recovery.resumes:
            self._begin_anew(now)
            self._moment.leave(now)

    def _begin_anew(self, now: float) -> None:
        self._moment.begin_anew()
        self._post_handle(now)

    def _take_handle(self, update: types.LiveServerSessionResumptionUpdate) -> None:
        now = time.monotonic()
        if self._moment.take_handle(update, now):
            self._post_handle(now)

    def _post_handle(self, now: float) -> None:
        recovery = self._recovery
        self._post(HandleChanged(self._session, recovery.handle, recovery.model, now))

    def _take_go_away(self, go_away: types.LiveServerGoAway) -> None:
        now, time_left_s = time.monotonic(), seconds(go_away.time_left)
        _log.debug("session %d: goAway, %g s left", self._session, time_left_s)
        self._moment.go_away(now, time_left_s)
        self._post(GoAway(self._session, time_left_s, now))
