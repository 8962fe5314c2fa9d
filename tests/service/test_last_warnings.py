"""The warnings that outlive a power cut."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.service.last_warnings import FILE, KEPT_LINES, LINES_A_MINUTE, LastWarnings

OURS = logging.getLogger("device.live.session")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """The file of a handler that is at work."""
    handler, root = LastWarnings(tmp_path), logging.getLogger()
    root.addHandler(handler)
    OURS.setLevel(logging.DEBUG)
    yield tmp_path / FILE
    root.removeHandler(handler)
    OURS.setLevel(logging.NOTSET)


def record(text: str, at: float) -> logging.LogRecord:
    made = logging.LogRecord("device.x", logging.WARNING, __file__, 1, text, (), None)
    made.created = at
    return made


def test_warnings_of_ours_are_kept_and_nothing_else(kept: Path) -> None:
    """What was said is told at INFO, and libraries may tell anything."""
    OURS.info("user: my neighbour keeps a tiger")
    logging.getLogger("google_genai").warning("model: a tiger")
    OURS.warning("session %d failed: %s", 4, "gone\x1b[2J\nand more")
    line = kept.read_text()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ WARNING device\.live\.session "
        r"session 4 failed: gone\ufffd\[2J and more\n",
        line,
    )
    assert kept.stat().st_mode & 0o777 == 0o600


def test_of_an_exception_type_and_place_are_kept(kept: Path) -> None:
    """Not its words: what was said may be in them. Of a group, each."""
    group = ExceptionGroup("a tiger", [ValueError("a tiger"), KeyError("a tiger")])
    OURS.critical("an unexpected failure ends the speaker", exc_info=group)
    try:
        int("a tiger")
    except ValueError as error:
        OURS.error("odd", exc_info=error)
    text = kept.read_text()
    assert "(ValueError) (KeyError)" in text
    assert f"(ValueError in {test_of_an_exception_type_and_place_are_kept.__name__}, " in text
    assert "tiger" not in text


def test_the_last_ones_stay(tmp_path: Path) -> None:
    """Also those of the process before."""
    for number in range(2 * KEPT_LINES + 5):
        # A handler of its own for each: the speaker was restarted.
        LastWarnings(tmp_path).handle(record(f"number {number}", 60.0 * number))
    lines = (tmp_path / FILE).read_text().splitlines()
    assert len(lines) == KEPT_LINES + 5
    assert lines[-1].endswith(f"number {2 * KEPT_LINES + 4}")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_part_that_complains_without_end_does_not_wear_the_card(tmp_path: Path) -> None:
    """The same again is not written again, and no more than so many lines a minute are."""
    handler = LastWarnings(tmp_path)
    for number in range(500):
        handler.handle(record("the same", 60.0))
        handler.handle(record(f"number {number}", 60.0))
    handler.handle(record("later", 120.0))
    lines = (tmp_path / FILE).read_text().splitlines()
    assert len(lines) == LINES_A_MINUTE + 1


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    """The journal has it."""
    LastWarnings(tmp_path / "none").handle(record("lost", 0.0))
    assert not list(tmp_path.iterdir())
