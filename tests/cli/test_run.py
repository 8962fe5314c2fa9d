"""`parley run`: signals, reloads, and what its end looks like from outside."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from device.cli.run import speak, warned
from device.config import Config, parse
from device.config.file import ConfigFile
from device.config.last_good import LastGood
from device.control.socket import call
from device.errors import ConfigError, ControlError, WakeModelError
from device.ports import WakeDetector
from tests.rig.fakes import Hub, until

ROOT = Path(__file__).parents[2]


class Service:
    """The daemon's main coroutine, made of fakes, with the file it reads."""

    def __init__(self, folder: Path) -> None:
        self.hub = Hub()
        self.hub.load_detector = self._load
        self.socket = folder / "control.sock"
        self.text = ""
        self.missing = ""
        self.main: asyncio.Task[None]
        path = folder / "config.yaml"
        path.touch()
        self.last_good = LastGood(folder, path, parse)
        self.file = ConfigFile(path, partial(warned, self.read), self.last_good)

    async def _load(self, _: Config) -> WakeDetector:
        if self.missing:
            raise WakeModelError(self.missing)
        return self.hub.detector

    def read(self) -> Config:
        return parse(self.text, "config.yaml")

    def start(self) -> asyncio.Task[None]:
        self.main = asyncio.create_task(speak(self.file, self.hub.parts(), self.socket))
        return self.main

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        main = self.start()
        await until(lambda: self.hub.microphone.is_open or main.done())
        try:
            yield
        finally:
            main.cancel()
            await asyncio.wait([main])

    async def status(self) -> dict[str, Any]:
        return await self._result("status")

    async def reload(self) -> dict[str, Any]:
        return await self._result("reload")

    async def _result(self, command: str) -> dict[str, Any]:
        (record,) = [record async for record in call(self.socket, {"command": command})]
        result: dict[str, Any] = record["result"]
        return result

    async def end(self, number: signal.Signals) -> None:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(30):
            await self.main


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_good_order(
    service: Service, number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    """The end is no error; parts are closed and the socket is gone."""
    with caplog.at_level(logging.INFO, "device"):
        async with service.running():
            assert (await service.status())["state"] == "starting"
            await service.end(number)
    assert not service.hub.microphone.is_open
    assert service.hub.lights.dark
    with pytest.raises(ControlError, match="nobody answers"):
        await service.status()
    assert caplog.messages[-1] == "stopped"


async def test_a_second_signal_does_not_hurry_it(service: Service) -> None:
    """Impatient people press Ctrl-C twice; the microphone is closed all the same."""
    async with service.running():
        service.hub.microphone.closing.clear()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait([service.main], timeout=0.05)
        assert not service.main.done()
        service.hub.microphone.closing.set()
        async with asyncio.timeout(30):
            await service.main
    assert not service.hub.microphone.is_open


async def test_sighup_reloads_the_file(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong one is refused with a warning, and what was in force stays so."""
    async with service.running():
        service.text = "audio: {volume: 7}"
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: service.hub.speaker.volumes == [7])
        service.text = "audio: {volume: 700}"
        with caplog.at_level(logging.WARNING, "device.cli"):
            os.kill(os.getpid(), signal.SIGHUP)
            told = "the old one stays in force: config.yaml:1:17: audio.volume"
            await until(lambda: any(told in message for message in caplog.messages))
        assert (await service.status())["volume"] == 7


async def test_a_mistake_at_the_start_puts_the_last_good_settings_in_force(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a crash in the middle of an edit: told as a refused reload is, and over when mended."""
    service.text = "audio: {volume: 7}"
    async with service.running():
        await until(lambda: service.last_good.exists)
    again = Service(tmp_path)
    again.text = "audio: {volume: 700}\nlihgts: 1"
    caplog.clear()
    async with again.running():
        status = await again.status()
        assert status["volume"] == 7
        assert status["config"]["in_force"] == "last good"
        (fault,) = status["faults"]
        assert (fault["kind"], fault["fatal"]) == ("config", False)
        with pytest.raises(ControlError) as refused:
            await again.reload()
        assert fault["message"] == str(refused.value).replace("\n", "; ")
        assert fault["message"].count("config.yaml:") == 2
        assert f"config: {fault['message']}" in caplog.messages
        assert (await again.status())["volume"] == 7
        again.text = "audio: {volume: 8}"
        assert await again.reload() == {"changed": ["audio.volume"]}
        assert (await again.status())["faults"] == []
        assert (await again.status())["config"]["in_force"] == "file"
    recalled = again.last_good.recall()
    assert recalled is not None
    assert recalled.audio.volume == 8


async def test_settings_that_were_refused_at_the_start_are_not_kept(service: Service) -> None:
    """The last good ones are those of the last file that was accepted."""
    service.last_good.keep(parse("audio: {volume: 7}", "x"))
    service.text = "audio: {volume: 700}"
    async with service.running():
        service.text = "board: none"
        await service.reload()
    recalled = service.last_good.recall()
    assert recalled == parse("board: none", "x")


async def test_reload_works_over_the_socket_too(service: Service) -> None:
    """With the answer to who asked."""
    async with service.running():
        service.text = "audio: {volume: 7}"
        answer = [record async for record in call(service.socket, {"command": "reload"})]
        assert answer == [{"result": {"changed": ["audio.volume"]}}]


async def test_what_keeps_it_from_starting_is_raised(service: Service) -> None:
    """Before any device is opened."""
    service.missing = "/nowhere.onnx does not exist"
    with pytest.raises(WakeModelError):
        await service.start()
    service.missing, service.text = "", "audio: {volume: 700}"
    with pytest.raises(ConfigError):
        await service.start()
    assert service.hub.log == []


async def test_a_second_speaker_on_the_socket_is_refused(service: Service, tmp_path: Path) -> None:
    """The first one goes on; the second has touched nothing."""
    second = Service(tmp_path)
    async with service.running():
        with pytest.raises(ControlError, match="another parley already runs"):
            await second.start()
        assert await service.status()
    assert second.hub.log == []


async def test_cancelled_from_within_it_is_cancelled(service: Service) -> None:
    """Only a signal makes the end a good one."""
    async with service.running():
        service.main.cancel()
        with pytest.raises(asyncio.CancelledError):
            await service.main


async def test_a_model_that_is_known_to_have_gone_is_warned_of(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the owner chose it."""
    service.text = "live: {model: gemini-2.0-flash-live-001}"
    with caplog.at_level(logging.WARNING, "device.cli"):
        async with service.running():
            assert any(message.startswith("live.model: ") for message in caplog.messages)
            caplog.clear()
            service.text = "live: {fallback_models: [gemini-2.5-flash-native-audio-latest]}"
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: caplog.messages)
            assert caplog.messages[0].startswith("live.fallback_models: gemini-2.5")


# --- from outside --------------------------------------------------------------------------------

HUNG = """
import sys, threading
from device.__main__ import main
from device.build import real as build
from device.errors import AudioDeviceHungError, DeviceTrouble, OutgrownError
from tests.rig.fakes import Hub

hub = Hub()

async def load(_config):
    return hub.detector

async def opens():
    {opens}

hub.load_detector, hub.microphone.open = load, opens
build.real_parts = lambda _environ: hub.parts()
# What PortAudio would leave behind.
threading.Thread(target=threading.Event().wait).start()
sys.exit(main(["run", "--socket", sys.argv[1], "--config", "/dev/null"]))
"""


@pytest.mark.parametrize(
    ("opens", "told"),
    [
        (
            'raise AudioDeviceHungError(DeviceTrouble.STALLED, "the card does not open")',
            "the card does not open",
        ),
        ('raise OutgrownError("the speaker has grown")', "the speaker has grown\n"),
        ("raise ZeroDivisionError", "ZeroDivisionError"),
    ],
)
def test_a_thread_that_never_comes_back_does_not_keep_it_from_ending(
    tmp_path: Path, opens: str, told: str
) -> None:
    """The process ends with 1 and systemd starts another; the reason is in the journal."""
    done = subprocess.run(
        [sys.executable, "-c", HUNG.format(opens=opens), str(tmp_path / "control.sock")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "CRITICAL" in done.stderr
    assert told in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("board: 2-mic-hat", "board: no board is called '2-mic-hat', did you mean '2mic-hat'?"),
        ("wake: {words: [{model: hey_parley}]}", "wake.words[0].model: no wake word"),
    ],
)
def test_a_mistake_that_only_the_parts_know_of_is_exit_code_78(
    tmp_path: Path, text: str, told: str
) -> None:
    """It must not be tried again: restarting does not mend a file."""
    file = tmp_path / "config.yaml"
    file.write_text(text)
    command = [sys.executable, "-X", "dev", "-m", "device", "run", "--config", str(file)]
    done = subprocess.run(
        [*command, "--socket", str(tmp_path / "control.sock")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == os.EX_CONFIG
    assert f"{file}:" in done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "unclosed event loop" not in done.stderr
