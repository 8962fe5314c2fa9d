"""The loudspeaker on a real sound server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from device.announcements import espeak as espeak_ng
from device.announcements.loudness import prepared
from device.announcements.sentences import sentence
from device.audio import portaudio
from device.audio.chimes import alarm_gain, render
from device.audio.loudspeaker import Loudspeaker
from device.audio.playback_thread import PortAudioCard
from device.errors import AudioDeviceError, DeviceTrouble
from device.news import FirstSound, News, PlaybackDrained, PlaybackStarved
from device.ports import OpenDevice, Played
from tests.rig.sound import Recorder, SoundServer, espeak

RATE_HZ = 48_000
Samples = npt.NDArray[np.int64]


class Listener:
    """Collects the news of a speaker, and lets tests wait for them."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self._came = asyncio.Event()

    def post(self, news: News) -> None:
        self.news.append(news)
        self._came.set()

    def of(self, kind: type[News]) -> list[News]:
        return [news for news in self.news if isinstance(news, kind)]

    async def wait(self, kind: type[News], count: int = 1) -> News:
        async with asyncio.timeout(20):
            while len(self.of(kind)) < count:
                self._came.clear()
                await self._came.wait()
        return self.of(kind)[count - 1]


@asynccontextmanager
async def opened(speaker: Loudspeaker, listener: Listener) -> AsyncIterator[None]:
    await speaker.open(listener.post)
    try:
        yield
    finally:
        await speaker.close()


def tone(seconds: float, amplitude: float = 10_000, hz: float = 440) -> bytes:
    time_s = np.arange(round(24_000 * seconds)) / 24_000
    return (amplitude * np.sin(2 * np.pi * hz * time_s)).astype("<i2").tobytes()


async def heard(recorder: Recorder, condition: Callable[[Samples], bool], what: str) -> Samples:
    """What the sink took (left channel), as soon as ``condition`` holds for it."""
    deadline = time.monotonic() + 10
    while True:
        samples = recorder.samples()[:, 0].astype(np.int64)
        if condition(samples):
            return samples
        assert time.monotonic() < deadline, f"waited 10 s for {what}"
        await asyncio.sleep(0.02)


