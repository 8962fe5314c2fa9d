"""The simulated microphone, by the clock."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import FRAME_SAMPLES, Frame
from device.ports import Microphone
from device.simulator.microphone import WavMicrophone
from device.simulator.voices import load, tone

FAST = 20.0


async def frames(microphone: WavMicrophone, count: int) -> list[Frame]:
    return [await microphone.read() for _ in range(count)]


def block_loop(seconds: float) -> None:
    """Keep the event loop from doing anything, as a long computation would."""
    threading.Event().wait(seconds)


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
