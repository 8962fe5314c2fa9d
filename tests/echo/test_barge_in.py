"""A reply pauses for everybody who is heard over it, and ends for who speaks on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.echo.barge_in import (
    HUM_COUNTS,
    MEMORY,
    PATIENCE_MS,
    SUSTAINED_MS,
    VOICED,
    BargeIn,
    Began,
    Confirmed,
    Dismissed,
    Verdict,
)
from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ

HOP_SAMPLES = 1280
"""Speech is told of in stretches of 80 ms."""


class Reply:
    """A reply somebody may talk over; speech is told of one hop late."""

    def __init__(self) -> None:
        self.barge_in = BargeIn()
        self.armed = True
        self.sample = 0
        self.verdicts: list[Verdict] = []
        self.decided_at: list[int] = []
        """The sample at which each verdict fell."""
        self._hop: list[float] = []
        self._waiting: list[tuple[float, int]] = []

    def hear(
        self, ms: int, *, near: bool = False, probability: float = 0.0, hums: bool = False
    ) -> list[Verdict]:
        """So much passes; gives what was decided meanwhile."""
        known = len(self.verdicts)
        for _ in range(ms // 20):
            self.sample += FRAME_SAMPLES
            heard = self.barge_in.hear(self.sample, near=near, armed=self.armed, bright=not hums)
            self._take(heard)
            self._judge(probability)
        return self.verdicts[known:]

    def _judge(self, probability: float) -> None:
        self._hop.append(probability)
        if self.sample % HOP_SAMPLES:
            return
        for late, end in self._waiting:
            self._take(self.barge_in.speech(late, end - HOP_SAMPLES, end))
        self._waiting = [(max(self._hop), self.sample)]
        self._hop = []

    def _take(self, verdict: Verdict | None) -> None:
        if verdict is not None:
            if isinstance(verdict, Confirmed):
                # The reply is over.
                self.armed = False
            self.verdicts.append(verdict)
            self.decided_at.append(self.sample)


@pytest.fixture
def reply() -> Reply:
    return Reply()


def test_while_nobody_is_heard_nothing_is_decided(reply: Reply) -> None:
    """What is left of our own voice is speech, and nobody."""
    assert reply.hear(10_000, probability=0.99) == []
    assert not reply.barge_in.tentative


def test_as_soon_as_somebody_is_heard_it_is_told(reply: Reply) -> None:
    """At their first frame, before anybody knows whether it is speech."""
    reply.hear(1000)
    assert reply.hear(20, near=True) == [Began()]
    assert reply.barge_in.tentative


def test_who_speaks_on_interrupts(reply: Reply) -> None:
    """After 200 ms of words, told from where they were first heard."""
    reply.hear(960)
    assert reply.hear(1000, near=True, probability=0.9) == [Began(), Confirmed(980 * 16)]
    assert not reply.barge_in.tentative
    took_ms = (reply.decided_at[1] - reply.decided_at[0]) / 16
    assert SUSTAINED_MS <= took_ms <= SUSTAINED_MS + 180


@pytest.mark.parametrize("hum_ms", [160, 320, 480])
def test_a_hum_is_dismissed_and_was_somebody(reply: Reply, hum_ms: int) -> None:
    """Who says "mm-hm" listens: the reply goes on."""
    reply.hear(960)
    assert reply.hear(hum_ms, near=True, probability=0.9, hums=True) == [Began()]
    assert reply.hear(1000) == [Dismissed(spoke=True)]


def test_who_hums_on_interrupts(reply: Reply) -> None:
    """It may be a voice through a wall: it takes longer, that is all."""
    reply.hear(960)
    decided = reply.hear(1600, near=True, probability=0.9, hums=True)
    assert decided == [Began(), Confirmed(980 * 16)]
    took_ms = (reply.decided_at[1] - reply.decided_at[0]) / 16
    assert SUSTAINED_MS / HUM_COUNTS <= took_ms <= SUSTAINED_MS / HUM_COUNTS + 180


def test_a_cough_is_dismissed_and_was_nobody(reply: Reply) -> None:
    """Half a second after it was heard first."""
    reply.hear(960)
    assert reply.hear(200, near=True, probability=0.3) == [Began()]
    assert reply.hear(1000) == [Dismissed(spoke=False)]
    assert reply.decided_at[1] - reply.decided_at[0] == PATIENCE_MS * 16
    assert not reply.barge_in.tentative


def test_a_word_is_dismissed_and_was_somebody(reply: Reply) -> None:
    """Half a second after its end; the reply goes on."""
    reply.hear(960)
    assert reply.hear(160, near=True, probability=0.9) == [Began()]
    assert reply.hear(400) == []
    assert reply.hear(400) == [Dismissed(spoke=True)]


def test_speech_with_pauses_adds_up(reply: Reply) -> None:
    """Between two words is less than half a second."""
    reply.hear(960)
    reply.hear(160, near=True, probability=0.9)
    assert reply.hear(320) == []
    assert [type(each) for each in reply.hear(480, near=True, probability=0.9)] == [Confirmed]


def test_the_next_who_is_heard_begins_anew(reply: Reply) -> None:
    """Words that were dismissed are not counted again."""
    reply.hear(960)
    reply.hear(160, near=True, probability=0.9)
    assert reply.hear(1120) == [Dismissed(spoke=True)]
    assert reply.hear(160, near=True, probability=0.9) == [Began()]
    assert reply.hear(1120) == [Dismissed(spoke=True)]


def test_our_own_voice_is_not_counted_for_somebody_else(reply: Reply) -> None:
    """A noise paused the reply; what speaks in the room meanwhile is our own echo dying away."""
    reply.hear(960)
    assert reply.hear(80, near=True, probability=0.2) == [Began()]
    assert reply.hear(2000, probability=0.99) == [Dismissed(spoke=False)]


def test_unarmed_nobody_interrupts(reply: Reply) -> None:
    """There is no reply, or we cannot tell a person from it yet."""
    reply.armed = False
    assert reply.hear(2000, near=True, probability=0.99) == []
    reply.armed = True
    assert reply.hear(20, near=True) == [Began()]


def test_disarmed_meanwhile_it_is_decided_all_the_same(reply: Reply) -> None:
    """A reply that paused must go on or end."""
    reply.hear(20, near=True)
    reply.armed = False
    assert reply.hear(1000) == [Dismissed(spoke=False)]


def test_what_is_forgotten_is_never_decided(reply: Reply) -> None:
    """The reply is over: the button was pressed, or the connection is gone."""
    reply.hear(160, near=True, probability=0.9)
    reply.barge_in.forget()
    assert reply.hear(400, probability=0.9) == []
    assert not reply.barge_in.tentative


def test_a_probability_below_a_half_is_no_speech() -> None:
    """The network's own measure."""
    barge_in = BargeIn()
    barge_in.hear(320, near=True, armed=True)
    assert barge_in.speech(VOICED - 0.01, 0, 16_000) is None
    assert barge_in.speech(VOICED, 0, 16_000) == Confirmed(320)


