"""PortAudio's devices, errors and noise."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from device.audio import portaudio
from device.audio.devices import Device, Layout
from device.audio.portaudio import PortAudio, loud_stderr, quiet_stderr, trouble_of
from device.errors import AudioDeviceError, AudioDeviceHungError, DeviceTrouble
from tests.rig.sound import SoundServer

CARD = Device("seeed2micvoicec: - (hw:1,0)", 3, 2, 2, 44_100, "ALSA")
STEREO = Layout(16_000, 2, 2)
WIDE = Layout(48_000, 2, 4)


class FakeStream:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class FakePyAudio:
    """Refuses with the given errors, one for each opening, then opens."""

    def __init__(self, *errors: OSError) -> None:
        self.errors = list(errors)
        self.asked: list[dict[str, Any]] = []
        self.stream = FakeStream()

    def open(self, **asked: Any) -> FakeStream:
        self.asked.append(asked)
        if self.errors:
            raise self.errors.pop(0)
        return self.stream


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (-9997, DeviceTrouble.REFUSED),
        (-9998, DeviceTrouble.REFUSED),
        (-9994, DeviceTrouble.REFUSED),
        (-9996, DeviceTrouble.MISSING),
        (-9985, DeviceTrouble.BUSY),
        (-9999, DeviceTrouble.LOST),
        (-9988, DeviceTrouble.LOST),
    ],
)
def test_every_code_has_its_meaning(code: int, trouble: DeviceTrouble) -> None:
    """The hub tells the owner, and tries again, by the meaning."""
    assert trouble_of(OSError(code, "words")) is trouble


def test_an_error_without_a_code_is_a_lost_device() -> None:
    """PyAudio has one: 'Stream not open'."""
    assert trouble_of(OSError("Stream not open")) is DeviceTrouble.LOST


def test_the_real_server_shows_as_one_default_device(sound_server: SoundServer) -> None:
    """A name, channels both ways, a rate, and what the system would take."""
    (device,) = portaudio.list_devices()
    assert device.name == "default"
    assert device.input_channels > 1
    assert device.output_channels > 1
    assert device.default_rate_hz == 44_100
    assert device.host_api == "ALSA"
    assert device.is_default("input")
    assert device.is_default("output")


def test_no_sound_system_is_no_device(
    monkeypatch: pytest.MonkeyPatch, sound_server: SoundServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """And the libraries' flood about it does not reach the journal."""
    sound_server.kill()
    assert portaudio.list_devices() == []
    assert capfd.readouterr().err == ""
    assert os.environ["JACK_NO_START_SERVER"] == "1"


def test_other_people_s_lines_on_stderr_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """A log line that falls into the silence must not be lost."""
    with quiet_stderr():
        os.write(2, b"ALSA lib conf.c:5178: something\nthe assistant says hello\njack server is\n")
    os.write(2, b"ALSA lib again\n")
    assert capfd.readouterr().err == "the assistant says hello\nALSA lib again\n"


