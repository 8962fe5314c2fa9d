"""What can be asked for, and what is refused with what to ask for instead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import TimerError
from device.timers import changes
from device.timers.changes import LAST_ID, MOST_ENTRIES, Change, Wish
from device.timers.entries import Entry, Now
from device.timers.schedule import Schedule, looked
from tests.timers.jumping import BERLIN, JumpingClocks, Life, at

CLOCKS = JumpingClocks()
NOW = CLOCKS.read(BERLIN)
UNKNOWN = replace(NOW, synchronised=False, boot_s=30.0)


def with_timer(seconds: float = 600.0, name: str = "", now: Now = NOW) -> Schedule:
    return changes.set_timer(Schedule(), now, seconds, name).schedule


def with_alarm(wish: Wish, now: Now = NOW) -> Schedule:
    return changes.set_alarm(Schedule(), now, wish).schedule


def ringing(wish: Wish | None = None) -> Life:
    """A life in which a timer, or an alarm at 12:10, has just begun to ring."""
    life = Life()
    life.schedule = with_alarm(wish, life.now) if wish else with_timer(600, "tea", life.now)
    life.go_on(600)
    assert [entry.id for entry in life.ringing] == [1]
    return life


def whats(done: Change) -> list[str]:
    return [happening.what for happening in done.happenings]


# --- setting -------------------------------------------------------------------------------------


def test_a_timer_is_set_with_a_number_and_a_clean_name() -> None:
    """And told."""
    done = changes.set_timer(Schedule(), NOW, 90, "  the \n pasta\x1b ")
    (entry,) = done.entries
    assert (entry.id, entry.kind, entry.name) == (1, "timer", "the pasta\ufffd")
    assert entry.left_s(NOW) == 90
    assert done.schedule == Schedule((entry,), 1)
    assert [(each.what, each.due_s) for each in done.happenings] == [("set", NOW.wall_s + 90)]
    assert changes.set_timer(Schedule(), NOW, 1.5, None).entries[0].name == ""


@pytest.mark.parametrize(
    ("duration", "message"),
    [
        (0, "a timer takes 1 second to 7 days, not 0 s: set an alarm with a date"),
        (0.99, "a timer takes 1 second to 7 days"),
        (-60, "a timer takes 1 second to 7 days, not -60 s"),
        (7 * 86_400 + 1, "a timer takes 1 second to 7 days, not 604801 s"),
        (10**400, "duration_s is far too large"),
        (float("nan"), "duration_s is nan: say a number of seconds"),
        (float("inf"), "duration_s is inf"),
        ("600", "duration_s is '600': say a number of seconds"),
        (None, "duration_s is missing: say a number of seconds"),
        (True, "duration_s is <bool>"),
        ([1], "duration_s is <list>"),
    ],
)
def test_a_duration_that_is_none_is_refused(duration: object, message: str) -> None:
    """With what to say instead."""
    with pytest.raises(TimerError, match=f"^{message}"):
        changes.set_timer(Schedule(), NOW, duration)


def test_the_limits_themselves_are_allowed() -> None:
    """One second, a week, sixty characters, five hundred."""
    assert with_timer(1).entries[0].left_s(NOW) == 1
    assert with_timer(7 * 86_400, "n" * 60).entries[0].name == "n" * 60
    assert with_alarm(Wish("07:00", text="t" * 500)).entries[0].text == "t" * 500


def test_names_and_texts_have_an_end() -> None:
    """And are texts."""
    with pytest.raises(TimerError, match="name has 61 characters: say it in at most 60"):
        with_timer(60, "n" * 61)
    with pytest.raises(TimerError, match="text has 501 characters: say it in at most 500"):
        with_alarm(Wish("07:00", text="t" * 501))
    with pytest.raises(TimerError, match="name is <int>: say a text"):
        changes.set_timer(Schedule(), NOW, 60, 7)


def test_there_are_fifty_at_most() -> None:
    """Whoever wants more is told what there is."""
    schedule = Schedule()
    for _ in range(MOST_ENTRIES):
        schedule = changes.set_timer(schedule, NOW, 60).schedule
    with pytest.raises(TimerError, match="there are 50 timers and alarms already: cancel some"):
        changes.set_timer(schedule, NOW, 60)
    schedule = changes.cancel(schedule, NOW, 17).schedule
    assert changes.set_timer(schedule, NOW, 60).entries[0].id == 51


def test_numbers_count_up_and_begin_again_late() -> None:
    """So a number that was just free is not another timer's at once."""
    schedule = with_timer()
    schedule = changes.cancel(schedule, NOW, 1).schedule
    schedule = changes.set_timer(schedule, NOW, 60).schedule
    assert schedule.last_id == 2
    schedule = replace(schedule, last_id=LAST_ID)
    schedule = changes.set_timer(schedule, NOW, 60).schedule
    schedule = changes.set_timer(schedule, NOW, 60).schedule
    assert [entry.id for entry in schedule.entries] == [2, 1, 3]


