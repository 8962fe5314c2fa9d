"""Which tests need real time, and that none gets it without saying so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from tests.rig import real_time
from tests.rig.real_time import TESTS


@dataclass
class Item:
    """What pytest tells of a test."""

    place: str
    fixturenames: tuple[str, ...] = ()
    marks: set[str] = field(default_factory=set)

    @property
    def path(self) -> Path:
        return TESTS / self.place

    @property
    def nodeid(self) -> str:
        return f"tests/{self.place}::test_it"

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.marks else None


def item(place: str, *fixtures: str, marks: tuple[str, ...] = ()) -> pytest.Item:
    return cast("pytest.Item", Item(place, fixtures, set(marks)))


@pytest.fixture
def _afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    real_time.begin(request.node)


@pytest.mark.parametrize(
    ("one", "needs"),
    [
        (item("e2e/test_new.py"), True),
        (item("benchmarks/test_new.py"), True),
        (item("appliance/test_new.py"), True),
        (item("rig/test_new.py"), True),
        (item("audio/test_new.py"), False),
        (item("test_new.py"), False),
        (item("audio/test_new.py", "tmp_path", "sound_server"), True),
        (item("doctor/test_new.py", "start_sound_server"), True),
        (item("board/test_new.py", marks=("hardware",)), True),
        (item("../elsewhere/e2e/test_new.py"), False),
    ],
)
def test_it_is_seen_by_where_a_test_is_and_what_it_asks_for(one: pytest.Item, needs: bool) -> None:
    """Nobody marks a test by hand."""
    assert real_time.needs_real_time(one) is needs


def test_this_folders_tests_are_marked(request: pytest.FixtureRequest) -> None:
    """By the hook in tests/conftest.py."""
    assert request.node.get_closest_marker(real_time.MARKER)


@pytest.mark.usefixtures("_afterwards")
def test_what_needs_real_time_does_not_start_without() -> None:
    """The test is named, and what to do about it."""
    real_time.begin(item("audio/test_new.py"))
    with pytest.raises(AssertionError, match=r"tests/audio/test_new\.py::test_it starts a network"):
        real_time.require_real_time("a network")
    real_time.begin(item("audio/test_new.py", marks=(real_time.MARKER,)))
    real_time.require_real_time("a network")


FAILING = """
import pytest

tries = []


def test_it_is_never_well():
    tries.append(1)
    assert not tries


def test_it_is_well_at_the_second_time():
    tries.append(2)
    assert tries.count(2) > 1


@pytest.fixture(scope="module")
def broken():
    raise RuntimeError("no sound server today")


def test_it_never_begins(broken):
    pass
"""
CONFTEST = """
from tests.conftest import pytest_runtest_makereport, pytest_runtest_setup, pytest_terminal_summary
from tests.rig import lateness, real_time

lateness.Lateness.so_far = lambda _: lateness.HoldUp({worst_s}, 0.0, 0.0)


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(real_time.MARKER)
        item.add_marker(real_time.ONCE_MORE)
"""


def run(folder: Path, worst_s: float, *options: str) -> str:
    """Run tests that fail, on a machine that was as late as that; returns what is printed."""
    (folder / "test_it.py").write_text(FAILING)
    (folder / "conftest.py").write_text(CONFTEST.format(worst_s=worst_s))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = real_time: x\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-raR", "-p", "no:cacheprovider", *options, folder],
        env={**os.environ, "PYTHONPATH": str(TESTS.parent), "PYTEST_ADDOPTS": ""},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_what_fails_twice_has_failed(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Once more is once; what passes then is named, with how late the machine was."""
    told = run(tmp_path, 0.25, *options)
    assert "1 failed, 1 passed, 1 error, 3 rerun" in told
    assert "FAILED test_it.py::test_it_is_never_well" in told
    assert "ERROR test_it.py::test_it_never_begins" in told
    assert "RERUN test_it.py::test_it_is_well_at_the_second_time" in told
    late = "the machine was held up: late by 250 ms at worst"
    for line in (
        f"test_it.py::test_it_is_well_at_the_second_time (call): tried once more; {late}",
        f"test_it.py::test_it_is_never_well (call): tried once more; {late}",
        f"test_it.py::test_it_is_never_well (call): failed; {late}",
        f"test_it.py::test_it_never_begins (setup): failed; {late}",
    ):
        assert line in told


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_what_fails_on_a_machine_that_had_time_has_failed(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """It is not tried again, and the summary says why."""
    told = run(tmp_path, 0.01, *options)
    assert "2 failed, 1 error" in told
    assert "RERUN" not in told
    late = "the machine was not held up: late by 10 ms at worst"
    assert f"test_it.py::test_it_is_well_at_the_second_time (call): failed; {late}" in told
