"""The way to the Live API step by step, and a sentence over it: against the stand-in, over TLS."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.doctor import network as checks
from device.doctor.result import Result, Verdict
from device.doctor.scene import Scene
from device.live.probe import goal_of
from device.news import Failure, FailureKind
from device.simulator.certificate import make_certificate
from device.simulator.refusals import PROJECT_CAP
from device.simulator.script import Event, Reject, Script, Turn
from tests.rig.scene import by_name, machine, only
from tests.rig.server import ServerThread
from tests.rig.strangers import unanswered_port

KEY = "AIzaTheKeyOfThisTestIsNobodysBusiness01"
READY = Script(turns=(Turn(says="Ready.", audio=500),))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with ServerThread(READY) as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    return at(tmp_path, server.url)


def at(root: Path, url: str, **environ: str) -> Scene:
    keys = environ or {"GEMINI_API_KEY": KEY}
    return machine(root, config=f'live: {{endpoint: "{url}"}}', environ=keys)


async def way(scene: Scene) -> dict[str, Result]:
    return by_name(await checks.way(scene))


async def test_each_step_has_its_time(scene: Scene) -> None:
    """And what was found: an address, the protocol, who vouches for the server."""
    told = await way(scene)
    assert [*told] == ["dns", "tcp", "tls", "websocket"]
    assert {each.verdict for each in told.values()} == {Verdict.FINE}
    assert all(each.figures["ms"] > 0 for each in told.values())
    assert "localhost → 127.0.0.1" in told["dns"].figure
    assert "TLSv1.3" in told["tls"].figure


async def test_what_a_certificate_says_of_its_maker_commands_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor is run as root, and shows who vouches for the server."""
    made = make_certificate(tmp_path, issuer="ACME\x1b[2J\n\u202e")
    with ServerThread(READY, certificate=made) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        told = await way(at(tmp_path, server.url))
    assert "certificate by ACME�[2J �, good for" in told["tls"].figure


async def test_nothing_is_asked_of_the_model_for_that(scene: Scene, server: ServerThread) -> None:
    """The WebSocket is taken and closed."""
    before = len(server.connections)
    await way(scene)
    server.wait_for(lambda s: len(s.connections) > before)
    record = server.connections[-1]
    assert record.status == 101
    assert record.turns == 0


