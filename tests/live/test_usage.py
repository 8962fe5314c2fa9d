"""What a turn has used: counts under our names, in whichever shape a server tells them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from device.live.usage import MOST_SEARCHES, TurnUsage, tokens


def test_total_is_our_own_sum() -> None:
    """Live API: the server's total leaves the thoughts out (522 + 42 = 564, 136 thoughts)."""
    usage = types.UsageMetadata(
        prompt_token_count=522,
        response_token_count=42,
        thoughts_token_count=136,
        total_token_count=564,
    )
    assert tokens(usage) == {"prompt": 522, "response": 42, "thoughts": 136, "total": 700}


def test_modalities_and_cache_are_named() -> None:
    """Details come beside the sums; what the server did not count is not there."""
    usage = types.UsageMetadata(
        prompt_token_count=10,
        tool_use_prompt_token_count=3,
        cached_content_token_count=4,
        prompt_tokens_details=[
            types.ModalityTokenCount(modality=types.MediaModality.AUDIO, token_count=7),
            types.ModalityTokenCount(modality=types.MediaModality.TEXT, token_count=3),
            types.ModalityTokenCount(modality=None, token_count=1),
            types.ModalityTokenCount(modality=types.MediaModality.IMAGE, token_count=None),
        ],
        response_tokens_details=[
            types.ModalityTokenCount(modality=types.MediaModality.AUDIO, token_count=5)
        ],
    )
    assert tokens(usage) == {
        "prompt": 10,
        "tool_use": 3,
        "total": 13,
        "cached": 4,
        "prompt_audio": 7,
        "prompt_text": 3,
        "response_audio": 5,
    }


def test_lone_total_is_taken_and_nothing_stays_nothing() -> None:
    """Only what the server named is passed on."""
    assert tokens(types.UsageMetadata(total_token_count=9)) == {"total": 9}
    assert tokens(types.UsageMetadata()) == {}


def test_what_is_no_count_is_left_out() -> None:
    """Below nothing, or beyond every context; it would be billed, and written as it is."""
    usage = types.UsageMetadata(
        prompt_token_count=-1,
        response_token_count=10**400,
        thoughts_token_count=2,
        total_token_count=10**30,
        cached_content_token_count=-5,
    )
    assert tokens(usage) == {"thoughts": 2, "total": 2}
    assert tokens(types.UsageMetadata(total_token_count=-9)) == {}


