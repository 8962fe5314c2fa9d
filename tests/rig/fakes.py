"""Parts of a speaker that do nothing but remember, and a hub made of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from device.assistant.hub import Assistant
from device.assistant.parts import Parts, mcp_server
from device.board.profiles import NONE, Profile
from device.config import Config, McpServer, parse
from device.errors import AudioDeviceError, CameraError, CredentialError, DeviceTrouble
from device.events import PublicEvent
from device.frames import FRAME_BYTES, FRAME_SAMPLES, MICROPHONE_RATE_HZ, REPLY_RATE_HZ, Frame
from device.live.departures import Sent
from device.live.resumption import Past
from device.mcp.wanted import Wanted
from device.news import (
    Detection,
    Enclosed,
    Failure,
    KeepWakes,
    News,
    Post,
    ReplyAudio,
    SessionClosed,
    SessionOpened,
    SpeechChanged,
    StopWord,
)
from device.ports import (
    Block,
    Camera,
    Colour,
    Functions,
    OpenDevice,
    Picture,
    Played,
    Session,
    Tap,
    WakeDetector,
    WakeScores,
)
from device.state.mute import MuteMemory
from device.state.talk import TalkMemory
from device.state.wake_clips import ClipFolder

PATIENCE_S = 30.0
"""How long a test waits for something that happens at once where nobody else computes."""
MODEL = "some-model"
JPEG = b"\xff\xd8\xff\xd9"
"""What a fake camera gives: where a JPEG begins and where it ends."""


async def until(condition: Callable[[], object]) -> None:
    """Wait until this is true."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - not all that is waited for is an event
            await asyncio.sleep(0.001)


def lost(message: str = "it was pulled out") -> AudioDeviceError:
    return AudioDeviceError(DeviceTrouble.LOST, message)


