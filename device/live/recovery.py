"""Whether a session goes on after a failed connection: with which model, which handle, and when.

Pure, and the only place that decides it; `device.live.failures` says what can help, this says
whether it has been tried often enough.
"""

from __future__ import annotations

from collections.abc import Sequence

from device.live.failures import Diagnosis, Remedy

_WAITS_S = (0.0, 1.0, 3.0)
"""Before each try in a row to go on with a conversation that had begun."""
_STABLE_S = 10.0
"""How long a connection must have stood for the tries before it to be forgotten."""


class Recovery:
    """What the next connection of a session is made with. Times are CLOCK_MONOTONIC seconds."""

    def __init__(self, models: Sequence[str], handle: str | None = None) -> None:
        self._models = list(models)
        self._tries = 0
        self._began = False
        self._opened_at: float | None = None
        self.handle = handle
        """The newest handle that can be resumed; None opens a fresh session."""

    @property
    def model(self) -> str:
        """The model to ask for."""
        return self._models[0]

    def opened(self, now: float) -> None:
        """A connection's setup was confirmed."""
        self._began = True
        self._opened_at = now

    def after(self, diagnosis: Diagnosis, now: float) -> float | None:
        """Return how many seconds to wait before the next connection, None to give up."""
        if self._opened_at is not None and now - self._opened_at >= _STABLE_S:
            self._tries = 0
        self._opened_at = None
        match diagnosis.remedy:
            case Remedy.STOP:
                return None
            case Remedy.NEXT_MODEL:
                return self._next_model()
            case Remedy.FRESH:
                return self._without_handle()
            case _:
                return self._again()

    def _next_model(self) -> float | None:
        if len(self._models) == 1:
            return None
        del self._models[0]
        # Live API: on resuming everything may change but the model.
        self.handle = None
        return 0.0

    def _without_handle(self) -> float | None:
        if self.handle is None:
            return None
        self.handle = None
        return self._wait() if self._began else 0.0

    def _again(self) -> float | None:
        # Before the first setup nothing of the talk is lost by telling at once and trying later.
        return self._wait() if self._began and self.handle is not None else None

    def _wait(self) -> float | None:
        if self._tries == len(_WAITS_S):
            return None
        self._tries += 1
        return _WAITS_S[self._tries - 1]
