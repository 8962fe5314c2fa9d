"""Of what is attached to a question only a small, whole JPEG goes on."""

from __future__ import annotations

import random

import pytest

from device.control.enclosure import LONGEST_PX, MOST_BYTES, enclosed
from device.errors import ControlError
from tests.rig import jpeg_headers, pictures


@pytest.mark.parametrize("progressive", [False, True])
def test_a_picture_is_taken_with_its_size(*, progressive: bool) -> None:
    """As Pillow writes them, baseline or progressive."""
    jpeg = pictures.jpeg(640, 480, progressive=progressive)
    taken = enclosed(jpeg)
    assert (taken.jpeg, taken.width, taken.height) == (jpeg, 640, 480)
    assert "xff" not in repr(taken), "nothing prints what it shows"


def test_fill_bytes_and_markers_without_a_length_are_passed_over() -> None:
    """As some cameras write them."""
    jpeg = jpeg_headers.jpeg(768, 432)
    padded = jpeg[:2] + b"\xff\xff\x01" + jpeg[2:]
    assert enclosed(padded).width == LONGEST_PX


@pytest.mark.parametrize(
    ("jpeg", "told"),
    [
        (b"", "no whole JPEG"),
        (b"\x89PNG\r\n\x1a\n", "no whole JPEG"),
        (jpeg_headers.jpeg()[:-2], "no whole JPEG"),
        (b"\xff\xd8\xff\xd9", "no whole JPEG"),
        (b"\xff\xd8\xff\xda" + bytes(20) + b"\xff\xd9", "no whole JPEG"),
        (b"\xff\xd8" + bytes(20) + b"\xff\xd9", "no whole JPEG"),
        (jpeg_headers.jpeg(769, 400), "has 769 by 400 pixels; at most 768"),
        (jpeg_headers.jpeg(400, 0), "has 400 by 0 pixels"),
        (jpeg_headers.jpeg(size_bytes=MOST_BYTES + 1), "at most 360000 can be sent"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(jpeg: bytes, told: str) -> None:
    """It would cost the connection, or a lot of money."""
    with pytest.raises(ControlError, match=told):
        enclosed(jpeg)


def test_whatever_is_sent_is_taken_or_refused() -> None:
    """Ten thousand pictures with some bytes changed, and nothing else comes of it."""
    chance, whole = random.Random(1), jpeg_headers.jpeg(size_bytes=200)
    for _ in range(10_000):
        changed = bytearray(whole)
        for _ in range(3):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            taken = enclosed(bytes(changed))
        except ControlError:
            continue
        assert 0 < taken.width <= LONGEST_PX
        assert 0 < taken.height <= LONGEST_PX
