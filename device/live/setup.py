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
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

from device.credentials.api_key import RENEWAL, flaw
from device.credentials.certificates import certificates
from device.live import websocket
from device.live.introduction import filled, introduction
from device.live.models import Calls, ModelProfile
from device.live.refusals import Field
from device.live.token import PREFIX
from device.news import Failure, FailureKind
from device.ports import Declaration

if TYPE_CHECKING:
    from google import genai
    from google.genai import types

GOOGLE = "https://generativelanguage.googleapis.com"
"""Live API: where Google serves it; ``live.endpoint`` names another server."""

VERSION_OF_TOKENS = "v1alpha"
"""Live API: the only version of it that makes and takes ephemeral tokens, by the SDK's own word."""

GOES_ON = "This conversation goes on after a change of connection: do not greet the user again."
"""What every resumed session is told. Live API: a resumed talk may begin with a greeting, or be
resumed without what was said."""


class CompressionSettings(Protocol):
    """``live.compression`` of the configuration."""

    @property
    def trigger_tokens(self) -> int: ...  # noqa: D102 - as in the configuration
    @property
    def target_tokens(self) -> int: ...  # noqa: D102 - as in the configuration


class VadSettings(Protocol):
    """``live.vad`` of the configuration.

    Live API: every model of the table takes it; 3.1 is reported to ignore ``silence_ms``.
    """

    @property
    def start(self) -> str: ...  # noqa: D102 - as in the configuration
    @property
    def end(self) -> str: ...  # noqa: D102 - as in the configuration
    @property
    def prefix_ms(self) -> int | None: ...  # noqa: D102 - as in the configuration
    @property
    def silence_ms(self) -> int | None: ...  # noqa: D102 - as in the configuration


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
    def media_resolution(self) -> str: ...  # noqa: D102 - as in the configuration
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
    @property
    def vad(self) -> VadSettings: ...  # noqa: D102 - as in the configuration


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


def client_of(settings: LiveSettings, key: str, dialler: websocket.Dialler) -> genai.Client:
    """Build the SDK's client. Takes seconds the first time and tenths later: call it in a thread.

    ``key`` may be an ephemeral token, which Google takes in one version of the API only.
    The certificates trusted are the system's, or those that ``SSL_CERT_FILE`` names. ``dialler``
    makes its connections. Raises OSError or ValueError when the certificates cannot be used.
    """
    from google import genai  # noqa: PLC0415 - heavy
    from google.genai import types  # noqa: PLC0415 - heavy

    # Of a word that it does not know the SDK warns in the server's own characters, on standard
    # error; and each of them would be remembered for ever.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"google\.genai\._common$")
    token = key.startswith(PREFIX)
    if token:
        # That its support is experimental is known.
        warnings.filterwarnings("ignore", message="The SDK's ephemeral token support")
    trust = certificates()
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
            api_version=VERSION_OF_TOKENS if token else settings.api_version,
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
    facts: str = ""
    """What whoever offers them tells of itself."""
    streams: bool = False
    """Whether a picture a second goes up while somebody talks."""

    def for_model(self, profile: ModelProfile) -> Surroundings:
        """Return the same without what this model cannot do."""
        if profile.sees_during_calls:
            return self
        declared = [each for each in self.declared if not each.shows]
        lost = {each.ability for each in self.declared} - {each.ability for each in declared}
        abilities = [each for each in self.abilities if each not in lost]
        return replace(self, declared=declared, abilities=abilities)

    @property
    def sees(self) -> bool:
        """Whether the camera's pictures may go up."""
        return self.streams or any(each.shows for each in self.declared)


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

    around = around.for_model(profile)
    sent = optional_fields(settings, profile, around, manual=manual) - without
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
        media_resolution=(
            _resolution(settings, around) if Field.MEDIA_RESOLUTION in sent else None
        ),
        tools=[*_tools(profile, sent, around)] or None,
        input_audio_transcription=transcription if Field.INPUT_TRANSCRIPTION in sent else None,
        output_audio_transcription=transcription if Field.OUTPUT_TRANSCRIPTION in sent else None,
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=_detection(settings.vad, sent, manual=manual),
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
    facts = around.facts if Field.FUNCTIONS in sent else ""
    return introduction(now, around.place, settings.language, abilities, facts)


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


def optional_settings(settings: LiveSettings) -> str:
    """Return what the owner has set of that which may be left out, to be compared only."""
    vad, compression = settings.vad, settings.compression
    return repr(
        [
            *(settings.voice, settings.language, settings.thinking_level),
            *(settings.google_search, settings.media_resolution, settings.resumption),
            *(vad.start, vad.end, vad.prefix_ms, vad.silence_ms),
            *(compression.trigger_tokens, compression.target_tokens),
        ]
    )


def optional_fields(
    settings: LiveSettings,
    profile: ModelProfile,
    around: Surroundings = NOWHERE,
    *,
    manual: bool = False,
) -> frozenset[Field]:
    """Return what a setup with these settings has that could be left out of it.

    ``manual``: as `connect_config` has it. Where a model takes search or functions only, the
    owner's word for search decides.
    """
    around = around.for_model(profile)
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
        Field.VAD: _is_set(settings.vad) and not manual,
        Field.LANGUAGE: profile.takes_language and settings.language is not None,
        Field.TURN_COVERAGE: True,
        Field.VOICE: bool(settings.voice),
        Field.SEARCH: search,
        Field.FUNCTIONS: functions,
        Field.MEDIA_RESOLUTION: profile.takes_media_resolution and around.sees,
    }
    return frozenset(field for field, there in has.items() if there)


def _resolution(settings: LiveSettings, around: Surroundings) -> types.MediaResolution:
    """Return how closely pictures are looked at.

    Live API: a picture is 64 tokens at low and 256 at medium and high. One that was asked for is to
    be read, and costs as much as ten seconds of sound; at one a second medium would fill the talk
    (25,600 tokens) in a minute and a half, and each of its turns is billed for all of it.
    """
    from google.genai import types  # noqa: PLC0415 - heavy

    wanted = settings.media_resolution
    if wanted == "auto":
        wanted = "low" if around.streams else "medium"
    return types.MediaResolution(f"MEDIA_RESOLUTION_{wanted.upper()}")


def _is_set(vad: VadSettings) -> bool:
    told = {vad.start, vad.end} - {"auto"}
    return bool(told) or vad.prefix_ms is not None or vad.silence_ms is not None


def _detection(
    vad: VadSettings, sent: frozenset[Field], *, manual: bool
) -> types.AutomaticActivityDetection | None:
    """Return how the server finds out when the user speaks; None: as it does by itself.

    ``manual``: not at all, since it is told.
    """
    from google.genai import types  # noqa: PLC0415 - heavy

    if manual:
        return types.AutomaticActivityDetection(disabled=True)
    if Field.VAD not in sent:
        return None
    start, end = vad.start.upper(), vad.end.upper()
    return types.AutomaticActivityDetection(
        start_of_speech_sensitivity=(
            None if start == "AUTO" else types.StartSensitivity(f"START_SENSITIVITY_{start}")
        ),
        end_of_speech_sensitivity=(
            None if end == "AUTO" else types.EndSensitivity(f"END_SENSITIVITY_{end}")
        ),
        prefix_padding_ms=vad.prefix_ms,
        silence_duration_ms=vad.silence_ms,
    )


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
