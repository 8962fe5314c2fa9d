"""What ``amixer contents`` prints is read, and what an owner writes is made of it."""

from __future__ import annotations

import pytest

from device.board.elements import Element, elements_in, find, nearest

CONTENTS = """\
numid=9,iface=CARD,name='Headphone Jack'
  ; type=BOOLEAN,access=r-------,values=1
  : values=on
numid=1,iface=MIXER,name='PCM Playback Volume'
  ; type=INTEGER,access=rw---R--,values=2,min=0,max=127,step=0
  : values=80,81
  | dBscale-min=-63.50dB,step=0.50dB,mute=0
numid=2,iface=MIXER,name='PCM Playback Volume',index=1
  ; type=INTEGER,access=rw---R--,values=1,min=0,max=60,step=1
  : values=60
  | dBminmax-min=-60.00dB,max=0.00dB
numid=3,iface=MIXER,name='Capture Switch'
  ; type=BOOLEAN,access=rw------,values=2
  : values=on,off
numid=4,iface=MIXER,name='Capture Volume'
  ; type=INTEGER,access=rw---R--,values=2,min=-5,max=63,step=0
  : values=-5,-5
  | dBrange-
    rangemin=0,,rangemax=1
numid=5,iface=MIXER,name='ALC Function'
  ; type=ENUMERATED,access=rw------,values=1,items=3
  ; Item #0 'Off'
  ; Item #1 'Right'
  ; Item #2 'Left'
  : values=2
numid=6,iface=MIXER,name='Peak Meter'
  ; type=INTEGER,access=r-------,values=1,min=0,max=3,step=0
  : values=1
numid=7,iface=MIXER,name='Odd'
  ; type=ENUMERATED,access=rw------,values=1,items=1
  ; Item #0 'Only'
  : values=7
numid=8,iface=MIXER,name='IEC958 Playback Default'
  ; type=IEC958,access=rw------,values=1
  : values=[AES0=0x00 AES1=0x00 AES2=0x00 AES3=0x00]
numid=10,iface=MIXER,name='Line'
  ; type=INTEGER,access=rw------,values=1,min=4,max=4,step=0
  : values=4
  | dBminmaxmute-min=-1.00dB,max=-1.00dB
numid=11,iface=MIXER,name='Broken'
  ; nothing of the kind
"""


@pytest.fixture(scope="module")
def elements() -> tuple[Element, ...]:
    return elements_in(CONTENTS)


def named(elements: tuple[Element, ...], control: str, setting: str = "") -> Element:
    found = find(elements, control, setting)
    assert found is not None
    return found


def test_what_is_printed_is_read(elements: tuple[Element, ...]) -> None:
    """Elements of the mixer only; of each what it is, and what it takes."""
    assert [one.number for one in elements] == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    pcm, second, switch, capture, choice, meter, odd, _, line = elements
    assert (pcm.name, pcm.index, pcm.values, pcm.highest) == (
        "PCM Playback Volume",
        0,
        ("80", "81"),
        127,
    )
    assert pcm.scale == (-63.5, 0.5)
    assert (str(second), second.scale) == ("PCM Playback Volume,1", (-60.0, 1.0))
    assert (switch.kind, switch.shown, capture.shown) == ("BOOLEAN", "on,off", "-5")
    assert (capture.at_zero, switch.at_zero, capture.scale) == (True, False, None)
    assert (choice.values, choice.items) == (("Left",), ("Off", "Right", "Left"))
    assert (meter.writable, choice.writable) == (False, True)
    assert (odd.values, line.scale) == (("7",), None)


@pytest.mark.parametrize("text", ["", "amixer: Invalid card\n", "numid=1\n", "\n\n"])
def test_what_is_no_list_of_elements_is_an_empty_one(text: str) -> None:
    """Nothing is raised for what a program may print."""
    assert elements_in(text) == ()


@pytest.mark.parametrize(
    ("control", "setting", "number"),
    [
        ("PCM Playback Volume", "", 1),
        ("pcm playback volume", "", 1),
        ("PCM Playback Volume,1", "", 2),
        ("PCM", "80%", 1),
        ("PCM,1", "80%", 2),
        ("PCM,0", "80%", 1),
        ("Capture", "off", 3),
        ("Capture", "on,off", 3),
        ("Capture", "20", 4),
        ("ALC Function", "Left", 5),
        ("Line", "4", 10),
        ("numid=5", "", 5),
    ],
)
def test_both_names_are_known(
    elements: tuple[Element, ...], control: str, setting: str, number: int
) -> None:
    """An element's, and that of a control of alsamixer's, whose parts the setting tells apart."""
    assert named(elements, control, setting).number == number


@pytest.mark.parametrize("control", ["PCM,7", "Bass", "numid=99", "", "'", ",1"])
def test_what_there_is_not_is_not_found(elements: tuple[Element, ...], control: str) -> None:
    """Nothing else is taken for it."""
    assert find(elements, control, "on") is None


def test_what_was_perhaps_meant(elements: tuple[Element, ...]) -> None:
    """Or nothing."""
    assert nearest(elements, "pcm playback volum") == "PCM Playback Volume"
    assert nearest(elements, "xyzzy") == ""


@pytest.mark.parametrize(
    ("control", "setting", "values", "written"),
    [
        ("PCM Playback Volume", "127", ("127", "127"), "127,127"),
        ("PCM Playback Volume", "1,2", ("1", "2"), "1,2"),
        ("PCM Playback Volume", "100%", ("127", "127"), "127,127"),
        ("PCM Playback Volume", "0%", ("0", "0"), "0,0"),
        ("PCM Playback Volume,1", "1%", ("1",), "1"),
        ("PCM Playback Volume", "-10dB", ("107", "107"), "107,107"),
        ("PCM Playback Volume,1", "-30.4DB", ("30",), "30"),
        ("Capture Volume", "-5", ("-5", "-5"), "-5,-5"),
        ("Capture Volume", "50%", ("29", "29"), "29,29"),
        ("Capture Switch", "ON, off", ("on", "off"), "on,off"),
        ("ALC Function", "right", ("Right",), "1"),
    ],
)
def test_a_setting_becomes_values(
    elements: tuple[Element, ...], control: str, setting: str, values: tuple[str, ...], written: str
) -> None:
    """For all channels, or one after the other."""
    one = named(elements, control)
    assert one.wanted(setting) == values
    assert one.written(values) == written


@pytest.mark.parametrize(
    ("control", "setting", "told"),
    [
        ("PCM Playback Volume", "128", "takes 0..127 or 0%..100%, not '128'"),
        ("PCM Playback Volume", "20dB", "takes 0..127 or 0%..100%, not '20dB'"),
        ("PCM Playback Volume", "on", "takes 0..127 or 0%..100%, not 'on'"),
        ("PCM Playback Volume", "1,2,3", "has 2 channels, and 3 values are given: write one"),
        ("Capture Volume", "3dB", "has no even scale in dB: write -5..63 or 0%..100%"),
        ("Capture Switch", "80%", "takes on or off, not '80%'"),
        ("ALC Function", "Middle", "takes Off or Right or Left, not 'Middle'"),
    ],
)
def test_what_it_cannot_be_is_told(
    elements: tuple[Element, ...], control: str, setting: str, told: str
) -> None:
    """With what it takes."""
    with pytest.raises(ValueError, match=r"takes|has") as caught:
        named(elements, control).wanted(setting)
    assert str(caught.value).startswith(told)
