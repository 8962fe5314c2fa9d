"""An ``amixer`` that keeps the mixers of cards in a file: a program of its own, alone on the PATH.

It reads and writes the elements of a card as alsa-utils prints and takes them. The elements, and
where the drivers leave them at power-on, are those of the kernel's wm8960.c and tlv320aic3x.c, and
of a USB card with two PCM volumes; they are written here without the product's tables.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from device.board.elements import Element, elements_in

Made = dict[str, object]


def switch(name: str, value: str, channels: int = 1, index: int = 0) -> Made:
    values = [value] * channels
    return {"name": name, "index": index, "type": "BOOLEAN", "values": values}


def volume(
    name: str,
    value: int,
    highest: int,
    *,
    channels: int = 2,
    index: int = 0,
    scale: str = "",
    lowest: int = 0,
) -> Made:
    return {
        "name": name,
        "index": index,
        "type": "INTEGER",
        "values": [str(value)] * channels,
        "min": lowest,
        "max": highest,
        "scale": scale,
    }


def choice(name: str, items: Sequence[str]) -> Made:
    return {"name": name, "index": 0, "type": "ENUMERATED", "values": ["0"], "items": list(items)}


WM8960 = [
    volume("Capture Volume", 39, 63, scale="dBscale-min=-17.25dB,step=0.75dB,mute=0"),
    switch("Capture Switch", "off", 2),
    volume("Right Input Boost Mixer RINPUT1 Volume", 0, 3, channels=1),
    volume("Left Input Boost Mixer LINPUT1 Volume", 0, 3, channels=1),
    volume("Playback Volume", 255, 255, scale="dBscale-min=-127.50dB,step=0.50dB,mute=1"),
    volume("Headphone Playback Volume", 0, 127, scale="dBscale-min=-121.00dB,step=1.00dB,mute=1"),
    volume("Speaker Playback Volume", 0, 127, scale="dBscale-min=-121.00dB,step=1.00dB,mute=1"),
    volume("Speaker DC Volume", 0, 5, channels=1),
    volume("Speaker AC Volume", 0, 5, channels=1),
    switch("PCM Playback -6dB Switch", "off"),
    choice("ALC Function", ["Off", "Right", "Left", "Stereo"]),
    switch("Noise Gate Switch", "off"),
    volume("ADC PCM Capture Volume", 195, 255, scale="dBscale-min=-97.50dB,step=0.50dB,mute=0"),
    switch("Left Output Mixer PCM Playback Switch", "off"),
    switch("Left Output Mixer Boost Bypass Switch", "off"),
    switch("Right Output Mixer PCM Playback Switch", "off"),
    switch("Right Output Mixer Boost Bypass Switch", "off"),
    switch("Left Input Mixer Boost Switch", "off"),
    switch("Right Input Mixer Boost Switch", "off"),
    switch("Left Boost Mixer LINPUT1 Switch", "on"),
    switch("Left Boost Mixer LINPUT2 Switch", "off"),
    switch("Right Boost Mixer RINPUT1 Switch", "on"),
]
"""The 2-Mics HAT v1 at power-on: mute, and deaf."""

_DAC = "dBscale-min=-59.00dB,step=0.50dB,mute=1"
AIC3104 = [
    volume("PCM Playback Volume", 80, 127, scale="dBscale-min=-63.50dB,step=0.50dB,mute=0"),
    switch("Left PGA Mixer Line1L Switch", "on"),
    switch("Left PGA Mixer Line1R Switch", "off"),
    switch("Right PGA Mixer Line1R Switch", "on"),
    switch("Left HP Mixer DACL1 Switch", "on"),
    switch("Right HP Mixer DACR1 Switch", "on"),
    switch("Left Line Mixer DACL1 Switch", "on"),
    switch("Right Line Mixer DACR1 Switch", "on"),
    volume("Line DAC Playback Volume", 71, 118, scale=_DAC),
    volume("HP DAC Playback Volume", 71, 118, scale=_DAC),
    volume("Line Playback Volume", 0, 9, scale="dBscale-min=0.00dB,step=1.00dB,mute=0"),
    switch("Line Playback Switch", "on", 2),
    volume("HP Playback Volume", 0, 9, scale="dBscale-min=0.00dB,step=1.00dB,mute=0"),
    switch("HP Playback Switch", "on", 2),
    switch("PGA Capture Switch", "on", 2),
    volume("PGA Capture Volume", 32, 119, scale="dBscale-min=0.00dB,step=0.50dB,mute=0"),
    switch("AGC Switch", "off", 2),
    choice("Left DAC Mux", ["DAC_L1", "DAC_L3", "DAC_L2"]),
]
"""The 2-Mics HAT v2 at power-on: 47 dB too quiet."""

XVF3800 = [
    switch("PCM Playback Switch", "on", 2),
    volume("PCM Playback Volume", 60, 60, scale="dBminmax-min=-60.00dB,max=0.00dB"),
    switch("PCM Playback Switch", "on", 2, index=1),
    volume("PCM Playback Volume", 24, 60, index=1, scale="dBminmax-min=-60.00dB,max=0.00dB"),
]
"""A reSpeaker XVF3800 as some hosts leave it: the second volume is low."""

XVF3800_6_CHANNELS = [
    *XVF3800,
    switch("Keep Interface", "on"),
    volume("Headset Capture Volume", 20, 60, index=1),
    switch("Clock Selector", "on"),
    switch("Headset Capture Switch", "off", 6),
    switch("Headset Capture Switch", "on", 2, index=1),
    volume("Headset Capture Volume", 0, 60, channels=6),
]
"""The same with six channels; the numbers 8 and 10 are those of Seeed's FAQ."""

