"""`Model` says what a model says on one connection: replies, calls, interruptions.

Theory of operation: all of it is a *job*, one at a time. Speech or text that comes while a job runs
either interrupts it, or waits for its end. Live API: an interrupted turn is ``interrupted`` then
``turnComplete``, without ``generationComplete`` unless that was sent before. A turn of 3.8 with
function calls ends before they are answered; the answer is then *owed*, and said in a job of its
own when all calls of the turn are answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from device.simulator import declarations, messages
from device.simulator.calls import Call, strongest
from device.simulator.messages import Message, WhenTold
from device.simulator.pictures import Shape, described
from device.simulator.protocol import Protocol
from device.simulator.record import Question
from device.simulator.resumption import Conversation
from device.simulator.script import Action, Cues, Point
from device.simulator.setup_rules import Taken
from device.simulator.stage import Reply, Stage
from device.simulator.turns import Filler, Trigger, Turn
from device.simulator.usage import THOUGHTS, Count, Prompt, fixed, json_tokens, text_tokens
from device.simulator.voices import reply_pcm
from device.simulator.websocket import Job, Wire


@dataclass(frozen=True, slots=True)
class Owed:
    """An answer that is said when function calls are answered."""

    reply: Reply
    calls: tuple[Call, ...]


class Model:
    """The speaking side of one connection, from its accepted setup on."""

    def __init__(
        self,
        stage: Stage,
        wire: Wire,
        protocol: Protocol,
        cues: Cues,
        *,
        do: Callable[[Action], Awaitable[None]],
        reach: Callable[[Point, int], Awaitable[None]],
    ) -> None:
        self._stage = stage
        self._memory = stage.memory
        self._wire = wire
        self._protocol = protocol
        self._cues = cues
        self._do = do
        self._reach = reach
        self._job: asyncio.Task[None] | None = None
        self._replying: Reply | None = None
        self._pending: tuple[Trigger, Question] | None = None
        self._owed: list[Owed] = []
        self._held: list[Job] = []
        """What is said when the user has finished speaking."""
        self._user_speaks = False
        self._calling = False
        """Whether calls keep the session from being resumed."""
        self._answered = asyncio.Event()
        self._calls_made = 0
        self._heard_since_turn_s = 0.0
        self._count = Count()
        """Of the turn that is going on."""
        self.conversation = Conversation(0)
        self.resumable = True

    def begin(self, taken: Taken) -> None:
        """Begin a conversation or recall one. Raises RefusedError."""
        if taken.handle:
            conversation = self._memory.recall(taken.handle)
        else:
            conversation = self._memory.begin(at_next_turn=self._stage.script.fresh == "next")
        conversation.in_use = lambda: self._wire.open
        self.conversation = conversation
        self._wire.record.conversation = conversation.number

    # --- what the user does ----------------------------------------------------------------------

    def heard(self, seconds: float) -> None:
        """Count microphone audio, whatever is in it."""
        self.conversation.context.hear(seconds)
        self._heard_since_turn_s += seconds
        turn = self._stage.script.turn(self.conversation.turns_done + 1)
        if turn is not None and self._heard_since_turn_s * 1000 >= turn.audio_ms:
            self._begin_turn("audio", None)

    def shown(self, shape: Shape) -> bool:
        """Take a picture into the context; return whether it belongs to a turn at all."""
        if not (self._taken.sees_all or self._user_speaks):
            return False
        self.conversation.context.video += self._taken.picture_tokens
        self.conversation.shown = shape
        return True

    def began_to_speak(self) -> None:
        """Take the beginning of the user's speech."""
        self._user_speaks = True
        self.interrupt_by_user()

    def asked(self, trigger: Trigger, question: Question) -> None:
        """Take a question; during a job, it waits for the end of that."""
        self._user_speaks = self._user_speaks and trigger != "speech"
        question.session = self.conversation.number
        if self._job is not None:
            self._pending = (trigger, question)
        else:
            self._begin_turn(trigger, question)
        if not self._user_speaks:
            held, self._held = self._held, []
            for job in held:
                self._after_job(job)

    def open(self) -> None:
        """Begin the turn that nobody has to ask for, if that is the next."""
        self._begin_turn("open", None)

    def interrupt_by_user(self) -> None:
        """Take the user's input, which interrupts a reply that lets itself be interrupted.

        Live API: where nothing is being said, it cancels the function calls that block.
        """
        reply = self._replying
        if reply is None:
            self._tell_cancelled(self._cancel(blocking_only=True))
        elif reply.turn.interruptible and self._taken.interrupts:
            self.interrupt(complete=reply.turn.interruption_completes)

    def interrupt_by_content(self) -> None:
        """Take completed client content, which interrupts a reply whatever was agreed."""
        if self._replying is not None:
            self.interrupt(complete=self._replying.turn.interruption_completes)

    def interrupt(self, *, complete: bool, by_answer: bool = False) -> None:
        """Give up what is being said and send ``interrupted``, said or not.

        The answer to a function call cancels no other call; anybody else cancels them all.
        """
        if self._job is not None:
            self._job.cancel()
        reply, self._replying = self._replying, None
        self._pending = None
        ids = [] if by_answer else self._cancel()
        self._start(lambda: self._tell_interrupted(reply, ids, complete=complete))

    def answered(self) -> None:
        """Go on with what waited for the answers to calls that are answered now."""
        if not any(call.blocking for call in self._protocol.calls.open):
            self._answered.set()
        for owed in list(self._owed):
            if not any(call.state == "open" for call in owed.calls):
                self._owed.remove(owed)
                self._deliver(owed)
        over = self._calling and not self._protocol.calls.open
        self._calling = self._calling and not over
        if over and self._job is None and not self._held:
            self._wire.spawn(self.tell_resumption)

    # --- what the script does --------------------------------------------------------------------

    def say(self, turn: Turn) -> None:
        """Say something beside the script: now, or after what is being said."""

        async def say() -> None:
            number = self.conversation.turns_done + 1
            await self._reply(Reply(turn, number, turn.heard, advances=False))

        self._after_job(say)

    def cancel_calls(self) -> None:
        """Cancel every open call; a reply that waited for one comes without it."""
        self._tell_cancelled(self._cancel())
        self._answered.set()
        if self._job is None:
            self._wire.spawn(self.tell_resumption)

    async def tell_resumption(self) -> None:
        """Send a new handle, or that there is none now, to a client that asked for it.

        Live API: not resumable while the model is generating or runs function calls.
        """
        if not self._protocol.ready or not self._taken.resumption:
            return
        handle = ""
        if self.resumable and self._replying is None and not self._protocol.calls.open:
            handle = self._memory.issue(self.conversation)
            self._wire.record.handles_sent.append(handle)
        await self._wire.send(messages.resumption_update(handle))

    async def tell_usage(self, counts: Mapping[str, Any] | None) -> None:
        """Send a count in a message of its own: this one, or of what a turn would read now."""
        now = Count(self._prompt()).message()
        await self._wire.send(now if counts is None else fixed(counts))

    # --- jobs ------------------------------------------------------------------------------------

    @property
    def _taken(self) -> Taken:
        assert self._protocol.taken is not None  # noqa: S101 - nothing is said before setup
        return self._protocol.taken

    def _begin_turn(self, trigger: Trigger, question: Question | None) -> None:
        if self._job is not None:
            return
        reply = self._stage.take(self.conversation, trigger, question)
        if reply is not None:
            self._start(lambda: self._reply(reply))

    def _start(self, job: Job) -> None:
        self._job = self._wire.spawn(lambda: self._run_job(job))

    async def _run_job(self, job: Job) -> None:
        await job()
        self._job = None
        self._replying = None
        pending, self._pending = self._pending, None
        if pending is not None:
            self._begin_turn(*pending)
        elif not self.conversation.poisoned:
            self.open()

    def _after_job(self, job: Job) -> None:
        """Run a job now, or after the one that runs."""
        running = self._job
        if running is None:
            self._start(job)
            return

        async def wait() -> None:
            await asyncio.wait([running])
            self._after_job(job)

        self._wire.spawn(wait)

    # --- one reply -------------------------------------------------------------------------------

    async def _reply(self, reply: Reply) -> None:
        turn = reply.turn
        self._heard_since_turn_s = 0.0
        question = (
            messages.input_transcription(turn, reply.heard) if self._taken.transcribes_input else []
        )
        answers = turn.answers and not self.conversation.poisoned
        now = {"before": len(question), "around": (len(question) + 1) // 2, "after": 0}
        at_once = now[turn.heard_at] if answers else len(question)
        for message in question[:at_once]:
            await self._wire.send(message)
        if not answers:
            if reply.advances and not self.conversation.poisoned:
                self._memory.advance(self.conversation)
            return
        self._replying = reply
        self._grow(turn)
        self._count = Count(self._prompt())
        await self.tell_resumption()
        first_at = asyncio.get_running_loop().time() + turn.delay_s
        for filler in turn.fillers:
            await self._fill(reply, filler)
        if turn.calls and not await self._call(reply):
            return
        await asyncio.sleep(first_at - asyncio.get_running_loop().time())
        await self._answer(reply, question[at_once:])

    async def _answer(self, reply: Reply, question: list[Message]) -> None:
        self._cues.arm("reply", reply.number)
        self._count.thoughts = self._thoughts(reply.turn)
        await self._generate(reply, question)
        await self._end_turn(reply)

    async def _generate(self, reply: Reply, question: list[Message]) -> None:
        """Send the reply and wait until it would be played."""
        says = described(reply.turn.says, self.conversation.shown)
        searches = reply.turn.searches if self._taken.searches else ()
        turn = replace(reply.turn, says=says, searches=searches)
        loop = asyncio.get_running_loop()
        began = loop.time()
        sent_s = 0.0
        await self._fire(sent_s)
        self._count.text += text_tokens(turn.text)
        steps = messages.generation(
            turn,
            reply.number,
            reply_pcm(turn.audio),
            transcribed=self._taken.transcribes_output,
            question=question,
        )
        if turn.usage == "chunks" or (self._tells_early and turn.usage != "never"):
            steps = messages.counted(steps, reply.number)
        for step in steps:
            await asyncio.sleep(began + sent_s / turn.speed - loop.time())
            await self._wire.send(step.message)
            if step.audio_s:
                sent_s += step.audio_s
                self._count.audio_s += step.audio_s
                await self._fire(sent_s)
        if turn.plays_out:
            await asyncio.sleep(began + sent_s - loop.time())

    async def _fire(self, sent_s: float) -> None:
        for event in self._cues.due("reply", sent_s):
            await self._do(event.do)

    async def _end_turn(self, reply: Reply) -> None:
        turn = reply.turn
        used = self._settled(turn)
        self._replying = None
        if reply.advances:
            self._memory.advance(self.conversation)
        self._wire.record.turns += 1
        if turn.turn_ends:
            await self._complete(reply, used, "IDLE" if turn.status is None else turn.status)
            await self.tell_resumption()
            await self._reach("turn", reply.number)

    async def _complete(self, reply: Reply, used: Message, status: str) -> None:
        """Send ``turnComplete``; only extended thinking has a status of its own accord."""
        if self._taken.family != "3.8x" and reply.turn.status is None:
            status = ""
        told: WhenTold = "before" if self._tells_early and reply.number % 3 == 1 else "along"
        if reply.turn.usage in ("late", "never", "repeated"):
            told = reply.turn.usage
        for message in messages.turn_end(reply.turn, used, status=status, told=told):
            await self._wire.send(message)

    async def _tell_interrupted(
        self, reply: Reply | None, cancelled: list[str], *, complete: bool
    ) -> None:
        if cancelled:
            await self._wire.send(messages.tool_call_cancellation(cancelled))
        await self._wire.send(messages.server_content(interrupted=True))
        number = reply.number if reply else self.conversation.turns_done + 1
        cut = Reply(_bare(reply), number, "", advances=reply is None or reply.advances)
        if complete:
            await self._end_turn(cut)
            return
        self._settled(cut.turn)
        if cut.advances:
            self._memory.advance(self.conversation)

    async def _fill(self, reply: Reply, filler: Filler) -> None:
        """Say something before the answer; extended thinking ends a turn with each."""
        own_turn = self._taken.family == "3.8x"
        said = replace(
            reply.turn,
            says=filler.says,
            audio=filler.audio,
            thought="",
            text="",
            searches=(),
            reason="",
            ends="both" if own_turn else "none",
        )
        filling = replace(reply, turn=said)
        await self._generate(filling, [])
        if own_turn:
            await self._complete(filling, self._settled(said), "IN_PROGRESS")
            self._count = Count(self._prompt())
        await asyncio.sleep(filler.pause_s)

    # --- function calls --------------------------------------------------------------------------

    async def _call(self, reply: Reply) -> bool:
        """Send the function calls of a turn; whether the answer follows in the same turn."""
        calls = tuple(
            self._new_call(call.name, call.id, call.blocking) for call in reply.turn.calls
        )
        named = zip(calls, reply.turn.calls, strict=True)
        self._count.text += sum(json_tokens([call.name, call.args]) for call in reply.turn.calls)
        self._answered.clear()
        self._calling = True
        await self._wire.send(
            messages.tool_call([(call.id, call.name, told.args) for call, told in named])
        )
        await self._reach("call", reply.number)
        if self._taken.family in ("2.5", "3.1"):
            if any(call.blocking and call.state == "open" for call in calls):
                await self._answered.wait()
                await self._reach("answer", reply.number)
            # What was shown and answered since is read for what comes now.
            self._count.prompt = self._prompt()
            return True
        self._owed.append(Owed(replace(reply, advances=False), calls))
        await self._end_with_calls_open(reply)
        self.answered()
        return False

    def _new_call(self, name: str, id_: str | None, blocking: bool | None) -> Call:
        self._calls_made += 1
        given = f"function-call-{self._wire.record.number}-{self._calls_made}"
        declared = declarations.behavior(self._taken.tools, name)
        if blocking is None:
            blocks_by_default = self._taken.family in ("2.5", "3.1")
            blocking = declared == "BLOCKING" if declared else blocks_by_default
        call = Call(given if id_ is None else id_, name, blocking, time.monotonic())
        self._protocol.calls.add(call)
        return call

    async def _end_with_calls_open(self, reply: Reply) -> None:
        """End the turn of a model that says the answer in a new one."""
        self._count.thoughts = THOUGHTS if self._taken.thinks else 0
        used = self._settled(reply.turn)
        await self._wire.send(messages.server_content(generationComplete=True))
        self._replying = None
        if reply.advances:
            self._memory.advance(self.conversation)
        await self._complete(replace(reply, turn=_bare(reply)), used, "IN_PROGRESS")
        await self.tell_resumption()

    def _deliver(self, owed: Owed) -> None:
        """Say the answer when the scheduling of the function responses has it."""

        async def answer() -> None:
            await self._reach("answer", owed.reply.number)
            if scheduling == "SILENT":
                await self.tell_resumption()
                return
            self._replying = owed.reply
            self._count = Count(self._prompt())
            await self.tell_resumption()
            await self._answer(owed.reply, [])

        scheduling = strongest(list(owed.calls))
        if self._user_speaks and scheduling != "SILENT":
            self._held.append(answer)
            return
        other = self._replying is not None and self._replying.number != owed.reply.number
        if scheduling == "INTERRUPT" and other:
            self.interrupt(complete=True, by_answer=True)
        self._after_job(answer)

    def _cancel(self, *, blocking_only: bool = False) -> list[str]:
        """Cancel open calls, and what is owed for them; return their ids."""
        ids = self._protocol.calls.cancel(blocking_only=blocking_only)
        self._calling = self._calling and bool(self._protocol.calls.open)
        self._owed = [
            owed for owed in self._owed if all(call.state != "cancelled" for call in owed.calls)
        ]
        return ids

    def _tell_cancelled(self, ids: list[str]) -> None:
        if ids:
            self._wire.spawn(lambda: self._wire.send(messages.tool_call_cancellation(ids)))

    # --- the context -----------------------------------------------------------------------------

    @property
    def _tells_early(self) -> bool:
        """Whether small counts come with the sound. Live API: from 3.8 on none does."""
        return self._taken.family in ("2.5", "3.1")

    def _grow(self, turn: Turn) -> None:
        """Let the context grow by a turn, and cut it where that was agreed."""
        context, agreed = self.conversation.context, self._taken.compression
        context.text += turn.adds_tokens
        if agreed is None or not self._stage.script.compresses:
            return
        if self._taken.setup_tokens + context.total > agreed.trigger_tokens:
            context.cut(agreed.target_tokens - self._taken.setup_tokens)

    def _prompt(self) -> Prompt:
        return self.conversation.context.prompt(self._taken.setup_tokens)

    def _thoughts(self, turn: Turn) -> int:
        if turn.thought:
            return text_tokens(turn.thought)
        speaks = bool(turn.audio or turn.text or turn.calls)
        return THOUGHTS if speaks and self._taken.thinks else 0

    def _settled(self, turn: Turn) -> Message:
        """Return the count of the turn that is over; what was said in it is remembered."""
        count, self._count = self._count, Count()
        if count.prompt is None:
            count.prompt = self._prompt()
        self.conversation.context.take(count)
        used = count.message() if turn.counts is None else fixed(turn.counts)
        self._wire.record.counts.append(used["usageMetadata"])
        return used


def _bare(reply: Reply | None) -> Turn:
    """Return a turn that says nothing, and is counted and told as that of a reply."""
    return Turn() if reply is None else Turn(usage=reply.turn.usage, counts=reply.turn.counts)