@pytest.mark.parametrize(
    ("wish", "due"),
    [
        (Wish("12:30"), "2026-12-01 12:30"),
        (Wish("12:00"), "2026-12-02 12:00"),
        (Wish("7:05"), "2026-12-02 07:05"),
        (Wish(" 23:59 "), "2026-12-01 23:59"),
        (Wish("07:00", "2027-03-28"), "2027-03-28 07:00"),
        (Wish("07:00", weekdays=["mon", "wed"]), "2026-12-02 07:00"),
        (Wish("07:00", weekdays=("tue", "tue")), "2026-12-08 07:00"),
        (Wish("07:00", None, None, None, None), "2026-12-02 07:00"),
    ],
)
def test_an_alarm_is_for_the_next_time_that_fits(wish: Wish, due: str) -> None:
    """Today is Tuesday, 1 December, noon."""
    schedule = with_alarm(wish)
    assert schedule.entries[0].due_s(NOW) == at(due)
    assert schedule.entries[0].kind == "alarm"


def test_an_alarm_with_a_text_is_a_reminder() -> None:
    """The text is cleaned as a name is."""
    (entry,) = with_alarm(Wish("07:00", text="  take the \t bins out ", name="bins")).entries
    assert (entry.kind, entry.name, entry.text) == ("reminder", "bins", "take the bins out")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish("24:00"), "time is '24:00': say it as HH:MM, 00:00 to 23:59"),
        (Wish("7"), "time is '7'"),
        (Wish("07:00:00"), "time is '07:00:00'"),
        (Wish("\u0660\u0667:\u0660\u0660"), "time is '\u0660\u0667:"),
        (Wish(None), "time is missing"),
        (Wish(7.0), "time is <float>"),
        (Wish("07:00", "tomorrow"), "date is 'tomorrow': say it as YYYY-MM-DD, up to the year"),
        (Wish("07:00", "20261202"), "date is '20261202'"),
        (Wish("07:00", "9999-12-31"), "date is '9999-12-31'"),
        (Wish("07:00", 20261202), "date is <int>"),
        (Wish("07:00", "2027-02-29"), "there is no 2027-02-29: say another date"),
        (Wish("07:00", "2026-12-01"), "2026-12-01 07:00 is in the past, today is 2026-12-01"),
        (Wish("12:00", "2026-12-01"), "2026-12-01 12:00 is in the past"),
        (Wish("07:00", "1999-12-01"), "1999-12-01 07:00 is in the past"),
        (Wish("07:00", "2026-12-02", ["mon"]), "an alarm has a date or weekdays, not both"),
        (Wish("07:00", weekdays="mon"), "weekdays are 'mon': say a list such as mon, fri"),
        (Wish("07:00", weekdays=["monday"]), "weekdays has 'monday': say them as mon, tue"),
        (Wish("07:00", weekdays=[{}]), "weekdays has <dict>"),
    ],
)
def test_an_alarm_that_cannot_be_is_refused(wish: Wish, message: str) -> None:
    """With what to say instead."""
    with pytest.raises(TimerError, match=f"^{message}"):
        with_alarm(wish)


def test_while_the_time_of_day_is_not_known_no_date_is_in_the_past() -> None:
    """Nobody can tell; and no day is guessed."""
    (entry,) = with_alarm(Wish("07:00", "2026-11-30"), UNKNOWN).entries
    assert entry.appointment is not None
    assert entry.appointment.day == date(2026, 11, 30)
    (entry,) = with_alarm(Wish("07:00"), UNKNOWN).entries
    assert entry.appointment is not None
    assert not entry.appointment.is_known


# --- cancelling, stopping, snoozing --------------------------------------------------------------


def test_what_is_cancelled_is_gone() -> None:
    """By number or by name, or all there are."""
    schedule = changes.set_timer(with_timer(60, "tea"), NOW, 90, "eggs").schedule
    done = changes.cancel(schedule, NOW, "the tea timer")
    assert [entry.name for entry in done.entries] == ["tea"]
    assert [entry.name for entry in done.schedule.entries] == ["eggs"]
    assert whats(done) == ["cancelled"]
    done = changes.cancel_all(schedule, NOW)
    assert (len(done.entries), done.schedule.entries) == (2, ())
    assert whats(done) == ["cancelled", "cancelled"]
    assert changes.cancel_all(done.schedule, NOW).entries == ()


