"""What the doctor says of the processor, and of what is compiled for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.doctor import processor
from device.doctor.compiled import Trial
from device.doctor.result import Result, Verdict
from tests.rig.scene import machine, only

ILLEGAL = Trial(("_cffi_backend",), "numpy", "SIGILL", took_s=2.0)
A53 = "CPU implementer\t: 0x41\nCPU part\t: 0xd03\n"
PI_3 = {"proc/cpuinfo": A53, "proc/device-tree/model": "Raspberry Pi 3 Model B Rev 1.2\0"}


def told(root: Path, tried: Trial, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setattr(processor, "trial", lambda: tried)
    return only(processor.processor(machine(root, files=PI_3)))


def test_an_illegal_instruction_names_package_processor_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card of a Pi 5 in a Pi 3, say."""
    found = told(tmp_path, ILLEGAL, monkeypatch)
    assert found.verdict is Verdict.BROKEN
    assert found.figure.startswith("numpy ")
    assert found.figure.endswith(
        " ends by an illegal instruction (SIGILL): it uses instructions that this processor has "
        "not (ARM Cortex-A53, Raspberry Pi 3 Model B Rev 1.2)"
    )
    assert "sudo ./install.sh" in found.advice
    assert found.figures["failed"] == "numpy"
    assert found.figures["signal"] == "SIGILL"


@pytest.mark.parametrize(
    ("tried", "verdict", "says"),
    [
        (Trial(("numpy", "soxr")), Verdict.FINE, "Rev 1.2: all 2 compiled packages load and run"),
        (
            Trial((), "onnxruntime", "SIGSEGV"),
            Verdict.BROKEN,
            " ends by SIGSEGV (segmentation fault) on this processor (ARM Cortex-A53, ",
        ),
        (
            Trial((), "no_such", "signal 77"),
            Verdict.BROKEN,
            "no_such ends by signal 77 (signal 77) on this",
        ),
        (
            Trial((), "soxr", why="ImportError: it is gone"),
            Verdict.BROKEN,
            " does not run here: ImportError: it is gone",
        ),
        (
            Trial((), "soxr", ended=False, took_s=240.0),
            Verdict.HINT,
            " was still loading or running after 240 s",
        ),
    ],
)
def test_whatever_else_becomes_of_it_is_told_as_it_is(
    tried: Trial, verdict: Verdict, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is to be done where there is something to do."""
    found = told(tmp_path, tried, monkeypatch)
    assert found.verdict is verdict
    assert says in found.figure
    assert bool(found.advice) is (verdict is not Verdict.FINE)


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (A53, "ARM Cortex-A53"),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n", "ARM Cortex-A76"),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xfff\n", "ARM part 0xfff"),
        ("CPU implementer\t: 0x99\nCPU part\t: 0xd03\n", "implementer 0x99 part 0xd03"),
        ("model name\t: AMD EPYC\n", "AMD EPYC"),
        ("", "unknown processor"),
    ],
)
def test_the_processor_is_called_as_people_call_it(cpuinfo: str, name: str, tmp_path: Path) -> None:
    """By part number where the kernel gives no name."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    assert processor.processor_name(tmp_path) == name


def test_everything_runs_on_this_one(tmp_path: Path) -> None:
    """The real trial, as the doctor makes it."""
    found = only(processor.processor(machine(tmp_path, files=PI_3)))
    assert found.verdict is Verdict.FINE, found
    assert found.figures["packages"] > 10
