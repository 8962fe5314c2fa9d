"""`Liveness` tells a microphone that is dead, though its card delivers, from a quiet room. Pure.

An open card goes on delivering when there is nothing behind it any more: zeros, one value, or what
happened to be in its buffer, again and again. Quiet is never like that: the last bit of a converter
is noise, so no two blocks of a living microphone are the same. What is the same, and needs
patience, is digital silence: an array that gates its processed channels gives it while nobody
speaks, a microphone while its own mute switch is on, and a sound server for as long as its source
is muted or has nothing to say. And what a sound server calls a source may be a tone that a program
plays, which repeats to the bit as well.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

DEAD_S = 10.0
"""So long one value, or the same sound again and again, or only silence since it was opened."""
REPEATED_SOURCE_S = 60.0
"""The same sound from a sound server: a tone is no dead driver, and nobody calls over it."""
SILENT_STEPS = 2
"""One value up to here (in steps of 16 bits) is digital silence: what is rounded down is -1."""
FELL_SILENT_S = 60.0
"""So long nothing but silence from a card that has delivered something else before."""
GATED_S = 3600.0
"""The same from one whose own processing may leave nothing of a quiet room but zeros."""
MUTED_SOURCE_S = 300.0
"""So long nothing but silence from a sound server."""
REMEMBERED_BLOCKS = 64
"""A buffer that is played round and round comes back to a block within these, if their lengths have
a common multiple that short (64 ms and 20 ms: after 16)."""

ALIVE_BLOCKS = 3
"""In a row. The one in which one dead value becomes another is like no other, too."""


class Symptom(StrEnum):
    """How a dead microphone shows; the words go on after "delivers"."""

    ZEROS = "nothing but zeros"
    CONSTANT = "one and the same value"
    FROZEN = "the same piece of sound again and again"


class Liveness:
    """Looks at the blocks of one opening, all channels as they came from the card."""

    def __init__(
        self,
        block_s: float,
        frame_bytes: int,
        *,
        sample_bytes: int = 2,
        is_card: bool,
        gates: bool = False,
        doubted: bool = False,
    ) -> None:
        """``block_s``: how long a block lasts; ``frame_bytes``: one sample of each channel.

        ``sample_bytes``: one sample of one of them. ``is_card``: whether no sound server lies
        between; ``gates``: whether the card itself may make zeros of a quiet room; ``doubted``:
        whether the opening before has ended dead.
        """
        self._block_s = block_s
        self._frame_bytes = frame_bytes
        self._sample_bytes = sample_bytes
        self._is_card = is_card
        self._gates = gates
        self._doubted = doubted
        self._recent: deque[int] = deque(maxlen=REMEMBERED_BLOCKS)
        self._living = 0
        self._lived = False
        self._silent = self._repeated = 0
        self.alive = False
        """Whether the last blocks were sound."""

    def add(self, block: bytes) -> Symptom | None:
        """Take a block; returns what it is dead of, once that has lasted long enough."""
        silent = self._is_silent(block)
        number = hash(block)
        repeated = silent or number in self._recent or self._is_constant(block)
        self._recent.append(number)
        self._living = 0 if repeated else self._living + 1
        self.alive = self._living >= ALIVE_BLOCKS
        self._lived = self._lived or self.alive
        self._silent = self._silent + 1 if silent else 0
        self._repeated = self._repeated + 1 if repeated and not silent else 0
        if self._silent >= round(self._patience_s / self._block_s):
            return Symptom.ZEROS
        constant = self._is_constant(block)
        tone = not (constant or self._is_card or self._doubted)
        if self._repeated >= round((REPEATED_SOURCE_S if tone else DEAD_S) / self._block_s):
            return Symptom.CONSTANT if constant else Symptom.FROZEN
        return None

    @property
    def _patience_s(self) -> float:
        if not self._lived:
            return DEAD_S if self._is_card or self._doubted else MUTED_SOURCE_S
        if self._gates:
            return GATED_S
        return FELL_SILENT_S if self._is_card else MUTED_SOURCE_S

    def _is_silent(self, block: bytes) -> bool:
        """Whether it is digital silence in every channel."""
        if not any(block):
            return True
        if not self._is_constant(block):
            return False
        most = SILENT_STEPS << 8 * (self._sample_bytes - 2)
        size = self._sample_bytes
        first = (block[at : at + size] for at in range(0, self._frame_bytes, size))
        return all(abs(int.from_bytes(each, "little", signed=True)) <= most for each in first)

    def _is_constant(self, block: bytes) -> bool:
        """Whether every channel has one value all the time."""
        return block[self._frame_bytes :] == block[: -self._frame_bytes]
