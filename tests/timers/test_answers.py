"""What the model is told about timers and alarms."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import TimerError
from device.timers.alarm_clock import AlarmClock
from device.timers.answers import ANSWERS, NOT_KEPT, snooze, stop
from tests.rig.hostile_server import VALUES
from tests.timers.jumping import at
from tests.timers.test_alarm_clock import Speaker


async def answer(alarm_clock: AlarmClock, function: str, **arguments: object) -> dict[str, Any]:
    answered = await ANSWERS[function](alarm_clock, arguments)
    assert json.loads(json.dumps(answered)) == answered
    return answered


async def test_each_function_is_answered_shortly() -> None:
    """With number, name, when it is due, and how long that is."""
    speaker = Speaker(None)
    clock = speaker.alarm_clock
    assert await answer(clock, "list_timers") == {"timers": []}
    tea = {
        "id": 1,
        "kind": "timer",
        "name": "tea",
        "left_s": 90,
        "left": "1 minute 30 seconds",
        "due": "2026-12-01T12:01:30+01:00",
    }
    assert await answer(clock, "set_timer", duration_s=90, name="tea") == {"set": tea}
    work = {
        "id": 2,
        "kind": "alarm",
        "left_s": 68_400,
        "left": "19 hours",
        "due": "2026-12-02T07:00:00+01:00",
        "weekdays": ["mon", "wed"],
    }
    arguments = {"time": "07:00", "weekdays": ["wed", "mon"], "date": None}
    assert await answer(clock, "set_alarm", **arguments) == {"set": work}
    bins = await answer(clock, "set_alarm", time="12:30", date="2026-12-02", text="the bins")
    assert bins["set"]["text"] == "the bins"
    assert bins["set"]["kind"] == "reminder"
    assert await answer(clock, "list_timers") == {"timers": [tea, work, bins["set"]]}
    changed = await answer(clock, "change_timer", name="tea", add_s=30)
    assert changed == {
        "changed": tea | {"left_s": 120, "left": "2 minutes", "due": "2026-12-01T12:02:00+01:00"}
    }
    changed = await answer(clock, "change_timer", id=2, time="08:00")
    assert changed["changed"]["due"] == "2026-12-02T08:00:00+01:00"
    gone = await answer(clock, "cancel_timer", name="the tea timer")
    assert gone == {"cancelled": [{"id": 1, "kind": "timer", "name": "tea"}]}
    gone = await answer(clock, "cancel_timer", all=True)
    assert [each["id"] for each in gone["cancelled"]] == [2, 3]
    assert await answer(clock, "cancel_timer", all=True) == {"cancelled": []}


async def test_what_rings_says_so() -> None:
    """And nothing of how long is left."""
    speaker = Speaker(None)
    await answer(speaker.alarm_clock, "set_timer", duration_s=60)
    speaker.clocks.go_on(60)
    speaker.alarm_clock.look()
    assert await answer(speaker.alarm_clock, "list_timers") == {
        "timers": [{"id": 1, "kind": "timer", "ringing": True}]
    }


async def test_what_nobody_knows_is_not_said() -> None:
    """Before the time of day is known."""
    speaker = Speaker(None)
    speaker.clocks.reboot(at("1970-01-01 01:00"))
    set_timer = await answer(speaker.alarm_clock, "set_timer", duration_s=60)
    assert set_timer == {"set": {"id": 1, "kind": "timer", "left_s": 60, "left": "1 minute"}}
    set_alarm = await answer(speaker.alarm_clock, "set_alarm", time="07:00")
    note = "the time of day is not known yet: it rings the next time that it is that"
    assert set_alarm == {"set": {"id": 2, "kind": "alarm", "time": "07:00", "note": note}}


async def test_after_a_reboot_an_alarm_of_some_weekdays_still_has_its_time() -> None:
    """Which day is next is not known yet; at what time it rings is."""
    speaker = Speaker(None)
    await answer(speaker.alarm_clock, "set_alarm", time="07:00", weekdays=["mon", "fri"])
    speaker.clocks.reboot(at("1970-01-01 01:00"))
    alarm = {"id": 1, "kind": "alarm", "time": "07:00", "weekdays": ["mon", "fri"]}
    assert await answer(speaker.alarm_clock, "list_timers") == {"timers": [alarm]}


async def test_what_cannot_be_written_down_is_said(tmp_path: Path) -> None:
    """It is never confirmed as more than it is."""
    (tmp_path / "state").write_text("a file where the folder should be")
    speaker = Speaker(tmp_path / "state")
    answered = await answer(speaker.alarm_clock, "set_timer", duration_s=60)
    assert answered["warning"] == NOT_KEPT


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("set_timer", {}, "duration_s is missing"),
        ("set_timer", {"duration_s": 5, "egg": 1}, "there is no argument 'egg'; there are: durat"),
        ("list_timers", {"id": 5}, "there is no argument 'id'; there are: none"),
        ("set_alarm", {"time": "7 am"}, "time is '7 am'"),
        ("cancel_timer", {}, "say which: an id or a name, as list_timers has them"),
        ("cancel_timer", {"all": False}, "say which"),
        ("cancel_timer", {"id": 7}, "no timer or alarm has that number; none is set"),
        ("change_timer", {"name": "egg", "add_s": 5}, "no timer or alarm is called 'egg'"),
        ("change_timer", {"add_s": 5}, "say which"),
    ],
)
async def test_what_cannot_be_done_is_an_error_for_the_model(
    function: str, arguments: dict[str, object], message: str
) -> None:
    """It can say it to the person."""
    with pytest.raises(TimerError, match=f"^{re.escape(message)}"):
        await ANSWERS[function](Speaker(None).alarm_clock, arguments)


async def test_the_owner_can_stop_what_rings_and_let_it_ring_again() -> None:
    """What repeats is told to ring on its next day; what was just stopped can still be snoozed."""
    speaker = Speaker(None)
    clock = speaker.alarm_clock
    assert await stop(clock, {}) == {"stopped": []}
    with pytest.raises(TimerError, match=r"^nothing rings that could be snoozed; none is set"):
        await snooze(clock, {})
    await answer(clock, "set_alarm", time="12:01", weekdays=["tue"], name="work")
    speaker.clocks.go_on(60)
    clock.look()
    stopped = await stop(clock, {"name": "work"})
    assert stopped["stopped"] == [{"id": 1, "kind": "alarm", "name": "work"}]
    assert stopped["still_set"][0]["due"] == "2026-12-08T12:01:00+01:00"
    (again,) = (await snooze(clock, {}))["snoozed"]
    assert (again["id"], again["left_s"]) == (1, 540)
    speaker.clocks.go_on(540)
    clock.look()
    (again,) = (await snooze(clock, {"for_s": 60, "id": 1}))["snoozed"]
    assert again["left_s"] == 60


async def test_of_several_that_were_stopped_one_has_to_be_named() -> None:
    """Who snoozes in the kitchen does not mean the bedroom's alarm."""
    speaker = Speaker(None)
    clock = speaker.alarm_clock
    for name in ("tea", "egg"):
        await answer(clock, "set_timer", duration_s=60, name=name)
    speaker.clocks.go_on(60)
    clock.look()
    await stop(clock, {})
    with pytest.raises(TimerError, match=r"several were stopped just now \(1, 2\)"):
        await snooze(clock, {})
    with pytest.raises(TimerError, match="there is no argument 'egg'"):
        await snooze(clock, {"egg": 1})


