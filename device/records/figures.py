"""`Figures` are what a speaker did in a stretch of time, as counts that can be added up.

An hour's are a row of the table of statistics; those of a day are the sum of its hours'. Everything
is counted in whole numbers, so that sums are exact. Nothing of what was said is in them.

Tested in tests/records/test_statistics.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from device.frames import FRAME_MS
from device.records.histogram import Histogram
from device.records.prices import MICRO
from device.records.rows import Scalar, Table

NUMBERS: Final = (
    *("starts", "ran_ms", "cpu_ms", "talks", "talk_ms", "wakes", "near_misses", "vetoes"),
    *("false_starts", "answers", "unheard", "barge_ins", "repeated_frames", "dropped_frames"),
    *("up_frames", "down_ms", "prompt_tokens", "response_tokens", "tokens"),
)
"""What is counted: `as_dict` says what each of them means."""
NAMED: Final = ("words", "faults", "costs")
"""What is counted by name: wakes by word, faults by kind, money by currency (millionths)."""
PEAKS: Final = ("memory_bytes", "hottest_c")
"""Of which the highest counts."""
TIMED: Final = ("connection", "answer")

STATISTICS: Final = Table("statistics", (*NUMBERS, *PEAKS, *NAMED, *TIMED))
"""A row for each hour, at its begin, which is one of the local zone's; 400 bytes.

An hour has more than one where a clock was set back into it."""

MOST_NAMES: Final = 32
"""Of each kind of names in an hour; what comes beyond counts as `OTHERS`."""
OTHERS: Final = "others"
NAME_CHARACTERS: Final = 64


class Figures:
    """Counts of one stretch of time."""

    def __init__(self) -> None:
        self.numbers: Counter[str] = Counter()
        """By `NUMBERS`."""
        self.named: dict[str, Counter[str]] = {name: Counter() for name in NAMED}
        self.peaks: dict[str, float] = {}
        """By `PEAKS`; what was not looked at is not there."""
        self.timed: dict[str, Histogram] = {name: Histogram() for name in TIMED}

    def __bool__(self) -> bool:
        """Whether anything was counted."""
        counted = any(self.numbers.values()) or any(self.peaks)
        named = any(any(names.values()) for names in self.named.values())
        return counted or named or any(each.count for each in self.timed.values())

    def name(self, kind: str, name: str, count: int = 1) -> None:
        """Count something by its name, whose kind is one of `NAMED`."""
        names, name = self.named[kind], name[:NAME_CHARACTERS]
        known = name in names or len(names) < MOST_NAMES
        names[name if known else OTHERS] += count

    def peak(self, name: str, value: float) -> None:
        """Take note of a value of which the highest counts."""
        self.peaks[name] = max(value, self.peaks.get(name, value))

    def merge(self, other: Figures) -> None:
        """Add what others are."""
        for number, count in other.numbers.items():
            self.numbers[number] += count
        for kind, names in other.named.items():
            for name, count in names.items():
                self.name(kind, name, count)
        for name, value in other.peaks.items():
            self.peak(name, value)
        for name, histogram in other.timed.items():
            self.timed[name].merge(histogram)

    # --- as a row of the database -----------------------------------------------------------------

    def values(self) -> dict[str, Scalar]:
        """Return the columns of `STATISTICS` that hold anything."""
        found: dict[str, Scalar] = {name: count for name, count in self.numbers.items() if count}
        found |= self.peaks
        found |= {
            name: json.dumps(names, separators=(",", ":"))
            for name, names in self.named.items()
            if names
        }
        return found | {name: text for name in TIMED if (text := self.timed[name].as_text())}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Figures:
        """Return the figures of a row; what makes no sense in it is left out."""
        made = cls()
        for name in NUMBERS:
            if isinstance(value := values.get(name), int) and value > 0:
                made.numbers[name] = value
        for name in PEAKS:
            if isinstance(value := values.get(name), int | float):
                made.peaks[name] = value
        for name in NAMED:
            for each, count in _names(values.get(name)).items():
                made.name(name, each, count)
        for name in TIMED:
            try:
                made.timed[name] = Histogram.of(str(values.get(name) or ""))
            except ValueError:
                continue
        return made

    # --- for people and scripts -------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Return what `parley stats --json` says of a stretch of time; its names are a contract."""
        counted = self.numbers
        ran_ms = counted["ran_ms"]
        return {
            "starts": counted["starts"],
            "ran_s": ran_ms / 1000,
            "talks": counted["talks"],
            "talk_s": counted["talk_ms"] / 1000,
            "wakes": counted["wakes"],
            "words": dict(self.named["words"].most_common()),
            "near_misses": counted["near_misses"],
            "vetoes": counted["vetoes"],
            "false_starts": counted["false_starts"],
            "answers": counted["answers"],
            "unheard": counted["unheard"],
            "barge_ins": counted["barge_ins"],
            "repeated_s": counted["repeated_frames"] * FRAME_MS / 1000,
            "dropped_s": counted["dropped_frames"] * FRAME_MS / 1000,
            "faults": dict(self.named["faults"].most_common()),
            "connection_ms": _percentiles(self.timed["connection"]),
            "answer_ms": _percentiles(self.timed["answer"]),
            "up_s": counted["up_frames"] * FRAME_MS / 1000,
            "down_s": counted["down_ms"] / 1000,
            "tokens": {
                "prompt": counted["prompt_tokens"],
                "response": counted["response_tokens"],
                "total": counted["tokens"],
            },
            "cost": {name: micro / MICRO for name, micro in self.named["costs"].items()},
            "cpu_percent": round(100 * counted["cpu_ms"] / ran_ms, 1) if ran_ms else None,
            "hottest_c": self.peaks.get("hottest_c"),
            "memory_bytes": self.peaks.get("memory_bytes"),
        }


def _percentiles(histogram: Histogram) -> dict[str, Any]:
    found = {f"p{percent}": histogram.percentile_ms(percent) for percent in (50, 95)}
    shown = {name: value and round(value, 1) for name, value in found.items()}
    return {"count": histogram.count, **shown}


def _names(text: object) -> dict[str, int]:
    """Return counts by name as a row has them; nothing where that makes no sense."""
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: n for name, n in found.items() if isinstance(n, int) and n > 0}
