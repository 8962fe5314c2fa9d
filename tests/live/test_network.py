"""Whether it makes sense to dial at all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from device.live import network as readiness
from device.live.network import RELEASED, is_here, is_online, obstacle
from device.live.symptoms import Family

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
DEFAULT_4 = "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
HOME_4 = "wlan0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
DOWN_4 = "wlan0\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n"
REJECT_4 = "wlan0\t00000000\t0101A8C0\t0201\t0\t0\t0\t00000000\t0\t0\t0\n"
OWN_4 = "eth0\t0000FEA9\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
LOOPBACK_4 = "lo\t0000007F\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"

NONE = "0" * 32


def line_6(destination: str, width: str, flags: str, interface: str) -> str:
    counts = "00000400 00000001 00000000"
    return f"{destination} {width} {NONE} 00 {NONE} {counts} {flags} {interface:>8}\n"


LOCAL_6 = line_6("fe80" + "0" * 28, "40", "00000001", "wlan0")
MULTICAST_6 = line_6("ff" + "0" * 30, "08", "00000001", "wlan0")
NOWHERE_6 = line_6(NONE, "00", "00200200", "lo")
DEFAULT_6 = line_6(NONE, "00", "00000003", "wlan0")


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    paths = (tmp_path / "route", tmp_path / "ipv6_route")
    monkeypatch.setattr(readiness, "_ROUTES", paths)
    return paths


@pytest.mark.parametrize(
    ("version_4", "version_6", "online"),
    [
        ("", "", False),
        (DEFAULT_4, "", True),
        (HOME_4, "", True),
        (DOWN_4 + REJECT_4 + OWN_4 + LOOPBACK_4, LOCAL_6 + MULTICAST_6 + NOWHERE_6, False),
        ("", LOCAL_6 + DEFAULT_6, True),
    ],
)
def test_network_is_there_when_a_route_leads_out(
    routes: tuple[Path, Path], version_4: str, version_6: str, online: bool
) -> None:
    """An address that an interface gave itself leads nowhere; a home without internet is one."""
    routes[0].write_text(HEAD + version_4)
    routes[1].write_text(version_6)
    assert is_online() is online


def test_kernel_without_one_protocol_is_no_obstacle(routes: tuple[Path, Path]) -> None:
    """IPv6 is often switched off; and who has no tables at all cannot be told."""
    assert is_online()
    routes[0].write_text(HEAD)
    assert not is_online()
    routes[0].write_text(HEAD + DEFAULT_4)
    assert is_online()


def test_real_tables_of_this_machine_can_be_read() -> None:
    """Whatever they say."""
    assert is_online() in {True, False}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8443", "127.0.0.5:1", "[::1]:9", "a.localhost"]
)
def test_server_on_this_device_needs_no_network(host: str, routes: tuple[Path, Path]) -> None:
    """Tests and private servers run without one."""
    routes[0].write_text(HEAD)
    assert is_here(host)
    assert obstacle(host) is None


@pytest.mark.parametrize("host", ["generativelanguage.googleapis.com", "192.168.1.5:8443"])
def test_without_a_route_nothing_is_dialled(host: str, routes: tuple[Path, Path]) -> None:
    """The person hears that there is no network, not that a name cannot be resolved."""
    routes[0].write_text(HEAD)
    found = obstacle(host)
    assert found is not None
    assert found.family is Family.OFFLINE
    routes[0].write_text(HEAD + HOME_4)
    assert obstacle(host) is None


def test_clock_before_the_release_cannot_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Raspberry Pi begins in 1970 and would call every certificate not yet valid."""
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    found = obstacle("localhost")
    assert found is not None
    assert (found.family, found.text) == (Family.CLOCK, "1970-01-02 00:00 UTC")
    monkeypatch.setattr(time, "time", lambda: RELEASED)
    assert obstacle("localhost") is None
