"""Choosing a sound device by name."""

from __future__ import annotations

from typing import Literal

import pytest

from device.audio.devices import (
    RESPEAKER_NAMES,
    CardFacts,
    Device,
    Layout,
    choose,
    choose_channel,
    explain,
    input_layouts,
    name_of_card,
    output_layouts,
)
from device.board.profiles import known_name_parts
from device.errors import AudioDeviceError, DeviceTrouble
from device.ports import OpenDevice


def device(
    name: str, inputs: int = 2, outputs: int = 2, *, index: int = 0, default: bool = False
) -> Device:
    return Device(name, index, inputs, outputs, 44_100, "ALSA", default, default)


HEADPHONES = device("bcm2835 Headphones: - (hw:0,0)", 0, 8)
HAT = device("seeed2micvoicec: bcm2835-i2s-wm8960-hifi wm8960-hifi-0 (hw:1,0)", index=1)
XVF3800 = device("reSpeaker XVF3800 4-Mic Array: USB Audio (hw:2,0)", index=2)
PLUGGED = device("ReSpeaker Lite: USB Audio (plughw:3,0)", index=3)
SYSDEFAULT = device("sysdefault", 128, 128, index=4)
DEFAULT = device("default", 32, 32, index=5, default=True)


def test_a_card_s_number_is_told_by_portaudio_s_name_of_it() -> None:
    """Through ALSA's converter too; a plugin, a server and a card's own words hold none."""
    named = device(name_of_card(12, "Array (hw:3,0)", "USB Audio"))
    plugins = [SYSDEFAULT, DEFAULT, device("dmix (hw:3,0) of mine")]
    found = [one.card for one in (HEADPHONES, HAT, PLUGGED, named, *plugins)]
    assert found == [0, 1, 3, 12, None, None, None]


def test_what_is_open_is_known_by_the_device_and_its_layout() -> None:
    """A loudspeaker listens to no channel."""
    layout = Layout(16_000, 6, 4)
    assert XVF3800.opened(layout, 1) == OpenDevice(XVF3800.name, 2, 1, 6, 16_000)
    assert DEFAULT.opened(layout) == OpenDevice("default", None, None, 6, 16_000)


def test_auto_prefers_the_respeakers_in_their_order_whatever_the_system_s_default_is() -> None:
    """The XVF3800 with echo cancellation goes before a HAT, and both before `default`."""
    everything = [HEADPHONES, DEFAULT, HAT, XVF3800]
    assert choose(everything, "auto", "input").device == XVF3800
    assert choose(everything, "auto", "output").device == XVF3800
    assert choose([DEFAULT, HAT], "auto", "input").device == HAT
    assert choose([DEFAULT, PLUGGED], "auto", "input").device == PLUGGED


def test_auto_does_not_take_a_plugin_for_a_respeaker() -> None:
    """A name from asound.conf says nothing about the card behind it."""
    plugin = device("respeaker", index=9)
    assert choose([plugin, DEFAULT], "auto", "input").device == DEFAULT


def test_auto_takes_a_respeaker_that_calls_itself_otherwise() -> None:
    """Whoever knows its USB id tells; a name that says it goes first."""
    renamed = device("USB Audio Device: USB Audio (hw:4,0)", index=8)

    def facts(one: Device) -> CardFacts:
        return CardFacts(respeaker=one == renamed)

    found = choose([HEADPHONES, DEFAULT, renamed], "auto", "input", facts)
    assert (found.device, found.fallback) == (renamed, False)
    assert "USB id or codec" in found.why
    assert choose([renamed, HAT], "auto", "input", facts).device == HAT
    assert explain([DEFAULT, renamed], "auto", "auto", facts)[1].microphone


def test_auto_falls_back_to_the_default_and_then_to_the_first_usable_device() -> None:
    """A machine without a ReSpeaker has a microphone too."""
    assert choose([SYSDEFAULT, DEFAULT], "auto", "input").device == DEFAULT
    found = choose([HEADPHONES, SYSDEFAULT], "auto", "input")
    assert found.device == SYSDEFAULT
    assert "first" in found.why


