"""What the speaker hears through its own voice: the echo that is left, and who is taken for whom.

Run with ``-m benchmark -s``. Everything is simulated but what hears; nothing that is timed is
asserted. `tests.rig.overhearing` says how.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from device.echo.canceller import EchoCanceller
from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.simulator.acoustics import ROOMS
from tests.rig.overhearing import (
    EARLY_MS,
    NEXT_REPLY_S,
    Floats,
    Samples,
    Speaker,
    cough,
    door,
    hum,
    joined,
    milliseconds,
    music,
    replies,
    spoken,
)

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

LEARNING_S = 40.0
"""Two replies and a half: the canceller and its judges know the room then."""

VOICES = ("en-us+f3", "en-gb-scotland", "en-us+m3", "en-gb+f5")
WORDS = (
    ("No, no, that is not what I meant.", 160),
    ("Stop. Please tell me about the dragons instead.", 170),
    ("What about the day after tomorrow?", 150),
    ("Wait a moment, could you say that again?", 180),
)
"""What people say over a reply; each takes more than 1.5 s."""
PEOPLE = tuple(spoken(text, voice, wpm) for voice in VOICES for text, wpm in WORDS)


def power_db(samples: Floats) -> float:
    return float(10 * np.log10(np.mean(samples**2) + 1e-12))


def between(frames: list[Samples], begin_s: float, end_s: float) -> Floats:
    return joined(frames[round(begin_s * 50) : round(end_s * 50)])


# --- the canceller --------------------------------------------------------------------------------


def one_reply(seconds: float) -> Iterator[Samples]:
    """A reply of that length, from many."""
    whole_s = round(seconds * MICROPHONE_RATE_HZ)
    parts: list[Samples] = []
    source = replies(waking=False)
    while sum(map(len, parts)) < whole_s:
        parts.append(next(source))
    yield np.concatenate(parts)[:whole_s]
    yield from source


def test_what_the_canceller_takes_out() -> None:
    """One reply of 40 s after a second of quiet: from when on, and how much."""
    print("\nOne reply of 40 s at -20 dBFS after a second of quiet")
    print(
        f"{'':12}{'ERLE dB':^18}{'delay':^26}{'drift ppm':^18}{'':>8}{'CPU ms per s':^16}\n"
        f"{'room':12}{'at 3 s':>9}{'at 20 s':>9}{'found s':>10}{'ms':>8}{'true':>8}"
        f"{'found':>9}{'true':>9}{'duplex':>8}{'playing':>9}{'idle':>7}"
    )
    for name, acoustics in ROOMS.items():
        speaker = Speaker(name, one_reply(40.0), hears=False, interruptible=False)
        speaker.keeps = True
        found_s = float("nan")
        while speaker.position < 41 * MICROPHONE_RATE_HZ:
            speaker.frame()
            if np.isnan(found_s) and speaker.echo.figures.delay_ms is not None:
                found_s = speaker.position / MICROPHONE_RATE_HZ - 1
        playing_ms = speaker.cpu_s * 1000 / 40
        erle = [
            power_db(between(speaker.raw, *span)) - power_db(between(speaker.cleaned, *span))
            for span in ((4, 6), (21, 26))
        ]
        speaker.run(NEXT_REPLY_S - 0.1)
        figures = speaker.echo.figures
        delay, drift = (
            float("nan") if value is None else value
            for value in (figures.delay_ms, figures.drift_ppm)
        )
        print(
            f"{name:12}{erle[0]:9.1f}{erle[1]:9.1f}{found_s:10.2f}{delay:8.1f}"
            f"{acoustics.delay_ms + EARLY_MS:8.1f}{drift:9.1f}{acoustics.drift_ppm:9.1f}"
            f"{speaker.duplex.mode:>8}{playing_ms:9.1f}{idle_ms():7.2f}"
        )


def idle_ms() -> float:
    """CPU of a second in which nothing was played for long."""
    echo, silent = EchoCanceller(cancels=True), bytes(2 * FRAME_SAMPLES)
    began_s = 0.0
    for number in range(1050):
        if number == 50:
            began_s = time.process_time()
        echo.hear(Frame(silent, number * FRAME_SAMPLES, number / 50), [])
    return (time.process_time() - began_s) * 1000 / 20


def segmental_snr_db(cleaned: Floats, voice: Floats) -> float:
    """Median over blocks of 32 ms in which the voice is within 30 dB of its loudest, -10..35."""
    blocks = len(voice) // 512
    said = voice[: blocks * 512].reshape(blocks, 512)
    wrong = (cleaned - voice)[: blocks * 512].reshape(blocks, 512)
    power = np.mean(said**2, axis=1)
    loud = power > np.max(power) * 1e-3
    snr = 10 * np.log10(power[loud] / (np.mean(wrong[loud] ** 2, axis=1) + 1e-12))
    return float(np.median(np.clip(snr, -10, 35)))


def kept(cleaned: Floats, voice: Floats) -> tuple[float, float]:
    """Level of what of the voice is in the sound, in dB of what was said; and their correlation."""
    common = float(np.dot(cleaned, voice))
    gain = max(1e-3, common / float(np.dot(voice, voice)))
    correlation = common / float(np.linalg.norm(cleaned) * np.linalg.norm(voice))
    return 20 * float(np.log10(gain)), correlation


def test_what_is_left_of_a_person() -> None:
    """Who talks over a reply that goes on, after 40 s of it: what of them comes through."""
    print(
        "\nA person over a reply that goes on: kept is the level of what of them is in the cleaned"
        "\nsound, r its correlation with the clean voice, SNR the segmental one, median"
    )
    print(
        f"{'room':12}{'below echo':>12}{'kept dB':>9}{'r':>7}{'SNR dB':>8}"
        f"{'r before':>11}{'SNR':>6}"
    )
    for name in ("enclosure", "small", "medium", "large", "rattling"):
        for below_db in (0, 6, 12):
            level_dbfs = -20.0 + ROOMS[name].echo_gain_db - below_db
            rows = list(_double_talk(name, level_dbfs))
            shown = [statistics.median(column) for column in zip(*rows, strict=True)]
            print(
                f"{name:12}{below_db:9} dB{shown[0]:9.1f}{shown[1]:7.2f}{shown[2]:8.1f}"
                f"{shown[3]:11.2f}{shown[4]:6.1f}"
            )


def _double_talk(room: str, level_dbfs: float) -> Iterator[tuple[float, ...]]:
    """Of each who says something into one long reply, a second apart: what is in the table."""
    speaker = Speaker(room, one_reply(120.0), hears=False, interruptible=False)
    speaker.run(LEARNING_S)
    speaker.keeps = True
    for said in PEOPLE[::3]:
        speaker.run(1.0)
        speaker.raw.clear()
        speaker.cleaned.clear()
        voice = speaker.room.say(said, speaker.position, level_dbfs)
        speaker.run(len(voice) / MICROPHONE_RATE_HZ + 0.1)
        raw, cleaned = (joined(frames)[: len(voice)] for frames in (speaker.raw, speaker.cleaned))
        level_db, correlation = kept(cleaned, voice)
        yield (
            level_db,
            correlation,
            segmental_snr_db(cleaned, voice),
            kept(raw, voice)[1],
            segmental_snr_db(raw, voice),
        )


# --- our own voice --------------------------------------------------------------------------------

RUN_S = 360.0
"""Of each start of the speaker."""


def test_our_own_voice_interrupts_nobody() -> None:
    """Hours of replies to an empty room, a third of them with the wake word in it."""
    print(
        "\nPer hour of own speech, from the start of the speaker on; one reply in three says the"
        "\nwake word. Half duplex pauses for nobody."
    )
    print(
        f"{'room':12}{'minutes':>9}{'pauses':>8}{'per hour':>10}{'barge-ins':>11}{'wakes':>7}"
        f"{'vetoed':>8}{'duplex':>10}"
    )
    for name in ROOMS:
        own_s, counts, duplex = 0.0, dict.fromkeys(("paused", "confirmed", "woke"), 0), set()
        vetoed = 0
        for number in itertools.count():
            speaker = Speaker(name, replies(shift=100 * number))
            while speaker.own_samples < RUN_S * MICROPHONE_RATE_HZ:
                speaker.run(5.0)
            own_s += speaker.own_samples / MICROPHONE_RATE_HZ
            counts = {what: count + speaker.count(what) for what, count in counts.items()}
            assert speaker.hearing is not None
            vetoed += speaker.hearing.vetoed
            duplex.add(speaker.duplex.mode)
            if own_s >= (1800 if name == "medium" else 600):
                break
        print(
            f"{name:12}{own_s / 60:9.1f}{counts['paused']:8}{counts['paused'] * 3600 / own_s:10.1f}"
            f"{counts['confirmed'] * 3600 / own_s:11.1f}{counts['woke'] * 3600 / own_s:7.1f}"
            f"{vetoed:8}{'/'.join(sorted(duplex)):>10}"
        )
        if name == "medium":
            assert counts["confirmed"] == counts["woke"] == 0


# --- who talks over it ----------------------------------------------------------------------------

APART_S = 3.5
"""Of a reply, before somebody says something: who does so at once again and again is a television.
"""


def learned(room: str) -> Speaker:
    """A speaker that has talked for a while, and goes on."""
    speaker = Speaker(room, replies(waking=False, shift=1))
    speaker.run(LEARNING_S)
    return speaker


def test_how_soon_a_person_is_heard() -> None:
    """From the first sound of somebody's first word to the pause, and to the interruption."""
    print(
        f"\nA person over a reply, {len(PEOPLE)} times at each level (ms from the onset; those "
        "found within 1.5 s)"
    )
    print(
        f"{'room':12}{'level':>7}{'SER':>6}{'duplex':>8}{'pause p50':>11}{'p95':>6}{'missed':>8}"
        f"{'confirmed p50':>15}{'p95':>6}{'missed':>8}"
    )
    for name, level_dbfs in itertools.product(ROOMS, (-20.0, -26.0, -32.0)):
        speaker = learned(name)
        paused, confirmed = [], []
        mode = speaker.duplex.mode
        for said in PEOPLE:
            speaker.run_into_reply(APART_S)
            onset, end = speaker.say(said, level_dbfs)
            speaker.run_until(end + 2 * MICROPHONE_RATE_HZ)
            paused.append(speaker.first("paused", onset, onset + 24_000))
            confirmed.append(speaker.first("confirmed", onset, end + MICROPHONE_RATE_HZ))
            for found in (paused, confirmed):
                if found[-1] is not None:
                    found[-1] -= onset
        ratio_db = level_dbfs + 20 - ROOMS[name].echo_gain_db
        print(
            f"{name:12}{level_dbfs:7.0f}{ratio_db:6.0f}{mode:>8}"
            f"{shown(paused, 11)}{shown(confirmed, 15)}"
        )


