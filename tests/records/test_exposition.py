"""The text for Prometheus, read by a parser that is as strict as the format's description.

Source: prometheus.io, "Exposition formats", text-based format 0.0.4; "Metric and label naming".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given

from device.records.exposition import exposition
from device.records.figures import Figures
from tests.records.test_statistics import some_figures

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (\S+)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


@dataclass
class Family:
    kind: str
    about: str
    samples: dict[tuple[str, str], float] = field(default_factory=dict)
    """By name and labels."""


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)


def parsed(text: str) -> dict[str, Family]:
    """Read it; every rule of the format that applies is asserted."""
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    name, about = "", ""
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            name, _, about = line.removeprefix("# HELP ").partition(" ")
            assert re.fullmatch(NAME, name)
            assert about
            assert name not in families, "a family comes once, as one group"
        elif line.startswith("# TYPE "):
            typed, _, kind = line.removeprefix("# TYPE ").partition(" ")
            assert typed == name, "HELP and TYPE belong together"
            assert kind in SUFFIXES
            families[name] = Family(kind, about)
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            family = families[name]
            assert found[1] in {f"{name}{suffix}" for suffix in SUFFIXES[family.kind]}
            place = (found[1], found[2] or "")
            assert place not in family.samples, "a sample comes once"
            value = family.samples[place] = float(found[3])
            assert math.isfinite(value)
    for name, family in families.items():
        assert name.startswith("parley_")
        assert name.endswith("_total") is (family.kind == "counter")
        if family.kind != "gauge":
            assert all(value >= 0 for value in family.samples.values())
        if family.kind == "histogram":
            check_histogram(name, family)
    return families


def check_histogram(name: str, family: Family) -> None:
    buckets = [
        (float(labels.removeprefix('le="').removesuffix('"')), value)
        for (sample, labels), value in family.samples.items()
        if sample == f"{name}_bucket"
    ]
    assert buckets == sorted(buckets), "edges and counts rise"
    assert buckets[-1] == (math.inf, family.samples[f"{name}_count", ""])


def text_of(total: Figures, faults: tuple[str, ...] = ()) -> str:
    return exposition(total, total, faults, 1_800_000_000.5, "1.2.3")


@given(some_figures())
def test_whatever_the_figures_are_the_text_can_be_read(figures: Figures) -> None:
    """Names with any letter in them too."""
    families = parsed(text_of(figures))
    value = families["parley_talks_total"].samples["parley_talks_total", ""]
    assert value == figures.numbers["talks"]
    words = families["parley_wakes_total"].samples.values()
    assert sum(words) == sum(figures.named["words"].values())


def test_values_are_in_base_units() -> None:
    """Seconds, bytes and degrees Celsius, with the names that say so."""
    figures = Figures()
    figures.numbers.update(talk_ms=1_500, up_frames=51, down_ms=20, cpu_ms=7, ran_ms=9_000)
    figures.peak("memory_bytes", 150_000_000)
    figures.peak("hottest_c", 51.2)
    figures.name("costs", "USD", 1_250_000)
    families = parsed(text_of(figures, ("network", "network", "speaker")))
    values = {
        name: value
        for family in families.values()
        for (name, labels), value in family.samples.items()
        if not labels
    }
    assert values["parley_talk_seconds_total"] == 1.5
    assert values["parley_sent_seconds_total"] == 1.02
    assert values["parley_heard_seconds_total"] == 0.02
    assert values["parley_cpu_seconds_total"] == 0.007
    assert values["parley_running_seconds_total"] == 9
    assert values["parley_resident_memory_bytes"] == 150_000_000
    assert values["parley_temperature_celsius"] == 51.2
    assert values["parley_start_time_seconds"] == 1_800_000_000.5
    assert families["parley_info"].samples == {("parley_info", 'version="1.2.3"'): 1}
    assert families["parley_cost_total"].samples == {("parley_cost_total", 'currency="USD"'): 1.25}
    assert families["parley_fault"].samples == {
        ("parley_fault", 'kind="network"'): 1,
        ("parley_fault", 'kind="speaker"'): 1,
    }


def test_what_nobody_has_read_is_not_told() -> None:
    """A machine without a sensor has no temperature."""
    families = parsed(text_of(Figures()))
    assert "parley_temperature_celsius" not in families
    assert families["parley_fault"].samples == {}


def test_a_histogram_has_exact_counts_at_its_edges() -> None:
    """An answer after one second is one that took no longer than a second."""
    figures = Figures()
    for duration_ms in (99, 1_000, 1_001, 200_000):
        figures.timed["answer"].add(duration_ms)
    found = parsed(text_of(figures))["parley_answer_seconds"].samples
    assert found["parley_answer_seconds_bucket", 'le="0.1"'] == 1
    assert found["parley_answer_seconds_bucket", 'le="1"'] == 2
    assert found["parley_answer_seconds_bucket", 'le="2.15443"'] == 3
    assert found["parley_answer_seconds_bucket", 'le="100"'] == 3
    assert found["parley_answer_seconds_count", ""] == 4
    assert found["parley_answer_seconds_sum", ""] == pytest.approx(202.1, rel=0.025)


@pytest.mark.parametrize("word", ['say "hi"', "back\\slash", "two\nlines", "ümlaut", "\udc80"])
def test_labels_are_escaped(word: str) -> None:
    """Whatever a word is called, it is one label of one line."""
    figures = Figures()
    figures.name("words", word)
    ((_, labels),) = parsed(text_of(figures))["parley_wakes_total"].samples
    read = unescaped(labels.removeprefix('word="').removesuffix('"'))
    assert read == word.encode(errors="replace").decode()
