"""The whole appliance on a booted Debian: one command installs it, and nothing gets it down.

The tests of one machine are one story, in this order: each begins where the one before it ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.announcements.clips import speak
from device.doctor.wireless import AWAKE, NETWORK_MANAGER, STAY_AWAKE
from device.frames import REPLY_RATE_HZ
from device.simulator.script import Script, Turn
from device.simulator.voices import load
from device.timers.local_time import WEEKDAYS
from device.timers.schedule import LOOK_AGAIN_S
from tests.appliance.machine import Machine
from tests.appliance.speaker import CAMERA_CONF, CONFIG, KEY, ROOT, UNIT, InnerSound, Speaker
from tests.rig.pictures import jpeg
from tests.rig.room import similarity, spoken
from tests.rig.server import ServerThread
from tests.rig.sound import Recorder

Record = Callable[[str, object], None]

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(1800)]

ASKED_FOR = os.environ.get("PARLEY_APPLIANCE", "trixie bookworm").split()
SUITES = [suite for suite in ASKED_FOR if suite not in {"arm64", "small"}]
ANSWER = Turn(heard="weather", says="sunny", audio="answer_weather", delay_s=0.2)
HERE = Path(__file__).parent
TOKEN = "eyJhbGciOiJIUzI1NiJ9.planted-token-of-the-appliance-test.0123456789"
HANGS_AFTER_S = 30 + 5
"""WatchdogSec= and TimeoutAbortSec= of the unit."""


@pytest.fixture(scope="module", params=SUITES)
def speaker(request: pytest.FixtureRequest) -> Iterator[Speaker]:
    if os.geteuid() != 0:
        pytest.skip("boots a machine: needs root")
    with ExitStack() as stack:
        machine = stack.enter_context(Machine(request.param))
        sound = stack.enter_context(InnerSound(machine))
        server = stack.enter_context(ServerThread(Script(turns=(ANSWER,) * 20)))
        yield Speaker(machine, sound, server)


@pytest.fixture(autouse=True)
def _named(speaker: Speaker, record_property: Record) -> None:
    record_property("machine", speaker.machine.suite)


def talks(speaker: Speaker, *, alike: float = 0.9) -> float:
    """Ask it and hear the answer; returns the seconds from the last word to the first sound.

    ``alike``: how much what is heard must be like the answer.
    """
    question = spoken("hey jarvis, what is the weather in Berlin", after_ms=1200)
    with speaker.watched() as watcher, speaker.sound.recorder() as recorder:
        speaker.sound.speak(question)
        said = time.monotonic() - 1.2
        watcher.event("wake")
        heard = watcher.event("reply", what="first_sound")
        watcher.event("reply", what="drained")
        assert similarity(recorder, *load("answer_weather")) > alike
    return float(heard["time"]) - said


def says(speaker: Speaker, recorder: Recorder, name: str) -> None:
    """Wait until what rings is heard to say its name; nothing kept it from doing so."""
    words = speak(name, None)
    assert words is not None
    speaker.machine.until(
        lambda: similarity(recorder, words, REPLY_RATE_HZ) > 0.9, f"'{name}' to be said", 30
    )
    assert "says no words" not in speaker.machine.journal("-u", "parley")


def test_where_it_cannot_be_installed_nothing_is_changed(speaker: Speaker) -> None:
    """Without root, on a full disk, with no key in the file: one line says what is wrong."""
    script = str(speaker.checkout / "install.sh")
    unprivileged = speaker.machine.run("runuser", "-u", "owner", "--", script, check=False)
    assert unprivileged.returncode == 1
    assert unprivileged.stderr.startswith("install.sh: run it as root: sudo ./install.sh")
    keyless = speaker.install("--yes", "--key-file", "/etc/hostname")
    assert keyless.returncode == 1
    assert "what is in the key file /etc/hostname cannot be a key" in keyless.stdout
    speaker.machine.run("mount", "-t", "tmpfs", "-o", "size=100M", "tmpfs", "/opt")
    full = speaker.install("--yes")
    speaker.machine.run("umount", "/opt")
    assert full.returncode == 1
    assert "the disk is full: only 100 MB are free in /opt" in full.stdout
    assert speaker.left_over() == []
    assert speaker.machine.run("getent", "passwd", "parley", check=False).returncode == 2


def test_one_command_makes_a_speaker(speaker: Speaker, record_property: Record) -> None:
    """On a bare system, with a key in a file; when it returns, the speaker hears."""
    done = speaker.install("--yes", "--key-file", "/home/owner/key.txt")
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert " is ready: idle; hears with " in done.stdout
    taken = speaker.machine.shell("du -sm /opt/parley").split()[0]
    record_property("MB in /opt", taken)
    assert KEY not in done.stdout
    assert speaker.unit("ActiveState") == "active"
    assert speaker.unit("UnitFileState") == "enabled"
    assert speaker.status()["state"] == "idle"


def test_root_has_built_nothing(speaker: Speaker) -> None:
    """There is no compiler, each file of the release is its own, and the log has told it all."""
    assert speaker.machine.run("sh", "-c", "command -v cc gcc", check=False).stdout == ""
    shared = "find /opt/parley/releases -type f -links +1"
    assert speaker.machine.shell(shared) == ""
    log = speaker.machine.shell("cat /var/log/parley-install.log")
    assert "Building release 0.1.0" in log
    assert " is ready: idle; hears with " in log
    assert KEY not in log
    assert speaker.path("/opt/parley/proven").readlink().name == speaker.release_name


def test_what_lies_in_its_home_is_never_run(speaker: Speaker) -> None:
    """Whoever got hold of the speaker once is not back after a restart, nor at root's commands."""
    mark = "/var/lib/parley/was-imported"
    python = "/opt/parley/current/.venv/bin/python"
    ask = "import sys; print('python%d.%d' % sys.version_info[:2])"
    version = speaker.machine.run(python, "-c", ask).stdout.strip()
    for home in ("/var/lib/parley", "/root"):
        trap = f"{home}/.local/lib/{version}/site-packages/usercustomize.py"
        speaker.machine.write(trap, f"open({mark!r}, 'w')\n")
    speaker.machine.run("systemctl", "restart", "parley")
    assert speaker.status()["state"] == "idle"
    speaker.machine.run(python, "-c", "pass")
    assert not speaker.path(mark).exists()
    speaker.machine.run("rm", "-r", "/var/lib/parley/.local", "/root/.local")


