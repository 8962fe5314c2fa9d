"""What was measured of the echo, kept in a file."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.ports import OpenDevice
from device.state.echo import FILE, EchoMemory, Way

SPEAKER = OpenDevice("USB Audio: - (hw:1,0)", 1, None, 2, 48_000)
MICROPHONE = OpenDevice("ReSpeaker 4 Mic Array: USB Audio (hw:2,0)", 2, 0, 6, 16_000)
WAY = Way(SPEAKER, MICROPHONE, "software")
HEADSET = OpenDevice("default", None, None, 1, 48_000)
WHY = "25 dB of the echo are cancelled"


async def kept(folder: Path, way: Way = WAY) -> EchoMemory:
    """A memory that has decided for full duplex and written it down."""
    memory = EchoMemory(folder)
    memory.keep(way, "full", WHY)
    await memory.kept()
    return memory


async def test_a_decision_survives_the_process(tmp_path: Path) -> None:
    """With its reason, in a folder that need not be there yet; nothing else is left in it."""
    folder = tmp_path / "state"
    await kept(folder)
    known = EchoMemory(folder).recall(WAY)
    assert known is not None
    assert (known.mode, known.why) == ("full", WHY)
    assert [path.name for path in folder.iterdir()] == [FILE]


async def test_the_decisions_of_several_ways_are_kept_side_by_side(tmp_path: Path) -> None:
    """Who plugs the headset in again need not measure again."""
    headset = replace(WAY, speaker=HEADSET)
    memory = await kept(tmp_path)
    memory.keep(headset, "half", "")
    await memory.kept()
    later = EchoMemory(tmp_path)
    assert [known and known.mode for known in map(later.recall, (WAY, headset))] == ["full", "half"]


@pytest.mark.parametrize(
    "other",
    [
        replace(WAY, speaker=HEADSET),
        replace(WAY, speaker=replace(SPEAKER, rate_hz=44_100)),
        replace(WAY, microphone=replace(MICROPHONE, name="webcam: - (hw:2,0)")),
        replace(WAY, microphone=replace(MICROPHONE, channel=1)),
        replace(WAY, microphone=replace(MICROPHONE, channels=1)),
        # Without the canceller that earned it, full duplex would answer itself.
        replace(WAY, canceller="none"),
    ],
)
async def test_another_way_is_new(tmp_path: Path, other: Way) -> None:
    """Nothing is known of it."""
    memory = await kept(tmp_path)
    assert memory.recall(other) is None
    assert EchoMemory(tmp_path).recall(other) is None


async def test_cards_that_are_numbered_anew_are_the_same(tmp_path: Path) -> None:
    """The next start of the computer may find them in another order."""
    await kept(tmp_path)
    renumbered = replace(SPEAKER, name="USB Audio: - (hw:12,0)", card=12)
    assert EchoMemory(tmp_path).recall(replace(WAY, speaker=renumbered)) is not None


@pytest.mark.parametrize(
    ("key", "way"),
    [
        (
            (
                "'ReSpeaker 4 Mic Array: USB Audio (hw,0)' (16000 hz, channel 0 of 6)"
                " + 'USB Audio: - (hw,0)' (48000 hz, 2 channels) + software"
            ),
            WAY,
        ),
        (
            "'default' (16000 hz, mono) + 'default' (48000 hz, 1 channels) + none",
            Way(HEADSET, OpenDevice("default", None, 0, 1, 16_000), "none"),
        ),
    ],
)
async def test_the_keys_of_the_file_stay_as_they_are(tmp_path: Path, key: str, way: Way) -> None:
    """A speaker that was measured before an upgrade is not measured again."""
    await kept(tmp_path, way)
    assert list(json.loads((tmp_path / FILE).read_text())) == [key]


def test_nothing_kept_is_the_first_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Which says nothing about it."""
    assert EchoMemory(tmp_path).recall(WAY) is None
    assert caplog.records == []


def record(**changes: object) -> bytes:
    """A file with one decision in it."""
    return json.dumps({WAY.key: {"mode": "full", "why": WHY, "at": 1.0, **changes}}).encode()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    names = st.sampled_from(["mode", "why", "at", "full", "a + b"])
    return st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)


