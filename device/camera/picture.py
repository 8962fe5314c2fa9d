"""`picture_of` makes a picture as it is sent of what a camera gives; `brightness_of` looks at it.

Both decode with Pillow, block, and belong into a thread; so does `load`, which imports it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from device.errors import CameraError
from device.ports import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST_PX: Final = 768
"""More is not looked at: the Live API recommends 768 by 768, and bills by the picture."""
QUALITY: Final = 75
"""Of the JPEG, as LiveKit sends them: 30 to 90 kB of a room."""
MOST_PIXELS: Final = 120_000_000
"""What a picture may have before it is made small: phones make 108 million. A JPEG of that size is
decoded at an eighth, in 5 MB; whatever is not, only up to `MOST_WHOLE_PIXELS`."""
MOST_WHOLE_PIXELS: Final = 16_000_000
"""What is decoded as it is, in 64 MB for a moment, of the 400 MB that the unit may take: other
formats, and a progressive JPEG, whose coefficients are all kept until the last one has come."""
MOST_BYTES: Final = 40_000_000
"""What a file may have."""
DARK_PERCENT: Final = 95
DARK_LUMINANCE: Final = 24
"""A picture is dark when so many percent of it are below this luminance, of 255.

Measured on a page of text 768 px wide whose light was taken away step by step, with the noise of a
small sensor at full gain (6 of 255) and as a JPEG. With white paper at 64 all of the letters' edges
stand out of the noise, at 24 half, at 20 a third, at 16 a sixth, at 8 none. It is called dark at 16
and not at 20; a dark room with a lamp in it is not dark. `tests/camera/test_picture.py` repeats it.
"""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP")
"""What is decoded; Pillow knows forty more, and each is code for somebody's file to break."""


def load() -> None:
    """Import Pillow. Takes 0.1 s, on a small board a second; any thread."""
    from PIL import Image  # noqa: PLC0415 - heavy, and for pictures only

    # `_decoded` judges by itself, and before anything is decoded; Pillow would only warn.
    Image.MAX_IMAGE_PIXELS = None


def picture_of(data: bytes, taken_at: float, rotate: int = 0) -> Picture:
    """Return a picture as it is sent: upright, at most 768 px, without anything but the picture.

    ``taken_at``: CLOCK_MONOTONIC; ``rotate``: degrees clockwise, a multiple of 90. Raises
    CameraError where it cannot be decoded.
    """
    load()
    from PIL import Image, ImageOps  # noqa: PLC0415 - heavy, and for pictures only

    try:
        image = _decoded(data, LONGEST_PX)
        if image.mode in {"1", "P"}:
            image = image.convert("RGBA")  # nothing lies between two of a few colours
        # Small first: each step makes a copy.
        image.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.BICUBIC, reducing_gap=2.0)
        image = _opaque(ImageOps.exif_transpose(image))
        turn = {
            90: Image.Transpose.ROTATE_270,  # Pillow turns the other way round
            180: Image.Transpose.ROTATE_180,
            270: Image.Transpose.ROTATE_90,
        }.get(rotate)
        image = image.transpose(turn) if turn is not None else image
        # Pillow writes comments and more of a picture's origin into the next file.
        image.info.clear()
        written = io.BytesIO()
        image.save(written, "JPEG", quality=QUALITY)
        width, height = image.size
        return Picture(written.getvalue(), width, height, taken_at, _is_dark(image))
    except CameraError:
        raise
    except Exception as error:  # a decoder raises what it likes over damaged data
        raise _unreadable(str(error) or type(error).__name__) from error


def brightness_of(data: bytes) -> float:
    """Return the mean luminance of a picture, 0..255, from an eighth of its pixels.

    Raises CameraError where it cannot be decoded.
    """
    load()
    from PIL import ImageStat  # noqa: PLC0415 - heavy, and for pictures only

    try:
        return float(ImageStat.Stat(_decoded(data, 1).convert("L")).mean[0])
    except CameraError:
        raise
    except Exception as error:  # a decoder raises what it likes over damaged data
        raise _unreadable(str(error) or type(error).__name__) from error


def jpeg_of_yuyv(data: bytes, width: int, height: int, bytes_per_line: int) -> bytes:
    """Return what a camera without JPEG gives (YUYV: two pixels in four bytes) as one.

    Raises CameraError where there are too few bytes.
    """
    load()
    from PIL import Image  # noqa: PLC0415 - heavy, and for pictures only

    stride = bytes_per_line or 2 * width
    if width < 2 or height < 1 or stride < 2 * width or len(data) < stride * height:
        told = f"{len(data)} bytes are no YUYV picture of {width} by {height} pixels"
        raise _unreadable(told)
    # Y0 U Y1 V: luminance in every second byte, a pair of colours for two pixels. What a transform
    # takes for pixel x is at factor * (x + 1/2) + offset.
    lines = Image.frombuffer("L", (stride, height), data, "raw", "L", 0, 1)
    packed = lines.crop((0, 0, 2 * width, height))
    half = (width // 2, height)
    nearest, affine = Image.Resampling.NEAREST, Image.Transform.AFFINE
    light = packed.transform((width, height), affine, (2, 0, -0.5, 0, 1, 0), nearest)
    blue = packed.transform(half, affine, (4, 0, -0.5, 0, 1, 0), nearest)
    red = packed.transform(half, affine, (4, 0, 1.5, 0, 1, 0), nearest)
    whole = (light.size, nearest)
    picture = Image.merge("YCbCr", (light, blue.resize(*whole), red.resize(*whole)))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=90)
    return written.getvalue()


def _decoded(data: bytes, enough_px: int) -> Image:
    from PIL import Image  # noqa: PLC0415 - heavy, and for pictures only

    if not data:
        raise _unreadable("it is empty")
    if data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data.rstrip(b"\0")[-4096:]:
        # Cut off, as by a bad cable: half of such a picture is a grey area. (Some cameras fill up.)
        raise _unreadable("it ends before its end")
    image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise _unreadable(f"it has {width} by {height} pixels, and {MOST_PIXELS} are the most")
    if "progressive" not in image.info:
        image.draft("RGB", (enough_px, enough_px))  # a JPEG is decoded as small as will do
        width, height = image.size
    if width * height > MOST_WHOLE_PIXELS:
        raise _unreadable(
            f"it has {width} by {height} pixels, and {MOST_WHOLE_PIXELS} are the most: save it as "
            "a JPEG or smaller"
        )
    image.load()
    return image


def _opaque(image: Image) -> Image:
    """As RGB; what can be seen through is white."""
    from PIL import Image  # noqa: PLC0415 - heavy, and for pictures only

    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")


def _is_dark(image: Image) -> bool:
    counts = image.convert("L").histogram()
    return sum(counts[:DARK_LUMINANCE]) * 100 >= DARK_PERCENT * sum(counts)


def _unreadable(why: str) -> CameraError:
    return CameraError(f"what the camera gave is no picture that can be read: {why}")
