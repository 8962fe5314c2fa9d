"""``parley demo`` performs a whole conversation with no hardware, no key and no network.

A machine that is too slow for it says so and shows it in slow motion.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from device.assistant.hub import Assistant
from device.assistant.parts import Parts
from device.audio.devices import choose
from device.audio.loudspeaker import Loudspeaker
from device.audio.playback_thread import PortAudioCard
from device.audio.portaudio import list_devices
from device.build import real as build
from device.cli.timeline import LEDS, Timeline
from device.config import Config, parse
from device.credentials.api_key import VARIABLES
from device.echo.canceller import EchoCanceller
from device.errors import AudioDeviceError, ParleyError
from device.frames import (
    FRAME_BYTES,
    FRAME_MS,
    FRAME_SAMPLES,
    HOP_MS,
    MICROPHONE_RATE_HZ,
    Frame,
)
from device.lights.terminal import TerminalLights
from device.live.models import profile
from device.live.session import warm_up
from device.ports import Microphone, Played, Speaker
from device.service.notify import notifier
from device.simulator.acoustics import ROOMS
from device.simulator.clocks import LoopClocks
from device.simulator.echo import EchoedMicrophone
from device.simulator.microphone import WavMicrophone
from device.simulator.room import Room
from device.simulator.script import KNOWN_MODELS, Event, GoAway, Script, ToolCall, Turn
from device.simulator.slow_motion import slow_motion
from device.simulator.sound_card import SimulatedCard
from device.simulator.tee import Tee
from device.simulator.voices import RECORDINGS, load
from device.timers.memory import TimerMemory
from device.wake.worker import Hearing, Word

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

QUIET_MS = 2000
"""Before the first word: the wake word networks look back over the last seconds."""

BARGE_IN_MS = 1500
"""Into the second answer."""

STEP_S = 20.0
"""How long each step of the conversation may take before the demo gives up."""

TIMER_S = 8.0
"""What is asked for: by then the talk is over."""

RINGS_MS = 2500
"""How long it rings before somebody says so."""

STOP_S, CALLS = 4.0, 3
"""How long it may take until that was heard, and how often a person says it."""

WORDS = {recording.name: recording.text for recording in RECORDINGS}

LOOKS = Turn(
    heard=WORDS["ask_look"],
    says=f"{WORDS['answer_look']} ({{picture}})",
    audio="answer_look",
    delay_s=0.3,
    calls=(ToolCall("look", {"question": "what is this?"}),),
)
"""Said where there is a camera, before the timer is set."""

SCRIPT = Script(
    turns=(
        Turn(
            heard=WORDS["ask_weather"],
            says=WORDS["answer_weather"],
            audio="answer_weather",
            delay_s=0.3,
        ),
        Turn(
            heard=WORDS["ask_tomorrow"],
            says=WORDS["answer_tomorrow"],
            audio="answer_tomorrow",
            delay_s=0.3,
        ),
        Turn(heard=WORDS["barge_in"], says=WORDS["answer_stop"], audio="answer_stop", delay_s=0.3),
        Turn(
            heard=WORDS["ask_timer"],
            says=WORDS["answer_timer"],
            audio="answer_timer",
            delay_s=0.3,
            calls=(ToolCall("set_timer", {"duration_s": TIMER_S}),),
        ),
    ),
    # In the middle of the talk the server announces that it will end the connection.
    events=(Event("turn", GoAway(6.0), turn=1),),
    loop=False,
    # A slow line: what is said meanwhile must not be lost.
    setup_delay_s=0.8,
)


def script(*, looks: object = None) -> Script:
    """Return what the stand-in does; `looks`: whether there is a camera to look through."""
    if looks is None:
        return SCRIPT
    *talk, timer = SCRIPT.turns
    return replace(SCRIPT, turns=(*talk, LOOKS, timer))


INTRODUCTION = """\
[bold]Parley, a demonstration.[/]
Real: the wake word networks, the google-genai client, TLS.
Simulated: the microphone (spoken WAVs), the lights (drawn here) and
[bold]the answering side: a stand-in on this machine, its answers are canned.[/]
"""

SLOW_MOTION = """\
[yellow]To hear {hop} ms of sound takes this machine {took:.0f} ms: too little is left for the rest.
What follows is in slow motion, {times} times slower than its clock says; no sound card plays.[/]
"""

CONFIG = """
live: {{endpoint: "{url}", model: {model}}}
audio: {audio}
conversation: {{follow_up_s: 3.0, session_keep_s: 1}}
tools: {{camera: {camera}}}
camera: {{source: {source}}}
"""

ALONE = "{echo_cancellation: off, duplex: full}"
IN_A_ROOM = "{echo_cancellation: software, duplex: auto, volume: 85}"
"""Loud enough to be talked over in the second answer: a speaker lets itself be interrupted as soon
as it takes 12 dB off its own voice. After the first answer in the small room it measures 14 dB at
this volume, and 10 dB at 60 %, where less of the echo stands over the noise."""


def add_parser(subparsers: Subparsers) -> None:
    """Add ``demo``."""
    parser = subparsers.add_parser("demo", help="a conversation without hardware, key or network")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("parley-demo"),
        metavar="DIR",
        help="where the sound is written (default: parley-demo)",
    )
    parser.add_argument(
        "--room",
        choices=sorted(ROOMS),
        help="let the microphone hear the answers through a simulated room, and cancel the echo",
    )
    parser.add_argument(
        "--camera",
        type=Path,
        metavar="FILE",
        help="a picture, or a folder of pictures, for a camera that the model looks through",
    )
    parser.add_argument(
        "--model",
        choices=KNOWN_MODELS,
        default=Config().live.model,
        help="which of Google's models the stand-in plays (default: %(default)s)",
    )
    parser.set_defaults(run=demo)


def demo(args: argparse.Namespace) -> int:
    """Perform the conversation; returns 0 when everything went as it should."""
    console = Console(highlight=False)
    if args.camera is not None and not args.camera.exists():
        raise ParleyError(
            f"there is no {args.camera}: give --camera a picture, or a folder of them"
        )
    if args.camera is not None and not profile(args.model).sees_during_calls:
        raise ParleyError(f"{args.model} does not look through a camera: choose another --model")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParleyError(f"{args.out} cannot be made: {error.strerror}; choose --out") from error
    console.print(INTRODUCTION)
    took_ms = hop_ms() + (room_hop_ms(args.room) if args.room else 0.0)
    times = slowness(took_ms)
    if times > 1:
        console.print(SLOW_MOTION.format(took=took_ms, hop=HOP_MS, times=times), soft_wrap=True)
    real = _real_speaker() if times == 1 else None
    with slow_motion(times) as make_loop, asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(_perform(args, real, console))


async def _perform(args: argparse.Namespace, real: Speaker | None, console: Console) -> int:
    from device.simulator.live_server import LiveServer  # noqa: PLC0415 - heavy: cryptography

    room: str | None = args.room
    with tempfile.TemporaryDirectory(prefix="parley-demo-") as private:
        async with LiveServer(script(looks=args.camera), directory=Path(private)) as server:
            os.environ["SSL_CERT_FILE"] = str(server.certificate)
            text = CONFIG.format(
                url=server.url,
                model=args.model,
                audio=IN_A_ROOM if room else ALONE,
                **_camera(args.camera),
            )
            config = parse(text, "demo")
            microphone = WavMicrophone()
            card = SimulatedCard()
            simulated = Loudspeaker(card, config.audio.volume)
            speaker: Speaker = Tee(simulated, real) if real else simulated
            lights = TerminalLights(sys.stdout, LEDS)
            ear = EchoedMicrophone(microphone, card, Room(ROOMS[room])) if room else microphone
            parts = _parts(ear, speaker, lights)
            await warm_up()
            detector = await parts.detector(config)
            assistant = Assistant(config, parts, detector, notifier({}))
            timeline = Timeline(console)
            async with _running(assistant):
                await _converse(assistant, microphone, timeline, looks=args.camera is not None)
                if room:
                    timeline.show_echo(assistant.echo.echo.figures)
            if not room:
                timeline.judge(server.audio)
    heard = args.out / "heard.wav"
    card.write_wav(heard)
    timeline.print_figures(heard, card=speaker.description)
    return 0 if timeline.fine else 1


def _camera(source: Path | None) -> dict[str, str]:
    """The camera of the configuration; a path as JSON is one in YAML, too."""
    if source is None:
        return {"camera": "off", "source": "auto"}
    return {"camera": "on_request", "source": json.dumps(f"file:{source.resolve()}")}


def _parts(microphone: Microphone, speaker: Speaker, lights: TerminalLights) -> Parts:
    """The demo's cast: simulated where there is no hardware, everything else as it really is."""
    real = build.real_parts({VARIABLES[0]: "demo-key"})
    return replace(
        real,
        microphone=lambda _config: microphone,
        speaker=lambda _config: speaker,
        lights=lambda _config, _profile: lights,
        # Where time goes slower the kernel's timers would ring too soon.
        clocks=LoopClocks,
        timer_memory=TimerMemory(None),
        button=lambda _config, _profile: None,
    )


