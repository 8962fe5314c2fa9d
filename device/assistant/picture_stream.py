"""`PictureStream` sends a picture a second while somebody talks to the speaker.

Only where its owner wants that (``camera.stream``), and only where the microphone goes up too: not
at rest, not muted, and not while a typed question is answered, since nobody has asked to be seen
then. A picture that cannot go up at once is never queued; a camera that fails is told once, and
tried again seldom.
"""

from __future__ import annotations

import asyncio
import logging

from device.assistant.pictures import Pictures
from device.assistant.sessions import Sessions
from device.assistant.settings import TalkSettings
from device.assistant.talk import Talk
from device.errors import CameraError

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""Live API: one picture a second is looked at."""
TRY_AGAIN_S = 10.0
"""How long a camera that has failed is left alone."""


class PictureStream:
    """Used from the event loop's thread only."""

    def __init__(
        self, pictures: Pictures, settings: TalkSettings, talk: Talk, sessions: Sessions
    ) -> None:
        """`pictures` are taken while `talk` is open, and go to the session of `sessions`."""
        self._pictures = pictures
        self._settings = settings
        self._talk = talk
        self._sessions = sessions
        self._tasks: asyncio.TaskGroup | None = None
        self._stretch: asyncio.Task[None] | None = None
        self._before = 0
        """How many had left when the talk began."""

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Take pictures as tasks of `tasks` from now on."""
        self._tasks = tasks

    @property
    def _wanted(self) -> bool:
        now = self._settings.now
        streams = now.camera.stream == "while_talking" and now.tools.camera != "off"
        return streams and self._pictures.on and self._talk.uplink_open

    def follow(self) -> None:
        """Begin or end with the talk; returns at once, and no picture is taken after the end."""
        if self._wanted and self._stretch is None and self._tasks is not None:
            self._pictures.streaming = True
            self._before = self._pictures.streamed
            self._stretch = self._tasks.create_task(self._run(), name="pictures")
        elif not self._wanted:
            self.end()

    def end(self) -> None:
        """Take no picture any more, until `follow` begins anew. Harmless when none is taken."""
        if self._stretch is None:
            return
        self._stretch.cancel()
        self._stretch = None
        self._pictures.let_go()
        if left := self._pictures.streamed - self._before:
            log.info("%d pictures of the talk have left, one a second at most", left)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        first = True
        while True:
            due = loop.time() + EVERY_S
            try:
                picture = await self._pictures.take(shows=first)
            except CameraError:
                due = loop.time() + TRY_AGAIN_S
            else:
                first = False
                session = self._sessions.session
                if session is not None:
                    session.send_picture(picture)
            await asyncio.sleep(due - loop.time())
