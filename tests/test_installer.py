"""install.sh before it changes anything, and what it keeps, switches on and takes back."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

from tests.rig.installer import Completed, sourced

DEBIAN = 'ID=debian\nVERSION_ID="13"\n'
ROUTES = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
LOCAL_ROUTE = "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
DEFAULT_ROUTE = "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
ZEROS = "0" * 32
UNREACHABLE_6 = f"{ZEROS} 00 {ZEROS} 00 {ZEROS} ffffffff 00000001 00000000 00200200 lo\n"
DEFAULT_ROUTE_6 = f"{ZEROS} 00 {ZEROS} 00 {ZEROS[:-1]}1 00000400 00000002 0 00000003 wlan0\n"


class TestMachine:
    """What it refuses to begin on."""

    def checked(self, tmp_path: Path, architecture: str, system: str) -> Completed:
        (tmp_path / "os-release").write_text(system)
        return sourced(
            f"OS_RELEASE={tmp_path}/os-release; dpkg() {{ echo {architecture}; }}; "
            "require_appliance_machine; echo goes on"
        )

    @pytest.mark.parametrize("architecture", ["armhf", "i386", "riscv64"])
    def test_a_system_of_32_bits_is_told_which_image_to_flash(
        self, tmp_path: Path, architecture: str
    ) -> None:
        """Also on a 64-bit kernel: what the packages are made for counts."""
        done = self.checked(tmp_path, architecture, DEBIAN)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"the architecture is {architecture}: a 64-bit system" in done.stderr
        assert "64-bit image of Raspberry Pi OS" in done.stderr

    @pytest.mark.parametrize(
        ("system", "named"),
        [
            ('ID=ubuntu\nVERSION_ID="24.04"\n', "'ubuntu 24.04'"),
            ('ID=debian\nVERSION_ID="11"\n', "'debian 11'"),
            ("ID=debian\n", "'debian '"),
        ],
    )
    def test_another_system_is_named(self, tmp_path: Path, system: str, named: str) -> None:
        """With those that will do."""
        done = self.checked(tmp_path, "arm64", system)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"this is {named}: Debian or Raspberry Pi OS 12 (bookworm) or 13" in done.stderr

    def test_a_full_disk_is_told_with_its_figures(self) -> None:
        """Where, how much there is, how much is needed."""
        full = "df() { printf 'Avail\\n  312\\n'; }; "
        done = sourced(full + "require_space /opt 312; require_space /opt 1200; echo goes on")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "install.sh: the disk is full: only 312 MB are free in /opt, 1200 MB are needed\n"
        )


class TestNetwork:
    """What it needs before it downloads anything."""

    def required(self, tmp_path: Path, routes: str, routes_6: str, then: str = "") -> Completed:
        (tmp_path / "route").write_text(ROUTES + routes)
        (tmp_path / "route6").write_text(routes_6)
        places = f"ROUTES={tmp_path}/route; ROUTES_6={tmp_path}/route6; "
        return sourced(f"{places}{then}require_network; echo goes on")

    @pytest.mark.parametrize(
        ("routes", "routes_6"),
        [
            (LOCAL_ROUTE + DEFAULT_ROUTE, ""),
            (LOCAL_ROUTE, UNREACHABLE_6 + DEFAULT_ROUTE_6),
        ],
    )
    def test_either_protocol_will_do(self, tmp_path: Path, routes: str, routes_6: str) -> None:
        """A way out of this machine, over IPv4 or IPv6."""
        done = self.required(tmp_path, routes, routes_6)
        assert (done.returncode, done.stdout, done.stderr) == (0, "goes on\n", "")

    def test_without_a_way_out_it_says_so(self, tmp_path: Path) -> None:
        """The kernel's entry for what cannot be reached is no way out."""
        done = self.required(tmp_path, LOCAL_ROUTE, UNREACHABLE_6)
        assert (done.returncode, done.stdout) == (1, "")
        assert "connected to no network" in done.stderr

    def test_a_clock_that_stands_still_is_told(self, tmp_path: Path) -> None:
        """A Pi has none of its own: before it is told the time every certificate is too new."""
        stopped = "date() { [ $1 = +%Y ] && echo 1970 || echo 1970-01-01; }; "
        done = self.required(tmp_path, DEFAULT_ROUTE, "", stopped)
        assert (done.returncode, done.stdout) == (1, "")
        assert "the clock says 1970-01-01, which cannot be" in done.stderr
        assert "timedatectl" in done.stderr

    def test_nothing_to_install_needs_no_network(self) -> None:
        """A second run works without one."""
        done = sourced("require_network() { fail called; }; ensure_packages bash; echo goes on")
        assert (done.returncode, done.stdout) == (0, "goes on\n")