def _real_speaker() -> Speaker | None:
    """The loudspeaker of this machine, to play along; None where there is none."""
    try:
        choose(list_devices(), "auto", "output")
    except AudioDeviceError:
        return None
    return Loudspeaker(PortAudioCard(), Config().audio.volume)


@asynccontextmanager
async def _running(assistant: Assistant) -> AsyncIterator[None]:
    """The assistant, alive for as long as the block runs; its failure ends the block."""
    running = asyncio.create_task(assistant.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _converse(
    assistant: Assistant, microphone: WavMicrophone, timeline: Timeline, *, looks: bool
) -> None:
    """Say the user's lines, each when its turn has come."""
    news = asyncio.Event()
    with assistant.bus.subscribe(news.set) as subscription:

        async def until(name: str, within_s: float = STEP_S, **fields: object) -> None:
            """Show what happens until this has happened."""
            async with asyncio.timeout(within_s):
                while True:
                    while (event := subscription.take()) is not None:
                        timeline.show(event)
                        wanted = event.event == name and fields.items() <= event.fields.items()
                        if wanted:
                            return
                    news.clear()
                    await news.wait()

        async def say(line: str, *, after_ms: int = 0) -> None:
            microphone.say(after_ms)
            await microphone.wait_said()
            timeline.user_says(WORDS[line])
            timeline.said(line, microphone.say(line))
            await microphone.wait_said()
            timeline.user_stopped()

        try:
            await until("state", to="idle")
            await say("ask_weather", after_ms=QUIET_MS)
            await until("reply", what="drained")
            await say("ask_tomorrow")
            await until("reply", what="first_sound")
            await say("barge_in", after_ms=BARGE_IN_MS)
            await until("reply", what="interrupted")
            await until("reply", what="drained")
            if looks:
                await say("ask_look")
                await until("picture")
                await until("reply", what="drained")
            await say("ask_timer")
            await until("timer", what="set")
            await until("reply", what="drained")
            await until("session", what="closed")
            await until("timer", what="ringing")
            for call in range(1, CALLS + 1):
                await say("stop", after_ms=RINGS_MS)
                try:
                    await until("timer", STOP_S, what="stopped")
                except TimeoutError:
                    if call == CALLS:
                        raise
                else:
                    break
        except TimeoutError:
            timeline.gave_up()


SHARE = 0.5
"""Of the time, for what is measured: the rest is for everything else."""


def hop_ms() -> float:
    """Return the milliseconds that the wake networks take for a hop, the median of a sentence.

    Loads them; blocks for as long as that and two seconds of sound take.
    """
    hearing = Hearing([Word("hey_jarvis")], 1, 0.0, 700)
    pcm, _ = load("ask_weather")
    for number in range(len(pcm) // FRAME_BYTES):
        begin = number * FRAME_BYTES
        frame = Frame(pcm[begin : begin + FRAME_BYTES], number * FRAME_SAMPLES, 0.0)
        # What it hears is of no interest; it listens while it is asked for that.
        list(hearing.hear(frame, track_speech=False))
    return hearing.scores.hop_ms_p50


def room_hop_ms(room: str) -> float:
    """Return the milliseconds that a room's echo takes for a hop, made and cancelled; the median.

    Raises EchoCancellerError when the canceller's library is missing.
    """
    simulated, canceller = Room(ROOMS[room]), EchoCanceller(cancels=True)
    pcm, _ = load("ask_weather")
    took_ms = []
    for number in range(len(pcm) // FRAME_BYTES):
        at, sample = number * FRAME_MS / 1000, number * FRAME_SAMPLES
        spoken = pcm[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]
        began = time.perf_counter()
        heard = simulated.hear_pcm(spoken)
        played = [Played(spoken, MICROPHONE_RATE_HZ, 1, sample, at)]
        canceller.hear(Frame(heard, sample, at), played)
        took_ms.append((time.perf_counter() - began) * 1000)
    return statistics.median(took_ms) * HOP_MS / FRAME_MS


def slowness(took_ms: float) -> int:
    """Return how many times slower than life a demonstration must be with so long a hop."""
    return max(1, math.ceil(took_ms / HOP_MS / SHARE))
