"""Whether and how a session goes on after a failure."""

from __future__ import annotations

import pytest

from device.live.failures import Diagnosis, Remedy
from device.live.recovery import Recovery
from device.ports import Failure, FailureKind


def of(remedy: Remedy) -> Diagnosis:
    return Diagnosis(Failure(FailureKind.SERVER, "x", retryable=True), remedy)


def open_with_handle() -> Recovery:
    recovery = Recovery(["a", "b"])
    recovery.opened(0.0)
    recovery.handle = "H"
    return recovery


def test_hopeless_failure_is_never_tried_again() -> None:
    """A wrong key stays wrong."""
    assert open_with_handle().after(of(Remedy.STOP), 1.0) is None


def test_models_are_tried_in_order_until_none_is_left() -> None:
    """A model that is gone gives way to the next, which knows nothing of the old handle."""
    recovery = Recovery(["a", "b"], "H")
    assert recovery.after(of(Remedy.NEXT_MODEL), 0.0) == 0.0
    assert recovery.model == "b"
    assert recovery.handle is None
    assert recovery.after(of(Remedy.NEXT_MODEL), 0.0) is None
    assert recovery.model == "b"


def test_refused_handle_is_dropped_and_tried_without_once() -> None:
    """A handle of an earlier talk that the server forgot costs one more connect."""
    recovery = Recovery(["a"], "H")
    assert recovery.after(of(Remedy.FRESH), 0.0) == 0.0
    assert recovery.handle is None
    assert recovery.after(of(Remedy.FRESH), 0.0) is None


@pytest.mark.parametrize("remedy", [Remedy.RESUME, Remedy.WAIT])
def test_first_connect_is_told_at_once(remedy: Remedy) -> None:
    """Before the talk began nothing is lost by telling; the hub may try later."""
    assert Recovery(["a"], "H").after(of(remedy), 0.0) is None


def test_dropped_talk_without_a_handle_is_over() -> None:
    """There is nothing to resume."""
    recovery = Recovery(["a"])
    recovery.opened(0.0)
    assert recovery.after(of(Remedy.RESUME), 1.0) is None


def test_dropped_talk_is_resumed_a_few_times_and_more_and_more_slowly() -> None:
    """Tries in a row are bounded, so that no storm begins."""
    recovery = open_with_handle()
    waits = [recovery.after(of(Remedy.RESUME), 1.0) for _ in range(4)]
    assert waits == [0.0, 1.0, 3.0, None]


def test_short_lived_connections_do_not_reset_the_tries() -> None:
    """Live API: a handle that works for a second and then fails would else be tried for ever."""
    recovery = open_with_handle()
    waits = []
    for now in range(4):
        recovery.opened(float(now))
        waits.append(recovery.after(of(Remedy.RESUME), now + 0.5))
    assert waits == [0.0, 1.0, 3.0, None]


def test_stable_connection_resets_the_tries() -> None:
    """After ten good seconds the next drop is a new one."""
    recovery = open_with_handle()
    assert recovery.after(of(Remedy.RESUME), 1.0) == 0.0
    recovery.opened(100.0)
    assert recovery.after(of(Remedy.RESUME), 110.0) == 0.0


def test_fresh_tries_in_mid_talk_are_bounded_too() -> None:
    """A server that refuses every session after it has begun is given up."""
    recovery = open_with_handle()
    waits = []
    for _ in range(4):
        recovery.handle = "H"
        waits.append(recovery.after(of(Remedy.FRESH), 1.0))
    assert waits == [0.0, 1.0, 3.0, None]
