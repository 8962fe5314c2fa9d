"""A speaker that talks in a simulated room, and who talks over it; what hears is the real thing.

Theory of operation. A `Speaker` gives one reply after the other to its `Loudspeaker`, which passes
them into a `Room` as the daemon's does: a little ahead, told with time stamps that are early by a
buffer nobody knows of, and that jitter. Each frame of the room's microphone goes through the echo
canceller, the barge-in decision and the networks, in the order in which the daemon gives it to
them, and what is decided is done: a pause falls silent with a fade, an interruption or a wake word
ends the reply, and two seconds later the next begins. There is no thread and no clock in it, so it
is the same every time, and some twenty times faster than real time.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from device.assistant.echo import EchoControl
from device.assistant.output import Output
from device.audio.overlay import FADE_MS
from device.board.profiles import NONE
from device.config import parse
from device.echo.canceller import EchoCanceller, Heard
from device.echo.duplex import Duplex
from device.events import EventBus
from device.faults import Faults
from device.frames import FRAME_MS, FRAME_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.news import (
    BargedIn,
    Detection,
    FellSilent,
    News,
    SpeechJudged,
    StopWord,
    TalkedOver,
    WakeNews,
)
from device.ports import Played
from device.simulator.acoustics import ROOMS, Acoustics, at_level
from device.simulator.room import FULL_SCALE, Room
from device.wake.worker import Hearing, Word
from tests.rig.fakes import FakeSpeaker
from tests.rig.speech import espeak

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]

LEVEL_DBFS = -20.0
"""Of our own speech."""
ON_ITS_WAY_MS = 40
"""What the card was given before it was told to pause is still heard."""
EARLY_MS = 20.0
"""By how much the stamps of what is played are early: a buffer that nobody tells of."""
NEAR_JITTER_S = 0.004
FAR_JITTER_S = 0.003
BEGAN_S = 100.0
"""CLOCK_MONOTONIC when both streams begin."""
NEXT_REPLY_S = 2.0
"""From the end of a reply to the next one."""
ANSWER_S = 1.5
"""And from the end of what somebody says at least: a server waits until they have finished."""
NEWS_FRAMES = 2
"""So much later than its frame the news of a worker thread on a small computer comes."""
SILENCE_MS = 700

FADE_SAMPLES = FADE_MS * MICROPHONE_RATE_HZ // 1000
FADE = np.linspace(1, 0, FADE_SAMPLES, endpoint=False)

OWN_VOICES = ("en-us", "en-gb+f2", "en-us+m7", "en-gb-x-rp", "en-us+f4", "en-gb+m5", "de", "en-gb")
OWN_WPM = (140, 160, 180)
WAKING = (
    "You can wake me with the words hey Jarvis, whenever you like.",
    "Just say hey Jarvis first. Then ask what you want to know.",
    "Hey Jarvis! That is what people call me, although my name is another one.",
)
SAID = (
    "The capital of Australia is not Sydney, as many people think, but Canberra.",
    "Tomorrow it will be cloudy with some rain in the afternoon, and eleven degrees at most.",
    "Once upon a time there was a little girl who lived near the forest with her grandmother.",
    "Sure! First, preheat the oven to two hundred degrees, and butter a large baking dish.",
    "There are three appointments on Thursday: the dentist at nine, lunch with Harvey, and a call.",
    "Light takes eight minutes and twenty seconds from the sun to the earth.",
    "No, I cannot do that yet. But I could set a timer, or play the news instead.",
    "Photosynthesis turns water and carbon dioxide into sugar and oxygen, using the light.",
    "That is a good question. Let us look at both sides of it, one after the other.",
    "The jazz festival begins on Saturday at half past seven, in the harbour's old warehouse.",
    "One, two, three, four, five. Here I come! Did you find a good place to hide?",
    "She walked slowly through the market, past apples, cheese, fresh bread and yellow flowers.",
    "In sixteen eighty seven, Newton described how every mass attracts every other mass.",
    "Okay, the alarm is set for a quarter past six. Sleep well, and see you tomorrow.",
    "The recipe needs six eggs, a cup of sugar, half a pound of flour and a pinch of salt.",
    "Why did the chicken cross the road? Because nobody had told it about the tunnel.",
    "A whale's heart may weigh as much as a small car, and beats only a few times a minute.",
    "I found four Italian restaurants nearby. The best of them closes at ten tonight.",
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was decided."""

    what: str
    """``paused`` ``confirmed`` ``dismissed`` ``woke`` ``stopped`` ``began`` (a reply) ``ended``."""
    sample: int
    """How far the microphone had come when it was decided."""


