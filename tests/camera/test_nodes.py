"""Which cameras there are is read from the kernel's files; none is opened."""

from __future__ import annotations

from pathlib import Path

from device.camera.nodes import UsbNode, cameras, name_of

ON_USB = "devices/platform/soc/3f980000.usb/usb1/1-1/1-1.{port}/1-1.{port}:1.0/video4linux"
OF_THE_PI = "devices/platform/soc/3f801000.csi/video4linux"
WEBCAM = "usb-046d_HD_Pro_Webcam_C920_AB12-video-index0"


def node(root: Path, number: int, folder: str, name: str, index: int = 0) -> None:
    """A node of a driver, as sysfs shows it."""
    place = root / "sys" / folder / f"video{number}"
    place.mkdir(parents=True)
    (place / "name").write_text(f"{name}\n")
    (place / "index").write_text(f"{index}\n")
    listed = root / "sys/class/video4linux" / f"video{number}"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.symlink_to(place)
    device = root / "dev" / f"video{number}"
    device.parent.mkdir(exist_ok=True)
    device.write_text("")


def by_id(root: Path, name: str, number: int) -> None:
    """What udev calls a node."""
    link = root / "dev/v4l/by-id" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(f"../../video{number}")


def a_pi_with_a_webcam(root: Path) -> None:
    """As a Pi 4 shows them: its own nodes, and two of a camera on USB."""
    node(root, 0, ON_USB.format(port=2), "HD Pro Webcam C920")
    node(root, 1, ON_USB.format(port=2), "HD Pro Webcam C920", index=1)
    node(root, 10, f"{OF_THE_PI}-codec", "bcm2835-codec-decode")
    node(root, 13, f"{OF_THE_PI}-isp", "bcm2835-isp-output0")
    by_id(root, WEBCAM, 0)
    by_id(root, WEBCAM.replace("index0", "index1"), 1)


def test_a_camera_is_found_by_the_name_that_stays(tmp_path: Path) -> None:
    """Its second node is no camera, and what a Pi has of its own is none either."""
    a_pi_with_a_webcam(tmp_path)
    found = cameras(tmp_path)
    assert found == [UsbNode(f"/dev/v4l/by-id/{WEBCAM}", "HD Pro Webcam C920", "/dev/video0")]
    assert name_of(found[0].path, tmp_path) == "HD Pro Webcam C920"


def test_several_are_listed_in_the_kernel_s_order(tmp_path: Path) -> None:
    """One that udev gave no name is there under its number, for what it is worth."""
    node(tmp_path, 10, ON_USB.format(port=4), "Door")
    node(tmp_path, 2, ON_USB.format(port=3), "Window\x1b[2J")
    by_id(tmp_path, "usb-Window-video-index0", 2)
    assert cameras(tmp_path) == [
        UsbNode("/dev/v4l/by-id/usb-Window-video-index0", "Window\ufffd[2J", "/dev/video2"),
        UsbNode("/dev/video10", "Door", "/dev/video10"),
    ]


def test_a_machine_without_cameras_has_none(tmp_path: Path) -> None:
    """Nor has one whose files cannot be read a name."""
    assert cameras(tmp_path) == []
    assert name_of("/dev/v4l/by-id/usb-gone", tmp_path) == ""
