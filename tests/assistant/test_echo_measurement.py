"""Says a sentence and listens to it: when asked, and once by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import cast

import pytest

from device import news as n
from device.assistant import echo_measurement as module
from device.assistant.echo_measurement import HINDRANCES, EchoMeasurement
from device.assistant.parts import Parts
from device.assistant.settings import Settings
from device.assistant.talk import Talk
from device.audio import keep_open as keeping
from device.board.profiles import profile_named
from device.config import parse
from device.conversation.states import State
from device.echo.canceller import EchoCanceller, Heard
from device.echo.path import EchoFigures
from device.errors import MeasuringError
from device.frames import FRAME_BYTES, Frame
from device.news import Pressed
from device.ports import Played
from device.state.echo import Way
from tests.rig.fakes import Hub, lost, microphone_device, speaker_device, until

SENTENCE = b"None: hello"
"""As the fakes say it."""
GOOD = EchoFigures(6.0, 25.0, 5.0, -60.0, 86.0, 0.0, 40.0, learned=True)
OURS = bytes(FRAME_BYTES)
WAY = Way(speaker_device(), microphone_device(), "software")
SHORT_S = 0.02
"""In place of the seconds that it waits for what does not come."""


class FakeEcho:
    """Hears our own voice when it is told to; its figures are good."""

    def __init__(self) -> None:
        self.doubted = False
        self.blind = False
        self.figures = GOOD
        self.sounding = False
        self.begun = 0

    def measure_anew(self) -> None:
        self.begun += 1

    def hear(self, frame: Frame, _: list[Played], *, attentive: bool = False) -> Heard:
        assert not attentive
        return Heard(frame, OURS if self.sounding else None, near=False)


class Room:
    """A speaker at rest, and what its microphone hears of it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.measurement = hub.assistant.measurement
        self.echo = FakeEcho()
        hub.assistant.echo.echo = cast("EchoCanceller", self.echo)

    def measure(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.measurement.measure())

    async def said(self, times: int = 1) -> None:
        """Wait until the sentence was given to the loudspeaker."""
        await until(lambda: len(self.hub.speaker.announced) == times)

    async def sounds(self) -> None:
        """Our own voice arrives at the microphone."""
        self.echo.sounding = True
        await self.hub.hear()

    async def dies_away(self) -> None:
        self.echo.sounding = False
        await self.hub.hear()

    async def refusal(self, measured: asyncio.Task[None] | None = None) -> str:
        with pytest.raises(MeasuringError) as caught:
            await (measured or self.measure())
        return str(caught.value)

    def first_start(self) -> asyncio.Task[None]:
        """What the hub began when it was started; that one is still waiting for its seconds."""
        return asyncio.create_task(self.measurement.at_first_start())


@asynccontextmanager
async def room_of(hub: Hub) -> AsyncIterator[Room]:
    async with hub.running():
        yield Room(hub)


@dataclass
class FakeTalk:
    """Stands where it is put."""

    state: State


def in_state(state: State, hub: Hub, parts: Parts, config: str = "") -> EchoMeasurement:
    """Of a speaker that is doing this."""
    assistant, talk = hub.assistant, cast("Talk", FakeTalk(state))
    settings = Settings(parse(config, "test.yaml"))
    return EchoMeasurement(parts, assistant.echo, assistant.input, talk, settings)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with room_of(Hub()) as room:
        yield room


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for long."""
    monkeypatch.setattr(module, "BEGINS_WITHIN_S", SHORT_S)
    monkeypatch.setattr(module, "LASTS_AT_MOST_S", SHORT_S)


@pytest.fixture
def calm(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is calm at once; the hub of the room still waits for it."""
    monkeypatch.setattr(module, "CALM_S", 0.001)


# --- when asked -----------------------------------------------------------------------------------


