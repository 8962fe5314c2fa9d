"""What a server counts becomes what is to be paid for, and nothing of it is lost on the way."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.records.bills import KINDS, Bill, Traffic, bill, guess

SIDES = ("prompt", "tool_use", "response")
MODALITIES = ("audio", "document", "image", "text", "video")
NAMES = (*SIDES, "thoughts", "total", "cached", *(f"{s}_{m}" for s in SIDES for m in MODALITIES))

PAID_AS = {
    **{f"{s}_text": "text_in" for s in ("prompt", "tool_use")},
    **{f"{s}_audio": "audio_in" for s in ("prompt", "tool_use")},
    **{f"{s}_{m}": "image_in" for s in ("prompt", "tool_use") for m in ("image", "video")},
    **{f"{s}_document": "other_in" for s in ("prompt", "tool_use")},
    **{f"response_{m}": "other_out" for m in ("document", "image", "video")},
    "response_text": "text_out",
    "response_audio": "audio_out",
}
"""Written out from the price page: what has a price of its own, and what has none."""

some_counts = st.dictionaries(st.sampled_from(NAMES), st.integers(-3, 10**9), max_size=12)
bills = st.builds(Bill, *([st.integers(0, 10**6)] * len(KINDS)))


def by_hand(counts: dict[str, int]) -> dict[str, int]:
    """Each token put on its heap, one count after the other."""
    sane = {name: max(count, 0) for name, count in counts.items()}
    heaps = dict.fromkeys(KINDS, 0)
    heaps["thoughts"] = known = sane.get("thoughts", 0)
    for side in SIDES:
        told = 0
        for modality in MODALITIES:
            name = f"{side}_{modality}"
            heaps[PAID_AS[name]] += sane.get(name, 0)
            told += sane.get(name, 0)
        rest = sane.get(side, 0) - told
        if rest > 0:
            heaps["other_out" if side == "response" else "other_in"] += rest
            told += rest
        known += told
    if sane.get("total", 0) > known:
        heaps["other_out"] += sane["total"] - known
    return heaps


@given(some_counts)
def test_each_token_is_paid_for_once(counts: dict[str, int]) -> None:
    """Under its own price, or the dearest of its side; a count below nothing is nothing."""
    made = bill(counts)
    assert made.as_dict() == asdict(made) == by_hand(counts)
    assert made.going_in + made.coming_out == sum(by_hand(counts).values())


@given(some_counts, st.sampled_from(NAMES), st.integers(1, 10**6))
def test_who_counts_more_never_pays_for_less(counts: dict[str, int], name: str, more: int) -> None:
    """Of tokens in all."""
    before, after = bill(counts), bill({**counts, name: max(counts.get(name, 0), 0) + more})
    assert after.going_in >= before.going_in
    assert after.going_in + after.coming_out >= before.going_in + before.coming_out


@pytest.mark.parametrize(
    ("counts", "paid"),
    [
        ({}, {}),
        # As 3.8 was seen to count: 25 tokens of no modality, thoughts beside the server's total.
        (
            {
                "prompt": 522,
                "prompt_text": 332,
                "prompt_audio": 165,
                "response": 42,
                "thoughts": 136,
                "total": 700,
            },
            {"text_in": 332, "audio_in": 165, "other_in": 25, "other_out": 42, "thoughts": 136},
        ),
        ({"prompt": 551, "prompt_text": 500, "total": 551}, {"text_in": 500, "other_in": 51}),
        # Modalities that come to more than their side.
        ({"prompt": 100, "prompt_audio": 80, "prompt_text": 60}, {"audio_in": 80, "text_in": 60}),
        ({"response_audio": 30}, {"audio_out": 30}),
        # What tools gave back is read beside the prompt.
        (
            {"prompt": 10, "tool_use": 7, "tool_use_text": 4},
            {"other_in": 10 + 3, "text_in": 4},
        ),
        # Thoughts alone, as of a turn that calls a function.
        ({"prompt": 9, "prompt_text": 9, "thoughts": 20}, {"text_in": 9, "thoughts": 20}),
        # A total that says more than its parts, and one that says less.
        ({"total": 70}, {"other_out": 70}),
        ({"prompt": 50, "prompt_text": 50, "total": 70}, {"text_in": 50, "other_out": 20}),
        ({"prompt": 50, "prompt_text": 80, "total": 70}, {"text_in": 80}),
        # What was cached is paid for like the rest.
        ({"prompt": 50, "prompt_audio": 50, "cached": 40}, {"audio_in": 50}),
        # Pictures, and a kind that has no price.
        (
            {"prompt": 600, "prompt_video": 256, "prompt_image": 258, "prompt_document": 86},
            {"image_in": 514, "other_in": 86},
        ),
        ({"a word of somebody's": 5, "prompt": -7, "thoughts": -1}, {}),
    ],
)
def test_counts_as_they_come_are_paid_as_they_are_meant(
    counts: dict[str, int], paid: dict[str, int]
) -> None:
    """By hand, each shape that was reported."""
    assert bill(counts) == Bill(**paid)


@given(bills, bills)
def test_of_two_views_of_a_turn_each_side_has_the_fuller_one(one: Bill, other: Bill) -> None:
    """As a whole: what it divides a side into is not mixed with the other's."""
    both = one.or_more(other)
    into = max(one.going_in, other.going_in)
    out = max(one.coming_out, other.coming_out)
    assert (both.going_in, both.coming_out) == (into, out)
    ins = {(each.text_in, each.audio_in, each.image_in, each.other_in) for each in (one, other)}
    outs = {(each.text_out, each.audio_out, each.other_out, each.thoughts) for each in (one, other)}
    assert (both.text_in, both.audio_in, both.image_in, both.other_in) in ins
    assert (both.text_out, both.audio_out, both.other_out, both.thoughts) in outs
    assert one.or_more(one) == one


@given(
    bills,
    st.builds(
        Traffic,
        st.floats(0, 4_000),
        st.integers(0, 100),
        st.integers(0, 100_000),
        st.floats(0, 4_000),
    ),
)
def test_a_guess_reads_the_context_and_all_that_went_up(context: Bill, traffic: Traffic) -> None:
    """25 tokens a second of sound, 258 a picture, one for two letters; each rounded up."""
    made = guess(context, traffic)
    exact_in = (
        context.going_in
        + context.coming_out
        + Fraction(traffic.sent_s) * 25
        + traffic.pictures * 258
        + Fraction(traffic.characters, 2)
    )
    assert exact_in <= made.going_in + Fraction(1, 10**6)
    assert made.going_in < exact_in + 2 + Fraction(1, 10**6)
    exact_out = Fraction(traffic.heard_s) * 25
    assert exact_out <= made.coming_out + Fraction(1, 10**6)
    assert made.coming_out < exact_out + 1 + Fraction(1, 10**6)
    assert made.thoughts == made.text_out == made.other_out == 0


def test_a_minute_without_a_count_is_what_the_reference_says() -> None:
    """1,500 tokens each way; the answer is read again in the next turn."""
    first = guess(Bill(), Traffic(sent_s=60.0, heard_s=60.0))
    assert first == Bill(audio_in=1_500, audio_out=1_500)
    second = guess(first, Traffic(pictures=2, characters=3))
    assert second == Bill(text_in=2, audio_in=3_000, image_in=516)