def test_a_modality_that_is_none_becomes_no_name_of_a_field() -> None:
    """The SDK takes any word for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detail = types.ModalityTokenCount(modality="\x1b[2J", token_count=1)  # type: ignore[arg-type]
    assert tokens(types.UsageMetadata(prompt_tokens_details=[detail])) == {}


# --- a turn ---------------------------------------------------------------------------------------


def message(**counts: int | None) -> types.UsageMetadata:
    """A usage message of these counts, as ``prompt`` and ``prompt_audio``."""
    names = {
        "prompt": "prompt_token_count",
        "response": "response_token_count",
        "thoughts": "thoughts_token_count",
        "tool_use": "tool_use_prompt_token_count",
        "cached": "cached_content_token_count",
        "total": "total_token_count",
    }
    made: dict[str, Any] = {names[kind]: n for kind, n in counts.items() if kind in names}
    for side in ("prompt", "response", "tool_use"):
        made[
            f"{side}_tokens_details" if side != "tool_use" else "tool_use_prompt_tokens_details"
        ] = [
            {"modality": modality.upper(), "token_count": counts[f"{side}_{modality}"]}
            for modality in ("audio", "document", "image", "text", "video")
            if f"{side}_{modality}" in counts
        ] or None
    return types.UsageMetadata.model_validate(made)


def counted(messages: Iterable[types.UsageMetadata], heard_s: float = 0.0) -> dict[str, int]:
    """What a turn comes to that these are of, each of which is a message of its own."""
    turn = TurnUsage()
    for each in messages:
        fresh = TurnUsage()
        fresh.count(each)
        turn.add(fresh)
    return dict(turn.tokens(heard_s))


TOKENS_A_SECOND = 25

some = st.integers(1, 5_000)


@dataclass(frozen=True)
class Turn:
    """What really happened in a turn, and how it was cut into messages."""

    prompt: dict[str, int]
    thoughts: int
    pieces: list[int]
    """Tokens of each piece of sound, in order."""

    @property
    def whole(self) -> dict[str, int]:
        """Every count of it."""
        said = {"response": sum(self.pieces), "response_audio": sum(self.pieces)}
        return {**self.prompt, **said, "thoughts": self.thoughts}

    @property
    def total(self) -> int:
        return self.prompt["prompt"] + sum(self.pieces) + self.thoughts

    @property
    def heard_s(self) -> float:
        return sum(self.pieces) / TOKENS_A_SECOND


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    text, audio, of_none = draw(some), draw(some), draw(st.integers(0, 51))
    prompt = {"prompt": text + audio + of_none, "prompt_text": text, "prompt_audio": audio}
    pieces = draw(st.lists(st.integers(1, 60), min_size=1, max_size=30))
    return Turn(prompt, draw(st.integers(0, 500)), pieces)


def with_what_says_nothing(data: st.DataObject, said: list[dict[str, int]]) -> list[dict[str, int]]:
    """Empty messages anywhere between them, and some of them again right after themselves."""
    made: list[dict[str, int]] = []
    for each in said:
        made += [{}] * data.draw(st.integers(0, 2)) + [each]
    return made


Shape = Callable[[st.DataObject, Turn], list[dict[str, int]]]


def at_the_end(_data: st.DataObject, turn: Turn) -> list[dict[str, int]]:
    """Live API: 3.8 counts once, with the turn's end."""
    return [{**turn.whole, "total": turn.total - turn.thoughts}]


def again(data: st.DataObject, turn: Turn) -> list[dict[str, int]]:
    return [turn.whole] * data.draw(st.integers(2, 5))


def in_parts(data: st.DataObject, turn: Turn) -> list[dict[str, int]]:
    """What was read, what was said and what was thought, each in a message of its own."""
    said = {kind: n for kind, n in turn.whole.items() if kind.startswith("response")}
    return data.draw(st.permutations([turn.prompt, said, {"thoughts": turn.thoughts}]))


def running(data: st.DataObject, turn: Turn) -> list[dict[str, int]]:
    """Each count is of the turn so far; the prompt comes with all of them, or with the last."""
    always = turn.prompt if data.draw(st.booleans()) else {}
    sums = list(itertools.accumulate(turn.pieces))
    said = [{**always, "response": n, "response_audio": n, "thoughts": turn.thoughts} for n in sums]
    repeated = [each for each in said for _ in range(data.draw(st.integers(1, 2)))]
    return [*repeated, {**said[-1], **turn.prompt}]


def pieces_and_the_whole(data: st.DataObject, turn: Turn) -> list[dict[str, int]]:
    """Live API: small counts beside the sound, and all of it at the end; or late."""
    always = {"prompt": turn.prompt["prompt"]} if data.draw(st.booleans()) else {}
    said = [{**always, "response": n} for n in turn.pieces]
    late = [{"response": data.draw(st.integers(0, 1))}] if data.draw(st.booleans()) else []
    return [*said, turn.whole, *late]


@given(
    st.data(),
    turns(),
    st.sampled_from([at_the_end, again, in_parts, running, pieces_and_the_whole]),
)
def test_a_turn_is_counted_whole_in_every_reported_shape(
    data: st.DataObject, turn: Turn, shape: Shape
) -> None:
    """Nothing of it is missing, and nothing counts twice."""
    said = with_what_says_nothing(data, shape(data, turn))
    assert counted((message(**each) for each in said), turn.heard_s) == {
        **turn.whole,
        "total": turn.total,
    }


