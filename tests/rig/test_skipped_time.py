"""Idle time is skipped, and work is waited for."""

from __future__ import annotations

import asyncio
import time

from tests.rig.skipped_time import skipping


def test_an_hour_passes_in_a_moment() -> None:
    """For the loop and for who looks at the clock; in order, and in order with a thread."""
    seen: list[str] = []

    async def work() -> float:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(later(3_000, "second"))
            tasks.create_task(later(60, "first"))
        await asyncio.to_thread(time.sleep, 0.05)
        seen.append("thread")
        async with asyncio.timeout(600):
            await asyncio.to_thread(time.sleep, 0.05)
        return time.monotonic() - began

    async def later(seconds: float, what: str) -> None:
        await asyncio.sleep(seconds)
        seen.append(what)

    began = time.monotonic()
    assert 3_000 <= skipping(work) < 3_020
    assert time.monotonic() - began < 60
    assert seen == ["first", "second", "thread"]
