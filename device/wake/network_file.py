"""`look_at` says of a file that is to be a wake word network what is missing or wrong in it.

Only its bytes are looked at, before onnxruntime gets it: what that says of a page that was
downloaded in a network's place, or of weights in a second file, helps nobody. What a network does
is tried in `device.wake.own_network`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from device.errors import WakeModelError
from device.wake import onnx_file
from device.wake.onnx_file import Message

LARGEST_BYTES = 32 * 2**20
"""With its external data. Those of openWakeWord have 0.2 to 1.3 MB; a speaker on the smallest board
is ended by its own health when it has grown to 220 MB."""
BEGINNING_BYTES = 512
EXPORT_AGAIN = "export it again"

# ONNX: field numbers of onnx.proto, beside those of `onnx_file`.
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH = 5, 6
_TENSOR_FLOATS, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 4, 13, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_EXTERNAL = 1
_FLOAT, _FLOAT16, _DOUBLE = 1, 10, 11
_DTYPES = {_FLOAT: "<f4", _FLOAT16: "<f2", _DOUBLE: "<f8"}
_DEEPEST = 8

FETCH_AGAIN = "download the file itself ('raw'), not the page about it"
KINDS: tuple[tuple[int, bytes, str, str], ...] = (
    (
        0,
        b"version https://git-lfs",
        "a git-lfs pointer, not the network that it stands for",
        "fetch that with: git lfs pull",
    ),
    (0, b"<!doctype html", "a web page", FETCH_AGAIN),
    (0, b"<html", "a web page", FETCH_AGAIN),
    (0, b"<?xml", "an XML text, perhaps a server's error", FETCH_AGAIN),
    (
        4,
        b"TFL3",
        "a TensorFlow Lite network",
        "take the .onnx file of the same word: openWakeWord's training makes both",
    ),
    (
        0,
        b"PK\x03\x04",
        "a zip archive, as PyTorch saves its networks",
        "unpack it, or export it with torch.onnx.export",
    ),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (0, b"\x89HDF", "an HDF5 file, as Keras saves its networks", "export it with tf2onnx"),
    (0, b"\x80\x02", "a Python pickle", "export it with torch.onnx.export"),
    (0, b"RIFF", "a sound", "that of the network ends in .onnx"),
)
"""Where each begins, how, what it is, what to do; letters in any case."""


def look_at(path: Path) -> None:
    """Look at the file of a network. Raises WakeModelError with what is wrong and what to do.

    A file that only onnxruntime can judge passes.
    """
    size = path.stat().st_size
    _check_kind(path, size)
    try:
        tensors = list(_tensors(_graphs(onnx_file.unpack(path.read_bytes()))))
        external = [each for each in (_external(tensor) for tensor in tensors) if each]
        _check_external(path, size, external)
        if any(_has_nan(tensor, path) for tensor in tensors):
            raise WakeModelError(
                f"{path}: there are weights in it that are no numbers (NaN): its training went "
                f"wrong, or it was damaged; {EXPORT_AGAIN}, or train it again"
            )
    except (ValueError, UnicodeDecodeError):
        return  # no ONNX file, or one that is cut off: onnxruntime says so


def _check_kind(path: Path, size: int) -> None:
    if not size:
        raise WakeModelError(f"{path}: not an ONNX file (it is empty); copy it again")
    if size > LARGEST_BYTES:
        raise WakeModelError(
            f"{path}: {size >> 20} MB, and a wake word network has about 1 MB (at most "
            f"{LARGEST_BYTES >> 20} are loaded): is it another kind of network?"
        )
    with path.open("rb") as file:
        beginning = file.read(BEGINNING_BYTES)
    start = beginning.lstrip().lower()
    for place, sign, what, cure in KINDS:
        if beginning[place:].startswith(sign) or (not place and start.startswith(sign.lower())):
            raise WakeModelError(f"{path}: not an ONNX file but {what}: {cure}")


def _check_external(path: Path, size: int, external: list[tuple[str, int]]) -> None:
    needs: dict[str, int] = {}
    for name, end in external:
        needs[name] = max(end, needs.get(name, 0))
    for name, end in needs.items():
        beside = path.parent / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise WakeModelError(
                f"{path}: its weights are said to be in {name!r}, outside of its folder: "
                f"{EXPORT_AGAIN} with the data beside it"
            )
        try:
            there = beside.stat().st_size
            with beside.open("rb"):
                pass
        except FileNotFoundError:
            raise WakeModelError(
                f"{path}: its weights are in a second file, {name}, which is not in "
                f"{path.parent}: copy that there too, under this very name, or {EXPORT_AGAIN} as "
                "one file (torch.onnx.export(..., external_data=False))"
            ) from None
        except OSError as error:
            raise WakeModelError(
                f"{path}: its weights are in {beside}, which cannot be read: {error.strerror}; "
                "let the user parley read it"
            ) from error
        size += there
        _check_kind(beside, there)
        if there < end:
            raise WakeModelError(
                f"{path}: its weights in {beside} are cut off: {there} bytes are there and {end} "
                "are needed; copy it again"
            )
    if size > LARGEST_BYTES:
        raise WakeModelError(
            f"{path}: with its weights {size >> 20} MB, and a wake word network has about 1 MB (at "
            f"most {LARGEST_BYTES >> 20} are loaded): is it another kind of network?"
        )


def _graphs(model: Message) -> Iterator[Message]:
    """Every graph in a model, those in the attributes of its nodes too."""
    waiting = [(graph, 0) for graph in onnx_file.nested(model, onnx_file.MODEL_GRAPH)]
    while waiting:
        graph, depth = waiting.pop()
        yield graph
        if depth < _DEEPEST:
            for attribute in _attributes(graph):
                inner = onnx_file.nested(attribute, _ATTRIBUTE_GRAPH)
                waiting += [(each, depth + 1) for each in inner]


def _attributes(graph: Message) -> Iterator[Message]:
    for node in onnx_file.nested(graph, onnx_file.GRAPH_NODE):
        yield from onnx_file.nested(node, onnx_file.NODE_ATTRIBUTE)


def _tensors(graphs: Iterator[Message]) -> Iterator[Message]:
    for graph in graphs:
        yield from onnx_file.nested(graph, onnx_file.GRAPH_CONSTANT)
        for attribute in _attributes(graph):
            yield from onnx_file.nested(attribute, _ATTRIBUTE_TENSOR)


def _external(tensor: Message) -> tuple[str, int] | None:
    """In which file a tensor's data are, and where they end in it; None: in the network's own."""
    if onnx_file.integers(tensor, _TENSOR_LOCATION) != (_EXTERNAL,):
        return None
    entries = _entries(tensor)
    return entries.get("location", ""), int(entries.get("offset", 0)) + int(
        entries.get("length", 0)
    )


def _entries(tensor: Message) -> dict[str, str]:
    """ONNX: the keys of external_data are location, offset, length and checksum."""
    entries = {}
    for entry in onnx_file.nested(tensor, _TENSOR_EXTERNAL):
        for key in onnx_file.texts(entry, _ENTRY_KEY):
            entries[key] = "".join(onnx_file.texts(entry, _ENTRY_VALUE))
    return entries


def _has_nan(tensor: Message, path: Path) -> bool:
    kinds = onnx_file.integers(tensor, onnx_file.TENSOR_TYPE)
    dtype = _DTYPES.get(kinds[0]) if kinds else None
    if dtype is None:
        return False
    raw = _raw(tensor, path)
    whole = raw[: len(raw) // np.dtype(dtype).itemsize * np.dtype(dtype).itemsize]
    return bool(np.isnan(np.frombuffer(whole, dtype)).any())


def _raw(tensor: Message, path: Path) -> bytes:
    where = _external(tensor)
    if where is None:
        fields = {onnx_file.TENSOR_RAW, _TENSOR_FLOATS}
        return b"".join(
            f.value for f in tensor if f.number in fields and isinstance(f.value, bytes)
        )
    entries = _entries(tensor)
    begin, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
    with (path.parent / where[0]).open("rb") as file:
        file.seek(begin)
        return file.read(length)
