"""A changed file is taken section by section; a wrong one changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from device import news as n
from device.assistant.reload import Reloader
from device.board.profiles import profile_named
from device.config import Config, parse
from device.config.file import ConfigFile
from device.config.last_good import LastGood
from device.errors import ConfigError, WakeModelError
from device.news import FailureKind
from device.ports import WakeDetector
from device.state.echo import Way
from tests.rig.fakes import (
    MODEL,
    PATIENCE_S,
    FakeDetector,
    FakeLights,
    FakeMicrophone,
    FakeSpeaker,
    Hub,
    microphone_device,
    speaker_device,
    until,
)


class Owner:
    """Edits the file of a running speaker and reloads it."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub = hub
        self.text = ""
        self.last_good = LastGood(folder, folder / "config.yaml", parse)
        self.file = ConfigFile(folder / "config.yaml", self._read, self.last_good)
        self.reloader = Reloader(hub.assistant, self.file)

    def _read(self) -> Config:
        return parse(self.text, "config.yaml")

    async def write(self, text: str) -> set[str]:
        self.text = text
        self.file.path.write_text(text)
        self.hub.made.clear()
        return await self.reloader.reload()


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[Owner]:
    hub = Hub()
    async with hub.running():
        yield Owner(hub, tmp_path)


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
    assert owner.hub.assistant.settings.now == parse(text, "config.yaml")
    assert owner.hub.state == "listening"
    hub = owner.hub.assistant
    assert (hub.input.microphone is owner.hub.microphone) == ("microphone" in made)
    assert (hub.output.speaker is owner.hub.speaker) == ("speaker" in made)
    assert owner.hub.lights.is_open == ("lights" in made)


