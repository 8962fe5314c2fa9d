"""These checks light the LEDs and ask for the button to be pressed.

Tested in tests/doctor/test_panel_and_wake.py.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

from device.build import real as build
from device.doctor.result import Result, broken, fine, hint, skipped
from device.doctor.scene import Scene
from device.errors import BoardError, ControlError
from device.lights.drivers import NoLights
from device.news import News
from device.ports import Lights

LIT_S = 1.2
PRESS_S = 10.0
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def lights(scene: Scene) -> list[Result]:
    """Light all LEDs red, green and blue, and leave them dark."""
    if not scene.owns_hardware:
        return [_told_of(scene, "lights")]
    if scene.config.lights.driver == "terminal":
        return [skipped("lights", "lights.driver: terminal draws where the speaker runs")]
    profile = scene.boards.profile(scene.config, None)
    try:
        lamp = build.lights(scene.config, profile)
        if isinstance(lamp, NoLights):
            return [skipped("lights", f"the {profile.label} has none")]
        _light(lamp)
    except BoardError as error:
        return [broken("lights", "they cannot be lit", str(error))]
    return [fine("lights", f"{lamp.count} lit red, green and blue", count=lamp.count)]


def _light(lamp: Lights) -> None:
    lamp.open()
    try:
        for colour in COLOURS:
            lamp.show([colour] * lamp.count)
            time.sleep(LIT_S / len(COLOURS))
    finally:
        lamp.close()


def _told_of(scene: Scene, part: str) -> Result:
    """What the running speaker says of a part that it owns."""
    if scene.status is None:
        return skipped(part, "the running speaker owns them, and may not be asked", scene.silence)
    for fault in scene.status["faults"]:
        if fault["kind"] == part:
            return broken(part, "the running speaker cannot use them", fault["message"])
    count = scene.status["lights"]
    if part == "lights" and not count:
        return skipped(part, f"the running speaker has none ({scene.status['board']})")
    return fine(part, f"{count} in use by the running speaker", count=count)


async def button(scene: Scene) -> list[Result]:
    """Wait for a press, where somebody is there."""
    if scene.owns_hardware:
        return [await _pressed_here(scene)]
    if scene.status is None:
        return [_told_of(scene, "button")]
    told = _told_of(scene, "button")
    if told.verdict != "fine":
        return [told]
    pin = scene.boards.profile(scene.config, scene.microphone).button_pin
    if pin is None and scene.config.button.pin in {"auto", "none"}:
        return [skipped("button", f"there is none ({scene.status['board']})")]
    if not scene.present:
        return [skipped("button", "in use by the running speaker", "--press asks for a press")]
    return [await _pressed_there(scene)]


async def _pressed_here(scene: Scene) -> Result:
    profile = scene.boards.profile(scene.config, None)
    pressed = asyncio.Event()

    def took(_news: News) -> None:
        pressed.set()

    try:
        knob = build.button(scene.config, profile)
        if knob is None:
            return skipped("button", f"the {profile.label} has none that the speaker can see")
        knob.start(took)
    except BoardError as error:
        return broken("button", "it cannot be used", str(error))
    try:
        where = f"GPIO{knob.pin}"
        if not scene.present:
            return fine("button", f"{where} can be read", pin=knob.pin, pressed=None)
        return await _awaited(scene, pressed, where)
    finally:
        knob.close()


async def _pressed_there(scene: Scene) -> Result:
    pressed = asyncio.Event()

    async def watch() -> None:
        async with aclosing(scene.ask("watch")) as events:
            async for event in events:
                if event.get("event") == "button":
                    pressed.set()

    watching = asyncio.create_task(watch())
    try:
        return await _awaited(scene, pressed, "the speaker's button")
    except ControlError as error:
        return hint("button", "it was not tried", str(error))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _awaited(scene: Scene, pressed: asyncio.Event, where: str) -> Result:
    scene.tell(f"press the button now ({PRESS_S:.0f} s) …")
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(PRESS_S):
            await pressed.wait()
    except TimeoutError:
        advice = "nothing came: is it the right pin (button.pin), does the cable sit?"
        return hint("button", f"{where}: not pressed within {PRESS_S:.0f} s", advice, pressed=False)
    after_s = round(loop.time() - began, 1)
    return fine("button", f"{where}: pressed after {after_s:.1f} s", pressed=True, after_s=after_s)
