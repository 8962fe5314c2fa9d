"""Which clock an entry follows, before and after a reboot, with a clock that is right or wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

from device.timers.entries import PATIENCE_S, Appointment, Countdown, Entry, Now, Ringing
from tests.timers.jumping import BERLIN, at

NOW = Now("a", 5_000.0, at("2026-12-01 12:00"), BERLIN, plausible=True, synchronised=True)
UNKNOWN = replace(NOW, boot_s=50.0, synchronised=False)
REBOOTED = replace(NOW, boot_id="b", boot_s=30.0, wall_s=NOW.wall_s + 100)


def test_the_time_of_day_is_believed_when_confirmed_or_after_patience() -> None:
    """But never one that cannot be."""
    assert NOW.trusted
    assert not UNKNOWN.trusted
    assert replace(UNKNOWN, synchronised=True).trusted
    assert not replace(UNKNOWN, boot_s=PATIENCE_S - 1).trusted
    assert replace(UNKNOWN, boot_s=PATIENCE_S).trusted
    assert not replace(NOW, plausible=False).trusted
    assert NOW.today == date(2026, 12, 1)


def test_a_countdown_does_not_care_for_the_wall_clock() -> None:
    """As long as the computer runs; its moment by the wall clock follows."""
    countdown = Countdown.begin(600, NOW)
    set_ahead = replace(NOW, boot_s=NOW.boot_s + 60, wall_s=NOW.wall_s + 1e7)
    assert countdown.left(set_ahead) == 540
    followed = countdown.followed(set_ahead)
    assert followed == replace(countdown, due_s=set_ahead.wall_s + 540, left_s=540)
    assert followed.followed(set_ahead) is followed
    assert followed.written(set_ahead).left_s == 540
    slewed = replace(set_ahead, wall_s=set_ahead.wall_s + 0.5)
    assert followed.followed(slewed) is followed


def test_after_a_reboot_a_countdown_goes_by_the_wall_clock() -> None:
    """Once that is known."""
    countdown = Countdown.begin(600, NOW)
    assert countdown.left(REBOOTED) == 500
    unknown = replace(REBOOTED, synchronised=False)
    assert countdown.left(unknown) is None
    assert countdown.followed(unknown) is countdown
    assert countdown.written(unknown) is countdown
    followed = countdown.followed(REBOOTED)
    assert followed == Countdown("b", 530.0, NOW.wall_s + 600, 500.0)


def test_a_clock_that_lags_cannot_make_a_countdown_longer() -> None:
    """It had so much left when it was written, and the computer runs for so long."""
    countdown = Countdown.begin(600, NOW)
    assert countdown.left(replace(REBOOTED, wall_s=NOW.wall_s - 86_400)) == 570


def test_a_countdown_of_an_unknown_time_of_day_goes_on_with_what_was_left() -> None:
    """After a reboot it may ring late, by as long as the computer was off; never not at all."""
    countdown = Countdown.begin(600, UNKNOWN)
    assert countdown.due_s is None
    assert countdown.left(replace(REBOOTED, synchronised=False)) == 570
    assert countdown.left(REBOOTED) == 570
    assert countdown.followed(replace(REBOOTED, synchronised=False)).due_s is None
    assert countdown.followed(REBOOTED).due_s == REBOOTED.wall_s + 570
    known = replace(UNKNOWN, boot_s=51.0, wall_s=NOW.wall_s, synchronised=True)
    assert countdown.followed(known).due_s == NOW.wall_s + 599


def asked(clock: str, now: Now, weekdays: tuple[int, ...] = ()) -> Appointment:
    appointment = Appointment(
        time.fromisoformat(clock),
        weekdays=weekdays,
        asked_boot_id=now.boot_id,
        asked_boot_s=now.boot_s,
    )
    return appointment.followed(now)


def test_an_appointment_is_the_next_time_that_it_is_that_time() -> None:
    """Today or tomorrow, or the first of its weekdays."""
    assert asked("12:01", NOW).day == date(2026, 12, 1)
    assert asked("12:00", NOW).day == date(2026, 12, 2)
    daily = asked("12:00", NOW, tuple(range(7)))
    assert (daily.day, daily.after) == (None, date(2026, 12, 1))
    assert daily.next_s(NOW) == at("2026-12-02 12:00")
    assert asked("07:00", NOW, (0,)).next_s(NOW) == at("2026-12-07 07:00")
    assert asked("07:00", NOW).next_s(NOW) == at("2026-12-02 07:00")


def test_an_appointment_waits_for_its_day_until_the_time_of_day_is_known() -> None:
    """It counts from when it was asked for, if that was in this start of the computer."""
    for weekdays in ((), (0, 1, 2, 3, 4, 5, 6)):
        waiting = asked("12:30", replace(UNKNOWN, wall_s=0.0, plausible=False), weekdays)
        assert not waiting.is_known
        assert waiting.next_s(UNKNOWN) is None
        an_hour_later = replace(UNKNOWN, boot_s=3_650.0, wall_s=NOW.wall_s + 3_600)
        known = waiting.followed(an_hour_later)
        assert known.is_known
        assert (known.day, known.after) in (
            (date(2026, 12, 1), None),
            (None, date(2026, 11, 30)),
        )
        other = waiting.followed(replace(an_hour_later, boot_id="b"))
        assert (other.day, other.after) in (
            (date(2026, 12, 2), None),
            (None, date(2026, 12, 1)),
        )


def test_a_day_that_is_done_with_rings_no_second_time() -> None:
    """Unless it was one by a clock that was wrong, and has been put back to an earlier day."""
    done = replace(asked("07:00", NOW, (1, 2)), after=date(2026, 12, 1), marked_s=NOW.wall_s)
    same_day = replace(NOW, wall_s=at("2026-12-01 06:00"))
    assert done.followed(same_day) is done
    assert done.next_s(same_day) == at("2026-12-02 07:00")
    day_before = replace(NOW, wall_s=at("2026-11-30 23:00"))
    again = done.followed(day_before)
    assert again.next_s(day_before) == at("2026-12-01 07:00")


def test_an_entry_is_due_when_the_first_of_its_clocks_says_so() -> None:
    """One that is snoozed and rings every morning has two."""
    entry = Entry(1, "alarm", appointment=asked("07:00", NOW, (0, 1, 2, 3, 4, 5, 6)))
    assert entry.due_s(NOW) == at("2026-12-02 07:00")
    assert entry.left_s(NOW) == 19 * 3_600
    snoozed = replace(entry, countdown=Countdown.begin(540, NOW))
    assert (snoozed.due_s(NOW), snoozed.left_s(NOW)) == (NOW.wall_s + 540, 540)
    unknown = replace(NOW, synchronised=False, boot_s=50.0)
    assert (entry.due_s(unknown), entry.left_s(unknown)) == (None, None)
    waiting = Entry(2, "alarm", countdown=Countdown("old", 0.0, NOW.wall_s, 60.0))
    assert (waiting.due_s(unknown), waiting.left_s(unknown)) == (None, None)


def test_what_rings_comes_first_and_what_nobody_knows_last() -> None:
    """Between them whatever is next."""
    ringing = Ringing(NOW.wall_s - 5, Countdown.begin(300, NOW))
    first = Entry(4, "alarm", ringing=ringing)
    soon = Entry(3, "timer", countdown=Countdown.begin(10, NOW))
    later = Entry(2, "timer", countdown=Countdown.begin(20, NOW))
    unknown = Entry(1, "alarm", appointment=Appointment(time(7)))
    listed = sorted([unknown, later, soon, first], key=lambda each: each.order(NOW))
    assert listed == [first, soon, later, unknown]
    assert first.rings(NOW)
    assert (first.due_s(NOW), first.left_s(NOW)) == (NOW.wall_s - 5, 0)
    assert not first.rings(REBOOTED)