SCREEN = device("vc4-hdmi-0: MAI PCM i2s-hifi-0 (hw:0,0)", 0, 2)
LINE_OUT = device("snd_rpi_hifiberry_dac: HiFiBerry DAC HiFi pcm5102a-hifi-0 (hw:2,0)", 0, 2)


def test_auto_does_not_take_a_screen_for_a_loudspeaker_where_there_is_another() -> None:
    """On a Pi 5 card 0 is HDMI, so ALSA's default is a screen that is not there."""
    found = choose([SCREEN, LINE_OUT, SYSDEFAULT, DEFAULT], "auto", "output")
    assert (found.device, found.fallback) == (LINE_OUT, True)
    assert found.why == "no ReSpeaker here; the first loudspeaker that is no screen's"
    told = explain([SCREEN, LINE_OUT, DEFAULT], "auto", "auto")
    assert [verdict.loudspeaker for verdict in told] == [False, True, False]
    assert choose([SCREEN, LINE_OUT], "auto", "output").device == LINE_OUT
    by_default = device("HDA: HDMI 0 (hw:1,3)", 0, 2, default=True)
    assert choose([HEADPHONES, by_default], "auto", "output").device == HEADPHONES


def test_a_screen_is_taken_where_it_may_be_meant() -> None:
    """It is all there is, it is asked for, a sound server decides, or card 0 has more than it."""
    pulse = device("pulse", 32, 32, index=7)
    assert choose([SCREEN, DEFAULT], "auto", "output").device == DEFAULT
    assert choose([SCREEN, LINE_OUT, DEFAULT], "hdmi", "output").device == SCREEN
    assert choose([SCREEN, LINE_OUT, pulse, DEFAULT], "auto", "output").device == DEFAULT
    pc = [device("HDA Intel: ALC (hw:0,0)"), device("HDA Intel: HDMI 0 (hw:0,3)", 0), DEFAULT]
    assert choose(pc, "auto", "output").device == DEFAULT


JACK = device("bcm2835 Headphones: - (hw:0,0)", 0, 8)
HDMI = device("vc4-hdmi-0: MAI PCM i2s-hifi-0 (hw:1,0)", 0, 2)
ANKER = device("Anker PowerConf S330: USB Audio (hw:3,0)", 1, 2)
JABRA = device("Jabra SPEAK 510 USB: USB Audio (hw:3,0)", 1, 2)
HEADSET = device("Logitech USB Headset: USB Audio (hw:2,0)", 1, 2)
DONGLE = device("USB Audio Device: - (hw:4,0)", 1, 2)
"""An adapter with two jacks; PortAudio leaves out the name that the card's begins with."""
PLAIN_MIC = device("USB PnP Sound Device: USB Audio (hw:2,0)", 1, 0)
WEBCAM = device("HD Pro Webcam C920: USB Audio (hw:2,0)", 2, 0)
USB_SPEAKER = device("UACDemoV1.0: USB Audio (hw:4,0)", 0, 2)
SECOND = device("AB13X USB Audio: USB Audio #1 (hw:4,1)", 1, 0)
CODEC = device("HDA Intel PCH: ALC269VC Analog (hw:0,0)")
OUT_ONLY = device("default", 0, 128, default=True)
"""ALSA's own default on a Raspberry Pi: its card 0 has no microphone."""
PULSE, SERVED = device("pulse", 32, 32), device("default", 32, 32, default=True)


