"""The real parts: the key is taken out of reach, and sessions are made of the settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.board.profiles import profile_named
from device.build import real as build
from device.config import Config, parse
from device.errors import CredentialError
from device.live import network as readiness
from device.live.departures import Departure
from device.live.resumption import Past
from device.live.session import LiveSession
from device.news import FailureKind, News
from device.ports import OpenDevice
from device.tools.registry import Registry


def nobody(_: News) -> None:
    raise AssertionError("nothing runs here")


def nothing_was_sent(_departure: Departure) -> None:
    raise AssertionError("nothing goes up here")


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
        parts.session(Config(), 1, Past(), nobody, nothing_was_sent, Registry(()))
    assert str(caught.value) == parts.missing_key


def test_a_sound_server_s_idea_of_an_array_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Levels are those of a card; this one's are asked of an amixer that is not there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    parts, array, config = build.real_parts({}), profile_named("xvf3800"), Config()
    server = OpenDevice("pulse", None, 1, 2, 16_000)
    assert parts.set_levels(config, array, server, server) == []
    card = OpenDevice("array (hw:2,0)", 2, 1, 2, 16_000)
    (problem,) = parts.set_levels(config, array, card, server)
    assert "amixer" in problem
    wanted = parse("mixer: {PCM: 50%}", "test.yaml")
    (problem,) = parts.set_levels(wanted, array, server, server)
    assert problem.startswith("mixer: is not applied")


def test_what_the_speaker_takes_of_the_memory_is_told() -> None:
    """A size between an empty interpreter's and the machine's."""
    parts = build.real_parts({})
    assert 5 * 2**20 < parts.resident() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


async def test_a_session_is_made_of_the_settings_in_force() -> None:
    """Its number is the hub's."""
    parts = build.real_parts({"GEMINI_API_KEY": "the-key"})
    session = parts.session(Config(), 7, Past(), nobody, nothing_was_sent, Registry(()))
    assert isinstance(session, LiveSession)
    assert session.number == 7
    assert session.model == Config().live.model


def test_what_keeps_the_device_from_dialling_is_told_as_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the words of the table, before anything is sent."""
    config = parse("live: {endpoint: 'https://localhost:9'}", "test")
    assert build.hindrance(config) is None
    monkeypatch.setattr(readiness, "is_online", lambda: False)
    assert build.hindrance(config) is None
    failure = build.hindrance(Config())
    assert failure is not None
    assert failure.kind is FailureKind.OFFLINE
