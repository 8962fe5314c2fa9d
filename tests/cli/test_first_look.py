"""What keeps the doctor itself from running is told before it is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from device.__main__ import main
from device.cli import first_look
from device.doctor.compiled import Trial

ILLEGAL = Trial((), "numpy", "SIGILL", took_s=1.0)


@pytest.fixture(autouse=True)
def _old_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_look, "trial", lambda: ILLEGAL)


def test_a_package_that_ends_its_process_is_told_and_the_doctor_not_begun(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a line of its table, with what to do."""
    assert main(["doctor"]) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("processor  broken  numpy ")
    assert "ends by an illegal instruction (SIGILL)" in first
    assert last == "1 broken (processor); nothing else can be looked at"


def test_scripts_get_the_same_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    """The names of `parley doctor --json` do not change."""
    assert main(["doctor", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record.keys() == {"version", "time", "verdict", "broken", "took_s", "checks"}
    [check] = record["checks"]
    assert (check["group"], check["name"], check["verdict"]) == ("machine", "processor", "broken")


@pytest.mark.parametrize(
    "words", [["doctor", "mic"], ["doctor", "--help"], ["ask", "doctor"], ["status"]]
)
def test_only_the_doctor_itself_waits_for_it(words: list[str]) -> None:
    """The meters are looked at while one speaks."""
    assert first_look.first_look(words) is None


def test_what_only_does_not_load_is_a_check_like_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of the doctor may run without it."""
    monkeypatch.setattr(first_look, "trial", lambda: Trial((), "soxr", why="ImportError: gone"))
    assert first_look.first_look(["doctor"]) is None


def test_nothing_compiled_is_imported_for_it() -> None:
    """Else it would end by the very signal that it is to tell."""
    script = (
        "import sys, device.__main__, device.cli.first_look; "
        "print([n for n in ('numpy', 'pydantic_core', 'onnxruntime', 'soxr') if n in sys.modules])"
    )
    root = Path(first_look.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"
