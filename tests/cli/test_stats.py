"""``parley stats``, as a person reads it, with a speaker and without."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from device.__main__ import main
from device.cli import stats as command
from device.cli import stats_sentences as sentences
from device.cli.presentation import print_table
from device.records.figures import STATISTICS, Figures
from device.records.rows import Row
from device.records.statistics import hour_of, key_of
from device.timers.clocks import local_zone
from tests.records.test_books import books_with_a_damaged_page, write

DAY = Figures().as_dict()
GOOD = {
    **DAY,
    "ran_s": 86_400.0,
    "starts": 1,
    "talks": 12,
    "wakes": 12,
    "words": {"hey_jarvis": 9, "alexa": 3},
    "near_misses": 1,
    "answers": 30,
    "answer_ms": {"count": 30, "p50": 912.0, "p95": 1_640.0},
    "connection_ms": {"count": 12, "p50": 81.0, "p95": 423.0},
    "up_s": 95.2,
    "down_s": 260.0,
    "tokens": {"prompt": 9_000, "response": 1_234, "total": 10_234},
    "cost": {"USD": 0.314},
    "cpu_percent": 4.0,
    "hottest_c": 51.2,
    "memory_bytes": 140_000_000,
}
BAD = {
    **GOOD,
    "talks": 3,
    "false_starts": 2,
    "unheard": 1,
    "vetoes": 4,
    "barge_ins": 2,
    "repeated_s": 0.4,
    "dropped_s": 7_200.0,
    "faults": {"model_replaced": 2, "[red]odd[/]": 1, "spending": 5, "spending_near": 1},
}
NO_HOURS = [
    {"hour": hour, "talks": 0, "wakes": 0, "near_misses": 0, "false_starts": 0}
    for hour in range(24)
]


def told(*days: dict[str, Any], **more: Any) -> dict[str, Any]:
    first = 30 - len(days)
    spans = [
        {"day": f"2026-11-{first + number:02}", "seconds": 86_400, **day}
        for number, day in enumerate(days, 1)
    ]
    return {
        "since": f"2026-11-{first + 1:02}T00:00:00+01:00",
        "until": "2026-11-30T20:15:00+01:00",
        "by": "day",
        "spans": spans,
        "hours": NO_HOURS,
        "sums": days[-1],
        "live": True,
        **more,
    }


def printed(answer: dict[str, Any], columns: int, blocks: str = sentences.FINE) -> str:
    file = io.StringIO()
    screen = Console(file=file, width=columns)
    print_table(sentences.spans(answer, columns, blocks), screen)
    for line in sentences.hours(answer, blocks):
        screen.print(line)
    print_table(sentences.rest(answer["sums"]), screen)
    return file.getvalue()


def test_what_is_to_be_known_first_comes_first() -> None:
    """Whether it was used, how soon it answers, and whether anything went wrong."""
    assert sentences.head(told(GOOD, GOOD)) == [
        "The last 2 days: 12 talks, 6 a day.",
        "Half the answers begin within 0.9 s, 19 of 20 within 1.6 s.",
        "Nothing went wrong.",
    ]


@pytest.mark.parametrize(
    ("since", "until", "when"),
    [
        ("2026-11-01T00:00:00+01:00", "2026-11-01T23:59:59+01:00", "Today"),
        ("2026-10-25T00:00:00+02:00", "2026-10-25T23:59:00+01:00", "Today"),
        ("2026-03-24T00:00:00+01:00", "2026-03-30T00:10:00+02:00", "The last 7 days"),
        ("2026-10-24T00:00:00+02:00", "2026-10-30T23:50:00+01:00", "The last 7 days"),
    ],
)
def test_days_are_those_of_the_calendar(since: str, until: str, when: str) -> None:
    """Also where one of them has 23 or 25 hours."""
    assert sentences.head(told(GOOD, since=since, until=until))[0].startswith(f"{when}: 12 talks")


@pytest.mark.parametrize(
    ("talks", "each"), [(1, "0.3 a day"), (3, "1 a day"), (8, "2.7 a day"), (99, "33 a day")]
)
def test_few_talks_a_day_are_not_none(talks: int, each: str) -> None:
    """Nor twice as many."""
    answer = told(GOOD, GOOD, GOOD, sums={**GOOD, "talks": talks})
    assert sentences.head(answer)[0].endswith(f", {each}.")


def test_what_went_wrong_is_named() -> None:
    """Each with how often."""
    assert sentences.head(told(BAD))[-1] == (
        "Went wrong: model replaced 2 times, [red]odd[/] 1 time, 1 answer that nobody could hear."
    )


def test_a_file_is_told_from_a_speaker_and_nothing_from_something() -> None:
    """Whoever reads an old file knows it."""
    assert sentences.head(told(DAY, live=False)) == [
        "No speaker runs here: this is what it has written.",
        "Today: nothing is on record.",
    ]


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("day", [DAY, GOOD, BAD])
def test_it_fits_a_terminal(columns: int, day: dict[str, Any]) -> None:
    """No line is longer, and none is cut."""
    hours = [{**each, "wakes": each["hour"] * 40} for each in NO_HOURS]
    huge = {**day, "talks": 12_345, "false_starts": 12_345, "answers": 9_999_999}
    text = printed(told(DAY, day, huge, hours=hours), columns)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= columns


def test_bars_show_which_day_had_most() -> None:
    """The longest is the most, the least that is any can be seen, and none is none."""
    few = {**GOOD, "talks": 1}
    many = {**GOOD, "talks": 100}
    half = {**GOOD, "talks": 50}
    text = printed(told({**GOOD, "talks": 0}, few, half, many), 80)
    bars = [re.sub(r"[^ ▏▎▍▌▋▊▉█]", "", line).strip() for line in text.splitlines()[1:5]]
    assert bars[0] == ""
    assert len(bars[1]) == 1
    assert len(bars[2]) * 2 == pytest.approx(len(bars[3]), abs=1)
    assert set(bars[3]) == {"█"}


def test_a_day_on_which_it_was_off_is_no_day_without_talks() -> None:
    """It says so."""
    off, quiet = printed(told(DAY, {**GOOD, "talks": 0}), 80).splitlines()[1:3]
    assert off.split()[2:] == ["-"]
    assert quiet.split()[2] == "0"


def test_hours_grow_upwards_and_the_busiest_is_named() -> None:
    """An hour with one wake can be seen beside one with a hundred."""
    hours = [dict(each) for each in NO_HOURS]
    hours[7]["wakes"], hours[23]["wakes"] = 1, 100
    upper, lower = sentences.hours(told(GOOD, hours=hours))[2:4]
    assert upper.removeprefix("[cyan]").removesuffix("[/]") == " " * 46 + "██"
    assert lower.removeprefix("[cyan]").removesuffix("[/]") == " " * 14 + "▁▁" + " " * 30 + "██"
    assert "most from 23:00 to 0:00: 100" in sentences.hours(told(GOOD, hours=hours))[-1]
    assert sentences.hours(told(GOOD)) == []


def test_the_rest_is_told_in_plain_words() -> None:
    """What a word means is clear without a manual; whatever is in it only shows."""
    assert sentences._lines(BAD) == {
        "wake words": "hey_jarvis 9, alexa 3; 1 near miss; 4 times it heard its own voice and "
        "kept still",
        "no word": "2 times it woke and nobody said a word",
        "answers": "30 answers, 2 of them spoken over",
        "sound": "95 s sent, 4 min heard, 0.4 s sent twice over a new connection, 2 h lost while "
        "there was none",
        "connects": "half within 81 ms, 19 of 20 within 0.4 s",
        "tokens": "10,234 (9,000 up, 1,234 down), about 0.31 USD",
        "machine": "ran 24 h, 1 start, 4 % of a core, up to 140 MB, 51 °C",
    }
    assert sentences._lines(DAY)["wake words"] == "none; 0 near misses"
    odd = {**GOOD, "words": {"[bold]x": 1}, "cost": {"[red]": 1.0}}
    assert "[bold]x 1" in printed(told(odd), 80)
    assert "1.00 [red]" in printed(told(odd), 80)


def test_a_terminal_without_blocks_has_bars_too() -> None:
    """Of what every one can show."""
    hours = [{**each, "wakes": 3} for each in NO_HOURS]
    text = printed(told(GOOD, hours=hours), 80, sentences.PLAIN).replace("°", "")
    assert text.isascii()
    assert "####" in text


def test_weeks_and_months_are_named_by_their_first_day() -> None:
    """A month needs no day."""
    assert [sentences._day("2026-11-30", by) for by in ("day", "week", "month")] == [
        "Mon 11-30",
        "2026-11-30",
        "2026-11",
    ]


@pytest.mark.parametrize(
    ("days", "by"), [(1, "day"), (31, "day"), (32, "week"), (120, "week"), (366, "month")]
)
def test_long_times_are_summed_up(days: int, by: str) -> None:
    """As many lines as are looked at."""
    assert command._span(days) == by


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of a speaker that does not run: an hour is on disk, one was not written."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    now = hour_of(time.time(), local_zone())

    def row(begin: float, talks: int) -> Row:
        figures = Figures()
        figures.numbers.update(talks=talks, ran_ms=3_600_000)
        return Row(STATISTICS, key_of(begin), begin, figures.values())

    write(tmp_path, [row(now - 86_400, 3)], waits=[row(now, 2)])
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], books: Path, *words: str) -> str:
    assert main(["stats", "--socket", str(books / "nobody.sock"), *words]) == 0
    return capsys.readouterr().out


def test_what_is_written_is_read_where_no_speaker_runs(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also what waits for the disk; the file stays as it is."""
    path = books / "records" / "records.sqlite"
    before = path.read_bytes()
    found = json.loads(run(capsys, books, "--json", "--days", "3"))
    assert found["live"] is False
    assert found["sums"]["talks"] == 5
    assert [span["talks"] for span in found["spans"]][-1] in {2, 5}
    assert path.read_bytes() == before
    assert len(json.loads(run(capsys, books, "--json"))["spans"]) == 7
    assert len(json.loads(run(capsys, books, "--json", "--days", "366"))["spans"]) == 366
    months = json.loads(run(capsys, books, "--json", "--days", "366", "--by", "month"))
    assert months["by"] == "month"


