"""`Model` says what a model says on one connection: replies, calls, interruptions.

Theory of operation: all of it is a *job*, one at a time. Speech or text that comes while a job runs
either interrupts it, or waits for its end. Live API: an interrupted turn is ``interrupted`` then
``turnComplete``, without ``generationComplete`` unless that was sent before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from device.simulator import messages
from device.simulator.messages import Message
from device.simulator.protocol import Protocol
from device.simulator.resumption import Conversation, Memory
from device.simulator.script import Action, Cues, Point, Script, Trigger, Turn
from device.simulator.setup_rules import Taken
from device.simulator.voices import reply_pcm
from device.simulator.websocket import Job, Wire


@dataclass(slots=True)
class Stage:
    """What all connections of a server share."""

    script: Script
    changed: Callable[[], None]
    """Called after every change of a record."""
    memory: Memory = field(default_factory=Memory)


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
        self._script = stage.script
        self._memory = stage.memory
        self._wire = wire
        self._protocol = protocol
        self._cues = cues
        self._do = do
        self._reach = reach
        self._job: asyncio.Task[None] | None = None
        self._replying: Turn | None = None
        self._pending: tuple[Trigger, str] | None = None
        self._answered = asyncio.Event()
        self._calls_made = 0
        self._heard_since_turn_s = 0.0
        self.conversation = Conversation(0)
        self.resumable = True

    def begin(self, taken: Taken) -> None:
        """Begin a conversation or recall one. Raises RefusedError."""
        recalled = self._memory.recall(taken.handle) if taken.handle else self._memory.begin()
        recalled.in_use = lambda: self._wire.open
        self.conversation = recalled
        self._wire.record.conversation = recalled.number

    def heard(self, seconds: float) -> None:
        """Count microphone audio, whatever is in it."""
        self.conversation.heard_s += seconds
        self._heard_since_turn_s += seconds
        turn = self._next_turn()
        if turn is not None and self._heard_since_turn_s * 1000 >= turn.audio_ms:
            self.asked("audio")

    def asked(self, trigger: Trigger, text: str = "") -> None:
        """Take what may start the next turn; during a job, speech and text wait for its end."""
        if self._job is not None:
            if trigger in ("speech", "text"):
                self._pending = (trigger, text)
            return
        turn = self._next_turn()
        if turn is not None and trigger in turn.trigger:
            self._start(lambda: self._reply(turn, text))

    def say(self, turn: Turn) -> None:
        """Say something beside the script: now, or after what is being said."""
        job = self._job
        if job is None:
            self._start(lambda: self._reply(turn, "", scripted=False))
        else:
            self._wire.spawn(lambda: self._say_after(job, turn))

    def answered(self) -> None:
        """Go on with a reply that waited, when no blocking call is unanswered any more."""
        if not self._protocol.pending:
            self._answered.set()

    def interrupt_by_user(self) -> None:
        """Take the user's speech, which interrupts a reply that lets itself be interrupted."""
        turn = self._replying
        if turn is not None and turn.interruptible and self._taken.interrupts:
            self.interrupt(complete=True)

    def interrupt(self, *, complete: bool) -> None:
        """Give up what is being said and send ``interrupted``, said or not."""
        if self._job is not None:
            self._job.cancel()
        self._replying = self._pending = None
        self._start(lambda: self._tell_interrupted(complete=complete))

    def interrupt_by_content(self) -> None:
        """Take completed client content, which interrupts a reply whatever was agreed."""
        if self._replying is not None:
            self.interrupt(complete=True)

    async def tell_resumption(self) -> None:
        """Send a new handle, or that there is none now, to a client that asked for it.

        Live API: not resumable while the model is generating or runs function calls.
        """
        if not self._protocol.ready or not self._taken.resumption:
            return
        handle = ""
        if self.resumable and self._replying is None:
            handle = self._memory.issue(self.conversation)
            self._wire.record.handles_sent.append(handle)
        await self._wire.send(messages.resumption_update(handle))

    @property
    def _taken(self) -> Taken:
        assert self._protocol.taken is not None  # noqa: S101 - nothing is said before setup
        return self._protocol.taken

    def _next_turn(self) -> Turn | None:
        return self._script.turn(self.conversation.turns_done + 1)

    def _start(self, job: Job) -> None:
        self._job = self._wire.spawn(lambda: self._run_job(job))

    async def _run_job(self, job: Job) -> None:
        await job()
        self._job = None
        self._replying = None
        pending, self._pending = self._pending, None
        if pending is not None:
            self.asked(*pending)
        elif not self.conversation.poisoned:
            self.asked("open")

    async def _say_after(self, job: asyncio.Task[None], turn: Turn) -> None:
        await asyncio.wait([job])
        self.say(turn)

    async def _reply(self, turn: Turn, text: str, *, scripted: bool = True) -> None:
        self._heard_since_turn_s = 0.0
        if self._taken.transcribes_input:
            for message in messages.input_transcription(text or turn.heard):
                await self._wire.send(message)
        if self.conversation.poisoned:
            return
        number = self.conversation.turns_done + 1
        if not turn.answers:
            self.conversation.turns_done += scripted
            return
        self._replying = turn
        await self.tell_resumption()
        self._cues.arm("reply", number)
        loop = asyncio.get_running_loop()
        first_at = loop.time() + turn.delay_s
        if turn.calls:
            await self._call(turn)
        await asyncio.sleep(first_at - loop.time())
        reply_s = await self._generate(turn, number)
        used = messages.usage(turn, self._prompt_tokens, reply_s)
        await self._end_turn(number, used, scripted=scripted)

    async def _generate(self, turn: Turn, number: int) -> float:
        """Send the reply and wait until it would be played; return its length in seconds."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        sent_s = 0.0
        await self._fire(sent_s)
        for step in messages.generation(
            turn, number, reply_pcm(turn.audio), transcribed=self._taken.transcribes_output
        ):
            await asyncio.sleep(began + sent_s / turn.speed - loop.time())
            await self._wire.send(step.message)
            if step.audio_s:
                sent_s += step.audio_s
                await self._fire(sent_s)
        if turn.plays_out:
            await asyncio.sleep(began + sent_s - loop.time())
        return sent_s

    async def _fire(self, sent_s: float) -> None:
        for event in self._cues.due("reply", sent_s):
            await self._do(event.do)

    async def _end_turn(self, number: int, used: Message, *, scripted: bool) -> None:
        self._replying = None
        self.conversation.turns_done += scripted
        self._wire.record.turns += 1
        for message in messages.turn_end(self._taken.family, number, used):
            await self._wire.send(message)
        await self.tell_resumption()
        await self._reach("turn", number)

    async def _call(self, turn: Turn) -> None:
        """Send the function calls of a turn and wait for the answers to the blocking ones."""
        calls = []
        self._answered.clear()
        for call in turn.calls:
            self._calls_made += 1
            name = f"function-call-{self._wire.record.number}-{self._calls_made}"
            calls.append((name, call.name, call.args))
            if call.blocking:
                self._protocol.pending[name] = time.monotonic()
            else:
                self._protocol.running.add(name)
        await self._wire.send(messages.tool_call(calls))
        if self._protocol.pending:
            await self._answered.wait()

    async def _tell_interrupted(self, *, complete: bool) -> None:
        cancelled = self._protocol.cancel_calls()
        if cancelled:
            await self._wire.send({"toolCallCancellation": {"ids": cancelled}})
        await self._wire.send(messages.server_content(interrupted=True))
        if complete:
            number = self.conversation.turns_done + 1
            used = messages.usage(Turn(), self._prompt_tokens, 0.0)
            await self._end_turn(number, used, scripted=True)
        else:
            self.conversation.turns_done += 1

    @property
    def _prompt_tokens(self) -> int:
        return round(self.conversation.heard_s * messages.TOKENS_PER_S)
