"""The folder of clips: what it keeps and for how long, and whatever else may be in it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import WakeClipError
from device.state import wake_clips
from device.state.wake_clips import (
    MOST_BYTES,
    MOST_CLIPS,
    MOST_FILE_BYTES,
    ClipFolder,
    as_wav,
    fresh_id,
    from_wav,
)
from tests.rig.daemon import ROOT
from tests.state.clips import LONG_AGO, NOW, fill, kept, name_of

ABOUT = b'"said": null'


def ids(folder: ClipFolder) -> list[str]:
    return [each.id for each in folder.contents().clips]


def test_a_clip_is_kept_as_it_was(tmp_path: Path) -> None:
    """To the last digit of its scores; for its owner only, whatever the umask."""
    first, second = kept("aaaaa", NOW - 1, woke=True, score=0.1 + 0.2), kept("bbbbb", said=False)
    before = os.umask(0)
    try:
        folder = fill(tmp_path, second, first)
    finally:
        os.umask(before)
    assert list(folder.contents().clips) == [first, second]
    assert folder.clip("aaaaa") == first
    assert folder.contents().bytes == sum(len(as_wav(each)) for each in (first, second))
    assert stat.S_IMODE((tmp_path / "wakes").stat().st_mode) == 0o700
    for path in (tmp_path / "wakes").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_any_player_takes_a_clip(tmp_path: Path) -> None:
    """It skips what it does not know."""
    clip = kept("aaaaa")
    fill(tmp_path, clip)
    with wave.open(str(tmp_path / "wakes" / "aaaaa.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        assert file.readframes(file.getnframes()) == clip.clip.pcm


def test_the_fifty_first_takes_the_place_of_the_oldest(tmp_path: Path) -> None:
    """Of those without a label, as long as there are any."""
    clips = [kept(name_of(number), NOW + number) for number in range(MOST_CLIPS)]
    folder = fill(tmp_path, *clips)
    folder.add([kept("newer", NOW + 99)], LONG_AGO, 0)
    assert ids(folder) == [each.id for each in clips[1:]] + ["newer"]
    folder.label(clips[1].id, said=True)
    folder.add([kept("newes", NOW + 100)], LONG_AGO, 0)
    assert ids(folder) == [clips[1].id, *[each.id for each in clips[3:]], "newer", "newes"]
    assert len(list((tmp_path / "wakes").iterdir())) == MOST_CLIPS


def test_what_was_labelled_makes_no_room_for_what_nobody_has_heard(tmp_path: Path) -> None:
    """However many come at once; what finds no place is not written for nothing."""
    heard = [kept(name_of(number), NOW + number, said=True) for number in range(45)]
    folder = fill(tmp_path, *heard)
    new = [kept(name_of(number), NOW + number) for number in range(100, 120)]
    assert folder.add(new, LONG_AGO, 0) == new, "none of them has to wait any longer"
    assert ids(folder) == [each.id for each in (*heard, *new[-5:])]


def test_where_all_are_labelled_the_newest_finds_room(tmp_path: Path) -> None:
    """Whoever tries the word wants to hear that; it costs one place, whatever comes after it."""
    heard = [kept(name_of(number), NOW + number, said=True) for number in range(MOST_CLIPS)]
    folder = fill(tmp_path, *heard)
    for number in range(100, 110, 2):
        new = [kept(name_of(number + more), NOW + number + more) for more in range(2)]
        folder.add(new, LONG_AGO, 0)
        assert ids(folder) == [each.id for each in (*heard[1:], new[-1])]


def test_a_clip_that_is_written_again_takes_no_second_place(tmp_path: Path) -> None:
    """It was labelled while it was on its way."""
    clips = [kept(name_of(number), NOW + number) for number in range(MOST_CLIPS)]
    folder = fill(tmp_path, *clips)
    folder.add([replace(clips[0], said=True)], LONG_AGO, 0)
    assert ids(folder) == [each.id for each in clips]
    assert folder.clip(clips[0].id).said is True


def test_one_clip_is_removed(tmp_path: Path) -> None:
    """Damaged or not; what is no clip stays, and nothing comes back that was on its way."""
    folder = fill(tmp_path, kept("aaaaa"), kept("bbbbb"))
    place = tmp_path / "wakes"
    (place / "ccccc.wav").write_bytes(b"half a")
    (place / "ddddd.wav").symlink_to(place / "bbbbb.wav")
    before = folder.clearings
    assert folder.remove("aaaaa")
    assert folder.remove("ccccc")
    for name in ("aaaaa", "ddddd", "nnnnn", "../wakes/bbbbb", ""):
        assert not folder.remove(name)
    assert sorted(path.name for path in place.iterdir()) == ["bbbbb.wav", "ddddd.wav"]
    assert folder.add([kept("aaaaa")], LONG_AGO, before) == []
    assert not ClipFolder(tmp_path / "none").remove("aaaaa")
    assert not ClipFolder(None).remove("aaaaa")


def test_all_of_them_take_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    """Also where each is longer than any should be."""
    clips = [kept(name_of(number), NOW + number, hops=150) for number in range(30)]
    folder = fill(tmp_path, *clips)
    left = folder.contents()
    assert MOST_BYTES - 400_000 < left.bytes <= MOST_BYTES
    assert left.clips[-1] == clips[-1]


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    """A label does not save it: the owner has said for how long."""
    folder = fill(tmp_path, kept("aaaaa", NOW - 10, said=True), kept("bbbbb", NOW))
    folder.tidy(NOW - 5)
    assert ids(folder) == ["bbbbb"]


def test_a_label_is_written_and_changed(tmp_path: Path) -> None:
    """The sound stays as it is."""
    folder = fill(tmp_path, clip := kept("aaaaa"))
    assert folder.label("aaaaa", said=True).said is True
    assert folder.label("aaaaa", said=False).said is False
    (found,) = ClipFolder(tmp_path).contents().clips
    assert found.said is False
    assert found.clip == clip.clip


def test_cleared_means_all_of_it(tmp_path: Path) -> None:
    """Damaged ones and the rest of a write that was cut short are somebody's voice as well."""
    folder = fill(tmp_path, kept("aaaaa"), kept("bbbbb"))
    place = tmp_path / "wakes"
    (place / "ccccc.wav").write_bytes(b"half a")
    (place / "ddddd.wav.0123abcd.new").write_bytes(b"half a")
    (place / "notes.txt").write_text("mine")
    assert folder.clear() == 3
    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    assert folder.clear() == 0
    assert folder.add([kept("eeeee")], LONG_AGO, 0) == [], "it was on its way when they went"
    assert ids(folder) == []
    assert folder.add([kept("eeeee")], LONG_AGO, folder.clearings)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """By its name, whatever that is; nothing is looked up outside the folder."""
    (tmp_path / "aaaaa.wav").write_bytes(as_wav(kept("aaaaa")))
    fill(tmp_path, kept("bbbbb"))
    (tmp_path / "wakes" / "ccccc.wav").mkdir()
    for name in ("nnnnn", "../aaaaa", "", "bbbbb.wav", "ccccc", "x" * 5000):
        for ask in (tmp_path, tmp_path / "none"):
            with pytest.raises(WakeClipError, match=r"there is no clip .*parley wakes lists"):
                ClipFolder(ask).clip(name)
            with pytest.raises(WakeClipError, match="there is no clip"):
                ClipFolder(ask).label(name, said=True)


