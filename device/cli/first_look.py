"""`first_look` says what keeps the doctor itself from running: a package that ends its process.

The doctor's own checks need numpy, pydantic and the networks. Where one of those ends by a signal
the doctor would end with it, in silence, on just the machine that it was asked about. So the
packages are tried in a child before any of them is imported; only what ends by a signal is told
here, the rest is a check like the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from device import __version__
from device.doctor.processor import processor_name, result, trial
from device.doctor.result import Result, Verdict

BESIDES = {"mic", "wake", "bundle"}
"""What the doctor does besides: those need not wait for the trial."""


def first_look(words: Sequence[str], root: Path = Path("/")) -> int | None:
    """Try what is compiled before `parley doctor`; None: let it go on, else the exit code.

    ``words`` are those of the command line. Blocks for as long as the trial takes.
    """
    command = next((word for word in words if not word.startswith("-")), "")
    if command != "doctor" or not (BESIDES | {"-h", "--help"}).isdisjoint(words):
        return None
    tried = trial()
    if not tried.signal:
        return None
    found = result(tried, processor_name(root))
    if "--json" in words:
        print(json.dumps(_record(found, tried.took_s), ensure_ascii=False, indent=2))
    else:
        print(f"{found.name}  {found.verdict}  {found.figure}\n→ {found.advice}")
        print("\n1 broken (processor); nothing else can be looked at")
    return 1


def _record(found: Result, took_s: float) -> dict[str, object]:
    """Return it as `parley doctor --json` does, with its one check."""
    return {
        "version": __version__,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": str(Verdict.BROKEN),
        "broken": True,
        "took_s": round(took_s, 1),
        "checks": [{"group": "machine", **found.as_record(), "cured": ""}],
    }
