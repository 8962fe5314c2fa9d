"""Small files in a folder that is somebody else's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from device.doctor.state_files import LARGEST_BYTES, small_content, small_text


def test_a_small_file_is_read_whole_and_a_large_one_in_part(tmp_path: Path) -> None:
    """No file there can fill the memory."""
    (tmp_path / "small").write_text("Grüße\n")
    (tmp_path / "large").write_bytes(b"x" * (LARGEST_BYTES + 1))
    assert small_text(tmp_path / "small") == "Grüße\n"
    assert len(small_content(tmp_path / "large")) == LARGEST_BYTES
    assert len(small_content(tmp_path / "large", LARGEST_BYTES + 9)) == LARGEST_BYTES + 1


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """At once: nobody has to write into the pipe."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/hostname")
    for name, code in (("pipe", errno.EINVAL), (".", errno.EISDIR), ("link", errno.ELOOP)):
        with pytest.raises(OSError, match=name) as told:
            small_content(tmp_path / name)
        assert told.value.errno == code
    assert small_text(tmp_path / "none") == f"{tmp_path}/none: No such file or directory\n"
