"""What the configuration says of a token server becomes where sessions get their tokens."""

from __future__ import annotations

import pytest

from device.build.lent_tokens import LentTokens
from device.build.real import real_parts
from device.config import parse
from device.credentials.lookup import Credentials
from device.errors import CredentialError
from device.live.resumption import Past
from device.tools.registry import Registry

URL = "https://tokens.home.arpa:8790/token"
TEXT = f"live: {{token_url: '{URL}', token_credential: tokens}}"
LENT = parse(TEXT, "test.yaml")
SECRET = "bearer-of-the-kitchen-0123456789"


def test_tokens_outlive_a_session_and_end_with_their_server() -> None:
    """The same as long as address and credential are the same."""
    environ = {"PARLEY_CREDENTIAL_TOKENS": SECRET}
    lent = LentTokens(Credentials(environ).find)
    tokens = lent.of(LENT.live)
    assert tokens is not None
    assert (tokens.server.url, tokens.server.credential) == (URL, SECRET)
    assert lent.of(LENT.live) is tokens
    bare = parse(f"live: {{token_url: '{URL}'}}", "test.yaml")
    other = lent.of(bare.live)
    assert other is not None
    assert other is not tokens
    assert other.server.credential is None
    assert lent.of(parse("", "test.yaml").live) is None


def test_a_credential_that_is_missing_is_told() -> None:
    """By its name, and where it goes."""
    with pytest.raises(CredentialError, match="no credential 'tokens' found"):
        LentTokens(Credentials({}).find).of(LENT.live)


async def test_a_speaker_that_is_lent_tokens_needs_no_key() -> None:
    """A session is made without one; where none are lent, that is what is missing."""
    parts = real_parts({"PARLEY_CREDENTIAL_TOKENS": SECRET})

    def nobody(*_: object) -> None:
        raise AssertionError("nothing runs here")

    session = parts.session(LENT, 1, Past(), nobody, nobody, Registry(()))
    assert session.model == LENT.live.model
    assert SECRET not in repr(session)
    with pytest.raises(CredentialError, match="no API key found"):
        parts.session(parse("", "test.yaml"), 2, Past(), nobody, nobody, Registry(()))
