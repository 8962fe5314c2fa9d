"""Which sound servers there are, and what of them a service can use, on recorded machines."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from device.doctor.result import Result, Verdict
from device.doctor.scene import NOT_THERE, Outcome
from device.doctor.sound_servers import sound_servers
from tests.rig.scene import machine, only

ADDRESS = "00:11:22:33:44:55"
CONNECTED = f"Device {ADDRESS} JBL Flip 5\nDevice AA:BB:CC:DD:EE:FF Keyboard K380\n"
LOUDSPEAKER = """\
Device 00:11:22:33:44:55 (public)
\tName: JBL Flip 5
\tIcon: audio-card
\tConnected: yes
\tUUID: Audio Sink                (0000110b-0000-1000-8000-00805f9b34fb)
\tUUID: A/V Remote Control        (0000110e-0000-1000-8000-00805f9b34fb)
"""
KEYBOARD = """\
Device AA:BB:CC:DD:EE:FF (public)
\tUUID: Handsfree Audio Gateway   (0000111f-0000-1000-8000-00805f9b34fb)
\tName: Keyboard K380
\tIcon: input-keyboard
\tUUID: Human Interface Device... (00001124-0000-1000-8000-00805f9b34fb)
"""
BUS = """\
:1.1             412 systemd-logind  root :1.1  systemd-logind.service  -       -
org.bluez        655 bluetoothd      root :1.8  bluetooth.service       -       -
"""
BLUEALSA = "org.bluealsa     702 bluealsa        root :1.9  bluez-alsa.service      -       -\n"
UNIT = "LoadState=loaded\nEnvironment=PYTHONUNBUFFERED=1 JACK_NO_START_SERVER=1"


class Machine:
    """The commands of a machine with Bluetooth, or without."""

    def __init__(self, unit: str = UNIT, connected: str = "", bus: str = BUS) -> None:
        self.unit, self.connected, self.bus = unit, connected, bus

    def __call__(self, words: Sequence[str]) -> Outcome:
        match list(words):
            case ["systemctl", "show", *_] if self.unit:
                return Outcome(0, f"{self.unit}\n")
            case ["bluetoothctl", "devices", "Connected"]:
                return Outcome(0, self.connected)
            case ["bluetoothctl", "info", address]:
                return Outcome(0, LOUDSPEAKER if address == ADDRESS else KEYBOARD)
            case ["busctl", *_]:
                return Outcome(0, self.bus)
        return Outcome(NOT_THERE, err="No such file or directory")


def listening(root: Path, name: str) -> None:
    """A socket at that path, which may be longer than a socket's address can be."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def looked(root: Path, run: Machine, config: str = "", **over: Any) -> Result:
    """What is said of a machine; one that has Bluetooth has an adapter."""
    if run.connected:
        (root / "sys/class/bluetooth/hci0").mkdir(parents=True, exist_ok=True)
    return only(sound_servers(machine(root, config=config, run=run, **over)))


def desktop(root: Path, uid: int = 4_000_000) -> None:
    """Somebody has logged in, and PipeWire runs for them."""
    listening(root, f"run/user/{uid}/pulse/native")
    listening(root, f"run/user/{uid}/pipewire-0")


def test_without_a_sound_server_the_cards_are_enough(tmp_path: Path) -> None:
    """Raspberry Pi OS Lite."""
    told = looked(tmp_path, Machine())
    assert (told.verdict, told.figure) == (Verdict.FINE, "none, and none is needed")


def test_the_server_of_a_desktop_is_not_for_the_service(tmp_path: Path) -> None:
    """Which is no trouble where nothing is wanted of it."""
    desktop(tmp_path)
    told = looked(tmp_path, Machine())
    assert (told.verdict, told.figure) == (
        Verdict.FINE,
        "PipeWire of user 4000000, which is not for the service: it opens its cards itself",
    )
    assert told.figures["servers"] == ["PipeWire of user 4000000"]


@pytest.mark.parametrize("key", ["input", "output"])
def test_a_device_of_a_server_that_is_not_reached_is_broken(tmp_path: Path, key: str) -> None:
    """By its name, as another user sees it in a list."""
    desktop(tmp_path)
    told = looked(tmp_path, Machine(), f"audio: {{{key}: {{device: Pulse}}}}")
    assert told.verdict is Verdict.BROKEN
    assert told.figure == (
        f"'Pulse' (audio.{key}.device) is a sound server's, and the service reaches none (PipeWire "
        "of user 4000000)"
    )
    assert told.advice.endswith("write auto or a part of a card's name; see: parley devices")


