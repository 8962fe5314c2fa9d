"""Which token a connection is made with: the one that is there, or another in time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from device.live.link import LinkError
from device.live.symptoms import Family, Place, Symptom
from device.live.token import Token
from device.live.token_server import TokenServer
from device.live.tokens import Tokens

MODEL = "gemini-3.8-live"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


@dataclass(frozen=True)
class Source(TokenServer):
    """Lends what it is told to lend, or fails as it is told to."""

    terms: dict[str, float] = field(default_factory=dict)
    failing: list[Symptom] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def fetch(self, model: str) -> Token:
        self.asked.append(model)
        if self.failing:
            raise LinkError(self.failing[0])
        now = time.monotonic()
        life, sessions = self.terms.get("life_s", 1_800.0), self.terms.get("sessions_s", 60.0)
        name = f"auth_tokens/number-{len(self.asked)}"
        return Token(name, now, now + life, now + sessions, int(self.terms.get("uses", 1)))


def tokens(**terms: float) -> tuple[Tokens, Source]:
    source = Source("https://tokens.home.arpa/token", terms=terms)
    return Tokens(source), source


def refused(
    place: Place = Place.SETUP,
    family: Family = Family.CLOSED,
    code: int = 1008,
    text: str = "",
    *,
    resuming: bool = False,
) -> Symptom:
    return Symptom(place, family, code, text, resuming, MODEL, "host", token=True)


async def number(kept: Tokens, *, resuming: bool = False, model: str = MODEL) -> int:
    token = await kept.get(model, resuming=resuming)
    return int(token.name.rpartition("-")[2])


async def test_one_session_one_token(clock: Clock) -> None:
    """It resumes on the token it began with, and the next session begins with another."""
    kept, source = tokens()
    assert await number(kept) == 1
    kept.took(resuming=False)
    for _ in range(2):
        clock.now += 540
        assert await number(kept, resuming=True) == 1
        kept.took(resuming=True)
    assert await number(kept) == 2
    assert source.asked == [MODEL, MODEL]
    assert kept.fetched == 2


async def test_a_token_grows_older_while_the_computer_sleeps(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLOCK_MONOTONIC does not, and what it says is over would be shown to Google."""
    asleep = [0.0]
    monkeypatch.setattr(time, "clock_gettime", lambda _: clock.now + asleep[0])
    kept, _ = tokens(uses=0, sessions_s=1_800.0)
    assert await number(kept) == 1
    kept.took(resuming=False)
    for slept, newest in ((600.0, 1), (1_100.0, 2), (0.0, 2), (7_200.0, 3)):
        asleep[0] += slept
        assert await number(kept) == newest, slept
        kept.took(resuming=False)


async def test_an_unused_token_is_kept_until_it_opens_no_session_any_more(clock: Clock) -> None:
    """A network that was away for a moment costs no token; a minute later it is useless."""
    kept, _ = tokens()
    assert await number(kept) == 1
    assert not kept.lost(refused(Place.DIAL, Family.NETWORK, 0))
    clock.now += 50
    assert await number(kept) == 1
    clock.now += 8
    assert await number(kept) == 2
    clock.now += 58
    assert await number(kept, resuming=True) == 3, "nor does it resume an older talk"


async def test_a_token_for_many_sessions_is_used_for_many(clock: Clock) -> None:
    """As long as it opens sessions; 0 is any number."""
    kept, _ = tokens(uses=0, sessions_s=1_000)
    for _ in range(5):
        assert await number(kept) == 1
        kept.took(resuming=False)
    clock.now += 998
    assert await number(kept) == 2
    twice, _ = tokens(uses=2, sessions_s=1_000)
    for expected in (1, 1, 2):
        assert await number(twice) == expected
        twice.took(resuming=False)


