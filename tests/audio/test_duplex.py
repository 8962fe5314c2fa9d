"""Whether the microphone goes up while we play."""

from __future__ import annotations

import numpy as np
import pytest

from device.audio.duplex import Duplex
from device.audio.frames import FRAME_SAMPLES, SILENT_FRAME
from tests.rig.sound import espeak

QUIET, LOUD = 0.001, 0.1


class Room:
    """Feeds a Duplex frame by frame and remembers what went up."""

    def __init__(self, duplex: Duplex) -> None:
        self.duplex = duplex
        self._random = np.random.default_rng(4)

    def frame(self, rms: float) -> bytes:
        samples = self._random.normal(0, rms * 32_768, FRAME_SAMPLES)
        return np.clip(np.rint(samples), -32_768, 32_767).astype("<i2").tobytes()

    def silence(self, frames: int, heard: float = QUIET) -> int:
        """We play nothing; gives how many frames went up unchanged."""
        return sum(self.hears(heard, audible=False, level=0.0) for _ in range(frames))

    def playback(self, frames: int, heard: float = QUIET, level: float = LOUD) -> int:
        """We play; gives how many frames went up unchanged."""
        return sum(self.hears(heard, audible=True, level=level) for _ in range(frames))

    def reply(self, frames: int, echo: float, near: float = QUIET) -> int:
        """We speak, with syllables; the microphone hears ``echo`` times that, 60 ms later."""
        levels = LOUD * (1.1 + np.sin(np.arange(frames) / 3))
        late = np.concatenate([np.zeros(3), levels])
        return sum(
            self.hears(float(np.hypot(near, echo * late[i])), audible=True, level=float(levels[i]))
            for i in range(frames)
        )

    def hears(self, heard: float, *, audible: bool, level: float) -> bool:
        pcm = self.frame(heard)
        up = self.duplex.uplink_pcm(pcm, audible, level)
        assert up is pcm or up is SILENT_FRAME
        return up is pcm

    @property
    def mode(self) -> str:
        return self.duplex.figures.mode


def levels(pcm: bytes) -> list[float]:
    """The RMS of every 20 ms."""
    samples = np.frombuffer(pcm, "<i2") / 32_768
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return [max(QUIET, float(np.sqrt(np.mean(frame**2)))) for frame in frames]


def room(setting: str = "auto", *, aec: bool = False) -> Room:
    assert setting in ("auto", "full", "half")
    return Room(Duplex(setting, aec))  # type: ignore[arg-type]


@pytest.mark.parametrize(("setting", "aec"), [("full", False), ("full", True), ("auto", True)])
def test_full_never_touches_a_frame(setting: str, *, aec: bool) -> None:
    """The very same object goes up, echo or not."""
    it = room(setting, aec=aec)
    assert it.silence(30) == 30
    assert it.reply(200, echo=1) == 200
    assert it.mode == "full"


def test_half_sends_silence_while_we_play_and_for_200_ms_after() -> None:
    """The echo of our last word must not come back as the user's first."""
    it = room("half")
    assert it.silence(30) == 30
    assert it.playback(50) == 0
    assert it.silence(10) == 0
    assert it.silence(10) == 10
    assert it.mode == "half"


def test_auto_begins_as_half() -> None:
    """The first reply interrupts itself nowhere."""
    it = room()
    it.silence(30)
    assert it.playback(24) == 0
    assert it.mode == "half"


def test_auto_becomes_full_when_half_a_second_of_sound_cannot_be_heard() -> None:
    """Headphones, or a loudspeaker in another room."""
    it = room()
    it.silence(30)
    assert it.reply(100, echo=0) > 0
    assert it.mode == "full"
    assert "does not hear" in it.duplex.figures.why


def test_auto_stays_half_where_the_microphone_hears_us() -> None:
    """However long we talk."""
    it = room()
    for _ in range(3):
        it.silence(30)
        assert it.reply(200, echo=0.5) == 0
    assert it.mode == "half"


def test_silence_within_a_reply_proves_nothing() -> None:
    """What we play must be loud enough to be heard at all."""
    it = room()
    it.silence(30)
    it.playback(200, level=0.001)
    assert it.mode == "half"


