"""`LentTokens` makes of ``live.token_url`` and its credential what sessions get their tokens from.

The tokens of a server outlive a session, and end with a change of the server or of the credential.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from device.credentials.lookup import Credential
from device.live.token_server import TokenServer
from device.live.tokens import Tokens


class TokenSettings(Protocol):
    """What ``live`` of the configuration says of it."""

    @property
    def token_url(self) -> str | None: ...  # noqa: D102 - as in the configuration
    @property
    def token_credential(self) -> str | None: ...  # noqa: D102 - as in the configuration


class LentTokens:
    """For one process. Used from the event loop's thread only."""

    def __init__(self, find: Callable[[str], Credential]) -> None:
        """``find`` finds a credential by its name; raises CredentialError."""
        self._find = find
        self._tokens: Tokens | None = None

    def of(self, settings: TokenSettings) -> Tokens | None:
        """Return where sessions get their tokens from; None: they have the key.

        Looks for the credential anew, which takes a moment. Raises CredentialError.
        """
        if settings.token_url is None:
            self._tokens = None
            return None
        name = settings.token_credential
        server = TokenServer(settings.token_url, self._find(name).secret if name else None)
        if self._tokens is None or self._tokens.server != server:
            self._tokens = Tokens(server)
        return self._tokens
