"""`NearEnd` tells a person over our own voice from what is left of its echo. Pure.

Each frame is split into bands. What of our own sound may be left in a band is predicted from what
was played in it lately and from the *leak*: how much of that used to arrive, learned as a high
quantile over the time in which only we were heard. By how much a frame stands out of that
prediction, and out of the room's noise, is evidence for somebody else, which is summed up over the
bands and over time (a cumulative sum: E. S. Page, "Continuous Inspection Schemes", 1954).

It works by spectral contrast: speech of two voices rarely falls into the same bands at the same
time, so that a person who is 10 dB quieter than our echo still stands out somewhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device.echo.noise import Noise
from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ

Samples = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float64]

EDGES_HZ = (200, 400, 700, 1100, 1600, 2300, 3200, 4500, 6500)
WINDOW_SAMPLES = 512
FLOOR = 1e-2
"""Of a band's power, in squared steps of int16: digital silence has a level too."""

SOUNDING_DB = 20.0
"""Level of a band from which our own sound says something about the leak."""
REVERBERATION = 0.85
"""What is left of a band's power after a frame: 35 dB in a second, a living room."""
SPREAD = 10 ** (-22 / 10)
"""Of all that is played, what counts as played in each band: a driver's distortion puts loud vowels
into bands where nothing was played. Measured in synthetic rooms: without it our own loudest words
were taken for a person about twice a minute, with it never, and a person is found as soon."""
QUANTILE = 0.97
"""Of the residue in a band that is taken for what may be left of our own sound."""
GEARS_DB = ((250, 2.0), (1000, 0.5), (0, 0.3))
"""By how much the leak moves in a frame: fast until it was learned for so many frames."""
LEARNED_FRAMES = 125
DOUBT_DB = 15.0
"""By how much more may be left of our own sound after its place has jumped, until the filter is
back. Measured in synthetic rooms after jumps of 14 to 42 ms: our own voice passes for somebody's
for 235 ms at most, where it did for up to 685 with 0 dB. The price, in the seconds after: a person
is found after 100 to 240 ms (0 to 220), and one whom our echo exceeds by 6 dB, or who is at -32
dBFS, may be missed in their first 1.4 s. With 6 dB nobody was missed, but our own voice passed for
somebody's for 385 ms.
"""
DOUBTFUL = 0.1
"""How much of that while somebody else seems to speak: it may be our echo that has changed."""
LEAST_NOISE_DB = 10.0
"""About -80 dBFS: a microphone that delivers digital silence is not that quiet for long."""
OVER_NOISE_DB = 3.0

RECENT_SHARE = 0.15
"""Of a frame: the last 130 ms, so that half a second's pause of ours leaves nothing of before."""
HUM_BANDS, BRIGHT_BANDS = 2, 6
BRIGHT = 10 ** (-12 / 10)
"""From 700 to 3200 Hz, against what is below. Measured with espeak-ng: short words are brighter for
240 to 500 ms, "stop" all along; the hum of a closed mouth is not.
"""

MOST_DB = 12.0
"""Of one band that counts in one frame: a click says no more than a word."""
USUAL_DB = 6.0
"""What a frame of ours alone stands out by, over all bands: evidence is what exceeds it."""
FIRST_NEEDED_DB, LEAST_NEEDED_DB, MOST_NEEDED_DB = 40.0, 25.0, 90.0
"""How much evidence makes a person: at first, and between which bounds that moves.

Measured in synthetic rooms, our own speech at -20 dBFS and the echo 6 to 14 dB below it: minutes of
it alone gave no evidence at all; a person at -20 dBFS is found 50 to 60 ms after the beginning of
the first word, one at -32 dBFS after 110 to 120 ms.
"""
LINGERS_DB = 40.0
"""Evidence beyond what is needed that is kept: it is gone 130 ms after the last word."""
FALSE_ALARM_DB = 10.0
"""How much more is needed after something was taken for a person that was none."""
RELAX_DB = 0.005
"""By how much that is forgotten again in a frame of our own sound: 15 dB in a minute."""