def test_what_is_piped_has_no_colour_and_whole_lines(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that grep and mail have it."""
    text = run(capsys, books)
    assert "\x1b" not in text
    assert text.startswith("No speaker runs here: this is what it has written.\nThe last 7 days: 5")
    assert text.endswith("\n")
    assert max(map(len, text.splitlines())) <= 80
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_where_nothing_is_on_record_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And fails not."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    text = run(capsys, tmp_path, "--days", "1")
    assert text.splitlines()[-1] == "Today: nothing is on record."


@pytest.mark.parametrize("days", ["0", "367", "-1", "x", "1.5", "", "٣", "9" * 5_000])
def test_days_that_make_no_sense_are_wrong_usage(
    days: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what does."""
    with pytest.raises(SystemExit) as ended:
        main(["stats", "--days", days])
    assert ended.value.code == 2
    assert "is not a whole number from 1 to 366" in capsys.readouterr().err


def test_records_that_cannot_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their place."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "records.sqlite").write_bytes(b"no database at all, " * 500)
    assert main(["stats", "--socket", str(tmp_path / "nobody.sock")]) == 1
    assert "records.sqlite cannot be read" in capsys.readouterr().err
    (tmp_path / "records" / "records.sqlite").unlink()
    books_with_a_damaged_page(tmp_path, STATISTICS)
    assert main(["stats", "--socket", str(tmp_path / "nobody.sock")]) == 1
    assert "records.sqlite cannot be read" in capsys.readouterr().err
