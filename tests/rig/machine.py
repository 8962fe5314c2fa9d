"""Machines with boards plugged in, made of the states recorded in ``tests/board/recorded``."""

from __future__ import annotations

import re
from pathlib import Path

RECORDED = Path(__file__).parents[1] / "board" / "recorded"

STATES = sorted(path.stem for path in RECORDED.glob("*.txt"))


def machine(state: str, root: Path) -> Path:
    """Unpack a recorded state below ``root``, which stands for ``/`` then."""
    text = (RECORDED / f"{state}.txt").read_text()
    parts = re.split(r"^==> /(.*) <==\n", text, flags=re.MULTILINE)
    for name, content in zip(parts[1::2], parts[2::2], strict=True):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # `head` puts an empty line between files; the device tree ends its strings with NUL.
        whole = content.removesuffix("\n") if content.endswith("\n\n") else content
        device_tree = name.startswith("proc/device-tree/")
        path.write_text(whole.rstrip("\n") + "\0" if device_tree else whole)
    return root
