"""(pure) What a simulated card still has to play: turns in order, cleared at once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device.frames import REPLY_RATE_HZ, SAMPLE_BYTES

RAMP_SAMPLES = REPLY_RATE_HZ * 5 // 1000
"""A cleared or paused turn fades out over 5 ms, and one that goes on fades in: no click."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Happened:
    """The first sample of a turn was taken, its last was, or there was none to take."""

    what: Literal["first", "drained", "starved"]
    turn: int
    played_ms: int
    """Of the turn, so far."""


@dataclass(slots=True)
class _Turn:
    number: int
    pcm: bytearray = field(default_factory=bytearray)
    taken_bytes: int = 0
    ended: bool = False
    starved: bool = False

    @property
    def played_ms(self) -> int:
        return self.taken_bytes // SAMPLE_BYTES * 1000 // REPLY_RATE_HZ

    def take(self, samples: int) -> Samples:
        """Cut whole samples from the front; half a sample waits for its other half."""
        piece = self.peek(samples)
        length = len(piece) * SAMPLE_BYTES
        del self.pcm[:length]
        self.taken_bytes += length
        return piece

    def peek(self, samples: int) -> Samples:
        """Look at whole samples at the front, which stay there."""
        length = min(samples, len(self.pcm) // SAMPLE_BYTES) * SAMPLE_BYTES
        return np.frombuffer(bytes(self.pcm[:length]), "<i2").astype(np.int16)

    def say(self, what: Literal["first", "drained", "starved"]) -> Happened:
        return Happened(what, self.number, self.played_ms)


class Playlist:
    """The turns that were given and not yet taken. Samples are s16 mono 24 kHz."""

    def __init__(self) -> None:
        self._turns: deque[_Turn] = deque()
        self._fading: Samples = np.zeros(0, np.int16)
        self._paused = False
        self._rising = 0
        """How many of the next samples fade in."""
        self._newest = 0
        self._over = 0
        """The newest turn that was cleared or drained: no more of it is taken."""

    def add(self, pcm: bytes, turn: int) -> bool:
        """Append a chunk; False when its turn is over or older than the newest."""
        found = self._find(turn)
        if found is None or found.ended:
            return False
        found.pcm += pcm
        found.starved = False
        return True

    def end(self, turn: int) -> None:
        """No more of this turn will come, which may have had no audio at all."""
        found = self._find(turn)
        if found is not None:
            found.ended = True

    def clear(self) -> int:
        """Throw away what is left, but for a short ramp; return ms taken of the current turn.

        Ends a pause.
        """
        played_ms = self._turns[0].played_ms if self._turns else 0
        self.pause()
        self._turns.clear()
        self._paused = False
        self._rising = 0
        self._over = self._newest
        return played_ms

    def pause(self) -> None:
        """Play nothing more, but for a short ramp, until `go_on`; harmless when paused."""
        heard = not self._paused and self._rising < RAMP_SAMPLES
        if heard and self._turns and self._turns[0].taken_bytes:
            rest = self._faded_in(self._turns[0].peek(RAMP_SAMPLES))
            fade = np.linspace(1.0, 0.0, len(rest), endpoint=False)
            self._fading = np.concatenate([self._fading, (rest * fade).astype(np.int16)])
        self._paused = True

    def go_on(self) -> None:
        """Play on from where `pause` came, with a short ramp; harmless when not paused."""
        if self._paused and self._turns and self._turns[0].taken_bytes:
            self._rising = RAMP_SAMPLES
        self._paused = False

    def finish(self) -> list[Happened]:
        """Give everything up at the end of the card; each turn is drained as far as it came."""
        drained = [turn.say("drained") for turn in self._turns]
        self.clear()
        self._fading = self._fading[:0]
        return drained

    def take(self, samples: int) -> tuple[Samples, list[Happened]]:
        """Return so many samples, padded with silence, and what happened on the way."""
        pieces = [self._fading[:samples]]
        self._fading = self._fading[samples:]
        missing = samples - len(pieces[0])
        happened: list[Happened] = []
        while self._turns and not self._paused:
            turn = self._turns[0]
            began = turn.taken_bytes > 0
            piece = turn.take(missing)
            pieces.append(self._faded_in(piece))
            self._rising = max(0, self._rising - len(piece))
            missing -= len(piece)
            if len(piece) and not began:
                happened.append(Happened("first", turn.number, 0))
            if len(turn.pcm) >= SAMPLE_BYTES:
                break
            if not (turn.ended or len(self._turns) > 1):
                if missing and turn.taken_bytes and not turn.starved:
                    turn.starved = True
                    happened.append(turn.say("starved"))
                break
            happened.append(turn.say("drained"))
            self._over = max(self._over, turn.number)
            self._turns.popleft()
            self._rising = 0
        return np.concatenate([*pieces, np.zeros(missing, np.int16)]), happened

    def _faded_in(self, piece: Samples) -> Samples:
        """Apply to the next samples what is still to come of a ramp."""
        ramp = np.linspace(0.0, 1.0, RAMP_SAMPLES)[RAMP_SAMPLES - self._rising :][: len(piece)]
        piece[: len(ramp)] = piece[: len(ramp)] * ramp
        return piece

    def _find(self, turn: int) -> _Turn | None:
        """Return the newest turn, begun when it is new; None for one that is over or older."""
        if turn < self._newest or turn <= self._over:
            return None
        if turn > self._newest:
            self._newest = turn
            self._turns.append(_Turn(turn))
        return self._turns[-1]
