"""The file against the world: boards and wake words must be some that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from device.build import checked_config as checked
from device.errors import ConfigError, Mistake
from device.wake import onnx_file
from device.wake.catalogue import bundled_network
from device.wake.onnx_file import Field
from tests.rig.machine import machine

ROOT = Path(__file__).parents[2]


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text)
    return file


def mistakes(folder: Path, text: str) -> list[Mistake]:
    with pytest.raises(ConfigError) as caught:
        checked.load(written(folder, text))
    return caught.value.mistakes


def test_what_there_is_is_fine(tmp_path: Path) -> None:
    """A board by its name, a bundled word, and the owner's own network."""
    own = tmp_path / "computer.onnx"
    own.write_bytes(bundled_network("alexa").read_bytes())
    text = f"board: 2mic-hat\nwake: {{words: [{{model: hey_jarvis}}, {{model: {own}}}]}}\n"
    config = checked.load(written(tmp_path, text))
    assert config.board == "2mic-hat"
    assert [word.model for word in config.wake.words] == ["hey_jarvis", str(own)]


def test_what_there_is_not_is_told_with_all_the_rest(tmp_path: Path) -> None:
    """Each with its key and place, in the order of the file, in the words of who knows."""
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"not a network\n" * 100)
    found = mistakes(
        tmp_path,
        "audio: {volume: 300}\nboard: 4mic-hut\nwake:\n  words:\n"
        "  - {model: hey_jervis}\n  - {model: /nope/x.onnx}\n"
        f"  - model: {junk}\n  - model: embedding_model\n",
    )
    assert [(m.where, m.line, m.column) for m in found] == [
        ("audio.volume", 1, 17),
        ("board", 2, 8),
        ("wake.words[0].model", 5, 13),
        ("wake.words[1].model", 6, 13),
        ("wake.words[2].model", 7, 12),
        ("wake.words[3].model", 8, 12),
    ]
    for mistake, said in zip(
        found[1:],
        [
            "did you mean '4mic-hat'?",
            "did you mean 'hey_jarvis'?",
            "/nope/x.onnx: no such file; give one of alexa, ",
            "junk.onnx: not an ONNX file",
            "not a wake word network",
        ],
        strict=True,
    ):
        assert said in mistake.message
        assert "\n" not in mistake.message


def test_a_network_that_loads_and_does_not_run_is_a_mistake(tmp_path: Path) -> None:
    """Such as one that wants two windows at once."""
    shape = (2, 16, 96)
    graph = [
        onnx_file.port(onnx_file.GRAPH_INPUT, "x", shape),
        onnx_file.port(onnx_file.GRAPH_OUTPUT, "y", shape),
        onnx_file.node("Identity", ["x"], "y"),
        Field(2, onnx_file.BYTES, b"name"),
    ]
    opset = [Field(2, onnx_file.VARINT, 13)]
    model = [
        Field(1, onnx_file.VARINT, 8),
        Field(onnx_file.MODEL_GRAPH, onnx_file.BYTES, onnx_file.pack(graph)),
        Field(8, onnx_file.BYTES, onnx_file.pack(opset)),
    ]
    pair = tmp_path / "pair.onnx"
    pair.write_bytes(onnx_file.pack(model))
    (mistake,) = mistakes(tmp_path, f"wake: {{words: [{{model: {pair}}}]}}")
    assert mistake.where == "wake.words[0].model"
    assert mistake.message.startswith(f"{pair}: does not run: ")
    assert "\n" not in mistake.message


def test_what_is_wrong_in_itself_is_told_once(tmp_path: Path) -> None:
    """Not a second time for not being there."""
    text = "board: 'no board'\nwake: {words: [{model: x.onnx}, {model: 3}, hey, {}]}\n"
    found = [mistake.where for mistake in mistakes(tmp_path, text)]
    assert found == [
        *("board", "wake.words[0].model", "wake.words[1].model", "wake.words[2]"),
        "wake.words[3].model",
    ]


