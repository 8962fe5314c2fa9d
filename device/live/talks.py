"""`Talks` keeps one talk for each persona: none is ever resumed by another. Pure.

What a server does not have is nobody's secret and shared, as are the numbers of the turns. What it
refuses of a setup may be the persona's own (its voice, say), so each learns that by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any

from device.live.resumption import Past

MOST_TALKS = 16
"""More than there can be personas; of more, those that ended longest ago are forgotten."""

_OTHERS = "personas"
"""Where the talks of personas lie in the record; beside it lies that of nobody in particular, as a
version of ours without personas writes and reads it."""


class Talks:
    """The talks so far, by persona. Used from the event loop's thread only."""

    def __init__(self) -> None:
        self._turns = itertools.count(1)
        self._gone: dict[str, float] = {}
        self._pasts: dict[str, Past] = {}

    def of(self, persona: str) -> Past:
        """Return the talk so far of this persona; empty: of nobody in particular."""
        if persona not in self._pasts:
            self._make_room()
            self._pasts[persona] = Past(self._turns, self._gone)
        return self._pasts[persona]

    def keep_only(self, personas: Collection[str]) -> None:
        """Forget the talks of others; that of nobody in particular is kept."""
        for name in [name for name in self._pasts if name and name not in personas]:
            del self._pasts[name]

    @property
    def personas(self) -> list[str]:
        """Whose talks there are."""
        return list(self._pasts)

    def as_record(self) -> dict[str, Any]:
        """Return what may be written to disk: never what was said."""
        others = {name: past.as_record() for name, past in self._pasts.items() if name}
        for record in others.values():
            del record["gone"]
        record = self.of("").as_record()
        return {**record, _OTHERS: others} if others else record

    def restore(self, record: object) -> None:
        """Take what `as_record` gave, of this version or one before; or raise ValueError.

        Then nothing has changed.
        """
        if not isinstance(record, dict):
            raise ValueError("it is no object")  # noqa: TRY004 - whatever is wrong is one thing
        others = record.get(_OTHERS, {})
        if not isinstance(others, dict):
            raise ValueError(f"{_OTHERS} must be an object")  # noqa: TRY004 - the same
        gone: dict[str, float] = {}
        restored = {"": Past(self._turns, gone)}
        restored[""].restore(record)
        for name, about in others.items():
            if not name or not isinstance(about, dict):
                raise ValueError(f"{_OTHERS} must have a talk by each name")
            restored[name] = Past(self._turns, gone)
            restored[name].restore({**about, "gone": {}})
        self._gone, self._pasts = gone, restored
        while len(self._pasts) > MOST_TALKS:
            self._make_room()

    def _make_room(self) -> None:
        others = [name for name in self._pasts if name]
        if len(self._pasts) >= MOST_TALKS:
            del self._pasts[min(others, key=lambda name: self._pasts[name].at)]
