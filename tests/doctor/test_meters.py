"""`parley doctor mic` and `wake`: as lines for a script, and as pictures for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from device.__main__ import main
from device.doctor import meters
from device.doctor.meters import BAR, LATELY_S, Levels, Scores
from device.simulator.microphone import WavMicrophone
from tests.rig.answering import Answering, level, reading

Capture = pytest.CaptureFixture[str]
STATUS = {"microphone": "some card", "faults": []}
ARRAY = "ReSpeaker 4 Mic Array"


@pytest.fixture
def speaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    monkeypatch.setattr(meters, "LINE_S", 0.0)
    speaker = Answering(tmp_path / "control.sock")
    speaker.answers["status"] = [{"result": STATUS}]
    with speaker.serving():
        yield speaker


def lines(speaker: Answering, capsys: Capture, *words: str) -> list[dict[str, Any]]:
    assert main(["doctor", *words, "--socket", str(speaker.path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return [json.loads(line) for line in printed.out.splitlines()]


def test_the_levels_of_a_running_speaker_are_lines(speaker: Answering, capsys: Capture) -> None:
    """Into a pipe without being asked to; each channel as it was since the last line."""
    loud = level(peak_dbfs=-3.0, clipped=2)
    speaker.answers["meter"] = [reading(level(), level(dead=True)), reading(loud, level())]
    first, second = lines(speaker, capsys, "mic")
    assert first["channels"] == [level(), level(dead=True)]
    assert second["channels"][0] == loud
    assert {"time", "microphone", "channel", "silent_s", "muted", "channels"} == set(first)


def test_the_scores_of_a_running_speaker_are_lines(speaker: Answering, capsys: Capture) -> None:
    """With what would have fired, which is told once."""
    speaker.answers["meter"] = [
        reading(scores={"hey_jarvis": 0.2}),
        reading(scores={"hey_jarvis": 0.91}, time=101.0),
        reading(scores={"hey_jarvis": 0.95}, time=101.1),
        reading(scores={}, time=104.0),
    ]
    told = lines(speaker, capsys, "wake", "--json")
    assert [each["fired"] for each in told] == [
        [],
        [{"word": "hey_jarvis", "score": 0.91}],
        [],
        [],
    ]
    assert [each["best"]["hey_jarvis"] for each in told] == [0.2, 0.91, 0.95, 0.95]
    assert told[-1]["scores"] == {}
    assert told[0]["thresholds"] == {"hey_jarvis": 0.5}


def test_it_ends_after_so_many_seconds(speaker: Answering, capsys: Capture) -> None:
    """Exit code 0."""
    speaker.answers["meter"] = [reading()]
    speaker.endless.add("meter")
    assert len(lines(speaker, capsys, "mic", "--seconds", "0.5")) == 1


def test_it_ends_when_it_is_interrupted(
    speaker: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is how one leaves a meter: exit code 0."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("device.doctor.meters.Levels.take", interrupted)
    speaker.answers["meter"] = [reading()]
    assert main(["doctor", "mic", "--socket", str(speaker.path)]) == 0


def test_a_speaker_that_may_not_be_asked_is_told(
    speaker: Answering, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its microphone cannot be opened beside it."""
    monkeypatch.setattr("device.doctor.checklist.STATUS_S", 0.05)
    speaker.answers["status"] = []
    speaker.endless.add("status")
    assert main(["doctor", "mic", "--socket", str(speaker.path)]) == 1
    assert "did not answer within" in capsys.readouterr().err


