"""Mock pins for tests of boards and lights, and what they draw at the end of pytest's output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin, MockSPIDevice

_PICTURE = "picture"
_pictures: dict[str, list[str]] = {}
"""The lines that each test has drawn, by its node id."""


@pytest.fixture
def picture(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Add a line to the pictures that are shown when all tests are done."""
    return partial(record_property, _PICTURE)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a test has drawn; a report comes here from whichever process ran the test."""
    if report.when == "teardown":
        lines = [str(line) for name, line in report.user_properties if name == _PICTURE]
        if lines:
            _pictures[report.nodeid] = lines


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what the tests have drawn: it is there to be looked at, whether they pass or not."""
    if _pictures:
        terminalreporter.section("the lights, the boards' bytes, and how each board is known")
        for _, lines in sorted(_pictures.items()):
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
