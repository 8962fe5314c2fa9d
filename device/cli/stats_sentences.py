"""These sentences and bars tell a person what a speaker did.

What is told comes from a speaker or its file, as `device.records.statistics.report` has it, and is
printable by now. What an owner looks for comes first: whether it was used, how soon it answered,
and what went wrong.

Tested in tests/cli/test_stats.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from device.signals import SPENDING, SPENDING_NEAR

Told = Mapping[str, Any]

WHOLE_COLUMNS: Final = 80
"""A terminal of so many shows every column."""
FINE: Final = " ▏▎▍▌▋▊▉█"
"""Bars in eighths of a character, growing to the right."""
PLAIN: Final = " #"
_RISING: Final = {FINE: " ▁▂▃▄▅▆▇█", PLAIN: " .:+#"}
"""The same, growing upwards."""
_ROWS: Final = 2
"""Of the bars that grow upwards."""
_LEAST_BAR: Final = 4
_GAP: Final = 2
"""Between two columns."""
_OFF: Final = "-"


def head(told: Told) -> list[str]:
    """Return what is to be known first."""
    sums, spans = told["sums"], told["spans"]
    # By the calendar: a day may have 23 or 25 hours.
    days = (_moment(told["until"]).date() - _moment(told["since"]).date()).days + 1
    when = "Today" if days <= 1 else f"The last {days} days"
    lines = [] if told["live"] else ["No speaker runs here: this is what it has written."]
    if not sums["ran_s"]:
        return [*lines, f"{when}: nothing is on record."]
    ran = sum(span["ran_s"] > 0 for span in spans) if told["by"] == "day" else 0
    each = f", {_average(sums['talks'] / ran)} a day" if ran > 1 and sums["talks"] else ""
    lines.append(f"{when}: {_count(sums['talks'], 'talk')}{each}.")
    answer = sums["answer_ms"]
    if answer["count"]:
        lines.append(
            f"Half the answers begin within {_seconds(answer['p50'])}, 19 of 20 within "
            f"{_seconds(answer['p95'])}."
        )
    wrong = [f"{_kind(kind)} {_count(n, 'time')}" for kind, n in _faults(sums).items()]
    if sums["unheard"]:
        wrong.append(
            _count(
                sums["unheard"], "answer that nobody could hear", "answers that nobody could hear"
            )
        )
    lines.append(f"Went wrong: {', '.join(wrong)}." if wrong else "Nothing went wrong.")
    return lines


def spans(told: Told, columns: int, blocks: str = FINE) -> Table:
    """Return a row for each day, week or month, with bars of how many talks there were.

    Where a terminal has fewer than `WHOLE_COLUMNS`, the bars are shorter, and the cost is left out.
    """
    found = told["spans"]
    names = [told["by"], "talks", "half in", "19 of 20", "no word", "wrong"]
    rows = [_cells(span, told["by"]) for span in found]
    if columns >= WHOLE_COLUMNS and any(span["cost"] for span in found):
        names.append("cost")
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=False)]
    room = max(_LEAST_BAR, columns - sum(widths) - _GAP * len(widths) - 1)
    made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for name in names:
        made.add_column(name, justify="left" if name == names[0] else "right", no_wrap=True)
        if name == "talks":
            made.add_column("", no_wrap=True)
    most = max(span["talks"] for span in found)
    for span, cells in zip(found, rows, strict=True):
        bar = Text(_bar(span["talks"], most, room, blocks), style="cyan")
        shown = [Text(cell) for cell in cells[: len(names)]]
        shown[names.index("wrong")].stylize("yellow")
        made.add_row(*shown[:2], bar, *shown[2:])
    return made


def _cells(span: Told, by: str) -> list[str]:
    return [
        _day(span["day"], by),
        f"{span['talks']:,}" if span["ran_s"] else _OFF,
        _seconds(span["answer_ms"]["p50"]),
        _seconds(span["answer_ms"]["p95"]),
        _number(span["false_starts"]),
        _number(sum(_faults(span).values()) + span["unheard"]),
        _money(span["cost"]),
    ]


def _faults(figures: Told) -> dict[str, int]:
    """Return what went wrong: a limit of money that is kept is what its owner wants."""
    wanted = {SPENDING, SPENDING_NEAR}
    return {kind: count for kind, count in figures["faults"].items() if kind not in wanted}


def hours(told: Told, blocks: str = FINE) -> list[str]:
    """Return at which hours of the day it was woken: bars that grow upwards, 48 columns wide."""
    counts = [each["wakes"] for each in told["hours"]]
    most = max(counts)
    if not most:
        return []
    rising = _RISING[blocks]
    steps = len(rising) - 1
    lines = ["", "[dim]wakes by the hour of the day[/]"]
    heights = [max(round(n * steps * _ROWS / most), n > 0) for n in counts]
    for row in reversed(range(_ROWS)):
        cells = (rising[min(max(height - row * steps, 0), steps)] * 2 for height in heights)
        lines.append(f"[cyan]{''.join(cells).rstrip()}[/]")
    lines.append("".join(f"{hour:<6}" for hour in range(0, 24, 3)).rstrip())
    busiest = counts.index(most)
    lines.append(f"[dim]most from {busiest}:00 to {(busiest + 1) % 24}:00: {most}[/]")
    return lines


def rest(sums: Told) -> Table:
    """Return what else there is to know, a line each."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, what in _lines(sums).items():
        made.add_row(name, escape(what))
    return made


