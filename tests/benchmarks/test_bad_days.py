"""How long a question waits for its answer, or to be told why not, on the server's bad days.

In every state, of both models, by voice, held and typed. Seconds from the end of the question, over
loopback: what the server's own days cost is in the script (a dead line is two seconds of silence),
what is added by us is the rest.
"""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

import pytest

from tests.rig.bad_days import DAYS, PATIENCE_S, ask_all, cases, wanted

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

AT_A_TIME = 4
WAYS = ("voice", "held", "typed")


def test_how_long_a_question_waits(tmp_path: Path) -> None:
    """A row for each kind of day: how it ended, how often it was asked, how long it took."""
    all_cases = cases()
    outcomes = asyncio.run(ask_all(all_cases, tmp_path, AT_A_TIME))
    print(f"\nfrom the end of the question (s), reply_timeout_s {PATIENCE_S:g}; p50, max")
    print(f"{'the server':28}{'ended':>22}{'asked':>7}" + "".join(f"{w:>14}" for w in WAYS))
    for day in DAYS:
        of_day = [(c, o) for c, o in zip(all_cases, outcomes, strict=True) if c[0] is day]
        ends = sorted({outcome.ended for _, outcome in of_day})
        most = max(outcome.requests for _, outcome in of_day)
        figures = ""
        for way in WAYS:
            waited = [outcome.after_s for case, outcome in of_day if case[3] == way]
            figures += f"{statistics.median(waited):7.2f}{max(waited):7.2f}"
        print(f"{day.name:28}{' '.join(ends):>22}{most:7}{figures}")
    for case, outcome in zip(all_cases, outcomes, strict=True):
        assert wanted(case, outcome), (case[0].name, *case[1:], outcome)
