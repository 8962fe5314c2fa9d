"""install.sh on the boards that people have: little memory, a slow card, a lost connection."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from device.doctor.wireless import STAY_AWAKE
from tests.rig.installer import ROOT, Completed, hung_up_on, on_a_terminal, run, sourced

UNITS = ROOT / "systemd"
WIRELESS = """\
Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
"""
WLAN0 = " wlan0: 0000   52.  -58.  -256        0      0      0      0      0        0\n"


class TestLittleMemory:
    """What uv may do at once."""

    def suited(self, tmp_path: Path, memory_mb: int, **environ: str) -> dict[str, str]:
        (tmp_path / "meminfo").write_text(f"MemTotal:       {memory_mb * 1024} kB\nMemFree: 1 kB\n")
        done = sourced(f"MEMINFO={tmp_path}/meminfo; suit_uv_to_this_machine; env", **environ)
        assert (done.returncode, done.stderr) == (0, "")
        lines = [line.split("=", 1) for line in done.stdout.splitlines() if "=" in line]
        return {name: value for name, value in lines if name.startswith(("UV_", "TMPDIR"))}

    def test_a_zero_2_w_compiles_one_file_at_a_time(self, tmp_path: Path) -> None:
        """It has 426 MB, and perhaps a /tmp that is memory too."""
        found = self.suited(tmp_path, 426, TMPDIR="")
        assert found["UV_CONCURRENT_INSTALLS"] == found["UV_CONCURRENT_BUILDS"] == "1"
        assert found["UV_CONCURRENT_DOWNLOADS"] == "4"
        assert found["TMPDIR"] == "/var/tmp"

    def test_a_pi_3_compiles_two(self, tmp_path: Path) -> None:
        """It has 1 GB."""
        assert self.suited(tmp_path, 921)["UV_CONCURRENT_INSTALLS"] == "2"

    def test_a_larger_one_does_as_uv_does(self, tmp_path: Path) -> None:
        """All it has processors for; but nobody is given up within a minute."""
        found = self.suited(tmp_path, 3792)
        assert "UV_CONCURRENT_INSTALLS" not in found
        assert found["UV_COMPILE_BYTECODE_TIMEOUT"] == "600"
        assert found["UV_HTTP_TIMEOUT"] == "120"

    def test_who_knows_better_is_not_overruled(self, tmp_path: Path) -> None:
        """In how long to wait."""
        assert self.suited(tmp_path, 426, UV_HTTP_TIMEOUT="7")["UV_HTTP_TIMEOUT"] == "7"


class TestTime:
    """How long it takes is said beforehand, and while it lasts that it goes on."""

    @pytest.mark.parametrize(
        ("model", "minutes"),
        [
            ("Raspberry Pi Zero 2 W Rev 1.0", 15),
            ("Raspberry Pi 3 Model B Plus Rev 1.3", 8),
            ("Raspberry Pi 4 Model B Rev 1.5", 4),
            ("Raspberry Pi 5 Model B Rev 1.0", 2),
        ],
    )
    def test_it_depends_on_the_board(self, tmp_path: Path, model: str, minutes: int) -> None:
        """Which is named, with its memory, and where to read on after a lost connection."""
        (tmp_path / "model").write_text(f"{model}\0")
        (tmp_path / "meminfo").write_text("MemTotal: 436224 kB\n")
        done = sourced(f"PI_MODEL={tmp_path}/model; MEMINFO={tmp_path}/meminfo; tell_time")
        first, second = done.stdout.splitlines()
        assert first == (f"    {model}, 426 MB of memory: about {minutes} minutes the first time")
        assert "/var/log/parley-install.log" in second

    def test_a_long_step_says_that_it_goes_on(self, tmp_path: Path) -> None:
        """And what it has said last; a short one says nothing of that."""
        told = "note() { echo \"$*\"; [[ $* != *'so far'* ]] || touch told; }"
        step = "sh -c 'echo Building; until [ -e told ]; do sleep 0.05; done'"
        done = sourced(f"cd {tmp_path}; TICK_S=0.1; {told}; quietly 'the step' {step}")
        assert (done.returncode, done.stderr) == (0, "")
        first, *_, last = done.stdout.splitlines()
        assert re.fullmatch(r"the step: for \d+ s so far \(Building\)", first)
        assert last.startswith("the step: done in ")
        assert sourced("quietly 'the step' true").stdout.count("\n") == 1

    def test_who_watches_sees_each_line_whole(self) -> None:
        """On a terminal the line that waits for the end of the step is written over."""
        shown = on_a_terminal(
            "TICK_S=0.1; quietly 'the step' sh -c 'read line'; echo end",
            prompt="so far",
            typed="go on",
        )
        assert re.search(r"    the step \.\.\. \r    the step: for \d+ s so far\r\n", shown)

    def test_nothing_of_it_outlives_the_step(self, tmp_path: Path) -> None:
        """A process that only waits would hold the lock, and whoever reads what is said."""
        done = sourced(
            f"exec 9>{tmp_path}/lock; flock -n 9; TICK_S=600; quietly 'the step' true; "
            f"exec 9>&-; exec 8>{tmp_path}/lock; flock -n 8 && echo free"
        )
        assert done.stdout.splitlines()[-1] == "free"


class TestLostConnection:
    """The owner's Wi-Fi is what the installation was started over."""

    def test_it_goes_on_without_a_terminal(self, tmp_path: Path) -> None:
        """To the end, with the exit code it would have had; the log has all that it said."""
        done = (
            f"cd {tmp_path}; LOG={tmp_path}/log; trap 'let_go' EXIT; keep_going; note started; "
            "quietly 'the step' sh -c 'while true >/dev/tty; do sleep 0.05; done'; "
            "say after; warn something; touch went-on; exit 78"
        )
        assert hung_up_on(done, prompt="started") == 78
        assert (tmp_path / "went-on").exists()
        log = (tmp_path / "log").read_text()
        for said in ("started", "the step: done in", "after", "install.sh: warning: something"):
            assert said in log

    def test_the_appliance_is_installed_so(self) -> None:
        """From the key on, which is asked for on the terminal and must not be in the log."""
        body = (ROOT / "install.sh").read_text().split("\ninstall_appliance() {")[1]
        body = body.split("\n}\n")[0]
        assert body.index("read_key") < body.index("keep_going") < body.index("build_release")


