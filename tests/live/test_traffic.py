"""What must not depend on who is faster, the network or the speaker."""

from __future__ import annotations

import asyncio
import itertools
import time

from google.genai import types

from device.live.departures import Departure
from device.live.models import profile
from device.live.reconnect import Recovery
from device.live.rotation import HANDLE_CHARACTERS, Rotation
from device.live.sound import Blob, Sound
from device.live.traffic import Care, Traffic
from device.news import HandleChanged, News, ToolNews, TurnComplete


def nothing_was_sent(_departure: Departure) -> None:
    raise AssertionError("nothing goes up here")


async def test_call_that_the_connection_did_not_outlive_is_cancelled() -> None:
    """A new connection knows nothing of the old one's calls: the answer must not go there."""
    news: list[News] = []
    recovery = Recovery(["m"], chance=lambda: 0.5)
    care = Care(True, 15.0, 25_600, 10.0)
    traffic = Traffic(1, itertools.count(1), news.append, recovery, care, nothing_was_sent)
    traffic.opened(Rotation(time.monotonic()), profile("m"), resumed=False, manual=False)
    call = types.FunctionCall(id="c1", name="lamp")
    message = types.LiveServerMessage(tool_call=types.LiveServerToolCall(function_calls=[call]))
    traffic._take(message)
    await asyncio.sleep(0.01)
    waiting = [traffic.uplink.unanswered]
    assert not traffic.gives_way()
    traffic.cut_off()
    assert [*waiting, traffic.uplink.unanswered] == [True, False]
    assert [each.what for each in news if isinstance(each, ToolNews)] == ["called", "cancelled"]
    assert isinstance(news[-1], TurnComplete)


async def test_a_handle_that_is_too_long_is_none() -> None:
    """It would go into every setup, and into a file; the older one stays good."""
    news: list[News] = []
    recovery = Recovery(["m"], chance=lambda: 0.5)
    care = Care(True, 15.0, 25_600, 10.0)
    traffic = Traffic(1, itertools.count(1), news.append, recovery, care, nothing_was_sent)
    for handle in ("good", "h" * (HANDLE_CHARACTERS + 1)):
        update = types.LiveServerSessionResumptionUpdate(new_handle=handle, resumable=True)
        traffic._take(types.LiveServerMessage(session_resumption_update=update))
    assert [each.handle for each in news if isinstance(each, HandleChanged)] == ["good"]
    assert recovery.handle == "good"


async def test_frames_go_up_in_pairs_only_where_nobody_waits_for_an_answer() -> None:
    """From the first word on until the answer sounds each goes by itself."""
    recovery = Recovery(["m"], chance=lambda: 0.5)
    care = Care(True, 15.0, 25_600, 10.0)
    traffic = Traffic(1, itertools.count(1), lambda _: None, recovery, care, nothing_was_sent)
    uplink = traffic.uplink

    async def goes_at_once() -> bool:
        uplink.append_frame(b"1")
        next_one = asyncio.create_task(uplink.next())
        await asyncio.sleep(0)
        alone = next_one.done()
        uplink.append_frame(b"2")
        uplink.sent(await next_one)
        while uplink.held:
            uplink.sent(await uplink.next())
        return alone

    found = [await goes_at_once()]
    traffic.user_speaks(speaking=True, lasted_s=0.0)
    found.append(await goes_at_once())
    traffic.user_speaks(speaking=False, lasted_s=1.0)
    found.append(await goes_at_once())
    traffic._take(Sound((Blob("", b"\x00\x10" * 2400),)))
    found.append(await goes_at_once())
    assert found == [False, True, True, False]
