"""What the threads of a process waited for a core, told by files that tests write."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.rig.run_queue import RunQueue

PID = 4711


def thread(proc: Path, number: int, waited_ms: int) -> None:
    task = proc / str(PID) / "task" / str(number)
    task.mkdir(parents=True, exist_ok=True)
    (task / "schedstat").write_text(f"123456 {waited_ms * 1_000_000} 42\n")


def test_what_all_threads_waited_is_told_of_any_stretch_of_time(tmp_path: Path) -> None:
    """Those that have ended, and those that have begun, included; never less than it was."""
    thread(tmp_path, 1, 100)
    thread(tmp_path, 2, 10)
    queue = RunQueue(PID, tmp_path, watched=False)
    begin = time.monotonic()
    thread(tmp_path, 1, 130)
    queue.look()
    middle = time.monotonic()
    shutil.rmtree(tmp_path / str(PID) / "task" / "2")
    thread(tmp_path, 3, 5)
    queue.look()
    end = time.monotonic()
    assert queue.waited_s(begin, middle) == pytest.approx(0.035)
    assert queue.waited_s(middle, end) == pytest.approx(0.005)
    assert queue.waited_s(begin, end) == pytest.approx(0.035)
    assert queue.waited_s(begin - 60, begin - 50) == 0.0
    assert queue.waited_s(end, end + 60) == 0.0


@pytest.mark.parametrize("text", ["", "123456\n", "a b c\n"])
def test_where_a_kernel_does_not_count_nobody_has_waited(tmp_path: Path, text: str) -> None:
    """Or where the process has ended."""
    queue = RunQueue(PID, tmp_path, watched=False)
    thread(tmp_path, 1, 100)
    (tmp_path / str(PID) / "task" / "1" / "schedstat").write_text(text)
    queue.look()
    assert queue.waited_s(0.0, time.monotonic()) == 0.0


def test_a_living_process_is_looked_at_until_it_is_closed() -> None:
    """By a thread of its own, which ends; its real figures never run backwards."""
    begin = time.monotonic()
    queue = RunQueue(os.getpid())
    first = queue.waited_s(begin, time.monotonic())
    assert 0.0 <= first <= queue.waited_s(begin, time.monotonic())
    queue.close()
