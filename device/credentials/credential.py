"""A credential of another server has a place where its owner keeps it, a name, and a look. Pure.

The key of the Live API is one of its own: see `device.credentials.api_key`.
"""

from __future__ import annotations

import re
from typing import Final

from device.credentials.api_key import KEY_FILE, LOOK

FOLDER: Final = KEY_FILE.parent
"""Where the owner of an installed speaker keeps each, as a file of the credential's name."""
LOADED_PREFIX: Final = "credentials.d_"
"""What systemd puts before the file's name: the unit loads all of FOLDER as ``credentials.d``, see
LoadCredential= in systemd.exec(5). No credential's name has a dot, so none begins like that."""
VARIABLE_PREFIX: Final = "PARLEY_CREDENTIAL_"
"""What the variables begin with in which somebody without a service keeps them."""
NAME: Final = r"[a-z][a-z0-9_-]{0,31}"
"""A regular expression of the names there can be."""
MAX_CHARACTERS: Final = 4_096
"""A long-lived token of Home Assistant has 183 characters; servers take 8 kB of headers."""

WHERE_IT_BELONGS: Final = (
    f"a secret does not belong in this file: put it into a file of its own, {FOLDER}/NAME (sudo "
    f"install -m 600 /dev/stdin {FOLDER}/NAME), and write credential: NAME"
)
"""What the owner of a configuration is told who has written one there."""

LENT_LOOK: Final = r"auth_tokens/[A-Za-z0-9_.~+=-]{8,1024}"
"""The same of Google's ephemeral tokens. Live API: 64 hexadecimal digits were seen."""
CREDENTIAL_LOOK: Final = (
    r"eyJ[\w-]{10,}(?:\.[\w-]*)*|(?<![A-Za-z0-9_-])(?:sk-[\w-]{16,}|ya29\.[\w.-]{16,}"
    rf"|{LENT_LOOK}"
    r"|gh[pousr]_\w{16,}|github_pat_\w{10,}|glpat-[\w-]{12,}|xox[a-z]-[\w-]{10,})"
)
"""A regular expression of what tokens look like that tell by themselves what they are: JSON Web
Tokens (RFC 7519; Home Assistant's long-lived ones too), those of OpenAI, Google, GitHub, GitLab and
Slack. Half of one is a secret as well."""

_RANDOM = re.compile(r"(?<![\w/.-])(?=[\w+=-]*[A-Z])(?=[\w+=-]*[a-z])(?=[\w+=-]*[0-9])[\w+=-]{24,}")
_TELLING_NAME = re.compile(
    r"(?i)(?:^|[^a-z])(?:[a-z]*(?:token|secret|password|passwd)|api-?_?key|key|auth|authorization"
    r"|bearer|sig|signature|pw|pwd)(?:$|[^a-z])"
)


def variable_of(name: str) -> str:
    """Return the variable in which somebody without a service keeps the credential."""
    return VARIABLE_PREFIX + name.upper().replace("-", "_")


def looks_secret(text: str) -> bool:
    """Tell whether a known kind of token, or a long random word, is in a text."""
    return bool(re.search(f"{LOOK}|{CREDENTIAL_LOOK}", text) or _RANDOM.search(text))


def names_a_secret(name: str) -> bool:
    """Tell whether what is called like this is a secret, such as ``access_token``."""
    return bool(_TELLING_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)))


def flaw(secret: str) -> str | None:
    """Return why this cannot be a credential, as a verb and its object; None where it can be one.

    What is returned never contains the credential.
    """
    if not secret:
        return "is empty"
    if len(secret) > MAX_CHARACTERS:
        return f"is longer than {MAX_CHARACTERS} characters"
    if secret.lower().startswith("authorization:"):
        return "begins with the name of a header"
    if any(character.isspace() for character in secret):
        return "has a space or a line break in the middle"
    if not (secret.isascii() and secret.isprintable()):
        return "has a character that no token has"
    if secret[0] in "'\"" or secret.startswith(VARIABLE_PREFIX):
        return "has quotes or a variable's name around the token"
    return None
