"""`parley doctor`: what it asks of a running speaker, and what it makes of the answer."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from device.__main__ import main
from device.control import ControlServer, Record, Records
from device.errors import ControlError
from tests.rig.sound import wait_until

ECHO = {
    "return_loss_db": 6.2,
    "erle_db": 25.0,
    "residue_db": 5.1,
    "noise_dbfs": -61.3,
    "delay_ms": 86.0,
    "drift_ppm": -12.0,
    "needed_db": 40.0,
    "learned": True,
}
NOTHING = dict.fromkeys(("return_loss_db", "erle_db", "residue_db", "delay_ms", "drift_ppm"))
GOOD = {"mode": "full", "why": "25 dB of the echo are cancelled", "canceller": "software"}
HALF = {"mode": "half", "why": "only 4 dB of the echo are cancelled", "canceller": "software"}
HARDWARE = {
    "mode": "full",
    "why": "the microphone cancels echo in its hardware",
    "canceller": "hardware",
}
Answer = dict[str, Any]
Capture = pytest.CaptureFixture[str]


def answer(duplex: dict[str, str], **echo: float | None) -> Answer:
    return {"duplex": duplex, "echo": {**ECHO, **echo}}


class Speaker:
    """Answers `measure` as it was told; `busy` is why it refuses, `asked` what came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[Record] = []
        self.answer: Answer | None = None
        self.busy = ""
        self.takes_long = False

    async def _measure(self, request: Record) -> Records:
        self.asked.append(dict(request))
        if self.takes_long:
            await asyncio.Event().wait()
        if self.busy:
            raise ControlError(self.busy)
        if self.answer is not None:
            yield {"result": self.answer}

    @contextmanager
    def serving(self) -> Iterator[None]:
        ready, over = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def serve() -> None:
            async with ControlServer(self.path, {"measure": self._measure}):
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

    def doctor(self, *words: str) -> int:
        return main(["doctor", *words, "--socket", str(self.path)])


@pytest.fixture
def speaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Speaker]:
    monkeypatch.setenv("COLUMNS", "200")
    speaker = Speaker(tmp_path / "control.sock")
    with speaker.serving():
        yield speaker


def table(speaker: Speaker, capsys: Capture, answer: Answer) -> tuple[int, list[str]]:
    """The exit code and the lines of the table for this answer."""
    speaker.answer = answer
    code = speaker.doctor()
    printed = capsys.readouterr()
    assert printed.err == ""
    announced, *lines = [" ".join(line.split()) for line in printed.out.splitlines()]
    assert "please be quiet" in announced
    return code, lines


def test_where_all_is_well_it_shows_the_figures(speaker: Speaker, capsys: Capture) -> None:
    """With their units; exit code 0."""
    assert table(speaker, capsys, answer(GOOD)) == (
        0,
        [
            "loudspeaker to microphone 6.2 dB quieter than what is played ok",
            "noise of the room -61.3 dBFS ok",
            "echo cancelled 25.0 dB, 5.1 dB left over the noise ok",
            "delay 86.0 ms ok",
            "drift of the two clocks -12.0 ppm ok",
            "over a reply full duplex: 25 dB of the echo are cancelled ok",
        ],
    )
    assert speaker.asked == [{"command": "measure"}]


def test_what_could_be_better_is_noted_with_advice(speaker: Speaker, capsys: Capture) -> None:
    """It works, in half duplex: exit code 0."""
    poor = answer(
        HALF, return_loss_db=-3.0, erle_db=4.0, residue_db=31.0, delay_ms=700.0, drift_ppm=-900.0
    )
    assert table(speaker, capsys, poor) == (
        0,
        [
            "loudspeaker to microphone 3.0 dB louder than what is played ok",
            "noise of the room -61.3 dBFS ok",
            (
                "echo cancelled 4.0 dB, 31.0 dB left over the noise note "
                "a lower volume, more distance or another loudspeaker distort less"
            ),
            "delay 700.0 ms note a sound server with a large buffer is in between",
            "drift of the two clocks -900.0 ppm note use one card for both",
            (
                "over a reply half duplex: only 4 dB of the echo are cancelled ok "
                "the wake word and the button still interrupt a reply"
            ),
        ],
    )


def test_a_loudspeaker_that_is_not_heard_is_broken(speaker: Speaker, capsys: Capture) -> None:
    """Exit code 1, and what to look at; nothing is said of an echo that was not measured."""
    unheard = answer({**HALF, "why": "it is not known yet"}, **NOTHING, noise_dbfs=None)
    assert table(speaker, capsys, unheard) == (
        1,
        [
            (
                "loudspeaker to microphone not known broken "
                "have it quiet, turn the volume up; see: parley devices"
            ),
            "noise of the room not known ok",
            (
                "over a reply half duplex: it is not known yet ok "
                "the wake word and the button still interrupt a reply"
            ),
        ],
    )


