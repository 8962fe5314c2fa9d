"""`simplified` puts a JSON Schema of a tool's arguments into words that the Live API takes. Pure.

MCP servers write JSON Schema 2020-12, with whatever their libraries put in. One word too many in
one declaration refuses the whole setup, and with it the talk. So what comes out holds no more than
this dialect, which is in every list of what Google takes (`Schema` and `parametersJsonSchema`):

- ``type``, one of string, number, integer, boolean, array, object; always there, but beside
  ``anyOf`` (two alternatives or more), where null may be one;
- ``description``; of strings ``enum``; of numbers ``minimum`` and ``maximum``; of arrays ``items``
  (always there); of objects ``properties`` and ``required``.

The rest is said in other words where a model needs it (a constant is an enum of one, an exclusive
bound a bound, a format part of the description, a reference what it refers to), and left out where
it only refuses: the server checks what it is called with anyway. A schema that refers to itself is
cut where it does; a null is left out where the argument may be left out.

Sources: ai.google.dev (function calling, `FunctionDeclaration`), `google.genai.types.JSONSchema`,
and reports of what a setup was refused for (issues of googleapis/python-genai, vercel/ai and
livekit/agents).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from device.text import printable

DEEPEST = 6
"""Levels of objects and arrays; below, an object is told without its properties. Google refuses
what is nested too deeply without saying how deep that is."""
MOST_CHARACTERS = 6_000
"""Of one tool's schema as JSON, about 1,500 tokens in each turn."""
MOST_CHOICES = 100
"""Of an enum; a longer one (every device of a house) is left out, and the server checks it."""
MOST_STEPS = 2_000
"""Schemas looked at, so that references that double at each step come to an end."""
LONGEST_DESCRIPTION = 300
"""Characters of what is told about one argument."""
LONGEST_NAME = 64
"""Characters of an argument's name."""
LONGEST_CHOICE = 100
"""Characters of one choice of an enum."""

Schema = dict[str, Any]

TYPES = ("string", "number", "integer", "boolean", "array", "object")
ANYTHING: tuple[str, ...] = ("string", "number", "boolean")
"""What is offered where a server says nothing of the type."""


class UnfitError(ValueError):
    """The schema cannot be put into the dialect; says why."""


def simplified(schema: object) -> Schema:
    """Return the schema of a tool's arguments in the dialect. Raises UnfitError."""
    if schema is None:
        return {"type": "object", "properties": {}}
    if not isinstance(schema, Mapping):
        raise UnfitError(f"its arguments are described by {_kind(schema)}, not by a schema")
    try:
        return _whole(schema)
    except UnfitError:
        raise
    except RecursionError:
        raise UnfitError("its schema is nested too deeply") from None
    except (OverflowError, ValueError) as error:
        # Python itself has bounds for numbers; one odd schema must not take its server away.
        raise UnfitError(f"its schema cannot be read ({printable(str(error), 80)})") from error


def _whole(schema: Mapping[str, Any]) -> Schema:
    made = _Reader(schema).read(schema, 0)
    if made is None or made.get("type") != "object":
        raise UnfitError("its schema describes no object of arguments")
    made.setdefault("properties", {})
    if len(json.dumps(made)) > MOST_CHARACTERS:
        raise UnfitError(f"its schema takes more than {MOST_CHARACTERS} characters")
    return made


