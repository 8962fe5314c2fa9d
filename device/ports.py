"""Ports are what has a real and a simulated implementation, but for sound: one Protocol each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from device.frames import Frame
from device.news import Enclosed, KeepWakes, Post


@dataclass(frozen=True, slots=True)
class WakeScores:
    """How the wake word networks are doing, for status."""

    last: Mapping[str, float]
    """The newest score of each word, 0..1."""
    hop_ms_p50: float
    hop_ms_max: float
    """How long a hop's inference took, over the last 20 s; the budget is 80 ms."""


class WakeDetector(Protocol):
    """Hears wake words and, while asked to, speech. Used from the event loop's thread only."""

    @property
    def words(self) -> Sequence[str]:
        """The names of the wake words it listens for."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """``hops`` (heard), ``quiet`` (those of them that no network looked at), ``gaps``.

        And ``dropped``: frames it could not keep up with.
        """
        ...

    @property
    def hears(self) -> bool:
        """Whether a word that begins now would be heard: its networks have heard enough before."""
        ...

    @property
    def scores(self) -> WakeScores:
        """The last score of each word, and how long the hops take."""
        ...

    async def run(self, post: Post) -> None:
        """Own the worker thread until cancelled; raises what the worker raised."""
        ...

    def feed(self, frame: Frame, far_end: bytes | None = None, *, near: bool = False) -> None:
        """Take the next frame; returns at once. A gap in ``first_sample`` restarts the warm-up.

        ``far_end``: what of our own sound arrives in this frame, as it was played (s16le, 16 kHz,
        as long as the frame); None while nothing of ours can be heard. ``near``: whether somebody
        else is heard in it over our own sound.
        """
        ...

    def track_speech(self, on: bool) -> None:
        """Set whether to run speech detection too, and post SpeechChanged."""
        ...

    def listen_for_stop(self, on: bool) -> None:
        """Set whether to listen for "stop" without a wake word too, and post StopWord."""
        ...

    def keep_clips(self, which: KeepWakes) -> None:
        """Set of which wakes to post the clips, WakeClip, too."""
        ...


Colour = tuple[int, int, int]
"""Red, green, blue, 0..255 each."""


class Lights(Protocol):
    """A row or ring of RGB LEDs. Used from the event loop's thread only."""

    brightness: int
    """0..100 percent, from the next `show` on."""

    @property
    def count(self) -> int:
        """How many LEDs; 0 when there are none."""
        ...

    def open(self) -> None:
        """Claim the hardware and switch all LEDs off. Raises BoardError."""
        ...

    def show(self, colours: Sequence[Colour]) -> None:
        """Set every LED; ``len(colours) == count``. Raises BoardError."""
        ...

    def close(self) -> None:
        """All LEDs off, then let the hardware go. Harmless when closed; never raises."""
        ...


@runtime_checkable
class Pointing(Protocol):
    """LEDs around microphones that tell where a voice comes from: some Lights are this as well."""

    def direction(self) -> float | None:
        """Return where somebody speaks: 0..1 around the ring, from its first LED in their order.

        None while that is not known, or was not for a while. Returns at once; to ask is what makes
        the array look.
        """
        ...


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


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is sent."""

    jpeg: bytes = field(repr=False)
    """Upright, at most 768 px on its longer side."""
    width: int
    height: int
    taken_at: float
    """When the camera gave it, CLOCK_MONOTONIC."""
    dark: bool
    """Whether it is so dark that hardly anything can be seen."""


class Camera(Protocol):
    """Something that takes pictures. Used from the event loop's thread only.

    Between two pictures the device is let go, unless the next one comes soon.
    """

    @property
    def description(self) -> str:
        """What it is, for a person: "USB camera 'HD Webcam' (/dev/video0)"."""
        ...

    async def take(self, *, more_soon: bool = False) -> Picture:
        """Take one picture, a few seconds at most; one at a time. Cancelling gives it up.

        ``more_soon``: keep the device open, since another one is wanted within seconds. Raises
        CameraError: none there, busy, unplugged, not allowed, too slow, nothing readable.
        """
        ...

    async def close(self) -> None:
        """Let the device go. Harmless when it is not open; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Declaration:
    """A function that a model can call."""

    name: str
    """Letters, digits and ``_``, at most 64."""
    purpose: str
    """What it does and when to call it, for the model; billed with every turn."""
    parameters: Mapping[str, Any]
    """JSON Schema of an object."""
    slow: bool = False
    """Whether the model should talk on meanwhile, where it can."""
    shows: bool = False
    """Whether a picture comes with its answer; it is declared only to models that take one then."""
    ability: str = ""
    """What of `Functions.abilities` it is for."""


PICTURE = "picture"
"""What a picture stands under beside a function's answer. It is no part of what is answered."""


class Functions(Protocol):
    """What a model can do with the speaker."""

    @property
    def declared(self) -> Sequence[Declaration]:
        """Every function that can be called now."""
        ...

    @property
    def abilities(self) -> Sequence[str]:
        """The same as verbs, for the model's instruction: "set timers or alarms"."""
        ...

    @property
    def facts(self) -> str:
        """What the model is told beside it, of the house say; text from elsewhere, bounded."""
        ...

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a function does, and return what goes back to the model.

        It is a short object, under ``output``, or under ``error`` with what to do instead; beside
        it, under `PICTURE`, a `Picture` that the model is to see with it. Never raises; takes no
        longer than the function's own deadline.
        """
        ...

    def undo(self, name: str, answer: Mapping[str, Any]) -> None:
        """Take back what was answered so, where that can be; returns at once."""
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
