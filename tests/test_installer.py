"""install.sh before it changes anything, and what it keeps, switches on and takes back."""

from __future__ import annotations

import fcntl
import os
import sys
import zlib
from datetime import datetime
from pathlib import Path

import pytest

from device.build.checked_config import parse
from device.config.last_good import LastGood
from device.doctor.camera import sandbox_of
from device.live import network
from tests.rig.installer import ROOT, Completed, on_a_terminal, sourced
from tests.rig.machine import machine

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
        stopped = "CLOCK_WAIT_S=0; date() { echo 1970-01-01; }; "
        done = self.required(tmp_path, DEFAULT_ROUTE, "", stopped)
        assert (done.returncode, done.stdout) == (1, "")
        assert "the clock says 1970-01-01, which cannot be" in done.stderr
        assert "timedatectl" in done.stderr

    def test_a_clock_that_is_not_set_yet_is_waited_for(self, tmp_path: Path) -> None:
        """After a start it takes a Pi some seconds; that is said, once."""
        days = "1970-01-01 1970-01-01 1970-01-01 2026-11-01"
        next_day = "sleep() { days=(${days[@]:1}); }"
        late = f"days=({days}); date() {{ echo ${{days[0]}}; }}; {next_day}; "
        done = self.required(tmp_path, DEFAULT_ROUTE, "", late)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            "    the clock says 1970-01-01: waiting for the network to set it",
            "goes on",
        ]

    def test_installer_and_speaker_believe_the_same_day(self) -> None:
        """What the one takes for a time of day the other must not refuse."""
        [day] = sourced('echo "$RELEASED"').stdout.split()
        assert datetime.fromisoformat(f"{day}T00:00+00:00").timestamp() == network.RELEASED


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


