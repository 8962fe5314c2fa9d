"""Who may import whom, where each library lives, and what keeps the house tidy.

The table of rooms is that of `device/README.md`; it is checked against the source with `ast`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "device").rglob("*.py"))

MAP = (ROOT / "device" / "README.md").read_text()
WORDS = ("errors", "text", "threads", "frames", "news", "signals", "ports", "events", "faults")
"""What everybody speaks, at the top of `device/`; each may import those before it. Two of them,
`news` and `ports`, are folders."""


def word_of(module: str) -> str:
    """Return the word that a module is, or is a file of."""
    return module.removeprefix("device.").partition(".")[0]


def rooms_of_the_map() -> dict[str, set[str]]:
    """Return each room of the map's table, and the rooms that it may import."""
    lines = MAP.partition("## Rooms\n")[2].partition("\n## ")[0].splitlines()
    rows = [re.findall(r"`(\w+)`", line) for line in lines if line.startswith("| `")]
    known = {row[0] for row in rows} - set(WORDS)
    table: dict[str, set[str]] = {}
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].strip("`") in known:
            named = set(re.findall(r"`(\w+)`", cells[2]))
            table[cells[0].strip("`")] = known if cells[2] == "all" else named
    return table


ROOMS = rooms_of_the_map()

HOMES: dict[str, set[str]] = {
    "PIL": {"device.camera.picture"},
    "anyio": {"device.mcp"},
    "cryptography": {"device.simulator.certificate"},
    "google": {"device.live", "device.tokens.mint"},
    "gpiozero": {
        *("device.board.button", "device.board.gpio", "device.board.spi"),
        *("device.lights.apa102", "device.lights.drivers"),
    },
    "httpx2": {"device.live.token_server", "device.mcp"},
    "linuxpy": {"device.camera.v4l2"},
    "mcp": {"device.mcp"},
    "mcp_types": {"device.mcp"},
    "numpy": {
        *("device.announcements", "device.audio", "device.doctor", "device.echo"),
        *("device.live.answers", "device.simulator", "device.wake"),
    },
    "onnxruntime": {"device.wake.networks"},
    "pyaudio": {"device.audio.portaudio"},
    "pydantic": {"device.config", "device.mcp", "device.tools"},
    "pydantic_core": {"device.config"},
    "pymicro_wakeword": {"device.wake.micro"},
    "rich": {"device.cli", "device.doctor"},
    "soxr": {"device.audio.resample", "device.simulator.voices"},
    "starlette": {"device.tokens.server"},
    "systemd": {"device.service"},
    "usb": {"device.board.usb_control"},
    "uvicorn": {"device.tokens.server"},
    "websockets": {"device.live", "device.simulator"},
    "yaml": {"device.config"},
}
"""Each library and the modules (or rooms) that may know it."""

COMPUTES = {"numpy", "soxr"}
"""The libraries that a pure module may use."""

NO_COMPUTATION = {
    *("asyncio", "logging", "multiprocessing", "random", "selectors", "signal", "socketserver"),
    *("subprocess", "time"),
}
"""Clocks, chance and the world outside: in no pure module."""

HEAVY = {
    *("google", "gpiozero", "linuxpy", "onnxruntime", "PIL", "pyaudio", "pymicro_wakeword"),
    *("systemd", "usb"),
}
"""Imported inside the function that needs them: slow, or only there on a Raspberry Pi."""

MCP = {"anyio", "httpx2", "mcp", "mcp_types"}
"""What an MCP server is reached with: half a second and 30 MB."""

ALARM_LINES = 500
"""Files are cut by idea, never by length; a longer one is looked at for a second idea."""

DESCRIBE = {
    "device.camera.auto",
    *("device.audio.loudspeaker", "device.audio.microphone"),
    *("device.simulator.echo", "device.simulator.microphone", "device.simulator.tee"),
}
"""Who describes a device, in its messages too."""

