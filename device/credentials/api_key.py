"""An API key of Google has a place where its owner keeps it, a look, and its absence. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CREDENTIAL_NAME: Final = "gemini_api_key"
"""What systemd's ``LoadCredential`` calls the copy that it hands over."""
KEY_FILE: Final = Path("/etc/parley/credentials") / CREDENTIAL_NAME
"""Where the owner of an installed speaker keeps the key; systemd passes a copy on."""
VARIABLES: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
"""Where somebody without a service keeps it, the first that is not empty counting."""
MAX_CHARACTERS: Final = 1_024
"""Google's keys have 39 to about 120 characters."""

LOOK: Final = r"AIza[\w-]{16,}|(?<![A-Za-z])AQ\.[\w.-]{16,}"
"""A regular expression of what Google's keys look like: AIza and 35 more, or AQ. and more. Shorter
ones are taken for keys too, since half of a key is a secret as well."""

ORIGIN: Final = "https://aistudio.google.com"
"""Where Google gives out keys."""
RENEWAL: Final = f"into {KEY_FILE}, then systemctl restart parley"
"""What the owner of an installed speaker does with another key, behind a verb."""


def flaw(key: str) -> str | None:
    """Return why this cannot be a key, as a verb and its object; None where only Google knows.

    What is returned never contains the key.
    """
    if not key:
        return "is empty"
    if len(key) > MAX_CHARACTERS:
        return f"is longer than {MAX_CHARACTERS} characters"
    if any(character.isspace() for character in key):
        return "has a space or a line break in the middle"
    if not (key.isascii() and key.isprintable()):
        return "has a character that no key has"
    if key[0] in "'\"" or key.startswith(VARIABLES):
        return "has quotes or a variable's name around the key"
    return None
