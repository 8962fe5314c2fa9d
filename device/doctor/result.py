"""A result is what a check found: a verdict, a figure, what to do, and what can be cured.

Tested in tests/doctor/test_examination.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How it stands. The names are part of ``parley doctor --json``."""

    FINE = "fine"
    HINT = "hint"
    """It works, and could be better."""
    BROKEN = "broken"
    SKIPPED = "skipped"
    """Not looked at; the figure says why."""


@dataclass(frozen=True, slots=True)
class Cure:
    """What ``--fix`` can do."""

    what: str
    """In the past tense: it is told when it was done."""
    do: Callable[[], object]
    """Raises OSError or ParleyError when it cannot be done. Runs in a thread."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table."""

    name: str
    """Never changes its meaning: scripts look for it."""
    verdict: Verdict
    figure: str
    """For people."""
    advice: str = ""
    """What to do; empty where nothing need be done."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """The same for scripts: names end with their units."""
    cure: Cure | None = None

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "figure": self.figure,
            "advice": self.advice,
            "figures": dict(self.figures),
            "fixable": self.cure is not None,
        }


def fine(name: str, figure: str, **figures: Any) -> Result:
    """It is as it should be."""
    return Result(name, Verdict.FINE, figure, "", figures)


def hint(name: str, figure: str, advice: str, cure: Cure | None = None, **figures: Any) -> Result:
    """It works, and could be better."""
    return Result(name, Verdict.HINT, figure, advice, figures, cure)


def broken(name: str, figure: str, advice: str, cure: Cure | None = None, **figures: Any) -> Result:
    """It keeps the speaker from working."""
    return Result(name, Verdict.BROKEN, figure, advice, figures, cure)


def skipped(name: str, why: str, advice: str = "", **figures: Any) -> Result:
    """It was not looked at."""
    return Result(name, Verdict.SKIPPED, why, advice, figures)


def judged(
    name: str, verdict: Verdict, figure: str, advice: str, cure: Cure | None = None, **figures: Any
) -> Result:
    """It has this verdict; the advice counts only where there is something to do."""
    needed = verdict in {Verdict.HINT, Verdict.BROKEN}
    return Result(
        name, verdict, figure, advice if needed else "", figures, cure if needed else None
    )


def worst(results: list[Result]) -> Verdict:
    """Return what is the worst of it: broken, a hint, or fine."""
    found = {result.verdict for result in results}
    return next((each for each in (Verdict.BROKEN, Verdict.HINT) if each in found), Verdict.FINE)
