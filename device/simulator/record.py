"""The record remembers each connection of the stand-in for those who judge the client."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class ConnectionRecord:
    """One connection, from its HTTP request on. Times are CLOCK_MONOTONIC seconds."""

    number: int
    """From 1, in order of arrival."""
    path: str
    api_key: str
    """Empty when none came."""
    opened_at: float
    status: int = 0
    """Of the HTTP answer: 101 for a WebSocket; 0 while there is none."""
    setup: dict[str, Any] | None = None
    """In camelCase, whatever the client wrote."""
    model: str = ""
    """Without ``models/``."""
    handle: str = ""
    """What it resumed on; empty for a fresh session."""
    handles_sent: list[str] = field(default_factory=list)
    conversation: int = 0
    """From 1; a resumed session has the number of the one it goes on with. 0 before setup."""
    ready_at: float | None = None
    """When ``setupComplete`` was sent."""
    audio: bytearray = field(default_factory=bytearray)
    """Microphone audio in order of arrival, s16le mono."""
    audio_chunks: list[tuple[float, int]] = field(default_factory=list)
    """Arrival and length in bytes of each piece of it."""
    audio_rates_hz: set[int] = field(default_factory=set)
    audio_stream_ends: list[tuple[float, int]] = field(default_factory=list)
    """When ``audioStreamEnd`` came, and how many bytes of audio had come before it."""
    activities: list[tuple[Literal["start", "end"], int]] = field(default_factory=list)
    """Each ``activityStart`` and ``activityEnd``, and how many bytes of audio had come before."""
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """Every message but audio, in camelCase, with its arrival."""
    texts: list[str] = field(default_factory=list)
    tool_responses: list[dict[str, Any]] = field(default_factory=list)
    sent: list[tuple[float, str]] = field(default_factory=list)
    """What the server sent and when: ``setupComplete``, ``goAway``, … and for ``serverContent``
    its fields (``modelTurn``, ``turnComplete``, …), one entry each."""
    turns: int = 0
    """Replies finished or interrupted on this connection."""
    refused: tuple[int, str] | None = None
    """Code and reason the server closed with, uncut."""
    closed_at: float | None = None
    closed_by: Literal["client", "server", "nobody"] = "nobody"
    """Whose close frame came first; ``nobody``'s when the TCP connection was just cut."""
    close_code: int | None = None
    """Of the close frame the client sent (its own, or its echo of ours); None without one."""
    close_reason: str = ""

    @property
    def open(self) -> bool:
        """Whether the WebSocket is open."""
        return self.status == 101 and self.closed_at is None

    def copy(self) -> ConnectionRecord:
        """Return a copy that no longer changes."""
        return deepcopy(self)
