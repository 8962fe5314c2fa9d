"""Whatever a server describes its arguments with, what comes out is what the Live API takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.mcp.schemas import (
    DEEPEST,
    LONGEST_CHOICE,
    LONGEST_DESCRIPTION,
    MOST_CHARACTERS,
    MOST_CHOICES,
    TYPES,
    UnfitError,
    simplified,
)

WORDS = {
    "string": {"enum"},
    "number": {"minimum", "maximum"},
    "integer": {"minimum", "maximum"},
    "boolean": set(),
    "array": {"items"},
    "object": {"properties", "required"},
    "null": set(),
}


def check(schema: Any, depth: int = 0, *, alternative: bool = False) -> None:
    """Fail where a schema is not in the dialect; written from the module's docstring."""
    assert isinstance(schema, dict)
    assert depth <= DEEPEST + 1
    if "description" in schema:
        told = schema["description"]
        assert isinstance(told, str)
        assert 0 < len(told) <= LONGEST_DESCRIPTION
        assert "\n" not in told
    if "anyOf" in schema:
        assert set(schema) <= {"anyOf", "description"}
        assert len(schema["anyOf"]) > 1
        for each in schema["anyOf"]:
            assert "anyOf" not in each
            check(each, depth, alternative=True)
        return
    kind = schema["type"]
    assert kind in TYPES or (kind == "null" and alternative)
    assert set(schema) <= {"type", "description"} | WORDS[kind]
    if kind == "array":
        check(schema["items"], depth + 1, alternative=True)
    if "enum" in schema:
        assert 0 < len(schema["enum"]) <= MOST_CHOICES
        assert len(set(schema["enum"])) == len(schema["enum"])
        assert all(isinstance(each, str) and each for each in schema["enum"])
    for word in ("minimum", "maximum"):
        assert isinstance(schema.get(word, 0), int | float)
    for each in schema.get("properties", {}).values():
        check(each, depth + 1, alternative=True)
    if "required" in schema:
        assert schema["required"]
        assert set(schema["required"]) <= set(schema["properties"])


def of(argument: Any, *, required: bool = True) -> Any:
    """What becomes of the schema of one argument."""
    whole = {"type": "object", "properties": {"a": argument}}
    made = simplified(whole | ({"required": ["a"]} if required else {}))
    check(made)
    return made["properties"].get("a")


def test_what_is_in_the_dialect_stays_as_it_is() -> None:
    """As Home Assistant writes it."""
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "domain": {"type": "array", "items": {"type": "string"}},
            "brightness": {
                "type": "integer",
                "minimum": 0,
                "maximum": 100,
                "description": "The brightness percentage",
            },
            "kind": {"type": "string", "enum": ["on", "off"]},
            "where": {"type": "object", "properties": {"x": {"type": "number"}}},
        },
        "required": ["name"],
    }
    assert simplified(schema) == schema


def test_no_schema_and_no_properties_are_no_arguments() -> None:
    """A tool that takes nothing."""
    empty = {"type": "object", "properties": {}}
    assert simplified(None) == empty
    assert simplified({"type": "object"}) == empty
    assert simplified({"properties": {}}) == empty


def test_what_a_library_adds_is_left_out() -> None:
    """Titles, defaults, additionalProperties, $schema and what it checks by itself."""
    made = simplified(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "turnArguments",
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "n": {
                    "type": "string",
                    "title": "N",
                    "default": "x",
                    "pattern": "^x",
                    "minLength": 1,
                }
            },
            "patternProperties": {"^x-": {"type": "string"}},
            "if": {},
            "then": {},
        }
    )
    assert made == {"type": "object", "properties": {"n": {"type": "string"}}}


