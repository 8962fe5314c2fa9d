"""`EchoControl` takes our own voice out of the microphone and follows who talks over it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Any

from device.assistant.output import Output
from device.board.profiles import Profile
from device.config import Config
from device.echo.barge_in import BargeIn, Began, Confirmed, Dismissed, Verdict
from device.echo.canceller import EchoCanceller, Heard
from device.echo.duplex import Canceller, Duplex
from device.errors import EchoCancellerError
from device.faults import Faults
from device.frames import FRAME_MS, Frame
from device.news import BargedIn, DuplexDecided, FellSilent, Post, SpeechJudged, TalkedOver
from device.ports import Speaker

EARLY_FRAMES = 3000 // FRAME_MS
EARLY_IN_A_ROW = 3
"""Who interrupts so many replies in a row, each so soon, does not talk to us."""


class EchoControl:
    """Decides who is heard while a reply plays. Used from the event loop's thread only."""

    def __init__(
        self, config: Config, profile: Profile, faults: Faults, output: Output, post: Post
    ) -> None:
        """`config` and `profile` say who cancels the echo, until `choose` says otherwise."""
        self._faults = faults
        self._output = output
        self._post = post
        self._barge_in = BargeIn()
        self.quiet = asyncio.Event()
        """Set while nothing of ours is on its way to the microphone."""
        self.quiet.set()
        self.sounding = asyncio.Event()
        """Set while something is."""
        self._reply_frames = 0
        """How long the reply has lasted."""
        self._cut = False
        """Whether it was interrupted."""
        self._cut_early = 0
        """How many replies in a row were interrupted soon after they began."""
        self.counters = {"barge_ins": 0, "paused_for_nothing": 0}
        self.canceller: Canceller = "none"
        """Who takes our voice out of the microphone."""
        self.echo = EchoCanceller(cancels=False)
        self.duplex = Duplex(config.audio.duplex, self.canceller)
        self.choose(config, profile)

    def choose(self, config: Config, profile: Profile) -> None:
        """Begin anew with these settings: who cancels the echo, and what was learned of it."""
        canceller = _canceller(config, profile)
        self._decide_nothing()
        self._faults.clear("echo")
        try:
            self.echo = EchoCanceller(cancels=canceller == "software")
        except EchoCancellerError as error:
            canceller = "none"
            self.echo = EchoCanceller(cancels=False)
            self._faults.begin("echo", str(error))
        self.canceller = canceller
        self.duplex = Duplex(config.audio.duplex, canceller)

    def new_stream(self) -> None:
        """Another microphone counts its samples from 0."""
        self._decide_nothing()

    def _decide_nothing(self) -> bool:
        """What paused the reply is not followed any more: it goes on. Whether anything did."""
        undecided = self._barge_in.forget()
        if undecided:
            self._post(FellSilent(time.monotonic()))
        return undecided

    def hears_nothing(self) -> None:
        """The microphone is closed: nothing of ours is heard from now on."""
        self.sounding.clear()
        self.quiet.set()

    @property
    def speaker(self) -> Speaker:
        """The loudspeaker whose sound is taken out."""
        return self._output.speaker

    @property
    def idle(self) -> bool:
        """Whether nothing of ours sounds or is interrupted, or lately was."""
        return self.quiet.is_set() and not self._reply_frames

    @property
    def undecided(self) -> bool:
        """Whether somebody talks over the reply and it is not clear yet whether they mean it."""
        return self._barge_in.tentative

    def hear(self, frame: Frame) -> Heard:
        """Take our own voice out of the next frame of the microphone."""
        played = self.speaker.take_played()
        return self.echo.hear(frame, played, attentive=self.undecided)

    def frame(self, heard: Heard, *, replying: bool) -> None:
        """Take what was heard; ``replying``: there is a reply that can be interrupted."""
        if not replying:
            self._barge_in.forget()
            if self._reply_frames and not self._cut:
                self._cut_early = 0
            self._reply_frames, self._cut = 0, False
        self._reply_frames += replying
        self._note(sounding=heard.far_end is not None, replying=replying)
        if self.echo.blind and self._decide_nothing():
            self.counters["paused_for_nothing"] += 1
        armed = replying and self.duplex.mode == "full" and self.echo.figures.learned
        verdict = self._barge_in.hear(
            heard.frame.end_sample, near=heard.near, armed=armed, bright=heard.bright
        )
        self._tell(verdict, heard.frame.captured_at)

    def _note(self, *, sounding: bool, replying: bool) -> None:
        if sounding:
            self.quiet.clear()
            self.sounding.set()
        elif not replying and not self.quiet.is_set():
            self.sounding.clear()
            self.quiet.set()
            self.duplex.judge(self.echo.figures)
            if self.duplex.measured and self.duplex.trusted and not self.echo.doubted:
                figures = self.duplex.figures
                self._post(DuplexDecided(figures.mode, figures.why, time.monotonic()))

    def judged(self, news: SpeechJudged) -> None:
        """Take how likely a stretch of the microphone holds speech."""
        verdict = self._barge_in.speech(news.probability, news.first_sample, news.end_sample)
        self._tell(verdict, news.time)

    def as_dict(self) -> dict[str, Any]:
        """Return what was measured and decided, and how often somebody talked over a reply."""
        return {
            "duplex": asdict(self.duplex.figures),
            "echo": rounded(asdict(self.echo.figures)),
            "counters": dict(self.counters),
        }

    def _tell(self, verdict: Verdict | None, heard_at: float) -> None:
        match verdict:
            case Began():
                self._post(TalkedOver(heard_at, time.monotonic()))
            case Confirmed(first_sample):
                self.counters["barge_ins"] += 1
                self._cut = True
                self._cut_early = self._cut_early + 1 if self._reply_frames < EARLY_FRAMES else 0
                if self._cut_early == EARLY_IN_A_ROW:
                    self._cut_early = 0
                    self.duplex.distrust()
                self._post(BargedIn(first_sample, time.monotonic()))
            case Dismissed(spoke):
                self.counters["paused_for_nothing"] += 1
                if not spoke:
                    self.echo.was_nobody()
                self._post(FellSilent(time.monotonic()))


def _canceller(config: Config, profile: Profile) -> Canceller:
    """Who takes our voice out of the microphone: as configured, or as the board can."""
    match config.audio.echo_cancellation:
        case "off":
            return "none"
        case "hardware":
            return "hardware"
        case "software":
            return "software"
    return "hardware" if profile.echo_cancellation else "software"


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Return figures as people read them: one decimal."""
    return {
        name: round(value, 1) if isinstance(value, float) else value
        for name, value in figures.items()
    }
