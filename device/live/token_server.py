"""`TokenServer` fetches an ephemeral token from the owner's token server, within bounds.

It is asked with one POST, and goes nowhere else: no redirect is followed, no more than some kB of
its answer are read, and all of it takes no longer than the caller waits. What goes wrong is a
`LinkError` like that of any connection, with the place `token`; its words never hold the
credential, nor anything of what should have been a token.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from device.credentials.certificates import shared_certificates
from device.errors import causes_of
from device.live.link import LinkError
from device.live.network import proxy_before
from device.live.symptoms import Family, Place, Symptom, body_text, symptom_of
from device.live.token import Token, token_of

if TYPE_CHECKING:
    import httpx2

LONGEST_BYTES = 16_384
"""Of an answer that is read; a token and all that is told of it have some hundreds."""
LONGEST_PAUSE_S = 300.0
"""How long it is left alone at most because it has asked for that (``Retry-After``)."""


@dataclass(frozen=True, slots=True)
class TokenServer:
    """Where tokens come from, and what it is asked with."""

    url: str
    credential: str | None = field(default=None, repr=False)
    """Behind ``Authorization: Bearer``."""

    @property
    def host(self) -> str:
        """Host (and port, where one is given), for messages."""
        return urlsplit(self.url).netloc

    async def fetch(self, model: str) -> Token:
        """Ask for a token for this model. Raises LinkError; OSError or ValueError for the trust.

        Safe to cancel. The caller bounds the time.
        """
        proxy = self._proxy(model)
        # What it is made of is imported with the first one, which takes tenths of a second on a Pi.
        context = await asyncio.to_thread(shared_certificates)
        try:
            client = await asyncio.to_thread(_client, context, proxy)
        except _errors() as error:
            raise LinkError(self._symptom(error, model)) from error
        asked_at = time.monotonic()
        try:
            status, headers, body = await self._post(client, model)
        except _errors() as error:
            raise LinkError(self._symptom(error, model)) from error
        if status != 200:
            raise LinkError(self._refused(status, headers, body, model))
        try:
            token = token_of(body, asked_at, headers.get("date"))
        except ValueError as error:
            raise LinkError(self._of(Family.ODD, 0, str(error), model)) from error
        if not token.fits(model):
            told = f"the token is locked to {' and '.join(token.models)}"
            raise LinkError(self._of(Family.REFUSED, 422, told, model))
        return token

    async def _post(
        self, client: httpx2.AsyncClient, model: str
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.credential is not None:
            headers["Authorization"] = f"Bearer {self.credential}"
        async with (
            client,
            client.stream("POST", self.url, headers=headers, json={"model": model}) as response,
        ):
            body = b""
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > LONGEST_BYTES:
                    raise ValueError(f"it has more than {LONGEST_BYTES} bytes")
            told = {name.lower(): value for name, value in response.headers.items()}
            return response.status_code, told, body

    def _proxy(self, model: str) -> str | None:
        """Return the proxy that the environment puts before servers elsewhere. Raises LinkError."""
        parts = urlsplit(self.url)
        proxy = proxy_before(parts.hostname or "") if parts.scheme == "https" else None
        scheme = (proxy or "http:").partition(":")[0].lower()
        if scheme not in {"http", "https"}:
            told = f"HTTPS_PROXY begins with {scheme}://, and http:// is needed"
            raise LinkError(self._of(Family.PROXY, 0, told, model))
        return proxy

    def _of(self, family: Family, code: int, text: str, model: str) -> Symptom:
        return Symptom(Place.TOKEN, family, code, text, model=model, host=self.host)

    def _about(self, model: str) -> dict[str, Any]:
        return {"model": model, "host": self.host, "secret": self.credential or ""}

    def _symptom(self, error: Exception, model: str) -> Symptom:
        """Tell what kept an answer from coming."""
        told = symptom_of(cause_of(error), opened=False, **self._about(model))
        return replace(told, place=Place.TOKEN)

    def _refused(self, status: int, headers: dict[str, str], body: bytes, model: str) -> Symptom:
        text, pause = " ".join(body_text(body).split()), 0
        if status == 429 and re.fullmatch("[0-9]{1,9}", headers.get("retry-after", "")):
            pause = min(int(headers["retry-after"]), 86_400)
            text = f"again in {pause} s"
        about = self._about(model)
        blotted = symptom_of(ValueError(text), opened=False, **about).text
        return replace(self._of(Family.REFUSED, status, blotted, model), pause_s=float(pause))


def _client(context: ssl.SSLContext, proxy: str | None) -> httpx2.AsyncClient:
    import httpx2  # noqa: PLC0415 - heavy

    return httpx2.AsyncClient(
        verify=context, proxy=proxy, trust_env=False, follow_redirects=False, timeout=None
    )


def cause_of(error: Exception) -> BaseException:
    """Return what an error of HTTP's libraries comes of, as `symptom_of` knows it."""
    found = [each for each in causes_of(error) if isinstance(each, OSError)]
    # Above it stands "all attempts failed", which says nothing.
    telling = (ssl.SSLError, socket.gaierror, ConnectionRefusedError)
    told = next((each for each in found if isinstance(each, telling)), found[0] if found else None)
    names = {base.__name__ for base in type(error).__mro__}
    if told is not None:
        return told
    if "TimeoutException" in names:
        return TimeoutError("it did not answer")
    if "TransportError" in names and "ProxyError" not in names:
        return ConnectionError("it hung up before it had answered")
    return error


def pause_s(symptom: Symptom) -> float:
    """Return how long a token server that refused wants to be left alone, in seconds."""
    return min(symptom.pause_s, LONGEST_PAUSE_S)


def _errors() -> tuple[type[Exception], ...]:
    import httpx2  # noqa: PLC0415 - heavy

    return httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError
