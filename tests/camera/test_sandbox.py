"""The sandbox gets the camera that is configured, and nothing more."""

from __future__ import annotations

import pytest

from device.camera.sandbox import devices, drop_in

BY_ID = "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920-video-index0"


@pytest.mark.parametrize("source", [None, "file:/srv/pictures"])
def test_without_a_camera_there_is_no_drop_in(source: str | None) -> None:
    """Files need no device."""
    assert devices(source) == ()
    assert drop_in(source) == ""


def test_a_named_camera_gets_its_own_node_only() -> None:
    """Not the other camera beside it."""
    assert drop_in(BY_ID).splitlines()[1:] == ["[Service]", f"DeviceAllow={BY_ID} rw"]


@pytest.mark.parametrize("source", ["auto", "rpicam"])
def test_a_pi_s_camera_gets_what_libcamera_opens(source: str) -> None:
    """Sensor and image processor, the links between them, memory, and nothing else."""
    assert drop_in(source).splitlines()[2:] == [
        "DeviceAllow=char-81 rw",
        "DeviceAllow=char-media rw",
        "DeviceAllow=char-dma_heap rw",
    ]


def test_the_drop_in_adds_to_the_unit_s_devices() -> None:
    """An empty DeviceAllow= would take away sound and lights."""
    assert "DeviceAllow=\n" not in drop_in("auto")
    assert drop_in("auto").startswith("# Written by install.sh and parley doctor --fix")
