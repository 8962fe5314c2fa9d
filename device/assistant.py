"""The hub: news from the parts in, steps of the conversation, effects out.

Everything happens on one event loop. A part posts news (`post`); news of interest to the owner
goes onto the event stream; news of interest to the conversation becomes an event of the pure
machine in `device.conversation`, and the effects it returns are carried out here, in order. The
tasks (hearing, wake word, loudspeaker, lights, session, health) live in one `asyncio.TaskGroup`:
an unexpected exception in any of them ends the process, and systemd starts it again.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from functools import partial

from device import story
from device import vocabulary as v
from device.audio.duplex import Duplex
from device.audio.frames import Frame
from device.board.lights import Pattern
from device.config import Config
from device.conversation import Conversation, step
from device.countdown import Countdown, duration_s
from device.ears import Ears, Listener
from device.errors import AudioDeviceError, CredentialError
from device.events import EventBus, PublicEvent, public, reply, session
from device.faults import Faults
from device.health import Health, Notify, headline
from device.live.session import LiveSession
from device.mouth import Mouth
from device.panel import Panel
from device.parts import Parts
from device.ports import (
    Detection,
    Failure,
    FailureKind,
    Interrupted,
    News,
    PartLost,
    PlaybackDrained,
    PlaybackStarved,
    Pressed,
    ReplyAudio,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SpeechChanged,
    TurnComplete,
    UplinkChanged,
    WakeDetector,
)
from device.vocabulary import PATTERNS, PLAYING, REASONS, RESTING, TRACK_SPEECH, UPLINK_OPEN, State

BUTTON_PRE_ROLL_S = 0.5
"""Sent from before a press: people begin to speak while their finger is still on its way."""

GOODBYE_S = 1.5
"""How long the end of the process may wait for the session to close in good order."""


class Assistant:
    """One speaker. Everything is called on the event loop's thread; only `run` takes time."""

    def __init__(
        self,
        config: Config,
        parts: Parts,
        detector: WakeDetector,
        notify: Notify,
        watchdog_usec: str | None = None,
    ) -> None:
        """`detector` has its networks loaded already: a missing one is found before we begin."""
        self.config = config
        self.parts = parts
        self.bus = EventBus(self._observe)
        self.faults = Faults(self.bus)
        self.talk = Conversation()
        self.session: LiveSession | None = None
        back = partial(self.faults.clear, "speaker")
        self.mouth = Mouth(parts.speaker(config), self._speaker_lost, back)
        listener = Listener(self._frame, self._microphone_lost, self._microphone_back)
        self.ears = Ears(parts.microphone(config), detector, listener)
        self.panel = Panel(lambda: self.mouth.speaker.level)
        self.profile = parts.profile(config, None)
        self.choose_duplex()
        self.health = Health(
            notify,
            lambda: (self.ears.microphone.counters["frames"], self.ears.detector.counters["hops"]),
            excused=lambda: self.talk.rest in {State.MUTED, State.FAULT},
            watchdog_usec=watchdog_usec,
        )
        self._countdown = Countdown(lambda clock: self._happen(v.Timeout(clock)))
        self.volume = config.audio.volume
        self._turns = itertools.count(1)
        self._sent_until = 0
        self._speaking = self._starved = False
        self._session_began = 0.0

    # --- life ---

    async def run(self) -> None:
        """Be a speaker until cancelled; raises what an unexpected failure of a part raised."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                if self.parts.missing_key:
                    self.faults.begin(FailureKind.KEY, self.parts.missing_key, fatal=True)
                self._start_panel()
                self.mouth.start(tasks, self.post)
                tasks.create_task(self.health.run(), name="health")
                self.ears.start(tasks, self.post)
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    await self._goodbye()
        finally:
            self._countdown.cancel()
            self.panel.close()

    async def _goodbye(self) -> None:
        self.health.stops()
        if self.session is not None:
            closing = asyncio.create_task(self.session.close("shutting down"))
            await asyncio.wait([closing], timeout=GOODBYE_S)

    def choose_duplex(self) -> None:
        """Begin to decide anew whether the user is heard while a reply plays."""
        audio = self.config.audio
        hardware = {"hardware": True, "auto": self.profile.echo_cancellation}
        self.duplex = Duplex(audio.duplex, hardware.get(audio.echo_cancellation, False))

    def choose_board(self) -> None:
        """Find the board anew, and claim its lights and button."""
        self.profile = self.parts.profile(self.config, self.ears.microphone.description)
        self._start_panel()

    def _start_panel(self) -> None:
        config, profile = self.config, self.profile
        self.panel.use(
            lambda: self.parts.lights(config, profile),
            lambda: self.parts.button(config, profile),
        )
        self.faults.clear(*self.panel.start(self._tasks, self.post))
        self._look()

    def _speaker_lost(self, error: AudioDeviceError) -> None:
        self.faults.begin("speaker", str(error))

    def _observe(self, event: PublicEvent) -> None:
        story.tell(event, transcripts=self.config.privacy.log_transcripts)
        if event.event == "fault":
            self.health.status(headline(self.talk, self.ears, self.faults))

    # --- news ---

    def post(self, news: News) -> None:
        """Take news from a part: tell the owner, and let the conversation take its step."""
        event = public(news)
        if event is not None:
            self.bus.publish(event)
        match news:
            case Detection(end_sample=end_sample):
                self._happen(v.Wake(end_sample))
            case SpeechChanged(speaking=speaking):
                self._user_speaks(speaking)
                self._happen(v.SpeechBegan() if speaking else v.SpeechEnded())
            case Pressed(gesture="tap"):
                self._happen(v.Tap())
            case PartLost(part, message):
                self.faults.begin(part, message)
            case PlaybackDrained(turn=turn):
                self._happen(v.Drained(turn))
            case PlaybackStarved(turn=turn):
                self._starved = True
                self._happen(v.Starved(turn))
            case UplinkChanged(flowing=flowing):
                self.panel.streaming(on=flowing)
            case _:
                self._session_news(news)

    def _session_news(self, news: News) -> None:
        match news:
            case SessionOpened(session=number):
                self.faults.clear(*FailureKind)
                self._happen(v.Opened(number))
            case SessionClosed(session=number):
                self._forget(number)
                self._happen(v.Closed(number))
            case SessionFailed(session=number, failure=failure):
                self._forget(number)
                self._session_failed(number, failure)
            case ReplyAudio():
                self._reply(news)
            case Interrupted(number, turn):
                self._happen(v.Interrupted(number, turn))
            case TurnComplete(number, turn):
                self._happen(v.TurnEnded(number, turn))

    def _session_failed(self, number: int, failure: Failure) -> None:
        # A kept session that breaks while nobody talks is no fault: the next wake opens another.
        if number == self.talk.session and self.talk.state not in RESTING:
            self.faults.begin(failure.kind, failure.message, fatal=not failure.retryable)
        self._happen(v.Failed(number))

    def _reply(self, chunk: ReplyAudio) -> None:
        if chunk.turn > self.talk.cut and (chunk.turn != self.talk.turn or self._starved):
            started = v.ReplyStarted(chunk.session, chunk.turn)
            if chunk.turn != self.talk.turn and step(self.talk, started)[0].turn == chunk.turn:
                self.bus.publish(reply("started", chunk.turn, 0, chunk.time))
            self._starved = False
            self._happen(started)
        if chunk.turn == self.talk.turn > self.talk.cut and self.talk.state in PLAYING:
            self.mouth.speaker.play(chunk.pcm, chunk.turn)

    def _frame(self, frame: Frame) -> None:
        speaker = self.mouth.speaker
        replying = self.talk.state in PLAYING
        pcm = self.duplex.uplink_pcm(frame.pcm, speaker.audible, speaker.level, replying=replying)
        unsent = frame.end_sample > self._sent_until
        if unsent and self.talk.state in UPLINK_OPEN and self.session is not None:
            self.session.send_frame(pcm)
            self._sent_until = frame.end_sample
        self._countdown.heard(speaking=self._speaking)

    def _microphone_lost(self, error: AudioDeviceError) -> None:
        self.faults.begin("microphone", str(error))
        self._happen(v.MicrophoneLost())

    def _microphone_back(self) -> None:
        self.faults.clear("microphone")
        # Another microphone counts its samples from 0.
        self._sent_until = 0
        known = self.profile
        board = self.parts.profile(self.config, self.ears.microphone.description)
        # What is on the same USB plug as the microphone came back with it.
        if board != known or self.faults.in_force("lights", "button"):
            self.choose_board()
        if board != known:
            self.choose_duplex()
        self._happen(v.MicrophoneBack())
        self.health.hears()

    # --- steps and effects ---

    def command(self, event: v.Ask | v.Stop | v.Unmute | v.Expired) -> None:
        """Do what the owner typed."""
        self._happen(event)

    async def mute(self) -> None:
        """Stop listening; returns when the microphone device is closed."""
        self._happen(v.Mute())
        await self.ears.closed()

    def set_volume(self, percent: int) -> None:
        """0..100, until changed again."""
        self.volume = percent
        self.mouth.speaker.set_volume(percent)

    def _happen(self, event: v.Event) -> None:
        before = self.talk
        self.talk, effects = step(before, event)
        if self.talk.clock != before.clock:
            self._countdown.cancel()
        if self.talk.state is not before.state:
            self._changed(before.state, REASONS[type(event)])
        for effect in effects:
            self._act(effect)
        old = self.session_age_s > self.config.conversation.max_session_s
        if old and self.talk.session and self.talk.state not in PLAYING:
            self._happen(v.Expired(self.talk.session, "max_session_s reached"))

    def _changed(self, before: State, reason: str) -> None:
        tracked = self.talk.state in TRACK_SPEECH
        if tracked is not (before in TRACK_SPEECH):
            self.ears.detector.track_speech(tracked)
            self._user_speaks(False)
        if self.talk.state.label != before.label:
            fields = {"from": before.label, "to": self.talk.state.label, "reason": reason}
            self.bus.publish(PublicEvent("state", time.monotonic(), fields))
        self._look()

    def _user_speaks(self, speaking: bool) -> None:
        self._speaking = speaking
        if self.session is not None:
            self.session.user_speaks(speaking)

    def _look(self) -> None:
        self.panel.show(Pattern(PATTERNS[self.talk.state]))
        self.health.status(headline(self.talk, self.ears, self.faults))

    def _act(self, effect: v.Effect) -> None:
        match effect:
            case v.OpenSession(number):
                self._open_session(number)
            case v.CloseSession(_, reason) if self.session is not None:
                self._tasks.create_task(self.session.close(reason), name="closing")
                self.session = None
            case v.StartUplink(end_sample) if self.session is not None:
                self._send_pre_roll(self.session, end_sample)
            case v.StopUplink() if self.session is not None:
                self.session.end_audio()
            case v.SendText(text) if self.session is not None:
                self.session.send_text(text)
            case v.EndTurn(turn):
                self.mouth.speaker.end_turn(turn)
            case v.ClearPlayback(turn):
                played_ms = self.mouth.speaker.clear()
                self.duplex.open_now()
                self.bus.publish(reply("interrupted", turn, played_ms, time.monotonic()))
            case v.Chime(name) if self.config.audio.chimes:
                self.mouth.speaker.chime(name)
            case v.OpenMicrophone():
                self.ears.unmute()
            case v.CloseMicrophone():
                self.ears.mute()
            case v.StartTimer(timer, clock):
                self._countdown.start(timer, clock, duration_s(timer, self.config.conversation))

    def _open_session(self, number: int) -> None:
        self.bus.publish(session("opening", time.monotonic(), model=self.config.live.model))
        self._session_began = time.monotonic()
        try:
            live = self.parts.session(self.config, number, self._turns, self.post)
        except CredentialError as error:
            failure = Failure(FailureKind.KEY, str(error), retryable=False)
            news = SessionFailed(number, failure, self.config.live.model, time.monotonic())
            # Not before the effects of this step are done.
            asyncio.get_running_loop().call_soon(self.post, news)
            return
        self.session = live
        self._tasks.create_task(live.run(), name=f"session {number}")

    def _send_pre_roll(self, live: LiveSession, end_sample: int | None) -> None:
        seconds = BUTTON_PRE_ROLL_S if end_sample is None else self.config.wake.pre_roll_s
        for frame in self.ears.since(end_sample, seconds, after=self._sent_until):
            live.send_frame(frame.pcm)
            self._sent_until = frame.end_sample

    def _forget(self, number: int) -> None:
        if self.session is not None and self.session.number == number:
            self.session = None

    @property
    def session_age_s(self) -> float:
        """How long ago the newest session was begun."""
        return time.monotonic() - self._session_began
