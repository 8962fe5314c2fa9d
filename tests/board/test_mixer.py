"""The levels of the cards' own mixers, set by an ``amixer`` that keeps them as the kernel does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from device.board import mixer
from device.board.levels import AIC3104_LEVELS, WM8960_LEVELS, MixerLevel
from device.board.mixer import cards_of, set_levels
from device.board.profiles import NONE, PROFILES, Profile, profile_named
from device.ports import OpenDevice
from tests.rig.amixer import AIC3104, WM8960, XVF3800, XVF3800_6_CHANNELS, FakeAmixer, Made, volume

HAT = "seeed2micvoicec: 1f000a4000.i2s-tlv320aic3x-hifi tlv320aic3x-hifi-0 (hw:1,0)"
V1, V2 = profile_named("2mic-hat-v1"), profile_named("2mic-hat-v2")
ARRAY = profile_named("xvf3800")


def opened(card: int | None, channels: int = 2, name: str = HAT) -> OpenDevice:
    return OpenDevice(name, card, 0, channels, 48_000)


def start(board: Profile, channels: int = 2, owners: dict[str, str] | None = None) -> list[str]:
    """What the speaker does when it has opened both devices, which are of card 1."""
    return set_levels(board, opened(1, channels), opened(1), owners or {})


@pytest.fixture
def v2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeAmixer:
    return FakeAmixer(tmp_path, card1=AIC3104).install(monkeypatch)


@pytest.fixture
def v1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeAmixer:
    return FakeAmixer(tmp_path, card1=WM8960).install(monkeypatch)


def shown(amixer: FakeAmixer, levels: tuple[MixerLevel, ...]) -> dict[str, str]:
    """Each level's first channel."""
    return {one.control: amixer.value(1, one.control).split(",")[0] for one in levels}


def test_the_hat_v1_is_mute_and_deaf_until_the_speaker_starts(v1: FakeAmixer) -> None:
    """Both ways are switched through, and amplified as Seeed does it."""
    assert v1.value(1, "Headphone Playback Volume") == "0,0"
    assert v1.value(1, "Capture Switch") == "off,off"
    assert start(V1) == []
    assert shown(v1, WM8960_LEVELS) == {one.control: one.value for one in WM8960_LEVELS}
    assert v1.value(1, "Capture Switch") == "on,on"
    assert v1.value(1, "Headphone Playback Volume") == "121,121"
    # What the board does not need stays.
    assert v1.value(1, "Left Boost Mixer LINPUT2 Switch") == "off"
    assert v1.value(1, "ALC Function") == "0"


def test_the_hat_v2_is_as_loud_as_it_should_be(v2: FakeAmixer) -> None:
    """Neither of the two stages takes 23.5 dB away, and the microphones are heard."""
    assert start(V2) == []
    assert shown(v2, AIC3104_LEVELS) == {one.control: one.value for one in AIC3104_LEVELS}
    assert v2.value(1, "PGA Capture Volume") == "71,71"


def test_levels_are_kept_over_a_restart_and_set_again_after_a_reboot(v2: FakeAmixer) -> None:
    """What somebody has set stays as long as the mixer keeps it, and in the YAML for good."""
    assert start(V2) == []
    v2.turn(1, "PGA Capture Volume", "50")
    assert v2.calls
    # A restart of the service, of the microphone, of the loudspeaker.
    for _ in range(3):
        assert start(V2) == []
    assert v2.calls == ["-c 1 contents"] * 3
    assert v2.value(1, "PGA Capture Volume") == "50,50"
    assert v2.value(1, "PCM Playback Volume") == "127,127"
    v2.reboot()
    assert v2.value(1, "PCM Playback Volume") == "80,80"
    assert start(V2) == []
    assert v2.value(1, "PCM Playback Volume") == "127,127"
    assert v2.value(1, "PGA Capture Volume") == "71,71"
    v2.reboot()
    assert start(V2, owners={"PGA": "42%"}) == []
    assert v2.value(1, "PGA Capture Volume") == "50,50"
    assert v2.value(1, "PCM Playback Volume") == "127,127"


