"""Detection tells which board this is from what the machine shows of it. Pure.

The board of the microphone that is open goes first; without one the boards' sound cards decide, in
the order in which ``auto`` prefers microphones. What has no sound card is never chosen, but told
with what makes it one (`device.board.advice`). A name in the YAML outranks all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from device.board.advice import about_board, about_missing, about_unknown, about_what_is_no_card
from device.board.evidence import Card, Evidence
from device.board.profiles import (
    NONE,
    PROFILES,
    SEEED,
    Profile,
    profile_for,
    profile_named,
    with_codec,
)
from device.ports import SoundDevice


@dataclass(frozen=True, slots=True)
class Candidate:
    """A board that has a sound card here."""

    profile: Profile
    card: Card
    reasons: tuple[str, ...]
    """What it was told by, for people, the surest first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The board in force, and why."""

    board: Profile
    why: str
    card: Card | None = None
    """Its sound card, where it has one here."""
    candidates: tuple[Candidate, ...] = ()
    """All boards with a sound card here, in the order of preference."""
    advice: tuple[str, ...] = ()
    """What to do, about what was found and what is missing."""


def detect(
    evidence: Evidence, setting: str = "auto", microphone: SoundDevice | None = None
) -> Finding:
    """Find the board for ``board: setting``.

    ``microphone``: the sound device that is open, or would be taken; None while there is none.
    Raises BoardError when no board has the name ``setting``.
    """
    candidates = tuple(_candidates(evidence))
    if setting != "auto":
        found = _as_set(setting, candidates)
    elif microphone is None:
        found = _best(candidates)
    else:
        found = _of_microphone(evidence, candidates, microphone)
    advice = [
        *about_board(found.board, evidence, told=setting != "auto"),
        *about_unknown(evidence),
        *about_what_is_no_card(evidence),
    ]
    if found.board.name == NONE.name and not candidates and not advice:
        advice = about_missing(evidence)
    return replace(found, candidates=candidates, advice=(*found.advice, *advice))


def _as_set(setting: str, candidates: tuple[Candidate, ...]) -> Finding:
    board = profile_named(setting)
    alike = [one for one in candidates if _may_be(one.profile, board)]
    others = [one for one in candidates if one not in alike]
    advice = []
    if others and not alike and board is not NONE:
        seen = ", ".join(f"'{one.profile.name}'" for one in others)
        advice.append(f"board says '{setting}', but what is here looks like {seen}")
    card = alike[0].card if alike else None
    return Finding(board, f"board: {setting} in the configuration", card, advice=tuple(advice))


def _may_be(seen: Profile, named: Profile) -> bool:
    return named.name in {seen.name, seen.looks_like, *seen.one_of} or seen.name in named.one_of


def _best(candidates: tuple[Candidate, ...]) -> Finding:
    if not candidates:
        return Finding(NONE, "no ReSpeaker's sound card is here")
    first = candidates[0]
    return Finding(first.profile, "; ".join(first.reasons), first.card)


def _of_microphone(
    evidence: Evidence, candidates: tuple[Candidate, ...], microphone: SoundDevice
) -> Finding:
    card = _card_of(evidence, microphone)
    by_name = profile_for(microphone.name)
    for one in candidates:
        if one.card == card and by_name in {NONE, one.profile} | set(
            map(profile_named, one.profile.one_of)
        ):
            return Finding(one.profile, "; ".join(("it is the microphone", *one.reasons)), one.card)
    if by_name is not NONE:
        board, reason = _refined(by_name, evidence)
        why = f"the microphone's name says so{f'; {reason}' if reason else ''}"
        same = [one.card for one in candidates if one.profile == board]
        return Finding(board, why, card or (same[0] if same else None))
    if not candidates:
        return Finding(NONE, "the microphone is no ReSpeaker, and no ReSpeaker's card is here")
    first = candidates[0]
    why = "for its lights and button only, since the microphone is another device; " + "; ".join(
        first.reasons
    )
    return Finding(_face_of(first.profile), why, first.card)


def _face_of(profile: Profile) -> Profile:
    """Return a board of which nothing is heard."""
    return replace(
        profile,
        channel_maps=(),
        rates_hz=(),
        sample_formats=(),
        output_channels=None,
        capture_first=False,
        echo_cancellation=False,
        mixer=(),
        one_of=(),
        finds_direction=False,
    )


def _card_of(evidence: Evidence, microphone: SoundDevice) -> Card | None:
    """Return its card: by the number, which may be another card's by now, and by the name too."""
    for card in evidence.cards:
        if card.number == microphone.card and card.name.lower() in microphone.name.lower():
            return card
    return None


def _candidates(evidence: Evidence) -> list[Candidate]:
    found = [one for card in evidence.cards if (one := _candidate(card, evidence)) is not None]
    order = [profile.name for profile in PROFILES]
    return sorted(found, key=lambda one: (order.index(one.profile.name), one.card.number))


def _candidate(card: Card, evidence: Evidence) -> Candidate | None:
    reasons = []
    by_id = _by_usb_id(card)
    by_name = profile_for(f"{card.name} {card.id}")
    if by_id is not NONE:
        reasons.append(f"its USB id is {SEEED:04x}:{by_id.usb_product:04x}")
    if by_name is not NONE:
        reasons.append(f"card {card.number} is called '{card.name}'")
    board = by_id if by_id is not NONE else by_name
    if board is NONE and card.usb_id is None and "wm8960" in card.codec.lower():
        board = profile_for(card.codec)
    if board is NONE:
        return None
    known = with_codec(board, card.codec.lower())
    if card.codec and any(codec in card.codec.lower() for codec in known.codecs):
        reasons.append(f"its codec is '{card.codec}'")
    board, reason = _refined(known, evidence)
    reasons += [reason] if reason else []
    return Candidate(board, card, tuple(reasons))


def _by_usb_id(card: Card) -> Profile:
    for profile in PROFILES:
        if profile.usb_product is not None and card.usb_id == (SEEED, profile.usb_product):
            return profile
    return NONE


def _refined(profile: Profile, evidence: Evidence) -> tuple[Profile, str]:
    """Tell boards with one card name apart by their codec's address, then by the overlay."""
    for name in profile.one_of:
        board = profile_named(name)
        for device in evidence.i2c:
            of_this = any(codec in device.name.lower() for codec in board.codecs)
            if device.address in board.i2c_addresses and of_this:
                return board, f"its codec {device.name} is at I²C address {device.address:#04x}"
    overlays = evidence.boot.overlays if evidence.boot else ()
    fitting = [
        (board, overlay)
        for board in map(profile_named, profile.one_of)
        for overlay in overlays
        if board.made_by(overlay)
    ]
    if len({board.name for board, _ in fitting}) == 1:
        board, overlay = fitting[0]
        return board, f"config.txt says dtoverlay={overlay}"
    return profile, ""
