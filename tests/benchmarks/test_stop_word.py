"""How well "stop" is heard over an alarm that rings, and what else stops it.

Run with ``-m benchmark -s``. Echo, canceller, networks and the order of things are the product's;
the voices were not trained with (`tests.rig.ringing`). `STOP_WORD_RECORDINGS` may name a folder of
more voices: WAV files (16 kHz, mono), ``call_*`` in which "stop" is said once, and ``talk_*``
without it.
"""

from __future__ import annotations

import itertools
import os
import time
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from device.frames import MICROPHONE_RATE_HZ
from device.wake.networks import EMBEDDING_SIZE
from device.wake.stop_word import EMBEDDINGS, StopNetwork
from tests.rig.overhearing import SAID, WAKING, Samples, Speaker, cough, door, hum, music, spoken
from tests.rig.ringing import CALLS, HELD_OUT, ringing
from tests.rig.speech import chatter

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7200)]

ROOMS = ("enclosure", "small", "medium", "large", "rattling")
VOLUMES = {"full": 1.0, "half": 0.125}
"""Amplitudes; see `device.audio.buffer.gain`."""
LEVELS_DBFS = (-22.0, -28.0, -34.0)
"""Of the talker at the microphone: beside it, across the table, across the room."""
LATE_SAMPLES = 12_000
"""So long after a call it still counts as heard."""
LEARNING_S = 6.0
RECORDINGS = os.environ.get("STOP_WORD_RECORDINGS")
RINGING_S = float(os.environ.get("STOP_WORD_RINGING_S", "3600"))


def recordings(kind: str) -> list[Samples]:
    found = []
    for path in sorted(Path(RECORDINGS).glob(f"{kind}_*.wav")) if RECORDINGS else []:
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels()) == (MICROPHONE_RATE_HZ, 1), path
            found.append(np.frombuffer(file.readframes(file.getnframes()), np.int16))
    return found


def hits(
    speaker: Speaker, calls: Sequence[Samples], level_dbfs: float, what: str = "stopped"
) -> float:
    """The part of the calls, said at any place of the ring, that are heard."""
    rng, heard = np.random.default_rng(5), 0
    for call in calls:
        speaker.run_into_reply(1.0, left_s=6.0)
        onset, end = speaker.say(call, level_dbfs, in_s=rng.uniform(0.1, 1.9))
        speaker.run_until(end + LATE_SAMPLES)
        heard += speaker.count(what, onset) > 0
        speaker.run(1.0)
    return heard / len(calls)


def percent(part: float) -> str:
    return f"{100 * part:.0f}%"


def test_hits_over_the_ringing() -> None:
    """Four ways to say it by eight voices, in five rooms; beside it the wake word."""
    print("\nHits over the ringing, by room, volume and level of the talker (dBFS)")
    groups: dict[str, list[Samples]] = {
        text: [spoken(text, v, 130 + 15 * (n % 4)) for n, v in enumerate(HELD_OUT)]
        for text in CALLS
    }
    if others := recordings("call"):
        groups["others"] = others
    wakes = [spoken("hey jarvis", v, 130 + 15 * (n % 4)) for n, v in enumerate(HELD_OUT)]
    print(f"{'room':11}{'volume':8}{'talker':>7}" + "".join(f"{t:>12}" for t in groups), end="")
    print(f"{'all':>8}{'hey jarvis':>12}")
    found = []
    for room, volume, level in itertools.product(ROOMS, VOLUMES, LEVELS_DBFS):
        speaker = ringing(room, VOLUMES[volume])
        speaker.run(LEARNING_S)
        parts = [hits(speaker, calls, level) for calls in groups.values()]
        woken = hits(speaker, wakes, level, "woke")
        whole = float(np.average(parts, weights=[len(calls) for calls in groups.values()]))
        found.append((*parts, whole, woken))
        shown = "".join(f"{percent(part):>12}" for part in parts)
        print(f"{room:11}{volume:8}{level:7.0f}{shown}{percent(whole):>8}{percent(woken):>12}")
    mean = np.mean(found, axis=0)
    shown = "".join(f"{percent(part):>12}" for part in mean[:-2])
    print(f"{'mean':26}{shown}{percent(mean[-2]):>8}{percent(mean[-1]):>12}")
    assert mean[-2] > 0.8


