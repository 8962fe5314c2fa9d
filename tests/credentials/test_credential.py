"""What a credential is called, where it lies, and what it looks like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.credentials.credential import (
    CREDENTIAL_LOOK,
    FOLDER,
    LOADED_PREFIX,
    MAX_CHARACTERS,
    NAME,
    VARIABLE_PREFIX,
    flaw,
    looks_secret,
    names_a_secret,
    variable_of,
)
from device.credentials.lookup import find_credential
from device.doctor.redaction import Redactor
from device.errors import CredentialError

ROOT = Path(__file__).parents[2]
HOME_ASSISTANT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhYmMiLCJpYXQiOjE3MDAwMDAwMDB9"
    ".Zm9vYmFyYmF6cXV4LXBsYW50ZWQtdG9rZW4"
)
TOKENS = [
    HOME_ASSISTANT,
    "sk-planted0123456789abcdef",
    "ya29.a0AfH6SMBx0123456789abcdef",
    "ghp_planted0123456789abcdef",
    "github_pat_planted0123456789",
    "glpat-planted0123456789ab",
    "xoxb-planted-0123456789",
]


def test_the_names_are_those_of_the_contract() -> None:
    """People script against them, and the unit knows them by heart."""
    assert str(FOLDER) == "/etc/parley/credentials"
    assert variable_of("home-2") == "PARLEY_CREDENTIAL_HOME_2"
    unit = (ROOT / "systemd" / "parley.service").read_text()
    assert f"LoadCredential={LOADED_PREFIX.removesuffix('_')}:{FOLDER}\n" in unit


@pytest.mark.parametrize("name", ["credentials.d_home", "Home", "1a", "", "a/b", "..", "a" * 33])
def test_no_name_leads_elsewhere(name: str) -> None:
    """Neither to another folder, nor to the copy of another credential."""
    assert re.fullmatch(NAME, name) is None
    assert re.fullmatch(NAME, "a-b_3") is not None


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["{}", "x {} y", "'{}'", "Bearer {}", "token={}&x=1", "{}\n"])
def test_tokens_are_known_by_their_look(token: str, around: str) -> None:
    """All of them, wherever they stand; also half of one."""
    for part in (token, token[: len(token) // 2 + 8]):
        text = around.format(part)
        assert re.findall(CREDENTIAL_LOOK, text) == [part]
        assert looks_secret(text)
        assert part not in Redactor([]).text(f"it said {text}")


@pytest.mark.parametrize(
    "text",
    [
        "http://homeassistant.local:8123/api/mcp",
        "risk-of-something-that-is-long-enough",
        "/opt/parley/releases/0.1.0/lib/python3.13/site-packages",
        "@modelcontextprotocol/server-filesystem",
        "eyJust",
        "",
    ],
)
def test_what_is_no_token_is_not_taken_for_one(text: str) -> None:
    """Hosts, paths and packages may be long."""
    assert not looks_secret(text)


def test_long_random_words_are_secrets() -> None:
    """Whoever made them."""
    assert looks_secret("x Cn8KfAoE5rTzKq0WvX1yZ2a3B4c5 y")


@pytest.mark.parametrize(
    "name", ["token", "access_token", "api_key", "apiKey", "accessKey", "PASSWORD", "X-Auth", "sig"]
)
def test_secrets_are_known_by_what_they_are_called(name: str) -> None:
    """In a query, an option or a variable."""
    assert names_a_secret(name)


@pytest.mark.parametrize("name", ["max_tokens", "monkey", "author", "design", "keyboard", "page"])
def test_other_names_are_no_secrets(name: str) -> None:
    """They only begin or end like one."""
    assert not names_a_secret(name)


FLAWS = [
    ("", "is empty"),
    ("x" * (MAX_CHARACTERS + 1), f"is longer than {MAX_CHARACTERS} characters"),
    ("Authorization: Bearer x", "begins with the name of a header"),
    ("two words", "has a space or a line break in the middle"),
    ("first\nsecond", "has a space or a line break in the middle"),
    ("schlüssel", "has a character that no token has"),
    ("bell\x07", "has a character that no token has"),
    (f'"{HOME_ASSISTANT}"', "has quotes or a variable's name around the token"),
    (f"{VARIABLE_PREFIX}HOME=abc", "has quotes or a variable's name around the token"),
    ("x" * MAX_CHARACTERS, None),
    *((token, None) for token in TOKENS),
]


@pytest.mark.parametrize(("secret", "wrong"), FLAWS)
def test_what_cannot_be_a_token_is_told_apart(secret: str, wrong: str | None) -> None:
    """The rest only its server knows."""
    assert flaw(secret) == wrong


@given(st.text(max_size=60) | st.sampled_from(TOKENS))
def test_finding_and_judging_a_credential_agree(text: str) -> None:
    """What cannot be one is found by nobody; what is found can go into a request."""
    environ = {"PARLEY_CREDENTIAL_HOME": text}
    if flaw(text.strip()) is None:
        assert find_credential("home", environ).secret == text.strip()
    elif flaw(text.strip().partition(" ")[2].strip()) is not None:
        with pytest.raises(CredentialError, match=r"put the token|no credential 'home' found"):
            find_credential("home", environ)
