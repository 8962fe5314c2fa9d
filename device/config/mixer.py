"""``mixer:`` names levels of sound cards, as ``amixer`` does, and is checked as far as text can be.

Whether a card has such a level, and takes such a value, is known when its device is open:
`device.board.elements`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import BeforeValidator

from device.config.yaml import KeyPath, shortened

EXAMPLE = {"PCM Playback Volume": "100%", "Line": "4", "Capture Switch": "on"}
MOST = 64
"""More are no mixer; the cards of the boards have up to 60 elements."""
_NAME_BYTES = 60
"""The kernel's names have 43 at most (`SNDRV_CTL_ELEM_ID_NAME_MAXLEN`), and an index follows."""

_ONE = r"-?\d{1,9}|\d{1,3}%|[-+]?\d{1,3}(\.\d{1,2})?dB|[A-Za-z0-9][\w.+/ -]{0,42}"
_VALUE = re.compile(rf"({_ONE})(,({_ONE})){{0,31}}", re.IGNORECASE)
_WORDS = {"yes": "on", "no": "off"}
_NAMES = "write one of 'amixer -c CARD contents', or one that alsamixer shows"
_HOW = "write on, off, a number, a share such as 80%, or -10dB"


def _mixer(data: object) -> object:
    """Write each value as text; a section that is commented out is empty."""
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise ValueError(  # noqa: TRY004 - the only exception that pydantic collects
            f"{shortened(data)} is not a section: write a line for each level, e.g. Line: 80%"
        )
    return {str(name).strip(): _text(value) for name, value in data.items()}


Mixer = Annotated[
    Mapping[str, str],
    BeforeValidator(_mixer, json_schema_input_type=dict[str, str | int | bool]),
]
"""Values by names, all as text."""


def across_mixer(data: object) -> Iterator[tuple[KeyPath, str]]:
    """Find what cannot be a level of any card: the one to blame, and what is wrong with it.

    ``data`` is the section as read.
    """
    if not isinstance(data, Mapping):
        return
    if len(data) > MOST:
        yield (), f"has {len(data)} levels: {MOST} is the most"
    for name, value in data.items():
        if not _is_name(str(name).strip()):
            yield (name,), f"{shortened(name)} is no level's name: {_NAMES}"
        elif trouble := _trouble(value):
            yield (name,), trouble


def _is_name(text: str) -> bool:
    fits = 0 < len(text.encode()) <= _NAME_BYTES
    return fits and text.isprintable() and "'" not in text


def _trouble(value: object) -> str:
    text = _text(value)
    if value is None or isinstance(value, float | Mapping) or not _VALUE.fullmatch(text):
        return f"{shortened(value)} is no level: {_HOW}"
    if any(int(share) > 100 for share in re.findall(r"(\d+)%", text)):
        return f"{shortened(value)} is more than there is: {_HOW}"
    return ""


def _text(value: object) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    return ",".join(
        {True: "on", False: "off"}[part]
        if isinstance(part, bool)
        else _WORDS.get(str(part).strip().lower(), str(part).strip())
        for part in parts
    )
