"""Every row of the failure table, found by the words and codes that people met."""

from __future__ import annotations

import pytest

from device.live.failures import Remedy, diagnose
from device.live.symptoms import Family, Place, Symptom
from device.news import FailureKind as Kind
from device.simulator.refusals import ACCESS_DENIED, ACCOUNT_CAP, API_BLOCKED, PROJECT_CAP

LONGEST_REASON = 123
"""Of a close frame, in bytes: longer words are cut there. RFC 6455, section 5.5."""
GO_AWAY = (
    "Connection aborted because the client failed to close the connection after receiving a GoAway "
    "signal once the session durat"
)
NO_MODEL = (
    "models/gemini-9 is not found for API version v1beta, or is not supported for "
    "bidiGenerateContent. Call"
)
QUOTA = "You exceeded your current quota, please check your plan and billing details. For more inf"
INVALID = "Request contains an invalid argument."
UNSUPPORTED = "Operation is not implemented, or supported, or enabled."


@pytest.mark.parametrize(
    ("code", "text", "kind", "remedy"),
    [
        (1000, "The operation was cancelled.", Kind.SERVER, Remedy.RESUME),
        (1000, "", Kind.SERVER, Remedy.RESUME),
        (1001, "", Kind.SERVER, Remedy.RESUME),
        (1006, "", Kind.NETWORK, Remedy.RESUME),
        (1006, "keepalive ping timeout", Kind.NETWORK, Remedy.RESUME),
        (1007, INVALID, Kind.SERVER, Remedy.FRESH),
        (1007, "API key not valid. Please pass a valid API key.", Kind.KEY, Remedy.STOP),
        (1007, "Cannot extract voices from a non-audio request", Kind.SETTINGS, Remedy.STOP),
        (
            1007,
            'Invalid JSON payload received. Unknown name "scheduling"',
            Kind.SETTINGS,
            Remedy.STOP,
        ),
        (1008, GO_AWAY, Kind.SERVER, Remedy.RESUME),
        (1008, NO_MODEL, Kind.MODEL, Remedy.NEXT_MODEL),
        (1008, "Requested entity was not found.", Kind.SERVER, Remedy.FRESH),
        (1008, UNSUPPORTED, Kind.SERVER, Remedy.FRESH),
        (1008, "The operation was aborted", Kind.SERVER, Remedy.RESUME),
        (1009, "", Kind.SERVER, Remedy.FRESH),
        (1011, "Deadline expired before operation could complete.", Kind.SERVER, Remedy.RESUME),
        (1011, "Internal error encountered.", Kind.SERVER, Remedy.RESUME),
        (1011, "Internal error occurred.", Kind.SERVER, Remedy.RESUME),
        (1011, "The service is currently unavailable.", Kind.SERVER, Remedy.WAIT),
        (1011, "OVERLOADED_TOO_MANY_RETRIES_PER_REQUEST", Kind.SERVER, Remedy.WAIT),
        (1011, QUOTA, Kind.QUOTA, Remedy.LATER),
        (1011, "RESOURCE_EXHAUSTED", Kind.QUOTA, Remedy.LATER),
        (1011, "Your prepayment credits are depleted", Kind.BILLING, Remedy.STOP),
        (1011, "something new", Kind.SERVER, Remedy.RESUME),
        (1013, "", Kind.SERVER, Remedy.WAIT),
    ],
)
def test_close_of_an_open_connection(code: int, text: str, kind: Kind, remedy: Remedy) -> None:
    """Live API: the close codes and reasons of an open session, the reason deciding first."""
    found = diagnose(Symptom(Place.OPEN, Family.CLOSED, code, text))
    assert (found.failure.kind, found.remedy) == (kind, remedy)


