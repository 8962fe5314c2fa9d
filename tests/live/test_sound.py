"""The two messages that go past the SDK are the SDK's own, to the letter."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.genai import types
from google.genai.live import AsyncSession
from hypothesis import given
from hypothesis import strategies as st

from device.live.link import Link
from device.live.setup import client_of
from device.live.sound import Blob, Sound, realtime_input, reply_sound
from device.live.websocket import Dialler
from device.news import ReplyAudio, Transcript
from device.simulator.script import Event, Script, Send
from tests.live.talk import KEY, Settings, talking

PCM = b"\x01\x00\xfe\xff" * 5
DATA = base64.b64encode(PCM).decode()
BLOB = {"mimeType": "audio/pcm;rate=24000", "data": DATA}


class Wire:
    """A WebSocket on which one message comes, and which keeps what is sent."""

    def __init__(self, message: bytes = b"") -> None:
        self.message = message
        self.sent: list[str] = []

    takes = True

    async def recv(self, decode: bool | None = None) -> bytes:
        return self.message

    def unacknowledged(self) -> int:
        return 0

    async def ahead(self) -> bytes:
        return self.message

    def skip(self) -> None:
        raise AssertionError("left to the SDK")

    async def send(self, message: str) -> None:
        self.sent.append(message)


@pytest.fixture(scope="module")
def api_client() -> Iterator[Any]:
    client = client_of(Settings(), KEY, Dialler())
    yield client._api_client
    asyncio.run(client.aio.aclose())


def session_on(wire: Wire, api_client: Any) -> AsyncSession:
    return AsyncSession(api_client=api_client, websocket=wire)  # type: ignore[arg-type]


def reply(*parts: Any, **beside: Any) -> bytes:
    return json.dumps({"serverContent": {"modelTurn": {"parts": parts, **beside}}}).encode()


@pytest.mark.parametrize("pcm", [b"", b"\x00", PCM, bytes(range(256)) * 5])
async def test_the_microphones_sound_goes_up_as_the_sdk_writes_it(
    pcm: bytes, api_client: Any
) -> None:
    """Only the work is saved."""
    wire = Wire()
    blob = types.Blob(data=pcm, mime_type="audio/pcm;rate=16000")
    await session_on(wire, api_client).send_realtime_input(audio=blob)
    assert wire.sent == [realtime_input(pcm)]


@pytest.mark.parametrize(
    "message",
    [
        reply({"inlineData": BLOB}),
        reply({"inlineData": BLOB}, role="model"),
        reply({"inlineData": BLOB}, {"inlineData": {"mimeType": "", "data": DATA}}),
        reply({"inlineData": {"data": DATA}}),
        reply({"inlineData": {"mimeType": "image/png", "data": DATA}}),
    ],
)
async def test_sound_is_read_as_the_sdk_reads_it(message: bytes, api_client: Any) -> None:
    """Whatever is taken from it, and how it is named."""
    taken = reply_sound(message)
    read = await anext(session_on(Wire(message), api_client).receive())
    assert read.server_content is not None
    assert read.server_content.model_turn is not None
    blobs = [part.inline_data for part in read.server_content.model_turn.parts or ()]
    assert taken == Sound(tuple(Blob(b.mime_type or "", b.data or b"") for b in blobs if b))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff",
        b"[]",
        b'"inlineData"',
        b'{"inlineData": {}}',
        b"[" * 4000 + b'"inlineData"' + b"]" * 4000,
        reply(),
        reply({"inlineData": {}}),
        reply({"inlineData": {"data": ""}}),
        reply({"inlineData": {"data": 7}}),
        reply({"inlineData": {"data": "no base64!"}}),
        reply({"inlineData": {"data": DATA, "mimeType": None}}),
        reply({"inlineData": {"data": DATA, "displayName": "x"}}),
        reply({"inlineData": DATA}),
        reply({"inlineData": BLOB}, "inlineData"),
        reply({"inlineData": BLOB, "thought": True}),
        reply({"inlineData": BLOB}, {"text": "Yes."}),
        reply({"inlineData": BLOB}, other="x"),
        json.dumps({"serverContent": {"modelTurn": {"role": "inlineData"}}}).encode(),
        json.dumps({"serverContent": {"modelTurn": {"parts": {"inlineData": BLOB}}}}).encode(),
        json.dumps(
            {
                "serverContent": {
                    "modelTurn": {"parts": [{"inlineData": BLOB}]},
                    "outputTranscription": {"text": "Yes."},
                }
            }
        ).encode(),
        json.dumps(
            {
                "serverContent": {"modelTurn": {"parts": [{"inlineData": BLOB}]}},
                "usageMetadata": {"totalTokenCount": 1},
            }
        ).encode(),
    ],
)
def test_all_that_is_more_than_sound_is_left_to_the_sdk(message: bytes) -> None:
    """Odd messages too: what is odd is judged in one place."""
    assert reply_sound(message) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(DATA),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["serverContent", "modelTurn", "parts", "role", "inlineData", "data", "mimeType"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_message_is_too_odd_to_be_looked_at(value: Any) -> None:
    """Any JSON, made of the words that are looked for."""
    for message in (value, {"serverContent": {"modelTurn": {"parts": value}}}):
        sound = reply_sound(json.dumps(message).encode())
        assert sound is None or all(part.data for part in sound.parts)


async def test_what_is_not_sound_is_still_there_for_the_sdk(api_client: Any) -> None:
    """To be looked at takes nothing away."""
    message = json.dumps({"serverContent": {"outputTranscription": {"text": "hi"}}}).encode()
    wire = Wire(message)
    read = await Link(session_on(wire, api_client), wire, {}).receive()
    assert isinstance(read, types.LiveServerMessage)
    assert read.server_content is not None
    assert read.server_content.output_transcription is not None
    assert read.server_content.output_transcription.text == "hi"


async def test_sound_and_words_keep_their_order(tmp_path: Path) -> None:
    """Over a real connection, whoever of the two reads the message."""
    words = {"serverContent": {"outputTranscription": {"text": "one"}}}
    sound = {"serverContent": {"modelTurn": {"parts": [{"inlineData": BLOB}]}}}
    more = {"serverContent": {"outputTranscription": {"text": " two"}}}
    events = tuple(Event("ready", Send(each)) for each in (words, sound, sound, more))
    async with talking(tmp_path, Script(events=events)) as talk:
        await talk.ear.until(Transcript, 2)
        order = [each for each in talk.ear.news if isinstance(each, ReplyAudio | Transcript)]
        assert [type(each) for each in order] == [Transcript, ReplyAudio, ReplyAudio, Transcript]
        assert [each.pcm for each in order if isinstance(each, ReplyAudio)] == [PCM, PCM]
        assert talk.session.counters["odd_messages"] == 0
