"""The real parts: the key is taken out of reach, and sessions are made of the settings."""

from __future__ import annotations

import itertools

import pytest

from device.cli import build
from device.config import Config
from device.errors import CredentialError
from device.live.session import LiveSession
from device.ports import News


def nobody(_: News) -> None:
    raise AssertionError("nothing runs here")


def test_the_key_is_taken_out_of_the_environment() -> None:
    """Neither the SDK nor a child process finds another one; sessions have it."""
    environ = {"GEMINI_API_KEY": "the-key", "GOOGLE_API_KEY": "other", "HOME": "/"}
    parts = build.real_parts(environ)
    assert environ == {"HOME": "/"}
    assert parts.missing_key == ""
    assert "the-key" not in repr(parts)


async def test_without_a_key_every_session_says_what_to_do() -> None:
    """The speaker itself starts, so that it can tell."""
    parts = build.real_parts({})
    assert "GEMINI_API_KEY" in parts.missing_key
    with pytest.raises(CredentialError) as caught:
        parts.session(Config(), 1, itertools.count(1), nobody)
    assert str(caught.value) == parts.missing_key


async def test_a_session_is_made_of_the_settings_in_force() -> None:
    """Its number is the hub's."""
    parts = build.real_parts({"GEMINI_API_KEY": "the-key"})
    session = parts.session(Config(), 7, itertools.count(1), nobody)
    assert isinstance(session, LiveSession)
    assert session.number == 7
    assert session.model == Config().live.model
