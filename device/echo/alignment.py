"""`Alignment` finds which sample of the loudspeaker belongs to which of the microphone. Pure.

Two streams of samples, each with a clock of its own and each counted from its own opening. Time
stamps tell to some milliseconds how the counts belong together (`Alignment.stamp_*`); what is left
is how long sound is really on its way, buffers that nobody tells of included. That is found by
`device.echo.correlation`, and looked at again and again: its change over minutes is the drift of
the two clocks, a jump means that one stream lost samples.
A jump that shows in the stamps is followed at once and made exact by the next search; a shorter one
when somebody seems to be heard and two short searches near the place find that it is ourselves.
"""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np

from device.echo.correlation import CLEAR, LOOK_CLEAR, Found
from device.frames import MICROPHONE_RATE_HZ

LEAD_SAMPLES = 96
"""How much of the filter lies before the direct sound: 6 ms, for what the search is off."""

SAME_SAMPLES = 24
"""Two searches that differ by less have found the same path."""

JUMP_S = 0.015
"""By how much the time stamps must move against what was found to be believed."""
JUMP_SAMPLES = round(JUMP_S * MICROPHONE_RATE_HZ)

AGREEING_STAMPS = 3
"""So many in a row that tell of another time are no jitter: a thread is interrupted once between
the card's answer and the clock's. A card that ran dry takes four blocks at once."""

GUESSED_SEARCHES = 10
"""So many that find nothing, three seconds of our own sound, and a guess is given up."""

STALE_S = 1.0
"""Of silence after which the loudspeaker's older stamps are forgotten."""

STAMPS = 50
"""A second of blocks or frames: their jitter is a matter of scheduling."""

MOST_DRIFT_PPM = 250.0
"""A way that has changed by no more than this makes has crept: what was seen of the drift holds."""

DRIFT_SPAN_SAMPLES = 12 * MICROPHONE_RATE_HZ
DRIFT_SEARCHES = 5
"""From which span of time and how many searches on a slope is believed."""

FOLLOW_FROM_PPM = 4.0
"""By how much another drift than the one in use must be seen to be followed.

Measured in a synthetic room: 20 ppm cost the filter 6 dB, 5 ppm less than 1 dB.
"""


