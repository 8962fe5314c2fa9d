"""Small files that are written soon, in a thread: the newest content wins."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from device.state.store import DurableFile, WriteBehind
from tests.state.stored import NAME, NEW, OLD


class SlowFile(DurableFile):
    """On a card that takes each content when it is allowed to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, NAME)
        self.free = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.taken: list[bytes] = []
        self.failure: Exception | None = None

    def write(self, content: bytes) -> None:
        self.begun.release()
        assert self.free.acquire(timeout=60)
        if self.failure is not None:
            raise self.failure
        self.taken.append(content)
        super().write(content)


async def test_the_newest_wins_however_slow_the_card_is(tmp_path: Path) -> None:
    """What comes while another is on its way is written after it, and only the last of that."""
    file = SlowFile(tmp_path)
    writing = WriteBehind(file, "all is lost")
    writing.write(b"0")
    assert await asyncio.to_thread(file.begun.acquire, timeout=60)
    for number in range(1, 20):
        writing.write(b"%d" % number)
    saved = asyncio.create_task(writing.saved())
    file.free.release()
    assert await asyncio.to_thread(file.begun.acquire, timeout=60)
    assert not saved.done()
    file.free.release()
    await saved
    assert file.taken == [b"0", b"19"]
    file.free.release()
    writing.write(b"later")
    await writing.saved()
    assert file.read() == b"later"


async def test_with_nothing_to_write_nothing_is_waited_for(tmp_path: Path) -> None:
    """Nor without a folder."""
    await WriteBehind(DurableFile(tmp_path, NAME), "").saved()
    homeless = WriteBehind(DurableFile(None, NAME), "")
    homeless.write(NEW)
    await homeless.saved()


async def test_a_card_that_takes_nothing_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it has taken something: a full card must not fill the journal as well."""
    file = SlowFile(tmp_path)
    writing = WriteBehind(file, "a restart forgets it")
    full = OSError(errno.ENOSPC, "No space left on device")
    for failure in (full, full, full, None, full):
        file.failure = failure
        file.free.release()
        writing.write(NEW)
        await writing.saved()
    told = f"{tmp_path / NAME} cannot be written (No space left on device): a restart forgets it"
    assert caplog.messages == [told, told]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_after_a_failure_what_came_meanwhile_is_written(tmp_path: Path) -> None:
    """It may be shorter, or the card emptier."""
    file = SlowFile(tmp_path)
    writing = WriteBehind(file, "")
    file.failure = OSError(errno.ENOSPC, "No space left on device")
    writing.write(OLD)
    assert await asyncio.to_thread(file.begun.acquire, timeout=60)
    writing.write(NEW)
    file.free.release()
    assert await asyncio.to_thread(file.begun.acquire, timeout=60)
    file.failure = None
    file.free.release()
    await writing.saved()
    assert file.read() == NEW


async def test_what_nobody_expects_reaches_the_loop(tmp_path: Path) -> None:
    """There it ends the process, as any exception in a callback does; nobody waits for ever."""
    file = SlowFile(tmp_path)
    file.failure = KeyError("a bug")
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    writing = WriteBehind(file, "")
    file.free.release()
    writing.write(NEW)
    await writing.saved()
    [context] = told
    assert context["exception"] is file.failure
    assert "handle" in context


def test_a_loop_that_ends_first_costs_nothing(tmp_path: Path) -> None:
    """The thread finishes what it has begun, and tells nobody."""
    file = SlowFile(tmp_path)

    async def begin() -> None:
        WriteBehind(file, "").write(NEW)

    asyncio.run(begin())
    assert file.begun.acquire(timeout=60)
    [thread] = [each for each in threading.enumerate() if each.name == "state"]
    file.free.release()
    thread.join(60)
    assert file.read() == NEW
