"""Whatever a camera gives becomes a small upright JPEG with nothing in it but the picture."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from device.camera.picture import (
    LONGEST_PX,
    MOST_PIXELS,
    brightness_of,
    jpeg_of_yuyv,
    picture_of,
)
from device.errors import CameraError
from tests.rig.pictures import jpeg, pixel, scene, size_of

ROOT = Path(__file__).parents[2]
GPS = "planted 52.5163 N 13.3777 E"
RED, GREEN, BLUE, WHITE = (230, 20, 20), (20, 200, 20), (20, 20, 230), (250, 250, 250)


def corners(width: int, height: int) -> Image.Image:
    """Red, green, blue, white: the upper left quarter, and on clockwise."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for x, y, colour in ((0, 0, RED), (1, 0, GREEN), (1, 1, BLUE), (0, 1, WHITE)):
        left, top = x * width // 2, y * height // 2
        draw.rectangle((left, top, left + width // 2, top + height // 2), fill=colour)
    return image


def written(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def clockwise(data: bytes) -> list[str]:
    """The colours of the corners, from the upper left one on."""
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    seen = [pixel(data, x, y) for x, y in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))]
    return [
        min(names.items(), key=lambda each: sum(map(abs, map(int.__sub__, each[0], colour))))[1]
        for colour in seen
    ]


@pytest.mark.parametrize(
    ("size", "sent"),
    [
        ((1280, 720), (768, 432)),
        ((3000, 4000), (576, 768)),
        ((768, 768), (768, 768)),
        ((640, 480), (640, 480)),
        ((1, 1), (1, 1)),
        ((5000, 3), (768, 1)),
    ],
)
def test_a_picture_is_made_small_and_never_larger(
    size: tuple[int, int], sent: tuple[int, int]
) -> None:
    """Its longer side has 768 px at most, in the shape that it had."""
    made = picture_of(jpeg(*size), 7.5)
    assert (made.width, made.height) == sent == size_of(made.jpeg)
    assert made.taken_at == 7.5
    assert made.jpeg not in repr(made).encode()


@pytest.mark.parametrize(
    ("rotate", "colours"),
    [
        (0, ["red", "green", "blue", "white"]),
        (90, ["white", "red", "green", "blue"]),
        (180, ["blue", "white", "red", "green"]),
        (270, ["green", "blue", "white", "red"]),
    ],
)
def test_a_picture_is_turned_clockwise(rotate: int, colours: list[str]) -> None:
    """As the camera hangs."""
    made = picture_of(written(corners(400, 200)), 0.0, rotate)
    assert clockwise(made.jpeg) == colours
    assert (made.width, made.height) == ((400, 200) if rotate in {0, 180} else (200, 400))


def test_what_a_phone_says_of_how_it_was_held_is_heeded() -> None:
    """EXIF orientation 6: turn it by 90 degrees to see it upright; then as the owner says."""
    exif = Image.Exif()
    exif[0x0112] = 6
    held = written(corners(400, 200), exif=exif)
    assert clockwise(picture_of(held, 0.0).jpeg) == ["white", "red", "green", "blue"]
    assert clockwise(picture_of(held, 0.0, 270).jpeg) == ["red", "green", "blue", "white"]


def test_nothing_leaves_that_the_file_says_of_itself() -> None:
    """Where it was taken, by what, when; as EXIF, as a comment, as XMP, as a profile."""
    exif = Image.Exif()
    exif[0x010F] = GPS
    exif.get_ifd(0x8825)[1] = GPS
    marked = written(
        scene(800, 600),
        exif=exif,
        comment=GPS.encode(),
        xmp=GPS.encode(),
        icc_profile=GPS.encode() * 9,
        dpi=(301, 301),
    )
    text = Image.new("RGB", (40, 30))
    texts = [marked, written(text, "PNG", pnginfo=_png_text()), written(text, "WEBP", exif=exif)]
    for file in texts:
        assert b"planted" in file
        made = picture_of(file, 0.0).jpeg
        assert b"planted" not in made
        with Image.open(io.BytesIO(made)) as image:
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert image.info.get("jfif_density") != (301, 301)
            assert dict(image.getexif()) == {}


def _png_text() -> object:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", GPS)
    return info


def test_a_webcam_s_jpeg_without_its_tables_is_read() -> None:
    """Motion JPEG leaves the usual Huffman tables out (AVI1, and most of UVC)."""
    whole = jpeg(1280, 720, seed=3)
    assert picture_of(without_tables(whole), 0.0) == picture_of(whole, 0.0)


def without_tables(data: bytes) -> bytes:
    kept, place = data[:2], 2
    while data[place + 1] != 0xDA:  # start of scan
        length = 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        kept += data[place : place + length] if data[place + 1] != 0xC4 else b""
        place += length
    return kept + data[place:]


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(lambda: written(scene(60, 40), "PNG"), id="png"),
        pytest.param(lambda: written(scene(60, 40), "WEBP"), id="webp"),
        pytest.param(lambda: written(scene(60, 40), "BMP"), id="bmp"),
        pytest.param(lambda: written(scene(60, 40).convert("L")), id="grey"),
        pytest.param(lambda: written(scene(60, 40).convert("CMYK")), id="cmyk"),
        pytest.param(lambda: written(scene(60, 40).convert("P"), "PNG"), id="palette"),
        pytest.param(lambda: written(scene(60, 40).convert("1"), "PNG"), id="bits"),
        pytest.param(lambda: written(scene(60, 40), progressive=True), id="progressive"),
    ],
)
def test_other_kinds_of_picture_will_do(image: object) -> None:
    """For a file; a camera gives JPEG."""
    assert callable(image)
    assert size_of(picture_of(image(), 0.0).jpeg) == (60, 40)