@pytest.mark.parametrize(
    "told",
    [
        "PULSE_SERVER=unix:/run/user/1000/pulse/native",
        "XDG_RUNTIME_DIR=/run/user/1000",
        '"PIPEWIRE_RUNTIME_DIR=/run/user/1000"',
    ],
)
def test_a_drop_in_that_points_into_a_user_s_folder_does_not_help(
    tmp_path: Path, told: str
) -> None:
    """It is what one finds on the web; the folder is that user's alone, and hidden besides."""
    desktop(tmp_path, 1_000)
    found = looked(tmp_path, Machine(f"{UNIT} {told}"), "audio: {output: {device: pulse}}")
    assert found.verdict is Verdict.BROKEN
    assert found.figure.startswith("the service is told ")
    assert "/run/user/1000" in found.figure
    assert "the sandbox hides" in found.advice


def test_a_server_for_all_users_may_be_asked_for(tmp_path: Path) -> None:
    """On its socket, or where the unit says."""
    pulse = "audio: {input: {device: pulse}, output: {device: pulse}}"
    elsewhere = Machine(f"{UNIT} PULSE_SERVER=tcp:127.0.0.1")
    assert looked(tmp_path, elsewhere, pulse).verdict is Verdict.FINE
    listening(tmp_path, "run/pulse/native")
    told = looked(tmp_path, Machine(), pulse)
    assert (told.verdict, told.figure) == (
        Verdict.FINE,
        "one for all users, on /run/pulse/native",
    )


def test_a_bluetooth_loudspeaker_is_out_of_the_service_s_reach(tmp_path: Path) -> None:
    """What works, and what nobody has tried, is said apart; a keyboard is no loudspeaker."""
    desktop(tmp_path)
    told = looked(tmp_path, Machine(connected=CONNECTED))
    assert (told.verdict, told.figure) == (
        Verdict.HINT,
        "'JBL Flip 5' on Bluetooth: the service cannot play there by itself",
    )
    assert told.advice.startswith(
        "connect a loudspeaker by cable or on USB; or try what nobody has"
    )
    assert "bluez-alsa-utils" in told.advice
    chosen = looked(tmp_path, Machine(connected=CONNECTED), "audio: {output: {device: headph}}")
    assert chosen.verdict is Verdict.FINE
    meant = looked(tmp_path, Machine(connected=CONNECTED), "audio: {output: {device: jbl}}")
    assert meant.verdict is Verdict.BROKEN
    served = looked(tmp_path, Machine(connected=CONNECTED, bus=BUS + BLUEALSA))
    assert served.verdict is Verdict.HINT
    assert served.advice.startswith("BlueALSA runs, which serves all users")
    assert "Nobody has tried" in served.advice
    silent = looked(tmp_path, Machine(connected="Device AA:BB:CC:DD:EE:FF Keyboard K380\n"))
    assert silent.verdict is Verdict.FINE


def test_whoever_runs_a_speaker_by_hand_has_a_server_of_their_own(tmp_path: Path) -> None:
    """And with it what is on Bluetooth, as long as they are logged in."""
    own = looked(tmp_path, Machine(), environ={"STATE_DIRECTORY": "/home/me/state"})
    nobody = looked(tmp_path, Machine(unit=""))
    assert own == nobody
    assert (nobody.verdict, nobody.figure) == (Verdict.FINE, "none of this user's")
    alone = looked(tmp_path, Machine(unit="", connected=CONNECTED))
    assert alone.figure == "'JBL Flip 5' on Bluetooth, and no sound server of this user's"
    listening(tmp_path, f"run/user/{os.getuid()}/pulse/native")
    ours = looked(tmp_path, Machine(unit=""))
    assert ours.figure.startswith("PulseAudio or PipeWire of user ")
    both = looked(tmp_path, Machine(unit="", connected=CONNECTED))
    assert both.verdict is Verdict.HINT
    assert "an installed speaker (parley.service) cannot use it" in both.advice


def test_whoever_may_not_look_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's folder is closed to all others but root."""
    desktop(tmp_path, 1_000)
    closed = str(tmp_path / "run/user/1000")
    stat = Path.stat

    def looks(path: Path, **how: Any) -> os.stat_result:
        if str(path).startswith(f"{closed}/"):
            raise PermissionError(13, "Permission denied")
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", looks)
    monkeypatch.setattr("device.doctor.sound_servers.os.access", lambda *_: False)
    told = looked(tmp_path, Machine())
    assert (told.verdict, told.advice) == (Verdict.SKIPPED, "sudo parley doctor")


def test_what_is_no_socket_is_no_server(tmp_path: Path) -> None:
    """A file that is left, a folder that is no user's, a command that is not there."""
    (tmp_path / "run/user/1000/pulse").mkdir(parents=True)
    (tmp_path / "run/user/1000/pulse/native").write_text("")
    listening(tmp_path, "run/user/gdm/pipewire-0")
    (tmp_path / "sys/class/bluetooth/hci0").mkdir(parents=True)

    def bare(words: Sequence[str]) -> Outcome:
        return Outcome(0, UNIT) if words[0] == "systemctl" else Outcome(NOT_THERE)

    told = only(sound_servers(machine(tmp_path, run=bare)))
    assert told.figure == "none, and none is needed"
