"""The files around the package: installer, unit, configuration, licence, lock file, CI."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from device.__main__ import parser
from device.board.usb_control import XVF3000_ARRAY, XVF3800_ARRAY
from device.camera.sandbox import PLACE, devices, drop_in
from device.config import Config, load
from device.service.health import LARGEST_BYTES
from tests.rig.installer import ROOT, run, sourced

UNIT = ROOT / "systemd" / "parley.service"
TOKENS = ROOT / "systemd" / "parley-tokens.service"
RECOVERY = ROOT / "systemd" / "parley-recover.service"
BESIDE_EACH_OTHER = "-n auto --dist loadfile --no-loadscope-reorder"
UDEV_RULES = ROOT / "systemd" / "60-parley-respeaker.rules"


def unit_settings() -> dict[str, list[str]]:
    """Read the unit; a key may stand there more than once."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


class TestShell:
    @pytest.mark.parametrize("script", ["install.sh", ".ci/run"])
    def test_shellcheck_has_nothing_to_say(self, script: str) -> None:
        """A quote forgotten in an installer that runs as root is no trifle."""
        done = run("shellcheck", script)
        assert done.stdout + done.stderr == ""
        assert (ROOT / script).stat().st_mode & stat.S_IXUSR

    def test_ci_runs_the_tests_as_everybody_does(self) -> None:
        """And nothing after them, so that pytest's summary is the last line."""
        lines = (ROOT / ".ci" / "run").read_text().split("\n")
        assert lines[0] == "#!/bin/sh"
        assert "set -eu" in lines
        assert lines[-2:] == ["./install.sh --test", ""]


