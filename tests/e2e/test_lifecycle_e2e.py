"""The real daemon's life: start, faults, the button, the lights, the end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from device.simulator.script import Drop, Event, Script, Silence, Turn
from tests.rig.daemon import EVENT_S, Daemon
from tests.rig.room import Room, loud, open_room, spoken

LONG = Turn(heard="story", says="once upon a time", audio=8000, pace="burst", delay_s=0.2)
SHORT = Turn(heard="more", says="yes", audio=700)


class PiDaemon(Daemon):
    """The daemon on a pretended Pi with a 2-mic HAT: a button, and three LEDs on SPI."""

    def _parley(self, *arguments: str) -> list[str]:
        plain = super()._parley(*arguments)
        if arguments[0] not in {"run", "lights"}:
            return plain
        pins = "pins" if arguments[0] == "run" else "other-pins"
        places = [str(self.path / pins), str(self.path / "leds")]
        return [sys.executable, "-m", "tests.rig.mock_pi", *places, *plain[3:]]

    def press(self) -> None:
        """Press the button and let it go."""
        self.button("low", "high")

    def button(self, *levels: str) -> None:
        """Let the button's pin have these levels, one after the other; low is pressed."""
        with socket.socket(socket.AF_UNIX) as pins:
            pins.connect(str(self.path / "pins"))
            lines = pins.makefile("rw")
            for level in levels:
                lines.write(f"{level} 17\n")
                lines.flush()
                assert lines.readline() == "done\n"

    def leds(self) -> bytes:
        """The last frame on the SPI bus."""
        return bytes.fromhex((self.path / "leds").read_text())


class ArrayDaemon(Daemon):
    """The daemon beside a pretended XVF3800, whose mute switch can be moved."""

    def _parley(self, *arguments: str) -> list[str]:
        plain = super()._parley(*arguments)
        if arguments[0] != "run":
            return plain
        return [sys.executable, "-m", "tests.rig.mock_array", str(self.path / "usb"), *plain[3:]]

    def usb(self, order: str) -> None:
        """Give an order to the array."""
        with socket.socket(socket.AF_UNIX) as array:
            array.connect(str(self.path / "usb"))
            lines = array.makefile("rw")
            lines.write(f"{order}\n")
            lines.flush()
            assert lines.readline() == "done\n"


def lit(frame: bytes) -> bool:
    """Whether an APA102 frame of three LEDs shows any colour."""
    return any(any(frame[4 + 4 * led + 1 : 8 + 4 * led]) for led in range(3))


PI = {"board": "2mic-hat"}


def test_ready_status_and_watchdog_come_from_hearing() -> None:
    """READY follows the first microphone frame; the status is worth reading; the dog is fed."""
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("WATCHDOG_USEC", "400000")
        room = stack.enter_context(open_room())
        daemon = room.daemon
        assert daemon.state("idle")["reason"] == "microphone delivers"
        daemon.wait(lambda: daemon.notified.count("WATCHDOG=1") > 2, "a fed watchdog")
        text = next(n for n in daemon.notified if n.startswith("STATUS=idle"))
        assert "hey_jarvis" in text
        assert "hears with" in text
        # Deaf but alive: frames stop, and with them the watchdog's food.
        room.sound.freeze(frozen=True)
        fed = daemon.notified.count("WATCHDOG=1")
        daemon.event("fault", kind="microphone", cleared=False)
        room.sound.freeze(frozen=False)
        daemon.event("fault", kind="microphone", cleared=True)
        daemon.wait(lambda: daemon.notified.count("WATCHDOG=1") > fed, "a fed watchdog again")


def test_the_button_talks_interrupts_and_dismisses() -> None:
    """Tap: it listens, without a wake word; tap in a reply: quiet; tap while it listens: done."""
    with open_room(Script(turns=(LONG,)), PI, daemon=PiDaemon) as room:
        daemon = room.daemon
        assert isinstance(daemon, PiDaemon)
        daemon.press()
        daemon.event("button", gesture="tap")
        room.say("what is the weather in Berlin")
        with room.sound.recorder() as recorder:
            daemon.event("reply", what="first_sound")
            daemon.press()
            cut = daemon.event("reply", what="interrupted")
            after = daemon.events.index(cut)
            daemon.state("listening", after=after - 1)
            daemon.event("button", after=after, gesture="tap")
            daemon.press()
            daemon.state("idle", after=after)
            assert loud(recorder, since=cut["time"] + 0.15) == []
        assert daemon.seen("wake") == []


