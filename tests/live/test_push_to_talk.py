"""Whatever finger, mouth and network do: every connection hears only what its kind of it allows."""

from __future__ import annotations

import asyncio
import itertools
from typing import Literal, get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.live.calls import Calls
from device.live.downlink import Downlink
from device.live.messages import ActivityEnd, ActivityStart, Audio, Text
from device.live.push_to_talk import PushToTalk
from device.live.reconnect import Recovery
from device.live.repeat import Unanswered
from device.live.rotation import Moment
from device.live.stalls import Stalls
from device.live.uplink import Uplink

Op = Literal[
    "frame", "press", "let go", "hold", "heard", "release", "stop", "text", "send", "lose",
    "answer", "speech", "silence",
]  # fmt: skip
OPS: tuple[Op, ...] = get_args(Op)


class Server:
    """One connection as the protocol allows it; `turns` are what it heard in each activity."""

    def __init__(self, *, manual: bool) -> None:
        self.manual = manual
        self.in_turn = False
        self.turn: list[int] = []
        self.turns: list[list[int]] = []
        self.heard: list[int] = []

    def take(self, message: Audio | ActivityStart | ActivityEnd) -> None:
        match message:
            case Audio(frames=frames):
                assert self.in_turn or not self.manual, "audio that nobody will look at"
                self.turn += map(number, frames)
                self.heard += map(number, frames)
            case ActivityStart():
                assert self.manual, "told what it finds out by itself"
                assert not self.in_turn, "begun twice"
                self.in_turn, self.turn = True, []
            case ActivityEnd():
                assert self.in_turn, "ended unbegun"
                assert self.turn, "bracketed nothing"
                self.in_turn = False
                self.turns.append(self.turn)


def number(pcm: bytes) -> int:
    return int.from_bytes(pcm, "little")


class Rig:
    """The way up without a socket."""

    def __init__(self, repeat_s: float) -> None:
        self.uplink, self.stalls = Uplink(), Stalls(15.0)
        self.unanswered = Unanswered(repeat_s)
        recovery = Recovery(["m"], chance=lambda: 0.5)
        downlink = Downlink(1, itertools.count(1), lambda _news: None, self.stalls, self.unanswered)
        moment = Moment(
            recovery,
            downlink,
            Calls(1, lambda _: None, self.uplink),
            self.unanswered,
            resumes=True,
        )
        self.push_to_talk = PushToTalk(
            self.uplink, self.unanswered, self.stalls, moment, asyncio.Event()
        )
        self.server = Server(manual=False)
        self.servers = [self.server]
        self.frames = 0
        self.held = False
        self.spoke = False
        self.silent: list[int] = []
        self.since_press: list[int] | None = None

    def do(self, op: Op) -> None:  # noqa: C901, PLR0912 - a table
        match op:
            case "frame":
                self.frames += 1
                self.uplink.append_frame(self.frames.to_bytes(640, "little"))
                if self.since_press is not None:
                    self.since_press.append(self.frames)
            case "press":
                if self.since_press is None and not self.held:
                    self.since_press = []
                self.push_to_talk.press()
            case "let go":
                if not self.held:
                    self.since_press = None
                self.push_to_talk.let_go()
            case "hold" if not self.held:
                self.held, self.spoke = True, False
                self.since_press = self.since_press or []
                self.push_to_talk.hold()
            case "heard" if self.held:
                self.spoke = True
                self.push_to_talk.heard()
            case "release" if self.held:
                self.held, self.since_press = False, None
                self.push_to_talk.release()
            case "stop":
                self.stop()
            case "text":
                self.uplink.append_text("x")
            case "send":
                self.send()
            case "lose":
                self.connect()
            case "answer":
                self.unanswered.answered()
            case "speech" | "silence" if not self.held:
                self.unanswered.speaking(op == "speech")

    def stop(self) -> None:
        """As the hub does: a turn that was begun goes with its session."""
        if self.held and self.spoke:
            return
        if self.held:
            self.silent += self.since_press or []
        self.held, self.since_press = False, None
        self.push_to_talk.end()
        self.uplink.append_end()
        self.unanswered.clear()

    def send(self) -> None:
        """All that can go up, over as many connections as it takes."""
        for _ in range(1000):
            if self.push_to_talk.unsuited:
                self.connect()
            message = self.uplink.head
            if message is None:
                return
            if not self.push_to_talk.suits(message):
                continue
            if isinstance(message, Audio | ActivityStart | ActivityEnd):
                self.server.take(message)
            self.uplink.sent(message)
            self.push_to_talk.sent(message)
            match message:
                case Audio(frames=frames):
                    self.unanswered.sent_audio(list(frames))
                case Text(text=text):
                    self.unanswered.sent_text(text)
        raise AssertionError("it goes from connection to connection for ever")

    def connect(self) -> None:
        self.server = Server(manual=self.push_to_talk.next_is_manual())
        self.servers.append(self.server)
        self.push_to_talk.opened(manual=self.server.manual)
        self.uplink.put_back(self.push_to_talk.again(self.unanswered.take()))


ANY = st.lists(st.sampled_from(OPS), max_size=60)


@settings(max_examples=1500, deadline=None)
@given(ops=ANY, repeat_s=st.sampled_from([0.0, 0.1, 10.0]))
@example(ops=["hold", "heard", "frame", "send", "lose", "lose", "frame", "release"], repeat_s=0.0)
@example(ops=["hold", "frame", "release", "frame"], repeat_s=0.1)
@example(ops=["hold", "heard", "frame", "send", "text", "release", "frame", "lose"], repeat_s=0.0)
def test_no_connection_is_ever_told_what_its_setup_does_not_allow(
    ops: list[Op], repeat_s: float
) -> None:
    """Nothing bracketed is empty, nothing said twice begins twice, and it comes to rest."""
    rig = Rig(repeat_s)
    for op in ops:
        rig.do(op)
    rig.do("release")
    rig.do("let go")
    rig.send()
    assert rig.uplink.held == 0
    assert not rig.server.in_turn


@settings(max_examples=400, deadline=None)
@given(ops=st.lists(st.sampled_from([op for op in OPS if op != "lose"]), max_size=60))
def test_where_nothing_is_said_again_each_sample_goes_up_once_and_in_order(ops: list[Op]) -> None:
    """All of them, but those of a hold in silence."""
    rig = Rig(0.0)
    for op in ops:
        rig.do(op)
    rig.do("release")
    rig.do("let go")
    rig.send()
    heard = [number for server in rig.servers for number in server.heard]
    silent = set(rig.silent)
    assert heard == [number for number in range(1, rig.frames + 1) if number not in silent]
