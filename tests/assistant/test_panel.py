"""The panel: what happens becomes what is shown, at once and for as long as it is so."""

from __future__ import annotations

import asyncio
import colorsys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from device import signals
from device.assistant import panel as module
from device.assistant.countdown import Countdown
from device.assistant.output import Output
from device.assistant.panel import Hardware, Panel
from device.board.button import GpioButton
from device.config import Config, parse
from device.conversation.states import Conversation, State
from device.errors import BoardError
from device.events import EventBus
from device.faults import Faults
from device.lights.patterns import MOTIONS
from device.lights.render import WHITE, Pattern, render
from device.news import News, PartLost, Post, Pressed
from device.ports import Colour, Lights
from device.service.latency import Latency
from tests.rig.fakes import FakeLights, Hub, until

AT_REST = Conversation(State.IDLE, State.IDLE)


def hue(colour: Colour) -> float:
    """Place on the wheel of colours, degrees, in tens."""
    return round(colorsys.rgb_to_hsv(*(part / 255 for part in colour))[0] * 36) * 10


THINKS = hue(MOTIONS[Pattern.THINKING].colour)


@dataclass
class FakeOutput:
    """Plays nothing."""

    level: float = 0.0


@dataclass
class FakeCountdown:
    """Counts nothing down."""

    left: float = 1.0


def hardware_of(output: FakeOutput, countdown: FakeCountdown) -> Hardware:
    return Hardware(cast("Output", output), cast("Countdown", countdown))


class Speaker:
    """A panel with three LEDs, and faults that are looked at as the hub does it."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.hub = Hub()
        self.tasks = tasks
        self.talk = AT_REST
        self.bus = EventBus(lambda _event: self.panel.show(self.talk))
        self.faults = Faults(self.bus)
        hardware = hardware_of(FakeOutput(), FakeCountdown())
        self.parts = self.hub.assistant.parts
        self.profile = self.hub.assistant.panel.profile
        self.panel = Panel(self.parts, self.faults, Latency(), hardware, self.profile)

    @property
    def lights(self) -> FakeLights:
        return self.hub.lights

    def stands(self, state: State, rest: State = State.IDLE) -> None:
        self.talk = Conversation(state, rest)
        self.panel.show(self.talk)

    async def shows(self, pattern: Pattern, amount: float = 0.0) -> None:
        first = render(pattern, 0.0, 3, amount=amount)
        await until(lambda: self.lights.shown[-1:] == [first])


@pytest.fixture
async def speaker() -> AsyncIterator[Speaker]:
    async with asyncio.TaskGroup() as tasks:
        speaker = Speaker(tasks)
        speaker.panel.claim(speaker.profile, Config(), tasks, lambda _news: None)
        speaker.panel.show(AT_REST)
        await speaker.shows(Pattern.IDLE)
        yield speaker
        speaker.panel.close()


async def test_a_fault_shows_while_idle_until_it_is_over(speaker: Speaker) -> None:
    """In its calm voice; nobody need ask to be told."""
    speaker.faults.begin("offline", "no network")
    await speaker.shows(Pattern.STANDING_NETWORK)
    speaker.faults.begin("button", "GPIO17 is taken")
    speaker.faults.clear("offline")
    await speaker.shows(Pattern.IDLE)


async def test_a_mistake_in_the_file_shows_at_rest_until_it_is_mended(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: the file is not in force."""
    monkeypatch.setattr(signals, "PRESUMED_S", 0.0)
    speaker.faults.begin("config", "line 3")
    await speaker.shows(Pattern.MISTAKE)
    speaker.stands(State.LISTENING)
    await speaker.shows(Pattern.LISTENING)
    speaker.stands(State.IDLE)
    await speaker.shows(Pattern.MISTAKE)
    speaker.faults.clear("config")
    await speaker.shows(Pattern.IDLE)


