"""``amixer`` sets the levels of a card's own mixer without which its board is silent or deaf.

A card comes with its mixer as the kernel, the array's firmware or a saved state leaves it, each
time it appears. What is set here is not stored (``alsactl store``): the next appearance gets it
again. What is set, and what is left as somebody has set it, is decided in `device.board.standing`.
"""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

from device.board.elements import elements_in
from device.board.profiles import Profile, profile_for
from device.board.standing import CardMixer, compare, in_words
from device.errors import BoardError
from device.ports import OpenDevice

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
"""For each call; amixer takes a few milliseconds."""

ASK = ("amixer", "-c")
"""What asks for a card's mixer, before the card's number and ``contents``."""
INSTALL = "sudo apt install alsa-utils"
_NO_AMIXER = f"the levels of card {{}} cannot be set without amixer: {INSTALL}"
_NO_CARD = (
    "mixer: is not applied: microphone and loudspeaker are a sound server's, which keeps their"
    " levels (pactl, wpctl)"
)


class MixerCard(NamedTuple):
    """A card whose levels matter."""

    number: int
    board: Profile
    channels: int
    """How many it records; 0 where it does not, or that is not known."""


def cards_of(
    board: Profile, microphone: OpenDevice | None, speaker: OpenDevice | None
) -> list[MixerCard]:
    """Return the cards of the open devices, each with the board that it is of.

    ``board``: the microphone's. A loudspeaker on another card is known by its name. A sound
    server's device is no card.
    """
    cards: dict[int, MixerCard] = {}
    if speaker is not None and speaker.card is not None:
        cards[speaker.card] = MixerCard(speaker.card, profile_for(speaker.name), 0)
    if microphone is not None and microphone.card is not None:
        cards[microphone.card] = MixerCard(microphone.card, board, microphone.channels)
    return list(cards.values())


def set_levels(
    board: Profile,
    microphone: OpenDevice | None,
    speaker: OpenDevice | None,
    owners: Mapping[str, str],
) -> list[str]:
    """Set what board and owner want on the cards of the open devices; blocks for milliseconds.

    ``owners``: ``mixer:`` of the YAML. Returns what could not be set, what somebody has silenced,
    and what no card knows, in words for the owner: the speaker works on, with the levels there are.
    """
    cards = cards_of(board, microphone, speaker)
    problems: list[str] = []
    unknown = dict(owners)
    hints: dict[str, str] = {}
    for card in cards:
        compared, told = set_card(card, owners)
        problems += told
        if compared is None:
            return problems
        hints |= {name: near for name, near in (compared.foreign or {}).items() if near}
        unknown = {name: owners[name] for name in unknown if name in (compared.foreign or {})}
    if owners and not cards and microphone is not None and speaker is not None:
        return [_NO_CARD]
    if cards and microphone is not None and speaker is not None:
        problems += not_there(unknown, hints, [card.number for card in cards])
    return problems


def not_there(unknown: Mapping[str, str], hints: Mapping[str, str], cards: list[int]) -> list[str]:
    """Say of each name in ``mixer:`` that no card has it, and what may have been meant."""
    where = " or ".join(f"'amixer -c {card} contents'" for card in cards)
    return [
        f"mixer: no card in use has '{name}'"
        f"{f', did you mean {near!r}?' if (near := hints.get(name, '')) else ''};"
        f" {where} shows what there is"
        for name in unknown
    ]


def set_card(
    card: MixerCard, owners: Mapping[str, str], *, insist: bool = False
) -> tuple[CardMixer | None, list[str]]:
    """Set one card's levels; return how they were (None: not known), and the problems.

    ``insist``: what somebody has silenced is set as well.
    """
    if not (card.board.mixer or card.board.one_of or owners):
        return CardMixer(), []
    try:
        compared = compare(
            elements_in(_run(card.number, "contents")), card.board, card.channels, owners
        )
    except FileNotFoundError:
        return None, [_NO_AMIXER.format(card.number)]
    except BoardError as error:
        return CardMixer(foreign=dict.fromkeys(owners, "")), [
            f"amixer cannot read card {card.number}: {error}"
        ]
    problems = [f"card {card.number}: {mistake}" for mistake in compared.mistakes]
    if compared.missing:
        problems.append(about_missing(card, compared.missing))
    for one in compared.to_set(insist=insist):
        value = one.element.written(one.wanted)
        try:
            _run(card.number, "-q", "cset", f"numid={one.element.number}", value)
        except (BoardError, FileNotFoundError) as error:
            problems.append(f"amixer cannot set {one.element} of card {card.number}: {error}")
        else:
            log.debug("card %d: %s set to %s", card.number, one.element, value)
    if (silenced := compared.silenced) and not insist:
        problems.append(
            f"card {card.number}: {in_words(silenced)}; somebody has set it so, and it stays:"
            " 'sudo parley doctor --fix' sets it, and mixer: in the configuration says it for good"
        )
    return compared, problems


def about_missing(card: MixerCard, missing: tuple[str, ...]) -> str:
    """Say what a board's card should have, and does not."""
    return (
        f"card {card.number} has no {', '.join(missing)}, which the {card.board.label} needs set:"
        f" is its driver or firmware another? see 'amixer -c {card.number} contents'"
    )


def _run(card: int, *words: str) -> str:
    """Run amixer on a card; raise BoardError with its last words, FileNotFoundError without it."""
    options, verb = ((words[0],), words[1:]) if words[0].startswith("-") else ((), words)
    try:
        done = subprocess.run(  # noqa: S603 - the names are the card's, the values checked
            ["amixer", *options, "-c", str(card), *verb],  # noqa: S607 - wherever it is
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            check=True,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except FileNotFoundError:
        raise
    except (subprocess.SubprocessError, OSError) as error:
        raise BoardError(_reason(error)) from error
    return done.stdout


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    return str(said).strip().splitlines()[-1] if said and str(said).strip() else str(error)
