"""What the loudspeaker has still to play: replies turn by turn, the rest over them, volume. Pure.

Two threads share a `PlaybackBuffer` under its one lock: the event loop appends, clears and sets the
volume; the playback thread takes blocks of the length it needs, always full ones, padded with
silence. Chimes and sentences of our own are mixed in by `device.audio.overlay`. What a block
contains of note (the first and the last sample of a turn, a buffer run dry) comes back with it as
`Mark`s; when that is heard is for the thread to work out.

Nothing clicks: whatever stops short (a cleared turn, a starved one) goes out in a 5 ms ramp, what
comes back after starving comes in with one, and a change of the volume is spread over a block.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from device.audio.overlay import NOTHING, Overlay, Samples, ramp_down

FULL_SCALE = 32_768
CAPACITY_S = 600.0
"""Ten minutes: at 48 kHz 58 MB, if a server should really go on for that long."""


def gain(percent: int) -> float:
    """Amplitude factor of a volume of 0..100 percent.

    The cube: 0 is silence, 50 is -18 dB, 60 is -13 dB, 100 is unity. Loudness is felt about so,
    and PulseAudio's and most players' scales are the same.
    """
    return (percent / 100) ** 3


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


@dataclass(frozen=True, slots=True)
class Block:
    """What the card is to get next."""

    samples: npt.NDArray[np.int16] | None
    """Mono; None is silence."""
    level: float
    """RMS, 0..1 of full scale, after volume."""
    marks: tuple[Mark, ...]


SILENCE = Block(None, 0.0, ())


@dataclass(slots=True)
class _Turn:
    number: int
    pieces: deque[npt.NDArray[np.int16]] = field(default_factory=deque)
    waiting_samples: int = 0
    played_samples: int = 0
    ended: bool = False
    starved: bool = False


class PlaybackBuffer:
    """Bounded in time; every method may be called from any thread."""

    def __init__(self, rate_hz: int, volume: int, capacity_s: float) -> None:
        self.rate_hz = rate_hz
        self._capacity_samples = round(capacity_s * rate_hz)
        self._lock = threading.Lock()
        self._turns: deque[_Turn] = deque()
        self._overlay = Overlay(rate_hz)
        self._fade_samples = self._overlay.fade_samples
        self._gain = self._next_gain = gain(volume)
        self._last_sample = 0.0
        self._played = (-1, 0)

    # --- the event loop's side --------------------------------------------------------------------

    def append(self, pcm: bytes, turn: int) -> int:
        """Add s16le mono of the newest turn, which may be a new one: that ends the one before.

        Gives how many samples found no room and were dropped.
        """
        piece = np.frombuffer(pcm, "<i2")
        with self._lock:
            newest = self._newest(turn)
            room = self._capacity_samples - sum(each.waiting_samples for each in self._turns)
            kept = piece[: max(0, room)]
            if len(kept):
                newest.pieces.append(kept)
                newest.waiting_samples += len(kept)
        return len(piece) - len(kept)

    def end(self, turn: int) -> None:
        """No more of this turn will come; one that never began is over with the next block."""
        with self._lock:
            self._newest(turn).ended = True

    def _newest(self, turn: int) -> _Turn:
        if not self._turns or self._turns[-1].number != turn:
            for older in self._turns:
                older.ended = True
            self._turns.append(_Turn(turn))
        return self._turns[-1]

    def clear(self) -> None:
        """Throw away what is left of all turns, with a fade; the rest goes on."""
        with self._lock:
            rest = NOTHING
            if self._turns:
                rest = self._take_from(self._turns[0], self._fade_samples)
                self._turns.clear()
            if len(rest):
                self._overlay.add(rest * ramp_down(len(rest)))
                self._last_sample = 0.0
            else:
                self._let_go(0)

    def chime(self, samples: Samples) -> None:
        """Play this over whatever plays: mono float32 in -1..1."""
        with self._lock:
            self._overlay.add(samples * np.float32(FULL_SCALE))

    def announce(self, pcm: bytes) -> None:
        """Say this (s16le mono) after the chimes that still play, instead of what is being said."""
        sentence = np.frombuffer(pcm, "<i2").astype(np.float32)
        with self._lock:
            self._overlay.say(sentence)

    def hush(self) -> None:
        """Break off what is being said, with a fade; turns and chimes go on."""
        with self._lock:
            self._overlay.hush()

    def set_volume(self, percent: int) -> None:
        """0..100; reached at the end of the next block."""
        with self._lock:
            self._next_gain = gain(percent)

    def played_ms(self, turn: int) -> int:
        """How much of a turn was taken; only known of the one that sounded last, else 0."""
        number, samples = self._played
        return samples * 1000 // self.rate_hz if number == turn else 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to play and no turn going on."""
        return not self._turns and self._overlay.empty

    # --- the playback thread's side ---------------------------------------------------------------

    def take(self, samples: int) -> Block:
        """Give the next so many samples, mixed and at their volume."""
        with self._lock:
            if self.idle and not self._last_sample:
                self._gain = self._next_gain
                return SILENCE
            mix = np.zeros(samples, np.float32)
            marks: list[Mark] = []
            filled = self._mix_turns(mix, marks)
            if filled < samples:
                self._let_go(filled)
            over = self._overlay.mix(mix, replying=filled > 0)
            if not filled and not over:
                return Block(None, 0.0, tuple(marks))
            return self._finish(mix, tuple(marks))

    def _mix_turns(self, mix: Samples, marks: list[Mark]) -> int:
        filled = 0
        while self._turns:
            turn = self._turns[0]
            began = turn.played_samples > 0
            piece = self._take_from(turn, len(mix) - filled)
            if len(piece):
                if not began:
                    marks.append(Mark(What.FIRST, turn.number, turn.played_samples))
                if turn.starved:
                    fade = min(self._fade_samples, len(piece))
                    piece[:fade] *= 1 - ramp_down(fade)
                    turn.starved = False
                mix[filled : filled + len(piece)] = piece
                filled += len(piece)
                self._last_sample = float(piece[-1])
            if turn.waiting_samples:
                break
            if not turn.ended:
                if filled < len(mix) and turn.played_samples and not turn.starved:
                    turn.starved = True
                    marks.append(Mark(What.STARVED, turn.number, turn.played_samples))
                break
            marks.append(Mark(What.LAST, turn.number, turn.played_samples))
            self._turns.popleft()
        return filled

    def _take_from(self, turn: _Turn, samples: int) -> Samples:
        taken: list[npt.NDArray[np.int16]] = []
        wanted = samples
        while wanted and turn.pieces:
            piece = turn.pieces.popleft()
            if len(piece) > wanted:
                turn.pieces.appendleft(piece[wanted:])
                piece = piece[:wanted]
            taken.append(piece)
            wanted -= len(piece)
        turn.waiting_samples -= samples - wanted
        turn.played_samples += samples - wanted
        self._played = (turn.number, turn.played_samples)
        return np.concatenate(taken).astype(np.float32) if taken else NOTHING

    def _let_go(self, offset_samples: int) -> None:
        """The voice stops here: let its last sample sink to nothing instead of breaking off."""
        if self._last_sample:
            ramp = np.zeros(offset_samples + self._fade_samples, np.float32)
            ramp[offset_samples:] = ramp_down(self._fade_samples) * np.float32(self._last_sample)
            self._overlay.add(ramp)
            self._last_sample = 0.0

    def _finish(self, mix: Samples, marks: tuple[Mark, ...]) -> Block:
        if self._gain == self._next_gain:
            mix *= np.float32(self._gain)
        else:
            mix *= np.linspace(self._gain, self._next_gain, len(mix), dtype=np.float32)
            self._gain = self._next_gain
        level = float(np.sqrt(np.dot(mix, mix) / len(mix))) / FULL_SCALE
        whole = np.clip(np.rint(mix), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        return Block(whole, level, marks)
