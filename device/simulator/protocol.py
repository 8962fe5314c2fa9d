"""(pure) The protocol says what a client may send when, on one connection.

Theory of operation: :class:`Protocol` follows one connection from its first message. It knows what
was agreed at setup, whether the setup was answered, and which function calls are unanswered; with
that every message is either one of the inputs below or a RefusedError with the close code and the
reason the real server gives.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device.simulator.calls import Calls
from device.simulator.pictures import MIME_TYPE, MOST_BYTES, Shape, shape_of
from device.simulator.schema import INVALID_ARGUMENT, RefusedError, read_message
from device.simulator.setup_rules import UNSUPPORTED, Taken, take_setup

IN_FLIGHT_S = 0.5
"""Audio that comes so soon after a tool call was on its way before the client knew of it."""

URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Audio:
    """Microphone audio, s16le mono."""

    pcm: bytes
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text as user input."""

    text: str


@dataclass(frozen=True, slots=True)
class ActivityStart:
    """The client says that the user began to speak."""


@dataclass(frozen=True, slots=True)
class ActivityEnd:
    """The client says that the user has finished."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The microphone pauses; what is buffered is to be looked at now."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Results of function calls, of those not cancelled."""

    responses: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Content:
    """Turns put into the history; ``complete`` asks for a reply."""

    turns: tuple[Mapping[str, Any], ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of what the client sees."""

    jpeg: bytes
    shape: Shape


@dataclass(frozen=True, slots=True)
class Other:
    """A context update: taken, and nothing comes of it."""


Input = (
    Taken
    | Audio
    | Text
    | ActivityStart
    | ActivityEnd
    | StreamEnd
    | Answers
    | Content
    | Picture
    | Other
)


class Protocol:
    """The rules for one connection."""

    def __init__(self, models: Sequence[str], api_versions: Sequence[str], version: str) -> None:
        self._models = models if version in api_versions else ()
        self._version = version
        self._in_activity = False
        self._activity_audio = False
        self._realtime_began = False
        self.calls = Calls()
        self.taken: Taken | None = None
        self.ready = False
        """Set by the server when it sends ``setupComplete``."""

    @staticmethod
    def read(data: bytes | str) -> tuple[str, dict[str, Any]]:
        """Return the kind of a message and its content in camelCase. Raises RefusedError."""
        try:
            raw = json.loads(data)
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise RefusedError(1007, "Invalid JSON payload received. Syntax error.") from None
        return read_message(raw)

    def judge(self, kind: str, content: Mapping[str, Any], now: float) -> Input:
        """Return what a message asks for; ``now`` in seconds of the clock of the calls.

        Raises RefusedError.
        """
        if kind == "setup":
            if self.taken is not None:
                raise RefusedError(1007, INVALID_ARGUMENT)
            self.taken = take_setup(content, self._models, self._version)
            return self.taken
        if self.taken is None or not self.ready:
            raise RefusedError(1007, INVALID_ARGUMENT)
        return self._session_input(kind, content, self.taken, now)

    def _session_input(
        self, kind: str, content: Mapping[str, Any], taken: Taken, now: float
    ) -> Input:
        match kind:
            case "realtimeInput":
                self._realtime_began = True
                return self._realtime(content, taken, now)
            case "toolResponse":
                return self._answers(content, taken)
            case "clientContent":
                turns = tuple(content.get("turns", []))
                late = taken.family == "3.1" and (self._realtime_began or not taken.takes_history)
                if late or any(turn.get("role") not in ("user", "model") for turn in turns):
                    raise RefusedError(1007, INVALID_ARGUMENT)
                return Content(turns, bool(content.get("turnComplete", False)))
            case _:
                # Whether the Developer API takes contextUpdate is open; before 3.8 nothing says so.
                if not content or taken.family in ("2.5", "3.1"):
                    raise RefusedError(1007, INVALID_ARGUMENT)
                return Other()

    def _realtime(self, content: Mapping[str, Any], taken: Taken, now: float) -> Input:
        if len(content) != 1:
            raise RefusedError(1007, INVALID_ARGUMENT)
        match next(iter(content.items())):
            case "audio", blob:
                return self._audio(blob, taken, now)
            case "text", text if text:
                return Text(str(text))
            case "activityStart", _ if not taken.automatic_activity and not self._in_activity:
                self._in_activity, self._activity_audio = True, False
                return ActivityStart()
            case "activityEnd", _ if self._in_activity and self._activity_audio:
                self._in_activity = False
                return ActivityEnd()
            case "audioStreamEnd", True if taken.automatic_activity:
                return StreamEnd()
            case "video", blob if blob.get("mimeType") == MIME_TYPE:
                return self._picture(blob, taken, now)
        raise RefusedError(1007, INVALID_ARGUMENT)

    def _audio(self, blob: Mapping[str, str], taken: Taken, now: float) -> Audio:
        rate = re.fullmatch(r"audio/pcm;\s*rate=(\d+)", blob.get("mimeType", ""))
        pcm = _decode(blob, "audio")
        if rate is None or int(rate[1]) < 8000 or len(pcm) % 2:
            raise RefusedError(1007, INVALID_ARGUMENT)
        self._check_calls(taken, now)
        self._activity_audio = True
        return Audio(pcm, int(rate[1]))

    def _picture(self, blob: Mapping[str, str], taken: Taken, now: float) -> Picture:
        jpeg = _decode(blob, "video")
        if len(jpeg) > MOST_BYTES:
            raise RefusedError(1007, INVALID_ARGUMENT)
        shape = shape_of(jpeg)
        self._check_calls(taken, now)
        return Picture(jpeg, shape)

    def _check_calls(self, taken: Taken, now: float) -> None:
        """Refuse what 2.5 does not take while a call is not answered. Raises RefusedError."""
        if taken.family == "2.5" and any(
            call.blocking and now - call.sent_at > IN_FLIGHT_S for call in self.calls.open
        ):
            raise RefusedError(1008, UNSUPPORTED)

    def _answers(self, content: Mapping[str, Any], taken: Taken) -> Answers:
        responses = content.get("functionResponses", [])
        if not responses:
            raise RefusedError(1007, INVALID_ARGUMENT)
        return Answers(tuple(each for each in responses if self._takes_answer(each, taken)))

    def _takes_answer(self, response: Mapping[str, Any], taken: Taken) -> bool:
        """Whether an answer is for an open call; one for a cancelled call is ignored."""
        call = self.calls.find(response)
        if call is not None and call.state == "cancelled":
            return False
        fits = (
            call is not None
            and call.state == "open"
            and response.get("name") == call.name
            and isinstance(response.get("response"), Mapping)
            and not ("scheduling" in response and taken.family == "3.8x")
        )
        if call is None or not fits:
            raise RefusedError(1007, INVALID_ARGUMENT)
        self.calls.answer(call, response)
        return True


def _decode(blob: Mapping[str, str], kind: str) -> bytes:
    """Return the bytes of a blob, which must not be empty.

    Protobuf's JSON takes standard and URL-safe base64, with or without padding; the SDK sends the
    URL-safe one.
    """
    text = blob.get("data", "").translate(URL_SAFE).rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise RefusedError(
            1007,
            f"Invalid value at 'realtime_input.{kind}.data' (TYPE_BYTES), Base64 decoding failed",
        ) from None
    if not data:
        raise RefusedError(1007, INVALID_ARGUMENT)
    return data