def test_an_address_is_refused_with_the_name_of_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that it leads to now; what is a name is not looked up."""
    monkeypatch.setattr(checked, "ROOT", machine("unknown-usb-card", tmp_path / "root"))
    text = "audio:\n  input: {device: 'hw:1,0'}\n  output: {device: '0d8c:013c'}\n"
    name = "write 'USB PnP Sound Device', as card 1 is called"
    assert mistakes(tmp_path, text) == [
        Mistake("audio.input.device", f"'hw:1,0' is an address of ALSA's: {name}", 2, 19),
        Mistake("audio.output.device", f"'0d8c:013c' is a USB id: {name}", 3, 20),
    ]
    (number,) = mistakes(tmp_path, "audio: {input: {device: 0}}")
    assert number.message == (
        "0 is a number, and card numbers change: write 'bcm2835 Headphones', as card 0 is called"
    )
    checked.load(written(tmp_path, "audio: {input: {device: PnP}, output: {device: auto}}"))
    assert len(mistakes(tmp_path, "audio: {input: {device: true}, output: 3}")) == 2


def test_a_model_in_another_spelling_is_a_mistake_and_an_unknown_one_a_warning(
    tmp_path: Path,
) -> None:
    """So is a voice; a server of the owner's may have models of its own."""
    text = "live:\n  model: Gemini-3.8-Live\n  fallback_models: [other, gemini-3-8-live]\n"
    assert [mistake.message for mistake in mistakes(tmp_path, text)] == [
        "'Gemini-3.8-Live' is not a model's name: did you mean gemini-3.8-live?",
        "'gemini-3-8-live' is not a model's name: did you mean gemini-3.8-live?",
    ]
    told = checked.missing_parts({"personas": {"puck": {"model": "Gemini-3.8-Live"}}})
    assert [path for path, _ in told] == [("personas", "puck", "model")]
    new = "live: {model: gemini-9-live, voice: Aether"
    voice, model = checked.warnings(checked.parse(f"{new}}}", "x"))
    assert voice.startswith("live.voice: 'Aether' is not among the voices")
    assert model.startswith("live.model: gemini-9-live is no model that this version knows")
    there = f"{new}, endpoint: 'https://localhost:8443'}}"
    assert checked.warnings(checked.parse(there, "x")) == [voice]
    assert len(mistakes(tmp_path, "live: {model: 3, fallback_models: 4}")) == 2


@pytest.mark.parametrize("text", ["[]", "wake: 1", "wake: {words: 1}", "board: [1]", "just text"])
def test_a_file_of_another_shape_is_refused_as_such(tmp_path: Path, text: str) -> None:
    """Nothing else is looked for in it."""
    assert len(mistakes(tmp_path, text)) == 1


def test_two_files_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    """Events name the word by its file."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "hey.onnx").write_bytes(bundled_network("alexa").read_bytes())
    words = f"[{{model: {tmp_path}/a/hey.onnx}}, {{model: {tmp_path}/b/hey.onnx}}]"
    (mistake,) = mistakes(tmp_path, f"wake: {{words: {words}}}")
    assert mistake.where == "wake.words[1].model"
    assert "a/hey.onnx has the same name, hey" in mistake.message


def test_bundled_words_are_checked_without_loading_them(tmp_path: Path) -> None:
    """`parley config check` answers at once."""
    file = written(tmp_path, "wake: {words: [{model: alexa}]}\nboard: flex\n")
    code = (
        "import sys; from device.__main__ import main; main(sys.argv[1:]); "
        "print({'numpy', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "config", "check", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"{file}: fine\nset()\n"


def test_a_camera_that_will_give_nothing_is_warned_of(tmp_path: Path) -> None:
    """It may be plugged in later, so it is no mistake."""
    away = "/dev/v4l/by-id/usb-of-nobody-video-index0"
    streams = checked.load(written(tmp_path, "camera: {stream: while_talking}"))
    assert checked.warnings(streams) == [
        "camera.stream: nothing is sent while tools.camera is off: on_request there"
    ]
    text = f"tools: {{camera: on_request}}\ncamera: {{source: {away}, stream: while_talking}}"
    (told,) = checked.warnings(checked.load(written(tmp_path, text)))
    assert told.startswith(f"camera.source: {away} is not plugged in; cameras on USB now: ")
    asked = checked.load(written(tmp_path, "tools: {camera: on_request}"))
    assert checked.warnings(asked) == []
