"""The real speaker in a room: it hears itself, and the person who talks over it.

The room is a simulated one between the sound server's two null sinks, so that what the speaker
plays comes back to its microphone late, coloured and reverberant, over a clock of its own.
"""

from __future__ import annotations

import signal
import time
import wave
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from device.simulator.script import Script, Turn
from tests.rig.acoustics import Echo
from tests.rig.daemon import Daemon, NothingHappenedError
from tests.rig.room import CALLS, Room, loud, merged, open_room, similarity, spoken
from tests.rig.sound import Recorder, espeak

pytestmark = pytest.mark.timeout(300)

CONFIG = {
    "audio": {
        "echo_cancellation": "auto",
        "duplex": "auto",
        "volume": 100,
        "announcements": False,
    },
    "conversation": {"follow_up_s": 4.0, "reply_timeout_s": 20},
}
STORY = (
    "Once upon a time there was a small village near the sea, where the people lived from fishing "
    "and from the stories they told. Every evening they came together in the old house at the "
    "harbour, and somebody began. One night a stranger stood in the door, with a lantern in her "
    "hand and snow on her coat, and asked whether she might tell one too."
)
MEASURED_LATE_S = 0.05
"""How late the recording of the loudspeaker may tell of silence: its blocks on a busy machine."""
TALK_AGAIN_S = 2.0
"""Who is not heard over a reply by then after the last word says it again."""
DECIDED_S = 3.0
"""By when it is decided that somebody interrupts. That takes 0.3 s, 0.5 beside five busy processes,
and 1.7 where a noise, or our own voice, has paused the reply just before: then it rests for a
second (`device.echo.barge_in.REST_MS`)."""
LEVEL = 0.1
"""RMS of the reply, -20 dBFS, as the model's voice has."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A reply of twenty seconds."""
    path: Path = tmp_path_factory.mktemp("story") / "story.wav"
    write_reply(path, espeak(STORY, "en-us+f3", 160, 24_000))
    return str(path)


