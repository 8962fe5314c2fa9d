"""It sees when it is asked to: the real process, a model that looks, a picture that is taken."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from device.simulator.record import ConnectionRecord
from device.simulator.script import Script, ToolCall, Turn
from tests.rig.pictures import jpeg, size_of
from tests.rig.room import Room, open_room, shutters
from tests.rig.sound import wait_until

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")
LOOK = ToolCall("look", {"question": "what is this?"})
QUESTION = "hey jarvis, what is this in my hand"


def seeing(*calls: ToolCall, says: str = "I see {picture}.") -> Script:
    return Script(
        turns=(Turn(heard="What is this?", says=says, audio=900, pace="burst", calls=calls),)
    )


def camera(source: str, **more: Any) -> dict[str, Any]:
    """The configuration of a speaker that looks when it is asked to."""
    return {"tools": {"camera": "on_request"}, "camera": {"source": source, **more}}


@pytest.fixture
def cup(tmp_path: Path) -> Path:
    """A picture of what is held up, as a phone took it: large, and with light."""
    path = tmp_path / "cup.jpg"
    path.write_bytes(jpeg(1600, 1200))
    return path


def answers(room: Room) -> list[Mapping[str, Any]]:
    return [each["response"] for each in room.server.connections[-1].tool_responses]


def inputs(record: ConnectionRecord) -> list[str]:
    """What came beside sound, in order: `video`, `toolResponse` and so on."""
    return [
        next(iter(content)) if kind == "realtimeInput" else kind
        for _, message in record.messages
        for kind, content in message.items()
    ]


@pytest.mark.parametrize("model", MODELS)
def test_it_looks_and_says_what_it_sees(model: str, cup: Path) -> None:
    """Seen by a light, heard by a click, told by an event; the answer comes after the picture."""
    config = {**camera(f"file:{cup}"), "live": {"model": model}}
    with open_room(seeing(LOOK), config) as room, room.sound.recorder() as recorder:
        room.wake_and_ask(QUESTION)
        sent = room.daemon.event("picture")
        shown = room.daemon.status()["lights_show"]
        room.daemon.event("tool", what="answered")
        room.daemon.event("reply", what="drained")
        assert shown == "picture"
        record = room.server.connections[-1]
        (picture,) = record.pictures
        assert (sent["reason"], sent["width"], sent["height"]) == ("asked", 768, 576)
        assert sent["bytes"] == len(picture.jpeg)
        assert size_of(picture.jpeg) == (768, 576)
        assert picture.seen
        assert picture.after_answers == 0
        assert [each for each in inputs(record) if each in {"video", "toolResponse"}] == [
            "video",
            "toolResponse",
        ]
        (answer,) = answers(room)
        assert answer["output"]["pixels"] == "768 x 576"
        (called,), (answered,) = (
            room.daemon.seen("tool", what=what) for what in ("called", "answered")
        )
        assert called["time"] <= sent["time"] <= answered["time"]
        assert len(room.daemon.seen("picture")) == 1
        said = "".join(each["text"] for each in room.daemon.seen("transcript", who="model"))
        assert "768 by 576 pixels" in said
        usage = [each for each in room.daemon.seen("usage") if "prompt_video" in each]
        assert usage[-1]["prompt_video"] == 256, "one picture at medium resolution"
        wait_until(lambda: bool(shutters(recorder)), "the click of the shutter")
        # The card is given it a moment before it is taken for sent, and records a moment later.
        assert room.daemon.took_s(*sorted((shutters(recorder)[0], sent["time"]))) < 1.0
        about = room.daemon.status()["camera"]
        assert about["sent"] == {"asked": 1, "stream": 0, "typed": 0}
        assert "cup.jpg" in about["camera"]
        log = room.daemon.log()
        assert "a picture that the model asked for has left (768 px wide" in log
        assert room.daemon.seen("fault") == []


@pytest.mark.parametrize("model", MODELS)
def test_a_camera_that_is_not_there_is_told_and_the_talk_goes_on(
    model: str, tmp_path: Path
) -> None:
    """In words for the model; a fault that is over when a picture succeeds."""
    missing = tmp_path / "cup.jpg"
    config = {**camera(f"file:{missing}"), "live": {"model": model}}
    with open_room(seeing(LOOK, says="I cannot see."), config) as room:
        room.wake_and_ask(QUESTION)
        room.daemon.event("tool", what="failed")
        room.daemon.event("reply", what="drained")
        (answer,) = answers(room)
        assert str(missing) in answer["error"]
        assert room.daemon.event("fault", kind="camera", cleared=False)["fatal"] is False
        assert room.server.connections[-1].pictures == []
        assert str(missing) in room.daemon.status()["camera"]["trouble"]
        missing.write_bytes(jpeg(640, 480))
        room.daemon.request("ask", text="and now?")
        room.daemon.event("fault", kind="camera", cleared=True)
        assert "output" in answers(room)[-1]


def test_a_file_that_is_no_picture_is_told(tmp_path: Path) -> None:
    """As a camera that gives half of one."""
    broken = tmp_path / "cup.jpg"
    broken.write_bytes(jpeg(640, 480)[:5000])
    with open_room(seeing(LOOK, says="I cannot see."), camera(f"file:{broken}")) as room:
        room.daemon.request("ask", text="what is this?")
        (answer,) = answers(room)
        assert "no picture that can be read" in answer["error"]
        assert room.daemon.seen("picture") == []


def test_a_camera_that_takes_four_seconds_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The light shows that it looks the whole time; the talk does not hang, nor give up."""
    (tmp_path / "picture.jpg").write_bytes(jpeg(768, 576))
    program = tmp_path / "rpicam-still"
    program.write_text(f"#!/bin/sh\nsleep 4\nexec cat {tmp_path}/picture.jpg\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with open_room(seeing(LOOK), camera("rpicam")) as room:
        room.wake_and_ask(QUESTION)
        called = room.daemon.event("tool", what="called")
        room.daemon.wait(
            lambda: room.daemon.status()["lights_show"] == "picture", "the light of the camera"
        )
        sent = room.daemon.event("picture", timeout=30)
        assert sent["time"] - called["time"] >= 4.0
        room.daemon.event("reply", what="drained")
        assert "output" in answers(room)[0]
        assert room.daemon.seen("stall") == []


def test_a_muted_speaker_takes_no_picture(cup: Path) -> None:
    """A question that was typed is answered all the same, in words."""
    with open_room(seeing(LOOK, says="I am muted."), camera(f"file:{cup}")) as room:
        room.daemon.request("mute")
        room.daemon.request("ask", text="what is this?")
        (answer,) = answers(room)
        assert "muted, and takes no picture" in answer["error"]
        assert room.daemon.seen("picture") == []
        assert room.server.connections[-1].pictures == []


def test_while_talking_a_picture_a_second_goes_up_and_none_at_rest(cup: Path) -> None:
    """From the wake word to the end of the talk; each is told, and the lights say so."""
    config = camera(f"file:{cup}", stream="while_talking")
    with open_room(seeing(), config) as room, room.sound.recorder() as recorder:
        room.wake_and_ask(QUESTION)
        first = room.daemon.event("picture", reason="stream")
        drained = room.daemon.event("reply", what="drained")
        rest = room.daemon.state("idle", after=room.daemon.events.index(drained))
        pictures = room.server.connections[-1].pictures
        room.daemon.request("ask", text="are you there?")
        times = [each.at for each in pictures]
        # Taken a second apart; on its way one may catch up with the one before it.
        assert len(times) >= 3
        assert times[-1] - times[0] >= (len(times) - 1) * 1.0 - 0.5
        assert all(each.seen for each in pictures)
        told = room.daemon.seen("picture")
        assert [each["reason"] for each in told] == ["stream"] * len(pictures)
        assert len(room.server.connections[-1].pictures) == len(pictures), "none for a typed one"
        assert len(shutters(recorder)) == 1
        wake = room.daemon.seen("wake")[0]
        assert wake["time"] <= first["time"]
        assert told[-1]["time"] <= rest["time"]
        setup = room.server.connections[-1].setup
        assert setup is not None
        assert setup["generationConfig"]["mediaResolution"] == "MEDIA_RESOLUTION_LOW"


def test_a_picture_is_shown_by_hand_without_a_camera(cup: Path) -> None:
    """`parley ask --image FILE`: the picture, then the question, in one turn."""
    script = Script(turns=(Turn(says="I see {picture}.", audio=600, pace="burst"),))
    with open_room(script) as room:
        done = room.daemon.cli("ask", "--image", str(cup), "what", "is", "this?")
        assert done.returncode == 0, done.stderr
        assert "768 by 576 pixels" in done.stdout
        record = room.server.connections[-1]
        assert inputs(record)[1:] == ["video", "text"]
        (sent,) = room.daemon.seen("picture")
        assert (sent["reason"], sent["bytes"]) == ("typed", len(record.pictures[0].jpeg))
        assert "a picture that its owner gave has left" in room.daemon.log()
        broken = room.daemon.cli("ask", "--image", str(room.daemon.config_file), "and this?")
        assert broken.returncode == 1
        assert "no picture that can be read" in broken.stderr
        assert len(room.daemon.seen("picture")) == 1
