"""What an owner's network does is tried before it is trusted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from device.errors import WakeModelError
from device.wake.catalogue import bundled_network, bundled_words
from device.wake.own_network import load_word
from device.wake.scores import WakeScorer
from tests.wake import broken


def trouble(path: Path) -> str:
    """What is said of a network, alone and at the start of a speaker."""
    with pytest.raises(WakeModelError) as caught:
        load_word(str(path))
    with pytest.raises(WakeModelError) as starting:
        WakeScorer(["hey_jarvis", str(path)])
    assert str(starting.value) == str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("word", bundled_words())
def test_a_sound_one_is_loaded_whoever_made_it(tmp_path: Path, word: str) -> None:
    """As fast as a reload may take; its name is that of its file."""
    path = tmp_path / "computer.onnx"
    path.write_bytes(bundled_network(word).read_bytes())
    began = time.process_time()
    assert load_word(str(path)).name == "computer"
    assert time.process_time() - began < 5.0


def test_logits_are_told_from_probabilities(tmp_path: Path) -> None:
    """It was exported without its last step; no threshold between 0 and 1 would fit."""
    path = broken.written(tmp_path / "word.onnx", broken.with_operation("Sigmoid", "Identity"))
    said = trouble(path)
    assert said.startswith("its scores are no probabilities: silence -1")
    assert said.endswith("it gives logits: export it with a sigmoid at its end")


def test_a_network_that_hears_its_word_in_silence_is_told(tmp_path: Path) -> None:
    """Trained for another front end, or the wrong way round."""
    path = broken.written(tmp_path / "word.onnx", broken.with_operation("Sigmoid", "Cos"))
    said = trouble(path)
    assert said.startswith("it hears its word in silence 0.4")
    assert "it was trained for another front end" in said


def test_scores_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    """Its weights have grown without end in a training that went wrong."""
    path = broken.written(tmp_path / "word.onnx", broken.with_weights(broken.infinite))
    assert trouble(path).startswith("it scores silence as nan, which is no number: its training")


@pytest.mark.parametrize(
    ("shape", "kind", "cure"),
    [
        ((1, 3, 40), broken.FLOAT, "it was trained for another front end"),
        ((1, 16, 96), broken.FLOAT16, "it takes tensor(float16): export it in float32"),
        ((1, 16, 96), broken.DOUBLE, "it takes tensor(double): export it in float32"),
        ((1, "n", 96), broken.FLOAT, "export it with a fixed number of embeddings"),
    ],
)
def test_another_shape_or_type_is_told_with_what_is_needed(
    tmp_path: Path, shape: tuple[int | str, ...], kind: int, cure: str
) -> None:
    """What it takes, what is needed, what to do."""
    path = tmp_path / "word.onnx"
    path.write_bytes(broken.typed(shape, kind))
    said = trouble(path)
    assert said.startswith(f"not a wake word network: it takes x {list(shape)!r} and gives y")
    assert cure in said


def test_one_that_does_not_run_is_told_and_ends_nothing(tmp_path: Path) -> None:
    """It wants two windows at once."""
    path = tmp_path / "word.onnx"
    path.write_bytes(broken.typed((2, 16, 96)))
    assert trouble(path).startswith("does not run: ")
