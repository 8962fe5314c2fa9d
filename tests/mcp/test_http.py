"""What is seen of a server over HTTP: each fault by its name, and no token on a wrong way."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from pathlib import Path

import httpx2
import pytest

from device.mcp.client import Notes
from device.mcp.failures import Failure, Fault, ServerFailureError
from device.mcp.http import Fate, Watched, failure_of, fate, http_client, trusted
from device.mcp.wanted import Wanted
from device.simulator.certificate import make_certificate
from tests.mcp.conftest import TOKEN
from tests.rig.mcp_living import Canned, canned, http_answer, living
from tests.rig.mcp_server import home_assistant

HTML = "<html><body>Welcome to your router</body></html>"
GARBAGE = http_answer("200 OK", "application/json", '{"message": "hello"}')

FAULTS = [
    (http_answer("401 Unauthorized", body="401: Unauthorized"), "refuses the token (401)"),
    (http_answer("403 Forbidden"), "does not allow this with that token (403)"),
    (http_answer("404 Not Found", body="Unknown LLM API 'x'"), "(404: Unknown LLM API 'x')"),
    (http_answer("404 Not Found", "text/html", HTML), "nothing is at that path (404)"),
    (http_answer("405 Method Not Allowed"), "does not take MCP's requests at that path (405)"),
    (http_answer("500 Oops", body="it broke"), "HTTP status 500 (it broke)"),
    (http_answer("502 Bad Gateway", "text/html", HTML), "HTTP status 502: look at its own log"),
    (http_answer("200 OK", "text/html", HTML), "no MCP server (it answers with text/html)"),
    (GARBAGE, "no MCP server"),
    (http_answer("200 OK", "application/json", "{"), "no MCP server"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{", "broke"),
    (
        http_answer("200 OK", "application/json", "x", "content-encoding: gzip"),
        "no MCP server (it packs its answers (gzip))",
    ),
    (
        http_answer("302 Found", "text/plain", "", "location: https://login.example.com/?next=x"),
        "it sends on to https://login.example.com/, and no token is sent there",
    ),
    (http_answer("308 Moved", "text/plain", "", "location: http://[/"), "it sends on to"),
]


@pytest.mark.parametrize(("answer", "words"), FAULTS, ids=[words[:30] for _, words in FAULTS])
async def test_each_fault_is_told_in_its_own_words(answer: bytes, words: str) -> None:
    """With the server's name and place, and what to do."""
    async with canned(answer) as server:
        wanted = Wanted("home", url=f"{server.url}?key=secret", secret=TOKEN)
        async with living(wanted) as home:
            why = (await home.until_gone()).why
    assert why is not None
    assert why.startswith(f"home ({server.url}): ")
    assert words in why
    assert "secret" not in why


async def test_a_token_that_is_refused_is_sent_once() -> None:
    """Not in each way to ask: a server may ban whoever tries."""
    async with canned(http_answer("401 Unauthorized")) as server:
        async with living(Wanted("home", url=server.url, secret=TOKEN)) as home:
            await home.until_gone()
        assert len(server.heads) == 1
        assert f"authorization: Bearer {TOKEN}".lower() in server.heads[0].lower()


async def test_no_redirect_takes_the_token_to_another_server() -> None:
    """Also another port of the same host is another server."""
    async with canned(GARBAGE) as thief, canned(b"") as server:
        server.answer = http_answer("307 Elsewhere", "text/plain", "", f"location: {thief.url}")
        async with living(Wanted("home", url=server.url, secret=TOKEN)) as home:
            why = (await home.until_gone()).why
        assert thief.heads == []
    assert why is not None
    assert thief.url in why


