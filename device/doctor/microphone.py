"""These checks open the microphone and measure how loud each channel is, and how quiet.

Where a speaker runs, it is asked: two programs cannot have one sound card.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from typing import Any

from device.board.profiles import NONE, Role, profile_for
from device.build import real as build
from device.control.meter import Meter
from device.doctor.result import Result, Verdict, broken, fine, hint, judged, skipped
from device.doctor.scene import Scene
from device.errors import AudioDeviceError, AudioDeviceHungError, ControlError, DeviceTrouble
from device.ports import Microphone, OpenDevice, WakeDetector, WakeScores

LISTEN_S = 3.0
SETTLE_S = 0.5
"""Cards begin with a click or with nothing."""
NOISY_DBFS = -38.0
"""From this noise on a voice from across the room is not much louder."""
CLIPPED_SAMPLES = 24
"""A few are the click of the opening."""

TRIAL = """
from device.audio.portaudio import list_devices
found = list_devices()
print(sum(d.input_channels > 0 for d in found), sum(d.output_channels > 0 for d in found))
"""

TROUBLES = {
    DeviceTrouble.BUSY: "another program has it open: sudo fuser -v /dev/snd/*",
    DeviceTrouble.MISSING: "plug it in, or correct audio.input.device; see: parley devices",
    DeviceTrouble.STALLED: "plug it out and in again; on a HAT: reboot",
    DeviceTrouble.DEAD: "plug it out and in again; on a sound server, see that nothing mutes it",
    DeviceTrouble.LOST: "check the cable and the power supply",
    DeviceTrouble.RELAPSING: "check the cable, the port, the power supply and the firmware",
    DeviceTrouble.REFUSED: "correct audio.input.channel; see: parley devices",
}


class NoWords:
    """Stands in for a detector where only the levels matter."""

    scores = WakeScores({}, 0.0, 0.0)


def system(scene: Scene) -> Iterator[Result]:
    """Report whether PortAudio starts, tried in a process of its own.

    PortAudio 19.6 ends the process where ALSA's configuration has no default device.
    """
    outcome = scene.run([sys.executable, "-c", TRIAL])
    if outcome.worked:
        inputs, outputs = outcome.out.split()[-2:]
        taken = "" if scene.owns_hardware else ", beside what the running speaker has open"
        yield fine("sound system", f"inputs {inputs}, outputs {outputs}{taken}")
        return
    why = "it hangs" if outcome.code == -1 else f"it ends with {outcome.code}"
    if outcome.code < -1:
        why = f"it dies by signal {-outcome.code}"
    scene.notes["sound"] = f"not tried: the sound system does not start ({why})"
    advice = (
        "look through /etc/asound.conf and ~/.asoundrc; without them: sudo systemctl restart "
        "alsa-state, or reboot"
    )
    said = outcome.err.strip().splitlines()
    yield broken("sound system", f"{why}: {said[-1]}" if said else why, advice)


async def microphone(scene: Scene) -> list[Result]:
    """Listen for a few seconds."""
    if scene.unreachable:
        return [skipped("microphone", "the speaker that has it cannot be asked", scene.silence)]
    if scene.owns_hardware and "sound" in scene.notes:
        return [skipped("microphone", scene.notes["sound"])]
    try:
        readings = await _listened(scene)
    except AudioDeviceError as error:
        return [broken("microphone", str(error), TROUBLES[error.trouble])]
    except ControlError as error:
        return [hint("microphone", "the speaker that runs may not be asked", str(error))]
    return list(verdicts(readings))


async def _listened(scene: Scene) -> list[dict[str, Any]]:
    source = opened(scene) if scene.owns_hardware else scene.ask("meter")
    heard_so_far = []
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S + LISTEN_S), aclosing(source) as readings:
            async for reading in readings:
                heard_so_far.append(reading)  # noqa: PERF401 - what came before the timeout counts
    return heard_so_far


async def opened(scene: Scene) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the readings of the microphone, opened here. Raises AudioDeviceError."""
    ear = build.microphone(scene.boards, scene.config)
    await ear.open()
    try:
        async with aclosing(heard(ear)) as readings:
            async for reading in readings:
                yield reading
    finally:
        with suppress(AudioDeviceHungError):
            await ear.close()


