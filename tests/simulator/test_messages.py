"""The server's messages as the reference writes them."""

from __future__ import annotations

import pytest

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


def test_usage_is_as_given_or_counted() -> None:
    """25 tokens a second."""
    assert messages.usage(Turn(usage={"a": 1}), 5, 1.0) == {"usageMetadata": {"a": 1}}
    counted = messages.usage(Turn(), 5, 2.0)["usageMetadata"]
    assert (counted["promptTokenCount"], counted["responseTokenCount"]) == (5, 50)


def test_usage_rides_along_with_the_end_or_comes_before_it() -> None:
    """Depending on the turn."""
    used = {"usageMetadata": {"totalTokenCount": 1}}
    assert list(messages.turn_end(Turn(), 1, used, status="")) == [
        used,
        {"serverContent": {"turnComplete": True}},
    ]
    assert list(messages.turn_end(Turn(), 2, used, status="IDLE")) == [
        {"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}, **used}
    ]