async def test_a_port_where_nothing_listens() -> None:
    """On a machine that is there."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://localhost:{closed.getsockname()[1]}/api/mcp"
        async with living(Wanted("home", url=url)) as home:
            why = (await home.until_gone()).why
    assert why is not None
    assert "nothing listens there" in why


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://no-such-host.invalid/api/mcp", "no address is known for 'no-such-host.invalid'"),
        ("ftp://home.local/api/mcp", "its url cannot be used (it begins with 'ftp')"),
        ("http://home.local:99999/api", "its url cannot be used"),
        ("http:///api", "its url cannot be used"),
    ],
)
async def test_addresses_that_lead_nowhere(url: str, words: str) -> None:
    """Each says what to write instead."""
    async with living(Wanted("home", url=url)) as home:
        why = (await home.until_gone()).why
    assert why is not None
    assert words in why


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time; the speaker goes on meanwhile."""
    monkeypatch.setattr("device.mcp.client.CONNECT_IN_ALL_S", 0.3)
    async with canned(b"") as server, living(Wanted("home", url=server.url)) as home:
        await server.asked.wait()
        why = (await home.until_gone()).why
    assert why is not None
    assert "it does not answer" in why


async def test_a_private_certificate_is_trusted_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SSL_CERT_FILE, and by nothing else."""
    certificate = make_certificate(tmp_path)
    with home_assistant(TOKEN, certificate=certificate) as house:
        wanted = Wanted("home", url=house.url, secret=TOKEN)
        async with living(wanted) as home:
            why = (await home.until_gone()).why
        assert why is not None
        assert "its certificate is not trusted (self" in why
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
        async with living(wanted) as home:
            await home.until_ready()
            await home.servers.call("home_HassTurnOff", {"area": "hall"})
        assert house.lights["hall"] == "off"


async def test_a_certificate_of_another_name_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its authority is; nothing is sent to who shows it."""
    certificate = make_certificate(tmp_path, names=["other.example"])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    made = Canned(GARBAGE)
    server = await asyncio.start_server(
        made.serve, "127.0.0.1", 0, ssl=certificate.server_context()
    )
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/api/mcp"
    async with living(Wanted("home", url=url, secret=TOKEN)) as home:
        why = (await home.until_gone()).why
    server.close()
    assert why is not None
    assert "its certificate is not trusted (Hostname mismatch" in why
    assert made.heads == []


async def test_a_file_of_certificates_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL itself would say nothing."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    async with living(Wanted("home", url="https://localhost:1/")) as home:
        why = (await home.until_gone()).why
    assert why is not None
    assert "SSL_CERT_FILE cannot be used" in why


def test_certificates_are_read_once_and_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For all servers together; a new certificate comes with the next connection."""
    certificate = make_certificate(tmp_path).certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    first = trusted("https")
    assert trusted("https") is first
    os.utime(certificate, (1, 1))
    assert trusted("https") is not first


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token would go there."""
    async with canned(GARBAGE) as proxy, canned(GARBAGE) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with living(Wanted("home", url=server.url, secret=TOKEN)) as home:
            await home.until_gone()
        assert proxy.heads == []
        assert server.heads


async def test_after_it_is_settled_nothing_is_raised() -> None:
    """A failed request is a 503 of our own, and is told."""
    notes = Notes()
    wanted = Wanted("home", url="http://127.0.0.1:1/")
    watched = Watched(wanted, trusted("http"), notes.fail)
    async with http_client(wanted, watched) as client:
        with pytest.raises(ServerFailureError):
            await client.post("http://127.0.0.1:1/", json={})
        watched.settled = True
        assert (await client.post("http://127.0.0.1:1/", json={})).status_code == 503
    assert notes.lost
    assert notes.last is not None
    assert notes.last.fault is Fault.REFUSED


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (httpx2.ConnectTimeout("slow"), Fault.UNREACHABLE),
        (httpx2.ConnectError("no route"), Fault.UNREACHABLE),
        (httpx2.ReadTimeout("slow"), Fault.SILENT),
        (httpx2.ReadError("gone"), Fault.LOST),
        (httpx2.RemoteProtocolError("odd"), Fault.LOST),
        (httpx2.UnsupportedProtocol("ftp"), Fault.ADDRESS),
        (httpx2.DecodingError("packed"), Fault.NOT_MCP),
        (ServerFailureError(Failure(Fault.TLS)), Fault.TLS),
    ],
)
def test_errors_of_a_request_by_their_kind(error: Exception, fault: Fault) -> None:
    """Where no cause of it says more."""
    assert failure_of(error).fault is fault


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        (socket.gaierror(-2, "unknown"), Fault.DNS),
        (ConnectionRefusedError(111, "refused"), Fault.REFUSED),
        (ExceptionGroup("all", [OSError("x"), ConnectionRefusedError()]), Fault.REFUSED),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), Fault.TLS),
    ],
)
def test_causes_say_more_than_the_error(cause: BaseException, fault: Fault) -> None:
    """At any depth, and among several addresses that were tried."""
    deep = caused(OSError("all attempts failed"), cause)
    assert failure_of(caused(httpx2.ConnectError("failed"), deep)).fault is fault


