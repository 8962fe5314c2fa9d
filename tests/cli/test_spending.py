"""``parley spending`` and ``parley spending allow``, as a person reads them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from device.__main__ import main
from device.cli import spending as command
from device.cli import spending_sentences as sentences
from device.errors import ControlError

MODEL = "gemini-3.8-live"
LONG = "gemini-3.8-live-extended-thinking"


def period(spent: float, limit: float | None = None, allowed: float = 0.0) -> dict[str, Any]:
    about = {"name": "2026-12", "spent": spent, "limit": limit, "allowed": allowed}
    if limit is None:
        return {**about, "left": None, "level": ""}
    most = limit + allowed
    level = "reached" if spent >= most else "near" if spent >= 0.8 * most else ""
    return {**about, "left": max(most - spent, 0.0), "level": level}


def entry(model: str = MODEL, cost: float = 0.1234, **more: Any) -> dict[str, Any]:
    kinds = ("text_in", "audio_in", "image_in", "other_in", "text_out", "audio_out", "other_out")
    counts = dict.fromkeys((*kinds, "thoughts"), 0)
    return {
        "model": model,
        "persona": "",
        "turns": 12,
        "guessed": 0,
        "price_known": True,
        "searches": 0,
        "tokens": {**counts, "text_in": 1_200, "audio_in": 30_000, "audio_out": 4_000, **more},
        "cost": cost,
    }


def told(
    day: Mapping[str, Any],
    month: Mapping[str, Any],
    today: list[dict[str, Any]] | None = None,
    this_month: list[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    entries = today or []
    return {
        "estimate": True,
        "prices_as_of": "2026-09-21",
        "currency": "USD",
        "searches_this_month": 0,
        "day": dict(day),
        "month": dict(month),
        "by_model": {"day": entries, "month": entries if this_month is None else this_month},
        **more,
    }


QUIET = told(period(0.0), period(0.0))
FINE = told(period(0.22, 0.5), period(3.1, 10), [entry()], [entry(cost=3.1)])
NEAR = told(period(0.4999, 0.5), period(3.1, 10), [entry()])
REACHED = told(period(0.52, 0.5), period(3.1), [entry()])
BOTH = told(period(3.5, 0.5), period(10.01, 10), [entry(LONG)], [entry(LONG)], currency="EUR")
ALLOWED = told(period(0.62, 0.5, 2.0), period(3.1, 10), [entry()])
TWO = [{**entry(), "persona": "puck"}, {**entry(LONG, 0.000_01), "persona": "anna", "searches": 3}]
PERSONAS = told(period(0.000_3, 0.5), period(0.000_01, 10), TWO)
HUGE = told(
    period(123_456.789, 1e6),
    period(987_654.3, 1e6),
    [{**entry(LONG, 123_456.789, audio_in=10**10), "persona": "p" * 32, "turns": 123_456}],
    currency="VND",
)
SCREENS = [QUIET, FINE, NEAR, REACHED, BOTH, ALLOWED, PERSONAS, HUGE]


def screen(answer: dict[str, Any], columns: int = 80, blocks: str = command.FINE) -> str:
    """All that is printed on a terminal of so many columns."""
    shown = io.StringIO()
    command.show_on(Console(file=shown, width=columns), answer, blocks)
    return shown.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


def asked(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Let a speaker answer this; returns what it is asked."""
    requests: list[dict[str, Any]] = []

    def speaker(_args: object, request: dict[str, Any]) -> dict[str, Any]:
        requests.append(request)
        return answer

    monkeypatch.setattr(command, "result", speaker)
    return requests


# --- how it stands -------------------------------------------------------------------------------


def test_how_it_stands_comes_first() -> None:
    """What was spent of what may be, as a figure, a bar and a share."""
    lines = screen(FINE).splitlines()
    assert lines[:3] == [
        "today       0.22 of 0.50 USD   ████████░░░░░░░░░░░░  44 %",
        "this month  3.10 of 10.00 USD  ██████░░░░░░░░░░░░░░  31 %",
        "",
    ]


def test_without_a_limit_it_is_said_how_one_is_set() -> None:
    """No bar is drawn of nothing."""
    lines = screen(QUIET).splitlines()
    assert lines[:3] == [
        "today       0.00 USD  no limit",
        "this month  0.00 USD  no limit",
        "No limit is set. One can be: spending.day or spending.month in config.yaml.",
    ]
    assert "No limit is set" not in screen(REACHED)


