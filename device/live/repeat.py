"""`Unanswered` keeps what the user said and no reply has answered, to be said again. Pure.

A connection that breaks, or must be left, in the middle of a sentence takes with it what the server
had heard of it: the session handle is from before. So what went up since the user began is kept,
bounded, until the model begins to answer.
"""

from __future__ import annotations

from collections import deque

from device.frames import FRAME_MS
from device.live.messages import Text

LEAD_S = 2.0
"""Kept from before speech was noticed: the wake word, and what was said in one breath with it."""


MOST_WORDS = 20
"""Texts that are kept: whoever types more of them before any is answered does not wait for the
first. With a picture of 360 kB each they are 7 MB."""

PRESS_LEAD_S = 0.5
"""Of what went up before a button was held, as much may belong to what is said then."""


class Unanswered:
    """At most ``limit_s`` seconds of 20 ms frames and `MOST_WORDS` texts, the newest.

    With ``limit_s`` 0 nothing is ever repeated.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_frames = round(limit_s * 1000 / FRAME_MS)
        self._said: deque[bytes | str | Text] = deque()
        self._frames = 0
        self._speaking = False
        self._answering = False
        self._answered: list[bytes | str | Text] = []
        """What the turn under way answers, should it turn out to be no answer."""
        self.pending = False
        """Whether the user is in mid-sentence, or has finished and waits for the answer."""

    def speaking(self, speaking: bool) -> None:
        """The user begins or ends a sentence.

        The server may have found its end before us, and be answering already.
        """
        if speaking and not self._speaking:
            self._answering = False
            self._answered.clear()
        self._speaking = speaking
        self.pending = self.pending or speaking
        if self._answering and not speaking:
            self._set_aside()

    def hold(self) -> None:
        """Take note that what is said from now on is one sentence, pauses and all."""
        if not self.pending:
            self._trim(min(round(PRESS_LEAD_S * 1000 / FRAME_MS), self._limit_frames))
        self.pending = self._speaking = True
        self._answering = False

    def sent_audio(self, frames: list[bytes]) -> None:
        """Keep frames that have gone up."""
        for pcm in frames:
            self._said.append(pcm)
            self._frames += 1
        lead_frames = round(LEAD_S * 1000 / FRAME_MS)
        self._trim(self._limit_frames if self.pending else min(lead_frames, self._limit_frames))

    def sent_text(self, text: str | Text) -> None:
        """Keep words that have gone up, as a whole where a picture belongs to them."""
        self._answered.clear()
        if self._limit_frames:
            self._said.append(text)
            self.pending = True
            words = [item for item in self._said if not isinstance(item, bytes)]
            if len(words) > MOST_WORDS:
                self._said.remove(words[0])

    def answered(self) -> None:
        """The model answers: none of it needs to be repeated.

        What is being said right now is, until its end turns out to be already behind us.
        """
        if self._speaking:
            self._answering = True
        else:
            self._set_aside()

    def _set_aside(self) -> None:
        answered = list(self._said if self.pending else self._answered)
        self.clear()
        self._answered = answered

    def take_back(self) -> None:
        """The turn that began to answer is no answer: what it followed is unanswered again."""
        if self._answered and not self.pending:
            self._said.extendleft(reversed(self._answered))
            self._frames = sum(isinstance(item, bytes) for item in self._said)
            self.pending = True
        self._answered.clear()

    def settled(self) -> None:
        """A turn of the model is over, and the server waits for words: what it heard is done with.

        A sentence that has begun meanwhile is not.
        """
        if not self._speaking:
            self.clear()

    def interrupted(self) -> None:
        """It was no answer to what is being said, which goes on."""
        self._answering = False

    def clear(self) -> None:
        """Forget all of it."""
        self._answered.clear()
        self._said.clear()
        self._frames = 0
        self.pending = False

    def take(self) -> list[bytes | str | Text]:
        """Return what must be said again, oldest first; it is kept only once it goes up again."""
        said = list(self._said) if self.pending else []
        self._said.clear()
        self._frames = 0
        return said

    def _trim(self, most_frames: int) -> None:
        while self._frames > most_frames:
            if isinstance(self._said.popleft(), bytes):
                self._frames -= 1
