"""Levels hold what the mixer of each board's card must be set to, or it is silent or deaf. Pure.

Names are those of the kernel's drivers (``amixer contents``); numbers differ between kernels and
drivers, names do not. A level counts as set by somebody when it is neither where the driver leaves
it nor where ``alsactl`` puts it when a card is new to a system (-20 dB for playback volumes of
usual names, +12 dB for ``Capture Volume``).

Sources: sound/soc/codecs/wm8960.c and tlv320aic3x.c of the kernel; init/default of alsa-utils; the
mixer state that Seeed ships (`wm8960_asound.state`); levels that owners of the HATs report. None
was measured here: how loud a microphone must be depends on the room, and ``mixer:`` in the YAML
outranks all of it.

Tested in tests/board/test_mixer.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Path(StrEnum):
    """What of a board a level lets through."""

    OUTPUTS = "both outputs"
    JACK = "the headphone jack"
    CONNECTOR = "the loudspeaker's connector (JST)"
    MICROPHONES = "the microphones"


@dataclass(frozen=True, slots=True)
class MixerLevel:
    """One level of the card's own mixer, and what it should be."""

    control: str
    """An element's name, a control as alsamixer shows it, with its index (``PCM,1``), or an
    element's number (``numid=8``)."""
    value: str
    """As amixer takes it: ``100%``, ``127``, ``on``; one value is that of all channels."""
    unset: tuple[str, ...] = ()
    """Where it is while nobody has set it; (): not known, so that it is set whatever it is."""
    path: Path = Path.OUTPUTS
    """What suffers where it is not so."""
    silent_at_zero: bool = False
    """Whether nothing at all comes through at its lowest value."""
    optional: bool = False
    """Whether some drivers of the card do not have it."""
    input_channels: int | None = None
    """Only on firmware with so many input channels; None: on any."""

    def is_for(self, channels: int) -> bool:
        """Tell whether firmware with so many input channels needs it."""
        return self.input_channels in {None, channels}


FLEX_LEVELS = (
    MixerLevel("PCM,0", "100%", optional=True),
    MixerLevel("PCM,1", "100%", optional=True),
)
"""As the XVF3800's, whose firmware and codec it has; nobody has reported them."""

XVF3800_LEVELS = (
    MixerLevel("PCM,0", "100%"),
    MixerLevel("PCM,1", "100%"),
    # What the six-channel firmware records is off and at zero on some hosts; so Seeed's FAQ, which
    # names numbers only.
    MixerLevel("numid=8", "on", path=Path.MICROPHONES, input_channels=6),
    MixerLevel("numid=10", "60", path=Path.MICROPHONES, input_channels=6),
)

WM8960_LEVELS = (
    MixerLevel("Left Output Mixer PCM Playback Switch", "on", ("off",)),
    MixerLevel("Right Output Mixer PCM Playback Switch", "on", ("off",)),
    MixerLevel("Playback Volume", "255", ("255", "215"), silent_at_zero=True),
    # 0 dB; Seeed's 127 (+6 dB) overdrives small loudspeakers.
    MixerLevel("Headphone Playback Volume", "121", ("0", "101"), Path.JACK, silent_at_zero=True),
    MixerLevel("Speaker Playback Volume", "121", ("0", "101"), Path.CONNECTOR, silent_at_zero=True),
    # The boost of the class D amplifier, as Seeed sets it.
    MixerLevel("Speaker DC Volume", "4", ("0",), Path.CONNECTOR, optional=True),
    MixerLevel("Speaker AC Volume", "5", ("0",), Path.CONNECTOR, optional=True),
    MixerLevel("Capture Switch", "on", ("off",), Path.MICROPHONES),
    MixerLevel("Left Input Mixer Boost Switch", "on", ("off",), Path.MICROPHONES),
    MixerLevel("Right Input Mixer Boost Switch", "on", ("off",), Path.MICROPHONES),
    MixerLevel("Left Boost Mixer LINPUT1 Switch", "on", ("on",), Path.MICROPHONES),
    MixerLevel("Right Boost Mixer RINPUT1 Switch", "on", ("on",), Path.MICROPHONES),
    # +29 dB; Seeed's own driver and old kernels do not have it.
    MixerLevel(
        "Left Input Boost Mixer LINPUT1 Volume", "3", ("0",), Path.MICROPHONES, optional=True
    ),
    MixerLevel(
        "Right Input Boost Mixer RINPUT1 Volume", "3", ("0",), Path.MICROPHONES, optional=True
    ),
    MixerLevel("Capture Volume", "39", ("39",), Path.MICROPHONES),
    MixerLevel("ADC PCM Capture Volume", "195", ("195",), Path.MICROPHONES, silent_at_zero=True),
)
"""The 2-Mics HAT v1: at power-on neither output nor microphones are switched through."""

AIC3104_LEVELS = (
    # Two stages at -23.5 dB each stand in a row: 47 dB too quiet.
    MixerLevel("PCM Playback Volume", "127", ("80", "87"), silent_at_zero=True),
    MixerLevel("Line DAC Playback Volume", "118", ("71",), Path.CONNECTOR, silent_at_zero=True),
    MixerLevel("HP DAC Playback Volume", "118", ("71",), Path.JACK, silent_at_zero=True),
    # +4 dB: 0 dB is reported as inaudible at the connector, +9 dB as dangerously loud. Two of three
    # reports say that the connector is fed from the line output, so both paths are set.
    MixerLevel("Line Playback Volume", "4", ("0",), Path.CONNECTOR),
    MixerLevel("Line Playback Switch", "on", ("on",), Path.CONNECTOR),
    MixerLevel("HP Playback Volume", "0", ("0",), Path.JACK),
    MixerLevel("HP Playback Switch", "on", ("on",), Path.JACK),
    MixerLevel("Left Line Mixer DACL1 Switch", "on", ("on",), Path.CONNECTOR),
    MixerLevel("Right Line Mixer DACR1 Switch", "on", ("on",), Path.CONNECTOR),
    MixerLevel("Left HP Mixer DACL1 Switch", "on", ("on",), Path.JACK),
    MixerLevel("Right HP Mixer DACR1 Switch", "on", ("on",), Path.JACK),
    MixerLevel("PGA Capture Switch", "on", ("on",), Path.MICROPHONES),
    # 35.5 dB (60 %): the driver's 16 dB are reported as too little for a wake word; owners have
    # set 60 to 80 %.
    MixerLevel("PGA Capture Volume", "71", ("32",), Path.MICROPHONES),
    MixerLevel("Left PGA Mixer Line1L Switch", "on", ("on",), Path.MICROPHONES),
    MixerLevel("Right PGA Mixer Line1R Switch", "on", ("on",), Path.MICROPHONES),
    # The kernel's driver: it may go to the maximum in a silent room and never come back.
    MixerLevel("AGC Switch", "off", ("off",), Path.MICROPHONES, optional=True),
)
"""The 2-Mics HAT v2: at power-on everything is switched through and next to nothing is heard.

-23.5 dB of 0..118 with 0.5 dB a step is 71.
"""
