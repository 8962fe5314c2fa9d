"""The choice of the pin factory, and pin trouble told in plain words."""

from __future__ import annotations

import importlib.metadata
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gpiozero import Device, DigitalOutputDevice, PinFactoryFallback
from gpiozero.pins.mock import MockFactory

from device.board.gpio import attempt, gpio_factory, let_go, real_lgpio, refuse_taken
from device.board.profiles import profile_named
from device.errors import BoardError


class LgpioError(Exception):
    """lgpio raises a class of its own, derived from nothing but Exception."""


class FakeLgpio(ModuleType):
    """lgpio with the chips it is given; a label of None cannot be opened."""

    __file__ = "/usr/lib/python3/dist-packages/lgpio.py"
    error = LgpioError
    SET_PULL_NONE = SET_PULL_UP = SET_PULL_DOWN = 0
    BOTH_EDGES, RISING_EDGE, FALLING_EDGE = 3, 1, 2

    def __init__(self, labels: dict[int, str | None]) -> None:
        super().__init__("lgpio")
        self.labels = labels
        self.lines: dict[int, tuple[int, str | bytes]] = {}
        self.opened: list[int] = []
        self.closed: list[int] = []

    def gpiochip_open(self, number: int) -> int:
        if self.labels.get(number) is None:
            raise LgpioError("can not open gpiochip")
        self.opened.append(number)
        return 100 + number

    def gpiochip_close(self, handle: int) -> None:
        self.closed.append(handle - 100)

    def gpio_get_line_info(self, handle: int, pin: int) -> list[Any]:
        assert handle - 100 in self.opened
        if pin not in self.lines:
            raise LgpioError("bad GPIO number")
        flags, holder = self.lines[pin]
        return [0, pin, flags, f"GPIO{pin}", holder]

    def gpio_get_chip_info(self, handle: int) -> list[Any]:
        return [0, 54, f"gpiochip{handle - 100}", self.labels[handle - 100]]


class Pi:
    """Files of a Raspberry Pi with these GPIO chips, and an lgpio that finds them."""

    def __init__(self, root: Path, labels: dict[int, str | None]) -> None:
        self.model_file = root / "model"
        self.model_file.write_text("Raspberry Pi 5 Model B Rev 1.0\0")
        for number in labels:
            (root / f"gpiochip{number}").touch()
        self.devices = root
        self.lgpio = FakeLgpio(labels)

    def factory(self) -> Any:
        return gpio_factory(model_file=self.model_file, devices=self.devices)


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before, Device.pin_factory = Device.pin_factory, None
    for name in ("GPIOZERO_PIN_FACTORY", "LG_WD", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    yield
    os.environ.pop("LG_WD", None)
    sys.modules.pop("gpiozero.pins.lgpio", None)
    Device.pin_factory = before


def test_a_factory_that_is_set_is_used() -> None:
    """Whoever sets gpiozero's factory has decided."""
    Device.pin_factory = mine = MockFactory()
    assert gpio_factory() is mine


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPIOZERO_PIN_FACTORY works as gpiozero documents it, on any machine, and only once."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    factory = gpio_factory()
    assert isinstance(factory, MockFactory)
    assert gpio_factory() is factory
    assert "LG_WD" not in os.environ


def test_an_unknown_factory_in_the_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped name is an error that repeats it."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgipo")
    with pytest.raises(BoardError, match=r"cannot use GPIOZERO_PIN_FACTORY=lgipo: .*lgipo"):
        gpio_factory()


def test_a_machine_that_is_no_pi_is_told_so(tmp_path: Path) -> None:
    """On a laptop the message is about the laptop, not about lgpio."""
    with pytest.raises(BoardError, match=r"need a Raspberry Pi.*lights\.driver to none"):
        gpio_factory(model_file=tmp_path / "model", devices=tmp_path)