def test_a_limit_that_is_near_is_told_with_what_is_left() -> None:
    """It does not look reached before it is."""
    told_ = screen(NEAR)
    assert "today       0.4999 of 0.50 USD  ███████████████████░  99 %" in told_
    assert "The limit of today is near: 0.0001 USD are left until midnight." in told_
    month = screen(told(period(9.0), period(9.0, 10)))
    assert "The limit of this month is near: 1.00 USD are left until the month is over." in month


def test_a_limit_that_is_reached_is_told_with_what_to_type() -> None:
    """The command stands on a line of its own, with an amount that is of some use."""
    lines = screen(REACHED).splitlines()
    assert lines[0] == "today       0.52 of 0.50 USD  ████████████████████  104 %"
    assert words(" ".join(lines[2:5])) == (
        "The limit of today is reached: the model is asked nothing until midnight, or until you "
        "allow more: parley spending allow 0.50"
    )
    assert lines[4] == "  parley spending allow 0.50"


def test_of_two_limits_that_are_reached_each_has_its_command() -> None:
    """What went far beyond a limit has to be allowed as well."""
    told_ = screen(BOTH)
    assert "\n  parley spending allow 3.50 --period day\n" in told_
    assert "\n  parley spending allow 10.00 --period month\n" in told_
    assert "nothing until the month is over, or until you allow more:" in words(told_)


@pytest.mark.parametrize(
    ("about", "amount"),
    [
        (period(0.5, 0.5), "0.50"),
        (period(0.76, 0.5), "0.76"),
        (period(2.6, 0.5, 2.0), "0.50"),
        (period(0.016, 0.015), "0.02"),
        (period(9e6, 9e5), "1000000.00"),
    ],
)
def test_what_is_said_to_be_allowed_would_be_taken_and_help(
    about: dict[str, Any], amount: str
) -> None:
    """As much again as the limit; the largest that can be given at once."""
    [_, line] = [each for _, each in sentences.outlook(told(about, period(0.0)))][:2]
    assert line == f"  parley spending allow {amount}"
    assert command._amount(amount) == float(amount)


def test_what_was_allowed_beyond_a_limit_is_told() -> None:
    """Else nobody would know the limit again."""
    told_ = screen(ALLOWED)
    assert "0.62 of 2.50 USD" in told_
    assert "\nToday 2.00 USD are allowed beyond the limit of 0.50 USD.\n" in told_


@pytest.mark.parametrize(
    ("about", "share", "filled"),
    [
        (period(0.0, 0.5), "0 %", 0),
        (period(0.000_3, 0.5), "under 1 %", 1),
        (period(0.29, 1.0), "29 %", 5),
        (period(0.999_999, 1.0), "99 %", 19),
        (period(1.0, 1.0), "100 %", 20),
        (period(0.3, 0.1, 0.2), "100 %", 20),
        (period(120.0, 1.0), "12,000 %", 20),
        (period(5.0), "no limit", 0),
    ],
)
def test_bar_and_share_are_full_only_where_the_limit_is_reached(
    about: dict[str, Any], share: str, filled: int
) -> None:
    """And empty only where nothing was spent."""
    # What is 0.1 and 0.2 for people is more for a processor; the speaker counts in whole numbers.
    about["level"] = "reached" if share.startswith("1") else about["level"]
    assert sentences.percent(about) == share
    assert command._bar(about, 20, command.FINE).count("█") == filled


# --- whose it was --------------------------------------------------------------------------------


def test_each_model_and_persona_is_a_row() -> None:
    """Today's table and the month's; an amount too small to be shown is not nothing."""
    lines = screen(PERSONAS, 200).splitlines()
    at = lines.index("") + 1
    assert [words(line) for line in lines[at : at + 3]] == [
        "this month answers tokens in tokens out searches USD",
        f"{MODEL} (puck) 12 31,200 4,000 0 0.1234",
        f"{LONG} (anna) 12 31,200 4,000 3 <0.0001",
    ]
    assert "today  " not in "\n".join(lines[at:]), "a table that says the same is told once"
    both = screen(FINE)
    assert re.findall(r"(?m)^(today|this month) +answers.*USD$", both) == ["today", "this month"]
    assert "searches" not in both, "there were none"


