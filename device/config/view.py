"""`describe` shows a tree of settings as YAML; `differences` names what differs between two."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml
from pydantic import BaseModel

_NOT_TEXT_TO_ALL = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""Words that YAML 1.1 or 1.2 takes for something else."""


def describe(settings: BaseModel) -> str:
    """Write every setting as YAML that reads back as the same; a comment marks what was changed."""
    return "\n".join(_lines(settings, type(settings)(), "")) + "\n"


def changes(settings: BaseModel) -> str:
    """Write the settings that are not the default as YAML, each whole on one line."""
    return "".join(f"{line}\n" for line in _changes(settings, type(settings)(), ""))


def differences(old: BaseModel, new: BaseModel) -> set[str]:
    """Name the settings that differ, such as ``audio.volume``; a list is one setting."""
    found: set[str] = set()
    for name in type(old).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            found |= {f"{name}.{below}" for below in differences(before, after)}
        elif before != after:
            found.add(name)
    return found


def flow(value: object) -> str:
    """Write a value on one line of YAML."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(name)}: {flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return _text(value)
    return str(value)


def _lines(settings: BaseModel, default: BaseModel, indent: str) -> Iterator[str]:
    for name in type(settings).model_fields:
        value, usual = getattr(settings, name), getattr(default, name)
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _lines(value, usual, indent + "  ")
        else:
            changed = "" if value == usual else f"  # default: {flow(usual)}"
            yield f"{indent}{name}: {flow(value)}{changed}"


def _changes(settings: BaseModel, default: BaseModel, indent: str) -> Iterator[str]:
    for name in type(settings).model_fields:
        value, usual = getattr(settings, name), getattr(default, name)
        if value == usual:
            continue
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _changes(value, usual, indent + "  ")
        else:
            yield f"{indent}{name}: {flow(value)}"


def _text(text: str) -> str:
    """Write text plain where no reader could take it for something else, quoted elsewhere."""
    plain = re.fullmatch(r"[A-Za-z/][\w./-]*(://[\w./:-]+)?", text, re.ASCII)
    if plain and text.lower() not in _NOT_TEXT_TO_ALL:
        return text
    quoted: str = yaml.dump(text, default_style='"', width=10**9, allow_unicode=True)
    return quoted.rstrip("\n")
