"""`parley timers`: what is typed, sent and printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.cli.timers import duration, more_or_less
from tests.cli.test_remote import Speaker

Capture = pytest.CaptureFixture[str]
PASTA: dict[str, Any] = {"id": 3, "kind": "timer", "name": "pasta"}


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[Speaker]:
    speaker = Speaker(tmp_path / "control.sock")
    with speaker.serving():
        yield speaker


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0", 0),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5_400),
        ("1:30:00", 5_400),
        ("2d", 172_800),
        ("1d2h3m4s", 93_784),
    ],
)
def test_a_duration_may_be_written_in_many_ways(text: str, seconds: int) -> None:
    """As people write them; a minus takes off."""
    assert duration(text) == seconds
    assert more_or_less(text) == more_or_less(f"+{text}") == seconds
    assert more_or_less(f"-{text}") == -seconds


@pytest.mark.parametrize(
    "text",
    ["", "m", "1.5h", "1h30", "10 m", "30m1h", "1:30", "1:60:00", "ten", "-5m", "٣m", "9" * 99],
)
def test_what_is_no_duration_says_what_to_write(text: str) -> None:
    """Half an hour or half a minute: it does not guess."""
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        duration(text)
    assert str(caught.value).startswith(f"{text!r} is no duration: write it as 90, 90s, 10m")
    with pytest.raises(argparse.ArgumentTypeError, match="with a minus before it to take off"):
        more_or_less(f"--{text}")


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("", {"action": "list"}),
        ("set 10m", {"action": "set", "duration_s": 600}),
        ("set 10m green tea", {"action": "set", "duration_s": 600, "name": "green tea"}),
        ("at 07:00", {"action": "at", "time": "07:00"}),
        (
            "at 7:00 --on Mon,fri get --text go up",
            {
                "action": "at",
                "time": "7:00",
                "weekdays": ["mon", "fri"],
                "text": "go",
                "name": "get up",
            },
        ),
        (
            "at --date 2100-12-24 07:00 get up",
            {"action": "at", "time": "07:00", "date": "2100-12-24", "name": "get up"},
        ),
        ("cancel all", {"action": "cancel", "all": True}),
        ("cancel all eggs", {"action": "cancel", "name": "all eggs"}),
        ("cancel 3", {"action": "cancel", "name": "3"}),
        ("add green tea 5m", {"action": "change", "name": "green tea", "add_s": 300}),
        ("add 3 -5m", {"action": "change", "name": "3", "add_s": -300}),
        ("add 3 -1:00:00", {"action": "change", "name": "3", "add_s": -3_600}),
        ("snooze", {"action": "snooze"}),
        ("snooze 5m", {"action": "snooze", "for_s": 300}),
        ("stop", {"action": "stop"}),
    ],
)
def test_what_is_typed_is_sent(
    speaker: Speaker, capsys: Capture, words: str, request_: dict[str, Any]
) -> None:
    """Options may stand anywhere; a name may have several words."""
    answer = {"timers": [{**PASTA, "left_s": 5}]}
    speaker.answer = [{"result": answer}]
    for place in (["--json", *words.split()], [*words.split()[:1], "--json", *words.split()[1:]]):
        assert speaker.run("timers", *place) == 0
        assert json.loads(capsys.readouterr().out) == answer
    assert speaker.requests == [{"command": "timers", **request_}] * 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("set", "the following arguments are required: DURATION"),
        ("set 1.5h", "argument DURATION: '1.5h' is no duration: write it as 90, 90s, 10m"),
        ("set -5m", "argument DURATION: '-5m' is no duration"),
        ("set 10 minutes", "argument NAME: 'minutes' seems to be a part of the duration"),
        ("set 1h 30m tea", "argument NAME: '30m' seems to be a part of the duration"),
        ("at 7am", "argument HH:MM: '7am' is no time of day: write it as HH:MM, 00:00 to 23:59"),
        ("at 24:00", "'24:00' is no time of day"),
        ("at 07:00 --date 2100-02-30", "argument --date: '2100-02-30' is no date: write it as"),
        ("at 07:00 --date 21001224", "'21001224' is no date: write it as YYYY-MM-DD"),
        ("at 07:00 --on mon,egg", "argument --on: 'egg' is no weekday: write some of mon,tue,wed"),
        ("cancel", "the following arguments are required: ID|NAME"),
        ("add pasta", "the following arguments are required: DURATION"),
        ("snooze now", "argument DURATION: 'now' is no duration"),
        ("stop it", "unrecognized arguments: it"),
        ("sing", "argument ACTION: invalid choice: 'sing'"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_nothing_is_sent(
    speaker: Speaker, capsys: Capture, words: str, told: str
) -> None:
    """It names the value and what to write."""
    with pytest.raises(SystemExit) as caught:
        speaker.run("timers", *words.split())
    assert caught.value.code == 2
    assert told in capsys.readouterr().err
    assert speaker.requests == []


def test_all_there_are_is_a_table(speaker: Speaker, capsys: Capture) -> None:
    """What was stopped just now is told below it, since it may be snoozed still."""
    entries = [{**PASTA, "ringing": True}, {"id": 4, "kind": "alarm", "left_s": 60}]
    speaker.answer = [{"result": {"timers": entries, "stopped_just_now": [PASTA]}}]
    assert speaker.run("timers") == 0
    printed = capsys.readouterr()
    assert [line.split()[:2] for line in printed.out.splitlines()] == [
        *(["id", "kind"], ["3", "timer"], ["4", "alarm"], ["stopped", "just"])
    ]
    assert "timer 3 'pasta'; to let it ring again: parley timers add 3 9m" in printed.out
    assert not any(line.endswith(" ") for line in printed.out.splitlines())
    assert printed.err == ""


def test_where_nothing_is_set_it_says_how_to_set_something(
    speaker: Speaker, capsys: Capture
) -> None:
    """A command for a timer and one for an alarm."""
    speaker.answer = [{"result": {"timers": []}}]
    assert speaker.run("timers") == 0
    assert capsys.readouterr().out == (
        "none is set; to set one: parley timers set 10m pasta, or parley timers at 07:00 --on "
        "mon,tue,fri\n"
    )


@pytest.mark.parametrize("words", ["", "set 10m"])
def test_that_it_is_not_on_the_disk_is_a_warning(
    speaker: Speaker, capsys: Capture, words: str
) -> None:
    """On standard error; it is set all the same, and the exit code is 0."""
    answer = {"timers": [], "set": {**PASTA, "left_s": 600}, "warning": "a restart would lose it"}
    speaker.answer = [{"result": answer}]
    assert speaker.run("timers", *words.split()) == 0
    printed = capsys.readouterr()
    assert printed.err == "parley: a restart would lose it; see: parley doctor\n"
    assert printed.out.startswith("timer 3 'pasta' rings in 10 minutes" if words else "none is set")


def test_a_refusal_is_exit_code_1(speaker: Speaker, capsys: Capture) -> None:
    """In the words of the speaker."""
    speaker.answer, speaker.refusal = [], "no timer or alarm is called 'egg'; none is set"
    assert speaker.run("timers", "cancel", "egg") == 1
    assert capsys.readouterr() == ("", f"parley: {speaker.refusal}\n")


@pytest.mark.parametrize("words", ["", "set 10m", "cancel all"])
def test_a_name_commands_no_terminal(speaker: Speaker, capsys: Capture, words: str) -> None:
    """Whoever says a name, or has taken the speaker over: it only shows, on its line."""
    evil = "x\x1b[2J\x9b1m\x07\u202e\n99"
    entry = {"id": evil, "kind": evil, "name": evil, "text": evil, "due": evil, "left_s": 5}
    speaker.answer = [
        {"result": {"timers": [entry], "set": entry, "cancelled": [entry], "warning": evil}}
    ]
    assert speaker.run("timers", *words.split()) == 0
    printed = capsys.readouterr()
    for line in (printed.out + printed.err).splitlines():
        assert line.isprintable()
        assert not line.startswith("99")
