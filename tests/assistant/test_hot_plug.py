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
from device.lights.patterns import Pattern
from device.news import Post
from tests.rig.fakes import FakeSpeaker, Hub, lost, until
from tests.rig.sound import SoundServer

WITHIN_S = 10.0


async def test_an_array_whose_stream_dies_after_each_opening_is_one_lasting_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is told once, with causes, and restarted once; the light is steady, the tries quiet.

    When it has delivered for long enough it is believed, and heard, again.
    """
    monkeypatch.setattr("device.audio.keep_open.FIRST_DELAY_S", 0.0)
    monkeypatch.setattr("device.audio.relapse.PATIENCE_S", (0.0,))
    monkeypatch.setattr("device.assistant.panel.FAULT_SHOWN_S", 0.0)
    hub = Hub()
    hub.boards["microphone A"] = profile_named("xvf3800")
    async with hub.running():
        for _ in range(3):
            await until(lambda: hub.state == "idle")
            hub.microphone.fail(lost("input device 'A' is gone"))
            await until(lambda: hub.state == "fault")
            hub.microphone.deliver()
        await until(lambda: "xvf3800 restarted" in hub.refitted)
        [fault] = hub.assistant.faults.active
        assert "3 times in a row" in fault.message
        assert "likely causes: its cable, a USB port" in fault.message
        told, path = len(hub.told("fault")), list(hub.path)
        opened = hub.log.count("microphone A opened")
        for _ in range(4):
            hub.microphone.deliver(3)
            hub.microphone.fail(lost("input device 'A' is gone"))
        await until(lambda: hub.log.count("microphone A opened") >= opened + 4)
        assert (len(hub.told("fault")), hub.path) == (told, path)
        await until(lambda: hub.assistant.panel.shows is Pattern.STANDING)
        assert hub.refitted.count("xvf3800 restarted") == 1
        heard = len(hub.detector.fed)
        monkeypatch.setattr("device.audio.keep_open.PROVEN_S", 0.0)
        hub.microphone.fail(lost("input device 'A' is gone"))
        hub.microphone.deliver(2)
        await until(lambda: hub.state == "idle")
        await until(lambda: len(hub.detector.fed) > heard)
        assert not hub.assistant.faults.active


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


class SpeakerOfACard(FakeSpeaker):
    """One that is no sound server's."""

    async def open(self, post: Post) -> None:
        await super().open(post)
        assert self.device is not None
        self.device = replace(self.device, card=1)


async def test_the_loudspeaker_s_card_is_set_though_no_microphone_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An alarm must be heard; and the card may be another than the microphone's anyway."""
    monkeypatch.setattr("device.audio.keep_open.FIRST_DELAY_S", 3600.0)
    hub = Hub()
    hub.microphone.opening = [lost()]
    parts = replace(hub.parts(), speaker=lambda _config: SpeakerOfACard())
    config = parse("mixer: {PCM: 40%}", "test.yaml")
    hub.assistant = Assistant(config, parts, hub.detector, lambda _: None)
    async with hub.running(hearing=False):
        await until(lambda: hub.refitted == ["levels of none by loudspeaker A"])
        assert hub.mixers == [{"PCM": "40%"}]


async def test_levels_that_no_card_gets_are_looked_at_when_both_devices_are_known() -> None:
    """A sound server's devices have none of ours; who has written some hears of it."""
    hub = Hub("mixer: {PCM: 40%}")
    async with hub.running(hearing=False):
        await until(lambda: len(hub.mixers) == 2)
    assert hub.mixers == [{"PCM": "40%"}] * 2
