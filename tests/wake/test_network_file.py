"""What a file that is to be a wake word network is, before onnxruntime gets it."""

from __future__ import annotations

from pathlib import Path

import pymicro_wakeword
import pytest

from device.errors import WakeModelError
from device.wake.catalogue import bundled_network, bundled_words
from device.wake.network_file import LARGEST_BYTES, look_at
from device.wake.networks import Classifier
from tests.wake import broken

TFLITE = Path(pymicro_wakeword.__file__).parent / "models" / "hey_jarvis.tflite"


def trouble(path: Path) -> str:
    """What is said of the file, by whoever loads it."""
    with pytest.raises(WakeModelError) as caught:
        look_at(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    with pytest.raises(WakeModelError) as loading:
        Classifier(str(path))
    assert str(loading.value) == said
    return said


@pytest.mark.parametrize(
    ("content", "what", "cure"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid", "a git-lfs pointer", "git lfs pull"),
        (b"\n<!DOCTYPE html><title>404</title>", "a web page", "download the file itself"),
        (b"<HTML>", "a web page", "download the file itself"),
        (b"PK\x03\x04archive/data.pkl", "a zip archive", "torch.onnx.export"),
        (b"\x1f\x8b\x08", "a gzip archive", "unpack it"),
        (TFLITE.read_bytes(), "a TensorFlow Lite network", "take the .onnx file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "tf2onnx"),
        (b"\x80\x02}", "a Python pickle", "torch.onnx.export"),
    ],
)
def test_what_is_another_kind_of_file_is_called_by_its_name(
    tmp_path: Path, content: bytes, what: str, cure: str
) -> None:
    """With what to do to have the network."""
    path = tmp_path / "word.onnx"
    path.write_bytes(content)
    said = trouble(path)
    assert said.startswith(f"{path}: not an ONNX file but {what}")
    assert cure in said


def test_a_file_of_the_wrong_size_is_told_with_its_size(tmp_path: Path) -> None:
    """Empty, or so large that it can be no wake word; nothing of it is read."""
    path = tmp_path / "word.onnx"
    path.touch()
    assert "(it is empty)" in trouble(path)
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 2**20)
    assert f": {(LARGEST_BYTES >> 20) + 1} MB, and a wake word network has about 1" in trouble(path)


def test_weights_in_a_second_file_are_loaded_where_that_is_there(tmp_path: Path) -> None:
    """As PyTorch exports by default since 2.9; the scores are those of the one file."""
    path = tmp_path / "word.onnx"
    broken.two_files(path)
    look_at(path)
    whole, split = Classifier("alexa"), Classifier(str(path))
    heard = broken.heard(split)
    assert split.score(heard) == whole.score(heard)


def test_weights_that_are_not_there_are_named_with_where_they_belong(tmp_path: Path) -> None:
    """Only the smaller of two files was copied."""
    path = tmp_path / "word.onnx"
    broken.two_files(path).unlink()
    said = trouble(path)
    assert f"a second file, word.onnx.data, which is not in {tmp_path}: copy that there too" in said


def test_weights_that_are_no_weights_are_told_as_such(tmp_path: Path) -> None:
    """Cut off, or a pointer of git-lfs like the network beside it."""
    path = tmp_path / "word.onnx"
    beside = broken.two_files(path)
    content = beside.read_bytes()
    beside.write_bytes(content[:100])
    assert f"are cut off: 100 bytes are there and {len(content)} are needed" in trouble(path)
    beside.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(WakeModelError, match=r"word\.onnx\.data: not an ONNX file but a git-lfs"):
        look_at(path)
    beside.unlink()
    beside.symlink_to(beside)
    assert f"its weights are in {beside}, which cannot be read" in trouble(path)


@pytest.mark.parametrize("name", ["../word.data", "/etc/shadow"])
def test_no_file_elsewhere_is_opened_for_weights(tmp_path: Path, name: str) -> None:
    """Whoever made the network may have written any name into it."""
    path = tmp_path / "word.onnx"
    path.write_bytes(broken.rewritten(broken.with_data_beside(name, bytearray())))
    assert f"said to be in {name!r}, outside of its folder" in trouble(path)


def test_two_files_may_not_be_larger_than_one(tmp_path: Path) -> None:
    """The bound is that of both."""
    path = tmp_path / "word.onnx"
    beside = broken.two_files(path)
    with beside.open("r+b") as file:
        file.truncate(LARGEST_BYTES)
    assert "with its weights 32 MB" in trouble(path)


@pytest.mark.parametrize("split", [False, True])
def test_weights_that_are_no_numbers_are_found(tmp_path: Path, split: bool) -> None:
    """Some operations hide them: the highest of 0 and NaN may be 0, and it never fires."""
    path = tmp_path / "word.onnx"
    change = broken.with_weights(broken.nan)
    if split:
        data = bytearray()
        beside = broken.with_data_beside("word.onnx.data", data)
        path.write_bytes(broken.rewritten(lambda graph: beside(change(graph))))
        (tmp_path / "word.onnx.data").write_bytes(data)
    else:
        broken.written(path, change)
    assert "weights in it that are no numbers (NaN)" in trouble(path)


@pytest.mark.parametrize("word", bundled_words())
def test_nothing_is_wrong_with_the_bundled_ones(word: str) -> None:
    """Nor with half a file: that is told by who loads it."""
    look_at(bundled_network(word))


def test_what_only_onnxruntime_can_judge_passes(tmp_path: Path) -> None:
    """A file that was cut off, or is anything else."""
    path = tmp_path / "word.onnx"
    for content in (bundled_network("alexa").read_bytes()[:50_000], b"\x00" * 100, b"\x08\x80"):
        path.write_bytes(content)
        look_at(path)
