"""The file of speakers: who may ask, known by what cannot be turned back into their bearer."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.tokens.speakers import MOST_BYTES, Speakers, SpeakersError


def test_a_speaker_is_known_by_the_bearer_that_was_made_for_it(tmp_path: Path) -> None:
    """The file is its owner's only, and does not hold the bearer; another is nobody's."""
    path = tmp_path / "speakers"
    speakers = Speakers(path)
    kitchen, bath = speakers.add("kitchen"), speakers.add("bath")
    assert path.stat().st_mode & 0o777 == 0o600
    assert kitchen not in path.read_text()
    found = [speakers.find(bearer) for bearer in (kitchen, bath, f"{bath}x", "")]
    assert [each.name if each else None for each in found] == ["kitchen", "bath", None, None]
    path.write_text(f"# all of them\n\n{path.read_text().splitlines()[1]}  # upstairs\n")
    assert speakers.find(kitchen) is None, "deleted, it is refused at once"
    assert speakers.find(bath) is not None


def test_a_file_without_its_last_newline_takes_another_speaker(tmp_path: Path) -> None:
    """An editor may leave it so; neither speaker is lost by that."""
    path = tmp_path / "speakers"
    speakers = Speakers(path)
    kitchen = speakers.add("kitchen")
    path.write_text(path.read_text().rstrip())
    bath = speakers.add("bath")
    found = [speakers.find(bearer) for bearer in (kitchen, bath)]
    assert [each.name if each else None for each in found] == ["kitchen", "bath"]


@pytest.mark.parametrize("name", ["", "Kitchen", "my kitchen", "-", "a" * 33, "küche"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    """It is told what one looks like."""
    with pytest.raises(SpeakersError, match="is no name for a speaker"):
        Speakers(tmp_path / "speakers").add(name)


def test_what_is_wrong_with_the_file_is_told(tmp_path: Path) -> None:
    """Missing, open to others, too long, a line that is none, a name twice."""
    path = tmp_path / "speakers"
    speakers = Speakers(path)
    with pytest.raises(SpeakersError, match=r"cannot be read: no such file.*parley token speaker"):
        speakers.read()
    speakers.add("kitchen")
    with pytest.raises(SpeakersError, match=r"is in .* already"):
        speakers.add("kitchen")
    line = path.read_text()
    for mode in (0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(SpeakersError, match="chmod 600"):
            speakers.read()
        with pytest.raises(SpeakersError, match="chmod 600"):
            speakers.add("bath")
    path.chmod(0o440)
    assert [each.name for each in speakers.read()] == ["kitchen"], "a credential of systemd's"
    path.chmod(0o600)
    path.write_text(line + line)
    with pytest.raises(SpeakersError, match="line 2: 'kitchen' is there twice"):
        speakers.read()
    path.write_text("kitchen secret-bearer-in-clear")
    with pytest.raises(SpeakersError, match="line 1: this is no speaker") as caught:
        speakers.read()
    assert "secret-bearer" not in str(caught.value)
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(SpeakersError, match="more than"):
        speakers.read()
    with pytest.raises(SpeakersError, match="cannot be written"):
        Speakers(tmp_path / "none" / "speakers").add("kitchen")
