"""What a token server answers is read strictly, and held by a clock that nobody sets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from device.live.token import LONGEST_S, Held, Token, token_of

NAME = "auth_tokens/4969d96da97639001864b5be08549d58"
DATE = "Mon, 30 Nov 2026 12:00:00 GMT"


def answer(**fields: Any) -> bytes:
    return json.dumps({"name": NAME} | fields).encode()


def test_googles_own_answer_has_only_a_name() -> None:
    """The reference's defaults hold for all that is not told."""
    token = token_of(answer(), 100.0)
    assert (token.expires_at, token.sessions_until, token.uses) == (1_900.0, 160.0, 1)
    assert token.models == ()
    assert token.fits("anything")
    assert NAME not in repr(token)


@pytest.mark.parametrize(
    "names", [("expire_time", "new_session_expire_time"), ("expireTime", "newSessionExpireTime")]
)
def test_times_are_told_by_the_servers_own_clock(names: tuple[str, str]) -> None:
    """A speaker that is years off holds the token as long as anybody else."""
    times = ("2026-11-30T12:10:00.123456789Z", "2026-11-30T13:02:00+01:00")
    token = token_of(answer(**dict(zip(names, times, strict=True)), uses=0), 50.0, DATE)
    assert token.expires_at == pytest.approx(650.1, abs=0.1)
    assert token.sessions_until == 170.0
    assert token.uses == 0


def test_a_session_is_never_opened_later_than_messages_are_taken() -> None:
    """And no token is believed to live longer than Google lets one live."""
    late = answer(
        expire_time="2026-12-30T12:00:00Z", new_session_expire_time="2026-12-30T12:00:00Z"
    )
    assert token_of(late, 0.0, DATE).expires_at == LONGEST_S
    short = answer(expire_time="2026-11-30T12:00:30Z")
    assert token_of(short, 0.0, DATE).sessions_until == 30.0


def test_a_date_that_is_none_is_no_clock() -> None:
    """Then the speaker's own is believed."""
    for date in (None, "", "yesterday", "Mon, 30 Nov 2026 12:00:00"):
        with pytest.raises(ValueError, match="is over: look at the clocks"):
            token_of(answer(expire_time="2001-01-01T00:00:00Z"), 0.0, date)


@pytest.mark.parametrize("zone", ["+99999999999999999999", "+" + "9" * 5_000])
def test_a_date_beyond_all_numbers_is_no_clock(zone: str) -> None:
    """It comes from elsewhere, and a number of Python's own may overflow by it."""
    for date in (f"Mon, 30 Nov 2026 12:00:00 {zone}", f"Mon, 30 Nov {zone[1:]} 12:00:00 GMT"):
        assert token_of(answer(), 0.0, date).expires_at == 1_800.0


def test_a_token_is_fit_for_a_header() -> None:
    """Letters that ASCII does not have are in none."""
    with pytest.raises(ValueError, match='has no "name"'):
        token_of(answer(name="auth_tokens/äöüäöüäöüäöü"), 0.0)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (b"<html>", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", 'no "name"'),
        (answer(name=7), 'no "name"'),
        (answer(name="authTokens/4969d96da976"), 'no "name"'),
        (answer(name="auth_tokens/with space"), 'no "name"'),
        (answer(name="auth_tokens/x\r\nX-Evil: 1"), 'no "name"'),
        (answer(uses=-1), '"uses"'),
        (answer(uses=True), '"uses"'),
        (answer(uses="1"), '"uses"'),
        (answer(expire_time=12), '"expire_time" is no time'),
        (answer(expireTime="2026-11-30"), '"expire_time" is no time'),
        (answer(expire_time="2026-11-30T12:00:00"), '"expire_time" is no time'),
        (answer(expire_time="2026-13-30T12:00:00Z"), '"expire_time" is no time'),
        (answer(expire_time="x" * 50), '"expire_time" is no time'),
        (answer(models="gemini"), '"models" is no list'),
        (answer(models=["a"] * 33), '"models" is no list'),
        (answer(models=["a b"]), "no list of names"),
        (answer(models=[1]), "no list of names"),
    ],
)
def test_anything_else_is_refused_in_words_that_hold_nothing_of_it(told: bytes, words: str) -> None:
    """What should have been a secret may be one."""
    with pytest.raises(ValueError, match=words) as caught:
        token_of(told, 0.0, DATE)
    assert "4969" not in str(caught.value)


def token(uses: int = 1, life_s: float = 1_800.0, sessions_s: float = 60.0) -> Token:
    return Token(NAME, 0.0, life_s, sessions_s, uses, ("gemini-3.8-live",))


def test_a_token_that_is_locked_fits_its_models_only() -> None:
    """With and without the prefix that Google writes."""
    assert token().fits("models/gemini-3.8-live")
    assert token().fits("gemini-3.8-live")
    assert not token().fits("gemini-3.1-flash-live-preview")


def test_a_token_opens_as_many_sessions_as_it_is_good_for_and_not_too_late() -> None:
    """0 is any number; the end for new sessions is kept away from by some seconds."""
    held = Held(token(uses=2))
    assert held.opens(50.0)
    assert not held.opens(57.5)
    held.sessions = 2
    assert not held.opens(10.0)
    assert Held(token(uses=0), sessions=100).opens(10.0)


def test_a_used_token_resumes_until_it_is_old() -> None:
    """Also after its end for new sessions; one that was never used is for a new one."""
    assert not Held(token()).resumes(60.0, counts=False)
    held = Held(token(), sessions=1, used=True)
    assert held.resumes(1_600.0, counts=False)
    assert not held.resumes(1_690.0, counts=False)
    assert not held.resumes(10.0, counts=True)
    short = Held(token(life_s=100.0), sessions=1, used=True)
    assert short.resumes(49.0, counts=False)
    assert not short.resumes(51.0, counts=False)
