"""A session is one conversation with the Live API as the hub sees it, real or simulated.

Tested in tests/test_ports.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from device.news import Enclosed
from device.ports.camera import Picture


class PushToTalk(Protocol):
    """Turns of a session that the button begins and ends. Every call returns at once."""

    def press(self) -> None:
        """Let what is said from now on wait until it is known why the button went down."""
        ...

    def let_go(self) -> None:
        """Send what waits as ever: it is no hold. Harmless when nothing waits, or it is one."""
        ...

    def hold(self) -> None:
        """Take what is said since the press, and until `release`, for one turn."""
        ...

    def heard(self) -> None:
        """Begin the turn: somebody speaks. Harmless when it has begun, or nothing is held."""
        ...

    def release(self) -> None:
        """End the turn: the server owes an answer."""
        ...


class Session(Protocol):
    """One conversation with the Live API. Used from the event loop's thread only."""

    number: int
    """Names it in all its news."""

    @property
    def push_to_talk(self) -> PushToTalk:
        """What is told of the finger on the button."""
        ...

    @property
    def model(self) -> str:
        """The model in use, or asked for."""
        ...

    @property
    def owes(self) -> bool:
        """Whether it is the server's fault if no answer comes: it had words to answer."""
        ...

    @property
    def understood(self) -> bool:
        """Whether the server has told what it understood of the user's last words."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """What the session did so far."""
        ...

    def send_frame(self, pcm: bytes, captured_at: float | None = None) -> None:
        """Append 20 ms of microphone (640 bytes, s16le mono 16 kHz) to what goes up.

        ``captured_at``: when it was recorded, CLOCK_MONOTONIC; None for what is late by intent.
        """
        ...

    def end_audio(self) -> None:
        """Say, after all that waits, that the microphone pauses; nobody waits for an answer."""
        ...

    def finish_audio(self) -> None:
        """Say that the microphone is gone; what was said is to be answered all the same."""
        ...

    def send_text(self, text: str, picture: Enclosed | None = None) -> None:
        """Append words of the user, and the picture that they are about, after all that waits."""
        ...

    def send_picture(self, picture: Picture) -> None:
        """Let the server see this when nothing else waits; the next one takes its place."""
        ...

    def ask_again(self, *, fresh: bool, forget: bool) -> None:
        """Put to the server again what the user said or typed last and no turn has answered.

        ``fresh``: over a fresh session, without a handle; ``forget``: which is told nothing of the
        talk so far. Harmless when nothing is kept that could be asked again.
        """
        ...

    def user_speaks(self, speaking: bool, lasted_s: float = 0.0) -> None:
        """Take note whether the user is in mid-sentence, and how long the sentence was."""
        ...

    def dismiss(self) -> None:
        """Take note that nobody waits for an answer any more."""
        ...

    def forget_pictures(self) -> None:
        """Take note that the talk is over: no picture that was taken for it goes up any more."""
        ...

    def give_up_handle(self) -> None:
        """Have the talk resumed no more, whatever handle may still come."""
        ...

    async def close(self, reason: str) -> None:
        """End the session; returns when it has ended, about a second later at most."""
        ...

    async def run(self) -> None:
        """Hold the conversation; the last news is one SessionClosed or SessionFailed."""
        ...
