"""Pictures that are made for a test: scenes, pages of text, and what a camera damages."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFilter


def scene(width: int, height: int, light: float = 1.0, seed: int = 0) -> Image.Image:
    """Something like a room: a window, a wall that gets darker, a person; ``light`` 0..1."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    draw = ImageDraw.Draw(image)
    third, high = width // 3, height // 3
    draw.rectangle((third, high // 2, 2 * third, 2 * high), fill=(250, 250, 235))
    draw.ellipse(
        (seed % (third + 1), high, seed % (third + 1) + third, 2 * high), fill=(200, 120, 90)
    )
    draw.rectangle((0, 2 * high, third, height), fill=(40, 60, 180))
    soft = image.filter(ImageFilter.GaussianBlur(1))
    return soft.point(lambda value: value * light)


def jpeg(width: int, height: int, light: float = 1.0, seed: int = 0, **options: Any) -> bytes:
    """A scene as a JPEG."""
    written = io.BytesIO()
    scene(width, height, light, seed).save(written, "JPEG", **{"quality": 85, **options})
    return written.getvalue()


def size_of(data: bytes) -> tuple[int, int]:
    """The width and height that a JPEG has when it is decoded."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.format == "JPEG"
        return image.size


def pixel(data: bytes, x: float, y: float) -> tuple[int, int, int]:
    """The colour at a place, 0..1 from the upper left corner."""
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        place = (min(int(x * width), width - 1), min(int(y * height), height - 1))
        red, green, blue = image.convert("RGB").getpixel(place)  # type: ignore[misc]
        return int(red), int(green), int(blue)
