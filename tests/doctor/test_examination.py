"""How checks are run: one after the other, each for so long, and none can break the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.doctor.examination import (
    Check,
    Found,
    Look,
    cure,
    examine,
    is_broken,
)
from device.doctor.result import (
    Cure,
    Result,
    Verdict,
    broken,
    fine,
    hint,
    judged,
    skipped,
    worst,
)
from device.doctor.scene import Scene
from device.errors import BoardError, ParleyError
from device.threads import left_behind
from tests.rig.scene import machine


async def test_what_a_check_quotes_only_shows(tmp_path: Path) -> None:
    """A process or a device may call itself anything; root reads it on a terminal."""

    def look(_scene: Scene) -> Iterator[Result]:
        yield hint("it", "\x1b[2Jsh of user x\nfine", "end \x9b2Jit\u202e")

    [found] = await examine(machine(tmp_path), [check(look)], lambda _check: None)
    told = found.result
    assert (told.figure, told.advice) == ("\ufffd[2Jsh of user x fine", "end \ufffd2Jit\ufffd")


def check(look: Look, timeout_s: float = 5.0) -> Check:
    return Check("group", "it", look, timeout_s)


async def looked(root: Path, *looks: Look, timeout_s: float = 5.0) -> list[Result]:
    checks = [check(look, timeout_s) for look in looks]
    began: list[Check] = []
    found = await examine(machine(root), checks, began.append)
    assert began == checks
    return [each.result for each in found]


def good(_scene: Scene) -> Iterator[Result]:
    yield fine("a", "5 ms", ms=5)
    yield skipped("b", "not here")


async def later(_scene: Scene) -> list[Result]:
    await asyncio.sleep(0)
    return [hint("c", "7 ms", "do this")]


async def test_plain_functions_and_coroutines_are_checks(tmp_path: Path) -> None:
    """Their results come in their order."""
    results = await looked(tmp_path, good, later)
    assert [(each.name, each.verdict) for each in results] == [
        ("a", Verdict.FINE),
        ("b", Verdict.SKIPPED),
        ("c", Verdict.HINT),
    ]
    assert worst(results) is Verdict.HINT
    assert worst(results[:2]) is Verdict.FINE
    assert worst([*results, broken("d", "", "")]) is Verdict.BROKEN


async def test_a_check_that_hangs_is_told_and_left_behind(tmp_path: Path) -> None:
    """A thread cannot be stopped, but keeps nobody from going on; a coroutine closes up."""
    release, closed = threading.Event(), asyncio.Event()

    def hangs(_scene: Scene) -> Iterator[Result]:
        release.wait(30)
        yield fine("never", "")

    async def waits(_scene: Scene) -> list[Result]:
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()
        return []

    first, second, third = await looked(tmp_path, hangs, waits, later, timeout_s=0.05)
    assert (first.name, first.verdict) == ("it", Verdict.BROKEN)
    assert first.figure == second.figure == "no answer within 0.05 s"
    assert closed.is_set()
    assert third.name == "c"
    [thread] = left_behind()
    release.set()
    thread.join(10)
    assert not left_behind()


@pytest.mark.parametrize(
    ("error", "figure"),
    [
        (BoardError("cannot open the chip"), "cannot open the chip"),
        (ValueError("odd"), "ValueError: odd"),
        (KeyError(), "KeyError"),
    ],
)
async def test_a_check_that_fails_is_a_result(
    tmp_path: Path, error: Exception, figure: str
) -> None:
    """In one line, without a traceback; the next one is run."""

    def fails(_scene: Scene) -> Iterator[Result]:
        yield fine("lost", "")
        raise error

    async def fails_too(_scene: Scene) -> list[Result]:
        raise error

    for each in await looked(tmp_path, fails, fails_too):
        assert (each.name, each.verdict, each.figure) == ("it", Verdict.BROKEN, figure)


async def test_what_can_be_cured_is_cured_and_looked_at_again(tmp_path: Path) -> None:
    """And what was done is told."""
    mended: list[str] = []

    def look(_scene: Scene) -> Iterator[Result]:
        if mended:
            yield fine("it", "now it is")
        else:
            yield broken("it", "wrong", "mend it", Cure("it was mended", lambda: mended.append("")))
        yield fine("other", "")

    scene = machine(tmp_path)
    found = await examine(scene, [check(look)], lambda _check: None)
    assert is_broken(found)
    after = await cure(scene, found)
    assert [(each.result.figure, each.cured) for each in after] == [
        ("now it is", "it was mended"),
        ("", ""),
    ]
    assert not is_broken(after)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ParleyError("systemctl refused"), "systemctl refused"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
async def test_a_cure_that_fails_is_told(tmp_path: Path, error: Exception, told: str) -> None:
    """Beside the advice, which still holds."""

    def fail() -> None:
        raise error

    def look(_scene: Scene) -> Iterator[Result]:
        yield broken("it", "wrong", "mend it", Cure("mended", fail))

    scene = machine(tmp_path)
    [after] = await cure(scene, await examine(scene, [check(look)], lambda _check: None))
    assert after.cured == ""
    assert after.result.advice == f"mend it; --fix could not: {told}"
    assert after.result.verdict is Verdict.BROKEN


async def test_a_cure_after_which_nothing_is_said_keeps_what_was(tmp_path: Path) -> None:
    """A check may name its results by what it finds."""
    names = iter(["it", "something else"])

    def look(_scene: Scene) -> Iterator[Result]:
        yield hint(next(names), "wrong", "", Cure("mended", lambda: None))

    scene = machine(tmp_path)
    [after] = await cure(scene, await examine(scene, [check(look)], lambda _check: None))
    assert (after.result.name, after.cured) == ("it", "mended")


async def test_a_cure_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute."""
    monkeypatch.setattr("device.doctor.examination.CURE_S", 0.01)
    release = threading.Event()
    result = hint("it", "", "", Cure("mended", lambda: release.wait(30)))
    [after] = await cure(machine(tmp_path), [Found(check(good), result)])
    assert after.result.advice == "--fix could not: it did not end within 0.01 s"
    release.set()


def test_advice_is_given_where_there_is_something_to_do() -> None:
    """And a cure only there."""
    remedy = Cure("", lambda: None)
    assert judged("a", Verdict.FINE, "5", "advice", remedy).advice == ""
    assert judged("a", Verdict.FINE, "5", "advice", remedy).as_record()["fixable"] is False
    told = judged("a", Verdict.BROKEN, "5", "advice", remedy, ms=5).as_record()
    assert told == {
        "name": "a",
        "verdict": "broken",
        "figure": "5",
        "advice": "advice",
        "figures": {"ms": 5},
        "fixable": True,
    }
