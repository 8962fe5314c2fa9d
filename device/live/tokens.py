"""`Tokens` keeps the newest ephemeral token of a speaker, and gets another one in time.

A session begins with a token that opens sessions: a new one, unless the one that is there is good
for more. All its connections use the same as long as that lives. Before it grows too old the next
connection is made with another; where there is none to be had, the old one does until its end. A
token that is refused is not used again.
"""

from __future__ import annotations

import logging
import math
import time

from device.live.link import LinkError
from device.live.symptoms import Family, Place, Symptom
from device.live.token import WORTH_S, Held, Token
from device.live.token_server import TokenServer, pause_s

_log = logging.getLogger(__name__)

_REFUSES = frozenset({Family.CLOSED, Family.REFUSED, Family.ERROR})

_NO_SLEEP_S = 1.0
"""Two clocks that are read one after the other on a busy machine lie this far apart at most."""


class Tokens:
    """Used from the event loop's thread only; by one session at a time, or one after the other."""

    def __init__(self, server: TokenServer) -> None:
        self.server = server
        self.fetched = 0
        """How many tokens came from the server."""
        self._held: Held | None = None
        self._counts = False
        """Whether resuming was found to count as a use."""
        self._suspected = False
        """Whether it seems so: a used token was refused, and another one was not tried yet."""
        self._asleep_s = 0.0
        """For how long the computer had slept when the token was last looked at."""
        self._paused: tuple[float, Symptom] = (-math.inf, Symptom(Place.TOKEN, Family.ODD))
        """Until when the server wants to be left alone, and what it said."""
        self._was_used = False
        """Whether the token of the newest connection had been used before."""

    async def get(self, model: str, *, resuming: bool) -> Token:
        """Return the token for the next connection. Raises LinkError; OSError or ValueError.

        The last two tell that the certificates to be trusted cannot be used. Safe to cancel.
        """
        now = time.monotonic()
        self._wake_up()
        held = self._held
        if held is None or not held.token.fits(model) or not self._good(held, now, resuming):
            held = await self._another(model, now, resuming=resuming)
        self._held, self._was_used = held, held.used
        return held.token

    def _wake_up(self) -> None:
        before, self._asleep_s = self._asleep_s, _asleep_s()
        if self._held is not None and self._asleep_s - before > _NO_SLEEP_S:
            self._held.token = self._held.token.older(self._asleep_s - before)

    def _good(self, held: Held, now: float, resuming: bool) -> bool:
        return held.resumes(now, counts=self._counts) if resuming else held.opens(now)

    async def _another(self, model: str, now: float, *, resuming: bool) -> Held:
        try:
            token = await self._fetch(model, now)
        except LinkError as error:
            old = self._held
            if old is None or not self._does(old, model, now, resuming):
                raise
            _log.debug("the old token does for now: %s", error)
            return old
        self.fetched += 1
        return Held(token)

    def _does(self, old: Held, model: str, now: float, resuming: bool) -> bool:
        """Whether a token that should give way can still be gone on with."""
        lasts = old.token.life_s(now) >= WORTH_S and old.token.fits(model)
        return lasts and resuming and old.used and not self._counts

    async def _fetch(self, model: str, now: float) -> Token:
        until, why = self._paused
        if now < until:
            raise LinkError(why)
        try:
            return await self.server.fetch(model)
        except LinkError as error:
            if pause := pause_s(error.symptom):
                self._paused = (now + pause, error.symptom)
            raise

    def took(self, *, resuming: bool) -> None:
        """Take note that the server has confirmed a setup made with the token."""
        if self._held is not None:
            self._counts = self._counts or (self._suspected and resuming)
            self._suspected = False
            self._held.used = True
            self._held.sessions += not resuming or self._counts

    def lost(self, symptom: Symptom) -> bool:
        """Take note of how a connection ended; return whether another token is worth a try now.

        It is where a server refused a token that had been used before, whatever it says about that:
        the reports know a status of 401, words about keys, and a server that is "unavailable".
        """
        held = self._held
        if held is None or symptom.place is Place.TOKEN or symptom.family not in _REFUSES:
            return False
        if symptom.code == 1006:  # that is no answer
            return False
        if symptom.place is Place.OPEN:
            over = held.token.life_s(time.monotonic()) < WORTH_S
            if over or "token" in symptom.text.lower():
                self._held = None
            return over
        # What is refused with a fresh one too was not the token's fault.
        self._suspected = self._was_used and symptom.resuming
        self._held = None
        return self._was_used


def _asleep_s() -> float:
    """Return for how long the computer has been suspended since its start."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
