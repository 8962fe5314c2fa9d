"""The talk so far, kept in a file."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from device.live.resumption import Past
from device.state.talk import FILE, Keepsake


def talk(handle: str = "H") -> Past:
    past = Past()
    past.keep(handle, "model", "host", 1_000.0)
    return past


async def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """In a file that nobody else may read, in a folder that need not be there yet."""
    keepsake = Keepsake(tmp_path / "state")
    keepsake.save(talk("first"))
    keepsake.save(talk("second"))
    await keepsake.saved()
    path = tmp_path / "state" / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keepsake(tmp_path / "state").load().handle == "second"
    assert list((tmp_path / "state").iterdir()) == [path]


async def test_the_newest_wins_however_slow_the_card_is(tmp_path: Path) -> None:
    """What is saved while another is being written is written after it."""
    keepsake = Keepsake(tmp_path)
    for number in range(20):
        keepsake.save(talk(str(number)))
    await keepsake.saved()
    assert json.loads((tmp_path / FILE).read_text())["handle"] == "19"
    keepsake.save(talk("later"))
    await keepsake.saved()
    assert Keepsake(tmp_path).load().handle == "later"


def test_nothing_saved_is_a_new_talk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first start says nothing about it."""
    assert Keepsake(tmp_path).load().handle is None
    assert caplog.records == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"handle": 1}', "\udc80", "x" * 100_000])
def test_a_damaged_file_is_a_new_talk_and_the_journal_names_it(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs the talk, not the speaker."""
    (tmp_path / FILE).write_bytes(content.encode(errors="surrogateescape"))
    assert Keepsake(tmp_path).load().handle is None
    (record,) = caplog.records
    assert str(tmp_path / FILE) in record.getMessage()


async def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full card must not fill the journal as well."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    keepsake = Keepsake(blocked)
    for _ in range(3):
        keepsake.save(talk())
        await keepsake.saved()
    (record,) = caplog.records
    assert "cannot be written" in record.getMessage()
    assert keepsake.load().handle is None


async def test_without_a_folder_nothing_is_kept() -> None:
    """The demo leaves no trace."""
    keepsake = Keepsake(None)
    keepsake.save(talk())
    await keepsake.saved()
    assert keepsake.load().handle is None
