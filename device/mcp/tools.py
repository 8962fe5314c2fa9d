"""`select` makes functions for the model of what MCP servers offer, as many as it can bear. Pure.

Every declaration is billed in every turn, and a setup with too many is refused. So there is a cap
over all servers together. What is left out is chosen in a way that does not depend on chance or
on who connected first: the servers take turns, each in its own order, so that one with hundreds of
tools leaves room for the others.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import zip_longest
from typing import Any

from device.mcp.schemas import UnfitError, simplified
from device.mcp.wanted import Wanted
from device.text import printable

MOST_TOOLS = 100
"""Declarations of all servers together. Google's guides speak of 128 at most (Vertex), and of
10 to 20 for a good choice; the speaker's own need some."""
MOST_TOKENS = 8_000
"""What all of them may cost in each turn, estimated: a third of the context at which a talk is
compressed by default (25,600), and 0.6 cents a turn at $0.75 a million."""
CHARACTERS_PER_TOKEN = 4
"""Of English text and JSON. ai.google.dev (tokens): a token is about four characters."""
LONGEST_PURPOSE = 1_000
"""Characters of a tool's description, 250 tokens in each turn; some servers put a manual there."""
LONGEST_FUNCTION_NAME = 64
"""Live API: at most 64 characters of a function's name."""
HASH_CHARACTERS = 6
"""Of a name that would be another's, or too long: told apart by so much of its hash."""
SHOWN_NAME = 80
"""Characters of a server's own name of a tool where it is shown."""


@dataclass(frozen=True)
class Offer:
    """A tool as a server lists it; everything in it is text from elsewhere."""

    own_name: str
    purpose: str
    schema: object

    @cached_property
    def parameters(self) -> Mapping[str, Any] | str:
        """The schema as the Live API takes it, or why it cannot be put so.

        It is kept: it takes milliseconds, and all offers are asked for it when one server changes.
        """
        try:
            return simplified(self.schema)
        except UnfitError as error:
            return str(error)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of a server as a function that the model can call."""

    name: str
    """As the model calls it: ``NAME_…``; letters, digits and ``_``, at most 64, no two alike."""
    server: str
    own_name: str
    """As the server calls it."""
    purpose: str
    """What it does, in the server's words: one line, bounded."""
    parameters: Mapping[str, Any]
    """JSON Schema of an object, as the Live API takes it."""
    confirm: bool
    """Whether the owner wants to be asked first."""
    deadline_s: float
    tokens: int
    """What its declaration costs in each turn, estimated."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the model is offered of all servers, and what not."""

    tools: Sequence[Tool]
    left_out: Mapping[str, Sequence[str]]
    """By server: each tool that is not offered, with the reason, but for those the owner does not
    want; and each pattern of the owner's that matches nothing."""


def select(offers: Sequence[tuple[Wanted, Sequence[Offer]]]) -> Selection:
    """Choose what is declared, in the order of the configuration and of each server."""
    left_out: dict[str, list[str]] = {}
    taken: set[str] = set()
    fit: list[list[Tool]] = []
    for wanted, listed in offers:
        told = left_out.setdefault(wanted.name, [])
        fit.append(_functions(wanted, listed, taken, told))
        told.extend(_unmatched(wanted, listed))
    chosen: set[str] = set()
    spent = 0
    for tool in (tool for turn in zip_longest(*fit) for tool in turn if tool is not None):
        if len(chosen) >= MOST_TOOLS:
            why = f"more than {MOST_TOOLS} functions; narrow `only` in tools.mcp"
        elif spent + tool.tokens > MOST_TOKENS:
            why = f"more than {MOST_TOKENS} tokens in each turn; narrow `only` in tools.mcp"
        else:
            chosen.add(tool.name)
            spent += tool.tokens
            continue
        left_out[tool.server].append(f"{printable(tool.own_name, SHOWN_NAME)}: {why}")
    return Selection([tool for tools in fit for tool in tools if tool.name in chosen], left_out)


def _functions(
    wanted: Wanted, listed: Sequence[Offer], taken: set[str], left_out: list[str]
) -> list[Tool]:
    """Return the tools of one server that can be functions and are wanted."""
    tools = []
    seen = set()
    for offer in listed:
        own = offer.own_name
        if not is_wanted(own, wanted):
            continue
        if own in seen:
            left_out.append(f"{printable(own, SHOWN_NAME)}: it is listed twice")
            continue
        seen.add(own)
        parameters = offer.parameters
        if isinstance(parameters, str):
            left_out.append(f"{printable(own, SHOWN_NAME)}: {parameters}")
            continue
        name = function_name(wanted.name, own, taken)
        taken.add(name)
        purpose = " ".join(printable(wanted.blot(offer.purpose), LONGEST_PURPOSE).split())
        tools.append(
            Tool(
                name=name,
                server=wanted.name,
                own_name=own,
                purpose=purpose or own,
                parameters=parameters,
                confirm=_matches(own, wanted.confirm),
                deadline_s=wanted.timeout_s,
                tokens=tokens(name, purpose, parameters),
            )
        )
    return tools


def function_name(server: str, own_name: str, taken: set[str]) -> str:
    """Return the name that a tool is called by; ``taken`` are those it must not be.

    It is the same at each start, as long as it is not another's.
    """
    plain = re.sub(r"[^A-Za-z0-9_]", "_", f"{server}_{own_name}")
    if not re.match(r"[A-Za-z_]", plain):
        plain = f"_{plain}"
    name = plain
    told_apart = 0
    while len(name) > LONGEST_FUNCTION_NAME or name in taken:
        seed = f"{server}\n{own_name}\n{told_apart or ''}".encode(errors="replace")
        mark = hashlib.sha256(seed).hexdigest()[:HASH_CHARACTERS]
        name = f"{plain[: LONGEST_FUNCTION_NAME - HASH_CHARACTERS - 1]}_{mark}"
        told_apart += 1
    return name


def is_wanted(own_name: str, wanted: Wanted) -> bool:
    """Whether the owner wants a tool of that name, by `only` and `never`."""
    if _matches(own_name, wanted.never):
        return False
    return not wanted.only or _matches(own_name, wanted.only)


def _matches(own_name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(own_name, pattern) for pattern in patterns)


def _unmatched(wanted: Wanted, listed: Sequence[Offer]) -> list[str]:
    """Tell the owner's patterns that match nothing: a misspelt `confirm` asks nobody."""
    names = [offer.own_name for offer in listed]
    return [
        f"{key}: {printable(pattern, SHOWN_NAME)!r} matches no tool of it"
        for key, patterns in (
            ("only", wanted.only),
            ("never", wanted.never),
            ("confirm", wanted.confirm),
        )
        for pattern in patterns
        if not any(fnmatchcase(name, pattern) for name in names)
    ]


def tokens(name: str, purpose: str, parameters: Mapping[str, Any]) -> int:
    """Estimate what the declaration of a function costs in each turn."""
    told = {"name": name, "description": purpose, "parameters_json_schema": parameters}
    return tokens_of(json.dumps(told, ensure_ascii=False))


def tokens_of(text: str) -> int:
    """Estimate how many tokens a text is."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)