@given(turns(), st.booleans())
def test_pieces_alone_are_added_up_where_the_sound_shows_them(turn: Turn, always: bool) -> None:
    """Else the largest stands, which is half of the turn at least. The prompt counts once."""
    prompts = [turn.prompt if always or not place else {} for place in range(len(turn.pieces))]
    said = [
        {**prompt, "response": n, "response_audio": n}
        for prompt, n in zip(prompts, turn.pieces, strict=True)
    ]
    found = counted((message(**each) for each in said), turn.heard_s)
    truth = sum(turn.pieces)
    assert {kind: found[kind] for kind in turn.prompt} == turn.prompt
    if max(turn.pieces) * 2 < truth:
        assert found["response"] == found["response_audio"] == truth
        assert found["total"] == turn.prompt["prompt"] + truth
    else:
        assert truth / 2 <= found["response"] <= truth


def test_thoughts_in_pieces_are_added_up_with_the_rest_of_the_way_out() -> None:
    """Ten of each, over four seconds of sound."""
    said = [message(prompt=100, response=10, thoughts=3)] * 10
    found = counted(said, heard_s=4.0)
    assert found == {"prompt": 100, "response": 100, "thoughts": 30, "total": 230}


def test_a_small_count_that_is_repeated_does_not_grow_without_end() -> None:
    """Of text only, say: twice what the sound comes to is the most."""
    said = [message(prompt=100, response=20)] * 1_000
    assert counted(said, heard_s=30.0)["response"] == 30 * TOKENS_A_SECOND * 2
    assert counted(said, heard_s=1.6)["response"] == 20


def test_modalities_without_a_count_of_the_side_tell_pieces_too() -> None:
    """A server may name no more than these."""
    said = [message(prompt=100, response_audio=10)] * 10
    assert counted(said, heard_s=4.0)["response_audio"] == 100
    assert counted(said, heard_s=0.4)["response_audio"] == 10


counts = st.one_of(st.none(), st.integers(-5, 2 * 10**9), st.integers(0, 3_000))
KINDS = ("prompt", "response", "thoughts", "tool_use", "cached", "total")
DETAILS = tuple(
    f"{side}_{modality}"
    for side in ("prompt", "response", "tool_use")
    for modality in ("audio", "document", "image", "text", "video")
)
messages = st.dictionaries(st.sampled_from(KINDS + DETAILS), counts, max_size=6)


@given(st.data(), st.lists(messages, max_size=8), st.floats(0, 600))
def test_neither_order_nor_division_changes_what_a_turn_comes_to(
    data: st.DataObject, said: list[dict[str, int | None]], heard_s: float
) -> None:
    """Whatever they say."""
    made = [message(**each) for each in said]
    found = counted(made, heard_s)
    assert counted(data.draw(st.permutations(made)), heard_s) == found
    cut = data.draw(st.integers(0, len(made)))
    first, second = TurnUsage(), TurnUsage()
    for place, each in enumerate(made):
        (first if place < cut else second).count(each)
    first.add(second)
    assert dict(first.tokens(heard_s)) == found


@given(st.lists(messages, min_size=1, max_size=8), st.floats(0, 600))
def test_a_turn_is_at_least_its_largest_counts_and_no_more_than_their_sum(
    said: list[dict[str, int | None]], heard_s: float
) -> None:
    """By a count of its own: of what is a number of tokens at all."""
    found = counted((message(**each) for each in said), heard_s)
    for kind in KINDS[:5] + DETAILS:
        sane = [n for each in said if (n := each.get(kind)) is not None and 0 <= n <= 10**9]
        assert (kind in found) is bool(sane)
        if sane:
            assert max(sane) <= found[kind] <= min(sum(sane), 10**9)
    parts = sum(found.get(kind, 0) for kind in ("prompt", "response", "thoughts", "tool_use"))
    assert found.get("total", 0) >= parts