def test_nobody_but_root_can_read_the_key(speaker: Speaker) -> None:
    """And it is in no place where it could be seen: journal, status, processes, environment."""
    key = speaker.path("/etc/parley/credentials/gemini_api_key")
    assert key.read_text() == KEY + "\n"
    about = key.stat()
    assert (stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid) == (0o600, 0, 0)
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    seen = [
        speaker.machine.journal(),
        speaker.machine.run("systemctl", "show", "parley.service").stdout,
        speaker.machine.shell("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '"),
    ]
    assert not [text for text in seen if KEY in text]
    guest = ("runuser", "-u", "nobody", "--")
    refused = speaker.machine.run(*guest, "parley", "status", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("parley: ")
    stolen = speaker.machine.run("runuser", "-u", "owner", "--", "cat", str(key), check=False)
    assert stolen.returncode != 0


def test_a_credential_beside_the_key_reaches_it(speaker: Speaker) -> None:
    """A token is put there in one line, and nobody else sees it; what editors leave is no matter.

    What systemd hands over no file of is told by the installer before it keeps anything from
    starting.
    """
    folder = speaker.path("/etc/parley/credentials")
    put = ("sudo", "install", "-m", "600", "/dev/stdin", "/etc/parley/credentials/home")
    subprocess.run(
        speaker.machine.command("runuser", "-u", "owner", "--", *put),
        input=f"{TOKEN}\n",
        text=True,
        check=True,
        timeout=30,
    )
    about = (folder / "home").stat()
    assert (stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid) == (0o600, 0, 0)
    (folder / "home~").write_text("of an editor")
    (folder / "link").symlink_to("/dev/zero")
    speaker.machine.run("systemctl", "restart", "parley")
    assert speaker.status()["state"] == "idle"
    told = speaker.in_its_sandbox(HERE / "credential_probe.py")
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    assert told["home"] == f"{digest} from credentials.d_home"
    assert told["absent"].startswith("no credential 'absent' found: put the token into /etc/parley")
    seen = [
        speaker.machine.journal(),
        speaker.machine.run("systemctl", "show", "parley.service").stdout,
        speaker.machine.shell("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '"),
    ]
    assert not [text for text in seen if TOKEN in text]
    for file in ("/etc/parley/credentials/home", "/run/credentials/parley.service"):
        stolen = speaker.machine.run("runuser", "-u", "owner", "--", "ls", file, check=False)
        assert stolen.returncode != 0
    (folder / "b\u00fcro").touch()
    refused = speaker.install("--yes")
    assert refused.returncode == 1
    assert "systemd hands over no file of such a name" in refused.stdout
    assert speaker.unit("ActiveState") == "active"
    speaker.machine.shell("cd /etc/parley/credentials; rm home~ link b\u00fcro")


def test_systemd_has_nothing_to_say(speaker: Speaker, record_property: Record) -> None:
    """The systemd of this machine understands every line; it calls the exposure at most 1.5."""
    verified = speaker.machine.run("systemd-analyze", "verify", UNIT)
    assert verified.stdout + verified.stderr == ""
    told = speaker.machine.run("systemd-analyze", "security", "--threshold=15", "parley.service")
    [exposure] = re.findall(r"Overall exposure level for parley.service: ([0-9.]+)", told.stdout)
    record_property("exposure", exposure)


def test_installing_it_again_changes_nothing(speaker: Speaker) -> None:
    """A speaker in a conversation is not even restarted."""
    pid = speaker.pid
    done = speaker.install("--yes")
    assert done.returncode == 0, done.stdout
    assert "parley.service runs it already" in done.stdout
    assert speaker.pid == pid


def test_a_changed_configuration_is_taken(speaker: Speaker) -> None:
    """By `systemctl reload`, without a restart: it talks to another server from then on."""
    pid = speaker.pid
    speaker.write_config()
    speaker.machine.run("systemctl", "reload", "parley")
    speaker.machine.until(
        lambda: "configuration reloaded: " in speaker.machine.journal("-u", "parley"), "it", 10
    )
    assert speaker.pid == pid


def test_it_answers_who_calls_it(speaker: Speaker, record_property: Record) -> None:
    """The wake word and a question in one breath; the answer is heard in the room."""
    record_property("first sound after s", f"{talks(speaker):.2f}")
    status = speaker.path(f"/proc/{speaker.pid}/status").read_text()
    [resident_kb] = re.findall(r"VmHWM:\s+(\d+) kB", status)
    record_property("memory at most MB", int(resident_kb) // 1024)


def test_the_doctor_looks_at_the_speaker_that_works(speaker: Speaker) -> None:
    """Beside it, as root: with figures, and nothing is broken but what a container has not."""
    told = speaker.doctor()
    for each in told["checks"]:
        print(each["verdict"], each["name"], each["figure"], sep="\t")
    verdicts = {each["name"]: each["verdict"] for each in told["checks"]}
    assert verdicts["unit"] == verdicts["speaker"] == verdicts["key"] == "fine"
    assert speaker.status()["state"] == "idle"


def test_a_camera_is_let_in_only_where_it_is_configured(
    speaker: Speaker, record_property: Record
) -> None:
    """By `sudo parley doctor --fix`: that one, and none beside it; and taken away again.

    A node without a driver that may be opened "does not answer" (ENXIO).
    """
    by_id = "/dev/v4l/by-id/usb-Rig_"
    speaker.machine.shell(
        "for number in 8 9; do mknod -m 660 /dev/video$number c 81 $number; "
        "chgrp video /dev/video$number; done; mkdir -p /dev/v4l/by-id; "
        f"ln -s ../../video8 {by_id}Webcam-video-index0; "
        f"ln -s ../../video9 {by_id}Other-video-index0"
    )
    (speaker.machine.shared / "picture.jpg").write_bytes(jpeg(1280, 720))

    def seen() -> tuple[str, str]:
        told = speaker.in_its_sandbox(HERE / "camera_probe.py")
        assert told["file"] == "768 by 432"
        words = {
            "who is not in the group video": "group",
            "is kept out by the service's sandbox": "sandbox",
            "does not answer": "open",
        }
        of_camera, of_other = (
            next(word for part, word in words.items() if part in told[name])
            for name in ("camera", "other")
        )
        return of_camera, of_other

    def mended(source: str | None) -> str:
        """Configure a camera, and have the doctor do what it takes; returns the exposure."""
        camera = {"tools": {"camera": "on_request"}, "camera": {"source": source}}
        speaker.write_config(**(camera if source is not None else {}))
        pid = speaker.pid
        told = {each["name"]: each for each in speaker.doctor("--offline", "--fix")["checks"]}
        access = told["camera access"]
        print(access)
        assert access["cured"]
        assert access["verdict"] == ("fine" if source is not None else "skipped")
        speaker.until_active(other_than=pid)
        shown = speaker.machine.run("systemd-analyze", "security", "parley.service").stdout
        [exposure] = re.findall(r"Overall exposure level for parley.service: ([0-9.]+)", shown)
        return str(exposure)

    assert seen() == ("group", "group")
    speaker.machine.run("chmod", "666", "/dev/video8", "/dev/video9")
    assert seen() == ("sandbox", "sandbox")
    speaker.machine.run("chmod", "660", "/dev/video8", "/dev/video9")
    record_property("exposure with one camera", mended(f"{by_id}Webcam-video-index0"))
    assert seen() == ("open", "sandbox")
    show = ("systemctl", "show", "parley.service", "--property=DeviceAllow")
    assert speaker.machine.run(*show).stdout.count("video") == 1
    record_property("with any", mended("auto"))
    assert seen() == ("open", "open")
    record_property("without", mended(None))
    assert seen() == ("sandbox", "sandbox")
    assert not speaker.path(CAMERA_CONF).exists()
    speaker.machine.shell("rm -r /dev/v4l /dev/video8 /dev/video9")


def test_a_local_mcp_server_lives_in_its_sandbox_and_ends_with_it(speaker: Speaker) -> None:
    """A reload starts it; it has its own token and not the key; another comes after a crash."""
    house = "/usr/local/lib/mcp_house.py"
    speaker.machine.write(house, (ROOT / "tests" / "rig" / "mcp_house.py").read_text())
    python = "/opt/parley/current/.venv/bin/python"
    command = [python, "-P", house, "--way", "stdio"]
    server = {"name": "home", "command": command, "credential": "home"}
    speaker.write_config(tools={"mcp": [server]})
    speaker.machine.run("systemctl", "reload", "parley")

    def ready() -> bool:
        servers = speaker.status()["mcp_servers"]
        return [each["state"] for each in servers] == ["ready"]

    def houses() -> list[Path]:
        found = speaker.machine.shell("pgrep -f '[m]cp_house' || true").split()
        return [speaker.path(f"/proc/{pid}") for pid in found]

    speaker.machine.until(ready, "the MCP server to be ready", 60)
    done = speaker.parley("tools", "call", "home_HassTurnOff", '{"name": "kitchen"}')
    assert "error" not in json.loads(done.stdout)
    [before] = houses()
    environment = (before / "environ").read_text()
    assert TOKEN in environment
    assert KEY not in environment
    pid = speaker.pid
    speaker.machine.run("kill", "-KILL", str(pid))
    speaker.machine.until(lambda: not before.exists(), "the MCP server to end", 20)
    speaker.until_active(other_than=pid)
    speaker.machine.until(ready, "another MCP server to be ready", 60)
    assert len(houses()) == 1
    speaker.write_config()
    speaker.machine.run("systemctl", "reload", "parley")
    speaker.machine.until(lambda: not houses(), "the MCP server to end", 20)
    speaker.path(house).unlink()


def test_a_mistake_in_the_configuration_leaves_it_as_it_is(speaker: Speaker) -> None:
    """It says what is wrong, and goes on with what was in force."""
    pid = speaker.pid
    speaker.write_config(audio={"volume": 500})
    with speaker.watched() as watcher:
        speaker.machine.run("systemctl", "reload", "parley")
        fault = watcher.event("fault", cleared=False)
        assert "volume" in fault["message"]
        talks(speaker)
        speaker.write_config()
        speaker.machine.run("systemctl", "reload", "parley")
        watcher.event("fault", cleared=True, kind=fault["kind"])
    assert speaker.pid == pid


def test_killed_it_is_back(speaker: Speaker, record_property: Record) -> None:
    """SIGKILL, as the kernel's out-of-memory killer sends it; what rang rings on, by name.

    No time server was heard: an alarm knows its time all the same, and a timer needs none.
    """
    in_two_days = datetime.now(UTC) + timedelta(days=2)
    weekday = WEEKDAYS[in_two_days.weekday()]
    speaker.as_owner("timers", "at", "07:00", "--on", weekday, "get", "up")
    with speaker.watched() as watcher:
        speaker.as_owner("timers", "set", "1s", "pasta")
        watcher.event("timer", what="ringing", id=2)
    pid = speaker.pid
    with speaker.sound.recorder() as recorder:
        speaker.machine.run("kill", "-KILL", str(pid))
        killed = time.monotonic()
        speaker.until_active(other_than=pid)
        record_property("hears again after s", f"{time.monotonic() - killed:.1f}")
        says(speaker, recorder, "pasta")
    assert speaker.timers()["pasta"]["ringing"]
    assert speaker.as_owner("timers", "stop") == "stopped: timer 2 'pasta'\n"
    [alarm] = speaker.timers().values()
    assert (alarm["name"], alarm["time"], alarm["weekdays"]) == ("get up", "07:00", [weekday])
    # `parley lights --off` came after it, and found nothing to complain of.
    lights_off = speaker.unit("ExecStopPost")
    assert "lights --off" in lights_off
    assert "status=0" in lights_off
    talks(speaker)


def test_hung_it_is_restarted(speaker: Speaker, record_property: Record) -> None:
    """A process that lives and does nothing: the watchdog ends it."""
    pid = speaker.pid
    with speaker.watched() as watcher:
        speaker.machine.run("kill", "-STOP", str(pid))
        hung = time.monotonic()
        record_property("ended after s", f"{watcher.wait_for_end(HANGS_AFTER_S + 15) - hung:.1f}")
    speaker.until_active(other_than=pid)
    record_property("hears again after s", f"{time.monotonic() - hung:.1f}")
    assert "watchdog" in speaker.machine.journal("-u", "parley").lower()
    assert speaker.path("/var/lib/parley/ends").read_text().split()[-3:-1] == ["watchdog", "killed"]
    talks(speaker)


def test_a_key_that_systemd_does_not_hand_over_is_told_as_that(speaker: Speaker) -> None:
    """A drop-in of the owner's clears LoadCredential=: the file is there, and does not help."""
    drop_in = "/run/systemd/system/parley.service.d/clears.conf"
    speaker.machine.write(drop_in, "[Service]\nLoadCredential=\n")
    speaker.machine.run("systemctl", "daemon-reload")
    speaker.machine.run("systemctl", "restart", "parley")
    faults = json.dumps(speaker.status()["faults"])
    assert "systemd hands over no credential at all to this service" in faults
    told = {each["name"]: each for each in speaker.doctor("--offline")["checks"]}
    assert told["key"]["verdict"] == "broken"
    assert told["key"]["advice"].startswith(f"{drop_in} clears LoadCredential=")
    speaker.machine.run("rm", drop_in)
    speaker.machine.run("systemctl", "daemon-reload")
    speaker.machine.run("systemctl", "restart", "parley")
    assert speaker.status()["faults"] == []
    told = {each["name"]: each for each in speaker.doctor("--offline")["checks"]}
    assert told["key"]["verdict"] == "fine"


LOOP = """\
[Unit]
StartLimitBurst=3
[Service]
RestartSec=1
ExecStart=
ExecStart=/bin/false
"""


def test_a_crash_loop_ends_and_no_light_stays_on(speaker: Speaker) -> None:
    """At the start limit, here a lower one; the doctor says so, and starts it when it is mended."""
    override = "/run/systemd/system/parley.service.d/loop.conf"
    speaker.machine.write(override, LOOP)
    speaker.machine.run("systemctl", "daemon-reload")
    speaker.machine.run("systemctl", "restart", "parley", check=False)
    speaker.machine.until(lambda: speaker.unit("ActiveState") == "failed", "the end of it", 60)
    assert int(speaker.unit("NRestarts")) >= 2
    assert "status=0" in speaker.unit("ExecStopPost")
    told = speaker.doctor("--offline")
    assert [each["verdict"] for each in told["checks"] if each["name"] == "unit"] == ["broken"]
    speaker.machine.run("rm", override)
    speaker.machine.run("systemctl", "daemon-reload")
    speaker.doctor("--offline", "--fix")
    speaker.until_active()
    talks(speaker)


ILLEGAL = """\
[Service]
RestartSec=1
Environment=PARLEY_PAUSE_S=3
ExecStart=
ExecStart=/bin/sh -c 'kill -ILL $$$$'
"""


def test_an_illegal_instruction_is_no_restart_loop(speaker: Speaker) -> None:
    """It is noted and told; after two of them what is compiled is tried, in the unit's sandbox."""
    override = "/run/systemd/system/parley.service.d/illegal.conf"
    speaker.machine.write(override, ILLEGAL)
    speaker.machine.run("systemctl", "daemon-reload")
    speaker.machine.run("systemctl", "restart", "--no-block", "parley")

    def told(text: str) -> bool:
        return text in speaker.machine.journal("-u", "parley")

    speaker.machine.until(
        lambda: told("two starts in a row ended by an illegal instruction: the next one is in 3 s"),
        "the trial",
        90,
    )
    assert told("the speaker ended by an illegal instruction (SIGILL): what uses it is looked for")
    ends = speaker.path("/var/lib/parley/ends").read_text().splitlines()
    assert [line.split()[-1] for line in ends[-2:]] == ["ILL", "ILL"]
    [processor] = [each for each in speaker.doctor("--offline")["checks"]
                   if each["name"] == "processor"]  # fmt: skip
    assert processor["verdict"] == "fine", processor
    speaker.machine.run("systemctl", "stop", "parley")
    speaker.machine.run("rm", override, "/var/lib/parley/ends")
    speaker.machine.run("systemctl", "daemon-reload")
    speaker.machine.run("systemctl", "start", "parley")
    speaker.until_active()
    talks(speaker)


def test_a_hung_sound_server_is_told_and_survived(speaker: Speaker) -> None:
    """The microphone delivers nothing and gives no error: it says so, and hears when it is back."""
    with speaker.watched() as watcher:
        speaker.machine.run("systemctl", "kill", "--signal=STOP", "rig-sound.service")
        watcher.event("fault", kind="microphone", cleared=False)
        speaker.machine.run("systemctl", "kill", "--signal=CONT", "rig-sound.service")
    speaker.machine.until(lambda: speaker.status()["state"] == "idle", "it to hear again", 60)
    talks(speaker)


def test_it_has_what_it_needs_and_nothing_else(speaker: Speaker) -> None:
    """The unit's sandbox, tried from inside; ENXIO is an open device that has no driver here."""
    speaker.machine.shell(
        "for major in 116 153 189 9; do mknod -m 666 /dev/rig-$major c $major 0; done; "
        "echo x >/dev/rig-group; chown root:audio /dev/rig-group; chmod 640 /dev/rig-group"
    )
    speaker.hear_a_time_server()
    told = speaker.in_its_sandbox(HERE / "probe.py")
    needed = (
        *("key", "state", "runtime", "group of the sound card", "netlink", "priority"),
        *("clocks", "zone", "word of a time server"),
    )
    assert {what: told.pop(what) for what in needed} == dict.fromkeys(needed, "done")
    devices = ("sound", "spi", "usb")
    assert {what: told.pop(what) for what in devices} == dict.fromkeys(devices, "ENXIO")
    # systemd's filter says EACCES since 253, and what the unit says before.
    assert told.pop("written code") in {"EACCES", "EPERM"}
    assert told == {
        "tape": "EPERM",
        **dict.fromkeys(("usr", "etc", "release", "config"), "EROFS"),
        **dict.fromkeys(("home", "key file", "passwords"), "EACCES"),
        "packet socket": "EAFNOSUPPORT",
        **dict.fromkeys(("user namespace", "real time", "clock", "chown"), "EPERM"),
        "state of the clock": "EPERM",
        "other users' processes": "ENOENT",
    }


def test_it_makes_what_it_says_itself(speaker: Speaker) -> None:
    """espeak-ng runs in the sandbox as well: sentences that are gone are spoken anew."""
    clips = speaker.path("/var/lib/parley/clips")
    made = len(list(clips.iterdir()))
    assert made
    speaker.machine.run("rm", "-r", "/var/lib/parley/clips")
    speaker.machine.run("systemctl", "restart", "parley")
    speaker.machine.until(
        lambda: clips.exists() and len(list(clips.iterdir())) == made, f"{made} sentences", 60
    )


def test_a_mistake_at_a_restart_leaves_it_with_what_it_had(speaker: Speaker) -> None:
    """The owner is in the middle of an edit, and it is restarted: it goes on as it was."""
    speaker.write_config(audio={"volume": 500})
    speaker.machine.run("systemctl", "restart", "parley")
    assert "audio.volume" in json.dumps(speaker.status()["faults"])
    talks(speaker)
    speaker.write_config()
    speaker.parley("reload")
    assert "audio.volume" not in json.dumps(speaker.status()["faults"])


def test_a_wrong_configuration_at_the_start_is_no_loop(speaker: Speaker) -> None:
    """Exit code 78, once; it stays off and says why, until the file is mended.

    There is nothing it could go on with: no configuration that ever worked.
    """
    speaker.machine.run("rm", "-f", "/var/lib/parley/last_good.yaml")
    speaker.write_config(audio={"volume": 500})
    assert speaker.machine.run("systemctl", "restart", "parley", check=False).returncode != 0
    shown = speaker.machine.show("parley.service")
    assert (shown["ActiveState"], shown["ExecMainStatus"]) == ("failed", "78")
    assert shown["NRestarts"] == "0"
    assert "audio.volume" in speaker.machine.journal("-u", "parley", "-n", "20")
    speaker.write_config()
    speaker.machine.run("systemctl", "restart", "parley")
    assert speaker.status()["state"] == "idle"


def test_without_a_microphone_it_waits_for_one(speaker: Speaker, record_property: Record) -> None:
    """It is no crash and no hang: it is up within a minute, and says what is missing.

    systemd sees a unit that runs, so nothing of a boot waits for it; it hears when there is one.
    """
    speaker.machine.run("systemctl", "stop", "rig-sound.service")
    began = time.monotonic()
    speaker.machine.run("systemctl", "restart", "parley")
    record_property("up without a microphone after s", f"{time.monotonic() - began:.1f}")
    shown = speaker.machine.show("parley.service")
    assert shown["ActiveState"] == "active"
    assert shown["StatusText"].startswith("fault; ")
    assert shown["StatusText"].endswith("hears nothing")
    record_property("it says", shown["StatusText"])
    status = speaker.status()
    assert (status["state"], status["ready"]) == ("fault", False)
    assert [fault["kind"] for fault in status["faults"]].count("microphone") == 1
    # The watchdog is fed meanwhile: a microphone that is missing is no hang.
    pid = speaker.pid
    fed = speaker.unit("WatchdogTimestampMonotonic")
    speaker.machine.until(
        lambda: speaker.unit("WatchdogTimestampMonotonic") != fed, "a fed watchdog", 30
    )
    speaker.machine.run("systemctl", "start", "rig-sound.service")
    speaker.machine.until(lambda: speaker.status()["ready"], "it to hear", 60)
    assert speaker.status()["state"] == "idle"
    assert speaker.pid == pid


def test_after_a_power_cut_it_is_back(speaker: Speaker, record_property: Record) -> None:
    """By itself, with the configuration, key, timers and alarms it had.

    What depends on the time of day waits until that is known.
    """
    speaker.as_owner("timers", "set", "30s", "eggs")
    dues = {name: each["due"] for name, each in speaker.timers().items()}
    assert dues.keys() == {"eggs", "get up"}
    began = time.monotonic()
    speaker.machine.cut_the_power()
    record_property("booted after s", f"{time.monotonic() - began:.1f}")
    speaker.until_active()
    record_property("hears after s", f"{time.monotonic() - began:.1f}")
    kept = speaker.timers()
    assert kept.keys() == dues.keys()
    assert not [name for name, each in kept.items() if "left_s" in each]
    assert kept["get up"]["time"] == "07:00"
    talks(speaker)
    with speaker.watched() as watcher, speaker.sound.recorder() as recorder:
        speaker.hear_a_time_server()
        heard_s = time.time()
        rang = watcher.event("timer", what="ringing", kind="timer")
        rang_s = time.time() - (time.monotonic() - float(rang["time"]))
        says(speaker, recorder, "eggs")
    due_s = datetime.fromisoformat(dues["eggs"]).timestamp()
    record_property("rang late by s", f"{rang_s - due_s:.1f}")
    # What is told is to the second.
    assert rang_s - due_s > -1
    assert rang_s - max(due_s, heard_s + LOOK_AGAIN_S) < 1
    speaker.as_owner("timers", "stop")
    assert {name: each["due"] for name, each in speaker.timers().items()} == {
        "get up": dues["get up"]
    }


def test_an_upgrade_takes_its_place(speaker: Speaker) -> None:
    """The same command in a newer checkout; the release before is kept."""
    speaker.release("0.2.0")
    done = speaker.install("--yes")
    assert done.returncode == 0, done.stdout
    assert speaker.current == "0.2.0"
    assert speaker.releases == {"0.1.0", "0.2.0"}
    assert speaker.parley("--version").stdout == "parley 0.2.0\n"
    assert speaker.timers().keys() == {"get up"}
    assert KEY not in done.stdout
    talks(speaker)


CRASHES = {"device/cli/run.py": ("    journal.set_up(", "    raise RuntimeError('broken')  # (")}
IS_DEAF = {
    "device/service/health.py": ('self._notify("READY=1")', "pass"),
    "install.sh": ("READY_WITHIN_S=190", "READY_WITHIN_S=30"),
}


@pytest.mark.parametrize("changes", [CRASHES, IS_DEAF], ids=["crashes", "is never ready"])
def test_a_broken_upgrade_is_taken_back(
    speaker: Speaker, changes: dict[str, tuple[str, str]], record_property: Record
) -> None:
    """By itself: the release before goes on, and nothing is left of the broken one."""
    speaker.release("0.3.0", changes)
    began = time.monotonic()
    done = speaker.install("--yes")
    record_property("back after s", f"{time.monotonic() - began:.1f}")
    print(done.stdout)
    assert done.returncode == 1, done.stdout
    assert "Going back to release 0.2.0" in done.stdout
    assert speaker.current == "0.2.0"
    assert speaker.releases == {"0.1.0", "0.2.0"}
    assert speaker.unit("ActiveState") == "active"
    talks(speaker)


def test_a_power_cut_in_the_middle_of_an_upgrade_is_survived(
    speaker: Speaker, record_property: Record
) -> None:
    """Cut after the switch and before the proof: the next boot goes back to what worked."""
    speaker.release("0.3.0", IS_DEAF)
    with ThreadPoolExecutor() as pool:
        installing = pool.submit(speaker.install, "--yes")
        unproven = speaker.path("/opt/parley/unproven")
        speaker.machine.until(unproven.exists, "the switch", 120)
        speaker.machine.until(lambda: speaker.unit("SubState") == "start", "its start", 30)
        cut = time.monotonic()
        speaker.machine.cut_the_power()
        assert installing.result().returncode != 0
    speaker.until_active()
    record_property("hears after s", f"{time.monotonic() - cut:.1f}")
    assert speaker.current == "0.2.0"
    assert not speaker.path("/opt/parley/unproven").exists()
    assert "release 0.2.0" in speaker.machine.journal("-u", "parley-recover")
    assert "0.2.0" in str(speaker.path("/opt/parley/proven").readlink())
    assert speaker.releases == {"0.1.0", "0.2.0"}
    talks(speaker)


def test_an_upgrade_that_cannot_be_built_is_none(speaker: Speaker) -> None:
    """A package that is not the one the lock file means; the speaker is not even restarted."""
    pid = speaker.pid
    speaker.release("0.4.0")
    lock = speaker.checkout / "uv.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", lock.read_text()))
    done = speaker.install("--yes")
    assert done.returncode == 1, done.stdout
    assert "Python packages failed" in done.stdout
    assert (speaker.current, speaker.pid) == ("0.2.0", pid)
    assert speaker.releases == {"0.1.0", "0.2.0"}


