"""`TurnUsage` keeps what one turn has used, however often and in which shape the server tells it.

Live API: a turn has one count or several, each of them of the whole turn or of what came since the
one before; reports disagree, and none of them says which. So of every kind the largest count is the
turn's: it is what a whole count says, and never goes down.

Where the server counts nothing but pieces that would be too little. No order of numbers tells that:
equal counts may be one that is repeated, or pieces of one length, and pieces may grow. What tells
it is the sound, which comes at 25 tokens a second whoever counts: where the largest count of a
response is less than half of what was heard, it is of a piece, and so are the others. Then pieces
of the way out, thoughts too, are added up, to twice what was heard at most, since a count of
something else that is repeated must not grow without end. A prompt is never added up: it is the
whole context, comes again beside each piece, and would be billed fifty times.
What a server reads twice within one turn, before a call and after it, is known from its own counts
only.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from google.genai import types


_MOST_TOKENS = 10**9
"""A count beyond is none: a model's whole context is a thousandth of it."""
PARTS = ("prompt", "response", "thoughts", "tool_use")
"""What a total is the sum of."""
MOST_SEARCHES = 100
"""Of one turn: what a server says beyond is no search of anybody's."""
TOKENS_PER_S = 25
"""Of sound on its way down. Live API: best practices; one report has 32 of them upwards."""
WHOLE = 2
"""Times more or less than that, a count may still be one of the whole sound."""
_PIECES = ("response", "thoughts")
"""What is added up where it comes in pieces; with the modalities of it."""
_QUERY_BYTES = 8
"""Of a query's hash: what was asked need not be kept to tell two apart."""

_MODALITIES = frozenset({"audio", "document", "image", "text", "video"})
"""Live API: what counts can be told apart by. They become names of the event's fields."""


def tokens(usage: types.UsageMetadata) -> dict[str, int]:
    """Return the counts that the server named, by kind and by modality.

    ``total`` is our own sum, or the server's where that is more: then it has counted what it does
    not name. Live API: the server's leaves the thoughts out at times.
    """
    named = {
        "prompt": usage.prompt_token_count,
        "response": usage.response_token_count,
        "thoughts": usage.thoughts_token_count,
        "tool_use": usage.tool_use_prompt_token_count,
    }
    counts = {kind: count for kind, count in named.items() if _is_count(count)}
    told = usage.total_token_count if _is_count(usage.total_token_count) else None
    if counts or told is not None:
        counts["total"] = max(sum(counts.values()), told or 0)
    if _is_count(usage.cached_content_token_count):
        counts["cached"] = usage.cached_content_token_count
    return (
        counts
        | _by_modality("prompt", usage.prompt_tokens_details)
        | _by_modality("response", usage.response_tokens_details)
        | _by_modality("tool_use", usage.tool_use_prompt_tokens_details)
    )


def larger(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the larger count of each kind; ``total`` is no less than the sum of them."""
    names = dict.fromkeys((*one, *other))
    return _summed({name: max(one.get(name, 0), other.get(name, 0)) for name in names})


def _summed(counts: dict[str, int]) -> dict[str, int]:
    if parts := [counts[name] for name in PARTS if name in counts]:
        counts["total"] = max(sum(parts), counts.get("total", 0))
    return counts


class TurnUsage:
    """Tokens and searches of one turn of the model. Used from one thread."""

    def __init__(self) -> None:
        self._largest: Mapping[str, int] = {}
        self._pieces: dict[str, int] = {}
        """All counts of the way out, added up."""
        self._queries: set[str] = set()
        self._found = False
        """Whether something was looked up, in whatever words."""
        self._told: tuple[Mapping[str, int], int] = ({}, 0)

    @property
    def searches(self) -> int:
        """How many different queries were put to Google."""
        return max(len(self._queries), int(self._found))

    @property
    def empty(self) -> bool:
        """Whether nothing was counted."""
        return not self._largest and not self.searches

    def count(self, usage: types.UsageMetadata) -> None:
        """Take a usage message."""
        found = tokens(usage)
        self._largest = larger(self._largest, found)
        self._add_pieces(found)

    def ground(self, metadata: types.GroundingMetadata) -> None:
        """Take what an answer rests on.

        Live API: the queries come again with each piece of an answer; where only what was found
        comes, one has been put. Metadata without either says that nothing was looked up.
        """
        web, images = metadata.web_search_queries, metadata.image_search_queries
        self._ask(hashed(query) for query in web or () if query)
        self._ask(hashed(f"\0{query}") for query in images or () if query)
        self._found |= bool(metadata.grounding_chunks or metadata.search_entry_point)

    def add(self, other: TurnUsage) -> None:
        """Take what another message said of the same turn."""
        self._largest = larger(self._largest, other._largest)
        self._add_pieces(other._pieces)
        self._ask(other._queries)
        self._found |= other._found

    def tokens(self, heard_s: float) -> dict[str, int]:
        """Return the turn's counts, under the names of `tokens`.

        ``heard_s``: of sound that the turn has brought, in seconds.
        """
        sound = heard_s * TOKENS_PER_S
        counts = dict(self._largest)
        modalities = sum(count for name, count in counts.items() if name.startswith("response_"))
        if max(counts.get("response", 0), modalities) * WHOLE >= sound:
            return counts
        most = math.ceil(sound * WHOLE)
        for name, count in self._pieces.items():
            counts[name] = max(counts[name], min(count, most))
        return _summed(counts)

    def news(self, heard_s: float) -> Mapping[str, int] | None:
        """Return `tokens` where there is more than when this was asked last; it never goes down.

        That may be of searches only. None: there is not.
        """
        before, (counts, _) = self._told, self._told
        self._told = larger(counts, self.tokens(heard_s)), self.searches
        return None if self._told == before else self._told[0]

    def _add_pieces(self, counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            if name.startswith(_PIECES):
                self._pieces[name] = min(self._pieces.get(name, 0) + count, _MOST_TOKENS)

    def _ask(self, queries: Iterable[str]) -> None:
        for query in queries:
            if len(self._queries) < MOST_SEARCHES:
                self._queries.add(query)


def _by_modality(kind: str, details: Sequence[types.ModalityTokenCount] | None) -> dict[str, int]:
    """Return the counts of a side; a modality that is named twice has both."""
    counts: dict[str, int] = {}
    for detail in details or ():
        modality = detail.modality.value.lower() if detail.modality is not None else ""
        if modality in _MODALITIES and _is_count(detail.token_count):
            name = f"{kind}_{modality}"
            counts[name] = min(counts.get(name, 0) + detail.token_count, _MOST_TOKENS)
    return counts


def hashed(query: str) -> str:
    """Return what tells a query from another."""
    return hashlib.blake2b(query.encode("utf-8", "replace"), digest_size=_QUERY_BYTES).hexdigest()


def _is_count(count: int | None) -> TypeGuard[int]:
    return count is not None and 0 <= count <= _MOST_TOKENS