def test_references_are_what_they_refer_to() -> None:
    """By $defs, by definitions, by any place in the document; a description beside it counts."""
    made = simplified(
        {
            "type": "object",
            "$defs": {
                "Room": {"type": "string", "enum": ["hall", "bath"], "description": "a room"}
            },
            "definitions": {"a/b": {"type": "boolean"}},
            "properties": {
                "room": {"$ref": "#/$defs/Room", "description": "where to"},
                "other": {"$ref": "#/properties/room"},
                "all": {"$ref": "#/definitions/a~1b"},
                "first": {"$ref": "#/properties/pick/anyOf/0"},
                "pick": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
            },
        }
    )
    rooms = {"type": "string", "enum": ["hall", "bath"]}
    assert made["properties"]["room"] == rooms | {"description": "where to"}
    assert made["properties"]["other"] == rooms | {"description": "where to"}
    assert made["properties"]["all"] == {"type": "boolean"}
    assert made["properties"]["first"] == {"type": "integer"}


@pytest.mark.parametrize(
    ("inner", "cut"),
    [
        ({"type": "object", "properties": {"in": {"$ref": "#/$defs/T"}}}, {"type": "object"}),
        (
            {"type": "array", "items": {"$ref": "#/$defs/T"}},
            {"type": "array", "items": {"type": "string"}},
        ),
        ({"$ref": "#/$defs/T"}, {"type": "object"}),
    ],
)
def test_what_refers_to_itself_is_cut_there(inner: dict[str, Any], cut: dict[str, Any]) -> None:
    """A tree of things has no end."""
    made = simplified(
        {"type": "object", "$defs": {"T": inner}, "properties": {"t": {"$ref": "#/$defs/T"}}}
    )
    check(made)
    first = made["properties"]["t"]
    within = first.get("properties", {}).get("in") or first.get("items") or first
    assert within == cut


def test_references_that_double_at_each_step_come_to_an_end() -> None:
    """Thirty lines can stand for a thousand million."""
    doubling = {
        f"d{n}": {
            "type": "object",
            "properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}, "b": {"$ref": f"#/$defs/d{n + 1}"}},
        }
        for n in range(30)
    }
    doubling["d30"] = {"type": "object"}
    wide = {"anyOf": [{"$ref": "#/$defs/wide1"}] * 40}
    schema = {"type": "object", "$defs": doubling, "properties": {"a": {"$ref": "#/$defs/d0"}}}
    check(simplified(schema))
    widening: dict[str, Any] = {
        f"wide{n}": {"anyOf": [{"$ref": f"#/$defs/wide{n + 1}"}] * 9} for n in range(9)
    }
    widening["wide9"] = {"type": "string"}
    nested = {"type": "object", "$defs": widening, "properties": {"a": wide}}
    with pytest.raises(UnfitError, match="parts"):
        simplified(nested)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("https://example.com/schema.json", "outside of itself"),
        ("other.json#/a", "outside of itself"),
        ("#/$defs/Missing", "not there"),
        ("#/type/deeper", "not there"),
    ],
)
def test_what_is_referred_to_must_be_there(reference: str, why: str) -> None:
    """Nothing is fetched for a schema."""
    with pytest.raises(UnfitError, match=why):
        of({"$ref": reference})


def test_a_schema_may_refer_to_its_root() -> None:
    """Which is cut at once."""
    assert of({"$ref": "#"})["type"] == "object"


def test_null_is_left_out_where_the_argument_may_be() -> None:
    """Three ways to write it."""
    ways: list[dict[str, Any]] = [
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": "string", "nullable": True},
    ]
    for way in ways:
        assert of(way, required=False) == {"type": "string"}
    assert of(ways[1], required=True) == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert of({"type": "null"}, required=False) is None


def test_a_description_stays_beside_alternatives_without_null() -> None:
    """As pydantic writes an optional argument."""
    told = {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "description": "a name",
        "default": None,
    }
    assert of(told, required=False) == {"type": "string", "description": "a name"}
    two = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}], "description": "x"}
    assert of(two, required=False) == {
        "anyOf": [{"type": "string"}, {"type": "number"}],
        "description": "x",
    }


