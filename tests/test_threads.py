"""Work in threads that nobody waits for, and what they tell the event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from device.threads import in_thread, left_behind, tell

ROOT = Path(__file__).parents[1]


def raises(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


async def test_what_the_work_returns_is_awaited() -> None:
    """It runs in a daemon thread of the name that was given."""

    def work() -> tuple[str, bool]:
        thread = threading.current_thread()
        return thread.name, thread.daemon

    assert await in_thread(work, "some work") == ("some work", True)


@pytest.mark.parametrize("error", [OSError(5, "it hangs"), SystemExit(3), KeyError()])
async def test_what_the_work_raises_is_raised_where_it_is_awaited(error: BaseException) -> None:
    """Whatever it is, else somebody would wait for ever."""
    with pytest.raises(type(error)) as caught:
        await in_thread(raises(error), "some work")
    assert caught.value is error


async def test_what_no_future_takes_is_raised_in_other_words() -> None:
    """An iterator that was empty."""
    with pytest.raises(RuntimeError, match="the thread 'some work' raised StopIteration") as caught:
        await in_thread(raises(StopIteration()), "some work")
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_the_work_begins_before_it_is_awaited() -> None:
    """Who wants to be called back need not make a task of it."""
    came = asyncio.Event()
    in_thread(lambda: 7, "some work").add_done_callback(
        lambda done: came.set() if done.result() == 7 else None
    )
    await asyncio.wait_for(came.wait(), 60)


@pytest.mark.parametrize("error", [None, OSError(5, "too late")])
async def test_work_that_is_given_up_is_left_behind(error: OSError | None) -> None:
    """By a timeout, for one; what it comes to later is nobody's."""
    release, before = threading.Event(), left_behind()

    def hangs() -> None:
        assert release.wait(60)
        if error is not None:
            raise error

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await in_thread(hangs, "a name server")
    [thread] = left_behind() - before
    assert thread.name == "a name server"
    release.set()
    await asyncio.to_thread(thread.join, 60)
    # What it told came before this: nothing is raised, and nothing is logged as unretrieved.
    last = asyncio.Event()
    tell(asyncio.get_running_loop(), last.set)
    await last.wait()
    assert left_behind() == before


async def test_work_that_ends_by_itself_is_not_left_behind() -> None:
    """However it ends."""
    before = left_behind()
    await in_thread(lambda: None, "some work")
    with pytest.raises(OSError, match="it fails"):
        await in_thread(raises(OSError("it fails")), "some work")
    assert left_behind() == before


@pytest.mark.parametrize("error", [None, OSError(5, "too late")])
def test_a_loop_that_is_closed_is_not_told(error: OSError | None) -> None:
    """The thread ends in peace: an exception in it would fail this test."""
    release = threading.Event()

    def hangs() -> None:
        assert release.wait(60)
        if error is not None:
            raise error

    async def begin() -> None:
        in_thread(hangs, "nobody waits for it")

    asyncio.run(begin())
    [thread] = [each for each in threading.enumerate() if each.name == "nobody waits for it"]
    release.set()
    thread.join(60)
    assert not thread.is_alive()


HANGS = """
import asyncio, threading
from device.threads import in_thread, left_behind

async def main():
    try:
        async with asyncio.timeout(0.01):
            await in_thread(threading.Event().wait, "for ever")
    except TimeoutError:
        print(*(thread.name for thread in left_behind()))

asyncio.run(main())
"""


def test_work_that_never_ends_does_not_keep_the_process() -> None:
    """`asyncio.to_thread` would: its threads are waited for at the end."""
    done = subprocess.run(
        [sys.executable, "-c", HANGS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "for ever\n", "")


async def test_what_threads_tell_arrives_in_its_order_on_the_loops_thread() -> None:
    """With its arguments."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    heard: list[tuple[int, threading.Thread]] = []

    def hear(number: int) -> None:
        heard.append((number, threading.current_thread()))
        if number == 99:
            came.set()

    def work() -> None:
        for number in range(100):
            tell(loop, hear, number)

    await in_thread(work, "some work")
    await asyncio.wait_for(came.wait(), 60)
    assert heard == [(number, threading.current_thread()) for number in range(100)]


def test_telling_a_closed_loop_does_nothing() -> None:
    """It wants nothing any more."""
    loop = asyncio.new_event_loop()
    loop.close()
    tell(loop, lambda: pytest.fail("it was called"))
