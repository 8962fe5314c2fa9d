"""(pure) The stand-in makes ephemeral tokens, and takes them as strictly as it takes keys.

Live API: the SDK's own requests and words, and the page on ephemeral tokens. How the real server
refuses one is hardly known; each refusal says below where it comes from.

Theory of operation: a token is for the constrained endpoint only, in one version of the API. What
is wrong with it as such is an HTTP status; what depends on the setup (uses, the end for new
sessions, locked fields) closes the WebSocket once that is there; and after the token's end the next
message does.
"""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from device.simulator.schema import CLIENT_MESSAGE, RefusedError, read_message, snake

VERSION: Final = "v1alpha"
LIFE_S: Final = 1_800.0
SESSIONS_S: Final = 60.0
LONGEST_S: Final = 72_000.0
PATH: Final = f"/{VERSION}/auth_tokens"
FIELDS: Final = frozenset(
    {"uses", "expireTime", "newSessionExpireTime", "bidiGenerateContentSetup", "fieldMask"}
)

UNAUTHENTICATED: Final = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
    "or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)
"""With HTTP 401. Google's usual words; that status was seen when a used token was used again."""
UNAVAILABLE: Final = "The service is currently unavailable."
"""With 1011. Seen when a session was resumed on a token that had been used."""
USED_UP: Final = "Token has been used up."
"""With 1008. A guess."""
NO_NEW_SESSIONS: Final = "Token has expired for new sessions."
"""With 1008. A guess."""
EXPIRED: Final = "Token has expired."
"""With 1008, in the middle of a connection. A guess."""
LOCKED: Final = "Request contains an invalid argument."
"""With 1007. A guess; the SDK's words are that what differs is ignored."""
KEY_NOT_VALID: Final = "API key not valid. Please pass a valid API key."


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What is disputed, or unknown, of the real server."""

    resumes_count: bool = False
    """Whether going on with a session counts as a use, and as a new session. The SDK says no."""
    refused_by: Literal["close", "status", "unavailable"] = "close"
    """How a token that is used up is refused: 1008 in words, HTTP 401, or 1011."""
    locked: Literal["refused", "ignored"] = "refused"
    """What becomes of a setup that differs in a locked field: the SDK says that it is ignored."""


class MintError(Exception):
    """A token is not made; stays within the simulator."""

    def __init__(self, status: int, word: str, message: str) -> None:
        self.status = status
        error = {"code": status, "message": message, "status": word}
        self.body = json.dumps({"error": error})
        super().__init__(message)


@dataclass(slots=True)
class Minted:
    """One token. Times are those of the clock that `Mint` is handed."""

    name: str
    expires_at: float
    sessions_until: float
    uses: int
    setup: dict[str, Any] | None
    """What it is locked to, in camelCase; None: nothing."""
    mask: tuple[str, ...]
    """The paths that are locked; none, where there is a setup: all of it."""
    used: int = 0
    """How many sessions were opened with it."""


class Mint:
    """Every token since the server began."""

    def __init__(self, rules: TokenRules) -> None:
        self.rules = rules
        self.tokens: dict[str, Minted] = {}
        self.refused: list[str] = []
        """Why each connection was refused that was made with a token."""

    def make(self, body: bytes, utc: datetime, now: float) -> Minted:
        """Make a token as this request asks. Raises MintError.

        ``utc`` and ``now`` are the same moment by the calendar and by the clock of the server.
        """
        try:
            asked = json.loads(body or b"{}")
        except ValueError:
            raise _invalid("Invalid JSON payload received. Syntax error.") from None
        if not isinstance(asked, dict):
            raise _invalid("Invalid JSON payload received.")
        for name in asked:
            if name not in FIELDS:
                raise _invalid(
                    f"Invalid JSON payload received. Unknown name \"{name}\" at 'auth_token': "
                    "Cannot find field."
                )
        uses = asked.get("uses", 1)
        if type(uses) is not int or uses < 0:
            raise _invalid(f"Invalid value at 'auth_token.uses' (TYPE_INT32), {uses!r}")
        life_s = _left_s(asked, "expireTime", utc, LIFE_S)
        sessions_s = _left_s(asked, "newSessionExpireTime", utc, SESSIONS_S)
        setup, mask = _constraint(asked)
        name = f"auth_tokens/{secrets.token_hex(32)}"
        token = Minted(name, now + life_s, now + sessions_s, uses, setup, mask)
        self.tokens[name] = token
        return token

    def admit(self, name: str, now: float) -> bool:
        """Tell whether a connection may be opened with this token, before its setup is known."""
        token = self.tokens.get(name)
        spent = token is not None and token.uses and token.used >= token.uses
        early = spent and self.rules.refused_by == "status" and self.rules.resumes_count
        if token is None or now >= token.expires_at or early:
            self.refused.append("unknown" if token is None else "used up" if early else "expired")
            return False
        return True

    def begin(self, name: str, setup: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Return the setup that counts, and count the use. Raises RefusedError."""
        token = self.tokens[name]
        resumes = bool(setup.get("sessionResumption", {}).get("handle"))
        if not resumes or self.rules.resumes_count:
            if token.uses and token.used >= token.uses:
                raise self._refusal("used up", *_USED_UP[self.rules.refused_by])
            if now >= token.sessions_until:
                raise self._refusal("no new sessions", 1008, NO_NEW_SESSIONS)
        counted = _locked(token, setup)
        if counted != setup and self.rules.locked == "refused":
            raise self._refusal("locked", 1007, LOCKED)
        token.used += not resumes or self.rules.resumes_count
        return counted

    def check(self, name: str, now: float) -> None:
        """Raise RefusedError where the token's end has come."""
        if now >= self.tokens[name].expires_at:
            raise self._refusal("expired", 1008, EXPIRED)

    def _refusal(self, why: str, code: int, reason: str) -> RefusedError:
        self.refused.append(why)
        return RefusedError(code, reason)


