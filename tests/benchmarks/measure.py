"""What the benchmarks measure with: memory, medians over runs, and whom they compare with."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from tests.rig.daemon import ROOT
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer


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


CONFIDENCE = 1.959964
"""Of a normal distribution: 95 % lie within so many standard deviations."""


def share(count: int, size: int) -> tuple[float, float]:
    """Wilson's interval (95 %) of a part that was found ``count`` times among ``size``."""
    middle, z = count / size, CONFIDENCE
    width = z * (middle * (1 - middle) / size + z**2 / (4 * size**2)) ** 0.5
    low, high = (
        (middle + z**2 / (2 * size) + sign * width) / (1 + z**2 / size) for sign in (-1, 1)
    )
    return max(0.0, low), min(1.0, high)


def per_hour(count: int, hours: float) -> tuple[float, float]:
    """The exact interval (95 %) of a rate of which ``count`` events were seen: Garwood (1936)."""
    from scipy.stats import chi2

    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return float(low) / hours, float(chi2.ppf(0.975, 2 * count + 2)) / 2 / hours


@contextmanager
def sample_client(sound: SoundServer, server: ServerThread) -> Iterator[int]:
    """Run `tests.benchmarks.sample_client`; it listens already. Gives the number of its process."""
    with TemporaryFile("w+") as log:
        client = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.sample_client", server.url],
            env={**os.environ, **sound.environment, "SSL_CERT_FILE": str(server.certificate)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert client.stdout is not None
            if client.stdout.readline() != "open\n":
                log.seek(0)
                pytest.fail(log.read())
            yield client.pid
        finally:
            client.kill()
            client.communicate()