def test_constants_are_choices() -> None:
    """A oneOf of titled constants is what many libraries make of an enum."""
    assert of({"const": "on"}) == {"type": "string", "enum": ["on"]}
    titled = {"oneOf": [{"const": "on", "title": "On"}, {"const": "off", "title": "Off"}]}
    assert of(titled) == {"type": "string", "enum": ["on", "off"]}
    assert of({"enum": ["a", "b", "a"]}) == {"type": "string", "enum": ["a", "b"]}


def test_choices_of_other_types_are_told_in_words() -> None:
    """Google takes enums of strings."""
    assert of({"enum": [1, 2, 3]}) == {"type": "integer", "description": "one of: 1, 2, 3"}
    assert of({"enum": [0.5, 1]}) == {"type": "number", "description": "one of: 0.5, 1"}
    assert of({"enum": [True, False]}) == {"type": "boolean"}
    assert of({"enum": list(range(1000))}) == {"type": "integer"}
    mixed = of({"enum": ["auto", 1, None]})
    assert [each["type"] for each in mixed["anyOf"]] == ["string", "integer", "null"]
    assert of({"enum": [{"a": 1}]}) == {"type": "object"}


def test_choices_that_are_too_many_too_long_or_empty_are_left_to_the_server() -> None:
    """It checks what it is called with anyway."""
    assert of({"enum": [f"light {n}" for n in range(MOST_CHOICES + 1)]}) == {"type": "string"}
    assert of({"enum": ["x" * (LONGEST_CHOICE + 1)]}) == {"type": "string"}
    assert of({"enum": ["", "a"]}) == {"type": "string"}
    many = {"anyOf": [{"enum": [f"{part}{n}" for n in range(60)]} for part in "ab"]}
    assert of(many) == {"type": "string"}
    assert of({"anyOf": [{"type": "string"}, *many["anyOf"]]}) == {"type": "string"}


def test_exclusive_bounds_are_bounds() -> None:
    """Of whole numbers the next one; of others the bound itself, which is nearly right."""
    whole = {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}
    assert of(whole) == {"type": "integer", "minimum": 1, "maximum": 9}
    assert of({"type": "number", "exclusiveMinimum": 0}) == {"type": "number", "minimum": 0}
    assert of({"type": "number", "minimum": float("inf")}) == {"type": "number"}


def test_a_format_is_told_in_the_description() -> None:
    """Once, and only of strings."""
    assert of({"type": "string", "format": "date"})["description"] == "(format: date)"
    told = {"type": "string", "format": "date", "description": "the day (date)"}
    assert of(told)["description"] == "the day (date)"
    assert of({"type": "integer", "format": "int64"}) == {"type": "integer"}


def test_types_that_are_not_named_are_told_by_their_words() -> None:
    """Where there are any; else it may be any simple value."""
    assert of({"properties": {"x": {"type": "string"}}})["type"] == "object"
    assert of({"items": {"type": "string"}})["type"] == "array"
    assert of({"minimum": 3}) == {"type": "number", "minimum": 3}
    assert of({"pattern": "x"}) == {"type": "string"}
    anything = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}
    assert of({}) == of(True) == of({"type": "any"}) == anything


def test_lists_have_items() -> None:
    """Also tuples, and those that are said nothing of."""
    assert of({"type": "array", "items": {"type": "integer"}})["items"] == {"type": "integer"}
    pair = {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}]}
    assert of(pair) == {"type": "array", "items": {"type": "number"}}
    assert "anyOf" in of({"type": "array"})["items"]
    assert of({"type": "array", "items": False})["items"] == {"type": "string"}


