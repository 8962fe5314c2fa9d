"""What the server's comings and goings cost: gaps, seconds until it is noticed, an hour of talk."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from functools import partial
from pathlib import Path

import pytest

from device.live.reconnect import STABLE_S
from device.news import ReplyAudio, SessionOpened
from device.simulator.live_server import LiveServer
from device.simulator.script import Event, GoAway, Script, Silence, Turn
from tests.benchmarks.measure import table
from tests.live.talk import Talk, frame, talking
from tests.rig.network import needs_root, open_home

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

ROTATIONS = 30
HOUR_FRAMES = 3600 * 50
HOUR_CONNECTIONS = 7
CUTS = 5


async def microphone(talk: Talk) -> None:
    """Deliver a frame every 20 ms, without end."""
    due = time.monotonic()
    while True:
        talk.speak(1)
        due += 0.02
        await asyncio.sleep(max(due - time.monotonic(), 0))


async def test_gap_of_a_rotation(tmp_path: Path) -> None:
    """Continuous audio over many connections: how long none arrives when one gives way."""
    async with talking(tmp_path) as talk:
        await talk.handle()
        speaking = asyncio.create_task(microphone(talk))
        for count in range(2, ROTATIONS + 2):
            await talk.heard()
            await talk.server.go_away(20.0)
            await talk.ear.until(SessionOpened, count)
            await talk.handle()
        speaking.cancel()
        await talk.heard()
        assert talk.server.audio == bytes(talk.said)
        chunks = [record.audio_chunks for record in talk.server.connections]
        gaps = [
            (after[0][0] - before[-1][0]) * 1000
            for before, after in itertools.pairwise(chunks)
            if before and after
        ]
    table("rotation in continuous audio, byte-equal", "ms", [("gap in the audio", gaps)])


async def test_an_hour_of_talk(tmp_path: Path) -> None:
    """As many frames as an hour has, over as many connections, as fast as they are taken."""
    said = hashlib.sha256()
    async with talking(tmp_path) as talk:
        await talk.handle()
        began = time.monotonic()
        for number in range(HOUR_FRAMES):
            pcm = frame(number)
            said.update(pcm)
            talk.session.send_frame(pcm)
            if number % 500 == 0:
                wanted = (number - 500) * 640
                await talk.server.wait_for(partial(_arrived, wanted), 60)
            if number and number % (HOUR_FRAMES // HOUR_CONNECTIONS) == 0:
                await talk.server.go_away(20.0)
        await talk.server.wait_for(partial(_arrived, HOUR_FRAMES * 640), 60)
        took_s = time.monotonic() - began
        counters = talk.session.counters
        assert hashlib.sha256(talk.server.audio).digest() == said.digest()
        assert counters["frames_sent"] == HOUR_FRAMES
        assert counters["dropped"] == counters["repeated"] == counters["repeated_frames"] == 0
    print(
        f"\nan hour of audio in {took_s:.0f} s over {counters['connections']} connections: "
        f"{counters['frames_sent']} frames, byte-equal; at most {counters['held_max']} held"
    )


def _arrived(wanted_bytes: int, server: LiveServer) -> bool:
    return sum(len(record.audio) for record in server.connections) >= wanted_bytes


def _stands(server: LiveServer) -> bool:
    """Whether the newest connection has been there for as long as makes it a stable one.

    By the clock, not by its audio: what was held while there was none comes at once.
    """
    ready_at = server.connections[-1].ready_at
    return ready_at is not None and time.monotonic() - ready_at > STABLE_S + 1


@needs_root
def test_seconds_until_a_dead_network_is_noticed_and_forgotten() -> None:
    """Wi-Fi out of range while the user listens on: until it is told, and until it is over."""
    told, over = [], []
    short = Turn(heard="weather", says="It is sunny.", audio=700)
    config = {"conversation": {"follow_up_s": 60}}
    with open_home(Script(turns=(short,)), config) as house:
        house.wake_and_ask()
        house.daemon.event("reply", what="drained")
        for _ in range(CUTS):
            after = house.daemon.here
            cut_at = time.monotonic()
            house.network.cut()
            fault = house.daemon.event("fault", after=after, cleared=False, timeout=60)
            told.append(fault["time"] - cut_at)
            mended_at = time.monotonic()
            house.network.restore()
            after = house.daemon.events.index(fault)
            cleared = house.daemon.event("fault", after=after, cleared=True, timeout=60)
            house.daemon.state("listening", after=after, timeout=60)
            over.append(cleared["time"] - mended_at)
            # Losses right after each other are one row of tries, which must end.
            house.server.wait_for(_stands, 60)
    rows = [("packets vanish to fault", told), ("packets arrive to cleared", over)]
    table("a network that goes without a word", "s", rows)


async def test_seconds_until_a_silent_server_has_answered(tmp_path: Path) -> None:
    """A server that never gives a sign on its first connection, with the usual patience."""
    turn = Turn(trigger=("audio",), audio_ms=500, says="This.", audio=200, plays_out=False)
    seconds = []
    for _ in range(3):
        events = (Event("audio", Silence(), connections=(1,)),)
        async with talking(tmp_path, Script(turns=(turn,), events=events), patience_s=15.0) as talk:
            await talk.handle()
            talk.session.user_speaks(speaking=True)
            talk.speak(50)
            talk.session.user_speaks(speaking=False, lasted_s=1.0)
            asked = time.monotonic()
            seconds.append((await talk.ear.until(ReplyAudio)).time - asked)
    table("a silent server", "s", [("end of speech to the answer", seconds)])


async def test_rotation_under_a_second_of_notice(tmp_path: Path) -> None:
    """Forced in mid-sentence: how much goes up again, and how long the audio pauses."""
    gaps, repeated = [], []
    for _ in range(5):
        async with talking(tmp_path, Script(turns=())) as talk:
            await talk.handle()
            talk.session.user_speaks(speaking=True)
            speaking = asyncio.create_task(microphone(talk))
            await talk.server.wait_for(partial(_arrived, 100 * 640), 20)
            await talk.server.do(GoAway(1.0))
            await talk.ear.until(SessionOpened, 2)
            await talk.server.wait_for(lambda it: it.connections[1].audio_chunks, 20)
            speaking.cancel()
            first, second = talk.server.connections
            gaps.append((second.audio_chunks[0][0] - first.audio_chunks[-1][0]) * 1000)
            repeated.append(talk.session.counters["repeated_frames"] / 50)
    table("goAway with 1 s of notice in mid-sentence", "ms", [("gap in the audio", gaps)])
    table("goAway with 1 s of notice in mid-sentence", "s", [("said again", repeated)])
