"""`Duplex` decides whether the microphone is listened to while our voice is heard. Pure.

*Full* duplex hears the person during a reply, so that speaking interrupts it. *Half* duplex sends
silence meanwhile, because a server that hears its own voice interrupts itself; the wake word and
the button still work. ``auto`` decides by what is measured of the echo:

- Where a canceller runs in software it begins as half, and becomes full once the canceller takes
  out enough of the echo, or leaves next to nothing of it.
- Without any it becomes full only where our sound does not reach the microphone (a headset, a
  loudspeaker in another room).
- A board with a canceller of its own is trusted until something of us is heard all the same: then
  the reply is not played through the board.

It changes its mind between replies, never in the middle of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from device.echo.path import EchoFigures

Setting = Literal["auto", "full", "half"]
Mode = Literal["full", "half"]
Canceller = Literal["none", "software", "hardware"]

NOTHING_LEFT_DB = 3.0
"""Residue over the noise that is as good as none."""
LITTLE_LEFT_DB = 8.0
ENOUGH_ERLE_DB = 12.0
"""From which a person is told from the residue: measured, see `device.echo.near_end`."""
POOR_ERLE_DB = 9.0
MUCH_LEFT_DB = 12.0
"""What ends full duplex; in between it stays as it is."""
DOUBTFUL_EVIDENCE_DB = 80.0
"""Who has taken its own echo for a person so often is better off without."""

DISTRUSTED = 8
"""Stretches of our own sound for which nobody is heard over it then."""


@dataclass(frozen=True, slots=True)
class DuplexFigures:
    """What was decided, and why."""

    mode: Mode
    why: str
    canceller: Canceller
    """Who takes our voice out of the microphone."""


class Duplex:
    """One object for the whole process: what it learned of the room outlives a conversation."""

    def __init__(self, setting: Setting, canceller: Canceller) -> None:
        self._auto = setting == "auto"
        self._distrusted = 0
        """For how many stretches of our own sound it stays half, whatever was measured."""
        self.measured = False
        """Whether it was decided by what was measured in this process."""
        self._canceller = canceller
        self._mode: Mode = "half"
        if setting != "auto":
            self._mode, self._why = setting, "set so in the configuration"
        elif canceller == "hardware":
            self._mode, self._why = "full", "the microphone cancels echo in its hardware"
        else:
            self._why = "it is not known yet how much the microphone hears of the loudspeaker"

    @property
    def mode(self) -> Mode:
        """What is in force."""
        return self._mode

    @property
    def gates(self) -> bool:
        """Whether our voice is kept from the server also in full duplex, until somebody speaks.

        What a software canceller leaves is quiet, but it is speech.
        """
        return self._mode == "half" or self._canceller == "software"

    @property
    def figures(self) -> DuplexFigures:
        """What was decided and why."""
        return DuplexFigures(self._mode, self._why, self._canceller)

    def recall(self, mode: Mode, why: str) -> None:
        """Begin with what was decided in an earlier process."""
        if self._auto and not self.measured:
            self._mode, self._why = mode, why

    def distrust(self) -> None:
        """One reply after the other was interrupted at once: somebody talks, but not to us."""
        if self._auto and self._mode == "full":
            self._mode, self._why = "half", "others, or a television, talk into every reply"
            self._distrusted = DISTRUSTED

    @property
    def trusted(self) -> bool:
        """Whether what is in force follows from what was measured."""
        return not self._distrusted

    def judge(self, echo: EchoFigures) -> None:
        """Decide anew. To be called while nothing of ours can be heard."""
        if not self._auto or echo.residue_db is None or echo.erle_db is None:
            return
        self.measured = True
        if self._distrusted:
            self._distrusted -= 1
            return
        mode, why = self._choose(echo.erle_db, echo.residue_db, echo.needed_db)
        if mode != self._mode:
            self._mode, self._why = mode, why

    def _choose(self, erle_db: float, residue_db: float, needed_db: float) -> tuple[Mode, str]:
        left = f"{residue_db:.0f} dB of our own sound over the noise"
        if needed_db >= DOUBTFUL_EVIDENCE_DB:
            return "half", "it took its own echo for a person again and again"
        if residue_db <= NOTHING_LEFT_DB:
            return "full", "the microphone does not hear the loudspeaker"
        if self._canceller == "software":
            if erle_db >= ENOUGH_ERLE_DB or (residue_db <= LITTLE_LEFT_DB and erle_db > 0):
                return "full", f"{erle_db:.0f} dB of the echo are cancelled"
            if erle_db < POOR_ERLE_DB and residue_db > MUCH_LEFT_DB:
                return (
                    "half",
                    f"only {erle_db:.0f} dB of the echo are cancelled, which leaves {left}",
                )
        elif residue_db > MUCH_LEFT_DB:
            return "half", f"the microphone hears the loudspeaker: {left}"
        return self._mode, self._why