@pytest.mark.parametrize(
    ("devices", "settings", "microphone", "loudspeaker"),
    [
        # a speakerphone, beside what the computer has of its own
        ([JACK, HDMI, ANKER, OUT_ONLY], ("auto", "auto"), ANKER, ANKER),
        ([HDMI, JABRA, OUT_ONLY], ("auto", "auto"), JABRA, JABRA),
        ([CODEC, JABRA, DEFAULT], ("auto", "auto"), JABRA, JABRA),
        ([JACK, HEADSET, OUT_ONLY], ("auto", "auto"), HEADSET, HEADSET),
        # a microphone that cannot speak: whatever loudspeaker was plugged in, else the usual one
        ([JACK, PLAIN_MIC, USB_SPEAKER, OUT_ONLY], ("auto", "auto"), PLAIN_MIC, USB_SPEAKER),
        ([JACK, PLAIN_MIC, DONGLE, OUT_ONLY], ("auto", "auto"), PLAIN_MIC, DONGLE),
        ([JACK, PLAIN_MIC, OUT_ONLY], ("auto", "auto"), PLAIN_MIC, OUT_ONLY),
        ([JACK, WEBCAM, OUT_ONLY], ("auto", "auto"), WEBCAM, OUT_ONLY),
        # a camera's microphone is seldom meant
        ([JACK, WEBCAM, ANKER, OUT_ONLY], ("auto", "auto"), ANKER, ANKER),
        # several: the first, in the kernel's order
        ([JACK, HEADSET, ANKER, OUT_ONLY], ("auto", "auto"), HEADSET, HEADSET),
        ([JACK, SECOND, OUT_ONLY], ("auto", "auto"), SECOND, OUT_ONLY),
        # a sound server knows better which card is in use
        ([JACK, ANKER, PULSE, SERVED], ("auto", "auto"), SERVED, SERVED),
        # a ReSpeaker goes before all of them
        ([JACK, ANKER, XVF3800, OUT_ONLY], ("auto", "auto"), XVF3800, XVF3800),
        # what was asked for by name: its own card speaks too
        ([JACK, WEBCAM, ANKER, OUT_ONLY], ("anker", "auto"), ANKER, ANKER),
        ([JACK, ANKER, XVF3800, OUT_ONLY], ("anker", "auto"), ANKER, ANKER),
        ([JACK, ANKER, PULSE, SERVED], ("anker", "auto"), ANKER, ANKER),
        ([JACK, WEBCAM, ANKER, OUT_ONLY], ("webcam", "auto"), WEBCAM, ANKER),
        ([PLUGGED, XVF3800, OUT_ONLY], ("lite", "auto"), PLUGGED, PLUGGED),
        ([JACK, ANKER, OUT_ONLY], ("auto", "headphones"), ANKER, JACK),
        # and where it is not here, the loudspeaker still is
        ([JACK, USB_SPEAKER, OUT_ONLY], ("anker", "auto"), None, USB_SPEAKER),
    ],
)
def test_without_a_respeaker_the_card_that_hears_speaks_too(
    devices: list[Device],
    settings: tuple[str, str],
    microphone: Device | None,
    loudspeaker: Device,
) -> None:
    """What somebody has plugged in is meant rather than what the computer has of its own."""
    verdicts = explain(devices, *settings)
    heard = [verdict.device for verdict in verdicts if verdict.microphone]
    spoken = [verdict.device for verdict in verdicts if verdict.loudspeaker]
    assert (heard, spoken) == ([microphone] if microphone else [], [loudspeaker])


def test_the_reason_tells_how_sure_it_is() -> None:
    """Several that fit are a guess, which another card that comes may change."""
    some = [JACK, HEADSET, ANKER, OUT_ONLY]
    found = choose(some, "auto", "input")
    assert (found.why, found.fallback) == ("no ReSpeaker here; the first microphone on USB", True)
    assert choose([JACK, ANKER], "auto", "input").why.endswith("the only microphone on USB")
    own = choose(some, "auto", "output", microphone="anker")
    assert (own.device, own.why) == (ANKER, "it is the microphone's own card")
    assert own.fallback
    plugged = choose([JACK, USB_SPEAKER, OUT_ONLY], "auto", "output")
    assert plugged.why == "no ReSpeaker here; the only loudspeaker on USB"
    assert choose([JACK, USB_SPEAKER, DONGLE], "auto", "output", microphone="no").why.endswith(
        "the first loudspeaker on USB"
    )
    array = choose([PLUGGED, XVF3800], "auto", "output", microphone="lite")
    assert (array.device, array.fallback) == (PLUGGED, False)


def test_what_was_plugged_in_is_known_by_how_portaudio_lists_it() -> None:
    """A plugin that is called so, and a card of the computer, are not."""
    some = [ANKER, DONGLE, SECOND, XVF3800, JACK, CODEC, HDMI, device("USB Audio: - of mine")]
    assert [one.on_usb for one in some] == [True, True, True, True, False, False, False, False]


