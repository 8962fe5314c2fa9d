"""`bill` makes of the server's counts of a turn what is to be paid for: tokens by price. Pure.

A turn's count holds the whole context, and all of it is paid for in each turn. Thoughts and what
tools gave back stand beside prompt and response. Live API: the modalities that a count names do not
always add up to it (25 to 51 tokens of a prompt were of none); what is of none is priced as the
dearest of its side, and so is whatever else is not known. What a total holds beyond the sides is of
no side, and priced as the dearest of all. No discount is given for what the server has cached: it
is disputed whether there is one. Where the server never counted, `guess` goes by the sound that
went up and came down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

TOKENS_PER_S: Final = 25
"""Of sound, up and down. Live API: best practices; one report has 32 of them upwards."""
PICTURE_TOKENS: Final = 258
"""Of a picture, at the resolution that costs most."""
CHARACTERS_PER_TOKEN: Final = 2
"""Of a typed text: languages with the longest tokens have four, the shortest one or two."""

_SIDES = {
    "prompt": {"text": "text_in", "audio": "audio_in", "image": "image_in", "video": "image_in"},
    "tool_use": {"text": "text_in", "audio": "audio_in", "image": "image_in", "video": "image_in"},
    "response": {"text": "text_out", "audio": "audio_out"},
}
"""Which of the counts are priced as what."""
_REST = {"prompt": "other_in", "tool_use": "other_in", "response": "other_out"}
"""As what the rest of a side is priced."""
_MODALITIES = ("audio", "document", "image", "text", "video")


@dataclass(frozen=True, slots=True)
class Bill:
    """Tokens, by what they are priced as; none is negative."""

    text_in: int = 0
    audio_in: int = 0
    image_in: int = 0
    other_in: int = 0
    """Of no modality that has a price: priced as the dearest on the way in."""
    text_out: int = 0
    audio_out: int = 0
    other_out: int = 0
    """The same on the way out."""
    thoughts: int = 0
    """Priced as sound on the way out."""

    @property
    def going_in(self) -> int:
        """All tokens on the way in."""
        return self.text_in + self.audio_in + self.image_in + self.other_in

    @property
    def coming_out(self) -> int:
        """All tokens on the way out, thoughts among them."""
        return self.text_out + self.audio_out + self.other_out + self.thoughts

    def as_dict(self) -> dict[str, int]:
        """Return the tokens by name, as the records have them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def or_more(self, other: Bill) -> Bill:
        """Return the one with more tokens for each side, as it divides them: in, and out."""
        into = self if self.going_in >= other.going_in else other
        out = self if self.coming_out >= other.coming_out else other
        return Bill(
            into.text_in,
            into.audio_in,
            into.image_in,
            into.other_in,
            out.text_out,
            out.audio_out,
            out.other_out,
            out.thoughts,
        )


KINDS: Final = tuple(each.name for each in fields(Bill))


def bill(counts: Mapping[str, int]) -> Bill:
    """Return what a turn's counts come to, under the names of the event `usage`.

    A side whose modalities come to more than its count has as much as they come to. What is
    negative counts as nothing.
    """
    sums = dict.fromkeys(KINDS, 0)
    for side, prices in _SIDES.items():
        left = max(counts.get(side, 0), 0)
        for modality in _MODALITIES:
            count = max(counts.get(f"{side}_{modality}", 0), 0)
            sums[prices.get(modality, _REST[side])] += count
            left -= count
        sums[_REST[side]] += max(left, 0)
    sums["thoughts"] = max(counts.get("thoughts", 0), 0)
    # What only the total knows of may be of either side.
    sums["other_out"] += max(counts.get("total", 0) - sum(sums.values()), 0)
    return Bill(**sums)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went up since the turn before, and what came down in this one."""

    sent_s: float = 0.0
    """Of sound."""
    pictures: int = 0
    characters: int = 0
    """Of typed texts."""
    heard_s: float = 0.0
    """Of the model's sound, sent by the server."""


def guess(context: Bill, traffic: Traffic) -> Bill:
    """Return what a turn comes to that no server has counted.

    `context` is the bill of the turn before, over the same session: what it held is read again,
    and what it said is part of the context since.
    """
    return Bill(
        text_in=context.text_in + math.ceil(traffic.characters / CHARACTERS_PER_TOKEN),
        audio_in=context.audio_in + context.coming_out + math.ceil(traffic.sent_s * TOKENS_PER_S),
        image_in=context.image_in + traffic.pictures * PICTURE_TOKENS,
        other_in=context.other_in,
        audio_out=math.ceil(traffic.heard_s * TOKENS_PER_S),
    )
