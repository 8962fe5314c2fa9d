"""The commands that speak to a running speaker: what they send, print and return."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from device.__main__ import main
from device.camera.picture import MOST_BYTES
from device.control.commands import ATTACHED
from device.control.socket import ControlServer, Record, Records
from device.errors import ControlError
from tests.rig.pictures import jpeg, size_of

STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "state": "idle",
    "uptime_s": 3.2,
    "board": "flex",
    "lights": 12,
    "microphone": "reSpeaker",
    "speaker": "USB audio",
    "volume": 60,
    "wake_words": ["hey_jarvis"],
    "duplex": {"mode": "full", "why": "set so", "canceller": "none"},
    "echo": {"erle_db": None},
    "session": {"number": 0, "model": None, "open_s": None},
    "faults": [],
    "muted": False,
    "timers": {"set": 0, "next_due": None, "ringing": [], "kept": True},
    "config": {"file": "/etc/parley/config.yaml", "in_force": "file", "mistakes": []},
    "last_fault": None,
}


class Speaker:
    """Answers every command with the records it was given; remembers the requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.requests: list[dict[str, Any]] = []
        self.answer: list[dict[str, Any]] = [{"result": {}}]
        self.refusal = ""
        self.stays = False
        """Whether it sends nothing more and does not hang up."""

    async def _answer(self, request: Record) -> Records:
        self.requests.append(dict(request))
        for record in self.answer:
            yield record
        if self.stays:
            await asyncio.Event().wait()
        if self.refusal:
            raise ControlError(self.refusal)

    @contextmanager
    def serving(self) -> Iterator[None]:
        plain = ["ask", "mute", "reload", "status", "stop", "timers", "tools", "unmute"]
        names = [*plain, "volume", "watch"]
        ready, over = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def serve() -> None:
            answers = dict.fromkeys(names, self._answer)
            async with ControlServer(self.path, answers, attached=ATTACHED):
                ready.set()
                await over.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
        thread.start()
        try:
            assert ready.wait(10)
            yield
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(10)
            loop.close()

    def run(self, *words: str) -> int:
        return main([*words, "--socket", str(self.path)])


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[Speaker]:
    speaker = Speaker(tmp_path / "control.sock")
    with speaker.serving():
        yield speaker


Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("command", ["mute", "unmute", "stop"])
def test_plain_commands_say_nothing_when_all_is_well(
    speaker: Speaker, capsys: Capture, command: str
) -> None:
    """Their exit code says it."""
    assert speaker.run(command) == 0
    assert speaker.requests == [{"command": command}]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changed", "printed"),
    [
        (["audio.volume", "board"], "in force: audio.volume, board\n"),
        ([], "nothing has changed\n"),
    ],
)
def test_reload_says_what_is_in_force_now(
    speaker: Speaker, capsys: Capture, changed: list[str], printed: str
) -> None:
    """Or that nothing has changed."""
    speaker.answer = [{"result": {"changed": changed}}]
    assert speaker.run("reload") == 0
    assert capsys.readouterr().out == printed


def test_a_refusal_is_printed_and_exit_code_1(speaker: Speaker, capsys: Capture) -> None:
    """In the words of the speaker, on standard error."""
    speaker.answer, speaker.refusal = [], "c.yaml:1:2: audio.volume: 500 is not in 0..100"
    assert speaker.run("reload") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"parley: {speaker.refusal}\n"


def test_volume_is_shown_and_set(speaker: Speaker, capsys: Capture) -> None:
    """It prints what is in force."""
    speaker.answer = [{"result": {"volume": 40}}]
    assert speaker.run("volume") == 0
    assert speaker.run("volume", "40") == 0
    assert [request["percent"] for request in speaker.requests] == [None, 40]
    assert capsys.readouterr().out == "40\n40\n"


@pytest.mark.parametrize("percent", ["101", "-1", "loud", "4.5", ""])
def test_what_is_no_volume_is_wrong_usage(speaker: Speaker, capsys: Capture, percent: str) -> None:
    """Exit code 2, and nothing is sent."""
    with pytest.raises(SystemExit) as caught:
        speaker.run("volume", "--", percent)
    assert caught.value.code == 2
    assert f"{percent!r} is not a whole number from 0 to 100" in capsys.readouterr().err
    assert speaker.requests == []


def test_status_for_people_and_for_scripts(speaker: Speaker, capsys: Capture) -> None:
    """A table, or the JSON that the speaker sent."""
    speaker.answer = [{"result": STATUS}]
    assert speaker.run("status") == 0
    assert "hey_jarvis" in capsys.readouterr().out
    assert speaker.run("status", "--json") == 0
    assert json.loads(capsys.readouterr().out) == STATUS


def test_watch_prints_events_until_the_speaker_ends(speaker: Speaker, capsys: Capture) -> None:
    """One a line; the end of the stream is the end of the speaker: exit code 1."""
    events = [
        {"time": 1.5, "event": "wake", "word": "hey_jarvis", "score": 0.98},
        {"time": 2.5, "event": "transcript", "who": "user", "text": "grüße", "final": True},
    ]
    speaker.answer = list(events)
    assert speaker.run("watch", "--json") == 1
    printed = capsys.readouterr()
    assert [json.loads(line) for line in printed.out.splitlines()] == events
    assert "grüße" in printed.out
    assert printed.err == "parley: the speaker has stopped\n"
    assert speaker.run("watch") == 1
    assert capsys.readouterr().out.splitlines()[0].split() == [
        *("1.500", "wake", "word=hey_jarvis", "score=0.98")
    ]


def said(text: str, *, final: bool = False) -> dict[str, Any]:
    return {"time": 1.0, "event": "transcript", "who": "model", "text": text, "final": final}


