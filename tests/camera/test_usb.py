"""A camera on USB takes a picture or says why not, and never holds up the loop."""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from device.camera.usb import UsbCamera
from device.errors import CameraError
from device.ports import Picture
from device.threads import left_behind
from tests.rig.fakes import until
from tests.rig.pictures import jpeg, size_of
from tests.rig.v4l2 import V4l2

DARK, DIM, BRIGHT = jpeg(1280, 720, 0.02), jpeg(1280, 720, 0.4), jpeg(1280, 720, 1.0)


async def failure(camera: UsbCamera, *, more_soon: bool = False) -> str:
    with pytest.raises(CameraError) as raised:
        await camera.take(more_soon=more_soon)
    return str(raised.value)


async def test_a_picture_is_taken_and_the_camera_let_go(v4l2: V4l2) -> None:
    """Its own light is on for as long as that takes."""
    rig = v4l2.camera()
    camera = UsbCamera(rig.path, 180)
    before = time.monotonic()
    taken = await camera.take()
    assert (taken.width, taken.height) == (768, 432) == size_of(taken.jpeg)
    assert before < taken.taken_at < time.monotonic()
    assert not taken.dark
    assert rig.opened == 1
    assert not rig.is_open


async def test_it_stays_open_for_a_picture_that_comes_soon(v4l2: V4l2) -> None:
    """Until one is the last, or it is closed; closing twice is harmless."""
    rig = v4l2.camera()
    camera = UsbCamera(rig.path)
    for _ in range(3):
        await camera.take(more_soon=True)
        assert rig.is_open
    assert rig.opened == 1
    await camera.take()
    assert not rig.is_open
    await camera.take(more_soon=True)
    await camera.close()
    assert not rig.is_open
    await camera.close()
    assert rig.opened == 2