def whole(samples: Floats) -> Samples:
    """Samples of 1 for full scale in steps of int16."""
    rounded: Samples = np.clip(np.rint(samples * FULL_SCALE), -32_768, 32_767).astype(np.int16)
    return rounded


@cache
def spoken(text: str, voice: str, wpm: int) -> Samples:
    """A sentence, from its first sound to its last."""
    said = espeak(text, voice, wpm)
    loud = np.flatnonzero(np.abs(said.astype(np.int32)) > 0.03 * np.max(np.abs(said)))
    return said[loud[0] : loud[-1] + 1]


def replies(*, waking: bool = True, shift: int = 0) -> Iterator[Samples]:
    """Endless replies of four sentences in one voice, at `LEVEL_DBFS`, never the same for hours.

    ``waking``: whether in every third one a wake word is said. ``shift``: where to begin.
    """
    pause = np.zeros(MICROPHONE_RATE_HZ // 4, np.int16)
    texts = itertools.cycle(SAID)
    for number in itertools.count(shift):
        voice, wpm = OWN_VOICES[number % len(OWN_VOICES)], OWN_WPM[number // 3 % len(OWN_WPM)]
        sentences = [next(texts) for _ in range(4 + number % 2)]
        if waking and number % 3 == 0:
            sentences[number // 3 % 4] = WAKING[number // 9 % len(WAKING)]
        parts = [part for text in sentences for part in (spoken(text, voice, wpm), pause)]
        yield whole(at_level(np.concatenate(parts) / FULL_SCALE, LEVEL_DBFS))


class Loudspeaker:
    """Gives the card a reply, frame by frame, and tells what it gave."""

    def __init__(self, drift_ppm: float) -> None:
        self._faster = 1 + drift_ppm / 1e6
        self._rng = np.random.default_rng(8)
        self._reply = np.zeros(0, np.int16)
        self._place = 0
        self._paused = False
        self._rising = False
        self._fade = np.zeros(0)
        """What of a fade is still to be given."""
        self._position = 0

    @property
    def left_samples(self) -> int:
        """How much of the reply was not given yet."""
        return len(self._reply) - self._place

    def begin(self, reply: Samples) -> None:
        """Play this from the next frame on."""
        self._reply, self._place = reply, 0
        self._paused = self._rising = False

    def pause(self) -> None:
        """Fall silent, with a fade."""
        self._fade = self._reply[self._place : self._place + FADE_SAMPLES].astype(np.float64)
        self._fade *= FADE[: len(self._fade)]
        self._paused = True

    def go_on(self) -> None:
        """Go on where it fell silent, with a fade."""
        self._rising = self._paused
        self._paused = False

    def clear(self) -> None:
        """Throw the rest of the reply away."""
        if not self._paused:
            self.pause()
        self._reply, self._place = self._reply[:0], 0

    def give(self) -> tuple[Samples, list[Played]]:
        """Give the card its next frame; what it was given, and what is told of it."""
        frame = np.zeros(FRAME_SAMPLES)
        if not self._paused:
            piece = self._reply[self._place : self._place + FRAME_SAMPLES].astype(np.float64)
            self._place += len(piece)
            if self._rising:
                rise = min(FADE_SAMPLES, len(piece))
                piece[:rise] *= 1 - FADE[:rise]
                self._rising = False
            frame[: len(piece)] = piece
        frame[: len(self._fade)] += self._fade
        self._fade = self._fade[:0]
        samples = np.rint(frame).astype(np.int16)
        sounds_s = (ON_ITS_WAY_MS / 1000 + self._position / MICROPHONE_RATE_HZ) / self._faster
        jitter_s = float(self._rng.uniform(-FAR_JITTER_S, FAR_JITTER_S))
        heard_at = BEGAN_S + sounds_s - EARLY_MS / 1000 + jitter_s
        pcm = samples.astype("<i2").tobytes()
        played = Played(pcm, MICROPHONE_RATE_HZ, 1, self._position, heard_at)
        self._position += FRAME_SAMPLES
        return samples, [played] if samples.any() else []


async def _never(_: float) -> bool:
    raise AssertionError("no device is opened here")


class Speaker:
    """A speaker in a room that gives one reply after the other for as long as it runs."""

    def __init__(
        self,
        room: str | Acoustics,
        replies: Iterator[Samples],
        *,
        cancels: bool = True,
        interruptible: bool = True,
        word: Word | None = None,
        hears: bool = True,
        news_s: float = 1.0,
        stoppable: bool = False,
    ) -> None:
        """``interruptible``: whether who talks over a reply pauses it; a wake word always does.

        ``word``: the wake word to listen for, with its thresholds; the configuration's without.
        ``hears``: whether the networks run at all. ``news_s``: silence before the first reply.
        ``stoppable``: whether it listens for "stop" without the wake word, and notes it.
        """
        acoustics = ROOMS[room] if isinstance(room, str) else room
        # On its way to the room, so that a loudspeaker with a fast clock has what to play for long.
        self.room = Room(replace(acoustics, delay_ms=acoustics.delay_ms + ON_ITS_WAY_MS))
        self._card = FakeSpeaker()
        faults = Faults(EventBus(lambda _event: None))
        output = Output(self._card, 100, self._talked_over, _never)
        cancellation = "software" if cancels else "off"
        duplex = "auto" if interruptible else "half"
        audio = f"{{echo_cancellation: {cancellation}, duplex: {duplex}}}"
        config = parse(f"audio: {audio}", "overhearing.yaml")
        self._control = EchoControl(config, NONE, faults, output, self._talked_over)
        words = [word or Word("hey_jarvis")]
        self.hearing = Hearing(words, 1, 2.0, SILENCE_MS) if hears else None
        self._stoppable = stoppable
        self.events: list[Event] = []
        self.raw: list[Samples] = []
        """The microphone's frames; kept when `keeps` is set, as are the cleaned ones."""
        self.cleaned: list[Samples] = []
        self.keeps = False
        self.own_samples = 0
        """How much of our own speech was played."""
        self.cpu_s = 0.0
        """What the echo canceller has taken."""
        self.scores: list[float] = []
        self._replies = replies
        self._loudspeaker = Loudspeaker(acoustics.drift_ppm)
        self._rng = np.random.default_rng(7)
        self._news: deque[tuple[int, WakeNews]] = deque()
        self._replying = False
        self._said_until = 0
        self._next_reply: int | None = round(news_s * MICROPHONE_RATE_HZ)
        self._drains_at: int | None = None

    @property
    def position(self) -> int:
        """The next sample of the microphone."""
        return self.room.position

    @property
    def echo(self) -> EchoCanceller:
        """What takes our own voice out."""
        return self._control.echo

    @property
    def duplex(self) -> Duplex:
        """What decides whether a person is listened to over a reply."""
        return self._control.duplex

    @property
    def replying(self) -> bool:
        """Whether a reply can be heard, or is paused."""
        return self._replying

    def count(self, what: str, since: int = 0) -> int:
        """How often something was decided since a sample."""
        return sum(event.what == what and event.sample > since for event in self.events)

    def first(self, what: str, since: int, until: int | None = None) -> int | None:
        """When something was first decided after a sample; None: not at all until then."""
        ends = self.position if until is None else until
        found = (e.sample for e in self.events if e.what == what and since < e.sample <= ends)
        return next(found, None)

    def say(self, sound: Samples, level_dbfs: float, *, in_s: float = 0.1) -> tuple[int, int]:
        """Let somebody say this in a moment; the samples at which it begins and ends."""
        onset = self.position + round(in_s * MICROPHONE_RATE_HZ)
        self.room.say(sound, onset, level_dbfs)
        self._said_until = max(self._said_until, onset + len(sound))
        return onset, onset + len(sound)

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        for _ in range(round(seconds * 1000 / FRAME_MS)):
            self.frame()

    def run_until(self, sample: int) -> None:
        """Let time pass until the microphone has come to a sample."""
        while self.position < sample:
            self.frame()

    def run_into_reply(self, seconds: float, *, left_s: float = 3.0) -> None:
        """Let time pass until a reply has sounded so long and has as much left as that."""
        sounded = 0
        while sounded < seconds * 1000 / FRAME_MS:
            self.frame()
            enough = self._loudspeaker.left_samples > left_s * MICROPHONE_RATE_HZ
            sounded = sounded + 1 if self._replying and enough else 0

    def silence(self) -> None:
        """Give no more replies."""
        self._over()
        self._next_reply = None

    def talk(self) -> None:
        """Give replies again."""
        if self._next_reply is None and not self._replying:
            self._next_reply = self.position

    def frame(self) -> Heard:
        """Let a frame pass."""
        if self._next_reply is not None and self.position >= self._next_reply:
            self._begin()
        sounds, played = self._loudspeaker.give()
        self.own_samples += FRAME_SAMPLES if played else 0
        samples = self.room.hear(sounds)
        late_s = float(self._rng.uniform(0, NEAR_JITTER_S))
        captured_at = BEGAN_S + self.position / MICROPHONE_RATE_HZ + late_s
        first_sample = self.position - FRAME_SAMPLES
        frame = Frame(samples.astype("<i2").tobytes(), first_sample, captured_at)
        began_s = time.process_time()
        self._card.sounded += played
        heard = self._control.hear(frame)
        self.cpu_s += time.process_time() - began_s
        if self.keeps:
            self.raw.append(samples)
            self.cleaned.append(np.frombuffer(heard.frame.pcm, "<i2"))
        self._listen(heard)
        self._look_for_the_end()
        self._decide_on(heard)
        return heard

    def _listen(self, heard: Heard) -> None:
        if self.hearing is None:
            return
        ours, near = heard.far_end, heard.near
        for news in self.hearing.hear(
            heard.frame,
            track_speech=True,
            far_end=ours,
            near=near,
            listen_for_stop=self._stoppable,
        ):
            self._news.append((self.position + NEWS_FRAMES * FRAME_SAMPLES, news))
        self.scores.append(max(self.hearing.scores.last.values()))

    def _decide_on(self, heard: Heard) -> None:
        """As the assistant and the conversation do."""
        self._control.frame(heard, replying=self._replying)
        while self._news and self._news[0][0] <= self.position:
            match self._news.popleft()[1]:
                case Detection():
                    self._happened("woke")
                    self._over()
                case StopWord():
                    self._happened("stopped")
                case SpeechJudged() as judged:
                    self._control.judged(judged)

    def _talked_over(self, news: News) -> None:
        match news:
            case TalkedOver():
                self._happened("paused")
                self._loudspeaker.pause()
            case BargedIn():
                self._happened("confirmed")
                self._over()
            case FellSilent():
                self._happened("dismissed")
                self._loudspeaker.go_on()

    def _begin(self) -> None:
        self._next_reply, self._drains_at = None, None
        self._replying = True
        self._loudspeaker.begin(next(self._replies))
        self._happened("began")

    def _look_for_the_end(self) -> None:
        """It is over when all of it was heard."""
        if not self._replying or self._loudspeaker.left_samples:
            return
        if self._drains_at is None:
            self._drains_at = self.position + ON_ITS_WAY_MS * MICROPHONE_RATE_HZ // 1000
        elif self.position >= self._drains_at:
            self._over()

    def _over(self) -> None:
        if not self._replying:
            return
        self._happened("ended")
        self._replying = False
        self._loudspeaker.clear()
        seconds_later = round(NEXT_REPLY_S * MICROPHONE_RATE_HZ)
        answer = self._said_until + round(ANSWER_S * MICROPHONE_RATE_HZ)
        self._next_reply = max(self.position + seconds_later, answer)

    def _happened(self, what: str) -> None:
        self.events.append(Event(what, self.position))


def milliseconds(samples: int) -> float:
    """How long so many samples of the microphone last."""
    return samples * 1000 / MICROPHONE_RATE_HZ


def joined(frames: Sequence[Samples]) -> Floats:
    """Frames in a row, 1 for full scale."""
    return np.concatenate(frames) / FULL_SCALE


# --- what is no speech ----------------------------------------------------------------------------


def _coloured(samples: int, low_hz: float, high_hz: float, seed: int) -> Floats:
    """Noise of about -1..1 between two frequencies, 12 dB an octave below and above."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    hz = np.maximum(np.fft.rfftfreq(samples, 1 / MICROPHONE_RATE_HZ), 1.0)
    shape = 1 / (1 + (low_hz / hz) ** 2) / (1 + (hz / high_hz) ** 2)
    noise = np.fft.irfft(spectrum * shape, samples)
    coloured: Floats = noise / np.max(np.abs(noise))
    return coloured


def _burst(seconds: float, decay_s: float, low_hz: float, high_hz: float, seed: int) -> Floats:
    at_s = np.arange(round(seconds * MICROPHONE_RATE_HZ)) / MICROPHONE_RATE_HZ
    rises = np.minimum(1.0, at_s / 0.004)
    return _coloured(len(at_s), low_hz, high_hz, seed) * rises * np.exp(-at_s / decay_s)


def cough(seed: int) -> Samples:
    """Two bursts of noise, 0.4 s."""
    first = _burst(0.18, 0.05, 300, 3000, seed)
    second = _burst(0.22, 0.08, 400, 2500, seed + 1000) * 0.7
    return whole(np.concatenate([first, second]) * 0.5)


def door(seed: int) -> Samples:
    """A thump with a rattle in it, 0.3 s."""
    thump = _burst(0.3, 0.06, 40, 250, seed)
    rattle = _burst(0.3, 0.02, 500, 4000, seed + 1000) * 0.3
    return whole((thump + rattle) * 0.5)


def hum(seed: int) -> Samples:
    """An "mm-hm" of 0.3 to 0.4 s: a closed mouth, a low voice or a high one, falling or rising."""
    rng = np.random.default_rng(seed)
    pitch_hz = (120.0, 200.0)[seed % 2]
    at_s = np.arange(round(rng.uniform(0.3, 0.4) * MICROPHONE_RATE_HZ)) / MICROPHONE_RATE_HZ
    lasts_s = at_s[-1]
    glide = np.where(at_s < 0.5 * lasts_s, 0.95, 1.15)
    phase = 2 * np.pi * np.cumsum(pitch_hz * glide) / MICROPHONE_RATE_HZ
    harmonics = range(1, int(3000 / pitch_hz))
    tone = sum(np.sin(k * phase + k) / (k * (1 + (k * pitch_hz / 500) ** 3)) for k in harmonics)
    halves = np.sin(np.pi * np.minimum(1.0, 2 * (at_s % (lasts_s / 2 + 1e-9)) / lasts_s)) ** 0.5
    return whole(np.asarray(tone * halves) * 0.3)


@cache
def music(seconds: float) -> Samples:
    """Chords with drums, a beat every half second."""
    at_s = np.arange(round(seconds * MICROPHONE_RATE_HZ)) / MICROPHONE_RATE_HZ
    sound = np.zeros(len(at_s))
    chords = ((220, 277.2, 329.6), (196, 246.9, 293.7), (174.6, 220, 261.6), (164.8, 207.7, 246.9))
    for bar in range(int(seconds / 2) + 1):
        here = (at_s >= 2 * bar) & (at_s < 2 * bar + 2)
        since_s = at_s[here] - 2 * bar
        for root in chords[bar % len(chords)]:
            for k in range(1, 7):
                tone = np.sin(2 * np.pi * root * k * since_s) / k**1.5
                sound[here] += 0.1 * tone * np.minimum(1, since_s / 0.02) * np.exp(-since_s)
    for beat in range(int(seconds * 2)):
        kick = beat % 2 == 0
        hit = _burst(0.2, 0.05, 50, 200, beat) if kick else _burst(0.2, 0.04, 800, 6000, beat) * 0.5
        begin = beat * MICROPHONE_RATE_HZ // 2
        sound[begin : begin + len(hit)] += 0.5 * hit[: len(sound) - begin]
    return whole(sound * 0.5)
