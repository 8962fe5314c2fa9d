"""(pure) `Count` tells the tokens of a model's turn, from what really went over the wire.

Live API: every turn's prompt is the whole context, billed again in full: the setup's instruction
and declarations, all sound and pictures that came, typed text, and what the model said before. A
prompt's total exceeds its modalities by 25 to 51 tokens. What functions gave back stands beside
the prompt of the turn that reads it, and in the prompts from then on. Thoughts are left out of the
total, and are no part of later prompts. Transcriptions of the user's speech cost nothing.

Nobody reports how much of what a search has found enters the context: a script's `adds_tokens`
says it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TOKENS_PER_S: Final = 25
"""Live API: "Audio is about 25 tokens per second"."""
CHARACTERS_PER_TOKEN: Final = 4
"""Live API: "a token is equivalent to about 4 characters"."""
THOUGHTS: Final = 136
"""Of a turn whose thoughts are not shown. Live API: those of the one turn of 3.8 that was reported
in full; how they go with the thinking level is not known."""
NO_MODALITY: Final = range(25, 52)
"""Live API: by so many tokens a prompt exceeds its modalities."""
_STRIDE: Final = 13
"""From one turn's excess to the next one's; it meets all of them."""


def text_tokens(text: str) -> int:
    """Return the tokens of a text."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def json_tokens(value: object) -> int:
    """Return the tokens of a function's declaration, call or result, as JSON writes it."""
    return text_tokens(json.dumps(value, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads for a turn, in tokens."""

    text: int
    audio: int
    video: int
    no_modality: int
    results: int
    """Of functions; beside the prompt."""

    @property
    def total(self) -> int:
        """As ``promptTokenCount`` has it."""
        return self.text + self.audio + self.video + self.no_modality


@dataclass(slots=True)
class Context:
    """What a model remembers of a conversation, in tokens. The setup is no part of it."""

    text: float = 0.0
    audio: float = 0.0
    video: float = 0.0
    results: int = 0
    """Of functions, that no turn has read yet."""
    counted: int = 0
    """How many turns were counted."""

    @property
    def total(self) -> float:
        """All that was read before."""
        return self.text + self.audio + self.video

    def hear(self, seconds: float) -> None:
        """Take sound of the microphone."""
        self.audio += seconds * TOKENS_PER_S

    def cut(self, target: float) -> None:
        """Let the oldest of every modality go, until so many tokens are left."""
        if self.total > target:
            share = max(target, 0.0) / self.total
            self.text, self.audio, self.video = (
                each * share for each in (self.text, self.audio, self.video)
            )

    def prompt(self, setup: int) -> Prompt:
        """Return what is read for a turn that begins now; `setup` are the tokens of the setup."""
        return Prompt(
            text=setup + round(self.text),
            audio=round(self.audio),
            video=round(self.video),
            no_modality=NO_MODALITY[self.counted * _STRIDE % len(NO_MODALITY)],
            results=self.results,
        )

    def take(self, count: Count) -> None:
        """Remember a turn that is over: what was said in it, and what functions gave back."""
        results = count.prompt.results if count.prompt is not None else 0
        self.results -= results
        self.text += count.text + results
        self.audio += count.audio_s * TOKENS_PER_S
        self.counted += 1


@dataclass(slots=True)
class Count:
    """The tokens of one turn, as far as it has come."""

    prompt: Prompt | None = None
    """None: nothing was read yet."""
    audio_s: float = 0.0
    """Of the model's sound, sent to the client."""
    text: int = 0
    """Of what else the model brought forth: text, and calls of functions."""
    thoughts: int = 0

    def message(self) -> dict[str, Any]:
        """Return ``usageMetadata`` as it stands in a message of the server."""
        prompt = self.prompt or Context().prompt(0)
        sound = round(self.audio_s * TOKENS_PER_S)
        response = sound + self.text
        counts: dict[str, Any] = {
            "promptTokenCount": prompt.total,
            "responseTokenCount": response,
            "totalTokenCount": prompt.total + prompt.results + response,
            "promptTokensDetails": _details(
                TEXT=prompt.text, AUDIO=prompt.audio, VIDEO=prompt.video
            ),
            "responseTokensDetails": _details(AUDIO=sound, TEXT=self.text),
        }
        if prompt.results:
            counts["toolUsePromptTokenCount"] = prompt.results
            counts["toolUsePromptTokensDetails"] = _details(TEXT=prompt.results)
        if self.thoughts:
            counts["thoughtsTokenCount"] = self.thoughts
        return {"usageMetadata": counts}


def piece(tokens: int) -> dict[str, Any]:
    """Return the small ``usageMetadata`` of some of the sound."""
    counts = {"responseTokenCount": tokens, "responseTokensDetails": _details(AUDIO=tokens)}
    return {"usageMetadata": counts}


def fixed(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``usageMetadata`` with the counts of a script."""
    return {"usageMetadata": dict(counts)}


def _details(**counts: int) -> list[dict[str, Any]]:
    """Live API: what has no tokens is not named."""
    return [
        {"modality": modality, "tokenCount": count} for modality, count in counts.items() if count
    ]
