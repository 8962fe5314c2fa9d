"""The commands of the control socket, given to a hub made of fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from device import __version__
from device.config import Config, parse
from device.config.file import ConfigFile
from device.config.last_good import LastGood
from device.control.commands import ASK_TEXT_CHARACTERS, Commands
from device.echo.canceller import EchoCanceller
from device.echo.path import EchoFigures
from device.errors import (
    ConfigError,
    ControlError,
    CredentialError,
    Mistake,
    ParleyError,
    WakeModelError,
)
from device.events import SUBSCRIBER_EVENTS, EventName, PublicEvent
from device.news import (
    Detection,
    Failure,
    FailureKind,
    FirstSound,
    PlaybackDrained,
    SessionClosed,
    SessionFailed,
    Transcript,
    TurnComplete,
    Unheard,
)
from device.service.latency import Kind
from tests.rig.fakes import MODEL, PATIENCE_S, Hub, microphone_device, speaker_device, until
from tests.rig.jpeg_headers import jpeg


class Desk:
    """A running speaker and its commands."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        path = Path("/etc/parley/config.yaml")
        file = ConfigFile(path, Config, LastGood(None, path, parse))
        self.commands = Commands(hub.assistant, self._reload, file)
        self.reloaded: set[str] | ParleyError = set()

    async def _reload(self) -> set[str]:
        if isinstance(self.reloaded, ParleyError):
            raise self.reloaded
        return self.reloaded

    async def give(self, command: str, **fields: Any) -> list[dict[str, Any]]:
        records = self.commands.table()[command]({"command": command, **fields})
        return [dict(record) async for record in records]

    async def result(self, command: str, **fields: Any) -> dict[str, Any]:
        *_, last = await self.give(command, **fields)
        result: dict[str, Any] = last["result"]
        return result


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    hub = Hub()
    async with hub.running():
        yield Desk(hub)


async def test_the_status_is_whole(desk: Desk) -> None:
    """Everything that has a bound or can go wrong is in it, and it is JSON."""
    status = json.loads(json.dumps(await desk.result("status")))
    assert 0 <= status.pop("uptime_s") < 60
    assert set(status.pop("duplex")) == {"mode", "why", "canceller"}
    assert status.pop("echo") == {
        "return_loss_db": None,
        "erle_db": None,
        "residue_db": None,
        "noise_dbfs": None,
        "delay_ms": None,
        "drift_ppm": None,
        "needed_db": 40.0,
        "learned": False,
    }
    assert status.pop("outlook") is None
    money = status.pop("spending")
    assert (money["currency"], money["day"]["spent"], money["day"]["level"]) == ("USD", 0.0, "")
    nothing = {"p50": None, "p95": None, "max": None, "count": 0}
    assert status.pop("latency_ms") == dict.fromkeys(Kind, nothing)
    assert status == {
        "version": __version__,
        "state": "idle",
        "muted": False,
        "muted_by": None,
        "ready": True,
        "config": {"file": "/etc/parley/config.yaml", "in_force": "file", "mistakes": []},
        "board": "none",
        "lights": 3,
        "lights_show": "idle",
        "microphone": "microphone A",
        "microphone_device": asdict(microphone_device()),
        "speaker": "loudspeaker A",
        "speaker_device": asdict(speaker_device()),
        "volume": 60,
        "wake_words": ["hey_test"],
        "wake_personas": {"hey_test": None},
        "wake_clips": {"keep": "none", "waiting": 0, "counters": {"taken": 0, "dropped": 0}},
        "timers": {"set": 0, "next_due": None, "ringing": [], "kept": True},
        "mcp_servers": [],
        "camera": None,
        "hop_ms": {"p50": 7.0, "max": 12.5},
        "session": {
            "number": 0,
            "persona": None,
            "resumable_by_persona": {},
            "model": None,
            "open_s": None,
            "apologies": 0,
            "unheard": {},
            "refused_settings": [],
            "resumable_s": None,
        },
        "faults": [],
        "last_fault": None,
        "counters": {
            "microphone": {"frames": 1, "overruns": 0, "dropped": 0},
            "wake": {"hops": 1, "quiet": 0, "dropped": 0, "gaps": 0},
            "speaker": {"underruns": 0},
            "talking_over": {"barge_ins": 0, "paused_for_nothing": 0},
            "records": {"noted": 0, "waiting": 0, "dropped": 0, "odd": 0, "failing": 0},
        },
    }