async def test_slow_steps_are_hints(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """They add up to what a person waits for."""
    monkeypatch.setitem(checks.SLOW_MS, "tls", 0.0)
    assert (await way(scene))["tls"].verdict is Verdict.HINT


async def test_without_a_key_the_last_step_is_left_out(
    tmp_path: Path, scene: Scene, server: ServerThread
) -> None:
    """And the sentence too."""
    bare = at(tmp_path, server.url, HOME="/")
    told = await way(bare)
    assert told["tls"].verdict is Verdict.FINE
    assert (told["websocket"].verdict, told["websocket"].figure) == (
        Verdict.SKIPPED,
        "there is no key",
    )
    assert only(await checks.talk(bare)).verdict is Verdict.SKIPPED


@pytest.mark.parametrize("failing", ["dns", "tcp", "tls", "untrusted", "portal", "key"])
async def test_the_step_that_fails_is_told_from_the_others(
    tmp_path: Path, failing: str, server: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before it are fine, those behind it were not reached; the key is in none."""
    step = {"untrusted": "tls", "portal": "websocket", "key": "websocket"}.get(failing, failing)
    monkeypatch.setattr("device.live.probe.STEP_S", 2.0)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    if failing == "dns":
        told = await way(at(tmp_path, "https://no-such-host.invalid"))
    elif failing == "tcp":
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            told = await way(at(tmp_path, f"https://localhost:{taken.getsockname()[1]}"))
    elif failing == "tls":
        listening = await asyncio.start_server(_hang_up, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        told = await way(at(tmp_path, f"https://localhost:{port}"))
        listening.close()
    elif failing == "untrusted":
        monkeypatch.delenv("SSL_CERT_FILE")
        told = await way(at(tmp_path, server.url))
    else:
        status = 302 if failing == "portal" else 403
        script = Script(events=(Event("upgrade", Reject(status, f"API key not valid: {KEY}")),))
        with ServerThread(script) as refusing:
            monkeypatch.setenv("SSL_CERT_FILE", str(refusing.certificate))
            told = await way(at(tmp_path, refusing.url))
    names = list(checks.STEPS)
    place = names.index(step)
    assert [told[name].verdict for name in names[:place]] == [Verdict.FINE] * place
    assert told[step].verdict is Verdict.BROKEN, told
    assert told[step].advice
    assert {told[name].figure for name in names[place + 1 :]} <= {"not reached"}
    assert KEY not in repr(told)


async def test_where_the_server_is_not_reached_no_sentence_is_tried(tmp_path: Path) -> None:
    """It could only say the same, later."""
    scene = at(tmp_path, "https://no-such-host.invalid")
    await checks.way(scene)
    assert only(await checks.talk(scene)).figure == "not reached"


async def test_a_resolver_that_hangs_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even at the end, when the event loop waits for its own threads."""
    release = threading.Event()

    def hangs(*_: object, **_options: object) -> list[object]:
        release.wait(30)
        raise OSError("nobody waits for it")

    monkeypatch.setattr("device.live.probe.STEP_S", 0.1)
    monkeypatch.setattr("device.live.probe.socket.getaddrinfo", hangs)
    told = await way(at(tmp_path, "https://some.host"))
    assert told["dns"].verdict is Verdict.BROKEN
    assert "did not answer in time" in told["dns"].advice
    release.set()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.0 400 this is no TLS\r\n\r\n")
    writer.close()


async def test_a_step_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes connections and says nothing."""
    monkeypatch.setattr("device.live.probe.STEP_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        told = await way(at(tmp_path, f"https://127.0.0.1:{silent.getsockname()[1]}"))
    assert told["tcp"].verdict is Verdict.FINE
    assert told["tls"].verdict is Verdict.BROKEN
    assert "did not answer in time" in told["tls"].advice


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each name an IPv6 address beside the other."""
    kinds = {"::1": socket.AF_INET6, "127.0.0.1": socket.AF_INET}

    def resolve(_host: str, port: int, **_: object) -> list[object]:
        return [(kind, 1, 6, "", (name, port)) for name, kind in kinds.items()]

    monkeypatch.setattr("device.live.probe.socket.getaddrinfo", resolve)


@pytest.mark.usefixtures("both")
async def test_ipv6_that_leads_nowhere_is_told(
    scene: Scene, server: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name has an address of each kind, and at one of them nobody ever answers."""
    monkeypatch.setattr("device.live.probe.STEP_S", 1.0)
    with unanswered_port("::1", int(server.url.rpartition(":")[2])):
        told = await way(scene)
    assert told["tcp"].verdict is Verdict.HINT
    assert "IPv6 is announced but leads nowhere" in told["tcp"].figure
    assert "router" in told["tcp"].advice
    assert told["tls"].verdict is told["websocket"].verdict is Verdict.FINE


@pytest.mark.usefixtures("both")
async def test_ipv6_that_is_refused_or_not_there_is_no_news(scene: Scene) -> None:
    """It costs no time."""
    told = await way(scene)
    assert "IPv6" in told["dns"].figure
    assert told["tcp"].verdict is Verdict.FINE


async def test_behind_a_proxy_only_the_way_to_it_is_timed(
    scene: Scene, server: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence goes through it."""
    port = server.url.rpartition(":")[2]
    monkeypatch.setenv("https_proxy", f"http://localhost:{port}")
    monkeypatch.setattr("device.live.network.urllib.request.proxy_bypass", lambda _host: False)
    assert goal_of(scene.config.live).via_proxy
    told = await way(scene)
    assert told["tcp"].verdict is Verdict.FINE
    assert told["tls"].figure == told["websocket"].figure == "through a proxy"


async def test_where_no_network_is_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which: none, or no time of day."""
    monkeypatch.setattr("device.live.network.is_online", lambda: False)
    told = await way(machine(tmp_path))
    assert told["dns"].verdict is Verdict.BROKEN
    assert "connected to no network" in told["dns"].advice
    assert {told[name].figure for name in ("tcp", "tls", "websocket")} == {"not reached"}


async def test_offline_nothing_is_sent(tmp_path: Path, server: ServerThread) -> None:
    """Not a packet."""
    before = server.attempts
    scene = machine(tmp_path, config=f'live: {{endpoint: "{server.url}"}}', offline=True)
    results = [*await checks.way(scene), *await checks.talk(scene)]
    assert {each.verdict for each in results} == {Verdict.SKIPPED}
    assert server.attempts == before


async def test_the_model_answers_a_sentence(scene: Scene, server: ServerThread) -> None:
    """With its words, the time to its first sound, and what it cost."""
    told = only(await checks.talk(scene))
    assert told.verdict is Verdict.FINE, told
    assert "answered 'Ready.' after" in told.figure
    assert told.figures["first_sound_ms"] >= 0
    assert told.figures["sound_s"] == 0.5
    assert told.figures["cents_at_most"] == round(0.0012 * told.figures["tokens"]["total"], 3)
    assert f"tokens, at most {told.figures['cents_at_most']:.2f} cents" in told.figure
    assert KEY not in repr(told)


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (Reject(401, "API key not valid"), "key"),
        (Reject(429, "quota exceeded"), "quota"),
        (Reject(429, PROJECT_CAP), "cap"),
    ],
)
async def test_a_server_that_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Reject, kind: str
) -> None:
    """The kind of trouble, and what to do."""
    with ServerThread(Script(events=(Event("upgrade", refused),))) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        told = only(await checks.talk(at(tmp_path, server.url)))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, kind)
    assert told.advice


async def test_a_server_that_keeps_silent_is_told(
    tmp_path: Path, server: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so long; a session that never opens is told from an answer that never comes."""
    monkeypatch.setattr(checks, "ANSWER_S", 0.5)
    with ServerThread(Script(turns=(Turn(says="x", audio=100, delay_s=30.0),))) as silent:
        monkeypatch.setenv("SSL_CERT_FILE", str(silent.certificate))
        told = only(await checks.talk(at(tmp_path, silent.url)))
    assert told.figure == "no answer within 0 s"
    with ServerThread(Script(setup_delay_s=30.0)) as slow:
        monkeypatch.setenv("SSL_CERT_FILE", str(slow.certificate))
        told = only(await checks.talk(at(tmp_path, slow.url)))
    assert told.figure == "no session within 0 s"


def test_a_model_that_is_gone_or_slow_is_a_hint() -> None:
    """The one that answered is named."""
    from device.news import ReplyAudio, SessionOpened

    heard = checks._Talk(lambda: None)
    heard.take(SessionOpened(1, 300.0, "new", resumed=False, time=0.0))
    heard.take(ReplyAudio(1, 1, b"\0\0", 0.0))
    heard.first_sound = 5.0
    told = checks._judge(heard, "old", 4.0)
    assert (told.verdict, told.advice) == (
        Verdict.HINT,
        "old is gone: set live.model to new",
    )
    assert "tokens not told" in told.figure
    assert checks._judge(heard, "new", 0.0).verdict is Verdict.HINT
    heard.failure = Failure(FailureKind.KEY, "the server refused the key", retryable=False)
    assert checks._judge(heard, "new", 0.0).verdict is Verdict.BROKEN
