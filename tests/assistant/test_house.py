"""The speaker lives with MCP servers, real ones: they come, go, and are asked before a yes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from device import news as n
from device.assistant.house import House
from device.config import parse
from device.news import Transcript
from tests.rig.fakes import Hub, until
from tests.rig.mcp_server import McpHouse, home_assistant

TOKEN = "a-long-lived-token"


def configured(home: McpHouse, more: str = "") -> str:
    return f"tools: {{mcp: [{{name: home, url: '{home.url}', credential: home{more}}}]}}"


def speaker(config: str, **secrets: str) -> Hub:
    hub = Hub(config)
    hub.secrets = secrets or {"home": TOKEN}
    return hub


async def ready(hub: Hub) -> None:
    await until(lambda: [each.state for each in hub.assistant.house.standings] == ["ready"])


async def asked(hub: Hub) -> None:
    """The user has said something, and the model thinks."""
    await hub.wake()
    hub.detector.speech(speaking=True)
    hub.detector.speech(speaking=False)
    assert hub.state == "thinking"


def asks_aloud(hub: Hub) -> None:
    """The model's question comes."""
    hub.assistant.post(n.ReplyAudio(hub.session.number, 1, bytes(960), 1.0))


def says(hub: Hub, text: str) -> None:
    hub.assistant.post(Transcript(hub.session.number, 1, "user", text, False, 1.0))


async def called(hub: Hub, function: str, /, **arguments: Any) -> Mapping[str, Any]:
    assert hub.functions is not None
    return await hub.functions.run(function, arguments)


async def test_a_house_is_connected_beside_everything_else_and_does_what_it_is_told() -> None:
    """Its functions are declared beside ours, and told of in the status and by an event."""
    with home_assistant(TOKEN) as home:
        hub = speaker(configured(home))
        async with hub.running():
            await ready(hub)
            await asked(hub)
            assert hub.functions is not None
            names = {each.name for each in hub.functions.declared}
            assert {"set_volume", "home_HassTurnOff"} < names
            assert "home_" in " ".join(hub.functions.abilities)
            assert "kitchen" in hub.functions.facts.casefold(), "the prompt that names rooms"
            answer = await called(hub, "home_HassTurnOff", name="kitchen")
            assert "error" not in answer
            assert home.lights["kitchen"] == "off"
            (status,) = hub.assistant.house.as_list()
            assert (status["name"], status["state"]) == ("home", "ready")
            assert hub.told("mcp_server", what="ready")
            assert TOKEN not in repr((status, hub.events))


async def test_a_server_that_is_gone_is_told_of_and_its_functions_are_withdrawn() -> None:
    """A talk that knows them still gets words; back, it works again by itself."""
    with home_assistant(TOKEN) as home:
        hub = speaker(configured(home))
        async with hub.running():
            await ready(hub)
            await asked(hub)
            home.stop()
            answer = await called(hub, "home_HassTurnOff", name="kitchen")
            assert "Nothing was done; tell the user" in answer["error"]
            assert hub.functions is not None
            await until(lambda: hub.told("mcp_server", what="gone"))
            assert not any(each.name.startswith("home_") for each in hub.functions.declared)
            assert "home cannot be reached now" in hub.functions.facts
            home.start()
            await until(lambda: len(hub.told("mcp_server", what="ready")) == 2)
            assert "error" not in await called(hub, "home_HassTurnOff", name="kitchen")


async def test_what_the_owner_wants_confirmed_waits_for_a_yes_of_the_user() -> None:
    """In the same talk; the model's word for it is not enough."""
    with home_assistant(TOKEN) as home:
        hub = speaker(configured(home, ", confirm: ['HassTurnO*']"))
        async with hub.running():
            await ready(hub)
            await asked(hub)
            assert "was NOT done" in (await called(hub, "home_HassTurnOff", name="hall"))["error"]
            says(hub, "okay, turn off the hall")
            asks_aloud(hub)
            says(hub, "What?")
            assert "no clear yes" in (await called(hub, "home_HassTurnOff", name="hall"))["error"]
            assert home.lights["hall"] == "on"
            asks_aloud(hub)
            says(hub, " Yes,")
            says(hub, " please")
            assert "error" not in await called(hub, "home_HassTurnOff", name="hall")
            assert home.lights["hall"] == "off"


