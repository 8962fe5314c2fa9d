"""Which camera there is and when it is used is written so that it still is true tomorrow."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.config import Config, parse
from device.config.camera import choices, listed
from device.errors import ConfigError

BY_ID = "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_12345678-video-index0"


def read(text: str) -> Config:
    return parse(text, "config.yaml")


def refused(text: str) -> str:
    """The message of its only mistake."""
    with pytest.raises(ConfigError) as raised:
        read(text)
    (mistake,) = raised.value.mistakes
    return mistake.message


@pytest.mark.parametrize("word", ["off", "Off", "no", "false", "'off'"])
def test_off_works_as_written(word: str) -> None:
    """YAML 1.1 makes booleans of these, and so do programs that write it."""
    config = read(f"tools: {{camera: {word}}}\ncamera: {{stream: {word}}}\n")
    assert (config.tools.camera, config.camera.stream) == ("off", "off")
    assert Config.model_validate({"tools": {"camera": False}}).tools.camera == "off"


def test_on_does_not_say_when() -> None:
    """So it is asked back, instead of filming more than its owner wanted."""
    for word in ("on", "yes", "true"):
        assert refused(f"tools: {{camera: {word}}}").endswith("did you mean on_request?")
        assert refused(f"camera: {{stream: {word}}}").endswith("did you mean while_talking?")
    assert "did you mean on_request?" in refused("tools: {camera: onrequest}")


def test_the_camera_is_off_where_nothing_is_written() -> None:
    """Nobody is filmed because of an upgrade."""
    config = Config()
    assert (config.tools.camera, config.camera.stream) == ("off", "off")
    assert (config.camera.source, config.camera.rotate) == ("auto", 0)


@pytest.mark.parametrize(
    "source",
    ["auto", "rpicam", BY_ID, "file:/srv/a picture.jpg", "file:/srv/pictures/*.jpg"],
)
def test_sources_that_name_the_same_camera_tomorrow_are_taken(source: str) -> None:
    """Those of the Pi, of udev, and pictures for a try."""
    assert read(f"camera: {{source: '{source}'}}").camera.source == source


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("/dev/video0", "changes with every start and every plug: write auto, rpicam, "),
        ("video2", "changes with every start and every plug: write auto, rpicam, "),
        ("/dev/v4l/by-path/pci-0000-video-index0", "is a place and no camera: write auto, "),
        ("/dev/v4l/by-id/..", "is no source of pictures: write auto, "),
        ("/dev/v4l/by-id/../../mem", "is no source of pictures: write auto, "),
        (f"{BY_ID}%n", "is no source of pictures: write auto, "),
        ("webcam", "is no source of pictures: write auto, "),
        ("file:picture.jpg", "is not an absolute path: write e.g. file:/srv/pictures"),
        ("file:", "is not an absolute path: write e.g. file:/srv/pictures"),
    ],
)
def test_a_source_that_changes_or_is_none_is_refused_with_what_to_write(
    source: str, why: str
) -> None:
    """The number of a /dev/videoN is another one after the next start."""
    message = refused(f"camera: {{source: '{source}'}}")
    assert message.startswith((f"'{source}' {why}", f"{source!r:.20}"))
    assert why in message


def test_what_can_be_written_names_the_cameras_that_are_plugged_in(tmp_path: Path) -> None:
    """Their picture nodes only: a camera's second node has no pictures."""
    assert "(none is there)" in choices(tmp_path / "gone")
    for name in ("usb-B_Cam-video-index0", "usb-B_Cam-video-index1", "usb-A_Cam-video-index0"):
        (tmp_path / name).symlink_to("../../video0")
    first, second = f"{tmp_path}/usb-A_Cam-video-index0", f"{tmp_path}/usb-B_Cam-video-index0"
    assert listed(tmp_path) == [first, second]
    assert choices(tmp_path).endswith(f"or one of {first}, {second}")


@pytest.mark.parametrize("degrees", ["0", "90", "180", "270"])
def test_pictures_are_turned_by_quarters(degrees: str) -> None:
    """As cameras are screwed on."""
    assert read(f"camera: {{rotate: {degrees}}}").camera.rotate == int(degrees)


@pytest.mark.parametrize("degrees", ["45", "-90", "90.0", "'90'", "true", "360"])
def test_other_turns_are_refused(degrees: str) -> None:
    """With the four there are."""
    assert "is not 0, 90, 180 or 270: write" in refused(f"camera: {{rotate: {degrees}}}")
