"""The simulated rooms side by side, and how much faster than real time they are.

Run with ``-m benchmark -s``. Nothing that is timed is asserted: the table is the result.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from device.simulator.acoustics import ROOMS, at_level
from device.simulator.impulse import echo_response
from device.simulator.room import FULL_SCALE, RATE_HZ, Room
from tests.rig.acoustics import level_db, measured_rt60_ms
from tests.rig.speech import chatter

SECONDS = 30
FRAME = 320


def times_real_time(name: str, played: NDArray[np.int16], block: int) -> float:
    room = Room(ROOMS[name])
    began = time.perf_counter()
    for at in range(0, len(played), block):
        room.hear(played[at : at + block])
    return SECONDS / (time.perf_counter() - began)


def decay(response: NDArray[np.float64]) -> str:
    """How the sound dies away, a step of 20 ms for each character; each level is 6 dB."""
    marks = " .:-=+*#%@"
    steps = [np.sum(part**2) for part in np.array_split(response, max(1, len(response) // 320))]
    levels = 10 * np.log10(np.array(steps) / max(steps) + 1e-9)
    return "".join(marks[max(0, 9 + round(level / 6))] for level in levels.tolist())


@pytest.mark.benchmark
def test_the_rooms(capsys: pytest.CaptureFixture[str]) -> None:
    """What each does to half a minute of speech at -20 dBFS."""
    spoken = at_level(chatter()[: SECONDS * RATE_HZ] / FULL_SCALE, -20)
    played = np.clip(np.rint(spoken * FULL_SCALE), -32_768, 32_767).astype(np.int16)
    with capsys.disabled():
        print("\nsimulated rooms (direct: direct sound over all the rest)")
        print(
            f"{'':12}{'rt60 ms':>9}{'measured':>10}{'direct dB':>11}{'echo dB':>9}{'measured':>10}"
            f"{'delay ms':>10}{'x at once':>11}{'x 20 ms':>9}  decay"
        )
        for name, room in ROOMS.items():
            response = echo_response(room, RATE_HZ)
            heard = Room(replace(room, noise_dbfs=-200)).hear(played)
            figures = (
                f"{room.rt60_ms:9.0f}{measured_rt60_ms(response, room.rt60_ms):10.0f}"
                f"{room.direct_to_reverberant_db:11.0f}"
                f"{room.echo_gain_db:9.0f}{level_db(heard) - level_db(played):10.1f}"
                f"{room.delay_ms:10.0f}{times_real_time(name, played, len(played)):11.0f}"
                f"{times_real_time(name, played, FRAME):9.0f}"
            )
            print(f"{name:12}{figures}  {decay(response)}")
            assert len(heard) == len(played)
