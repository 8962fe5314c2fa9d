"""How often a word is missed, and is heard though nobody said it: by each network, and by both.

Run with ``-m benchmark -s``; the first time it fetches its voices (`tests.benchmarks.corpora`).
Everything is scored once by openWakeWord, as the product scores it; the second opinion is the
product's too, and hears the same hops. Beside each rate stands the interval in which the true one
of this corpus lies with 95 %: Wilson's for parts, the exact one of a Poisson count for wakes an
hour. ``WAKE_CALLS`` says how often each kind of voice says a word in each condition (24), and
``WAKE_MINUTES`` how long each talks without it (20).

What machines say in a room that is computed tells which of two versions is better. How often a
person is not heard it does not tell: espeak-ng's voices are harder for both networks than people.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ
from device.simulator.acoustics import ROOMS, at_level
from device.simulator.impulse import convolved, voice_response
from device.wake.micro import MicroNetwork, micro_networks
from device.wake.networks import Floats
from device.wake.opinion import SecondOpinion
from device.wake.scores import Scores, WakeScorer
from tests.benchmarks import corpora
from tests.benchmarks.corpora import ENGINES
from tests.benchmarks.measure import per_hour, share
from tests.rig.overhearing import Samples, whole

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7200)]

CALLS = int(os.environ.get("WAKE_CALLS", "24"))
MINUTES = float(os.environ.get("WAKE_MINUTES", "20"))
SAID = {
    "hey_jarvis": "hey jarvis",
    "alexa": "alexa",
    "hey_mycroft": "hey mycroft",
    "hey_rhasspy": "hey rhasspy",
}
ALIKE = {
    "hey_jarvis": "hey Travis|hey Jason|hey just a minute|hey John is|hey chavez|hey service|"
    "hey Marvin|hi Jarrett|hey Java|hey jars|hey Davis|hey Charles|a jar of this|hey Janice",
    "alexa": "a lecture|Alexander|Alex|a lexicon|relax a bit|election|a Lexus|electric|Alexis|"
    "Alexandra|I like so|all extra|at least a|collects a",
    "hey_mycroft": "hey Microsoft|hey my craft|hey my crop|hey my cross|hey Michael|microphone|"
    "hey my coffee|hey aircraft|make it off|hey minecraft|they might cross|say my craft",
    "hey_rhasspy": "hey raspberry|hey wrapping|hey rusty|hey Casper|hey Jasper|hey Randy|raspy|"
    "hey grasp it|hey rascal|hey rapidly|hey whisper|a raspberry pie|hey crispy",
}
THRESHOLD = 0.5
"""The configuration's."""
MICRO_THRESHOLD = 0.5
"""Of microWakeWord's network alone, without the mean over 150 ms that it is shipped with."""
REFRACTORY_HOPS = 25

CONDITIONS = ("quiet", "white 10", "pink 5", "music 5", "talk 5", "medium", "large", "far")
"""Of the talker: nothing but a room's noise; beside noise, so many dB weaker; in two rooms; at -46
dBFS in the larger."""
LEAD_SAMPLES = MICROPHONE_RATE_HZ * 12 // 5
TAIL_SAMPLES = MICROPHONE_RATE_HZ * 6 // 5
FIRST_HOP = 24
"""From here on, in a trial, both networks have heard enough."""

Track = NDArray[np.float64]
"""A score for each hop."""


@dataclass(frozen=True)
class Judged:
    """What was said of a sound, hop by hop."""

    openwakeword: Track
    micro: Track
    both: Track


class Recorded:
    """openWakeWord's scores, as they were given before."""

    def __init__(self, word: str, scores: Track) -> None:
        self._word = word
        self._scores = iter(scores)
        self.unfinished_samples = 0
        self.warm = True

    def embeddings(self, count: int) -> Floats | None:
        return None

    def reset(self, silent_samples: int = 0) -> None:
        pass

    def feed(self, samples: Samples) -> Iterator[Scores]:
        yield {self._word: float(next(self._scores))}


@cache
def network(word: str) -> MicroNetwork | None:
    return micro_networks([word]).get(word)


