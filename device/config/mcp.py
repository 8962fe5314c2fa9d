"""The kinds of value in `tools.mcp` say how an MCP server is called, reached and trusted.

A validator raises ValueError in an owner's words, as those of `device.config.kinds` do. None
repeats a value in which a secret may be: it would stand in the journal then.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from device.config.kinds import is_host
from device.config.yaml import KeyPath, shortened
from device.credentials.api_key import CREDENTIAL_NAME
from device.credentials.credential import (
    FOLDER,
    NAME,
    WHERE_IT_BELONGS,
    looks_secret,
    names_a_secret,
)
from device.credentials.hosts import at_home, is_loopback

MOST_SERVERS: Final = 8
MOST_WORDS: Final = 32
MOST_CHARACTERS: Final = 500
"""Of a URL, or of a word of a command."""
TAKEN: Final = (
    *("cancel", "change", "end", "get", "list", "look", "mute", "set"),
    *("device", "timers", "camera"),
)
"""The first words of the speaker's own functions: a server `set` with a tool `timer` would have one
of that name too. `tests/config/test_mcp.py` compares them with what is declared. And what the
speaker's own are listed under."""

_URL = "http://homeassistant.local:8123/api/mcp"
_TOKEN_URL = "https://tokens.home.arpa:8790/token"  # noqa: S105 - an address
_COMMAND = ("python3", "-m", "my_server")
_HEX = re.compile(r"[0-9A-Fa-f]{32,}")
_SEGMENT = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[\w~+=-]{24,}")
_OPAQUE = re.compile(r"(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{16,}", re.IGNORECASE)
"""No word is so long and has digits in it; some services put their secret into the path."""
_OPTION = re.compile(r"-{0,2}([A-Za-z_][\w-]*)(=?)(.*)", re.DOTALL)
_OF_A_FILE = re.compile(r"(?i)(?:file|path|env|dir|name|id)$")


def across_servers(servers: object) -> Iterator[tuple[KeyPath, str]]:
    """Find what does not fit together in a server, or between two; paths begin at the list.

    `servers` is `tools.mcp` as read; what has the wrong type there is left alone.
    """
    credentials: dict[str, str] = {}
    for place, server in enumerate(servers if isinstance(servers, tuple) else ()):
        if not isinstance(server, dict):
            continue
        yield from (((place, *path), message) for path, message in _within(server))
        name = server.get("credential")
        if isinstance(name, str) and re.fullmatch(NAME, name):
            other = credentials.setdefault(name.replace("-", "_"), name)
            if other != name:
                message = f"'{name}' and '{other}' have the same variable: rename one of them"
                yield (place, "credential"), message


def _within(server: dict[Any, object]) -> Iterator[tuple[KeyPath, str]]:
    url, command = server.get("url"), server.get("command")
    has_command = command is not None and command != ()
    if url is not None and has_command:
        yield ("command",), "is there beside url: a server has one of them: delete the other"
    elif url is None and not has_command:
        yield (), f"has neither url nor command: write one, e.g. url: {_URL}"
    if server.get("credential") is None:
        return
    if isinstance(url, str) and (host := _unencrypted(url)) is not None and not at_home(host):
        message = (
            f"would send the credential unencrypted to {shortened(host)}, which is not a host of "
            "the home: write https://, or an address such as 192.168.1.5 or homeassistant.local"
        )
        yield ("url",), message


def _unencrypted(url: str) -> str | None:
    """Return the host of an http URL; None where it is none, or a mistake that is told anyway."""
    try:
        parts = urlsplit(server_url(url))
    except ValueError:
        return None
    return parts.hostname if parts.scheme == "http" else None


def server_name(name: str) -> str:
    """Return a name that is a prefix of function names; no `_`, so that no two can be confused."""
    if name in TAKEN:
        raise ValueError(f"'{name}' begins functions of the speaker itself: choose another name")
    if re.fullmatch(r"[a-z][a-z0-9]{0,15}", name):
        return name
    near = re.sub(r"[^a-z0-9]+", "", name.lower()).lstrip("0123456789")[:16]
    hint = f": did you mean {near}?" if near and near not in TAKEN else ", e.g. home"
    raise ValueError(
        f"{_shown(name)}is not a server's name: write 1 to 16 small letters and digits, a letter "
        f"first{hint if not looks_secret(name) else ', e.g. home'}"
    )


