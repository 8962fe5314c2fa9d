"""What the wake word costs, beside openWakeWord's own Model in the same run.

Run with ``-m benchmark -s``. Nothing that is timed is asserted: the table is the result.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.measure import medians
from tests.rig.speech import chatter, espeak, noise

RUNS = 5
ENGINES = ("parley", "openwakeword")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and a half: talk, noise, and the wake word at the end."""
    path = tmp_path_factory.mktemp("wake") / "recording.s16"
    parts = [chatter()[: 75 * 16_000], noise(12.0, 50.0), espeak("hey jarvis"), noise(2.0, 50.0)]
    np.concatenate(parts).tofile(path)
    return path


def run(engine: str, words: str, recording: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.wake_contender", engine, words]
    done = subprocess.run(
        [*command, str(recording)], stdout=subprocess.PIPE, check=True, timeout=300
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("words", ["hey_jarvis", "hey_jarvis,alexa,hey_mycroft"])
def test_cost_of_the_wake_word(
    words: str, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same hops through both engines, in turn, each run in a process of its own."""
    runs = {engine: list[dict[str, float]]() for engine in ENGINES}
    for _ in range(RUNS):
        for engine in ENGINES:
            runs[engine].append(run(engine, words, recording))
    ours, theirs = (medians(runs[engine]) for engine in ENGINES)
    with capsys.disabled():
        print(f"\n{words}: medians of {RUNS} runs")
        print(f"{'':22}{'Parley':>12}{'openWakeWord':>14}{'ratio':>8}")
        for name, our in ours.items():
            print(f"{name:22}{our:12.4f}{theirs[name]:14.4f}{our / theirs[name]:8.2f}")
    assert ours["best score"] > 0.5
    assert theirs["best score"] > 0.5