def test_thoughts_count_as_going_out() -> None:
    """And whatever is of no known kind, on its way."""
    lines = screen(told(period(1.0), period(1.0), [entry(thoughts=7, other_in=3, other_out=1)]))
    assert f"{MODEL} 12 31,203 4,008 0.1234" in words(lines)


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("answer", SCREENS)
def test_a_terminal_has_room_for_it(answer: dict[str, Any], columns: int) -> None:
    """No name, amount or command is torn apart; a model's name and its cost are always told."""
    lines = screen(answer, columns).splitlines()
    assert all(len(line) <= columns for line in lines)
    assert all(line == line.rstrip() for line in lines)
    assert not any("…" in line for line in lines)
    for each in answer["by_model"]["month"]:
        *_, row = (line for line in lines if line.startswith(each["model"] + " "))
        assert re.search(r" <?[\d,]+\.\d+$", row)


def test_what_has_no_room_is_left_out_from_the_least() -> None:
    """Tokens first, then searches, then how many answers there were."""
    heads = {
        columns: next(line for line in screen(PERSONAS, columns).splitlines() if "USD" in line[-3:])
        for columns in (100, 76, 66, 55)
    }
    assert [words(head).removeprefix("this month ") for head in heads.values()] == [
        "answers tokens in tokens out searches USD",
        "answers searches USD",
        "answers USD",
        "USD",
    ]


# --- how sure it is ------------------------------------------------------------------------------


def test_it_is_said_to_be_an_estimate_and_of_when() -> None:
    """Also where there is nothing to estimate."""
    assert (
        "An estimate: the tokens that the server counts, by the prices of 2026-09-21 or your"
        in (words(screen(QUIET)))
    )


def test_what_is_not_known_is_told() -> None:
    """Prices, models, and answers that were not counted."""
    entries = [
        {**entry("own"), "price_known": False, "guessed": 2},
        {**entry("own"), "persona": "puck", "price_known": False, "guessed": 1},
        {**entry(""), "price_known": False},
    ]
    shown = words(screen(told(period(1.0), period(1.0), entries)))
    assert shown.count("Not every price of the model own was known: what is missing counts as") == 1
    assert "Yours can be written: spending.prices in config.yaml." in shown
    assert "Which model gave some of the answers is not known: they count as the dearest." in shown
    assert "This month 3 answers were not counted to the end by the server" in shown
    assert "not known 12" in shown
    one = words(screen(told(period(1.0), period(1.0), [{**entry(), "guessed": 1}])))
    assert "This month 1 answer was not counted to the end by the server" in one
    assert "not counted" not in screen(FINE)
    assert "Not every price" not in screen(FINE)


def test_searches_are_told_with_those_that_are_free() -> None:
    """Where there were any."""
    shown = screen({**FINE, "searches_this_month": 6_000})
    assert "Searches with Google this month: 6,000; 5,000 a month are free." in shown
    assert "Searches" not in screen(FINE)


# --- the commands --------------------------------------------------------------------------------


def test_a_pipe_gets_whole_lines_in_plain_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So grep finds them; what a name holds only shows."""
    odd = told(period(0.6, 0.5), period(0.6), [entry("[red]odd[/]\x1b[2J" + "x" * 90)])
    requests = asked(monkeypatch, odd)
    assert main(["spending"]) == 0
    shown = capsys.readouterr().out
    assert requests == [{"command": "spending"}]
    assert "today       0.60 of 0.50 USD  ####################  120 %\n" in shown
    assert "until midnight, or until you allow more:\n  parley spending allow 0.50\n" in shown
    assert f"[red]odd[/]\ufffd[2J{'x' * 90}  " in shown
    assert "\x1b" not in shown


class Terminal(io.StringIO):
    """A person's screen."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colours_and_fine_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the width that it has."""
    asked(monkeypatch, REACHED)
    shown = Terminal()
    monkeypatch.setattr("sys.stdout", shown)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "60", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["spending"]) == 0
    assert "\x1b[1;31m████████████████████\x1b[0m" in shown.getvalue()
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue())
    assert max(map(len, plain.splitlines())) <= 60
    assert "\x1b[1;31m  parley spending allow 0.50\x1b[0m\n" in shown.getvalue()


