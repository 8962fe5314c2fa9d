"""An installed speaker in its machine: the owner's hands, what it hears, what it tells."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.appliance.machine import Completed, Machine
from tests.rig.daemon import Record, matches
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer

ROOT = Path(__file__).parents[2]
CONFIG = "/etc/parley/config.yaml"
UNIT = "/etc/systemd/system/parley.service"
CAMERA_CONF = f"{UNIT}.d/camera.conf"
KEY = "AIza-of-the-appliance-test-0123456789"
EVENT_S = 30.0

SOUND_UNIT = """\
[Unit]
Description=Stands in for the sound card
Before=sound.target

[Service]
ExecStart=/usr/bin/pulseaudio -n -F {folder}/server.pa --daemonize=no --exit-idle-time=-1 \
    --use-pid-file=no --disallow-exit --log-level=error --disable-shm=yes
Environment=HOME={folder} XDG_RUNTIME_DIR={folder}

[Install]
WantedBy=multi-user.target
"""

OF_A_DAEMON = (
    *(
        "Type=",
        "NotifyAccess=",
        "ExecStartPre=",
        "ExecStart=",
        "ExecReload=",
        "ExecStopPost=",
        "Restart=",
    ),
    *("RestartSec=", "WatchdogSec=", "WantedBy="),
)
"""Lines of the unit that do not fit a script which runs once."""

NO_TRACES = ("/srv", "/var/lib/apt", "/var/lib/dpkg", "/var/cache", "/var/log", "/tmp", "/var/tmp")
"""Where the system itself writes: package lists, caches, the journal."""

OF_PACKAGES = (
    r"/etc/(alternatives|rc.\.d|python3)|/etc/(inputrc|modules|networks)$|/var/lib/python"
    r"|/usr/(bin|lib|share/man/man1)/(c89|c99|cc|cpp)|/usr/local/lib/python3[^/]*(/dist-packages)?$"
    r"|.*/__pycache__|/home/owner/\.sudo_as_admin_successful$"
)
"""What the scripts of apt's packages make, and sudo: the packages stay."""

SERVICE_SEES = ("PULSE_SERVER", "PULSE_SOURCE", "PULSE_SINK", "ALSA_CONFIG_PATH")