_PROGRAM = """
import json, os, sys, time

state, log = {state!r}, {log!r}
words = sys.argv[1:]
with open(log, "a") as file:
    file.write(" ".join(words) + "\\n")
orders = json.load(open(state))
if orders["hangs"]:
    time.sleep(60)
words = [word for word in words if word != "-q"]
card, verb, rest = words[1], words[2], words[3:]
elements = orders["cards"].get(card)
if elements is None:
    sys.exit(f"amixer: Control default open error: No such file or directory")
if verb == "contents":
    for number, one in enumerate(elements, 1):
        index = f",index={{one['index']}}" if one["index"] else ""
        print(f"numid={{number}},iface=MIXER,name='{{one['name']}}'{{index}}")
        more = ""
        if one["type"] == "INTEGER":
            more = f",min={{one['min']}},max={{one['max']}},step=0"
        elif one["type"] == "ENUMERATED":
            more = f",items={{len(one['items'])}}"
        print(f"  ; type={{one['type']}},access=rw------,values={{len(one['values'])}}{{more}}")
        for place, item in enumerate(one.get("items", [])):
            print(f"  ; Item #{{place}} '{{item}}'")
        print("  : values=" + ",".join(one["values"]))
        if one.get("scale"):
            print("  | " + one["scale"])
elif verb == "cset":
    one = elements[int(rest[0].removeprefix("numid=")) - 1]
    if one["name"] in orders["stuck"]:
        sys.exit("amixer: Control hw:1 element write error: Operation not permitted")
    given = rest[1].split(",")
    if len(given) != len(one["values"]):
        sys.exit("amixer: wrong count of values")
    one["values"] = given
    with open(state + ".new", "w") as file:
        json.dump(orders, file)
    os.replace(state + ".new", state)
else:
    sys.exit(f"amixer: Unknown command '{{verb}}'...")
"""


class FakeAmixer:
    """Stands on the PATH; tests read and turn the mixers that it keeps."""

    def __init__(self, folder: Path, **cards: Sequence[Made]) -> None:
        """``cards``: the elements of each at power-on, by ``card1``, ``card2`` and so on."""
        self.folder = folder
        self._state, self._log = folder / "mixers.json", folder / "amixer.log"
        self._power_on = {name.removeprefix("card"): list(cards[name]) for name in cards}
        self.reboot()
        program = folder / "amixer"
        code = _PROGRAM.format(state=str(self._state), log=str(self._log))
        program.write_text(f"#!{sys.executable} -IS\n{code}")
        program.chmod(0o755)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeAmixer:
        """Make it the only program there is."""
        monkeypatch.setenv("PATH", str(self.folder))
        return self

    def reboot(self) -> None:
        """Every element is again where its driver leaves it."""
        self._write({"cards": self._power_on, "hangs": False, "stuck": []})

    @property
    def calls(self) -> list[str]:
        """What it was given since the last look, a line each."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return lines

    def value(self, card: int, name: str, index: int = 0) -> str:
        """Return an element's values, as alsa-utils writes them."""
        return ",".join(self._element(self._read(), card, name, index)["values"])

    def elements(self, card: int) -> tuple[Element, ...]:
        """Return what ``amixer contents`` prints of a card, as the product reads it."""
        done = subprocess.run(
            [self.folder / "amixer", "-c", str(card), "contents"],
            check=True,
            capture_output=True,
            text=True,
        )
        return elements_in(done.stdout)

    def turn(self, card: int, name: str, *values: str, index: int = 0) -> None:
        """Set an element, as somebody with alsamixer does."""
        state = self._read()
        element = self._element(state, card, name, index)
        count = len(element["values"])
        element["values"] = list(values) * (count // len(values))
        self._write(state)

    def hang(self) -> None:
        """It does not end by itself from now on."""
        self._write({**self._read(), "hangs": True})

    def refuse(self, *names: str) -> None:
        """These elements cannot be set from now on."""
        self._write({**self._read(), "stuck": list(names)})

    def _read(self) -> dict[str, object]:
        read: dict[str, object] = json.loads(self._state.read_text())
        return read

    def _write(self, state: dict[str, object]) -> None:
        self._state.write_text(json.dumps(state))

    @staticmethod
    def _element(
        state: dict[str, object], card: int, name: str, index: int
    ) -> dict[str, list[str]]:
        cards = state["cards"]
        assert isinstance(cards, dict)
        found: dict[str, list[str]] = next(
            one for one in cards[str(card)] if (one["name"], one["index"]) == (name, index)
        )
        return found
