"""The certificate of the stand-in."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from device.simulator.certificate import make_certificate


def test_it_is_for_loopback_and_valid_from_yesterday(tmp_path: Path) -> None:
    """A Pi's clock may be a day behind; after 30 days nobody needs it."""
    made = make_certificate(tmp_path / "new")
    read = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    now = datetime.now(UTC)
    assert timedelta(hours=23) < now - read.not_valid_before_utc < timedelta(hours=25)
    assert read.not_valid_after_utc - read.not_valid_before_utc == timedelta(days=30)


def test_only_its_owner_can_read_the_key_also_when_made_again(tmp_path: Path) -> None:
    """Whatever mode an older key file had."""
    make_certificate(tmp_path).key.chmod(0o644)
    made = make_certificate(tmp_path)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    made.server_context()
