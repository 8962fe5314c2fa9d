"""A changed file is taken section by section; a wrong one changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from device import vocabulary as v
from device.board.profiles import profile_named
from device.config import Config, parse
from device.echo_memory import Way
from device.errors import ConfigError, WakeModelError
from device.ports import WakeDetector
from device.reload import Reloader
from tests.rig.fakes import FakeDetector, FakeLights, FakeMicrophone, FakeSpeaker, Hub, until


class Owner:
    """Edits the file of a running speaker and reloads it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.text = ""
        self.reloader = Reloader(hub.assistant, lambda: parse(self.text, "config.yaml"))

    async def write(self, text: str) -> set[str]:
        self.text = text
        self.hub.made.clear()
        return await self.reloader.reload()


@pytest.fixture
async def owner() -> AsyncIterator[Owner]:
    hub = Hub()
    async with hub.running():
        yield Owner(hub)


@pytest.mark.parametrize(
    ("text", "changed", "made"),
    [
        ("", set(), []),
        ("audio: {input: {channel: 2}}", {"audio.input.channel"}, ["microphone"]),
        ("audio: {output: {device: usb}}", {"audio.output.device"}, ["speaker"]),
        ("lights: {brightness: 5}", {"lights.brightness"}, []),
        ("lights: {night: 1:00-2:00}", {"lights.night"}, []),
        ("lights: {off_states: [idle]}", {"lights.off_states"}, []),
        ("lights: {rotation_deg: 90}", {"lights.rotation_deg"}, ["lights"]),
        ("lights: {driver: none}", {"lights.driver"}, ["lights"]),
        ("button: {pin: 5}", {"button.pin"}, ["lights"]),
        ("board: flex", {"board"}, ["microphone", "lights"]),
        ("audio: {volume: 5}", {"audio.volume"}, []),
        ("conversation: {follow_up_s: 1}", {"conversation.follow_up_s"}, []),
        ("privacy: {log_transcripts: on}", {"privacy.log_transcripts"}, []),
    ],
)
async def test_only_what_changed_is_replaced(
    owner: Owner, text: str, changed: set[str], made: list[str]
) -> None:
    """Everything else is read where it is used; the talk goes on."""
    owner.hub.microphone, owner.hub.speaker = FakeMicrophone("B"), FakeSpeaker("B")
    owner.hub.lights = FakeLights()
    await owner.hub.wake()
    assert await owner.write(text) == changed
    assert owner.hub.made == made
    assert owner.hub.assistant.config == parse(text, "config.yaml")
    assert owner.hub.state == "listening"
    hub = owner.hub.assistant
    assert (hub.ears.microphone is owner.hub.microphone) == ("microphone" in made)
    assert (hub.mouth.speaker is owner.hub.speaker) == ("speaker" in made)
    assert owner.hub.lights.is_open == ("lights" in made)


async def test_a_new_microphone_is_heard_and_its_samples_go_up(owner: Owner) -> None:
    """Its stream counts from 0 again; nothing of it is taken for sent already."""
    hub = owner.hub
    await hub.hear(100)
    session = await hub.wake()
    await hub.hear(10)
    hub.microphone = FakeMicrophone("B")
    await owner.write("audio: {input: {device: B}}")
    await until(lambda: hub.microphone.is_open)
    before = len(session.frames)
    delivered = await hub.hear(5)
    assert session.frames[before:] == [frame.pcm for frame in delivered]


async def test_the_volume_in_force_survives_a_new_loudspeaker(owner: Owner) -> None:
    """What was set by `parley volume`; a changed `audio.volume` is what the file says."""
    owner.hub.assistant.set_volume(30)
    owner.hub.speaker = FakeSpeaker("B")
    await owner.write("audio: {output: {device: B}}")
    assert owner.hub.speaker.volumes == [30]
    await owner.write("audio: {output: {device: B}, volume: 90}")
    assert owner.hub.speaker.volumes == [30, 90]
    assert owner.hub.assistant.volume == 90


