"""What each effect of the conversation machine asks of which part."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from device import vocabulary as v
from device.events import reply, session
from device.sending import BUTTON_PRE_ROLL_S, SAME_BREATH_S

if TYPE_CHECKING:
    from device.assistant import Assistant


def act(hub: Assistant, effect: v.Effect) -> None:
    """Carry out one effect; returns at once. Called on the event loop's thread."""
    config = hub.config
    match effect:
        case v.OpenSession(number):
            hub.open_session(number)
            model = hub.session.model if hub.session is not None else config.live.model
            hub.bus.publish(session("opening", time.monotonic(), model=model))
        case v.CloseSession(_, reason):
            hub.close_session(reason)
        case v.StartUplink(end_sample) if hub.session is not None:
            seconds = BUTTON_PRE_ROLL_S if end_sample is None else config.wake.pre_roll_s
            hub.sending.since(hub.session, end_sample, seconds)
        case v.CatchUp(end_sample) if hub.session is not None:
            hub.sending.since(hub.session, end_sample, SAME_BREATH_S)
        case v.StopUplink() if hub.session is not None:
            hub.session.end_audio()
        case v.SendText(text) if hub.session is not None:
            hub.session.send_text(text)
        case v.EndTurn(turn):
            hub.mouth.speaker.end_turn(turn)
        case v.ClearPlayback(turn):
            played_ms = hub.mouth.speaker.clear()
            hub.sending.duplex.open_now()
            hub.bus.publish(reply("interrupted", turn, played_ms, time.monotonic()))
        case v.Chime(name) if config.audio.chimes:
            hub.mouth.speaker.chime(name)
        case v.Alarm():
            hub.telling.alarm(config)
        case v.OpenMicrophone():
            hub.ears.unmute()
        case v.CloseMicrophone():
            hub.ears.mute()
        case v.StartTimer(timer, clock):
            hub.countdown.start(timer, clock, config.conversation)
