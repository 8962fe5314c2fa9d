"""Pictures are taken when somebody asks, and everybody sees and hears it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from device import news as n
from device.assistant import panel, pictures
from device.assistant.pictures import LOOKS
from device.config import parse
from device.errors import CameraError
from device.lights.patterns import Pattern
from device.ports import PICTURE
from tests.rig.fakes import FakeCamera, FakeSession, Hub, until

ON = "tools: {camera: on_request}"
BUSY = "USB camera 'HD' is busy: end the other program that uses it"


class Eyes(Hub):
    """A speaker with a camera."""

    def __init__(self, config: str = ON) -> None:
        super().__init__(config)
        self.eye = FakeCamera()
        self.camera = self.eye

    async def look(self, **arguments: Any) -> Mapping[str, Any]:
        assert self.functions is not None
        return await self.functions.run("look", arguments)

    @property
    def shows(self) -> Pattern:
        """What the lights show; a property, so that it is asked for each time."""
        return self.assistant.panel.shows

    @property
    def stands(self) -> dict[str, Any] | None:
        return self.assistant.pictures.as_dict()

    def faults(self) -> list[str]:
        return [fault.message for fault in self.assistant.faults.active if fault.kind == "camera"]

    async def asked(self) -> FakeSession:
        session = await self.wake()
        self.detector.speech(speaking=True)
        self.detector.speech(speaking=False)
        return session


async def test_a_look_is_seen_and_heard_and_goes_with_the_answer() -> None:
    """Light while the camera looks, a click when it has; the device is let go."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.eye.ready.clear()
        looking = asyncio.ensure_future(hub.look(question="what is this?"))
        await until(lambda: hub.eye.taken)
        assert hub.shows is Pattern.PICTURE
        assert "shutter" not in hub.speaker.chimes
        hub.eye.ready.set()
        answer = await looking
        assert answer[PICTURE].jpeg.startswith(b"\xff\xd8")
        assert hub.speaker.chimes[-1] == "shutter"
        assert hub.shows is Pattern.PICTURE
        assert hub.eye.taken == [False]
        assert not hub.eye.is_open


async def test_the_light_lasts_for_a_moment_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the conversation is shown again."""
    monkeypatch.setattr(panel, "PICTURE_SHOWN_S", 0.05)
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        await hub.look()
        assert hub.shows is Pattern.PICTURE
        await until(lambda: hub.shows is Pattern.THINKING)


async def test_it_clicks_and_shows_whatever_the_owner_wants_quiet_and_dark() -> None:
    """Nobody is photographed unawares."""
    hub = Eyes(ON + "\naudio: {chimes: off}\nlights: {off_states: [listening, thinking]}")
    async with hub.running():
        await hub.asked()
        shown = [hub.shows]
        await hub.look()
        assert hub.speaker.chimes == ["shutter"]
        assert [*shown, hub.shows] == [Pattern.OFF, Pattern.PICTURE]


async def test_what_was_sent_is_counted_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has really left, as the session tells."""
    monkeypatch.setattr(panel, "PICTURES_SHOWN_S", 0.05)
    hub = Eyes()
    async with hub.running():
        session = await hub.asked()
        await hub.look()
        assert hub.stands is not None
        assert hub.stands["sent"]["asked"] == 0
        session.post(n.PictureSent(session.number, "asked", 61_000, 768, 432, 1.0))
        assert hub.stands == {
            "camera": "camera A",
            "trouble": None,
            "taken": 1,
            "failed": 0,
            "sent": {"asked": 1, "stream": 0, "typed": 0},
        }
        (event,) = [each for each in hub.events if each.event == "picture"]
        assert event.fields["bytes"] == 61_000
        await until(lambda: not hub.assistant.panel._pictures_left)


