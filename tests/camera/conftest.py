"""Cameras on an emulated V4L2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.v4l2 import V4l2


@pytest.fixture
def v4l2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[V4l2]:
    kernel = V4l2(tmp_path, monkeypatch)
    yield kernel
    kernel.close()
