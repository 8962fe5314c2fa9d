"""`Past` is what one session leaves to the next: handle, last words, models gone. Pure.

Times are seconds of the wall clock, since they must mean something after a restart.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from device.live.refusals import Refusals
from device.news import HandleChanged, News, Transcript

GONE_S = 86_400.0
"""How long a model that the server did not have is not asked for again."""
LINES = 20
"""How many things said are remembered, of both sides."""
SUMMARY_CHARACTERS = 2_000
"""Of a summary; it is billed with every turn. About 500 tokens."""

_EARLIER = (
    "This conversation goes on from an earlier connection. Do not greet the user again. "
    "What was said last:"
)


class Past:
    """The talk so far. Used from the event loop's thread only."""

    def __init__(
        self, turns: Iterator[int] | None = None, gone: dict[str, float] | None = None
    ) -> None:
        """`turns` and `gone` are shared with the talks of other personas (`device.live.talks`)."""
        self.turns: Iterator[int] = itertools.count(1) if turns is None else turns
        """Numbers the model's turns over all sessions of the process."""
        self.handle: str | None = None
        """Resumes the talk; None: only a fresh one can be opened."""
        self.model = ""
        """The model the handle belongs to."""
        self.host = ""
        """The server the handle belongs to."""
        self.at = 0.0
        """When the talk was last known to go on."""
        self.gone: dict[str, float] = {} if gone is None else gone
        """Models that a server did not have, as ``model@server``, and when."""
        self.refusals = Refusals()
        """What of a setup a server was found not to take."""
        self._lines: deque[str] = deque(maxlen=LINES)

    def keep(self, handle: str, model: str, host: str, now: float) -> None:
        """The talk can be resumed on this."""
        self.handle, self.model, self.host, self.at = handle, model, host, now

    def note(self, news: News, host: str, now: float) -> None:
        """Remember what is worth it of a session with that server."""
        match news:
            case Transcript(who=who, text=text, final=True):
                self.said(who, text)
            case HandleChanged(handle=None):
                self.drop_handle()
            case HandleChanged(handle=str(handle), model=model):
                self.keep(handle, model, host, now)

    def drop_handle(self) -> None:
        """The talk cannot be resumed; what was said is still remembered."""
        self.handle = None

    def forget_talk(self) -> None:
        """The next session begins a new talk."""
        self.handle = None
        self._lines.clear()

    def expire(self, now: float, within_s: float) -> None:
        """Forget a talk that ended too long ago; with 0, any.

        One from the future is kept: then the clock is wrong, and the server knows better.
        """
        if not within_s or now - self.at > within_s:
            self.forget_talk()

    def fits(self, model: str, host: str) -> bool:
        """Tell whether the handle fits there. Live API: all may change but the model."""
        return self.handle is not None and (self.model, self.host) == (model, host)

    def said(self, who: Literal["user", "model"], text: str) -> None:
        """Remember what one side has said in a turn."""
        words = " ".join(text.split())
        if words:
            self._lines.append(f"{'User' if who == 'user' else 'You'}: {words}")

    @property
    def summary(self) -> str:
        """The end of the talk in words, for a session that cannot be resumed; empty for none."""
        if not self._lines:
            return ""
        kept: list[str] = []
        room = SUMMARY_CHARACTERS - len(_EARLIER)
        for line in reversed(self._lines):
            room -= len(line) + 1
            if room < 0:
                break
            kept.append(line)
        newest = [self._lines[-1][: SUMMARY_CHARACTERS - len(_EARLIER) - 1]]
        return "\n".join([_EARLIER, *(reversed(kept) if kept else newest)])

    def found_gone(self, model: str, server: str, now: float) -> None:
        """A server does not have this model."""
        self.gone[f"{model}@{server}"] = now

    def models(self, wanted: Sequence[str], server: str, now: float) -> list[str]:
        """Return which models to ask for, in order: those not found gone lately, or else all."""
        found = {model: self.gone.get(f"{model}@{server}", -GONE_S) for model in wanted}
        there = [model for model in wanted if abs(now - found[model]) >= GONE_S]
        return there or list(wanted)

    # --- beyond the process ----------------------------------------------------------------------

    def as_record(self) -> dict[str, Any]:
        """Return what may be written to disk: never what was said."""
        return {
            "handle": self.handle,
            "model": self.model,
            "host": self.host,
            "at": self.at,
            "gone": self.gone,
            "setup": self.refusals.as_record(),
        }

    def restore(self, record: object) -> None:
        """Take what `as_record` gave; or raise ValueError and change nothing."""
        if not isinstance(record, dict):
            raise ValueError("it is no object")  # noqa: TRY004 - whatever is wrong is one thing
        handle, gone = record.get("handle"), record.get("gone")
        words = [record.get("model"), record.get("host"), handle if handle is not None else ""]
        numbers = [record.get("at"), *(gone.values() if isinstance(gone, dict) else [None])]
        if not all(isinstance(word, str) for word in words):
            raise ValueError("handle, model and host must be texts")
        if not all(type(number) in {int, float} for number in numbers):
            raise ValueError("at and gone must be times")
        assert isinstance(gone, dict)  # noqa: S101 - else a None would be among the numbers
        try:
            at, lost = float(record["at"]), {str(model): float(of) for model, of in gone.items()}
        except OverflowError:
            raise ValueError("at and gone must be times") from None
        self.handle, self.model, self.host = handle, str(words[0]), str(words[1])
        self.at = at
        self.gone |= lost
        self.refusals.restore(record.get("setup"))
