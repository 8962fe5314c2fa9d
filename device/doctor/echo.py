"""These checks say something and listen to what comes back of it.

A running speaker measures it itself (`parley doctor` has always asked it to); where none runs, both
devices are opened here, and the same canceller hears the same sentence.

Tested in tests/doctor/test_microphone.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from device.announcements.clips import Clips
from device.build import real as build
from device.doctor.microphone import TROUBLES
from device.doctor.result import Result, Verdict, broken, fine, hint, judged, skipped
from device.doctor.scene import Scene
from device.echo import outlook
from device.echo.canceller import EchoCanceller
from device.echo.duplex import Canceller, Duplex
from device.errors import (
    AudioDeviceError,
    AudioDeviceHungError,
    ControlError,
    EchoCancellerError,
)
from device.news import News
from device.ports import Microphone, Speaker
from device.simulator.voices import load

GOOD_ERLE_DB = 12.0
LITTLE_LEFT_DB = 8.0
"""As in `device.echo.duplex`: what of the two a speaker is content with."""
LATE_MS = 400.0
FAST_PPM = 200.0
"""From which figures on something is advised."""
UNHEARD_DB = 55.0
"""From which loss on a loudspeaker in the same room would be a silent one."""
UNHEARD_ADVICE = (
    "the microphone hears next to nothing of it, as with a headset; if it is none: is it plugged "
    "in and switched on? see: alsamixer"
)
RINGS_S = 1.5
"""After the sentence: the room and the buffers on the way."""
CALM_S = 1.0
"""Before it: the noise of the room is learned."""


async def echo(scene: Scene) -> list[Result]:
    """Say something, and tell what came back of it."""
    if scene.unreachable:
        return [skipped("loudspeaker", "the speaker that has it cannot be asked", scene.silence)]
    if scene.owns_hardware:
        return await _here(scene)
    for last in (False, True):
        try:
            answers = [record["result"] async for record in scene.ask("measure")]
        except ControlError as error:
            return [hint("echo", "it was not measured", str(error))]
        if not answers:
            break
        # A machine that was busy just then may have lost what was said.
        if last or answers[-1]["echo"]["return_loss_db"] is not None:
            return of_the_answer(answers[-1])
    advice = "see: journalctl -u parley"
    return [broken("echo", "the speaker ended before it had answered", advice)]


async def _here(scene: Scene) -> list[Result]:
    if "sound" in scene.notes:
        return [skipped("loudspeaker", scene.notes["sound"])]
    config = scene.config
    ear, mouth = build.microphone(scene.boards, config), build.speaker(scene.boards, config)
    canceller = _canceller(scene)
    try:
        echo = EchoCanceller(cancels=canceller == "software")
    except EchoCancellerError as error:
        return [broken("echo", "no echo can be cancelled", str(error))]
    duplex = Duplex(config.audio.duplex, canceller)
    try:
        try:
            await ear.open()
        except AudioDeviceError:
            return [skipped("loudspeaker", "not tried: the microphone does not open")]
        await mouth.open(_ignore)
        await _hold_talk(ear, mouth, echo, _sentences(scene))
    except AudioDeviceError as error:
        advice = TROUBLES[error.trouble].replace("input", "output")
        return [broken("loudspeaker", str(error), advice)]
    finally:
        for part in (mouth, ear):
            with suppress(AudioDeviceHungError):
                await part.close()
    duplex.judge(echo.figures)
    answer = {"duplex": asdict(duplex.figures), "echo": asdict(echo.figures)}
    return of_the_answer(answer, played_on=mouth.description)


def _canceller(scene: Scene) -> Canceller:
    setting = scene.config.audio.echo_cancellation
    if setting == "auto":
        own = scene.boards.profile(scene.config, None).echo_cancellation
        return "hardware" if own else "software"
    return "none" if setting == "off" else setting


def _sentences(scene: Scene) -> list[bytes]:
    """One to learn the room by and one to be measured: the speaker's own, or the demo's."""
    if scene.state_folder is not None:
        clips = Clips(scene.state_folder / "clips")
        if pcm := clips.get("hello", scene.config.live.language):
            return [pcm, pcm]
    first, second = (load(name)[0] for name in ("answer_weather", "answer_tomorrow"))
    return [first + second, first + second]


def _ignore(_news: News) -> None:
    """Nobody waits for the end of a turn here."""


async def _hold_talk(
    ear: Microphone, mouth: Speaker, echo: EchoCanceller, sentences: list[bytes]
) -> None:
    """Play them and let the canceller hear them. Raises AudioDeviceError."""

    async def hear() -> None:
        while True:
            echo.hear(await ear.read(), mouth.take_played())

    async def say() -> None:
        await asyncio.sleep(CALM_S)
        for pcm in sentences:
            echo.measure_anew()
            mouth.announce(pcm)
            await asyncio.sleep(len(pcm) / 48_000 + RINGS_S)

    tasks = [asyncio.create_task(work) for work in (hear(), mouth.wait_lost(), say())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def of_the_answer(answer: dict[str, Any], played_on: str = "") -> list[Result]:
    """Judge what was measured: ``echo`` and ``duplex`` as `measure` answers them."""
    figures, duplex = answer["echo"], answer["duplex"]
    rows = [
        _loudspeaker(figures["return_loss_db"], played_on),
        fine(
            "noise",
            _figure(figures["noise_dbfs"], "dBFS while it is quiet"),
            noise_dbfs=figures["noise_dbfs"],
        ),
    ]
    if duplex["canceller"] == "software" and figures["return_loss_db"] is not None:
        rows += _of_the_canceller(figures)
    text = f"{duplex['mode']} duplex: {duplex['why']}"
    rows.append(fine("duplex", text, mode=duplex["mode"], canceller=duplex["canceller"]))
    rows += _outlook(figures, duplex)
    return rows


def _outlook(figures: dict[str, Any], duplex: dict[str, Any]) -> Iterator[Result]:
    """What can be expected of this place, where that is known."""
    room = outlook.outlook(figures, duplex)
    if room is None:
        return
    verdict = Verdict.HINT if outlook.is_poor(room, duplex["mode"]) else Verdict.FINE
    figure = outlook.sentence(room, duplex["mode"])
    yield judged("outlook", verdict, figure, outlook.ADVICE, None, **asdict(room))


def _loudspeaker(return_loss_db: float | None, played_on: str) -> Result:
    where = f"{played_on}: " if played_on else ""
    if return_loss_db is None:
        verdict, advice = Verdict.BROKEN, "have it quiet, turn the volume up; see: parley devices"
    elif return_loss_db > UNHEARD_DB:
        verdict, advice = Verdict.HINT, UNHEARD_ADVICE
    else:
        verdict, advice = Verdict.FINE, ""
    figure = where + _return_loss(return_loss_db)
    return judged("loudspeaker", verdict, figure, advice, None, return_loss_db=return_loss_db)


def _of_the_canceller(figures: dict[str, Any]) -> list[Result]:
    left_db, erle_db = figures["residue_db"], figures["erle_db"] or 0.0
    good = erle_db >= GOOD_ERLE_DB or (left_db is not None and left_db <= LITTLE_LEFT_DB)
    late = figures["delay_ms"] is not None and figures["delay_ms"] > LATE_MS
    fast = figures["drift_ppm"] is not None and abs(figures["drift_ppm"]) > FAST_PPM
    return [
        judged(
            "echo",
            Verdict.FINE if good else Verdict.HINT,
            f"{erle_db:.1f} dB cancelled, {_figure(left_db, 'dB left over the noise')}",
            "a lower volume, more distance or another loudspeaker distort less",
            None,
            erle_db=erle_db,
            residue_db=left_db,
        ),
        judged(
            "delay",
            Verdict.HINT if late else Verdict.FINE,
            _figure(figures["delay_ms"], "ms from loudspeaker to microphone"),
            "a sound server with a large buffer is in between",
            None,
            delay_ms=figures["delay_ms"],
        ),
        judged(
            "drift",
            Verdict.HINT if fast else Verdict.FINE,
            _figure(figures["drift_ppm"], "ppm between the two clocks"),
            "use one card for both",
            None,
            drift_ppm=figures["drift_ppm"],
        ),
    ]


def _return_loss(value: float | None) -> str:
    if value is None:
        return "the microphone does not hear it"
    return f"{abs(value):.1f} dB {'quieter' if value >= 0 else 'louder'} than what is played"


def _figure(value: float | None, unit: str) -> str:
    return "not known" if value is None else f"{value:.1f} {unit}"