def shown(found: list[int | None], width: int) -> str:
    """Median and 95th percentile in ms, and how many are missing."""
    times = [milliseconds(each) for each in found if each is not None]
    missed = len(found) - len(times)
    if not times:
        return f"{'-':>{width}}{'-':>6}{missed:5}/{len(found):<2}"
    p50, p95 = np.percentile(times, (50, 95))
    return f"{p50:{width}.0f}{p95:6.0f}{missed:5}/{len(found):<2}"


def test_an_answer_to_a_question_begins() -> None:
    """Who has asked in quiet, and is answered soon, does not talk over the answer."""
    gaps_s = (0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6)
    times = 6
    print(
        f"\nA question at -20 dBFS in quiet, then a reply: how many of {times} pause at once, by"
        "\nthe seconds in between; and the evidence needed in the end"
    )
    print(f"{'room':12}" + "".join(f"{gap_s:9.1f}" for gap_s in gaps_s))
    for name in ("small", "medium", "large", "headset"):
        line = f"{name:12}"
        for gap_s in gaps_s:
            speaker = learned(name)
            paused = 0
            for said in PEOPLE[:times]:
                speaker.silence()
                speaker.run(2.0)
                _, end = speaker.say(said, -20.0)
                speaker.run_until(end + round(gap_s * MICROPHONE_RATE_HZ))
                began = speaker.position
                speaker.talk()
                speaker.run(3.0)
                paused += speaker.first("paused", began, began + MICROPHONE_RATE_HZ) is not None
            line += f"{paused:5}{speaker.echo.figures.needed_db:4.0f}"
        print(line)


