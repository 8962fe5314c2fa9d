"""The journal tells the story: one conversation is about eight lines, each with fields.

As a service the lines go to journald with structured fields, and warnings into a file in the state
directory as well; otherwise they go to standard error.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from device.events import PublicEvent
from device.frames import FRAME_MS
from device.service.last_warnings import LastWarnings


def set_up(environment: Mapping[str, str], *, verbose: bool = False) -> None:
    """Send the log of `device` to the journal (as a service) or to standard error.

    Only our own loggers speak at INFO; libraries are heard from WARNING on, and the ones that would
    print request headers (and with them the key) never below that.
    """
    handlers = [_handler(environment)]
    if _is_journal(environment) and environment.get("STATE_DIRECTORY"):
        handlers.append(LastWarnings(Path(environment["STATE_DIRECTORY"].split(":")[0])))
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(logging.WARNING)
    logging.getLogger("device").setLevel(logging.DEBUG if verbose else logging.INFO)


def _handler(environment: Mapping[str, str]) -> logging.Handler:
    if _is_journal(environment):
        from systemd.journal import JournalHandler  # noqa: PLC0415 - only where systemd runs us

        journal: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER="parley")
        return journal
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    return handler


def _is_journal(environment: Mapping[str, str]) -> bool:
    """Whether our standard error goes to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    stream = environment.get("JOURNAL_STREAM")
    if not stream:
        return False
    try:
        about = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return stream == f"{about.st_dev}:{about.st_ino}"


log = logging.getLogger(__name__)


def tell(event: PublicEvent, *, transcripts: bool) -> None:
    """Write the event to the journal if it belongs to the story.

    `transcripts`: whether what was said may be written down (privacy.log_transcripts).
    """
    text = _line(event, transcripts=transcripts)
    if text:
        log.info("%s", text, extra={"EVENT": event.event, **_fields(event)})


def _line(event: PublicEvent, *, transcripts: bool) -> str:
    match event.event, event.fields:
        case "wake", {"word": word, "score": score}:
            persona = event.fields.get("persona")
            return f"heard {word} ({score:.2f})" + (f": {persona} answers" if persona else "")
        case "button", {"gesture": gesture} if gesture not in {"press", "release"}:
            return f"button: {gesture.replace('_', ' ')}"
        case "session", {"what": "opened" | "resumed" as what, "latency_ms": ms, "model": model}:
            return f"{_session(event)} {what} in {ms:.0f} ms ({model})"
        case "session", {"what": "closed" | "failed" as what, "reason": reason}:
            return f"{_session(event)} {what}: {reason}"
        case "go_away", {"time_left_s": left}:
            return f"the server ends this connection in {left:g} s"
        case "reply", {"what": "drained" | "interrupted" as what, "played_ms": played_ms}:
            told = "answered for" if what == "drained" else "interrupted after"
            return f"{told} {played_ms / 1000:.1f} s"
        case "reply", {"what": "resumed", "played_ms": played_ms}:
            return f"nobody spoke: the answer goes on after {played_ms / 1000:.1f} s of it"
        case "state", {"to": "listening", "reason": "session opened"}:
            return ""  # the line before says it
        case "state", {"to": to, "reason": reason} if to in {"listening", "muted", "idle"}:
            return f"{to} ({reason})"
        case "transcript", {"who": who, "text": text, "final": True} if transcripts:
            return f"{who}: {text}"
        case "picture", {"reason": "asked" | "typed" as why, "bytes": size, "width": width}:
            about = {"asked": "the model asked for", "typed": "its owner gave"}[why]
            return f"a picture that {about} has left ({width} px wide, {size / 1000:.0f} kB)"
        case "tool", {"what": what, "name": name}:
            return f"tool {name} {what}"
        case _:
            return _trouble(event)


def _session(event: PublicEvent) -> str:
    persona = event.fields.get("persona")
    return f"session of {persona}" if persona else "session"


def _trouble(event: PublicEvent) -> str:
    """What the person should not have noticed."""
    match event.event, event.fields:
        case "session", {"what": "opening", "reason": str(reason)}:
            return f"connection lost, trying again: {reason}"
        case "repeated", {"frames": frames}:
            return f"{frames * FRAME_MS / 1000:.1f} s without an answer go up again"
        case "dropped", {"frames": frames}:
            return f"{frames * FRAME_MS / 1000:.1f} s found no room and are lost"
        case "setting_refused", {"setting": setting, "model": model, "reason": reason}:
            return f"{model} refuses {setting} ({reason}): the talk goes on without it"
        case "unheard", {"why": why, "what": what}:
            return f"an answer that nobody could hear ({why}): {what.replace('_', ' ')}"
        case "context", {"what": what, "before_tokens": before, "now_tokens": now}:
            return f"the server's context is {what} ({before} to {now} tokens): it begins anew"
        case "stall", {"what": what, "reason": reason}:
            return f"the server keeps silent ({reason}): {what}"
        case _:
            return ""


def _fields(event: PublicEvent) -> dict[str, str]:
    """Journal fields: upper case, and never the words that were said."""
    skipped = {"text", "message"}
    return {
        f"PARLEY_{name.upper()}": str(value)
        for name, value in event.fields.items()
        if name not in skipped and value is not None
    }
