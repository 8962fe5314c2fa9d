"""Timers and alarms by command: the real process, without a model, over a power cut."""

from __future__ import annotations

import json
from typing import Any

from tests.rig.daemon import Daemon
from tests.rig.room import open_room


def listed(daemon: Daemon) -> dict[str, dict[str, Any]]:
    told = daemon.cli("timers", "--json")
    assert told.returncode == 0, told.stderr
    return {each["name"]: each for each in json.loads(told.stdout)["timers"]}


def test_what_was_set_is_still_there_after_a_power_cut() -> None:
    """As it was: the timer has gone on meanwhile, the alarm rings on its days."""
    with open_room() as room:
        daemon = room.daemon
        for words, told in (
            ("set 1h green tea", "timer 1 'green tea' rings in 1 hour, "),
            ("at 07:00 --on mon,fri work", "alarm 2 'work' rings in "),
        ):
            done = daemon.cli("timers", *words.split())
            print(done.stdout, done.stderr)
            assert done.stdout.startswith(told)
            assert (done.returncode, done.stderr) == (0, "")
        daemon.event("timer", what="set", kind="alarm", id=2)
        before = listed(daemon)
        daemon.restart()
        after = listed(daemon)
        assert set(after) == {"green tea", "work"}
        assert 3_500 < after["green tea"]["left_s"] <= before["green tea"]["left_s"]
        for name in after:
            assert after[name]["due"] == before[name]["due"]
        assert after["work"]["weekdays"] == ["mon", "fri"]
        assert daemon.status()["timers"]["set"] == 2
        assert "timers        2 set; the next rings" in daemon.cli("status").stdout
        refused = daemon.cli("timers", "cancel", "egg")
        assert refused.returncode == 1
        assert "no timer or alarm is called 'egg'; there are: " in refused.stderr


def test_what_rings_is_snoozed_and_stopped_by_command() -> None:
    """While the microphone is muted; systemd is told that something rings."""
    with open_room() as room:
        daemon = room.daemon
        assert daemon.cli("mute").returncode == 0
        daemon.state("muted")
        assert daemon.cli("timers", "set", "1", "tea").returncode == 0
        daemon.event("timer", what="ringing", id=1)
        daemon.wait(
            lambda: any("muted; timer 1 rings; " in told for told in daemon.notified),
            "the status line",
        )
        after = daemon.here
        assert "timer 1 'tea' rings in 1 second, at " in daemon.cli("timers", "snooze", "1s").stdout
        daemon.event("timer", after=after, what="ringing")
        assert daemon.cli("timers", "stop").stdout == "stopped: timer 1 'tea'\n"
        assert "none is set" in daemon.cli("timers").stdout
        assert daemon.seen("fault") == []