class TestApt:
    """A machine that updates itself after its first boot holds apt for minutes."""

    def locked(self, tmp_path: Path, commands: str) -> Completed:
        lock = tmp_path / "lock"
        with lock.open("w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            return sourced(f"APT_LOCKS=({lock} /no/such/file); {commands}")

    def test_who_holds_it_is_named_when_it_takes_too_long(self, tmp_path: Path) -> None:
        """By number and name: this process."""
        done = self.locked(tmp_path, "APT_LOCK_WAIT_S=0; wait_for_apt; echo goes on")
        name = Path("/proc/self/comm").read_text().strip()
        assert (done.returncode, done.stdout) == (1, "")
        assert f"still locked after 0 s, by {name} (process {os.getpid()})" in done.stderr

    def test_it_waits_and_says_so(self, tmp_path: Path) -> None:
        """And goes on when it is free."""
        freed = "sleep() { APT_LOCKS=(/no/such/file); }; wait_for_apt; echo goes on"
        done = self.locked(tmp_path, freed)
        assert (done.returncode, done.stderr) == (0, "")
        told, goes_on = done.stdout.splitlines()
        assert f"(process {os.getpid()}): waiting" in told
        assert goes_on == "goes on"

    def test_a_free_one_is_not_waited_for(self, tmp_path: Path) -> None:
        """Nothing is said."""
        (tmp_path / "lock").touch()
        done = sourced(f"APT_LOCKS=({tmp_path}/lock); wait_for_apt; echo goes on")
        assert (done.returncode, done.stdout, done.stderr) == (0, "goes on\n", "")


FRESH_BOOT_CONFIG = """\
# For more options see http://rptl.io/configtxt
#dtparam=i2c_arm=on
#dtparam=i2s=on
#dtparam=spi=on
dtparam=audio=on

[cm4]
otg_mode=1
"""


class TestBuses:
    """SPI for the LEDs of a HAT, which a fresh Raspberry Pi OS has switched off."""

    def release(self, folder: Path) -> Path:
        release = folder / "release"
        release.mkdir(exist_ok=True)
        if not (release / ".venv").exists():
            (release / ".venv").symlink_to(sys.prefix)
        return release

    @pytest.mark.parametrize(
        ("config", "card", "needed"),
        [
            ("", "seeed-2mic-voicecard", ["spi", "i2c"]),
            ("", "USB-Audio - ReSpeaker 4 Mic Array (UAC1.0)", []),
            ("", "bcm2835 Headphones", []),
            ("board: 4mic-hat", "", ["spi", "i2c"]),
            ("board: 4mic-linear", "", ["i2c"]),
            ("lights: {driver: apa102}", "bcm2835 Headphones", ["spi"]),
        ],
    )
    def test_what_a_board_needs(
        self, tmp_path: Path, config: str, card: str, needed: list[str]
    ) -> None:
        """As the configuration says, or the card that is there."""
        (tmp_path / "config.yaml").write_text(config)
        (tmp_path / "cards").write_text(f" 1 [Card           ]: {card}\n")
        done = sourced(
            f"CONFIG={tmp_path}/config.yaml; cd {tmp_path}; PYTHONPATH={Path.cwd()} "
            f"buses_needed {self.release(tmp_path)} {tmp_path}/cards"
        )
        assert (done.returncode, done.stdout.split()) == (0, needed), done.stderr

    @pytest.mark.parametrize(
        ("line", "on"),
        [
            ("dtparam=spi=on", True),
            ("dtparam=spi", True),
            ("dtparam=i2c_arm=on,spi=on", True),
            ("device_tree_param=spi=on", True),
            ("#dtparam=spi=on", False),
            ("dtparam=spi=off", False),
            ("dtparam=audio=on # spi=on", False),
            ("dtoverlay=spi1-1cs", False),
        ],
    )
    def test_whether_it_is_on(self, tmp_path: Path, line: str, on: bool) -> None:
        """However the owner, or raspi-config, wrote it."""
        (tmp_path / "config.txt").write_text(f"{line}\n")
        done = sourced(f"BOOT_CONFIG={tmp_path}/config.txt; is_bus_on spi && echo on || echo off")
        assert done.stdout == ("on\n" if on else "off\n")

    def ensured(self, boot_config: Path, *, twice: bool = False) -> Completed:
        ensuring = "ensure_buses x; " * (2 if twice else 1)
        return sourced(
            f"BOOT_CONFIG={boot_config}; is_raspberry_pi() {{ true; }}; "
            f'buses_needed() {{ echo spi; echo i2c; }}; {ensuring} echo "reboot=$REBOOT"'
        )

    def test_they_are_switched_on_once_and_told(self, tmp_path: Path) -> None:
        """What was there is kept beside it; the lines of a fresh system are used."""
        boot_config = tmp_path / "config.txt"
        boot_config.write_text(FRESH_BOOT_CONFIG)
        done = self.ensured(boot_config, twice=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            f"    {boot_config}: SPI switched on for the board, counts from the next boot",
            f"    {boot_config}: I2C switched on for the board, counts from the next boot",
            "reboot=yes",
        ]
        assert boot_config.read_text() == FRESH_BOOT_CONFIG.replace(
            "#dtparam=spi", "dtparam=spi"
        ).replace("#dtparam=i2c", "dtparam=i2c")
        assert (tmp_path / "config.txt.before-parley").read_text() == FRESH_BOOT_CONFIG
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "config.txt",
            "config.txt.before-parley",
        ]

    def test_without_those_lines_they_are_added_for_every_model(self, tmp_path: Path) -> None:
        """Not to the section the file happens to end with."""
        boot_config = tmp_path / "config.txt"
        boot_config.write_text("[pi5]\ndtoverlay=nospi10\n")
        assert self.ensured(boot_config, twice=True).returncode == 0
        assert boot_config.read_text() == (
            "[pi5]\ndtoverlay=nospi10\n\n[all]\ndtparam=spi=on\n\n[all]\ndtparam=i2c_arm=on\n"
        )

    def test_no_pi_no_change(self, tmp_path: Path) -> None:
        """A PC has no such file, and none is made."""
        done = sourced(f"BOOT_CONFIG={tmp_path}/config.txt; ensure_buses x; echo goes on")
        assert (done.returncode, done.stdout) == (0, "goes on\n")
        assert not list(tmp_path.iterdir())


