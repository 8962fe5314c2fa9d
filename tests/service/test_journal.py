"""Logging: where it goes, and what is never in it."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator

import pytest
from systemd.journal import JournalHandler

from device.service import journal


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Leave logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("device")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


def handler() -> logging.Handler:
    (only,) = logging.getLogger().handlers
    return only


def test_in_the_foreground_lines_go_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With time and level; no more of libraries than their warnings."""
    journal.set_up({})
    logging.getLogger("device.service.story").info("heard %s", "hey_jarvis")
    logging.getLogger("device.live.session").debug("details")
    logging.getLogger("httpx").info("x-goog-api-key: secret")
    logging.getLogger("websockets.client").warning("something is odd")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(" INFO    heard hey_jarvis")
    assert second.endswith(" WARNING something is odd")


def test_verbose_tells_ours_and_still_not_the_libraries_headers() -> None:
    """Debug output of websockets and httpx would print the key."""
    journal.set_up({}, verbose=True)
    assert logging.getLogger("device.audio").isEnabledFor(logging.DEBUG)
    for library in ("websockets.client", "httpx", "httpcore", "google_genai", "urllib3"):
        assert not logging.getLogger(library).isEnabledFor(logging.INFO)


def test_set_up_twice_does_not_tell_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """One handler, however often."""
    journal.set_up({})
    journal.set_up({})
    logging.getLogger("device").info("once")
    assert capsys.readouterr().err.count("once") == 1


def test_as_a_service_records_go_to_the_journal_with_their_fields() -> None:
    """JOURNAL_STREAM names the file that our standard error is: systemd.exec(5)."""
    about = os.fstat(sys.stderr.fileno())
    journal.set_up({"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"})
    chosen = handler()
    assert isinstance(chosen, JournalHandler)
    sent: dict[str, object] = {}
    chosen.send = lambda text, /, **fields: sent.update(fields, MESSAGE=text)
    logging.getLogger("device.faults").error("no card", extra={"FAULT": "microphone"})
    assert sent["MESSAGE"] == "no card"
    assert sent["FAULT"] == "microphone"
    assert sent["SYSLOG_IDENTIFIER"] == "parley"


@pytest.mark.parametrize("stream", ["1:2", ""])
def test_a_redirected_standard_error_is_not_the_journal(stream: str) -> None:
    """`parley run 2>file` under systemd: JOURNAL_STREAM is inherited and wrong."""
    journal.set_up({"JOURNAL_STREAM": stream})
    assert not isinstance(handler(), JournalHandler)


def test_a_standard_error_without_a_file_is_not_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where standard error was replaced by something that is no file."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    journal.set_up({"JOURNAL_STREAM": "1:2"})
    assert not isinstance(handler(), JournalHandler)
