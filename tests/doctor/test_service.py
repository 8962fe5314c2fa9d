"""Configuration, key, state, unit, speaker and faults."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from device.doctor import service as checks
from device.doctor.result import Verdict
from device.doctor.scene import Account, Outcome
from device.errors import CredentialError, ParleyError
from tests.rig.scene import Commands, machine, only

KEY = "AIzaTheKeyOfThisTestIsNobodysBusiness01"
KEY_FILE = "etc/parley/credentials/gemini_api_key"
CONFIG = "etc/parley/config.yaml"


def test_a_configuration_without_a_mistake_is_fine(tmp_path: Path) -> None:
    """Also where there is no file at all."""
    assert "defaults" in only(checks.config(machine(tmp_path))).figure
    scene = machine(tmp_path, files={CONFIG: "audio: {volume: 30}\n"})
    told = only(checks.config(scene))
    assert (told.verdict, told.figure) == (Verdict.FINE, str(scene.config_path))


def test_every_mistake_is_in_the_figures(tmp_path: Path) -> None:
    """The first one in the table."""
    told = only(
        checks.config(machine(tmp_path, files={CONFIG: "audio: {volume: 300}\nlive: {voise: x}\n"}))
    )
    assert told.verdict is Verdict.BROKEN
    assert "volume" in told.figure
    assert told.figure.endswith("and 1 more")
    assert len(told.figures["mistakes"]) == 2


def test_while_the_file_has_a_mistake_it_is_said_what_is_in_force(tmp_path: Path) -> None:
    """By the speaker that runs."""
    status = {"config": {"in_force": "last good"}}
    scene = machine(tmp_path, files={CONFIG: "audio: {volume: 300}\n"}, status=status)
    told = only(checks.config(scene))
    assert told.advice == (
        "correct it; see: parley config check; until then the last good settings are in force"
    )


def test_a_configuration_that_this_user_may_not_read_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With who may; also where not even its folder may be looked into."""
    scene = machine(tmp_path, files={CONFIG: ""})
    monkeypatch.setattr("device.doctor.service.os.access", lambda _path, _mode: False)
    assert only(checks.config(scene)).advice == "sudo parley doctor"

    def closed(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("device.doctor.service.Path.exists", closed)
    assert only(checks.config(scene)).verdict is Verdict.SKIPPED


def test_a_model_that_is_going_is_a_hint(tmp_path: Path) -> None:
    """As `parley config check` says."""
    text = "live: {model: gemini-2.0-flash-live-001}\n"
    told = only(checks.config(machine(tmp_path, files={CONFIG: text})))
    assert told.verdict is Verdict.HINT
    assert "gemini-2.0-flash-live-001 was switched off" in told.advice


def test_the_key_is_found_where_the_service_finds_it(tmp_path: Path) -> None:
    """In the environment, in systemd's copy, in the owner's file; it is never shown."""
    running = machine(tmp_path, files={"run/credentials/parley.service/gemini_api_key": KEY})
    at_rest = machine(tmp_path / "b", files={KEY_FILE: KEY})
    (tmp_path / "b" / KEY_FILE).chmod(0o600)
    by_hand = machine(tmp_path / "c", environ={"GEMINI_API_KEY": KEY})
    for scene in (running, at_rest, by_hand):
        told = only(checks.key(scene))
        assert told.verdict is Verdict.FINE
        assert KEY not in repr(told)
        assert checks.key_in(scene).secret == KEY


def test_a_key_that_others_may_read_can_be_hidden(tmp_path: Path) -> None:
    """As the installer makes it."""
    scene = machine(tmp_path, files={KEY_FILE: KEY})
    (tmp_path / KEY_FILE).chmod(0o644)
    told = only(checks.key(scene))
    assert told.verdict is Verdict.HINT
    assert told.cure is not None
    told.cure.do()
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert only(checks.key(scene)).verdict is Verdict.FINE


def test_no_key_is_broken_and_so_is_a_mistyped_one(tmp_path: Path) -> None:
    """A mistyped one is not replaced by another."""
    assert only(checks.key(machine(tmp_path))).verdict is Verdict.BROKEN
    scene = machine(tmp_path, files={KEY_FILE: KEY}, environ={"GEMINI_API_KEY": f"two words {KEY}"})
    told = only(checks.key(scene))
    assert told.verdict is Verdict.BROKEN
    assert KEY not in repr(told)
    with pytest.raises(CredentialError):
        checks.key_in(scene)


def test_who_may_not_read_the_key_is_told_to_become_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not missing."""
    scene = machine(tmp_path, files={KEY_FILE: ""})
    monkeypatch.setattr("device.doctor.service.os.geteuid", lambda: 1000)
    monkeypatch.setattr("device.doctor.service.os.access", lambda _path, _mode: False)
    told = only(checks.key(scene))
    assert (told.verdict, told.advice) == (Verdict.SKIPPED, "sudo parley doctor")


def test_a_folder_that_is_missing_can_be_made(tmp_path: Path) -> None:
    """With the mode that systemd gives it."""
    scene = machine(tmp_path)
    told = only(checks.state(scene))
    assert told.verdict is Verdict.HINT
    assert told.cure is not None
    told.cure.do()
    assert only(checks.state(scene)).verdict is Verdict.FINE
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o750
    assert only(checks.state(machine(tmp_path, state_folder=None))).verdict is Verdict.SKIPPED


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_a_folder_of_another_user_can_be_given_back(tmp_path: Path) -> None:
    """With all that is in it; one that is made belongs to the speaker."""
    account = Account("nobody", 4_242, frozenset({4_242, 29}), 4_243)
    scene = machine(tmp_path, files={"state/clips/a.wav": ""}, account=account)
    told = only(checks.state(scene))
    assert told.verdict is Verdict.BROKEN
    assert told.cure is not None
    told.cure.do()
    assert only(checks.state(scene)).verdict is Verdict.FINE
    assert (tmp_path / "state/clips/a.wav").stat().st_uid == 4_242
    fresh = machine(tmp_path, account=account, state_folder=tmp_path / "fresh")
    told = only(checks.state(fresh))
    assert told.cure is not None
    told.cure.do()
    assert (tmp_path / "fresh").stat().st_uid == 4_242
    assert (tmp_path / "fresh").stat().st_gid == 4_243


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_what_a_link_in_the_folder_points_to_is_not_given_away(tmp_path: Path) -> None:
    """Whoever has got hold of the speaker may put a link to a file of root's there."""
    account = Account("nobody", 4_242, frozenset({4_242, 29}), 4_243)
    scene = machine(tmp_path, files={"state/a": "", "roots/own": ""}, account=account)
    (tmp_path / "state/link").symlink_to(tmp_path / "roots/own")
    (tmp_path / "state/folder").symlink_to(tmp_path / "roots")
    told = only(checks.state(scene))
    assert told.cure is not None
    told.cure.do()
    for name in ("state", "state/a"):
        about = (tmp_path / name).stat()
        assert (about.st_uid, about.st_gid) == (4_242, 4_243)
    for name in ("roots", "roots/own"):
        assert (tmp_path / name).stat().st_uid == 0
    assert (tmp_path / "state/link").lstat().st_uid == 4_242


def test_a_memory_that_is_no_file_is_set_aside(tmp_path: Path) -> None:
    """A pipe that never ends, or a link to something that others must not see; neither is read."""
    scene = machine(tmp_path, files={"state/a": "", "secret": "{"})
    os.mkfifo(tmp_path / "state/echo.json")
    (tmp_path / "state/talk.json").symlink_to(tmp_path / "secret")
    told = only(checks.state(scene))
    assert told.figure == "echo.json and talk.json cannot be read"
    assert told.cure is not None
    told.cure.do()
    assert only(checks.state(scene)).verdict is Verdict.FINE
    assert (tmp_path / "secret").read_text() == "{"


@pytest.mark.parametrize(
    "text", ["{", "[]", "\udcff".encode(errors="replace").decode(), "[" * 9999]
)
def test_a_memory_that_is_damaged_is_set_aside(tmp_path: Path, text: str) -> None:
    """The speaker does without it, and says so at every start."""
    scene = machine(tmp_path, files={"state/echo.json": text, "state/talk.json": "{}"})
    told = only(checks.state(scene))
    assert (told.verdict, told.figure) == (Verdict.HINT, "echo.json cannot be read")
    assert told.cure is not None
    told.cure.do()
    assert only(checks.state(scene)).verdict is Verdict.FINE
    assert (tmp_path / "state/echo.json.damaged").read_text() == text


def entry(number: int) -> dict[str, Any]:
    appointment: dict[str, Any] = {
        "time": "07:00:00",
        "date": "2030-12-24",
        "weekdays": [],
        "after": None,
    }
    return {"id": number, "kind": "alarm", "appointment": {**appointment, "marked_s": 0.0}}


def test_timers_that_are_kept_are_counted(tmp_path: Path) -> None:
    """Also where fifty with long texts take more room than any other file may."""
    long = [{**entry(number), "text": "\N{SNOWMAN}" * 500} for number in range(1, 51)]
    record = json.dumps({"last_id": 50, "entries": long})
    assert len(record) > 65_536
    scene = machine(tmp_path, files={"state/timers.json": record})
    told = only(checks.state(scene))
    assert (told.verdict, told.figures["timers"]) == (Verdict.FINE, 50)
    assert told.figure == f"{tmp_path}/state, timers and alarms set: 50"


@pytest.mark.parametrize("text", ["{", '{"entries": 3}', '{"entries": [' + "0," * 262_144 + "0]}"])
def test_timers_that_are_damaged_are_told_and_set_aside(tmp_path: Path, text: str) -> None:
    """With what that costs: whoever relies on an alarm has to know."""
    scene = machine(tmp_path, files={"state/timers.json": text, "state/echo.json": "{}"})
    told = only(checks.state(scene))
    assert (told.verdict, told.figure) == (Verdict.HINT, "timers.json cannot be read")
    assert "the timers and alarms in it are lost: set them again" in told.advice
    assert told.cure is not None
    told.cure.do()
    assert only(checks.state(scene)).verdict is Verdict.FINE
    assert (tmp_path / "state/timers.json.damaged").read_text() == text


def test_an_alarm_that_is_damaged_costs_no_other(tmp_path: Path) -> None:
    """It is told, and nothing is set aside."""
    record = json.dumps({"last_id": 2, "entries": [entry(1), {**entry(2), "kind": "egg"}]})
    told = only(checks.state(machine(tmp_path, files={"state/timers.json": record})))
    assert (told.verdict, told.cure) == (Verdict.HINT, None)
    assert told.figure == "timers.json: an entry of it is lost: it has no number and kind"
    assert "parley timers" in told.advice


def test_a_memory_that_may_not_be_read_is_not_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be whole: nothing is known of what is in it."""

    def refuse(path: Path, _most_bytes: int) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    scene = machine(tmp_path, files={"state/echo.json": "{", "state/talk.json": "{}"})
    monkeypatch.setattr(checks, "small_content", refuse)
    assert only(checks.state(scene)).verdict is Verdict.FINE


def test_a_folder_that_may_not_be_looked_into_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With who may."""
    scene = machine(tmp_path, state_folder=Path("/dev/null/state"))
    told = only(checks.state(scene))
    assert (told.verdict, told.advice) == (Verdict.SKIPPED, "sudo parley doctor")


def shown(**about: str) -> str:
    usual = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running",
             "NRestarts": "0", "Result": "success", "ExecMainStatus": "0"}  # fmt: skip
    return "\n".join(f"{name}={value}" for name, value in {**usual, **about}.items())


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (shown(), Verdict.FINE, "active (running), restarted 0 times"),
        (shown(NRestarts="3"), Verdict.HINT, "restarted 3 times"),
        (
            shown(ActiveState="failed", SubState="failed", Result="exit-code", ExecMainStatus="78"),
            Verdict.BROKEN,
            "the configuration is refused",
        ),
        (
            shown(ActiveState="failed", SubState="failed", Result="watchdog", ExecMainStatus="6"),
            Verdict.BROKEN,
            "watchdog, exit code 6",
        ),
        (
            shown(ActiveState="inactive", SubState="dead", NRestarts=""),
            Verdict.BROKEN,
            "inactive (dead), restarted 0 times by itself",
        ),
        (shown(LoadState="not-found"), Verdict.SKIPPED, "not installed"),
        (Outcome(1), Verdict.SKIPPED, "systemd does not answer"),
    ],
)
def test_the_unit_as_systemd_sees_it(
    tmp_path: Path, answer: str | Outcome, verdict: Verdict, words: str
) -> None:
    """A refused configuration is told from a crash."""
    told = only(checks.unit(machine(tmp_path, run=Commands(systemctl=answer))))
    assert told.verdict is verdict
    assert words in told.figure