def test_a_script_gets_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the speaker tells it."""
    asked(monkeypatch, PERSONAS)
    assert main(["spending", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == PERSONAS
    given = {**FINE, "allowed": {"amount": 2.0, "periods": ["day"]}}
    asked(monkeypatch, given)
    for line in (["allow", "2", "--json"], ["--json", "allow", "2"]):
        assert main(["spending", *line]) == 0
        assert json.loads(capsys.readouterr().out) == given


def allowed(*periods: str, amount: float = 2.0, **changes: Any) -> dict[str, Any]:
    return {**FINE, "allowed": {"amount": amount, "periods": list(periods)}, **changes}


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (["2.00"], {"allow": 2.0}),
        (["0.01"], {"allow": 0.01}),
        (["10000"], {"allow": 10_000.0}),
        (["5", "--period", "month"], {"allow": 5.0, "period": "month"}),
    ],
)
def test_more_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: list[str],
    request_: dict[str, Any],
) -> None:
    """Which limit that is for is for the speaker to say, where the owner does not."""
    requests = asked(monkeypatch, allowed("day", day=period(0.22, 0.5, 2.0)))
    assert main(["spending", "allow", *line]) == 0
    assert requests == [{"command": "spending", **request_}]
    assert capsys.readouterr().out == (
        "2.00 USD more for today, until midnight: 2.28 USD are left.\n"
    )


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (
            allowed("day", "month", day=period(0.6, 0.5, 2), month=period(10.0, 10, 2)),
            [
                "2.00 USD more for today, until midnight: 1.90 USD are left.",
                "2.00 USD more for this month, until the month is over: 2.00 USD are left.",
            ],
        ),
        (
            allowed("day", day=period(0.6, 0.5, 2), month=period(9.7, 10)),
            [
                "2.00 USD more for today, until midnight: 1.90 USD are left.",
                "Of the limit of this month 0.30 USD are left.",
            ],
        ),
        (
            allowed("day", day=period(0.6, 0.5, 2), month=period(10.0, 10)),
            [
                "2.00 USD more for today, until midnight: 1.90 USD are left.",
                "The limit of this month is still reached, 10.00 of 10.00 USD:",
                "  parley spending allow 10.00 --period month",
            ],
        ),
        (
            allowed("day", amount=0.01, day=period(3.0, 0.5, 0.01), month=period(3.0)),
            [
                "0.01 USD more for today, until midnight: 0.00 USD are left.",
                "The limit of today is still reached, 3.00 of 0.51 USD:",
                "  parley spending allow 2.99 --period day",
            ],
        ),
    ],
)
def test_what_an_allowance_comes_to_is_told(answer: dict[str, Any], lines: list[str]) -> None:
    """Also what it does not help against: another limit, or more that was spent already."""
    assert list(sentences.granted(answer)) == lines


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            ["abc"],
            "argument AMOUNT: 'abc' is no amount: give one from 0.01 to 1000000, such as 2.00",
        ),
        (["-1"], "'-1' is no amount: give one from 0.01 to 1000000"),
        (["nan"], "'nan' is no amount"),
        (["1e9"], "'1e9' is no amount"),
        (["0.001"], "'0.001' is no amount"),
        (["2,00"], "argument AMOUNT: '2,00' has a comma: write 2.00"),
        (["2,5"], "'2,5' has a comma: write 2.5"),
        (["1,000"], "'1,000' has a comma: write e.g. 2.00"),
        (["2.00 EUR"], "'2.00 EUR' is no amount"),
        ([""], "'' is no amount"),
        ([], "the following arguments are required: AMOUNT"),
        (["2", "--period", "week"], "argument --period: invalid choice: 'week'"),
    ],
)
def test_what_is_no_amount_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: list[str],
    said: str,
) -> None:
    """Exit code 2, with what to write; no speaker is asked."""
    requests = asked(monkeypatch, FINE)
    with pytest.raises(SystemExit) as left:
        main(["spending", "allow", *line])
    assert left.value.code == 2
    assert said in capsys.readouterr().err
    assert requests == []


@pytest.mark.parametrize("line", [[], ["--json"], ["allow", "2"]])
def test_without_a_speaker_it_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: list[str]
) -> None:
    """Exit code 1, with what to look at."""
    assert main(["spending", *line, "--socket", str(tmp_path / "nobody")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("parley: nobody answers on ")
    assert "is the speaker running?" in printed.err


def test_what_a_speaker_refuses_is_its_own_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1."""

    def refuses(*_: object) -> dict[str, Any]:
        raise ControlError("there is no limit that could be raised")

    monkeypatch.setattr(command, "result", refuses)
    assert main(["spending", "allow", "2"]) == 1
    assert capsys.readouterr().err == "parley: there is no limit that could be raised\n"
