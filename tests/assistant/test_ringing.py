"""What rings is heard, seen and said, and stops when somebody says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from device import news as n
from device.assistant.parts import Parts
from device.audio.chimes import ALARM_EVERY_S
from device.config import Config, parse
from device.lights.patterns import Pattern
from device.news import ButtonEdge
from device.timers.memory import TimerMemory
from tests.rig.fakes import Hub, until
from tests.timers.jumping import JumpingClocks

NEAR = 1.0
"""Seconds by which a machine that is busy may be late."""


class Ringer(Hub):
    """A speaker whose clocks a test moves, and which can say anything: its words in bytes."""

    def __init__(
        self, config: str = "", *, state: Path | None = None, clocks: JumpingClocks | None = None
    ) -> None:
        self.clocks = clocks or JumpingClocks()
        self.voiceless = False
        super().__init__(config, state=state)

    def parts(self) -> Parts:
        memory = TimerMemory(self._state)
        parts = super().parts()
        # The first to ask for clocks is whoever rings by them.
        clocks = chain([self.clocks], iter(JumpingClocks, None))
        return replace(parts, clocks=lambda: next(clocks), timer_memory=memory, spoken=self._spoken)

    def _spoken(self, _config: Config, text: str) -> bytes | None:
        return None if self.voiceless else f"<{text}>".encode()

    @property
    def rings(self) -> list[int]:
        return [entry.id for entry in self.assistant.alarm_clock.ringing]

    @property
    def shows(self) -> Pattern:
        return self.assistant.panel.shows


@asynccontextmanager
async def ringing(
    config: str = "", *, name: str = "", text: str = "", hub: Ringer | None = None
) -> AsyncIterator[Ringer]:
    """A speaker at rest at which something has just begun to ring."""
    hub = hub or Ringer(config)
    async with hub.running():
        clock = hub.assistant.alarm_clock
        if text:
            await clock.set_alarm("12:10", name=name, text=text)
        else:
            await clock.set_timer(600, name)
        hub.clocks.go_on(600)
        await until(lambda: hub.speaker.ringing)
        yield hub


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clocks begin at noon there."""
    monkeypatch.setenv("TZ", "Europe/Berlin")


def tap(hub: Hub, ago_s: float = 0.0) -> None:
    at = time.monotonic() - ago_s
    for edge in (ButtonEdge(True, at), ButtonEdge(False, at + 0.1)):
        hub.assistant.post(edge)


async def quiet(hub: Ringer) -> None:
    """Nothing rings any more, in any way."""
    await until(lambda: not hub.rings)
    assert not hub.speaker.ringing
    assert hub.shows is not Pattern.RINGING
    assert not hub.detector.listening_for_stop
    assert hub.assistant.ringing.as_dict()["ringing"] == []


async def test_it_is_heard_and_seen_and_listens_for_a_stop() -> None:
    """As loud as the speaker is, softest at first; and told."""
    async with ringing(name="tea") as hub:
        assert hub.rings == [1]
        rung_s, percent, words = hub.speaker.rings[0]
        assert (percent, words) == (60, b"")
        assert rung_s < NEAR
        assert hub.shows is Pattern.RINGING
        assert hub.detector.listening_for_stop
        assert hub.state == "idle"
        (told,) = hub.told("timer", what="ringing")
        assert (told.fields["name"], told.fields["kind"]) == ("tea", "timer")


async def test_it_rings_again_and_again_louder_and_says_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not over the notes of the first alarm: after every third, from the second on."""
    monkeypatch.setattr("device.assistant.ringing.ALARM_EVERY_S", ALARM_EVERY_S / 100)
    monkeypatch.setattr("device.assistant.ringing.ALARM_PAUSE_S", 0.01)
    async with ringing(name="tea") as hub:
        await until(lambda: len(hub.speaker.rings) >= 6)
        rung = [rung_s for rung_s, _, _ in hub.speaker.rings]
        assert rung == sorted(rung)
        said = [place for place, (_, _, words) in enumerate(hub.speaker.rings) if words]
        assert said[0] in {1, 4}  # its words may be ready too late for the second
        assert hub.speaker.rings[said[0]][2] == b"<tea>"
        assert all(place % 3 == 1 for place in said)


async def test_a_reminder_says_what_it_reminds_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not what it is called."""
    monkeypatch.setattr("device.assistant.ringing.ALARM_EVERY_S", 0.02)
    monkeypatch.setattr("device.assistant.ringing.ALARM_PAUSE_S", 0.01)
    async with ringing(name="bins", text="take out the bins") as hub:
        await until(lambda: b"<take out the bins>" in [words for _, _, words in hub.speaker.rings])


