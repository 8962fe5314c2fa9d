"""The command `tools` of the control socket, given to a hub of fakes and a real MCP server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from device.assistant.house import House
from device.control.commands import LASTING
from device.control.tools import LONGEST_WHY, answer
from device.errors import ControlError
from device.mcp.server import State
from tests.control.test_commands import Desk
from tests.rig.fakes import Hub, until
from tests.rig.mcp_server import McpHouse, home_assistant

OWN = {"set_volume": "device", "get_time": "device", "set_timer": "timers"}


@pytest.fixture(scope="module")
def home() -> Iterator[McpHouse]:
    with home_assistant() as house:
        yield house


@asynccontextmanager
async def at(house: McpHouse, more: str = "") -> AsyncIterator[Desk]:
    """A desk whose speaker has that server, ready."""
    hub = Hub(f"tools: {{mcp: [{{name: home, url: '{house.url}'{more}}}]}}")
    async with hub.running():
        await until(lambda: hub.assistant.house.tools)
        yield Desk(hub)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    hub = Hub()
    async with hub.running():
        yield Desk(hub)


async def test_every_function_is_listed_with_where_it_comes_from(desk: Desk) -> None:
    """Those of the speaker itself, where no server is configured."""
    told = await desk.result("tools")
    assert json.loads(json.dumps(told)) == told
    assert told["servers"] == []
    found = {each["name"]: each for each in told["functions"]}
    assert {name: found[name]["from"] for name in OWN} == OWN
    for each in found.values():
        assert set(each) == {"name", "from", "purpose", "tokens", "confirm"}
        assert each["purpose"]
        assert 10 < each["tokens"] < 400
        assert not each["confirm"]
    assert found.keys() == {each.name for each in desk.hub.assistant.functions.declared}


async def test_what_is_switched_off_is_not_there() -> None:
    """The list is what would be declared now."""
    hub = Hub("tools: {timers: false, device: false}")
    async with hub.running():
        told = await Desk(hub).result("tools")
        assert told == {"functions": [], "servers": [], "facts_tokens": 0}


async def test_the_functions_of_a_server_are_listed_with_what_they_cost(home: McpHouse) -> None:
    """By one estimate: the sum is what the server is said to cost; who asks first says so."""
    async with at(home, ", confirm: [HassUnlock], only: ['Hass*']") as desk:
        told = json.loads(json.dumps(await desk.result("tools")))
        (server,) = told["servers"]
        theirs = {each["name"]: each for each in told["functions"] if each["from"] == "home"}
        assert (server["name"], server["state"], server["tools"]) == ("home", "ready", len(theirs))
        assert server["tokens"] == sum(each["tokens"] for each in theirs.values())
        assert [name for name, each in theirs.items() if each["confirm"]] == ["home_HassUnlock"]
        assert theirs["home_HassTurnOff"]["purpose"] == "Turns off/closes a device or entity."
        assert server["version"] == "home-assistant 2026.11.0"


async def test_one_estimate_counts_for_all(home: McpHouse) -> None:
    """A tool of a server would cost the same if it were a function of ours."""
    async with at(home) as desk:
        told = (await desk.result("tools"))["functions"]
        theirs = {each["name"]: each["tokens"] for each in told}
        functions = desk.hub.assistant.functions
        as_ours = await answer(functions, cast("House", _NoTools()), {})
        assert {each["name"]: each["tokens"] for each in as_ours["functions"]} == theirs
        assert "home_HassTurnOff" in theirs


class _NoTools:
    """A house that knows nothing of what its tools cost."""

    tools: tuple[()] = ()

    def as_list(self) -> list[dict[str, Any]]:
        return []


async def test_a_function_is_called_by_hand_in_no_talk(desk: Desk) -> None:
    """What is wrong with the call is an answer, as the model would get it."""
    told = await desk.result("tools", call="set_volume", arguments={"percent": 35})
    assert told == {"answer": {"output": {"volume_percent": 35, "before": 60}}}
    assert desk.hub.speaker.volumes == [35]
    wrong = await desk.result("tools", call="set_volume", arguments={"percent": 300})
    assert "less than or equal to 100" in wrong["answer"]["error"]
    time = await desk.result("tools", call="get_time", arguments=None)
    assert "output" in time["answer"]
    assert desk.hub.state == "idle"
    assert desk.hub.sessions == []


async def test_a_light_is_switched_by_hand_and_nobody_is_asked_first(home: McpHouse) -> None:
    """Though its owner wants to be asked where the model calls it."""
    async with at(home, ", confirm: ['HassTurn*']") as desk:
        told = await desk.result("tools", call="home_HassTurnOff", arguments={"name": "Hall Light"})
        assert "action_done" in told["answer"]["output"]["result"]
        assert home.lights["hall"] == "off"
        failed = await desk.result("tools", call="home_fail")
        assert "the kitchen has no lamp" in failed["answer"]["error"]


async def test_whoever_hangs_up_wants_the_call_no_more() -> None:
    """The server is told; the speaker goes on."""
    with McpHouse("http", "--handshake") as house:
        async with at(house) as desk:
            call = asyncio.create_task(
                desk.result("tools", call="home_slow", arguments={"seconds": 60})
            )
            await asyncio.to_thread(house.wait, lambda now: now["calls"])
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.to_thread(house.wait, lambda now: now["cancelled"] == ["slow"])
            assert "output" in (await desk.result("tools", call="get_time"))["answer"]


async def test_a_server_that_has_gone_says_why() -> None:
    """Both for a function it had and for one that nobody has ever seen."""
    with home_assistant() as house:
        async with at(house) as desk:
            house.stop()
            (first,) = (await desk.result("tools", call="home_HassTurnOn", arguments={})).values()
            assert "nothing listens there" in first["error"] or "broke" in first["error"]
            hub = desk.hub.assistant
            await until(lambda: hub.house.standings[0].state is State.GONE)
            told = await desk.result("tools", call="home_HassTurnOn")
            assert "nothing listens there: start the server" in told["answer"]["error"]
            with pytest.raises(ControlError) as caught:
                await desk.result("tools", call="home_Other")
            message = str(caught.value)
            assert message.startswith(
                "there is no function 'home_Other' now, since home is not ready: home (http"
            )
            assert len(message) < LONGEST_WHY + 100


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"call": "set_volum"}, "there is no function 'set_volum'; did you mean set_volume"),
        ({"call": "set_timr"}, "there is no function 'set_timr'; did you mean set_timer or "),
        ({"call": "sing"}, "there is no function 'sing'; to see all there are: parley tools"),
        ({"call": "x" * 900}, "there is no function 'x{63}…'; to see all"),
        ({"call": "a\x1b\n"}, "there is no function 'a� '; to see all"),
        ({"call": None}, "call is None: say the name of a function"),
        ({"call": ["set_volume"]}, r"call is \['set_volume'\]: say the name of a function"),
        ({"call": " "}, "call is ' ': say the name of a function"),
        (
            {"call": "set_volume", "arguments": [40]},
            r"the arguments of set_volume are \[40\]: give",
        ),
        ({"call": "set_volume", "arguments": "40"}, "the arguments of set_volume are '40': give a"),
        (
            {"call": "set_timer", "arguments": {"name": "\ud800"}},
            "the arguments of set_timer cannot be sent as JSON: give a JSON object, such as",
        ),
        (
            {"call": "set_timer", "arguments": {"duration_s": float("nan")}},
            "the arguments of set_timer cannot be sent as JSON",
        ),
    ],
)
async def test_what_cannot_be_called_is_refused_with_what_to_do(
    desk: Desk, request_: dict[str, Any], message: str
) -> None:
    """It names the thing and its value."""
    with pytest.raises(ControlError, match=f"^{message}"):
        await desk.result("tools", **request_)


def test_a_slow_function_takes_no_place_from_what_is_over_at_once() -> None:
    """It is one of the commands that last."""
    assert "tools" in LASTING
