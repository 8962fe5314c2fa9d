"""`Stalls` knows what the server owes on an open connection, and what helps it along. Pure.

Live API: an open connection may fall silent for good, with no error and no close: after the user's
words, in the middle of a turn, or after ``interrupted``. A third of the patience with it is waited;
then the server is nudged. After another third the connection is left and the talk resumed. What
comes when all of it is over, an apology, is for whoever talks with the user. What was typed, or
said while the button was held, counts as unanswered after half of the patience instead, and is
asked again like any question whose answer could not be heard.

Three silences are no fault: that of a model that may choose not to answer and has told what it
heard; that after a sound too short for a word (a cough, a cup put down), which is only nudged; and
that while the user speaks.
"""

from __future__ import annotations

from enum import StrEnum

POISONED_S = 8.0
"""Live API: how long others let a resumed session hear and not answer before they drop its handle.
"""
WORD_S = 0.5
"""Speech shorter than this, of which the server says nothing, is taken for no word at all."""


class Wait(StrEnum):
    """What the server owes."""

    ANSWER = "no answer to what the user said"
    SOUND = "no more of the reply that had begun"
    AFTER_INTERRUPTED = "nothing after the reply was interrupted"


class Step(StrEnum):
    """What to do about it."""

    NUDGE = "nudge"
    ASK_AGAIN = "ask again"
    """Count it as no answer: the question itself is put again."""
    RESUME = "resume"
    FRESH = "fresh"
    """Leave the handle too: what was resumed on it hears but never answers."""


