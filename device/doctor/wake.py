"""These checks measure how fast the wake word networks are and whether they hear a known voice.

And whether the second of two kinds of network loads here.

Tested in tests/doctor/test_panel_and_wake.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from device.doctor.result import Result, Verdict, broken, hint, judged
from device.doctor.scene import Scene
from device.errors import WakeModelError
from device.frames import HOP_MS
from device.simulator.voices import load
from device.wake.recording import Recordings
from device.wake.worker import Hearing, Word

BUSY_MS = 40.0
KNOWN_WORD = "hey_jarvis"
SAID = ("wake", "ask_weather")
"""Recordings that begin with it."""
NOT_SAID = ("chatter", "ask_tomorrow")


def wake(scene: Scene) -> Iterator[Result]:
    """Load the networks of the configuration and let them hear what ships for the demo."""
    settings = scene.config.wake
    words = [Word(word.model, word.threshold) for word in settings.words]
    listened_for = {word.name for word in words}
    if KNOWN_WORD not in listened_for:
        words.append(Word(KNOWN_WORD))
    began = time.monotonic()
    try:
        hearing = Hearing(words, settings.patience, 0.0, 700)
    except WakeModelError as error:
        yield broken("wake", "the networks do not load", str(error))
        return
    loaded_s = time.monotonic() - began
    stream = Recordings(hearing)
    woke = {name: stream.hear(load(name)[0]).woke for name in (*SAID, *NOT_SAID)}
    said = sum(any(word == KNOWN_WORD for word, _ in woke[name]) for name in SAID)
    false = sum(len(woke[name]) for name in NOT_SAID)
    scores = hearing.scores
    figures: dict[str, Any] = {
        "words": sorted(listened_for),
        "hop_ms_p50": round(scores.hop_ms_p50, 2),
        "hop_ms_max": round(scores.hop_ms_max, 2),
        "loaded_s": round(loaded_s, 2),
        "heard": said,
        "said": len(SAID),
        "false": false,
    }
    yield _speed(figures)
    yield _hits(figures)
    yield _opinion(sorted(listened_for.intersection(hearing.asks)), hearing.alone_because)


def _speed(figures: dict[str, Any]) -> Result:
    p50, longest = figures["hop_ms_p50"], figures["hop_ms_max"]
    verdict = Verdict.FINE if p50 < BUSY_MS else Verdict.HINT
    return judged(
        "wake speed",
        Verdict.BROKEN if p50 >= HOP_MS else verdict,
        f"{p50:.1f} ms (at most {longest:.1f}) for each {HOP_MS} ms of sound, "
        f"loaded in {figures['loaded_s']:.1f} s",
        "too slow a machine: listen for fewer words, end what else runs here",
        None,
        **{name: figures[name] for name in ("hop_ms_p50", "hop_ms_max", "loaded_s")},
    )


def _hits(figures: dict[str, Any]) -> Result:
    heard, said, false = (figures[name] for name in ("heard", "said", "false"))
    text = f"{KNOWN_WORD} heard in {heard} of {said} recordings, {false} times where it was not"
    counts = {name: figures[name] for name in ("words", "heard", "said", "false")}
    if heard == said and not false:
        return judged("wake words", Verdict.FINE, text, "", None, **counts)
    if heard:
        advice = "raise or lower wake.words[].threshold; see: parley doctor wake"
        return hint("wake words", text, advice, None, **counts)
    advice = "the threshold is too high, or the installation is damaged: sudo ./install.sh"
    return broken("wake words", text, advice, None, **counts)


def _opinion(asked: list[str], alone_because: str) -> Result:
    """Whether there is a second network that loads, and for which words."""
    if alone_because:
        figure = "openWakeWord judges alone, and is more often wrong"
        advice = f"{alone_because}; then run: sudo ./install.sh"
        return hint("wake opinion", figure, advice, None, words=asked)
    heard = (
        f"{', '.join(asked)} judged by two kinds of network" if asked else "no word has a second"
    )
    return judged("wake opinion", Verdict.FINE, heard, "", None, words=asked)