async def heard(
    ear: Microphone, detector: WakeDetector | NoWords | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the readings of an open microphone, whose frames are read meanwhile."""
    ends: WakeDetector | NoWords = detector or NoWords()

    async def read() -> None:
        while True:
            frame = await ear.read()
            if not isinstance(ends, NoWords):
                ends.feed(frame)

    reading_on = asyncio.create_task(read())
    try:
        async with aclosing(Meter(lambda: ear, lambda: ends).readings()) as readings:
            async for reading in readings:
                if reading_on.done():
                    reading_on.result()
                yield reading
    finally:
        reading_on.cancel()
        await asyncio.gather(reading_on, return_exceptions=True)


def verdicts(readings: list[dict[str, Any]]) -> list[Result]:
    """Judge what was heard; the loudest, and the quietest that it was."""
    heard_ones = [reading for reading in readings if reading["levels"]]
    if not heard_ones:
        muted = any(reading.get("muted") for reading in readings)
        if muted:
            return [hint("microphone", "muted: it is closed", "parley unmute")]
        return [broken("microphone", "it delivers nothing", TROUBLES[DeviceTrouble.STALLED])]
    settled = heard_ones[len(heard_ones) // 6 :]
    last = settled[-1]
    levels = [each["levels"] for each in settled]
    channels = [_over_time(levels, place) for place in range(len(last["levels"]))]
    chosen = channels[last["channel"]]
    figures = {"device": last["microphone"], "channel": last["channel"], "channels": channels}
    return [_chosen(last, chosen, figures), *_others(last, channels)]


def _over_time(levels: list[list[dict[str, Any]]], place: int) -> dict[str, Any]:
    one = [each[place] for each in levels if len(each) > place]
    return {
        "rms_dbfs": max(each["rms_dbfs"] for each in one),
        "peak_dbfs": max(each["peak_dbfs"] for each in one),
        "floor_dbfs": one[-1]["floor_dbfs"],
        "clipped": sum(each["clipped"] for each in one),
        "dead": all(each["dead"] for each in one),
    }


def _chosen(last: dict[str, Any], level: dict[str, Any], figures: dict[str, Any]) -> Result:
    name = last["microphone"]
    figure = (
        f"{name}: noise floor {level['floor_dbfs']:.0f} dBFS, peak {level['peak_dbfs']:.0f} dBFS"
    )
    if level["dead"]:
        advice = (
            "its channel is digitally silent: a switch or mixer mutes it, or audio.input.channel "
            "is the wrong one; see: parley doctor mic"
        )
        return broken("microphone", f"{name}: nothing but zeros", advice, None, **figures)
    if level["clipped"] > CLIPPED_SAMPLES:
        advice = "too loud for the converter: lower the capture level in alsamixer"
        text = f"{figure}, {level['clipped']} samples cut off"
        return hint("microphone", text, advice, None, **figures)
    verdict = Verdict.HINT if level["floor_dbfs"] > NOISY_DBFS else Verdict.FINE
    advice = "it is loud here, or its gain is too high: have it quiet, lower the capture level"
    return judged("microphone", verdict, figure, advice, None, **figures)


def _others(last: dict[str, Any], channels: list[dict[str, Any]]) -> list[Result]:
    """Of an array, each channel; a microphone that is silent is one that does not work."""
    if len(channels) < 2:
        return []
    device = OpenDevice.from_record(last.get("microphone_device"))
    board = NONE if device is None else profile_for(device.name)
    roles = board.channel_map(len(channels)) or ()
    told = []
    for place, level in enumerate(channels):
        mark = "*" if place == last["channel"] else ""
        told.append(f"{place}{mark} {_quiet(level)}")
    dead = [place for place, level in enumerate(channels) if level["dead"]]
    # Loopback and empty channels are silent on many boards.
    lost = [place for place in dead if roles[place : place + 1] == (Role.RAW,)]
    verdict = Verdict.HINT if lost and len(dead) < len(channels) else Verdict.FINE
    advice = f"microphone {', '.join(map(str, lost))} of the array gives nothing: cable or board"
    figures: dict[str, Any] = {"count": len(channels), "dead": dead}
    return [
        judged("channels", verdict, f"noise floors {', '.join(told)} dBFS", advice, None, **figures)
    ]


def _quiet(level: dict[str, Any]) -> str:
    return "silent" if level["dead"] else f"{level['floor_dbfs']:.0f}"
