"""The command `timers` of the control socket, given to a hub made of fakes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.control.commands import LASTING
from device.control.timers import ACTIONS, answer
from device.errors import ControlError
from device.timers.answers import NOT_KEPT
from tests.control.test_commands import Desk
from tests.rig.fakes import Hub
from tests.rig.hostile_server import VALUES
from tests.timers.test_alarm_clock import Speaker


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    hub = Hub()
    async with hub.running():
        yield Desk(hub)


async def test_everything_can_be_done_with_timers(desk: Desk) -> None:
    """Set, list, change, cancel; what is answered is JSON."""

    async def ask(action: str, **fields: Any) -> dict[str, Any]:
        answered = await desk.result("timers", action=action, **fields)
        assert json.loads(json.dumps(answered)) == answered
        return answered

    assert await desk.result("timers") == {"timers": []}
    tea = (await ask("set", duration_s=600, name="tea"))["set"]
    assert (tea["id"], tea["name"], tea["left"]) == (1, "tea", "10 minutes")
    work = (await ask("at", time="07:00", weekdays=["mon"], name="work", text="go"))["set"]
    assert (work["kind"], work["weekdays"]) == ("reminder", ["mon"])
    assert [each["id"] for each in (await ask("list"))["timers"]] == [1, 2]
    assert (await ask("change", name="tea", add_s=-300))["changed"]["left_s"] == 300
    assert (await ask("stop")) == {"stopped": []}
    assert (await desk.result("status"))["timers"]["set"] == 2
    assert (await ask("cancel", id=1))["cancelled"] == [{"id": 1, "kind": "timer", "name": "tea"}]
    assert [each["id"] for each in (await ask("cancel", all=True))["cancelled"]] == [2]
    assert [each.fields["what"] for each in desk.hub.events if each.event == "timer"] == [
        *("set", "set", "changed", "cancelled", "cancelled")
    ]


async def test_timers_can_be_set_during_a_talk_and_by_a_muted_speaker(desk: Desk) -> None:
    """It is over at once, and needs no place among the clients that last."""
    assert "timers" not in LASTING
    await desk.hub.speaking()
    await desk.result("timers", action="set", duration_s=60)
    assert desk.hub.state == "speaking"
    await desk.result("stop")
    await desk.result("mute")
    await desk.result("timers", action="set", duration_s=60)
    assert len((await desk.result("timers", action="list"))["timers"]) == 2


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"action": "sing"}, "action 'sing' of timers is not known; there are: list, set, at, can"),
        ({"action": ["set"]}, r"action \['set'\] of timers is not known"),
        ({"action": None}, "action None of timers is not known"),
        ({"action": "set"}, "duration_s is missing: say a number of seconds"),
        ({"action": "set", "duration_s": "5"}, "duration_s is '5': say a number of seconds"),
        ({"action": "set", "seconds": 5}, "there is no argument 'seconds'; there are: duration_s"),
        ({"action": "at", "time": "7 am"}, "time is '7 am': say it as HH:MM"),
        ({"action": "at", "time": "07:00", "weekdays": "mon"}, "weekdays are 'mon': say a list"),
        ({"action": "cancel", "all": "yes"}, "all is 'yes': say true for all there are, or leave"),
        ({"action": "cancel", "id": [1]}, "<list> is neither a number nor a name"),
        ({"action": "cancel", "name": "egg"}, "no timer or alarm is called 'egg'; none is set"),
        ({"action": "change", "id": 7, "add_s": 5}, "no timer or alarm has that number"),
        ({"action": "snooze"}, "nothing rings that could be snoozed; none is set"),
        ({"action": "snooze", "for_s": True}, "for_s is <bool>: say a number of seconds"),
        ({"action": "stop", "id": 3}, "nothing rings now; none is set"),
        ({"action": "list", "id": 3}, "there is no argument 'id'; there are: none"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_what_to_do(
    request_: dict[str, Any], message: str
) -> None:
    """It names the thing and its value."""
    with pytest.raises(ControlError, match=f"^{message}"):
        await answer(Speaker(None).alarm_clock, {"command": "timers", **request_})


async def test_what_is_not_on_the_disk_is_warned_of(tmp_path: Any) -> None:
    """Also who only looks what there is."""
    (tmp_path / "state").write_text("a file where the folder should be")
    clock = Speaker(tmp_path / "state").alarm_clock
    assert (await answer(clock, {"action": "set", "duration_s": 60}))["warning"] == NOT_KEPT
    assert (await answer(clock, {"action": "list"}))["warning"] == NOT_KEPT


async def test_the_list_tells_what_was_stopped_just_now() -> None:
    """It may be snoozed still."""
    speaker = Speaker(None)
    clock = speaker.alarm_clock
    await answer(clock, {"action": "set", "duration_s": 60, "name": "tea"})
    speaker.clocks.go_on(60)
    clock.look()
    await answer(clock, {"action": "stop"})
    tea = {"id": 1, "kind": "timer", "name": "tea"}
    assert await answer(clock, {}) == {"timers": [], "stopped_just_now": [tea]}
    (again,) = (await answer(clock, {"action": "snooze", "for_s": 60}))["snoozed"]
    assert (again["id"], again["left_s"]) == (1, 60)


NAMES = ("duration_s", "name", "time", "date", "weekdays", "text", "id", "all", "add_s", "for_s")


@given(
    st.sampled_from(sorted(ACTIONS)) | VALUES,
    st.dictionaries(st.sampled_from(NAMES), VALUES | st.sampled_from(["07:00", 60, 1, ["mon"]])),
)
async def test_whatever_is_asked_is_answered_or_refused(
    action: object, arguments: dict[str, object]
) -> None:
    """Never anything else: an exception that nobody expects would end the speaker."""
    speaker = Speaker(None)
    await speaker.alarm_clock.set_timer(60, "tea")
    try:
        answered = await answer(speaker.alarm_clock, {"action": action, **arguments})
    except ControlError:
        return
    assert json.loads(json.dumps(answered)) == answered
