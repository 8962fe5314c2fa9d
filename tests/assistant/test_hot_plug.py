"""From the plug to the ear: how long it takes until an array that was put back is heard again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from device.assistant.hub import Assistant
from device.audio.loudspeaker import Loudspeaker
from device.audio.microphone import PortAudioMicrophone
from device.audio.playback_thread import PortAudioCard
from device.board.profiles import profile_named
from device.config import parse
from tests.rig.fakes import Hub, until
from tests.rig.sound import SoundServer

WITHIN_S = 10.0


async def test_an_array_that_is_put_back_is_heard_within_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, sound_server: SoundServer
) -> None:
    """Real sound in and out; nothing but its arrival ends the wait for the next try."""
    monkeypatch.setattr("device.audio.keep_open.FIRST_DELAY_S", 3600.0)
    hub = Hub()
    array = profile_named("xvf3800")
    parts = replace(
        hub.parts(),
        microphone=lambda _config: PortAudioMicrophone(),
        speaker=lambda _config: Loudspeaker(PortAudioCard()),
        profile=lambda _config, _microphone: array,
    )
    hub.plugged = frozenset({"card 1", "1-1 001a 5"})
    hub.assistant = Assistant(parse("", "test.yaml"), parts, hub.detector, lambda _: None)
    async with hub.running(hearing=False):
        await until(lambda: hub.state == "idle")
        claimed = hub.made.count("lights")
        sound_server.kill()
        hub.plugged = frozenset()
        await until(lambda: hub.assistant.faults.in_force("microphone", "speaker"))
        await until(lambda: hub.state == "fault")
        levels = len(hub.refitted)
        await asyncio.to_thread(sound_server.restart)
        hub.plugged = frozenset({"card 1", "1-1 001a 6"})
        began = time.monotonic()
        await until(lambda: hub.state == "idle")
        heard_s = time.monotonic() - began
        await until(lambda: not hub.assistant.faults.active)
        print(
            f"\nan array that is put back is heard after {heard_s:.1f} s,"
            f" and heard from after {time.monotonic() - began:.1f} s"
        )
        assert heard_s < WITHIN_S
        await until(lambda: len(hub.refitted) > levels)
        await until(lambda: hub.made.count("lights") > claimed)