async def test_one_that_is_forgotten_is_let_go_by_itself(
    v4l2: V4l2, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that its light does not stay on for a picture that never comes."""
    monkeypatch.setattr("device.camera.usb.KEEP_S", 0.05)
    rig = v4l2.camera()
    camera = UsbCamera(rig.path)
    await camera.take(more_soon=True)
    await until(lambda: not rig.is_open)
    monkeypatch.setattr("device.camera.usb.KEEP_S", 60)
    await camera.take(more_soon=True)
    was_open = rig.is_open
    await camera.close()
    assert (was_open, rig.is_open, rig.opened) == (True, False, 2)


async def test_closing_ends_a_picture_that_is_being_taken(v4l2: V4l2) -> None:
    """Whoever waits for it is told, and nothing stays open."""
    rig = v4l2.camera(frames=[None])
    camera = UsbCamera(rig.path, deadline_s=60.0)
    taking = asyncio.create_task(camera.take(more_soon=True))
    await until(lambda: "STREAMON" in rig.calls)
    await camera.close()
    with pytest.raises(CameraError, match="was let go before it gave a picture"):
        await taking
    assert not rig.is_open


async def test_a_later_picture_is_of_its_own_moment(v4l2: V4l2) -> None:
    """Not what has lain in the buffers since the one before."""
    rig = v4l2.camera(frames=chain(repeat(DARK, 6), repeat(BRIGHT)))
    camera = UsbCamera(rig.path)
    assert (await camera.take(more_soon=True)).dark
    assert not (await camera.take()).dark


async def test_the_first_frames_are_thrown_away_until_the_exposure_has_settled(
    v4l2: V4l2,
) -> None:
    """Black ones, then glaring ones, then the room as it is."""
    rig = v4l2.camera(frames=chain([DARK, DARK, BRIGHT, jpeg(1280, 720, 0.7)], repeat(DIM)))
    camera = UsbCamera(rig.path)
    settled = await UsbCamera(v4l2.camera("settled", frames=repeat(DIM)).path).take()
    assert (await camera.take()).jpeg == settled.jpeg


async def test_a_light_that_never_settles_is_waited_for_no_longer_than_told(
    v4l2: V4l2, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lamp that flickers, or a film on a screen."""
    monkeypatch.setattr("device.camera.usb.SETTLE_S", 0.2)

    def flickering() -> Iterator[bytes]:
        while True:
            yield DIM
            yield BRIGHT

    rig = v4l2.camera(frames=flickering())
    began = time.monotonic()
    await UsbCamera(rig.path).take()
    assert time.monotonic() - began > 0.2
    assert not rig.is_open


async def test_a_slow_camera_s_only_frame_is_taken(
    v4l2: V4l2, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives one in four seconds: there is no second one to compare it with."""
    monkeypatch.setattr("device.camera.usb.SETTLE_S", 0.05)
    rig = v4l2.camera(frames=[None])
    taking = asyncio.create_task(UsbCamera(rig.path).take())
    await until(lambda: "STREAMON" in rig.calls)
    rig.give(BRIGHT)
    assert (await taking).width == 768


async def test_damaged_frames_are_passed_over(v4l2: V4l2) -> None:
    """Cut off in the middle or no picture at all, as webcams give now and then."""
    broken = [BRIGHT[:3000], b"\xff\xd8garbage\xff\xd9", b"no picture"]
    rig = v4l2.camera(frames=chain(broken, [BRIGHT], broken, repeat(BRIGHT)))
    camera = UsbCamera(rig.path)
    assert (await camera.take(more_soon=True)).width == 768
    assert (await camera.take()).width == 768


async def test_a_camera_that_gives_only_damaged_frames_is_told(v4l2: V4l2) -> None:
    """With what is wrong with them, within the deadline."""
    rig = v4l2.camera(frames=repeat(BRIGHT[:3000]))
    told = await failure(UsbCamera(rig.path, deadline_s=0.3))
    assert told == (
        f"the camera {rig.path}: what the camera gave is no picture that can be read: it ends "
        "before its end; try another cable or port"
    )
    assert not rig.is_open


async def test_one_that_gives_nothing_is_told_and_let_go(v4l2: V4l2) -> None:
    """Within the deadline; the next picture is tried anew."""
    rig = v4l2.camera(frames=chain([None, None, None], repeat(BRIGHT)))
    camera = UsbCamera(rig.path, deadline_s=0.2)
    assert "gave no picture within 0.2 s: plug it out" in await failure(camera)
    assert not rig.is_open
    assert (await camera.take()).width == 768


@pytest.mark.parametrize("call", ["open", "STREAMON", "DQBUF", "S_FMT"])
async def test_one_that_hangs_in_the_kernel_is_left_behind(v4l2: V4l2, call: str) -> None:
    """It is told; the next picture is refused at once; when it comes back it is let go."""
    rig = v4l2.camera()
    rig.hangs[call] = threading.Event()
    camera = UsbCamera(rig.path, deadline_s=0.1, grace_s=0.1)
    assert "hangs: no answer within 0.2 s; plug it out and in again" in await failure(camera)
    assert "still hangs since an earlier picture" in await failure(camera)
    await camera.close()  # holds nobody up either
    assert [thread.name for thread in left_behind()].count("camera") == 1
    rig.hangs[call].set()
    del rig.hangs[call]
    await until(lambda: not left_behind())
    assert not rig.is_open
    assert (await UsbCamera(rig.path).take()).width == 768
    assert (await camera.take()).width == 768


async def test_one_that_was_given_up_a_moment_ago_is_waited_for(v4l2: V4l2) -> None:
    """Nobody is told to plug out a camera that was only stopped, and is wanted again."""
    rig = v4l2.camera(frames=chain([None], repeat(BRIGHT)))
    rig.hangs["open"] = threading.Event()
    camera = UsbCamera(rig.path, grace_s=30.0)
    taking = asyncio.create_task(camera.take())
    await until(lambda: "open" in rig.calls)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    again = asyncio.create_task(camera.take())
    # Refused it would be, within milliseconds.
    await asyncio.wait({again}, timeout=0.3)
    rig.hangs["open"].set()
    assert (await again).width == 768


async def test_one_that_hangs_when_it_is_let_go_holds_nobody_up(
    v4l2: V4l2, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when STREAMOFF waits for a camera that was unplugged."""
    monkeypatch.setattr("device.camera.usb.CLOSE_S", 0.05)
    rig = v4l2.camera()
    camera = UsbCamera(rig.path)
    await camera.take(more_soon=True)
    rig.hangs["STREAMOFF"] = threading.Event()
    await camera.close()
    assert rig.is_open
    rig.hangs["STREAMOFF"].set()
    await until(lambda: not rig.is_open)


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("open", errno.ENODEV, "does not answer"),
        ("open", errno.EACCES, "who is not in the group video"),
        ("open", errno.EPERM, "is kept out by the service's sandbox"),
        ("STREAMON", errno.EBUSY, "is in use by another program"),
    ],
)
async def test_what_the_kernel_refuses_is_told(
    v4l2: V4l2, call: str, code: int, words: str
) -> None:
    """And tried anew with the next picture."""
    rig = v4l2.camera()
    rig.fails[call] = code
    camera = UsbCamera(rig.path)
    told = await failure(camera, more_soon=True)
    assert told.startswith(f"the camera {rig.path} {words}") or words in told
    assert not rig.is_open
    rig.fails.clear()
    assert (await camera.take()).width == 768


