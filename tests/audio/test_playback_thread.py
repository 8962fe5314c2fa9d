"""Feeding a card that tells its progress once in a period."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from device.audio import portaudio
from device.audio.loudspeaker import Loudspeaker
from device.audio.playback_thread import PortAudioCard
from device.errors import AudioDeviceError, DeviceTrouble
from tests.audio.period_card import Clock, PeriodCard
from tests.rig.fakes import until
from tests.rig.sound import SoundServer

SECONDS = 20.0


async def played(
    monkeypatch: pytest.MonkeyPatch,
    late_s: float,
    reply_s: float,
    period_samples: int | None = None,
) -> tuple[PeriodCard, int]:
    """A card after 20 s, which began with a reply, and how many underruns were counted."""
    card = PeriodCard(Clock(late_s), SECONDS, period_samples)
    card.install(monkeypatch, "device.audio.playback_thread")
    speaker = Loudspeaker(PortAudioCard())
    await speaker.open(lambda _news: None)
    if reply_s:
        speaker.play(np.full(round(24_000 * reply_s), 1000, "<i2").tobytes(), 1)
        speaker.end_turn(1)
    card.go.set()
    with pytest.raises(AudioDeviceError, match="unplugged"):
        await speaker.wait_lost()
    await speaker.close()
    return card, speaker.counters["underruns"]


@pytest.mark.parametrize("late_ms", [0.1, 0.5, 1, 3, 5])
@pytest.mark.parametrize("reply_s", [0, 1.013, 30])
@pytest.mark.parametrize("period_samples", [None, 1024, 881])
async def test_a_card_never_runs_dry_in_silence_in_a_reply_and_after_it(
    monkeypatch: pytest.MonkeyPatch, late_ms: float, reply_s: float, period_samples: int | None
) -> None:
    """Whatever periods it took, and though the thread comes some milliseconds late each time."""
    card, underruns = await played(monkeypatch, late_ms / 1000, reply_s, period_samples)
    assert (card.xruns, underruns) == (0, 0)
    assert card.least_samples > 48_000 * 2 // 1000


@pytest.mark.parametrize("reply_s", [0, 30])
async def test_every_time_the_card_runs_dry_is_counted(
    monkeypatch: pytest.MonkeyPatch, reply_s: float
) -> None:
    """Also in silence: it is the same fault, and the next reply would suffer from it."""
    card, underruns = await played(monkeypatch, 0.05, reply_s)
    assert underruns == card.xruns > 100


async def test_a_suspended_card_that_takes_nothing_from_the_start_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without room there is no block to write; the keeper tries again."""
    card = PeriodCard(Clock(0.0), SECONDS)
    card.install(monkeypatch, "device.audio.playback_thread")
    monkeypatch.setattr(card, "get_write_available", lambda: 0 if card.go.wait(10) else 1)
    speaker = Loudspeaker(PortAudioCard())
    await speaker.open(lambda _news: None)
    card.go.set()
    with pytest.raises(OSError, match="it takes no sound"):
        await speaker.wait_lost()
    await speaker.close()