class TestInstaller:
    def test_help_names_every_command(self) -> None:
        """The four commands of the contract, and the unattended options."""
        done = run("./install.sh", "--help")
        assert done.returncode == 0
        for word in ("--demo", "--test", "--uninstall", "--purge", "--yes", "--key-file"):
            assert word in done.stdout

    @pytest.mark.parametrize("words", [["--bogus"], ["--purge"], ["--key-file"], ["--yes", "x"]])
    def test_wrong_usage_changes_nothing(self, words: list[str]) -> None:
        """Exit code 2 and the usage, before anything is done."""
        done = run("./install.sh", *words)
        assert done.returncode == 2
        assert done.stderr.startswith("usage:")

    @pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="would install for real")
    def test_without_systemd_the_appliance_is_refused_at_once(self) -> None:
        """Before a package, a user or a file is touched."""
        done = run("./install.sh", "--yes")
        assert done.returncode == 1
        wanted = "systemd does not run here" if os.geteuid() == 0 else "run it as root"
        assert wanted in done.stderr

    @pytest.mark.parametrize(
        ("asked", "given"),
        [
            ("", BESIDE_EACH_OTHER),
            ("--quick", f"{BESIDE_EACH_OTHER} -m not real_time"),
            ("--quick tests/wake -x", f"{BESIDE_EACH_OTHER} -m not real_time tests/wake -x"),
            ("-k gate --quick", "-k gate --quick"),
            ("-m benchmark -s tests/benchmarks", "-m benchmark -s tests/benchmarks"),
        ],
    )
    def test_whoever_picks_tests_says_how_they_run(
        self, tmp_path: Path, asked: str, given: str
    ) -> None:
        """All of them and the quick ones run several at a time; options of pytest reach it."""
        python = tmp_path / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text('#!/bin/sh\necho "$*"\n')
        python.chmod(0o755)
        nothing = "ensure_packages() { :; }; prepare_checkout() { :; }"
        done = sourced(f"{nothing}; cd {tmp_path}; run_tests {asked}")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"==> pytest {given}\n-m pytest {given}\n"

    def test_an_unfit_python_is_named(self, tmp_path: Path) -> None:
        """What was found, with its version, and what is needed."""
        (tmp_path / "python3").write_text(
            "#!/bin/sh\ncase $3 in *ensurepip*) exit 1 ;; *) echo 3.9.2 ;; esac\n"
        )
        (tmp_path / "python3").chmod(0o755)
        done = sourced('find_python python3; echo "not reached"', PATH=f"{tmp_path}:/usr/bin:/bin")
        assert done.returncode == 1
        assert done.stderr == (
            "install.sh: Python 3.11 to 3.13 with the venv module is needed; "
            f"found: {tmp_path}/python3 (3.9.2)\n"
        )
        assert "not reached" not in done.stdout

    def test_missing_packages_without_root_and_sudo_name_the_command(self) -> None:
        """What to ask the machine's administrator for, word for word."""
        done = sourced("may_become_root() { false; }; ensure_packages no-such-a no-such-b")
        assert done.returncode == 1
        assert "apt-get install --no-install-recommends no-such-a no-such-b" in done.stderr

    def test_a_failing_step_shows_its_output_and_stops(self) -> None:
        """The reason is on the screen, not in a file somewhere."""
        done = sourced("quietly 'the step' sh -c 'echo reason; exit 3'; echo 'not reached'")
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "reason",
            "install.sh: the step failed; the end of what it said is above",
        ]
        assert done.stdout == ""

    def test_a_release_is_named_after_what_is_in_it(self) -> None:
        """The same sources give the same name; it begins with the version."""
        names = {sourced(f"release_name {sys.executable}").stdout for _ in range(2)}
        assert len(names) == 1
        assert names.pop().startswith(project()["version"] + "+")

    @pytest.mark.parametrize(
        ("written", "language"),
        [
            ("", ""),
            ("live: {language: null}", ""),
            ("live: {language: de-AT}", "de-AT"),
            ('live: {language: "no"}', "no"),
            ("live: {voice: language, language: es-419}\naudio: {volume: 5}", "es-419"),
        ],
    )
    def test_the_configured_language_is_found(
        self, tmp_path: Path, written: str, language: str
    ) -> None:
        """However it is written: what `parley config show` makes of it counts."""
        (tmp_path / "config.yaml").write_text(written)
        done = sourced(f"CONFIG={tmp_path}/config.yaml; configured_language {a_release(tmp_path)}")
        assert (done.returncode, done.stdout, done.stderr) == (0, language and f"{language}\n", "")

    def test_the_sentences_are_made_in_the_configured_language_and_english(
        self, tmp_path: Path
    ) -> None:
        """By the speaker's user, in its state directory; doing it again makes none."""
        (tmp_path / "config.yaml").write_text("live: {language: fr}")
        commands = ensuring_clips(tmp_path, 'echo "$@" >runuser; shift 3; "$@"')
        clips = tmp_path / "state" / "clips"
        for made in (42, 0):
            done = sourced(f"cd {tmp_path}; {commands}")
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout == f"    {clips}: {made} sentences made, 0 missing\n"
        assert {path.name.partition("-")[0] for path in clips.iterdir()} == {"fr", "en"}
        assert (tmp_path / "runuser").read_text().startswith("-u parley -- env -C ")

    def test_sentences_that_cannot_be_made_do_not_stop_the_installation(
        self, tmp_path: Path
    ) -> None:
        """A speaker that says nothing of its troubles is better than none."""
        (tmp_path / "config.yaml").write_text("")
        commands = ensuring_clips(tmp_path, "echo the reason >&2; false") + "; echo goes on"
        done = sourced(commands)
        assert (done.returncode, done.stdout) == (0, "goes on\n")
        assert done.stderr == (
            "install.sh: warning: the speaker cannot say what is wrong: the reason\n"
        )

    @pytest.mark.parametrize("packages", ["RUN_PACKAGES", "TEST_PACKAGES", "APPLIANCE_PACKAGES"])
    def test_every_way_to_run_it_brings_a_voice_and_takes_it_out_of_the_microphone(
        self, packages: str
    ) -> None:
        """And lights what is on USB: the demo, the tests, the appliance; none is named twice."""
        named = sourced(f'printf "%s\\n" "${{{packages}[@]}}"').stdout.split()
        assert {"espeak-ng", "libspeexdsp1", "libusb-1.0-0"} <= set(named)
        assert len(set(named)) == len(named)