def judged(word: str, sound: Samples, scores: Track) -> Judged:
    """What the others make of a sound that openWakeWord has scored."""
    other = network(word)
    if other is None:
        return Judged(scores, np.zeros_like(scores), scores)
    opinion = SecondOpinion(Recorded(word, scores), {word: other})
    hops = sound[: scores.size * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)
    both = np.array([next(opinion.feed(hop))[word] for hop in hops])
    other.reset()
    return Judged(scores, np.array([other.hear(hop) for hop in hops]), both)


# --- who says it ----------------------------------------------------------------------------------


def drawn(source: Samples, size: int, rng: np.random.Generator) -> Track:
    """So much from anywhere in it, with an RMS of 1."""
    while True:
        begin = int(rng.integers(0, source.size - size))
        part = source[begin : begin + size].astype(np.float64)
        if (level := float(np.sqrt(np.mean(part**2)))) > 200:
            return part / level


def pink(size: int, rng: np.random.Generator) -> Track:
    spectrum = np.fft.rfft(rng.standard_normal(size))
    sound = np.fft.irfft(spectrum / np.sqrt(np.arange(spectrum.size) + 20), size)
    return np.asarray(sound / np.sqrt(np.mean(sound**2)))


@cache
def others() -> Samples:
    """People who talk nearby, in French."""
    return next(said for name, said in corpora.prompts() if name.startswith("fr"))