async def test_in_silence_a_fallback_is_left_when_another_card_came(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The ReSpeaker is back after a USB reset: the keeper opens again and chooses anew."""
    cards = tmp_path / "cards"
    cards.write_text("one card")
    monkeypatch.setattr(portaudio, "CARDS", cards)
    monkeypatch.setattr("device.audio.stream_thread.CARDS_LOOK_S", 0.1)
    speaker = Loudspeaker(PortAudioCard(), volume=0)
    await speaker.open(lambda _news: None)
    began = time.monotonic()
    speaker.play(np.full(24_000, 1000, "<i2").tobytes(), 1)
    speaker.end_turn(1)
    cards.write_text("two cards")
    with pytest.raises(AudioDeviceError, match="choosing again") as caught:
        await asyncio.wait_for(speaker.wait_lost(), 10)
    assert time.monotonic() - began > 0.9
    assert caught.value.trouble is DeviceTrouble.LOST
    await speaker.close()


async def test_at_rest_the_stream_to_a_server_is_stopped_and_starts_with_the_first_sound(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sample of it is played, and it is noted that the stream was started anew."""
    monkeypatch.setattr("device.audio.playback_thread.REST_AFTER_S", 0.1)
    stopped = watch(monkeypatch, "stop")
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    await speaker.open(lambda _news: None)
    speaker.chime("wake")
    await until(lambda: speaker.audible)
    await until(lambda: not speaker.audible)
    before = speaker.take_played()
    speaker.rest(True)
    await until(lambda: stopped)
    with sound_server.recorder() as recorder:
        speaker.chime("wake")
        await until(lambda: speaker.audible)
        await until(lambda: not speaker.audible)
        after = speaker.take_played()
        sounded = np.trim_zeros(np.frombuffer(b"".join(each.pcm for each in after), "<i2"))
        await until(lambda: len(np.trim_zeros(recorder.samples()[:, 0])) >= len(sounded))
        heard = recorder.samples()[:, 0]
    assert {block.start for block in before} == {0}
    assert {block.start for block in after} == {1}
    first = int(np.flatnonzero(heard)[0])
    assert np.array_equal(heard[first : first + len(sounded)], sounded)
    played_s = after[0].heard_at - before[0].heard_at
    assert (after[0].position - before[0].position) / 48_000 == pytest.approx(played_s, abs=0.05)
    assert speaker.counters["underruns"] == 0
    await speaker.close()


async def test_a_server_that_goes_while_the_stream_is_stopped_is_missed(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is to be played: the fault is told, and it is opened again in time."""
    monkeypatch.setattr("device.audio.playback_thread.REST_AFTER_S", 0.1)
    monkeypatch.setattr("device.audio.playback_thread.PROBE_S", 0.1)
    stopped = watch(monkeypatch, "stop")
    speaker = Loudspeaker(PortAudioCard())
    await speaker.open(lambda _news: None)
    speaker.rest(True)
    await until(lambda: len(stopped) > 2)
    sound_server.kill()
    with pytest.raises(AudioDeviceError) as caught:
        await asyncio.wait_for(speaker.wait_lost(), 10)
    assert caught.value.trouble is DeviceTrouble.LOST
    await speaker.close()


async def test_a_stopped_stream_can_be_closed_and_its_rest_ended(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, however long it would have slept; longer than a stall it is no stall."""
    monkeypatch.setattr("device.audio.playback_thread.REST_AFTER_S", 0.1)
    monkeypatch.setattr("device.audio.playback_thread.PROBE_S", 60.0)
    monkeypatch.setattr("device.audio.playback_thread.STALL_S", 0.5)
    stopped, started = watch(monkeypatch, "stop"), watch(monkeypatch, "start")
    speaker = Loudspeaker(PortAudioCard())
    await speaker.open(lambda _news: None)
    speaker.rest(True)
    await until(lambda: stopped)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(speaker.wait_lost(), 1.0)
    assert not started
    speaker.rest(False)
    await until(lambda: started)
    speaker.rest(True)
    await until(lambda: len(stopped) > 1)
    await speaker.close()


@pytest.mark.parametrize("awaits", ["a probe", "the end of the rest"])
async def test_a_stopped_stream_that_does_not_start_again_is_a_stall(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, awaits: str
) -> None:
    """A server that hangs holds the call up for ever: the loop must notice all the same."""
    monkeypatch.setattr("device.audio.playback_thread.REST_AFTER_S", 0.1)
    monkeypatch.setattr("device.audio.playback_thread.PROBE_S", 0.1 if "probe" in awaits else 60.0)
    monkeypatch.setattr("device.audio.playback_thread.LOOK_S", 0.05)
    monkeypatch.setattr("device.audio.playback_thread.STALL_S", 0.5)
    goes_on = threading.Event()
    hang = staticmethod(lambda _stream: goes_on.wait())
    monkeypatch.setattr(portaudio.PortAudio, "start", hang)
    stopped = watch(monkeypatch, "stop")
    speaker = Loudspeaker(PortAudioCard())
    await speaker.open(lambda _news: None)
    speaker.rest(True)
    await until(lambda: stopped)
    lost = asyncio.create_task(speaker.wait_lost())
    speaker.rest("probe" in awaits)
    with pytest.raises(AudioDeviceError) as caught:
        await asyncio.wait_for(lost, 10)
    assert caught.value.trouble is DeviceTrouble.STALLED
    goes_on.set()
    await speaker.close()


def watch(monkeypatch: pytest.MonkeyPatch, name: str) -> list[float]:
    """When PortAudio's stream is stopped or started, from now on."""
    calls: list[float] = []
    call = getattr(portaudio.PortAudio, name)

    def noted(stream: object) -> None:
        call(stream)
        calls.append(time.monotonic())

    monkeypatch.setattr(portaudio.PortAudio, name, staticmethod(noted))
    return calls
