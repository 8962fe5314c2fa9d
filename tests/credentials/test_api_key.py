"""What a Google API key is, and that everybody who has to do with one means the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import parse
from device.credentials.api_key import (
    CREDENTIAL_NAME,
    KEY_FILE,
    LOOK,
    MAX_CHARACTERS,
    RENEWAL,
    VARIABLES,
    flaw,
)
from device.credentials.lookup import find_api_key
from device.doctor.redaction import Redactor
from device.errors import ConfigError, CredentialError
from device.live.setup import unusable

ROOT = Path(__file__).parents[2]
KEYS = [
    "AIzaSyA-1234567890abcdefghijklmnopqrst_",
    "AQ.Ab8RN6Kabcdefghijklmnop.qrstuvwx-yz_0123456789",
]


def test_the_names_are_those_of_the_contract() -> None:
    """People script against them, and the unit and the installer know them by heart."""
    assert CREDENTIAL_NAME == "gemini_api_key"
    assert str(KEY_FILE) == "/etc/parley/credentials/gemini_api_key"
    assert VARIABLES == ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    unit = (ROOT / "systemd" / "parley.service").read_text()
    assert f"LoadCredential={CREDENTIAL_NAME}:{KEY_FILE}\n" in unit
    assert str(KEY_FILE) in RENEWAL


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("around", ["{}", "x {} y", "'{}'", "key={}&alt=x", "_{}", "{}\n"])
def test_keys_are_known_by_their_look(key: str, around: str) -> None:
    """Of both kinds, all of them, wherever they stand; also half of one."""
    for part in (key, key[: len(key) // 2 + 4]):
        [found] = re.findall(LOOK, around.format(part))
        assert found == part


@pytest.mark.parametrize("text", ["AIza", "AQ.", "FAQ.how-do-i-turn-it-off", "AIza ist kurz", ""])
def test_what_is_no_key_is_not_taken_for_one(text: str) -> None:
    """An owner may write what he likes into his configuration."""
    assert re.search(LOOK, text) is None


@pytest.mark.parametrize("key", KEYS)
def test_whoever_looks_for_keys_finds_both_kinds(key: str) -> None:
    """The configuration refuses them, the bundle leaves them out."""
    with pytest.raises(ConfigError, match="an API key does not belong in this file") as caught:
        parse(f"live: {{system_instruction: 'say {key}'}}", "config.yaml")
    assert key not in str(caught.value)
    assert key not in Redactor([]).text(f"it said {key}")
    assert key.lower() not in Redactor([]).text(f"it said {key.lower()}")


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("", "is empty"),
        ("x" * (MAX_CHARACTERS + 1), f"is longer than {MAX_CHARACTERS} characters"),
        ("two words", "has a space or a line break in the middle"),
        ("schlüssel", "has a character that no key has"),
        ("bell\x07", "has a character that no key has"),
        (f"'{KEYS[0]}'", "has quotes or a variable's name around the key"),
        (f"GOOGLE_API_KEY={KEYS[0]}", "has quotes or a variable's name around the key"),
        ("x" * MAX_CHARACTERS, None),
        (KEYS[0], None),
        (KEYS[1], None),
    ],
)
def test_what_cannot_be_a_key_is_told_apart(key: str, wrong: str | None) -> None:
    """The rest only Google knows."""
    assert flaw(key) == wrong


@given(st.text(max_size=60) | st.sampled_from(KEYS))
def test_finding_and_using_a_key_agree(text: str) -> None:
    """What was found can be used, and what cannot be a key is found by nobody."""
    key = text.strip()
    problem = flaw(key)
    assert (unusable(key) is None) == (problem is None)
    if problem is None:
        assert find_api_key({VARIABLES[0]: text}).secret == key
    else:
        with pytest.raises(CredentialError, match=re.escape(problem) if key else "is empty"):
            find_api_key({VARIABLES[0]: text})
