"""The hottest sensor counts; a machine without one has no temperature."""

from __future__ import annotations

from pathlib import Path

from device.service.temperature import celsius


def test_the_hottest_sensor_is_told(tmp_path: Path) -> None:
    """In degrees; what tells none is left out."""
    for number, text in enumerate(("48312\n", "51200\n", "broken", "")):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    (tmp_path / "thermal_zone9").mkdir()
    (tmp_path / "cooling_device0").mkdir()
    assert celsius(tmp_path) == 51.2


def test_a_machine_without_a_sensor_has_none(tmp_path: Path) -> None:
    """Nor one without the folder."""
    assert celsius(tmp_path) is None
    assert celsius(tmp_path / "nowhere") is None
