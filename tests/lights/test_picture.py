"""The picture of all patterns, which is also among those that the tests end with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from device.lights.patterns import Pattern
from device.lights.picture import NAME_COLUMNS, Exhibit, exhibits
from device.lights.picture import picture as draw


@pytest.mark.parametrize("count", [1, 3, 12])
def test_every_pattern_over_time(count: int, picture: Callable[[str], None]) -> None:
    """One line per LED, as wide as asked, with names, and blank where it is dark."""
    drawn = draw(count, span_s=10.0, columns=100)
    picture(f"\n{count} LED{'s' * (count > 1)}, ten seconds from left to right")
    picture(drawn)
    lines = drawn.splitlines()
    shown = exhibits(count)
    assert len(lines) == count * len(shown)
    assert {one.pattern for one in shown} == set(Pattern)
    assert sum(one.streaming for one in shown) == 1
    assert sum(one.pictures for one in shown) == 1
    assert sum(one.direction is not None for one in shown) == (count == 12)
    firsts = [line[:NAME_COLUMNS].split()[0] for line in lines[::count]]
    assert firsts == [one.pattern.value for one in shown]
    assert {len(line.rstrip("|").partition("|")[2]) for line in lines} == {100}
    strips = dict(
        zip(firsts, [line.partition("|")[2][:-1] for line in lines[::count]], strict=True)
    )
    assert set(strips["off"]) == {" "}
    assert set(strips["idle"]) == {"·"}
    for name in ("fault", "standing_service"):
        assert len(set(strips[name])) == 2
        assert " " in strips[name]


def test_one_exhibit_alone() -> None:
    """As many columns as asked for."""
    assert draw(1, [Exhibit(Pattern.MUTED)], span_s=1.0, columns=5) == "muted             |▒▒▒▒▒|"
    assert (
        draw(3, [Exhibit(Pattern.LISTENING, streaming=True)])
        .splitlines()[1]
        .startswith("+ streaming  ")
    )


def test_each_says_what_it_means() -> None:
    """In a line of its own words."""
    meanings = [one.means for one in exhibits(12)]
    assert len(set(meanings)) == len(meanings)
    assert all(meanings)
