"""What the hub knows of its parts: four Protocols and the news that parts send.

Every part that speaks up by itself is given a ``post`` function when it starts. ``post`` takes one
of the news below and must be called on the event loop's thread; a part with a thread of its own
uses ``loop.call_soon_threadsafe(post, news)``. Times are CLOCK_MONOTONIC seconds of the moment the
thing happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from device.frames import Frame

# --- what the parts report -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Detection:
    """A wake word was heard."""

    word: str
    score: float
    """0..1, of the hop that decided."""
    end_sample: int
    """Place in the microphone's stream (``Frame.first_sample``) just after that hop."""
    time: float


@dataclass(frozen=True, slots=True)
class SpeechChanged:
    """The user began or stopped speaking (endpointing; counts audio, not the clock)."""

    speaking: bool
    end_sample: int
    time: float


@dataclass(frozen=True, slots=True)
class SpeechJudged:
    """How likely a stretch of the microphone holds speech; told of each while speech is tracked."""

    probability: float
    """0..1."""
    first_sample: int
    end_sample: int
    time: float


WakeNews = Detection | SpeechChanged | SpeechJudged


@dataclass(frozen=True, slots=True)
class FirstSound:
    """The card took the first sample of a turn."""

    turn: int
    time: float
    queue_s: float = 0.0
    """What was on its way to the card before it: so much later it is heard."""


@dataclass(frozen=True, slots=True)
class PlaybackDrained:
    """A turn was ended and the card has taken (and, by its latency, played) all of it."""

    turn: int
    played_ms: int
    time: float


@dataclass(frozen=True, slots=True)
class PlaybackStarved:
    """The buffer ran empty in the middle of a turn that has not ended."""

    turn: int
    time: float


SpeakerNews = FirstSound | PlaybackDrained | PlaybackStarved


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


class FailureKind(StrEnum):
    """Why a session could not open or go on; each is told to the person in its own way."""

    OFFLINE = "offline"
    """This device has no network at all."""
    CLOCK = "clock"
    """This device's clock is so wrong that no certificate could be judged."""
    DNS = "dns"
    NETWORK = "network"
    """The server cannot be reached, or the connection to it was lost."""
    PORTAL = "portal"
    """Something that wants a sign-in answered in the server's place."""
    PROXY = "proxy"
    TLS = "tls"
    KEY = "key"
    QUOTA = "quota"
    BILLING = "billing"
    MODEL = "model"
    SETTINGS = "settings"
    """The server refuses what the configuration asks of it."""
    SERVER = "server"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Failure:
    """A told end of a session."""

    kind: FailureKind
    message: str
    """For the owner: names the thing and says what to do; never holds the key."""
    retryable: bool
    """Whether trying again without changing anything can help."""


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection is lost and could not be had back at once; what is said is held meanwhile.

    Posted before each further try; SessionOpened follows, or SessionFailed.
    """

    session: int
    failure: Failure
    time: float


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Setup was confirmed: what is held goes up now. ``resumed``: on a handle."""

    session: int
    latency_ms: float
    model: str
    resumed: bool
    time: float


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The session ended as asked (by us, or by the server with nothing wrong)."""

    session: int
    reason: str
    time: float


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """The session could not be opened or could not go on; it is over."""

    session: int
    failure: Failure
    model: str
    time: float


@dataclass(frozen=True, slots=True)
class HandleChanged:
    """What resumes the talk has changed; it is worth keeping beyond the process."""

    session: int
    handle: str | None
    """None: nothing does."""
    model: str
    time: float


@dataclass(frozen=True, slots=True)
class ModelReplaced:
    """The server does not have the configured model: one of the fallback models answers."""

    session: int
    gone: str
    successor: str
    time: float


@dataclass(frozen=True, slots=True)
class Stalled:
    """The server owed an answer and kept silent; ``what`` was done about it."""

    session: int
    what: Literal["nudged", "resumed", "restarted"]
    """Restarted: over a fresh session, since a resumed one heard and never answered."""
    reason: str
    time: float


@dataclass(frozen=True, slots=True)
class AudioRepeated:
    """What the user had said and nobody has answered goes up again, over a new connection."""

    session: int
    frames: int
    time: float


@dataclass(frozen=True, slots=True)
class AudioDropped:
    """Microphone audio found no room while the connection was away: it is lost."""

    session: int
    frames: int
    time: float


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server will end this connection."""

    session: int
    time_left_s: float
    time: float


