"""`Records` takes the facts of the books on the event loop and keeps them in a thread of its own.

Theory of operation. `note` writes a line into memory's file system (`device.records.pending`),
which takes microseconds, and hands the row to the thread, whose database may wait for a disk for as
long as it likes. The disk is written when somebody asks for it, after a talk, and an hour after the
first row that nobody asked for. Nothing here waits for the disk but `ask` and `kept`.

The thread is no call of `device.threads`: it lives as long as the speaker, and owns its database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from device.errors import RecordsError
from device.news import Post, RecordsTrouble
from device.records.clock import RecordClock
from device.records.pending import Pending
from device.records.rows import LATEST_S, Row, Table
from device.records.trouble import HANGS, LOST
from device.records.writer import MOST_ROWS, Place, Writer
from device.threads import tell

log = logging.getLogger(__name__)

_T = TypeVar("_T")

SOON_S: Final = 2.0
"""A talk's last rows come within this of its end: one write has them all."""
SELDOM_S: Final = 3_600.0
AGAIN_S: Final = 60.0
"""A disk that took nothing is tried again so much later."""
HANGS_S: Final = 20.0
"""A disk that has not answered for so long is told. Slow SD cards were seen to take 5 s."""
GOODBYE_S: Final = 2.0


class Records:
    """The books of one speaker. Used from the event loop's thread only."""

    def __init__(
        self,
        place: Place,
        tables: Sequence[Table],
        post: Post,
        keep_days: Callable[[], int],
        clock: RecordClock | None = None,
    ) -> None:
        """Nothing is opened before `start`; what is noted until then waits."""
        self._life = secrets.token_hex(8)
        self._clock = clock or RecordClock(0.0)
        self._pending = Pending(place.runtime, self._life)
        self._writer = Writer(place, tables, self._life)
        self._tables = tables
        self._post = post
        self._keep_days = keep_days
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Future[None] | None = None
        """Done when the thread has ended."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._number = self._written = self._keys = 0
        self._dropped = 0
        self._unsaved = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")
        self._hanging: asyncio.TimerHandle | None = None
        self._told: str | None = None
        self._told_unheld = False

    @property
    def counters(self) -> Mapping[str, int]:
        """``noted`` rows, of them ``waiting`` for the disk; ``dropped``, ``odd`` ones left out.

        Dropped are those that found no room: the newest while the disk hangs, the oldest while it
        takes nothing. ``failing`` is 1 while it cannot be written.
        """
        writer = self._writer
        return {
            "noted": self._number,
            "waiting": self._number - self._written,
            "dropped": self._dropped + writer.lost,
            "odd": writer.odd,
            "failing": int(writer.failing),
        }

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin: open the database, and take over what a process before this one left.

        A task of `tasks` raises what the thread has raised that nobody expects.
        """
        loop = self._loop = asyncio.get_running_loop()
        ended = self._ended = loop.create_future()
        tasks.create_task(_raised(ended), name="records")
        self._hold()
        thread = threading.Thread(
            target=self._work, args=(loop, ended), name="records", daemon=True
        )
        self._thread = thread
        thread.start()

        def newest(database: sqlite3.Connection) -> None:
            times = [
                database.execute(
                    f"SELECT max(at) FROM {table.name} WHERE at < ?",  # noqa: S608 - ours
                    (LATEST_S,),
                ).fetchone()[0]
                for table in self._tables
            ]
            tell(loop, self._clock.is_behind, max((at for at in times if at), default=0.0))

        def begin() -> None:
            with contextlib.suppress(RecordsError):
                self._writer.ask(newest, self.now())

        self._jobs.put(begin)
        self._unsaved = True
        self.save()

    def now(self) -> float:
        """Return the time in Unix seconds, as far as it is known."""
        return self._clock.now()

    def fresh_key(self) -> str:
        """Return a key that no row has."""
        self._keys += 1
        return f"{self._life}-{self._keys}"

    def note(self, row: Row) -> None:
        """Take a row, which is visible to `ask` from now on. Returns at once and never raises."""
        if self._jobs.qsize() >= MOST_ROWS:
            self._dropped += 1
            if self._loop is not None:
                # Not now: whoever takes the news may be the one who notes.
                self._loop.call_soon(self._tell, LOST)
            return
        number = self._number = self._number + 1
        try:
            self._pending.append(number, row)
        except OSError as error:
            self._holds_not(error)
        self._jobs.put(partial(self._put, number, row))
        self._unsaved = True
        self._save_within(SOON_S if self._pending.full else SELDOM_S)

    def save(self) -> None:
        """Have the disk take what was noted, soon."""
        self._save_within(SOON_S)

    async def ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what a question finds in all that was noted so far; it must change nothing.

        It is answered on the records' own thread, as soon as the disk lets it. Raises RecordsError,
        and what the question raises. May be cancelled.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()

        def work() -> None:
            try:
                found = self._writer.ask(question, self.now())
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                tell(loop, _fail, answer, error)
            else:
                tell(loop, _succeed, answer, found)
            tell(loop, self._tell_trouble)

        self._jobs.put(work)
        return await answer

    async def kept(self) -> None:
        """Have the disk take everything, and end; a disk that hangs gets two seconds for it."""
        ended = self._ended
        if ended is None:
            return
        self._stop_timers()
        self._commit()
        self._stop_timers()
        self._jobs.put(self._writer.close)
        self._jobs.put(None)
        await asyncio.wait([ended], timeout=GOODBYE_S)
        if not ended.done():
            log.warning("the disk takes nothing: the newest records may be lost")
            ended.set_result(None)
        self._thread = None
        self._pending.close()

    # --- when it writes --------------------------------------------------------------------------

    def _save_within(self, seconds: float) -> None:
        loop = self._loop
        if loop is None or loop.time() + seconds >= self._due or not self._unsaved:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = loop.time() + seconds
        self._timer = loop.call_at(self._due, self._commit)

    def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = float("inf")
        self._unsaved = False
        now, keep_days = self.now(), self._keep_days()

        def work() -> None:
            tell(loop, self._committed, self._writer.commit(now, keep_days))

        self._jobs.put(work)
        if self._hanging is None:
            self._hanging = loop.call_later(HANGS_S, self._hangs)

    def _committed(self, number: int | None) -> None:
        if self._hanging is not None:
            self._hanging.cancel()
            self._hanging = None
        if self._thread is None:
            return
        self._written = max(self._written, number or 0)
        if self._written == self._number and number is not None:
            with contextlib.suppress(OSError):
                self._pending.clear()
            self._hold()
        elif number is not None and self._pending.full:
            # What came meanwhile is not held: the next write has it all, and then there is room.
            self._save_within(0.0)
        self._tell_trouble()

    def _hold(self) -> None:
        """Hold what is noted from now on in memory's file system, where there is one."""
        try:
            self._pending.open()
        except OSError as error:
            self._holds_not(error)

    def _holds_not(self, error: OSError) -> None:
        self._pending.close()
        if not self._told_unheld:
            log.warning("a crash would cost the newest records: %s", error)
        self._told_unheld = True

    def _hangs(self) -> None:
        self._hanging = None
        self._tell(HANGS)

    def _tell_trouble(self) -> None:
        if self._writer.failing:
            # Whether that is over is seen by the next write.
            self._unsaved = True
            self._save_within(AGAIN_S)
        self._tell(self._writer.trouble or None)

    def _tell(self, trouble: str | None) -> None:
        if trouble != self._told:
            self._told = trouble
            self._post(RecordsTrouble(trouble, time.monotonic()))

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._hanging):
            if timer is not None:
                timer.cancel()
        self._timer = self._hanging = None
        self._due = float("inf")

    # --- the thread ------------------------------------------------------------------------------

    def _put(self, number: int, row: Row) -> None:
        before = self._writer.trouble
        self._writer.put(number, row)
        if self._writer.trouble != before and self._loop is not None:
            tell(self._loop, self._tell_trouble)

    def _work(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                job()
        except Exception as error:  # noqa: BLE001 - the task of `start` raises it
            tell(loop, _fail, ended, error)
        else:
            tell(loop, _succeed, ended, None)


def _succeed(answer: asyncio.Future[_T], found: _T) -> None:
    if not answer.done():
        answer.set_result(found)


def _fail(answer: asyncio.Future[_T], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


async def _raised(ended: asyncio.Future[None]) -> None:
    """Raise what the thread has raised."""
    await asyncio.shield(ended)
