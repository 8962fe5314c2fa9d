"""`Downlink` turns what the server says into news: speech, transcripts, ends, bills.

The server numbers nothing. A turn of the model begins with its first output after the last
``turnComplete`` and takes the next number then; what still arrives between ``interrupted`` and
``turnComplete`` belongs to the interrupted turn. Should the server forget that
``turnComplete``, the first speech or call that follows new words of the user begins the next turn
all the same. Transcripts have no guaranteed order beside the rest: what the user said counts to the
model's turn under way until that is interrupted, and to the one that follows otherwise; what the
model said never begins or ends a turn.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from device.frames import REPLY_RATE_HZ, SAMPLE_BYTES
from device.live.answers import Answer, Why
from device.live.repeat import Unanswered
from device.live.sound import Blob, Sound
from device.live.stalls import Stalls
from device.live.usage import TurnUsage
from device.news import (
    GenerationComplete,
    Interrupted,
    Post,
    ReplyAudio,
    Transcript,
    TurnComplete,
    Unheard,
    Usage,
)
from device.text import printable

if TYPE_CHECKING:
    from google.genai import types

_log = logging.getLogger(__name__)

Who = Literal["user", "model"]

NUDGE = "Please go on."
"""What a silent server is told by ourselves; its transcript of that is nobody's words."""

TURN_CHARACTERS = 20_000
"""Of a side's transcript in one turn; what comes beyond is cut off and counted. It is what is
spoken in twenty minutes, and the longest reply that can wait to be heard has ten."""
_REASON_CHARACTERS = 60
"""Of the reason why a turn ended, which is one word."""


_REJECTIONS = frozenset({"RESPONSE_REJECTED", "PROHIBITED_INPUT_CONTENT"})
"""Why the server ends a turn that it does not want to be heard."""
_REPEATED_CHARACTERS = 8
"""A shorter piece of a transcript may well be said twice."""