def server_url(url: str, *, example: str = _URL) -> str:
    """Return the URL of a server: http or https, a host, and nothing that is secret.

    ``example`` is what one looks like.
    """
    try:
        parts = urlsplit(url)
        port_is_wrong = _port_is_wrong(parts.netloc)
    except ValueError:
        raise ValueError(f"is not a URL: write e.g. {example}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"has a user or a password in it: {WHERE_IT_BELONGS}")
    if _url_is_secret(parts.path, parts.query, parts.fragment) or looks_secret(url):
        raise ValueError(f"has something in it that looks like a secret: {WHERE_IT_BELONGS}")
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise ValueError(f"has a space or a character that is in no URL: write e.g. {example}")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(
            f"{_shown(url)}does not begin with http:// or https:// and a host: write e.g. {example}"
        )
    host = parts.hostname or ""
    if not is_host(f"[{host}]" if ":" in host else host) or host.rpartition(".")[2][:2] == "0x":
        raise ValueError(f"{shortened(host)} is not a host: write a name or an address of one")
    if port_is_wrong:
        raise ValueError("has a port that is not in 1..65535: choose e.g. 8123, or leave it out")
    if parts.fragment or url.endswith("#"):
        raise ValueError("has a part behind #, which is never sent: delete it from the # on")
    return url


def token_url(url: str) -> str:
    """Return the URL of a token server: https, or http where nobody else can listen."""
    checked = server_url(url, example=_TOKEN_URL)
    parts = urlsplit(checked)
    host = parts.hostname or ""
    if parts.scheme != "https" and not is_loopback(host):
        raise ValueError(
            f"would send a token unencrypted to {shortened(host)}: write https:// (http:// only on "
            "this machine, such as http://127.0.0.1:8790/token)"
        )
    return checked


def _port_is_wrong(netloc: str) -> bool:
    port = re.search(r":([^:\]]*)$", netloc)
    if port is None or not port[1]:
        return port is not None
    return not (re.fullmatch(r"[0-9]{1,5}", port[1]) and 1 <= int(port[1]) <= 65_535)


def _url_is_secret(path: str, query: str, fragment: str) -> bool:
    segments = [unquote(segment) for segment in path.split("/")]
    if any(_SEGMENT.fullmatch(each) or _OPAQUE.search(each) for each in segments):
        return True
    given = parse_qsl(query.replace(";", "&"), keep_blank_values=True)
    return any(
        (value and names_a_secret(name))
        or any(_HEX.search(each) or _SEGMENT.fullmatch(each) or looks_secret(each) for each in pair)
        for pair in given
        for name, value in [pair]
    ) or bool(fragment and names_a_secret(fragment))


def command_words(value: object) -> object:
    """Refuse a command that is one text: which words it has is not guessed."""
    if not isinstance(value, str):
        return value
    try:
        words = shlex.split(value)
    except ValueError:
        words = []
    shows = words and len(value) <= 60 and value.isprintable() and not _secret_words(words)
    example = ", ".join(f'"{word}"' for word in words if '"' not in word) if shows else ""
    raise ValueError(
        f"is one text, and must be a list with an item for each word: write "
        f"[{example or ', '.join(_COMMAND)}]"
    )


def command(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a command: a program's name or absolute path, and no secret."""
    if _secret_words(words):
        raise ValueError(f"has something in it that looks like a secret: {WHERE_IT_BELONGS}")
    for word in words:
        if not word or not word.isprintable():
            raise ValueError("has a word that is empty or has a line break in it: delete it")
        if len(word) > MOST_CHARACTERS:
            raise ValueError(f"has a word of more than {MOST_CHARACTERS} characters: shorten it")
    if words and not re.fullmatch(r"/.+|[^-~./][^/]*", words[0]):
        raise ValueError(
            f"{shortened(words[0])} is neither the name of a program, such as python3, nor its "
            "absolute path, such as /usr/bin/python3"
        )
    return words


def _secret_words(words: tuple[str, ...] | list[str]) -> bool:
    """Tell whether a word is a secret, or follows an option or a variable of a secret's name."""
    waits = False
    for word in words:
        if looks_secret(word) or re.search(r"(?i)://[^/\s]*@|bearer\s+\S", word):
            return True
        if waits and not word.startswith("-"):
            return True
        option = _OPTION.fullmatch(word)
        secret = option is not None and names_a_secret(option[1]) and not _names_a_file(option[1])
        if option is not None and secret and option[2] and option[3]:
            return True
        waits = secret and word.startswith("-") and not option[2] if option is not None else False
    return False


def _names_a_file(option: str) -> bool:
    return bool(_OF_A_FILE.search(option))


def credential_name(name: str) -> str:
    """Return the name of a file beside the key; what does not fit may be the secret itself."""
    if name == CREDENTIAL_NAME:
        raise ValueError(
            "is the key of the Live API, which no other server is told: choose another"
        )
    if not re.fullmatch(NAME, name) or looks_secret(name) or _HEX.fullmatch(name):
        raise ValueError(
            "is not the name of a credential: write that of a file, e.g. home (small letters, "
            f"digits, - and _, 32 at most); the secret itself goes into the file, {FOLDER}/home"
        )
    return name


def pattern(text: str) -> str:
    """Return a shell-style pattern of tools' names, such as HassTurn*."""
    if not re.fullmatch(r"[\w.*?\[\]!/-]{1,128}", text, re.ASCII):
        raise ValueError(
            f"{_shown(text)}is not a pattern of tools' names: write letters, digits, _ and -, and "
            "* for any of them, e.g. HassTurn*"
        )
    return text


def _shown(text: str) -> str:
    """A value before a verb, unless a secret may be in it."""
    return "" if "@" in text or looks_secret(text) or _HEX.search(text) else f"{shortened(text)} "


ServerName = Annotated[str, AfterValidator(server_name), Field(examples=["home"])]
ServerUrl = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(server_url)]
TokenUrl = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(token_url)]
Command = Annotated[
    tuple[str, ...],
    Field(max_length=MOST_WORDS, examples=[_COMMAND]),
    BeforeValidator(command_words),
    AfterValidator(command),
]
CredentialName = Annotated[str, AfterValidator(credential_name)]
Patterns = tuple[Annotated[str, AfterValidator(pattern)], ...]
EXAMPLE: Final = {"name": "home", "url": _URL, "credential": "home"}
URL_EXAMPLE: Final = _URL
