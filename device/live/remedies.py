"""What can help against a failed connection, and the rows of the table that says so. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from device.live.symptoms import Family, Place, Symptom
from device.ports import Failure, FailureKind


class Remedy(StrEnum):
    """What can help."""

    RESUME = "resume"
    """A new connection with the newest handle."""
    FRESH = "fresh"
    """A new connection without a handle; never the same handle again."""
    NEXT_MODEL = "next model"
    WAIT = "wait"
    """The same again in a moment."""
    LATER = "later"
    """Not again for this question: it takes minutes, or somebody who signs the network in."""
    STOP = "stop"
    """Nothing that the speaker can do: tell its owner."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What it is, told to the owner, and what to do."""

    failure: Failure
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class Row:
    """Symptoms that mean the same; an empty condition is met by all."""

    kind: FailureKind
    remedy: Remedy
    message: str
    """May hold ``{model}``, ``{host}``, ``{text}`` and ``{code}``."""
    text: str = ""
    """A regular expression searched for in the lower-case reason text."""
    family: Family | None = None
    codes: frozenset[int] = frozenset()
    places: frozenset[Place] = frozenset(Place)
    resuming: bool | None = None

    def matches(self, symptom: Symptom) -> bool:
        """Whether this is one of them."""
        return (
            (self.family is None or symptom.family is self.family)
            and (not self.codes or symptom.code in self.codes)
            and symptom.place in self.places
            and (self.resuming is None or symptom.resuming is self.resuming)
            and re.search(self.text, symptom.text.lower()) is not None
        )
