"""The control socket: who may speak, what is refused, and who is dropped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from device.control import socket as control
from device.control.socket import (
    LINE_BYTES,
    ControlServer,
    Record,
    Records,
    call,
    listening_path,
    socket_path,
)
from device.errors import ControlError, RecordsError
from tests.rig.fakes import PATIENCE_S, until

ATTACHED_BYTES = 100_000


class House:
    """Commands of every kind, and what became of them."""

    def __init__(self) -> None:
        self.began = 0
        self.ended: list[str] = []
        self.gate = asyncio.Event()

    async def echo(self, request: Record) -> Records:
        yield {"result": dict(request)}

    async def count(self, _: Record) -> Records:
        for number in range(3):
            yield {"event": "number", "number": number}
        yield {"result": {}}

    async def refuse(self, _: Record) -> Records:
        yield {"event": "number", "number": 0}
        raise ControlError("not today")

    async def wait(self, _: Record) -> Records:
        self.began += 1
        try:
            await self.gate.wait()
            yield {"result": {}}
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise

    async def weigh(self, request: Record) -> Records:
        attached = request.get("attached")
        yield {"result": len(attached) if isinstance(attached, bytes) else None}

    async def flood(self, _: Record) -> Records:
        self.began += 1
        try:
            while True:
                yield {"event": "noise", "text": "x" * 10_000}
                await asyncio.sleep(0)
        finally:
            self.ended.append("flood ended")

    @asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator[None]:
        commands = {
            "echo": self.echo,
            "count": self.count,
            "refuse": self.refuse,
            "wait": self.wait,
            "weigh": self.weigh,
            "flood": self.flood,
        }
        async with ControlServer(path, commands, {"wait", "flood"}, {"weigh": ATTACHED_BYTES}):
            yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


@pytest.fixture
async def house(path: Path) -> AsyncIterator[House]:
    house = House()
    async with house.serving(path):
        yield house


async def answers(path: Path, raw: bytes) -> list[dict[str, Any]]:
    """Send bytes and read all that comes until the connection closes."""
    reader, writer = await asyncio.open_unix_connection(path)
    async with asyncio.timeout(PATIENCE_S):
        writer.write(raw)
        lines = [json.loads(line) async for line in reader]
    writer.close()
    await writer.wait_closed()
    return lines


async def called(path: Path, **request: Any) -> list[dict[str, Any]]:
    return [record async for record in call(path, request)]


async def test_a_request_is_answered_and_the_connection_closed(house: House, path: Path) -> None:
    """Any number of records, the result last."""
    assert await called(path, command="echo", text="grüß dich") == [
        {"result": {"command": "echo", "text": "grüß dich"}}
    ]
    records = await called(path, command="count")
    assert [record.get("number") for record in records] == [0, 1, 2, None]


async def test_bytes_can_be_attached_to_what_takes_them(house: House, path: Path) -> None:
    """More than a line may have, whatever is in them, as many as were told."""
    weighed = [each async for each in call(path, {"command": "weigh"}, b"\n\x00" * 50_000)]
    assert weighed == [{"result": 100_000}]
    assert await called(path, command="weigh") == [{"result": None}]
    assert await called(path, command="weigh", attached="text") == [{"result": None}]
    line = b'{"command": "weigh", "attached_bytes": 3}\n'
    assert await answers(path, line + b"abcdef") == [{"result": 3}]


@pytest.mark.parametrize("size", [0, -1, ATTACHED_BYTES + 1, "3", 2.5, True, None, [3]])
async def test_no_more_can_be_attached_than_a_command_takes(
    house: House, path: Path, size: object
) -> None:
    """Refused before a byte of it is read."""
    with pytest.raises(ControlError, match="cannot be attached to weigh; at most 100000 can"):
        await called(path, command="weigh", attached_bytes=size)


async def test_nothing_can_be_attached_to_other_commands(house: House, path: Path) -> None:
    """They would hold it in memory for nothing."""
    with pytest.raises(ControlError, match="3 bytes cannot be attached to echo; at most 0 can"):
        [each async for each in call(path, {"command": "echo"}, b"abc")]


async def test_bytes_that_do_not_come_are_waited_for_as_the_line_is(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who hangs up, and by who only waits."""
    line = b'{"command": "weigh", "attached_bytes": 9}\nabc'
    monkeypatch.setattr(control, "REQUEST_TIMEOUT_S", 0.1)
    (answer,) = await answers(path, line)
    assert "the 9 bytes attached to weigh did not come" in answer["error"]
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    writer.write_eof()
    async with asyncio.timeout(PATIENCE_S):
        assert b"did not come" in await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"\n", 'there is no request: send one line such as {"command": "status"}'),
        (b'{"command": "' + b"x" * 60_000 + b'"}\n', "command 'xxxxxxxxxxxx...xxxxxxxxxxxxx' is"),
        (b'{"command": "\\ud800"}\n', "command '\\ud800' is not known"),
        (b'{"command": ' + b"9" * 5_000 + b"}\n", "the request is not JSON"),
        (b'{"a\x00": 1}\n', "the request is not JSON"),
        (b"nonsense\n", "the request is not JSON: b'nonsense\\n'"),
        (b"[" * 50_000 + b"\n", "the request is not JSON: b'[[["),
        (b"\xff\xfe\n", "the request is not JSON"),
        (b"[1]\n", "the request is not a JSON object: b'[1]\\n'"),
        (b"{}\n", "command None is not known; there are: count, echo, flood, refuse, wait"),
        (b'{"command": "explode"}\n', "command 'explode' is not known; there are: count"),
        (b'{"command": ["echo"]}\n', "command ['echo'] is not known"),
        (b'{"command": "' + b"x" * LINE_BYTES + b'"}\n', "the request is longer than 65536 bytes"),
    ],
)
async def test_what_is_no_request_is_refused(
    house: House, path: Path, raw: bytes, error: str
) -> None:
    """In words, and the next client is served."""
    (answer,) = await answers(path, raw)
    assert list(answer) == ["error"]
    assert answer["error"].startswith(error)
    assert await called(path, command="echo")


