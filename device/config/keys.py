"""Every key of the configuration has its type, default, range and meaning here.

The docstring of a key is also its description in the JSON Schema. Seconds are floats, percent and
tokens are integers, lists are tuples.

Tested in tests/config/test_load.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from device.config.camera import Rotation, Source, Stream, Use
from device.config.kinds import (
    ApiVersion,
    AutoOnOff,
    ButtonAction,
    Currency,
    DeviceName,
    EchoCancellation,
    Endpoint,
    Gpio,
    HoldAction,
    Language,
    Limit,
    LiveModel,
    NightHours,
    OnOff,
    PersonaName,
    PrometheusPath,
    Voice,
    auto_or_number,
    shape,
    three_pins,
    wake_model,
)
from device.config.mcp import (
    EXAMPLE,
    MOST_SERVERS,
    URL_EXAMPLE,
    Command,
    CredentialName,
    Patterns,
    ServerName,
    ServerUrl,
    TokenUrl,
)
from device.config.mixer import EXAMPLE as MIXER_EXAMPLE
from device.config.mixer import Mixer

# --- the file's sections -------------------------------------------------------------------------


class _Settings(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class _Section(_Settings):
    @model_validator(mode="before")
    @classmethod
    def _all_commented_out(cls, data: Any) -> Any:
        """A section of which only the name is left, its keys commented out, is all defaults."""
        return {} if data is None else data


class Compression(_Section):
    """When and how far the server shortens a long conversation."""

    trigger_tokens: int = Field(default=25_600, ge=2, le=128_000)
    """Length in tokens at which the oldest turns are dropped. Lower costs less."""
    target_tokens: int = Field(default=12_800, ge=1, le=128_000)
    """Length in tokens that is left after dropping; less than trigger_tokens."""


class Vad(_Section):
    """How the server finds out when you speak; null and auto leave it to the server."""

    start: Literal["auto", "high", "low"] = "auto"
    """How readily it takes a sound for the beginning of speech."""
    end: Literal["auto", "high", "low"] = "auto"
    """How readily it takes a pause for the end of it."""
    prefix_ms: int | None = Field(default=None, ge=0, le=2_000, examples=[100])
    """Milliseconds of speech before its beginning counts."""
    silence_ms: int | None = Field(default=None, ge=100, le=5_000, examples=[800])
    """Milliseconds of silence before its end counts."""


class Live(_Section):
    """The Gemini Live API: which model answers, and how."""

    model: LiveModel = "gemini-3.1-flash-live-preview"
    """The model's name."""
    fallback_models: tuple[LiveModel, ...] = ("gemini-3.8-live",)
    """Tried in this order when the model is gone."""
    endpoint: Endpoint | None = None
    """https://host:port of another server that speaks the Live API; null is Google's."""
    api_version: ApiVersion = "v1beta"
    """Version of the API."""
    voice: Voice | None = None
    """A prebuilt voice's name, such as Kore; null leaves it to the model."""
    language: Language | None = None
    """Language of the conversation as a BCP-47 tag, such as de-DE; null leaves it to the model."""
    system_instruction: str = ""
    """Who the assistant is and how it should answer; empty for none."""
    thinking_level: Literal["minimal", "low", "medium", "high"] = "minimal"
    """How long the model thinks before it answers; only sent to models that take it."""
    media_resolution: Literal["auto", "low", "medium", "high"] = "auto"
    """How closely the model looks at the camera's pictures; only sent where a camera is on. auto is
    medium, and low while camera.stream is on."""
    about_itself: OnOff = True
    """Whether the model is told the date, the time, the place, and what this speaker can do."""
    google_search: AutoOnOff = "auto"
    """Whether the model may look things up with Google Search (billed extra); auto: where the key
    allows it."""
    resumption: OnOff = True
    """Whether a conversation goes on over a new connection when the server ends the old one."""
    compression: Compression = Compression()
    """When and how far the server shortens a long conversation."""
    repeat_s: float = Field(default=10.0, ge=0, le=30)
    """Seconds of an unanswered sentence that are sent again when its connection is lost."""
    connect_timeout_s: float = Field(default=10.0, ge=1, le=60)
    """Seconds a connection may take until the server is ready."""
    vad: Vad = Vad()
    """How the server finds out when you speak."""
    token_url: TokenUrl | None = Field(
        default=None, examples=["https://tokens.home.arpa:8790/token"]
    )
    """Where each conversation gets an ephemeral token, so that no key is needed; null: the key."""
    token_credential: CredentialName | None = Field(default=None, examples=["tokens"])
    """Name of the file beside the key with what the token server is asked with, as bearer."""


