"""The far end alone: what it says and for how long, and what listening to it costs."""

from __future__ import annotations

import numpy as np
import pytest

from device.frames import FRAME_SAMPLES, Frame
from device.wake.own_voice import OwnVoice
from device.wake.scores import WakeScorer
from tests.rig.speech import espeak, noise, silence
from tests.wake.conftest import Clip

JARVIS = {"hey_jarvis": 0.5}


@pytest.fixture
def own() -> OwnVoice:
    return OwnVoice(WakeScorer(["hey_jarvis"]))


def tell(own: OwnVoice, played: Clip, place: int = 0) -> int:
    """Whole frames of it; returns the place after them. Zeros only are told as nothing."""
    frame = Frame(bytes(640), place, 0.0)
    for start in range(0, played.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        part = played[start : start + FRAME_SAMPLES]
        frame = Frame(bytes(640), place + start, 0.0)
        own.hear(part.tobytes() if part.any() else None, frame)
    return frame.end_sample


def test_while_nothing_of_ours_sounds_nothing_is_scored(own: OwnVoice) -> None:
    """A second inference is done while we play and 1.3 s longer, then never until we play again."""
    place = tell(own, silence(5.0))
    assert own.hops == 0
    place = tell(own, noise(0.8, 300.0), place)
    assert own.hops == 10
    place = tell(own, silence(1.28), place)
    assert own.hops == 26
    place = tell(own, silence(60.0), place)
    assert own.hops == 26
    tell(own, noise(0.08, 300.0), place)
    assert own.hops == 27


def test_what_it_said_is_remembered_for_as_long_as_its_echo_may_last(own: OwnVoice) -> None:
    """Said: from the end of the word on. Forgotten: 0.64 s after the last hop that had it."""
    place = tell(own, noise(0.8, 300.0))
    assert own.says(JARVIS, place) == set()
    place = tell(own, np.concatenate([espeak("hey jarvis")[:16_000], silence(0.02)]), place)
    place -= place % 1280
    assert own.says(JARVIS, place) == {"hey_jarvis"}
    assert own.says(JARVIS, place + 30_000) == set()
    place = tell(own, silence(10.0), place)
    assert own.says(JARVIS, place) == set()


def test_a_fraction_of_the_threshold_is_enough_to_be_said() -> None:
    """What a microphone hears of it may be likelier the word than what is played."""
    own = OwnVoice(WakeScorer(["hey_jarvis"]))
    place = tell(own, espeak("hey travis", "en-gb", 160))
    assert own.says({"hey_jarvis": 1.0}, place) == {"hey_jarvis"}


def test_it_is_talked_over_until_no_word_can_have_begun_over_it(own: OwnVoice) -> None:
    """1.2 s after the last of somebody else was heard over it."""
    assert not own.is_talked_over(0)
    place = tell(own, noise(0.4, 300.0))
    assert not own.is_talked_over(place)
    own.talked_over(Frame(bytes(640), place - 320, 0.0))
    assert own.is_talked_over(place)
    assert own.is_talked_over(place + 19_200)
    assert not own.is_talked_over(place + 19_201)
    own.forget()
    assert not own.is_talked_over(place)


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_its_hops_end_with_the_microphones(frames: int) -> None:
    """Wherever in a hop our sound begins, both streams' scores are there at the same frame."""
    microphone = WakeScorer(["hey_jarvis"])
    own = OwnVoice(microphone)
    place = 0
    for number in range(frames + 12):
        frame = Frame(bytes(640), place, 0.0)
        before = own.hops
        own.hear(noise(0.02).tobytes() if number >= frames else None, frame)
        completed = list(microphone.feed(np.frombuffer(frame.pcm, np.int16)))
        assert own.hops - before == (len(completed) if number >= frames else 0)
        place = frame.end_sample
    assert own.hops == (frames + 12) // 4 - frames // 4


class Other:
    """A network that notes what it hears, in how many samples, and says what it is told to."""

    def __init__(self, says: float) -> None:
        self.says = says
        self.heard: list[Clip] = []

    def reset(self) -> None:
        self.heard.clear()

    def hear(self, samples: Clip) -> float:
        self.heard.append(samples)
        return self.says


@pytest.mark.parametrize(("says", "ours"), [(0.1, {"hey_jarvis"}), (0.0999, set())])
def test_the_other_network_vetoes_too(says: float, ours: set[str]) -> None:
    """What openWakeWord does not hear in our own sound; asked only about what is heard."""
    other = Other(says)
    own = OwnVoice(WakeScorer(["hey_jarvis"]), {"hey_jarvis": other})
    place = tell(own, noise(3.0, 300.0))
    assert own.says(JARVIS, place) == set()
    assert other.heard == []
    assert own.says(JARVIS, place, ["hey_jarvis"]) == ours
    assert own.says(JARVIS, place, ["alexa"]) == set()


def test_the_other_network_hears_the_last_two_seconds_of_our_sound() -> None:
    """What may be in the microphone now, after what was before it; no more once it is silent."""
    other, played = Other(0.9), noise(4.0, 300.0)
    own = OwnVoice(WakeScorer(["hey_jarvis"]), {"hey_jarvis": other})
    place = tell(own, played)
    own.says(JARVIS, place, ["hey_jarvis"])
    before, lately = other.heard
    assert lately.size == 11_520
    assert np.array_equal(np.concatenate([before, lately]), played[-32_000:])
    place = tell(own, silence(1.4), place)
    assert own.says(JARVIS, place, ["hey_jarvis"]) == set()
    place = tell(own, played[:1600], place)
    own.says(JARVIS, place, ["hey_jarvis"])
    assert np.array_equal(np.concatenate(other.heard), played[:1600])
