"""The doctor names each level that is not as it should be, what suffers, and mends it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from device.board.levels import AIC3104_LEVELS
from device.doctor import mixer
from device.doctor.result import Verdict
from device.doctor.scene import Outcome, Scene, run_command
from device.errors import ParleyError
from device.ports import OpenDevice
from tests.rig.amixer import AIC3104, WM8960, XVF3800, XVF3800_6_CHANNELS, FakeAmixer
from tests.rig.machine import machine as recorded
from tests.rig.scene import Commands, machine, only

ARRAY = OpenDevice("reSpeaker XVF3800 4-Mic Array: USB Audio (hw:2,0)", 2, 1, 6, 16_000)
HAT = OpenDevice("seeed2micvoicec: tlv320aic3x-hifi-0 (hw:1,0)", 1, None, 2, 48_000)


@pytest.fixture
def v2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeAmixer:
    return FakeAmixer(tmp_path, card2=AIC3104).install(monkeypatch)


def hat(tmp_path: Path, *, state: str = "2mic-hat-v2", config: str = "") -> Scene:
    """A recorded machine, with an amixer that runs."""
    root = recorded(state, tmp_path / "root")
    return machine(root, config=config, run=run_command)


def array(tmp_path: Path, config: str = "", speaker: OpenDevice = ARRAY) -> Scene:
    root = recorded("xvf3800-6-channels", tmp_path / "root")
    status = {"microphone_device": asdict(ARRAY), "speaker_device": asdict(speaker)}
    return machine(root, config=config, run=run_command, status=status, alive=True)


def test_a_hat_at_power_on_is_told_in_words_and_mended(tmp_path: Path, v2: FakeAmixer) -> None:
    """Each level, what suffers from it, and how it is and should be."""
    told = only(mixer.mixer(hat(tmp_path)))
    assert told.verdict is Verdict.HINT
    assert told.figure == (
        "both outputs are quiet: PCM Playback Volume is 80 and should be 127;"
        " the loudspeaker's connector is quiet: Line DAC Playback Volume is 71 and should be 118,"
        " Line Playback Volume is 0 and should be 4; the headphone jack is quiet: HP DAC Playback"
        " Volume is 71 and should be 118; the microphones hear little: PGA Capture Volume is 32"
        " and should be 71"
    )
    assert told.advice.startswith("the speaker sets it when it opens its devices, as 'sudo")
    assert told.cure is not None
    assert told.cure.what.startswith("set on card 2: both outputs are quiet: PCM")
    told.cure.do()
    assert v2.value(2, "PGA Capture Volume") == "71,71"
    told = only(mixer.mixer(hat(tmp_path)))
    assert (told.verdict, told.advice) == (Verdict.FINE, "")
    assert told.figure == f"{len(AIC3104_LEVELS)} levels of card 2 looked at, and all is well"


def test_a_hat_v1_is_mute_and_deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its drivers leave it so."""
    FakeAmixer(tmp_path, card2=WM8960).install(monkeypatch)
    told = only(mixer.mixer(hat(tmp_path, state="2mic-hat-v1")))
    assert told.verdict is Verdict.HINT
    assert "both outputs are mute: Left Output Mixer PCM Playback Switch is off and" in told.figure
    assert "the headphone jack is mute: Headphone Playback Volume is 0 and should be" in told.figure
    assert "the microphones are deaf: Capture Switch is off and should be on" in told.figure


def test_what_somebody_has_silenced_is_broken_and_mended(tmp_path: Path, v2: FakeAmixer) -> None:
    """The speaker leaves it alone; --fix is somebody's wish."""
    only(mixer.mixer(hat(tmp_path))).cure.do()  # type: ignore[union-attr]
    v2.turn(2, "PGA Capture Switch", "off")
    v2.turn(2, "Line Playback Volume", "9")
    told = only(mixer.mixer(hat(tmp_path)))
    assert told.verdict is Verdict.BROKEN
    assert told.figure == (
        "the microphones are deaf: PGA Capture Switch is off and should be on; as somebody has set"
        " it: Line Playback Volume is 9 and should be 4"
    )
    assert told.advice == "somebody has set it so: 'sudo parley doctor --fix' sets it"
    assert dict(told.figures) == {"levels": 16, "wrong": 1, "somebodys": 2}
    assert told.cure is not None
    told.cure.do()
    assert v2.value(2, "PGA Capture Switch") == "on,on"
    told = only(mixer.mixer(hat(tmp_path)))
    assert told.verdict is Verdict.FINE
    assert told.figure.endswith("as somebody has set it: Line Playback Volume is 9 and should be 4")
    assert v2.value(2, "Line Playback Volume") == "9,9"