class Word(_Settings):
    """One wake word."""

    model: Annotated[str, AfterValidator(wake_model), Field(examples=["hey_jarvis"])]
    """A bundled word's name, or the absolute path of an openWakeWord .onnx file."""
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Score from which it counts, above 0 up to 1. Higher wakes less often by mistake."""
    playback_threshold: float = Field(default=0.3, gt=0, le=1)
    """Score from which it counts when somebody talks over the speaker; never above threshold."""
    persona: PersonaName | None = Field(default=None, examples=["puck"])
    """Name of the persona that answers to it, one of personas; null: live and tools as they are."""


class Wake(_Section):
    """Wake words, and when a score counts as heard."""

    words: tuple[Word, ...] = Field(default=(Word(model="hey_jarvis"),), min_length=1)
    """The wake words; any of them wakes the speaker."""
    patience: int = Field(default=1, ge=1, le=10)
    """Hops of 80 ms in a row that must reach the threshold."""
    refractory_s: float = Field(default=2.0, ge=0, le=10)
    """Seconds after a detection during which the same word is not detected again."""
    pre_roll_s: float = Field(default=1.5, ge=1.0, le=5.0)
    """Seconds of sound from before the detection that are sent along."""
    keep: Literal["none", "near", "all"] = "none"
    """Of which wakes clips of a few seconds are kept, on this device only: of none, of near misses,
    or of all; see `parley wakes`."""


class Input(_Section):
    """The microphone."""

    device: DeviceName = "auto"
    """auto, or a part of the device's name as `parley devices` shows it; never a number."""
    channel: Annotated[
        int | Literal["auto"], auto_or_number(("auto",), 31, "a channel's number from 0 to 31")
    ] = "auto"
    """auto, or which channel of the array to listen to, counted from 0."""
    rate_hz: Annotated[
        int | Literal["auto"],
        auto_or_number(("auto",), 192_000, "a sample rate from 8000 to 192000 Hz", 8_000),
    ] = "auto"
    """auto, or the sample rate in Hz at which the card is asked to record first."""


class Output(_Section):
    """The loudspeaker."""

    device: DeviceName = "auto"
    """auto (the microphone's own card where it can speak), or a part of the device's name as
    `parley devices` shows it; never a number."""
    channels: Annotated[
        int | Literal["auto"],
        auto_or_number(("auto",), 32, "a number of channels from 1 to 32", 1),
    ] = "auto"
    """auto, or how many of the card's channels must be filled for it to sound."""


class Audio(_Section):
    """Microphone, loudspeaker, and the echo between them."""

    input: Input = Input()
    """The microphone."""
    output: Output = Output()
    """The loudspeaker."""
    volume: int = Field(default=60, ge=0, le=100)
    """How loud replies and chimes are when the speaker starts, percent."""
    echo_cancellation: EchoCancellation = "auto"
    """Who takes the speaker's own voice out of the microphone's sound."""
    duplex: Literal["auto", "full", "half"] = "auto"
    """full listens during a reply, so that it can be interrupted by speech; half does not; auto is
    full where the measured echo allows it."""
    chimes: OnOff = True
    """Short sounds when it wakes, ends a conversation or fails."""
    announcements: OnOff = True
    """Spoken sentences when something is wrong, in the language of the conversation."""