def test_speech_of_unknown_frames_is_not_counted() -> None:
    """News that is later than two seconds, or ahead of the frames, says nothing."""
    barge_in = BargeIn()
    barge_in.hear(320, near=True, armed=True)
    assert barge_in.speech(0.9, 320, 16_000) is None
    for number in range(2, MEMORY + 2):
        barge_in.hear(number * 320, near=False, armed=True)
    assert barge_in.hear((MEMORY + 2) * 320, near=True, armed=True) is not None
    assert barge_in.speech(0.9, 0, 16_000) is None


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sampled_from([0.0, 0.4, 0.6, 1.0])),
        max_size=300,
    )
)
def test_every_pause_is_ended(told: list[tuple[bool, bool, float]]) -> None:
    """Began and what ends it take turns, and without speech it is at most half a second."""
    reply = Reply()
    for near, armed, probability in told:
        reply.armed = armed
        reply.hear(20, near=near, probability=probability)
    reply.armed = False
    reply.hear(2 * PATIENCE_MS + 200)
    assert len(reply.verdicts) % 2 == 0
    assert all(isinstance(each, Began) for each in reply.verdicts[::2])
    assert not any(isinstance(each, Began) for each in reply.verdicts[1::2])
    for first, last in zip(reply.decided_at[::2], reply.decided_at[1::2], strict=True):
        assert last > first


def test_it_counts_samples_and_not_frames() -> None:
    """A microphone that was away for a while ends the pause at once."""
    barge_in = BargeIn()
    assert barge_in.hear(320, near=True, armed=True) == Began()
    assert barge_in.hear(320 + MICROPHONE_RATE_HZ, near=True, armed=True) == Dismissed(spoke=False)


def test_after_a_noise_nothing_pauses_the_reply_for_a_second(reply: Reply) -> None:
    """Clattering dishes must not make it stutter; who goes on speaking is heard after that."""
    reply.hear(960)
    reply.hear(20, near=True)
    assert reply.hear(600) == [Dismissed(spoke=False)]
    assert reply.hear(800, near=True) == []
    assert reply.hear(300, near=True) == [Began()]


def test_of_words_less_is_needed_than_of_a_hum() -> None:
    """A "stop" has little more than 200 ms of voice."""
    for bright, needed in ((True, 7), (False, 21)):
        barge_in = BargeIn()
        verdicts = []
        for number in range(30):
            begin, end = 512 * number, 512 * (number + 1)
            verdicts.append(barge_in.hear(end, near=True, armed=True, bright=bright))
            verdicts.append(barge_in.speech(0.9, begin, end))
        confirmed = [i for i, each in enumerate(verdicts) if isinstance(each, Confirmed)]
        assert confirmed[0] // 2 + 1 == needed


def test_whether_something_was_undecided_is_told_when_it_is_forgotten() -> None:
    """So that a reply which was paused for it can go on."""
    barge_in = BargeIn()
    assert barge_in.forget() is False
    barge_in.hear(320, near=True, armed=True)
    assert barge_in.forget() is True
    assert barge_in.forget() is False
