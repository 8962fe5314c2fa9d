"""`tokens` gives the server's token counts the names of Parley's usage event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from google.genai import types


_MOST_TOKENS = 10**9
"""A count beyond is none: a model's whole context is a thousandth of it."""
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
    )


def _by_modality(kind: str, details: Sequence[types.ModalityTokenCount] | None) -> dict[str, int]:
    return {
        f"{kind}_{modality}": detail.token_count
        for detail in details or ()
        if detail.modality is not None and _is_count(detail.token_count)
        if (modality := detail.modality.value.lower()) in _MODALITIES
    }


def _is_count(count: int | None) -> TypeGuard[int]:
    return count is not None and 0 <= count <= _MOST_TOKENS
