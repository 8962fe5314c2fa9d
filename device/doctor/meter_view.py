"""What the meters of ``parley doctor`` show: as a picture, or as lines for a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from device.audio.levels import LEAST_DBFS

Reading = dict[str, Any]
"""As `device.control.meter.Meter` gives it."""

BAR = 40
LEAST_SHOWN_DBFS = -80.0
HOLD_S = 1.5
"""How long a peak stays on the meter."""
LATELY_S = 30.0


class Levels:
    """What the level meter shows."""

    def __init__(self) -> None:
        self._peaks: dict[int, tuple[float, float]] = {}
        """By channel: the peak that is held, and since when."""
        self._clipped: dict[int, int] = {}
        self._second: list[Reading] = []

    def take(self, reading: Reading) -> None:
        """Take the next reading."""
        self._second.append(reading)
        for place, level in enumerate(reading["levels"]):
            held, since = self._peaks.get(place, (LEAST_DBFS, 0.0))
            if level["peak_dbfs"] >= held or reading["time"] - since > HOLD_S:
                self._peaks[place] = level["peak_dbfs"], reading["time"]
            self._clipped[place] = self._clipped.get(place, 0) + level["clipped"]

    def line(self) -> dict[str, Any]:
        """Return what came since the last line, for a script."""
        second, self._second = self._second, []
        last = second[-1]
        lists = [reading["levels"] for reading in second if reading["levels"]]
        count = len(lists[-1]) if lists else 0
        channels = []
        for place in range(count):
            one = [levels[place] for levels in lists if len(levels) > place]
            channels.append(
                {
                    "rms_dbfs": max(level["rms_dbfs"] for level in one),
                    "peak_dbfs": max(level["peak_dbfs"] for level in one),
                    "floor_dbfs": one[-1]["floor_dbfs"],
                    "clipped": sum(level["clipped"] for level in one),
                    "dead": all(level["dead"] for level in one),
                }
            )
        about = {name: last[name] for name in ("time", "microphone", "channel", "silent_s")}
        return {**about, "muted": bool(last.get("muted")), "channels": channels}

    def picture(self, reading: Reading) -> RenderableType:
        """Draw the newest reading."""
        if reading.get("muted"):
            return Text("the microphone is muted: parley unmute", style="red")
        table = Table.grid(padding=(0, 1))
        for place, level in enumerate(reading["levels"]):
            held = self._peaks[place][0]
            clipped = self._clipped[place]
            name = f"[bold]{place}*[/]" if place == reading["channel"] else f"{place} "
            table.add_row(
                name,
                _bar(level["rms_dbfs"], held),
                f"{level['rms_dbfs']:6.1f} dBFS",
                f"peak {held:6.1f}",
                f"floor {level['floor_dbfs']:6.1f}",
                "[red]nothing but zeros[/]" if level["dead"] else "",
                f"[bold red]{clipped} cut off[/]" if clipped else "",
            )
        silent = reading["silent_s"] >= 1 and not reading["levels"]
        note = f"[red]nothing for {reading['silent_s']:.0f} s[/]" if silent else ""
        return Group(Text.from_markup(f"{escape(reading['microphone'])} {note}"), table)


def _bar(rms_dbfs: float, peak_dbfs: float) -> Text:
    def place(dbfs: float) -> int:
        share = (dbfs - LEAST_SHOWN_DBFS) / -LEAST_SHOWN_DBFS
        return min(BAR, max(0, round(share * BAR)))

    filled, peak = place(rms_dbfs), place(peak_dbfs)
    cells = ["█" if each < filled else "·" for each in range(BAR)]
    if 0 < peak <= BAR:
        cells[peak - 1] = "│"
    style = "red" if peak_dbfs > -1 else "yellow" if peak_dbfs > -6 else "green"
    return Text("".join(cells), style=style)


class Scores:
    """What the wake word meter shows."""

    def __init__(self, thresholds: Mapping[str, float], refractory_s: float) -> None:
        self._thresholds = thresholds
        self._refractory_s = refractory_s
        self._now: dict[str, float] = {}
        self._lately: dict[str, list[tuple[float, float]]] = {word: [] for word in thresholds}
        self._fired: list[tuple[float, str, float]] = []
        self._told = 0
        self._second: dict[str, float] = {}
        self._time = 0.0

    def take(self, reading: Reading) -> None:
        """Take the next reading."""
        self._time = reading["time"]
        self._now = reading["scores"] or self._now
        for word, score in reading["scores"].items():
            lately = self._lately.setdefault(word, [])
            lately.append((self._time, score))
            lately[:] = [each for each in lately if each[0] > self._time - LATELY_S]
            self._second[word] = max(score, self._second.get(word, 0.0))
            last = self._fired[-1][0] if self._fired else -self._refractory_s
            # Without an earlier one any is the first, whatever the clock says.
            ready = not self._fired or self._time - last >= self._refractory_s
            if score >= self._thresholds.get(word, 1.1) and ready:
                self._fired.append((self._time, word, score))

    def line(self) -> dict[str, Any]:
        """Return what came since the last line, for a script."""
        second, self._second = self._second, {}
        fired, self._told = self._fired[self._told :], len(self._fired)
        return {
            "time": self._time,
            "scores": second,
            "best": {word: self._best(word) for word in self._lately},
            "thresholds": dict(self._thresholds),
            "fired": [{"word": word, "score": score} for _, word, score in fired],
        }

    def _best(self, word: str) -> float:
        return max((score for _, score in self._lately[word]), default=0.0)

    def picture(self, reading: Reading) -> RenderableType:
        """Draw the newest reading."""
        if reading.get("muted"):
            return Text("the microphone is muted: parley unmute", style="red")
        table = Table.grid(padding=(0, 1))
        for word, threshold in self._thresholds.items():
            score, best = self._now.get(word, 0.0), self._best(word)
            filled, mark = round(score * BAR), min(BAR - 1, round(threshold * BAR))
            cells = ["█" if each < filled else "·" for each in range(BAR)]
            cells[mark] = "│"
            style = "bold green" if score >= threshold else "cyan"
            best_style = "green" if best >= threshold else "yellow"
            table.add_row(
                word,
                Text("".join(cells), style=style),
                f"{score:.2f}",
                f"[{best_style}]best of {LATELY_S:.0f} s {best:.2f}[/]",
                f"threshold {threshold:.2f}",
            )
        fired = [
            f"{self._time - at:.0f} s ago {word} ({score:.2f})"
            for at, word, score in self._fired[-3:]
        ]
        told = f"would have fired: {', '.join(fired) or 'not yet; say it'}"
        return Group(Text(reading["microphone"]), table, Text(told))
