"""The microphone on a real sound server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from device.audio import liveness, portaudio
from device.audio.capture_thread import QUEUE_BLOCKS
from device.audio.devices import CardFacts, Device
from device.audio.microphone import PortAudioMicrophone
from device.errors import AudioDeviceError, AudioDeviceHungError, DeviceTrouble
from device.frames import FRAME_SAMPLES, Frame
from device.ports import Block, OpenDevice
from tests.audio.period_card import Clock, PeriodCard
from tests.rig.sound import Sink, SoundServer, wait_until

Samples = npt.NDArray[np.int16]


@asynccontextmanager
async def opened(microphone: PortAudioMicrophone) -> AsyncIterator[PortAudioMicrophone]:
    await microphone.open()
    try:
        yield microphone
    finally:
        await microphone.close()


def noise(samples: int, channels: int = 1) -> Samples:
    values = np.random.default_rng(9).integers(-20_000, 20_000, (samples, channels))
    return values.astype("<i2")


async def heard_while(
    microphone: PortAudioMicrophone, server: SoundServer, samples: Samples
) -> list[Frame]:
    """Everything the microphone gives while samples are fed into it, and 0.4 s more."""
    feeding = asyncio.create_task(asyncio.to_thread(server.speak_raw, samples))
    frames = []
    while not feeding.done():
        frames.append(await microphone.read())
    await feeding
    return frames + [await microphone.read() for _ in range(20)]


def joined(frames: list[Frame]) -> Samples:
    return np.frombuffer(b"".join(frame.pcm for frame in frames), "<i2")


async def _frames(microphone: PortAudioMicrophone, count: int) -> list[Frame]:
    return [await microphone.read() for _ in range(count)]


async def read_until_trouble(microphone: PortAudioMicrophone) -> AudioDeviceError:
    while True:
        try:
            await microphone.read()
        except AudioDeviceError as error:
            return error


@pytest.mark.parametrize("channel", ["auto", 0])
async def test_at_16_khz_every_sample_arrives_bit_for_bit(
    sound_server: SoundServer, channel: int
) -> None:
    """Nothing lost, doubled, reordered or computed with; frames count on without a hole."""
    spoken = noise(24_000)
    async with opened(PortAudioMicrophone(channel=channel)) as microphone:
        frames = await heard_while(microphone, sound_server, spoken)
    heard = joined(frames)
    start = np.flatnonzero(heard)[0]
    assert np.array_equal(heard[start : start + len(spoken)], spoken[:, 0])
    places = [frame.first_sample for frame in frames]
    assert places == list(range(0, len(frames) * FRAME_SAMPLES, FRAME_SAMPLES))
    assert microphone.counters == {"frames": len(frames), "overruns": 0, "dropped": 0}


@pytest.mark.parametrize(("channels", "channel"), [(4, 1), (4, 2), (6, 0)])
async def test_a_channel_of_an_array_behind_a_server_arrives_bit_for_bit(
    channels: int, channel: int, start_sound_server: Callable[[Sink], SoundServer]
) -> None:
    """The server would mix its channels into fewer, if it were asked for fewer."""
    spoken = noise(16_000, channels)
    server = start_sound_server(Sink(16_000, channels))
    async with opened(PortAudioMicrophone(channel=channel)) as microphone:
        heard = joined(await heard_while(microphone, server, spoken))
    start = np.flatnonzero(heard)[0]
    assert np.array_equal(heard[start : start + len(spoken)], spoken[:, channel])


async def test_one_channel_of_a_48_khz_card_is_picked_and_resampled(
    start_sound_server: Callable[[Sink], SoundServer],
) -> None:
    """The board says which; the other channel is not mixed in."""
    time_s = np.arange(48_000) / 48_000
    wanted = 9000 * np.sin(2 * np.pi * (300 + 500 * time_s) * time_s)
    other = 9000 * np.sin(2 * np.pi * 3100 * time_s)
    both = np.stack([other, wanted], axis=1).astype("<i2")
    asked: list[str] = []

    def facts(device: Device) -> CardFacts:
        asked.append(device.name)
        return CardFacts(channel=1)

    server = start_sound_server(Sink(48_000, 2))
    async with opened(PortAudioMicrophone(facts=facts)) as microphone:
        heard = joined(await heard_while(microphone, server, both)).astype(float)
    reference = soxr.resample(wanted, 48_000, 16_000)
    offset = int(np.argmax(np.correlate(heard, reference, "valid")))
    match = heard[offset : offset + len(reference)]
    assert np.corrcoef(match, reference)[0, 1] > 0.99
    assert asked == ["default"]
    assert microphone.description == "'default' (16000 hz, channel 1 of 8)"
    assert microphone.device == OpenDevice("default", None, 1, 8, 16_000)


async def test_a_missing_device_is_named_with_what_there_is(sound_server: SoundServer) -> None:
    """The message is all an owner needs to correct the YAML."""
    microphone = PortAudioMicrophone("seeed")
    assert (microphone.description, microphone.device) == ("input device 'seeed'", None)
    with pytest.raises(AudioDeviceError) as caught:
        await microphone.open()
    assert caught.value.trouble is DeviceTrouble.MISSING
    assert str(caught.value) == "no input device contains 'seeed'; found: 'default'"
    await microphone.close()


async def test_a_channel_the_device_does_not_have_is_refused(sound_server: SoundServer) -> None:
    """Before anything is recorded from another one."""
    with pytest.raises(AudioDeviceError, match="no channel 99") as caught:
        await PortAudioMicrophone(channel=99).open()
    assert caught.value.trouble is DeviceTrouble.REFUSED


async def test_reading_a_closed_microphone_is_an_error(sound_server: SoundServer) -> None:
    """It never waits for what cannot come; closing twice is harmless."""
    microphone = PortAudioMicrophone()
    assert (await read_until_trouble(microphone)).trouble is DeviceTrouble.LOST
    await microphone.open()
    await microphone.open()
    waiting = asyncio.create_task(read_until_trouble(microphone))
    await microphone.read()
    await microphone.close()
    assert "is not open" in str(await waiting)
    await microphone.close()


async def test_a_dead_sound_server_is_lost_and_found_again(sound_server: SoundServer) -> None:
    """The same object works on; the time in between is a jump in the count."""
    microphone = PortAudioMicrophone()
    await microphone.open()
    last = await microphone.read()
    sound_server.kill()
    began = time.monotonic()
    error = await read_until_trouble(microphone)
    assert error.trouble is DeviceTrouble.LOST
    assert "'default' is gone" in str(error)
    assert time.monotonic() - began < 2
    await microphone.close()

    with pytest.raises(AudioDeviceError) as caught:
        await microphone.open()
    assert caught.value.trouble is DeviceTrouble.MISSING

    sound_server.restart()
    async with opened(microphone):
        again = await microphone.read()
    jumped_s = (again.first_sample - last.first_sample) / 16_000
    assert jumped_s == pytest.approx(again.captured_at - last.captured_at, abs=0.1)


async def test_a_suspended_source_is_stalled_after_3_s_and_can_be_closed(
    sound_server: SoundServer,
) -> None:
    """It delivers nothing and says nothing; still no thread hangs in it."""
    async with opened(PortAudioMicrophone()) as microphone:
        await microphone.read()
        sound_server.suspend_microphone(True)
        began = time.monotonic()
        error = await read_until_trouble(microphone)
        assert error.trouble is DeviceTrouble.STALLED
        assert "has delivered nothing for 3" in str(error)
        assert 2.5 < time.monotonic() - began < 4
        sound_server.suspend_microphone(False)
    async with opened(microphone):
        await microphone.read()


async def test_a_short_pause_of_the_source_is_survived_and_counted(
    sound_server: SoundServer,
) -> None:
    """The stream goes on by itself, and the samples that were lost show as one overrun."""
    async with opened(PortAudioMicrophone()) as microphone:
        for _ in range(75):
            await microphone.read()
        sound_server.suspend_microphone(True)
        await asyncio.to_thread(time.sleep, 0.5)
        sound_server.suspend_microphone(False)
        for _ in range(150):
            await microphone.read()
        assert microphone.counters["overruns"] == 1


async def test_a_microphone_that_delivers_no_sound_is_dead_until_it_does(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened again it must first prove that it lives: no frame before, and none is lost after."""
    monkeypatch.setattr(liveness, "DEAD_S", 0.5)
    monkeypatch.setattr(liveness, "REPEATED_SOURCE_S", 0.5)
    microphone = PortAudioMicrophone()
    await microphone.open()
    stuck = asyncio.create_task(
        asyncio.to_thread(sound_server.speak_raw, np.full((4 * 16_000, 1), 77, "<i2"))
    )
    given = []
    for _ in range(2):
        error = await read_until_trouble(microphone)
        assert error.trouble is DeviceTrouble.DEAD
        assert "delivers one and the same value: see that the source is not muted" in str(error)
        given.append(microphone.counters["frames"])
        await microphone.close()
        await microphone.open()
    assert given[0] == given[1], "a frame of a dead microphone"
    monkeypatch.setattr(liveness, "DEAD_S", 60)
    monkeypatch.setattr(liveness, "REPEATED_SOURCE_S", 60)
    reading = asyncio.create_task(_frames(microphone, 30))
    await stuck
    assert not reading.done()
    spoken = noise(12_000)
    await asyncio.to_thread(sound_server.speak_raw, spoken)
    heard = joined(await reading)
    # Three whole blocks in a row prove it, and the third counts.
    assert any(
        np.array_equal(heard, spoken[late : late + len(heard), 0]) for late in range(4 * 320)
    )
    await microphone.close()


