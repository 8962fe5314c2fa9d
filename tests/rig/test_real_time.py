"""Which tests need real time, and that none gets it without saying so."""

from __future__ import annotations

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
