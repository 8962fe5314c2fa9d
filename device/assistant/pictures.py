"""`Pictures` takes pictures of what is in front of the speaker, and lets the room know of each.

It owns the camera. One picture is taken at a time, for a model that asks (`look`) or for a stream
(`device.assistant.picture_stream`); the lights show it while it is taken and a shutter clicks, and
no setting hides that. Muted, it takes none. What goes wrong is words for the model and a fault that
hinders nothing else, which is over when a picture succeeds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from device.assistant.output import Output
from device.assistant.panel import Panel
from device.assistant.settings import Settings
from device.assistant.talk import Talk
from device.config import Config
from device.conversation.states import RESTING, State
from device.errors import CameraError, FunctionError
from device.faults import Faults
from device.news import PictureSent
from device.ports import Camera, Picture

log = logging.getLogger(__name__)

FAULT = "camera"
"""The kind of the fault while the camera gives no picture."""

GOODBYE_S = 1.5
"""How long the end of the process may wait for the camera; whatever hangs in it ends with that."""

LOOKS, LOOKS_WITHIN_S = 10, 60.0
"""So many looks in so many seconds, as many as a person asks for who shows one thing after the
other: a model that goes on calling sees no film of a room in which nobody asked for one."""

_MUTED = (
    "the speaker is muted, and takes no picture then: tell the user that it can be unmuted by its "
    "button or by `parley unmute`"
)
_RESTS = "nobody is talking to this speaker now: it takes pictures in a talk only"
_OVER = "the talk that this picture was for is over: do nothing"
_CHANGED = "the owner has changed the camera while it looked: look again, if it is still there"
_TOO_MANY = (
    f"{LOOKS} pictures were taken within {LOOKS_WITHIN_S:g} s: that is enough, answer from those"
)


class Shutter:
    """What the people in the room see and hear of a picture. Used from the loop's thread only."""

    def __init__(self, panel: Panel, output: Output) -> None:
        """`panel` has the lights, `output` the loudspeaker."""
        self._panel = panel
        self._output = output

    def opens(self) -> None:
        """Show that a picture is being taken."""
        self._panel.camera_looks(looks=True)

    def closes(self, *, taken: bool) -> None:
        """Show for a moment that one was, and let it be heard."""
        self._panel.camera_looks(looks=False)
        if taken:
            self._output.speaker.chime("shutter")

    def sent(self) -> None:
        """Show that pictures leave the device."""
        self._panel.picture_left()


