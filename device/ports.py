"""Ports are what has a real and a simulated implementation: one Protocol each, with its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from device.frames import Frame
from device.news import Post


@dataclass(frozen=True, slots=True)
class Played:
    """A block that the card was given, as it sounds: everything mixed, after volume and limiter."""

    pcm: bytes
    """s16le mono at ``rate_hz``."""
    rate_hz: int
    opening: int
    """Counts the loudspeaker's openings; ``position`` begins anew with each."""
    position: int
    """Place of the first sample in what the card was given since it was opened, silence counted."""
    heard_at: float
    """CLOCK_MONOTONIC when that sample leaves the loudspeaker, as far as the sound system knows."""
    start: int = 0
    """Counts the stream's starts in it; from one to the next ``position`` goes on by the clock."""


@dataclass(frozen=True, slots=True)
class Block:
    """What a card handed over, before a channel was chosen and anything made of it."""

    pcm: bytes
    """Interleaved, little-endian."""
    channels: int
    sample_bytes: int
    """2 or 4."""
    channel: int
    """The one that is listened to, counted from 0."""


Tap = Callable[[Block], None]
"""Told each block on the event loop's thread; must be quick, and not raise."""


class SoundDevice(Protocol):
    """What tells whose a sound device is, whether it is open or only listed."""

    @property
    def name(self) -> str:
        """The name under which PortAudio lists it."""
        ...

    @property
    def card(self) -> int | None:
        """ALSA's number of its card, good for now only; None for a sound server's device."""
        ...


@dataclass(frozen=True, slots=True)
class OpenDevice:
    """The facts of a sound device as it was opened; its text is for status and messages only."""

    name: str
    """As PortAudio lists it."""
    card: int | None
    """ALSA's number of the card, another one perhaps after the next start of the computer; None
    for what is no card itself, such as a sound server's device."""
    channel: int | None
    """The one that is listened to, counted from 0; None for a loudspeaker."""
    channels: int
    """How many it was opened with."""
    rate_hz: int

    def __str__(self) -> str:
        """Describe it to people: ``'pulse' (16000 hz, channel 0 of 6)``."""
        if self.channel is None:
            layout = f"{self.channels} channels"
        else:
            layout = f"channel {self.channel} of {self.channels}" if self.channels > 1 else "mono"
        return f"'{self.name}' ({self.rate_hz} hz, {layout})"

    @classmethod
    def from_record(cls, record: object) -> Self | None:
        """Read what `dataclasses.asdict` made of one; None where it is nothing like that."""
        match record:
            case {
                "name": str(name),
                "card": int() | None as card,
                "channel": int() | None as channel,
                "channels": int(channels),
                "rate_hz": int(rate_hz),
            }:
                return cls(name, card, channel, channels, rate_hz)
        return None