async def test_the_settings_in_force_are_shown_with_where_they_come_from(desk: Desk) -> None:
    """`parley config show` asks for them."""
    desk.commands._file.refused(["config.yaml:1:2: no"])
    shown = await desk.result("config")
    assert parse(shown.pop("settings"), "shown.yaml") == Config()
    assert shown == (await desk.result("status"))["config"]
    assert shown["mistakes"] == ["config.yaml:1:2: no"]


async def test_the_status_shows_the_latencies(desk: Desk) -> None:
    """As the hub has measured them."""
    desk.hub.assistant.latency.sent([10.0], 10.0311)
    figures = (await desk.result("status"))["latency_ms"]["microphone_to_wire"]
    assert figures == {"p50": 31.1, "p95": 31.1, "max": 31.1, "count": 1}


async def test_the_status_shows_the_session_and_the_faults(desk: Desk) -> None:
    """With the session's own counters."""
    await desk.hub.wake()
    desk.hub.assistant.faults.begin("lights", "no spi")
    status = await desk.result("status")
    session = status["session"]
    assert session.pop("open_s") >= 0
    assert session == {
        "number": 1,
        "persona": None,
        "resumable_by_persona": {},
        "model": MODEL,
        "apologies": 0,
        "unheard": {},
        "refused_settings": [],
        "resumable_s": None,
        "frames_sent": 7,
        "connections": 1,
    }
    assert [fault["kind"] for fault in status["faults"]] == ["lights"]
    assert status["last_fault"]["message"] == "no spi"


async def test_the_status_shows_the_talk_that_the_next_wake_word_continues(desk: Desk) -> None:
    """For as long as the owner wants it to."""
    session = await desk.hub.wake()
    desk.hub.past.keep("H", MODEL, "host", 0.0)
    session.end(SessionClosed(session.number, "idle", 1.0))
    await until(lambda: desk.hub.assistant.sessions.session is None)
    assert 0 <= (await desk.result("status"))["session"]["resumable_s"] < 60
    desk.hub.past.at -= 7_201
    assert (await desk.result("status"))["session"]["resumable_s"] is None


async def test_mute_answers_when_the_microphone_is_closed(desk: Desk) -> None:
    """And unmute opens it again."""
    assert await desk.result("mute") == {"muted": True}
    assert not desk.hub.microphone.is_open
    assert (await desk.result("status"))["muted"] is True
    assert await desk.result("unmute") == {"muted": False}
    await until(lambda: desk.hub.microphone.is_open)


async def test_stop_ends_the_talk(desk: Desk) -> None:
    """And says where the speaker is then."""
    await desk.hub.speaking()
    assert await desk.result("stop") == {"state": "idle"}
    assert desk.hub.speaker.cleared == 1


async def test_the_volume_is_shown_and_set(desk: Desk) -> None:
    """0 and 100 are volumes."""
    assert await desk.result("volume", percent=None) == {"volume": 60}
    for percent in (0, 100):
        assert await desk.result("volume", percent=percent) == {"volume": percent}
    assert desk.hub.speaker.volumes == [0, 100]


@pytest.mark.parametrize("percent", [-1, 101, 50.0, "50", True])
async def test_what_is_no_volume_is_refused(desk: Desk, percent: object) -> None:
    """Whoever speaks to the socket by hand is told what it takes."""
    with pytest.raises(ControlError, match=f"volume {percent!r} is not a whole number from 0 to"):
        await desk.give("volume", percent=percent)
    assert desk.hub.speaker.volumes == []


async def test_reload_tells_what_changed(desk: Desk) -> None:
    """In order, so that scripts can compare."""
    desk.reloaded = {"wake.words", "audio.volume"}
    assert await desk.result("reload") == {"changed": ["audio.volume", "wake.words"]}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ConfigError("c.yaml", [Mistake("a", "wrong", 1, 2), Mistake("b", "too", 3, 4)]),
            "c.yaml:1:2: a: wrong\nc.yaml:3:4: b: too",
        ),
        (WakeModelError("no such network"), "no such network"),
    ],
)
async def test_a_refused_file_is_told_with_every_mistake(
    desk: Desk, error: ParleyError, message: str
) -> None:
    """To the one who typed `parley reload`."""
    desk.reloaded = error
    with pytest.raises(ControlError) as caught:
        await desk.give("reload")
    assert str(caught.value) == message


