"""(pure) The schema holds the fields of every client message, and reads one message.

Live API reference, "Client messages". Google's JSON reading takes ``camelCase`` and ``snake_case``
alike (what the SDK sends is a mixture) and refuses a field it does not know.

Tested in tests/simulator/test_declarations.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

INVALID_ARGUMENT: Final = "Request contains an invalid argument."


class RefusedError(Exception):
    """The server closes the connection over what the client sent; stays within the simulator."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code} {reason}")


class Leaf(Enum):
    """What a field without fields of its own holds."""

    ANYTHING = "anything"
    STRING = "TYPE_STRING"
    BOOLEAN = "TYPE_BOOL"
    NUMBER = "TYPE_INT64"


ANYTHING, STRING, BOOLEAN, NUMBER = Leaf
Schema = Leaf | frozenset[str] | list[Any] | dict[str, Any]
"""A leaf, the words of an enum, a list of one schema, or fields by name."""

BLOB = {"data": STRING, "mimeType": STRING}
CONTENT = {
    "role": STRING,
    "parts": [{"text": STRING, "inlineData": BLOB, "thought": BOOLEAN}],
}
TOOL = {
    "googleSearch": ANYTHING,
    "codeExecution": ANYTHING,
    "urlContext": ANYTHING,
    "googleMaps": ANYTHING,
    "functionDeclarations": [
        {
            "name": STRING,
            "description": STRING,
            "parameters": ANYTHING,
            "parametersJsonSchema": ANYTHING,
            "response": ANYTHING,
            "responseJsonSchema": ANYTHING,
            "behavior": frozenset({"UNSPECIFIED", "BLOCKING", "NON_BLOCKING"}),
        }
    ],
}
TRANSCRIPTION = {
    "languageCodes": [STRING],
    "customVocabulary": [STRING],
    "mode": frozenset({"VERBATIM", "SMART"}),
    "wordTimestamp": BOOLEAN,
    "diarization": BOOLEAN,
    "sourceText": BOOLEAN,
}
GENERATION = {
    "responseModalities": [frozenset({"AUDIO", "TEXT", "IMAGE"})],
    "temperature": NUMBER,
    "topP": NUMBER,
    "topK": NUMBER,
    "maxOutputTokens": NUMBER,
    "mediaResolution": frozenset(
        {
            "MEDIA_RESOLUTION_UNSPECIFIED",
            "MEDIA_RESOLUTION_LOW",
            "MEDIA_RESOLUTION_MEDIUM",
            "MEDIA_RESOLUTION_HIGH",
        }
    ),
    "seed": NUMBER,
    "speechConfig": {
        "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": STRING}},
        "languageCode": STRING,
    },
    "thinkingConfig": {
        "thinkingLevel": frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH"}),
        "thinkingBudget": NUMBER,
        "includeThoughts": BOOLEAN,
    },
    "enableAffectiveDialog": BOOLEAN,
    "translationConfig": ANYTHING,
}
REALTIME_CONFIG = {
    "automaticActivityDetection": {
        "disabled": BOOLEAN,
        "startOfSpeechSensitivity": frozenset(
            {
                "START_SENSITIVITY_UNSPECIFIED",
                "START_SENSITIVITY_HIGH",
                "START_SENSITIVITY_LOW",
            }
        ),
        "endOfSpeechSensitivity": frozenset(
            {"END_SENSITIVITY_UNSPECIFIED", "END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"}
        ),
        "prefixPaddingMs": NUMBER,
        "silenceDurationMs": NUMBER,
    },
    "activityHandling": frozenset(
        {"ACTIVITY_HANDLING_UNSPECIFIED", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"}
    ),
    "turnCoverage": frozenset(
        {
            "TURN_COVERAGE_UNSPECIFIED",
            "TURN_INCLUDES_ONLY_ACTIVITY",
            "TURN_INCLUDES_ALL_INPUT",
            "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
        }
    ),
}
CLIENT_MESSAGE: dict[str, Any] = {
    "setup": {
        "model": STRING,
        "generationConfig": GENERATION,
        "systemInstruction": CONTENT,
        "tools": [TOOL],
        # Vertex only, so unknown here: sessionResumption.transparent, explicitVadSignal.
        "sessionResumption": {"handle": STRING},
        "inputAudioTranscription": TRANSCRIPTION,
        "outputAudioTranscription": TRANSCRIPTION,
        "realtimeInputConfig": REALTIME_CONFIG,
        "contextWindowCompression": {
            "triggerTokens": NUMBER,
            "slidingWindow": {"targetTokens": NUMBER},
        },
        "proactivity": {"proactiveAudio": BOOLEAN},
        "historyConfig": {"initialHistoryInClientContent": BOOLEAN},
        "safetySettings": [ANYTHING],
        "labels": ANYTHING,
    },
    "clientContent": {"turns": [CONTENT], "turnComplete": BOOLEAN},
    "realtimeInput": {
        "audio": BLOB,
        "video": BLOB,
        "text": STRING,
        "activityStart": {},
        "activityEnd": {},
        "audioStreamEnd": BOOLEAN,
        "mediaChunks": [BLOB],
    },
    "toolResponse": {
        "functionResponses": [
            {
                "id": STRING,
                "name": STRING,
                "response": ANYTHING,
                "scheduling": frozenset({"SILENT", "WHEN_IDLE", "INTERRUPT"}),
                "willContinue": BOOLEAN,
            }
        ]
    },
    "contextUpdate": {"systemInstruction": CONTENT, "tools": {"tools": [TOOL]}},
}


def read_message(raw: object) -> tuple[str, dict[str, Any]]:
    """Return the one kind of a client message and its content, in camelCase.

    Raises RefusedError for a message of several kinds or none, an unknown field at any depth, or a
    value of the wrong type, in Google's words.
    """
    message = _read(CLIENT_MESSAGE, raw, "")
    if len(message) != 1:
        raise RefusedError(1007, INVALID_ARGUMENT)
    kind, content = next(iter(message.items()))
    return kind, content


def _read(schema: Schema, raw: object, path: str) -> Any:
    if isinstance(schema, dict):
        return _read_fields(schema, raw, path)
    if isinstance(schema, list):
        if not isinstance(raw, list):
            raise _invalid(path, "repeated field", raw)
        return [_read(schema[0], item, f"{path}[{place}]") for place, item in enumerate(raw)]
    if isinstance(schema, frozenset):
        if not isinstance(raw, str) or raw.upper() not in schema:
            raise _invalid(path, "TYPE_ENUM", raw)
        return raw.upper()
    if not _is(schema, raw):
        raise _invalid(path, schema.value, raw)
    return raw


def _read_fields(schema: Mapping[str, Any], raw: object, path: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise _invalid(path, "message", raw)
    content: dict[str, Any] = {}
    for name, value in raw.items():
        field = _camel(name)
        if field not in schema or field in content:
            at = f" at '{path}'" if path else ""
            raise RefusedError(
                1007,
                f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.',
            )
        content[field] = _read(schema[field], value, f"{path}.{snake(field)}".lstrip("."))
    return content


def _is(leaf: Leaf, raw: object) -> bool:
    if leaf is STRING:
        return isinstance(raw, str)
    if leaf is BOOLEAN:
        return isinstance(raw, bool)
    if leaf is NUMBER:
        number = isinstance(raw, int | float) and not isinstance(raw, bool)
        return number or (isinstance(raw, str) and re.fullmatch(r"-?\d+", raw) is not None)
    return True


def _invalid(path: str, kind: str, raw: object) -> RefusedError:
    return RefusedError(1007, f"Invalid value at '{path}' ({kind}), {raw!r}")


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found.group(1).upper(), name)


def snake(name: str) -> str:
    """Return a camelCase name in snake_case, as the server's words have it."""
    return re.sub(r"(?=[A-Z])", "_", name).lower()
