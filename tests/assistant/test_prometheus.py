"""The file for Prometheus is whole, readable, where its owner wants it, and left by nobody."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from device.assistant import prometheus as module
from device.assistant.prometheus import PrometheusFile
from device.assistant.settings import Settings
from device.config import Config, parse
from device.events import EventBus, PublicEvent
from device.faults import Faults
from device.signals import PROMETHEUS
from tests.rig.fakes import Hub, until


class Owner:
    """Wants a file, and sees what is wrong with it."""

    def __init__(self, path: Path | None) -> None:
        self.told: list[PublicEvent] = []
        self.settings = Settings(self._config(path))
        self.faults = Faults(EventBus(self.told.append))
        self.file = PrometheusFile(self.settings, self.faults)

    def _config(self, path: Path | None) -> Config:
        wanted = "null" if path is None else str(path)
        return parse(f"records: {{prometheus: {wanted}}}", "test.yaml")

    def wants(self, path: Path | None) -> None:
        self.settings.replace(self._config(path))
        self.file.follow()

    async def settled(self) -> None:
        await until(lambda: self.file._writing is None)


def left_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[Owner]:
    made = Owner(tmp_path / "parley.prom")
    yield made
    await made.file.closed()


async def test_the_file_holds_the_newest_text_and_everybody_may_read_it(
    tmp_path: Path, owner: Owner
) -> None:
    """Whatever the umask of the service is; nothing else is left beside it."""
    before = os.umask(0o077)
    try:
        for number in range(20):
            owner.file.write(f"parley_talks_total {number}\n")
        await owner.settled()
    finally:
        os.umask(before)
    path = tmp_path / "parley.prom"
    assert path.read_text() == "parley_talks_total 19\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert left_in(tmp_path) == [path.name]


async def test_it_is_never_half_written(tmp_path: Path, owner: Owner) -> None:
    """Whoever reads at any moment finds a whole text."""
    path, over, found = tmp_path / "parley.prom", threading.Event(), set()
    text = "parley_talks_total 1\n" * 500

    def read() -> None:
        while not over.is_set():
            if path.exists():
                found.add(len(path.read_text()))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        owner.file.write(text)
        await owner.settled()
    over.set()
    reader.join()
    assert found <= {len(text)}


async def test_a_path_that_cannot_be_written_is_told_once_until_it_can(
    tmp_path: Path, owner: Owner
) -> None:
    """With what to do; a folder that is not there is not made."""
    folder = tmp_path / "misspelt"
    owner.wants(folder / "parley.prom")
    for _ in range(3):
        owner.file.write("text\n")
        await owner.settled()
    assert not folder.exists()
    ((kind, message, cleared),) = [
        (each.fields["kind"], each.fields["message"], each.fields["cleared"]) for each in owner.told
    ]
    assert (kind, cleared) == (PROMETHEUS, False)
    assert message == (
        f"the figures for Prometheus cannot be written to {folder}/parley.prom (No such file or "
        "directory): set records.prometheus to a file that the speaker may write, such as "
        "/run/parley/parley.prom"
    )
    folder.mkdir()
    owner.file.write("text\n")
    await owner.settled()
    assert [each.fields["cleared"] for each in owner.told] == [False, True]
    assert owner.faults.active == []


async def test_a_file_that_is_wanted_elsewhere_is_left_by_nobody(
    tmp_path: Path, owner: Owner
) -> None:
    """Else it would be read for ever; so at the goodbye, and where none is wanted any more."""
    first, second = tmp_path / "parley.prom", tmp_path / "other.prom"
    owner.file.write("text\n")
    await owner.settled()
    owner.wants(second)
    await until(lambda: not first.exists())
    owner.file.write("text\n")
    await owner.settled()
    assert second.exists()
    await owner.file.closed()
    assert not second.exists()


async def test_a_fault_of_a_file_that_is_wanted_no_more_is_over(
    tmp_path: Path, owner: Owner
) -> None:
    """Whoever takes the key out has mended it."""
    owner.wants(tmp_path / "nowhere" / "parley.prom")
    owner.file.write("text\n")
    await owner.settled()
    assert owner.faults.in_force(PROMETHEUS)
    owner.wants(None)
    assert not owner.faults.in_force(PROMETHEUS)
    owner.file.write("text\n")
    assert owner.file._writing is None


async def test_a_disk_that_hangs_holds_nobody_up(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest text waits, and none of those before it."""
    goes_on, written = threading.Event(), []

    def hangs(_path: Path, content: bytes) -> None:
        goes_on.wait(60)
        written.append(content)

    monkeypatch.setattr(module, "_write", hangs)
    for number in range(100):
        owner.file.write(str(number))
    goes_on.set()
    await owner.settled()
    assert written == [b"0", b"99"]


async def test_a_goodbye_does_not_wait_for_ever(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second, and it is over."""
    goes_on = threading.Event()
    monkeypatch.setattr(module, "_write", lambda _path, _content: goes_on.wait(60))
    monkeypatch.setattr(module, "GOODBYE_S", 0.01)
    owner.file.write("text\n")
    await owner.file.closed()
    assert owner.file._writing is not None
    goes_on.set()
    await owner.settled()


async def test_what_is_no_file_of_ours_is_not_removed(tmp_path: Path, owner: Owner) -> None:
    """A link that somebody has put in its place stays."""
    path, elsewhere = tmp_path / "parley.prom", tmp_path / "elsewhere"
    elsewhere.write_text("mine\n")
    owner.file.write("text\n")
    await owner.settled()
    path.unlink()
    path.symlink_to(elsewhere)
    await owner.file.closed()
    assert path.is_symlink()
    assert elsewhere.read_text() == "mine\n"


async def test_what_goes_wrong_unexpectedly_is_not_swallowed(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches the loop, which ends the speaker."""
    broken: list[BaseException] = []

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context["exception"]
        assert isinstance(error, BaseException)
        broken.append(error)

    def fails(_path: Path, _content: bytes) -> None:
        raise ZeroDivisionError

    asyncio.get_running_loop().set_exception_handler(note)
    monkeypatch.setattr(module, "_write", fails)
    owner.file.write("text\n")
    await until(lambda: broken)
    assert isinstance(broken[0], ZeroDivisionError)
    asyncio.get_running_loop().set_exception_handler(None)
    monkeypatch.undo()
    owner.file._writing = None


async def test_a_changed_path_is_in_force_at_once(tmp_path: Path) -> None:
    """After a reload nobody waits for the next talk; its own fault is not among its figures."""
    hub = Hub(f"records: {{prometheus: {tmp_path}/parley.prom}}")
    async with hub.running():
        hub.assistant.statistics.export()
        await until((tmp_path / "parley.prom").exists)
        hub.assistant.settings.replace(
            parse(f"records: {{prometheus: {tmp_path}/nowhere/a.prom}}", "test.yaml")
        )
        hub.assistant.statistics.export()
        await until(lambda: hub.assistant.faults.in_force(PROMETHEUS))
        await until(lambda: not (tmp_path / "parley.prom").exists())
        assert hub.lights.shown[-1]
    assert left_in(tmp_path) == []
