"""What a connection is made with."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.genai import types

from device.config import Live
from device.live.models import profile
from device.live.refusals import Field
from device.live.setup import (
    GOES_ON,
    GOOGLE,
    Surroundings,
    client_of,
    connect_config,
    host_of,
    load_sdk,
    optional_fields,
    unusable,
)
from device.live.websocket import LONGEST_BYTES, QUEUE_FRAMES, Dialler
from device.news import FailureKind
from device.ports import Declaration
from tests.live.talk import Settings, Vad

ROOT = Path(__file__).parents[2]


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
    settings = Live(
        about_itself=False, google_search=False, resumption=False, connect_timeout_s=10.0
    )
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
    client = client_of(Settings(), "mine", Dialler())
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
    client = client_of(Settings(connect_timeout_s=8.0), "mine", Dialler())
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


def test_what_the_sdk_never_uses_here_is_not_loaded() -> None:
    """Neither pools of HTTP connections nor what they are made of: 6 MB of a speaker at rest."""
    program = "import sys; from device.live.setup import load_sdk; load_sdk(); print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(told.stdout.split())
    assert "google.genai.live" in loaded
    assert not loaded & {"httpcore2", "h11", "truststore", "anyio._backends._asyncio"}


def test_a_client_may_be_closed_though_it_has_no_pools() -> None:
    """The SDK closes what it was given."""
    client = client_of(Settings(), "mine", Dialler())
    client.close()
    asyncio.run(client.aio.aclose())


# --- the speaker's own sentences, search and functions --------------------------------------------

LAMP = Declaration("lamp", "Switch the lamp.", {"type": "object", "properties": {}})
SLOW = replace(LAMP, name="slow", slow=True)
AROUND = Surroundings("Berlin", (LAMP, SLOW), ("switch the lamp",))
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def told(live: Live, model: str = "gemini-3.8-live", **about: Any) -> str:
    config = connect_config(live, profile(model), None, around=AROUND, now=NOON, **about)
    assert isinstance(config.system_instruction, str)
    return config.system_instruction


def declared(live: Live, model: str, **about: Any) -> list[str]:
    """What is declared, each as a word."""
    config = connect_config(live, profile(model), None, around=AROUND, **about)
    words: list[str] = []
    for tool in config.tools or ():
        assert isinstance(tool, types.Tool)
        words += ["search"] if tool.google_search is not None else []
        for each in tool.function_declarations or ():
            behavior = each.behavior.value.lower() if each.behavior else "-"
            words.append(f"{each.name} {behavior}")
    return words


def test_what_it_is_told_of_itself_stands_before_the_owners_own_text() -> None:
    """With what was said before at the end."""
    text = told(Live(system_instruction="You are a pirate in {place}."), earlier="You said: ahoy.")
    about, own, earlier = text.split("\n\n")
    assert "12:00 UTC (UTC+00:00) in Berlin" in about
    assert "look things up on the web; switch the lamp" in about
    assert (own, earlier) == ("You are a pirate in Berlin.", "You said: ahoy.")


def test_the_owner_may_want_no_such_sentences() -> None:
    """Their own text is filled in all the same."""
    assert told(Live(about_itself=False, system_instruction="It is {time}.")) == (
        "It is 12:00 UTC (UTC+00:00)."
    )


def test_it_does_not_claim_what_was_left_out() -> None:
    """Search may need a paid key."""
    text = told(Live(), without=frozenset({Field.SEARCH, Field.FUNCTIONS}))
    assert "look things up on the web" in text.split("It cannot: ")[1]
    assert "switch the lamp" not in text


@pytest.mark.parametrize(
    ("model", "search", "expected"),
    [
        ("gemini-3.1-flash-live-preview", "auto", ["search", "lamp -", "slow -"]),
        ("gemini-3.8-live", "auto", ["search", "lamp blocking", "slow non_blocking"]),
        ("gemini-3.8-live-extended-thinking", True, ["search", "lamp -", "slow -"]),
        ("gemini-3.8-live", False, ["lamp blocking", "slow non_blocking"]),
        (
            "gemini-2.5-flash-native-audio-latest",
            "auto",
            ["lamp blocking", "slow non_blocking"],
        ),
        ("gemini-2.5-flash-native-audio-latest", True, ["search"]),
        ("a-model-of-tomorrow", "auto", ["lamp -", "slow -"]),
    ],
)
def test_functions_and_search_are_declared_as_each_model_takes_them(
    model: str, search: Any, expected: list[str]
) -> None:
    """Where it takes only one of them, the owner's word for search decides."""
    assert declared(Live(google_search=search), model) == expected
    assert declared(Live(google_search=search), model, without=frozenset(Field)) == []


# --- how the server finds out when the user speaks -----------------------------------------------


def detection(**settings: Any) -> types.AutomaticActivityDetection | None:
    manual, without = settings.pop("manual", False), settings.pop("without", frozenset())
    chosen = Settings(vad=Vad(**settings))
    config = connect_config(
        chosen, profile("gemini-3.8-live"), None, manual=manual, without=without
    )
    assert config.realtime_input_config is not None
    return config.realtime_input_config.automatic_activity_detection


def test_what_is_set_of_it_is_sent_and_nothing_else() -> None:
    """Each part by itself; all that is auto or null stays the server's own."""
    assert detection() is None
    low = detection(end="low", silence_ms=800)
    assert low == types.AutomaticActivityDetection(
        end_of_speech_sensitivity=types.EndSensitivity.END_SENSITIVITY_LOW,
        silence_duration_ms=800,
    )
    high = detection(start="high", prefix_ms=0)
    assert high == types.AutomaticActivityDetection(
        start_of_speech_sensitivity=types.StartSensitivity.START_SENSITIVITY_HIGH,
        prefix_padding_ms=0,
    )


def test_a_held_button_is_told_and_not_found_out() -> None:
    """Whatever is set: it would end the user's speech while the button is held."""
    told = types.AutomaticActivityDetection(disabled=True)
    assert detection(manual=True, start="high", silence_ms=100) == told
    assert detection(manual=True, without=frozenset({Field.VAD})) == told


def test_it_may_be_left_out_where_it_is_set() -> None:
    """Of a setup that was refused."""
    assert Field.VAD in optional_fields(Settings(vad=Vad(prefix_ms=0)), profile("other"))
    assert Field.VAD not in optional_fields(Settings(), profile("gemini-3.8-live"))
    held = optional_fields(Settings(vad=Vad(prefix_ms=0)), profile("other"), manual=True)
    assert Field.VAD not in held, "it is not in such a setup, and to blame for nothing"
    assert detection(end="low", without=frozenset({Field.VAD})) is None


# --- ephemeral tokens ----------------------------------------------------------------------------


async def test_a_token_is_for_one_version_of_the_api() -> None:
    """Whatever the configuration says of it; the SDK's own doubts are told to nobody."""
    name = "auth_tokens/4969d96da97639001864b5be08549d58"
    client = await asyncio.to_thread(client_of, Settings(), name, Dialler())
    try:
        options = client._api_client._http_options
        assert options.api_version == "v1alpha"
    finally:
        await client.aio.aclose()
