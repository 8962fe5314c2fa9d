"""`find_api_key` finds the API key and keeps it out of what somebody else could read.

Three places are looked at, in this order; the first that is not empty decides, so that a mistyped
key is never silently replaced by another one:

1. ``$CREDENTIALS_DIRECTORY/gemini_api_key``: what systemd's ``LoadCredential`` hands over,
2. ``GEMINI_API_KEY``,
3. ``GOOGLE_API_KEY``.

google-genai by itself prefers ``GOOGLE_API_KEY`` to ``GEMINI_API_KEY`` and warns when both are
set; an explicit ``api_key=`` beats both. So the caller passes the key it got here explicitly, and
calls :func:`forget_in` first, so that neither the SDK nor a child process finds another one.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from device.api_key import (
    CREDENTIAL_NAME,
    KEY_FILE,
    MAX_CHARACTERS,
    ORIGIN,
    VARIABLES,
    flaw,
)
from device.errors import CredentialError


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that does not show when it is printed."""

    secret: str = field(repr=False)
    """Printable ASCII without whitespace, as it goes into a request."""
    source: str
    """Where it was found: a file's path or a variable's name."""


def find_api_key(environ: Mapping[str, str]) -> ApiKey:
    """Find the key, given the process's environment.

    Raises CredentialError: none of the three places has one, or the first that is not empty holds
    something that cannot be a key. The message never contains what was found.
    """
    empty = []
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory:
        file = Path(directory) / CREDENTIAL_NAME
        text, what = _read(file), f"the key file {file}"
        if text and text.strip():
            return ApiKey(_checked(text, what, _IN_FILE), str(file))
        empty += [what] if text is not None else []
    for name in VARIABLES:
        text, what = environ.get(name), f"the variable {name}"
        if text and text.strip():
            return ApiKey(_checked(text, what, f"into {name}"), name)
        empty += [what] if text is not None else []
    found = f" ({' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty)" if empty else ""
    raise CredentialError(
        f"no API key found{found}: write one into {KEY_FILE} and restart parley.service (it is "
        f"looked for in $CREDENTIALS_DIRECTORY/{CREDENTIAL_NAME}), or set {' or '.join(VARIABLES)}"
    )


def forget_in(environ: MutableMapping[str, str]) -> None:
    """Remove the key from an environment, so that no library and no child process inherits it.

    ``/proc/PID/environ`` keeps what the process was started with, readable by the same user and
    root; a key handed over by systemd as a file was never there.
    """
    for name in VARIABLES:
        environ.pop(name, None)


_IN_FILE: Final = f"into {KEY_FILE}, and restart parley.service"


def _read(file: Path) -> str | None:
    """Return what the file holds; None where there is no such file."""
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_CHARACTERS + 1).decode("latin-1")
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise CredentialError(
            f"the key file {file} cannot be read: {reason}: check its owner and mode"
        ) from None


def _checked(text: str, what: str, place: str) -> str:
    """Strip the key and make sure that it can be one; ``latin-1`` text shows every byte."""
    key = text.strip()
    problem = flaw(key)
    if problem is None:
        return key
    raise CredentialError(f"{what} {problem}: put the key from {ORIGIN}, and only that, {place}")
