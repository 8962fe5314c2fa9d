"""What of the microphone goes up: each frame at most once, in order; silence under our voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.assistant.echo import Overheard
from device.assistant.input import RING_S, Ears
from device.assistant.uplink import RINGING_FRAMES, SAME_BREATH_S, Sending
from device.audio.pre_roll import PreRoll
from device.echo.canceller import Heard
from device.echo.duplex import Canceller, Duplex, Mode
from device.frames import FRAME_SAMPLES, SILENT_FRAME, Frame
from device.live.session import LiveSession
from tests.rig.fakes import FakeSession, FakeSpeaker, frame

RINGING = RINGING_FRAMES - 1
"""Frames after the last sound of ours that are still held back."""
LOUD = 0.1


class FakeEars:
    """The memory of the ears alone."""

    def __init__(self) -> None:
        self.ring = PreRoll(RING_S)
        self._end_sample = 0

    def append(self, frame: Frame) -> None:
        self.ring.append(frame)
        self._end_sample = frame.end_sample

    def since(self, end_sample: int | None, seconds: float, *, after: int) -> list[Frame]:
        until = self._end_sample if end_sample is None else end_sample
        return self.ring.since(max(until - round(seconds * 16_000), after))


@dataclass
class FakeOverheard:
    """Somebody talks over us when it is told so."""

    duplex: Duplex
    undecided: bool = False


class Uplink:
    """Sending, made of fakes; frames are told by their numbers, silence is None."""

    def __init__(self, mode: Mode = "half", canceller: Canceller = "none") -> None:
        self.ears = FakeEars()
        self.overheard = FakeOverheard(Duplex(mode, canceller))
        self.sending = Sending(cast("Ears", self.ears), cast("Overheard", self.overheard))
        self.speaker = FakeSpeaker()
        self.session = FakeSession(1, lambda _news: None, [])
        self.replying = True
        self.open = True
        self.next_number = 0
        self._told = 0

    def hear(
        self, frames: int = 1, *, audible: bool = False, level: float = 0.0, near: bool = False
    ) -> list[int | None]:
        """Let so many frames be heard; gives what has gone up meanwhile."""
        self.speaker.audible, self.speaker.level = audible, level
        for _ in range(frames):
            heard = frame(self.next_number)
            self.next_number += 1
            self.ears.append(heard)
            live = cast("LiveSession", self.session) if self.open else None
            cleaned = Heard(heard, None, near=near)
            self.sending.frame(cleaned, self.speaker, live, replying=self.replying)
        return self.sent

    def reply(self, frames: int = 50) -> list[int | None]:
        return self.hear(frames, audible=True, level=LOUD)

    def since(self, number: int | None, seconds: float) -> list[int | None]:
        """Send from so long before the end of this frame on."""
        end_sample = None if number is None else (number + 1) * FRAME_SAMPLES
        self.sending.since(cast("LiveSession", self.session), end_sample, seconds)
        return self.sent

    @property
    def sent(self) -> list[int | None]:
        """What has gone up since this was looked at last."""
        new = self.session.frames[self._told :]
        self._told += len(new)
        return [None if pcm == SILENT_FRAME else number_of(pcm) for pcm in new]


def number_of(pcm: bytes) -> int:
    return int.from_bytes(pcm[:4], "little") - 1


@pytest.fixture
def uplink() -> Uplink:
    return Uplink()


# --- silence --------------------------------------------------------------------------------------


def test_while_nothing_of_ours_plays_every_frame_goes_up(uplink: Uplink) -> None:
    """As it came, once."""
    assert uplink.hear(5) == [0, 1, 2, 3, 4]
    assert not uplink.sending.silenced


def test_without_an_open_uplink_nothing_goes_up(uplink: Uplink) -> None:
    """Before a wake word or a press."""
    uplink.open = False
    assert uplink.hear(5) == []


def test_while_a_reply_can_be_heard_silence_goes_up(uplink: Uplink) -> None:
    """And until the room has died away: a server that hears its own voice interrupts itself."""
    assert uplink.reply(3) == [None] * 3
    assert uplink.sending.silenced
    assert uplink.hear(RINGING) == [None] * RINGING
    assert uplink.hear(2) == [3 + RINGING, 4 + RINGING]
    assert not uplink.sending.silenced


@pytest.mark.parametrize(
    ("mode", "canceller", "silenced"),
    [
        ("half", "none", True),
        ("half", "hardware", True),
        ("full", "software", True),
        ("full", "none", False),
        ("full", "hardware", False),
    ],
)
def test_in_full_duplex_nothing_is_kept_back_unless_we_cancel_it_ourselves(
    mode: Mode, canceller: Canceller, silenced: bool
) -> None:
    """What our canceller leaves is speech; what a board's does not leave is not there."""
    uplink = Uplink(mode, canceller)
    assert uplink.reply(3) == ([None] * 3 if silenced else [0, 1, 2])
    uplink.overheard.undecided = True
    assert uplink.reply(2) == ([None] * 2 if silenced else [3, 4])