class Lights(_Section):
    """The LEDs."""

    driver: Literal["auto", "none", "gpio", "apa102", "xvf3000", "xvf3800", "terminal"] = "auto"
    """What the LEDs are connected to."""
    brightness: int = Field(default=40, ge=0, le=100)
    """Percent of full brightness."""
    pins: Annotated[tuple[Gpio, Gpio, Gpio], BeforeValidator(three_pins)] = (17, 27, 22)
    """GPIO numbers of red, green and blue, for driver gpio."""
    count: Annotated[
        int | Literal["auto"], auto_or_number(("auto",), 64, "a number of LEDs from 1 to 64", 1)
    ] = "auto"
    """auto (as many as the board has), or how many LEDs the chain has, for driver apa102."""
    spi: Annotated[
        str, shape(r"auto|spidev[0-9]\.[0-9]", "is not an SPI device: write auto or e.g. spidev0.0")
    ] = "auto"
    """auto, or the SPI device that the chain is on, for driver apa102."""
    power_pin: Annotated[
        int | Literal["auto", "none"],
        auto_or_number(("auto", "none"), 27, "a GPIO number from 0 to 27"),
    ] = "auto"
    """auto (what the board has), the GPIO number that gives the chain current while it is high, or
    none."""
    night: NightHours | None = None
    """When it is night, such as 22:00-07:00, by the clock of the place; null is never."""
    night_brightness: int = Field(default=10, ge=1, le=100)
    """Percent of full brightness at night; never brighter than by day."""
    off_states: tuple[Literal["idle", "connecting", "listening", "thinking", "speaking"], ...] = (
        Field(default=(), examples=[("idle",)])
    )
    """States that show no light. Faults, mute, and that the microphone is being sent always do."""
    rotation_deg: int = Field(default=0, ge=-359, le=359)
    """Degrees by which the ring points too little, along the LEDs; its own zero is known."""
    mirrored: OnOff = False
    """Whether the LEDs run the other way round than the array's directions."""


class ButtonGestures(_Section):
    """What each gesture of the button does.

    talk at rest begins to listen, silences an answer, and else sends it away; mute also unmutes.
    """

    tap: ButtonAction = "talk"
    """Pressed and released."""
    double_tap: ButtonAction = "none"
    """Twice within 0.4 s. With it a tap at rest counts 0.4 s later, when no second one came."""
    hold: HoldAction = "push_to_talk"
    """Held for 0.5 s."""
    long_hold: ButtonAction = "mute"
    """Held for 3 s; when held to talk, 3 s in which nobody spoke."""


class Button(_Section):
    """The push button."""

    pin: Annotated[
        int | Literal["auto", "none"],
        auto_or_number(("auto", "none"), 27, "a GPIO number from 0 to 27"),
    ] = "auto"
    """auto (what the board has), a GPIO number, or none."""
    gestures: ButtonGestures = ButtonGestures()
    """What each gesture does."""


class Conversation(_Section):
    """How long it listens and waits."""

    follow_up_s: float = Field(default=6.0, ge=0, le=3_600)
    """Seconds it listens on after a reply, without the wake word; 0 is not at all."""
    follow_up: Literal["always", "questions", "never"] = "always"
    """After which replies it listens on: always, after those that end with a question, never."""
    resume_reply: OnOff = True
    """Whether a reply that a wake word paused goes on when nobody says anything after it."""
    session_keep_s: float = Field(default=120.0, ge=0, le=86_400)
    """Seconds an idle session stays open after that: its answers come a little faster."""
    resume_within_s: float = Field(default=7_200.0, ge=0, le=86_400)
    """Seconds after its end during which the next wake word continues the talk; 0 is never."""
    max_session_s: float = Field(default=3_600.0, ge=1, le=86_400)
    """Seconds after which a session is ended, however busy."""
    max_listen_s: float = Field(default=30.0, ge=3, le=300)
    """Seconds it listens to one person without a pause before it gives up."""
    reply_timeout_s: float = Field(default=15.0, ge=2, le=120)
    """Seconds it waits for an answer before it says that something is wrong."""


class Privacy(_Section):
    """What is written down."""

    log_transcripts: OnOff = False
    """Whether what was said is written to the journal."""


