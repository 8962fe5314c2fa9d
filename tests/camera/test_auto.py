"""The only camera there is, is taken; where there are several, nobody guesses."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from device.camera.auto import AutoCamera
from device.camera.usb import UsbCamera
from device.errors import CameraError
from device.threads import left_behind
from tests.camera.test_nodes import ON_USB, by_id, node
from tests.camera.test_rpicam import LISTING, Programs
from tests.rig.fakes import until
from tests.rig.v4l2 import V4l2


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    (tmp_path / "bin").mkdir()
    return Programs(tmp_path / "bin")


def plug(root: Path, v4l2: V4l2, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Plug cameras in; what is opened by udev's name is the emulated one's node."""
    for number, name in enumerate(names):
        node(root, number, ON_USB.format(port=number), name)
        by_id(root, f"usb-{name}-video-index0", number)
    rig = v4l2.camera()
    monkeypatch.setattr(
        "device.camera.auto.UsbCamera", lambda _path, rotate: UsbCamera(rig.path, rotate)
    )


async def failure(camera: AutoCamera) -> str:
    with pytest.raises(CameraError) as raised:
        await camera.take()
    return str(raised.value)


async def test_the_only_camera_on_usb_is_taken(
    tmp_path: Path, v4l2: V4l2, monkeypatch: pytest.MonkeyPatch, programs: Programs
) -> None:
    """The Pi's is not even asked for; from then on it says what it is."""
    plug(tmp_path, v4l2, monkeypatch, "Webcam")
    camera = AutoCamera(90, programs.environ, tmp_path)
    assert (await camera.take(more_soon=True)).height == 768
    assert camera.description.startswith("USB camera ")
    await camera.close()
    assert camera.description == "the only camera, as soon as there is one"


async def test_several_on_usb_are_listed_with_what_to_write(
    tmp_path: Path, v4l2: V4l2, monkeypatch: pytest.MonkeyPatch, programs: Programs
) -> None:
    """Nobody wants to be seen from the other room."""
    plug(tmp_path, v4l2, monkeypatch, "Door", "Window")
    told = await failure(AutoCamera(0, programs.environ, tmp_path))
    assert told == (
        "there are 2 cameras on USB, and camera.source is auto: write one of them there: "
        "/dev/v4l/by-id/usb-Door-video-index0 ('Door'), "
        "/dev/v4l/by-id/usb-Window-video-index0 ('Window')"
    )


async def test_the_pi_s_own_is_taken_where_none_is_on_usb(
    tmp_path: Path, programs: Programs
) -> None:
    """If rpicam-apps list one."""
    programs.install(f"case $* in *list*) cat <<'END'\n{LISTING}END\n;; *) picture ;; esac\n")
    camera = AutoCamera(0, programs.environ, tmp_path)
    assert (await camera.take()).width == 768
    assert camera.description == "the Pi's camera (rpicam)"


async def test_where_there_is_none_it_says_where_it_looked(
    tmp_path: Path, programs: Programs
) -> None:
    """On USB, and on the connector; without the program for that, which one is missing."""
    camera = AutoCamera(0, {"PATH": str(tmp_path)}, tmp_path)
    told = await failure(camera)
    assert told.startswith("there is no camera: none on USB, and rpicam-apps are not installed")
    programs.install('echo "No cameras available!"\n')
    told = await failure(AutoCamera(0, programs.environ, tmp_path))
    assert told.startswith("there is no camera, neither on USB nor on the Pi's connector: plug one")


async def test_after_a_failure_it_looks_anew(
    tmp_path: Path, v4l2: V4l2, monkeypatch: pytest.MonkeyPatch, programs: Programs
) -> None:
    """The camera may be another one by now."""
    programs.install(f"case $* in *list*) cat <<'END'\n{LISTING}END\n;; *) exit 9 ;; esac\n")
    camera = AutoCamera(0, programs.environ, tmp_path)
    assert "exit code 9" in await failure(camera)
    plug(tmp_path, v4l2, monkeypatch, "Webcam")
    assert (await camera.take()).width == 768
    await camera.close()
    await camera.close()


async def test_one_that_hangs_costs_one_thread_however_often_it_is_asked(
    tmp_path: Path, v4l2: V4l2, monkeypatch: pytest.MonkeyPatch, programs: Programs
) -> None:
    """Else a stream would leave one behind every few seconds, for as long as somebody talks."""
    node(tmp_path, 0, ON_USB.format(port=0), "Webcam")
    by_id(tmp_path, "usb-Webcam-video-index0", 0)
    rig = v4l2.camera()
    rig.hangs["open"] = threading.Event()
    monkeypatch.setattr(
        "device.camera.auto.UsbCamera",
        lambda _path, rotate: UsbCamera(rig.path, rotate, deadline_s=0.05, grace_s=0.05),
    )
    camera = AutoCamera(0, programs.environ, tmp_path)
    assert "hangs: no answer within 0.1 s" in await failure(camera)
    for _ in range(3):
        assert "still hangs since an earlier picture" in await failure(camera)
    assert [thread.name for thread in left_behind()].count("camera") == 1
    rig.hangs["open"].set()
    await until(lambda: not left_behind())
    assert (await camera.take()).width == 768