def write_reply(path: Path, pcm: bytes) -> None:
    """Write speech (s16le mono 24 kHz) at the level of a reply."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    samples *= LEVEL * 32_768 / np.sqrt(np.mean(samples[np.abs(samples) > 200] ** 2))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(np.clip(samples, -32_000, 32_000).astype("<i2").tobytes())


class Kitchen:
    """A running speaker in a room that echoes, and a person in it."""

    def __init__(self, room: Room, echo: Echo, heard: Recorder, microphone: Recorder) -> None:
        self.daemon = room.daemon
        self.server = room.server
        self.sound = room.sound
        self.echo = echo
        self.heard = heard
        self.microphone = microphone
        self._room = room

    def wake_and_hear_all(self) -> None:
        """A question, and its answer to the end: the speaker learns the room by it."""
        after = self.daemon.here
        self._room.wake_and_ask()
        self.daemon.event("reply", after=after, what="drained", timeout=60)

    def ask(self, after: int) -> None:
        """Another question, without the wake word, until its answer sounds."""
        self.say("and what happened then")
        self.daemon.event("reply", after=after, what="first_sound")

    def say(self, text: str, level_dbfs: float = -22.0) -> bytes:
        """Speak in the room; returns what was fed when all of it was taken."""
        voice = self.echo.voice(spoken(text, before_ms=0, after_ms=300), level_dbfs)
        self.sound.speak(voice)
        return voice

    def talk_over(self, text: str) -> tuple[bytes, float]:
        """Speak over the reply, again where it goes on all the same, as a person would.

        It fails where none of `CALLS` silences it. Returns what was fed last, and since when.
        """
        after = self.daemon.here
        for _ in range(CALLS - 1):
            said_at = time.monotonic()
            voice = self.say(text)
            with suppress(NothingHappenedError):
                self.daemon.event("reply", after=after, what="interrupted", timeout=TALK_AGAIN_S)
                return voice, said_at
        said_at = time.monotonic()
        voice = self.say(text)
        self.daemon.event("reply", after=after, what="interrupted")
        return voice, said_at

    def onset(self, voice: bytes, since: float) -> float:
        """When the first sound of something said was at the microphone (CLOCK_MONOTONIC)."""
        samples = np.frombuffer(voice, "<i2").astype(np.float64)
        first = int(np.argmax(np.abs(samples) > 300))
        begin = max(0, int((since - self.microphone.start_time) * 16_000) - 3200)
        heard = self.microphone.samples()[begin:, 0].astype(np.float64)
        return self.microphone.time_of(begin + _place(heard, samples) + first)

    def was_silent(self, span: tuple[float, float]) -> bool:
        """Whether the loudspeaker was given nothing from one time to another (CLOCK_MONOTONIC)."""
        begin, end = ((at - self.heard.start_time) * self.heard.rate_hz for at in span)
        given = self.heard.samples()[round(begin) : round(end)]
        return len(given) > 0 and not given.any()


def _place(heard: npt.NDArray[np.float64], said: npt.NDArray[np.float64]) -> int:
    size = 1 << (len(heard) + len(said)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    return int(np.argmax(cross[: len(heard)]))


@contextmanager
def open_kitchen(
    acoustics: str, script: Script, config: Mapping[str, Any] | None = None
) -> Iterator[Kitchen]:
    with ExitStack() as stack:
        room = stack.enter_context(open_room(script, merged(CONFIG, config or {})))
        echo = stack.enter_context(Echo(room.sound, acoustics))
        heard = stack.enter_context(room.sound.recorder())
        microphone = stack.enter_context(room.sound.recorder("mic"))
        try:
            yield Kitchen(room, echo, heard, microphone)
        except AssertionError as error:
            error.add_note(f"the room itself ran dry {echo.underruns} times")
            raise


def test_who_talks_over_the_reply_is_heard_and_it_falls_silent(story: str) -> None:
    """Silence within 150 ms of the first sound; the server hears the whole sentence, and no echo.

    The room's figures show in the status, and nothing in minutes of its own speech stopped it.
    """
    turn = Turn(says="a story", audio=story, pace="burst", interruptible=False)
    with open_kitchen("medium", Script(turns=(turn,), silence_ms=700)) as kitchen:
        daemon = kitchen.daemon
        kitchen.wake_and_hear_all()
        kitchen.ask(daemon.here)
        daemon.event("reply", after=daemon.here, what="drained", timeout=60)
        status = daemon.status()
        assert status["duplex"]["mode"] == "full", status["duplex"]
        assert status["echo"]["erle_db"] > 20
        assert status["echo"]["return_loss_db"] == pytest.approx(10, abs=2)
        assert status["echo"]["drift_ppm"] == pytest.approx(20, abs=5)
        assert status["counters"]["talking_over"]["barge_ins"] == 0

        after = daemon.here
        kitchen.ask(after)
        sounds = daemon.event("reply", after=after, what="first_sound")
        daemon.wait(lambda: time.monotonic() > sounds["time"] + 4, "some of the story")
        sent_before = len(kitchen.server.audio)
        after = daemon.here
        voice, said_at = kitchen.talk_over(
            "wait, please tell me about the weather in Paris instead"
        )
        daemon.event("barge_in", after=after, what="confirmed")
        cut = daemon.event("reply", after=after, what="interrupted")
        daemon.state("listening", after=after)
        daemon.event("activity", after=after, what="ended")
        onset = kitchen.onset(voice, said_at)
        silent = [end for _, end in loud(kitchen.heard, since=onset, threshold=100)]
        silent_s = daemon.took_s(onset, min(silent))
        assert silent_s < 0.15 + MEASURED_LATE_S, f"silent after {silent_s}"
        assert daemon.took_s(onset, cut["time"]) < DECIDED_S
        kitchen.server.wait_for(lambda server: len(server.audio) > sent_before + len(voice))
        uplink = kitchen.server.audio[sent_before - sent_before % 2 :]
    assert _alike(uplink, voice) > 0.9


def test_who_talks_over_the_answer_to_a_typed_question_silences_it(story: str) -> None:
    """It stops when told; and nothing of what was said goes up, as nobody asked it to listen."""
    turn = Turn(says="a story", audio=story, pace="burst", interruptible=False)
    config = {"conversation": {"follow_up_s": 1}}
    with open_kitchen("medium", Script(turns=(turn,), silence_ms=700), config) as kitchen:
        daemon = kitchen.daemon
        kitchen.wake_and_hear_all()
        stopped = daemon.event("uplink", after=daemon.here, what="stopped")
        kitchen.server.wait_for(lambda server: len(server.audio) >= stopped["bytes"])
        sent, after = len(kitchen.server.audio), daemon.here
        with ThreadPoolExecutor(1) as shell:
            asked = shell.submit(daemon.cli, "ask", "and what happened then")
            sounds = daemon.event("reply", after=after, what="first_sound")
            daemon.wait(lambda: time.monotonic() > sounds["time"] + 4, "some of the story")
            after = daemon.here
            voice, said_at = kitchen.talk_over("stop it please, that is enough now")
            cut = daemon.event("reply", after=after, what="interrupted")
            daemon.state("idle", after=after)
            onset = kitchen.onset(voice, said_at)
            decided = [(e["time"] - onset, e["what"]) for e in daemon.seen("barge_in")]
            assert daemon.took_s(onset, cut["time"]) < DECIDED_S, decided
            assert asked.result().stdout == "a story\n"
        assert len(kitchen.server.audio) == sent


def _alike(uplink: bytes, voice: bytes) -> float:
    """How much of a voice is in what went up: the correlation at its best place."""
    have = np.frombuffer(uplink, "<i2").astype(np.float64)
    want = np.frombuffer(voice, "<i2").astype(np.float64)
    place = _place(have, want)
    found = have[place : place + len(want)]
    want = want[: len(found)]
    return float(found @ want / (np.linalg.norm(found) * np.linalg.norm(want)))


STALL_S = 0.25
"""More than the sound server has of ours: it plays silence meanwhile, and the rest later."""


def test_a_machine_that_stalls_costs_no_reply(story: str) -> None:
    """Its own voice is taken for nobody's, whether it was silent or spoke, and soon taken out."""
    turn = Turn(says="a story", audio=story, pace="burst", interruptible=False)
    with open_kitchen("medium", Script(turns=(turn,), silence_ms=700)) as kitchen:
        daemon = kitchen.daemon
        kitchen.wake_and_hear_all()
        stall(daemon)
        after = daemon.here
        kitchen.ask(after)
        sounds = daemon.event("reply", after=after, what="first_sound")
        daemon.wait(lambda: time.monotonic() > sounds["time"] + 8, "some of the story")
        stalled = stall(daemon)
        drained = daemon.event("reply", after=after, what="drained", timeout=60)
        assert kitchen.was_silent(stalled), "the card did not run dry"
        with wave.open(story) as file:
            assert drained["played_ms"] == pytest.approx(file.getnframes() / 24, abs=60)
        for _ in range(2):
            if (daemon.status()["echo"]["erle_db"] or 0) > 20:
                break
            # A busy machine ran the card dry once more, near the end: the next reply shows it.
            after = daemon.here
            kitchen.ask(after)
            daemon.event("reply", after=after, what="drained", timeout=60)
        status = daemon.status()
        assert status["echo"]["erle_db"] > 20
        assert status["counters"]["talking_over"]["barge_ins"] == 0


