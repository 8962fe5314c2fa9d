"""A session as each persona, against the stand-in over TLS: what would not work is told before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device.doctor import personas as checks
from device.doctor.result import Verdict
from device.doctor.scene import Scene
from device.simulator.refusals import Refusal
from device.simulator.script import Script
from tests.rig.scene import by_name, machine, only
from tests.rig.server import ServerThread

KEY = "AIzaTheKeyOfThisTestIsNobodysBusiness01"
TWO = "{puck: {voice: Puck, model: gemini-3.8-live}, eve: {language: de-DE}, plain: {tools: []}}"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def served(
    root: Path, script: Script | None = None, personas: str = TWO
) -> Iterator[tuple[Scene, ServerThread]]:
    """A machine that is to talk to this server."""
    with pytest.MonkeyPatch.context() as patch, ServerThread(script) as server:
        patch.setenv("SSL_CERT_FILE", str(server.certificate))
        config = f'live: {{endpoint: "{server.url}"}}\npersonas: {personas}'
        yield machine(root, config=config, environ={"GEMINI_API_KEY": KEY}), server


async def test_each_with_settings_of_its_own_is_tried(tmp_path: Path) -> None:
    """Nothing is said, so nothing is paid; what only may do less is as live."""
    with served(tmp_path) as (scene, server):
        told = by_name(await checks.personas(scene))
        assert [*told] == ["persona puck", "persona eve"]
        assert {each.verdict for each in told.values()} == {Verdict.FINE}
        assert told["persona puck"].figure.startswith("gemini-3.8-live: session open in ")
        models = [each.model for each in server.connections]
        assert models == ["gemini-3.8-live", "gemini-3.1-flash-live-preview"]
        assert [each.texts for each in server.connections] == [[], []]
    assert KEY not in repr(told)


async def test_a_model_that_is_gone_is_told_with_its_key(tmp_path: Path) -> None:
    """Another answers in its place."""
    with served(tmp_path, Script(models=("gemini-3.1-flash-live-preview",))) as (first, _):
        scene = machine(
            tmp_path,
            config=(
                f'live: {{endpoint: "{first.config.live.endpoint}", '
                "fallback_models: [gemini-3.1-flash-live-preview]}\n"
                "personas: {puck: {model: gemini-3.8-live}}"
            ),
            environ=first.environ,
        )
        told = only(await checks.personas(scene))
    assert told.verdict is Verdict.HINT
    wanted = "gemini-3.8-live is gone: set personas.puck.model to gemini-3.1-flash-live-preview"
    assert told.advice == wanted


async def test_what_a_model_refuses_is_a_hint(tmp_path: Path) -> None:
    """A voice that there is not, most likely: its talks go on without."""
    refusing = Script(refusals=(Refusal(field="voice"),))
    with served(tmp_path, refusing, "{puck: {voice: Pock}, eve: {language: de-DE}}") as (scene, _):
        told = by_name(await checks.personas(scene))
    assert told["persona puck"].verdict is Verdict.HINT
    assert "look at voice, language and thinking_level of personas.puck" in (
        told["persona puck"].advice or ""
    )
    assert told["persona eve"].verdict is Verdict.FINE


async def test_a_key_that_is_refused_is_broken(tmp_path: Path) -> None:
    """In the words of a talk; the key is not in them."""
    only_others = Script(api_keys=("another",))
    with served(tmp_path, only_others, "{puck: {voice: Puck}}") as (scene, _):
        told = only(await checks.personas(scene))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, "key")
    assert KEY not in repr(told)


async def test_where_there_is_nothing_to_try_it_says_so(tmp_path: Path) -> None:
    """No persona, no way, no key."""
    none = machine(tmp_path, environ={"GEMINI_API_KEY": KEY})
    assert only(await checks.personas(none)).verdict is Verdict.SKIPPED
    own = "personas: {puck: {voice: Puck}}"
    offline = machine(tmp_path, config=own, environ={"GEMINI_API_KEY": KEY}, offline=True)
    assert only(await checks.personas(offline)).figure == "left out: --offline"
    unreached = machine(tmp_path, config=own, environ={"GEMINI_API_KEY": KEY})
    unreached.notes["network"] = "not reached"
    assert only(await checks.personas(unreached)).figure == "not reached"
    keyless = machine(tmp_path, config=own, environ={"HOME": "/"})
    assert only(await checks.personas(keyless)).figure == "no key to try it with"
