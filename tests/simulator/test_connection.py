"""Every event a script can hold, at every point it can hold it, over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from device.simulator.script import (
    Action,
    Close,
    Deaf,
    Drop,
    Event,
    Forget,
    GoAway,
    Interrupt,
    Point,
    Poison,
    Reject,
    Resumable,
    Send,
    Silence,
    Turn,
)
from tests.simulator.raw_client import (
    RawClient,
    Serve,
    audio,
    dial,
    has,
    reply_audio,
    setup,
    text_of,
)

TEXT = {"realtimeInput": {"text": "hi"}}
QUICK = Turn(heard="heard", says="said", audio=20, plays_out=False)
LONG = Turn(audio=2000, pace="burst", chunk_ms=(100,), plays_out=False)
WALK: tuple[Point, ...] = ("opened", "setup", "ready", "audio", "reply", "turn", "go_away")


async def walk_to(client: RawClient, point: Point) -> None:
    """Do what a client does until it has reached a point."""
    if point == "opened":
        return
    await client.send(setup())
    if point in ("setup", "ready"):
        return
    await client.until("setupComplete")
    await client.send(audio(bytes(640)))
    if point == "audio":
        return
    await client.send(TEXT)


@pytest.mark.parametrize("point", WALK)
@pytest.mark.parametrize(("do", "code"), [(Close(1011, "why"), 1011), (Drop(), 1006)])
async def test_a_connection_can_end_at_every_point(
    serve: Serve, point: Point, do: Action, code: int
) -> None:
    """Closed with a reason or just cut; on the first connection only."""
    announced = Event("ready", GoAway(9))
    server = await serve(turns=(QUICK,), events=(Event(point, do, connections=(1,)), announced))
    async with dial(server) as client:
        with contextlib.suppress(ConnectionClosed):
            await walk_to(client, point)
        assert (await client.closed())[0] == code
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        await client.until("turnComplete")


async def test_a_reply_can_be_cut_at_an_exact_place(serve: Serve) -> None:
    """After so many seconds of its audio, in the turn that is meant."""
    server = await serve(turns=(LONG,), events=(Event("reply", Drop(), after_s=0.3, turn=2),))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        assert len(reply_audio(await client.until("turnComplete"))) == 2 * 48_000
        await client.send(TEXT)
        received: list[dict[str, Any]] = []
        with pytest.raises(ConnectionClosed):
            await collect(client, received)
        assert len(reply_audio(received)) <= 300 * 48
    sent = [kind for _, kind in server.connections[0].sent]
    assert sent.count("modelTurn") == 20 + 3


async def collect(client: RawClient, received: list[dict[str, Any]]) -> None:
    while True:
        received.append(await client.receive())


async def test_the_uplink_can_be_cut_at_an_exact_place(serve: Serve) -> None:
    """After so many seconds of audio; what comes later is not taken."""
    server = await serve(events=(Event("audio", Close(1011, "now"), after_s=0.2),))
    async with dial(server) as client:
        await client.begin()
        await client.send(*[audio(bytes(640))] * 50)
        assert await client.closed() == (1011, "now")
    assert len(server.audio) == 10 * 640


async def test_other_events_come_in_the_middle_of_the_uplink_too(serve: Serve) -> None:
    """Without disturbing what comes in."""
    server = await serve(events=(Event("audio", GoAway(5), after_s=0.1),))
    async with dial(server) as client:
        await client.begin()
        await client.send(*[audio(bytes(640))] * 20)
        await client.until("goAway")
        await server.wait_for(lambda s: len(s.audio) == 20 * 640, 5)


async def test_an_event_may_wait_after_its_point(serve: Serve) -> None:
    """By the clock; and it is gone with its connection."""
    server = await serve(events=(Event("ready", Send({"late": 1}), after_s=0.3),))
    async with dial(server) as client:
        await client.begin()
    async with dial(server) as client:
        began = time.monotonic()
        await client.begin()
        await client.until("late")
        assert time.monotonic() - began >= 0.3


async def test_go_away_is_enforced(serve: Serve) -> None:
    """Who is still there after the time left is closed with the words people report."""
    server = await serve(events=(Event("ready", GoAway(0.3)),))
    async with dial(server) as client:
        await client.begin()
        assert (await client.until("goAway"))[-1] == {"goAway": {"timeLeft": "0.300s"}}
        code, reason = await client.closed()
    assert code == 1008
    assert reason == (
        "Connection aborted because the client failed to close the connection after receiving a "
        "GoAway signal once the session durat"
    )


async def test_go_away_may_be_followed_by_silence(serve: Serve) -> None:
    """No further message, no close."""
    events = (Event("ready", GoAway(0.1, closes=False)), Event("go_away", Silence()))
    server = await serve(turns=(QUICK,), events=events)
    async with dial(server) as client:
        await client.begin()
        await client.until("goAway")
        await client.send(TEXT)
        assert await client.silent_for(0.4)


async def test_setup_may_never_be_answered(serve: Serve) -> None:
    """The client must give up by itself, and the next connection is served."""
    server = await serve(events=(Event("setup", Silence(), connections=(1,)),))
    async with dial(server) as client:
        await client.send(setup())
        await server.wait_for(lambda s: s.connections[0].setup, 5)
        assert await client.silent_for(0.3)
    assert server.connections[0].ready_at is None
    async with dial(server) as client:
        await client.begin()


async def test_a_stall_holds_everything_back_and_lets_it_go_in_order(serve: Serve) -> None:
    """In the middle of a reply, which is complete in the end."""
    stall = Event("reply", Silence(0.4), after_s=0.5)
    server = await serve(turns=(LONG,), events=(stall,))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        messages: list[dict[str, Any]] = []
        times = []
        while not messages or not has(messages[-1], "turnComplete"):
            messages.append(await client.receive())
            times.append(time.monotonic())
    assert len(reply_audio(messages)) == 2 * 48_000
    assert max(b - a for a, b in itertools.pairwise(times)) >= 0.3


async def test_a_slow_reader_is_felt_and_catches_up(serve: Serve) -> None:
    """Sends block while the server reads nothing; in the end every byte is there."""
    server = await serve(turns=(), events=(Event("ready", Deaf(1.0)),))
    sent_bytes = 8 << 20
    async with dial(server, write_limit=1024) as client:
        await client.begin()
        await client.until_handle()
        began = time.monotonic()
        for _ in range(64):
            await client.send(audio(bytes(sent_bytes // 64)))
        assert time.monotonic() - began >= 0.7
        await server.wait_for(lambda s: len(s.audio) == sent_bytes, 20)


@pytest.mark.parametrize(
    "send",
    [
        Send("this is not JSON"),
        Send({"somethingNew": {"a": 1}}),
        Send({"serverContent": {"somethingNew": True}}),
        Send({"error": {"code": 500, "message": "no"}}),
        Send({}),
        Send({"serverContent": {"turnComplete": True}}, padding_bytes=2 << 20),
    ],
)
async def test_any_message_can_be_sent_as_it_stands(serve: Serve, send: Send) -> None:
    """In a binary frame, of any size; also as the first one, in place of setupComplete."""
    server = await serve(turns=(QUICK,), events=(Event("setup", send), Event("ready", send)))
    async with dial(server) as client:
        await client.send(setup())
        first = await client.socket.recv()
        assert isinstance(first, bytes)
        assert len(first) >= send.padding_bytes
        text = first.decode().rstrip()
        assert text == (send.message if isinstance(send.message, str) else text)
        await client.until("setupComplete")
    assert [kind for _, kind in server.connections[0].sent].count("literal") >= 1


async def test_a_session_can_be_not_resumable_for_a_while(serve: Serve) -> None:
    """Updates without a handle, until it is allowed again."""
    events = (Event("ready", Resumable(now=False)), Event("turn", Resumable(now=True), turn=2))
    server = await serve(turns=(QUICK,), events=events)
    async with dial(server) as client:
        await client.begin()
        await client.until_handle()
        before = client.handle
        await client.send(TEXT)
        await client.until("turnComplete")
        await client.until("sessionResumptionUpdate")
        assert client.handle == before
        await client.send(TEXT)
        await client.until_handle()
        assert client.handle != before


async def test_handles_can_be_forgotten(serve: Serve) -> None:
    """Those issued before; a fresh session brings new ones."""
    server = await serve(events=(Event("ready", Forget(), after_s=0.1, connections=(1,)),))
    async with dial(server) as client:
        await client.begin()
        await client.until_handle()
        handle = client.handle
        await asyncio.wait_for(client.socket.ping(), 5)
        assert await client.silent_for(0.3)
    async with dial(server) as client:
        await client.send(setup(sessionResumption={"handle": handle}))
        assert await client.closed() == (1008, "Requested entity was not found.")


async def test_a_poisoned_handle_hears_and_never_answers(serve: Serve) -> None:
    """Also on the handles that come of it; a fresh session is well."""
    turns = (QUICK, Turn(trigger=("speech", "text", "open"), heard="heard", audio=20))
    server = await serve(turns=turns, events=(Event("ready", Poison(), connections=(1,)),))
    async with dial(server) as client:
        await client.begin()
        await client.until_handle()
        handle = client.handle
    for _ in range(2):
        async with dial(server) as client:
            await client.begin(sessionResumption={"handle": handle})
            await client.until_handle()
            handle = client.handle
            await client.speak()
            assert text_of(await client.until("inputTranscription"), "inputTranscription")
            assert await client.silent_for(0.3)
    async with dial(server) as client:
        await client.begin()
        await client.speak()
        await client.until("turnComplete")


@pytest.mark.parametrize("complete", [True, False])
async def test_a_reply_can_be_interrupted_by_nobody(serve: Serve, complete: bool) -> None:
    """In its middle; with or without the turnComplete that should follow."""
    cut = Event("reply", Interrupt(complete), after_s=0.3, turn=1)
    server = await serve(turns=(LONG, QUICK), events=(cut,))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        messages = await client.until("interrupted")
        assert len(reply_audio(messages)) == 300 * 48
        if complete:
            messages = await client.until("turnComplete")
            assert not any(has(message, "generationComplete") for message in messages)
            await client.until_handle()
        else:
            assert await client.silent_for(0.2)
        await client.send(TEXT)
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "said"


async def test_a_request_can_be_answered_with_a_status(serve: Serve) -> None:
    """As a proxy or an overloaded server does."""
    server = await serve(events=(Event("upgrade", Reject(503, "busy"), connections=(1,)),))
    with pytest.raises(InvalidStatus) as refused:
        async with dial(server):
            pass
    assert (refused.value.response.status_code, refused.value.response.body) == (503, b"busy")
    async with dial(server) as client:
        await client.begin()
    assert [record.status for record in server.connections] == [503, 101]


async def test_a_request_can_be_cut(serve: Serve) -> None:
    """Before any answer."""
    server = await serve(events=(Event("upgrade", Drop()),))
    with pytest.raises((InvalidMessage, OSError)):
        async with dial(server):
            pass
    assert [record.status for record in server.connections] == [0]


async def test_a_request_can_be_left_without_an_answer(serve: Serve) -> None:
    """For ever, or for a while."""
    events = (
        Event("upgrade", Silence(), connections=(1,)),
        Event("upgrade", Silence(0.3), connections=(2,)),
    )
    server = await serve(events=events)
    with pytest.raises(TimeoutError):
        async with dial(server, open_timeout=0.3):
            pass
    began = time.monotonic()
    async with dial(server) as client:
        assert time.monotonic() - began >= 0.3
        await client.begin()
    await server.wait_for(lambda s: s.connections[0].closed_at, 5)
    assert [record.status for record in server.connections] == [0, 101]


async def test_a_connection_can_only_be_rejected_at_upgrade(serve: Serve) -> None:
    """Later there is no HTTP answer left to give."""
    server = await serve()
    async with dial(server) as client:
        await client.begin()
        with pytest.raises(TypeError, match="only be rejected before"):
            await server.do(Reject(503))
