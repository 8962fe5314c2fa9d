"""The facts of an open device, from PortAudio's opening to everybody who acts on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from device.assistant.hub import Assistant
from device.audio.devices import Device, name_of_card
from device.audio.loudspeaker import Loudspeaker
from device.audio.microphone import PortAudioMicrophone
from device.audio.playback_thread import PortAudioCard
from device.board.detection import detect
from device.board.kernel import read_evidence
from device.board.profiles import NONE, Profile, Role, profile_for, profile_named
from device.board.standing import compare
from device.build import real as build
from device.build.boards import Boards
from device.config import Config, parse
from device.config.file import ConfigFile
from device.config.last_good import LastGood
from device.control.commands import Commands
from device.doctor import board as board_check
from device.doctor import microphone as microphone_check
from device.doctor import mixer as mixer_check
from device.doctor import panel as panel_check
from device.doctor.result import Verdict
from device.ports import OpenDevice
from device.state.echo import EchoMemory, Way
from device.state.mute import MuteMemory
from tests.rig import scene as doctor
from tests.rig.amixer import AIC3104, WM8960, XVF3800_6_CHANNELS, FakeAmixer
from tests.rig.fakes import PATIENCE_S, FakeLights, Hub, until
from tests.rig.listed_card import ListedCard
from tests.rig.machine import machine
from tests.rig.sound import SoundServer

Answer = dict[str, Any]

MIXERS = {"2mic-hat-v1": WM8960, "2mic-hat-v2": AIC3104}
"""Elements of the boards' cards at power-on."""

ARRAY = OpenDevice("ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)", 1, 0, 6, 16_000)


@pytest.mark.parametrize(
    ("device", "text"),
    [
        (ARRAY, f"'{ARRAY.name}' (16000 hz, channel 0 of 6)"),
        (OpenDevice("default", None, 0, 1, 48_000), "'default' (48000 hz, mono)"),
        (OpenDevice("default", None, None, 1, 48_000), "'default' (48000 hz, 1 channels)"),
    ],
)
def test_people_are_told_of_a_device_in_one_way(device: OpenDevice, text: str) -> None:
    """Scripts may read it in the status."""
    assert str(device) == text


def test_the_facts_come_back_from_a_record() -> None:
    """A file's or the socket's; what is no such record is nothing."""
    served = OpenDevice("default", None, None, 1, 48_000)
    for device in (ARRAY, served):
        assert OpenDevice.from_record(json.loads(json.dumps(asdict(device)))) == device
    damaged: tuple[object, ...] = (
        *(None, 7, str(ARRAY), {}, [], {"name": ARRAY.name}),
        *({**asdict(ARRAY), "channels": "6"}, {**asdict(ARRAY), "card": "Array"}),
    )
    for odd in damaged:
        assert OpenDevice.from_record(odd) is None


class SecretiveMicrophone(PortAudioMicrophone):
    """A microphone whose description says nothing."""

    @property
    def description(self) -> str:
        return "?"


class SecretiveSpeaker(Loudspeaker):
    """A loudspeaker whose description says nothing."""

    @property
    def description(self) -> str:
        return "?"


@dataclass(frozen=True)
class Read:
    """What each reader made of one opening."""

    device: OpenDevice
    board: str
    """Whose lights and button were claimed."""
    echo: str
    """Why it is full or half duplex."""
    muted_board: str
    """Whose lights and button a speaker will claim that starts muted."""
    doctors_board: str
    doctors_button: bool
    """Whether the doctor says that the speaker has one."""
    doctors_levels: list[str]
    """What the doctor asks amixer for."""
    doctors_microphones: list[int]
    """The channels that the doctor misses when nothing but zeros comes from one."""


async def read_by_everybody(root: Path, folder: Path, measured: str) -> Read:
    """Run a speaker on the machine below ``root``, on PortAudio, and ask whoever reads the facts.

    Its echo is known from another start of the computer, which numbered the cards otherwise, for
    the reason ``measured``. No reader finds anything in a description.
    """
    config, boards, state = Config(), Boards(root), folder / "state"
    microphone = SecretiveMicrophone(facts=boards.input_facts(config))
    speaker = SecretiveSpeaker(PortAudioCard(facts=boards.output_facts(config)))
    await remember(measured, state, microphone, speaker)
    claimed: list[str] = []
    levels: list[list[str]] = []

    def set_levels(
        config: Config, board: Profile, device: OpenDevice | None, loudspeaker: OpenDevice | None
    ) -> list[str]:
        levels.append(build.levels(config, board, device, loudspeaker))
        return levels[-1]

    def lights(_config: Config, profile: Profile) -> FakeLights:
        claimed.append(profile.name)
        return FakeLights()

    hub = Hub()
    parts = replace(
        hub.parts(),
        microphone=lambda _config: microphone,
        speaker=lambda _config: speaker,
        profile=boards.profile,
        lights=lights,
        set_levels=set_levels,
        echo_memory=EchoMemory(state),
        mute_memory=MuteMemory(state),
    )
    hub.assistant = Assistant(config, parts, hub.detector, hub.notified.append)
    path = folder / "config.yaml"
    file = ConfigFile(path, Config, LastGood(None, path, parse))
    commands = Commands(hub.assistant, lambda: None, file)
    async with hub.running(hearing=False):
        await until(lambda: hub.state == "idle")
        # A card's are set when either device was opened.
        opened = microphone.device
        assert opened is not None
        await until(lambda: len(levels) == (1 if opened.card is None else 2))
        assert not any(levels)
        status = await first(commands, "status", of_the_echo(measured))
        reading = await first(commands, "meter", lambda record: bool(record["levels"]))
        await first(commands, "mute", lambda record: bool(record["result"]["muted"]))
    assert microphone.device is not None
    asked = doctor.Commands(amixer="")
    scene = doctor.machine(root, status=status["result"], alive=True, run=asked)
    list(mixer_check.mixer(scene))
    button = doctor.only(await panel_check.button(scene))
    return Read(
        microphone.device,
        claimed[-1],
        status["result"]["duplex"]["why"],
        boards.profile(config, MuteMemory(state).load().hidden).name,
        board_check.finding(scene).board.name,
        "there is none" not in button.figure,
        asked.given,
        missed(reading),
    )


