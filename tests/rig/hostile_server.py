"""What a broken or malicious server might send: real messages, changed, and JSON of any shape.

The real ones are written from the published reference, as literally as the stand-in's. A change
takes a place anywhere in one of them and puts there what does not belong.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Json = Any
Path = tuple[str | int, ...]

TERMINAL = (
    "hi\x1b]0;owned\x07\x1b[2J\x9b31m\u202elive\u2066\n  99.000  state       to=muted\r\ud800"
)
"""Title, cleared screen, colour by C1, reversed text, a forged event, half a character."""

_PCM = "AAEAAQABAAE="
REAL: tuple[Json, ...] = (
    {"setupComplete": {}},
    {"setupComplete": {"sessionId": "s-1"}},
    {"serverContent": {"inputTranscription": {"text": "what time ", "finished": False}}},
    {"serverContent": {"inputTranscription": {"text": "is it", "finished": True}}},
    {"serverContent": {"interimInputTranscription": {"text": "wh", "languageCode": "en"}}},
    {"serverContent": {"outputTranscription": {"text": "It is noon."}}},
    {
        "serverContent": {
            "modelTurn": {
                "role": "model",
                "parts": [
                    {"text": "I think", "thought": True},
                    {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": _PCM}},
                    {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AA=="}},
                ],
            },
            "outputTranscription": {"text": "It"},
        },
        "usageMetadata": {"responseTokenCount": 3},
    },
    {"serverContent": {"interrupted": True}},
    {"serverContent": {"generationComplete": True}},
    {"serverContent": {"turnComplete": True, "turnCompleteReason": "RESPONSE_REJECTED"}},
    {"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}},
    {"serverContent": {"interactionStatus": "IN_PROGRESS", "waitingForInput": True}},
    {
        "serverContent": {
            "groundingMetadata": {
                "webSearchQueries": ["noon"],
                "groundingChunks": [{"web": {"uri": "https://example.org", "title": "noon"}}],
                "searchEntryPoint": {"renderedContent": "<div>noon</div>"},
            }
        }
    },
    {"toolCall": {"functionCalls": [{"id": "c-1", "name": "lamp", "args": {"on": True}}]}},
    {"toolCall": {"functionCalls": [{"name": "lamp"}, {"id": "c-2", "args": {"a": [1, {}]}}]}},
    {"toolCallCancellation": {"ids": ["c-1", "c-9"]}},
    {"goAway": {"timeLeft": "9.5s"}},
    {"sessionResumptionUpdate": {"newHandle": "h-1", "resumable": True}},
    {"sessionResumptionUpdate": {"newHandle": "", "resumable": False}},
    {"sessionResumptionUpdate": {"newHandle": "h", "lastConsumedClientMessageIndex": "7"}},
    {
        "usageMetadata": {
            "promptTokenCount": 522,
            "responseTokenCount": 42,
            "thoughtsTokenCount": 136,
            "totalTokenCount": 564,
            "cachedContentTokenCount": 3,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 165}],
            "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 332}],
        }
    },
    {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1.5s"}},
    {"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_SOS"}},
    {"error": {"code": 500, "message": "broken", "status": "INTERNAL"}},
    {"code": 429, "message": "too many requests"},
    {"newThing": {"a": 1}},
)


def nested(depth: int) -> Json:
    """A list in a list, so many times."""
    value: Json = 1
    for _ in range(depth):
        value = [value]
    return value


WORDS = st.sampled_from(
    [
        *(
            TERMINAL,
            "",
            " ",
            "\x00",
            "x" * 3_000,
            "%s%n{model}{0}",
            "[bold]x[/]",
            "é" * 300,
            "AAAA",
        ),
        *(
            "true",
            "1",
            "-5s",
            "1e999s",
            "9" * 400 + "s",
            "NaN",
            "IDLE",
            "AUDIO",
            "audio/pcm",
            "x/y",
        ),
        *("=====", "AAA", "\u202e", "__class__", "📣", "\ud800"),
    ]
)
NUMBERS = st.one_of(
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.sampled_from([0, -1, 2**31, 2**63, 10**300, 1e308, float("inf"), float("nan")]),
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
STRANGE: st.SearchStrategy[Json] = st.one_of(
    VALUES,
    st.sampled_from(REAL).map(copy.deepcopy),
    st.sampled_from([30, 150]).map(nested),
    st.sampled_from([{}, [], [{}] * 50, [[]] * 50, [None] * 50]).map(copy.deepcopy),
)
KEYS = st.sampled_from(
    [*sorted({key for message in REAL for key in message}), "text", "parts", "id", "x", "code"]
) | st.text(max_size=8)


def places(message: Json, path: Path = ()) -> Iterator[Path]:
    """Every place in a message: of each value in it, however deep, and of itself."""
    yield path
    if isinstance(message, dict):
        for key, value in message.items():
            yield from places(value, (*path, key))
    elif isinstance(message, list):
        for number, value in enumerate(message):
            yield from places(value, (*path, number))


def put(message: Json, path: Path, value: Json) -> Json:
    """The message with this value in that place."""
    if not path:
        return value
    inside = message
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return message


def look(message: Json, path: Path) -> Json:
    """What is in that place."""
    for step in path:
        message = message[step]
    return message


@st.composite
def changed(draw: st.DrawFn) -> Json:
    """A real message with one to four changes in it."""
    message = copy.deepcopy(draw(st.sampled_from(REAL)))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(places(message))))
        there = look(message, path)
        match draw(st.sampled_from(["put", "wrap", "drop", "add", "repeat", "merge"])):
            case "put":
                message = put(message, path, draw(STRANGE))
            case "wrap":
                message = put(message, path, [there])
            case "repeat":
                message = put(message, path, [there] * 3)
            case "drop" if isinstance(there, dict) and there:
                del there[draw(st.sampled_from(sorted(there, key=str)))]
            case "add" if isinstance(there, dict):
                there[draw(KEYS)] = draw(STRANGE)
            case "merge" if isinstance(there, dict):
                there.update(copy.deepcopy(draw(st.sampled_from(REAL))))
            case _:
                pass
    return message


def encoded(message: Json) -> bytes:
    """As JSON, with NaN and Infinity where they are, and halves of characters escaped."""
    return json.dumps(message).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message with something missing or something foreign in it."""
    data = encoded(draw(st.sampled_from(REAL)))
    place = draw(st.integers(0, len(data)))
    return data[:place] + draw(st.binary(max_size=6)) + data[place + draw(st.integers(0, 5)) :]


