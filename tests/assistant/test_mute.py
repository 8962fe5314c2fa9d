"""Mute and the hub: who muted, over restarts, and against the microphone's own switch."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from device.assistant.status import Status
from device.board.profiles import profile_named
from device.config import Config, parse
from device.config.file import ConfigFile
from device.config.last_good import LastGood
from device.control.commands import Commands
from device.errors import ControlError, MutingError
from device.news import MuteSwitched, Post
from device.state.mute import Kept, MuteMemory
from tests.rig.fakes import Hub, microphone_device, until


class FakeSwitch:
    """Moves when told to."""

    def __init__(self) -> None:
        self.post: Post | None = None

    def start(self, post: Post) -> None:
        self.post = post

    def close(self) -> None:
        self.post = None

    def move(self, *, on: bool) -> None:
        assert self.post is not None
        self.post(MuteSwitched(on, time.monotonic()))


async def test_muted_it_starts_muted_without_ever_opening_the_microphone(tmp_path: Path) -> None:
    """READY comes all the same, with a status that says why it hears nothing."""
    MuteMemory(tmp_path).keep(Kept(True, microphone_device()))
    hub = Hub(state=tmp_path)
    hub.boards["microphone A"] = profile_named("2mic-hat")
    async with hub.running(hearing=False):
        await until(lambda: "READY=1" in hub.notified)
        assert hub.state == "muted"
        assert hub.path == ["muted"]
        status = [told for told in hub.notified if told.startswith("STATUS=")][-1]
        assert status.startswith("STATUS=muted; microphone closed")
        assert hub.assistant.health.check(), "the watchdog is fed"
    assert "microphone A opened" not in hub.log


async def test_muted_it_starts_with_the_lights_and_button_of_its_board(tmp_path: Path) -> None:
    """Whose microphone nobody opens; else no button could unmute it."""
    MuteMemory(tmp_path).keep(Kept(True, microphone_device()))
    asked: list[str] = []
    hub = Hub(state=tmp_path)
    hub.boards["microphone A"] = profile_named("2mic-hat")
    hub.button = lambda _config, profile: asked.append(profile.name)
    hub = _again(hub, tmp_path)
    async with hub.running(hearing=False):
        await until(lambda: asked)
        hub.assistant.choose_board(hub.assistant.board)
    assert asked == ["2mic-hat", "2mic-hat"]


def _again(old: Hub, state: Path) -> Hub:
    """The speaker anew, on the same board."""
    boards, button = old.boards, old.button

    class Same(Hub):
        def parts(self):  # type: ignore[no-untyped-def]
            self.boards, self.button = boards, button
            return super().parts()

    return Same(state=state)


async def test_what_the_owner_said_is_kept_before_the_command_returns(tmp_path: Path) -> None:
    """And what was kept is followed by the next process."""
    hub = Hub(state=tmp_path)
    async with hub.running():
        await hub.assistant.mute.mute()
        assert MuteMemory(tmp_path).load() == Kept(True, microphone_device())
        assert not hub.microphone.is_open
    hub = Hub(state=tmp_path)
    async with hub.running(hearing=False):
        await until(lambda: hub.state == "muted")
        await hub.assistant.mute.unmute()
        assert MuteMemory(tmp_path).load() == Kept(False, microphone_device())
        await until(lambda: hub.microphone.is_open)
    hub = Hub(state=tmp_path)
    async with hub.running():
        assert hub.state == "idle"


async def test_a_file_that_makes_no_sense_mutes_until_the_owner_unmutes(tmp_path: Path) -> None:
    """The safe side."""
    (tmp_path / "mute.json").write_text("?")
    hub = Hub(state=tmp_path)
    async with hub.running(hearing=False):
        await until(lambda: hub.state == "muted")
        assert hub.assistant.mute.by == "owner"
        await hub.assistant.mute.unmute()
        await until(lambda: hub.microphone.is_open)


async def test_a_disk_that_takes_nothing_does_not_keep_the_microphone_open(tmp_path: Path) -> None:
    """It is closed first; the owner is told what a restart would do, either way."""
    state = tmp_path / "state"
    state.write_text("a file")
    (hub := Hub(state=state)).assistant.mute._kept = Kept()
    async with hub.running():
        with pytest.raises(MutingError, match="is closed, but a restart would open it"):
            await hub.assistant.mute.mute()
        assert hub.state == "muted"
        assert not hub.microphone.is_open
        with pytest.raises(MutingError, match="is open, but a restart would close it"):
            await hub.assistant.mute.unmute()
        await until(lambda: hub.microphone.is_open)


async def test_the_switch_wins_and_leaves_what_the_owner_said() -> None:
    """On it mutes whatever was said, and nobody can unmute; off, the owner's word is in force."""
    hub, switch = Hub(), FakeSwitch()
    hub.mute_switch = switch
    async with hub.running():
        mute, by = hub.assistant.mute, []
        switch.move(on=True)
        await until(lambda: not hub.microphone.is_open)
        by.append(mute.by)
        with pytest.raises(MutingError, match="own mute switch is on"):
            await mute.unmute()
        assert hub.state == "muted"
        switch.move(on=True)
        switch.move(on=False)
        await until(lambda: hub.microphone.is_open)
        by.append(mute.by)
        await mute.mute()
        switch.move(on=True)
        by.append(mute.by)
        switch.move(on=False)
        by.append(mute.by)
        assert hub.state == "muted"
        assert not hub.microphone.is_open
        await mute.unmute()
        await until(lambda: hub.microphone.is_open)
    assert by == ["switch", None, "switch", "owner"]
    assert switch.post is None


