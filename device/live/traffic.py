"""What one session sends and hears, whichever of its connections carries it.

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
from typing import TYPE_CHECKING, Literal

from device.live.downlink import Downlink
from device.live.link import Link
from device.live.recovery import Recovery
from device.live.rotation import Rotation, seconds
from device.live.tools import Answer, not_available
from device.live.uplink import Audio, AudioEnd, Message, Text, Uplink
from device.ports import GoAway, Post, ToolNews, UplinkChanged

if TYPE_CHECKING:
    from google.genai import types

_log = logging.getLogger(__name__)

_LAST_MESSAGE_S = 0.5
"""How long a connection that gives way may take for the message it is at."""
_ANSWER_S = 5.0
"""How long an answer to what the user said is expected; then it is quiet enough to rotate."""
_HANDLE_S = 1.0
"""How long after a turn its handle is expected. Live API: 20-70 ms were measured."""

_COUNTED = (
    "frames_sent",
    "bytes_sent",
    "attempts",
    "connections",
    "rotations",
    "recoveries",
    "repeated",
    "odd_messages",
    "tool_calls",
)


class Traffic:
    """The two directions of a session. Used from the event loop's thread only."""

    def __init__(
        self, session: int, turns: Iterator[int], post: Post, recovery: Recovery, *, resumes: bool
    ) -> None:
        self._session = session
        self._post = post
        self._recovery = recovery
        self._resumes = resumes
        self._downlink = Downlink(session, turns, post)
        self._rotation = Rotation(0.0)
        self._resumable = True
        self._handle_at: float | None = None
        self._flowing = False
        self._writing = asyncio.Lock()
        self.uplink = Uplink()
        self.counts: Counter[str] = Counter()
        self.speaking = False
        """Whether the user is in mid-sentence, as far as anyone told."""
        self.stirred = asyncio.Event()
        """Set when something has come in that may change what to do next."""

    @property
    def counters(self) -> dict[str, int]:
        """Every count, those of the queue among them."""
        uplink = self.uplink
        held = {"held": uplink.held, "held_max": uplink.held_max, "dropped": uplink.dropped}
        return dict.fromkeys(_COUNTED, 0) | self.counts | held

    def opened(self, rotation: Rotation) -> None:
        """A new connection begins, with its plan to give way to the next."""
        self._rotation = rotation
        self._resumable = True

    def due(self) -> float | None:
        """Return when the connection should give way, None while only news can tell."""
        return self._rotation.due(self._quiet_from())

    def cut_off(self) -> None:
        """The connection ends: end what it can no longer bring, so that nobody waits for it."""
        for answer in self.uplink.withdraw_all():
            self._post_tool("cancelled", answer.name)
        self._downlink.give_up()

    def dry(self) -> None:
        """No audio goes up any more, for good or until the link is back."""
        self._flow(flowing=False)

    # --- up --------------------------------------------------------------------------------------

    async def write(self, link: Link) -> None:
        """Send what waits and what comes. Raises LinkError when the connection is lost."""
        while True:
            message = await self.uplink.next()
            async with self._writing:
                # Live API: the end of a stream that never began is not worth a message.
                if not isinstance(message, AudioEnd) or self._flowing:
                    await link.send(message)
                self.uplink.sent(message)
            self._sent(message)

    async def stop_writing(self, writer: asyncio.Task[None]) -> None:
        """Cancel the task of `write` between two messages, so that none goes up twice."""
        try:
            async with asyncio.timeout(_LAST_MESSAGE_S), self._writing:
                writer.cancel()
        except TimeoutError:
            # The network takes nothing: this message, most likely unsent, goes up again.
            self.counts["repeated"] += 1

    def _sent(self, message: Message) -> None:
        match message:
            case Audio(pcm=pcm, frames=frames):
                self.counts["frames_sent"] += frames
                self.counts["bytes_sent"] += len(pcm)
                self._flow(flowing=True)
            case AudioEnd():
                self._flow(flowing=False)
            case Text():
                self._downlink.asked()
            case Answer():
                self._post_tool("failed" if message.failed else "answered", message.name)
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
            message = await link.receive()
            if message is None:
                self.counts["odd_messages"] += 1
            else:
                self._take(message)
                self.stirred.set()

    def _take(self, message: types.LiveServerMessage) -> None:
        """Handle all that one message holds; there may be several things in it."""
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
                self._take_call(call)
        if message.tool_call_cancellation is not None:
            for call_id in message.tool_call_cancellation.ids or ():
                self._cancel_call(call_id)
        # Only now it is known whether the message itself began or ended the turn it bills.
        self._downlink.settle_bill()

    def _take_handle(self, update: types.LiveServerSessionResumptionUpdate) -> None:
        # Live API: empty and not resumable while the model speaks; the older handle stays good.
        self._resumable = bool(update.resumable and update.new_handle)
        if self._resumable:
            self._recovery.handle = update.new_handle
            self._handle_at = time.monotonic()

    def _take_go_away(self, go_away: types.LiveServerGoAway) -> None:
        now, time_left_s = time.monotonic(), seconds(go_away.time_left)
        _log.debug("session %d: goAway, %g s left", self._session, time_left_s)
        self._rotation.go_away(now, time_left_s)
        self._post(GoAway(self._session, time_left_s, now))

    def _take_call(self, call: types.FunctionCall) -> None:
        self._downlink.begin_turn()
        self.counts["tool_calls"] += 1
        name = call.name or "(unnamed)"
        self._post_tool("called", name)
        if call.id is None:
            _log.warning("the server called %s without an id: no answer is possible", name)
            self._post_tool("failed", name)
        else:
            self.uplink.append_answer(not_available(call.id, name))

    def _cancel_call(self, call_id: str) -> None:
        answer = self.uplink.withdraw(call_id)
        if answer is not None:
            self._post_tool("cancelled", answer.name)

    def _post_tool(
        self, what: Literal["called", "answered", "cancelled", "failed"], name: str
    ) -> None:
        self._post(ToolNews(self._session, what, name, time.monotonic()))

    # --- quiet -----------------------------------------------------------------------------------

    def _quiet_from(self) -> float | None:
        """Return since or from when a new connection disturbs nobody, None until more is known."""
        if self._downlink.busy or self.speaking or self.uplink.unanswered:
            return None
        if self._resumes and not (self._resumable and self._recovery.handle):
            return None
        quiet_from = 0.0
        if self._downlink.asked_at is not None:
            quiet_from = self._downlink.asked_at + _ANSWER_S
        if self._handle_at is not None and self._handle_at < self._downlink.ended_at:
            quiet_from = max(quiet_from, self._downlink.ended_at + _HANDLE_S)
        return quiet_from
