"""What a session makes of servers and networks that fail."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from device.live.setup import load_sdk, unusable_trust
from device.news import (
    FailureKind,
    Reconnecting,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    TurnComplete,
    UplinkChanged,
)
from device.simulator.refusals import ACCOUNT_CAP, PROJECT_CAP
from device.simulator.script import (
    Close,
    Deaf,
    Drop,
    Event,
    Forget,
    Reject,
    Script,
    Send,
    Silence,
    Turn,
)
from tests.live.talk import PATIENCE_S, Ear, Settings, past_of, session_of, talking

pytestmark = pytest.mark.usefixtures("sooner")

LONGEST_REASON = 123
"""Of a close frame, in bytes: RFC 6455, section 5.5."""
LONG = Turn(says="Once upon a time", audio=30_000, pace="realtime")


async def test_wrong_key_is_told_once(tmp_path: Path) -> None:
    """A refused key names its file, is not tried again, and is not repeated to anyone."""
    async with talking(tmp_path, Script(api_keys=("right",))) as talk:
        failure = (await talk.failed()).failure
        assert failure.kind is FailureKind.KEY
        assert not failure.retryable
        assert "/etc/parley/credentials/gemini_api_key" in failure.message
        assert talk.server.attempts == 1


@pytest.mark.parametrize("content", [None, "", "no certificate"])
async def test_certificates_that_cannot_be_used_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """A mistake in SSL_CERT_FILE is a failed session, not a dead speaker."""
    path = tmp_path / "own.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    load_sdk.cache_clear()
    ear = Ear()
    await session_of(Settings(endpoint="https://localhost:1"), ear).run()
    (failed,) = ear.all(SessionFailed)
    assert failed.failure.kind is FailureKind.TLS
    assert not failed.failure.retryable
    assert failed.failure.message.startswith(f"SSL_CERT_FILE={path} cannot be used: ")
    assert failed.failure.message.endswith("; correct or unset it")


def test_without_ssl_cert_file_the_systems_certificates_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is sent to look for a variable that is not set."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert "the system's certificates" in unusable_trust(ValueError("odd")).message


async def test_model_that_is_gone_gives_way_to_the_next(tmp_path: Path) -> None:
    """The fallbacks are tried in order, each with a setup of its own kind."""
    script = Script(models=("gemini-3.8-live",))
    fallbacks = ("gemini-2.0-flash-live-001", "gemini-3.8-live")
    async with talking(tmp_path, script, fallback_models=fallbacks) as talk:
        assert (await talk.ear.until(SessionOpened)).model == "gemini-3.8-live"
        assert talk.session.model == "gemini-3.8-live"
        assert talk.server.attempts == 3
        setup = (await talk.record(3, closed=False)).setup
        assert setup is not None
        assert "thinkingConfig" not in setup["generationConfig"]


async def test_last_model_that_is_gone_is_told(tmp_path: Path) -> None:
    """When no model is left, the last one is named."""
    async with talking(tmp_path, Script(models=()), fallback_models=("gemini-3.8-live",)) as talk:
        failed = await talk.failed()
        assert failed.failure.kind is FailureKind.MODEL
        assert failed.model == "gemini-3.8-live"
        assert "gemini-3.8-live" in failed.failure.message
        assert talk.server.attempts == 2


async def test_setup_that_is_never_confirmed_ends_by_the_clock(tmp_path: Path) -> None:
    """Live API: wrong settings may be met with silence for ever."""
    script = Script(events=(Event("setup", Silence()),))
    async with talking(tmp_path, script, connect_timeout_s=0.5) as talk:
        failure = (await talk.failed()).failure
        assert failure.kind is FailureKind.TIMEOUT
        assert "never confirmed the setup" in failure.message


async def test_upgrade_that_is_never_answered_is_the_networks_fault(tmp_path: Path) -> None:
    """A dial that hangs is told apart from a setup that hangs."""
    script = Script(events=(Event("upgrade", Silence()),))
    async with talking(tmp_path, script, connect_timeout_s=0.5) as talk:
        failure = (await talk.failed()).failure
        assert failure.kind is FailureKind.NETWORK
        assert "did not answer in time" in failure.message


async def test_first_message_must_confirm_the_setup(tmp_path: Path) -> None:
    """The SDK takes any first message for the confirmation; we do not."""
    message = {"serverContent": {"turnComplete": True}}
    async with talking(tmp_path, Script(events=(Event("setup", Send(message)),))) as talk:
        failure = (await talk.failed()).failure
        assert failure.kind is FailureKind.SERVER
        assert "not setupComplete" in failure.message
        assert (await talk.record()).close_code == 1000


async def test_close_while_an_odd_connection_closes_is_harmless(tmp_path: Path) -> None:
    """The connecting is over by then, and can no longer be hurried."""
    message = {"serverContent": {"turnComplete": True}}
    events = (Event("setup", Send(message)), Event("setup", Deaf()))
    async with talking(tmp_path, Script(events=events)) as talk:
        record = await talk.record(closed=False)
        await talk.server.wait_for(lambda _: record.sent, PATIENCE_S)
        assert (await talk.close()).reason == "done"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (Event("upgrade", Reject(401)), FailureKind.KEY),
        (Event("upgrade", Reject(404)), FailureKind.SETTINGS),
        (Event("upgrade", Reject(429)), FailureKind.QUOTA),
        (Event("upgrade", Reject(503, "<html>")), FailureKind.SERVER),
        (Event("upgrade", Drop()), FailureKind.NETWORK),
        (Event("opened", Drop()), FailureKind.NETWORK),
        (Event("setup", Drop()), FailureKind.NETWORK),
        (
            Event("setup", Close(1007, "Request contains an invalid argument.")),
            FailureKind.SETTINGS,
        ),
        (Event("setup", Close(1011, "Your prepayment credits are depleted.")), FailureKind.BILLING),
        (Event("setup", Close(1008, PROJECT_CAP[:LONGEST_REASON])), FailureKind.CAP),
        (Event("ready", Close(1011, ACCOUNT_CAP[:LONGEST_REASON])), FailureKind.CAP),
        (Event("setup", Send("not json")), FailureKind.SERVER),
        (Event("setup", Send("[1]")), FailureKind.SERVER),
        (Event("setup", Send('"text"')), FailureKind.SERVER),
        (Event("setup", Send("[" * 50_000)), FailureKind.SERVER),
        (Event("setup", Send(b"\xff\xfe")), FailureKind.SERVER),
        (Event("ready", Drop()), FailureKind.NETWORK),
        (Event("ready", Close(1011, "You exceeded your current quota")), FailureKind.QUOTA),
        (Event("ready", Close(1011, "Internal error encountered.")), FailureKind.SERVER),
        (Event("ready", Send({"code": 429, "message": "Too many requests"})), FailureKind.QUOTA),
    ],
    ids=lambda value: f"{value.at}-{value.do}"[:60] if isinstance(value, Event) else "",
)
async def test_end_in_every_phase_is_told_for_what_it_is(
    tmp_path: Path, event: Event, kind: FailureKind
) -> None:
    """Whatever phase a server gives up in, one failure of the right kind ends the session."""
    async with talking(tmp_path, Script(events=(event,)), resumption=False) as talk:
        assert (await talk.failed()).failure.kind is kind


async def test_server_that_sends_only_nonsense_is_given_up(tmp_path: Path) -> None:
    """One odd message is survived, an endless row of them is not."""
    events = tuple(Event("ready", Send("?")) for _ in range(25))
    async with talking(tmp_path, Script(events=events), resumption=False) as talk:
        failure = (await talk.failed()).failure
        assert failure.kind is FailureKind.SERVER
        assert "cannot be read" in failure.message


# --- the network ---------------------------------------------------------------------------------


async def failure_at(endpoint: str, **settings: Any) -> tuple[FailureKind, str]:
    ear = Ear()
    await session_of(Settings(endpoint=endpoint, **settings), ear).run()
    failure = ear.news[-1].failure  # type: ignore[union-attr]
    return failure.kind, failure.message


async def test_unknown_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without DNS nothing else can be found out."""

    def nowhere(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    kind, message = await failure_at("https://live.invalid")
    assert kind is FailureKind.DNS
    assert "live.invalid cannot be resolved" in message


async def test_closed_port_is_told() -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    kind, message = await failure_at(f"https://localhost:{port}")
    assert kind is FailureKind.NETWORK
    assert f"localhost:{port} (connection refused)" in message


async def test_untrusted_certificate_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate nobody vouches for is not the network's fault."""
    async with talking(tmp_path, start=False) as talk:
        monkeypatch.delenv("SSL_CERT_FILE")
        kind, message = await failure_at(talk.server.url)
        assert kind is FailureKind.TLS
        assert "SSL_CERT_FILE" in message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", FailureKind.TLS), (b"", FailureKind.NETWORK)],
)
async def test_port_that_does_not_speak_tls_is_told(answer: bytes, kind: FailureKind) -> None:
    """A plain server, and one that hangs up."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await failure_at(f"https://localhost:{port}"))[0] is kind


@pytest.mark.parametrize(
    ("proxy", "told", "words"),
    [
        ("http://127.0.0.1:9", FailureKind.NETWORK, "HTTPS_PROXY"),
        ("socks5://127.0.0.1:9", FailureKind.PROXY, "the proxy on the way to live.invalid failed"),
    ],
)
async def test_proxy_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, proxy: str, told: FailureKind, words: str
) -> None:
    """The environment may send us through a proxy that is not there, or that we cannot speak to."""
    monkeypatch.setenv("https_proxy", proxy)
    load_sdk.cache_clear()
    kind, message = await failure_at("https://live.invalid")
    assert kind is told
    assert words in message


@pytest.mark.parametrize("answer", ["407 Proxy Authentication Required", "502 Bad Gateway"])
async def test_proxy_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """It is there, but does not let us through."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        load_sdk.cache_clear()
        kind, message = await failure_at("https://live.invalid")
        assert kind is FailureKind.PROXY
        assert answer[:3] in message


