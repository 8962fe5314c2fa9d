"""Which scores of a hop become a detection."""

from __future__ import annotations

from collections.abc import Sequence

from device.wake.gate import Hit, WakeGate

HOP = 1280


def judged(gate: WakeGate, scores: Sequence[float], first_hop: int = 1) -> list[int]:
    """The hops in which ``jarvis`` fires."""
    hops = enumerate(scores, first_hop)
    return [hop for hop, score in hops if gate.judge({"jarvis": score}, hop * HOP)]


def test_a_score_at_the_threshold_fires_and_one_below_does_not() -> None:
    """The threshold itself counts."""
    gate = WakeGate({"jarvis": 0.5}, patience=1, refractory_samples=0)
    assert gate.judge({"jarvis": 0.499}, HOP) is None
    assert gate.judge({"jarvis": 0.5}, 2 * HOP) == Hit("jarvis", 0.5, 2 * HOP)


def test_each_word_has_its_own_threshold() -> None:
    """A score that is enough for one word is not for another."""
    gate = WakeGate({"alexa": 0.8, "jarvis": 0.3}, patience=1, refractory_samples=0)
    hit = gate.judge({"alexa": 0.7, "jarvis": 0.4}, HOP)
    assert hit == Hit("jarvis", 0.4, HOP)


def test_the_better_of_two_words_wins() -> None:
    """Two that fire in the same hop make one detection."""
    gate = WakeGate({"alexa": 0.5, "jarvis": 0.5}, patience=1, refractory_samples=32_000)
    hit = gate.judge({"alexa": 0.6, "jarvis": 0.9}, HOP)
    assert hit is not None
    assert hit.word == "jarvis"
    assert gate.judge({"alexa": 0.9, "jarvis": 0.1}, 2 * HOP) is None


def test_patience_counts_hops_in_a_row() -> None:
    """A hop below the threshold starts the count again."""
    gate = WakeGate({"jarvis": 0.5}, patience=3, refractory_samples=0)
    assert judged(gate, [0.9, 0.9, 0.1, 0.9, 0.9, 0.9]) == [6]


def test_the_refractory_period_counts_samples_from_the_detection() -> None:
    """Exactly that many samples later, the word can be heard again."""
    gate = WakeGate({"jarvis": 0.5}, patience=1, refractory_samples=4 * HOP)
    assert judged(gate, [0.9] * 10) == [1, 5, 9]


def test_the_refractory_period_holds_for_every_word() -> None:
    """One word heard keeps all others from firing."""
    gate = WakeGate({"alexa": 0.5, "jarvis": 0.5}, patience=1, refractory_samples=4 * HOP)
    assert gate.judge({"alexa": 0.9, "jarvis": 0.0}, HOP)
    assert gate.judge({"alexa": 0.0, "jarvis": 0.9}, 2 * HOP) is None
    assert gate.judge({"alexa": 0.0, "jarvis": 0.9}, 5 * HOP)


def test_hops_within_the_refractory_period_do_not_count_towards_patience() -> None:
    """A tail that outlasts the period needs its patience afterwards."""
    gate = WakeGate({"jarvis": 0.5}, patience=2, refractory_samples=4 * HOP)
    assert judged(gate, [0.9] * 8) == [2, 7]
