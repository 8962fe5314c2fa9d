"""What the tests of small files have in common."""

from __future__ import annotations

from pathlib import Path

from device.state.store import DurableFile

NAME = "it.json"
OLD, NEW = b'{"it": "old"}', b'{"it": "new, and longer"}'


def old_file(folder: Path) -> DurableFile:
    """A file that has a content already."""
    file = DurableFile(folder / "state", NAME)
    file.write(OLD)
    return file


def names(file: DurableFile) -> list[str]:
    assert file.path is not None
    return sorted(path.name for path in file.path.parent.iterdir())


def placed(folder: Path, content: bytes) -> DurableFile:
    """Put something into the file's place that it has not written itself."""
    (folder / NAME).write_bytes(content)
    return DurableFile(folder, NAME)