def test_a_speaker_that_was_started_by_hand_needs_no_unit(tmp_path: Path) -> None:
    """Until its terminal is closed."""
    commands = Commands(systemctl=shown(ActiveState="inactive", SubState="dead"))
    told = only(checks.unit(machine(tmp_path, run=commands, alive=True)))
    assert (told.verdict, told.cure) == (Verdict.HINT, None)
    assert "by hand" in told.advice


def test_a_unit_that_failed_can_be_started_again(tmp_path: Path) -> None:
    """After its start limit is forgotten; not where the configuration is refused."""
    commands = Commands(systemctl=shown(ActiveState="failed", ExecMainStatus="1"))
    told = only(checks.unit(machine(tmp_path, run=commands)))
    assert told.cure is not None
    told.cure.do()
    assert commands.given[1:] == [
        "systemctl reset-failed parley.service",
        "systemctl restart parley.service",
    ]
    commands.told["systemctl"] = Outcome(4, err="Access denied\n")
    with pytest.raises(ParleyError, match=r"^Access denied$"):
        told.cure.do()
    commands.told["systemctl"] = Outcome(5)
    with pytest.raises(ParleyError, match="ended with 5"):
        told.cure.do()
    refused = Commands(systemctl=shown(ActiveState="failed", ExecMainStatus="78"))
    assert only(checks.unit(machine(tmp_path, run=refused))).cure is None