@pytest.mark.parametrize(
    ("code", "text", "resuming", "kind", "remedy"),
    [
        (1000, "", False, Kind.SETTINGS, Remedy.STOP),
        (1006, "", False, Kind.NETWORK, Remedy.RESUME),
        (1007, INVALID, False, Kind.SETTINGS, Remedy.STOP),
        (1007, INVALID, True, Kind.SERVER, Remedy.FRESH),
        (1008, NO_MODEL, True, Kind.MODEL, Remedy.NEXT_MODEL),
        (1008, "Requested entity was not found.", True, Kind.SERVER, Remedy.FRESH),
        (1008, "Requested entity was not found.", False, Kind.MODEL, Remedy.NEXT_MODEL),
        (1008, "Session has expired", True, Kind.SERVER, Remedy.FRESH),
        (1008, UNSUPPORTED, False, Kind.SETTINGS, Remedy.STOP),
        (
            1008,
            "User location is not supported for the API use.",
            False,
            Kind.SETTINGS,
            Remedy.STOP,
        ),
        (1011, "Internal error encountered.", True, Kind.SERVER, Remedy.RESUME),
    ],
)
def test_close_during_setup(
    code: int, text: str, resuming: bool, kind: Kind, remedy: Remedy
) -> None:
    """What repeats with the same settings stops; what comes from a handle goes on without it."""
    found = diagnose(Symptom(Place.SETUP, Family.CLOSED, code, text, resuming))
    assert (found.failure.kind, found.remedy) == (kind, remedy)


@pytest.mark.parametrize(
    ("status", "text", "kind", "remedy"),
    [
        (401, "", Kind.KEY, Remedy.STOP),
        (403, "Method doesn't allow unregistered callers", Kind.KEY, Remedy.STOP),
        (403, "Generative Language API has not been used in project 1", Kind.KEY, Remedy.STOP),
        (400, "API key not valid. Please pass a valid API key.", Kind.KEY, Remedy.STOP),
        (400, "", Kind.SETTINGS, Remedy.STOP),
        (404, "", Kind.SETTINGS, Remedy.STOP),
        (429, "", Kind.QUOTA, Remedy.LATER),
        (302, "", Kind.PORTAL, Remedy.LATER),
        (200, "", Kind.PORTAL, Remedy.LATER),
        (503, "", Kind.SERVER, Remedy.WAIT),
    ],
)
def test_refused_upgrade(status: int, text: str, kind: Kind, remedy: Remedy) -> None:
    """An HTTP answer instead of a WebSocket."""
    found = diagnose(Symptom(Place.DIAL, Family.REFUSED, status, text))
    assert (found.failure.kind, found.remedy) == (kind, remedy)


@pytest.mark.parametrize(
    ("symptom", "kind", "remedy", "words"),
    [
        (Symptom(Place.DIAL, Family.CLOCK, text="1970"), Kind.CLOCK, Remedy.WAIT, "says 1970"),
        (Symptom(Place.DIAL, Family.OFFLINE), Kind.OFFLINE, Remedy.WAIT, "no network"),
        (Symptom(Place.DIAL, Family.NAME), Kind.DNS, Remedy.WAIT, "cannot be resolved"),
        (
            Symptom(Place.DIAL, Family.NETWORK, 0, "Connection refused"),
            Kind.NETWORK,
            Remedy.WAIT,
            "connection refused",
        ),
        (
            Symptom(Place.DIAL, Family.NETWORK, 0, "Network is unreachable"),
            Kind.NETWORK,
            Remedy.WAIT,
            "cannot be reached",
        ),
        (
            Symptom(Place.DIAL, Family.NETWORK, 0, "Connection reset by peer"),
            Kind.NETWORK,
            Remedy.RESUME,
            "broke",
        ),
        (
            Symptom(Place.DIAL, Family.CERTIFICATE, 0, "certificate is not yet valid"),
            Kind.TLS,
            Remedy.WAIT,
            "clock may be wrong; it is set from the network within a minute of a start",
        ),
        (
            Symptom(Place.DIAL, Family.CERTIFICATE, 0, "self-signed certificate"),
            Kind.TLS,
            Remedy.STOP,
            "SSL_CERT_FILE",
        ),
        (Symptom(Place.DIAL, Family.TLS, 0, "WRONG_VERSION_NUMBER"), Kind.TLS, Remedy.STOP, "TLS"),
        (
            Symptom(Place.DIAL, Family.CERTIFICATE, 0, "Hostname mismatch, certificate is not"),
            Kind.PORTAL,
            Remedy.LATER,
            "sign the network in",
        ),
        (Symptom(Place.DIAL, Family.PROXY), Kind.PROXY, Remedy.WAIT, "proxy"),
        (Symptom(Place.DIAL, Family.TIMEOUT), Kind.NETWORK, Remedy.WAIT, "did not answer"),
        (Symptom(Place.SETUP, Family.TIMEOUT), Kind.TIMEOUT, Remedy.WAIT, "never confirmed"),
        (
            Symptom(Place.SETUP, Family.TIMEOUT, resuming=True),
            Kind.TIMEOUT,
            Remedy.FRESH,
            "never confirmed the resumed",
        ),
        (Symptom(Place.OPEN, Family.TIMEOUT), Kind.NETWORK, Remedy.RESUME, "takes nothing"),
        (Symptom(Place.SETUP, Family.ODD), Kind.SERVER, Remedy.WAIT, "cannot be read"),
        (Symptom(Place.OPEN, Family.ODD), Kind.SERVER, Remedy.FRESH, "keeps sending"),
        (Symptom(Place.OPEN, Family.ERROR, 418), Kind.SERVER, Remedy.WAIT, "error 418"),
    ],
)
def test_failure_without_a_close_frame(
    symptom: Symptom, kind: Kind, remedy: Remedy, words: str
) -> None:
    """Network, TLS, proxy, silence and nonsense are told apart."""
    found = diagnose(symptom)
    assert (found.failure.kind, found.remedy) == (kind, remedy)
    assert words in found.failure.message