@pytest.mark.parametrize("which", [None, True, 1.5, [], {}])
def test_what_is_neither_number_nor_name_is_refused(which: object) -> None:
    """A number that JSON has as 1.0 is one."""
    with pytest.raises(TimerError, match="neither a number nor a name"):
        changes.cancel(with_timer(), NOW, which)
    assert changes.cancel(with_timer(), NOW, 1.0).schedule.entries == ()


def test_what_rings_and_is_cancelled_stops() -> None:
    """Both are told; a repeated alarm is gone for good."""
    life = ringing(Wish("12:10", weekdays=["tue"]))
    done = changes.cancel(life.schedule, life.now, 1)
    assert whats(done) == ["stopped", "cancelled"]
    assert done.schedule.entries == ()


def test_stopping_stops_what_rings_and_nothing_else() -> None:
    """All of it, or one; when nothing rings there is nothing to do."""
    life = ringing()
    life.schedule = changes.set_timer(life.schedule, life.now, 60, "eggs").schedule
    with pytest.raises(TimerError, match=r"called 'eggs'; there are: 1 'tea' .timer, ringing"):
        changes.stop(life.schedule, life.now, "eggs")
    for which in (None, "tea", 1):
        done = changes.stop(life.schedule, life.now, which)
        assert whats(done) == ["stopped"]
        assert [entry.name for entry in done.schedule.entries] == ["eggs"]
    assert changes.stop(done.schedule, life.now) == Change(done.schedule, (), ())
    with pytest.raises(TimerError, match="nothing rings now; there are: 2 'eggs'"):
        changes.stop(done.schedule, life.now, 2)


def test_what_is_snoozed_rings_again_after_a_while() -> None:
    """A timer, an alarm, and a repeated one, which goes on to its next day as well."""
    for wish in (None, Wish("12:10"), Wish("12:10", weekdays=["tue", "wed"])):
        life = ringing(wish)
        life.go_on(60)
        life.told()
        done = changes.snooze(life.schedule, life.now)
        assert whats(done) == ["stopped", "changed"]
        assert done.entries[0].left_s(life.now) == 540
        life.schedule = done.schedule
        life.go_on(86_400)
        told = ["12:20:00 ringing 1", "12:25:00 stopped 1"]
        again = ["12:10:00 ringing 1"] if wish and wish.weekdays else []
        assert life.told() == told + again


def test_nothing_that_does_not_ring_is_snoozed() -> None:
    """And no longer than a week."""
    with pytest.raises(TimerError, match="nothing rings that could be snoozed; there are: 1"):
        changes.snooze(with_timer(), NOW)
    life = ringing()
    with pytest.raises(TimerError, match="snooze for 1 second to 7 days, not 0 s"):
        changes.snooze(life.schedule, life.now, None, 0)
    assert changes.snooze(life.schedule, life.now, "tea", 60).entries[0].left_s(life.now) == 60


# --- changing ------------------------------------------------------------------------------------


def changed(schedule: Schedule, now: Now, **arguments: Any) -> Entry:
    done = changes.change(schedule, now, 1, **arguments)
    assert whats(done)[-1] == "changed"
    assert done.schedule.entries == done.entries
    return done.entries[0]


def test_a_timer_gets_more_seconds_or_fewer() -> None:
    """Of what is left."""
    life = Life()
    life.schedule = with_timer(600, "", life.now)
    life.go_on(100)
    assert changed(life.schedule, life.now, add_s=60).left_s(life.now) == 560
    assert changed(life.schedule, life.now, add_s=-60.5).left_s(life.now) == 439.5
    with pytest.raises(TimerError, match="it has 8 minutes 20 seconds left, nothing would remain"):
        changed(life.schedule, life.now, add_s=-500)
    with pytest.raises(TimerError, match="it would have more than 7 days left"):
        changed(life.schedule, life.now, add_s=7 * 86_400)
    with pytest.raises(TimerError, match="1 is a timer, which has no time of day: use add_s, or"):
        changed(life.schedule, life.now, at="13:00")


def test_what_rings_and_gets_more_seconds_rings_again_then() -> None:
    """Five more minutes."""
    life = ringing()
    assert changed(life.schedule, life.now, add_s=300).left_s(life.now) == 300
    with pytest.raises(TimerError, match="it has 0 seconds left"):
        changed(life.schedule, life.now, add_s=-5)


