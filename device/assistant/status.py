"""`Status` says in words and figures what the speaker does, and what is wrong."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from device import __version__
from device.assistant.input import Input
from device.assistant.talk import Talk
from device.assistant.wake_word import WakeWord
from device.conversation.states import State
from device.echo.outlook import outlook
from device.faults import Faults
from device.timers.alarm_clock import AlarmClock

if TYPE_CHECKING:
    from device.assistant.hub import Assistant
    from device.config.file import ConfigFile


class SignsOfLife:
    """What shows that a speaker hears, and whether it may be deaf now."""

    def __init__(self, source: Input, wake_word: WakeWord, talk: Talk) -> None:
        self._input = source
        self._wake_word = wake_word
        self._talk = talk

    @property
    def counts(self) -> tuple[int, int]:
        """Microphone frames and wake word hops; a new part begins anew."""
        frames = self._input.microphone.counters["frames"]
        return frames, self._wake_word.detector.counters["hops"]

    @property
    def excused(self) -> bool:
        """Whether it is known and told that nothing is heard: muted, or a fault."""
        return self._talk.now.rest in {State.MUTED, State.FAULT}


def headline(
    talk: Talk, source: Input, wake_word: WakeWord, faults: Faults, alarm_clock: AlarmClock
) -> str:
    """Return one line for `systemctl status`: what it does, what is wrong, what it hears with.

    In this order, since a terminal shows the beginning of a long line.
    """
    conversation = talk.now
    hears = {
        State.IDLE: f"hears with {source.microphone.description}",
        State.MUTED: "microphone closed",
    }.get(conversation.rest, "hears nothing")
    if conversation.rest is State.IDLE:
        hears += f" for {' or '.join(wake_word.detector.words)}"
    # Not their names: whoever may see this line need not know what was said to the speaker.
    rings = (f"{entry.kind} {entry.id} rings" for entry in alarm_clock.ringing)
    wrong = (fault.message for fault in faults.active)
    return "; ".join([conversation.state.label, *rings, *wrong, hears])


class Status:
    """The whole state of one speaker, for people and scripts."""

    def __init__(self, assistant: Assistant, file: ConfigFile) -> None:
        """`file` knows which configuration is in force."""
        self._assistant = assistant
        self._file = file
        self._began = time.monotonic()

    def as_dict(self) -> dict[str, Any]:
        """Return what `parley status --json` prints; its names are a contract."""
        hub = self._assistant
        source, output, wake_word = (
            hub.input.as_dict(),
            hub.output.as_dict(),
            hub.wake_word.as_dict(),
        )
        echo, faults = hub.echo.as_dict(), hub.faults.as_dict()
        return {
            "version": __version__,
            "state": hub.talk.state.label,
            "muted": hub.talk.now.rest is State.MUTED,
            "muted_by": hub.mute.by,
            "ready": hub.health.ready,
            "uptime_s": round(time.monotonic() - self._began, 1),
            "config": self._file.as_dict(),
            "board": hub.panel.profile.name,
            "lights": hub.panel.lights,
            "lights_show": hub.panel.shows.value,
            "microphone": source["microphone"],
            "microphone_device": source["microphone_device"],
            "speaker": output["speaker"],
            "speaker_device": output["speaker_device"],
            "volume": output["volume"],
            "wake_words": wake_word["wake_words"],
            "wake_personas": wake_word["wake_personas"],
            "hop_ms": wake_word["hop_ms"],
            "duplex": echo["duplex"],
            "echo": echo["echo"],
            "outlook": asdict(room) if (room := outlook(echo["echo"], echo["duplex"])) else None,
            "wake_clips": hub.wake_clips.as_dict(),
            "spending": hub.spending.as_dict(),
            "timers": hub.ringing.as_dict(),
            "mcp_servers": hub.house.as_list(),
            "camera": hub.pictures.as_dict(),
            "session": {
                "number": hub.talk.now.session,
                "apologies": hub.session_faults.apologies,
                "unheard": dict(hub.session_faults.unheard),
                **hub.sessions.as_dict(),
            },
            "latency_ms": hub.latency.figures(),
            "faults": faults["active"],
            "last_fault": faults["last"],
            "counters": {
                "microphone": source["counters"],
                "wake": wake_word["counters"],
                "speaker": output["counters"],
                "talking_over": echo["counters"],
                "records": dict(hub.records.counters),
            },
        }
