"""`real_parts` chooses PortAudio for sound, gpiozero for GPIO and Google's Live API."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, MutableMapping
from functools import partial

from device.announcements.clips import Clips, speak
from device.assistant.parts import Parts, mcp_server
from device.audio.loudspeaker import Loudspeaker
from device.audio.microphone import PortAudioMicrophone
from device.audio.playback_thread import PortAudioCard
from device.board.array_restart import ArrayRestart
from device.board.bearing import Mounting
from device.board.button import GpioButton, make_button
from device.board.kernel import plugged
from device.board.mixer import set_levels
from device.board.mute_switch import make_switch
from device.board.pace import Pace
from device.board.profiles import Profile
from device.build.boards import Boards
from device.build.lent_tokens import LentTokens
from device.camera.source import make_camera
from device.config import Config, McpServer
from device.credentials.lookup import ApiKey, Credentials, find_api_key, forget_in, without_secrets
from device.errors import CredentialError
from device.lights.drivers import make_lights
from device.live.departures import Sent
from device.live.failures import diagnose
from device.live.network import RELEASED, obstacle
from device.live.resumption import Past
from device.live.session import LiveSession
from device.live.setup import host_of
from device.mcp.wanted import Wanted
from device.news import Failure, Post
from device.ports import Camera, Functions, Lights, Microphone, OpenDevice, Speaker, WakeDetector
from device.records.clock import RecordClock
from device.records.store import Records
from device.records.tables import TABLES
from device.records.writer import Place
from device.service.health import resident_bytes
from device.service.temperature import celsius
from device.state.echo import EchoMemory
from device.state.folders import runtime_folder, state_folder
from device.state.mute import MuteMemory
from device.state.talk import TalkMemory
from device.state.wake_clips import ClipFolder
from device.timers.memory import TimerMemory
from device.wake.detector import OnnxWakeDetector
from device.wake.worker import Word

log = logging.getLogger(__name__)


def real_parts(environ: MutableMapping[str, str]) -> Parts:
    """The parts of a speaker on real hardware. Takes the API key out of `environ`."""
    key: ApiKey | None = None
    missing = ""
    try:
        key = find_api_key(environ)
    except CredentialError as error:
        missing = str(error)
    credentials = Credentials(environ)
    lent = LentTokens(credentials.find)
    forget_in(environ)

    def house(server: McpServer) -> Wanted:
        if server.credential is None:
            return mcp_server(server, None)
        return mcp_server(server, credentials.find(server.credential).secret)

    def session(
        config: Config, number: int, past: Past, post: Post, on_sent: Sent, functions: Functions
    ) -> LiveSession:
        tokens = lent.of(config.live)
        if key is None and tokens is None:
            raise CredentialError(missing)
        patience_s = config.conversation.reply_timeout_s
        return LiveSession(
            config.live,
            key.secret if key is not None else "",
            number=number,
            post=post,
            past=past,
            on_sent=on_sent,
            patience_s=patience_s,
            place=config.place,
            functions=functions,
            streams=config.tools.camera != "off" and config.camera.stream == "while_talking",
            tokens=tokens,
        )

    folder = state_folder(environ)
    clips = Clips(folder / "clips") if folder is not None else None

    def sentence(config: Config, kind: str) -> bytes | None:
        return clips.get(kind, config.live.language) if clips is not None else None

    def make_sentences(config: Config) -> None:
        if clips is not None and (made := clips.make(config.live.language)):
            log.info("%d sentences for what may go wrong were made", made)

    def records(post: Post, keep_days: Callable[[], int]) -> Records:
        place = Place(folder, runtime_folder(environ))
        return Records(place, TABLES, post, keep_days, RecordClock(RELEASED))

    boards = Boards()
    # Lights and mute switch are of one array.
    pace = Pace()

    return Parts(
        microphone=partial(microphone, boards),
        speaker=partial(speaker, boards),
        detector=detector,
        profile=boards.profile,
        lights=partial(lights, pace=pace),
        button=button,
        mute_switch=partial(make_switch, pace=pace),
        session=session,
        camera=camera,
        mcp_server=house,
        missing_key=missing,
        hindrance=hindrance,
        resident=resident_bytes,
        celsius=celsius,
        keepsake=TalkMemory(folder),
        echo_memory=EchoMemory(folder),
        mute_memory=MuteMemory(folder),
        timer_memory=TimerMemory(folder),
        records=records,
        wake_clips=ClipFolder(folder),
        sentence=sentence,
        spoken=spoken,
        plugged=plugged,
        set_levels=levels,
        revive=ArrayRestart(folder).attempt,
        make_sentences=make_sentences,
    )


def hindrance(config: Config) -> Failure | None:
    """Return what keeps any connection from being tried now: no time of day, no network."""
    found = obstacle(host_of(config.live))
    return diagnose(found).failure if found is not None else None


def spoken(config: Config, text: str) -> bytes | None:
    """Speak a text of the owner's in the language of the conversation, where there is a voice."""
    return speak(text, config.live.language)


def microphone(boards: Boards, config: Config) -> Microphone:
    """The microphone array, its channel as configured or as its board's profile says."""
    wanted = config.audio.input
    return PortAudioMicrophone(wanted.device, wanted.channel, boards.input_facts(config))


def speaker(boards: Boards, config: Config) -> Speaker:
    """The loudspeaker, no louder than the board's can be."""
    audio = config.audio
    card = PortAudioCard(
        audio.output.device, boards.output_facts(config), microphone=audio.input.device
    )
    ceiling_dbfs = boards.profile(config, None).ceiling_dbfs
    return Loudspeaker(card, config.audio.volume, ceiling_dbfs)


def levels(
    config: Config, board: Profile, device: OpenDevice | None, loudspeaker: OpenDevice | None
) -> list[str]:
    """Set the levels of the cards in use; a sound server's device has none that are ours."""
    return set_levels(board, device, loudspeaker, config.mixer)


async def detector(config: Config) -> WakeDetector:
    """The wake word networks, loaded. Raises WakeModelError."""
    wake = config.wake
    words = [Word(word.model, word.threshold, word.playback_threshold) for word in wake.words]
    made = OnnxWakeDetector(words, patience=wake.patience, refractory_s=wake.refractory_s)
    await made.load()
    return made


def lights(config: Config, board: Profile, pace: Pace | None = None) -> Lights:
    """The LEDs of the board, or what the configuration asks for instead. Raises BoardError.

    ``pace``: what others who talk to the same array share with them.
    """
    wanted = config.lights
    return make_lights(
        wanted.driver,
        board,
        brightness=wanted.brightness,
        gpio_pins=wanted.pins,
        stream=sys.stdout,
        mounting=Mounting(wanted.rotation_deg, wanted.mirrored),
        pace=pace,
    )


def camera(config: Config) -> Camera:
    """The camera as configured; it is looked for when a picture is taken."""
    wanted = config.camera
    return make_camera(wanted.source, wanted.rotate, without_secrets(os.environ))


def button(config: Config, board: Profile) -> GpioButton | None:
    """The board's button, if it has one. Raises BoardError."""
    return make_button(config.button.pin, board)
