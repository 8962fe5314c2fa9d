"""How a fault is told to the person in the room: a light, a chime and a sentence.

Lights and chimes tell apart what there is to do: look at the device, at the network, at the account
behind the key, or wait for the server. The sentence tells the kind itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from device.config import Config
from device.faults import Faults
from device.parts import Parts
from device.ports import FailureKind, Speaker


@dataclass(frozen=True, slots=True)
class Signal:
    """What a family of faults looks and sounds like."""

    pattern: str
    """Of the lights."""
    chime: str


DEVICE = Signal("fault", "error")
NETWORK = Signal("fault_network", "error_network")
ACCOUNT = Signal("fault_account", "error_account")
SERVICE = Signal("fault_service", "error_service")

SIGNALS: dict[str, Signal] = {
    "microphone": DEVICE,
    "speaker": DEVICE,
    FailureKind.OFFLINE: NETWORK,
    FailureKind.CLOCK: NETWORK,
    FailureKind.DNS: NETWORK,
    FailureKind.NETWORK: NETWORK,
    FailureKind.PORTAL: NETWORK,
    FailureKind.PROXY: NETWORK,
    FailureKind.TLS: NETWORK,
    FailureKind.KEY: ACCOUNT,
    FailureKind.QUOTA: ACCOUNT,
    FailureKind.BILLING: ACCOUNT,
    FailureKind.MODEL: SERVICE,
    FailureKind.SETTINGS: SERVICE,
    FailureKind.SERVER: SERVICE,
    FailureKind.TIMEOUT: SERVICE,
}
"""Every kind that keeps the speaker from listening or answering; the others are told in writing."""


class Telling:
    """Tells the newest fault in force. Used from the event loop's thread only."""

    def __init__(self, parts: Parts, faults: Faults, speaker: Callable[[], Speaker]) -> None:
        """`speaker` gives the loudspeaker in use."""
        self._parts = parts
        self._faults = faults
        self._speaker = speaker

    @property
    def _kind(self) -> str | None:
        told = [fault for fault in self._faults.active if fault.kind in SIGNALS]
        return max(told, key=lambda fault: fault.since).kind if told else None

    @property
    def pattern(self) -> str:
        """What the lights should show."""
        kind = self._kind
        return (SIGNALS[kind] if kind else DEVICE).pattern

    def alarm(self, config: Config) -> None:
        """Play chime and sentence, as far as they are wanted."""
        kind = self._kind
        if config.audio.chimes:
            self._speaker().chime((SIGNALS[kind] if kind else DEVICE).chime)
        if config.audio.announcements and kind is not None:
            sentence = self._parts.sentence(config, kind)
            if sentence is not None:
                self._speaker().announce(sentence)

    def hush(self) -> None:
        """Break off the sentence: somebody wants to talk."""
        self._speaker().hush()

    async def prepare(self, config: Config) -> None:
        """Have the sentences made that are missing; takes seconds, in a thread."""
        if config.audio.announcements:
            await asyncio.to_thread(self._parts.make_sentences, config)
