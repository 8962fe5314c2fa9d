"""What rings, ends and is missed, while clocks go on, jump and are switched off."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from device.timers import changes
from device.timers.changes import Wish
from device.timers.entries import PATIENCE_S, Entry
from device.timers.local_time import WEEKDAYS, local_day, moment
from device.timers.record import record_of, schedule_in
from device.timers.schedule import Happening, Look, Schedule
from tests.timers.jumping import BERLIN, Life, at

HOUR_S, DAY_S = 3_600.0, 86_400.0
NEW_YORK = ZoneInfo("America/New_York")


def timer(life: Life, seconds: float, name: str = "") -> Entry:
    life.look()
    done = changes.set_timer(life.schedule, life.now, seconds, name)
    life.schedule = done.schedule
    return done.entries[0]


def alarm(life: Life, clock: str, day: str | None = None, weekdays: tuple[str, ...] = ()) -> Entry:
    life.look()
    done = changes.set_alarm(life.schedule, life.now, Wish(clock, day, list(weekdays)))
    life.schedule = done.schedule
    return done.entries[0]


def stop(life: Life) -> None:
    life.look()
    life.schedule = changes.stop(life.schedule, life.now).schedule


def restart(life: Life) -> None:
    """What the file holds is what there is."""
    record = json.loads(json.dumps(record_of(life.schedule, life.now)))
    life.schedule, complaints = schedule_in(record)
    assert complaints == []


# --- as it should be -----------------------------------------------------------------------------


def test_what_is_due_rings_until_its_time_is_over() -> None:
    """Each in its time; then it is gone."""
    life = Life()
    timer(life, 600)
    timer(life, 90)
    alarm(life, "12:02")
    life.go_on(HOUR_S)
    assert life.told() == [
        "12:01:30 ringing 2",
        "12:02:00 ringing 3",
        "12:06:30 stopped 2",
        "12:07:00 stopped 3",
        "12:10:00 ringing 1",
        "12:15:00 stopped 1",
    ]
    assert life.schedule == Schedule((), 3)
    assert life.clocks.look == Look(None, None)


def test_what_repeats_goes_on_to_its_next_day() -> None:
    """Whether it was stopped by somebody or by its time."""
    life = Life(at("2026-12-04 06:59"))  # a Friday
    alarm(life, "07:00", weekdays=("mon", "fri"))
    life.go_on(90)
    stop(life)
    assert life.ringing == []
    life.go_on(4 * DAY_S)
    assert life.told() == ["07:00:00 ringing 1", "07:00:00 ringing 1", "07:05:00 stopped 1"]
    assert life.schedule.entries[0].due_s(life.now) == at("2026-12-11 07:00")


def test_nothing_happens_before_the_next_look_and_no_look_is_too_many() -> None:
    """Whoever looks as often as they like sees the same."""
    life = Life()
    timer(life, 600)
    alarm(life, "12:05")
    life.look()
    assert life.clocks.look == Look(4_200.0, at("2026-12-01 12:05"))
    for _ in range(100):
        life.clocks.go_on(9.5)
        life.look()
        assert life.look() == []
    whats = [each.what for _, each in life.happened]
    assert whats == ["ringing", "ringing", "stopped", "stopped"]


# --- over summer time and zones ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "begin", "clock", "rings_utc"),
    [
        (BERLIN, "2027-03-27 12:00", "02:30", ["03-28 01:00", "03-29 00:30"]),
        (BERLIN, "2027-10-30 12:00", "02:30", ["10-31 00:30", "11-01 01:30"]),
        (BERLIN, "2027-03-27 12:00", "07:00", ["03-28 05:00", "03-29 05:00"]),
        (NEW_YORK, "2027-11-06 12:00", "01:30", ["11-07 05:30", "11-08 06:30"]),
    ],
)
def test_summer_time_costs_no_alarm_and_rings_none_twice(
    zone: ZoneInfo, begin: str, clock: str, rings_utc: list[str]
) -> None:
    """A time that is left out rings after the gap; one that is there twice rings once."""
    life = Life(at(begin, zone), zone)
    alarm(life, clock, weekdays=WEEKDAYS)
    life.go_on(2 * DAY_S)
    rang = [s for s, each in life.happened if each.what == "ringing"]
    assert [f"{datetime.fromtimestamp(s, UTC):%m-%d %H:%M}" for s in rang] == rings_utc


def test_alarms_follow_the_zone_and_timers_do_not() -> None:
    """Seven in the morning is so where the speaker is."""
    life = Life(at("2026-12-01 22:00"))
    alarm(life, "07:00")
    timer(life, 10 * HOUR_S)
    life.go_on(HOUR_S)
    life.zone = NEW_YORK  # 17:00
    life.go_on(20 * HOUR_S)
    assert life.told() == [
        "02:00:00 ringing 2",
        "02:05:00 stopped 2",
        "07:00:00 ringing 1",
        "07:05:00 stopped 1",
    ]


# --- with clocks that jump -----------------------------------------------------------------------


def test_a_clock_that_is_set_moves_alarms_and_no_timer() -> None:
    """Ahead over an alarm: it rings late; back: it rings no second time that day."""
    life = Life()
    timer(life, 1_800)
    alarm(life, "12:30", weekdays=WEEKDAYS)
    life.clocks.wall_s = at("2026-12-01 12:40")
    life.go_on(1)
    assert life.told() == ["12:40:00 missed 2", "12:40:00 ringing 2"]
    stop(life)
    life.clocks.wall_s = at("2026-12-01 12:20")
    life.go_on(1_900)
    assert life.told() == ["12:49:59 ringing 1"]


def test_a_clock_that_was_days_ahead_and_is_put_right_costs_no_alarm() -> None:
    """What rang by the wrong clock has not rung yet."""
    life = Life(at("2026-12-01 06:00"))
    alarm(life, "07:00", weekdays=WEEKDAYS)
    life.clocks.wall_s = at("2030-01-01 07:00")
    life.go_on(400)
    life.clocks.wall_s = at("2026-12-01 06:10")
    life.go_on(HOUR_S)
    assert life.told() == ["07:00:00 ringing 1", "07:05:00 stopped 1"] * 2


def test_a_clock_that_is_put_back_a_little_over_midnight_rings_nothing_twice() -> None:
    """The day is another one, and it was done with."""
    life = Life(at("2026-12-01 23:59"))
    alarm(life, "00:00", weekdays=WEEKDAYS)
    life.go_on(70)
    stop(life)
    life.clocks.wall_s -= 15
    life.go_on(DAY_S - 1)
    assert life.told() == ["00:00:00 ringing 1"]


def test_what_was_snoozed_and_missed_leaves_the_next_day_alone() -> None:
    """Both are told at once, and it goes on."""
    life = Life()
    alarm(life, "12:01", weekdays=WEEKDAYS)
    life.go_on(70)
    life.schedule = changes.snooze(life.schedule, life.now).schedule
    life.told()
    life.clocks.go_on(3 * DAY_S)  # nobody looks
    life.go_on(DAY_S)
    assert life.told() == [
        "12:01:10 missed 1",
        "12:01:10 ringing 1",
        "12:06:10 stopped 1",
        "12:01:00 ringing 1",
    ]


def test_a_day_that_comes_while_an_alarm_rings_already_is_no_second_alarm() -> None:
    """A clock that is put days ahead in the middle of ringing."""
    life = Life(at("2026-12-01 06:59"))
    alarm(life, "07:00", weekdays=WEEKDAYS)
    life.go_on(90)
    life.clocks.wall_s += 2 * DAY_S
    life.go_on(DAY_S)
    assert life.told() == ["07:00:00 ringing 1", "07:05:00 stopped 1", "07:00:00 ringing 1"]


# --- over restarts and reboots -------------------------------------------------------------------


def test_a_restart_of_the_program_changes_nothing() -> None:
    """Whatever was done with the clock meanwhile; what rings does so for the rest of its time."""
    life = Life()
    timer(life, 600)
    restart(life)
    life.clocks.wall_s += 5_000
    life.go_on(700)
    restart(life)
    assert [entry.id for entry in life.ringing] == [1]
    life.go_on(300)
    assert [each.what for _, each in life.happened] == ["ringing", "stopped"]
    assert life.happened[1][0] - life.happened[0][0] == Life.RING_S


def test_after_a_power_cut_nothing_happens_until_the_time_of_day_is_known() -> None:
    """Then what was due rings late, or is missed; and the rest in its time."""
    for wrong in ("1970-01-02 00:00", "2026-11-30 09:00", "2026-12-01 12:01", "2027-06-01 12:00"):
        life = Life()
        timer(life, 600)
        timer(life, HOUR_S)
        alarm(life, "12:20")
        alarm(life, "15:00")
        timer(life, 60)
        life.look()
        restart(life)
        life.clocks.reboot(at(wrong))
        life.go_on(60)
        assert life.told() == [], wrong
        assert life.clocks.until_due() == 2
        restart(life)
        life.clocks.synchronise(at("2026-12-01 12:30"))
        life.go_on(3 * HOUR_S)
        assert life.told() == [
            "12:30:00 missed 1",
            "12:30:00 ringing 1",
            "12:30:00 missed 3",
            "12:30:00 ringing 3",
            "12:30:00 missed 5",
            "12:30:00 ringing 5",
            "12:35:00 stopped 1",
            "12:35:00 stopped 3",
            "12:35:00 stopped 5",
            "13:00:00 ringing 2",
            "13:05:00 stopped 2",
            "15:00:00 ringing 4",
            "15:05:00 stopped 4",
        ]


def test_a_clock_that_nobody_confirms_is_believed_after_a_while() -> None:
    """An alarm that waits for a network that never comes is none; one of 1970 is never believed."""
    life = Life()
    alarm(life, "12:20")
    life.look()
    life.clocks.reboot(at("2026-12-01 12:10"))
    life.go_on(PATIENCE_S + HOUR_S)
    assert life.told() == ["12:20:00 ringing 1", "12:25:00 stopped 1"]
    alarm(life, "12:20")
    life.look()
    life.clocks.reboot(at("1970-01-01 12:10"))
    life.go_on(PATIENCE_S + HOUR_S)
    assert life.told() == []
    assert life.clocks.look == Look(None, None), "it waits for the clock to be set"
    assert life.schedule.entries != ()


def test_without_any_time_of_day_timers_ring() -> None:
    """And what is set for a time of day gets its day when that is known."""
    life = Life()
    life.clocks.reboot(at("1970-01-01 01:00"))
    timer(life, 900)
    alarm(life, "12:30")
    life.go_on(905)
    assert [each.what for _, each in life.happened] == ["ringing"]
    assert life.happened[0][1].due_s is None
    life.clocks.synchronise(at("2026-12-01 12:29"))
    life.happened.clear()
    life.go_on(400)
    assert life.told() == ["12:30:00 ringing 2", "12:33:55 stopped 1", "12:35:00 stopped 2"]


def test_a_timer_of_an_unknown_time_of_day_outlives_a_reboot() -> None:
    """It begins again with what was left."""
    life = Life()
    life.clocks.reboot(at("1970-01-01 01:00"))
    timer(life, 900)
    life.go_on(300)
    restart(life)
    life.clocks.reboot(at("1970-01-01 01:10"), after_s=20)
    life.go_on(579)
    assert life.told() == []
    life.go_on(1)
    assert [each.what for _, each in life.happened] == ["ringing"]


@pytest.mark.parametrize(
    ("off_s", "told"),
    [
        (60.0, ["12:12:00 ringing 1", "12:15:00 stopped 1"]),
        (1_200.0, ["12:31:00 ringing 1", "12:35:00 stopped 1"]),
        (2 * HOUR_S, ["14:11:00 stopped 1"]),
    ],
)
def test_what_rang_when_the_power_went_away_rings_on(off_s: float, told: list[str]) -> None:
    """For the rest of its time; or for what was left, since perhaps nobody has heard it."""
    life = Life()
    timer(life, 600)
    life.go_on(660)
    restart(life)
    life.told()
    right = life.clocks.wall_s + off_s
    life.clocks.reboot(at("2026-12-01 12:00"), after_s=20)
    life.go_on(10)
    assert life.told() == []
    assert life.ringing == []
    life.clocks.synchronise(right)
    life.go_on(HOUR_S)
    assert life.told() == told


# --- random lives --------------------------------------------------------------------------------


@dataclass
class Expected:
    """What a test knows of an entry, by real time, which nobody sets."""

    boot: int
    deadline_s: float
    """When it is to ring, while the computer runs; infinity for what follows the wall clock."""
    off_s: float
    """How long the computer had been switched off until it was set."""
    count: int = 0
    """How often it has rung, or was missed without."""


class AnyLife(RuleBasedStateMachine):
    """People, time servers and power cuts do what they like: nothing is lost, nothing rings twice.

    A timer is never early, and late by no more than the computer was switched off.
    """

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(at("2027-03-26 20:00"))
        self.real_s = 0.0
        self.off_s = 0.0
        self.lead_s = 0.0
        """By how much the wall clock is wrong."""
        self.once: dict[int, Expected] = {}
        self.days: Counter[tuple[int, int, date]] = Counter()
        self.rang_on: set[int] = set()
        """What rang when the power went away."""
        self.last_wall_s = self.life.clocks.wall_s
        self.put_back = 0
        """How often the clock was put back to an earlier day."""
        self.is_known = True
        self.look()

    def look(self, *, on_time: bool = False) -> None:
        now = self.life.now
        if now.trusted:
            days = [local_day(each, now.zone) for each in (self.last_wall_s, now.wall_s)]
            self.put_back += days[1] < days[0]
            self.last_wall_s = now.wall_s
        on_time = on_time and self.is_known
        self.is_known = now.trusted
        happenings = self.life.look()
        for each, following in itertools.zip_longest(happenings, happenings[1:]):
            if on_time and each.what == "ringing" and each.due_s is not None:
                assert abs(now.wall_s - each.due_s) < 0.01, "it rings in its time"
            rings_late = following is not None and following.what == "ringing"
            if rings_late and (following.entry.id, following.due_s) == (each.entry.id, each.due_s):
                continue
            self.judge(each)

    def judge(self, each: Happening) -> None:
        entry = each.entry
        if each.what == "stopped" or entry.id in self.rang_on:
            self.rang_on.discard(entry.id)
        else:
            happened[each.what] += 1
            self.count(entry, each.due_s)

    def count(self, entry: Entry, due_s: float | None) -> None:
        appointment = entry.appointment
        if appointment is None or not appointment.weekdays:
            expected = self.once[entry.id]
            expected.count += 1
            assert expected.count == 1, "it rings once"
            if expected.boot == self.life.clocks.boot and expected.deadline_s < math.inf:
                assert self.real_s >= expected.deadline_s - 0.01, "no timer is early"
        elif appointment.after is not None:
            # Any other moment is one that it was snoozed until.
            then_s = moment(appointment.after, appointment.at, self.life.zone)
            if due_s is not None and abs(due_s - then_s) < 0.01:
                self.days[entry.id, self.put_back, appointment.after] += 1
                assert self.days[entry.id, self.put_back, appointment.after] == 1, "once a day"

    def expect(self, entry: Entry, seconds: float = math.inf) -> None:
        boot = self.life.clocks.boot
        self.once[entry.id] = Expected(boot, self.real_s + seconds, self.off_s)

    @precondition(lambda self: len(self.life.schedule.entries) < 8)
    @rule(seconds=st.floats(1, 1_000) | st.floats(1, 2 * DAY_S))
    def sets_a_timer(self, seconds: float) -> None:
        self.expect(timer(self.life, seconds), seconds)

    @precondition(lambda self: len(self.life.schedule.entries) < 8)
    @rule(hour=st.integers(0, 23), minute=st.integers(0, 59), days=st.sets(st.integers(0, 6)))
    def sets_an_alarm(self, hour: int, minute: int, days: set[int]) -> None:
        weekdays = tuple(WEEKDAYS[day] for day in days)
        entry = alarm(self.life, f"{hour}:{minute:02}", weekdays=weekdays)
        if not days:
            self.expect(entry)

    @precondition(lambda self: self.life.schedule.entries)
    @rule(data=st.data())
    def cancels(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.life.schedule.entries))
        done = changes.cancel(self.life.schedule, self.life.now, entry.id)
        self.life.schedule = done.schedule
        self.once.pop(entry.id, None)

    @rule()
    def stops(self) -> None:
        stop(self.life)

    @precondition(lambda self: self.life.ringing)
    @rule()
    def snoozes(self) -> None:
        done = changes.snooze(self.life.schedule, self.life.now)
        self.life.schedule = done.schedule
        for entry in done.entries:
            if entry.appointment is None:
                self.expect(entry, changes.SNOOZE_S)

    @rule(seconds=st.floats(0, 1_000) | st.floats(0, 3 * DAY_S))
    def waits(self, seconds: float) -> None:
        left = seconds
        while (until := self.life.clocks.until_due()) is not None and until <= left:
            self.pass_by(until)
            left -= until
        self.pass_by(left)

    @rule(count=st.integers(1, 5))
    def waits_for_what_is_next(self, count: int) -> None:
        for _ in range(count):
            self.pass_by(self.life.clocks.until_due() or 0.0)

    def pass_by(self, seconds: float) -> None:
        self.life.clocks.go_on(seconds)
        self.real_s += seconds
        self.look(on_time=True)

    @rule(seconds=st.sampled_from([10.0, 400.0, 5_000.0, DAY_S]))
    def sleeps(self, seconds: float) -> None:
        """Nobody looks meanwhile, whatever is due."""
        self.life.clocks.go_on(seconds)
        self.real_s += seconds
        self.look()

    @rule()
    def restarts(self) -> None:
        restart(self.life)
        self.look()

    @rule(
        off_s=st.sampled_from([1.0, 30.0, 600.0, 2 * HOUR_S, 3 * DAY_S]),
        clock=st.sampled_from(["right", "where it stopped", "1970"]),
        boot_s=st.floats(5, 60),
    )
    def loses_power(self, off_s: float, clock: str, boot_s: float) -> None:
        restart(self.life)
        self.rang_on = {entry.id for entry in self.life.schedule.entries if entry.ringing}
        stopped_s = self.life.clocks.wall_s
        right_s = stopped_s - self.lead_s + off_s + boot_s
        wall_s = {"right": right_s, "1970": boot_s}.get(clock, stopped_s + boot_s)
        self.real_s += off_s + boot_s
        self.off_s += off_s
        # What nobody could count then is as good as off.
        if not self.life.now.trusted:
            self.off_s += self.life.clocks.boot_s
        self.lead_s = wall_s - right_s
        self.life.clocks.reboot(wall_s, after_s=boot_s, synchronised=clock == "right")
        self.look()

    @rule()
    def a_time_server_answers(self) -> None:
        self.life.clocks.synchronise(self.life.clocks.wall_s - self.lead_s)
        self.lead_s = 0.0
        self.look()

    @precondition(lambda self: self.life.now.plausible)
    @rule(by_s=st.sampled_from([-3 * DAY_S, -HOUR_S, -5.0, 5.0, 50.0, 2 * HOUR_S, 3 * DAY_S]))
    def somebody_sets_the_clock(self, by_s: float) -> None:
        self.life.clocks.wall_s += by_s
        self.lead_s += by_s
        self.look()

    @rule(zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]))
    def moves(self, zone: str) -> None:
        self.life.zone = ZoneInfo(zone)
        self.look()

    @invariant()
    def nothing_is_lost(self) -> None:
        """What is not there any more has rung, was missed, or was cancelled."""
        there = {entry.id: entry for entry in self.life.schedule.entries}
        for number, expected in self.once.items():
            entry = there.get(number)
            assert (expected.count == 1) == (entry is None or entry.ringing is not None)

    @invariant()
    def no_timer_waits_for_longer_than_it_was_switched_off(self) -> None:
        """However wrong a clock is that it believes."""
        for entry in self.life.schedule.entries:
            expected = self.once.get(entry.id)
            if expected is None or entry.ringing is not None:
                continue
            is_known = self.life.now.trusted or expected.boot == self.life.clocks.boot
            if is_known and expected.deadline_s < math.inf:
                at_most = expected.deadline_s + self.off_s - expected.off_s
                assert self.real_s <= at_most + 0.01

    @invariant()
    def looking_again_changes_nothing(self) -> None:
        before = self.life.schedule
        assert self.life.look() == []
        assert self.life.schedule == before


happened: Counter[str] = Counter()
TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(
    max_examples=100 * int(os.environ.get("PARLEY_EXAMPLES", "1")), stateful_step_count=40
)


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    print(f"\nrandom lives: {dict(happened)}; none lost, none twice")


# --- years of alarms -----------------------------------------------------------------------------


def days_of(clock: time, weekdays: set[int], begin_s: float, days: int, zone: ZoneInfo) -> set[int]:
    """The minutes at which an alarm is to ring, found with a clock and no arithmetic."""
    begin = datetime.fromtimestamp(begin_s, zone)
    rung = {begin.date()} if begin.time() >= clock else set()
    minutes = set()
    for minute in range(int(begin_s) // 60 + 1, int(begin_s) // 60 + days * 1_440 + 1):
        shown = datetime.fromtimestamp(minute * 60, zone)
        day = shown.date()
        if day.weekday() in weekdays and day not in rung and shown.time() >= clock:
            rung.add(day)
            minutes.add(minute)
    return minutes


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_days_and_days_of_alarms_ring_when_a_clock_on_the_wall_shows_it(name: str) -> None:
    """Over both changes of summer time, minute by minute, with a restart every few hours."""
    zone = ZoneInfo(name)
    rang: Counter[int] = Counter()
    for begin in ("2027-03-10 00:00", "2027-09-28 00:00"):
        life = Life(at(begin, zone), zone)
        clocks = ("00:00", "01:30", "01:59", "02:00", "02:15", "02:30", "03:00", "07:00", "23:59")
        expected: Counter[int] = Counter()
        for number, clock in enumerate(clocks):
            weekdays = {0, 2, 6, number % 7} if number % 2 else set(range(7))
            alarm(life, clock, weekdays=tuple(WEEKDAYS[day] for day in weekdays))
            at_time = time.fromisoformat(clock)
            expected.update(days_of(at_time, weekdays, life.clocks.wall_s, 42, zone))
        for hours in itertools.islice(itertools.cycle((7, 1, 16)), 3 * 42):
            life.go_on(hours * HOUR_S)
            restart(life)
        told = [(int(s), each) for s, each in life.happened if each.what == "ringing"]
        assert Counter(second // 60 for second, _ in told) == expected
        assert all(second % 60 == 0 for second, _ in told)
        rang.update(each.entry.id for _, each in told)
    print(f"\n{name}: {rang.total()} alarms in 84 days with 2 changes of summer time, all in time")
