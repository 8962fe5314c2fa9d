"""A house behind an MCP server, as a process of its own: ``python -m tests.rig.mcp_house``.

Written with the `mcp` package and nothing of ours. By `--way` it is one of

- ``ha``: as Home Assistant's own server is read (components/mcp_server/http.py): POST only, plain
  JSON, no session, no handshake needed, unknown methods -32601, 401, 404, 60 s;
- ``http``: Streamable HTTP with sessions, news and SSE (``--handshake``: as before 2026);
- ``sse``: the older transport, at ``/mcp_server/sse``;
- ``stdio``: over standard input and output.

It prints ``READY PORT`` when it listens. ``GET /rig/state`` tells what became of it, ``POST
/rig/do`` makes it do something; over stdio the state is written to ``--state`` after each call.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any
]

AREAS = {"kitchen": "Kitchen", "hall": "Hall", "bedroom": "Bedroom"}
LIMIT_S = 60.0
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(2_000)).decode()
NAME_OR_AREA = {
    "name": {"type": "string"},
    "area": {"type": "string"},
    "floor": {"type": "string"},
    "domain": {"type": "array", "items": {"type": "string"}},
    "device_class": {"type": "array", "items": {"type": "string", "enum": ["outlet", "switch"]}},
}


def schema(properties: dict[str, Any] | None = None, *required: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties or {}}
    return made | ({"required": list(required)} if required else {})


TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "HassTurnOn": ("Turns on/opens/presses a device or entity.", schema(NAME_OR_AREA)),
    "HassTurnOff": ("Turns off/closes a device or entity.", schema(NAME_OR_AREA)),
    "HassLightSet": (
        "Sets the brightness percentage or color of a light",
        schema(
            NAME_OR_AREA
            | {
                "color": {"type": "string"},
                "temperature": {"type": "integer", "minimum": 0},
                "brightness": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 100,
                    "description": "The brightness percentage of the light between 0 and 100",
                },
            }
        ),
    ),
    "HassListAddItem": (
        "Add item to a todo list",
        schema({"item": {"type": "string"}, "name": {"type": "string"}}, "item", "name"),
    ),
    "HassUnlock": ("Unlocks a lock.", schema(NAME_OR_AREA)),
    "GetLiveContext": ("Provides real-time information about the devices.", schema()),
    "slow": ("Takes its time.", schema({"seconds": {"type": "number"}}, "seconds")),
    "die": ("Ends the server in the middle of the call.", schema()),
    "big": ("Returns much text.", schema({"characters": {"type": "integer"}}, "characters")),
    "values": ("Returns very many values.", schema()),
    "picture": ("Returns a picture and a line.", schema()),
    "sound": ("Returns a sound and nothing else.", schema()),
    "file": ("Returns a file of text and one of bytes.", schema()),
    "fail": ("Fails in its own words.", schema()),
    "refuse": ("Is refused by the protocol.", schema()),
    "empty": ("Returns nothing.", schema()),
    "structured": ("Returns structured content.", schema()),
    "tell_secret": ("Says the token that it was reached with.", schema()),
    "change": ("Offers one more tool from now on.", schema()),
    "ask": ("Asks back.", schema()),
    "broken_promise": ("Returns something else than it promises.", schema()),
}
PROMPT = """Answer questions about the world truthfully.
You can control the devices of this home with the tools.
Static Context: An overview of the areas and the devices in this smart home:
- names: Kitchen Light
  domain: light
  areas: Kitchen
- names: Hall Light
  domain: light
  areas: Hall
- names: Garage Door
  domain: cover
  areas: Garage
