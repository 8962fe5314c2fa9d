"""The support bundle holds what whoever helps needs to know, by a list of what may be in it.

Nothing is packed because it is there: each file is made here, from what is named here. What was
said, the instruction of the model and every key are left out, and at the end all of it is searched
for the keys that this machine knows.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import os
import platform
import re
import secrets
import sys
import tarfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from device import __version__
from device.board.evidence import cards_in
from device.board.kernel import read_evidence
from device.config import Config, describe
from device.credentials.api_key import VARIABLES
from device.credentials.credential import FOLDER as CREDENTIALS
from device.credentials.credential import MAX_CHARACTERS, VARIABLE_PREFIX
from device.doctor.redaction import Redactor, secrets_in_file, secrets_in_yaml
from device.doctor.scene import UNIT, Scene
from device.doctor.state_files import small_text
from device.errors import ParleyError
from device.service.last_warnings import FILE as LAST_WARNINGS

FOLDER = "parley-bundle"
PACKAGES = (
    *("google-genai", "gpiozero", "lgpio", "mcp", "numpy", "onnxruntime", "openwakeword"),
    *("PyAudio", "pydantic", "pymicro-wakeword", "pyusb", "PyYAML", "rich", "soxr"),
    *("systemd-python", "websockets"),
)
PRIVATE = ("system_instruction",)
"""Keys of the configuration whose value is nobody's business."""
KERNEL_FILES = ("proc/asound/cards", "proc/asound/pcm", "proc/asound/version", "proc/version")
BOOT_LINES = re.compile(r"^\s*(dtparam|dtoverlay|\[)")
"""Of config.txt: what makes a board a sound card."""
BOOT_FILES = ("boot/firmware/config.txt", "boot/config.txt")
JOURNAL_FIELDS = ("MESSAGE", "PRIORITY", "FAULT", "EVENT", "_PID")
UNIT_PROPERTIES = (
    "ActiveState,SubState,Result,NRestarts,ExecMainStatus,UnitFileState,MemoryCurrent,FragmentPath"
)
LASTING = (LAST_WARNINGS, "ends")
"""Of the state directory: the last warnings, and how the service ended lately."""
VOLATILE = "journal.txt goes back to the last start only: there is no /var/log/journal\n"
SAID = re.compile(r"^(user|model): ")
"""How the story tells what was said, where privacy.log_transcripts allows it."""


def secrets_of(scene: Scene) -> list[str]:
    """Return every secret that this machine is known to hold, wherever it stands."""
    found = [
        text
        for name, text in scene.environ.items()
        if name in VARIABLES or name.startswith(VARIABLE_PREFIX)
    ]
    folders = [
        Path(scene.environ.get("CREDENTIALS_DIRECTORY") or "/nonexistent"),
        scene.root / "run/credentials" / UNIT,
        scene.root / str(CREDENTIALS)[1:],
    ]
    found += [text for folder in folders for text in _contents(folder)]
    secret = [word for text in found for word in secrets_in_file(text)]
    with contextlib.suppress(OSError):
        secret += secrets_in_yaml(scene.config_path.read_text(errors="replace"))
    return secret


def _contents(folder: Path) -> list[str]:
    """Return the beginning of each file in a folder of secrets, as deep as systemd looks."""
    contents = []
    for path, _, names in os.walk(folder):
        for name in names:
            file = Path(path, name)
            # Nothing is waited for: a pipe may lie there too.
            if file.is_file():
                with contextlib.suppress(OSError), file.open(errors="replace") as stream:
                    contents.append(stream.read(4 * MAX_CHARACTERS))
    return contents


def pack(path: Path, scene: Scene, findings: Mapping[str, Any], lines: int) -> list[str]:
    """Write the bundle, readable by its owner only; returns the names in it. Raises ParleyError."""
    redactor = Redactor(secrets_of(scene))
    files = {
        "versions.json": _json(_versions(scene)),
        "doctor.json": _json(redactor.value(findings)),
        "config.yaml": redactor.text(config_text(scene.config), strict=True),
        "status.json": _json(redactor.value(scene.status or {"silence": scene.silence})),
        "board.json": _json(redactor.value(_evidence(scene))),
        "devices.json": redactor.text(_devices(scene)),
        "journal.txt": _journal(scene, redactor, lines),
        **_lasting(scene, redactor),
        **_system(scene, redactor),
    }
    content = _tar(files)
    if any(redactor.holds(text.encode()) for text in files.values()) or redactor.holds(content):
        raise ParleyError("a key got into the bundle, so it was not written: please report this")
    try:
        _write(path, content)
    except OSError as error:
        raise ParleyError(f"{path} cannot be written: {error.strerror}") from error
    return list(files)


