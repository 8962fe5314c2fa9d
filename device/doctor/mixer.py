"""One check reads the levels of the sound cards' own mixers, without which some boards are silent.

Tested in tests/doctor/test_mixer.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from device.board.elements import elements_in
from device.board.mixer import INSTALL, MixerCard, about_missing, cards_of, not_there, set_card
from device.board.standing import CardMixer, compare, in_words
from device.doctor.board import finding
from device.doctor.result import Cure, Result, Verdict, fine, hint, judged, skipped
from device.doctor.scene import NOT_THERE, Scene
from device.errors import BoardError, ParleyError
from device.ports import OpenDevice


def mixer(scene: Scene) -> Iterator[Result]:
    """Compare each level that a board needs, or the owner wants, with what amixer reads."""
    owners = scene.config.mixer
    try:
        cards = _cards(scene)
    except BoardError:
        return
    wanted = [card for card in cards if card.board.mixer or card.board.one_of or owners]
    if not wanted:
        named = cards[0].board.label if cards else "sound card"
        yield skipped("mixer", f"the {named} needs no levels of its own")
        return
    found: list[tuple[MixerCard, CardMixer]] = []
    for card in wanted:
        outcome = scene.run(["amixer", "-c", str(card.number), "contents"])
        if not outcome.worked:
            advice = INSTALL if outcome.code == NOT_THERE else outcome.err.strip()
            yield hint("mixer", f"the levels of card {card.number} cannot be read", advice)
            return
        elements = elements_in(outcome.out)
        found.append((card, compare(elements, card.board, card.channels, owners)))
    yield _judged(scene, found)


def _cards(scene: Scene) -> list[MixerCard]:
    """Return the cards that the running speaker uses, or that one would. Raises BoardError."""
    told = scene.status or {}
    board = finding(scene)
    if scene.microphone is not None and scene.microphone.card is not None:
        speaker = OpenDevice.from_record(told.get("speaker_device"))
        return cards_of(board.board, scene.microphone, speaker)
    if board.card is None:
        return []
    channels = board.card.capture_channels or 1
    return [MixerCard(board.card.number, board.board, channels)]


def _judged(scene: Scene, found: list[tuple[MixerCard, CardMixer]]) -> Result:
    """Name what is not as it should be, and what suffers from it."""
    wrong = [one for _, mixer in found for one in mixer.to_set(insist=True)]
    silenced = [one for _, mixer in found for one in mixer.silenced]
    others = [
        one for _, mixer in found for one in mixer.standings if one.somebodys and one not in wrong
    ]
    advice = [
        *(f"card {card.number}: {mistake}" for card, mixer in found for mistake in mixer.mistakes),
        *(about_missing(card, mixer.missing) for card, mixer in found if mixer.missing),
        *_unknown(scene, found),
    ]
    count = sum(len(mixer.standings) for _, mixer in found)
    cards = " and ".join(str(card.number) for card, _ in found)
    somebodys = f"; as somebody has set it: {', '.join(map(str, others))}" if others else ""
    figures = {"levels": count, "wrong": len(wrong), "somebodys": len(others) + len(silenced)}
    if not wrong and not advice:
        told = f"{count} levels of card {cards} looked at, and all is well{somebodys}"
        return fine("mixer", told, **figures)
    if wrong:
        whose = (
            "somebody has set it so: 'sudo parley doctor --fix' sets it"
            if silenced
            else "the speaker sets it when it opens its devices, as 'sudo parley doctor --fix' does"
        )
        advice.insert(0, whose)
    verdict = Verdict.BROKEN if silenced else Verdict.HINT
    figure = f"{in_words(wrong)}{somebodys}" if wrong else f"{count} levels of card {cards}"
    cure = Cure(f"set on card {cards}: {in_words(wrong)}", lambda: _set(scene, found))
    return judged("mixer", verdict, figure, "; ".join(advice), cure if wrong else None, **figures)


def _unknown(scene: Scene, found: list[tuple[MixerCard, CardMixer]]) -> list[str]:
    """Return what is said of names in ``mixer:`` that none of the cards has."""
    foreign = [mixer.foreign or {} for _, mixer in found]
    names = {
        name: value
        for name, value in scene.config.mixer.items()
        if all(name in each for each in foreign)
    }
    if scene.status is None:
        # The loudspeaker's card, which is not known before it is open, may have it.
        return []
    hints = {name: near for each in foreign for name, near in each.items() if near}
    return not_there(names, hints, [card.number for card, _ in found])


def _set(scene: Scene, found: list[tuple[MixerCard, CardMixer]]) -> None:
    problems = []
    for card, _ in found:
        problems += set_card(card, scene.config.mixer, insist=True)[1]
    if problems:
        raise ParleyError("; ".join(problems))
