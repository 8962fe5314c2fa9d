"""What a setup or an account is refused for, over TLS; the real client's setups too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from google.genai import errors, types

from device.errors import ScriptError
from device.simulator import refusals
from device.simulator.refusals import Refusal, Refusals, SetupField, fields_of
from device.simulator.script import Close, Event, Turn
from tests.simulator.raw_client import Serve, dial, setup
from tests.simulator.test_live_server_sdk import MODEL, client_of, config

INVALID = "Request contains an invalid argument."
TEXT = {"realtimeInput": {"text": "hi"}}
QUICK = Turn(audio=20, plays_out=False)
EXTENDED = "gemini-3.8-live-extended-thinking"
WITH: dict[SetupField, dict[str, Any]] = {
    "thinking": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
    "voice": {
        "generation_config": {
            "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}}
        }
    },
    "language": {"generationConfig": {"speechConfig": {"language_code": "de-DE"}}},
    "instruction": {"systemInstruction": {"parts": [{"text": "be brief"}]}},
    "search": {"tools": [{"functionDeclarations": [{"name": "f"}]}, {"google_search": {}}]},
    "functions": {"tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}]}]},
    "resumption": {"session_resumption": {}},
    "handle": {"sessionResumption": {"handle": "x"}},
    "input_transcription": {"inputAudioTranscription": {}},
    "output_transcription": {"output_audio_transcription": {}},
    "activity_detection": {"realtimeInputConfig": {"automaticActivityDetection": {}}},
    "turn_coverage": {"realtimeInputConfig": {"turnCoverage": "TURN_INCLUDES_ALL_INPUT"}},
    "compression": {"contextWindowCompression": {"slidingWindow": {}}},
    "proactivity": {"proactivity": {"proactiveAudio": True}},
    "media_resolution": {"generation_config": {"media_resolution": "MEDIA_RESOLUTION_LOW"}},
}


@pytest.mark.parametrize("field", get_args(SetupField))
async def test_a_setup_is_refused_over_one_field(serve: Serve, field: SetupField) -> None:
    """Without the field the same setup is taken; the record tells which fields came."""
    server = await serve(turns=(QUICK,), refusals=(Refusal(field=field),))
    bare = {"model": "models/gemini-3.8-live"}
    async with dial(server) as client:
        await client.send({"setup": bare | WITH[field]})
        assert await client.closed() == (1007, INVALID)
    async with dial(server) as client:
        await client.send({"setup": bare})
        await client.until("setupComplete")
    first, second = server.connections
    assert field in first.fields
    assert first.setup is not None
    assert (first.refused, first.ready_at) == ((1007, INVALID), None)
    assert second.fields == ()


async def test_a_refusal_may_be_of_one_model_or_of_all(serve: Serve) -> None:
    """The project may be shut out of one model only."""
    denied = Refusal(1008, refusals.ACCESS_DENIED, models=("gemini-3.8-live",))
    server = await serve(refusals=(denied,))
    async with dial(server) as client:
        await client.send(setup("gemini-3.8-live"))
        assert await client.closed() == (1008, refusals.ACCESS_DENIED)
    async with dial(server) as client:
        await client.begin()


@pytest.mark.parametrize("reason", [refusals.PROJECT_CAP, refusals.ACCOUNT_CAP])
@pytest.mark.parametrize("code", [1008, 1011])
async def test_the_monthly_cap_ends_a_session_and_forbids_the_next(
    serve: Serve, code: int, reason: str
) -> None:
    """In the middle of a talk with the one, before setupComplete with the other."""
    server = await serve(
        turns=(QUICK,),
        events=(Event("turn", Close(code, reason), turn=1),),
        refusals=(Refusal(code, reason, after=1),),
    )
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        assert await client.closed() == (code, reason.encode()[:123].decode())
    async with dial(server) as client:
        await client.send(setup())
        assert (await client.closed())[0] == code


async def test_a_blocked_api_is_told_in_123_bytes(serve: Serve) -> None:
    """So the words that say it are cut off."""
    server = await serve(refusals=(Refusal(1008, refusals.API_BLOCKED),))
    async with dial(server) as client:
        await client.send(setup())
        code, reason = await client.closed()
    assert (code, len(reason)) == (1008, 123)
    assert "blocked" not in reason


async def test_a_setup_may_be_taken_and_then_refused(serve: Serve) -> None:
    """Right after setupComplete, or when the first question comes."""
    quota = Refusal(1011, refusals.QUOTA, "search", times=1)
    late = (replace(quota, at="ready"), replace(quota, at="asked"))
    server = await serve(turns=(QUICK,), refusals=late)
    search: dict[str, Any] = {"tools": [{"googleSearch": {}}]}
    async with dial(server) as client:
        await client.begin(**search)
        assert (await client.closed())[0] == 1011
    async with dial(server) as client:
        await client.begin(**search)
        await client.until_handle()
        assert await client.silent_for(0.1)
        await client.send(TEXT)
        assert (await client.closed())[0] == 1011
    async with dial(server) as client:
        await client.begin(**search)
        await client.send(TEXT)
        await client.until("turnComplete")


@pytest.mark.parametrize("level", [None, "MINIMAL", "LOW", "HIGH"])
async def test_extended_thinking_wants_a_level(serve: Serve, level: str | None) -> None:
    """None at all is refused as `minimal` is."""
    server = await serve()
    thinking = {} if level is None else {"thinkingConfig": {"thinkingLevel": level}}
    async with dial(server) as client:
        await client.send(setup(EXTENDED, generationConfig=thinking))
        if level in ("LOW", "HIGH"):
            await client.until("setupComplete")
        else:
            assert await client.closed() == (1007, INVALID)


def test_the_first_that_is_met_refuses() -> None:
    """Each counts the setups that it concerns, also those it lets pass."""
    two = Refusals([Refusal(1, field="search", times=1), Refusal(2, after=1, times=2)])
    taken = [two.take("m", fields) for fields in [("search",), ("search",), (), (), ()]]
    assert [refusal and refusal.code for refusal in taken] == [1, None, 2, 2, None]


def test_a_setup_is_told_by_its_fields() -> None:
    """Sorted by name; what every setup has is none."""
    message = setup(generationConfig={"responseModalities": ["AUDIO"]}, tools=[])
    assert fields_of(message["setup"]) == (
        "input_transcription",
        "output_transcription",
        "resumption",
    )


def test_counts_below_nothing_are_refused() -> None:
    """When the refusal is built."""
    with pytest.raises(ScriptError, match="times is -1 and after 0"):
        Refusal(times=-1)


@pytest.mark.filterwarnings("ignore::UserWarning")
async def test_the_sdk_sees_a_refused_field_and_its_setup_is_understood(serve: Serve) -> None:
    """The real client's mixture of camelCase and snake_case names the same fields."""
    server = await serve(refusals=(Refusal(field="turn_coverage", times=1),))
    for times in range(2):
        setup_of = config()
        if times:
            setup_of.realtime_input_config = None
            async with client_of(server).aio.live.connect(model=MODEL, config=setup_of):
                continue
        with pytest.raises(errors.APIError) as refused:
            async with client_of(server).aio.live.connect(model=MODEL, config=setup_of):
                pass
        assert refused.value.code == 1007
    everything = {*get_args(SetupField)} - {"language", "handle", "activity_detection"}
    fields = [set(record.fields) for record in server.connections]
    assert fields[0] == everything - {"proactivity"}
    assert fields[1] == fields[0] - {"turn_coverage"}


async def test_the_sdk_reads_a_cap_as_its_own_error(serve: Serve) -> None:
    """Code and cut reason."""
    server = await serve(refusals=(Refusal(1008, refusals.PROJECT_CAP),))
    with pytest.raises(errors.APIError, match="monthly spending cap") as refused:
        async with client_of(server).aio.live.connect(
            model=MODEL, config=types.LiveConnectConfig()
        ):
            pass
    assert refused.value.code == 1008
