"""Who is heard over our own voice in simulated rooms, with everything that hears being real."""

from __future__ import annotations

import pytest

from device.frames import MICROPHONE_RATE_HZ
from tests.rig.overhearing import LEVEL_DBFS, Speaker, cough, milliseconds, replies, spoken

LEARNING_S = 28.0
"""A reply and the beginning of the next: full duplex is decided between two."""
PEOPLE = (
    spoken("No, no, that is not what I meant.", "en-us+f3", 160),
    spoken("Stop. Please tell me about the dragons instead.", "en-gb-scotland", 170),
    spoken("What about the day after tomorrow?", "en-us+m3", 150),
)


@pytest.fixture
def speaker() -> Speaker:
    """One that has talked for a while in a living room, and goes on."""
    speaker = Speaker("medium", replies(waking=False))
    speaker.run(LEARNING_S)
    assert speaker.duplex.mode == "full"
    return speaker


def test_our_own_voice_neither_interrupts_nor_wakes() -> None:
    """Two minutes of replies in several voices, some of which say the wake word."""
    speaker = Speaker("medium", replies())
    while speaker.own_samples < 120 * MICROPHONE_RATE_HZ:
        speaker.run(1.0)
    assert speaker.count("confirmed") == 0
    assert speaker.count("woke") == 0


def test_our_own_voice_is_vetoed_where_nobody_takes_it_out() -> None:
    """The wake word comes back from the room as loud as it was said, and wakes nothing."""
    speaker = Speaker("medium", replies(), cancels=False, interruptible=False)
    while speaker.own_samples < 120 * MICROPHONE_RATE_HZ:
        speaker.run(1.0)
    assert speaker.count("woke") == 0
    assert speaker.hearing is not None
    assert speaker.hearing.vetoed > 0


def test_a_person_silences_a_reply_and_ends_it(speaker: Speaker) -> None:
    """Within 200 ms of the first sound, and by speaking on; the next reply is talked over too."""
    for said in PEOPLE:
        speaker.run_into_reply(4.0)
        onset, end = speaker.say(said, -22.0)
        speaker.run_until(end)
        paused = speaker.first("paused", onset)
        assert paused is not None
        assert milliseconds(paused - onset) <= 200
        assert speaker.count("confirmed", onset) == speaker.count("ended", onset) == 1


def test_a_cough_only_pauses_it(speaker: Speaker) -> None:
    """The reply goes on where it was."""
    speaker.run_into_reply(4.0)
    onset, _ = speaker.say(cough(1), LEVEL_DBFS)
    speaker.run(1.5)
    assert [event.what for event in speaker.events if event.sample > onset][:2] == [
        "paused",
        "dismissed",
    ]
    assert speaker.count("confirmed") == 0
    assert speaker.replying


def test_the_wake_word_is_heard_over_a_reply() -> None:
    """As loud as the echo of a reply that does not pause for it."""
    speaker = Speaker("medium", replies(waking=False), interruptible=False)
    speaker.run(LEARNING_S)
    for voice in ("en-gb", "en-us"):
        speaker.run_into_reply(6.0)
        call = spoken("hey jarvis", voice, 150)
        onset, end = speaker.say(call, LEVEL_DBFS + speaker.room.acoustics.echo_gain_db)
        speaker.run_until(end + MICROPHONE_RATE_HZ)
        assert speaker.count("woke", onset) == 1
    assert speaker.count("woke") == 2


def test_where_the_echo_cannot_be_cancelled_nobody_interrupts() -> None:
    """A cheap driver played too loud: half duplex, in which only the wake word does."""
    speaker = Speaker("rattling", replies(waking=False))
    speaker.run(LEARNING_S)
    assert speaker.duplex.mode == "half"
    assert speaker.count("paused") == 0