class Pictures:
    """Used from the event loop's thread only."""

    def __init__(
        self,
        make: Callable[[Config], Camera],
        settings: Settings,
        talk: Talk,
        faults: Faults,
        shutter: Shutter,
    ) -> None:
        """`make` makes the camera that is configured; nothing is opened by that."""
        self._make = make
        self._settings = settings
        self._talk = talk
        self._faults = faults
        self._shutter = shutter
        self._camera: Camera | None = None
        self._one_at_a_time = asyncio.Lock()
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._looks: list[float] = []
        self._looking: dict[asyncio.Timeout, int] = {}
        """What gives up each look that is under way, and the session that it is for."""
        self._counts: Counter[str] = Counter()
        self._trouble: str | None = None
        self.streaming = False
        """Whether the next picture is wanted within a second."""

    @property
    def streamed(self) -> int:
        """How many pictures of a stream have left so far."""
        return self._counts["stream"]

    @property
    def on(self) -> bool:
        """Whether the owner wants the camera used at all."""
        return self._settings.now.tools.camera != "off"

    async def look(self) -> Picture:
        """Take a picture for a model that asks for one, in a talk.

        Raises CameraError, or FunctionError where none must be taken.
        """
        self._must_be_allowed()
        now = asyncio.get_running_loop().time()
        self._looks = [at for at in self._looks if now - at < LOOKS_WITHIN_S]
        if len(self._looks) >= LOOKS:
            raise FunctionError(_TOO_MANY)
        self._looks.append(now)
        session = self._talk.now.session
        picture: Picture | None = None
        try:
            async with asyncio.timeout(None) as until_given_up:
                self._looking[until_given_up] = session
                picture = await self.take(shows=True)
        except TimeoutError:
            pass
        finally:
            del self._looking[until_given_up]
        # What was seen is nobody's business any more where the talk has ended meanwhile.
        self._must_be_allowed()
        if session != self._talk.now.session:
            raise FunctionError(_OVER)
        if picture is None:
            raise FunctionError(_CHANGED)
        return picture

    def _must_be_allowed(self) -> None:
        if self._talk.now.rest is State.MUTED:
            raise FunctionError(_MUTED)
        if self._talk.state in RESTING:
            raise FunctionError(_RESTS)

    def follow(self) -> None:
        """Give up looks for a talk that is over or muted; returns at once.

        The camera is let go then, and neither clicks.
        """
        now = self._talk.now
        if now.rest is State.MUTED or now.state in RESTING:
            self._give_up(self._looking)
        else:
            self._give_up([look for look, of in self._looking.items() if of != now.session])

    def _give_up(self, looks: Iterable[asyncio.Timeout]) -> None:
        for look in looks:
            if not look.expired():
                look.reschedule(asyncio.get_running_loop().time())

    async def take(self, *, shows: bool) -> Picture:
        """Take a picture, of which light and shutter tell where it `shows`: not each of a stream.

        Raises CameraError. Cancelling gives it up.
        """
        async with self._one_at_a_time:
            if shows:
                self._shutter.opens()
            taken = False
            try:
                picture = await self._take()
                taken = True
            finally:
                if shows:
                    self._shutter.closes(taken=taken)
        return picture

    async def _take(self) -> Picture:
        camera = self._camera = self._camera or self._make(self._settings.now)
        try:
            picture = await camera.take(more_soon=self.streaming)
        except CameraError as error:
            self._failed(camera, str(error))
            raise
        except Exception as error:  # a driver that fails in a way of its own ends no talk
            log.exception("the camera failed inside this speaker")
            why = f"{camera.description} failed inside this speaker: tell its owner to look there"
            self._failed(camera, why)
            raise CameraError(why) from error
        if camera is not self._camera:
            # What another camera sees is not wanted any more, and perhaps none is.
            raise CameraError(_CHANGED)
        self._counts["taken"] += 1
        self._trouble = None
        self._faults.clear(FAULT)
        return picture

    def _failed(self, camera: Camera, why: str) -> None:
        self._counts["failed"] += 1
        if camera is self._camera:
            self._trouble = why
            self._faults.begin(FAULT, why)

    def sent(self, news: PictureSent) -> None:
        """Take note that a picture has left the device, whoever gave it."""
        self._counts[news.reason] += 1
        self._shutter.sent()

    def replace(self) -> None:
        """Use the camera as it is configured now; what went wrong with the other is over.

        What is being taken with the other is given up.
        """
        old, self._camera = self._camera, None
        self._give_up(self._looking)
        self._trouble = None
        self._faults.clear(FAULT)
        if old is not None:
            self._say_goodbye(old)

    def let_go(self) -> None:
        """Let the device go: no picture is wanted soon. Returns at once."""
        self.streaming = False
        if self._camera is not None:
            self._say_goodbye(self._camera)

    def _say_goodbye(self, camera: Camera) -> None:
        goodbye = asyncio.ensure_future(self._close(camera))
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)

    async def _close(self, camera: Camera) -> None:
        async with self._one_at_a_time:
            # A talk may have begun again meanwhile.
            if camera is not self._camera or not self.streaming:
                await camera.close()

    async def closed(self) -> None:
        """Wait at the end of the process until the device is let go, but not for long."""
        self._give_up(self._looking)
        self.let_go()
        if self._goodbyes:
            await asyncio.wait(self._goodbyes, timeout=GOODBYE_S)

    def as_dict(self) -> dict[str, Any] | None:
        """Return the camera and what was taken and sent for `status`; None where it is off."""
        sent = {reason: self._counts[reason] for reason in ("asked", "stream", "typed")}
        if not self.on:
            return {"sent": sent} if any(sent.values()) else None
        camera = self._camera = self._camera or self._make(self._settings.now)
        counts = {name: self._counts[name] for name in ("taken", "failed")}
        about = {"camera": camera.description, "trouble": self._trouble}
        return {**about, **counts, "sent": sent}