def test_held_to_talk_it_answers_what_was_said_meanwhile_when_it_is_let_go() -> None:
    """Over one connection that is told when the user speaks; then it is at rest again."""
    with open_room(Script(turns=(SHORT,)), PI, daemon=PiDaemon) as room:
        daemon = room.daemon
        assert isinstance(daemon, PiDaemon)
        daemon.button("low")
        daemon.event("button", gesture="hold")
        room.say("what is the weather in Berlin")
        daemon.event("activity", what="ended")
        daemon.event("session", what="opened")
        assert daemon.seen("state", to="thinking") == []
        daemon.button("high")
        released = daemon.event("button", gesture="release")
        thinking = daemon.state("thinking")
        stopped = daemon.event("uplink", what="stopped")
        daemon.event("reply", what="drained")
        daemon.state("idle", after=daemon.events.index(thinking))
        assert thinking["reason"] == "button released"
        record = room.server.connections[-1]
        assert [kind for kind, _ in record.activities] == ["start", "end"]
        assert record.activities[0][1] == 0
        assert record.activities[1][1] == len(record.audio) == stopped["bytes"]
        assert daemon.took_s(released["time"], stopped["time"]) < 0.5


def test_mute_outlives_a_crash_and_the_button_ends_it() -> None:
    """Killed right after the command returned: muted at once, READY, and no microphone opened."""
    with ExitStack() as stack:
        room = stack.enter_context(open_room(Script(turns=(SHORT,)), PI, daemon=PiDaemon))
        first = room.daemon
        assert isinstance(first, PiDaemon)
        assert first.cli("mute").returncode == 0
        first.process.kill()
        first.ended()
        state = json.loads((first.path / "mute.json").read_text())
        assert state["muted"] is True
        again = stack.enter_context(first.again())
        status = again.status()
        assert (status["state"], status["muted"], status["muted_by"]) == ("muted", True, "owner")
        assert status["ready"] is True
        assert status["counters"]["microphone"]["frames"] == 0
        assert any(told.startswith("STATUS=muted; microphone closed") for told in again.notified)
        again.button("low")
        again.event("button", gesture="long_hold")
        again.state("idle")
        again.button("high")
        assert json.loads((first.path / "mute.json").read_text())["muted"] is False


def test_the_arrays_own_mute_switch_wins() -> None:
    """No command undoes it, nor does pulling the plug; and what the owner said stays."""
    with open_room(Script(turns=(SHORT,)), {"board": "xvf3800"}, daemon=ArrayDaemon) as room:
        daemon = room.daemon
        assert isinstance(daemon, ArrayDaemon)
        here = daemon.here
        daemon.usb("mute 1")
        daemon.state("muted", after=here)
        assert daemon.status()["muted_by"] == "switch"
        refused = daemon.cli("unmute")
        assert refused.returncode == 1
        assert "the microphone's own mute switch is on" in refused.stderr
        daemon.usb("unplug")
        assert daemon.status()["muted"] is True
        assert daemon.cli("mute").returncode == 0
        daemon.usb("plug")
        daemon.usb("mute 0")
        daemon.wait(lambda: daemon.status()["muted_by"] == "owner", "the switch to be seen off")
        assert daemon.status()["state"] == "muted"
        assert daemon.cli("unmute").returncode == 0
        daemon.state("idle", after=here)


def test_the_lights_tell_and_are_dark_at_the_end() -> None:
    """LEDs are lit while it listens, and off after SIGTERM."""
    with open_room(Script(turns=(LONG,)), PI, daemon=PiDaemon) as room:
        daemon = room.daemon
        assert isinstance(daemon, PiDaemon)
        daemon.press()
        daemon.state("listening")
        daemon.wait(lambda: lit(daemon.leds()), "lit LEDs")
        assert daemon.status()["lights"] == 3
        code, _ = daemon.stop()
        assert code == 0
        assert not lit(daemon.leds())


def test_what_a_killed_speaker_left_on_is_darkened() -> None:
    """LEDs keep their colours; the command that systemd calls after every end puts them out."""
    with ExitStack() as stack:
        room = stack.enter_context(open_room(Script(turns=(LONG,)), PI, daemon=PiDaemon))
        daemon = room.daemon
        assert isinstance(daemon, PiDaemon)
        daemon.press()
        daemon.state("listening")
        daemon.wait(lambda: lit(daemon.leds()), "lit LEDs")
        daemon.process.kill()
        daemon.ended()
        assert lit(daemon.leds())
        done = daemon.cli("lights", "--off", "--config", str(daemon.config_file))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert not lit(daemon.leds())


def _idle(room: Room) -> None:
    room.daemon.state("idle")


def _connecting(room: Room) -> None:
    room.wake_and_ask()
    room.daemon.state("connecting")


