"""The lamp: draws what changes, and gives a broken driver up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import time

import pytest

from device.config import Lights
from device.errors import BoardError
from device.lights import brightness
from device.lights.animation import Animation
from device.lights.brightness import Brightness
from device.lights.render import FRAME_S, WHITE, Pattern, render
from device.news import News, PartLost
from tests.rig.fakes import FakeLights, until


class Wall:
    """A lamp, its lights and what it tells."""

    def __init__(self) -> None:
        self.lights = FakeLights()
        self.level = 0.0
        self.draws = 0
        self.told: list[News] = []
        self.left = 1.0
        self.lamp = Animation(self.lights, self._level, lambda: self.left)

    def _level(self) -> float:
        self.draws += 1
        return self.level

    async def shows(self, pattern: Pattern) -> None:
        self.lamp.show(pattern)
        await until(lambda: self.lights.shown[-1:] == [render(pattern, 0, 3)])

    @asynccontextmanager
    async def drawing(self) -> AsyncIterator[None]:
        self.lamp.open()
        task = asyncio.create_task(self.lamp.run(self.told.append))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.lamp.close()


@pytest.fixture
async def wall() -> AsyncIterator[Wall]:
    wall = Wall()
    async with wall.drawing():
        yield wall


async def test_a_still_pattern_is_drawn_once(wall: Wall) -> None:
    """Nothing moves, so nothing is computed again, and nothing written to the bus."""
    await wall.shows(Pattern.MUTED)
    draws = wall.draws
    wall.lamp.show(Pattern.MUTED)
    await asyncio.sleep(2 * FRAME_S)
    assert wall.draws == draws


async def test_the_same_picture_is_not_written_again(wall: Wall) -> None:
    """Drawing anew what is shown already costs no bytes on the bus."""
    await wall.shows(Pattern.MUTED)
    draws, pictures = wall.draws, len(wall.lights.shown)
    wall.lamp.streaming(on=False)
    await until(lambda: wall.draws > draws)
    assert len(wall.lights.shown) == pictures


async def test_a_moving_pattern_goes_on_by_itself(wall: Wall) -> None:
    """Frame by frame."""
    wall.lamp.show(Pattern.LISTENING)
    await until(lambda: len(wall.lights.shown) > 3)
    assert len(set(wall.lights.shown)) > 3


async def test_another_pattern_shows_at_once(wall: Wall) -> None:
    """It does not wait for the next frame of a still one."""
    await wall.shows(Pattern.IDLE)
    await wall.shows(Pattern.MUTED)


async def test_another_hue_shows_at_once_and_the_wave_goes_on(wall: Wall) -> None:
    """Somebody else talks; a pattern that has none looks as before."""
    wall.lamp.show(Pattern.MUTED)
    await until(lambda: wall.lights.shown[-1:] == [render(Pattern.MUTED, 0, 3)])
    drawn = len(wall.lights.shown)
    wall.lamp.show(Pattern.MUTED, hue=120)
    wall.lamp.show(Pattern.LISTENING, hue=120)
    await until(lambda: len(wall.lights.shown) > drawn + 2)
    red, green, blue = wall.lights.shown[-1][0]
    assert green > red == blue
    wall.lamp.show(Pattern.LISTENING, hue=0)
    await until(lambda: wall.lights.shown[-1][0][0] > wall.lights.shown[-1][0][1])


async def test_bytes_that_really_leave_are_shown_over_whatever_is_shown(wall: Wall) -> None:
    """A white spark appears with them and is gone with them."""
    wall.lamp.show(Pattern.IDLE)
    wall.lamp.streaming(on=True)
    await until(lambda: WHITE in wall.lights.shown[-1])
    wall.lamp.streaming(on=False)
    await until(lambda: wall.lights.shown[-1] == render(Pattern.IDLE, 0, 3))


async def test_pictures_that_really_leave_are_shown_over_whatever_is_shown(wall: Wall) -> None:
    """White sparks appear with them and are gone with them."""
    wall.lamp.show(Pattern.IDLE)
    wall.lamp.pictures(on=True)
    await until(lambda: WHITE in wall.lights.shown[-1])
    wall.lamp.pictures(on=False)
    await until(lambda: wall.lights.shown[-1] == render(Pattern.IDLE, 0, 3))


async def test_a_loud_reply_is_brighter(wall: Wall) -> None:
    """The lights follow the voice."""
    wall.lamp.show(Pattern.SPEAKING)

    async def dimmest(level: float) -> int:
        wall.level = level
        seen = len(wall.lights.shown)
        await until(lambda: len(wall.lights.shown) > seen + 8)
        return min(max(map(max, picture)) for picture in wall.lights.shown[seen + 1 :])

    assert await dimmest(0.2) > await dimmest(0.0)


async def test_a_broken_driver_is_told_once_and_given_up(wall: Wall) -> None:
    """The speaker goes on in the dark."""
    wall.lamp.show(Pattern.MUTED)
    await until(lambda: wall.lights.shown)
    wall.lights.broken = BoardError("spi0.1 does not take data")
    wall.lamp.show(Pattern.LISTENING)
    await until(lambda: wall.told)
    wall.lamp.show(Pattern.FAULT)
    (told,) = wall.told
    assert isinstance(told, PartLost)
    assert (told.part, told.message) == ("lights", "spi0.1 does not take data")


async def test_closed_it_is_dark() -> None:
    """Whatever it showed."""
    wall = Wall()
    async with wall.drawing():
        wall.lamp.show(Pattern.LISTENING)
        await until(lambda: wall.lights.shown)
        assert wall.lamp.count == 3
    assert wall.lights.dark


async def test_without_leds_nothing_is_redrawn() -> None:
    """A board without lights costs no time."""
    wall = Wall()
    wall.lights.count = 0
    async with wall.drawing():
        wall.lamp.show(Pattern.LISTENING)
        await until(lambda: wall.draws)
        draws = wall.draws
        await asyncio.sleep(2 * FRAME_S)
        assert wall.draws == draws


async def test_the_listening_light_counts_down(wall: Wall) -> None:
    """What is left of the time to begin to speak shows in the frames that are drawn anyway."""
    wall.left = 0.0
    wall.lamp.show(Pattern.LISTENING)
    brightest = max(max(colour) for colour in render(Pattern.LISTENING, 0.0, 3))
    await until(lambda: len(wall.lights.shown) > 1)
    assert max(max(colour) for colour in wall.lights.shown[-1]) < brightest / 3


async def test_what_blinks_is_computed_at_its_edges_only(wall: Wall) -> None:
    """Two flashes in seven seconds: the first is over after 0.15 s, and nothing was drawn in it."""
    await wall.shows(Pattern.STANDING)
    draws = wall.draws
    await until(lambda: wall.lights.shown[-1] == render(Pattern.OFF, 0.0, 3))
    assert wall.draws == draws + 1


class PointingLights(FakeLights):
    """Twelve LEDs that know where somebody speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 12
        self.asked = 0

    def direction(self) -> float | None:
        self.asked += 1
        return 0.5