DAMAGED = {
    "empty": b"",
    "half written": record()[:-20],
    "not json": b"full",
    "binary": bytes(range(256)),
    "zeros, as after a power cut": bytes(100),
    "huge": record(why="x" * 100_000),
    "nested without end": b"[" * 60_000,
    "a list": b"[]",
    "a number": b"7",
    "no decision": b'{"a + b": null}',
    "a word": b'{"a + b": "full"}',
    "one without a mode": b'{"a + b": {"why": "", "at": 1}}',
    "an unknown mode": record(mode="treble"),
    "a mode that is none": record(mode=["full"]),
    "no time": record(at="noon"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
async def test_a_damaged_file_costs_nothing_but_another_measurement(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The journal names it, and the next decision sets it aside."""
    path = tmp_path / FILE
    path.write_bytes(content)
    assert EchoMemory(tmp_path).recall(WAY) is None
    (told,) = caplog.records
    assert told.levelno == logging.WARNING
    assert str(path) in told.getMessage()
    await kept(tmp_path)
    assert EchoMemory(tmp_path).recall(WAY) is not None
    assert (tmp_path / f"{FILE}.damaged").read_bytes() == content


def test_a_file_that_cannot_be_read_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Here it is a folder."""
    (tmp_path / FILE).mkdir()
    assert EchoMemory(tmp_path).recall(WAY) is None
    (told,) = caplog.records
    assert str(tmp_path / FILE) in told.getMessage()


async def test_a_folder_that_cannot_be_written_costs_only_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The journal names it; this process remembers."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    memory = EchoMemory(blocked)
    caplog.clear()
    memory.keep(WAY, "full", WHY)
    await memory.kept()
    assert memory.recall(WAY) is not None
    (told,) = caplog.records
    assert f"{blocked / FILE} cannot be written" in told.getMessage()


async def test_nothing_is_written_when_nothing_has_changed(tmp_path: Path) -> None:
    """It decides after every reply, and a memory card wears out."""
    memory = await kept(tmp_path)
    (tmp_path / FILE).unlink()
    memory.keep(WAY, "full", "26 dB of the echo are cancelled")
    await memory.kept()
    assert not (tmp_path / FILE).exists()
    memory.keep(WAY, "half", "")
    await memory.kept()
    assert (tmp_path / FILE).exists()


async def test_what_is_decided_during_the_writing_is_written_too(tmp_path: Path) -> None:
    """However slow the card is."""
    memory = EchoMemory(tmp_path)
    for number in range(20):
        loudspeaker = replace(SPEAKER, name=f"loudspeaker {number}")
        memory.keep(replace(WAY, speaker=loudspeaker), "half", "")
    writing = asyncio.create_task(memory.kept())
    await asyncio.sleep(0)
    memory.keep(WAY, "half", "it took its own echo for a person again and again")
    await writing
    known = EchoMemory(tmp_path).recall(WAY)
    assert known is not None
    assert known.mode == "half"
    assert len(json.loads((tmp_path / FILE).read_text())) == 21


async def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one takes its place only when all of it is on the card."""
    memory = await kept(tmp_path)

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    memory.keep(WAY, "half", "")
    await memory.kept()
    why = "cannot be written (No space left on device): a restart measures the echo anew"
    assert caplog.messages == [f"{tmp_path / FILE} {why}"]
    known = EchoMemory(tmp_path).recall(WAY)
    assert known is not None
    assert known.mode == "full"


async def test_what_a_power_cut_left_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    """The old file counts, and the next one is whole."""
    memory = await kept(tmp_path)
    (tmp_path / f"{FILE}.0123abcd.new").write_bytes(record()[:-20])
    assert EchoMemory(tmp_path).recall(WAY) is not None
    memory.keep(WAY, "half", "")
    await memory.kept()
    known = EchoMemory(tmp_path).recall(WAY)
    assert known is not None
    assert known.mode == "half"
    assert not (tmp_path / f"{FILE}.0123abcd.new").exists()


@settings(deadline=None, max_examples=50)
@given(
    content=st.binary(max_size=100) | st.recursive(SCALARS, nested).map(json.dumps).map(str.encode)
)
def test_nothing_that_may_be_in_the_file_is_raised(content: bytes) -> None:
    """Whether it is JSON or not: another measurement is all that it costs."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, FILE).write_bytes(content)
        assert EchoMemory(Path(folder)).recall(WAY) is None


async def test_without_a_folder_nothing_is_kept() -> None:
    """The demo leaves no trace, and knows until it ends."""
    memory = EchoMemory(None)
    memory.keep(WAY, "full", WHY)
    await memory.kept()
    assert memory.recall(WAY) is not None
    assert EchoMemory(None).recall(WAY) is None