OUT_OF_BOUNDS = (
    *(b"[1]", b'"text"', b"7", b"null", b"true", b"", b"{}", b"[]", b"[[]]", b'["setupComplete"]'),
    *(b"[" * 2_000, b"[" * 100_000, b'{"a":' * 50_000, b"[" * 900 + b"]" * 900),
    b'{"serverContent":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"toolCall":{"functionCalls":[{"id":"1","name":"f","args":{"a":' + b"[" * 900 + b"]" * 900
    + b"}}]}}",
    b'{"usageMetadata":{"totalTokenCount":' + b"9" * 4_000 + b"}}",
    b'{"usageMetadata":{"totalTokenCount":' + b"9" * 6_000 + b"}}",
    b'{"goAway":{"timeLeft":"' + b"9" * 100_000 + b's"}}',
    b'{"error":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"code":1e400,"message":["x"]}',
    b'{"serverContent":{"modelTurn":{"parts":[' + b",".join([b"{}"] * 50_000) + b"]}}}",
    b'{"toolCallCancellation":{"ids":["' + b'","'.join([b"c"] * 4_000) + b'"]}}',
    b'{"serverContent":{"outputTranscription":{"text":"' + b"x" * 300_000 + b'"}}}',
    b'{"sessionResumptionUpdate":{"resumable":true,"newHandle":"' + b"h" * 200_000 + b'"}}',
    b'{"toolCall":{"functionCalls":[{"name":"f","id":"' + b"i" * 200_000 + b'"}]}}',
    b"\x00" * 10_000,
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"serverContent":{},"serverContent":7}',
)  # fmt: skip
"""What no generator comes upon: depth, length, and numbers of a thousand digits."""

MESSAGES: st.SearchStrategy[bytes] = st.one_of(
    changed().map(encoded),
    changed().map(encoded),
    VALUES.map(encoded),
    damaged(),
    st.binary(max_size=200),
    st.sampled_from(REAL).map(encoded),
    st.sampled_from(OUT_OF_BOUNDS),
)