def test_its_own_ringing() -> None:
    """An hour in each room; `STOP_WORD_RINGING_S` makes it shorter."""
    print("\nWhat its own ringing alone does: stops and wakes, and the best score of a wake word")
    print(f"{'room':11}{'volume':8}{'minutes':>8}{'stops':>7}{'wakes':>7}{'best':>7}")
    fooled = []
    for room, volume in itertools.product(ROOMS, VOLUMES):
        speaker = ringing(room, VOLUMES[volume])
        speaker.run(RINGING_S / len(VOLUMES))
        stops, wakes = speaker.count("stopped"), speaker.count("woke")
        minutes = RINGING_S / len(VOLUMES) / 60
        best = max(speaker.scores)
        print(f"{room:11}{volume:8}{minutes:8.1f}{stops:7}{wakes:7}{best:7.2f}")
        if stops or wakes:
            fooled.append((room, volume))
    assert fooled == []


def talk() -> Samples:
    """Sentences without the word, by the voices that were not trained with."""
    pause = np.zeros(MICROPHONE_RATE_HZ // 3, np.int16)
    said = [
        spoken(text, voice, wpm)
        for wpm in (145, 175)
        for voice in HELD_OUT
        for text in (*SAID, *WAKING)
    ]
    return np.concatenate([part for each in said for part in (each, pause)])


def noises(make: str) -> Samples:
    """Two hundred of them, a second and a half apart."""
    makers = {"coughs": cough, "doors": door, "hums": hum}
    parts = [makers[make](seed) for seed in range(5000, 5200)]
    return np.concatenate(
        [np.pad(part, (0, MICROPHONE_RATE_HZ * 3 // 2 - len(part))) for part in parts]
    )


def dishes() -> Samples:
    """Clinks at random, some two a second, for five minutes."""
    rng = np.random.default_rng(9)
    at_s = np.arange(MICROPHONE_RATE_HZ // 5) / MICROPHONE_RATE_HZ
    sound = np.zeros(300 * MICROPHONE_RATE_HZ)
    for _ in range(600):
        tones = [np.sin(2 * np.pi * hz * at_s) for hz in rng.uniform(1000, 7000, 4)]
        begin = rng.integers(0, len(sound) - len(at_s))
        fades = np.exp(-at_s / rng.uniform(0.005, 0.04))
        sound[begin : begin + len(at_s)] += sum(tones) * fades * rng.uniform(500, 3000)
    return np.clip(sound, -32_768, 32_767).astype(np.int16)


def test_what_else_stops_it() -> None:
    """Talk, a television, noises at -26 dBFS, over ringing at half volume in a medium room."""
    print("\nFalse stops over the ringing")
    print(f"{'sound':14}{'minutes':>9}{'stops':>7}{'per hour':>10}{'wakes':>7}")
    sounds = {"talk": talk(), "chatter": chatter(), "music": music(120.0), "dishes": dishes()}
    sounds |= {name: noises(name) for name in ("coughs", "doors", "hums")}
    if others := recordings("talk"):
        sounds["others"] = np.concatenate(others)
    for name, sound in sounds.items():
        speaker = ringing("medium", VOLUMES["half"], bout_s=900.0)
        speaker.run(LEARNING_S)
        began, hours = speaker.position, len(sound) / MICROPHONE_RATE_HZ / 3600
        speaker.room.say(sound, speaker.position, -26.0)
        speaker.run(len(sound) / MICROPHONE_RATE_HZ)
        stops, wakes = (speaker.count(what, began) for what in ("stopped", "woke"))
        print(f"{name:14}{60 * hours:9.1f}{stops:7}{stops / hours:10.1f}{wakes:7}")


def test_what_it_costs() -> None:
    """Of a core, while something rings: two scores a hop of 80 ms, ours and the microphone's."""
    network, runs = StopNetwork(), 2000
    heard = np.random.default_rng(1).normal(size=(EMBEDDINGS, EMBEDDING_SIZE)).astype(np.float32)
    began = time.process_time()
    for _ in range(runs):
        network.score(heard)
    score_s = (time.process_time() - began) / runs
    print(f"\nA score takes {1e6 * score_s:.0f} us; two a hop are {100 * 2 * score_s / 0.08:.2f} %")