def test_over_a_chime_people_speak_on(uplink: Uplink) -> None:
    """Only a reply shuts the microphone."""
    uplink.replying = False
    assert uplink.reply(3) == [0, 1, 2]
    assert uplink.hear(3) == [3, 4, 5]


def test_a_reply_that_was_cut_short_lets_the_microphone_up_at_once(uplink: Uplink) -> None:
    """The user has begun to speak: what of ours still rings is theirs to talk over."""
    uplink.reply(20)
    uplink.sending.open_now()
    uplink.replying = False
    assert uplink.hear(2) == [20, 21]


def test_while_it_is_not_decided_who_interrupts_silence_goes_up(uplink: Uplink) -> None:
    """However long ago our last sound was."""
    uplink = Uplink("full", "software")
    uplink.reply(20)
    uplink.overheard.undecided = True
    assert uplink.hear(30) == [None] * 30


# --- catching up ----------------------------------------------------------------------------------


def test_after_the_silent_end_of_a_reply_what_was_said_is_caught_up_with(uplink: Uplink) -> None:
    """Replies end in silence: who begins to speak there loses not a word."""
    uplink.reply(20)
    assert uplink.hear(30, audible=True) == [None] * 30
    began = 20 + RINGING
    assert uplink.hear(1) == list(range(began, 51))
    assert uplink.hear(2) == [51, 52]


def test_what_our_own_voice_was_in_is_not_caught_up_with(uplink: Uplink) -> None:
    """It has ended just now: there is nothing to be had but its echo."""
    uplink.reply(20)
    assert uplink.hear(RINGING + 1) == [None] * RINGING + [20 + RINGING]


def test_who_speaks_while_the_reply_still_rings_is_heard_from_the_beginning(
    uplink: Uplink,
) -> None:
    """A short "no" said right at the end must not wait for the room to fall silent."""
    uplink.reply(20)
    uplink.replying = False
    assert uplink.hear(4) == [None] * 4
    assert uplink.hear(1, near=True) == [20, 21, 22, 23, 24]
    assert uplink.hear(2) == [25, 26]


def test_over_a_reply_that_sounds_nobody_is_heard_so_soon(uplink: Uplink) -> None:
    """There it is for the barge-in to decide."""
    uplink.reply(20)
    assert uplink.hear(5, audible=True, level=LOUD, near=True) == [None] * 5


def test_after_a_barge_in_everything_since_they_began_goes_up(uplink: Uplink) -> None:
    """From shortly before they were first heard; the silence that went up meanwhile stays."""
    uplink = Uplink("full", "software")
    uplink.reply(40)
    uplink.overheard.undecided = True
    assert uplink.hear(25) == [None] * 25
    uplink.overheard.undecided = False
    uplink.sending.open_now()
    uplink.replying = False
    before = round(SAME_BREATH_S * 50)
    assert uplink.since(41, SAME_BREATH_S) == list(range(42 - before, 65))
    assert uplink.hear(2) == [65, 66]


def test_after_a_cough_nothing_of_the_pause_goes_up(uplink: Uplink) -> None:
    """The reply goes on: what was heard in its pause is nobody's turn, and never sent."""
    uplink = Uplink("full", "software")
    uplink.reply(40)
    uplink.overheard.undecided = True
    assert uplink.hear(30) == [None] * 30
    uplink.overheard.undecided = False
    assert uplink.hear(2) == [None] * 2
    uplink.reply(20)
    assert uplink.hear(RINGING + 1) == [None] * RINGING + [40 + 30 + 2 + 20 + RINGING]


