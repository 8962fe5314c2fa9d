"""Everything the real server refuses, over TLS, by a client that does it."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from device.simulator.script import Script, ToolCall, Turn
from tests.rig.jpeg_headers import jpeg, video
from tests.simulator.raw_client import PATH, RawClient, Serve, audio, dial, setup

INVALID = "Request contains an invalid argument."
UNKNOWN = "Invalid JSON payload received. Unknown name"
NOT_FOUND = "models/{} is not found for API version {}, or is not supported for bidiGenerateContent"
SILENCE = bytes(640)
TEXT = {"realtimeInput": {"text": "hi"}}
MANUAL = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
START: dict[str, Any] = {"realtimeInput": {"activityStart": {}}}
END: dict[str, Any] = {"realtimeInput": {"activityEnd": {}}}
SEEDED = {"historyConfig": {"initialHistoryInClientContent": True}}
CONTENT = {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "a"}]}]}}
ONE_ANSWER = {"id": "x", "name": "f", "response": {"output": 1}}


def generation(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": {"responseModalities": ["AUDIO"]} | fields}


def detection(**fields: Any) -> dict[str, Any]:
    return {"realtimeInputConfig": {"automaticActivityDetection": fields}}


def functions(**fields: Any) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": "f"} | fields]}]}


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (TEXT, 1007, INVALID),
        ("{", 1007, "Invalid JSON payload received."),
        ({}, 1007, INVALID),
        ([], 1007, "Invalid value at ''"),
        ({"setup": {}, "clientContent": {}}, 1007, INVALID),
        ({"hello": 1}, 1007, f'{UNKNOWN} "hello": Cannot find field.'),
        (setup(nonsense=1), 1007, f"{UNKNOWN} \"nonsense\" at 'setup': Cannot find field."),
        (
            setup(sessionResumption={"transparent": True}),
            1007,
            f"{UNKNOWN} \"transparent\" at 'setup.session_resumption': Cannot find field.",
        ),
        (
            setup(tools=[{"functionDeclarations": [{"name": "f", "async": True}]}]),
            1007,
            f"{UNKNOWN} \"async\" at 'setup.tools[0].function_declarations[0]': Cannot find field.",
        ),
        (setup(explicitVadSignal=True), 1007, UNKNOWN),
        ({"setup": {"model": "gemini-3.8-live"}}, 1007, INVALID),
        ({"setup": {"model": 5}}, 1007, "Invalid value at 'setup.model' (TYPE_STRING), 5"),
        (setup(tools={}), 1007, "Invalid value at 'setup.tools'"),
        (setup(**generation(responseModalities=["LOUD"])), 1007, "Invalid value at"),
        (
            setup("gemini-2.0-flash-live-001"),
            1008,
            NOT_FOUND.format("gemini-2.0-flash-live-001", "v1beta"),
        ),
        (setup(sessionResumption={"handle": "?"}), 1008, "Requested entity was not found."),
        (setup(**generation(responseModalities=["TEXT"])), 1007, "Cannot extract voices"),
        (setup(**generation(responseModalities=["AUDIO", "TEXT"])), 1007, "Cannot extract voices"),
        (setup(**generation(thinkingConfig={"thinkingBudget": 0})), 1007, INVALID),
        (setup(**generation(enableAffectiveDialog=True)), 1007, INVALID),
        (setup(proactivity={"proactiveAudio": True}), 1007, INVALID),
        (setup(**generation(mediaResolution="HIGH")), 1007, "Invalid value at"),
        (setup(**detection(silenceDurationMs=-1)), 1007, INVALID),
        (setup(**detection(prefixPaddingMs=-20)), 1007, INVALID),
        (setup(**detection(silenceDurationMs="long")), 1007, "Invalid value at"),
        (setup(**detection(endOfSpeechSensitivity="END_SENSITIVITY_MEDIUM")), 1007, "Invalid"),
        (setup(**functions(behavior="NON_BLOCKING")), 1007, INVALID),
        (setup(tools=[{"codeExecution": {}}]), 1008, "Operation is not implemented"),
        (
            setup(
                contextWindowCompression={
                    "triggerTokens": "9",
                    "slidingWindow": {"targetTokens": 9},
                }
            ),
            1007,
            INVALID,
        ),
        (setup("gemini-3.8-live", proactivity={"proactiveAudio": False}), 1007, INVALID),
        (setup("gemini-3.8-live", **generation(enableAffectiveDialog=False)), 1007, INVALID),
        (
            setup(
                "gemini-3.8-live-extended-thinking",
                **generation(thinkingConfig={"thinkingLevel": "minimal"}),
            ),
            1007,
            INVALID,
        ),
        (
            setup("gemini-3.8-live-extended-thinking", **functions(behavior="BLOCKING")),
            1007,
            INVALID,
        ),
        (
            setup(
                "gemini-2.5-flash-native-audio-latest",
                **generation(thinkingConfig={"thinking_level": "LOW"}),
            ),
            1007,
            INVALID,
        ),
        (
            setup(
                "gemini-2.5-flash-native-audio-latest",
                **generation(speechConfig={"languageCode": "de-DE"}),
            ),
            1000,
            "",
        ),
        (
            setup(
                "gemini-2.5-flash-native-audio-latest",
                tools=[{"google_search": {}}, {"function_declarations": [{"name": "f"}]}],
            ),
            1007,
            INVALID,
        ),
    ],
)
async def test_a_first_message_that_is_no_good_setup_is_refused(
    serve: Serve, message: Any, code: int, reason: str
) -> None:
    """The connection is closed with the code and the words of the real server."""
    server = await serve()
    async with dial(server) as client:
        await client.send(message)
        closed = await client.closed()
    assert closed[0] == code
    assert closed[1].startswith(reason[:123])
    assert server.connections[0].refused is not None


@pytest.mark.parametrize(
    ("fields", "messages", "code", "reason"),
    [
        ({}, [setup()], 1007, INVALID),
        ({}, [{"realtimeInput": {}}], 1007, INVALID),
        ({}, [{"realtimeInput": {"text": "a", "audioStreamEnd": True}}], 1007, INVALID),
        ({}, [{"realtimeInput": {"text": ""}}], 1007, INVALID),
        ({}, [{"realtimeInput": {"mediaChunks": []}}], 1007, INVALID),
        ({}, [video(jpeg(), "image/png")], 1007, INVALID),
        ({}, [video(b"a")], 1007, INVALID),
        ({}, [{"realtimeInput": {"sound": {}}}], 1007, UNKNOWN),
        ({}, [audio(SILENCE, "audio/wav")], 1007, INVALID),
        ({}, [audio(SILENCE, "audio/pcm")], 1007, INVALID),
        ({}, [audio(SILENCE, "audio/pcm;rate=1")], 1007, INVALID),
        ({}, [audio(b"")], 1007, INVALID),
        ({}, [audio(b"odd")], 1007, INVALID),
        (
            {},
            [{"realtimeInput": {"audio": {"data": "a$b", "mimeType": "audio/pcm;rate=16000"}}}],
            1007,
            "Invalid value at 'realtime_input.audio.data' (TYPE_BYTES)",
        ),
        ({}, [START], 1007, INVALID),
        ({}, [END], 1007, INVALID),
        (MANUAL, [{"realtimeInput": {"audioStreamEnd": True}}], 1007, INVALID),
        (MANUAL, [END], 1007, INVALID),
        (MANUAL, [START, START], 1007, INVALID),
        (MANUAL, [START, END], 1007, INVALID),
        ({}, [{"toolResponse": {}}], 1007, INVALID),
        ({}, [{"toolResponse": {"functionResponses": [ONE_ANSWER]}}], 1007, INVALID),
        ({}, [CONTENT], 1007, INVALID),
        (SEEDED, [audio(SILENCE), CONTENT], 1007, INVALID),
        ({}, [{"contextUpdate": {"tools": {}}}], 1007, INVALID),
        ({"model": "gemini-3.8-live"}, [{"contextUpdate": {}}], 1007, INVALID),
        ({"model": "gemini-3.8-live"}, [{"clientContent": {"turns": [{}]}}], 1007, INVALID),
    ],
)
async def test_a_message_that_does_not_fit_the_session_is_refused(
    serve: Serve, fields: dict[str, Any], messages: list[Any], code: int, reason: str
) -> None:
    """After a good setup each of these closes the connection."""
    server = await serve()
    async with dial(server) as client:
        await client.begin(**fields)
        await client.send(*messages)
        closed = await client.closed()
    assert closed[0] == code
    assert closed[1].startswith(reason)


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({}, [audio(SILENCE, "audio/pcm;rate=48000")]),
        ({}, [{"realtime_input": {"audio": audio(SILENCE)["realtimeInput"]["audio"]}}]),
        ({}, [video(jpeg())]),
        (generation(mediaResolution="MEDIA_RESOLUTION_MEDIUM"), [video(jpeg())]),
        (MANUAL, [START, audio(SILENCE), END]),
        (SEEDED, [CONTENT, audio(SILENCE)]),
        ({"model": "gemini-3.8-live"}, [audio(SILENCE), CONTENT]),
        ({"model": "gemini-3.8-live"}, [{"contextUpdate": {"systemInstruction": {"parts": []}}}]),
        (
            {
                "tools": [
                    {"googleSearch": {}},
                    {"functionDeclarations": [{"name": "f", "parameters_json_schema": {"a_b": 1}}]},
                ],
                **generation(thinkingConfig={"thinking_level": "MINIMAL"}),
                "contextWindowCompression": {
                    "trigger_tokens": 25600,
                    "sliding_window": {"target_tokens": "12800"},
                },
                "realtime_input_config": {"turn_coverage": "TURN_INCLUDES_ONLY_ACTIVITY"},
            },
            [],
        ),
        ({"model": "gemini-3.8-live", **functions(behavior="NON_BLOCKING")}, []),
        ({"model": "gemini-3.8-live", "proactivity": {"proactiveAudio": True}}, []),
    ],
)
async def test_what_the_reference_allows_is_taken(
    serve: Serve, fields: dict[str, Any], messages: list[Any]
) -> None:
    """The connection answers after it."""
    server = await serve(turns=(Turn(audio=None),))
    async with dial(server) as client:
        await client.begin(**fields)
        await client.send(*messages, *([TEXT] if fields is not MANUAL else []))
        await client.until("turnComplete")


async def test_the_rates_that_came_are_recorded(serve: Serve) -> None:
    """A rate other than 16 kHz is taken by the real server, so only the record tells."""
    server = await serve()
    async with dial(server) as client:
        await client.begin()
        await client.send(audio(SILENCE, "audio/pcm;rate=48000"))
        await server.wait_for(lambda s: s.connections[0].audio_rates_hz == {48_000}, 5)


async def test_nothing_may_be_sent_before_setup_is_answered(serve: Serve) -> None:
    """A client that does not wait for setupComplete is refused."""
    server = await serve(setup_delay_s=5.0)
    async with dial(server) as client:
        await client.send(setup(), audio(SILENCE))
        assert await client.closed() == (1007, INVALID)


async def test_thinking_on_3_8_is_never_answered(serve: Serve) -> None:
    """The best documented trap: no error, no close, no answer."""
    server = await serve()
    async with dial(server) as client:
        level = {"thinkingConfig": {"thinkingLevel": "LOW"}}
        await client.send(setup("gemini-3.8-live", **generation(**level)))
        await server.wait_for(lambda s: s.connections[0].setup, 5)
        assert await client.silent_for(0.3)


@pytest.mark.parametrize(
    ("response", "model", "closes"),
    [
        ({}, "gemini-3.1-flash-live-preview", False),
        ({"id": ""}, "gemini-3.1-flash-live-preview", True),
        ({"id": "function-call-1-9"}, "gemini-3.1-flash-live-preview", True),
        ({"response": None}, "gemini-3.1-flash-live-preview", True),
        ({"scheduling": "SILENT"}, "gemini-3.8-live-extended-thinking", True),
        ({"scheduling": "NEVER"}, "gemini-3.8-live", True),
        ({"scheduling": "WHEN_IDLE"}, "gemini-3.8-live", False),
    ],
)
async def test_a_function_is_answered_by_its_id(
    serve: Serve, response: dict[str, Any], model: str, closes: bool
) -> None:
    """The reply comes after a proper answer, and the close after any other."""
    server = await serve(turns=(Turn(calls=(ToolCall("f", {"a": 1}),), audio=None),))
    async with dial(server) as client:
        await client.begin(model=model)
        await client.send(TEXT)
        (call,) = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
        assert (call["name"], call["args"]) == ("f", {"a": 1})
        answer = {"id": call["id"], "name": "f", "response": {"output": 1}} | response
        await client.send({"toolResponse": {"functionResponses": [answer]}})
        if closes:
            assert (await client.closed())[0] == 1007
        else:
            record = server.connections[0]
            await server.wait_for(lambda _: record.tool_responses == [answer], 5)
            await client.until("turnComplete")


async def send_audio_for_ever(client: RawClient) -> None:
    while True:
        await client.send(audio(SILENCE))
        await client.silent_for(0.1)


async def test_audio_during_a_function_call_is_refused_on_2_5(serve: Serve) -> None:
    """Audio that was on its way when the call came is taken; later audio is not."""
    server = await serve(turns=(Turn(calls=(ToolCall("f"),)),))
    async with dial(server) as client:
        await client.begin(model="gemini-2.5-flash-native-audio-latest")
        await client.send(TEXT)
        await client.until("toolCall")
        with pytest.raises(ConnectionClosed, match=r"received 1008 .* Operation is not im"):
            await send_audio_for_ever(client)
    assert len(server.connections[0].audio) >= 3 * len(SILENCE)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"key": None}, 403),
        ({"key": ""}, 403),
        ({"path": "/"}, 404),
        (
            {"path": "/" + PATH.format("v1beta")},
            404,
        ),
    ],
)
async def test_a_request_without_key_or_to_another_path_is_answered_with_a_status(
    serve: Serve, options: dict[str, Any], status: int
) -> None:
    """No WebSocket opens; the record tells what was tried."""
    server = await serve()
    with pytest.raises(InvalidStatus) as refused:
        async with dial(server, **options):
            pass
    assert refused.value.response.status_code == status
    assert [record.status for record in server.connections] == [status]


async def test_the_key_may_stand_in_the_address(serve: Serve) -> None:
    """The browser samples of the reference give the key as ``?key=``."""
    server = await serve(api_keys=("good",))
    async with dial(server, key=None, path=PATH.format("v1beta") + "?key=good") as client:
        await client.begin()


async def test_a_wrong_key_is_refused_after_setup(serve: Serve) -> None:
    """The WebSocket opens first, as with the real server."""
    server = await serve(api_keys=("good",))
    async with dial(server, key="bad") as client:
        await client.send(setup())
        assert await client.closed() == (1007, "API key not valid. Please pass a valid API key.")
    async with dial(server, key="good") as client:
        await client.begin()
    assert [record.api_key for record in server.connections] == ["bad", "good"]


async def test_another_api_version_does_not_know_the_model(serve: Serve) -> None:
    """The default version of SDK 3 (v1) ends like this."""
    server = await serve()
    async with dial(server, version="v1") as client:
        await client.send(setup())
        code, reason = await client.closed()
    assert code == 1008
    assert (
        reason
        == (NOT_FOUND.format("gemini-3.1-flash-live-preview", "v1") + ". Call ListModels")[:123]
    )


async def test_a_handle_in_use_or_unknown_is_refused(serve: Serve) -> None:
    """Resuming beside the open connection is 1011, on a forgotten handle 1008."""
    server = await serve(Script())
    async with dial(server) as first:
        await first.begin()
        await first.until_handle()
        async with dial(server) as second:
            await second.send(setup(sessionResumption={"handle": first.handle}))
            assert await second.closed() == (1011, "Internal error encountered.")
    async with dial(server) as third:
        await third.begin(sessionResumption={"handle": first.handle})
    assert [record.conversation for record in server.connections] == [1, 0, 1]
