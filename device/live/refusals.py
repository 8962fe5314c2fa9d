"""`Refusals` finds out and remembers which optional fields of a setup are refused. Pure.

Live API: a setup with one field that a model does not take is closed with 1007 "Request contains an
invalid argument.", which does not say the field. So the talk is opened without all that can be left
out, and later sessions try the fields again, one each, until it is known which one it was. What is
known holds for the model, the key and our version; what a plan does not include may be included
tomorrow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

PLAN_S = 86_400.0
"""How long it is not asked again for what the key's plan did not include."""


class Field(StrEnum):
    """What may be left out of a setup, by the key of the configuration that it comes from."""

    RESUMPTION = "live.resumption"
    VOICE = "live.voice"
    COMPRESSION = "live.compression"
    INPUT_TRANSCRIPTION = "the transcript of what you say"
    OUTPUT_TRANSCRIPTION = "the transcript of what it says"
    TURN_COVERAGE = "the turn coverage"
    VAD = "live.vad"
    LANGUAGE = "live.language"
    THINKING = "live.thinking_level"
    SEARCH = "live.google_search"
    FUNCTIONS = "the functions of this speaker"
    MEDIA_RESOLUTION = "live.media_resolution"


class Refusals:
    """Times are seconds of the wall clock. Used from the event loop's thread only."""

    def __init__(self) -> None:
        self._of = ""
        self._refused: dict[str, dict[Field, float]] = {}
        """By model: each refused field, and until when (0: for good)."""
        self._suspects: dict[str, list[Field]] = {}
        """By model: the fields among which the refused one must be."""

    def renew(self, version: str, key: str, settings: str = "") -> None:
        """Forget all of it if it was learned with another version of ours, key or settings.

        ``settings``: what the fields are set to. A voice that was mistyped is no word against the
        one that is written in its place.
        """
        of = f"{version} {hashlib.sha256(f'{key} {settings}'.encode()).hexdigest()[:12]}"
        if of != self._of:
            self._of = of
            self._refused.clear()
            self._suspects.clear()

    def left_out(self, model: str, now: float) -> frozenset[Field]:
        """Return what is not to be sent to this model now.

        Of what is suspected all but the first is left out: that one is tried.
        """
        return frozenset([*self.known(model, now), *self._suspects.get(model, [])[1:]])

    def known(self, model: str, now: float) -> list[Field]:
        """Return the fields that this model is known to refuse."""
        refused = self._refused.get(model, {})
        return [field for field, until in refused.items() if not until or now < until]

    def refuse(self, model: str, sent: Iterable[Field]) -> Field | None:
        """Take note that a setup with these fields was refused; returns the one that is to blame.

        None: it is not known yet, and the next setup leaves all of them out.
        """
        # In the order of their definition: what a talk misses most is tried first.
        fields = [field for field in Field if field in set(sent)]
        suspects = self._suspects.get(model, [])
        tried = [field for field in fields if field in suspects] if suspects else fields
        if len(tried) == 1:
            self._blame(model, tried[0])
            return tried[0]
        self._suspects[model] = fields
        return None

    def open(self, model: str, sent: Iterable[Field]) -> None:
        """Take note that a setup with these fields was confirmed: none of them is to blame."""
        left = [field for field in self._suspects.get(model, []) if field not in set(sent)]
        if left:
            self._suspects[model] = left
        else:
            self._suspects.pop(model, None)

    def needs_another_plan(self, model: str, field: Field, now: float) -> None:
        """Take note that the key's plan does not include this, so far."""
        self._refused.setdefault(model, {})[field] = now + PLAN_S

    def _blame(self, model: str, field: Field) -> None:
        self._refused.setdefault(model, {})[field] = 0.0
        self._suspects.pop(model, None)

    # --- beyond the process ----------------------------------------------------------------------

    def as_record(self) -> dict[str, Any]:
        """Return what may be written to disk."""
        return {"of": self._of, "refused": self._refused, "suspects": self._suspects}

    def restore(self, record: object) -> None:
        """Take what `as_record` gave; anything else is nothing that was learned."""
        try:
            refused, suspects = record["refused"], record["suspects"]  # type: ignore[index]
            restored = {
                str(model): {Field(field): float(until) for field, until in fields.items()}
                for model, fields in refused.items()
            }
            listed = {
                str(model): [Field(field) for field in fields] for model, fields in suspects.items()
            }
            of = str(record["of"])  # type: ignore[index]
        except (TypeError, LookupError, ValueError, AttributeError, OverflowError):
            return
        self._of, self._refused, self._suspects = of, restored, listed
