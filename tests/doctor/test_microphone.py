"""The microphone and the echo: what is made of what a running speaker says, and of real sound."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from device.audio.portaudio import quiet_stderr
from device.doctor import echo as echo_checks
from device.doctor import microphone as checks
from device.doctor.result import Result, Verdict
from device.doctor.scene import Outcome, Scene
from device.errors import AudioDeviceError, DeviceTrouble, EchoCancellerError
from device.ports import OpenDevice
from tests.rig.answering import Answering, level, reading
from tests.rig.fakes import FakeMicrophone, FakeSpeaker
from tests.rig.scene import Commands, by_name, machine, only
from tests.rig.sound import SoundServer

STATUS: dict[str, Any] = {"microphone": "ReSpeaker XVF3800", "faults": []}


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[Answering]:
    speaker = Answering(tmp_path / "control.sock")
    with speaker.serving():
        yield speaker


def running(root: Path) -> Scene:
    return machine(root, status=STATUS, alive=True)


async def heard(root: Path, speaker: Answering, *readings: dict[str, Any]) -> dict[str, Result]:
    speaker.answers["meter"] = list(readings)
    return by_name(await checks.microphone(running(root)))


async def test_a_quiet_room_is_fine(tmp_path: Path, speaker: Answering) -> None:
    """The figures are the loudest and the newest floor of the channel that is listened to."""
    told = await heard(
        tmp_path,
        speaker,
        reading(level(peak_dbfs=-20.0)),
        reading(level(peak_dbfs=-30.0, floor_dbfs=-66.0)),
    )
    assert list(told) == ["microphone"]
    assert told["microphone"].verdict is Verdict.FINE
    assert told["microphone"].figure == (
        "ReSpeaker XVF3800: USB Audio (hw:1,0): noise floor -66 dBFS, peak -20 dBFS"
    )
    assert told["microphone"].figures["channels"][0]["peak_dbfs"] == -20.0


async def test_listening_ends_though_the_meter_goes_on(
    tmp_path: Path, speaker: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A speaker tells its levels until nobody asks any more; what came until then counts."""
    monkeypatch.setattr(checks, "LISTEN_S", 0.3)
    speaker.endless.add("meter")
    told = await heard(tmp_path, speaker, reading(level(peak_dbfs=-20.0)))
    assert told["microphone"].verdict is Verdict.FINE


@pytest.mark.parametrize(
    ("one", "verdict", "words"),
    [
        (level(floor_dbfs=-30.0), Verdict.HINT, "it is loud here"),
        (level(clipped=900), Verdict.HINT, "lower the capture level"),
        (level(clipped=3), Verdict.FINE, ""),
        (level(dead=True), Verdict.BROKEN, "digitally silent"),
    ],
)
async def test_what_is_wrong_with_the_channel_is_told(
    tmp_path: Path, speaker: Answering, one: dict[str, Any], verdict: Verdict, words: str
) -> None:
    """With what to do about it."""
    result = (await heard(tmp_path, speaker, reading(one)))["microphone"]
    assert result.verdict is verdict
    assert words in result.advice


async def test_of_an_array_each_channel_is_told(tmp_path: Path, speaker: Answering) -> None:
    """A microphone that is silent is a hint; a loopback may be silent."""
    array = "ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)"
    six = [level() for _ in range(5)] + [level(dead=True)]
    facts = asdict(OpenDevice(array, 1, 0, 6, 16_000))
    told = await heard(tmp_path, speaker, reading(*six, microphone_device=facts))
    assert told["channels"].verdict is Verdict.FINE
    assert told["channels"].figure == (
        "noise floors 0* -62, 1 -62, 2 -62, 3 -62, 4 -62, 5 silent dBFS"
    )
    six[2] = level(dead=True)
    told = await heard(tmp_path, speaker, reading(*six, microphone_device=facts))
    assert told["channels"].verdict is Verdict.HINT
    assert "microphone 2 of the array" in told["channels"].advice
    assert told["channels"].figures == {"count": 6, "dead": [2, 5]}
    told = await heard(tmp_path, speaker, reading(*six, microphone_device=None))
    assert told["channels"].verdict is Verdict.FINE, "nobody knows which are microphones"


