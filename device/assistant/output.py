"""The speaking half of the hub: the loudspeaker, kept open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from device.audio.keep_open import Pause, keep_open
from device.errors import AudioDeviceError
from device.news import Post
from device.ports import Speaker


class Mouth:
    """Keeps the loudspeaker open. Used from the event loop's thread only."""

    def __init__(
        self,
        speaker: Speaker,
        lost: Callable[[AudioDeviceError], None],
        back: Callable[[], None],
    ) -> None:
        """`lost` is told why it cannot be used, `back` each time it was opened."""
        self.speaker = speaker
        self._lost = lost
        self._back = back
        self._tasks: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None
        self._pause: Pause | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def start(self, tasks: asyncio.TaskGroup, post: Post, pause: Pause | None = None) -> None:
        """Open the loudspeaker and keep it open, as a task of `tasks`.

        `pause` waits between two tries to open it.
        """
        self._tasks = tasks
        self._pause = pause
        self._post = post
        self._task = tasks.create_task(self._keep(), name="loudspeaker")

    def replace(self, speaker: Speaker) -> None:
        """Use another loudspeaker from now on (its settings changed)."""
        self.speaker = speaker
        if self._task is not None:
            self._task.cancel()
            self._closing.add(self._task)
            self._task.add_done_callback(self._closing.discard)
        if self._tasks is not None:
            self.start(self._tasks, self._post, self._pause)

    async def _keep(self) -> None:
        # The one that was replaced just now may hold the same card.
        if self._closing:
            await asyncio.wait(self._closing)
        await keep_open(self.speaker, self._use, self._lost, self._pause)

    async def _use(self) -> None:
        await self.speaker.open(self._post)
        self._back()
        await self.speaker.wait_lost()