class Alignment:
    """Where in the far end a sample of the microphone is to be looked for."""

    def __init__(self) -> None:
        self._far: deque[float] = deque(maxlen=STAMPS)
        self._near: deque[float] = deque(maxlen=STAMPS)
        self._candidate: float | None = None
        self._path: float | None = None
        """The far end's place of the direct sound less the microphone's sample, at `_since`."""
        self._stamped = 0.0
        """What the time stamps said of it when it was found."""
        self._off = 0.0
        """By how much the last search has found it elsewhere: it crept before the drift was known,
        and a filter has learned with that."""
        self._glimpsed: float | None = None
        """By how much later than it was the last look has found it."""
        self._good_for = 0
        """How many searches more a guess is kept that none of them confirms; 0: it is no guess."""
        self._seen: deque[tuple[float, float]] = deque(maxlen=40)
        self._since = 0
        self._now = 0
        """The microphone's newest sample."""
        self._heard_at = 0.0
        self.drift_ppm: float | None = None
        """How much faster the loudspeaker's samples go by than the microphone's."""
        self._applied_ppm = 0.0

    def stamp_far_end(self, place: int, heard_at: float) -> None:
        """A sample of the far end is heard at this time, as far as the sound system knows."""
        if heard_at - self._heard_at > STALE_S:
            # Clocks run apart: what was stamped before the silence says nothing of now.
            self._far.clear()
        self._heard_at = heard_at
        self._far.append(heard_at - place / MICROPHONE_RATE_HZ)
        newest = list(self._far)[-AGREEING_STAMPS:]
        agree = len(newest) == AGREEING_STAMPS and max(newest) - min(newest) < JUMP_S / 2
        if agree and abs(median(newest) - median(self._far)) > JUMP_S:
            # A card that ran dry plays everything later from then on.
            self._far = deque(newest, maxlen=STAMPS)

    def stamp_microphone(self, end_sample: int, captured_at: float) -> None:
        """The microphone's sample before this one had come by this time."""
        self._now = end_sample
        self._near.append(captured_at - end_sample / MICROPHONE_RATE_HZ)

    def forget_far_end(self) -> None:
        """The loudspeaker was opened anew: its places mean something else."""
        self._far.clear()
        self._lose()

    def forget_microphone(self) -> None:
        """The microphone lost samples, or is another one."""
        self._near.clear()
        self._lose()

    def _lose(self) -> None:
        self._path = self._candidate = self._glimpsed = None
        self._good_for = 0
        self._seen.clear()

    @property
    def stamped(self) -> float | None:
        """Where a sample's far end is by the time stamps alone, less the sample; None: unknown."""
        if not self._far or not self._near:
            return None
        # A frame can only be late; a block's time is off both ways.
        return (min(self._near) - median(self._far)) * MICROPHONE_RATE_HZ

    @property
    def found(self) -> bool:
        """Whether the echo's way is known to the sample."""
        return self._path is not None

    @property
    def guessed(self) -> bool:
        """Whether the place is known by time stamps only, since it jumped: to a millisecond."""
        return self._good_for > 0

    @property
    def doubtful(self) -> bool:
        """Whether the last search found it elsewhere."""
        return self._candidate is not None

    @property
    def delay_ms(self) -> float | None:
        """How much later than the time stamps say the direct sound comes; None: unknown."""
        if self._path is None:
            return None
        return (self._stamped - self._path) * 1000 / MICROPHONE_RATE_HZ

    def place(self, first_sample: int) -> float | None:
        """Return where a frame's far end begins, `LEAD_SAMPLES` before its echo, or None."""
        if self._path is None:
            return None
        ran = (first_sample - self._since) * self._applied_ppm / 1e6
        place = first_sample + self._path + LEAD_SAMPLES + ran
        return place if self._applied_ppm else float(round(place))

    def restarted(self) -> None:
        """The loudspeaker's stream was stopped and started: what was found is a guess again."""
        self._far.clear()
        if self._path is not None:
            self._good_for = GUESSED_SEARCHES

    def jumped(self) -> bool:
        """Tell whether one of the streams lost samples since; then the new place is guessed.

        The guess is as good as the time stamps; the next search makes it exact.
        """
        stamped = self.stamped
        if self._path is None or stamped is None or len(self._far) < AGREEING_STAMPS:
            return False
        ran = (self._now - self._since) * self._applied_ppm / 1e6
        moved = stamped - self._stamped
        if abs(moved - ran) < JUMP_SAMPLES:
            return False
        self._settle(self._path + moved, stamped, self._now)
        self._good_for = GUESSED_SEARCHES
        return True

    def moved(self, found: Found, sample: int) -> bool:
        """Take a look around the place that reaches up to a sample; True when the echo has moved.

        ``found`` tells how much later it comes than it did; two looks in a row must agree. No time
        stamp tells of a jump that is shorter than their jitter.
        """
        clear = found.clearness > LOOK_CLEAR and abs(found.delay_samples) > SAME_SAMPLES
        before, self._glimpsed = self._glimpsed, found.delay_samples if clear else None
        if self._path is None or self._glimpsed is None or before is None:
            return False
        if abs(self._glimpsed - before) > SAME_SAMPLES:
            return False
        self._glimpsed = None
        # Older stamps tell of the time before, and would make the jump a second time.
        self._far = deque(list(self._far)[-AGREEING_STAMPS:], maxlen=STAMPS)
        ran = (sample - self._since) * self._applied_ppm / 1e6
        path = self._path + ran - found.delay_samples - self._off
        self._settle(path, self.stamped or self._stamped, sample)
        return True

    def learn(self, found: Found, stamped: float, sample: int) -> bool:
        """Take a search made at a sample of the microphone; True when the place has changed.

        ``stamped`` is what the search took from the time stamps. One search is believed when the
        next agrees, or where it makes a guess exact: that is no change.
        """
        if found.clearness < CLEAR:
            return self._doubt()
        path = stamped - found.delay_samples
        if self._path is not None:
            ran = (sample - self._since) * self._applied_ppm / 1e6
            off = path - self._path - ran
            if self.guessed and abs(off) <= JUMP_SAMPLES:
                self._settle(path - self._off, stamped, sample)
                return False
            if abs(off) <= SAME_SAMPLES:
                self._off = off
                self._candidate = None
                self._watch_drift(sample, path)
                return False
        agrees = self._candidate is not None and abs(path - self._candidate) <= SAME_SAMPLES
        self._candidate = path
        if agrees:
            seen = self._seen.copy() if self._crept(path, sample) else ()
            self._off = 0.0
            self._settle(path, stamped, sample)
            self._seen.extend((*seen, (float(sample), path)))
        return agrees or self._doubt()

    def _doubt(self) -> bool:
        """Nothing was found where a guess says; whether it is given up."""
        given_up = self._good_for == 1
        self._good_for = max(0, self._good_for - 1)
        if given_up:
            self._lose()
        return given_up

    def _crept(self, path: float, sample: int) -> bool:
        """Whether drift alone has moved what is found: short replies end before it is learned."""
        if not self._seen:
            return False
        last_sample, last_path = self._seen[-1]
        may_run = (sample - last_sample) * MOST_DRIFT_PPM / 1e6
        return abs(path - last_path) <= SAME_SAMPLES + may_run

    def _settle(self, path: float, stamped: float, sample: int) -> None:
        self._path, self._stamped, self._since = path, stamped, sample
        self._candidate = None
        self._good_for = 0
        self._seen.clear()

    def _watch_drift(self, sample: int, path: float) -> None:
        """Follow the slope of what is found: the far end is read a little faster or slower."""
        self._seen.append((float(sample), path))
        if sample - self._seen[0][0] < DRIFT_SPAN_SAMPLES or len(self._seen) < DRIFT_SEARCHES:
            return
        samples, paths = np.array(self._seen).T
        slope = float(np.polyfit(samples - samples[0], paths - paths[0], 1)[0])
        self.drift_ppm = slope * 1e6
        if self._path is None or abs(self.drift_ppm - self._applied_ppm) < FOLLOW_FROM_PPM:
            return
        # From here on, so that the place does not jump: the filter keeps what it has learned.
        self._path += (sample - self._since) * self._applied_ppm / 1e6
        self._stamped = self.stamped or self._stamped
        self._since = sample
        self._applied_ppm = self.drift_ppm
