"""Whether and how a session goes on after a failure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.live.failures import Diagnosis, Remedy
from device.live.reconnect import (
    FIRST_PATIENCE_S,
    JITTER,
    SAME_HANDLE_TRIES,
    STABLE_S,
    TALK_PATIENCE_S,
    WAITS_S,
    Recovery,
)
from device.news import Failure, FailureKind


def of(remedy: Remedy, kind: FailureKind = FailureKind.SERVER) -> Diagnosis:
    return Diagnosis(Failure(kind, "x", retryable=True), remedy)


def middling() -> float:
    return 0.5


def made(*models: str, handle: str | None = None, resumes: bool = True) -> Recovery:
    return Recovery(models or ("a",), handle, chance=middling, resumes=resumes)


def in_talk(*, chance: Callable[[], float] = middling, resumes: bool = True) -> Recovery:
    recovery = Recovery(["a", "b"], chance=chance, resumes=resumes)
    recovery.dialling(0.0)
    recovery.opened(0.0)
    recovery.handle = "H"
    return recovery


def tries(recovery: Recovery, diagnosis: Diagnosis, now: float, took_s: float = 0.0) -> list[float]:
    """Fail again and again, each try taking so long; return the waits until it gives up."""
    waits: list[float] = []
    while (wait_s := recovery.after(diagnosis, now)) is not None:
        waits.append(wait_s)
        recovery.dialling(now + wait_s)
        now += wait_s + took_s
        assert len(waits) < 100, "a storm"
    return waits


@pytest.mark.parametrize("remedy", [Remedy.STOP, Remedy.LATER])
@pytest.mark.parametrize("begun", [False, True])
def test_hopeless_failure_is_tried_once(remedy: Remedy, begun: bool) -> None:
    """A wrong key stays wrong, and a used-up quota does not come back in a minute."""
    recovery = in_talk() if begun else made(handle="H")
    assert recovery.after(of(remedy), 1.0) is None


def test_models_are_tried_in_order_until_none_is_left() -> None:
    """A model that is gone gives way to the next, which knows nothing of the old handle."""
    recovery = made("a", "b", handle="H")
    assert recovery.after(of(Remedy.NEXT_MODEL), 0.0) == 0.0
    assert recovery.model == "b"
    assert recovery.handle is None
    assert recovery.after(of(Remedy.NEXT_MODEL), 0.0) is None
    assert recovery.model == "b"


def test_refused_handle_is_dropped_and_tried_without_once() -> None:
    """A handle of an earlier talk that the server forgot costs one more connect."""
    recovery = made(handle="H")
    assert recovery.after(of(Remedy.FRESH), 0.0) == 0.0
    assert recovery.handle is None
    assert recovery.after(of(Remedy.FRESH), 0.0) is None


def test_first_connect_is_tried_for_a_few_seconds() -> None:
    """A network that is just coming back costs seconds, one that does not is told soon."""
    recovery = made()
    recovery.dialling(0.0)
    waits = tries(recovery, of(Remedy.WAIT, FailureKind.NETWORK), 0.0)
    assert waits == [0.0, 1.0, 2.0]
    assert sum(waits) <= FIRST_PATIENCE_S


def test_first_connect_that_takes_long_is_not_tried_again() -> None:
    """The patience of somebody who has just spoken counts from the first dial."""
    recovery = made()
    recovery.dialling(0.0)
    recovery.dialling(5.0)
    assert recovery.after(of(Remedy.WAIT, FailureKind.TIMEOUT), FIRST_PATIENCE_S + 0.1) is None


def test_talk_is_tried_for_longer_and_more_and_more_slowly() -> None:
    """Waits grow to their cap and end with the patience."""
    waits = tries(in_talk(), of(Remedy.RESUME, FailureKind.NETWORK), 5.0)
    assert waits[: len(WAITS_S)] == list(WAITS_S)
    assert set(waits[len(WAITS_S) :]) <= {WAITS_S[-1]}
    assert TALK_PATIENCE_S - WAITS_S[-1] < sum(waits) <= TALK_PATIENCE_S


@given(chances=st.lists(st.floats(0, 1), min_size=100, max_size=100))
def test_jitter_stays_within_its_share(chances: list[float]) -> None:
    """Speakers that lost the same server do not come back in step, and none waits for ever."""
    numbers = iter(chances)
    lost = of(Remedy.RESUME, FailureKind.NETWORK)
    waits = tries(in_talk(chance=lambda: next(numbers)), lost, 5.0)
    for place, wait_s in enumerate(waits):
        base_s = WAITS_S[min(place, len(WAITS_S) - 1)]
        assert base_s * (1 - JITTER) <= wait_s <= base_s * (1 + JITTER)


def test_talk_lost_before_its_first_handle_begins_anew() -> None:
    """The server may cut the connection in the first sentence: it is said again over a new one."""
    recovery = made()
    recovery.dialling(0.0)
    recovery.opened(0.0)
    assert recovery.after(of(Remedy.RESUME), 1.0) == 0.0


@pytest.mark.parametrize("remedy", [Remedy.RESUME, Remedy.WAIT, Remedy.FRESH])
def test_talk_that_must_not_be_resumed_ends_with_its_connection(remedy: Remedy) -> None:
    """``resumption: false`` means what it says."""
    assert in_talk(resumes=False).after(of(remedy), 1.0) is None


def test_short_lived_connections_do_not_reset_the_tries() -> None:
    """Live API: a handle that works for a second and then fails would else be tried for ever."""
    recovery, waits, now = in_talk(), [], 0.0
    lost = of(Remedy.RESUME, FailureKind.NETWORK)
    while (wait_s := recovery.after(lost, now + 0.5)) is not None:
        waits.append(wait_s)
        now += 0.5 + wait_s
        recovery.dialling(now)
        recovery.opened(now)
        assert len(waits) < 50, "a storm"
    assert waits[:5] == list(WAITS_S)


def test_handle_that_resumes_and_dies_at_once_is_left() -> None:
    """A setup that is confirmed proves nothing."""
    recovery, now = in_talk(), 20.0
    for _ in range(SAME_HANDLE_TRIES):
        recovery.after(of(Remedy.RESUME, FailureKind.SERVER), now + 0.5)
        assert recovery.handle == "H"
        now += 1.0
        recovery.opened(now)
    assert recovery.after(of(Remedy.RESUME, FailureKind.SERVER), now + 0.5) == 0.0
    assert recovery.handle is None


def test_stable_connection_resets_the_tries_and_the_patience() -> None:
    """After ten good seconds the next drop is a new one."""
    recovery = in_talk()
    assert recovery.after(of(Remedy.RESUME), 1.0) == 0.0
    assert recovery.after(of(Remedy.RESUME), 1.0) == 1.0
    recovery.opened(1000.0)
    assert recovery.after(of(Remedy.RESUME), 1000.0 + STABLE_S) == 0.0
    assert recovery.after(of(Remedy.RESUME), 1000.0 + STABLE_S + TALK_PATIENCE_S - 2.0) == 1.0


def test_handle_that_the_server_fails_on_again_and_again_is_left() -> None:
    """Live API: after three failures in a row others begin a fresh session with a summary."""
    recovery = in_talk()
    recovery.after(of(Remedy.RESUME, FailureKind.SERVER), 20.0)
    for _ in range(SAME_HANDLE_TRIES - 1):
        recovery.after(of(Remedy.RESUME, FailureKind.SERVER), 20.0)
        assert recovery.handle == "H"
    assert recovery.after(of(Remedy.RESUME, FailureKind.SERVER), 1000.0) == 0.0
    assert recovery.handle is None
    assert recovery.after(of(Remedy.RESUME, FailureKind.SERVER), 1000.0) is None


def test_network_that_is_back_begins_a_row_of_its_own() -> None:
    """The server does not know yet that the old connection is dead: that must not take long."""
    recovery = in_talk()
    lost = [recovery.after(of(Remedy.RESUME, FailureKind.NETWORK), 5.0) for _ in range(4)]
    refused = [recovery.after(of(Remedy.RESUME, FailureKind.SERVER), 13.0) for _ in range(3)]
    assert (lost, refused) == ([0.0, 1.0, 2.0, 4.0], [0.0, 1.0, 0.0])
    assert recovery.handle is None


def test_busy_server_does_not_spoil_the_handle() -> None:
    """It said that it cannot serve now, not that it cannot resume."""
    recovery = in_talk()
    tries(recovery, of(Remedy.WAIT, FailureKind.SERVER), 1.0)
    assert recovery.handle == "H"


def test_network_that_is_gone_is_not_the_fault_of_the_handle() -> None:
    """However long Wi-Fi is away, the talk can be resumed afterwards."""
    recovery = in_talk()
    tries(recovery, of(Remedy.WAIT, FailureKind.OFFLINE), 1.0)
    assert recovery.handle == "H"


def test_fresh_tries_in_mid_talk_are_bounded_too() -> None:
    """A server that refuses every session after it has begun is given up."""
    recovery, waits, now = in_talk(), [], 1.0
    while (wait_s := recovery.after(of(Remedy.FRESH), now)) is not None:
        recovery.handle = "H"
        waits.append(wait_s)
        now += wait_s
        assert len(waits) < 50, "a storm"
    assert waits[:3] == [0.0, 1.0, 2.0]