async def test_a_muted_microphone_is_a_hint_and_a_deaf_one_broken(
    tmp_path: Path, speaker: Answering
) -> None:
    """Nothing comes from either."""
    nothing: dict[str, Any] = {"levels": []}
    told = await heard(tmp_path, speaker, reading(**nothing, muted=True))
    assert (told["microphone"].verdict, told["microphone"].advice) == (
        Verdict.HINT,
        "parley unmute",
    )
    told = await heard(tmp_path, speaker, reading(**nothing))
    assert told["microphone"].verdict is Verdict.BROKEN


async def test_a_speaker_that_refuses_is_told(tmp_path: Path, speaker: Answering) -> None:
    """An older one does not know the command."""
    speaker.answers = {"meter": "command 'meter' is not known", "measure": "it is busy"}
    told = only(await checks.microphone(running(tmp_path)))
    assert (told.verdict, told.advice) == (Verdict.HINT, "command 'meter' is not known")
    told = only(await echo_checks.echo(running(tmp_path)))
    assert (told.name, told.verdict, told.advice) == ("echo", Verdict.HINT, "it is busy")


async def test_a_speaker_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """Nor are its devices opened: that it hangs is told elsewhere."""
    scene = machine(tmp_path, alive=True, hung=True, silence="no answer within 5 s")
    for told in (only(await checks.microphone(scene)), only(await echo_checks.echo(scene))):
        assert (told.verdict, told.advice) == (Verdict.SKIPPED, "no answer within 5 s")


async def test_a_speaker_that_ends_meanwhile_is_told(tmp_path: Path, speaker: Answering) -> None:
    """Silence is no result."""
    speaker.answers["measure"] = []
    told = only(await echo_checks.echo(running(tmp_path)))
    assert (told.verdict, told.advice) == (Verdict.BROKEN, "see: journalctl -u parley")


@pytest.mark.parametrize("trouble", list(DeviceTrouble))
async def test_a_microphone_that_does_not_open_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: DeviceTrouble
) -> None:
    """Each trouble has its own advice; of the echo only that it was not tried."""
    ear = FakeMicrophone()
    ear.opening = [AudioDeviceError(trouble, "input device: no"), *([_lost()] * 2)]
    monkeypatch.setattr("device.build.real.microphone", lambda _boards, _config: ear)
    told = only(await checks.microphone(machine(tmp_path)))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, "input device: no")
    assert told.advice == checks.TROUBLES[trouble]
    told = only(await echo_checks.echo(machine(tmp_path)))
    assert (told.name, told.verdict) == ("loudspeaker", Verdict.SKIPPED)


def _lost() -> AudioDeviceError:
    return AudioDeviceError(DeviceTrouble.LOST, "it was pulled out")


async def test_a_microphone_that_is_lost_meanwhile_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And closed."""
    ear = FakeMicrophone()
    ear.fail(_lost())
    monkeypatch.setattr("device.build.real.microphone", lambda _boards, _config: ear)
    told = only(await checks.microphone(machine(tmp_path)))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, "it was pulled out")
    assert not ear.is_open


async def test_a_loudspeaker_that_does_not_open_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advice is about the output; one that is lost meanwhile is told too."""
    mouth, ear = FakeSpeaker(), FakeMicrophone()
    mouth.opening = [AudioDeviceError(DeviceTrouble.MISSING, "no output device")]
    monkeypatch.setattr("device.build.real.microphone", lambda _boards, _config: ear)
    monkeypatch.setattr("device.build.real.speaker", lambda _boards, _config: mouth)
    told = only(await echo_checks.echo(machine(tmp_path)))
    assert (told.name, told.verdict) == ("loudspeaker", Verdict.BROKEN)
    assert "audio.output.device" in told.advice
    mouth.lose(_lost())
    told = only(await echo_checks.echo(machine(tmp_path)))
    assert told.figure == "it was pulled out"
    assert [ear.is_open, mouth.is_open] == [False, False]