def _lines(sums: Told) -> dict[str, str]:
    words = [f"{word} {count}" for word, count in sums["words"].items()]
    woke = (
        f"{', '.join(words) or 'none'}; {_count(sums['near_misses'], 'near miss', 'near misses')}"
    )
    own = sums["vetoes"]
    woke += f"; {_count(own, 'time', 'times')} it heard its own voice and kept still" if own else ""
    lines = {"wake words": woke}
    if sums["false_starts"]:
        lines["no word"] = f"{_count(sums['false_starts'], 'time')} it woke and nobody said a word"
    lines["answers"] = f"{_count(sums['answers'], 'answer')}, {_over(sums['barge_ins'])}"
    sound = [f"{_duration(sums['up_s'])} sent", f"{_duration(sums['down_s'])} heard"]
    if sums["repeated_s"]:
        sound.append(f"{_duration(sums['repeated_s'])} sent twice over a new connection")
    if sums["dropped_s"]:
        sound.append(f"{_duration(sums['dropped_s'])} lost while there was none")
    lines["sound"] = ", ".join(sound)
    connection = sums["connection_ms"]
    if connection["count"]:
        lines["connects"] = (
            f"half within {_seconds(connection['p50'])}, 19 of 20 within "
            f"{_seconds(connection['p95'])}"
        )
    tokens = sums["tokens"]
    if tokens["total"]:
        cost = f", about {_money(sums['cost'])}" if sums["cost"] else ""
        lines["tokens"] = (
            f"{tokens['total']:,} ({tokens['prompt']:,} up, {tokens['response']:,} down){cost}"
        )
    lines["machine"] = ", ".join(_machine(sums))
    return lines


def _machine(sums: Told) -> list[str]:
    told = [f"ran {_duration(sums['ran_s'])}, {_count(sums['starts'], 'start')}"]
    if sums["cpu_percent"] is not None:
        told.append(f"{sums['cpu_percent']:g} % of a core")
    if sums["memory_bytes"]:
        told.append(f"up to {sums['memory_bytes'] / 1e6:.0f} MB")
    if sums["hottest_c"] is not None:
        told.append(f"{sums['hottest_c']:.0f} °C")
    return told


def _over(count: int) -> str:
    return f"{count:,} of them spoken over" if count else "none spoken over"


def _bar(value: int, most: int, room: int, blocks: str) -> str:
    """Return a bar of so many characters at most; what is more than nothing can be seen."""
    steps = len(blocks) - 1
    length = max(round(value * room * steps / most), value > 0) if most else 0
    whole, part = divmod(length, steps)
    return (blocks[-1] * whole + (blocks[part] if part else "")).rstrip()


def _day(text: str, by: str) -> str:
    day = date.fromisoformat(text)
    return {"day": f"{day:%a %m-%d}", "week": f"{day:%Y-%m-%d}"}.get(by, f"{day:%Y-%m}")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _average(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


def _seconds(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 100 else f"{milliseconds:.0f} ms"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds else "0 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.0f} h"


def _money(costs: Mapping[str, float]) -> str:
    return " + ".join(f"{amount:.2f} {currency}".rstrip() for currency, amount in costs.items())


def _kind(kind: str) -> str:
    return kind.replace("_", " ")


def _count(count: int, what: str, several: str | None = None) -> str:
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"
