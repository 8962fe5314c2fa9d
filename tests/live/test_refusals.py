"""Which field of a setup is refused is found out, and remembered."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.live.refusals import PLAN_S, Field, Refusals

M = "a-model"
NOW = 1_800_000_000.0


def sends(refusals: Refusals, model: str = M) -> set[Field]:
    return set(Field) - refusals.left_out(model, NOW)


@given(guilty=st.sampled_from(Field))
def test_the_guilty_field_is_found_in_as_many_sessions_as_there_are(guilty: Field) -> None:
    """Each tries one more; none but the guilty one is left out then, and no session fails."""
    refusals = Refusals()
    assert refusals.refuse(M, sends(refusals)) is None
    found = None
    for _ in Field:
        sent = sends(refusals)
        if guilty not in sent:
            refusals.open(M, sent)
            continue
        found = refusals.refuse(M, sent)
        break
    assert found is guilty
    assert sends(refusals) == set(Field) - {guilty}
    refusals.open(M, sends(refusals))
    assert refusals.known(M, NOW) == [guilty]


def test_two_guilty_fields_are_found_one_after_the_other() -> None:
    """A refusal of what is left begins the search anew."""
    guilty = {Field.LANGUAGE, Field.VOICE}
    refusals = Refusals()
    for _ in range(40):
        sent = sends(refusals)
        if sent & guilty:
            refusals.refuse(M, sent)
        else:
            refusals.open(M, sent)
    assert set(refusals.known(M, NOW)) == guilty
    assert sends(refusals) == set(Field) - guilty


def test_the_only_field_of_a_setup_is_the_guilty_one() -> None:
    """There is nothing to be tried."""
    refusals = Refusals()
    assert refusals.refuse(M, [Field.VOICE]) is Field.VOICE


def test_one_model_is_not_another() -> None:
    """Nor is what one refuses known of the next."""
    refusals = Refusals()
    refusals.refuse(M, [Field.VOICE])
    assert sends(refusals, "another") == set(Field)


def test_what_a_plan_does_not_include_is_asked_for_again_after_a_day() -> None:
    """The owner may have paid."""
    refusals = Refusals()
    refusals.needs_another_plan(M, Field.SEARCH, NOW)
    assert refusals.left_out(M, NOW + PLAN_S - 1) == {Field.SEARCH}
    assert refusals.left_out(M, NOW + PLAN_S) == frozenset()


@pytest.mark.parametrize(
    ("version", "key", "settings"),
    [("2", "a key", "so"), ("1", "another", "so"), ("1", "a key", "otherwise")],
)
def test_another_version_or_key_or_setting_forgets_all_of_it(
    version: str, key: str, settings: str
) -> None:
    """The same does not; the key itself is not in what is written down."""
    refusals = Refusals()
    refusals.renew("1", "a key", "so")
    refusals.refuse(M, [Field.VOICE])
    refusals.renew("1", "a key", "so")
    assert refusals.known(M, NOW) == [Field.VOICE]
    assert "a key" not in json.dumps(refusals.as_record())
    refusals.renew(version, key, settings)
    assert refusals.known(M, NOW) == []


def test_it_outlives_the_process() -> None:
    """Through JSON; suspects too."""
    refusals = Refusals()
    refusals.renew("1", "a key")
    refusals.refuse(M, [Field.VOICE])
    refusals.refuse("another", Field)
    again = Refusals()
    again.restore(json.loads(json.dumps(refusals.as_record())))
    assert again.as_record() == refusals.as_record()


@pytest.mark.parametrize(
    "record",
    [
        *(None, [], {}, {"of": "", "refused": [], "suspects": {}}),
        {"of": "x", "refused": {"m": {"no.such": 0}}, "suspects": {}},
        {"of": "x", "refused": {"m": {"live.voice": "x"}}, "suspects": {}},
        {"of": "x", "refused": {}, "suspects": {"m": 3}},
    ],
)
def test_a_record_that_is_none_is_nothing_learned(record: object) -> None:
    """Never an error, and never half of it."""
    refusals = Refusals()
    refusals.restore(record)
    assert refusals.as_record() == Refusals().as_record()
