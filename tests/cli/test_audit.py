"""``parley audit``, as a person reads it, with a speaker and without."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from device.__main__ import main
from device.cli import audit as command
from device.cli import audit_sentences as sentences
from device.cli.presentation import print_table
from device.records.audit import SOUND
from device.records.rows import Row, Scalar
from tests.records.test_books import books_with_a_damaged_page, write

SOUND_ENTRY: dict[str, Any] = {
    "kind": "sound",
    "start": "2026-11-30T20:15:01.250+01:00",
    "end": "2026-11-30T20:15:04.250+01:00",
    "seconds": 3.0,
    "frames": 150,
    "bytes": 96_000,
    "again_frames": 0,
    "again_bytes": 0,
    "words": True,
    "open": False,
    "at_least": False,
    "why": "wake_word",
    "word": "hey_jarvis",
    "score": 0.912,
    "over_reply": False,
    "rang": False,
    "model": "gemini-3.8-live",
    "host": "example.com",
    "session": 3,
    "connection": 2,
    "persona": "puck",
}
TO = {"model": "m", "host": "h", "session": 1, "connection": 1, "persona": ""}
PICTURE = {"kind": "picture", "width": 768, "height": 576, "bytes": 61_234, "reason": "asked", **TO}
TEXT = {"kind": "text", "characters": 12, "again": True, "by": "owner", **TO}
CALL = {"kind": "call", "name": "home_Light", "server": "home", "by": "model", "outcome": None}


@pytest.mark.parametrize(
    ("entry", "row"),
    [
        (
            SOUND_ENTRY,
            (
                "sound, words",
                "3.0 s, 96,000 bytes",
                "hey_jarvis (0.91)",
                "gemini-3.8-live (puck) at example.com, connection 3.2",
            ),
        ),
        (
            {
                **SOUND_ENTRY,
                "words": False,
                "at_least": True,
                "again_frames": 50,
                "word": None,
                "why": "follow_up",
                "over_reply": True,
                "persona": "",
            },
            (
                "sound, no words",
                "at least 3.0 s, 96,000 bytes, 1.0 s again",
                "follow up, over a reply",
                "gemini-3.8-live at example.com, connection 3.2",
            ),
        ),
        (PICTURE, ("picture", "768 x 576, 61,234 bytes", "asked", "m at h, connection 1.1")),
        (TEXT, ("text", "12 characters, again", "typed", "m at h, connection 1.1")),
        (CALL, ("call", "home_Light of home", "by the model", "not known")),
    ],
)
def test_each_entry_is_a_row(entry: dict[str, Any], row: tuple[str, ...]) -> None:
    """What, how much, why and to whom."""
    assert sentences._row(entry) == row


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["audit", *words]) == 0
    return capsys.readouterr().out


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of a speaker that does not run."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path


def row(key: str, at: float, frames: int) -> Row:
    values: dict[str, Scalar] = {
        "frames": frames,
        "bytes": 640 * frames,
        "again_frames": 0,
        "ended": at + 1,
        "over": 1,
        "words": 1,
        "over_reply": 0,
        "rang": 0,
        "why": "tap",
        "model": "m",
        "host": "h",
        "session": 1,
        "connection": 1,
        "persona": "",
    }
    return Row(SOUND, key, at, values)


def test_without_a_speaker_its_file_is_read(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so; what waits for the disk is there too; the file stays as it is."""
    write(books, [row("a", 1.7e9, 50)], waits=[row("b", 1.7e9 + 9, 100)])
    before = sorted((each.name, each.stat().st_mtime_ns) for each in books.rglob("*"))
    told = run(capsys, "--since", "all")
    assert told.startswith("No speaker runs here: this is what it has written.\nWhat left this")
    assert "1.0 s, 32,000 bytes" in told
    assert "2.0 s, 64,000 bytes" in told
    assert "In all 3.0 s of sound (96,000 bytes), 0 pictures (0 bytes)" in told
    found = json.loads(run(capsys, "--since", "all", "--json"))
    assert [each["frames"] for each in found["entries"]] == [50, 100]
    assert found["live"] is False
    assert before == sorted((each.name, each.stat().st_mtime_ns) for each in books.rglob("*"))


