"""Mock pins for tests of boards and lights, and what they draw at the end of pytest's output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin, MockSPIDevice

_PICTURES = pytest.StashKey[list[str]]()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Add a line to the pictures that are shown when all tests are done."""
    return request.config.stash.setdefault(_PICTURES, []).append


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show what the tests have drawn: it is there to be looked at, whether they pass or not."""
    if lines := config.stash.get(_PICTURES, []):
        terminalreporter.section("the lights, the boards' bytes, and how each board is known")
        for line in lines:
            terminalreporter.write_line(line)


def _use(factory: Any) -> Iterator[Any]:
    before, Device.pin_factory = Device.pin_factory, factory
    yield factory
    factory.reset()
    Device.pin_factory = before


@pytest.fixture
def pins() -> Iterator[Any]:
    """A Raspberry Pi's pins without PWM."""
    yield from _use(MockFactory())


@pytest.fixture
def pwm_pins() -> Iterator[Any]:
    """A Raspberry Pi's pins that can be dimmed."""
    yield from _use(MockFactory(pin_class=MockPWMPin))


class Chain(MockSPIDevice):  # type: ignore[misc]
    """Records each transfer on SPI0 device 1 with what a pin was at its end."""

    def __init__(self, factory: Any, watched: int | None = None) -> None:
        self.frames: list[bytes] = []
        self.supply: list[bool] = []
        self._watched = None if watched is None else factory.pin(watched)
        super().__init__(11, 10, 9, 7, pin_factory=factory)

    def on_select(self) -> None:
        # Claiming the select pin and letting it go are edges too, without a bit between them.
        if self.select_pin.state == self.select_high or not self.rx_buf:
            self.on_start()
            return
        bits = "".join("1" if bit else "0" for bit in self.rx_buf)
        self.frames.append(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)))
        self.on_start()
        if self._watched is not None:
            self.supply.append(self._watched.state)


@pytest.fixture
def chain(pins: Any) -> Callable[..., Chain]:
    """Attach a recording chain to the mock pins (before any driver is opened)."""
    return lambda watched=None: Chain(pins, watched)
