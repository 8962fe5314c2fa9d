"""`Recovery` decides whether, when and with what a session connects again. Pure.

It is the only place that decides it: `device.live.failures` says what can help, this says
whether it has been tried often and long enough. Every row of tries waits longer each time, with
jitter so that a house full of speakers does not come back in step, and ends: no failure is answered
with a storm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from device.live.failures import Diagnosis, Remedy
from device.news import FailureKind

WAITS_S = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Before each try in a row; the last again and again."""
JITTER = 0.25
"""Each wait is longer or shorter by up to this share."""
TALK_PATIENCE_S = 20.0
"""How long a talk that had begun is tried to be got back before the person is told: longer than a
router's hiccup. What is said meanwhile is held, and later the next wake word resumes the talk."""
FIRST_PATIENCE_S = 6.0
"""The same before the first connection stood: somebody has just spoken and gets no sign yet."""
STABLE_S = 10.0
"""How long a connection must have stood for the tries before it to be forgotten."""
SAME_HANDLE_TRIES = 3
"""How often a server may fail to resume on one handle until that is left. Live API: others do the
same. A server that has not noticed the end of the old connection fails with 1011; after a network
that went without a word that may be so for minutes."""

_OURS_TO_WAIT_FOR = frozenset(
    {
        *(FailureKind.OFFLINE, FailureKind.CLOCK, FailureKind.DNS, FailureKind.NETWORK),
        FailureKind.TOKEN,
    }
)
"""What has nothing to do with the handle."""


class Recovery:
    """What the next connection of a session is made with. Times are CLOCK_MONOTONIC seconds.

    ``models`` are asked for in that order; ``resumes``: whether a talk goes on over connections;
    ``chance`` gives a number 0..1.
    """

    def __init__(
        self,
        models: Sequence[str],
        handle: str | None = None,
        *,
        chance: Callable[[], float],
        resumes: bool = True,
        talk_patience_s: float = TALK_PATIENCE_S,
    ) -> None:
        self._models = list(models)
        self.resumes = resumes
        """Whether a talk goes on over connections."""
        self._chance = chance
        self._talk_patience_s = talk_patience_s
        self._tries = 0
        self._spoiled = 0
        self._unreached = False
        self._since: float | None = None
        self._began = False
        self._opened_at: float | None = None
        self.handle = handle
        """The newest handle that can be resumed; None opens a fresh session."""

    @property
    def model(self) -> str:
        """The model to ask for."""
        return self._models[0]

    def dialling(self, now: float) -> None:
        """A connection is about to be tried; the first of a row begins to take patience."""
        if self._since is None:
            self._since = now

    def opened(self, now: float) -> None:
        """A connection's setup was confirmed."""
        self._began = True
        self._opened_at = now

    def again(self) -> None:
        """Take note that another connection is made at once, for a reason of its own."""
        self._opened_at = None

    def after(self, diagnosis: Diagnosis, now: float) -> float | None:
        """Return how many seconds to wait before the next connection, None to give up."""
        opened_at, self._opened_at = self._opened_at, None
        if opened_at is not None and now - opened_at >= STABLE_S:
            self._tries = self._spoiled = 0
        if opened_at is not None and not self._tries:
            self._since = now
        if self._began and not self.resumes:
            return None
        match diagnosis.remedy:
            case Remedy.STOP | Remedy.LATER:
                return None
            case Remedy.NEXT_MODEL:
                return self._next_model()
            case Remedy.FRESH:
                return self._without_handle(now)
            case _:
                young = opened_at is None or now - opened_at < STABLE_S
                if young and self._is_left(diagnosis, dialled=opened_at is None):
                    # Another chance, however long it took to get here.
                    return 0.0
                return self._wait(now)

    def _next_model(self) -> float | None:
        if len(self._models) == 1:
            return None
        del self._models[0]
        # Live API: on resuming everything may change but the model.
        self.handle = None
        return 0.0

    def _without_handle(self, now: float) -> float | None:
        first = self.handle is not None and not self._began
        if self.handle is None and not self._began:
            return None
        self.handle = None
        return 0.0 if first else self._wait(now)

    def _is_left(self, diagnosis: Diagnosis, *, dialled: bool) -> bool:
        """Count a failure to resume against the handle; return whether that is left for it."""
        reached = diagnosis.failure.kind not in _OURS_TO_WAIT_FOR
        if reached and self._unreached:
            # The network is back: the server's own failures begin a row of their own.
            self._tries = 0
        self._unreached = dialled and not reached
        if not reached or diagnosis.remedy is not Remedy.RESUME or self.handle is None:
            return False
        self._spoiled += 1
        if self._spoiled >= SAME_HANDLE_TRIES:
            self.handle = None
        return self.handle is None

    def _wait(self, now: float) -> float | None:
        base_s = WAITS_S[min(self._tries, len(WAITS_S) - 1)]
        wait_s = base_s * (1 - JITTER + 2 * JITTER * self._chance())
        patience_s = self._talk_patience_s if self._began else FIRST_PATIENCE_S
        if now + wait_s - (self._since if self._since is not None else now) > patience_s:
            return None
        self._tries += 1
        return wait_s
