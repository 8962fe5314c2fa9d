"""The kernel's complaints."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.doctor.kernel_log import kernel_log
from device.doctor.result import Result, Verdict
from device.doctor.scene import Outcome
from tests.rig.scene import Commands, machine, only


def looked(tmp_path: Path, *lines: tuple[float, str]) -> Result:
    text = "".join(f"[{at:12.6f}] kitchen kernel: {told}\n" for at, told in lines)
    return only(kernel_log(machine(tmp_path, run=Commands(journalctl=text))))


def test_a_flood_is_told_with_what_it_says(tmp_path: Path) -> None:
    """An array that came up broken; nothing else fits into a journal in memory then."""
    told = looked(
        tmp_path, *((100 + n / 8000, "retire_capture_urb: 42 callbacks") for n in range(800))
    )
    assert told.verdict is Verdict.HINT
    assert told.figure == "800 lines within 0.1 s, most often: retire_capture_urb: 42 callbacks"
    assert "plug it out and in" in told.advice


def test_a_start_of_the_machine_is_no_flood(tmp_path: Path) -> None:
    """Nor is a quiet week, or a stick that is plugged in."""
    start = [(n / 100, "Booting") for n in range(900)]
    week = [(100.0 + n * 600, "a line") for n in range(900)]
    stick = [(100.0 + n / 1000, "usb-storage") for n in range(100)]
    for lines in (start, week, stick, []):
        assert looked(tmp_path, *lines).verdict is Verdict.FINE


def test_an_array_that_leaves_usb_again_and_again_is_told(tmp_path: Path) -> None:
    """Too weak a power supply does that; plugged out twice, it was a person."""
    lost = [(500.0 * n, f"usb 1-1.2: USB disconnect, device number {n}") for n in range(1, 4)]
    told = looked(tmp_path, *lost)
    assert (told.verdict, told.figures["lost"]) == (Verdict.HINT, 3)
    assert "power supply" in told.advice
    assert looked(tmp_path, *lost[:2]).verdict is Verdict.FINE


@pytest.mark.parametrize(
    "answer",
    [Outcome(1, err="Access denied"), Outcome(0, err="Hint: You are ... not seeing messages")],
)
def test_where_it_may_not_be_read_that_is_said(tmp_path: Path, answer: Outcome) -> None:
    """With who may."""
    told = only(kernel_log(machine(tmp_path, run=Commands(journalctl=answer))))
    assert (told.verdict, told.advice) == (Verdict.SKIPPED, "sudo parley doctor")