class NearEnd:
    """Takes the cleaned microphone and the far end, frame by frame, in step."""

    def __init__(self) -> None:
        hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / MICROPHONE_RATE_HZ)
        edges = np.searchsorted(hz, EDGES_HZ)
        self._bins = slice(edges[0], edges[-1])
        self._begins = edges[:-1] - edges[0]
        bands = len(self._begins)
        # Of a Hann window's power 3/8 is left.
        self._scale = 1 / (WINDOW_SAMPLES * 0.375 * np.diff(edges))
        self._window = np.hanning(WINDOW_SAMPLES)
        self._cleaned = np.zeros(WINDOW_SAMPLES)
        self._far_end = np.zeros(WINDOW_SAMPLES)
        self._played = np.full(bands, FLOOR)
        self._noise = Noise(bands, LEAST_NOISE_DB)
        self._recent_db = np.full(bands, LEAST_NOISE_DB)
        """What the last moments were like, whoever was heard in them."""
        self.bright = False
        """Whether the last frame had as much above the lowest bands as words have, not a hum."""
        self._evidence_db = 0.0
        self.needed_db = FIRST_NEEDED_DB
        """How much evidence is needed."""
        self.relearn()

    def relearn(self) -> None:
        """The echo's way has changed: what was known of the leak is worth nothing."""
        self._leak_db = np.zeros(len(self._begins))
        self._frames = 0

    def doubt(self) -> None:
        """More of our own sound may be left for a while; it is learned as fast as at first."""
        self._leak_db = np.minimum(self._leak_db + DOUBT_DB, 0.0)
        self._frames = min(self._frames, LEARNED_FRAMES)

    @property
    def learned(self) -> bool:
        """Whether it has heard enough of our own sound to tell a person from it."""
        return self._frames >= LEARNED_FRAMES

    def hear(self, cleaned: Samples, far_end: Samples | None) -> bool:
        """Take a frame; whether somebody else is heard in the last ones.

        ``far_end``: None while nothing of ours is on its way.
        """
        heard = self._levels(self._cleaned, cleaned)
        heard_db = _decibels(heard)
        self._recent_db = self._recent_db + RECENT_SHARE * (heard_db - self._recent_db)
        low, high = heard[:HUM_BANDS].sum(), heard[HUM_BANDS:BRIGHT_BANDS].sum()
        self.bright = bool(high > BRIGHT * low)
        if far_end is None:
            self._far_end[:] = 0
            played = np.zeros(len(self._begins))
        else:
            played = self._levels(self._far_end, far_end)
            played = np.maximum(played, SPREAD * played.sum())
        self._played = np.maximum(played, self._played * REVERBERATION)
        played_db = _decibels(self._played)
        sounding = played_db > SOUNDING_DB
        ours_db = np.where(sounding, played_db + self._leak_db, -100.0)
        expected_db = np.maximum(ours_db, self._noise.level_db + OVER_NOISE_DB)
        stands_out_db = float(np.clip(heard_db - expected_db, 0.0, MOST_DB).sum()) - USUAL_DB
        most_db = self.needed_db + LINGERS_DB
        self._evidence_db = min(max(0.0, self._evidence_db + stands_out_db), most_db)
        near = self._evidence_db > self.needed_db
        if sounding.any():
            self._learn_leak(heard_db, played_db, sounding, doubt=near)
        else:
            self._noise.hear(heard_db)
        return near

    def was_nobody(self) -> None:
        """Take what it took for a person for the room's noise, and be more careful."""
        self._noise.was_noise(self._recent_db)
        self.needed_db = min(self.needed_db + FALSE_ALARM_DB, MOST_NEEDED_DB)
        self._evidence_db = 0.0

    def _learn_leak(
        self,
        heard_db: Levels,
        played_db: Levels,
        sounding: npt.NDArray[np.bool_],
        *,
        doubt: bool,
    ) -> None:
        self._frames += 1
        self.needed_db = max(self.needed_db - RELAX_DB, LEAST_NEEDED_DB)
        step_db = next(gear for frames, gear in GEARS_DB if self._frames < frames or not frames)
        if doubt and self.learned:
            step_db *= DOUBTFUL
        more = heard_db > played_db + self._leak_db
        # Where only noise is heard, our own sound is somewhere below it: that is no more of it.
        telling = heard_db > self._noise.level_db + OVER_NOISE_DB
        moves = np.where(more, step_db * QUANTILE * telling, -step_db * (1 - QUANTILE))
        self._leak_db += np.where(sounding, moves, 0.0)

    def _levels(self, history: npt.NDArray[np.float64], frame: Samples) -> Levels:
        """Push a frame into a history; the power of its bands then."""
        history[:-FRAME_SAMPLES] = history[FRAME_SAMPLES:]
        history[-FRAME_SAMPLES:] = frame
        spectrum = np.fft.rfft(history * self._window)[self._bins]
        power = spectrum.real**2 + spectrum.imag**2
        levels: Levels = np.add.reduceat(power, self._begins) * self._scale
        return levels


def _decibels(power: Levels) -> Levels:
    levels: Levels = 10 * np.log10(power + FLOOR)
    return levels
