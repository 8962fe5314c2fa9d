"""`personas` opens a session as each persona with settings of its own; nothing is said in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from device.config import Config, as_persona, model_key
from device.doctor.network import OFFLINE
from device.doctor.result import Result, broken, fine, hint, skipped
from device.doctor.scene import Scene
from device.doctor.service import key_in
from device.doctor.tokens import tokens_of
from device.errors import CredentialError
from device.live.refusals import Field
from device.live.resumption import Past
from device.live.session import LiveSession, warm_up
from device.live.tokens import Tokens
from device.news import (
    Failure,
    News,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SettingRefused,
)

OPENED_S = 12.0
"""Longer than `live.connect_timeout_s` is by itself: what it tells is worth more than silence."""


@dataclass(slots=True)
class _Opening:
    """What came of a session."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    opened: SessionOpened | None = None
    failure: Failure | None = None
    refused: list[str] = field(default_factory=list)

    def take(self, news: News) -> None:
        match news:
            case SettingRefused(setting=setting):
                self.refused.append(setting)
            case SessionOpened():
                self.opened = self.opened or news
                self.over.set()
            case SessionFailed(failure=failure):
                self.failure = failure
                self.over.set()
            case SessionClosed():
                self.over.set()


async def personas(scene: Scene) -> list[Result]:
    """Open a session as each, one after the other, and close it: no token is paid for."""
    config = scene.config
    own = [name for name in config.personas if as_persona(config, name).live != config.live]
    if not own:
        return [skipped("personas", "none has a voice, a model or words of its own")]
    if scene.offline or "network" in scene.notes:
        why = OFFLINE if scene.offline else scene.notes["network"]
        return [skipped(_named(name), why) for name in own]
    try:
        lent = tokens_of(scene)
        key = key_in(scene).secret if lent is None else ""
    except CredentialError as error:
        return [skipped(_named(name), "no key to try it with", str(error)) for name in own]
    await warm_up()
    return [await _tried(config, name, key, lent) for name in own]


def _named(persona: str) -> str:
    return f"persona {persona}"


async def _tried(config: Config, name: str, key: str, lent: Tokens | None) -> Result:
    live, came = as_persona(config, name).live, _Opening()
    session = LiveSession(
        live, key, number=1, post=came.take, past=Past(), lost_after_s=0.0, tokens=lent
    )
    running = asyncio.create_task(session.run())
    try:
        async with asyncio.timeout(OPENED_S):
            await came.over.wait()
    except TimeoutError:
        pass
    finally:
        await session.close("checked")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return _judge(config, name, came, session.counters["attempts"])


def _judge(config: Config, name: str, came: _Opening, attempts: int) -> Result:
    named, wanted = _named(name), as_persona(config, name).live.model
    if came.failure is not None:
        kind, message = came.failure.kind, came.failure.message
        return broken(named, str(kind), message, kind=kind)
    if came.opened is None:
        advice = "the server is silent: try again in a few minutes, or another model"
        return broken(named, f"no session within {OPENED_S:.0f} s", advice)
    model, ms = came.opened.model, round(came.opened.latency_ms)
    figure, figures = f"{model}: session open in {ms} ms", {"model": model, "open_ms": ms}
    if model != wanted:
        advice = f"{wanted} is gone: set {model_key(config, name)} to {model}"
        return hint(named, figure, advice, None, **figures)
    # What a plan does not include is the account's, not the persona's.
    refused = [setting for setting in came.refused if setting != Field.SEARCH]
    if refused or (attempts > 1 and not came.refused):
        what = ", ".join(refused) or "something of it"
        advice = (
            f"the model refuses {what}: its talks go on without; look at voice, language and "
            f"thinking_level of personas.{name} and live"
        )
        return hint(named, figure, advice, None, refused=refused, **figures)
    return fine(named, figure, **figures)