def silent_end(samples: Samples) -> bool:
    """Something was heard, and then nothing for 150 ms."""
    return bool(samples.any()) and not samples[-RATE_HZ * 150 // 1000 :].any()


def trimmed(samples: Samples) -> Samples:
    sounding = np.flatnonzero(samples)
    return samples[sounding[0] : sounding[-1] + 1]


async def undisturbed(attempt: Callable[[], Awaitable[None]]) -> None:
    """Run ``attempt`` until its assertions hold, ten times at most.

    A busy machine starves the sound server's sink now and then, which puts a gap of silence into
    what is recorded. A gap of our own making would be there every time.
    """
    for _ in range(9):
        with contextlib.suppress(AssertionError):
            return await attempt()
    return await attempt()


def sounding(speaker: Loudspeaker) -> bool:
    assert speaker.audible == (speaker.level > 0.01)
    return speaker.audible


def step_after_onset(samples: Samples) -> int:
    """The largest step from one sample to the next; the test tone's own beginning is abrupt."""
    first = np.flatnonzero(samples)[0]
    return int(np.max(np.abs(np.diff(samples[first + RATE_HZ // 100 :]))))


async def test_a_reply_in_chunks_of_any_size_plays_without_a_gap(
    sound_server: SoundServer,
) -> None:
    """Faster than real time, odd byte counts included: what is heard is the reply, resampled."""
    reply = espeak("hello, how are you", rate_hz=24_000)
    whole = np.frombuffer(reply, "<i2").astype(np.float32)
    resampled = np.rint(soxr.resample(whole, 24_000, RATE_HZ)).clip(-32_768, 32_767)
    expected = trimmed(resampled.astype(np.int64))
    sizes = np.random.default_rng(6).integers(1, 4001, 1000)
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    turns = itertools.count(1)

    async def say() -> None:
        turn = next(turns)
        with sound_server.recorder() as recorder:
            rest = reply
            for size in sizes:
                speaker.play(rest[:size], turn)
                rest = rest[size:]
            speaker.play(rest, turn)
            speaker.end_turn(turn)
            drained = await listener.wait(PlaybackDrained, turn)
            samples = await heard(recorder, silent_end, "the end of the reply")
        got = trimmed(samples)[: len(expected)]
        assert len(got) == len(expected)
        assert np.max(np.abs(got - expected)) <= 1
        assert isinstance(drained, PlaybackDrained)
        assert drained.played_ms == pytest.approx(len(whole) / 24, abs=2)

    async with opened(speaker, listener):
        await undisturbed(say)
    assert listener.of(PlaybackStarved) == []
    assert {**speaker.counters, "underruns": 0} == dict.fromkeys(speaker.counters, 0)
    assert set(speaker.counters) == {
        *("underruns", "starved", "dropped_ms", "stale_ms"),
        "cushion_ms",
    }


async def test_clear_is_silence_at_the_sink_within_50_ms_and_no_click(
    sound_server: SoundServer,
) -> None:
    """The median of several; a busy machine may be late once."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    turns = itertools.count(1)
    silent_after_ms = []
    steepest = 10_000 * 2 * np.pi * 440 / RATE_HZ + 10_000 / 240 + 2

    async def say_and_clear() -> None:
        with sound_server.recorder() as recorder:
            speaker.play(tone(3), next(turns))
            await heard(recorder, lambda s: bool(np.count_nonzero(s) > 9600), "the tone")
            cleared_at = time.monotonic()
            played_ms = speaker.clear()
            samples = await heard(recorder, silent_end, "silence")
        last = int(np.flatnonzero(samples)[-1])
        silent_after_ms.append((recorder.time_of(last) - cleared_at) * 1000)
        assert step_after_onset(samples) < steepest
        assert played_ms == pytest.approx(len(trimmed(samples)) / 48, abs=3)

    async with opened(speaker, listener):
        for _ in range(7):
            await undisturbed(say_and_clear)
    assert np.median(silent_after_ms) < 50
    assert listener.of(PlaybackDrained) == []
    assert speaker.clear() == 0


def joined(blocks: list[Played]) -> Samples:
    """What the card was given, with the silence between."""
    assert {block.rate_hz for block in blocks} == {RATE_HZ}
    assert len({block.opening for block in blocks}) == 1
    pieces = [np.frombuffer(block.pcm, "<i2").astype(np.int64) for block in blocks]
    begin = blocks[0].position
    whole = np.zeros(blocks[-1].position + len(pieces[-1]) - begin, np.int64)
    for block, piece in zip(blocks, pieces, strict=True):
        whole[block.position - begin :][: len(piece)] = piece
    return whole


def found_after(whole: Samples, part: Samples) -> int:
    """Where the part lies in the whole, sample for sample."""
    for place in np.flatnonzero(whole == part[0]):
        if np.array_equal(whole[place : place + len(part)], part):
            return int(place)
    raise AssertionError("it is not there")


async def test_a_paused_reply_is_silent_within_60_ms_and_heard_whole(
    sound_server: SoundServer,
) -> None:
    """The median of several; what was told to be played is what the sink took, to the sample."""
    reply = np.frombuffer(espeak("hello, how are you", rate_hz=24_000), "<i2")
    resampled = np.rint(soxr.resample(reply.astype(np.float32), 24_000, RATE_HZ))
    expected = trimmed(resampled.clip(-32_768, 32_767).astype(np.int64))
    fade = RATE_HZ * 5 // 1000
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=100, ceiling_dbfs=0.0)
    turns = itertools.count(1)
    silent_after_ms = []
    late_ms = []

    async def say_and_pause() -> None:
        turn = next(turns)
        with sound_server.recorder() as recorder:
            speaker.take_played()
            speaker.play(reply.tobytes(), turn)
            speaker.end_turn(turn)
            await heard(recorder, lambda s: bool(np.count_nonzero(s) > 19_200), "the reply")
            news = len(listener.news)
            paused_at = time.monotonic()
            speaker.pause()
            before = await heard(recorder, silent_end, "silence")
            last = int(np.flatnonzero(before)[-1])
            assert len(listener.news) == news
            speaker.go_on()
            await listener.wait(PlaybackDrained, turn)
            whole = await heard(recorder, silent_end, "the end of the reply")
            played = list(speaker.take_played())
        silent_after_ms.append((recorder.time_of(last) - paused_at) * 1000)
        given = joined(played)
        begin = found_after(whole, trimmed(given))
        heard_at = played[0].heard_at + np.flatnonzero(given)[0] / RATE_HZ
        late_ms.append((recorder.time_of(begin) - heard_at) * 1000)
        said = trimmed(whole)
        told = trimmed(before)
        assert np.array_equal(told[: -2 * fade], expected[: len(told) - 2 * fade])
        rest = expected[len(told) + fade :]
        assert np.max(np.abs(said[-len(rest) :] - rest)) <= 1

    async with opened(speaker, listener):
        for _ in range(5):
            await undisturbed(say_and_pause)
    print(f"pause to silence: {np.round(sorted(silent_after_ms))} ms")
    print(f"heard later than told: {np.round(sorted(late_ms))} ms")
    assert np.median(silent_after_ms) < 60
    assert np.abs(np.median(late_ms)) < 60
    assert speaker.counters["starved"] == 0


async def test_news_that_come_in_a_pause_wait_until_it_is_over(
    sound_server: SoundServer,
) -> None:
    """The last samples were on their way already; closing ends a pause, and so does clearing."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard())
    speaker.pause()
    speaker.go_on()
    assert speaker.take_played() == []

    async def play_and_pause(turn: int) -> None:
        """All of it is over for the thread before the loop hears of it."""
        news = len(listener.news)
        speaker.play(tone(0.1), turn)
        speaker.end_turn(turn)
        threading.Event().wait(0.4)
        assert not speaker.audible
        speaker.pause()
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(listener.news) == news

    async with opened(speaker, listener):
        await play_and_pause(1)
        speaker.go_on()
        assert [type(news) for news in listener.news] == [FirstSound, PlaybackDrained]
        await play_and_pause(2)
        assert speaker.clear() == 100
        assert len(listener.news) == 2
        speaker.pause()
        assert speaker.clear() == 0
        await play_and_pause(3)
    told = [(type(news), getattr(news, "turn", 0)) for news in listener.news[2:]]
    assert told == [(FirstSound, 3), (PlaybackDrained, 3)]


async def test_drained_comes_when_the_last_sample_was_heard(sound_server: SoundServer) -> None:
    """Neither when the last chunk came nor when it was taken from the buffer."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard())
    async with opened(speaker, listener):
        with sound_server.recorder() as recorder:
            speaker.play(tone(1), 1)
            speaker.end_turn(1)
            first = await listener.wait(FirstSound)
            assert sounding(speaker)
            drained = await listener.wait(PlaybackDrained)
            samples = await heard(recorder, silent_end, "the end of the reply")
            last = int(np.flatnonzero(samples)[-1])
            last_heard_at = recorder.time_of(last)
        assert isinstance(first, FirstSound)
        assert isinstance(drained, PlaybackDrained)
        assert drained.played_ms == 1000
        assert drained.time - first.time == pytest.approx(1, abs=0.1)
        assert drained.time == pytest.approx(last_heard_at, abs=0.1)
        assert not sounding(speaker)
        assert [type(news) for news in listener.news] == [FirstSound, PlaybackDrained]


async def test_chunks_of_old_cleared_and_ended_turns_are_dropped(
    sound_server: SoundServer,
) -> None:
    """Only the newest turn that is still going on may speak."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard())
    async with opened(speaker, listener):
        speaker.play(tone(0.1), 2)
        speaker.play(tone(0.1), 1)
        assert speaker.counters["stale_ms"] == 100
        speaker.clear()
        speaker.play(tone(0.1), 2)
        speaker.end_turn(2)
        assert speaker.counters["stale_ms"] == 200
        speaker.play(tone(0.1), 3)
        speaker.end_turn(3)
        speaker.play(tone(0.1), 3)
        speaker.end_turn(3)
        assert speaker.counters["stale_ms"] == 300
        await listener.wait(PlaybackDrained)
        speaker.play(tone(0.1), 3)
        assert speaker.counters["stale_ms"] == 400
    turns = [news.turn for news in listener.news if isinstance(news, PlaybackDrained)]
    assert turns == [3]


async def test_a_newer_turn_ends_the_one_before(sound_server: SoundServer) -> None:
    """Both are heard whole, one after the other, and both are reported."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    async with opened(speaker, listener):
        with sound_server.recorder() as recorder:
            speaker.play(tone(0.2), 1)
            speaker.play(tone(0.3), 2)
            speaker.end_turn(1)
            speaker.end_turn(2)
            await listener.wait(PlaybackDrained, 2)
            samples = await heard(recorder, silent_end, "the end")
    assert np.count_nonzero(samples) == pytest.approx(RATE_HZ // 2, rel=0.03)
    assert [(type(n), getattr(n, "turn", 0)) for n in listener.news] == [
        (FirstSound, 1),
        (PlaybackDrained, 1),
        (FirstSound, 2),
        (PlaybackDrained, 2),
    ]


async def test_a_turn_without_sound_drains_at_once(sound_server: SoundServer) -> None:
    """The model may answer with a tool call alone."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard())
    async with opened(speaker, listener):
        speaker.end_turn(7)
        drained = await listener.wait(PlaybackDrained)
    assert isinstance(drained, PlaybackDrained)
    assert (drained.turn, drained.played_ms) == (7, 0)


async def test_a_turn_that_stops_coming_is_reported_as_starved(sound_server: SoundServer) -> None:
    """The network is slow: told once for every time the sound runs out."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard())
    async with opened(speaker, listener):
        speaker.play(tone(0.1), 1)
        await listener.wait(PlaybackStarved)
        speaker.play(tone(0.1), 1)
        await listener.wait(PlaybackStarved, 2)
        assert speaker.counters["starved"] == 2
        assert speaker.counters["cushion_ms"] == 80
        assert len(listener.of(FirstSound)) == 1


async def test_a_chime_is_heard_over_a_reply_and_after_its_clear(
    sound_server: SoundServer,
) -> None:
    """It is mixed in, and it is not part of any turn."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    turns = itertools.count(1)
    expected = trimmed(np.rint(render("wake", RATE_HZ) * 32_768).astype(np.int64))
    tail = slice(-RATE_HZ // 10, None)

    async def chime_alone() -> None:
        with sound_server.recorder() as recorder:
            speaker.chime("wake")
            alone = trimmed(await heard(recorder, silent_end, "the chime"))
        assert np.max(np.abs(alone[: len(expected)] - expected)) <= 1

    async def chime_over_a_reply() -> None:
        with sound_server.recorder() as recorder:
            speaker.play(tone(2, amplitude=3000, hz=100), next(turns))
            speaker.chime("wake")
            speaker.clear()
            over = trimmed(await heard(recorder, silent_end, "the chime without the reply"))
        assert np.max(np.abs(over[tail] - expected[tail])) <= 1

    async with opened(speaker, listener):
        await undisturbed(chime_alone)
        await undisturbed(chime_over_a_reply)
    assert listener.of(PlaybackDrained) == []


def clip(kind: str = "key") -> bytes:
    """What is really said: s16le mono 24 kHz."""
    program = espeak_ng.find()
    found = sentence(kind, "en")
    assert program is not None
    assert found is not None
    return prepared(espeak_ng.speak(program, found.voice, found.text), 24_000)


def likeness(one: Samples, other: Samples) -> float:
    """Correlation of two sounds that begin together: 1 when they are one, however loud."""
    length = min(len(one), len(other))
    assert length > 1, "a busy machine cut it short"
    return float(np.corrcoef(one[:length], other[:length])[0, 1])


async def test_a_sentence_is_heard_whole_after_the_chime(sound_server: SoundServer) -> None:
    """First that something is wrong, 150 ms of silence, then what; half a sample is no matter."""
    said = clip()
    resampled = soxr.resample(np.frombuffer(said, "<i2").astype(np.float32), 24_000, RATE_HZ)
    expected = resampled.astype(np.int64)
    chime = np.rint(render("error_account", RATE_HZ) * 32_768).astype(np.int64)
    begin = len(chime) + RATE_HZ * 150 // 1000
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=100)

    def over(samples: Samples) -> bool:
        """As long a silence as none within the sentence."""
        return len(samples) > 3 * RATE_HZ and not samples[-RATE_HZ * 6 // 10 :].any()

    async def chime_and_say() -> None:
        with sound_server.recorder() as recorder:
            speaker.chime("error_account")
            speaker.announce(said + b"\1")
            await heard(recorder, lambda s: bool(s[-RATE_HZ // 50 :].any()), "the chime")
            assert speaker.audible
            samples = await heard(recorder, over, "the end of the sentence")
        assert not sounding(speaker)
        # The first samples of a chime are nothing yet.
        got = samples[np.flatnonzero(samples)[0] - np.flatnonzero(chime)[0] :]
        assert not got[len(chime) : begin].any()
        assert likeness(got[begin:], expected) > 0.999
        assert likeness(got, chime) > 0.999

    async with opened(speaker, listener):
        await undisturbed(chime_and_say)
    assert listener.news == []
    assert speaker.counters["dropped_ms"] == 0


async def test_an_alarm_is_heard_with_its_words_at_its_own_volume_until_it_is_stopped(
    sound_server: SoundServer,
) -> None:
    """At a speaker that is turned down; it is news of no turn."""
    said = clip()
    words = soxr.resample(np.frombuffer(said, "<i2").astype(np.float32), 24_000, RATE_HZ)
    alarm = np.rint(render("alarm", RATE_HZ, alarm_gain(60.0)) * 32_768).astype(np.int64)
    begin = len(alarm) + RATE_HZ * 150 // 1000
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=0)

    async def ring() -> None:
        with sound_server.recorder() as recorder:
            sounds_s = speaker.ring(60.0, 100, said)
            assert sounds_s == pytest.approx((begin + len(words)) / RATE_HZ, abs=0.01)
            enough = begin + RATE_HZ
            samples = await heard(
                recorder, lambda s: bool(s.any()) and len(trimmed(s)) > enough, "words"
            )
            speaker.stop_ringing()
            rest = await heard(recorder, silent_end, "its end")
        got = samples[np.flatnonzero(samples)[0] - np.flatnonzero(alarm)[0] :]
        assert likeness(got, alarm) > 0.999
        assert likeness(got[begin : begin + RATE_HZ], words[:RATE_HZ]) > 0.999
        assert len(trimmed(rest)) < begin + len(words) - RATE_HZ // 2

    assert speaker.ring(0.0, 100) == 0.0
    speaker.stop_ringing()
    async with opened(speaker, listener):
        await undisturbed(ring)
    assert listener.news == []


async def test_hush_silences_a_sentence_within_60_ms_and_no_click(
    sound_server: SoundServer,
) -> None:
    """The median of several; the tone stands for a sentence, since it shows a click."""
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    silent_after_ms = []
    steepest = 10_000 * 2 * np.pi * 440 / RATE_HZ + 10_000 / 240 + 2

    async def say_and_hush() -> None:
        with sound_server.recorder() as recorder:
            speaker.announce(tone(3))
            await heard(recorder, lambda s: bool(np.count_nonzero(s) > 9600), "the sentence")
            assert speaker.clear() == 0
            hushed_at = time.monotonic()
            speaker.hush()
            samples = await heard(recorder, silent_end, "silence")
        last = int(np.flatnonzero(samples)[-1])
        silent_after_ms.append((recorder.time_of(last) - hushed_at) * 1000)
        assert step_after_onset(samples) < steepest

    async with opened(speaker, Listener()):
        for _ in range(7):
            await undisturbed(say_and_hush)
    assert np.median(silent_after_ms) < 60


async def test_a_sentence_without_a_device_is_nothing(sound_server: SoundServer) -> None:
    """Nor is it said later, when nobody knows any more what it was about."""
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    speaker.announce(tone(0.5))
    speaker.hush()
    async with opened(speaker, Listener()):
        with sound_server.recorder() as recorder:
            speaker.play(tone(0.2), 1)
            speaker.end_turn(1)
            samples = await heard(recorder, silent_end, "the reply")
    assert np.count_nonzero(samples) == pytest.approx(RATE_HZ // 5, rel=0.03)


async def test_the_volume_follows_its_curve_without_a_click(sound_server: SoundServer) -> None:
    """From unity to half: an eighth of the amplitude, on a smooth way."""
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    turns = itertools.count(1)

    def turned_down(samples: Samples) -> bool:
        end = samples[-4800:]
        return len(end) == 4800 and bool(end.any()) and int(np.max(np.abs(end))) < 1300

    async def turn_it_down() -> None:
        with sound_server.recorder() as recorder:
            speaker.set_volume(100)
            speaker.play(tone(3), next(turns))
            await heard(recorder, lambda s: bool(np.count_nonzero(s) > 9600), "the tone")
            speaker.set_volume(50)
            await heard(recorder, turned_down, "the lower tone")
            speaker.set_volume(0)
            samples = await heard(recorder, silent_end, "silence at volume 0")
            speaker.clear()
        assert np.max(np.abs(samples)) == pytest.approx(10_000, abs=100)
        assert step_after_onset(samples) < 10_000 * 2 * np.pi * 440 / RATE_HZ + 30

    async with opened(speaker, Listener()):
        await undisturbed(turn_it_down)


async def test_closing_during_a_turn_reports_it_as_drained(sound_server: SoundServer) -> None:
    """Whoever waits for the end of the reply must not wait for ever."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard())
    await speaker.open(listener.post)
    await speaker.open(listener.post)
    speaker.play(tone(5), 1)
    await listener.wait(FirstSound)
    await speaker.close()
    await speaker.close()
    (drained,) = listener.of(PlaybackDrained)
    assert isinstance(drained, PlaybackDrained)
    assert drained.turn == 1
    assert drained.played_ms < 1000


async def test_while_closed_replies_are_dropped_and_turns_drain_at_once(
    sound_server: SoundServer,
) -> None:
    """A conversation goes on without a loudspeaker, and nobody waits."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard())
    speaker.end_turn(0)
    async with opened(speaker, listener):
        assert speaker.description == "'default' (48000 hz, 1 channels)"
    speaker.play(tone(0.5), 1)
    speaker.chime("error")
    assert speaker.clear() == 0
    assert speaker.counters["dropped_ms"] == 500
    assert not sounding(speaker)
    speaker.end_turn(1)
    speaker.end_turn(1)
    assert [news.turn for news in listener.news if isinstance(news, PlaybackDrained)] == [1]
    assert speaker.description == "'default' (48000 hz, 1 channels)"
    assert speaker.device == OpenDevice("default", None, None, 1, 48_000)
    speaker.set_volume(100)
    async with opened(speaker, listener):
        with sound_server.recorder() as recorder:
            speaker.play(tone(0.3), 2)
            speaker.end_turn(2)
            samples = await heard(recorder, silent_end, "the reply")
    assert np.max(samples) == pytest.approx(10_000, abs=20)


async def test_a_missing_device_is_named_with_what_there_is(sound_server: SoundServer) -> None:
    """The message is all an owner needs to correct the YAML."""
    speaker = Loudspeaker(PortAudioCard("seeed"))
    assert (speaker.description, speaker.device) == ("output device 'seeed'", None)
    with pytest.raises(AudioDeviceError, match="no output device contains 'seeed'") as caught:
        await speaker.open(Listener().post)
    assert caught.value.trouble is DeviceTrouble.MISSING


async def test_a_dead_sound_server_is_lost_and_found_again(sound_server: SoundServer) -> None:
    """The reply that was playing is over; the next one plays on the server that came back."""
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    await speaker.open(listener.post)
    speaker.play(tone(5), 1)
    await listener.wait(FirstSound)
    watching = asyncio.create_task(speaker.wait_lost())
    sound_server.kill()
    with pytest.raises(AudioDeviceError) as caught:
        await asyncio.wait_for(watching, 3)
    assert caught.value.trouble is DeviceTrouble.LOST
    assert "'default' is gone" in str(caught.value)
    await speaker.close()
    assert len(listener.of(PlaybackDrained)) == 1

    with pytest.raises(AudioDeviceError):
        await speaker.open(listener.post)
    sound_server.restart()
    async with opened(speaker, listener):
        with sound_server.recorder() as recorder:
            speaker.play(tone(0.2), 2)
            speaker.end_turn(2)
            assert (await heard(recorder, silent_end, "the reply")).any()


async def test_a_suspended_sink_is_stalled_after_3_s_and_can_be_closed(
    sound_server: SoundServer,
) -> None:
    """It takes nothing and says nothing; still no thread hangs in it."""
    speaker = Loudspeaker(PortAudioCard())
    async with opened(speaker, Listener()):
        sound_server.suspend_speaker(True)
        began = time.monotonic()
        with pytest.raises(AudioDeviceError) as caught:
            await speaker.wait_lost()
        assert caught.value.trouble is DeviceTrouble.STALLED
        assert "has taken nothing for 3" in str(caught.value)
        assert 2.5 < time.monotonic() - began < 4.5


async def test_a_card_plugged_in_waits_for_the_end_of_the_reply(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The stream is opened anew for the sake of the list of devices, but only in silence."""
    cards = tmp_path / "cards"
    cards.write_text("one card")
    monkeypatch.setattr(portaudio, "CARDS", cards)
    monkeypatch.setattr(portaudio, "RENEWAL_TIMEOUT_S", 0.1)
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard(), volume=100)
    async with opened(speaker, listener):
        with sound_server.recorder() as recorder:
            cards.write_text("two cards")
            speaker.play(tone(0.6), 1)
            await asyncio.to_thread(portaudio.list_devices)
            speaker.end_turn(1)
            await listener.wait(PlaybackDrained)
            samples = await heard(recorder, silent_end, "the end of the reply")
            assert np.count_nonzero(samples) == pytest.approx(RATE_HZ * 6 // 10, rel=0.02)
            monkeypatch.setattr(portaudio, "RENEWAL_TIMEOUT_S", 5)
            began = time.monotonic()
            await asyncio.to_thread(portaudio.list_devices)
            assert time.monotonic() - began < 3
            speaker.play(tone(0.2), 2)
            speaker.end_turn(2)
            await listener.wait(PlaybackDrained, 2)


async def test_a_reply_beyond_the_buffer_is_dropped_and_counted(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes of one reply are a server gone mad; what was there before plays on."""
    monkeypatch.setattr("device.audio.loudspeaker.CAPACITY_S", 1.0)
    listener = Listener()
    speaker = Loudspeaker(PortAudioCard())
    async with opened(speaker, listener):
        speaker.play(tone(3), 1)
        speaker.end_turn(1)
        drained = await listener.wait(PlaybackDrained)
    assert isinstance(drained, PlaybackDrained)
    assert drained.played_ms + speaker.counters["dropped_ms"] == pytest.approx(3000, abs=3)
    assert drained.played_ms < 1100