@pytest.mark.parametrize(
    ("labels", "chip"),
    [
        ({0: "pinctrl-rp1", 10: "gpio-brcmstb@107d508500", 11: "gpio-brcmstb@1"}, 0),
        ({0: "gpio-brcmstb@107d508500", 4: "pinctrl-rp1"}, 4),
        ({0: "pinctrl-bcm2711", 1: "raspberrypi-exp-gpio"}, 0),
        ({0: None, 1: "raspberrypi-exp-gpio", 2: "pinctrl-bcm2835"}, 2),
    ],
)
def test_the_chip_is_found_by_its_label(
    labels: dict[int, str | None],
    chip: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its number differs between models and kernels; the others are closed again."""
    pi = Pi(tmp_path, labels)
    monkeypatch.setitem(sys.modules, "lgpio", pi.lgpio)
    factory = pi.factory()
    assert factory.chip == chip
    assert Device.pin_factory is factory
    assert pi.lgpio.opened[-1] == chip
    assert sorted(pi.lgpio.closed) == sorted(pi.lgpio.opened[:-1])


@pytest.mark.parametrize("allowed", [True, False])
def test_a_pi_without_the_chip_names_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    """A missing permission, a chip that does not open and a strange one are told apart."""
    pi = Pi(tmp_path, {0: None, 1: "raspberrypi-exp-gpio"})
    monkeypatch.setitem(sys.modules, "lgpio", pi.lgpio)
    monkeypatch.setattr(os, "access", lambda *_: allowed)
    monkeypatch.setattr("getpass.getuser", lambda: "kitchen")
    with pytest.raises(BoardError) as caught:
        pi.factory()
    message = str(caught.value)
    assert "pinctrl-rp1" in message
    assert "gpiochip1 (raspberrypi-exp-gpio)" in message
    assert ("gpiochip0 (does not open)" in message) is allowed
    assert ("gpiochip0 (may not be opened)" in message) is not allowed
    assert ("run 'sudo usermod -aG gpio kitchen'" in message) is not allowed


def test_a_pi_without_any_chip_says_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, say."""
    pi = Pi(tmp_path, {})
    monkeypatch.setitem(sys.modules, "lgpio", pi.lgpio)
    with pytest.raises(BoardError, match=r"found: none$"):
        pi.factory()


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ({}, "has no attribute 'LGPIOFactory'"),
        ({"LGPIOFactory": lambda: None}, "unexpected keyword argument 'chip'"),
        (None, "gpiozero.pins.lgpio"),
    ],
)
def test_a_gpiozero_that_is_too_old_is_told_with_its_version(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: dict[str, Any] | None,
    said: str,
) -> None:
    """Debian's own is 1.6.2; 2.0.1.post1 lacks an import, which shows as a NameError."""
    pi = Pi(tmp_path, {0: "pinctrl-rp1"})
    monkeypatch.setitem(sys.modules, "lgpio", pi.lgpio)
    old = None if module is None else ModuleType("gpiozero.pins.lgpio")
    if old is not None:
        vars(old).update(module or {})
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", old)
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "1.6.2")
    with pytest.raises(BoardError, match=r"gpiozero 1\.6\.2 cannot .*2\.0\.1\.post3 or") as caught:
        pi.factory()
    assert said in str(caught.value)


