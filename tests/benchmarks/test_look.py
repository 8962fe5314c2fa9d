"""How long a look takes, what it costs in memory, and what a stream does to sound: over TLS.

The stamps are those of the stand-in server: when it sends ``toolCall``, when the picture has come,
and when the answer behind it has. The camera is a file, so what is measured is all but the camera:
decoding and shrinking of a photograph of two megapixels, base64, TLS on loopback.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from device.news import SessionOpened
from device.ports import Picture
from device.simulator.record import ConnectionRecord
from device.simulator.script import Script, ToolCall, Turn
from tests.benchmarks.measure import table
from tests.live.talk import Settings, frame, session_of, talking
from tests.rig.daemon import Daemon
from tests.rig.jpeg_headers import jpeg as headers_of
from tests.rig.pictures import jpeg
from tests.rig.room import open_room

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")
LOOKS = 10
"""As many as there may be in a minute."""


def stamps(record: ConnectionRecord) -> Iterator[tuple[float, float]]:
    """Milliseconds from each call to its picture, and to its answer."""
    called = [at for at, what in record.sent if what == "toolCall"]
    answered = [at for at, message in record.messages if "toolResponse" in message]
    shown = [picture.at for picture in record.pictures]
    for sent_at, seen_at, came_at in zip(called, shown, answered, strict=True):
        yield 1e3 * (seen_at - sent_at), 1e3 * (came_at - sent_at)


def resident_mb(daemon: Daemon) -> float:
    """What the daemon takes of the memory now."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024.0


def test_a_look(tmp_path: Path) -> None:
    """Ten of them by each model; the first loads Pillow."""
    photograph = tmp_path / "photograph.jpg"
    photograph.write_bytes(jpeg(1600, 1200))
    rows: list[tuple[str, list[float]]] = []
    memory: list[tuple[str, list[float]]] = []
    blind = Turn(audio=100, pace="burst", plays_out=False)
    script = Script(turns=(blind, *[replace(blind, calls=(ToolCall("look"),))] * LOOKS))
    for model in MODELS:
        name = model.removeprefix("gemini-").partition("-live")[0]
        config = {
            "live": {"model": model},
            "tools": {"camera": "on_request"},
            "camera": {"source": f"file:{photograph}"},
        }
        with open_room(script, config) as room:
            room.daemon.request("ask", text="are you there?")
            at_rest = resident_mb(room.daemon)
            room.daemon.request("ask", text="what is this?")
            first = resident_mb(room.daemon)
            for _ in range(LOOKS - 1):
                room.daemon.request("ask", text="what is this?")
            last = resident_mb(room.daemon)
            (record,) = room.server.connections
            seen, answered = zip(*stamps(record), strict=True)
        rows += [
            (f"{name}: first picture", [seen[0]]),
            (f"{name}: picture", list(seen[1:])),
            (f"{name}: answer", list(answered[1:])),
        ]
        memory += [
            (f"{name}: before a look", [at_rest]),
            (f"{name}: after one", [first]),
            (f"{name}: after {LOOKS}", [last]),
        ]
    table("from the call to what went up for it", "ms", rows)
    table("memory of the speaker", "MB", memory)


FRAMES, EVERY = 500, 50
"""Ten seconds of sound, and a picture each second."""
LINES = {"8 Mbit/s": 1_000_000, "1 Mbit/s": 125_000, "0.64 Mbit/s": 80_000}
"""What goes up in a second, bytes; sound alone takes 43,000."""


@asynccontextmanager
async def slow_line(port: int, rate_bytes: int) -> AsyncIterator[int]:
    """A port of the same server that takes no more than so many bytes a second."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)

        async def up() -> None:
            free_at = 0.0
            while block := await reader.read(2048):
                to_server.write(block)
                free_at = max(free_at, time.monotonic()) + len(block) / rate_bytes
                await asyncio.sleep(free_at - time.monotonic())

        async def down() -> None:
            while block := await from_server.read(65_536):
                writer.write(block)

        ways = [asyncio.create_task(up()), asyncio.create_task(down())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        writer.close()
        to_server.close()

    listening = socket.socket()
    # What waits for the line waits in the speaker, as behind a modem that keeps little.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listening.bind(("127.0.0.1", 0))
    async with await asyncio.start_server(serve, sock=listening, limit=4096):
        yield listening.getsockname()[1]


async def late(folder: Path, rate_bytes: int, *, streams: bool) -> tuple[list[float], int]:
    """Milliseconds from each frame's sending to its arrival, and how many pictures went up."""
    async with (
        talking(folder, Script(turns=()), start=False) as talk,
        slow_line(urlsplit(talk.server.url).port or 0, rate_bytes) as port,
    ):
        settings = Settings(endpoint=f"https://localhost:{port}")
        session = session_of(settings, talk.ear)
        running = asyncio.create_task(session.run())
        await talk.ear.until(SessionOpened)
        sent: list[float] = []
        began = time.monotonic()
        for number in range(FRAMES):
            await asyncio.sleep(began + number * 0.02 - time.monotonic())
            session.send_frame(frame(number))
            sent.append(time.monotonic())
            if streams and number % EVERY == 0:
                data = headers_of(768, 576, 60_000, seed=number)
                session.send_picture(Picture(data, 768, 576, time.monotonic(), dark=False))
        await talk.server.wait_for(lambda server: len(server.audio) >= FRAMES * 640, 30.0)
        (record,) = talk.server.connections
        came = [at for at, size in record.audio_chunks for _ in range(size // 640)]
        pictures = len(record.pictures)
        await session.close("done")
        await running
    return [1e3 * (at - sent_at) for at, sent_at in zip(came, sent, strict=True)], pictures


async def test_sound_beside_a_stream(tmp_path: Path) -> None:
    """How late it is on lines of several speeds, where pictures go up with it."""
    rows: list[tuple[str, list[float]]] = []
    for name, rate_bytes in LINES.items():
        for streams in (False, True):
            values, pictures = await late(tmp_path, rate_bytes, streams=streams)
            rows.append((f"{name}: {pictures} pictures", values))
    table("sound on its way to the server", "ms", rows)
