"""Characters that look like others or like nothing, in keys and values, with line and column."""

from __future__ import annotations

import pytest

from device.config import parse
from device.config.characters import named
from device.errors import ConfigError

SPACE = ", which looks like a space: write a space, or nothing"
UNSEEN = ", which nobody sees: delete it"
QUOTE = 'write a plain " or nothing'


def lines(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml")
    return caught.value.lines()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "live:\n\xa0\xa0voice: Kore\n",
            "c.yaml:2:1: voice: has a no-break space (U+00A0)" + SPACE,
        ),
        (
            "live:\n  \u2003voice: Kore\n",
            "c.yaml:2:3: live.voice: has an em space (U+2003)" + SPACE,
        ),
        (
            "live:\n  voice: Kore\u200b\n",
            "c.yaml:2:14: live.voice: has a zero width space (U+200B)" + UNSEEN,
        ),
        (
            "live: {}\n\ufeffaudio: {}\n",
            "c.yaml:2:1: audio: has a byte order mark (U+FEFF)" + UNSEEN,
        ),
        (
            "place: x\nli\xadve: {}\n",
            "c.yaml:2:3: live: has a soft hyphen (U+00AD)" + UNSEEN,
        ),
        (
            "live:\n  voice: \u201cKore\u201d\n",
            "c.yaml:2:10: live.voice: has a left double quotation mark (U+201C) \u201c: " + QUOTE,
        ),
        (
            "audio:\n  volume: 60\xa0\n",
            "c.yaml:2:13: audio.volume: has a no-break space (U+00A0)" + SPACE,
        ),
        (
            "live: {model: gemini\u20113.8-live}\n",
            "c.yaml:1:21: live.model: has a non-breaking hyphen (U+2011) \u2011: write a plain -",
        ),
        (
            "audio:\n  volume\uff1a60\n",
            "c.yaml:2:9: audio: has a fullwidth colon (U+FF1A) \uff1a: write a plain :",
        ),
        (
            'live: {voice: "Kore\\u200b"}\n',
            "c.yaml:1:15: live.voice: has a zero width space (U+200B)" + UNSEEN,
        ),
        (
            "tools: {mcp: [{name: home, url: 'https://ha.local/api\u200b'}]}\n",
            "c.yaml:1:54: tools.mcp[0].url: has a zero width space (U+200B)" + UNSEEN,
        ),
        ("audio:\n\tvolume: 3\n", "c.yaml:2:1: a tab cannot be here: use spaces"),
    ],
)
def test_the_character_is_named_once_at_its_place(text: str, said: str) -> None:
    """Instead of whatever else would be said of the same key or value."""
    assert lines(text) == [said]


def test_a_dash_that_is_none_begins_no_item() -> None:
    """The list above it has no value then, which is told too."""
    wake, dash = lines("wake:\n  words:\n  \u2013 model: hey_jarvis\n")
    assert wake.startswith("c.yaml:2:9: wake.words: has no value")
    assert dash.endswith("has an en dash (U+2013) \u2013: write a plain -")


def test_in_what_is_no_yaml_the_line_is_looked_through() -> None:
    """Without its comment, and no other line."""
    text = "# \u2013\nlive:\n  voice: \u201ca: b\u201d  # \u200b\n"
    quote, colon = lines(text)
    assert quote.startswith("c.yaml:3:10: this line has a left double quotation mark (U+201C)")
    assert colon.startswith("c.yaml:3:12: a colon cannot be here")
    (only,) = lines("live:\n  voice: a: b # \u200b\n")
    assert only.startswith("c.yaml:2:11: a colon cannot be here")


@pytest.mark.parametrize(
    "text",
    [
        "\ufefflive: {}\n",
        "# \u201cquoted\u201d \xa0 \u200b\nlive: {}\n",
        "live: {system_instruction: \u201cHi\u201d \u2013 it\u2019s\xa0me}\n",
        "place: K\xf6ln\u2013Ehrenfeld\n",
        "tools: {mcp: [{name: a, command: [/bin/x, '\u2013v']}]}\n",
        "wake: {words: [{model: /etc/parley/hey\u2013you.onnx}]}\n",
    ],
)
def test_what_may_be_meant_is_left_alone(text: str) -> None:
    """Comments, the owner's own sentences, the words of a command, a file's name."""
    parse(text, "c.yaml")


def test_an_unseen_character_in_a_file_s_name_is_told_all_the_same() -> None:
    """Nobody would find that file."""
    (told,) = lines("wake: {words: [{model: /etc/hey\u200b.onnx}]}\n")
    assert "zero width space" in told


def test_a_character_is_named_as_unicode_names_it() -> None:
    """With its number, for whoever looks for it; some have no name there."""
    assert named("\u2009") == "a thin space (U+2009)"
    assert named("\u2013") == "an en dash (U+2013)"
    assert named("\ue000") == "a character without a name (U+E000)"


@pytest.mark.parametrize(
    "name",
    ["Tom\u2019s speaker", "R\xf6de \u2013 NT", "\uff35\uff33\uff22\uff1a\u30de\u30a4\u30af"],
)
def test_a_device_may_be_called_as_it_is(name: str) -> None:
    """Whoever has made or named it; it cannot be asked for otherwise."""
    config = parse(f'audio: {{input: {{device: "{name}"}}}}', "test.yaml")
    assert config.audio.input.device == name
    for quoted in (f"\u201c{name}\u201d", f"{name}\u201d", f"\u2018{name}"):
        (line,) = lines(f"audio: {{input: {{device: '{quoted}'}}}}")
        assert "audio.input.device: has " in line
