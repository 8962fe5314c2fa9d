"""Whatever is in the files of the state directory, the speaker starts, and muted stays muted.

Each file is what it might be, changed anywhere, or nothing of the kind. ``PARLEY_EXAMPLES=20``
tries twenty times as many; ``pytest -s`` prints how many there were.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.config import parse
from device.config.last_good import FILE as LAST_GOOD_FILE
from device.config.last_good import LastGood
from device.state.echo import EchoMemory, Way
from tests.rig.fakes import Hub, microphone_device, speaker_device
from tests.rig.hostile_server import OUT_OF_BOUNDS, TERMINAL, VALUES

EXAMPLES = int(os.environ.get("PARLEY_EXAMPLES", "1"))
OWNERS = Path("/etc/parley/config.yaml")
WAY = Way(speaker_device(), microphone_device(), "none")

tried: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    print(f"\nhostile state files: {dict(tried)}; none ended the speaker")


def contents(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    """The file as it should be, with any value in any place; or anything."""
    records = st.fixed_dictionaries({}, optional={name: of | VALUES for name, of in fields.items()})
    return st.one_of(
        records.map(lambda record: json.dumps(record).encode()),
        VALUES.map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=100),
        st.sampled_from(OUT_OF_BOUNDS),
    )


TALKS = contents(
    handle=st.just("h"),
    model=st.just("some-model"),
    host=st.just("server.test"),
    at=st.floats(),
    gone=st.dictionaries(st.text(max_size=5), st.floats()),
    personas=st.dictionaries(
        st.text(max_size=5),
        st.fixed_dictionaries({}, optional={"handle": VALUES, "at": VALUES, "model": VALUES}),
        max_size=3,
    ),
)
MUTES = contents(muted=st.booleans(), microphone=st.just(TERMINAL))
ECHOES = st.fixed_dictionaries(
    {str(WAY): st.fixed_dictionaries({"mode": st.just("full"), "why": VALUES, "at": VALUES})}
).map(lambda record: json.dumps(record).encode()) | contents(other=VALUES)


@settings(deadline=None, max_examples=100 * EXAMPLES)
@given(talk=TALKS, mute=MUTES, echo=ECHOES)
def test_any_files_are_used_or_left_and_the_speaker_starts(
    talk: bytes, mute: bytes, echo: bytes
) -> None:
    """It never listens where the file does not say that it may."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {"talk": talk, "mute": mute, "echo": echo}.items():
            Path(folder, f"{name}.json").write_bytes(content)

        async def start() -> str:
            hub = Hub(state=Path(folder))
            async with hub.running(hearing=False):
                await asyncio.sleep(0)
                return hub.state

        state = asyncio.run(start())
        recalled = EchoMemory(Path(folder)).recall(WAY)
    assert recalled is None or recalled.mode in {"full", "half"}
    if _says_unmuted(mute):
        assert state != "muted"
    else:
        assert state == "muted"
    tried["files"] += 3


def _says_unmuted(content: bytes) -> bool:
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("muted") is False


@settings(deadline=None, max_examples=100 * EXAMPLES)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.binary(max_size=200))
def test_any_settings_kept_are_settings_or_none(content: str | bytes) -> None:
    """Also where whoever wrote them knew how the file begins."""
    with tempfile.TemporaryDirectory() as folder:
        last_good = LastGood(Path(folder), OWNERS, parse)
        path = Path(folder, LAST_GOOD_FILE)
        if isinstance(content, str):
            head = f"# {zlib.crc32(content.encode()):08x} was in force last, of {str(OWNERS)!r}"
            path.write_bytes(f"{head}\n{content}".encode())
        else:
            path.write_bytes(content)
        last_good.recall()
    tried["files"] += 1
