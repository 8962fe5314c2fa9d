"""Whatever is wrong with the file, a speaker that once worked works, and says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from device.config import MAX_BYTES, Config, load, parse
from device.config.file import ConfigFile, InForce
from device.config.last_good import LastGood
from device.errors import ConfigError

ROOT = Path(__file__).parents[2]


class Home:
    """A configuration file, a state directory, and one start after the other."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "config.yaml"
        self.last_good = LastGood(folder / "state", self.path, parse)
        self.path.write_text("audio: {volume: 33}")

    def start(self, *, given: bool = True) -> ConfigFile:
        """Begin anew; `given`: the path was named on the command line."""
        return ConfigFile(self.path, lambda: load(self.path if given else None), self.last_good)

    async def worked(self) -> None:
        """Have had a good day with the file as it is."""
        file = self.start()
        await file.accepted(file.first())
        assert file.as_dict() == {"file": str(self.path), "in_force": "file", "mistakes": []}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path)
    monkeypatch.setattr(import_module("device.config.load"), "DEFAULT_PATH", home.path)
    return home


def mistake(path: Path) -> None:
    path.write_text("audio: {volume: 300}\nlihgts: 3\n")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


WRONG: dict[str, tuple[Any, str]] = {
    "a mistake": (mistake, "300 is not in 0..100"),
    "gone": (Path.unlink, "is gone: bring it back, or make an empty file"),
    "a folder": (folder, "cannot be read: is a directory"),
    "a link to itself": (loop, "cannot be read: too many levels of symbolic links"),
    "not UTF-8": (lambda path: path.write_bytes(b"audio: \xff"), "byte 0xff is not UTF-8"),
    "UTF-16": (lambda path: path.write_bytes("audio:".encode("utf-16")), "is not UTF-8"),
    "zeros": (lambda path: path.write_bytes(bytes(50)), "U+0000 cannot be in a configuration"),
    "huge": (
        lambda path: path.write_bytes(b"#" * MAX_BYTES * 2),
        f"is larger than {MAX_BYTES} bytes",
    ),
    "a key": (
        lambda path: path.write_text("live: {api_key: AIzaSyA0123456789abcdef}"),
        "an API key does not belong",
    ),
}


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("wrong", sorted(WRONG))
async def test_it_starts_with_the_last_good_settings(home: Home, wrong: str, given: bool) -> None:
    """And names what is wrong, again and again until it is mended."""
    await home.worked()
    spoil, told = WRONG[wrong]
    spoil(home.path)
    for _ in range(2):
        file = home.start(given=given)
        assert file.first().audio.volume == 33
        assert file.in_force is InForce.LAST_GOOD
        assert told in "\n".join(file.mistakes)
        assert "AIza" not in str(file.as_dict())
    assert len(file.mistakes) == (2 if wrong == "a mistake" else 1)
    if home.path.is_dir():
        home.path.rmdir()
    home.path.unlink(missing_ok=True)
    home.path.write_text("audio: {volume: 44}")
    file = home.start(given=given)
    assert file.first().audio.volume == 44
    assert file.mistakes == []


@pytest.mark.parametrize("wrong", sorted(set(WRONG) - {"gone"}))
def test_a_first_start_is_refused_with_every_mistake(home: Home, wrong: str) -> None:
    """There is nothing to fall back on: better told at once than a speaker nobody chose."""
    spoil, told = WRONG[wrong]
    spoil(home.path)
    with pytest.raises(ConfigError, match=told.replace("+", r"\+")) as caught:
        home.start().first()
    assert len(caught.value.mistakes) == (2 if wrong == "a mistake" else 1)


async def test_without_a_file_there_are_the_defaults(home: Home) -> None:
    """Every key has one; and they are nothing to fall back on, for they are always there."""
    home.path.unlink()
    file = home.start(given=False)
    await file.accepted(file.first())
    assert file.in_force is InForce.DEFAULTS
    assert not home.last_good.exists
    mistake(home.path)
    with pytest.raises(ConfigError):
        home.start(given=False).first()


async def test_the_last_good_settings_are_no_better_than_none(home: Home) -> None:
    """Damaged, they are not used, and the start is refused as a first one is."""
    await home.worked()
    assert home.last_good.path is not None
    home.last_good.path.write_text("audio: {volume: 33}")
    mistake(home.path)
    with pytest.raises(ConfigError, match="300 is not in"):
        home.start().first()


async def test_what_was_refused_is_not_kept(home: Home) -> None:
    """The last good ones stay those before it."""
    await home.worked()
    file = home.start()
    file.first()
    file.refused(["config.yaml:1:2: no"])
    assert file.as_dict()["in_force"] == "last good"
    recalled = home.last_good.recall()
    assert recalled is not None
    assert recalled.audio.volume == 33
    await file.accepted(Config())
    assert home.last_good.recall() == Config()
    assert file.mistakes == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    """As the speaker's own user, who is not root: the file, or the folder that it is in."""
    code = """
import os, sys
from importlib import import_module
from pathlib import Path
from device.config import load, parse
from device.config.file import ConfigFile
from device.config.last_good import LastGood
os.setgid(65534); os.setuid(65534)
path = Path(sys.argv[1])
file = ConfigFile(path, lambda: load(path), LastGood(Path(sys.argv[2]), path, parse))
print(file.first().audio.volume, *file.mistakes)
"""
    home = Home(tmp_path)
    (tmp_path / "locked").mkdir()
    for locked in (tmp_path / "config.yaml", tmp_path / "locked" / "config.yaml"):
        last_good = LastGood(tmp_path / "state", locked, parse)
        last_good.keep(parse("audio: {volume: 33}", "x"))
        locked.write_text("")
        for path, mode in [(home.path, 0o600), (tmp_path / "locked", 0o700)]:
            path.chmod(mode)
        os.chown(tmp_path / "state", 65534, 65534)
        os.chown(tmp_path / "state" / "last_good.yaml", 65534, 65534)
        for above in tmp_path.parents:
            if above.stat().st_uid == os.getuid() and "pytest" in str(above):
                above.chmod(0o755)
        tmp_path.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", code, str(locked), str(tmp_path / "state")],
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == f"33 {locked}: cannot be read: permission denied\n", done.stderr
