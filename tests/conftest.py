"""The fixtures that the tests of several rooms share, and how tests run beside each other."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.rig import real_time

pytest_plugins = ("tests.rig.board_fixtures", "tests.rig.sound_fixtures")

# How long an example takes says how busy the machine is.
settings.register_profile("parley", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("parley")


def pytest_xdist_auto_num_workers() -> int:
    """Run as many tests at a time as there are cores: those that need real time need a core."""
    return len(os.sched_getaffinity(0))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that need real time; where several run at a time, their files come first.

    Beside each other they leave most of a machine idle; beside the others they would compete with
    tests that only compute. They are the longest, too: what is short fills the gaps at the end.

    One that fails while the machine was held up is tried once more: a speaker that hears and talks
    by the clock cannot do so on a machine that stands still, and nobody's work should wait for it.
    What fails twice, or on a machine that had time, has failed.
    """
    for item in items:
        if real_time.needs_real_time(item):
            item.add_marker(real_time.MARKER)
            item.add_marker(real_time.ONCE_MORE)
    if hasattr(config, "workerinput"):
        first = {item.path for item in items if item.get_closest_marker(real_time.MARKER)}
        items.sort(key=lambda item: item.path not in first)


def pytest_collection_finish() -> None:
    """Leave what there is by now out of all later collections of garbage: it stays to the end.

    Seven thousand tests and all modules are a million objects; a test that collects garbage to see
    what is left of its own would look through all of them.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tell the rig which test it works for."""
    real_time.begin(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a failure how late the machine was."""
    report = yield
    real_time.explain(item, report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what failed and what was tried twice, with how late the machine was: none is hidden."""
    stats = terminalreporter.stats
    failures = [each for kind in ("rerun", "failed", "error") for each in stats.get(kind, ())]
    if lines := list(real_time.explained(failures)):
        terminalreporter.section("how late the machine was")
        for line in lines:
            terminalreporter.line(line)
    real_time.tell_first_times(terminalreporter)
