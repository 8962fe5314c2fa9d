"""Whether the user speaks, and how long they did."""

from __future__ import annotations

from device.audio.frames import MICROPHONE_RATE_HZ
from device.spoken import Spoken


def test_at_first_nobody_speaks_to_us() -> None:
    """Until speech is detected, and until the user wakes, presses or types."""
    spoken = Spoken()
    assert not spoken.speaking
    assert not spoken.addressed


def test_each_edge_tells_how_long_ago_the_last_one_was() -> None:
    """In seconds of microphone, so the end tells how long the speech was."""
    spoken = Spoken()
    assert spoken.changed(True, 3 * MICROPHONE_RATE_HZ) == 3.0
    assert spoken.speaking
    assert spoken.changed(False, 3 * MICROPHONE_RATE_HZ + 8000) == 0.5
    assert not spoken.speaking
    assert spoken.changed(True, 4 * MICROPHONE_RATE_HZ) == 0.5


def test_where_nobody_listens_for_speech_nobody_speaks() -> None:
    """What was addressed to us stays so."""
    spoken = Spoken()
    spoken.addressed = True
    spoken.changed(True, 320)
    spoken.forget()
    assert not spoken.speaking
    assert spoken.addressed
