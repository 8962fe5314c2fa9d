"""A session talking to the stand-in server over TLS, and an ear for its news."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import pytest

from device.live.departures import Departure, SoundLeft
from device.live.resumption import Past
from device.live.session import LiveSession
from device.live.setup import LiveSettings, host_of
from device.live.tokens import Tokens
from device.news import News, SessionClosed, SessionFailed, SessionOpened, Transcript
from device.ports import Functions
from device.simulator.live_server import LiveServer
from device.simulator.record import ConnectionRecord
from device.simulator.script import Script, Send

KEY = "AIzaSECRETsecret123"
PATIENCE_S = 20.0
T = TypeVar("T")


@dataclass(frozen=True)
class Compression:
    trigger_tokens: int = 25_600
    target_tokens: int = 12_800


@dataclass(frozen=True)
class Vad:
    start: str = "auto"
    end: str = "auto"
    prefix_ms: int | None = None
    silence_ms: int | None = None


@dataclass(frozen=True)
class Settings:
    model: str = "gemini-3.1-flash-live-preview"
    fallback_models: tuple[str, ...] = ()
    endpoint: str | None = None
    api_version: str = "v1beta"
    voice: str | None = None
    language: str | None = None
    system_instruction: str = "Be brief."
    thinking_level: str = "minimal"
    about_itself: bool = False
    media_resolution: str = "auto"
    google_search: bool | Literal["auto"] = False
    resumption: bool = True
    compression: Compression = field(default_factory=Compression)
    repeat_s: float = 10.0
    connect_timeout_s: float = 10.0
    vad: Vad = field(default_factory=Vad)


class Ear:
    """Collects news and lets a test wait for them."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.sent: list[tuple[float, float]] = []
        """When each frame that nobody held was recorded, and when it was sent."""
        self.departures: list[Departure] = []
        self._changed = asyncio.Event()

    def post(self, news: News) -> None:
        self.news.append(news)
        self._changed.set()

    def on_sent(self, departure: Departure) -> None:
        self.departures.append(departure)
        if isinstance(departure, SoundLeft):
            self.sent += [(at, departure.time) for at in departure.captured]

    def all(self, kind: type[T]) -> list[T]:
        return [news for news in self.news if isinstance(news, kind)]

    async def until(self, kind: type[T], count: int = 1) -> T:
        """Wait for the ``count``-th news of a kind and return it."""
        await self.when(lambda: len(self.all(kind)) >= count)
        return self.all(kind)[count - 1]

    async def when(self, condition: Callable[[], T]) -> T:
        async with asyncio.timeout(PATIENCE_S):
            while not (result := condition()):
                self._changed.clear()
                await self._changed.wait()
        return result


def frame(number: int) -> bytes:
    """20 ms that differ from each other and are too quiet to be speech."""
    return (number % 100).to_bytes(2, "little") * 320


@dataclass
class Talk:
    """One session beside one server."""

    server: LiveServer
    session: LiveSession
    ear: Ear
    said: bytearray = field(default_factory=bytearray)
    task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.session.run())

    def speak(self, frames: int) -> None:
        for _ in range(frames):
            pcm = frame(len(self.said) // 640)
            self.said += pcm
            self.session.send_frame(pcm)

    async def ended(self) -> SessionClosed | SessionFailed:
        assert self.task is not None
        async with asyncio.timeout(PATIENCE_S):
            await self.task
        ends = self.ear.all(SessionClosed) + self.ear.all(SessionFailed)
        assert len(ends) == 1
        assert self.ear.news[-1] is ends[0]
        return ends[0]

    async def failed(self) -> SessionFailed:
        end = await self.ended()
        assert isinstance(end, SessionFailed)
        assert KEY not in repr(self.ear.news)
        return end

    async def close(self) -> SessionClosed:
        await self.session.close("done")
        end = await self.ended()
        assert isinstance(end, SessionClosed)
        return end

    async def record(self, number: int = 1, *, closed: bool = True) -> ConnectionRecord:
        """Return a connection's record, once it is closed."""

        def found(server: LiveServer) -> ConnectionRecord | None:
            if len(server.connections) < number:
                return None
            record = server.connections[number - 1]
            return record if not closed or record.closed_at is not None else None

        record = await self.server.wait_for(found, PATIENCE_S)
        assert record is not None
        return record

    async def handle(self) -> str:
        """Wait until the session has the newest handle of the newest connection."""
        await self.ear.until(SessionOpened)
        await self.server.wait_for(lambda server: server.connections[-1].handles_sent, PATIENCE_S)
        seen = len(self.ear.all(Transcript))
        await self.server.do(Send({"serverContent": {"outputTranscription": {"text": "mark"}}}))
        await self.ear.until(Transcript, seen + 1)
        assert self.session.handle is not None
        return self.session.handle

    async def heard(self) -> None:
        """Wait until the server has all that was said."""
        await self.server.wait_for(lambda server: len(server.audio) >= len(self.said), PATIENCE_S)


def session_of(
    settings: LiveSettings,
    ear: Ear,
    *,
    key: str = KEY,
    past: Past | None = None,
    patience_s: float = 60.0,
    rotate_after_s: float = 540.0,
    lost_after_s: float = 20.0,
    functions: Functions | None = None,
    tokens: Tokens | None = None,
) -> LiveSession:
    return LiveSession(
        settings,
        key,
        number=1,
        post=ear.post,
        past=past,
        on_sent=ear.on_sent,
        patience_s=patience_s,
        rotate_after_s=rotate_after_s,
        lost_after_s=lost_after_s,
        place="Berlin, Germany",
        functions=functions,
        tokens=tokens,
    )


def past_of(settings: LiveSettings, handle: str) -> Past:
    """A talk that can be resumed with these settings, as far as the speaker knows."""
    past = Past()
    past.keep(handle, settings.model, host_of(settings), time.time())
    return past


@asynccontextmanager
async def talking(
    directory: Path,
    script: Script | None = None,
    *,
    start: bool = True,
    rotate_after_s: float = 540.0,
    patience_s: float = 60.0,
    lost_after_s: float = 20.0,
    handle: str | None = None,
    past: Past | None = None,
    functions: Functions | None = None,
    **settings: object,
) -> AsyncIterator[Talk]:
    """Serve the script and run a session against it; whatever is left is closed at the end."""
    ear = Ear()
    async with LiveServer(script or Script(), directory=directory) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", os.fspath(server.certificate))
            chosen = Settings(**({"endpoint": server.url} | settings))  # type: ignore[arg-type]
            if handle is not None:
                past = past_of(chosen, handle)
            session = session_of(
                chosen,
                ear,
                past=past,
                patience_s=patience_s,
                rotate_after_s=rotate_after_s,
                lost_after_s=lost_after_s,
                functions=functions,
            )
            talk = Talk(server, session, ear)
            if start:
                talk.start()
            try:
                yield talk
            finally:
                if talk.task is not None and not talk.task.done():
                    talk.task.cancel()
                    await asyncio.wait([talk.task])
