"""A machine for the doctor to look at: a folder as its root, and commands that answer as told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from device.config import parse
from device.doctor.result import Result
from device.doctor.scene import NOT_THERE, Account, Outcome, Scene, Space

GB = 1_000_000_000


class Commands:
    """What the machine's commands print; those that are not told are not installed."""

    def __init__(self, **told: str | Outcome) -> None:
        self.told: dict[str, str | Outcome] = dict(told)
        self.given: list[str] = []

    def __call__(self, words: Sequence[str]) -> Outcome:
        self.given.append(" ".join(words))
        answer = self.told.get(words[0])
        if answer is None:
            return Outcome(NOT_THERE, err="No such file or directory")
        return answer if isinstance(answer, Outcome) else Outcome(0, answer)


def machine(
    root: Path, *, config: str = "", files: dict[str, str] | None = None, **over: Any
) -> Scene:
    """A scene below a folder, with these files in it; everything else is fine."""
    for name, text in (files or {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    scene = Scene(
        config=parse(config, "test.yaml"),
        config_path=root / "etc/parley/config.yaml",
        socket=root / "control.sock",
        account=Account("parley", os.getuid(), frozenset({os.getgid()})),
        root=root,
        state_folder=root / "state",
        run=Commands(),
        space=lambda _path: Space(32 * GB, 20 * GB, read_only=False),
    )
    return replace(scene, **over)


def only(results: object) -> Result:
    """The one result of a check."""
    [result] = list(results)  # type: ignore[call-overload]
    assert isinstance(result, Result)
    return result


def by_name(results: Sequence[Result]) -> dict[str, Result]:
    """The results of a check by their names, which are unique."""
    names = {result.name: result for result in results}
    assert len(names) == len(results)
    return names
