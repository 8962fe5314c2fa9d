"""What is plugged in, as the kernel's files have it."""

from __future__ import annotations

from pathlib import Path

from device.board.plugged import plugged

CARDS = """ 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [Array          ]: USB-Audio - reSpeaker XVF3800 4-Mic Array
                      Seeed Studio reSpeaker XVF3800 4-Mic Array at usb-0000:01:00.0-1.2, high
"""


def plug(root: Path, place: str, vendor: str, product: str, number: int) -> Path:
    device = root / "sys/bus/usb/devices" / place
    device.mkdir(parents=True, exist_ok=True)
    for name, text in (("idVendor", vendor), ("idProduct", product), ("devnum", str(number))):
        (device / name).write_text(f"{text}\n")
    return device


def test_cards_and_arrays_are_named(tmp_path: Path) -> None:
    """A keyboard is nobody's business here; an interface has no ids of its own."""
    (tmp_path / "proc/asound").mkdir(parents=True)
    (tmp_path / "proc/asound/cards").write_text(CARDS)
    plug(tmp_path, "1-1.2", "2886", "001a", 5)
    plug(tmp_path, "1-1.3", "046d", "c31c", 6)
    (tmp_path / "sys/bus/usb/devices/1-1.2:1.0").mkdir()
    there = plugged(tmp_path)
    assert {name for name in there if "001a" in name or "c31c" in name} == {"1-1.2 001a 5"}
    assert len(there) == 5


def test_an_array_that_was_put_back_has_another_name(tmp_path: Path) -> None:
    """Though nothing else about it has changed."""
    plug(tmp_path, "1-1.2", "2886", "0018", 5)
    before = plugged(tmp_path)
    plug(tmp_path, "1-1.2", "2886", "0018", 6)
    assert before.isdisjoint(plugged(tmp_path))


def test_a_machine_without_sound_or_usb_has_nothing(tmp_path: Path) -> None:
    """As a container; an array that goes in this moment is none any more."""
    assert plugged(tmp_path) == frozenset()
    (plug(tmp_path, "1-1.2", "2886", "0018", 5) / "idVendor").unlink()
    assert plugged(tmp_path) == frozenset()
