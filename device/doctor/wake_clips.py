"""The doctor tells whether clips of wakes are kept, how many, and what is among them."""

from __future__ import annotations

from collections.abc import Iterator

from device.doctor.result import Result, fine, hint, skipped
from device.doctor.scene import Scene
from device.state.wake_clips import FOLDER, MOST_CLIPS, ClipFolder

NAME = "wake clips"
KEPT = {"near": "near misses are kept", "all": "wakes and near misses are kept"}


def wake_clips(scene: Scene) -> Iterator[Result]:
    """Look into the folder of clips. Blocks for as long as the disk does."""
    keep = scene.config.wake.keep
    if scene.state_folder is None:
        yield skipped(NAME, "nothing outlives the speaker: no state directory")
        return
    path = scene.state_folder / FOLDER
    try:
        contents = ClipFolder(scene.state_folder).contents()
    except PermissionError:
        yield skipped(NAME, f"{path} may not be read", "sudo parley doctor")
        return
    except OSError as error:
        advice = f"delete {path}: the speaker makes it anew"
        yield hint(NAME, f"{path}: {error.strerror or error}", advice)
        return
    if damaged := len(contents.damaged):
        advice = "parley wakes lists them; parley wakes clear ID deletes one"
        yield hint(NAME, f"{damaged} damaged", advice, damaged=damaged)
    if contents.foreign:
        names = ", ".join(contents.foreign[:3])
        advice = f"the speaker has not put it into {path}, and leaves it alone"
        yield hint(NAME, f"not the speaker's: {names}", advice)
    count = len(contents.clips)
    there = f"{count} clip{'s' * (count != 1)} on this device, {contents.bytes / 1e6:.1f} MB"
    waiting = (scene.status or {}).get("wake_clips", {}).get("waiting", 0)
    if waiting:
        there += f", {waiting} more in the speaker's memory"
    figures = {"keep": keep, "clips": count, "waiting": waiting, "bytes": contents.bytes}
    if keep != "none":
        told = f"{KEPT[keep]} (wake.keep: {keep}), the newest {MOST_CLIPS}: {there}"
        yield fine(NAME, told, **figures)
    elif count or waiting:
        advice = "wake.keep is none, but what was kept before is there still: parley wakes clear"
        yield hint(NAME, there, advice, None, **figures)
    else:
        yield fine(NAME, "none are kept", **figures)