async def test_a_refused_command_is_an_error_for_the_client(house: House, path: Path) -> None:
    """After what it had said already; in the words of the speaker."""
    records = []

    async def listen() -> None:
        async for record in call(path, {"command": "refuse"}):
            records.append(record)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ControlError, match=r"^not today$"):
        await listen()
    assert records == [{"event": "number", "number": 0}]


async def test_whatever_was_raised_on_purpose_is_told(path: Path) -> None:
    """The client is not left alone with a connection that ended."""

    async def read(_: Record) -> Records:
        yield {"event": "number", "number": 0}
        raise RecordsError("the records cannot be read: no disk")

    async def listen() -> None:
        async for record in call(path, {"command": "read"}):
            assert record == {"event": "number", "number": 0}

    async with ControlServer(path, {"read": read}):
        with pytest.raises(ControlError, match=r"^the records cannot be read: no disk$"):
            await listen()


async def test_an_event_that_has_an_error_is_no_refusal(path: Path) -> None:
    """Only a record that is no event ends the command."""

    async def tell(_: Record) -> Records:
        yield {"event": "odd", "error": "of the event"}
        yield {"result": {}}

    async with ControlServer(path, {"tell": tell}):
        assert len(await called(path, command="tell")) == 2


async def test_a_client_that_hangs_up_ends_its_command(house: House, path: Path) -> None:
    """Nobody is left to answer; what it says before it goes is not listened to."""
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"command": "wait"}\n')
    await until(lambda: house.began)
    writer.write(b"something else\n" * 1000)
    await writer.drain()
    assert house.ended == []
    writer.close()
    await until(lambda: house.ended == ["cancelled"])


async def half_closed(path: Path, raw: bytes) -> list[dict[str, Any]]:
    """Send bytes, say that this was all, and read what comes."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(raw)
    writer.write_eof()
    async with asyncio.timeout(PATIENCE_S):
        lines = [json.loads(line) async for line in reader]
    writer.close()
    return lines


async def test_a_client_that_has_no_more_to_say_is_answered(house: House, path: Path) -> None:
    """As `echo '{"command": ...}' | nc -UN` does; also when the answer takes its time."""
    waiting = asyncio.create_task(half_closed(path, b'{"command": "wait"}\n'))
    await until(lambda: house.began)
    house.gate.set()
    assert await waiting == [{"result": {}}]
    assert await half_closed(path, b'{"command": "echo"}') == [{"result": {"command": "echo"}}]
    (refused,) = await half_closed(path, b"")
    assert refused["error"].startswith("there is no request")


async def test_a_client_that_had_no_more_to_say_and_goes_is_noticed(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written that would tell."""
    monkeypatch.setattr(control, "GONE_CHECK_S", 0.01)
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"command": "wait"}\n')
    writer.write_eof()
    await until(lambda: house.began)
    writer.close()
    await until(lambda: house.ended == ["cancelled"])


