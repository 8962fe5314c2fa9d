"""When a connection gives way."""

from __future__ import annotations

import pytest

from device.live.rotation import Rotation, seconds


def test_own_clock_asks_for_a_quiet_moment() -> None:
    """An old connection gives way in the first quiet moment after its time."""
    rotation = Rotation(100.0, 540.0)
    assert rotation.due(0.0) == 640.0
    assert rotation.due(670.0) == 670.0


@pytest.mark.parametrize("quiet_from", [None, 700.0])
def test_own_clock_does_not_wait_for_ever(quiet_from: float | None) -> None:
    """Live API: who was not announced an end is cut off at ten minutes all the same."""
    assert Rotation(100.0, 540.0).due(quiet_from) == 100.0 + 580.0


def test_go_away_rotates_at_once_when_it_is_quiet() -> None:
    """The announcement makes the next quiet moment the right one."""
    rotation = Rotation(100.0, 540.0)
    rotation.go_away(200.0, 30.0)
    assert rotation.due(0.0) == 200.0
    assert rotation.due(205.0) == 205.0


@pytest.mark.parametrize(
    ("time_left_s", "margin_s"), [(60.0, 10.0), (15.0, 5.0), (3.0, 1.5), (1.0, 1.0), (0.0, 0.0)]
)
def test_margin_is_a_third_of_the_notice_within_bounds(time_left_s: float, margin_s: float) -> None:
    """The last moment lies before the server's, never before now."""
    rotation = Rotation(0.0, 540.0)
    rotation.go_away(100.0, time_left_s)
    assert rotation.due(None) == 100.0 + time_left_s - margin_s


def test_quiet_moment_after_the_deadline_does_not_count() -> None:
    """The deadline wins over a moment that comes too late."""
    rotation = Rotation(0.0, 540.0)
    rotation.go_away(100.0, 15.0)
    assert rotation.due(300.0) == 110.0


def test_second_announcement_can_only_bring_the_end_nearer() -> None:
    """The earliest deadline counts."""
    rotation = Rotation(0.0, 540.0)
    rotation.go_away(100.0, 15.0)
    rotation.go_away(101.0, 60.0)
    assert rotation.due(None) == 110.0


def test_connection_lives_a_second_whatever_the_server_says() -> None:
    """A server that ends every connection at once does not start a storm of new ones."""
    rotation = Rotation(100.0, 540.0)
    rotation.go_away(100.1, 0.0)
    assert rotation.due(0.0) == 101.0
    assert rotation.due(None) == 101.0


@pytest.mark.parametrize(
    ("text", "value"),
    [("50s", 50.0), ("9.5s", 9.5), ("1.999999999s", 1.999999999), ("0s", 0.0)],
)
def test_duration_is_read(text: str, value: float) -> None:
    """Live API: durations are seconds with up to nine decimals."""
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text", [None, "", "soon", "1m", "-3s", "9" * 400 + "s", "٣s", "1" * 7 + "s"]
)
def test_unreadable_duration_is_a_short_one(text: str | None) -> None:
    """A goAway without a readable time still leaves time to act."""
    assert seconds(text) == 10.0


@pytest.mark.parametrize(
    ("life_s", "wanted_s", "last_s"),
    [
        (7_200.0, 540.0, 580.0),
        (600.0, 540.0, 580.0),
        (300.0, 255.0, 295.0),
        (60.0, 30.0, 55.0),
        (10.0, 5.0, 7.5),
        (0.0, 1.0, 1.0),
    ],
)
def test_a_connection_is_left_before_its_token_ends(
    life_s: float, wanted_s: float, last_s: float
) -> None:
    """In a quiet moment of its last forty seconds, at the latest some before its end."""
    rotation = Rotation(100.0, 540.0, 100.0 + life_s)
    assert rotation.due(0.0) == 100.0 + wanted_s
    assert rotation.due(None) == 100.0 + last_s
