"""What the lights cost: processor time, drawings and bytes on the bus, by pattern and driver.

Everything of ours is real: lamp, patterns, drivers, the ring's thread, pyusb. Below it stand a
recorder in place of the kernel's SPI, an emulated USB, and a terminal that only counts.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from device.board.profiles import profile_named
from device.lights import animation as lamp_module
from device.lights.animation import Animation
from device.lights.drivers import make_lights
from device.lights.patterns import Pattern
from device.lights.render import render
from device.ports import Colour, Lights
from tests.rig.usb_device import Bus, MicArrayV2, UsbArray, Xvf3800Board

SPAN_S = 2.0
STANDING_S = 7.0
"""A whole period of it."""
MOST_PERCENT = 10.0
"""Of one core of the machine that runs this; far above what was seen: only a blunder fails."""

SHOWN: list[tuple[str, Pattern, bool]] = [
    ("idle", Pattern.IDLE, False),
    ("connecting", Pattern.CONNECTING, False),
    ("listening", Pattern.LISTENING, False),
    ("listening, streaming", Pattern.LISTENING, True),
    ("thinking", Pattern.THINKING, False),
    ("speaking", Pattern.SPEAKING, False),
    ("volume", Pattern.VOLUME, False),
    ("muted", Pattern.MUTED, False),
    ("fault", Pattern.FAULT, False),
    ("standing fault", Pattern.STANDING, False),
]

pytestmark = pytest.mark.benchmark


@dataclass
class Spi:
    """A bus that swallows."""

    sent: list[int] = field(default_factory=list)
    rate = 0

    def write(self, data: list[int]) -> None:
        self.sent.append(len(data))

    def close(self) -> None:
        """Nothing to let go."""


class Pi(MockFactory):  # type: ignore[misc]
    """Pretended pins with SPI hardware."""

    def __init__(self, spi: Spi) -> None:
        super().__init__()
        self._bus = spi

    def spi(self, **_bus: Any) -> Spi:
        return self._bus


class Terminal(io.TextIOBase):
    """What is written to it, by its length."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.sent.append(len(text.encode()))
        return len(text)


@dataclass
class Rig:
    """One driver, and what it has put on its bus: the bytes of each transfer."""

    name: str
    lights: Lights
    sent: Callable[[], list[int]]


@contextmanager
def apa102() -> Iterator[Rig]:
    spi = Spi()
    before, Device.pin_factory = Device.pin_factory, Pi(spi)
    yield Rig("12 APA102 on SPI", _made("4mic-hat"), lambda: spi.sent)
    Device.pin_factory.reset()
    Device.pin_factory = before


@contextmanager
def ring(board: str, array: UsbArray) -> Iterator[Rig]:
    bus = Bus(array)
    yield Rig(
        f"{board}, ring of 12 on USB",
        _made(board, usb=lambda: bus),
        lambda: [transfer.length for transfer in array.transfers],
    )


def usb_array() -> MicArrayV2:
    array = MicArrayV2()
    array.numbers = {(19, 32): (1, 0), (21, 0): (90, 0)}
    return array


def xvf3800() -> Xvf3800Board:
    array = Xvf3800Board()
    array.direction = 90, 1
    return array


@contextmanager
def terminal() -> Iterator[Rig]:
    stream = Terminal()
    yield Rig(
        "12 in the terminal", _made("none", driver="terminal", stream=stream), lambda: stream.sent
    )


def _made(board: str, driver: str = "auto", **more: Any) -> Lights:
    given: dict[str, Any] = {"brightness": 40, "gpio_pins": None, "stream": None, **more}
    return make_lights(driver, profile_named(board), **given)


async def measured(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """CPU in percent of a core, drawings and transfers and bytes, each a second."""
    drawings = 0

    def counted(*args: Any, **more: Any) -> tuple[Colour, ...]:
        nonlocal drawings
        drawings += 1
        return render(*args, **more)

    monkeypatch.setattr(lamp_module, "render", counted)
    lamp = Animation(rig.lights, lambda: 0.1, lambda: 1.0)
    lamp.open()
    drawing = asyncio.create_task(lamp.run(lambda _news: None))
    rows = []
    for _, pattern, streaming in SHOWN:
        lamp.show(pattern, 0.6 if pattern is Pattern.VOLUME else 0.0)
        lamp.streaming(on=streaming)
        # What is shown first is not what it costs to show it on.
        await asyncio.sleep(0.2)
        span_s = STANDING_S if pattern is Pattern.STANDING else SPAN_S
        drawn, transfers, began, cpu_s = (
            drawings,
            len(rig.sent()),
            time.monotonic(),
            time.process_time(),
        )
        await asyncio.sleep(span_s)
        lasted_s = time.monotonic() - began
        sent = rig.sent()[transfers:]
        used_s = time.process_time() - cpu_s
        figures = (100 * used_s, drawings - drawn, len(sent), sum(sent))
        rows.append([figure / lasted_s for figure in figures])
    drawing.cancel()
    await asyncio.wait([drawing])
    lamp.close()
    return rows


@pytest.mark.parametrize(
    "rig",
    [apa102, lambda: ring("usb-array", usb_array()), lambda: ring("xvf3800", xvf3800()), terminal],
    ids=["apa102", "usb-array", "xvf3800", "terminal"],
)
async def test_what_the_lights_cost(
    rig: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At rest nothing at all; else a share of a core that nobody misses."""
    with rig() as used:
        rows = await measured(used, monkeypatch)
        print(f"\n{used.name}\n{'':24}{'CPU %':>8}{'draws/s':>9}{'sent/s':>9}{'bytes/s':>9}")
        for (name, _, _), row in zip(SHOWN, rows, strict=True):
            print(f"{name:24}{row[0]:8.2f}{row[1]:9.1f}{row[2]:9.1f}{row[3]:9.0f}")
    by_name = {name: row for (name, _, _), row in zip(SHOWN, rows, strict=True)}
    for still in ("idle", "muted"):
        assert by_name[still][1:] == [0, 0, 0]
    assert by_name["standing fault"][1] < 1
    assert max(row[0] for row in rows) < MOST_PERCENT
    assert max(row[1] for row in rows) < 21
