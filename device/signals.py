"""Signals are what each family of faults looks and sounds like. Pure.

Lights and chimes tell apart what there is to do: look at the device, at the network, at the account
behind the key, or wait for the server. A kind without a signal keeps the speaker from nothing that
it is for (a mistake in a file that was refused, a button that is missing).

Tested in tests/lights/test_choice.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from device.news import FailureKind


@dataclass(frozen=True, slots=True)
class Signal:
    """What a family of faults looks and sounds like."""

    pattern: str
    """Of the lights, when somebody has just met it."""
    standing: str
    """Of the lights, as long as it is so."""
    chime: str


CONFIG = "config"
"""The kind of a configuration that was refused."""
RECORDS = "records"
"""The kind of what leaves and costs that cannot be written down, or was lost."""
PROMETHEUS = "prometheus"
"""The kind of a file of figures that cannot be written where its owner wants it."""
WAKE_CLIPS = "wake_clips"
"""The kind of clips of wake words that cannot be kept, though their owner wants them."""
SPENDING_NEAR = "spending_near"
"""The kind of a limit of money that is near, until its owner was told."""
ATTENDED = frozenset({CONFIG, RECORDS, PROMETHEUS, WAKE_CLIPS, SPENDING_NEAR})
"""Kinds without a signal that are shown all the same: their owner should see to them some day."""

SPENDING = "spending"
"""The kind of a limit of money that is reached."""

DEVICE = Signal("fault", "standing", "error")
NETWORK = Signal("fault_network", "standing_network", "error_network")
ACCOUNT = Signal("fault_account", "standing_account", "error_account")
SERVICE = Signal("fault_service", "standing_service", "error_service")

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
    FailureKind.TOKEN: ACCOUNT,
    FailureKind.QUOTA: ACCOUNT,
    FailureKind.BILLING: ACCOUNT,
    FailureKind.CAP: ACCOUNT,
    SPENDING: ACCOUNT,
    FailureKind.MODEL: SERVICE,
    FailureKind.SETTINGS: SERVICE,
    FailureKind.SERVER: SERVICE,
    FailureKind.TIMEOUT: SERVICE,
}
"""Every kind that keeps the speaker from listening or answering."""


WATCHED = ATTENDED | {SPENDING, "microphone", "speaker", FailureKind.OFFLINE, FailureKind.CLOCK}
"""Whose end is seen by the device itself, whether or not anybody tries."""

PRESUMED_S = 600.0
"""How long the lights say of any other that it is still so: nobody has looked since."""


def presumed_s(kind: str, *, fatal: bool) -> float:
    """Return how long a fault may be taken to be so after it was met, seconds; inf: until its end.

    ``fatal``: only the owner can mend it.
    """
    return math.inf if fatal or kind in WATCHED else PRESUMED_S


def newest(kinds: Iterable[str]) -> str | None:
    """Return the last of these kinds (the oldest comes first) that has a signal."""
    told = [kind for kind in kinds if kind in SIGNALS]
    return told[-1] if told else None
