"""What leaves a speaker is on record, with the reason; what is in it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from device import news as n
from device.assistant.audit import OPEN_CALLS
from device.live.departures import (
    Departure,
    PictureLeaves,
    SoundEnds,
    SoundLeaves,
    SoundLeft,
    TextLeaves,
)
from device.records.audit import START
from device.records.since import ALL
from tests.rig.fakes import FakeSession, Hub, until


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    made = Hub()
    async with made.running():
        yield made


def leave(hub: Hub, *departures: Departure) -> None:
    for each in departures:
        hub.assistant._sent(each)


def sound(hub: Hub, session: FakeSession, frames: int, *, connection: int = 1) -> None:
    """Let so much leave, and pause."""
    where = (session.number, connection)
    leave(
        hub,
        SoundLeaves(*where, 1.0),
        SoundLeft(*where, frames, 640 * frames, 0, (), 1.0),
        SoundEnds(*where, 1.0),
    )


async def entries(hub: Hub, kind: str) -> list[dict[str, Any]]:
    found, following = await hub.assistant.audit.page(ALL, START)
    assert following is None
    return [each for each in found if each["kind"] == kind]


async def test_sound_is_on_record_with_its_wake_word_and_whom_it_went_to(hub: Hub) -> None:
    """Start, end, how much, why, whether words were heard, model, host and connection."""
    session = await hub.wake()
    session.post(n.SessionOpened(session.number, 1.0, "m", False, 2.0, "example.com", 1))
    sound(hub, session, 50)
    (stretch,) = await entries(hub, "sound")
    assert stretch.pop("start") <= stretch.pop("end")
    assert stretch == {
        "kind": "sound",
        "seconds": 1.0,
        "frames": 50,
        "bytes": 32_000,
        "again_frames": 0,
        "again_bytes": 0,
        "words": False,
        "open": False,
        "at_least": False,
        "why": "wake_word",
        "word": "hey_test",
        "score": 0.877,
        "over_reply": False,
        "rang": False,
        "model": "m",
        "host": "example.com",
        "session": session.number,
        "connection": 1,
        "persona": "",
    }
    session.post(n.Transcript(session.number, 1, "user", "hello", False, 3.0))
    (stretch,) = await entries(hub, "sound")
    assert stretch["words"]


async def test_a_tap_is_another_reason_than_a_wake_word(hub: Hub) -> None:
    """Nobody has said anything before it."""
    hub.assistant.post(n.Tap())
    await until(lambda: hub.sessions)
    hub.session.opened()
    sound(hub, hub.session, 5)
    assert [each["why"] for each in await entries(hub, "sound")] == ["tap"]


async def test_what_goes_on_over_another_connection_is_another_stretch(hub: Hub) -> None:
    """Each is to be found in a capture of its connection."""
    session = await hub.wake()
    for connection in (1, 2):
        opened = n.SessionOpened(session.number, 1.0, "m", connection > 1, 2.0, "h", connection)
        session.post(opened)
        sound(hub, session, 10 * connection, connection=connection)
    found = [(each["connection"], each["frames"]) for each in await entries(hub, "sound")]
    assert found == [(1, 10), (2, 20)]


async def test_what_is_open_says_so(hub: Hub) -> None:
    """It may have grown since."""
    session = await hub.wake()
    leave(hub, SoundLeaves(session.number, 1, 1.0))
    leave(hub, SoundLeft(session.number, 1, 3, 1920, 0, (), 1.0))
    (stretch,) = await entries(hub, "sound")
    assert (stretch["open"], stretch["at_least"], stretch["frames"]) == (True, True, 3)


async def test_pictures_and_texts_are_on_record_without_what_is_in_them(hub: Hub) -> None:
    """One row each, before it leaves and after."""
    session = await hub.wake()
    for left in (False, True):
        leave(hub, PictureLeaves(session.number, 1, 1, 60_000, 768, 576, "asked", left, 1.0))
        leave(hub, TextLeaves(session.number, 1, 2, 21, False, False, left, 1.0))
        (picture,) = await entries(hub, "picture")
        (text,) = await entries(hub, "text")
        assert picture["at_most"] is text["at_most"] is not left
    shape = [picture[name] for name in ("bytes", "width", "height", "reason")]
    assert shape == [60_000, 768, 576, "asked"]
    assert (text["characters"], text["by"], text["again"]) == (21, "owner", False)


async def test_calls_are_on_record_by_name_and_outcome(hub: Hub) -> None:
    """By the model, or by hand; with no value of theirs."""
    session = await hub.wake()
    for what in ("called", "answered"):
        session.post(n.ToolNews(session.number, what, "set_volume", 1.0))
    session.post(n.ToolNews(session.number, "called", "home_\x1bLight", 1.0))
    assert hub.functions is not None
    await hub.assistant.functions.run_by_hand("set_volume", {"percent": 41})
    found = [(e["name"], e["by"], e["outcome"]) for e in await entries(hub, "call")]
    assert found == [
        ("set_volume", "model", "answered"),
        ("home_\ufffdLight", "model", None),
        ("set_volume", "owner", "answered"),
    ]
    assert "41" not in repr(await entries(hub, "call"))


async def test_calls_that_are_never_answered_fill_no_memory(hub: Hub) -> None:
    """The oldest have no outcome then."""
    session = await hub.wake()
    for number in range(OPEN_CALLS + 5):
        session.post(n.ToolNews(session.number, "called", f"f{number}", 1.0))
    for number in range(OPEN_CALLS + 5):
        session.post(n.ToolNews(session.number, "answered", f"f{number}", 1.0))
    outcomes = [each["outcome"] for each in await entries(hub, "call")]
    assert outcomes == [None] * 5 + ["answered"] * OPEN_CALLS


async def test_sums_are_those_of_what_is_listed(hub: Hub) -> None:
    """Of every kind, since the moment that is asked for."""
    session = await hub.wake()
    sound(hub, session, 50)
    sound(hub, session, 25)
    leave(hub, PictureLeaves(session.number, 1, 1, 1_000, 4, 3, "asked", True, 1.0))
    sums = (await hub.assistant.audit.today()).as_dict()
    assert sums == {
        "stretches": 2,
        "sound_s": 1.5,
        "frames": 75,
        "bytes": 48_000,
        "again_frames": 0,
        "again_bytes": 0,
        "pictures": 1,
        "picture_bytes": 1_000,
        "texts": 0,
        "characters": 0,
        "calls": 0,
    }
    assert (await hub.assistant.audit.sums(hub.assistant.audit.now + 60)).frames == 0


async def test_a_talk_that_ends_is_written_down(hub: Hub) -> None:
    """The disk is asked for it once, soon."""
    await hub.wake()
    records = hub.assistant.records
    hub.assistant.post(n.Stop())
    assert hub.state == "idle"
    assert records._due < float("inf")