def test_all_of_is_put_together() -> None:
    """With what it refers to, and what is required of each part."""
    made = simplified(
        {
            "$defs": {
                "Base": {"type": "object", "properties": {"id": {"type": "string"}}},
                "Loop": {"allOf": [{"$ref": "#/$defs/Loop"}, {"required": ["id"]}]},
            },
            "allOf": [
                {"$ref": "#/$defs/Base"},
                {"$ref": "#/$defs/Loop"},
                {"properties": {"n": {"type": "integer"}, "id": {}}, "required": ["n"]},
                {"required": "n", "properties": []},
                True,
            ],
            "required": ["id"],
        }
    )
    assert made["properties"] == {"id": {"type": "string"}, "n": {"type": "integer"}}
    assert made["required"] == ["id", "n"]


def test_alternatives_beside_properties_are_left_to_the_server() -> None:
    """That one of these must be given has no word of its own."""
    made = simplified(
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        }
    )
    assert made == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    }


def test_alternatives_take_the_type_beside_them_and_are_told_once() -> None:
    """And alternatives of alternatives are alternatives."""
    assert of({"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "x"}]}) == {
        "type": "string"
    }
    nested = {"anyOf": [{"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "string"}]}
    assert of(nested) == {"anyOf": [{"type": "string"}, {"type": "integer"}]}


def test_what_nothing_can_meet_is_left_out_or_the_tool_is() -> None:
    """An argument that is required and cannot be given makes the tool useless."""
    assert of(False, required=False) is None
    with pytest.raises(UnfitError, match="its argument 'a' cannot be described"):
        of(False)
    assert of({"anyOf": [{"type": "string"}, False]}) == {"type": "string"}
    inner = {"type": "object", "properties": {"x": False}, "required": ["x"]}
    assert of(inner, required=False) is None


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "\x1b[2J"])
def test_names_that_cannot_be_shown_are_left_out(name: str) -> None:
    """Or their tool, where they are required."""
    schema = {"type": "object", "properties": {name: {"type": "string"}}}
    assert simplified(schema) == {"type": "object", "properties": {}}
    with pytest.raises(UnfitError):
        simplified(schema | {"required": [name]})


def test_what_is_nested_deeply_is_told_without_its_properties() -> None:
    """Objects and lists alike."""
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        deep = {"type": "object", "properties": {"in": deep}}
    check(simplified(deep))
    lists: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        lists = {"type": "array", "items": lists}
    of(lists)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("object", "by a text, not by a schema"),
        (["object"], "by a list, not by a schema"),
        (True, "by true or false, not by a schema"),
        (3, "by something else, not by a schema"),
        ({"type": "string"}, "no object of arguments"),
        ({"type": "array"}, "no object of arguments"),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, "no object of arguments"),
        ({"type": "object", "properties": "none"}, None),
    ],
)
def test_what_describes_no_arguments_is_unfit(schema: object, why: str | None) -> None:
    """It says so of the tool, not of the setup."""
    if why is None:
        assert simplified(schema) == {"type": "object", "properties": {}}
        return
    with pytest.raises(UnfitError, match=why):
        simplified(schema)


def test_a_schema_that_costs_too_much_is_unfit() -> None:
    """It would be billed in every turn."""
    properties = {f"argument {n}": {"type": "string", "description": "x" * 200} for n in range(50)}
    with pytest.raises(UnfitError, match=f"more than {MOST_CHARACTERS} characters"):
        simplified({"type": "object", "properties": properties})


def test_a_schema_deeper_than_python_is_unfit() -> None:
    """And nothing worse."""
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(900):
        deep = {"anyOf": [deep, {"type": "integer"}]}
    with pytest.raises(UnfitError, match="deeply"):
        simplified({"type": "object", "properties": {"a": deep}})


words = st.sampled_from(
    [
        *("type", "properties", "required", "items", "prefixItems", "enum", "const", "anyOf"),
        *("oneOf", "allOf", "$ref", "$defs", "description", "format", "nullable", "minimum"),
        *("maximum", "exclusiveMinimum", "additionalProperties", "default", "title", "not"),
    ]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([*TYPES, "null", "#", "#/$defs/a", "#/properties/a", "a"])
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(words | st.sampled_from(["a", "b"]), inner, max_size=5)
    ),
    max_leaves=25,
)
likely = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={
        "properties": st.dictionaries(st.sampled_from(["a", "b", "c"]), anything, max_size=3),
        "required": st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
        "$defs": st.dictionaries(st.sampled_from(["a", "b"]), anything, max_size=2),
    },
)