def stall(daemon: Daemon) -> tuple[float, float]:
    """Hold all threads of the speaker up, as a machine that swaps does.

    Returns from when to when its card must have been dry (CLOCK_MONOTONIC), away from both ends:
    what it had sounds first, and a recording tells its times to a block.
    """
    daemon.process.send_signal(signal.SIGSTOP)
    held_up = time.monotonic()
    time.sleep(STALL_S)
    daemon.process.send_signal(signal.SIGCONT)
    return held_up + STALL_S / 2, held_up + STALL_S * 3 / 4


def test_a_cough_only_makes_it_pause(story: str) -> None:
    """The reply is silent for a moment and goes on where it was: nothing of it is lost."""
    turn = Turn(says="a story", audio=story, pace="burst", interruptible=False)
    with open_kitchen("small", Script(turns=(turn,), silence_ms=700)) as kitchen:
        daemon = kitchen.daemon
        kitchen.wake_and_hear_all()
        after = daemon.here
        kitchen.ask(after)
        sounds = daemon.event("reply", after=after, what="first_sound")
        daemon.wait(lambda: time.monotonic() > sounds["time"] + 3, "some of the story")
        sent_before = len(kitchen.server.audio)
        coughed = daemon.here
        kitchen.sound.speak(cough())
        daemon.event("barge_in", after=coughed, what="began")
        daemon.event("barge_in", after=coughed, what="dismissed")
        drained = daemon.event("reply", after=coughed, what="drained", timeout=60)
        assert not [e for e in daemon.events[coughed:] if e.get("what") == "interrupted"]
        assert daemon.status()["counters"]["talking_over"]["barge_ins"] == 0
        assert not any(kitchen.server.audio[sent_before : sent_before + 16_000])
        with wave.open(story) as file:
            whole = file.readframes(file.getnframes())
        assert drained["played_ms"] == pytest.approx(len(whole) / 48, abs=60)
        assert similarity(kitchen.heard, whole, 24_000) > 0.95