# --- going on ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending", [Drop(), Close(1011, "Internal error encountered."), Close(1000)]
)
async def test_dropped_conversation_goes_on_with_its_handle(
    tmp_path: Path, ending: Drop | Close
) -> None:
    """A reply cut off is ended for good, and the talk goes on over a new connection."""
    script = Script(turns=(LONG,), events=(Event("reply", ending, after_s=0.2, connections=(1,)),))
    async with talking(tmp_path, script) as talk:
        talk.speak(5)
        await talk.heard()
        talk.session.send_text("tell me a story")
        opened = await talk.ear.until(SessionOpened, 2)
        assert opened.resumed
        assert len(talk.ear.all(TurnComplete)) == 1
        assert [change.flowing for change in talk.ear.all(UplinkChanged)] == [True, False]
        talk.speak(5)
        await talk.heard()
        assert talk.server.audio == bytes(talk.said)
        assert (await talk.record(2, closed=False)).handle
        assert talk.session.counters["recoveries"] == 1
        await talk.close()


async def test_server_that_stays_away_is_told_after_a_few_tries(tmp_path: Path) -> None:
    """A talk that cannot be resumed ends in a failure, not in silence."""
    async with talking(tmp_path, lost_after_s=1.0) as talk:
        handle = await talk.handle()
        await talk.server.kill_listener()
        await talk.server.drop()
        failed = await talk.failed()
        assert failed.failure.kind is FailureKind.NETWORK
        assert talk.session.counters["attempts"] == 4
        tries = talk.ear.all(Reconnecting)
        assert len(tries) == 2
        assert all(each.failure.kind is FailureKind.NETWORK for each in tries)
        assert talk.session.handle == handle


