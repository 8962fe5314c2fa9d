"""Decide which tests need real time, and hold the rig to it.

Theory of operation. Most tests are pure, or have files, fakes and loopback of their own: any number
may run beside each other, on a machine of any speed. The others live with something that goes on by
the clock while they wait: a sound server, the real daemon, a home's network, a container, a
benchmark. They are all in a few folders, or ask for a fixture that starts such a thing. The hooks
in ``tests/conftest.py`` give them the marker ``real_time`` as they are collected, so nobody marks
a test by hand, and what starts such a thing refuses to in a test without the marker.

One of them that fails is tried once more where the machine was measurably held up meanwhile
(:mod:`tests.rig.lateness`), since a shared machine may stand still for seconds in the middle of a
sentence. Whatever fails twice has failed, and so has what fails once on a machine that had time.
What was tried twice is counted and named in the summary, with how late the machine was at each
failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.rig.lateness import LATENESS

MARKER = "real_time"
ONCE_MORE = pytest.mark.flaky(reruns=1, condition=LATENESS.matters)
"""Of pytest-rerunfailures, which asks for the condition when a test has failed."""
MACHINE = "machine"
"""The property of a report that says how late the machine was."""
TESTS = Path(__file__).parents[1]
FOLDERS = frozenset({"appliance", "benchmarks", "e2e", "rig"})
"""All tests in these folders of ``tests/`` need real time."""
FIXTURES = frozenset({"sound_server", "start_sound_server"})
"""A test that asks for one of these needs real time, wherever it is."""

SHOWN_CHARACTERS = 6_000
"""Of a failure, its end: what was expected, the events, the figures, the journal."""

_running: list[pytest.Item] = []


def needs_real_time(item: pytest.Item) -> bool:
    """Whether a test needs real time, by where it is and what it asks for."""
    if item.get_closest_marker("hardware"):
        return True
    place = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
    return place in FOLDERS or not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def tell_first_times(reporter: pytest.TerminalReporter) -> None:
    """Print how each test failed that was tried once more."""
    for report in reporter.stats.get("rerun", ()):
        reporter.section(f"{report.nodeid} failed at first", sep="-")
        reporter.write_line(report.longreprtext[-SHOWN_CHARACTERS:])


def begin(item: pytest.Item) -> None:
    """Take note of the test that is about to be set up; what needs real time is watched."""
    _running[:] = [item]
    if item.get_closest_marker(MARKER):
        LATENESS.begin()


def explain(item: pytest.Item, report: pytest.TestReport) -> None:
    """Write into the report of a failure how late the machine was."""
    if report.failed and item.get_closest_marker(MARKER):
        report.user_properties.append((MACHINE, str(LATENESS.so_far())))


def explained(reports: Sequence[object]) -> Iterator[str]:
    """Yield a line for each failure of which a machine's lateness is known."""
    for report in reports:
        for name, told in getattr(report, "user_properties", ()):
            if name == MACHINE and isinstance(report, pytest.TestReport):
                # The plugin knows a fourth outcome.
                again = "tried once more" if str(report.outcome) == "rerun" else "failed"
                yield f"{report.nodeid} ({report.when}): {again}; {told}"


def require_real_time(what: str) -> None:
    """Fail where ``what`` is started by a test that is taken for a quick one."""
    for item in _running:
        assert item.get_closest_marker(MARKER), (
            f"{item.nodeid} starts {what} and is not marked {MARKER}: ask for one of the fixtures"
            f" {', '.join(sorted(FIXTURES))}, or move it to one of {', '.join(sorted(FOLDERS))}"
        )
