"""`EchoCanceller` takes our own voice out of the frames, and tells what it saw of the echo.

Theory of operation. Each frame of the microphone meets the stretch of what was played that belongs
to it: `FarEnd` holds what was played, `Alignment` knows where to look. The adaptive filter
(`device.echo.speex`) takes off the echo it predicts, `NearEnd` tells from what is left whether
somebody else is speaking; as soon as it says so it is looked whether that is our own voice, come
from another place than it did. While nothing of ours is on its way the frames pass as they are,
bit for bit; where the filter comes and goes it is faded over a frame.

Everything happens on the event loop's thread, a frame at a time; there is no waiting in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from device.echo.alignment import LEAD_SAMPLES, Alignment
from device.echo.correlation import (
    EARLIEST_SAMPLES,
    LATEST_SAMPLES,
    LOOK_SAMPLES,
    NEARBY_SAMPLES,
    WINDOW_SAMPLES,
    search,
)
from device.echo.far_end import FarEnd
from device.echo.near_end import FIRST_NEEDED_DB, NearEnd
from device.echo.path import EchoFigures, EchoPath
from device.echo.speex import SpeexEcho
from device.frames import FRAME_MS, FRAME_SAMPLES, Frame
from device.ports import Played

Samples = npt.NDArray[np.float32]
Pcm = npt.NDArray[np.int16]

FILTER_SAMPLES = 2048
"""128 ms: with the delay known, longer filters learn more slowly and take off no more."""

BLIND_FRAMES = 500 // FRAME_MS
"""How long nobody is told from us after the place was found again: the filter looks back on 128 ms,
and may have learned something wrong before the jump was noticed."""

RINGING_FRAMES = 600 // FRAME_MS
"""How long after its last sample our own sound may still be heard in a room."""

NOISE_EVERY_FRAMES = 5
"""Of the frames in which nothing of ours is heard, those the noise is learned from."""
SETTLED_FRAMES = 6000 // FRAME_MS
SELDOM_FRAMES = 25
"""Once nothing was heard of us for as long, which is long enough to learn a noise from nothing, one
frame in so many does. Those that are known to be quiet are only kept until the noise is asked for,
and tell it then as at first: nobody speaks in them."""
KEPT_FRAMES = 5000 // FRAME_MS
"""Long enough to learn from that a fan was switched on."""

SEARCH_FRAMES = 300 // FRAME_MS
CHECK_FRAMES = 2000 // FRAME_MS
"""Frames of our own sound between two searches: until the echo's way is found, and while nothing
speaks against it."""
ENOUGH_SAMPLES = 300 * FRAME_SAMPLES // FRAME_MS
"""So much of our own sound a search is made of. A chime, or the first syllable of a reply, stood
out of a correlation 7 to 17 times at places that were wrong by up to 50 ms, and in 2 of 18 talks
two of them agreed; from 300 ms on it was 30 to 57 times, and right to a sample."""
SOON_FRAMES = 60 // FRAME_MS
"""When it is looked again whether there is as much."""

POWER_SHARE = 0.2
HARM = 10 ** (1.5 / 10)
HARM_FRAMES = 200 // FRAME_MS
"""A filter that makes it louder by those 1.5 dB, over about 100 ms, does harm."""

NOTICED_FRAMES = 300 // FRAME_MS
"""Within this of their first sound somebody is noticed: so long a frame waits to be measured."""
TALKING_FRAMES = 1000 // FRAME_MS
"""People pause between their words: so long nothing is measured after one."""

LOOK_EVERY_FRAMES = 80 // FRAME_MS
LAST_LOOK_FRAMES = 320 // FRAME_MS
"""How often, and for how long, it is looked whether somebody who is heard is us, from elsewhere:
until they are known to speak, by which time the reply has paused for them and is not heard."""

FADE = np.linspace(0, 1, FRAME_SAMPLES, endpoint=False, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame of the microphone, and what is known of it."""

    frame: Frame
    """Without our own voice, as far as it could be taken out."""
    far_end: bytes | None
    """What of ours arrives in it (s16le, 16 kHz, as long as the frame); None: nothing does."""
    near: bool
    """Whether somebody else is heard in the last frames."""
    bright: bool = False
    """Whether it sounds like words, and not like a hum; only known while ours is heard too."""