def test_of_a_board_that_cancels_only_the_outcome_is_shown(
    speaker: Speaker, capsys: Capture
) -> None:
    """What its canceller does is not seen from here."""
    code, lines = table(speaker, capsys, answer(HARDWARE, return_loss_db=48.0, erle_db=0.0))
    assert code == 0
    assert lines == [
        "loudspeaker to microphone 48.0 dB quieter than what is played ok",
        "noise of the room -61.3 dBFS ok",
        "over a reply full duplex: the microphone cancels echo in its hardware ok",
    ]


@pytest.mark.parametrize(
    ("echo", "verdict"),
    [
        ({"erle_db": 12.0, "residue_db": 20.0}, "ok"),
        ({"erle_db": 11.9, "residue_db": 8.1}, "note"),
        # A headset: there is no echo to cancel.
        ({"erle_db": 0.4, "residue_db": 0.8}, "ok"),
        # A canceller so new that it does not know the room's noise.
        ({"erle_db": 20.0, "residue_db": None}, "ok"),
        ({"erle_db": 2.0, "residue_db": None}, "note"),
    ],
)
def test_much_cancelled_or_little_left_is_good(
    speaker: Speaker, capsys: Capture, echo: dict[str, float | None], verdict: str
) -> None:
    """The same that makes full duplex."""
    _, lines = table(speaker, capsys, answer(GOOD, **echo))
    [line] = [line for line in lines if line.startswith("echo cancelled")]
    assert f" {verdict}" in line


def test_what_is_not_known_of_the_way_is_no_note(speaker: Speaker, capsys: Capture) -> None:
    """A few sentences may be too short for the drift."""
    _, lines = table(speaker, capsys, answer(GOOD, delay_ms=None, drift_ppm=None))
    assert "delay not known ok" in lines
    assert "drift of the two clocks not known ok" in lines


def test_reasons_are_printed_as_they_are(speaker: Speaker, capsys: Capture) -> None:
    """What looks like a colour to the terminal library is text."""
    _, lines = table(speaker, capsys, answer({**GOOD, "why": "[bold]so[/bold]"}))
    assert "over a reply full duplex: [bold]so[/bold] ok" in lines


@pytest.mark.parametrize(
    ("given", "broken"), [(answer(GOOD), False), (answer(HALF, **NOTHING), True)]
)
def test_scripts_get_the_figures_and_the_verdict(
    speaker: Speaker, capsys: Capture, given: Answer, broken: bool
) -> None:
    """Nothing but JSON is printed."""
    speaker.answer = given
    assert speaker.doctor("--json") == int(broken)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {**given, "broken": broken}
    assert printed.err == ""


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_speaker_that_is_busy_says_why(
    speaker: Speaker, capsys: Capture, words: tuple[str, ...]
) -> None:
    """In its own words, on standard error; exit code 1."""
    speaker.busy = "it cannot be measured now: the speaker is listening"
    assert speaker.doctor(*words) == 1
    assert capsys.readouterr().err == f"parley: {speaker.busy}\n"


def test_a_speaker_that_ends_before_it_answered_is_told(speaker: Speaker, capsys: Capture) -> None:
    """Silence is no result."""
    assert speaker.doctor() == 1
    assert "ended before it had answered; see: journalctl" in capsys.readouterr().err


def test_where_no_speaker_runs_it_says_how_to_start_one(tmp_path: Path, capsys: Capture) -> None:
    """Exit code 1."""
    assert main(["doctor", "--json", "--socket", str(tmp_path / "none")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("parley: nobody answers on ")
    assert "systemctl status parley" in printed.err


def test_it_can_be_interrupted(speaker: Speaker) -> None:
    """From the keyboard, without a traceback; the exit code is a shell's."""
    speaker.takes_long = True
    command = [sys.executable, "-m", "device", "doctor", "--socket", str(speaker.path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as doctor:
        assert doctor.stdout is not None
        assert doctor.stderr is not None
        assert b"please be quiet" in doctor.stdout.readline()
        # Before that Python itself may still be busy with an import, and say so.
        wait_until(lambda: bool(speaker.asked), "the request", 10)
        doctor.send_signal(signal.SIGINT)
        try:
            assert doctor.wait(timeout=10) == 130
            assert doctor.stderr.read() == b""
        finally:
            doctor.kill()
