"""An ephemeral token lets its holder talk to the Live API for a while, in place of the key. Pure.

Google makes it for whoever has the key, and forgets it after at most 20 hours. Live API: it has two
ends. After the one no message is taken any more; after the other, which comes first, no new session
is opened with it. And it is good for so many sessions. Whether going on with a session (resuming
it) counts as one more is disputed: the SDK says it does not, people were refused all the same. So
whoever holds one tries, and takes another where it is refused.

Times here are CLOCK_MONOTONIC seconds: a speaker whose clock is an hour off holds a token as long
as any other.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from device.credentials.credential import LENT_LOOK

PREFIX: Final = "auth_tokens/"
"""What every token begins with; the SDK knows one by it."""
LIFE_S: Final = 1_800.0
"""Live API: how long messages are taken where whoever made the token said nothing."""
SESSIONS_S: Final = 60.0
"""Live API: how long new sessions are opened with it where nothing was said."""
LONGEST_S: Final = 72_000.0
"""Live API: both ends must be less than 20 hours away."""
MOST_MODELS: Final = 32
IN_TIME_S: Final = 3.0
"""How long before a new session would be refused none is opened any more."""
WORTH_S: Final = 15.0
"""A token with less life left than this is not worth a connection."""
RENEWED_S: Final = 120.0
"""With less life left than this (or than half of what it had) another is asked for before the next
connection: its connection would have to give way soon."""


@dataclass(frozen=True, slots=True)
class Token:
    """One ephemeral token, as far as is known of it."""

    name: str = field(repr=False)
    """``auth_tokens/…``: the secret itself."""
    fetched_at: float
    expires_at: float
    """From then on no message is taken."""
    sessions_until: float
    """From then on no new session is opened."""
    uses: int = 1
    """For how many sessions it is good; 0: any number."""
    models: tuple[str, ...] = ()
    """To which it is locked, without ``models/``; empty: to none."""

    def life_s(self, now: float) -> float:
        """Return for how many seconds messages are still taken."""
        return self.expires_at - now

    def older(self, by_s: float) -> Token:
        """Return it as it is after so many seconds that CLOCK_MONOTONIC did not count."""
        return replace(
            self,
            fetched_at=self.fetched_at - by_s,
            expires_at=self.expires_at - by_s,
            sessions_until=self.sessions_until - by_s,
        )

    def is_old(self, now: float) -> bool:
        """Tell whether another should be asked for before the next connection."""
        whole_s = self.expires_at - self.fetched_at
        return self.life_s(now) < min(RENEWED_S, whole_s / 2)

    def fits(self, model: str) -> bool:
        """Tell whether it may be used for this model."""
        return not self.models or model.removeprefix("models/") in self.models


@dataclass(slots=True)
class Held:
    """A token in use, and what was done with it."""

    token: Token
    sessions: int = 0
    """How many were begun with it, as far as Google may count."""
    used: bool = False
    """Whether a setup was sent with it, however it was answered."""

    def opens(self, now: float) -> bool:
        """Tell whether a new session may be begun with it."""
        token = self.token
        left = not token.uses or self.sessions < token.uses
        return left and now < token.sessions_until - IN_TIME_S and not token.is_old(now)

    def resumes(self, now: float, *, counts: bool) -> bool:
        """Tell whether a session may go on with it; ``counts``: whether that is known to count."""
        token = self.token
        if counts:
            return self.opens(now)
        if not self.used and now >= token.sessions_until - IN_TIME_S:
            return False
        return not token.is_old(now)


def token_of(answer: bytes, asked_at: float, date: str | None = None) -> Token:
    """Read what a token server answers, or Google's own answer, which has only ``name``.

    ``asked_at`` is when it was asked (CLOCK_MONOTONIC seconds), ``date`` the header of that name:
    by the server's own clock it is told how long the token lives. Raises ValueError, in words that
    hold nothing of the answer.
    """
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(told, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - whatever is wrong is one thing
    name, uses = told.get("name"), told.get("uses", 1)
    if not isinstance(name, str) or not re.fullmatch(LENT_LOOK, name):
        raise ValueError(f'it has no "name" that begins with {PREFIX}')
    if type(uses) is not int or not 0 <= uses < 1_000_000:
        raise ValueError('its "uses" is no number from 0 on')
    now = _moment(date) or datetime.now(UTC)
    life_s = _left_s(told, ("expire_time", "expireTime"), now, LIFE_S)
    sessions_s = _left_s(told, ("new_session_expire_time", "newSessionExpireTime"), now, SESSIONS_S)
    return Token(
        name,
        asked_at,
        asked_at + life_s,
        asked_at + min(sessions_s, life_s),
        uses,
        _models(told.get("models")),
    )


def _left_s(told: dict[str, Any], names: tuple[str, str], now: datetime, default: float) -> float:
    value = next((told[name] for name in names if told.get(name) is not None), None)
    if value is None:
        return default
    moment = _time(value)
    if moment is None:
        raise ValueError(f'its "{names[0]}" is no time such as 2026-11-30T12:00:00Z')
    left_s = (moment - now).total_seconds()
    if left_s <= 0:
        raise ValueError(f'its "{names[0]}" is over: look at the clocks of both machines')
    return min(left_s, LONGEST_S)


def _time(value: object) -> datetime | None:
    """Read an RFC 3339 time; of more than six decimals, which protobuf may write, six count."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    shorter = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", value)
    try:
        moment = datetime.fromisoformat(shorter)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _moment(date: str | None) -> datetime | None:
    """Read a Date header (RFC 9110)."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


def _models(told: object) -> tuple[str, ...]:
    if told is None:
        return ()
    if not isinstance(told, list) or len(told) > MOST_MODELS:
        raise ValueError('its "models" is no list')
    if not all(isinstance(each, str) and re.fullmatch(r"[\w./-]{1,100}", each) for each in told):
        raise ValueError('its "models" is no list of names')
    return tuple(each.removeprefix("models/") for each in told)
