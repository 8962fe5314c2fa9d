"""What counts as an answer is what was heard."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from device.frames import REPLY_RATE_HZ
from device.live.answers import DEAD_PEAK, SILENT_MS, TONE_MS, Answer
from device.simulator.voices import RECORDINGS, load
from tests.rig.speech import espeak

Floats = npt.NDArray[np.float64]


def s16(samples: Floats) -> bytes:
    return (samples * 32_767).round().astype("<i2").tobytes()


def silence(ms: float, peak: int = 0) -> bytes:
    """A dead line: now and then a sample that is not zero."""
    samples = np.zeros(round(ms * REPLY_RATE_HZ / 1000), "<i2")
    samples[::7] = peak
    return samples.tobytes()


def tone(ms: float, hz: float = 440.0, level: float = 0.5, harmonics: int = 1) -> bytes:
    moments = np.arange(round(ms * REPLY_RATE_HZ / 1000)) / REPLY_RATE_HZ
    parts = [np.sin(2 * np.pi * hz * k * moments) / k for k in range(1, harmonics + 1)]
    return s16(level * np.sum(parts, axis=0) / harmonics)


def chunks(pcm: bytes, ms: float = 40.0) -> list[bytes]:
    size = 2 * round(ms * REPLY_RATE_HZ / 1000)
    return [pcm[start : start + size] for start in range(0, len(pcm), size)]


def hear(answer: Answer, pcm: bytes, ms: float = 40.0) -> bool:
    """Give it the sound in chunks until it gives up, if it does."""
    return any(answer.sound(chunk) for chunk in chunks(pcm, ms))


def test_a_turn_without_a_sound_is_no_answer() -> None:
    """Whatever else was in it."""
    assert Answer().unheard == "empty"
    told = Answer()
    told.text()
    told.transcribed()
    assert told.unheard == "text_only"
    refused = Answer()
    refused.text()
    refused.rejected()
    assert refused.unheard == "rejected"


def test_what_was_heard_is_an_answer_even_if_the_server_takes_it_back() -> None:
    """A rejection after a whole sentence was heard needs no other answer."""
    answer = Answer()
    assert not hear(answer, tone(300))
    answer.rejected()
    assert (answer.audible, answer.unheard) == (True, None)


@pytest.mark.parametrize("chunk_ms", [5, 40, 3_000])
def test_a_dead_line_is_given_up_after_two_seconds(chunk_ms: float) -> None:
    """However long or short the chunks are; its transcript does not count."""
    answer = Answer()
    answer.transcribed()
    quiet = chunks(silence(6_000, peak=DEAD_PEAK - 1), chunk_ms)
    heard_ms = 0.0
    for chunk in quiet:
        heard_ms += len(chunk) / 2 / REPLY_RATE_HZ * 1000
        if answer.sound(chunk):
            break
    assert SILENT_MS <= heard_ms <= SILENT_MS + chunk_ms
    assert answer.unheard == "silent"


def test_a_short_silent_turn_is_no_answer_either() -> None:
    """Though nobody could tell before its end."""
    answer = Answer()
    assert not hear(answer, silence(700))
    assert answer.unheard == "silent"


def test_a_good_reply_that_begins_with_silence_passes() -> None:
    """1.5 s of it were seen."""
    answer = Answer()
    assert not hear(answer, silence(1_500) + tone(500) + silence(4_000))
    assert answer.unheard is None


@pytest.mark.parametrize("hz", [150.0, 440.0, 1_003.0, 5_000.0])
def test_a_tone_that_does_not_end_is_given_up_after_five_seconds(hz: float) -> None:
    """Also after speech."""
    answer = Answer()
    assert not hear(answer, silence(200))
    answer.transcribed()
    assert not hear(answer, tone(TONE_MS - 300, hz))
    assert hear(answer, tone(900, hz))
    assert answer.unheard == "silent"


def test_a_tone_while_the_transcript_goes_on_is_part_of_a_reply() -> None:
    """The model sings, or tells how a note sounds."""
    answer = Answer()
    for _ in range(6):
        assert not hear(answer, tone(2_000))
        answer.transcribed()
    assert answer.unheard is None


def test_a_soft_tone_or_a_melody_disturbs_nobody() -> None:
    """Only what is loud, and stays where it is."""
    assert not hear(Answer(), tone(8_000, level=0.2))
    melody = b"".join(tone(400, hz) for hz in (440, 494, 523, 587, 659) * 4)
    assert not hear(Answer(), melody)


def test_no_speech_is_taken_for_a_tone_or_a_dead_line() -> None:
    """Each recording of the simulator, and held vowels, over and over."""
    for recording in RECORDINGS:
        answer = Answer()
        pcm, _ = load(recording.name)
        assert not hear(answer, pcm * 3), recording.name
        assert answer.unheard is None
    held = espeak("Aaaaaaaaaaaaah. Ooooooooooooooh. Mmmmmmmmmmmmmmh.", wpm=80).tobytes()
    assert not hear(Answer(), held * 4)
    assert not hear(Answer(), sung(20_000))


def sung(ms: float) -> bytes:
    """A sung vowel: harmonics of 196 Hz with a vibrato of 5 Hz and half a semitone."""
    moments = np.arange(round(ms * REPLY_RATE_HZ / 1000)) / REPLY_RATE_HZ
    phase = 2 * np.pi * np.cumsum(196 * (1 + 0.015 * np.sin(2 * np.pi * 5 * moments)))
    phase /= REPLY_RATE_HZ
    return s16(0.1 * np.sum([np.sin(k * phase) / k for k in range(1, 12)], axis=0))


def test_half_a_sample_breaks_nothing() -> None:
    """A chunk may be of any length."""
    answer = Answer()
    assert not answer.sound(b"")
    assert not answer.sound(b"\x01")
    assert answer.unheard == "empty"
