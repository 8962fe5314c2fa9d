"""What of the microphone goes up: each frame once, in order, silence while our own voice plays."""

from __future__ import annotations

from device.audio.duplex import Duplex
from device.audio.frames import Frame
from device.ears import Ears
from device.live.session import LiveSession
from device.ports import Speaker

BUTTON_PRE_ROLL_S = 0.5
"""Sent from before a press: people begin to speak while their finger is still on its way."""

SAME_BREATH_S = 0.3
"""Sent from before a wake word's detection over a reply: it lies up to 0.24 s after the word's end,
and everything before that is mostly our own echo."""


class Sending:
    """Remembers which samples have really gone up. Used from the event loop's thread only."""

    def __init__(self, ears: Ears, duplex: Duplex) -> None:
        self.duplex = duplex
        self.silenced = False
        """Whether silence takes the microphone's place now."""
        self._ears = ears
        self._sent_until = 0

    def new_stream(self) -> None:
        """Another microphone counts its samples from 0."""
        self._sent_until = 0

    def frame(
        self, frame: Frame, speaker: Speaker, session: LiveSession | None, *, replying: bool
    ) -> None:
        """Take the next frame; it goes up if there is an open uplink, which is `session`.

        Half duplex puts silence in its place while a reply can be heard; such a frame counts as
        not sent, so that `since` can still send it.
        """
        pcm = self.duplex.uplink_pcm(frame.pcm, speaker.audible, speaker.level, replying=replying)
        self.silenced = pcm is not frame.pcm
        if session is not None and frame.end_sample > self._sent_until:
            session.send_frame(pcm)
            if pcm is frame.pcm:
                self._sent_until = frame.end_sample

    def since(self, session: LiveSession, end_sample: int | None, seconds: float) -> None:
        """Send what was recorded from `seconds` before `end_sample` on (None: before now)."""
        for frame in self._ears.since(end_sample, seconds, after=self._sent_until):
            session.send_frame(frame.pcm)
            self._sent_until = frame.end_sample
