"""What of the microphone goes up: each frame at most once, in order; silence under our voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.assistant.echo import EchoControl
from device.assistant.output import Output
from device.assistant.sessions import Sessions
from device.assistant.talk import Talk
from device.assistant.uplink import RING_S, RINGING_FRAMES, SAME_BREATH_S, Uplink
from device.echo.canceller import Heard
from device.echo.duplex import Canceller, Duplex, Mode
from device.frames import FRAME_SAMPLES, SILENT_FRAME, Frame
from tests.rig.fakes import FakeSession, FakeSpeaker, frame

RINGING = RINGING_FRAMES - 1
"""Frames after the last sound of ours that are still held back."""
LOUD = 0.1


@dataclass
class FakeEcho:
    """Somebody talks over us when it is told so."""

    duplex: Duplex
    undecided: bool = False


@dataclass
class FakeOutput:
    """Has a loudspeaker that plays what it is told to."""

    speaker: FakeSpeaker


@dataclass
class FakeSessions:
    """Has one session."""

    session: FakeSession | None
    persona: str = ""


@dataclass
class FakeTalk:
    """A reply plays, and the microphone goes up, when it is told so."""

    replying: bool = True
    uplink_open: bool = True


class Line:
    """An uplink, made of fakes; frames are told by their numbers, silence is None."""

    def __init__(self, mode: Mode = "half", canceller: Canceller = "none") -> None:
        self.echo = FakeEcho(Duplex(mode, canceller))
        self.speaker = FakeSpeaker()
        self.session = FakeSession(1, lambda _news: None, [])
        self.sessions = FakeSessions(self.session)
        self.talk = FakeTalk()
        self.uplink = Uplink(
            cast("EchoControl", self.echo),
            cast("Output", FakeOutput(self.speaker)),
            cast("Sessions", self.sessions),
            cast("Talk", self.talk),
        )
        self.next_number = 0
        self._told = 0

    def renew(self, number: int) -> None:
        """Let another session take over."""
        self.session = self.sessions.session = FakeSession(number, lambda _news: None, [])
        self._told = 0

    def record(self) -> Frame:
        """Let the next frame be kept, and not sent yet."""
        heard = frame(self.next_number)
        self.next_number += 1
        self.uplink.record(heard)
        return heard

    def hear(
        self, frames: int = 1, *, audible: bool = False, level: float = 0.0, near: bool = False
    ) -> list[int | None]:
        """Let so many frames be heard; gives what has gone up meanwhile."""
        self.speaker.audible, self.speaker.level = audible, level
        for _ in range(frames):
            self.uplink.send(Heard(self.record(), None, near=near))
        return self.sent

    def reply(self, frames: int = 50) -> list[int | None]:
        return self.hear(frames, audible=True, level=LOUD)

    def start(self, number: int | None, seconds: float) -> list[int | None]:
        """Send from so long before the end of this frame on."""
        end_sample = None if number is None else (number + 1) * FRAME_SAMPLES
        self.uplink.start(end_sample, seconds)
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
def line() -> Line:
    return Line()


# --- silence --------------------------------------------------------------------------------------


def test_while_nothing_of_ours_plays_every_frame_goes_up(line: Line) -> None:
    """As it came, once."""
    assert line.hear(5) == [0, 1, 2, 3, 4]
    assert not line.uplink.silenced


def test_without_an_open_uplink_nothing_goes_up(line: Line) -> None:
    """Before a wake word or a press."""
    line.talk.uplink_open = False
    assert line.hear(5) == []


def test_while_a_reply_can_be_heard_silence_goes_up(line: Line) -> None:
    """And until the room has died away: a server that hears its own voice interrupts itself."""
    assert line.reply(3) == [None] * 3
    assert line.uplink.silenced
    assert line.hear(RINGING) == [None] * RINGING
    assert line.hear(2) == [3 + RINGING, 4 + RINGING]
    assert not line.uplink.silenced


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
    line = Line(mode, canceller)
    assert line.reply(3) == ([None] * 3 if silenced else [0, 1, 2])
    line.echo.undecided = True
    assert line.reply(2) == ([None] * 2 if silenced else [3, 4])


def test_over_a_chime_people_speak_on(line: Line) -> None:
    """Only a reply shuts the microphone."""
    line.talk.replying = False
    assert line.reply(3) == [0, 1, 2]
    assert line.hear(3) == [3, 4, 5]


def test_a_reply_that_was_cut_short_lets_the_microphone_up_at_once(line: Line) -> None:
    """The user has begun to speak: what of ours still rings is theirs to talk over."""
    line.reply(20)
    line.uplink.open_now()
    line.talk.replying = False
    assert line.hear(2) == [20, 21]


def test_while_it_is_not_decided_who_interrupts_silence_goes_up(line: Line) -> None:
    """However long ago our last sound was."""
    line = Line("full", "software")
    line.reply(20)
    line.echo.undecided = True
    assert line.hear(30) == [None] * 30


# --- catching up ----------------------------------------------------------------------------------


def test_after_the_silent_end_of_a_reply_what_was_said_is_caught_up_with(line: Line) -> None:
    """Replies end in silence: who begins to speak there loses not a word."""
    line.reply(20)
    assert line.hear(30, audible=True) == [None] * 30
    began = 20 + RINGING
    assert line.hear(1) == list(range(began, 51))
    assert line.hear(2) == [51, 52]


def test_what_our_own_voice_was_in_is_not_caught_up_with(line: Line) -> None:
    """It has ended just now: there is nothing to be had but its echo."""
    line.reply(20)
    assert line.hear(RINGING + 1) == [None] * RINGING + [20 + RINGING]


def test_who_speaks_while_the_reply_still_rings_is_heard_from_the_beginning(
    line: Line,
) -> None:
    """A short "no" said right at the end must not wait for the room to fall silent."""
    line.reply(20)
    line.talk.replying = False
    assert line.hear(4) == [None] * 4
    assert line.hear(1, near=True) == [20, 21, 22, 23, 24]
    assert line.hear(2) == [25, 26]


def test_over_a_reply_that_sounds_nobody_is_heard_so_soon(line: Line) -> None:
    """There it is for the barge-in to decide."""
    line.reply(20)
    assert line.hear(5, audible=True, level=LOUD, near=True) == [None] * 5


def test_after_a_barge_in_everything_since_they_began_goes_up(line: Line) -> None:
    """From shortly before they were first heard; the silence that went up meanwhile stays."""
    line = Line("full", "software")
    line.reply(40)
    line.echo.undecided = True
    assert line.hear(25) == [None] * 25
    line.echo.undecided = False
    line.uplink.open_now()
    line.talk.replying = False
    before = round(SAME_BREATH_S * 50)
    assert line.start(41, SAME_BREATH_S) == list(range(42 - before, 65))
    assert line.hear(2) == [65, 66]


def test_after_a_cough_nothing_of_the_pause_goes_up(line: Line) -> None:
    """The reply goes on: what was heard in its pause is nobody's turn, and never sent."""
    line = Line("full", "software")
    line.reply(40)
    line.echo.undecided = True
    assert line.hear(30) == [None] * 30
    line.echo.undecided = False
    assert line.hear(2) == [None] * 2
    line.reply(20)
    assert line.hear(RINGING + 1) == [None] * RINGING + [40 + 30 + 2 + 20 + RINGING]