@pytest.mark.parametrize(
    "records",
    [
        [said("It is "), said("sunny."), said("It is sunny.", final=True)],
        [said("It is sunny.", final=True)],
    ],
)
def test_ask_prints_the_answer_once(
    speaker: Speaker, capsys: Capture, records: list[dict[str, Any]]
) -> None:
    """As it comes, piece by piece; the whole text only where there were no pieces."""
    speaker.answer = [*records, {"result": {"state": "idle"}}]
    assert speaker.run("ask", "how", "is the", "weather") == 0
    assert speaker.requests == [{"command": "ask", "text": "how is the weather"}]
    assert capsys.readouterr().out == "It is sunny.\n"


def test_a_picture_goes_with_the_question(speaker: Speaker, tmp_path: Path) -> None:
    """Made small here, without what its file tells of time and place."""
    exif = Image.Exif()
    exif[0x010E] = "at home"
    file = tmp_path / "cup.jpg"
    file.write_bytes(jpeg(2000, 1000, exif=exif))
    speaker.answer = [{"result": {"state": "idle"}}]
    assert speaker.run("ask", "what is this?", "--image", str(file)) == 0
    (request,) = speaker.requests
    assert request["text"] == "what is this?"
    assert size_of(request["attached"]) == (768, 384)
    assert b"at home" in file.read_bytes()
    assert b"at home" not in request["attached"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no file"),
        (b"no picture at all", "no picture that can be read"),
        (jpeg(200, 100)[:900], "no picture that can be read"),
        (b"", "it is empty"),
    ],
)
def test_what_is_no_picture_is_told_before_anybody_is_asked(
    speaker: Speaker, tmp_path: Path, capsys: Capture, content: bytes | None, told: str
) -> None:
    """With its name, and exit code 1."""
    file = tmp_path / "cup.jpg"
    if content is not None:
        file.write_bytes(content)
    assert speaker.run("ask", "what is this?", "--image", str(file)) == 1
    error = capsys.readouterr().err
    assert str(file) in error
    assert told in error
    assert speaker.requests == []


def test_a_pipe_or_a_file_too_large_is_no_picture(
    speaker: Speaker, tmp_path: Path, capsys: Capture
) -> None:
    """Neither waits, nor fills the memory."""
    pipe, large = tmp_path / "pipe", tmp_path / "large.jpg"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    for path in (pipe, large):
        assert speaker.run("ask", "what is this?", "--image", str(path)) == 1
        assert str(path) in capsys.readouterr().err
    assert speaker.requests == []


def test_ask_names_who_is_asked(speaker: Speaker) -> None:
    """Before or after the question."""
    speaker.answer = [{"result": {"state": "idle"}}]
    for words in (("--as", "puck", "why?"), ("why?", "--as", "puck")):
        assert speaker.run("ask", *words) == 0
        assert speaker.requests[-1] == {"command": "ask", "text": "why?", "as": "puck"}


@pytest.mark.parametrize("words", [("ask", "why"), ("status",), ("volume",), ("mute",)])
def test_a_speaker_that_ends_before_it_answered_is_told(
    speaker: Speaker, capsys: Capture, words: tuple[str, ...]
) -> None:
    """Silence is no success."""
    speaker.answer = []
    assert speaker.run(*words) == 1
    assert "ended before it had answered" in capsys.readouterr().err


def test_nobody_there_is_told_with_advice(tmp_path: Path, capsys: Capture) -> None:
    """Exit code 1."""
    assert main(["status", "--socket", str(tmp_path / "none")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("parley: nobody answers on ")
    assert "systemctl status parley" in error


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_socket_may_be_named_before_or_after_the_command(speaker: Speaker, place: str) -> None:
    """Both are what people type."""
    option = ["--socket", str(speaker.path)]
    assert main([*option, "stop"] if place == "before" else ["stop", *option]) == 0
    assert speaker.requests == [{"command": "stop"}]


WATCH = [sys.executable, "-m", "device", "watch", "--json", "--socket"]


def test_watch_ends_when_nobody_reads_it_any_more(speaker: Speaker) -> None:
    """`parley watch --json | head -1` does not wait for the next event, and says nothing."""
    speaker.answer, speaker.stays = [{"time": 1.5, "event": "wake"}], True
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [*WATCH, str(speaker.path)], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert json.loads(watching.stdout.readline())["event"] == "wake"
        watching.stdout.close()
        try:
            assert watching.wait(timeout=30) == 1
            assert watching.stderr.read() == b""
        finally:
            watching.kill()


@pytest.mark.parametrize(
    "words", [["watch"], ["watch", "--json"], ["ask", "hello"], ["status", "--json"]]
)
def test_a_speaker_that_was_taken_over_commands_no_terminal(
    speaker: Speaker, capsys: Capture, words: list[str]
) -> None:
    """Who asks may be root: what is printed only shows."""
    evil = "x\x1b[2J\x9b1m\x07\u202e"
    transcript = {"event": "transcript", "time": 1.0, "who": "model", "text": evil, "final": False}
    speaker.answer = [transcript, {"event": "x", "time": 2.0, "result": {evil: evil}}]
    if words[0] == "status":
        speaker.answer = [{"result": {evil: [evil]}}]
    speaker.run(*words)
    printed = capsys.readouterr().out
    assert "x�[2J�1m��" in printed
    assert printed.replace("\n", "").isprintable(), repr(printed)


def test_a_refusal_commands_no_terminal(speaker: Speaker, capsys: Capture) -> None:
    """Its lines stay lines: a refused configuration has many mistakes."""
    speaker.answer = []
    speaker.refusal = "line 1: no\x1b[2J\nline 2: neither"
    assert speaker.run("reload") == 1
    assert capsys.readouterr().err == "parley: line 1: no�[2J\nline 2: neither\n"
