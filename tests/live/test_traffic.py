"""What must not depend on who is faster, the network or the speaker."""

from __future__ import annotations

import itertools

from google.genai import types

from device.live.recovery import Recovery
from device.live.traffic import Traffic
from device.ports import News, ToolNews, TurnComplete


def test_call_that_the_connection_did_not_outlive_is_cancelled() -> None:
    """A new connection knows nothing of the old one's calls: the answer must not go there."""
    news: list[News] = []
    traffic = Traffic(1, itertools.count(1), news.append, Recovery(["m"]), resumes=True)
    call = types.FunctionCall(id="c1", name="lamp")
    message = types.LiveServerMessage(tool_call=types.LiveServerToolCall(function_calls=[call]))
    traffic._take(message)
    waiting = [traffic.uplink.unanswered]
    assert traffic.due() is None
    traffic.cut_off()
    assert [*waiting, traffic.uplink.unanswered] == [True, False]
    assert [each.what for each in news if isinstance(each, ToolNews)] == ["called", "cancelled"]
    assert isinstance(news[-1], TurnComplete)
