"""`Speakers` knows who may ask for tokens: a file with a line for each speaker.

A line is a name and what its bearer hashes to; the bearer itself is at the speaker only. It is made
of 32 random bytes, so a plain SHA-256 is enough: there is nothing to guess. The file is looked at
for each request, so a speaker that is deleted from it is refused at once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.credentials.credential import NAME
from device.errors import ParleyError

MOST_BYTES: Final = 65_536
"""Of the file; a line has about a hundred."""
BEARER_BYTES: Final = 32
_LINE = re.compile(rf"({NAME})[ \t]+sha256:([0-9a-f]{{64}})")
_OTHERS = stat.S_IWGRP | stat.S_IRWXO
"""Not that its group may read it: that is how systemd's copy of a credential looks."""


class SpeakersError(ParleyError):
    """The file of speakers cannot be used: names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker that may ask."""

    name: str
    digest: bytes


class Speakers:
    """One file. Any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Speaker]:
        """Read all of it. Raises SpeakersError."""
        path = self._path
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                raw = file.read(MOST_BYTES + 1)
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise SpeakersError(
                f"the file of speakers {path} cannot be read: {reason}: make it with parley token "
                f"speaker NAME --speakers {path}"
            ) from error
        if mode & _OTHERS:
            raise SpeakersError(
                f"others may read or change the file of speakers {path}: chmod 600 {path}"
            )
        if len(raw) > MOST_BYTES:
            raise SpeakersError(f"the file of speakers {path} has more than {MOST_BYTES} bytes")
        return self._parsed(raw.decode(errors="replace"))

    def _parsed(self, text: str) -> list[Speaker]:
        found: dict[str, Speaker] = {}
        for number, line in enumerate(text.splitlines(), 1):
            bare = line.partition("#")[0].strip()
            if not bare:
                continue
            match = _LINE.fullmatch(bare)
            if match is None:
                raise SpeakersError(
                    f"{self._path}, line {number}: this is no speaker: write its name and sha256:"
                    f"…, as parley token speaker NAME --speakers {self._path} does"
                )
            if match[1] in found:
                raise SpeakersError(f"{self._path}, line {number}: '{match[1]}' is there twice")
            found[match[1]] = Speaker(match[1], bytes.fromhex(match[2]))
        return list(found.values())

    def find(self, bearer: str) -> Speaker | None:
        """Return whose bearer this is; None: nobody's. Raises SpeakersError.

        It takes as long for a wrong one as for a right one: all lines are compared.
        """
        digest = hashlib.sha256(bearer.encode()).digest()
        found = None
        for speaker in self.read():
            if hmac.compare_digest(speaker.digest, digest):
                found = speaker
        return found

    def add(self, name: str) -> str:
        """Make a bearer for a new speaker and add its line; return the bearer, kept nowhere else.

        Raises SpeakersError.
        """
        if not re.fullmatch(NAME, name):
            raise SpeakersError(
                f"'{name}' is no name for a speaker: write small letters, digits, - and _, a "
                "letter first, 32 at most"
            )
        try:
            known = self.read()
        except SpeakersError:
            if self._path.exists():
                raise
            known = []
        if any(speaker.name == name for speaker in known):
            raise SpeakersError(
                f"'{name}' is in {self._path} already: delete its line first to give it another "
                "bearer"
            )
        bearer = secrets.token_urlsafe(BEARER_BYTES)
        digest = hashlib.sha256(bearer.encode()).hexdigest()
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            with os.fdopen(os.open(self._path, flags, 0o600), "a+", errors="replace") as file:
                file.seek(0)
                # An editor may have left the last line without its end.
                first = "" if file.read()[-1:] in {"", "\n"} else "\n"
                file.write(f"{first}{name} sha256:{digest}\n")
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            message = f"the file of speakers {self._path} cannot be written: {reason}"
            raise SpeakersError(message) from error
        return bearer
