"""The record remembers each connection of the stand-in for those who judge the client.

Tested in tests/simulator/test_live_server.py.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from device.simulator.activity import Edge
from device.simulator.refusals import SetupField

Asking = Literal["speech", "held", "text", "content"]


@dataclass(slots=True)
class Question:
    """One request for an answer, however it came."""

    at: float
    """When it was complete, CLOCK_MONOTONIC seconds."""
    by: Asking
    """Speech that the server heard the end of, speech that the client bracketed (``activityEnd``),
    a text, or completed client content."""
    text: str = ""
    audio_bytes: int = 0
    """How much audio had come on its connection."""
    turn: int = 0
    """The turn it was taken as (from 1, counted in its conversation); 0: none, it was ignored."""
    time: int = 0
    """From 1: for how many times this turn's question was asked in its conversation."""
    session: int = 0
    """The number of its conversation."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that came."""

    at: float
    """CLOCK_MONOTONIC seconds."""
    jpeg: bytes = field(repr=False)
    width: int
    height: int
    seen: bool
    """Whether the model looked at it: no more than one a second, and only what its turn covers."""
    after_answers: int
    """How many calls of its connection had been answered before it."""


@dataclass(slots=True)
class ConnectionRecord:
    """One connection, from its HTTP request on. Times are CLOCK_MONOTONIC seconds."""

    number: int
    """From 1, in order of arrival."""
    path: str
    api_key: str
    """Empty when none came."""
    opened_at: float
    token: str = ""
    """The ephemeral token, on the endpoint that takes them; empty when none came."""
    status: int = 0
    """Of the HTTP answer: 101 for a WebSocket; 0 while there is none."""
    setup: dict[str, Any] | None = None
    """In camelCase, whatever the client wrote; also one that was refused."""
    fields: tuple[SetupField, ...] = ()
    """The optional fields of the setup, sorted by name."""
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
    speech: list[tuple[Edge, int]] = field(default_factory=list)
    """Where the server heard speech start and end, and how many bytes of audio had come before."""
    questions: list[Question] = field(default_factory=list)
    """Every request for an answer, in order of arrival."""
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """Every message but audio, in camelCase, with its arrival."""
    texts: list[str] = field(default_factory=list)
    tool_responses: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    """Every picture, in order of arrival."""
    sent: list[tuple[float, str]] = field(default_factory=list)
    """What the server sent and when: ``setupComplete``, ``goAway``, … and for ``serverContent``
    its fields (``modelTurn``, ``turnComplete``, …), one entry each."""
    turns: int = 0
    """Replies finished or interrupted on this connection."""
    counts: list[dict[str, Any]] = field(default_factory=list)
    """The ``usageMetadata`` of each turn of the model that is over, told or not: what it is billed
    for, in order. 3.8 has one more for each turn with function calls, 3.8x one for each filler."""
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