async def test_a_fault_is_met_and_then_stands(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A microphone that is gone all night does not blink at the sleeper all night."""
    monkeypatch.setattr(module, "FAULT_SHOWN_S", 0.05)
    speaker.faults.begin("microphone", "it was pulled out")
    speaker.stands(State.FAULT, State.FAULT)
    await speaker.shows(Pattern.FAULT)
    await speaker.shows(Pattern.STANDING)
    # News that changes nothing does not alarm anew.
    speaker.panel.show(replace(speaker.talk, clock=7))
    speaker.faults.begin("button", "GPIO17 is taken")
    await asyncio.sleep(0)
    assert speaker.lights.shown[-1] == render(Pattern.STANDING, 0.0, 3)
    speaker.faults.clear("microphone")
    speaker.stands(State.IDLE)
    await speaker.shows(Pattern.IDLE)
    speaker.stands(State.FAULT)
    await speaker.shows(Pattern.FAULT)


async def test_what_may_have_passed_is_not_told_for_ever(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that did not answer in the evening is no news in the morning; a wrong key is."""
    monkeypatch.setattr(signals, "PRESUMED_S", 0.05)
    speaker.faults.begin("key", "the key was refused", fatal=True)
    await speaker.shows(Pattern.STANDING_ACCOUNT)
    speaker.faults.begin("timeout", "no answer came")
    await speaker.shows(Pattern.STANDING_SERVICE)
    await speaker.shows(Pattern.STANDING_ACCOUNT)
    speaker.faults.clear("key")
    await speaker.shows(Pattern.IDLE)
    assert speaker.faults.in_force("timeout")


async def test_the_volume_is_shown_for_a_moment(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while something else goes on, which is shown again afterwards."""
    monkeypatch.setattr(module, "VOLUME_SHOWN_S", 0.05)
    speaker.stands(State.THINKING)
    speaker.panel.volume(100)
    await speaker.shows(Pattern.VOLUME, 1.0)
    await until(lambda: THINKS in map(hue, speaker.lights.shown[-1]))


async def test_the_volume_that_is_turned_again_is_shown_anew(speaker: Speaker) -> None:
    """The newest, for its whole time."""
    for percent in (10, 50, 100):
        speaker.panel.volume(percent)
        await speaker.shows(Pattern.VOLUME, percent / 100)


async def test_mute_is_not_hidden_by_the_volume(speaker: Speaker) -> None:
    """Nothing outranks it but a fault."""
    speaker.stands(State.MUTED, State.MUTED)
    await speaker.shows(Pattern.MUTED)
    speaker.panel.volume(100)
    speaker.panel.streaming(on=True)
    speaker.panel.streaming(on=False)
    await speaker.shows(Pattern.MUTED)
    assert render(Pattern.VOLUME, 0.0, 3, amount=1.0) not in speaker.lights.shown


async def test_other_wishes_of_the_owner_count_at_once(speaker: Speaker) -> None:
    """Without the LEDs being claimed anew."""
    dark = parse("lights: {off_states: [idle], brightness: 7}", "config.yaml")
    speaker.panel.adjust(dark)
    await speaker.shows(Pattern.OFF)
    assert speaker.lights.brightness == 7
    speaker.panel.adjust(Config())
    await speaker.shows(Pattern.IDLE)
    assert speaker.lights.brightness == 40
    assert speaker.hub.made.count("lights") == 1


async def test_closed_nothing_runs_out(speaker: Speaker) -> None:
    """No timer of what was shown for a moment comes back."""
    speaker.stands(State.FAULT)
    speaker.panel.volume(30)
    speaker.panel.close()
    assert speaker.lights.dark
    assert speaker.panel.lights == 0


def shows(hub: Hub, pattern: Pattern, amount: float = 0.0) -> bool:
    return hub.lights.shown[-1:] == [render(pattern, 0.0, 3, amount=amount)]


async def test_a_speaker_without_a_key_says_so_at_rest() -> None:
    """From the start, before anybody asks in vain."""
    hub = Hub(missing_key="there is no key")
    async with hub.running():
        await until(lambda: shows(hub, Pattern.STANDING_ACCOUNT))
        await hub.assistant.mute.mute()
        await until(lambda: shows(hub, Pattern.MUTED))


async def test_whoever_sets_the_volume_sees_it() -> None:
    """By command, button or a changed file; a loudspeaker that is only replaced shows nothing."""
    hub = Hub()
    async with hub.running():
        await until(lambda: shows(hub, Pattern.IDLE))
        hub.assistant.set_volume(100)
        await until(lambda: shows(hub, Pattern.VOLUME, 1.0))


class FakeButton:
    """Presses when told to; remembers being let go."""

    def __init__(self, log: list[str], error: BoardError | None = None) -> None:
        self.log = log
        self.error = error
        self.post: Post | None = None

    def start(self, post: Post) -> None:
        if self.error is not None:
            raise self.error
        self.post = post

    def close(self) -> None:
        if self.post is not None:
            self.log.append("button let go")
        self.post = None


def broken(message: str) -> Any:
    raise BoardError(message)


def brightness(picture: Sequence[Colour]) -> int:
    """Of the brightest LED."""
    return max(map(max, picture))


class Board:
    """Lights and button of a board."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.tasks = tasks
        self.log: list[str] = []
        self.told: list[News] = []
        self.lights = FakeLights(self.log)
        self.button = FakeButton(self.log)
        self.output = FakeOutput()
        self.countdown = FakeCountdown()
        self.hardware = hardware_of(self.output, self.countdown)

    def use(self, lights: Lights | None = None, button: FakeButton | None = None) -> list[str]:
        chosen = cast("GpioButton", button or self.button)
        return self.claim(lambda: lights or self.lights, lambda: chosen)

    def claim(
        self, lights: Callable[[], Lights], button: Callable[[], GpioButton | None]
    ) -> list[str]:
        return self.hardware.claim(lights, button, self.tasks, self.told.append)


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with asyncio.TaskGroup() as tasks:
        board = Board(tasks)
        yield board
        board.hardware.close()


async def test_it_draws_and_the_button_posts(board: Board) -> None:
    """Both are claimed at once."""
    assert board.hardware.count == 0
    assert board.use() == ["lights", "button"]
    board.hardware.show(Pattern.MUTED)
    await until(lambda: board.lights.shown[-1:] == [render(Pattern.MUTED, 0, 3)])
    assert board.hardware.count == 3
    assert board.button.post is not None
    board.button.post(Pressed("tap", 1.0))
    assert board.told == [Pressed("tap", 1.0)]


async def test_a_board_without_a_button_is_fine(board: Board) -> None:
    """There is none to claim."""
    assert board.claim(lambda: board.lights, lambda: None) == ["lights", "button"]
    assert board.told == []


async def test_what_fails_is_told_and_the_other_part_works(board: Board) -> None:
    """By the part's name, once; `claim` says what is fine."""
    board.lights.opening = [BoardError("spi is off")]
    assert board.use() == ["button"]
    assert board.use(button=FakeButton(board.log, BoardError("GPIO17 is taken"))) == ["lights"]
    broken_lights, broken_button = "no such driver", "pin 18 is the sound's"
    assert board.claim(lambda: broken(broken_lights), lambda: broken(broken_button)) == []
    told = [(news.part, news.message) for news in board.told if isinstance(news, PartLost)]
    assert told == [
        ("lights", "spi is off"),
        ("button", "GPIO17 is taken"),
        ("lights", "no such driver"),
        ("button", "pin 18 is the sound's"),
    ]
    assert board.hardware.count == 0
    board.hardware.show(Pattern.IDLE)
    board.hardware.streaming(on=True)


async def test_new_hardware_shows_what_the_old_one_showed(board: Board) -> None:
    """Pattern and streaming; the old one is dark and let go before the new one is claimed."""
    board.use()
    board.hardware.show(Pattern.IDLE)
    board.hardware.streaming(on=True)
    new = FakeLights(board.log)
    board.use(new, FakeButton(board.log))
    assert board.log == ["button let go", "lights off"]
    assert board.lights.dark
    await until(lambda: new.shown and WHITE in new.shown[-1])
    await until(lambda: any(WHITE not in picture for picture in new.shown))
    board.hardware.streaming(on=False)
    await until(lambda: new.shown[-1] == render(Pattern.IDLE, 0, 3))


async def test_the_lights_count_down_and_follow_the_reply(board: Board) -> None:
    """What is left to begin to speak, and how loud the reply is, are asked as they are drawn."""
    board.use()
    board.countdown.left = 0.0
    board.hardware.show(Pattern.LISTENING)
    brightest = brightness(render(Pattern.LISTENING, 0.0, 3))
    await until(lambda: len(board.lights.shown) > 1)
    assert brightness(board.lights.shown[-1]) < brightest / 3
    board.hardware.show(Pattern.SPEAKING)

    async def dimmest(level: float) -> int:
        board.output.level = level
        seen = len(board.lights.shown)
        await until(lambda: len(board.lights.shown) > seen + 8)
        return min(map(brightness, board.lights.shown[seen + 1 :]))

    assert await dimmest(0.2) > await dimmest(0.0)


async def test_closed_the_button_goes_first_and_the_lights_are_dark(board: Board) -> None:
    """Nothing draws on them any more; closing twice is harmless."""
    board.use()
    board.hardware.show(Pattern.LISTENING)
    await until(lambda: board.lights.shown)
    board.hardware.close()
    board.hardware.close()
    board.hardware.show(Pattern.IDLE)
    assert board.log == ["button let go", "lights off"]
    assert board.lights.dark
    assert board.hardware.count == 0
