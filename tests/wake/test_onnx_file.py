"""The few parts of an ONNX file that we read and write."""

from __future__ import annotations

import pytest

from device.wake import onnx_file as onnx
from device.wake.catalogue import bundled_network
from device.wake.onnx_file import BYTES, FIXED32, FIXED64, VARINT, Field


@pytest.mark.parametrize("name", ["embedding_model", "hey_jarvis", "silero_vad"])
def test_a_network_survives_unchanged(name: str) -> None:
    """What is read and written again is the same file, byte for byte."""
    data = bundled_network(name).read_bytes()
    assert onnx.pack(onnx.unpack(data)) == data


def test_every_kind_of_field_survives() -> None:
    """Numbers of any size, strings, and both fixed widths."""
    fields = [
        Field(1, VARINT, 0),
        Field(2, VARINT, 2**64 - 1),
        Field(300, BYTES, b"x" * 200),
        Field(4, FIXED32, b"abcd"),
        Field(5, FIXED64, b"abcdefgh"),
    ]
    assert onnx.unpack(onnx.pack(fields)) == fields


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\x0a\x05abc", "runs past the end"),
        (b"\x08\x80", "in the middle of a number"),
        (b"\x0b", "unknown type 3"),
    ],
    ids=["too long a field", "half a number", "a group"],
)
def test_what_is_no_message_is_refused(data: bytes, complaint: str) -> None:
    """A file that was cut off, or is something else, says where it stops making sense."""
    with pytest.raises(ValueError, match=complaint):
        onnx.unpack(data)


def test_integers_are_read_packed_or_one_by_one() -> None:
    """Protobuf allows both ways to write a repeated number."""
    single = [Field(8, VARINT, 3), Field(8, VARINT, 300)]
    packed = [Field(8, BYTES, b"\x03\xac\x02")]
    assert onnx.integers(single, 8) == onnx.integers(packed, 8) == (3, 300)


def test_an_attribute_that_is_absent_has_no_integers() -> None:
    """A node without ``pads`` pads nothing."""
    (field,) = [onnx.node("Conv", ["x"], "y", axis=2)]
    assert isinstance(field.value, bytes)
    assert onnx.attribute(onnx.unpack(field.value), "pads") == ()


def test_a_constant_may_be_negative() -> None:
    """Two's complement, as ONNX stores an int64."""
    field = onnx.constant("start", -2)
    assert isinstance(field.value, bytes)
    (raw,) = [f.value for f in onnx.unpack(field.value) if f.number == onnx.TENSOR_RAW]
    assert raw == b"\xfe" + b"\xff" * 7
