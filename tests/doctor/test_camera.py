"""The camera of the service: its sandbox, its user's group, and a picture with figures."""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from device.camera.sandbox import PLACE, drop_in
from device.doctor.camera import access, picture, sandbox_of
from device.doctor.result import Result
from device.doctor.scene import Account, Outcome, Scene
from tests.rig.pictures import jpeg
from tests.rig.scene import Commands, machine, only

BY_ID = "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920-video-index0"
UNIT = "etc/systemd/system/parley.service"
VIDEO = 44


@pytest.fixture(autouse=True)
def _groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has the group of Debian's."""
    of_video = grp.struct_group(("video", "x", VIDEO, []))
    monkeypatch.setattr("grp.getgrnam", {"video": of_video}.__getitem__)


def config(source: str, camera: str = "on_request") -> str:
    return f"tools: {{camera: {camera}}}\ncamera: {{source: '{source}'}}\n"


def scene(
    root: Path, text: str, *, found: str = "", member: bool = True, unit: bool = True
) -> Scene:
    """A machine with a camera configured, and this drop-in."""
    files = ({UNIT: "[Service]\n"} if unit else {}) | ({PLACE[1:]: found} if found else {})
    gids = frozenset({os.getgid(), VIDEO} if member else {os.getgid()})
    return machine(
        root,
        config=text,
        files=files,
        account=Account("parley", 123, gids),
        run=Commands(systemctl="", usermod=""),
    )


def looked(scene: Scene) -> Result:
    return only(access(scene))


def told(result: Result) -> str:
    return f"{result.verdict}|{result.figure}|{result.advice}"


def mended(scene: Scene) -> list[str]:
    """Do what --fix would; returns the commands of the system."""
    cure = looked(scene).cure
    assert cure is not None
    cure.do()
    run = scene.run
    assert isinstance(run, Commands)
    return run.given


def test_without_a_camera_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    """As it comes."""
    assert told(looked(scene(tmp_path, ""))) == "skipped|tools.camera is off|"


@pytest.mark.parametrize("source", [BY_ID, "auto", "rpicam"])
def test_the_sandbox_is_opened_for_what_is_configured(tmp_path: Path, source: str) -> None:
    """And the service started anew, which takes devices and groups when it starts."""
    made = scene(tmp_path, config(source))
    found = looked(made)
    assert found.verdict == "broken"
    assert found.figure == f"the service may not use its camera: its sandbox keeps {source} out"
    assert found.advice == "sudo parley doctor --fix"
    assert mended(made) == ["systemctl daemon-reload", "systemctl try-restart parley.service"]
    place = tmp_path / PLACE[1:]
    assert place.read_text() == drop_in(source) == sandbox_of(made.config)
    assert place.stat().st_mode & 0o777 == 0o644
    assert looked(made).verdict == "fine"


def test_another_camera_s_sandbox_is_written_anew(tmp_path: Path) -> None:
    """It lets in the new one only."""
    made = scene(tmp_path, config(BY_ID), found=drop_in("auto"))
    mended(made)
    assert (tmp_path / PLACE[1:]).read_text() == drop_in(BY_ID)


