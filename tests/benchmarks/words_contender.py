"""Listens for some wake words as the product does, and prints what it cost, as JSON.

``python -m tests.benchmarks.words_contender WORDS RECORDING SPEED``: the words are joined by
commas, the recording is raw int16 at 16 kHz, and comes so many times as fast as it was spoken. It
says ``ready`` when its networks are loaded, and begins when a line comes on its standard input, so
that all who are compared hear the same at the same time.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from device.frames import (
    FRAME_BYTES,
    FRAME_SAMPLES,
    HOP_SAMPLES,
    MICROPHONE_RATE_HZ,
    SAMPLE_BYTES,
    Frame,
)
from device.news import Detection, News
from device.wake.detector import OnnxWakeDetector
from device.wake.worker import Word
from tests.benchmarks.measure import memory_mb

FRAMES_A_HOP = HOP_SAMPLES // FRAME_SAMPLES
CAUGHT_UP_S = 20.0
"""Many times what its inbox holds."""
HOP_S = HOP_SAMPLES / MICROPHONE_RATE_HZ


def switches() -> int:
    """How often this process was taken off a processor, of its own accord or not."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


def frames_of(recording: Path) -> list[Frame]:
    """Cut a recording into frames, in whole hops."""
    pcm = recording.read_bytes()
    hop_bytes = FRAMES_A_HOP * FRAME_BYTES
    places = range(0, len(pcm) // hop_bytes * hop_bytes, FRAME_BYTES)
    return [Frame(pcm[place : place + FRAME_BYTES], place // SAMPLE_BYTES, 0.0) for place in places]


async def measure(
    words: list[str], frames: list[Frame], speed: float
) -> dict[str, float | list[str]]:
    """Let the detector hear all of it; returns what that took, for each hop."""
    heard: list[str] = []

    def post(news: News) -> None:
        if isinstance(news, Detection):
            heard.append(news.word)

    detector = OnnxWakeDetector([Word(word, 0.5, 0.3) for word in words])
    await detector.load()
    running = asyncio.create_task(detector.run(post))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    loop = asyncio.get_running_loop()
    cpu_s, switched, began = time.process_time(), switches(), loop.time()
    for place in range(0, len(frames), FRAMES_A_HOP):
        due = began + place // FRAMES_A_HOP * HOP_S / speed
        await asyncio.sleep(max(0.0, due - loop.time()))
        for frame in frames[place : place + FRAMES_A_HOP]:
            detector.feed(frame)
    async with asyncio.timeout(CAUGHT_UP_S):
        # By then no frame was dropped either: what is asked for below is of all hops.
        while detector.counters["hops"] < len(frames) // FRAMES_A_HOP - 1:  # noqa: ASYNC110 - nothing tells when it has caught up
            await asyncio.sleep(HOP_S)
    looked_at = detector.counters["hops"] - detector.counters["quiet"]
    figures: dict[str, float | list[str]] = {
        "CPU ms a hop": (time.process_time() - cpu_s) * 1000 / looked_at,
        "inference ms a hop": detector.scores.hop_ms_p50,
        "context switches a hop": (switches() - switched) / looked_at,
        "resident MB": memory_mb("VmRSS"),
        "hops": float(looked_at),
        "dropped frames": float(detector.counters["dropped"]),
        "heard": sorted(set(heard)),
    }
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return figures


def main(words: str, recording: str, speed: str) -> None:
    """Print the figures."""
    figures = asyncio.run(measure(words.split(","), frames_of(Path(recording)), float(speed)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
