"""Failures of a connection to the Live API: one table says what each is and what can help. Pure.

The server says most things in the reason text of the WebSocket's close frame, and uses the same few
close codes for all of them: a wrong key, a missing model and an expired handle all arrive as 1007
or 1008. So a row that names a text stands above a row that names a code or an HTTP status, and that
above a row that only names the family of the exception. The first row that matches wins, and every
symptom ends at some row.

What was raised is turned into plain values by `device.live.symptoms`; `diagnose` looks those up,
and `device.live.reconnect` decides whether what can help is tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from device.credentials.api_key import RENEWAL
from device.live.symptoms import Family, Place, Symptom
from device.news import Failure, FailureKind


class Remedy(StrEnum):
    """What can help."""

    RESUME = "resume"
    """A new connection with the newest handle."""
    FRESH = "fresh"
    """A new connection without a handle; never the same handle again."""
    NEXT_MODEL = "next model"
    WAIT = "wait"
    """The same again in a moment."""
    LATER = "later"
    """Not again for this question: it takes minutes, or somebody who signs the network in."""
    STOP = "stop"
    """Nothing that the speaker can do: tell its owner."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What it is, told to the owner, and what to do."""

    failure: Failure
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class Row:
    """Symptoms that mean the same; an empty condition is met by all."""

    kind: FailureKind
    remedy: Remedy
    message: str
    """May hold ``{model}``, ``{host}``, ``{text}`` and ``{code}``."""
    text: str = ""
    """A regular expression searched for in the lower-case reason text."""
    family: Family | None = None
    codes: frozenset[int] = frozenset()
    places: frozenset[Place] = frozenset(Place)
    resuming: bool | None = None
    token: bool | None = None
    """Whether the connection was made with an ephemeral token."""

    def matches(self, symptom: Symptom) -> bool:
        """Tell whether this is one of them."""
        return (
            (self.family is None or symptom.family is self.family)
            and (not self.codes or symptom.code in self.codes)
            and symptom.place in self.places
            and (self.resuming is None or symptom.resuming is self.resuming)
            and (self.token is None or symptom.token is self.token)
            and re.search(self.text, symptom.text.lower()) is not None
        )


_BEFORE_OPEN = frozenset({Place.DIAL, Place.SETUP})

_KEY_REFUSED = f"the server refused the key: put a valid one {RENEWAL}"
_SETTINGS_REFUSED = (
    "the server refused the settings for {model}: look through live: in the configuration "
    "(voice, language, thinking_level, google_search, compression)"
)
_HANDLE_REFUSED = "the server no longer takes the handle of the earlier talk: a new talk is needed"
_BUSY = "the server {host} cannot serve now: try again in a few minutes"
_BROKE_OFF = "the server {host} broke the connection off: try again"