def test_without_a_state_directory_nothing_is_kept() -> None:
    """And nothing is found."""
    folder = ClipFolder(None)
    assert folder.add([kept("aaaaa")], LONG_AGO, 0) == []
    assert not folder.contents().clips
    assert folder.clear() == 0
    with pytest.raises(WakeClipError, match="there is no clip"):
        folder.clip("aaaaa")


# --- what else may be there ----------------------------------------------------------------------


def test_what_is_not_ours_is_told_and_left_alone(tmp_path: Path) -> None:
    """Links, pipes, folders and other names: neither read nor followed nor removed."""
    secret = tmp_path / "secret.wav"
    secret.write_bytes(as_wav(kept("eeeee")))
    folder = fill(tmp_path, kept("aaaaa"))
    place = tmp_path / "wakes"
    (place / "bbbbb.wav").symlink_to(secret)
    os.mkfifo(place / "ccccc.wav")
    (place / "ddddd.wav").mkdir()
    (place / "Holiday.wav").write_bytes(b"")
    names = ["Holiday.wav", "bbbbb.wav", "ccccc.wav", "ddddd.wav"]
    assert folder.contents().foreign == names
    assert ids(folder) == ["aaaaa"]
    folder.tidy(LONG_AGO)
    assert folder.clear() == 1
    assert sorted(path.name for path in place.iterdir()) == names
    assert secret.exists()


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Wherever it leads to; nor is a file taken for one."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "wakes").symlink_to(tmp_path / "elsewhere")
    folder = ClipFolder(tmp_path)
    for work in (
        folder.contents,
        folder.clear,
        lambda: folder.tidy(LONG_AGO),
        lambda: folder.add([kept("aaaaa")], LONG_AGO, folder.clearings),
        lambda: folder.clip("aaaaa"),
    ):
        with pytest.raises(OSError, match="it is no folder") as told:
            work()
        assert told.value.errno == errno.ENOTDIR
        assert told.value.filename == str(tmp_path / "wakes")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    """At the next clip."""
    (tmp_path / "wakes").mkdir(mode=0o755)
    fill(tmp_path, kept("aaaaa"))
    assert stat.S_IMODE((tmp_path / "wakes").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no WAV file"),
        (b"RIFF\0\0\0\0WAVE", "it is no clip of a wake word"),
        (as_wav(kept("aaaaa"))[:-1], "it was cut off"),
        (as_wav(kept("aaaaa")).replace(ABOUT, b'"said": nul!'), "no JSON"),
        (as_wav(kept("aaaaa")).replace(ABOUT, b'"said": 1234'), "makes no sense"),
        (as_wav(kept("aaaaa")).replace(b'"at": 1', b'"at":-1'), "makes no sense"),
        (as_wav(kept("aaaaa")).replace(b'"exact": t', b'"exacx": t'), "makes no sense"),
        (as_wav(kept("aaaaa")).replace(b"[0.1, ", b"[1.1, "), "scores"),
        (as_wav(kept("aaaaa")).replace(b"[0.1, ", b"[NaN, "), "scores"),
        (as_wav(kept("aaaaa", hops=200)), f"longer than {MOST_FILE_BYTES}"),
    ],
)
def test_a_damaged_clip_is_listed_as_such(tmp_path: Path, content: bytes, why: str) -> None:
    """It cannot be played or labelled, and ends nothing; the others are there."""
    folder = fill(tmp_path, kept("bbbbb"))
    (tmp_path / "wakes" / "aaaaa.wav").write_bytes(content)
    found = folder.contents()
    assert [each.id for each in found.clips] == ["bbbbb"]
    ((name, told),) = found.damaged
    assert name == "aaaaa.wav"
    assert why in told
    with pytest.raises(
        WakeClipError, match=r"the clip aaaaa is damaged .*parley wakes clear aaaaa"
    ):
        folder.label("aaaaa", said=True)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 700), value=st.integers(0, 255))
