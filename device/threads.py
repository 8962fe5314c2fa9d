"""Work that nobody waits for runs in a thread, and a thread tells the event loop what came.

A call that may hang (a name server, a file system on a network, a driver) must neither hold up the
loop nor the end of the process. ``asyncio.to_thread`` takes care of the first only: its threads are
few, and at the end of ``asyncio.run`` all of them are waited for. It is right for what ends by
itself. What may not runs by `in_thread`: in a daemon thread of its own, which is left behind when
whoever waited for it is cancelled, by a timeout for one.

Some threads are not started here, because they do not make one call and end: `device.audio.
stream_thread` lives inside PortAudio for as long as a stream is open, `device.wake.detector` takes
frames out of an inbox and must have ended when its task has, `device.lights.ring` draws the newest
frame and works without a loop, `device.board.mute_switch` looks at a switch again and again,
`device.records.store` has a database that one thread must own. They tell the loop by `tell`, as
everybody does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TypeVar, TypeVarTuple

_T = TypeVar("_T")
_Arguments = TypeVarTuple("_Arguments")

_abandoned: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def tell(
    loop: asyncio.AbstractEventLoop,
    function: Callable[[*_Arguments], object],
    *arguments: *_Arguments,
) -> None:
    """Have the loop call a function soon. Any thread.

    A loop that was closed meanwhile wants nothing any more: then nothing happens.
    """
    # RuntimeError: the loop is closed, and nobody is left to tell.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)


def in_thread(work: Callable[[], _T], name: str) -> asyncio.Future[_T]:
    """Begin blocking work in a daemon thread of that name; return what it comes to.

    The work begins at once, whether the future is awaited or not. When the future is cancelled the
    thread goes on by itself, and what it comes to is dropped. Called on the event loop's thread.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except StopIteration as error:  # no future takes one
            failure = RuntimeError(f"the thread '{name}' raised StopIteration")
            failure.__cause__ = error
            tell(loop, _fail, done, failure)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            tell(loop, _fail, done, error)
        else:
            tell(loop, _succeed, done, result)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    done.add_done_callback(partial(_note_abandoned, thread))
    return done


def left_behind() -> set[threading.Thread]:
    """Return the threads of `in_thread` that nobody waits for any more, and which still run."""
    return {thread for thread in _abandoned if thread.is_alive()}


def _succeed(done: asyncio.Future[_T], result: _T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[_T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)


def _note_abandoned(thread: threading.Thread, done: asyncio.Future[_T]) -> None:
    if done.cancelled():
        _abandoned.add(thread)
