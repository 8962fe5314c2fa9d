"""What cannot be read as YAML, or should not be, and the places of what can."""

from __future__ import annotations

import pytest

from device.config import parse
from device.config.yaml import Document, Spot, dotted, read, shortened, spot_at
from device.errors import ConfigError


def only(text: str) -> tuple[str, str, int, int]:
    """Check a text with exactly one mistake."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "test.yaml")
    [mistake] = caught.value.mistakes
    return mistake.where, mistake.message, mistake.line, mistake.column


class TestPlaces:
    def test_every_key_and_value_has_a_place(self) -> None:
        """Lines and columns count from one, columns in characters."""
        document = read("a:\n  b: [1, é, 2.5]\n  'c d': null\n")
        assert document.data == {"a": {"b": (1, "é", 2.5), "c d": None}}
        assert document.keys[("a", "b")] == (2, 3)
        assert document.values[("a", "b")] == (2, 6)
        assert document.values[("a", "b", 2)] == (2, 13)
        assert document.values[("a", "c d")] == (3, 10)

    def test_what_is_not_there_has_the_place_of_what_is_around_it(self) -> None:
        """A missing key is told at its section."""
        assert read("a:\n  b: 1\n").spot(("a", "z", "y")) == (2, 3)
        assert Document().spot(("a",)) == (1, 1)

    @pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028"])
    def test_lines_end_as_yaml_has_it(self, line_break: str) -> None:
        """Both ways to count agree, so that all mistakes of a file sort together."""
        text = f"a: 1{line_break}b: 2"
        assert read(text).keys[("b",)] == spot_at(text, text.index("b")) == Spot(2, 1)

    def test_paths_and_values_are_written_for_people(self) -> None:
        """Odd keys and long values are quoted and cut."""
        assert dotted(("wake", "words", 0, "threshold")) == "wake.words[0].threshold"
        assert dotted(("a b", "x" * 99)) == "'a b'.'" + "x" * 37 + "...'"
        values: list[object] = ["x", True, None, {}, (), 1.5]
        written = ["'x'", "true", "nothing", "a section", "a list", "1.5"]
        assert [shortened(value) for value in values] == written


class TestScalars:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("7", 7),
            ("007", 7),
            ("-3", -3),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("true", True),
            ("FALSE", False),
            ("~", None),
            ("yes", "yes"),
            ("off", "off"),
            ("12:30", "12:30"),
            ("2026-01-01", "2026-01-01"),
            ("0x1F", "0x1F"),
            (".inf", ".inf"),
            ("1_000", "1_000"),
            ("'7'", "7"),
            ("!!str 7", "7"),
            ("!!int x", "x"),
            ("=", "="),
        ],
    )
    def test_scalars_are_those_of_yaml_1_2(self, text: str, value: object) -> None:
        """Nothing turns into a date, a base-60 number or a boolean behind one's back."""
        found = read(text).data
        assert found == value
        assert type(found) is type(value)

    def test_a_number_too_long_for_python_stays_text(self) -> None:
        """5,000 digits are a mistake for the configuration to tell, not a traceback."""
        assert read("9" * 5_000).data == "9" * 5_000

    def test_a_key_that_is_no_word_is_a_mistake(self) -> None:
        """YAML allows lists as keys; Parley does not."""
        where, message, *place = only("? [a]\n: 1\n")
        assert (where, message, place) == ("", "a list or a section cannot be a key", [1, 3])


class TestUnreadable:
    @pytest.mark.parametrize(
        ("text", "said", "place"),
        [
            ("live:\n\tmodel: x", "a tab cannot be here", (2, 1)),
            ("live: [x", "a comma or the closing ] is missing", (1, 9)),
            ("live: {x", "a comma or the closing } is missing", (1, 9)),
            ("a: 1\nlive: 'abc\n\n", "a quote is opened here and never closed", (2, 7)),
            ("live:\n  model: x\n voice: y", "this line does not line up", (3, 2)),
            ("a: b: c", "a colon cannot be here", (1, 5)),
            ("live:\nvoice\nmodel: x\n", "a colon is missing", (2, 1)),
            ("a: 1\n---\nb: 2\n", "a second document begins here", (2, 1)),
            ("a: `x`", "a value cannot begin with this character", (1, 4)),
            ("- a\n", "a list is not a section", (1, 1)),
            ("hello", "'hello' is not a section", (1, 1)),
            ("audio:\n  volume: \x00", "character U+0000 cannot be", (2, 11)),
            ("a: &x 1\nb: *x\n", "anchors (&) and aliases (*) are not taken", (1, 4)),
            ("%YAML 9.9\n---\n", "cannot be read: found incompatible YAML", (1, 1)),
            ('a: "\\UFFFFFFFF"', "an escape that is no character", (1, 1)),
            ("[" * 5_000, "more than 12 levels", (1, 13)),
        ],
    )
    def test_a_syntax_error_is_told_with_its_place(
        self, text: str, said: str, place: tuple[int, int]
    ) -> None:
        """Never a traceback, never PyYAML's grammar."""
        _, message, *found = only(text)
        assert said in message
        assert tuple(found) == place

    def test_laughs_by_the_billion_are_refused_at_the_first(self) -> None:
        """No alias, no growth."""
        lines = ["a0: &a0 [x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
        assert only("\n".join(lines))[2:] == (1, 5)

    @pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['true']", "!secret x"])
    def test_tags_are_refused(self, tag: str) -> None:
        """YAML names no Python object here."""
        assert "tags (!) are not taken" in only(f"live: {{voice: {tag}}}")[1]