def scene(call: Samples, condition: str, rng: np.random.Generator) -> tuple[Samples, int]:
    """A call after two seconds of what is around it, in whole hops; and where it ends."""
    kind, _, snr = condition.partition(" ")
    level_dbfs = -46.0 if kind == "far" else -26.0
    said = at_level(call / 32_768.0, level_dbfs)
    room = {"medium": "medium", "large": "large", "far": "large"}.get(kind)
    if room:
        response = voice_response(ROOMS[room], MICROPHONE_RATE_HZ)
        said = at_level(convolved(said, response), level_dbfs)
    onset = LEAD_SAMPLES + int(rng.integers(0, HOP_SAMPLES))
    size = -(-(onset + said.size + TAIL_SAMPLES) // HOP_SAMPLES) * HOP_SAMPLES
    sound = rng.standard_normal(size) * 10 ** (-62 / 20)
    sound[onset : onset + said.size] += said
    noises = {
        "white": lambda: rng.standard_normal(size),
        "pink": lambda: pink(size, rng),
        "music": lambda: drawn(corpora.music(), size, rng),
        "talk": lambda: drawn(others(), size, rng),
    }
    if kind in noises:
        sound += noises[kind]() * 10 ** ((level_dbfs - float(snr)) / 20)
    return whole(sound), onset + call.size


@dataclass(frozen=True)
class Trial:
    engine: str
    condition: str
    end_sample: int
    judged: Judged


@cache
def trials(word: str) -> list[Trial]:
    scorer, rng = WakeScorer([word]), np.random.default_rng(2)
    found = []
    for engine, condition in itertools.product(ENGINES, CONDITIONS):
        for call in corpora.calls(SAID[word], engine, CALLS):
            sound, end_sample = scene(call, condition, rng)
            scorer.reset()
            scores = np.array([hop[word] for hop in scorer.feed(sound)])
            found.append(Trial(engine, condition, end_sample, judged(word, sound, scores)))
    return found


def missed(track: Track, threshold: float) -> bool:
    return bool(np.max(track[FIRST_HOP:]) < threshold)


def misses(some: Sequence[Trial]) -> list[tuple[int, int]]:
    """How many of how many are missed by openWakeWord, by the other network, and by both."""
    tracks = [(t.judged.openwakeword, t.judged.micro, t.judged.both) for t in some]
    limits = (THRESHOLD, MICRO_THRESHOLD, THRESHOLD)
    return [
        (sum(missed(track, limit) for track in tracks_of), len(some))
        for tracks_of, limit in zip(zip(*tracks, strict=True), limits, strict=True)
    ]


def shown(parts: Sequence[tuple[int, int]], word: str) -> str:
    cells = []
    for number, (count, size) in enumerate(parts):
        low, high = share(count, size)
        rate = f"{100 * count / size:5.1f} ({100 * low:.0f}-{100 * high:.0f})"
        cells.append(f"{rate if number == 0 or network(word) else '-':>18}")
    return "".join(cells)


@pytest.mark.parametrize("word", SAID)
def test_misses(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By kind of voice and by condition, in per cent."""
    all_of_them = trials(word)
    by_engine = {e: [t for t in all_of_them if t.engine == e] for e in ENGINES}
    learned = [t for t in all_of_them if t.engine != "espeak-ng"]
    by_condition = {c: [t for t in learned if t.condition == c] for c in CONDITIONS}
    with capsys.disabled():
        print(f"\n{word}: missed, % (95 % interval)")
        print(f"{'':28}{'calls':>6}{'openWakeWord':>18}{'microWakeWord':>18}{'both':>18}")
        for name, some in by_engine.items():
            print(f"{name:28}{len(some):6}{shown(misses(some), word)}")
        for name, some in by_condition.items():
            print(f"{'but espeak-ng, ' + name:28}{len(some):6}{shown(misses(some), word)}")
        if network(word):
            later = [ms for t in all_of_them if (ms := later_ms(t)) is not None]
            print(
                f"both decide {np.mean(later):.0f} ms later than openWakeWord (median "
                f"{np.median(later):.0f}): {100 * np.mean(np.array(later) > 0):.0f} % later, "
                f"{100 * np.mean(np.array(later) < 0):.0f} % earlier"
            )
    (before, _), _, (after, _) = misses(learned)
    assert after <= before


def later_ms(trial: Trial) -> float | None:
    """How much later both decide than openWakeWord alone, where each does."""
    tracks = (trial.judged.openwakeword[FIRST_HOP:], trial.judged.both[FIRST_HOP:])
    if any(np.max(track) < THRESHOLD for track in tracks):
        return None
    alone, both = (int(np.argmax(track >= THRESHOLD)) for track in tracks)
    return (both - alone) * HOP_SAMPLES * 1000 / MICROPHONE_RATE_HZ


# --- who never does -------------------------------------------------------------------------------


def never() -> Iterator[tuple[str, Samples]]:
    """Hours of speech and music in which no word is said, with a room's noise under them."""
    rng = np.random.default_rng(5)
    sources = itertools.chain(
        corpora.prompts(),
        ((f"manual, {engine}", corpora.talk(engine, MINUTES)) for engine in ENGINES),
        [("music", corpora.music())],
        ((f"like {word}", corpora.alike(texts)) for word, texts in ALIKE.items()),
    )
    for name, sound in sources:
        noisy = sound + rng.normal(0, 15, sound.size)
        yield name, np.clip(noisy, -32_768, 32_767).astype(np.int16)


def wakes(track: Track, threshold: float) -> int:
    count, deaf_until = 0, FIRST_HOP
    for hop in np.flatnonzero(track >= threshold):
        if hop >= deaf_until:
            count, deaf_until = count + 1, int(hop) + REFRACTORY_HOPS
    return count


def counted(tracks: Judged) -> list[int]:
    return [
        wakes(tracks.openwakeword, THRESHOLD),
        wakes(tracks.micro, MICRO_THRESHOLD),
        wakes(tracks.both, THRESHOLD),
    ]


def test_false_wakes(capsys: pytest.CaptureFixture[str]) -> None:
    """Per hour, by corpus; what resembles a word is counted apart."""
    scorer = WakeScorer(list(SAID))
    counts: dict[str, dict[str, list[int]]] = {word: {} for word in SAID}
    hours: dict[str, float] = {}
    for name, sound in never():
        scorer.reset()
        scored = list(scorer.feed(sound))
        hours[name] = sound.size / MICROPHONE_RATE_HZ / 3600
        for word in SAID:
            if not name.startswith("like") or name == f"like {word}":
                scores = np.array([hop[word] for hop in scored])
                counts[word][name] = counted(judged(word, sound, scores))
    with capsys.disabled():
        for word, by_corpus in counts.items():
            print_wakes(word, by_corpus, hours)
    totals = [total(by_corpus) for by_corpus in counts.values()]
    alone, _, both = (sum(column) for column in zip(*totals, strict=True))
    assert both <= alone


def total(by_corpus: Mapping[str, list[int]]) -> list[int]:
    talk = [counts for name, counts in by_corpus.items() if not name.startswith("like")]
    return [sum(column) for column in zip(*talk, strict=True)]


def print_wakes(word: str, by_corpus: Mapping[str, list[int]], hours: Mapping[str, float]) -> None:
    print(f"\n{word}: wakes though nobody says it, and how many an hour (95 % interval)")
    print(f"{'':28}{'hours':>6}{'openWakeWord':>24}{'microWakeWord':>24}{'both':>24}")
    talk_hours = sum(hours[name] for name in by_corpus if not name.startswith("like"))
    rows = [(name, hours[name], counts) for name, counts in by_corpus.items()]
    rows.append(("all but what is like it", talk_hours, total(by_corpus)))
    for name, of_hours, counts in rows:
        cells = []
        for number, count in enumerate(counts):
            low, high = per_hour(count, of_hours)
            rate = f"{count}: {count / of_hours:.1f} ({low:.1f}-{high:.1f})"
            cells.append(f"{rate if number == 0 or network(word) else '-':>24}")
        print(f"{name:28}{of_hours:6.2f}{''.join(cells)}")


# --- what it costs --------------------------------------------------------------------------------


def test_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a hop of 80 ms, while nothing is suspected and while all is; and of memory."""
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 300, 60 * MICROPHONE_RATE_HZ).astype(np.int16)
    hops = sound.reshape(-1, HOP_SAMPLES)
    scorer = WakeScorer(["hey_jarvis"])
    first_ms = took_ms(lambda hop: next(scorer.feed(hop)), hops)
    micro = MicroNetwork("hey_jarvis")
    other_ms = took_ms(micro.hear, hops)
    second = SecondOpinion(WakeScorer(["hey_jarvis"]), {"hey_jarvis": micro})
    both_ms = took_ms(lambda hop: next(second.feed(hop)), hops)
    began = time.perf_counter()
    for _ in range(20):
        micro.reset()
        micro.hear(sound[: 2 * MICROPHONE_RATE_HZ])
    replay_ms = (time.perf_counter() - began) / 20 * 1000
    with capsys.disabled():
        print(f"\nms a hop: openWakeWord {first_ms:.2f}, microWakeWord {other_ms:.2f}")
        print(f"both, while nothing is suspected: {both_ms:.2f}; two seconds: {replay_ms:.1f} ms")
        print(own_process("hey_jarvis"))
    assert second.replays == 0


def own_process(word: str) -> str:
    """What loading costs, in a process that has loaded nothing else."""
    program = f"""
import time
from device.wake.worker import Hearing, Word
from tests.benchmarks.measure import memory_mb
import device.wake.worker as worker
micro_networks, worker.micro_networks = worker.micro_networks, lambda _models: {{}}
hearing = Hearing([Word({word!r})], 1, 2.0, 700)
before_mb, began = memory_mb("VmRSS"), time.perf_counter()
networks = micro_networks([{word!r}]), micro_networks([{word!r}])
took_ms = (time.perf_counter() - began) * 1000
import numpy as np
for network in (each[{word!r}] for each in networks):
    network.hear(np.zeros(32_000, np.int16))
print(f"library and both networks of a word: {{memory_mb('VmRSS') - before_mb:.1f}} MB of", end=" ")
print(f"{{memory_mb('VmRSS'):.0f}} MB, loaded in {{took_ms:.0f}} ms")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, check=True, text=True, timeout=60
    )
    return done.stdout.strip()


def took_ms(hear: object, hops: NDArray[np.int16]) -> float:
    assert callable(hear)
    began = time.perf_counter()
    for hop in hops:
        hear(hop)
    return (time.perf_counter() - began) / len(hops) * 1000
