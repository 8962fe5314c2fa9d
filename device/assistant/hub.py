"""The hub: news from the parts in, steps of the conversation, effects out.

Everything happens on one event loop. A part posts news (`post`); news of interest to the owner
goes onto the event stream; news of interest to the conversation becomes an event of the pure
machine in `device.conversation`, and the effects it returns are carried out here, in order. The
tasks (hearing, wake word, loudspeaker, lights, session, health) live in one `asyncio.TaskGroup`:
an unexpected exception in any of them ends the process, and systemd starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import time

from device import news as n
from device import ports as p
from device.announcements.announcer import Announcer
from device.assistant.activity import Spoken
from device.assistant.button import Finger
from device.assistant.countdown import Countdown
from device.assistant.echo import Overheard
from device.assistant.echo_measurement import Measuring
from device.assistant.effects import Acting
from device.assistant.hot_plug import Refitting
from device.assistant.input import Ears, Listener
from device.assistant.mute import Muting
from device.assistant.output import Mouth
from device.assistant.panel import Face, Panel
from device.assistant.parts import Parts
from device.assistant.sessions import Answering, Calling
from device.assistant.status import headline
from device.assistant.uplink import Sending
from device.board.profiles import Profile
from device.config import Config
from device.conversation import states as v
from device.conversation.machine import step
from device.conversation.states import HOLDING, PLAYING, RESTING, TRACK_SPEECH, UPLINK_OPEN, State
from device.echo.canceller import Heard
from device.errors import AudioDeviceError
from device.events import EventBus, PublicEvent, public
from device.faults import Faults, Troubles
from device.live.session import LiveSession
from device.service import journal
from device.service.health import Health, Notify, broken_callback
from device.service.latency import Latency

log = logging.getLogger(__name__)


class Assistant:
    """One speaker. Everything is called on the event loop's thread; only `run` takes time."""

    def __init__(
        self,
        config: Config,
        parts: Parts,
        detector: p.WakeDetector,
        notify: Notify,
        watchdog_usec: str | None = None,
    ) -> None:
        """`detector` has its networks loaded already: a missing one is found before we begin."""
        self.config = config
        self.parts = parts
        self.bus = EventBus(self._observe)
        self.faults = Faults(self.bus)
        self.troubles = Troubles(self.faults, self.bus, lambda: parts.hindrance(self.config))
        self.talk = v.Conversation()
        self.calling = Calling(parts, self.post, self._end_session_in_time)
        self.refitting = Refitting(parts, self.faults, lambda: self._board, self.choose_board)
        self.mouth = Mouth(parts.speaker(config), self._speaker_lost, self._speaker_back)
        self.announcer = Announcer(
            parts.sentence, parts.make_sentences, self.faults, lambda: self.mouth.speaker
        )
        profile = parts.profile(config, parts.mute_memory.load().hidden)
        self.overheard = Overheard(self.faults, self.bus, self.mouth, self._talked_over)
        self.overheard.choose(config, profile)
        listener = Listener(
            self._frame, self._microphone_lost, self._microphone_back, self.refitting.opened
        )
        self.ears = Ears(parts.microphone(config), detector, listener, self.overheard.hear)
        self.measuring = Measuring(
            parts,
            self.mouth,
            self.overheard,
            lambda: self.talk,
            lambda: self.ears.microphone.description,
        )
        self._countdown = Countdown(self._timed_out)
        self.latency = Latency()
        panel = Panel(lambda: self.mouth.speaker.level, lambda: self._countdown.left)
        self.face = Face(parts, panel, self.faults, self.latency, profile)
        self.sending = Sending(self.ears, self.overheard)
        self.health = Health(
            notify,
            lambda: (self.ears.microphone.counters["frames"], self.ears.detector.counters["hops"]),
            excused=lambda: self.talk.rest in {State.MUTED, State.FAULT},
            resident=parts.resident,
            watchdog_usec=watchdog_usec,
        )
        self._spoken = Spoken(self.bus)
        self.muting = Muting(
            parts.mute_memory, self.ears, self.overheard, self.health, self._happen
        )
        self.finger = Finger(
            self.post,
            self._happen,
            lambda by: self.set_volume(self.volume + by),
            self.muting,
            self.calling,
            self._spoken,
            lambda: (self.config, self.talk),
        )
        self._acting = Acting(
            self.bus,
            self.calling,
            self.ears,
            self.mouth,
            self.sending,
            self.announcer,
            self._countdown,
            self.latency,
            self.finger,
        )
        self.volume = config.audio.volume
        self._answering = Answering(
            self.bus,
            self.calling,
            self.troubles,
            self.mouth,
            lambda: self.config,
            lambda: self.talk,
            self._happen,
        )

    # --- life ---

    async def run(self) -> None:
        """Be a speaker until cancelled; raises what an unexpected failure of a part raised."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self.calling.start(tasks)
                self.refitting.start(tasks, self.ears)
                if self.parts.missing_key:
                    self.faults.begin(n.FailureKind.KEY, self.parts.missing_key, fatal=True)
                self.muting.start(tasks)
                self._start_face()
                tasks.create_task(self.health.run(), name="health")
                tasks.create_task(self.troubles.watch(), name="readiness")
                self.prepare_sentences()
                first = self.measuring.at_first_start(lambda: self.config)
                tasks.create_task(first, name="first measurement")
                # Capture first: cards with shared clocks scramble their channels otherwise.
                self.ears.start(tasks, self.post, self.refitting.pause)
                self.mouth.start(tasks, self.post, self.refitting.pause)
                try:
                    await broken_callback(asyncio.get_running_loop())
                finally:
                    await self._goodbye()
        finally:
            self._countdown.cancel()
            self.finger.close()
            self.face.close()

    def prepare_sentences(self) -> None:
        """Have the spoken sentences that are missing made, beside everything else."""
        self._tasks.create_task(self.announcer.prepare(self.config), name="sentences")

    async def _goodbye(self) -> None:
        self.health.stops()
        await self.calling.goodbye()
        await self.parts.echo_memory.kept()

    @property
    def session(self) -> LiveSession | None:
        """The session of the conversation, or the one that is kept."""
        return self.calling.session

    def choose_board(self) -> None:
        """Find the board anew, and claim its lights and button."""
        self.face.profile = self._board
        self._start_face()

    @property
    def _board(self) -> Profile:
        return self.parts.profile(self.config, self.muting.microphone)

    def _start_face(self) -> None:
        self.finger.on_board(self.parts.mute_switch(self.face.profile))
        self.face.start(self.config, self._tasks, self.post)
        self._look()

    def _speaker_lost(self, error: AudioDeviceError) -> None:
        self.faults.begin("speaker", str(error))

    def _speaker_back(self) -> None:
        self.faults.clear("speaker")
        self.measuring.recall()

    def _observe(self, event: PublicEvent) -> None:
        journal.tell(event, transcripts=self.config.privacy.log_transcripts)
        if event.event == "fault":
            self._look()

    # --- news ---

    def post(self, news: n.News) -> None:
        """Take news from a part: tell the owner, and let the conversation take its step."""
        if isinstance(news, n.SpeechChanged) and self.talk.state not in TRACK_SPEECH:
            return  # It was on its way while we ceased to follow it.
        self.latency.note(news)
        event = public(news)
        if event is not None:
            self.bus.publish(event)
        match news:
            case n.Detection(end_sample=end_sample):
                self._spoken.addressed = True
                self._happen(v.Wake(end_sample))
                if self._spoken.speaking:
                    # What seemed to be our own echo: whoever says the wake word is a person.
                    self._tell_session(speaking=True)
            case n.SpeechChanged(speaking=speaking, end_sample=end_sample):
                self._user_speaks(speaking, end_sample)
                self._happen(v.SpeechBegan() if speaking else v.SpeechEnded())
            case n.SpeechJudged():
                self.overheard.judged(news)
            case n.ButtonEdge() | n.Pressed() | n.MuteSwitched():
                self.finger.take(news)
            case n.PartLost(part, message):
                self.faults.begin(part, message)
            case n.FirstSound(turn=turn):
                self._happen(v.Sounding(turn))
            case n.PlaybackDrained(turn=turn):
                self._spoken.addressed = False
                self._happen(v.Drained(turn))
            case n.PlaybackStarved(turn=turn):
                self._answering.starved(turn)
            case n.UplinkChanged(flowing=flowing):
                self.face.streaming(on=flowing)
            case _:
                self._answering.take(news)

    def _timed_out(self, clock: int) -> None:
        self._answering.timed_out(clock, addressed=self._spoken.addressed)

    def _frame(self, heard: Heard) -> None:
        replying = self.talk.state in PLAYING
        if replying and heard.near and not self.overheard.undecided:
            self.latency.decided(heard.frame.captured_at)
        self.overheard.frame(heard, replying=replying)
        self.sending.frame(
            heard,
            self.mouth.speaker,
            self.session if self.talk.state in UPLINK_OPEN else None,
            replying=replying,
        )
        self._countdown.heard(speaking=self._spoken.speaking)

    def _talked_over(self, event: v.Event) -> None:
        self._happen(event)
        if isinstance(event, v.BargedIn) and self.talk.state in UPLINK_OPEN:
            self._spoken.addressed = True
            self._tell_session(speaking=True)

    def _microphone_lost(self, error: AudioDeviceError) -> None:
        self.faults.begin("microphone", str(error))
        self.refitting.lost(error, self.face.profile)
        self._happen(v.MicrophoneLost())

    def _microphone_back(self) -> None:
        self.faults.clear("microphone")
        self.sending.new_stream()
        self.overheard.new_stream()
        known, board = self.face.profile, self._board
        # What is on the same USB plug as the microphone came back with it.
        if self.refitting.back(board) or board != known or self.faults.in_force("lights", "button"):
            self.choose_board()
        if board != known:
            self.overheard.choose(self.config, board)
        self.measuring.recall()
        self._happen(v.MicrophoneBack())
        self.health.hears()

    # --- steps and effects ---

    def command(self, event: v.Ask | v.Stop | v.Expired) -> None:
        """Do what the owner typed."""
        self._spoken.addressed = self._spoken.addressed or isinstance(event, v.Ask)
        self._happen(event)

    def set_volume(self, percent: int) -> None:
        """0..100, until changed again; more or less is as much as there is."""
        self.volume = min(max(percent, 0), 100)
        self.mouth.speaker.set_volume(self.volume)
        self.face.volume(self.volume)

    def _happen(self, event: v.Event) -> None:
        before = self.talk
        self.talk, effects = step(before, event)
        if self.talk.clock != before.clock:
            self._countdown.cancel()
        if self.talk.state is not before.state:
            self._changed(before.state, v.REASONS[type(event)])
        for effect in effects:
            self._acting.act(effect, self.config)
        self._end_session_in_time()

    def _end_session_in_time(self) -> None:
        reason = self.calling.why_end(self.config, self.talk)
        if reason is not None:
            self._happen(v.Expired(self.talk.session, reason))

    def settings_changed(self) -> None:
        """A talk that is going on keeps its settings; the next one has the new ones."""
        self.calling.outdated = self.talk.session
        self._end_session_in_time()

    def _changed(self, before: State, reason: str) -> None:
        state = self.talk.state
        if (state in TRACK_SPEECH) is not (before in TRACK_SPEECH):
            self.ears.detector.track_speech(state in TRACK_SPEECH)
            self._spoken.forget()
        if (state in UPLINK_OPEN) is not (before in UPLINK_OPEN) and before not in HOLDING:
            self._tell_session(speaking=self._spoken.speaking)
        if self.session is not None and self.talk.state in RESTING and before not in RESTING:
            self.session.dismiss()
        if self.talk.state.label != before.label:
            fields = {"from": before.label, "to": self.talk.state.label, "reason": reason}
            self.bus.publish(PublicEvent("state", time.monotonic(), fields))
        if before is State.FAULT or (before in RESTING and self.talk.state not in RESTING):
            self.announcer.hush()
        self._look()

    def _user_speaks(self, speaking: bool, edge_sample: int) -> None:
        lasted_s = self._spoken.changed(speaking, edge_sample)
        self.finger.speech(speaking=speaking)
        if self.talk.state in UPLINK_OPEN:
            # What is said into our own reply may be its echo, and does not go up in half duplex.
            self._tell_session(speaking=speaking and not self.sending.silenced, lasted_s=lasted_s)

    def _tell_session(self, *, speaking: bool, lasted_s: float = 0.0) -> None:
        """Whether the user speaks to it, or did so long; while the button is held, that says so."""
        state = self.talk.state
        if self.session is not None and state not in HOLDING:
            self.session.user_speaks(speaking and state in UPLINK_OPEN, lasted_s)

    def _look(self) -> None:
        self.face.show(self.talk)
        self.health.status(headline(self.talk, self.ears, self.faults))
