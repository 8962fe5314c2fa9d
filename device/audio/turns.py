"""`Turns` holds the replies that wait to be played, back, paused or cleared softly. Pure.

A turn begins when its cushion waits (see `device.audio.cushion`), when it has ended, or when it has
gathered for `LONGEST_GATHERING_MS`: a word that the model says before it thinks for long is not
held back for it. A turn that ran dry gathers again before it goes on.

Nothing clicks. What is paused or cleared sounds on for 5 ms, softer and softer; of a paused turn
those samples are not used up, so going on plays them again, louder and louder. What goes on after
starving comes in with the same fade, and a voice that breaks off sinks from its last sample.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from device.audio.cushion import Cushion
from device.audio.overlay import FADE_MS, NOTHING, Samples, ramp_down

LONGEST_GATHERING_MS = 1000

_PIECE_SAMPLES = 1024
"""Pieces up to this length are kept as one: each costs an object, and a server may send its sound
sample by sample (ten minutes of them would take 2 GB)."""


class What(Enum):
    """What a mark says about its turn."""

    FIRST = auto()
    """Its first sample is in this block."""
    LAST = auto()
    """It was ended and its last sample is in this block, or was in one before."""
    STARVED = auto()
    """It has not ended and there is nothing of it left."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something of note in a block."""

    what: What
    turn: int
    played_samples: int
    """Of the turn, up to and with this block."""


@dataclass(slots=True)
class _Turn:
    number: int
    pieces: deque[npt.NDArray[np.int16]] = field(default_factory=deque)
    waiting_samples: int = 0
    played_samples: int = 0
    ended: bool = False
    gathering: bool = True
    gathered_samples: int = 0
    """How long it has been held back with something to play."""
    dry: bool = False
    """It ran dry, and nothing of it was played since."""
    starved: bool = False
    """It ran dry once, and was not at its end."""

    def add(self, piece: npt.NDArray[np.int16]) -> None:
        if self.pieces and len(self.pieces[-1]) + len(piece) <= _PIECE_SAMPLES:
            self.pieces[-1] = np.concatenate((self.pieces[-1], piece))
        else:
            self.pieces.append(piece)
        self.waiting_samples += len(piece)

    def take(self, samples: int) -> Samples:
        taken = self.peek(samples)
        rest = len(taken)
        while rest:
            piece = self.pieces.popleft()
            if len(piece) > rest:
                self.pieces.appendleft(piece[rest:])
            rest -= min(rest, len(piece))
        self.waiting_samples -= len(taken)
        self.played_samples += len(taken)
        return taken

    def peek(self, samples: int) -> Samples:
        found: list[npt.NDArray[np.int16]] = []
        wanted = samples
        for piece in self.pieces:
            if not wanted:
                break
            found.append(piece[:wanted])
            wanted -= len(found[-1])
        return np.concatenate(found).astype(np.float32) if found else NOTHING


