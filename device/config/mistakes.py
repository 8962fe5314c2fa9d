"""A mistake says which key is wrong where, what is wrong with it, and what to write.

Tested in tests/config/test_load.py.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from device.config.view import flow
from device.config.yaml import Document, KeyPath, dotted, shortened, spot_at
from device.credentials.api_key import KEY_FILE, LOOK, VARIABLES
from device.credentials.credential import CREDENTIAL_LOOK, WHERE_IT_BELONGS
from device.errors import Mistake

MAX_MISTAKES: Final = 200
"""More are counted, not listed: the file is then something else than a configuration."""

_KEY_NAMES = {"api_key", "apikey", "key", "gemini_key", *(name.lower() for name in VARIABLES)}
_TOKEN_NAMES = {
    *("token", "access_token", "bearer", "bearer_token", "authorization", "secret", "password"),
    "client_secret",
}
_NAME = ("[key]",)
"""How pydantic ends the place of a name that is wrong, among names that the owner chooses."""
_SECRET = re.compile(f"{LOOK}|{CREDENTIAL_LOOK}")
_WHERE_A_KEY_BELONGS = (
    f"an API key does not belong in this file: put it into {KEY_FILE}, or into the variable "
    f"{VARIABLES[0]}"
)


class _Expected(NamedTuple):
    """What a place in the file may hold."""

    kind: Any
    """The annotation: a type, a Literal, a model, a tuple."""
    bounds: tuple[Any, ...] = ()
    """As annotated_types has them."""
    example: Any = None
    """The default, or what the key names as an example."""


# --- secrets -------------------------------------------------------------------------------------


def secrets(text: str, document: Document) -> list[Mistake]:
    """Find keys and tokens, by the name of the key or the look of the value, comments included."""
    found = {
        spot: (path, _WHERE_A_KEY_BELONGS if _named(path) in _KEY_NAMES else WHERE_IT_BELONGS)
        for path, spot in document.keys.items()
        if _is_secret(path)
    }
    lines = {spot.line for spot in found}
    for match in _SECRET.finditer(text):
        spot = spot_at(text, match.start())
        if spot.line not in lines:
            is_key = re.match(LOOK, match[0]) is not None
            found[spot] = ((), _WHERE_A_KEY_BELONGS if is_key else WHERE_IT_BELONGS)
    return [Mistake(dotted(path), message, *spot) for spot, (path, message) in found.items()]


def _is_secret(path: KeyPath) -> bool:
    return _named(path) in _KEY_NAMES | _TOKEN_NAMES


def _named(path: KeyPath) -> str:
    return str(path[-1]).lower().replace("-", "_")


def _without_secrets(text: str) -> str:
    return _SECRET.sub("(hidden)", text)


# --- from pydantic's errors to an owner's words ---------------------------------------------------


def explain(
    error: ValidationError, model: type[BaseModel], document: Document
) -> Iterator[Mistake]:
    """Word each of pydantic's errors, at its place in the document."""
    for found in error.errors(include_url=False):
        path: KeyPath = found["loc"]
        of_name = path[-1:] == _NAME and found["type"] == "value_error"
        path = path[:-1] if of_name else path
        if path and _is_secret(path):
            continue  # told by secrets()
        if found["type"] == "too_short" and found["input"]:
            continue  # pydantic counts the faultless items only
        spot = document.spot(path)
        if found["type"] == "extra_forbidden" or of_name:
            spot = document.keys.get(path, spot)
        yield Mistake(dotted(path), _message(found, path, model), *spot)


def at_their_places(found: Iterable[tuple[KeyPath, str]], document: Document) -> list[Mistake]:
    """Give each (path, message) its line and column."""
    return [Mistake(dotted(path), message, *document.spot(path)) for path, message in found]


