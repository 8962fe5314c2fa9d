"""The server's token counts under the names that Parley's usage event uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.genai import types


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
    counts = {kind: count for kind, count in named.items() if count is not None}
    if counts:
        counts["total"] = sum(counts.values())
    elif usage.total_token_count is not None:
        counts["total"] = usage.total_token_count
    if usage.cached_content_token_count is not None:
        counts["cached"] = usage.cached_content_token_count
    return (
        counts
        | _by_modality("prompt", usage.prompt_tokens_details)
        | _by_modality("response", usage.response_tokens_details)
    )


def _by_modality(kind: str, details: Sequence[types.ModalityTokenCount] | None) -> dict[str, int]:
    return {
        f"{kind}_{detail.modality.value.lower()}": detail.token_count
        for detail in details or ()
        if detail.modality is not None and detail.token_count is not None
    }
