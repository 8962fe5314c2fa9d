"""`certificates` reads those by which servers elsewhere are trusted.

They are the system's, or those that ``SSL_CERT_FILE`` names, as OpenSSL has it.
"""

from __future__ import annotations

import functools
import os
import ssl
from pathlib import Path


def certificates() -> ssl.SSLContext:
    """Read the certificates to trust. Blocks for some ms. Raises OSError or ValueError."""
    context = ssl.create_default_context()
    # OpenSSL takes a file that is missing or no certificate for one without any.
    if named := os.environ.get("SSL_CERT_FILE"):
        context.load_verify_locations(cafile=named)
    return context


def shared_certificates() -> ssl.SSLContext:
    """Return the same, read once for all requests over HTTP: they take 1.5 MB.

    A file of the owner's is read anew when it has changed. Blocks and raises as `certificates`.
    """
    named = os.environ.get("SSL_CERT_FILE")
    return _read_once(named, Path(named).stat().st_mtime_ns if named else 0)


@functools.lru_cache(maxsize=1)
def _read_once(_named: str | None, _changed_ns: int) -> ssl.SSLContext:
    return certificates()
