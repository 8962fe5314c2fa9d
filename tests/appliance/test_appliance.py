"""The whole appliance on a booted Debian: one command installs it, and nothing gets it down.

The tests of one machine are one story, in this order: each begins where the one before it ended.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from device.simulator.script import Script, Turn
from device.simulator.voices import load
from tests.appliance.machine import Machine
from tests.appliance.speaker import KEY, InnerSound, Speaker
from tests.rig.room import similarity, spoken
from tests.rig.server import ServerThread

Record = Callable[[str, object], None]

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(1800)]

SUITES = os.environ.get("PARLEY_APPLIANCE", "trixie bookworm").split()
ANSWER = Turn(heard="weather", says="sunny", audio="answer_weather", delay_s=0.2)
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


def talks(speaker: Speaker) -> float:
    """Ask it and hear the answer; returns the seconds from the last word to the first sound."""
    question = spoken("hey jarvis, what is the weather in Berlin", after_ms=1200)
    with speaker.watched() as watcher, speaker.sound.recorder() as recorder:
        speaker.sound.speak(question)
        said = time.monotonic() - 1.2
        watcher.event("wake")
        heard = watcher.event("reply", what="first_sound")
        watcher.event("reply", what="drained")
        assert similarity(recorder, *load("answer_weather")) > 0.9
    return float(heard["time"]) - said


def test_one_command_makes_a_speaker(speaker: Speaker, record_property: Record) -> None:
    """On a bare system, with a key in a file; when it returns, the speaker hears."""
    done = speaker.install("--yes", "--key-file", "/home/owner/key.txt")
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert " is ready: idle; hears with " in done.stdout
    assert KEY not in done.stdout
    assert speaker.unit("ActiveState") == "active"
    assert speaker.unit("UnitFileState") == "enabled"
    assert speaker.status()["state"] == "idle"


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
    stolen = speaker.machine.run("runuser", "-u", "owner", "--", "cat", str(key), check=False)
    assert stolen.returncode != 0


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
    """SIGKILL, as the kernel's out-of-memory killer sends it."""
    pid = speaker.pid
    speaker.machine.run("kill", "-KILL", str(pid))
    killed = time.monotonic()
    speaker.until_active(other_than=pid)
    record_property("hears again after s", f"{time.monotonic() - killed:.1f}")
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
    talks(speaker)


def test_a_hung_sound_server_is_told_and_survived(speaker: Speaker) -> None:
    """The microphone delivers nothing and gives no error: it says so, and hears when it is back."""
    with speaker.watched() as watcher:
        speaker.machine.run("systemctl", "kill", "--signal=STOP", "rig-sound.service")
        watcher.event("fault", kind="microphone", cleared=False)
        speaker.machine.run("systemctl", "kill", "--signal=CONT", "rig-sound.service")
    speaker.machine.until(lambda: speaker.status()["state"] == "idle", "it to hear again", 60)
    talks(speaker)
