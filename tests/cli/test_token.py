"""`parley token`: a token for a script, a bearer for a speaker, and what is wrong in words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.__main__ import main
from device.cli import token as command
from device.config import parse
from device.simulator.script import Script
from device.tokens.mint import MOST_MINUTES
from device.tokens.speakers import Speakers
from tests.rig.server import ServerThread

Capture = pytest.CaptureFixture[str]
KEY = "AIzaTheKeyOfThisTestIsNobodysBusiness01"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerThread]:
    with ServerThread(Script(api_keys=(KEY,))) as server:
        monkeypatch.setenv("SSL_CERT_FILE", os.fspath(server.certificate))
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
        config = tmp_path / "config.yaml"
        config.write_text(f"live: {{endpoint: '{server.url}', model: gemini-3.8-live}}")
        yield server


def token(tmp_path: Path, *words: str) -> int:
    return main(["token", *words, "--config", str(tmp_path / "config.yaml")])


def test_a_script_gets_the_token_and_a_person_the_words(
    tmp_path: Path, google: ServerThread, capsys: Capture
) -> None:
    """Only the token is on standard output, so that $(parley token) is one."""
    assert token(tmp_path, "--uses", "0", "--minutes", "90") == 0
    printed = capsys.readouterr()
    name = printed.out.removesuffix("\n")
    [made] = google.look(lambda server: list(server.mint.tokens.values()))
    assert name == made.name
    assert made.uses == 0
    assert made.setup is not None
    assert made.setup["model"] == "models/gemini-3.8-live"
    assert "a token for gemini-3.8-live, any number of sessions, until " in printed.err
    assert "with the key from GEMINI_API_KEY" in printed.err
    assert name not in printed.err
    assert KEY not in printed.out + printed.err
    assert "GEMINI_API_KEY" not in os.environ


def test_the_wake_words_of_a_speaker_need_not_be_where_the_key_is(
    tmp_path: Path, google: ServerThread, capsys: Capture
) -> None:
    """Its configuration says which models there are; a misspelt one is told all the same."""
    config = tmp_path / "config.yaml"
    words = "wake: {words: [{model: /home/me/computer.onnx}]}"
    config.write_text(f"{config.read_text()}\n{words}\n")
    assert token(tmp_path) == 0
    assert capsys.readouterr().out.startswith("auth_tokens/")
    config.write_text("live: {model: gemini-3.8-Live}")
    assert token(tmp_path) == os.EX_CONFIG
    assert "did you mean gemini-3.8-live?" in capsys.readouterr().err


def test_another_model_by_name(tmp_path: Path, google: ServerThread, capsys: Capture) -> None:
    """Whatever the configuration says."""
    assert token(tmp_path, "--model", "models/gemini-3.1-flash-live-preview") == 0
    assert "a token for gemini-3.1-flash-live-preview, one session" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--minutes", "0"],
        ["--minutes", str(MOST_MINUTES + 1)],
        ["--uses", "-1"],
        ["--uses", "1001"],
        ["--uses", "many"],
        ["serve"],
        ["serve", "--speakers", "x", "--per-hour", "0"],
        ["serve", "--speakers", "x", "--listen", "8790"],
        ["serve", "--speakers", "x", "--listen", "127.0.0.1:99999"],
        ["serve", "--speakers", "x", "--minutes", "1200"],
        ["speaker"],
    ],
)
def test_wrong_usage(words: list[str], capsys: Capture) -> None:
    """Told before anything is asked; 2."""
    with pytest.raises(SystemExit) as caught:
        main(["token", *words])
    assert caught.value.code == 2
    assert "usage: parley token" in capsys.readouterr().err


def test_what_keeps_it_from_being_made_is_told(
    tmp_path: Path, google: ServerThread, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A wrong key, none at all, nobody there, a mistake in the file: one line each, and 1 or 78."""
    wrong = "AIzaAWrongKeyThatNobodyMaySee-0123456789"
    monkeypatch.setenv("GEMINI_API_KEY", wrong)
    assert token(tmp_path) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("parley: the server refused the key")
    assert wrong not in printed.err
    monkeypatch.setattr(command, "find_machine_key", _none_is_there)
    assert token(tmp_path) == 1
    assert "no API key found" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    (tmp_path / "config.yaml").write_text("live: {endpoint: 'https://localhost:1'}")
    assert token(tmp_path) == 1
    assert "no server takes connections at localhost:1" in capsys.readouterr().err
    (tmp_path / "config.yaml").write_text("live: {model: ''}")
    assert token(tmp_path) == os.EX_CONFIG


def _none_is_there(environ: dict[str, str]) -> None:
    from device.credentials.lookup import find_api_key

    find_api_key({})


def test_a_bearer_for_a_speaker(tmp_path: Path, capsys: Capture) -> None:
    """Told once, on standard output; a second one of the same name is refused."""
    path = tmp_path / "speakers"
    words = ["token", "speaker", "kitchen", "--speakers", str(path)]
    assert main(words) == 0
    printed = capsys.readouterr()
    found = Speakers(path).find(printed.out.strip())
    assert found is not None
    assert found.name == "kitchen"
    assert "live.token_credential" in printed.err
    assert "restart parley-tokens" in printed.err
    assert main(words) == 1
    assert "is in" in capsys.readouterr().err


def test_tokens_are_lent_for_the_models_of_the_configuration() -> None:
    """The first is for who names none; each is there once."""
    live = "live: {model: models/a, fallback_models: [b, a]}"
    config = parse(f"{live}\npersonas: {{puck: {{model: c}}, eve: {{}}}}", "test.yaml")
    assert command.models_of(config) == ("a", "b", "c")


def test_a_server_that_cannot_serve_says_why(
    tmp_path: Path, google: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No speakers, a file that others may read, an address that is not this machine's alone."""
    path = tmp_path / "speakers"
    base = ["serve", "--config", str(tmp_path / "config.yaml"), "--speakers", str(path)]

    def told(*more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "device", "token", *base, *more],
            env={**os.environ, "PYTHONPATH": str(ROOT), "GEMINI_API_KEY": KEY},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "cannot be read: no such file" in told()
    path.touch(0o600)
    assert "nobody is in" in told()
    Speakers(path).add("kitchen")
    assert "listens on this machine only" in told("--listen", "0.0.0.0:8790")
    assert "the audit" in told("--audit", str(tmp_path / "none" / "audit"))
    path.chmod(0o644)
    assert "chmod 600" in told()
