"""How long this machine takes to listen, and how slow a demonstration is then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from device.__main__ import main
from device.cli.demo import hop_ms, room_hop_ms, slowness
from device.echo.canceller import EchoCanceller, Heard
from device.frames import Frame
from device.ports import Played
from device.wake.scores import WakeScorer


@pytest.mark.parametrize(
    ("took_ms", "times"),
    [(3.0, 1), (24.0, 1), (40.0, 1), (41.0, 2), (148.0, 4), (1600.0, 40)],
)
def test_what_is_measured_gets_its_share_of_the_time(took_ms: float, times: int) -> None:
    assert slowness(took_ms) == times


def test_a_slower_machine_is_found_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    took_ms = hop_ms()
    hop: Callable[[WakeScorer], Any] = WakeScorer._hop

    def slower(scorer: WakeScorer) -> Any:
        time.sleep(0.02)
        return hop(scorer)

    monkeypatch.setattr(WakeScorer, "_hop", slower)
    assert took_ms > 0
    assert hop_ms() > 20


def test_what_a_room_costs_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its echo is simulated and cancelled four times a hop."""
    took_ms = room_hop_ms("small")
    hear: Callable[[EchoCanceller, Frame, Sequence[Played]], Heard] = EchoCanceller.hear

    def slower(canceller: EchoCanceller, frame: Frame, played: Sequence[Played]) -> Heard:
        time.sleep(0.01)
        return hear(canceller, frame, played)

    monkeypatch.setattr(EchoCanceller, "hear", slower)
    assert took_ms > 0
    assert room_hop_ms("small") > 40


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--camera", "no such file"], "there is no no such file: give --camera a picture"),
        (
            ["--camera", ".", "--model", "gemini-2.5-flash-native-audio-latest"],
            "gemini-2.5-flash-native-audio-latest does not look through a camera",
        ),
    ],
)
def test_what_it_cannot_show_is_told_before_it_begins(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """Exit code 1, and nothing of the demo."""
    assert main(["demo", *words]) == 1
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.out == ""