@settings(max_examples=400)
@given(likely | anything)
def test_whatever_comes_in_is_in_the_dialect_and_stays_as_it_is(schema: Any) -> None:
    """Or its tool is left out; nothing else is raised."""
    try:
        made = simplified(schema)
    except UnfitError:
        return
    assert made["type"] == "object"
    check(made)
    json.dumps(made, allow_nan=False)
    assert simplified(made) == made


def test_numbers_that_no_double_holds_bound_nothing() -> None:
    """A library writes its largest number; the tool is there all the same."""
    huge = 10**400
    assert of({"type": "integer", "minimum": -huge, "maximum": huge}) == {"type": "integer"}
    assert of({"type": "number", "exclusiveMaximum": 10**5_000}) == {"type": "number"}
    assert of({"enum": [1, huge]}) == {"type": "integer", "description": "one of: 1"}
    assert of({"type": "number", "minimum": float("nan")}) == {"type": "number"}


@pytest.mark.parametrize("step", ["9" * 5_000, "\u0663", "-1", "1e0"])
def test_a_place_in_a_list_that_is_none_is_not_there(step: str) -> None:
    """Python refuses to read a number of thousands of digits."""
    with pytest.raises(UnfitError, match="not there"):
        simplified(
            {
                "type": "object",
                "properties": {"a": {"$ref": f"#/allOf/{step}"}},
                "allOf": [{"type": "object"}],
            }
        )


huge_numbers = (
    st.integers()
    | st.floats()
    | st.builds(
        lambda power, sign: sign * 10**power, st.integers(300, 6_000), st.sampled_from([1, -1])
    )
)
numbers = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["integer", "number", "array", "nonsense"]),
        "minimum": huge_numbers,
        "maximum": huge_numbers,
        "exclusiveMinimum": huge_numbers,
        "exclusiveMaximum": huge_numbers,
    },
)
choices = st.builds(lambda some: {"enum": some}, st.lists(huge_numbers, max_size=4))
references = st.builds(
    lambda where, digits: {"$ref": f"#/{where}/{'9' * digits}"},
    st.sampled_from(["allOf", "required", "type"]),
    st.integers(1, 6_000),
)


@given(
    st.recursive(
        numbers | choices | references | st.builds(lambda one: {"const": one}, huge_numbers),
        lambda inner: (
            st.builds(lambda each: {"items": each}, inner)
            | st.builds(lambda some: {"anyOf": some}, st.lists(inner, max_size=3))
            | st.builds(lambda some: {"allOf": some}, st.lists(inner, max_size=3))
            | st.builds(lambda each: {"properties": {"b": each}}, inner)
        ),
        max_leaves=6,
    )
)
def test_whatever_numbers_are_in_it_a_schema_is_fit_or_unfit(argument: Any) -> None:
    """Nothing else is raised, and what comes out can be written."""
    whole = {"type": "object", "properties": {"a": argument}, "allOf": [{}], "required": ["b"]}
    try:
        made = simplified(whole)
    except UnfitError:
        return
    check(made)
    json.dumps(made, allow_nan=False)


class Unreadable(dict[str, Any]):
    """A schema that Python cannot read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get(self, *_: object) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [OverflowError("too large"), ValueError("too many digits")])
def test_what_python_cannot_read_is_unfit(error: Exception) -> None:
    """Whatever its bounds are: one odd schema does not take its server away."""
    with pytest.raises(UnfitError, match=rf"its schema cannot be read \({error}\)"):
        simplified({"type": "object", "properties": {"a": Unreadable(error)}})