async def test_without_a_voice_it_rings_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without words."""
    monkeypatch.setattr("device.assistant.ringing.ALARM_EVERY_S", 0.02)
    monkeypatch.setattr("device.assistant.ringing.ALARM_PAUSE_S", 0.01)
    hub = Ringer()
    hub.voiceless = True
    async with ringing(name="tea", hub=hub):
        await until(lambda: len(hub.speaker.rings) >= 6)
        assert {words for _, _, words in hub.speaker.rings} == {b""}


@pytest.mark.parametrize(
    ("config", "percent"),
    [
        ("audio: {volume: 35}", 35),
        ("audio: {volume: 0}", 20),
        ("{audio: {volume: 0}, timers: {volume: 90}}", 90),
        ("timers: {volume: 5}", 5),
    ],
)
async def test_its_loudness_is_its_own(config: str, percent: int) -> None:
    """Or the speaker's, but nobody who turned that down at night sleeps on."""
    async with ringing(config) as hub:
        assert hub.speaker.rings[0][1] == percent


async def test_it_stops_by_itself_after_its_time() -> None:
    """As the owner has it."""
    async with ringing("timers: {ring_s: 60}") as hub:
        hub.clocks.go_on(59)
        await asyncio.sleep(0)
        assert hub.rings == [1]
        hub.clocks.go_on(1)
        await quiet(hub)
        assert [each.fields["what"] for each in hub.told("timer")] == ["set", "ringing", "stopped"]


@pytest.mark.parametrize("way", ["tap", "word", "stop", "command"])
async def test_it_stops_when_told(way: str) -> None:
    """At once, and nothing else happens."""
    async with ringing() as hub:
        match way:
            case "tap":
                tap(hub)
            case "word":
                hub.detector.stop_word(5)
            case "stop":
                hub.assistant.post(n.Stop())
            case "command":
                await hub.assistant.alarm_clock.stop()
        assert not hub.speaker.ringing
        await quiet(hub)
        assert hub.state == "idle"
        assert hub.sessions == []
        assert hub.speaker.chimes == []


async def test_a_tap_that_is_mapped_to_something_else_stops_it() -> None:
    """Whoever is woken does not remember what."""
    async with ringing("button: {gestures: {tap: mute, long_hold: none}}") as hub:
        tap(hub, ago_s=2.0)
        await quiet(hub)
        assert hub.state == "idle"
        tap(hub)
        await until(lambda: hub.state == "muted")


async def test_the_wake_word_stops_it_and_listens() -> None:
    """It may be about something else; a "stop" after it ends the talk that nobody wanted."""
    async with ringing() as hub:
        session = await hub.wake()
        assert not hub.speaker.ringing
        assert hub.state == "listening"
        assert hub.detector.listening_for_stop
        hub.detector.stop_word(5)
        assert hub.state == "idle"
        await quiet(hub)
        assert session.sent.count("end") == 1


async def test_what_the_wake_word_has_stopped_can_be_snoozed() -> None:
    """By the model: it is told what was stopped, and lets it ring again."""
    async with ringing(name="school") as hub:
        await hub.wake()
        assert hub.functions is not None
        there = await hub.functions.run("list_timers", {})
        stopped = {"id": 1, "kind": "timer", "name": "school"}
        assert there == {"output": {"timers": [], "stopped_just_now": [stopped]}}
        again = await hub.functions.run("change_timer", {"name": "school", "add_s": 540, "id": 0})
        assert again["output"]["changed"]["left_s"] == 540
        hub.assistant.post(n.Stop())
        hub.clocks.go_on(540)
        await until(lambda: hub.speaker.ringing)


async def test_it_rings_while_the_microphone_is_muted() -> None:
    """And is seen; it hears nobody then, so a tap stops it."""
    hub = Ringer()
    async with hub.running():
        await hub.assistant.mute.mute()
        await until(lambda: hub.state == "muted")
        await hub.assistant.alarm_clock.set_timer(60)
        hub.clocks.go_on(60)
        await until(lambda: hub.speaker.ringing)
        assert hub.shows == "ringing"
        tap(hub)
        await quiet(hub)
        assert hub.shows == "muted"
        assert hub.speaker.chimes == []