def test_without_a_speaker_the_microphone_is_opened_here(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the real networks hear the wake word."""
    monkeypatch.setattr(meters, "LINE_S", 0.5)
    monkeypatch.setattr(
        "device.build.real.microphone", lambda _boards, _config: WavMicrophone([2000, "wake", 1000])
    )
    words = ["wake", "--seconds", "4.5", "--socket", str(tmp_path / "none")]
    assert main(["doctor", *words]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["word"] for line in told for each in line["fired"]] == ["hey_jarvis"]
    assert told[-1]["best"]["hey_jarvis"] > 0.5
    assert main(["doctor", "mic", "--json", *words[1:2], "1.2", *words[3:]]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0]["channels"][0]["dead"] is True
    assert told[0]["microphone"] == "simulated microphone (WAV)"


def test_in_a_terminal_it_is_a_picture(
    speaker: Answering, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn anew with each reading; that a running speaker wakes is told."""
    monkeypatch.setattr("device.doctor.meters.sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "140")
    speaker.answers["meter"] = [reading(scores={"hey_jarvis": 0.77})]
    assert main(["doctor", "wake", "--socket", str(speaker.path)]) == 0
    printed = capsys.readouterr().out
    assert "what it hears wakes it" in printed
    assert "hey_jarvis" in printed
    assert main(["doctor", "mic", "--socket", str(speaker.path)]) == 0
    assert "floor  -62.0" in capsys.readouterr().out


def drawn(meter: Levels | Scores, *readings: dict[str, Any]) -> str:
    for each in readings:
        meter.take(each)
    console = Console(width=140, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(meter.picture(readings[-1]))
    return capture.get()


def test_the_level_meter_shows_each_channel() -> None:
    """The one that is listened to is marked; peaks are held, cut off samples counted."""
    loud = reading(level(rms_dbfs=-10.0, peak_dbfs=-0.5, clipped=7), level(dead=True))
    soft = reading(level(rms_dbfs=-40.0), level(), time=101.0)
    first, second = drawn(Levels(), loud, soft).splitlines()[1:]
    assert first.startswith("0*")
    assert "peak   -0.5" in first
    assert "7 cut off" in first
    assert first.count("█") == BAR // 2
    assert "cut off" not in second
    dead = drawn(Levels(), loud).splitlines()[2]
    assert "nothing but zeros" in dead
    later = drawn(Levels(), loud, reading(level(), level(), time=102.0)).splitlines()[1]
    assert "peak  -41.0" in later


def test_a_bar_stays_in_its_place() -> None:
    """Below and above what is shown."""
    for rms, peak in ((-120.0, -120.0), (0.0, 0.0), (-5.0, -3.0)):
        text = drawn(Levels(), reading(level(rms_dbfs=rms, peak_dbfs=peak)))
        assert len(text.splitlines()[1].split(" dBFS")[0].split()[1]) == BAR


def test_a_muted_or_silent_microphone_is_told() -> None:
    """A line of it has no channels."""
    nothing: dict[str, Any] = {"levels": [], "silent_s": 4.0}
    assert "nothing for 4 s" in drawn(Levels(), reading(**nothing))
    assert "parley unmute" in drawn(Levels(), reading(**nothing, muted=True))
    assert "parley unmute" in drawn(Scores({}, 2.0), reading(**nothing, muted=True))
    meter = Levels()
    meter.take(reading(**nothing, muted=True))
    line = meter.line()
    assert (line["channels"], line["muted"], line["silent_s"]) == ([], True, 4.0)


def test_the_score_meter_shows_what_would_have_fired() -> None:
    """Not again within the refractory period; the best of the last half minute."""
    meter = Scores({"hey_jarvis": 0.5, "alexa": 0.6}, 2.0)
    text = drawn(
        meter,
        reading(scores={"hey_jarvis": 0.9, "alexa": 0.1}, time=10.0),
        reading(scores={"hey_jarvis": 0.8}, time=11.0),
        reading(scores={"hey_jarvis": 0.7}, time=13.0),
        reading(scores={}, time=14.0),
    )
    assert "would have fired: 4 s ago hey_jarvis (0.90), 1 s ago hey_jarvis (0.70)" in text
    assert "best of 30 s 0.90" in text
    assert "threshold 0.60" in text
    late = drawn(meter, reading(scores={"hey_jarvis": 0.1}, time=14.0 + LATELY_S))
    assert "best of 30 s 0.10" in late
    assert "not yet; say it" in drawn(Scores({"a": 0.5}, 2.0), reading(scores={"a": 0.2, "b": 1.0}))
