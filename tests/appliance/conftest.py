"""The table at the end of the appliance tests: each step, how long it took, what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = str(Path(__file__).parent.name)
REPORTS: list[pytest.TestReport] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what the appliance tests did."""
    if f"/{HERE}/" in report.nodeid and (report.when == "call" or not report.passed):
        REPORTS.append(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table where there was an appliance test."""
    rows = [report for report in REPORTS if "machine" in dict(report.user_properties)]
    if not rows:
        return
    terminalreporter.section("the appliance")
    for report in rows:
        facts = dict(report.user_properties)
        machine = facts.pop("machine")
        step, _, parameters = report.nodeid.split("::")[-1].removeprefix("test_").partition("[")
        which = parameters.rstrip("]").partition("-")[2]
        step = step.replace("_", " ") + (f": {which}" if which else "")
        told = ", ".join(f"{name} {value}" for name, value in facts.items())
        verdict = "ok" if report.passed else report.outcome
        terminalreporter.line(
            f"{machine:9} {step:58} {verdict:7} {report.duration:6.1f} s  {told}".rstrip()
        )
