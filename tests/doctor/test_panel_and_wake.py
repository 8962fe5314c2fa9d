"""LEDs, button and wake word networks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.doctor import panel as face
from device.doctor import wake
from device.doctor.result import Verdict
from device.doctor.scene import Scene
from device.errors import BoardError, SecondOpinionError
from device.frames import HOP_MS
from tests.rig.answering import Answering
from tests.rig.fakes import FakeLights
from tests.rig.scene import by_name, machine, only

STATUS: dict[str, Any] = {
    "microphone": "some card", "board": "2mic-hat-v2", "lights": 3, "faults": [],
}  # fmt: skip


@pytest.fixture
def pins() -> Iterator[Any]:
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    before = Device.pin_factory
    Device.pin_factory = MockFactory()
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = before


def test_the_lights_are_lit_and_left_dark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red, green and blue."""
    monkeypatch.setattr(face, "LIT_S", 0.0)
    lamp = FakeLights()
    monkeypatch.setattr("device.build.real.lights", lambda _config, _profile: lamp)
    told = only(face.lights(machine(tmp_path)))
    assert (told.verdict, told.figure) == (Verdict.FINE, "3 lit red, green and blue")
    assert [each[0] for each in lamp.shown] == list(face.COLOURS)
    assert lamp.dark
    lamp.broken = BoardError("the bus is gone")
    told = only(face.lights(machine(tmp_path)))
    assert (told.verdict, told.advice) == (Verdict.BROKEN, "the bus is gone")
    assert lamp.dark


def test_where_there_are_no_lights_it_says_so(tmp_path: Path) -> None:
    """A plain card has none; those of a terminal are where the speaker runs."""
    assert only(face.lights(machine(tmp_path))).verdict is Verdict.SKIPPED
    terminal = machine(tmp_path, config="lights: {driver: terminal}")
    assert only(face.lights(terminal)).verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("over", "verdict"),
    [
        ({"status": STATUS, "alive": True}, Verdict.FINE),
        ({"status": {**STATUS, "lights": 0}, "alive": True}, Verdict.SKIPPED),
        (
            {"status": {**STATUS, "faults": [{"kind": "lights", "message": "no SPI"}]}},
            Verdict.BROKEN,
        ),
        ({"alive": True}, Verdict.SKIPPED),
    ],
)
def test_those_of_a_running_speaker_are_left_alone(
    tmp_path: Path, over: dict[str, Any], verdict: Verdict
) -> None:
    """It says itself how they are."""
    assert only(face.lights(machine(tmp_path, **over))).verdict is verdict


async def test_the_button_is_pressed(tmp_path: Path, pins: Any) -> None:
    """A real edge, where somebody is there to make it."""

    def press(text: str) -> None:
        assert "press the button now" in text
        asyncio.get_running_loop().call_soon(pins.pin(17).drive_low)

    scene = machine(tmp_path, config="button: {pin: 17}", present=True, tell=press)
    told = only(await face.button(scene))
    assert told.verdict is Verdict.FINE
    assert told.figure.startswith("GPIO17: pressed after ")
    assert told.figures["pressed"] is True


