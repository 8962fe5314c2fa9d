"""`find_api_key` and `find_credential` find secrets and keep them from whom they do not concern.

Three places are looked at for the key, in this order; the first that is not empty decides, so that
a mistyped key is never silently replaced by another one:

1. ``$CREDENTIALS_DIRECTORY/gemini_api_key``: what systemd's ``LoadCredential`` hands over,
2. ``GEMINI_API_KEY``,
3. ``GOOGLE_API_KEY``.

google-genai by itself prefers ``GOOGLE_API_KEY`` to ``GEMINI_API_KEY`` and warns when both are
set; an explicit ``api_key=`` beats both. So the caller passes the key it got here explicitly, and
calls :func:`forget_in` first, so that neither the SDK nor a child process finds another one.

A credential of another server, such as a token of Home Assistant, is looked for in

1. ``$CREDENTIALS_DIRECTORY/NAME``: handed over under its own name, as by a drop-in of the owner's
   with ``LoadCredentialEncrypted``,
2. ``$CREDENTIALS_DIRECTORY/credentials.d_NAME``: the unit's copy of /etc/parley/credentials/NAME,
3. ``PARLEY_CREDENTIAL_NAME``, in capitals and with ``_`` for ``-``.

systemd copies the files when it starts the service, so a new one is there after a restart only.
What a drop-in of the owner's took out of the unit it does not copy, and that is said. The
variables are taken out of the environment: :class:`Credentials` keeps them for a later look.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from device.credentials.api_key import (
    CREDENTIAL_NAME,
    KEY_FILE,
    MAX_CHARACTERS,
    ORIGIN,
    VARIABLES,
    flaw,
)
from device.credentials.credential import FOLDER, LOADED_PREFIX, NAME, VARIABLE_PREFIX, variable_of
from device.credentials.credential import MAX_CHARACTERS as MAX_CREDENTIAL_CHARACTERS
from device.credentials.credential import flaw as credential_flaw
from device.errors import CredentialError

LOADED: Final = "run/credentials/parley.service"
"""Below the root: where systemd puts what it hands over to the service."""
SERVICE: Final = "NOTIFY_SOCKET"
"""The variable by which a unit of systemd's with Type=notify, as ours is, knows that it is one."""
MOST_BYTES: Final = 1_000_000
"""What may lie beside the key: systemd takes 1 MiB in all, and the key twice."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that does not show when it is printed."""

    secret: str = field(repr=False)
    """Printable ASCII without whitespace, as it goes into a request."""
    source: str
    """Where it was found: a file's path or a variable's name."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret for another server that does not show when it is printed."""

    name: str
    """What `tools.mcp[].credential` calls it."""
    secret: str = field(repr=False)
    """Printable ASCII without whitespace, as it goes behind ``Authorization: Bearer``."""
    source: str
    """Where it was found: a file's path or a variable's name."""


