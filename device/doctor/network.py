"""These checks take the way to the Live API in milliseconds, and say one sentence over it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from device.doctor.result import Result, Verdict, broken, hint, judged, skipped
from device.doctor.scene import Scene
from device.doctor.service import key_in
from device.doctor.tokens import tokens_of
from device.errors import CredentialError
from device.live.failures import diagnose
from device.live.link import LinkError
from device.live.network import obstacle
from device.live.probe import goal_of, probe
from device.live.resumption import Past
from device.live.session import LiveSession, warm_up
from device.live.setup import host_of
from device.news import (
    Failure,
    News,
    ReplyAudio,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    Transcript,
    TurnComplete,
    Usage,
)

STEPS = ("dns", "tcp", "tls", "websocket")
SLOW_MS = {"dns": 500.0, "tcp": 300.0, "tls": 600.0, "websocket": 800.0}
"""From which a step is worth a hint: together they are what a person waits for."""
SENTENCE = "This is a test of the connection. Answer with the single word: ready."
ANSWER_S = 20.0
SLOW_ANSWER_MS = 3000.0
DEAREST_DOLLARS = 12e-6
"""Live API: what a token costs at most (sound out, list price of November 2026)."""
IPV6_LOST = (
    "each connection waits a quarter of a second for it: restart the router, or end IPv6 there"
)
OFFLINE = "left out: --offline"


async def way(scene: Scene) -> list[Result]:
    """Name, TCP, TLS and WebSocket, each with its time."""
    if scene.offline:
        return [skipped(name, OFFLINE) for name in STEPS]
    live = scene.config.live
    hindrance = obstacle(host_of(live))
    if hindrance is not None:
        told = diagnose(hindrance).failure.message
        scene.notes["network"] = "not reached"
        return [broken("dns", "not tried", told), *_not_reached(STEPS[1:])]
    key = await _let_in_by(scene)
    results: list[Result] = []
    async with aclosing(probe(live, key)) as steps:
        async for step in steps:
            figure = f"{step.took_ms:.0f} ms"
            if step.failure is not None:
                advice = step.failure.message
                results.append(broken(step.name, f"failed after {figure}", advice))
                if step.name != "websocket":
                    # What a server refuses, the session tells better.
                    scene.notes["network"] = "not reached"
                return [*results, *_not_reached(STEPS[len(results) :])]
            if step.ipv6_lost:
                told = f"{figure}, {step.what}; IPv6 is announced but leads nowhere"
                results.append(hint(step.name, told, IPV6_LOST, None, ms=step.took_ms))
                continue
            slow = step.took_ms > SLOW_MS[step.name]
            results.append(
                judged(
                    step.name,
                    Verdict.HINT if slow else Verdict.FINE,
                    f"{figure}, {step.what}",
                    "slow: a weak Wi-Fi, a busy router or a far name server",
                    None,
                    ms=step.took_ms,
                )
            )
    nothing = "there is no key" if live.token_url is None else "there is no token"
    why = "through a proxy" if goal_of(live).via_proxy else nothing
    return [*results, *(skipped(name, why) for name in STEPS[len(results) :])]


async def _let_in_by(scene: Scene) -> str | None:
    """Return the key or a token; None where there is none, which another check tells."""
    try:
        lent = tokens_of(scene)
        if lent is None:
            return key_in(scene).secret
        async with asyncio.timeout(scene.config.live.connect_timeout_s):
            token = await lent.get(scene.config.live.model, resuming=False)
    except (CredentialError, LinkError, TimeoutError, OSError, ValueError):
        return None
    # Nobody says whether what is done with it now counts as a use: the talk gets another.
    lent.took(resuming=False)
    return token.name


def _not_reached(names: tuple[str, ...]) -> list[Result]:
    return [skipped(name, "not reached") for name in names]


@dataclass(slots=True)
class _Talk:
    """What came of the sentence."""

    settle: Callable[[], None]
    opened: SessionOpened | None = None
    first_sound: float = 0.0
    sound_bytes: int = 0
    words: str = ""
    failure: Failure | None = None
    complete: bool = False
    ended: bool = False
    tokens: dict[str, int] = field(default_factory=dict)

    def take(self, news: News) -> None:
        match news:
            case SessionOpened():
                self.opened = news
            case ReplyAudio(pcm=pcm):
                self.first_sound = self.first_sound or time.monotonic()
                self.sound_bytes += len(pcm)
            case Transcript(who="model", text=text, final=True):
                self.words = text
            case TurnComplete():
                self.complete = True
            case Usage(tokens=tokens):
                self.tokens = dict(tokens)
            case SessionFailed(failure=failure):
                self.failure, self.ended = failure, True
            case SessionClosed():
                self.ended = True
        if self.ended or (self.complete and self.tokens):
            self.settle()


async def talk(scene: Scene) -> list[Result]:
    """Say one sentence to the model in writing, and hear its answer; costs a fraction of a cent."""
    if scene.offline:
        return [skipped("model", OFFLINE)]
    if "network" in scene.notes:
        return [skipped("model", scene.notes["network"])]
    try:
        lent = tokens_of(scene)
        key = key_in(scene).secret if lent is None else ""
    except CredentialError as error:
        return [skipped("model", "no key to try it with", str(error))]
    await warm_up()
    over = asyncio.Event()
    heard = _Talk(over.set)
    live = scene.config.live
    session = LiveSession(
        live, key, number=1, post=heard.take, past=Past(), lost_after_s=0.0, tokens=lent
    )
    running = asyncio.create_task(session.run())
    began = time.monotonic()
    session.send_text(SENTENCE)
    try:
        async with asyncio.timeout(ANSWER_S):
            await over.wait()
    except TimeoutError:
        pass
    finally:
        await session.close("checked")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return [_judge(heard, live.model, began)]


def _judge(heard: _Talk, model: str, began: float) -> Result:
    if heard.failure is not None:
        return broken(
            "model", str(heard.failure.kind), heard.failure.message, kind=heard.failure.kind
        )
    if heard.opened is None or not heard.first_sound:
        what = "no session" if heard.opened is None else "no answer"
        advice = "the server is silent: try again in a few minutes, or another live.model"
        return broken("model", f"{what} within {ANSWER_S:.0f} s", advice)
    answers_after_ms = (heard.first_sound - began) * 1000 - heard.opened.latency_ms
    total = heard.tokens.get("total", 0)
    cents = total * DEAREST_DOLLARS * 100
    figures = {
        "model": heard.opened.model,
        "open_ms": round(heard.opened.latency_ms),
        "first_sound_ms": round(answers_after_ms),
        "sound_s": round(heard.sound_bytes / 48_000, 1),
        "tokens": heard.tokens,
        "cents_at_most": round(cents, 3),
    }
    cost = f"{total} tokens, at most {cents:.2f} cents" if total else "tokens not told"
    figure = (
        f"{figures['model']}: session open in {figures['open_ms']} ms, answered "
        f"'{heard.words.strip()[:40]}' after {figures['first_sound_ms']} ms ({cost})"
    )
    if heard.opened.model != model:
        advice = f"{model} is gone: set live.model to {heard.opened.model}"
        return hint("model", figure, advice, None, **figures)
    slow = answers_after_ms > SLOW_ANSWER_MS
    verdict = Verdict.HINT if slow else Verdict.FINE
    advice = "slow: live.thinking_level: minimal is the fastest"
    return judged("model", verdict, figure, advice, None, **figures)
