"""How long sound takes through the real daemon, beside a plain client in the same room; its start.

The rig is a sound server with null sinks and the stand-in server on loopback, so the figures hold
the sound server's own buffers but no network. Everything is measured from outside: by what the
sinks of microphone and loudspeaker took, and by the stamps of the stand-in server. The plain client
is `sample_client`, built as Google's published example is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest

from device.simulator.live_server import LiveServer
from device.simulator.record import ConnectionRecord
from device.simulator.script import Interrupt, Script, Turn
from tests.benchmarks.measure import sample_client, table
from tests.rig.room import open_room, spoken
from tests.rig.server import ServerThread
from tests.rig.sound import Recorder, Sink, SoundServer

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

STARTS = 5
QUESTIONS = 20
INTERRUPTIONS = 12
WAKES = 12
AUDIBLE = 200
SPEECH = 400
"""Peak of a sample that belongs to the user's words."""

SILENCE_S = 0.1
"""No reply has a pause as long as this."""

TALK = Script(
    turns=(
        *[Turn(audio=400, pace="burst", delay_s=0.1)] * QUESTIONS,
        *[Turn(audio=3000, pace="burst", delay_s=0.1)] * INTERRUPTIONS,
    ),
    silence_ms=300,
)

Figures = Mapping[str, Sequence[float]]


def test_start_to_ready() -> None:
    """From the start of the process until it is ready, which is when the microphone delivers."""
    seconds = []
    for _ in range(STARTS):
        with open_room() as room:
            seconds.append(room.daemon.ready_s)
    table("start of the process to READY", "s", [("exec to READY", seconds)], digits=2)


def test_a_talk_beside_the_sample_client() -> None:
    """Questions, answers and interruptions: what either client adds to them."""
    with open_room(TALK, {"conversation": {"follow_up_s": 10}}) as room:
        with hearing(room.sound) as recorders:
            room.wake_and_ask()
            talk(room.sound, room.server, asked=1)
            ours = figures(*recorders, room.server.connections[-1])
        own = room.daemon.status()["latency_ms"]
    with sample_room() as (sound, server), hearing(sound) as recorders:
        talk(sound, server, asked=0)
        theirs = figures(*recorders, server.connections[-1])
    compare(ours, theirs)
    for kind, each in own.items():
        if each["count"]:
            print(f"status says: {kind} {each}")


def test_wake_word_to_listening() -> None:
    """From the end of the word at the microphone, and from the end of the hop that decided."""
    word, hop = [], []
    with open_room(Script(turns=())) as room, room.sound.recorder("mic") as microphone:
        for _ in range(WAKES):
            after = room.daemon.here
            # The detector rests for two seconds of sound after each word.
            room.sound.speak(spoken("hey jarvis", before_ms=2500, after_ms=800))
            wake = room.daemon.event("wake", after=after)
            state = room.daemon.event("state", after=after)
            assert state["to"] in {"connecting", "listening"}
            hop.append(1000 * (state["time"] - wake["time"]))
            spoke = moments(microphone, SPEECH)
            word.append(1000 * float(state["time"] - spoke[-1]))
            room.daemon.request("stop")
            room.daemon.state("idle", after=after)
    rows = [("word ends to listening", word), ("hop ends to listening", hop)]
    table("wake word to the state that lights up", "ms", rows)


# --- the talk ------------------------------------------------------------------------------------


@contextmanager
def sample_room() -> Iterator[tuple[SoundServer, ServerThread]]:
    """The sample client instead of the speaker; it listens already."""
    with SoundServer() as sound, ServerThread(TALK) as server, sample_client(sound, server):
        yield sound, server


class Tape(Recorder):
    """A recorder that goes by the usual delay of its blocks, where others go by the least.

    A stream that has run dry makes the sink work ahead for once when it comes back.
    """

    def __init__(self, environment: Mapping[str, str], name: str, sink: Sink) -> None:
        super().__init__(environment, name, sink)
        self._began: list[float] = []

    def _collect(self) -> None:
        assert self._process.stdout is not None
        while block := os.read(self._process.stdout.fileno(), 65_536):
            now = time.monotonic()
            with self._lock:
                self._blocks.append(block)
                self._bytes += len(block)
                self._began.append(now - self._bytes / 2 / self.channels / self.rate_hz)

    @property
    def start_time(self) -> float:
        """CLOCK_MONOTONIC of sample 0."""
        with self._lock:
            return float(np.median(self._began))


@contextmanager
def hearing(sound: SoundServer) -> Iterator[tuple[Tape, Tape]]:
    environment = {**os.environ, **sound.environment}
    with (
        Tape(environment, "mic", sound.microphone) as microphone,
        Tape(environment, "speaker", sound.speaker) as speaker,
    ):
        yield microphone, speaker


