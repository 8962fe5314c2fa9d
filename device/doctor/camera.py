"""These checks look whether the service is let at its camera, and at a picture of it."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from device.build import real as build
from device.camera.picture import brightness_of
from device.camera.sandbox import PLACE, devices, drop_in
from device.config import Config
from device.doctor.result import Cure, Result, broken, fine, hint, skipped
from device.doctor.scene import UNIT, Scene
from device.errors import CameraError
from device.state.store import DurableFile

GROUP: Final = "video"
"""Whose the nodes of cameras are, on Debian and on Raspberry Pi OS."""
FILE: Final = "file:"
UNSEEN: Final = ("/home/", "/root/", "/tmp/", "/var/tmp/")  # noqa: S108 - named, not used
"""Where the service finds nothing of what is there (ProtectHome=, PrivateTmp=)."""
OFF: Final = "tools.camera is off"


def sandbox_of(config: Config) -> str:
    """Return the drop-in of the unit that a configuration asks for; empty for none.

    `install.sh` writes the same, by this function.
    """
    return drop_in(_source(config))


def _source(config: Config) -> str | None:
    return config.camera.source if config.tools.camera == "on_request" else None


def access(scene: Scene) -> Iterator[Result]:
    """Report whether sandbox and group let the service at its camera, and at no other."""
    source = _source(scene.config)
    place = scene.root / PLACE.lstrip("/")
    installed = (place.parent.parent / UNIT).exists()
    wanted, found = sandbox_of(scene.config), _text(place)
    if found != wanted and not wanted:
        yield hint(
            "camera access",
            f"the service's sandbox lets in a camera that is not configured ({PLACE})",
            f"sudo parley doctor --fix, or sudo rm {PLACE}",
            Cure("the service's sandbox is closed to cameras again", lambda: _mend(scene, "", "")),
        )
        return
    if source is None:
        yield skipped("camera access", OFF)
        return
    if not devices(source):
        yield _of_files(source, installed=installed)
        return
    group = "" if _is_member(scene) else GROUP
    closed = installed and found != wanted
    missing = [
        f"its sandbox keeps {source} out" if closed else "",
        f"its user {scene.account.name} is not in the group {GROUP}" if group else "",
    ]
    told = " and ".join(each for each in missing if each)
    if told:
        by_hand = f"sudo usermod -aG {GROUP} {scene.account.name}" if not closed else ""
        advice = "sudo parley doctor --fix" + (f", or {by_hand} and a restart" if by_hand else "")
        cure = Cure(
            "the service gets its camera; it was started anew",
            lambda: _mend(scene, wanted if closed else None, group),
        )
        yield broken("camera access", f"the service may not use its camera: {told}", advice, cure)
        return
    let_in = ", ".join(each.split()[0] for each in devices(source))
    how = f"the sandbox lets in {let_in}" if installed else "no service here"
    yield fine("camera access", f"{how}; {scene.account.name} may use it", source=source)


def _of_files(source: str, *, installed: bool) -> Result:
    path = source.removeprefix(FILE)
    if installed and path.startswith(UNSEEN):
        folder = path.split("/")[1]
        return hint(
            "camera access",
            f"the service does not see what is in /{folder}",
            "put the pictures elsewhere, e.g. into /srv/pictures",
        )
    return fine("camera access", f"no device: its pictures come out of {path}", source=source)


def _is_member(scene: Scene) -> bool:
    """Whether the group lets the speaker's user at cameras, as it is now: it may just be mended."""
    try:
        group = grp.getgrnam(GROUP)
    except KeyError:
        return True  # nobody can be in it
    account = scene.account
    return account.uid == 0 or group.gr_gid in account.gids or account.name in group.gr_mem


def _mend(scene: Scene, wanted: str | None, group: str) -> None:
    """Write the drop-in ("": none, None: as it is), join the group, start the service anew."""
    place = scene.root / PLACE.lstrip("/")
    if wanted:
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        DurableFile(place.parent, place.name, mode=0o644).write(wanted.encode())
    elif wanted is not None:
        place.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # unless the owner keeps something there
    if group:
        scene.must(["usermod", "--append", "--groups", group, scene.account.name])
    scene.must(["systemctl", "daemon-reload"])
    scene.must(["systemctl", "try-restart", UNIT])


async def picture(scene: Scene) -> Iterable[Result]:
    """Take a picture, and report how large, how bright and how fast; it is thrown away."""
    if _source(scene.config) is None:
        return [skipped("camera", OFF)]
    talks = (scene.status or {}).get("state") not in {None, "idle", "muted", "fault"}
    if talks and scene.config.camera.stream != "off":
        return [skipped("camera", "the speaker is in a talk, and has it open itself")]
    camera = build.camera(scene.config)
    began = time.monotonic()
    try:
        taken = await camera.take()
    except CameraError as error:
        if os.geteuid() not in {0, scene.account.uid}:
            return [skipped("camera", str(error), "sudo parley doctor")]
        return [broken("camera", "no picture can be taken", str(error))]
    finally:
        await camera.close()
    took_ms = round((time.monotonic() - began) * 1000)
    brightness = round(await asyncio.to_thread(brightness_of, taken.jpeg))
    figures = {
        "width": taken.width,
        "height": taken.height,
        "jpeg_bytes": len(taken.jpeg),
        "brightness": brightness,
        "dark": taken.dark,
        "took_ms": took_ms,
    }
    figure = (
        f"{camera.description}: {taken.width} by {taken.height} px, {len(taken.jpeg) // 1000} kB, "
        f"brightness {brightness} of 255, after {took_ms} ms"
    )
    if taken.dark:
        advice = "hardly anything can be seen: is its lens covered, is there any light?"
        return [hint("camera", figure, advice, None, **figures)]
    return [fine("camera", figure, **figures)]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
