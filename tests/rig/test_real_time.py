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
"""


def test_what_fails_twice_has_failed(tmp_path: Path) -> None:
    """Once more is once: what passes then is named in the summary, with how it had failed."""
    (tmp_path / "test_it.py").write_text(FAILING)
    (tmp_path / "conftest.py").write_text(
        "from tests.rig.real_time import ONCE_MORE, tell_first_times\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items: item.add_marker(ONCE_MORE)\n"
        "def pytest_terminal_summary(terminalreporter):\n"
        "    tell_first_times(terminalreporter)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-raR", "-p", "no:cacheprovider", tmp_path],
        env={**os.environ, "PYTHONPATH": str(TESTS.parent), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "1 failed, 1 passed, 2 rerun" in done.stdout
    told = done.stdout.splitlines()
    for result, name in (("FAILED", "is_never_well"), ("RERUN", "is_well_at_the_second_time")):
        named = [line for line in told if f"::test_it_{name}" in line]
        assert any(line.startswith(result) for line in named)
    # How it failed at the first time is told of what passed as well.
    assert "assert 1 > 1" in done.stdout