async def test_a_button_that_nobody_presses_is_a_hint(
    tmp_path: Path, pins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the wrong pin."""
    monkeypatch.setattr(face, "PRESS_S", 0.05)
    scene = machine(tmp_path, config="button: {pin: 17}", present=True)
    told = only(await face.button(scene))
    assert told.verdict is Verdict.HINT
    assert "button.pin" in told.advice


async def test_where_nobody_is_the_pin_is_only_opened(tmp_path: Path, pins: Any) -> None:
    """And one that cannot be opened is broken; a board without any is told."""
    told = only(await face.button(machine(tmp_path, config="button: {pin: 17}")))
    assert (told.verdict, told.figure) == (Verdict.FINE, "GPIO17 can be read")
    assert only(await face.button(machine(tmp_path))).verdict is Verdict.SKIPPED
    taken = "button: {pin: 18}\nboard: 2mic-hat-v2"
    assert only(await face.button(machine(tmp_path, config=taken))).verdict is Verdict.BROKEN


def served(root: Path, **over: Any) -> Scene:
    given = {"status": STATUS, "alive": True, "present": True, **over}
    return machine(root, config="button: {pin: 17}", **given)


async def test_a_running_speaker_tells_of_the_press(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its events; none is a hint."""
    speaker = Answering(tmp_path / "control.sock")
    speaker.endless.add("watch")
    with speaker.serving():
        speaker.answers["watch"] = [{"event": "state"}, {"event": "button", "gesture": "tap"}]
        told = only(await face.button(served(tmp_path)))
        assert told.figure.startswith("the speaker's button: pressed after ")
        monkeypatch.setattr(face, "PRESS_S", 0.05)
        speaker.answers["watch"] = [{"event": "state"}]
        assert only(await face.button(served(tmp_path))).verdict is Verdict.HINT
        assert only(await face.button(served(tmp_path, present=False))).verdict is Verdict.SKIPPED
        broken = {**STATUS, "faults": [{"kind": "button", "message": "busy"}]}
        told = only(await face.button(served(tmp_path, status=broken)))
        assert (told.verdict, told.advice) == (Verdict.BROKEN, "busy")
        assert only(await face.button(served(tmp_path, status=None))).verdict is Verdict.SKIPPED
        none = machine(tmp_path, status=STATUS, alive=True)
        assert only(await face.button(none)).verdict is Verdict.SKIPPED


def test_the_networks_hear_the_recordings_and_nothing_else(tmp_path: Path) -> None:
    """With the time that a hop takes here."""
    told = by_name(list(wake.wake(machine(tmp_path))))
    assert told["wake words"].verdict is Verdict.FINE
    assert told["wake words"].figures == {
        "words": ["hey_jarvis"],
        "heard": 2,
        "said": 2,
        "false": 0,
    }
    assert 0 < told["wake speed"].figures["hop_ms_p50"] < HOP_MS


def test_the_networks_are_tried_by_a_known_word_whatever_is_listened_for(tmp_path: Path) -> None:
    """Only the configured ones are told."""
    scene = machine(tmp_path, config="wake: {words: [{model: alexa}]}")
    told = by_name(list(wake.wake(scene)))
    assert told["wake words"].verdict is Verdict.FINE
    assert told["wake words"].figures["words"] == ["alexa"]


def test_it_says_which_words_are_judged_twice(tmp_path: Path) -> None:
    """Those of the configuration, by the networks that there are."""
    told = by_name(list(wake.wake(machine(tmp_path))))["wake opinion"]
    assert told.verdict is Verdict.FINE
    assert told.figure == "hey_jarvis judged by two kinds of network"
    scene = machine(tmp_path, config="wake: {words: [{model: hey_rhasspy}]}")
    told = by_name(list(wake.wake(scene)))["wake opinion"]
    assert (told.verdict, told.figure) == (Verdict.FINE, "no word has a second")


def test_a_machine_where_openwakeword_judges_alone_is_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hears all the same."""

    def refuse(_words: object) -> None:
        raise SecondOpinionError("pymicro-wakeword does not load: GLIBC_2.35 not found")

    monkeypatch.setattr("device.wake.worker.micro_networks", refuse)
    told = by_name(list(wake.wake(machine(tmp_path))))
    assert told["wake words"].verdict is Verdict.FINE
    assert told["wake opinion"].verdict is Verdict.HINT
    assert "GLIBC_2.35" in told["wake opinion"].advice


def test_a_network_that_does_not_load_is_broken(tmp_path: Path) -> None:
    """With its name."""
    scene = machine(tmp_path, config="wake: {words: [{model: /no/such/word.onnx}]}")
    told = only(wake.wake(scene))
    assert told.verdict is Verdict.BROKEN
    assert "/no/such/word.onnx" in told.advice


@pytest.mark.parametrize(
    ("heard", "false", "verdict"),
    [(2, 0, Verdict.FINE), (2, 1, Verdict.HINT), (1, 0, Verdict.HINT), (0, 0, Verdict.BROKEN)],
)
def test_hits_are_judged(heard: int, false: int, verdict: Verdict) -> None:
    """A threshold of the owner's may be too high or too low."""
    figures = {"words": [], "heard": heard, "said": 2, "false": false}
    assert wake._hits(figures).verdict is verdict


@pytest.mark.parametrize(
    ("ms", "verdict"), [(12.0, Verdict.FINE), (55.0, Verdict.HINT), (90.0, Verdict.BROKEN)]
)
def test_speed_is_judged_by_what_a_hop_has(ms: float, verdict: Verdict) -> None:
    """80 ms."""
    figures = {"hop_ms_p50": ms, "hop_ms_max": ms, "loaded_s": 1.0}
    assert wake._speed(figures).verdict is verdict