def test_what_can_be_seen_through_is_white() -> None:
    """Not black, on which a drawing in black would be gone."""
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    made = picture_of(written(clear, "PNG"), 0.0)
    assert pixel(made.jpeg, 0.5, 0.5) == (255, 255, 255)
    assert not made.dark


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"\xff\xd8", "it ends before its end"),
        (jpeg(800, 600)[:-5_000], "it ends before its end"),
        (b"<html>", "cannot identify image file"),
        (written(scene(60, 40), "GIF"), "cannot identify image file"),
        (written(scene(200, 100), "PNG")[:-800], "truncated"),
        (jpeg(8, 8)[:300] + b"\xff\xd9", ""),
    ],
)
def test_what_is_no_picture_is_told(data: bytes, why: str) -> None:
    """By both who look at it."""
    for look in (lambda: picture_of(data, 0.0), lambda: brightness_of(data)):
        with pytest.raises(CameraError) as raised:
            look()
        assert str(raised.value).startswith("what the camera gave is no picture that can be read")
        assert why in str(raised.value)


def png_of(width: int, height: int) -> bytes:
    """A file of a few kilobytes that is that large when it is decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    line = zlib.compress(bytes(1_000_000), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", line) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (8_000, 4_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    """A small file that says it has 10 GB of pixels, and one of 96 MB."""
    with pytest.raises(CameraError, match=f"it has {size[0]} by {size[1]} pixels, and"):
        picture_of(png_of(*size), 0.0)


def test_a_progressive_jpeg_is_taken_whole_or_not_at_all() -> None:
    """It is not decoded at an eighth: 100 million pixels of one would take 300 MB."""
    small = written(scene(1600, 1200), progressive=True)
    assert picture_of(small, 0.0).width == 768
    large = written(Image.new("RGB", (6_000, 4_000), RED), progressive=True)
    with pytest.raises(CameraError, match="it has 6000 by 4000 pixels, and 16000000 are the most"):
        picture_of(large, 0.0)


def test_a_large_jpeg_takes_little_memory() -> None:
    """One of 100 million pixels is decoded at an eighth: a phone's best, 300 MB as it is."""
    assert MOST_PIXELS >= 12_000 * 9_000
    code = f"""
import io, resource, sys
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
small = Image.new("RGB", (16, 16), (200, 30, 30))
import device.camera.picture as picture
picture.load()
picture.picture_of(open(sys.argv[1], "rb").read(), 0.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = picture.picture_of(open(sys.argv[2], "rb").read(), 0.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, made.width, {LONGEST_PX})
"""
    done = measured(code, jpeg(640, 480), written(Image.new("RGB", (12_000, 9_000), RED)))
    grown_kb, width, most = map(int, done.split())
    assert width == most
    assert grown_kb < 80_000


