"""`across_keys` finds keys that are right by themselves and wrong beside each other.

Tested in tests/config/test_load.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from device.config.keys import Config
from device.config.kinds import is_currency
from device.config.mcp import across_servers
from device.config.mixer import across_mixer
from device.config.personas import sources
from device.config.yaml import KeyPath, shortened

DOLLAR = "USD"
"""What prices are in."""


def across_keys(data: object) -> Iterator[tuple[KeyPath, str]]:
    """Compare keys with each other: the key to blame, and what is wrong with it.

    ``data`` is the file as read, so that this is found together with mistakes in single keys;
    what has the wrong type there is left alone.
    """
    yield from _compression(data)
    yield from _twice(data, ("wake", "words"), "model")
    yield from _twice(data, ("lights", "pins"), None)
    yield from _personas(data)
    servers: KeyPath = ("tools", "mcp")
    yield from _twice(data, servers, "name")
    for path, message in across_servers(_setting(data, servers)):
        yield (*servers, *path), message
    for path, message in across_mixer(_written(data, ("mixer",))):
        yield ("mixer", *path), message
    yield from _currency(data)
    yield from _prices(data)
    pins, pin = _setting(data, ("lights", "pins")), _setting(data, ("button", "pin"))
    if _setting(data, ("lights", "driver")) == "gpio" and isinstance(pins, tuple) and pin in pins:
        yield ("button", "pin"), f"GPIO {pin} is one of lights.pins: choose another for one of them"
    supply = _setting(data, ("lights", "power_pin"))
    if type(supply) is int and supply == pin:
        message = f"GPIO {pin} is lights.power_pin too: choose another for one of them"
        yield ("button", "pin"), message


def _compression(data: object) -> Iterator[tuple[KeyPath, str]]:
    section: KeyPath = ("live", "compression")
    target = _setting(data, (*section, "target_tokens"))
    trigger = _setting(data, (*section, "trigger_tokens"))
    if type(target) is type(trigger) is int and target >= trigger > 1:
        written = _written(data, section)
        blamed = "target_tokens" if "target_tokens" in written else "trigger_tokens"
        message = f"target_tokens ({target}) must be less than trigger_tokens ({trigger})"
        yield (*section, blamed), f"{message}: choose half of it, {trigger // 2}"


def _currency(data: object) -> Iterator[tuple[KeyPath, str]]:
    currency = _setting(data, ("spending", "currency"))
    rate = _setting(data, ("spending", "per_usd"))
    if isinstance(currency, str) and is_currency(currency) and currency != DOLLAR and rate is None:
        message = f"prices are in {DOLLAR}: write spending.per_usd too, how many {currency} a US"
        yield ("spending", "currency"), f"{message} dollar is, e.g. 0.92"
    if currency == DOLLAR and type(rate) in {int, float} and rate != 1:
        message = f"a US dollar is 1 {DOLLAR}: delete this, or write spending.currency too"
        yield ("spending", "per_usd"), f"{shortened(rate)} beside the currency {DOLLAR}: {message}"


def _prices(data: object) -> Iterator[tuple[KeyPath, str]]:
    """Find a model that has its prices twice, since a name may begin with ``models/``."""
    section: KeyPath = ("spending", "prices")
    written = _written(data, section)
    for name in written:
        bare = str(name).removeprefix("models/")
        if bare != name and bare in written:
            yield (*section, name), f"{shortened(bare)} has prices too: delete one of them"


def _personas(data: object) -> Iterator[tuple[KeyPath, str]]:
    """Find words of personas that there are not, and sources of functions that there are not."""
    personas = _written(data, ("personas",))
    words = _setting(data, ("wake", "words"))
    for place, word in enumerate(_sections(words)):
        name = word.get("persona")
        if isinstance(name, str) and name not in personas:
            message = f"there is no persona {shortened(name)}{_choices(name, personas)}"
            yield ("wake", "words", place, "persona"), message
    servers = _setting(data, ("tools", "mcp"))
    named = [each.get("name") for each in _sections(servers)]
    there = [*sources(), *(name for name in named if isinstance(name, str))]
    for persona, keys in personas.items():
        tools = keys.get("tools") if isinstance(keys, dict) else None
        tools = tools if isinstance(tools, tuple) else ()
        for place, source in enumerate(tools):
            if not isinstance(source, str):
                continue
            path: KeyPath = ("personas", persona, "tools", place)
            if source not in there:
                message = f"{shortened(source)} is no source of functions"
                yield path, f"{message}{_choices(source, there)}"
            elif source in tools[:place]:
                yield path, f"{shortened(source)} is there twice: delete one of them"


def _sections(items: object) -> Iterator[dict[Any, object]]:
    """Yield each item of a list, an empty one for what is no section."""
    for item in items if isinstance(items, tuple) else ():
        yield item if isinstance(item, dict) else {}


def _choices(name: str, there: Iterable[str]) -> str:
    """Say what else can be written: what is near, or all there is."""
    known = list(there)
    if close := difflib.get_close_matches(name[:60], known, n=1):
        return f": did you mean {close[0]}?"
    return f": there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}"


def _twice(data: object, path: KeyPath, key: str | None) -> Iterator[tuple[KeyPath, str]]:
    """Find items of a list that repeat an earlier one, judged by ``key`` where they have keys."""
    items = _setting(data, path)
    seen: list[object] = []
    for place, item in enumerate(items if isinstance(items, tuple) else ()):
        value = item.get(key) if isinstance(item, dict) and key else item
        if isinstance(value, str | int) and value in seen:
            below: KeyPath = (key,) if key else ()
            yield (*path, place, *below), f"{shortened(value)} is there twice: delete one of them"
        seen.append(value)


def _setting(data: object, path: KeyPath) -> object:
    """What the file says, or else the default."""
    default: object = Config()
    for part in path:
        default = getattr(default, str(part))
    return _written(data, path[:-1]).get(path[-1], default)


def _written(data: object, path: KeyPath) -> dict[Any, object]:
    """What stands in the file in the section at ``path``; nothing where there is no section."""
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
