"""Who is heard while a reply plays, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from device.assistant.echo import EchoControl
from device.assistant.output import Output
from device.board.profiles import NONE, Profile
from device.config import Config, parse
from device.echo import speex
from device.echo.canceller import EchoCanceller, Heard
from device.echo.duplex import Canceller
from device.echo.path import EchoFigures
from device.events import EventBus, public
from device.faults import Faults
from device.frames import FRAME_BYTES, FRAME_SAMPLES, Frame
from device.news import (
    BargedIn,
    DuplexDecided,
    FellSilent,
    News,
    SpeechJudged,
    TalkedOver,
)
from device.ports import Played
from tests.rig.fakes import FakeSpeaker, frame

BOARD = Profile("board", "one that cancels", echo_cancellation=True)
GOOD = EchoFigures(6.0, 25.0, 5.0, -60.0, 86.0, 0.0, 40.0, learned=True)
NOTHING_KNOWN = EchoFigures(None, None, None, None, None, None, 40.0, learned=False)
OURS = bytes(FRAME_BYTES)

TALKED_OVER = TalkedOver(0.0, 0.0)
FELL_SILENT = FellSilent(0.0)


def barged_in(first_sample: int) -> BargedIn:
    return BargedIn(first_sample, 0.0)


def timeless(news: News) -> News:
    """The same news, as if it had happened at 0."""
    match news:
        case TalkedOver():
            return TALKED_OVER
        case BargedIn() | FellSilent() | DuplexDecided():
            return replace(news, time=0.0)
    raise AssertionError(f"{news} is not for the echo to tell")


def config(cancellation: str = "auto", duplex: str = "auto") -> Config:
    text = f"audio: {{echo_cancellation: {cancellation}, duplex: {duplex}}}"
    return parse(text, "test.yaml")


class FakeEcho:
    """An echo canceller whose figures are set, and who hears whom it is told to."""

    def __init__(self) -> None:
        self.figures = GOOD
        self.doubted = False
        self.blind = False
        self.nobodies = 0
        self.heard: list[tuple[Frame, list[Played], bool]] = []

    def was_nobody(self) -> None:
        self.nobodies += 1

    def hear(self, frame: Frame, played: list[Played], *, attentive: bool = False) -> Heard:
        self.heard.append((frame, played, attentive))
        return Heard(frame, None, near=False)


class FakeOutput:
    """Has a loudspeaker."""

    def __init__(self) -> None:
        self.speaker = FakeSpeaker()


class Room:
    """Somebody who listens to a reply, and what they make happen."""

    def __init__(self, settings: Config | None = None, profile: Profile = NONE) -> None:
        self.faults = Faults(EventBus(lambda _event: None))
        self.output = FakeOutput()
        self.posted: list[News] = []
        self.control = EchoControl(
            settings or config(duplex="full"),
            profile,
            self.faults,
            cast("Output", self.output),
            self.posted.append,
        )
        self.echo = FakeEcho()
        self.speaking = True
        self._number = 0

    def with_echo(self) -> Room:
        """Measure what it is told to."""
        self.control.echo = cast("EchoCanceller", self.echo)
        return self

    def hear(
        self, frames: int, *, near: bool = False, speech: float = 0.0, far_end: bytes | None = OURS
    ) -> list[News]:
        """Let so many frames pass; gives what was told of people meanwhile."""
        known = len(self.posted)
        for _ in range(frames):
            heard = Heard(frame(self._number), far_end, near=near, bright=near)
            first = self._number * FRAME_SAMPLES
            self._number += 1
            self.control.frame(heard, replying=self.speaking)
            self.control.judged(SpeechJudged(speech, first, first + FRAME_SAMPLES, 0.0))
        people = (news for news in self.posted[known:] if not isinstance(news, DuplexDecided))
        return [timeless(news) for news in people]

    @property
    def told(self) -> list[str]:
        """What the owner is told of people who talk over us."""
        events = [public(news) for news in self.posted]
        return [event.fields["what"] for event in events if event and event.event == "barge_in"]

    @property
    def remembered(self) -> list[str]:
        """What was decided by measurement, to be kept beyond the process."""
        return [news.mode for news in self.posted if isinstance(news, DuplexDecided)]


@pytest.fixture
def room() -> Room:
    return Room().with_echo()


# --- who talks over the reply ---------------------------------------------------------------------


def test_who_speaks_on_interrupts_the_reply(room: Room) -> None:
    """It pauses at once, is decided after 200 ms of words, and is told from where they began."""
    room.hear(10)
    assert room.hear(1, near=True) == [TALKED_OVER]
    assert room.control.undecided
    assert room.hear(10, near=True, speech=0.9) == [barged_in(11 * FRAME_SAMPLES)]
    assert room.told == ["began", "confirmed"]
    assert room.control.counters == {"barge_ins": 1, "paused_for_nothing": 0}


def test_when_somebody_was_heard_first_is_told_by_the_frame(room: Room) -> None:
    """How soon the reply falls silent counts from there, not from when it was found out."""
    heard = Heard(frame(7), OURS, near=True, bright=True)
    room.control.frame(heard, replying=True)
    (news,) = room.posted
    assert isinstance(news, TalkedOver)
    assert news.heard_at == heard.frame.captured_at < news.time


def replied(room: Room, frames: int, *, cut: bool) -> None:
    """A reply of so many frames, at the end of which somebody interrupts it or nobody does."""
    room.speaking = True
    room.hear(frames)
    if cut:
        assert BargedIn in map(type, room.hear(15, near=True, speech=0.9))
    room.speaking = False
    room.hear(5, far_end=None)


def test_who_interrupts_one_reply_after_the_other_at_once_does_not_talk_to_us() -> None:
    """A television: after three replies that nobody heard it is half duplex for a while."""
    room = Room(config("software")).with_echo()
    replied(room, 20, cut=False)
    assert room.control.duplex.mode == "full"
    for cut, frames in ((True, 20), (True, 20), (False, 20), (True, 20), (True, 400), (True, 20)):
        replied(room, frames, cut=cut)
        assert room.control.duplex.mode == "full"
    replied(room, 20, cut=True)
    assert room.control.duplex.mode == "full"
    replied(room, 20, cut=True)
    assert room.control.duplex.figures.mode == "half"


def test_a_cough_lets_the_reply_go_on_and_makes_more_careful(room: Room) -> None:
    """It was nobody: the canceller hears of it."""
    assert room.hear(3, near=True) == [TALKED_OVER]
    assert room.hear(30) == [FELL_SILENT]
    assert not room.control.undecided
    assert room.told == ["began", "dismissed"]
    assert room.echo.nobodies == 1
    assert room.control.counters == {"barge_ins": 0, "paused_for_nothing": 1}


def test_a_word_lets_the_reply_go_on_too(room: Room) -> None:
    """But it was a person: nothing is to be learned from it."""
    assert room.hear(8, near=True, speech=0.9) == [TALKED_OVER]
    assert room.hear(30) == [FELL_SILENT]
    assert room.echo.nobodies == 0
    assert room.control.counters["paused_for_nothing"] == 1


def test_what_was_our_own_late_voice_is_dismissed_at_once(room: Room) -> None:
    """A card that ran dry shifts our echo: until it is found again nobody can be told from us."""
    room.hear(10)
    assert room.hear(2, near=True) == [TALKED_OVER]
    room.echo.blind = True
    assert room.hear(20, speech=0.9) == [FELL_SILENT]
    assert room.told == ["began", "dismissed"]
    assert room.echo.nobodies == 0
    assert room.control.counters == {"barge_ins": 0, "paused_for_nothing": 1}


def test_in_half_duplex_nobody_is_asked() -> None:
    """The wake word and the button still work."""
    room = Room(config(duplex="half")).with_echo()
    assert room.hear(50, near=True, speech=0.9) == []


def test_before_it_has_learned_nobody_can_be_told_from_us(room: Room) -> None:
    """The first seconds after the start, and after the way has changed."""
    room.echo.figures = replace(GOOD, learned=False)
    assert room.hear(50, near=True, speech=0.9) == []


def test_where_no_reply_can_be_interrupted_nothing_happens(room: Room) -> None:
    """While we listen people are meant to speak."""
    room.speaking = False
    assert room.hear(50, near=True, speech=0.9) == []
    assert room.told == []


def test_a_reply_that_ends_ends_the_question(room: Room) -> None:
    """By the button, or by a lost connection: nobody is waiting for it any more."""
    room.hear(3, near=True)
    room.speaking = False
    assert room.hear(50, speech=0.9) == []
    assert not room.control.undecided


def test_a_new_microphone_ends_the_question(room: Room) -> None:
    """Its samples are counted from 0: half a second would never be over."""
    room.hear(3, near=True)
    room.control.new_stream()
    assert not room.control.undecided


def test_other_settings_end_the_question(room: Room) -> None:
    """And what was learned of the echo is learned anew."""
    room.hear(3, near=True)
    room.control.choose(config(), NONE)
    assert not room.control.undecided
    assert not room.control.echo.figures.learned


# --- the microphone -------------------------------------------------------------------------------


def test_what_was_played_goes_to_the_canceller_once(room: Room) -> None:
    """With the frame that follows it."""
    block = Played(b"\1\0" * 480, 48_000, 1, 0, 12.0)
    room.output.speaker.sounded = [block]
    first, second = frame(0), frame(1)
    assert room.control.hear(first).frame is first
    room.control.hear(second)
    assert room.echo.heard == [(first, [block], False), (second, [], False)]


def test_while_it_is_not_decided_the_canceller_is_attentive(room: Room) -> None:
    """The reply pauses, so nothing of ours plays; whoever spoke is to be heard all the same."""
    room.hear(1, near=True)
    room.control.hear(frame(9))
    assert room.echo.heard[-1][2]


# --- full or half ---------------------------------------------------------------------------------


def test_it_changes_its_mind_between_replies() -> None:
    """Never in the middle of one, nor while its last words can be heard."""
    room = Room(config("software")).with_echo()
    modes = []
    for speaking, far_end in ((True, OURS), (True, None), (False, OURS), (False, None)):
        room.speaking = speaking
        room.hear(5, far_end=far_end)
        modes.append(room.control.duplex.mode)
    assert modes == ["half", "half", "half", "full"]


def test_what_was_measured_is_told_after_each_stretch_of_our_own_sound() -> None:
    """Once, so that it can be remembered over a restart."""
    room = Room(config("software")).with_echo()
    for _ in range(2):
        room.speaking = True
        room.hear(5)
        room.speaking = False
        room.hear(5)
        room.hear(5, far_end=None)
    assert room.remembered == ["full", "full"]


def test_what_follows_from_noises_that_were_taken_for_people_is_not_remembered() -> None:
    """Clattering dishes are over tomorrow."""
    room = Room(config("software")).with_echo()
    room.echo.doubted = True
    room.speaking = True
    room.hear(5)
    room.speaking = False
    room.hear(5)
    room.hear(5, far_end=None)
    assert room.remembered == []


@pytest.mark.parametrize("figures", [NOTHING_KNOWN, GOOD])
def test_what_was_not_measured_is_not_remembered(figures: EchoFigures) -> None:
    """A chime is too short, and what the owner has set needs no memory."""
    room = Room(config(duplex="auto" if figures is NOTHING_KNOWN else "full")).with_echo()
    room.echo.figures = figures
    room.hear(5)
    room.speaking = False
    room.hear(5, far_end=None)
    assert room.remembered == []


def test_others_can_wait_until_our_own_sound_comes_and_is_over(room: Room) -> None:
    """In a pause of the reply it is not over."""
    seen = []
    for speaking, far_end in ((True, OURS), (True, None), (False, OURS), (False, None)):
        room.speaking = speaking
        room.hear(1, far_end=far_end)
        control = room.control
        seen.append((control.sounding.is_set(), control.quiet.is_set()))
    assert seen == [(True, False)] * 3 + [(False, True)]


@pytest.mark.parametrize(
    ("cancellation", "profile", "canceller"),
    [
        ("auto", NONE, "software"),
        ("auto", BOARD, "hardware"),
        ("software", BOARD, "software"),
        ("hardware", NONE, "hardware"),
        ("off", NONE, "none"),
        ("off", BOARD, "none"),
    ],
)
def test_who_cancels_is_as_configured_or_as_the_board_can(
    cancellation: str, profile: Profile, canceller: Canceller
) -> None:
    """Only where it is us a filter is there."""
    room = Room(config(cancellation), profile)
    assert room.control.canceller == canceller
    assert room.control.echo.cancels is (canceller == "software")
    assert room.control.duplex.mode == ("full" if canceller == "hardware" else "half")
    assert room.faults.active == []


def test_without_the_library_it_does_without_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that names the package, over when it is there; the speaker works meanwhile."""
    speex._library.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(speex, "LIBRARY", "libnosuchecho.so.7")
        room = Room(config())
    [fault] = room.faults.active
    assert fault.kind == "echo"
    assert "libspeexdsp1" in fault.message
    assert not fault.fatal
    assert room.control.canceller == "none"
    assert not room.control.echo.cancels
    assert room.control.hear(frame(0)).frame.first_sample == 0
    room.control.choose(config(), NONE)
    assert room.faults.active == []
    assert room.control.echo.cancels


def test_where_a_board_cancels_the_library_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where nothing is to be cancelled."""
    monkeypatch.setattr(speex, "LIBRARY", "libnosuchecho.so.7")
    speex._library.cache_clear()
    for settings, profile in ((config(), BOARD), (config("off"), NONE)):
        assert Room(settings, profile).faults.active == []
    speex._library.cache_clear()
