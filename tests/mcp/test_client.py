"""A connection to a server that speaks the protocol oddly, and what is noted of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

import pytest

from device.mcp.client import MOST_LISTED, MOST_PAGES, Notes
from device.mcp.failures import Failure, Fault
from device.mcp.server import State
from device.mcp.streams import Watching
from device.mcp.wanted import Wanted
from tests.mcp.conftest import TOKEN
from tests.rig.mcp_living import Message, http_answer, living, scripted
from tests.rig.mcp_server import McpHouse, home_assistant

INFO = {"name": "scripted", "version": "1"}
CAPABLE: dict[str, Any] = {"tools": {}, "prompts": {}}


def initialized(**more: Any) -> Message:
    told = {"protocolVersion": "2025-06-18", "capabilities": CAPABLE, "serverInfo": INFO}
    return {"result": told | more}


def error(code: int, message: str) -> Message:
    return {"error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    ("method", "answer", "words"),
    [
        (
            "initialize",
            initialized(protocolVersion="1999-01-01"),
            "no version of MCP that is known",
        ),
        ("initialize", error(-32000, "come back later"), "with an error: come back later"),
        ("initialize", {"result": {"hello": 1}}, "another shape than the protocol's"),
        ("initialize", {"result": 7}, "is no MCP server"),
        ("initialize", {}, "is no MCP server"),
        ("tools/list", {"result": {"tools": [{"name": 7}]}}, "another shape than the protocol's"),
        ("tools/list", error(-32603, "the database is gone"), "the database is gone"),
        (
            "server/discover",
            {
                "error": {
                    "code": -32022,
                    "message": "no",
                    "data": {"supported": ["2999-01-01"], "requested": "x"},
                }
            },
            "no version of MCP that is known",
        ),
    ],
)
async def test_a_server_that_speaks_oddly_is_told(method: str, answer: Message, words: str) -> None:
    """In words that say what of it is odd."""
    async with (
        scripted(lambda message: answer if message["method"] == method else None) as url,
        living(Wanted("home", url=url)) as home,
    ):
        assert words in str((await home.until_gone()).why)


async def test_a_server_without_tools_is_ready_with_none() -> None:
    """It is not asked for them; what it says of itself counts."""

    def respond(message: Message) -> Message | None:
        assert message["method"] != "tools/list"
        if message["method"] == "initialize":
            return initialized(capabilities={}, instructions="Only words.")
        return None

    async with scripted(respond) as url, living(Wanted("home", url=url)) as home:
        await home.until_ready()
        assert home.names == []
        assert home.servers.instructions == "home:\nOnly words."


async def test_pages_without_end_come_to_one() -> None:
    """And so many tools as nobody has."""
    asked = 0

    def respond(message: Message) -> Message | None:
        nonlocal asked
        if message["method"] != "tools/list":
            return None
        asked += 1
        tool = {"name": f"t{asked}", "inputSchema": {"type": "object"}}
        return {"result": {"tools": [tool], "nextCursor": "more"}}

    async with scripted(respond) as url, living(Wanted("home", url=url)) as home:
        await home.until_ready()
        assert asked == MOST_PAGES
        assert len(home.names) == MOST_PAGES


async def test_more_tools_than_anybody_has_are_not_looked_at() -> None:
    """They would be described one by one."""
    tools = [{"name": f"t{n}", "inputSchema": {"type": "object"}} for n in range(1_500)]

    def respond(message: Message) -> Message | None:
        listed = message["method"] == "tools/list"
        return {"result": {"tools": tools}} if listed else None

    async with scripted(respond) as url, living(Wanted("home", url=url)) as home:
        await home.until_ready()
        assert len(home.names) + len(home.standing().left_out) == MOST_LISTED


async def test_home_assistants_prompt_is_taken_and_nobody_elses() -> None:
    """Nor one that wants arguments; other servers' prompts are for other people."""
    prompts = [
        {"name": "Assist"},
        {"name": "letter", "arguments": [{"name": "to", "required": True}]},
    ]
    name = "home-assistant"

    def respond(message: Message) -> Message | None:
        match message["method"]:
            case "initialize":
                return initialized(serverInfo={"name": name, "version": "1"}, instructions="I am.")
            case "prompts/list":
                return {"result": {"prompts": prompts}}
            case "prompts/get":
                assert message["params"]["name"] == "Assist"
                content = [
                    {"type": "text", "text": "Lamps: one."},
                    {"type": "image", "data": "", "mimeType": "image/png"},
                ]
                messages = [{"role": "assistant", "content": each} for each in content]
                return {"result": {"messages": messages}}
        return None

    async with scripted(respond) as url:
        async with living(Wanted("home", url=url)) as home:
            await home.until_ready()
            assert home.servers.instructions == "home:\nI am.\nLamps: one."
        name = "another"
        async with living(Wanted("home", url=url)) as home:
            await home.until_ready()
            assert home.servers.instructions == "home:\nI am."