TELL = {
    *("device.assistant.input", "device.assistant.output", "device.assistant.pictures"),
    *("device.assistant.status", "device.cli.demo", "device.control.meter"),
    *("device.doctor.camera", "device.doctor.echo"),
}
"""Who shows a person how a device describes itself."""

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
    """Return the room of a module; None for the words at the top, and for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def is_pure(module: str) -> bool:
    """Whether the first paragraph of its docstring promises that it only computes."""
    opening = (ast.get_docstring(tree_of(module)) or "").split("\n\n")[0]
    return opening.endswith("Pure.") or opening.startswith("(pure)")


PURE = sorted(module for module in MODULES if is_pure(module))


def test_every_folder_is_a_room_of_the_map_and_only_words_are_at_the_top() -> None:
    """A new one must find its place in the table first, with the question that it answers."""
    inside = {module.split(".")[1] for module, file in MODULES.items() if module != "device"}
    assert inside == set(ROOMS) | set(WORDS) | {"__main__"}
    for room, named in ROOMS.items():
        assert f"device.{room}" in MODULES, f"{room} has no __init__.py"
        assert named <= set(ROOMS), f"{room} may import what is no room"
    for room in ROOMS:
        docstring = ast.get_docstring(tree_of(f"device.{room}")) or ""
        assert "?" in docstring.split("\n\n")[0], f"{room}/__init__.py asks no question"


def test_the_table_runs_downwards() -> None:
    """No two rooms know each other, however long the way around."""
    above: list[str] = []
    left = dict(ROOMS)
    while left:
        free = [room for room, named in left.items() if not (named - {room}) & set(left)]
        assert free, f"these rooms import each other in a circle: {sorted(left)}"
        above += free
        left = {room: named for room, named in left.items() if room not in free}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_downwards_along_the_map(module: str) -> None:
    """Every module, the hub's too, imports what its room's row of the map names, and no more."""
    room = room_of(module)
    for found in ours(module):
        other = room_of(found.name)
        if other is None:
            word, mine = word_of(found.name), word_of(module)
            assert word in {*WORDS, "device", "__main__"}, f"{module}:{found.line}: {found.name}"
            if mine in WORDS and word in WORDS and word != mine:
                upwards = WORDS.index(word) > WORDS.index(mine)
                assert not upwards, f"{module}:{found.line} imports upwards"
        elif room is not None:
            assert other == room or other in ROOMS[room], f"{module}:{found.line}: {found.name}"
        else:
            assert module == "device.__main__", f"{module}:{found.line}: a word imports a room"


def test_the_map_allows_no_more_than_is_used() -> None:
    """What nobody imports any more is taken out of the table."""
    for room, named in ROOMS.items():
        if named == set(ROOMS):
            continue
        used = {
            room_of(found.name)
            for module in MODULES
            if room_of(module) == room
            for found in ours(module)
        }
        assert named <= used, f"{room} imports nothing of {sorted(named - used)}"


LATE = {"device.mcp.client", "device.mcp.http", "device.mcp.stdio"}
"""Modules that import heavy libraries at once, and are imported when those are needed."""


def test_what_loads_the_library_of_mcp_is_imported_late() -> None:
    """In a function or for the type checker only, but by each other; see `tests/mcp/`."""
    wrong = [
        (module, found)
        for module in set(MODULES) - LATE
        for found in imports(module)
        if found.at_once and (found.name in LATE or found.library in MCP)
    ]
    assert wrong == []


PURE_WORDS = {"errors", "frames", "news", "ports", "signals", "text"}


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_only_compute(module: str) -> None:
    """No I/O, no clock and no chance; so they can be tested in full without any of it."""
    for found in ours(module):
        pure_word = word_of(found.name) in PURE_WORDS
        assert pure_word or found.name in PURE, f"{module}:{found.line}: {found.name} is not pure"
    assert {found.library for found in libraries(module)} <= COMPUTES
    assert [found for found in imports(module) if found.library in NO_COMPUTATION] == []


def test_the_conversation_is_pure() -> None:
    """Every module of it, and it knows nothing of ours but the news of the parts."""
    for module in MODULES:
        if room_of(module) == "conversation" and module != "device.conversation":
            assert module in PURE, module


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
        assert len(text.splitlines()) <= ALARM_LINES, f"{module}: is this still one idea?"
        assert module.rsplit(".", 1)[-1] not in NAMES_THAT_SAY_NOTHING
        docstring = ast.get_docstring(tree_of(module)) or ""
        assert docstring.split("\n\n")[0].rstrip().endswith((".", "?", ":")), module
        if file.name != "__init__.py":
            assert "from __future__ import annotations\n" in text, module


@pytest.mark.parametrize("module", [each for each in sorted(MODULES) if word_of(each) == "news"])
def test_news_hold_no_code(module: str) -> None:
    """They are what has happened; what follows from it is somebody's who takes them."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert all(isinstance(line, ast.Expr) for line in node.body), f"{module}:{node.lineno}"


