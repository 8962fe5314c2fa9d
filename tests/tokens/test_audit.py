"""Each token that is lent is on record, and is not in it."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.errors import ParleyError
from device.tokens.audit import Audit
from device.tokens.mint import Minted

NAME = "auth_tokens/4969d96da97639001864b5be08549d58"
ENDS = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
MINTED = Minted(NAME, "gemini-3.8-live", 1, ENDS, ENDS)


def test_a_line_in_the_file_and_one_in_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who, from where, for what, until when; the file is its owner's and only grows."""
    path = tmp_path / "tokens.jsonl"
    audit = Audit(path)
    audit.check()
    assert path.stat().st_mode & 0o777 == 0o600
    with caplog.at_level(logging.INFO):
        audit.lent("kitchen", "192.168.1.7", MINTED)
        audit.lent("bath", "fe80::1\x1b[2J", MINTED)
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert datetime.fromisoformat(first.pop("time")).tzinfo is not None
    assert first == {
        "speaker": "kitchen",
        "address": "192.168.1.7",
        "model": "gemini-3.8-live",
        "uses": 1,
        "expire_time": "2026-11-30T12:30:00+00:00",
    }
    assert "\x1b" not in second["address"]
    assert "lent a token to kitchen (192.168.1.7)" in caplog.text
    assert "4969" not in path.read_text() + caplog.text + repr(MINTED)


def test_a_disk_that_takes_nothing_silences_no_house(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start it is a mistake; later it is told, and the journal has the line."""
    broken = Audit(tmp_path / "none" / "tokens.jsonl")
    with pytest.raises(ParleyError, match="cannot be written: no such file"):
        broken.check()
    broken.lent("kitchen", "192.168.1.7", MINTED)
    assert "cannot be written" in caplog.text
    Audit(None).check()
    Audit(None).lent("kitchen", "192.168.1.7", MINTED)


def test_half_a_line_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up takes as much of it as there is room for."""
    path = tmp_path / "tokens.jsonl"
    audit = Audit(path)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, line: write(file, line[:20]))
        audit.lent("kitchen", "192.168.1.7", MINTED)
    audit.lent("bath", "192.168.1.8", MINTED)
    audit.lent("hall", "192.168.1.9", MINTED)
    _, second, third = path.read_text().splitlines()
    assert [json.loads(line)["speaker"] for line in (second, third)] == ["bath", "hall"]
