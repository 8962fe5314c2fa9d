"""`parley tools`: what is typed, sent and printed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.test_remote import Speaker
from tests.cli.test_tool_sentences import LIGHT, READY, UNLOCK

Capture = pytest.CaptureFixture[str]
LIST: dict[str, Any] = {"functions": [LIGHT, UNLOCK], "servers": [READY], "facts_tokens": 0}


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[Speaker]:
    speaker = Speaker(tmp_path / "control.sock")
    with speaker.serving():
        yield speaker


def test_all_there_are_is_a_table_with_its_sum_and_the_servers(
    speaker: Speaker, capsys: Capture
) -> None:
    """A line each; none ends with spaces."""
    speaker.answer = [{"result": LIST}]
    assert speaker.run("tools") == 0
    printed = capsys.readouterr()
    out = printed.out.splitlines()
    assert [line.split()[:1] for line in out[:4]] == [
        *(["name"], ["home_HassTurnOff"], ["home_HassUnlock"], [])
    ]
    assert out[4] == "2 functions, about 224 tokens in each turn"
    assert out[5].startswith("ready for 12 seconds: home (http://ha.local:8123/api/mcp): home-")
    assert not any(line.endswith(" ") for line in out)
    assert printed.err == ""
    assert speaker.requests == [{"command": "tools"}]


def test_a_speaker_whose_model_can_do_nothing_has_no_table(
    speaker: Speaker, capsys: Capture
) -> None:
    """It says where to change that."""
    speaker.answer = [{"result": {"functions": [], "servers": [], "facts_tokens": 0}}]
    assert speaker.run("tools") == 0
    assert capsys.readouterr().out.startswith("the model can call no function: see tools in")


def test_a_script_gets_the_whole_answer(speaker: Speaker, capsys: Capture) -> None:
    """As it came."""
    speaker.answer = [{"result": LIST}]
    assert speaker.run("tools", "--json") == 0
    assert json.loads(capsys.readouterr().out) == LIST


@pytest.mark.parametrize(
    ("typed", "arguments"),
    [
        ([], {}),
        (["{}"], {}),
        (['{"name": "Küche", "n": [1, null]}'], {"name": "Küche", "n": [1, None]}),
    ],
)
def test_a_function_is_called_with_what_was_typed(
    speaker: Speaker, capsys: Capture, typed: list[str], arguments: dict[str, Any]
) -> None:
    """Its answer is printed as JSON, for people and scripts."""
    answer = {"output": {"result": "aus: Küche"}}
    speaker.answer = [{"result": {"answer": answer}}]
    assert speaker.run("tools", "call", "home_HassTurnOff", *typed) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == answer
    assert '\n    "result": "aus: Küche"\n' in printed
    request = {"command": "tools", "call": "home_HassTurnOff", "arguments": arguments}
    assert speaker.requests == [request]


def test_an_answer_that_is_an_error_is_exit_code_1(speaker: Speaker, capsys: Capture) -> None:
    """It is printed all the same."""
    speaker.answer = [{"result": {"answer": {"error": "the kitchen has no lamp"}}}]
    assert speaker.run("tools", "call", "home_fail") == 1
    assert json.loads(capsys.readouterr().out) == {"error": "the kitchen has no lamp"}


def test_a_name_that_is_not_known_is_exit_code_1(speaker: Speaker, capsys: Capture) -> None:
    """In the words of the speaker."""
    speaker.answer, speaker.refusal = [], "there is no function 'x'; did you mean y?"
    assert speaker.run("tools", "call", "x") == 1
    assert capsys.readouterr() == ("", f"parley: {speaker.refusal}\n")


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_a_dash_reads_standard_input(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines and all."""
    speaker.answer = [{"result": {"answer": {"output": {}}}}]
    piped(monkeypatch, '{\n "name": "Küche"\n}\n'.encode())
    assert speaker.run("tools", "call", "home_HassTurnOff", "-") == 0
    assert speaker.requests[0]["arguments"] == {"name": "Küche"}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "{name: 1}",
            (
                "argument JSON: this is no JSON at line 1, column 2: expecting property name "
                "enclosed in double quotes, before 'name: 1}'; "
                'write it as \'{"name": "Kitchen Light"}\''
            ),
        ),
        ('{"a": ', "argument JSON: this is no JSON at line 1, column 7: expecting value, at its e"),
        ('{"a": 1} \x1b[2J', "column 10: extra data, before '�[2J'"),
        ("", "argument JSON: this is no JSON at line 1, column 1: expecting value, at its end"),
        ("[40]", 'argument JSON: [40] is no JSON object: write it as \'{"name": '),
        ("40", "argument JSON: 40 is no JSON object"),
        ("9" * 5_000, "argument JSON: this JSON is too long or too deep"),
        ("[" * 99_999, "argument JSON: this JSON is too long or too deep"),
    ],
)
def test_what_is_no_json_is_wrong_usage_and_nothing_is_sent(
    speaker: Speaker, capsys: Capture, typed: str, told: str
) -> None:
    """With the place where it went wrong; exit code 2."""
    with pytest.raises(SystemExit) as caught:
        speaker.run("tools", "call", "home_HassTurnOff", typed)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert told in error
    assert all(line.isprintable() for line in error.splitlines())
    assert speaker.requests == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"a":\n 1,}', "standard input: this is no JSON at line 2, column "),
        (b'{"a": "\xff"}', "standard input: this is no UTF-8 at byte 8"),
        (b"null", "standard input: null is no JSON object"),
    ],
)
def test_what_comes_through_a_pipe_is_checked_too(
    speaker: Speaker,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    told: str,
) -> None:
    """And named as such."""
    piped(monkeypatch, content)
    with pytest.raises(SystemExit) as caught:
        speaker.run("tools", "call", "home_HassTurnOff", "-")
    assert caught.value.code == 2
    assert told in capsys.readouterr().err
    assert speaker.requests == []


@pytest.mark.parametrize("words", [[], ["--json"], ["call", "x"]])
def test_what_a_server_says_commands_no_terminal(
    speaker: Speaker, capsys: Capture, words: list[str]
) -> None:
    """Whoever names a tool, or has taken the speaker over: it only shows, on its line."""
    evil = "x\x1b[2J\x9b1m\x07\u202e\n99"
    function = {**LIGHT, "name": evil, "from": evil, "purpose": evil}
    texts = {"name": evil, "place": evil, "version": evil, "protocol": evil, "left_out": [evil]}
    gone = {**READY, **texts, "state": "gone", "why": evil}
    servers = [{**READY, **texts}, gone]
    told = {"functions": [function], "servers": servers, "facts_tokens": 40}
    answer = {**told, "answer": {"output": {evil: evil}}}
    speaker.answer = [{"result": answer}]
    assert speaker.run("tools", *words) == 0
    printed = capsys.readouterr()
    for line in (printed.out + printed.err).splitlines():
        assert line.isprintable()
        assert not line.startswith("99")