class TestReleases:
    """What stays in /opt/parley/releases."""

    def kept(self, tmp_path: Path, current: str, previous: str = "") -> set[str]:
        releases = tmp_path / "releases"
        for age, name in enumerate(("4", "3", "2", "1")):
            (releases / name).mkdir(parents=True)
            (releases / name / ".complete").touch()
            os.utime(releases / name, (1e9 - age, 1e9 - age))
        (releases / "2" / ".complete").unlink()
        os.utime(releases / "2", (2e9, 2e9))
        (tmp_path / "current").symlink_to(f"releases/{current}")
        before = f"PREVIOUS={releases}/{previous}; " if previous else ""
        done = sourced(f"PREFIX={tmp_path}; {before}remove_old_releases")
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        return {path.name for path in releases.iterdir()}

    def test_the_one_in_force_and_the_one_before_it(self, tmp_path: Path) -> None:
        """Whatever their age."""
        assert self.kept(tmp_path, "3", "1") == {"3", "1"}

    def test_run_again_the_newest_other_one_stays(self, tmp_path: Path) -> None:
        """But none that was never finished."""
        assert self.kept(tmp_path, "3") == {"3", "4"}


class TestTakingBack:
    """Whatever ends the installer, what it began is taken back."""

    def test_half_a_release_is_removed(self, tmp_path: Path) -> None:
        """A full disk is not left full."""
        (tmp_path / "half").mkdir()
        done = sourced(f"trap take_back EXIT; BUILDING={tmp_path}/half; fail the disk is full")
        assert (done.returncode, done.stderr) == (1, "install.sh: the disk is full\n")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("number", ["INT", "TERM", "HUP"])
    def test_a_release_that_was_not_proven_is_left(self, number: str) -> None:
        """Also when the connection over which it is installed is lost."""
        done = sourced(
            "trap take_back EXIT; roll_back() { echo rolled back from $UNPROVEN; }; "
            f"UNPROVEN=/opt/parley/releases/2; kill -{number} $$; sleep 5"
        )
        assert done.stdout == "rolled back from /opt/parley/releases/2\n"
        assert done.returncode != 0

    def test_a_refused_configuration_has_its_own_exit_code(self) -> None:
        """78, as everywhere in Parley; nothing was switched over."""
        done = sourced("trap take_back EXIT; refuse_config; echo not reached")
        assert (done.returncode, done.stdout) == (78, "")
        assert "Nothing was switched over" in done.stderr