class Microphone(Protocol):
    """One microphone channel as 20 ms frames. Used from the event loop's thread only."""

    taps: set[Tap]
    """Who is told each block of the card too, on its way."""

    @property
    def device(self) -> OpenDevice | None:
        """The device that is open, or was last; None before the first opening."""
        ...

    @property
    def description(self) -> str:
        """The device that is open (or was last, or is asked for), for status and messages."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """``frames``, ``overruns``, ``dropped``: since the process began."""
        ...

    async def open(self) -> None:
        """Find the device by name and open it.

        Raises AudioDeviceError, its message naming what was asked for and what there is instead.
        """
        ...

    def rest(self, on: bool) -> None:
        """Say whether only a wake word is awaited: frames may come later then, and more at once."""
        ...

    async def read(self) -> Frame:
        """Wait for the next frame. Cancelling loses no frame.

        Raises AudioDeviceError when the device is lost or has delivered nothing for 3 s.
        """
        ...

    async def close(self) -> None:
        """Close the device; open() works again afterwards. Harmless when closed.

        Raises AudioDeviceHungError when the capture thread does not come back within 2 s.
        """
        ...


class Speaker(Protocol):
    """Plays replies turn by turn, and chimes over them. Used from the event loop's thread only."""

    @property
    def device(self) -> OpenDevice | None:
        """The device that is open, or was last; None before the first opening."""
        ...

    @property
    def description(self) -> str:
        """The device that is open (or was last, or is asked for), for status and messages."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """``underruns``, ``dropped_ms`` and the like: since the process began."""
        ...

    @property
    def audible(self) -> bool:
        """Whether anything of ours can be heard now: a reply or a chime, its latency included."""
        ...

    @property
    def level(self) -> float:
        """RMS of what is being played, 0..1 of full scale, after volume; 0 when silent."""
        ...

    async def open(self, post: Post) -> None:
        """Find the device by name and open it. Raises AudioDeviceError."""
        ...

    async def wait_lost(self) -> None:
        """Return never; raise AudioDeviceError when the open device is lost or stalls."""
        ...

    async def close(self) -> None:
        """Close the device. A turn that was playing is reported as drained. Harmless when closed.

        Raises AudioDeviceHungError.
        """
        ...

    def rest(self, on: bool) -> None:
        """Say whether nothing is likely to be played soon: then its stream may be stopped."""
        ...

    def play(self, pcm: bytes, turn: int) -> None:
        """Append a chunk (s16le mono 24 kHz, any length) of a turn. Returns at once.

        One of a turn that was cleared, or older than the newest, is dropped.
        """
        ...

    def end_turn(self, turn: int) -> None:
        """No more of this turn will come: PlaybackDrained follows when it has been heard."""
        ...

    def clear(self) -> int:
        """Throw the rest of the current turn away: silence at the card within 50 ms, no click.

        Returns how many milliseconds of the turn the card has taken. Chimes go on. Later chunks of
        that turn are dropped; no PlaybackDrained comes for it. Ends a `pause`.
        """
        ...

    def pause(self) -> int:
        """Let the reply, also one that begins later, fall silent within 50 ms and keep its place.

        Returns how many milliseconds of the newest turn the card has taken. No news of it comes
        meanwhile. Chimes go on, chunks are still appended.
        """
        ...

    def go_on(self) -> int:
        """Go on where `pause` fell silent, if it did; returns the same."""
        ...

    def take_played(self) -> Sequence[Played]:
        """Return what the card was given since the last call, oldest first, without silences.

        Bounded to about two seconds: of a caller who comes later the oldest blocks are lost.
        """
        ...

    def chime(self, name: str) -> None:
        """Play one of our chimes, by its name, over whatever plays."""
        ...

    def ring(self, rung_s: float, percent: int, words: bytes = b"") -> float:
        """Ring once, over whatever plays, and say ``words`` (s16le mono 24 kHz, whole) after it.

        ``rung_s``: for how long it has rung already, since it grows louder. ``percent``: its own
        volume, 0..100, whatever that of the rest is. A reply plays softly from now on, until
        `stop_ringing`. Returns how long it sounds, seconds; 0 while no device is open.
        """
        ...

    def stop_ringing(self) -> None:
        """Break off what rings, without a click; a reply is as loud as before. Harmless at rest."""
        ...

    def announce(self, pcm: bytes) -> None:
        """Say a sentence of our own (s16le mono 24 kHz, whole) after the chimes that still play.

        It takes the place of one that is being said. Dropped while no device is open.
        """
        ...

    def hush(self) -> None:
        """Break off the sentence of our own, without a click; harmless when there is none."""
        ...

    def set_volume(self, percent: int) -> None:
        """0..100, for replies and chimes; takes effect within one block."""
        ...


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
        """``hops``, ``quiet`` (those not looked at), ``dropped`` (frames, too late), ``gaps``."""
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

        None while that is not known. Returns at once; to ask is what makes the array look.
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

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a function does, and return what goes back to the model.

        It is a short object, under ``output``, or under ``error`` with what to do instead. Never
        raises; takes no longer than the function's own deadline.
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

    def send_text(self, text: str) -> None:
        """Append words of the user, after all that waits."""
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

    def give_up_handle(self) -> None:
        """Have the talk resumed no more, whatever handle may still come."""
        ...

    async def close(self, reason: str) -> None:
        """End the session; returns when it has ended, about a second later at most."""
        ...

    async def run(self) -> None:
        """Hold the conversation; the last news is one SessionClosed or SessionFailed."""
        ...
