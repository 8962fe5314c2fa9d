"""Pictures out of files are taken in turn, really decoded, and each trouble has its words."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from device.camera.file import FileCamera
from device.errors import CameraError
from device.threads import left_behind
from tests.rig.fakes import until
from tests.rig.pictures import jpeg, size_of


def camera(path: Path | str, rotate: int = 0) -> FileCamera:
    return FileCamera(str(path), rotate)


async def failure(of: FileCamera) -> str:
    with pytest.raises(CameraError) as raised:
        await of.take()
    return str(raised.value)


async def test_a_picture_is_taken_as_it_is_sent(tmp_path: Path) -> None:
    """Small and turned; the same one again and again, and another one once it was exchanged."""
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg(1600, 900))
    before = time.monotonic()
    one = camera(file, 90)
    taken = await one.take()
    assert (taken.width, taken.height) == (432, 768) == size_of(taken.jpeg)
    assert before <= taken.taken_at <= time.monotonic()
    file.write_bytes(jpeg(400, 300))
    assert (await one.take(more_soon=True)).width == 300
    await one.close()
    assert str(file) in one.description


async def test_the_pictures_of_a_folder_are_taken_in_turn(tmp_path: Path) -> None:
    """By their names; what is no picture is left out, and what is added later has its turn."""
    for name, width in (("b.JPG", 20), ("a.jpg", 10), ("notes.txt", 1)):
        (tmp_path / name).write_bytes(jpeg(width, 8))
    one = camera(tmp_path)
    assert [(await one.take()).width for _ in range(3)] == [10, 20, 10]
    (tmp_path / "c.jpeg").write_bytes(jpeg(30, 8))
    assert [(await one.take()).width for _ in range(3)] == [10, 20, 30]


async def test_a_pattern_takes_what_it_says(tmp_path: Path) -> None:
    """Also of files that end otherwise."""
    for name, width in (("in-1.mjpg", 11), ("out-1.jpg", 12), ("in-2.jpg", 13)):
        (tmp_path / name).write_bytes(jpeg(width, 8))
    one = camera(f"{tmp_path}/in-*")
    assert [(await one.take()).width for _ in range(2)] == [11, 13]


async def test_a_broken_file_is_told_and_the_next_one_has_its_turn(tmp_path: Path) -> None:
    """As a camera that fails once does not stay broken."""
    (tmp_path / "a.jpg").write_bytes(jpeg(400, 300)[:2000])
    (tmp_path / "b.jpg").write_bytes(jpeg(40, 30))
    one = camera(tmp_path)
    told = await failure(one)
    assert told.startswith(f"{tmp_path}/a.jpg: what the camera gave is no picture that can be read")
    assert (await one.take()).width == 40


@pytest.mark.parametrize("name", ["nothing.jpg", "empty", "*.jpg"])
async def test_where_no_picture_is_its_path_is_named(tmp_path: Path, name: str) -> None:
    """A file, an empty folder, a pattern of nothing."""
    (tmp_path / "empty").mkdir()
    told = await failure(camera(tmp_path / name))
    assert told.startswith(f"no picture is there for camera.source 'file:{tmp_path}/{name}': put ")


async def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A pipe would be waited at for ever; a file of many megabytes is no picture."""
    os.mkfifo(tmp_path / "a.jpg")
    assert "it is no file" in await failure(camera(tmp_path / "a.jpg"))
    with (tmp_path / "b.jpg").open("wb") as large:
        large.truncate(50_000_000)
    assert "it has 50000000 bytes, and 40000000 are the most" in await failure(
        camera(tmp_path / "b.jpg")
    )


async def test_a_file_system_that_hangs_does_not_hold_up_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder on a network, say: it is told within the deadline."""
    hangs = asyncio.Event()
    loop = asyncio.get_running_loop()

    def never(_self: Path) -> bool:
        asyncio.run_coroutine_threadsafe(hangs.wait(), loop).result()
        return False

    monkeypatch.setattr(Path, "is_dir", never)
    one = FileCamera(str(tmp_path / "a.jpg"), deadline_s=0.05)
    told = [await failure(one) for _ in range(3)]
    waiting = [thread.name for thread in left_behind()].count("camera file")
    hangs.set()
    await until(lambda: not left_behind())
    (why,) = set(told)
    assert why.endswith("gave no picture within 0.05 s: put the pictures onto this machine")
    assert waiting == 1, "each would leave another thread behind"
    monkeypatch.undo()
    (tmp_path / "a.jpg").write_bytes(jpeg(400, 300))
    one._deadline_s = 30.0
    assert (await one.take()).width == 400