class TestWirelessNetwork:
    """As Raspberry Pi OS comes, the radio sleeps between packets."""

    def ensured(self, tmp_path: Path, wireless: str) -> Completed:
        (tmp_path / "wireless").write_text(WIRELESS + wireless)
        places = f"WIRELESS={tmp_path}/wireless; WIFI_AWAKE={tmp_path}/conf.d/parley-wifi.conf"
        iw = f'iw() {{ echo "$@" >>{tmp_path}/iw; }}'
        return sourced(f"{places}; {iw}; ensure_wifi_awake; ensure_wifi_awake; echo on")

    def test_it_is_kept_awake_from_the_installation_on(self, tmp_path: Path) -> None:
        """At once and after each start; what is there stays. The doctor writes the same."""
        (tmp_path / "conf.d").mkdir()
        done = self.ensured(tmp_path, WLAN0)
        assert (done.returncode, done.stderr) == (0, "")
        written = tmp_path / "conf.d/parley-wifi.conf"
        assert done.stdout.splitlines() == [
            f"    {written}: written, wlan0 does not sleep any more",
            "on",
        ]
        assert written.read_text() == STAY_AWAKE
        assert (tmp_path / "iw").read_text() == "dev wlan0 set power_save off\n"

    def test_a_cable_needs_nothing(self, tmp_path: Path) -> None:
        """Nor does a system without NetworkManager get its folders."""
        (tmp_path / "conf.d").mkdir()
        assert self.ensured(tmp_path, "").stdout == "on\n"
        assert not list((tmp_path / "conf.d").iterdir())
        (tmp_path / "conf.d").rmdir()
        assert self.ensured(tmp_path, WLAN0).stdout == "on\n"
        assert not (tmp_path / "conf.d").exists()
        done = sourced("WIRELESS=/no/such; ensure_wifi_awake; echo on")
        assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")