def _write(path: Path, content: bytes) -> None:
    """Put a new file of that name there, which others may not read, whatever was there before.

    Its folder may be anybody's (root packs it in /tmp): a link is not followed but replaced.
    """
    if path.exists() and not path.is_file():
        raise ParleyError(f"{path} is no file: give the name of one, such as {FOLDER}.tar.gz")
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(content)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def config_text(config: Config) -> str:
    """Return what is in force as YAML, without what is private."""
    text = describe(config)
    for name in PRIVATE:
        text = re.sub(rf'(?m)^(\s*{name}:) (?!""$).*$', r"\1 (left out)", text)
    return text


def _versions(scene: Scene) -> dict[str, Any]:
    packages: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            packages[name] = None
    release = re.findall(r'(?m)^PRETTY_NAME="?([^"\n]*)', scene.text("etc/os-release") or "")
    return {
        "parley": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "system": release[0] if release else None,
        "packages": packages,
    }


def _evidence(scene: Scene) -> dict[str, Any]:
    """What the kernel tells of cards and boards; the serial numbers of USB devices left out."""
    told = asdict(read_evidence(scene.root))
    for device in told["usb"]:
        del device["serial"]
    return told


def _devices(scene: Scene) -> str:
    """What `parley devices` says, in a process of its own: sound systems may hang."""
    # -I: what is installed, and no folder `device` of where one happens to be.
    words = [sys.executable, "-I", "-m", "device", "devices", "--json"]
    path = ["--config", str(scene.config_path)] if scene.config_path.exists() else []
    outcome = scene.run([*words, *path])
    return outcome.out or _json({"failed": outcome.err.strip() or outcome.code})


def _journal(scene: Scene, redactor: Redactor, lines: int) -> str:
    words = ["journalctl", "--unit", UNIT, "--output=json", "--no-pager", f"--lines={lines}"]
    outcome = scene.run([*words, f"--output-fields={','.join(JOURNAL_FIELDS)}"])
    if not outcome.worked:
        return f"journalctl: {redactor.text(outcome.err, strict=True)}\n"
    told = (_line(line, redactor) for line in outcome.out.splitlines())
    return "".join(line for line in told if line)


def _lasting(scene: Scene, redactor: Redactor) -> dict[str, str]:
    """What outlives the journal, which on a Raspberry Pi is kept in memory."""
    kept = scene.root / "var/log/journal"
    files = {} if kept.is_dir() else {"journal-note.txt": VOLATILE}
    for name in LASTING:
        if scene.state_folder is not None:
            text = small_text(scene.state_folder / name)
            files[f"state/{name}"] = redactor.text(text, strict=True)
    return files


def _line(line: str, redactor: Redactor) -> str:
    try:
        record = json.loads(line)
        at = datetime.fromtimestamp(int(record["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        message = record.get("MESSAGE") or ""
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    if not isinstance(message, str):
        message = "(no text)"
    if record.get("EVENT") == "transcript" or SAID.match(message):
        message = "(what was said is left out)"
    fields = " ".join(
        f"{name}={record[name]}"
        for name in ("PRIORITY", "FAULT", "EVENT", "_PID")
        if name in record
    )
    clean = redactor.text(f"{fields}  {' '.join(message.split())}", strict=True)
    return f"{at:%Y-%m-%d %H:%M:%S} {clean}\n"


def _system(scene: Scene, redactor: Redactor) -> dict[str, str]:
    files = {}
    for name in KERNEL_FILES:
        files[f"system/{name.replace('/', '_')}.txt"] = f"{scene.text(name) or ''}\n"
    for name in BOOT_FILES:
        told = (scene.text(name) or "").splitlines()
        if told:
            kept = [line for line in told if BOOT_LINES.match(line)]
            files[f"system/{name.replace('/', '_')}"] = "\n".join(kept) + "\n"
    unit = ["systemctl", "show", UNIT, f"--property={UNIT_PROPERTIES}"]
    commands = {"lsusb": ["lsusb"], "unit": unit}
    for card in cards_in(scene.text("proc/asound/cards") or ""):
        commands[f"mixer_{card.number}"] = ["amixer", "-c", str(card.number), "contents"]
    for name, words in commands.items():
        outcome = scene.run(words)
        files[f"system/{name}.txt"] = outcome.out or f"{words[0]}: {outcome.err or outcome.code}\n"
    return {name: redactor.text(text) for name, text in files.items()}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"


def _tar(files: Mapping[str, str]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, text in files.items():
            content = text.encode()
            about = tarfile.TarInfo(f"{FOLDER}/{name}")
            about.size, about.mode, about.mtime = len(content), 0o600, int(time.time())
            archive.addfile(about, io.BytesIO(content))
    return whole.getvalue()
