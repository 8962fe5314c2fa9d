"""A whole speaker on a recorded board: levels are set, kept over restarts, and set after a reboot.

What is under test is `device.assistant.hot_plug` together with `device.board.mixer`; the card is
listed by PortAudio's name for it, and its mixer is kept by an ``amixer`` that runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from device.assistant.hub import Assistant
from device.audio.devices import Device, name_of_card
from device.audio.loudspeaker import Loudspeaker
from device.audio.microphone import PortAudioMicrophone
from device.audio.playback_thread import PortAudioCard
from device.board.detection import detect
from device.board.kernel import read_evidence
from device.board.profiles import Profile
from device.build import real as build
from device.build.boards import Boards
from device.config import Config, parse
from device.ports import OpenDevice
from tests.rig.amixer import AIC3104, WM8960, FakeAmixer, Made
from tests.rig.fakes import FakeLights, Hub, until
from tests.rig.listed_card import ListedCard
from tests.rig.machine import machine


class Owner:
    """Starts the speaker on a machine, again and again, and reads the journal."""

    def __init__(self, root: Path, amixer: FakeAmixer, card: int) -> None:
        self.root = root
        self.amixer = amixer
        self.card = card
        self.told: list[str] = []

    @asynccontextmanager
    async def speaker(self, text: str = "") -> AsyncIterator[None]:
        """Run until the end of the block, which begins when both devices have had their levels."""
        config, boards = parse(text, "test.yaml"), Boards(self.root)
        runs: list[list[str]] = []

        def set_levels(
            config: Config,
            board: Profile,
            device: OpenDevice | None,
            loudspeaker: OpenDevice | None,
        ) -> list[str]:
            runs.append(build.levels(config, board, device, loudspeaker))
            return runs[-1]

        hub = Hub()
        parts = replace(
            hub.parts(),
            microphone=lambda config: PortAudioMicrophone(facts=boards.input_facts(config)),
            speaker=lambda config: Loudspeaker(PortAudioCard(facts=boards.output_facts(config))),
            profile=boards.profile,
            lights=lambda _config, _profile: FakeLights(),
            set_levels=set_levels,
        )
        hub.assistant = Assistant(config, parts, hub.detector, hub.notified.append)
        async with hub.running(hearing=False):
            await until(lambda: len(runs) == 2)
            self.told = [line for run in runs for line in run]
            yield

    def level(self, name: str) -> str:
        return self.amixer.value(self.card, name).split(",")[0]


def owner_of(
    state: str, elements: list[Made], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Owner:
    root = machine(state, folder / "root")
    (found,) = detect(read_evidence(root)).candidates
    card = found.card
    name = name_of_card(card.number, card.name, card.codec)
    ListedCard(Device(name, 0, 2, 2, 48_000, "ALSA")).install(monkeypatch)
    amixer = FakeAmixer(folder, **{f"card{card.number}": elements})
    return Owner(root, amixer.install(monkeypatch), card.number)


@pytest.mark.parametrize("state", ["2mic-hat-v2", "2mic-hat-v1-or-v2"])
async def test_a_hat_is_heard_and_hears_whatever_happens_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Power-on, our start, an owner with alsamixer, a restart, a reboot, a line of YAML."""
    owner = owner_of(state, AIC3104, tmp_path, monkeypatch)
    heard = {"PCM Playback Volume": "127", "HP DAC Playback Volume": "118"}
    assert owner.level("PCM Playback Volume") == "80"
    async with owner.speaker():
        assert {name: owner.level(name) for name in heard} == heard
        assert owner.level("PGA Capture Volume") == "71"
    owner.amixer.turn(owner.card, "PGA Capture Volume", "60")
    async with owner.speaker():
        assert {name: owner.level(name) for name in heard} == heard
        assert owner.level("PGA Capture Volume") == "60"
    owner.amixer.reboot()
    assert owner.level("PGA Capture Volume") == "32"
    async with owner.speaker():
        assert {name: owner.level(name) for name in heard} == heard
        assert owner.level("PGA Capture Volume") == "71"
    owner.amixer.reboot()
    async with owner.speaker("mixer: {PGA: 60}"):
        assert {name: owner.level(name) for name in heard} == heard
        assert owner.level("PGA Capture Volume") == "60"
    assert owner.told == []


async def test_a_hat_v1_is_mute_and_deaf_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what its owner wants silent is so, by the YAML."""
    owner = owner_of("2mic-hat-v1", WM8960, tmp_path, monkeypatch)
    assert (owner.level("Headphone Playback Volume"), owner.level("Capture Switch")) == ("0", "off")
    async with owner.speaker("mixer: {Speaker: 0%}"):
        assert owner.level("Headphone Playback Volume") == "121"
        assert owner.level("Left Output Mixer PCM Playback Switch") == "on"
        assert owner.level("Capture Switch") == "on"
        assert owner.level("Speaker Playback Volume") == "0"
    assert owner.told == []
