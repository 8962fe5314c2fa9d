"""Errors are the exceptions that Parley raises on purpose.

::

    ParleyError
    ├── ConfigError            the YAML is wrong; carries every mistake; exit code 78
    ├── CredentialError        no API key or other credential, or one that cannot be used
    ├── DamagedFileError       a file of ours does not hold what was written; a ValueError too
    ├── AudioDeviceError       a microphone or loudspeaker cannot be used now; retried
    │   ├── CardsChangedError       another card came or went: it is chosen anew
    │   └── AudioDeviceHungError    its thread does not come back: only ending the process helps
    ├── OutgrownError          the process takes too much memory; only ending it helps
    ├── EchoCancellerError     the canceller's library is missing; the speaker works half duplex
    ├── WakeModelError         a wake word network is missing or not one
    ├── RecordingError         a WAV file cannot be heard
    ├── VoiceError             a sentence of our own cannot be spoken; the speaker works without
    ├── BoardError             LEDs or button cannot be used; the speaker works without
    ├── MeasuringError         the echo cannot be measured now
    ├── MutingError            the microphone cannot be opened, or kept closed over a restart
    ├── TimerError             a timer or alarm cannot be set, or it is not clear which is meant
    ├── McpServerError         an MCP server cannot be used now; tried again by itself
    ├── ControlError           the control socket: nobody there, or it refused
    └── ScriptError            the stand-in server's script is wrong

Messages are lower case, name the thing and its value, and say what to do.

Tested in tests/test_main.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class ParleyError(Exception):
    """Base of every exception Parley raises on purpose."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in a configuration file."""

    where: str
    """Dotted path of the key, such as ``wake.words[0].threshold``; empty for the whole file."""
    message: str
    line: int
    """1-based; 0 when the mistake has no place in the file."""
    column: int
    """1-based; 0 when the mistake has no place in the file."""


class ConfigError(ParleyError):
    """The configuration is refused; nothing of it is in force."""

    def __init__(self, path: str, mistakes: list[Mistake]) -> None:
        self.path = path
        self.mistakes = mistakes
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """One ``path:line:column: key: message`` per mistake, in the order of the file."""
        return [
            (f"{self.path}:{m.line}:{m.column}: " if m.line else f"{self.path}: ")
            + (f"{m.where}: " if m.where else "")
            + m.message
            for m in self.mistakes
        ]


class CredentialError(ParleyError):
    """No API key or no other credential was found, or the one found cannot be used."""


class DamagedFileError(ParleyError, ValueError):
    """A file that the speaker keeps for itself does not hold what was written into it."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path} cannot be used: {why}")


class DeviceTrouble(StrEnum):
    """What is wrong with a sound device."""

    MISSING = "missing"
    BUSY = "busy"
    REFUSED = "refused"
    """It does not take the rate, the channels or the format asked for."""
    LOST = "lost"
    """It was open and went away."""
    STALLED = "stalled"
    """It is open and delivers (or takes) nothing."""
    DEAD = "dead"
    """It is open and what it delivers is no sound."""
    RELAPSING = "relapsing"
    """It works again and again, and is lost soon after each time."""


class AudioDeviceError(ParleyError):
    """A microphone or loudspeaker cannot be used now; worth another try later."""

    def __init__(self, trouble: DeviceTrouble, message: str) -> None:
        self.trouble = trouble
        super().__init__(message)


class CardsChangedError(AudioDeviceError):
    """Another sound card came or went, so the device is chosen anew: nothing is wrong with it."""


class AudioDeviceHungError(AudioDeviceError):
    """A PortAudio thread does not come back; only the end of the process frees the device."""


class OutgrownError(ParleyError):
    """The process takes more memory than a speaker needs; only its end gives it back."""


class EchoCancellerError(ParleyError):
    """Echo cannot be cancelled on this machine; the speaker works half duplex."""


class WakeModelError(ParleyError):
    """A wake word network is missing, or the file is not one."""


class RecordingError(ParleyError):
    """A recording of the owner's cannot be heard; says why and what to do."""


class SecondOpinionError(ParleyError):
    """The other networks for wake words do not load; openWakeWord's decide alone."""


class VoiceError(ParleyError):
    """A sentence of our own cannot be spoken; the speaker works without it."""


class BoardError(ParleyError):
    """LEDs or button of the board cannot be used; the speaker works without them."""


class ArrayBusyError(BoardError):
    """An array that answers has not got to what it was asked, however often it was asked again."""


class MeasuringError(ParleyError):
    """The way from the loudspeaker to the microphone cannot be measured now."""


class MutingError(ParleyError):
    """The microphone cannot be opened now, or what was asked will not outlive a restart."""


class CameraError(ParleyError):
    """No picture can be taken now; says why, and what to do, in words for the owner and a model."""


class FunctionError(ParleyError):
    """A function cannot do what a model asks; the words are for the model."""


class TimerError(ParleyError):
    """A timer or an alarm cannot be set, found or changed as asked; says what to ask for instead.

    Its message is one line that can be read to the person who asked.
    """


class McpServerError(ParleyError):
    """An MCP server cannot be used now; its functions are withdrawn until it is back."""


class RecordsError(ParleyError):
    """The books cannot be read; the message says why."""


class WakeClipError(ParleyError):
    """A clip of a wake word is not there, or cannot be kept, read or played; says what to do."""


class ControlError(ParleyError):
    """The control socket cannot be reached, or the daemon refused the command."""


class UnansweredError(ControlError):
    """Nobody is there to be asked: no speaker runs."""


class ScriptError(ParleyError):
    """A script for the stand-in Live server cannot be used."""


def causes_of(error: BaseException, depth: int = 0) -> Iterator[BaseException]:
    """Yield an error and what led to it, also where several went wrong at once.

    ``depth``: how many lie above it; what lies deeper than ten is left out.
    """
    yield error
    if depth > 10:
        return
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes_of(inner, depth + 1)
    for led in (error.__cause__, error.__context__):
        if led is not None:
            yield from causes_of(led, depth + 1)
