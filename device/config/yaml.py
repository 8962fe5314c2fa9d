"""`read` turns YAML into plain values and remembers at which line and column each stands.

Only what an owner needs in a configuration is taken: sections, lists and scalars of one document.
Anchors, aliases and tags are refused, so no text can grow in memory or name a Python object.
Scalars follow YAML 1.2 rather than 1.1: only ``true`` and ``false`` are booleans, so ``off``,
``no`` and ``12:30`` stay the text that was written, and the configuration decides what they mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from device.errors import Mistake

KeyPath = tuple[str | int, ...]
"""The way to a value: keys of sections and places in lists, such as ``("wake", "words", 0)``."""

MAX_DEPTH = 12
"""Sections and lists inside each other; far more than any configuration has."""

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_TAG = "tag:yaml.org,2002:"


class Spot(NamedTuple):
    """A place in the text, both 1-based; columns count characters."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """What one YAML text says, and where."""

    data: object = None
    """dict, tuple, str, int, float, bool or None."""
    values: dict[KeyPath, Spot] = field(default_factory=dict)
    """Where each value begins; the whole document's under ``()``."""
    keys: dict[KeyPath, Spot] = field(default_factory=dict)
    """Where the key of each value of a section begins."""
    mistakes: list[Mistake] = field(default_factory=list)
    readable: bool = True
    """False after a syntax error: ``data`` then says nothing."""

    def spot(self, path: KeyPath) -> Spot:
        """Return where the value at ``path`` begins, or the nearest thing around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.values:
                return self.values[path[:end]]
        return self.values.get((), Spot(1, 1))


def read(text: str) -> Document:
    """Read one YAML document; never raises for anything the text may contain."""
    document = Document()
    try:
        root = _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        message = f"character U+{int(error.character):04X} cannot be in a configuration: delete it"
        return _unreadable(message, spot_at(text, error.position))
    except yaml.MarkedYAMLError as error:
        message, mark = _explain(error)
        return _unreadable(message, _spot(mark) if mark else Spot(1, 1))
    except (ValueError, OverflowError):
        # PyYAML passes on chr()'s own errors for an escape such as "\UFFFFFFFF".
        return _unreadable("a quoted text here holds an escape that is no character", Spot(1, 1))
    if root is not None:
        document.data = _value(root, (), document)
    return document


def spot_at(text: str, index: int) -> Spot:
    """Line and column of the character at ``index``, counting lines as YAML does."""
    line, start = 1, 0
    for line_break in _LINE_BREAK.finditer(text, 0, index):
        line, start = line + 1, line_break.end()
    return Spot(line, index - start + 1)


def dotted(path: KeyPath) -> str:
    """Write a path as ``wake.words[0].threshold``; odd keys are quoted and shortened."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = part if re.fullmatch(r"[\w-]{1,60}", part) else shortened(part)
        text += f".{plain}" if text else plain
    return text


def shortened(value: object) -> str:
    """Name a value in an error: as written where that is short, else its beginning."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, dict):
        return "a section"
    return "a list" if isinstance(value, tuple) else str(value)[:40]


class _RefusedError(yaml.composer.ComposerError):
    """Correct YAML that no configuration needs."""


class _Loader(yaml.SafeLoader):
    """Composes nodes only; knows YAML 1.2's scalars; refuses what can grow or nest for ever."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            message = "anchors (&) and aliases (*) are not taken: write the value out, or quote it"
            raise _RefusedError(None, None, message, event.start_mark)
        if self._depth == MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels inside each other: no key is that deep"
            raise _RefusedError(None, None, message, event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {}  # without this SafeLoader's would be copied
_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"(~|null|Null|NULL|)\Z"), None)
_Loader.add_implicit_resolver(
    _TAG + "bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)
_Loader.add_implicit_resolver(_TAG + "int", re.compile(r"[-+]?[0-9]+\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _TAG + "float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z"),
    list("-+.0123456789"),
)


def _value(node: yaml.Node, path: KeyPath, document: Document) -> object:
    document.values[path] = _spot(node.start_mark)
    kind = node.tag.removeprefix(_TAG)
    if kind not in {"null", "bool", "int", "float", "str", "map", "seq"}:
        _add(document, path, node, "tags (!) are not taken: delete the word that begins with !")
        return None
    if isinstance(node, yaml.MappingNode):
        return _section(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return tuple(_value(item, (*path, i), document) for i, item in enumerate(node.value))
    return _scalar(kind, node.value)


def _section(node: yaml.MappingNode, path: KeyPath, document: Document) -> dict[str, object]:
    section: dict[str, object] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            _add(document, path, key, "a list or a section cannot be a key")
            continue
        name = str(key.value)
        below = (*path, name)
        if name in section:
            first = document.keys[below].line
            _add(document, below, key, f"is there twice: delete this one or line {first}")
            continue
        document.keys[below] = _spot(key.start_mark)
        section[name] = _value(value, below, document)
    return section


def _scalar(kind: str, text: str) -> object:
    """Turn a scalar into what it stands for; text where it does not stand for anything else."""
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text)
            case "float":
                return float(text)
    except ValueError:
        pass  # such as 5,000 digits, which Python refuses to read as a number
    return text


_EXPLANATIONS = (
    ("found character '\\t'", "a tab cannot be here: use spaces"),
    ("cannot start any token", "a value cannot begin with this character: put it in quotes"),
    (
        "mapping values are not allowed",
        "a colon cannot be here: quote the value, line it up, or add the colon missing above",
    ),
    ("could not find expected ':'", "a colon is missing: write key: value"),
    ("expected <block end>", "this line does not line up with those above it"),
    ("expected ',' or ']'", "a comma or the closing ] is missing"),
    ("expected ',' or '}'", "a comma or the closing } is missing"),
    ("found unexpected end of stream", "a quote is opened here and never closed"),
    ("found another document", "a second document begins here: one file is one configuration"),
)


_TOLD_WHERE_IT_BEGAN = {"could not find expected ':'", "found unexpected end of stream"}


def _explain(error: yaml.MarkedYAMLError) -> tuple[str, yaml.Mark | None]:
    """Say what PyYAML found, in words for somebody who does not know YAML's grammar, and where."""
    problem = error.problem or "no reason known"
    mark = error.problem_mark or error.context_mark
    if isinstance(error, _RefusedError):
        return problem, mark
    for part, explanation in _EXPLANATIONS:
        if part in problem:
            begun = part in _TOLD_WHERE_IT_BEGAN
            return explanation, error.context_mark if begun else mark
    return f"cannot be read: {problem}", mark


def _add(document: Document, path: KeyPath, node: yaml.Node, message: str) -> None:
    spot = _spot(node.start_mark)
    document.mistakes.append(Mistake(dotted(path), message, spot.line, spot.column))


def _unreadable(message: str, spot: Spot) -> Document:
    return Document(mistakes=[Mistake("", message, spot.line, spot.column)], readable=False)


def _spot(mark: yaml.Mark) -> Spot:
    return Spot(mark.line + 1, mark.column + 1)
