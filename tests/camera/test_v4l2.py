"""An open V4L2 camera, by linuxpy, over the kernel's own structures."""

from __future__ import annotations

import errno
import threading
import time
from itertools import chain, repeat

import pytest

from device.camera.v4l2 import Mode, V4l2Stream, best_mode
from device.errors import CameraError
from tests.rig.pictures import jpeg, pixel, size_of
from tests.rig.v4l2 import V4l2

PICTURE = jpeg(1280, 720)


def soon() -> float:
    return time.monotonic() + 30


def offered(*modes: tuple[str, int, int]) -> list[Mode]:
    return [Mode(*mode) for mode in modes]


@pytest.mark.parametrize(
    ("modes", "best"),
    [
        ([("MJPG", 640, 480), ("MJPG", 1280, 720), ("MJPG", 800, 600)], ("MJPG", 800, 600)),
        ([("MJPG", 480, 768), ("MJPG", 1920, 1080)], ("MJPG", 480, 768)),
        ([("MJPG", 320, 240), ("MJPG", 640, 480)], ("MJPG", 640, 480)),
        ([("YUYV", 800, 600), ("MJPG", 640, 480)], ("MJPG", 640, 480)),
        ([("NV12", 0, 0), ("YUYV", 640, 480), ("YUYV", 1280, 960)], ("YUYV", 1280, 960)),
        ([("JPEG", 1024, 768), ("H264", 0, 0)], ("JPEG", 1024, 768)),
    ],
)
def test_the_smallest_picture_is_taken_that_has_all_that_is_sent(
    modes: list[tuple[str, int, int]], best: tuple[str, int, int]
) -> None:
    """As a JPEG where the camera makes one; else the largest."""
    assert best_mode(offered(*modes)) == Mode(*best)


def test_a_camera_without_a_format_we_know_says_which_it_has() -> None:
    """So that its owner need not look for a tool that does."""
    with pytest.raises(CameraError, match="as GREY, H264, not as MJPG, JPEG or YUYV"):
        best_mode(offered(("H264", 0, 0), ("GREY", 0, 0)))


def test_it_delivers_what_the_camera_gives(v4l2: V4l2) -> None:
    """Byte for byte, in the mode that was chosen; and lets go of it whole."""
    camera = v4l2.camera(frames=[PICTURE + bytes([number]) for number in range(9)])
    stream = V4l2Stream(camera.path)
    assert camera.asked == ("MJPG", (1280, 720))
    assert stream.mode == Mode("MJPG", 1280, 720)
    got = [stream.next(soon()) for _ in range(9)]
    assert got == [PICTURE + bytes([number]) for number in range(9)]
    was_open = camera.is_open
    stream.close()
    assert (was_open, camera.is_open) == (True, False)
    # STREAMOFF, and the buffers are given back.
    assert camera.calls[-2:] == ["STREAMOFF", "REQBUFS"]


def test_a_camera_that_gives_nothing_is_waited_for_no_longer_than_told(v4l2: V4l2) -> None:
    """Then there is no frame, and a later one is still to be had."""
    camera = v4l2.camera(frames=[None])
    stream = V4l2Stream(camera.path)
    assert stream.next(time.monotonic() + 0.02) is None
    threading.Timer(0.02, camera.give, [PICTURE]).start()
    assert stream.next(soon()) == PICTURE
    stream.close()


def test_what_was_taken_a_while_ago_is_passed_over(v4l2: V4l2) -> None:
    """The buffers hold pictures of the moment when they were filled."""
    old = [PICTURE + b"old"] * 3
    camera = v4l2.camera(frames=old)
    stream = V4l2Stream(camera.path)
    stream.skip_ready()
    stream.skip_ready()  # nothing lies ready any more
    camera.give(PICTURE + b"new")
    assert stream.next(soon()) == PICTURE + b"new"
    stream.close()