async def remember(
    why: str, state: Path, microphone: PortAudioMicrophone, speaker: Loudspeaker
) -> None:
    """Have it decided for these two, on cards of other numbers, that the talk is full duplex."""
    await microphone.open()
    await speaker.open(lambda _news: None)
    await speaker.close()
    await microphone.close()
    assert microphone.device is not None
    assert speaker.device is not None
    memory = EchoMemory(state)
    for canceller in ("hardware", "software"):
        way = Way(renumbered(speaker.device), renumbered(microphone.device), canceller)
        memory.keep(way, "full", why)
    await memory.kept()


def renumbered(device: OpenDevice) -> OpenDevice:
    if device.card is None:
        return device
    name = device.name.replace(f"(hw:{device.card},0)", "(hw:29,0)")
    assert name != device.name
    return replace(device, name=name, card=29)


def of_the_echo(measured: str) -> Callable[[Answer], bool]:
    return lambda record: bool(record["result"]["duplex"]["why"] == measured)


async def first(commands: Commands, command: str, wanted: Callable[[Answer], bool]) -> Answer:
    """The first such answer that arrives at the other end of the control socket."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with aclosing(commands.table()[command]({})) as records:
                async for record in records:
                    arrived: Answer = json.loads(json.dumps(dict(record)))
                    if wanted(arrived):
                        return arrived
            # It is not so yet: somebody has something to do first.
            await asyncio.sleep(0.001)


def missed(reading: dict[str, Any]) -> list[int]:
    """The channels about which the doctor hints something when they are silent."""
    found = []
    for place in range(len(reading["levels"])):
        levels = [
            {**level, "dead": channel == place} for channel, level in enumerate(reading["levels"])
        ]
        told = doctor.by_name(list(microphone_check.verdicts([{**reading, "levels": levels}])))
        if "channels" in told and told["channels"].verdict is Verdict.HINT:
            found.append(place)
    return found


@pytest.mark.parametrize(
    ("state", "board", "channels"),
    [
        ("2mic-hat-v1", "2mic-hat-v1", 2),
        ("2mic-hat-v2-by-address", "2mic-hat-v2", 2),
        ("4mic-hat", "4mic-hat", 4),
        ("6mic-circular", "6mic-circular", 8),
        ("usb-array", "usb-array", 6),
        ("usb-array-1-channel", "usb-array", 1),
        ("lite", "lite", 2),
        ("flex", "flex", 2),
        ("xvf3800", "xvf3800", 2),
        ("xvf3800-6-channels", "xvf3800", 6),
        ("xvf3800-another-name", "xvf3800", 2),
        ("two-arrays", "xvf3800", 2),
        ("two-arrays", "usb-array", 6),
    ],
)
async def test_everybody_acts_on_the_facts_of_a_board_s_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, board: str, channels: int
) -> None:
    """Of every recorded board, its card opened by PortAudio's name for it."""
    root = machine(state, tmp_path / "root")
    card = next(
        one.card for one in detect(read_evidence(root)).candidates if one.profile.name == board
    )
    name = name_of_card(card.number, card.name, card.codec)
    ListedCard(Device(name, 0, channels, 2, 16_000, "ALSA")).install(monkeypatch)
    amixer = FakeAmixer(tmp_path, **{f"card{card.number}": MIXERS.get(board, XVF3800_6_CHANNELS)})
    amixer.install(monkeypatch)
    read = await read_by_everybody(root, tmp_path, "measured before")
    profile = profile_named(board)
    roles = profile.channel_map(channels)
    assert roles is not None
    rate_hz = profile.rates_hz[0]
    channel = profile.channel_of(channels)
    assert read.device == OpenDevice(name, card.number, channel, channels, rate_hz)
    assert read.board == read.muted_board == read.doctors_board == board
    assert read.doctors_button == (profile.button_pin is not None)
    assert read.echo == "measured before"
    needed = [one for one in profile.mixer if one.is_for(channels)]
    calls = amixer.calls
    assert bool(calls) == bool(needed)
    for one in compare(amixer.elements(card.number), profile, channels, {}).standings:
        assert one.right, str(one)
    set_there = {call.split()[4] for call in calls if "cset" in call}
    assert ("numid=10" in set_there) == (state == "xvf3800-6-channels" or "2mic-hat-v2" in board)
    assert read.doctors_levels == [f"amixer -c {card.number} contents"] * bool(needed)
    # By its name alone, which another name hides.
    known = profile_for(name) is not NONE
    raw = [place for place, role in enumerate(roles) if role is Role.RAW]
    assert read.doctors_microphones == (raw if known and channels > 1 else [])


async def test_everybody_acts_on_the_facts_of_a_sound_server_s_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound_server: SoundServer
) -> None:
    """It is no card, no board and no array, whatever else is plugged in and has levels to set."""
    root = machine("xvf3800", tmp_path / "root")
    amixer = FakeAmixer(tmp_path).install(monkeypatch)
    read = await read_by_everybody(root, tmp_path, "measured before")
    assert read.device == OpenDevice("default", None, 0, 8, 16_000)
    assert read.board == read.muted_board == read.doctors_board == "xvf3800"
    assert amixer.calls == []
    assert read.doctors_microphones == []
