"""Feeding a card that tells its progress once in a period."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from device.audio import portaudio
from device.audio.loudspeaker import Loudspeaker
from device.audio.playback_thread import PortAudioCard
from device.errors import AudioDeviceError, DeviceTrouble
from tests.audio.period_card import Clock, PeriodCard
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
