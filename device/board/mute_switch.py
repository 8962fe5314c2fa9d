"""`SwitchWatch` looks twice a second at the mute switch of an array on USB.

The XVF3800 mutes itself at its own button and lights a red LED; the Pi can only ask
(GPO_READ_VALUES, pin X0D30). A look is one vendor request of a millisecond; it may also take a
second and fail, since the array reboots, or is pulled out. So it is looked at in a thread of its
own, which finds the array anew after a failure, and says nothing while it does not know: a speaker
that was muted stays so. It is no call of `device.threads`, which ends with one result: this one
tells of every change, until it is closed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from device.board.pace import Pace
from device.board.profiles import MuteSwitch, Profile
from device.board.usb_control import XVF3800_ARRAY, UsbControl, connect
from device.board.xvf3800 import Xvf3800
from device.errors import BoardError
from device.news import MuteSwitched, Post
from device.threads import tell

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""Between two looks."""
FIND_S = 5.0
"""Between two searches for an array that is not there."""


class SwitchWatch:
    """Started and closed on the event loop's thread."""

    def __init__(
        self,
        find: Callable[[], UsbControl] = lambda: connect(XVF3800_ARRAY),
        look_s: float = LOOK_S,
        find_s: float = FIND_S,
    ) -> None:
        """`find` returns the array, or raises BoardError; it is called in the thread."""
        self._find = find
        self._look_s = look_s
        self._find_s = find_s
        self._over = threading.Event()

    def start(self, post: Post) -> None:
        """Post `MuteSwitched` for what is found first, and for every change. Once."""
        loop = asyncio.get_running_loop()
        thread = threading.Thread(
            target=self._watch, args=(loop, post), name="mute switch", daemon=True
        )
        thread.start()

    def close(self) -> None:
        """Nothing is posted any more; returns at once, harmless when closed."""
        self._over.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, post: Post) -> None:
        """Look until it is over; runs in the thread."""
        control: UsbControl | None = None
        known: bool | None = None
        told = ""
        while not self._over.is_set():
            try:
                control = control or self._find()
                on = Xvf3800(control).muted()
            except BoardError as error:
                if known is None and str(error) != told:
                    # Who relies on the switch must know; an array that comes and goes is told
                    # elsewhere.
                    told = str(error)
                    log.warning("the microphone's own mute switch cannot be read: %s", told)
                lost, control = control, None
                if lost is not None:
                    lost.close()
                # One that has just failed may only have been busy.
                self._over.wait(self._find_s if lost is None else self._look_s)
                continue
            if on is not known:
                known = on
                tell(loop, self._tell, post, on, time.monotonic())
            self._over.wait(self._look_s)
        if control is not None:
            control.close()

    def _tell(self, post: Post, on: bool, at: float) -> None:
        if not self._over.is_set():
            post(MuteSwitched(on, at))


def make_switch(profile: Profile, pace: Pace | None = None) -> SwitchWatch | None:
    """Return who looks at the switch of a board, None where there is none that can be read.

    ``pace``: what others who talk to that array share with it.
    """
    if profile.mute_switch is not MuteSwitch.READABLE:
        return None
    return SwitchWatch(lambda: connect(XVF3800_ARRAY, pace=pace))