async def test_a_client_that_does_not_stop_talking_is_dropped(house: House, path: Path) -> None:
    """It would keep the loop busy that carries the sound."""
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"command": "wait"}\n' + b"x" * (2 * LINE_BYTES))
    await until(lambda: house.ended == ["cancelled"])
    writer.close()


async def test_half_a_character_does_not_break_an_answer(path: Path) -> None:
    """The server may have sent it; JSON can escape what UTF-8 cannot write."""

    async def tell(_: Record) -> Records:
        yield {"result": {"text": "a\ud800b"}}

    async with ControlServer(path, {"tell": tell}):
        assert await called(path, command="tell") == [{"result": {"text": "a?b"}}]


async def test_a_crowd_is_cut_off_and_leaves_room_for_others(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients that connect and say nothing cost no more than so many descriptors."""
    monkeypatch.setattr(control, "CLIENTS", 4)
    crowd = [await asyncio.open_unix_connection(path) for _ in range(40)]
    cut = [reader for reader, _ in crowd]
    await until(lambda: sum(map(is_over, cut)) >= 36)
    assert await called(path, command="echo")
    for _, writer in crowd:
        writer.close()


def is_over(reader: asyncio.StreamReader) -> bool:
    return reader.at_eof() or reader.exception() is not None


def is_cut_off(client: socket.socket) -> bool:
    try:
        client.sendall(b"?")
    except ConnectionError:
        return True
    return False


async def test_a_client_that_does_not_read_is_dropped(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it left unread is given up with it; the others are served meanwhile."""
    monkeypatch.setattr(control, "WRITE_TIMEOUT_S", 0.05)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b'{"command": "flood"}\n')
        await until(lambda: house.began)
        assert await called(path, command="echo")
        await until(lambda: house.ended == ["flood ended"])
        await until(lambda: is_cut_off(client))