async def test_without_the_library_no_echo_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which is missing."""

    def missing(**_options: bool) -> None:
        raise EchoCancellerError("libspeexdsp is missing: sudo apt install libspeexdsp1")

    monkeypatch.setattr(echo_checks, "EchoCanceller", missing)
    told = only(await echo_checks.echo(machine(tmp_path)))
    assert (told.verdict, told.name) == (Verdict.BROKEN, "echo")
    assert "libspeexdsp1" in told.advice


ECHO: dict[str, Any] = {
    "return_loss_db": 6.2,
    "erle_db": 25.0,
    "residue_db": 5.1,
    "noise_dbfs": -61.3,
    "delay_ms": 86.0,
    "drift_ppm": -12.0,
}
NOTHING = dict.fromkeys(("return_loss_db", "erle_db", "residue_db", "delay_ms", "drift_ppm"))
SOFTWARE = {"mode": "full", "why": "25 dB of the echo are cancelled", "canceller": "software"}
HARDWARE = {**SOFTWARE, "canceller": "hardware"}


async def measured(
    root: Path, speaker: Answering, duplex: dict[str, str], **echo: float | None
) -> dict[str, Result]:
    speaker.answers["measure"] = [{"result": {"duplex": duplex, "echo": {**ECHO, **echo}}}]
    return by_name(await echo_checks.echo(running(root)))


async def test_an_echo_that_is_cancelled_is_fine(tmp_path: Path, speaker: Answering) -> None:
    """The figures are those of the running speaker."""
    told = await measured(tmp_path, speaker, SOFTWARE)
    assert {name: each.figure for name, each in told.items()} == {
        "loudspeaker": "6.2 dB quieter than what is played",
        "noise": "-61.3 dBFS while it is quiet",
        "echo": "25.0 dB cancelled, 5.1 dB left over the noise",
        "delay": "86.0 ms from loudspeaker to microphone",
        "drift": "-12.0 ppm between the two clocks",
        "duplex": "full duplex: 25 dB of the echo are cancelled",
        "outlook": (
            "like a living room: of 10 wake words over its own voice about 7 are heard of who is "
            "as loud as its echo, 7 of who is 10 dB quieter; its own voice pauses a reply about "
            "0.4 times a minute; a short 'mm-hm' ends 0 of 8 replies (measured in a synthetic room)"
        ),
    }
    assert {each.verdict for each in told.values()} == {Verdict.FINE}
    assert speaker.asked == [{"command": "measure"}]


async def test_what_could_be_better_is_a_hint(tmp_path: Path, speaker: Answering) -> None:
    """It works, in half duplex."""
    poor = {"return_loss_db": -3.0, "erle_db": 4.0, "residue_db": 31.0}
    told = await measured(
        tmp_path, speaker, {**SOFTWARE, "mode": "half"}, **poor, delay_ms=700.0, drift_ppm=-900.0
    )
    assert told["loudspeaker"].figure == "3.0 dB louder than what is played"
    assert [name for name, each in told.items() if each.verdict is Verdict.HINT] == [
        "echo",
        "delay",
        "drift",
        "outlook",
    ]
    assert told["outlook"].figure.startswith("like a loudspeaker that rattles, played too loud: of")
    assert told["outlook"].advice.startswith("a lower volume, or more distance")
    assert told["outlook"].figures["wake_far_of_10"] == 0


async def test_a_loudspeaker_that_is_not_heard_is_broken(
    tmp_path: Path, speaker: Answering
) -> None:
    """Nothing is said of an echo that was not measured."""
    told = await measured(tmp_path, speaker, SOFTWARE, **NOTHING, noise_dbfs=None)
    assert list(told) == ["loudspeaker", "noise", "duplex"]
    assert told["loudspeaker"].verdict is Verdict.BROKEN
    assert told["noise"].figure == "not known"
    assert len(speaker.asked) == 2, "a busy machine deserves another try"


async def test_a_loudspeaker_that_is_hardly_heard_is_a_hint(
    tmp_path: Path, speaker: Answering
) -> None:
    """It may be a headset, or not plugged in."""
    told = await measured(tmp_path, speaker, HARDWARE, return_loss_db=68.3)
    assert told["loudspeaker"].verdict is Verdict.HINT
    assert "headset" in told["loudspeaker"].advice


async def test_of_a_board_that_cancels_only_the_outcome_is_told(
    tmp_path: Path, speaker: Answering
) -> None:
    """What its canceller does is not seen from here."""
    told = await measured(tmp_path, speaker, HARDWARE, return_loss_db=48.0, erle_db=0.0)
    assert list(told) == ["loudspeaker", "noise", "duplex"]


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ({"erle_db": 12.0, "residue_db": 20.0}, Verdict.FINE),
        ({"erle_db": 11.9, "residue_db": 8.1}, Verdict.HINT),
        ({"erle_db": 0.4, "residue_db": 0.8}, Verdict.FINE),
        ({"erle_db": 20.0, "residue_db": None}, Verdict.FINE),
        ({"erle_db": None, "residue_db": None}, Verdict.HINT),
    ],
)
async def test_much_cancelled_or_little_left_is_good(
    tmp_path: Path, speaker: Answering, figures: dict[str, float | None], verdict: Verdict
) -> None:
    """The same that makes full duplex. A headset has no echo to cancel."""
    assert (await measured(tmp_path, speaker, SOFTWARE, **figures))["echo"].verdict is verdict


@pytest.mark.parametrize(
    ("setting", "card", "canceller"),
    [
        ("auto", "some card", "software"),
        ("auto", "reSpeaker XVF3800", "hardware"),
        ("off", "reSpeaker XVF3800", "none"),
        ("software", "reSpeaker XVF3800", "software"),
    ],
)
def test_who_cancels_is_decided_as_the_speaker_does(
    tmp_path: Path, setting: str, card: str, canceller: str
) -> None:
    """By the configuration, or by the board."""
    files = {"proc/asound/cards": f" 2 [Array          ]: USB-Audio - {card}\n"}
    scene = machine(tmp_path, config=f"audio: {{echo_cancellation: {setting}}}", files=files)
    assert echo_checks._canceller(scene) == canceller


async def test_without_a_speaker_the_microphone_is_opened_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound_server: SoundServer
) -> None:
    """A real sound server: a microphone with noise is heard, a silent one is dead."""
    monkeypatch.setattr(checks, "LISTEN_S", 1.0)
    with quiet_stderr():
        told = by_name(await checks.microphone(machine(tmp_path)))
    assert told["microphone"].verdict is Verdict.BROKEN
    assert told["microphone"].figure.endswith("nothing but zeros")
    noise = sound_server.start_speaking(_noise(6))
    try:
        with quiet_stderr():
            told = by_name(await checks.microphone(machine(tmp_path)))
    finally:
        noise.kill()
        noise.wait()
    assert told["microphone"].verdict is Verdict.FINE, told
    assert told["microphone"].figures["channels"][0]["floor_dbfs"] == pytest.approx(-58.3, abs=3)


def _noise(seconds: int) -> bytes:
    import numpy as np

    samples = np.random.default_rng(1).normal(0, 40, 16_000 * seconds)
    return samples.astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("outcome", "verdict", "figure"),
    [
        (Outcome(0, "some warning\n3 2\n"), Verdict.FINE, "inputs 3, outputs 2"),
        (Outcome(-1, err="python did not end within 10 s"), Verdict.BROKEN, "it hangs: python"),
        (Outcome(-6), Verdict.BROKEN, "it dies by signal 6"),
        (Outcome(1, err="Traceback\nImportError: no pyaudio"), Verdict.BROKEN, "ends with 1: Imp"),
    ],
)
def test_the_sound_system_is_tried_where_it_can_do_no_harm(
    tmp_path: Path, outcome: Outcome, verdict: Verdict, figure: str
) -> None:
    """Its death is not ours."""
    scene = machine(tmp_path, run=Commands(**{sys.executable: outcome}))
    told = only(checks.system(scene))
    assert told.verdict is verdict
    assert figure in told.figure
    assert ("sound" in scene.notes) == (verdict is Verdict.BROKEN)


def test_a_card_that_the_speaker_has_open_is_not_missed(tmp_path: Path) -> None:
    """PortAudio leaves it out of its list."""
    sees = Commands(**{sys.executable: Outcome(0, "0 0\n")})
    alone = only(checks.system(machine(tmp_path, run=sees)))
    beside = only(checks.system(machine(tmp_path, run=sees, status=STATUS, alive=True)))
    assert alone.figure == "inputs 0, outputs 0"
    assert beside.figure == "inputs 0, outputs 0, beside what the running speaker has open"