@pytest.mark.parametrize(
    ("mutes", "cure"),
    [
        (False, "nothing but zeros: see that a mute switch of its own is off, or plug it out and"),
        (True, "nothing but zeros: press its mute button if its red light is on, or plug it out"),
    ],
)
async def test_a_card_that_delivers_nothing_but_zeros_is_dead(
    monkeypatch: pytest.MonkeyPatch, mutes: bool, cure: str
) -> None:
    """As an array does whose microphones did not survive a restart of its host.

    Nobody but its owner can tell that from a mute button which no host can read.
    """
    card = PeriodCard(Clock(0.0), 3_600, silent=True)
    card.install(monkeypatch, "device.audio.capture_thread", "device.audio.microphone")
    card.go.set()
    microphone = PortAudioMicrophone(facts=lambda _device: CardFacts(mutes=mutes))
    await microphone.open()
    error = await read_until_trouble(microphone)
    assert error.trouble is DeviceTrouble.DEAD
    assert cure in str(error)
    await microphone.close()


async def test_a_sound_server_that_hangs_is_reported_as_hung(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing waits 2 s for the thread and no longer: only ending the process helps."""
    monkeypatch.setattr(portaudio, "LOCK_TIMEOUT_S", 0.2)
    microphone = PortAudioMicrophone()
    await microphone.open()
    await microphone.read()
    sound_server.freeze(True)
    try:
        began = time.monotonic()
        with pytest.raises(AudioDeviceHungError, match="does not close within 2 s"):
            await microphone.close()
        assert time.monotonic() - began < 3
        with pytest.raises(AudioDeviceHungError, match="stuck in a call"):
            await microphone.open()
    finally:
        sound_server.freeze(False)

    def ended() -> bool:
        return all(each.name != "microphone" for each in threading.enumerate())

    await asyncio.to_thread(wait_until, ended, "the hung thread to end", 10)


async def test_cancelling_a_read_loses_no_frame(sound_server: SoundServer) -> None:
    """A read is often cancelled: by a time-out, by a mute, by the end."""
    async with opened(PortAudioMicrophone()) as microphone:
        frames: list[Frame] = []
        while len(frames) < 50:
            reading = asyncio.create_task(microphone.read())
            done, _ = await asyncio.wait([reading], timeout=0.007)
            if done:
                frames.append(reading.result())
            else:
                reading.cancel()
                await asyncio.wait([reading])
        places = [frame.first_sample for frame in frames]
        assert places == list(range(0, 50 * FRAME_SAMPLES, FRAME_SAMPLES))


async def test_what_nobody_reads_for_5_s_is_dropped_and_counted(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go, and their place in the count stays empty."""
    monkeypatch.setattr("device.audio.capture_thread.QUEUE_BLOCKS", 5)
    async with opened(PortAudioMicrophone()) as microphone:
        first = await microphone.read()
        await asyncio.to_thread(time.sleep, 0.5)
        second = await microphone.read()
        dropped = microphone.counters["dropped"]
    assert dropped >= 15
    assert second.first_sample == first.end_sample + dropped * FRAME_SAMPLES
    assert QUEUE_BLOCKS == 250


async def test_a_card_plugged_in_makes_an_open_microphone_enter_portaudio_again(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """PortAudio's list is made anew for who asks, and the microphone goes on by itself."""
    cards = tmp_path / "cards"
    cards.write_text("one card")
    starts: list[float] = []
    start = portaudio._start

    def counted() -> Any:
        starts.append(time.monotonic())
        return start()

    monkeypatch.setattr(portaudio, "CARDS", cards)
    monkeypatch.setattr(portaudio, "_start", counted)
    async with opened(PortAudioMicrophone()) as microphone:
        await microphone.read()
        assert await asyncio.to_thread(portaudio.list_devices)
        assert len(starts) == 1
        # A machine that is so busy that nobody leaves in time has the list of yesterday for once.
        for count in ("two", "three", "four"):
            cards.write_text(f"{count} cards")
            assert await asyncio.to_thread(portaudio.list_devices)
            for _ in range(20):
                await microphone.read()
            if len(starts) > 1:
                break
        else:
            pytest.fail("it never entered again")


@pytest.mark.parametrize("late_ms", [0.1, 1, 5, 10, 20, 30])
@pytest.mark.parametrize("rests", [False, True])
async def test_a_card_that_tells_its_progress_once_in_a_period_never_overruns(
    monkeypatch: pytest.MonkeyPatch, late_ms: float, rests: bool
) -> None:
    """Though the thread comes up to 30 ms late each time; on time it leaves little waiting."""
    card = PeriodCard(Clock(late_ms / 1000), 20)
    card.install(monkeypatch, "device.audio.capture_thread", "device.audio.microphone")
    microphone = PortAudioMicrophone()
    microphone.rest(rests)
    await microphone.open()
    card.go.set()
    assert "unplugged" in str(await read_until_trouble(microphone))
    await microphone.close()
    assert card.xruns == 0
    assert card.most_samples <= 16 * (40 + 5 + late_ms + 2)


@pytest.mark.parametrize("late_ms", [0.1, 3, 8])
@pytest.mark.parametrize("period_samples", [320, 512, 1024])
async def test_at_rest_a_card_with_other_periods_never_overruns_and_is_looked_at_seldom(
    monkeypatch: pytest.MonkeyPatch, late_ms: float, period_samples: int
) -> None:
    """How long they are is learned from what it tells."""
    clock = Clock(late_ms / 1000)
    card = PeriodCard(clock, 60, period_samples)
    card.install(monkeypatch, "device.audio.capture_thread", "device.audio.microphone")
    microphone = PortAudioMicrophone()
    microphone.rest(True)
    await microphone.open()
    card.go.set()
    assert "unplugged" in str(await read_until_trouble(microphone))
    await microphone.close()
    assert card.xruns == 0
    assert clock.naps < 60 * 3.2 * 16_000 / period_samples


async def test_a_fallback_is_left_when_another_card_came(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The array is back after a USB reset: the keeper opens again and chooses anew."""
    cards = tmp_path / "cards"
    cards.write_text("one card")
    monkeypatch.setattr(portaudio, "CARDS", cards)
    monkeypatch.setattr("device.audio.stream_thread.CARDS_LOOK_S", 0.1)
    async with opened(PortAudioMicrophone()) as microphone:
        await microphone.read()
        cards.write_text("two cards")
        error = await asyncio.wait_for(read_until_trouble(microphone), 5)
        assert error.trouble is DeviceTrouble.LOST
        assert "choosing again" in str(error)


async def test_a_stall_is_told_in_the_same_words_every_time(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A growing number would make each retry a new fault."""
    monkeypatch.setattr("device.audio.microphone.STALL_S", 0.5)
    async with opened(PortAudioMicrophone()) as microphone:
        await microphone.read()
        sound_server.suspend_microphone(True)
        first = await read_until_trouble(microphone)
        await asyncio.to_thread(time.sleep, 0.2)
        assert str(await read_until_trouble(microphone)) == str(first)
        assert str(first).endswith("for 0.5 s")


# --- at rest --------------------------------------------------------------------------------------


def whisper(seconds: float) -> Samples:
    """A quiet room."""
    steps = np.random.default_rng(5).normal(0, 6, (round(seconds * 16_000), 1))
    return np.rint(steps).astype("<i2")


async def test_at_rest_every_sample_arrives_too_and_what_is_loud_is_told_from_what_is_quiet(
    sound_server: SoundServer,
) -> None:
    """Bit for bit, and counted without a hole, over the end of the rest as well."""
    room, spoken = whisper(6.0), noise(16_000)
    fed = np.concatenate([room, spoken])
    async with opened(PortAudioMicrophone()) as microphone:
        microphone.rest(True)
        feeding = asyncio.create_task(asyncio.to_thread(sound_server.speak_raw, fed))
        frames: list[Frame] = []
        while len(frames) * FRAME_SAMPLES < len(fed) - 8_000:
            frames.append(await microphone.read())
        microphone.rest(False)
        await feeding
        frames += [await microphone.read() for _ in range(40)]
    heard = joined(frames)
    start = int(np.flatnonzero(heard)[0])
    first = int(np.flatnonzero(fed[:, 0])[0])
    assert np.array_equal(heard[start : start + len(fed) - first], fed[first:, 0])
    places = [frame.first_sample for frame in frames]
    assert places == list(range(0, len(frames) * FRAME_SAMPLES, FRAME_SAMPLES))
    assert microphone.counters == {"frames": len(frames), "overruns": 0, "dropped": 0}
    loud = (start + len(room) - first) // FRAME_SAMPLES
    # Two hops are looked at together.
    before = [frame.quiet for frame in frames[loud - 100 : loud - 8]]
    assert all(before)
    assert not any(frame.quiet for frame in frames[loud:])


@pytest.mark.parametrize("rate_hz", [32_000, 44_100, 48_000])
async def test_at_rest_a_card_of_another_rate_is_heard_too(
    rate_hz: int, start_sound_server: Callable[[Sink], SoundServer]
) -> None:
    """Though its resampler holds some of each hop back: all frames come, and what is loud soon."""
    server = start_sound_server(Sink(rate_hz, 2))
    room = np.repeat(whisper(5.0 * rate_hz / 16_000), 2, axis=1)
    fed = np.concatenate([room, noise(2 * rate_hz, 2)])
    facts = CardFacts(rates_hz=(rate_hz,))
    async with opened(PortAudioMicrophone(facts=lambda _device: facts)) as microphone:
        microphone.rest(True)
        feeding = asyncio.create_task(asyncio.to_thread(server.speak_raw, fed))
        frames = [await microphone.read() for _ in range(round(6.5 * 50))]
        assert microphone.device is not None
        assert microphone.device.rate_hz == rate_hz
        late_s = time.monotonic() - frames[-1].captured_at
        await feeding
    places = [frame.first_sample for frame in frames]
    assert places == list(range(0, len(frames) * FRAME_SAMPLES, FRAME_SAMPLES))
    assert any(frame.quiet for frame in frames)
    assert not frames[-1].quiet
    assert late_s < 0.2


async def test_at_rest_the_loop_is_woken_seldom_and_the_stamps_stay_right(
    sound_server: SoundServer,
) -> None:
    """Three times a second in a quiet room, once a hop otherwise, at each block when it is over."""
    woken: list[float] = []

    async def frames_of(seconds: float) -> list[Frame]:
        frames = []
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            waited = time.perf_counter()
            frames.append(await microphone.read())
            if time.perf_counter() - waited > 0.002:
                woken.append(time.monotonic())
        return frames

    def fed(samples: Samples) -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.to_thread(sound_server.speak_raw, samples))

    async with opened(PortAudioMicrophone()) as microphone:
        microphone.rest(True)
        feeding = fed(np.concatenate([whisper(9.0), noise(4 * 16_000)]))
        await frames_of(5.0)
        woken.clear()
        quiet = await frames_of(3.0)
        assert len(quiet) > 100
        assert len(woken) < len(quiet) / 6
        steps = np.diff([frame.captured_at for frame in quiet])
        assert np.median(steps) == pytest.approx(0.02, abs=0.005)
        assert steps.min() > -0.02
        await frames_of(1.5)
        woken.clear()
        loud = await frames_of(2.0)
        assert len(woken) < len(loud) / 2.5
        await feeding


async def test_whoever_watches_the_microphone_is_told_each_block_at_rest_too(
    sound_server: SoundServer,
) -> None:
    """The level meter moves as ever."""
    told: list[Block] = []
    async with opened(PortAudioMicrophone()) as microphone:
        microphone.rest(True)
        await _frames(microphone, 50)
        microphone.taps.add(told.append)
        await _frames(microphone, 50)
    one = 2 * FRAME_SAMPLES * told[-1].channels
    assert [len(block.pcm) for block in told[8:]] == [one] * (len(told) - 8)
    assert len(told) > 30
