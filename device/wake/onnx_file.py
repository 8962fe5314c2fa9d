"""`unpack` and `pack` read and write the few parts of an ONNX file that a rewrite needs. Pure.

An ONNX file is a protobuf message. A message is kept here as the list of its fields in the order of
the file, so whatever is not understood is carried over as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Protobuf: the wire types of its encoding document.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}

# ONNX: field numbers of onnx.proto, by message.
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_CONSTANT, GRAPH_INPUT, GRAPH_OUTPUT = 1, 5, 11, 12
NODE_INPUT, NODE_OUTPUT, NODE_OPERATION, NODE_ATTRIBUTE = 1, 2, 4, 5
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_INTS, _ATTRIBUTE_TYPE = 1, 3, 8, 20
_ATTRIBUTE_IS_INT = 2
_FLOAT, _INT64 = 1, 7


class Field(NamedTuple):
    """One field of a message; a nested message, a string and a fixed number are their bytes."""

    number: int
    wire: int
    value: int | bytes


Message = list[Field]


def unpack(data: bytes) -> Message:
    """Split a message into its fields. Raises ValueError when ``data`` is not one."""
    fields: Message = []
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        wire = key & 7
        if wire == VARINT:
            number, at = _read_varint(data, at)
            fields.append(Field(key >> 3, wire, number))
            continue
        if wire == BYTES:
            size, at = _read_varint(data, at)
        elif wire in _FIXED_BYTES:
            size = _FIXED_BYTES[wire]
        else:
            raise ValueError(f"byte {at} begins a field of unknown type {wire}")
        if at + size > len(data):
            raise ValueError(f"a field of {size} bytes at byte {at} runs past the end")
        fields.append(Field(key >> 3, wire, data[at : at + size]))
        at += size
    return fields


def pack(fields: Iterable[Field]) -> bytes:
    """Join fields to a message; the inverse of ``unpack``."""
    out = bytearray()
    for number, wire, value in fields:
        out += _varint(number << 3 | wire)
        if isinstance(value, int):
            out += _varint(value)
            continue
        if wire == BYTES:
            out += _varint(len(value))
        out += value
    return bytes(out)


def nested(message: Message, number: int) -> list[Message]:
    """Every nested message in that field."""
    return [unpack(f.value) for f in message if f.number == number and isinstance(f.value, bytes)]


def texts(message: Message, number: int) -> list[str]:
    """Every string in that field."""
    return [f.value.decode() for f in message if f.number == number and isinstance(f.value, bytes)]


def integers(message: Message, number: int) -> tuple[int, ...]:
    """Every non-negative integer in that field, whether packed or one by one."""
    found: list[int] = []
    for value in (f.value for f in message if f.number == number):
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            one, at = _read_varint(value, at)
            found.append(one)
    return tuple(found)


def attribute(node: Message, name: str) -> tuple[int, ...]:
    """The integers of a node's attribute; empty when the node has none of that name."""
    for one in nested(node, NODE_ATTRIBUTE):
        if texts(one, _ATTRIBUTE_NAME) == [name]:
            return integers(one, _ATTRIBUTE_INTS)
    return ()


def node(operation: str, inputs: Sequence[str], output: str, **attributes: int) -> Field:
    """A NodeProto with one output and integer attributes, as a field of the graph."""
    message = [Field(NODE_INPUT, BYTES, name.encode()) for name in inputs]
    message.append(Field(NODE_OUTPUT, BYTES, output.encode()))
    message.append(Field(NODE_OPERATION, BYTES, operation.encode()))
    for name, value in attributes.items():
        parts = [
            Field(_ATTRIBUTE_NAME, BYTES, name.encode()),
            Field(_ATTRIBUTE_INT, VARINT, value),
            Field(_ATTRIBUTE_TYPE, VARINT, _ATTRIBUTE_IS_INT),
        ]
        message.append(Field(NODE_ATTRIBUTE, BYTES, pack(parts)))
    return Field(GRAPH_NODE, BYTES, pack(message))


def constant(name: str, value: int) -> Field:
    """A TensorProto of one int64, as a field of the graph."""
    message = [
        Field(TENSOR_DIMS, VARINT, 1),
        Field(TENSOR_TYPE, VARINT, _INT64),
        Field(TENSOR_NAME, BYTES, name.encode()),
        Field(TENSOR_RAW, BYTES, struct.pack("<q", value)),
    ]
    return Field(GRAPH_CONSTANT, BYTES, pack(message))


def port(where: int, name: str, shape: Sequence[int]) -> Field:
    """A float tensor that goes in (``GRAPH_INPUT``) or out (``GRAPH_OUTPUT``) of the graph."""
    # ONNX: ValueInfoProto{name 1, type 2} > TypeProto{tensor_type 1} > Tensor{elem_type 1, shape 2}
    # > TensorShapeProto{dim 1} > Dimension{dim_value 1}.
    dims = [Field(1, BYTES, pack([Field(1, VARINT, size)])) for size in shape]
    tensor = [Field(1, VARINT, _FLOAT), Field(2, BYTES, pack(dims))]
    kind = pack([Field(1, BYTES, pack(tensor))])
    return Field(where, BYTES, pack([Field(1, BYTES, name.encode()), Field(2, BYTES, kind)]))


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at byte ``at``, and where the next thing begins."""
    number = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("it ends in the middle of a number")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