def talk(sound: SoundServer, server: ServerThread, *, asked: int) -> None:
    """Ask all questions, of which so many have been asked, and have the long answers broken off."""
    question = spoken("and tomorrow", before_ms=500, after_ms=500)
    server.wait_for(partial(over, asked))
    for number in range(asked, QUESTIONS):
        sound.speak(question)
        server.wait_for(partial(over, number + 1))
    for number in range(QUESTIONS, QUESTIONS + INTERRUPTIONS):
        sound.speak(question)
        server.wait_for(partial(begun, number + 1))
        # No two in the same place of the client's blocks and of the server's chunks.
        time.sleep(0.8 + 0.043 * (number - QUESTIONS))
        server.call(lambda it: it.do(Interrupt()))
        # As much silence as the slowest buffer may need.
        time.sleep(1.0)


def over(turns: int, server: LiveServer) -> bool:
    return server.connections[-1].turns >= turns


def begun(turns: int, server: LiveServer) -> bool:
    return len(replies(server.connections[-1])) >= turns


def replies(connection: ConnectionRecord) -> list[float]:
    """When the first chunk of each reply was sent."""
    firsts, next_one = [], True
    for at, what in connection.sent:
        if what == "modelTurn" and next_one:
            firsts.append(at)
            next_one = False
        next_one = next_one or what == "turnComplete"
    return firsts


# --- what was measured ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """A piece of microphone that arrived at the server, by its place in what the sink took."""

    begin: int
    end: int
    arrived: float


def figures(microphone: Recorder, speaker: Recorder, connection: ConnectionRecord) -> Figures:
    """All of them in ms."""
    up, began = pieces(microphone, connection), microphone.start_time
    spoke, sounded = moments(microphone, SPEECH), moments(speaker, AUDIBLE)
    measured: dict[str, list[float]] = {
        "microphone to wire, newest sample": [
            each.arrived - began - each.end / microphone.rate_hz for each in up
        ],
        "microphone to wire, oldest sample": [
            each.arrived - began - each.begin / microphone.rate_hz for each in up
        ],
        "wire to speaker": [],
        "end of speech to first sound, less the server": [],
        "interrupted to silence": [],
    }
    onsets = sounded[np.diff(sounded, prepend=-np.inf) > SILENCE_S]
    for sent in replies(connection):
        down = onsets[np.searchsorted(onsets, sent - SILENCE_S / 2)] - sent
        measured["wire to speaker"].append(down)
        ended = spoke[np.searchsorted(spoke, sent) - 1]
        place = round((ended - began) * microphone.rate_hz)
        arrived = [each.arrived for each in up if each.begin <= place < each.end]
        if arrived:
            whole = arrived[0] - ended + down
            measured["end of speech to first sound, less the server"].append(whole)
    for at in (at for at, what in connection.sent if what == "interrupted"):
        last = sounded[np.searchsorted(sounded, at + 0.9) - 1]
        measured["interrupted to silence"].append(last - at)
    return {name: [1000 * float(s) for s in seconds] for name, seconds in measured.items()}


def moments(recorder: Recorder, peak: int) -> npt.NDArray[np.float64]:
    """When the sink took each sample that is louder than this, in order."""
    loud = np.flatnonzero(np.abs(recorder.samples()[:, 0].astype(np.int32)) > peak)
    return recorder.start_time + loud / recorder.rate_hz


def pieces(microphone: Recorder, connection: ConnectionRecord) -> list[Piece]:
    """What came in real time; what was held while the session opened is late by intent."""
    assert connection.ready_at is not None
    heard, uplink = microphone.samples().tobytes(), bytes(connection.audio)
    found, position, place = [], 0, 0
    for arrived, size in connection.audio_chunks:
        block = uplink[position : position + size]
        position += size
        at = heard.find(block, place) if len(set(block)) > 4 else -1
        if at < 0:
            continue
        place = at
        if arrived > connection.ready_at + 1:
            found.append(Piece(at // 2, (at + size) // 2, arrived))
    return found


def compare(ours: Figures, theirs: Figures) -> None:
    """Print median and 95th percentile of both, and how many times longer theirs takes."""
    print(f"\nlatency through parley and through the sample client (ms)\n{'':48}", end="")
    print(f"{'parley':>16}{'sample':>22}\n{'':48}{'n':>6}{'p50':>8}{'p95':>8}", end="")
    print(f"{'n':>6}{'p50':>8}{'p95':>8}{'ratio':>8}")
    for name in ours:
        print(f"{name:48}", end="")
        for values in (ours[name], theirs[name]):
            assert len(values) > 1, f"nothing was measured: {name}"
            p50, p95 = np.percentile(values, [50, 95])
            print(f"{len(values):6}{p50:8.1f}{p95:8.1f}", end="")
        print(f"{max(np.median(theirs[name]), 0) / np.median(ours[name]):8.1f}")
