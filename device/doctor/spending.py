"""The doctor looks at the spending: how near the limits are, and whose price is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from device.doctor.result import Result, skipped
from device.doctor.scene import Scene


def spending(scene: Scene) -> Iterator[Result]:
    """Report what was spent of what may be, as the running speaker has it."""
    told: Mapping[str, Any] | None = (scene.status or {}).get("spending")
    if told is None:
        yield skipped("spending", "no speaker runs that could tell")
    else:
        yield _standing(told)
    if scene.config is not None:
        yield from _unpriced(scene)
