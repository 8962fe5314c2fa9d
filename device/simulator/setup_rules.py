"""(pure) Setup rules say what each Live model takes, and how it refuses the rest.

Live API: the tables of model pages and the field reports on wrong configurations; a wrong one
ends in close 1007, in close 1000 without a reason, or in a setup that is never answered.

Tested in tests/simulator/test_protocol.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device.simulator import declarations
from device.simulator.pictures import TOKENS, TOKENS_UNTOLD
from device.simulator.schema import INVALID_ARGUMENT, RefusedError
from device.simulator.usage import json_tokens, text_tokens

UNSUPPORTED = "Operation is not implemented, or supported, or enabled."
WINDOW_TOKENS = 131_072
"""Live API: the context window of the native audio models."""


@dataclass(frozen=True, slots=True)
class Compression:
    """When the context is cut, and to what length."""

    trigger_tokens: int
    target_tokens: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A setup that was accepted, as far as the server acts on it."""

    model: str
    """Without ``models/``."""
    handle: str
    """Empty for a fresh session."""
    resumption: bool
    automatic_activity: bool
    silence_ms: int | None
    """Silence that ends speech, where the setup says; None: as the server thinks right."""
    interrupts: bool
    """Whether speech during a reply interrupts it."""
    transcribes_input: bool
    transcribes_output: bool
    takes_history: bool
    answered: bool
    """False for the setup that the model swallows without a word."""
    tools: tuple[Mapping[str, Any], ...]
    compression: Compression | None
    """None: the context grows."""
    picture_tokens: int
    """What a picture adds to the context."""
    sees_all: bool
    """Whether a picture counts that comes while nobody speaks."""
    setup_tokens: int
    """What the instruction and the declared functions add to each prompt."""
    searches: bool
    """Whether Google is searched."""
    thinks: bool
    """Whether thoughts come before an answer."""

    @property
    def family(self) -> str:
        """``2.5``, ``3.1``, ``3.8`` or ``3.8x`` (extended thinking)."""
        return family(self.model)


def family(model: str) -> str:
    """Return which of the rules a model follows; unknown ones follow the newest."""
    for part, name in (("2.5", "2.5"), ("3.1", "3.1"), ("extended-thinking", "3.8x")):
        if part in model:
            return name
    return "3.8"


def take_setup(setup: Mapping[str, Any], models: Sequence[str], version: str) -> Taken:
    """Judge a setup as :func:`~device.simulator.schema.read_message` read it.

    Raises RefusedError with the code and the words the real server is known for.
    """
    model = str(setup.get("model", ""))
    if not model.startswith("models/"):
        raise RefusedError(1007, INVALID_ARGUMENT)
    name = model.removeprefix("models/")
    if name not in models:
        raise RefusedError(1008, not_found(model, version))
    generation = setup.get("generationConfig", {})
    _check_voice(generation, family(name))
    _check_thinking(generation.get("thinkingConfig"), family(name))
    _check_character(setup, generation, family(name))
    _check_tools(setup.get("tools", []), family(name))
    compression = _compression(setup.get("contextWindowCompression"))
    realtime = setup.get("realtimeInputConfig", {})
    silence_ms = _silence_ms(realtime.get("automaticActivityDetection", {}), family(name))
    return Taken(
        model=name,
        handle=str(setup.get("sessionResumption", {}).get("handle", "")),
        resumption="sessionResumption" in setup,
        automatic_activity=not realtime.get("automaticActivityDetection", {}).get("disabled"),
        silence_ms=silence_ms,
        interrupts=realtime.get("activityHandling") != "NO_INTERRUPTION",
        transcribes_input="inputAudioTranscription" in setup,
        transcribes_output="outputAudioTranscription" in setup,
        takes_history=bool(setup.get("historyConfig", {}).get("initialHistoryInClientContent")),
        answered=not (family(name) == "3.8" and "thinkingConfig" in generation),
        tools=tuple(setup.get("tools", [])),
        compression=compression,
        picture_tokens=TOKENS.get(generation.get("mediaResolution", ""), TOKENS_UNTOLD),
        sees_all=_sees_all(realtime.get("turnCoverage"), family(name)),
        setup_tokens=_tokens(setup),
        searches=any("googleSearch" in tool for tool in setup.get("tools", [])),
        thinks=_thinks(generation.get("thinkingConfig", {}), family(name)),
    )