def test_the_owner_s_levels_are_looked_at_too(tmp_path: Path, v2: FakeAmixer) -> None:
    """They outrank the board's; a cure that does not work says why."""
    config = "mixer: {PGA: 50%, HP: off}"
    only(mixer.mixer(hat(tmp_path))).cure.do()  # type: ignore[union-attr]
    told = only(mixer.mixer(hat(tmp_path, config=config)))
    assert told.figure == (
        "it is not as mixer: says: PGA Capture Volume is 71 and should be 60, HP Playback Switch is"
        " on and should be off"
    )
    assert told.cure is not None
    v2.refuse("HP Playback Switch")
    with pytest.raises(ParleyError, match="amixer cannot set HP Playback Switch of card 2"):
        told.cure.do()
    assert v2.value(2, "PGA Capture Volume") == "60,60"


def test_the_cards_of_a_running_speaker_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both, with as many channels as it has opened; what none of them has is told."""
    FakeAmixer(tmp_path, card1=AIC3104, card2=XVF3800_6_CHANNELS).install(monkeypatch)
    told = only(mixer.mixer(array(tmp_path, speaker=HAT)))
    assert "PCM Playback Volume,1 is 24 and should be 60" in told.figure
    assert "the microphones are deaf: Headset Capture Switch is off and should be on" in told.figure
    assert "the headphone jack is quiet: HP DAC Playback Volume is 71" in told.figure
    told = only(mixer.mixer(array(tmp_path, "mixer: {Lime: 3, Bass: 9}", speaker=HAT)))
    assert "no card in use has 'Lime', did you mean" not in told.advice
    assert "mixer: no card in use has 'Lime'; 'amixer -c 1 contents' or" in told.advice
    assert "'Bass'" in told.advice
    told = only(mixer.mixer(array(tmp_path, "mixer: {HP: 300}", speaker=HAT)))
    assert "card 1: mixer: HP Playback Volume takes 0..9 or 0%..100%, not '300'" in told.advice


def test_a_level_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be mended about it."""
    lacking = [{**one, "values": ["60", "60"]} for one in XVF3800[1:2]]
    FakeAmixer(tmp_path, card2=lacking).install(monkeypatch)
    root = recorded("xvf3800", tmp_path / "root")
    cards = (root / "proc/asound/cards").read_text()
    number = int(cards[: cards.index(" [Array")].rsplit(maxsplit=1)[-1])
    FakeAmixer(tmp_path, **{f"card{number}": lacking})
    told = only(mixer.mixer(machine(root, run=run_command)))
    assert (told.verdict, told.cure) == (Verdict.HINT, None)
    assert told.figure == f"1 levels of card {number}"
    assert told.advice.startswith(f"card {number} has no PCM,1, which the reSpeaker XVF3800 USB")


@pytest.mark.parametrize(
    ("answer", "advice"),
    [(None, "sudo apt install alsa-utils"), (Outcome(1, err="Invalid card\n"), "Invalid card")],
)
def test_levels_that_cannot_be_read_are_a_hint(
    tmp_path: Path, answer: Outcome | None, advice: str
) -> None:
    """With what is missing."""
    commands = Commands(**({} if answer is None else {"amixer": answer}))
    root = recorded("xvf3800", tmp_path / "root")
    told = only(mixer.mixer(machine(root, run=commands)))
    assert (told.verdict, told.advice) == (Verdict.HINT, advice)


def test_a_board_without_levels_needs_none(tmp_path: Path) -> None:
    """And one that nobody knows is told elsewhere."""
    told = only(mixer.mixer(machine(tmp_path)))
    assert (told.verdict, told.figure) == (
        Verdict.SKIPPED,
        "the sound card needs no levels of its own",
    )
    told = only(mixer.mixer(machine(recorded("lite", tmp_path / "lite"))))
    assert told.figure == "the ReSpeaker Lite needs no levels of its own"
    assert list(mixer.mixer(machine(tmp_path, config="board: teapot"))) == []
