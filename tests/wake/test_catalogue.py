"""Which file a wake word stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import WakeModelError
from device.wake.catalogue import bundle_folder, bundled_words, locate, word_name


def test_the_bundled_wake_words_are_listed_without_the_networks_that_are_none() -> None:
    """What can be written into the configuration, sorted."""
    assert bundled_words() == ["alexa", "hey_jarvis", "hey_mycroft", "hey_rhasspy", "weather"]


@pytest.mark.parametrize("model", ["hey_jarvis", "hey_jarvis_v0.1"])
def test_a_bundled_word_is_found_with_or_without_its_version(model: str) -> None:
    """The file of openWakeWord carries a version that nobody has to know."""
    assert locate(model).name == "hey_jarvis_v0.1.onnx"
    assert word_name(model) == "hey_jarvis"


def test_a_file_of_ones_own_is_named_after_itself(tmp_path: Path) -> None:
    """An absolute path is taken as it is."""
    own = tmp_path / "hey_parley.onnx"
    own.touch()
    assert locate(str(own)) == own
    assert word_name(str(own)) == "hey_parley"


@pytest.mark.parametrize("model", ["hey_jarvs", "Hey Jarvis", "hey-jarvis"])
def test_a_misspelt_word_brings_the_right_one_to_mind(model: str) -> None:
    """A near miss is answered with what was probably meant, and with all there are."""
    with pytest.raises(WakeModelError) as caught:
        locate(model)
    assert str(caught.value) == (
        f"no wake word is called {model!r} (did you mean 'hey_jarvis'?); give one of alexa, "
        "hey_jarvis, hey_mycroft, hey_rhasspy, weather, or the absolute path of an .onnx file"
    )


def test_a_word_like_no_other_brings_nothing_to_mind() -> None:
    """A wild guess helps nobody."""
    with pytest.raises(WakeModelError, match=r"no wake word is called 'xyzzy'; give one of"):
        locate("xyzzy")


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("/no/such/word.onnx", r"^/no/such/word\.onnx: no such file; give one of"),
        ("words/mine.onnx", r"^words/mine\.onnx: not an absolute path; give one of"),
        ("mine.onnx", r"^mine\.onnx: not an absolute path; give one of"),
        ("/tmp", r"^/tmp: a folder, not an \.onnx file; give one of"),
    ],
)
def test_a_path_that_leads_nowhere_says_why(model: str, complaint: str) -> None:
    """Each kind of wrong path names itself and what to do."""
    with pytest.raises(WakeModelError, match=complaint):
        locate(model)


@pytest.mark.parametrize(
    ("package", "complaint"),
    [
        (
            "no_such_package",
            r"^no_such_package: it is not installed; install openwakeword==0\.5\.1$",
        ),
        ("numpy", r"^numpy: no networks in /.*/numpy/resources/models; install openwakeword"),
    ],
)
def test_an_installation_without_the_networks_says_what_to_install(
    package: str, complaint: str
) -> None:
    """Later releases of openWakeWord carry no networks: that must not look like a wrong word."""
    with pytest.raises(WakeModelError, match=complaint):
        bundle_folder(package)