async def test_the_result_waits_until_the_sentence_was_heard(room: Room) -> None:
    """What was measured before does not count; what is learned of the echo does."""
    measured = room.measure()
    await room.said()
    assert room.hub.speaker.announced == [SENTENCE]
    assert room.echo.begun == 1
    await room.sounds()
    await room.hub.hear(5)
    assert not measured.done()
    await room.dies_away()
    await measured
    figures = room.hub.assistant.echo.duplex.figures
    assert (figures.mode, figures.why) == ("full", "25 dB of the echo are cancelled")


async def test_the_decision_is_kept_for_this_way(room: Room) -> None:
    """The next process begins with it."""
    measured = room.measure()
    await room.said()
    await room.sounds()
    await room.dies_away()
    await measured
    known = room.hub.assistant.parts.echo_memory.recall(WAY)
    assert known is not None
    assert (known.mode, known.why) == ("full", "25 dB of the echo are cancelled")


async def test_what_still_rings_is_not_the_sentence(room: Room) -> None:
    """It is said when the end of a reply or a chime has died away."""
    await room.sounds()
    measured = room.measure()
    await room.hub.hear(5)
    assert room.hub.speaker.announced == []
    await room.dies_away()
    await room.said()
    await room.sounds()
    await room.dies_away()
    await measured


async def test_who_asks_meanwhile_gets_a_measurement_of_their_own(room: Room) -> None:
    """One after the other: a sentence that begins anew would spoil both."""
    first, second = room.measure(), room.measure()
    for times, measured in enumerate((first, second), 1):
        await room.said(times)
        await room.sounds()
        await room.dies_away()
        await measured
    assert room.echo.begun == 2


@pytest.mark.parametrize("state", [each for each in State if each is not State.IDLE])
async def test_it_is_only_measured_at_rest(state: State) -> None:
    """The refusal says what the speaker is doing, or what to do about it."""
    hub = Hub()
    with pytest.raises(MeasuringError) as caught:
        await in_state(state, hub, hub.parts()).measure()
    why = HINDRANCES.get(state, f"the speaker is {state.label}")
    assert str(caught.value) == f"it cannot be measured now: {why}"
    assert hub.speaker.announced == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("", "there is nothing to say yet: try again in a minute; it takes espeak-ng"),
        ("audio: {announcements: off}", "there is nothing to say: audio.announcements is off"),
    ],
)
async def test_without_a_sentence_it_says_why_there_is_none(config: str, reason: str) -> None:
    """They are made while the speaker runs, or not at all."""
    hub = Hub()
    speechless = replace(hub.parts(), sentence=lambda _config, _kind: None)
    with pytest.raises(MeasuringError) as caught:
        await in_state(State.IDLE, hub, speechless, config).measure()
    assert str(caught.value) == reason
    assert hub.speaker.announced == []


async def test_silence_is_told(room: Room, impatient: None) -> None:
    """Volume 0, or no loudspeaker; turned up later, it does not say the rest of the sentence."""
    assert await room.refusal() == "nothing was played; see: parley status, and parley volume"
    assert room.hub.speaker.announced == [SENTENCE]
    assert room.hub.speaker.hushed == 1


async def test_a_sentence_without_end_is_given_up(room: Room, impatient: None) -> None:
    """Whoever asked does not wait for ever."""
    measured = room.measure()
    await room.said()
    await room.sounds()
    assert "nothing was played" in await room.refusal(measured)


@pytest.mark.parametrize(
    "wants",
    [
        lambda hub: hub.detector.hear(320),
        lambda hub: hub.assistant.post(Pressed("tap", 1.0)),
        lambda hub: hub.assistant.post(n.Ask("why?")),
    ],
    ids=["wake word", "button", "typed question"],
)
async def test_whoever_wants_to_talk_breaks_it_off(
    room: Room, wants: Callable[[Hub], None]
) -> None:
    """The sentence is silent at once; what was measured is no result."""
    measured = room.measure()
    await room.said()
    await room.sounds()
    wants(room.hub)
    assert room.hub.speaker.hushed == 1
    await room.dies_away()
    assert await room.refusal(measured) == "it was broken off: the speaker is connecting"