# The texts are those that people met; reasons are cut at 123 bytes (RFC 6455), so the
# expressions look for their beginnings.
_BY_TEXT = (
    Row(
        FailureKind.SERVER,
        Remedy.RESUME,
        "the connection was not closed in time after the server's goAway",
        text=r"after receiving a goaway",
    ),
    Row(
        FailureKind.MODEL,
        Remedy.NEXT_MODEL,
        "the server does not have the model {model}: set another live.model (or live.api_version)",
        text=r"is not found for api version|not supported for bidi|models?/\S+ (is|was) not found"
        r"|model .*(no longer available|has been (retired|shut down|discontinued))",
    ),
    Row(
        FailureKind.SETTINGS,
        Remedy.STOP,
        "the Live API is not offered where this speaker is",
        text=r"location is not supported",
    ),
    Row(
        FailureKind.KEY,
        Remedy.STOP,
        "the key may not be used for the Live API: take the key's API restriction off (or add the "
        "Gemini API to it) where the key was made",
        text=r"requests to this api .*(are|is) blocked|requests to this api generativelanguage",
    ),
    Row(
        FailureKind.KEY,
        Remedy.NEXT_MODEL,
        "Google refuses the project behind the key for {model}: use a key of another project, or "
        "another live.model",
        text=r"project has been denied access",
    ),
    Row(FailureKind.KEY, Remedy.STOP, _KEY_REFUSED, text=r"api[ _]key|unregistered callers"),
    Row(
        FailureKind.KEY,
        Remedy.STOP,
        "the key is not allowed to use the Live API: allow it in the key's project, or put "
        f"another one {RENEWAL}",
        text=r"permission[_ ]denied|has not been used in project|api .*is (disabled|blocked)"
        r"|unauthenticated|invalid authentication",
    ),
    Row(
        FailureKind.CAP,
        Remedy.STOP,
        "Google's own spending cap of the key's project or account is reached: raise it on the "
        "billing page of the key's account (https://aistudio.google.com), or wait for the first of "
        "the month; `parley spending allow` raises the speaker's own limit only",
        text=r"(spend|spending|monthly|budget)[ _-]*(cap|limit)|cap .*(reached|exceeded)",
    ),
    Row(
        FailureKind.BILLING,
        Remedy.STOP,
        "the account behind the key has no credit left: top it up",
        text=r"prepayment|credits are depleted|billing (is|has|account|must)|enable billing",
    ),
    Row(FailureKind.SERVER, Remedy.WAIT, _BUSY, text=r"currently unavailable|overloaded"),
    Row(
        FailureKind.QUOTA,
        Remedy.LATER,
        "the quota of the key is used up: wait, or raise it in the key's plan",
        text=r"quota|resource[_ ](has been )?exhausted|rate limit|too many (requests|concurrent)",
    ),
    Row(
        FailureKind.SERVER,
        Remedy.FRESH,
        _HANDLE_REFUSED,
        text=r"requested entity was not found|session.*(expired|not found|invalid)|resumption"
        r"|invalid.*handle|handle.*(invalid|expired|not found)",
        resuming=True,
    ),
    Row(
        FailureKind.MODEL,
        Remedy.NEXT_MODEL,
        "the server does not have what was asked for, most likely the model {model}: set another "
        "live.model",
        text=r"requested entity was not found",
        places=_BEFORE_OPEN,
    ),
    Row(
        FailureKind.NETWORK,
        Remedy.RESUME,
        "the network to {host} went silent",
        text=r"keepalive ping timeout",
    ),
    Row(
        FailureKind.SETTINGS,
        Remedy.STOP,
        _SETTINGS_REFUSED,
        text=r"cannot extract voices|invalid json payload|unknown name|cannot find field",
    ),
    Row(
        FailureKind.SERVER,
        Remedy.RESUME,
        "the server {host} cancelled the connection: try again",
        text=r"operation was (cancelled|aborted)",
    ),
    Row(
        FailureKind.SERVER,
        Remedy.RESUME,
        "the server {host} took too long inside: try again",
        text=r"deadline expired|deadline[_ ]exceeded",
    ),
    Row(
        FailureKind.SERVER,
        Remedy.RESUME,
        "an error inside the server {host}: try again",
        text=r"internal error",
    ),
)


def _closed(
    codes: set[int],
    kind: FailureKind,
    remedy: Remedy,
    message: str,
    *,
    places: frozenset[Place] = frozenset(Place),
    resuming: bool | None = None,
) -> Row:
    return Row(
        kind,
        remedy,
        message,
        family=Family.CLOSED,
        codes=frozenset(codes),
        places=places,
        resuming=resuming,
    )


_LOST = "the connection to {host} was lost: check the network"

_BY_CLOSE_CODE = (
    # Live API: "never with the same handle and config": 1007 and 1008 repeat for ever.
    _closed({1007, 1008}, FailureKind.SERVER, Remedy.FRESH, _HANDLE_REFUSED, places=_BEFORE_OPEN,
            resuming=True),
    Row(FailureKind.SETTINGS, Remedy.STOP,
         _SETTINGS_REFUSED + "; or the token is locked to other settings: look at what the token "
         "server locks",
         family=Family.CLOSED, codes=frozenset({1000, 1003, 1007, 1008}), places=_BEFORE_OPEN,
         token=True),
    _closed({1000, 1003, 1007, 1008}, FailureKind.SETTINGS, Remedy.STOP, _SETTINGS_REFUSED,
            places=_BEFORE_OPEN),
    _closed({1006}, FailureKind.SERVER, Remedy.RESUME, _BROKE_OFF,
            places=frozenset({Place.SETUP}), resuming=True),
    _closed({1006}, FailureKind.NETWORK, Remedy.RESUME, _LOST),
    _closed({1013}, FailureKind.SERVER, Remedy.WAIT, _BUSY),
    _closed({1002, 1003, 1007, 1008, 1009}, FailureKind.SERVER, Remedy.FRESH,
            "the server {host} refused what the speaker sent: a new talk is needed"),
    _closed(set(), FailureKind.SERVER, Remedy.RESUME, _BROKE_OFF),
)  # fmt: skip