class Stalls:
    """The one deadline that runs. Times are CLOCK_MONOTONIC seconds.

    ``patience_s``: how long the user is kept waiting in all.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._speaking = False
        self._answering = False
        self._dismissed = False
        self._wait: Wait | None = None
        self._since = 0.0
        self._steps = 0
        self._owes = False
        self._choosy = False
        self._unproven = False
        self._must = False
        """Whether the model may not choose to stay silent: it was typed to, or the button held."""
        self._asked_again = False
        self._calling = False
        self.heard = False
        """Whether the server has told what it understood of the user's last words."""

    @property
    def owes(self) -> bool:
        """Whether it is the server's fault if nothing more comes."""
        if self._wait is None:
            return False
        return self._owes and not self._chosen

    @property
    def may_be_chosen(self) -> bool:
        """Whether the model may have chosen not to answer what it heard last."""
        return self._choosy and not self._must

    # --- what happens ----------------------------------------------------------------------------

    def opened(self, now: float, *, resumed: bool, choosy: bool) -> None:
        """A connection stands. ``choosy``: its model may decide not to answer."""
        self._choosy = choosy
        self._unproven = resumed
        if self._wait is not None and self._steps < 2:
            # What the old connection owed is asked of this one, which has not been helped yet.
            self._since, self._steps = now, 0

    def speech_began(self) -> None:
        """The user began to speak."""
        if not self._speaking:
            self.heard = self._answering = self._must = self._asked_again = False
        self._speaking = True
        self._dismissed = False

    def speech_ended(self, now: float, lasted_s: float) -> None:
        """The user stopped speaking, after so many seconds of it.

        The server may have found so before us, and be answering already.
        """
        if self._speaking and not self._answering:
            asked_before = self._wait is Wait.ANSWER and self._owes
            self._begin(Wait.ANSWER, now)
            self._owes = self.heard or asked_before or lasted_s >= WORD_S
        self._speaking = False

    def held(self) -> None:
        """Take note that what is being said is said to it: the button is held."""
        self._must = True

    def asked(self, now: float) -> None:
        """The user has typed something."""
        self._dismissed = False
        self._must, self._asked_again = True, False
        self.heard = False
        self._begin(Wait.ANSWER, now)
        self._owes = True

    def asked_again(self, now: float) -> None:
        """Take note that the question goes up again, in whatever way it was put."""
        self._asked_again = True
        self._begin(Wait.ANSWER, now)
        self._owes = True

    def understood(self, now: float) -> None:
        """The server has told what it understood of the user's words."""
        self.heard = True
        if self._wait is Wait.ANSWER:
            self._owes = True
            self._since = max(self._since, now - self._patience_s * self._steps / 3)

    def replied(self, now: float) -> None:
        """Some of the model's turn came."""
        self._unproven = False
        if self._wait is not Wait.AFTER_INTERRUPTED:
            self._begin(Wait.SOUND, now)
            self._owes = True

    def generated(self) -> None:
        """All of the turn has come."""
        if self._wait is Wait.SOUND:
            self._wait = None

    def called(self) -> None:
        """The model waits for the answer to a call: nothing else is due."""
        self._calling = True

    def calls_cancelled(self) -> None:
        """The model waits for no answer any more."""
        self._calling = False

    def call_answered(self, now: float) -> None:
        """The last answer that it waited for has gone up: now it must say something of it."""
        self._calling = False
        self._must = True
        self._begin(Wait.ANSWER, now)
        self._owes = True

    def interrupted(self, now: float) -> None:
        """The server broke its turn off."""
        self._answering = False
        self._begin(Wait.AFTER_INTERRUPTED, now)
        self._owes = True

    def turn_began(self, now: float) -> None:
        """The model's next turn begins: whatever was owed is coming."""
        self._wait = None
        self._answering = True
        self.replied(now)

    def turn_ended(self, now: float) -> None:
        """The server is done with a turn."""
        if self._wait is Wait.SOUND:
            self._wait = None
        elif self._wait is Wait.AFTER_INTERRUPTED:
            self._since = max(self._since, now)

    def cut_off(self, *, sounded: bool) -> None:
        """The connection has ended, and with it the turn; what the user asked stays owed.

        ``sounded``: some of the turn could be heard, which then was the answer.
        """
        self._calling = False
        if self._wait is Wait.SOUND and not sounded:
            self._wait = Wait.ANSWER
        elif self._wait is not Wait.ANSWER:
            self._wait = None

    def dismissed(self) -> None:
        """Nobody waits for anything until the user speaks again, whatever still comes."""
        self._dismissed = True
        self._wait = None
        self._speaking = False

    # --- what to do ------------------------------------------------------------------------------

    def due(self) -> float | None:
        """Return when the next step is due, None while nothing is owed."""
        if self._wait is None or self._speaking or self._calling:
            return None
        if self._steps == 0:
            # To ask again breaks off an answer that is only slow; a nudge does not.
            share = 1 / 2 if self._asks_itself and not self._asked_again else 1 / 3
            return None if self._chosen else self._since + self._patience_s * share
        if self._steps == 1 and self.owes:
            second_s = self._patience_s * 2 / 3
            return self._since + (min(second_s, POISONED_S) if self._poisoned else second_s)
        return None

    def step(self) -> tuple[Step, Wait]:
        """Take the step that is due, and return it with what is owed."""
        assert self._wait is not None  # noqa: S101 - `due` was not None
        self._steps += 1
        if self._steps == 1:
            return (Step.ASK_AGAIN if self._asks_itself else Step.NUDGE), self._wait
        return (Step.FRESH if self._poisoned else Step.RESUME), self._wait

    @property
    def _asks_itself(self) -> bool:
        """Whether the question itself is put again instead of a nudge.

        Live API: a typed question may get no event at all; words of ours would not be it.
        """
        return self._must and self._wait is Wait.ANSWER

    @property
    def _chosen(self) -> bool:
        """Whether the model has heard the user and may have chosen not to answer."""
        return self._wait is Wait.ANSWER and self.may_be_chosen and self.heard

    @property
    def _poisoned(self) -> bool:
        """Whether this looks like a handle that is good for hearing only."""
        return self._wait is Wait.ANSWER and self._unproven and self.heard

    def _begin(self, wait: Wait, now: float) -> None:
        self._wait, self._since, self._steps = (None if self._dismissed else wait), now, 0
