"""The simulated microphone and loudspeaker, by the clock."""

from __future__ import annotations

import asyncio
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import FRAME_SAMPLES, Frame
from device.news import FirstSound, News, PlaybackDrained, PlaybackStarved
from device.ports import Microphone, OpenDevice, Speaker
from device.simulator.sound import WavMicrophone, WavSpeaker
from device.simulator.voices import load, tone

FAST = 20.0


def chime(name: str, rate_hz: int) -> NDArray[np.float32]:
    return np.full(rate_hz // 20, 0.25 if name == "wake" else -0.5, np.float32)


async def frames(microphone: WavMicrophone, count: int) -> list[Frame]:
    return [await microphone.read() for _ in range(count)]


def block_loop(seconds: float) -> None:
    """Keep the event loop from doing anything, as a long computation would."""
    threading.Event().wait(seconds)


class Posted:
    """Collects what a speaker posts."""

    def __init__(self) -> None:
        self.all: list[News] = []
        self._changed = asyncio.Event()

    def post(self, news: News) -> None:
        self.all.append(news)
        self._changed.set()

    async def until(self, found: Callable[[list[News]], bool]) -> None:
        async with asyncio.timeout(10):
            while not found(self.all):
                self._changed.clear()
                await self._changed.wait()

    async def drained(self, turn: int) -> PlaybackDrained:
        def end() -> list[PlaybackDrained]:
            return [n for n in self.all if isinstance(n, PlaybackDrained) and n.turn == turn]

        await self.until(lambda _: bool(end()))
        assert len(end()) == 1
        return end()[0]


# --- the microphone ------------------------------------------------------------------------------


async def test_it_hears_its_segments_bit_for_bit() -> None:
    """Silence, a recording by name, samples; then silence for ever."""
    pcm = tone(30, 16_000)
    microphone = WavMicrophone([40, "wake", pcm], speed=100)
    await microphone.open()
    wake = load("wake")[0]
    got = await frames(microphone, 2 + -(-len(wake) // 640) + 2 + 3)
    heard = b"".join(frame.pcm for frame in got)
    assert heard[: 2 * 640] == bytes(2 * 640)
    assert heard[2 * 640 :].startswith(wake)
    tail = heard[len(heard) - 5 * 640 :]
    assert tail == pcm + bytes(5 * 640 - len(pcm))
    assert [f.first_sample for f in got] == [n * FRAME_SAMPLES for n in range(len(got))]
    assert microphone.counters == {"frames": len(got), "overruns": 0, "dropped": 0}
    await microphone.close()


async def test_frames_come_when_they_are_due() -> None:
    """20 ms each, faster by the factor; a late reader gets the backlog at once."""
    microphone: Microphone = WavMicrophone(speed=2.0)
    began = time.monotonic()
    await microphone.open()
    for _ in range(20):
        last = await microphone.read()
    assert 0.2 <= time.monotonic() - began < 1.0
    assert last.captured_at == pytest.approx(began + 0.2, abs=0.05)
    block_loop(0.5)
    again = time.monotonic()
    for _ in range(45):
        await microphone.read()
    assert time.monotonic() - again < 0.3
    await microphone.close()


async def test_it_can_be_spoken_to_while_it_runs() -> None:
    """At the place it says, one after the other; waiting for the end of it works."""
    microphone = WavMicrophone(speed=FAST)
    await microphone.open()
    await frames(microphone, 3)
    pcm = tone(40, 16_000)
    assert microphone.say(pcm) == 3 * FRAME_SAMPLES
    assert microphone.say(20) == 5 * FRAME_SAMPLES
    assert microphone.say(b"") == 6 * FRAME_SAMPLES
    said = asyncio.create_task(microphone.wait_said())
    got = await frames(microphone, 2)
    assert b"".join(frame.pcm for frame in got) == pcm
    assert not said.done()
    await frames(microphone, 1)
    await asyncio.wait_for(said, 5)
    await microphone.close()


async def test_what_is_said_while_it_is_closed_is_lost() -> None:
    """And the place in the stream jumps by the time that passed."""
    microphone = WavMicrophone([tone(200, 16_000)], speed=FAST)
    await microphone.open()
    await frames(microphone, 2)
    await microphone.close()
    await microphone.close()
    with pytest.raises(AudioDeviceError, match="is gone"):
        await microphone.read()
    await asyncio.wait_for(wait_until(time.monotonic() + 0.05), 5)
    await microphone.open()
    frame = await microphone.read()
    assert frame.first_sample >= 40 * FRAME_SAMPLES
    assert frame.first_sample % FRAME_SAMPLES == 0
    assert not any(frame.pcm)
    await asyncio.wait_for(microphone.wait_said(), 1)


async def wait_until(moment: float) -> None:
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_at(moment, passed.set_result, None)
    await passed


async def test_opening_an_open_one_changes_nothing() -> None:
    """No frame is lost by it."""
    microphone = WavMicrophone(speed=FAST)
    await microphone.open()
    block_loop(0.02)
    await microphone.open()
    assert (await microphone.read()).first_sample == 0


async def test_cancelling_a_read_loses_no_frame() -> None:
    """The next read returns the frame."""
    microphone = WavMicrophone()
    await microphone.open()
    reading = asyncio.create_task(microphone.read())
    await wait_until(time.monotonic())
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await microphone.read()).first_sample == 0


async def test_it_can_be_unplugged() -> None:
    """Reading and opening say so until it is back."""
    microphone = WavMicrophone(speed=FAST)
    await microphone.open()
    microphone.unplug()
    with pytest.raises(AudioDeviceError) as lost:
        await microphone.read()
    assert lost.value.trouble is DeviceTrouble.LOST
    await microphone.close()
    with pytest.raises(AudioDeviceError, match=r"no simulated microphone \(WAV\); plug") as missing:
        await microphone.open()
    assert missing.value.trouble is DeviceTrouble.MISSING
    microphone.plug_in()
    await microphone.open()
    await microphone.read()


# --- the loudspeaker -----------------------------------------------------------------------------


async def test_a_turn_is_heard_bit_for_bit_and_told(tmp_path: Path) -> None:
    """Fed faster than real time in odd pieces; first sound and end at the right times."""
    speaker, news = WavSpeaker(chime, latency_ms=40), Posted()
    pcm = tone(200)
    began = time.monotonic()
    await speaker.open(news.post)
    for at in range(0, len(pcm), 999):
        speaker.play(pcm[at : at + 999], 1)
    speaker.end_turn(1)
    await news.until(lambda every: len(every) == 1)
    assert speaker.audible
    drained = await news.drained(1)
    assert drained.played_ms == 200
    first = news.all[0]
    assert isinstance(first, FirstSound)
    assert drained.time - began >= 0.24
    await speaker.close()
    heard = speaker.heard
    start = int(np.flatnonzero(heard)[0]) - 1
    assert heard[start : start + 4800].astype("<i2").tobytes() == pcm
    assert not heard[start + 4800 :].any()
    taken_at = speaker.time_of(start)
    # The end is told as of the card's own clock, in whole blocks of 10 ms; a loop that is late on a
    # busy machine takes the first block late, and says so.
    assert drained.time - taken_at == pytest.approx(0.2 + 0.04, abs=0.011)
    assert taken_at <= first.time < drained.time
    speaker.write_wav(tmp_path / "heard.wav")
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.readframes(file.getnframes()) == heard.astype("<i2").tobytes()


async def test_clearing_silences_at_once() -> None:
    """Within 50 ms and without an end; the turn's later chunks are dropped."""
    speaker, news = WavSpeaker(chime, latency_ms=0), Posted()
    await speaker.open(news.post)
    speaker.play(tone(2000), 1)
    await news.until(bool)
    await wait_until(time.monotonic() + 0.1)
    cleared_at = time.monotonic()
    played_ms = speaker.clear()
    assert 80 <= played_ms <= 400
    speaker.play(tone(2000), 1)
    speaker.play(tone(50), 2)
    speaker.end_turn(2)
    await news.drained(2)
    assert [n for n in news.all if isinstance(n, PlaybackDrained)] == news.all[-1:]
    assert speaker.counters == {"underruns": 0, "dropped_ms": 2000}
    await speaker.close()
    samples = int((cleared_at - speaker.time_of(0)) * 24_000)
    quiet = speaker.heard[samples + 240 : samples + 240 + 1]
    assert quiet.size
    sounding = np.flatnonzero(speaker.heard)
    assert len(sounding) <= (played_ms + 5 + 50 + 20) * 24


async def test_a_paused_turn_goes_on_where_it_stopped() -> None:
    """Silent within 50 ms, and no news meanwhile; of the turn nothing is missing."""
    speaker, news = WavSpeaker(chime, latency_ms=0), Posted()
    await speaker.open(news.post)
    speaker.play(b"\x00\x10" * 24 * 300, 1)
    speaker.end_turn(1)
    await news.until(bool)
    await wait_until(time.monotonic() + 0.1)
    speaker.pause()
    speaker.chime("wake")
    await wait_until(time.monotonic() + 0.3)
    assert sounding(speaker) == (False, 0.0)
    assert len(news.all) == 1
    speaker.go_on()
    assert (await news.drained(1)).played_ms == 300
    await speaker.close()
    heard = speaker.heard
    whole = np.count_nonzero(heard == 0x1000)
    assert 300 * 24 - 3 * 120 <= whole <= 300 * 24
    assert np.count_nonzero(heard == 8192) >= 1200 - 120


async def test_a_turn_that_is_heard_to_its_end_in_a_pause_is_drained_after_it() -> None:
    """The card had taken all of it; clearing makes it unsaid."""
    speaker, news = WavSpeaker(chime, latency_ms=50), Posted()
    await speaker.open(news.post)
    for turn in (1, 2):
        speaker.play(tone(20), turn)
        speaker.end_turn(turn)
        await news.until(lambda every: isinstance(every[-1:] and every[-1], FirstSound))
        await wait_until(time.monotonic() + 0.02)
        speaker.pause()
        await wait_until(time.monotonic() + 0.1)
        assert isinstance(news.all[-1], FirstSound)
        if turn == 1:
            speaker.go_on()
            assert (await news.drained(1)).time < time.monotonic() - 0.02
    assert speaker.clear() == 20
    speaker.go_on()
    await speaker.close()
    assert [type(each) for each in news.all] == [FirstSound, PlaybackDrained, FirstSound]


async def test_what_was_played_is_told_block_by_block() -> None:
    """With its place since the opening and the moment it is heard; silence is left out."""
    speaker, news = WavSpeaker(chime, latency_ms=40, volume=50), Posted()
    for opening in (1, 2):
        await speaker.open(news.post)
        began = len(speaker.heard)
        await wait_until(time.monotonic() + 0.03)
        speaker.play(tone(100), opening)
        speaker.end_turn(opening)
        await news.drained(opening)
        played = speaker.take_played()
        assert speaker.take_played() == []
        await speaker.close()
        heard = speaker.heard[began:]
        assert np.count_nonzero(heard) > 2000
        for block in played:
            samples = np.frombuffer(block.pcm, "<i2")
            assert np.array_equal(samples, heard[block.position :][: len(samples)])
            taken_at = speaker.time_of(began + block.position)
            assert block.heard_at == pytest.approx(taken_at + 0.04)
            assert (block.rate_hz, block.opening) == (24_000, opening)
        assert sum(len(block.pcm) // 2 for block in played) >= np.count_nonzero(heard)


async def test_a_turn_cleared_in_its_last_moment_is_not_drained() -> None:
    """The card has taken all of it, but it is not heard to its end yet."""
    speaker, news = WavSpeaker(chime, latency_ms=5000), Posted()
    await speaker.open(news.post)
    speaker.play(tone(20), 1)
    speaker.end_turn(1)
    await news.until(bool)
    await wait_until(time.monotonic() + 0.06)
    assert speaker.clear() == 20
    await speaker.close()
    assert [type(each) for each in news.all] == [FirstSound]


async def test_starving_is_told_and_counted() -> None:
    """In the middle of a turn; not after its end."""
    speaker, news = WavSpeaker(chime, speed=FAST), Posted()
    await speaker.open(news.post)
    speaker.play(tone(20), 1)
    await news.until(lambda every: isinstance(every[-1:] and every[-1], PlaybackStarved))
    speaker.play(tone(20), 1)
    speaker.end_turn(1)
    assert (await news.drained(1)).played_ms == 40
    await speaker.close()
    assert speaker.counters["underruns"] == 1


async def test_chimes_and_volume_are_mixed_in() -> None:
    """Over a reply, which goes on; proportional to the volume, never wrapping around."""
    speaker, news = WavSpeaker(chime, volume=50, speed=FAST), Posted()
    await speaker.open(news.post)
    speaker.chime("wake")
    await wait_until(time.monotonic() + 0.05)
    speaker.set_volume(100)
    speaker.play(b"\x00\x90" * 24_00, 1)
    speaker.chime("error")
    speaker.end_turn(1)
    await news.drained(1)
    await speaker.close()
    heard = speaker.heard
    assert np.count_nonzero(heard == 4096) == 1200
    assert np.count_nonzero(heard == -32_768) == 1200
    assert np.count_nonzero(heard == -28_672) == 1200


def only(samples: NDArray[np.int16], value: int) -> int:
    """Where it begins, of samples that all lie together."""
    places = np.flatnonzero(samples == value)
    assert places[-1] - places[0] == len(places) - 1
    return int(places[0])


async def test_a_sentence_is_said_after_the_chime() -> None:
    """150 ms after it, bit for bit without half a sample; a reply waits for nobody."""
    speaker, news = WavSpeaker(chime, speed=FAST), Posted()
    speaker.announce(b"\x10\x10")
    await speaker.open(news.post)
    speaker.chime("wake")
    speaker.announce(b"\x00\x10" * 2400 + b"\x77")
    await wait_until(time.monotonic() + 0.05)
    speaker.play(b"\x00\x20" * 2400, 1)
    speaker.end_turn(1)
    speaker.announce(b"\x00\x30" * 2400)
    await news.drained(1)
    await wait_until(time.monotonic() + 0.05)
    await speaker.close()
    heard = speaker.heard
    counts = {value: np.count_nonzero(heard == value) for value in (0x1000, 0x2000, 0x3000)}
    assert counts == {0x1000: 2400, 0x2000: 2400 + 1200, 0x3000: 2400}
    assert only(heard, 0x1000) - only(heard[:3600], 0x2000) == 1200 + 3600
    assert only(heard, 0x3000) > np.flatnonzero(heard == 0x2000)[-1]


async def test_a_sentence_is_hushed_or_replaced_and_never_cleared() -> None:
    """It fades out in 5 ms; unsaid ones are not begun; the chime goes on."""
    speaker, news = WavSpeaker(chime), Posted()
    await speaker.open(news.post)
    speaker.hush()
    speaker.announce(b"\x00\x10" * 24_000)
    await wait_until(time.monotonic() + 0.05)
    assert speaker.clear() == 0
    assert sounding(speaker) == (True, 0.125)
    speaker.announce(b"\x00\x30" * 24_000)
    await wait_until(time.monotonic() + 0.2)
    assert sounding(speaker) == (True, 0.375)
    speaker.hush()
    await wait_until(time.monotonic() + 0.06)
    assert speaker.level == 0.0
    speaker.chime("wake")
    speaker.announce(b"\x00\x40" * 24_000)
    speaker.hush()
    await wait_until(time.monotonic() + 0.3)
    await speaker.close()
    heard = speaker.heard
    assert only(heard, 0x3000) - np.flatnonzero(heard == 0x1000)[-1] >= 3600
    assert np.max(np.abs(np.diff(heard[only(heard, 0x3000) + 1 :].astype(int)))) <= 0x2000
    assert np.count_nonzero(heard == 0x2000) == 1200
    assert not (heard == 0x4000).any()


def sounding(speaker: WavSpeaker) -> tuple[bool, float]:
    return speaker.audible, round(speaker.level, 3)


async def test_level_and_audible_follow_what_plays() -> None:
    """A chime counts too; silence is 0."""
    speaker, news = WavSpeaker(lambda name, rate: np.full(rate, 8192, np.int16)), Posted()
    await speaker.open(news.post)
    await wait_until(time.monotonic() + 0.03)
    assert sounding(speaker) == (False, 0.0)
    speaker.chime("wake")
    await wait_until(time.monotonic() + 0.05)
    assert sounding(speaker) == (True, 0.25)
    await speaker.close()
    assert sounding(speaker) == (False, 0.0)


async def test_closing_drains_what_was_playing() -> None:
    """Also what was taken and not heard yet; closed, chunks are dropped and turns end at once."""
    speaker, news = WavSpeaker(chime, latency_ms=5000), Posted()
    speaker.play(tone(30), 1)
    speaker.end_turn(1)
    await speaker.open(news.post)
    await speaker.open(news.post)
    speaker.play(tone(20), 2)
    speaker.end_turn(2)
    await wait_until(time.monotonic() + 0.06)
    speaker.play(tone(5000), 3)
    await news.until(lambda every: len(every) == 2)
    await speaker.close()
    await speaker.close()
    assert [(type(n), n.turn) for n in news.all if isinstance(n, FirstSound | PlaybackDrained)] == [
        (FirstSound, 2),
        (FirstSound, 3),
        (PlaybackDrained, 2),
        (PlaybackDrained, 3),
    ]
    assert speaker.counters["dropped_ms"] == 30
    speaker.play(tone(10), 4)
    speaker.end_turn(4)
    assert isinstance(news.all[-1], PlaybackDrained)
    speaker.chime("wake")
    length = len(speaker.heard)
    await wait_until(time.monotonic() + 0.05)
    await speaker.open(news.post)
    assert len(speaker.heard) > length, "the time it was closed is silence"
    await wait_until(time.monotonic() + 0.03)
    await speaker.close()
    assert not speaker.heard[length:].any()


class OtherSpeaker:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lost = asyncio.Event()
        self.description = "a real card"
        self.device = OpenDevice("card (hw:1,0)", 1, None, 2, 48_000)

    def __getattr__(self, name: str) -> Callable[..., object]:
        def note(*arguments: object) -> int:
            self.asked.append(name)
            return 0

        return note

    async def open(self, post: Callable[[News], None]) -> None:
        self.asked.append("open")
        post(FirstSound(1, 0.0))

    async def close(self) -> None:
        self.asked.append("close")

    async def wait_lost(self) -> None:
        await self.lost.wait()
        raise AudioDeviceError(DeviceTrouble.LOST, "the real card is gone")


async def test_another_speaker_plays_the_same() -> None:
    """The news come from the simulated one alone; the loss of the other is a loss."""
    other, news = OtherSpeaker(), Posted()
    speaker: Speaker = WavSpeaker(chime, tee=other)  # type: ignore[arg-type]
    assert (speaker.description, speaker.device) == ("a real card", other.device)
    await speaker.open(news.post)
    speaker.play(b"", 1)
    speaker.end_turn(1)
    speaker.chime("wake")
    speaker.announce(b"")
    speaker.hush()
    speaker.set_volume(5)
    speaker.pause()
    speaker.go_on()
    speaker.clear()
    assert speaker.take_played() == []
    losing = asyncio.create_task(speaker.wait_lost())
    other.lost.set()
    with pytest.raises(AudioDeviceError, match="the real card is gone"):
        await losing
    await speaker.close()
    assert news.all == []
    heard = ["play", "end_turn", "chime", "announce", "hush", "set_volume"]
    assert other.asked == ["open", *heard, "pause", "go_on", "clear", "close"]


async def test_alone_it_is_never_lost() -> None:
    """Waiting for its loss takes for ever."""
    speaker = WavSpeaker(chime)
    name = "simulated loudspeaker (WAV)"
    assert (speaker.description, speaker.device) == (name, None)
    await speaker.open(Posted().post)
    await speaker.close()
    assert speaker.device == OpenDevice(name, None, None, 1, 24_000)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(speaker.wait_lost(), 0.05)
