"""One module knows PyAudio: it lists devices, opens streams and words their errors.

PortAudio makes its list of devices once, at its start, and keeps it until the last user has
terminated it. So everybody shares one PyAudio object inside ``running()``, and whoever is left
alone with it gets a fresh list at the next start. When a card was plugged in or out while somebody
still has a stream open, the next one who enters ``running()`` asks for the list to be made anew:
``stale()`` turns true, each thread with a stream closes it at a moment that suits it, leaves
``running()``, and enters again. None of PortAudio's calls but read, write and their availability
may run beside another, so all others are made under one lock.

A lock that is not free for ``LOCK_TIMEOUT_S`` means that a thread hangs inside PortAudio: in
Debian's version a card that was pulled out can do that, and a sound server that stopped answering.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from device.audio.devices import Device, Direction, Layout
from device.errors import AudioDeviceError, AudioDeviceHungError, DeviceTrouble

CARDS = Path("/proc/asound/cards")
"""The kernel's own list: it changes when a card comes or goes, PortAudio's does not."""

LOCK_TIMEOUT_S = 5.0
RENEWAL_TIMEOUT_S = 2.0
POLL_S = 0.01

NOISE = (
    b"ALSA lib",
    b"Expression '",
    b"Cannot connect to server",
    b"jack server",
    b"Jack",
    b"JACK",
    b"\n",
)
"""How the lines begin that PortAudio's libraries write to stderr about what is not there."""

PA_FORMATS = {2: 8, 4: 2}
"""paInt16 and paInt32 by their bytes (portaudio.h)."""

TROUBLES = {
    -9998: DeviceTrouble.REFUSED,  # paInvalidChannelCount
    -9997: DeviceTrouble.REFUSED,  # paInvalidSampleRate
    -9994: DeviceTrouble.REFUSED,  # paSampleFormatNotSupported
    -9996: DeviceTrouble.MISSING,  # paInvalidDevice: an index of an older list
    -9985: DeviceTrouble.BUSY,  # paDeviceUnavailable: another process has it
}
"""PortAudio's codes (portaudio.h) by what they mean to us; any other is a device that went away."""


def trouble_of(error: OSError) -> DeviceTrouble:
    """Return what an error of PyAudio means."""
    return TROUBLES.get(error.errno or 0, DeviceTrouble.LOST)


@dataclass
class _Shared:
    """What all users of PortAudio in this process have in common; guarded by ``_lock``."""

    audio: Any = None
    users: int = 0
    cards: str = ""
    renewing: bool = False


_lock = threading.Lock()
_shared = _Shared()
_held: list[tuple[int, BinaryIO]] = []
"""The real stderr, and what stands in its place, while it is held back."""


@contextmanager
def _locked() -> Iterator[None]:
    if not _lock.acquire(timeout=LOCK_TIMEOUT_S):
        raise AudioDeviceHungError(
            DeviceTrouble.STALLED,
            f"portaudio has been stuck in a call for {LOCK_TIMEOUT_S:g} s; restart the process",
        )
    try:
        yield
    finally:
        _lock.release()


def stale() -> bool:
    """Tell whether who has a stream open should leave ``running()`` and enter again. Any thread."""
    return _shared.renewing


def cards() -> str:
    """Give the kernel's list of sound cards, as text to compare. Any thread."""
    try:
        return CARDS.read_text()
    except OSError:
        return ""


def cards_at_start() -> str:
    """Give what ``cards()`` was when PortAudio made its list of devices. Any thread."""
    return _shared.cards


@contextmanager
def running() -> Iterator[PortAudio]:
    """Start PortAudio, or share it; its list of devices is as fresh as others allow.

    Takes tenths of a second on a Raspberry Pi, so never on the event loop's thread. Raises
    AudioDeviceError when it cannot start, AudioDeviceHungError when a thread hangs in it.
    """
    _await_renewal()
    with _locked():
        if _shared.users == 0:
            # Before: of a card that comes meanwhile nobody knows whether the list has it.
            _shared.cards = cards()
            _shared.audio = _start()
            _shared.renewing = False
        _shared.users += 1
    try:
        yield PortAudio(_shared.audio)
    finally:
        # However long it takes: a use that was not given back would keep the list for ever.
        with _lock:
            _shared.users -= 1
            if _shared.users == 0:
                _shared.audio.terminate()
                _shared.audio = None


def _await_renewal() -> None:
    """Let the others leave first when the list is out of date; go on with it if they do not."""
    with _locked():
        if _shared.users and cards() != _shared.cards:
            _shared.renewing = True
    deadline = time.monotonic() + RENEWAL_TIMEOUT_S
    while stale() and _shared.users:
        if time.monotonic() > deadline:
            # Somebody is busy: a list of yesterday is better than no sound at all today.
            _shared.renewing = False
        time.sleep(POLL_S)


