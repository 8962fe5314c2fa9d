"""A picture a second goes up while somebody talks, and at no other time."""

from __future__ import annotations

import pytest

from device import news as n
from device.assistant import picture_stream
from device.config import parse
from device.errors import CameraError
from device.ports import PICTURE
from tests.assistant.test_pictures import BUSY, Eyes
from tests.rig.fakes import until

STREAM = "tools: {camera: on_request}\ncamera: {stream: while_talking}"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_stream, "EVERY_S", 0.02)
    monkeypatch.setattr(picture_stream, "TRY_AGAIN_S", 0.04)


def streams(hub: Eyes) -> bool:
    """Whether pictures are being taken; it is decided with each piece of news."""
    return hub.assistant.picture_stream._stretch is not None


async def test_pictures_go_up_from_the_wake_word_to_the_end_of_the_talk() -> None:
    """The device stays open between two of them; one click for them all."""
    hub = Eyes(STREAM)
    async with hub.running():
        session = await hub.wake()
        await until(lambda: len(session.pictures) >= 3)
        assert hub.eye.is_open
        assert all(hub.eye.taken)
        assert hub.speaker.chimes.count("shutter") == 1
        hub.assistant.post(n.Stop())
        await until(lambda: not hub.eye.is_open)
        assert not streams(hub)
        second = await hub.wake()
        await until(lambda: second.pictures if second is not session else hub.eye.is_open)
        assert hub.speaker.chimes.count("shutter") == 2


@pytest.mark.parametrize(
    "config", ["tools: {camera: on_request}", "camera: {stream: while_talking}"]
)
async def test_nothing_streams_unless_both_are_wanted(config: str) -> None:
    """A look is another thing, and a camera that is off is off."""
    hub = Eyes(config)
    async with hub.running():
        session = await hub.wake()
        assert not streams(hub)
        assert (session.pictures, hub.eye.taken) == ([], [])


async def test_the_journal_tells_how_many_left_in_a_talk(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line for all of them, when it is over."""
    hub = Eyes(STREAM)
    caplog.set_level("INFO")
    async with hub.running():
        session = await hub.wake()
        for _ in range(3):
            session.post(n.PictureSent(session.number, "stream", 9_000, 640, 480, 1.0))
        hub.assistant.post(n.Stop())
        assert [
            each.message for each in caplog.records if "pictures of the talk" in each.message
        ] == ["3 pictures of the talk have left, one a second at most"]


async def test_mute_ends_it_in_the_middle_of_a_picture() -> None:
    """What the camera was at is given up, and goes nowhere."""
    hub = Eyes(STREAM)
    async with hub.running():
        hub.eye.ready.clear()
        session = await hub.wake()
        await until(lambda: hub.eye.taken)
        hub.assistant.post(n.Mute())
        hub.eye.ready.set()
        await until(lambda: not hub.eye.is_open)
        assert session.pictures == []


async def test_a_typed_question_opens_no_eye() -> None:
    """Nobody stands before the speaker who has asked to be seen."""
    hub = Eyes(STREAM)
    async with hub.running():
        hub.assistant.post(n.Ask("what is this?"))
        assert hub.sessions
        assert not streams(hub)
        assert hub.eye.taken == []


async def test_a_camera_that_fails_is_told_once_and_tried_again() -> None:
    """The talk goes on; the pictures come back with it."""
    hub = Eyes(STREAM)
    async with hub.running():
        hub.eye.taking = [CameraError(BUSY)] * 3
        session = await hub.wake()
        await until(lambda: session.pictures)
        told = [each for each in hub.events if each.event == "fault"]
        assert [each.fields["cleared"] for each in told] == [False, True]
        assert hub.speaker.chimes.count("shutter") == 1


async def test_a_look_in_the_middle_of_it_is_one_more_picture() -> None:
    """One at a time, and the device stays open."""
    hub = Eyes(STREAM)
    async with hub.running():
        session = await hub.asked()
        await until(lambda: session.pictures)
        assert PICTURE in await hub.look()
        assert hub.eye.is_open
        seen = len(session.pictures)
        await until(lambda: len(session.pictures) > seen)


async def test_it_begins_and_ends_with_its_key() -> None:
    """In the middle of a talk, when the owner changes it."""
    hub = Eyes("tools: {camera: on_request}")
    async with hub.running():
        session = await hub.wake()
        hub.assistant.settings.replace(parse(STREAM, "test.yaml"))
        hub.assistant.post(n.SettingsChanged())
        await until(lambda: session.pictures)
        hub.assistant.settings.replace(parse("tools: {camera: off}", "test.yaml"))
        hub.assistant.post(n.SettingsChanged())
        await until(lambda: not hub.eye.is_open)