async def test_which_clips_are_kept_is_in_force_at_once(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    """The networks are not loaded anew for it, and the journal tells."""
    caplog.set_level(logging.INFO)
    detector = owner.hub.detector
    for keep in ("near", "all", "none"):
        assert await owner.write(f"wake: {{keep: {keep}}}") == {"wake.keep"}
        assert detector.keeps == keep
        assert owner.hub.assistant.wake_word.detector is detector
    told = [each for each in caplog.messages if "are kept on this device" in each]
    assert [each.partition(" are")[0] for each in told] == [
        *("clips of near misses", "clips of wakes and near misses"),
    ]


TOUCHED: dict[str, tuple[str, set[str]]] = {
    "live.model": ("other", {"session"}),
    "live.fallback_models": ("[other]", {"session"}),
    "live.endpoint": ("https://example.com", {"session"}),
    "live.api_version": ("v1alpha", {"session"}),
    "live.voice": ("Puck", {"session"}),
    "live.language": ("de-DE", {"session", "sentences"}),
    "live.system_instruction": ("be brief", {"session"}),
    "live.thinking_level": ("low", {"session"}),
    "live.google_search": ("on", {"session"}),
    "live.resumption": ("off", {"session"}),
    "live.compression.trigger_tokens": ("30000", {"session"}),
    "live.compression.target_tokens": ("5000", {"session"}),
    "live.repeat_s": ("5", {"session"}),
    "live.connect_timeout_s": ("5", {"session"}),
    "live.vad.start": ("low", {"session"}),
    "live.vad.end": ("high", {"session"}),
    "live.vad.prefix_ms": ("100", {"session"}),
    "live.vad.silence_ms": ("800", {"session"}),
    "live.token_url": ("https://tokens.home.arpa:8790/token", {"session"}),
    "live.token_credential": ("tokens", {"session"}),
    "wake.words": ("[{model: alexa}]", {"detector"}),
    "wake.patience": ("2", {"detector"}),
    "wake.refractory_s": ("1", {"detector"}),
    "wake.pre_roll_s": ("2", set()),
    "wake.keep": ("near", set()),
    "audio.input.device": ("usb", {"microphone", "speaker", "echo"}),
    "audio.input.channel": ("1", {"microphone", "echo"}),
    "audio.input.rate_hz": ("48000", {"microphone", "echo"}),
    "audio.output.device": ("usb", {"speaker", "echo"}),
    "audio.output.channels": ("2", {"speaker", "echo"}),
    "audio.volume": ("5", {"volume"}),
    "audio.echo_cancellation": ("off", {"echo"}),
    "audio.duplex": ("full", {"echo"}),
    "audio.chimes": ("off", set()),
    "audio.announcements": ("off", set()),
    "board": ("flex", {"microphone", "lights", "echo"}),
    "mixer": ("{PCM: 50%}", {"levels"}),
    "lights.driver": ("none", {"lights"}),
    "lights.brightness": ("5", set()),
    "lights.pins": ("[1, 2, 3]", {"lights"}),
    "lights.count": ("3", {"lights"}),
    "lights.spi": ("spidev0.1", {"lights"}),
    "lights.power_pin": ("none", {"lights"}),
    "lights.night": ("22:00-07:00", set()),
    "lights.night_brightness": ("5", set()),
    "lights.off_states": ("[idle]", set()),
    "lights.rotation_deg": ("90", {"lights"}),
    "lights.mirrored": ("on", {"lights"}),
    "button.pin": ("5", {"lights"}),
    "button.gestures.tap": ("mute", set()),
    "button.gestures.double_tap": ("mute", set()),
    "button.gestures.hold": ("none", set()),
    "button.gestures.long_hold": ("none", set()),
    "live.about_itself": ("off", {"session"}),
    "live.media_resolution": ("low", {"session"}),
    "place": ("Berlin", {"session"}),
    "tools.device": ("off", {"session"}),
    "tools.timers": ("off", {"session"}),
    "tools.camera": ("on_request", {"session"}),
    "camera.source": ("rpicam", set()),
    "camera.rotate": ("90", set()),
    "camera.stream": ("while_talking", {"session"}),
    "tools.mcp": ("[{name: home, url: 'http://ha.local:8123/api/mcp'}]", {"session"}),
    "timers.ring_s": ("60", set()),
    "timers.volume": ("80", set()),
    "conversation.follow_up": ("questions", set()),
    "conversation.resume_reply": ("off", set()),
    "conversation.follow_up_s": ("1", set()),
    "conversation.session_keep_s": ("1", set()),
    "conversation.resume_within_s": ("1", set()),
    "conversation.max_session_s": ("60", set()),
    "conversation.max_listen_s": ("10", set()),
    "conversation.reply_timeout_s": ("10", set()),
    "privacy.log_transcripts": ("on", set()),
    "records.keep_days": ("30", set()),
    "records.prometheus": ("/run/nowhere/parley.prom", set()),
    "spending.currency": ("EUR, per_usd: 0.9", set()),
    "spending.per_usd": ("1.0", set()),
    "spending.day": ("2.5", set()),
    "spending.month": ("20.0", set()),
    "spending.prices": ("{gemini-3.8-live: {audio_out: 13.0}}", set()),
    "personas": ("{anna: {voice: Puck}}", set()),
}
"""Every key, another value than its default, and which parts a change of it alone replaces.

Lights and button are claimed together. A session of a talk that is going on is not replaced: it is
marked, so that the next talk gets another one.
"""


NEEDED = {"spending.currency": ("spending.per_usd",)}
"""Keys that cannot stand without others."""


def keys(settings: BaseModel, above: str = "") -> Iterator[str]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from keys(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


async def sentences_are_made() -> bool:
    """Wait for the end of what makes them beside everything else."""
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == "sentences"]
    await asyncio.gather(*tasks)
    return True


async def levels_are_set(hub: Hub) -> bool:
    """Wait until the cards have had what the file says now."""
    await until(lambda: hub.mixers[-1] == {"PCM": "50%"})
    return True


def test_the_table_has_every_key() -> None:
    """Whoever adds one has to say what a reload does about it."""
    assert set(TOUCHED) == set(keys(Config()))


@pytest.mark.parametrize("key", sorted(TOUCHED))
async def test_each_key_touches_its_own_parts_only(owner: Owner, key: str) -> None:
    """A conversation goes on over it; what is not named in the table is the same object."""
    hub, assistant = owner.hub, owner.hub.assistant
    loaded = FakeDetector()

    async def load(_: Config) -> WakeDetector:
        return loaded

    hub.load_detector = load
    session = await hub.wake()
    before = (assistant.input.microphone, assistant.output.speaker, assistant.echo.echo)
    hub.microphone, hub.speaker = FakeMicrophone("B"), FakeSpeaker("B")
    value, touched = TOUCHED[key]
    section = "".join(f"{part}: {{" for part in key.split(".")[:-1])
    text = f"{section}{key.rsplit('.', maxsplit=1)[-1]}: {value}{'}' * key.count('.')}"
    assert await owner.write(text) == {key, *NEEDED.get(key, ())}
    found = {
        "microphone": assistant.input.microphone is not before[0],
        "speaker": assistant.output.speaker is not before[1],
        "echo": assistant.echo.echo is not before[2],
        "detector": assistant.wake_word.detector is loaded,
        "lights": "lights" in hub.made,
        "session": assistant.talk.now.outdated,
        "sentences": await sentences_are_made() and "sentences de-DE" in hub.made,
        "volume": assistant.output.volume == 5,
        "levels": key == "mixer" and await levels_are_set(hub),
    }
    assert {part for part, is_so in found.items() if is_so} == touched
    assert hub.state == "listening"
    assert session.closed_with is None
    assert assistant.talk.now.session == session.number


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


async def test_nothing_that_the_old_microphone_heard_goes_up_afterwards(owner: Owner) -> None:
    """Also where the new one has not delivered yet."""
    hub = owner.hub
    await hub.hear(100)
    hub.microphone = FakeMicrophone("B")
    await owner.write("audio: {input: {device: B}}")
    session = await hub.wake()
    assert session.frames == []


async def test_the_volume_in_force_survives_a_new_loudspeaker(owner: Owner) -> None:
    """What was set by `parley volume`; a changed `audio.volume` is what the file says."""
    owner.hub.assistant.set_volume(30)
    owner.hub.speaker = FakeSpeaker("B")
    await owner.write("audio: {output: {device: B}}")
    assert owner.hub.speaker.volumes == [30]
    await owner.write("audio: {output: {device: B}, volume: 90}")
    assert owner.hub.speaker.volumes == [30, 90]
    assert owner.hub.assistant.output.volume == 90


def mode(owner: Owner) -> str:
    return owner.hub.assistant.echo.duplex.figures.mode


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
    control = hub.assistant.echo
    echo, duplex = control.echo, control.duplex
    hub.microphone, hub.speaker = FakeMicrophone("B"), FakeSpeaker("B")
    await owner.write(text)
    assert control.echo is not echo
    assert control.duplex is not duplex
    echo, duplex = control.echo, control.duplex
    await owner.write(text)
    assert (control.echo, control.duplex) == (echo, duplex)


async def test_what_was_measured_of_other_devices_is_not_forgotten(owner: Owner) -> None:
    """A loudspeaker that was in use before is met again."""
    memory = owner.hub.assistant.parts.echo_memory
    memory.keep(Way(speaker_device("headset"), microphone_device(), "software"), "full", "")
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
    control = owner.hub.assistant.echo
    echo, duplex = control.echo, control.duplex
    await owner.write(text)
    assert (control.echo, control.duplex) == (echo, duplex)


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
    assert list(owner.hub.assistant.wake_word.detector.words) == ["computer"]


async def test_a_kept_session_gives_way_to_new_settings(owner: Owner) -> None:
    """The next wake word talks to the new model."""
    session = await owner.hub.wake()
    owner.hub.assistant.post(n.Stop())
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
    assert owner.hub.assistant.settings.now.audio.volume == 50
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
    assert owner.hub.assistant.settings.now == Config()
    assert owner.hub.assistant.wake_word.detector is owner.hub.detector
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
    assert list(owner.hub.assistant.wake_word.detector.words) == ["alexa"]
    slow.gates[1].set()
    assert await first == await second == {"wake.words"}
    assert list(owner.hub.assistant.wake_word.detector.words) == ["hey_mycroft"]


async def test_a_reload_that_is_cancelled_leaves_nothing_half_done(owner: Owner) -> None:
    """The client that asked for it hung up while the networks were loading."""
    slow = Slow(owner.hub)
    reload = asyncio.create_task(owner.write("wake: {words: [{model: alexa}]}\naudio: {volume: 5}"))
    await until(lambda: slow.gates)
    reload.cancel()
    await asyncio.wait([reload])
    assert owner.hub.assistant.settings.now == Config()
    assert owner.hub.assistant.wake_word.detector is owner.hub.detector
    assert await owner.write("audio: {volume: 6}") == {"audio.volume"}


async def test_the_journal_tells_what_was_reloaded(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line, also when nothing changed."""
    with caplog.at_level(logging.INFO, "device.assistant.reload"):
        await owner.write("audio: {volume: 5}\nlights: {brightness: 5}")
        await owner.write(owner.text)
    assert [record.getMessage() for record in caplog.records] == [
        "configuration reloaded: audio.volume, lights.brightness",
        "configuration reloaded: nothing changed",
    ]


async def test_a_key_that_is_missing_is_a_fault_only_where_it_is_needed(tmp_path: Path) -> None:
    """From the start, before anybody asks in vain; where tokens are lent for it, it is none."""
    hub = Hub(missing_key="no API key")
    async with hub.running():
        owner = Owner(hub, tmp_path)
        for text, missed in (
            ("", True),
            ("live: {token_url: 'https://tokens.home.arpa/token'}", False),
            ("", True),
        ):
            await owner.write(text)
            assert ("key" in {fault.kind for fault in hub.assistant.faults.active}) is missed
    lent = Hub("live: {token_url: 'https://tokens.home.arpa/token'}", missing_key="no API key")
    async with lent.running():
        assert lent.assistant.faults.active == []


async def test_a_token_server_that_is_asked_no_more_is_no_fault(tmp_path: Path) -> None:
    """With a key of its own again the speaker lacks nothing."""
    hub = Hub("live: {token_url: 'https://tokens.home.arpa/token'}")
    async with hub.running():
        hub.assistant.faults.begin(FailureKind.TOKEN, "the token server is gone")
        owner = Owner(hub, tmp_path)
        await owner.write("live: {token_url: 'https://other.home.arpa/token'}")
        assert [fault.kind for fault in hub.assistant.faults.active] == ["token"]
        await owner.write("")
        assert hub.assistant.faults.active == []


@pytest.mark.parametrize("at_token_server", [True, False])
async def test_a_token_server_that_could_not_be_reached_is_no_fault_when_it_is_asked_no_more(
    tmp_path: Path, *, at_token_server: bool
) -> None:
    """What was wrong on the way to it is over at once; what was wrong elsewhere is not known to be.

    A network that was missing on the way to Google is missing with a key, too.
    """
    hub = Hub("live: {token_url: 'https://tokens.home.arpa/token'}")
    async with hub.running(), asyncio.timeout(PATIENCE_S):
        hub.assistant.post(n.Pressed("tap", 1.0))
        await until(lambda: hub.sessions)
        kind, why = FailureKind.NETWORK, "it cannot be reached"
        failure = n.Failure(kind, why, retryable=True, at_token_server=at_token_server)
        hub.session.end(n.SessionFailed(hub.session.number, failure, MODEL, 1.0))
        await until(lambda: hub.assistant.faults.in_force(kind))
        await Owner(hub, tmp_path).write("")
        left = [fault.kind for fault in hub.assistant.faults.active]
        assert left == ([] if at_token_server else ["network"])
