"""`Uplink` decides what of the microphone goes up: each frame once, in order.

Silence goes up in its place while our own voice would come back, where the echo is not cancelled.
"""

from __future__ import annotations

from device.assistant.echo import EchoControl
from device.assistant.output import Output
from device.assistant.sessions import Sessions
from device.assistant.talk import Talk
from device.audio.pre_roll import PreRoll
from device.echo.canceller import Heard
from device.frames import FRAME_MS, FRAME_SAMPLES, MICROPHONE_RATE_HZ, SILENT_FRAME, Frame
from device.ports import Session

RING_S = 8.0
"""Longer than any pre-roll, so that a busy worker may report a wake word late."""

BUTTON_PRE_ROLL_S = 0.5
"""Sent from before a press: people begin to speak while their finger is still on its way."""

SAME_BREATH_S = 0.3
"""Sent from before a wake word's detection over a reply, or before somebody was first heard over
it: both lie a little after the beginning, and what is before is mostly our own echo."""

RINGING_FRAMES = 240 // FRAME_MS
"""How long our own sound is heard after the card was given it: what is on its way to the card, and
the room's reverberation."""

NOTICED_FRAMES = 200 // FRAME_MS
"""How long after their first sound somebody is heard at the latest."""

SOUNDING_LEVEL = 0.003
"""RMS of full scale, -50 dBFS: replies end in silence, which nobody need wait for."""


class Uplink:
    """Remembers which samples have really gone up. Used from the event loop's thread only."""

    def __init__(self, echo: EchoControl, output: Output, sessions: Sessions, talk: Talk) -> None:
        self._echo = echo
        self._output = output
        self._sessions = sessions
        self._talk = talk
        self.silenced = False
        """Whether silence takes the microphone's place now."""
        self._pre_roll = PreRoll(RING_S)
        self._end_sample = 0
        """Where the newest frame ended."""
        self._sent_until = 0
        self._sent_to = ""
        """The persona that what was sent has gone to."""
        self._shut = False
        self._quiet_frames = RINGING_FRAMES
        """Frames since our own sound was last loud enough to matter."""
        self._over_frames = 0
        """Frames since the last of it was heard."""

    def record(self, frame: Frame) -> None:
        """Keep the next frame for whoever wants to know what was said before."""
        self._pre_roll.append(frame)
        self._end_sample = frame.end_sample
        self._quiet_frames += 1
        self._over_frames += 1

    def forget(self) -> None:
        """Forget what was recorded: the microphone is closed."""
        self._pre_roll.clear()

    def new_stream(self) -> None:
        """Another microphone counts its samples from 0."""
        self._sent_until = 0

    def open_now(self) -> None:
        """Let the microphone up from the next frame on: the reply was cut short."""
        self._shut = False

    def send(self, heard: Heard) -> None:
        """Send the frame that was recorded last, if the uplink is open.

        While a reply can be heard silence goes up in its place where our voice would come back; so
        it does while it is not decided whether somebody interrupts. Over a mere chime people speak
        on. A frame that was held back counts as not sent: `start` can still send it.

        Who speaks while the last of the reply still rings in the room is heard at once.
        """
        frame, speaker = heard.frame, self._output.speaker
        session = self._sessions.session if self._talk.uplink_open else None
        replying, undecided = self._talk.replying, self._echo.undecided
        # A reply that pauses may go on: it is not over, although nothing of it sounds.
        audible = speaker.audible
        if undecided or (audible and speaker.level >= SOUNDING_LEVEL):
            self._quiet_frames = 0
        ringing = audible or self._quiet_frames < RINGING_FRAMES
        if audible or undecided:
            self._over_frames = 0
        if audible:
            self._shut = replying
        elif heard.near and not undecided and not replying:
            self._shut = False
        ours = ringing and self._shut
        silenced = self._echo.duplex.gates and (ours or undecided)
        if self.silenced and not silenced and session is not None:
            self._catch_up(session, frame)
        self.silenced = silenced
        if session is not None and frame.end_sample > self._sent_until:
            session.send_frame(SILENT_FRAME if silenced else frame.pcm, frame.captured_at)
            if not silenced:
                self._sent_until = frame.end_sample

    def start(self, end_sample: int | None, seconds: float) -> None:
        """Send what was recorded from `seconds` before `end_sample` on (None: before now)."""
        session = self._sessions.session
        if self._sessions.persona != self._sent_to:
            # What one persona has heard another has not.
            self._sent_until, self._sent_to = 0, self._sessions.persona
        if session is not None:
            for frame in self._since(end_sample, seconds, after=self._sent_until):
                session.send_frame(frame.pcm)
                self._sent_until = frame.end_sample

    def _catch_up(self, session: Session, frame: Frame) -> None:
        """Send what was held back although our sound was over: somebody may have begun there."""
        waited = self._quiet_frames - RINGING_FRAMES
        if waited < 0:
            # Somebody is heard already; they were heard a little after they began.
            waited = min(self._over_frames - 1, NOTICED_FRAMES)
        after = max(frame.first_sample - waited * FRAME_SAMPLES, self._sent_until)
        for held in self._since(after, 0.0, after=after):
            if held.end_sample <= frame.first_sample:
                session.send_frame(held.pcm)
                self._sent_until = held.end_sample

    def _since(self, end_sample: int | None, seconds: float, *, after: int) -> list[Frame]:
        """Return the recorded frames from `seconds` before `end_sample` on (None: before now).

        Frames that ended at or before sample `after` are left out: they were sent already.
        """
        until = self._end_sample if end_sample is None else end_sample
        return self._pre_roll.since(max(until - round(seconds * MICROPHONE_RATE_HZ), after))