# --- measure -------------------------------------------------------------------------------------


async def test_measure_answers_when_the_sentence_was_heard(desk: Desk) -> None:
    """With what was found out; here it was too short for that."""
    control = desk.hub.assistant.echo
    measured = asyncio.create_task(desk.result("measure"))
    await until(lambda: desk.hub.speaker.announced)
    control.quiet.clear()
    control.sounding.set()
    await desk.hub.hear()
    await measured
    result = json.loads(json.dumps(measured.result()))
    assert result["duplex"] == {
        "mode": "half",
        "why": "it is not known yet how much the microphone hears of the loudspeaker",
        "canceller": "software",
    }
    status = await desk.result("status")
    assert result == {"duplex": status["duplex"], "echo": status["echo"]}


async def test_the_figures_are_no_longer_than_they_are_exact(desk: Desk) -> None:
    """To a tenth; truth is truth, and what is not known stays so."""
    figures = EchoFigures(6.123, 25.06, 5.14, -61.28, 86.04, None, 39.995, learned=True)
    desk.hub.assistant.echo.echo = cast("EchoCanceller", SimpleNamespace(figures=figures))
    assert (await desk.result("status"))["echo"] == {
        "return_loss_db": 6.1,
        "erle_db": 25.1,
        "residue_db": 5.1,
        "noise_dbfs": -61.3,
        "delay_ms": 86.0,
        "drift_ppm": None,
        "needed_db": 40.0,
        "learned": True,
    }
    assert (await desk.result("status"))["outlook"]["like"] == "a living room"


async def test_the_meter_shows_what_the_microphone_hears_until_the_client_goes(desk: Desk) -> None:
    """With the best score of each wake word, and whether it is muted."""
    desk.hub.detector.score = 0.42
    async with aclosing(desk.commands.table()["meter"]({"command": "meter"})) as readings:
        hearing = asyncio.create_task(desk.hub.hear(2))
        async for reading in readings:
            if reading["levels"]:
                break
        await hearing
        assert reading["microphone"] == "microphone A"
        assert reading["microphone_device"] == asdict(microphone_device())
        assert reading["scores"] == {"hey_test": 0.42}
        assert reading["muted"] is False
        await desk.give("mute")
        assert (await anext(readings))["muted"] is True
    assert desk.hub.microphone.taps == set()


async def test_measure_is_refused_while_somebody_talks(desk: Desk) -> None:
    """With what the speaker is doing; it says nothing into the talk."""
    await desk.hub.wake()
    with pytest.raises(ControlError, match="now: the speaker is listening"):
        await desk.give("measure")
    assert desk.hub.speaker.announced == []


async def test_measure_is_refused_while_the_microphone_is_closed(desk: Desk) -> None:
    """With the command that opens it."""
    await desk.result("mute")
    with pytest.raises(ControlError, match="the microphone is muted; see: parley unmute"):
        await desk.give("measure")


# --- watch ---------------------------------------------------------------------------------------


async def test_watch_gives_every_event_as_it_happens(desk: Desk) -> None:
    """Also those that come while the reader takes its time with the one before."""
    bus = desk.hub.assistant.bus
    events = [
        PublicEvent(EventName.BUTTON, float(number), {"gesture": "tap"}) for number in range(3)
    ]
    async with aclosing(desk.commands.table()["watch"]({})) as watch, asyncio.timeout(PATIENCE_S):
        first = asyncio.ensure_future(anext(watch))
        await until(lambda: len(bus._subscribers) == 2)
        bus.publish(events[0])
        seen = [await first]
        # The reader has the first event in hand and has not asked for the next.
        bus.publish(events[1])
        seen.append(await anext(watch))
        bus.publish(events[2])
        seen.append(await anext(watch))
    assert seen == [event.as_record() for event in events]
    assert len(bus._subscribers) == 1