def _listening(room: Room) -> None:
    room.wake_and_ask("hey jarvis")
    room.daemon.state("listening")


def _speaking(room: Room) -> None:
    room.wake_and_ask()
    room.daemon.event("reply", what="first_sound")


def _muted(room: Room) -> None:
    assert room.daemon.cli("mute").returncode == 0


def _fault(room: Room) -> None:
    room.sound.kill()
    room.daemon.state("fault")


@pytest.mark.parametrize("reach", [_idle, _connecting, _listening, _speaking, _muted, _fault])
def test_sigterm_ends_it_within_two_seconds_in_every_state(reach: object) -> None:
    """The end is clean whatever it is doing: exit code 0, and a session is closed with 1000."""
    slow = Event("setup", Silence())
    events = (slow,) if reach is _connecting else ()
    with open_room(Script(turns=(LONG,), events=events)) as room:
        assert callable(reach)
        reach(room)
        code, seconds = room.daemon.stop()
        assert code == 0, room.daemon.log()
        assert seconds < 2.0
        assert not room.daemon.socket.exists()
        assert all(c.close_code == 1000 for c in room.server.connections)
        assert "Traceback" not in room.daemon.log()


def test_without_a_microphone_it_says_so_and_is_ready_when_there_is_one() -> None:
    """The fault names what is missing, at once; it comes back by itself and is READY then.

    Where it stays away READY is told later all the same (`MISSING_S`), and nothing is said to hear.
    """
    with open_room(wait_ready=False, config={"audio": {"input": {"device": "seeed"}}}) as room:
        fault = room.daemon.event("fault", kind="microphone", cleared=False)
        assert "seeed" in fault["message"]
        status = room.daemon.status()
        assert (status["state"], status["ready"]) == ("fault", False)
        room.daemon.write_config({"live": {"endpoint": room.server.url}})
        assert room.daemon.cli("reload").returncode == 0
        room.daemon.event("fault", kind="microphone", cleared=True)
        room.daemon.wait(lambda: "READY=1" in room.daemon.notified, "READY=1")


def test_the_sound_server_dies_and_comes_back() -> None:
    """Microphone and loudspeaker are lost, told, and found again without a restart."""
    with open_room(Script(turns=(SHORT,))) as room:
        room.sound.kill()
        room.daemon.event("fault", kind="microphone", cleared=False)
        room.daemon.event("fault", kind="speaker", cleared=False)
        room.daemon.state("fault")
        after, back_at = room.daemon.here, time.monotonic()
        room.sound.restart()
        room.daemon.event("fault", kind="speaker", cleared=True)
        room.daemon.event("fault", kind="microphone", cleared=True)
        hears_s = room.daemon.took_s(back_at, room.daemon.state("idle", after=after)["time"])
        print(f"\nit hears again {hears_s:.1f} s after the microphone is back")
        assert hears_s < 10
        room.wake_and_ask()
        room.daemon.event("reply", what="drained")


def test_a_microphone_that_delivers_no_sound_is_told_until_it_does() -> None:
    """Open and dead: after ten seconds it says so, and does not claim to hear before it can."""
    with open_room() as room:
        daemon = room.daemon
        room.sound.speak(np.full(11 * 16_000, 500, "<i2").tobytes())
        fault = daemon.event("fault", kind="microphone", cleared=False)
        assert "one and the same value" in fault["message"]
        daemon.state("fault")
        after = daemon.here
        speaking = room.sound.start_speaking(np.full(2 * 16_000, 500, "<i2").tobytes())
        assert speaking.wait(EVENT_S) == 0
        assert not daemon.seen("fault", kind="microphone", cleared=True)
        room.sound.speak(spoken("good morning"))
        daemon.event("fault", kind="microphone", cleared=True)
        daemon.state("idle", after=after)


def test_a_sound_system_that_hangs_ends_the_process() -> None:
    """Nothing of ours can stop a thread in there; the next process begins anew."""
    with open_room() as room:
        room.sound.freeze(frozen=True)
        began = time.monotonic()
        try:
            assert room.daemon.process.wait(30) == 1
        finally:
            room.sound.freeze(frozen=False)
        print(
            f"\na sound system that hangs ends the process after {time.monotonic() - began:.1f} s"
        )
        assert "restart the process" in room.daemon.log()


