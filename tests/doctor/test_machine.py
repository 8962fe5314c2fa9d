"""Clock, disk, memory, temperature and power, on machines made of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.doctor import machine as checks
from device.doctor.result import Result, Verdict
from device.doctor.scene import Outcome, Space, run_command, space_at
from tests.rig.scene import GB, Commands, machine, only

FINE, HINT, BROKEN, SKIPPED = Verdict.FINE, Verdict.HINT, Verdict.BROKEN, Verdict.SKIPPED
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("now", "told", "verdict", "words"),
    [
        (NOW, "yes", FINE, "2027-01-15 08:00 UTC, synchronised"),
        (NOW, "no", HINT, "2027-01-15 08:00 UTC, not synchronised"),
        (NOW, Outcome(1), FINE, "2027-01-15 08:00 UTC, plausible"),
        (86_400.0, "no", BROKEN, "1970-01-02 00:00 UTC, which cannot be"),
    ],
)
def test_the_clock(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    now: float,
    told: str | Outcome,
    verdict: Verdict,
    words: str,
) -> None:
    """Certificates are judged by it."""
    monkeypatch.setattr("device.doctor.machine.time.time", lambda: now)
    result = only(checks.clock(machine(tmp_path, run=Commands(timedatectl=told))))
    assert (result.verdict, result.figure) == (verdict, words)
    assert ("timedatectl" in result.advice) == (verdict is not FINE)


def test_a_clock_that_timesyncd_has_set_is_synchronised(tmp_path: Path) -> None:
    """Its file says so where there is no D-Bus to ask."""
    scene = machine(tmp_path, files={"run/systemd/timesync/synchronized": ""})
    assert only(checks.clock(scene)).figures["synchronised"] is True


@pytest.mark.parametrize(
    ("space", "verdict"),
    [
        (Space(32 * GB, 20 * GB, read_only=False), FINE),
        (Space(32 * GB, 499_000_000, read_only=False), HINT),
        (Space(32 * GB, 49_000_000, read_only=False), BROKEN),
        (Space(32 * GB, 20 * GB, read_only=True), BROKEN),
    ],
)
def test_the_disk(tmp_path: Path, space: Space, verdict: Verdict) -> None:
    """Where the speaker's state is."""
    result = only(checks.disk(machine(tmp_path, space=lambda _path: space)))
    assert result.verdict is verdict
    assert bool(result.advice) == (verdict is not FINE)
    assert result.figures["free_mb"] == space.free_bytes // 1_000_000


def test_the_room_of_a_folder_that_is_not_there_is_that_of_the_one_above(tmp_path: Path) -> None:
    """The real figures."""
    space = space_at(tmp_path / "not" / "there")
    assert 0 < space.free_bytes <= space.total_bytes
    assert not space.read_only


@pytest.mark.parametrize(
    ("available_kb", "verdict"), [(400_000, FINE), (100_000, HINT), (30_000, BROKEN)]
)
def test_the_memory(tmp_path: Path, available_kb: int, verdict: Verdict) -> None:
    """What is left, not what is free."""
    text = f"MemTotal: 948000 kB\nMemFree: 20000 kB\nMemAvailable: {available_kb} kB\n"
    result = only(checks.memory(machine(tmp_path, files={"proc/meminfo": text})))
    assert result.verdict is verdict
    assert result.figures["total_mb"] == 970


def test_memory_for_pictures_is_named_where_memory_is_short(tmp_path: Path) -> None:
    """On a Zero 2 W 256 MB of 426 are kept for a screen that is not there."""
    small = "MemTotal: 436224 kB\nMemAvailable: {} kB\nCmaTotal: {} kB\n"

    def told(available_kb: int, cma_kb: int) -> Result:
        text = small.format(available_kb, cma_kb)
        return only(checks.memory(machine(tmp_path, files={"proc/meminfo": text})))

    assert (told(240_000, 262_144).verdict, told(240_000, 262_144).advice) == (
        HINT,
        checks.CMA_ADVICE,
    )
    assert told(20_000, 262_144).verdict is BROKEN
    assert told(20_000, 262_144).advice.endswith(checks.CMA_ADVICE)
    assert told(240_000, 65_536).verdict is FINE


def test_a_kernel_that_does_not_tell_is_skipped(tmp_path: Path) -> None:
    """With the reason."""
    assert only(checks.memory(machine(tmp_path))).verdict is SKIPPED
    assert "no sensor" in only(checks.temperature(machine(tmp_path))).figure


@pytest.mark.parametrize(
    ("zones", "verdict", "figure"),
    [
        (["41200", "39000"], FINE, "41 °C"),
        (["41200", "76000"], HINT, "76 °C"),
        (["84300"], BROKEN, "84 °C"),
        (["nonsense", "-5000"], FINE, "-5 °C"),
    ],
)
def test_the_hottest_sensor_counts(
    tmp_path: Path, zones: list[str], verdict: Verdict, figure: str
) -> None:
    """A Pi slows down at 80 degrees."""
    files = {f"sys/class/thermal/thermal_zone{i}/temp": text for i, text in enumerate(zones)}
    result = only(checks.temperature(machine(tmp_path, files=files)))
    assert (result.verdict, result.figure) == (verdict, figure)


@pytest.mark.parametrize(
    ("bits", "verdict", "words"),
    [
        ("0x0", FINE, "never too low"),
        ("0x50000", HINT, "under-voltage since the start, was slowed down since the start"),
        ("0x50005", BROKEN, "under-voltage now"),
        ("0x80000", FINE, "never too low"),
        ("0x8", HINT, "temperature limit"),
    ],
)
def test_a_raspberry_pi_tells_of_its_power(
    tmp_path: Path, bits: str, verdict: Verdict, words: str
) -> None:
    """The bits of vcgencmd get_throttled."""
    scene = machine(tmp_path, run=Commands(vcgencmd=f"throttled={bits}\n"))
    result = only(checks.power(scene))
    assert result.verdict is verdict
    assert words in result.figure


@pytest.mark.parametrize(("alarm", "verdict"), [("0", FINE), ("1", BROKEN)])
def test_without_vcgencmd_the_kernel_tells_of_it(
    tmp_path: Path, alarm: str, verdict: Verdict
) -> None:
    """In sysfs, among other sensors."""
    files = {
        "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
        "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon1/in0_lcrit_alarm": f"{alarm}\n",
    }
    assert only(checks.power(machine(tmp_path, files=files))).verdict is verdict


def test_no_raspberry_pi_has_no_figure_of_its_power(tmp_path: Path) -> None:
    """Told, and not broken."""
    result = only(checks.power(machine(tmp_path)))
    assert (result.verdict, "no Raspberry Pi" in result.figure) == (SKIPPED, True)


def test_commands_run_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is not there, or does not end, is an outcome."""
    monkeypatch.setenv("GEMINI_API_KEY", "secret-of-ours")
    monkeypatch.setenv("PARLEY_CREDENTIAL_HOME", "secret-of-ours")
    told = run_command(["env"])
    assert told.worked
    assert "secret-of-ours" not in told.out
    assert "LC_ALL=C.UTF-8" in told.out
    assert run_command(["no-such-command-here"]).code == 127
    monkeypatch.setattr("device.doctor.scene.COMMAND_S", 0.01)
    assert run_command(["sleep", "10"]).code == -1
    assert os.environ["GEMINI_API_KEY"]
