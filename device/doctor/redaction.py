"""`Redactor` takes secrets out of everything that leaves the machine by hand. Pure.

A secret that is known is blotted wherever it stands, also cut short. One that is not known is told
by its look: Google's keys, the tokens of others (Home Assistant's begin with ``eyJ``), what stands
behind ``key=``, ``token=`` or ``Bearer``, who signs in at a URL, and (where asked for) any long
word of mixed letters and digits, such as a session's handle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from device.credentials.api_key import LOOK
from device.credentials.credential import CREDENTIAL_LOOK

BLOT = "[left out]"
SHORTEST = 8
"""Shorter words are no secrets, and would blot out half of the text."""
TELLING = 12
"""The shortest beginning of a known secret that is taken for a part of it."""

_LOOKS = re.compile(
    rf"{LOOK}|{CREDENTIAL_LOOK}"
    r"|(?<=key=)[^\s&\"']+|(?<=token=)[^\s&\"']+|(?<=bearer )\S{8,}|(?<=://)[^/\s@]+(?=@)",
    re.IGNORECASE,
)
_LONG = re.compile(r"(?<![\w/.-])(?=[\w+=-]*[A-Z])(?=[\w+=-]*[a-z])(?=[\w+=-]*\d)[\w+=-]{24,}")
_IN_YAML = re.compile(
    r"(?im)^[^#\n]*?\b(?:\w*(?:api_?key|secret|password)|key|token)[\"']?\s*:\s*[\"']?([^\"'\s#,}]+)"
)


def secrets_in_file(text: str) -> list[str]:
    """Return what may be secret in a file that should hold a secret and nothing else.

    Whoever wrote quotes or a variable's name around it has still written it there.
    """
    words = text.split()
    values = [word.partition("=")[2] for word in words]
    return [bare for word in (*words, *values) if (bare := word.strip("\"'"))]


def secrets_in_yaml(text: str) -> list[str]:
    """Return what stands at keys of a YAML file that are called as secrets are."""
    return [match[1] for match in _IN_YAML.finditer(text)]


class Redactor:
    """Knows the secrets of this machine."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret.strip() for secret in secrets}
        self._known = sorted((s for s in known if len(s) >= SHORTEST), key=len, reverse=True)

    def text(self, text: str, *, strict: bool = False) -> str:
        """Return the text without secrets; ``strict``: without anything that looks random."""
        for secret in self._known:
            text = text.replace(secret, BLOT)
            if len(secret) > TELLING:
                beginning = re.escape(secret[:TELLING])
                text = re.sub(rf"{beginning}[\w.+=/-]*", BLOT, text)
        text = _LOOKS.sub(BLOT, text)
        return _LONG.sub(BLOT, text) if strict else text

    def value(self, value: Any) -> Any:
        """Return the same for anything that becomes JSON."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(name)): self.value(each) for name, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case _:
                return value

    def holds(self, content: bytes) -> bool:
        """Tell whether a known secret is in what was made after all."""
        return any(secret.encode() in content for secret in self._known)
