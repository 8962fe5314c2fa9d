"""How often the wake word is heard in rooms with noise, with music and through our own voice.

Run with ``-m benchmark -s``. The far end, the canceller, the thresholds and the veto are those of
the product; `tests.rig.overhearing` says how.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from device.frames import MICROPHONE_RATE_HZ
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
        f"\nHits of {len(CALLS)} calls (medium: twice that) over a reply, the talker as loud as its"
        "\necho or 10 dB below. Quiet: no reply, the usual threshold; goes on: the reply does not"
        "\npause; pauses: as the product does. Own: wakes in 40 s of replies without the word."
    )
    print(
        f"{'':12}{'echo':>8}{'talker':>8}{'':>7}{'no canceller':^18}{'goes on':^26}{'pauses':^26}\n"
        f"{'room':12}{'dB over':>8}{'dBFS':>8}{'quiet':>7}"
        f"{'hits':>9}{'own':>9}" + 2 * f"{'hits':>9}{'own':>8}{'vetoed':>9}"
    )
    reached = {}
    rooms = ("enclosure", "small", "medium", "large", "rattling")
    for name, louder_db in itertools.product(rooms, (0, 10)):
        level_dbfs = -20.0 + ROOMS[name].echo_gain_db - louder_db
        # What is promised is measured twice as often.
        times = 2 if name == "medium" else 1
        calls = [(call, level_dbfs) for call in CALLS * times]
        speaker = Speaker(name, silent())
        speaker.silence()
        line = (
            f"{name:12}{louder_db:8}{level_dbfs:8.0f}{percent(hits(speaker, calls, over=False)):>7}"
        )
        for cancels, interruptible in ((False, False), (True, False), (True, True)):
            own = replies(waking=False, shift=2)
            speaker = Speaker(name, own, cancels=cancels, interruptible=interruptible)
            speaker.run(LEARNING_S)
            wakes = speaker.count("woke")
            found = hits(speaker, calls, over=True)
            assert speaker.hearing is not None
            vetoed = f"{speaker.hearing.vetoed:9}" if cancels else ""
            line += f"{percent(found):>9}{wakes:{8 if cancels else 9}}{vetoed}"
            if cancels and not interruptible:
                reached[name, louder_db] = found
        print(line)
    assert reached["medium", 0] >= ENOUGH


def percent(part: float) -> str:
    return f"{100 * part:.0f}%"


# --- who never says it ----------------------------------------------------------------------------

OTHERS = ("en-gb", "en-us+f3", "en-gb-scotland", "en-us+m7")
TALK = (
    "The jars are on the shelf in the hallway, next to the serviettes and the candles.",
    "We paid the service charge twice, and nobody could say who had asked for it.",
    "He is nervous about the harvest, since the weather has been far too dry for months.",
    "They say the train to Paris leaves at seven, but I would rather go by car.",
    "In the third chapter the captain travels to Java and charges the pirates with theft.",
    "Could somebody please turn the television down, I am on the phone with my mother.",
    "Of course I know that the shop is shut, I have walked past it twice today.",
    "How much is the large one with the blue handle, and do you have it in green?",
    "My brother plays the violin, but he would never do so when anybody is listening.",
    "Let us take the stairs, the lift was out of order again this morning.",
)
ALIKE = (
    "Hey Jason, are you coming over for dinner on Sunday, or is your car still broken?",
    "Hey, Marvin! Do not leave the garage door open, the cat is going to get out again.",
    "He just arrived. Hey, just put your jacket over there and sit down.",
    "Hey, the service here is slow. Hey Travis, did you order already?",
)


def others(texts: Sequence[str]) -> Samples:
    """Minutes of people who do not say the word."""
    said = [
        spoken(text, voice, wpm) for voice in OTHERS for wpm in (140, 165, 190) for text in texts
    ]
    pause = np.zeros(MICROPHONE_RATE_HZ // 3, np.int16)
    return np.concatenate([part for each in said for part in (each, pause)])


def test_who_never_says_it() -> None:
    """Talk at -26 dBFS, in quiet and over our own voice, which has the lower threshold."""
    print("\nFalse wakes by other people's talk in a medium room; alike: made to resemble the word")
    print(f"{'talk':10}{'over':10}{'minutes':>9}{'wakes':>7}{'per hour':>10}{'best score':>12}")
    talks = {"ordinary": np.concatenate([chatter(), others(TALK)]), "alike": others(ALIKE)}
    for (name, talk), over in itertools.product(talks.items(), ("quiet", "our voice")):
        hours = len(talk) / MICROPHONE_RATE_HZ / 3600
        speaker = Speaker("medium", replies(waking=False), interruptible=False)
        if over == "quiet":
            speaker.silence()
        else:
            speaker.run(LEARNING_S)
        speaker.scores.clear()
        speaker.room.say(talk, speaker.position, -26.0)
        began = speaker.position
        speaker.run(len(talk) / MICROPHONE_RATE_HZ)
        wakes = speaker.count("woke", began)
        print(
            f"{name:10}{over:10}{60 * hours:9.1f}{wakes:7}{wakes / hours:10.1f}"
            f"{max(speaker.scores):12.2f}"
        )