@pytest.mark.parametrize("command", ["audit", "stats"])
def test_a_socket_alone_does_not_say_whose_records_are_meant(
    command: str, books: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of another speaker's is told for its own; without the socket it is."""
    own = books / "home" / "parley"
    write(own, [row("a", 1.7e9, 50)])
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", str(own.parent))
    monkeypatch.setenv("HOME", str(books))
    socket = str(books / "misspelt.sock")
    assert main([command, "--socket", socket]) == 1
    assert capsys.readouterr().err == (
        f"parley: nobody answers on {socket}, and whose folder is meant cannot be told from a "
        "socket: set STATE_DIRECTORY to that speaker's folder, or leave --socket out\n"
    )


def test_a_damaged_page_is_told(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the file it is in."""
    books_with_a_damaged_page(books, SOUND)
    assert main(["audit", "--since", "all", "--socket", str(books / "nobody.sock")]) == 1
    assert "records.sqlite cannot be read" in capsys.readouterr().err


def test_nothing_is_said_as_well(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing was ever written, too."""
    told = run(capsys)
    assert "Nothing left this device since 2" in told
    assert "In all 0.0 s of sound (0 bytes)" in told
    assert not (books / "records").exists()


def test_a_speaker_that_runs_is_asked_until_there_is_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Page by page, and each entry is a line where nobody looks at a screen."""
    asked: list[dict[str, Any]] = []
    sums = {"sound_s": 6.0, "bytes": 192_000, "again_frames": 50, "again_bytes": 32_000}
    sums |= {"pictures": 1, "picture_bytes": 9, "texts": 1, "characters": 5, "calls": 0}

    def answer(_args: object, request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        following = [1.0, "k"] if "after" not in request else None
        page = {"since": None, "entries": [SOUND_ENTRY], "next": following, "sums": sums}
        return {**page, "camera": True, "wake_clips": "near"}

    monkeypatch.setattr(command, "result", answer)
    told = run(capsys, "--since", "3d")
    assert asked == [
        {"command": "audit", "since": "3d"},
        {"command": "audit", "since": "3d", "after": [1.0, "k"]},
    ]
    assert "The camera is on: the model may ask for a picture in a talk." in told
    assert "Clips of near misses are kept on this device and never leave it: parley wakes." in told
    assert told.count("gemini-3.8-live (puck) at example.com, connection 3.2") == 2
    assert "6.0 s of sound (192,000 bytes), of it 1.0 s a second time, 1 picture (9 bytes)" in told


def test_what_is_no_time_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, whether a speaker runs or not: none is asked."""

    def asked(*_: object) -> dict[str, Any]:
        raise AssertionError("nobody need be asked")

    monkeypatch.setattr(command, "result", asked)
    with pytest.raises(SystemExit) as left:
        main(["audit", "--since", "tomorrow"])
    assert left.value.code == 2
    assert "argument --since: 'tomorrow' is no time: give 2h, 3d" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [60, 80])
def test_a_terminal_has_room_for_it(columns: int) -> None:
    """Whom it went to is a letter there, told once behind the table; no name is torn apart."""
    host = "generativelanguage.googleapis.com"
    long = {**SOUND_ENTRY, "model": "gemini-3.1-flash-live-preview", "host": host}
    day = {"start": SOUND_ENTRY["start"]}
    entries = [long, {**long, "connection": 3}, {**TEXT, **day}, {**CALL, **day}]
    shown = io.StringIO()
    print_table(sentences.table(entries, columns), Console(file=shown, width=columns))
    lines = shown.getvalue().splitlines()
    assert all(len(line) <= columns for line in lines)
    assert [line.split()[0] for line in lines if line[0] == "2"] == ["20:15:01"] * 4
    assert [line.split()[-2:] for line in lines if " A " in line] == [["A", "3.2"], ["A", "3.3"]]
    assert sentences.letters(entries, columns) == [
        f"A: gemini-3.1-flash-live-preview (puck) at {host}",
        "B: m at h",
    ]
    if columns == 80:
        assert len([line for line in lines if line[0] == " "]) == 0, "a row is a line"


def test_entries_of_several_days_have_their_date_in_a_terminal() -> None:
    """And there are letters for as many places as there are."""
    days = [{**SOUND_ENTRY, "start": f"2026-11-{day}T20:15:01+01:00"} for day in (29, 30)]
    shown = io.StringIO()
    print_table(sentences.table(days, 80), Console(file=shown, width=80))
    assert "11-29 20:15  sound" in shown.getvalue()
    places = [{**SOUND_ENTRY, "persona": f"p{number}"} for number in range(28)]
    named = [line.split(":")[0] for line in sentences.letters(places, 80)]
    assert (named[0], named[25:]) == ("A", ["Z", "AA", "AB"])
    assert sentences.letters(places, sentences.WHOLE_COLUMNS) == []
