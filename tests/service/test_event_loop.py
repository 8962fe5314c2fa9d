"""A connection is made over the address that answers."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from device.service.event_loop import EventLoop

NOWHERE = "127.0.0.9"


class Road(EventLoop):
    """A network in which one address leads nowhere: nothing comes back from there, ever."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[str] = []

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, (NOWHERE, port)), (*kind, ("127.0.0.1", port))]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.tried.append(address[0])
        if address[0] == NOWHERE:
            await asyncio.Event().wait()
        await super().sock_connect(sock, address)


async def meet() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with asyncio.timeout(20):
            _, writer = await asyncio.open_connection("two.addresses", server.getsockname()[1])
        peer: str = writer.get_extra_info("peername")[0]
        writer.close()
        await writer.wait_closed()
        return peer


def test_an_address_that_leads_nowhere_holds_nobody_up() -> None:
    """It is tried first, and the next beside it; the kernel would wait for two minutes."""
    with asyncio.Runner(loop_factory=Road) as runner:
        assert runner.run(meet()) == "127.0.0.1"
        loop = runner.get_loop()
        assert isinstance(loop, Road)
        assert loop.tried == [NOWHERE, "127.0.0.1"]


def test_a_socket_that_is_connected_already_is_taken_as_it_is() -> None:
    """As behind a proxy: then there is no name."""

    async def through() -> bool:
        with socket.create_server(("127.0.0.1", 0)) as server:
            connected = socket.create_connection(server.getsockname())
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=connected)
            transport.close()
            await asyncio.sleep(0)
            return True

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert runner.run(through())