class Credentials:
    """Finds credentials by name, also after the environment has forgotten them. Any thread."""

    __slots__ = ("_places",)

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Keep what is to be known of the environment, before :func:`forget_in` empties it."""
        self._places = {name: text for name, text in environ.items() if _is_place(name)}

    def find(self, name: str) -> Credential:
        """Look anew, as after a reload. Blocks on the card for a moment. Raises CredentialError."""
        return find_credential(name, self._places)


def find_api_key(environ: Mapping[str, str]) -> ApiKey:
    """Find the key, given the process's environment.

    Raises CredentialError: none of the three places has one, or the first that is not empty holds
    something that cannot be a key. The message never contains what was found.
    """
    empty = []
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory:
        file = Path(directory) / CREDENTIAL_NAME
        what = f"the key file {file}"
        text = _read(file, what, MAX_CHARACTERS)
        if text and text.strip():
            return ApiKey(_checked(text, what, _IN_FILE), str(file))
        empty += [what] if text is not None else []
    for name in VARIABLES:
        text, what = environ.get(name), f"the variable {name}"
        if text and text.strip():
            return ApiKey(_checked(text, what, f"into {name}"), name)
        empty += [what] if text is not None else []
    if not empty and (kept_back := _kept_back(environ, CREDENTIAL_NAME)):
        line = f"LoadCredential={CREDENTIAL_NAME}:{KEY_FILE}"
        raise CredentialError(f"no API key found: {kept_back}: {_HAND_IT_OVER.format(line=line)}")
    raise CredentialError(
        f"no API key found{_are_empty(empty)}: write one into {KEY_FILE} and restart "
        f"parley.service (it is looked for in $CREDENTIALS_DIRECTORY/{CREDENTIAL_NAME}), or set "
        f"{' or '.join(VARIABLES)}"
    )


def find_machine_key(environ: Mapping[str, str], root: Path = Path("/")) -> ApiKey:
    """Find the key as the service would, also from outside of it. Raises CredentialError.

    Where the environment names none, systemd's copy for a service that runs is looked at, and then
    the owner's own file: root may read both, and nobody else. ``root`` is for tests.
    """
    try:
        return find_api_key(environ)
    except CredentialError:
        if any(name in environ for name in VARIABLES):
            raise
    # systemd's copy while the unit runs; it is there also where the key is kept encrypted.
    folders = (root / LOADED, root / str(KEY_FILE.parent)[1:])
    trouble: CredentialError | None = None
    for folder in folders:
        try:
            return find_api_key({"CREDENTIALS_DIRECTORY": str(folder)})
        except CredentialError as error:
            trouble = error
    assert trouble is not None  # noqa: S101 - there are two folders
    raise trouble


def find_credential(name: str, environ: Mapping[str, str]) -> Credential:
    """Find the credential of that name, given the process's environment.

    Raises CredentialError: it is in none of its places, or the first that is not empty holds
    something that cannot be a token. The message never contains what was found.
    """
    if not re.fullmatch(NAME, name) or name == CREDENTIAL_NAME:
        raise CredentialError("no credential can be called like that: see tools.mcp[].credential")
    empty = []
    directory = environ.get("CREDENTIALS_DIRECTORY")
    for file_name in (name, LOADED_PREFIX + name) if directory else ():
        file = Path(directory or "", file_name)
        what = f"the credential file {file}"
        text = _read(file, what, MAX_CREDENTIAL_CHARACTERS)
        if text and text.strip():
            return Credential(name, _token(text, what, _into_file(name)), str(file))
        empty += [what] if text is not None else []
    variable = variable_of(name)
    text, what = environ.get(variable), f"the variable {variable}"
    if text and text.strip():
        return Credential(name, _token(text, what, f"into {variable}"), variable)
    empty += [what] if text is not None else []
    if not empty and (kept_back := _kept_back(environ, LOADED_PREFIX)):
        line = f"LoadCredential={LOADED_PREFIX.removesuffix('_')}:{FOLDER}"
        remedy = _HAND_IT_OVER.format(line=line)
        raise CredentialError(f"no credential '{name}' found: {kept_back}: {remedy}")
    raise CredentialError(
        f"no credential '{name}' found{_are_empty(empty)}: put the token {_into_file(name)}; or "
        f"set {variable}"
    )


def _kept_back(environ: Mapping[str, str], beginning: str) -> str | None:
    """Say that systemd runs this and hands over no file whose name begins so; None else.

    The owner's own files cannot be looked at: they are root's.
    """
    if SERVICE not in environ:
        return None
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return "systemd hands over no credential at all to this service"
    try:
        handed_over = [file.name for file in Path(directory).iterdir()]
    except OSError:
        handed_over = []
    if any(name.startswith(beginning) for name in handed_over):
        return None
    return f"systemd hands over no {beginning.rstrip('_')} to this service"


def hindrances(folder: Path) -> list[str]:
    """Say of each file beside the key why systemd does not hand it over, so that nothing starts.

    `folder` is where the owner keeps them; where it may not be read there is nothing to say.
    """
    paths = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
    # Links are passed over.
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    found = [
        f"{str(file)!r} has a name that systemd hands over no file of: name it with small letters, "
        "digits, - and _, or move it elsewhere"
        for file in files
        if not re.fullmatch(r"[ -9;-~]+", str(file.relative_to(folder)))
    ]
    bytes_of_all = sum(file.stat().st_size for file in files)
    if bytes_of_all > MOST_BYTES:
        found.append(
            f"the files in {folder} have {bytes_of_all} bytes: leave only tokens there, at most "
            f"{MOST_BYTES} bytes"
        )
    return found


def forget_in(environ: MutableMapping[str, str]) -> None:
    """Remove the secrets from an environment, so that no library and no child process inherits one.

    ``/proc/PID/environ`` keeps what the process was started with, readable by the same user and
    root; what systemd hands over as a file was never there.
    """
    for name in [name for name in environ if _is_secret(name)]:
        del environ[name]


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a child process: the same, less the variables that hold secrets."""
    return {name: text for name, text in environ.items() if not _is_secret(name)}


_HAND_IT_OVER: Final = (
    "what lies in /etc/parley/credentials does not count then; a drop-in may have cleared the "
    "unit's LoadCredential= (see: systemctl cat parley): add {line} there, and restart "
    "parley.service (sudo parley doctor says more)"
)

_IN_FILE: Final = f"into {KEY_FILE}, and restart parley.service"


def _into_file(name: str) -> str:
    """What its owner does with a token, behind a verb."""
    return (
        f"into {FOLDER / name} (sudo install -m 600 /dev/stdin {FOLDER / name}) and restart "
        "parley.service, which gets its files when it starts (sudo systemctl restart parley)"
    )


def _is_secret(variable: str) -> bool:
    return variable in VARIABLES or variable.startswith(VARIABLE_PREFIX)


def _is_place(variable: str) -> bool:
    return variable in {"CREDENTIALS_DIRECTORY", SERVICE} or variable.startswith(VARIABLE_PREFIX)


def _are_empty(places: list[str]) -> str:
    verb = "is" if len(places) == 1 else "are"
    return f" ({' and '.join(places)} {verb} empty)" if places else ""


def _read(file: Path, what: str, most: int) -> str | None:
    """Return what the file holds, as far as it is looked at; None where there is no such file."""
    try:
        with file.open("rb") as stream:
            return stream.read(most + _AROUND).decode("latin-1")
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise CredentialError(
            f"{what} cannot be read: {reason}: check its owner and mode"
        ) from None


_AROUND: Final = 64
"""Characters that may stand around a secret, such as line breaks, and one that is too many."""


def _checked(text: str, what: str, place: str) -> str:
    """Strip the key and make sure that it can be one; ``latin-1`` text shows every byte."""
    key = text.strip()
    problem = flaw(key)
    if problem is None:
        return key
    raise CredentialError(f"{what} {problem}: put the key from {ORIGIN}, and only that, {place}")


def _token(text: str, what: str, place: str) -> str:
    """Strip the token, also of the word before it in a request; make sure that it can be one."""
    token = re.sub(r"(?i)^bearer\s+", "", text.strip())
    problem = credential_flaw(token)
    if problem is None:
        return token
    raise CredentialError(f"{what} {problem}: put the token, and only that, {place}")