async def test_a_reply_goes_on_under_it() -> None:
    """A stop word silences the alarm and not the reply; a tap silences both."""
    hub = Ringer()
    async with hub.running():
        session = await hub.speaking()
        await hub.assistant.alarm_clock.set_timer(60)
        hub.clocks.go_on(60)
        await until(lambda: hub.speaker.ringing)
        session.say(1)
        assert (hub.state, hub.speaker.cleared) == ("speaking", 0)
        hub.detector.stop_word(5)
        assert (hub.speaker.ringing, hub.state, hub.speaker.cleared) == (False, "speaking", 0)
        await hub.assistant.alarm_clock.set_timer(60)
        hub.clocks.go_on(60)
        await until(lambda: hub.speaker.ringing)
        tap(hub)
        assert (hub.speaker.ringing, hub.speaker.cleared) == (False, 1)


async def test_two_ring_as_one_and_both_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """One alarm at a time; it ends with the last of them."""
    monkeypatch.setattr("device.assistant.ringing.ALARM_EVERY_S", 0.02)
    monkeypatch.setattr("device.assistant.ringing.ALARM_PAUSE_S", 0.01)
    async with ringing(name="tea") as hub:
        await hub.assistant.alarm_clock.set_timer(10, "eggs")
        hub.clocks.go_on(10)
        await until(lambda: hub.rings == [1, 2])
        await until(
            lambda: b"<tea><eggs>" in [words for _, _, words in hub.speaker.rings],
        )
        await hub.assistant.alarm_clock.stop("tea")
        assert hub.speaker.ringing
        await hub.assistant.alarm_clock.stop("eggs")
        await quiet(hub)


async def test_what_was_missed_is_told_when_somebody_can_hear_it(tmp_path: Path) -> None:
    """Once; a voice says what, and when it was due."""
    first = Ringer(state=tmp_path)
    async with first.running():
        await first.assistant.alarm_clock.set_alarm("13:00", name="dentist")
        assert first.assistant.ringing.as_dict() == {
            "set": 1,
            "next_due": "2026-12-01T13:00:00+01:00",
            "ringing": [],
            "kept": True,
        }
    clocks = JumpingClocks(first.clocks.wall_s + 3 * 3_600)
    clocks.boot = 2
    second = Ringer(state=tmp_path, clocks=clocks)
    async with second.running():
        await until(lambda: second.speaker.announced)
        assert second.speaker.announced == [b"None: missed<dentist, 13:00>"]
        assert second.speaker.chimes == ["missed"]
        assert [each.fields["name"] for each in second.told("timer", what="missed")] == ["dentist"]
        assert second.rings == []
        second.assistant.ringing.audible(True)
        await asyncio.sleep(0)
        assert len(second.speaker.announced) == 1


async def test_what_is_only_late_is_told_and_rings(tmp_path: Path) -> None:
    """An hour at most. Where sentences are off, it is a chime."""
    first = Ringer(state=tmp_path)
    async with first.running():
        await first.assistant.alarm_clock.set_alarm("12:30")
    clocks = JumpingClocks(first.clocks.wall_s + 3_000)
    clocks.boot = 2
    second = Ringer("audio: {announcements: off}", state=tmp_path, clocks=clocks)
    async with second.running():
        await until(lambda: second.speaker.ringing and second.speaker.chimes)
        assert second.speaker.chimes == ["missed"]
        assert second.speaker.announced == []


async def test_the_owner_may_keep_the_model_from_it() -> None:
    """What is set otherwise rings in any case."""
    async with ringing("tools: {timers: off}") as hub:
        await hub.wake()
        assert hub.functions is not None
        assert "set_timer" not in {each.name for each in hub.functions.declared}
        assert "set timers or alarms" not in hub.functions.abilities
        hub.assistant.settings.replace(parse("", "test.yaml"))
        assert "set timers or alarms" in hub.functions.abilities
        answer = await hub.functions.run("set_timer", {"duration_s": 60})
        assert answer["output"]["set"]["left_s"] == 60
        hub.functions.undo("set_timer", answer)
        assert hub.assistant.alarm_clock.entries == []
        hub.functions.undo("set_timer", answer)