STATUS: dict[str, Any] = {
    "state": "idle", "uptime_s": 12.3, "version": "1", "muted": False, "faults": [],
    "session": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("over", "verdict", "words"),
    [
        ({"status": STATUS, "alive": True}, Verdict.FINE, "idle, up for 12 s"),
        ({"status": {**STATUS, "muted": True}, "alive": True}, Verdict.HINT, "muted"),
        (
            {"status": {**STATUS, "timers": {"kept": False}}, "alive": True},
            Verdict.HINT,
            "timers are not kept",
        ),
        (
            {
                "status": {**STATUS, "faults": [{"kind": "dns", "message": "no names"}]},
                "alive": True,
            },
            Verdict.BROKEN,
            "dns",
        ),
        (
            {
                "status": {**STATUS, "session": {"refused_settings": ["live.voice"]}},
                "alive": True,
            },
            Verdict.HINT,
            "talks go on without live.voice",
        ),
        ({"alive": True, "silence": "use sudo"}, Verdict.HINT, "may not be asked"),
        ({"alive": True, "hung": True, "silence": "no answer"}, Verdict.BROKEN, "it hangs"),
        ({"silence": "nobody answers"}, Verdict.SKIPPED, "none runs"),
    ],
)
def test_what_the_running_speaker_says(
    tmp_path: Path, over: dict[str, Any], verdict: Verdict, words: str
) -> None:
    """And why it says nothing."""
    told = only(checks.speaker(machine(tmp_path, **over)))
    assert told.verdict is verdict
    assert words in told.figure


