"""The kinds of value in `camera` and `tools.camera` say which camera there is and when it is used.

A validator raises ValueError in an owner's words, as those of `device.config.kinds` do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from device.config.yaml import shortened

BY_ID: Final = Path("/dev/v4l/by-id")
"""Where udev lists cameras by vendor, model and serial number, wherever they are plugged in."""
FILE: Final = "file:"
"""What a source begins with that is a picture, or a folder of pictures."""
MOST_LISTED: Final = 8


def listed(folder: Path = BY_ID) -> list[str]:
    """Return the cameras that are plugged in, as a source names them; any thread, at once.

    A camera has a second node for what it tells of its pictures (``-index1``): that is left out.
    """
    return sorted(str(link) for link in folder.glob("*-index0"))[:MOST_LISTED]


def choices(folder: Path = BY_ID) -> str:
    """Return what a source can be on this machine, in words that follow "write"."""
    found = listed(folder)
    cameras = f"or one of {', '.join(found)}" if found else f"or a path in {BY_ID} (none is there)"
    return f"auto, rpicam, {FILE}/path/of/a/picture.jpg, {cameras}"


def source(text: str) -> str:
    """Return a source that names the same camera tomorrow."""
    if text in {"auto", "rpicam"}:
        return text
    if re.fullmatch(rf"{BY_ID}/[\w.:+#@=,-]+", text) and not text.endswith(("/.", "/..")):
        return text
    if text.startswith(FILE):
        if re.fullmatch(r"/[^\0\n]+", text.removeprefix(FILE)):
            return text
        raise ValueError(
            f"{shortened(text)} is not an absolute path: write e.g. {FILE}/srv/pictures"
        )
    if re.fullmatch(r"(/dev/)?video[0-9]+", text):
        raise ValueError(
            f"{shortened(text)} changes with every start and every plug: write {choices()}"
        )
    if re.fullmatch(r"/dev/v4l/by-path/.*", text):
        raise ValueError(f"{shortened(text)} is a place and no camera: write {choices()}")
    raise ValueError(f"{shortened(text)} is no source of pictures: write {choices()}")


def _off_or(value: object, on: str) -> object:
    """``off`` as YAML 1.1 makes a boolean of it; the other word is not a plain "on"."""
    word = str(value).lower() if isinstance(value, bool | str) else ""
    if word in {"false", "off", "no"}:
        return "off"
    if word in {"true", "on", "yes"}:
        raise ValueError(f"{shortened(value)} does not say when: did you mean {on}?")
    return value


def _quarter_turns(value: object) -> object:
    """Nothing else keeps a picture a rectangle; an upside down camera is 180."""
    if type(value) is int and value in {0, 90, 180, 270}:
        return value
    raise ValueError(f"{shortened(value)} is not 0, 90, 180 or 270: write the degrees clockwise")


Source = Annotated[str, Field(max_length=500), AfterValidator(source)]
Rotation = Annotated[Literal[0, 90, 180, 270], BeforeValidator(_quarter_turns)]
Use = Annotated[
    Literal["off", "on_request"],
    BeforeValidator(
        lambda value: _off_or(value, "on_request"),
        json_schema_input_type=Literal["off", "on_request", False],
    ),
]
Stream = Annotated[
    Literal["off", "while_talking"],
    BeforeValidator(
        lambda value: _off_or(value, "while_talking"),
        json_schema_input_type=Literal["off", "while_talking", False],
    ),
]
