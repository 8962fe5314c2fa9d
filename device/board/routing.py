"""A route says what an XVF3800 puts on one of the two channels that it sends to its host. Pure.

The chip can send much else than a voice: silence, a raw microphone, what is being played. Routes
are lost by control commands, by some firmware (6 channels, 2.0.8: raw microphones after flashing,
as an owner reports), and come back with a configuration that somebody has saved. Source: Seeed's
reSpeaker_XVF3800_USB_4MIC_ARRAY, `host_control/README.md`, "Output Selection".

Tested in tests/doctor/test_array.py.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Use(Enum):
    """What a channel is good for."""

    VOICE = "voice"
    FAINT = "faint"
    """A voice, with the echo in it, and much softer."""
    NONE = "none"


class Route(NamedTuple):
    """What a channel carries, as AUDIO_MGR_OP_L and AUDIO_MGR_OP_R have it."""

    category: int
    source: int

    @property
    def use(self) -> Use:
        """What a speaker can do with it; one of a category that we do not know is left alone."""
        return _CATEGORIES.get(self.category, (Use.VOICE, ""))[0]

    def __str__(self) -> str:
        """Return what it is, with its numbers: ``silence (0, 0)``."""
        what = _CATEGORIES.get(self.category, (Use.VOICE, "something newer than we are"))[1]
        return f"{what} ({self.category}, {self.source})"


_CATEGORIES = {
    0: (Use.NONE, "silence"),
    1: (Use.FAINT, "a raw microphone"),
    2: (Use.FAINT, "an unpacked microphone"),
    3: (Use.FAINT, "an amplified microphone"),
    4: (Use.NONE, "what is played"),
    5: (Use.NONE, "what is played"),
    6: (Use.VOICE, "the processed voice"),
    7: (Use.VOICE, "the voice for speech recognition"),
    8: (Use.VOICE, "the voice that the firmware chooses"),
    9: (Use.VOICE, "what the firmware makes of the voice"),
    10: (Use.NONE, "what is played"),
    11: (Use.FAINT, "an amplified microphone"),
    12: (Use.NONE, "what is played"),
}

ROUTES = (Route(6, 3), Route(7, 3))
"""What the two channels should carry: the processed voice, and that for speech recognition, each of
the beam that the chip selects."""
