"""Which scores of a hop become a detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from device.wake.gate import Hit, WakeGate

HOP = 1280


class Gate:
    """A gate whose thresholds are always the same."""

    def __init__(
        self, thresholds: Mapping[str, float], patience: int, refractory_samples: int
    ) -> None:
        self.gate = WakeGate(thresholds, patience, refractory_samples, veto_samples=2 * HOP)
        self.thresholds = thresholds

    def judge(self, scores: Mapping[str, float], end_sample: int, *ours: str) -> Hit | None:
        return self.gate.judge(scores, self.thresholds, end_sample, ours)


def judged(gate: Gate, scores: Sequence[float], first_hop: int = 1) -> list[int]:
    """The hops in which ``jarvis`` fires."""
    hops = enumerate(scores, first_hop)
    return [hop for hop, score in hops if gate.judge({"jarvis": score}, hop * HOP)]


def test_a_score_at_the_threshold_fires_and_one_below_does_not() -> None:
    """The threshold itself counts."""
    gate = Gate({"jarvis": 0.5}, patience=1, refractory_samples=0)
    assert gate.judge({"jarvis": 0.499}, HOP) is None
    assert gate.judge({"jarvis": 0.5}, 2 * HOP) == Hit("jarvis", 0.5, 2 * HOP)


def test_each_word_has_its_own_threshold() -> None:
    """A score that is enough for one word is not for another."""
    gate = Gate({"alexa": 0.8, "jarvis": 0.3}, patience=1, refractory_samples=0)
    hit = gate.judge({"alexa": 0.7, "jarvis": 0.4}, HOP)
    assert hit == Hit("jarvis", 0.4, HOP)


def test_the_better_of_two_words_wins() -> None:
    """Two that fire in the same hop make one detection."""
    gate = Gate({"alexa": 0.5, "jarvis": 0.5}, patience=1, refractory_samples=32_000)
    hit = gate.judge({"alexa": 0.6, "jarvis": 0.9}, HOP)
    assert hit is not None
    assert hit.word == "jarvis"
    assert gate.judge({"alexa": 0.9, "jarvis": 0.1}, 2 * HOP) is None


def test_patience_counts_hops_in_a_row() -> None:
    """A hop below the threshold starts the count again."""
    gate = Gate({"jarvis": 0.5}, patience=3, refractory_samples=0)
    assert judged(gate, [0.9, 0.9, 0.1, 0.9, 0.9, 0.9]) == [6]


def test_the_refractory_period_counts_samples_from_the_detection() -> None:
    """Exactly that many samples later, the word can be heard again."""
    gate = Gate({"jarvis": 0.5}, patience=1, refractory_samples=4 * HOP)
    assert judged(gate, [0.9] * 10) == [1, 5, 9]


def test_the_refractory_period_holds_for_every_word() -> None:
    """One word heard keeps all others from firing."""
    gate = Gate({"alexa": 0.5, "jarvis": 0.5}, patience=1, refractory_samples=4 * HOP)
    assert gate.judge({"alexa": 0.9, "jarvis": 0.0}, HOP)
    assert gate.judge({"alexa": 0.0, "jarvis": 0.9}, 2 * HOP) is None
    assert gate.judge({"alexa": 0.0, "jarvis": 0.9}, 5 * HOP)


def test_hops_within_the_refractory_period_do_not_count_towards_patience() -> None:
    """A tail that outlasts the period needs its patience afterwards."""
    gate = Gate({"jarvis": 0.5}, patience=2, refractory_samples=4 * HOP)
    assert judged(gate, [0.9] * 8) == [2, 7]


def test_the_threshold_in_force_is_that_of_the_hop() -> None:
    """It may change from hop to hop; patience counts the hops that reached theirs."""
    gate = WakeGate(["jarvis"], patience=2, refractory_samples=0, veto_samples=0)
    hops = enumerate([(0.4, 0.5), (0.4, 0.3), (0.4, 0.5), (0.4, 0.3), (0.6, 0.5)], 1)
    hits = [
        hop
        for hop, (score, threshold) in hops
        if gate.judge({"jarvis": score}, {"jarvis": threshold}, hop * HOP)
    ]
    assert hits == [5]


def test_a_word_of_our_own_is_no_hit_and_counted() -> None:
    """However high it scores; and it does not start the refractory period of the others."""
    gate = Gate({"alexa": 0.5, "jarvis": 0.5}, patience=1, refractory_samples=32_000)
    assert gate.judge({"alexa": 0.1, "jarvis": 0.99}, HOP, "jarvis") is None
    assert gate.gate.vetoed == 1
    hit = gate.judge({"alexa": 0.6, "jarvis": 0.99}, 2 * HOP, "jarvis")
    assert hit == Hit("alexa", 0.6, 2 * HOP)
    assert gate.gate.vetoed == 1


def test_a_person_says_one_word_while_we_say_another() -> None:
    """Both fire in one hop, ours the higher: the person's counts."""
    gate = Gate({"alexa": 0.5, "jarvis": 0.5}, patience=1, refractory_samples=32_000)
    assert gate.judge({"alexa": 0.6, "jarvis": 0.9}, HOP, "jarvis") == Hit("alexa", 0.6, HOP)
    assert gate.gate.vetoed == 1


@pytest.mark.parametrize("patience", [1, 3])
def test_after_a_veto_the_word_is_deaf_for_a_moment_only(patience: int) -> None:
    """Two hops here; then a person is heard, with all the patience there is."""
    gate = Gate({"jarvis": 0.5}, patience, refractory_samples=32_000)
    for hop in range(1, patience + 1):
        assert gate.judge({"jarvis": 0.9}, hop * HOP, "jarvis") is None
    assert gate.gate.vetoed == 1
    assert judged(gate, [0.9] * 6, first_hop=patience + 1) == [2 * patience + 1]


def test_what_we_say_and_nobody_hears_is_no_veto() -> None:
    """A word below its threshold in the microphone needs none."""
    gate = Gate({"jarvis": 0.5}, patience=1, refractory_samples=0)
    assert gate.judge({"jarvis": 0.4}, HOP, "jarvis") is None
    assert gate.gate.vetoed == 0


def test_another_microphone_is_not_deaf_to_the_old_ones_veto() -> None:
    """Its samples are counted from 0 again."""
    gate = Gate({"jarvis": 0.5}, patience=1, refractory_samples=0)
    gate.judge({"jarvis": 0.9}, 1000 * HOP, "jarvis")
    gate.gate.forget()
    assert judged(gate, [0.9]) == [1]
