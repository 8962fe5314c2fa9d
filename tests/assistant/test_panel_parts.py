"""The panel: lights and button are claimed, replaced and let go together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from device.assistant.panel_parts import Panel
from device.board.button import GpioButton
from device.errors import BoardError
from device.lights.render import WHITE, Pattern, render
from device.ports import Lights, News, PartLost, Post, Pressed
from tests.rig.fakes import FakeLights, until


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


class Board:
    """A panel on a board."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.tasks = tasks
        self.log: list[str] = []
        self.told: list[News] = []
        self.lights = FakeLights(self.log)
        self.button = FakeButton(self.log)
        self.panel = Panel(lambda: 0.0, lambda: 1.0)

    def use(self, lights: Lights | None = None, button: FakeButton | None = None) -> list[str]:
        chosen = cast("GpioButton", button or self.button)
        self.panel.use(lambda: lights or self.lights, lambda: chosen)
        return self.panel.start(self.tasks, self.told.append)


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with asyncio.TaskGroup() as tasks:
        board = Board(tasks)
        yield board
        board.panel.close()


async def test_it_draws_and_the_button_posts(board: Board) -> None:
    """Both are claimed by `start`."""
    assert board.panel.lights == 0
    assert board.use() == ["lights", "button"]
    board.panel.show(Pattern.MUTED)
    await until(lambda: board.lights.shown[-1:] == [render(Pattern.MUTED, 0, 3)])
    assert board.panel.lights == 3
    assert board.button.post is not None
    board.button.post(Pressed("tap", 1.0))
    assert board.told == [Pressed("tap", 1.0)]


async def test_a_board_without_a_button_is_fine(board: Board) -> None:
    """There is none to claim."""
    board.panel.use(lambda: board.lights, lambda: None)
    assert board.panel.start(board.tasks, board.told.append) == ["lights", "button"]
    assert board.told == []


async def test_what_fails_is_told_and_the_other_part_works(board: Board) -> None:
    """By the part's name, once; `start` says what is fine."""
    board.lights.opening = [BoardError("spi is off")]
    assert board.use() == ["button"]
    assert board.use(button=FakeButton(board.log, BoardError("GPIO17 is taken"))) == ["lights"]
    board.panel.use(lambda: broken("no such driver"), lambda: broken("pin 18 is the sound's"))
    assert board.panel.start(board.tasks, board.told.append) == []
    told = [(news.part, news.message) for news in board.told if isinstance(news, PartLost)]
    assert told == [
        ("lights", "spi is off"),
        ("button", "GPIO17 is taken"),
        ("lights", "no such driver"),
        ("button", "pin 18 is the sound's"),
    ]
    assert board.panel.lights == 0
    board.panel.show(Pattern.IDLE)
    board.panel.streaming(on=True)


async def test_new_hardware_shows_what_the_old_one_showed(board: Board) -> None:
    """Pattern and streaming; the old one is dark and let go before the new one is claimed."""
    board.use()
    board.panel.show(Pattern.IDLE)
    board.panel.streaming(on=True)
    new = FakeLights(board.log)
    board.use(new, FakeButton(board.log))
    assert board.log == ["button let go", "lights off"]
    assert board.lights.dark
    await until(lambda: new.shown and WHITE in new.shown[-1])
    await until(lambda: any(WHITE not in picture for picture in new.shown))
    board.panel.streaming(on=False)
    await until(lambda: new.shown[-1] == render(Pattern.IDLE, 0, 3))


async def test_closed_the_button_goes_first_and_the_lights_are_dark(board: Board) -> None:
    """Nothing draws on them any more; closing twice is harmless."""
    board.use()
    board.panel.show(Pattern.LISTENING)
    await until(lambda: board.lights.shown)
    board.panel.close()
    board.panel.close()
    board.panel.show(Pattern.IDLE)
    assert board.log == ["button let go", "lights off"]
    assert board.lights.dark
    assert board.panel.lights == 0
