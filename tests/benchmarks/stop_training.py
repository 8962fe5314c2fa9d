"""Trains the network that hears "stop" while an alarm rings, on voices that machines make.

``python -m tests.benchmarks.stop_training FOLDER`` makes scenes (five hours of sound, some twenty
minutes on a PC) and keeps them in FOLDER, so that it goes on where it was ended; then it trains for
a minute and writes ``device/wake/stop_word.npz``. The scenes are the same every time.

Its voices are those of `tests.benchmarks.corpora` but Piper's: espeak-ng has a hundred, but a
network that knew no others heard 15 % of the calls by a voice that was learned from a person. With
flite's and Hibari's voices beside them it hears 89 % of the same voice's, which it was not trained
with either.

A scene is an alarm in a room that was drawn by chance, heard through the echo canceller, and people
who call "stop" or say anything else. Of a call only its place is known, not which hop tells it
best: in each round the two hops in a row that score best are taken for it (multiple instance
learning), and beside all calls a part of what is no call, its best scored hops above all.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ
from device.simulator.acoustics import Acoustics
from device.wake.networks import EMBEDDING_SIZE
from device.wake.scores import WakeScorer
from device.wake.stop_word import EMBEDDINGS, NETWORK
from tests.benchmarks import corpora
from tests.benchmarks.corpora import fitted, formants, learned
from tests.rig.overhearing import Samples, cough, door, hum, whole
from tests.rig.ringing import ringing

Floats = NDArray[np.float32]
Rng = np.random.Generator

SCENES = 190
ALONE_FROM = 160
"""The scenes from this one on are rattling loudspeakers at full volume, and nobody there: trained
without them, what a canceller leaves of that rang three times a minute like the word."""
SCENE_S = 100.0
VOLUMES = ((0.0, 0.12), (0.06, 0.13), (0.125, 0.25), (0.35, 0.2), (1.0, 0.3))
"""Amplitude of the alarm, and in what part of the scenes."""
LEVELS_DBFS = (-35.0, -19.0)
CONTINUOUS = 5
"""Every so many scenes somebody talks on and on, as a television does."""

CALLS = (
    *("stop",) * 8,
    *("stop!",) * 4,
    *("stop it", "okay stop", "alarm stop", "stop the alarm", "please stop", "stop now"),
    *("stop please", "hey, stop", "stop, stop", "stop that", "oh stop"),
)
LIKE_IT = (
    "top shop stock stuff step spot start store stand star stove staff stamp drop hop pop what hot "
    "not got box stall stored stork stack stick stuck steep stoop soap sob shot spotted chop crop "
    "prop swap slope scope cop cost toss tough touch talk tock sock sauce saw song stay stone "
    "story stew student stare still steel stub stump tap tip type tape sip soup snap snack strip "
    "strap stripe"
)
UNLIKE_IT = (
    "dog job lot rock knock yes no okay please hello hey alarm timer it now that oh up cup off "
    "dark bath first last rest best test must dust just sorry thanks morning coffee water light "
    "music weather jarvis alexa computer kitchen seven"
)
WORDS = (*LIKE_IT.split(), *UNLIKE_IT.split())
CONSONANTS = (
    *("p", "t", "k", "b", "d", "g", "f", "s", "S", "m", "n", "l", "r", "w", "h", "st", "sp"),
    *("sk", "tr", "pr", "kl", "sl", "st", "st"),
)
VOWELS = ("a", "0", "I", "E", "V", "i:", "u:", "O:", "eI", "aI", "oU", "A:")
ENDS = ("p", "t", "k", "b", "m", "n", "s", "l", "f", "st", "ps", "")
SENTENCES = [
    sentence
    for sentence in corpora.SENTENCES
    if 25 < len(sentence) < 90 and not re.search(r"stop|top\b", sentence, re.IGNORECASE)
]


# --- what is said ---------------------------------------------------------------------------------


def _said(rng: Rng, text: str) -> Samples:
    higher = rng.uniform(0.83, 1.2)
    if rng.random() < 0.6:
        return fitted(*learned(rng, text), higher=higher)
    return fitted(*formants(rng, text), higher=higher if rng.random() < 0.5 else 1.0)


def _babble(rng: Rng) -> Samples:
    """A word or three that no language has, and that is not ours."""
    while True:
        words = [
            f"'{rng.choice(CONSONANTS)}{rng.choice(VOWELS)}{rng.choice(ENDS)}"
            for _ in range(rng.integers(1, 4))
        ]
        if not re.search("st(0|A:|O:|V|a)p", text := " ".join(words)):
            return fitted(*formants(rng, f"[[{text}]]"))


def _dishes(seed: int) -> Samples:
    """A few clinks within a second."""
    rng = np.random.default_rng(seed)
    at_s = np.arange(MICROPHONE_RATE_HZ // 10) / MICROPHONE_RATE_HZ
    sound = np.zeros(9 * len(at_s))
    for _ in range(rng.integers(1, 6)):
        tones = [np.sin(2 * np.pi * hz * at_s) for hz in rng.uniform(900, 7000, 5)]
        clink = sum(tones) * np.exp(-at_s / rng.uniform(0.003, 0.03))
        begin = rng.integers(0, len(sound) - len(at_s))
        sound[begin : begin + len(at_s)] += clink * rng.uniform(0.02, 0.1)
    return whole(np.clip(sound, -1, 1))


NOISES: tuple[Callable[[int], Samples], ...] = (cough, door, hum, _dishes)


def _drawn(rng: Rng, *, continuous: bool) -> tuple[bool, Samples]:
    """Something that is said, and whether it is a call."""
    sentence, word = SENTENCES[rng.integers(len(SENTENCES))], str(rng.choice(WORDS))
    if continuous:
        return False, _said(rng, sentence if rng.random() < 0.8 else " ".join(rng.choice(WORDS, 4)))
    match rng.choice(5, p=(0.38, 0.2, 0.1, 0.22, 0.1)):
        case 0:
            return True, _said(rng, str(rng.choice(CALLS)))
        case 1:
            return False, _said(rng, word)
        case 2:
            return False, _babble(rng)
        case 3:
            return False, _said(rng, sentence)
        case _:
            return False, NOISES[rng.integers(len(NOISES))](int(rng.integers(1_000_000)))


# --- scenes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """What the speaker heard in a room."""

    embeddings: Floats
    """One a hop."""
    said: NDArray[np.int64]
    """Whether it was a call, its first sample, and the one after its last."""


def scene(number: int) -> Scene:
    rng, alone = np.random.default_rng(number), number >= ALONE_FROM
    room = Acoustics(
        name=f"{number}",
        rt60_ms=rng.uniform(15, 600),
        delay_ms=rng.uniform(4, 10),
        echo_gain_db=rng.uniform(-14, 0),
        distortion=rng.uniform(0.3, 1) if alone else _distortion(rng),
        noise_dbfs=rng.uniform(-66, -54),
        drift_ppm=rng.uniform(-30, 30),
        seed=100 + number,
        direct_to_reverberant_db=rng.uniform(4, 10),
    )
    volumes, parts = zip(*VOLUMES, strict=True)
    volume = 1.0 if alone else float(rng.choice(volumes, p=parts))
    speaker = ringing(room, volume, hears=False)
    speaker.keeps = True
    continuous = number % CONTINUOUS == 0
    said, place = list[tuple[bool, int, int]](), MICROPHONE_RATE_HZ
    while not alone and place < (SCENE_S - 4) * MICROPHONE_RATE_HZ:
        call, sound = _drawn(rng, continuous=continuous)
        sound = sound[: 4 * MICROPHONE_RATE_HZ]
        speaker.room.say(sound, place, rng.uniform(*LEVELS_DBFS))
        said.append((call, place, place + len(sound)))
        pause_s = rng.uniform(0.05, 0.5) if continuous else rng.uniform(0.35, 1.2)
        place += len(sound) + round(pause_s * MICROPHONE_RATE_HZ)
    speaker.run(SCENE_S)
    return Scene(embedded(np.concatenate(speaker.cleaned)), np.array(said, int).reshape(-1, 3))


def _distortion(rng: Rng) -> float:
    return float(rng.choice((0.05, 0.1, 0.3, 1.0), p=(0.4, 0.25, 0.15, 0.2)))


def embedded(samples: Samples) -> Floats:
    """The embedding of each hop."""
    scorer = WakeScorer([], past_is_silence=True)
    hops = []
    for _ in scorer.feed(samples):
        newest = scorer.embeddings(1)
        assert newest is not None
        hops.append(newest[0].copy())
    return np.array(hops)


def kept(folder: Path, number: int) -> Scene:
    """A scene out of the folder, made when it is not there yet."""
    path = folder / f"{number}.npz"
    if not path.exists():
        made = scene(number)
        unfinished = path.with_suffix(".new.npz")
        np.savez(unfinished, embeddings=made.embeddings, said=made.said)
        unfinished.rename(path)
        print(f"scene {number + 1} of {SCENES}", flush=True)
    with np.load(path) as file:
        return Scene(file["embeddings"], file["said"])


# --- training -------------------------------------------------------------------------------------

SIZES = (EMBEDDINGS * EMBEDDING_SIZE, 48, 32, 1)
EPOCHS = 30
BATCH = 512
RATE = 1e-3
NOISE = 0.6
DROPPED = 0.4
DECAY = 1e-4
WEIGHT_OF_NO_CALL = 4.0
COLD_HOPS = 20
AFTER_S = 0.45
"""A call is told so long after its end at the latest."""


@dataclass
class Material:
    """All scenes in a row."""

    windows: Floats
    calls: NDArray[np.int64]
    """First and last hop in which one may be told."""
    others: NDArray[np.int64]
    """Hops that have nothing of a call."""


def material(scenes: list[Scene]) -> Material:
    windows, calls, others = [], [], []
    base = 0
    for each in scenes:
        hops = len(each.embeddings)
        before = np.repeat(each.embeddings[:1], EMBEDDINGS - 1, axis=0)
        padded = np.concatenate([before, each.embeddings])
        view = np.lib.stride_tricks.sliding_window_view(padded, EMBEDDINGS, axis=0)
        windows.append(view.transpose(0, 2, 1).reshape(hops, -1))
        free = np.arange(hops) >= COLD_HOPS
        for call, begin, end in each.said:
            if call:
                first = -(-(begin + MICROPHONE_RATE_HZ // 4) // HOP_SAMPLES)
                last = min(hops - 1, int(end + AFTER_S * MICROPHONE_RATE_HZ) // HOP_SAMPLES)
                free[begin // HOP_SAMPLES : last + 6] = False
                calls.append((base + first, base + last))
        others.append(base + np.flatnonzero(free))
        base += hops
    return Material(np.concatenate(windows), np.array(calls), np.concatenate(others))


class Trained:
    """Layers of a network that learns by Adam (Kingma and Ba, 2015)."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self.weights = [
            rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32)
            for a, b in itertools.pairwise(SIZES)
        ]
        self.biases = [np.zeros(size, np.float32) for size in SIZES[1:]]
        self._values = [*self.weights, *self.biases]
        self._means = [np.zeros_like(value) for value in self._values]
        self._squares = [np.zeros_like(value) for value in self._values]
        self._steps = 0

    def logits(self, inputs: Floats) -> Floats:
        return np.concatenate(
            [
                self._forward(inputs[at : at + 20_000], 0.0)[-1][:, 0]
                for at in range(0, len(inputs), 20_000)
            ]
        )

    def learn(self, inputs: Floats, wanted: Floats, importance: Floats, rate: float) -> None:
        seen = self._forward(inputs, DROPPED)
        guessed = 1 / (1 + np.exp(-np.clip(seen[-1][:, 0], -30, 30)))
        error = (importance * (guessed - wanted) / len(wanted)).astype(np.float32)[:, None]
        by_weights, by_biases = [], []
        for layer in reversed(range(len(self.weights))):
            by_weights.append(seen[layer].T @ error + DECAY * self.weights[layer])
            by_biases.append(error.sum(0))
            error = (error @ self.weights[layer].T) * (seen[layer] > 0)
        self._step([*by_weights[::-1], *by_biases[::-1]], rate)

    def _forward(self, values: Floats, dropped: float) -> list[Floats]:
        seen = [values]
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = np.maximum(seen[-1] @ weights + bias, 0)
            if dropped:
                stays = self._rng.random(values.shape, np.float32) > dropped
                values = values * stays / np.float32(1 - dropped)
            seen.append(values)
        seen.append(seen[-1] @ self.weights[-1] + self.biases[-1])
        return seen

    def _step(self, gradients: list[Floats], rate: float) -> None:
        self._steps += 1
        for number, gradient in enumerate(gradients):
            mean, square = self._means[number], self._squares[number]
            mean[:] += 0.1 * (gradient - mean)
            square[:] += 0.001 * (gradient * gradient - square)
            forward = mean / (1 - 0.9**self._steps)
            spread = np.sqrt(square / (1 - 0.999**self._steps)) + 1e-8
            self._values[number][:] -= np.float32(rate) * forward / spread


