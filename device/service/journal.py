"""Logging: structured fields for journald when systemd reads us, plain lines otherwise."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping


def set_up(environment: Mapping[str, str], *, verbose: bool = False) -> None:
    """Send the log of `device` to the journal (as a service) or to standard error.

    Only our own loggers speak at INFO; libraries are heard from WARNING on, and the ones that would
    print request headers (and with them the key) never below that.
    """
    handler = _handler(environment)
    root = logging.getLogger()
    root.handlers[:] = [handler]
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
