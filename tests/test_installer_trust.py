"""Root runs only what is installed: install.sh beside modules, accounts and locks of others."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from tests.rig.installer import ROOT, Completed, run, sourced

PYTHON = "/usr/bin/python3"
DEBIAN_PYTHON = Path("/usr/lib/python3/dist-packages")
PLANTED = "from pathlib import Path; Path({mark!r}).touch()\n"


def planted(folder: Path, *modules: str) -> Path:
    """Put modules into a folder that leave a mark there when they are imported; returns which."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "was-imported"
    for module in modules:
        (folder / f"{module}.py").write_text(PLANTED.format(mark=str(mark)))
    return mark


def home_with_a_trap(folder: Path) -> Path:
    """A home directory with what Python imports of it at each start, if it may; returns the mark.

    Python is asked where that is.
    """
    where = run(PYTHON, "-c", "import site; print(site.getusersitepackages())", HOME=str(folder))
    return planted(Path(where.stdout.strip()), "usercustomize")


def no_network(commands: str) -> str:
    """Commands that ask no package index for anything."""
    return f"export PIP_INDEX_URL=http://127.0.0.1:9/ UV_OFFLINE=1; {commands}"


class TestModulesOfOthers:
    """A checkout lies in a folder where anybody may put modules, and root starts in it."""

    def test_the_current_directory_is_no_place_to_import_from(self, tmp_path: Path) -> None:
        """Neither when a Python is chosen, nor when an environment is made and filled."""
        mark = planted(tmp_path / "shared", "ensurepip", "venv", "pip", "sysconfig", "pyaudio")
        steps = (
            f"find_python {PYTHON}; python_version {PYTHON}; has_debian_builds {PYTHON} || true; "
            f"make_venv {tmp_path}/venv {PYTHON} --without-pip; is_closed_venv {tmp_path}/venv; "
            f'fetch_uv {tmp_path}/venv "$(locked uv)" || true; echo done'
        )
        done = sourced(f"cd {tmp_path}/shared; {no_network(steps)}")
        assert done.stdout.splitlines()[0] == PYTHON
        assert done.stdout.splitlines()[-1] == "done"
        assert not mark.exists()

    def test_root_stands_apart_from_where_and_how_it_was_called(self, tmp_path: Path) -> None:
        """Whatever is started after that: no path, home or folder of the caller's is looked at."""
        mark = home_with_a_trap(tmp_path / "home")
        here = planted(tmp_path / "here", "json")
        path = planted(tmp_path / "path", "csv")
        done = sourced(
            f"cd {tmp_path}/here; stand_apart; pwd; {PYTHON} -c 'import csv, json'; echo fine",
            HOME=str(tmp_path / "home"),
            PYTHONPATH=str(tmp_path / "path"),
        )
        assert (done.returncode, done.stdout) == (0, "/\nfine\n")
        assert not [each for each in (mark, here, path) if each.exists()]

    def test_everything_that_changes_the_system_stands_apart(self) -> None:
        """Before it does anything with a Python or in a folder."""
        script = (ROOT / "install.sh").read_text()
        for name in ("install_appliance", "recover", "uninstall"):
            body = script.split(f"\n{name}() {{")[1].split("\n}\n")[0]
            assert "\n    stand_apart\n" in body, name
        assert not re.findall(r'(?:python"?|\$1") -[cmP] (?!pytest )', script)

    def test_an_environment_sees_debian_s_packages_and_no_home(self, tmp_path: Path) -> None:
        """The service's home is its state directory: what lies there would come back for ever."""
        mark = home_with_a_trap(tmp_path / "home")
        done = sourced(f"make_venv {tmp_path}/venv {PYTHON} --without-pip")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        ask = "import pyaudio, site, systemd.journal, sys; print(pyaudio.__file__, *sys.path)"
        told = run(tmp_path / "venv/bin/python", "-c", ask, HOME=str(tmp_path / "home"))
        assert told.returncode == 0, told.stderr
        assert told.stdout.startswith(f"{DEBIAN_PYTHON}/pyaudio/")
        assert "/usr/local/lib" not in told.stdout
        assert not mark.exists()

    def test_this_environment_has_been_made_so(self, tmp_path: Path) -> None:
        """The command that people start is safe from their home, too."""
        mark = home_with_a_trap(tmp_path / "home")
        told = run(Path(sys.prefix, "bin", "parley"), "--version", HOME=str(tmp_path / "home"))
        assert told.stdout.startswith("parley ")
        assert not mark.exists()

    @pytest.mark.parametrize("system", ["true", "false"])
    def test_an_open_environment_of_an_older_release_is_made_anew(
        self, tmp_path: Path, system: str
    ) -> None:
        """It would be kept otherwise, since its Python is right."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/python").symlink_to(PYTHON)
        (tmp_path / "pyvenv.cfg").write_text(f"include-system-site-packages = {system}\n")
        done = sourced(f'quietly() {{ echo "$@"; }}; ensure_venv {tmp_path} {PYTHON}')
        assert (done.returncode, done.stderr) == (0, "")
        assert ("make_venv" in done.stdout) is (system == "true")

    def test_a_script_that_is_written_over_is_not_read_on(self, tmp_path: Path) -> None:
        """`git pull` while it runs, say: bash reads a script as it needs it."""
        script = tmp_path / "install.sh"
        ending = (ROOT / "install.sh").read_text().rsplit("\n# On one line:", 1)[1]
        (tmp_path / "tail").write_text("echo and on\n" * 2)
        for does, code in (("true", 0), ("false; echo unseen", 1)):
            begins = f"set -Eeuo pipefail; main() {{ cat tail >>install.sh; {does}; }}\n#"
            script.write_text(begins + ending)
            done = run("bash", "-c", f"cd {tmp_path}; bash install.sh")
            assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


class TestPackages:
    """What is installed is what uv.lock names; root compiles nothing."""

    def test_uv_has_its_version_and_its_hashes_from_the_lock_file(self) -> None:
        """For each wheel that pip may choose; the build backend in uv is of the same version."""
        package = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
        [uv] = [each for each in package if each["name"] == "uv"]
        wanted, *hashes = sourced("locked uv").stdout.split()
        assert wanted == f"uv=={uv['version']}"
        assert {f"--hash={wheel['hash']}" for wheel in uv["wheels"]} <= set(hashes)
        built_with = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
        assert built_with["requires"] == [f"uv_build=={uv['version']}"]

    def test_pip_takes_uv_by_its_hash_alone(self, tmp_path: Path) -> None:
        """No sdist, nothing besides, and of nothing but the environment's own pip."""
        python = tmp_path / "bin/python"
        python.parent.mkdir()
        python.write_text('#!/bin/sh\nfor word; do echo "$word"; done; cat "$word"\n')
        python.chmod(0o755)
        done = sourced(f'fetch_uv {tmp_path} "uv==1 --hash=sha256:ab"')
        words = done.stdout.splitlines()
        assert words[:3] == ["-I", "-m", "pip"]
        assert {"--require-hashes", "--only-binary=:all:", "--no-deps"} <= set(words)
        assert words[-1] == "uv==1 --hash=sha256:ab"

    @pytest.mark.parametrize("has_them", [True, False])
    def test_what_debian_has_built_is_not_built_again(self, tmp_path: Path, has_them: bool) -> None:
        """Nor is anything else; another Python than Debian's compiles what has no wheels."""
        done = sourced(
            f"has_debian_builds() {{ {str(has_them).lower()}; }}; uv() {{ echo $*; }}; "
            "install_locked uv /no/venv --no-dev"
        )
        words = done.stdout.split()
        assert words[-1] == "--no-dev"
        assert ("--no-build" in words) is has_them
        refused = {"--no-install-package=pyaudio", "--no-install-package=systemd-python"}
        assert (refused <= set(words)) is has_them

    def test_debian_s_packages_are_asked_for_and_no_compiler(self) -> None:
        """Nor headers, whose versions must fit those of a system that is not ours."""
        named = sourced('printf "%s\\n" "${APPLIANCE_PACKAGES[@]}" "${RUN_PACKAGES[@]}"').stdout
        assert {"python3-pyaudio", "python3-systemd"} <= set(named.split())
        assert not re.findall(r"^(?:gcc|pkg-config|.*-dev)$", named, re.MULTILINE)

    def test_every_package_has_wheels_for_a_raspberry_pi(self) -> None:
        """For both Pythons of Raspberry Pi OS, and a C library no newer than Debian 12's."""
        lacking = {
            f"{name} for {tag}"
            for name, wheels in run_time_wheels().items()
            for tag in ("cp311", "cp313")
            if not any(suits(wheel, tag) for wheel in wheels)
        }
        assert lacking == {
            f"{name} for {tag}"
            for name in ("pyaudio", "systemd-python")
            for tag in ("cp311", "cp313")
        }


