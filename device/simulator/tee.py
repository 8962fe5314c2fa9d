"""Two loudspeakers play the same: a simulated one, and a real one that plays along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device.news import Post
from device.ports import OpenDevice, Played, Speaker


class Tee:
    """A :class:`device.ports.Speaker` whose news and figures are those of the simulated one alone.

    The real one is told all that the other is told. Its loss is a loss, and its name is shown.
    """

    def __init__(self, simulated: Speaker, real: Speaker) -> None:
        self._simulated = simulated
        self._real = real

    @property
    def device(self) -> OpenDevice | None:
        """The real one's."""
        return self._real.device

    @property
    def description(self) -> str:
        """The real one's: it is what can be heard."""
        return self._real.description

    @property
    def counters(self) -> Mapping[str, int]:
        """The simulated one's."""
        return self._simulated.counters

    @property
    def audible(self) -> bool:
        """Whether anything of the simulated one can be heard now."""
        return self._simulated.audible

    @property
    def level(self) -> float:
        """RMS of what the simulated one plays, 0..1 of full scale."""
        return self._simulated.level

    async def open(self, post: Post) -> None:
        """Open both. Raises AudioDeviceError."""
        await self._real.open(lambda _news: None)
        await self._simulated.open(post)

    async def wait_lost(self) -> None:
        """Wait for the loss of the real one: the simulated one is never lost."""
        await self._real.wait_lost()

    async def close(self) -> None:
        """Close both, as :class:`device.ports.Speaker` says."""
        await self._simulated.close()
        await self._real.close()

    def rest(self, on: bool) -> None:
        """Let the real one rest."""
        self._real.rest(on)

    def play(self, pcm: bytes, turn: int) -> None:
        """Append a chunk, as :class:`device.ports.Speaker` says."""
        self._real.play(pcm, turn)
        self._simulated.play(pcm, turn)

    def end_turn(self, turn: int) -> None:
        """No more of this turn will come."""
        self._real.end_turn(turn)
        self._simulated.end_turn(turn)

    def clear(self) -> int:
        """Throw the rest away; return the milliseconds of the turn taken by the simulated one."""
        self._real.clear()
        return self._simulated.clear()

    def pause(self) -> int:
        """Let the reply fall silent and keep its place, as :class:`device.ports.Speaker` says."""
        self._real.pause()
        return self._simulated.pause()

    def go_on(self) -> int:
        """Go on where it paused; harmless when it did not."""
        self._real.go_on()
        return self._simulated.go_on()

    def take_played(self) -> Sequence[Played]:
        """Return what the simulated one took since the last call; the real one is not asked."""
        return self._simulated.take_played()

    def chime(self, name: str) -> None:
        """Play a chime over whatever plays."""
        self._real.chime(name)
        self._simulated.chime(name)

    def ring(self, rung_s: float, percent: int, words: bytes = b"") -> float:
        """Ring once, as :class:`device.ports.Speaker` says."""
        self._real.ring(rung_s, percent, words)
        return self._simulated.ring(rung_s, percent, words)

    def stop_ringing(self) -> None:
        """Break off what rings; harmless when nothing does."""
        self._real.stop_ringing()
        self._simulated.stop_ringing()

    def announce(self, pcm: bytes) -> None:
        """Say a sentence after the chime, as :class:`device.ports.Speaker` says."""
        self._real.announce(pcm)
        self._simulated.announce(pcm)

    def hush(self) -> None:
        """Break off the sentence; harmless when there is none."""
        self._real.hush()
        self._simulated.hush()

    def set_volume(self, percent: int) -> None:
        """0..100, for all that plays."""
        self._real.set_volume(percent)
        self._simulated.set_volume(percent)