def _tokens(setup: Mapping[str, Any]) -> int:
    parts = setup.get("systemInstruction", {}).get("parts", [])
    declared = declarations.functions(setup.get("tools", []))
    return sum(text_tokens(part.get("text", "")) for part in parts) + sum(
        json_tokens(function) for _, function in declared
    )


def _thinks(thinking: Mapping[str, Any], kind: str) -> bool:
    """Live API: 3.8 is not asked whether it thinks; 3.1 does not unless it is asked to."""
    if kind in ("3.8", "3.8x"):
        return True
    if kind == "3.1":
        return str(thinking.get("thinkingLevel", "MINIMAL")) != "MINIMAL"
    return int(thinking.get("thinkingBudget", 0)) != 0


def _sees_all(coverage: str | None, kind: str) -> bool:
    """Live API: from 3.1 on a turn has all pictures by default, before only those beside speech."""
    if coverage in (None, "TURN_COVERAGE_UNSPECIFIED"):
        return kind != "2.5"
    return coverage != "TURN_INCLUDES_ONLY_ACTIVITY"


def not_found(model: str, version: str) -> str:
    """Return the reason for an unknown or retired model, or one of another API version."""
    return (
        f"{model} is not found for API version {version}, or is not supported for "
        "bidiGenerateContent. Call ListModels to see the list of available models and their "
        "supported methods."
    )


def _check_voice(generation: Mapping[str, Any], kind: str) -> None:
    if generation.get("responseModalities", ["AUDIO"]) not in ([], ["AUDIO"]):
        raise RefusedError(1007, "Cannot extract voices from a non-audio request")
    if kind == "2.5" and "languageCode" in generation.get("speechConfig", {}):
        raise RefusedError(1000, "")


def _check_thinking(thinking: Mapping[str, Any] | None, kind: str) -> None:
    given = thinking or {}
    level = given.get("thinkingLevel")
    wrong = {
        "2.5": level is not None,
        "3.1": "thinkingBudget" in given,
        "3.8": False,
        "3.8x": "thinkingBudget" in given or level in (None, "MINIMAL"),
    }
    if wrong[kind]:
        raise RefusedError(1007, INVALID_ARGUMENT)


def _check_character(setup: Mapping[str, Any], generation: Mapping[str, Any], kind: str) -> None:
    """Proactive audio and affective dialog: always on from 3.8, v1alpha only on 2.5."""
    if "proactivity" in setup and kind in ("2.5", "3.1"):
        raise RefusedError(1007, INVALID_ARGUMENT)
    switched_off = setup.get("proactivity", {}).get("proactiveAudio") is False
    if switched_off or "enableAffectiveDialog" in generation:
        raise RefusedError(1007, INVALID_ARGUMENT)


def _check_tools(tools: Sequence[Mapping[str, Any]], kind: str) -> None:
    names = {name for tool in tools for name in tool}
    if names & {"codeExecution", "urlContext", "googleMaps"}:
        raise RefusedError(1008, UNSUPPORTED)
    if kind == "2.5" and {"googleSearch", "functionDeclarations"} <= names:
        raise RefusedError(1007, INVALID_ARGUMENT)
    declarations.check(tools, kind)


def _silence_ms(detection: Mapping[str, Any], kind: str) -> int | None:
    """Return the silence that was asked for, where the model heeds it.

    Live API: no bounds are documented; negative ones make no sense. 3.1 is reported to ignore it.
    """
    times = [detection.get(name) for name in ("prefixPaddingMs", "silenceDurationMs")]
    if any(each is not None and int(each) < 0 for each in times):
        raise RefusedError(1007, INVALID_ARGUMENT)
    silence = times[1]
    return None if silence is None or kind == "3.1" else int(silence)


def _compression(asked: Mapping[str, Any] | None) -> Compression | None:
    """Return what was agreed.

    Live API: by default the trigger is 80 % of the window, and the target half of the trigger.
    """
    if asked is None:
        return None
    trigger = int(asked.get("triggerTokens") or WINDOW_TOKENS * 0.8)
    target = int(asked.get("slidingWindow", {}).get("targetTokens") or trigger / 2)
    if target >= trigger:
        raise RefusedError(1007, INVALID_ARGUMENT)
    return Compression(trigger, target)
