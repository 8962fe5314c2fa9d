"""Token counts under our names."""

from __future__ import annotations

import warnings

from google.genai import types

from device.live.usage import tokens


def test_total_is_our_own_sum() -> None:
    """Live API: the server's total leaves the thoughts out (522 + 42 = 564, 136 thoughts)."""
    usage = types.UsageMetadata(
        prompt_token_count=522,
        response_token_count=42,
        thoughts_token_count=136,
        total_token_count=564,
    )
    assert tokens(usage) == {"prompt": 522, "response": 42, "thoughts": 136, "total": 700}


def test_modalities_and_cache_are_named() -> None:
    """Details come beside the sums; what the server did not count is not there."""
    usage = types.UsageMetadata(
        prompt_token_count=10,
        tool_use_prompt_token_count=3,
        cached_content_token_count=4,
        prompt_tokens_details=[
            types.ModalityTokenCount(modality=types.MediaModality.AUDIO, token_count=7),
            types.ModalityTokenCount(modality=types.MediaModality.TEXT, token_count=3),
            types.ModalityTokenCount(modality=None, token_count=1),
            types.ModalityTokenCount(modality=types.MediaModality.IMAGE, token_count=None),
        ],
        response_tokens_details=[
            types.ModalityTokenCount(modality=types.MediaModality.AUDIO, token_count=5)
        ],
    )
    assert tokens(usage) == {
        "prompt": 10,
        "tool_use": 3,
        "total": 13,
        "cached": 4,
        "prompt_audio": 7,
        "prompt_text": 3,
        "response_audio": 5,
    }


def test_lone_total_is_taken_and_nothing_stays_nothing() -> None:
    """Only what the server named is passed on."""
    assert tokens(types.UsageMetadata(total_token_count=9)) == {"total": 9}
    assert tokens(types.UsageMetadata()) == {}


def test_what_is_no_count_is_left_out() -> None:
    """Below nothing, or beyond every context; it would be billed, and written as it is."""
    usage = types.UsageMetadata(
        prompt_token_count=-1,
        response_token_count=10**400,
        thoughts_token_count=2,
        total_token_count=10**30,
        cached_content_token_count=-5,
    )
    assert tokens(usage) == {"thoughts": 2, "total": 2}
    assert tokens(types.UsageMetadata(total_token_count=-9)) == {}


def test_a_modality_that_is_none_becomes_no_name_of_a_field() -> None:
    """The SDK takes any word for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detail = types.ModalityTokenCount(modality="\x1b[2J", token_count=1)  # type: ignore[arg-type]
    assert tokens(types.UsageMetadata(prompt_tokens_details=[detail])) == {}