def run_time_wheels() -> dict[str, list[str]]:
    """The names of the wheels of each package that a speaker needs, of all its versions."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    needed, wheels = ["parley"], dict[str, list[str]]()
    for name in needed:
        for package in (each for each in packages if each["name"] == name):
            needed += [
                each["name"]
                for each in package.get("dependencies", [])
                if each["name"] not in needed
            ]
            urls = [wheel["url"].rsplit("/", 1)[-1] for wheel in package.get("wheels", [])]
            wheels.setdefault(name, []).extend(urls)
    del wheels["parley"]
    return wheels


def suits(wheel: str, python: str) -> bool:
    """Whether a wheel can be installed on a Raspberry Pi with that Python."""
    *_, tag, abi, platforms = wheel.removesuffix(".whl").split("-")
    newest = int(python.removeprefix("cp3"))
    stable = re.fullmatch(r"cp3(\d+)", tag)
    right = (
        tag in {python, "py3", "py2.py3"}
        or (abi == "abi3" and stable is not None and int(stable[1]) <= newest)
        or f"py3{newest}" == tag
    )
    glibc = [int(found) for found in re.findall(r"manylinux_2_(\d+)_aarch64", platforms)]
    glibc += [17] if "manylinux2014_aarch64" in platforms else []
    return right and (platforms == "any" or any(minor <= 36 for minor in glibc))


class TestRecovery:
    """A release that nobody saw working is taken back by the one that did."""

    def switched(self, tmp_path: Path, state: str) -> Completed:
        """Put release 2 in force where 1 works; at its start, what a power cut would find."""
        for name in ("1", "2"):
            systemd = tmp_path / "releases" / name / "systemd"
            systemd.mkdir(parents=True)
            (systemd.parent / ".complete").touch()
            (systemd / "parley-recover.service").write_text(f"of {name}\n")
        (tmp_path / "current").symlink_to("releases/1")
        (tmp_path / "parley-recover.service").write_text("of 1\n")
        found = "readlink $PROVEN; cat $RECOVERY; basename -a $(<$UNPROVEN_MARK)"
        return sourced(
            f"PREFIX={tmp_path}; UNPROVEN_MARK=$PREFIX/unproven; PROVEN=$PREFIX/proven; "
            "RECOVERY=$PREFIX/parley-recover.service; systemctl() { :; }; journalctl() { :; }; "
            'put_in_force() { replace_link "releases/${1##*/}" $PREFIX/current; }; '
            "waits_with_a_fault() { false; }; "
            f"restart_service() {{ {{ {found}; }} >>$PREFIX/found || true; echo {state}; }}; "
            "switch_to $PREFIX/releases/2"
        )

    def test_until_it_is_ready_all_that_takes_it_back_is_the_old_one_s(
        self, tmp_path: Path
    ) -> None:
        """Script and unit; from then on they are its own."""
        done = self.switched(tmp_path, "ready")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "found").read_text().split("\n")[:4] == [
            "releases/1",
            "of 1",
            "1",
            "2",
        ]
        assert (tmp_path / "proven").readlink() == Path("releases/2")
        assert (tmp_path / "parley-recover.service").read_text() == "of 2\n"
        assert not (tmp_path / "unproven").exists()

    def test_one_that_fails_never_gets_that_far(self, tmp_path: Path) -> None:
        """And is gone afterwards."""
        done = self.switched(tmp_path, "failed")
        assert done.returncode == 1
        assert (tmp_path / "proven").readlink() == Path("releases/1")
        assert (tmp_path / "parley-recover.service").read_text() == "of 1\n"
        assert (tmp_path / "current").readlink() == Path("releases/1")
        assert not (tmp_path / "releases/2").exists()
        assert not (tmp_path / "unproven").exists()

    def test_the_unit_runs_the_proven_one_s_script(self) -> None:
        """The one in force may be what is broken."""
        unit = (ROOT / "systemd/parley-recover.service").read_text()
        assert "\nExecStart=/opt/parley/proven/install.sh --recover\n" in unit
        assert sourced('printf %s "$PROVEN"').stdout == "/opt/parley/proven"


OURS = "parley:x:995:995:Parley speaker:/var/lib/parley:/usr/sbin/nologin"
A_PERSON = "parley:x:1000:1000:Parley Smith,,,:/home/parley:/bin/bash"
A_SERVICE = "parley:x:120:130:Something else:/nonexistent:/bin/sh"


class TestAccount:
    """The name `parley` may be somebody's: Raspberry Pi Imager lets one choose."""

    def with_account(self, line: str, commands: str) -> Completed:
        getent = f"[ $1 = passwd ] && [ -n '{line}' ] && echo '{line}'"
        return sourced(
            f"exec 5>&1; getent() {{ {getent}; }}; userdel() {{ echo userdel $1 >&5; }}; "
            f"groupdel() {{ echo groupdel $1 >&5; }}; {commands}; echo on"
        )

    @pytest.mark.parametrize("line", [A_PERSON, A_SERVICE])
    def test_a_person_s_is_left_to_them(self, line: str) -> None:
        """Before anything is changed; it is said how to go on."""
        done = self.with_account(line, "require_own_account")
        assert (done.returncode, done.stdout) == (1, "")
        number, shell = line.split(":")[2], line.rsplit(":", maxsplit=1)[-1]
        assert f"a user 'parley' already (number {number}, shell {shell})" in done.stderr
        assert "usermod -l" in done.stderr

    @pytest.mark.parametrize("line", [OURS, ""])
    def test_the_speaker_s_own_will_do(self, line: str) -> None:
        """Or none at all."""
        done = self.with_account(line, "require_own_account")
        assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")

    def test_it_is_looked_at_before_anything_is_changed(self) -> None:
        """The lock and the log come after."""
        script = (ROOT / "install.sh").read_text()
        body = script.split("\ninstall_appliance() {")[1]
        assert body.index("require_own_account") < body.index("lock_others_out")

    @pytest.mark.parametrize(
        ("line", "deleted"),
        [(OURS, "userdel parley\non\n"), (A_PERSON, "on\n"), (A_SERVICE, "on\n"), ("", "on\n")],
    )
    def test_purging_deletes_the_speaker_s_own_only(self, line: str, deleted: str) -> None:
        """Never somebody's login."""
        done = self.with_account(line, "remove_user")
        assert (done.returncode, done.stdout) == (0, deleted)
        assert ("user parley stays" in done.stderr) is (line in {A_PERSON, A_SERVICE})

    def test_one_that_cannot_be_deleted_is_told_and_does_not_stop_the_rest(self) -> None:
        """It runs something at the moment, say."""
        busy = "userdel() { echo 'user parley is currently used by process 7' >&2; return 8; }; "
        done = self.with_account(OURS, f"{busy} remove_user")
        assert (done.returncode, done.stdout) == (0, "on\n")
        assert "user parley stays: user parley is currently used by process 7" in done.stderr