class TestLastWords:
    """What is still to be done stands where it is seen: below all the rest."""

    def test_advice_and_reboot_come_last(self, tmp_path: Path) -> None:
        """The overlay of a HAT, say, without which it has no sound."""
        done = sourced(
            f"systemctl() {{ printf 'idle\\033[2J'; }}; KEY={tmp_path}/none; "
            "ADVICE=('add dtoverlay=x' 'and y'); REBOOT=yes; exec 2>&1; summary ready /r/1"
        )
        *before, first, second, third = done.stdout.splitlines()
        assert "Parley 1 is ready: idle?[2J" in before[0]
        assert before[-1].startswith("    All of it took ")
        assert [first, second, third] == [
            "install.sh: warning: still to do: add dtoverlay=x",
            "install.sh: warning: still to do: and y",
            "install.sh: warning: still to do: reboot once, for the board's lights: sudo reboot",
        ]

    def test_who_holds_the_sound_card_is_named(self, tmp_path: Path) -> None:
        """The sound server of a desktop, which the speaker waits for in vain."""
        card = tmp_path / "pcmC0D0p"
        card.touch()
        with card.open():
            done = sourced(
                f"SOUND_CARDS={tmp_path}; systemctl() {{ :; }}; KEY={tmp_path}; "
                "summary waiting /r/1"
            )
        name = Path("/proc/self/comm").read_text().strip()
        assert done.returncode == 0
        assert f"{name} of user " in done.stderr
        script = (ROOT / "install.sh").read_text()
        assert 'printable <"/proc/$process/comm"' in script  # it may call itself anything
        assert f"(process {os.getpid()}) holds a sound card" in done.stderr


class TestProcessor:
    """A wheel may be built for another processor than the one that is there."""

    def tried(self, tmp_path: Path, does: str) -> Completed:
        python = tmp_path / "new/.venv/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!/bin/sh\n{does}\n")
        python.chmod(0o755)
        return sourced(
            f"trap take_back EXIT; BUILDING={tmp_path}/new; try_out {tmp_path}/new; "
            "BUILDING=; echo on"
        )

    def test_an_illegal_instruction_is_told_in_words(self, tmp_path: Path) -> None:
        """And the release is removed: nothing was switched over."""
        done = self.tried(tmp_path, "kill -ILL $$")
        assert (done.returncode, done.stdout) == (1, "")
        assert "uses instructions that this processor has not (signal ILL)" in done.stderr
        assert not (tmp_path / "new").exists()

    def test_whatever_else_is_wrong_is_shown(self, tmp_path: Path) -> None:
        """A library that is missing, say."""
        done = self.tried(tmp_path, "echo 'ImportError: libportaudio.so.2' >&2; exit 1")
        assert done.returncode == 1
        assert "ImportError: libportaudio.so.2\n" in done.stderr
        assert "does not run here (exit code 1" in done.stderr
        assert not (tmp_path / "new").exists()

    def test_a_release_that_runs_is_kept(self, tmp_path: Path) -> None:
        """Its own modules were asked."""
        done = self.tried(tmp_path, '[ "$*" = "-I -m device.doctor.compiled" ]')
        assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")
        assert (tmp_path / "new").exists()
        build = (ROOT / "install.sh").read_text().split("\nbuild_release() {")[1].split("\n}\n")[0]
        assert build.index("try_out") < build.index(".complete")


