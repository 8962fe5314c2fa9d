"""``mixer:`` takes names and values as amixer does, and names what can be neither."""

from __future__ import annotations

import pytest

from device.config import Config, parse, schema
from device.config.mixer import EXAMPLE, across_mixer
from device.config.view import changes, describe, flow
from device.errors import ConfigError


def mixer(text: str) -> dict[str, str]:
    return dict(parse(text, "test.yaml").mixer)


def test_nothing_is_set_by_default() -> None:
    """Also where only the section's name is left."""
    assert Config().mixer == {}
    assert mixer("mixer:") == mixer("mixer: {}") == {}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("true", "on"),
        ("no", "off"),
        ("64", "64"),
        ("-3", "-3"),
        ("80%", "80%"),
        ("-10dB", "-10dB"),
        ("1.5dB", "1.5dB"),
        ("DAC_L1", "DAC_L1"),
        ("0.0045xFs", "0.0045xFs"),
        ("40%,60%", "40%,60%"),
        ("[on, off]", "on,off"),
        ("[1, true]", "1,on"),
    ],
)
def test_a_value_is_taken_as_amixer_takes_it(written: str, value: str) -> None:
    """Numbers and booleans of YAML too, which are text from here on."""
    assert mixer(f"mixer: {{PCM Playback Volume: {quoted(written)}}}") == {
        "PCM Playback Volume": value
    }


def quoted(text: str) -> str:
    """In a section on one line a comma ends the value."""
    return f'"{text}"' if "," in text and "[" not in text else text


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("mixer: 5", "mixer", "5 is not a section: write a line for each level, e.g. Line: 80%"),
        ("mixer: [PCM]", "mixer", "a list is not a section"),
        ("mixer:\n  PCM: 120%", "mixer.PCM", "'120%' is more than there is: write on, off, a"),
        ("mixer:\n  PCM:", "mixer.PCM", "nothing is no level: write on, off, a number, a share"),
        ("mixer:\n  PCM: 1.5", "mixer.PCM", "1.5 is no level"),
        ("mixer:\n  PCM: {a: 1}", "mixer.PCM", "a section is no level"),
        ("mixer:\n  PCM: '--help'", "mixer.PCM", "'--help' is no level"),
        ("mixer:\n  PCM: '$(reboot)'", "mixer.PCM", "'$(reboot)' is no level"),
        ("mixer:\n  '': on", "mixer.''", "'' is no level's name: write one of 'amixer -c CARD"),
        ('mixer:\n  "it\'s": on', 'mixer."it\'s"', "is no level's name"),
        (f"mixer:\n  {'x' * 61}: on", f"mixer.'{'x' * 37}...'", "is no level's name"),
    ],
)
def test_what_can_be_no_level_is_told_at_its_place(text: str, where: str, told: str) -> None:
    """Before anything of the kind is asked of amixer."""
    with pytest.raises(ConfigError) as caught:
        mixer(text)
    (mistake,) = caught.value.mistakes
    assert mistake.where == where
    assert told in mistake.message
    assert mistake.line == 1 + text.count("\n")


def test_a_mixer_has_an_end() -> None:
    """A card has some sixty elements."""
    levels = {f"Level {number}": "on" for number in range(65)}
    assert list(across_mixer(levels)) == [((), "has 65 levels: 64 is the most")]
    del levels["Level 0"]
    assert list(across_mixer(levels)) == list(across_mixer(None)) == []


def test_it_reads_back_as_it_is_shown() -> None:
    """Names with commas and blanks are quoted."""
    config = parse("mixer: {'PCM,1': on, Line Playback Volume: 9, Speaker: -3dB}", "test.yaml")
    assert parse(changes(config), "test.yaml").mixer == config.mixer
    assert parse(describe(config), "test.yaml").mixer == config.mixer


def test_the_schema_takes_what_the_file_takes() -> None:
    """Numbers and booleans too; its example is one."""
    described = schema()["properties"]["mixer"]
    kinds = {kind["type"] for kind in described["additionalProperties"]["anyOf"]}
    assert (described["type"], kinds) == ("object", {"string", "integer", "boolean"})
    (example,) = described["examples"]
    assert mixer(f"mixer: {flow(example)}") == example == EXAMPLE