def test_an_upgrade_with_a_mistake_in_the_configuration_goes_on_as_before(speaker: Speaker) -> None:
    """With the last good settings, and says so; without any it is refused, with exit code 78."""
    pid = speaker.pid
    speaker.write_config(audio={"volume": 500})
    speaker.release("0.5.0")
    speaker.machine.run("mv", "/var/lib/parley/last_good.yaml", "/root/")
    refused = speaker.install("--yes")
    assert refused.returncode == 78, refused.stdout
    assert "audio.volume" in refused.stdout
    assert (speaker.current, speaker.pid) == ("0.2.0", pid)
    speaker.machine.run("mv", "/root/last_good.yaml", "/var/lib/parley/")
    done = speaker.install("--yes")
    assert done.returncode == 0, done.stdout
    assert "goes on with the settings that were in force last" in done.stdout
    assert "still to do: /etc/parley/config.yaml has a mistake" in done.stdout
    assert speaker.releases == {"0.2.0", "0.5.0"}
    assert "audio.volume" in json.dumps(speaker.status()["faults"])
    told = {each["name"]: each for each in speaker.doctor("--offline")["checks"]}
    assert told["config"]["verdict"] == "broken"
    assert "the last good settings are in force" in told["config"]["advice"]
    talks(speaker)
    speaker.write_config()
    speaker.parley("reload")
    assert "audio.volume" not in json.dumps(speaker.status()["faults"])