class McpServer(_Settings):
    """A server that speaks the Model Context Protocol; the model can call what it offers."""

    name: ServerName
    """What its functions begin with: home makes home_HassTurnOn. Small letters and digits."""
    url: ServerUrl | None = Field(default=None, examples=[URL_EXAMPLE])
    """Where it answers over HTTP; http only at home where there is a credential."""
    command: Command = ()
    """What starts it on this device, a word per item; it gets the sandbox of the speaker."""
    credential: CredentialName | None = Field(default=None, examples=["home"])
    """Name of the file beside the key with the token it is given: as bearer, as MCP_TOKEN."""
    only: Patterns = Field(default=(), examples=[("HassTurn*",)])
    """Patterns of the tools that are taken; an empty list takes all."""
    never: Patterns = Field(default=(), examples=[("HassUnlock*",)])
    """Patterns of the tools that are left out, also of those in only."""
    confirm: Patterns = Field(default=(), examples=[("HassOpen*",)])
    """Patterns of the tools before which the speaker asks aloud, and acts on a yes only."""
    timeout_s: float = Field(default=10.0, ge=1, le=60)
    """Seconds that a call may take until the model is told that there is no answer."""


class Tools(_Section):
    """What the model can do with this speaker when it is asked to."""

    timers: OnOff = True
    """Whether it can set timers, alarms and reminders; what is set rings in any case."""
    device: OnOff = True
    """Whether it can change the volume, mute, hang up, and tell the time and how it stands."""
    camera: Use = "off"
    """off, or on_request: whether it can take a picture when it is asked to look at something."""
    mcp: tuple[McpServer, ...] = Field(default=(), max_length=MOST_SERVERS, examples=[(EXAMPLE,)])
    """MCP servers whose tools it can call, such as Home Assistant's."""


class Camera(_Section):
    """The camera; tools.camera says whether it is used at all."""

    source: Source = "auto"
    """auto, rpicam (a camera on the Pi's own connector), a path in /dev/v4l/by-id, or file: and
    the path of a picture or a folder of pictures."""
    rotate: Rotation = 0
    """Degrees by which its pictures are turned clockwise to be upright: 0, 90, 180 or 270."""
    stream: Stream = "off"
    """off, or while_talking: whether a picture a second is sent while somebody talks to it."""


class Timers(_Section):
    """Timers, alarms and reminders, whoever sets them."""

    ring_s: float = Field(default=300.0, ge=10, le=3_600)
    """Seconds that something rings when nobody stops it."""
    volume: int | None = Field(default=None, ge=0, le=100, examples=[60])
    """How loud it rings, percent; null is as loud as the speaker is, and never below 20."""


class Records(_Section):
    """What is written down of what left the device, and what it cost."""

    keep_days: int = Field(default=90, ge=1, le=3_650)
    """Days that it is kept; what the running month has cost is kept for as long as that lasts."""
    prometheus: PrometheusPath | None = Field(default=None, examples=["/run/parley/parley.prom"])
    """A text file of figures for Prometheus (node_exporter's textfile collector); null is none."""


def _nothing_written(value: object) -> object:
    return {} if value is None else value


class ModelPrices(_Section):
    """What a model costs, in US dollars a million tokens; null is as in Parley's own table."""

    text_in: float | None = Field(default=None, ge=0, le=100_000, examples=[0.75])
    """Text on its way to the model, instructions and declared functions among it."""
    audio_in: float | None = Field(default=None, ge=0, le=100_000, examples=[3.0])
    """Sound on its way to the model."""
    image_in: float | None = Field(default=None, ge=0, le=100_000, examples=[1.0])
    """Pictures."""
    text_out: float | None = Field(default=None, ge=0, le=100_000, examples=[4.5])
    """Text that the model writes."""
    audio_out: float | None = Field(default=None, ge=0, le=100_000, examples=[12.0])
    """What the model says, and thinks."""
    search_per_1000: float | None = Field(default=None, ge=0, le=100_000, examples=[14.0])
    """A thousand searches with Google, beyond the free ones of a month."""