async def test_a_client_that_does_not_say_what_it_wants_is_dropped(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a line is no request; also when the rest comes a byte at a time."""
    monkeypatch.setattr(control, "REQUEST_TIMEOUT_S", 0.05)
    told = [{"error": "no request, ended by a line break, came within 0.05 s"}]
    assert await answers(path, b'{"command": "ec') == told
    assert await answers(path, b"") == told


async def test_too_many_clients_are_refused_and_the_old_ones_served(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room again when one has gone."""
    monkeypatch.setattr(control, "LASTING_CLIENTS", 2)
    waiting = [asyncio.create_task(called(path, command="wait")) for _ in range(2)]
    await until(lambda: house.began == 2)
    with pytest.raises(ControlError, match="2 clients hold one of flood, wait already; end one"):
        await called(path, command="wait")
    assert await called(path, command="echo")
    house.gate.set()
    assert [await task for task in waiting] == [[{"result": {}}], [{"result": {}}]]
    assert await called(path, command="wait") == [{"result": {}}]


async def test_what_is_over_at_once_is_answered_whoever_else_is_there(
    house: House, path: Path
) -> None:
    """`mute` and `stop` beside as many watchers as anybody starts, and as many who say nothing."""
    watchers = [await asyncio.open_unix_connection(path) for _ in range(2 * control.CLIENTS)]
    for _, writer in watchers:
        with contextlib.suppress(ConnectionError):
            writer.write(b'{"command": "wait"}\n')
            await writer.drain()
    await until(lambda: house.began == control.LASTING_CLIENTS)
    assert await called(path, command="echo")
    silent = [await asyncio.open_unix_connection(path) for _ in range(2 * control.CLIENTS)]
    assert await called(path, command="echo")
    assert house.ended == []
    for _, writer in watchers + silent:
        writer.close()


async def test_who_has_said_nothing_for_longest_gives_way(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To one that comes; where everybody has said something, that one is cut off."""
    monkeypatch.setattr(control, "CLIENTS", 2)
    first, second, third = [await asyncio.open_unix_connection(path) for _ in range(3)]
    assert await first[0].read() == b""
    for _, writer in (second, third):
        writer.write(b'{"command": "wait"}\n')
    await until(lambda: house.began == 2)
    fourth = await asyncio.open_unix_connection(path)
    assert await fourth[0].read() == b""
    house.gate.set()
    assert [await reader.read() for reader, _ in (second, third)] == [b'{"result": {}}\n'] * 2
    for _, writer in (first, second, third, fourth):
        writer.close()
        await writer.wait_closed()


async def test_at_the_end_clients_are_cut_off_and_the_socket_is_gone(path: Path) -> None:
    """Their commands are cancelled before the block is left."""
    house = House()
    async with house.serving(path):
        waiting = asyncio.create_task(called(path, command="wait"))
        await until(lambda: house.began)
    assert house.ended == ["cancelled"]
    assert await waiting == []
    with pytest.raises(ControlError, match="No such file"):
        await called(path, command="echo")


async def test_only_owner_and_group_may_use_it(house: House, path: Path) -> None:
    """Mode 0660, its directory closed to others, and the process's umask as before."""
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660  # noqa: PTH116 - the loop may wait
    assert stat.S_IMODE(os.stat(path.parent).st_mode) & 0o007 == 0  # noqa: PTH116 - as above
    before = os.umask(0)
    os.umask(before)
    assert before != 0o117


async def test_a_socket_that_was_left_behind_is_replaced(path: Path) -> None:
    """After a crash nobody needs to clean up."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
    async with House().serving(path):
        assert await called(path, command="echo")


async def test_a_running_speaker_is_not_pushed_aside(house: House, path: Path) -> None:
    """The second one is refused with advice, and the first one goes on."""
    with pytest.raises(ControlError, match=r"another parley already runs on .*control.sock; stop"):
        async with House().serving(path):
            pass
    assert await called(path, command="echo")


@pytest.mark.parametrize("name", ["file", "x" * 200])
async def test_a_socket_that_cannot_be_made_is_told(tmp_path: Path, name: str) -> None:
    """A file is in its way, or its path is too long: with the reason and what to do."""
    (tmp_path / "file").write_text("precious")
    told = r"cannot be made: (?!None).*; choose another with --socket"
    with pytest.raises(ControlError, match=told):
        async with House().serving(tmp_path / name):
            pass
    assert (tmp_path / "file").read_text() == "precious"


async def test_nobody_there_is_told_with_advice(tmp_path: Path) -> None:
    """No socket, a dead one, a path that cannot be one."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    for name, why in [
        ("none", "No such file or directory"),
        ("dead", "Connection refused"),
        ("x" * 200, "path too long"),
    ]:
        with pytest.raises(ControlError, match=f"nobody answers on .*{why}; is the speaker runn"):
            await called(tmp_path / name, command="status")


async def test_no_permission_is_told_with_advice(tmp_path: Path) -> None:
    """The group is named that gives access."""

    class Locked(type(tmp_path)):  # type: ignore[misc]
        """A path that this user may not use: root may use every real one."""

        def __fspath__(self) -> str:
            raise PermissionError(13, "Permission denied")

    with pytest.raises(ControlError, match=r"may not be opened by this user; .*usermod -aG parley"):
        await called(Locked(tmp_path, "control.sock"), command="status")


async def test_a_speaker_that_dies_in_the_middle_of_a_line_is_told(path: Path) -> None:
    """Half a record is no record."""

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"event": "wa')
        writer.close()

    path.parent.mkdir()
    async with await asyncio.start_unix_server(die, path):
        with pytest.raises(ControlError, match="hung up"):
            await called(path, command="watch")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of our own: its /run/parley and its temporary files, empty."""
    service = tmp_path / "run" / "parley"
    monkeypatch.setattr(control, "SERVICE", service / "control.sock")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


USER = os.getuid() or 65_534
"""An ordinary user."""


@contextlib.contextmanager
def listening(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(path))
        yield
    path.unlink()


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ("/a/b.sock", {"RUNTIME_DIRECTORY": "/run/other"}, "/a/b.sock"),
        (None, {"RUNTIME_DIRECTORY": "/run/one:/run/two"}, "/run/one/control.sock"),
        (
            None,
            {"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": "/run/user/7"},
            "/run/user/7/parley/control.sock",
        ),
    ],
)
def test_where_the_socket_is(
    machine: Path, given: str | None, environment: dict[str, str], expected: str
) -> None:
    """As given, else where systemd says, else where the user's own are."""
    for place in (listening_path, socket_path):
        assert place(given, environment, user=7) == Path(expected)


def test_root_takes_the_services_own(machine: Path) -> None:
    """`sudo parley run` and `sudo parley status` meet, whoever is logged in."""
    environment = {"XDG_RUNTIME_DIR": "/run/user/0"}
    for place in (listening_path, socket_path):
        assert place(None, environment, user=0) == control.SERVICE


def test_a_users_own_speaker_is_the_users_own(machine: Path) -> None:
    """Beside an installed one too: it listens where this user may, and is spoken to there."""
    environment = {"XDG_RUNTIME_DIR": str(machine / "user")}
    own = machine / "user" / "parley" / "control.sock"
    with listening(control.SERVICE):
        assert listening_path(None, environment, USER) == own
        assert socket_path(None, environment, USER) == control.SERVICE
        with listening(own):
            assert socket_path(None, environment, USER) == own


def test_a_folder_that_was_left_behind_is_nobody(machine: Path) -> None:
    """Root's speaker out of a checkout ended in a crash: this user's listens where it did."""
    environment = {"XDG_RUNTIME_DIR": str(machine / "user")}
    control.SERVICE.parent.mkdir(parents=True)
    for place in (listening_path, socket_path):
        assert place(None, environment, USER) == machine / "user" / "parley" / "control.sock"


async def test_at_the_end_the_folders_that_were_made_are_gone(tmp_path: Path) -> None:
    """The next who looks must not take them for a speaker; what was there before stays."""
    path = tmp_path / "run" / "parley" / "control.sock"
    (tmp_path / "run").mkdir()
    async with House().serving(path):
        assert await called(path, command="echo")
    assert list((tmp_path / "run").iterdir()) == []


def test_without_a_folder_of_the_users_it_is_among_temporary_files(machine: Path) -> None:
    """Made at once, for nobody else: two users of a machine do not meet."""
    if os.getuid() == 0:
        (machine / f"parley-{USER}").mkdir(0o700)
        os.chown(machine / f"parley-{USER}", USER, -1)
    for place in (listening_path, socket_path):
        assert place(None, {}, USER) == machine / f"parley-{USER}" / "control.sock"
    assert stat.S_IMODE((machine / f"parley-{USER}").stat().st_mode) == 0o700


def test_a_temporary_folder_of_somebody_else_is_not_used(machine: Path) -> None:
    """Who made it could listen to what is asked, or answer instead of the speaker."""
    folder = machine / f"parley-{USER}"
    folder.mkdir(mode=0o750)
    for place in (listening_path, socket_path):
        if os.getuid() == 0:
            os.chown(folder, USER + 1, -1)
            with pytest.raises(ControlError, match="not this user's own folder"):
                place(None, {}, USER)
            os.chown(folder, USER, -1)
        folder.chmod(0o750)
        assert place(None, {}, USER) == folder / "control.sock"
        folder.chmod(0o777)
        with pytest.raises(ControlError, match="others may write to it: delete it, or choose"):
            place(None, {}, USER)
    folder.rmdir()
    folder.symlink_to(machine)
    with pytest.raises(ControlError, match="not this user's own folder"):
        socket_path(None, {}, USER)
    folder.unlink()
    folder.write_text("precious")
    with pytest.raises(ControlError, match="cannot be made: File exists; choose a socket with"):
        socket_path(None, {}, USER)


@pytest.mark.parametrize(
    "line",
    [b"[1]\n", b"nonsense\n", b"7\n", b"[" * 100_000 + b"\n", b"x" * 2_000_000],
    ids=["list", "nonsense", "number", "deep", "long"],
)
async def test_what_answers_with_something_else_is_told(path: Path, line: bytes) -> None:
    """Whoever asks may be root, and what answers has been taken over."""

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(line)
        writer.close()

    path.parent.mkdir()
    async with await asyncio.start_unix_server(lie, path):
        with pytest.raises(ControlError, match="hung up"):
            await called(path, command="status")


async def test_what_is_answered_only_shows(path: Path) -> None:
    """Line breaks stay: the settings in force are a text of many lines."""

    async def tell(_: Record) -> Records:
        yield {"event": "x", "text": "a\x1b[2J\nb\u202e"}
        raise ControlError("no\x07\nreally")

    async with ControlServer(path, {"tell": tell}):
        records = call(path, {"command": "tell"})
        assert await anext(records) == {"event": "x", "text": "a�[2J\nb�"}
        with pytest.raises(ControlError, match=r"^no�\nreally$"):
            await anext(records)
