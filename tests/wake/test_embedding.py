"""The embedding network that computes only what is new."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from device.errors import WakeModelError
from device.wake import onnx_file as onnx
from device.wake.catalogue import bundled_network
from device.wake.embedding import MEL_INPUT, StreamingNetwork, stream_embedding
from device.wake.onnx_file import BYTES, Field

HOPS = 40


@pytest.fixture(scope="module")
def original() -> bytes:
    return bundled_network("embedding_model").read_bytes()


@pytest.fixture(scope="module")
def network(original: bytes) -> StreamingNetwork:
    return stream_embedding(original, 8, 32)


def test_it_gives_what_the_original_gives_for_the_last_76_frames(
    original: bytes, network: StreamingNetwork
) -> None:
    """Once ten hops have been heard, whatever the state was at first, every embedding agrees."""
    rng = np.random.default_rng(1)
    mel = rng.normal(0.0, 3.0, (HOPS * 8, 32)).astype(np.float32)
    whole = onnxruntime.InferenceSession(original, providers=["CPUExecutionProvider"])
    session = onnxruntime.InferenceSession(network.model, providers=["CPUExecutionProvider"])
    states = {s.name: rng.normal(size=s.shape).astype(np.float32) for s in network.states}
    names = [network.output, *(s.next_name for s in network.states)]
    compared = 0
    for end in range(8, len(mel) + 1, 8):
        new = mel[None, None, end - 8 : end]
        embedding, *after = session.run(names, {**states, MEL_INPUT: new})
        states = dict(zip(states, after, strict=True))
        if end >= 80:
            (expected,) = whole.run(None, {"input_1": mel[None, end - 76 : end, :, None]})
            np.testing.assert_allclose(embedding.ravel(), expected.ravel(), atol=1e-3)
            compared += 1
    assert compared == HOPS - 9


def test_what_it_remembers_is_two_rows_of_each_convolution_over_time(
    network: StreamingNetwork,
) -> None:
    """Eleven convolutions look back, each by two rows of its own input."""
    assert len(network.states) == 11
    assert {state.shape[2] for state in network.states} == {2}
    assert sum(np.prod(state.shape) for state in network.states) < 10_000


@pytest.mark.parametrize("hop_frames", [4, 16])
def test_a_hop_that_gives_no_single_embedding_is_refused(original: bytes, hop_frames: int) -> None:
    """The pools divide time by 8: anything else gives half an embedding, or two."""
    with pytest.raises(WakeModelError, match=r"install openwakeword==0\.5\.1 again"):
        stream_embedding(original, hop_frames, 32)


@pytest.mark.parametrize("name", ["melspectrogram", "hey_jarvis", "silero_vad"])
def test_another_network_is_refused(name: str) -> None:
    """A network for which the rewriting would be wrong never gets rewritten."""
    with pytest.raises(WakeModelError, match="not that of openWakeWord"):
        stream_embedding(bundled_network(name).read_bytes(), 8, 32)


def test_a_file_that_is_no_network_is_refused() -> None:
    """Bytes that are no ONNX file at all."""
    with pytest.raises(WakeModelError, match="not that of openWakeWord"):
        stream_embedding(b"<html>not found</html>", 8, 32)


def altered(original: bytes, operation: str, change: bytes, into: bytes) -> bytes:
    """The network with ``change`` replaced in its first node of that operation."""
    model = onnx.unpack(original)
    (graph,) = onnx.nested(model, onnx.MODEL_GRAPH)
    for place, field in enumerate(graph):
        value = field.value
        if field.number == onnx.GRAPH_NODE and isinstance(value, bytes) and change in value:
            node = onnx.unpack(value)
            if onnx.texts(node, onnx.NODE_OPERATION) == [operation]:
                graph[place] = field._replace(value=value.replace(change, into))
                break
    whole = Field(onnx.MODEL_GRAPH, BYTES, onnx.pack(graph))
    return onnx.pack([whole])


PADS = b"\x0a\x04pads" + b"@\x00@\x01@\x00@\x01"


@pytest.mark.parametrize(
    ("operation", "change", "into", "complaint"),
    [
        ("Conv", PADS, PADS[:-8] + b"@\x01@\x01@\x01@\x01", "pads or strides over time"),
        ("LeakyRelu", b"LeakyRelu\x2a", b"Sigmoids!\x2a", "a Sigmoids! is not expected"),
        ("LeakyRelu", b"model/batch", b"model/other", "does not follow the node before it"),
    ],
    ids=["padding over time", "an unknown operation", "not a chain"],
)
def test_a_network_that_could_not_be_streamed_is_refused(
    original: bytes, operation: str, change: bytes, into: bytes, complaint: str
) -> None:
    """Each property that makes the rewriting right is checked."""
    with pytest.raises(WakeModelError, match=complaint):
        stream_embedding(altered(original, operation, change, into), 8, 32)