def test_what_is_held_back_is_let_out_for_a_process_that_ends(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The thread that hangs never comes to it; should it come after all, nothing is said twice."""
    loud_stderr()
    with quiet_stderr():
        os.write(2, b"ALSA lib pcm.c: it hangs\nwhat was said before\n")
        assert capfd.readouterr().err == ""
        loud_stderr()
        os.write(2, b"why it ends\n")
        assert capfd.readouterr().err == "what was said before\nwhy it ends\n"
    os.write(2, b"as before\n")
    assert capfd.readouterr().err == "as before\n"


def test_the_first_layout_that_is_taken_is_used() -> None:
    """A card that has 48 kHz only is asked for 16 kHz once."""
    fake = FakePyAudio(OSError(-9997, "Invalid sample rate"))
    with PortAudio(fake).stream(CARD, "input", [STEREO, WIDE], 40) as (stream, layout):
        assert stream is fake.stream
        assert layout is WIDE
        assert not stream.closed
    assert fake.stream.closed
    assert fake.asked[1] == {
        "rate": 48_000,
        "channels": 2,
        "format": 2,
        "frames_per_buffer": 1920,
        "input": True,
        "input_device_index": 3,
    }


def test_a_device_that_takes_nothing_is_refused_with_the_best_that_was_asked() -> None:
    """The message names the device, what it was asked for and the code."""
    fake = FakePyAudio(
        OSError(-9998, "Invalid number of channels"), OSError(-9997, "Invalid sample rate")
    )
    refused = PortAudio(fake).stream(CARD, "input", [STEREO, WIDE], 40)
    with pytest.raises(AudioDeviceError) as caught, refused:
        pass
    assert caught.value.trouble is DeviceTrouble.REFUSED
    assert str(caught.value) == (
        "input device 'seeed2micvoicec: - (hw:1,0)' does not open with "
        "16000 hz, 2 channels, 16 bit: invalid number of channels (-9998)"
    )


def test_a_busy_device_is_not_tried_again_with_other_layouts() -> None:
    """Another program has it: no rate will help."""
    fake = FakePyAudio(OSError(-9985, "Device unavailable"))
    busy = PortAudio(fake).stream(CARD, "output", [STEREO, WIDE], 20)
    with pytest.raises(AudioDeviceError, match="another program has it open") as caught, busy:
        pass
    assert caught.value.trouble is DeviceTrouble.BUSY
    assert len(fake.asked) == 1


def test_an_error_of_an_open_stream_is_a_lost_device_and_closes_it() -> None:
    """Whatever code it has: the stream is gone."""
    fake = FakePyAudio()
    lost = PortAudio(fake).stream(CARD, "input", [STEREO], 40)
    with pytest.raises(AudioDeviceError, match=r"is gone: stream closed \(-9988\)") as caught, lost:
        raise OSError(-9988, "Stream closed")
    assert caught.value.trouble is DeviceTrouble.LOST
    assert fake.stream.closed


def test_a_machine_without_default_devices_has_a_list_all_the_same() -> None:
    """PyAudio raises where there is none."""

    class NoDefaults:
        def get_device_count(self) -> int:
            return 1

        def get_default_input_device_info(self) -> dict[str, Any]:
            raise OSError("No Default Input Device Available")

        get_default_output_device_info = get_default_input_device_info

        def get_device_info_by_index(self, index: int) -> dict[str, Any]:
            return {
                "name": "card (hw:0,0)",
                "hostApi": 0,
                "defaultSampleRate": 16_000.0,
                "maxInputChannels": 6,
                "maxOutputChannels": 2,
            }

        def get_host_api_info_by_index(self, index: int) -> dict[str, Any]:
            return {"name": "ALSA"}

    assert PortAudio(NoDefaults()).devices() == [Device("card (hw:0,0)", 0, 6, 2, 16_000, "ALSA")]


def test_a_call_that_never_returns_is_reported_as_hung(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits behind it for ever."""
    monkeypatch.setattr(portaudio, "LOCK_TIMEOUT_S", 0.05)
    inside, leave = threading.Event(), threading.Event()

    class Stuck(FakePyAudio):
        def open(self, **asked: Any) -> FakeStream:
            inside.set()
            leave.wait(10)
            return super().open(**asked)

    def hang() -> None:
        with PortAudio(Stuck()).stream(CARD, "input", [STEREO], 40):
            pass

    with thread(hang):
        assert inside.wait(10)
        with pytest.raises(AudioDeviceHungError, match="restart the process"):
            portaudio.list_devices()
        leave.set()


@contextmanager
def thread(target: Any) -> Iterator[None]:
    running = threading.Thread(target=target)
    running.start()
    yield
    running.join(10)
    assert not running.is_alive()


def test_any_error_of_one_layout_goes_on_to_the_next() -> None:
    """Codec drivers that fail in hw_params say -9999 where they mean the rate."""
    fake = FakePyAudio(OSError(-9999, "Unanticipated host error"))
    with PortAudio(fake).stream(CARD, "input", [STEREO, WIDE], 40) as (_stream, layout):
        assert layout is WIDE
    fake = FakePyAudio(OSError(-9999, "Unanticipated host error"), OSError(-9997, "rate"))
    failing = PortAudio(fake).stream(CARD, "input", [STEREO, WIDE], 40)
    with pytest.raises(AudioDeviceError, match=r"unanticipated host error \(-9999\)"), failing:
        pass
    assert len(fake.asked) == 2


def test_a_root_that_is_full_or_read_only_does_not_cost_the_sound(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Stderr is held back in memory, not in a file."""

    def refuse(*_asked: Any, **_more: Any) -> Any:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as full:
        for name in ("TemporaryFile", "mkstemp", "gettempdir", "NamedTemporaryFile"):
            full.setattr(tempfile, name, refuse)
        with quiet_stderr():
            os.write(2, b"the assistant says hello\n")
    # pytest itself needs them again.
    assert capfd.readouterr().err == "the assistant says hello\n"
