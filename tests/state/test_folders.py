"""Where a speaker keeps what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.state.folders import runtime_folder, state_folder


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/parley:/other", "HOME": "/h"}, "/var/lib/parley"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/parley"),
        ({"HOME": "/h"}, "/h/.local/state/parley"),
        ({}, None),
    ],
)
def test_state_is_kept_where_systemd_or_the_user_keeps_it(
    environ: dict[str, str], folder: str | None
) -> None:
    """Who has neither keeps nothing."""
    assert state_folder(environ) == (Path(folder) if folder else None)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"RUNTIME_DIRECTORY": "/run/parley", "XDG_RUNTIME_DIR": "/run/user/1"}, "/run/parley"),
        ({"XDG_RUNTIME_DIR": "/run/user/1"}, "/run/user/1"),
        ({"HOME": "/h", "RUNTIME_DIRECTORY": ""}, None),
    ],
)
def test_what_a_power_cut_may_take_is_in_memory(
    environ: dict[str, str], folder: str | None
) -> None:
    """A home is on a disk."""
    assert runtime_folder(environ) == (Path(folder) if folder else None)