class TestUdev:
    """The rules by which the speaker's user may set the LEDs of an array on USB."""

    @pytest.fixture
    def installed(self, tmp_path: Path) -> Path:
        return tmp_path / "rules.d" / UDEV_RULES.name

    def ensuring(self, installed: Path, udevadm: str = "true") -> str:
        """Commands around the installer's function, with what `udevadm` does."""
        return (
            f"UDEV_RULES={installed}; "
            f'udevadm() {{ echo "$@" >>{installed.parent.parent}/udevadm; {udevadm}; }}; '
        )

    def test_they_are_written_once_and_taken_at_once(self, installed: Path) -> None:
        """Also for what is plugged in already; a second run changes nothing."""
        ensuring = self.ensuring(installed) + f"ensure_udev {ROOT}"
        done = sourced(ensuring)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"    {installed}: written\n", "")
        assert installed.read_text() == UDEV_RULES.read_text()
        assert stat.S_IMODE(installed.stat().st_mode) == 0o644
        called = (installed.parent.parent / "udevadm").read_text()
        assert called.splitlines() == [
            "control --reload",
            "trigger --settle --subsystem-match=usb --attr-match=idVendor=2886",
        ]
        done = sourced(ensuring)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        assert (installed.parent.parent / "udevadm").read_text() == called

    def test_older_ones_are_replaced(self, installed: Path) -> None:
        """As a release brings them."""
        installed.parent.mkdir()
        installed.write_text("# of an older release\n")
        assert sourced(self.ensuring(installed) + f"ensure_udev {ROOT}").returncode == 0
        assert installed.read_text() == UDEV_RULES.read_text()

    @pytest.mark.parametrize("udevadm", ["false", "[ $1 = control ]"])
    def test_a_machine_where_udev_does_not_run_gets_them_for_the_next_boot(
        self, installed: Path, udevadm: str
    ) -> None:
        """A container, say; the installation goes on."""
        done = sourced(
            self.ensuring(installed, udevadm) + f"ensure_udev {ROOT}; remove_udev; echo on"
        )
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "on")
        assert ("plug a USB array out and in" in done.stderr) is (udevadm != "false")

    def test_a_machine_without_udev_is_fine(self, installed: Path) -> None:
        """Only present where there is hardware."""
        commands = f"UDEV_RULES={installed}; command() {{ false; }}; ensure_udev {ROOT}"
        done = sourced(commands)
        assert (done.returncode, done.stderr) == (0, "")
        assert installed.exists()

    def test_they_go_with_the_speaker(self, installed: Path) -> None:
        """And udev forgets them; where there are none nothing is done."""
        commands = self.ensuring(installed) + f"ensure_udev {ROOT}; remove_udev; remove_udev"
        done = sourced(commands)
        assert (done.returncode, done.stderr) == (0, "")
        assert not installed.exists()
        called = (installed.parent.parent / "udevadm").read_text().splitlines()
        assert called.count("control --reload") == 2

    def test_the_installer_does_both(self) -> None:
        """Under the name that its constant has."""
        script = (ROOT / "install.sh").read_text()
        assert '    ensure_udev "$release"\n' in script.split("put_in_force() {")[1]
        assert "    remove_udev\n" in script.split("uninstall() {")[1]
        done = sourced('echo "$UDEV_RULES"')
        assert done.stdout == f"/etc/udev/rules.d/{UDEV_RULES.name}\n"

    def test_the_speaker_s_user_is_in_the_group_they_name(self) -> None:
        """By install.sh; the unit takes the user's groups as they are."""
        groups = re.search(r"for group in (.*); do", (ROOT / "install.sh").read_text())
        assert groups is not None
        assert "plugdev" in groups[1].split()
        assert 'GROUP="plugdev"' in UDEV_RULES.read_text()
        assert "SupplementaryGroups" not in unit_settings()
        # libusb is told by netlink of what is plugged in.
        [families] = unit_settings()["RestrictAddressFamilies"]
        assert "AF_NETLINK" in families.split()

    def test_they_are_for_every_array_that_can_be_told_anything(self) -> None:
        """Each rule is whole on its line; the file comes before 73-seat-late.rules for uaccess."""
        rules = [
            line
            for line in UDEV_RULES.read_text().splitlines()
            if line and not line.startswith("#")
        ]
        key = r'(?:[A-Z]+(?:\{[A-Za-z/_]+\})?(?:==|!=|\+=|=)"[^"]*")'
        assert all(re.fullmatch(rf"{key}(?:, {key})*", rule) for rule in rules)
        assert {f"{array.product_id:04x}" for array in (XVF3000_ARRAY, XVF3800_ARRAY)} == set(
            re.findall(r'idProduct}=="(....)"', "\n".join(rules))
        )
        assert UDEV_RULES.name < "73"