def _start() -> Any:
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    with quiet_stderr():
        try:
            # Needs libportaudio2, which the other rooms' tests must do without.
            import pyaudio  # noqa: PLC0415

            return pyaudio.PyAudio()
        except (ImportError, OSError) as error:
            raise AudioDeviceError(
                DeviceTrouble.MISSING, f"portaudio does not start: {error}"
            ) from error


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold this process's stderr back, at its file descriptor, and drop the libraries' noise.

    What anybody else wrote meanwhile comes out at the end. One thread at a time.
    """
    # In memory: a disk that is full or read-only must not cost the sound.
    with os.fdopen(os.memfd_create("stderr"), "w+b") as held:
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        _held.append((original, held))
        try:
            yield
        finally:
            loud_stderr()
            os.close(original)


def loud_stderr() -> None:
    """Let out what is held back, from now on too, though a thread hangs in there. Any thread.

    For the end of the process, which has to be explained. Harmless when nothing is held.
    """
    while _held:
        original, held = _held.pop()
        os.dup2(original, 2)
        held.seek(0)
        kept = [line for line in held if not line.startswith(NOISE)]
        if kept:
            os.write(original, b"".join(kept))


def list_devices() -> list[Device]:
    """All sound devices. A card that another process has open may be missing or show no channels.

    Blocks like ``running()`` and raises the same.
    """
    with running() as audio:
        return audio.devices()


class PortAudio:
    """PortAudio while it runs: inside ``running()``."""

    def __init__(self, audio: Any) -> None:
        self._audio = audio

    def devices(self) -> list[Device]:
        """The list as of PortAudio's start."""
        with _locked():
            default_input = self._default("input")
            default_output = self._default("output")
            return [
                self._device(index, default_input, default_output)
                for index in range(self._audio.get_device_count())
            ]

    def _default(self, direction: Direction) -> int:
        try:
            return int(getattr(self._audio, f"get_default_{direction}_device_info")()["index"])
        except OSError:
            return -1

    def _device(self, index: int, default_input: int, default_output: int) -> Device:
        info = self._audio.get_device_info_by_index(index)
        host_api = self._audio.get_host_api_info_by_index(info["hostApi"])
        return Device(
            name=str(info["name"]),
            index=index,
            input_channels=int(info["maxInputChannels"]),
            output_channels=int(info["maxOutputChannels"]),
            default_rate_hz=round(info["defaultSampleRate"]),
            host_api=str(host_api["name"]),
            default_input=index == default_input,
            default_output=index == default_output,
        )

    @contextmanager
    def stream(
        self, device: Device, direction: Direction, layouts: Sequence[Layout], period_ms: int
    ) -> Iterator[tuple[Any, Layout]]:
        """Open a started blocking stream with the first layout that the device takes.

        Gives PyAudio's stream, closed on leaving, whose ``read``, ``write`` and ``get_*_available``
        belong to this one thread. ``period_ms`` is what PortAudio calls frames per buffer: its
        version 19.6 gives a card two such periods of buffer, PulseAudio's plugin three (measured).
        Raises AudioDeviceError, also in place of any OSError that comes out of the body.
        """
        with _locked(), quiet_stderr():
            stream, layout = self._open(device, direction, layouts, period_ms)
        try:
            yield stream, layout
        except OSError as error:
            raise AudioDeviceError(
                DeviceTrouble.LOST, f"{direction} device '{device.name}' is gone: {_reason(error)}"
            ) from error
        finally:
            with _lock:
                stream.close()

    @staticmethod
    def stop(stream: Any) -> None:
        """Stop a stream that ``stream`` gave; `start` goes on with it. Raises OSError."""
        with _locked():
            stream.stop_stream()

    @staticmethod
    def start(stream: Any) -> None:
        """Start a stopped stream again. Raises OSError, where its server is gone, say."""
        with _locked():
            stream.start_stream()

    def _open(
        self, device: Device, direction: Direction, layouts: Sequence[Layout], period_ms: int
    ) -> tuple[Any, Layout]:
        refusals = []
        for layout in layouts:
            try:
                stream = self._audio.open(
                    rate=layout.rate_hz,
                    channels=layout.channels,
                    format=PA_FORMATS[layout.sample_bytes],
                    frames_per_buffer=layout.rate_hz * period_ms // 1000,
                    **{direction: True, f"{direction}_device_index": device.index},
                )
            except OSError as error:
                refusals.append(_refusal(device, direction, layout, error))
                # Any other may be about the layout: codecs that do not like it say -9999.
                if refusals[-1].trouble in (DeviceTrouble.BUSY, DeviceTrouble.MISSING):
                    raise refusals[-1] from error
            else:
                return stream, layout
        raise refusals[0]


def _refusal(
    device: Device, direction: Direction, layout: Layout, error: OSError
) -> AudioDeviceError:
    trouble = trouble_of(error)
    hint = "; another program has it open" if trouble is DeviceTrouble.BUSY else ""
    return AudioDeviceError(
        trouble,
        f"{direction} device '{device.name}' does not open with {layout}: {_reason(error)}{hint}",
    )


def _reason(error: OSError) -> str:
    return f"{str(error.strerror).lower()} ({error.errno})"
