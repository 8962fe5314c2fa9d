"""A thread that hangs inside PortAudio ends the process, whichever call it hangs in."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SPEAKER = """
import itertools, os, sys, threading, time, types
from dataclasses import replace

hangs_in, socket = sys.argv[1:]
began = threading.Event()
number = itertools.count(1)


def hang(call):
    if call == hangs_in and began.is_set():
        print(f"{call} hangs at {time.monotonic()}", file=sys.stderr, flush=True)
        threading.Event().wait()


class Stream:
    def get_read_available(self):
        if began.is_set() and hangs_in == "close":
            return 0
        time.sleep(0.02)
        return 960

    def read(self, samples, exception_on_overflow):
        hang("read")
        if next(number) == 20:
            began.set()
        return os.urandom(samples * 4)

    def get_write_available(self):
        return 1920

    def write(self, _data):
        began.set()
        hang("write")

    def close(self):
        hang("close")


class PyAudio:
    def get_device_count(self):
        return 1

    def get_device_info_by_index(self, index):
        return dict(name="card (hw:0,0)", index=0, hostApi=0, maxInputChannels=1,
                    maxOutputChannels=1, defaultSampleRate=48000)

    get_default_input_device_info = get_default_output_device_info = (
        lambda self: self.get_device_info_by_index(0))

    def get_host_api_info_by_index(self, index):
        return dict(name="ALSA")

    def open(self, **_asked):
        if hangs_in == "open":
            began.set()
        hang("open")
        return Stream()

    def terminate(self):
        pass


sys.modules["pyaudio"] = types.SimpleNamespace(PyAudio=PyAudio)

from device.__main__ import main
from device.audio import microphone, playback_thread, stream_thread
from device.audio.loudspeaker import Loudspeaker
from device.audio.microphone import PortAudioMicrophone
from device.audio.playback_thread import PortAudioCard
from device.build import real
from tests.rig.fakes import FakeLights, Hub

microphone.STALL_S = playback_thread.STALL_S = 0.5
stream_thread.OPEN_TIMEOUT_S, stream_thread.CLOSE_TIMEOUT_S = 1.0, 0.5


class Lights(FakeLights):
    def close(self):
        super().close()
        print("lights dark", file=sys.stderr, flush=True)


hub = Hub()
hub.lights = Lights()


async def load(_config):
    return hub.detector


hub.load_detector = load
if hangs_in == "write":
    sound = dict(speaker=lambda _config: Loudspeaker(PortAudioCard()))
else:
    sound = dict(microphone=lambda _config: PortAudioMicrophone())
parts = replace(hub.parts(), **sound)
real.real_parts = lambda _environ: parts
sys.exit(main(["run", "--socket", socket, "--config", "/dev/null"]))
"""
"""`parley run` with a sound card whose driver stops answering in the call that is asked for."""

BOUND_S = 4.0
"""With the patience of the process cut to a second or less for each step."""


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("read", "input device 'card (hw:0,0)' (16000 hz, mono) does not close"),
        ("close", "input device 'card (hw:0,0)' (16000 hz, mono) does not close"),
        ("open", "input device 'auto' does not open"),
        ("write", "output device 'card (hw:0,0)' (48000 hz, 1 channels) does not close"),
    ],
)
def test_a_call_that_never_returns_ends_the_process(tmp_path: Path, call: str, told: str) -> None:
    """With 1, for systemd to start another; the journal says why, and the lights are dark."""
    done = subprocess.run(
        [sys.executable, "-c", SPEAKER, call, str(tmp_path / "control.sock")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    ended_at = time.monotonic()
    lines = done.stderr.splitlines()
    hangs = next(line for line in lines if line.startswith(f"{call} hangs at"))
    hung_at = float(hangs.split()[-1])
    print(f"\na sound card that hangs in {call} ends the process after {ended_at - hung_at:.1f} s")
    assert done.returncode == 1
    assert ended_at - hung_at < BOUND_S
    assert [line for line in lines if "CRITICAL" in line and told in line]
    assert "lights dark" in lines[lines.index(hangs) :]
