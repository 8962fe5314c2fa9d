"""The certificates that are trusted: the system's, or the owner's own, and never none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.credentials.certificates import certificates, shared_certificates
from device.simulator.certificate import make_certificate


def test_a_file_that_is_none_is_no_reason_to_trust_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """OpenSSL would say so of every server, and the owner would look there."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for named in (tmp_path / "none.pem", empty):
        monkeypatch.setenv("SSL_CERT_FILE", os.fspath(named))
        for read in (certificates, shared_certificates):
            with pytest.raises((OSError, ValueError)):
                read()


def test_what_is_shared_is_read_once_and_anew_when_it_has_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A certificate that was renewed needs no restart."""
    made = make_certificate(tmp_path).certificate
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(made))
    first = shared_certificates()
    assert shared_certificates() is first
    assert certificates() is not first
    assert first.get_ca_certs() == certificates().get_ca_certs() != []
    os.utime(made, ns=(1, 1))
    assert shared_certificates() is not first
