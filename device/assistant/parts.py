"""`Parts` is the recipe of a speaker: how each of its parts is made.

Tested in tests/assistant/test_hub.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from device.board.button import GpioButton
from device.board.mute_switch import SwitchWatch
from device.board.profiles import Profile
from device.config import Config, McpServer
from device.live.departures import Sent
from device.live.network import RELEASED
from device.live.resumption import Past
from device.mcp.wanted import Wanted
from device.news import Failure, Post
from device.ports import (
    Camera,
    Functions,
    Lights,
    Microphone,
    OpenDevice,
    Session,
    Speaker,
    WakeDetector,
)
from device.records.store import Records
from device.records.tables import TABLES
from device.records.writer import Place
from device.state.echo import EchoMemory
from device.state.mute import MuteMemory
from device.state.talk import TalkMemory
from device.state.wake_clips import ClipFolder
from device.timers.clocks import Clocks, KernelClocks
from device.timers.memory import TimerMemory


@dataclass(frozen=True, slots=True)
class Parts:
    """Every function may be called again: after a reload, or for the next conversation."""

    microphone: Callable[[Config], Microphone]
    speaker: Callable[[Config], Speaker]
    detector: Callable[[Config], Awaitable[WakeDetector]]
    """With its networks loaded; raises WakeModelError."""
    profile: Callable[[Config, OpenDevice | None], Profile]
    """The board, from the configuration and the microphone that is open (if any)."""
    lights: Callable[[Config, Profile], Lights]
    """Raises BoardError."""
    button: Callable[[Config, Profile], GpioButton | None]
    """Raises BoardError."""
    session: Callable[[Config, int, Past, Post, Sent, Functions], Session]
    """By its number and the talk so far; raises CredentialError."""
    camera: Callable[[Config], Camera]
    """As configured; costs nothing until a picture is taken. Never raises."""
    mcp_server: Callable[[McpServer], Wanted] = lambda server: mcp_server(server, None)
    """What is wanted of a configured server, and its credential; blocks, raises CredentialError."""
    missing_key: str = ""
    """Why no session can be opened, known from the start: told before anybody asks in vain."""
    hindrance: Callable[[Config], Failure | None] = lambda _config: None
    """What on this device keeps any connection from being tried now, None when nothing does."""
    mute_switch: Callable[[Profile], SwitchWatch | None] = lambda _profile: None
    """Looks at the microphone's own mute switch, where it can be read."""
    mute_memory: MuteMemory = field(default_factory=lambda: MuteMemory(None))
    """Whether the owner had muted the speaker."""
    resident: Callable[[], int] = lambda: 0
    """How much of the machine's memory the speaker's process takes, in bytes."""
    celsius: Callable[[], float | None] = lambda: None
    """How warm the processor is; None where nothing tells."""
    keepsake: TalkMemory = field(default_factory=lambda: TalkMemory(None))
    """Where the talk so far is kept."""
    echo_memory: EchoMemory = field(default_factory=lambda: EchoMemory(None))
    """What was measured of the echo in earlier processes."""
    clocks: Callable[[], Clocks] = lambda: KernelClocks(earliest_s=RELEASED)
    """What timers and alarms go by."""
    records: Callable[[Post, Callable[[], int]], Records] = lambda post, keep_days: Records(
        Place(None), TABLES, post, keep_days
    )
    """The books; it is told for how many days they are kept."""
    wake_clips: ClipFolder = field(default_factory=lambda: ClipFolder(None))
    """Where clips of wake words are kept, as far as they are."""
    timer_memory: TimerMemory = field(default_factory=lambda: TimerMemory(None))
    """Which of them were set."""
    spoken: Callable[[Config, str], bytes | None] = lambda _config, _text: None
    """Speaks a text, s16le mono 24 kHz; None where there is no voice. Takes a while; any thread."""
    sentence: Callable[[Config, str], bytes | None] = lambda _config, _kind: None
    """What is said of a kind of fault, s16le mono 24 kHz; None where there are no words for it."""
    set_levels: Callable[[Config, Profile, OpenDevice | None, OpenDevice | None], list[str]] = (
        lambda _config, _board, _microphone, _speaker: []
    )
    """Sets the mixers of the open devices' cards as board (the microphone's) and owner want them;
    blocks. Returns what could not be set.
    """
    plugged: Callable[[], frozenset[str]] = frozenset
    """Names the sound cards and arrays that are plugged in, in other words at each appearance."""
    revive: Callable[[Profile], bool] = lambda _board: False
    """Cures a board whose microphone is dead, or is lost again and again, where that can be done
    and was not yet; blocks."""
    make_sentences: Callable[[Config], None] = lambda _config: None
    """Makes the sentences that are missing; takes seconds."""


def mcp_server(server: McpServer, secret: str | None) -> Wanted:
    """Return what is wanted of a configured server."""
    return Wanted(
        name=server.name,
        url=server.url,
        command=server.command or None,
        secret=secret,
        only=server.only,
        never=server.never,
        confirm=server.confirm,
        timeout_s=server.timeout_s,
    )
