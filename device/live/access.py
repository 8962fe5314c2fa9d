"""`Access` is what a session's connections are made with: the key, or ephemeral tokens.

It keeps the SDK's client, which is made for one secret: with the key once for a session, with
tokens once for each.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from device.errors import ParleyError
from device.live.link import LinkError
from device.live.setup import LiveSettings, client_of, unusable, unusable_trust
from device.live.symptoms import Family, Place, Symptom
from device.live.token import Token
from device.live.tokens import Tokens
from device.live.websocket import Dialler
from device.news import Failure

if TYPE_CHECKING:
    from google import genai


class AccessError(ParleyError):
    """Nothing can be connected with: its owner must mend something. Never leaves `device.live`."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Access:
    """For one session. Used from the event loop's thread only."""

    def __init__(self, settings: LiveSettings, key: str, tokens: Tokens | None) -> None:
        """``tokens``: where each session begins with a token; then the key is not used."""
        self._settings = settings
        self._key = key
        self._tokens = tokens
        self._token: Token | None = None
        self._client: genai.Client | None = None
        self._made_for = ""
        self.dialler = Dialler()
        """Makes the connections of the client."""

    @property
    def identity(self) -> str:
        """What stands for the account that is used: the key, or where tokens come from."""
        return self._key if self._tokens is None else self._tokens.server.url

    @property
    def unusable(self) -> Failure | None:
        """What is wrong with the key that no server needs to be asked about."""
        return unusable(self._key) if self._tokens is None else None

    @property
    def ends_at(self) -> float:
        """When the newest token expires, CLOCK_MONOTONIC seconds; inf: a key does not."""
        return math.inf if self._token is None else self._token.expires_at

    @property
    def about(self) -> dict[str, Any]:
        """What `symptom_of` is told of it."""
        token = self._tokens is not None
        return {"secret": self._token.name if self._token else self._key, "token": token}

    async def client(
        self, model: str, *, resuming: bool, patience: asyncio.Timeout
    ) -> genai.Client:
        """Return the client for the next connection; ``patience`` bounds the asking for a token.

        Raises LinkError where there is no token to be had now, AccessError. Safe to cancel.
        """
        try:
            secret = await self._secret(model, resuming=resuming, patience=patience)
            if self._client is None or self._made_for != secret:
                await self.close()
                self._client = await asyncio.to_thread(
                    client_of, self._settings, secret, self.dialler
                )
                self._made_for = secret
        except (OSError, ValueError) as error:
            raise AccessError(unusable_trust(error)) from error
        return self._client

    async def _secret(self, model: str, *, resuming: bool, patience: asyncio.Timeout) -> str:
        if self._tokens is None:
            return self._key
        try:
            async with patience:
                self._token = await self._tokens.get(model, resuming=resuming)
        except TimeoutError as error:
            host = self._tokens.server.host
            symptom = Symptom(Place.TOKEN, Family.TIMEOUT, model=model, host=host)
            raise LinkError(symptom) from error
        return self._token.name

    def opened(self, *, resumed: bool) -> None:
        """Take note that the server has confirmed a setup."""
        if self._tokens is not None:
            self._tokens.took(resuming=resumed)

    def lost(self, symptom: Symptom) -> bool:
        """Take note of a lost connection; return whether another token is to be tried at once."""
        return self._tokens is not None and self._tokens.lost(symptom)

    async def close(self) -> None:
        """Close the client. Left to the garbage collector it would start a task for that."""
        client, self._client = self._client, None
        if client is not None:
            await client.aio.aclose()