NOISES: dict[str, tuple[Callable[[int], Samples], float, int]] = {
    "cough": (cough, -20.0, 8),
    "mm-hm": (hum, -24.0, 8),
    "door": (door, -16.0, 8),
    "music": (lambda _: music(15.0), -32.0, 3),
}
"""What makes it, its level in dBFS, how often."""


def test_what_is_no_interruption() -> None:
    """Coughs and the like, 10 s apart: how often the reply pauses for them, and how often ends."""
    print(
        "\nWhat is no speech, over a reply, 10 s apart. Evidence needed rises with each that was "
        "nobody."
    )
    print(
        f"{'room':12}{'sound':8}{'times':>6}{'paused':>8}{'pauses':>8}{'ended':>7}{'needed dB':>11}"
        f"{'duplex':>8}"
    )
    for name, (noise, (make, level_dbfs, times)) in itertools.product(ROOMS, NOISES.items()):
        speaker = learned(name)
        paused, confirmed, pauses = 0, 0, 0
        for seed in range(times):
            speaker.run_into_reply(APART_S)
            onset, end = speaker.say(make(seed), level_dbfs)
            speaker.run_until(end + MICROPHONE_RATE_HZ)
            paused += speaker.first("paused", onset) is not None
            pauses += speaker.count("paused", onset)
            confirmed += speaker.count("confirmed", onset) > 0
            speaker.run_until(onset + 10 * MICROPHONE_RATE_HZ)
        print(
            f"{name:12}{noise:8}{times:6}{paused:8}{pauses:8}{confirmed:7}"
            f"{speaker.echo.figures.needed_db:11.0f}{speaker.duplex.mode:>8}"
        )
