"""The conversation's one timer: by the clock, or by audio in which nobody speaks."""

from __future__ import annotations

import pytest

from device.assistant.countdown import FAULT_SHOWN_S, FIRST_WORDS_S, Countdown, duration_s
from device.config import Conversation
from device.conversation.states import Timer
from device.frames import FRAME_MS
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


@pytest.fixture
def expired() -> list[int]:
    return []


@pytest.fixture
async def countdown(expired: list[int]) -> Countdown:
    return Countdown(expired.append)


def silence(countdown: Countdown, seconds: float) -> None:
    for _ in range(round(seconds * 1000 / FRAME_MS)):
        countdown.heard(speaking=False)


async def test_most_timers_run_by_the_clock(countdown: Countdown, expired: list[int]) -> None:
    """Frames do not count for them."""
    countdown.start(Timer.REPLY, 3, lasting(0.02))
    silence(countdown, 1)
    assert expired == []
    await until(lambda: expired)
    assert expired == [3]


async def test_the_follow_up_window_counts_audio_without_speech(
    countdown: Countdown, expired: list[int]
) -> None:
    """Who has begun to speak is never cut short, and a stalled microphone stops the time."""
    countdown.start(Timer.FOLLOW_UP, 7, lasting(2.0))
    silence(countdown, 1.9)
    for _ in range(500):
        countdown.heard(speaking=True)
    assert expired == []
    silence(countdown, 0.1)
    assert expired == [7]
    silence(countdown, 5)
    assert expired == [7]


async def test_no_follow_up_ends_with_the_next_frame(
    countdown: Countdown, expired: list[int]
) -> None:
    """`follow_up_s: 0`: not at all, but not before anything was heard either."""
    countdown.start(Timer.FOLLOW_UP, 1, lasting(0.0))
    assert expired == []
    countdown.heard(speaking=False)
    assert expired == [1]


async def test_a_window_in_which_somebody_never_stops_speaking_ends_by_the_clock(
    countdown: Countdown, expired: list[int]
) -> None:
    """A television speaks for hours."""
    countdown.start(Timer.FOLLOW_UP, 4, lasting(0.01, max_listen_s=0.01))
    countdown.heard(speaking=True)
    await until(lambda: expired)
    silence(countdown, 1)
    assert expired == [4]


async def test_after_a_wake_word_there_is_time_for_a_breath(
    countdown: Countdown, expired: list[int]
) -> None:
    """Also where the owner wants no follow-up at all."""
    countdown.start(Timer.FIRST_WORDS, 5, lasting(0.0))
    silence(countdown, FIRST_WORDS_S - 0.1)
    assert expired == []
    silence(countdown, 0.1)
    assert expired == [5]


async def test_starting_a_timer_replaces_the_running_one(
    countdown: Countdown, expired: list[int]
) -> None:
    """Of either kind."""
    countdown.start(Timer.REPLY, 1, lasting(0.01))
    countdown.start(Timer.FOLLOW_UP, 2, lasting(1.0))
    countdown.start(Timer.KEEP, 3, lasting(0.03))
    silence(countdown, 2)
    await until(lambda: expired)
    assert expired == [3]


async def test_cancelling_forgets_it(countdown: Countdown, expired: list[int]) -> None:
    """Of either kind; harmless when nothing runs."""
    countdown.cancel()
    countdown.start(Timer.FOLLOW_UP, 1, lasting(0.02))
    countdown.cancel()
    silence(countdown, 1)
    countdown.start(Timer.REPLY, 2, lasting(0.0))
    countdown.cancel()
    countdown.start(Timer.REPLY, 3, lasting(0.01))
    await until(lambda: expired)
    assert expired == [3]


async def test_what_expires_may_start_the_next(expired: list[int]) -> None:
    """The hub does so: the end of one window begins the next."""

    def restart(clock: int) -> None:
        expired.append(clock)
        if clock < 3:
            chained.start(Timer.FOLLOW_UP, clock + 1, lasting(0.1))

    chained = Countdown(restart)
    chained.start(Timer.FOLLOW_UP, 1, lasting(0.1))
    silence(chained, 0.3)
    assert expired == [1, 2, 3]


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


async def test_what_is_left_of_the_window_is_known(countdown: Countdown) -> None:
    """For the lights; outside of a window that counts audio there is nothing to count down."""
    assert countdown.left == 1.0
    countdown.start(Timer.FOLLOW_UP, 1, lasting(2.0))
    silence(countdown, 0.5)
    assert countdown.left == pytest.approx(0.75)
    silence(countdown, 1.5)
    assert countdown.left == 1.0
    countdown.start(Timer.REPLY, 2, lasting(5.0))
    assert countdown.left == 1.0
    countdown.cancel()
