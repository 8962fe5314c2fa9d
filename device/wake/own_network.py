"""`load_word` loads a wake word network, and tries what an owner's own one does.

A network that somebody has trained may load and never fire, or fire without end: it gives logits
where probabilities are compared with a threshold, its weights have become infinite, or it was
trained on other embeddings than openWakeWord's. So it hears silence and noise first, through the
real front end. Who calls it is everybody: `parley config check`, the start, a reload, the doctor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from device.errors import WakeModelError
from device.frames import HOP_SAMPLES
from device.wake.catalogue import bundled_words, choices
from device.wake.networks import (
    EMBEDDING_SIZE,
    HISTORY_SAMPLES,
    HOP_FRAMES,
    WINDOW_FRAMES,
    Classifier,
    Embedding,
    Floats,
    Melspectrogram,
)

SILENT_SCORE = 0.3
"""No word is in silence or in noise: the bundled networks score both below 0.01 (measured)."""
TOLERANCE = 1e-3
"""A probability in float16 may be a little above 1."""
NOISES = {"faint noise": 30.0, "loud noise": 3000.0}
"""Standard deviation in int16 steps."""


def load_word(model: str) -> Classifier:
    """Load a bundled name or an absolute path; an owner's network hears silence and noise first.

    That takes a tenth of a second on a PC. Raises WakeModelError, which says what is missing or
    wrong and what to do.
    """
    if model in bundled_words():
        return Classifier(model)
    try:
        classifier = Classifier(model)
        scores = {name: _score(classifier, heard) for name, heard in _probes(classifier)}
    except WakeModelError:
        raise
    except Exception as error:  # whatever onnxruntime raises for a network that does not run
        raise WakeModelError(f"{model}: does not run: {error}; {choices()}") from error
    if trouble := _trouble(scores):
        raise WakeModelError(f"{model}: {trouble}")
    return classifier


def _score(classifier: Classifier, embeddings: Floats) -> float:
    return classifier.score(embeddings[np.newaxis])


def _probes(classifier: Classifier) -> Iterator[tuple[str, Floats]]:
    """What it hears: (``classifier.embeddings``, 96) each, by name."""
    generator = np.random.default_rng(1)
    hops = classifier.embeddings + WINDOW_FRAMES // HOP_FRAMES + 1
    length = hops * HOP_SAMPLES
    noises = {name: generator.normal(0.0, size, length) for name, size in NOISES.items()}
    melspectrogram, embedding = Melspectrogram(), Embedding()
    for name, sound in {"silence": np.zeros(length), **noises}.items():
        samples = np.concatenate([np.zeros(HISTORY_SAMPLES), sound]).astype(np.float32)
        heard = [
            embedding.embed(melspectrogram.frames(samples[np.newaxis, at : at + _SPAN]))
            for at in range(0, length, HOP_SAMPLES)
        ]
        yield name, np.stack(heard[-classifier.embeddings :])
    yield "embeddings of zeros", np.zeros((classifier.embeddings, EMBEDDING_SIZE), np.float32)


_SPAN = HISTORY_SAMPLES + HOP_SAMPLES


def _trouble(scores: Mapping[str, float]) -> str:
    """What is wrong with a network that scores so, by what it has heard; empty: nothing."""
    for name, score in scores.items():
        if not math.isfinite(score):
            return (
                f"it scores {name} as {score}, which is no number: its training went wrong, or its "
                "weights are damaged; export it again, or train it again"
            )
    least, most = min(scores.values()), max(scores.values())
    if least < -TOLERANCE or most > 1 + TOLERANCE:
        return (
            f"its scores are no probabilities: {_said(scores)}, and 0 to 1 is needed; it gives "
            "logits: export it with a sigmoid at its end"
        )
    told = {name: score for name, score in scores.items() if name in {"silence", *NOISES}}
    if max(told.values()) > SILENT_SCORE:
        return (
            f"it hears its word in {_said(told)}, and near 0 is needed: it was trained for another "
            "front end (other embeddings than openWakeWord's, or normalised ones), or its answer "
            "is turned round; train it with openWakeWord"
        )
    return ""


def _said(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {score:.2g}" for name, score in scores.items())