BY_ID = "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_12345678-video-index0"


class TestCamera:
    """The sandbox gets the configured camera by install.sh, as by `parley doctor --fix`."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "parley.service.d" / "camera.conf"

    def ensuring(self, place: Path, config: str, *, groups: str = "parley") -> str:
        """What the installer does for a configuration, and what it tells of it."""
        folder = place.parent.parent
        (folder / "config.yaml").write_text(config)
        release = folder / "release"
        if not release.exists():
            a_release(folder)
        commands = (
            f"CAMERA={place}; CONFIG={folder}/config.yaml; "
            f"usermod() {{ echo usermod $*; }}; systemctl() {{ echo systemctl $*; }}; "
            f'getent() {{ echo video; }}; id() {{ echo "{groups}"; }}; '
            f'ensure_camera {release}; echo "changed: $SANDBOX_CHANGED"'
        )
        done = sourced(commands)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    @pytest.mark.parametrize("source", ["auto", "rpicam", BY_ID])
    def test_it_is_opened_for_the_configured_camera_once(self, place: Path, source: str) -> None:
        """Byte for byte as the doctor writes it; the service is then started anew."""
        config = f"tools: {{camera: on_request}}\ncamera: {{source: {source}}}"
        assert self.ensuring(place, config).splitlines() == [
            "usermod --append --groups video parley",
            f"    {place}: written, for the camera",
            "systemctl daemon-reload",
            "changed: yes",
        ]
        assert place.read_text() == drop_in(source)
        assert self.ensuring(place, config, groups="parley audio video") == "changed: \n"
        assert [each.name for each in place.parent.iterdir()] == ["camera.conf"]

    @pytest.mark.parametrize(
        "config",
        [
            "",
            "camera: {source: auto}",
            "tools: {camera: on_request}\ncamera: {source: 'file:/srv/pictures'}",
        ],
    )
    def test_without_one_it_is_closed(self, place: Path, config: str) -> None:
        """As it comes, and when the camera is taken out of the configuration again."""
        assert self.ensuring(place, config) == "changed: \n"
        assert not place.parent.exists()
        place.parent.mkdir()
        place.write_text(drop_in("auto"))
        assert f"{place}: removed, no camera is configured" in self.ensuring(place, config)
        assert not place.parent.exists()

    def test_a_speaker_whose_sandbox_has_changed_is_started_anew(self) -> None:
        """Although its release is the same."""
        commands = "systemctl() { true; }; readlink() { echo /r; }; cmp() { true; }; "
        done = sourced(
            f"{commands} runs_already /r && echo same; SANDBOX_CHANGED=yes; "
            "runs_already /r || echo anew"
        )
        assert done.stdout == "same\nanew\n"

    def test_it_goes_with_the_speaker(self) -> None:
        """Also without --purge: what it was for is gone."""
        script = (ROOT / "install.sh").read_text()
        assert "    remove_camera >/dev/null\n" in script.split("uninstall() {")[1]
        done = sourced('echo "$CAMERA"')
        assert done.stdout == f"{PLACE}\n"

    @pytest.mark.parametrize("source", ["auto", "rpicam", BY_ID])
    def test_the_sandbox_is_as_tight_with_a_camera(self, tmp_path: Path, source: str) -> None:
        """What systemd says of it: it understands it, and the exposure is what it was, 1.4."""
        unit = tmp_path / "parley.service"
        unit.write_text(
            UNIT.read_text().replace("/opt/parley/current/.venv/bin/parley", "/bin/true")
        )
        told = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager"]
        without = run(*told, unit)
        place = tmp_path / "parley.service.d" / "camera.conf"
        place.parent.mkdir()
        place.write_text(drop_in(source))
        done = run("systemd-analyze", "verify", unit)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        with_camera = run(*told, unit)
        assert (without.returncode, with_camera.returncode) == (0, 0)
        device = devices(source)[0].split()[0]
        assert (f"{device}:rw" in without.stdout, f"{device}:rw" in with_camera.stdout) == (
            False,
            True,
        )
        assert exposure(with_camera.stdout) == exposure(without.stdout)


def exposure(told: str) -> str:
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert found is not None, told
    return found[1]


def a_release(folder: Path) -> Path:
    """A release whose environment is the one of these tests."""
    release = folder / "release"
    release.mkdir()
    (release / ".venv").symlink_to(sys.prefix)
    return release


def ensuring_clips(folder: Path, runuser: str) -> str:
    """Make the clips where no user parley exists; `runuser` is what is done in its place."""
    return (
        f"CONFIG={folder}/config.yaml; STATE_DIR={folder}/state; "
        f'install() {{ mkdir -p "$STATE_DIR"; }}; runuser() {{ {runuser}; }}; '
        f"ensure_clips {a_release(folder)}"
    )


class TestUnit:
    def test_systemd_has_nothing_to_say(self, tmp_path: Path) -> None:
        """Unknown keys do not change the exit code: only silence means that all is understood."""
        copy = tmp_path / "parley.service"
        start = "/opt/parley/current/.venv/bin/parley "
        assert UNIT.read_text().count(start) == 2
        copy.write_text(UNIT.read_text().replace(start, f"{shutil.which('true')} "))
        done = run("systemd-analyze", "verify", copy)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def test_systemd_understands_the_recovery_too(self, tmp_path: Path) -> None:
        """It runs before the speaker, only while an upgrade is not proven."""
        copy = tmp_path / RECOVERY.name
        start = "ExecStart=/opt/parley/proven/install.sh --recover"
        mark = sourced('echo "$UNPROVEN_MARK $RECOVERY"').stdout.split()
        assert f"ConditionPathExists={mark[0]}\n" in RECOVERY.read_text()
        assert mark[1].endswith(f"/{RECOVERY.name}")
        assert RECOVERY.read_text().count(start) == 1
        copy.write_text(RECOVERY.read_text().replace(start, f"ExecStart={shutil.which('true')}"))
        done = run("systemd-analyze", "verify", copy)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def test_the_contract_holds(self) -> None:
        """What the daemon relies on, and what owners were promised."""
        unit = unit_settings()
        assert unit["Type"] == ["notify"]
        assert unit["WatchdogSec"] == ["30"]
        assert unit["Restart"] == ["always"]
        assert unit["RestartPreventExitStatus"] == ["78"]
        assert unit["User"] == ["parley"]
        assert unit["LoadCredential"] == [
            "gemini_api_key:/etc/parley/credentials/gemini_api_key",
            "credentials.d:/etc/parley/credentials",
        ]
        assert unit["StateDirectory"] == unit["RuntimeDirectory"] == ["parley"]
        assert "ORT_DISABLE_TELEMETRY=1" in unit["Environment"]
        assert "LG_WD=%t/parley" in unit["Environment"]

    def test_memory_that_is_free_is_given_back(self) -> None:
        """Glibc reads its settings before the speaker's first line runs."""
        settings = "MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072"
        assert settings in unit_settings()["Environment"]

    def test_a_light_that_lies_is_put_out(self, tmp_path: Path) -> None:
        """Also when it is the configuration that keeps the speaker from starting."""
        noted, command = unit_settings()["ExecStopPost"]
        assert noted.endswith("/systemd/parley-ends note")
        assert command.startswith("-/opt/parley/current/.venv/bin/parley lights --off ")
        wrong = tmp_path / "config.yaml"
        wrong.write_text("audio: {volume: 500}")
        words = command.split()[1:]
        assert words[-2:] == ["--config", "/etc/parley/config.yaml"]
        done = run(sys.executable, "-m", "device", *words[:-1], wrong)
        assert done.returncode == 0, done.stderr

    def test_the_key_is_not_in_the_environment(self) -> None:
        """`systemctl show` and /proc would tell it to everybody."""
        assert "API_KEY=" not in UNIT.read_text()

    def test_it_ends_itself_before_the_kernel_does(self) -> None:
        """On a Pi the kernel does not: the firmware switches memory control groups off."""
        [limit] = unit_settings()["MemoryMax"]
        assert int(limit.removesuffix("M")) * 2**20 > LARGEST_BYTES

    def test_it_has_its_devices_and_no_others(self) -> None:
        """Sound card, SPI, USB and GPIO are what the speaker is made of (proven in appliance/)."""
        unit = unit_settings()
        assert not {"PrivateDevices", "ProcSubset"} & set(unit)
        assert unit["DevicePolicy"] == ["closed"]
        assert unit["DeviceAllow"] == [
            f"char-{kind} rw" for kind in ("116", "153", "189", "gpiochip")
        ]

    def test_it_is_locked_in(self, tmp_path: Path) -> None:
        """What systemd itself says of the sandbox: at most 1.5 of 10."""
        limit = "--threshold=15"
        done = run("systemd-analyze", "security", "--offline=true", limit, "--no-pager", UNIT)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Overall exposure level" in done.stdout

    def test_it_waits_for_no_network_and_comes_after_the_sound(self) -> None:
        """A speaker that has no network says so; one that waits for it is silent."""
        assert unit_settings()["After"] == ["sound.target"]
        assert "network" not in re.sub(r"(?m)^#.*", "", UNIT.read_text())

    def test_the_key_file_is_always_there(self) -> None:
        """A missing source of LoadCredential= would keep the speaker from starting at all."""
        rules = (ROOT / "systemd" / "parley.tmpfiles").read_text()
        assert "f /etc/parley/credentials/gemini_api_key 0600 root root\n" in rules
        assert "d /etc/parley/credentials 0700 root root\n" in rules