def train(learned: Material, seed: int = 0) -> list[tuple[Floats, Floats]]:
    """Weights and bias of each layer, for embeddings as they are."""
    rng = np.random.default_rng(seed)
    middle, spread = learned.windows.mean(0), learned.windows.std(0) + 1e-3
    inputs = ((learned.windows - middle) / spread).astype(np.float32)
    network = Trained(rng)
    for epoch in range(EPOCHS):
        scores = network.logits(inputs)
        calls = np.array([_best(scores, first, last) for first, last in learned.calls])
        calls = np.concatenate([calls, calls + 1])
        many = len(learned.others) // 5 if epoch > 2 else 0
        hardest = learned.others[np.argsort(scores[learned.others])[::-1][:many]]
        others = rng.choice(learned.others, len(learned.others) // 3, replace=False)
        taken = np.concatenate([calls, hardest, others])
        wanted = (np.arange(len(taken)) < len(calls)).astype(np.float32)
        no_call = WEIGHT_OF_NO_CALL * len(calls) / (len(taken) - len(calls))
        importance = np.where(wanted > 0, 1.0, no_call).astype(np.float32)
        rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS)) + 1e-5
        order = rng.permutation(len(taken))
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            shape = (len(batch), inputs.shape[1])
            blurred = inputs[taken[batch]] + NOISE * rng.standard_normal(shape, np.float32)
            network.learn(blurred, wanted[batch], importance[batch], rate)
    first = network.weights[0] / spread[:, None]
    network.biases[0] = network.biases[0] - middle @ first
    network.weights[0] = first
    return list(zip(network.weights, network.biases, strict=True))


def _best(scores: Floats, first: int, last: int) -> int:
    """The first of the two hops in a row that tell a call best."""
    return int(first + np.argmax(scores[first:last] + scores[first + 1 : last + 1]))


def write(layers: list[tuple[Floats, Floats]], path: Path = NETWORK) -> None:
    """Write the network as `device.wake.stop_word` reads it."""
    stored = {}
    for number, (weights, bias) in enumerate(layers):
        stored[f"{number}_bias"] = bias.astype(np.float32)
        stored[f"{number}_weights"] = weights.astype(np.float16)
    np.savez_compressed(path, allow_pickle=False, **stored)


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    write(train(material([kept(folder, number) for number in range(SCENES)])))


if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    main(Path(sys.argv[1]))
