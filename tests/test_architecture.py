"""Who may import whom, where each library lives, and what keeps the house tidy.

The tables here are DESIGN.md's; they are checked against the source with `ast`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "device").rglob("*.py"))

ROOMS = {"audio", "wake", "live", "board", "simulator", "cli"}
"""They never import each other; `cli`, where the parts are chosen, imports them all."""

FOR_ANYONE = {"device.errors", "device.ports", "device.config", "device.frames"}

HUB: dict[str, set[str]] = {
    "device.assistant.hub": {
        "device.echo.canceller",
        "device.board.profiles",
        "device.live.session",
    },
    "device.assistant.sessions": {"device.live.session"},
    "device.assistant.panel": {"device.lights.patterns", "device.board.profiles"},
    "device.assistant.button": {"device.board.gestures", "device.board.mute_switch"},
    "device.assistant.mute": {"device.board.mute_switch"},
    "device.state.talk": {"device.live.resumption"},
    "device.assistant.uplink": {"device.echo.canceller", "device.live.session"},
    "device.assistant.input": {"device.echo.canceller", "device.audio.pre_roll"},
    "device.lights.choice": {"device.lights.patterns"},
    "device.lights.animation": {"device.lights.render", "device.lights.patterns"},
    "device.assistant.echo_measurement": {"device.echo.duplex"},
    "device.control.meter": {"device.audio.levels"},
    "device.assistant.echo": {
        "device.echo.duplex",
        "device.echo.canceller",
        "device.board.profiles",
    },
    "device.assistant.panel_parts": {"device.board.button", "device.lights.patterns"},
    "device.assistant.hot_plug": {"device.board.profiles"},
    # The types of what it makes; `cli` gives it the recipe.
    "device.assistant.parts": {
        "device.board.button",
        "device.board.profiles",
        "device.board.mute_switch",
        "device.live.resumption",
        "device.live.session",
    },
}
"""What the modules outside the rooms know of them; whoever is not here knows nothing."""

PURE: dict[str, set[str]] = {
    "device.echo.alignment": {"numpy"},
    "device.audio.buffer": {"numpy"},
    "device.audio.chimes": {"numpy"},
    "device.echo.correlation": {"numpy"},
    "device.audio.cushion": set(),
    "device.audio.devices": set(),
    "device.echo.duplex": set(),
    "device.echo.path": {"numpy"},
    "device.echo.far_end": {"numpy"},
    "device.frames": set(),
    "device.audio.frame_cutter": {"numpy"},
    "device.audio.levels": {"numpy"},
    "device.audio.limiter": {"numpy"},
    "device.audio.liveness": set(),
    "device.announcements.loudness": {"numpy"},
    "device.echo.near_end": {"numpy"},
    "device.echo.noise": {"numpy"},
    "device.audio.overlay": {"numpy"},
    "device.audio.reference": {"numpy"},
    "device.audio.pre_roll": set(),
    "device.audio.resample": {"numpy", "soxr"},
    "device.announcements.sentences": set(),
    "device.audio.turns": {"numpy"},
    "device.echo.barge_in": set(),
    "device.board.advice": set(),
    "device.board.bearing": set(),
    "device.board.clues": set(),
    "device.board.detection": set(),
    "device.board.colour": set(),
    "device.board.gestures": set(),
    "device.lights.render": set(),
    "device.lights.patterns": set(),
    "device.lights.picture": set(),
    "device.board.profiles": set(),
    "device.board.traits": set(),
    "device.doctor.redaction": set(),
    "device.conversation.machine": set(),
    "device.lights.choice": set(),
    "device.service.latency": set(),
    "device.live.failures": set(),
    "device.live.models": set(),
    "device.live.resumption": set(),
    "device.live.reconnect": set(),
    "device.live.remedies": set(),
    "device.live.rotation": set(),
    "device.live.stalls": set(),
    "device.live.symptoms": set(),
    "device.live.tools": set(),
    "device.live.repeat": set(),
    "device.simulator.acoustics": {"numpy"},
    "device.simulator.cues": set(),
    "device.simulator.filters": {"numpy"},
    "device.simulator.activity": {"numpy"},
    "device.simulator.impulse": {"numpy"},
    "device.simulator.messages": set(),
    "device.simulator.overlay": {"numpy"},
    "device.simulator.script_fields": set(),
    "device.simulator.playlist": {"numpy"},
    "device.simulator.protocol": set(),
    "device.simulator.room": {"numpy"},
    "device.simulator.schema": set(),
    "device.simulator.script": set(),
    "device.simulator.setup_rules": set(),
    "device.lights.night": set(),
    "device.signals": set(),
    "device.conversation.moves": set(),
    "device.conversation.states": set(),
    "device.wake.endpointing": set(),
    "device.wake.gate": set(),
    "device.wake.onnx_file": set(),
}
"""Modules that decide and compute only, and the libraries they need for it.