def test_no_server_is_a_told_failure_and_the_next_wake_works() -> None:
    """Refused: an error is told and shown, and when the server is back so is the speaker."""
    with open_room(Script(turns=(SHORT,))) as room:
        room.server.call(lambda server: server.kill_listener())
        room.wake_and_ask()
        fault = room.daemon.event("fault", kind="network", cleared=False)
        assert fault["fatal"] is False
        room.daemon.state("fault")
        assert room.daemon.status()["last_fault"]["kind"] == "network"
        room.server.call(lambda server: server.listen())
        after = room.daemon.here
        room.wake_and_ask(before_ms=2500)
        room.daemon.event("fault", after=after, kind="network", cleared=True)
        room.daemon.event("reply", after=after, what="drained")


def test_a_wrong_key_is_told_as_such_and_tried_once() -> None:
    """The key is refused: told as fatal, once per wake, and the key is written nowhere."""
    script = Script(turns=(SHORT,), api_keys=("the-right-one",))
    key = "a-wrong-key-0123456789"
    with open_room(script, key=key) as room:
        room.wake_and_ask()
        fault = room.daemon.event("fault", kind="key", cleared=False)
        assert fault["fatal"] is True
        room.daemon.state("fault")
        shown = room.daemon.cli("status").stdout + room.daemon.log() + json.dumps(fault)
        command_line = Path(f"/proc/{room.daemon.process.pid}/cmdline").read_text()
        assert key not in shown + command_line + json.dumps(room.daemon.events)
        assert len(room.server.connections) == 1


def test_without_a_key_it_starts_and_says_so_at_the_first_wake() -> None:
    """A missing key does not keep the speaker from starting; asking it tells what to do."""
    with open_room(key=None) as room:
        asked = room.daemon.cli("ask", "hello")
        assert asked.returncode == 1
        assert "no API key found" in asked.stderr
        assert "LoadCredential=gemini_api_key" in asked.stderr
        room.daemon.event("fault", kind="key", cleared=False)
        assert room.server.attempts == 0


def test_a_lost_connection_in_a_reply_ends_in_a_told_failure() -> None:
    """No resumption, TCP is cut: what had arrived is played, the failure is told, then it rests."""
    paced = Turn(heard="story", says="once", audio=6000, pace="realtime")
    script = Script(turns=(paced,), events=(Event("reply", Drop(), after_s=1.0),), loop=False)
    with open_room(script, {"live": {"resumption": False}}) as room:
        room.wake_and_ask()
        room.daemon.event("session", what="failed")
        room.daemon.event("fault", kind="network", cleared=False)
        fault = room.daemon.state("fault")
        assert fault["from"] == "speaking"
        assert 500 < room.daemon.event("reply", what="drained")["played_ms"] < 2500
        room.daemon.state("idle", after=room.daemon.events.index(fault))


def test_a_lost_connection_is_resumed_and_the_talk_goes_on() -> None:
    """TCP is cut while the user speaks: the session is resumed on its handle, no word is lost."""
    script = Script(turns=(SHORT,), events=(Event("audio", Drop(), after_s=2.5, connections=(1,)),))
    with open_room(script) as room:
        room.wake_and_ask()
        room.daemon.event("session", what="resumed")
        room.daemon.event("reply", what="drained")
        assert room.daemon.seen("fault") == []


def test_events_and_status_keep_their_contract() -> None:
    """`watch --json` prints the event stream line by line; `status --json` is whole."""
    with open_room(Script(turns=(SHORT,))) as room:
        room.wake_and_ask()
        room.daemon.event("uplink", what="stopped", timeout=30)
        fields = {event["event"]: set(event) - {"time", "event"} for event in room.daemon.events}
        assert fields["state"] == {"from", "to", "reason"}
        assert fields["wake"] == {"word", "score"}
        assert fields["session"] == {"what", "reason", "latency_ms", "model"}
        assert fields["reply"] == {"what", "turn", "played_ms"}
        assert fields["transcript"] == {"who", "text", "final"}
        assert fields["uplink"] == {"what", "frames", "bytes"}
        assert fields["activity"] == {"what"}
        assert {"total"} <= fields["usage"]
        times = [event["time"] for event in room.daemon.events]
        assert max(b - a for a, b in zip(times[1:], times, strict=False)) < 1.0
        status = json.loads(room.daemon.cli("status", "--json").stdout)
        assert status["state"] == "idle"
        assert status["counters"]["microphone"]["frames"] > 0
        assert "hey_jarvis" in room.daemon.cli("status").stdout
        assert "weather" not in room.daemon.log()


def test_volume_is_set_and_shown() -> None:
    """`parley volume` prints the volume; a wrong one is refused with exit code 2."""
    with open_room() as room:
        assert room.daemon.cli("volume").stdout == "100\n"
        assert room.daemon.cli("volume", "30").stdout == "30\n"
        assert room.daemon.status()["volume"] == 30
        wrong = room.daemon.cli("volume", "130")
        assert wrong.returncode == 2
        assert "130" in wrong.stderr