async def test_close_does_not_wait_for_the_next_try(tmp_path: Path) -> None:
    """Between two tries a session can be closed at once."""
    refused = Event("upgrade", Reject(503), connections=(2, 3))
    async with talking(tmp_path, Script(events=(refused,))) as talk:
        await talk.handle()
        await talk.server.drop()
        await talk.record(3)
        began = asyncio.get_running_loop().time()
        assert (await talk.close()).reason == "done"
        assert asyncio.get_running_loop().time() - began < 1


async def test_handle_of_an_earlier_talk_is_resumed(tmp_path: Path) -> None:
    """The next wake goes on with the same conversation."""
    async with talking(tmp_path) as talk:
        await talk.handle()
        await talk.close()
        ear = Ear()
        settings = Settings(endpoint=talk.server.url)
        assert talk.session.handle is not None
        later = session_of(settings, ear, past=past_of(settings, talk.session.handle))
        running = asyncio.create_task(later.run())
        assert (await ear.until(SessionOpened)).resumed
        assert talk.server.connections[1].conversation == 1
        await later.close("done")
        await running


async def test_forgotten_handle_opens_a_fresh_talk(tmp_path: Path) -> None:
    """A handle that the server does not know any more costs one connect, not the conversation."""
    async with talking(tmp_path, handle="long ago") as talk:
        assert not (await talk.ear.until(SessionOpened)).resumed
        assert [record.handle for record in talk.server.connections] == ["long ago", ""]


async def test_handle_forgotten_in_mid_talk_opens_a_fresh_talk(tmp_path: Path) -> None:
    """Going on without memory is better than not going on."""
    async with talking(tmp_path) as talk:
        await talk.handle()
        await talk.server.do(Forget())
        await talk.server.drop()
        opened = await talk.ear.until(SessionOpened, 2)
        assert not opened.resumed
        assert len(talk.server.connections) == 3


async def test_failure_while_closing_is_a_close(tmp_path: Path) -> None:
    """Who wanted the end gets it, whatever the network does meanwhile."""
    async with talking(tmp_path) as talk:
        await talk.ear.until(SessionOpened)
        closing = asyncio.create_task(talk.session.close("enough"))
        await talk.server.drop()
        await closing
        end = await talk.ended()
        assert isinstance(end, SessionClosed)
        assert end.reason == "enough"
