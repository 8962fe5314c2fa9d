"""What the benchmarks measure with: memory of the own process, and medians over runs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path


def memory_mb(field: str) -> float:
    """``VmRSS`` (resident now) or ``VmHWM`` (the most it ever was) of this process, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.removesuffix("kB")) / 1024.0
    raise ValueError(f"/proc/self/status has no {field}")


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over the runs."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def table(
    title: str, unit: str, rows: Sequence[tuple[str, Sequence[float]]], *, digits: int = 1
) -> None:
    """Print a row of median, 95th percentile and maximum for each list of values."""
    print(f"\n{title} ({unit})")
    print(f"{'':24}{'n':>6}{'p50':>8}{'p95':>8}{'max':>8}")
    for name, values in rows:
        assert values, f"nothing was measured: {name}"
        p95 = statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]
        figures = (statistics.median(values), p95, max(values))
        shown = "".join(f"{figure:8.{digits}f}" for figure in figures)
        print(f"{name:24}{len(values):6}{shown}")
