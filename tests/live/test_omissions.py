"""A setup that was refused is tried again with less in it, once in each way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from device.live.omissions import FREE_TIER, PAID_ONLY, Omissions
from device.live.refusals import PLAN_S, Field, Refusals
from device.live.symptoms import Family, Place, Symptom
from device.news import Failure, FailureKind

M = "a-model"
NOW = 1_800_000_000.0
FIELDS = frozenset({Field.VOICE, Field.LANGUAGE, Field.SEARCH})
REFUSED = Symptom(Place.SETUP, Family.CLOSED, 1007, "invalid argument")
SETTINGS = Failure(FailureKind.SETTINGS, "the server refuses the settings", retryable=False)
QUOTA = Failure(FailureKind.QUOTA, "the quota is used up", retryable=False)
SERVER = Failure(FailureKind.SERVER, "the server has an error", retryable=True)


class Session:
    """The omissions of one session, and what was told of them."""

    def __init__(self, refusals: Refusals | None = None) -> None:
        self.refusals = refusals or Refusals()
        self.told: list[tuple[Field, str, str]] = []
        self.omissions = Omissions(self.refusals, self._tell)

    def _tell(self, field: Field, model: str, reason: str) -> None:
        self.told.append((field, model, reason))

    def sends(self, fields: frozenset[Field] = FIELDS) -> frozenset[Field]:
        """What the next setup has of these."""
        without = self.omissions.of_next(M, fields, NOW)
        assert without <= fields
        return fields - without


def test_a_refused_setup_is_tried_bare_once() -> None:
    """Which field it was is not known yet, so nothing is told; a second refusal is the end."""
    session = Session()
    assert session.sends() == FIELDS
    assert session.omissions.tries_less(REFUSED, SETTINGS, M)
    assert session.sends() == frozenset()
    assert not session.omissions.tries_less(REFUSED, SETTINGS, M)
    assert session.told == []


def test_a_bare_setup_that_opened_clears_nobody() -> None:
    """Nothing that is suspected was in it: the next session still tries one field."""
    session = Session()
    session.sends()
    session.omissions.tries_less(REFUSED, SETTINGS, M)
    session.sends()
    session.omissions.opened(M, NOW)
    assert Session(session.refusals).sends() == {Field.VOICE}


def test_the_field_that_is_to_blame_is_told_and_the_rest_is_sent() -> None:
    """The session that tries the guilty one alone goes on with all others at once."""
    first = Session()
    first.sends()
    first.omissions.tries_less(REFUSED, SETTINGS, M)
    second = Session(first.refusals)
    assert second.sends() == {Field.VOICE}
    assert second.omissions.tries_less(REFUSED, SETTINGS, M)
    assert second.told == [(Field.VOICE, M, REFUSED.text)]
    assert second.sends() == FIELDS - {Field.VOICE}
    second.omissions.opened(M, NOW)
    assert Session(first.refusals).sends() == FIELDS - {Field.VOICE}


@pytest.mark.parametrize(
    ("symptom", "failure"),
    [
        (REFUSED, QUOTA),
        (replace(REFUSED, code=1008, text=f"only on a {FREE_TIER.upper()}"), SERVER),
    ],
)
def test_search_that_a_plan_lacks_is_left_out_for_a_day(symptom: Symptom, failure: Failure) -> None:
    """It is told when the talk has opened without it, and once."""
    session = Session()
    session.sends()
    assert session.omissions.tries_less(symptom, failure, M)
    assert session.sends() == FIELDS - {Field.SEARCH}
    assert session.told == []
    for _ in range(2):
        session.omissions.opened(M, NOW)
    assert session.told == [(Field.SEARCH, M, PAID_ONLY)]
    next_one = Session(session.refusals)
    assert next_one.sends() == FIELDS - {Field.SEARCH}
    assert next_one.omissions.of_next(M, FIELDS, NOW + PLAN_S) == frozenset()


def test_a_quota_that_is_not_about_search_ends_the_session() -> None:
    """After one try without it; and nothing is held against search, since nothing opened."""
    session = Session()
    session.sends()
    assert session.omissions.tries_less(REFUSED, QUOTA, M)
    session.sends()
    assert not session.omissions.tries_less(REFUSED, QUOTA, M)
    assert session.refusals.known(M, NOW) == []


def test_where_no_search_was_sent_a_quota_is_a_quota() -> None:
    """There is nothing to leave out that a plan could lack."""
    session = Session()
    session.sends(FIELDS - {Field.SEARCH})
    assert not session.omissions.tries_less(REFUSED, QUOTA, M)


@pytest.mark.parametrize(
    "symptom",
    [
        replace(REFUSED, place=Place.DIAL),
        replace(REFUSED, place=Place.OPEN),
        replace(REFUSED, resuming=True),
        replace(REFUSED, family=Family.REFUSED),
    ],
)
def test_what_is_no_refusal_of_a_fresh_setup_leaves_nothing_out(symptom: Symptom) -> None:
    """A handle may be what was refused; before and after a setup it is something else."""
    session = Session()
    session.sends()
    assert not session.omissions.tries_less(symptom, SETTINGS, M)
    assert session.sends() == FIELDS


def test_a_setup_with_nothing_to_leave_out_is_not_tried_again() -> None:
    """It would be the same one."""
    session = Session()
    session.sends(frozenset())
    assert not session.omissions.tries_less(REFUSED, SETTINGS, M)


def test_another_failure_at_the_setup_leaves_nothing_out() -> None:
    """A server with an error may take the same setup a moment later."""
    session = Session()
    session.sends()
    assert not session.omissions.tries_less(REFUSED, SERVER, M)
    assert session.sends() == FIELDS
