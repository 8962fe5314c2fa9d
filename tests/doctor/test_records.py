"""What the doctor says of the records."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device.doctor.records import records
from device.doctor.result import Verdict
from device.doctor.scene import Account, Scene
from device.records.audit import CALL
from device.records.database import FOLDER, NAME
from device.records.rows import Row
from tests.records.test_books import books_with_a_damaged_page, write
from tests.rig.scene import machine, only

CALLED = Row(CALL, "k", 1.8e9, {"name": "get_time"})


def scene_in(folder: Path, **over: Any) -> Scene:
    return machine(
        folder,
        environ={"RUNTIME_DIRECTORY": str(folder / "state" / "run"), "TZ": "UTC"},
        **over,
    )


def status(**counters: int) -> dict[str, Any]:
    faults = (
        [{"kind": "records", "message": "the disk is full: …"}] if "failing" in counters else []
    )
    return {"counters": {"records": counters}, "faults": faults}


def test_what_there_is_is_told_with_its_size_and_its_age(tmp_path: Path) -> None:
    """Before anything has left, too; what waits for the disk counts."""
    scene = scene_in(tmp_path)
    assert scene.state_folder is not None
    nothing = only(records(scene))
    assert (nothing.verdict, nothing.figure) == (Verdict.FINE, "nothing has left yet")
    write(scene.state_folder, [CALLED], [Row(CALL, "later", 1.9e9, {"name": "look"})])
    told = only(records(scene))
    assert told.verdict is Verdict.FINE
    assert told.figure.endswith(" MB, 2 entries since 2027-01-15")
    assert told.figures["bytes"] > 10_000
    assert told.figures["rows"] == 2


def test_what_was_lost_is_told(tmp_path: Path) -> None:
    """A damaged file is kept for whoever asks; what found no room, or made no sense, is counted."""
    scene = scene_in(tmp_path, status=status(noted=9, dropped=3, odd=1))
    assert scene.state_folder is not None
    write(scene.state_folder, [])
    aside = scene.state_folder / FOLDER / f"{NAME}.damaged-2026-11-30"
    aside.write_bytes(b"")
    aside.with_name(f"{aside.name}-wal").write_bytes(b"")
    damaged, dropped, odd, _ = records(scene)
    assert {each.verdict for each in (damaged, dropped, odd)} == {Verdict.HINT}
    assert damaged.figure == "they were damaged once and began anew"
    assert damaged.figures == {"damaged": 1}
    assert str(aside) in damaged.advice
    assert dropped.figure == "3 entries found no room"
    assert odd.figure == "1 entries made no sense and were left out"


def test_what_the_speaker_cannot_write_is_broken(tmp_path: Path) -> None:
    """In its own words."""
    told = only(records(scene_in(tmp_path, status=status(failing=1))))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, "the disk is full: …")


def is_a_link(folder: Path) -> None:
    folder.symlink_to(folder.parent)


def is_a_pipe(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / NAME)


@pytest.mark.parametrize("puts", [is_a_link, is_a_pipe])
def test_what_is_in_their_place_is_broken(tmp_path: Path, puts: Callable[[Path], None]) -> None:
    """It is neither followed nor waited for."""
    scene = scene_in(tmp_path)
    assert scene.state_folder is not None
    scene.state_folder.mkdir()
    puts(scene.state_folder / FOLDER)
    told = only(records(scene))
    assert told.verdict is Verdict.BROKEN
    assert "move it away" in told.advice


def test_what_belongs_to_somebody_else_is_broken(tmp_path: Path) -> None:
    """After `sudo parley run`, for one."""
    scene = scene_in(tmp_path, account=Account("parley", 12_345, frozenset()))
    assert scene.state_folder is not None
    write(scene.state_folder, [CALLED])
    told = only(records(scene))
    assert told.verdict is Verdict.BROKEN
    assert told.figure.endswith("does not belong to parley")
    assert told.advice == f"sudo chown -R parley: {scene.state_folder / FOLDER}"


def test_what_cannot_be_read_is_told_unless_a_speaker_writes_it(tmp_path: Path) -> None:
    """A copy of what is being written may be torn."""
    scene = scene_in(tmp_path)
    assert scene.state_folder is not None
    write(scene.state_folder, [CALLED])
    (scene.state_folder / FOLDER / NAME).write_bytes(b"no database at all, " * 500)
    told = only(records(scene))
    assert told.verdict is Verdict.HINT
    assert "file is not a database" in told.figure
    (scene.state_folder / FOLDER / NAME).unlink()
    books_with_a_damaged_page(scene.state_folder, CALL)
    told = only(records(scene))
    assert told.verdict is Verdict.HINT
    assert "malformed" in told.figure
    running = only(records(scene_in(tmp_path, status=status())))
    assert (running.verdict, running.figure) == (Verdict.FINE, "0.1 MB")


def test_without_a_state_directory_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    """The records are in memory then."""
    assert only(records(scene_in(tmp_path, state_folder=None))).verdict is Verdict.SKIPPED