class Spending(_Section):
    """What the model may cost, by an estimate: prices times the tokens that the server counts."""

    currency: Currency = "USD"
    """In what the limits are, and what is shown; by its three letters."""
    per_usd: float | None = Field(default=None, gt=0, le=1_000_000, examples=[0.92])
    """How much of that currency a US dollar is; needed for any other than USD."""
    day: Limit = Field(default=None, ge=0.01, le=1_000_000, examples=[0.5])
    """How much may be spent from midnight to midnight, local time; null is no limit."""
    month: Limit = Field(default=None, ge=0.01, le=1_000_000, examples=[10.0])
    """How much may be spent in a month of the calendar; null is no limit."""
    prices: Annotated[Mapping[LiveModel, ModelPrices], BeforeValidator(_nothing_written)] = Field(
        default={}, max_length=50, examples=[{"gemini-3.8-live": {"audio_in": 3.0}}]
    )
    """Prices of models, by their names, where they are others than in Parley's own table."""


class Persona(_Section):
    """Who answers to a wake word of its own. What is null is as in live and tools."""

    voice: Voice | None = Field(default=None, examples=["Puck"])
    """A prebuilt voice's name, such as Puck; null is live.voice."""
    language: Language | None = Field(default=None, examples=["de-DE"])
    """Language it speaks as a BCP-47 tag, such as de-DE; null is live.language."""
    system_instruction: str | None = None
    """Who it is and how it should answer; null is live.system_instruction, "" none."""
    model: LiveModel | None = Field(default=None, examples=["gemini-3.8-live"])
    """The model's name; null is live.model. When it is gone, live.fallback_models answer."""
    thinking_level: Literal["minimal", "low", "medium", "high"] | None = Field(
        default=None, examples=["low"]
    )
    """How long it thinks before it answers; null is live.thinking_level."""
    google_search: AutoOnOff | None = Field(default=None, examples=["auto"])
    """Whether it may look things up with Google Search; null is live.google_search."""
    tools: tuple[str, ...] | None = Field(
        default=None, max_length=2 * MOST_SERVERS, examples=[("timers", "device")]
    )
    """Which functions it may call, of those that are on: keys of tools, such as timers, and names
    of tools.mcp; null is all of them, an empty list none."""
    hue: int | None = Field(default=None, ge=0, le=359, examples=[120])
    """Colour of its talks on the lights, degrees: 0 red, 120 green, 240 blue; null is as ever."""


MOST_PERSONAS = 8
"""As many characters are told apart by few; each may keep a talk and its sentences."""


class Config(_Section):
    """Parley's configuration. Every key may be left out."""

    live: Live = Live()
    """The Gemini Live API: which model answers, and how."""
    wake: Wake = Wake()
    """Wake words, and when a score counts as heard."""
    audio: Audio = Audio()
    """Microphone, loudspeaker, and the echo between them."""
    board: Annotated[
        str, shape(r"[a-z0-9][a-z0-9_-]*", "is not a board: write auto or a profile's name")
    ] = "auto"
    """auto, or the name of a board's profile."""
    mixer: Mixer = Field(default_factory=dict, examples=[MIXER_EXAMPLE])
    """Levels of the sound cards in use, by amixer's names; they outrank what the board needs."""
    lights: Lights = Lights()
    """The LEDs."""
    button: Button = Button()
    """The push button."""
    conversation: Conversation = Conversation()
    """How long it listens and waits."""
    privacy: Privacy = Privacy()
    """What is written down."""
    place: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Where the speaker stands, such as Berlin, Germany: told to the model."""
    tools: Tools = Tools()
    """What the model can do with this speaker."""
    camera: Camera = Camera()
    """The camera; tools.camera says whether it is used at all."""
    timers: Timers = Timers()
    """Timers, alarms and reminders, whoever sets them."""
    records: Records = Records()
    """What is written down of what left the device, and what it cost."""
    spending: Spending = Spending()
    """What the model may cost."""
    personas: Annotated[Mapping[PersonaName, Persona], BeforeValidator(_nothing_written)] = Field(
        default={}, max_length=MOST_PERSONAS, examples=[{"puck": {"voice": "Puck"}}]
    )
    """Who answers to which wake word, by name: each has its own voice, instruction and talk."""