class TestKey:
    """Asked for once, and looked at before anything is done."""

    def read(self, tmp_path: Path, text: str) -> Completed:
        (tmp_path / "key").write_text(text)
        return sourced(f"read_key {tmp_path}/key ''; printf %s \"$KEY_TEXT\"")

    @pytest.mark.parametrize("key", ["AIza" + "x-_9" * 9, "AQ." + "Ab8R" * 12])
    def test_a_file_is_taken_without_the_white_space_around(self, tmp_path: Path, key: str) -> None:
        """Editors end files with a line break."""
        done = self.read(tmp_path, f"  {key}\r\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, key, "")

    @pytest.mark.parametrize(
        "text",
        ["'AIzaSyA0123456789abcdef'", "GEMINI_API_KEY=AIzaSyA0123456789abcdef", "AIza", "ä" * 39],
    )
    def test_what_cannot_be_a_key_is_refused_without_showing_it(
        self, tmp_path: Path, text: str
    ) -> None:
        """Before the speaker is installed with it, and fails at its first question."""
        done = self.read(tmp_path, text)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"what is in the key file {tmp_path}/key cannot be a key" in done.stderr
        assert text not in done.stderr

    def test_to_look_at_it_takes_next_to_no_memory(self) -> None:
        """A regular expression that counts to a thousand took 16 MB, for as long as it ran."""
        size = "awk '/VmRSS/ { print $2 }' /proc/$$/status"
        done = sourced(f"{size}; looks_like_a_key {'x' * 1024}; {size}")
        before_kb, after_kb = map(int, done.stdout.split())
        assert after_kb - before_kb < 2000

    def test_an_empty_file_and_none_are_told(self, tmp_path: Path) -> None:
        """By name."""
        assert f"the key file {tmp_path}/key is empty" in self.read(tmp_path, "\n").stderr
        assert "the key file /no/such cannot be read" in sourced("read_key /no/such ''").stderr

    def test_it_is_typed_unseen(self) -> None:
        """On a terminal the owner is asked, once, and what is typed does not show."""
        shown = on_a_terminal(
            "KEY=/no/such; read_key '' ''; printf 'taken: %d' ${#KEY_TEXT}",
            prompt="Enter to do it later): ",
            typed="AIzaSyA0123456789abcdef",
            unseen=True,
        )
        assert shown.endswith("taken: 23")
        assert "AIza" not in shown

    def test_a_terminal_shows_what_is_being_done(self) -> None:
        """Before it is done; the line is written over then."""
        shown = on_a_terminal(
            "quietly 'the step' sh -c 'echo unseen; read line'; echo end",
            prompt="    the step ... ",
            typed="go on",
        )
        assert "\r    the step: done in " in shown
        assert "unseen" not in shown

    def test_who_mistypes_is_asked_again(self) -> None:
        """Enter alone means later."""
        asked = "ask_for_key; printf 'key=%s' \"$KEY_TEXT\""
        done = sourced(f"{{ {asked}; }} < <(printf '%s\\n' '\"AIza\"' AIzaSyA0123456789abcdef)")
        assert done.stdout.endswith("key=AIzaSyA0123456789abcdef")
        assert done.stderr.count("that cannot be a key") == 1
        assert sourced(f"{{ {asked}; }} </dev/null").stdout.endswith("key=")


class TestLentTokens:
    """A speaker that is lent tokens is not asked for a key, nor told that it has none."""

    @pytest.mark.parametrize(
        ("config", "borrows"),
        [
            ("live:\n  token_url: https://tokens.home.arpa:8790/token\n", True),
            ("live: {token_url: 'https://tokens.home.arpa/token'}\n", True),
            ('live:\n  token_url: "http://127.0.0.1/token"\n', True),
            ("live:\n  token_url: null\n", False),
            ("live:\n  # token_url: https://tokens.home.arpa:8790/token\n", False),
            ("", False),
        ],
    )
    def test_the_configuration_says_whether(
        self, tmp_path: Path, config: str, borrows: bool
    ) -> None:
        """As the speaker reads it, without a parser; one that is not there says nothing."""
        file = tmp_path / "config.yaml"
        file.write_text(config)
        done = sourced(f"CONFIG={file}; if borrows_tokens; then echo yes; else echo no; fi")
        assert done.stdout == ("yes\n" if borrows else "no\n")
        done = sourced(f"CONFIG={file}.none; borrows_tokens || echo no")
        assert (done.stdout, done.stderr) == ("no\n", "")


class TestCredentials:
    """What lies beside the key, and is handed over with it."""

    def looking_at(self, folder: Path) -> Completed:
        return sourced(f"KEY_DIR={folder}; MOST_CREDENTIALS_BYTES=100; check_credentials; echo on")

    def test_what_systemd_hands_over_is_no_matter(self, tmp_path: Path) -> None:
        """Nor that there is no folder yet; what an editor leaves is handed over as well."""
        for name in ("gemini_api_key", "home", "home~", ".home.swp", "with space"):
            (tmp_path / name).write_text("x")
        (tmp_path / "bü:ro").symlink_to("/etc/hostname")
        for folder in (tmp_path, tmp_path / "none"):
            done = self.looking_at(folder)
            assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")

    @pytest.mark.parametrize(("name", "shown"), [("büro", "b"), ("a:b", "a:b"), ("a\tb", "a?b")])
    def test_a_name_with_which_nothing_would_start_is_told(
        self, tmp_path: Path, name: str, shown: str
    ) -> None:
        """Before anything is switched over, and without what is in it."""
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / name).write_text("planted")
        done = self.looking_at(tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{tmp_path}/folder/{shown}" in done.stderr
        assert "systemd hands over no file of such a name, and the speaker would not" in done.stderr
        assert "planted" not in done.stderr

    def test_more_than_systemd_takes_is_told(self, tmp_path: Path) -> None:
        """Not only tokens lie there then."""
        (tmp_path / "photo").write_bytes(bytes(101))
        done = self.looking_at(tmp_path)
        assert done.returncode == 1
        assert f"the files in {tmp_path} have 101 bytes, and the speaker would not" in done.stderr

    def test_it_is_looked_at_before_anything_is_switched_over(self) -> None:
        """With the configuration."""
        script = (ROOT / "install.sh").read_text()
        assert "    check_credentials\n" in script.split("ensure_config() {")[1].split("\n}\n")[0]


class TestBuses:
    """What the board is, and SPI for the LEDs of a HAT, which a fresh system has switched off."""

    def facts(self, tmp_path: Path, recorded: str, config: str = "") -> list[str]:
        root = machine(recorded, tmp_path / "root")
        (tmp_path / "release").mkdir()
        (tmp_path / "release" / ".venv").symlink_to(sys.prefix)
        (tmp_path / "config.yaml").write_text(config)
        places = f"CONFIG={tmp_path}/config.yaml; export PYTHONPATH={Path.cwd()}; "
        done = sourced(f"{places}board_facts {tmp_path}/release {root}")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    @pytest.mark.parametrize(
        ("recorded", "config", "needed"),
        [
            ("2mic-hat-v2-spi-off", "", ["need spi"]),
            ("2mic-hat-v2", "", []),
            ("usb-array", "", []),
            ("nothing-on-a-pi", "", []),
            ("nothing-on-a-pi", "board: 4mic-hat", ["need spi", "need i2c"]),
            ("nothing-on-a-pi", "lights: {driver: apa102}", ["need spi"]),
            ("nothing-on-a-pc", "board: 4mic-hat", []),
        ],
    )
    def test_what_a_board_needs(
        self, tmp_path: Path, recorded: str, config: str, needed: list[str]
    ) -> None:
        """As the configuration says, or what the machine shows; and config.txt does not have."""
        told = self.facts(tmp_path, recorded, config)
        assert [line for line in told if line.startswith("need ")] == needed

    def test_what_keeps_a_board_from_working_is_told(self, tmp_path: Path) -> None:
        """A HAT without its overlay: which board was found, and what to write where."""
        board, *advice = self.facts(tmp_path, "nothing-on-a-pi")
        assert board.startswith("board plain sound card: no ReSpeaker")
        assert any("dtoverlay=" in line for line in advice)

    def ensured(self, boot_config: Path) -> Completed:
        facts = (
            "echo board A HAT: told by its card; echo need spi; echo need i2c; echo advice do it"
        )
        return sourced(
            f"BOOT_CONFIG={boot_config}; is_raspberry_pi() {{ true; }}; "
            f'board_facts() {{ {facts}; }}; ensure_board x; echo "reboot=$REBOOT advice=$ADVICE"'
        )

    def test_they_are_switched_on_and_told(self, tmp_path: Path) -> None:
        """What was there is kept beside it; the lines of a fresh system are used."""
        boot_config = tmp_path / "config.txt"
        boot_config.write_text(FRESH_BOOT_CONFIG)
        done = self.ensured(boot_config)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            "    A HAT: told by its card",
            f"    {boot_config}: SPI switched on for the board, counts from the next boot",
            f"    {boot_config}: I2C switched on for the board, counts from the next boot",
            "reboot=yes advice=do it",
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
        assert self.ensured(boot_config).returncode == 0
        assert boot_config.read_text() == (
            "[pi5]\ndtoverlay=nospi10\n\n[all]\ndtparam=spi=on\n\n[all]\ndtparam=i2c_arm=on\n"
        )

    def test_no_pi_no_change(self, tmp_path: Path) -> None:
        """A PC has no such file, and none is made."""
        done = sourced(f"BOOT_CONFIG={tmp_path}/config.txt; ensure_board x; echo goes on")
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

    @pytest.mark.parametrize("number", ["INT", "TERM"])
    def test_a_release_that_was_not_proven_is_left(self, number: str) -> None:
        """Whoever ends the installer ends it as it was."""
        done = sourced(
            "trap take_back EXIT; roll_back() { echo rolled back from $UNPROVEN; }; "
            f"UNPROVEN=/opt/parley/releases/2; kill -{number} $$; sleep 5"
        )
        assert done.stdout == "rolled back from /opt/parley/releases/2\n"
        assert done.returncode != 0

    def test_manual_and_completion_come_and_go_with_the_release(self, tmp_path: Path) -> None:
        """Readable by all; an older release, which cannot write them, leaves none."""
        page, completion = tmp_path / "man" / "man1" / "parley.1", tmp_path / "b" / "c" / "parley"
        places = f"umask 022; MAN_PAGE={page}; COMPLETION={completion}; "
        done = sourced(f"{places} ensure_manual {ROOT}")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert page.read_text().startswith(".TH PARLEY 1")
        assert "complete -o filenames" in completion.read_text()
        assert page.stat().st_mode & 0o777 == 0o644
        done = sourced(f"{places} remove_manual; remove_manual; echo on")
        assert done.stdout == "on\n"
        assert not page.parent.exists()
        assert not completion.parent.parent.exists()
        page.parent.mkdir(parents=True)
        completion.parent.mkdir(parents=True)
        page.write_text("of a newer release")
        completion.write_text("of a newer release")
        old = tmp_path / "old" / ".venv" / "bin" / "parley"
        old.parent.mkdir(parents=True)
        old.write_text("#!/bin/sh\nexit 2\n")
        old.chmod(0o755)
        assert sourced(f"{places} ensure_manual {tmp_path / 'old'}").returncode == 0
        assert not page.exists()
        assert not completion.exists()
        script = (ROOT / "install.sh").read_text()
        assert '    ensure_manual "$release"\n' in script.split("put_in_force() {")[1]
        assert "    remove_manual\n" in script.split("uninstall() {")[1]

    @pytest.mark.parametrize("whole", [True, False])
    def test_a_power_cut_before_the_proof_goes_back_at_the_next_boot(
        self, tmp_path: Path, whole: bool
    ) -> None:
        """To the release before, if that is whole; the one nobody saw working is removed."""
        for name in ("1", "2"):
            (tmp_path / "releases" / name).mkdir(parents=True)
        if whole:
            (tmp_path / "releases" / "1" / ".complete").touch()
        (tmp_path / "current").symlink_to("releases/2")
        marked = [f"{tmp_path}/releases/1\n", f"{tmp_path}/releases/2\n"]
        (tmp_path / "unproven").write_text("".join(marked))
        done = sourced(
            f"PREFIX={tmp_path}; UNPROVEN_MARK={tmp_path}/unproven; LOCK={tmp_path}/lock; "
            "require_root() { true; }; "
            f"flock() {{ :; }}; put_in_force() {{ echo force $1; }}; recover"
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == (f"force {tmp_path}/releases/1\n" if whole else "")
        left = {path.name for path in (tmp_path / "releases").iterdir()}
        assert left == ({"1"} if whole else {"1", "2"})
        assert not (tmp_path / "unproven").exists()

    def test_a_refused_configuration_has_its_own_exit_code(self) -> None:
        """78, as everywhere in Parley; nothing was switched over."""
        done = sourced("trap take_back EXIT; refuse_config; echo not reached")
        assert (done.returncode, done.stdout) == (78, "")
        assert "Nothing was switched over" in done.stderr


class TestLastGood:
    """An upgrade while the configuration has a mistake."""

    def upgrade(
        self, folder: Path, kept: str | None, text: str = "audio: {volume: 500}\n"
    ) -> Completed:
        """Check the configuration as an upgrade does; ``kept`` was in force last."""
        config, release = folder / "config.yaml", folder / "release"
        release.mkdir()
        (release / ".venv").symlink_to(sys.prefix)
        if kept is not None:
            LastGood(folder, config, parse).keep(parse(kept, "before"))
        config.write_text(text)
        return sourced(
            f"CONFIG={config}; STATE_DIR={folder}; export PYTHONPATH={Path.cwd()}; "
            'runuser() { shift 3; "$@"; }; '
            f"trap take_back EXIT; check_config {release}; echo goes on; cat $SETTINGS; "
            f"configured_language {release}; board_facts {release} {folder} >/dev/null; "
            'echo "${ADVICE[@]}"'
        )

    def test_the_last_good_settings_go_on(self, tmp_path: Path) -> None:
        """It names the mistake, says what is in force, and says it again at the end."""
        done = self.upgrade(tmp_path, "live: {language: de-DE}")
        assert done.returncode == 0
        went_on, live, language, tag, advice = done.stdout.splitlines()
        assert (went_on, live, language, tag) == ("goes on", "live:", "  language: de-DE", "de-DE")
        assert advice.startswith(
            f"{tmp_path}/config.yaml has a mistake, and the last good settings"
        )
        assert "audio.volume: 500 is not in 0..100" in done.stderr
        assert "goes on with the settings that were in force last" in done.stderr
        assert not list(tmp_path.glob("tmp.*"))

    def test_a_setting_that_the_release_takes_no_more_is_left_out(self, tmp_path: Path) -> None:
        """Both files have it: the one of the owner's is the last good one."""
        old = "lights: {brightness: 5}\nlive: {language: fr}"
        text = "lights: {glow: 5}\nlive: {language: fr}\n"
        config = tmp_path / "config.yaml"
        LastGood(tmp_path, config, parse).keep(parse(old, "before"))
        kept = tmp_path / "last_good.yaml"
        _, _, body = kept.read_text().replace("brightness", "glow").partition("\n")
        checksum = f"{zlib.crc32(body.encode()):08x}"
        kept.write_text(f"# {checksum} was in force last, of {str(config)!r}\n{body}")
        done = self.upgrade(tmp_path, None, text)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("goes on\nlive:\n  language: fr\n")
        assert "the last good configuration is left out: " in done.stderr
        assert "lights.glow: unknown key" in done.stderr

    def test_without_any_it_is_refused(self, tmp_path: Path) -> None:
        """78, as at a start."""
        done = self.upgrade(tmp_path, None)
        assert (done.returncode, done.stdout) == (78, "")
        assert "audio.volume: 500 is not in 0..100" in done.stderr
        assert "there are no last good settings to go on with" in done.stderr

    def test_the_camera_of_the_last_good_settings_is_let_in(self, tmp_path: Path) -> None:
        """The upgrade goes on, and the sandbox is that of the settings that go on."""
        good = "tools: {camera: on_request}\ncamera: {source: rpicam}\n"
        config, release = tmp_path / "config.yaml", tmp_path / "release"
        LastGood(tmp_path, config, parse).keep(parse(good, "before"))
        config.write_text(good + "audio: {volume: 500}\n")
        python = release / ".venv/bin/python"
        python.parent.mkdir(parents=True)
        # This code, and not what is installed: PYTHONPATH is not for an isolated Python.
        python.write_text(f'#!/bin/sh\n[ "$1" != -I ] || shift\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        (python.parent / "parley").write_text("#!/bin/sh\nexit 78\n")
        (python.parent / "parley").chmod(0o755)
        done = sourced(
            f"CONFIG={config}; STATE_DIR={tmp_path}; export PYTHONPATH={Path.cwd()}; "
            'runuser() { shift 3; "$@"; }; '
            f"trap take_back EXIT; check_config {release}; camera_sandbox {release}"
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == sandbox_of(parse(good, "before"))

    def test_a_configuration_without_a_mistake_is_the_one(self, tmp_path: Path) -> None:
        """Nothing is said."""
        done = self.upgrade(tmp_path, "live: {language: de-DE}", "live: {language: fr}")
        assert done.returncode == 0
        assert "fr" in done.stdout
        assert done.stderr == ""
