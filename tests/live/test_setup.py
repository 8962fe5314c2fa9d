"""What a connection is made with."""

from __future__ import annotations

import asyncio
import logging

import pytest
from google.genai import types

from device.config import Live
from device.live.models import profile
from device.live.setup import (
    GOES_ON,
    GOOGLE,
    client_of,
    connect_config,
    host_of,
    load_sdk,
    unusable,
)
from device.live.websocket import LONGEST_BYTES, QUEUE_FRAMES
from device.news import FailureKind
from tests.live.talk import Settings


def test_setup_says_what_is_configured() -> None:
    """Voice, language, instruction, search, handle and compression all arrive."""
    settings = Settings(voice="Kore", language="de-DE", google_search=True)
    config = connect_config(settings, profile(settings.model), "H")
    assert config.response_modalities == [types.Modality.AUDIO]
    assert config.system_instruction == f"Be brief.\n\n{GOES_ON}"
    assert config.speech_config == types.SpeechConfig(
        voice_config=types.VoiceConfig(
            prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore")
        ),
        language_code="de-DE",
    )
    assert config.tools == [types.Tool(google_search=types.GoogleSearch())]
    assert config.session_resumption == types.SessionResumptionConfig(handle="H")
    assert config.thinking_config is not None
    assert config.thinking_config.thinking_level is types.ThinkingLevel.MINIMAL
    assert config.context_window_compression is not None
    assert config.context_window_compression.trigger_tokens == 25_600
    assert config.input_audio_transcription is not None
    assert config.output_audio_transcription is not None
    assert config.realtime_input_config is not None
    assert config.realtime_input_config.turn_coverage is (
        types.TurnCoverage.TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO
    )
    assert config.realtime_input_config.automatic_activity_detection is None


def test_setup_leaves_out_what_is_not_configured() -> None:
    """The defaults of the configuration send no more than they say."""
    settings = Live(resumption=False, connect_timeout_s=10.0)
    config = connect_config(settings, profile("gemini-3.8-live"), None)
    assert config.system_instruction is None
    assert config.speech_config is None
    assert config.tools is None
    assert config.thinking_config is None
    assert config.session_resumption is None


def test_language_is_left_out_where_the_model_closes_on_it() -> None:
    """A voice alone still goes; a language alone leaves nothing."""
    old = profile("gemini-2.5-flash-native-audio-latest")
    assert connect_config(Settings(language="de"), old, None).speech_config is None
    spoken = connect_config(Settings(language="de", voice="Kore"), old, None).speech_config
    assert spoken is not None
    assert spoken.language_code is None
    new = connect_config(Settings(language="de"), profile("gemini-3.8-live"), None).speech_config
    assert new is not None
    assert (new.language_code, new.voice_config) == ("de", None)


def test_every_connection_gets_a_setup_of_its_own() -> None:
    """The SDK rewrites the setup it is given."""
    first = connect_config(Settings(), profile("x"), None)
    assert first is not connect_config(Settings(), profile("x"), None)


async def test_client_is_pinned_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Variables of the SDK change neither key nor address nor version."""
    monkeypatch.setenv("GOOGLE_API_KEY", "other")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://elsewhere.example")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v9")
    client = client_of(Settings(), "mine")
    try:
        assert not client.vertexai
        inner = client._api_client
        assert inner.api_key == "mine"
        assert inner._websocket_base_url() == GOOGLE.replace("https", "wss")
        assert inner._http_options.api_version == "v1beta"
    finally:
        await client.aio.aclose()


async def test_socket_is_tuned_for_a_speaker() -> None:
    """Live API: late pongs never kill a session, long messages are taken, nothing is deflated."""
    client = client_of(Settings(connect_timeout_s=8.0), "mine")
    try:
        options = client._api_client._websocket_ssl_ctx
    finally:
        await client.aio.aclose()
    expected = {
        "ping_interval": 20,
        "ping_timeout": None,
        "open_timeout": 6.0,
        "close_timeout": 1,
        "max_size": LONGEST_BYTES,
        "max_queue": QUEUE_FRAMES,
        "compression": None,
    }
    assert {name: options[name] for name in expected} == expected
    assert options["ssl"].check_hostname
    assert not options["logger"].isEnabledFor(logging.DEBUG)


def test_host_is_named_without_the_rest_of_the_address() -> None:
    """Messages name host and port only."""
    assert host_of(Settings()) == "generativelanguage.googleapis.com"
    assert host_of(Settings(endpoint="https://localhost:1234")) == "localhost:1234"


@pytest.mark.parametrize("key", ["", "a b", "a\n", "schlüssel", "a\x00"])
def test_key_that_no_server_need_be_asked_about(key: str) -> None:
    """What cannot be a key is told without a connection, and not repeated."""
    failure = unusable(key)
    assert failure is not None
    assert failure.kind is FailureKind.KEY
    assert not failure.retryable
    assert not key or key not in failure.message


def test_key_that_may_be_one_is_left_to_the_server() -> None:
    """Only the server knows which keys are valid."""
    assert unusable("AIzaSy-abc_123") is None


async def test_sdk_is_loaded_in_a_thread() -> None:
    """Loading runs a loop of its own for what the SDK only loads inside one."""
    load_sdk.cache_clear()
    await asyncio.to_thread(load_sdk)
    assert load_sdk.cache_info().misses == 1