def calls(module: str, name: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    ]


def test_only_the_command_line_prints_and_exits() -> None:
    """Everything else logs and raises; no thread ends the process."""
    at_the_top = {module for module in MODULES if room_of(module) in {"cli", "doctor"}}
    at_the_top |= {"device.__main__"}
    for module in set(MODULES) - at_the_top:
        for name in ("print", "sys.exit", "os._exit", "exit", "quit"):
            assert calls(module, name) == [], f"{module} calls {name}"


def test_what_describes_a_device_is_for_people_only() -> None:
    """Whoever decides something takes `device`, the facts; see `tests/test_ports.py`."""
    reading = {
        module
        for module in MODULES
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Attribute) and node.attr == "description"
    }
    assert reading == DESCRIBE | TELL


def test_only_who_opens_devices_knows_how_cards_are_named() -> None:
    """Everybody else is told the number of the card."""
    knowing = {module for module in MODULES for text in texts(module) if "hw:" in text}
    # The echo's file names devices as they are called, but for the number; as settings such names
    # are refused.
    knowing.remove("device.config.device_names")
    assert knowing == {"device.audio.devices", "device.state.echo"}


def texts(module: str) -> Iterator[str]:
    """The strings of a module that are no docstrings."""
    tree = tree_of(module)
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


THREADS = {
    *("device.threads", "device.audio.stream_thread", "device.board.mute_switch"),
    *("device.lights.ring", "device.records.store", "device.wake.detector"),
}
"""Who starts threads; each says in its docstring why it is none of `device.threads`' calls."""


def test_threads_are_started_and_tell_the_loop_in_one_way() -> None:
    """One that hangs is left behind, and a loop that is closed is not told."""
    for module in MODULES:
        assert calls(module, "threading.Thread") == [] or module in THREADS, module
        methods = {call.attr: call.lineno for call in method_calls(module)}
        assert "run_in_executor" not in methods, module
        assert "call_soon_threadsafe" not in methods or module == "device.threads", module
    for module in THREADS - {"device.threads"}:
        assert "`device.threads`" in (ast.get_docstring(tree_of(module)) or ""), module


WRITERS = {"device.state.store", "device.simulator.certificate", "device.service.last_warnings"}
"""Who writes small files. Those of the stand-in server are in a folder that is thrown away; the
last warnings are appended to, and not worth a wait for the disk."""


def test_small_files_are_written_in_one_way() -> None:
    """Whole, on the disk, and none by hand."""
    for module in MODULES:
        called = {call.attr for call in method_calls(module)}
        by_hand = {"write_text", "write_bytes", "fsync", "NamedTemporaryFile", "mkstemp"}
        assert not called & by_hand or module in WRITERS, module


def test_what_a_google_key_is_stands_in_one_place() -> None:
    """Its look, its names and its file, but for what is told of them in docstrings."""
    for module in set(MODULES) - {"device.credentials.api_key"}:
        for text in texts(module):
            for fact in ("AIza", "gemini_api_key", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
                assert fact not in text, f"{module}: {text}"


def test_each_module_has_a_test_of_its_name_or_says_where_it_is_tested() -> None:
    """In the room of its name, so that whoever changes one knows what to run."""
    for module, file in MODULES.items():
        place = file.relative_to(ROOT / "device")
        told = re.search(
            r"^Tested in (\S+)\.$", ast.get_docstring(tree_of(module)) or "", re.MULTILINE
        )
        named = ROOT / "tests" / place.parent / f"test_{file.stem.strip('_')}.py"
        test = ROOT / told[1] if told else named
        assert file.stem == "__init__" or test.is_file(), f"{module}: {test} is not there"


def method_calls(module: str) -> list[ast.Attribute]:
    tree = tree_of(module)
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [function for function in called if isinstance(function, ast.Attribute)]


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