async def test_one_that_is_unplugged_between_two_pictures_is_told(v4l2: V4l2) -> None:
    """It refuses everything then, its goodbye too."""
    rig = v4l2.camera(frames=chain(repeat(BRIGHT, 6), repeat(errno.ENODEV)))
    camera = UsbCamera(rig.path)
    await camera.take(more_soon=True)
    rig.fails |= {"STREAMOFF": errno.ENODEV, "REQBUFS": errno.ENODEV}
    assert "was unplugged" in await failure(camera, more_soon=True)
    assert not rig.is_open


async def test_cancelling_gives_the_picture_up_and_lets_go(v4l2: V4l2) -> None:
    """Wherever it is: before the first frame, or while it waits for the next one."""
    rig = v4l2.camera(frames=[None])
    camera = UsbCamera(rig.path)
    taking = asyncio.create_task(camera.take(more_soon=True))
    await until(lambda: "STREAMON" in rig.calls)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await until(lambda: not rig.is_open)
    # And with one that was kept open before.
    kept = v4l2.camera("kept", frames=chain(repeat(BRIGHT, 6), repeat(None)))
    camera = UsbCamera(kept.path)
    await camera.take(more_soon=True)
    calls = len(kept.calls)
    taking = asyncio.create_task(camera.take(more_soon=True))
    await until(lambda: len(kept.calls) > calls)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await until(lambda: not kept.is_open)


async def test_one_picture_is_taken_at_a_time(v4l2: V4l2) -> None:
    """Who asks meanwhile waits; the device is opened for one of them only."""
    rig = v4l2.camera()
    camera = UsbCamera(rig.path)
    taken: list[Picture] = list(
        await asyncio.gather(*(camera.take(more_soon=place < 2) for place in range(3)))
    )
    assert [picture.width for picture in taken] == [768] * 3
    assert not rig.is_open


async def test_the_loop_goes_on_while_a_camera_is_slow(v4l2: V4l2) -> None:
    """Sound is served every few milliseconds, whatever a driver does."""
    rig = v4l2.camera()
    rig.hangs["open"] = threading.Event()
    taking = asyncio.create_task(UsbCamera(rig.path).take())
    await until(lambda: "open" in rig.calls)
    turns = 0
    for _ in range(50):
        await asyncio.sleep(0)
        turns += 1
    assert not taking.done()
    rig.hangs["open"].set()
    assert (await taking).width == 768
    assert turns == 50


def test_it_says_what_it_is() -> None:
    """By its path where the kernel does not tell its name."""
    described: Callable[[str], str] = lambda path: UsbCamera(path).description  # noqa: E731
    assert described("/dev/v4l/by-id/usb-X") == "USB camera /dev/v4l/by-id/usb-X"
