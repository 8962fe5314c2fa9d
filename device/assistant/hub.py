"""The hub makes one speaker of its parts: news in, steps of the conversation, effects out.

Everything happens on one event loop. A part posts news (`post`); what is of interest to the owner
goes onto the event stream, the conversation takes its step, and the effects that it returns are
carried out here, in order. All tasks live in one `asyncio.TaskGroup`: an unexpected exception in
any of them ends the process, and systemd starts it again.
"""

from __future__ import annotations

import asyncio
from functools import partial

from device import news as n
from device.announcements.announcer import Announcer
from device.assistant.activity import Activity
from device.assistant.audit import Audit
from device.assistant.billing import Billing
from device.assistant.books import Books
from device.assistant.button import Button
from device.assistant.countdown import Countdown
from device.assistant.echo import EchoControl
from device.assistant.echo_measurement import EchoMeasurement
from device.assistant.effects import perform
from device.assistant.functions import ModelFunctions, OwnDevice
from device.assistant.gauges import Gauges
from device.assistant.hot_plug import HotPlug
from device.assistant.house import House
from device.assistant.input import Input
from device.assistant.ledger import Ledger
from device.assistant.mute import Mute
from device.assistant.output import Output
from device.assistant.panel import Hardware, Panel
from device.assistant.parts import Parts
from device.assistant.picture_stream import PictureStream
from device.assistant.pictures import Pictures, Shutter
from device.assistant.prometheus import PrometheusFile
from device.assistant.ringing import Ringing
from device.assistant.sessions import Sessions
from device.assistant.settings import Settings, TalkSettings
from device.assistant.spending import Spending
from device.assistant.statistics import Statistics
from device.assistant.status import SignsOfLife, headline
from device.assistant.talk import Talk
from device.assistant.uplink import Uplink
from device.assistant.wake_clips import WakeClips
from device.assistant.wake_word import WakeWord
from device.board.profiles import Profile
from device.config import Config, as_persona, model_key
from device.conversation.states import RESTING, TRACK_SPEECH, State
from device.events import EventBus, EventName, PublicEvent, public
from device.faults import Faults, SessionFaults
from device.frames import Frame
from device.live.departures import Departure, SoundLeft
from device.ports import WakeDetector
from device.service import journal
from device.service.health import Health, broken_callback
from device.service.latency import Latency
from device.service.notify import Notify
from device.signals import RECORDS
from device.timers.alarm_clock import AlarmClock
from device.timers.clocks import local_zone


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
        self.parts = parts
        self._tasks = asyncio.TaskGroup()
        self.settings = Settings(config)
        self.bus = EventBus(self._observe)
        self.faults = Faults(self.bus)
        self.session_faults = SessionFaults(self.faults, self.bus, self._hindrance)
        self.latency = Latency()
        self.talk = Talk()
        self.talk_settings = TalkSettings(self.settings, self.talk)
        hot_plug = self.hot_plug = HotPlug(parts, self.post)
        volume = config.audio.volume
        self.output = Output(parts.speaker(config), volume, self.post, hot_plug.pause)
        self.input = Input(parts.microphone(config), self.post, self._hear, hot_plug.pause)
        self.wake_word = WakeWord(detector, self.settings, self.post)
        sent = self._sent
        self.sessions = Sessions(parts.session, parts.keepsake, self.settings, self.post, sent)
        self.records = parts.records(self.post, lambda: self.settings.now.records.keep_days)
        self.countdown = Countdown(self.settings, self.sessions, self.post)
        board = parts.profile(config, parts.mute_memory.load().hidden)
        hardware = Hardware(self.output, self.countdown)
        self.panel = Panel(parts, self.faults, self.latency, hardware, board)
        signs = SignsOfLife(self.input, self.wake_word, self.talk)
        self.health = Health(notify, signs, parts.resident, watchdog_usec)
        self.echo = EchoControl(config, board, self.faults, self.output, self.post)
        self.uplink = Uplink(self.echo, self.output, self.sessions, self.talk)
        self.activity = Activity(self.bus, self.sessions, self.talk, self.uplink)
        self.button = Button(self.settings, self.talk, self.sessions, self.activity, self.post)
        self.mute = Mute(parts.mute_memory, self.input, self.post)
        self.announcer = Announcer(parts.sentence, parts.make_sentences, self.faults, self.output)
        clock = self.alarm_clock = AlarmClock(
            parts.clocks(),
            parts.timer_memory,
            zone=local_zone,
            ring_s=lambda: self.settings.now.timers.ring_s,
            post=self.post,
        )
        self.ringing = Ringing(clock, self.talk_settings, self.output, self.announcer, parts.spoken)
        self.house = House(self.settings, self.bus, parts.mcp_server)
        whose = self.sessions.whose
        self.audit = Audit(self.records, self.talk, whose, self.house.server_of)
        gauges = Gauges(parts.resident, parts.celsius, self.wake_word.counters)
        prometheus = PrometheusFile(self.settings, self.faults)
        self.statistics = Statistics(self.records, self.latency, gauges, prometheus)
        ledger = Ledger(self.records, self.settings)
        self.billing = Billing(self.records, ledger, self.settings, whose)
        self.spending = Spending(ledger, parts.clocks, self.faults, self.bus, self.post)
        self.wake_clips = WakeClips(
            parts.wake_clips, self.settings, self.talk, self.records, self.faults
        )
        books = Books(self.audit, self.spending)
        own = OwnDevice(self.output, books, self.faults, self.set_volume, self.post)
        shutter = Shutter(self.panel, self.output)
        self.pictures = pictures = Pictures(
            parts.camera, self.settings, self.talk, self.faults, shutter
        )
        self.picture_stream = PictureStream(pictures, self.talk_settings, self.talk, self.sessions)
        self.functions = ModelFunctions(self.settings, self.talk, own, clock, self.house, pictures)
        self.measurement = EchoMeasurement(parts, self.echo, self.input, self.talk, self.settings)
        self._rests = False

    # --- life ---

    async def run(self) -> None:
        """Be a speaker until cancelled; raises what an unexpected failure of a part raised."""
        try:
            async with self._tasks as tasks:
                self.records.start(tasks)
                self.statistics.start(tasks)
                self.spending.start(tasks)
                self.sessions.start(tasks, self.functions.of)
                self.hot_plug.start(tasks)
                self.tell_missing_key()
                self.tell_habits()
                self.tell_personas()
                self.mute.start(tasks)
                self.choose_board(self.panel.profile)
                tasks.create_task(self.health.run(self._beat), name="health")
                tasks.create_task(self.session_faults.watch(), name="network")
                self.prepare_sentences()
                tasks.create_task(self.measurement.at_first_start(), name="first measurement")
                self.wake_clips.tell()
                # Nobody is asked anything before it is known whether that may cost something.
                await self.spending.known()
                self.wake_word.start(tasks)
                self.ringing.start(tasks)
                self.house.start(tasks)
                self.picture_stream.start(tasks)
                # Capture first: cards with shared clocks scramble their channels otherwise.
                self.input.start(tasks)
                self.output.start(tasks)
                try:
                    await broken_callback(asyncio.get_running_loop())
                finally:
                    await self._goodbye()
        finally:
            self.countdown.cancel()
            self.button.close()
            self.mute.close()
            self.ringing.close()
            self.panel.close()

    async def _goodbye(self) -> None:
        self.health.stops()
        await self.sessions.goodbye()
        self.picture_stream.end()
        await self.pictures.closed()
        await self.parts.echo_memory.kept()
        await self.alarm_clock.kept()
        await self.statistics.kept()
        await self.wake_clips.kept()
        await self.records.kept()

    def _beat(self) -> None:
        self.statistics.beat()
        self.wake_clips.beat()

    def _hindrance(self) -> n.Failure | None:
        return self.parts.hindrance(self.settings.now)

    def _observe(self, event: PublicEvent) -> None:
        journal.tell(event, transcripts=self.settings.now.privacy.log_transcripts)
        self.statistics.happens(event)
        if event.event is EventName.FAULT:
            self.look()

    def look(self) -> None:
        """Show on lights and in the status line how the speaker stands."""
        self.panel.show(self.talk.now)
        told = headline(self.talk, self.input, self.wake_word, self.faults, self.alarm_clock)
        self.health.status(told)

    # --- a frame on its way up ---

    def _hear(self, frame: Frame) -> None:
        heard = self.echo.hear(frame)
        self.uplink.record(heard.frame)
        self.wake_word.detector.feed(heard.frame, heard.far_end, near=heard.near)
        if not self.health.ready and self.wake_word.detector.hears:
            self.health.hears()
        if self._rests and frame.quiet and heard.far_end is None:
            return  # Nobody interrupts, nothing goes up, and no clock counts what is heard.
        self.echo.frame(heard, replying=self.talk.replying)
        self.uplink.send(heard)
        self.countdown.heard(speaking=self.activity.speaking)
        self._rest()

    def _rest(self) -> None:
        """Take it easy while nothing is awaited but a wake word, and nothing of ours sounds."""
        now = self.talk.now
        awaits_word = now.state in RESTING and not now.listens_for_stop
        self._rests = awaits_word and self.echo.idle
        self.input.rest(self._rests)
        self.output.rest(self._rests)

    def _sent(self, departure: Departure) -> None:
        self.audit.leaves(departure)
        self.billing.leaves(departure)
        if isinstance(departure, SoundLeft):
            self.latency.sent(departure.captured, departure.time)
            self.statistics.sent(departure.frames)

    # --- news in ---

    def post(self, news: n.News) -> None:
        """Take news: tell the owner, let the conversation take its step, and do what it asks."""
        if isinstance(news, n.SpeechChanged) and self.talk.state not in TRACK_SPEECH:
            return  # It was on its way while we ceased to follow it.
        self.latency.note(news)
        news = self.billing.take(news)
        event = public(news, self.sessions.whose)
        if event is not None:
            self.bus.publish(event)
        self._before_the_step(news)
        effects = self.talk.step(news)
        self.audit.note(news)
        self.wake_clips.note(news)
        for effect in effects:
            perform(self, effect)
        if self.talk.state in RESTING:
            self.functions.talk_over()
        self.countdown.follow(self.talk.now.clock)
        self.wake_word.listen_for_stop(self.talk.now.listens_for_stop)
        self.pictures.follow()
        self.picture_stream.follow()
        self._rest()
        self._after_the_step(news)

    def _before_the_step(self, news: n.News) -> None:
        """Let the parts know what the conversation's step may ask them about."""
        match news:
            case n.SessionOpened(session=number, model=model):
                whose = self.sessions.whose(number)
                configured = as_persona(self.settings.now, whose).live.model
                key = model_key(self.settings.now, whose)
                self.session_faults.connected(model, configured, key)
            case n.ModelReplaced(session=number, gone=gone, successor=successor):
                key = model_key(self.settings.now, self.sessions.whose(number))
                self.session_faults.replaced(gone, successor, key)
            case n.HandleChanged() | n.SettingRefused():
                self.sessions.remember()
            case n.Unheard(why=why):
                self.session_faults.unheard[why] += 1
            case n.SessionClosed(session=number) | n.SessionFailed(session=number):
                self.sessions.forget(number)
            case n.Ask():
                self.functions.overhear(news)
            case (
                n.ReplyAudio(session=number) | n.Transcript(session=number, who="user", final=False)
            ):
                # What one persona was told is no answer to another's question.
                if number == self.talk.now.session:
                    self.functions.overhear(news)
            case n.SpeechChanged(speaking=speaking):
                self.activity.take(news)
                self.button.speech(speaking=speaking)
            case n.MicrophoneLost(trouble=trouble, message=message):
                self.faults.begin("microphone", message)
                self.hot_plug.lost(trouble, self.panel.profile)
            case n.MicrophoneDelivers():
                self._microphone_delivers()

    def _after_the_step(self, news: n.News) -> None:  # noqa: C901, PLR0912, PLR0915 - a line for each news
        """Let the parts do what follows from the news, however the conversation stands."""
        match news:
            case n.Detection():
                self.activity.addressed()
            case n.NearMiss():
                self.statistics.near_miss()
            case n.BargedIn():
                self.activity.barged_in()
            case n.SpeechJudged():
                self.echo.judged(news)
            case n.ButtonEdge():
                self.button.take(news)
            case n.Pressed():
                self.button.act(news)
            case n.MuteSwitched(on=on):
                self.mute.switched(on=on)
            case n.MuteToggled():
                self.mute.toggle()
            case n.VolumeStepped(by_percent=by_percent):
                self.set_volume(self.output.volume + by_percent)
            case n.PartLost(part, message):
                self.faults.begin(part, message)
            case n.TimerNews():
                self.ringing.follow(news)
                self.look()
            case n.SpeakerLost(message=message):
                self.faults.begin("speaker", message)
                self.ringing.audible(False)
            case n.SpeakerOpened():
                self.faults.clear("speaker")
                self.ringing.audible(True)
                self.measurement.recall()
                opened = self.output.speaker.device
                if self.settings.now.mixer or (opened and opened.card is not None):
                    self.set_levels()
            case n.MicrophoneOpened():
                self.set_levels()
            case n.UplinkChanged(flowing=flowing):
                self.panel.streaming(on=flowing)
            case n.Usage() | n.TurnComplete(cut_off=True) | n.SessionClosed() | n.SessionFailed():
                self.spending.judge()
            case n.PictureSent():
                self.pictures.sent(news)
            case n.DuplexDecided():
                self.measurement.remember(news)
            case n.RecordsTrouble(message=str(message)):
                self.faults.begin(RECORDS, message)
            case n.RecordsTrouble():
                self.faults.clear(RECORDS)
            case n.Plugged():
                if self.board.hot_plug or self.faults.in_force("lights", "button"):
                    self.choose_board(self.board)

    def tell_of_spending(self) -> None:
        """Say at rest, once, that a limit of money is near, where sentences are wanted."""
        now, config = self.talk.now, self.talk_settings.now
        if (
            config.audio.announcements
            and now.state in {State.IDLE, State.MUTED}
            and not now.ringing
        ):
            self.spending.say_near(partial(self.announcer.tell, config))

    # --- the board, and what the owner changes ---

    @property
    def board(self) -> Profile:
        """The board of the microphone in use, or of the one that the owner has hidden."""
        return self.parts.profile(self.settings.now, self.mute.microphone)

    def choose_board(self, board: Profile) -> None:
        """Claim this board's lights and button, and look at its mute switch."""
        self.button.lose()
        self.mute.watch(self.parts.mute_switch(board))
        self.panel.claim(board, self.settings.now, self._tasks, self.post)
        self.look()

    def _microphone_delivers(self) -> None:
        self.faults.clear("microphone")
        self.uplink.new_stream()
        self.echo.new_stream()
        known, board = self.panel.profile, self.board
        came_back = self.hot_plug.delivers(board)
        # What is on the same USB plug as the microphone came back with it.
        if came_back or board != known or self.faults.in_force("lights", "button"):
            self.choose_board(board)
        if board != known:
            self.echo.choose(self.settings.now, board)
        self.measurement.recall()

    def set_levels(self) -> None:
        """Set the mixers of the cards in use as board and owner want them, soon."""
        microphone, speaker = self.input.microphone.device, self.output.speaker.device
        self.hot_plug.opened(self.settings.now, self.board, microphone, speaker)

    def set_volume(self, percent: int) -> None:
        """Play at 0..100 until changed again, and show it on the lights."""
        self.panel.volume(self.output.set_volume(percent))

    def tell_missing_key(self) -> None:
        """Tell from the start that there is no key, or no more where tokens are lent for it."""
        if self.settings.now.live.token_url is not None:
            self.faults.clear(n.FailureKind.KEY)
            return
        self.session_faults.asks_for_no_tokens()
        if self.parts.missing_key:
            self.faults.begin(n.FailureKind.KEY, self.parts.missing_key, fatal=True)

    def tell_habits(self) -> None:
        """Let the conversation go as the owner wants it."""
        wanted = self.settings.now.conversation
        self.post(n.HabitsChanged(wanted.follow_up, wanted.resume_reply))

    def tell_personas(self) -> None:
        """Let the conversation know who can be talked to."""
        config = self.settings.now
        first = config.wake.words[0].persona or ""
        self.post(n.PersonasChanged(first, frozenset(config.personas)))
        self.sessions.keep_talks()
        everybody = ("", *config.personas)
        self.session_faults.keep_only({model_key(config, name) for name in everybody})

    def prepare_sentences(self) -> None:
        """Have the spoken sentences that are missing made, beside everything else."""
        preparing = self.announcer.prepare(self.settings.now)
        self._tasks.create_task(preparing, name="sentences")
