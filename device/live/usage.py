"""`TurnUsage` keeps what one turn has used, however often and in which shape the server tells it.

Live API: a turn has one count or several, each of them of the whole turn or of what came since the
one before; reports disagree, and none of them says which. So of every kind the largest count is the
turn's: it is what a whole count says, and never goes down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from google.genai import types


_MOST_TOKENS = 10**9
"""A count beyond is none: a model's whole context is a thousandth of it."""
PARTS = ("prompt", "response", "thoughts", "tool_use")
"""What a total is the sum of."""
MOST_SEARCHES = 100
"""Of one turn: what a server says beyond is no search of anybody's."""
_UNTOLD = ""
_QUERY_BYTES = 8
"""Of a query's hash: what was asked need not be kept to tell two apart."""

_MODALITIES = frozenset({"audio", "document", "image", "text", "video"})
"""Live API: what counts can be told apart by. They become names of the event's fields."""


def tokens(usage: types.UsageMetadata) -> dict[str, int]:
    """Return the counts that the server named, by kind and by modality.

    ``total`` is our own sum. Live API: the server's leaves the thoughts out at times.
    """
    named = {
        "prompt": usage.prompt_token_count,
        "response": usage.response_token_count,
        "thoughts": usage.thoughts_token_count,
        "tool_use": usage.tool_use_prompt_token_count,
    }
    counts = {kind: count for kind, count in named.items() if _is_count(count)}
    if counts:
        counts["total"] = sum(counts.values())
    elif _is_count(usage.total_token_count):
        counts["total"] = usage.total_token_count
    if _is_count(usage.cached_content_token_count):
        counts["cached"] = usage.cached_content_token_count
    return (
        counts
        | _by_modality("prompt", usage.prompt_tokens_details)
        | _by_modality("response", usage.response_tokens_details)
        | _by_modality("tool_use", usage.tool_use_prompt_tokens_details)
    )


def larger(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the larger count of each kind; ``total`` is the sum of them again."""
    names = dict.fromkeys((*one, *other))
    counts = {name: max(one.get(name, 0), other.get(name, 0)) for name in names}
    if parts := [counts[name] for name in PARTS if name in counts]:
        counts["total"] = sum(parts)
    return counts


class TurnUsage:
    """Tokens and searches of one turn of the model. Used from one thread."""

    def __init__(self) -> None:
        self.tokens: Mapping[str, int] = {}
        """As `tokens` names them."""
        self._queries: set[str] = set()
        self._told: tuple[Mapping[str, int], int] = ({}, 0)

    @property
    def searches(self) -> int:
        """How many different queries were put to Google."""
        return len(self._queries)

    @property
    def empty(self) -> bool:
        """Whether nothing was counted."""
        return not self.tokens and not self._queries

    def count(self, usage: types.UsageMetadata) -> None:
        """Take a usage message."""
        self.tokens = larger(self.tokens, tokens(usage))

    def ground(self, metadata: types.GroundingMetadata) -> None:
        """Take what an answer rests on.

        Live API: the queries come again with each piece of an answer; where only what was found
        comes, one has been put. Metadata without either says that nothing was looked up.
        """
        asked = [query for query in metadata.web_search_queries or () if query]
        found = metadata.grounding_chunks or metadata.search_entry_point
        if not asked and found and not self._queries:
            asked = [_UNTOLD]
        room = MOST_SEARCHES - len(self._queries)
        fresh = dict.fromkeys(hashed(query) for query in asked)
        self._queries.update([each for each in fresh if each not in self._queries][:room])

    def add(self, other: TurnUsage) -> None:
        """Take what another message said of the same turn."""
        self.tokens = larger(self.tokens, other.tokens)
        self._queries |= other._queries

    def is_news(self) -> bool:
        """Tell whether there is more than when this was asked last."""
        now = (self.tokens, self.searches)
        before, self._told = self._told, now
        return now not in (before, ({}, 0))


def _by_modality(kind: str, details: Sequence[types.ModalityTokenCount] | None) -> dict[str, int]:
    return {
        f"{kind}_{modality}": detail.token_count
        for detail in details or ()
        if detail.modality is not None and _is_count(detail.token_count)
        if (modality := detail.modality.value.lower()) in _MODALITIES
    }


def hashed(query: str) -> str:
    """Return what tells a query from another."""
    return hashlib.blake2b(query.encode("utf-8", "replace"), digest_size=_QUERY_BYTES).hexdigest()


def _is_count(count: int | None) -> TypeGuard[int]:
    return count is not None and 0 <= count <= _MOST_TOKENS
