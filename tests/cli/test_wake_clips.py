"""``parley wakes`` as a person reads it, with a speaker and without."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from device.__main__ import main
from device.cli import wake_clips as command
from device.cli import wake_sentences as sentences
from device.cli.presentation import print_lines, print_table
from device.config import parse
from device.control.wake_records import advice_record, contents_record
from device.state.wake_clips import ClipFolder
from device.timers.clocks import local_zone
from tests.state.clips import fill, kept

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of a speaker that does not run."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def open_state(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One that every user can come to: the tests' own folders are root's only."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("STATE_DIRECTORY", folder)
        yield Path(folder)


def run(capsys: Capture, *words: str) -> str:
    assert main(["wakes", *words]) == 0
    return capsys.readouterr().out


def fails(capsys: Capture, *words: str) -> str:
    assert main(["wakes", *words]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def labelled(state: Path) -> None:
    fill(
        state,
        *[kept(f"aaaa{each}", said=True, score=0.4) for each in "23456"],
        *[kept(f"bbbb{each}", said=False, score=0.2) for each in "23456"],
        kept("ccccc", woke=True, score=0.9),
        kept("ddddd", word="alexa"),
        kept("eeeee", over_our_own=True),
    )


# --- without a speaker ---------------------------------------------------------------------------


def test_without_a_speaker_its_folder_is_read(state: Path, capsys: Capture) -> None:
    """It says so; what is damaged or strange is told, and everything stays as it is."""
    fill(state, kept("aaaaa"), kept("bbbbb", woke=True, score=0.91, said=True))
    place = state / "wakes"
    (place / "ccccc.wav").write_bytes(b"RIFF")
    (place / "notes.txt").write_text("mine")
    before = sorted((each.name, each.stat().st_mtime_ns) for each in place.iterdir())
    lines = run(capsys).splitlines()
    assert lines[0] == "No speaker runs here: this is what it has kept."
    titles, first, second = (line.split() for line in lines[1:4])
    assert titles == ["id", "when", "word", "score", "of", "long", "kept", "for", "said"]
    assert (first[0], *first[3:]) == (
        *("aaaaa", "hey_jarvis", "0.40", "0.50", "3.2", "s", "near", "miss", "-"),
    )
    assert (second[0], *second[3:]) == (
        *("bbbbb", "hey_jarvis", "0.91", "0.50", "3.2", "s", "woke", "it", "yes"),
    )
    assert lines[4:] == [
        "ccccc.wav is damaged: it is no WAV file (parley wakes clear ccccc deletes it)",
        "In the folder and not the speaker's: notes.txt; left alone.",
        "1 without a label: parley wakes play ID, then parley wakes label ID yes|no.",
    ]
    told = json.loads(run(capsys, "--json"))
    assert [each["id"] for each in told["clips"]] == ["aaaaa", "bbbbb"]
    assert told["keep"] is None
    assert before == sorted((each.name, each.stat().st_mtime_ns) for each in place.iterdir())


def test_where_nothing_was_kept_it_says_so(state: Path, capsys: Capture) -> None:
    """And makes no folder."""
    assert run(capsys).splitlines()[1] == "There are none."
    assert not (state / "wakes").exists()


def test_a_clip_is_labelled_without_a_speaker(state: Path, capsys: Capture) -> None:
    """What it is now is told."""
    fill(state, kept("aaaaa"))
    assert run(capsys, "label", "aaaaa", "yes") == "aaaaa: hey_jarvis was said (score 0.40)\n"
    assert ClipFolder(state).clip("aaaaa").said is True
    assert json.loads(run(capsys, "label", "aaaaa", "no", "--json"))["said"] is False
    assert fails(capsys, "label", "nnnnn", "no") == (
        "parley: there is no clip 'nnnnn': parley wakes lists those there are\n"
    )
    with pytest.raises(SystemExit, match="2"):
        main(["wakes", "label", "aaaaa", "perhaps"])


def test_nobody_plays_a_clip_without_a_speaker(state: Path, capsys: Capture) -> None:
    """Another player can: it says which file."""
    fill(state, kept("aaaaa"))
    told = fails(capsys, "play", "aaaaa")
    assert told == (
        "parley: no speaker runs that could play aaaaa; another player can: "
        f"aplay {state}/wakes/aaaaa.wav\n"
    )
    assert "there is no clip 'nnnnn'" in fails(capsys, "play", "nnnnn")


def test_clips_speak_for_a_threshold_without_a_speaker(
    state: Path, tmp_path: Path, capsys: Capture
) -> None:
    """By the configuration that is named; nothing of it is changed."""
    labelled(state)
    config = tmp_path / "config.yaml"
    config.write_text("wake: {words: [{model: hey_jarvis, threshold: 0.5}]}\n")
    lines = run(capsys, "advise", "--config", str(config)).splitlines()
    assert lines[0] == "hey_jarvis, threshold 0.5: said in 5, not said in 5, 1 without a label"
    assert [line.split() for line in lines[2:6]] == [
        ["0.1", "0", "5"],
        ["0.2", "0", "5"],
        ["0.3", "0", "0", "best"],
        ["0.4", "0", "0"],
    ]
    assert lines[6].split() == ["0.5", "5", "0", "in", "force"]
    assert lines[-4:] == [
        (
            "  The clips speak for lowering it to 0.3: set wake.words[].threshold of hey_jarvis, "
            "then parley reload."
        ),
        "  Nothing is known below 0.1, where no clips are kept.",
        "1 clip left out: said over the speaker's own sound, where playback_threshold is in force.",
        "1 clip left out: of words that it listens for no more.",
    ]
    assert config.read_text() == "wake: {words: [{model: hey_jarvis, threshold: 0.5}]}\n"


def test_few_labels_advise_nothing(state: Path, tmp_path: Path, capsys: Capture) -> None:
    """And nothing is made up where nothing woke it."""
    fill(state, kept("aaaaa", said=True))
    config = tmp_path / "config.yaml"
    config.write_text("")
    out = run(capsys, "advise", "--config", str(config))
    assert "Too few labels to advise anything: label 5 clips in which it was said and 5" in out
    assert "No clip woke it (wake.keep: all keeps those too)" in out


def test_clips_are_deleted_without_a_speaker(state: Path, capsys: Capture) -> None:
    """Of this state directory, and of no other speaker's."""
    other = state / "other"
    fill(other, kept("bbbbb"))
    fill(state, kept("aaaaa"))
    fill(state, kept("ccccc"))
    assert run(capsys, "clear", "aaaaa") == "1 clip deleted\n"
    assert "there is no clip 'aaaaa'" in fails(capsys, "clear", "aaaaa")
    assert run(capsys, "clear") == "1 clip deleted\n"
    assert run(capsys, "clear", "--json") == '{\n  "removed": 0\n}\n'
    assert len(ClipFolder(other).contents().clips) == 1


