"""The wireless network, on machines made of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.doctor import wireless
from device.doctor.result import Verdict
from device.doctor.scene import Outcome, Scene
from device.errors import ParleyError
from tests.rig.scene import Commands, machine, only

WIRELESS = """\
Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
"""
WLAN0 = "wlan0: 0000   52.  -58.  -256        0"


@pytest.mark.parametrize(
    ("line", "verdict", "figure"),
    [
        ("wlan0: 0000   52.  -58.  -256        0", Verdict.FINE, "wlan0: -58 dBm"),
        ("wlan0: 0000   22.  -81.  -256        0", Verdict.HINT, "wlan0: -81 dBm"),
        ("wlan0: 0000   52.  0.  -256        0", Verdict.FINE, "wlan0: 0 dBm"),
        (
            "wlan0: 0000   52.  60.  0        0",
            Verdict.SKIPPED,
            "wlan0: quality 52., no signal level",
        ),
        ("", Verdict.SKIPPED, "no wireless network in use"),
    ],
)
def test_the_signal_of_the_wireless_network(
    tmp_path: Path, line: str, verdict: Verdict, figure: str
) -> None:
    """Below -75 dBm answers come late."""
    told = only(wireless.wifi(machine(tmp_path, files={"proc/net/wireless": WIRELESS + line})))
    assert (told.verdict, told.figure) == (verdict, figure)


def connected(root: Path, commands: Commands) -> Scene:
    return machine(root, files={"proc/net/wireless": WIRELESS + WLAN0}, run=commands)


def test_a_radio_that_sleeps_is_woken_and_stays_so(tmp_path: Path) -> None:
    """Over the next boot too, where NetworkManager sets it up."""
    (tmp_path / "etc/NetworkManager/conf.d").mkdir(parents=True)
    commands = Commands(iw="Power save: on\n")
    told = only(wireless.power(connected(tmp_path, commands)))
    assert told.verdict is Verdict.HINT
    assert told.figure == "wlan0 sleeps between packets"
    assert "sudo iw dev wlan0 set power_save off" in told.advice
    assert told.cure is not None
    assert told.cure.what == "wlan0 stays awake"
    told.cure.do()
    assert commands.given[-1] == "iw dev wlan0 set power_save off"
    kept = (tmp_path / "etc/NetworkManager/conf.d/parley-wifi.conf").read_text()
    assert kept == "[connection]\nwifi.powersave = 2\n"
    commands.told["iw"] = "Power save: off\n"
    told = only(wireless.power(connected(tmp_path, commands)))
    assert (told.verdict, told.figure, told.cure) == (Verdict.FINE, "wlan0 stays awake", None)


def test_a_radio_that_nothing_keeps_awake_is_so_until_the_next_boot(tmp_path: Path) -> None:
    told = only(wireless.power(connected(tmp_path, Commands(iw="Power save: on\n"))))
    assert told.cure is not None
    assert "until the next boot" in told.cure.what
    told.cure.do()
    assert not (tmp_path / "etc").exists()


def test_a_radio_that_does_not_obey_is_told(tmp_path: Path) -> None:
    commands = Commands(iw="Power save: on\n")
    told = only(wireless.power(connected(tmp_path, commands)))
    assert told.cure is not None
    commands.told["iw"] = Outcome(1, err="command failed: Operation not permitted (-1)")
    with pytest.raises(ParleyError, match=r"iw dev wlan0 set power_save off: .*not permitted"):
        told.cure.do()


@pytest.mark.parametrize("iw", [None, Outcome(237, err="No such device (-19)"), "what?\n"])
def test_whether_a_radio_sleeps_may_not_be_told(tmp_path: Path, iw: str | Outcome | None) -> None:
    commands = Commands(**({} if iw is None else {"iw": iw}))
    told = only(wireless.power(connected(tmp_path, commands)))
    assert (told.verdict, told.figure) == (Verdict.SKIPPED, "wlan0: not told by iw")


def test_a_cable_has_no_radio(tmp_path: Path) -> None:
    commands = Commands(iw="Power save: on\n")
    assert list(wireless.power(machine(tmp_path, run=commands))) == []
    assert commands.given == []
