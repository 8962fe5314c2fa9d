"""The control socket against programs that are broken, greedy or malicious."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.config import Config, parse
from device.config.file import ConfigFile
from device.config.last_good import LastGood
from device.control import socket as control
from device.control.commands import ATTACHED, LASTING, Commands
from device.control.socket import LINE_BYTES, ControlServer
from tests.rig.fakes import Hub, until
from tests.rig.hostile import LINES, answer, is_a_question

ROOT = Path(__file__).parents[2]
STATUS = b'{"command": "status"}'


@asynccontextmanager
async def speaker(folder: Path) -> AsyncIterator[Path]:
    """A hub of fakes with the real commands behind the real socket."""
    hub, file = Hub(), folder / "config.yaml"
    settings = ConfigFile(file, Config, LastGood(None, file, parse))

    async def reload() -> set[str]:
        return set()

    path = folder / "control.sock"
    table = Commands(hub.assistant, reload, settings).table()
    async with hub.running(), ControlServer(path, table, LASTING, ATTACHED):
        yield path


@contextmanager
def no_tracebacks() -> Iterator[None]:
    """Whatever is logged with a traceback, by us or by asyncio, ends the test."""
    found: list[str] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info or "Traceback" in record.getMessage():
                found.append(record.getMessage())

    watch = Watch()
    logging.getLogger().addHandler(watch)
    try:
        yield
        gc.collect()  # a task that nobody asks for its exception tells it when it goes
    finally:
        logging.getLogger().removeHandler(watch)
    assert found == []


def run(attack: Callable[[Path], Awaitable[None]]) -> None:
    with tempfile.TemporaryDirectory() as folder, no_tracebacks():

        async def main() -> None:
            async with speaker(Path(folder)) as path:
                await attack(path)

        asyncio.run(main())


EXAMPLES = int(os.environ.get("PARLEY_EXAMPLES", "1"))
"""How many times as many lines are tried; `pytest -s` prints how many there were."""

tried: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    print(f"\nhostile lines: {dict(tried)}; none ended the speaker")


@settings(deadline=None, max_examples=60 * EXAMPLES)
@given(st.lists(LINES, min_size=20, max_size=40))
def test_any_line_is_answered_with_a_result_or_a_clear_error(lines: list[bytes]) -> None:
    """One of them, in one record, short enough to be read; thousands, and it still serves."""

    def attack(path: Path) -> None:
        for line in lines:
            if not is_a_question(line):
                (told,) = answer(path, line)
                tried["lines"] += 1
                assert set(told) in ({"result"}, {"error"})
                if "error" in told:
                    assert 10 < len(told["error"]) < 400
                    assert "Traceback" not in told["error"]
                    assert told["error"].isprintable()
        (after,) = answer(path, STATUS)
        assert after["result"]["ready"]

    run(lambda path: asyncio.to_thread(attack, path))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only how many


async def test_nothing_is_left_of_thousands_of_them(tmp_path: Path) -> None:
    """Tasks, descriptors and subscriptions are as many as before, whatever they asked."""
    asked = [
        b"nonsense",
        b"[" * 60_000,
        b"x" * 70_000,
        b"\x00\xff" * 100,
        b'{"command": "volume", "percent": "loud"}',
        b'{"command": "explode"}',
        STATUS,
        b"",
    ]
    with no_tracebacks():
        async with speaker(tmp_path) as path:
            await asyncio.to_thread(answer, path, STATUS)
            tasks, files = len(asyncio.all_tasks()), descriptors()
            for _ in range(250):
                for line in asked:
                    await asyncio.to_thread(answer, path, line)
            await until(lambda: len(asyncio.all_tasks()) <= tasks)
            await until(lambda: descriptors() <= files)


def connected(path: Path, line: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    client.settimeout(10)
    with contextlib.suppress(ConnectionError):  # cut off while it spoke
        client.sendall(line)
    return client


async def test_watchers_who_do_not_read_and_slow_ones_leave_room_for_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds at once: served, refused in words or cut off; in the end all of them are gone."""
    monkeypatch.setattr(control, "REQUEST_TIMEOUT_S", 0.3)
    crowd: list[socket.socket] = []

    def come() -> None:
        kinds = [b'{"command": "watch"}\n', b'{"comm', b"", b'{"command": "watch"}']
        crowd.extend(connected(path, kinds[number % len(kinds)]) for number in range(300))

    with no_tracebacks():
        async with speaker(tmp_path) as path:
            tasks, files = len(asyncio.all_tasks()), descriptors()
            await asyncio.to_thread(come)
            # Four tasks each at most, once all that came has been taken in.
            await until(lambda: len(asyncio.all_tasks()) <= tasks + 4 * control.CLIENTS)
            for client in crowd:
                client.close()
            await until(lambda: len(asyncio.all_tasks()) <= tasks)
            await until(lambda: descriptors() <= files)
            (told,) = await asyncio.to_thread(answer, path, STATUS)
            assert told["result"]["ready"]


async def test_many_requests_at_once_are_all_answered(tmp_path: Path) -> None:
    """Each by itself: what one says is not told to another."""
    told: list[int] = []

    def ask(number: int) -> None:
        line = json.dumps({"command": f"nonsense-{number}"}).encode()
        (record,) = answer(path, line)
        assert f"'nonsense-{number}'" in record["error"] or "at once" in record["error"]
        told.append(number)

    async with speaker(tmp_path) as path:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        await until(lambda: not any(thread.is_alive() for thread in threads))
    assert sorted(told) == list(range(50))


async def test_a_line_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    """One byte less than too much."""
    async with speaker(tmp_path) as path:
        line = STATUS + b" " * (LINE_BYTES - len(STATUS) - 1)
        (told,) = await asyncio.to_thread(answer, path, line)
        assert "result" in told


AS_USER = """
import os, sys
from device.__main__ import main, parser
import device.cli.remote, device.control.socket, rich.table
user, group, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.setgroups([group] if group else [])
os.setgid(user)
os.setuid(user)
sys.exit(main(["status", "--socket", path]))
"""
NOBODY, SPEAKER_GROUP = 65_534, 54_321


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_another_user_may_use_it_in_the_group_only() -> None:
    """As the kernel enforces it, in a directory that all may enter, as systemd makes it."""

    def status(group: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", AS_USER, str(NOBODY), str(group), str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - the loop may wait
        async with speaker(Path(folder)) as path:
            os.chown(path, 0, SPEAKER_GROUP)
            refused = await asyncio.to_thread(status, 0)
            assert refused.returncode == 1
            assert "may not be opened by this user; use sudo" in refused.stderr
            assert "usermod -aG parley" in refused.stderr
            allowed = await asyncio.to_thread(status, SPEAKER_GROUP)
            assert allowed.returncode == 0, allowed.stderr
            assert "hey_test" in allowed.stdout
