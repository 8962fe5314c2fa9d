"""`WakeClips` keeps clips of wake words where their owner wants them, out of the way of talks.

What the detector cuts waits in memory. It is written at most every ten minutes, soon after one was
labelled, never during a talk, and at the goodbye: a memory card wears, and a power cut takes ten
minutes of clips at most, and no label.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from device.assistant.settings import Settings
from device.assistant.talk import Talk
from device.conversation.states import State
from device.errors import WakeClipError
from device.faults import Faults
from device.news import KeepWakes, News, WakeClip
from device.records.store import Records
from device.signals import WAKE_CLIPS
from device.state.store import reason
from device.state.wake_clips import (
    DAY_S,
    FOLDER,
    MOST_CLIPS,
    ClipFolder,
    Contents,
    KeptClip,
    fresh_id,
    unknown_clip,
)
from device.threads import in_thread

log = logging.getLogger(__name__)

_T = TypeVar("_T")

BATCH_S: Final = 600.0
ANOTHER_S: Final = 600.0
"""Fifty clips may come at once, as somebody tries the word, and another each ten minutes: however
much resembles the word, no more than 194 a day are written, some 25 MB."""
GOODBYE_S: Final = 2.0


class WakeClips:
    """Used from the event loop's thread only; what it is told it takes at once, and never fails."""

    def __init__(
        self,
        folder: ClipFolder,
        settings: Settings,
        talk: Talk,
        records: Records,
        faults: Faults,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`records` knows what time it is; `monotonic` is CLOCK_MONOTONIC."""
        self._folder = folder
        self._settings = settings
        self._talk = talk
        self._records = records
        self._faults = faults
        self._monotonic = monotonic
        self._waiting: dict[str, KeptClip] = {}
        """What is not on the disk, by its name."""
        self._writing: asyncio.Future[list[KeptClip]] | None = None
        self._batch_at = monotonic() + BATCH_S
        """When the disk is written next, or looked at for what is too old."""
        self._allowed = float(MOST_CLIPS)
        self._allowed_at = monotonic()
        self._taken = self._dropped = 0

    @property
    def keeps(self) -> KeepWakes:
        """Of which wakes clips are kept, as the owner wants it."""
        return self._settings.now.wake.keep

    @property
    def counters(self) -> Mapping[str, int]:
        """``taken`` clips, and ``dropped`` ones, for which there were too many already."""
        return {"taken": self._taken, "dropped": self._dropped}

    def as_dict(self) -> dict[str, Any]:
        """Return what is kept and how many clips wait for the disk, for `status`."""
        return {"keep": self.keeps, "waiting": len(self._waiting), "counters": dict(self.counters)}

    def tell(self) -> None:
        """Say in the journal what is kept, where anything is."""
        if self.keeps != "none":
            what = "near misses" if self.keeps == "near" else "wakes and near misses"
            log.info(
                "clips of %s are kept on this device, the newest %d (wake.keep: %s): parley wakes",
                *(what, MOST_CLIPS, self.keeps),
            )

    # --- what happens ----------------------------------------------------------------------------

    def note(self, news: News) -> None:
        """Take news: a clip is kept, if it is wanted; it waits for the disk."""
        if isinstance(news, WakeClip):
            self._take(news)

    def beat(self) -> None:
        """Look whether it is time to write; called every few seconds."""
        if self._monotonic() >= self._batch_at and self._talk.resting:
            self._write()

    async def kept(self) -> None:
        """Have the disk take what waits; one that hangs gets two seconds for it."""
        deadline = self._monotonic() + GOODBYE_S
        # What came while an earlier batch was written is written after it.
        for _ in range(2):
            writing = self._writing or (self._write() if self._waiting else None)
            left_s = deadline - self._monotonic()
            if writing is None or left_s <= 0:
                break
            await asyncio.wait([writing], timeout=left_s)
        if self._waiting and self._folder.path is not None:
            lost = len(self._waiting)
            log.warning("the disk takes nothing: clips of wakes are lost, %d of them", lost)

    # --- what is asked ---------------------------------------------------------------------------

    async def contents(self) -> Contents:
        """Return every clip there is, also what waits for the disk. Raises WakeClipError."""
        found = await self._in_thread(self._folder.contents)
        there = {each.id: each for each in found.clips} | self._waiting
        clips = sorted(there.values(), key=lambda each: (each.at, each.id))
        return replace(found, clips=clips)

    async def clip(self, name: str) -> KeptClip:
        """Return a clip. Raises WakeClipError."""
        if name in self._waiting:
            return self._waiting[name]
        return await self._in_thread(partial(self._folder.clip, name))

    async def label(self, name: str, *, said: bool) -> KeptClip:
        """Take note whether the word was said in a clip. Raises WakeClipError."""
        if name in self._waiting:
            self._waiting[name] = replace(self._waiting[name], said=said)
            # Whoever has listened to it and said so is not to do that again after a power cut.
            self._batch_at = self._monotonic()
            return self._waiting[name]
        return await self._in_thread(partial(self._folder.label, name, said=said))

    async def remove(self, name: str) -> None:
        """Remove one clip. Raises WakeClipError."""
        waited = self._waiting.pop(name, None)
        # One that waits may be on its way to the disk.
        if not await self._in_thread(partial(self._folder.remove, name)) and waited is None:
            raise unknown_clip(name)

    async def clear(self) -> int:
        """Remove every clip; return how many. Raises WakeClipError where the disk refuses."""
        waiting, self._waiting = self._waiting, {}
        found = await self._in_thread(self._folder.contents)
        on_disk = await self._in_thread(self._folder.clear)
        return on_disk + len(waiting.keys() - {each.id for each in found.clips})

    # ---------------------------------------------------------------------------------------------

    def _take(self, clip: WakeClip) -> None:
        muted = self._talk.now.rest is State.MUTED
        if muted or self.keeps == "none" or (clip.woke and self.keeps != "all"):
            return
        if not self._may():
            self._dropped += 1
            return
        self._taken += 1
        if not self._waiting and self._writing is None:
            self._batch_at = self._monotonic() + BATCH_S
        at = self._records.now() - max(0.0, self._monotonic() - clip.time)
        name = fresh_id()
        self._waiting[name] = KeptClip(name, at, clip)
        while len(self._waiting) > MOST_CLIPS:
            # The disk takes nothing: what nobody has listened to goes first.
            oldest = min(self._waiting.values(), key=lambda each: (each.said is not None, each.at))
            del self._waiting[oldest.id]
            self._dropped += 1

    def _may(self) -> bool:
        now = self._monotonic()
        allowed = min(MOST_CLIPS, self._allowed + (now - self._allowed_at) / ANOTHER_S)
        self._allowed, self._allowed_at = allowed, now
        if allowed < 1:
            return False
        self._allowed -= 1
        return True

    def _write(self) -> asyncio.Future[list[KeptClip]]:
        """Begin to write what waits, or where nothing does, to remove what is too old."""
        if self._writing is not None:
            return self._writing
        batch = list(self._waiting.values())
        self._batch_at = self._monotonic() + (BATCH_S if batch else DAY_S)
        oldest = self._records.now() - self._settings.now.records.keep_days * DAY_S
        clearings = self._folder.clearings

        def work() -> list[KeptClip]:
            if batch:
                return self._folder.add(batch, oldest, clearings)
            self._folder.tidy(oldest)
            return []

        writing = self._writing = in_thread(work, "wakes")
        writing.add_done_callback(self._written)
        return writing

    def _written(self, writing: asyncio.Future[list[KeptClip]]) -> None:
        self._writing = None
        if writing.cancelled():
            return
        error = writing.exception()
        if isinstance(error, OSError):
            self._faults.begin(WAKE_CLIPS, _words(error))
            return
        if error is not None:
            raise error
        self._faults.clear(WAKE_CLIPS)
        for each in writing.result():
            # One that was labelled meanwhile is written again.
            if self._waiting.get(each.id) is each:
                del self._waiting[each.id]

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        try:
            return await in_thread(work, "wakes")
        except OSError as error:
            raise WakeClipError(_words(error)) from error


def _words(error: OSError) -> str:
    where = error.filename or FOLDER
    return (
        f"clips of wakes cannot be kept or read ({where}: {reason(error)}): see that the disk has "
        "room and that the folder is the speaker's, or set wake.keep to none"
    )
