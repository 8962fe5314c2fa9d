"""The button, on gpiozero's mock pins."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from device.board.button import GpioButton, make_button
from device.board.profiles import profile_named
from device.errors import BoardError
from device.news import ButtonEdge, News


class Presses:
    """What the button posted."""

    def __init__(self) -> None:
        self.news: list[ButtonEdge] = []
        self.threads: set[int] = set()

    def post(self, news: News) -> None:
        assert isinstance(news, ButtonEdge)
        self.news.append(news)
        self.threads.add(threading.get_ident())


@pytest.fixture
def presses() -> Presses:
    return Presses()


async def _loop_has_run() -> None:
    """Callbacks posted from outside before this are done after it."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon_threadsafe(done.set)
    await asyncio.wait_for(done.wait(), timeout=30)


async def test_each_edge_is_posted_with_its_own_time(pins: Any, presses: Presses) -> None:
    """Not that of the loop, which may be busy."""
    button = GpioButton(17)
    button.start(presses.post)
    before = time.monotonic()
    pins.pin(17).drive_low()
    after = time.monotonic()
    pins.pin(17).drive_high()
    await _loop_has_run()
    assert [news.down for news in presses.news] == [True, False]
    assert before <= presses.news[0].time <= after
    button.close()


async def test_the_pin_is_pulled_up_and_debounced(pins: Any, presses: Presses) -> None:
    """Every board's button pulls to ground; lgpio wants the level to be stable for a while."""
    button = GpioButton(17)
    button.start(presses.post)
    assert pins.pin(17).pull == "up"
    assert pins.pin(17).bounce == 0.03
    assert button.pin == 17
    button.close()


async def test_no_thread_is_kept_for_the_button(pins: Any, presses: Presses) -> None:
    """A thread that wakes ten times a second is what gpiozero's Button would cost."""
    before = set(threading.enumerate())
    button = GpioButton(17)
    button.start(presses.post)
    assert set(threading.enumerate()) == before
    button.close()


async def test_a_button_held_at_start_says_nothing_of_it(pins: Any, presses: Presses) -> None:
    """Only that it is let go, which by itself means nothing."""
    button = GpioButton(17)
    pin = pins.pin(17)
    held = pin._set_pull
    pin._set_pull = lambda value: (held(value), pin.drive_low())
    button.start(presses.post)
    assert pin.state is False
    await _loop_has_run()
    assert presses.news == []
    pin.drive_high()
    await _loop_has_run()
    assert [news.down for news in presses.news] == [False]
    button.close()


async def test_edges_from_another_thread_are_posted_on_the_loop(
    pins: Any, presses: Presses
) -> None:
    """The handler is called in a thread of its own; `post` is never called there."""
    button = GpioButton(17)
    button.start(presses.post)
    await asyncio.to_thread(pins.pin(17).drive_low)
    await _loop_has_run()
    assert presses.threads == {threading.get_ident()}
    button.close()


def test_an_edge_after_the_loop_is_closed_raises_nothing(pins: Any, presses: Presses) -> None:
    """An exception in gpiozero's thread would end the events of every pin."""
    button = GpioButton(17)

    async def start() -> None:
        button.start(presses.post)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(start())
    loop.close()
    pins.pin(17).drive_low()
    pins.pin(17).drive_high()
    assert presses.news == []
    button.close()


async def test_nothing_is_posted_after_close(pins: Any, presses: Presses) -> None:
    """Not even a press that was already on its way; closing twice is harmless."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: failures.append(what))
    button = GpioButton(17)
    button.start(presses.post)
    pins.pin(17).drive_low()
    button.close()
    button.close()
    await _loop_has_run()
    assert failures == []
    assert presses.news == []


async def test_a_closed_button_can_be_started_again(pins: Any, presses: Presses) -> None:
    """As a changed configuration asks for."""
    button = GpioButton(17)
    for _ in range(2):
        button.start(presses.post)
        pins.pin(17).drive_low()
        await _loop_has_run()
        button.close()
    assert len(presses.news) == 2


async def test_a_pin_in_use_is_told_and_the_next_try_works(pins: Any, presses: Presses) -> None:
    """The message names the pin; the failure keeps nothing claimed."""
    other, mine = GpioButton(17), GpioButton(17)
    other.start(presses.post)
    for _ in range(2):
        with pytest.raises(BoardError, match=r"cannot use GPIO17 for the button: .*in use"):
            mine.start(presses.post)
    mine.close()
    other.close()
    mine.start(presses.post)
    mine.close()


@pytest.mark.parametrize(
    ("setting", "board", "pin"),
    [
        ("auto", "2mic-hat", 17),
        ("auto", "6mic-circular", 26),
        ("auto", "4mic-linear", 26),
        ("auto", "4mic-hat", None),
        ("auto", "none", None),
        ("none", "2mic-hat", None),
        (None, "2mic-hat", None),
        (22, "2mic-hat", 22),
        (0, "none", 0),
    ],
)
def test_the_pin_follows_from_setting_and_board(
    setting: int | str | None, board: str, pin: int | None
) -> None:
    """`auto` is the board's own button; a number outranks it; pin 0 is a pin."""
    button = make_button(setting, profile_named(board))
    assert (None if button is None else button.pin) == pin


def test_the_amplifiers_switch_is_no_button() -> None:
    """GPIO17, right for the 2-mic HAT, would mute the 6-mic kit."""
    with pytest.raises(BoardError, match="GPIO17 cannot be the button"):
        make_button(17, profile_named("6mic-circular"))
