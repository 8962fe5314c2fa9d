"""These checks look at the service: its file, key, state and unit, and what went wrong."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from device.build import checked_config as checked
from device.config.file import InForce
from device.credentials.api_key import CREDENTIAL_NAME, KEY_FILE, VARIABLES
from device.credentials.lookup import ApiKey, find_api_key, find_machine_key
from device.doctor.handed_over import handed_over
from device.doctor.result import Cure, Result, Verdict, broken, fine, hint, judged, skipped
from device.doctor.scene import UNIT, Account, Scene
from device.doctor.state_files import small_content
from device.errors import ConfigError, CredentialError, ParleyError
from device.state.echo import FILE as ECHO_FILE
from device.state.store import MAX_BYTES, DurableFile
from device.state.talk import FILE as TALK_FILE
from device.timers.memory import FILE as TIMERS_FILE
from device.timers.memory import MAX_BYTES as TIMERS_MAX_BYTES
from device.timers.record import schedule_in
from device.timers.schedule import Schedule

LATELY_S = 24 * 3600
FAULT_LINES = 400
"""How much of the journal is looked through for faults."""
KEPT = {ECHO_FILE: MAX_BYTES, TALK_FILE: MAX_BYTES, TIMERS_FILE: TIMERS_MAX_BYTES}
"""The files that may be set aside when they are damaged, and how much is read of each."""
TIMERS_LOST = "the timers and alarms in it are lost: set them again (parley timers)"
LOST_ENTRY = "the others ring; see what there is and set the lost ones again: parley timers"
NOT_KEPT = "a restart would lose timers and alarms: the disk must take what is written to it"
REFUSED = (
    "the server takes them not from this model or key: leave them out, or change live.model (of a "
    "persona with its own: personas.NAME.model)"
)
PROPERTIES = (
    "LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,UnitFileState,StatusText"
)
EX_CONFIG = str(os.EX_CONFIG)
RESTART = "the service takes its files when it starts: sudo systemctl restart parley"


def config(scene: Scene) -> Iterator[Result]:
    """Every mistake in the file, and what will not work for ever."""
    path = scene.config_path
    if _hidden(path):
        yield skipped("config", f"{path} may not be read by this user", "sudo parley doctor")
        return
    try:
        settings = checked.load(path if path.exists() else None)
    except ConfigError as error:
        first, *more = error.lines()
        count = f" and {len(more)} more" if more else ""
        lines = error.lines()
        advice = "correct it; see: parley config check"
        in_force = (scene.status or {}).get("config", {}).get("in_force")
        if in_force == InForce.LAST_GOOD:
            advice += "; until then the last good settings are in force"
        yield broken("config", f"{first}{count}", advice, mistakes=lines)
        return
    warnings = checked.warnings(settings)
    figure = str(path) if path.exists() else f"{path} is not there: defaults"
    if warnings:
        yield hint("config", figure, "; ".join(warnings))
    else:
        yield fine("config", figure)


def key_in(scene: Scene) -> ApiKey:
    """Find the key as the service would, also from outside of it. Raises CredentialError."""
    return find_machine_key(scene.environ, scene.root)


def key(scene: Scene) -> Iterator[Result]:
    """Report whether there is a key, and who else might read it; never what it is."""
    lent = scene.config.live.token_url
    if lent is not None:
        yield skipped("key", f"not needed: tokens come from {urlsplit(lent).netloc}")
        return
    path = scene.root / str(KEY_FILE)[1:]
    by_hand = any(name in scene.environ for name in VARIABLES)
    unit = None if by_hand else handed_over(scene)
    if unit is not None and not unit.reaches(CREDENTIAL_NAME):
        figure = "systemd does not hand it over to the service"
        yield broken("key", figure, unit.remedy(CREDENTIAL_NAME))
        return
    try:
        found = key_in(scene)
    except CredentialError as error:
        if os.geteuid() != 0 and _hidden(path):
            yield skipped("key", "only root may read it", "sudo parley doctor")
        else:
            yield broken("key", "there is none that can be used", str(error))
        return
    if found.source == str(path) and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        cure = Cure(f"only root may read {path} now", lambda: path.chmod(0o600))
        yield hint("key", f"others may read {path}", f"sudo chmod 600 {path}", cure)
        return
    if not by_hand and _is_old(scene):
        yield hint("key", "the service runs without it, or with an older one", RESTART)
        return
    yield fine("key", f"from {found.source}", source=found.source)


def _is_old(scene: Scene) -> bool:
    """Whether the owner's file holds a key and systemd's copy, which is in use, another or none."""
    copies = scene.root / "run/credentials" / UNIT
    kept = _key_at(scene.root / str(KEY_FILE.parent)[1:])
    return (copies.is_dir() or _runs_without_any(scene)) and kept not in {None, _key_at(copies)}


def _runs_without_any(scene: Scene) -> bool:
    """Whether the service runs and was handed nothing at all, as before a drop-in was mended."""
    shown = ["systemctl", "show", UNIT, "--property=ActiveState"]
    return scene.alive and "ActiveState=active" in scene.run(shown).out


def _key_at(folder: Path) -> str | None:
    try:
        return find_api_key({"CREDENTIALS_DIRECTORY": str(folder)}).secret
    except CredentialError:
        return None


def _hidden(path: Path) -> bool:
    try:
        return path.exists() and not os.access(path, os.R_OK)
    except PermissionError:
        return True


def state(scene: Scene) -> Iterator[Result]:
    """Report whether what outlives the process can be kept, and can be read."""
    folder = scene.state_folder
    if folder is None:
        yield skipped("state", "neither STATE_DIRECTORY nor HOME is set: nothing is kept")
        return
    account = scene.account
    try:
        about = folder.stat()
    except FileNotFoundError:
        cure = Cure(f"{folder} was made", lambda: _make(folder, account))
        advice = "it is made when the speaker starts; --fix makes it"
        yield hint("state", f"{folder} is not there", advice, cure)
        return
    except OSError as error:
        yield skipped("state", f"{folder}: {error.strerror}", "sudo parley doctor")
        return
    if account.uid not in (0, about.st_uid):
        cure = Cure(f"{folder} belongs to {account.name} now", lambda: _own(folder, account))
        advice = f"sudo chown -R {account.name}: {folder}"
        yield broken("state", f"{folder} does not belong to {account.name}", advice, cure)
        return
    yield _kept(folder)


def _kept(folder: Path) -> Result:
    """Report whether what is kept can be read, and how many timers and alarms are set."""
    damaged: list[str] = []
    schedule, lost = Schedule(), list[str]()
    for name, most_bytes in KEPT.items():
        try:
            record = _record_in(folder / name, most_bytes)
            if name == TIMERS_FILE and record is not None:
                schedule, lost = schedule_in(record)
        except ValueError:
            damaged.append(name)
    if damaged:
        names = " and ".join(damaged)
        files = [DurableFile(folder, name) for name in damaged]
        cure = Cure(f"{names} set aside as *.damaged", lambda: _set_aside(files))
        loses = f"; {TIMERS_LOST}" if TIMERS_FILE in damaged else ""
        return hint("state", f"{names} cannot be read", f"--fix sets it aside{loses}", cure)
    if lost:
        return hint("state", f"{TIMERS_FILE}: {'; '.join(lost)}", LOST_ENTRY)
    count = len(schedule.entries)
    told = f", timers and alarms set: {count}" if count else ""
    return fine("state", f"{folder}{told}", path=str(folder), timers=count)


def _make(folder: Path, account: Account) -> None:
    folder.mkdir(mode=0o750, parents=True)
    if os.geteuid() == 0 and account.uid:
        os.chown(folder, account.uid, account.gid)


def _own(folder: Path, account: Account) -> None:
    """Give a folder and all in it to the account, and nothing that a link in it points to.

    Whoever may write there could put a link to a file of root's, at any moment: so each file is
    named by its open folder, and no link is followed.
    """
    for _, names, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        os.chown(descriptor, account.uid, account.gid)
        for name in (*names, *files):
            os.chown(name, account.uid, account.gid, dir_fd=descriptor, follow_symlinks=False)


def _set_aside(damaged: Iterable[DurableFile]) -> None:
    for file in damaged:
        file.set_aside()


def _record_in(path: Path, most_bytes: int) -> dict[str, Any] | None:
    """Return the JSON object in a small file; None where it is not there, or may not be read.

    Raises ValueError where it holds none.
    """
    try:
        record = json.loads(small_content(path, most_bytes))
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EINVAL}:
            raise ValueError(f"{path} is no file") from error
        return None
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path} holds no object")  # noqa: TRY004 - of a file, not of a call
    return record


def unit(scene: Scene) -> Iterator[Result]:
    """Report how systemd sees the speaker."""
    told = scene.run(["systemctl", "show", UNIT, f"--property={PROPERTIES}"])
    about = dict(line.split("=", 1) for line in told.out.splitlines() if "=" in line)
    if not told.worked or about.get("LoadState") != "loaded":
        if told.worked:
            yield skipped("unit", f"{UNIT} is not installed", "sudo ./install.sh installs it")
        else:
            yield skipped("unit", "systemd does not answer here")
        return
    active, sub, restarts = (about.get(n, "") for n in ("ActiveState", "SubState", "NRestarts"))
    figure = f"{active} ({sub}), restarted {restarts or 0} times by itself"
    figures = {
        "active": active,
        "sub": sub,
        "restarts": int(restarts) if restarts.isdecimal() else 0,
        "result": about.get("Result", ""),
        "exit_code": about.get("ExecMainStatus", ""),
    }
    if active == "active":
        often = figures["restarts"] != 0
        verdict = Verdict.HINT if often else Verdict.FINE
        yield judged("unit", verdict, figure, "see: journalctl -u parley", None, **figures)
        return
    yield _inactive(scene, about, figure, figures)


def _inactive(
    scene: Scene, about: Mapping[str, str], figure: str, figures: Mapping[str, object]
) -> Result:
    code = about.get("ExecMainStatus", "")
    if scene.alive:
        advice = "the speaker that runs was started by hand: it ends with its terminal"
        return hint("unit", figure, advice, None, **figures)
    if code == EX_CONFIG:
        advice = "correct the configuration (parley config check), then sudo systemctl start parley"
        return broken("unit", f"{figure}: the configuration is refused", advice, None, **figures)
    words = ["systemctl", "restart", UNIT]
    advice = f"sudo {' '.join(words)}; it says why in: journalctl -u parley"
    cure = Cure("the service was started again", lambda: _restart(scene, words))
    failed = f": {about.get('Result')}, exit code {code}" if about.get("ActiveState") else ""
    return broken(
        "unit", figure + (failed if code not in {"", "0"} else ""), advice, cure, **figures
    )


def _restart(scene: Scene, words: list[str]) -> None:
    scene.run(["systemctl", "reset-failed", UNIT])
    outcome = scene.run(words)
    if not outcome.worked:
        raise ParleyError(outcome.err.strip() or f"systemctl ended with {outcome.code}")


def speaker(scene: Scene) -> Iterator[Result]:
    """Report what the running speaker says of itself."""
    status = scene.status
    if status is None:
        if scene.hung:
            yield broken("speaker", "it hangs", f"{scene.silence}: sudo systemctl restart parley")
        elif scene.alive:
            yield hint("speaker", "it runs, but may not be asked", scene.silence)
        else:
            yield skipped("speaker", "none runs", scene.silence)
        return
    figure = f"{status['state']}, up for {status['uptime_s']:.0f} s, version {status['version']}"
    refused = list(status["session"].get("refused_settings", ()))
    figures = {
        "state": status["state"],
        "faults": [each["kind"] for each in status["faults"]],
        "refused_settings": refused,
    }
    if status["faults"]:
        what = "; ".join(f"{each['kind']}: {each['message']}" for each in status["faults"])
        yield broken("speaker", f"{figure}: {figures['faults'][0]}", what, None, **figures)
    elif not status.get("timers", {}).get("kept", True):
        yield hint("speaker", f"{figure}: timers are not kept", NOT_KEPT, None, **figures)
    elif status["muted"]:
        yield hint("speaker", f"{figure}: muted", "parley unmute", None, **figures)
    elif refused:
        told = f"{figure}: talks go on without {', '.join(refused)}"
        yield hint("speaker", told, REFUSED, None, **figures)
    else:
        yield fine("speaker", figure, **figures)


def faults(scene: Scene) -> Iterator[Result]:
    """Report what the journal tells of the last day."""
    words = ["journalctl", "--unit", UNIT, "--output=json", "--no-pager", f"--lines={FAULT_LINES}"]
    told = scene.run([*words, "--output-fields=MESSAGE,FAULT,PRIORITY"])
    # journalctl only warns that it may not look at the system's journal, and finds nothing.
    if not told.worked or "not seeing messages" in told.err or "No journal files" in told.err:
        yield skipped("faults", "the journal cannot be read", "sudo parley doctor")
        return
    since_us = (time.time() - LATELY_S) * 1e6
    counts: dict[str, int] = {}
    last = ""
    for line in told.out.splitlines():
        record = _record(line)
        kind = record.get("FAULT")
        if not isinstance(kind, str) or record.get("PRIORITY") not in {"0", "1", "2", "3"}:
            continue
        if float(record.get("__REALTIME_TIMESTAMP", 0)) >= since_us:
            counts[kind] = counts.get(kind, 0) + 1
            last = str(record.get("MESSAGE", ""))
    if not counts:
        yield fine("faults", "none in the last 24 h", counts={})
        return
    figure = ", ".join(f"{kind} {count}x" for kind, count in sorted(counts.items()))
    yield hint("faults", f"last 24 h: {figure}", f"the last: {last}", None, counts=counts)


def _record(line: str) -> dict[str, str]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