def test_frames_that_the_driver_calls_damaged_are_passed_over(v4l2: V4l2) -> None:
    """And those without a byte in them, as uvcvideo gives after a bad transfer."""
    camera = v4l2.camera(frames=[PICTURE + b"0", b"", PICTURE + b"2"])
    camera.damaged = {0}
    stream = V4l2Stream(camera.path)
    assert stream.next(soon()) == PICTURE + b"2"
    stream.close()


def test_a_camera_without_jpeg_gives_one_all_the_same(v4l2: V4l2) -> None:
    """YUYV is two pixels in four bytes; a frame that was cut off is passed over."""
    red = bytes([76, 85, 76, 255]) * (640 * 480 // 2)
    camera = v4l2.camera(formats={"YUYV": [(640, 480)]}, frames=[red[:1000], red])
    stream = V4l2Stream(camera.path)
    got = stream.next(soon())
    assert got is not None
    assert size_of(got) == (640, 480)
    for x, y in ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)):
        assert pixel(got, x, y) == pytest.approx((254, 0, 0), abs=4)
    stream.close()


def test_a_camera_that_scales_by_itself_is_asked_for_a_size_within_its_own(v4l2: V4l2) -> None:
    """It names the smallest and the largest; and one that names none gets a usual one."""
    camera = v4l2.camera("a", formats={"MJPG": [(160, 120), (1024, 640)]}, stepwise=True)
    V4l2Stream(camera.path).close()
    assert camera.asked == ("MJPG", (1024, 640))
    silent = v4l2.camera("b", formats={"MJPG": []})
    V4l2Stream(silent.path).close()
    assert silent.asked == ("MJPG", (1280, 720))


def test_the_node_for_metadata_is_no_camera(v4l2: V4l2) -> None:
    """The second one of each USB camera; it says which one to name."""
    metadata = v4l2.camera("usb-Rig_Webcam-video-index1", metadata=True, formats={})
    with pytest.raises(
        CameraError, match="gives no pictures: name the node that ends in -video-index0"
    ):
        V4l2Stream(metadata.path)
    assert not metadata.is_open


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("open", errno.ENODEV, "does not answer: plug it out and in again"),
        ("open", errno.EACCES, "who is not in the group video"),
        ("open", errno.EPERM, "is kept out by the service's sandbox"),
        ("open", errno.EBUSY, "is in use by another program"),
        ("S_FMT", errno.EBUSY, "is in use by another program"),
        ("REQBUFS", errno.EBUSY, "is in use by another program"),
        ("STREAMON", errno.ENOSPC, "gets too little of its USB bus"),
        ("QUERYCAP", errno.ENOTTY, "does not do what cameras do"),
        ("ENUM_FRAMESIZES", errno.ENODEV, "does not answer"),
    ],
)
def test_each_call_that_fails_is_told_and_leaves_nothing_open(
    v4l2: V4l2, call: str, code: int, words: str
) -> None:
    """With the camera's path."""
    camera = v4l2.camera()
    camera.fails[call] = code
    with pytest.raises(CameraError) as raised:
        V4l2Stream(camera.path)
    assert camera.path in str(raised.value)
    assert words in str(raised.value)
    assert not camera.is_open


def test_one_that_is_unplugged_in_the_middle_is_told_and_let_go(v4l2: V4l2) -> None:
    """Although it refuses every call of the goodbye."""
    camera = v4l2.camera(frames=chain([PICTURE], [errno.ENODEV], repeat(None)))
    stream = V4l2Stream(camera.path)
    assert stream.next(soon()) == PICTURE
    with pytest.raises(CameraError, match="was unplugged, or its cable or its power fails"):
        stream.next(soon())
    camera.fails |= {"STREAMOFF": errno.ENODEV, "REQBUFS": errno.ENODEV}
    stream.close()
    assert not camera.is_open


def test_a_node_that_is_not_there_is_told(v4l2: V4l2) -> None:
    """As a camera that was never plugged in."""
    with pytest.raises(CameraError, match="is not there: plug it in, or write another"):
        V4l2Stream("/dev/v4l/by-id/usb-of-nobody-video-index0")