def test_what_a_saved_state_has_brought_back_is_left_alone(v2: FakeAmixer) -> None:
    """Alsactl restores at the system's start what its owner had; the rest is set."""
    v2.turn(1, "HP DAC Playback Volume", "100")
    v2.turn(1, "Line Playback Volume", "9")
    assert start(V2) == []
    assert v2.value(1, "HP DAC Playback Volume") == "100,100"
    assert v2.value(1, "Line Playback Volume") == "9,9"
    assert v2.value(1, "Line DAC Playback Volume") == "118,118"


@pytest.mark.parametrize(
    ("board", "elements", "name", "value"),
    [
        (V2, AIC3104, "PCM Playback Volume", "87"),
        (V1, WM8960, "Headphone Playback Volume", "101"),
        (V1, WM8960, "Speaker Playback Volume", "101"),
        (V1, WM8960, "Playback Volume", "215"),
    ],
)
def test_what_alsactl_sets_of_a_new_card_is_nobody_s_wish(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    board: Profile,
    elements: list[Made],
    name: str,
    value: str,
) -> None:
    """-20 dB, at the first start of a system with this card in it."""
    amixer = FakeAmixer(tmp_path, card1=elements).install(monkeypatch)
    amixer.turn(1, name, value)
    assert start(board) == []
    level = next(one for one in board.mixer if one.control == name)
    assert amixer.value(1, name).split(",")[0] == level.value


def test_what_somebody_has_silenced_stays_so_and_is_told(v2: FakeAmixer) -> None:
    """Only the jack may be wanted; who did not want it hears of it, once for both channels."""
    v2.turn(1, "Line Playback Switch", "off")
    v2.turn(1, "PGA Capture Switch", "off")
    (problem,) = start(V2)
    assert problem == (
        "card 1: the loudspeaker's connector is mute: Line Playback Switch is off and should be on;"
        " the microphones are deaf: PGA Capture Switch is off and should be on; somebody has set it"
        " so, and it stays: 'sudo parley doctor --fix' sets it, and mixer: in the configuration"
        " says it for good"
    )
    assert v2.value(1, "Line Playback Switch") == "off,off"
    assert start(V2, owners={"Line": "off", "PGA": "off"}) == []


@pytest.mark.parametrize(("elements", "board"), [(WM8960, V1), (AIC3104, V2)])
def test_of_a_hat_that_is_v1_or_v2_the_elements_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elements: list[Made], board: Profile
) -> None:
    """Nothing else may tell them apart."""
    amixer = FakeAmixer(tmp_path, card1=elements).install(monkeypatch)
    assert start(profile_named("2mic-hat")) == []
    assert shown(amixer, board.mixer) == {one.control: one.value for one in board.mixer}


def test_what_the_array_needs_is_set_whatever_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both levels of the loudspeaker: the second is low on some hosts, and silence."""
    amixer = FakeAmixer(tmp_path, card1=XVF3800).install(monkeypatch)
    assert start(ARRAY) == []
    assert amixer.calls == ["-c 1 contents", "-q -c 1 cset numid=4 60,60"]
    amixer.turn(1, "PCM Playback Volume", "7", index=1)
    assert start(ARRAY) == []
    assert amixer.value(1, "PCM Playback Volume", index=1) == "60,60"
    assert start(ARRAY, owners={"PCM,1": "50%"}) == []
    assert amixer.value(1, "PCM Playback Volume", index=1) == "30,30"


def test_the_firmware_with_six_channels_needs_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it records is switched on."""
    amixer = FakeAmixer(tmp_path, card1=XVF3800_6_CHANNELS).install(monkeypatch)
    assert start(ARRAY, channels=2) == []
    assert amixer.value(1, "Headset Capture Switch") == ",".join(["off"] * 6)
    assert start(ARRAY, channels=6) == []
    assert amixer.value(1, "Headset Capture Switch") == ",".join(["on"] * 6)
    assert amixer.value(1, "Headset Capture Volume") == ",".join(["60"] * 6)
    assert amixer.value(1, "Headset Capture Volume", index=1) == "20,20"


