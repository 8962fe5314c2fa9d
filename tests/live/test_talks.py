"""One talk for each persona: none is resumed by another, whatever the file says."""

from __future__ import annotations

import json

import pytest

from device.live.refusals import Field
from device.live.resumption import Past
from device.live.talks import MOST_TALKS, Talks
from device.news import HandleChanged


def two() -> Talks:
    """Nobody in particular and puck have talked."""
    talks = Talks()
    talks.of("").keep("H", "model-a", "host", 1_000.0)
    talks.of("puck").keep("P", "model-b", "host", 2_000.0)
    talks.of("puck").said("user", "wie wird das Wetter?")
    return talks


def restored(record: object) -> Talks:
    talks = Talks()
    talks.restore(json.loads(json.dumps(record)))
    return talks


def test_each_persona_has_a_talk_of_its_own() -> None:
    """Handle, model and last words; one that has not talked has none."""
    talks = two()
    assert (talks.of("").handle, talks.of("puck").handle, talks.of("eve").handle) == (
        "H",
        "P",
        None,
    )
    assert "Wetter" in talks.of("puck").summary
    assert talks.of("").summary == talks.of("eve").summary == ""
    talks.of("puck").note(HandleChanged(1, None, "model-b", 1.0), "host", 2_001.0)
    assert (talks.of("").handle, talks.of("puck").handle) == ("H", None)


def test_what_is_so_for_all_is_shared() -> None:
    """No turn has the number of another, and a model that is gone is asked for by nobody."""
    talks = two()
    numbers = [next(talks.of(name).turns) for name in ("", "puck", "", "eve")]
    assert numbers == [1, 2, 3, 4]
    talks.of("puck").found_gone("model-b", "here", 1_000.0)
    assert talks.of("").models(["model-b", "model-a"], "here", 1_001.0) == ["model-a"]
    again = restored(talks.as_record())
    assert again.of("puck").models(["model-b", "model-a"], "here", 1_001.0) == ["model-a"]
    assert again.of("eve").gone == talks.of("").gone


def test_what_a_setup_is_refused_for_may_be_the_personas_own() -> None:
    """A voice that one model does not have is no reason to take another persona's away."""
    talks = two()
    talks.of("puck").refusals.refuse("m", [Field.VOICE])
    assert talks.of("puck").refusals.known("m", 1.0) == [Field.VOICE]
    assert talks.of("").refusals.known("m", 1.0) == []
    again = restored(talks.as_record())
    assert again.of("puck").refusals.known("m", 1.0) == [Field.VOICE]
    assert again.of("").refusals.known("m", 1.0) == []


def test_the_record_gives_each_its_own_talk_again() -> None:
    """And says nothing of what was said."""
    record = two().as_record()
    assert "Wetter" not in json.dumps(record)
    again = restored(record)
    assert again.of("").fits("model-a", "host")
    assert again.of("puck").fits("model-b", "host")
    assert (again.of("").at, again.of("puck").at) == (1_000.0, 2_000.0)
    assert again.of("eve").handle is None


def test_a_record_from_before_there_were_personas_is_nobodys_in_particular() -> None:
    """And such a version reads ours: an upgrade can be taken back."""
    past = Past()
    past.keep("H", "model-a", "host", 1_000.0)
    talks = restored(past.as_record())
    assert talks.of("").fits("model-a", "host")
    assert talks.as_record() == past.as_record()
    assert talks.of("puck").handle is None
    older = Past()
    older.restore(two().as_record())
    assert older.fits("model-a", "host")


@pytest.mark.parametrize(
    "change",
    [
        {"personas": []},
        {"personas": {"puck": 3}},
        {"personas": {"": two().as_record()}},
        {"personas": {"puck": {"handle": "P"}}},
        {"personas": {"puck": {**Past().as_record(), "at": "now"}}},
        {"handle": 3},
    ],
)
def test_a_record_that_is_none_is_refused_as_a_whole(change: dict[str, object]) -> None:
    """A part of it may be the wrong one's."""
    talks = two()
    with pytest.raises(ValueError, match=r"must "):
        talks.restore({**Talks().as_record(), **change})
    assert (talks.of("").handle, talks.of("puck").handle) == ("H", "P")
    with pytest.raises(ValueError, match="no object"):
        talks.restore([1])


def test_who_is_no_persona_any_more_has_no_talk() -> None:
    """Another of that name begins anew."""
    talks = two()
    talks.keep_only(["eve"])
    assert (talks.of("").handle, talks.of("puck").handle) == ("H", None)


def test_there_are_so_many_talks_at_most() -> None:
    """The one that ended longest ago goes; that of nobody in particular stays."""
    talks = Talks()
    talks.of("").keep("H", "m", "host", 0.0)
    for number in range(40):
        talks.of(f"p{number}").keep(f"H{number}", "m", "host", 1_000.0 + number)
    assert len(talks.personas) == MOST_TALKS
    assert set(talks.personas) == {"", *(f"p{40 - number}" for number in range(1, MOST_TALKS))}
    everyone = {f"p{number}": {**Past().as_record(), "at": number} for number in range(400)}
    many = restored({**Talks().as_record(), "personas": everyone})
    assert len(many.personas) == MOST_TALKS
    assert "p399" in many.personas