NAMES = ["duration_s", "name", "time", "date", "weekdays", "text", "id", "all", "add_s", "x"]


@given(
    st.sampled_from(sorted(ANSWERS)),
    st.dictionaries(st.sampled_from(NAMES), VALUES | st.sampled_from(["07:00", 60, 1, ["mon"]])),
)
async def test_whatever_the_model_asks_is_answered_or_refused(
    function: str, arguments: dict[str, object]
) -> None:
    """Never anything else."""
    speaker = Speaker(None)
    await speaker.alarm_clock.set_timer(60, "tea")
    try:
        answered = await ANSWERS[function](speaker.alarm_clock, arguments)
    except TimerError:
        return
    assert json.loads(json.dumps(answered)) == answered


async def test_a_repeated_alarm_is_stopped_and_not_taken_away_while_it_rings() -> None:
    """Whoever is woken says "cancel"; what is meant for good is said again."""
    speaker = Speaker(None)
    clock = speaker.alarm_clock
    async with speaker.running():
        await answer(clock, "set_alarm", time="12:10", weekdays=["tue", "wed"], name="work")
        await answer(clock, "set_timer", duration_s=900, name="tea")
        await speaker.go_on(600)
        gone = await answer(clock, "cancel_timer", name="tea")
        assert gone == {"cancelled": [{"id": 2, "kind": "timer", "name": "tea"}]}
        work = {"id": 1, "kind": "alarm", "name": "work"}
        stopped = await answer(clock, "cancel_timer", name="work")
        assert stopped["stopped"] == [work]
        assert stopped["still_set"][0]["due"] == "2026-12-02T12:10:00+01:00"
        assert "cancel it again" in stopped["note"]
        there = await answer(clock, "list_timers")
        assert there["stopped_just_now"] == [work]
        assert len(there["timers"]) == 1
        assert await answer(clock, "cancel_timer", name="work") == {"cancelled": [work]}
        assert await answer(clock, "list_timers") == {"timers": []}


async def test_a_timer_beside_a_repeated_alarm_is_cancelled_while_both_ring() -> None:
    """Only what would be lost is spared."""
    speaker = Speaker(None)
    clock = speaker.alarm_clock
    async with speaker.running():
        await answer(clock, "set_alarm", time="12:10", weekdays=["tue"], name="work")
        await answer(clock, "set_timer", duration_s=600, name="tea")
        await speaker.go_on(600)
        tea = {"id": 2, "kind": "timer", "name": "tea"}
        gone = await answer(clock, "cancel_timer", name="tea")
        assert gone == {"stopped": [tea]}
        everything = await answer(clock, "cancel_timer", all=True)
        assert everything == {"cancelled": [{"id": 1, "kind": "alarm", "name": "work"}]}


async def test_of_a_timer_whose_time_nobody_knows_that_is_said(tmp_path: Path) -> None:
    """After a power cut, until a time server was heard; then as ever."""
    speaker = Speaker(tmp_path)
    await answer(speaker.alarm_clock, "set_timer", duration_s=3_600, name="tea")
    speaker.clocks.reboot(at("2026-12-01 12:10"))
    again = Speaker(tmp_path, speaker.clocks)
    (tea,) = (await answer(again.alarm_clock, "list_timers"))["timers"]
    assert "not known until the time of day is" in tea.pop("note")
    assert tea == {"id": 1, "kind": "timer", "name": "tea"}
    again.clocks.synchronise(at("2026-12-01 12:10"))
    (tea,) = (await answer(again.alarm_clock, "list_timers"))["timers"]
    assert tea["left_s"] == 3_000
