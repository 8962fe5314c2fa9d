"""One check tells which sound servers there are, and what of them the service can reach.

PipeWire and PulseAudio run for whoever has logged in, with sockets in that user's own folder (0700,
pam_systemd(8)). The service is another user, has no session, and its sandbox hides /run/user
(``ProtectHome=``), so it opens cards itself. What only such a server has, above all a loudspeaker
on Bluetooth, it cannot use. BlueALSA is a server for all users, on the system's D-Bus, which lets
in the group audio; whether the speaker sounds well over it nobody has tried.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from device.doctor.result import Result, broken, fine, hint, skipped
from device.doctor.scene import UNIT, Scene

NAME = "sound servers"
OF_USERS = "run/user"
SOCKETS = {"pulse/native": "PulseAudio or PipeWire", "pipewire-0": "PipeWire"}
"""Of a user's sound server, below the user's folder; the first is what PortAudio goes by."""
FOR_ALL = ("run/pulse/native", "run/pipewire/pipewire-0")
BY_SERVER = {"pulse", "pipewire", "jack"}
"""Names of devices that are there only where a sound server is reached."""
VARIABLES = ("PULSE_SERVER", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PIPEWIRE_RUNTIME_DIR")
"""By which a client finds a sound server: pulse-client.conf(5), pipewire(1)."""
WIRED = "connect a loudspeaker by cable or on USB"
BLUEALSA = (
    "BlueALSA runs, which serves all users: give the loudspeaker a name in /etc/asound.conf (type "
    "bluealsa; see bluealsa-plugins(7)) and write that as audio.output.device. Nobody has tried "
    "how this speaker sounds, or how well it can be interrupted, over Bluetooth"
)
NO_BLUEALSA = (
    f"{WIRED}; or try what nobody has tried with this speaker: BlueALSA, which serves all users "
    "(sudo apt install bluez-alsa-utils libasound2-plugin-bluez)"
)


@dataclass(frozen=True, slots=True)
class Server:
    """A sound server of one user."""

    uid: int
    kind: str

    def __str__(self) -> str:
        """Say whose it is."""
        try:
            user = pwd.getpwuid(self.uid).pw_name
        except KeyError:
            user = str(self.uid)
        return f"{self.kind} of user {user}"


def sound_servers(scene: Scene) -> Iterator[Result]:
    """Report whose sound server is reached, and what a service cannot use."""
    servers = _servers(scene)
    bluetooth = _on_bluetooth(scene)
    figures = {
        "servers": [str(each) for each in servers],
        "for_all": [f"/{name}" for name in FOR_ALL if _is_socket(scene.root / name)],
        "bluetooth": bluetooth,
    }
    # Who names a state directory asks for a speaker of their own, though one be installed besides.
    unit = None if "STATE_DIRECTORY" in scene.environ else _unit(scene)
    if unit is None:
        yield _by_hand(scene, servers, bluetooth, figures)
    else:
        yield _as_a_service(scene, unit, servers, bluetooth, figures)


def _as_a_service(
    scene: Scene,
    unit: str,
    servers: list[Server],
    bluetooth: list[str],
    figures: dict[str, list[str]],
) -> Result:
    whose = " and ".join(map(str, servers)) or "none"
    into = next((word for word in unit.split() if _leads_to_a_user(word)), "")
    if into:
        figure = f"the service is told {into}, and cannot get there"
        advice = (
            "another user's folder, which the sandbox hides besides: take it out (sudo systemctl "
            "edit parley) and let the speaker open a card itself; see: parley devices"
        )
        return broken(NAME, figure, advice, None, **figures)
    asked = _asked_of_a_server(scene)
    told = any(word.startswith(VARIABLES) for word in unit.split()) or figures["for_all"]
    if asked and not told:
        figure = f"{asked} is a sound server's, and the service reaches none ({whose})"
        advice = (
            "servers of users who have logged in are not for the service: write auto or a part of "
            "a card's name; see: parley devices"
        )
        return broken(NAME, figure, advice, None, **figures)
    wanted = scene.config.audio.output.device.casefold()
    meant = [name for name in bluetooth if wanted in name.casefold()]
    if meant or (bluetooth and wanted == "auto"):
        names = " and ".join(meant or bluetooth)
        figure = f"{names} on Bluetooth: the service cannot play there by itself"
        advice = BLUEALSA if _has_bluealsa(scene) else NO_BLUEALSA
        return (broken if meant else hint)(NAME, figure, advice, None, **figures)
    if not servers and _is_closed(scene):
        figure = "those of users who have logged in are seen by root only"
        return skipped(NAME, figure, "sudo parley doctor", **figures)
    if servers:
        figure = f"{whose}, which is not for the service: it opens its cards itself"
        return fine(NAME, figure, **figures)
    everybody = f"one for all users, on {', '.join(figures['for_all'])}"
    return fine(NAME, everybody if figures["for_all"] else "none, and none is needed", **figures)


def _by_hand(
    scene: Scene, servers: list[Server], bluetooth: list[str], figures: dict[str, list[str]]
) -> Result:
    """Of a speaker that an ordinary user runs, who has a session."""
    ours = [each for each in servers if each.uid == scene.account.uid]
    if bluetooth and not ours:
        figure = f"{' and '.join(bluetooth)} on Bluetooth, and no sound server of this user's"
        advice = f"log in where one is started (systemctl --user status pipewire), or {WIRED}"
        return hint(NAME, figure, advice, None, **figures)
    if bluetooth:
        figure = f"{ours[0]}, with {' and '.join(bluetooth)} on Bluetooth"
        advice = (
            "as the server's default output it is what the speaker plays on, while this user is "
            "logged in; an installed speaker (parley.service) cannot use it"
        )
        return hint(NAME, figure, advice, None, **figures)
    return fine(NAME, str(ours[0]) if ours else "none of this user's", **figures)


def _servers(scene: Scene) -> list[Server]:
    """Return those of users who have logged in; only root sees into the folders of others."""
    found = []
    try:
        folders = sorted((scene.root / OF_USERS).iterdir())
    except OSError:
        return []
    for folder in folders:
        kinds = [kind for name, kind in SOCKETS.items() if _is_socket(folder / name)]
        if folder.name.isdecimal() and kinds:
            # PipeWire has both sockets, PulseAudio one.
            found.append(Server(int(folder.name), "PipeWire" if len(kinds) > 1 else kinds[0]))
    return found


def _is_closed(scene: Scene) -> bool:
    """Whether somebody has logged in into whose folder this user may not look."""
    folder = scene.root / OF_USERS
    return folder.is_dir() and any(not os.access(each, os.X_OK) for each in folder.iterdir())


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _unit(scene: Scene) -> str | None:
    """Return what the unit puts into the environment; None where no service is installed."""
    words = ["systemctl", "show", UNIT, "--property=LoadState", "--property=Environment"]
    told = scene.run(words)
    if not told.worked or "LoadState=loaded" not in told.out:
        return None
    found = re.search(r"(?m)^Environment=(.*)$", told.out)
    return found[1] if found else ""


def _leads_to_a_user(word: str) -> bool:
    name, _, value = word.strip('"').partition("=")
    return name in VARIABLES and f"/{OF_USERS}/" in value


def _asked_of_a_server(scene: Scene) -> str:
    """Return the first setting that names what only a sound server has; else nothing."""
    audio = scene.config.audio
    wanted = {"audio.input.device": audio.input.device, "audio.output.device": audio.output.device}
    for key, device in wanted.items():
        if device.casefold() in BY_SERVER:
            return f"'{device}' ({key})"
    return ""


def _on_bluetooth(scene: Scene) -> list[str]:
    """Return what is connected and makes sound, by its name; nothing where that is not known."""
    if not any((scene.root / "sys/class/bluetooth").glob("hci*")):
        return []
    told = scene.run(["bluetoothctl", "devices", "Connected"])
    devices = re.findall(r"(?m)^Device (\S+) (.*)$", told.out) if told.worked else []
    found = []
    for address, name in devices:
        about = scene.run(["bluetoothctl", "info", address])
        # By the profiles of what takes sound; a keyboard and a telephone have others.
        if re.search(r"UUID: (Audio Sink|Headset|Handsfree) +\(", about.out):
            found.append(f"'{name.strip()}'")
    return found


def _has_bluealsa(scene: Scene) -> bool:
    told = scene.run(["busctl", "--system", "list", "--acquired", "--no-legend"])
    return told.worked and re.search(r"(?m)^org\.bluealsa\b", told.out) is not None
