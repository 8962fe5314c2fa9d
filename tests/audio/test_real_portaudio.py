"""Cards of the boards' formats below the real PortAudio and ALSA, as an ALSA plugin made here."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from device.audio import portaudio
from device.audio.devices import CardFacts, Device, Layout
from device.audio.microphone import PortAudioMicrophone
from device.errors import AudioDeviceError, DeviceTrouble

SOURCE = Path(__file__).parents[1] / "rig" / "card.c"
STEP, APART = 7, 1000
"""As in card.c: from sample to sample, and from channel to channel."""
FRAMES = 30


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card, compiled; what PyAudio is built with is enough for it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make the card with")
    library = tmp_path_factory.mktemp("card") / "card.so"
    command = [compiler, "-shared", "-fPIC", "-DPIC", "-O1", str(SOURCE), "-o", str(library)]
    subprocess.run([*command, "-lasound"], check=True, timeout=60)
    return library


@pytest.fixture
def card(
    request: pytest.FixtureRequest, plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, int, int]:
    """A card of this format, rate and channel count, and no other."""
    made: tuple[str, int, int] = request.param
    sample_format, rate_hz, channels = made
    settings = f'format "{sample_format}" rate {rate_hz} channels {channels}'
    (tmp_path / "alsa.conf").write_text(
        f'pcm_type.parleycard {{ lib "{plugin}" }}\n'
        f'pcm.!default {{ type parleycard {settings} hint {{ show on description "card" }} }}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "alsa.conf"))
    # PortAudio gives a card's own name to the kernel's cards only.
    monkeypatch.setattr("device.audio.devices.HARDWARE_MARKS", ("default",))
    return made


@pytest.mark.parametrize(
    ("card", "channel"),
    [
        (("S16_LE", 16_000, 6), 0),
        (("S16_LE", 16_000, 6), 5),
        (("S16_LE", 16_000, 1), 0),
        (("S16_LE", 16_000, 2), 1),
        (("S32_LE", 16_000, 4), 2),
        (("S32_LE", 16_000, 8), 7),
    ],
    indirect=["card"],
)
async def test_what_a_16_khz_card_records_arrives_bit_for_bit(
    card: tuple[str, int, int], channel: int
) -> None:
    """PortAudio widens 16 bit by zeros; of 32 bit it is the upper half, without its dither."""
    facts = CardFacts(channel, (16_000,))
    microphone = PortAudioMicrophone(facts=partial(_told, facts))
    await microphone.open()
    frames = [await microphone.read() for _ in range(FRAMES)]
    await microphone.close()
    heard = np.frombuffer(b"".join(frame.pcm for frame in frames), "<u2").astype(np.int64)
    first = (heard[0] - channel * APART) % 65_536
    # It begins with the first sample of a ramp that goes round every 65536 samples.
    began = first * pow(STEP, -1, 65_536) % 65_536
    expected = ((began + np.arange(len(heard))) * STEP + channel * APART) % 65_536
    assert np.array_equal(heard, expected)
    assert microphone.counters["overruns"] == 0


def _told(facts: CardFacts, _device: Device) -> CardFacts:
    return facts


@pytest.mark.parametrize("card", [("S32_LE", 48_000, 8)], indirect=True)
async def test_a_card_that_takes_48_khz_only_is_opened_at_it(card: tuple[str, int, int]) -> None:
    """Whether that was known of it or not."""
    for facts in (CardFacts(0, (48_000,)), CardFacts()):
        microphone = PortAudioMicrophone(facts=partial(_told, facts))
        await microphone.open()
        assert microphone.description == "'default' (48000 hz, channel 0 of 8)"
        assert len((await microphone.read()).pcm) == 640
        await microphone.close()


@pytest.mark.parametrize("card", [("S16_LE", 16_000, 6)], indirect=True)
def test_another_rate_is_refused(card: tuple[str, int, int]) -> None:
    """With PortAudio's own code: nothing in between converts."""
    with (
        portaudio.running() as audio,
        pytest.raises(AudioDeviceError, match=r"invalid sample rate \(-9997\)") as caught,
        audio.stream(audio.devices()[0], "input", [Layout(48_000, 6, 2)], 40),
    ):
        pass
    assert caught.value.trouble is DeviceTrouble.REFUSED