def in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Sort by place, hide anything that looks like a key, and end an endless list."""
    ordered = sorted(mistakes, key=lambda m: (m.line, m.column, m.where))
    listed = [
        Mistake(_without_secrets(m.where), _without_secrets(m.message), m.line, m.column)
        for m in ordered[:MAX_MISTAKES]
    ]
    if len(ordered) > MAX_MISTAKES:
        last = ordered[MAX_MISTAKES]
        message = f"and {len(ordered) - MAX_MISTAKES} more mistakes from here on"
        listed.append(Mistake("", message, last.line, last.column))
    return listed


def _message(error: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    value = error["input"]
    if error["type"] == "extra_forbidden":
        return _unknown_key(path, model)
    expected = _expected(path, model)
    if error["type"] == "missing":
        return f"is missing: write it{_example(expected)}"
    if value is None:
        return f"has no value: write one{_example(expected)}, or delete the line"
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "literal_error":
            return _not_one_of(value, expected)
        case "bool_type":
            return f"{shortened(value)} is not true or false"
        case "string_type":
            return f"{shortened(value)} is not text: write a text, in quotes if it is a number"
        case "string_too_short":
            return f"is empty: write a text{_example(expected)}"
        case "too_short":
            return f"is an empty list: at least one is needed{_example(expected)}"
        case "string_too_long" | "too_long":
            unit = "characters" if isinstance(value, str) else "items"
            unit = "names" if isinstance(value, dict) else unit
            return f"has more than {error['ctx']['max_length']} {unit}: shorten it"
        case "tuple_type":
            return f"{shortened(value)} is not a list: write one{_example(expected)}"
        case "model_type" | "dict_type":
            return _not_a_section(value, expected)
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return _out_of_range(value, expected)
        case _:
            return _not_a_number(value, expected)


def _unknown_key(path: KeyPath, model: type[BaseModel]) -> str:
    key = str(path[-1])
    here = list(_expected(path[:-1], model).kind.model_fields)
    if close := difflib.get_close_matches(key[:60].lower(), here, n=1):
        return f"unknown key: did you mean {close[0]}?"
    if elsewhere := [known for known in _known(model, ()) if known[-1] == key.lower()]:
        return f"unknown key here: did you mean {dotted(elsewhere[0])}?"
    return f"unknown key: known here are {', '.join(here)}"


def _not_one_of(value: object, expected: _Expected) -> str:
    words = get_args(expected.kind)
    close = difflib.get_close_matches(str(value)[:60].strip().lower(), words, n=1)
    hint = f": did you mean {close[0]}?" if close else ""
    return f"{shortened(value)} is not one of {', '.join(words)}{hint}"


def _not_a_section(value: object, expected: _Expected) -> str:
    if get_origin(expected.kind) is Mapping:
        return f"{shortened(value)} is not a section: write names, each with keys of its own"
    for name, field in expected.kind.model_fields.items():
        if field.is_required() and isinstance(value, str):
            return f"{shortened(value)} stands alone: write {{{name}: {flow(value[:40])}}}"
    keys = ", ".join(expected.kind.model_fields)
    return f"{shortened(value)} is not a section: it has keys of its own ({keys})"


def _not_a_number(value: object, expected: _Expected) -> str:
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,12}(\.[0-9]{1,12})?", value):
        return f"{shortened(value)} is text: write {value} without quotes"
    decimal = isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,12},[0-9]{1,12}", value)
    if decimal and expected.kind is float:
        return f"{shortened(value)} has a comma: write {str(value).replace(',', '.')}"
    what = "a whole number" if expected.kind is int and isinstance(value, float) else "a number"
    return f"{shortened(value)} is not {what}: choose{_example(expected)[1:]}"


def _example(expected: _Expected) -> str:
    return "" if expected.example is None else f", e.g. {flow(expected.example)}"


def _out_of_range(value: float, expected: _Expected) -> str:
    """Say ``not in 0..100``; ``not above 0`` where the lower bound itself is out and was missed."""
    bounds = {
        name: getattr(bound, name)
        for bound in expected.bounds
        for name in ("ge", "gt", "le")
        if hasattr(bound, name)
    }
    bounds_text = f"in {bounds.get('ge', bounds.get('gt'))}..{bounds['le']}"
    if "gt" in bounds and value <= bounds["gt"]:
        bounds_text = f"above {bounds['gt']}"
    return f"{shortened(value)} is not {bounds_text}: choose{_example(expected)[1:]}"


# --- what the keys expect, read from the models ---------------------------------------------------


def _expected(path: KeyPath, model: type[BaseModel]) -> _Expected:
    expected = _Expected(model)
    for part in path:
        if get_origin(expected.kind) is Mapping:
            expected = _Expected(get_args(expected.kind)[1])
        elif isinstance(part, str):
            expected = _of_key(expected.kind.model_fields[part])
        else:
            expected = _of_item(expected, part)
    return expected


def _of_key(field: FieldInfo) -> _Expected:
    example = (
        field.examples[0] if field.examples else None if field.is_required() else field.default
    )
    return _Expected(_unless_null(field.annotation), tuple(field.metadata), example)


def _unless_null(kind: Any) -> Any:
    """Return what a value is where it is not null."""
    if get_origin(kind) is not UnionType and get_origin(kind) is not Union:
        return kind
    others = [each for each in get_args(kind) if each is not NoneType]
    return others[0] if len(others) == 1 else kind


def _of_item(sequence: _Expected, place: int) -> _Expected:
    item = get_args(sequence.kind)[0]
    known = sequence.example
    example = known[min(place, len(known) - 1)] if known else None
    if get_origin(item) is not Annotated:
        return _Expected(item, (), example)
    kind, *more = get_args(item)
    bounds = [bound for field in more if isinstance(field, FieldInfo) for bound in field.metadata]
    return _Expected(kind, tuple(bounds), example)


def _known(model: type[BaseModel], above: KeyPath) -> Iterator[KeyPath]:
    """Every key of the configuration, outermost first."""
    for name in model.model_fields:
        yield (*above, name)
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known(field.annotation, (*above, name))