class TestSlowCard:
    """A good release must not be taken back because the card is slow."""

    def answered(self, tmp_path: Path, refusals: int, active: str = "true") -> Completed:
        command = tmp_path / "current/.venv/bin/parley"
        command.parent.mkdir(parents=True)
        command.write_text(f"#!/bin/sh\necho x >>{tmp_path}/asked\n"
                           f"[ $(wc -l <{tmp_path}/asked) -gt {refusals} ]\n")  # fmt: skip
        command.chmod(0o755)
        return sourced(
            f"PREFIX={tmp_path}; systemctl() {{ [ $1 = --quiet ] || return 0; {active}; }}; "
            'timeout() { shift; "$@"; }; sleep() { :; }; restart_service'
        )

    def test_the_command_is_asked_until_it_is_answered(self, tmp_path: Path) -> None:
        """The speaker still loads what it answers with; then once more, whether it hears."""
        assert self.answered(tmp_path, 5).stdout == "ready\n"
        assert (tmp_path / "asked").read_text().count("x") == 7

    def test_a_speaker_that_ends_meanwhile_has_failed(self, tmp_path: Path) -> None:
        """Nobody waits for that one."""
        assert self.answered(tmp_path, 99, active="false").stdout == "failed\n"
        assert (tmp_path / "asked").read_text().count("x") == 1

    def test_a_speaker_that_is_up_and_hears_nothing_is_waiting_for_a_microphone(
        self, tmp_path: Path
    ) -> None:
        """Its start is over for systemd; the installer still says that it cannot hear yet."""
        command = tmp_path / "current/.venv/bin/parley"
        command.parent.mkdir(parents=True)
        for state, told in (("fault", "waiting\n"), ("idle", "ready\n")):
            command.write_text(f'#!/bin/sh\necho \'{{"state": "{state}"}}\'\n')
            command.chmod(0o755)
            done = sourced(
                f"PREFIX={tmp_path}; systemctl() {{ :; }}; "
                'timeout() { shift; "$@"; }; sleep() { :; }; restart_service'
            )
            assert done.stdout == told

    def test_systemd_judges_how_long_a_start_may_take(self) -> None:
        """The installer waits for longer than the unit lets it."""
        unit = (UNITS / "parley.service").read_text()
        [limit] = [line for line in unit.splitlines() if line.startswith("TimeoutStartSec=")]
        waits = int(sourced("echo $READY_WITHIN_S").stdout)
        assert int(limit.partition("=")[2]) < waits

    def test_packages_that_do_not_fit_together_are_told_what_mends_that(self) -> None:
        """A system that was upgraded by half."""
        done = sourced(
            "APT=(sh -c 'exit 100' --); may_become_root() { true; }; as_root() { \"$@\"; }; "
            "wait_for_apt() { :; }; finish_interrupted_packages() { :; }; "
            'quietly() { [ "$1" != packages ] || echo "$HINT"; }; ensure_packages no-such'
        )
        assert "sudo apt full-upgrade, then run this again" in done.stdout