def test_without_a_silence_before_nothing_is_decided() -> None:
    """There is nothing to compare with when the microphone opens amid a reply."""
    it = room()
    it.reply(100, echo=0)
    assert it.mode == "half"


def test_a_short_chime_decides_nothing_not_even_many_of_them() -> None:
    """A stretch must hold half a second by itself."""
    it = room()
    for _ in range(10):
        it.silence(30)
        it.playback(10)
    assert it.mode == "half"


def test_a_noise_that_was_there_before_is_no_echo() -> None:
    """A fan, or a television."""
    it = room()
    it.silence(30, heard=0.02)
    it.playback(50, heard=0.02)
    assert it.mode == "full"


def full_room() -> Room:
    it = room()
    it.silence(30)
    it.reply(60, echo=0)
    assert it.mode == "full"
    it.silence(40)
    return it


def test_full_becomes_half_as_soon_as_the_next_reply_is_heard() -> None:
    """The headphones were unplugged: half a second of echo, and no more."""
    it = full_room()
    assert it.reply(200, echo=0.5) <= 25
    assert it.mode == "half"
    assert "hears the loudspeaker" in it.duplex.figures.why


def test_full_becomes_half_when_we_become_audible_amid_a_reply() -> None:
    """Somebody turned the volume up: the microphone follows what we play."""
    it = full_room()
    it.reply(60, echo=0)
    assert it.reply(300, echo=0.5) < 120
    assert it.mode == "half"


def test_a_person_who_interrupts_is_not_taken_for_echo() -> None:
    """Loud, but not in step with us: the barge-in goes up whole."""
    ours = levels(
        espeak("Once upon a time there was a little girl who lived near the forest. " * 2)
    )
    theirs = levels(
        espeak("no, no, that is not what I meant, tell me about dragons" * 2, "en-us+m3")
    )
    it = full_room()
    for number, level in enumerate(ours):
        near = theirs[number - 50] if 50 <= number < 50 + len(theirs) else QUIET
        assert it.hears(near, audible=True, level=level)
    assert it.mode == "full"


def test_a_steady_noise_amid_a_steady_sound_is_not_taken_for_echo() -> None:
    """Two levels that do not move have nothing to do with each other."""
    it = full_room()
    it.playback(150)
    steady = it.frame(0.1)
    for _ in range(150):
        it.duplex.uplink_pcm(steady, audible=True, level=LOUD)
    assert it.mode == "full"


def test_it_does_not_go_back_to_full_within_the_same_stretch() -> None:
    """No flapping: an echo once heard counts until we are silent again."""
    it = full_room()
    it.reply(50, echo=0.5)
    assert it.mode == "half"
    assert it.reply(300, echo=0) == 0
    it.silence(40)
    it.reply(60, echo=0)
    assert it.mode == "full"


def test_the_figures_tell_both_levels() -> None:
    """For `parley status`: what was compared."""
    it = room()
    assert it.duplex.figures.silent_dbfs is None
    assert it.duplex.figures.playing_dbfs is None
    it.silence(30, heard=0.001)
    it.playback(50, heard=0.1)
    figures = it.duplex.figures
    assert figures.silent_dbfs == pytest.approx(-60, abs=1)
    assert figures.playing_dbfs == pytest.approx(-20, abs=1)
    assert "not known yet" in figures.why


def test_digital_silence_has_a_level_too() -> None:
    """A muted channel is a floor, not an error."""
    it = room()
    it.duplex.uplink_pcm(SILENT_FRAME, audible=False, level=0.0)
    assert it.duplex.figures.silent_dbfs == -96


def test_a_chime_silences_nobody() -> None:
    """People speak on over it: only a reply shuts the microphone."""
    it = room("half")
    pcm = it.frame(QUIET)
    assert it.duplex.uplink_pcm(pcm, audible=True, level=LOUD, replying=False) is pcm
    assert it.duplex.uplink_pcm(pcm, audible=False, level=0.0, replying=False) is pcm


def test_a_reply_that_was_cut_short_lets_the_microphone_up_at_once() -> None:
    """The user has begun to speak: the 200 ms after our last sound are theirs."""
    it = room("half")
    assert it.playback(20) == 0
    it.duplex.open_now()
    assert it.silence(5) == 5
