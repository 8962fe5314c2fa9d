"""`GpioButton` takes the push button's edges from gpiozero's thread to the event loop.

gpiozero calls its handlers in one thread for all pins of the process, and an exception there ends
all of them; so a handler only takes the time and hands the edge to the loop. What the edges mean is
decided elsewhere (`device.board.gestures`).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from device.board.gpio import attempt, gpio_factory, let_go, refuse_taken
from device.board.profiles import Profile
from device.news import ButtonEdge, Post
from device.threads import tell

BOUNCE_S = 0.03
"""How long a level must last to count. lgpio reports an edge that much later."""


class GpioButton:
    """A button between a GPIO pin and ground. Used from the event loop's thread only."""

    def __init__(self, pin: int) -> None:
        self._pin = pin
        self._device: Any = None
        self._post: Post | None = None

    @property
    def pin(self) -> int:
        """The GPIO number."""
        return self._pin

    def start(self, post: Post) -> None:
        """Claim the pin and post each `ButtonEdge` from now on. Raises BoardError.

        A button that is held down already says nothing before it is let go and pressed again.
        """
        loop = asyncio.get_running_loop()
        factory = gpio_factory()
        self._device = attempt(
            f"use GPIO{self._pin} for the button",
            lambda: _pulled_up(self._pin, factory),
            "; does another program or part use it?",
            pins=(self._pin,),
        )
        self._post = post
        self._device.when_activated = lambda: self._hand_over(loop, down=True)
        self._device.when_deactivated = lambda: self._hand_over(loop, down=False)

    def close(self) -> None:
        """Let the pin go; nothing is posted any more. Harmless when closed; never raises."""
        self._post = None
        device, self._device = self._device, None
        if device is not None:
            let_go(device.close)

    def _hand_over(self, loop: asyncio.AbstractEventLoop, *, down: bool) -> None:
        """Runs in gpiozero's thread."""
        tell(loop, self._on_edge, down, time.monotonic())

    def _on_edge(self, down: bool, at: float) -> None:
        if self._post is not None:
            self._post(ButtonEdge(down, at))


def make_button(pin: int | str | None, profile: Profile) -> GpioButton | None:
    """Return the button of ``button.pin``: a GPIO number, ``auto`` (the board's), or none.

    Nothing is claimed before its start(). Raises BoardError when the board needs that pin itself.
    """
    if pin is None or pin == "none":
        return None
    number = profile.button_pin if pin == "auto" else int(pin)
    if number is None:
        return None
    refuse_taken(number, "the button", "button.pin", profile)
    return GpioButton(number)


def _pulled_up(pin: int, factory: Any) -> Any:
    # Not gpiozero's Button: it keeps a thread that wakes ten times a second to time a hold.
    from gpiozero import DigitalInputDevice  # noqa: PLC0415 - only where there are pins

    return DigitalInputDevice(pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=factory)