def mode(owner: Owner) -> str:
    return owner.hub.assistant.overheard.duplex.figures.mode


async def test_duplex_is_decided_anew_for_the_new_board(owner: Owner) -> None:
    """A board that cancels echo can do full; the board is chosen before that is asked."""
    owner.hub.boards = {"microphone A": profile_named("flex")}
    await owner.write("board: flex")
    assert mode(owner) == "full"
    await owner.write("board: flex\naudio: {duplex: half}")
    assert mode(owner) == "half"
    await owner.write("board: flex\naudio: {echo_cancellation: off}")
    assert mode(owner) == "half"
    await owner.write("audio: {echo_cancellation: hardware}")
    assert mode(owner) == "full"


@pytest.mark.parametrize(
    "text",
    [
        "audio: {duplex: full}",
        "audio: {echo_cancellation: off}",
        "audio: {input: {channel: 2}}",
        "audio: {output: {device: usb}}",
        "board: flex",
    ],
)
async def test_what_the_echo_depends_on_begins_it_anew(owner: Owner, text: str) -> None:
    """Another device, or another way to do it: what was learned is of something else."""
    hub = owner.hub
    overheard = hub.assistant.overheard
    echo, duplex = overheard.echo, overheard.duplex
    hub.microphone, hub.speaker = FakeMicrophone("B"), FakeSpeaker("B")
    await owner.write(text)
    assert overheard.echo is not echo
    assert overheard.duplex is not duplex
    echo, duplex = overheard.echo, overheard.duplex
    await owner.write(text)
    assert (overheard.echo, overheard.duplex) == (echo, duplex)


async def test_what_was_measured_of_other_devices_is_not_forgotten(owner: Owner) -> None:
    """A loudspeaker that was in use before is met again."""
    memory = owner.hub.assistant.parts.echo_memory
    memory.keep(Way("headset", "microphone A", "software"), "full", "")
    owner.hub.speaker = FakeSpeaker("headset")
    await owner.write("audio: {output: {device: headset}}")
    await until(lambda: owner.hub.speaker.is_open)
    assert mode(owner) == "full"
    owner.hub.speaker = FakeSpeaker("loudspeaker A")
    await owner.write("")
    await until(lambda: owner.hub.speaker.is_open)
    assert mode(owner) == "half"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "audio: {volume: 5, chimes: off, announcements: off}",
        "lights: {brightness: 5}",
        "button: {pin: 5}",
        "live: {voice: Puck}",
        "conversation: {follow_up_s: 1}",
    ],
)
async def test_nothing_else_makes_it_forget_the_echo(owner: Owner, text: str) -> None:
    """It takes seconds of speech to learn it."""
    overheard = owner.hub.assistant.overheard
    echo, duplex = overheard.echo, overheard.duplex
    await owner.write(text)
    assert (overheard.echo, overheard.duplex) == (echo, duplex)


async def test_other_wake_words_are_heard_at_once(owner: Owner) -> None:
    """The new detector runs, and follows the user's speech where a talk is going on."""
    new = FakeDetector("computer")

    async def load(_: Config) -> WakeDetector:
        return new

    owner.hub.load_detector = load
    await owner.hub.wake()
    assert owner.hub.detector.tracking
    await owner.write("wake: {words: [{model: alexa}]}")
    assert new.tracking
    await until(lambda: new.running and not owner.hub.detector.running)
    assert list(owner.hub.assistant.ears.detector.words) == ["computer"]


async def test_a_kept_session_gives_way_to_new_settings(owner: Owner) -> None:
    """The next wake word talks to the new model."""
    session = await owner.hub.wake()
    owner.hub.assistant.command(v.Stop())
    await owner.write("live: {model: another}")
    await until(lambda: session.closed_with)
    assert session.closed_with == "settings changed"
    assert owner.hub.state == "idle"