@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("resuming", [False, True])
def test_every_symptom_has_an_answer(place: Place, family: Family, resuming: bool) -> None:
    """Codes and words nobody has seen yet end somewhere, with a message."""
    for code in (0, 1000, 1007, 4999, 599):
        found = diagnose(Symptom(place, family, code, "{never} seen", resuming, "model", "host"))
        assert found.failure.message
        assert found.failure.retryable == (
            found.remedy in {Remedy.RESUME, Remedy.FRESH, Remedy.WAIT, Remedy.LATER}
        )


def test_message_tells_the_owner_what_to_do_and_what_the_server_said() -> None:
    """A wrong key names its file and the restart; the server's words are quoted once."""
    message = diagnose(
        Symptom(Place.SETUP, Family.CLOSED, 1007, "API key not valid.", model="m", host="h")
    ).failure.message
    assert "/etc/parley/credentials/gemini_api_key" in message
    assert "systemctl restart parley" in message
    assert message.count('"API key not valid."') == 1


@pytest.mark.parametrize("place", [Place.SETUP, Place.OPEN])
@pytest.mark.parametrize(
    ("code", "text", "kind", "remedy", "advice"),
    [
        (1008, ACCESS_DENIED, Kind.KEY, Remedy.NEXT_MODEL, "Google refuses the project behind"),
        (1008, PROJECT_CAP, Kind.CAP, Remedy.STOP, "billing page of the key's account"),
        (1011, PROJECT_CAP, Kind.CAP, Remedy.STOP, "billing page of the key's account"),
        (1008, ACCOUNT_CAP, Kind.CAP, Remedy.STOP, "billing page of the key's account"),
        (1011, ACCOUNT_CAP, Kind.CAP, Remedy.STOP, "billing page of the key's account"),
        (1008, API_BLOCKED, Kind.KEY, Remedy.STOP, "take the key's API restriction off"),
    ],
)
def test_who_is_to_blame_for_a_refused_account(
    place: Place, code: int, text: str, kind: Kind, remedy: Remedy, advice: str
) -> None:
    """Before or in a session, and as much of the words as a close frame has room for."""
    found = diagnose(Symptom(place, Family.CLOSED, code, text[:LONGEST_REASON], model="m"))
    assert (found.failure.kind, found.remedy) == (kind, remedy)
    assert advice in found.failure.message


def test_a_cap_of_google_is_told_from_the_speakers_own_limit_and_from_an_empty_account() -> None:
    """Where it is raised, when it is over, and which command has nothing to do with it."""
    cap = diagnose(Symptom(Place.OPEN, Family.CLOSED, 1011, ACCOUNT_CAP)).failure
    for words in (
        "Google's own spending cap",
        "https://aistudio.google.com",
        "wait for the first of the month",
        "`parley spending allow` raises the speaker's own limit only",
    ):
        assert words in cap.message
    assert not cap.retryable
    empty = diagnose(Symptom(Place.OPEN, Family.CLOSED, 1011, "Your billing account must be paid"))
    assert empty.failure.kind is Kind.BILLING
    assert "spending" not in empty.failure.message


@pytest.mark.parametrize("family", [Family.NETWORK, Family.TLS, Family.PROXY, Family.ODD])
def test_no_error_on_this_device_is_a_cap(family: Family) -> None:
    """Only who bills can say so."""
    found = diagnose(Symptom(Place.DIAL, family, 0, "the monthly budget limit was exceeded"))
    assert found.failure.kind is not Kind.CAP