- names: Shopping List
  domain: todo"""


class House:
    """Lights, a list, and what was asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.lights = dict.fromkeys(AREAS, "on")
        self.shopping: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.finished: list[str] = []
        self.requests: list[str] = []
        self.refused = 0
        self.extra = options.many
        self.prompt = PROMPT
        self.fault = ""
        self.forgets = False
        self.revoked = False
        self.bus = InMemorySubscriptionBus()
        self.sessions: list[Any] = []

    def state(self) -> dict[str, Any]:
        """What a test may look at."""
        return {
            "lights": self.lights,
            "shopping": self.shopping,
            "calls": self.calls,
            "cancelled": self.cancelled,
            "finished": self.finished,
            "requests": self.requests,
            "refused": self.refused,
            "environment": sorted(os.environ) if self.options.way == "stdio" else [],
            "pid": os.getpid(),
        }

    def keep_state(self) -> None:
        """Write the state where a test finds it, whole."""
        if self.options.state:
            path = Path(self.options.state)
            new = path.with_suffix(".new")
            new.write_text(json.dumps(self.state()))
            new.replace(path)

    async def list_tools(
        self, context: Any, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        if context.session not in self.sessions:
            self.sessions.append(context.session)
        every = [
            types.Tool(
                name=name,
                description=told,
                input_schema=arguments,
                output_schema=schema({"count": {"type": "integer"}}, "count")
                if name == "broken_promise"
                else None,
            )
            for name, (told, arguments) in TOOLS.items()
        ]
        every += [
            types.Tool(name=f"extra_{number}", description="One more.", input_schema=schema())
            for number in range(self.extra)
        ]
        first = int(params.cursor) if params and params.cursor else 0
        after = first + self.options.page
        return types.ListToolsResult(
            tools=every[first:after], next_cursor=str(after) if after < len(every) else None
        )

    async def call_tool(
        self, context: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        name, arguments = params.name, params.arguments or {}
        self.calls.append({"name": name, "arguments": arguments})
        self.keep_state()
        try:
            return await self.do(name, arguments)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        finally:
            self.finished.append(name)
            self.keep_state()

    async def do(
        self, name: str, arguments: dict[str, Any]
    ) -> types.CallToolResult | types.InputRequiredResult:
        match name:
            case "HassTurnOn" | "HassTurnOff":
                return self.turn(arguments, "on" if name == "HassTurnOn" else "off")
            case "HassListAddItem":
                self.shopping.append(arguments["item"])
                return text(json.dumps({"speech": {}, "response_type": "action_done"}))
            case "GetLiveContext":
                lines = [
                    f"- names: {AREAS[room]} Light\n  state: '{state}'"
                    for room, state in self.lights.items()
                ]
                return text(
                    json.dumps({"success": True, "result": "\n".join(["Live Context:", *lines])})
                )
            case "slow":
                await asyncio.sleep(arguments["seconds"])
                return text("after all")
            case "die":
                os._exit(9)
            case "big":
                line = "a line of a long result\n"
                return text(line * (arguments["characters"] // len(line) + 1))
            case "fail":
                return text("Error calling tool: the kitchen has no lamp", is_error=True)
            case "refuse":
                raise MCPError(code=-32602, message="no such area: 'kitchn'")
            case "tell_secret":
                return text(f"the token is {self.options.token or os.environ.get('MCP_TOKEN')}")
            case "change":
                await self.change()
                return text("changed")
            case _ if name.startswith("extra_"):
                return text(name)
            case _ if name in RESULTS:
                return RESULTS[name]
            case _:
                return text(f"Unknown tool: {name}", is_error=True)

    def turn(self, arguments: dict[str, Any], state: str) -> types.CallToolResult:
        asked = f"{arguments.get('name', '')} {arguments.get('area', '')}".lower()
        rooms = [room for room in self.lights if room in asked]
        if not rooms:
            return text("Error calling tool: MatchFailedError: nothing is named so", is_error=True)
        self.lights |= dict.fromkeys(rooms, state)
        success = [{"name": f"{AREAS[room]} Light", "type": "entity"} for room in rooms]
        done = {"speech": {}, "response_type": "action_done", "data": {"success": success}}
        return text(json.dumps(done))

    async def change(self) -> None:
        """Offer one more tool, and say so to whoever listens."""
        self.extra += 1
        await self.bus.publish(ToolsListChanged())
        for session in self.sessions:
            await session.send_tool_list_changed()

    async def list_prompts(self, context: Any, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(
            prompts=[
                types.Prompt(name="Assist", description="Default prompt for Home Assistant Assist")
            ]
        )

    async def get_prompt(
        self, context: Any, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        content = types.TextContent(text=self.prompt)
        return types.GetPromptResult(
            messages=[types.PromptMessage(role="assistant", content=content)]
        )

    def server(self) -> Server[Any]:
        homely = self.options.way in {"ha", "sse"}
        return Server(
            "home-assistant" if homely else "rig",
            version="2026.11.0",
            instructions=None if homely else "A house for tests. Lights are named by their room.",
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
            on_subscriptions_listen=None if homely else ListenHandler(self.bus),
        )


def text(words: str, *, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=words)], is_error=is_error)


RESULTS: dict[str, types.CallToolResult | types.InputRequiredResult] = {
    "values": types.CallToolResult(
        content=[], structured_content={"values": [[] for _ in range(300_000)]}
    ),
    "picture": types.CallToolResult(
        content=[
            types.TextContent(text="The garage is closed."),
            types.ImageContent(data=PNG, mime_type="image/png"),
        ]
    ),
    "sound": types.CallToolResult(content=[types.AudioContent(data=PNG, mime_type="audio/wav")]),
    "file": types.CallToolResult(
        content=[
            types.EmbeddedResource(
                resource=types.TextResourceContents(uri="file:///a", text="notes")
            ),
            types.EmbeddedResource(resource=types.BlobResourceContents(uri="file:///b", blob=PNG)),
        ]
    ),
    "empty": types.CallToolResult(content=[]),
    "ask": types.InputRequiredResult(
        input_requests={
            "room": types.ElicitRequest(
                params=types.ElicitRequestFormParams(
                    message="Which room?", requested_schema=schema()
                )
            )
        }
    ),
    "structured": types.CallToolResult(
        content=[], structured_content={"temperature": 21.5, "unit": "°C"}
    ),
    "broken_promise": types.CallToolResult(
        content=[types.TextContent(text="the light is off")], structured_content={"count": "many"}
    ),
}


class Door:
    """What stands before the library's app: token, path, methods, and the faults of a test."""

    def __init__(self, house: House, inside: App, paths: tuple[str, ...]) -> None:
        self.house = house
        self.inside = inside
        self.paths = paths

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        house = self.house
        if scope["type"] != "http":
            await self.inside(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = self.refusal(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        body = await request.body() if request.method == "POST" else b""
        answer = self.unknown(body)
        if answer is not None:
            await answer(scope, receive, send)
            return
        if house.forgets and "mcp-session-id" in request.headers:
            # As after a restart: the library does not know the session, and says so itself.
            house.forgets = False
            others = [each for each in scope["headers"] if each[0] != b"mcp-session-id"]
            scope = {**scope, "headers": [*others, (b"mcp-session-id", b"of-the-time-before")]}
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async with asyncio.timeout(
            self.house.options.limit if self.house.options.way == "ha" else None
        ):
            await self.inside(scope, again, send)

    def refusal(self, request: Request) -> Response | None:
        house, token = self.house, self.house.options.token
        if self.house.revoked or (
            token and request.headers.get("authorization") != f"Bearer {token}"
        ):
            house.refused += 1
            return PlainTextResponse("401: Unauthorized", 401)
        if house.fault == "500":
            return PlainTextResponse("500 Internal Server Error", 500)
        if request.url.path not in self.paths:
            if request.url.path.startswith("/api/mcp/"):
                return PlainTextResponse(f"Unknown LLM API '{request.url.path[9:]}'", 404)
            return PlainTextResponse("404: Not Found", 404)
        if house.options.way == "ha" and request.method != "POST":
            return PlainTextResponse("405: Method Not Allowed", 405)
        return None

    def unknown(self, body: bytes) -> Response | None:
        """Answer a method that this kind of server does not know."""
        if not body:
            return None
        message = json.loads(body)
        self.house.requests.append(message.get("method", "answer"))
        since_2026 = ("server/discover", "subscriptions/listen")
        if not (self.house.options.handshake and message.get("method") in since_2026):
            return None
        error = {"code": -32601, "message": "Method not found", "data": message["method"]}
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error})


def application(house: House) -> Starlette:
    server = house.server()
    inside: Any
    if house.options.way == "sse":
        inside = over_sse(server)
        paths = ("/mcp_server/sse", "/mcp_server/messages/")
        lifespan = None
    else:
        path = "/api/mcp"
        app = server.streamable_http_app(
            streamable_http_path=path,
            json_response=house.options.way == "ha",
            stateless_http=house.options.way == "ha",
            host="0.0.0.0",
        )
        lifespan = app.router.lifespan_context

        async def inside(scope: Message, receive: Any, send: Any) -> None:
            await app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

        paths = (path, "/api/mcp/assist")

    async def state(_: Request) -> Response:
        return JSONResponse(house.state())

    async def do(request: Request) -> Response:
        for name, value in (await request.json()).items():
            if name == "change":
                await house.change()
            else:
                setattr(house, name, value)
        return JSONResponse(house.state())

    return Starlette(
        routes=[
            Route("/rig/state", state),
            Route("/rig/do", do, methods=["POST"]),
            Mount("/", Door(house, inside, paths)),
        ],
        lifespan=lifespan,
    )


def over_sse(server: Server[Any]) -> App:
    transport = SseServerTransport("/mcp_server/messages/")

    async def serve(scope: Message, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            await transport.handle_post_message(scope, receive, send)
            return
        async with transport.connect_sse(scope, receive, send) as (read, write):
            await server.run(read, write, server.create_initialization_options())

    return serve


async def listen(house: House) -> None:
    options = house.options
    # With its protocol named, or asyncio does not switch off Nagle's delay (40 ms an answer).
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", options.port))
    listening.listen(64)
    config = uvicorn.Config(
        application(house),
        log_level="critical",
        lifespan="on",
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)

    # It is listening already: who connects before uvicorn has started waits for it.
    print("READY", listening.getsockname()[1], flush=True)
    await server.serve(sockets=[listening])


def flood() -> None:
    """Fill standard error for ever."""
    while True:
        sys.stderr.write("warning: this server talks too much about everything it does\n" * 200)
        sys.stderr.flush()


async def speak(house: House) -> None:
    match house.options.fault:
        case "exits":
            sys.stderr.write("Traceback (most recent call last):\nKeyError: 'HOUSE_URL'\n")
            sys.exit(3)
        case "hangs":
            threading.Event().wait()
        case "garbage":
            sys.stdout.write("Welcome to the house!\n{not json\n[]\n\n")
            sys.stdout.flush()
        case "endless":
            while True:
                sys.stdout.write("x" * 65_536)
        case "floods":
            threading.Thread(target=flood, daemon=True).start()
    server = house.server()
    house.keep_state()
    told = server.create_initialization_options(NotificationOptions(tools_changed=True))
    async with stdio_server() as (read, write):
        await server.run(read, write, told)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=["ha", "http", "sse", "stdio"], default="ha")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default="")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--page", type=int, default=50)
    parser.add_argument("--limit", type=float, default=LIMIT_S)
    parser.add_argument("--handshake", action="store_true")
    parser.add_argument("--state")
    parser.add_argument("--fault", default="")
    options = parser.parse_args()
    options.handshake = options.handshake or options.way == "ha"
    house = House(options)
    asyncio.run(speak(house) if options.way == "stdio" else listen(house))


if __name__ == "__main__":
    main()
