"""The loudspeaker on the simulated card: what is played, and when that is told."""

from __future__ import annotations

import asyncio
import threading
import time
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.audio.chimes import render
from device.audio.devices import Device
from device.audio.loudspeaker import Loudspeaker
from device.audio.playback_thread import PortAudioCard
from device.errors import AudioDeviceError
from device.news import FirstSound, News, PlaybackDrained, PlaybackStarved
from device.ports import OpenDevice, Speaker
from device.simulator.sound_card import SimulatedCard
from device.simulator.voices import load, tone
from tests.audio.period_card import CARD, Clock, PeriodCard

FAST = 20.0
PATIENCE_S = 30.0
MS = 24
FADE = 5 * MS
WAKE = np.rint(render("wake", 24_000) * 32_768).astype(np.int16)

Samples = NDArray[np.int16]


def steady(milliseconds: int, value: int) -> bytes:
    return np.full(milliseconds * MS, value, "<i2").tobytes()


class Posted:
    """Collects what a speaker posts."""

    def __init__(self) -> None:
        self.all: list[News] = []
        self._changed = asyncio.Event()

    def post(self, news: News) -> None:
        self.all.append(news)
        self._changed.set()

    @property
    def told(self) -> list[tuple[type[News], int]]:
        return [(type(news), getattr(news, "turn", 0)) for news in self.all]

    async def until(self, found: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not found():
                self._changed.clear()
                await self._changed.wait()

    async def sounds(self, turn: int) -> FirstSound:
        await self.until(lambda: (FirstSound, turn) in self.told)
        first = self.all[self.told.index((FirstSound, turn))]
        assert isinstance(first, FirstSound)
        return first

    async def drained(self, turn: int) -> PlaybackDrained:
        await self.until(lambda: (PlaybackDrained, turn) in self.told)
        assert self.told.count((PlaybackDrained, turn)) == 1
        end = self.all[self.told.index((PlaybackDrained, turn))]
        assert isinstance(end, PlaybackDrained)
        return end


async def plays(card: SimulatedCard, milliseconds: float) -> None:
    """Let the card take so much more, however slow the machine is."""
    end = len(card.heard) + milliseconds * MS
    async with asyncio.timeout(PATIENCE_S):
        while len(card.heard) < end:  # noqa: ASYNC110 - a card tells nobody how far it is
            await asyncio.sleep(0.001)


def trimmed(samples: Samples) -> Samples:
    sounding = np.flatnonzero(samples)
    return samples[sounding[0] : sounding[-1] + 1]


def only(samples: Samples, value: int) -> int:
    """Where it begins, of samples that all lie together."""
    places = np.flatnonzero(samples == value)
    assert places[-1] - places[0] == len(places) - 1
    return int(places[0])


def place_of(part: Samples, whole: Samples) -> int:
    """Where the part lies in the whole, sample for sample."""
    for place in np.flatnonzero(whole[: len(whole) - len(part) + 1] == part[0]).tolist():
        if np.array_equal(whole[place : place + len(part)], part):
            return int(place)
    raise AssertionError("it is not there")


# --- the same as on a real card ------------------------------------------------------------------


class Recording(PeriodCard):
    """A card at the rate of the replies, which remembers what PortAudio gave it."""

    written = b""

    def devices(self) -> list[Device]:
        return [replace(CARD, default_rate_hz=24_000)]

    def write(self, data: bytes) -> None:
        super().write(data)
        self.written += data


def talk(speaker: Loudspeaker) -> None:
    """A loud reply with a chime over it, another reply, and a sentence of our own."""
    answer = np.frombuffer(load("answer_weather")[0], "<i2").astype(np.int32)
    loud = np.clip(answer * 4, -32_768, 32_767).astype("<i2").tobytes()
    for at in range(0, len(loud), 4999):
        speaker.play(loud[at : at + 4999], 1)
    speaker.chime("wake")
    speaker.play(load("answer_stop")[0], 2)
    speaker.end_turn(2)
    speaker.announce(tone(300))


@pytest.mark.parametrize("volume", [60, 100])
async def test_it_is_given_what_a_real_card_is_given(
    monkeypatch: pytest.MonkeyPatch, volume: int
) -> None:
    """Sample for sample: turns, chimes, sentences, volume and limiter are the speaker's own."""
    seconds = 12.0
    real = Recording(Clock(0.0), seconds)
    real.install(monkeypatch, "device.audio.playback_thread")
    speaker = Loudspeaker(PortAudioCard(), volume)
    await speaker.open(lambda _news: None)
    talk(speaker)
    real.go.set()
    with pytest.raises(AudioDeviceError, match="unplugged"):
        await speaker.wait_lost()
    await speaker.close()

    card = SimulatedCard(speed=FAST)
    simulated = Loudspeaker(card, volume)
    await simulated.open(lambda _news: None)
    talk(simulated)
    await plays(card, seconds * 1000)
    await simulated.close()
    expected = trimmed(np.frombuffer(real.written, "<i2").astype(np.int16))
    assert len(expected) > 9 * 24_000
    assert np.array_equal(trimmed(card.heard), expected)


async def test_its_volume_follows_the_curve_below_the_ceiling() -> None:
    """At 60 % it is 13.3 dB quieter than at 100, and a peak is 1 dB below full scale at most."""
    card, news = SimulatedCard(speed=FAST), Posted()
    speaker = Loudspeaker(card)
    await speaker.open(news.post)
    speaker.play(steady(100, 10_000), 1)
    speaker.end_turn(1)
    await news.drained(1)
    speaker.set_volume(100)
    speaker.play(steady(500, -32_768), 2)
    speaker.end_turn(2)
    await news.drained(2)
    await speaker.close()
    assert np.max(card.heard) == 2160
    assert np.min(card.heard) == -29_204


# --- turns ---------------------------------------------------------------------------------------


async def test_a_turn_is_heard_bit_for_bit_and_told(tmp_path: Path) -> None:
    """Fed faster than real time in odd pieces; first sound and end at the right times."""
    card, news = SimulatedCard(latency_ms=400), Posted()
    speaker = Loudspeaker(card, 100)
    pcm = tone(200)
    began = time.monotonic()
    await speaker.open(news.post)
    for at in range(0, len(pcm), 999):
        speaker.play(pcm[at : at + 999], 1)
    speaker.end_turn(1)
    first = await news.sounds(1)
    assert speaker.audible
    drained = await news.drained(1)
    assert drained.played_ms == 200
    assert drained.time - began >= 0.6
    await speaker.close()
    heard = card.heard
    start = int(np.flatnonzero(heard)[0]) - 1
    assert heard[start : start + 4800].astype("<i2").tobytes() == pcm
    assert not heard[start + 4800 :].any()
    taken_at = card.time_of(start)
    # The end is told as of the card's own clock, in whole blocks of 10 ms; a loop that is late on a
    # busy machine takes the first block late, and says so.
    assert drained.time - taken_at == pytest.approx(0.2 + 0.4, abs=0.011)
    assert taken_at <= first.time < drained.time
    card.write_wav(tmp_path / "heard.wav")
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.readframes(file.getnframes()) == heard.astype("<i2").tobytes()


async def test_a_loop_that_is_late_loses_nothing_and_tells_no_sound_before_it_came() -> None:
    """The card catches up, and never runs dry."""
    card, news = SimulatedCard(), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    await plays(card, 20)
    threading.Event().wait(0.3)
    came_at = time.monotonic()
    speaker.play(tone(50), 1)
    speaker.end_turn(1)
    assert (await news.sounds(1)).time >= came_at
    await news.drained(1)
    async with asyncio.timeout(PATIENCE_S):
        while card.time_of(len(card.heard)) < came_at:
            await plays(card, 10)
    await speaker.close()
    assert np.array_equal(trimmed(card.heard), trimmed(np.frombuffer(tone(50), "<i2")))
    assert speaker.counters["underruns"] == 0


async def test_the_shutter_is_heard_at_any_volume() -> None:
    """A model can turn it to 0 before it looks; nobody is photographed unawares."""
    card = SimulatedCard(speed=FAST)
    speaker = Loudspeaker(card, 0)
    await speaker.open(Posted().post)
    speaker.chime("wake")
    await plays(card, 300)
    before = np.max(np.abs(card.heard))
    speaker.chime("shutter")
    await plays(card, 300)
    await speaker.close()
    assert before == 0
    assert np.max(np.abs(card.heard)) > 500


async def test_clearing_silences_at_once() -> None:
    """Within 50 ms and without an end; the turn's later chunks are dropped."""
    card, news = SimulatedCard(latency_ms=0), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    speaker.play(tone(2000), 1)
    await news.sounds(1)
    await plays(card, 100)
    taken = len(card.heard)
    played_ms = speaker.clear()
    assert 80 <= played_ms <= 400
    speaker.play(tone(2000), 1)
    speaker.play(tone(50), 2)
    speaker.end_turn(2)
    await news.drained(2)
    assert news.told == [(FirstSound, 1), (FirstSound, 2), (PlaybackDrained, 2)]
    assert speaker.counters == {
        **dict.fromkeys(("underruns", "starved", "dropped_ms", "cushion_ms"), 0),
        "stale_ms": 2000,
    }
    await speaker.close()
    assert not card.heard[taken + 50 * MS + FADE :].any()


async def test_a_paused_turn_goes_on_where_it_stopped() -> None:
    """Silent within 50 ms, and no news meanwhile; of the turn nothing is missing."""
    card, news = SimulatedCard(latency_ms=0), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    speaker.play(steady(300, 0x1000), 1)
    speaker.end_turn(1)
    await news.sounds(1)
    await plays(card, 100)
    speaker.pause()
    speaker.chime("wake")
    await plays(card, 300)
    assert (speaker.audible, speaker.level) == (False, 0.0)
    assert len(news.all) == 1
    speaker.go_on()
    assert (await news.drained(1)).played_ms == 300
    await speaker.close()
    heard = card.heard
    whole = np.count_nonzero(heard == 0x1000)
    assert 300 * MS - 3 * FADE <= whole <= 300 * MS
    assert place_of(WAKE[FADE:], heard) > 100 * MS


async def test_a_turn_that_is_heard_to_its_end_in_a_pause_is_drained_after_it() -> None:
    """The card had taken all of it; clearing makes it unsaid."""
    card, news = SimulatedCard(latency_ms=300), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    for turn in (1, 2):
        speaker.play(tone(20), turn)
        speaker.end_turn(turn)
        await news.sounds(turn)
        await plays(card, 30)
        speaker.pause()
        await plays(card, 400)
        assert news.told[-1] == (FirstSound, turn)
        if turn == 1:
            speaker.go_on()
            assert (await news.drained(1)).time < time.monotonic() - 0.05
    assert speaker.clear() == 20
    speaker.go_on()
    await speaker.close()
    assert news.told == [(FirstSound, 1), (PlaybackDrained, 1), (FirstSound, 2)]


async def test_what_was_played_is_told_block_by_block() -> None:
    """With its place since the opening and the moment it is heard; silence is left out."""
    card, news = SimulatedCard(latency_ms=40), Posted()
    speaker = Loudspeaker(card, 50)
    for opening in (1, 2):
        await speaker.open(news.post)
        began = len(card.heard)
        await plays(card, 30)
        speaker.play(tone(100), opening)
        speaker.end_turn(opening)
        await news.drained(opening)
        played = speaker.take_played()
        assert speaker.take_played() == []
        await speaker.close()
        heard = card.heard[began:]
        assert np.count_nonzero(heard) > 2000
        for block in played:
            samples = np.frombuffer(block.pcm, "<i2")
            assert np.array_equal(samples, heard[block.position :][: len(samples)])
            taken_at = card.time_of(began + block.position)
            assert block.heard_at == pytest.approx(taken_at + 0.04)
            assert (block.rate_hz, block.opening) == (24_000, opening)
        assert sum(len(block.pcm) // 2 for block in played) >= np.count_nonzero(heard)


async def test_a_turn_cleared_in_its_last_moment_is_not_drained() -> None:
    """The card has taken all of it, but it is not heard to its end yet."""
    card, news = SimulatedCard(latency_ms=5000), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    speaker.play(tone(20), 1)
    speaker.end_turn(1)
    await news.sounds(1)
    await plays(card, 60)
    assert speaker.clear() == 20
    await speaker.close()
    assert news.told == [(FirstSound, 1)]


async def test_starving_is_told_and_counted_and_makes_the_cushion_thicker() -> None:
    """In the middle of a turn; not after its end. The card itself never runs dry."""
    card, news = SimulatedCard(speed=FAST), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    speaker.play(tone(20), 1)
    await news.until(lambda: (PlaybackStarved, 1) in news.told)
    speaker.play(tone(20), 1)
    await plays(card, 200)
    assert np.count_nonzero(card.heard) <= 20 * MS, "80 ms of it are waited for"
    speaker.end_turn(1)
    assert (await news.drained(1)).played_ms == 40
    await speaker.close()
    assert speaker.counters == {
        **dict.fromkeys(("underruns", "dropped_ms", "stale_ms"), 0),
        "starved": 1,
        "cushion_ms": 80,
    }


# --- what is not a turn --------------------------------------------------------------------------


async def test_a_sentence_is_said_after_the_chime_and_never_in_a_reply() -> None:
    """150 ms after it, bit for bit without half a sample; a reply waits for nobody."""
    card, news = SimulatedCard(speed=FAST), Posted()
    speaker = Loudspeaker(card, 100)
    speaker.announce(b"\x10\x10")
    await speaker.open(news.post)
    speaker.chime("wake")
    speaker.announce(steady(100, 0x1000) + b"\x77")
    await plays(card, 1000)
    speaker.play(steady(100, 0x2000), 1)
    speaker.end_turn(1)
    speaker.announce(steady(100, 0x3000))
    await news.drained(1)
    await plays(card, 1000)
    await speaker.close()
    heard = card.heard
    begin = only(heard, 0x1000)
    assert begin - place_of(WAKE, heard) == len(WAKE) + 150 * MS
    assert np.count_nonzero(heard == 0x1000) == np.count_nonzero(heard == 0x2000) == 100 * MS
    assert np.count_nonzero(heard == 0x3000) >= 100 * MS - FADE
    assert only(heard, 0x3000) > np.flatnonzero(heard == 0x2000)[-1]
    assert not (heard == 0x1010).any()


async def test_a_sentence_is_hushed_or_replaced_and_never_cleared() -> None:
    """It fades out in 5 ms; unsaid ones are not begun; the chime goes on."""
    card, news = SimulatedCard(), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    speaker.hush()
    speaker.announce(steady(1000, 0x1000))
    await plays(card, 50)
    assert speaker.clear() == 0
    await plays(card, 50)
    assert speaker.level == 0.125
    speaker.announce(steady(1000, 0x3000))
    await plays(card, 250)
    assert speaker.level == 0.375
    speaker.hush()
    await plays(card, 60)
    assert speaker.level == 0.0
    speaker.chime("wake")
    speaker.announce(steady(1000, 0x4000))
    speaker.hush()
    await plays(card, 500)
    await speaker.close()
    heard = card.heard
    assert np.max(np.abs(np.diff(heard[only(heard, 0x3000) + FADE :].astype(int)))) <= 0x1000
    assert place_of(WAKE, heard) > np.flatnonzero(heard == 0x3000)[-1]
    assert not (heard == 0x4000).any()


async def test_level_and_audible_follow_what_plays() -> None:
    """A chime counts too; silence is 0."""
    card, news = SimulatedCard(latency_ms=1000), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    await plays(card, 30)
    assert (speaker.audible, speaker.level) == (False, 0.0)
    speaker.chime("wake")
    await plays(card, 60)
    assert speaker.audible
    assert 0.05 < speaker.level < 0.2
    await speaker.close()
    assert (speaker.audible, speaker.level) == (False, 0.0)


# --- the device ----------------------------------------------------------------------------------


async def test_closing_drains_what_was_not_heard_to_its_end() -> None:
    """As far as the card had taken it."""
    card, news = SimulatedCard(latency_ms=5000), Posted()
    speaker = Loudspeaker(card, 100)
    await speaker.open(news.post)
    await speaker.open(news.post)
    speaker.play(tone(20), 1)
    speaker.end_turn(1)
    await plays(card, 60)
    await speaker.close()
    await speaker.close()
    assert (await news.drained(1)).played_ms == 20
    await speaker.open(news.post)
    speaker.play(tone(5000), 2)
    await news.sounds(2)
    await speaker.close()
    assert 0 < (await news.drained(2)).played_ms < 5000
    assert news.told == [
        *((FirstSound, 1), (PlaybackDrained, 1)),
        *((FirstSound, 2), (PlaybackDrained, 2)),
    ]


async def test_while_it_is_closed_chunks_are_dropped_and_turns_end_at_once() -> None:
    """The time it is closed is silence; a chime of then is not heard later."""
    card, news = SimulatedCard(), Posted()
    speaker = Loudspeaker(card, 100)
    speaker.play(tone(30), 1)
    speaker.end_turn(1)
    await speaker.open(news.post)
    await plays(card, 30)
    await speaker.close()
    assert speaker.counters["dropped_ms"] == 30
    speaker.play(tone(10), 2)
    speaker.end_turn(2)
    speaker.chime("wake")
    assert news.told == [(PlaybackDrained, 2)]
    assert speaker.counters["dropped_ms"] == 40
    await asyncio.sleep(0.05)
    opened_at = time.monotonic()
    await speaker.open(news.post)
    assert card.time_of(len(card.heard)) == pytest.approx(opened_at, abs=0.02)
    await plays(card, 30)
    await speaker.close()
    assert not card.heard.any()


async def test_it_is_never_lost() -> None:
    """Waiting for its loss takes for ever."""
    speaker: Speaker = Loudspeaker(SimulatedCard())
    name = "simulated loudspeaker (WAV)"
    assert (speaker.description, speaker.device) == (name, None)
    await speaker.open(Posted().post)
    await speaker.close()
    assert speaker.device == OpenDevice(name, None, None, 1, 24_000)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(speaker.wait_lost(), 0.05)