def cough() -> bytes:
    """Two bursts of noise, 200 ms each, as loud as a person."""
    rng = np.random.default_rng(5)
    fading = np.exp(-np.arange(3200) / 900.0)
    burst = np.convolve(rng.normal(size=3200) * fading, np.ones(5) / 5, mode="same") * 9000
    both = np.concatenate([burst, np.zeros(1600), burst, np.zeros(1600)])
    return bytes(np.clip(both, -32_000, 32_000).astype("<i2").tobytes())


def test_the_wake_word_is_heard_over_the_reply_and_never_in_it(tmp_path: Path) -> None:
    """The reply itself says the wake word, which wakes nobody; a person who says it is heard.

    In the worst room, where nothing can be taken out: of two words at the same moment neither is a
    wake word any more, and the person says it again, louder than an answer. How often is counted by
    the benchmark: about half are heard of who is as loud.
    """
    text = f"My name is hey jarvis. {STORY}"
    path = tmp_path / "named.wav"
    write_reply(path, espeak(text, "en-gb", 150, 24_000))
    turn = Turn(says="a story", audio=str(path), pace="burst", interruptible=False)
    with open_kitchen("rattling", Script(turns=(turn,), silence_ms=700)) as kitchen:
        daemon = kitchen.daemon
        kitchen.wake_and_hear_all()
        assert len(daemon.seen("wake")) == 1, "it woke itself"
        status = daemon.status()
        assert status["duplex"]["mode"] == "half", "a canceller cannot help here"
        assert not any(kitchen.daemon.seen("barge_in"))
        after = daemon.here
        kitchen.ask(after)
        sounds = daemon.event("reply", after=after, what="first_sound")
        daemon.wait(lambda: time.monotonic() > sounds["time"] + 3, "some of the story")
        after = daemon.here
        for _ in range(6):
            kitchen.say("hey jarvis", level_dbfs=-11.0)
            with suppress(AssertionError):
                daemon.event("wake", after=after, timeout=1.5)
                break
        daemon.event("wake", after=after, timeout=1)
        daemon.event("reply", after=after, what="interrupted")
        daemon.state("listening", after=after)


HALF = {"audio": {"duplex": "half"}}


def test_a_short_no_right_after_the_reply_is_heard(story: str) -> None:
    """Also where the microphone was shut until then: the follow-up window has no settling time."""
    short = Turn(says="soon", audio=1500, pace="burst")
    script = Script(turns=(short, Turn(says="ok", audio=300, pace="burst")), silence_ms=500)
    with open_kitchen("small", script, HALF) as kitchen:
        daemon = kitchen.daemon
        for _ in range(CALLS):
            asked = daemon.here
            kitchen.wake_and_hear_all()
            sent_before = len(kitchen.server.audio)
            after, said_at = daemon.here, time.monotonic()
            voice = kitchen.say("no")
            daemon.event("activity", after=after, what="started")
            daemon.event("reply", after=after, what="first_sound")
            drained = daemon.event("reply", after=asked, what="drained")
            if kitchen.onset(voice, said_at) - drained["time"] < 0.4:
                break
        else:
            pytest.fail("the rig never said it at once, so nothing was tried")
        uplink = kitchen.server.audio[sent_before - sent_before % 2 :]
    assert _alike(uplink, voice) > 0.9


def test_noise_does_not_keep_the_follow_up_window_open() -> None:
    """A tap that runs and music are no speech: the talk ends when its time is over."""
    config = {"conversation": {"follow_up_s": 3.0, "session_keep_s": 0}}
    script = Script(turns=(Turn(says="soon", audio=800, pace="burst"),), silence_ms=500)
    with open_kitchen("small", script, config) as kitchen:
        daemon = kitchen.daemon
        kitchen.wake_and_hear_all()
        begun = kitchen.sound.start_speaking(hubbub(8.0))
        idle = daemon.state("idle", after=daemon.here - 1)
        drained = daemon.event("reply", what="drained")
        begun.kill()
        begun.wait()
        assert idle["time"] - drained["time"] > 2.4
        assert daemon.took_s(drained["time"], idle["time"]) < 3.6


def hubbub(seconds: float) -> bytes:
    """Water that runs, and three notes of an organ over it, louder than a person far away."""
    time_s = np.arange(round(seconds * 16_000)) / 16_000
    rng = np.random.default_rng(2)
    water = np.convolve(rng.normal(0, 700, len(time_s)), [0.5, 0.3, 0.2], mode="same")
    organ = sum(700 * np.sin(2 * np.pi * hz * time_s) for hz in (523.3, 1046.5, 1568.0))
    return bytes((water + organ).astype("<i2").tobytes())
