"""`parley lights`: every pattern to look at; and a killed speaker's LEDs off, come what may."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from device.__main__ import parser
from device.build.boards import Boards
from device.cli import lights as module
from device.cli.lights import darken, lights, play
from device.lights.patterns import MOTIONS, Pattern
from device.lights.picture import Exhibit, exhibits
from device.lights.render import FRAME_S
from tests.rig.machine import machine
from tests.rig.usb_device import Bus, MicArrayV2, Xvf3800Board

DARK = [(0, 0, 0)] * 12


def command(**given: Any) -> argparse.Namespace:
    usual = {
        "count": 12,
        "state": None,
        "picture": False,
        "off": False,
        "config": None,
        "hue": None,
    }
    return argparse.Namespace(**usual | given)


class Terminal(io.StringIO):
    """What is drawn on it, and for how long."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.interrupted_after_s = float("inf")

    def isatty(self) -> bool:
        return True

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        if self.seconds > self.interrupted_after_s:
            raise KeyboardInterrupt


@pytest.mark.parametrize("count", [1, 3, 12])
def test_where_nobody_watches_it_is_a_picture(
    capsys: pytest.CaptureFixture[str], count: int
) -> None:
    """Every pattern with what it means, a line for each LED; nothing of a terminal's colours."""
    assert lights(command(count=count)) == 0
    out = capsys.readouterr().out
    print(out)
    head, *blocks = out.rstrip("\n").split("\n\n")
    assert head.startswith("one LED" if count == 1 else f"{count} LEDs")
    assert "10 seconds from left to right" in head
    assert len(blocks) == len(exhibits(count))
    for block, one in zip(blocks, exhibits(count), strict=True):
        means, *strips = block.splitlines()
        assert means == one.means
        assert len(strips) == count
        assert strips[0].startswith(one.pattern.value)
    assert "\x1b" not in out


def test_one_pattern_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """With all that can be seen of it."""
    lights(command(count=12, state="listening", picture=True))
    out = capsys.readouterr().out
    assert "points at who speaks" in out
    assert "white sparks" in out
    assert "muted" not in out


def test_a_picture_is_drawn_on_a_terminal_too_when_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And without that, they are played."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert lights(command(count=1, picture=True, state="fault")) == 0
    assert "\x1b" not in terminal.getvalue()
    played: list[tuple[set[Pattern], bool]] = []

    def noted(
        chosen: list[Exhibit], _count: int, _stream: object, *, endless: bool, hue: int | None
    ) -> None:
        assert hue is None
        played.append(({one.pattern for one in chosen}, endless))

    monkeypatch.setattr(module, "play", noted)
    for state in ("fault", "off", None):
        assert lights(command(count=1, state=state)) == 0
    assert played == [
        ({Pattern.FAULT}, True),
        ({Pattern.OFF}, True),
        (set(Pattern) - {Pattern.OFF}, False),
    ]


@pytest.mark.parametrize("count", [1, 12])
def test_they_are_played_one_after_the_other(count: int) -> None:
    """Each with its name and meaning, for twice its period or so; dark at the end."""
    terminal = Terminal()
    play(exhibits(count), count, terminal, pause=terminal.pause)
    text = terminal.getvalue()
    places = [text.index(f"\n{one.name}: {one.means}\n") for one in exhibits(count)]
    assert places == sorted(places)
    assert text.endswith("\n")
    red, green, blue = MOTIONS[Pattern.FAULT].colour
    assert f"\x1b[38;2;{red};{green};{blue}m██" in text
    assert "\x1b[38;2;255;255;255m██" in text, "the sparks"
    seconds = [min(10.0, max(4.0, 2 * MOTIONS[one.pattern].period_s)) for one in exhibits(count)]
    assert terminal.seconds == pytest.approx(sum(seconds), abs=len(seconds) * FRAME_S)


def test_a_personas_hue_can_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """In the patterns of a talk; a hue that is none is refused."""
    terminal = Terminal()
    play(
        [Exhibit(Pattern.LISTENING), Exhibit(Pattern.MUTED)],
        1,
        terminal,
        hue=0,
        pause=terminal.pause,
    )
    text = terminal.getvalue()
    assert "\x1b[38;2;255;0;0m██" in text
    red, green, blue = MOTIONS[Pattern.MUTED].colour
    assert f"\x1b[38;2;{red};{green};{blue}m██" in text
    assert parser().parse_args(["lights", "--hue", "359"]).hue == 359
    with pytest.raises(SystemExit):
        parser().parse_args(["lights", "--hue", "360"])
    assert "'360' is not a whole number from 0 to 359" in capsys.readouterr().err