def test_a_part_of_the_name_is_enough_and_case_does_not_count() -> None:
    """Nobody types a whole ALSA name."""
    everything = [DEFAULT, HAT, XVF3800]
    assert choose(everything, "SEEED", "input").device == HAT
    assert choose(everything, "hw:2,0", "output").device == XVF3800


def test_the_exact_name_and_then_a_card_go_before_other_names_that_contain_it() -> None:
    """`default` is not `sysdefault`, and a card is not a plugin named after it."""
    assert choose([SYSDEFAULT, DEFAULT], "default", "input").device == DEFAULT
    plugin = device("plug_seeed", index=7)
    assert choose([plugin, HAT], "seeed", "input").device == HAT


def test_a_device_without_the_direction_is_never_taken() -> None:
    """Headphones are no microphone, though the name fits."""
    with pytest.raises(AudioDeviceError, match="no input device contains 'phones'"):
        choose([HEADPHONES, HAT], "phones", "input")


def test_the_error_names_what_was_asked_for_and_what_there_is() -> None:
    """The owner can correct the YAML from the message alone."""
    with pytest.raises(AudioDeviceError) as caught:
        choose([DEFAULT, HAT], "xvf", "input")
    assert caught.value.trouble is DeviceTrouble.MISSING
    assert str(caught.value) == (f"no input device contains 'xvf'; found: 'default', '{HAT.name}'")


@pytest.mark.parametrize(("wanted", "said"), [("auto", "found: is"), ("usb", "(asked for 'usb')")])
def test_the_error_says_when_there_is_no_device_at_all(wanted: str, said: str) -> None:
    """An empty list of found devices would only confuse."""
    with pytest.raises(AudioDeviceError) as caught:
        choose([HEADPHONES], wanted, "input")
    assert said in str(caught.value)
    assert caught.value.trouble is DeviceTrouble.MISSING


def test_every_device_is_explained() -> None:
    """`parley devices` says of each what it would be and why, or why not."""
    verdicts = explain([HEADPHONES, HAT, DEFAULT], "auto", "headphones")
    headphones, hat, default = verdicts
    assert (headphones.microphone, headphones.loudspeaker) == (False, True)
    assert headphones.why == "no input; loudspeaker: its name contains 'headphones'"
    assert (hat.microphone, hat.loudspeaker) == (True, False)
    assert "a ReSpeaker by its name ('seeed2mic')" in hat.why
    assert f"not the loudspeaker: '{HEADPHONES.name}' goes first" in hat.why
    assert (default.microphone, default.loudspeaker) == (False, False)


def test_a_name_that_fits_nothing_is_explained_too() -> None:
    """The list still comes, though opening would fail."""
    (verdict,) = explain([HAT], "usb", "auto")
    assert not verdict.microphone
    assert "its name does not contain what was asked for" in verdict.why


@pytest.mark.parametrize(
    ("setting", "board", "channels", "taken"),
    [
        ("auto", None, 2, 0),
        ("auto", 1, 2, 1),
        ("auto", 5, 1, 0),
        (3, 0, 6, 3),
        (0, 1, 2, 0),
    ],
)
def test_the_channel_is_the_setting_or_the_board_s_or_the_first(
    setting: int | Literal["auto"], board: int | None, channels: int, taken: int
) -> None:
    """A board's best channel is only good where the firmware has it."""
    assert choose_channel(setting, board, channels) == taken


def test_a_channel_that_is_not_there_is_refused() -> None:
    """Listening to another one than asked for would be worse."""
    with pytest.raises(AudioDeviceError, match="no channel 2: the device has 2") as caught:
        choose_channel(2, None, 2)
    assert caught.value.trouble is DeviceTrouble.REFUSED


