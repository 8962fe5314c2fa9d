"""(pure) Messages of the server are literal JSON objects, in the order that a reply sends.

Live API reference, "Server messages": one main key an object (``usageMetadata`` may ride along),
transcriptions in fragments and in no promised order beside the audio. So the order here changes
from turn to turn, and a client that relies on one of them fails in some turn.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from device.frames import REPLY_RATE_HZ
from device.simulator.turns import Order, Tone, Turn
from device.simulator.usage import TOKENS_PER_S, piece

ROUNDING_S = 1e-6
"""Seconds of audio are a sum of many."""

Message = dict[str, Any]
WhenTold = Literal["along", "before", "late", "never", "repeated"]
"""Where a turn's count stands: with ``turnComplete``, alone before or after it, in all of these
places, or in none."""


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
    """``toolCall`` with (id, name, args) each; no id where it is empty."""
    return {
        "toolCall": {
            "functionCalls": [
                ({"id": id_} if id_ else {}) | {"name": function, "args": dict(args)}
                for id_, function, args in calls
            ]
        }
    }


def tool_call_cancellation(ids: Sequence[str]) -> Message:
    """``toolCallCancellation``."""
    return {"toolCallCancellation": {"ids": list(ids)}}


def input_transcription(turn: Turn, text: str) -> list[Message]:
    """``inputTranscription`` in fragments, none where it does not come."""
    if not turn.transcribed:
        return []
    return [
        server_content(inputTranscription={"text": fragment})
        for fragment in _repeated(turn, fragments(text))
    ]


def _repeated(turn: Turn, words: list[str]) -> list[str]:
    match turn.repeats:
        case "fragments":
            return [fragment for fragment in words for _ in range(2)]
        case "whole":
            return words * 2
        case _:
            return words


def fragments(text: str) -> list[str]:
    """Cut a text into pieces of three words; joined they are the text."""
    return re.findall(r"\s*(?:\S+\s*){1,3}", text)


def generation(
    turn: Turn, number: int, pcm: bytes, *, transcribed: bool, question: Sequence[Message] = ()
) -> Iterator[Step]:
    """Yield what is sent up to ``generationComplete``, which is the last where it comes.

    ``number`` is the turn's in its conversation; it chooses the order. ``pcm`` is s16le mono
    24 kHz. ``question`` is what of the input transcription comes beside the reply or after it.
    """
    words = _repeated(turn, fragments(turn.says)) if transcribed else []
    if turn.thought:
        yield Step(_model_turn({"text": turn.thought, "thought": True}))
    if turn.text:
        yield Step(_model_turn({"text": turn.text}))
    order = _BY_TURN[number % 3] if turn.order == "by_turn" else turn.order
    late = list(question)
    for step in _grounded(turn, _ORDERS[order](turn, pcm, list(words))):
        yield step
        if step.audio_s and turn.heard_at == "around":
            yield from map(Step, late)
            late.clear()
    yield from map(Step, late)
    if turn.searches:
        yield Step(server_content(groundingMetadata=_grounding(turn, _supports(words))))
    if turn.generation_ends:
        yield Step(server_content(generationComplete=True))


def counted(steps: Iterator[Step], number: int) -> Iterator[Step]:
    """Yield a reply with small counts of its sound: what came since the one before.

    Every second piece of sound has one in its message, or in some turns in a message behind it.
    """
    sent_s, told = 0.0, 0
    here = False
    for step in steps:
        here = not here if step.audio_s else here
        sent_s += step.audio_s
        tokens = round(sent_s * TOKENS_PER_S) - told
        if not (step.audio_s and here and tokens):
            yield step
            continue
        told += tokens
        if number % 3:
            yield replace(step, message={**step.message, **piece(tokens)})
        else:
            yield step
            yield Step(piece(tokens))


def turn_end(turn: Turn, used: Message, *, status: str, told: WhenTold) -> Iterator[Message]:
    """Yield ``turnComplete`` with the usage of the turn.

    ``status`` is the ``interactionStatus``, none where it is empty.
    """
    content: dict[str, object] = {"turnComplete": True}
    if turn.reason:
        content["turnCompleteReason"] = turn.reason
    if status:
        content["interactionStatus"] = status
    complete = server_content(**content)
    if told in ("before", "repeated"):
        yield used
    yield {**complete, **used} if told in ("along", "repeated") else complete
    if told in ("late", "repeated"):
        yield used


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
    """All of the transcription before the audio."""
    yield from _texts(words)
    yield from _chunks(turn, pcm)


def _text_last(turn: Turn, pcm: bytes, words: list[str]) -> Iterator[Step]:
    """All of the transcription after the audio."""
    yield from _chunks(turn, pcm)
    yield from _texts(words)


def _text_around(turn: Turn, pcm: bytes, words: list[str]) -> Iterator[Step]:
    """Half of the transcription before the audio, the rest after its first chunk."""
    half = len(words) // 2
    yield from _texts(words[:half])
    rest = words[half:]
    for step in _chunks(turn, pcm):
        yield step
        yield from _texts(rest)
        rest = []
    yield from _texts(rest)


def _paced(turn: Turn, pcm: bytes, words: list[str]) -> Iterator[Step]:
    """Each fragment of the transcription after its share of the sound before the first Tone."""
    pieces = turn.audio if isinstance(turn.audio, tuple) else ()
    tones_s = sum(piece.ms for piece in pieces if isinstance(piece, Tone)) / 1000
    share_s = (len(pcm) / 2 / REPLY_RATE_HZ - tones_s) / (len(words) or 1)
    rest = list(words)
    sent_s = 0.0
    for step in _chunks(turn, pcm):
        yield step
        sent_s += step.audio_s
        while rest and sent_s + ROUNDING_S >= share_s * (len(words) - len(rest) + 1):
            yield from _texts([rest.pop(0)])
    yield from _texts(rest)


_ORDERS: dict[Order, Callable[[Turn, bytes, list[str]], Iterator[Step]]] = {
    "together": _together,
    "text_first": _text_first,
    "text_last": _text_last,
    "text_around": _text_around,
    "paced": _paced,
}
_BY_TURN: tuple[Order, ...] = ("together", "text_first", "text_last")


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


def _grounded(turn: Turn, steps: Iterator[Step]) -> Iterator[Step]:
    """Add to each piece of the transcription what it rests on."""
    at_bytes = 0
    for step in steps:
        content = step.message["serverContent"]
        text = content.get("outputTranscription", {}).get("text", "")
        if not (turn.searches and text):
            yield step
            continue
        metadata = _grounding(turn, _supports([text], at_bytes))
        at_bytes += len(text.encode())
        yield replace(step, message=server_content(**content, groundingMetadata=metadata))


def _supports(words: Sequence[str], at_bytes: int = 0) -> list[Message]:
    """Which pieces of the answer rest on what was found; places are counted in bytes."""
    supports = []
    for text in words:
        end = at_bytes + len(text.encode())
        segment = ({"startIndex": at_bytes} if at_bytes else {}) | {"endIndex": end, "text": text}
        supports.append({"segment": segment, "groundingChunkIndices": [0]})
        at_bytes = end
    return supports


def _grounding(turn: Turn, supports: list[Message]) -> Message:
    """``groundingMetadata``; the queries are in each of them."""
    shown = "".join(f"<a>{html.escape(query)}</a>" for query in turn.searches)
    web = {"uri": "https://example.org/", "title": "example.org"}
    return {
        "searchEntryPoint": {"renderedContent": shown},
        "groundingChunks": [{"web": web}],
        **({"groundingSupports": supports} if supports else {}),
        "webSearchQueries": list(turn.searches),
    }
