"""What is sent to which model."""

from __future__ import annotations

import pytest

from device.live.models import NAMES, Calls, misspelt, profile, unknown


def test_newest_model_gets_no_thinking_config_at_all() -> None:
    """Live API: a thinking config on 3.8 is never answered."""
    assert profile("gemini-3.8-live").thinking_level("minimal") is None
    assert profile("gemini-3.8-live").thinking_level("high") is None


@pytest.mark.parametrize(
    ("name", "wanted", "sent"),
    [
        ("gemini-3.1-flash-live-preview", "minimal", "minimal"),
        ("gemini-3.1-flash-live-preview", "HIGH", "high"),
        ("gemini-3.8-live-extended-thinking", "minimal", "low"),
        ("gemini-3.8-live-extended-thinking", "low", "low"),
        ("gemini-2.5-flash-native-audio-latest", "low", None),
    ],
)
def test_only_levels_the_model_takes_are_sent(name: str, wanted: str, sent: str | None) -> None:
    """A level that a model does not know is left out."""
    assert profile(name).thinking_level(wanted) == sent


def test_prefix_of_a_name_does_not_matter() -> None:
    """The API's own spelling of a name finds the same profile."""
    assert profile("models/gemini-3.8-live") is profile("gemini-3.8-live")


def test_unknown_model_gets_only_what_every_model_takes() -> None:
    """A name that is not in the table gets a conservative profile under that name."""
    unknown = profile("models/gemini-9-live")
    assert unknown.name == "gemini-9-live"
    assert not unknown.known
    assert not unknown.thinking_levels
    assert not unknown.takes_language
    assert not unknown.content_any_time
    assert not unknown.takes_scheduling
    assert not unknown.search_beside_functions
    assert unknown.calls is Calls.BLOCKING
    assert unknown.warning is None


def test_table_has_the_models_of_the_configuration_and_knows_them_all() -> None:
    """The default model and its fallback are known, and every name finds its own profile."""
    assert {"gemini-3.1-flash-live-preview", "gemini-3.8-live"} <= set(NAMES)
    assert all(profile(name).known and profile(name).name == name for name in NAMES)


def test_extended_thinking_ends_by_status_and_never_blocks() -> None:
    """What sets the extended model apart from its sister."""
    extended = profile("gemini-3.8-live-extended-thinking")
    assert extended.ends_by_status
    assert extended.calls is Calls.NON_BLOCKING
    assert not extended.takes_scheduling
    assert profile("gemini-3.8-live").calls is Calls.EITHER


def test_language_is_kept_from_models_that_close_on_it() -> None:
    """Live API: 2.5 native audio closes with 1000 on a language code."""
    assert not profile("gemini-2.5-flash-native-audio-latest").takes_language
    assert profile("gemini-3.8-live").takes_language


def test_current_model_needs_no_warning() -> None:
    """Nothing is said about the newest model."""
    assert profile("gemini-3.8-live").warning is None


def test_model_with_a_successor_names_it() -> None:
    """A preview that is replaced names its successor, and that no date is known."""
    warning = profile("gemini-3.1-flash-live-preview").warning
    assert warning is not None
    assert "gemini-3.8-live" in warning
    assert "no end date" in warning


def test_switched_off_model_names_the_day() -> None:
    """A model that is gone names the day and the successor."""
    warning = profile("gemini-2.0-flash-live-001").warning
    assert warning is not None
    assert "2025-12-09" in warning
    assert "set live.model to gemini-3.8-live" in warning


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Gemini-3.8-Live", "gemini-3.8-live"),
        ("gemini 3.8 live", "gemini-3.8-live"),
        ("models/gemini-3-8-live", "gemini-3.8-live"),
        ("gemini-3.8-live", None),
        ("models/gemini-3.8-live", None),
        ("gemini-3.9-live", None),
    ],
)
def test_another_spelling_of_a_model_is_known_as_such(name: str, meant: str | None) -> None:
    """The next version of a model is another model."""
    assert misspelt(name) == meant


def test_a_model_that_is_not_in_the_table_is_told() -> None:
    """It may be new; what was meant is guessed where that is likely."""
    assert unknown("models/gemini-3.8-live") is None
    told = unknown("gemini-3.1-flash-live")
    assert told is not None
    assert "did you mean gemini-3.1-flash-live-preview? known are " in told
    other = unknown("other")
    assert other is not None
    assert "did you mean" not in other
