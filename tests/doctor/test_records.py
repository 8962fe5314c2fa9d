"""What the doctor says of the books."""

from __future__ import annotations

from pathlib import Path

from device.doctor.records import records
from device.doctor.result import Verdict
from device.records.audit import CALL
from device.records.rows import Row
from tests.records.test_books import write
from tests.rig.scene import machine


def test_what_there_is_is_told_with_its_size_and_its_age(tmp_path: Path) -> None:
    """Before anything has left, too."""
    scene = machine(tmp_path, environ={"STATE_DIRECTORY": str(tmp_path / "state")})
    assert scene.state_folder is not None
    (nothing,) = records(scene)
    assert (nothing.verdict, nothing.figure) == (Verdict.FINE, "nothing has left yet")
    write(scene.state_folder, [Row(CALL, "k", 1.8e9, {"name": "get_time"})])
    (told,) = records(scene)
    assert told.verdict is Verdict.FINE
    assert told.figure.endswith(" MB, since 2027-01-15")
    assert told.figures["bytes"] > 10_000


def test_what_was_lost_is_told(tmp_path: Path) -> None:
    """A damaged file is kept for whoever asks; what found no room is counted."""
    scene = machine(
        tmp_path,
        environ={"STATE_DIRECTORY": str(tmp_path / "state")},
        status={"counters": {"records": {"noted": 9, "dropped": 3, "odd": 0}}},
    )
    assert scene.state_folder is not None
    write(scene.state_folder, [])
    (scene.state_folder / "records" / "records.sqlite.damaged").write_bytes(b"")
    damaged, dropped, _ = records(scene)
    assert (damaged.verdict, dropped.verdict) == (Verdict.HINT, Verdict.HINT)
    assert damaged.figure == "they were damaged once and began anew"
    assert dropped.figure == "3 entries found no room"