def _refused(codes: set[int], kind: FailureKind, remedy: Remedy, message: str) -> Row:
    return Row(kind, remedy, message, family=Family.REFUSED, codes=frozenset(codes))


_PORTAL = (
    "something else than the Live API answered for {host} (HTTP {code}): a captive portal or a "
    "proxy? sign the network in"
)

_BY_HTTP_STATUS = (
    _refused({401, 403}, FailureKind.KEY, Remedy.STOP, _KEY_REFUSED),
    _refused({404, 405, 426}, FailureKind.SETTINGS, Remedy.STOP,
             "{host} serves no Live API at this address (HTTP {code}): check live.endpoint and "
             "live.api_version"),
    _refused({400}, FailureKind.SETTINGS, Remedy.STOP, _SETTINGS_REFUSED),
    _refused({429}, FailureKind.QUOTA, Remedy.LATER,
             "the quota of the key is used up: wait, or raise it in the key's plan"),
    _refused({200, 204, 300, 301, 302, 303, 307, 308, 511}, FailureKind.PORTAL, Remedy.LATER,
             _PORTAL),
    _refused(set(), FailureKind.SERVER, Remedy.WAIT, "the server {host} answered HTTP {code}: try "
             "again in a few minutes"),
)  # fmt: skip


def _family(family: Family, kind: FailureKind, remedy: Remedy, message: str, text: str = "") -> Row:
    return Row(kind, remedy, message, text=text, family=family)


_CERTIFICATE = "the certificate of {host} is not trusted ({text}): "

_BY_FAMILY = (
    _family(Family.CLOCK, FailureKind.CLOCK, Remedy.WAIT,
            "the clock says {text}, which cannot be: no connection can be trusted until the time "
            "has come from the network (timedatectl shows whether it does)"),
    _family(Family.OFFLINE, FailureKind.OFFLINE, Remedy.WAIT,
            "this speaker is connected to no network ({text}): check Wi-Fi or cable (nmcli or "
            "raspi-config)"),
    _family(Family.NAME, FailureKind.DNS, Remedy.WAIT,
            "the name {host} cannot be resolved ({text}): there is a network, but no DNS; check "
            "the router and its internet connection, or live.endpoint"),
    _family(Family.NETWORK, FailureKind.NETWORK, Remedy.WAIT,
            "no server takes connections at {host} (connection refused): check live.endpoint, "
            "HTTPS_PROXY where it is set, and that the server runs",
            text=r"refused|errno 111"),
    _family(Family.NETWORK, FailureKind.NETWORK, Remedy.WAIT,
            "{host} cannot be reached ({text}): check the network",
            text=r"unreachable|no route|network is down"),
    _family(Family.NETWORK, FailureKind.NETWORK, Remedy.RESUME,
            "the connection to {host} broke ({text}): check the network"),
    _family(Family.CERTIFICATE, FailureKind.TLS, Remedy.WAIT,
            _CERTIFICATE + "the speaker's clock may be wrong; it is set from the network within a "
            "minute of a start (timedatectl shows whether it is): try again then",
            text=r"expired|not yet valid"),
    _family(Family.CERTIFICATE, FailureKind.PORTAL, Remedy.LATER,
            _CERTIFICATE + "something else answers in its place, most likely the sign-in page of "
            "the network: sign the network in",
            text=r"hostname mismatch|ip address mismatch"),
    _family(Family.CERTIFICATE, FailureKind.TLS, Remedy.STOP,
            _CERTIFICATE + "for a private server name its certificate in SSL_CERT_FILE; else "
            "something on the network (a sign-in page, a filter) answers in its place"),
    _family(Family.TLS, FailureKind.TLS, Remedy.STOP,
            "{host} does not speak TLS as it should ({text}): check live.endpoint and proxies"),
    _family(Family.PROXY, FailureKind.PROXY, Remedy.WAIT,
            "the proxy on the way to {host} failed ({text}): check HTTPS_PROXY"),
    Row(FailureKind.NETWORK, Remedy.WAIT,
         "{host} did not answer in time: there is a network, but it leads nowhere; check the "
         "router and its internet connection",
         family=Family.TIMEOUT, places=frozenset({Place.DIAL})),
    Row(FailureKind.TIMEOUT, Remedy.FRESH,
         "{host} never confirmed the resumed talk: a new talk is needed",
         family=Family.TIMEOUT, places=frozenset({Place.SETUP}), resuming=True),
    Row(FailureKind.TIMEOUT, Remedy.WAIT,
         "{host} never confirmed the setup for {model}: it may be overloaded, or refuse a setting "
         "under live: without saying so",
         family=Family.TIMEOUT, places=frozenset({Place.SETUP})),
    _family(Family.TIMEOUT, FailureKind.NETWORK, Remedy.RESUME,
            "the network takes nothing for {host} any more: check the network"),
    Row(FailureKind.SERVER, Remedy.WAIT,
         "{host} answered the setup with something that cannot be read ({text})",
         family=Family.ODD, places=_BEFORE_OPEN),
    _family(Family.ODD, FailureKind.SERVER, Remedy.FRESH,
            "{host} keeps sending what cannot be read ({text})"),
)  # fmt: skip

