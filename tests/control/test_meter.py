"""What somebody sees who looks at what the microphone hears."""

from __future__ import annotations

from contextlib import aclosing

from device.control.meter import Meter
from device.ports import Block
from tests.rig.fakes import FakeDetector, FakeMicrophone

SHORT_S = 0.001


def loud(channels: int, channel: int = 0) -> Block:
    return Block(b"\x00\x40\x00\xc0" * 160 * channels, channels, 2, channel)


def heard(microphone: FakeMicrophone, block: Block) -> None:
    for tap in microphone.taps:
        tap(block)


async def test_it_tells_each_channel_and_the_best_score() -> None:
    """Of all that came since the last reading, however short it was."""
    microphone, detector = FakeMicrophone(), FakeDetector("hey_test")
    meter = Meter(lambda: microphone, lambda: detector, SHORT_S)
    async with aclosing(meter.readings()) as readings:
        nothing = await anext(readings)
        assert (nothing["levels"], nothing["scores"]) == ([], {})
        for score in (0.2, 0.71, 0.1):
            detector.score = score
            heard(microphone, loud(2, channel=1))
        reading = await anext(readings)
        assert (reading["microphone"], reading["microphone_device"]) == ("microphone A", None)
        assert reading["channel"] == 1
        assert reading["scores"] == {"hey_test": 0.71}
        assert [level["peak_dbfs"] for level in reading["levels"]] == [-6.0, -6.0]
        assert reading["silent_s"] == 0.0
        assert (await anext(readings))["scores"] == {}
    assert microphone.taps == set()


async def test_it_follows_to_another_microphone() -> None:
    """After a reload; with other channels."""
    microphones = [FakeMicrophone("microphone A"), FakeMicrophone("microphone B")]
    detector = FakeDetector()
    meter = Meter(lambda: microphones[0], lambda: detector, SHORT_S)
    async with aclosing(meter.readings()) as readings:
        await anext(readings)
        heard(microphones[0], loud(1))
        old = microphones.pop(0)
        reading = await anext(readings)
        assert (len(reading["levels"]), old.taps) == (1, set())
        heard(microphones[0], loud(6))
        reading = await anext(readings)
        assert (reading["microphone"], len(reading["levels"])) == ("microphone B", 6)
    assert microphones[0].taps == set()


async def test_it_tells_how_long_nothing_has_come() -> None:
    """Counted from the last block."""
    now = [100.0]
    microphone, detector = FakeMicrophone(), FakeDetector()
    meter = Meter(lambda: microphone, lambda: detector, SHORT_S, lambda: now[0])
    async with aclosing(meter.readings()) as readings:
        await anext(readings)
        now[0] += 3
        assert (await anext(readings))["silent_s"] == 3.0
        heard(microphone, loud(1))
        assert (await anext(readings))["silent_s"] == 0.0
        now[0] += 2
        assert (await anext(readings))["silent_s"] == 2.0