def measured(code: str, *files: bytes) -> str:
    """What a process of its own prints that is given these files."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, str(place)) for place in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(data)
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, paths)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout


@given(st.data())
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    """Bytes exchanged anywhere in any kind of file: a picture, or the one error."""
    whole = bytearray(data.draw(st.sampled_from(DAMAGED)))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    try:
        made = picture_of(bytes(whole), 0.0)
    except CameraError:
        return
    assert max(made.width, made.height) <= LONGEST_PX


DAMAGED = [
    jpeg(64, 48),
    written(scene(32, 24), "PNG"),
    written(scene(32, 24), "WEBP"),
    written(scene(32, 24), "BMP"),
]


def page(paper: float) -> bytes:
    """A page of text whose white is this bright, through a small sensor at full gain."""
    image = Image.new("L", (768, 576), 255)
    draw, font, chance = ImageDraw.Draw(image), ImageFont.load_default(size=28), random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz     "
    for y in range(10, 540, 36):
        draw.text((10, y), "".join(chance.choices(letters, k=55)), fill=30, font=font)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(0.7)), float) * paper / 255
    noisy = soft + np.random.default_rng(1).normal(0, 6, soft.shape)
    return written(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), quality=75)


@pytest.mark.parametrize(
    ("paper", "visible", "dark"),
    [(255, 1.0, False), (64, 1.0, False), (24, 0.51, False), (20, 0.34, False), (16, 0.18, True),
     (8, 0.04, True)],
)  # fmt: skip
def test_a_picture_is_dark_when_hardly_an_edge_stands_out_of_the_noise(
    paper: float, visible: float, dark: bool
) -> None:
    """The measurement that `DARK_LUMINANCE` tells of."""
    clean, seen = (
        np.asarray(Image.open(io.BytesIO(data)).convert("L"), float)
        for data in (page(255), page(paper))
    )
    steps = np.abs(clean[:, 2:] - clean[:, :-2])
    change = np.abs(seen[:, 2:] - seen[:, :-2])
    noise = np.percentile(change[steps < 30], 95)
    share = float((change[steps > 120] > noise).mean())
    assert share == pytest.approx(visible, abs=0.08)
    assert picture_of(page(paper), 0.0).dark is dark


def test_a_lamp_in_a_dark_room_is_something_to_see() -> None:
    """A picture is dark as a whole, or not."""
    night = Image.new("RGB", (640, 480), (4, 4, 6))
    assert picture_of(written(night), 0.0).dark
    ImageDraw.Draw(night).ellipse((200, 100, 400, 300), fill=(240, 220, 160))
    assert not picture_of(written(night), 0.0).dark


def test_brightness_is_the_mean_luminance() -> None:
    """Of all of it, at a small part of the price."""
    for light in (0, 60, 255):
        flat = written(Image.new("RGB", (1280, 720), (light, light, light)))
        assert brightness_of(flat) == pytest.approx(light, abs=1)


def test_yuyv_becomes_a_jpeg_and_what_is_too_short_is_told() -> None:
    """Two pixels in four bytes, with bytes at the end of a line that are no picture."""
    line = bytes([235, 128, 16, 128]) * 8 + bytes(8)
    made = jpeg_of_yuyv(line * 8, 16, 8, 40)
    assert size_of(made) == (16, 8)
    assert pixel(made, 0.0, 0.5) == pytest.approx((235, 235, 235), abs=12)
    assert pixel(made, 0.07, 0.5) == pytest.approx((16, 16, 16), abs=12)
    for data, width, height, stride in ((line, 16, 8, 40), (line * 8, 16, 8, 20), (b"", 0, 0, 0)):
        with pytest.raises(CameraError, match="are no YUYV picture"):
            jpeg_of_yuyv(data, width, height, stride)
