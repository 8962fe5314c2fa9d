"""When another network is asked, what it is given to hear, and what follows from both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.frames import HOP_SAMPLES
from device.wake.networks import Floats
from device.wake.opinion import (
    AGREEMENT_HOPS,
    SUSPICION,
    Samples,
    SecondOpinion,
    combined,
)
from device.wake.scores import Scores, WakeScorer
from tests.rig.speech import noise

HOP = np.arange(HOP_SAMPLES, dtype=np.int16)


class Script:
    """A scorer that gives one score after the other, whatever it hears."""

    def __init__(self, scores: Sequence[float]) -> None:
        self._scores = iter(scores)
        self.unfinished_samples = 0
        self.warm = True
        self.resets = 0

    def embeddings(self, count: int) -> Floats | None:
        return np.zeros((count, 96), np.float32)

    def reset(self, silent_samples: int = 0) -> None:
        self.resets += 1
        self.unfinished_samples = silent_samples

    def feed(self, samples: Samples) -> Iterator[Scores]:
        self.unfinished_samples += samples.size
        assert self.unfinished_samples <= HOP_SAMPLES, "more than a hop at a time"
        if self.unfinished_samples == HOP_SAMPLES:
            self.unfinished_samples = 0
            yield {"word": next(self._scores), "other": 0.7}


class Witness:
    """A network that notes what it hears, and says what it is told to."""

    def __init__(self, says: float = 0.9) -> None:
        self.says = says
        self.heard: list[Samples] = []
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1
        self.heard.clear()

    def hear(self, samples: Samples) -> float:
        self.heard.append(samples)
        return self.says


def asked(scores: Sequence[float], witness: Witness) -> SecondOpinion:
    return SecondOpinion(Script(scores), {"word": witness})


def numbered(count: int) -> Samples:
    """So many hops, each with its number in every sample."""
    return np.repeat(np.arange(count, dtype=np.int16), HOP_SAMPLES)


def words(opinion: SecondOpinion, samples: Samples, size: int = 320) -> list[float]:
    return [
        scores["word"]
        for at in range(0, samples.size, size)
        for scores in opinion.feed(samples[at : at + size])
    ]


def test_below_the_suspicion_nobody_is_asked() -> None:
    """The score is the scorer's; a network that is not asked costs nothing."""
    witness, below = Witness(), SUSPICION - 1e-6
    assert words(asked([0.0, 0.005, below], witness), numbered(3)) == [0.0, 0.005, below]
    assert (witness.resets, witness.heard) == (0, [])


def test_on_suspicion_it_hears_the_last_two_seconds_and_goes_on() -> None:
    """In the order in which they were said, from a fresh start; then hop by hop."""
    witness = Witness()
    scores = [0.0] * 29 + [SUSPICION, 0.5, 0.0]
    got = words(asked(scores, witness), numbered(32))
    assert [int(each[0]) for each in witness.heard] == list(range(5, 32))
    assert all(each.size == HOP_SAMPLES for each in witness.heard)
    assert witness.resets == 1
    assert got[28:] == [0.0, combined(SUSPICION, 0.9), combined(0.5, 0.9), 0.0]


def test_a_suspicion_that_returns_soon_replays_nothing() -> None:
    """Only when nothing was suspected for as long as the opinion counts."""
    witness = Witness()
    pause = [0.0] * (AGREEMENT_HOPS - 1)
    words(asked([0.5, *pause, 0.5, *pause, 0.0, 0.5], witness), numbered(2 * AGREEMENT_HOPS + 2))
    assert witness.resets == 2
    assert witness.heard[-1][0] == 2 * AGREEMENT_HOPS + 1


def test_what_it_heard_a_moment_before_still_counts() -> None:
    """The other network is the earlier one; half a second later it has forgotten."""
    witness = Witness(0.95)
    opinion = asked([0.2] * 20, witness)
    (first,) = words(opinion, HOP)
    witness.says = 0.01
    later = words(opinion, np.tile(HOP, 19))
    assert later[: AGREEMENT_HOPS - 1] == [first] * (AGREEMENT_HOPS - 1)
    assert later[AGREEMENT_HOPS - 1] == combined(0.2, 0.01)


@pytest.mark.parametrize("size", [1, 320, 1280, 1999, 40_000])
def test_sound_may_come_in_pieces_of_any_size(size: int) -> None:
    """The ring holds each hop as it was, and none of what came after it."""
    witness = Witness()
    words(asked([0.0] * 27 + [0.9], witness), numbered(28), size)
    assert np.array_equal(np.concatenate(witness.heard), numbered(28)[3 * HOP_SAMPLES :])


def test_after_a_gap_nothing_of_before_is_heard() -> None:
    """Not even half a hop."""
    witness, script = Witness(), Script([0.9, 0.9])
    opinion = SecondOpinion(script, {"word": witness})
    words(opinion, np.concatenate([numbered(1), HOP[:640]]))
    opinion.reset()
    assert script.resets == 1
    words(opinion, HOP)
    assert witness.resets == 2
    assert [each.tolist() for each in witness.heard] == [HOP.tolist()]


def test_a_hop_may_begin_with_silence() -> None:
    """What is missing of it is not heard, and the next hop is whole."""
    witness = Witness()
    opinion = asked([0.9, 0.9], witness)
    opinion.reset(640)
    assert len(words(opinion, np.concatenate([HOP[640:], HOP]))) == 2
    assert [each.tolist() for each in witness.heard] == [HOP[640:].tolist(), HOP.tolist()]


def test_a_word_without_another_network_keeps_its_score() -> None:
    """And where no word has one, the scorer is all there is."""
    opinion = asked([0.9], Witness(0.01))
    (scores,) = opinion.feed(HOP)
    assert scores["other"] == 0.7
    assert opinion.asks == ["word"]
    assert opinion.embeddings(6) is not None
    alone = SecondOpinion(Script([0.9]), {})
    assert list(alone.feed(HOP)) == [{"word": 0.9, "other": 0.7}]
    assert alone.asks == []


def test_scores_of_words_without_another_network_are_the_scorers_to_the_bit() -> None:
    """Whatever is asked beside them."""
    sound = noise(2.5)
    opinion = SecondOpinion(WakeScorer(["weather"]), {})
    assert list(opinion.feed(sound)) == list(WakeScorer(["weather"]).feed(sound))


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_mean_lies_between_both_and_asks_nobody_first(first: float, second: float) -> None:
    """And no certainty is so great that the other counts for nothing."""
    low, high = sorted((first, second))
    assert max(low, 0.002) - 1e-9 <= combined(first, second) <= min(high, 0.998) + 1e-9 or (
        high < 0.002 or low > 0.998
    )
    assert combined(first, second) == pytest.approx(combined(second, first))


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [(0.5, 0.5, 0.5), (0.1, 0.998, 0.882), (0.9, 0.9, 0.9), (1.0, 0.0, 0.5), (0.3, 0.0, 0.028)],
)
def test_what_both_say_together(first: float, second: float, both: float) -> None:
    """One that is sure outweighs one that hesitates, and not one that is sure of the contrary."""
    assert combined(first, second) == pytest.approx(both, abs=0.001)
