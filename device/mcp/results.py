"""`answer` makes what a model is answered of what a server's tool returned. Pure.

What a tool returns is text from elsewhere. It goes to the model as a field of the answer of that
call, never as an instruction; it is bounded, since it is billed again in every turn that follows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from device.mcp.wanted import Wanted
from device.text import printable_lines

LONGEST_RESULT = 8_000
"""Characters, about 2,000 tokens."""
LONGEST_ERROR = 1_000
"""Characters of what a server says went wrong."""
LOOKED_AT = 4
"""So many times as many characters as are kept are looked at: some may show as nothing."""

Answer = Mapping[str, Any]


def answer(wanted: Wanted, function: str, result: Mapping[str, Any]) -> Answer:
    """Return ``{"output": …}`` or ``{"error": …}`` for a result of ``tools/call`` as JSON holds it.

    Live API: an answer without content is taken for none, and the call is repeated; so there is
    always something in it.
    """
    blocks = result.get("content")
    texts, left_out = _read(blocks if isinstance(blocks, Sequence) else ())
    whole = "\n".join(texts)
    if result.get("isError"):
        words = bounded(wanted, whole, LONGEST_ERROR)[0].strip()
        return error(words or f"{function} failed, and {wanted.name} does not say why")
    notes = [f"{what} left out: only text is taken from a tool" for what in left_out]
    told: dict[str, Any] = {}
    structured = result.get("structuredContent")
    text, note = bounded(wanted, whole, LONGEST_RESULT)
    if text.strip() or note:
        told["result"] = text
        notes += [note] if note else []
    elif structured:
        told["result"], note = _structured(wanted, structured)
        notes += [note] if note else []
    else:
        told["status"] = "done"
    if notes:
        told["note"] = "; ".join(notes)
    return {"output": told}


def error(words: str) -> Answer:
    """Return an answer that says what went wrong."""
    return {"error": words}


def bounded(wanted: Wanted, text: str, longest: int) -> tuple[str, str]:
    """Return text of a server that only shows, in lines, without secrets of ours; cut as by `cut`.

    It takes time for as much as is kept, and not for all that came: 4 MB take a Pi a second to
    clean, in which it hears nothing.
    """
    # The secret first, whole, so that no half of it is left where the text is cut.
    whole = wanted.blot(text).replace("\r\n", "\n")
    return _cleaned(whole, longest, str(len(whole)))


def _cleaned(text: str, longest: int, total: str) -> tuple[str, str]:
    read = LOOKED_AT * longest
    kept, note = cut(printable_lines(text[:read]), longest, total)
    return kept, note or (_note(kept, total) if len(text) > read else "")


def cut(text: str, longest: int, total: str = "") -> tuple[str, str]:
    """Return a text in at most so many characters, and a note where something was cut.

    It is cut at the end of a line where one is near. ``total`` says how many characters there were.
    """
    if len(text) <= longest:
        return text, ""
    kept = text[:longest]
    at_line = kept.rfind("\n")
    if at_line >= longest * 3 // 4:
        kept = kept[:at_line]
    return kept, _note(kept, total or str(len(text)))


def _note(kept: str, total: str) -> str:
    return f"cut: the first {len(kept)} of {total} characters; ask for less at a time"


def _read(blocks: Sequence[object]) -> tuple[list[str], list[str]]:
    """Return the texts, and what else there is, in words."""
    texts: list[str] = []
    others: list[str] = []
    for block in blocks:
        if not isinstance(block, Mapping):
            continue
        match block.get("type"):
            case "text":
                texts.append(str(block.get("text", "")))
            case "resource":
                inner = block.get("resource")
                inner = inner if isinstance(inner, Mapping) else {}
                if isinstance(inner.get("text"), str):
                    texts.append(inner["text"])
                else:
                    others.append("a file")
            case "resource_link":
                texts.append(f"{block.get('name', '')} {block.get('uri', '')}".strip())
            case "image":
                others.append("a picture")
            case "audio":
                others.append("a sound")
            case _:
                others.append("something of another kind")
    return texts, list(dict.fromkeys(others))


def _structured(wanted: Wanted, structured: object) -> tuple[object, str]:
    """Return structured content: as it is where it is short, else as text that is cut."""
    written: list[str] = []
    length = 0
    # Piece by piece, for as long as it is of use; a text in it is one piece, whatever its length.
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(structured):
        written.append(piece)
        length += len(piece)
        if length > LOOKED_AT * LONGEST_RESULT:
            break
    whole = wanted.blot("".join(written))
    more = "more than " if length > LOOKED_AT * LONGEST_RESULT else ""
    text, note = _cleaned(whole, LONGEST_RESULT, f"{more}{len(whole)}")
    if note:
        return text, note
    try:
        return json.loads(text), ""
    except ValueError:
        return text, ""