def test_any_byte_may_be_wrong(place: int, value: int) -> None:
    """A clip or damaged, nothing else."""
    whole = bytearray(as_wav(kept("aaaaa", hops=1)))
    whole[place] = value
    with contextlib.suppress(ValueError):
        found = from_wav("aaaaa", bytes(whole))
        assert from_wav("aaaaa", as_wav(found)) == found


def test_a_disk_that_takes_no_more_is_told_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there stays, and there is no half a clip."""
    folder = fill(tmp_path, kept("aaaaa"))

    def full(number: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left") as told:
            folder.add([kept("bbbbb")], LONG_AGO, 0)
        assert "bbbbb.wav" in str(told.value.filename)
        with pytest.raises(OSError, match="No space left"):
            folder.label("aaaaa", said=True)
    found = folder.contents()
    assert [each.id for each in found.clips] == ["aaaaa"]
    assert found.clips[0].said is None
    assert not found.damaged
    assert [path.name for path in (tmp_path / "wakes").iterdir()] == ["aaaaa.wav"]


def test_a_name_is_seldom_given_twice_and_is_a_name() -> None:
    """None of its letters is taken for another."""
    names = {fresh_id() for _ in range(1000)}
    assert len(names) > 995
    assert all(wake_clips._NAME.fullmatch(f"{name}.wav") for name in names)
    assert not set("".join(names)) & set("01ilo")


WRITER = """
import sys
from pathlib import Path
from device.state.wake_clips import ClipFolder
from tests.state.clips import NOW, kept, name_of
folder = ClipFolder(Path(sys.argv[1]))
print("writes", flush=True)
number = 0
while True:
    folder.add([kept(name_of(number % 1000), NOW + number) for _ in (0, 0)], 0.0, 0)
    folder.label(name_of(number % 1000), said=True)
    number += 1
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8, 60])
def test_killed_while_it_writes_there_is_no_half_a_clip(tmp_path: Path, after: int) -> None:
    """What was begun is gone with the next clip, and what was written is whole."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(after + 1):
            assert writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    folder = ClipFolder(tmp_path)
    found = folder.contents()
    assert found.damaged == []
    assert found.foreign == []
    assert len(found.clips) >= min(after, MOST_CLIPS - 2)
    assert all(each.said for each in found.clips[:-1])
    folder.add([kept("newer", NOW + 1e6)], LONG_AGO, 0)
    left = sorted(path.name for path in (tmp_path / "wakes").iterdir())
    assert left == sorted(f"{each.id}.wav" for each in folder.contents().clips)
