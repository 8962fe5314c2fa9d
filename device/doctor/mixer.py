"""One check reads the levels of the card's own mixer, without which some boards are silent.

Tested in tests/doctor/test_board.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from device.board.mixer import set_levels
from device.board.profiles import MixerLevel, Profile
from device.doctor.board import finding
from device.doctor.result import Cure, Result, fine, hint, skipped
from device.doctor.scene import Scene
from device.errors import BoardError, ParleyError


def mixer(scene: Scene) -> Iterator[Result]:
    """Compare each level that the board needs with what amixer reads."""
    try:
        found = finding(scene)
    except BoardError:
        return
    board, card = found.board, found.card
    if not board.mixer or card is None:
        yield skipped("mixer", f"the {board.label} needs no levels of its own")
        return
    number, channels = card.number, card.capture_channels or 1
    used = scene.microphone
    if used is not None and used.card == number:
        channels = used.channels
    wanted = [level for level in board.mixer if level.input_channels in {None, channels}]
    wrong = []
    for level in wanted:
        _, control, _ = level.arguments
        verb = "cget" if control.startswith("numid=") else "sget"
        outcome = scene.run(["amixer", "-c", str(number), verb, control])
        if not outcome.worked:
            advice = "sudo apt install alsa-utils" if outcome.code == 127 else outcome.err.strip()
            yield hint("mixer", f"{control} cannot be read", advice)
            return
        if not _is_set(level, outcome.out):
            wrong.append(level)
    if not wrong:
        yield fine("mixer", f"{len(wanted)} levels of card {number} are as the board needs them")
        return
    names = ", ".join(f"{level.control} should be {level.value}" for level in wrong)
    cure = Cure(f"{names}: set", lambda: _set(board, number, channels))
    yield hint("mixer", names, "the speaker sets it when it opens the microphone", cure)


def _set(board: Profile, card: int, channels: int) -> None:
    problems = set_levels(board, card, channels)
    if problems:
        raise ParleyError("; ".join(problems))


def _is_set(level: MixerLevel, told: str) -> bool:
    """Whether amixer's answer shows the level: its percentages, or its values."""
    if level.value.endswith("%"):
        shares = re.findall(r"\[(\d+%)\]", told)
        return bool(shares) and set(shares) == {level.value}
    values = re.search(r"(?m)^\s*: values=(\S+)", told)
    return values is not None and values[1] == level.value
