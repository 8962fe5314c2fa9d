"""How long a server that cannot be used is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.mcp.failures import Fault
from device.mcp.patience import (
    FIRST_S,
    JITTER,
    LONGEST_S,
    MEND_S,
    NETWORK_LONGEST_S,
    REFUSED_S,
    wait_s,
)

faults = st.sampled_from(Fault)


@given(faults, st.integers(1, 10_000), st.floats(0, 1))
def test_no_failure_is_answered_with_a_storm(fault: Fault, tries: int, chance: float) -> None:
    """Every wait lies between its bounds, after any number of tries."""
    wait = wait_s(fault, tries, chance)
    if fault is Fault.FORGOTTEN and tries == 1:
        assert wait == 0
    else:
        assert FIRST_S * (1 - JITTER) <= wait <= LONGEST_S * (1 + JITTER)


@given(faults, st.integers(1, 100))
def test_each_wait_is_at_least_as_long_as_the_one_before(fault: Fault, tries: int) -> None:
    """Whatever is wrong."""
    assert wait_s(fault, tries, 0.5) <= wait_s(fault, tries + 1, 0.5)


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.FORBIDDEN])
def test_a_token_that_was_refused_is_sent_again_after_minutes(fault: Fault) -> None:
    """From the first time on: its server may ban whoever tries."""
    assert wait_s(fault, 1, 0.5) == wait_s(fault, 9, 0.5) == REFUSED_S


def test_what_comes_back_by_itself_is_tried_soon_and_never_given_up() -> None:
    """A server that is restarted is back within seconds."""
    assert wait_s(Fault.REFUSED, 1, 0.5) == FIRST_S
    assert wait_s(Fault.REFUSED, 99, 0.5) == NETWORK_LONGEST_S


def test_what_somebody_has_to_mend_is_tried_seldom() -> None:
    """A wrong path does not mend itself in a second."""
    assert wait_s(Fault.NOT_FOUND, 1, 0.5) == MEND_S


def test_a_command_that_ends_again_and_again_is_started_ever_more_seldom() -> None:
    """Its start costs the Pi more than a request."""
    assert [wait_s(Fault.EXITED, tries, 0.5) for tries in (1, 2, 3)] == [1, 2, 4]
    assert wait_s(Fault.EXITED, 20, 0.5) == LONGEST_S


def test_a_session_that_was_forgotten_is_begun_again_at_once() -> None:
    """Once; a server that forgets each is like one that is gone."""
    assert wait_s(Fault.FORGOTTEN, 1, 0.5) == 0
    assert wait_s(Fault.FORGOTTEN, 2, 0.5) == 2 * FIRST_S
