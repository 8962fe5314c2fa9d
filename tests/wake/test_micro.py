"""The other networks: what they hear, that they forget, and that a machine may be without them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import SecondOpinionError
from device.wake import micro
from device.wake.micro import DOUBTS, MicroNetwork, micro_networks
from tests.rig.speech import chatter, espeak, noise
from tests.wake.conftest import Clip


@pytest.fixture(scope="module")
def jarvis() -> MicroNetwork:
    return MicroNetwork("hey_jarvis")


@pytest.fixture(scope="module")
def said() -> Clip:
    """Somebody says it, after a moment of the room."""
    return np.concatenate(
        [noise(1.0, 20.0), espeak("hey jarvis", "en-gb-scotland"), noise(0.5, 20.0)]
    )


def test_it_hears_its_word_and_nothing_else(jarvis: MicroNetwork, said: Clip) -> None:
    """Said by a machine, and talk."""
    jarvis.reset()
    assert jarvis.hear(said) > 0.9
    jarvis.reset()
    assert jarvis.hear(chatter()[: 20 * 16_000]) < 0.1


@pytest.mark.parametrize("size", [160, 320, 1280, 1000])
def test_it_takes_sound_in_pieces_of_any_size(jarvis: MicroNetwork, said: Clip, size: int) -> None:
    """To the bit: nothing is lost between two of them."""
    jarvis.reset()
    whole = jarvis.hear(said)
    jarvis.reset()
    pieces = [jarvis.hear(said[at : at + size]) for at in range(0, said.size, size)]
    assert max(pieces) == whole


def test_a_reset_forgets_all(jarvis: MicroNetwork, said: Clip) -> None:
    """Half a word, the other half after a reset: not the word. Then as if it were new."""
    jarvis.reset()
    first = jarvis.hear(said)
    jarvis.reset()
    assert jarvis.hear(said) == first == MicroNetwork("hey_jarvis").hear(said)
    jarvis.reset()
    assert jarvis.hear(said[:0]) == jarvis.hear(said[:320]) == DOUBTS["hey_jarvis"]


def test_a_denial_of_hey_jarvis_is_worth_little() -> None:
    """A British voice says it, whom openWakeWord understands; of alexa it knows better."""
    british = np.concatenate([noise(1.0, 20.0), espeak("hey jarvis", "en-gb")])
    assert MicroNetwork("hey_jarvis").hear(british) == DOUBTS["hey_jarvis"]
    assert MicroNetwork("alexa").hear(british) < 0.01


def test_only_words_that_have_a_network_get_one() -> None:
    """Two of openWakeWord's five have none, nor has anybody's own."""
    bundled = ["alexa", "hey_jarvis", "hey_mycroft", "hey_rhasspy", "weather"]
    assert list(micro_networks(bundled)) == bundled[:3]
    assert micro_networks(["/etc/parley/hey_jarvis.onnx"]) == {}


@pytest.fixture
def fresh_library() -> Iterator[None]:
    """Whether the library loads is found out anew."""
    micro._library.cache_clear()
    yield
    micro._library.cache_clear()


@pytest.mark.parametrize("error", [ImportError("no such module"), OSError("GLIBC_2.35 not found")])
def test_a_machine_that_cannot_load_the_library_says_why(
    fresh_library: None, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Not there, or made for another C library."""
    imports = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "pymicro_wakeword":
            raise error
        return imports(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SecondOpinionError, match=f"pymicro-wakeword does not load: {error}"):
        micro_networks(["hey_jarvis"])


@pytest.mark.parametrize("missing", ["libtensorflowlite_c.so", "hey_jarvis.tflite"])
def test_a_file_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """The library itself would end the process."""
    there = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path.name != missing and there(path))
    with pytest.raises(SecondOpinionError, match=rf"hey_jarvis: there is no .*{missing}"):
        MicroNetwork("hey_jarvis")


def test_a_library_of_another_processor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared library of the wheel is loaded with the first network."""

    def broken(*_: object, **_rest: object) -> None:
        raise OSError("libtensorflowlite_c.so: wrong ELF class")

    monkeypatch.setattr(micro._library(), "MicroWakeWord", broken)
    with pytest.raises(SecondOpinionError, match=r"hey_jarvis: libtens.*: wrong"):
        MicroNetwork("hey_jarvis")