# What the token server says or does not say. No row below is for it.
_ASKING = frozenset({Place.TOKEN})


def _asked(
    codes: set[int],
    kind: FailureKind,
    remedy: Remedy,
    message: str,
    *,
    family: Family | None = Family.REFUSED,
    text: str = "",
) -> Row:
    return Row(
        kind, remedy, message, text=text, family=family, codes=frozenset(codes), places=_ASKING
    )


_THERE = "the token server {host} "

_BY_TOKEN_SERVER = (
    _asked({401, 403}, FailureKind.TOKEN, Remedy.STOP,
           _THERE + "refused this speaker: put its credential into the file beside the key that "
           "live.token_credential names, then systemctl restart parley"),
    _asked({404, 405, 501}, FailureKind.TOKEN, Remedy.STOP,
           _THERE + "gives out no tokens at this address (HTTP {code}): check live.token_url"),
    _asked({409, 422}, FailureKind.TOKEN, Remedy.STOP,
           _THERE + "lends no token for {model}: name the model in the configuration of the token "
           "server, under live.model or live.fallback_models"),
    _asked({410}, FailureKind.MODEL, Remedy.NEXT_MODEL,
           _THERE + "gets no token for the model {model}, which Google does not have: put another "
           "name from the model table into live.model, on both machines"),
    _asked({429}, FailureKind.TOKEN, Remedy.LATER,
           _THERE + "lends no more tokens for now ({text}): wait, or raise its limit"),
    _asked({502}, FailureKind.TOKEN, Remedy.LATER,
           _THERE + "gets no token, since Google refused it: look at its log, most likely its key "
           "or its account is to be mended"),
    _asked({503, 504}, FailureKind.TOKEN, Remedy.WAIT,
           _THERE + "gets no token from Google now: look at its log"),
    _asked(set(range(200, 400)), FailureKind.TOKEN, Remedy.STOP,
           _THERE + "answers something else than a token (HTTP {code}): check live.token_url; no "
           "redirect is followed"),
    _asked(set(range(500, 600)), FailureKind.TOKEN, Remedy.WAIT,
           _THERE + "answered HTTP {code}: look at its log, and try again in a few minutes"),
    _asked(set(), FailureKind.TOKEN, Remedy.STOP,
           _THERE + "refused what this speaker asked for (HTTP {code}): check live.token_url"),
    _asked(set(), FailureKind.TOKEN, Remedy.STOP,
           _THERE + "answers something else than a token: {text}; check live.token_url",
           family=Family.ODD),
    _asked(set(), FailureKind.DNS, Remedy.WAIT,
           "the name of the token server {host} cannot be resolved ({text}): check live.token_url, "
           "or the router", family=Family.NAME),
    _asked(set(), FailureKind.TLS, Remedy.WAIT,
           "the certificate of the token server {host} is not trusted ({text}): the speaker's "
           "clock may be wrong, or the certificate is to be renewed",
           family=Family.CERTIFICATE, text=r"expired|not yet valid"),
    _asked(set(), FailureKind.TLS, Remedy.STOP,
           "the certificate of the token server {host} is not trusted ({text}): add it to the "
           "system's (update-ca-certificates) or name it in SSL_CERT_FILE, and call the server by "
           "a name that stands in it", family=Family.CERTIFICATE),
    _asked(set(), FailureKind.TLS, Remedy.STOP,
           _THERE + "does not speak TLS as it should ({text}): check live.token_url",
           family=Family.TLS),
    _asked(set(), FailureKind.PROXY, Remedy.WAIT,
           "the proxy on the way to the token server {host} failed ({text}): check HTTPS_PROXY and "
           "NO_PROXY", family=Family.PROXY),
    _asked(set(), FailureKind.NETWORK, Remedy.WAIT,
           _THERE + "did not answer in time: check that it runs, and the network",
           family=Family.TIMEOUT),
    _asked(set(), FailureKind.NETWORK, Remedy.WAIT,
           _THERE + "cannot be reached ({text}): check that it runs, live.token_url, and the "
           "network", family=None),
)  # fmt: skip

