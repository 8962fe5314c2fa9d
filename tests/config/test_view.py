"""Showing a configuration, comparing two, describing all."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from device.config import Config, McpServer, Word, describe, differences, parse, schema


class TestViews:
    def test_what_was_changed_is_marked(self) -> None:
        """`parley config show` tells at a glance what this speaker does differently."""
        shown = describe(parse("audio: {volume: 30}\nlive: {language: no}\n", "x")).splitlines()
        assert "  volume: 30  # default: 60" in shown
        assert '  language: "no"  # default: null' in shown
        assert sum("# default" in line for line in shown) == 2

    @settings(deadline=None, max_examples=60)
    @given(
        text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60),
        voice=st.sampled_from(["off", "null", "12", "a: b", "#x", "- x", "'", '"', "e\u0301"]),
        volume=st.integers(0, 100),
        follow_up_s=st.floats(0, 60),
        words=st.lists(st.sampled_from(["alexa", "/a b/c,}.onnx"]), min_size=1, unique=True),
    )
    def test_what_is_shown_reads_back_as_the_same(
        self, text: str, voice: str, volume: int, follow_up_s: float, words: list[str]
    ) -> None:
        """The output of `show` is a configuration itself."""
        config = Config.model_validate(
            {
                "live": {"system_instruction": text, "voice": voice},
                "audio": {"volume": volume},
                "conversation": {"follow_up_s": follow_up_s},
                "wake": {"words": tuple({"model": word} for word in words)},
            }
        )
        assert parse(describe(config), "shown.yaml") == config

    @pytest.mark.parametrize("word", ["off", "Off", "no", "y", "hardware"])
    def test_other_readers_take_text_for_text(self, word: str) -> None:
        """YAML 1.1, which most programs read, knows more words for true and false."""
        echo = word if word == "hardware" else "off"
        shown = describe(
            Config.model_validate({"audio": {"echo_cancellation": echo}, "live": {"voice": word}})
        )
        read = yaml.safe_load(shown)
        assert (read["audio"]["echo_cancellation"], read["live"]["voice"]) == (echo, word)

    def test_differences_are_dotted_keys(self) -> None:
        """A reload touches only the parts whose keys are named here."""
        new = parse(
            "live: {compression: {trigger_tokens: 30000}, model: x}\n"
            "wake: {words: [{model: hey_jarvis, threshold: 0.6}]}\nboard: flex\n",
            "new.yaml",
        )
        assert differences(Config(), new) == {
            "live.compression.trigger_tokens",
            "live.model",
            "wake.words",
            "board",
        }
        assert differences(new, new) == set()

    def test_the_schema_describes_every_key(self) -> None:
        """Description, default and range of each, for editors that check while one types."""
        described = schema()
        json.dumps(described)
        assert described["$schema"].startswith("https://json-schema.org/")
        sections = [described, *described["$defs"].values()]
        assert all(section["additionalProperties"] is False for section in sections)
        keys = {name: key for section in sections for name, key in section["properties"].items()}
        audio = described["$defs"]["Audio"]["properties"]
        undescribed = {
            name
            for name, key in keys.items()
            if "description" not in key and "$ref" not in key.get("items", key)
        }
        assert undescribed == set()
        assert audio["volume"]["default"] == 60
        assert (audio["volume"]["minimum"], audio["volume"]["maximum"]) == (0, 100)
        assert "Seconds" in keys["follow_up_s"]["description"]

    def test_every_key_has_a_range_where_it_is_a_number(self) -> None:
        """A number without a range would let a slip through, and has no words for an error."""
        for model in models_of(Config):
            for name, field in model.model_fields.items():
                if field.annotation in {int, float}:
                    bounds = {type(bound).__name__ for bound in field.metadata}
                    assert bounds & {"Ge", "Gt"}, name
                    assert "Le" in bounds, name


def models_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a model and all models below it."""
    below = [
        field.annotation
        for field in model.model_fields.values()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]
    return [model, Word, McpServer, *(found for section in below for found in models_of(section))]
