"""The levels of the card's own mixer, set by an ``amixer`` that writes down what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.board import mixer
from device.board.mixer import set_levels
from device.board.profiles import PROFILES, profile_named


class Amixer:
    """Stands on the PATH, alone."""

    def __init__(self, folder: Path, script: str) -> None:
        self._log = folder / "log"
        program = folder / "amixer"
        program.write_text(f'#!/bin/sh\necho "$*" >> {self._log}\n{script}\n')
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_what_the_array_needs_is_set(path: Path) -> None:
    """Both levels of the loudspeaker: the second is low on some hosts, and silence."""
    amixer = Amixer(path, "exit 0")
    assert set_levels(profile_named("xvf3800"), card=2, channels=2) == []
    assert amixer.calls == ["-q -c 2 sset PCM,0 100%", "-q -c 2 sset PCM,1 100%"]


def test_the_firmware_with_six_channels_needs_more(path: Path) -> None:
    """What it records is switched on."""
    amixer = Amixer(path, "exit 0")
    assert set_levels(profile_named("xvf3800"), card=3, channels=6) == []
    assert amixer.calls[2:] == [
        "-q -c 3 cset numid=8 on,on,on,on,on,on",
        "-q -c 3 cset numid=10 60,60,60,60,60,60",
    ]


def test_other_boards_are_left_alone(path: Path) -> None:
    """They are as loud as their makers wanted them."""
    amixer = Amixer(path, "exit 0")
    for profile in PROFILES:
        if not profile.mixer:
            assert set_levels(profile, card=2, channels=2) == []
    assert amixer.calls == []


def test_a_level_that_is_not_there_is_told_and_the_others_are_set(path: Path) -> None:
    """In amixer's own last words."""
    script = 'case "$5" in PCM,0) echo "Unable to find simple control" >&2; exit 1;; esac'
    amixer = Amixer(path, script)
    (problem,) = set_levels(profile_named("xvf3800"), card=2, channels=2)
    assert problem == "amixer cannot set PCM,0 of card 2: Unable to find simple control"
    assert len(amixer.calls) == 2


def test_an_amixer_that_hangs_holds_nobody_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that does not answer is told as such."""
    monkeypatch.setattr(mixer, "TIMEOUT_S", 0.1)
    Amixer(path, "exec /bin/sleep 60")
    problems = set_levels(profile_named("xvf3800"), card=2, channels=2)
    assert len(problems) == 2
    assert "timed out" in problems[0]


def test_without_amixer_the_cure_is_named_once(path: Path) -> None:
    """Raspberry Pi OS Lite comes without it."""
    assert list(path.iterdir()) == []
    (problem,) = set_levels(profile_named("xvf3800"), card=2, channels=2)
    assert problem.endswith("sudo apt install alsa-utils")