@dataclass
class _Reader:
    """Reads one schema; references are those of its root."""

    root: Mapping[str, Any]
    steps: int = 0
    within: list[str] = field(default_factory=list)
    """References that are being followed."""

    def read(self, schema: object, depth: int) -> Schema | None:
        """Return a schema in the dialect; None where nothing can ever meet it."""
        self._step()
        if schema is False:
            return None
        if not isinstance(schema, Mapping):
            return _any_of([{"type": each} for each in ANYTHING])
        reference = schema.get("$ref", schema.get("$dynamicRef"))
        if isinstance(reference, str):
            return self._referred(reference, schema, depth)
        whole = self._together(schema)
        made = self._shape(whole, depth)
        if made is not None:
            _describe(made, whole)
        return made

    def _referred(self, reference: str, schema: Mapping[str, Any], depth: int) -> Schema | None:
        target = _found(self.root, reference)
        if reference in self.within:
            return _cut(target)
        self.within.append(reference)
        made = self.read(target, depth)
        self.within.pop()
        if made is not None and isinstance(schema.get("description"), str):
            made.pop("description", None)
            _describe(made, schema)
        return made

    def _together(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put the parts of an ``allOf`` together, and theirs: what is said first counts."""
        whole = {key: value for key, value in schema.items() if key != "allOf"}
        parts = _parts(schema)
        followed: set[str] = set(self.within)
        while parts:
            self._step()
            part = parts.pop(0)
            reference = part.get("$ref") if isinstance(part, Mapping) else None
            if isinstance(reference, str):
                part = None if reference in followed else _found(self.root, reference)
                followed.add(reference)
            if isinstance(part, Mapping):
                _merge(whole, part)
                parts = _parts(part) + parts
        return whole

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise UnfitError(f"its schema has more than {MOST_STEPS} parts")

    def _shape(self, schema: Mapping[str, Any], depth: int) -> Schema | None:
        if "const" in schema:
            return _one_of([schema["const"]])
        if isinstance(choices := schema.get("enum"), Sequence) and not isinstance(choices, str):
            return _one_of(choices)
        for word in ("anyOf", "oneOf"):
            ways = schema.get(word)
            if isinstance(ways, Sequence) and not isinstance(ways, str) and ways:
                return self._alternatives(schema, ways, depth)
        named = schema.get("type")
        if isinstance(named, Sequence) and not isinstance(named, str):
            plain = {key: value for key, value in schema.items() if key not in _TOLD}
            return self._alternatives({}, [plain | {"type": each} for each in named], depth)
        if named == "null":
            return {"type": "null"}
        if named not in TYPES:
            named = _guessed(schema)
        match named:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "number" | "integer":
                return {"type": named} | _bounds(schema, named)
            case "string" | "boolean":
                return {"type": named}
            case _:
                return _any_of([{"type": each} for each in ANYTHING])

    def _alternatives(
        self, schema: Mapping[str, Any], ways: Sequence[object], depth: int
    ) -> Schema | None:
        if "properties" in schema:
            # Which of several groups must be there: checked by the server, told by nothing here.
            return self._object(schema, depth)
        beside = {"type": schema["type"]} if isinstance(schema.get("type"), str) else {}
        read = [
            self.read(beside | dict(way) if isinstance(way, Mapping) else way, depth)
            for way in ways
        ]
        return _any_of([each for each in read if each is not None])

    def _object(self, schema: Mapping[str, Any], depth: int) -> Schema | None:
        properties = schema.get("properties")
        if depth >= DEEPEST or not isinstance(properties, Mapping):
            return {"type": "object"}
        told = schema.get("required")
        names = {each for each in told if isinstance(each, str)} if _is_list(told) else set()
        made: Schema = {}
        for name, each in properties.items():
            read = self.read(each, depth + 1) if _is_name(name) else None
            if read is not None and name not in names:
                read = _without_null(read)
            if read is not None and read != {"type": "null"}:
                made[name] = read
            elif name in names:
                if depth:
                    return None
                raise UnfitError(f"its argument {printable(str(name), 40)!r} cannot be described")
        needed = [name for name in made if name in names]
        return {"type": "object", "properties": made} | ({"required": needed} if needed else {})

    def _array(self, schema: Mapping[str, Any], depth: int) -> Schema | None:
        if depth >= DEEPEST:
            return {"type": "array", "items": {"type": "string"}}
        items = schema.get("items", schema.get("prefixItems", True))
        if _is_list(items):
            read = [self.read(each, depth + 1) for each in items]
            item = _any_of([each for each in read if each is not None])
        else:
            item = self.read(items, depth + 1)
        return {"type": "array", "items": item or {"type": "string"}}


_TOLD = ("description", "title", "default", "examples", "enum", "const")


_INDEX = re.compile("[0-9]{1,6}")


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and printable(name) == name


def _found(root: Mapping[str, Any], reference: str) -> object:
    """Return what a reference within the document refers to. Raises UnfitError for any other."""
    if reference in {"#", ""}:
        return root
    here: Any = root
    if not reference.startswith("#/"):
        raise UnfitError(f"its schema refers to {printable(reference, 60)!r}, outside of itself")
    for step in reference[2:].split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping) and key in here:
            here = here[key]
        elif _is_list(here) and _INDEX.fullmatch(key) and int(key) < len(here):
            here = here[int(key)]
        else:
            missing = printable(reference, 60)
            raise UnfitError(f"its schema refers to {missing!r}, which is not there")
    return here


def _cut(target: object) -> Schema:
    """What stands where a schema begins to repeat itself."""
    named = target.get("type") if isinstance(target, Mapping) else None
    if named == "array":
        return {"type": "array", "items": {"type": "string"}}
    return {"type": named} if named in TYPES else {"type": "object"}


def _parts(schema: Mapping[str, Any]) -> list[object]:
    parts = schema.get("allOf")
    return list(parts) if _is_list(parts) else []


def _merge(whole: dict[str, Any], part: Mapping[str, Any]) -> None:
    for key, value in part.items():
        there = whole.get(key)
        if key == "allOf":
            continue
        if key not in whole:
            whole[key] = value
        elif key == "properties" and isinstance(there, Mapping) and isinstance(value, Mapping):
            whole[key] = dict(there) | {
                name: each for name, each in value.items() if name not in there
            }
        elif key == "required" and _is_list(there) and _is_list(value):
            whole[key] = [*there, *value]


def _guessed(schema: Mapping[str, Any]) -> str | None:
    """Tell the type by the words that only one type has."""
    if "properties" in schema or "additionalProperties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    if _bounds(schema, "number"):
        return "number"
    if "pattern" in schema or "minLength" in schema or "maxLength" in schema:
        return "string"
    return None


def _bounds(schema: Mapping[str, Any], named: str) -> Schema:
    made: Schema = {}
    for word, beyond, step in (
        ("minimum", "exclusiveMinimum", 1),
        ("maximum", "exclusiveMaximum", -1),
    ):
        bound = schema.get(word)
        if not _is_number(bound) and _is_number(schema.get(beyond)):
            bound = schema[beyond] + (step if named == "integer" else 0)
        if _is_number(bound):
            made[word] = bound
    return made


def _is_number(value: object) -> bool:
    """Whether it is a number that a double can hold, as JSON's are for nearly everybody."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _one_of(choices: Sequence[object]) -> Schema | None:
    """Return the schema of a choice; of strings alone it can be an enum."""
    made = []
    texts = list(dict.fromkeys(each for each in choices if isinstance(each, str)))
    if texts:
        made.append(_enum(texts))
    if any(isinstance(each, bool) for each in choices):
        made.append({"type": "boolean"})
    numbers = [each for each in choices if _is_number(each)]
    if numbers:
        whole = all(isinstance(each, int) for each in numbers)
        told = ", ".join(str(each) for each in dict.fromkeys(numbers))
        one: Schema = {"type": "integer" if whole else "number"}
        if len(told) <= LONGEST_CHOICE:
            one["description"] = f"one of: {told}"
        made.append(one)
    if any(each is None for each in choices):
        made.append({"type": "null"})
    if not made and any(isinstance(each, Mapping) for each in choices):
        made.append({"type": "object"})
    return _any_of(made)


def _enum(texts: Sequence[str]) -> Schema:
    fit = all(0 < len(each) <= LONGEST_CHOICE and printable(each) == each for each in texts)
    return (
        {"type": "string", "enum": list(texts)}
        if fit and len(texts) <= MOST_CHOICES
        else {"type": "string"}
    )


def _flat(ways: Sequence[Schema]) -> Iterator[Schema]:
    for way in ways:
        inner = way.get("anyOf")
        if inner is None:
            yield way
        else:
            yield from inner


def _any_of(ways: Sequence[Schema]) -> Schema | None:
    """Return the alternatives as one schema: none twice, the choices of strings as one enum."""
    told: list[Schema] = []
    for way in _flat(ways):
        if "enum" in way and (other := next((each for each in told if "enum" in each), None)):
            both = list(dict.fromkeys([*other["enum"], *way["enum"]]))
            merged = _enum(both)
            other.pop("enum")
            other.update(merged)
        elif way not in told:
            told.append(dict(way))
    unlike: list[Schema] = []
    for way in told:
        if way not in unlike:
            unlike.append(way)
    if not unlike:
        return None
    return unlike[0] if len(unlike) == 1 else {"anyOf": unlike}


def _without_null(schema: Schema) -> Schema | None:
    """Leave out null: an argument that need not be given is left out instead."""
    if schema == {"type": "null"}:
        return None
    if "anyOf" not in schema:
        return schema
    left = _any_of([each for each in schema["anyOf"] if each.get("type") != "null"])
    if left is not None and "description" in schema:
        left["description"] = schema["description"]
    return left


def _describe(made: Schema, schema: Mapping[str, Any]) -> None:
    """Add what is told of an argument, and its format, which has no word of its own here."""
    if made.get("type") == "null":
        return
    told = schema.get("description")
    words = told if isinstance(told, str) and told.strip() else made.get("description", "")
    named = schema.get("format")
    if made.get("type") == "string" and isinstance(named, str) and named not in words:
        words = f"{words} (format: {named})".strip()
    words = " ".join(printable(words, LONGEST_DESCRIPTION).split())
    if words:
        made["description"] = words


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", bool: "true or false"}.get(type(value), "something else")
