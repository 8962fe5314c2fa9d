"""Wake word networks with something wrong, made of a bundled one."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.wake import onnx_file
from device.wake.catalogue import bundled_network
from device.wake.networks import Classifier
from device.wake.onnx_file import BYTES, VARINT, Field, Message

Change = Callable[[Message], Message]
Weights = NDArray[np.float32]
FLOAT, FLOAT16, DOUBLE = 1, 10, 11


def rewritten(of_graph: Change, word: str = "alexa") -> bytes:
    """A bundled network with its graph changed."""
    model = onnx_file.unpack(bundled_network(word).read_bytes())
    return onnx_file.pack(
        Field(f.number, f.wire, onnx_file.pack(of_graph(onnx_file.unpack(bytes_of(f)))))
        if f.number == onnx_file.MODEL_GRAPH
        else f
        for f in model
    )


def bytes_of(field: Field) -> bytes:
    assert isinstance(field.value, bytes)
    return field.value


def with_operation(old: str, new: str) -> Change:
    """The last node of one operation does another."""

    def change(graph: Message) -> Message:
        places = [
            place
            for place, f in enumerate(graph)
            if f.number == onnx_file.GRAPH_NODE
            and onnx_file.texts(onnx_file.unpack(bytes_of(f)), onnx_file.NODE_OPERATION) == [old]
        ]
        node = [
            Field(f.number, f.wire, new.encode()) if f.number == onnx_file.NODE_OPERATION else f
            for f in onnx_file.unpack(bytes_of(graph[places[-1]]))
        ]
        changed = list(graph)
        changed[places[-1]] = Field(onnx_file.GRAPH_NODE, BYTES, onnx_file.pack(node))
        return changed

    return change


def with_weights(change: Callable[[Weights], Weights]) -> Change:
    """The floats of every larger tensor are others."""

    def of_tensor(tensor: Message) -> Message:
        return [
            Field(f.number, f.wire, change(np.frombuffer(bytes_of(f), "<f4").copy()).tobytes())
            if f.number == onnx_file.TENSOR_RAW
            else f
            for f in tensor
        ]

    return each_large_tensor(of_tensor)


def each_large_tensor(change: Change) -> Change:
    """Change the initialisers that hold more than a few floats."""

    def of_graph(graph: Message) -> Message:
        return [
            Field(f.number, f.wire, onnx_file.pack(change(onnx_file.unpack(bytes_of(f)))))
            if f.number == onnx_file.GRAPH_CONSTANT and len(bytes_of(f)) > 2_000
            else f
            for f in graph
        ]

    return of_graph


def with_data_beside(name: str, data: bytearray) -> Change:
    """Its weights are in a second file, whose content is appended to ``data``."""

    def entry(key: str, value: str) -> Field:
        pair = [Field(1, BYTES, key.encode()), Field(2, BYTES, value.encode())]
        return Field(13, BYTES, onnx_file.pack(pair))

    def of_tensor(tensor: Message) -> Message:
        kept = [f for f in tensor if f.number != onnx_file.TENSOR_RAW]
        (raw,) = (bytes_of(f) for f in tensor if f.number == onnx_file.TENSOR_RAW)
        offset = len(data)
        data.extend(raw)
        where = ("location", name), ("offset", str(offset)), ("length", str(len(raw)))
        return [*kept, *(entry(*each) for each in where), Field(14, VARINT, 1)]

    return each_large_tensor(of_tensor)


def written(path: Path, change: Change) -> Path:
    """Write a bundled network so changed."""
    path.write_bytes(rewritten(change))
    return path


def two_files(path: Path) -> Path:
    """Write a sound network in two files; returns that of the weights."""
    data = bytearray()
    beside = path.with_name(path.name + ".data")
    path.write_bytes(rewritten(with_data_beside(beside.name, data)))
    beside.write_bytes(data)
    return beside


def typed(shape: tuple[int | str, ...], kind: int = FLOAT) -> bytes:
    """A network that takes this and gives its mean."""

    def dimension(size: int | str) -> Field:
        one = Field(1, VARINT, size) if isinstance(size, int) else Field(2, BYTES, size.encode())
        return Field(1, BYTES, onnx_file.pack([one]))

    def port(where: int, name: str, sizes: tuple[int | str, ...]) -> Field:
        dims = onnx_file.pack([dimension(size) for size in sizes])
        tensor = onnx_file.pack([Field(1, VARINT, kind), Field(2, BYTES, dims)])
        kinds = onnx_file.pack([Field(1, BYTES, tensor)])
        return Field(where, BYTES, onnx_file.pack([Field(1, BYTES, name.encode()),
                                                   Field(2, BYTES, kinds)]))  # fmt: skip

    graph = [
        onnx_file.node("ReduceMean", ["x"], "y", keepdims=1),
        Field(2, BYTES, b"mean"),
        port(onnx_file.GRAPH_INPUT, "x", shape),
        port(onnx_file.GRAPH_OUTPUT, "y", (1,) * len(shape)),
    ]
    model = [
        Field(1, VARINT, 8),
        Field(onnx_file.MODEL_GRAPH, BYTES, onnx_file.pack(graph)),
        Field(8, BYTES, onnx_file.pack([Field(2, VARINT, 13)])),
    ]
    return onnx_file.pack(model)


def nan(weights: Weights) -> Weights:
    """One weight of many is no number."""
    weights[weights.size // 2] = struct.unpack("<f", b"\x00\x00\xc0\x7f")[0]
    return weights


def infinite(weights: Weights) -> Weights:
    """All of them have grown without end."""
    return weights * np.float32(np.inf)


def heard(classifier: Classifier) -> Weights:
    """Embeddings as a classifier takes them, of no sound that there is."""
    size = (1, classifier.embeddings, 96)
    return np.random.default_rng(3).normal(0.0, 8.0, size).astype(np.float32)
