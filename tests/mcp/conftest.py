"""The houses that the tests of this room share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rig.mcp_server import McpHouse, home_assistant

TOKEN = "a-long-lived-token-of-home-assistant"


@pytest.fixture(scope="session")
def shared_home() -> Iterator[McpHouse]:
    """A Home Assistant that no test ends or changes, but for its lights."""
    with home_assistant(TOKEN) as home:
        yield home