_USED_UP: dict[str, tuple[int, str]] = {
    "close": (1008, USED_UP),
    "status": (1008, USED_UP),
    "unavailable": (1011, UNAVAILABLE),
}


def _invalid(message: str) -> MintError:
    return MintError(400, "INVALID_ARGUMENT", message)


def _left_s(asked: Mapping[str, Any], name: str, utc: datetime, default: float) -> float:
    value = asked.get(name)
    if value is None:
        return default
    try:
        left_s = (datetime.fromisoformat(value) - utc).total_seconds()
    except (ValueError, TypeError):
        path = f"auth_token.{snake(name)}"
        raise _invalid(f"Invalid value at '{path}' (TYPE_TIMESTAMP), {value!r}") from None
    if not 0 < left_s < LONGEST_S:
        raise _invalid(f"{snake(name)} must be in the future, and less than 20 hours away.")
    return left_s


def _constraint(asked: Mapping[str, Any]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return the setup that is locked, and the paths of what is; the whole where there are none."""
    setup, mask = asked.get("bidiGenerateContentSetup"), asked.get("fieldMask", "")
    if not isinstance(mask, str):
        raise _invalid(f"Invalid value at 'auth_token.field_mask', {mask!r}")
    paths = tuple(filter(None, mask.split(",")))
    if paths and setup is None:
        raise _invalid("field_mask is set without bidi_generate_content_setup.")
    for path in paths:
        _check_path(path)
    if setup is None:
        return None, ()
    try:
        _, content = read_message({"setup": setup})
    except RefusedError as refused:
        raise _invalid(refused.reason) from None
    return content, paths


def _check_path(path: str) -> None:
    schema: Any = CLIENT_MESSAGE["setup"]
    for part in path.split("."):
        if not isinstance(schema, dict) or part not in schema:
            raise _invalid(f"Invalid field mask path: {path}")
        schema = schema[part]


def _locked(token: Minted, setup: Mapping[str, Any]) -> dict[str, Any]:
    """Return the setup with the token's own values in its locked fields."""
    if token.setup is None:
        return dict(setup)
    if not token.mask:
        return copy.deepcopy(token.setup)
    counted = copy.deepcopy(dict(setup))
    for path in token.mask:
        *above, last = path.split(".")
        mine: Any = token.setup
        for part in above:
            mine = mine.get(part, {})
        there: Any = counted
        for part in above:
            there = there.setdefault(part, {}) if last in mine else there.get(part, {})
        if last in mine:
            there[last] = copy.deepcopy(mine[last])
        else:
            there.pop(last, None)
    return counted
