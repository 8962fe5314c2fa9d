"""The doctor looks at the books: what they take, how far back they go, and what they lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from device.doctor.result import Result, fine, hint, skipped
from device.doctor.scene import Scene
from device.records.database import FOLDER, NAME
from device.records.tables import TABLES
from device.timers.clocks import local_zone


def records(scene: Scene) -> Iterator[Result]:
    """Report whether what leaves the device is on record. Blocks for as long as the disk does."""
    if scene.state_folder is None:
        yield skipped("records", "nothing outlives the speaker: no state directory")
        return
    path = scene.state_folder / FOLDER / NAME
    try:
        size = sum(
            each.stat().st_size for each in (path, path.with_name(f"{NAME}-wal")) if each.exists()
        )
        damaged = path.with_name(f"{NAME}.damaged").exists()
    except OSError as error:
        yield skipped("records", f"{path}: {error.strerror}", "sudo parley doctor")
        return
    dropped = (scene.status or {}).get("counters", {}).get("records", {}).get("dropped", 0)
    if damaged:
        advice = f"{path}.damaged is for whoever asks what happened; delete it when nobody does"
        yield hint("records", "they were damaged once and began anew", advice)
    if dropped:
        advice = "look at the disk: it takes nothing, or too slowly"
        yield hint("records", f"{dropped} entries found no room", advice, dropped=dropped)
    if not size:
        yield fine("records", "nothing has left yet")
        return
    yield fine("records", f"{size / 1e6:.1f} MB{_oldest(scene)}", bytes=size)


def _oldest(scene: Scene) -> str:
    """Return since when there are any, as far as that can be read beside the speaker."""
    path = (scene.state_folder or scene.root) / FOLDER / NAME
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)
    except sqlite3.Error:
        return ""
    try:
        times = [
            database.execute(f"SELECT min(at) FROM {table.name}").fetchone()[0]  # noqa: S608 - ours
            for table in TABLES
        ]
    except sqlite3.Error:
        return ""
    finally:
        database.close()
    known = [at for at in times if at]
    return f", since {datetime.fromtimestamp(min(known), local_zone()):%Y-%m-%d}" if known else ""
