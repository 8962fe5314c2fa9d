"""`parley config`: what it prints, where, and its exit codes."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from device.cli import config as config_cli
from device.config import Config, describe, parse

BAD = "audio:\n  volume: 300\n  duplex: ful\n"


def run(*words: str) -> int:
    """Run `parley config WORDS` as the command line would."""
    parser = argparse.ArgumentParser("parley")
    config_cli.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["config", *words])
    code: int = args.run(args)
    return code


@pytest.fixture(autouse=True)
def default_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for /etc/parley/config.yaml; not there yet."""
    path = tmp_path / "default.yaml"
    monkeypatch.setattr(import_module("device.config.load"), "DEFAULT_PATH", path)
    monkeypatch.setattr("device.cli.config.DEFAULT_PATH", path)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return path


class TestCheck:
    @pytest.mark.parametrize("words", [["{}"], ["--config", "{}"]])
    def test_a_file_without_a_mistake_is_fine(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        """Said with its name, whichever way it was given."""
        file = tmp_path / "good.yaml"
        file.write_text("audio: {volume: 3}")
        assert run("check", *[word.format(file) for word in words]) == 0
        assert capsys.readouterr().out == f"{file}: fine\n"

    def test_a_model_that_is_replaced_is_a_warning_with_successor_and_date(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The file is fine, and will not be for ever."""
        file = tmp_path / "old.yaml"
        file.write_text("live: {model: gemini-live-2.5-flash-preview}")
        assert run("check", str(file)) == 0
        printed = capsys.readouterr()
        assert printed.out == f"{file}: fine\n"
        assert printed.err.startswith("warning: live.model: gemini-live-2.5-flash-preview was")
        assert "2025-12-09" in printed.err
        assert "gemini-3.8-live" in printed.err

    def test_so_is_one_of_a_persona(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """By its own key."""
        file = tmp_path / "old.yaml"
        file.write_text("personas: {puck: {model: gemini-live-2.5-flash-preview}, eve: }")
        assert run("check", str(file)) == 0
        warning = "warning: personas.puck.model: gemini-live-2.5-flash-preview was"
        assert capsys.readouterr().err.startswith(warning)

    def test_every_mistake_goes_to_stderr(
        self, bad: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One a line as editors and grep understand it, and the code for systemd."""
        assert run("check", str(bad)) == 78
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.splitlines() == [
            f"{bad}:2:11: audio.volume: 300 is not in 0..100: choose e.g. 60",
            f"{bad}:3:11: audio.duplex: 'ful' is not one of auto, full, half: did you mean full?",
            "2 mistakes",
        ]

    def test_what_would_keep_the_speaker_from_starting_is_a_mistake(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What `parley run` refuses is never called fine."""
        file = tmp_path / "unknown.yaml"
        file.write_text("board: nonsense\nwake: {words: [{model: hey_jervis}]}\n")
        assert run("check", str(file)) == 78
        board, word, count = capsys.readouterr().err.splitlines()
        assert board.startswith(f"{file}:1:8: board: no board is called 'nonsense'")
        assert word.startswith(f"{file}:2:24: wake.words[0].model: no wake word is called")
        assert count == "2 mistakes"

    def test_a_missing_default_file_is_said(
        self, default_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The speaker works then, with the built-in defaults."""
        assert run("check") == 0
        assert "does not exist: the built-in defaults are in force" in capsys.readouterr().out
        default_path.write_text("")
        assert run("check") == 0
        assert capsys.readouterr().out == f"{default_path}: fine\n"

    def test_a_missing_file_that_was_named_is_a_mistake(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A typing error in the path must not look like success."""
        assert run("check", str(tmp_path / "none.yaml")) == 78
        assert "none.yaml" in capsys.readouterr().err


class TestShow:
    @pytest.mark.parametrize(
        ("in_force", "mistakes", "heading"),
        [
            ("file", [], ["# in force, from /c.yaml"]),
            ("defaults", [], ["# in force: the built-in defaults, since /c.yaml does not exist"]),
            (
                "last good",
                ["/c.yaml:1:2: no", "/c.yaml:2:2: neither"],
                [
                    "# in force: the last good settings, since /c.yaml is refused:",
                    "# /c.yaml:1:2: no",
                    "# /c.yaml:2:2: neither",
                ],
            ),
        ],
    )
    def test_a_running_speaker_is_asked_what_is_in_force(
        self,
        default_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        in_force: str,
        mistakes: list[str],
        heading: list[str],
    ) -> None:
        """Not the file, which may have been changed since, or be refused."""
        default_path.write_text("audio: {volume: 300}")

        async def answer(_path: Path, request: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
            assert request == {"command": "config"}
            settings = describe(parse("audio: {volume: 3}", "x"))
            about = {"file": "/c.yaml", "in_force": in_force, "mistakes": mistakes}
            yield {"result": {**about, "settings": settings}}

        monkeypatch.setattr("device.cli.config.call", answer)
        assert run("show") == 0
        shown = capsys.readouterr().out
        assert shown.splitlines()[: len(heading)] == heading
        assert parse(shown, "shown.yaml").audio.volume == 3
        # A file that was named is shown, whatever runs.
        assert run("show", str(default_path)) == 78

    def test_where_the_settings_come_from_is_their_first_line(
        self, default_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without a running speaker: the file, or that there is none."""
        assert run("show") == 0
        first = capsys.readouterr().out.splitlines()[0]
        assert first == f"# {default_path} does not exist: the built-in defaults"
        default_path.write_text("")
        assert run("show") == 0
        assert capsys.readouterr().out.splitlines()[0] == f"# {default_path}"

    def test_it_prints_what_is_in_force(
        self, default_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As YAML that reads back as the same, changes marked."""
        default_path.write_text("audio: {volume: 3}")
        assert run("show") == 0
        shown = capsys.readouterr().out
        assert "  volume: 3  # default: 60\n" in shown
        assert parse(shown, "shown.yaml").audio.volume == 3

    @pytest.mark.parametrize("words", [["{}"], ["--config", "{}"]])
    def test_the_file_is_named_as_for_check(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        """Nobody has to remember which command takes what."""
        file = tmp_path / "good.yaml"
        file.write_text("audio: {volume: 3}")
        assert run("show", *[word.format(file) for word in words]) == 0
        assert "  volume: 3  # default: 60\n" in capsys.readouterr().out

    def test_a_mistake_is_a_mistake_here_too(
        self, bad: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing is shown as in force that is not."""
        assert run("show", "--config", str(bad)) == 78
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "audio.volume" in printed.err


class TestSchema:
    def test_it_is_the_json_schema(self, capsys: pytest.CaptureFixture[str]) -> None:
        """For editors that check while one types."""
        assert run("schema") == 0
        described = json.loads(capsys.readouterr().out)
        assert set(described["properties"]) == set(Config.model_fields)


class TestUsage:
    def test_a_command_is_needed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`parley config` alone is wrong usage, exit code 2."""
        with pytest.raises(SystemExit) as caught:
            run()
        assert caught.value.code == 2
        assert "COMMAND" in capsys.readouterr().err