class Downlink:
    """Turns the content of server messages into news. Used from the event loop's thread only.

    ``stalls`` and ``unanswered`` are told what comes, as far as they wait for it.
    """

    def __init__(
        self,
        session: int,
        turns: Iterator[int],
        post: Post,
        stalls: Stalls,
        unanswered: Unanswered,
    ) -> None:
        self._session = session
        self._turns = turns
        self._post = post
        self._stalls = stalls
        self._unanswered = unanswered
        self._turn: int | None = None
        self._next: int | None = None
        self._last: int | None = None
        self._interrupted = False
        self._asked_since = False
        self._working = False
        self._answer = Answer()
        self._provoked = False
        """Whether the turn under way follows something that was said or typed."""
        self._hopeless = False
        self._generated = False
        self._spoken: dict[Who, _Spoken | None] = {"user": None, "model": None}
        self._used = TurnUsage()
        """By the turn under way, or the one that ended last."""
        self._used_by: int | None = None
        self._fresh = TurnUsage()
        """What the present message says was used, by whichever turn."""
        self._heard_bytes = 0
        """Of sound that came in the turn under way, or the one that ended last."""
        self._prompt_tokens: int | None = None
        self.same_turn = False
        """Whether the model's turn goes on after the answer to a call."""
        self.cut_characters = 0
        """Of transcripts, beyond `TURN_CHARACTERS`."""
        self.ended_at = 0.0
        """When the last turn ended; CLOCK_MONOTONIC seconds."""
        self.asked_at: float | None = None
        """When the user last said or typed something that is not answered yet."""

    @property
    def busy(self) -> bool:
        """Whether the model is in a turn, or thinks on in the background."""
        return self._turn is not None or self._working

    def asked(self) -> None:
        """Take note that the user has said or typed something."""
        self.asked_at = time.monotonic()
        self.spoke()

    def spoke(self) -> None:
        """Take note that the user has finished saying something, as far as we hear.

        Should the server forget to end its turn, what comes now is the next one.
        """
        self._asked_since = self._interrupted

    def called(self) -> int:
        """Take note that the model calls a function; returns the number of the turn it does in."""
        turn = self.begin_turn()
        self._answer.called = True
        self._stalls.called()
        return turn

    def begin_turn(self) -> int:
        """Return the number of the turn of the model's output that has just come.

        That is the turn under way; it begins now if none is, or if that one was interrupted and
        this output answers what the user said since.
        """
        if self._asked_since or self._generated:
            self.end_turn()
        if self._turn is None:
            self._stalls.turn_began(time.monotonic())
        else:
            self._stalls.replied(time.monotonic())
        return self._under_way()

    def _under_way(self) -> int:
        if self._turn is None:
            self._turn = self._coming()
            self._next = None
            self._answer = Answer()
            self._heard_bytes = 0
            self._provoked = self._unanswered.pending
            self._hopeless = self._generated = False
            self.asked_at = None
            self._conclude("user")
        return self._turn

    def end_turn(self, *, cut_off: bool = False, working: bool = False) -> None:
        """End the turn under way; harmless when there is none.

        ``cut_off``: not the server ended it, so what it heard meanwhile is not done with.
        ``working``: the model goes on in the background, and has more to say.
        """
        self._working = working
        if self._turn is None:
            return
        more = working or (self._answer.called and not self.same_turn)
        self._last = turn = self._turn
        self._turn = None
        if not (self._interrupted or cut_off or (more and not self._answer.audible)):
            self._judge(turn)
        self._interrupted = self._asked_since = self._generated = False
        self._conclude("user", turn)
        self._conclude("model")
        self.ended_at = time.monotonic()
        self._stalls.turn_ended(self.ended_at)
        more = more and not cut_off
        self._post(TurnComplete(self._session, turn, self.ended_at, more, cut_off))
        self._post_bill(turn)

    def _judge(self, turn: int) -> None:
        """Tell a turn that was no answer to what was asked; any other is done with."""
        why = self._answer.unheard
        if why is None or not (self._provoked or self._unanswered.pending):
            self._unanswered.settled()
        elif not self._hopeless:
            self._tell_unheard(turn, why)

    def nothing_came(self) -> None:
        """Tell that no turn at all has answered."""
        turn, self._next = self._coming(), None
        self._tell_unheard(turn, "nothing")
        self._heard_bytes = 0
        self._post_bill(turn)

    def _tell_unheard(self, turn: int, why: Why | Literal["nothing"]) -> None:
        chosen = self._stalls.may_be_chosen and why == "empty"
        self._post(Unheard(self._session, turn, why, chosen, time.monotonic()))

    def give_up(self) -> None:
        """End here what the connection's end has cut off, so that nobody waits for the rest."""
        self.end_turn(cut_off=True)
        self._stalls.cut_off(sounded=self._answer.audible)
        self._last = None
        self._conclude("user")
        self._conclude("model")
        if self._next is not None and self._next == self._used_by:
            # A turn that was counted and never came is paid for; the next one has its own count.
            turn, self._next, self._heard_bytes = self._next, None, 0
            self._post_bill(turn)

    def bill(self, usage: types.UsageMetadata) -> None:
        """Keep a usage message until it is known whose it is."""
        self._fresh.count(usage)

    def settle_bill(self) -> None:
        """Put what the present message counts to its turn, and post it once that has ended.

        To be called after each message, so that no turn is billed for the one before it. What
        comes after its turn's end is told with all of that turn, once more. What comes before
        the first turn of a connection is of the turn to come.
        """
        turn = self._turn if self._turn is not None else self._last
        if turn is None:
            if self._fresh.empty:
                return
            turn = self._coming()
        self._charge(turn)
        if turn == self._last and self._turn is None:
            self._post_bill(turn)

    def new_context(self) -> int | None:
        """Return how many tokens the server's context holds, by a bill since this was asked last.

        None: there was none. A turn under way has no bill yet, whatever was counted of it.
        """
        prompt_tokens, self._prompt_tokens = self._prompt_tokens, None
        return prompt_tokens

    def _charge(self, turn: int) -> None:
        """Put what the present message counts to a turn."""
        fresh, self._fresh = self._fresh, TurnUsage()
        if turn != self._used_by:
            self._used, self._used_by = TurnUsage(), turn
        self._used.add(fresh)

    def _post_bill(self, turn: int) -> None:
        """Post what a turn has used, if that is known and was not told."""
        if turn != self._used_by:
            return
        counts = self._used.news(self._heard_bytes / (REPLY_RATE_HZ * SAMPLE_BYTES))
        if counts is not None:
            self._prompt_tokens = counts.get("prompt", self._prompt_tokens)
            now = time.monotonic()
            self._post(Usage(self._session, turn, counts, now, self._used.searches))

    def take(self, content: types.LiveServerContent) -> None:
        """Post all that one server message holds."""
        if content.input_transcription is not None:
            self._heard("user", content.input_transcription)
        if content.interrupted:
            turn = self._under_way()
            self.asked_at = time.monotonic()
            self._interrupted = True
            self._stalls.interrupted(time.monotonic())
            self._unanswered.interrupted()
            self._post(Interrupted(self._session, turn, time.monotonic()))
        if content.model_turn is not None:
            self._speech(content.model_turn)
        if content.output_transcription is not None:
            self._heard("model", content.output_transcription)
        if content.generation_complete and self._turn is not None:
            self._stalls.generated()
            self._generated = True
            self._post(GenerationComplete(self._session, self._turn, time.monotonic()))
        if content.grounding_metadata is not None:
            self._fresh.ground(content.grounding_metadata)
        if content.interaction_status is not None:
            self._working = content.interaction_status.value == "IN_PROGRESS"
        if content.turn_complete:
            self._completed(content)

    def _speech(self, model_turn: types.Content) -> None:
        for part in model_turn.parts or ():
            turn = self.begin_turn()
            blob = part.inline_data
            if part.text and not part.thought:
                self._answer.text()
            if part.thought or blob is None or not blob.data:
                continue
            self._part(turn, Blob(blob.mime_type or "", blob.data))

    def sound(self, message: Sound) -> None:
        """Post the sound of a server message that holds nothing else."""
        for part in message.parts:
            self._part(self.begin_turn(), part)

    def _part(self, turn: int, part: Blob) -> None:
        if (part.mime_type or "audio/").startswith("audio/"):
            self._sound(turn, part.data)

    def _sound(self, turn: int, pcm: bytes) -> None:
        self._heard_bytes += len(pcm)
        if self._hopeless:
            return
        heard_before = self._answer.audible
        self._hopeless = self._answer.sound(pcm)
        if self._answer.audible and not heard_before:
            # Thoughts, calls and silence are no answer yet: their connection may still be lost.
            self._unanswered.answered()
        self._post(ReplyAudio(self._session, turn, pcm, time.monotonic()))
        why = self._answer.unheard
        if self._hopeless and why is not None:
            self._tell_unheard(turn, why)

    def _completed(self, content: types.LiveServerContent) -> None:
        self._charge(self._under_way())
        if content.turn_complete_reason is not None:
            reason = printable(content.turn_complete_reason.value, _REASON_CHARACTERS)
            _log.info("the server ended the turn: %s", reason)
            if reason in _REJECTIONS:
                self._answer.rejected()
        self.end_turn(working=self._working)

    def _heard(self, who: Who, transcription: types.Transcription) -> None:
        told = transcription.text or ""
        text = printable(told[:TURN_CHARACTERS])
        self.cut_characters += len(told[TURN_CHARACTERS:])
        if text and not (who == "user" and text.strip() == NUDGE):
            if who == "user":
                self._stalls.understood(time.monotonic())
            turn = self._turn_of(who)
            spoken = self._spoken[who]
            if spoken is None or spoken.turn != turn:
                self._conclude(who)
                spoken = self._spoken[who] = _Spoken(turn)
            if who == "model":
                self._answer.transcribed()
            if text == spoken.last and len(text) >= _REPEATED_CHARACTERS:
                return  # Live API: now and then a transcript is sent twice.
            spoken.last = text
            kept = spoken.add(text)
            self.cut_characters += len(text) - len(kept)
            if kept:
                self._post_transcript(turn, who, kept, final=False)
            if who == "user" and turn != self._turn:
                self.asked()
        if transcription.finished:
            self._conclude(who)

    def _conclude(self, who: Who, turn: int | None = None) -> None:
        """Post the whole text of a side, if any; only what belongs to ``turn``, if given."""
        spoken = self._spoken[who]
        if spoken is not None and turn in {None, spoken.turn}:
            self._spoken[who] = None
            self._post_transcript(spoken.turn, who, spoken.text.strip(), final=True)

    def _post_transcript(self, turn: int, who: Who, text: str, *, final: bool) -> None:
        self._post(Transcript(self._session, turn, who, text, final, time.monotonic()))

    def _turn_of(self, who: Who) -> int:
        if self._turn is None or (who == "user" and self._interrupted):
            return self._coming()
        return self._turn

    def _coming(self) -> int:
        """Return the number of the turn to come, taken once and kept until that turn begins."""
        if self._next is None:
            self._next = next(self._turns)
        return self._next


class _Spoken:
    """What one side has said in a turn so far."""

    def __init__(self, turn: int) -> None:
        self.turn = turn
        self.text = ""
        self.last = ""
        """The newest piece of it."""

    def add(self, piece: str) -> str:
        """Return as much of the piece as there is room for; it is part of the text now."""
        kept = piece[: TURN_CHARACTERS - len(self.text)]
        self.text += kept
        return kept
