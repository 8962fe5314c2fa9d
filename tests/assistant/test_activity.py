"""Whether the user speaks, and how long they did."""

from __future__ import annotations

from device.assistant.activity import Spoken
from device.events import EventBus, PublicEvent


def test_at_first_nobody_speaks_to_us() -> None:
    """Until speech is detected, and until the user wakes, presses or types."""
    spoken = Spoken(EventBus(lambda _event: None))
    assert not spoken.speaking
    assert not spoken.addressed


def test_each_edge_tells_how_long_ago_the_last_one_was() -> None:
    """In seconds of microphone, so the end tells how long the speech was."""
    spoken = Spoken(EventBus(lambda _event: None))
    told = []
    for speaking, sample in ((True, 48_000), (False, 56_000), (True, 64_000)):
        lasted_s = spoken.changed(speaking, sample)
        told.append((spoken.speaking, lasted_s))
    assert told == [(True, 3.0), (False, 0.5), (True, 0.5)]


def test_where_nobody_listens_for_speech_nobody_speaks() -> None:
    """What was addressed to us stays so."""
    told: list[PublicEvent] = []
    spoken = Spoken(EventBus(told.append))
    spoken.addressed = True
    spoken.changed(True, 320)
    spoken.forget()
    assert not spoken.speaking
    assert spoken.addressed
    assert [(event.event, event.fields) for event in told] == [("activity", {"what": "ended"})]
    spoken.forget()
    assert len(told) == 1