def test_the_user_is_put_into_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, or together with the sandbox."""
    made = scene(tmp_path, config(BY_ID), found=drop_in(BY_ID), member=False)
    assert told(looked(made)) == (
        "broken|the service may not use its camera: its user parley is not in the group video|"
        "sudo parley doctor --fix, or sudo usermod -aG video parley and a restart"
    )
    assert mended(made) == [
        "usermod --append --groups video parley",
        "systemctl daemon-reload",
        "systemctl try-restart parley.service",
    ]
    both = looked(scene(tmp_path / "both", config("auto"), member=False))
    assert "its sandbox keeps auto out and its user parley is not in" in both.figure
    member = grp.struct_group(("video", "x", VIDEO, ["parley"]))
    monkeypatch.setattr("grp.getgrnam", lambda _name: member)
    assert looked(made).verdict == "fine"


def test_what_is_not_configured_any_more_is_taken_away(tmp_path: Path) -> None:
    """Also by a source that needs no device; what else the owner keeps there stays."""
    made = scene(tmp_path, "", found=drop_in("auto"))
    assert looked(made).verdict == "hint"
    assert "lets in a camera that is not configured" in looked(made).figure
    assert mended(made)[-1] == "systemctl try-restart parley.service"
    assert not (tmp_path / PLACE[1:]).parent.exists()
    made = scene(tmp_path, config("file:/srv/a.jpg"), found=drop_in(BY_ID))
    own = tmp_path / PLACE[1:].replace("camera", "own")
    own.write_text("[Service]\n")
    mended(made)
    assert own.exists()
    assert not (tmp_path / PLACE[1:]).exists()
    assert told(looked(made)) == "fine|no device: its pictures come out of /srv/a.jpg|"


def test_what_cannot_be_mended_says_why(tmp_path: Path) -> None:
    """The doctor tells the words of the command."""
    made = scene(tmp_path, config(BY_ID), member=False)
    run = made.run
    assert isinstance(run, Commands)
    run.told["usermod"] = Outcome(1, err="usermod: Permission denied.")
    with pytest.raises(Exception, match="usermod: Permission denied"):
        mended(made)


def test_without_a_service_only_the_group_counts(tmp_path: Path) -> None:
    """A speaker that somebody runs by hand has no sandbox."""
    made = scene(tmp_path, config("auto"), unit=False)
    assert told(looked(made)) == "fine|no service here; parley may use it|"
    made = scene(tmp_path, config("auto"), unit=False, member=False)
    assert "is not in the group video" in looked(made).figure


def test_pictures_where_the_service_does_not_look_are_told(tmp_path: Path) -> None:
    """Its sandbox has no homes, and a /tmp of its own."""
    hidden = looked(scene(tmp_path, config("file:/home/pi/a.jpg")))
    assert told(hidden).startswith("hint|the service does not see what is in /home|put the")
    by_hand = looked(scene(tmp_path / "b", config("file:/home/pi/a.jpg"), unit=False))
    assert by_hand.verdict == "fine"


async def test_a_picture_is_taken_with_figures(tmp_path: Path) -> None:
    """How large, how bright, how fast; a dark one is a hint."""
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg(1280, 720))
    made = scene(tmp_path, config(f"file:{file}"))
    good = only(await picture(made))
    assert good.verdict == "fine"
    assert f"pictures out of {file}: 768 by 432 px, " in good.figure
    assert good.figures["brightness"] > 50
    assert (good.figures["width"], good.figures["height"]) == (768, 432)
    assert good.figures["took_ms"] >= 0
    file.write_bytes(jpeg(1280, 720, 0.02))
    dark = only(await picture(made))
    assert dark.verdict == "hint"
    assert dark.advice.startswith("hardly anything can be seen: is its lens covered")


async def test_a_camera_that_the_speaker_has_open_is_left_alone(tmp_path: Path) -> None:
    """It would be busy, and nothing is wrong with it."""
    text = config("file:/srv/a.jpg") + "  stream: while_talking\n"
    text = text.replace("camera: {source: 'file:/srv/a.jpg'}\n  ", "camera:\n  source: file:/a\n  ")
    talks = machine(tmp_path, config=text, status={"state": "listening"})
    assert told(only(await picture(talks))).startswith("skipped|the speaker is in a talk, and has")
    rests = machine(tmp_path, config=text, status={"state": "idle"})
    assert only(await picture(rests)).figure == "no picture can be taken"


async def test_where_no_picture_can_be_taken_it_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the camera's error says; an ordinary user is told who may look."""
    made = scene(tmp_path, config("file:/srv/of-nobody.jpg"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    found = only(await picture(made))
    assert told(found).startswith("broken|no picture can be taken|no picture is there for camera")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    other = only(await picture(made))
    assert (other.verdict, other.advice) == ("skipped", "sudo parley doctor")
    assert told(only(await picture(scene(tmp_path, "")))) == "skipped|tools.camera is off|"
