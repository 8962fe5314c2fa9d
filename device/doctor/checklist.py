"""The checklist holds every check in its order, and makes the scene that they look at."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.build import checked_config as checked
from device.config import DEFAULT_PATH, Config
from device.control.socket import call, socket_path
from device.doctor import (
    array,
    board,
    camera,
    credentials,
    echo,
    machine,
    mixer,
    network,
    personas,
    processor,
    servers,
    service,
    tokens,
    wake,
    wireless,
)
from device.doctor import microphone as sound
from device.doctor import panel as face
from device.doctor.card_holders import card_holders
from device.doctor.examination import Check
from device.doctor.kernel_log import kernel_log
from device.doctor.records import records
from device.doctor.scene import Account, Scene
from device.doctor.sound_cards import sound_cards
from device.doctor.sound_servers import sound_servers
from device.doctor.spending import spending
from device.doctor.wake_clips import wake_clips
from device.errors import ConfigError, ControlError
from device.state.folders import SERVICE_STATE, state_folder

SERVICE_USER = "parley"
STATUS_S = 5.0

CHECKS = (
    Check("machine", "clock", machine.clock, 15.0),
    Check("machine", "disk", machine.disk),
    Check("machine", "memory", machine.memory),
    Check("machine", "temperature", machine.temperature),
    Check("machine", "power", machine.power, 15.0),
    Check("machine", "processor", processor.processor, 300.0, "what is compiled is tried …"),
    Check("machine", "kernel log", kernel_log, 15.0),
    Check("service", "config", service.config, 30.0),
    Check("service", "key", service.key),
    Check("service", "credentials", credentials.credentials),
    Check("service", "state", service.state),
    Check("service", "records", records, 15.0),
    Check("service", "spending", spending),
    Check("service", "unit", service.unit, 15.0),
    Check("service", "speaker", service.speaker),
    Check("service", "faults", service.faults, 15.0),
    Check("board", "kernel", board.kernel),
    Check("board", "board", board.board),
    Check("board", "devices", board.nodes),
    Check("board", "array", array.array, 15.0),
    Check("board", "lights", face.lights, 15.0, "the LEDs are lit red, green and blue …"),
    Check("board", "button", face.button, 20.0),
    Check("sound", "sound system", sound.system, 15.0),
    Check("sound", "sound servers", sound_servers, 30.0),
    Check("sound", "cards", sound_cards, 15.0),
    Check("sound", "cards held", card_holders),
    Check("sound", "mixer", mixer.mixer, 30.0),
    Check("sound", "microphone", sound.microphone, 15.0, "listening for three seconds …"),
    Check(
        "sound",
        "echo",
        echo.echo,
        60.0,
        "The speaker says a few sentences and listens to them; please be quiet …",
    ),
    Check("wake word", "wake words", wake.wake, 60.0, "the wake word networks hear recordings …"),
    Check("wake word", "wake clips", wake_clips, 15.0),
    Check("network", "wifi", wireless.wifi),
    Check("network", "wifi power", wireless.power, 15.0),
    Check("network", "token server", tokens.tokens, 45.0),
    Check("network", "dns", network.way, 40.0),
    Check("network", "model", network.talk, 45.0, "one sentence for the model …"),
    Check("network", "personas", personas.personas, 110.0, "a session as each persona …"),
    Check("tools", "mcp servers", servers.servers, 60.0),
    Check("tools", "camera access", camera.access, 15.0),
    Check("tools", "camera", camera.picture, 30.0),
)


async def scene_of(
    config_path: Path | None,
    socket: str | None,
    environ: Mapping[str, str],
    **about: Any,
) -> Scene:
    """Look who runs here, and with what; ``about`` is the rest of it. Raises ControlError."""
    path = config_path or DEFAULT_PATH
    place = socket_path(socket, environ)
    try:
        config = checked.load(config_path)
    except ConfigError:
        # The check of the configuration tells it; the rest is looked at with what is in force.
        config = await _in_force(place)
    account = _account(environ)
    status, silence, running, hung = await _status(place)
    folder = state_folder(environ)
    if account.name == SERVICE_USER and "STATE_DIRECTORY" not in environ:
        folder = SERVICE_STATE
    return Scene(
        config=config,
        config_path=path,
        socket=place,
        account=account,
        environ=dict(environ),
        state_folder=folder,
        status=status,
        silence=silence,
        alive=running,
        hung=hung,
        **about,
    )


def _account(environ: Mapping[str, str]) -> Account:
    """Return who the speaker runs as: the service's user where there is one, else who asks.

    Who names a state directory asks for a speaker of their own, though one be installed besides.
    """
    found = pwd.getpwuid(os.getuid())
    if "STATE_DIRECTORY" not in environ:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(SERVICE_USER)
    gids = frozenset(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(found.pw_name, found.pw_uid, gids, found.pw_gid)


async def _in_force(socket: Path) -> Config:
    """Return the settings of the speaker that runs, the defaults where none says."""
    try:
        async with asyncio.timeout(STATUS_S):
            async for record in call(socket, {"command": "config"}):
                return checked.parse(record["result"]["settings"], str(socket))
    except (TimeoutError, ControlError, ConfigError):
        pass
    return Config()


async def _status(socket: Path) -> tuple[dict[str, Any] | None, str, bool, bool]:
    """Return what the speaker says, why it says nothing, whether one runs, and whether it hangs."""
    try:
        async with asyncio.timeout(STATUS_S):
            async for record in call(socket, {"command": "status"}):
                return record["result"], "", True, False
    except TimeoutError:
        return None, f"the speaker on {socket} did not answer within {STATUS_S:g} s", True, True
    except ControlError as error:
        # What refuses is there, and so is what may not be spoken to.
        cause = error.__cause__
        there = not isinstance(cause, OSError) or isinstance(cause, PermissionError)
        return None, str(error), there, False
    return None, f"the speaker on {socket} ended before it had answered", False, False