class TestEnds:
    """What parley.service notes of each end, and when it waits before the next start."""

    def ends(self, tmp_path: Path, what: str, result: str = "", pause: str = "7") -> Completed:
        script = f"sleep() {{ echo paused $1; }}; set -- {what}; . {UNITS}/parley-ends"
        return sourced(
            f"dash -c '{script}'",
            STATE_DIRECTORY=str(tmp_path),
            SERVICE_RESULT=result,
            EXIT_CODE="killed",
            EXIT_STATUS="ABRT",
            PARLEY_PAUSE_S=pause,
        )

    def test_the_last_ends_are_kept(self, tmp_path: Path) -> None:
        """A line each, with the time and systemd's words, and not without limit."""
        for _ in range(25):
            assert self.ends(tmp_path, "note", "watchdog").returncode == 0
        lines = (tmp_path / "ends").read_text().splitlines()
        assert len(lines) == 21
        seconds, at, *words = lines[-1].split()
        assert seconds.isdecimal()
        assert at.endswith("Z")
        assert words == ["watchdog", "killed", "ABRT"]

    @pytest.mark.parametrize(
        ("results", "paused"),
        [
            ([], ""),
            (["watchdog"], ""),
            (["watchdog", "watchdog"], "paused 7\n"),
            (["watchdog", "oom-kill"], "paused 7\n"),
            (["watchdog", "watchdog", "success"], ""),
            (["watchdog", "exit-code"], ""),
        ],
    )
    def test_after_two_hangs_in_a_row_it_waits(
        self, tmp_path: Path, results: list[str], paused: str
    ) -> None:
        """A machine that swaps gets time to come round; all other ends are restarted at once."""
        for result in results:
            self.ends(tmp_path, "note", result)
        done = self.ends(tmp_path, "pause")
        assert (done.returncode, done.stdout, done.stderr) == (0, paused, "")

    def test_an_illegal_instruction_is_told_and_after_two_what_uses_it_is_looked_for(
        self, tmp_path: Path
    ) -> None:
        """Instead of a restart every five seconds; a single one may be a dip of the voltage."""
        python = tmp_path / "python"
        python.write_text('#!/bin/sh\necho "numpy is the one ($*)" >&2; exit 132\n')
        python.chmod(0o755)

        def ends(what: str) -> Completed:
            return sourced(
                f"dash -c 'sleep() {{ echo paused $1; }}; set -- {what}; . {UNITS}/parley-ends'",
                STATE_DIRECTORY=str(tmp_path),
                SERVICE_RESULT="signal",
                EXIT_CODE="killed",
                EXIT_STATUS="ILL",
                PARLEY_PYTHON=str(python),
                PARLEY_ILLEGAL_PAUSE_S="11",
                PARLEY_PAUSE_S="7",
            )

        noted = ends("note")
        assert noted.returncode == 0
        assert noted.stderr.startswith("the speaker ended by an illegal instruction (SIGILL)")
        assert ends("pause").stdout == ""
        ends("note")
        paused = ends("pause")
        assert (paused.returncode, paused.stdout) == (0, "paused 11\n")
        looked, says = paused.stderr.splitlines()
        assert looked == "numpy is the one (-I -m device.doctor.compiled)"
        assert says.endswith("the next one is in 11 s")
        python.write_text("#!/bin/sh\n")
        assert ends("pause").stdout == "paused 7\n"

    def test_the_pauses_and_the_trial_are_over_before_the_start_is(self) -> None:
        """Else systemd would end the start, and the note be lost."""
        script = (UNITS / "parley-ends").read_text()
        [pause] = re.findall(r"PARLEY_ILLEGAL_PAUSE_S:-(\d+)", script)
        [trial] = re.findall(r"timeout (\d+)", script)
        [limit] = re.findall(r"TimeoutStartSec=(\d+)", (UNITS / "parley.service").read_text())
        assert int(pause) + int(trial) < int(limit)

    def test_hangs_of_long_ago_do_not_count(self, tmp_path: Path) -> None:
        """Twice a year is no storm."""
        (tmp_path / "ends").write_text("1000 then watchdog killed ABRT\n" * 2)
        assert self.ends(tmp_path, "pause").stdout == ""

    def test_the_unit_calls_it_and_a_pause_is_no_timeout(self) -> None:
        """Where it is in a release; whatever it does, the speaker starts."""
        unit = (UNITS / "parley.service").read_text()
        script = "/bin/sh /opt/parley/current/systemd/parley-ends"
        assert f"\nExecStartPre=-{script} pause\n" in unit
        assert f"\nExecStopPost=-{script} note\n" in unit
        assert (UNITS / "parley-ends").exists()
        assert run("sh", UNITS / "parley-ends", "other", STATE_DIRECTORY="/none").returncode == 2
