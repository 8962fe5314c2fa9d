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
    heard = ("onnxruntime", "micro_features_cpp", "pymicro_wakeword")
    tops = {name.partition(".")[0] for name in (*compiled.MODULES, *heard)}
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
        compiled.run_all()