class EchoCanceller:
    """One microphone and one loudspeaker. Used from the event loop's thread only."""

    def __init__(self, *, cancels: bool) -> None:
        """Without ``cancels`` the frames stay as they are, and the echo is only watched.

        Raises EchoCancellerError when the canceller's library is missing.
        """
        self._filter = SpeexEcho(FRAME_SAMPLES, FILTER_SAMPLES) if cancels else None
        self._far = FarEnd()
        self._alignment = Alignment()
        self._near_end = NearEnd()
        self._path = EchoPath()
        self._microphone = np.zeros(WINDOW_SAMPLES, np.float32)
        self._recent: deque[bytes] = deque(maxlen=WINDOW_SAMPLES // FRAME_SAMPLES + 1)
        """What was heard since that was looked at last."""
        self._kept: deque[bytes] = deque(maxlen=KEPT_FRAMES)
        """What was quiet, and the noise was not learned from yet."""
        self._next_sample: int | None = None
        self._start = 0
        """Of the loudspeaker's stream."""
        self._quiet_frames = self._idle_frames = RINGING_FRAMES
        self._unseen: deque[tuple[Pcm, Pcm, Samples]] = deque()
        """Frames that count for the figures unless somebody turns out to speak in them."""
        self._powers = [0.0, 0.0]
        """Of what goes into the filter and of what comes out, over the last frames."""
        self._harm_frames = 0
        self._blind_frames = 0
        """How many more our own voice is not taken out of: it cannot be told from somebody's."""
        self._near_frames = 0
        """For how long somebody has been heard."""
        self._talking_frames = 0
        """How long what is heard is still taken for somebody else's."""
        self._until_search = SEARCH_FRAMES
        self._cancelling = False

    @property
    def cancels(self) -> bool:
        """Whether it takes anything out."""
        return self._filter is not None

    @property
    def figures(self) -> EchoFigures:
        """What is known of the echo."""
        self._learn_what_was_kept()
        alignment = self._alignment
        return self._path.figures(
            delay_ms=alignment.delay_ms,
            drift_ppm=alignment.drift_ppm,
            needed_db=self._near_end.needed_db,
            learned=self._near_end.learned,
        )

    @property
    def doubted(self) -> bool:
        """Whether it has taken noises for people lately: what follows from that does not last."""
        return self._near_end.needed_db > FIRST_NEEDED_DB

    @property
    def blind(self) -> bool:
        """Whether our own voice cannot be told from somebody's just now."""
        return self._blind_frames > 0

    def measure_anew(self) -> None:
        """Begin the figures anew; what was learned of the echo stays."""
        self._path.forget()

    def was_nobody(self) -> None:
        """Take note that what was taken for a person was none."""
        self._near_end.was_nobody()

    def hear(self, frame: Frame, played: Sequence[Played], *, attentive: bool = False) -> Heard:
        """Take the next frame, and what was played since the last.

        ``attentive``: tell whether somebody else is heard also when nothing of ours is (any more).
        """
        if played or self._alignment.guessed:
            self._take_played(played)
        if frame.first_sample != self._next_sample:
            self._begin_afresh()
        self._next_sample = frame.end_sample
        self._alignment.stamp_microphone(frame.end_sample, frame.captured_at)
        self._recent.append(frame.pcm)
        # Where the place is wrong the far end may seem silent: what was played tells better.
        self._idle_frames = 0 if played else self._idle_frames + 1
        playing = self._idle_frames <= RINGING_FRAMES
        if self._quiet_frames >= RINGING_FRAMES and not (playing or self._cancelling or attentive):
            self._quiet_frames += 1
            self._hear_the_room(frame)
            return Heard(frame, None, near=False)
        self._learn_what_was_kept()
        samples = np.frombuffer(frame.pcm, "<i2")
        recent = np.frombuffer(b"".join(self._recent), "<i2")
        self._microphone = np.concatenate([self._microphone, recent])[-WINDOW_SAMPLES:]
        self._recent.clear()
        far_end = self._far_end_of(frame)
        sounding = bool(far_end.any())
        self._quiet_frames = 0 if sounding else self._quiet_frames + 1
        cleaned = self._cancel(samples, far_end)
        near = self._judge(samples, cleaned, far_end) and not self._are_we_elsewhere(frame)
        if sounding or playing:
            self._look_for_the_way(frame)
        whole = frame if cleaned is samples else replace(frame, pcm=cleaned.tobytes())
        ours = np.rint(far_end).astype("<i2").tobytes()
        return Heard(whole, ours, near=near, bright=self._near_end.bright)

    def _hear_the_room(self, frame: Frame) -> None:
        """Take a frame in which nothing of ours is heard."""
        settled = self._quiet_frames > SETTLED_FRAMES
        if settled and frame.quiet:
            self._kept.append(frame.pcm)
        elif self._quiet_frames % (SELDOM_FRAMES if settled else NOISE_EVERY_FRAMES) == 0:
            self._learn_what_was_kept()
            self._learn_noise(frame.pcm)

    def _learn_what_was_kept(self) -> None:
        if len(self._kept) < NOISE_EVERY_FRAMES:
            return
        for pcm in list(self._kept)[::NOISE_EVERY_FRAMES]:
            self._learn_noise(pcm)
        self._kept.clear()

    def _learn_noise(self, pcm: bytes) -> None:
        samples = np.frombuffer(pcm, "<i2")
        self._near_end.hear(samples.astype(np.float32), None)
        self._path.see(samples, samples, None)

    def _take_played(self, played: Sequence[Played]) -> None:
        for block in played:
            if self._far.add(block):
                self._alignment.forget_far_end()
                self._reset()
            elif block.start != self._start:
                self._alignment.restarted()
                self._look_anew()
                self._near_end.doubt()
            self._start = block.start
            self._alignment.stamp_far_end(self._far.place_of(block), block.heard_at)
        if played and self._alignment.jumped():
            self._look_anew()
            self._near_end.doubt()
        if self._alignment.guessed:
            self._blind_frames = BLIND_FRAMES

    def _look_anew(self) -> None:
        """The echo comes from elsewhere: the place is made exact by what is heard from now on.

        What the filter has learned holds, but it went astray until that was noticed, and comes back
        by itself.
        """
        self._microphone[:] = 0
        self._until_search = SEARCH_FRAMES

    def _begin_afresh(self) -> None:
        self._alignment.forget_microphone()
        self._microphone[:] = 0
        self._recent.clear()
        self._kept.clear()

    def _reset(self) -> None:
        if self._filter is not None:
            self._filter.reset()
        self._near_end.relearn()
        self._path.forget()

    def _far_end_of(self, frame: Frame) -> Samples:
        place = self._alignment.place(frame.first_sample)
        if place is None:
            stamped = self._alignment.stamped
            if stamped is None:
                return np.zeros(FRAME_SAMPLES, np.float32)
            place = frame.first_sample + round(stamped)
        return self._far.read(place, FRAME_SAMPLES)

    def _cancel(self, samples: Pcm, far_end: Samples) -> npt.NDArray[np.int16]:
        if self._filter is None:
            return samples
        ringing = self._quiet_frames <= RINGING_FRAMES
        wanted = self._alignment.found and not self._alignment.guessed and ringing
        if not wanted and not self._cancelling:
            return samples
        cleaned = self._filter.cancel(samples, np.rint(far_end).astype(np.int16))
        if wanted != self._cancelling:
            fade = FADE if wanted else 1 - FADE
            mixed = samples + fade * (cleaned.astype(np.float32) - samples)
            cleaned = np.rint(mixed).astype(np.int16)
            self._cancelling = wanted
        return samples if self._does_harm(samples, cleaned) else cleaned

    def _does_harm(self, samples: Pcm, cleaned: Pcm) -> bool:
        """Whether the filter makes it louder: what is played was turned down behind our back, say.

        It is better left out then, and begun anew when that lasts.
        """
        for index, each in enumerate((samples, cleaned)):
            whole = each.astype(np.float64)
            self._powers[index] += POWER_SHARE * (float(whole @ whole) - self._powers[index])
        harms = self._powers[1] > HARM * self._powers[0]
        self._harm_frames = self._harm_frames + 1 if harms else 0
        if self._harm_frames >= HARM_FRAMES:
            self._harm_frames = 0
            self._reset()
        return harms

    def _judge(self, samples: Pcm, cleaned: Pcm, far_end: Samples) -> bool:
        if self._blind_frames:
            self._blind_frames -= 1
            self._near_frames = 0
            return False
        near = self._near_end.hear(cleaned.astype(np.float32), far_end)
        self._near_frames = self._near_frames + 1 if near else 0
        if near:
            self._unseen.clear()
            self._talking_frames = TALKING_FRAMES
        elif self._talking_frames:
            self._talking_frames -= 1
        else:
            self._unseen.append((samples, cleaned, far_end))
            if len(self._unseen) > NOTICED_FRAMES:
                self._path.see(*self._unseen.popleft())
        return near

    def _are_we_elsewhere(self, frame: Frame) -> bool:
        """Whether who is heard is ourselves, at another place than it was, which is taken then."""
        if self._near_frames % LOOK_EVERY_FRAMES or self._near_frames > LAST_LOOK_FRAMES:
            return False
        place = self._alignment.place(frame.end_sample - LOOK_SAMPLES)
        if place is None:
            return False
        begin = round(place) - LEAD_SAMPLES - NEARBY_SAMPLES
        far_end = self._far.glance(begin, LOOK_SAMPLES + 2 * NEARBY_SAMPLES)
        found = search(self._microphone[-LOOK_SAMPLES:], far_end, NEARBY_SAMPLES)
        if not self._alignment.moved(found, frame.end_sample):
            return False
        self._look_anew()
        self._near_end.relearn()
        self._blind_frames = BLIND_FRAMES
        return True

    def _look_for_the_way(self, frame: Frame) -> None:
        self._until_search -= 1
        if self._until_search > 0:
            return
        alignment = self._alignment
        stamped = alignment.stamped
        if stamped is None:
            self._until_search = SEARCH_FRAMES
            return
        begin = frame.end_sample - WINDOW_SAMPLES + round(stamped) - LATEST_SAMPLES
        # It ends in what has not sounded yet, and may not have been told yet.
        far_end = self._far.glance(begin, WINDOW_SAMPLES + LATEST_SAMPLES - EARLIEST_SAMPLES)
        if np.count_nonzero(far_end) < ENOUGH_SAMPLES:
            self._until_search = SOON_FRAMES
            return
        found = search(self._microphone, far_end)
        if alignment.learn(found, round(stamped), frame.end_sample):
            self._reset()
        sure = alignment.found and not alignment.doubtful and not alignment.guessed
        self._until_search = CHECK_FRAMES if sure else SEARCH_FRAMES