@given(st.lists(st.tuples(messages, st.floats(0, 5)), max_size=8))
def test_what_is_told_of_a_turn_never_goes_down(
    said: list[tuple[dict[str, int | None], float]],
) -> None:
    """And is told when it has grown, and at no other time."""
    turn, told, heard_s = TurnUsage(), dict[str, int](), 0.0
    for each, more_s in said:
        heard_s += more_s
        turn.count(message(**each))
        news = turn.news(heard_s)
        assert turn.news(heard_s) is None
        if news is None:
            assert all(n <= told[kind] for kind, n in turn.tokens(heard_s).items())
        else:
            assert news != told
            assert all(news[kind] >= n for kind, n in told.items())
            told = dict(news)


def test_a_server_that_counts_more_than_it_names_is_believed() -> None:
    """A total beyond its parts, in that message or in another."""
    assert tokens(message(prompt=522, total=700)) == {"prompt": 522, "total": 700}
    assert counted([message(total=700), message(prompt=522, response=42)])["total"] == 700
    assert counted([message(total=500), message(prompt=522, response=42)])["total"] == 564


def test_a_modality_that_is_named_twice_has_both() -> None:
    """As one for each stretch of sound."""
    detail = {"modality": "AUDIO", "token_count": 30}
    usage = types.UsageMetadata.model_validate({"prompt_tokens_details": [detail, detail]})
    assert tokens(usage) == {"prompt_audio": 60}


# --- searches -------------------------------------------------------------------------------------


def grounding(**fields: Any) -> types.GroundingMetadata:
    return types.GroundingMetadata.model_validate(fields)


FOUND = {"grounding_chunks": [{"web": {"uri": "https://example.org", "title": "rain"}}]}
ENTRY = {"search_entry_point": {"rendered_content": "<div>"}}


@pytest.mark.parametrize(
    ("said", "searches"),
    [
        ([{}], 0),
        ([{"web_search_queries": []}], 0),
        ([{"web_search_queries": ["", "rain"]}], 1),
        ([{"web_search_queries": ["rain", "snow", "rain"]}], 2),
        ([{"web_search_queries": ["rain"]}] * 5, 1),
        ([FOUND], 1),
        ([ENTRY, FOUND], 1),
        ([FOUND, {"web_search_queries": ["rain", "snow"]}], 2),
        ([{"web_search_queries": ["rain"], **FOUND, **ENTRY}], 1),
        ([{"web_search_queries": ["rain"], "image_search_queries": ["rain"]}], 2),
        ([{"grounding_supports": [], "retrieval_metadata": {}}], 0),
        ([{"web_search_queries": ["\ud800"]}, {"web_search_queries": ["?"]}], 1),
    ],
)
def test_each_query_is_one_search_however_it_is_told(
    said: list[dict[str, Any]], searches: int
) -> None:
    """In one message or in several of the same turn."""
    turn = TurnUsage()
    for each in said:
        fresh = TurnUsage()
        fresh.ground(grounding(**each))
        turn.add(fresh)
    assert turn.searches == searches
    assert turn.empty is (searches == 0)
    assert (turn.news(0.0) is None) is (searches == 0)


def test_the_installed_library_reads_what_the_server_sends() -> None:
    """In the server's own names: camel case, as it comes over the line."""
    said = {"serverContent": {"groundingMetadata": {"webSearchQueries": ["rain in Berlin"]}}}
    read = types.LiveServerMessage.model_validate(said)
    assert read.server_content is not None
    assert read.server_content.grounding_metadata is not None
    turn = TurnUsage()
    turn.ground(read.server_content.grounding_metadata)
    assert turn.searches == 1


def test_searches_of_a_turn_have_an_end() -> None:
    """In one message or in many: it takes bounded memory."""
    turn = TurnUsage()
    for number in range(10):
        fresh = TurnUsage()
        queries = [f"{number}/{each}" for each in range(MOST_SEARCHES)]
        fresh.ground(grounding(web_search_queries=queries))
        turn.add(fresh)
    assert turn.searches == MOST_SEARCHES
