"""`tokens` asks the token server for an ephemeral token, where one stands in for the key."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

from device.build.lent_tokens import LentTokens
from device.doctor.credentials import credential_in
from device.doctor.result import Result, Verdict, broken, hint, judged, skipped
from device.doctor.scene import Scene
from device.errors import CredentialError
from device.live.failures import diagnose
from device.live.link import LinkError
from device.live.network import obstacle
from device.live.probe import reach
from device.live.setup import unusable_trust
from device.live.token import Token
from device.live.tokens import Tokens

NAME = "token server"
OFFLINE = "left out: --offline"
NOT_USED = "none is configured: this speaker has the key itself"
SLOW_MS = 2_000.0
"""From which it is worth a hint: each conversation begins with it."""
SLOW = "slow: each conversation begins with it; look at the way to it, and to Google from there"
SHORT_S = 300.0
SHORT = "short: each connection of a talk needs another; let tokens live for half an hour"


def tokens_of(scene: Scene) -> Tokens | None:
    """Return where tokens come from, one for all checks; None: the key is used.

    Raises CredentialError.
    """
    if "tokens" not in scene.made:
        lent = LentTokens(lambda name: credential_in(scene, name)).of(scene.config.live)
        if lent is None:
            return None
        scene.made["tokens"] = lent
    return scene.made["tokens"]


async def tokens(scene: Scene) -> list[Result]:
    """Take the way to the token server, and ask for one token; its words are in no result."""
    live = scene.config.live
    if live.token_url is None:
        return [skipped(NAME, NOT_USED)]
    if scene.offline:
        return [skipped(NAME, OFFLINE)]
    try:
        lent = tokens_of(scene)
    except CredentialError as error:
        return [broken(NAME, "there is no credential to ask it with", str(error))]
    assert lent is not None  # noqa: S101 - its address is configured
    host = lent.server.host
    if (hindrance := obstacle(host)) is not None:
        return [broken(NAME, "not tried", diagnose(hindrance).failure.message)]
    times: list[str] = []
    async with aclosing(reach(live.token_url)) as steps:
        async for step in steps:
            if step.failure is not None:
                figure = f"{host}: {step.name} failed after {step.took_ms:.0f} ms"
                return [broken(NAME, figure, step.failure.message)]
            times.append(f"{step.name} {step.took_ms:.0f} ms")
    began = time.monotonic()
    try:
        async with asyncio.timeout(live.connect_timeout_s):
            token = await lent.get(live.model, resuming=False)
    except TimeoutError:
        figure = f"{host}: no token within {live.connect_timeout_s:g} s"
        return [broken(NAME, figure, "it is there, and does not answer: look at its log")]
    except LinkError as error:
        failure = diagnose(error.symptom).failure
        figure = f"{host}: it gives no token ({failure.kind})"
        return [broken(NAME, figure, failure.message, kind=failure.kind)]
    except (OSError, ValueError) as error:
        return [broken(NAME, "the certificates cannot be used", unusable_trust(error).message)]
    return [_judged(host, times, token, (time.monotonic() - began) * 1000)]


def _judged(host: str, times: list[str], token: Token, ms: float) -> Result:
    life_s = token.expires_at - token.fetched_at
    sessions_s = token.sessions_until - token.fetched_at
    uses = {0: "any number of sessions", 1: "one session"}.get(token.uses, f"{token.uses} sessions")
    figure = (
        f"{host}: {', '.join(times)}, a token in {ms:.0f} ms for {uses}; it lives "
        f"{life_s / 60:.0f} minutes and opens sessions for {sessions_s:.0f} s"
    )
    figures = {"ms": round(ms, 1), "life_s": round(life_s), "sessions_s": round(sessions_s)}
    if life_s < SHORT_S:
        return hint(NAME, figure, SHORT, None, **figures)
    verdict = Verdict.HINT if ms > SLOW_MS else Verdict.FINE
    return judged(NAME, verdict, figure, SLOW, None, **figures)