def test_message_names_model_and_host() -> None:
    """The thing that failed is in the message."""
    model = diagnose(Symptom(Place.SETUP, Family.CLOSED, 1008, NO_MODEL, model="gemini-9"))
    assert "does not have the model gemini-9" in model.failure.message
    assert not model.failure.retryable
    host = diagnose(Symptom(Place.DIAL, Family.NAME, host="example.org"))
    assert "example.org" in host.failure.message


def test_permission_denied_on_this_device_is_no_wrong_key() -> None:
    """A firewall's word sounds like the server's."""
    symptom = Symptom(Place.DIAL, Family.NETWORK, 0, "Permission denied")
    assert diagnose(symptom).failure.kind is Kind.NETWORK


@pytest.mark.parametrize(
    ("place", "family", "code", "text"),
    [
        (Place.DIAL, Family.REFUSED, 401, ""),
        (Place.DIAL, Family.REFUSED, 403, "Method doesn't allow unregistered callers"),
        (Place.SETUP, Family.CLOSED, 1007, "API key not valid. Please pass a valid API key."),
        (Place.SETUP, Family.CLOSED, 1008, "Token has been used up."),
        (Place.SETUP, Family.CLOSED, 1008, "auth_token expired"),
        (Place.SETUP, Family.ERROR, 401, "Request had invalid authentication credentials."),
    ],
)
def test_a_refused_token_is_no_wrong_key(
    place: Place, family: Family, code: int, text: str
) -> None:
    """The same words mean another thing where no key was sent; with one they mean the key."""
    lent = diagnose(Symptom(place, family, code, text, token=True, host="example.org"))
    assert (lent.failure.kind, lent.remedy) == (Kind.TOKEN, Remedy.STOP)
    assert "example.org refused the ephemeral token" in lent.failure.message
    owned = diagnose(Symptom(place, family, code, text, host="example.org"))
    assert owned.failure.kind is not Kind.TOKEN


def test_what_has_nothing_to_do_with_the_token_is_what_it_is() -> None:
    """Quota, a model that is gone, a setting, a network: as with a key."""
    for text, code, kind in (
        (QUOTA, 1011, Kind.QUOTA),
        (NO_MODEL, 1008, Kind.MODEL),
        (PROJECT_CAP, 1008, Kind.CAP),
        ("", 1006, Kind.NETWORK),
    ):
        found = diagnose(Symptom(Place.SETUP, Family.CLOSED, code, text, token=True))
        assert found.failure.kind is kind
    setting = diagnose(Symptom(Place.SETUP, Family.CLOSED, 1007, INVALID, token=True))
    assert (setting.failure.kind, setting.remedy) == (Kind.SETTINGS, Remedy.STOP)
    assert "or the token is locked to other settings" in setting.failure.message


def test_a_token_that_ends_in_a_connection_is_followed_by_another() -> None:
    """The talk goes on; that it happened says that two clocks do not agree."""
    symptom = Symptom(Place.OPEN, Family.CLOSED, 1008, "Token has expired.", token=True)
    found = diagnose(symptom)
    assert (found.failure.kind, found.remedy) == (Kind.TOKEN, Remedy.RESUME)
    assert "look at the clocks" in found.failure.message


@pytest.mark.parametrize("family", list(Family))
def test_the_token_server_has_rows_of_its_own(family: Family) -> None:
    """Whatever it says or does not say is told of it, and never of the Live API."""
    found = diagnose(Symptom(Place.TOKEN, family, 0, "words", host="tokens.home.arpa"))
    assert "token server tokens.home.arpa" in found.failure.message
    assert found.failure.at_token_server
    assert not diagnose(Symptom(Place.SETUP, family, 0, "words")).failure.at_token_server
    assert "live.endpoint" not in found.failure.message


@pytest.mark.parametrize(
    "words",
    [
        "Quota exceeded for quota metric 'Live input tokens per minute'",
        "You exceeded your current quota, please check your plan: 1000000 tokens per day",
        "Token limit exceeded for this session",
        "The number of tokens used is too large",
    ],
)
def test_tokens_that_are_counted_are_none_that_is_lent(words: str) -> None:
    """What is said of those is the same, whatever lets the speaker in."""
    for place, code in ((Place.OPEN, 1011), (Place.SETUP, 1011)):
        told = [
            diagnose(Symptom(place, Family.CLOSED, code, words, False, "m", "h", token))
            for token in (False, True)
        ]
        assert told[0] == told[1]
