"""The server's messages as the reference writes them."""

from __future__ import annotations

import pytest
from google.genai import types

from device.simulator import messages
from device.simulator.script import Turn
from tests.simulator.raw_client import reply_audio, text_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (50, "50s"),
        (9.5, "9.500s"),
        (0.000001, "0.000001s"),
        (1.999999999, "1.999999999s"),
        (0, "0s"),
    ],
)
def test_a_duration_has_0_3_6_or_9_decimals(seconds: float, text: str) -> None:
    """As protobuf's JSON has it."""
    assert messages.duration(seconds) == text


@pytest.mark.parametrize("text", ["", "one", " two  words ", "a b c d e f g", "x\ny z w"])
def test_fragments_joined_are_the_text(text: str) -> None:
    """Spaces included; nothing comes of nothing."""
    assert "".join(messages.fragments(text)) == text


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("audio_ms", [0, 20, 350])
def test_every_order_holds_the_same(number: int, audio_ms: int) -> None:
    """More words than chunks, more chunks than words, no chunk at all."""
    pcm = bytes(range(256)) * (audio_ms * 48 // 256)
    turn = Turn(says="one two three four five six seven")
    steps = list(messages.generation(turn, number, pcm, transcribed=True))
    sent = [step.message for step in steps]
    assert reply_audio(sent) == pcm
    assert text_of(sent, "outputTranscription") == turn.says
    assert sum(step.audio_s for step in steps) == pytest.approx(len(pcm) / 48_000)
    assert sent[-1] == {"serverContent": {"generationComplete": True}}


@pytest.mark.parametrize(
    ("told", "places"),
    [
        ("along", ["both"]),
        ("before", ["count", "end"]),
        ("late", ["end", "count"]),
        ("never", ["end"]),
        ("repeated", ["count", "both", "count"]),
    ],
)
def test_a_count_stands_where_it_is_wanted(told: messages.WhenTold, places: list[str]) -> None:
    """With the end of the turn, alone before or after it, everywhere, or nowhere."""
    used = {"usageMetadata": {"totalTokenCount": 1}}
    end = {"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}}
    sent = {"count": used, "end": end, "both": end | used}
    made = list(messages.turn_end(Turn(), used, status="IDLE", told=told))
    assert made == [sent[place] for place in places]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_small_counts_are_of_what_came_since_the_one_before(number: int) -> None:
    """They come with every second piece of sound, in its message or in one behind it."""
    turn = Turn(says="one two three four")
    plain = list(messages.generation(turn, number, bytes(48_000), transcribed=True))
    steps = list(messages.counted(iter(plain), number))
    counts = [step.message["usageMetadata"] for step in steps if "usageMetadata" in step.message]
    # After 0.1, 0.3, 0.5, 0.7 and 0.9 s of 25 tokens each.
    assert [count["responseTokenCount"] for count in counts] == [2, 6, 4, 6, 4]
    assert counts[1]["responseTokensDetails"] == [{"modality": "AUDIO", "tokenCount": 6}]
    alone = [step for step in steps if list(step.message) == ["usageMetadata"]]
    assert len(alone) == (5 if number == 3 else 0)
    kept = [{k: v for k, v in s.message.items() if k != "usageMetadata"} for s in steps]
    assert [message for message in kept if message] == [step.message for step in plain]


def test_what_is_too_short_for_a_token_has_no_small_count() -> None:
    """The end of the turn counts it."""
    steps = list(messages.generation(Turn(), 1, bytes(960), transcribed=True))
    assert list(messages.counted(iter(steps), 1)) == steps


@pytest.mark.parametrize("transcribed", [True, False])
def test_each_piece_of_an_answer_names_the_queries_it_rests_on(*, transcribed: bool) -> None:
    """And once more the whole does; places are in bytes. Without pieces only that one comes."""
    says = "fünf Grad in Köln & Bonn"
    turn = Turn(says=says, searches=("weather köln", "a & b"))
    sent = [s.message for s in messages.generation(turn, 2, bytes(960), transcribed=transcribed)]
    found = [
        content["groundingMetadata"]
        for content in (message["serverContent"] for message in sent)
        if "groundingMetadata" in content
    ]
    assert [each["webSearchQueries"] for each in found] == [["weather köln", "a & b"]] * len(found)
    assert len(found) == (3 if transcribed else 1)
    assert "a &amp; b" in found[-1]["searchEntryPoint"]["renderedContent"]
    assert found[-1]["groundingChunks"][0]["web"]["uri"].startswith("https://")
    whole = found[-1].get("groundingSupports", [])
    pieces = [support for each in found[:-1] for support in each["groundingSupports"]]
    assert whole == pieces
    for support in whole:
        segment = support["segment"]
        cut = says.encode()[segment.get("startIndex", 0) : segment["endIndex"]]
        assert cut.decode() == segment["text"]
    assert "".join(support["segment"]["text"] for support in whole) == (says if transcribed else "")
    types.GroundingMetadata.model_validate(found[-1])
