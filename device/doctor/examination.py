"""`examine` runs the checks one after the other, each in its time; `cure` mends what it can.

A check that only looks at files and waits for commands is a plain function and runs in a thread of
its own: when it hangs (a network file system, a driver) it is left behind and told. One that opens
devices or connections is a coroutine: when its time is over it is cancelled, and closes them.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from device.doctor.result import Cure, Result, Verdict, broken
from device.doctor.scene import Scene
from device.errors import ParleyError
from device.text import printable
from device.threads import in_thread

Look = Callable[[Scene], object]
"""Returns an iterable of `Result`, or an awaitable of one."""

CURE_S = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at."""

    group: str
    """Its heading in the table."""
    name: str
    """What its result is called when the check itself fails."""
    look: Look
    timeout_s: float = 10.0
    doing: str = ""
    """What a person is told while it takes long."""


@dataclass(frozen=True, slots=True)
class Found:
    """A result, and where it belongs."""

    check: Check
    result: Result
    cured: str = ""
    """What ``--fix`` did."""


async def examine(
    scene: Scene, checks: Iterable[Check], began: Callable[[Check], None]
) -> list[Found]:
    """Run the checks in their order; ``began`` is told each before it begins. Raises nothing."""
    found = []
    for check in checks:
        began(check)
        found += [Found(check, result) for result in await results_of(check, scene)]
    return found


async def results_of(check: Check, scene: Scene) -> list[Result]:
    """Run one check; what goes wrong with the check itself is a result too.

    What the sentences quote is others' (the kernel, a device, a process, a server): it only shows.
    """
    return [
        replace(each, figure=printable(each.figure), advice=printable(each.advice))
        for each in await _looked(check, scene)
    ]


async def _looked(check: Check, scene: Scene) -> list[Result]:
    try:
        async with asyncio.timeout(check.timeout_s):
            if inspect.iscoroutinefunction(check.look):
                made = await check.look(scene)
            else:
                made = await in_thread(
                    lambda: list(cast("Iterable[Result]", check.look(scene))), "check"
                )
            return list(made)
    except TimeoutError:
        advice = "what it looks at hangs; try again after a restart of the machine"
        return [broken(check.name, f"no answer within {check.timeout_s:g} s", advice)]
    except ParleyError as error:
        return [broken(check.name, str(error), "")]
    except Exception as error:  # noqa: BLE001 - a person asks what is wrong: a traceback is no answer
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        advice = "this check failed by itself: please report it with 'parley doctor bundle'"
        return [broken(check.name, what, advice)]


async def cure(scene: Scene, found: Sequence[Found]) -> list[Found]:
    """Do what can be done about what was found, and look at it again."""
    after: list[Found] = []
    for each in found:
        if each.result.cure is None:
            after.append(each)
            continue
        told = await _done(each.result.cure)
        again = await results_of(each.check, scene)
        same = [result for result in again if result.name == each.result.name]
        result = same[0] if same else each.result
        if told is None:
            after.append(Found(each.check, result, each.result.cure.what))
        else:
            advice = f"{each.result.advice}; --fix could not: {told}".removeprefix("; ")
            after.append(Found(each.check, replace(each.result, advice=advice)))
    return after


async def _done(remedy: Cure) -> str | None:
    """Return why it could not be done; None when it was."""
    try:
        async with asyncio.timeout(CURE_S):
            await in_thread(remedy.do, "cure")
    except TimeoutError:
        return f"it did not end within {CURE_S:g} s"
    except (OSError, ParleyError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None


def is_broken(found: Sequence[Found]) -> bool:
    """Tell whether anything keeps the speaker from working."""
    return any(each.result.verdict is Verdict.BROKEN for each in found)
