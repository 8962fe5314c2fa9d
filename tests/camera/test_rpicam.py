"""Raspberry Pi OS's program takes the picture, as a child process that may do what it likes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from device.camera.rpicam import OPTIONS, RpicamCamera, listed, program_in
from device.credentials.lookup import without_secrets
from device.errors import CameraError
from tests.rig.fakes import until
from tests.rig.pictures import jpeg, size_of

LISTING = """\
Available cameras
-----------------
0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
"""


class Programs:
    """The only programs on the PATH: as rpicam-apps behave, or otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}
        (folder / "picture.jpg").write_bytes(jpeg(768, 576))

    def install(self, does: str, name: str = "rpicam-still") -> None:
        """Write a script; ``$dir`` is where it lies, ``picture`` a command that writes one."""
        script = self.folder / name
        script.write_text(
            f"#!/bin/sh\ndir={self.folder}\n"
            'picture() { cat "$dir/picture.jpg"; }\n'
            'echo "$*" >"$dir/asked"; env >"$dir/environ"; echo $$ >"$dir/pid"\n' + does
        )
        script.chmod(0o755)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def camera(self, *, deadline_s: float = 30.0, rotate: int = 0) -> RpicamCamera:
        return RpicamCamera(rotate, self.environ, deadline_s)


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


async def failure(camera: RpicamCamera) -> str:
    with pytest.raises(CameraError) as raised:
        await camera.take()
    return str(raised.value)


def ends(pid: int) -> bool:
    """Whether no such process runs any more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


async def test_a_picture_comes_over_standard_output(programs: Programs) -> None:
    """Asked for small, without a preview window, after a moment in which exposure settles."""
    programs.install('echo "INFO libcamera v0.5" >&2\npicture\n')
    camera = programs.camera(rotate=90)
    taken = await camera.take(more_soon=True)
    assert (taken.width, taken.height) == (576, 768) == size_of(taken.jpeg)
    words = programs.read("asked").split()
    assert words == list(OPTIONS)
    assert {"--nopreview", "--output", "-"} <= set(words)
    assert words[words.index("--timeout") + 1] == "1000"
    await camera.close()


@pytest.mark.parametrize("name", ["rpicam-jpeg", "libcamera-still", "libcamera-jpeg"])
async def test_older_names_will_do(programs: Programs, name: str) -> None:
    """Raspberry Pi OS 12 came with the first ones of libcamera's."""
    programs.install("picture\n", name)
    assert Path(program_in(programs.environ)).name == name
    assert (await programs.camera().take()).width == 768


async def test_without_a_program_it_says_what_to_install(programs: Programs) -> None:
    """A Debian that is no Raspberry Pi OS, say."""
    told = await failure(RpicamCamera(environ={"PATH": str(programs.folder)}))
    assert told.startswith(
        "rpicam-apps are not installed, which a camera on a Pi's connector needs"
    )
    assert "sudo apt install rpicam-apps" in told


@pytest.mark.parametrize(
    ("does", "words"),
    [
        (
            'echo "INFO Camera" >&2; echo "ERROR: *** no cameras available ***" >&2; exit 255\n',
            "finds no camera on the Pi's connector: check its cable",
        ),
        (
            'echo "ERROR: *** failed to acquire camera /base/imx708@1a ***" >&2; exit 255\n',
            "the Pi's camera is in use by another program: end that",
        ),
        (
            'echo "what is this?" >&2; echo >&2; exit 3\n',
            "rpicam-still took no picture (exit code 3): what is this?: try it by hand",
        ),
        ("kill -SEGV $$\n", "rpicam-still took no picture (ended by signal 11): try it by hand"),
        ("exit 0\n", "is no picture that can be read: it is empty"),
        (
            "head -c 9000 $dir/picture.jpg\n",
            "is no picture that can be read: it ends before its end",
        ),
        ("echo usage\n", "is no picture that can be read: "),
    ],
)
async def test_what_goes_wrong_is_told_with_its_last_words(
    programs: Programs, does: str, words: str
) -> None:
    """None there, busy, ended by itself, half a picture, something else."""
    programs.install(does)
    assert words in await failure(programs.camera())


async def test_what_it_says_only_shows(programs: Programs) -> None:
    """No control character of a driver's message, and not all of a long one."""
    programs.install("printf '\\033[2Jwrong %0999d\\n' 1 >&2; exit 1\n")
    told = await failure(programs.camera())
    assert "\x1b" not in told
    assert len(told) < 400


@pytest.mark.parametrize(
    "does", ["sleep 600\n", "sleep 600 &\nwait\n", "trap '' TERM\nsleep 600\n"]
)
async def test_one_that_hangs_is_killed_at_the_deadline(programs: Programs, does: str) -> None:
    """With what it has started; what it said is told."""
    programs.install('echo "waiting for the sensor" >&2\n' + does)
    told = await failure(programs.camera(deadline_s=1.0))
    assert told.startswith("the Pi's camera gave no picture within 1 s (it said: waiting for the")
    await until(lambda: ends(int(programs.read("pid"))))


async def test_cancelling_kills_it(programs: Programs) -> None:
    """The camera is free at once."""
    programs.install("sleep 600\n")
    taking = asyncio.create_task(programs.camera().take())
    await until(lambda: (programs.folder / "pid").exists() and programs.read("pid").strip())
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await until(lambda: ends(int(programs.read("pid"))))


async def test_one_that_floods_is_ended(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes bounded memory."""
    monkeypatch.setattr("device.camera.rpicam.MOST_BYTES", 1_000_000)
    programs.install("cat /dev/zero\n")
    assert "gave more than 1000000 bytes" in await failure(programs.camera())
    await until(lambda: ends(int(programs.read("pid"))))


async def test_no_secret_is_in_its_environment(programs: Programs) -> None:
    """As the speaker makes the camera: with what its own environment has left."""
    programs.install("picture\n")
    ours = {
        **programs.environ,
        "GEMINI_API_KEY": "planted-key-of-nobody",
        "PARLEY_CREDENTIAL_HOME": "planted-token",
        "LANG": "C.UTF-8",
    }
    await RpicamCamera(environ=without_secrets(ours)).take()
    assert "planted" not in programs.read("environ")
    assert "LANG=C.UTF-8" in programs.read("environ")


async def test_the_cameras_are_listed_by_their_sensors(programs: Programs) -> None:
    """None is a list, too; a program that fails is told."""
    programs.install(f"cat <<'END'\n{LISTING}END\n")
    assert await listed(programs.environ) == ["imx708"]
    assert programs.read("asked") == "--list-cameras\n"
    programs.install('echo "No cameras available!"\n')
    assert await listed(programs.environ) == []
    programs.install("echo broken >&2; exit 1\n")
    with pytest.raises(CameraError, match=r"exit code 1\): broken"):
        await listed(programs.environ)


async def test_a_program_that_cannot_be_started_is_told(programs: Programs) -> None:
    """Of another machine's kind, say."""
    script = programs.folder / "rpicam-still"
    script.write_bytes(b"\x7fELF of another machine")
    script.chmod(0o755)
    assert os.access(script, os.X_OK)
    assert "does not start: exec format error: install it anew" in await failure(programs.camera())