class TestTokenServer:
    def test_systemd_has_nothing_to_say(self, tmp_path: Path) -> None:
        """The example for whoever lends tokens is a unit as good as the speaker's."""
        copy = tmp_path / TOKENS.name
        start = "ExecStart=/opt/parley/current/.venv/bin/parley token serve"
        assert TOKENS.read_text().count(start) == 1
        copy.write_text(TOKENS.read_text().replace(start, f"ExecStart={shutil.which('true')}"))
        done = run("systemd-analyze", "verify", copy)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def test_it_is_locked_in(self) -> None:
        """What systemd itself says of the sandbox: at most 1.5 of 10."""
        limit = "--threshold=15"
        done = run("systemd-analyze", "security", "--offline=true", limit, "--no-pager", TOKENS)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_its_command_is_one_of_ours(self) -> None:
        """With each option as the command knows it, and secrets in files only."""
        [line] = re.findall(r"(?m)^ExecStart=\S+/parley (.*)$", TOKENS.read_text())
        args = parser(["token"]).parse_args(line.split())
        assert (args.listen, args.run.__name__) == ("0.0.0.0:8790", "serve")
        for name in ("certificate", "private_key", "speakers"):
            assert str(getattr(args, name)) == f"%d/{name}"
            assert f"LoadCredential={name}:/etc/parley/tokens/" in TOKENS.read_text()
        assert "LoadCredential=gemini_api_key:" in TOKENS.read_text()


