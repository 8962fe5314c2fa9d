"""How long sound takes through the real daemon: microphone to wire, wire to loudspeaker; its start.

The rig is a sound server with null sinks and the stand-in server on loopback, so the figures hold
the sound server's own buffers but no network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from device.simulator.script import Script, Turn
from tests.benchmarks.measure import table
from tests.rig.room import open_room, spoken
from tests.rig.sound import Recorder

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

STARTS = 5
QUESTIONS = 20
AUDIBLE = 200


def test_start_to_ready() -> None:
    """From the start of the process until it is ready, which is when the microphone delivers."""
    seconds = []
    for _ in range(STARTS):
        with open_room() as room:
            seconds.append(room.daemon.ready_s)
    table("start of the process to READY", "s", [("exec to READY", seconds)], digits=2)


def test_microphone_to_wire_and_wire_to_speaker() -> None:
    """Over many turns: when a sample is at the microphone and when at the server, and back."""
    script = Script(turns=(Turn(audio=400, pace="burst", delay_s=0.1),), silence_ms=300)
    with open_room(script, {"conversation": {"follow_up_s": 5}}) as room:
        recording = room.sound.recorder("mic"), room.sound.recorder()
        with recording[0] as microphone, recording[1] as speaker:
            room.wake_and_ask()
            room.daemon.event("reply", what="drained")
            for _ in range(QUESTIONS - 1):
                after = room.daemon.here
                room.sound.speak(spoken("and tomorrow", before_ms=200, after_ms=500))
                room.daemon.event("reply", after=after, what="drained")
            (connection,) = room.server.connections
            up = _up(microphone, bytes(connection.audio), connection.audio_chunks)
            sent = [at for at, what in connection.sent if what == "modelTurn"]
            down = _down(speaker, sent)
    rows = [("microphone to wire", up), ("wire to speaker", down)]
    table("latency through the daemon", "ms", rows)


def _up(microphone: Recorder, uplink: bytes, chunks: Sequence[tuple[float, int]]) -> list[float]:
    """For each chunk that came in real time: arrival less the time of its last sample."""
    heard = microphone.samples().tobytes()
    latencies, position, place = [], 0, 0
    for arrived, size in chunks:
        block = uplink[position : position + size]
        position += size
        found = heard.find(block, place) if len(set(block)) > 4 else -1
        if found >= 0:
            place = found
            latencies.append(1000 * (arrived - microphone.time_of((found + size) // 2)))
    # What was held while the session opened is late by intent.
    return latencies[len(latencies) // 10 :]


def _down(speaker: Recorder, sent: Sequence[float]) -> list[float]:
    """For each turn: the first audible sample at the sink less the sending of the first chunk."""
    audible = np.flatnonzero(np.abs(speaker.samples()[:, 0].astype(np.int32)) > AUDIBLE)
    times = np.array([speaker.time_of(int(sample)) for sample in audible])
    firsts = [at for index, at in enumerate(sent) if index == 0 or at - sent[index - 1] > 0.3]
    latencies = []
    for at in firsts:
        later = times[times > at]
        if len(later):
            latencies.append(1000 * float(later[0] - at))
    return latencies