async def test_a_watcher_that_was_too_slow_is_told_what_it_lost(desk: Desk) -> None:
    """Once, before what is left."""
    bus = desk.hub.assistant.bus
    async with aclosing(desk.commands.table()["watch"]({})) as watch, asyncio.timeout(PATIENCE_S):
        first = asyncio.ensure_future(anext(watch))
        await until(lambda: len(bus._subscribers) == 2)
        for number in range(SUBSCRIBER_EVENTS + 5):
            bus.publish(PublicEvent(EventName.BUTTON, float(number)))
        lost, next_one, another = await first, await anext(watch), await anext(watch)
    assert (lost["event"], lost["events"]) == ("lost", 5)
    assert (next_one["time"], another["time"]) == (5.0, 6.0)


# --- ask -----------------------------------------------------------------------------------------


class Question:
    """A question that is being answered."""

    def __init__(self, desk: Desk, text: str = "why?", **more: Any) -> None:
        self.hub = desk.hub
        self.told: list[dict[str, Any]] = []
        self.over = asyncio.create_task(self._follow(desk, {"text": text, **more}))

    async def _follow(self, desk: Desk, request: dict[str, Any]) -> None:
        async with aclosing(desk.commands.table()["ask"](request)) as records:
            async for record in records:
                self.told.append(dict(record))

    async def asked(self) -> None:
        await until(lambda: self.hub.sessions and ">why?" in self.hub.session.sent)
        if self.hub.state == "connecting":
            self.hub.session.opened()

    def answer(self, turn: int, *pieces: str) -> None:
        self.hub.session.say(turn)
        for piece in pieces:
            self.say("model", turn, piece)
        self.hub.session.post(TurnComplete(self.hub.session.number, turn, 0.0))

    def say(self, who: Any, turn: int, text: str) -> None:
        session = self.hub.session
        session.post(Transcript(session.number, turn, who, text, False, 1.0))

    def heard(self, turn: int) -> None:
        self.hub.assistant.post(PlaybackDrained(turn, 900, 2.0))

    async def failure(self) -> str:
        with pytest.raises(ControlError) as caught:
            await self.over
        return str(caught.value)


async def test_a_question_is_answered_with_the_models_words(desk: Desk) -> None:
    """Piece by piece; it is over when the answer has been heard."""
    question = Question(desk, "  why?  ")
    await question.asked()
    assert desk.hub.session.sent == [">why?"]
    question.say("user", 1, "why?")
    question.answer(1, "be", "cause")
    await until(lambda: len(question.told) == 2)
    assert not question.over.done()
    question.heard(1)
    await question.over
    assert [record.get("text") for record in question.told] == ["be", "cause", None]
    assert question.told[-1] == {"result": {"state": "idle"}}
    await until(lambda: len(desk.hub.assistant.bus._subscribers) == 1)


async def test_the_end_of_an_earlier_reply_is_not_the_end_of_the_answer(desk: Desk) -> None:
    """News of what was playing may already be on its way when the question is typed."""
    await desk.hub.speaking(turn=1)
    question = Question(desk)
    await question.asked()
    question.heard(1)
    question.answer(2, "because")
    question.heard(2)
    await question.over
    assert [record.get("text") for record in question.told] == ["because", None]


async def test_a_question_over_a_broken_reply_waits_for_the_new_session(desk: Desk) -> None:
    """The reply that still plays is cut; going from speaking to connecting is no end."""
    session = await desk.hub.speaking(turn=1)
    failure = Failure(FailureKind.NETWORK, "no network", retryable=True)
    session.end(SessionFailed(1, failure, MODEL, 0.0))
    await until(lambda: desk.hub.assistant.talk.now.session == 0)
    question = Question(desk)
    await until(lambda: len(desk.hub.sessions) == 2)
    await question.asked()
    question.answer(2, "because")
    question.heard(2)
    await question.over
    assert question.told[-1] == {"result": {"state": "idle"}}


async def test_an_answer_that_is_cut_short_is_over(desk: Desk) -> None:
    """By `parley stop`, a tap or the wake word: nothing went wrong."""
    question = Question(desk)
    await question.asked()
    question.answer(1, "be")
    await desk.result("stop")
    await question.over
    assert question.told[-1] == {"result": {"state": "idle"}}


async def test_a_failed_session_is_the_answer(desk: Desk) -> None:
    """In the words of the failure."""
    desk.hub.no_session = CredentialError("no API key: set GEMINI_API_KEY")
    question = Question(desk)
    assert await question.failure() == "no API key: set GEMINI_API_KEY"


async def test_no_answer_is_told(desk: Desk) -> None:
    """The server says nothing aloud."""
    question = Question(desk)
    await question.asked()
    desk.hub.session.post(TurnComplete(1, 1, 0.0))
    assert await question.failure() == "no answer came (idle: turn complete)"