def test_other_boards_are_left_alone(v2: FakeAmixer) -> None:
    """They are as loud as their makers wanted them: amixer is not even asked."""
    for profile in PROFILES:
        if not (profile.mixer or profile.one_of):
            assert start(profile) == []
    assert v2.calls == []


def test_the_loudspeaker_s_card_is_set_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the microphone is an array and the HAT is what sounds."""
    amixer = FakeAmixer(tmp_path, card1=AIC3104, card2=XVF3800).install(monkeypatch)
    array = opened(2, name="reSpeaker XVF3800 4-Mic Array: USB Audio (hw:2,0)")
    assert set_levels(ARRAY, array, opened(1), {"Line": "9", "PCM,1": "50%"}) == []
    assert amixer.value(1, "PCM Playback Volume") == "127,127"
    assert amixer.value(1, "Line Playback Volume") == "9,9"
    assert amixer.value(2, "PCM Playback Volume", index=1) == "30,30"
    assert set_levels(NONE, None, opened(1), {}) == []


def test_which_cards_matter() -> None:
    """Those of the open devices; a sound server's is none."""
    assert cards_of(V2, opened(None), opened(None)) == []
    assert cards_of(V2, opened(1), opened(1)) == [(1, V2, 2)]
    assert cards_of(NONE, opened(3, name="webcam"), opened(1)) == [(1, V2, 0), (3, NONE, 2)]
    assert cards_of(V2, opened(1), opened(None)) == [(1, V2, 2)]
    # The Pi's own, beside a board.
    assert cards_of(V2, opened(1), opened(0, name="bcm2835 Headphones")) == [
        (0, NONE, 0),
        (1, V2, 2),
    ]
    # One whose name says nothing, but which its owner has named.
    assert cards_of(V2, opened(4, name="codec"), opened(4, name="codec")) == [(4, V2, 2)]


def test_a_card_that_is_no_board_gets_what_its_owner_wants(v2: FakeAmixer) -> None:
    """By alsamixer's names, or amixer's; as numbers, shares, decibels or words."""
    wanted = {
        "PCM": "-10dB",
        "HP Playback Volume": "3",
        "Line": "off",
        "PGA Capture Volume": "100%,50%",
        "Left DAC Mux": "dac_l2",
    }
    assert start(NONE, owners=wanted) == []
    assert v2.value(1, "PCM Playback Volume") == "107,107"
    assert v2.value(1, "HP Playback Volume") == "3,3"
    assert v2.value(1, "Line Playback Switch") == "off,off"
    assert v2.value(1, "Line Playback Volume") == "0,0"
    assert v2.value(1, "PGA Capture Volume") == "119,60"
    assert v2.value(1, "Left DAC Mux") == "2"


def test_what_no_card_has_or_takes_is_told_and_the_rest_is_set(v2: FakeAmixer) -> None:
    """With what was perhaps meant."""
    problems = start(V2, owners={"PCM Playback Volum": "3", "Bass": "3", "HP": "300", "Line": "2"})
    meant = "PCM Playback Volume"
    shown_by = "'amixer -c 1 contents' shows what there is"
    assert problems == [
        "card 1: mixer: HP Playback Volume takes 0..9 or 0%..100%, not '300'",
        f"mixer: no card in use has 'PCM Playback Volum', did you mean {meant!r}?; {shown_by}",
        f"mixer: no card in use has 'Bass'; {shown_by}",
    ]
    assert v2.value(1, "Line Playback Volume") == "2,2"


def test_a_name_is_not_missed_before_both_devices_are_open(v2: FakeAmixer) -> None:
    """The loudspeaker's card may have it."""
    assert set_levels(NONE, opened(1), None, {"Bass": "3"}) == []
    (problem,) = set_levels(NONE, opened(1), opened(None), {"Bass": "3"})
    assert "no card in use has 'Bass'" in problem


def test_a_sound_server_s_levels_are_not_ours(v2: FakeAmixer) -> None:
    """Who has written some must know."""
    assert set_levels(ARRAY, opened(None), opened(None), {}) == []
    (problem,) = set_levels(ARRAY, opened(None), opened(None), {"PCM": "3"})
    assert problem.startswith(
        "mixer: is not applied: microphone and loudspeaker are a sound server"
    )
    assert v2.calls == []