async def test_an_array_is_asked_for_the_direction_while_it_listens_only() -> None:
    """It is shown there, and costs transfers everywhere."""
    wall = Wall()
    wall.lights = lights = PointingLights()
    wall.lamp = Animation(lights, wall._level, lambda: 1.0)
    async with wall.drawing():
        wall.lamp.show(Pattern.LISTENING)
        await until(lambda: lights.shown[-1:] and max(lights.shown[-1][6]) == 255)
        wall.lamp.show(Pattern.THINKING)
        await asyncio.sleep(0)
        asked, seen = lights.asked, len(lights.shown)
        await until(lambda: len(lights.shown) > seen + 3)
        assert lights.asked == asked


async def test_at_night_a_light_that_stands_still_gets_darker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock is looked at again and again; in between nothing is written."""
    monkeypatch.setattr(brightness, "LOOK_AGAIN_S", 0.01)
    now, looks = time(21, 59), 0

    def clock() -> time:
        nonlocal looks
        looks += 1
        return now

    wall = Wall()
    dim = Brightness(clock)
    wall.lamp = Animation(wall.lights, wall._level, lambda: 1.0, dim)
    dim.settings = Lights(night="22:00-07:00")
    async with wall.drawing():
        await wall.shows(Pattern.MUTED)
        pictures = len(wall.lights.shown)
        await until(lambda: looks > 5)
        assert (len(wall.lights.shown), wall.lights.brightness) == (pictures, 40)
        now = time(22, 0)
        await until(lambda: len(wall.lights.shown) > pictures)
        assert wall.lights.brightness == 10
        dim.settings = Lights(brightness=70)
        wall.lamp.redraw()
        await until(lambda: wall.lights.brightness == 70)
        assert len(wall.lights.shown) == pictures + 2