Of ours they import what is for anyone and what is pure itself.
"""

BANNED_IN_PURE = {
    *("asyncio", "logging", "multiprocessing", "random", "selectors", "signal", "socketserver"),
    *("subprocess", "time"),
}
"""Clocks, chance and the world outside."""

HOMES: dict[str, set[str]] = {
    "cryptography": {"device.simulator.certificate"},
    "google": {"device.live"},
    "gpiozero": {
        *("device.board.pins", "device.lights.drivers", "device.lights.apa102", "device.board.spi"),
        "device.board.button",
    },
    "numpy": {"device.audio", "device.simulator", "device.wake"},
    "onnxruntime": {"device.wake.networks"},
    "pyaudio": {"device.audio.portaudio"},
    "pydantic": {
        *("device.config", "device.config.keys", "device.config.kinds", "device.config.mistakes"),
        "device.config.view",
    },
    "pydantic_core": {"device.config.mistakes"},
    "rich": {"device.cli"},
    "soxr": {"device.audio.resample", "device.simulator.voices"},
    "systemd": {"device.service.health", "device.service.journal"},
    "usb": {"device.board.usb_control"},
    "websockets": {"device.live", "device.simulator"},
    "yaml": {"device.config.yaml", "device.config.view"},
}
"""Each library and the modules (or rooms) that may know it."""

HEAVY = {"google", "gpiozero", "onnxruntime", "pyaudio", "systemd", "usb"}
"""Imported inside the function that needs them: slow, or only there on a Raspberry Pi."""

LONGEST_LINES = 350
DECLARATIONS = {"device.ports", "device.conversation.states"}
"""Nothing but types, each with its docstring, to be read on one page."""

NAMES_THAT_SAY_NOTHING = {"utils", "util", "common", "helpers", "core", "manager", "base", "misc"}


@dataclass(frozen=True)
class Import:
    """One name that a module imports."""

    name: str
    line: int
    at_once: bool
    """When the module is imported, not in a function and not for the type checker only."""

    @property
    def library(self) -> str:
        return self.name.split(".")[0]


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(file): file for file in FILES}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def walk(node: ast.AST, *, at_once: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below, and whether it runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        below = at_once and not later and not is_for_types(child)
        yield child, at_once
        yield from walk(child, at_once=below)


@cache
def imports(module: str) -> tuple[Import, ...]:
    found = []
    for node, at_once in walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno, at_once) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "relative imports hide who is meant"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                name = whole if whole in MODULES else node.module
                found.append(Import(name, node.lineno, at_once))
    return tuple(found)


def ours(module: str) -> list[Import]:
    return [found for found in imports(module) if found.library == "device"]


def libraries(module: str) -> list[Import]:
    known = sys.stdlib_module_names | {"device"}
    return [found for found in imports(module) if found.library not in known]


def room_of(module: str) -> str | None:
    part = module.split(".")[1] if "." in module else ""
    return part if part in ROOMS else None


def test_every_folder_is_a_known_room() -> None:
    """A new one must find its place in these tables."""
    places = (file.relative_to(ROOT / "device").parts for file in FILES)
    folders = {parts[0] for parts in places if len(parts) > 1}
    assert folders == ROOMS
    assert set(PURE) | set(HUB) | DECLARATIONS <= set(MODULES)


def test_rooms_do_not_know_each_other() -> None:
    """Nor do they know the hub; and the hub knows of them just what the table says."""
    wrong = [
        (module, found)
        for module in MODULES
        if room_of(module) != "cli"
        for found in ours(module)
        if room_of(found.name) != room_of(module)
        if found.name not in FOR_ANYONE | HUB.get(module, set()) | {"device"}
    ]
    assert wrong == []


def test_the_table_of_what_the_hub_knows_is_not_too_wide() -> None:
    """What nobody imports any more is taken out of it."""
    for module, allowed in HUB.items():
        assert allowed <= {found.name for found in ours(module)}


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_only_compute(module: str) -> None:
    """No I/O, no clock and no chance; so they can be tested in full without any of it."""
    known = FOR_ANYONE | set(PURE)
    assert [found for found in ours(module) if found.name not in known] == []
    assert {found.library for found in libraries(module)} <= PURE[module]
    assert [found for found in imports(module) if found.library in BANNED_IN_PURE] == []


def test_pure_is_what_calls_itself_so() -> None:
    """A module whose docstring promises it is held to it."""
    promised = {
        module
        for module in MODULES
        if "pure" in (ast.get_docstring(tree_of(module)) or "").lower().replace(".", " ").split()
    }
    assert promised - {"device.assistant.hub"} <= set(PURE)


def is_home(module: str, library: str) -> bool:
    homes = HOMES.get(library, set())
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def test_each_library_has_its_home() -> None:
    """Whoever wants to replace one finds all of it in one place."""
    wrong = [
        (module, found)
        for module in MODULES
        for found in libraries(module)
        if not is_home(module, found.library)
    ]
    assert wrong == []


def test_heavy_libraries_are_imported_where_they_are_needed() -> None:
    """Inside a function; importing the module costs nothing."""
    wrong = [
        (module, found)
        for module in MODULES
        for found in imports(module)
        if found.library in HEAVY and found.at_once
    ]
    assert wrong == []


def test_the_command_line_is_there_at_once() -> None:
    """`parley --help` loads no heavy library, and `parley status` only what it needs."""
    code = """
