"""Failures of an MCP server: what each is, and in which words the owner is told of it. Pure.

`device.mcp.client`, `http` and `stdio` see what happened and name it by a `Fault`; `sentence` says
it to the owner (status, doctor, journal) and, in a call, to the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from device.errors import McpServerError
from device.text import printable

LONGEST_DETAIL = 200
"""Characters of what a server says of itself that are shown."""
LONGEST_ADVICE = 400
"""Characters of what we say ourselves of a credential."""


class Fault(StrEnum):
    """What is wrong with a server."""

    DNS = "dns"
    ADDRESS = "address"
    """No request can be made of its URL."""
    REFUSED = "refused"
    """Its machine is there, but nothing listens at that port."""
    UNREACHABLE = "unreachable"
    TLS = "tls"
    SILENT = "silent"
    """It takes a connection, or runs, and does not answer in time."""
    LOST = "lost"
    """The connection broke."""
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    METHOD = "method"
    """Something else answers at that path."""
    REDIRECTED = "redirected"
    STATUS = "status"
    """It answers with another status that says no."""
    FORGOTTEN = "forgotten"
    """It was restarted, and knows nothing of the session."""
    NOT_MCP = "not mcp"
    VERSION = "version"
    TOO_LONG = "too long"
    """A message of it is beyond the bounds."""
    PROTOCOL = "protocol"
    """It answers a request of the protocol with an error of its own."""
    COMMAND = "command"
    """Its command cannot be started."""
    EXITED = "exited"
    LIBRARY = "library"
    """What speaks MCP is not installed here, or does not run."""
    CREDENTIAL = "credential"
    """Its credential is missing; it is not even tried. The detail says what to do."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, and what the server or the system says of it (printable, no secret)."""

    fault: Fault
    detail: str = ""
    status: int | None = None
    """Of HTTP, where one came."""


class ServerFailureError(McpServerError):
    """A server cannot be used now; ``failure`` says why."""

    def __init__(self, failure: Failure, *, own: bool = False) -> None:
        """Whether it is the request's ``own`` failure, and not only its connection's."""
        self.failure = failure
        self.own = own
        super().__init__(f"{failure.fault}: {failure.detail}")


_SENTENCES = {
    Fault.DNS: "no address is known for {host}: check the name in tools.mcp, or write the server's"
    " IP address",
    Fault.ADDRESS: "its url cannot be used ({detail}): write http://HOST:PORT/PATH or https://…",
    Fault.REFUSED: "nothing listens there: start the server, or check the port in its url",
    Fault.UNREACHABLE: "it cannot be reached ({detail}): is it on, and in the same network?",
    Fault.TLS: "its certificate is not trusted ({detail}): use the name that the certificate is"
    " for, or name the certificate of a private authority in SSL_CERT_FILE",
    Fault.SILENT: "it does not answer{detail_after}: look at its own log, or restart it",
    Fault.LOST: "the connection broke{detail_after}; it is tried again",
    Fault.UNAUTHORIZED: "it refuses the token (401): make a new one there (Home Assistant: your"
    " profile, Security, Long-lived access tokens), put it where `credential` points, and"
    " restart the speaker",
    Fault.FORBIDDEN: "it does not allow this with that token (403): give the token's user the"
    " right to, or take another token and restart the speaker",
    Fault.NOT_FOUND: "nothing is at that path (404{detail_comma}): check the url (Home Assistant:"
    " add the integration 'Model Context Protocol Server'; its path is /api/mcp)",
    Fault.METHOD: "it does not take MCP's requests at that path ({status}): check the path in its"
    " url",
    Fault.REDIRECTED: "it sends on to {detail}, and no token is sent there: write that address as"
    " its url if it is the right one",
    Fault.STATUS: "it answers with HTTP status {status}{detail_after}: look at its own log",
    Fault.FORGOTTEN: "it was restarted and has forgotten the session; it is connected to again",
    Fault.NOT_MCP: "what answers is no MCP server ({detail}): check the path in its url",
    Fault.VERSION: "it speaks no version of MCP that is known here ({detail}): update the server,"
    " or Parley",
    Fault.TOO_LONG: "it sends messages that are too long ({detail}): let it offer or return less",
    Fault.PROTOCOL: "it answers with an error: {detail}",
    Fault.COMMAND: "its command cannot be started ({detail}): install it, or write its absolute"
    " path in tools.mcp",
    Fault.LIBRARY: "the package mcp cannot be loaded ({detail}): run install.sh again",
    Fault.CREDENTIAL: "its credential is missing: {advice}",
    Fault.EXITED: "its command has ended ({detail}): try it by hand, as the speaker's user",
}

_ADVICE = "put the token where `credential` in tools.mcp points, and restart the speaker"


def sentence(name: str, place: str, failure: Failure) -> str:
    """Say what is wrong with a server and what to do; one line, in the words of the house."""
    detail = printable(failure.detail, LONGEST_DETAIL)
    words = _SENTENCES[failure.fault].format(
        host=repr(_host(place)),
        detail=detail or "no more is known",
        detail_after=f" ({detail})" if detail else "",
        detail_comma=f": {detail}" if detail else "",
        advice=printable(failure.detail, LONGEST_ADVICE) or _ADVICE,
        status=failure.status,
    )
    return f"{name} ({place}): {words}"


def _host(place: str) -> str:
    """Return the name of the host in an address that is shown."""
    authority = place.partition("://")[2].partition("/")[0]
    if authority.startswith("["):
        return authority.partition("]")[0].removeprefix("[")
    return authority.rpartition(":")[0] or authority
