"""How often the wake word is heard in rooms with noise, with music and through our own voice.

Run with ``-m benchmark -s``. The far end, the canceller, the thresholds and the veto are those of
the product; `tests.rig.overhearing` says how.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from device.audio.frames import MICROPHONE_RATE_HZ
from device.simulator.acoustics import ROOMS, at_level
from device.simulator.room import FULL_SCALE
from tests.rig.overhearing import Samples, Speaker, music, replies, spoken, whole
from tests.rig.speech import chatter, noise

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

VOICES = (
    "en-gb",
    "en-us",
    "en-us+f3",
    "en-gb+f5",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-us+m3",
    "en-gb-x-gbclan",
)
SPEEDS_WPM = (130, 150, 170)
CALLS = tuple(
    spoken("hey jarvis", voice, wpm) for wpm, voice in itertools.product(SPEEDS_WPM, VOICES)
)
LEVELS_DBFS = (-22.0, -34.0)
"""Of the talker: across the table, and across the room."""

LEARNING_S = 40.0
LATE_SAMPLES = MICROPHONE_RATE_HZ
"""So long after a word it still counts as heard."""
ENOUGH = 0.8


def hits(speaker: Speaker, calls: list[tuple[Samples, float]], *, over: bool) -> float:
    """The part of the calls that are heard; ``over`` a reply, or 3 s after each other."""
    heard = 0
    for call, level_dbfs in calls:
        if over:
            speaker.run_into_reply(1.5)
        else:
            speaker.run(2.0)
        onset, end = speaker.say(call, level_dbfs, in_s=0.5)
        speaker.run_until(end + LATE_SAMPLES)
        heard += speaker.count("woke", onset) > 0
    return heard / len(calls)


def silent() -> Iterator[Samples]:
    """No reply that sounds."""
    return itertools.repeat(np.zeros(0, np.int16))


# --- noise and music ------------------------------------------------------------------------------


def pink(seconds: float) -> Samples:
    white = np.random.default_rng(3).standard_normal(round(seconds * MICROPHONE_RATE_HZ))
    spectrum = np.fft.rfft(white)
    spectrum /= np.sqrt(np.arange(len(spectrum)) + 20)
    return whole(at_level(np.fft.irfft(spectrum, len(white)), -20.0))


def background(kind: str, seconds: float) -> Samples:
    """At -20 dBFS."""
    match kind:
        case "white":
            return whole(at_level(noise(seconds) / FULL_SCALE, -20.0))
        case "pink":
            return pink(seconds)
        case _:
            bar = music(16.0)
            played = np.resize(bar, round(seconds * MICROPHONE_RATE_HZ))
            return whole(at_level(played / FULL_SCALE, -20.0))


def test_in_quiet_and_in_noise() -> None:
    """What others make: nothing of ours sounds, so nothing is cancelled."""
    print(f"\nHits of {len(CALLS)} calls in a medium room, at two levels of the talker (dBFS)")
    print(f"{'':8}{'SNR dB':>8}" + "".join(f"{level:8.0f}" for level in LEVELS_DBFS))
    cases = [("quiet", 0), *itertools.product(("white", "pink", "music"), (10, 5))]
    for kind, snr_db in cases:
        found = []
        for level_dbfs in LEVELS_DBFS:
            speaker = Speaker("medium", silent())
            speaker.silence()
            if kind != "quiet":
                around = background(kind, len(CALLS) * 6.0)
                speaker.room.add(around, 0, 10 ** ((level_dbfs - snr_db + 20) / 20))
            found.append(hits(speaker, [(call, level_dbfs) for call in CALLS], over=False))
        shown = "".join(f"{100 * each:7.0f}%" for each in found)
        print(f"{kind:8}{snr_db if kind != 'quiet' else '-':>8}{shown}")


# --- our own voice --------------------------------------------------------------------------------


def test_over_our_own_voice() -> None:
    """The reply goes on while the word is said, or pauses as it does for who is heard."""
    print(
        f"\nHits of {len(CALLS)} calls over a reply, the talker as loud as its echo or 10 dB below;"
        "\ngoes on: the reply does not pause; pauses: as the product does"
    )
    print(
        f"{'room':12}{'echo over talker':>18}{'no canceller':>14}{'goes on':>9}{'pauses':>9}"
        f"{'vetoed':>8}{'own wakes':>11}"
    )
    reached = {}
    for name, louder_db in itertools.product(("enclosure", "small", "medium", "large"), (0, 10)):
        level_dbfs = -20.0 + ROOMS[name].echo_gain_db - louder_db
        found, vetoed, wakes = [], 0, 0
        for cancels, interruptible in ((False, False), (True, False), (True, True)):
            own = replies(waking=False, shift=2)
            speaker = Speaker(name, own, cancels=cancels, interruptible=interruptible)
            speaker.run(LEARNING_S)
            wakes += speaker.count("woke")
            found.append(hits(speaker, [(call, level_dbfs) for call in CALLS], over=True))
            assert speaker.hearing is not None
            vetoed += speaker.hearing.vetoed
        shown = f"{100 * found[0]:13.0f}%{100 * found[1]:8.0f}%{100 * found[2]:8.0f}%"
        print(f"{name:12}{louder_db:15} dB{shown}{vetoed:8}{wakes:11}")
        reached[name, louder_db] = found[1]
    assert reached["medium", 0] >= ENOUGH


# --- who never says it ----------------------------------------------------------------------------

OTHERS = ("en-gb", "en-us+f3", "en-gb-scotland", "en-us+m7")
TALK = (
    "Hey Jason, are you coming over for dinner on Sunday, or is your car still broken?",
    "The jars are on the shelf in the hallway, next to the serviettes and the candles.",
    "We paid the service charge twice, and nobody could say who had asked for it.",
    "He is nervous about the harvest, since the weather has been far too dry for months.",
    "Hey, Marvin! Do not leave the garage door open, the cat is going to get out again.",
    "They say the train to Paris leaves at seven, but I would rather go by car.",
    "In the third chapter the captain travels to Java and charges the pirates with theft.",
    "Could somebody please turn the television down, I am on the phone with my mother.",
    "He just arrived. Hey, just put your jacket over there and sit down.",
    "Of course I know that the shop is shut, I have walked past it twice today.",
)


def others() -> Samples:
    """Some ten minutes of people who do not say the word, some of it like the word."""
    said = [
        spoken(text, voice, wpm) for voice in OTHERS for wpm in (140, 165, 190) for text in TALK
    ]
    pause = np.zeros(MICROPHONE_RATE_HZ // 3, np.int16)
    return np.concatenate([chatter(), *(part for each in said for part in (each, pause))])


def test_who_never_says_it() -> None:
    """Talk at -26 dBFS, in quiet and over our own voice, which has the lower threshold."""
    talk = others()
    hours = len(talk) / MICROPHONE_RATE_HZ / 3600
    print(f"\nFalse wakes in {60 * hours:.0f} minutes of other people's talk in a medium room")
    print(f"{'':16}{'wakes':>7}{'per hour':>10}{'vetoed':>8}{'best score':>12}")
    for kind in ("quiet", "over our voice"):
        speaker = Speaker("medium", replies(waking=False), interruptible=False)
        if kind == "quiet":
            speaker.silence()
        else:
            speaker.run(LEARNING_S)
        speaker.scores.clear()
        speaker.room.say(talk, speaker.position, -26.0)
        began = speaker.position
        speaker.run(len(talk) / MICROPHONE_RATE_HZ)
        wakes = speaker.count("woke", began)
        assert speaker.hearing is not None
        print(
            f"{kind:16}{wakes:7}{wakes / hours:10.1f}{speaker.hearing.vetoed:8}"
            f"{max(speaker.scores):12.2f}"
        )