async def test_a_microphone_without_a_switch_ends_what_the_last_one_said() -> None:
    """Another board, whose switch nobody can read."""
    hub, switch = Hub(), FakeSwitch()
    hub.mute_switch = switch
    async with hub.running():
        switch.move(on=True)
        await until(lambda: not hub.microphone.is_open)
        hub.mute_switch = None
        hub.assistant.choose_board(hub.assistant.board)
        assert switch.post is None
        await until(lambda: hub.microphone.is_open)


async def test_the_button_cannot_overrule_the_switch(caplog: pytest.LogCaptureFixture) -> None:
    """It says so with a chime, and the journal says what to do."""
    hub, switch = Hub("button: {gestures: {tap: mute}}"), FakeSwitch()
    hub.mute_switch = switch
    async with hub.running():
        switch.move(on=True)
        hub.assistant.mute.toggle()
        await until(lambda: hub.speaker.chimes == ["error"])
        assert hub.state == "muted"
    assert "press it at the microphone" in caplog.text


async def test_muted_before_the_microphone_ever_delivered_it_is_ready() -> None:
    """Its owner wants it so; nobody need wait for it."""
    hub = Hub()
    async with hub.running(hearing=False):
        await asyncio.sleep(0)
        assert "READY=1" not in hub.notified
        await hub.assistant.mute.mute()
        assert "READY=1" in hub.notified


async def test_commands_tell_who_muted_and_what_they_could_not_do() -> None:
    """In words that reach the owner's terminal."""
    hub, switch = Hub(), FakeSwitch()
    hub.mute_switch = switch

    async def no_reload() -> set[str]:
        return set()

    path = Path("/etc/parley/config.yaml")
    file = ConfigFile(path, Config, LastGood(None, path, parse))
    commands = Commands(hub.assistant, no_reload, file)
    table, status = commands.table(), Status(hub.assistant, file)

    async def ask(command: str) -> object:
        return [record async for record in table[command]({})]

    async with hub.running():
        assert await ask("mute") == [{"result": {"muted": True}}]
        assert status.as_dict()["muted_by"] == "owner"
        assert await ask("unmute") == [{"result": {"muted": False}}]
        switch.move(on=True)
        assert status.as_dict()["muted_by"] == "switch"
        with pytest.raises(ControlError, match="own mute switch"):
            await ask("unmute")

        def full(kept: Kept) -> None:
            raise OSError(28, "No space left on device")

        hub.assistant.mute._memory.keep = full  # type: ignore[method-assign]
        with pytest.raises(ControlError, match="No space left"):
            await ask("mute")