def test_a_barge_in_told_with_its_last_frame_sends_that_frame_once(uplink: Uplink) -> None:
    """The ears remember a frame before it is sent."""
    uplink.reply(40)
    heard = frame(40)
    uplink.next_number += 1
    uplink.ears.append(heard)
    uplink.sending.open_now()
    assert uplink.since(40, 0.04) == [39, 40]
    session = cast("LiveSession", uplink.session)
    cleaned = Heard(heard, None, near=False)
    uplink.sending.frame(cleaned, uplink.speaker, session, replying=False)
    assert uplink.sent == []


def test_the_pre_roll_goes_up_before_what_follows(uplink: Uplink) -> None:
    """As far back as was asked for, and what was sent already not again."""
    uplink.open = False
    uplink.hear(100)
    uplink.open = True
    assert uplink.since(89, 0.2) == list(range(80, 100))
    assert uplink.hear(2) == [100, 101]
    assert uplink.since(None, 5.0) == []


def test_a_new_session_is_not_given_what_the_last_one_had(uplink: Uplink) -> None:
    """A second wake word right after the first conversation."""
    uplink.hear(50)
    uplink.open = False
    uplink.hear(10)
    uplink.open = True
    uplink.session = FakeSession(2, lambda _news: None, [])
    uplink._told = 0
    assert uplink.since(59, 1.5) == list(range(50, 60))


def test_another_microphone_counts_from_0(uplink: Uplink) -> None:
    """Its first frames are not taken for sent ones."""
    uplink.hear(50)
    uplink.sending.new_stream()
    uplink.next_number = 0
    uplink.ears.ring.clear()
    assert uplink.hear(2) == [0, 1]


# --- whatever happens -----------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("quiet"), st.integers(1, 40)),
        st.tuples(st.just("audible"), st.integers(1, 40)),
        st.tuples(st.just("reply"), st.integers(1, 40)),
        st.tuples(st.just("replying"), st.booleans()),
        st.tuples(st.just("undecided"), st.booleans()),
        st.tuples(st.just("open"), st.booleans()),
        st.tuples(st.just("open_now"), st.none()),
        st.tuples(st.just("since"), st.integers(0, 100)),
        st.tuples(st.just("lost"), st.integers(1, 100)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(
    steps=STEPS,
    mode=st.sampled_from(["half", "full"]),
    canceller=st.sampled_from(["none", "software", "hardware"]),
)
def test_every_frame_goes_up_at_most_once_and_in_order(
    steps: list[tuple[str, int]], mode: Mode, canceller: Canceller
) -> None:
    """Whatever plays, whoever interrupts, and whatever is sent later."""
    uplink = Uplink(mode, canceller)
    numbers: list[int] = []
    for what, value in steps:
        match what:
            case "quiet":
                sent = uplink.hear(value)
            case "audible":
                sent = uplink.hear(value, audible=True)
            case "reply":
                sent = uplink.reply(value)
            case "since":
                sent = uplink.since(max(0, uplink.next_number - value), 0.3)
                assert None not in sent
            case "lost":
                uplink.next_number += value
                continue
            case "open_now":
                uplink.sending.open_now()
                continue
            case "undecided":
                uplink.overheard.undecided = bool(value)
                continue
            case _:
                setattr(uplink, what, bool(value))
                continue
        if not uplink.overheard.duplex.gates:
            assert None not in sent
        numbers += [number for number in sent if number is not None]
    assert numbers == sorted(set(numbers))


@settings(max_examples=50, deadline=None)
@given(pauses=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=10))
def test_between_replies_no_frame_is_missing(pauses: list[tuple[int, int]]) -> None:
    """From when our voice has died away to the next of it, all that was heard has gone up."""
    uplink = Uplink()
    for reply_frames, quiet_frames in pauses:
        uplink.reply(reply_frames)
        began = uplink.next_number
        sent = uplink.hear(quiet_frames)
        kept = [number for number in sent if number is not None]
        assert kept == list(range(began + RINGING, uplink.next_number))
