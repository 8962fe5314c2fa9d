"""The networks themselves, and that nothing phones home when they are loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.errors import WakeModelError
from device.wake.catalogue import bundled_network
from device.wake.networks import (
    SPEECH_SAMPLES,
    Classifier,
    Embedding,
    Melspectrogram,
    SpeechNetwork,
)
from tests.rig.speech import espeak, noise, silence

WATCH_IMPORTS = """
import json, os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(json.dumps({"telemetry": os.environ.get("ORT_DISABLE_TELEMETRY")}))

sys.meta_path.insert(0, Watch())
import device.wake.detector
print(json.dumps({"by_import": "onnxruntime" in sys.modules}))
from device.wake.worker import Hearing, Word
Hearing([Word("hey_jarvis")], 1, 2.0, 700)
heavy = {"openwakeword", "scipy", "sklearn", "torch", "tqdm"}
print(json.dumps({"heavy": sorted(heavy & {name.partition(".")[0] for name in sys.modules})}))
"""


def test_onnxruntime_is_imported_late_with_its_telemetry_off_and_nothing_heavy_beside_it() -> None:
    """In a process of its own: the switch is set when the import begins, whatever it was before."""
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}
    command = [sys.executable, "-c", WATCH_IMPORTS]
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert lines == [{"by_import": False}, {"telemetry": "1"}, {"heavy": []}]
    assert run.stderr == ""


def test_a_file_that_is_no_onnx_is_named(tmp_path: Path) -> None:
    """Whatever it is that nobody has a name for."""
    path = tmp_path / "hey_parley.onnx"
    path.write_text("404: Not Found")
    with pytest.raises(WakeModelError) as caught:
        Classifier(str(path))
    assert str(caught.value).startswith(f"{path}: not an ONNX file (Protobuf parsing failed")
    assert "or one that is cut off (14 bytes are there): copy it again" in str(caught.value)
    assert "give one of alexa, hey_jarvis" in str(caught.value)


@pytest.mark.parametrize("content", [b"", bundled_network("alexa").read_bytes()[:50_000]])
def test_a_file_that_was_cut_off_is_named(tmp_path: Path, content: bytes) -> None:
    """An empty or half a file is not loaded either."""
    path = tmp_path / "half.onnx"
    path.write_bytes(content)
    with pytest.raises(WakeModelError, match=r"half\.onnx: not an ONNX file \("):
        Classifier(str(path))


@pytest.mark.parametrize(
    ("network", "found"),
    [
        ("silero_vad", "it takes input ['batch', 'sequence'], sr [], h [2, 'batch', 64]"),
        ("melspectrogram", "it takes input ['batch_size', 'samples'] and gives output"),
        ("embedding_model", "it takes input_1 ['unk__314', 76, 32, 1] and gives conv2d_19"),
    ],
)
def test_a_network_that_scores_no_word_is_named_with_its_shapes(network: str, found: str) -> None:
    """What was found and what is needed, side by side."""
    with pytest.raises(WakeModelError) as caught:
        Classifier(str(bundled_network(network)))
    message = str(caught.value)
    assert message.startswith(f"{bundled_network(network)}: not a wake word network: {found}")
    assert "; one takes [1, n, 96] and gives [1, 1]; " in message
    assert "; give one of alexa" in message


def test_a_network_with_several_scores_is_refused() -> None:
    """The timer network tells six commands apart: none of its scores is a wake word's."""
    with pytest.raises(WakeModelError, match="it gives 7 scores and one is needed"):
        Classifier("timer")


@pytest.mark.parametrize(("word", "embeddings"), [("hey_jarvis", 16), ("weather", 22)])
def test_each_word_looks_at_as_many_embeddings_as_it_was_trained_on(
    word: str, embeddings: int
) -> None:
    """Nothing assumes sixteen."""
    classifier = Classifier(word)
    assert classifier.embeddings == embeddings
    score = classifier.score(np.zeros((1, embeddings, 96), np.float32))
    assert 0.0 <= score <= 1.0


def test_a_hop_gives_eight_mel_frames() -> None:
    """1280 samples and their history of 480."""
    frames = Melspectrogram().frames(noise(0.11).astype(np.float32).reshape(1, 1760))
    assert frames.shape == (8, 32)
    assert frames.dtype == np.float32


def test_an_embedding_depends_on_what_was_heard_and_can_be_taken_back() -> None:
    """Restoring the states repeats the embedding exactly."""
    embedding = Embedding()
    frames = np.random.default_rng(1).normal(size=(3, 8, 32)).astype(np.float32)
    embedding.embed(frames[0])
    states = embedding.states()
    first = embedding.embed(frames[1])
    after_another = embedding.embed(frames[1])
    embedding.restore(states)
    again = embedding.embed(frames[1])
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - after_another).max() > 0.1


def test_a_twin_of_the_embedding_network_remembers_for_itself() -> None:
    """It begins with an empty memory, and what one of them hears the other does not."""
    frames = np.random.default_rng(1).normal(size=(2, 8, 32)).astype(np.float32)
    embedding = Embedding()
    first = embedding.embed(frames[0])
    twin = embedding.twin()
    np.testing.assert_array_equal(twin.embed(frames[0]), first)
    second = embedding.embed(frames[1])
    np.testing.assert_array_equal(twin.embed(frames[1]), second)


def probabilities(network: SpeechNetwork, samples: NDArray[np.int16]) -> list[float]:
    whole = samples[: samples.size // SPEECH_SAMPLES * SPEECH_SAMPLES]
    return [network.probability(window) for window in whole.reshape(-1, SPEECH_SAMPLES)]


def test_speech_is_told_from_silence_and_noise() -> None:
    """A sentence is probable speech for most of its length; hiss and silence never are."""
    assert max(probabilities(SpeechNetwork(), silence(2.0))) < 0.1
    assert max(probabilities(SpeechNetwork(), noise(2.0, 300.0))) < 0.3
    said = probabilities(SpeechNetwork(), espeak("what time is it in Paris and in London"))
    assert np.mean(np.array(said) > 0.5) > 0.7


def test_the_speech_network_remembers() -> None:
    """The same sound is judged by what came before; a new network judges it as if nothing had."""
    network, said = SpeechNetwork(), espeak("hello")
    first = probabilities(network, said)
    assert probabilities(network, said) != first
    assert probabilities(SpeechNetwork(), said) == first
