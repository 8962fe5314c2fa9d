"""The model's functions and the MCP servers are told to a person at a terminal like this.

What is told comes from a speaker, as `device.control.tools` has it, and is printable by now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from device.timers.local_time import in_words

Told = Mapping[str, Any]

NONE = "the model can call no function: see tools in the configuration (parley config show)"
LONGEST_PURPOSE = 160
"""Characters of what a function does; with ``--json`` all of it is there."""
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def table(functions: Sequence[Told]) -> Table:
    """Return all there are, one a line."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    grid.add_column("name", no_wrap=True)
    grid.add_column("from", no_wrap=True)
    grid.add_column("tokens", justify="right")
    grid.add_column("asks first", no_wrap=True)
    grid.add_column("what it does")
    for each in functions:
        asks = "yes" if each["confirm"] else ""
        # Text is shown as it is, whatever brackets and colons are in it.
        cells = map(Text, (each["name"], each["from"], str(each["tokens"]), asks))
        # Of the columns this one gives way first where a terminal is narrow.
        purpose = Text(_in_short(each["purpose"]), no_wrap=True, overflow="ellipsis")
        grid.add_row(*cells, purpose)
    return grid


def _in_short(purpose: str) -> str:
    longer = len(purpose) > LONGEST_PURPOSE
    return f"{purpose[: LONGEST_PURPOSE - 1].rstrip()}…" if longer else purpose


def total(functions: Sequence[Told], facts_tokens: int = 0) -> str:
    """Return how many there are, and what they cost, with what servers say of the house."""
    if not functions:
        return NONE
    count, tokens = len(functions), sum(each["tokens"] for each in functions)
    facts = f", and about {facts_tokens} for what is said of the house" if facts_tokens else ""
    return f"{_counted(count, 'function')}, about {tokens} tokens in each turn{facts}"


def server(standing: Told) -> Iterator[str]:
    """Yield how a server stands, and a line for everything of it that is left out."""
    if standing["state"] != "ready":
        yield not_ready(standing)
    else:
        spoken = (standing["version"], f"MCP {standing['protocol']}")
        costs = f"about {standing['tokens']} tokens in each turn"
        told = ", ".join(filter(None, (*spoken, _counted(standing["tools"], "function"), costs)))
        yield f"{_since(standing)}: {_named(standing)}: {told}"
    for each in standing["left_out"]:
        yield f"  left out: {each}"


def not_ready(standing: Told) -> str:
    """Return for how long a server cannot be used, and why; the reason names it."""
    return f"{_since(standing)}: {standing['why'] or _named(standing)}"


def _named(standing: Told) -> str:
    return f"{standing['name']} ({standing['place']})"


def _since(standing: Told) -> str:
    """Return the state and how long it lasts, no more exactly than somebody wants to know it."""
    seconds = standing["since_s"]
    unit = HOUR_S if seconds >= 2 * DAY_S else MINUTE_S if seconds >= 2 * MINUTE_S else 1
    return f"{standing['state']} for {in_words(round(seconds / unit) * unit)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
