"""Decides, frame by frame, whether the microphone goes up while our own sound is audible. Pure.

*Full* duplex sends the microphone always. *Half* duplex sends silence while we play and for 200 ms
after, because a server that hears its own voice interrupts itself. A microphone with echo
cancellation in its hardware can do full; any other only where our sound does not reach it (a
headset, another room), which ``auto`` finds out by watching:

- It begins as half. Once a stretch of playback held half a second of clearly audible sound and the
  microphone was then no louder than in the half second before the stretch, there is no echo: full.
- In full, a microphone that is clearly louder in the first half second of a stretch, or later rises
  and follows the loudness of what we play, hears us: half at once, and for this whole stretch. A
  rise alone is no evidence later on: that is how a person sounds who interrupts us.

Levels are compared by their medians, so that a cough or a door decides nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
import numpy.typing as npt

from device.audio.frames import FRAME_MS, SILENT_FRAME

Setting = Literal["auto", "full", "half"]
Mode = Literal["full", "half"]
Curve = npt.NDArray[np.float64]

HOLD_FRAMES = 200 // FRAME_MS
WINDOW_FRAMES = 500 // FRAME_MS
FOLLOW_FRAMES = 2000 // FRAME_MS
SOUNDING_LEVEL = 0.01
"""RMS of full scale, -40 dBFS: what is quieter need not show in a microphone that hears us."""

NO_RISE_DB = 3.0
CLEAR_RISE_DB = 6.0
FOLLOWS = 0.7
"""Correlation of the two loudnesses over two seconds from which one is the cause of the other.

Measured on synthetic speech, at the best delay: two voices that have nothing to do with each other
stay below 0.68 (99 % of the time below 0.55); an echo with 0.1-0.6 s of reverberation has 0.86 half
of the time. Over half a second independent voices reach 0.95.
"""

MAX_DELAY_FRAMES = 10
"""How late an echo may come: what is on its way to the card, the air, and on its way back."""

FLOOR_DBFS = -96.0


@dataclass(frozen=True, slots=True)
class DuplexFigures:
    """What was decided and seen, for status."""

    mode: Mode
    why: str
    playing_dbfs: float | None
    """Level of the microphone while we last played something audible."""
    silent_dbfs: float | None
    """Level of the microphone when we last did not play."""


class Duplex:
    """One object for the whole process: what it learned of the room outlives a conversation."""

    def __init__(self, setting: Setting, hardware_aec: bool) -> None:
        self._watching = setting == "auto" and not hardware_aec
        self._mode: Mode = "half" if setting == "half" or self._watching else "full"
        if setting != "auto":
            self._why = "set so in the configuration"
        elif hardware_aec:
            self._why = "the microphone cancels echo in its hardware"
        else:
            self._why = "it is not known yet whether the microphone hears the loudspeaker"
        self._hold_frames = 0
        self._shut = False
        self._condemned = False
        self._before: deque[float] = deque(maxlen=WINDOW_FRAMES)
        self._sounding: deque[float] = deque(maxlen=WINDOW_FRAMES)
        self._heard: deque[float] = deque(maxlen=FOLLOW_FRAMES)
        self._played: deque[float] = deque(maxlen=FOLLOW_FRAMES + MAX_DELAY_FRAMES)
        self._sounding_frames = 0

    @property
    def figures(self) -> DuplexFigures:
        """What was decided, why, and the levels it was decided by."""
        return DuplexFigures(self._mode, self._why, _middle(self._sounding), _middle(self._before))

    def uplink_pcm(
        self, frame_pcm: bytes, audible: bool, level: float, *, replying: bool = True
    ) -> bytes:
        """Give what is to go up in place of a frame of the microphone.

        ``audible`` and ``level`` are the Speaker's, at the time of the frame. ``replying``: what is
        audible is a reply; a mere chime teaches something about echo, but silences nobody: people
        speak on over it. Gives the same object or ``SILENT_FRAME``. To be called for every frame in
        order, also when nothing goes up.
        """
        playing = audible or self._hold_frames > 0
        self._watch(_dbfs(frame_pcm), playing=playing, audible=audible, level=level)
        self._hold_frames = HOLD_FRAMES if audible else max(0, self._hold_frames - 1)
        if audible:
            self._shut = replying
        return SILENT_FRAME if playing and self._shut and self._mode == "half" else frame_pcm

    def open_now(self) -> None:
        """Let the microphone up from the next frame on: the user has cut the reply short."""
        self._shut = False

    def _watch(self, heard_dbfs: float, *, playing: bool, audible: bool, level: float) -> None:
        if not playing:
            self._before.append(heard_dbfs)
            self._condemned = False
            self._sounding_frames = 0
            self._heard.clear()
            self._played.clear()
            return
        if not self._played:
            self._sounding.clear()
        self._heard.append(heard_dbfs)
        self._played.append(_decibels(level))
        if audible and level >= SOUNDING_LEVEL:
            self._sounding.append(heard_dbfs)
            self._sounding_frames += 1
            if self._watching and self._sounding_frames >= WINDOW_FRAMES <= len(self._before):
                self._judge()

    def _judge(self) -> None:
        rise_db = median(self._sounding) - median(self._before)
        if self._mode == "full":
            if rise_db > CLEAR_RISE_DB and self._is_ours():
                self._mode = "half"
                self._condemned = True
                self._why = f"the microphone hears the loudspeaker: {rise_db:.0f} dB louder"
        elif rise_db < NO_RISE_DB and not self._condemned:
            self._mode = "full"
            self._why = "the microphone does not hear the loudspeaker"

    def _is_ours(self) -> bool:
        """Whether what the microphone hears comes from us and not from a person."""
        if self._sounding_frames == WINDOW_FRAMES:
            return True
        if len(self._played) < FOLLOW_FRAMES + MAX_DELAY_FRAMES:
            return False
        heard = np.array(self._heard)
        played = np.array(self._played)
        return any(
            _correlation(heard, played[start : start + FOLLOW_FRAMES]) > FOLLOWS
            for start in range(MAX_DELAY_FRAMES + 1)
        )


def _dbfs(frame_pcm: bytes) -> float:
    samples = np.frombuffer(frame_pcm, "<i2").astype(np.float32)
    return _decibels(math.sqrt(float(np.dot(samples, samples)) / len(samples)) / 32_768)


def _decibels(level: float) -> float:
    return max(FLOOR_DBFS, 20 * math.log10(level)) if level > 0 else FLOOR_DBFS


def _middle(levels_dbfs: Collection[float]) -> float | None:
    return median(levels_dbfs) if levels_dbfs else None


def _correlation(one: Curve, other: Curve) -> float:
    """From -1 to 1; 0 where one of them does not move."""
    one = one - one.mean()
    other = other - other.mean()
    size = math.sqrt(float(np.dot(one, one)) * float(np.dot(other, other)))
    return float(np.dot(one, other)) / size if size > 0 else 0.0