@pytest.mark.parametrize(
    ("answer", "state"),
    [(error(-32601, "no prompts"), State.READY), ({"result": {"prompts": 7}}, State.GONE)],
)
async def test_a_prompt_that_is_refused_takes_no_tools_away(answer: Message, state: State) -> None:
    """But what is no answer of the protocol is no server of it."""

    def respond(message: Message) -> Message | None:
        if message["method"] == "initialize":
            return initialized(serverInfo={"name": "home-assistant", "version": "1"})
        return answer if message["method"] == "prompts/list" else None

    async with scripted(respond) as url, living(Wanted("home", url=url)) as home:
        await home.until(lambda _: home.standing().state is not State.CONNECTING)
        assert home.standing().state is state


REFUSAL = '{"jsonrpc": "2.0", "id": null, "error": {"code": -32602, "message": "no such lamp"}}'


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http_answer("400 Bad Request", "application/json", REFUSAL), "no such lamp"),
        (http_answer("429 Slow Down", body="x" * 99_000), "HTTP status 429 (xxx"),
        (http_answer("403 Forbidden"), "does not allow this with that token (403)"),
        (http_answer("202 Accepted"), "server answered a request with 202 Accepted"),
        ({"result": {"content": [{"type": "text", "text": 7}]}}, "another shape"),
        ({"result": []}, "what it sends is no message of the protocol"),
        (error(-32000, ""), "it refused the call (-32000)"),
        (error(-32000, "hunter22 \x1b[2J"), "[secret] \ufffd[2J"),
        ({"result": {"content": [{"type": "smell"}]}}, "another shape"),
    ],
)
async def test_answers_to_a_call_that_are_odd(answer: Message | bytes, words: str) -> None:
    """The model is told, in words; the server stays."""
    tool = {"name": "f", "inputSchema": {"type": "object"}}

    def respond(message: Message) -> Message | bytes | None:
        if message["method"] == "tools/list":
            return {"result": {"tools": [tool]}}
        return answer if message["method"] == "tools/call" else None

    async with (
        scripted(respond) as url,
        living(Wanted("home", url=url, secret="hunter22")) as home,
    ):
        await home.until_ready()
        made = await home.servers.call("home_f", {"a": None, "b": [1, {"c": "d"}]})
        assert words in made["error"]
        assert home.standing().state is State.READY


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"], ids=["plain", "stream"])
async def test_an_answer_that_is_cut_off_is_told(kind: str) -> None:
    """The connection may be over by it; the server is connected to again."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: 999\r\n\r\n"

    def respond(message: Message) -> Message | bytes | None:
        if message["method"] == "tools/list":
            return {"result": {"tools": [{"name": "f", "inputSchema": {"type": "object"}}]}}
        return head.encode() + b'{"jsonrpc"' if message["method"] == "tools/call" else None

    async with scripted(respond) as url, living(Wanted("home", url=url)) as home:
        await home.until_ready()
        made = await home.servers.call("home_f", {})
        assert "the connection broke (" in made["error"]
        assert "Whether it was done is not known" in made["error"]
        await home.until_ready()
        assert "the connection broke (" in (await home.servers.call("home_f", {}))["error"]


TOOL = {"name": "f", "inputSchema": {"type": "object"}}


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized"])
async def test_a_call_on_its_way_is_not_called_undone_over_another_request(status: str) -> None:
    """Such as a stream of news that is refused by a server that was restarted.

    The call may have been carried out before. So it is not sent again either.
    """
    calls = 0
    arrived = asyncio.Event()

    def respond(message: Message) -> Message | bytes | None:
        nonlocal calls
        match message["method"]:
            case "initialize":
                told = {"jsonrpc": "2.0", "id": message["id"]} | initialized()
                body = json.dumps(told)
                return http_answer("200 OK", "application/json", body, "mcp-session-id: one")
            case "tools/list":
                return {"result": {"tools": [TOOL]}}
            case "tools/call":
                calls += 1
                arrived.set()
                return b""
        return None

    async def news() -> bytes:
        await arrived.wait()
        return http_answer(status)

    async with scripted(respond, news) as url, living(Wanted("home", url=url)) as home:
        await home.until_ready()
        made = await home.servers.call("home_f", {})
    assert "Whether it was done is not known" in made["error"]
    assert calls == 1


async def test_a_failure_of_the_past_is_not_told_of_a_later_call() -> None:
    """Nor that nothing was done, which was true of the first."""
    answers: list[Message | bytes] = [
        http_answer("403 Forbidden"),
        {"result": {"content": [{"type": "smell"}]}},
    ]

    def respond(message: Message) -> Message | bytes | None:
        if message["method"] == "tools/list":
            return {"result": {"tools": [TOOL]}}
        return answers.pop(0) if message["method"] == "tools/call" else None

    async with scripted(respond) as url, living(Wanted("home", url=url)) as home:
        await home.until_ready()
        first = await home.servers.call("home_f", {})
        assert "(403)" in first["error"]
        assert "Nothing was done" in first["error"]
        second = await home.servers.call("home_f", {})
        assert "another shape" in second["error"]
        assert "Whether it was done is not known" in second["error"]


async def test_a_tool_that_asks_back_is_refused_in_words() -> None:
    """Nobody can fill in a form by voice."""
    with McpHouse("http", token=TOKEN) as house:
        async with living(Wanted("home", url=house.url, secret=TOKEN)) as home:
            await home.until_ready()
            made = await home.servers.call("home_ask", {})
            assert made == {"error": "it asks back for something that a speaker cannot give"}


async def test_a_server_that_is_broken_for_a_moment_stays() -> None:
    """The call says so, and the next one is answered."""
    with home_assistant(TOKEN) as house:
        async with living(Wanted("home", url=house.url, secret=TOKEN)) as home:
            await home.until_ready()
            house.do(fault="500")
            made = await home.servers.call("home_empty", {})
            assert "HTTP status 500" in made["error"]
            assert "Whether it was done is not known" in made["error"]
            house.do(fault="")
            assert await home.servers.call("home_empty", {}) == {"output": {"status": "done"}}


async def test_home_assistants_own_limit_is_told_as_its_error() -> None:
    """It gives up a call after a minute (here: at once) with status 500."""
    with home_assistant(TOKEN, "--limit", "0.5") as house:
        async with living(Wanted("home", url=house.url, secret=TOKEN)) as home:
            await home.until_ready()
            made = await home.servers.call("home_slow", {"seconds": 60})
            assert "HTTP status 500" in made["error"]
            assert home.standing().state is State.READY


async def test_a_token_that_is_revoked_takes_its_server_away() -> None:
    """At the next request; it is not sent again in haste."""
    with home_assistant(TOKEN) as house:
        async with living(Wanted("home", url=house.url, secret=TOKEN)) as home:
            await home.until_ready()
            house.do(revoked=True)
            made = await home.servers.call("home_empty", {})
            assert "it refuses the token (401)" in made["error"]
            assert "Nothing was done" in made["error"]
            await home.until_gone()
            for _ in range(5):
                assert "refuses the token" in (await home.servers.call("home_empty", {}))["error"]
            assert house.state["refused"] == 1


async def test_a_wrong_path_of_home_assistant_says_which_is_right() -> None:
    """With its own words."""
    with home_assistant(TOKEN, path="/api/mcp/asist") as house:
        async with living(Wanted("home", url=house.url, secret=TOKEN)) as home:
            why = str((await home.until_gone()).why)
    assert "(404: Unknown LLM API 'asist')" in why
    assert "its path is /api/mcp" in why


async def test_the_path_for_assist_alone_is_as_good() -> None:
    """It is open to users that are no administrators."""
    with home_assistant(TOKEN, path="/api/mcp/assist") as house:
        async with living(Wanted("home", url=house.url, secret=TOKEN)) as home:
            await home.until_ready()
            assert "home_HassTurnOff" in home.names


def test_the_first_end_of_a_connection_is_what_is_told() -> None:
    """What follows from it says less."""
    notes = Notes()
    notes.fail(Failure(Fault.TLS), ends=False)
    ends = [notes.lost]
    notes.end()
    assert [*ends, notes.lost] == [False, True]
    assert notes.failure == Failure(Fault.TLS)
    empty = Notes()
    empty.end()
    assert empty.failure == Failure(Fault.LOST)


class Ending:
    """A stream that ends at once."""

    last_context = "context"

    async def receive(self) -> Any:
        raise EOFError

    async def aclose(self) -> None:
        return None

    def __aiter__(self) -> Ending:
        return self

    async def __anext__(self) -> Any:
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_the_end_of_a_stream_is_told_however_it_is_read() -> None:
    """The library iterates; its interface promises both."""
    told: list[str] = []
    stream = Watching(Ending(), lambda: told.append("ended"))
    assert stream.last_context == "context"
    async with stream:
        assert [each async for each in stream] == []
        assert told == ["ended"]
        with pytest.raises(EOFError):
            await stream.receive()
    await stream.aclose()
    assert told == ["ended", "ended"]
