"""`Connection` serves one client of the stand-in, and does to it what the script says.

Theory of operation: one task reads and never waits for a send, so a client that does not read
cannot keep the server from hearing. Whatever is said in return is said by
:class:`~device.simulator.replies.Model` in tasks of its own.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Mapping

from websockets.asyncio.server import ServerConnection

from device.simulator import messages, protocol, script
from device.simulator.activity import Edge, Hearing
from device.simulator.pictures import Pace
from device.simulator.record import Asking, ConnectionRecord, Picture, Question
from device.simulator.refusals import Moment, Refusal, fields_of
from device.simulator.replies import Model
from device.simulator.schema import RefusedError
from device.simulator.script import Cues
from device.simulator.setup_rules import Taken
from device.simulator.stage import Stage
from device.simulator.tokens import KEY_NOT_VALID
from device.simulator.usage import Context, json_tokens, text_tokens
from device.simulator.websocket import Wire

GO_AWAY_IGNORED = (
    "Connection aborted because the client failed to close the connection after receiving a GoAway "
    "signal once the session duration was exceeded."
)


class Connection:
    """One WebSocket, from its opening to its end. Used from the event loop's thread only."""

    def __init__(
        self, stage: Stage, socket: ServerConnection, record: ConnectionRecord, version: str
    ) -> None:
        self.record = record
        self._script = stage.script
        self._memory = stage.memory
        self._refusals = stage.refusals
        self._mint = stage.mint
        self._refusal: Refusal | None = None
        """What this connection is refused for, now or later."""
        empty = (stage.script.empty_every, stage.script.empty_row)
        self._wire = Wire(socket, record, stage.changed, empty=empty)
        # What takes tokens is served in its own version, whatever else is.
        versions = (version,) if record.token else stage.script.api_versions
        self._protocol = protocol.Protocol(stage.script.models, versions, version)
        self._hearing = Hearing(stage.script.silence_ms, stage.script.speech_dbfs)
        self._cues = Cues(stage.script.events, record.number)
        self._model = Model(
            stage, self._wire, self._protocol, self._cues, do=self.do, reach=self._reach
        )
        self._pace = Pace()
        self._heard_s = 0.0

    @property
    def open(self) -> bool:
        """Whether the WebSocket is open, as far as anyone knows."""
        return self._wire.open

    async def run(self) -> None:
        """Serve until the connection is closed, by whomever."""
        await self._wire.run(self._read)

    def say(self, turn: script.Turn) -> None:
        """Let the model say something beside the script."""
        self._model.say(turn)

    async def do(self, action: script.Action) -> None:
        """Do one of the script's actions now."""
        match action:
            case script.Close(code, reason):
                await self._wire.close(code, reason)
            case script.Drop():
                await self._wire.drop()
            case script.GoAway(time_left_s, closes):
                await self._go_away(time_left_s, closes=closes)
            case script.Silence(for_s):
                self._wire.stop_speaking(for_s)
            case script.Deaf(for_s):
                self._wire.stop_hearing(for_s)
            case script.Send(message, padding_bytes):
                await self._wire.send_raw(_literal(message) + b" " * padding_bytes, ["literal"])
            case script.Resumable(now):
                self._model.resumable = now
                await self._model.tell_resumption()
            case script.Forget():
                self._memory.forget()
            case script.Poison():
                self._memory.poison()
            case script.Interrupt(complete):
                self._model.interrupt(complete=complete)
            case script.LoseContext() | script.TellUsage():
                await self._do_with_context(action)
            case script.CancelCalls():
                self._model.cancel_calls()
            case script.Reject():
                raise TypeError("a request can only be rejected before the WebSocket is open")

    async def _do_with_context(self, action: script.LoseContext | script.TellUsage) -> None:
        if isinstance(action, script.LoseContext):
            self._model.conversation.context = Context()
        else:
            await self._model.tell_usage(action.counts)

    async def _read(self) -> None:
        self._wire.spawn(functools.partial(self._reach, "opened"))
        while True:
            data = await self._wire.receive()
            if self._wire.ended:
                continue
            try:
                await self._take(data)
            except RefusedError as refused:
                self._wire.refuse(refused.code, refused.reason)
            self._wire.changed()

    async def _take(self, data: bytes | str) -> None:
        now = time.monotonic()
        kind, content = self._protocol.read(data)
        if self.record.token:
            self._mint.check(self.record.token, now)
        if kind == "setup":
            if self.record.token and self.record.setup is None:
                content = self._mint.begin(self.record.token, content, now)
            self.record.setup, self.record.fields = content, fields_of(content)
        asked = self._protocol.judge(kind, content, now)
        if isinstance(asked, protocol.Audio):
            await self._take_audio(asked, now)
            return
        self.record.messages.append((now, {kind: content}))
        _remember(self._model.conversation.context, asked)
        match asked:
            case Taken():
                self._take_setup(asked)
            case protocol.Text(text):
                self.record.texts.append(text)
                self._model.interrupt_by_user()
                self._ask("text", text)
            case protocol.ActivityStart():
                self.record.activities.append(("start", len(self.record.audio)))
                self._model.began_to_speak()
            case protocol.ActivityEnd():
                self.record.activities.append(("end", len(self.record.audio)))
                self._ask("held")
            case protocol.StreamEnd():
                self.record.audio_stream_ends.append((now, len(self.record.audio)))
                if self._script.takes_stream_end:
                    self._take_edges(self._hearing.end())
            case protocol.Answers(responses):
                self.record.tool_responses.extend(dict(response) for response in responses)
                self._model.answered()
            case protocol.Picture():
                self._take_picture(asked, now)
            case protocol.Content(complete=True):
                self._model.interrupt_by_content()
                self._ask("content")

    def _take_setup(self, taken: Taken) -> None:
        self.record.model = taken.model
        self.record.handle = taken.handle
        keys, key = self._script.api_keys, self.record.api_key
        wrong = key.startswith("auth_tokens/") or (keys is not None and key not in keys)
        if wrong and not self.record.token:
            raise RefusedError(1007, KEY_NOT_VALID)
        self._refusal = self._refusals.take(taken.model, self.record.fields)
        self._refuse_at("setup")
        if taken.silence_ms is not None:
            self._hearing = Hearing(taken.silence_ms, self._script.speech_dbfs)
        self._model.begin(taken)
        self._wire.spawn(lambda: self._answer_setup(taken))

    def _refuse_at(self, moment: Moment) -> None:
        """Raise RefusedError where the script refuses this setup at this moment."""
        if self._refusal is not None and self._refusal.at == moment:
            raise RefusedError(self._refusal.code, self._refusal.reason)

    def _ask(self, by: Asking, text: str = "") -> None:
        """Take a question to the model, or refuse it. Raises RefusedError."""
        question = Question(time.monotonic(), by, text, len(self.record.audio))
        self.record.questions.append(question)
        self._refuse_at("asked")
        self._model.asked("text" if by in ("text", "content") else "speech", question)

    async def _answer_setup(self, taken: Taken) -> None:
        await self._reach("setup")
        await asyncio.sleep(self._script.setup_delay_s)
        if not taken.answered:
            return
        await self._wire.wait_speaking()
        # Before the send: the client's next message may be there before the send returns.
        self._protocol.ready = True
        self.record.ready_at = time.monotonic()
        self._cues.arm("audio")
        await self._wire.send({"setupComplete": {}})
        await self._model.tell_resumption()
        await self._reach("ready")
        if self._refusal is not None and self._refusal.at == "ready":
            await self._wire.close(self._refusal.code, self._refusal.reason)
        self._model.open()

    async def _take_audio(self, audio: protocol.Audio, now: float) -> None:
        self.record.audio += audio.pcm
        self.record.audio_chunks.append((now, len(audio.pcm)))
        self.record.audio_rates_hz.add(audio.rate_hz)
        seconds = len(audio.pcm) / 2 / audio.rate_hz
        self._heard_s += seconds
        for event in self._cues.due("audio", self._heard_s):
            match event.do:
                case script.Close(code, reason):
                    raise RefusedError(code, reason)
                case script.Drop():
                    await self._wire.drop()
                case other:
                    self._wire.spawn(functools.partial(self.do, other))
        if self._protocol.taken is not None and self._protocol.taken.automatic_activity:
            self._take_edges(self._hearing.feed(audio.pcm, audio.rate_hz))
        self._model.heard(seconds)

    def _take_picture(self, picture: protocol.Picture, now: float) -> None:
        seen = self._pace.allows(now) and self._model.shown(picture.shape)
        answers = len(self.record.tool_responses)
        size = (picture.shape.width, picture.shape.height)
        self.record.pictures.append(Picture(now, picture.jpeg, *size, seen, answers))

    def _take_edges(self, edges: list[Edge]) -> None:
        for edge in edges:
            self.record.speech.append((edge, len(self.record.audio)))
            if edge == "started":
                self._model.began_to_speak()
            else:
                self._ask("speech")

    async def _go_away(self, time_left_s: float, *, closes: bool) -> None:
        await self._wire.send(messages.go_away(time_left_s))
        if closes:
            self._wire.later(time_left_s, lambda: self._wire.close(1008, GO_AWAY_IGNORED))
        await self._reach("go_away")

    async def _reach(self, point: script.Point, turn: int = 0) -> None:
        """Do what the script has at a point: in order and at once, or after its time."""
        for event in self._cues.at(point, turn):
            if event.after_s:
                self._wire.later(event.after_s, functools.partial(self.do, event.do))
            else:
                await self.do(event.do)


def _remember(context: Context, asked: protocol.Input) -> None:
    """Count what was written; sound and pictures are the model's own to count."""
    match asked:
        case protocol.Text(text):
            context.text += text_tokens(text)
        case protocol.Content(turns):
            parts = [part for turn in turns for part in turn.get("parts", [])]
            context.text += sum(text_tokens(part.get("text", "")) for part in parts)
        case protocol.Answers(responses):
            context.results += sum(json_tokens(each["response"]) for each in responses)


def _literal(message: Mapping[str, object] | str | bytes) -> bytes:
    if isinstance(message, bytes):
        return message
    return (message if isinstance(message, str) else json.dumps(dict(message))).encode()
