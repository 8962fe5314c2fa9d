"""What the doctor says of clips of wakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from device.config import parse
from device.doctor.result import Result, Verdict
from device.doctor.scene import Account, Scene
from device.doctor.wake_clips import wake_clips
from tests.state.clips import fill, kept


def looked(
    state: Path | None, keep: str = "none", status: dict[str, Any] | None = None
) -> list[Result]:
    scene = Scene(
        config=parse(f"wake: {{keep: {keep}}}", "x.yaml"),
        config_path=Path("x.yaml"),
        socket=Path("x.sock"),
        account=Account("parley", 1, frozenset()),
        state_folder=state,
        status=status,
    )
    return list(wake_clips(scene))


def test_nothing_is_said_of_what_is_off(tmp_path: Path) -> None:
    """But that it is."""
    (found,) = looked(tmp_path)
    assert (found.verdict, found.figure) == (Verdict.FINE, "none are kept")
    (found,) = looked(None)
    assert found.verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("keep", "figure"),
    [
        ("near", "near misses are kept (wake.keep: near), the newest 50: 2 clips on this device"),
        ("all", "wakes and near misses are kept (wake.keep: all), the newest 50: 2 clips on this"),
    ],
)
def test_that_clips_are_kept_is_told(tmp_path: Path, keep: str, figure: str) -> None:
    """How many there are, and what they take."""
    fill(tmp_path, kept("aaaaa"), kept("bbbbb"))
    (found,) = looked(tmp_path, keep)
    assert found.verdict is Verdict.FINE
    assert found.figure.startswith(figure)
    assert found.figure.endswith(", 0.2 MB")
    assert found.figures["clips"] == 2


def test_what_waits_in_a_speaker_is_there_as_well(tmp_path: Path) -> None:
    """As `parley wakes` lists it; also where none are kept any more."""
    status = {"wake_clips": {"keep": "none", "waiting": 3, "counters": {}}}
    (found,) = looked(tmp_path, "all", status)
    assert found.figure.endswith("0 clips on this device, 0.0 MB, 3 more in the speaker's memory")
    assert found.figures["waiting"] == 3
    (found,) = looked(tmp_path, "none", status)
    assert found.verdict is Verdict.HINT


def test_what_was_left_when_it_was_switched_off_is_a_hint(tmp_path: Path) -> None:
    """With what deletes it."""
    fill(tmp_path, kept("aaaaa"))
    (found,) = looked(tmp_path)
    assert found.verdict is Verdict.HINT
    assert found.figure == "1 clip on this device, 0.1 MB"
    assert "parley wakes clear" in found.advice


def test_what_is_damaged_or_strange_is_a_hint(tmp_path: Path) -> None:
    """Each with its own."""
    fill(tmp_path, kept("aaaaa"))
    (tmp_path / "wakes" / "bbbbb.wav").write_bytes(b"RIFF")
    (tmp_path / "wakes" / "link.wav").symlink_to("/etc/hostname")
    damaged, strange, found = looked(tmp_path, "near")
    assert damaged.figure == "1 damaged"
    assert "parley wakes clear ID" in damaged.advice
    assert strange.figure == "not the speaker's: link.wav"
    assert [each.verdict for each in (damaged, strange, found)] == [
        *(Verdict.HINT, Verdict.HINT, Verdict.FINE),
    ]


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    """And what to do."""
    (tmp_path / "wakes").write_text("")
    (found,) = looked(tmp_path, "near")
    assert found.verdict is Verdict.HINT
    assert f"{tmp_path}/wakes: it is no folder" in found.figure
    assert "delete" in found.advice


def test_a_folder_that_may_not_be_read_asks_for_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is nobody's fault."""

    def refuse(_path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "lstat", refuse)
    (found,) = looked(tmp_path, "near")
    assert (found.verdict, found.advice) == (Verdict.SKIPPED, "sudo parley doctor")