def test_one_is_held_until_ctrl_c() -> None:
    """Which ends it in good order: dark, the cursor on a new line."""
    terminal = Terminal()
    terminal.interrupted_after_s = 60.0
    play(exhibits(3)[:1], 3, terminal, endless=True, pause=terminal.pause)
    assert terminal.seconds > 60.0
    assert terminal.getvalue().endswith("\n")


def test_a_killed_speakers_ring_is_darkened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the board that is found; whatever was left on."""
    array = MicArrayV2()
    boards = Boards(machine("usb-array", tmp_path))
    assert darken(tmp_path / "no.yaml", boards, lambda: Bus(array)) == 0
    assert (array.leds, array.opened) == (DARK, 0)
    assert capsys.readouterr() == ("", "")


def test_with_two_arrays_both_are_darkened(tmp_path: Path) -> None:
    """Which one was the microphone is not known any more; a name in the YAML says it."""
    old, new = MicArrayV2(), Xvf3800Board()
    new.pins[33], new.effect = 1, 5
    boards = Boards(machine("two-arrays", tmp_path))
    darken(None, boards, lambda: Bus(old, new))
    assert (old.leds, new.leds) == (DARK, [0] * 12)
    old, new = MicArrayV2(), Xvf3800Board()
    config = tmp_path / "config.yaml"
    config.write_text("board: usb-array")
    darken(config, boards, lambda: Bus(old, new))
    assert old.leds == DARK
    assert new.transfers == []


def test_a_configuration_that_is_refused_is_no_reason_to_stay_lit(tmp_path: Path) -> None:
    """It is the very reason why the speaker ended."""
    config = tmp_path / "config.yaml"
    config.write_text("lights: {driver: neon}")
    array = MicArrayV2()
    boards = Boards(machine("usb-array", tmp_path / "pi"))
    assert darken(config, boards, lambda: Bus(array)) == 0
    assert array.leds == DARK


@pytest.mark.parametrize("bug", [False, True])
def test_what_cannot_be_darkened_is_told_and_fails_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, bug: bool
) -> None:
    """Not even a mistake of ours fails the unit once more."""
    boards = Boards(machine("usb-array", tmp_path))

    def broken() -> Any:
        raise ZeroDivisionError("a bug")

    assert darken(None, boards, broken if bug else Bus) == 0
    told = capsys.readouterr().err
    assert told.startswith("parley: the lights may have stayed on: ")
    assert ("a bug" if bug else "no ReSpeaker USB Mic Array (USB 2886:0018) is plugged in") in told


def test_a_board_that_there_is_not_is_told_and_fails_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `parley run` would tell it."""
    config = tmp_path / "config.yaml"
    config.write_text("board: 3mic-hat")
    assert darken(config, Boards(machine("usb-array", tmp_path / "pi"))) == 0
    assert "no board is called '3mic-hat'" in capsys.readouterr().err


def test_lights_without_hardware_end_at_once(tmp_path: Path) -> None:
    """As systemd calls it after every end of the service: quickly, and with nothing heavy."""
    config = tmp_path / "config.yaml"
    config.write_text("lights: {driver: none}")
    code = """
import sys
from device.__main__ import main
code = main(["lights", "--off", "--config", sys.argv[1]])
heavy = {"google.genai", "numpy", "onnxruntime", "pyaudio", "rich", "soxr", "device.assistant.hub"}
print(*sorted(heavy & set(sys.modules)))
sys.exit(code)
"""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    print(f"parley lights --off: {time.perf_counter() - began:.2f} s")
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


def test_a_hat_is_darkened_by_the_command_itself(tmp_path: Path) -> None:
    """The whole way, on pretended pins: three LEDs with a start, nothing in them, and an end."""
    config, frame = tmp_path / "config.yaml", tmp_path / "leds"
    config.write_text("board: 2mic-hat-v2")
    rig = [sys.executable, "-m", "tests.rig.mock_pi", str(tmp_path / "pins"), str(frame)]
    done = subprocess.run(
        [*rig, "lights", "--off", "--config", str(config)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    sent = bytes.fromhex(frame.read_text())
    assert len(sent) == 4 + 3 * 4 + 4 + 1
    assert [sent[led : led + 3] for led in (5, 9, 13)] == [bytes(3)] * 3
