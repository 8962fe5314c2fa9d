"""What is compiled in a release, loaded and run."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from device.doctor import compiled
from device.errors import ParleyError
from tests.test_installer_trust import run_time_wheels


def test_everything_runs_here(tmp_path: Path) -> None:
    """As the installer asks it; onnxruntime's telemetry leaves nothing in its home."""
    told = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    home = {**told, "HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    words = [sys.executable, "-I", "-m", "device.doctor.compiled"]
    done = subprocess.run(words, env=home, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_no_package_with_compiled_parts_is_forgotten() -> None:
    """Of those that a speaker needs."""
    tried = compiled.try_out()
    assert tried.fine, tried
    assert tried.ran == (*compiled.MODULES, "PIL.Image", "pymicro_wakeword", "onnxruntime")
    heard = ("micro_features_cpp",)  # by pymicro_wakeword
    tops = {name.partition(".")[0] for name in (*tried.ran, *heard)}
    for name in run_time_wheels():
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another Python
        libraries = [str(each) for each in files if str(each).endswith(".so")]
        homes = {each.partition("/")[0].partition(".")[0] for each in libraries}
        assert not libraries or homes & tops, name


def test_networks_that_hear_nothing_are_no_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """It computes, but wrongly."""
    monkeypatch.setattr(compiled, "RECORDING", "chatter")
    with pytest.raises(ParleyError, match="the wake word networks do not hear hey_jarvis"):
        compiled.run_all(lambda _name: None)


def child(does: str) -> list[str]:
    """A child that does something in the end; two packages have run before."""
    return ["sh", "-c", f"echo numpy; echo soxr; echo onnxruntime; {does}"]


def test_the_package_whose_turn_it_was_when_a_signal_came_is_named() -> None:
    """A processor that lacks an instruction says no more than that."""
    tried = compiled.try_out(child("kill -ILL $$"))
    assert not tried.fine
    assert (tried.ran, tried.failed, tried.signal) == (("numpy", "soxr"), "onnxruntime", "SIGILL")


def test_why_a_package_does_not_load_is_the_last_it_said() -> None:
    """The end of a traceback."""
    tried = compiled.try_out(child("echo Traceback >&2; echo 'OSError: no libusb' >&2; exit 1"))
    assert (tried.failed, tried.signal, tried.why) == ("onnxruntime", "", "OSError: no libusb")


def test_one_that_computes_for_ever_is_ended() -> None:
    """And named."""
    tried = compiled.try_out(["sh", "-c", "echo numpy; exec sleep 600"], patience_s=0.3)
    assert (tried.failed, tried.signal, tried.ended) == ("numpy", "", False)


def test_a_child_that_does_not_come_to_its_end_has_failed() -> None:
    """Whatever its exit code is; one that says nothing at all is Python's own failure."""
    assert compiled.try_out(child("exit 0")).failed == "onnxruntime"
    assert compiled.try_out(["true"]).failed == "python"


@pytest.mark.parametrize(
    ("does", "code", "says"),
    [
        ("kill -ILL $$", 132, "ends by an illegal instruction (SIGILL)"),
        ("exit 3", 1, "does not run here: it gives no reason"),
    ],
)
def test_the_installer_is_told_in_a_sentence_and_by_the_exit_code(
    does: str,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """132 is what a shell calls the end by SIGILL."""
    tried = compiled.try_out(child(does))
    monkeypatch.setattr(compiled, "try_out", lambda: tried)
    assert compiled.main([]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("onnxruntime ")
    assert says in told.err