async def test_there_is_no_camera_until_the_owner_wants_one() -> None:
    """None is made, nothing is declared; after a reload of the file there is."""
    hub = Eyes("tools: {camera: off}")
    async with hub.running():
        await hub.asked()
        assert hub.functions is not None
        assert "look" not in {each.name for each in hub.functions.declared}
        assert "no function" in (await hub.look())["error"]
        assert (hub.stands, hub.made.count("camera")) == (None, 0)
        hub.assistant.settings.replace(parse(ON, "test.yaml"))
        assert "look" in {each.name for each in hub.functions.declared}
        assert PICTURE in await hub.look()


async def test_what_is_wrong_with_the_camera_is_a_fault_that_hinders_nothing() -> None:
    """Told once and to the model each time; over when a picture succeeds."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.eye.taking = [CameraError(BUSY), CameraError(BUSY)]
        for _ in range(2):
            assert await hub.look() == {"error": BUSY}
        assert hub.faults() == [BUSY]
        assert len([each for each in hub.events if each.event == "fault"]) == 1
        assert "shutter" not in hub.speaker.chimes
        assert hub.state == "thinking"
        assert hub.stands is not None
        assert (hub.stands["trouble"], hub.stands["failed"]) == (BUSY, 2)
        assert PICTURE in await hub.look()
        assert hub.faults() == []
        assert hub.stands["trouble"] is None


async def test_a_driver_that_fails_in_its_own_way_ends_no_talk() -> None:
    """Whatever it raises is words for the model, and is written down."""

    class Broken(FakeCamera):
        async def take(self, *, more_soon: bool = False) -> Any:
            raise ZeroDivisionError

    hub = Eyes()
    hub.camera = Broken()
    async with hub.running():
        await hub.asked()
        assert "camera A failed inside this speaker" in (await hub.look())["error"]
        assert hub.state == "thinking"


async def test_a_muted_speaker_takes_no_picture() -> None:
    """Not for a question that was typed, and not when it was muted while the camera looked."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.eye.ready.clear()
        looking = asyncio.ensure_future(hub.look())
        await until(lambda: hub.eye.taken)
        hub.assistant.post(n.Mute())
        hub.eye.ready.set()
        assert "muted" in (await looking)["error"]
        hub.assistant.post(n.Ask("what is this?"))
        assert "takes no picture" in (await hub.look())["error"]
        assert len(hub.eye.taken) == 1


async def test_nobody_is_looked_at_who_does_not_talk_to_it() -> None:
    """A server cannot open its eye by itself, nor can a command."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.assistant.post(n.Stop())
        assert "nobody is talking" in (await hub.look())["error"]
        by_hand = await hub.assistant.functions.run_by_hand("look", {})
        assert "in a talk only" in by_hand["error"]
        assert hub.eye.taken == []


async def test_a_look_by_hand_shows_nobody_the_picture() -> None:
    """It can be tried in a talk; what is answered has no bytes of it."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        answer = await hub.assistant.functions.run_by_hand("look", {})
        assert answer["output"]["picture"] == "it was taken, and sent to nobody"
        assert set(answer) == {"output"}
        assert hub.speaker.chimes[-1] == "shutter"


async def test_a_model_that_goes_on_looking_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many in a minute, and then more again."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        answers = [await hub.look() for _ in range(LOOKS + 1)]
        assert [PICTURE in answer for answer in answers] == [True] * LOOKS + [False]
        assert "that is enough" in answers[-1]["error"]
        monkeypatch.setattr(pictures, "LOOKS_WITHIN_S", 0.0)
        assert PICTURE in await hub.look()


async def test_another_camera_is_used_from_the_next_picture_on() -> None:
    """The old one is let go, and what was wrong with it is over."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.eye.taking = [CameraError(BUSY)]
        await hub.look()
        old, hub.eye = hub.eye, FakeCamera("camera B")
        hub.camera = hub.eye
        old.is_open = True
        hub.assistant.pictures.replace()
        assert hub.faults() == []
        await until(lambda: not old.is_open)
        assert PICTURE in await hub.look()
        assert hub.stands is not None
        assert hub.stands["camera"] == "camera B"


async def test_the_end_of_the_process_lets_the_camera_go() -> None:
    """Whatever it is at."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        await hub.look()
        hub.eye.is_open = True
    assert not hub.eye.is_open