async def test_a_microphone_that_is_muted_breaks_it_off(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hears no more that the sentence is over."""
    # Time enough for the mute on a busy machine.
    monkeypatch.setattr(module, "LASTS_AT_MOST_S", 1.0)
    measured = room.measure()
    await room.said()
    await room.sounds()
    await room.hub.assistant.mute.mute()
    told = "it was broken off: the microphone is muted; see: parley unmute"
    assert await room.refusal(measured) == told


async def test_who_hangs_up_hears_no_more_of_it(room: Room) -> None:
    """`parley doctor` was interrupted from the keyboard."""
    measured = room.measure()
    await room.said()
    await room.sounds()
    measured.cancel()
    await asyncio.wait([measured])
    assert room.hub.speaker.hushed == 1
    await room.dies_away()
    again = room.measure()
    await room.said(2)
    await room.sounds()
    await room.dies_away()
    await again


# --- at the first start ---------------------------------------------------------------------------


async def test_at_the_first_start_it_speaks_once(room: Room, calm: None) -> None:
    """And knows then how the room answers."""
    first = room.first_start()
    await room.said()
    await room.sounds()
    await room.dies_away()
    await first
    assert room.hub.assistant.parts.echo_memory.recall(WAY) is not None
    await room.first_start()
    assert room.hub.speaker.announced == [SENTENCE]


async def test_it_does_not_insist(room: Room, calm: None) -> None:
    """A volume too low to tell anything is no reason to say it all again."""
    room.echo.figures = replace(GOOD, return_loss_db=None, erle_db=None, residue_db=None)
    first = room.first_start()
    await room.said()
    await room.sounds()
    await room.dies_away()
    await first
    assert room.hub.speaker.announced == [SENTENCE]


async def test_it_waits_until_it_is_calm(room: Room) -> None:
    """For five seconds: whoever has just switched it on may want to talk first."""
    assert module.CALM_S == 5.0
    first = room.first_start()
    await room.hub.hear(5)
    assert room.hub.speaker.announced == []
    first.cancel()


async def test_a_way_that_is_known_is_not_measured_again(room: Room, calm: None) -> None:
    """It was, before the last restart."""
    room.hub.assistant.parts.echo_memory.keep(WAY, "half", "")
    await room.first_start()
    assert room.hub.speaker.announced == []


async def test_what_a_reply_has_measured_is_not_measured_again(room: Room, calm: None) -> None:
    """Somebody was quicker."""
    await room.sounds()
    await room.dies_away()
    await room.first_start()
    assert room.hub.speaker.announced == []


@pytest.mark.parametrize(
    "config",
    [
        "audio: {duplex: full}",
        "audio: {duplex: half}",
        "audio: {announcements: off}",
        "audio: {echo_cancellation: hardware}",
        "board: flex",
    ],
)
async def test_where_there_is_nothing_to_find_out_it_says_nothing(config: str, calm: None) -> None:
    """The owner has decided, wants no speeches, or has a board that cancels echo."""
    hub = Hub(config)
    if config == "board: flex":
        hub.boards = {"microphone A": profile_named("flex")}
    async with room_of(hub) as room:
        await room.first_start()
        assert hub.speaker.announced == []


async def test_a_wake_word_before_it_speaks_puts_it_off(
    room: Room, calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the talk is over, if that has told nothing of the echo."""
    monkeypatch.setattr(module, "TRIES", 1_000_000)
    await room.hub.wake()
    first = room.first_start()
    await room.hub.hear(20)
    assert room.hub.speaker.announced == []
    room.hub.assistant.post(n.Stop())
    await room.said()
    first.cancel()


async def test_what_still_rings_puts_it_off(
    room: Room, calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no try; what was heard of it may have been too little to tell anything."""
    monkeypatch.setattr(module, "TRIES", 1)
    room.echo.figures = replace(GOOD, return_loss_db=None, erle_db=None, residue_db=None)
    await room.sounds()
    first = room.first_start()
    await room.hub.hear(20)
    assert room.hub.speaker.announced == []
    await room.dies_away()
    await room.said()
    first.cancel()


async def test_in_a_long_talk_it_gives_up(room: Room, calm: None) -> None:
    """The replies tell as much."""
    await room.hub.wake()
    await room.first_start()
    assert room.hub.speaker.announced == []


async def test_what_failed_is_tried_again(room: Room, calm: None, impatient: None) -> None:
    """The loudspeaker was not open yet, or its sentences not made; but not for ever."""
    await room.first_start()
    assert room.hub.speaker.announced == [SENTENCE] * module.TRIES


# --- the hub --------------------------------------------------------------------------------------


async def test_the_hub_measures_at_its_first_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, when the microphone delivers; and ends when it is told to."""
    monkeypatch.setattr(module, "CALM_S", 0.1)
    hub = Hub()
    async with room_of(hub) as room:
        await room.said()
        await room.sounds()
        await room.dies_away()
        assert hub.assistant.parts.echo_memory.recall(WAY) is not None


async def test_the_hub_ends_while_it_waits_for_calm() -> None:
    """No task of it stays behind."""
    hub = Hub()
    async with hub.running():
        assert "first measurement" in tasks()
    assert "first measurement" not in tasks()


async def test_the_hub_ends_in_the_middle_of_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is broken off."""
    monkeypatch.setattr(module, "CALM_S", 0.1)
    hub = Hub()
    async with room_of(hub) as room:
        await room.said()
        await room.sounds()
        assert "first measurement" in tasks()
    assert "first measurement" not in tasks()
    assert hub.speaker.hushed == 1


def tasks() -> set[str]:
    """The names of what runs."""
    return {task.get_name() for task in asyncio.all_tasks()}


@pytest.mark.parametrize(
    ("config", "mode"),
    [("", "full"), ("audio: {duplex: half}", "half"), ("audio: {echo_cancellation: off}", "half")],
)
async def test_the_hub_begins_with_what_it_remembers(config: str, mode: str) -> None:
    """Unless the owner has decided, or somebody else cancels the echo now."""
    hub = Hub(config)
    hub.assistant.parts.echo_memory.keep(WAY, "full", "25 dB of the echo are cancelled")
    async with hub.running():
        await until(lambda: hub.speaker.is_open)
        assert hub.assistant.echo.duplex.mode == mode


@pytest.mark.parametrize("device", ["loudspeaker", "microphone"])
async def test_a_device_that_is_back_is_remembered(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two opens last: only then is it known between which it is."""
    monkeypatch.setattr(keeping, "FIRST_DELAY_S", 0.001)
    hub = Hub()
    async with hub.running():
        await until(lambda: hub.speaker.is_open)
        hub.assistant.parts.echo_memory.keep(WAY, "full", "")
        assert hub.assistant.echo.duplex.mode == "half"
        if device == "loudspeaker":
            hub.speaker.lose(lost())
        else:
            hub.microphone.fail(lost())
            await hub.hear()
        await until(lambda: hub.assistant.echo.duplex.mode == "full")


async def test_what_a_reply_tells_is_kept(room: Room) -> None:
    """Whoever never asks is remembered too; a changed mind is as well."""
    memory = room.hub.assistant.parts.echo_memory
    session = await room.hub.wake()
    session.say(1)
    await room.sounds()
    await room.dies_away()
    assert memory.recall(WAY) is None
    room.hub.assistant.post(n.Stop())
    await room.hub.hear()
    known = memory.recall(WAY)
    assert known is not None
    assert known.mode == "full"
    room.echo.figures = replace(GOOD, erle_db=5.0, residue_db=20.0)
    await room.sounds()
    await room.dies_away()
    known = memory.recall(WAY)
    assert known is not None
    assert known.mode == "half"
