"""The canceller of libspeexdsp does what it is there for, through our binding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from device.echo import speex
from device.echo.speex import SpeexEcho
from device.errors import EchoCancellerError
from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ
from device.simulator.acoustics import ROOMS
from device.simulator.room import Room
from tests.rig.echo_bench import ANSWER, Samples, level_db, ours
from tests.rig.speech import espeak, noise

FILTER_SAMPLES = 2048
SMALL = replace(ROOMS["small"], drift_ppm=0.0)


def frames(sound: Samples) -> list[Samples]:
    count = len(sound) // FRAME_SAMPLES
    return np.split(sound[: count * FRAME_SAMPLES], count)


def cancelled(echo: SpeexEcho, heard: Samples, played: Samples) -> Samples:
    pairs = zip(frames(heard), frames(played), strict=True)
    return np.concatenate([echo.cancel(near, far) for near, far in pairs])


@pytest.fixture
def echo() -> SpeexEcho:
    return SpeexEcho(FRAME_SAMPLES, FILTER_SAMPLES)


def test_it_takes_our_voice_out(echo: SpeexEcho) -> None:
    """More than 15 dB of it, after 5 s in a small room."""
    played = ours(8)
    heard = Room(SMALL).hear(played)
    cleaned = cancelled(echo, heard, played)
    learned = 5 * MICROPHONE_RATE_HZ
    assert level_db(heard[learned:]) - level_db(cleaned[learned:]) > 15


def test_it_leaves_a_person_alone(echo: SpeexEcho) -> None:
    """Where nothing of ours plays nothing is missing of them."""
    said = espeak(ANSWER, "en-us+m3")
    said = said[: len(said) // FRAME_SAMPLES * FRAME_SAMPLES]
    cleaned = cancelled(echo, said, np.zeros_like(said))
    assert level_db(cleaned) == pytest.approx(level_db(said), abs=1)
    assert np.corrcoef(cleaned, said)[0, 1] > 0.95


def test_it_leaves_a_person_over_our_voice_alone(echo: SpeexEcho) -> None:
    """What comes out is them more than us, though we are as loud."""
    played = ours(8)
    room = Room(SMALL)
    said = espeak(ANSWER, "en-us+m3")[: 2 * MICROPHONE_RATE_HZ]
    theirs = room.say(said, 5 * MICROPHONE_RATE_HZ, -26)
    cleaned = cancelled(echo, room.hear(played), played)
    heard = cleaned[5 * MICROPHONE_RATE_HZ :][: len(theirs)] / 32_768
    left = heard - theirs[: len(heard)]
    assert float(np.sum(theirs**2)) > 4 * float(np.sum(left**2))


def test_what_is_left_can_be_made_quieter(echo: SpeexEcho) -> None:
    """One frame later; frames keep their length."""
    played = ours(8)
    heard = Room(SMALL).hear(played)
    quieter = []
    for near, far in zip(frames(heard), frames(played), strict=True):
        quieter.append(echo.suppress(echo.cancel(near, far)))
    other = SpeexEcho(FRAME_SAMPLES, FILTER_SAMPLES)
    learned = 5 * MICROPHONE_RATE_HZ
    left = cancelled(other, heard, played)
    assert level_db(np.concatenate(quieter)[learned:]) < level_db(left[learned:]) - 5


def test_it_does_not_touch_what_it_is_given(echo: SpeexEcho) -> None:
    """Frames are shared with others, and may be read only."""
    heard, played = frames(noise(1.0))[0], frames(ours(1))[20]
    for given in (heard, played):
        given.flags.writeable = False
    before = (heard.copy(), played.copy())
    echo.suppress(echo.cancel(heard, played))
    assert np.array_equal(heard, before[0])
    assert np.array_equal(played, before[1])


@pytest.mark.parametrize("delay_samples", [100, 400, 1500])
def test_the_impulse_response_peaks_where_the_echo_is(echo: SpeexEcho, delay_samples: int) -> None:
    """So it can be seen whether the far end is given in time."""
    played = noise(4.0, 3000.0)
    heard = np.roll(played // 2, delay_samples)
    cancelled(echo, heard, played)
    response = echo.impulse_response
    assert len(response) >= FILTER_SAMPLES
    assert int(np.argmax(np.abs(response))) == delay_samples
    assert response[delay_samples] == pytest.approx(0.5, abs=0.05)


def test_reset_it_has_forgotten_the_way(echo: SpeexEcho) -> None:
    """And learns it again as well as before."""
    played = noise(4.0, 3000.0)
    heard = np.roll(played // 2, 400)
    cancelled(echo, heard, played)
    echo.reset()
    assert not echo.impulse_response.any()
    begin = MICROPHONE_RATE_HZ // 10
    assert level_db(cancelled(echo, heard, played)[:begin]) > level_db(heard[:begin]) - 6
    assert level_db(cancelled(echo, heard, played)) < level_db(heard) - 15


def test_two_of_them_know_nothing_of_each_other(echo: SpeexEcho) -> None:
    """Each has its own microphone, and goes when it is not needed any more."""
    played = noise(1.0, 3000.0)
    cancelled(echo, played // 2, played)
    other = SpeexEcho(FRAME_SAMPLES, FILTER_SAMPLES)
    assert not other.impulse_response.any()
    del other
    assert echo.impulse_response.any()


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A machine without the package."""
    speex._library.cache_clear()
    monkeypatch.setattr(speex, "LIBRARY", "libnosuchecho.so.7")
    yield "libnosuchecho.so.7"
    speex._library.cache_clear()


def test_a_missing_library_is_told_with_the_package_to_install(no_library: str) -> None:
    """The owner need not know what a library is called."""
    with pytest.raises(EchoCancellerError, match="libspeexdsp1") as caught:
        SpeexEcho(FRAME_SAMPLES, FILTER_SAMPLES)
    assert no_library in str(caught.value)