def test_a_level_that_is_not_there_is_told_and_the_others_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless some drivers lack it; and a card with none of them is another board's."""
    lacking = [one for one in AIC3104 if one["name"] != "PCM Playback Volume"]
    lacking = [one for one in lacking if one["name"] != "AGC Switch"]
    amixer = FakeAmixer(tmp_path, card1=lacking, card3=WM8960).install(monkeypatch)
    (problem,) = start(V2)
    assert problem == (
        "card 1 has no PCM Playback Volume, which the ReSpeaker 2-Mics Pi HAT v2.0 needs set: is"
        " its driver or firmware another? see 'amixer -c 1 contents'"
    )
    assert amixer.value(1, "HP DAC Playback Volume") == "118,118"
    assert set_levels(V2, opened(3), None, {}) == []


def test_a_card_with_a_name_or_two_of_a_board_s_is_not_the_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A headset as microphone, where the owner has named the HAT for its lights."""
    headset = [
        volume("Speaker Playback Volume", 10, 37),
        volume("PCM Playback Volume", -2000, 400, lowest=-10239),
    ]
    amixer = FakeAmixer(tmp_path, card1=headset).install(monkeypatch)
    assert start(V1) == []
    assert start(V2) == []
    assert [call for call in amixer.calls if "cset" in call] == []
    assert start(V2, owners={"Speaker": "37"}) == []
    assert amixer.value(1, "Speaker Playback Volume") == "37,37"


def test_a_level_that_cannot_be_set_is_told_in_amixer_s_words(v2: FakeAmixer) -> None:
    """The last of them; the others are set."""
    v2.refuse("PCM Playback Volume")
    (problem,) = start(V2)
    assert problem == (
        "amixer cannot set PCM Playback Volume of card 1: amixer: Control hw:1 element write error:"
        " Operation not permitted"
    )
    assert v2.value(1, "HP DAC Playback Volume") == "118,118"


def test_a_card_that_is_gone_is_told(v2: FakeAmixer) -> None:
    """By amixer."""
    (problem,) = set_levels(V2, opened(7), None, {})
    assert problem.startswith("amixer cannot read card 7: ")
    assert problem.endswith("No such file or directory")
    assert v2.calls == ["-c 7 contents"]


def test_a_range_that_is_another_driver_s_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is set that was meant for other numbers."""
    small = [replace_max(one, 31) if one["name"] == "HP DAC Playback Volume" else one
             for one in AIC3104]  # fmt: skip
    amixer = FakeAmixer(tmp_path, card1=small).install(monkeypatch)
    (problem,) = start(V2)
    assert problem == "card 1: HP DAC Playback Volume takes 0..31 or 0%..100%, not '118'"
    assert amixer.value(1, "HP DAC Playback Volume") == "20,20"


def replace_max(element: Made, highest: int) -> Made:
    return {**element, "max": highest, "values": ["20", "20"]}


def test_an_amixer_that_hangs_holds_nobody_up(
    v2: FakeAmixer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that does not answer is told as such."""
    monkeypatch.setattr(mixer, "TIMEOUT_S", 0.3)
    v2.hang()
    (problem,) = start(V2)
    assert problem.startswith("amixer cannot read card 1: ")
    assert "timed out" in problem


def test_without_amixer_the_cure_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raspberry Pi OS Lite comes without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = start(V2, owners={"PCM": "3"})
    assert problem == (
        "the levels of card 1 cannot be set without amixer: sudo apt install alsa-utils"
    )


def test_every_level_of_every_board_is_one_of_its_card() -> None:
    """No name is misspelt: the cards' elements were written down apart from the tables."""
    for board, elements in ((V1, WM8960), (V2, AIC3104)):
        names = {one["name"] for one in elements}
        assert {level.control for level in board.mixer} <= names
        for level in board.mixer:
            assert level.unset
            assert replace(level, unset=()).is_for(2)