@pytest.mark.parametrize("ends", [n.Stop(), n.Tap()])
async def test_a_talk_that_ends_while_a_slow_camera_looks_ends_the_look_too(ends: n.News) -> None:
    """The camera is let go at once: its light goes out, and nothing clicks when it is over."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.eye.ready.clear()
        looking = asyncio.ensure_future(hub.look())
        await until(lambda: hub.eye.is_open)
        hub.assistant.post(ends)
        await until(lambda: not hub.eye.is_open)
        assert "nobody is talking" in (await looking)["error"]
        assert "shutter" not in hub.speaker.chimes
        assert hub.faults() == []


async def test_mute_lets_go_of_a_camera_that_is_looking() -> None:
    """Not only when it has taken its time."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.eye.ready.clear()
        looking = asyncio.ensure_future(hub.look())
        await until(lambda: hub.eye.is_open)
        hub.assistant.post(n.Mute())
        await until(lambda: not hub.eye.is_open)
        assert "muted" in (await looking)["error"]


async def test_a_look_is_for_the_talk_that_asked_for_it() -> None:
    """Another persona that was called meanwhile is shown nothing, nor is the one that was left."""
    hub = Eyes(
        ON + "\npersonas: {ada: {}, bob: {}}\n"
        "wake: {words: [{model: hey_jarvis, persona: ada}, {model: alexa, persona: bob}]}"
    )
    hub.detector.words = ("hey_jarvis", "alexa")
    async with hub.running():
        session = await hub.asked()
        hub.eye.ready.clear()
        looking = asyncio.ensure_future(hub.look())
        await until(lambda: hub.eye.is_open)
        hub.assistant.post(n.Detection("alexa", 0.9, 16_000, 1.0, persona="bob"))
        hub.eye.ready.set()
        assert "is over" in (await looking)["error"]
        assert session.forgot_pictures == 1, "nor may one leave that was taken already"


async def test_a_camera_that_is_switched_off_while_it_looks_shows_nothing() -> None:
    """What the file says now counts, also for what had begun before."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.eye.ready.clear()
        looking = asyncio.ensure_future(hub.look())
        await until(lambda: hub.eye.is_open)
        hub.assistant.settings.replace(parse("tools: {camera: off}", "test.yaml"))
        hub.assistant.pictures.replace()
        hub.eye.ready.set()
        answer = await looking
        assert PICTURE not in answer
        assert "has changed the camera" in answer["error"]


async def test_what_fails_of_a_camera_that_is_gone_is_no_fault() -> None:
    """Nobody would ever take it back."""
    hub = Eyes()
    async with hub.running():
        await hub.asked()
        hub.eye.ready.clear()
        taking = asyncio.ensure_future(hub.assistant.pictures.take(shows=False))
        await until(lambda: hub.eye.is_open)
        hub.eye.taking = [CameraError(BUSY)]
        hub.assistant.pictures.replace()
        hub.eye.ready.set()
        with pytest.raises(CameraError):
            await taking
        assert hub.faults() == []


async def test_the_end_of_the_process_waits_for_no_camera(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Systemd waits for ten seconds, and a camera may take nine; it is let go all the same."""
    monkeypatch.setattr(pictures, "GOODBYE_S", 60.0)
    hub = Eyes(ON + "\ncamera: {stream: while_talking}")
    async with hub.running():
        hub.eye.ready.clear()
        await hub.wake()
        await until(lambda: hub.eye.is_open)
    assert not hub.eye.is_open


@pytest.mark.parametrize("ends", [n.Stop(), n.Mute()])
async def test_no_picture_that_waits_for_a_slow_line_leaves_after_the_talk(ends: n.News) -> None:
    """The session is told, before it is closed where it is."""
    hub = Eyes()
    async with hub.running():
        session = await hub.asked()
        assert session.forgot_pictures == 0
        hub.assistant.post(ends)
        assert session.forgot_pictures > 0