def journal(*records: dict[str, Any]) -> str:
    return "\n".join([*(json.dumps(record) for record in records), "no json", "[]", ""])


def test_the_faults_of_a_day_are_counted(tmp_path: Path) -> None:
    """Those that began; older ones and those that were over are left out."""
    now_us, old_us = str(int(time.time() * 1e6)), str(int((time.time() - 90_000) * 1e6))
    told = only(
        checks.faults(
            machine(
                tmp_path,
                run=Commands(
                    journalctl=journal(
                        {"FAULT": "dns", "PRIORITY": "3", "__REALTIME_TIMESTAMP": old_us},
                        {"FAULT": "dns", "PRIORITY": "3", "__REALTIME_TIMESTAMP": now_us},
                        {"FAULT": "dns", "PRIORITY": "6", "__REALTIME_TIMESTAMP": now_us},
                        {
                            "FAULT": "microphone",
                            "PRIORITY": "3",
                            "__REALTIME_TIMESTAMP": now_us,
                            "MESSAGE": "microphone: it is gone",
                        },
                        {"MESSAGE": "heard hey_jarvis", "PRIORITY": "6"},
                    )
                ),
            )
        )
    )
    assert (told.verdict, told.figure) == (Verdict.HINT, "last 24 h: dns 1x, microphone 1x")
    assert told.advice == "the last: microphone: it is gone"
    assert told.figures["counts"] == {"dns": 1, "microphone": 1}


def test_a_quiet_day_is_fine_and_a_closed_journal_is_skipped(tmp_path: Path) -> None:
    """With who may read it."""
    quiet = machine(tmp_path, run=Commands(journalctl=""))
    assert only(checks.faults(quiet)).verdict is Verdict.FINE
    assert only(checks.faults(machine(tmp_path))).advice == "sudo parley doctor"
    warned = Outcome(0, err="Hint: You are currently not seeing messages from other users")
    blind = machine(tmp_path, run=Commands(journalctl=warned))
    assert only(checks.faults(blind)).verdict is Verdict.SKIPPED