def test_a_barge_in_told_with_its_last_frame_sends_that_frame_once(line: Line) -> None:
    """A frame is kept before it is sent."""
    line.reply(40)
    heard = line.record()
    line.uplink.open_now()
    assert line.start(40, 0.04) == [39, 40]
    line.talk.replying = False
    line.uplink.send(Heard(heard, None, near=False))
    assert line.sent == []


def test_the_pre_roll_goes_up_before_what_follows(line: Line) -> None:
    """As far back as was asked for, and what was sent already not again."""
    line.talk.uplink_open = False
    line.hear(100)
    line.talk.uplink_open = True
    assert line.start(89, 0.2) == list(range(80, 100))
    assert line.hear(2) == [100, 101]
    assert line.start(None, 5.0) == []


def test_a_new_session_is_not_given_what_the_last_one_had(line: Line) -> None:
    """A second wake word right after the first conversation."""
    line.hear(50)
    line.talk.uplink_open = False
    line.hear(10)
    line.talk.uplink_open = True
    line.renew(2)
    assert line.start(59, 1.5) == list(range(50, 60))


def test_another_microphone_counts_from_0(line: Line) -> None:
    """Its first frames are not taken for sent ones."""
    line.hear(50)
    line.uplink.new_stream()
    line.next_number = 0
    line.uplink.forget()
    assert line.hear(2) == [0, 1]