class TestProject:
    def test_the_shipped_configuration_says_the_defaults(self) -> None:
        """An owner who deletes the file loses nothing."""
        assert load(ROOT / "config" / "parley.yaml") == Config()

    def test_the_licence_is_in_the_package(self) -> None:
        """Named in the metadata, whole in the file."""
        assert project()["license"] == "Apache-2.0"
        text = (ROOT / "LICENSE").read_text()
        assert "Apache License" in text
        assert "END OF TERMS AND CONDITIONS" in text
        assert "Copyright 2026 The Parley authors" in text

    def test_the_lock_file_is_of_this_project(self) -> None:
        """Same version, and every dependency of pyproject.toml is locked."""
        locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
        [ours] = [package for package in locked if package["name"] == "parley"]
        assert ours["version"] == project()["version"]
        wanted = {name_of(dependency) for dependency in project()["dependencies"]}
        assert {dependency["name"] for dependency in ours["dependencies"]} == wanted

    def test_uv_agrees_that_the_lock_file_is_up_to_date(self) -> None:
        """What pyproject.toml asks for is what is installed."""
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if uv is None:
            pytest.skip("uv is not here; install.sh --test brings it")
        done = run(uv, "lock", "--check", "--offline", "--python", sys.executable)
        assert done.returncode == 0, done.stderr


def project() -> dict[str, Any]:
    """Return the table [project] of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def name_of(requirement: str) -> str:
    """Return the normalised name in a requirement such as `PyYAML>=6.0.3`."""
    name = requirement
    for mark in "<>=!~[; ":
        name = name.split(mark)[0]
    return name.lower()