def test_a_microphone_is_asked_for_16_khz_and_all_its_channels_first() -> None:
    """Untouched samples where the card can; its own rate and 32 bit where it cannot."""
    array = Device("seeed-4mic-voicecard: - (hw:1,0)", 0, 4, 0, 48_000, "ALSA")
    layouts = input_layouts(array, 1)
    assert layouts[:4] == [
        Layout(16_000, 4, 4),
        Layout(16_000, 4, 2),
        Layout(48_000, 4, 4),
        Layout(48_000, 4, 2),
    ]
    assert {layout.channels for layout in layouts} == {4}


@pytest.mark.parametrize(
    ("rates_hz", "first_hz"),
    [((48_000,), 48_000), ((48_000, 16_000), 48_000), ((16_000, 48_000), 16_000), ((), 16_000)],
)
def test_a_card_is_asked_first_for_a_rate_that_it_is_known_to_take(
    rates_hz: tuple[int, ...], first_hz: int
) -> None:
    """The others remain: a fact that is wrong must not make it deaf."""
    kit = Device("seeed-8mic-voicecard: - (hw:1,0)", 0, 8, 8, 44_100, "ALSA")
    layouts = input_layouts(kit, 0, rates_hz)
    assert layouts[0] == Layout(first_hz, 8, 4)
    assert {16_000, 44_100, 48_000} <= {layout.rate_hz for layout in layouts}


def test_a_mono_microphone_is_opened_as_mono() -> None:
    """Nothing to pick."""
    mono = Device("USB PnP: USB Audio (hw:1,0)", 0, 1, 0, 44_100, "ALSA")
    assert input_layouts(mono, 0)[0] == Layout(16_000, 1, 4)


def test_a_server_is_asked_for_as_many_channels_as_any_array_has() -> None:
    """It claims 32, and mixes what there is down to what it is asked for."""
    assert input_layouts(DEFAULT, 0)[0] == Layout(16_000, 8, 2)
    assert input_layouts(DEFAULT, 9)[0] == Layout(16_000, 10, 2)
    assert Layout(16_000, 5, 2) in input_layouts(DEFAULT, 4)
    assert Layout(16_000, 1, 2) in input_layouts(DEFAULT, 0)


@pytest.mark.parametrize(
    ("rate_hz", "name", "first", "second"),
    [
        (44_100, "default", Layout(48_000, 1, 2), Layout(48_000, 2, 2)),
        (16_000, "Array: USB Audio (hw:1,0)", Layout(16_000, 1, 2), Layout(16_000, 8, 2)),
        (24_000, "odd (hw:1,0)", Layout(24_000, 1, 2), Layout(24_000, 8, 2)),
    ],
)
def test_a_loudspeaker_is_asked_for_its_own_rate_and_for_mono_first(
    rate_hz: int, name: str, first: Layout, second: Layout
) -> None:
    """44.1 kHz is only what PortAudio says of every flexible device; 48 kHz is what they run at."""
    layouts = output_layouts(Device(name, 0, 0, 8, rate_hz, "ALSA"))
    assert layouts[:2] == [first, second]


def test_a_card_that_sounds_only_when_all_channels_are_filled_gets_them_all() -> None:
    """A few of eight give silence on the AC108 kits; a server, or a smaller card, is as ever."""
    kit = Device("seeed-8mic-voicecard: - (hw:1,0)", 0, 8, 8, 44_100, "ALSA")
    assert output_layouts(kit, 8)[0] == Layout(48_000, 8, 2)
    assert output_layouts(HAT, 8)[0] == Layout(48_000, 1, 2)
    assert output_layouts(DEFAULT, 8)[0] == Layout(48_000, 1, 2)
    assert output_layouts(HAT, 0)[0] == Layout(48_000, 1, 2)


def test_the_names_are_those_of_the_boards() -> None:
    """The rooms do not know each other, so the list is written down twice."""
    order = [part for part in known_name_parts() if part in RESPEAKER_NAMES]
    assert order == list(RESPEAKER_NAMES)
    for part in known_name_parts():
        assert any(name in part for name in RESPEAKER_NAMES)


def test_a_layout_reads_well_in_a_message() -> None:
    """It stands in the message when a device refuses it."""
    assert str(Layout(16_000, 2, 4)) == "16000 hz, 2 channels, 32 bit"
