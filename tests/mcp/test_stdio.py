"""A local server: how it is run, what it is given, what it may write, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from device.mcp import tied
from device.mcp.stdio import LINES, TOKEN_VARIABLE, environment
from device.mcp.wanted import Wanted
from tests.rig.mcp_living import living
from tests.rig.mcp_server import command


def run_by(*code: str) -> Wanted:
    return Wanted("home", command=(sys.executable, "-c", "\n".join(code)), secret="hunter22")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_child_gets_its_token_and_nothing_of_ours() -> None:
    """No key of the speaker's, and none of the service's directories of credentials."""
    ours = {
        "PATH": "/bin",
        "HOME": "/home/x",
        "LANG": "C.UTF-8",
        "GEMINI_API_KEY": "key",
        "GOOGLE_API_KEY": "key",
        "CREDENTIALS_DIRECTORY": "/run/credentials/parley.service",
        "PARLEY_CREDENTIAL_HOME": "hunter22",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "LD_PRELOAD": "/lib/x.so",
    }
    given = environment(Wanted("home", secret="hunter22"), ours)
    assert given == {
        "PATH": "/bin",
        "HOME": "/home/x",
        "LANG": "C.UTF-8",
        TOKEN_VARIABLE: "hunter22",
    }
    assert TOKEN_VARIABLE not in environment(Wanted("home"), ours)


async def test_a_local_server_is_run_and_ends_with_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process group of its own, with its token in its environment."""
    monkeypatch.setenv("GEMINI_API_KEY", "key")
    state = tmp_path / "state"
    wanted = Wanted("home", command=command("stdio", "--state", str(state)), secret="hunter22")
    async with living(wanted) as home:
        await home.until_ready()
        assert await home.servers.call("home_tell_secret", {}) == {
            "output": {"result": "the token is [secret]"}
        }
        told = json.loads(state.read_text())
        assert TOKEN_VARIABLE in told["environment"]
        assert "GEMINI_API_KEY" not in told["environment"]
        assert os.getpgid(told["pid"]) == told["pid"]
        assert alive(told["pid"])
    assert not alive(told["pid"])


async def test_a_server_that_ends_at_once_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """Its status, its last words, and what to do; it is tried again after a while."""
    caplog.set_level(logging.DEBUG, "device.mcp")
    async with living(Wanted("home", command=command("stdio", "--fault", "exits"))) as home:
        why = (await home.until_gone()).why
    assert why is not None
    assert "its command has ended (status 3; its last words: KeyError: 'HOUSE_URL')" in why
    assert "home says: KeyError: 'HOUSE_URL'" in caplog.text


async def test_a_server_that_dies_is_started_again() -> None:
    """The call that it died of is answered."""
    async with living(Wanted("home", command=command("stdio"))) as home:
        await home.until_ready()
        made = await home.servers.call("home_die", {})
        assert "its command has ended (status 9)" in made["error"]
        await home.until_gone()
        await home.until_ready()
        assert await home.servers.call("home_empty", {}) == {"output": {"status": "done"}}


async def test_a_server_that_hangs_is_given_up_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that does not hear that it should end."""
    monkeypatch.setattr("device.mcp.client.CONNECT_IN_ALL_S", 0.5)
    monkeypatch.setattr("device.mcp.stdio.END_S", 0.1)
    wanted = run_by(
        "import os, signal, sys, threading",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "print(os.getpid(), file=sys.stderr, flush=True)",
        "threading.Event().wait()",
    )
    async with living(wanted) as home:
        assert "it does not answer" in str((await home.until_gone()).why)


async def test_standard_error_is_read_whatever_comes(caplog: pytest.LogCaptureFixture) -> None:
    """A flood neither stops the server nor fills the journal."""
    caplog.set_level(logging.DEBUG, "device.mcp")
    async with living(Wanted("home", command=command("stdio", "--fault", "floods"))) as home:
        await home.until_ready()
        for _ in range(20):
            assert await home.servers.call("home_empty", {}) == {"output": {"status": "done"}}
    assert caplog.text.count("home says: warning") == LINES
    assert caplog.text.count("the rest is not kept") == 1


async def test_lines_that_are_no_messages_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """Some servers print a greeting; the first is told."""
    caplog.set_level(logging.INFO, "device.mcp")
    async with living(Wanted("home", command=command("stdio", "--fault", "garbage"))) as home:
        await home.until_ready()
    assert caplog.text.count("writes what is no message: Welcome to the house!") == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "more than 4.0 MB"),
        ("while True: print('hello')", "1000 lines that are no messages"),
        ("print('[' * 300_000, flush=True)", "more than 200000 values"),
    ],
)
async def test_what_is_written_without_end_is_not_kept(code: str, words: str) -> None:
    """In bounded memory, and in words."""
    async with living(run_by(code)) as home:
        assert words in str((await home.until_gone()).why)


async def test_what_a_child_says_holds_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the journal nor in the standing."""
    caplog.set_level(logging.DEBUG)
    code = ("import os, sys", "sys.exit('cannot use ' + os.environ['MCP_TOKEN'])")
    async with living(run_by(*code)) as home:
        why = str((await home.until_gone()).why)
    assert "cannot use [secret]" in why
    assert "hunter22" not in caplog.text


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (("no-such-program-anywhere",), "'no-such-program-anywhere' is not there"),
        (("/etc/passwd",), "'/etc/passwd' is not there, or not executable"),
        ((), "its command cannot be started (it is empty)"),
        ((sys.executable, "a\0b"), "its command cannot be started"),
    ],
)
async def test_a_command_that_cannot_be_started_is_named(
    wanted: tuple[str, ...], words: str
) -> None:
    """With what to do."""
    async with living(Wanted("home", command=wanted)) as home:
        assert words in str((await home.until_gone()).why)


async def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    """Its whole process group; a shell in between is common."""
    note = tmp_path / "pid"
    os.mkfifo(note)
    inner = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(3600)"
    code = (
        "import subprocess, sys",
        f"child = subprocess.Popen([sys.executable, '-c', {inner!r}])",
        "sys.stdin.read()",
    )
    async with living(run_by(*code)):
        # Opening the pipe for reading waits until the grandchild has opened it for writing.
        pid = int(await asyncio.to_thread(note.read_text))
        watched = os.pidfd_open(pid)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(watched, ended.set)
    async with asyncio.timeout(30):
        await ended.wait()
    asyncio.get_running_loop().remove_reader(watched)
    os.close(watched)


def test_a_command_whose_parent_is_not_there_any_more_is_not_run(tmp_path: Path) -> None:
    """It would have nobody to end it: between fork and exec the speaker may be killed, too."""
    program = Path(tied.__file__)
    note = tmp_path / "note"
    done = subprocess.run(
        [sys.executable, "-I", "-S", program, "1", "/bin/sh", "-c", f"echo > {note}"], check=False
    )
    assert done.returncode == -signal.SIGTERM
    assert not note.exists()


def test_a_command_gets_its_arguments_as_they_are() -> None:
    """And its output and status are its own."""
    program = Path(tied.__file__)
    told = [str(os.getpid()), "/bin/sh", "-c", 'printf "%s|" "$0" "$@"; exit 7', "a b", "", "$HOME"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", program, *told], check=False, capture_output=True
    )
    assert (done.stdout, done.returncode) == (b"a b||$HOME|", 7)
