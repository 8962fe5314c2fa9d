"""`Relapses` tells a device that is lost soon after each opening from one that was lost once. Pure.

A bad cable, a hub or a port with too little power and some firmware let an array come back at once
and lose it again a few seconds later, for as long as anybody tries. To tell each of these losses
and each return would blink, chime and fill the journal all night; it is one fault that lasts, until
the device has worked for longer than it ever did.
"""

from __future__ import annotations

from device.errors import AudioDeviceError, CardsChangedError, DeviceTrouble

SHORT_S = 30.0
"""A device that is lost so soon after it began to work has had a relapse; reports name 5 s."""
ROUNDS = 3
"""So many relapses in a row are one lasting fault: twice may be somebody at the plug."""
PROVEN_S = 60.0
"""For so long one that had them must work before it is believed."""
PATIENCE_S = (60.0, 120.0, 300.0)
"""Before the next tries of one that had them, the last of these for ever after. Whatever is plugged
in meanwhile is tried at once."""

CAUSES = (
    "likely causes: its cable, a USB port or hub with too little power, the power supply, or its "
    "firmware; try another cable, and a port of the machine itself; see the lines 'power' and "
    "'kernel log' of: sudo parley doctor. It is tried again every few minutes, and believed once "
    "it has worked for a minute"
)


class Relapses:
    """Counts those of one device, by a clock of its owner's, in seconds."""

    def __init__(self) -> None:
        self._works_since: float | None = None
        self._count = 0
        self._told: AudioDeviceError | None = None
        self._tries = 0

    @property
    def doubted(self) -> bool:
        """Whether it had so many in a row that its working is no news before it has lasted."""
        return self._told is not None

    def works(self, now_s: float) -> None:
        """Take note that the device works from now on."""
        self._works_since = now_s

    def proven(self) -> None:
        """Take note that it has worked for so long that it is believed again."""
        self._count = self._tries = 0
        self._told = None

    def lost(self, error: AudioDeviceError, now_s: float) -> AudioDeviceError:
        """Take note that it is lost, or does not open; returns what is to be told of that.

        While it is doubted that is always the same, but for a device that is dead: that has a
        cure of its own.
        """
        since, self._works_since = self._works_since, None
        if since is not None and not isinstance(error, CardsChangedError):
            lasted_s = now_s - since
            self._count = self._count + 1 if lasted_s < SHORT_S else 0
            if self._told is None and self._count >= ROUNDS:
                self._told = _lasting(error, lasted_s)
        if self._told is None or error.trouble is DeviceTrouble.DEAD:
            return error
        return self._told

    def pause_s(self) -> float | None:
        """How long to wait before the next try; None: as for any other device."""
        if self._told is None:
            return None
        self._tries += 1
        return PATIENCE_S[min(self._tries, len(PATIENCE_S)) - 1]


def _lasting(error: AudioDeviceError, lasted_s: float) -> AudioDeviceError:
    soon = f"about {max(1, round(lasted_s))} s after it had begun to work"
    row = f"it was lost like that {ROUNDS} times in a row, {soon}"
    return AudioDeviceError(DeviceTrouble.RELAPSING, f"{error}; {row}: {CAUSES}")