def frame(number: int) -> Frame:
    """The frame with this number in its stream; no two have the same samples."""
    pcm = (number + 1).to_bytes(4, "little") * (FRAME_BYTES // 4)
    return Frame(pcm, number * FRAME_SAMPLES, time.monotonic())


def microphone_device(name: str = "microphone A") -> OpenDevice:
    """What a microphone of this name is once it was opened."""
    return OpenDevice(name, None, 0, 1, MICROPHONE_RATE_HZ)


def speaker_device(name: str = "loudspeaker A") -> OpenDevice:
    """The same of a loudspeaker."""
    return OpenDevice(name, None, None, 1, REPLY_RATE_HZ)


class FakeMicrophone:
    """Gives out the frames it is told to; ``opening`` is what its next openings raise."""

    def __init__(self, description: str = "microphone A", log: list[str] | None = None) -> None:
        self.description = description
        self.device: OpenDevice | None = None
        self.counters: dict[str, int] = {"frames": 0, "overruns": 0, "dropped": 0}
        self.opening: list[AudioDeviceError] = []
        self.is_open = False
        self.taps: set[Tap] = set()
        self.rests = False
        self.closing = asyncio.Event()
        self.closing.set()
        self.next_number = 0
        self.log = log if log is not None else []
        self._queue: asyncio.Queue[Frame | Exception] = asyncio.Queue()

    def rest(self, on: bool) -> None:
        self.rests = on

    async def open(self) -> None:
        assert not self.is_open, "opened twice"
        if self.opening:
            raise self.opening.pop(0)
        self.is_open = True
        self.device = microphone_device(self.description)
        self.log.append(f"{self.description} opened")

    async def read(self) -> Frame:
        item = await self._queue.get()
        if isinstance(item, Exception):
            raise item
        self.counters["frames"] += 1
        for tap in self.taps:
            tap(Block(item.pcm, 1, 2, 0))
        return item

    async def close(self) -> None:
        await self.closing.wait()
        if self.is_open:
            self.log.append(f"{self.description} closed")
        self.is_open = False

    def deliver(self, count: int = 1, *, quiet: bool = False) -> list[Frame]:
        """Have the next frames heard; returns them."""
        places = range(count)
        frames = [replace(frame(self.next_number + place), quiet=quiet) for place in places]
        self.next_number += count
        for each in frames:
            self._queue.put_nowait(each)
        return frames

    def put(self, frame: Frame) -> None:
        """Have this frame heard next."""
        self._queue.put_nowait(frame)

    def skip(self, frames: int) -> None:
        """Lose so much of the stream."""
        self.next_number += frames

    def fail(self, error: Exception) -> None:
        self._queue.put_nowait(error)


class FakeSpeaker:
    """Remembers what it was asked to play."""

    def __init__(self, description: str = "loudspeaker A") -> None:
        self.description = description
        self.device: OpenDevice | None = None
        self.counters: dict[str, int] = {"underruns": 0}
        self.audible = False
        self.level = 0.0
        self.played: list[tuple[int, bytes]] = []
        self.ended: list[int] = []
        self.cleared = 0
        self.paused: list[bool] = []
        self.sounded: list[Played] = []
        self.chimes: list[str] = []
        self.rings: list[tuple[float, int, bytes]] = []
        self.ringing = False
        self.announced: list[bytes] = []
        self.hushed = 0
        self.volumes: list[int] = []
        self.opening: list[AudioDeviceError] = []
        self.is_open = False
        self.rests = False
        self._lost = asyncio.Event()
        self._error: AudioDeviceError = lost()

    def rest(self, on: bool) -> None:
        self.rests = on

    async def open(self, post: Post) -> None:
        if self.opening:
            raise self.opening.pop(0)
        self.is_open = True
        self.device = speaker_device(self.description)

    async def wait_lost(self) -> None:
        await self._lost.wait()
        self._lost.clear()
        raise self._error

    async def close(self) -> None:
        self.is_open = False

    def play(self, pcm: bytes, turn: int) -> None:
        self.played.append((turn, pcm))

    def end_turn(self, turn: int) -> None:
        self.ended.append(turn)

    def clear(self) -> int:
        self.cleared += 1
        return 340

    def pause(self) -> int:
        self.paused.append(True)
        return 340

    def go_on(self) -> int:
        self.paused.append(False)
        return 340

    def take_played(self) -> Sequence[Played]:
        sounded, self.sounded = self.sounded, []
        return sounded

    def chime(self, name: str) -> None:
        self.chimes.append(name)

    def ring(self, rung_s: float, percent: int, words: bytes = b"") -> float:
        self.rings.append((rung_s, percent, words))
        self.ringing = True
        return 0.02

    def stop_ringing(self) -> None:
        self.ringing = False

    def announce(self, pcm: bytes) -> None:
        self.announced.append(pcm)

    def hush(self) -> None:
        self.hushed += 1

    def set_volume(self, percent: int) -> None:
        self.volumes.append(percent)

    def lose(self, error: AudioDeviceError) -> None:
        self._error = error
        self._lost.set()


class FakeDetector:
    """Hears what it is told to hear; ``instantly`` is said at the next frame, while it is fed."""

    def __init__(self, *words: str) -> None:
        self.words: Sequence[str] = words or ("hey_test",)
        self.fed: list[Frame] = []
        self.far_ends: list[bytes | None] = []
        self.talked_over: list[bool] = []
        self.tracking = False
        self.listening_for_stop = False
        self.keeps: KeepWakes = "none"
        self.hears = True
        self.instantly = False
        self.running = False
        self.score = 0.0
        self._broken = asyncio.Event()
        self._error: Exception | None = None
        self._post: Post | None = None

    @property
    def counters(self) -> Mapping[str, int]:
        return {"hops": len(self.fed), "quiet": 0, "dropped": 0, "gaps": 0}

    @property
    def scores(self) -> WakeScores:
        return WakeScores(dict.fromkeys(self.words, self.score), 7.04, 12.5)

    async def run(self, post: Post) -> None:
        self._post = post
        self.running = True
        try:
            await self._broken.wait()
            if self._error is not None:
                raise self._error
        finally:
            self.running = False

    def fail(self, error: Exception) -> None:
        self._error = error
        self._broken.set()

    def feed(self, frame: Frame, far_end: bytes | None = None, *, near: bool = False) -> None:
        self.fed.append(frame)
        self.far_ends.append(far_end)
        self.talked_over.append(near)
        if self.instantly:
            self.instantly = False
            self.hear(frame.end_sample)

    def track_speech(self, on: bool) -> None:
        self.tracking = on

    def listen_for_stop(self, on: bool) -> None:
        self.listening_for_stop = on

    def keep_clips(self, which: KeepWakes) -> None:
        self.keeps = which

    def hear(self, end_sample: int, word: int = 0) -> None:
        assert self._post is not None
        self._post(Detection(self.words[word], 0.87654, end_sample, time.monotonic()))

    def stop_word(self, end_sample: int) -> None:
        assert self._post is not None
        self._post(StopWord(end_sample, time.monotonic()))

    def speech(self, *, speaking: bool) -> None:
        assert self._post is not None
        self._post(SpeechChanged(speaking, 0, time.monotonic()))


class FakeLights:
    """Three LEDs that remember their pictures; ``broken`` is what showing raises."""

    def __init__(self, log: list[str] | None = None) -> None:
        self.brightness = 40
        self.count = 3
        self.shown: list[tuple[Colour, ...]] = []
        self.is_open = False
        self.opening: list[Exception] = []
        self.broken: Exception | None = None
        self.log = log if log is not None else []

    @property
    def dark(self) -> bool:
        return not self.is_open

    def open(self) -> None:
        if self.opening:
            raise self.opening.pop(0)
        self.is_open = True

    def show(self, colours: Sequence[Colour]) -> None:
        assert self.is_open, "drawn on lights that were let go"
        if self.broken is not None:
            raise self.broken
        self.shown.append(tuple(colours))

    def close(self) -> None:
        if self.is_open:
            self.log.append("lights off")
        self.is_open = False


class FakeCamera:
    """Takes the same picture each time; ``taking`` is what its next ones raise instead."""

    def __init__(self, description: str = "camera A") -> None:
        self.description = description
        self.taking: list[CameraError] = []
        self.is_open = False
        self.taken: list[bool] = []
        """For each picture asked for: whether more were said to come soon."""
        self.dark = False
        self.ready = asyncio.Event()
        """Cleared, a picture takes until it is set."""
        self.ready.set()

    async def take(self, *, more_soon: bool = False) -> Picture:
        self.taken.append(more_soon)
        self.is_open = True
        try:
            await self.ready.wait()
            if self.taking:
                more_soon = False
                raise self.taking.pop(0)
            return Picture(JPEG, 2, 1, time.monotonic(), self.dark)
        finally:
            self.is_open = more_soon

    async def close(self) -> None:
        self.is_open = False


class FakePushToTalk:
    """Writes into what the session sent what the finger did: ``press``, ``let go``, and so on."""

    def __init__(self, sent: list[bytes | str]) -> None:
        self._sent = sent
        self._pressed = False

    def press(self) -> None:
        self._pressed = True
        self._sent.append("press")

    def let_go(self) -> None:
        if self._pressed:
            self._sent.append("let go")
        self._pressed = False

    def hold(self) -> None:
        self._pressed = False
        self._sent.append("hold")

    def heard(self) -> None:
        if self._sent[-1:] != ["heard"]:
            self._sent.append("heard")

    def end(self) -> None:
        pass

    def release(self) -> None:
        self._sent.append("release")


class FakeSession:
    """Stands in for LiveSession: remembers what was sent; opens and ends when told."""

    def __init__(self, number: int, post: Post, log: list[str]) -> None:
        self.number = number
        self.model = MODEL
        self.counters = {"frames_sent": 7, "connections": 1}
        self.sent: list[bytes | str] = []
        """Frames as they came, ``end`` of audio, texts behind a ``>``."""
        self.enclosed: list[Enclosed] = []
        """The pictures that came with texts."""
        self.pictures: list[Picture] = []
        """Those of a stream."""
        self.push_to_talk = FakePushToTalk(self.sent)
        self.user_speaking = False
        self.spoke_s = 0.0
        self.owes = True
        self.dismissed = 0
        self.forgot_pictures = 0
        self.forgets = False
        self.gave_up = False
        self.understood = False
        self.closed_with: str | None = None
        self.post = post
        self.log = log
        self._ending: News | None = None
        self._over = asyncio.Event()

    @property
    def frames(self) -> list[bytes]:
        return [item for item in self.sent if isinstance(item, bytes)]

    def send_frame(self, pcm: bytes, captured_at: float | None = None) -> None:
        self.sent.append(pcm)

    def end_audio(self) -> None:
        self.sent.append("end")

    def finish_audio(self) -> None:
        self.sent.append("finish")

    def ask_again(self, *, fresh: bool, forget: bool) -> None:
        self.sent.append("ask afresh" if fresh else "ask again")
        self.forgets = forget

    def send_text(self, text: str, picture: Enclosed | None = None) -> None:
        self.sent.append(f">{text}")
        if picture is not None:
            self.enclosed.append(picture)

    def send_picture(self, picture: Picture) -> None:
        self.pictures.append(picture)

    def user_speaks(self, speaking: bool, lasted_s: float = 0.0) -> None:
        self.user_speaking = speaking
        self.spoke_s = lasted_s

    def dismiss(self) -> None:
        self.dismissed += 1

    def forget_pictures(self) -> None:
        self.forgot_pictures += 1

    def give_up_handle(self) -> None:
        self.gave_up = True

    async def close(self, reason: str) -> None:
        self.closed_with = reason
        self.log.append(f"session {self.number} told to close")
        self._over.set()

    async def run(self) -> None:
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            self.log.append(f"session {self.number} cancelled")
            raise
        self.log.append(f"session {self.number} over")
        closed = SessionClosed(self.number, self.closed_with or "", time.monotonic())
        self.post(self._ending or closed)

    def end(self, news: News) -> None:
        """End by itself, with this last news."""
        self._ending = news
        self._over.set()

    def opened(self, *, resumed: bool = False) -> None:
        self.post(SessionOpened(self.number, 812.34, MODEL, resumed, time.monotonic()))

    def say(self, turn: int, pcm: bytes = b"\1\0") -> None:
        self.post(ReplyAudio(self.number, turn, pcm, time.monotonic()))


class Hub:
    """An assistant made of fakes, and what it does for all to see."""

    def __init__(
        self,
        config: str = "",
        *,
        missing_key: str = "",
        session: type[FakeSession] | None = None,
        state: Path | None = None,
    ) -> None:
        self._missing_key = missing_key
        self._state = state
        self.hindrance: Failure | None = None
        self.past = Past()
        self.configs: list[Config] = []
        """What each session was set up with."""
        self.secrets: dict[str, str] = {}
        """Credentials by name."""
        self.functions: Functions | None = None
        self.mute_switch: Any = None
        self._session_kind = session or FakeSession
        self.log: list[str] = []
        self.microphone = FakeMicrophone(log=self.log)
        self.speaker = FakeSpeaker()
        self.lights = FakeLights(self.log)
        self.detector = FakeDetector()
        self.camera: Camera = FakeCamera()
        self.sessions: list[FakeSession] = []
        self.no_session: Exception | None = None
        self.boards: dict[str, Profile] = {}
        self.button: Callable[[Config, Profile], Any] = lambda _config, _profile: None
        self.made: list[str] = []
        self.load_detector: Callable[[Config], Awaitable[WakeDetector]] | None = None
        self.notified: list[str] = []
        self.refitted: list[str] = []
        """What was done to boards that appeared, or were dead."""
        self.mixers: list[dict[str, str]] = []
        """What the file said whenever levels were set."""
        self.no_levels: list[str] = []
        self.plugged: frozenset[str] = frozenset()
        self.looks = 0
        """How often somebody has looked at what is plugged in."""
        self.events: list[PublicEvent] = []
        self.assistant = Assistant(
            parse(config, "test.yaml"), self.parts(), self.detector, self.notified.append
        )

    def parts(self) -> Parts:
        return Parts(
            microphone=lambda _config: self._make("microphone", self.microphone),
            speaker=lambda _config: self._make("speaker", self.speaker),
            detector=self._detector,
            profile=self._profile,
            lights=lambda _config, _profile: self._make("lights", self.lights),
            button=self._button,
            session=self._session,
            camera=lambda _config: self._make("camera", self.camera),
            mcp_server=self._mcp_server,
            missing_key=self._missing_key,
            hindrance=lambda _config: self.hindrance,
            keepsake=TalkMemory(self._state),
            mute_memory=MuteMemory(self._state),
            wake_clips=ClipFolder(self._state),
            mute_switch=lambda _profile: self.mute_switch,
            sentence=lambda config, kind: f"{config.live.language}: {kind}".encode(),
            plugged=self._plugged,
            set_levels=self._set_levels,
            revive=self._revive,
            make_sentences=lambda config: self.made.append(f"sentences {config.live.language}"),
        )

    def _make(self, name: str, part: Any) -> Any:
        self.made.append(name)
        return part

    def _mcp_server(self, server: McpServer) -> Wanted:
        if server.credential is None:
            return mcp_server(server, None)
        if server.credential not in self.secrets:
            raise CredentialError(f"no credential '{server.credential}' found")
        return mcp_server(server, self.secrets[server.credential])

    def _plugged(self) -> frozenset[str]:
        self.looks += 1
        return self.plugged

    def _profile(self, _config: Config, microphone: OpenDevice | None) -> Profile:
        return self.boards.get(microphone.name, NONE) if microphone is not None else NONE

    def _set_levels(
        self,
        config: Config,
        profile: Profile,
        microphone: OpenDevice | None,
        speaker: OpenDevice | None,
    ) -> list[str]:
        opened = microphone or speaker
        assert opened is not None
        self.mixers.append(dict(config.mixer))
        self.refitted.append(f"levels of {profile.name} by {opened.name}")
        return self.no_levels

    def _revive(self, profile: Profile) -> bool:
        self.refitted.append(f"{profile.name} restarted")
        return True

    def _button(self, config: Config, profile: Profile) -> Any:
        return self.button(config, profile)

    async def _detector(self, config: Config) -> WakeDetector:
        assert self.load_detector is not None
        return await self.load_detector(config)

    def _session(
        self,
        config: Config,
        number: int,
        past: Past,
        post: Post,
        _on_sent: Sent,
        functions: Functions,
    ) -> Session:
        self.functions = functions
        self.past = past
        self.configs.append(config)
        if self.no_session is not None:
            raise self.no_session
        self.sessions.append(self._session_kind(number, post, self.log))
        return self.sessions[-1]

    @asynccontextmanager
    async def running(self, *, hearing: bool = True) -> AsyncIterator[None]:
        """Run until the end of the block; ``hearing``: once the microphone has delivered."""
        with self.assistant.bus.subscribe(self._take) as self._subscription:
            task = asyncio.create_task(self.assistant.run())
            try:
                if hearing:
                    await self.hear()
                    await until(lambda: self.state == "idle")
                yield
            finally:
                task.cancel()
                await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()):
                raise error

    def _take(self) -> None:
        while (event := self._subscription.take()) is not None:
            self.events.append(event)

    @property
    def state(self) -> str:
        return self.assistant.talk.state.label

    @property
    def session(self) -> FakeSession:
        return self.sessions[-1]

    async def hear(self, frames: int = 1, *, quiet: bool = False) -> list[Frame]:
        """Let the microphone deliver, and wait until it was heard."""
        wanted = len(self.detector.fed) + frames
        delivered = self.microphone.deliver(frames, quiet=quiet)
        await until(lambda: len(self.detector.fed) == wanted)
        return delivered

    async def wake(self) -> FakeSession:
        """The wake word, over a session that opens at once."""
        self.detector.hear(self.detector.fed[-1].end_sample)
        await until(lambda: self.sessions)
        if self.state == "connecting":
            self.session.opened()
        return self.session

    async def speaking(self, turn: int = 1) -> FakeSession:
        """A reply plays."""
        session = await self.wake()
        session.say(turn)
        assert self.state == "speaking"
        return session

    def told(self, name: str, **fields: object) -> list[PublicEvent]:
        """The events with these fields so far."""
        return [e for e in self.events if e.event == name and fields.items() <= e.fields.items()]

    @property
    def path(self) -> list[str]:
        """The states that were told, in order."""
        return [event.fields["to"] for event in self.told("state")]
