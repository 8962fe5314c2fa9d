"""The conversation's one timer: by the clock, or by audio in which nobody speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from device.assistant.countdown import FAULT_SHOWN_S, FIRST_WORDS_S, Countdown, duration_s
from device.assistant.sessions import Sessions
from device.assistant.settings import Settings
from device.config import Config, Conversation
from device.conversation.states import Timer
from device.frames import FRAME_MS
from device.news import Debt, News, TimedOut
from tests.rig.fakes import until


def lasting(seconds: float, *, max_listen_s: float = 30.0) -> Conversation:
    """Settings by which every timer that has a key lasts this long."""
    return Conversation.model_construct(
        follow_up_s=seconds,
        session_keep_s=seconds,
        max_listen_s=max_listen_s,
        reply_timeout_s=seconds,
        max_session_s=60,
    )


@dataclass
class FakeSessions:
    """Owes what it is told to owe."""

    debt: Debt = Debt.NONE


class Hub:
    """A countdown, its settings, and which of its timers have run out."""

    def __init__(self) -> None:
        self.settings = Settings(Config())
        self.sessions = FakeSessions()
        self.expired: list[int] = []
        self.owed: list[Debt] = []
        self.countdown = Countdown(self.settings, cast("Sessions", self.sessions), self._post)

    def _post(self, news: News) -> None:
        assert isinstance(news, TimedOut)
        self.expired.append(news.clock)
        self.owed.append(news.debt)
        self.run_out(news.clock)

    def run_out(self, clock: int) -> None:
        """Do what the conversation wants next."""

    def start(self, timer: Timer, clock: int, settings: Conversation) -> None:
        """Start a timer while these settings are in force."""
        self.settings.replace(Config().model_copy(update={"conversation": settings}))
        self.countdown.start(timer, clock)


@pytest.fixture
def hub() -> Hub:
    return Hub()


def silence(hub: Hub, seconds: float) -> None:
    for _ in range(round(seconds * 1000 / FRAME_MS)):
        hub.countdown.heard(speaking=False)


async def test_most_timers_run_by_the_clock(hub: Hub) -> None:
    """Frames do not count for them."""
    hub.start(Timer.REPLY, 3, lasting(0.02))
    silence(hub, 1)
    assert hub.expired == []
    await until(lambda: hub.expired)
    assert hub.expired == [3]


async def test_the_follow_up_window_counts_audio_without_speech(hub: Hub) -> None:
    """Who has begun to speak is never cut short, and a stalled microphone stops the time."""
    hub.start(Timer.FOLLOW_UP, 7, lasting(2.0))
    silence(hub, 1.9)
    for _ in range(500):
        hub.countdown.heard(speaking=True)
    assert hub.expired == []
    silence(hub, 0.1)
    assert hub.expired == [7]
    silence(hub, 5)
    assert hub.expired == [7]


async def test_no_follow_up_ends_with_the_next_frame(hub: Hub) -> None:
    """`follow_up_s: 0`: not at all, but not before anything was heard either."""
    hub.start(Timer.FOLLOW_UP, 1, lasting(0.0))
    assert hub.expired == []
    hub.countdown.heard(speaking=False)
    assert hub.expired == [1]


async def test_a_window_in_which_somebody_never_stops_speaking_ends_by_the_clock(hub: Hub) -> None:
    """A television speaks for hours."""
    hub.start(Timer.FOLLOW_UP, 4, lasting(0.01, max_listen_s=0.01))
    hub.countdown.heard(speaking=True)
    await until(lambda: hub.expired)
    silence(hub, 1)
    assert hub.expired == [4]


async def test_after_a_wake_word_there_is_time_for_a_breath(hub: Hub) -> None:
    """Also where the owner wants no follow-up at all."""
    hub.start(Timer.FIRST_WORDS, 5, lasting(0.0))
    silence(hub, FIRST_WORDS_S - 0.1)
    assert hub.expired == []
    silence(hub, 0.1)
    assert hub.expired == [5]


async def test_starting_a_timer_replaces_the_running_one(hub: Hub) -> None:
    """Of either kind."""
    hub.start(Timer.REPLY, 1, lasting(0.01))
    hub.start(Timer.FOLLOW_UP, 2, lasting(1.0))
    hub.start(Timer.KEEP, 3, lasting(0.03))
    silence(hub, 2)
    await until(lambda: hub.expired)
    assert hub.expired == [3]


async def test_cancelling_forgets_it(hub: Hub) -> None:
    """Of either kind; harmless when nothing runs."""
    hub.countdown.cancel()
    hub.start(Timer.FOLLOW_UP, 1, lasting(0.02))
    hub.countdown.cancel()
    silence(hub, 1)
    hub.start(Timer.REPLY, 2, lasting(0.0))
    hub.countdown.cancel()
    hub.start(Timer.REPLY, 3, lasting(0.01))
    await until(lambda: hub.expired)
    assert hub.expired == [3]


class Chained(Hub):
    """One window after the other, three in all."""

    def run_out(self, clock: int) -> None:
        if clock < 3:
            self.start(Timer.FOLLOW_UP, clock + 1, lasting(0.1))


async def test_what_expires_may_start_the_next() -> None:
    """The hub does so: the end of one window begins the next."""
    chained = Chained()
    chained.start(Timer.FOLLOW_UP, 1, lasting(0.1))
    silence(chained, 0.3)
    assert chained.expired == [1, 2, 3]
    chained.countdown.cancel()


async def test_what_is_owed_when_it_runs_out_is_told_with_it(hub: Hub) -> None:
    """Not what was owed when it was started: the server may have understood meanwhile."""
    hub.start(Timer.FOLLOW_UP, 1, lasting(0.1))
    hub.sessions.debt = Debt.UNDERSTOOD
    silence(hub, 0.1)
    assert (hub.expired, hub.owed) == ([1], [Debt.UNDERSTOOD])


@pytest.mark.parametrize("timer", [Timer.FOLLOW_UP, Timer.KEEP])
async def test_a_timer_that_is_no_longer_in_force_is_forgotten(hub: Hub, timer: Timer) -> None:
    """The conversation has gone on without starting another."""
    hub.start(timer, 4, lasting(0.02))
    hub.countdown.follow(4)
    hub.start(timer, 5, lasting(0.02))
    hub.countdown.follow(6)
    silence(hub, 1)
    hub.start(Timer.REPLY, 7, lasting(0.03))
    hub.countdown.follow(7)
    await until(lambda: hub.expired)
    assert hub.expired == [7]


def test_every_timer_has_its_duration() -> None:
    """From the configuration, where it has a key."""
    settings = Conversation(
        follow_up_s=1, session_keep_s=2, max_listen_s=3, reply_timeout_s=4, max_session_s=60
    )
    assert {timer: duration_s(timer, settings) for timer in Timer} == {
        Timer.FIRST_WORDS: FIRST_WORDS_S,
        Timer.FOLLOW_UP: 1,
        Timer.KEEP: 2,
        Timer.MAX_LISTEN: 3,
        Timer.REPLY: 4,
        Timer.STALL: 4,
        Timer.FAULT_SHOWN: FAULT_SHOWN_S,
    }


async def test_what_is_left_of_the_window_is_known(hub: Hub) -> None:
    """For the lights; outside of a window that counts audio there is nothing to count down."""
    assert hub.countdown.left == 1.0
    hub.start(Timer.FOLLOW_UP, 1, lasting(2.0))
    silence(hub, 0.5)
    assert hub.countdown.left == pytest.approx(0.75)
    silence(hub, 1.5)
    assert hub.countdown.left == 1.0
    hub.start(Timer.REPLY, 2, lasting(5.0))
    assert hub.countdown.left == 1.0
    hub.countdown.cancel()
