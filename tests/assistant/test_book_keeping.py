"""The whole speaker, whose disk takes nothing: it is told, costs no talk, and holds up no end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from device.assistant.parts import Parts
from device.lights.patterns import Pattern
from device.news import Post
from device.records import store, writer
from device.records.database import open_database
from device.records.reader import read_records
from device.records.rows import Row
from device.records.store import Records
from device.records.tables import TABLES
from device.records.writer import Place
from tests.rig.fakes import Hub, until


class Disk:
    """A disk that can be full, or hang."""

    def __init__(self) -> None:
        self.is_full = False
        self.goes_on = threading.Event()
        self.goes_on.set()

    def open_database(self, *given: object, **more: object) -> object:
        self.goes_on.wait(60)
        if self.is_full:
            raise OSError(28, os.strerror(28))
        return open_database(*given, **more)  # type: ignore[arg-type]


class Keeper(Hub):
    """A speaker whose records are on a disk."""

    folder: Path

    def parts(self) -> Parts:
        return replace(super().parts(), records=self._records)

    def _records(self, post: Post, keep_days: Callable[[], int]) -> Records:
        return Records(Place(self.folder, self.folder / "run"), TABLES, post, keep_days)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Disk]:
    made = Disk()
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(Keeper, "folder", tmp_path, raising=False)
    monkeypatch.setattr(writer, "open_database", made.open_database)
    monkeypatch.setattr(store, "SOON_S", 0.0)
    monkeypatch.setattr(store, "AGAIN_S", 0.01)
    yield made
    made.goes_on.set()


def called(hub: Hub, key: str) -> None:
    records = hub.assistant.records
    records.note(Row(TABLES[-1], key, records.now(), {"name": "get_time"}))


def keys_in(folder: Path, runtime: Path | None) -> Sequence[str]:
    found = read_records(folder, runtime, TABLES)
    try:
        rows = found.execute(f"SELECT key FROM {TABLES[-1].name} ORDER BY rowid").fetchall()
    finally:
        found.close()
    return [key for (key,) in rows]


async def test_a_full_disk_is_a_fault_until_there_is_room(disk: Disk, tmp_path: Path) -> None:
    """By event and light, while it goes on talking; then all of it is written."""
    disk.is_full = True
    hub = Keeper()
    async with hub.running():
        await until(lambda: hub.told("fault"))
        fault = hub.told("fault")[0].fields
        assert (fault["kind"], fault["fatal"], fault["cleared"]) == ("records", False, False)
        assert fault["message"].startswith("the disk is full: ")
        assert hub.assistant.panel.shows is Pattern.MISTAKE
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        hub.session.opened()
        await until(lambda: hub.state == "listening")
        called(hub, "a")
        disk.is_full = False
        await until(lambda: hub.told("fault")[-1].fields["cleared"])
        called(hub, "b")
    assert [each.fields["kind"] for each in hub.told("fault")] == ["records", "records"]
    assert keys_in(tmp_path, None) == ["a", "b"]


async def test_a_disk_that_hangs_holds_up_neither_a_talk_nor_the_end(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was noted waits in memory's file system for the next process."""
    monkeypatch.setattr(store, "HANGS_S", 0.02)
    monkeypatch.setattr(store, "GOODBYE_S", 0.02)
    disk.goes_on.clear()
    hub = Keeper()
    async with hub.running():
        await until(lambda: hub.told("fault"))
        assert hub.told("fault")[0].fields["message"].startswith("the disk does not answer: ")
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        hub.session.opened()
        await until(lambda: hub.state == "listening")
        called(hub, "a")
    # It has ended although the thread still waits for the disk.
    assert keys_in(tmp_path, tmp_path / "run") == ["a"]
    assert keys_in(tmp_path, None) == []