def test_a_gpiozero_without_a_version_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy in a folder has no metadata."""

    def unknown(_name: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    pi = Pi(tmp_path, {0: "pinctrl-rp1"})
    monkeypatch.setitem(sys.modules, "lgpio", pi.lgpio)
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", None)
    monkeypatch.setattr("importlib.metadata.version", unknown)
    with pytest.raises(BoardError, match="gpiozero of an unknown version cannot use lgpio"):
        pi.factory()


@pytest.mark.parametrize("name", ["native", "RPiGPIO", "pigpio"])
def test_only_lgpio_works_on_a_pi_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The others write to registers that are elsewhere there."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", name)
    with pytest.raises(BoardError, match=rf"{name} does not work on a Raspberry Pi 5 Model B Rev"):
        Pi(tmp_path, {0: "pinctrl-rp1"}).factory()


@pytest.mark.parametrize("name", ["lgpio", "LGPIO"])
def test_lgpio_by_name_is_opened_by_the_chip_s_label_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The guess of gpiozero at the number fails on some kernels."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", name)
    pi = Pi(tmp_path, {0: "gpio-brcmstb@107d508500", 4: "pinctrl-rp1"})
    monkeypatch.setitem(sys.modules, "lgpio", pi.lgpio)
    assert pi.factory().chip == 4


def test_a_factory_that_only_loads_as_a_makeshift_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself gpiozero warns and goes on with another: here that is an error."""

    def makeshift() -> None:
        warnings.warn(PinFactoryFallback("Falling back from mock"), stacklevel=1)

    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    monkeypatch.setattr(Device, "ensure_pin_factory", makeshift)
    with pytest.raises(BoardError, match="cannot use GPIOZERO_PIN_FACTORY=mock: Falling back"):
        Pi(tmp_path, {0: "pinctrl-bcm2711"}).factory()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({17: (1, "gpio-fan")}, "GPIO busy; GPIO17 is held by 'gpio-fan'"),
        ({17: (1, b"lg")}, "GPIO busy; GPIO17 is held by a program that uses lgpio"),
        ({17: (1, "sysfs")}, "GPIO busy; GPIO17 is held by a program that uses sysfs"),
        ({17: (1, "")}, "GPIO busy; GPIO17 is held by the kernel"),
        (
            {17: (1, "a"), 27: (1, "b")},
            "GPIO busy; GPIO17 is held by 'a' and GPIO27 is held by 'b'",
        ),
        ({17: (0, "")}, "GPIO busy; who is it?"),
        ({}, "GPIO busy; who is it?"),
    ],
)
def test_a_busy_pin_is_told_with_who_holds_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: dict[int, tuple[int, str | bytes]],
    said: str,
) -> None:
    """The kernel knows; where it does not say, the usual question is asked."""
    pi = Pi(tmp_path, {0: "pinctrl-rp1"})
    pi.lgpio.lines = lines
    monkeypatch.setitem(sys.modules, "lgpio", pi.lgpio)
    pi.factory()

    def busy() -> None:
        raise LgpioError("'GPIO busy'")

    with pytest.raises(BoardError) as caught:
        attempt("use them", busy, "; who is it?", pins=(17, 27))
    assert str(caught.value) == f"cannot use them: {said}"

    def fails() -> None:
        raise OSError(5, "bus gone")

    with pytest.raises(BoardError, match=r"bus gone; who is it\?$"):
        attempt("use them", fails, "; who is it?", pins=(17, 27))


def test_the_empty_lgpio_of_pypi_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what pip takes on Python 3.13, and its import succeeds."""
    empty = ModuleType("lgpio")
    empty.__file__ = "/venv/lgpio/__init__.py"
    monkeypatch.setitem(sys.modules, "lgpio", empty)
    pi = Pi(tmp_path, {0: "pinctrl-rp1"})
    with pytest.raises(BoardError, match=r"/venv/lgpio/__init__\.py is an empty .*apt install"):
        pi.factory()
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")
    with pytest.raises(BoardError, match="is an empty stand-in"):
        pi.factory()


def test_a_missing_lgpio_is_told_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cure is one apt command."""
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with pytest.raises(BoardError, match=r"lgpio is missing .*apt install python3-lgpio"):
        Pi(tmp_path, {0: "pinctrl-rp1"}).factory()


_CWD_CHANGER = """
import os
os.chdir(os.environ["LG_WD"])
open("fifo", "w").close()
class error(Exception): ...
SET_PULL_NONE = SET_PULL_UP = SET_PULL_DOWN = 0
BOTH_EDGES, RISING_EDGE, FALLING_EDGE = 3, 1, 2
def gpiochip_open(number): return number
def gpiochip_close(handle): ...
def gpio_get_chip_info(handle): return [0, 54, "gpiochip0", "pinctrl-rp1"]
"""