_NOT_TAKEN = (
    "the server {host} refused the ephemeral token: it is expired (look at the clocks of this "
    "machine and the token server's), used up, or made for something else; look at live.token_url "
    "and the token server's log"
)
_COUNTED = r"^(?!.*(quota|tokens? (per|count|limit|used)|number of tokens|per (minute|day)))"
"""That words are not about the tokens of text and sound, which are counted and limited."""
# Live API: no list of the words is known. Seen: those about keys, 401 when a used token was used
# again, "The service is currently unavailable." when a session was resumed on one.
_BY_TOKEN = (
    Row(
        FailureKind.TOKEN,
        Remedy.RESUME,
        "the ephemeral token expired in the middle of a connection: look at the clocks of this "
        "machine and the token server's",
        text=_COUNTED + r".*(token.*expired|expired.*token)",
        places=frozenset({Place.OPEN}),
        token=True,
    ),
    Row(
        FailureKind.TOKEN,
        Remedy.STOP,
        _NOT_TAKEN,
        text=_COUNTED + r".*(\btokens?\b.*(expired|invalid|not valid|used|exceeded|not found)"
        r"|(expired|invalid|not valid|used|exceeded).*\btokens?\b|auth_?tokens?\b"
        r"|api[ _]key|unregistered callers|unauthenticated|invalid authentication)",
        token=True,
    ),
    Row(
        FailureKind.TOKEN,
        Remedy.STOP,
        _NOT_TAKEN,
        family=Family.REFUSED,
        codes=frozenset({401, 403}),
        token=True,
    ),
)

_TABLE = (
    *_BY_TOKEN_SERVER,
    *_BY_TOKEN,
    *_BY_TEXT,
    *_BY_CLOSE_CODE,
    *_BY_HTTP_STATUS,
    *_BY_FAMILY,
    Row(FailureKind.SERVER, Remedy.WAIT, "the server {host} reported error {code}"),
)

_ACCOUNT = frozenset({FailureKind.KEY, FailureKind.BILLING, FailureKind.CAP, FailureKind.QUOTA})
_SERVER_SPOKE = frozenset({Family.CLOSED, Family.REFUSED, Family.ERROR})


def diagnose(symptom: Symptom) -> Diagnosis:
    """Return what a failure is and what to do; every symptom has an answer."""
    local = symptom.family not in _SERVER_SPOKE
    # The reason of an error on this device may have the server's words: "Permission denied".
    table = [
        row
        for row in _TABLE
        if not (local and row.kind in _ACCOUNT)
        and (symptom.place is Place.TOKEN) is (row.places == _ASKING)
    ]
    row = next(row for row in table if row.matches(symptom))
    message = row.message.format(
        model=symptom.model, host=symptom.host, text=symptom.text, code=symptom.code
    )
    if symptom.text and symptom.family in _SERVER_SPOKE:
        message += f' (it said: "{symptom.text}")'
    retryable = row.remedy not in {Remedy.NEXT_MODEL, Remedy.STOP}
    at_token_server = symptom.place is Place.TOKEN
    return Diagnosis(Failure(row.kind, message, retryable, at_token_server), row.remedy)
