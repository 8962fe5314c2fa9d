"""Runs one wake word engine over a recording and prints what it cost, as JSON.

``python -m tests.benchmarks.wake_contender ENGINE WORDS RECORDING``: the engine is ``parley`` or
``openwakeword``, the words are joined by commas, the recording is raw int16 at 16 kHz. One process
runs one engine, so that neither pays for what the other imports.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.measure import memory_mb

HOP = 1280

Engine = Callable[[NDArray[np.int16]], Mapping[str, float]]


def parley(words: list[str]) -> Engine:
    from device.wake.scores import WakeScorer

    scorer = WakeScorer(words)
    return lambda hop: next(scorer.feed(hop))


def openwakeword(words: list[str]) -> Engine:
    from openwakeword.model import Model

    model = Model(wakeword_models=words, inference_framework="onnx")
    return lambda hop: dict(model.predict(hop))


def measure(engine: str, words: list[str], recording: str) -> dict[str, float]:
    """CPU and wall time of the inference loop, memory, and the time to be ready."""
    hops = np.fromfile(recording, np.int16)
    hops = hops[: hops.size // HOP * HOP].reshape(-1, HOP)
    before_mb, began = memory_mb("VmRSS"), time.perf_counter()
    score = {"parley": parley, "openwakeword": openwakeword}[engine](words)
    ready_s, loaded_mb = time.perf_counter() - began, memory_mb("VmRSS")
    took_ms, best = [], 0.0
    cpu_began = time.process_time()
    for hop in hops:
        hop_began = time.perf_counter()
        scores = score(hop)
        took_ms.append((time.perf_counter() - hop_began) * 1000.0)
        best = max(best, *map(float, scores.values()))
    cpu_s = time.process_time() - cpu_began
    return {
        "CPU s per audio s": cpu_s / (hops.size / 16_000),
        "ms per hop, p50": float(np.percentile(took_ms, 50)),
        "ms per hop, p95": float(np.percentile(took_ms, 95)),
        "RSS MB before": before_mb,
        "RSS MB loaded": loaded_mb,
        "RSS MB peak": memory_mb("VmHWM"),
        "s to import and load": ready_s,
        "best score": best,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2].split(","), sys.argv[3])))
