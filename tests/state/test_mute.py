"""What is remembered of mute: over restarts, crashes, and files that make no sense."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.ports import OpenDevice
from device.state.mute import Kept, MuteMemory

CARD = OpenDevice("reSpeaker XVF3800 4-Mic Array: USB Audio (hw:2,0)", 2, 1, 2, 16_000)


def test_what_was_kept_is_loaded(tmp_path: Path) -> None:
    """By whoever comes next; the folder is made."""
    folder = tmp_path / "state"
    for kept in (Kept(True, CARD), Kept(False, CARD), Kept(True, None)):
        MuteMemory(folder).keep(kept)
        assert MuteMemory(folder).load() == kept
    assert [path.name for path in folder.iterdir()] == ["mute.json"]


def test_only_a_muted_microphone_is_hidden() -> None:
    """Unmuted, the one that opens tells the board itself."""
    assert Kept(True, CARD).hidden == CARD
    assert Kept(False, CARD).hidden is None


def test_without_a_file_or_a_folder_it_is_not_muted(tmp_path: Path) -> None:
    """A new speaker listens."""
    assert MuteMemory(tmp_path).load() == Kept()
    MuteMemory(None).keep(Kept(True))
    assert MuteMemory(None).load() == Kept()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"muted": 1}', b'{"microphone": "x"}', b"\xff\xfe", b"[" * 9000],
)
def test_a_file_that_cannot_be_read_means_muted(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has muted it once; it says so, and how to hear again."""
    (tmp_path / "mute.json").write_bytes(content)
    memory = MuteMemory(tmp_path)
    assert memory.load() == memory.load() == Kept(muted=True)
    assert len(caplog.records) == 1
    assert "the microphone stays closed until 'parley unmute'" in caplog.text


def test_a_folder_in_place_of_the_file_means_muted_too(tmp_path: Path) -> None:
    """Whatever is wrong with it."""
    (tmp_path / "mute.json").mkdir()
    assert MuteMemory(tmp_path).load().muted


def test_an_odd_microphone_is_no_reason_to_mute(tmp_path: Path) -> None:
    """It only tells the board."""
    (tmp_path / "mute.json").write_text('{"muted": false, "microphone": 7}')
    assert MuteMemory(tmp_path).load() == Kept(False, None)


@pytest.mark.parametrize(
    ("text", "microphone"),
    [
        (f"'{CARD.name}' (16000 hz, channel 1 of 2)", replace(CARD, card=None)),
        ("'USB PnP' (48000 hz, mono)", OpenDevice("USB PnP", None, 0, 1, 48_000)),
        ("input device 'auto'", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("muted", [True, False])
def test_a_file_with_the_microphone_s_text_is_understood(
    tmp_path: Path, text: str | None, microphone: OpenDevice | None, *, muted: bool
) -> None:
    """As it lies on speakers that were muted long ago."""
    (tmp_path / "mute.json").write_text(json.dumps({"muted": muted, "microphone": text}))
    assert MuteMemory(tmp_path).load() == Kept(muted, microphone)


def test_a_damaged_file_means_muted_until_the_owner_has_said_otherwise(tmp_path: Path) -> None:
    """At every start; so it stays in its place until then, and is kept beside it after that."""
    (tmp_path / "mute.json").write_bytes(b"{")
    for _ in range(3):
        memory = MuteMemory(tmp_path)
        assert memory.load().muted
    memory.keep(Kept(False, CARD))
    assert MuteMemory(tmp_path).load() == Kept(False, CARD)
    assert (tmp_path / "mute.json.damaged").read_bytes() == b"{"


@settings(deadline=None, max_examples=100)
@given(content=st.binary(max_size=100) | st.text(max_size=40).map(str.encode))
def test_any_bytes_mean_muted(content: bytes) -> None:
    """But those that say otherwise, which are never found by chance; then it can be unmuted."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mute.json").write_bytes(content)
        memory = MuteMemory(Path(folder))
        assert memory.load() == Kept(muted=True)
        memory.keep(Kept(False, CARD))
        assert MuteMemory(Path(folder)).load() == Kept(False, CARD)


def test_file_and_folder_are_on_the_disk_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In that order: content, new name, the folder's list of names."""
    steps: list[str] = []
    synced, replaced = os.fsync, os.replace

    def fsync(number: int) -> None:
        steps.append(f"synced {Path(f'/proc/self/fd/{number}').readlink().name}")
        synced(number)

    def replace(source: Path, target: Path) -> None:
        steps.append(f"{source.name} is {target.name}")
        replaced(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    (tmp_path / "state").mkdir()
    MuteMemory(tmp_path / "state").keep(Kept(True))
    content, named, listed = steps
    assert re.fullmatch(r"synced mute\.json\.[0-9a-f]{8}\.new", content)
    assert named == f"{content.removeprefix('synced ')} is mute.json"
    assert listed == "synced state"


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    """To whoever mutes, who can then pull a plug."""
    (tmp_path / "state").write_text("a file")
    with pytest.raises(OSError, match="exists"):
        MuteMemory(tmp_path / "state").keep(Kept(True))
