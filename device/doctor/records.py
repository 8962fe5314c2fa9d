"""The doctor looks at the records: what they take, how far back they go, and what they lost."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from device.doctor.result import Result, broken, fine, hint, skipped
from device.doctor.scene import Scene
from device.errors import RecordsError
from device.records.database import FOLDER, NAME, damaged
from device.records.reader import ask_records
from device.records.tables import TABLES
from device.signals import RECORDS
from device.state.folders import SERVICE_RUNTIME, SERVICE_STATE, runtime_folder
from device.timers.clocks import local_zone


def records(scene: Scene) -> Iterator[Result]:
    """Report whether what leaves the device is on record. Blocks for as long as the disk does."""
    if scene.state_folder is None:
        yield skipped("records", "nothing outlives the speaker: no state directory")
        return
    folder = scene.state_folder / FOLDER
    try:
        yield from _lost(scene, folder)
        if wrong := _wrong(scene, folder):
            yield broken("records", *wrong)
            return
        yield _there(scene, folder / NAME)
    except OSError as error:
        yield skipped(
            "records", f"{error.filename or folder}: {error.strerror}", "sudo parley doctor"
        )


def _lost(scene: Scene, folder: Path) -> Iterator[Result]:
    aside = damaged(folder) if folder.is_dir() and not folder.is_symlink() else []
    if aside:
        advice = f"{aside[-1]} is for whoever asks what happened; delete it when nobody does"
        yield hint("records", "they were damaged once and began anew", advice, damaged=len(aside))
    counters = (scene.status or {}).get("counters", {}).get("records", {})
    if dropped := counters.get("dropped", 0):
        advice = "look at the disk: it takes nothing, or too slowly"
        yield hint("records", f"{dropped} entries found no room", advice, dropped=dropped)
    if odd := counters.get("odd", 0):
        advice = "report this; the others are complete"
        yield hint("records", f"{odd} entries made no sense and were left out", advice, odd=odd)


def _wrong(scene: Scene, folder: Path) -> tuple[str, str] | None:
    """Return why the speaker cannot write them, and what to do; None where it can.

    A disk that is full or read-only is told by another check.
    """
    status: Mapping[str, Any] = scene.status or {}
    if status.get("counters", {}).get("records", {}).get("failing"):
        told = [fault["message"] for fault in status["faults"] if fault["kind"] == RECORDS]
        return " ".join(told) or "they cannot be written", "then it writes them within a minute"
    for path, is_right, what in (
        (folder, stat.S_ISDIR, "no folder"),
        (folder / NAME, stat.S_ISREG, "no file"),
    ):
        try:
            found = path.lstat()
        except FileNotFoundError:
            return None
        if not is_right(found.st_mode):
            return f"{path} is {what}", "move it away; the records begin anew"
        if scene.account.uid not in (0, found.st_uid):
            advice = f"sudo chown -R {scene.account.name}: {folder}"
            return f"{path} does not belong to {scene.account.name}", advice
    return None


def _there(scene: Scene, path: Path) -> Result:
    beside = (path, path.with_name(f"{NAME}-wal"))
    size = sum(each.stat().st_size for each in beside if each.exists())
    try:
        rows, oldest = ask_records(scene.state_folder, _runtime(scene), TABLES, _extent)
    except RecordsError as error:
        if scene.status is not None or scene.alive:
            # It may have been written at that moment.
            return fine("records", f"{size / 1e6:.1f} MB", bytes=size)
        advice = "the speaker sets them aside when it starts, and begins anew"
        return hint("records", str(error), advice, bytes=size)
    if not rows:
        return fine("records", "nothing has left yet", bytes=size, rows=0)
    since = f"{datetime.fromtimestamp(oldest, local_zone()):%Y-%m-%d}"
    entries = "1 entry" if rows == 1 else f"{rows} entries"
    figure = f"{size / 1e6:.1f} MB, {entries} since {since}"
    return fine("records", figure, bytes=size, rows=rows, since=since)


def _extent(database: sqlite3.Connection) -> tuple[int, float]:
    """Return how many rows there are, and the time of the oldest in Unix seconds."""
    found = [
        database.execute(f"SELECT count(*), min(at) FROM {table.name}").fetchone()  # noqa: S608 - ours
        for table in TABLES
    ]
    return sum(rows for rows, _ in found), min((at for _, at in found if at), default=0.0)


def _runtime(scene: Scene) -> Path | None:
    if scene.state_folder == SERVICE_STATE:
        return SERVICE_RUNTIME
    return runtime_folder({**scene.environ, "STATE_DIRECTORY": str(scene.state_folder)})