def test_a_tls_stream_that_is_broken_off_says_nothing_of_the_certificate() -> None:
    """It was trusted before, and a call may have arrived."""
    broken = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    assert failure_of(caused(httpx2.ReadError("gone"), broken)).fault is Fault.LOST


def protocols(code: int, message: str = "no") -> str:
    return json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}})


JSON = "application/json"
IN_WORDS_OF_THE_PROTOCOL = [
    # As the official SDKs answer a session of the time before they were restarted.
    ("404 Not Found", protocols(-32600, "Session not found"), "session", Fault.FORGOTTEN),
    ("404 Not Found", protocols(-32001, "Session not found"), "session", Fault.FORGOTTEN),
    ("404 Not Found", protocols(-32601, "Method not found"), "session", None),
    ("404 Not Found", protocols(-32601, "Method not found"), "", None),
    ("400 Bad Request", protocols(-32602, "no such lamp"), "session", None),
    ("500 Oops", protocols(-32603, "it broke"), "session", None),
    ("401 Unauthorized", protocols(-32001, "Unauthorized"), "", Fault.UNAUTHORIZED),
    ("403 Forbidden", protocols(-32003, "Forbidden"), "session", Fault.FORBIDDEN),
    ("302 Found", protocols(-32000, "elsewhere"), "", Fault.REDIRECTED),
    # What is no message of the protocol is no answer in its words.
    ("500 Oops", '{"error": {"code": 7, "message": "it broke"}}', "", Fault.STATUS),
    ("500 Oops", '{"jsonrpc": "2.0", "error": "it broke"}', "", Fault.STATUS),
]


@pytest.mark.parametrize(("status", "body", "session", "fault"), IN_WORDS_OF_THE_PROTOCOL)
async def test_a_status_counts_whatever_body_is_around_it(
    status: str, body: str, session: str, fault: Fault | None
) -> None:
    """But where the protocol has a better word for it than HTTP."""
    notes = Notes()
    async with canned(http_answer(status, JSON, body, "location: http://127.0.0.2/")) as server:
        watched = Watched(Wanted("home", url=server.url), trusted("http"), notes.fail)
        watched.settled = True
        headers = {"mcp-session-id": session} if session else {}
        async with http_client(Wanted("home"), watched) as client:
            answer = await client.post(server.url, json={}, headers=headers)
    assert answer.text == body
    assert (notes.last.fault if notes.last is not None else None) is fault
    assert notes.lost == (fault in {Fault.FORGOTTEN, Fault.UNAUTHORIZED, Fault.REDIRECTED})


async def test_a_token_that_is_refused_in_words_of_the_protocol_is_sent_once() -> None:
    """As gateways of MCP do; the next try comes after minutes."""
    refusal = http_answer("401 Unauthorized", JSON, protocols(-32001, "Unauthorized"))
    async with canned(refusal) as server:
        async with living(Wanted("home", url=server.url, secret=TOKEN)) as home:
            gone = await home.until_gone()
        assert len(server.heads) == 1
    assert gone.fault is Fault.UNAUTHORIZED


async def test_what_became_of_one_request_is_known_apart_from_the_others() -> None:
    """Where it is sent in the context of its call; a stream that is opened again is none."""
    wanted = Wanted("home", url="http://127.0.0.1:1/")
    watched = Watched(wanted, trusted("http"), Notes().fail)
    watched.settled = True
    async with http_client(wanted, watched) as client:
        await client.post("http://127.0.0.1:1/", json={})
        mine = Fate()
        token = fate.set(mine)
        await client.get("http://127.0.0.1:1/")
        before = mine.failure
        await client.post("http://127.0.0.1:1/", json={})
        fate.reset(token)
    assert before is None
    assert mine.failure is not None
    assert mine.failure.fault is Fault.REFUSED
