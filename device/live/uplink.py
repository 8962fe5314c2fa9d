"""`Uplink` holds what waits to go up to the server, in order, until a connection takes it.

Frames, ends of audio and texts go up in the order in which they came; answers to function calls
and nudges go before all of them, since the model waits for those. A message stays in the queue
until it has really been sent, so nothing is lost when a connection gives way to the next in
between. A picture of a stream is in no queue: it goes when nothing else waits, so that it holds up
no sound, and the next one takes its place. Used from the event loop's thread only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from device.frames import FRAME_MS, MICROPHONE_RATE_HZ, SAMPLE_BYTES
from device.live.messages import (
    ActivityEnd,
    ActivityStart,
    Answer,
    Audio,
    AudioEnd,
    Item,
    Message,
    Nudge,
    Picture,
    Said,
    Text,
    Undecided,
)

HELD_FRAMES = 60_000 // FRAME_MS
"""How much audio may wait: a minute."""
HELD_WORDS = 100
"""How many texts, ends of audio and answers may wait."""

_SECOND_S = 2 * FRAME_MS / 1000
"""How long a frame waits for the next one, if at all. That comes in half of it."""

# Live API: chunks of 20-40 ms are advised and up to 100 ms are in use; longer ones delay the end of
# speech.
_MESSAGE_BYTES = MICROPHONE_RATE_HZ * SAMPLE_BYTES // 10


def _hurried() -> bool:
    """Let nothing wait."""
    return False


class Uplink:
    """The queue. When a minute of audio waits already, the newest frames are dropped and counted.

    The oldest are kept because they hold what was said with the wake word; so what does go up has
    its gap at the end, where the link was already lost for a minute.

    ``unhurried`` tells when a frame may wait for the next one, so that both go up in one message:
    half the work, and the first of the two goes 20 ms later.
    """

    def __init__(self, unhurried: Callable[[], bool] = _hurried) -> None:
        self._unhurried = unhurried
        self._queue: deque[Item] = deque()
        self._captured: deque[float | None] = deque()
        """When each frame in the queue was recorded; None of those that are late by intent."""
        self._carried = False
        self._turn_open = False
        """Whether what is appended belongs to a turn that is held."""
        self._first_of_all: deque[Answer | Nudge] = deque()
        self._on_its_way: Message | None = None
        """What `next` has returned last, until it was sent or its connection is lost."""
        self._view: Picture | None = None
        """The newest picture of a stream, while it waits."""
        self._holds_back = False
        """Whether only what goes before all else may go up."""
        self._held = 0
        self._again = 0
        """How many of the frames that wait, the first of them, have left before."""
        self._held_max = 0
        self._dropped = 0
        self._dropped_frames = 0
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def held(self) -> int:
        """Frames that wait."""
        return self._held

    @property
    def held_max(self) -> int:
        """The most frames that ever waited."""
        return self._held_max

    @property
    def dropped(self) -> int:
        """Frames and words that found no room."""
        return self._dropped

    def new_losses(self) -> int:
        """Return how many frames found no room since this was last asked."""
        frames, self._dropped_frames = self._dropped_frames, 0
        return frames

    @property
    def unanswered(self) -> bool:
        """Whether an answer to a function call waits."""
        return any(isinstance(message, Answer) for message in self._first_of_all)

    def carried(self, carried: bool) -> None:
        """Tell whether a connection takes what waits; what has waited for one is late by intent."""
        self._carried = carried
        if not carried:
            self._on_its_way = None
            self._captured = deque([None] * len(self._captured))

    def append_frame(self, pcm: bytes, captured_at: float | None = None) -> None:
        """Append 20 ms of microphone, recorded at that time if it should be known when it went."""
        if self._held >= HELD_FRAMES:
            self._dropped += 1
            self._dropped_frames += 1
            return
        self._held += 1
        self._held_max = max(self._held_max, self._held)
        self._captured.append(captured_at if self._carried else None)
        self._append(pcm)

    def append_end(self) -> None:
        """Append the end of a stretch of audio; a second one in a row says nothing new."""
        self._turn_open = False
        self._view = None
        self.let_go()
        if not self._queue or not isinstance(self._queue[-1], AudioEnd):
            self._append_word(AudioEnd())

    def press(self) -> None:
        """Let what is appended from now on wait for `hold`, `let_go` or `forget_undecided`."""
        if not self._turn_open and Undecided() not in self._queue:
            self._queue.append(Undecided())

    def let_go(self) -> None:
        """Take note that what waits since `press` is nothing special."""
        if Undecided() in self._queue:
            self._queue.remove(Undecided())
            self._work.set()
            self._settle()

    def forget_undecided(self) -> None:
        """Forget what the microphone heard since `press`, but no words."""
        words: list[Item] = []
        while Undecided() in self._queue:
            item = self._queue.pop()
            if isinstance(item, bytes):
                self._captured.pop()
                self._held -= 1
                self._again = min(self._again, self._held)
            elif not isinstance(item, Undecided):
                words.append(item)
        self._queue.extend(reversed(words))
        self._work.set()
        self._settle()

    def hold(self) -> None:
        """Make one turn of what was appended since `press`, until `append_activity_end`."""
        if Undecided() in self._queue:
            self._turn_open = True
            self._queue[self._queue.index(Undecided())] = ActivityStart()
            self._wake()

    def append_activity_end(self) -> None:
        """Append the end of a turn that was held; one without a sound never was."""
        self._turn_open = False
        for place in reversed(range(len(self._queue))):
            if isinstance(self._queue[place], bytes):
                break
            if isinstance(self._queue[place], ActivityStart):
                del self._queue[place]
                self._work.set()
                self._settle()
                return
        self._append_word(ActivityEnd())

    def append_text(self, text: str, picture: Picture | None = None) -> None:
        """Append words of the user, and the picture that goes up with them."""
        self._append_word(Text(text, picture=picture))

    def show(self, picture: Picture) -> None:
        """Let a picture go up when nothing else waits, unless a newer one comes before that."""
        self._view = picture
        self._work.set()

    def forget_pictures(self, instead: Mapping[str, Any]) -> None:
        """Let no picture of the camera's go up that waits; the answers say something `instead`.

        What is on its way cannot be called back.
        """
        self._view = None
        waiting = self._first_of_all
        self._first_of_all = deque(
            replace(each, response=instead, picture=None)
            if isinstance(each, Answer) and each.picture and each is not self._on_its_way
            else each
            for each in waiting
        )

    def append_answer(self, answer: Answer) -> bool:
        """Append the answer to a function call; it overtakes everything but other answers.

        Returns whether there was room for it.
        """
        if len(self._first_of_all) >= HELD_WORDS:
            self._dropped += 1
            return False
        self._first_of_all.append(answer)
        self._wake()
        return True

    def hold_back(self, holds_back: bool) -> None:
        """Let everything but answers wait, or no longer; nothing is lost of it."""
        self._holds_back = holds_back
        if not holds_back:
            self._work.set()

    def append_nudge(self, text: str) -> None:
        """Append words of ours; they overtake what waits, and are worth nothing later."""
        self._first_of_all.append(Nudge(text))
        self._wake()

    def put_back(self, said: Sequence[Said]) -> None:
        """Put what was sent in vain before all that waits; the bound does not count it.

        It becomes the beginning of the turn that waits to begin, if it is no such turn itself.
        """
        if not said:
            return
        if said[-1] == ActivityStart() and self._ends_before_a_sound():
            # Nothing is left of that turn.
            self._queue.remove(ActivityEnd())
            self._settle()
            return
        begins = {ActivityStart(), Undecided()}
        joins = said[0] != ActivityStart() and bool(self._queue) and self._queue[0] in begins
        begin = self._queue.popleft() if joins else None
        self._queue.extendleft(
            Text(item, again=True) if isinstance(item, str) else item for item in reversed(said)
        )
        if begin is not None:
            self._queue.appendleft(begin)
        frames = sum(isinstance(item, bytes) for item in said)
        self._held += frames
        self._again += frames
        self._captured.extendleft([None] * frames)
        self._held_max = max(self._held_max, self._held)
        self._wake()

    def _ends_before_a_sound(self) -> bool:
        ends = (item for item in self._queue if isinstance(item, bytes | ActivityEnd))
        return next(ends, None) == ActivityEnd()

    def withdraw(self, call_id: str) -> Answer | None:
        """Take back the answer to a call that was cancelled, None when it has been sent."""
        for message in self._first_of_all:
            if isinstance(message, Answer) and message.call_id == call_id:
                self._first_of_all.remove(message)
                self._settle()
                return message
        return None

    def withdraw_all(self) -> list[Answer]:
        """Take back every answer: a new connection knows nothing of the calls of the old one.

        Nor does it need to be nudged.
        """
        withdrawn = [message for message in self._first_of_all if isinstance(message, Answer)]
        self._first_of_all.clear()
        self._settle()
        return withdrawn

    @property
    def head(self) -> Message | None:
        """What is to go up next; None while nothing can."""
        return self._first()

    async def next(self) -> Message:
        """Wait for the next message, which stays in the queue until `sent`. Cancelling is safe."""
        patient = True
        while (message := self._first()) is None or (patient and self._is_half_a_pair()):
            self._work.clear()
            if message is None:
                await self._work.wait()
                continue
            patient = False
            late = asyncio.get_running_loop().call_later(_SECOND_S, self._work.set)
            try:
                await self._work.wait()
            finally:
                late.cancel()
        self._on_its_way = message
        return message

    def again(self, message: Message) -> int:
        """Return how many frames of the message that `next` returned have left before."""
        return min(self._again, len(message.frames)) if isinstance(message, Audio) else 0

    def may_have_left(self, message: Audio) -> None:
        """Take note that the message that `next` returned may have left, although it stays."""
        self._again = max(self._again, len(message.frames))

    def sent(self, message: Message) -> list[float]:
        """Remove the message that `next` returned.

        Returns when its frames were recorded, without those that are late by intent.
        """
        captured: list[float] = []
        self._on_its_way = None
        match message:
            case Answer() | Nudge():
                # It may have been cancelled while it was on its way.
                if message in self._first_of_all:
                    self._first_of_all.remove(message)
            case Picture():
                # A newer one may have taken its place while it was on its way.
                if message is self._view:
                    self._view = None
            case Audio(frames=frames):
                for _ in frames:
                    self._queue.popleft()
                    at = self._captured.popleft()
                    if at is not None:
                        captured.append(at)
                self._held -= len(frames)
                self._again = max(self._again - len(frames), 0)
            case _:
                self._queue.popleft()
        self._settle()
        return captured

    async def emptied(self) -> None:
        """Wait until nothing waits."""
        await self._empty.wait()

    def _append(self, item: Item) -> None:
        self._queue.append(item)
        self._wake()

    def _append_word(self, item: AudioEnd | ActivityEnd | Text) -> None:
        if len(self._queue) - self._held >= HELD_WORDS:
            self._dropped += 1
            return
        self._append(item)

    def _wake(self) -> None:
        self._empty.clear()
        self._work.set()

    def _settle(self) -> None:
        if not self._queue and not self._first_of_all:
            self._empty.set()

    def _first(self) -> Message | None:
        if self._first_of_all:
            return self._first_of_all[0]
        if self._holds_back:
            return None
        if not self._queue:
            return self._view
        match self._queue[0]:
            case bytes():
                return self._backlog()
            case Undecided():
                return None
            case ActivityStart() as start:
                # Live API: a turn without a sound in it ends the connection (1007).
                return start if any(isinstance(item, bytes) for item in self._queue) else None
            case word:
                return word

    def _is_half_a_pair(self) -> bool:
        alone = len(self._queue) == 1 and not self._first_of_all
        return alone and isinstance(self._queue[0], bytes) and self._unhurried()

    def _backlog(self) -> Audio:
        frames: list[bytes] = []
        length_bytes = 0
        for item in self._queue:
            if not isinstance(item, bytes):
                break
            length_bytes += len(item)
            if frames and length_bytes > _MESSAGE_BYTES:
                break
            frames.append(item)
        return Audio(tuple(frames))