async def test_a_yes_ends_with_its_talk() -> None:
    """Whoever talks next is asked anew; a typed yes counts as a spoken one."""
    with home_assistant(TOKEN) as home:
        hub = speaker(configured(home, ", confirm: ['HassTurnO*']"))
        async with hub.running():
            await ready(hub)
            await asked(hub)
            await called(hub, "home_HassTurnOff", name="hall")
            asks_aloud(hub)
            says(hub, "Yes")
            hub.assistant.post(n.Stop())
            assert hub.state == "idle"
            await hub.hear(200)
            await asked(hub)
            assert "was NOT done" in (await called(hub, "home_HassTurnOff", name="hall"))["error"]
            hub.assistant.post(n.Ask("yes"))
            assert "error" not in await called(hub, "home_HassTurnOff", name="hall")


async def test_without_its_credential_a_server_is_not_asked_and_says_why() -> None:
    """Everything else works."""
    with home_assistant(TOKEN) as home:
        hub = Hub(configured(home))
        async with hub.running():
            await until(lambda: hub.told("mcp_server", what="gone"))
            (standing,) = hub.assistant.house.standings
            assert "its credential is missing: no credential 'home' found" in (standing.why or "")
            assert standing.fault == "credential"
            assert home.calls == []


async def test_a_changed_configuration_is_taken_over_while_it_runs() -> None:
    """One comes, another lives on, and one that is not wanted any more ends; in a talk, too."""
    with home_assistant(TOKEN) as home, home_assistant(TOKEN) as other:
        hub = speaker("")
        house = hub.assistant.house

        def states() -> dict[str, str]:
            return {each.name: each.state.value for each in house.standings}

        def reload(*urls: str) -> None:
            names = ("home", "other")
            listed = [
                f"{{name: {name}, url: '{url}', credential: home}}"
                for name, url in zip(names, urls, strict=False)
            ]
            config = parse(f"tools: {{mcp: [{', '.join(listed)}]}}", "test.yaml")
            hub.assistant.settings.replace(config)
            house.replace()

        async with hub.running():
            assert house.standings == []
            reload(home.url)
            await ready(hub)
            await asked(hub)
            reload(home.url, other.url)
            assert "error" not in await called(hub, "home_HassTurnOff", name="hall")
            await until(lambda: states() == {"home": "ready", "other": "ready"})
            assert len(hub.told("mcp_server", what="gone")) == 0
            assert house.remembered("other_HassTurnOff") is not None
            reload(home.url)
            await until(lambda: states() == {"home": "ready"})
            answer = await called(hub, "other_HassTurnOff", name="hall")
            assert "not in the configuration any more" in answer["error"]
            assert other.lights["hall"] == "on"
            reload()
            await until(lambda: states() == {})
            assert (house.tools, house.facts_of({"home", "other"})) == ([], "")


async def test_by_hand_it_is_called_without_a_talk_and_without_a_question() -> None:
    """A model cannot while nobody talks."""
    with home_assistant(TOKEN) as home:
        hub = speaker(configured(home, ", confirm: ['*']"))
        async with hub.running():
            await ready(hub)
            functions = hub.assistant.functions
            refused = await functions.run("home_HassTurnOff", {"name": "hall"})
            assert "nobody is talking" in refused["error"]
            done = await functions.run_by_hand("home_HassTurnOff", {"name": "hall"})
            assert "error" not in done
            assert home.lights["hall"] == "off"


async def test_what_is_not_declared_any_more_is_still_asked_about_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another server's tools may have taken its place under the cap, while the talk goes on."""
    with home_assistant(TOKEN) as home:
        hub = speaker(configured(home, ", confirm: ['*']"))
        async with hub.running():
            await ready(hub)
            await asked(hub)
            monkeypatch.setattr(House, "tools", ())
            assert "was NOT done" in (await called(hub, "home_HassTurnOff", name="hall"))["error"]
            assert home.lights["hall"] == "on"
            asks_aloud(hub)
            says(hub, "Yes.")
            assert "error" not in await called(hub, "home_HassTurnOff", name="hall")
