"""The levels of the card's own mixer, without which some boards are silent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from device.board.mixer import card_of, set_levels
from device.board.profiles import MixerLevel, Profile
from device.doctor.board import finding
from device.doctor.result import Cure, Result, fine, hint, skipped
from device.doctor.scene import Scene
from device.errors import BoardError, ParleyError

_CHANNELS = re.compile(r"channel \d+ of (\d+)\)$")


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
    channels = card.capture_channels or 1
    described = f"{card.name} (hw:{card.number},0) (16000 hz, channel 0 of {channels})"
    if scene.status is not None and card_of(scene.status["microphone"]) == card.number:
        described = scene.status["microphone"]
        told = _CHANNELS.search(described)
        channels = int(told[1]) if told else 1
    wanted = [level for level in board.mixer if level.input_channels in {None, channels}]
    wrong = []
    for level in wanted:
        _, control, _ = level.arguments
        verb = "cget" if control.startswith("numid=") else "sget"
        outcome = scene.run(["amixer", "-c", str(card.number), verb, control])
        if not outcome.worked:
            advice = "sudo apt install alsa-utils" if outcome.code == 127 else outcome.err.strip()
            yield hint("mixer", f"{control} cannot be read", advice)
            return
        if not _is_set(level, outcome.out):
            wrong.append(level)
    if not wrong:
        yield fine(
            "mixer", f"{len(wanted)} levels of card {card.number} are as the board needs them"
        )
        return
    names = ", ".join(f"{level.control} should be {level.value}" for level in wrong)
    cure = Cure(f"{names}: set", lambda: _set(board, described))
    yield hint("mixer", names, "the speaker sets it when it opens the microphone", cure)


def _set(board: Profile, described: str) -> None:
    problems = set_levels(board, described)
    if problems:
        raise ParleyError("; ".join(problems))


def _is_set(level: MixerLevel, told: str) -> bool:
    """Whether amixer's answer shows the level: its percentages, or its values."""
    if level.value.endswith("%"):
        shares = re.findall(r"\[(\d+%)\]", told)
        return bool(shares) and set(shares) == {level.value}
    values = re.search(r"(?m)^\s*: values=(\S+)", told)
    return values is not None and values[1] == level.value
