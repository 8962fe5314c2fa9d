"""(pure) The server refuses a setup or a whole account, in the words that people saw.

A :class:`Refusal` closes the connection over one optional field of the setup, over a model, or over
everything; before ``setupComplete``, right after it, or when the first question comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from device.errors import ScriptError
from device.simulator.schema import INVALID_ARGUMENT

QUOTA: Final = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)
"""With 1011: also for a key of the free tier and a setup with search."""
FREE_TIER: Final = "Google Search grounding is not available on the free tier."
"""With 1008, for a setup with search; only its end is known to the letter."""
ACCESS_DENIED: Final = "Your project has been denied access. Please contact support."
"""With 1008: for one model, or for all."""
PROJECT_CAP: Final = (
    "Your project has exceeded its monthly spending cap. Please go to AI Studio at "
    "https://ai.studio/spend to manage your project spend cap."
)
"""With 1008 or 1011, before or in a session."""
ACCOUNT_CAP: Final = (
    "Your billing account has exceeded its monthly spending cap. Please go to AI Studio at "
    "https://aistudio.google.com to manage your billing."
)
"""With 1008 or 1011, before or in a session."""
API_BLOCKED: Final = (
    "Requests to this API generativelanguage.googleapis.com method "
    "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent are blocked."
)
"""With 1008: the key may not be used for this API. The close frame has only 123 bytes of it."""

SetupField = Literal[
    "thinking",
    "voice",
    "language",
    "instruction",
    "search",
    "functions",
    "resumption",
    "handle",
    "input_transcription",
    "output_transcription",
    "activity_detection",
    "turn_coverage",
    "compression",
    "proactivity",
    "media_resolution",
]

_PATHS: dict[str, SetupField] = {
    "generationConfig.thinkingConfig": "thinking",
    "generationConfig.speechConfig.voiceConfig": "voice",
    "generationConfig.speechConfig.languageCode": "language",
    "systemInstruction": "instruction",
    "tools.googleSearch": "search",
    "tools.functionDeclarations": "functions",
    "sessionResumption": "resumption",
    "sessionResumption.handle": "handle",
    "inputAudioTranscription": "input_transcription",
    "outputAudioTranscription": "output_transcription",
    "realtimeInputConfig.automaticActivityDetection": "activity_detection",
    "realtimeInputConfig.turnCoverage": "turn_coverage",
    "contextWindowCompression": "compression",
    "proactivity": "proactivity",
    "generationConfig.mediaResolution": "media_resolution",
}

Moment = Literal["setup", "ready", "asked"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A close of the connection over what the setup holds, or over whose key it is."""

    code: int = 1007
    reason: str = INVALID_ARGUMENT
    field: SetupField | Literal[""] = ""
    """Only where the setup has this optional field; empty: whatever it has."""
    models: tuple[str, ...] = ()
    """Only for these; empty: for all."""
    at: Moment = "setup"
    """When: in place of ``setupComplete``, right after it, or in place of the first answer."""
    times: int = 0
    """How often, over all connections; 0: always."""
    after: int = 0
    """How many setups that it concerns it lets pass first."""

    def __post_init__(self) -> None:
        if self.times < 0 or self.after < 0:
            raise ScriptError(
                f"refusal: times is {self.times} and after {self.after}; give 0 or more"
            )

    def concerns(self, model: str, fields: Sequence[str]) -> bool:
        """Tell whether it is meant for a setup with these fields."""
        return (not self.models or model in self.models) and (
            not self.field or self.field in fields
        )


class Refusals:
    """The refusals of a script, and how many setups each of them met."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self._refusals = tuple(refusals)
        self._met: Counter[int] = Counter()

    def take(self, model: str, fields: Sequence[str]) -> Refusal | None:
        """Return the first that refuses a setup with these fields; it counts as met."""
        for place, refusal in enumerate(self._refusals):
            if refusal.concerns(model, fields):
                self._met[place] += 1
                time = self._met[place] - refusal.after
                if time > 0 and (not refusal.times or time <= refusal.times):
                    return refusal
        return None


def fields_of(setup: Mapping[str, Any]) -> tuple[SetupField, ...]:
    """Return the optional fields that a setup (in camelCase) has, sorted by name."""
    found = {_PATHS[path] for path in _paths(setup, "") if path in _PATHS}
    return tuple(name for name in sorted(get_args(SetupField)) if name in found)


def _paths(content: object, path: str) -> Iterator[str]:
    yield path.lstrip(".")
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _paths(value, f"{path}.{name}")
    elif isinstance(content, list):
        for value in content:
            yield from _paths(value, path)
