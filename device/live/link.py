"""`Link` is one WebSocket to the Live API: it opens, and takes one message each way.

Whatever goes wrong here is one exception, `LinkError`, with the failure in plain values. The SDK
and what lies under it raise four families of them, and lose what matters in their contexts.

This is also where foreign bytes become objects. What the SDK raises over them has no list: it reads
JSON of any shape and depth with code that expects one shape. So everything that it raises while it
reads is an odd message, told and counted; what our own code raises is not caught here.

Tested in tests/live/test_hostile_server.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from device.errors import ParleyError
from device.live.messages import (
    ActivityEnd,
    ActivityStart,
    Answer,
    Audio,
    AudioEnd,
    Message,
    Nudge,
    Picture,
    Text,
)
from device.live.sound import Sound, realtime_input, reply_sound
from device.live.symptoms import Symptom, symptom_of
from device.live.websocket import Dialler, Socket

if TYPE_CHECKING:
    from google import genai
    from google.genai import live, types

_log = logging.getLogger(__name__)

_ODD_IN_A_ROW = 20
"""Unreadable messages without a readable one between, after which the connection is given up."""


class LinkError(ParleyError):
    """The connection could not be made, or is lost. Never leaves ``device.live``."""

    def __init__(self, symptom: Symptom) -> None:
        self.symptom = symptom
        super().__init__(f"{symptom.place} {symptom.family} {symptom.code} {symptom.text}")


class Link:
    """An open connection whose setup was confirmed. One task may read and one may write.

    ``socket`` is what the SDK's session sends and receives on; sound goes past the session.
    """

    def __init__(
        self, session: live.AsyncSession, socket: Socket, about: Mapping[str, Any]
    ) -> None:
        self._session = session
        self._socket = socket
        self._about = about
        self._stream = session.receive()
        self._odd_in_a_row = 0

    async def receive(self) -> types.LiveServerMessage | Sound | None:
        """Wait for the next message; None stands for one that cannot be read.

        Cancelling loses no message. Raises LinkError when the connection is lost, or when nothing
        readable comes any more.
        """
        ends = _ends()
        while True:
            try:
                message = await self._next()
            except StopAsyncIteration:
                # The SDK ends the stream with each turn; the next one goes on where it ended.
                self._stream = self._session.receive()
            except ends as error:
                raise self._lost(error) from error
            except Exception as error:  # what the SDK raises over foreign JSON has no list
                self._stream = self._session.receive()
                self._odd_in_a_row += 1
                _log.debug("unreadable message: %s", type(error).__name__)
                if self._odd_in_a_row >= _ODD_IN_A_ROW:
                    raise self._lost(error) from error
                return None
            else:
                self._odd_in_a_row = 0
                return message

    async def _next(self) -> types.LiveServerMessage | Sound:
        ahead = await self._socket.ahead()
        sound = reply_sound(ahead) if ahead is not None else None
        if sound is None:
            return await anext(self._stream)
        self._socket.skip()
        return sound

    def _lost(self, error: Exception) -> LinkError:
        return LinkError(symptom_of(error, opened=True, **self._about))

    @property
    def takes(self) -> bool:
        """Whether what is sent now is handed over; else the connection is known to be over."""
        return self._socket.takes

    def unacknowledged(self) -> int:
        """Return how many bytes of what was sent may still be on their way."""
        return self._socket.unacknowledged()

    async def send(self, message: Message) -> None:
        """Hand a message to the socket; waits while the network takes nothing.

        Raises LinkError when the connection is lost.
        """
        from google.genai import types  # noqa: PLC0415 - heavy

        refused: tuple[type[Exception], ...] = (*_ends(), TypeError, ValueError)
        try:
            match message:
                case Audio():
                    await self._socket.send(realtime_input(message.pcm))
                case Picture():
                    # One a second at most: 0.3 ms of the SDK for 60 kB, past it 0.1.
                    video = types.Blob(data=message.jpeg, mime_type="image/jpeg")
                    await self._session.send_realtime_input(video=video)
                case AudioEnd():
                    await self._session.send_realtime_input(audio_stream_end=True)
                case ActivityStart():
                    await self._session.send_realtime_input(activity_start=types.ActivityStart())
                case ActivityEnd():
                    await self._session.send_realtime_input(activity_end=types.ActivityEnd())
                case Text(text=text) | Nudge(text=text):
                    await self._session.send_realtime_input(text=text)
                case Answer():
                    response = _response(message)
                    await self._session.send_tool_response(function_responses=response)
        except refused as error:
            raise self._lost(error) from error


def _response(answer: Answer) -> types.FunctionResponse:
    from google.genai import types  # noqa: PLC0415 - heavy

    response = types.FunctionResponse(
        id=answer.call_id or None, name=answer.name, response=dict(answer.response)
    )
    if answer.scheduling is not None:
        # Without the last word on it the call stays open for good.
        response.scheduling = types.FunctionResponseScheduling(answer.scheduling)
        response.will_continue = False
    return response


@asynccontextmanager
async def open_link(  # noqa: PLR0913 - what a connection is made of
    client: genai.Client,
    dialler: Dialler,
    model: str,
    config: types.LiveConnectConfig,
    patience: asyncio.Timeout,
    *,
    about: Mapping[str, Any],
    connected: Callable[[], None],
) -> AsyncIterator[Link]:
    """Connect, wait for the setup's confirmation, close with 1000 at the end.

    ``dialler`` is the client's. ``patience`` bounds the connecting (the SDK waits for the first
    message for ever), and ``connected`` is called when it no longer does; ``about`` is what
    `symptom_of` is told beside the exception. Closing takes about a second at most, which
    `client_of` sees to. Raises LinkError.
    """
    connection = client.aio.live.connect(model=model, config=config)
    try:
        async with patience:
            session = await connection.__aenter__()
    except Exception as error:  # the SDK reads the server's first message in there
        raise LinkError(symptom_of(error, opened=False, **about)) from error
    connected()
    try:
        if session.setup_complete is None:
            odd = ValueError("its first message was not setupComplete")
            raise LinkError(symptom_of(odd, opened=False, **about))
        yield Link(session, dialler.socket, about)
    finally:
        await connection.__aexit__(None, None, None)


def _ends() -> tuple[type[Exception], ...]:
    """Return what is raised when the connection is over, whatever had come on it."""
    from google.genai.errors import APIError  # noqa: PLC0415 - heavy
    from websockets.exceptions import WebSocketException  # noqa: PLC0415 - heavy

    return APIError, WebSocketException, OSError