@pytest.mark.parametrize("given", ["RUNTIME_DIRECTORY", "LG_WD", None])
def test_importing_lgpio_leaves_the_working_directory_alone(
    given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import changes to $LG_WD and writes there: the runtime directory, or a temporary one."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "lgpio.py").write_text(_CWD_CHANGER)
    (run := tmp_path / "run").mkdir()
    (home := tmp_path / "home").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.delitem(sys.modules, "lgpio", raising=False)
    monkeypatch.chdir(home)
    if given is not None:
        monkeypatch.setenv(given, f"{run}:/elsewhere" if given == "RUNTIME_DIRECTORY" else str(run))
    try:
        Pi(tmp_path, {0: "pinctrl-rp1"}).factory()
    finally:
        sys.modules.pop("lgpio", None)
    assert Path.cwd() == home
    assert list(home.iterdir()) == []
    written = Path(os.environ["LG_WD"])
    assert (written / "fifo").exists()
    assert (written.parent == run) is (given is not None)


@pytest.mark.parametrize("given", ["RUNTIME_DIRECTORY", "LG_WD", None])
def test_nobody_else_reads_the_buttons_pipes(
    given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are open to all, as the runtime directory is, and who reads takes away."""
    tmp_path.chmod(0o755)
    if given is not None:
        monkeypatch.setenv(given, str(tmp_path))
    monkeypatch.setitem(sys.modules, "lgpio", FakeLgpio({}))
    real_lgpio()
    first = Path(os.environ["LG_WD"])
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert (first.parent == tmp_path) is (given is not None)
    real_lgpio()
    assert Path(os.environ["LG_WD"]) == first


def test_a_second_try_is_not_hindered_by_the_first(pins: Any) -> None:
    """The error keeps no half-built device alive, whose pins would count as in use."""
    Device.pin_factory = pins

    def fails_half_way() -> None:
        half_built = DigitalOutputDevice(5, pin_factory=pins)
        raise OSError(5, f"bus gone, {half_built.pin}")

    with pytest.raises(BoardError, match=r"cannot light up: .*bus gone.*; try again") as caught:
        attempt("light up", fails_half_way, "; try again")
    assert caught.value.__context__ is None
    DigitalOutputDevice(5, pin_factory=pins).close()


def test_lgpio_errors_and_silent_fallbacks_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exceptions of lgpio and gpiozero's warnings (made errors) are trouble with pins."""
    monkeypatch.setitem(sys.modules, "lgpio", FakeLgpio({}))

    def busy() -> None:
        raise LgpioError("'GPIO busy'")

    def falls_back() -> None:
        warnings.warn(PinFactoryFallback("Falling back from lgpio"), stacklevel=1)

    with pytest.raises(BoardError, match=r"cannot claim: GPIO busy$"):
        attempt("claim", busy)

    def nameless() -> None:
        raise OSError

    with pytest.raises(BoardError, match=r"cannot open: OSError$"):
        attempt("open", nameless)
    with pytest.raises(BoardError, match="cannot start: Falling back from lgpio"):
        attempt("start", falls_back)


def test_a_mistake_of_ours_is_not_told_as_pin_trouble() -> None:
    """A TypeError is a bug and stays one."""

    def wrong() -> None:
        raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        attempt("work", wrong)


def test_letting_go_goes_on_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """What can be released is released, and the failure is in the journal."""
    done: list[str] = []

    def fails() -> None:
        raise LgpioError("gone")

    let_go(lambda: done.append("first"), fails, lambda: done.append("last"))
    assert done == ["first", "last"]
    assert "gone" in caplog.text


def test_a_pin_the_sound_needs_is_refused() -> None:
    """GPIO17 switches the amplifier of the 6-mic kit; a 2-mic owner's YAML must not mute it."""
    with pytest.raises(BoardError, match=r"GPIO17 cannot be the button.*6-Mic.*button\.pin"):
        refuse_taken(17, "the button", "button.pin", profile_named("6mic-circular"))
    refuse_taken(17, "the button", "button.pin", profile_named("2mic-hat"))