async def test_another_is_asked_for_before_the_old_one_ends(clock: Clock) -> None:
    """And where there is none to be had the old one does until it is worth nothing."""
    kept, source = tokens()
    await number(kept)
    kept.took(resuming=False)
    source.failing.append(Symptom(Place.TOKEN, Family.NETWORK))
    clock.now += 1_700
    assert await number(kept, resuming=True) == 1
    assert len(source.asked) == 2
    clock.now += 80
    assert await number(kept, resuming=True) == 1
    clock.now += 10
    with pytest.raises(LinkError):
        await number(kept, resuming=True)
    source.failing.clear()
    assert await number(kept, resuming=True) == 5
    kept.took(resuming=False)
    source.failing.append(Symptom(Place.TOKEN, Family.NETWORK))
    with pytest.raises(LinkError):
        await number(kept)


@pytest.mark.parametrize(
    "symptom",
    [
        refused(resuming=True, text="Token has been used up."),
        refused(resuming=True, code=1011, text="The service is currently unavailable."),
        refused(Place.DIAL, Family.REFUSED, 401, resuming=True),
        refused(resuming=True, family=Family.ERROR, code=401),
    ],
)
async def test_a_used_token_that_is_refused_gives_way_to_another_at_once(
    clock: Clock, symptom: Symptom
) -> None:
    """Whatever the server says; and from then on resuming is known to count as a use."""
    kept, _ = tokens()
    await number(kept)
    kept.took(resuming=False)
    clock.now += 540
    await number(kept, resuming=True)
    assert kept.lost(symptom)
    assert await number(kept, resuming=True) == 2
    kept.took(resuming=True)
    clock.now += 30
    assert await number(kept, resuming=True) == 3, "nobody runs into it twice"


async def test_what_is_refused_with_a_fresh_token_too_is_no_matter_of_tokens(clock: Clock) -> None:
    """It is judged like any connection, and nothing is learned of tokens by it."""
    kept, _ = tokens()
    await number(kept)
    kept.took(resuming=False)
    await number(kept, resuming=True)
    gone = refused(resuming=True, text="Requested entity was not found.")
    assert kept.lost(gone)
    assert await number(kept, resuming=True) == 2
    assert not kept.lost(gone)
    assert await number(kept) == 3
    kept.took(resuming=False)
    clock.now += 30
    assert await number(kept, resuming=True) == 3


async def test_what_is_no_refusal_takes_no_token_away(clock: Clock) -> None:
    """A network that breaks, a server that is cut off, a token server that says no."""
    kept, _ = tokens()
    await number(kept)
    kept.took(resuming=False)
    await number(kept, resuming=True)
    for symptom in (
        refused(Place.DIAL, Family.NETWORK, 0),
        refused(Place.SETUP, Family.TIMEOUT, 0),
        refused(Place.SETUP, Family.CLOSED, 1006),
        refused(Place.OPEN, Family.CLOSED, 1011, "Internal error encountered."),
        refused(Place.TOKEN, Family.REFUSED, 401),
    ):
        assert not kept.lost(symptom)
    clock.now += 10
    assert await number(kept, resuming=True) == 1
    assert not Tokens(TokenServer("https://x/")).lost(refused())


async def test_a_connection_that_its_token_has_ended_goes_on_with_another(clock: Clock) -> None:
    """At its end at once; before that, where the clocks do not agree, as any that was lost."""
    kept, _ = tokens()
    await number(kept)
    kept.took(resuming=False)
    early = refused(Place.OPEN, text="Token has expired.")
    assert not kept.lost(early)
    assert await number(kept, resuming=True) == 2
    kept.took(resuming=True)
    clock.now += 1_790
    assert kept.lost(refused(Place.OPEN, text="no reason that anybody knows"))
    assert await number(kept, resuming=True) == 3


async def test_a_server_that_wants_a_pause_is_not_asked_meanwhile(clock: Clock) -> None:
    """What it said is told again, without a word to it."""
    kept, source = tokens()
    source.failing.append(Symptom(Place.TOKEN, Family.REFUSED, 429, pause_s=40.0))
    for wait in (0, 39):
        clock.now += wait
        with pytest.raises(LinkError) as caught:
            await number(kept)
        assert caught.value.symptom.code == 429
    assert len(source.asked) == 1
    clock.now += 2
    source.failing.clear()
    assert await number(kept) == 2
