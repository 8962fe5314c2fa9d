"""`connect_config` makes a fresh setup for every connection, `client_of` the SDK's client.

The SDK changes the setup it is given, so each connection gets one of its own. Nothing is taken from
the SDK's environment variables: key, address and version are always handed over.
"""

from __future__ import annotations

import asyncio
import functools
import os
import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

from device.api_key import RENEWAL, flaw
from device.live import websocket
from device.live.introduction import filled, introduction
from device.live.models import Calls, ModelProfile
from device.live.refusals import Field
from device.news import Failure, FailureKind
from device.ports import Declaration

if TYPE_CHECKING:
    from google import genai
    from google.genai import types

GOOGLE = "https://generativelanguage.googleapis.com"
"""Live API: where Google serves it; ``live.endpoint`` names another server."""

GOES_ON = "This conversation goes on after a change of connection: do not greet the user again."
"""What every resumed session is told. Live API: a resumed talk may begin with a greeting, or be
resumed without what was said."""


class CompressionSettings(Protocol):
    """``live.compression`` of the configuration."""

    @property
    def trigger_tokens(self) -> int: ...  # noqa: D102 - as in the configuration
    @property
    def target_tokens(self) -> int: ...  # noqa: D102 - as in the configuration


class LiveSettings(Protocol):
    """``live`` of the configuration."""

    @property
    def model(self) -> str: ...  # noqa: D102 - as in the configuration
    @property
    def fallback_models(self) -> tuple[str, ...]: ...  # noqa: D102 - as in the configuration
    @property
    def endpoint(self) -> str | None: ...  # noqa: D102 - as in the configuration
    @property
    def api_version(self) -> str: ...  # noqa: D102 - as in the configuration
    @property
    def voice(self) -> str | None: ...  # noqa: D102 - as in the configuration
    @property
    def language(self) -> str | None: ...  # noqa: D102 - as in the configuration
    @property
    def system_instruction(self) -> str: ...  # noqa: D102 - as in the configuration
    @property
    def thinking_level(self) -> str: ...  # noqa: D102 - as in the configuration
    @property
    def about_itself(self) -> bool: ...  # noqa: D102 - as in the configuration
    @property
    def google_search(self) -> bool | Literal["auto"]: ...  # noqa: D102 - as in the configuration
    @property
    def resumption(self) -> bool: ...  # noqa: D102 - as in the configuration
    @property
    def compression(self) -> CompressionSettings: ...  # noqa: D102 - as in the configuration
    @property
    def repeat_s(self) -> float: ...  # noqa: D102 - as in the configuration
    @property
    def connect_timeout_s(self) -> float: ...  # noqa: D102 - as in the configuration


def host_of(settings: LiveSettings) -> str:
    """Return host (and port, where one is given) of the server, for messages."""
    return urlsplit(settings.endpoint or GOOGLE).netloc


def unusable(key: str) -> Failure | None:
    """Return what is wrong with a key that no server needs to be asked about."""
    problem = flaw(key)
    if problem is None:
        return None
    message = f"the API key {problem}: put a valid one {RENEWAL}"
    return Failure(FailureKind.KEY, message, retryable=False)


def unusable_trust(error: OSError | ValueError) -> Failure:
    """Return what `client_of` raised as what is wrong with the certificates to be trusted."""
    text = str(getattr(error, "strerror", None) or error)
    path = os.environ.get("SSL_CERT_FILE")
    if path:
        message = f"SSL_CERT_FILE={path} cannot be used: {text}; correct or unset it"
    else:
        message = f"the system's certificates cannot be used: {text}; reinstall ca-certificates"
    return Failure(FailureKind.TLS, message, retryable=False)


class _NoRequests:
    """What the SDK's client would make its requests over; a Live session makes none.

    Without it the client makes two pools of HTTP connections, each with certificates of its own,
    and imports what those are made of: 6 MB and 0.1 s more at the start, and 20 ms more at the
    opening of each session (measured on amd64; a Pi takes five to ten times as long).
    """

    def close(self) -> None:
        """Close nothing."""

    async def aclose(self) -> None:
        """Close nothing."""


