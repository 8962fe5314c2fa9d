"""`exposition` puts figures into the text that Prometheus reads.

Source: prometheus.io, "Exposition formats" (text-based format, version 0.0.4), "Metric and label
naming" and "Writing exporters".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from device.frames import FRAME_MS
from device.records.figures import Figures
from device.records.histogram import PER_DECADE, Histogram
from device.records.prices import MICRO

_COUNTED: Final[Sequence[tuple[str, str, float, str]]] = (
    ("talks_total", "talks", 1, "Talks that began."),
    ("talk_seconds_total", "talk_ms", 1000, "How long talks lasted."),
    ("near_misses_total", "near_misses", 1, "Sounds that were nearly a wake word."),
    ("vetoes_total", "vetoes", 1, "Wake words that the speaker itself had said."),
    ("false_starts_total", "false_starts", 1, "Talks by wake word in which nobody said a word."),
    ("answers_total", "answers", 1, "Answers that began to sound."),
    ("unheard_answers_total", "unheard", 1, "Answers that nobody could hear."),
    ("barge_ins_total", "barge_ins", 1, "Answers that fell silent since somebody spoke."),
    (
        "repeated_seconds_total",
        "repeated_frames",
        1000 / FRAME_MS,
        "Sound that was sent a second time over another connection.",
    ),
    (
        "dropped_seconds_total",
        "dropped_frames",
        1000 / FRAME_MS,
        "Sound of the microphone that found no connection and was lost.",
    ),
    ("sent_seconds_total", "up_frames", 1000 / FRAME_MS, "Sound that left the device."),
    ("heard_seconds_total", "down_ms", 1000, "Answers that were played."),
    ("cpu_seconds_total", "cpu_ms", 1000, "Processor time of the speaker."),
    ("running_seconds_total", "ran_ms", 1000, "How long the speaker ran."),
)
"""Name, number of the figures, what of it makes one of the unit, and what it is."""
_GAUGES: Final = (
    ("resident_memory_bytes", "memory_bytes", "Memory that the speaker takes."),
    ("temperature_celsius", "hottest_c", "The hottest sensor of the processor."),
)
_TIMED: Final = (
    ("connection_seconds", "connection", "How long it took to open a session or a connection."),
    ("answer_seconds", "answer", "From the end of a question to the first sound of its answer."),
)
_EDGES: Final = range(PER_DECADE, 5 * PER_DECADE + 1, PER_DECADE // 3)
"""10 ms to 100 s, three a decade, on edges of the histogram's own buckets: counts are exact."""


def exposition(
    total: Figures, now: Figures, faults: Sequence[str], start_s: float, version: str
) -> str:
    """Return the whole text.

    ``total``: since the process began, at ``start_s`` (Unix seconds); ``now``: the newest readings,
    of which only the peaks count; ``faults``: the kinds in force.
    """
    return "".join(f"{line}\n" for line in _lines(total, now, faults, start_s, version))


def _lines(
    total: Figures, now: Figures, faults: Sequence[str], start_s: float, version: str
) -> Iterator[str]:
    yield from _family("info", "gauge", "Which release runs.")
    yield _sample("info", 1, version=version)
    yield from _family("start_time_seconds", "gauge", "When the speaker was started, Unix time.")
    yield _sample("start_time_seconds", start_s)
    for name, number, unit, about in _COUNTED:
        yield from _family(name, "counter", about)
        yield _sample(name, total.numbers[number] / unit)
    yield from _by_name("wakes_total", "word", "Wake words that were heard.", total.named["words"])
    about = "Faults that were told."
    yield from _by_name("faults_total", "kind", about, total.named["faults"])
    yield from _family("fault", "gauge", "Faults in force, each 1.")
    for kind in sorted(set(faults)):
        yield _sample("fault", 1, kind=kind)
    yield from _family("tokens_total", "counter", "Tokens that the server has counted.")
    for side in ("prompt", "response"):
        yield _sample("tokens_total", total.numbers[f"{side}_tokens"], side=side)
    about = "What that costs, an estimate."
    money = {name: micro / MICRO for name, micro in total.named["costs"].items()}
    yield from _by_name("cost_total", "currency", about, money)
    for name, peak, about in _GAUGES:
        if peak in now.peaks:
            yield from _family(name, "gauge", about)
            yield _sample(name, now.peaks[peak])
    for name, timed, about in _TIMED:
        yield from _family(name, "histogram", about)
        yield from _histogram(name, total.timed[timed])


def _family(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP parley_{name} {about}"
    yield f"# TYPE parley_{name} {kind}"


def _by_name(name: str, label: str, about: str, counts: Mapping[str, float]) -> Iterator[str]:
    yield from _family(name, "counter", about)
    for each, count in sorted(counts.items()):
        yield _sample(name, count, **{label: each})


def _histogram(name: str, histogram: Histogram) -> Iterator[str]:
    for edge_ms, count in histogram.up_to(_EDGES):
        yield _sample(f"{name}_bucket", count, le=f"{edge_ms / 1000:.6g}")
    yield _sample(f"{name}_bucket", histogram.count, le="+Inf")
    yield _sample(f"{name}_sum", histogram.sum_ms / 1000)
    yield _sample(f"{name}_count", histogram.count)


def _sample(name: str, value: float, **labels: str) -> str:
    told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"parley_{name}{f'{{{told}}}' if told else ''} {_number(value)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else repr(round(value, 6))


def _escaped(text: str) -> str:
    """Return a label's value as it is written between quotes."""
    whole = text.encode(errors="replace").decode()
    return whole.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
