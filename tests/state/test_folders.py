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
        (
            {"RUNTIME_DIRECTORY": "/run/parley", "STATE_DIRECTORY": "/s", "XDG_RUNTIME_DIR": "/u"},
            "/run/parley",
        ),
        ({"HOME": "/h", "RUNTIME_DIRECTORY": ""}, None),
        ({"RUNTIME_DIRECTORY": "/run/parley"}, None),
    ],
)
def test_what_a_power_cut_may_take_is_in_memory(
    environ: dict[str, str], folder: str | None
) -> None:
    """A home is on a disk; and who keeps nothing needs to hold nothing for it."""
    assert runtime_folder(environ) == (Path(folder) if folder else None)


def test_speakers_of_one_user_hold_nothing_of_each_other() -> None:
    """Though they have one runtime directory: each goes by its state directory."""
    folders = [
        runtime_folder({"XDG_RUNTIME_DIR": "/run/user/1", "STATE_DIRECTORY": state})
        for state in ("/one", "/another", "/one")
    ]
    assert folders[0] == folders[2] != folders[1]
    assert {each.parent for each in folders if each} == {Path("/run/user/1/parley")}
