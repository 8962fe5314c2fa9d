"""`perform` says what each effect of the conversation asks of which part.

Tested in tests/assistant/test_hub.py.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from device.assistant.uplink import BUTTON_PRE_ROLL_S, SAME_BREATH_S
from device.config import Config, model_key
from device.conversation import effects as e
from device.conversation.states import RESTING, State
from device.events import EventName, PublicEvent, reply, session, unheard

if TYPE_CHECKING:
    from device.assistant.hub import Assistant


def perform(hub: Assistant, effect: e.Effect) -> None:  # noqa: C901, PLR0912, PLR0915 - a line for each effect
    """Carry out one effect; returns at once."""
    config, now = hub.settings.now, time.monotonic()
    match effect:
        case e.Entered():
            _enter(hub, effect)
        case e.MeetFailure(failure):
            hub.session_faults.met(failure)
        case e.MeetLimit():
            hub.spending.met()
        case e.Apologise():
            hub.session_faults.apologise()
            # What the session would be resumed on is as deaf.
            hub.sessions.give_up_handle()
        case e.AskAgain(why, fresh, forget):
            hub.sessions.ask_again(fresh=fresh, forget=forget)
            hub.bus.publish(unheard(why, "fresh_session" if fresh else "asked_again", now))
        case e.GiveUpAsking(why):
            hub.bus.publish(unheard(why, "told", now))
            hub.session_faults.give_up(why, model_key(config, hub.talk.now.persona))
            hub.sessions.give_up_handle()
        case e.WaitASecond(clock):
            hub.countdown.wait_a_second(clock)
        case e.OpenSession(number, persona):
            # What one persona has asked is no question of another's.
            hub.functions.talk_over()
            model = hub.sessions.open(number, persona)
            hub.bus.publish(session("opening", now, model=model, persona=persona))
            hub.look()
        case e.CloseSession(_, reason):
            hub.sessions.close(reason)
        case e.BeginReply(turn, at):
            hub.bus.publish(reply("started", turn, 0, at))
        case e.Play(turn, pcm):
            hub.output.speaker.play(pcm, turn)
        case e.EndTurn(turn):
            hub.output.speaker.end_turn(turn)
        case e.ClearPlayback(_, broken_off=True):
            hub.output.speaker.clear()
        case e.ClearPlayback(turn):
            _interrupted(hub, turn, hub.output.speaker.clear(), now)
        case e.BreakOff(turn):
            _interrupted(hub, turn, hub.output.speaker.pause(), now)
        case e.TakeUp(turn):
            hub.bus.publish(reply("resumed", turn, hub.output.speaker.go_on(), now))
        case e.PauseReply():
            hub.output.speaker.pause()
            hub.latency.silenced(now)
        case e.GoOn():
            hub.output.speaker.go_on()
        case e.Chime(name) if config.audio.chimes:
            hub.output.speaker.chime(name)
        case e.Alarm():
            hub.announcer.alarm(hub.talk_settings.now)
        case e.StopRinging():
            hub.ringing.stop()
        case e.OpenMicrophone():
            hub.input.unmute()
        case e.CloseMicrophone():
            _close_microphone(hub)
        case e.MuteMicrophone():
            hub.mute.mute_soon()
        case e.StartTimer(timer, clock):
            hub.countdown.start(timer, clock)
        case _:
            _send(hub, effect, config)


def _interrupted(hub: Assistant, turn: int, played_ms: int, now: float) -> None:
    hub.latency.silenced(now)
    hub.uplink.open_now()
    hub.bus.publish(reply("interrupted", turn, played_ms, now))


def _send(hub: Assistant, effect: e.Effect, config: Config) -> None:
    """Carry out what the session is asked for; without one nothing is sent."""
    live = hub.sessions.session
    if live is None:
        return
    match effect:
        case e.StartUplink(None):
            if hub.button.may_hold:
                live.push_to_talk.press()
            hub.uplink.start(None, BUTTON_PRE_ROLL_S + hub.button.since_press_s)
        case e.StartUplink(end_sample):
            hub.uplink.start(end_sample, config.wake.pre_roll_s)
        case e.CatchUp(end_sample):
            hub.uplink.start(end_sample, SAME_BREATH_S)
        case e.StopUplink():
            live.end_audio()
        case e.EndUplink():
            live.finish_audio()
        case e.AcceptSilence():
            live.dismiss()
        case e.BeginHeld():
            live.push_to_talk.hold()
        case e.EndHeld():
            live.push_to_talk.release()
        case e.SendText(text, picture):
            live.send_text(text, picture)


def _enter(hub: Assistant, entered: e.Entered) -> None:
    before, state = entered.before, entered.state
    hub.wake_word.track_speech(hub.activity.follow(entered))
    if hub.sessions.session is not None and state in RESTING and before not in RESTING:
        hub.sessions.session.dismiss()
        hub.sessions.session.forget_pictures()
    if state in RESTING and before not in RESTING:
        hub.records.save()
        hub.tell_of_spending()
    if state.label != before.label:
        fields = {"from": before.label, "to": state.label, "reason": entered.reason}
        hub.bus.publish(PublicEvent(EventName.STATE, time.monotonic(), fields))
    if before is State.FAULT or (before in RESTING and state not in RESTING):
        hub.announcer.hush()
    hub.look()


def _close_microphone(hub: Assistant) -> None:
    hub.input.mute()
    hub.uplink.forget()
    hub.announcer.hush()
    hub.echo.hears_nothing()
    # Nothing will be heard that could be waited for: it is as ready as its owner wants it.
    hub.health.hears()
