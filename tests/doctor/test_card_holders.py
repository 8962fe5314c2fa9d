"""Who holds a sound card open, on machines made of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.doctor.card_holders import card_holders
from device.doctor.result import Verdict
from device.doctor.scene import Account
from tests.rig.scene import machine, only

SPEAKER = Account("parley", 4_242, frozenset())


def process(root: Path, number: int, name: str, *files: str) -> Path:
    """A process of whoever runs the tests, with these files open."""
    folder = root / "proc" / str(number)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    for descriptor, target in enumerate(files):
        (folder / "fd" / str(descriptor)).symlink_to(target)
    return folder


def test_the_sound_server_of_a_desktop_is_named(tmp_path: Path) -> None:
    """With its user, number and card; and how to get rid of it."""
    process(tmp_path, 812, "pipewire", "/dev/null", "/dev/snd/controlC0", "/dev/snd/pcmC0D0p")
    process(tmp_path, 7, "bash", "/dev/null", "/dev/snd/controlC0")
    (tmp_path / "proc/uptime").write_text("1 1")
    told = only(card_holders(machine(tmp_path, account=SPEAKER)))
    assert told.verdict is Verdict.HINT
    assert told.figure.startswith("pipewire of user ")
    assert told.figure.endswith(" (process 812) holds /dev/snd/pcmC0D0p")
    assert "do_boot_behaviour B1" in told.advice


def test_whoever_else_holds_one_is_to_be_ended(tmp_path: Path) -> None:
    """The lowest number first."""
    for number in (30, 4):
        process(tmp_path, number, "aplay", "/dev/snd/pcmC1D0p", "/dev/snd/pcmC1D0c")
    told = only(card_holders(machine(tmp_path, account=SPEAKER)))
    assert [text.split("process ")[1].partition(")")[0] for text in told.figure.split("; ")] == [
        "4",
        "30",
    ]
    assert told.advice.startswith("end it, or choose another card")


def test_the_speaker_itself_may(tmp_path: Path) -> None:
    """By its account."""
    process(tmp_path, 5, "python3", "/dev/snd/pcmC0D0c")
    ours = Account("parley", os.getuid(), frozenset())
    told = only(card_holders(machine(tmp_path, account=ours)))
    assert (told.verdict, told.figure) == (Verdict.FINE, "by nobody but the speaker")


def test_what_cannot_be_seen_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may look into the processes of others; some end while they are looked at."""
    assert only(card_holders(machine(tmp_path))).verdict is Verdict.SKIPPED
    process(tmp_path, 5, "a")
    process(tmp_path, 6, "b")
    look = Path.iterdir

    def iterdir(folder: Path) -> object:
        if folder.parent.name == "5":
            raise PermissionError(13, "Permission denied")
        if folder.parent.name == "6":
            raise ProcessLookupError(3, "No such process")
        return look(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    told = only(card_holders(machine(tmp_path, account=SPEAKER)))
    assert (told.verdict, told.advice) == (Verdict.SKIPPED, "sudo parley doctor")