import sys
import device.__main__
device.__main__.parser(["status"])
print(*sorted(sys.modules))
device.__main__.parser()
print(*sorted(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    status, everything = (set(line.split()) for line in done.stdout.splitlines())
    heavy = {"google.genai", "onnxruntime", "pyaudio", "cryptography", "gpiozero", "systemd", "usb"}
    assert heavy & everything == set()
    assert {"numpy", "pydantic", "websockets", "device.assistant.hub"} & status == set()
    assert "device.assistant.hub" in everything


def test_modules_are_short_and_well_named() -> None:
    """And open with a sentence for a stranger."""
    for module, file in MODULES.items():
        text = file.read_text()
        assert module in DECLARATIONS or len(text.splitlines()) <= LONGEST_LINES, module
        assert module.rsplit(".", 1)[-1] not in NAMES_THAT_SAY_NOTHING
        docstring = ast.get_docstring(tree_of(module)) or ""
        assert docstring.split("\n\n")[0].rstrip().endswith((".", ":")), module
        if file.name != "__init__.py":
            assert "from __future__ import annotations\n" in text, module


def calls(module: str, name: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    ]


def test_only_the_command_line_prints_and_exits() -> None:
    """Everything else logs and raises; no thread ends the process."""
    at_the_top = {module for module in MODULES if room_of(module) == "cli"} | {"device.__main__"}
    for module in set(MODULES) - at_the_top:
        for name in ("print", "sys.exit", "os._exit", "exit", "quit"):
            assert calls(module, name) == [], f"{module} calls {name}"


def test_what_catches_everything_says_why() -> None:
    """A swallowed bug is a deaf speaker."""
    for module, file in MODULES.items():
        lines = file.read_text().splitlines()
        for node in ast.walk(tree_of(module)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = ast.unparse(node.type) if node.type else "everything"
            if caught in {"everything", "Exception"}:
                assert "  # " in lines[node.lineno - 1], f"{module}:{node.lineno}"
