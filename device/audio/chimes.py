"""`render` synthesises the short sounds of our own from a table of tones. Pure.

They are told apart by which way they move: up, listening; down, over; up and down, it is still
working on it; two clicks, a picture was taken; one note and no other, it did not work. What did not
work is told by how often that note sounds and how long, as the lights flash for it
(`device.lights.render`), and by its pitch: two short ones, the device itself; three quick ones, the
network; a long and a short one, the account; a single long one, the server.

An alarm climbs an octave in four notes, comes again every `ALARM_EVERY_S`, and grows louder
(`alarm_gain`). More than half of that time is silence: what the room makes of the notes dies away
in it, and a person is heard who tells it to stop.

They are quiet, and begin and end softly. All notes lie above 850 Hz: lower ones pass for a voice
(Silero's speech detection gives notes of 300-500 Hz more than 0.9), and a chime that the microphone
hears must start no turn of the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

PEAK = 0.2
"""Of full scale: -14 dBFS."""

ALARM_EVERY_S = 1.8
"""From the beginning of one alarm to that of the next, of which 0.69 s sound and 1.11 s are
silent: a "stop" takes 0.4 s."""
ALARM_PAUSE_S = 1.1
"""The least silence after an alarm, and after what is said with it."""
ALARM_RISES_S = 20.0
ALARM_SOFTEST_DB = -15.0
ALARM_LOUDEST_DB = 3.0
"""Against the other chimes, at first and after `ALARM_RISES_S`: gentle to whoever sits beside it,
then as loud as a reply. At 6 dB and full volume what the canceller leaves of it scored 0.56 as
"alexa" in an enclosure within five minutes; at 3 dB 0.11 within two and a half. Elsewhere at 6 dB:
"alexa" 0.31, "hey jarvis" 0.24 (both in the rattling room). Silero gives it 0.31 at most."""

ATTACK_MS = 8
OVERTONE = 0.15
"""Loudness of the octave above, against the note: enough to carry on a small loudspeaker."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note of a chime."""

    start_ms: int
    length_ms: int
    pitch_hz: float


CHIMES = MappingProxyType(
    {
        "wake": (Note(0, 110, 880.0), Note(70, 120, 1318.5)),
        "end": (Note(0, 110, 1318.5), Note(70, 120, 880.0)),
        "thinking": (Note(0, 70, 1046.5), Note(60, 70, 1244.5), Note(120, 90, 1046.5)),
        # As the curtains of a camera: two clicks, and no melody.
        "shutter": (Note(0, 24, 2637.0), Note(70, 40, 1760.0)),
        "missed": (Note(0, 110, 1568.0), Note(150, 110, 1568.0), Note(300, 160, 1046.5)),
        "error": (Note(0, 140, 880.0), Note(180, 150, 880.0)),
        "error_network": (Note(0, 90, 1174.7), Note(130, 90, 1174.7), Note(260, 120, 1174.7)),
        "error_account": (Note(0, 350, 1318.5), Note(400, 150, 1318.5)),
        "error_service": (Note(0, 600, 987.8),),
        "alarm": (
            *(Note(0, 170, 1046.5), Note(130, 170, 1318.5), Note(260, 170, 1568.0)),
            *(Note(390, 300, 2093.0),),
        ),
    }
)
"""Every chime by its name."""

LEAST_PERCENT: Mapping[str, int] = MappingProxyType({"shutter": 50})
"""At which volume a chime is heard at least. A model can turn the volume to 0 and look then: where
there are no lights nothing else would tell that a picture was taken. 5 dB below the usual 60."""


def render(name: str, rate_hz: int, gain: float = 1.0) -> npt.NDArray[np.float32]:
    """Synthesise a chime: mono float32 in -1..1, at any rate. Raises KeyError when unknown.

    ``gain``: amplitude of its peak, against `PEAK`.
    """
    notes = CHIMES[name]
    length_ms = max(note.start_ms + note.length_ms for note in notes)
    mix = np.zeros(round(length_ms * rate_hz / 1000))
    for note in notes:
        tone = _tone(note, rate_hz)
        start = round(note.start_ms * rate_hz / 1000)
        mix[start : start + len(tone)] += tone[: len(mix) - start]
    quiet: npt.NDArray[np.float32] = (mix * (gain * PEAK / np.max(np.abs(mix)))).astype(np.float32)
    return quiet


def alarm_gain(rung_s: float) -> float:
    """Amplitude of an alarm that has rung so long, against the other chimes: 0.18 to 1.4."""
    risen = min(1.0, max(0.0, rung_s / ALARM_RISES_S))
    level_db = ALARM_SOFTEST_DB + risen * (ALARM_LOUDEST_DB - ALARM_SOFTEST_DB)
    return float(10 ** (level_db / 20))


def _tone(note: Note, rate_hz: int) -> npt.NDArray[np.float64]:
    samples = round(note.length_ms * rate_hz / 1000)
    phase = 2 * np.pi * note.pitch_hz * np.arange(samples) / rate_hz
    wave = np.sin(phase) + OVERTONE * np.sin(2 * phase)
    attack = round(ATTACK_MS * rate_hz / 1000)
    envelope = np.ones(samples)
    envelope[:attack] = (1 - np.cos(np.pi * np.arange(attack) / attack)) / 2
    fall = np.arange(samples - attack) / (samples - attack)
    envelope[attack:] = (1 + np.cos(np.pi * fall)) / 2
    faded: npt.NDArray[np.float64] = wave * envelope
    return faded