def test_an_upgrade_without_a_microphone_waits_for_one(speaker: Speaker) -> None:
    """It is no fault of the release: the installer says what is missing, and it stays."""
    speaker.machine.run("systemctl", "stop", "rig-sound.service")
    speaker.machine.until(lambda: speaker.status()["state"] == "fault", "a fault", 30)
    speaker.release("0.6.0")
    done = speaker.install("--yes")
    assert done.returncode == 0, done.stdout
    assert " is waiting: fault; " in done.stdout
    assert "it cannot hear yet" in done.stdout
    speaker.machine.run("systemctl", "start", "rig-sound.service")
    speaker.machine.until(lambda: speaker.status()["ready"], "it to hear", 60)
    assert speaker.current == "0.6.0"
    talks(speaker)


def test_nothing_is_left_of_it(speaker: Speaker) -> None:
    """After --uninstall the owner's files stay, after --purge no file, user, group or unit."""
    awake = speaker.path(f"/{NETWORK_MANAGER}") / AWAKE
    awake.parent.mkdir(parents=True, exist_ok=True)
    awake.write_text(STAY_AWAKE)  # as `parley doctor --fix` does on a speaker with Wi-Fi
    uninstall = ("env", "-C", "/", "/opt/parley/current/install.sh", "--uninstall")
    speaker.machine.run(*uninstall)
    assert speaker.machine.run("systemctl", "cat", "parley", check=False).returncode != 0
    assert speaker.path(CONFIG).exists()
    assert not speaker.path("/opt/parley").exists()
    assert not awake.exists()
    folder = f"/{NETWORK_MANAGER}"
    speaker.machine.run("rmdir", "-p", "--ignore-fail-on-non-empty", folder)
    speaker.machine.run("rm", "-f", "/run/systemd/system/parley-probe.service")
    speaker.machine.run(str(speaker.checkout / "install.sh"), "--uninstall", "--purge")
    for database in ("passwd", "group"):
        done = speaker.machine.run("getent", database, "parley", check=False)
        assert done.returncode == 2
    left = speaker.left_over()
    assert not left, "\n".join(left)
    failed = speaker.machine.run("systemctl", "list-units", "--all", "parley*", "--no-legend")
    assert failed.stdout == ""
