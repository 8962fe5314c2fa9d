"""What a model may do with the speaker: as the owner wants it, and in an open talk only."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from device import news as n
from device.assistant import books
from device.config import parse
from device.live.departures import SoundLeaves, SoundLeft, TextLeaves
from tests.records.test_store import wait_for
from tests.rig.fakes import FakeSession, Hub, until


async def called(hub: Hub, name: str, **arguments: Any) -> Mapping[str, Any]:
    assert hub.functions is not None
    return await hub.functions.run(name, arguments)


def heard(hub: Hub, turn: int) -> None:
    hub.assistant.post(n.PlaybackDrained(turn, 900, 1.0))


async def asked(hub: Hub) -> FakeSession:
    """The user has said something, and the model thinks."""
    session = await hub.wake()
    hub.detector.speech(speaking=True)
    hub.detector.speech(speaking=False)
    assert hub.state == "thinking"
    return session


def told(session: FakeSession, what: Any, name: str = "set_volume") -> None:
    session.post(n.ToolNews(session.number, what, name, 1.0))


async def test_the_volume_is_changed_and_shown() -> None:
    """As by the button; what was cancelled is taken back."""
    hub = Hub()
    async with hub.running():
        await asked(hub)
        answer = await called(hub, "set_volume", change=10)
        assert answer == {"output": {"volume_percent": 70, "before": 60}}
        assert hub.speaker.volumes[-1] == 70
        assert hub.functions is not None
        hub.functions.undo("set_volume", answer)
        assert hub.speaker.volumes[-1] == 60


async def test_the_model_can_do_what_the_owner_allows() -> None:
    """From the next session on."""
    hub = Hub("tools: {device: off, timers: off}")
    async with hub.running():
        await asked(hub)
        assert hub.functions is not None
        assert (list(hub.functions.declared), list(hub.functions.abilities)) == ([], [])
        assert "no function" in (await called(hub, "set_volume", percent=1))["error"]
        hub.assistant.settings.replace(parse("tools: {device: on}", "test.yaml"))
        names = {each.name for each in hub.functions.declared}
        assert {"set_volume", "mute_microphone", "end_conversation", "get_time"} < names


async def test_nothing_is_done_when_nobody_talks() -> None:
    """A server cannot turn the volume up at night."""
    hub = Hub()
    async with hub.running():
        await asked(hub)
        hub.assistant.post(n.Stop())
        assert hub.state == "idle"
        assert "nobody is talking" in (await called(hub, "set_volume", percent=100))["error"]
        assert hub.speaker.volumes == []


async def test_it_says_how_it_stands() -> None:
    """What is wrong, how loud it is, how much sound has left."""
    hub = Hub()
    async with hub.running():
        await asked(hub)
        hub.assistant.faults.begin("lights", "no spi")
        report = (await called(hub, "get_status"))["output"]
        assert (report["wrong"], report["volume_percent"]) == (["no spi"], 60)
        today = {"sound_s": 0.0, "sound_bytes": 0, "pictures": 0, "texts": 0, "function_calls": 0}
        assert report["sent_today"] == today


async def test_what_was_sent_today_is_told_with_what_leaves_at_this_moment() -> None:
    """Also when it is the first question of the day, whose own words are on their way."""
    hub = Hub()
    async with hub.running():
        session = await asked(hub)
        post = hub.assistant._sent
        post(SoundLeaves(session.number, 1, 1.0))
        post(SoundLeft(session.number, 1, 7, 4480, 0, (), 1.0))
        post(TextLeaves(session.number, 1, 1, 12, False, False, True, 1.0))
        told(session, "called")
        report = (await called(hub, "get_status"))["output"]
        assert report["sent_today"] == {
            "sound_s": 0.1,
            "sound_bytes": 4480,
            "pictures": 0,
            "texts": 1,
            "function_calls": 1,
        }


async def test_a_disk_that_does_not_answer_keeps_no_model_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is told that nobody knows."""
    monkeypatch.setattr(books, "PATIENCE_S", 0.01)
    hub = Hub()
    async with hub.running():
        await asked(hub)
        release = threading.Event()
        hub.assistant.records._jobs.put(partial(wait_for, release))
        report = (await called(hub, "get_status"))["output"]
        release.set()
        assert report["sent_today"] == "not known: the disk does not answer"


@pytest.mark.parametrize("transcripts", ["on", "off"])
async def test_what_a_function_was_called_with_is_in_the_journal_only_where_words_are(
    transcripts: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its name always is."""
    caplog.set_level(logging.INFO)
    hub = Hub(f"privacy: {{log_transcripts: {transcripts}}}")
    async with hub.running():
        session = await asked(hub)
        await called(hub, "set_volume", percent=33)
        told(session, "called")
        told(session, "answered")
    assert ("33" in caplog.text) is (transcripts == "on")
    assert "tool set_volume called" in caplog.text


# --- the talk while a function runs --------------------------------------------------------------


async def test_the_user_is_owed_an_answer_while_a_function_runs() -> None:
    """The turn ends before it on some models: it thinks on, and says so after a second."""
    hub = Hub()
    async with hub.running():
        session = await asked(hub)
        told(session, "called")
        session.post(n.TurnComplete(1, 1, 1.0, more=True))
        assert hub.state == "thinking"
        told(session, "answered")
        assert hub.state == "thinking"
        session.say(2)
        assert hub.state == "speaking"
        session.post(n.TurnComplete(1, 2, 1.0))
        heard(hub, 2)
        assert hub.state == "listening"


async def test_a_filler_before_the_function_is_not_the_answer() -> None:
    """When it has been heard, it thinks on."""
    hub = Hub()
    async with hub.running():
        session = await asked(hub)
        session.say(1)
        told(session, "called")
        session.post(n.TurnComplete(1, 1, 1.0, more=True))
        heard(hub, 1)
        assert hub.state == "thinking"
        told(session, "answered")
        session.say(2)
        assert hub.state == "speaking"


async def test_a_function_that_takes_long_is_no_silent_server() -> None:
    """It has a deadline of its own."""
    hub = Hub()
    async with hub.running():
        session = await asked(hub)
        told(session, "called")
        hub.assistant.post(n.TimedOut(hub.assistant.talk.now.clock, n.Debt.OWED))
        assert (hub.state, hub.told("fault")) == ("thinking", [])
        told(session, "failed")
        hub.assistant.post(n.TimedOut(hub.assistant.talk.now.clock, n.Debt.OWED))
        assert hub.state == "fault"


@pytest.mark.parametrize("says_goodbye", [True, False])
async def test_the_talk_ends_after_the_goodbye(*, says_goodbye: bool) -> None:
    """When it has been heard; a model that says nothing more has said it."""
    hub = Hub()
    async with hub.running():
        session = await asked(hub)
        await called(hub, "end_conversation")
        if says_goodbye:
            session.say(1)
            assert hub.state == "speaking"
            heard(hub, 1)
        else:
            session.post(n.Unheard(1, 1, "empty", False, 1.0))
        assert hub.state == "idle"
        assert session.closed_with is None
        assert hub.speaker.chimes == ["wake", "end"]


async def test_who_goes_on_talking_after_the_goodbye_is_listened_to() -> None:
    """Bye for now, but one more thing."""
    hub = Hub()
    async with hub.running():
        session = await asked(hub)
        await called(hub, "end_conversation")
        session.say(1)
        hub.assistant.post(n.BargedIn(0, 1.0))
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        session.say(2)
        heard(hub, 2)
        assert hub.state == "listening"


async def test_it_mutes_after_it_has_said_so() -> None:
    """As the owner does: the microphone is closed, and stays so."""
    hub = Hub()
    async with hub.running():
        session = await asked(hub)
        await called(hub, "mute_microphone")
        session.say(1)
        assert hub.microphone.is_open
        heard(hub, 1)
        await until(lambda: hub.state == "muted")
        await until(lambda: not hub.microphone.is_open)
        assert hub.assistant.mute.by == "owner"
        await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["tap", "stop", "hold", "barge-in", "mute"])
async def test_whatever_is_pressed_or_said_while_a_function_runs_the_next_talk_is_as_ever(
    way: str,
) -> None:
    """Nobody is owed the answer any more, and it is no debt of the next question."""
    hub = Hub()
    async with hub.running():
        session = await asked(hub)
        told(session, "called")
        match way:
            case "tap":
                hub.assistant.post(n.Tap())
                assert hub.state == "idle"
            case "stop":
                hub.assistant.post(n.Stop())
                assert hub.state == "idle"
            case "hold":
                hub.assistant.post(n.Hold())
                assert hub.state == "listening"
                hub.assistant.post(n.Stop())
            case "barge-in":
                session.say(1)
                hub.assistant.post(n.BargedIn(0, 1.0))
                assert hub.state == "listening"
            case "mute":
                await hub.assistant.mute.mute()
                await until(lambda: hub.state == "muted")
                await hub.assistant.mute.unmute()
                await hub.hear()
                await until(lambda: hub.state == "idle")
        told(session, "answered")
        session = await asked(hub) if hub.state == "idle" else session
        assert hub.assistant.talk.now.calls == 0
        session.say(9)
        assert hub.state == "speaking"
        session.post(n.TurnComplete(session.number, 9, 1.0))
        heard(hub, 9)
        assert hub.state == "listening"
