"""A client of the Live API on bare websockets: it can say anything, also what is forbidden."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from device.simulator.certificate import Certificate
from device.simulator.live_server import LiveServer
from device.simulator.voices import tone

Serve = Callable[..., Awaitable[LiveServer]]
"""What the fixture ``serve`` gives: starts a server with a script or the fields of one."""
PATH = "/ws/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent"
PATIENCE_S = 10.0
SPEECH = tone(300, 16_000)
PAUSE = bytes(16_000 * 2 * 700 // 1000)
"""Longer than the silence that ends a turn."""


def setup(model: str = "gemini-3.1-flash-live-preview", **fields: Any) -> dict[str, Any]:
    """Return a setup that asks for everything a speaker asks for, with other fields besides."""
    generation: dict[str, Any] = {"responseModalities": ["AUDIO"]}
    if "extended-thinking" in model:
        generation["thinkingConfig"] = {"thinkingLevel": "LOW"}
    asked = {
        "model": f"models/{model}",
        "generationConfig": generation,
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "sessionResumption": {},
    }
    return {"setup": asked | fields}


def audio(pcm: bytes, mime_type: str = "audio/pcm;rate=16000") -> dict[str, Any]:
    """Return the message for a piece of microphone audio."""
    blob = {"data": base64.b64encode(pcm).decode(), "mimeType": mime_type}
    return {"realtimeInput": {"audio": blob}}


def has(message: Mapping[str, Any], key: str) -> bool:
    """Whether a key stands on top of a server message or in its serverContent."""
    return key in message or key in message.get("serverContent", {})


def reply_audio(messages: list[dict[str, Any]]) -> bytes:
    """Join the audio of all parts of all messages."""
    parts = [
        part
        for message in messages
        for part in message.get("serverContent", {}).get("modelTurn", {}).get("parts", [])
    ]
    return b"".join(base64.b64decode(p["inlineData"]["data"]) for p in parts if "inlineData" in p)


def text_of(messages: list[dict[str, Any]], key: str) -> str:
    """Join the fragments of a transcription."""
    contents = [message.get("serverContent", {}) for message in messages]
    return "".join(content[key]["text"] for content in contents if key in content)


class RawClient:
    """One WebSocket to the stand-in."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.handle = ""
        """The newest handle that came."""

    async def send(self, *messages: Mapping[str, Any] | str) -> None:
        for message in messages:
            text = message if isinstance(message, str) else json.dumps(message)
            await self.socket.send(text)

    async def begin(self, **fields: Any) -> None:
        """Set up and wait until that is answered."""
        await self.send(setup(**fields))
        await self.until("setupComplete")

    async def speak(self, *, pause: bytes = PAUSE, speech: bytes = SPEECH) -> None:
        """Send speech and silence in frames of 20 ms, as fast as it goes."""
        pcm = speech + pause
        await self.send(*(audio(pcm[at : at + 640]) for at in range(0, len(pcm), 640)))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            data = await self.socket.recv()
        assert isinstance(data, bytes), "Google sends JSON in binary frames"
        message: dict[str, Any] = json.loads(data)
        update = message.get("sessionResumptionUpdate", {})
        self.handle = update.get("newHandle") or self.handle
        return message

    async def until(self, key: str) -> list[dict[str, Any]]:
        """Receive up to and including the first message with a key."""
        messages = [await self.receive()]
        while not has(messages[-1], key):
            messages.append(await self.receive())
        return messages

    async def until_handle(self) -> list[dict[str, Any]]:
        """Receive up to the next update that brings a handle."""
        messages = await self.until("sessionResumptionUpdate")
        while not messages[-1]["sessionResumptionUpdate"]["resumable"]:
            messages += await self.until("sessionResumptionUpdate")
        return messages

    async def closed(self) -> tuple[int | None, str]:
        """Receive until the connection is closed; return code and reason (1006 when it was cut)."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed as error:
            return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "")

    async def silent_for(self, seconds: float) -> bool:
        """Whether nothing comes for a while."""
        try:
            async with asyncio.timeout(seconds):
                await self.socket.recv()
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def dial(
    server: LiveServer,
    *,
    key: str | None = "k",
    path: str | None = None,
    version: str = "v1beta",
    **options: Any,
) -> AsyncIterator[RawClient]:
    """Open a WebSocket to the stand-in; nothing is said yet."""
    context = Certificate(server.certificate, server.certificate).client_context()
    # As Python 3.13 does by itself.
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    address = server.url.replace("https", "wss") + (path or PATH.format(version))
    headers = {} if key is None else {"x-goog-api-key": key}
    settings = {"max_size": None, "close_timeout": 2, "compression": None, "proxy": None}
    async with connect(
        address, ssl=context, additional_headers=headers, **(settings | options)
    ) as socket:
        yield RawClient(socket)