# --- the pre-roll ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "seconds"), [(99, 1.0), (None, 1.0), (79, 0.6)])
def test_the_pre_roll_reaches_back_from_a_sample_or_from_now(
    line: Line, number: int | None, seconds: float
) -> None:
    """Frames that end by then are left out."""
    line.talk.uplink_open = False
    line.hear(100)
    assert line.start(number, seconds) == list(range(50, 100))


def test_the_pre_roll_leaves_out_what_was_sent_already(line: Line) -> None:
    """Although it reaches further back."""
    line.hear(90)
    line.talk.uplink_open = False
    line.hear(10)
    assert line.start(None, 1.0) == list(range(90, 100))


def test_the_memory_is_bounded(line: Line) -> None:
    """However long it runs."""
    line.talk.uplink_open = False
    frames = round(RING_S * 50) + 7
    line.hear(frames)
    assert line.start(None, 100.0) == list(range(7, frames))


def test_nothing_from_before_a_gap_is_remembered(line: Line) -> None:
    """What was lost in between would be missing in the middle of a word."""
    line.talk.uplink_open = False
    line.hear(10)
    line.next_number += 5
    line.hear(3)
    assert line.start(None, 100.0) == [15, 16, 17]


def test_forgotten_nothing_is_sent_of_what_was_heard_before(line: Line) -> None:
    """The microphone was closed by its owner."""
    line.talk.uplink_open = False
    line.hear(10)
    line.uplink.forget()
    assert line.start(None, 100.0) == []
    line.hear(3)
    assert line.start(None, 100.0) == [10, 11, 12]


def test_without_a_session_nothing_is_sent_and_nothing_counts_as_sent(line: Line) -> None:
    """Its key was missing; the next one is given all of it."""
    line.sessions.session = None
    line.hear(10)
    assert line.start(None, 100.0) == []
    line.renew(2)
    assert line.start(None, 100.0) == list(range(10))


# --- whatever happens -----------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("quiet"), st.integers(1, 40)),
        st.tuples(st.just("audible"), st.integers(1, 40)),
        st.tuples(st.just("reply"), st.integers(1, 40)),
        st.tuples(st.just("replying"), st.booleans()),
        st.tuples(st.just("undecided"), st.booleans()),
        st.tuples(st.just("uplink_open"), st.booleans()),
        st.tuples(st.just("open_now"), st.none()),
        st.tuples(st.just("start"), st.integers(0, 100)),
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
    line = Line(mode, canceller)
    numbers: list[int] = []
    for what, value in steps:
        match what:
            case "quiet":
                sent = line.hear(value)
            case "audible":
                sent = line.hear(value, audible=True)
            case "reply":
                sent = line.reply(value)
            case "start":
                sent = line.start(max(0, line.next_number - value), 0.3)
                assert None not in sent
            case "lost":
                line.next_number += value
                continue
            case "open_now":
                line.uplink.open_now()
                continue
            case "undecided":
                line.echo.undecided = bool(value)
                continue
            case _:
                setattr(line.talk, what, bool(value))
                continue
        if not line.echo.duplex.gates:
            assert None not in sent
        numbers += [number for number in sent if number is not None]
    assert numbers == sorted(set(numbers))


@settings(max_examples=50, deadline=None)
@given(pauses=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=10))
def test_between_replies_no_frame_is_missing(pauses: list[tuple[int, int]]) -> None:
    """From when our voice has died away to the next of it, all that was heard has gone up."""
    line = Line()
    for reply_frames, quiet_frames in pauses:
        line.reply(reply_frames)
        began = line.next_number
        sent = line.hear(quiet_frames)
        kept = [number for number in sent if number is not None]
        assert kept == list(range(began + RINGING, line.next_number))