def test_reload_takes_a_good_file_and_refuses_a_bad_one() -> None:
    """A mistake is named with its line and changes nothing; a good file counts at once."""
    with open_room() as room:
        config = {"live": {"endpoint": room.server.url}, "audio": {"volume": 40}}
        room.daemon.write_config({**config, "wake": {"wrods": []}})
        refused = room.daemon.cli("reload")
        assert refused.returncode == 1
        assert "wrods" in refused.stderr
        assert "words" in refused.stderr
        room.daemon.event("fault", kind="config", cleared=False)
        assert room.daemon.status()["volume"] == 100
        words = [{"model": "alexa", "threshold": 0.4}]
        room.daemon.write_config({**config, "wake": {"words": words}})
        room.daemon.process.send_signal(signal.SIGHUP)
        room.daemon.event("fault", kind="config", cleared=True)
        room.daemon.wait(lambda: room.daemon.status()["volume"] == 40, "the new volume")
        assert room.daemon.status()["wake_words"] == ["alexa"]
        room.wake_and_ask("alexa, what is the weather in Berlin", before_ms=2500)
        room.daemon.event("wake", word="alexa")


def test_a_mistake_does_not_outlive_a_power_cut() -> None:
    """Restarted while the file has a mistake, it hears as before, and says what is wrong."""
    config = {"audio": {"volume": 44}}
    with open_room(Script(turns=(SHORT,)), config) as room:
        daemon = room.daemon
        daemon.wait((daemon.path / "last_good.yaml").exists, "kept settings")
        whole = daemon.config_file.read_text()
        daemon.config_file.write_text(whole.replace("volume: 44", "volume: 444"))
        daemon.restart()
        assert daemon.status()["volume"] == 44
        daemon.state("idle")
        daemon.wait(lambda: any("444 is not in" in n for n in daemon.notified), "the status line")
        assert "444 is not in" in daemon.cli("status").stdout
        assert daemon.status()["lights_show"] == "mistake"
        shown = daemon.cli("config", "show").stdout
        assert "last good settings" in shown.splitlines()[0]
        assert "444 is not in" in shown.splitlines()[1]
        room.wake_and_ask(before_ms=2500)
        daemon.event("reply", what="drained")
        daemon.config_file.write_text(whole.replace("volume: 44", "volume: 45"))
        assert daemon.cli("reload").returncode == 0
        daemon.event("fault", kind="config", cleared=True)
        assert daemon.status()["config"]["in_force"] == "file"
        assert daemon.status()["lights_show"] != "mistake"
        assert "Traceback" not in daemon.log()


def test_a_mistake_in_the_configuration_ends_with_78(tmp_path: Path) -> None:
    """Systemd must not try a broken file again and again."""
    with open_room(wait_ready=False, config={"lights": {"brightness": 400}}) as room:
        assert room.daemon.ended() == os.EX_CONFIG
        assert "lights.brightness" in room.daemon.log()


def test_a_wake_word_network_that_is_missing_ends_with_78() -> None:
    """The file is named, and it is a mistake of the configuration."""
    words = {"wake": {"words": [{"model": "/nowhere/hey_fred.onnx"}]}}
    with open_room(wait_ready=False, config=words) as room:
        assert room.daemon.ended() == os.EX_CONFIG
        assert "/nowhere/hey_fred.onnx" in room.daemon.log()


def test_the_control_socket_is_for_owner_and_group() -> None:
    """Mode 0660; a second speaker on the same socket is refused; a client without one is told."""
    with open_room() as room:
        mode = room.daemon.socket.stat().st_mode
        assert stat.S_IMODE(mode) == 0o660
        second = room.daemon.cli("run", "--config", str(room.daemon.config_file))
        assert second.returncode == 1
        assert "already runs" in second.stderr
        nobody = room.daemon.path / "nobody.sock"
        room.daemon.socket = nobody
        lonely = room.daemon.cli("status")
        assert lonely.returncode == 1
        assert str(nobody) in lonely.stderr
        room.daemon.socket = room.daemon.path / "control.sock"


def test_devices_says_what_it_would_take() -> None:
    """`parley devices` names the cards and the one it would take."""
    with open_room() as room:
        told = room.daemon.cli("devices")
        assert told.returncode == 0, told.stderr
        assert "default" in told.stdout
        (device,) = json.loads(room.daemon.cli("devices", "--json").stdout)["devices"]
        assert device["microphone"]
        assert device["speaker"]
        assert "system's default input" in device["why"]