@functools.cache
def load_sdk() -> None:
    """Import all that a session needs of the SDK; it loads much only when it is first used."""
    import websockets.asyncio.client  # noqa: F401, PLC0415 - heavy
    from google import genai  # noqa: PLC0415 - heavy
    from google.genai import live, types  # noqa: F401, PLC0415 - heavy

    async def close() -> None:
        trust = ssl.create_default_context()
        unused = {"transport": _NoRequests(), "verify": trust, "ssl": trust}
        options = types.HttpOptions(client_args=unused, async_client_args=unused)
        await genai.Client(vertexai=False, api_key="none", http_options=options).aio.aclose()

    asyncio.run(close())
    types.LiveConnectConfig(tools=[types.Tool()]).model_dump()
    types.LiveServerMessage(server_content=types.LiveServerContent()).model_dump()


def _trusted() -> ssl.SSLContext:
    """Return the certificates to trust. Raises OSError or ValueError when they cannot be used."""
    trust = ssl.create_default_context()
    # OpenSSL takes a file that is missing or no certificate for one without any.
    if named := os.environ.get("SSL_CERT_FILE"):
        trust.load_verify_locations(cafile=named)
    return trust


def client_of(settings: LiveSettings, key: str, dialler: websocket.Dialler) -> genai.Client:
    """Build the SDK's client. Takes seconds the first time and tenths later: call it in a thread.

    The certificates trusted are the system's, or those that ``SSL_CERT_FILE`` names. ``dialler``
    makes its connections. Raises OSError or ValueError when the certificates cannot be used.
    """
    from google import genai  # noqa: PLC0415 - heavy
    from google.genai import types  # noqa: PLC0415 - heavy

    # Of a word that it does not know the SDK warns in the server's own characters, on standard
    # error; and each of them would be remembered for ever.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"google\.genai\._common$")
    trust = _trusted()
    unused: dict[str, Any] = {"transport": _NoRequests(), "verify": trust}
    options: dict[str, Any] = unused | {
        "ssl": trust,
        # Live API: late pongs kill healthy sessions, and without pings idle connections are
        # dropped on the way: so ping, and never mind the pong.
        "ping_interval": 20,
        "ping_timeout": None,
        # Below the timeout over the whole connect, so that one tells from the other.
        "open_timeout": settings.connect_timeout_s * 0.75,
        "close_timeout": websocket.CLOSE_S,
        "create_connection": dialler,
        "max_size": websocket.LONGEST_BYTES,
        "max_queue": websocket.QUEUE_FRAMES,
        # Base64 of sound hardly shrinks, and a Pi has better uses for its time.
        "compression": None,
        "logger": websocket.WIRE_LOG,
    }
    return genai.Client(
        vertexai=False,
        api_key=key,
        http_options=types.HttpOptions(
            base_url=settings.endpoint or GOOGLE,
            api_version=settings.api_version,
            client_args=unused,
            async_client_args=options,
        ),
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a setup tells beside the section ``live`` of the configuration."""

    place: str | None = None
    """Where the speaker stands."""
    declared: Sequence[Declaration] = ()
    """The functions that the model can call."""
    abilities: Sequence[str] = ()
    """What it can do with them, as verbs."""


NOWHERE = Surroundings()


def connect_config(  # noqa: PLR0913 - what a setup is made of
    settings: LiveSettings,
    profile: ModelProfile,
    handle: str | None,
    earlier: str = "",
    *,
    manual: bool = False,
    without: frozenset[Field] = frozenset(),
    around: Surroundings = NOWHERE,
    now: datetime | None = None,
) -> types.LiveConnectConfig:
    """Return the setup of one connection: what is configured, as far as the model takes it.

    ``earlier`` tells a fresh session what was said before. ``manual``: it is told when the user
    speaks, and does not find out by itself. ``without``: what is left out all the same. ``now``:
    with its zone; None is the present.
    """
    from google.genai import types  # noqa: PLC0415 - heavy

    sent = optional_fields(settings, profile, around) - without
    now = now or datetime.now().astimezone()
    level = profile.thinking_level(settings.thinking_level)
    transcription = types.AudioTranscriptionConfig()
    told = GOES_ON if handle else earlier
    about = _about(settings, sent, around, now) if settings.about_itself else ""
    own = filled(settings.system_instruction, now, around.place)
    instruction = "\n\n".join(filter(None, [about, own, told]))
    return types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        system_instruction=instruction or None,
        speech_config=_speech(settings, sent),
        thinking_config=(
            types.ThinkingConfig(thinking_level=types.ThinkingLevel(level.upper()))
            if level and Field.THINKING in sent
            else None
        ),
        tools=[*_tools(profile, sent, around)] or None,
        input_audio_transcription=transcription if Field.INPUT_TRANSCRIPTION in sent else None,
        output_audio_transcription=transcription if Field.OUTPUT_TRANSCRIPTION in sent else None,
        # The server's own voice activity detection, where it is on, stays at the server's defaults.
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=(
                types.AutomaticActivityDetection(disabled=True) if manual else None
            ),
            turn_coverage=(
                types.TurnCoverage(profile.turn_coverage) if Field.TURN_COVERAGE in sent else None
            ),
        ),
        session_resumption=(
            types.SessionResumptionConfig(handle=handle) if Field.RESUMPTION in sent else None
        ),
        context_window_compression=(
            types.ContextWindowCompressionConfig(
                trigger_tokens=settings.compression.trigger_tokens,
                sliding_window=types.SlidingWindow(
                    target_tokens=settings.compression.target_tokens
                ),
            )
            if Field.COMPRESSION in sent
            else None
        ),
    )


def _about(
    settings: LiveSettings, sent: frozenset[Field], around: Surroundings, now: datetime
) -> str:
    searches = ["look things up on the web"] if Field.SEARCH in sent else []
    abilities = [*searches, *(around.abilities if Field.FUNCTIONS in sent else ())]
    return introduction(now, around.place, settings.language, abilities)


def _tools(profile: ModelProfile, sent: frozenset[Field], around: Surroundings) -> list[types.Tool]:
    """Declare search and functions, each in an entry of its own, as far as they are sent."""
    from google.genai import types  # noqa: PLC0415 - heavy

    tools = [types.Tool(google_search=types.GoogleSearch())] if Field.SEARCH in sent else []
    if Field.FUNCTIONS in sent:
        functions = [_declared(each, profile) for each in around.declared]
        tools.append(types.Tool(function_declarations=functions))
    return tools


def _declared(function: Declaration, profile: ModelProfile) -> types.FunctionDeclaration:
    from google.genai import types  # noqa: PLC0415 - heavy

    # Live API: where a model can do either, it does what takes it longest to answer if not told.
    behavior = None
    if profile.calls is Calls.EITHER:
        behavior = types.Behavior.NON_BLOCKING if function.slow else types.Behavior.BLOCKING
    return types.FunctionDeclaration(
        name=function.name,
        description=function.purpose,
        parameters_json_schema=dict(function.parameters),
        behavior=behavior,
    )


def optional_fields(
    settings: LiveSettings, profile: ModelProfile, around: Surroundings = NOWHERE
) -> frozenset[Field]:
    """Return what a setup with these settings has that could be left out of it.

    Where a model takes search or functions only, the owner's word for search decides.
    """
    search = bool(settings.google_search)
    functions = bool(around.declared)
    if search and functions and not profile.search_beside_functions:
        search = settings.google_search is True
        functions = not search
    has = {
        Field.THINKING: profile.thinking_level(settings.thinking_level) is not None,
        Field.COMPRESSION: True,
        Field.RESUMPTION: settings.resumption,
        Field.INPUT_TRANSCRIPTION: True,
        Field.OUTPUT_TRANSCRIPTION: True,
        Field.LANGUAGE: profile.takes_language and settings.language is not None,
        Field.TURN_COVERAGE: True,
        Field.VOICE: bool(settings.voice),
        Field.SEARCH: search,
        Field.FUNCTIONS: functions,
    }
    return frozenset(field for field, there in has.items() if there)


def _speech(settings: LiveSettings, sent: frozenset[Field]) -> types.SpeechConfig | None:
    from google.genai import types  # noqa: PLC0415 - heavy

    language = settings.language if Field.LANGUAGE in sent else None
    if Field.VOICE not in sent and language is None:
        return None
    voice = (
        types.VoiceConfig(
            prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=settings.voice)
        )
        if Field.VOICE in sent
        else None
    )
    return types.SpeechConfig(voice_config=voice, language_code=language)
