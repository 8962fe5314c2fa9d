"""(pure) The dataclasses of a script are built from what YAML or JSON holds.

Tested in tests/simulator/test_script.py.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from device.errors import ScriptError

Built = TypeVar("Built")


def build(kind: type[Built], raw: object, where: str) -> Built:
    """Build a dataclass from a mapping of its fields. Raises ScriptError naming the place."""
    if not isinstance(raw, Mapping):
        raise ScriptError(f"{where}: {raw!r} is not a mapping; give fields of {kind.__name__}")
    known = {each.name: each for each in fields(cast("Any", kind))}
    for key in raw:
        if key not in known:
            raise ScriptError(f"{where}: unknown key {key!r}{_did_you_mean(str(key), list(known))}")
    for name, each in known.items():
        if name not in raw and each.default is MISSING and each.default_factory is MISSING:
            raise ScriptError(f"{where}: {name} is missing")
    hints = get_type_hints(kind)
    return kind(**{key: _value(hints[key], raw[key], f"{where}.{key}") for key in raw})


def _value(hint: Any, raw: object, where: str) -> object:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(hint), raw, where)
    if origin is tuple:
        if not isinstance(raw, list | tuple):
            raise ScriptError(f"{where}: {raw!r} is not a list")
        item = get_args(hint)[0]
        return tuple(_value(item, each, f"{where}[{place}]") for place, each in enumerate(raw))
    if is_dataclass(hint):
        return build(cast("type[object]", hint), raw, where)
    if not _fits(hint, raw):
        raise ScriptError(f"{where}: {raw!r} does not fit; expected {_name(hint)}")
    return float(cast("float", raw)) if hint is float else raw


def _one_of(hints: tuple[Any, ...], raw: object, where: str) -> object:
    classes = {_snake(_name(hint)): hint for hint in hints if is_dataclass(hint)}
    plain = [hint for hint in hints if not is_dataclass(hint)]
    if classes and (isinstance(raw, Mapping) or not plain):
        return _tagged(classes, raw, where)
    for hint in plain:
        if get_origin(hint) is tuple and isinstance(raw, list | tuple):
            return _value(hint, raw, where)
        if _fits(hint, raw):
            return raw
    raise ScriptError(
        f"{where}: {raw!r} does not fit; expected {' or '.join(_name(hint) for hint in hints)}"
    )


def _tagged(classes: Mapping[str, Any], raw: object, where: str) -> object:
    """One of several dataclasses: its name in snake case, alone or over its fields."""
    if isinstance(raw, str):
        raw = {raw: {}}
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise ScriptError(f"{where}: {raw!r} is not one of {', '.join(classes)}")
    name, inner = next(iter(raw.items()))
    if name not in classes:
        raise ScriptError(f"{where}: unknown {name!r}{_did_you_mean(str(name), list(classes))}")
    return build(classes[name], inner, f"{where}.{name}")


def _fits(hint: Any, raw: object) -> bool:
    origin = get_origin(hint)
    if origin is Literal:
        return raw in get_args(hint)
    if hint is float:
        return isinstance(raw, int | float) and not isinstance(raw, bool)
    if hint is int:
        return isinstance(raw, int) and not isinstance(raw, bool)
    return isinstance(raw, origin or hint)


def _name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return ", ".join(map(str, get_args(hint)))
    return getattr(hint, "__name__", str(hint))


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _did_you_mean(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
