"""In which words the owner is told what is wrong with a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.mcp.failures import Failure, Fault, ServerFailureError, sentence

PLACE = "http://home.local:8123/api/mcp"


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_names_the_server_its_place_and_what_to_do(fault: Fault) -> None:
    """Also where nothing more is known of it."""
    told = sentence("home", PLACE, Failure(fault, status=500))
    assert told.startswith(f"home ({PLACE}): ")
    assert len(told) > len(f"home ({PLACE}): ") + 20
    assert "{" not in told
    assert "()" not in told
    assert "None" not in told


@given(st.sampled_from(Fault), st.text())
def test_what_a_server_says_of_itself_only_shows(fault: Fault, detail: str) -> None:
    """On one line, within its bound, braces and all."""
    told = sentence("home", PLACE, Failure(fault, detail, 500))
    assert told.isprintable() or "\u200c" in told or "\u200d" in told
    assert len(told) < 500


@pytest.mark.parametrize(
    ("place", "host"),
    [
        ("http://home.local:8123/api", "home.local"),
        ("https://home.local/api", "home.local"),
        ("http://[fd00::1]:8123/api", "fd00::1"),
    ],
)
def test_a_name_without_an_address_is_named(place: str, host: str) -> None:
    """Without its port, as it would be looked up."""
    assert f"for '{host}'" in sentence("home", place, Failure(Fault.DNS))


def test_the_error_says_what_it_carries() -> None:
    """For a log of something unexpected."""
    error = ServerFailureError(Failure(Fault.STATUS, "oops", 500))
    assert str(error) == "status: oops"
    assert error.failure.status == 500


def test_a_missing_credential_is_told_with_what_to_do() -> None:
    """In the words of whoever looked for it, or in ours."""
    told = sentence(
        "home", PLACE, Failure(Fault.CREDENTIAL, "no credential 'home' found: put it in")
    )
    assert (
        told == f"home ({PLACE}): its credential is missing: no credential 'home' found: put it in"
    )
    assert "`credential` in tools.mcp" in sentence("home", PLACE, Failure(Fault.CREDENTIAL))