class TestLocks:
    """One installer at a time, and whose lock it is that apt waits for."""

    @pytest.mark.parametrize("what", ["uninstall ''", "uninstall yes", "lock_others_out"])
    def test_beside_another_one_nothing_is_removed(self, tmp_path: Path, what: str) -> None:
        """Uninstalling beside an installation would leave half of both."""
        harmless = "; ".join(
            f"{name}() {{ echo {name}; }}" for name in ("rm", "systemctl", "userdel", "groupdel")
        )
        with (tmp_path / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = sourced(
                f"{harmless}; require_root() {{ true; }}; LOCK={tmp_path}/lock; {what}; echo on"
            )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "install.sh: another install.sh is running\n"

    def test_the_lock_is_never_deleted(self) -> None:
        """Who waits for the old file and who locks the new one would both have it."""
        script = (ROOT / "install.sh").read_text()
        assert not re.findall(r"rm -[rf]+ [^\n]*(?:\$LOCK|parley-install\.lock)", script)

    @pytest.mark.parametrize("mine", [True, False])
    def test_a_file_of_the_same_number_on_another_disk_is_not_waited_for(
        self, tmp_path: Path, mine: bool
    ) -> None:
        """The kernel's table has numbers only; who holds a lock has the file open."""
        (tmp_path / "lock").touch()
        (tmp_path / "other").touch()
        with (tmp_path / ("lock" if mine else "other")).open():
            done = sourced(f"awk() {{ echo {os.getpid()}; }}; lock_holder {tmp_path}/lock")
        assert (done.returncode, done.stdout) == (0, f"{os.getpid()}\n" if mine else "")


class TestWordsOfOthers:
    """What a server has answered is in the journal and in the status, which root is shown."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Grüße, 東京: 20 °C\n", "Grüße, 東京: 20 °C\n"),
            ("a\x1b]0;owned\x07b\x1b[2Jc\n", "a?]0;owned?b?[2Jc\n"),
            ("a\x9b2Jb\u202ec\u2066d\r\te\n", "a?2Jb?c?d??e\n"),
            ("one\ntwo\n", "one\ntwo\n"),
        ],
    )
    @pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
    def test_nothing_moves_the_cursor(
        self, tmp_path: Path, text: str, shown: str, locale: str
    ) -> None:
        """Letters of every language stay; each character of control becomes a question mark."""
        (tmp_path / "said").write_text(text)
        done = sourced(f"printable <{tmp_path}/said", LC_ALL=locale)
        assert (done.returncode, done.stdout, done.stderr) == (0, shown, "")

    def test_bytes_that_are_no_text_are_left_out(self, tmp_path: Path) -> None:
        """And are no reason to stop."""
        (tmp_path / "said").write_bytes(b"a\x9b2Jb\xffc\n")
        done = sourced(f"printable <{tmp_path}/said; echo on")
        assert (done.returncode, done.stdout) == (0, "a2Jbc\non\n")

    def test_journal_and_status_go_through_it(self) -> None:
        """Wherever the script shows them."""
        script = (ROOT / "install.sh").read_text()
        shown = re.findall(r"journalctl --quiet[^\n]*|\$\(systemctl show[^\n]*", script)
        assert len(shown) == 2
        assert all("| printable" in line for line in shown)


def test_files_that_others_may_write_are_nowhere(tmp_path: Path) -> None:
    """The log is root's, and new each time."""
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    done = sourced(f"LOG={tmp_path}/log; keep_going; echo said; warn heard; let_go")
    assert (done.returncode, done.stdout) == (0, "said\n")
    assert done.stderr == "install.sh: warning: heard\n"
    about = (tmp_path / "log").lstat()
    assert stat.S_ISREG(about.st_mode)
    assert stat.S_IMODE(about.st_mode) == 0o640
    assert sorted((tmp_path / "log").read_text().splitlines()) == [
        "install.sh: warning: heard",
        "said",
    ]
    assert not (tmp_path / "elsewhere").exists()