class Turns:
    """Samples are mono, in steps of int16, at ``rate_hz``. No lock: that is the buffer's."""

    def __init__(self, rate_hz: int, capacity_samples: int, cushion: Cushion) -> None:
        self.played = (-1, 0)
        """The turn that sounded last and how many of its samples were taken."""
        self._rate_hz = rate_hz
        self._capacity_samples = capacity_samples
        self._cushion = cushion
        self._down = ramp_down(rate_hz * FADE_MS // 1000)
        self._turns: deque[_Turn] = deque()
        self._paused = False
        self._rising_samples = 0
        """Of a fade-in, still to come."""
        self._last_sample = 0.0

    @property
    def empty(self) -> bool:
        """Whether no turn is going on; a paused one is."""
        return not self._turns

    @property
    def sounding(self) -> bool:
        """Whether the last sample has yet to sink."""
        return self._last_sample != 0

    def append(self, piece: npt.NDArray[np.int16], number: int) -> int:
        """Add to the newest turn, which may be a new one: that ends the one before.

        Gives how many samples found no room and were dropped.
        """
        turn = self._newest(number)
        room = self._capacity_samples - sum(each.waiting_samples for each in self._turns)
        kept = piece[: max(0, room)]
        if len(kept):
            if turn.dry and not turn.waiting_samples and not turn.ended:
                self._cushion.starved()
                turn.starved = turn.gathering = True
                turn.gathered_samples = 0
            turn.add(kept)
        return len(piece) - len(kept)

    def end(self, number: int, tail: npt.NDArray[np.int16]) -> int:
        """No more than this will come; a turn that never began is over with the next block.

        Gives how many samples of ``tail`` found no room and were dropped.
        """
        # First: what a resampler held back of a turn that has run dry did not come too late.
        self._newest(number).ended = True
        return self.append(tail, number)

    def _newest(self, number: int) -> _Turn:
        if not self._turns or self._turns[-1].number != number:
            for older in self._turns:
                older.ended = True
            self._turns.append(_Turn(number))
        return self._turns[-1]

    def clear(self) -> Samples:
        """Throw away what is left, and end a pause; gives the fade to play over what comes."""
        turn = self._heard_turn()
        fade = self._fade_out()
        if turn is not None:
            self._take(turn, len(self._down))
        self._turns.clear()
        self._paused = False
        self._rising_samples = 0
        return fade

    def pause(self) -> Samples:
        """Stop where it is until `go_on`; gives the fade to play over what comes."""
        fade = self._fade_out()
        self._paused = True
        return fade

    def go_on(self) -> None:
        """Go on where `pause` stopped, with a fade."""
        if self._paused and self._turns and self._turns[0].played_samples:
            self._rising_samples = len(self._down)
        self._paused = False

    def mix(self, block: Samples, marks: list[Mark]) -> int:
        """Add the next samples to a block and what is of note to ``marks``; gives how many."""
        filled = 0
        while self._turns and not self._paused:
            turn = self._turns[0]
            if self._gathers(turn, len(block) - filled):
                break
            piece = self._play(turn, len(block) - filled, marks)
            block[filled : filled + len(piece)] = piece
            filled += len(piece)
            if turn.waiting_samples:
                break
            if not turn.ended:
                if filled < len(block) and turn.played_samples and not turn.dry:
                    turn.dry = True
                    marks.append(Mark(What.STARVED, turn.number, turn.played_samples))
                break
            marks.append(Mark(What.LAST, turn.number, turn.played_samples))
            if turn.played_samples:
                self._cushion.turn_over(starved=turn.starved)
            self._turns.popleft()
            self._rising_samples = 0
        return filled

    def let_go(self, offset_samples: int = 0) -> Samples:
        """The voice stops at this place of the block: gives how its last sample sinks."""
        if not self._last_sample:
            return NOTHING
        ramp = np.zeros(offset_samples + len(self._down), np.float32)
        ramp[offset_samples:] = self._down * np.float32(self._last_sample)
        self._last_sample = 0.0
        return ramp

    def _gathers(self, turn: _Turn, samples: int) -> bool:
        if turn.ended or not turn.gathering:
            return False
        if not turn.waiting_samples:
            return True
        enough = turn.waiting_samples * 1000 >= self._cushion.ms * self._rate_hz
        if enough or turn.gathered_samples * 1000 >= LONGEST_GATHERING_MS * self._rate_hz:
            turn.gathering = False
            return False
        turn.gathered_samples += samples
        return True

    def _play(self, turn: _Turn, samples: int, marks: list[Mark]) -> Samples:
        began = turn.played_samples > 0
        piece = self._take(turn, samples)
        if len(piece):
            if not began:
                marks.append(Mark(What.FIRST, turn.number, turn.played_samples))
            if turn.dry:
                turn.dry = False
                self._rising_samples = len(self._down)
            self._rising_samples -= self._raise(piece)
            self._last_sample = float(piece[-1])
        return piece

    def _take(self, turn: _Turn, samples: int) -> Samples:
        piece = turn.take(samples)
        self.played = (turn.number, turn.played_samples)
        return piece

    def _raise(self, piece: Samples) -> int:
        """Apply what is to come of a fade-in to the next samples; gives to how many of them."""
        count = min(self._rising_samples, len(piece))
        begin = len(self._down) - self._rising_samples
        piece[:count] *= 1 - self._down[begin : begin + count]
        return count

    def _heard_turn(self) -> _Turn | None:
        """The turn that can be heard now and has more to play."""
        if self._paused or not self._turns or self._rising_samples == len(self._down):
            return None
        turn = self._turns[0]
        heard = turn.played_samples and turn.waiting_samples and not turn.dry
        return turn if heard else None

    def _fade_out(self) -> Samples:
        """Let what sounds now fade over its own next samples, which stay where they are."""
        turn = self._heard_turn()
        if turn is None:
            return self.let_go()
        rest = turn.peek(len(self._down))
        self._raise(rest)
        self._last_sample = 0.0
        return np.pad(rest, (0, len(self._down) - len(rest)), "edge") * self._down