def test_an_alarm_gets_another_time() -> None:
    """The next time that it is that time; on the named day; or on the same weekdays."""
    schedule = with_alarm(Wish("07:00"))
    assert changed(schedule, NOW, at="13:00").due_s(NOW) == at("2026-12-01 13:00")
    schedule = with_alarm(Wish("07:00", "2026-12-24"))
    assert changed(schedule, NOW, at="13:00").due_s(NOW) == at("2026-12-24 13:00")
    schedule = with_alarm(Wish("07:00", weekdays=["wed"]))
    entry = changed(schedule, NOW, at="13:00")
    assert (entry.due_s(NOW), entry.appointment and entry.appointment.weekdays) == (
        at("2026-12-02 13:00"),
        (2,),
    )
    life = ringing(Wish("12:10"))
    assert changed(life.schedule, life.now, at="13:00").due_s(life.now) == at("2026-12-01 13:00")
    schedule = with_alarm(Wish("12:30", "2026-12-01"))
    with pytest.raises(TimerError, match="2026-12-01 11:00 is in the past"):
        changed(schedule, NOW, at="11:00")


def test_an_alarm_gets_later_by_seconds() -> None:
    """One that rings once; a repeated one takes a time."""
    entry = changed(with_alarm(Wish("23:50")), NOW, add_s=1_200)
    assert entry.due_s(NOW) == at("2026-12-02 00:10")
    with pytest.raises(TimerError, match="it has 11 hours 50 minutes left, nothing would remain"):
        changed(with_alarm(Wish("23:50")), NOW, add_s=-86_400)
    with pytest.raises(TimerError, match="moves an alarm by a year at most"):
        changed(with_alarm(Wish("23:50")), NOW, add_s=1e9)
    with pytest.raises(TimerError, match="1 rings again and again at 07:00: give it a new time"):
        changed(with_alarm(Wish("07:00", weekdays=["wed"])), NOW, add_s=60)


def test_an_alarm_that_is_moved_into_the_second_of_two_hours_stays_there() -> None:
    """No local time means that one."""
    before = replace(NOW, wall_s=at("2027-10-31 01:00"))
    entry = changed(with_alarm(Wish("02:45"), before), before, add_s=1_800)
    assert entry.due_s(before) == at("2027-10-31 02:45") + 1_800
    assert entry.left_s(before) == 1.75 * 3_600 + 1_800


def test_nothing_is_added_to_what_nobody_knows() -> None:
    """While the time of day is not known."""
    with pytest.raises(TimerError, match="has not learned the time of day"):
        changed(with_alarm(Wish("07:00"), UNKNOWN), UNKNOWN, add_s=60)
    rebooted = replace(UNKNOWN, boot_id="another")
    with pytest.raises(TimerError, match="has not learned the time of day"):
        changed(with_timer(), rebooted, add_s=60)
    entry = changed(with_alarm(Wish("07:00"), UNKNOWN), UNKNOWN, at="08:00")
    assert entry.appointment is not None
    assert entry.appointment.at == time(8)


def test_a_change_is_one_of_two() -> None:
    """Seconds or a time."""
    with pytest.raises(TimerError, match="say either add_s, the seconds to add, or time"):
        changed(with_timer(), NOW)
    with pytest.raises(TimerError, match="say either"):
        changed(with_timer(), NOW, add_s=5, at="07:00")


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["07:00", "2026-12-24", "mon", "tea", 1, 60, 10**30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_whatever_comes_is_done_or_refused(a: Any, b: Any, c: Any, d: Any, e: Any) -> None:
    """With the one error; and what is done can be looked at and listed."""
    schedule = changes.set_timer(with_alarm(Wish("12:30", name="tea")), NOW, 60).schedule
    attempts: list[Callable[[Schedule], Change]] = [
        lambda s: changes.set_timer(s, NOW, a, b),
        lambda s: changes.set_alarm(s, NOW, Wish(a, b, c, d, e)),
        lambda s: changes.set_alarm(s, NOW, Wish("07:00", b, c, d, e)),
        lambda s: changes.change(s, NOW, a, b, c),
        lambda s: changes.change(s, NOW, "tea", b, None),
        lambda s: changes.change(s, NOW, "tea", None, b),
        lambda s: changes.snooze(s, NOW, a, b),
        lambda s: changes.stop(s, NOW, a),
        lambda s: changes.cancel(s, NOW, a),
    ]
    for attempt in attempts:
        with contextlib.suppress(TimerError):
            schedule = attempt(schedule).schedule
        schedule, happenings = looked(schedule, NOW, 300)
        assert happenings == []
        assert all(entry.left_s(NOW) is not None for entry in schedule.entries)