async def test_a_talk_that_is_going_on_keeps_its_session(owner: Owner) -> None:
    """Nobody is cut off by an edit."""
    session = await owner.hub.wake()
    await owner.write("live: {model: another}")
    assert session.closed_with is None
    assert owner.hub.state == "listening"


async def test_a_file_with_mistakes_changes_nothing(owner: Owner) -> None:
    """Every mistake is told, and is a fault until a file is accepted."""
    await owner.write("audio: {volume: 50}")
    with pytest.raises(ConfigError) as caught:
        await owner.write("audio: {volume: 500, duplex: ful}")
    assert len(caught.value.mistakes) == 2
    assert owner.hub.assistant.config.audio.volume == 50
    (fault,) = owner.hub.assistant.faults.active
    assert fault.kind == "config"
    assert "audio.volume" in fault.message
    assert "audio.duplex" in fault.message
    await owner.write("audio: {volume: 40}")
    assert owner.hub.assistant.faults.active == []


async def test_a_network_that_cannot_be_loaded_changes_nothing(owner: Owner) -> None:
    """Not even what else was changed in the same file."""

    async def load(_: Config) -> WakeDetector:
        raise WakeModelError("/nowhere.onnx does not exist")

    owner.hub.load_detector = load
    with pytest.raises(WakeModelError):
        await owner.write("wake: {words: [{model: alexa}]}\naudio: {volume: 5}")
    assert owner.hub.assistant.config == Config()
    assert owner.hub.assistant.ears.detector is owner.hub.detector
    (fault,) = owner.hub.assistant.faults.active
    assert (fault.kind, fault.message) == ("config", "/nowhere.onnx does not exist")


class Slow:
    """Networks that take a while to load."""

    def __init__(self, hub: Hub) -> None:
        self.gates: list[asyncio.Event] = []
        hub.load_detector = self.load

    async def load(self, config: Config) -> WakeDetector:
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return FakeDetector(config.wake.words[0].model)


async def test_two_reloads_do_not_mix(owner: Owner) -> None:
    """The second begins when the first is in force; the newest file wins."""
    slow = Slow(owner.hub)
    first = asyncio.create_task(owner.write("wake: {words: [{model: alexa}]}"))
    await until(lambda: slow.gates)
    second = asyncio.create_task(owner.write("wake: {words: [{model: hey_mycroft}]}"))
    await asyncio.wait([second], timeout=0.02)
    assert len(slow.gates) == 1
    slow.gates[0].set()
    await until(lambda: len(slow.gates) == 2)
    assert list(owner.hub.assistant.ears.detector.words) == ["alexa"]
    slow.gates[1].set()
    assert await first == await second == {"wake.words"}
    assert list(owner.hub.assistant.ears.detector.words) == ["hey_mycroft"]


async def test_a_reload_that_is_cancelled_leaves_nothing_half_done(owner: Owner) -> None:
    """The client that asked for it hung up while the networks were loading."""
    slow = Slow(owner.hub)
    reload = asyncio.create_task(owner.write("wake: {words: [{model: alexa}]}\naudio: {volume: 5}"))
    await until(lambda: slow.gates)
    reload.cancel()
    await asyncio.wait([reload])
    assert owner.hub.assistant.config == Config()
    assert owner.hub.assistant.ears.detector is owner.hub.detector
    assert await owner.write("audio: {volume: 6}") == {"audio.volume"}


async def test_the_journal_tells_what_was_reloaded(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line, also when nothing changed."""
    with caplog.at_level(logging.INFO, "device.reload"):
        await owner.write("audio: {volume: 5}\nlights: {brightness: 5}")
        await owner.write(owner.text)
    assert [record.getMessage() for record in caplog.records] == [
        "configuration reloaded: audio.volume, lights.brightness",
        "configuration reloaded: nothing changed",
    ]
