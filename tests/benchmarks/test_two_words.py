"""What a second wake word costs, and a third: the last small network is its own, no more.

Run with ``-m benchmark -s``. All listen to the same at the same time, each in a process of its own,
so that whatever else the machine does slows them alike. Nothing that is timed is asserted: the
table is the result. Each word is judged by two kinds of network, where there are two; the second is
asked about what the first suspects, here about the words themselves and what sounds like them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.measure import medians
from tests.rig.speech import chatter, espeak, noise

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

ROUNDS = 5
SPEED = 2.0
"""Times as fast as it was spoken: three at once still find room on two slow cores."""
SAID = {"hey_jarvis": "hey jarvis", "alexa": "alexa", "hey_mycroft": "hey my croft"}
"""As espeak-ng must be told to say them."""
WORDS = tuple(SAID)
CONTENDERS = tuple(WORDS[: count + 1] for count in range(len(WORDS)))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of talk, and each word."""
    path = tmp_path_factory.mktemp("words") / "recording.s16"
    said = [espeak(words, "en-us") for words in SAID.values()]
    pause = noise(2.0, 50.0)
    parts = [chatter()[: 30 * 16_000], pause, *(part for word in said for part in (word, pause))]
    np.concatenate(parts).tofile(path)
    return path


def listen(recording: Path) -> list[dict[str, Any]]:
    """Let all listen at the same time."""
    command = [sys.executable, "-m", "tests.benchmarks.words_contender"]
    running = [
        subprocess.Popen(
            [*command, ",".join(words), str(recording), str(SPEED)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for words in CONTENDERS
    ]
    try:
        for each in running:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in running:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        return [json.loads(each.communicate(timeout=300)[0]) for each in running]
    finally:
        for each in running:
            each.kill()
            each.wait()


def test_cost_of_more_words(recording: Path) -> None:
    """Medians of the rounds, and how many times as much as one word alone."""
    rounds = [listen(recording) for _ in range(ROUNDS)]
    for count, words in enumerate(CONTENDERS):
        assert {tuple(each[count].pop("heard")) for each in rounds} == {tuple(sorted(words))}
    one, *more = (medians([each[count] for each in rounds]) for count in range(len(CONTENDERS)))
    names = [f"{len(words)} words" for words in CONTENDERS[1:]]
    print(f"\nat the same time, medians of {ROUNDS} rounds; in brackets: times one word")
    print(f"{'':24}{'1 word':>10}" + "".join(f"{name:>18}" for name in names))
    for name, figure in one.items():
        others = "".join(
            f"{each[name]:11.3f} ({each[name] / figure:.2f})" if figure else f"{each[name]:18.3f}"
            for each in more
        )
        print(f"{name:24}{figure:10.3f}{others}")