class InnerSound(SoundServer):
    """The sound server as a service of the machine; fed and recorded from outside."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._folder.rmdir()
        self._folder = machine.shared
        self._machine = machine

    def restart(self) -> None:
        unit = SOUND_UNIT.format(folder=self._folder)
        self._machine.write("/etc/systemd/system/rig-sound.service", unit)
        self._machine.run("systemctl", "daemon-reload")
        self._machine.run("systemctl", "enable", "--now", "rig-sound.service")
        self._machine.until(self.answers, "the sound server to answer", 30)

    def kill(self) -> None:
        """It ends with the machine."""

    def __exit__(self, *_: object) -> None:
        """Its folder goes with the machine."""


class Watcher:
    """Reads the events of a running speaker on its control socket until it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.events: list[Record] = []
        self._changed = threading.Condition()
        self._ended = False
        self._client = socket.socket(socket.AF_UNIX)
        self._client.connect(str(path))
        self._client.sendall(b'{"command": "watch"}\n')
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            for line in self._client.makefile("rb"):
                with self._changed:
                    self.events.append(json.loads(line))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
        self._client.close()

    def event(self, name: str, *, timeout_s: float = EVENT_S, **fields: Any) -> Record:
        """Wait for an event with these fields."""

        def found() -> Record | None:
            return next((e for e in self.events if matches(e, name, fields)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, timeout_s)
            told = "\n".join(json.dumps(event) for event in self.events[-20:])
            record = found()
        assert record is not None, f"event {name} {fields} did not come; events:\n{told}"
        return record

    def wait_for_end(self, timeout_s: float) -> float:
        """Wait until the speaker has ended; returns when, by time.monotonic()."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended, timeout_s), "it did not end"
        return time.monotonic()


def copy_checkout(folder: Path) -> None:
    """Copy what git knows of this checkout, as it is now, less the tests."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    names = subprocess.run(
        [*listed, "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class Speaker:
    """A checkout in the home of the machine's first user, and what becomes of it."""

    def __init__(self, machine: Machine, sound: SoundServer, server: ServerThread) -> None:
        self.machine = machine
        self.sound = sound
        self.server = server
        self.checkout = machine.shared / "parley"
        self._prepare()

    def _prepare(self) -> None:
        """What an owner has before the installation: a user with sudo, a checkout, a key."""
        self.machine.shell("useradd --create-home --groups audio,sudo --shell /bin/bash owner")
        # Downloads are kept from run to run; everything else sudo sets anew.
        self.machine.write(
            "/etc/sudoers.d/owner",
            'owner ALL=(ALL) NOPASSWD: ALL\nDefaults env_keep += "UV_CACHE_DIR PIP_CACHE_DIR"\n',
        )
        shutil.copy(self.server.certificate, self.machine.shared / "certificate.pem")
        (self.machine.shared / "certificate.pem").chmod(0o644)
        sees = {name: self.sound.environment[name] for name in SERVICE_SEES}
        sees["SSL_CERT_FILE"] = str(self.machine.shared / "certificate.pem")
        lines = [f"Environment={name}={value}" for name, value in sees.items()]
        self.machine.write(
            "/etc/systemd/system/parley.service.d/rig.conf",
            "\n".join(["[Unit]", "After=rig-sound.service", "[Service]", *lines, ""]),
        )
        self.machine.write("/home/owner/key.txt", KEY + "\n")
        self.machine.shell("chown owner: /home/owner/key.txt; chmod 600 /home/owner/key.txt")
        self.check_out()
        self._before = self._files()

    def _files(self) -> set[str]:
        """Every file, folder and link of the machine's disk that no package brought."""
        skipped = " ".join(f"-path {path} -prune -o" for path in NO_TRACES)
        found = self.machine.shell(f"find / -xdev {skipped} -print").splitlines()
        packaged = self.machine.shell("cat /var/lib/dpkg/info/*.list").splitlines()
        # /bin is a link to /usr/bin, and packages name either.
        return set(found) - set(packaged) - {f"/usr{path}" for path in packaged}

    def left_over(self) -> list[str]:
        """What is on the disk now, of no package, and was not there before the installation."""
        new = self._files() - self._before
        return sorted(path for path in new if not re.match(OF_PACKAGES, path))

    def check_out(self) -> None:
        """Put the checkout as it is now into the machine, anew."""
        shutil.rmtree(self.checkout, ignore_errors=True)
        copy_checkout(self.checkout)
        self.machine.run("chown", "-R", "owner:", str(self.checkout))

    def release(self, version: str, changes: Mapping[str, tuple[str, str]] | None = None) -> None:
        """Make the checkout that of another release: file -> what to replace, by what."""
        self.check_out()
        ours = 'name = "parley"\nversion = "'
        for file in ("pyproject.toml", "uv.lock"):
            path = self.checkout / file
            before, _, after = path.read_text().partition(ours)
            assert after, f"{file} does not say which version it is"
            path.write_text(before + ours + version + '"' + after.partition('"')[2])
        says = {"device/__init__.py": ('__version__ = "0.1.0"', f'__version__ = "{version}"')}
        for file, (old, new) in {**says, **(changes or {})}.items():
            path = self.checkout / file
            assert old in path.read_text(), f"{file} has no {old!r}"
            path.write_text(path.read_text().replace(old, new))

    def write_config(self, **settings: Any) -> None:
        """The configuration of the test, with more settings of one key's depth."""
        base: dict[str, Any] = {
            "live": {"endpoint": self.server.url},
            "audio": {"echo_cancellation": "off", "duplex": "full", "volume": 100, "chimes": False},
            "conversation": {"follow_up_s": 3.0, "session_keep_s": 60},
        }
        for key, value in settings.items():
            base[key] = {**base.get(key, {}), **value}
        self.machine.write(CONFIG, yaml.safe_dump(base))

    # --- the owner ------------------------------------------------------------------------------

    def install(self, *options: str, timeout_s: float = 1200) -> Completed:
        """`sudo ./install.sh` as the owner types it in the checkout; stderr is in stdout."""
        words = ("env", "-C", str(self.checkout), "sudo", "./install.sh", *options)
        return subprocess.run(
            self.machine.command("runuser", "-u", "owner", "--", *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def parley(self, *words: str, check: bool = True) -> Completed:
        return self.machine.run("parley", *words, check=check)

    def doctor(self, *options: str) -> dict[str, Any]:
        """What `sudo parley doctor --json` says; it trusts the server that the speaker does.

        PulseAudio's library leaves a folder in the home of whoever runs it.
        """
        certificate = self.machine.shared / "certificate.pem"
        environment = ("env", "HOME=/tmp", f"SSL_CERT_FILE={certificate}")
        told = self.machine.run(*environment, "parley", "doctor", "--json", *options, check=False)
        found: dict[str, Any] = json.loads(told.stdout)
        return found

    def as_owner(self, *words: str) -> str:
        """`parley ...` as the owner types it after the next login; returns what it printed."""
        return self.machine.run("runuser", "-u", "owner", "--", "parley", *words).stdout

    def timers(self) -> dict[str, dict[str, Any]]:
        """What `parley timers --json` tells, by name."""
        told = json.loads(self.as_owner("timers", "--json"))
        return {each["name"]: each for each in told["timers"]}

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.parley("status", "--json").stdout)
        return status

    def hear_a_time_server(self) -> None:
        """As systemd-timesyncd tells of one, which does not run in a container."""
        self.machine.shell(
            "mkdir -p /run/systemd/timesync; touch /run/systemd/timesync/synchronized"
        )

    # --- the unit -------------------------------------------------------------------------------

    def unit(self, name: str) -> str:
        """One property of parley.service."""
        return self.machine.show("parley.service").get(name, "")

    @property
    def pid(self) -> int:
        """The daemon's number inside the machine."""
        return int(self.unit("MainPID"))

    def in_its_sandbox(self, script: Path) -> Any:
        """Run a Python script as parley.service runs the speaker; returns the JSON it wrote."""
        shutil.copy(script, self.machine.shared / script.name)
        result = f"/var/lib/parley/{script.stem}.json"
        command = (
            f"/opt/parley/current/.venv/bin/python {self.machine.shared / script.name} {result}"
        )
        lines = self.path(UNIT).read_text().splitlines()
        kept = [line for line in lines if not line.startswith(OF_A_DAEMON)]
        # Else its end would take away the folder in which a running speaker has its socket.
        once = ("Type=oneshot", f"ExecStart={command}", "RuntimeDirectoryPreserve=yes")
        kept.insert(kept.index("[Service]") + 1, "\n".join(once))
        self.machine.write("/run/systemd/system/parley-probe.service", "\n".join(kept))
        # What is put beside the unit counts for the probe as well.
        beside = self.path("/run/systemd/system/parley-probe.service.d")
        shutil.rmtree(beside, ignore_errors=True)
        if self.path(CAMERA_CONF).exists():
            beside.mkdir()
            shutil.copy(self.path(CAMERA_CONF), beside)
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "start", "parley-probe.service")
        return json.loads(self.path(result).read_text())

    def until_active(self, timeout_s: float = 90, *, other_than: int = 0) -> int:
        """Wait until the unit is active, as another process than that one; returns which."""

        def active() -> int:
            shown = self.machine.show("parley.service")
            pid = int(shown["MainPID"])
            return pid if shown["ActiveState"] == "active" and pid != other_than else 0

        found: int = self.machine.until(active, "parley.service to be active", timeout_s)
        return found

    @property
    def releases(self) -> set[str]:
        """The versions that are kept."""
        kept = self.path("/opt/parley/releases").iterdir()
        return {release.name.partition("+")[0] for release in kept}

    @property
    def release_name(self) -> str:
        """The name of the release in force."""
        return self.path("/opt/parley/current").readlink().name

    @property
    def current(self) -> str:
        """The version in force."""
        return self.release_name.partition("+")[0]

    def path(self, inside: str) -> Path:
        return self.machine.path(inside)

    @contextlib.contextmanager
    def watched(self) -> Iterator[Watcher]:
        """What it tells, from now on."""
        watcher = Watcher(self.path("/run/parley/control.sock"))
        try:
            yield watcher
        finally:
            watcher.close()
