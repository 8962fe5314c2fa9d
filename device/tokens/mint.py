"""`Minter` has Google make ephemeral tokens with this machine's key, locked to a model.

What a token is locked to is what it costs: the model, and that it answers in sound. All the rest of
a setup stays the speaker's: its instruction changes with the date, the handle with each connection.
Live API: a lock over everything would lock the handle too, and no talk could be resumed.
"""

from __future__ import annotations

import asyncio
import re
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from device.credentials.api_key import flaw
from device.credentials.certificates import shared_certificates
from device.credentials.credential import LENT_LOOK
from device.errors import ParleyError
from device.live.failures import diagnose
from device.live.setup import GOOGLE, VERSION_OF_TOKENS, LiveSettings, host_of, unusable_trust
from device.live.symptoms import symptom_of
from device.live.token_server import cause_of
from device.news import Failure, FailureKind
from device.text import printable

if TYPE_CHECKING:
    from google import genai

DEFAULT_USES: Final = 1
DEFAULT_MINUTES: Final = 30
MOST_USES: Final = 1_000
MOST_MINUTES: Final = 1_199
"""Live API: both ends of a token must be less than 20 hours away."""
DEADLINE_S: Final = 20.0
"""How long Google may take to make one."""


class MintError(ParleyError):
    """Google makes no token now; ``failure`` says why, and never holds the key."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


@dataclass(frozen=True, slots=True)
class Minted:
    """A token that was just made."""

    name: str = field(repr=False)
    model: str
    """To which it is locked, without ``models/``."""
    uses: int
    """For how many sessions; 0: any number."""
    expire_time: datetime
    """UTC: from then on no message is taken."""
    new_session_expire_time: datetime
    """UTC: from then on no new session is opened."""


class Minter:
    """Makes tokens; ``async with`` opens and closes its client. For one event loop."""

    def __init__(self, settings: LiveSettings, key: str) -> None:
        """``settings`` say where Google is; the key goes nowhere else."""
        self._settings = settings
        self._key = key
        self._client: genai.Client | None = None

    async def __aenter__(self) -> Self:
        """Make the client. Takes a second the first time. Raises MintError."""
        if (problem := flaw(self._key)) is not None:
            raise MintError(Failure(FailureKind.KEY, f"the API key {problem}", retryable=False))
        try:
            self._client = await asyncio.to_thread(_client, self._settings, self._key)
        except (OSError, ValueError) as error:
            raise MintError(unusable_trust(error)) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._client is not None  # noqa: S101 - it was entered
        await self._client.aio.aclose()

    async def mint(self, model: str, *, uses: int, life_s: float, sessions_s: float) -> Minted:
        """Have a token made that lives so long, and opens sessions so long. Raises MintError."""
        from google.genai import types  # noqa: PLC0415 - heavy

        assert self._client is not None  # noqa: S101 - it was entered
        now = datetime.now(UTC).replace(microsecond=0)
        ends = now + timedelta(seconds=life_s)
        sessions_end = now + timedelta(seconds=min(sessions_s, life_s))
        config = types.CreateAuthTokenConfig(
            uses=uses,
            expire_time=ends,
            new_session_expire_time=sessions_end,
            live_connect_constraints=types.LiveConnectConstraints(
                model=model,
                config=types.LiveConnectConfig(response_modalities=[types.Modality.AUDIO]),
            ),
            # Live API: so only what is set above is locked.
            lock_additional_fields=[],
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                made = await self._client.aio.auth_tokens.create(config=config)
        except Exception as error:  # the SDK reads the server's answer in there
            raise self._failed(error, model) from error
        return self._checked(made.name, model, uses, (ends, sessions_end))

    def _checked(
        self, name: object, model: str, uses: int, ends: tuple[datetime, datetime]
    ) -> Minted:
        if not isinstance(name, str) or not re.fullmatch(LENT_LOOK, name):
            host = host_of(self._settings)
            message = f"{host} answered with something that is no token: check live.endpoint"
            raise MintError(Failure(FailureKind.SERVER, message, retryable=True))
        return Minted(name, model.removeprefix("models/"), uses, *ends)

    def _failed(self, error: Exception, model: str) -> MintError:
        about: dict[str, Any] = {
            "host": host_of(self._settings),
            "secret": self._key,
            "model": model,
        }
        cause: BaseException = cause_of(error)
        if isinstance(cause, TimeoutError) and not str(cause):
            cause = TimeoutError("no answer")
        failure = diagnose(symptom_of(cause, opened=False, **about)).failure
        return MintError(
            Failure(failure.kind, printable(failure.message, 600), retryable=failure.retryable)
        )


def _client(settings: LiveSettings, key: str) -> genai.Client:
    from google import genai  # noqa: PLC0415 - heavy
    from google.genai import types  # noqa: PLC0415 - heavy

    warnings.filterwarnings("ignore", message="The SDK's token creation implementation")
    # The key would go along to wherever a redirect leads.
    options = {"verify": shared_certificates(), "follow_redirects": False}
    return genai.Client(
        vertexai=False,
        api_key=key,
        http_options=types.HttpOptions(
            base_url=settings.endpoint or GOOGLE,
            api_version=VERSION_OF_TOKENS,
            timeout=int(DEADLINE_S * 1000),
            client_args=dict(options),
            async_client_args=dict(options),
        ),
    )