async def test_an_answer_that_cannot_be_heard_is_waited_for_until_it_is_told(desk: Desk) -> None:
    """Asked again and afresh meanwhile."""
    question = Question(desk)
    await question.asked()
    for turn in (1, 2, 3):
        assert not question.over.done()
        desk.hub.session.post(Unheard(1, turn, "text_only", False, 0.0))
    failure = "the answer could not be heard (text only), though it was asked again"
    assert await question.failure() == failure


@pytest.mark.parametrize(
    ("name", "persona"), [("puck", "puck"), ("default", ""), (None, "eve")], ids=str
)
async def test_a_question_can_name_who_is_asked(name: str | None, persona: str) -> None:
    """Default is nobody in particular; without a name it is whoever would be tapped."""
    hub = Hub("wake: {words: [{model: alexa, persona: eve}]}\npersonas: {eve: , puck: }")
    async with hub.running():
        desk = Desk(hub)
        asking = asyncio.create_task(
            desk.give("ask", text="why?", **({"as": name} if name else {}))
        )
        await until(lambda: hub.sessions)
        assert hub.assistant.talk.now.persona == persona
        assert hub.session.sent == [">why?"]
        await desk.give("stop")
        with pytest.raises(ControlError):
            await asking


@pytest.mark.parametrize(("heard", "called"), [(False, "eve"), (True, "eve"), (False, "")])
async def test_what_another_persona_says_is_no_answer(heard: bool, called: str) -> None:
    """Its wake word ends the talk of the question; the command does not print on in its words."""
    hub = Hub("wake: {words: [{model: alexa, persona: eve}]}\npersonas: {eve: , puck: }")
    async with hub.running():
        asking = asyncio.create_task(Desk(hub).give("ask", text="why?", **{"as": "puck"}))
        await until(lambda: hub.sessions)
        hub.session.opened()
        if heard:
            hub.session.say(1)
            hub.assistant.post(FirstSound(1, 1.0))
        hub.assistant.post(Detection("alexa", 0.9, 16_000, 1.0, called))
        if heard:
            assert (await asking)[-1] == {"result": {"state": "connecting"}}
        else:
            with pytest.raises(ControlError) as caught:
                await asking
            told = f"no answer came: {called or 'default'} was called before puck answered"
            assert str(caught.value) == told


@pytest.mark.parametrize("name", ["pock", "", 7, [], "\x1b[2J", "x" * 100])
async def test_a_name_that_nobody_has_is_refused(name: object) -> None:
    """With the names that there are; nobody is asked."""
    hub = Hub("personas: {eve: , puck: }")
    async with hub.running():
        with pytest.raises(ControlError) as caught:
            await Desk(hub).give("ask", text="why?", **{"as": name})
        told = str(caught.value)
        assert told.startswith("there is no persona ")
        assert told.endswith("there are: eve, puck, default")
        assert len(told) < 120
        assert "\x1b" not in told
        assert hub.sessions == []


@pytest.mark.parametrize("text", [None, 7, "", "  \n"])
async def test_nothing_to_ask_is_refused(desk: Desk, text: object) -> None:
    """No session is opened for it."""
    with pytest.raises(ControlError, match="there is nothing to ask"):
        await desk.give("ask", text=text)
    assert desk.hub.sessions == []


async def test_a_question_can_be_about_a_picture(desk: Desk) -> None:
    """It goes to the session with the text."""
    question = Question(desk, attached=jpeg(300, 200))
    await question.asked()
    (enclosed,) = desk.hub.session.enclosed
    assert (enclosed.width, enclosed.height) == (300, 200)
    question.over.cancel()


async def test_what_is_no_picture_is_refused(desk: Desk) -> None:
    """No session is opened for it."""
    with pytest.raises(ControlError, match="the picture is no whole JPEG"):
        await desk.give("ask", text="what is this?", attached=b"GIF89a")
    assert desk.hub.sessions == []


async def test_a_text_that_is_too_long_is_refused(desk: Desk) -> None:
    """With its length and the limit."""
    with pytest.raises(ControlError, match="has 4001 characters; at most 4000"):
        await desk.give("ask", text="x" * (ASK_TEXT_CHARACTERS + 1))
