"""The talk so far, kept in a file."""

from __future__ import annotations

import json
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.assistant.sessions import talks_so_far
from device.live.resumption import Past
from device.state.talk import FILE, TalkMemory


def talk(handle: str = "H") -> dict[str, Any]:
    return {"handle": handle, "model": "model", "host": "host", "at": 1_000.0, "gone": {}}


async def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """In a file that nobody else may read, in a folder that need not be there yet."""
    keepsake = TalkMemory(tmp_path / "state")
    keepsake.save(talk("first"))
    keepsake.save(talk("second"))
    await keepsake.saved()
    path = tmp_path / "state" / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TalkMemory(tmp_path / "state").load() == talk("second")
    assert list((tmp_path / "state").iterdir()) == [path]


async def test_the_newest_wins_however_slow_the_card_is(tmp_path: Path) -> None:
    """What is saved while another is being written is written after it."""
    keepsake = TalkMemory(tmp_path)
    for number in range(20):
        keepsake.save(talk(str(number)))
    await keepsake.saved()
    assert json.loads((tmp_path / FILE).read_text()) == talk("19")
    keepsake.save(talk("later"))
    await keepsake.saved()
    assert TalkMemory(tmp_path).load() == talk("later")


async def test_what_is_saved_is_as_it_was_then(tmp_path: Path) -> None:
    """The talk goes on while it is being written."""
    keepsake = TalkMemory(tmp_path)
    record = talk()
    keepsake.save(record)
    record["gone"]["another-model@host"] = 5.0
    await keepsake.saved()
    assert TalkMemory(tmp_path).load() == talk()


def test_nothing_saved_is_a_new_talk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first start says nothing about it."""
    assert TalkMemory(tmp_path).load() is None
    assert caplog.records == []


@pytest.mark.parametrize("content", ["", "{", "[]", "7", "\udc80", "x" * 100_000])
def test_a_damaged_file_is_a_new_talk_and_the_journal_names_it(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs the talk, not the speaker."""
    (tmp_path / FILE).write_bytes(content.encode(errors="surrogateescape"))
    assert TalkMemory(tmp_path).load() is None
    (told,) = caplog.messages
    assert told.startswith(f"{tmp_path / FILE} cannot be used (it is ")
    assert told.endswith("): the next talk begins anew")


async def test_a_record_that_makes_no_talk_is_told_and_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever knows what it must hold says so; the next one takes its place."""
    (tmp_path / FILE).write_text('{"handle": 1}')
    keepsake = TalkMemory(tmp_path)
    assert keepsake.load() == {"handle": 1}
    keepsake.reject(ValueError("handle must be a text"))
    why = "(handle must be a text): the next talk begins anew"
    assert caplog.messages == [f"{tmp_path / FILE} cannot be used {why}"]
    keepsake.save(talk())
    await keepsake.saved()
    assert TalkMemory(tmp_path).load() == talk()
    assert (tmp_path / f"{FILE}.damaged").read_text() == '{"handle": 1}'


async def test_the_talk_goes_on_where_it_was(tmp_path: Path) -> None:
    """What a talk gives to be kept, the next process makes the same talk of."""
    past = Past()
    past.keep("H", "model", "host", 1_000.0)
    past.found_gone("gone-model", "host", 900.0)
    keepsake = TalkMemory(tmp_path)
    keepsake.save(past.as_record())
    await keepsake.saved()
    assert talks_so_far(TalkMemory(tmp_path)).as_record() == past.as_record()


async def test_each_persona_finds_its_own_talk_again(tmp_path: Path) -> None:
    """And a file from before there were personas holds that of nobody in particular."""
    (tmp_path / FILE).write_text(json.dumps(talk("before")))
    talks = talks_so_far(TalkMemory(tmp_path))
    assert (talks.of("").handle, talks.of("puck").handle) == ("before", None)
    talks.of("puck").keep("of puck", "model", "host", 2_000.0)
    keepsake = TalkMemory(tmp_path)
    keepsake.save(talks.as_record())
    await keepsake.saved()
    again = talks_so_far(TalkMemory(tmp_path))
    assert (again.of("").handle, again.of("puck").handle) == ("before", "of puck")


def test_what_makes_no_talk_is_a_new_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whether the file is damaged or only its record, the journal says the same."""
    for content in ("{", '{"handle": 1}', '{"handle": "H"}'):
        caplog.clear()
        (tmp_path / FILE).write_text(content)
        assert talks_so_far(TalkMemory(tmp_path)).as_record() == Past().as_record()
        (told,) = caplog.messages
        assert told.startswith(f"{tmp_path / FILE} cannot be used (")
        assert told.endswith("): the next talk begins anew")


NAMES = st.sampled_from(["handle", "model", "host", "at", "gone", "x"])
VALUES = st.none() | st.integers() | st.floats() | st.text(max_size=5)
RECORDS = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=2))


@settings(deadline=None, max_examples=100)
@given(content=st.binary(max_size=100) | RECORDS.map(json.dumps).map(str.encode))
def test_nothing_that_may_be_in_the_file_is_raised(content: bytes) -> None:
    """A memory card gives back what it likes; what a talk was made of is a talk."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, FILE).write_bytes(content)
        past = talks_so_far(TalkMemory(Path(folder))).of("")
        assert past.handle is None or isinstance(past.handle, str)


async def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full card must not fill the journal as well."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    keepsake = TalkMemory(blocked)
    for _ in range(3):
        keepsake.save(talk())
        await keepsake.saved()
    why = "cannot be written (File exists): a restart begins a new talk"
    assert caplog.messages == [f"{blocked / FILE} {why}"]
    assert keepsake.load() is None


async def test_without_a_folder_nothing_is_kept() -> None:
    """The demo leaves no trace."""
    keepsake = TalkMemory(None)
    keepsake.save(talk())
    await keepsake.saved()
    assert keepsake.load() is None
