"""``amixer`` sets the levels of a card's own mixer without which its board is silent.

A card comes with its mixer as the kernel or the array's firmware leaves it, each time it is plugged
in. What is set here is not stored (``alsactl store``): the next appearance gets it again.
"""

from __future__ import annotations

import logging
import subprocess

from device.board.profiles import MixerLevel, Profile

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
"""For each call; amixer takes a few milliseconds."""

_NO_AMIXER = "the levels of the {} cannot be set without amixer: sudo apt install alsa-utils"


def set_levels(profile: Profile, card: int, channels: int) -> list[str]:
    """Set what the board needs on the card of this number; blocks for some milliseconds.

    ``channels``: how many it records. Returns what could not be set, in words for the owner: the
    speaker works on, with the levels there are.
    """
    wanted = [level for level in profile.mixer if level.input_channels in {None, channels}]
    problems = []
    for level in wanted:
        try:
            _set(card, level)
        except FileNotFoundError:
            return [_NO_AMIXER.format(profile.label)]
        except (subprocess.SubprocessError, OSError) as error:
            problems.append(f"amixer cannot set {level.control} of card {card}: {_reason(error)}")
        else:
            log.debug("card %d: %s set to %s", card, level.control, level.value)
    return problems


def _set(card: int, level: MixerLevel) -> None:
    subprocess.run(  # noqa: S603 - the arguments are our own facts
        ["amixer", "-q", "-c", str(card), *level.arguments],  # noqa: S607 - wherever it is
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    return str(said).strip().splitlines()[-1] if said else str(error)