@pytest.mark.parametrize("words", [["clear"], [], ["label", "aaaaa", "yes"], ["play", "aaaaa"]])
def test_a_socket_alone_does_not_say_whose_clips_are_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, words: list[str]
) -> None:
    """One's own are not taken for another speaker's, which does not answer."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    fill(tmp_path / "parley", kept("aaaaa"))
    told = fails(capsys, *words, "--socket", str(tmp_path / "other.sock"))
    assert "whose folder is meant cannot be told from a socket: set STATE_DIRECTORY" in told
    assert ClipFolder(tmp_path / "parley").clip("aaaaa").said is None


def test_a_folder_that_is_a_link_is_not_followed(state: Path, capsys: Capture) -> None:
    """By any command."""
    elsewhere = state / "elsewhere"
    fill(elsewhere, kept("aaaaa"))
    (state / "wakes").symlink_to(elsewhere / "wakes")
    for words in ([], ["clear"], ["label", "aaaaa", "yes"], ["play", "aaaaa"]):
        assert f"{state}/wakes cannot be used: it is no folder" in fails(capsys, *words)
    assert ClipFolder(elsewhere).clip("aaaaa").said is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")
def test_root_acts_with_the_rights_of_whose_folder_it_is(open_state: Path, capsys: Capture) -> None:
    """What it writes is theirs, and what they may not delete it does not delete for them."""
    nobody, state = 65_534, open_state
    fill(state, kept("aaaaa"))
    place = state / "wakes"
    for path in (state, place, place / "aaaaa.wav"):
        os.chown(path, nobody, nobody)
    run(capsys, "label", "aaaaa", "yes")
    assert (place / "aaaaa.wav").stat().st_uid == nobody
    assert os.geteuid() == 0
    (state / "roots").mkdir(mode=0o700)
    (state / "roots" / "bbbbb.wav").write_bytes((place / "aaaaa.wav").read_bytes())
    run(capsys, "clear")
    place.rmdir()
    (state / "roots").rename(place)
    assert "may not be opened by this user" in fails(capsys, "clear")
    assert (place / "bbbbb.wav").exists()


# --- with a speaker ------------------------------------------------------------------------------


def test_a_speaker_that_runs_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """For everything; it also knows what waits for the disk."""
    labelled(tmp_path)
    contents = ClipFolder(tmp_path).contents()
    listed = contents_record(contents, local_zone())
    asked: list[dict[str, Any]] = []

    def answer(_args: object, request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        match request["action"]:
            case "list":
                return {"keep": "near", **listed}
            case "advise":
                return {"keep": "near", **advice_record(contents, parse("", "x.yaml").wake)}
            case "clear":
                return {"removed": 13}
        return {**listed["clips"][0], "said": request.get("said")}

    monkeypatch.setattr(command, "result", answer)
    told = run(capsys)
    assert told.startswith("Clips of near misses are kept on this device (wake.keep: near).\n")
    assert run(capsys, "play", "aaaa2") == "plays aaaa2: hey_jarvis, 0.40, 3.2 s\n"
    assert run(capsys, "label", "aaaa2", "no") == "aaaa2: hey_jarvis was not said (score 0.40)\n"
    assert "lowering it to 0.3" in run(capsys, "advise")
    assert run(capsys, "clear") == "13 clips deleted\n"
    run(capsys, "clear", "aaaa2")
    assert asked == [
        {"command": "wakes", "action": "list"},
        {"command": "wakes", "action": "play", "id": "aaaa2"},
        {"command": "wakes", "action": "label", "id": "aaaa2", "said": False},
        {"command": "wakes", "action": "advise"},
        {"command": "wakes", "action": "clear"},
        {"command": "wakes", "action": "clear", "id": "aaaa2"},
    ]


def test_what_was_said_over_its_own_sound_is_marked(state: Path, capsys: Capture) -> None:
    """With a mark that is explained where it is used: another threshold is in force then."""
    fill(state, kept("aaaaa"))
    assert "*" not in run(capsys)
    fill(state, kept("bbbbb", woke=True, threshold=0.3, over_our_own=True))
    plain, marked, *rest = run(capsys).splitlines()[2:]
    assert "near miss  " in plain
    assert "woke it *  " in marked
    assert rest[0] == "* Over the speaker's own sound, where playback_threshold is in force."


def test_what_is_there_from_before_is_no_contradiction() -> None:
    """Where none are kept any more."""
    told = {"keep": "none", "clips": [{}]}
    assert sentences.head(told)[1] == "These are from before; parley wakes clear deletes them."
    assert sentences.head({**told, "clips": []})[1:] == ["There are none."]


def test_sentences_are_broken_between_words_for_a_person_only(tmp_path: Path) -> None:
    """No terminal cuts one in two; what is piped can be searched."""
    labelled(tmp_path)
    told = advice_record(ClipFolder(tmp_path).contents(), parse("", "x.yaml").wake)
    lines = [*sentences.verdict("hey_jarvis", told["words"]["hey_jarvis"]), "x" * 70]
    for terminal in (True, False):
        file = io.StringIO()
        print_lines(lines, Console(width=60, file=file, force_terminal=terminal))
        printed = file.getvalue().splitlines()
        if terminal:
            assert max(map(len, printed[:-1])) <= 60
            assert all(line.startswith("  ") for line in printed[:-1])
            assert " ".join(" ".join(printed).split()) == " ".join(" ".join(lines).split())
        else:
            assert printed == lines


@pytest.mark.parametrize("columns", [60, 80])
def test_the_table_fits_a_narrow_terminal(tmp_path: Path, columns: int) -> None:
    """Each clip on one line, with everything that matters."""
    labelled(tmp_path)
    told = contents_record(ClipFolder(tmp_path).contents(), local_zone())
    screen = Console(width=columns, file=io.StringIO())
    print_table(sentences.table(told["clips"], columns), screen)
    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if line.startswith(("aaaa", "bbbb"))]
    assert len(rows) == 10
    assert all("near miss" in row and row.endswith(("yes", "no")) for row in rows)


def test_what_a_clip_says_of_itself_only_shows(state: Path, capsys: Capture) -> None:
    """A word's name is whatever somebody has called a file."""
    fill(state, kept("aaaaa", word="\x1b[31mred[/] \u202e"))
    out = run(capsys)
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[31mred[/]" in out
