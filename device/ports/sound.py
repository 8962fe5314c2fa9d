"""Sound comes from a microphone and goes to a loudspeaker, real or simulated: one Protocol each.

Tested in tests/test_ports.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

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

        Raises AudioDeviceHungError when the playback thread does not come back within 2 s.
        """
        ...

    def rest(self, on: bool) -> None:
        """Say whether nothing is likely to be played soon: then its stream may be stopped."""
        ...

    def play(self, pcm: bytes, turn: int) -> None:
        """Append a chunk (s16le mono 24 kHz, any length) of a turn. Returns at once.

        A chunk of a turn that was cleared, or older than the newest, is dropped. While no device is
        open chunks are dropped and counted.
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
        """Let the reply fall silent at the card within 50 ms, with a fade, and keep its place.

        Returns how many milliseconds of the newest turn the card has taken. Chimes go on, chunks
        are still appended, and no news of the turn comes meanwhile. Harmless when it is paused or
        nothing plays: a turn that begins meanwhile is paused too.
        """
        ...

    def go_on(self) -> int:
        """Go on, with a fade, where `pause` fell silent; harmless when it is not paused.

        Returns how many milliseconds of the newest turn the card has taken.
        """
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
