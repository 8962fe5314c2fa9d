"""A standing says of each level of a card's mixer how it is, how it should be, and whose that is.

Pure. What a board needs is set where nobody has set it: where a level is as the driver or the
system's start leaves it. A level that is elsewhere is somebody's, by alsamixer or a saved state,
and is left alone, also where it silences a path: somebody may want only the jack to sound, and
cannot tell us otherwise. That it does is said instead. ``mixer:`` in the YAML outranks both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from device.board.elements import Element, find, nearest
from device.board.levels import MixerLevel, Path
from device.board.profiles import Profile, profile_named

_SILENT = {
    Path.OUTPUTS: "both outputs are mute",
    Path.JACK: "the headphone jack is mute",
    Path.CONNECTOR: "the loudspeaker's connector is mute",
    Path.MICROPHONES: "the microphones are deaf",
}
_LOW = {
    Path.OUTPUTS: "both outputs are quiet",
    Path.JACK: "the headphone jack is quiet",
    Path.CONNECTOR: "the loudspeaker's connector is quiet",
    Path.MICROPHONES: "the microphones hear little",
}
_HIGH = {
    Path.OUTPUTS: "both outputs are too loud",
    Path.JACK: "the headphone jack is too loud",
    Path.CONNECTOR: "the loudspeaker's connector is too loud",
    Path.MICROPHONES: "the microphones are overdriven",
}
_THE_OWNER_S = "it is not as mixer: says"


@dataclass(frozen=True, slots=True)
class Standing:
    """One level of one card."""

    element: Element
    wanted: tuple[str, ...]
    level: MixerLevel | None
    """What the board needs; None where the owner's YAML says it."""

    @property
    def right(self) -> bool:
        """Whether it is as it should be."""
        return self.element.values == self.wanted

    @property
    def somebodys(self) -> bool:
        """Whether somebody has set it to something else, outside the YAML."""
        if self.right or self.level is None or not self.level.unset:
            return False
        return self.element.values not in _known(self.element, self.level.unset)

    @property
    def silences(self) -> bool:
        """Whether nothing comes through, for what it is set to."""
        if self.level is None or self.right or not self.element.at_zero:
            return False
        return self.element.kind == "BOOLEAN" or self.level.silent_at_zero

    @property
    def what(self) -> str:
        """What suffers from it, for people: ``the microphones are deaf``."""
        if self.level is None:
            return _THE_OWNER_S
        if self.silences:
            return _SILENT[self.level.path]
        return (_LOW if self._is_low else _HIGH)[self.level.path]

    def __str__(self) -> str:
        """Return how it is and should be: ``Capture Switch is off and should be on``."""
        wanted = self.wanted[0] if len(set(self.wanted)) == 1 else ",".join(self.wanted)
        return f"{self.element} is {self.element.shown} and should be {wanted}"

    @property
    def _is_low(self) -> bool:
        if self.element.kind != "INTEGER":
            return self.element.at_zero or "off" in self.element.values
        return sum(map(int, self.element.values)) < sum(map(int, self.wanted))


@dataclass(frozen=True, slots=True)
class CardMixer:
    """The mixer of one card, compared with what board and owner want of it."""

    standings: tuple[Standing, ...] = ()
    missing: tuple[str, ...] = ()
    """Controls that the board needs and the card does not have."""
    foreign: Mapping[str, str] | None = None
    """Names in ``mixer:`` that this card does not have, each with the one perhaps meant, or ''."""
    mistakes: tuple[str, ...] = ()
    """What is wrong with values in ``mixer:``, or of what is known of the board."""

    def to_set(self, *, insist: bool = False) -> list[Standing]:
        """Return what has to be set. ``insist``: also what somebody has silenced."""
        return [
            one
            for one in self.standings
            if not one.right and (not one.somebodys or (insist and one.silences))
        ]

    @property
    def silenced(self) -> list[Standing]:
        """What nothing comes through because somebody has set it so."""
        return [one for one in self.standings if one.somebodys and one.silences]


def compare(
    elements: Sequence[Element], board: Profile, channels: int, owners: Mapping[str, str]
) -> CardMixer:
    """Compare a card's elements with what its board needs and its owner wants.

    ``channels``: how many it records. ``owners``: ``mixer:`` of the YAML.
    """
    foreign: dict[str, str] = {}
    mistakes: list[str] = []
    standings: dict[int, Standing] = {}
    levels = [level for level in _levels(elements, board) if level.is_for(channels)]
    there = [(level, find(elements, level.control, level.value)) for level in levels]
    missing = [level.control for level, one in there if one is None and not level.optional]
    if 2 * sum(one is not None for _, one in there) < len(there):
        # Another card than the board's, for all that its owner calls the board; a name or two are
        # those of many cards, and mean another range there.
        there, missing = [], []
    for level, one in there:
        if one is not None:
            _add(standings, mistakes, one, level.value, level)
    for control, value in owners.items():
        if (one := find(elements, control, value)) is None:
            foreign[control] = nearest(elements, control)
        else:
            standings.pop(one.number, None)
            _add(standings, mistakes, one, value, None)
    return CardMixer(tuple(standings.values()), tuple(missing), foreign, tuple(mistakes))


def _add(
    standings: dict[int, Standing],
    mistakes: list[str],
    element: Element,
    value: str,
    level: MixerLevel | None,
) -> None:
    try:
        wanted = element.wanted(value)
    except ValueError as error:
        mistakes.append(f"{'' if level else 'mixer: '}{element} {error}")
    else:
        standings[element.number] = Standing(element, wanted, level)


def _levels(elements: Sequence[Element], board: Profile) -> tuple[MixerLevel, ...]:
    """Return what the board needs; of boards that cannot be told apart, the one whose card it is.

    That is the one more of whose controls are there.
    """
    if board.mixer or not board.one_of:
        return board.mixer
    return max(
        (profile_named(name).mixer for name in board.one_of),
        key=lambda levels: sum(find(elements, one.control) is not None for one in levels),
    )


def _known(element: Element, settings: Iterable[str]) -> list[tuple[str, ...]]:
    found = []
    for setting in settings:
        try:
            found.append(element.wanted(setting))
        except ValueError:
            continue
    return found


def in_words(standings: Iterable[Standing]) -> str:
    """Say what suffers, and from what, each cause once."""
    causes: dict[str, list[str]] = {}
    for one in standings:
        causes.setdefault(one.what, []).append(str(one))
    return "; ".join(f"{what}: {', '.join(levels)}" for what, levels in causes.items())
