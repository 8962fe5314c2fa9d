"""What each effect of the conversation machine asks of which part."""

from __future__ import annotations

import time

from device.announcements.announcer import Announcer
from device.assistant.button import Finger
from device.assistant.countdown import Countdown
from device.assistant.input import Ears
from device.assistant.output import Mouth
from device.assistant.sessions import Calling
from device.assistant.uplink import BUTTON_PRE_ROLL_S, SAME_BREATH_S, Sending
from device.config import Config
from device.conversation import states as v
from device.events import EventBus, reply, session
from device.service.latency import Latency


class Acting:
    """Carries effects out. Used from the event loop's thread only."""

    def __init__(  # noqa: PLR0913, PLR0917 - every part that an effect can ask something of
        self,
        bus: EventBus,
        calling: Calling,
        ears: Ears,
        mouth: Mouth,
        sending: Sending,
        announcer: Announcer,
        countdown: Countdown,
        latency: Latency,
        finger: Finger,
    ) -> None:
        self._bus = bus
        self._calling = calling
        self._ears = ears
        self._mouth = mouth
        self._sending = sending
        self._announcer = announcer
        self._countdown = countdown
        self._latency = latency
        self._finger = finger

    def act(self, effect: v.Effect, config: Config) -> None:
        """Carry out one effect; returns at once."""
        match effect:
            case v.OpenSession(number):
                model = self._calling.open(config, number)
                if self._calling.session is not None:
                    self._calling.session.on_sent = self._latency.sent
                self._bus.publish(session("opening", time.monotonic(), model=model))
            case v.CloseSession(_, reason):
                self._calling.close(reason)
            case v.EndTurn(turn):
                self._mouth.speaker.end_turn(turn)
            case v.ClearPlayback(turn):
                played_ms = self._mouth.speaker.clear()
                self._latency.silenced(time.monotonic())
                self._sending.open_now()
                self._bus.publish(reply("interrupted", turn, played_ms, time.monotonic()))
            case v.PauseReply():
                self._mouth.speaker.pause()
                self._latency.silenced(time.monotonic())
            case v.GoOn():
                self._mouth.speaker.go_on()
            case v.Chime(name) if config.audio.chimes:
                self._mouth.speaker.chime(name)
            case v.Alarm():
                self._announcer.alarm(config)
            case v.OpenMicrophone():
                self._ears.unmute()
            case v.CloseMicrophone():
                self._ears.mute()
                self._announcer.hush()
            case v.StartTimer(timer, clock):
                self._countdown.start(timer, clock, config.conversation)
            case _:
                self._send(effect, config)

    def _send(self, effect: v.Effect, config: Config) -> None:
        live = self._calling.session
        if live is None:
            return
        match effect:
            case v.StartUplink(None):
                if self._finger.may_hold:
                    live.holding.press()
                self._sending.since(live, None, BUTTON_PRE_ROLL_S + self._finger.since_press_s)
            case v.StartUplink(end_sample):
                self._sending.since(live, end_sample, config.wake.pre_roll_s)
            case v.BeginHeld():
                live.holding.hold()
            case v.EndHeld():
                live.holding.release()
            case v.CatchUp(end_sample):
                self._sending.since(live, end_sample, SAME_BREATH_S)
            case v.StopUplink():
                live.end_audio()
            case v.SendText(text):
                live.send_text(text)
