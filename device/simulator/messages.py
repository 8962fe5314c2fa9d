"""(pure) Messages of the server are literal JSON objects, in the order that a reply sends.

Live API reference, "Server messages": one main key an object (``usageMetadata`` may ride along),
transcriptions in fragments and in no promised order beside the audio. So the order here changes
from turn to turn, and a client that relies on one of them fails in some turn.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from device.frames import REPLY_RATE_HZ
from device.simulator.script import Turn

TOKENS_PER_S = 25
"""Live API: "Audio is about 25 tokens per second"."""

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a reply."""

    message: Message
    audio_s: float = 0.0
    """Length of the audio in it."""


def server_content(**content: object) -> Message:
    """``serverContent`` with these fields."""
    return {"serverContent": content}


def go_away(time_left_s: float) -> Message:
    """``goAway``; the time as protobuf writes a Duration."""
    return {"goAway": {"timeLeft": duration(time_left_s)}}


def duration(seconds: float) -> str:
    """Seconds as protobuf's JSON has them: 0, 3, 6 or 9 decimals, then ``s``."""
    text = f"{seconds:.9f}"
    whole, decimals = text.split(".")
    while decimals.endswith("000"):
        decimals = decimals[:-3]
    return f"{whole}.{decimals}s" if decimals else f"{whole}s"


def resumption_update(handle: str) -> Message:
    """``sessionResumptionUpdate``; an empty handle: not resumable now."""
    if not handle:
        return {"sessionResumptionUpdate": {"newHandle": "", "resumable": False}}
    return {"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}}


def tool_call(calls: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Message:
    """``toolCall`` with (id, name, args) each."""
    return {
        "toolCall": {
            "functionCalls": [
                {"id": name, "name": function, "args": dict(args)} for name, function, args in calls
            ]
        }
    }


def input_transcription(text: str) -> Iterator[Message]:
    """``inputTranscription`` in fragments."""
    for fragment in fragments(text):
        yield server_content(inputTranscription={"text": fragment})


def fragments(text: str) -> list[str]:
    """Cut a text into pieces of three words; joined they are the text."""
    return re.findall(r"\s*(?:\S+\s*){1,3}", text)


def usage(turn: Turn, prompt_tokens: int, reply_s: float) -> Message:
    """``usageMetadata`` of a whole turn."""
    if turn.usage is not None:
        return {"usageMetadata": dict(turn.usage)}
    response = round(reply_s * TOKENS_PER_S)
    return {
        "usageMetadata": {
            "promptTokenCount": prompt_tokens,
            "responseTokenCount": response,
            "totalTokenCount": prompt_tokens + response,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": prompt_tokens}],
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": response}],
        }
    }


def generation(turn: Turn, number: int, pcm: bytes, *, transcribed: bool) -> Iterator[Step]:
    """Yield what is sent up to ``generationComplete``, which is the last.

    ``number`` is the turn's in its conversation; it chooses the order. ``pcm`` is s16le mono
    24 kHz.
    """
    words = fragments(turn.says) if transcribed else []
    if turn.thought:
        yield Step(_model_turn({"text": turn.thought, "thought": True}))
    orders = (_together, _text_first, _text_last)
    yield from orders[number % 3](turn, pcm, words)
    if turn.search:
        yield Step(server_content(groundingMetadata=_grounding(turn.search)))
    yield Step(server_content(generationComplete=True))


def turn_end(model_family: str, number: int, used: Message) -> Iterator[Message]:
    """Yield ``turnComplete`` with the usage of the turn, riding along or alone before it."""
    content: dict[str, object] = {"turnComplete": True}
    if model_family == "3.8x":
        content["interactionStatus"] = "IDLE"
    if number % 3 == 1:
        yield used
        yield server_content(**content)
    else:
        yield {**server_content(**content), **used}


def _together(turn: Turn, pcm: bytes, words: list[str]) -> Iterator[Step]:
    """Transcription and audio in one event, and two audio parts in the first."""
    for place, step in enumerate(_chunks(turn, pcm)):
        content = step.message["serverContent"]
        if place == 0:
            content["modelTurn"]["parts"] = _halves(content["modelTurn"]["parts"][0])
        if words:
            content["outputTranscription"] = {"text": words.pop(0)}
        yield step
    yield from _texts(words)


def _text_first(turn: Turn, pcm: bytes, words: list[str]) -> Iterator[Step]:
    """All of the transcription before the audio; some audio carries a usage count."""
    yield from _texts(words)
    for step in _chunks(turn, pcm):
        used = {"usageMetadata": {"responseTokenCount": round(step.audio_s * TOKENS_PER_S)}}
        yield replace(step, message={**step.message, **used})


def _text_last(turn: Turn, pcm: bytes, words: list[str]) -> Iterator[Step]:
    """All of the transcription after the audio; a usage count alone in between."""
    yield from _chunks(turn, pcm)
    yield Step({"usageMetadata": {"responseTokenCount": 1}})
    yield from _texts(words)


def _texts(words: list[str]) -> Iterator[Step]:
    for fragment in words:
        yield Step(server_content(outputTranscription={"text": fragment}))


def _chunks(turn: Turn, pcm: bytes) -> Iterator[Step]:
    place = at = 0
    while at < len(pcm):
        length = REPLY_RATE_HZ * turn.chunk_ms[place % len(turn.chunk_ms)] // 1000 * 2
        chunk = pcm[at : at + length]
        yield Step(_model_turn(_audio_part(chunk)), len(chunk) / 2 / REPLY_RATE_HZ)
        at += length
        place += 1


def _model_turn(*parts: Mapping[str, Any]) -> Message:
    return server_content(modelTurn={"role": "model", "parts": list(parts)})


def _audio_part(pcm: bytes) -> dict[str, Any]:
    data = base64.b64encode(pcm).decode()
    return {"inlineData": {"mimeType": f"audio/pcm;rate={REPLY_RATE_HZ}", "data": data}}


def _halves(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    pcm = base64.b64decode(part["inlineData"]["data"])
    middle = len(pcm) // 4 * 2
    return [_audio_part(half) for half in (pcm[:middle], pcm[middle:]) if half]


def _grounding(query: str) -> Message:
    return {
        "webSearchQueries": [query],
        "groundingChunks": [{"web": {"uri": "https://example.org/", "title": "example.org"}}],
    }