@dataclass(frozen=True, slots=True)
class UplinkChanged:
    """Microphone audio began (or ceased) to be really sent."""

    session: int
    flowing: bool
    frames: int
    """Sent so far in this session."""
    bytes: int
    """Of PCM, sent so far in this session."""
    time: float


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """A chunk of the model's speech: s16le mono 24 kHz, any length."""

    session: int
    turn: int
    """Counts the model's turns over all sessions of the process; never used twice."""
    pcm: bytes
    time: float


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The server stopped this turn because the user spoke: what is left of it must not play."""

    session: int
    turn: int
    time: float


@dataclass(frozen=True, slots=True)
class GenerationComplete:
    """The model has produced all of this turn; the user has not heard it yet."""

    session: int
    turn: int
    time: float


@dataclass(frozen=True, slots=True)
class TurnComplete:
    """The server is done with this turn; the next chunk belongs to the next number."""

    session: int
    turn: int
    time: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. A fragment as it comes, or (``final``) the whole text of that side's turn."""

    session: int
    turn: int
    who: Literal["user", "model"]
    text: str
    final: bool
    time: float


@dataclass(frozen=True, slots=True)
class ToolNews:
    """A function the model asked for."""

    session: int
    what: Literal["called", "answered", "cancelled", "failed"]
    name: str
    time: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of the turn just ended, as the server counts them."""

    session: int
    turn: int
    tokens: Mapping[str, int]
    """Keys as ``prompt``, ``prompt_audio``, ``prompt_text``, ``response``, ``response_audio``,
    ``thoughts``, ``tool_use``, ``cached``, ``total``; only those the server named."""
    time: float


SessionNews = (
    Reconnecting
    | SessionOpened
    | SessionClosed
    | SessionFailed
    | HandleChanged
    | ModelReplaced
    | Stalled
    | AudioRepeated
    | AudioDropped
    | GoAway
    | UplinkChanged
    | ReplyAudio
    | Interrupted
    | GenerationComplete
    | TurnComplete
    | Transcript
    | ToolNews
    | Usage
)


@dataclass(frozen=True, slots=True)
class ButtonEdge:
    """The button went down or up."""

    down: bool
    time: float


@dataclass(frozen=True, slots=True)
class Pressed:
    """A gesture on the button, by its name in `device.board.gestures`."""

    gesture: str
    time: float


@dataclass(frozen=True, slots=True)
class MuteSwitched:
    """The microphone's own mute switch is on, or off."""

    on: bool
    time: float


@dataclass(frozen=True, slots=True)
class PartLost:
    """A part of the board stopped working; the speaker goes on without it."""

    part: Literal["lights", "button"]
    message: str
    time: float


BoardNews = ButtonEdge | Pressed | MuteSwitched | PartLost
News = WakeNews | SpeakerNews | SessionNews | BoardNews
Post = Callable[[News], None]


# --- what has a real and a simulated implementation ----------------------------------------------


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


class Microphone(Protocol):
    """One microphone channel as 20 ms frames. Used from the event loop's thread only."""

    taps: set[Tap]
    """Who is told each block of the card too, on its way."""

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

    def pause(self) -> None:
        """Let the reply fall silent at the card within 50 ms, with a fade, and keep its place.

        Chimes go on, chunks are still appended, and no news of the turn comes meanwhile. Harmless
        when it is paused or nothing plays: a turn that begins meanwhile is paused too.
        """
        ...

    def go_on(self) -> None:
        """Go on, with a fade, where `pause` fell silent; harmless when it is not paused."""
        ...

    def take_played(self) -> Sequence[Played]:
        """What the card was given since the last call, oldest first; stretches of silence left out.

        Bounded to about two seconds: of a caller who comes later the oldest blocks are lost.
        """
        ...

    def chime(self, name: str) -> None:
        """Play one of our chimes, by its name, over whatever plays."""
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
        """``hops`` (inferences done), ``dropped`` (frames it could not keep up with), ``gaps``."""
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
        """Whether to run speech detection too (during a conversation) and post SpeechChanged."""
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
        """Where somebody speaks: 0..1 around the ring, from its first LED in their order.

        None while that is not known, or was not for a while. Returns at once; to ask is what makes
        the array look.
        """
        ...
