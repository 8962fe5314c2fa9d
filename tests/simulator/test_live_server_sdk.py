"""The stand-in and the real google-genai client: a conversation over two connections."""

from __future__ import annotations

from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from google.genai.live import AsyncSession

from device.simulator.certificate import Certificate
from device.simulator.live_server import LiveServer
from device.simulator.script import Event, GoAway, Script, ToolCall, Turn
from device.simulator.voices import heard_pcm, tone
from tests.simulator.raw_client import Serve

MODEL = "gemini-3.1-flash-live-preview"


def client_of(server: LiveServer, key: str = "k") -> genai.Client:
    context = Certificate(server.certificate, server.certificate).client_context()
    options = types.HttpOptions(
        base_url=server.url, api_version="v1beta", async_client_args={"ssl": context}
    )
    return genai.Client(api_key=key, http_options=options)


def config(handle: str | None = None) -> types.LiveConnectConfig:
    function = types.FunctionDeclaration(
        name="lamp", description="a lamp", parameters_json_schema={"type": "object"}
    )
    return types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        system_instruction="be brief",
        media_resolution=types.MediaResolution.MEDIA_RESOLUTION_MEDIUM,
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(
                prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore")
            )
        ),
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL),
        tools=[types.Tool(google_search=types.GoogleSearch(), function_declarations=[function])],
        input_audio_transcription=types.AudioTranscriptionConfig(),
        output_audio_transcription=types.AudioTranscriptionConfig(),
        session_resumption=types.SessionResumptionConfig(handle=handle),
        realtime_input_config=types.RealtimeInputConfig(
            turn_coverage=types.TurnCoverage.TURN_INCLUDES_ONLY_ACTIVITY
        ),
        context_window_compression=types.ContextWindowCompressionConfig(
            trigger_tokens=25_600, sliding_window=types.SlidingWindow(target_tokens=12_800)
        ),
    )


async def ask(session: AsyncSession, pcm: bytes) -> None:
    for at in range(0, len(pcm), 640):
        frame = types.Blob(data=pcm[at : at + 640], mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=frame)


async def new_handle(session: AsyncSession) -> str:
    async for message in session.receive():
        update = message.session_resumption_update
        if update and update.resumable and update.new_handle:
            return update.new_handle
    raise AssertionError("the session ended without a handle")


async def turn(session: AsyncSession) -> dict[str, Any]:
    heard: dict[str, Any] = {"audio": b"", "said": "", "asked": ""}
    async for message in session.receive():
        if message.tool_call and message.tool_call.function_calls:
            call = message.tool_call.function_calls[0]
            await session.send_tool_response(
                function_responses=types.FunctionResponse(
                    id=call.id, name=call.name, response={"output": "on"}
                )
            )
        heard["audio"] += message.data or b""
        content = message.server_content
        if content and content.output_transcription:
            heard["said"] += content.output_transcription.text or ""
        if content and content.input_transcription:
            heard["asked"] += content.input_transcription.text or ""
    return heard


@pytest.mark.filterwarnings("ignore::UserWarning")
async def test_the_sdk_talks_and_resumes(serve: Serve) -> None:
    """Speech in, a function call, audio and both transcriptions out, goAway, and on again."""
    turns = (
        Turn(heard="turn it on", says="it is on now", audio=300, calls=(ToolCall("lamp"),)),
        Turn(says="you are welcome", audio=200),
    )
    server = await serve(Script(turns=turns, events=(Event("turn", GoAway(5), turn=1),)))
    client = client_of(server)
    question = heard_pcm("ask_tomorrow") + heard_pcm(700)
    async with client.aio.live.connect(model=MODEL, config=config()) as session:
        assert session.setup_complete is not None
        await ask(session, question)
        heard = await turn(session)
        assert heard == {"audio": tone(300), "said": "it is on now", "asked": "turn it on"}
        handle = await new_handle(session)
    async with client.aio.live.connect(model=MODEL, config=config(handle)) as session:
        await session.send_realtime_input(text="thanks")
        heard = await turn(session)
        assert heard == {"audio": tone(200), "said": "you are welcome", "asked": "thanks"}
    first, second = server.connections
    assert bytes(first.audio) == question
    assert first.api_key == "k"
    assert first.tool_responses[0]["response"] == {"output": "on"}
    assert (second.handle, second.conversation, second.texts) == (handle, 1, ["thanks"])
    await server.wait_for(lambda s: s.connections[1].close_code == 1000, 5)


async def test_the_sdk_sees_refusals_as_its_own_errors(serve: Serve) -> None:
    """The close code and the reason of the server."""
    server = await serve(Script(api_keys=("good",)))
    with pytest.raises(errors.APIError) as refused:
        async with client_of(server, "bad").aio.live.connect(model=MODEL):
            pass
    assert refused.value.code == 1007
    assert "API key not valid" in str(refused.value)
