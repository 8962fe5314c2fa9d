"""The right moment to leave a connection for the next one of the same session.

`rotation` says from when and until when it should be; here is what disturbs nobody: no turn of the
model, no sentence of the user, no call to answer, and a handle that knows all that was said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.live.downlink import Downlink
from device.live.reconnect import Recovery
from device.live.repeat import Unanswered
from device.live.rotation import Rotation
from device.live.uplink import (
    Uplink,
)

if TYPE_CHECKING:
    from google.genai import types

_ANSWER_S = 5.0
"""How long an answer to what the user said is expected; then it is quiet enough to rotate."""
_HANDLE_S = 1.0
"""How long after a turn its handle is expected. Live API: 20-70 ms were measured."""


class Moment:
    """For one connection after the other. Times are CLOCK_MONOTONIC seconds."""

    def __init__(
        self,
        recovery: Recovery,
        downlink: Downlink,
        uplink: Uplink,
        unanswered: Unanswered,
        *,
        resumes: bool,
    ) -> None:
        self._recovery = recovery
        self._downlink = downlink
        self._uplink = uplink
        self._unanswered = unanswered
        self._resumes = resumes
        self._rotation = Rotation(0.0)
        self._resumable = True
        self._handle_at: float | None = None
        self.speaking = False
        """Whether the user is in mid-sentence."""

    def opened(self, rotation: Rotation) -> None:
        """A new connection begins, with its plan to give way to the next."""
        self._rotation = rotation
        self._resumable = True

    def go_away(self, now: float, time_left_s: float) -> None:
        """The server has announced the end of the connection."""
        self._rotation.go_away(now, time_left_s)

    def take_handle(self, update: types.LiveServerSessionResumptionUpdate, now: float) -> bool:
        """Take what the server says of resuming; return whether there is a new handle."""
        # Live API: empty and not resumable while the model speaks; the older handle stays good.
        self._resumable = bool(update.resumable and update.new_handle)
        if self._resumable:
            self._recovery.handle = update.new_handle
            self._handle_at = now
        return self._resumable

    def due(self) -> float:
        """Return when it is, as far as is known now."""
        return self._rotation.due(self._quiet_from())

    def _quiet_from(self) -> float | None:
        """Return since or from when a new connection disturbs nobody, None until more is known."""
        if self._downlink.busy or self.speaking or self._uplink.unanswered:
            return None
        if self._unanswered.pending:
            # The user has finished, and the server has not noticed or not answered yet.
            return None
        if self._resumes and not (self._resumable and self._recovery.handle):
            return None
        quiet_from = 0.0
        if self._downlink.asked_at is not None:
            quiet_from = self._downlink.asked_at + _ANSWER_S
        if self._handle_at is not None and self._handle_at < self._downlink.ended_at:
            quiet_from = max(quiet_from, self._downlink.ended_at + _HANDLE_S)
        return quiet_from
